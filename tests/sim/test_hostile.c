/* SPDX-License-Identifier: MIT */
/* test_hostile.c - an attacker who sees every datagram and can send any, from anywhere */
#include <string.h>

#include "sim.h"

/* everything captured so far, and what the attacker has received */
struct attacker {
    struct endpoint at; /* where it is */
    struct sim_dgram *kept;
    unsigned n_kept, cap;
    enum wire_type keep; /* of this type; WIRE_BAD: all */
    unsigned n_heard[8];
    bool active;
};

static struct attacker *attacker_new(struct sim *w, enum wire_type keep)
{
    struct attacker *a = calloc(1, sizeof(*a));

    assert_non_null(a);
    a->at = sim_ep("192.0.2.66", 6666);
    a->keep = keep;
    a->cap = 4096;
    a->kept = calloc(a->cap, sizeof(*a->kept));
    assert_non_null(a->kept);
    w->arg = a;
    return a;
}

static void attacker_free(struct attacker *a)
{
    for (unsigned i = 0; i < a->n_kept; i++)
        free(a->kept[i].p);
    free(a->kept);
    free(a);
}

static void keep(struct sim *w, const struct sim_dgram *d)
{
    struct attacker *a = w->arg;

    if ((a->keep != WIRE_BAD && wire_peek(d->p, d->len) != a->keep) || a->n_kept == a->cap)
        return;
    struct sim_dgram *k = &a->kept[a->n_kept++];
    *k = *d;
    k->p = malloc(d->len);
    assert_non_null(k->p);
    memcpy(k->p, d->p, d->len);
}

/* hear() - something came to where no client is */
static void hear(struct sim *w, const struct sim_dgram *d)
{
    struct attacker *a = w->arg;

    if (endpoint_eq(d->to, a->at))
        a->n_heard[wire_peek(d->p, d->len)]++;
}

/* ---- captured LOGINs ---- */

static void replay_timer(struct sim *w, void *arg)
{
    struct attacker *a = arg;

    if (!a->active)
        return;
    const struct sim_dgram *k = &a->kept[sim_below(w, a->n_kept)];
    struct endpoint spoofed = sim_ep("198.51.100.9", 1000 + (unsigned)sim_below(w, 200));
    const struct endpoint from[] = { a->at, k->from, spoofed, w->client[1]->sock[0].outside };
    sim_inject(w, from[sim_below(w, 4)], k->to, k->p, k->len, sim_below(w, time_ms(20)));
    sim_at(w, w->now + time_ms(20), replay_timer, a);
}

/* captured() - a world in which client 0 has logged in @n times and all of it was seen */
static struct sim *captured(uint64_t seed, unsigned n, struct attacker **ret)
{
    struct sim *w = sim_new(seed, 3);
    struct attacker *a = attacker_new(w, WIRE_LOGIN);

    w->tap = keep;
    w->stray = hear;
    sim_router_start(w);
    for (unsigned i = 0; i < n; i++) {
        sim_client_kill(w->client[0]);
        sim_client_start(w->client[0]);
        sim_run(w, time_s(3));
    }
    sim_client_start(w->client[1]);
    sim_run(w, time_s(30)); /* what is tentative has gone */
    *ret = a;
    return w;
}

/* All of them, from its own place, from where they came from and from anywhere, for minutes: no
 * member changes, nothing is lost, and the client logs in through it as if nothing were (H9, H10,
 * H27). */
static void replayed_logins(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(3); seed++) {
        struct attacker *a;
        struct sim *w = captured(seed, 1 + 7 * (seed % 3), &a);
        struct sim_client *c = w->client[0];
        struct endpoint ep = sim_outside(c);
        struct mac mac = c->dev.mac;
        unsigned relogins = w->router.notices[NOTICE_RELOGIN];

        w->tap = NULL;
        sim_talk(w, time_s(300));
        a->active = true;
        replay_timer(w, a);
        sim_run(w, time_s(305));
        sim_all_whole(w);
        sim_consistent(c);
        sim_consistent(w->client[1]);
        sim_check(w, endpoint_eq(sim_member(c)->ep, ep) && mac_eq(c->dev.mac, mac));
        sim_check(w, c->e->logins == 1 && c->e->rekeys >= 2);
        sim_check(w, w->router.notices[NOTICE_RELOGIN] == relogins);
        sim_check(w, w->router.notices[NOTICE_MOVED] == 0);
        sim_check(w, a->n_heard[WIRE_LOGIN_REPLY] && a->n_heard[WIRE_DATA] == 0);
        struct router_totals totals;
        router_engine_totals(w->router.re, &totals);
        sim_check(w, totals.members == 2 && totals.tentative <= TENTATIVES_PER_KEY + 1);
        /* a genuine login of that very key, and one of another, while it goes on */
        for (unsigned i = 0; i < 5; i++) {
            sim_client_kill(c);
            sim_client_start(c);
            sim_run(w, time_s(3));
            sim_consistent(c);
        }
        sim_client_start(w->client[2]);
        sim_run(w, time_s(2));
        sim_consistent(w->client[2]);
        attacker_free(a);
        sim_free(w);
    }
}

/* The client is gone; its captured LOGINs bring no member, lease or address to life. */
static void replayed_without_client(void **state)
{
    struct attacker *a;
    struct sim *w = captured(1, 5, &a);

    (void)state;
    w->tap = NULL;
    sim_client_stop(w->client[0]);
    a->active = true;
    replay_timer(w, a);
    sim_run(w, time_s(100));
    sim_check(w, !sim_member(w->client[0]));
    a->active = false;
    sim_run(w, time_s(12));
    struct router_totals totals;
    router_engine_totals(w->router.re, &totals);
    sim_check(w, totals.tentative == 0 && totals.members == 1);
    attacker_free(a);
    sim_free(w);
}

/* ---- changed datagrams ---- */

/* mutate() - one of many ways to change a datagram; never what was sent */
static size_t mutate(struct sim *w, uint8_t *p, size_t len)
{
    size_t cut;

    switch (sim_below(w, 4)) {
    case 0: /* shorter */
        return sim_below(w, len);
    case 1: /* longer */
        cut = 1 + sim_below(w, 40);
        sim_bytes(w, p + len, cut);
        return len + cut;
    case 2: /* a head as it should be, the rest noise */
        sim_bytes(w, p + 16, len - 16);
        return len;
    default:
        cut = sim_below(w, 8 * len);
        p[cut / 8] ^= (uint8_t)(1u << cut % 8);
        return len;
    }
}

static void change(struct sim *w, const struct sim_dgram *d)
{
    struct attacker *a = w->arg;
    uint8_t buf[2048];
    struct endpoint elsewhere = a->at;

    /* A NUDGE may be repeated by anybody: forged_nudges() */
    if (!a->active || wire_peek(d->p, d->len) == WIRE_NUDGE)
        return;
    for (unsigned i = 0; i < 4; i++) {
        memcpy(buf, d->p, d->len);
        size_t len = mutate(w, buf, d->len);
        if (len == 0 && i)
            continue;
        /* before and after the true one, from its source and from elsewhere */
        sim_inject(w, i % 2 ? d->from : elsewhere, d->to, buf, len, sim_below(w, time_ms(20)));
    }
    /* and to where it does not belong */
    sim_inject(w, d->to, d->from, d->p, d->len, sim_below(w, time_ms(20)));
    sim_inject(w, d->from, w->client[1]->sock[0].outside, d->p, d->len, time_ms(5));
}

/* Every datagram comes with changed copies: all of the true ones arrive, none of the others does
 * anything but count (H3, H4, H5, H12, H15). */
static void changed_copies(void **state) /* R63, R68 */
{
    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(3); seed++) {
        struct sim *w = sim_new(seed, 3);
        struct attacker *a = attacker_new(w, WIRE_BAD);
        w->tap = change;
        w->stray = hear;
        a->active = true;
        sim_start(w);
        sim_check(w, sim_until(w, sim_all_up, time_s(6)));
        sim_run(w, time_s(1));
        sim_talk(w, time_s(260));
        sim_run(w, time_s(265));
        sim_all_whole(w);
        for (unsigned i = 0; i < 3; i++) {
            struct sim_client *c = w->client[i];
            sim_consistent(c);
            sim_check(w, c->e->logins == 1 && c->n_carrier_off == 0 && c->e->rekeys >= 1);
            sim_check(w, mac_eq(c->dev.mac, mac_of_endpoint(sim_outside(c))));
        }
        sim_check(w, w->router.notices[NOTICE_MOVED] == 0);
        sim_check(w, a->n_heard[WIRE_DATA] == 0);
        sim_check(w, w->client[0]->e->drop[DROP_OPEN] > 100);
        sim_check(w, router_engine_drops(w->router.re)[DROP_OPEN] > 100);
        attacker_free(a);
        sim_free(w);
    }
}

/* The true datagram, taken off the wire and sent from the attacker's place first: the endpoint may
 * go there for a moment (it is authentic, and the newest), at most 3x goes there, and the next one
 * brings it back (H17). */
static bool divert(struct sim *w, const struct sim_dgram *d)
{
    struct attacker *a = w->arg;

    if (!a->active || !endpoint_eq(d->to, sim_router_ep(w)) || sim_below(w, 20))
        return true;
    sim_inject(w, a->at, d->to, d->p, d->len, time_ms(1));
    return false;
}

static void diverted(void **state)
{
    struct sim *w = sim_new(4, 2);
    struct attacker *a = attacker_new(w, WIRE_BAD);

    (void)state;
    w->filter = divert;
    w->stray = hear;
    sim_start(w);
    sim_run(w, time_s(2));
    sim_talk(w, time_s(200));
    a->active = true;
    sim_run(w, time_s(150));
    a->active = false;
    sim_run(w, time_s(1));
    uint32_t got[3];
    uint32_t sent[3];
    for (unsigned f = 0; f < 3; f++) {
        got[f] = w->flow[f].n_got;
        sent[f] = w->flow[f].n_sent;
        sim_check(w, got[f] > sent[f] * 8 / 10 && w->flow[f].n_dup == 0);
    }
    sim_run(w, time_s(60));
    for (unsigned f = 0; f < 3; f++)
        sim_check(w, w->flow[f].n_got - got[f] + 2 >= w->flow[f].n_sent - sent[f]);
    sim_consistent(w->client[0]);
    sim_check(w, w->client[0]->e->logins <= 2 && w->client[0]->n_carrier_off == 0);
    sim_check(w, w->router.notices[NOTICE_MOVED] > 10 && a->n_heard[WIRE_DATA] > 0);
    attacker_free(a);
    sim_free(w);
}

/* ---- NUDGEs ---- */

/* A NUDGE for every DATA, as if the router had lost it. From the router's endpoint, echoing what
 * was just sent: at most one login per NUDGE_PAUSE comes of it. Any other: nothing
 * (PROTOCOL.md 9.2). Either way nothing is lost. */
static const struct nudge_row {
    const char *name, *ip;
    unsigned port, late_s;
    uint8_t index, counter; /* changed by */
    bool believed;
} nudge_row[] = {
    { "as the router's", "203.0.113.1", 6464, 0, 0, 0, true },
    { "another address", "203.0.113.2", 6464, 0, 0, 0, false },
    { "another port", "203.0.113.1", 6465, 0, 0, 0, false },
    { "another index", "203.0.113.1", 6464, 0, 1, 0, false },
    { "a counter not sent yet", "203.0.113.1", 6464, 0, 0, 0x80, false },
    { "too late", "203.0.113.1", 6464, 6, 0, 0, false },
};

static void forge_nudge(struct sim *w, const struct sim_dgram *d)
{
    const struct nudge_row *r = w->arg;
    uint8_t nudge[NUDGE_LEN];

    if (!endpoint_eq(d->to, sim_router_ep(w)) || wire_peek(d->p, d->len) != WIRE_DATA)
        return;
    wire_put_nudge(nudge, d->p);
    nudge[7] ^= r->index;
    nudge[12] ^= r->counter;
    sim_inject(w, sim_ep(r->ip, r->port), d->from, nudge, sizeof(nudge),
               time_s(r->late_s) + time_ms(1));
}

static void forged_nudges(void **state) /* R68 */
{
    (void)state;
    for (size_t i = 0; i < sizeof(nudge_row) / sizeof(nudge_row[0]); i++) {
        struct nudge_row row = nudge_row[i];
        struct sim *w = sim_new(i, 2);
        sim_start(w);
        sim_run(w, time_s(2));
        sim_talk(w, time_s(100));
        w->tap = forge_nudge;
        w->arg = &row;
        uint64_t before = w->n_type[WIRE_LOGIN];
        sim_run(w, time_s(106));
        sim_all_whole(w);
        uint64_t logins = w->n_type[WIRE_LOGIN] - before;
        print_message("NUDGEs, %s: %llu LOGINs of two clients in 106 s\n", row.name,
                      (unsigned long long)logins);
        sim_check(w, row.believed ? logins > 20 && logins <= 2 * 53 + 10 : logins == 0);
        for (unsigned k = 0; k < 2; k++) {
            sim_consistent(w->client[k]);
            sim_check(w, w->client[k]->n_carrier_off == 0);
        }
        sim_free(w);
    }
}

/* ---- noise ---- */

/* No octets that are no message draw anything, at either side; what merely looks like DATA draws
 * NUDGEs within their limits, and nothing else (H1, H2, H6, H7, H20). */
static void noise(void **state)
{
    static const unsigned lens[] = { 0,  1,  3,    4,    15,   16,   31,   32,   38,
                                     60, 64, 1199, 1200, 1201, 1500, 9000, 65507 };
    struct sim *w = sim_new(6, 2);
    struct attacker *a = attacker_new(w, WIRE_BAD);
    static uint8_t buf[65536];
    unsigned n_data = 0;

    (void)state;
    w->stray = hear;
    sim_start(w);
    sim_run(w, time_s(2));
    struct endpoint c = sim_outside(w->client[0]);
    uint64_t login = w->n_type[WIRE_LOGIN];
    for (unsigned i = 0; i < 20000; i++) {
        size_t len = i % 2 ? lens[sim_below(w, 17)] : sim_below(w, 1500);
        if (len > 9000 && i % 100)
            len = 100;
        sim_bytes(w, buf, len);
        if (i % 4 && len >= 4) { /* a head that could be one */
            buf[0] = (uint8_t)sim_below(w, 8);
            buf[1] = 1;
            buf[2] = (uint8_t)(buf[0] == WIRE_DATA ? sim_below(w, 6) : 0);
            buf[3] = 0;
        }
        n_data += wire_peek(buf, len) == WIRE_DATA;
        sim_inject(w, a->at, sim_router_ep(w), buf, len, i * NS_PER_MS / 4);
        sim_inject(w, sim_router_ep(w), c, buf, len, i * NS_PER_MS / 4);
        sim_inject(w, a->at, c, buf, len, i * NS_PER_MS / 4);
    }
    sim_run(w, time_s(6));
    sim_check(w, n_data > 500 && a->n_heard[WIRE_NUDGE] > 10);
    sim_check(w, a->n_heard[WIRE_NUDGE] <= NUDGE_PER_ADDRESS * 6); /* 5 s, and what was saved up */
    for (unsigned t = 0; t < 8; t++)
        sim_check(w, t == WIRE_NUDGE || a->n_heard[t] == 0);
    sim_check(w, w->n_type[WIRE_LOGIN] == login && w->client[0]->e->logins == 1);
    sim_consistent(w->client[0]);
    attacker_free(a);
    sim_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replayed_logins), cmocka_unit_test(replayed_without_client),
        cmocka_unit_test(changed_copies),  cmocka_unit_test(diverted),
        cmocka_unit_test(forged_nudges),   cmocka_unit_test(noise),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
