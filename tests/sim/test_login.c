/* SPDX-License-Identifier: MIT */
/* test_login.c - logging in: without loss, with loss, many at once, and what is met with silence */
#include <stdlib.h>

#include "sim.h"

static void one_client(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(5); seed++) {
        struct sim *w = sim_new(seed, 1);
        struct sim_client *c = w->client[0];

        sim_start(w);
        sim_check(w, sim_until(w, sim_all_up, time_s(1)));
        /* Resolving, LOGIN and LOGIN_REPLY, CONFIRM and its answer: two round trips. */
        sim_check(w, w->now - time_s(1000) <= time_ms(2 + 40 + 1));
        sim_run(w, time_s(1));
        sim_consistent(c);
        sim_check(w, mac_eq(c->dev.mac, mac_of_endpoint(sim_outside(c))));
        sim_check(w, c->n_ra == 2 && c->n_ns == 1); /* unasked, and an RA once more with the MTU */
        sim_check(w, c->dev.mtu == INNER_MTU_DEFAULT);
        sim_ping(c, w->router.conf.address);
        sim_ping(c, mac_link_local(c->dev.router_mac));
        sim_ping(c, sim_global(w, SIM_UPLINK));
        sim_run(w, time_s(1));
        sim_check(w, c->n_echo_replies == 3);
        sim_check(w, c->events[EVENT_LOGIN_SENT] == 1 && w->n_type[WIRE_LOGIN] == 1);
        sim_free(w);
    }
}

static void fifty_clients(void **state)
{
    (void)state;
    for (unsigned seed = 1; seed <= sim_seeds(2); seed++) {
        struct sim *w = sim_new(seed, 50);

        sim_start(w);
        sim_check(w, sim_until(w, sim_all_up, time_s(3)));
        for (unsigned i = 0; i < 50; i++) {
            struct sim_client *c = w->client[i];
            sim_ping(c, sim_global(w, (int)(i + 1) % 50));
            sim_ping(c, mac_link_local(w->client[(i + 7) % 50]->dev.mac));
            sim_solicit(c, sim_global(w, (int)(i + 3) % 50));
        }
        sim_run(w, time_s(1));
        for (unsigned i = 0; i < 50; i++) {
            struct sim_client *c = w->client[i];
            sim_consistent(c);
            sim_check(w, c->n_echo_replies == 2);
            sim_check(w, c->n_na == 1 && mac_eq(c->na_mac, w->client[(i + 3) % 50]->dev.mac));
        }
        sim_free(w);
    }
}

static int by_time(const void *a, const void *b)
{
    mono_ns x = *(const mono_ns *)a, y = *(const mono_ns *)b;

    return x < y ? -1 : x > y;
}

/* H102: login <= 10 s at 30 % loss, the 95th percentile over seeds */
static void lossy(void **state)
{
    static const struct {
        const char *name;
        struct sim_pipe pipe;
        mono_ns p50, p95;
    } row[] = {
        { "5 %", { 5, 0, 10 * NS_PER_MS, 10 * NS_PER_MS }, 1 * NS_PER_S, 4 * NS_PER_S },
        { "30 %", { 30, 0, 10 * NS_PER_MS, 10 * NS_PER_MS }, 3 * NS_PER_S, 10 * NS_PER_S },
        { "30 %, 500 ms of jitter, 10 % twice",
          { 30, 10, 0, 500 * NS_PER_MS },
          4 * NS_PER_S,
          10 * NS_PER_S },
        { "20 %, 800 ms each way",
          { 20, 0, 700 * NS_PER_MS, 900 * NS_PER_MS },
          6 * NS_PER_S,
          15 * NS_PER_S },
    };
    unsigned n = sim_seeds(100) < 100 ? 100 : sim_seeds(100);
    unsigned p50 = n / 2, p95 = n * 95 / 100;
    mono_ns *took = malloc(n * sizeof(*took));

    (void)state;
    for (size_t r = 0; r < sizeof(row) / sizeof(row[0]); r++) {
        for (unsigned i = 0; i < n; i++) {
            struct sim *w = sim_new(1000 * r + i, 1);
            w->up = w->down = row[r].pipe;
            sim_start(w);
            sim_check(w, sim_until(w, sim_all_up, time_s(600)));
            took[i] = w->now - time_s(1000);
            sim_run(w, time_ms(3000));
            sim_free(w);
        }
        qsort(took, n, sizeof(*took), by_time);
        print_message("login, loss %s: p50 %.2f s, p95 %.2f s, worst %.2f s\n", row[r].name,
                      (double)took[p50] / 1e9, (double)took[p95] / 1e9, (double)took[n - 1] / 1e9);
        assert_true(took[p50] <= row[r].p50);
        assert_true(took[p95] <= row[r].p95);
    }
    free(took);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_client),
        cmocka_unit_test(fifty_clients),
        cmocka_unit_test(lossy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
