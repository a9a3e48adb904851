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
        unsigned interface, path, down, config, router;
        bool at_once;         /* carrier with the first answers, else after CARRIER_WAIT */
        unsigned least, most; /* inner MTU in the end */
        bool fragment;
    } rows[] = {
        { 1500, 1500, 0, 0, 9000, true, 1434, 1434, false },
        { 1500, 1500, 0, 1300, 9000, true, 1300, 1300, false },
        { 1500, 1500, 0, 0, 1400, true, 1400, 1400, false },
        { 1500, 1492, 0, 0, 9000, false, 1422, 1426, false },
        { 1500, 1400, 0, 0, 9000, false, 1330, 1334, false },
        { 1500, 1500, 1400, 0, 9000, false, 1330, 1334, false }, /* down only */
        { 1500, 1400, 1500, 0, 9000, false, 1330, 1334, false }, /* up only */
        { 1500, 1346, 0, 0, 9000, false, 1280, 1280, false },
        { 1500, 1350, 0, 0, 9000, false, 1280, 1284, false },
        { 1346, 1346, 0, 0, 9000, true, 1280, 1280, false },
        { 1500, 1400, 0, 1334, 9000, true, 1334, 1334, false },
        /* paths below 1346: in fragments, and no less than 1280 */
        { 1500, 1345, 0, 0, 9000, false, 1280, 1280, true },
        { 1500, 1300, 0, 0, 9000, false, 1280, 1280, true },
        { 1500, 1500, 1300, 0, 9000, false, 1280, 1280, true },
        { 1500, 1300, 1500, 0, 9000, false, 1280, 1280, true },
        { 1500, 576, 0, 0, 9000, false, 1280, 1280, true },
        { 1300, 1300, 0, 0, 9000, false, 1280, 1280, true },
        { 1345, 1345, 0, 0, 9000, false, 1280, 1280, true },
        /* jumbo */
        { 9000, 9000, 0, 0, 9000, true, 8934, 8934, false },
        { 9066, 9066, 0, 0, 9000, true, 9000, 9000, false },
        { 9000, 9000, 0, 4000, 9000, true, 4000, 4000, false },
        { 9000, 1500, 0, 0, 9000, false, 1430, 1434, false },
        { 9000, 4096, 0, 0, 9000, false, 4026, 4030, false },
        { 65535, 9000, 0, 0, 9000, false, 8930, 8934, false },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_init(&w);
        w.cfg.mtu = (uint16_t)rows[i].config;
        w.r.settings.mtu_max = (uint16_t)rows[i].router;
        w.r.path = rows[i].path;
        w.r.path_down = rows[i].down;
        mono_ns start = w.now;
        world_start(&w);
        client_engine_path(&w.e, (uint16_t)rows[i].interface, w.now);
        world_run(&w, time_s(1));
        mono_ns took = world_last(&w, EVENT_CARRIER)->time - start;
        assert_int_equal(took, 2 * w.rtt + (rows[i].at_once ? 0 : CARRIER_WAIT));
        if (!rows[i].at_once)
            assert_int_equal(client_engine_want(&w.e)->mtu, 1280);
        world_run(&w, time_s(40));
        assert_in_range(client_engine_want(&w.e)->mtu, rows[i].least, rows[i].most);
        assert_int_equal(w.e.tunnel.fragment, rows[i].fragment);
        assert_int_equal(w.r.mtu_set, client_engine_want(&w.e)->mtu);
        assert_int_equal(w.r.fragment, rows[i].fragment);
        assert_int_equal(world_count(&w, EVENT_FRAGMENT), rows[i].fragment);
        assert_int_equal(world_count(&w, EVENT_PATH_BLOCKED), 0);
        assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
        assert_int_equal(w.r.nothing, 0);
        /* Neither side sends in one piece what does not pass so. */
        unsigned data = w.r.data, n = w.n_sent, frames = w.frames;
        uint8_t packet[1280];
        ip6_packet(packet, sizeof(packet), (struct ip6){ { 0x20, 1, 0xd, 0xb8 } },
                   w.r.settings.address[0].addr);
        world_tap(&w, w.r.settings.router_mac, 1280);
        router_data(&w, KIND_HOST, packet, sizeof(packet));
        world_run(&w, time_ms(30));
        assert_int_equal(w.r.data, data + 1);
        assert_int_equal(w.frames, frames + 1);
        assert_int_equal(w.sent[n].flags, rows[i].fragment ? DGRAM_MAY_FRAGMENT : 0);
        world_free(&w);
    }
}

static void world_login_path(unsigned path)
{
    world_init(&w);
    w.r.path = path;
    world_start(&w);
    world_run(&w, time_s(40));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_true(client_engine_want(&w.e)->carrier);
}

/* traffic() - a frame of @len octets every 200 ms for @d */
static void traffic(mono_ns d, size_t len)
{
    for (mono_ns end = w.now + d; w.now < end;) {
        if (client_engine_want(&w.e)->carrier && len <= client_engine_want(&w.e)->mtu)
            world_tap(&w, w.r.settings.router_mac, len);
        w.n_sent = 0;
        world_run(&w, time_ms(200));
    }
}

/* The big CONFIRM was merely lost: the first probe, 50 ms later, finds the cap. */
static void test_lost_confirm(void **state)
{
    (void)state;
    world_init(&w);
    world_start(&w);
    w.r.path = 1400;
    world_run(&w, 2 * w.rtt +
                      time_ms(1)); /* the big CONFIRM is lost, the small one has been answered */
    assert_int_equal(w.e.state, CLIENT_UP);
    w.r.path = 1500;
    world_run(&w, time_s(3));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    assert_int_equal(world_count(&w, EVENT_MTU), 1);
    unsigned probes = w.r.probes;
    world_run(&w, time_s(100));
    assert_int_equal(w.r.probes, probes); /* and no more, without traffic */
}

/* A path that stays narrow is looked at every minute, then every ten, with three probes each; one
 * that widens is found by that. */
static void test_raise(void **state)
{
    (void)state;
    world_login_path(1400);
    for (unsigned i = 1; i <= PMTU_RAISES; i++) {
        world_run(&w, time_s(63));
        assert_int_equal(w.e.pmtu.raises, i);
    }
    world_run(&w, time_s(500));
    assert_int_equal(w.e.pmtu.raises, PMTU_RAISES);
    world_run(&w, time_s(600));
    assert_int_equal(w.e.pmtu.raises, PMTU_RAISES + 1);
    assert_in_range(client_engine_want(&w.e)->mtu, 1330, 1334);
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
    w.n_sent = 0;
    w.r.path = 1500;
    world_run(&w, time_s(604));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    assert_int_equal(w.r.mtu_set, 1434);
    assert_int_equal(w.e.pmtu.raises, 0);

    /* a new address or route of the host: at once */
    world_login_path(1400);
    w.r.path = 1500;
    client_engine_network_changed(&w.e, w.now);
    world_run(&w, time_s(1));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
}

/* A black hole that appears later: found in time, with MTU, fragments and the router following. */
static void test_black_hole(void **state) /* R64 */
{
    static const struct {
        const char *name;
        unsigned before, up, down; /* outer MTU */
        size_t len;                /* of the traffic */
        mono_ns rtt, within;
        unsigned least, most;
        bool fragment;
    } rows[] = {
        { "1400 both ways", 1500, 1400, 1400, 1434, 20, 5, 1330, 1334, false },
        { "up only", 1500, 1400, 1500, 1434, 20, 5, 1330, 1334, false },
        { "down only", 1500, 1500, 1400, 1434, 20, 5, 1330, 1334, false },
        { "little traffic", 1500, 1400, 1400, 100, 20, 10, 1330, 1334, false },
        { "long way", 1500, 1400, 1400, 1434, 600, 8, 1330, 1334, false },
        { "to 1346", 1500, 1346, 1346, 1434, 20, 5, 1280, 1280, false },
        { "to 1345", 1500, 1345, 1345, 1434, 20, 5, 1280, 1280, true },
        { "to 576", 1500, 576, 576, 1434, 20, 5, 1280, 1280, true },
        { "base to 1000", 1346, 1000, 1000, 1280, 20, 5, 1280, 1280, true },
        { "fragments down only", 1346, 1346, 1000, 1280, 20, 5, 1280, 1280, true },
        { "jumbo to 1500", 9000, 1500, 1500, 8934, 20, 5, 1430, 1434, false },
        { "jumbo to 1200", 9000, 1200, 1200, 8934, 20, 5, 1280, 1280, true },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_init(&w);
        w.rtt = time_ms(rows[i].rtt);
        w.r.path = rows[i].before;
        world_start(&w);
        client_engine_path(&w.e, (uint16_t)(rows[i].before > 1500 ? rows[i].before : 1500), w.now);
        world_run(&w, time_s(40));
        unsigned was = client_engine_want(&w.e)->mtu;
        assert_int_equal(was, rows[i].before - 66);
        traffic(time_s(60) + time_ms(100 * i), rows[i].len); /* confirmed again and again */
        assert_int_equal(client_engine_want(&w.e)->mtu, was);
        mono_ns hole = w.now;
        w.r.path = rows[i].up;
        w.r.path_down = rows[i].down;
        while (client_engine_want(&w.e)->mtu == was && !w.e.tunnel.fragment &&
               w.now < hole + time_s(15))
            traffic(time_ms(200), rows[i].len);
        print_message("%s: found after %llu ms\n", rows[i].name,
                      (unsigned long long)((w.now - hole) / NS_PER_MS));
        assert_true(w.now - hole <= time_s(rows[i].within));
        assert_int_equal(client_engine_want(&w.e)->mtu, 1280);
        traffic(time_s(20), 1280);
        assert_in_range(client_engine_want(&w.e)->mtu, rows[i].least, rows[i].most);
        assert_int_equal(w.r.mtu_set, client_engine_want(&w.e)->mtu);
        assert_int_equal(w.e.tunnel.fragment, rows[i].fragment);
        assert_int_equal(w.r.fragment, rows[i].fragment);
        assert_int_equal(w.e.logins, 1);
        assert_int_equal(world_count(&w, EVENT_ROUTER_LOST), 0);
        /* settled: whatever fits the MTU arrives */
        unsigned data = w.r.data;
        traffic(time_s(10), client_engine_want(&w.e)->mtu);
        assert_int_equal(w.r.data - data, 50);
        /* and back */
        w.r.path = rows[i].before;
        w.r.path_down = 0;
        traffic(time_s(90), 1280);
        assert_int_equal(client_engine_want(&w.e)->mtu, was);
        assert_false(w.e.tunnel.fragment || w.r.fragment);
        world_free(&w);
    }
}

/* A router that is silent altogether is no narrow path: the MTU stays until alive has decided. */
static void test_dead_is_not_narrow(void **state)
{
    (void)state;
    world_init(&w);
    world_login(&w);
    for (int way = 0; way < 2; way++) {
        if (way == 0)
            w.r.mute = true;
        else
            w.r.one_way = true;
        traffic(time_s(30), 1434);
        assert_int_equal(w.e.state, CLIENT_HELD);
        assert_int_equal(world_count(&w, EVENT_ROUTER_LOST), 1 + way);
        assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
        w.r.mute = w.r.one_way = false;
        traffic(time_s(20), 1434);
        assert_int_equal(w.e.state, CLIENT_UP);
        assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    }
    assert_int_equal(world_count(&w, EVENT_PATH_BLOCKED), 0);
    assert_int_equal(world_count(&w, EVENT_FRAGMENT), 0);
}

/* Small ones pass, large ones do not, not even in fragments: said once, tried on. */
static void test_blocked(void **state)
{
    (void)state;
    world_init(&w);
    w.r.path = 1000;
    w.r.no_fragments = true;
    w.r.settings.keepalive_s = 15;
    world_start(&w);
    world_run(&w, time_s(2)); /* no LOGIN fits */
    assert_int_equal(w.e.state, CLIENT_START);
    w.r.path = 1300;
    world_run(&w, time_s(30));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(world_count(&w, EVENT_PATH_BLOCKED), 1);
    assert_int_equal(client_engine_want(&w.e)->mtu, 1280);
    assert_true(w.e.tunnel.fragment);
    w.r.path = 1500;
    world_run(&w, time_s(64));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    assert_false(w.e.tunnel.fragment);
}

/* Answers that come late, as through a queue that was full for seconds, bring the MTU back. */
static void test_late_answer(void **state)
{
    (void)state;
    world_init(&w);
    world_login(&w);
    traffic(time_s(10), 1434);
    w.r.path = 1400;
    while (client_engine_want(&w.e)->mtu == 1434)
        traffic(time_ms(200), 1434);
    struct control c = { .type = TLV_MTU_PROBE_ACK, .size = 1472 };
    w.r.path = 1500;
    router_control(&w, &c, 1472);
    world_run(&w, w.rtt);
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    assert_int_equal(w.r.mtu_set, 1434);
}

/* What an idle and what a busy tunnel spend on probes. */
static void test_cost(void **state)
{
    (void)state;
    world_init(&w);
    world_login(&w);
    unsigned before = w.r.probes;
    world_run(&w, time_s(1000)); /* rekeys and keepalives, no traffic */
    assert_int_equal(w.r.probes, before);
    w.n_event = 0;
    traffic(time_s(80), 1434);
    assert_in_range(w.r.probes - before, 22, 27); /* one every 3 s */
    before = w.r.probes;
    traffic(time_s(80), 100);
    assert_in_range(w.r.probes - before, 8, 10); /* one every 8 s */
}

/* MTU_SET is lost twice: the third counts. */
static void test_told_again(void **state)
{
    (void)state;
    world_init(&w);
    w.r.path = 1400;
    world_start(&w);
    world_run(&w, 2 * w.rtt + CARRIER_WAIT - time_ms(10));
    unsigned sets = w.r.mtu_sets;
    world_run(&w, time_ms(20));
    assert_int_equal(w.r.mtu_sets, sets + 1);
    world_run(&w, 2 * PMTU_WAIT_MIN);
    assert_true(w.r.mtu_sets >= sets + 3);
    world_run(&w, time_s(40));
    sets = w.r.mtu_sets;
    w.r.mtu_set = 1500;
    world_run(&w, time_s(21)); /* and with a keepalive */
    assert_true(w.r.mtu_sets > sets);
    assert_in_range(w.r.mtu_set, 1330, 1334);
}

/* EMSGSIZE: the size in use is probed at once, and not again for a second. */
static void test_too_long(void **state)
{
    (void)state;
    world_init(&w);
    world_login(&w);
    world_run(&w, time_s(5));
    unsigned before = w.r.probes;
    for (int i = 0; i < 50; i++) {
        client_engine_too_long(&w.e, w.now);
        world_run(&w, time_ms(10));
    }
    assert_int_equal(w.r.probes, before + 1);
    w.r.path = 1300;
    for (int i = 0; i < 30; i++) {
        client_engine_too_long(&w.e, w.now);
        world_run(&w, time_ms(100));
    }
    assert_true(w.e.tunnel.fragment && w.r.fragment);
}

/* An answer proves something only when it arrived at its full size and was asked for. */
static void test_false_answers(void **state) /* R64 */
{
    static const struct {
        uint16_t says;
        size_t size; /* 0: not padded */
    } rows[] = { { 1472, 0 }, { 1472, 1471 }, { 1472, 1400 }, { 1400, 1400 }, { 2000, 2000 } };
    (void)state;

    world_init(&w);
    w.r.path = 1346;
    world_start(&w);
    world_run(&w, time_s(10));
    w.r.path = 9000;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct control c = { .type = TLV_MTU_PROBE_ACK, .size = rows[i].says };
        router_control(&w, &c, rows[i].size);
        world_run(&w, time_ms(30));
        assert_int_equal(client_engine_want(&w.e)->mtu, 1280);
    }
    /* in fragments is not whole */
    router_control(&w, &(struct control){ .type = TLV_FRAG_PROBE_ACK, .size = 1472 }, 1472);
    world_run(&w, time_ms(30));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1280);
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
    client_engine_path(&w.e, 1420, w.now);
    world_run(&w, time_ms(1));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1354);
    assert_int_equal(w.r.mtu_set, 1354);
    client_engine_path(&w.e, 1500, w.now);
    world_run(&w, time_ms(100));
    assert_int_equal(client_engine_want(&w.e)->mtu, 1434);
    assert_int_equal(w.r.mtu_set, 1434);
}

/* An interface too narrow for 1280 + 66: nothing is sent that it would refuse. */
static void test_fragmentation(void **state) /* R42 */
{
    (void)state;
    world_init(&w);
    world_start(&w);
    client_engine_path(&w.e, 1300, w.now);
    world_run(&w, time_s(10));
    world_tap(&w, w.r.settings.router_mac, 1280);
    assert_int_equal(w.sent[w.n_sent - 1].len, 1280 + 32);
    for (unsigned i = 0; i < w.n_sent; i++)
        assert_true(w.sent[i].len <= 1272 || w.sent[i].flags == DGRAM_MAY_FRAGMENT);
    /* it was wider before, and narrows under a live tunnel: from the first packet on */
    world_init(&w);
    world_login(&w);
    client_engine_path(&w.e, 1300, w.now);
    unsigned n = w.n_sent;
    world_run(&w, time_ms(1));
    world_tap(&w, w.r.settings.router_mac, 1280);
    world_run(&w, time_s(10));
    for (unsigned i = n; i < w.n_sent; i++)
        assert_true(w.sent[i].len <= 1272 || w.sent[i].flags == DGRAM_MAY_FRAGMENT);
    assert_true(w.r.fragment);
}

/* The router probes too: answered at full size, and only when it is what arrived. */
static void test_probed(void **state)
{
    (void)state;
    world_init(&w);
    world_login(&w);
    unsigned n = w.n_sent;
    w.e.tunnel.fragment = true; /* probes have a DF of their own */
    router_control(&w, &(struct control){ .type = TLV_MTU_PROBE, .size = 900 }, 900);
    router_control(&w, &(struct control){ .type = TLV_MTU_PROBE, .size = 1400 }, 900);
    router_control(&w, &(struct control){ .type = TLV_FRAG_PROBE, .size = 800 }, 800);
    assert_int_equal(w.n_flight, 3);
    struct dgram d = { .peer = w.live,
                       .len = w.flight[0].len,
                       .p = w.flight[0].buf + PKT_HEADROOM };
    w.r.mute = true;
    client_engine_udp(&w.e, w.now, &w.rnd, &d, 1, &w.out);
    assert_int_equal(w.out.n_dg, 1);
    assert_int_equal(w.out.dg[0].len, 900);
    assert_int_equal(w.out.dg[0].flags, DGRAM_ALONE);
    out_reset(&w.out);
    d.len = w.flight[2].len;
    d.p = w.flight[2].buf + PKT_HEADROOM;
    client_engine_udp(&w.e, w.now, &w.rnd, &d, 1, &w.out);
    assert_int_equal(w.out.n_dg, 1);
    assert_int_equal(w.out.dg[0].len, 800);
    assert_int_equal(w.out.dg[0].flags, DGRAM_MAY_FRAGMENT);
    out_reset(&w.out);
    w.flight[0] = w.flight[1];
    w.n_flight = 1;
    world_run(&w, time_ms(30));
    assert_int_equal(w.n_sent, n);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_cap),          cmocka_unit_test(test_paths),
        cmocka_unit_test(test_lost_confirm), cmocka_unit_test(test_raise),
        cmocka_unit_test(test_black_hole),   cmocka_unit_test(test_dead_is_not_narrow),
        cmocka_unit_test(test_blocked),      cmocka_unit_test(test_late_answer),
        cmocka_unit_test(test_cost),         cmocka_unit_test(test_told_again),
        cmocka_unit_test(test_too_long),     cmocka_unit_test(test_false_answers),
        cmocka_unit_test(test_interface),    cmocka_unit_test(test_fragmentation),
        cmocka_unit_test(test_probed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
