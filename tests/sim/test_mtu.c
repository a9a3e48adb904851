/* SPDX-License-Identifier: MIT */
/* test_mtu.c - paths that narrow and widen without a word, with the real engines at both ends
 * (R40-R42, R64, H44) */
#include "sim.h"

#define INNER(path) ((path)-PEER_OVERHEAD)

struct row {
    const char *name;
    unsigned up, down; /* outer MTU from 5 s on; 0: as wide as before */
    unsigned least, most;
    bool fragment;
};

static const struct row rows[] = {
    { "1400", 1400, 1400, INNER(1400) - 4, INNER(1400), false },
    { "1400 up", 1400, 0, INNER(1400) - 4, INNER(1400), false },
    { "1400 down", 0, 1400, INNER(1400) - 4, INNER(1400), false },
    { "1346", 1346, 1346, 1280, 1280, false },
    { "1300", 1300, 1300, 1280, 1280, true },
    { "1300 down", 0, 1300, 1280, 1280, true },
    { "1200 up", 1200, 0, 1280, 1280, true },
    { "576", 576, 576, 1280, 1280, true },
};

static bool both_are(const struct sim *w, unsigned least, unsigned most, bool fragment)
{
    for (unsigned i = 0; i < w->n_clients; i++) {
        const struct sim_client *c = w->client[i];
        const struct member *m = sim_member(c);
        if (!m || m->mtu != c->dev.mtu || m->fragment != fragment ||
            c->e->tunnel.fragment != fragment || c->dev.mtu < least || c->dev.mtu > most)
            return false;
    }
    return true;
}

static bool settled(const struct sim *w)
{
    const struct row *r = w->arg;

    return both_are(w, r->least, r->most, r->fragment);
}

static bool wide(const struct sim *w)
{
    return both_are(w, INNER_MTU_DEFAULT, INNER_MTU_DEFAULT, false);
}

/* full() - packets that fill the MTU of their receiver, all ways; none may be lost */
static void full(struct sim *w)
{
    unsigned from = w->n_flows;
    static const int way[][2] = { { 0, 1 }, { 1, 0 }, { SIM_UPLINK, 0 }, { 0, SIM_UPLINK } };

    for (unsigned i = 0; i < 4; i++) {
        unsigned least = INNER_MTU_MAX;
        unsigned f = sim_flow(w, way[i][0], way[i][1], time_ms(20), 1, time_s(5));
        for (unsigned k = 0; k < w->n_clients; k++)
            least = w->client[k]->dev.mtu < least ? w->client[k]->dev.mtu : least;
        w->flow[f].pay_len = least - 48;
    }
    sim_run(w, time_s(6));
    for (unsigned f = from; f < w->n_flows; f++)
        sim_flow_whole(w, f);
}

static struct sim *two_up(uint64_t seed)
{
    struct sim *w = sim_new(seed, 2);

    sim_start(w);
    sim_check(w, sim_until(w, sim_all_up, time_s(2)));
    sim_run(w, time_s(2));
    sim_check(w, wide(w));
    return w;
}

static void black_hole(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        for (uint64_t seed = 1; seed <= sim_seeds(3); seed++) {
            struct sim *w = two_up(seed);
            w->arg = (void *)(uintptr_t)&rows[i];
            static const int way[][2] = {
                { 0, 1 }, { 1, 0 }, { SIM_UPLINK, 0 }, { 1, SIM_UPLINK }
            };
            for (unsigned k = 0; k < 4; k++) {
                unsigned f = sim_flow(w, way[k][0], way[k][1], time_ms(50), 1, time_s(25));
                w->flow[f].pay_len = 1350;
            }
            sim_run(w, time_s(5) + time_ms(sim_below(w, 4000)));
            w->mtu_up = rows[i].up;
            w->mtu_down = rows[i].down;
            mono_ns hole = w->now;
            if (!sim_until(w, settled, time_s(15)))
                sim_fail(w, "%s: MTU %u and %u after 15 s", rows[i].name, w->client[0]->dev.mtu,
                         w->client[1]->dev.mtu);
            sim_trace(w, "%s: settled after %llu ms", rows[i].name,
                      (unsigned long long)((w->now - hole) / NS_PER_MS));
            sim_run(w, time_s(11));
            uint64_t too_long = w->n_too_long;
            full(w);
            sim_check(w, settled(w));
            for (unsigned k = 0; k < 2; k++)
                sim_consistent(w->client[k]);
            sim_check(w, w->n_too_long - too_long <= 40); /* probes upward at the most */
            sim_check(w, w->client[0]->events[EVENT_LOGGED_IN] == 1);
            sim_check(w, w->client[0]->n_carrier_off == 0);
            /* and back */
            w->mtu_up = w->mtu_down = 0;
            sim_check(w, sim_until(w, wide, time_s(75)));
            full(w);
            sim_free(w);
        }
    }
}

/* narrow_for_one() - the path of client 0 takes 1300, those of all others 1500 */
static bool narrow_for_one(struct sim *w, const struct sim_dgram *d)
{
    unsigned sock;
    bool up = endpoint_eq(d->to, sim_router_ep(w));
    const struct sim_client *c = sim_owner(w, up ? d->from : d->to, &sock);

    return c != w->client[0] || d->frag || d->len + OUTER_IP_UDP <= 1300;
}

/* One path becomes narrow: its member alone gets fragments, and whoever sends it too much is told
 * (R40, R41). */
static void one_of_two(void **state)
{
    (void)state;
    struct sim *w = two_up(1);
    w->filter = narrow_for_one;
    unsigned f = sim_flow(w, 1, 0, time_ms(50), 1, time_s(12));
    w->flow[f].pay_len = 1350;
    sim_run(w, time_s(12));
    sim_check(w, w->client[1]->n_errors > 0);
    sim_check(w, sim_member(w->client[0])->mtu == 1280 && sim_member(w->client[0])->fragment);
    sim_check(w, sim_member(w->client[1])->mtu == 1434 && !sim_member(w->client[1])->fragment);
    full(w);
    sim_free(w);
}

/* Narrow from the first octet on: a login works, and everything that fits 1280. */
static void narrow_from_the_start(void **state)
{
    static const unsigned paths[] = { 1345, 1300, 1200, 1000, 576 };

    (void)state;
    for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
        for (int iface = 0; iface < 2; iface++) {
            struct row r = { .least = 1280, .most = 1280, .fragment = true };
            struct sim *w = sim_new(7 + i, 2);
            w->arg = &r;
            w->mtu_up = w->mtu_down = paths[i];
            for (unsigned k = 0; iface && k < 2; k++)
                w->client[k]->outer_mtu = (uint16_t)paths[i];
            sim_start(w);
            sim_check(w, sim_until(w, sim_all_up, time_s(2)));
            sim_run(w, time_s(1));
            full(w); /* before it has found out as well */
            sim_check(w, sim_until(w, settled, time_s(15)));
            full(w);
            sim_run(w, time_s(300)); /* rekeys, whose LOGINs are 1 264 octets */
            sim_check(w, w->client[0]->events[EVENT_REKEYED] >= 2 && settled(w));
            sim_check(w, w->client[0]->events[EVENT_LOGGED_IN] == 1);
            sim_free(w);
        }
    }
}

/* A lossy path is no narrow one for long: what loss makes of it mends itself. */
static void loss(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= sim_seeds(3); seed++) {
        struct row r = { .least = INNER(1400) - 4, .most = INNER(1400) };
        struct sim *w = two_up(seed);
        w->arg = &r;
        w->up.loss_pct = w->down.loss_pct = 5;
        sim_talk(w, time_s(300));
        sim_run(w, time_s(150));
        sim_check(w, sim_until(w, wide, time_s(10)));
        w->mtu_up = w->mtu_down = 1400;
        sim_check(w, sim_until(w, settled, time_s(30)));
        sim_check(w, w->client[0]->events[EVENT_LOGGED_IN] == 1);
        sim_free(w);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(black_hole),
        cmocka_unit_test(one_of_two),
        cmocka_unit_test(narrow_from_the_start),
        cmocka_unit_test(loss),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
