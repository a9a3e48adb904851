/* SPDX-License-Identifier: MIT */
/* test_admit_mac.c - which MAC a login gets, collisions, leases, confirmation and its races
 * (H14..H16, H34..H36, H39, H41, H96) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

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
            assert_int_equal(rig_tentatives(&rig), 0); /* a verdict other than ok leaves nothing */
            assert_int_equal(rig_indices(&rig), i);
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
    assert_int_equal(rig_indices(&rig), 2); /* previous and current */
    /* Again from where it was: a program that starts anew hears an RA, too. */
    guest_ask(&a, &rig);
    guest_confirm(&a, &rig);
    assert_non_null(guest_packet(&a, ND_RA, NULL));
    assert_int_equal(rig_indices(&rig), 2);
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
    assert_int_equal(rig_tentatives(&rig), 0);
    assert_int_equal(rig_indices(&rig), 1);
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
    assert_int_equal(rig_tentatives(&rig), 0);
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
    assert_int_equal(rig_tentatives(&rig), 0);
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
        assert_int_equal(rig_tentatives(&rig), 1);
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

/* An attacker carries a client's LOGIN to the router from an address of its own, before the client
 * does: the MAC that follows from the attacker's endpoint is never the client's. */
static void carried_login(void **state) /* H16 */
{
    static const struct {
        const char *name;
        bool lease, live, tries; /* the client has been here; is here; was told to move too often */
        bool first, again;       /* attacker's LOGIN comes before the client's; or after it */
        bool admitted;
    } rows[] = {
        { "nobody carries it", false, false, false, false, false, true },
        { "after the client", false, false, false, false, true, true },
        { "before the client", false, false, false, true, false, false },
        { "before and after", false, false, false, true, true, false },
        { "lease", true, false, false, true, false, true },
        { "live member", true, true, false, true, false, true },
        { "assigned", false, false, true, true, false, true },
    };
    static const struct guest none;
    struct endpoint attacker = ep_of("203.0.113.9", 9);

    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < N(rows); i++) {
        struct guest a, b = none;
        rig_free(&rig);
        rig_defaults(&rig);
        rig_start(&rig);
        guest_init(&a, &rig, 0, "198.51.100.7", 4000);
        struct mac own = mac_of_endpoint(a.ep);
        if (rows[i].lease)
            guest_join(&a, &rig);
        if (rows[i].lease && !rows[i].live)
            guest_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
        if (rows[i].tries) { /* somebody holds the MACs of both endpoints */
            guest_init(&b, &rig, 1, "199.51.100.7", 4000);
            guest_join(&b, &rig);
            guest_init(&b, &rig, 2, "200.0.113.9", 9);
            guest_join(&b, &rig);
            a.tries = MAC_TAKEN_TRIES;
        }
        guest_login(&a, &rig);
        if (rows[i].first)
            rig_udp(&rig, attacker, a.login, LOGIN_LEN);
        rig_udp(&rig, a.ep, a.login, LOGIN_LEN);
        guest_take(&a, &rig);
        if (rows[i].again)
            rig_udp(&rig, attacker, a.login, LOGIN_LEN);
        rig_notices(&rig, NOTICE_LOGIN, NULL);
        guest_confirm(&a, &rig);
        bool again = guest_has_control(&a, TLV_LOGIN_AGAIN, NULL) == 1;
        struct member *m = rig_member(&rig, &a);
        if ((m != NULL) != rows[i].admitted || again == rows[i].admitted)
            fail_msg("%s: %d, again %d", rows[i].name, m != NULL, again);
        assert_int_equal(rig_notices(&rig, NOTICE_AGAIN, NULL), !rows[i].admitted);
        assert_int_equal(rig_tentatives(&rig), 0);
        if (!m) { /* at the next try the attacker is not there */
            guest_join(&a, &rig);
            m = rig_member(&rig, &a);
        }
        assert_false(mac_eq(m->mac, mac_of_endpoint(attacker)));
        assert_true(mac_eq(m->mac, own) || (rows[i].tries && mac_is_assigned(m->mac)));
        assert_true(mac_eq(a.s.mac, m->mac));
        assert_true(endpoint_eq(m->ep, a.ep));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(siblings_collide),
        RIG_ROW(routers_mac_is_taken),
        RIG_ROW(member_keeps_its_mac),
        RIG_ROW(leases),
        RIG_ROW(flapping_keeps_others_leases),
        RIG_ROW(race_for_a_mac),
        RIG_ROW(race_for_an_address),
        RIG_ROW(carried_login),
        RIG_ROW(busy),
        RIG_ROW(first_data_confirms),
        RIG_ROW(forged_confirm),
        RIG_ROW(confirm_does_not_prove_a_stranger),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
