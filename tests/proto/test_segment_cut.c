/* SPDX-License-Identifier: MIT */
/* test_segment_cut.c - superframes cut: against frames built one by one, malformed ones refused */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow.h"
#include "proto/segment.h"

#define FIN 0x01
#define SYN 0x02
#define RST 0x04
#define PSH 0x08
#define ACK 0x10
#define ECE 0x40
#define CWR 0x80

static const uint8_t stamps[12] = { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 };
static const uint8_t destopts[16] = { 6, 1, 1, 12 };
static const uint8_t hop_dest[16] = { 60, 0, 1, 4, 0, 0, 0, 0, 6, 0, 1, 4 };
static uint8_t payload[70000];

static struct flow tcp_flow(void)
{
    return (struct flow){ .l2_len = 14,
                          .proto = 6,
                          .src = "2001:db8::1",
                          .dst = "2001:db8::2",
                          .sport = 1000,
                          .dport = 2000,
                          .seq = 77,
                          .ack = 99,
                          .window = 512,
                          .hop_limit = 64 };
}

static struct flow udp_flow(void)
{
    struct flow f = tcp_flow();
    f.proto = 17;
    return f;
}

static uint8_t *exact(size_t len)
{
    uint8_t *p = malloc(len ? len : 1);
    assert_non_null(p);
    return p;
}

/* The twin: each frame built by itself. */
static void check_cut(const char *name, const struct flow *f, uint8_t flags, uint16_t gso,
                      size_t len, unsigned slice, size_t arena_len)
{
    uint8_t *buf = exact(flow_hdr(f) + len), *want = exact(FLOW_FRAME_MAX);
    struct super s = flow_super(f, buf, flags, gso, payload, len);
    struct segment_arena a = { .p = exact(arena_len), .len = arena_len };
    struct segment_cut c;
    struct pkt out[64];
    size_t at = 0;

    if (segment_cut_open(&c, &s, f->l2_len) != DROP_NONE)
        fail_msg("%s: refused", name);
    while (!segment_cut_done(&c)) {
        a.used = 0;
        unsigned n = segment_cut_next(&c, &a, out, slice);
        if (n == 0)
            fail_msg("%s: no progress", name);
        for (unsigned i = 0; i < n; i++) {
            size_t seg = len - at < gso ? len - at : gso;
            uint8_t fl =
                flags & (uint8_t) ~(at + seg < len ? FIN | PSH : 0) & (uint8_t) ~(at ? CWR : 0);
            size_t want_len = flow_put(f, want, (uint32_t)at, fl, payload + at, seg);
            if (out[i].len != want_len || memcmp(out[i].p, want, want_len) != 0)
                fail_msg("%s: frame at %zu differs", name, at);
            /* the room an engine writes is its own, inside the arena, and no more */
            size_t room = f->l2_len ? PKT_ROOM_TAP : PKT_ROOM_TUN;
            assert_true(out[i].p - room >= a.p);
            assert_true(out[i].p + out[i].len + PKT_ROOM_BEHIND <= a.p + a.len);
            if (i > 0)
                assert_ptr_equal(out[i].p - room, out[i - 1].p + out[i - 1].len + PKT_ROOM_BEHIND);
            at += seg;
        }
    }
    assert_int_equal(at, len);
    free(a.p);
    free(want);
    free(buf);
}

static void cut_rows(void **state)
{
    (void)state;
    struct flow stamped = tcp_flow(), ext = tcp_flow(), hops = tcp_flow(), wrap = tcp_flow(),
                tun = tcp_flow(), tun_udp = udp_flow(), udp = udp_flow(), plain = tcp_flow(),
                udp_ext = udp_flow();
    stamped.opts = stamps, stamped.opt_len = sizeof(stamps);
    ext.ext = destopts, ext.ext_len = sizeof(destopts), ext.ext_nh = 60;
    hops.ext = hop_dest, hops.ext_len = sizeof(hop_dest), hops.ext_nh = 0;
    wrap.seq = UINT32_MAX - 2000;
    tun.l2_len = tun_udp.l2_len = 0;
    static const uint8_t udp_dest[8] = { 17, 0, 1, 4 };
    udp_ext.ext = udp_dest, udp_ext.ext_len = 8, udp_ext.ext_nh = 60;
    stamped.tos = 0x2b, stamped.label = 0xabcde;
    const struct {
        const char *name;
        const struct flow *f;
        uint8_t flags;
        uint16_t gso;
        size_t len;
    } rows[] = {
        { "two equal", &plain, ACK, 1000, 2000 },
        { "last shorter", &plain, ACK, 1000, 2001 },
        { "odd segments", &plain, ACK, 999, 5000 },
        { "one octet each", &plain, ACK, 1, 90 },
        { "one segment only", &plain, ACK | PSH, 1000, 900 },
        { "PSH on the last", &plain, ACK | PSH, 1000, 3000 },
        { "FIN on the last", &plain, ACK | FIN, 1000, 3000 },
        { "CWR on the first", &plain, ACK | CWR | PSH, 1000, 3000 },
        { "ECE on all", &plain, ACK | ECE, 1000, 3000 },
        { "options", &stamped, ACK, 1348, 64000 },
        { "destination options", &ext, ACK, 1300, 10000 },
        { "hop-by-hop and destination options", &hops, ACK, 1300, 10000 },
        { "sequence wraps", &wrap, ACK, 1000, 5000 },
        { "TUN", &tun, ACK, 1400, 60000 },
        { "longest TCP", &plain, ACK | PSH, 1434, 65515 },
        { "gso size of the whole", &plain, ACK, 65515, 65515 },
        { "UDP", &udp, 0, 1200, 12000 },
        { "UDP, last shorter", &udp, 0, 1200, 12345 },
        { "UDP out of a TUN", &tun_udp, 0, 1, 64 },
        { "UDP, options", &udp_ext, 0, 500, 1700 },
        { "longest UDP", &udp, 0, 1200, 65527 },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        check_cut(rows[i].name, rows[i].f, rows[i].flags, rows[i].gso, rows[i].len, 64,
                  SEGMENT_ARENA_MIN);
        check_cut(rows[i].name, rows[i].f, rows[i].flags, rows[i].gso, rows[i].len, 3,
                  SEGMENT_ARENA_MIN + 4000);
    }
}

/* Random ones, arena and slices too. */
static void cut_random(void **state)
{
    (void)state;
    uint32_t seed = 7;
    for (unsigned i = 0; i < 300; i++) {
        struct flow f = pkt_rnd(&seed) % 3 ? tcp_flow() : udp_flow();
        f.l2_len = pkt_rnd(&seed) % 2 ? 14 : 0;
        f.seq = pkt_rnd(&seed);
        f.opts = payload + pkt_rnd(&seed) % 100;
        f.opt_len = f.proto == 6 ? pkt_rnd(&seed) % 11 * 4 : 0;
        uint16_t gso = (uint16_t)(1 + pkt_rnd(&seed) % 1500);
        size_t len = 1 + pkt_rnd(&seed) % (gso * 20u);
        uint8_t flags = (uint8_t)(ACK | (pkt_rnd(&seed) & (FIN | PSH | ECE | CWR)));
        check_cut("random", &f, f.proto == 6 ? flags : 0, gso, len, 1 + pkt_rnd(&seed) % 64,
                  SEGMENT_ARENA_MIN);
    }
}

/* Behind a Routing header the kernel's own sum of the pseudo-header counts. */
static void routing_header(void **state)
{
    (void)state;
    static const uint8_t rh[24] = { 6, 2, 4, 1, 0, 0, 0, 0, 0x20, 1, 0xd, 0xb8, [23] = 9 };
    struct flow f = tcp_flow(), twin = tcp_flow();
    uint8_t buf[4000], want[2000], room[4000];
    struct segment_arena a = { room, sizeof(room), 0 };
    struct segment_cut c;
    struct pkt out[4];

    f.ext = rh, f.ext_len = sizeof(rh), f.ext_nh = 43;
    struct super s = flow_super(&f, buf, ACK, 1000, payload, 2000);
    twin.dst = "2001:db8::9"; /* the final destination */
    uint8_t other[4000];
    flow_super(&twin, other, ACK, 1000, payload, 2000);
    memcpy(buf + flow_upper(&f) + 16, other + flow_upper(&twin) + 16, 2);
    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_NONE);
    assert_int_equal(segment_cut_next(&c, &a, out, 4), 2);
    for (unsigned i = 0; i < 2; i++) {
        size_t len = flow_put(&twin, want, i * 1000, ACK, payload + i * 1000, 1000);
        assert_int_equal(out[i].len, len + 24);
        assert_memory_equal(out[i].p + flow_upper(&f), want + flow_upper(&twin), 1020);
    }
    s.vnet[0] = 0; /* no sum, so it cannot be known */
    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_EXT_CHAIN);
}

/* A checksum left open without GSO is completed in place; every other frame is left alone. */
static void open_checksum(void **state)
{
    (void)state;
    for (size_t k = 0; k < 2; k++) {
        for (size_t len = 0; len < 40; len++) {
            struct flow f = k ? udp_flow() : tcp_flow();
            uint8_t *buf = exact(flow_hdr(&f) + len), want[200];
            struct super s = flow_super(&f, buf, ACK, 0, payload, len);
            struct segment_arena none = { 0 };
            struct segment_cut c;
            struct pkt out;

            s.vnet[1] = 0;
            size_t want_len = flow_put(&f, want, 0, ACK, payload, len);
            assert_int_equal(segment_cut_open(&c, &s, 14), DROP_NONE);
            assert_int_equal(segment_cut_next(&c, &none, &out, 0), 0);
            assert_int_equal(segment_cut_next(&c, &none, &out, 1), 1);
            assert_ptr_equal(out.p, buf);
            assert_int_equal(out.len, want_len);
            assert_memory_equal(buf, want, want_len);
            assert_true(segment_cut_done(&c));
            assert_int_equal(segment_cut_next(&c, &none, &out, 1), 0);
            free(buf);
        }
    }
    /* a sum of zero is written as all ones */
    uint8_t z[60] = { [14] = 0x60, [54] = 0xff, [55] = 0xff };
    struct super s = { .vnet = { 1, 0, 0, 0, 0, 0, 54, 0, 2, 0 }, .p = z, .len = sizeof(z) };
    struct segment_cut c;
    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_NONE);
    assert_int_equal(be16_load(z + 56), 0xFFFF);
}

static void whole_frames_pass(void **state)
{
    (void)state;
    uint8_t junk[3] = { 1, 2, 3 };
    struct super s = { .p = junk, .len = 3 };
    struct segment_arena none = { 0 };
    struct segment_cut c;
    struct pkt out;

    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_NONE);
    assert_int_equal(segment_cut_next(&c, &none, &out, 1), 1);
    assert_ptr_equal(out.p, junk);
    assert_int_equal(out.len, 3);
}

struct refusal {
    const char *name;
    unsigned at; /* of the octet to change: below 100 in the frame, else 100 + of the header */
    uint8_t value;
    enum drop why;
};

static void refused(const char *name, const struct flow *f, const struct refusal *r, size_t cut_to)
{
    uint8_t scratch[4000];
    struct super s = flow_super(f, scratch, ACK, 500, payload, 1500);
    struct segment_cut c;
    struct segment_arena a = { .p = exact(8000), .len = 8000 };
    struct pkt out[8];

    if (r && r->at >= 100)
        s.vnet[r->at - 100] = r->value;
    else if (r)
        scratch[r->at] = r->value;
    if (cut_to)
        s.len = (uint32_t)cut_to;
    s.p = exact(s.len);
    memcpy(s.p, scratch, s.len);
    enum drop why = segment_cut_open(&c, &s, f->l2_len);
    if (r && why != r->why)
        fail_msg("%s: %s, not %s", name, drop_name(why), drop_name(r->why));
    if (!r && why == DROP_NONE)
        fail_msg("%s: taken", name);
    assert_true(segment_cut_done(&c));
    assert_int_equal(segment_cut_next(&c, &a, out, 8), 0);
    free(s.p);
    free(a.p);
}

static void refusal_rows(void **state)
{
    (void)state;
    static const struct refusal tcp[] = {
        { "not IPv6 by type", 13, 0x00, DROP_ETHERTYPE },
        { "not version 6", 14, 0x45, DROP_IP_VERSION },
        { "longer than it is", 19, 0xff, DROP_IP_LENGTH },
        { "shorter than it is", 18, 0x00, DROP_IP_LENGTH },
        { "fragment", 20, 44, DROP_FRAG },
        { "ICMPv6", 20, 58, DROP_VNET },
        { "UDP said to be TCP", 20, 17, DROP_VNET },
        { "TCP said to be UDP", 101, 5, DROP_VNET },
        { "TCP over IPv4", 101, 1, DROP_VNET },
        { "UFO", 101, 3, DROP_VNET },
        { "unknown type", 101, 0x21, DROP_VNET },
        { "ECN alone", 101, 0x80, DROP_VNET },
        { "data offset 4", 66, 0x40, DROP_VNET },
        { "SYN", 67, ACK | SYN, DROP_VNET },
        { "RST", 67, ACK | RST, DROP_VNET },
        { "checksum starts elsewhere", 106, 55, DROP_VNET },
        { "checksum lies elsewhere", 108, 6, DROP_VNET },
        { "hop-by-hop that runs over", 20, 0, DROP_EXT_CHAIN },
    };
    struct flow f = tcp_flow(), u = udp_flow(), ext = tcp_flow();
    for (size_t i = 0; i < PKT_N(tcp); i++)
        refused(tcp[i].name, &f, &tcp[i], 0);
    static const struct refusal ecn = { "UDP with ECN", 101, 0x85, DROP_VNET };
    refused(ecn.name, &u, &ecn, 0);
    static uint8_t long_ext[600] = { 6, 74 }; /* 75 * 8 */
    static const struct refusal bound = { "extension headers too long", 0, 2 /* as it is */,
                                          DROP_EXT_CHAIN };
    ext.ext = long_ext, ext.ext_len = 600, ext.ext_nh = 60;
    refused(bound.name, &ext, &bound, 0);
    static uint8_t many[80];
    for (unsigned i = 0; i < 10; i++)
        many[i * 8] = i < 9 ? 60 : 6;
    ext.ext = many, ext.ext_len = sizeof(many);
    refused("ten extension headers", &ext, &bound, 0);
    for (size_t len = 1; len < flow_hdr(&f) + 1500; len++)
        refused("cut off", &f, NULL, len);
}

/* Headers that agree on a length with no room for the next header. */
static void short_inside(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        size_t plen;
        enum drop why;
    } rows[] = {
        { "nothing", 0, DROP_FRAME_SHORT },
        { "19 octets of TCP", 19, DROP_FRAME_SHORT },
        { "TCP without payload", 20, DROP_FRAME_SHORT },
        { "one octet", 21, DROP_NONE },
    };
    struct flow f = tcp_flow();
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t buf[200];
        struct super s = flow_super(&f, buf, ACK, 10, payload, 100);
        struct segment_cut c;
        be16_store(buf + 18, (uint16_t)rows[i].plen);
        s.len = (uint32_t)(54 + rows[i].plen);
        s.p = exact(s.len);
        memcpy(s.p, buf, s.len);
        if (segment_cut_open(&c, &s, 14) != rows[i].why)
            fail_msg("%s", rows[i].name);
        free(s.p);
    }
    uint8_t buf[200];
    struct super s = flow_super(&f, buf, ACK, 0, payload, 100);
    struct segment_cut c;
    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_VNET); /* no segment size */
    s.vnet[1] = 0;
    s.vnet[6] = (uint8_t)(s.len - 1), s.vnet[8] = 0;
    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_VNET); /* checksum half outside */
    s.vnet[6] = 13;
    assert_int_equal(segment_cut_open(&c, &s, 14), DROP_VNET); /* inside Ethernet */
}

/* Whatever the octets: nothing is read or written outside, and all ends. */
static void mutations(void **state)
{
    (void)state;
    uint32_t seed = 99;
    struct segment_arena a = { .p = exact(SEGMENT_ARENA_MIN), .len = SEGMENT_ARENA_MIN };
    unsigned taken = 0;

    for (unsigned i = 0; i < 20000; i++) {
        struct flow f = pkt_rnd(&seed) % 2 ? tcp_flow() : udp_flow();
        uint8_t scratch[2000];
        f.l2_len = pkt_rnd(&seed) % 2 ? 14 : 0;
        if (f.proto == 6 && pkt_rnd(&seed) % 2)
            f.ext = hop_dest, f.ext_len = sizeof(hop_dest), f.ext_nh = 0;
        struct super s = flow_super(&f, scratch, ACK, (uint16_t)(pkt_rnd(&seed) % 300), payload,
                                    pkt_rnd(&seed) % 1000);
        for (unsigned k = pkt_rnd(&seed) % 4; k > 0; k--) {
            if (pkt_rnd(&seed) % 3 == 0)
                s.vnet[pkt_rnd(&seed) % VNET_LEN] = (uint8_t)pkt_rnd(&seed);
            else
                scratch[pkt_rnd(&seed) % (pkt_rnd(&seed) % 2 ? s.len : 80)] =
                    (uint8_t)pkt_rnd(&seed);
        }
        if (pkt_rnd(&seed) % 8 == 0)
            s.len = pkt_rnd(&seed) % (s.len + 1);
        s.p = exact(s.len);
        memcpy(s.p, scratch, s.len);
        uint64_t drops[DROP_COUNT] = { 0 };
        struct segment_feed feed = segment_feed_of(&s, 1, f.l2_len, drops);
        struct pkt out[64];
        size_t octets = 0;
        while (!segment_feed_done(&feed)) {
            a.used = 0;
            unsigned n = segment_feed_next(&feed, &a, out, 64);
            for (unsigned k = 0; k < n; k++)
                octets += out[k].len;
            assert_true(n > 0 || segment_feed_done(&feed));
        }
        assert_true(octets <= (size_t)s.len * 1100);
        taken += octets > 0;
        free(s.p);
    }
    assert_true(taken > 5000 && taken < 19500); /* both ways were tried */
    free(a.p);
}

/* Frames come in order out of several, whole ones too; what cannot be cut is counted. */
static void feed_in_slices(void **state)
{
    (void)state;
    struct flow f = tcp_flow();
    uint8_t *buf[3] = { exact(10000), exact(10000), exact(10000) };
    uint8_t small[60] = { 0 }, *room = exact(SEGMENT_ARENA_MIN), want[2000];
    uint64_t drops[DROP_COUNT] = { 0 };
    struct super s[4] = { flow_super(&f, buf[0], ACK, 1000, payload, 5500),
                          flow_super(&f, buf[1], ACK, 1000, payload, 5500),
                          { .p = small, .len = 60 },
                          flow_super(&f, buf[2], ACK, 1000, payload, 2000) };
    s[1].vnet[1] = 3;
    struct segment_feed feed = segment_feed_of(s, 4, 14, drops);
    struct segment_arena a = { room, SEGMENT_ARENA_MIN, 0 };
    struct pkt out[9];

    assert_int_equal(segment_feed_next(&feed, &a, out, 4), 4);
    assert_false(segment_feed_done(&feed));
    assert_int_equal(segment_feed_next(&feed, &a, out + 4, 5), 5);
    assert_true(segment_feed_done(&feed));
    assert_int_equal(segment_feed_next(&feed, &a, out, 4), 0);
    assert_int_equal(drops[DROP_VNET], 1);
    assert_ptr_equal(out[6].p, small);
    assert_memory_equal(out[5].p, want, flow_put(&f, want, 5000, ACK, payload + 5000, 500));
    assert_memory_equal(out[8].p, want, flow_put(&f, want, 1000, ACK, payload + 1000, 1000));
    free(room);
    for (unsigned i = 0; i < 3; i++)
        free(buf[i]);
}

static int fill(void **state)
{
    (void)state;
    uint32_t seed = 3;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)pkt_rnd(&seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(cut_rows),          cmocka_unit_test(cut_random),
        cmocka_unit_test(routing_header),    cmocka_unit_test(open_checksum),
        cmocka_unit_test(whole_frames_pass), cmocka_unit_test(refusal_rows),
        cmocka_unit_test(short_inside),      cmocka_unit_test(mutations),
        cmocka_unit_test(feed_in_slices),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
