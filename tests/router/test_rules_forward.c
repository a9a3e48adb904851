/* SPDX-License-Identifier: MIT */
/* test_rules_forward.c - extension headers at the router and through it, what the router itself
 * does not speak, Packet Too Big about multicast, what is left as it is (R30, R40, R43, R46, R48..
 * R51, R56, R57, R66, H60, H61, H66, H72) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/cksum.h"
#include "scene.h"

#define HERE "2001:db8:1::1" /* the router; answered by the engine with `uplink: none` */

/* IPv6 with @head, extension headers that start with number @nh, before an ICMPv6 echo request or,
 * when that is what @head ends with, nothing. */
static size_t put_chain(uint8_t *p, const char *src, const char *dst, uint8_t nh, const void *head,
                        size_t head_len, bool echo)
{
    uint8_t inner[60];
    size_t more = 0;

    if (echo) {
        (void)put_echo6(inner, scene_addr(src), scene_addr(dst), sizeof(inner));
        more = sizeof(inner) - IP6_HDR_LEN;
    }
    (void)put_udp6(p, scene_addr(src), scene_addr(dst), 48);
    memset(p + 40, 0, 8);
    be16_store(p + 4, (uint16_t)(head_len + more));
    p[6] = nh;
    memcpy(p + 40, head, head_len);
    memcpy(p + 40 + head_len, inner + 40, more);
    return 40 + head_len + more;
}

enum after { REPLY, SILENCE, ERROR };

#define HEAD(s) s, sizeof(s) - 1

struct chain {
    const char *name;
    uint8_t nh;
    const char *head;
    size_t head_len;
    enum after after;
    uint8_t code; /* of Parameter Problem */
    uint32_t pointer;
    enum drop why;
};

/* What the router does with an echo request to itself behind each chain. */
static void to_the_router(const struct chain *rows, unsigned n_rows, const char *dst)
{
    for (unsigned i = 0; i < n_rows; i++) {
        uint8_t ip[400];
        rig.now += 200 * NS_PER_MS; /* errors are limited */
        size_t len = put_chain(ip, strcmp(dst, "ff02::1") == 0 ? "a.ll" : "a", dst, rows[i].nh,
                               rows[i].head, rows[i].head_len, true);
        guest_says(&a, ip6_is_multicast(scene_addr(dst)) ? KIND_MULTICAST : KIND_HOST, "r", ip,
                   len);
        const uint8_t *reply = guest_packet(&a, ICMP6_ECHO_REPLY, NULL),
                      *error = guest_packet(&a, ICMP6_PARAM, NULL);
        if ((reply != NULL) != (rows[i].after == REPLY) ||
            (error != NULL) != (rows[i].after == ERROR) || rig.out.n_dg > 1 || rig.out.n_pk ||
            (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
            fail_msg("%s to %s: %u out", rows[i].name, dst, rig.out.n_dg);
        if (reply)
            assert_int_equal(reply[6], NH_ICMPV6); /* no extension header goes back */
        if (!error)
            continue;
        if (error[41] != rows[i].code || be32_load(error + 44) != rows[i].pointer)
            fail_msg("%s: code %u, pointer %u", rows[i].name, error[41], be32_load(error + 44));
        assert_memory_equal(error + 48, ip, len);
    }
}

static void R48_options_at_the_router(void **state)
{
    /* RFC 8200 4.2: the two highest bits of a type nobody knows say what to do. */
    static const struct chain rows[] = {
        { "hop-by-hop, padding", 0, HEAD("\x3a\0\1\4\0\0\0\0"), REPLY, 0, 0, DROP_NONE },
        { "hop-by-hop, 00", 0, HEAD("\x3a\0\x1e\4\0\0\0\0"), REPLY, 0, 0, DROP_NONE },
        { "hop-by-hop, 01", 0, HEAD("\x3a\0\x5e\4\0\0\0\0"), SILENCE, 0, 0, DROP_OPTION },
        { "hop-by-hop, 10", 0, HEAD("\x3a\0\x9e\4\0\0\0\0"), ERROR, 2, 42, DROP_OPTION },
        { "hop-by-hop, 11", 0, HEAD("\x3a\0\xde\4\0\0\0\0"), ERROR, 2, 42, DROP_OPTION },
        { "second option", 0, HEAD("\x3a\0\0\1\0\x9e\1\0"), ERROR, 2, 45, DROP_OPTION },
        { "destination, 00", 60, HEAD("\x3a\0\x1e\4\0\0\0\0"), REPLY, 0, 0, DROP_NONE },
        { "destination, 01", 60, HEAD("\x3a\0\x5e\4\0\0\0\0"), SILENCE, 0, 0, DROP_OPTION },
        { "destination, 10", 60, HEAD("\x3a\0\x9e\4\0\0\0\0"), ERROR, 2, 42, DROP_OPTION },
        { "destination, 11", 60, HEAD("\x3a\0\xde\4\0\0\0\0"), ERROR, 2, 42, DROP_OPTION },
        { "destination, past its end", 60, HEAD("\x3a\0\x1e\5\0\0\0\0"), SILENCE, 0, 0,
          DROP_EXT_CHAIN },
        { "destination behind hop-by-hop", 0, HEAD("\x3c\0\1\4\0\0\0\0\x3a\0\x9e\4\0\0\0\0"), ERROR,
          2, 50, DROP_OPTION },
    };
    /* To a group: an error for 10 only. */
    static const struct chain group[] = {
        { "destination, 01", 60, HEAD("\x3a\0\x5e\4\0\0\0\0"), SILENCE, 0, 0, DROP_OPTION },
        { "destination, 10", 60, HEAD("\x3a\0\x9e\4\0\0\0\0"), ERROR, 2, 42, DROP_OPTION },
        { "destination, 11", 60, HEAD("\x3a\0\xde\4\0\0\0\0"), SILENCE, 0, 0, DROP_OPTION },
        { "destination, 00", 60, HEAD("\x3a\0\x1e\4\0\0\0\0"), REPLY, 0, 0, DROP_NONE },
    };
    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    scene_start(1);
    to_the_router(rows, N(rows), HERE);
    to_the_router(rows, N(rows), "2001:db8:1::");
    to_the_router(group, N(group), "ff02::1");
}

static void R49_H66_routing_headers(void **state)
{
    static const struct chain rows[] = {
        { "type 0, a segment left", 43,
          HEAD("\x3a\2\0\1\0\0\0\0\x20\1\x0d\xb8\0\x99\0\0\0\0\0\0\0\0\0\1"), ERROR, 0, 42,
          DROP_ROUTING },
        { "type 0, none left", 43,
          HEAD("\x3a\2\0\0\0\0\0\0\x20\1\x0d\xb8\0\x99\0\0\0\0\0\0\0\0\0\1"), REPLY, 0, 0,
          DROP_NONE },
        { "segment routing", 43, HEAD("\x3a\2\4\1\0\0\0\0\x20\1\x0d\xb8\0\x99\0\0\0\0\0\0\0\0\0\1"),
          ERROR, 0, 42, DROP_ROUTING },
        { "type 33", 43, HEAD("\x3a\0\x21\3\0\0\0\0"), ERROR, 0, 42, DROP_ROUTING },
        { "type 33, none left", 43, HEAD("\x3a\0\x21\0\0\0\0\0"), REPLY, 0, 0, DROP_NONE },
        { "AH of zero length", 51, HEAD("\x3a\0\0\0\0\0\0\0"), REPLY, 0, 0, DROP_NONE },
    };
    uint8_t ip[200];

    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    scene_start(2);
    to_the_router(rows, N(rows), HERE);
    /* Never sent on to the next segment, neither by the router nor by way of another member. */
    for (unsigned i = 0; i < N(rows); i++) {
        size_t len = put_chain(ip, "a", "b", rows[i].nh, rows[i].head, rows[i].head_len, true);
        guest_says(&a, KIND_PEER, "b", ip, len);
        assert_int_equal(b.n_got, 1); /* b's to refuse */
        assert_memory_equal(b.got[0].p + MAC_LEN, ip, len);
    }
}

static void R50_fragments_at_the_router(void **state)
{
    static const struct chain rows[] = {
        { "atomic", 44, HEAD("\x3a\0\0\0\0\0\0\1"), REPLY, 0, 0, DROP_NONE }, /* RFC 6946 */
        { "first", 44, HEAD("\x3a\0\0\1\0\0\0\1"), SILENCE, 0, 0, DROP_FRAG },
        { "last", 44, HEAD("\x3a\0\0\x10\0\0\0\1"), SILENCE, 0, 0, DROP_FRAG },
        { "overlapping", 44, HEAD("\x3a\0\0\x09\0\0\0\1"), SILENCE, 0, 0, DROP_FRAG },
        { "atomic behind hop-by-hop", 0, HEAD("\x2c\0\1\4\0\0\0\0\x3a\0\0\0\0\0\0\1"), REPLY, 0, 0,
          DROP_NONE },
    };
    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    scene_start(1);
    to_the_router(rows, N(rows), HERE);
}

static void R46_what_the_router_does_not_speak(void **state)
{
    static const struct {
        const char *name;
        uint8_t nh;
        const char *head;
        size_t head_len;
        int type, code;
        uint32_t param;
    } rows[] = {
        { "unknown protocol", 253, HEAD("whatever"), ICMP6_PARAM, 1, 6 },
        { "IPv4 inside (H75)", 4, HEAD("\x45\0\0\x14\0\0\0\0\x40\1\0\0\xc0\0\2\1\xc0\0\2\2"),
          ICMP6_PARAM, 1, 6 },
        { "unknown behind hop-by-hop", 0, HEAD("\xfd\0\1\4\0\0\0\0whatever"), ICMP6_PARAM, 1, 40 },
        { "unknown behind destination options", 60, HEAD("\xfd\0\1\4\0\0\0\0whatever"), ICMP6_PARAM,
          1, 40 },
        { "unknown behind both", 0, HEAD("\x3c\0\1\4\0\0\0\0\xfd\0\1\4\0\0\0\0whatever"),
          ICMP6_PARAM, 1, 48 },
        { "UDP", 17, HEAD("\x10\0\x10\0\0\x08\0\0"), ICMP6_UNREACH, 4, 0 },
        { "TCP", 6, HEAD("\x10\0\x10\0\0\0\0\0\0\0\0\0\x50\2\0\0\0\0\0\0"), ICMP6_UNREACH, 4, 0 },
        { "nothing", 59, HEAD(""), -1, 0, 0 },
        { "unknown informational", 58, HEAD("\xc8\0\0\0\0\0\0\0"), -1, 0, 0 },
        { "echo reply", 58, HEAD("\x81\0\0\0\0\0\0\0"), -1, 0, 0 },
        { "an error", 58, HEAD("\1\4\0\0\0\0\0\0"), -1, 0, 0 },
        { "an error of unknown type", 58, HEAD("\x64\0\0\0\0\0\0\0"), -1, 0, 0 },
    };
    static const char *const dst[] = { HERE, "2001:db8:1::", "r.ll" };

    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    scene_start(1);
    for (unsigned i = 0; i < N(rows); i++) {
        for (unsigned k = 0; k < N(dst); k++) {
            uint8_t ip[120];
            rig.now += 200 * NS_PER_MS;
            size_t len = put_chain(ip, k == 2 ? "a.ll" : "a", dst[k], rows[i].nh, rows[i].head,
                                   rows[i].head_len, false);
            guest_says(&a, KIND_HOST, "r", ip, len);
            const uint8_t *got = guest_packet(&a, -1, NULL);
            if ((got != NULL) != (rows[i].type >= 0) || rig_drops(&rig, DROP_NO_SERVICE) != 1)
                fail_msg("%s to %s", rows[i].name, dst[k]);
            if (got && (got[40] != rows[i].type || got[41] != rows[i].code ||
                        be32_load(got + 44) != rows[i].param))
                fail_msg("%s: type %u, code %u, %u", rows[i].name, got[40], got[41],
                         be32_load(got + 44));
        }
    }
}

/* Where the engine is the router between two members, and where it is not. */
static void R48_options_on_the_way(void **state)
{
    static const struct {
        const char *name;
        uint8_t nh;
        const char *head;
        enum wire_kind kind;
        bool through;
        int code; /* of Parameter Problem; -1: none */
    } rows[] = {
        { "routed, 00", 0, "\x3a\0\x1e\4\0\0\0\0", KIND_HOST, true, -1 },
        { "routed, router alert", 0, "\x3a\0\5\2\0\0\1\0", KIND_HOST, true, -1 },
        { "routed, 01", 0, "\x3a\0\x5e\4\0\0\0\0", KIND_HOST, false, -1 },
        { "routed, 10", 0, "\x3a\0\x9e\4\0\0\0\0", KIND_HOST, false, 2 },
        { "routed, 11", 0, "\x3a\0\xde\4\0\0\0\0", KIND_HOST, false, 2 },
        { "routed, destination option 11", 60, "\x3a\0\xde\4\0\0\0\0", KIND_HOST, true, -1 },
        { "neighbors, 01", 0, "\x3a\0\x5e\4\0\0\0\0", KIND_PEER, true, -1 },
        { "neighbors, 11", 0, "\x3a\0\xde\4\0\0\0\0", KIND_PEER, true, -1 },
    };
    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[120];
        rig.now += 200 * NS_PER_MS;
        size_t len = put_chain(ip, "a", "b", rows[i].nh, rows[i].head, 8, true);
        guest_says(&a, rows[i].kind, "b", ip, len);
        const uint8_t *error = guest_packet(&a, ICMP6_PARAM, NULL);
        if ((b.n_got == 1) != rows[i].through || (error ? error[41] : -1) != rows[i].code)
            fail_msg("%s", rows[i].name);
        if (error)
            assert_int_equal(be32_load(error + 44), 42);
        if (rows[i].through)
            assert_memory_equal(b.got[0].p + MAC_LEN + 40, ip + 40, len - 40);
        /* to the uplink the kernel is the router: opaque */
        len = put_chain(ip, "a", "2001:db8:99::1", rows[i].nh, rows[i].head, 8, true);
        guest_says(&a, KIND_HOST, "r", ip, len);
        assert_int_equal(rig.out.n_pk, 1);
        assert_memory_equal(rig.out.pk[0].p, ip, len);
    }
}

static void R51_H60_long_chains(void **state)
{
    uint8_t ip[1400], head[1200];

    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    scene_start(2);
    scene_mtu(1400);
    for (unsigned n = 0; n <= 150; n += n < 12 ? 1 : 23) {
        for (unsigned i = 0; i < n; i++)
            memcpy(head + 8 * i, "\x3c\0\1\4\0\0\0\0", 8);
        if (n)
            head[8 * (n - 1)] = NH_ICMPV6;
        rig.now += 200 * NS_PER_MS;
        size_t len = put_chain(ip, "a", "b", n ? NH_DSTOPTS : NH_ICMPV6, head, 8 * n, true);
        guest_says(&a, KIND_PEER, "b", ip, len);
        assert_int_equal(b.n_got, n <= FRAME_EXT_MAX);
        if (n > FRAME_EXT_MAX)
            assert_int_equal(rig_drops(&rig, DROP_EXT_CHAIN), 1);
        len = put_chain(ip, "a", HERE, n ? NH_DSTOPTS : NH_ICMPV6, head, 8 * n, true);
        guest_says(&a, KIND_HOST, "r", ip, len);
        assert_int_equal(rig.out.n_dg, n <= FRAME_EXT_MAX);
    }
    /* Hop-by-hop twice, or not first. */
    size_t len = put_chain(ip, "a", "b", 0, HEAD("\0\0\1\4\0\0\0\0\x3a\0\1\4\0\0\0\0"), true);
    guest_says(&a, KIND_PEER, "b", ip, len);
    assert_int_equal(rig_drops(&rig, DROP_EXT_CHAIN), 1);
    len = put_chain(ip, "a", "b", 60, HEAD("\0\0\1\4\0\0\0\0\x3a\0\1\4\0\0\0\0"), true);
    guest_says(&a, KIND_PEER, "b", ip, len);
    assert_int_equal(rig_drops(&rig, DROP_EXT_CHAIN), 1);
    /* H61: a jumbogram */
    len = put_chain(ip, "a", "b", 0, HEAD("\x3a\0\xc2\4\0\1\0\0"), true);
    guest_says(&a, KIND_PEER, "b", ip, len);
    assert_int_equal(rig_drops(&rig, DROP_IP_LENGTH), 1);
    /* No error is owed about what could not be read. */
    assert_int_equal(rig.out.n_dg, 0);
}

/* ---- Packet Too Big about multicast ---- */

static void R40_too_big_for_a_listener(void **state)
{
    uint8_t ip[1500];
    size_t len;

    (void)state;
    rig.conf.multicast = true;
    scene_start(3);
    scene_mtu(1500);
    rig_member(&rig, &b)->mtu = 1400;
    rig_member(&rig, &c)->mtu = 1300;
    static const struct {
        size_t len;
        bool b, c;
        unsigned small, mtu; /* mtu 0: no error */
    } rows[] = {
        { 1300, true, true, 0, 0 },      { 1301, true, false, 1, 1300 },
        { 1400, true, false, 1, 1300 },  { 1401, false, false, 2, 1300 },
        { 1500, false, false, 2, 1300 },
    };
    for (unsigned i = 0; i < N(rows); i++) {
        rig.now += NS_PER_S;
        (void)put_udp6(ip, guest_addr(&a), ip6_all_nodes, rows[i].len);
        guest_says(&a, KIND_MULTICAST, "-", ip, rows[i].len);
        assert_int_equal(b.n_got, rows[i].b);
        assert_int_equal(c.n_got, rows[i].c);
        assert_int_equal(rig_drops(&rig, DROP_TOO_BIG), rows[i].small);
        const uint8_t *error = guest_packet(&a, ICMP6_TOO_BIG, &len);
        assert_int_equal(error != NULL, rows[i].mtu != 0);
        if (!error)
            continue;
        assert_int_equal(be32_load(error + 44), rows[i].mtu);
        assert_memory_equal(error + 8, rig.conf.address.b, IP6_LEN);
        assert_int_equal(len, ICMP6_ERROR_MAX);
        assert_memory_equal(error + 48, ip, len - 48);
    }
    /* Limited like all others. */
    unsigned n = 0;
    for (unsigned i = 0; i < 60; i++) {
        (void)put_udp6(ip, guest_addr(&a), ip6_all_nodes, 1500);
        guest_says(&a, KIND_MULTICAST, "-", ip, 1500);
        n += guest_packet(&a, ICMP6_TOO_BIG, NULL) != NULL;
        rig.now += 3 * NS_PER_MS;
    }
    assert_in_range(n, 5, 15);
    /* Nobody's place is told what its predecessor sent. */
    rig.re->cast->due = rig.now + NS_PER_S;
    rig.now += NS_PER_MS;
    guest_says(&a, KIND_MULTICAST, "-", ip, 1500);
    assert_int_equal(rig.re->cast->n, 1);
    guest_control(&a, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    rig.now += 2 * NS_PER_S;
    rig_tick(&rig);
    assert_int_equal(rig.re->cast->n, 0);
    assert_int_equal(rig_drops(&rig, DROP_TOO_BIG), 2);
    assert_int_equal(rig_octets_to(&rig, a.ep), 0);
}

/* ---- what stays as it is ---- */

static void R56_R57_traffic_class_and_flow_label(void **state)
{
    uint8_t ip[61];

    (void)state;
    scene_start(2);
    for (unsigned tc = 0; tc < 256; tc++) {
        (void)put_udp6(ip, guest_addr(&a), guest_addr(&b), sizeof(ip)); /* an odd length */
        be32_store(ip, UINT32_C(6) << 28 | tc << 20 | (0xFFFFFu - tc * 0x101u));
        guest_says(&a, KIND_PEER, "b", ip, sizeof(ip));
        assert_int_equal(b.n_got, 1);
        assert_memory_equal(b.got[0].p + MAC_LEN, ip, sizeof(ip));
        /* RFC 6040 4.1 compatibility mode: not ECN-capable outside; no DSCP leaks either */
        assert_int_equal(rig.out.dg[0].tos, 0);
        struct ip6 world = ip6_of("2001:db8:99::1");
        memcpy(ip + 24, world.b, IP6_LEN);
        guest_says(&a, KIND_HOST, "r", ip, sizeof(ip));
        assert_int_equal(rig.out.n_pk, 1);
        assert_memory_equal(rig.out.pk[0].p, ip, sizeof(ip));
        (void)put_udp6(ip, world, guest_addr(&b), sizeof(ip));
        be32_store(ip, UINT32_C(6) << 28 | tc << 20 | tc);
        rig_tun(&rig, ip, sizeof(ip));
        guest_take(&b, &rig);
        assert_memory_equal(b.got[0].p, ip, sizeof(ip));
        assert_int_equal(rig.out.dg[0].tos, 0);
    }
}

/* An outer CE mark on a packet that was sent without ECN changes nothing inside (RFC 6040 4.2). */
static void R57_outer_marks_are_not_copied(void **state)
{
    uint8_t ip[60], plain[66], p[RIG_BUF];

    (void)state;
    scene_start(2);
    for (unsigned tos = 0; tos < 256; tos++) {
        (void)put_udp6(ip, guest_addr(&a), guest_addr(&b), sizeof(ip));
        ip[1] |= 0x20; /* ECT(0) inside */
        memcpy(plain, b.s.mac.b, MAC_LEN);
        memcpy(plain + MAC_LEN, ip, sizeof(ip));
        rig_queue(&rig, a.ep, p, guest_seal(&a, &rig, KIND_PEER, plain, sizeof(plain), p));
        rig.in[0].tos = (uint8_t)tos;
        rig_run(&rig);
        guest_take(&b, &rig);
        assert_int_equal(b.n_got, 1);
        assert_memory_equal(b.got[0].p + MAC_LEN, ip, sizeof(ip));
        assert_int_equal(rig.out.dg[0].tos, 0);
    }
}

static void R66_H72_H73_nothing_comes_back(void **state)
{
    static const char *const own[] = { "a", "a.ll", "a.eui" };
    uint8_t ip[60];

    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(own); i++) {
        for (unsigned k = 0; k < N(own); k++) { /* i == k: land */
            for (unsigned kind = KIND_HOST; kind <= KIND_PEER; kind++) {
                (void)put_udp6(ip, scene_addr(own[i]), scene_addr(own[k]), sizeof(ip));
                guest_says(&a, (enum wire_kind)kind, "a", ip, sizeof(ip));
                assert_int_equal(rig.out.n_dg + rig.out.n_pk, 0);
                assert_int_equal(rig_drops(&rig, DROP_DST_SELF), 1);
            }
        }
    }
    /* and not by way of the router's own addresses */
    static const char *const router[] = { HERE, "2001:db8:1::", "r.ll" };
    for (unsigned i = 0; i < N(router); i++) {
        (void)put_echo6(ip, scene_addr(router[i]), scene_addr(router[i]), sizeof(ip));
        guest_says(&a, KIND_HOST, "r", ip, sizeof(ip));
        assert_int_equal(rig.out.n_dg + rig.out.n_pk, 0);
        assert_int_equal(rig_drops(&rig, DROP_SRC_GUARD), 1);
    }
}

/* ---- two who want one address ---- */

static void R30_both_holders_are_named(void **state)
{
    static const struct {
        const char *target;
        int other; /* index in the configuration; -1: the router */
        const char *holder;
    } rows[] = { { "b", 1, "b" }, { "b.ll", 1, "b" }, { HERE, -1, "r" }, { "r.ll", -1, "r" } };
    struct router_totals t;

    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[80];
        struct notice ev = { .client = 9 };
        struct ip6 target = scene_addr(rows[i].target);
        size_t len = nd_build_ns(ip, ip6_unspecified, ip6_solicited_node(target), target, NULL,
                                 (const uint8_t *)"nonce.");
        guest_says(&a, KIND_MULTICAST, "-", ip, len);
        assert_non_null(guest_packet(&a, ND_NA, NULL));
        assert_int_equal(b.n_got, 0);
        assert_int_equal(rig_notices(&rig, NOTICE_DAD, &ev), 1);
        assert_int_equal(ev.client, 0);
        assert_memory_equal(ev.key, a.id.public_key, KEY_LEN);
        assert_true(mac_eq(ev.mac, a.s.mac));
        assert_true(endpoint_eq(ev.ep, a.ep));
        assert_true(ip6_eq(ev.addr, target));
        assert_true(mac_eq(ev.other_mac, scene_mac(rows[i].holder)));
        assert_int_equal(ev.has_other, rows[i].other >= 0);
        if (rows[i].other >= 0) {
            assert_int_equal(ev.other, rows[i].other);
            assert_memory_equal(ev.other_key, b.id.public_key, KEY_LEN);
        }
        router_engine_totals(rig.re, &t);
        assert_int_equal(t.dad_refused, i + 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(R48_options_at_the_router),      RIG_ROW(R49_H66_routing_headers),
        RIG_ROW(R50_fragments_at_the_router),    RIG_ROW(R46_what_the_router_does_not_speak),
        RIG_ROW(R48_options_on_the_way),         RIG_ROW(R51_H60_long_chains),
        RIG_ROW(R40_too_big_for_a_listener),     RIG_ROW(R56_R57_traffic_class_and_flow_label),
        RIG_ROW(R57_outer_marks_are_not_copied), RIG_ROW(R66_H72_H73_nothing_comes_back),
        RIG_ROW(R30_both_holders_are_named),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
