/* SPDX-License-Identifier: MIT */
/* test_nat.c - endpoints that move, MACs that collide, one key at two places */
#include "sim.h"

static struct sim *pair_up(uint64_t seed)
{
    struct sim *w = sim_new(seed, 2);

    sim_start(w);
    sim_check(w, sim_until(w, sim_all_up, time_s(2)));
    sim_run(w, time_ms(500));
    return w;
}

/* The NAT forgets: the next packet moves the endpoint, MAC and addresses stay, nothing that the
 * client sends is lost (H40). */
static void rebinding(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(6); seed++) {
        struct sim *w = pair_up(seed);
        struct sim_client *c = w->client[0];
        bool reorders = seed % 2;
        /* Late packets from the former endpoint are not the newest: they never move it back. */
        if (reorders)
            w->up = w->down = (struct sim_pipe){ 0, 5, time_ms(10), time_ms(90) };
        unsigned up = sim_flow(w, 0, 1, time_ms(20), 1, time_s(20));
        unsigned down = sim_flow(w, 1, 0, time_ms(20), 1, time_s(20));
        struct mac mac = c->dev.mac;
        struct ip6 addr = sim_global(w, 0);
        sim_run(w, time_s(1));
        for (unsigned i = 0; i < 10; i++) {
            sim_run(w, time_s(1) + sim_below(w, time_ms(500)));
            sim_rebind(c);
        }
        sim_run(w, time_s(20));
        sim_consistent(c);
        sim_check(w, mac_eq(c->dev.mac, mac) && ip6_eq(sim_global(w, 0), addr));
        sim_check(w, c->e->logins == 1 && c->n_carrier_off == 0);
        sim_check(w, sim_member(c)->proven && w->router.notices[NOTICE_MOVED] == 10);
        sim_check(w, w->router.notices[NOTICE_CLONED] == 0);
        sim_flow_whole(w, up);
        /* What was under way to the old endpoint: until the next packet up and its round trip. */
        sim_check(w, w->flow[down].n_sent - w->flow[down].n_got <= (reorders ? 140 : 40) &&
                         w->flow[down].n_dup == 0);
        sim_free(w);
    }
}

/* Every second for ten minutes, with rekeys in between and a network that reorders (H42). */
static void rebinding_often(void **state)
{
    struct sim *w = pair_up(1);
    struct sim_client *c = w->client[0];
    /* goes on after the last rebinding, or the router could not know of that */
    unsigned up = sim_flow(w, 0, 1, time_ms(50), 1, time_s(602));
    unsigned down = sim_flow(w, 1, 0, time_ms(50), 1, time_s(600));

    (void)state;
    w->up = w->down = (struct sim_pipe){ 0, 5, time_ms(10), time_ms(40) };
    for (unsigned i = 0; i < 600; i++) {
        sim_run(w, time_s(1));
        sim_rebind(c);
    }
    sim_run(w, time_s(5));
    sim_consistent(c);
    sim_check(w, c->e->logins == 1 && c->e->rekeys >= 4);
    sim_flow_whole(w, up);
    sim_check(w, w->router.notices[NOTICE_MOVED] <= 600);
    double missing = 100.0 * (w->flow[down].n_sent - w->flow[down].n_got) / w->flow[down].n_sent;
    print_message("rebinding each second: %.1f %% missing downwards\n", missing);
    sim_check(w, missing < 15 && w->flow[down].n_dup == 0);
    sim_free(w);
}

/* A heavy stream to a client whose endpoint moves without a word to follow: the world asserts 3x
 * for every octet; here, that the stream is back once the client has spoken. */
static void unproven(void **state)
{
    struct sim *w = pair_up(2);
    struct sim_client *c = w->client[0];
    unsigned down = sim_flow(w, SIM_UPLINK, 0, time_ms(2), 8, time_s(60));

    (void)state;
    w->flow[down].pay_len = 1000;
    sim_run(w, time_s(1));
    for (unsigned i = 0; i < 20; i++) {
        sim_rebind(c);
        sim_ping(c, w->router.conf.address);
        sim_run(w, time_s(1));
        uint32_t got = w->flow[down].n_got;
        sim_run(w, time_s(1));
        sim_check(w, w->flow[down].n_got > got + 3500);
    }
    sim_consistent(c);
    sim_check(w, router_engine_drops(w->router.re)[DROP_AMPLIFY] > 0);
    sim_free(w);
}

/* Idle behind a NAT that forgets: the keepalive is what is heard next. */
static void rebinding_idle(void **state)
{
    struct sim *w = pair_up(3);
    struct sim_client *c = w->client[0];

    (void)state;
    sim_rebind(c);
    sim_run(w, time_s(21));
    sim_consistent(c);
    sim_ping(w->client[1], sim_global(w, 0));
    sim_run(w, time_s(1));
    sim_check(w, w->client[1]->n_echo_replies == 1 && c->e->logins == 1);
    sim_free(w);
}

/* ---- collisions ---- */

#define HOLDER "100.64.0.7", 5000 /* what it folds to is held by client 0 */

/* One of two whose endpoints fold to the same MAC: settled by a new socket. After three tries that
 * all collide, or a NAT that gives no further port, the router assigns a MAC (H35, H36, H38). */
static void collision(void **state)
{
    static const struct {
        const char *name;
        unsigned n_forced; /* endpoints in a row that collide */
        bool no_port;      /* only the first socket gets through */
        bool assigned;
        unsigned taken, limit_ms;
    } row[] = {
        { "none", 0, false, false, 0, 200 }, { "one", 1, false, false, 1, 1300 },
        { "two", 2, false, false, 2, 2400 }, { "three", 3, false, false, 3, 3500 },
        { "four", 4, false, true, 3, 3500 }, { "no further port", 1, true, true, 1, 8000 },
    };
    static const char *const ip[] = { "101.64.0.7", "102.64.0.7", "103.64.0.7", "101.64.0.7" };

    (void)state;
    for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
        struct sim *w = sim_new(r, 3);
        struct sim_client *c = w->client[1];
        sim_router_start(w);
        sim_force(w->client[0], sim_ep(HOLDER));
        sim_force(w->client[2], sim_ep("100.64.0.7", 5001));
        sim_client_start(w->client[0]);
        sim_client_start(w->client[2]);
        sim_run(w, time_s(1));
        for (unsigned i = 0; i < row[r].n_forced; i++)
            sim_force(c, sim_ep(ip[i], i < 3 ? 5000 : 5001));
        if (row[r].no_port)
            for (unsigned i = 0; i < 6; i++)
                sim_force(c, sim_ep("0.0.0.1", 1)); /* the router drops such a source */
        mono_ns start = w->now;
        sim_client_start(c);
        sim_check(w, sim_until(w, sim_all_up, time_ms(row[r].limit_ms)));
        sim_run(w, time_s(1));
        sim_check(w, c->events[EVENT_MAC_TAKEN] == row[r].taken);
        sim_check(w, mac_is_assigned(c->dev.mac) == row[r].assigned);
        for (unsigned i = 0; i < 3; i++)
            sim_consistent(w->client[i]);
        sim_check(w, !mac_eq(c->dev.mac, w->client[0]->dev.mac));
        sim_check(w, mac_eq(w->client[0]->dev.mac, mac_of_endpoint(sim_ep(HOLDER))));
        sim_check(w, row[r].assigned || mac_eq(c->dev.mac, mac_of_endpoint(sim_outside(c))));
        unsigned open = 0;
        for (unsigned i = 0; i < CLIENT_SOCKS; i++)
            open += c->sock[i].open;
        sim_check(w, open == 1); /* the others went once it was in */
        print_message("collision, %s: %.2f s\n", row[r].name, (double)(w->now - start) / 1e9 - 1);
        sim_run(w, time_s(400)); /* and so it stays over rekeys */
        sim_consistent(c);
        sim_check(w, c->e->logins == 1 && c->e->rekeys >= 2);
        sim_free(w);
    }
}

/* Both at once: neither is a member when the LOGINs are answered. The first confirmed wins, the
 * other hears LOGIN_AGAIN. */
static void collision_race(void **state)
{
    unsigned again = 0;

    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(10); seed++) {
        struct sim *w = sim_new(seed, 4);
        static const char *const ip[] = { "100.64.0.7", "101.64.0.7", "102.64.0.7", "103.64.0.7" };
        w->up = w->down = (struct sim_pipe){ seed % 2 ? 0 : 10, 5, time_ms(5), time_ms(50) };
        for (unsigned i = 0; i < 4; i++)
            sim_force(w->client[i], sim_ep(ip[i], 5000));
        sim_start(w);
        sim_check(w, sim_until(w, sim_all_up, time_s(30)));
        sim_run(w, time_s(2));
        w->up = w->down = (struct sim_pipe){ 0, 0, time_ms(5), time_ms(5) };
        sim_run(w, time_s(20));
        unsigned holders = 0;
        for (unsigned i = 0; i < 4; i++) {
            sim_consistent(w->client[i]);
            holders += mac_eq(w->client[i]->dev.mac, mac_of_endpoint(sim_ep(HOLDER)));
            for (unsigned k = 0; k < i; k++)
                sim_check(w, !mac_eq(w->client[i]->dev.mac, w->client[k]->dev.mac));
        }
        sim_check(w, holders == 1);
        again += w->router.notices[NOTICE_AGAIN];
        sim_free(w);
    }
    assert_true(again > 0);
}

/* The router's own MAC counts as taken (H39). */
static void collision_router(void **state)
{
    struct sim *w = sim_new(1, 1);
    struct sim_client *c = w->client[0];

    (void)state;
    sim_force(c, sim_ep("200.0.113.1", 6464)); /* 203 and 200 differ in the low two bits alone */
    sim_start(w);
    sim_check(w, sim_until(w, sim_all_up, time_s(3)));
    sim_run(w, time_s(1));
    sim_consistent(c);
    sim_check(w, c->events[EVENT_MAC_TAKEN] == 1 && !mac_eq(c->dev.mac, c->dev.router_mac));
    sim_free(w);
}

/* The NAT gives a member's former endpoint to a new client: the member keeps its MAC (H41). When
 * the holder is gone for good the lease yields to whom the endpoint belongs now. */
static void endpoint_handed_on(void **state)
{
    (void)state;
    for (unsigned gone = 0; gone < 2; gone++) {
        struct sim *w = sim_new(gone, 2);
        struct sim_client *old = w->client[0], *new = w->client[1];
        sim_force(old, sim_ep(HOLDER));
        sim_router_start(w);
        sim_client_start(old);
        sim_run(w, time_s(1));
        struct mac mac = old->dev.mac;
        if (gone) {
            sim_client_stop(old);
        } else {
            sim_rebind(old);
            sim_ping(old, w->router.conf.address);
        }
        sim_run(w, time_s(1));
        sim_force(new, sim_ep(HOLDER));
        sim_client_start(new);
        sim_run(w, time_s(3));
        sim_consistent(new);
        sim_check(w, mac_eq(new->dev.mac, mac) == (gone == 1));
        if (gone) {
            sim_client_start(old);
            sim_run(w, time_s(3));
        }
        sim_consistent(old);
        sim_check(w, mac_eq(old->dev.mac, mac) == (gone == 0));
        sim_free(w);
    }
}

/* ---- a key at two places ---- */

static mono_ns twin_logins_at(const struct sim_client *c)
{
    return c->event_at[EVENT_LOGGED_IN];
}

/* The last to log in wins; the first comes back only when it hears that its keys are unknown, so
 * the two take turns slowly instead of fighting (H34). Nobody else suffers. */
static void clone(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(3); seed++) {
        for (unsigned traffic = 0; traffic < 2; traffic++) {
            struct sim *w = sim_new(seed, 2);
            struct sim_client *first = w->client[0], *twin;
            sim_start(w);
            sim_run(w, time_s(2));
            if (traffic)
                sim_flow(w, 0, SIM_UPLINK, time_ms(100), 1, time_s(310));
            twin = sim_add_twin(w, 0);
            sim_client_start(twin);
            sim_run(w, time_s(2));
            sim_consistent(twin);
            sim_check(w, sim_member(twin) == sim_member(first));
            sim_check(w, mac_eq(twin->dev.mac, first->dev.mac)); /* the key's, not the place's */
            if (traffic)
                sim_flow(w, 2, SIM_UPLINK, time_ms(100), 1, time_s(300));
            unsigned other = sim_flow(w, 1, SIM_UPLINK, time_ms(100), 1, time_s(300));
            sim_run(w, time_s(310));
            sim_flow_whole(w, other);
            struct router_totals totals;
            router_engine_totals(w->router.re, &totals);
            sim_check(w, totals.members == 2);
            uint64_t logins = first->e->logins + twin->e->logins;
            print_message("clone, %s: %llu logins in 310 s\n", traffic ? "traffic" : "idle",
                          (unsigned long long)logins);
            sim_check(w, logins >= 3 && logins <= 2 + 310 / 5);
            /* told, and not with each turn; nobody else is suspected */
            sim_check(w, w->router.notices[NOTICE_CLONED] >= 1 &&
                             w->router.notices[NOTICE_CLONED] <= 3);
            /* one of them leaves: the other stays */
            sim_client_stop(twin);
            sim_run(w, time_s(60));
            sim_consistent(first);
            mono_ns at = twin_logins_at(first);
            sim_run(w, time_s(100));
            sim_check(w, twin_logins_at(first) == at);
            sim_free(w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rebinding),
        cmocka_unit_test(rebinding_often),
        cmocka_unit_test(unproven),
        cmocka_unit_test(rebinding_idle),
        cmocka_unit_test(collision),
        cmocka_unit_test(collision_race),
        cmocka_unit_test(collision_router),
        cmocka_unit_test(endpoint_handed_on),
        cmocka_unit_test(clone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
