/* SPDX-License-Identifier: MIT */
/* test_inner.c - Packet Too Big, roles, ICMPv6 errors and their limits, stale MACs, malformed
 * packets (R4, R5, R15, R34, R35, R38, R40..R45, R73, H4, H46, H52, H59, H61..H63, H71) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/cksum.h"
#include "scene.h"

static const struct mac nobody = { { 2, 9, 9, 9, 9, 9 } };

static void members(void)
{
    scene_start(3);
    scene_mtu(1400);
}

/* ---- too big ---- */

static void R40_R41_R45_too_big(void **state) /* R40, R41 */
{
    uint8_t ip[1500];
    size_t len;

    (void)state;
    members();
    rig_member(&rig, &b)->mtu = 1300;
    for (unsigned over = 0; over < 2; over++) {
        size_t n = put_udp6(ip, scene_addr("a"), scene_addr("b"), 1300 + over);
        guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, n);
        guest_take(&b, &rig);
        assert_int_equal(b.n_got, !over);
        const uint8_t *got = guest_packet(&a, ICMP6_TOO_BIG, &len);
        assert_int_equal(got != NULL, over);
        if (got) {
            assert_int_equal(be32_load(got + 44), 1300);
            assert_int_equal(len, 1280); /* R45 */
            assert_memory_equal(got + 8, rig.conf.address.b, IP6_LEN);
        }
        n = put_udp6(ip, scene_addr("2001:db8:99::1"), scene_addr("b"), 1300 + over);
        rig_tun(&rig, ip, n);
        guest_take(&b, &rig);
        assert_int_equal(b.n_got, !over);
        assert_int_equal(rig.out.n_pk, over);
        if (over) {
            assert_int_equal(rig.out.pk[0].p[40], ICMP6_TOO_BIG);
            assert_int_equal(be32_load(rig.out.pk[0].p + 44), 1300);
            assert_memory_equal(rig.out.pk[0].p + 24, ip + 8, IP6_LEN);
        }
    }
}

/* ---- what clients must not say ---- */

static void R4_R5_R34_R38_roles(void **state) /* R4, R5, R34, R38, H52, H59 */
{
    static const struct {
        const char *name;
        uint8_t type;
        const char *src, *dst;
        uint8_t hl;
        enum drop why;
    } rows[] = {
        { "RA to all", ND_RA, "a.ll", "ff02::1", 255, DROP_ND_ROLE },
        { "RA to a peer", ND_RA, "a.ll", "b.ll", 255, DROP_ND_ROLE },
        { "Redirect", ND_REDIRECT, "a.ll", "b.ll", 255, DROP_ND_ROLE },
        { "MLD query", ICMP6_MLD_QUERY, "a.ll", "ff02::1", 1, DROP_ND_ROLE },
        { "MLD query to a peer", ICMP6_MLD_QUERY, "a.ll", "b.ll", 1, DROP_ND_ROLE },
        { "MLD report", ICMP6_MLD2_REPORT, "a.ll", "ff02::16", 1, DROP_MULTICAST },
        { "MLD report to a peer", ICMP6_MLD2_REPORT, "a.ll", "b.ll", 1, DROP_MULTICAST },
        { "MLD report from :: to a peer", ICMP6_MLD2_REPORT, "::", "b", 1, DROP_MULTICAST },
        { "old MLD report from :: to the uplink", ICMP6_MLD_REPORT, "::", "2001:db8:99::1", 64,
          DROP_MULTICAST },
        { "echo from ::", ICMP6_ECHO_REQUEST, "::", "b", 64, DROP_SRC_INVALID },
        { "NA from ::", ND_NA, "::", "ff02::1", 255, DROP_SRC_INVALID },
    };
    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        for (unsigned kind = KIND_HOST; kind <= KIND_MULTICAST; kind++) {
            uint8_t ip[80];
            (void)put_icmp6(ip, scene_addr(rows[i].src), scene_addr(rows[i].dst), rows[i].type,
                            rows[i].hl, sizeof(ip));
            guest_ip(&a, &rig, (enum wire_kind)kind, b.s.mac, ip, sizeof(ip));
            if (rig.out.n_dg || rig.out.n_pk || rig_drops(&rig, rows[i].why) != 1)
                fail_msg("%s, kind %u", rows[i].name, kind);
        }
    }
    uint8_t ip[80];
    (void)put_udp6(ip, scene_addr("a.ll"), scene_addr("b.ll"), sizeof(ip)); /* DHCPv6 server */
    be16_store(ip + 40, 547);
    guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, sizeof(ip));
    assert_int_equal(rig_drops(&rig, DROP_ND_ROLE), 1);
    assert_int_equal(rig.out.n_dg, 0);
}

/* A first fragment that does not show what it carries may carry anything. */
static void R34_R51_undecided(void **state) /* R34, R51 */
{
    uint8_t ip[80];

    (void)state;
    members();
    for (unsigned there = 0; there <= 8;
         there += 4) { /* octets of ICMPv6 behind the Fragment header */
        (void)put_icmp6(ip, scene_addr("a.ll"), scene_addr("b.ll"), NH_ICMPV6, 255, 48 + there);
        memset(ip + 40, 0, 8 + there);
        ip[6] = NH_FRAGMENT;
        ip[40] = NH_ICMPV6;
        ip[43] = 1; /* more follow */
        if (there)
            ip[48] = ND_RA;
        guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, 48 + there);
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(rig_drops(&rig, there ? DROP_ND_ROLE : DROP_EXT_CHAIN), 1);
    }
}

static void R73_icmp_passes(void **state) /* R73 */
{
    static const uint8_t type[] = { 1, 2, 3, 4, 128, 129 };

    (void)state;
    members();
    for (unsigned i = 0; i < N(type); i++) {
        uint8_t ip[100];
        (void)put_icmp6(ip, scene_addr("a"), scene_addr("b"), type[i], 64, sizeof(ip));
        guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, sizeof(ip));
        guest_take(&b, &rig);
        assert_non_null(guest_packet(&b, type[i], NULL));
        (void)put_icmp6(ip, scene_addr("a"), scene_addr("2001:db8:99::1"), type[i], 64, sizeof(ip));
        guest_ip(&a, &rig, KIND_HOST, nobody, ip, sizeof(ip));
        assert_int_equal(rig.out.n_pk, 1);
    }
}

/* What an ICMPv6 error quotes may be a lie. It is carried as it came, to whom it is addressed; one
 * for the router itself draws nothing; and nothing that the router knows of anybody changes. */
static void H69_errors_that_lie(void **state) /* H69, R47 */
{
    static const uint8_t type[] = { ICMP6_UNREACH, ICMP6_TOO_BIG, ICMP6_TIME, ICMP6_PARAM };
    static const char *const quoted_from[] = { "b", "c", "2001:db8:1::1", "2001:db8:99::1", "::" };
    static const uint32_t param[] = { 0, 68, 1279, 1280, UINT32_MAX };
    static const struct {
        const char *dst, *mac;
    } to[] = { { "b", "b" }, { "2001:db8:1::1", "r" }, { "r.ll", "r" }, { "2001:db8:99::1", "r" } };

    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    members();
    const struct member *const m[] = { rig_member(&rig, &a), rig_member(&rig, &b) };
    struct ip6 address = guest_addr(&b);
    for (unsigned i = 0; i < N(type) * N(quoted_from) * N(param) * N(to); i++) {
        unsigned t = i / (N(quoted_from) * N(param) * N(to)), k = i % N(to);
        uint8_t ip[108];
        (void)put_icmp6(ip, scene_addr("a"), scene_addr(to[k].dst), type[t], 64, sizeof(ip));
        be32_store(ip + 44, param[i / N(to) % N(param)]);
        (void)put_udp6(ip + 48, scene_addr(quoted_from[i / (N(to) * N(param)) % N(quoted_from)]),
                       scene_addr("a"), 60);
        ip[42] = ip[43] = 0;
        be16_store(ip + 42, cksum_upper(ip, NH_ICMPV6, ip + 40, sizeof(ip) - 40));
        guest_says(&a, k ? KIND_HOST : KIND_PEER, to[k].mac, ip, sizeof(ip));
        assert_null(guest_packet(&a, -1, NULL)); /* no error about an error */
        assert_int_equal(b.n_got, k == 0);
        if (k == 0)
            assert_memory_equal(b.got[0].p + MAC_LEN, ip, sizeof(ip));
        assert_int_equal(rig.out.n_pk, 0);
        rig.now += 50 * NS_PER_MS;
        for (unsigned n = 0; n < N(m); n++)
            assert_int_equal(m[n]->mtu, 1400);
    }
    assert_true(ip6_eq(guest_addr(&b), address));
    assert_int_equal(rig_notices(&rig, NOTICE_MOVED, NULL), 0);
}

/* First, middle and last pieces that never make a whole: the router keeps none of them, answers
 * none, not even when time to reassemble is over, and does what it did before (R50). */
static void H65_fragments_for_ever(void **state) /* H65 */
{
    const unsigned n = rig_rounds(20000);

    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    members();
    uint64_t dropped = rig.re->drop[DROP_FRAG];
    for (unsigned i = 0; i < n; i++) {
        uint8_t ip[120];
        (void)put_icmp6(ip, scene_addr("a"), scene_addr(i % 2 ? "r.ll" : "2001:db8:1::1"),
                        NH_ICMPV6, 64, 48 + i % 8 * 8);
        memset(ip + 40, 0, 8 + i % 8 * 8);
        ip[6] = NH_FRAGMENT;
        ip[40] = NH_UDP;
        be16_store(ip + 42, (uint16_t)((i % 8191) << 3 | (i % 3 != 0))); /* offset, more follow */
        if (be16_load(ip + 42) == 0)
            ip[43] = 1; /* an atomic one is whole */
        be32_store(ip + 44, i / 7);
        guest_ip(&a, &rig, KIND_HOST, nobody, ip, 48 + i % 8 * 8);
        if (rig.out.n_dg || rig.out.n_pk)
            fail_msg("fragment %u draws something", i);
    }
    uint64_t chain = rig.re->drop[DROP_EXT_CHAIN]; /* first pieces that show no header */
    assert_int_equal(rig.re->drop[DROP_FRAG] - dropped + chain, n);
    for (unsigned s = 0; s < 65; s++) {
        rig_wait(&rig, NS_PER_S);
        guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = s }, 0);
        assert_null(guest_packet(&a, ICMP6_TIME, NULL));
    }
    uint8_t echo[60];
    guest_says(&a, KIND_HOST, "r", echo,
               put_echo6(echo, scene_addr("a"), scene_addr("2001:db8:1::1"), sizeof(echo)));
    assert_non_null(guest_packet(&a, 129, NULL));
}

/* ---- errors ---- */

static void R43_no_error_about_errors(void **state) /* R43 */
{
    uint8_t ip[100];

    (void)state;
    members();
    for (unsigned type = 1; type <= 4; type++) { /* about an error */
        (void)put_icmp6(ip, scene_addr("a"), scene_addr("2001:db8:1::5"), (uint8_t)type, 64,
                        sizeof(ip));
        guest_ip(&a, &rig, KIND_PEER, nobody, ip, sizeof(ip));
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(rig_drops(&rig, DROP_NO_OWNER), 1);
        assert_int_equal(rig_drops(&rig, DROP_ICMP_RATE), 1);
    }
}

static unsigned errors_in(struct guest *g, unsigned n, const char *src)
{
    unsigned got = 0;
    uint8_t ip[60];

    for (unsigned i = 0; i < n; i++) {
        guest_ip(g, &rig, KIND_PEER, nobody, ip,
                 put_udp6(ip, scene_addr(src), scene_addr("2001:db8:1::5"), 60));
        got += guest_packet(g, ICMP6_UNREACH, NULL) != NULL;
    }
    return got;
}

static void R35_R44_errors_are_limited(void **state) /* R35, R44 */
{
    uint8_t ip[60];
    unsigned n = 0;

    (void)state;
    members();
    unsigned first = errors_in(&a, 300, "a");
    assert_in_range(first, 1, 20);
    /* Who scans takes nothing from others. */
    assert_int_equal(errors_in(&b, 3, "b"), 3);
    rig.now += NS_PER_S;
    assert_in_range(errors_in(&a, 300, "a"), 1, 20);
    /* Nor does a scan from outside, which is limited as well. */
    for (unsigned i = 0; i < 500; i++) {
        (void)put_udp6(ip, scene_addr("2001:db8:99::1"), scene_addr("2001:db8:1::5"), 60);
        rig_tun(&rig, ip, 60);
        n += rig.out.n_pk;
    }
    assert_in_range(n, 1, 200);
    assert_int_equal(errors_in(&b, 3, "b"), 3);
}

static void R15_H71_group_echo(void **state) /* R15, H71 */
{
    uint8_t ip[60];
    unsigned n = 0;

    (void)state;
    members();
    for (unsigned i = 0; i < 200; i++) {
        guest_ip(&a, &rig, KIND_MULTICAST, nobody, ip,
                 put_echo6(ip, scene_addr("a.ll"), scene_addr(i % 2 ? "ff02::1" : "ff02::2"), 60));
        const uint8_t *got = guest_packet(&a, ICMP6_ECHO_REPLY, NULL);
        if (!got)
            continue;
        struct ip6 from = scene_addr("r.ll");
        assert_memory_equal(got + 8, from.b, IP6_LEN);
        n++;
        guest_take(&b, &rig);
        assert_int_equal(b.n_got, 0);
    }
    assert_in_range(n, 10, 100);
    guest_ip(&a, &rig, KIND_MULTICAST, nobody, ip,
             put_echo6(ip, scene_addr("b.ll"), scene_addr("ff02::1"), 60));
    assert_int_equal(rig.out.n_dg, 0); /* a victim's source does not pass the guard */
    /* A wrong checksum draws nothing. */
    (void)put_echo6(ip, scene_addr("a.ll"), scene_addr("r.ll"), 60);
    ip[50] ^= 1;
    guest_ip(&a, &rig, KIND_HOST, nobody, ip, 60);
    assert_int_equal(rig_drops(&rig, DROP_CKSUM), 1);
    assert_int_equal(rig.out.n_dg, 0);
}

/* ---- a MAC that has changed ---- */

static void stale_mac(void **state)
{
    uint8_t ip[60];
    unsigned n = 0;

    (void)state;
    members();
    (void)put_udp6(ip, scene_addr("a"), scene_addr("b"), sizeof(ip));
    for (unsigned i = 0; i < 100; i++) {
        guest_ip(&a, &rig, KIND_PEER, nobody, ip, sizeof(ip));
        guest_take(&b, &rig);
        assert_int_equal(b.n_got, 1); /* delivered by its address all the same */
        const uint8_t *na = guest_packet(&a, ND_NA, NULL);
        if (!na)
            continue;
        n++;
        assert_int_equal(na[44], ND_NA_O);
        assert_memory_equal(na + 48, ip + 24, IP6_LEN); /* target */
        assert_memory_equal(na + 66, b.s.mac.b, MAC_LEN);
    }
    assert_int_equal(n, 1);
    assert_int_equal(rig_member(&rig, &a)->stale_mac, 100);
    rig.now += 200 * NS_PER_MS;
    guest_ip(&a, &rig, KIND_PEER, nobody, ip, sizeof(ip));
    assert_non_null(guest_packet(&a, ND_NA, NULL));
}

static void H46_H61_H62_H63_frames(void **state) /* H4, H46, H61, H63 */
{
    uint8_t ip[60], bad[60];

    (void)state;
    members();
    (void)put_udp6(ip, scene_addr("a"), scene_addr("b"), sizeof(ip));
    for (size_t len = 0; len < sizeof(ip); len++) {
        guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, len);
        assert_int_equal(rig.out.n_dg, 0);
        guest_ip(&a, &rig, KIND_HOST, b.s.mac, ip, len);
        assert_int_equal(rig.out.n_dg, 0);
    }
    for (unsigned version = 0; version < 16; version++) {
        memcpy(bad, ip, sizeof(ip));
        bad[0] = (uint8_t)(version << 4);
        guest_ip(&a, &rig, KIND_PEER, b.s.mac, bad, sizeof(bad));
        assert_int_equal(rig.out.n_dg, version == 6);
    }
    /* Octets behind the packet are trimmed (H62). */
    uint8_t longer[80] = { 0 };
    memcpy(longer, ip, sizeof(ip));
    guest_ip(&a, &rig, KIND_PEER, b.s.mac, longer, sizeof(longer));
    guest_take(&b, &rig);
    size_t len;
    assert_non_null(guest_packet(&b, -1, &len));
    assert_int_equal(len, sizeof(ip));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(H69_errors_that_lie),       RIG_ROW(H65_fragments_for_ever),
        RIG_ROW(R40_R41_R45_too_big),       RIG_ROW(R4_R5_R34_R38_roles),
        RIG_ROW(R34_R51_undecided),         RIG_ROW(R73_icmp_passes),
        RIG_ROW(R43_no_error_about_errors), RIG_ROW(R35_R44_errors_are_limited),
        RIG_ROW(R15_H71_group_echo),        RIG_ROW(stale_mac),
        RIG_ROW(H46_H61_H62_H63_frames),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
