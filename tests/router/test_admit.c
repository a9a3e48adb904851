/* SPDX-License-Identifier: MIT */
/* test_admit.c - from a LOGIN to a reply: verdicts, retransmission, replays, cookies, who may log
 * in (H5, H9, H10, H25, H27, H28, H30..H33) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

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
    assert_int_equal(rig_tentatives(&rig), 0);
    assert_int_equal(rig_indices(&rig), 1);
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
        assert_int_equal(rig_tentatives(&rig), 1);
        assert_int_equal(rig_indices(&rig), 1);
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
        assert_int_equal(rig_tentatives(&rig), 0);
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
        assert_int_equal(rig_indices(&rig), 0);
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

static bool same(const struct snapshot *x, const struct snapshot *y)
{
    return endpoint_eq(x->ep, y->ep) && mac_eq(x->mac, y->mac) && x->local == y->local &&
           x->remote == y->remote && x->proven == y->proven && x->mtu == y->mtu &&
           x->heard == y->heard;
}

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
            if (!same(&before, &now))
                fail_msg("%s: the live member changed", rows[i].name);
            assert_int_equal(rig_tentatives(&rig), 1); /* at most one per distinct LOGIN */
        }
        rig_wait(&rig, 11 * NS_PER_S);
        assert_int_equal(rig_tentatives(&rig), 0);
        assert_int_equal(rig_indices(&rig), 1);
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
        assert_int_equal(rig_tentatives(&rig), 2);
        a.seal_cookie = false;
        guest_ask(&a, &rig);
        assert_int_equal(a.n_reply, 0);
        assert_int_equal(a.n_cookie, 1);
        assert_int_equal(rig_drops(&rig, DROP_LOGIN_STALE), 1);
        a.seal_cookie = true;
        guest_ask(&a, &rig);
        assert_int_equal(a.n_reply, 1);
        assert_int_equal(rig_tentatives(&rig), 2); /* the oldest of the key gave way */
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
        for (unsigned k = 0; rig_tentatives(&rig) < TENTATIVES_PER_KEY;
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
    assert_int_equal(rig_tentatives(&rig), half);
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
    assert_int_equal(rig_tentatives(&rig), rig.re->admit.n_max);
    rig_wait(&rig, TENTATIVE_LIFE);
    assert_int_equal(rig_tentatives(&rig), 0);
    assert_int_equal(rig_indices(&rig), 0);
}

/* ---- who may ---- */

static void who_may(void **state) /* R69, H30, H31 */
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
            assert_int_equal(rig_tentatives(&rig), 0);
        }
        if (rows[i].opens) {
            guest_confirm(&g, &rig);
            assert_non_null(rig_member(&rig, &g));
        } else {
            /* Whatever it sends under the keys it has, nobody is there. */
            rig_wait(&rig, TENTATIVE_LIFE);
            assert_int_equal(rig_indices(&rig), 0);
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
    assert_int_equal(rig_tentatives(&rig), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(joins),
        RIG_ROW(same_login_same_reply),
        RIG_ROW(flipped_login),
        RIG_ROW(replayed_login),
        RIG_ROW(captured_logins_do_not_lock_out),
        RIG_ROW(cookie_rows),
        RIG_ROW(half_full_table_wants_cookies),
        RIG_ROW(full_table),
        RIG_ROW(who_may),
        RIG_ROW(own_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
