/* SPDX-License-Identifier: MIT */
/* test_admit_load.c - LOGINs under load: what is computed is limited, a genuine login gets in,
 * nothing stays (H18, H22..H24, H26) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

/* ---- load ---- */

static void flood_without_cookie(void **state) /* H18, H22 */
{
    struct guest a;
    unsigned replies = 0, cookies = 0;

    (void)state;
    rig.conf.logins_per_s = 5;
    rig_start(&rig);
    for (unsigned n = 0; n < 30; n++) {
        guest_init(&a, &rig, n, "198.51.100.7", (uint16_t)(3000 + n));
        guest_ask(&a, &rig);
        replies += a.n_reply;
        cookies += a.n_cookie;
        if (!a.n_reply)
            assert_int_equal(rig_drops(&rig, DROP_MAC2), 1);
    }
    assert_int_equal(replies, 5);  /* handshakes computed */
    assert_int_equal(cookies, 20); /* and cookies to one address are limited, whatever the port */
    /* Who proves an endpoint is served past the flood. */
    guest_init(&a, &rig, 30, "203.0.113.5", 4000);
    guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie, 1);
    guest_ask(&a, &rig); /* MAC2 now */
    assert_int_equal(a.n_reply, 1);
}

/* What comes from all over one /24 is limited together, cookies and LOGINs with one. */
static void flood_from_a_network(void **state) /* H24 */
{
    static struct guest g[60];
    struct guest far;
    unsigned cookies = 0, replies = 0;
    char ip[20];

    (void)state;
    rig.conf.logins_per_s = 1;
    rig.conf.logins_per_24 = 30;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    guest_init(&far, &rig, 99, "203.0.113.5", 4000);
    guest_ask(&far, &rig); /* the one there is without a cookie */
    for (unsigned n = 0; n < 60; n++) {
        snprintf(ip, sizeof(ip), "198.51.100.%u", n + 1);
        guest_init(&g[n], &rig, 100 + n, ip, 4000);
        guest_ask(&g[n], &rig);
        cookies += g[n].n_cookie;
    }
    assert_int_equal(cookies, 30);
    rig.conf.logins_per_24 = 20;
    rig.conf.logins_per_s = 100;
    for (unsigned n = 0; n < 60; n++) {
        if (!g[n].n_cookie)
            continue;
        g[n].seal_cookie = true;
        guest_ask(&g[n], &rig);
        replies += g[n].n_reply;
    }
    assert_int_equal(replies, 20);
    guest_init(&far, &rig, 98, "198.51.101.1", 4000); /* the next /24 */
    guest_ask(&far, &rig);
    assert_int_equal(far.n_cookie, 1);
    far.seal_cookie = true;
    guest_ask(&far, &rig);
    assert_int_equal(far.n_reply, 1);
}

/* One address that does prove itself cannot use up what there is for all. */
static void flood_with_cookies(void **state) /* H24 */
{
    struct guest a, b;
    unsigned replies = 0;

    (void)state;
    rig.conf.logins_per_s = 50;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    guest_init(&a, &rig, 100, "198.51.100.7", 4000);
    guest_init(&b, &rig, 101, "203.0.113.5", 4000);
    while (a.n_cookie == 0)
        guest_ask(&a, &rig);
    a.seal_cookie = true;
    guest_ask(&b, &rig);
    for (unsigned n = 0; n < 200; n++) {
        guest_ask(&a, &rig);
        replies += a.n_reply;
    }
    assert_true(replies <= 20);
    b.purse = a.purse;
    struct entropy e = { { 1 } };
    uint8_t msg[COOKIE_MSG_LEN];
    guest_login(&b, &rig);
    cookie_answer(&rig.re->admit.jar, b.login, b.ep, &e, msg);
    assert_int_equal(cookie_take(&b.purse, msg, rig.now), DROP_NONE);
    b.seal_cookie = true;
    guest_ask(&b, &rig);
    assert_int_equal(b.n_reply, 1);
}

/* ---- a crowd ---- */

/* Cookies are demanded until LOGINs have been few for CROWD_LIFE; those with one have all of what
 * there is meanwhile, twice logins_per_s. */
static void crowd_and_calm(void **state)
{
    static struct guest g[60];
    unsigned cookies = 0, replies = 0;
    char ip[20];

    (void)state;
    rig.conf.logins_per_s = 10;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    for (unsigned n = 0; n < N(g); n++) {
        snprintf(ip, sizeof(ip), "198.51.%u.7", n);
        guest_init(&g[n], &rig, 100 + n, ip, 4000);
        guest_ask(&g[n], &rig);
        cookies += g[n].n_cookie;
        replies += g[n].n_reply;
        rig.now += NS_PER_MS; /* a wake-up computes so many and no more */
    }
    assert_int_equal(replies, 10);
    assert_int_equal(cookies, 50);
    replies = 0;
    for (unsigned n = 10; n < N(g); n++) {
        g[n].seal_cookie = true;
        guest_ask(&g[n], &rig);
        replies += g[n].n_reply;
    }
    assert_in_range(replies, 20, 21);
    static const struct {
        mono_ns after;
        bool cookie;
    } row[] = { { 500 * NS_PER_MS, true },
                { CROWD_LIFE - 510 * NS_PER_MS, true },
                { 20 * NS_PER_MS, false } };
    for (unsigned i = 0; i < N(row); i++) {
        rig.now += row[i].after;
        guest_init(&g[i], &rig, 200 + i, "203.0.113.5", (uint16_t)(5000 + i));
        guest_ask(&g[i], &rig);
        assert_int_equal(g[i].n_cookie, row[i].cookie);
        assert_int_equal(g[i].n_reply, !row[i].cookie);
    }
}

/* All ports of one NAT. Each client behind it is a member, with a MAC of its own, as its port is in
 * it; LOGINs from there share what there is for one address, and the others are silence. */
static void H43_every_port_of_a_nat(void **state)
{
    enum { MEMBERS = 500 };
    static const uint32_t step = (65535 - 1024) / MEMBERS;
    struct guest g, first, other;
    unsigned in = 0, answers = 0;

    (void)state;
    rig.conf.max_members = MEMBERS + 4;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    for (unsigned n = 0; n < MEMBERS; n++) {
        guest_init(&g, &rig, 100 + n, "203.0.113.9", (uint16_t)(65535 - n * step));
        guest_join(&g, &rig);
        struct member *m = rig_member(&rig, &g);
        assert_non_null(m);
        assert_true(mac_eq(m->mac, mac_of_endpoint(g.ep)));
        assert_ptr_equal(member_by_mac(&rig.re->ms, m->mac), m);
        if (n == 0)
            first = g;
        rig_notices(&rig, NOTICE_LOGIN, NULL);
        rig.now += 20 * NS_PER_MS; /* the silent of them live for 60 s */
    }
    guest_init(&g, &rig, 1000, "203.0.113.9", 1);
    guest_login(&g, &rig);
    for (unsigned port = 65536 - rig_rounds(65535), queued = 0; port <= 65535;
         port++) {                        /* within one second */
        if ((65535 - port) % step != 0) { /* those are theirs */
            g.ep.port = be16_of((uint16_t)port);
            rig_queue(&rig, g.ep, g.login, LOGIN_LEN);
            queued++;
        }
        if (queued < BURST_MAX && port < 65535)
            continue;
        queued = 0;
        rig_run(&rig);
        for (unsigned i = 0; i < rig.out.n_dg; i++) {
            in += rig.out.dg[i].len != COOKIE_MSG_LEN;
            answers += rig.out.dg[i].len == COOKIE_MSG_LEN;
        }
        rig.now += NS_PER_S / 1024;
    }
    assert_in_range(in, 1, 2 * rig.conf.logins_per_s);
    assert_in_range(answers, 1, 2 * rig.conf.logins_per_address);
    struct router_totals t;
    router_engine_totals(rig.re, &t);
    assert_int_equal(t.members, MEMBERS);
    guest_control(&first, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 1 }, 0);
    assert_int_equal(guest_has_control(&first, TLV_KEEPALIVE_ACK, NULL), 1);
    rig.now += 2 * NS_PER_S;
    guest_init(&other, &rig, 99, "203.0.113.10", 4000); /* the next address of its /24 */
    guest_ask(&other, &rig);
    assert_int_equal(other.n_reply, 1);
}

/* Garbage that does not even know the router's key must not use up the handshakes of a wake-up. */
static void garbage_in_the_burst(void **state) /* H22 */
{
    struct guest a;
    uint8_t junk[LOGIN_LEN] = { WIRE_LOGIN, WIRE_VERSION };

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_login(&a, &rig);
    for (unsigned i = 0; i + 1 < BURST_MAX; i++)
        rig_queue(&rig, ep_of("203.0.113.9", (uint16_t)(i + 1)), junk, sizeof(junk));
    rig_queue(&rig, a.ep, a.login, LOGIN_LEN);
    rig_run(&rig);
    assert_int_equal(rig_drops(&rig, DROP_MAC1), BURST_MAX - 1);
    guest_take(&a, &rig);
    assert_int_equal(a.n_reply, 1);
}

static void handshakes_per_call_are_bounded(void **state) /* H22 */
{
    struct guest g;

    (void)state;
    rig_start(&rig);
    for (unsigned n = 0; n < 30; n++) {
        guest_init(&g, &rig, n, "198.51.100.7", (uint16_t)(2000 + n));
        guest_login(&g, &rig);
        rig_queue(&rig, g.ep, g.login, LOGIN_LEN);
    }
    rig_run(&rig);
    assert_int_equal(rig.out.n_dg, LOGINS_PER_WAKEUP);
    assert_int_equal(rig_drops(&rig, DROP_LOGIN_RATE), 30 - LOGINS_PER_WAKEUP);
}

/* ---- inside ---- */

static void rekey_inside(void **state)
{
    struct guest a, b;

    (void)state;
    rig.conf.logins_per_s = 1;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_join(&a, &rig);
    rig_notices(&rig, NOTICE_LOGIN, NULL);
    rig.now += 5 * NS_PER_S;
    guest_join(&b, &rig); /* takes the one login there is for this second */
    rig.now += NS_PER_MS;
    uint32_t old = rig_member(&rig, &a)->keys.current.local_index;
    guest_login(&a, &rig);
    memset(a.login + LOGIN_LEN - 2 * MAC12_LEN, 0, 2 * MAC12_LEN); /* past MAC1 and cookies */
    guest_control(&a, &rig,
                  &(struct control){ .type = TLV_LOGIN, .body = a.login, .body_len = LOGIN_LEN },
                  0);
    struct control c;
    assert_int_equal(guest_has_control(&a, TLV_LOGIN_REPLY, &c), 1);
    assert_int_equal(rig_member(&rig, &a)->keys.current.local_index,
                     old); /* nothing changes before the confirmation */
    guest_take_inside(&a, &rig, &c);
    rig_notices(&rig, NOTICE_LOGIN, NULL);
    guest_confirm(&a, &rig);
    struct member *m = rig_member(&rig, &a);
    assert_int_not_equal(m->keys.current.local_index, old);
    assert_int_equal(m->keys.previous.local_index, old);
    assert_true(m->proven);
    assert_null(guest_packet(&a, ND_RA, NULL)); /* nothing is new for its kernel */
    struct notice ev;
    assert_false(router_engine_notice(rig.re, &ev));
    rig_wait(&rig, 20 * NS_PER_S);
    assert_int_equal(rig_indices(&rig), 2); /* a's current and b's: previous is over */
}

static void inside_with_another_key(void **state)
{
    struct guest a, b;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_join(&a, &rig);
    guest_login(&b, &rig);
    guest_control(&a, &rig,
                  &(struct control){ .type = TLV_LOGIN, .body = b.login, .body_len = LOGIN_LEN },
                  0);
    assert_int_equal(guest_has_control(&a, TLV_LOGIN_REPLY, NULL), 0);
    assert_int_equal(rig_drops(&rig, DROP_UNKNOWN_KEY), 1);
    assert_int_equal(rig_tentatives(&rig), 0);
}

/* A member that asks for keys without end makes the router compute a few of them a second. */
static void inside_is_limited(void **state) /* H26 */
{
    struct guest a;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_join(&a, &rig);
    uint64_t opened = rig.re->admit.opened;
    for (unsigned i = 0; i < 100; i++) {
        guest_login(&a, &rig);
        guest_control(
            &a, &rig,
            &(struct control){ .type = TLV_LOGIN, .body = a.login, .body_len = LOGIN_LEN }, 0);
    }
    assert_true(rig.re->admit.opened - opened <= 8);
    rig.now += 2 * NS_PER_S;
    guest_login(&a, &rig);
    guest_control(&a, &rig,
                  &(struct control){ .type = TLV_LOGIN, .body = a.login, .body_len = LOGIN_LEN },
                  0);
    assert_int_equal(guest_has_control(&a, TLV_LOGIN_REPLY, NULL), 1);
}

/* ---- nothing stays ---- */

static void many_logins(void **state)
{
    struct guest g;
    uint32_t seed = 1;

    (void)state;
    rig.conf.logins_per_s = 100000;
    rig_start(&rig);
    for (unsigned i = 0; i < rig_rounds(3000); i++) {
        seed = seed * 1664525u + 1013904223u;
        char ip[20];
        snprintf(ip, sizeof(ip), "198.51.%u.%u", i % 251, 1 + i % 7);
        guest_init(&g, &rig, (seed >> 8) % RIG_LISTED, ip, (uint16_t)(1024 + i));
        be32_store(g.e.seed, i);
        guest_ask(&g, &rig);
        if (g.n_reply && g.s.verdict == VERDICT_OK && (seed >> 20) % 4 == 0) {
            guest_confirm(&g, &rig);
            if ((seed >> 24) % 2)
                guest_control(&g, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
        }
        if (i % 16 == 0)
            rig_wait(&rig, (seed >> 16) % 4 * NS_PER_S);
    }
    rig_wait(&rig, 400 * NS_PER_S);
    assert_int_equal(rig_tentatives(&rig), 0);
    assert_int_equal(rig_indices(&rig), 0);
    assert_int_equal(rig.re->ms.n_free, rig.re->ms.n_max);
    assert_int_equal(router_engine_deadline(rig.re), NEVER);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(flood_without_cookie),
        RIG_ROW(flood_with_cookies),
        RIG_ROW(flood_from_a_network),
        RIG_ROW(crowd_and_calm),
        RIG_ROW(H43_every_port_of_a_nat),
        RIG_ROW(garbage_in_the_burst),
        RIG_ROW(handshakes_per_call_are_bounded),
        RIG_ROW(rekey_inside),
        RIG_ROW(inside_with_another_key),
        RIG_ROW(inside_is_limited),
        RIG_ROW(many_logins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
