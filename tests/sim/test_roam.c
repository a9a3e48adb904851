/* SPDX-License-Identifier: MIT */
/* test_roam.c - NATs that forget soon, hosts that sleep, paths that work one way only */
#include "sim.h"

static struct sim *idle_pair(uint64_t seed, unsigned keepalive_s, mono_ns nat_timeout)
{
    struct sim *w = sim_new(seed, 2);

    w->client[0]->conf.keepalive_s = (uint16_t)keepalive_s;
    w->client[0]->nat_timeout = nat_timeout;
    sim_start(w);
    sim_check(w, sim_until(w, sim_all_up, time_s(2)));
    sim_run(w, time_s(1));
    return w;
}

/* A client that says nothing for an hour stays reachable through any NAT that remembers for 10 s or
 * more, with a keepalive that fits; one that is too long costs reachability, never the session. */
static void nat_timeouts(void **state)
{
    static const struct {
        unsigned nat_s, keepalive_s;
        bool fits;
    } row[] = {
        { 10, 5, true },    { 20, 15, true },  { 30, 20, true },   { 60, 20, true },
        { 180, 120, true }, { 10, 20, false }, { 60, 120, false },
    };

    (void)state;
    for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
        struct sim *w = sim_new(r, 2);
        struct sim_client *c = w->client[0];
        w->router.conf.keepalive_s = 120; /* what the router says is an upper bound */
        c->conf.keepalive_s = (uint16_t)row[r].keepalive_s;
        c->nat_timeout = time_s(row[r].nat_s);
        sim_start(w);
        sim_check(w, sim_until(w, sim_all_up, time_s(2)));
        struct mac mac = c->dev.mac;
        unsigned asked = 0;
        for (unsigned i = 0; i < 60; i++) {
            sim_run(w, time_s(40) + sim_below(w, time_s(40)));
            sim_ping(w->client[1], sim_global(w, 0)); /* to the one that is silent */
            sim_run(w, time_ms(200));
            asked++;
        }
        unsigned heard = w->client[1]->n_echo_replies;
        print_message("NAT forgets after %u s, keepalive %u s: reached %u of %u times\n",
                      row[r].nat_s, row[r].keepalive_s, heard, asked);
        sim_check(w, row[r].fits ? heard == asked : heard < asked);
        sim_check(w, !row[r].fits || w->router.notices[NOTICE_MOVED] == 0);
        sim_check(w, c->e->logins == 1 && mac_eq(c->dev.mac, mac) && c->n_carrier_off == 0);
        sim_free(w);
    }
}

/* The host sleeps (H81): the clock goes on, the client does not. Afterwards it is back with the
 * same MAC and addresses; its device never noticed unless it slept for longer than it holds. */
static void suspend(void **state)
{
    static const unsigned asleep_s[] = { 1, 10, 59, 61, 299, 301, 600, 86400 };

    (void)state;
    for (size_t r = 0; r < sizeof(asleep_s) / sizeof(asleep_s[0]); r++) {
        for (unsigned traffic = 0; traffic < 2; traffic++) {
            struct sim *w = idle_pair(r, 0, 0);
            struct sim_client *c = w->client[0];
            struct mac mac = c->dev.mac;
            struct ip6 addr = sim_global(w, 0);
            c->asleep = true;
            sim_run(w, time_s(asleep_s[r]));
            c->asleep = false;
            mono_ns woke = w->now;
            if (traffic)
                sim_flow(w, 0, SIM_UPLINK, time_ms(100), 1, time_s(5));
            else /* it wakes up and its deadline is over */
                sim_client_tick(c);
            while (time_since(w->now, woke) < time_s(3) && c->n_echo_replies == 0) {
                sim_ping(c, w->router.conf.address);
                sim_run(w, time_ms(50));
            }
            mono_ns took = time_since(c->echo_at, woke);
            print_message("slept %u s%s: back after %.2f s\n", asleep_s[r],
                          traffic ? ", traffic" : "", (double)took / 1e9);
            sim_check(w, c->n_echo_replies && took <= time_s(1));
            sim_run(w, time_s(1));
            sim_consistent(c);
            sim_check(w, mac_eq(c->dev.mac, mac) && ip6_eq(sim_global(w, 0), addr));
            sim_check(w, c->n_carrier_off == 0);
            sim_free(w);
        }
    }
}

/* ---- one way only ---- */

struct blocked {
    struct endpoint ep;
    bool down; /* else up */
};

static bool one_way(struct sim *w, const struct sim_dgram *d)
{
    const struct blocked *b = w->arg;

    return !endpoint_eq(b->down ? d->to : d->from, b->ep);
}

/* What goes through one port of the NAT is lost in one direction from now on. Answered keepalives
 * find it, whichever direction it is; while the device is held LOGINs come from the same port, then
 * from another one, and that works. */
static void dead_mapping(void **state)
{
    (void)state;
    for (unsigned down = 0; down < 2; down++) {
        for (unsigned port = 0; port < 2; port++) {
            struct sim *w = sim_new(down, 1);
            struct sim_client *c = w->client[0];
            struct blocked b = { .down = down };
            c->conf.hold_s = 10;
            c->conf.port = port ? 5000 : 0;
            sim_start(w);
            sim_run(w, time_s(2));
            sim_flow(w, 0, SIM_UPLINK, time_ms(100), 1, time_s(300));
            sim_run(w, time_s(7));
            b.ep = sim_outside(c);
            mono_ns since = w->now;
            w->arg = &b;
            w->filter = one_way;
            sim_run(w, time_s(12));
            sim_check(w, c->events[EVENT_ROUTER_LOST] == 1);
            sim_check(w, time_since(c->event_at[EVENT_ROUTER_LOST], since) <= time_ms(10300));
            sim_run(w, time_s(80));
            if (port) { /* asked for by the operator: it stays */
                sim_check(w, !sim_up(c));
                sim_check(w, endpoint_eq(sim_outside(c), b.ep));
                w->filter = NULL;
                sim_run(w, time_s(20));
            } else {
                mono_ns took = time_since(c->event_at[EVENT_LOGGED_IN], since);
                print_message("%s dead: found after %.1f s, other port after %.1f s\n",
                              down ? "down" : "up",
                              (double)time_since(c->event_at[EVENT_ROUTER_LOST], since) / 1e9,
                              (double)took / 1e9);
                sim_check(w, took <= time_s(60));
            }
            sim_consistent(c);
            sim_check(w, endpoint_eq(sim_outside(c), b.ep) == (port == 1));
            sim_free(w);
        }
    }
}

/* The same while nobody but the router can be heard, or heard by: both directions of every port
 * work again later, and the client is back without a restart. */
static void flapping_line(void **state)
{
    struct sim *w = idle_pair(5, 0, 0);
    struct sim_client *c = w->client[0];

    (void)state;
    sim_flow(w, 0, SIM_UPLINK, time_ms(100), 1, time_s(600));
    for (unsigned i = 0; i < 100; i++) { /* an interface that flaps (H89) */
        c->cut = true;
        sim_run(w, sim_below(w, time_s(2)));
        c->cut = false;
        client_engine_network_changed(c->e, w->now);
        c->deadline = client_engine_deadline(c->e, w->now);
        sim_run(w, time_ms(100) + sim_below(w, time_ms(900)));
        if (sim_below(w, 2))
            sim_rebind(c);
    }
    client_engine_network_changed(c->e, w->now);
    c->deadline = client_engine_deadline(c->e, w->now);
    sim_run(w, time_s(3));
    sim_consistent(c);
    sim_check(w, c->n_carrier_off == 0);
    sim_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nat_timeouts),
        cmocka_unit_test(suspend),
        cmocka_unit_test(dead_mapping),
        cmocka_unit_test(flapping_line),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
