/* SPDX-License-Identifier: MIT */
/* test_admit.c - from a LOGIN to a member: verdicts, retransmission, replays, cookies, the
 * collision rule, who may log in, confirmation and its races, and that nothing is left behind (H9,
 * H10, H18, H22..H28, H30..H36, H39) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

static struct rig rig;

static int set_up(void **state)
{
    (void)state;
    rig_defaults(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    if (rig.mem)
        rig_free(&rig);
    return 0;
}

static unsigned tentatives(void)
{
    return rig.re->admit.n_used;
}

static unsigned indices(void) /* in use */
{
    unsigned n = 0;
    for (uint32_t i = 0; i < rig.re->ms.n_index; i++)
        n += rig.re->ms.index[i].kind != INDEX_FREE;
    return n;
}

/* ---- the plain way ---- */

static void joins(void **state)
{
    struct guest a;
    struct notice ev;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_ask(&a, &rig);
    assert_int_equal(a.s.verdict, VERDICT_OK);
    assert_true(endpoint_eq(a.s.seen, a.ep));
    assert_true(mac_eq(a.s.mac, mac_of_endpoint(a.ep)));
    assert_true(mac_eq(a.s.router_mac, mac_of_endpoint(rig.conf.public_ep)));
    assert_true(ip6_in(guest_addr(&a), rig.conf.prefix));
    assert_int_equal(a.s.keepalive_s, rig.conf.keepalive_s);
    assert_null(rig_member(&rig, &a)); /* a tentative keypair is nobody yet */
    assert_int_equal(rig_notices(&rig, NOTICE_LOGIN, NULL), 0);
    guest_confirm(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_CONFIRM_ACK, NULL), 1);
    assert_non_null(guest_packet(&a, ND_RA, NULL)); /* unasked */
    assert_int_equal(rig_notices(&rig, NOTICE_LOGIN, &ev), 1);
    assert_int_equal(ev.client, 0);
    struct member *m = rig_member(&rig, &a);
    assert_true(m->proven && bindings_owns(&rig.re->b, m, guest_addr(&a)));
    assert_int_equal(tentatives(), 0);
    assert_int_equal(indices(), 1);
}

static void same_login_same_reply(void **state) /* H9 */
{
    struct guest a;
    uint8_t first[LOGIN_REPLY_MAX];

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_ask(&a, &rig);
    size_t len = a.reply_len;
    memcpy(first, a.reply, len);
    for (unsigned i = 0; i < 5; i++) {
        rig_udp(&rig, a.ep, a.login, LOGIN_LEN);
        guest_take(&a, &rig);
        assert_int_equal(a.n_reply, 1);
        assert_int_equal(a.reply_len, len);
        assert_memory_equal(a.reply, first, len);
        assert_int_equal(tentatives(), 1);
        assert_int_equal(indices(), 1);
    }
    guest_confirm(&a, &rig);
    assert_non_null(rig_member(&rig, &a));
}

/* Every bit of a LOGIN counts: one that is wrong draws no reply and leaves nothing. MAC2 is no part
 * of that while the router has no load. */
static void flipped_login(void **state) /* H5 */
{
    struct guest a;
    uint8_t bad[LOGIN_LEN];

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_login(&a, &rig);
    for (unsigned bit = 0; bit < 8 * (LOGIN_LEN - MAC12_LEN); bit++) {
        rig.now += 100 * NS_PER_MS;
        memcpy(bad, a.login, LOGIN_LEN);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rig_udp(&rig, a.ep, bad, LOGIN_LEN);
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(tentatives(), 0);
    }
    /* The same with a right MAC1: now the handshake itself must notice. */
    for (unsigned octet = 4; octet < LOGIN_LEN - 2 * MAC12_LEN; octet += 7) {
        struct cookie_purse purse = a.purse;
        rig.now += 100 * NS_PER_MS;
        memcpy(bad, a.login, LOGIN_LEN);
        bad[octet] ^= 0x10;
        cookie_stamp(&purse, bad, rig.now);
        rig_udp(&rig, a.ep, bad, LOGIN_LEN);
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(rig_drops(&rig, DROP_LOGIN_OPEN), 1);
        assert_int_equal(indices(), 0);
    }
    rig_udp(&rig, a.ep, a.login, LOGIN_LEN);
    assert_int_equal(rig.out.n_dg, 1);
}

/* ---- replays ---- */

struct snapshot {
    struct endpoint ep;
    struct mac mac;
    uint32_t local, remote;
    bool proven;
    uint16_t mtu;
    mono_ns heard;
};

static struct snapshot snap(const struct guest *g)
{
    const struct member *m = rig_member(&rig, g);
    struct snapshot s;

    assert_non_null(m);
    memset(&s, 0, sizeof(s));
    s.ep = m->ep;
    s.mac = m->mac;
    s.local = m->keys.current.local_index;
    s.remote = m->keys.current.remote_index;
    s.proven = m->proven;
    s.mtu = m->mtu;
    s.heard = m->heard;
    return s;
}

static void replayed_login(void **state) /* H10, H27 */
{
    static const struct {
        const char *name, *ip;
        uint16_t port;
        mono_ns after;
    } rows[] = {
        { "same source at once", "198.51.100.7", 4000, 0 },
        { "other port at once", "198.51.100.7", 4001, 0 },
        { "other address at once", "203.0.113.9", 4000, 0 },
        { "other address after the tentative is over", "203.0.113.9", 4000, 11 * NS_PER_S },
        { "other address, much later", "203.0.113.9", 4000, 40 * NS_PER_S },
    };
    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        struct guest a;
        rig_defaults(&rig);
        rig_start(&rig);
        guest_init(&a, &rig, 0, "198.51.100.7", 4000);
        guest_join(&a, &rig);
        rig_wait(&rig, rows[i].after);
        struct snapshot before = snap(&a);
        for (unsigned k = 0; k < 4; k++) {
            rig_udp(&rig, ep_of(rows[i].ip, rows[i].port), a.login, LOGIN_LEN);
            struct snapshot now = snap(&a);
            if (memcmp(&before, &now, sizeof(now)) != 0)
                fail_msg("%s: the live member changed", rows[i].name);
            assert_int_equal(tentatives(), 1); /* at most one per distinct LOGIN */
        }
        rig_wait(&rig, 11 * NS_PER_S);
        assert_int_equal(tentatives(), 0);
        assert_int_equal(indices(), 1);
        rig_free(&rig);
    }
    rig.mem = NULL;
}

/* Two captured LOGINs sent for ever keep both places of a key taken; a genuine login still gets in,
 * and with no more than one more round trip. */
static void captured_logins_do_not_lock_out(void **state) /* H27, H28 */
{
    struct guest a;
    uint8_t captured[2][LOGIN_LEN];
    struct endpoint thief = ep_of("203.0.113.9", 9);

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    for (unsigned i = 0; i < 2; i++) {
        guest_login(&a, &rig);
        memcpy(captured[i], a.login, LOGIN_LEN);
    }
    for (unsigned round = 0; round < 5; round++) {
        rig_udp(&rig, thief, captured[0], LOGIN_LEN);
        rig_udp(&rig, thief, captured[1], LOGIN_LEN);
        assert_int_equal(tentatives(), 2);
        a.seal_cookie = false;
        guest_ask(&a, &rig);
        assert_int_equal(a.n_reply, 0);
        assert_int_equal(a.n_cookie, 1);
        assert_int_equal(rig_drops(&rig, DROP_LOGIN_STALE), 1);
        a.seal_cookie = true;
        guest_ask(&a, &rig);
        assert_int_equal(a.n_reply, 1);
        assert_int_equal(tentatives(), 2); /* the oldest of the key gave way */
        guest_confirm(&a, &rig);
        assert_int_equal(guest_has_control(&a, TLV_CONFIRM_ACK, NULL), 1);
        assert_true(endpoint_eq(rig_member(&rig, &a)->ep, a.ep));
        rig.now += 3 * NS_PER_S;
    }
}

/* ---- cookies ---- */

static void cookie_rows(void **state) /* H25 */
{
    static const struct {
        const char *name, *ip; /* where the LOGIN with the sealed cookie comes from */
        uint16_t port;
        mono_ns age;
        bool taken;
    } rows[] = {
        { "own endpoint", "198.51.100.7", 4000, 0, true },
        { "own endpoint, just old enough", "198.51.100.7", 4000, 119 * NS_PER_S, true },
        { "other port", "198.51.100.7", 4001, 0, false },
        { "other address", "198.51.100.8", 4000, 0, false },
        { "older than two lives of a secret", "198.51.100.7", 4000, 241 * NS_PER_S, false },
    };
    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        struct guest a;
        rig_defaults(&rig);
        rig_start(&rig);
        guest_init(&a, &rig, 0, "198.51.100.7", 4000);
        guest_ask(&a, &rig);
        guest_ask(&a, &rig);
        guest_ask(&a, &rig);
        assert_int_equal(a.n_cookie, 1);
        a.seal_cookie = true;
        guest_login(&a, &rig);
        rig_wait(&rig, rows[i].age);
        for (unsigned k = 0; tentatives() < TENTATIVES_PER_KEY;
             k++) { /* keep the two places taken */
            struct guest b = a;
            assert_true(k < 4);
            b.seal_cookie = false;
            guest_ask(&b, &rig);
            a.e = b.e;
            a.index = b.index;
        }
        a.ep = ep_of(rows[i].ip, rows[i].port);
        rig_udp(&rig, a.ep, a.login, LOGIN_LEN);
        guest_take(&a, &rig);
        if (a.n_reply != (rows[i].taken ? 1u : 0u) || a.n_cookie != (rows[i].taken ? 0u : 1u))
            fail_msg("%s: %u replies, %u cookies", rows[i].name, a.n_reply, a.n_cookie);
        rig_free(&rig);
    }
    rig.mem = NULL;
}

static void half_full_table_wants_cookies(void **state) /* H23 */
{
    struct guest g;
    uint32_t half;
    unsigned n = 0;

    (void)state;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    half = rig.re->admit.n_max / 2;
    for (;; n++) {
        guest_init(&g, &rig, 100 + n, "198.51.100.7", (uint16_t)(2000 + n));
        guest_ask(&g, &rig);
        if (g.n_reply == 0)
            break;
        assert_true(n <= half);
    }
    assert_int_equal(n, half);
    assert_int_equal(g.n_cookie, 1);
    assert_int_equal(tentatives(), half);
    g.seal_cookie = true;
    guest_ask(&g, &rig);
    assert_int_equal(g.n_reply, 1);
}

/* A full table never refuses a fresh LOGIN, and never grows. */
static void full_table(void **state)
{
    struct guest g;

    (void)state;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    for (unsigned n = 0; n < rig.re->admit.n_max + 10; n++) {
        char ip[20];
        snprintf(ip, sizeof(ip), "198.51.%u.7", n);
        rig.now += 10 * NS_PER_MS;
        guest_init(&g, &rig, 100 + n, ip, 2000);
        guest_ask(&g, &rig);
        if (g.n_reply == 0) {
            g.seal_cookie = true;
            guest_ask(&g, &rig);
        }
        assert_int_equal(g.n_reply, 1);
    }
    assert_int_equal(tentatives(), rig.re->admit.n_max);
    rig_wait(&rig, TENTATIVE_LIFE);
    assert_int_equal(tentatives(), 0);
    assert_int_equal(indices(), 0);
}

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
    assert_int_equal(rig.out.n_dg, LOGINS_PER_CALL);
    assert_int_equal(rig_drops(&rig, DROP_LOGIN_RATE), 30 - LOGINS_PER_CALL);
}

/* ---- who may ---- */

static void who_may(void **state) /* H30, H31 */
{
    static const struct {
        const char *name;
        enum access_mode access;
        bool secret, client_secret; /* the router's join_secret; does the client have it? */
        unsigned n;                 /* which guest: below RIG_LISTED it is listed */
        bool psk, client_psk;       /* of the listed client */
        bool reply, opens;
    } rows[] = {
        { "listed, no secret", ACCESS_LISTED, false, false, 0, false, false, true, true },
        { "listed, client has a secret the router has not", ACCESS_LISTED, false, true, 0, false,
          false, true, false },
        { "listed, join_secret", ACCESS_LISTED, true, true, 0, false, false, true, true },
        { "listed, join_secret missing at the client", ACCESS_LISTED, true, false, 0, false, false,
          true, false },
        { "listed, own psk goes before join_secret", ACCESS_LISTED, true, false, 1, true, true,
          true, true },
        { "listed, own psk wanted, join_secret given", ACCESS_LISTED, true, true, 1, true, false,
          true, false },
        { "listed, own psk missing", ACCESS_LISTED, false, false, 1, true, false, true, false },
        { "not listed", ACCESS_LISTED, false, false, 99, false, false, false, false },
        { "not listed, with the join_secret", ACCESS_LISTED, true, true, 99, false, false, false,
          false },
        { "open, no secret", ACCESS_OPEN, false, false, 99, false, false, true, true },
        { "open, with the join_secret", ACCESS_OPEN, true, true, 99, false, false, true, true },
        { "open, join_secret wrong", ACCESS_OPEN, true, false, 99, false, false, true, false },
        { "open, but listed with a psk", ACCESS_OPEN, true, false, 1, true, true, true, true },
    };
    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        struct guest g;
        struct notice ev;
        rig_defaults(&rig);
        rig.conf.access = rows[i].access;
        rig.conf.has_join_secret = rows[i].secret;
        memset(rig.conf.join_secret, 0x11, KEY_LEN);
        rig.clients[1].has_psk = rows[i].psk;
        memset(rig.clients[1].psk, 0x22, KEY_LEN);
        rig_start(&rig);
        guest_init(&g, &rig, rows[i].n, "198.51.100.7", 4000);
        if (rows[i].client_secret)
            memset(g.psk, 0x11, KEY_LEN);
        if (rows[i].client_psk)
            memset(g.psk, 0x22, KEY_LEN);
        guest_ask(&g, &rig);
        bool opens = g.n_reply && !g.waiting;
        if (g.n_reply != rows[i].reply || opens != rows[i].opens)
            fail_msg("%s: %u replies, opens %d", rows[i].name, g.n_reply, opens);
        unsigned unknown = rig_notices(&rig, NOTICE_UNKNOWN_KEY, &ev);
        assert_int_equal(unknown, rows[i].reply ? 0 : 1);
        if (unknown) {
            assert_int_equal(rig_drops(&rig, DROP_UNKNOWN_KEY), 1);
            assert_int_equal(rig.out.n_dg, 0);
            assert_memory_equal(ev.key, g.id.public_key, KEY_LEN);
            assert_true(endpoint_eq(ev.ep, g.ep));
            assert_int_equal(tentatives(), 0);
        }
        if (rows[i].opens) {
            guest_confirm(&g, &rig);
            assert_non_null(rig_member(&rig, &g));
        } else {
            /* Whatever it sends under the keys it has, nobody is there. */
            rig_wait(&rig, TENTATIVE_LIFE);
            assert_int_equal(indices(), 0);
        }
        rig_free(&rig);
    }
    rig.mem = NULL;
}

static void own_key(void **state) /* H33 */
{
    struct guest g;

    (void)state;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig_start(&rig);
    guest_init(&g, &rig, 99, "198.51.100.7", 4000);
    identity_of(&g.id, rig.conf.private_key);
    guest_ask(&g, &rig);
    assert_int_equal(rig.out.n_dg, 0);
    assert_int_equal(tentatives(), 0);
}

/* ---- MACs ---- */

static void siblings_collide(void **state) /* H35 */
{
    static const char *const ip[4] = { "100.64.9.9", "101.64.9.9", "102.64.9.9", "103.64.9.9" };
    struct guest g[4];
    struct notice ev;

    (void)state;
    rig_start(&rig);
    guest_init(&g[0], &rig, 0, ip[0], 4000);
    guest_join(&g[0], &rig);
    struct mac taken = g[0].s.mac;
    for (unsigned i = 1; i < 4; i++) {
        guest_init(&g[i], &rig, i, ip[i], 4000);
        for (g[i].tries = 0; g[i].tries < MAC_TAKEN_TRIES; g[i].tries++) {
            rig_notices(&rig, NOTICE_LOGIN, NULL);
            guest_ask(&g[i], &rig);
            assert_int_equal(g[i].n_reply, 1);
            assert_int_equal(g[i].s.verdict, VERDICT_MAC_TAKEN);
            assert_int_equal(tentatives(), 0); /* a verdict other than ok leaves nothing */
            assert_int_equal(indices(), i);
            assert_int_equal(rig_notices(&rig, NOTICE_COLLISION, &ev), 1);
            assert_int_equal(ev.client, i);
            assert_int_equal(ev.other, 0);
            assert_int_equal(ev.number, g[i].tries + 1u);
        }
        guest_ask(&g[i], &rig);
        assert_int_equal(g[i].s.verdict, VERDICT_OK);
        assert_true(mac_is_assigned(g[i].s.mac));
        assert_false(mac_eq(g[i].s.mac, taken));
        assert_int_equal(rig_notices(&rig, NOTICE_ASSIGNED, &ev), 1);
        assert_true(mac_eq(ev.mac, g[i].s.mac));
        guest_confirm(&g[i], &rig);
        assert_true(mac_eq(rig_member(&rig, &g[i])->mac, g[i].s.mac));
    }
    assert_true(mac_eq(rig_member(&rig, &g[0])->mac, taken)); /* the first keeps it */
    /* Another port settles it at the first try. */
    struct guest other;
    guest_init(&other, &rig, 9, ip[1], 4001);
    guest_ask(&other, &rig);
    assert_int_equal(other.s.verdict, VERDICT_OK);
}

static void routers_mac_is_taken(void **state) /* H39 */
{
    struct guest g;

    (void)state;
    rig_start(&rig);
    guest_init(&g, &rig, 0, "193.0.2.1", 6464); /* folds to the MAC of 192.0.2.1:6464 */
    guest_ask(&g, &rig);
    assert_int_equal(g.s.verdict, VERDICT_MAC_TAKEN);
    g.tries = MAC_TAKEN_TRIES;
    guest_ask(&g, &rig);
    assert_int_equal(g.s.verdict, VERDICT_OK);
    assert_true(mac_is_assigned(g.s.mac));
}

static void member_keeps_its_mac(void **state) /* H34, H41, H96 */
{
    struct guest a;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_join(&a, &rig);
    struct mac mac = a.s.mac;
    struct member *m = rig_member(&rig, &a);
    rig_notices(&rig, NOTICE_LOGIN, NULL);
    /* The key logs in anew from elsewhere: same member, same MAC, new endpoint, at once. */
    a.ep = ep_of("203.0.113.9", 5000);
    guest_join(&a, &rig);
    assert_true(mac_eq(a.s.mac, mac));
    assert_ptr_equal(rig_member(&rig, &a), m);
    assert_true(endpoint_eq(m->ep, a.ep));
    assert_int_equal(rig_notices(&rig, NOTICE_RELOGIN, NULL), 1);
    assert_int_equal(indices(), 2); /* previous and current */
    /* Again from where it was: a program that starts anew hears an RA, too. */
    guest_ask(&a, &rig);
    guest_confirm(&a, &rig);
    assert_non_null(guest_packet(&a, ND_RA, NULL));
    assert_int_equal(indices(), 2);
}

static void leases(void **state)
{
    struct guest a, b;

    (void)state;
    rig.conf.lease_s = 3600;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "100.64.9.9", 4000);
    guest_join(&a, &rig);
    struct mac mac = a.s.mac;
    guest_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    assert_null(rig_member(&rig, &a));
    /* Back from another endpoint: the lease gives the MAC. */
    a.ep = ep_of("203.0.113.9", 5000);
    guest_join(&a, &rig);
    assert_true(mac_eq(a.s.mac, mac));
    guest_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    /* While it is away a sibling of the first endpoint computes the same MAC: the lease yields. */
    guest_init(&b, &rig, 1, "101.64.9.9", 4000);
    guest_join(&b, &rig);
    assert_true(mac_eq(b.s.mac, mac));
    guest_ask(&a, &rig);
    assert_int_equal(a.s.verdict, VERDICT_OK);
    assert_true(mac_eq(a.s.mac, mac_of_endpoint(a.ep)));
    /* A lease ends. */
    guest_control(&b, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    rig_wait(&rig, 3600 * NS_PER_S);
    b.ep = ep_of("203.0.113.10", 5000);
    guest_join(&b, &rig);
    assert_true(mac_eq(b.s.mac, mac_of_endpoint(b.ep)));
}

/* One key that comes and goes for ever does not use up the leases of others. */
static void flapping_keeps_others_leases(void **state)
{
    struct guest a, b;

    (void)state;
    rig.conf.max_members = 4;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_join(&a, &rig);
    struct mac mac = a.s.mac;
    guest_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    for (unsigned i = 0; i < 10; i++) {
        guest_join(&b, &rig);
        guest_control(&b, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    }
    a.ep = ep_of("203.0.113.9", 5000);
    guest_join(&a, &rig);
    assert_true(mac_eq(a.s.mac, mac));
}

/* ---- confirmation ---- */

static void race_for_a_mac(void **state)
{
    struct guest a, b;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "100.64.9.9", 4000);
    guest_init(&b, &rig, 1, "101.64.9.9", 4000);
    guest_ask(&a, &rig);
    guest_ask(&b, &rig);
    assert_int_equal(b.s.verdict, VERDICT_OK); /* a tentative keypair reserves nothing */
    assert_true(mac_eq(a.s.mac, b.s.mac));
    guest_confirm(&b, &rig);
    assert_non_null(rig_member(&rig, &b));
    guest_confirm(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_LOGIN_AGAIN, NULL), 1);
    assert_int_equal(a.n_got, 1);
    assert_null(rig_member(&rig, &a));
    assert_int_equal(tentatives(), 0);
    assert_int_equal(indices(), 1);
    assert_int_equal(rig_notices(&rig, NOTICE_AGAIN, NULL), 1);
    guest_ask(&a, &rig);
    assert_int_equal(a.s.verdict, VERDICT_MAC_TAKEN);
}

static void race_for_an_address(void **state)
{
    struct guest a, b;
    uint8_t ip[64];

    (void)state;
    rig.conf.access = ACCESS_OPEN; /* unlisted: its address is not reserved while it is away */
    rig.conf.everyone = true;
    rig_start(&rig);
    guest_init(&a, &rig, 100, "198.51.100.7", 4000);
    guest_init(&b, &rig, 101, "198.51.100.8", 4000);
    guest_join(&b, &rig);
    guest_ask(&a, &rig);
    size_t len = put_udp6(ip, guest_addr(&a), ip6_of("2001:db8:99::1"), 50);
    guest_ip(&b, &rig, KIND_HOST, b.s.mac, ip, len); /* b takes it by sending from it */
    assert_int_equal(rig_notices(&rig, NOTICE_BOUND, NULL), 1);
    guest_confirm(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_LOGIN_AGAIN, NULL), 1);
    assert_null(rig_member(&rig, &a));
    assert_int_equal(tentatives(), 0);
    struct ip6 lost = guest_addr(&a);
    guest_join(&a, &rig);
    assert_false(ip6_eq(guest_addr(&a), lost));
}

static void busy(void **state)
{
    struct guest g[3];

    (void)state;
    rig.conf.max_members = 2;
    rig_start(&rig);
    for (unsigned i = 0; i < 3; i++)
        guest_init(&g[i], &rig, i, "198.51.100.7", (uint16_t)(4000 + i));
    guest_join(&g[0], &rig);
    guest_ask(&g[1], &rig);
    guest_ask(&g[2], &rig);
    assert_int_equal(g[2].s.verdict, VERDICT_OK);
    guest_confirm(&g[1], &rig);
    guest_confirm(&g[2], &rig); /* the last place is gone */
    assert_int_equal(guest_has_control(&g[2], TLV_LOGIN_AGAIN, NULL), 1);
    guest_ask(&g[2], &rig);
    assert_int_equal(g[2].s.verdict, VERDICT_BUSY);
    assert_true(g[2].s.backoff_s > 0);
    assert_int_equal(tentatives(), 0);
    assert_int_equal(rig_notices(&rig, NOTICE_BUSY, NULL), 1);
    guest_join(&g[0], &rig); /* a member's own key is never refused for that */
}

/* Data under a tentative keypair that is not confirm: the first DATA of any kind confirms, and is
 * carried. */
static void first_data_confirms(void **state)
{
    struct guest a, b;
    uint8_t ip[64];

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_join(&b, &rig);
    guest_ask(&a, &rig);
    size_t len = put_udp6(ip, guest_addr(&a), guest_addr(&b), 50);
    guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, len);
    assert_non_null(rig_member(&rig, &a));
    guest_take(&b, &rig);
    assert_non_null(guest_packet(&b, -1, NULL));
}

static void forged_confirm(void **state) /* H14, H15 */
{
    struct guest a;
    uint8_t b[64], bad[64];

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_ask(&a, &rig);
    size_t len = guest_seal_control(&a, &rig,
                                    &(struct control){ .type = TLV_CONFIRM, .size = PROBE_MIN_LEN },
                                    PROBE_MIN_LEN, b);
    for (unsigned bit = 0; bit < 8 * len; bit++) {
        memcpy(bad, b, len);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rig_udp(&rig, ep_of("203.0.113.9", 9), bad, len);
        assert_null(rig_member(&rig, &a));
        assert_int_equal(tentatives(), 1);
    }
    rig_udp(&rig, a.ep, b, len);
    assert_non_null(rig_member(&rig, &a));
    rig_udp(&rig, ep_of("203.0.113.9", 9), b, len);
    assert_int_equal(rig_drops(&rig, DROP_REPLAY), 1);
    assert_true(endpoint_eq(rig_member(&rig, &a)->ep, a.ep));
}

/* A LOGIN with a source that is not its sender's: the reply went to two places, so a CONFIRM that
 * claims to come from the first proves nothing about it. */
static void confirm_does_not_prove_a_stranger(void **state) /* H16, H18 */
{
    struct guest a;
    struct endpoint victim = ep_of("203.0.113.9", 9), own;
    uint8_t b[64];

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    own = a.ep;
    guest_login(&a, &rig);
    rig_udp(&rig, victim, a.login, LOGIN_LEN); /* spoofed: the reply goes to the victim */
    rig_udp(&rig, own, a.login, LOGIN_LEN);    /* and as a retransmission here */
    guest_take(&a, &rig);
    assert_int_equal(a.n_reply, 1);
    size_t len = guest_seal_control(&a, &rig,
                                    &(struct control){ .type = TLV_CONFIRM, .size = PROBE_MIN_LEN },
                                    PROBE_MIN_LEN, b);
    rig_udp(&rig, victim, b, len); /* spoofed again */
    struct member *m = rig_member(&rig, &a);
    assert_non_null(m);
    assert_false(m->proven);
    size_t sent = 0;
    for (unsigned i = 0; i < rig.out.n_dg; i++)
        sent += rig.out.dg[i].len;
    assert_true(sent <= 3 * len);
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
    assert_int_equal(indices(), 2); /* a's current and b's: previous is over */
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
    assert_int_equal(tentatives(), 0);
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
    for (unsigned i = 0; i < 3000; i++) {
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
    assert_int_equal(tentatives(), 0);
    assert_int_equal(indices(), 0);
    assert_int_equal(rig.re->ms.n_free, rig.re->ms.n_max);
    assert_int_equal(router_engine_deadline(rig.re), NEVER);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(joins),
        ROW(same_login_same_reply),
        ROW(flipped_login),
        ROW(replayed_login),
        ROW(captured_logins_do_not_lock_out),
        ROW(cookie_rows),
        ROW(half_full_table_wants_cookies),
        ROW(full_table),
        ROW(flood_without_cookie),
        ROW(flood_with_cookies),
        ROW(garbage_in_the_burst),
        ROW(handshakes_per_call_are_bounded),
        ROW(who_may),
        ROW(own_key),
        ROW(siblings_collide),
        ROW(routers_mac_is_taken),
        ROW(member_keeps_its_mac),
        ROW(leases),
        ROW(flapping_keeps_others_leases),
        ROW(race_for_a_mac),
        ROW(race_for_an_address),
        ROW(busy),
        ROW(first_data_confirms),
        ROW(forged_confirm),
        ROW(confirm_does_not_prove_a_stranger),
        ROW(rekey_inside),
        ROW(inside_with_another_key),
        ROW(inside_is_limited),
        ROW(many_logins),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
