/* SPDX-License-Identifier: MIT */
/* test_alive.c - keepalives, loss, hold, NUDGE, goodbye of the client */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "client/traffic.h"
#include "fake_router.h"
#include "proto/mac.h"
#include "proto/nd.h"

static struct world w;

static int setup(void **state)
{
    (void)state;
    world_init(&w);
    return 0;
}

static int teardown(void **state)
{
    (void)state;
    world_free(&w);
    return 0;
}

/* Nothing sent: one request per keepalive time, each answered, no loss. */
static void test_idle(void **state) /* R59, R60 */
{
    static const struct {
        uint16_t config, router;
        unsigned n; /* in 100 s */
    } rows[] = { { 0, 20, 4 }, { 15, 20, 6 }, { 60, 20, 4 }, { 0, 120, 0 }, { 60, 120, 1 } };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_init(&w);
        w.cfg.keepalive_s = rows[i].config;
        w.r.settings.keepalive_s = rows[i].router;
        world_login(&w);
        world_run(&w, time_s(97));
        assert_int_equal(w.r.keepalives, rows[i].n);
        assert_int_equal(world_count(&w, EVENT_ROUTER_LOST), 0);
        assert_int_equal(w.e.alive.rtt, rows[i].n ? w.rtt : 0);
    }
}

/* Data sent and nothing heard: asked after 1 s, lost after 5 unanswered ones. */
static void test_suspicion(void **state)
{
    (void)state;
    world_login(&w);
    w.r.mute = true;
    mono_ns start = w.now;
    world_tap(&w, w.r.settings.router_mac, 100);
    unsigned first = w.n_sent;
    world_run(&w, time_s(20));
    unsigned n = first;
    for (unsigned i = first; i < w.n_sent;
         i++) /* but probes of the MTU, which have other lengths */
        if (w.sent[i].type != WIRE_DATA || w.sent[i].len == DATA_MIN_LEN + 12 + 6)
            w.sent[n++] = w.sent[i];
    for (unsigned i = 0; i < KEEPALIVE_LOST; i++) {
        assert_int_equal(w.sent[first + i].type, WIRE_DATA);
        assert_int_equal(w.sent[first + i].at - start, KEEPALIVE_SUSPECT + time_s(i));
    }
    assert_int_equal(w.sent[first + KEEPALIVE_LOST].type, WIRE_LOGIN);
    assert_int_equal(w.sent[first + KEEPALIVE_LOST].at - start,
                     KEEPALIVE_SUSPECT + time_s(KEEPALIVE_LOST));
    assert_int_equal(world_count(&w, EVENT_ROUTER_LOST), 1);
    assert_int_equal(w.e.state, CLIENT_HELD);
}

/* Data that is answered in time draws no request. */
static void test_no_suspicion(void **state)
{
    (void)state;
    world_login(&w);
    for (unsigned i = 0; i < 30; i++) {
        world_tap(&w, w.r.settings.router_mac, 100);
        world_run(&w, KEEPALIVE_SUSPECT - 2 * w.rtt);
        router_control(&w, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = i }, 0);
        world_run(&w, time_s(2));
    }
    assert_int_equal(w.r.keepalives, 0);
    assert_int_equal(w.r.keepalive_acks, 30);
}

static void test_hold(void **state)
{
    (void)state;
    world_login(&w);
    uint32_t serial = client_engine_want(&w.e)->serial;
    w.r.mute = true;
    world_run(&w, time_s(26)); /* asked at 20, lost at 25 or a little before */
    mono_ns lost = world_last(&w, EVENT_ROUTER_LOST)->time;
    world_run(&w, lost + time_s(HOLD_DEFAULT_S) - 1 - w.now);
    assert_int_equal(w.e.state, CLIENT_HELD);
    assert_int_equal(client_engine_want(&w.e)->serial, serial);
    world_run(&w, 1);
    assert_int_equal(w.e.state, CLIENT_START);
    assert_false(client_engine_want(&w.e)->carrier);
    assert_false(client_engine_want(&w.e)->default_route);
    assert_int_equal(w.frames, 0); /* no RA: the kernel does not listen in this mode */
    assert_int_equal(world_count(&w, EVENT_HOLD_OVER), 1);
    router_restart(&w);
    w.r.mute = false;
    world_run(&w, time_s(20));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_true(client_engine_want(&w.e)->carrier && client_engine_want(&w.e)->default_route);
}

static void test_back_within_hold(void **state)
{
    (void)state;
    world_login(&w);
    w.r.mute = true;
    world_run(&w, time_s(30));
    router_restart(&w);
    w.r.mute = false;
    world_run(&w, time_s(16));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1); /* never off */
    world_run(&w, time_s(60));
    assert_int_equal(world_count(&w, EVENT_HOLD_OVER), 0);
}

/* Only silence: the same member is there again, so nothing needs to be done. */
static void test_heard_again(void **state)
{
    (void)state;
    world_login(&w);
    w.r.mute = true;
    world_run(&w, time_s(27));
    assert_int_equal(w.e.state, CLIENT_HELD);
    w.r.mute = false;
    w.r.mute_outside = true; /* the LOGINs under way do not get through */
    router_control(&w, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 1 }, 0);
    world_run(&w, time_ms(50));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(world_count(&w, EVENT_ROUTER_BACK), 1);
    mono_ns from = w.now;
    world_run(&w, time_s(60));
    assert_int_equal(world_sent(&w, WIRE_LOGIN, from), 0);
    assert_int_equal(w.e.state, CLIENT_UP);
}

static void test_hold_ra(void **state)
{
    struct frame f;
    struct nd nd;
    (void)state;

    w.cfg.configure = CONFIGURE_RA;
    w.cfg.hold_s = 0;
    world_login(&w);
    w.r.mute = true;
    world_run(&w, time_s(27));
    mono_ns over = world_last(&w, EVENT_HOLD_OVER)->time;
    assert_int_equal(w.frames, 1);
    assert_memory_equal(w.frame, "\x33\x33\0\0\0\x01", 6);
    assert_memory_equal(w.frame + 6, w.r.settings.router_mac.b, 6);
    assert_int_equal(frame_parse(&f, w.frame + 14, w.frame_len - 14), DROP_NONE);
    assert_int_equal(nd_parse(&nd, &f), DROP_NONE);
    assert_int_equal(nd.type, ND_RA);
    assert_int_equal(nd.lifetime_s, 0);
    assert_true(ip6_eq(nd.src, mac_link_local(w.r.settings.router_mac)));
    /* carrier goes after the RA, not with it */
    assert_int_equal(world_last(&w, EVENT_CARRIER)->a, 0);
    assert_true(world_last(&w, EVENT_CARRIER)->time > over);
}

static void give_nudge(const uint8_t *hdr, struct endpoint from)
{
    uint8_t data[DATA_MIN_LEN] = { 0 }, nudge[NUDGE_LEN];

    memcpy(data, hdr, DATA_HDR_LEN);
    wire_put_nudge(nudge, data);
    world_give(&w, nudge, sizeof(nudge), from, w.e.tunnel.sock);
    world_run(&w, 0);
}

static void test_nudge_rules(void **state)
{
    static const struct {
        const char *what;
        int port;        /* added to the router's */
        unsigned index;  /* added */
        int counter;     /* added */
        unsigned age_ms; /* of the DATA */
        bool taken;
    } rows[] = {
        { "right", 0, 0, 0, 0, true },
        { "from another port", 1, 0, 0, 0, false },
        { "another index", 0, 1, 0, 0, false },
        { "a counter not sent yet", 0, 0, 1, 0, false },
        { "a counter never to be sent", 0, 0, 1 << 30, 0, false },
        { "just young enough", 0, 0, 0, 5000, true },
        { "too old", 0, 0, 0, 5001, false },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_init(&w);
        world_login(&w);
        world_run(&w, time_s(1));
        world_tap(&w, w.r.settings.router_mac, 100);
        uint8_t hdr[DATA_HDR_LEN];
        memcpy(hdr, w.r.last_hdr, sizeof(hdr));
        /* heard, so that no request is sent in between */
        router_control(&w, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = 0 }, 0);
        world_run(&w, time_ms(rows[i].age_ms));
        be32_store(hdr + 4, wire_data_index(hdr) + rows[i].index);
        be64_store(hdr + 8, wire_data_counter(hdr) + (uint64_t)rows[i].counter);
        struct endpoint from = { w.live.ip,
                                 be16_of((uint16_t)(be16_get(w.live.port) + rows[i].port)) };
        mono_ns at = w.now;
        give_nudge(hdr, from);
        if (world_sent(&w, WIRE_LOGIN, at) != rows[i].taken)
            fail_msg("%s", rows[i].what);
        assert_int_equal(world_count(&w, EVENT_NUDGE), rows[i].taken);
        assert_int_equal(w.e.state, CLIENT_UP); /* the live member goes on meanwhile */
        world_run(&w, time_s(1));
        assert_int_equal(w.e.logins, 1 + rows[i].taken);
    }
}

/* Each bit of a NUDGE: only counters that were sent, under the index they were sent with, count. */
static void test_nudge_bits(void **state)
{
    static struct world before;
    uint8_t nudge[NUDGE_LEN], data[DATA_MIN_LEN] = { 0 };
    (void)state;

    world_init(&w);
    world_login(&w);
    world_tap(&w, w.r.settings.router_mac, 100);
    memcpy(data, w.r.last_hdr, DATA_HDR_LEN);
    before = w;
    for (unsigned bit = 0; bit <= 8 * NUDGE_LEN; bit++) {
        memcpy(&w, &before, sizeof(w)); /* stays where it is: the engine points into itself */
        wire_put_nudge(nudge, data);
        if (bit < 8 * NUDGE_LEN)
            nudge[bit / 8] ^= (uint8_t)(1u << bit % 8);
        bool right = bit == 8 * NUDGE_LEN ||
                     (bit / 8 >= 8 && be64_load(nudge + 8) < wire_data_counter(data));
        world_give(&w, nudge, sizeof(nudge), w.live, w.e.tunnel.sock);
        if (world_count(&w, EVENT_NUDGE) != right)
            fail_msg("bit %u", bit);
    }
}

/* At most one login per 2 s, and with jitter, however many come. */
static void test_nudge_rate(void **state)
{
    (void)state;
    world_login(&w);
    world_run(&w, time_s(1));
    w.r.mute_outside = true;
    mono_ns from = w.now;
    for (unsigned i = 0; i < 200; i++) { /* 20 s */
        world_tap(&w, w.r.settings.router_mac, 100);
        for (unsigned k = 0; k < 10; k++)
            give_nudge(w.r.last_hdr, w.live);
        router_control(&w, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = 0 }, 0);
        world_run(&w, time_ms(100));
    }
    assert_in_range(world_count(&w, EVENT_NUDGE), 7, 10);
    assert_in_range(world_sent(&w, WIRE_LOGIN, from), 7, 24); /* each with one copy at most */
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
}

/* Counters of the keypair before say nothing about those of the one sent with now. */
static void test_nudge_after_rekey(void **state)
{
    (void)state;
    world_login(&w);
    for (unsigned i = 0; i < 50; i++)
        world_tap(&w, w.r.settings.router_mac, 100);
    uint8_t old[DATA_HDR_LEN], hdr[DATA_HDR_LEN];
    memcpy(old, w.r.last_hdr, sizeof(old));
    w.e.tunnel.keys.rekey_at = w.now;
    world_run(&w, time_s(1));
    assert_int_equal(w.e.rekeys, 1);
    world_tap(&w, w.r.settings.router_mac, 100);
    memcpy(hdr, w.r.last_hdr, sizeof(hdr));
    be64_store(hdr + 8, wire_data_counter(old));
    give_nudge(hdr, w.live);
    give_nudge(old, w.live);
    assert_int_equal(world_count(&w, EVENT_NUDGE), 0);
    give_nudge(w.r.last_hdr, w.live);
    assert_int_equal(world_count(&w, EVENT_NUDGE), 1);
}

/* NUDGEs drew a login that cannot get through, but the keypair lives: it must not run out for that.
 */
static void test_nudge_then_flood(void **state)
{
    (void)state;
    for (unsigned busy = 0; busy < 2; busy++) {
        world_init(&w);
        world_login(&w);
        world_run(&w, time_s(1));
        w.r.mute_outside = !busy;
        w.r.verdict = busy ? VERDICT_BUSY : VERDICT_OK;
        w.r.backoff_s = 300;
        world_tap(&w, w.r.settings.router_mac, 100);
        give_nudge(w.r.last_hdr, w.live);
        world_run(&w, time_s(5));
        w.r.verdict = VERDICT_OK;
        world_run(&w, time_s(600));
        assert_int_equal(world_count(&w, EVENT_NUDGE), 1);
        assert_in_range(w.e.rekeys, 4, 6);
        assert_int_equal(w.e.logins, 1);
        assert_int_equal(world_count(&w, EVENT_KEYS_EXPIRED), 0);
        assert_int_equal(w.e.state, CLIENT_UP);
    }
}

/* The router restarts under traffic: back after one NUDGE, without loss of the device. */
static void test_router_restart(void **state)
{
    (void)state;
    world_login(&w);
    world_run(&w, time_s(1));
    w.rtt = time_ms(150); /* long enough for a second CONFIRM */
    world_tap(&w, w.r.settings.router_mac, 100);
    router_restart(&w);
    w.r.mtu_set = 0;
    mono_ns from = w.now;
    give_nudge(w.r.last_hdr, w.live);
    world_run(&w, time_ms(500));
    assert_int_equal(world_count(&w, EVENT_MTU), 1); /* it did not dip */
    assert_int_equal(w.e.logins, 2);
    assert_int_equal(world_last(&w, EVENT_LOGGED_IN)->time - from, 2 * w.rtt);
    assert_int_equal(w.r.mtu_set, 1434);
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
}

static void test_refused_port(void **state)
{
    (void)state;
    world_login(&w);
    world_run(&w, time_s(1));
    struct endpoint other = { be32_of(0xc6336499), be16_of(6464) };
    client_engine_refused(&w.e, 0, other, w.now);
    client_engine_refused(&w.e, 1, w.live, w.now);
    world_run(&w, time_s(1));
    assert_int_equal(w.r.logins, 1);
    w.r.mute_outside = true;
    mono_ns from = w.now;
    for (unsigned i = 0; i < 600; i++) {
        client_engine_refused(&w.e, 0, w.live, w.now);
        world_run(&w, time_ms(10));
    }
    assert_in_range(world_sent(&w, WIRE_LOGIN, from), 2, 5);
    assert_int_equal(w.e.state, CLIENT_UP);
    /* while logging in anew after a loss it does not undo the back-off */
    w.r.mute = true;
    world_run(&w, time_s(100));
    assert_int_equal(w.e.state, CLIENT_START);
    from = w.now;
    for (unsigned i = 0; i < 600; i++) {
        client_engine_refused(&w.e, 0, w.live, w.now);
        world_run(&w, time_ms(100));
    }
    assert_in_range(world_sent(&w, WIRE_LOGIN, from), 3, 6);
}

static void test_goodbye(void **state)
{
    static const struct {
        enum goodbye why;
        unsigned least_ms, most_ms;
    } rows[] = {
        { GOODBYE_SHUTDOWN, 500, 1500 }, { GOODBYE_REMOVED, 12000, 18000 }, { GOODBYE_IDLE, 0, 0 },
        { GOODBYE_PSK, 0, 0 },           { (enum goodbye)77, 0, 0 },
    };
    (void)state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        world_init(&w);
        world_login(&w);
        router_control(&w, &(struct control){ .type = TLV_GOODBYE, .goodbye = rows[i].why }, 0);
        /* what was under way behind it does not undo it */
        router_control(&w, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = 0 }, 0);
        router_restart(&w);
        mono_ns at = w.now + w.rtt;
        world_run(&w, w.rtt);
        world_tap(&w, w.r.settings.router_mac, 100); /* traffic does not make it hasty */
        assert_int_equal(w.e.state, CLIENT_HELD);
        assert_true(client_engine_want(&w.e)->carrier);
        assert_int_equal(world_last(&w, EVENT_GOODBYE)->a, rows[i].why);
        world_run(&w, time_s(19));
        assert_in_range(world_sent_nth(&w, WIRE_LOGIN, 1)->at - at, time_ms(rows[i].least_ms),
                        time_ms(rows[i].most_ms));
        assert_int_equal(w.e.state, CLIENT_UP);
    }
}

/* What opens under previous decides nothing: its goodbye is ignored. */
static void test_goodbye_of_previous(void **state)
{
    (void)state;
    world_login(&w);
    struct keyset old = w.r.keys; /* a router that has not noticed the rekey */
    w.e.tunnel.keys.rekey_at = w.now;
    world_run(&w, time_s(1));
    assert_int_equal(w.e.rekeys, 1);
    struct keyset now = w.r.keys;
    w.r.keys = old;
    uint64_t rx = w.e.tunnel.rx_datagrams;
    w.r.keys.current.tx_counter += 100;
    router_control(&w, &(struct control){ .type = TLV_GOODBYE }, 0);
    w.r.keys = now;
    world_run(&w, time_s(1));
    assert_int_equal(w.e.tunnel.rx_datagrams, rx + 1); /* it did open */
    assert_int_equal(world_count(&w, EVENT_GOODBYE), 0);
    assert_int_equal(w.e.state, CLIENT_UP);
}

static void test_stop(void **state)
{
    (void)state;
    for (int ra = 0; ra < 2; ra++) {
        world_init(&w);
        w.cfg.configure = ra ? CONFIGURE_RA : CONFIGURE_NETLINK;
        world_login(&w);
        client_engine_stop(&w.e, w.now, &w.rnd, &w.out);
        world_tick(&w);
        assert_int_equal(w.r.goodbyes, 1);
        assert_int_equal(w.frames, ra);
        assert_false(client_engine_want(&w.e)->carrier);
        assert_int_equal(client_engine_deadline(&w.e, w.now), NEVER);
        unsigned n = w.n_sent;
        world_run(&w, time_s(400));
        world_tick(&w);
        client_engine_stop(&w.e, w.now, &w.rnd, &w.out);
        world_tap(&w, w.r.settings.router_mac, 100);
        assert_int_equal(w.n_sent, n);
    }
}

/* H81: an hour of sleep. The keys are too old; the login starts at once. */
static void test_suspend(void **state)
{
    (void)state;
    world_login(&w);
    w.now += time_s(3600);
    router_restart(&w);
    mono_ns woke = w.now;
    world_run(&w, time_s(1));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(world_last(&w, EVENT_LOGGED_IN)->time - woke, 2 * w.rtt);
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
}

/* A new address or route: the router is asked at once, so that it learns the new endpoint. */
static void test_network_changed(void **state)
{
    (void)state;
    world_login(&w);
    mono_ns at = w.now;
    client_engine_network_changed(&w.e, w.now);
    world_run(&w, time_ms(100));
    assert_int_equal(w.r.keepalives, 1);
    assert_int_equal(w.sent[w.n_sent - 1].at, at);
    w.r.mute = true;
    world_run(&w, time_s(100)); /* lost, backed off to 15 s */
    router_restart(&w);
    w.r.mute = false;
    world_run(&w, time_s(2));
    client_engine_network_changed(&w.e, w.now);
    world_run(&w, time_ms(100));
    assert_int_equal(w.e.state, CLIENT_UP);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_idle),
        T(test_suspicion),
        T(test_no_suspicion),
        T(test_hold),
        T(test_back_within_hold),
        T(test_heard_again),
        T(test_hold_ra),
        T(test_nudge_rules),
        T(test_nudge_bits),
        T(test_nudge_rate),
        T(test_router_restart),
        T(test_nudge_then_flood),
        T(test_nudge_after_rekey),
        T(test_refused_port),
        T(test_goodbye),
        T(test_goodbye_of_previous),
        T(test_stop),
        T(test_suspend),
        T(test_network_changed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
