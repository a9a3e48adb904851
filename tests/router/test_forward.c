/* SPDX-License-Identifier: MIT */
/* test_forward.c - where inner packets go, end to end through the engine: guard, delivery by
 * destination, uplink (R30, R32, R33, R39, R52..R54, R56, H49..H51, H72, H73) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scene.h"

static const struct mac nobody = { { 2, 9, 9, 9, 9, 9 } };

static void members(void)
{
    scene_start(3);
    scene_mtu(1400);
}

/* ---- sources ---- */

static void R32_R52_guard(void **state) /* R32, R52, H49, H50, H72, H73 */
{
    static const struct {
        const char *name, *src;
        enum drop why;
    } rows[] = {
        { "assigned", "a", DROP_NONE },
        { "own link-local", "a.ll", DROP_NONE },
        { "own EUI-64", "a.eui", DROP_NONE },
        { "free address of the segment", "2001:db8:1::77", DROP_NONE },
        { "free link-local that is no EUI-64", "fe80::77", DROP_NONE },
        { "another member's", "b", DROP_SRC_GUARD },
        { "another member's link-local", "b.ll", DROP_SRC_GUARD },
        { "another member's EUI-64", "b.eui", DROP_SRC_GUARD },
        { "EUI-64 of nobody", "2001:db8:1::ff:fe00:1", DROP_SRC_GUARD },
        { "reserved for a listed client", "absent", DROP_SRC_GUARD },
        { "router's", "2001:db8:1::1", DROP_SRC_GUARD },
        { "subnet-router anycast", "2001:db8:1::", DROP_SRC_GUARD },
        { "router's link-local", "r.ll", DROP_SRC_GUARD },
        { "router's EUI-64", "r.eui", DROP_SRC_GUARD },
        { "outside", "2001:db8:2::1", DROP_SRC_GUARD },
        { "loopback", "::1", DROP_SRC_INVALID },
        { "unspecified", "::", DROP_SRC_INVALID },
        { "group", "ff02::1", DROP_SRC_INVALID },
        { "v4-mapped", "::ffff:192.0.2.9", DROP_SRC_INVALID },
    };
    static const char *const dst[] = { "b", "2001:db8:99::1" };

    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        for (unsigned k = 0; k < N(dst); k++) {
            uint8_t ip[60];
            size_t len = put_udp6(ip, scene_addr(rows[i].src), scene_addr(dst[k]), sizeof(ip));
            guest_ip(&a, &rig, KIND_PEER, scene_mac("b"), ip, len);
            guest_take(&b, &rig);
            bool out = rig.out.n_pk == 1 || guest_packet(&b, -1, NULL);
            bool link_local = ip6_is_link_local(scene_addr(rows[i].src)) && k == 1;
            if (out != (rows[i].why == DROP_NONE && !link_local) ||
                (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
                fail_msg("%s to %s", rows[i].name, dst[k]);
            if (rows[i].why)
                assert_int_equal(rig.out.n_dg, 0); /* no error to a victim */
        }
    }
}

static void R29_R30_R33_learned(void **state) /* R30, R33 */
{
    uint8_t ip[60];
    struct notice ev;

    (void)state;
    members();
    struct member *m = rig_member(&rig, &a);
    for (unsigned i = 0; i < 100; i++) {
        struct ip6 src = ip6_of("2001:db8:1:0:1::");
        src.b[15] = (uint8_t)i;
        guest_ip(&a, &rig, KIND_HOST, nobody, ip,
                 put_udp6(ip, src, scene_addr("2001:db8:99::1"), 60));
        assert_int_equal(rig.out.n_pk, i < LEARNED_PER_MEMBER);
        assert_int_equal(rig_drops(&rig, DROP_BINDINGS), i >= LEARNED_PER_MEMBER);
        assert_int_equal(rig_notices(&rig, NOTICE_BOUND, &ev), i < LEARNED_PER_MEMBER);
    }
    assert_int_equal(m->n_learned, LEARNED_PER_MEMBER);
    /* The first who has it keeps it. */
    guest_ip(&b, &rig, KIND_HOST, nobody, ip,
             put_udp6(ip, ip6_of("2001:db8:1:0:1::3"), scene_addr("2001:db8:99::1"), 60));
    assert_int_equal(rig_drops(&rig, DROP_SRC_GUARD), 1);
    /* And b has its own sixteen. */
    guest_ip(&b, &rig, KIND_HOST, nobody, ip,
             put_udp6(ip, ip6_of("2001:db8:1:0:2::3"), scene_addr("2001:db8:99::1"), 60));
    assert_int_equal(rig.out.n_pk, 1);
    /* It receives at what it has learned, and nobody does once it is gone. */
    (void)put_udp6(ip, guest_addr(&b), ip6_of("2001:db8:1:0:1::3"), 60);
    guest_ip(&b, &rig, KIND_PEER, a.s.mac, ip, 60);
    guest_take(&a, &rig);
    assert_non_null(guest_packet(&a, -1, NULL));
    guest_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    guest_ip(&b, &rig, KIND_PEER, a.s.mac, ip, 60);
    assert_int_equal(rig_drops(&rig, DROP_NO_OWNER), 1);
}

/* ---- ways ---- */

enum way { NOWHERE, TO_B, TO_TUN };

static void R39_R53_R54_R56_ways(void **state) /* R35, R43, R53, R54, H51, H73 */
{
    static const struct {
        const char *name;
        enum wire_kind kind;
        const char *hint, *src, *dst;
        uint8_t hl;
        enum way to;
        enum drop why;
        int type, code; /* ICMPv6 to the sender; type -1: none */
    } rows[] = {
        { "peer by the MAC", KIND_PEER, "b", "a", "b", 64, TO_B, DROP_NONE, -1, 0 },
        { "peer, link-local", KIND_PEER, "b", "a.ll", "b.ll", 64, TO_B, DROP_NONE, -1, 0 },
        { "peer, EUI-64", KIND_PEER, "b", "a.eui", "b.eui", 64, TO_B, DROP_NONE, -1, 0 },
        { "peer keeps hop limit 1", KIND_PEER, "b", "a", "b", 1, TO_B, DROP_NONE, -1, 0 },
        { "peer, MAC of nobody", KIND_PEER, "-", "a", "b", 64, TO_B, DROP_NONE, ND_NA, 0 },
        { "peer, MAC of another", KIND_PEER, "c", "a", "b", 64, TO_B, DROP_NONE, -1,
          0 /* one NA per 100 ms */ },
        { "peer, MAC of the sender", KIND_PEER, "a", "a", "b", 64, TO_B, DROP_NONE, -1, 0 },
        { "host: routed", KIND_HOST, "-", "a", "b", 64, TO_B, DROP_NONE, -1, 0 },
        { "host: hop limit 1", KIND_HOST, "-", "a", "b", 1, NOWHERE, DROP_HOP_LIMIT, ICMP6_TIME,
          0 },
        { "host: hop limit 0", KIND_HOST, "-", "a", "b", 0, NOWHERE, DROP_HOP_LIMIT, ICMP6_TIME,
          0 },
        { "host: link-local source", KIND_HOST, "-", "a.ll", "b", 64, NOWHERE, DROP_SCOPE, -1, 0 },
        { "host: link-local destination", KIND_HOST, "-", "a", "b.ll", 64, NOWHERE, DROP_SCOPE, -1,
          0 },
        { "to itself", KIND_PEER, "a", "a", "a", 64, NOWHERE, DROP_DST_SELF, -1, 0 },
        { "to its other address", KIND_HOST, "-", "a", "a.eui", 64, NOWHERE, DROP_DST_SELF, -1, 0 },
        { "unknown neighbor", KIND_PEER, "b", "a", "2001:db8:1::5", 64, NOWHERE, DROP_NO_OWNER,
          ICMP6_UNREACH, 3 },
        { "unknown neighbor, by the router", KIND_HOST, "-", "a", "2001:db8:1::5", 64, NOWHERE,
          DROP_NO_OWNER, ICMP6_UNREACH, 3 },
        { "absent client", KIND_PEER, "b", "a", "absent", 64, NOWHERE, DROP_NO_OWNER, ICMP6_UNREACH,
          3 },
        { "unknown link-local", KIND_PEER, "b", "a.ll", "fe80::5", 64, NOWHERE, DROP_NO_OWNER,
          ICMP6_UNREACH, 3 },
        { "uplink", KIND_HOST, "-", "a", "2001:db8:99::1", 64, TO_TUN, DROP_NONE, -1, 0 },
        { "uplink, hop limit is the kernel's", KIND_HOST, "-", "a", "2001:db8:99::1", 1, TO_TUN,
          DROP_NONE, -1, 0 },
        { "uplink, with a member's MAC", KIND_PEER, "b", "a", "2001:db8:99::1", 64, TO_TUN,
          DROP_NONE, -1, 0 },
        { "uplink, beyond scope", KIND_HOST, "-", "a.ll", "2001:db8:99::1", 64, NOWHERE, DROP_SCOPE,
          ICMP6_UNREACH, 2 },
        { "host's ::1", KIND_HOST, "-", "a", "2001:db8:1::1", 64, TO_TUN, DROP_NONE, -1, 0 },
        { "loopback", KIND_HOST, "-", "a", "::1", 64, NOWHERE, DROP_DST_INVALID, -1, 0 },
        { "unspecified", KIND_HOST, "-", "a", "::", 64, NOWHERE, DROP_DST_INVALID, -1, 0 },
        { "v4-mapped", KIND_HOST, "-", "a", "::ffff:192.0.2.9", 64, NOWHERE, DROP_DST_INVALID, -1,
          0 },
        { "group", KIND_MULTICAST, "-", "a", "ff02::1", 64, NOWHERE, DROP_MULTICAST, -1, 0 },
        { "group as host", KIND_HOST, "-", "a", "ff02::1", 64, NOWHERE, DROP_MULTICAST, -1, 0 },
        { "global group", KIND_MULTICAST, "-", "a", "ff0e::1", 64, NOWHERE, DROP_MULTICAST, -1, 0 },
        { "unicast as multicast", KIND_MULTICAST, "-", "a", "b", 64, NOWHERE, DROP_DST_INVALID, -1,
          0 },
    };
    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[60];
        const uint8_t *got = NULL;
        size_t len = put_udp6(ip, scene_addr(rows[i].src), scene_addr(rows[i].dst), sizeof(ip));

        rig.now += rows[i].to == TO_B ? NS_PER_MS : 200 * NS_PER_MS;
        ip[7] = rows[i].hl;
        guest_ip(&a, &rig, rows[i].kind, scene_mac(rows[i].hint), ip, len);
        guest_take(&b, &rig);
        guest_take(&c, &rig);
        if (rows[i].to == TO_B) {
            bool routed = rows[i].kind == KIND_HOST;
            got = guest_packet(&b, -1, &len);
            if (!got)
                fail_msg("%s: not there", rows[i].name);
            ip[7] = (uint8_t)(ip[7] - routed);
            assert_int_equal(len, sizeof(ip));
            assert_memory_equal(got, ip, sizeof(ip)); /* R56: nothing else changes */
            assert_int_equal(b.got[0].kind, KIND_PEER);
            assert_memory_equal(b.got[0].p, a.s.mac.b, MAC_LEN);
        }
        assert_int_equal(b.n_got, rows[i].to == TO_B);
        assert_int_equal(c.n_got, 0);
        assert_int_equal(rig.out.n_pk, rows[i].to == TO_TUN);
        if (rows[i].to == TO_TUN)
            assert_memory_equal(rig.out.pk[0].p, ip, sizeof(ip));
        if (rows[i].why && rig_drops(&rig, rows[i].why) != 1)
            fail_msg("%s: not counted", rows[i].name);
        got = guest_packet(&a, -1, &len);
        if ((got != NULL) != (rows[i].type >= 0))
            fail_msg("%s: answer %d", rows[i].name, got != NULL);
        if (!got)
            continue;
        assert_int_equal(got[40], rows[i].type);
        if (rows[i].type == ND_NA)
            continue;
        assert_int_equal(got[41], rows[i].code);
        assert_memory_equal(got + 24, ip + 8, IP6_LEN); /* to the sender */
        assert_memory_equal(got + 48, ip, sizeof(ip));  /* quoting it */
    }
}

static void R54_no_uplink(void **state) /* R54 */
{
    uint8_t ip[60];

    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    members();
    guest_ip(&a, &rig, KIND_HOST, nobody, ip,
             put_udp6(ip, scene_addr("a"), scene_addr("2001:db8:99::1"), 60));
    assert_int_equal(rig.out.n_pk, 0);
    assert_int_equal(rig_drops(&rig, DROP_NO_UPLINK), 1);
    const uint8_t *got = guest_packet(&a, ICMP6_UNREACH, NULL);
    assert_non_null(got);
    assert_int_equal(got[41], 0);
    /* ::1 is then answered by the engine itself. */
    guest_ip(&a, &rig, KIND_HOST, nobody, ip,
             put_echo6(ip, scene_addr("a"), scene_addr("2001:db8:1::1"), 60));
    got = guest_packet(&a, ICMP6_ECHO_REPLY, NULL);
    assert_non_null(got);
    assert_memory_equal(got + 8, ip + 24, IP6_LEN);
}

/* The packet of a peer leaves from the buffer it came in. */
static void in_place(void **state)
{
    uint8_t ip[1000], p[RIG_BUF];
    uint8_t plain[1006];

    (void)state;
    members();
    size_t len = put_udp6(ip, scene_addr("a"), scene_addr("b"), sizeof(ip));
    memcpy(plain, b.s.mac.b, 6);
    memcpy(plain + 6, ip, len);
    size_t n = guest_seal(&a, &rig, KIND_PEER, plain, sizeof(plain), p);
    rig_udp(&rig, a.ep, p, n);
    assert_int_equal(rig.out.n_dg, 1);
    assert_ptr_equal(rig.out.dg[0].p, rig.buf[0] + RIG_BUF - n);
    assert_int_equal(rig.out.dg[0].len, n);
    assert_int_equal(rig.out.arena_used, 0);
}

static void burst(void **state)
{
    uint8_t p[256], plain[66];
    struct guest *to[3] = { &b, &c, &b };

    (void)state;
    members();
    for (unsigned i = 0; i < BURST_MAX; i++) {
        struct guest *g = to[i % 3];
        memcpy(plain, g->s.mac.b, 6);
        (void)put_udp6(plain + 6, scene_addr("a"), guest_addr(g), 60);
        plain[65] = (uint8_t)i;
        rig_queue(&rig, a.ep, p, guest_seal(&a, &rig, KIND_PEER, plain, sizeof(plain), p));
    }
    rig_run(&rig);
    assert_int_equal(rig.out.n_dg, BURST_MAX);
    guest_take(&b, &rig);
    guest_take(&c, &rig);
    assert_int_equal(b.n_got + c.n_got, BURST_MAX);
    for (unsigned i = 1; i < b.n_got; i++)
        assert_true(b.got[i].p[65] > b.got[i - 1].p[65]); /* in order */
}

/* ---- out of the uplink ---- */

static void R52_R54_from_uplink(void **state) /* R52, R54 */
{
    static const struct {
        const char *name, *src, *dst;
        bool delivered;
        enum drop why;
        int type;
    } rows[] = {
        { "to a member", "2001:db8:99::1", "b", true, DROP_NONE, -1 },
        { "to its EUI-64", "2001:db8:99::1", "b.eui", true, DROP_NONE, -1 },
        { "from the host itself", "2001:db8:1::1", "b", true, DROP_NONE, -1 },
        { "source of the segment", "a", "b", false, DROP_SRC_SEGMENT, -1 },
        { "free source of the segment", "2001:db8:1::5", "b", false, DROP_SRC_SEGMENT, -1 },
        { "link-local source", "fe80::5", "b", false, DROP_SRC_SEGMENT, -1 },
        { "router's link-local", "r.ll", "b", false, DROP_SRC_SEGMENT, -1 },
        { "no source", "::", "b", false, DROP_SRC_INVALID, -1 },
        { "loopback source", "::1", "b", false, DROP_SRC_INVALID, -1 },
        { "group source", "ff02::1", "b", false, DROP_SRC_INVALID, -1 },
        { "group", "2001:db8:99::1", "ff02::1", false, DROP_MULTICAST, -1 },
        { "global group", "2001:db8:99::1", "ff0e::1", false, DROP_MULTICAST, -1 },
        { "link-local destination", "2001:db8:99::1", "b.ll", false, DROP_MULTICAST, -1 },
        { "nobody", "2001:db8:99::1", "2001:db8:1::5", false, DROP_NO_OWNER, ICMP6_UNREACH },
        { "absent client", "2001:db8:99::1", "absent", false, DROP_NO_OWNER, ICMP6_UNREACH },
        { "not ours", "2001:db8:99::1", "2001:db8:98::1", false, DROP_NO_OWNER, ICMP6_UNREACH },
        { "the router", "2001:db8:99::1", "2001:db8:1::1", false, DROP_NO_OWNER, ICMP6_UNREACH },
    };
    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[60];
        size_t len = put_udp6(ip, scene_addr(rows[i].src), scene_addr(rows[i].dst), sizeof(ip));
        rig_tun(&rig, ip, len);
        guest_take(&b, &rig);
        const uint8_t *got = guest_packet(&b, -1, NULL);
        if ((got != NULL) != rows[i].delivered ||
            (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
            fail_msg("%s", rows[i].name);
        assert_int_equal(rig.out.n_dg, rows[i].delivered);
        if (got) {
            assert_int_equal(b.got[0].kind, KIND_HOST);
            assert_memory_equal(got, ip, sizeof(ip)); /* the kernel has counted that hop */
        }
        assert_int_equal(rig.out.n_pk, rows[i].type >= 0);
        if (rows[i].type >= 0)
            assert_int_equal(rig.out.pk[0].p[40], rows[i].type);
    }
    for (size_t len = 0; len < 48; len++) { /* any piece of a packet */
        uint8_t ip[60];
        (void)put_udp6(ip, scene_addr("2001:db8:99::1"), scene_addr("b"), sizeof(ip));
        rig_tun(&rig, ip, len);
        assert_int_equal(rig.out.n_dg + rig.out.n_pk, 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(R32_R52_guard),
        RIG_ROW(R29_R30_R33_learned),
        RIG_ROW(R39_R53_R54_R56_ways),
        RIG_ROW(R54_no_uplink),
        RIG_ROW(in_place),
        RIG_ROW(burst),
        RIG_ROW(R52_R54_from_uplink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
