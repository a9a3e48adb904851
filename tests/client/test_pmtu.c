/* SPDX-License-Identifier: MIT */
/* test_pmtu.c - the MTU of the path: big CONFIRM, search, caps */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "client/pmtu.h"
#include "fake_router.h"

static struct world w;

static void test_cap(void **state)
{
    static const struct {
        unsigned outer, config, router;
        uint16_t cap;
    } rows[] = {
        { 1500, 0, 0, 1434 },       { 1500, 1400, 0, 1400 }, { 1500, 0, 1420, 1420 },
        { 1500, 1400, 1300, 1300 }, { 1346, 0, 0, 1280 },    { 1345, 0, 0, 1280 },
        { 576, 0, 0, 1280 },        { 0, 0, 0, 1280 },       { 1492, 0, 9000, 1426 },
        { 9000, 0, 9000, 8934 },    { 65535, 0, 0, 9000 },   { 1347, 0, 0, 1281 },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        assert_int_equal(pmtu_cap(rows[i].outer, rows[i].config, rows[i].router), rows[i].cap);
}

/* What the client settles on, when carrier comes, and what the router is told. */
static void test_paths(void **state)
{
    static const struct {
        unsigned interface, path, config, router;
        bool at_once;         /* carrier with the first answers, else after CARRIER_WAIT */
        unsigned least, most; /* inner MTU in the end */
    } rows[] = {
        { 1500, 1500, 0, 9000, true, 1434, 1434 },    { 1500, 1500, 1300, 9000, true, 1300, 1300 },
        { 1500, 1500, 0, 1400, true, 1400, 1400 },    { 1500, 1492, 0, 9000, false, 1422, 1426 },
        { 1500, 1400, 0, 9000, false, 1330, 1334 },   { 1500, 1346, 0, 9000, false, 1280, 1280 },
        { 1500, 1350, 0, 9000, false, 1280, 1284 },   { 1346, 1346, 0, 9000, true, 1280, 1280 },
        { 1500, 1400, 1334, 9000, true, 1334, 1334 },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_init(&w);
        w.cfg.mtu = (uint16_t)rows[i].config;
        w.r.settings.mtu_max = (uint16_t)rows[i].router;
        w.r.path = rows[i].path;
        mono_ns start = w.now;
        world_start(&w);
        client_engine_path(&w.e, (uint16_t)rows[i].interface);
        world_run(&w, time_s(1));
        mono_ns took = world_last(&w, EVENT_CARRIER)->time - start;
        assert_int_equal(took, 2 * w.rtt + (rows[i].at_once ? 0 : CARRIER_WAIT));
        if (!rows[i].at_once)
            assert_int_equal(client_engine_want(&w.e)->mtu, 1280);
        world_run(&w, time_s(40));
        assert_in_range(client_engine_want(&w.e)->mtu, rows[i].least, rows[i].most);
        assert_int_equal(w.r.mtu_set, client_engine_want(&w.e)->mtu);
        assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
        assert_int_equal(w.r.nothing, 0);
        world_free(&w);
    }
}

/* The big CONFIRM was merely lost: the first probe, 5 s later, finds the cap. */
static void test_lost_confirm(void **state)
{
    (void)state;
    world_init(&w);
    w.r.path = 1400;
    world_start(&w);
    world_run(&w, time_s(3));
    w.r.path = 1500;
    world_run(&w, time_s(3));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    assert_int_equal(w.r.probes, 1);
    world_run(&w, time_s(1000));
    assert_int_equal(w.r.probes, 1); /* and no more */
}

/* A path that stays narrow: ten searches, then peace; one that widens is found within a minute. */
static void test_searches(void **state)
{
    (void)state;
    for (int widens = 0; widens < 2; widens++) {
        world_init(&w);
        w.r.path = 1400;
        world_start(&w);
        world_run(&w, time_s(100));
        if (widens)
            w.r.path = 1500;
        world_run(&w, time_s(90));
        assert_in_range(client_engine_want(&w.e)->mtu, widens ? 1434 : 1330, widens ? 1434 : 1334);
        world_run(&w, time_s(900));
        unsigned searches = w.e.pmtu.searches;
        w.n_sent = 0;
        world_run(&w, time_s(600));
        assert_int_equal(w.e.pmtu.searches, searches);
        assert_int_equal(searches, widens ? 3 : PMTU_SEARCHES);
    }
}

/* An answer proves something only when it arrived at its full size and was asked for. */
static void test_false_answers(void **state)
{
    static const struct {
        uint16_t says;
        size_t size; /* 0: not padded */
    } rows[] = { { 1472, 0 }, { 1472, 1471 }, { 1472, 1400 }, { 1400, 1400 }, { 2000, 2000 } };
    (void)state;

    world_init(&w);
    w.r.path = 1400;
    world_start(&w);
    world_run(&w, time_s(3));
    w.r.path = 9000;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct control c = { .type = TLV_MTU_PROBE_ACK, .size = rows[i].says };
        router_control(&w, &c, rows[i].size);
        world_run(&w, time_ms(30));
        assert_int_equal(client_engine_want(&w.e)->mtu, 1280);
    }
    struct control c = { .type = TLV_MTU_PROBE_ACK, .size = 1472 };
    router_control(&w, &c, 1472);
    world_run(&w, time_ms(30));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
}

/* The outgoing interface changes: down at once, up after a probe. */
static void test_interface(void **state)
{
    (void)state;
    world_init(&w);
    world_login(&w);
    client_engine_path(&w.e, 1420);
    world_run(&w, time_ms(1));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1354);
    assert_int_equal(w.r.mtu_set, 1354);
    client_engine_path(&w.e, 1500);
    world_run(&w, time_ms(100));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    assert_int_equal(w.r.mtu_set, 1434);
}

/* An interface too narrow for 1280 + 66: what does not fit may be fragmented, nothing else. */
static void test_fragmentation(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    client_engine_path(&w.e, 1300);
    world_run(&w, time_s(1));
    world_tap(&w, w.r.settings.router_mac, 1280);
    assert_int_equal(w.sent[w.n_sent - 1].len, 1280 + 32);
    assert_int_equal(w.sent[w.n_sent - 1].flags, DGRAM_MAY_FRAGMENT);
    world_tap(&w, w.r.settings.router_mac, 1240);
    assert_int_equal(w.sent[w.n_sent - 1].flags, 0); /* 1240 + 32 + 28 = 1300 */
}

/* The router probes too: answered at full size, and only when it is what arrived. */
static void test_probed(void **state)
{
    (void)state;
    world_init(&w);
    world_login(&w);
    unsigned n = w.n_sent;
    router_control(&w, &(struct control){ .type = TLV_MTU_PROBE, .size = 900 }, 900);
    router_control(&w, &(struct control){ .type = TLV_MTU_PROBE, .size = 1400 }, 900);
    assert_int_equal(w.n_flight, 2);
    struct dgram d = { .peer = w.live,
                       .len = w.flight[0].len,
                       .p = w.flight[0].buf + PKT_HEADROOM };
    w.r.mute = true;
    client_engine_udp(&w.e, w.now, &w.rnd, &d, 1, &w.out);
    assert_int_equal(w.out.n_dg, 1);
    assert_int_equal(w.out.dg[0].len, 900);
    out_reset(&w.out);
    w.flight[0] = w.flight[1];
    w.n_flight = 1;
    world_run(&w, time_ms(30));
    assert_int_equal(w.n_sent, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cap),           cmocka_unit_test(test_paths),
        cmocka_unit_test(test_lost_confirm),  cmocka_unit_test(test_searches),
        cmocka_unit_test(test_false_answers), cmocka_unit_test(test_interface),
        cmocka_unit_test(test_fragmentation), cmocka_unit_test(test_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
