/* SPDX-License-Identifier: MIT */
/* test_frame.c - the checked view of an inner IPv6 packet: every malformation as a row, then random
 * mutations */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pkt.h"
#include "proto/frame.h"

enum {         /* marks expected of a view */
       FR = 1, /* fragment */
       LATER = 2,
       HBH = 4,
       ALERT = 8,
       UND = 16, /* undecided */
};

#define NO_UPPER 0xFFFF /* upper == len */

static unsigned marks(const struct frame *f)
{
    return (f->fragment ? FR : 0u) | (f->later_fragment ? LATER : 0u) | (f->hopopts ? HBH : 0u) |
           (f->router_alert ? ALERT : 0u) | (f->undecided ? UND : 0u);
}

/* Parses a copy in a heap block of exactly @len octets, so that the sanitizer sees any octet read
 * too much. */
static enum drop parse(struct frame *ret, const uint8_t *p, size_t len)
{
    uint8_t *exact = malloc(len ? len : 1);
    assert_non_null(exact);
    memcpy(exact, p, len);
    enum drop d = frame_parse(ret, exact, len);
    free(exact);
    return d;
}

/* 8 octets of extension header with next header @nh, length unit @len and six octets of Pad */
#define EXT(nh, len) nh len "\x01\x04\0\0\0\0"
#define PADDED(nh)   EXT(nh, "\0")
#define ECHO         "\x80\0\0\0\0\0\0\0"
#define UDP8         "\x02\x23\x02\x22\0\x08\0\0" /* 547 -> 546 */

static const struct {
    const char *name;
    uint8_t nh;
    const uint8_t *pay;
    size_t len;
    enum drop drop;
    uint8_t want_nh;
    uint16_t upper;
    unsigned marks;
} chain_rows[] = {
    { "plain ICMPv6", 58, OCTETS(ECHO), DROP_NONE, 58, 40, 0 },
    { "plain UDP", 17, OCTETS(UDP8), DROP_NONE, 17, 40, 0 },
    { "unknown upper layer", 253, OCTETS("abc"), DROP_NONE, 253, 40, 0 },
    { "IPv6 inside", 41, OCTETS("\x60"), DROP_NONE, 41, 40, 0 },
    { "no next header, nothing", 59, OCTETS(""), DROP_NONE, 59, NO_UPPER, 0 },
    { "no next header, octets behind", 59, OCTETS("abcdefgh"), DROP_NONE, 59, NO_UPPER, 0 },
    { "no next header behind dstopts", 60, OCTETS(PADDED("\x3b")), DROP_NONE, 59, NO_UPPER, 0 },
    { "H61 payload length 0", 17, OCTETS(""), DROP_IP_LENGTH, 0, 0, 0 },
    { "H61 payload length 0, hop-by-hop", 0, OCTETS(""), DROP_IP_LENGTH, 0, 0, 0 },

    { "hop-by-hop", 0, OCTETS(PADDED("\x3a") ECHO), DROP_NONE, 58, 48, HBH },
    { "hop-by-hop, 16 octets", 0, OCTETS("\x3a\x01\x01\x0c\0\0\0\0\0\0\0\0\0\0\0\0" ECHO),
      DROP_NONE, 58, 56, HBH },
    { "H60 hop-by-hop twice", 0, OCTETS(PADDED("\x00") PADDED("\x3a") ECHO), DROP_EXT_CHAIN, 0, 0,
      0 },
    { "H60 hop-by-hop behind dstopts", 60, OCTETS(PADDED("\x00") PADDED("\x3a") ECHO),
      DROP_EXT_CHAIN, 0, 0, 0 },
    { "H60 hop-by-hop behind an atomic fragment", 44,
      OCTETS("\0\0\0\0\0\0\0\1" PADDED("\x3a") ECHO), DROP_EXT_CHAIN, 0, 0, 0 },
    { "H60 hop-by-hop behind a first fragment, cut", 44, OCTETS("\0\0\0\x01\0\0\0\1"),
      DROP_EXT_CHAIN, 0, 0, 0 },
    { "hop-by-hop in a later fragment is data", 44, OCTETS("\0\0\0\x08\0\0\0\1"), DROP_NONE, 0,
      NO_UPPER, FR | LATER },

    { "router alert", 0, OCTETS("\x3a\0\x05\x02\0\0\x01\0" ECHO), DROP_NONE, 58, 48, HBH | ALERT },
    { "router alert behind Pad1", 0, OCTETS("\x3a\0\0\0\x05\x02\0\0" ECHO), DROP_NONE, 58, 48,
      HBH | ALERT },
    { "router alert behind PadN of 0", 0, OCTETS("\x3a\0\x01\0\x05\x02\0\0" ECHO), DROP_NONE, 58,
      48, HBH | ALERT },
    { "router alert behind PadN of 6", 0, OCTETS("\x3a\1\x01\6\0\0\0\0\0\0\x05\x02\0\0\1\0" ECHO),
      DROP_NONE, 58, 56, HBH | ALERT },
    { "router alert behind an unknown option", 0,
      OCTETS("\x3a\1\x1e\6\5\2\5\2\5\2\x05\x02\0\0\1\0" ECHO), DROP_NONE, 58, 56, HBH | ALERT },
    { "router alert inside another option", 0, OCTETS("\x3a\0\x1e\x04\x05\x02\0\0" ECHO), DROP_NONE,
      58, 48, HBH },
    { "router alert of length 1", 0, OCTETS("\x3a\0\x05\x01\0\x01\1\0" ECHO), DROP_NONE, 58, 48,
      HBH },
    { "router alert of length 3", 0, OCTETS("\x3a\0\x05\x03\0\0\0\0" ECHO), DROP_NONE, 58, 48,
      HBH },
    { "router alert in dstopts does not count", 60, OCTETS("\x3a\0\x05\x02\0\0\x01\0" ECHO),
      DROP_NONE, 58, 48, 0 },
    { "Pad1 only", 0, OCTETS("\x3a\0\0\0\0\0\0\0" ECHO), DROP_NONE, 58, 48, HBH },
    { "option past the end of its header", 0, OCTETS("\x3a\0\x01\x05\0\0\0\0" ECHO), DROP_EXT_CHAIN,
      0, 0, 0 },
    { "option of 255 octets", 0, OCTETS("\x3a\0\x1e\xff\0\0\0\0" ECHO), DROP_EXT_CHAIN, 0, 0, 0 },
    { "option without length", 0, OCTETS("\x3a\0\x01\x03\0\0\0\x05" ECHO), DROP_EXT_CHAIN, 0, 0,
      0 },
    { "router alert, then an option past the end", 0, OCTETS("\x3a\0\x05\x02\0\0\x01\1" ECHO),
      DROP_EXT_CHAIN, 0, 0, 0 },
    { "H61 jumbo option", 0, OCTETS("\x3a\0\xc2\x04\0\x01\0\0" ECHO), DROP_IP_LENGTH, 0, 0, 0 },
    { "hop-by-hop longer than the packet", 0, OCTETS(EXT("\x3a", "\1")), DROP_EXT_CHAIN, 0, 0, 0 },
    { "hop-by-hop of 2048 octets", 0, OCTETS(EXT("\x3a", "\xff") ECHO), DROP_EXT_CHAIN, 0, 0, 0 },

    { "routing", 43,
      OCTETS("\x3a\2\0\1\0\0\0\0"
             "0123456789abcdef" ECHO),
      DROP_NONE, 58, 64, 0 },
    { "H66 routing of unknown type", 43, OCTETS("\x3a\0\x21\0\0\0\0\0" ECHO), DROP_NONE, 58, 48,
      0 },
    { "routing longer than the packet", 43,
      OCTETS("\x3a\2\0\1\0\0\0\0"
             "0123456"),
      DROP_EXT_CHAIN, 0, 0, 0 },
    { "dstopts", 60, OCTETS(PADDED("\x11") UDP8), DROP_NONE, 17, 48, 0 },
    { "dstopts twice, around routing", 60,
      OCTETS(PADDED("\x2b") "\x3c\0\0\0\0\0\0\0" PADDED("\x3a") ECHO), DROP_NONE, 58, 64, 0 },
    { "dstopts options are not ours to read", 60, OCTETS("\x3a\0\x01\xff\0\0\0\0" ECHO), DROP_NONE,
      58, 48, 0 },
    { "dstopts and nothing behind", 60, OCTETS(PADDED("\x3a")), DROP_NONE, 58, 48, 0 },
    { "dstopts longer than the packet", 60, OCTETS(EXT("\x3a", "\1")), DROP_EXT_CHAIN, 0, 0, 0 },
    { "dstopts of 7 octets", 60, OCTETS("\x3a\0\0\0\0\0\0"), DROP_EXT_CHAIN, 0, 0, 0 },
    { "next header dstopts and nothing there", 60, OCTETS(PADDED("\x3c")), DROP_EXT_CHAIN, 0, 0,
      0 },

    { "AH counts in 4 octets: 4 + 2", 51,
      OCTETS("\x3a\4\0\0"
             "spi_seq_"
             "integrity_cv" ECHO),
      DROP_NONE, 58, 64, 0 },
    { "AH: 1 + 2", 51,
      OCTETS("\x3a\1\0\0"
             "spi_seq_" ECHO),
      DROP_NONE, 58, 52, 0 },
    { "H66 AH of length 0", 51,
      OCTETS("\x3a\0\0\0"
             "spi_" ECHO),
      DROP_NONE, 58, 48, 0 },
    { "AH one octet short", 51,
      OCTETS("\x3a\1\0\0"
             "spi_seq"),
      DROP_EXT_CHAIN, 0, 0, 0 },
    { "AH of 1028 octets", 51,
      OCTETS("\x3a\xff\0\0"
             "spi_seq_" ECHO),
      DROP_EXT_CHAIN, 0, 0, 0 },
    { "ESP ends the walk", 50, OCTETS(PADDED("\x3a") ECHO), DROP_NONE, 50, 40, 0 },
    { "ESP behind dstopts", 60, OCTETS(PADDED("\x32") ECHO), DROP_NONE, 50, 48, 0 },
    { "H66 ESP of nothing", 60, OCTETS(PADDED("\x32")), DROP_NONE, 50, 48, 0 },

    { "atomic fragment", 44, OCTETS("\x3a\0\0\0\0\0\0\1" ECHO), DROP_NONE, 58, 48, FR },
    { "atomic fragment, reserved bits set", 44, OCTETS("\x3a\xff\0\6\0\0\0\1" ECHO), DROP_NONE, 58,
      48, FR },
    { "first fragment", 44, OCTETS("\x3a\0\0\1\0\0\0\1" ECHO), DROP_NONE, 58, 48, FR },
    { "later fragment", 44, OCTETS("\x3a\0\0\x08\0\0\0\1" ECHO), DROP_NONE, 58, NO_UPPER,
      FR | LATER },
    { "later fragment, more", 44, OCTETS("\x3a\0\0\x09\0\0\0\1" ECHO), DROP_NONE, 58, NO_UPPER,
      FR | LATER },
    { "later fragment, highest offset", 44, OCTETS("\x3a\0\xff\xf8\0\0\0\1" ECHO), DROP_NONE, 58,
      NO_UPPER, FR | LATER },
    { "later fragment, offset 32768", 44, OCTETS("\x3a\0\x80\0\0\0\0\1" ECHO), DROP_NONE, 58,
      NO_UPPER, FR | LATER },
    { "later fragment, offset 8", 44, OCTETS("\x3a\0\0\x08\0\0\0\1" ECHO), DROP_NONE, 58, NO_UPPER,
      FR | LATER },
    { "later fragment, more, of 2 octets", 44,
      OCTETS("\x3a\0\0\x09\0\0\0\1"
             "ab"),
      DROP_NONE, 58, NO_UPPER, FR | LATER },
    { "later fragment of dstopts is not walked", 44, OCTETS("\x3c\0\0\x08\0\0\0\1" PADDED("\x3a")),
      DROP_NONE, 60, NO_UPPER, FR | LATER },
    { "fragment header alone", 44, OCTETS("\x3b\0\0\0\0\0\0\1"), DROP_NONE, 59, NO_UPPER, FR },
    { "fragment header cut", 44, OCTETS("\x3a\0\0\0\0\0\0"), DROP_EXT_CHAIN, 0, 0, 0 },
    { "fragment behind dstopts", 60, OCTETS(PADDED("\x2c") "\x3a\0\0\0\0\0\0\1" ECHO), DROP_NONE,
      58, 56, FR },
    { "dstopts behind atomic", 44, OCTETS("\x3c\0\0\0\0\0\0\1" PADDED("\x3a") ECHO), DROP_NONE, 58,
      56, FR },
    { "dstopts cut in atomic", 44, OCTETS("\x3c\0\0\0\0\0\0\1" EXT("\x3a", "\1")), DROP_EXT_CHAIN,
      0, 0, 0 },
    { "R51 dstopts cut in a first fragment", 44, OCTETS("\x3c\0\0\1\0\0\0\1" EXT("\x3a", "\1")),
      DROP_NONE, 60, 48, FR | UND },
    { "R51 chain ends with a first fragment", 44, OCTETS("\x3c\0\0\1\0\0\0\1"), DROP_NONE, 60, 48,
      FR | UND },
    { "R51 first fragment without ICMPv6", 44, OCTETS("\x3a\0\0\1\0\0\0\1"), DROP_NONE, 58, 48,
      FR | UND },
    { "R51 first fragment, ICMPv6 cut", 44,
      OCTETS("\x3a\0\0\1\0\0\0\1"
             "\x80\0\0"),
      DROP_NONE, 58, 48, FR | UND },
    { "R51 first fragment, UDP cut", 44,
      OCTETS("\x11\0\0\1\0\0\0\1"
             "\x02\x23\x02\x22\0\x08\0"),
      DROP_NONE, 17, 48, FR | UND },
    { "R51 first fragment, UDP whole", 44, OCTETS("\x11\0\0\1\0\0\0\1" UDP8), DROP_NONE, 17, 48,
      FR },
    { "R51 first fragment, TCP cut", 44,
      OCTETS("\6\0\0\1\0\0\0\1"
             "0123456789012345678"),
      DROP_NONE, 6, 48, FR | UND },
    { "R51 first fragment, TCP whole", 44,
      OCTETS("\6\0\0\1\0\0\0\1"
             "01234567890123456789"),
      DROP_NONE, 6, 48, FR },
    { "two fragment headers, second later", 44,
      OCTETS("\x2c\0\0\0\0\0\0\1"
             "\x3a\0\0\x08\0\0\0\1" ECHO),
      DROP_NONE, 58, NO_UPPER, FR | LATER },
    { "two fragment headers, first has more", 44,
      OCTETS("\x2c\0\0\1\0\0\0\1"
             "\x3c\0\0\0\0\0\0\1"),
      DROP_NONE, 60, 56, FR | UND },

    { "H60 8 headers", 60,
      OCTETS(PADDED("\x3c") PADDED("\x3c") PADDED("\x3c") PADDED("\x3c") PADDED("\x3c")
                 PADDED("\x3c") PADDED("\x3c") PADDED("\x3a") ECHO),
      DROP_NONE, 58, 104, 0 },
    { "H60 9 headers", 60,
      OCTETS(PADDED("\x3c") PADDED("\x3c") PADDED("\x3c") PADDED("\x3c") PADDED("\x3c")
                 PADDED("\x3c") PADDED("\x3c") PADDED("\x3c") PADDED("\x3a") ECHO),
      DROP_NONE, 60, 104, UND },
};

static void test_chain(void **state)
{
    (void)state;
    for (size_t i = 0; i < PKT_N(chain_rows); i++) {
        uint8_t p[512];
        struct frame f;
        size_t len = pkt_put(p, "fe80::1", "fe80::2", chain_rows[i].nh, 64, chain_rows[i].pay,
                             chain_rows[i].len);
        enum drop d = parse(&f, p, len);
        if (d != chain_rows[i].drop)
            fail_msg("%s: %s", chain_rows[i].name, drop_name(d));
        if (d != DROP_NONE)
            continue;
        unsigned upper = chain_rows[i].upper == NO_UPPER ? (unsigned)len : chain_rows[i].upper;
        if (f.nh != chain_rows[i].want_nh || f.upper != upper || marks(&f) != chain_rows[i].marks ||
            f.len != len)
            fail_msg("%s: nh %u upper %u marks %u len %u", chain_rows[i].name, f.nh, f.upper,
                     marks(&f), f.len);
    }
}

/* 2000 destination option headers (H60): undecided after the bound, not walked */
static void test_chain_long(void **state)
{
    (void)state;
    static uint8_t p[40 + 8 * 2000 + 8];
    struct frame f;
    pkt_put(p, "fe80::1", "fe80::2", 60, 64, NULL, 0);
    be16_store(p + 4, sizeof(p) - 40);
    for (size_t i = 0; i < 2000; i++)
        p[40 + 8 * i] = i < 1999 ? 60 : 58;
    p[sizeof(p) - 8] = 134;
    assert_int_equal(parse(&f, p, sizeof(p)), DROP_NONE);
    assert_int_equal(marks(&f), UND);
    assert_int_equal(f.upper, 40 + 8 * FRAME_EXT_MAX);
    assert_int_equal(frame_icmp_type(&f), -1);
}

static void test_version(void **state)
{
    (void)state;
    struct frame f;
    uint8_t p[48];
    size_t len = pkt_put(p, "fe80::1", "fe80::2", 58, 64, OCTETS(ECHO));
    for (unsigned v = 0; v < 16; v++) { /* H63: 0, 4, 5, 15 and all others */
        p[0] = (uint8_t)(v << 4);
        assert_int_equal(parse(&f, p, len), v == 6 ? DROP_NONE : DROP_IP_VERSION);
    }
}

static void test_fields(void **state)
{
    (void)state;
    struct frame f;
    uint8_t p[48];
    size_t len = pkt_put(p, "2001:db8::1", "ff02::2", 58, 255, OCTETS(ECHO));
    p[0] = 0x6A;
    p[1] = 0xBC; /* R56: traffic class ab, flow label cdeff */
    p[2] = 0xDE;
    p[3] = 0xFF;
    assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
    assert_ptr_equal(f.p, p);
    assert_int_equal(f.tos, 0xAB);
    assert_int_equal(f.hop_limit, 255);
    assert_true(ip6_eq(f.src, pkt_ip6("2001:db8::1")));
    assert_true(ip6_eq(f.dst, pkt_ip6("ff02::2")));
}

/* H46, H61, H62: the payload length against the octets there are. A packet with a chain is cut at
 * every length, with the payload length left alone and with it made to fit. */
static void test_lengths(void **state)
{
    (void)state;
    static const uint8_t pay[] = PADDED("\x3c") PADDED("\x33") "\x2c\1\0\0"
                                                               "spi_seq_"
                                                               "\x3a\0\0\0\0\0\0\1" ECHO;
    static const size_t ends[] = { 8, 16, 28, 36 }; /* where a header of the chain ends */
    uint8_t p[40 + sizeof(pay) + 100];
    struct frame f;
    size_t n = sizeof(pay) - 1, whole = pkt_put(p, "fe80::1", "fe80::2", 0, 64, pay, n);
    memset(p + whole, 0x55, 100);
    for (size_t len = 0; len < whole; len++)
        assert_int_equal(parse(&f, p, len), len < 40 ? DROP_FRAME_SHORT : DROP_IP_LENGTH);
    for (size_t len = whole; len <= whole + 100; len++) { /* padding is trimmed */
        assert_int_equal(parse(&f, p, len), DROP_NONE);
        assert_int_equal(f.len, whole);
        assert_int_equal(f.upper, 40 + 36);
    }
    for (size_t pay_len = 0; pay_len <= n; pay_len++) {
        be16_store(p + 4, (uint16_t)pay_len);
        enum drop want = pay_len == 0        ? DROP_IP_LENGTH
                         : pay_len < ends[3] ? DROP_EXT_CHAIN
                                             : DROP_NONE;
        assert_int_equal(parse(&f, p, 40 + pay_len), want);
        assert_int_equal(parse(&f, p, whole), want); /* Ethernet padding changes nothing */
    }
    be16_store(p + 4, 0xFFFF);
    assert_int_equal(parse(&f, p, whole), DROP_IP_LENGTH);
    assert_int_equal(frame_parse(&f, NULL, 0), DROP_FRAME_SHORT);
}

/* H47: the longest packets; a view holds 65 535 octets */
static void test_longest(void **state)
{
    (void)state;
    uint8_t *p = calloc(1, 40 + 65535);
    struct frame f;
    assert_non_null(p);
    pkt_put(p, "fe80::1", "fe80::2", 17, 64, NULL, 0);
    be16_store(p + 4, 65535 - 40);
    assert_int_equal(frame_parse(&f, p, 40 + 65535), DROP_NONE);
    assert_int_equal(f.len, 65535);
    be16_store(p + 4, 65535 - 39);
    assert_int_equal(frame_parse(&f, p, 40 + 65535), DROP_IP_LENGTH);
    be16_store(p + 4, 65535);
    assert_int_equal(frame_parse(&f, p, 40 + 65535), DROP_IP_LENGTH);
    free(p);
}

/* H50 and what may be said from :: */
static void test_sources(void **state)
{
    (void)state;
    static const struct {
        const char *src;
        uint8_t nh;
        const uint8_t *pay;
        size_t len;
        bool ok;
    } rows[] = {
        { "2001:db8::1", 17, OCTETS(UDP8), true },
        { "fe80::1", 17, OCTETS(UDP8), true },
        { "fd00::1", 59, OCTETS(""), true },
        { "::2", 17, OCTETS(UDP8), true },
        { "ff02::1", 58, OCTETS(ECHO), false },
        { "ff00::", 17, OCTETS(UDP8), false },
        { "::1", 58, OCTETS(ECHO), false },
        { "::ffff:192.0.2.1", 58, OCTETS(ECHO), false },
        { "::", 58, OCTETS(ECHO), true },
        { "::", 0, OCTETS(PADDED("\x3a") ECHO), true },
        { "::", 17, OCTETS(UDP8), false },
        { "::", 59, OCTETS(""), false },
        { "::", 60, OCTETS(PADDED("\x3a")), false }, /* ICMPv6 without a type */
        { "::", 44, OCTETS("\x3a\0\0\x08\0\0\0\1" ECHO), false },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t p[128];
        struct frame f;
        size_t len = pkt_put(p, rows[i].src, "fe80::2", rows[i].nh, 64, rows[i].pay, rows[i].len);
        assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
        if (frame_source_valid(&f) != rows[i].ok)
            fail_msg("row %zu: %s", i, rows[i].src);
    }
}

/* What each ICMPv6 type is, plain and behind headers that hide it (H52, H57, R34, R38) */
static void test_icmp_types(void **state)
{
    (void)state;
    static const struct {
        uint8_t nh;
        const uint8_t *pay;
        size_t len;
        bool readable;
    } ways[] = {
        { 58, OCTETS(ECHO), true },
        { 0, OCTETS(PADDED("\x3a") ECHO), true },
        { 60, OCTETS(PADDED("\x3a") ECHO), true },
        { 44, OCTETS("\x3a\0\0\0\0\0\0\1" ECHO), true },
        { 44, OCTETS("\x3a\0\0\1\0\0\0\1" ECHO), true },
        { 44, OCTETS("\x3a\0\0\x08\0\0\0\1" ECHO), false },
        { 17, OCTETS(ECHO), false },
        { 50, OCTETS(ECHO), false },
    };
    for (size_t i = 0; i < PKT_N(ways); i++) {
        for (int type = 0; type < 256; type++) {
            uint8_t p[128];
            struct frame f;
            size_t len = pkt_put(p, "fe80::1", "fe80::2", ways[i].nh, 64, ways[i].pay, ways[i].len);
            p[len - 8] = (uint8_t)type;
            bool nd = type == 133 || type == 134 || type == 135 || type == 136 || type == 137;
            bool mld = type == 130 || type == 131 || type == 132 || type == 143;
            assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
            assert_int_equal(frame_icmp_type(&f), ways[i].readable ? type : -1);
            assert_int_equal(frame_is_nd(&f), ways[i].readable && nd);
            assert_int_equal(frame_is_mld(&f), ways[i].readable && mld);
        }
    }
}

static void test_dhcp(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t nh;
        const uint8_t *pay;
        size_t len;
        bool server;
    } rows[] = {
        { "server to client", 17, OCTETS(UDP8), true },
        { "from 547 to anything", 17, OCTETS("\x02\x23\x30\x39\0\x08\0\0"), true },
        { "to 546 from anything", 17, OCTETS("\x30\x39\x02\x22\0\x08\0\0"), true },
        { "client to server", 17, OCTETS("\x02\x22\x02\x23\0\x08\0\0"), false },
        { "DNS", 17, OCTETS("\x30\x39\0\x35\0\x08\0\0"), false },
        { "TCP with the same ports", 6,
          OCTETS("\x02\x23\x02\x22"
                 "0123456789012345"),
          false },
        { "behind dstopts", 60, OCTETS(PADDED("\x11") UDP8), true },
        { "in an atomic fragment", 44, OCTETS("\x11\0\0\0\0\0\0\1" UDP8), true },
        { "in a first fragment", 44, OCTETS("\x11\0\0\1\0\0\0\1" UDP8), true },
        { "in a later fragment it is data", 44, OCTETS("\x11\0\0\x08\0\0\0\1" UDP8), false },
        { "ports only", 17, OCTETS("\x02\x23\x02\x22"), true },
        { "3 octets of UDP", 17, OCTETS("\x02\x23\x02"), false },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t p[128];
        struct frame f;
        size_t len = pkt_put(p, "fe80::1", "fe80::2", rows[i].nh, 64, rows[i].pay, rows[i].len);
        assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
        if (frame_is_dhcp_server(&f) != rows[i].server)
            fail_msg("%s", rows[i].name);
    }
}

/* Invariants of any view, whatever the octets are */
static void check_view(const struct frame *f, const uint8_t *p, size_t len)
{
    assert_ptr_equal(f->p, p);
    assert_true(f->len >= 40 && f->len <= len);
    assert_true(f->upper >= 40 && f->upper <= f->len);
    assert_true(!f->later_fragment || (f->fragment && f->upper == f->len));
    assert_true(!f->router_alert || f->hopopts);
    assert_int_equal(f->hopopts, p[6] == 0);
    int type = frame_icmp_type(f);
    assert_true(type >= -1 && type < 256);
    assert_true(!frame_is_nd(f) || !frame_is_mld(f));
    assert_true(!(frame_is_dhcp_server(f) && type >= 0));
    (void)frame_source_valid(f);
}

static void test_mutations(void **state)
{
    (void)state;
    static const uint8_t likely[] = { 0, 1, 2, 5, 8, 43, 44, 50, 51, 58, 59, 60, 0xC2, 0xFF };
    uint32_t seed = 0x51C7A9;
    unsigned n_good = 0, n_bad = 0, n_undecided = 0;
    for (unsigned i = 0; i < 200000; i++) {
        uint8_t base[512];
        size_t row = pkt_rnd(&seed) % PKT_N(chain_rows);
        size_t len = pkt_put(base, "fe80::1", "fe80::2", chain_rows[row].nh, 64,
                             chain_rows[row].pay, chain_rows[row].len);
        for (unsigned k = pkt_rnd(&seed) % 4; k > 0; k--) {
            size_t at = len > 40 && pkt_rnd(&seed) % 8 ? 40 + pkt_rnd(&seed) % (len - 40)
                                                       : pkt_rnd(&seed) % 8;
            base[at] = pkt_rnd(&seed) % 2 ? likely[pkt_rnd(&seed) % sizeof(likely)]
                                          : (uint8_t)pkt_rnd(&seed);
        }
        size_t given = pkt_rnd(&seed) % 4 ? len : pkt_rnd(&seed) % (len + 1);
        if (given >= 40 && pkt_rnd(&seed) % 2)
            be16_store(base + 4, (uint16_t)(given - 40));
        uint8_t *exact = malloc(given ? given : 1);
        struct frame f;
        assert_non_null(exact);
        memcpy(exact, base, given);
        if (frame_parse(&f, exact, given) == DROP_NONE) {
            check_view(&f, exact, given);
            n_good++;
            n_undecided += f.undecided;
        } else {
            n_bad++;
        }
        free(exact);
    }
    assert_true(n_good > 50000 && n_bad > 50000 &&
                n_undecided > 1000); /* the mutations reach both sides */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chain),   cmocka_unit_test(test_chain_long),
        cmocka_unit_test(test_version), cmocka_unit_test(test_fields),
        cmocka_unit_test(test_lengths), cmocka_unit_test(test_longest),
        cmocka_unit_test(test_sources), cmocka_unit_test(test_icmp_types),
        cmocka_unit_test(test_dhcp),    cmocka_unit_test(test_mutations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
