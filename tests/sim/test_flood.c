/* SPDX-License-Identifier: MIT */
/* test_flood.c - more logins than the router wants to compute, and logins it should not answer */
#include <sodium.h>

#include "proto/cookie.h"
#include "sim.h"

/* ---- a flood of logins by somebody who has a key ---- */

struct flood {
    struct identity self;
    struct cookie_purse purse;
    unsigned per_ms;
    bool active;
};

static void flood_timer(struct sim *w, void *arg)
{
    struct flood *f = arg;
    struct login_payload lp = { .software = "flood", .ciphers = { 2 }, .n_ciphers = 1 };
    struct hs_initiator hs;
    uint8_t ephemeral[KEY_LEN], msg[LOGIN_LEN];
    struct endpoint from = sim_ep("192.0.2.1", 1 + (unsigned)sim_below(w, 60000));

    if (!f->active)
        return;
    from.ip.b[3] = (uint8_t)sim_below(w, 256);
    for (unsigned i = 0; i < f->per_ms; i++) {
        sim_bytes(w, ephemeral, sizeof(ephemeral));
        handshake_login_write(&hs, &f->self, w->router.conf.public_key, ephemeral,
                              (uint32_t)sim_random(w), &lp, msg);
        cookie_stamp(&f->purse, msg, w->now);
        sim_inject(w, from, sim_router_ep(w), msg, sizeof(msg), sim_below(w, NS_PER_MS));
    }
    sim_at(w, w->now + time_ms(2), flood_timer, f);
}

/* A key that may log in is used to flood: cookies are demanded, members go on and rekey, and
 * others, and the true holder of that key, still get in (H22, H23, H26). */
static void login_flood(void **state)
{
    struct sim *w = sim_new(7, 4);
    struct flood f = { .per_ms = 1, .active = true };

    (void)state;
    identity_of(&f.self, w->client[3]->conf.private_key);
    cookie_purse_init(&f.purse, w->router.conf.public_key);
    w->router.conf.logins_per_s = 100;
    sim_router_start(w);
    sim_client_start(w->client[0]);
    sim_client_start(w->client[1]);
    sim_run(w, time_s(2));
    sim_talk(w, time_s(24));
    w->client[0]->e->tunnel.keys.rekey_at = w->now + time_s(2);
    w->client[1]->e->tunnel.keys.rekey_at = w->now + time_s(3);
    flood_timer(w, &f);
    sim_run(w, time_s(5));
    sim_check(w, w->n_type[WIRE_COOKIE] > 20);
    for (unsigned i = 0; i < 2; i++)
        sim_check(w, w->client[i]->e->rekeys == 1 && w->client[i]->e->logins == 1);
    sim_client_start(w->client[2]);
    sim_client_start(w->client[3]);
    sim_run(w, time_s(10));
    sim_consistent(w->client[2]);
    sim_consistent(w->client[3]);
    print_message("in a flood of 500 a second: %.2f s, %.2f s with the flooded key\n",
                  (double)(w->client[2]->event_at[EVENT_LOGGED_IN] - (w->now - time_s(10))) / 1e9,
                  (double)(w->client[3]->event_at[EVENT_LOGGED_IN] - (w->now - time_s(10))) / 1e9);
    f.active = false;
    sim_run(w, time_s(15));
    sim_all_whole(w);
    for (unsigned i = 0; i < 4; i++)
        sim_consistent(w->client[i]);
    sodium_memzero(&f, sizeof(f));
    sim_free(w);
}

/* ---- forged sources ---- */

#define FORGED 64u

struct forger { /* knows the router's key, is heard from anywhere, hears nothing */
    uint8_t msg[FORGED][LOGIN_LEN];
    unsigned per_ms, at;
    uint32_t mask; /* of the address, below 100.64.0.0/10 */
    bool active;
};

static void forger_timer(struct sim *w, void *arg)
{
    struct forger *f = arg;
    struct endpoint from = sim_ep("100.64.0.0", 0);

    if (!f->active)
        return;
    for (unsigned i = 0; i < f->per_ms; i++) {
        uint32_t rnd = (uint32_t)sim_random(w);
        from.ip = be32_of(0x64400000u | (rnd & f->mask));
        from.port = be16_of((uint16_t)(1024 + sim_below(w, 60000)));
        sim_inject(w, from, sim_router_ep(w), f->msg[f->at++ % FORGED], LOGIN_LEN,
                   sim_below(w, NS_PER_MS));
    }
    sim_at(w, w->now + time_ms(1), forger_timer, f);
}

/* More than twice what the router looks at, from forged addresses below @mask, for @lead before
 * clients start. Members go on and rekey; a client logs in with its second LOGIN; hardly anything
 * is sent to the forged addresses or computed for them (H23). */
static void flood_of(uint32_t mask, mono_ns lead)
{
    struct sim *w = sim_new(11, 4);
    static struct forger f;
    struct identity nobody;
    struct cookie_purse purse;
    struct login_payload lp = { .software = "flood", .ciphers = { 2 }, .n_ciphers = 1 };
    struct hs_initiator hs;
    uint8_t secret[KEY_LEN];

    f = (struct forger){ /* each address is a place the world remembers */
                         .per_ms = 3,
                         .mask = mask,
                         .active = true
    };
    sim_bytes(w, secret, sizeof(secret));
    identity_of(&nobody, secret);
    cookie_purse_init(&purse, w->router.conf.public_key);
    for (unsigned i = 0; i < FORGED; i++) {
        sim_bytes(w, secret, sizeof(secret));
        handshake_login_write(&hs, &nobody, w->router.conf.public_key, secret, i + 1, &lp,
                              f.msg[i]);
        cookie_stamp(&purse, f.msg[i], 0);
    }
    sim_router_start(w);
    sim_client_start(w->client[0]);
    sim_client_start(w->client[1]);
    sim_run(w, time_s(2));
    sim_talk(w, lead + time_s(10));
    w->client[0]->e->tunnel.keys.rekey_at = w->now + time_s(3);
    forger_timer(w, &f);
    sim_run(w, lead);
    uint64_t cookies = w->n_type[WIRE_COOKIE];
    mono_ns start = w->now;
    sim_client_start(w->client[2]);
    sim_client_start(w->client[3]);
    sim_run(w, time_s(4));
    cookies = (w->n_type[WIRE_COOKIE] - cookies) / 4;
    for (unsigned i = 0; i < 4; i++) {
        sim_consistent(w->client[i]);
        sim_check(w, w->client[i]->e->logins == 1);
    }
    sim_check(w, w->client[0]->e->rekeys == 1);
    print_message(
        "among %u forged LOGINs a second: in after %.2f s and %.2f s, %llu COOKIEs a second\n",
        f.per_ms * 1000, (double)(w->client[2]->event_at[EVENT_LOGGED_IN] - start) / 1e9,
        (double)(w->client[3]->event_at[EVENT_LOGGED_IN] - start) / 1e9,
        (unsigned long long)cookies);
    for (unsigned i = 2; i < 4; i++)
        sim_check(w, w->client[i]->event_at[EVENT_LOGGED_IN] - start <= time_s(3));
    sim_check(w, cookies < 2 * (LOOKS_PER_S + w->router.conf.logins_per_s));
    f.active = false;
    sim_run(w, time_s(7));
    sim_all_whole(w);
    sim_free(w);
}

static void forged_flood(void **state)
{
    (void)state;
    flood_of(0x003fffff, time_s(2)); /* from four millions */
}

static void forged_flood_again(void **state)
{
    (void)state;
    flood_of(0x003ff801, time_s(6)); /* from 4 096 that come again, of many /24 */
}

/* ---- who is met with silence ---- */

static void wrong_keys(void **state)
{
    static const struct {
        const char *name;
        bool router_key, own_key, psk;
    } row[] = {
        { "wrong router key", true, false, false },
        { "unknown client key", false, true, false },
        { "wrong psk", false, false, true },
    };

    (void)state;
    for (size_t r = 0; r < 3; r++) {
        struct sim *w = sim_new(r, 2);
        struct sim_client *c = w->client[0];
        if (row[r].router_key)
            c->conf.router[0].key[0] ^= 1;
        if (row[r].own_key) {
            c->conf.private_key[0] ^= 8;
            client_config_finish(&c->conf);
        }
        if (row[r].psk)
            c->conf.psk[31] ^= 0x80;
        sim_start(w);
        sim_run(w, time_s(60));
        sim_consistent(w->client[1]);
        sim_check(w, c->e->state == CLIENT_START && !c->dev.created && c->e->logins == 0);
        uint64_t answers = w->n_type[WIRE_LOGIN_REPLY] + w->n_type[WIRE_COOKIE] - 1;
        sim_check(w, (answers > 0) == row[r].psk);
        sim_check(w, (c->events[EVENT_REPLY_BAD] > 0) == row[r].psk);
        sim_check(w, (c->events[EVENT_SILENCE] > 5) != row[r].psk);
        sim_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_flood),
        cmocka_unit_test(forged_flood),
        cmocka_unit_test(forged_flood_again),
        cmocka_unit_test(wrong_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
