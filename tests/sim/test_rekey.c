/* SPDX-License-Identifier: MIT */
/* test_rekey.c - an hour of rekeys under every kind of network; what happens when none succeeds */
#include "sim.h"

#define HOUR (3600 * NS_PER_S)

#define INSIDE_LOGIN_LEN (DATA_MIN_LEN + 4u + LOGIN_LEN) /* a LOGIN inside, on the wire */

/* Two clients that talk both ways to each other and to the host behind the uplink. */
static struct sim *talkers(uint64_t seed, mono_ns period, unsigned burst, mono_ns life)
{
    struct sim *w = sim_new(seed, 2);

    sim_start(w);
    sim_check(w, sim_until(w, sim_all_up, time_s(2)));
    sim_run(w, time_s(1));
    sim_flow(w, 0, 1, period, burst, life);
    sim_flow(w, 1, 0, period, burst, life);
    sim_flow(w, 0, SIM_UPLINK, period, 1, life);
    sim_flow(w, SIM_UPLINK, 0, period, 1, life);
    return w;
}

/* Nothing is lost by the change itself: what a network that loses nothing is given arrives once. */
static void nothing_lost(void **state)
{
    static const struct {
        const char *name;
        struct sim_pipe pipe;
        mono_ns period, life;
        unsigned burst;
    } row[] = {
        { "in order", { 0, 0, 10 * NS_PER_MS, 10 * NS_PER_MS }, 500 * NS_PER_MS, HOUR, 1 },
        { "50 ms of reordering, 5 % twice",
          { 0, 5, 10 * NS_PER_MS, 60 * NS_PER_MS },
          500 * NS_PER_MS,
          HOUR,
          2 },
        { "bursts of 32", { 0, 5, NS_PER_MS, 3 * NS_PER_MS }, 20 * NS_PER_MS, 250 * NS_PER_S, 8 },
        { "no delay", { 0, 5, 0, 0 }, 10 * NS_PER_MS, 400 * NS_PER_S, 1 },
        { "half a second and back",
          { 0, 5, 400 * NS_PER_MS, 600 * NS_PER_MS },
          500 * NS_PER_MS,
          HOUR,
          2 },
    };

    (void)state;
    for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
        for (unsigned seed = 1; seed <= sim_seeds(1); seed++) {
            struct sim *w = talkers(seed, row[r].period, row[r].burst, row[r].life);
            w->up = w->down = row[r].pipe;
            sim_run(w, row[r].life + time_s(5));
            sim_all_whole(w);
            for (unsigned i = 0; i < 2; i++) {
                struct sim_client *c = w->client[i];
                sim_consistent(c);
                sim_check(w, c->e->logins == 1 && c->n_carrier_off == 0);
                sim_check(w, c->e->rekeys >= row[r].life / time_s(132));
                sim_check(w, c->e->rekeys <= row[r].life / time_s(106));
                sim_check(w,
                          c->events[EVENT_CONFIRM_LOST] == 0 && c->events[EVENT_ROUTER_LOST] == 0);
            }
            sim_check(w, w->n_type[WIRE_LOGIN] == 2); /* all others travelled inside */
            if (row[r].burst > 1 && row[r].pipe.delay_max > row[r].pipe.delay_min)
                sim_check(w, w->flow[0].n_late > 0); /* the row does what its name says */
            print_message("%s: %u packets\n", row[r].name,
                          2 * w->flow[0].n_sent + 2 * w->flow[2].n_sent);
            sim_free(w);
        }
    }
}

/* With loss the network takes its share; the tunnel stays up and takes no more. */
static void lossy(void **state)
{
    static const struct {
        const char *name;
        struct sim_pipe pipe;
        double share; /* per cent of the client to client packets that may be missing */
    } row[] = {
        { "10 %", { 10, 5, 10 * NS_PER_MS, 60 * NS_PER_MS }, 20.5 },
        { "30 %", { 30, 5, 10 * NS_PER_MS, 60 * NS_PER_MS }, 53 },
    };

    (void)state;
    for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
        for (unsigned seed = 1; seed <= sim_seeds(1); seed++) {
            struct sim *w = talkers(seed, time_ms(500), 2, HOUR);
            w->up = w->down = row[r].pipe;
            sim_run(w, HOUR + time_s(5));
            for (unsigned f = 0; f < 2; f++) {
                const struct sim_flow *fl = &w->flow[f];
                double missing = 100.0 * (fl->n_sent - fl->n_got) / fl->n_sent;
                print_message("%s: %.1f %% missing, longest gap %.1f s, rekeys %llu, logins %llu\n",
                              row[r].name, missing, (double)fl->gap / 1e9,
                              (unsigned long long)w->client[f]->e->rekeys,
                              (unsigned long long)w->client[f]->e->logins);
                sim_check(w, fl->n_refused == 0 && fl->n_dup == 0);
                sim_check(w, missing < row[r].share && fl->gap < time_s(10));
            }
            for (unsigned i = 0; i < 2; i++) {
                sim_check(w, w->client[i]->n_carrier_off == 0 && sim_up(w->client[i]));
                sim_check(w, w->client[i]->e->rekeys + w->client[i]->e->logins >= 27);
            }
            sim_free(w);
        }
    }
}

/* no_login() - a network in which no LOGIN, inside or outside, ever passes */
static bool no_login(struct sim *w, const struct sim_dgram *d)
{
    (void)w;
    return wire_peek(d->p, d->len) != WIRE_LOGIN && d->len != INSIDE_LOGIN_LEN;
}

/* An idle hour, too: the keepalives alone carry it. */
static void idle(void **state)
{
    struct sim *w = sim_new(1, 1);

    (void)state;
    sim_start(w);
    sim_run(w, HOUR);
    sim_consistent(w->client[0]);
    sim_check(w, w->client[0]->e->rekeys >= 27 && w->client[0]->e->logins == 1);
    sim_check(w, w->client[0]->n_carrier_off == 0);
    sim_free(w);
}

/* A keypair that nobody replaces ends at KEYPAIR_LIFE at both sides, and not before. */
static void keypair_life(void **state)
{
    struct sim *w = talkers(1, time_ms(100), 1, time_s(400));
    mono_ns born = w->client[0]->e->tunnel.keys.current.born;

    (void)state;
    w->filter = no_login;
    sim_run(w, born + KEYPAIR_LIFE - w->now - time_ms(100));
    sim_check(w, w->flow[0].n_got + 2 >= w->flow[0].n_sent && w->flow[0].n_got > 2000);
    sim_run(w, time_s(2));
    sim_check(w, w->client[0]->events[EVENT_KEYS_EXPIRED] == 1);
    sim_check(w, !sim_member(w->client[0]) && !sim_member(w->client[1]));
    uint32_t got = w->flow[0].n_got;
    sim_run(w, time_s(20));
    sim_check(w, w->flow[0].n_got == got && w->client[0]->dev.carrier);
    w->filter = NULL; /* within hold: carrier has stayed */
    sim_run(w, time_s(5));
    sim_consistent(w->client[0]);
    sim_check(w, w->client[0]->n_carrier_off == 0 && w->flow[0].n_got > got);
    sim_free(w);
}

/* Counters near their ends, as after days of traffic. */
static void many_packets(void **state)
{
    struct sim *w = talkers(1, time_ms(10), 1, time_s(60));
    struct client_engine *e = w->client[0]->e;

    (void)state;
    e->tunnel.keys.current.tx_counter = REKEY_AFTER_PACKETS - 10;
    sim_run(w, time_s(1));
    sim_check(w, e->rekeys == 1 && e->tunnel.keys.current.tx_counter < 1000);
    e->tunnel.keys.current.rx_packets = REKEY_AFTER_PACKETS - 10;
    sim_run(w, time_s(1));
    sim_check(w, e->rekeys == 2 && e->logins == 1);
    w->filter = no_login;
    e->tunnel.keys.current.tx_counter = KEYPAIR_LIFE_PACKETS - 10;
    sim_run(w, time_s(1));
    sim_check(w, !keyset_can_send(&e->tunnel.keys, w->now)); /* not one packet more */
    uint32_t got = w->flow[0].n_got;
    sim_run(w, PREVIOUS_LIFE + time_s(1)); /* previous goes as well */
    sim_check(w, w->flow[0].n_got == got);
    sim_check(w, e->state == CLIENT_HELD && e->events.lost == 0);
    w->filter = NULL;
    sim_run(w, time_s(5));
    sim_check(w, e->state == CLIENT_UP && e->logins == 2);
    sim_free(w);
}

/* The router's answers to the rekey are lost for a while: one login, the same member, no gap. */
static bool no_reply_inside(struct sim *w, const struct sim_dgram *d)
{
    bool down = endpoint_eq(d->from, sim_router_ep(w));

    return !(down && wire_data_kind(d->p) == KIND_CONTROL && d->len > 150);
}

static void replies_lost(void **state)
{
    struct sim *w = talkers(3, time_ms(100), 1, time_s(200));

    (void)state;
    w->filter = no_reply_inside;
    while (w->client[0]->e->login.state == LOGIN_IDLE)
        sim_run(w, time_s(1));
    sim_run(w, time_s(2));
    sim_check(w, w->client[0]->e->rekeys == 0);
    w->filter = NULL;
    sim_run(w, time_s(75));
    sim_check(w, w->client[0]->e->rekeys + w->client[0]->e->logins == 2);
    sim_run(w, time_s(20));
    sim_consistent(w->client[0]);
    sim_run(w, time_s(120));
    sim_all_whole(w);
    sim_free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nothing_lost), cmocka_unit_test(lossy),
        cmocka_unit_test(idle),         cmocka_unit_test(keypair_life),
        cmocka_unit_test(many_packets), cmocka_unit_test(replies_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
