/* SPDX-License-Identifier: MIT */
/* test_login.c - tries, cookies, verdicts, collisions, confirmation and rekey of the client */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

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

/* between() - @d is @ms, give or take @pct per cent */
static void about(mono_ns d, uint64_t ms, unsigned pct)
{
    assert_in_range(d, time_ms(ms) / 100 * (100 - pct), time_ms(ms) / 100 * (100 + pct));
}

/* no_network() - nobody can use the device yet */
static void no_network(const struct world *wo)
{
    const struct device_want *d = client_engine_want(&wo->e);

    assert_false(d->carrier || d->default_route);
}

/* The addresses of a device that is down are made while the CONFIRM is under way; `configure: ra`
 * is different, since a kernel that gets an address without carrier solicits in vain. */
static void test_prepared(void **state)
{
    static const enum configure_mode modes[] = { CONFIGURE_NETLINK, CONFIGURE_RA, CONFIGURE_NONE };
    const struct device_want *d = client_engine_want(&w.e);
    (void)state;

    for (unsigned i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
        world_init(&w);
        w.cfg.configure = modes[i];
        world_start(&w);
        world_run(&w, w.rtt); /* LOGIN_REPLY */
        assert_int_equal(w.e.state, CLIENT_START);
        no_network(&w);
        assert_int_equal(d->created, modes[i] == CONFIGURE_NETLINK);
        if (d->created) {
            assert_true(mac_eq(d->mac, w.r.settings.mac));
            assert_int_equal(d->n_address, 1);
        }
        world_run(&w, w.rtt); /* CONFIRM_ACK */
        assert_true(d->created && d->carrier && d->default_route);
        assert_int_equal(world_count(&w, EVENT_SETTINGS_CHANGED), 0);
        assert_int_equal(world_count(&w, EVENT_MAC_CHANGED), 0);
        world_free(&w);
    }
    world_init(&w);
}

/* The path is narrower than the big CONFIRM: carrier waits, but what the router says first is
 * heard. */
static void test_first_words(void **state)
{
    uint8_t ns[80];
    (void)state;

    w.r.path = 1400;
    world_start(&w);
    world_run(&w, w.rtt);
    struct ip6 us = mac_link_local(w.r.settings.mac), router = w.r.settings.segment.addr;
    router.b[15] = 1;
    size_t len = nd_build_ns(ns, router, us, us, &w.r.settings.router_mac, NULL);
    world_run(&w, w.rtt);
    assert_false(client_engine_want(&w.e)->carrier);
    unsigned frames = w.frames;
    router_data(&w, KIND_HOST, ns, len);
    world_run(&w, w.rtt);
    assert_int_equal(w.frames, frames + 1);
    assert_int_equal(w.e.drop[DROP_NOT_UP], 0);
    assert_false(client_engine_want(&w.e)->carrier);
    world_run(&w, CARRIER_WAIT);
    assert_true(client_engine_want(&w.e)->carrier);
}

/* In `configure: ra` an advertisement waits for carrier; the last one counts, and it is said once.
 */
static void test_early_advertisement(void **state)
{
    uint8_t p[ND_PACKET_MAX];
    struct nd_ra ra = { .hop_limit = 64 };
    (void)state;

    w.cfg.configure = CONFIGURE_RA;
    w.r.path = 1400;
    world_start(&w);
    world_run(&w, 2 * w.rtt);
    ra.slla = w.r.settings.router_mac;
    unsigned frames = w.frames;
    for (unsigned i = 0; i < 2; i++) {
        size_t len = nd_build_ra(p, mac_link_local(ra.slla), mac_link_local(w.r.settings.mac), &ra);
        router_data(&w, KIND_HOST, p, len);
        world_run(&w, w.rtt);
    }
    assert_false(client_engine_want(&w.e)->carrier);
    assert_int_equal(w.frames, frames);
    world_run(&w, CARRIER_WAIT);
    assert_true(client_engine_want(&w.e)->carrier);
    assert_int_equal(w.frames, frames + 1);
    assert_int_equal(w.e.drop[DROP_NOT_UP], 0);
    size_t len = nd_build_ra(p, mac_link_local(ra.slla), mac_link_local(w.r.settings.mac), &ra);
    router_data(&w, KIND_HOST, p, len);
    world_run(&w, w.rtt);
    assert_int_equal(w.frames, frames + 2);
}

static void test_first_login(void **state)
{
    (void)state;
    mono_ns start = w.now;

    world_start(&w);
    assert_int_equal(client_engine_want(&w.e)->serial, 0);
    assert_true(client_engine_sock(&w.e, 0).wanted);
    assert_int_equal(client_engine_sock(&w.e, 0).port, 4711);
    world_run(&w, time_s(1));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(w.r.logins, 1);
    assert_int_equal(w.r.payload.tries, 0);
    assert_int_equal(world_sent_nth(&w, WIRE_LOGIN, 0)->len, LOGIN_LEN);

    const struct device_want *d = client_engine_want(&w.e);
    assert_true(d->created && d->carrier && d->default_route && d->on_link);
    assert_true(mac_eq(d->mac, w.r.settings.mac));
    assert_true(mac_eq(d->router_mac, w.r.settings.router_mac));
    assert_int_equal(d->n_address, 1);
    assert_memory_equal(&d->address[0], &w.r.settings.address[0], sizeof(struct seg_addr));
    assert_int_equal(d->segment.len, 64);
    /* one round trip for the LOGIN, one for the CONFIRM, and the big one came back too */
    assert_int_equal(world_last(&w, EVENT_CARRIER)->time - start, 2 * w.rtt);
    assert_int_equal(d->mtu, 1434);
    assert_int_equal(w.r.mtu_set, 1434);
    assert_int_equal(world_last(&w, EVENT_LOGGED_IN)->a, 40);
    assert_int_equal(w.r.nothing, 0);
}

/* No router at all: every second LOGIN repeats the one before, after it the wait doubles, up to 15
 * s. */
static void test_retransmission(void **state) /* R58 */
{
    static const unsigned wait_ms[] = { 1000, 1000, 2000, 2000, 4000, 4000, 8000, 8000, 15000 };
    (void)state;

    w.r.mute = true;
    world_start(&w);
    world_run(&w, time_s(120));
    for (unsigned i = 0; i < sizeof(wait_ms) / sizeof(wait_ms[0]); i++) {
        mono_ns d =
            world_sent_nth(&w, WIRE_LOGIN, i + 1)->at - world_sent_nth(&w, WIRE_LOGIN, i)->at;
        about(d, wait_ms[i], LOGIN_JITTER_PCT);
        assert_true(d <= LOGIN_BACKOFF_MAX);
    }
    assert_int_equal(world_count(&w, EVENT_SILENCE), world_sent(&w, WIRE_LOGIN, 0) - 1);
    assert_false(client_engine_want(&w.e)->created);
    /* R58: without traffic at most 60 in ten minutes */
    world_run(&w, time_s(480));
    assert_in_range(world_sent(&w, WIRE_LOGIN, 0), 40, 60);
    assert_true(w.resolves > 20); /* the name is asked for again and again */
}

static void test_same_login_once_more(void **state)
{
    (void)state;
    unsigned seen = 0;

    w.rtt = time_s(100000); /* answers never arrive */
    world_start(&w);
    for (unsigned i = 1; i <= 4; i++) {
        while (w.r.logins < i)
            world_run(&w, time_ms(100));
        bool same = memcmp(w.r.msg[0], w.r.msg[1], LOGIN_LEN) == 0;
        assert_int_equal(same, i % 2 == 0);
        seen++;
    }
    assert_int_equal(seen, 4);
}

/* An answer to the first copy that comes after the second was sent still counts. */
static void test_late_reply(void **state)
{
    (void)state;
    w.rtt = time_ms(1500);
    world_start(&w);
    world_run(&w, time_s(6));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(w.r.logins, 2);
    assert_int_equal(world_last(&w, EVENT_LOGGED_IN)->a, 3000);
}

static void test_traffic_hurries(void **state)
{
    (void)state;
    w.r.mute = true;
    world_start(&w);
    world_run(&w, time_s(100));
    mono_ns from = w.now;
    for (unsigned i = 0; i < 40; i++) {
        login_wanted(&w.e.login, w.now);
        world_run(&w, time_ms(500));
    }
    assert_in_range(world_sent(&w, WIRE_LOGIN, from), 8, 11); /* in 20 s, one per 2 s */
}

static void test_cookie(void **state)
{
    (void)state;
    mono_ns start = w.now;

    w.r.want_cookie = true;
    world_start(&w);
    world_run(&w, time_s(1));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(w.r.logins, 2);
    assert_true(w.r.payload.has_cookie);
    assert_int_equal(world_sent_nth(&w, WIRE_LOGIN, 1)->at - start, w.rtt);
    assert_int_not_equal(be32_load(w.r.msg[0] + 4), be32_load(w.r.msg[1] + 4)); /* a new LOGIN */
}

static void test_cookie_once_per_try(void **state)
{
    (void)state;
    w.r.always_cookie = true;
    world_start(&w);
    world_run(&w, time_ms(700)); /* before the second try at 1 s - 20 % */
    assert_int_equal(w.r.logins, 2);
    assert_int_equal(world_count(&w, EVENT_COOKIE), 2);
    world_run(&w, time_s(60));
    assert_in_range(w.r.logins, 8, 28);
}

/* With a cookie inside, no LOGIN is sent twice. */
static void test_cookie_never_repeated(void **state)
{
    (void)state;
    w.r.want_cookie = true;
    world_start(&w);
    world_run(&w, w.rtt); /* the COOKIE came, the LOGIN with it went */
    assert_int_equal(w.r.logins, 2);
    for (unsigned i = 3; i <= 5; i++) {
        w.n_flight = 0; /* its answer is lost */
        while (w.r.logins < i)
            world_run(&w, time_ms(1));
        assert_true(w.r.payload.has_cookie);
        assert_memory_not_equal(w.r.msg[0], w.r.msg[1], LOGIN_LEN);
    }
}

/* A COOKIE that was not asked for, from elsewhere, or changed: no LOGIN follows. */
static void test_cookie_forged(void **state)
{
    uint8_t login[LOGIN_LEN], cookie[COOKIE_MSG_LEN];
    struct endpoint from = { be32_of(0xc6336401), be16_of(4000) };
    struct endpoint other = { be32_of(0xc6336499), be16_of(6464) };
    (void)state;

    w.r.mute = true;
    world_start(&w);
    world_run(&w, time_ms(1));
    memcpy(login, w.e.login.msg, LOGIN_LEN);
    cookie_answer(&w.r.jar, login, from, &w.router_rnd, cookie);
    world_give(&w, cookie, sizeof(cookie), other, 0);
    assert_int_equal(w.e.drop[DROP_SOURCE_EP], 1);
    for (unsigned bit = 0; bit < 8 * COOKIE_MSG_LEN; bit++) {
        cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
        world_give(&w, cookie, sizeof(cookie), w.live, 0);
        cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_int_equal(world_sent(&w, WIRE_LOGIN, 0), 1);
    assert_int_equal(world_count(&w, EVENT_COOKIE), 0);
    world_give(&w, cookie, sizeof(cookie), w.live, 0);
    assert_int_equal(world_sent(&w, WIRE_LOGIN, 0), 2);
    world_give(&w, cookie, sizeof(cookie), w.live, 0); /* replayed */
    assert_int_equal(world_sent(&w, WIRE_LOGIN, 0), 2);
    assert_int_equal(w.e.drop[DROP_REPLY_UNASKED] > 0, true);
}

static void test_wrong_psk(void **state)
{
    (void)state;
    w.r.psk[0] ^= 1;
    world_start(&w);
    world_run(&w, time_s(30));
    assert_int_equal(w.e.state, CLIENT_START);
    assert_true(w.r.logins >= 3);
    /* said once per LOGIN, and not called silence */
    assert_in_range(world_count(&w, EVENT_REPLY_BAD), 1, w.r.logins);
    assert_int_equal(world_count(&w, EVENT_SILENCE), 0);
    assert_int_equal(w.e.drop[DROP_REPLY_OPEN], w.r.logins);
    w.r.psk[0] ^= 1; /* mended at the router: in with the next new LOGIN */
    world_run(&w, time_s(31));
    assert_int_equal(w.e.state, CLIENT_UP);
}

static void test_refused(void **state)
{
    (void)state;
    w.r.verdict = VERDICT_REFUSED;
    w.r.reason = REFUSAL_NO_ADDRESS;
    world_start(&w);
    world_run(&w, time_s(1));
    assert_int_equal(world_last(&w, EVENT_REFUSED)->a, REFUSAL_NO_ADDRESS);
    login_wanted(&w.e.login, w.now); /* traffic does not hurry it */
    world_run(&w, time_s(60));
    about(world_sent_nth(&w, WIRE_LOGIN, 1)->at - world_sent_nth(&w, WIRE_LOGIN, 0)->at, 15020,
          LOGIN_JITTER_PCT);
    assert_in_range(w.r.logins, 4, 6);
    assert_false(client_engine_want(&w.e)->created);
}

static void test_busy(void **state)
{
    static const struct {
        uint16_t says;
        unsigned least_ms, most_ms;
    } rows[] = { { 0, 1000, 1520 }, { 7, 7000, 10520 }, { 60000, 300000, 450020 } };
    (void)state;

    for (unsigned i = 0; i < 3; i++) {
        world_init(&w);
        w.r.verdict = VERDICT_BUSY;
        w.r.backoff_s = rows[i].says;
        world_start(&w);
        world_run(&w, time_s(460));
        mono_ns d = world_sent_nth(&w, WIRE_LOGIN, 1)->at - world_sent_nth(&w, WIRE_LOGIN, 0)->at;
        assert_in_range(d, time_ms(rows[i].least_ms), time_ms(rows[i].most_ms));
        w.r.verdict = VERDICT_OK;
        world_run(&w, time_s(460));
        assert_int_equal(w.e.state, CLIENT_UP);
    }
}

/* three new sockets, a second apart, the old ones open; with the third the router assigns */
static void test_mac_taken(void **state)
{
    (void)state;
    w.r.taken = MAC_TAKEN_TRIES;
    world_start(&w);
    world_run(&w, time_ms(3065));
    for (unsigned i = 0; i < 4; i++) {
        const struct sent *s = world_sent_nth(&w, WIRE_LOGIN, i);
        assert_int_equal(s->sock, i);
        assert_true(client_engine_sock(&w.e, i).wanted);
        assert_int_equal(client_engine_sock(&w.e, i).port, i == 0 ? 4711 : 0);
        if (i)
            assert_int_equal(s->at - world_sent_nth(&w, WIRE_LOGIN, i - 1)->at,
                             MAC_TAKEN_PAUSE + w.rtt);
    }
    world_run(&w, time_s(2));
    assert_int_equal(w.r.payload.tries, 3);
    assert_int_equal(w.r.logins, 4);
    assert_int_equal(world_count(&w, EVENT_MAC_TAKEN), 3);
    assert_int_equal(world_last(&w, EVENT_MAC_TAKEN)->a, 3);
    const struct client_event *ev = world_last(&w, EVENT_MAC_TAKEN);
    assert_true(be16_get(ev->ep.port) && mac_eq(ev->mac, mac_of_endpoint(ev->ep)));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(w.e.tunnel.sock, 3);
    for (unsigned i = 0; i < 4; i++)
        assert_int_equal(client_engine_sock(&w.e, i).wanted, i == 3);
    /* the next collision opens socket 0 again, as another one and on any port */
    router_restart(&w);
    w.r.mute = true;
    world_run(&w, time_s(40));
    w.r.mute = false;
    w.r.taken = 1;
    world_run(&w, time_s(40));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(w.e.tunnel.sock, 0);
    assert_int_equal(client_engine_sock(&w.e, 0).generation, 1);
    assert_int_equal(client_engine_sock(&w.e, 0).port, 0);
}

/* A router that still says mac-taken is asked again from the same socket, once a second. */
static void test_mac_taken_forever(void **state)
{
    (void)state;
    w.r.verdict = VERDICT_MAC_TAKEN;
    world_start(&w);
    world_run(&w, time_s(20));
    assert_in_range(w.r.logins, 15, 21);
    assert_int_equal(w.e.login.sock, 3);
    assert_int_equal(w.r.payload.tries, 3);
    assert_int_equal(w.e.login.sock_generation[3], 1); /* H37: not one more socket */
}

/* H38: a NAT without a free port: back to the socket that had an answer, asking for an assigned MAC
 */
static void test_mac_taken_dry_nat(void **state)
{
    (void)state;
    w.r.taken = MAC_TAKEN_TRIES;
    w.r.deaf_socks = 0xfe;
    world_start(&w);
    world_run(&w, time_s(10));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(w.e.tunnel.sock, 0);
    assert_int_equal(w.r.payload.tries, 3);
    assert_int_equal(w.r.logins, 2);
}

static void test_confirm_schedule(void **state)
{
    static const unsigned at_ms[] = { 0, 100, 400, 1100, 2100, 3100 };
    (void)state;

    w.r.mute_confirm = true;
    world_start(&w);
    world_run(&w, w.rtt);
    mono_ns reply = w.now;
    world_run(&w, time_ms(4099));
    unsigned small = 0, big = 0;
    for (unsigned i = 0; i < w.n_sent; i++) {
        if (w.sent[i].type != WIRE_DATA)
            continue;
        if (w.sent[i].len > PROBE_MIN_LEN) {
            assert_int_equal(w.sent[i].len, 1500 - 28);
            assert_true(w.sent[i].at - reply <= CARRIER_WAIT);
            big++;
        } else {
            assert_in_range(small, 0, 5);
            assert_int_equal(w.sent[i].at - reply, time_ms(at_ms[small]));
            small++;
        }
    }
    assert_int_equal(small, 6);
    assert_int_equal(big, 2);
    assert_int_equal(w.r.logins, 1);
    world_run(&w, time_ms(1)); /* a second after the last one: a new LOGIN */
    assert_int_equal(w.r.logins, 2);
    assert_int_equal(world_count(&w, EVENT_CONFIRM_LOST), 1);
    no_network(&w);
    w.r.mute_confirm = false;
    world_run(&w, time_s(1));
    assert_int_equal(w.e.state, CLIENT_UP);
}

static void test_login_again(void **state)
{
    (void)state;
    w.r.again = true;
    world_start(&w);
    world_run(&w, time_ms(50));
    assert_int_equal(world_count(&w, EVENT_LOGIN_AGAIN), 1);
    assert_int_equal(world_count(&w, EVENT_LOGGED_IN), 0);
    no_network(&w);
    world_run(&w, time_s(1));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_int_equal(w.r.logins, 2);
}

/* Rekeys travel inside; nothing of what the TAP sends is lost; the device notices nothing. */
static void test_rekey(void **state)
{
    (void)state;
    world_login(&w);
    uint32_t serial = client_engine_want(&w.e)->serial;
    unsigned sent = 0;

    for (unsigned i = 0; i < 6000; i++) { /* 600 s */
        world_tap(&w, w.r.settings.router_mac, 100);
        sent++;
        if (i % 10 == 0) /* something is heard as well */
            router_control(&w, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = i }, 0);
        world_run(&w, time_ms(100));
        w.n_sent = 0;
    }
    assert_int_equal(w.r.data, sent);
    assert_int_equal(w.r.logins, 1);
    assert_in_range(w.r.inside, 4, 5); /* every 120 s +-10 % */
    assert_int_equal(w.e.rekeys, w.r.inside);
    assert_int_equal(client_engine_want(&w.e)->serial, serial);
    assert_int_equal(w.r.nothing, 0);
    assert_int_equal(w.r.big_confirms, 1); /* the path is known */
}

/* The live keypair does not answer the rekey: after four tries it goes outside, and data flows on.
 */
static void test_rekey_falls_back(void **state)
{
    (void)state;
    world_login(&w);
    w.e.tunnel.keys.rekey_at = w.now;
    w.r.psk[0] ^= 1; /* replies do not open, inside or outside */
    world_run(&w, time_s(20));
    assert_int_equal(w.r.inside, 4);
    assert_in_range(w.r.logins, 2, 7);
    about(world_sent_nth(&w, WIRE_LOGIN, 2)->at - world_sent_nth(&w, WIRE_LOGIN, 1)->at, 1000,
          LOGIN_JITTER_PCT); /* its back-off starts anew */
    assert_int_equal(w.e.state, CLIENT_UP);
    world_tap(&w, w.r.settings.router_mac, 100);
    assert_int_equal(w.r.data, 1);
    w.r.psk[0] ^= 1;
    world_run(&w, time_s(20));
    assert_int_equal(w.e.logins + w.e.rekeys, 2); /* either way is fine */
    assert_int_equal(w.e.login.state, LOGIN_IDLE);
}

/* Another MAC and other addresses after a login: said in place, carrier stays. */
static void test_change_in_place(void **state)
{
    (void)state;
    world_login(&w);
    uint32_t serial = client_engine_want(&w.e)->serial;

    w.r.settings.mac.b[5] ^= 1;
    w.r.settings.address[0].addr.b[15] ^= 1;
    w.e.tunnel.keys.rekey_at = w.now;
    world_run(&w, time_s(1));
    assert_true(client_engine_want(&w.e)->serial > serial);
    assert_true(client_engine_want(&w.e)->carrier);
    assert_true(mac_eq(client_engine_want(&w.e)->mac, w.r.settings.mac));
    assert_int_equal(world_count(&w, EVENT_CARRIER), 1);
    assert_int_equal(world_count(&w, EVENT_MAC_CHANGED), 1);
    assert_int_equal(world_count(&w, EVENT_SETTINGS_CHANGED), 1);
}

static void test_no_address(void **state)
{
    (void)state;
    w.n_eps = 0;
    world_start(&w);
    world_run(&w, time_s(60));
    assert_int_equal(world_sent(&w, WIRE_LOGIN, 0), 0);
    assert_in_range(world_count(&w, EVENT_NO_ROUTER), 5, 12);
    w.n_eps = 1;
    world_run(&w, time_s(16));
    assert_int_equal(w.e.state, CLIENT_UP);
}

static void test_fail_over(void **state)
{
    (void)state;
    w.eps[0] = (struct endpoint){ be32_of(0xc6120009), be16_of(6464) }; /* nobody there */
    w.eps[1] = w.live;
    w.n_eps = 2;
    world_start(&w);
    world_run(&w, time_s(5));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_true(endpoint_eq(w.e.tunnel.router, w.live));
    /* the router moves: its name gives another address */
    w.live = w.eps[0] = (struct endpoint){ be32_of(0xc612000a), be16_of(6464) };
    w.n_eps = 1;
    router_restart(&w);
    world_run(&w, time_s(50));
    assert_int_equal(w.e.state, CLIENT_UP);
    assert_true(endpoint_eq(w.e.tunnel.router, w.live));
}

/* Another router answers a LOGIN but not the CONFIRMs: data goes where it went before. */
static void test_unconfirmed_router(void **state)
{
    struct endpoint first = w.live;
    (void)state;

    world_login(&w);
    w.live = w.eps[0] = (struct endpoint){ be32_of(0xc612000a), be16_of(6464) };
    w.r.mute_confirm = true;
    client_engine_refused(&w.e, 0, first, w.now);
    world_run(&w, time_ms(100));
    assert_int_equal(w.e.login.state, LOGIN_CONFIRM);
    assert_true(endpoint_eq(w.e.tunnel.router, w.live));
    w.r.mute = true;
    world_run(&w, time_s(5));
    assert_int_equal(world_count(&w, EVENT_CONFIRM_LOST), 1);
    assert_true(endpoint_eq(w.e.tunnel.router, first));
    assert_int_equal(w.e.state, CLIENT_UP);
}

/* Replies from elsewhere, through another socket, changed in any bit: no effect but counters. */
static void test_reply_forged(void **state)
{
    struct flight reply;
    (void)state;

    world_start(&w);
    world_tick(&w);
    assert_int_equal(w.n_flight, 1);
    reply = w.flight[0];
    w.n_flight = 0;
    uint8_t *p = reply.buf + PKT_HEADROOM;
    struct endpoint other = { be32_of(0xc6336499), be16_of(6464) };
    world_give(&w, p, reply.len, other, 0);
    world_give(&w, p, reply.len, w.live, 1);
    assert_int_equal(w.e.drop[DROP_SOURCE_EP], 2);
    for (unsigned bit = 0; bit < 8u * reply.len; bit++) {
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        world_give(&w, p, reply.len, w.live, 0);
        p[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(w.e.login.state, LOGIN_SENT);
    }
    for (size_t len = 0; len < reply.len; len++)
        world_give(&w, p, len, w.live, 0);
    assert_int_equal(w.e.login.state, LOGIN_SENT);
    world_give(&w, p, reply.len, w.live, 0);
    assert_int_equal(w.e.login.state, LOGIN_CONFIRM);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(test_prepared),
        T(test_first_words),
        T(test_early_advertisement),
        T(test_first_login),
        T(test_retransmission),
        T(test_same_login_once_more),
        T(test_late_reply),
        T(test_traffic_hurries),
        T(test_cookie),
        T(test_cookie_once_per_try),
        T(test_cookie_forged),
        T(test_wrong_psk),
        T(test_refused),
        T(test_busy),
        T(test_mac_taken),
        T(test_mac_taken_forever),
        T(test_mac_taken_dry_nat),
        T(test_confirm_schedule),
        T(test_login_again),
        T(test_rekey),
        T(test_rekey_falls_back),
        T(test_change_in_place),
        T(test_no_address),
        T(test_fail_over),
        T(test_reply_forged),
        T(test_cookie_never_repeated),
        T(test_unconfirmed_router),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
