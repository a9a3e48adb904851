/* SPDX-License-Identifier: MIT */
/* test_alive.c - keepalive, loss of the router and its return, hold, goodbye */
#include <stdlib.h>

#include "sim.h"

/* what left a client since the test last zeroed it */
struct seen {
    unsigned n_up;
    mono_ns at[64];
    bool mute; /* lose all DATA from the router */
};

static struct seen *seen_of(struct sim *w)
{
    return w->arg;
}

static bool watch(struct sim *w, const struct sim_dgram *d)
{
    struct seen *s = seen_of(w);
    bool up = endpoint_eq(d->to, sim_router_ep(w));

    if (up && s->n_up < 64)
        s->at[s->n_up++] = w->now;
    return up || !s->mute || wire_peek(d->p, d->len) != WIRE_DATA;
}

static struct sim *one_up(uint64_t seed)
{
    struct sim *w = sim_new(seed, 1);

    sim_start(w);
    sim_check(w, sim_until(w, sim_all_up, time_s(2)));
    sim_run(w, time_ms(500));
    return w;
}

static bool near(mono_ns a, mono_ns b)
{
    return time_since(a, b) <= time_ms(2) && time_since(b, a) <= time_ms(2);
}

/* CONFIRMs at 0, 0.1, 0.3, 0.7, 1, 1 s after one another, then a new LOGIN */
static void confirm_schedule(void **state)
{
    static const unsigned after_ms[] = { 100, 300, 700, 1000, 1000, 1000 };
    struct seen s = { .mute = true };
    struct sim *w = sim_new(1, 1);

    (void)state;
    w->filter = watch;
    w->arg = &s;
    sim_start(w);
    sim_run(w, time_s(5));
    /* s.at[0] is the LOGIN; in the first CARRIER_WAIT a big CONFIRM goes with the small one */
    mono_ns t = s.at[1];
    unsigned k = 1;
    for (size_t i = 0; i <= sizeof(after_ms) / sizeof(after_ms[0]); i++) {
        sim_check(w, k < s.n_up && near(s.at[k], t));
        while (k < s.n_up && near(s.at[k], t))
            k++;
        if (i < sizeof(after_ms) / sizeof(after_ms[0]))
            t += time_ms(after_ms[i]);
    }
    sim_check(w, w->client[0]->events[EVENT_CONFIRM_LOST] == 1 && w->n_type[WIRE_LOGIN] == 2);
    s.mute = false;
    sim_run(w, time_s(5));
    sim_consistent(w->client[0]);
    sim_free(w);
}

/* Nothing to say: one keepalive every 20 s, and that is all that is sent between two rekeys. */
static void keepalive(void **state)
{
    static const unsigned keepalive_s[] = { 5, 20, 60, 120 };

    (void)state;
    for (size_t r = 0; r < 4; r++) {
        struct seen s = { 0 };
        struct sim *w = sim_new(r, 1);
        w->router.conf.keepalive_s = (uint16_t)keepalive_s[r];
        w->filter = watch;
        w->arg = &s;
        sim_start(w);
        sim_run(w, time_s(45)); /* three RAs after the login, and the probes they draw */
        mono_ns last = s.at[s.n_up - 1];
        s.n_up = 0;
        sim_run(w, time_s(60));
        sim_check(w, s.n_up == time_since(w->now, last) / time_s(keepalive_s[r]));
        for (unsigned i = 0; i < s.n_up; i++, last += time_s(keepalive_s[r]))
            sim_check(w, near(s.at[i], last + time_s(keepalive_s[r])));
        sim_run(w, time_s(600));
        sim_consistent(w->client[0]);
        sim_check(w, w->client[0]->e->logins == 1);
        sim_free(w);
    }
}

/* The router dies: suspicion after 1 s of data unanswered, or at the next keepalive; five of them a
 * second apart; then the client tries to log in anew and holds. */
static void loss_is_noticed(void **state)
{
    static const struct {
        bool up, down; /* traffic */
        unsigned from_ms, to_ms;
    } row[] = {
        { true, true, 4900, 6300 },  /* a probe of the MTU may be what is missed first */
        { true, false, 4900, 6300 }, /* heard last was the answer to some keepalive */
        { false, false, 4900, 25300 },
    };

    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(5); seed++) {
        for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
            struct sim *w = one_up(seed);
            struct sim_client *c = w->client[0];
            if (row[r].up)
                sim_flow(w, 0, SIM_UPLINK, time_ms(100), 1, time_s(100));
            if (row[r].down)
                sim_flow(w, SIM_UPLINK, 0, time_ms(100), 1, time_s(100));
            sim_run(w, time_s(1) + sim_below(w, time_s(20)));
            mono_ns dead = w->now;
            sim_router_kill(w);
            sim_run(w, time_s(26));
            sim_check(w, c->events[EVENT_ROUTER_LOST] == 1);
            mono_ns took = c->event_at[EVENT_ROUTER_LOST] - dead;
            if (took < time_ms(row[r].from_ms) || took > time_ms(row[r].to_ms))
                sim_fail(w, "row %zu: noticed after %.3f s", r, (double)took / 1e9);
            sim_check(w, c->dev.carrier && c->e->state == CLIENT_HELD);
            sim_free(w);
        }
    }
}

/* The router drops a client that was silent for three keepalives. */
static void silent_client(void **state)
{
    struct sim *w = one_up(1);

    (void)state;
    sim_client_kill(w->client[0]);
    sim_run(w, time_s(59));
    sim_check(w, sim_member(w->client[0]));
    sim_run(w, time_s(3));
    sim_check(w, !sim_member(w->client[0]) && w->router.notices[NOTICE_LOGOUT] == 1);
    sim_free(w);
}

static int by_time(const void *a, const void *b)
{
    mono_ns x = *(const mono_ns *)a, y = *(const mono_ns *)b;

    return x < y ? -1 : x > y;
}

/* The router restarts: all come back, by NUDGE or by the keepalive that draws it, and no device
 * notices. */
static void restart(void **state)
{
    static const struct {
        const char *name;
        bool traffic, goodbye, refuses;
        unsigned away_ms;
        unsigned p50_ms, worst_ms;
    } row[] = {
        { "kill -9, traffic", true, false, false, 0, 2000, 6000 },
        { "kill -9, traffic, away 3 s", true, false, false, 3000, 2000, 6000 },
        { "kill -9, traffic, away 3 s, port unreachable", true, false, true, 3000, 2000, 6000 },
        { "kill -9, traffic, away 15 s", true, false, false, 15000, 2000, 6000 },
        { "kill -9, idle", false, false, false, 1000, 20000, 22000 },
        { "goodbye, traffic", true, true, false, 200, 2000, 6000 },
        { "goodbye, idle", false, true, false, 200, 2000, 6000 },
        { "goodbye, traffic, away 10 s", true, true, false, 10000, 2000, 6000 },
        { "goodbye, idle, away 10 s", false, true, false, 10000, 6000, 16000 },
    };
    enum { N = 20, MEDIAN = N / 2 };

    (void)state;
    for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
        for (unsigned seed = 1; seed <= sim_seeds(2); seed++) {
            struct sim *w = sim_new(seed, N);
            mono_ns took[N];
            struct mac mac[N];
            sim_start(w);
            sim_check(w, sim_until(w, sim_all_up, time_s(3)));
            for (int i = 0; row[r].traffic && i < N; i++)
                sim_flow(w, i, (i + 1) % N, time_ms(200), 1, time_s(120));
            sim_run(w, time_s(2) + sim_below(w, time_s(15)));
            for (unsigned i = 0; i < N; i++)
                mac[i] = w->client[i]->dev.mac;
            (row[r].goodbye ? sim_router_stop : sim_router_kill)(w);
            w->router.refuses = row[r].refuses;
            sim_run(w, time_ms(row[r].away_ms));
            sim_router_start(w);
            mono_ns back = w->now;
            sim_run(w, time_s(40));
            for (unsigned i = 0; i < N; i++) {
                struct sim_client *c = w->client[i];
                sim_consistent(c);
                sim_check(w, c->n_carrier_off == 0 && mac_eq(c->dev.mac, mac[i]));
                sim_check(w, c->e->logins >= 2 && c->e->logins <= 3);
                took[i] = time_since(c->event_at[EVENT_LOGGED_IN], back);
            }
            qsort(took, N, sizeof(*took), by_time);
            print_message("%s: p50 %.2f s, worst %.2f s, LOGINs %llu\n", row[r].name,
                          (double)took[MEDIAN] / 1e9, (double)took[N - 1] / 1e9,
                          (unsigned long long)w->n_type[WIRE_LOGIN]);
            sim_check(w, took[MEDIAN] <= time_ms(row[r].p50_ms));
            sim_check(w, took[N - 1] <= time_ms(row[r].worst_ms));
            sim_free(w);
        }
    }
}

/* Away for longer than hold: carrier goes at its end, and comes back with the router. */
static void hold(void **state)
{
    static const unsigned hold_s[] = { 5, 30, 100 };

    (void)state;
    for (size_t r = 0; r < 3; r++) {
        struct sim *w = sim_new(r, 1);
        struct sim_client *c = w->client[0];
        c->conf.hold_s = (uint16_t)hold_s[r];
        sim_start(w);
        sim_run(w, time_s(2));
        sim_flow(w, 0, SIM_UPLINK, time_ms(100), 1, time_s(1000));
        sim_router_kill(w);
        sim_run(w, time_s(15));
        mono_ns off = c->event_at[EVENT_ROUTER_LOST] + time_s(hold_s[r]);
        if (off > w->now) {
            sim_run(w, off - w->now - time_ms(10));
            sim_check(w, c->dev.carrier && c->dev.n_address == 1 && c->dev.default_route);
        }
        sim_run(w, time_s(1));
        sim_check(w, !c->dev.carrier && !c->dev.default_route && c->n_carrier_off == 1);
        sim_check(w, near(c->carrier_changed, off));
        sim_run(w, time_s(300));
        sim_router_start(w);
        sim_run(w, time_s(16));
        sim_consistent(c);
        sim_check(w, c->n_carrier_off == 1);
        sim_free(w);
    }
}

/* The line is dead for a while, the router lives: no login is needed when it is back in time. */
static void line_dead(void **state)
{
    static const unsigned away_s[] = { 2, 7, 20, 45, 100 };

    (void)state;
    for (size_t r = 0; r < 5; r++) {
        struct sim *w = one_up(r);
        struct sim_client *c = w->client[0];
        unsigned f = sim_flow(w, 0, SIM_UPLINK, time_ms(100), 1, time_s(1000));
        sim_run(w, time_s(3));
        struct mac mac = c->dev.mac;
        c->cut = true;
        sim_run(w, time_s(away_s[r]));
        c->cut = false;
        uint32_t got = w->flow[f].n_got;
        /* With carrier down no traffic asks for haste, and tries come every 15 s at the latest. */
        sim_run(w, c->dev.carrier ? time_s(6) : time_s(19));
        sim_consistent(c);
        sim_check(w, mac_eq(mac, c->dev.mac) && w->flow[f].n_got > got + 30);
        sim_check(w, c->n_carrier_off == (away_s[r] > 37));
        sim_free(w);
    }
}

/* A client says goodbye: its MAC is free for its own next life and its peers are told nothing. */
static void client_goodbye(void **state)
{
    struct sim *w = sim_new(1, 2);
    struct sim_client *c = w->client[0];

    (void)state;
    sim_start(w);
    sim_run(w, time_s(2));
    struct mac mac = c->dev.mac;
    struct ip6 addr = sim_global(w, 0);
    sim_client_stop(c);
    sim_run(w, time_ms(100));
    sim_check(w, !sim_member(c) && sim_member(w->client[1]));
    sim_run(w, time_s(100));
    sim_client_start(c); /* from another endpoint */
    sim_run(w, time_s(2));
    sim_consistent(c);
    sim_check(w, mac_eq(c->dev.mac, mac) && ip6_eq(sim_global(w, 0), addr));
    sim_check(w, !mac_eq(mac, mac_of_endpoint(sim_outside(c))));
    sim_free(w);
}

/* kill -9 and start again at once: the new life replaces the old one within a second (H96). */
static void client_restart(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(5); seed++) {
        struct sim *w = sim_new(seed, 2);
        struct sim_client *c = w->client[0];
        sim_start(w);
        sim_run(w, time_s(2));
        struct mac mac = c->dev.mac;
        for (unsigned i = 0; i < 10; i++) {
            sim_client_kill(c);
            sim_client_start(c);
            sim_check(w, sim_until(w, sim_all_up, time_s(1)));
            sim_run(w, sim_below(w, time_ms(300)));
            sim_check(w, mac_eq(c->dev.mac, mac));
        }
        sim_run(w, time_s(1));
        sim_consistent(c);
        sim_ping(w->client[1], sim_global(w, 0));
        sim_run(w, time_s(1));
        sim_check(w, w->client[1]->n_echo_replies == 1);
        sim_free(w);
    }
}

/* SIGSTOP of the router for as long as a minute: what waited in its socket is read at once when it
 * goes on. Clients that hold out are where they were; nobody has to be started again, and no storm
 * of logins or answers follows (H97). */
static void router_stopped(void **state)
{
    static const struct {
        unsigned stopped_ms;
        bool traffic;
        unsigned logins_max, carrier_off; /* of each client, in all */
    } row[] = {
        { 1000, true, 1, 0 },  { 1000, false, 1, 0 },  { 4500, true, 1, 0 },
        { 10000, true, 3, 0 }, { 10000, false, 2, 0 }, { 30000, true, 3, 0 },
        { 60000, true, 3, 1 }, { 60000, false, 3, 1 }, { 90000, true, 3, 1 },
    };
    enum { N = 6 };

    (void)state;
    for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
        for (unsigned seed = 1; seed <= sim_seeds(3); seed++) {
            struct sim *w = sim_new(seed, N);
            struct mac mac[N];
            unsigned logins = 0, off = 0;
            sim_start(w);
            sim_check(w, sim_until(w, sim_all_up, time_s(3)));
            for (int i = 0; row[r].traffic && i < N; i++)
                sim_flow(w, i, (i + 1) % N, time_ms(100), 1, time_s(200));
            sim_run(w, time_s(2) + sim_below(w, time_s(15)));
            for (unsigned i = 0; i < N; i++)
                mac[i] = w->client[i]->dev.mac;
            sim_router_pause(w);
            sim_run(w, time_ms(row[r].stopped_ms));
            uint64_t sent = w->n_type[WIRE_LOGIN_REPLY] + w->n_type[WIRE_COOKIE];
            mono_ns on = w->now;
            sim_router_continue(w);
            sim_run(w, time_s(2));
            sent = w->n_type[WIRE_LOGIN_REPLY] + w->n_type[WIRE_COOKIE] - sent;
            sim_run(w, time_s(38));
            mono_ns worst = 0;
            for (unsigned i = 0; i < N; i++) {
                struct sim_client *c = w->client[i];
                sim_consistent(c);
                sim_check(w, mac_eq(c->dev.mac, mac[i]));
                sim_check(w, c->e->logins <= row[r].logins_max);
                sim_check(w, c->n_carrier_off <= row[r].carrier_off);
                logins += (unsigned)c->e->logins - 1;
                off += c->n_carrier_off;
                if (time_since(c->event_at[EVENT_LOGGED_IN], on) > worst)
                    worst = time_since(c->event_at[EVENT_LOGGED_IN], on);
            }
            print_message("stopped for %.1f s, %s: %u logins of %u clients, the last after %.2f s, "
                          "%llu answers, %u carriers went\n",
                          row[r].stopped_ms / 1e3, row[r].traffic ? "traffic" : "idle", logins,
                          (unsigned)N, (double)worst / 1e9, (unsigned long long)sent, off);
            sim_check(w, worst <= time_s(16));
            sim_check(w, sent <= 20 * N);
            for (unsigned i = 0; row[r].traffic && i < N; i++) {
                uint32_t got = w->flow[i].n_got;
                sim_run(w, time_s(1));
                sim_check(w, w->flow[i].n_got >= got + 9);
            }
            sim_free(w);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(confirm_schedule), cmocka_unit_test(keepalive),
        cmocka_unit_test(loss_is_noticed),  cmocka_unit_test(silent_client),
        cmocka_unit_test(restart),          cmocka_unit_test(hold),
        cmocka_unit_test(line_dead),        cmocka_unit_test(client_goodbye),
        cmocka_unit_test(client_restart),   cmocka_unit_test(router_stopped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
