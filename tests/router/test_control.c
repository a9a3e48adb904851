/* SPDX-License-Identifier: MIT */
/* test_control.c - where a member is and what proves it, probes, settings of the MTU, unasked RAs
 * (H8, H12, H15, H16, H40, R17, R19, R22) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scene.h"

/* ---- where a member is ---- */

enum how { FRESH, OLDER, REPLAYED, FLIPPED, PREVIOUS };

static void R62_H16_moves(void **state) /* H8, H12, H15, H16 */
{
    static const struct {
        const char *name;
        enum how how;
        bool moved;
    } rows[] = {
        { "newest of current", FRESH, true },
        { "older than the newest", OLDER, false },
        { "replay", REPLAYED, false },
        { "does not open", FLIPPED, false },
        { "newest of previous", PREVIOUS, false },
    };
    struct control req = { .type = TLV_KEEPALIVE_REQ, .number = 5 };
    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t p[64], q[64];
        struct endpoint elsewhere = ep_of("203.0.113.9", (uint16_t)(100 + i));
        struct keyset old = a.keys;

        rig.now += 3 * NS_PER_S;
        if (rows[i].how == PREVIOUS) {
            guest_rejoin(&a, &rig);
            struct keyset new = a.keys;
            a.keys = old;
            a.keys.current.tx_counter += 50;
            (void)guest_seal_control(&a, &rig, &req, 0, p);
            a.keys = new;
        } else {
            (void)guest_seal_control(&a, &rig, &req, 0, p);
        }
        size_t len = DATA_MIN_LEN + 12;
        if (rows[i].how == OLDER || rows[i].how == REPLAYED) {
            memcpy(q, p, len);
            if (rows[i].how == OLDER)
                (void)guest_seal_control(&a, &rig, &req, 0, q);
            rig_udp(&rig, a.ep, q, len);
        }
        if (rows[i].how == FLIPPED)
            p[len - 1] ^= 1;
        rig_udp(&rig, elsewhere, p, len);
        struct member *m = rig_member(&rig, &a);
        if (endpoint_eq(m->ep, elsewhere) != rows[i].moved)
            fail_msg("%s: moved %d", rows[i].name, !rows[i].moved);
        assert_int_equal(rig_notices(&rig, NOTICE_MOVED, NULL), rows[i].moved);
        if (rows[i].moved) {
            assert_false(m->proven);
            assert_true(mac_eq(m->mac, a.s.mac)); /* H40: the name stays */
            guest_rejoin(&a, &rig);               /* and back */
        }
        assert_true(endpoint_eq(m->ep, a.ep));
        assert_true(m->proven);
    }
}

static void unproven_gets_thrice(void **state) /* H16 */
{
    uint8_t p[RIG_BUF], ip[1200];
    struct control req;
    size_t from = 0, to = 0;

    (void)state;
    scene_start(2);
    a.ep = ep_of("203.0.113.9", 99);
    size_t len = put_udp6(ip, guest_addr(&b), guest_addr(&a), sizeof(ip));
    for (unsigned round = 0; round < 20; round++) {
        rig.now += 100 * NS_PER_MS;
        size_t n = guest_seal_control(
            &a, &rig,
            &(struct control){ .type = TLV_CONFIRM, .size = (uint16_t)(PROBE_MIN_LEN + round) },
            PROBE_MIN_LEN + round, p);
        rig_udp(&rig, a.ep, p, n);
        from += n;
        to += rig_octets_to(&rig, a.ep);
        assert_true(to <= AMPLIFY_FACTOR * from);
        for (unsigned k = 0; k < 3; k++) {
            guest_ip(&b, &rig, KIND_PEER, a.s.mac, ip, len);
            to += rig_octets_to(&rig, a.ep);
            assert_true(to <= AMPLIFY_FACTOR * from);
        }
        rig_tick(&rig);
        to += rig_octets_to(&rig, a.ep);
        assert_true(to <= AMPLIFY_FACTOR * from);
    }
    assert_true(to > 0);
    struct member *m = rig_member(&rig, &a);
    assert_false(m->proven);
    /* A wrong answer proves nothing, the right one does; what it is says the challenge, sent again
     * each second. */
    guest_control(&a, &rig,
                  &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = m->challenge + 1 }, 0);
    assert_false(m->proven);
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = 0 }, 0);
    assert_false(m->proven);
    rig.now = router_engine_deadline(rig.re);
    rig_tick(&rig);
    guest_take(&a, &rig);
    assert_int_equal(guest_has_control(&a, TLV_KEEPALIVE_REQ, &req), 1);
    uint64_t number = req.number;
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = number }, 0);
    assert_true(m->proven);
    guest_ip(&b, &rig, KIND_PEER, a.s.mac, ip, len);
    assert_true(rig_octets_to(&rig, a.ep) > len);
    /* The number is good for one endpoint only: from another one it moves the member and proves
     * nothing. */
    a.ep = ep_of("203.0.113.9", 100);
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = number }, 0);
    assert_true(endpoint_eq(m->ep, a.ep));
    assert_false(m->proven);
}

/* ---- control messages ---- */

static void probes(void **state)
{
    static const struct {
        const char *name;
        enum tlv_type type, ack;
        uint16_t size, total;
        bool answered;
    } rows[] = {
        { "small CONFIRM", TLV_CONFIRM, TLV_CONFIRM_ACK, PROBE_MIN_LEN, PROBE_MIN_LEN, true },
        { "big CONFIRM", TLV_CONFIRM, TLV_CONFIRM_ACK, 1472, 1472, true },
        { "odd CONFIRM", TLV_CONFIRM, TLV_CONFIRM_ACK, 1001, 1001, true },
        { "CONFIRM claims more", TLV_CONFIRM, TLV_CONFIRM_ACK, 1473, 1472, false },
        { "CONFIRM claims less", TLV_CONFIRM, TLV_CONFIRM_ACK, 1471, 1472, false },
        { "probe", TLV_MTU_PROBE, TLV_MTU_PROBE_ACK, 1400, 1400, true },
        { "probe claims more", TLV_MTU_PROBE, TLV_MTU_PROBE_ACK, 9000, 100, false },
        { "probe claims less", TLV_MTU_PROBE, TLV_MTU_PROBE_ACK, PROBE_MIN_LEN, 1400, false },
    };
    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(rows); i++) {
        struct control ack;
        guest_control(&a, &rig, &(struct control){ .type = rows[i].type, .size = rows[i].size },
                      rows[i].total);
        unsigned n = guest_has_control(&a, rows[i].ack, &ack);
        if (n != (rows[i].answered ? 1u : 0u))
            fail_msg("%s: %u answers", rows[i].name, n);
        assert_int_equal(rig.out.n_dg, n);
        if (n) {
            assert_int_equal(ack.size, rows[i].size);
            assert_int_equal(rig.out.dg[0].len, rows[i].total);
        } else {
            assert_int_equal(rig_drops(&rig, DROP_CONTROL), 1);
        }
    }
}

/* Several probes in one datagram would draw several answers of its size (PROTOCOL.md 4). */
static void only_the_first_probe(void **state)
{
    uint8_t tlv[1400];
    struct wr w = wr_of(tlv, sizeof(tlv));
    struct control probe = { .type = TLV_MTU_PROBE, .size = DATA_MIN_LEN + sizeof(tlv) };

    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < 3; i++)
        wire_ctl_put(&w, &probe);
    wire_ctl_pad(&w, sizeof(tlv));
    assert_false(w.bad);
    guest_send(&a, &rig, KIND_CONTROL, tlv, sizeof(tlv));
    assert_int_equal(rig.out.n_dg, 1);
    assert_int_equal(rig_drops(&rig, DROP_CONTROL), 2);
}

static void control_flood(void **state)
{
    uint8_t tlv[1400];
    struct wr w = wr_of(tlv, sizeof(tlv));

    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < 100; i++)
        wire_ctl_put(&w, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = i });
    assert_false(w.bad);
    guest_send(&a, &rig, KIND_CONTROL, tlv, w.off);
    assert_true(rig.out.n_dg <= 4);
    /* Malformed, and what only a router says. */
    uint8_t bad[] = { 0, TLV_KEEPALIVE_REQ, 0, 9, 1, 2, 3 };
    guest_send(&a, &rig, KIND_CONTROL, bad, sizeof(bad));
    assert_int_equal(rig_drops(&rig, DROP_CONTROL), 1);
    assert_int_equal(rig.out.n_dg, 0);
    guest_control(&a, &rig, &(struct control){ .type = TLV_LOGIN_AGAIN }, 0);
    assert_int_equal(rig_drops(&rig, DROP_CONTROL), 1);
    guest_send(&a, &rig, KIND_CONTROL, tlv, 0); /* an empty one */
    assert_int_equal(rig.out.n_dg, 0);
}

static uint32_t ra_mtu(const uint8_t *ra, size_t len)
{
    for (size_t at = 40 + 16; at + 8 <= len && ra[at + 1]; at += 8u * ra[at + 1]) {
        if (ra[at] == 5)
            return be32_load(ra + at + 4);
    }
    return 0;
}

static void R17_R42_mtu_set(void **state) /* R17 */
{
    static const struct {
        uint16_t cap, set, got; /* mtu: of the configuration, said, in force */
        bool ra;
    } rows[] = {
        { 0, 1400, 1400, true },    { 0, 1280, 1280, false },   { 0, 9000, 9000, true },
        { 1400, 1380, 1380, true }, { 1400, 1434, 1400, true },
    };
    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < N(rows); i++) {
        size_t len;
        rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.mtu = rows[i].cap;
        scene_start(2);
        guest_control(&a, &rig, &(struct control){ .type = TLV_MTU_SET, .size = rows[i].set }, 0);
        assert_int_equal(rig_member(&rig, &a)->mtu, rows[i].got);
        const uint8_t *ra = guest_packet(&a, ND_RA, &len);
        assert_int_equal(ra != NULL, rows[i].ra);
        if (ra) {
            assert_int_equal(ra_mtu(ra, len), rows[i].got);
            struct ip6 to = guest_ll(&a);
            assert_memory_equal(ra + 24, to.b, IP6_LEN); /* unicast (R22) */
            assert_int_equal(ra[7], 255);
        }
        /* Said again: nothing new. */
        guest_control(&a, &rig, &(struct control){ .type = TLV_MTU_SET, .size = rows[i].set }, 0);
        assert_int_equal(rig.out.n_dg, 0);
    }
}

/* sent_to() - the last datagram of the last call to @g */
static const struct dgram *sent_to(const struct guest *g)
{
    for (unsigned i = rig.out.n_dg; i-- > 0;)
        if (endpoint_eq(rig.out.dg[i].peer, g->ep))
            return &rig.out.dg[i];
    fail_msg("nothing was sent");
    return NULL;
}

/* DF follows the member alone: off until it has said what its path takes, then as it says. Answers
 * to probes have a DF of their own. */
static void fragments(void **state)
{
    static const struct {
        bool set, fragment;
    } rows[] = {
        { false, true }, { true, false }, { true, true }, { true, true }, { true, false }
    };
    uint8_t p[RIG_BUF], tlv[64];

    (void)state;
    scene_start(2);
    guest_control(&b, &rig, &(struct control){ .type = TLV_MTU_SET, .size = 1434 }, 0);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t df = rows[i].fragment ? DGRAM_MAY_FRAGMENT : 0;
        struct wr w = wr_of(tlv, sizeof(tlv));
        if (rows[i].set)
            wire_ctl_put(&w, &(struct control){ .type = TLV_MTU_SET, .size = 1280 });
        if (rows[i].set && rows[i].fragment)
            wire_ctl_put(&w, &(struct control){ .type = TLV_FRAGMENT });
        if (w.off)
            guest_send(&a, &rig, KIND_CONTROL, tlv, w.off);
        assert_int_equal(rig_member(&rig, &a)->fragment, rows[i].fragment);
        size_t len = put_udp6(p, guest_addr(&b), guest_addr(&a), 1280);
        guest_ip(&b, &rig, KIND_PEER, rig_member(&rig, &a)->mac, p, len);
        assert_int_equal(sent_to(&a)->flags, df);
        assert_int_equal(sent_to(&a)->len, 1318);
        len = put_udp6(p, ip6_of("2001:db8:ffff::1"), guest_addr(&a), 1280);
        rig_tun(&rig, p, len);
        assert_int_equal(sent_to(&a)->flags, df);
        guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 1 }, 0);
        assert_int_equal(sent_to(&a)->flags, df);
        guest_control(&a, &rig, &(struct control){ .type = TLV_MTU_PROBE, .size = 1318 }, 1318);
        assert_int_equal(guest_has_control(&a, TLV_MTU_PROBE_ACK, NULL), 1);
        assert_int_equal(sent_to(&a)->flags, DGRAM_ALONE);
        guest_control(&a, &rig, &(struct control){ .type = TLV_FRAG_PROBE, .size = 1318 }, 1318);
        assert_int_equal(guest_has_control(&a, TLV_FRAG_PROBE_ACK, NULL), 1);
        assert_int_equal(sent_to(&a)->flags, DGRAM_MAY_FRAGMENT);
        assert_int_equal(sent_to(&a)->len, 1318);
        /* nobody else's */
        len = put_udp6(p, guest_addr(&a), guest_addr(&b), 1280);
        guest_ip(&a, &rig, KIND_PEER, rig_member(&rig, &b)->mac, p, len);
        assert_int_equal(sent_to(&b)->flags, 0);
    }
    /* a rekey changes nothing, a login from outside begins anew */
    guest_rekey(&a, &rig);
    assert_false(rig_member(&rig, &a)->fragment);
    guest_rejoin(&a, &rig);
    assert_true(rig_member(&rig, &a)->fragment);
    /* a probe that claims more than it has */
    guest_control(&a, &rig, &(struct control){ .type = TLV_FRAG_PROBE, .size = 1318 }, 100);
    assert_int_equal(rig.out.n_dg, 0);
    assert_int_equal(rig_drops(&rig, DROP_CONTROL), 1);
}

static void R19_R22_unasked_adverts(void **state) /* R19, R22 */
{
    unsigned n = 0;
    mono_ns due, last = rig.now;

    (void)state;
    scene_start(2);
    for (unsigned s = 0; s < 1800; s++) {
        due = rig.now + NS_PER_S;
        while (router_engine_deadline(rig.re) <= due) {
            rig.now = router_engine_deadline(rig.re);
            rig_tick(&rig);
            guest_take(&a, &rig);
            if (!guest_packet(&a, ND_RA, NULL))
                continue;
            if (n < 2) /* the first few, of which one came with the confirmation */
                assert_in_range(rig.now - last, 15 * NS_PER_S, 18 * NS_PER_S);
            else
                assert_in_range(rig.now - last, 449 * NS_PER_S, 602 * NS_PER_S);
            last = rig.now;
            n++;
        }
        rig.now = due;
        if (s % 20 == 0)
            guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
        if (s % 250 == 249)
            guest_rekey(&a, &rig);
    }
    assert_in_range(n, 4, 6);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(R62_H16_moves),
        RIG_ROW(unproven_gets_thrice),
        RIG_ROW(probes),
        RIG_ROW(control_flood),
        RIG_ROW(R62_H16_moves),
        RIG_ROW(unproven_gets_thrice),
        RIG_ROW(only_the_first_probe),
        RIG_ROW(control_flood),
        RIG_ROW(R17_R42_mtu_set),
        RIG_ROW(fragments),
        RIG_ROW(R19_R22_unasked_adverts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
