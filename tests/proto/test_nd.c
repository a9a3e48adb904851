/* SPDX-License-Identifier: MIT */
/* test_nd.c - every check of RFC 4861 as a row that fails alone (R1..R7, R26, R27 name the rule), a
 * naive twin under random mutations, messages built and parsed again, golden octets of a Router
 * Advertisement (R24, R25) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pkt.h"
#include "proto/mac.h"
#include "proto/nd.h"

_Static_assert(SEARCH_LEN == 126, "the rows about names are of this length");

#define ZERO8 "\0\0\0\0\0\0\0\0"
#define T_GUA                                                                                      \
    "\x20\x01\x0d\xb8\0\0\0\0"                                                                     \
    "\0\0\0\0\0\0\0\5"
#define T_LL                                                                                       \
    "\xfe\x80\0\0\0\0\0\0"                                                                         \
    "\0\0\0\0\0\0\0\5"
#define T_MC                                                                                       \
    "\xff\x02\0\0\0\0\0\0"                                                                         \
    "\0\0\0\1\xff\0\0\5"
#define SLLA   "\1\1\2\0\0\0\0\1"
#define SLLA_B "\1\1\2\0\0\0\0\2"
#define SLLA_2 "\1\2\2\0\0\0\0\1" ZERO8
#define TLLA   "\2\1\2\0\0\0\0\1"
#define TLLA_2 "\2\2\2\0\0\0\0\1" ZERO8
#define NONCE  "\x0e\1NONCE6"
#define UNK    "\xfd\1UNKNOW"
#define OLEN0  "\xfd\0UNKNOW"
#define RDNSS2                                                                                     \
    "\x19\2\0\0\0\0\0\1"                                                                           \
    "\0\0\0\0\0\0\0\0"

#define RS                                                                                         \
    "\x85\0\0\0"                                                                                   \
    "\0\0\0\0"
#define RA                                                                                         \
    "\x86\0\0\0"                                                                                   \
    "\x40\0\7\x08" ZERO8
#define NS                                                                                         \
    "\x87\0\0\0"                                                                                   \
    "\0\0\0\0" T_GUA
#define NA                                                                                         \
    "\x88\0\0\0"                                                                                   \
    "\xe0\0\0\0" T_GUA
#define NA_U                                                                                       \
    "\x88\0\0\0"                                                                                   \
    "\xa0\0\0\0" T_GUA /* S=0 */
#define RD                                                                                         \
    "\x89\0\0\0"                                                                                   \
    "\0\0\0\0" T_LL T_GUA

#define LL  "fe80::1"
#define GUA "2001:db8::1"
#define SN  "ff02::1:ff00:5"
#define AN  "ff02::1"
#define AR  "ff02::2"

static const struct {
    const char *name, *src, *dst;
    const uint8_t *icmp;
    size_t len;
    enum drop want;
    uint8_t hop_limit; /* 0: 255 */
    bool keep_cksum;
} rows[] = {
    { "RS", LL, AR, OCTETS(RS), DROP_NONE, 0, 0 },
    { "RS with SLLAO", LL, AR, OCTETS(RS SLLA), DROP_NONE, 0, 0 },
    { "RS from ::", "::", AR, OCTETS(RS), DROP_NONE, 0, 0 },
    { "RS unicast", GUA, LL, OCTETS(RS SLLA), DROP_NONE, 0, 0 },
    { "R1 RS: hop limit 254", LL, AR, OCTETS(RS SLLA), DROP_ND_INVALID, 254, 0 },
    { "R1 RS: checksum", LL, AR,
      OCTETS("\x85\0\x12\x34"
             "\0\0\0\0" SLLA),
      DROP_CKSUM, 0, true },
    { "R1 RS: code 1", LL, AR,
      OCTETS("\x85\1\0\0"
             "\0\0\0\0" SLLA),
      DROP_ND_INVALID, 0, 0 },
    { "R1 RS: 7 octets", LL, AR,
      OCTETS("\x85\0\0\0"
             "\0\0\0"),
      DROP_ND_INVALID, 0, 0 },
    { "R1 RS: option of length 0", LL, AR, OCTETS(RS OLEN0), DROP_ND_INVALID, 0, 0 },
    { "R1 RS: SLLAO from ::", "::", AR, OCTETS(RS SLLA), DROP_ND_INVALID, 0, 0 },
    { "R1 RS: SLLAO behind others from ::", "::", AR, OCTETS(RS UNK SLLA), DROP_ND_INVALID, 0, 0 },
    { "R6 RS: unknown option 253", LL, AR, OCTETS(RS UNK SLLA), DROP_NONE, 0, 0 },
    { "R6 RS: reserved bits", LL, AR,
      OCTETS("\x85\0\0\0"
             "\xff\xff\xff\xff" SLLA),
      DROP_NONE, 0, 0 },

    { "NS", LL, SN, OCTETS(NS SLLA), DROP_NONE, 0, 0 },
    { "NS without option", LL, SN, OCTETS(NS), DROP_NONE, 0, 0 },
    { "NS unicast", GUA, "2001:db8::5", OCTETS(NS SLLA), DROP_NONE, 0, 0 },
    { "NS for DAD", "::", SN, OCTETS(NS), DROP_NONE, 0, 0 },
    { "NS for DAD with nonce", "::", SN, OCTETS(NS NONCE), DROP_NONE, 0, 0 },
    { "R2 NS: hop limit 254", LL, SN, OCTETS(NS SLLA), DROP_ND_INVALID, 254, 0 },
    { "R2 NS: hop limit 1", LL, SN, OCTETS(NS SLLA), DROP_ND_INVALID, 1, 0 },
    { "R2 NS: checksum", LL, SN,
      OCTETS("\x87\0\x12\x34"
             "\0\0\0\0" T_GUA SLLA),
      DROP_CKSUM, 0, true },
    { "R2 NS: code 1", LL, SN,
      OCTETS("\x87\1\0\0"
             "\0\0\0\0" T_GUA SLLA),
      DROP_ND_INVALID, 0, 0 },
    { "R2 NS: code 255", LL, SN,
      OCTETS("\x87\xff\0\0"
             "\0\0\0\0" T_GUA SLLA),
      DROP_ND_INVALID, 0, 0 },
    { "R2 NS: 23 octets", LL, SN,
      OCTETS("\x87\0\0\0"
             "\0\0\0\0"
             "\x20\x01\x0d\xb8"
             "\0\0\0\0\0\0\0\0\0\0\0"),
      DROP_ND_INVALID, 0, 0 },
    { "R2 NS: 8 octets", LL, SN,
      OCTETS("\x87\0\0\0"
             "\0\0\0\0"),
      DROP_ND_INVALID, 0, 0 },
    { "R2 NS: target multicast", LL, SN,
      OCTETS("\x87\0\0\0"
             "\0\0\0\0" T_MC SLLA),
      DROP_ND_INVALID, 0, 0 },
    { "R2 NS: option of length 0", LL, SN, OCTETS(NS OLEN0), DROP_ND_INVALID, 0, 0 },
    { "R2 NS: :: to a unicast address", "::", "2001:db8::5", OCTETS(NS), DROP_ND_INVALID, 0, 0 },
    { "R2 NS: :: to all nodes", "::", AN, OCTETS(NS), DROP_ND_INVALID, 0, 0 },
    { "R2 NS: :: to ff02::1:fe00:5", "::", "ff02::1:fe00:5", OCTETS(NS), DROP_ND_INVALID, 0, 0 },
    { "R2 NS: :: to ff05::1:ff00:5", "::", "ff05::1:ff00:5", OCTETS(NS), DROP_ND_INVALID, 0, 0 },
    { "R2 NS: :: with SLLAO", "::", SN, OCTETS(NS SLLA), DROP_ND_INVALID, 0, 0 },
    { "R2 NS: :: with SLLAO of 16 octets", "::", SN, OCTETS(NS SLLA_2), DROP_ND_INVALID, 0, 0 },
    { "R6 NS: :: with TLLAO, which is not for NS", "::", SN, OCTETS(NS TLLA), DROP_NONE, 0, 0 },
    { "R6 NS: unknown option 253", LL, SN, OCTETS(NS UNK SLLA), DROP_NONE, 0, 0 },
    { "R6 NS: reserved bits", LL, SN,
      OCTETS("\x87\0\0\0"
             "\xff\xff\xff\xff" T_GUA SLLA),
      DROP_NONE, 0, 0 },
    { "R6 NS: nonce of 14 octets", LL, SN, OCTETS(NS "\x0e\2NONCE6" ZERO8 SLLA), DROP_NONE, 0, 0 },
    { "R7 NS: zero-length option behind a good one", LL, SN, OCTETS(NS SLLA OLEN0), DROP_ND_INVALID,
      0, 0 },
    { "R7 NS: zero-length SLLAO", LL, SN, OCTETS(NS "\1\0\2\0\0\0\0\1"), DROP_ND_INVALID, 0, 0 },
    { "R7 NS: option past the end", LL, SN, OCTETS(NS "\xfd\2UNKNOW"), DROP_ND_INVALID, 0, 0 },
    { "R7 NS: option of 2040 octets (H56)", LL, SN, OCTETS(NS "\xfd\xffUNKNOW"), DROP_ND_INVALID, 0,
      0 },
    { "R7 NS: one octet of an option", LL, SN, OCTETS(NS "\xfd"), DROP_ND_INVALID, 0, 0 },
    { "R7 NS: 7 octets of an option", LL, SN, OCTETS(NS "\xfd\1UNKNO"), DROP_ND_INVALID, 0, 0 },
    { "R7 NS: padding behind options", LL, SN, OCTETS(NS SLLA "\0"), DROP_ND_INVALID, 0, 0 },
    { "NS: SLLAO of 16 octets", LL, SN, OCTETS(NS SLLA_2), DROP_ND_INVALID, 0, 0 },
    { "NS: SLLAO twice, equal", LL, SN, OCTETS(NS SLLA SLLA), DROP_NONE, 0, 0 },
    { "NS: SLLAO twice, different", LL, SN, OCTETS(NS SLLA SLLA_B), DROP_ND_INVALID, 0, 0 },

    { "NA", LL, "fe80::2", OCTETS(NA TLLA), DROP_NONE, 0, 0 },
    { "NA without option", LL, "fe80::2", OCTETS(NA), DROP_NONE, 0, 0 },
    { "NA unsolicited to all nodes", LL, AN, OCTETS(NA_U TLLA), DROP_NONE, 0, 0 },
    { "R3 NA: hop limit 254", LL, "fe80::2", OCTETS(NA TLLA), DROP_ND_INVALID, 254, 0 },
    { "R3 NA: checksum", LL, "fe80::2",
      OCTETS("\x88\0\x12\x34"
             "\xe0\0\0\0" T_GUA TLLA),
      DROP_CKSUM, 0, true },
    { "R3 NA: code 1", LL, "fe80::2",
      OCTETS("\x88\1\0\0"
             "\xe0\0\0\0" T_GUA TLLA),
      DROP_ND_INVALID, 0, 0 },
    { "R3 NA: 23 octets", LL, "fe80::2",
      OCTETS("\x88\0\0\0"
             "\xe0\0\0\0"
             "\x20\x01\x0d\xb8"
             "\0\0\0\0\0\0\0\0\0\0\0"),
      DROP_ND_INVALID, 0, 0 },
    { "R3 NA: target multicast", LL, "fe80::2",
      OCTETS("\x88\0\0\0"
             "\xe0\0\0\0" T_MC TLLA),
      DROP_ND_INVALID, 0, 0 },
    { "R3 NA: S=1 to all nodes", LL, AN, OCTETS(NA TLLA), DROP_ND_INVALID, 0, 0 },
    { "R3 NA: S=1 to a solicited-node group", LL, SN, OCTETS(NA TLLA), DROP_ND_INVALID, 0, 0 },
    { "R3 NA: option of length 0", LL, "fe80::2", OCTETS(NA OLEN0), DROP_ND_INVALID, 0, 0 },
    { "R6 NA: unknown option 253", LL, "fe80::2", OCTETS(NA UNK TLLA), DROP_NONE, 0, 0 },
    { "R6 NA: reserved bits", LL, "fe80::2",
      OCTETS("\x88\0\0\0"
             "\xff\xff\xff\xff" T_GUA TLLA),
      DROP_NONE, 0, 0 },
    { "R7 NA: option past the end", LL, "fe80::2", OCTETS(NA "\2\2\2\0\0\0\0\1"), DROP_ND_INVALID,
      0, 0 },
    { "NA: TLLAO of 16 octets", LL, "fe80::2", OCTETS(NA TLLA_2), DROP_ND_INVALID, 0, 0 },
    { "NA: TLLAO twice, different", LL, "fe80::2", OCTETS(NA TLLA "\2\1\2\0\0\0\0\2"),
      DROP_ND_INVALID, 0, 0 },

    { "RA", LL, AN, OCTETS(RA SLLA), DROP_NONE, 0, 0 },
    { "RA unicast", LL, "fe80::2", OCTETS(RA), DROP_NONE, 0, 0 },
    { "R4 RA: source not link-local", GUA, AN, OCTETS(RA SLLA), DROP_ND_INVALID, 0, 0 },
    { "R4 RA: from ::", "::", AN, OCTETS(RA), DROP_ND_INVALID, 0, 0 },
    { "R4 RA: hop limit 254", LL, AN, OCTETS(RA SLLA), DROP_ND_INVALID, 254, 0 },
    { "R4 RA: checksum", LL, AN,
      OCTETS("\x86\0\x12\x34"
             "\x40\0\7\x08" ZERO8 SLLA),
      DROP_CKSUM, 0, true },
    { "R4 RA: code 1", LL, AN,
      OCTETS("\x86\1\0\0"
             "\x40\0\7\x08" ZERO8 SLLA),
      DROP_ND_INVALID, 0, 0 },
    { "R4 RA: 15 octets", LL, AN,
      OCTETS("\x86\0\0\0"
             "\x40\0\7\x08"
             "\0\0\0\0\0\0\0"),
      DROP_ND_INVALID, 0, 0 },
    { "R4 RA: option of length 0", LL, AN, OCTETS(RA OLEN0), DROP_ND_INVALID, 0, 0 },
    { "R6 RA: unknown option 253", LL, AN, OCTETS(RA UNK SLLA), DROP_NONE, 0, 0 },
    { "R7 RA: prefix option cut", LL, AN, OCTETS(RA "\3\4\x40\xc0\0\0\0\1" ZERO8 ZERO8),
      DROP_ND_INVALID, 0, 0 },
    { "RA: MTU option of 16 octets", LL, AN, OCTETS(RA "\5\2\0\0\0\0\5\xdc" ZERO8), DROP_ND_INVALID,
      0, 0 },
    { "R26 RA: RDNSS of even length is skipped by it", LL, AN, OCTETS(RA RDNSS2 SLLA), DROP_NONE, 0,
      0 },
    { "R26 RA: RDNSS past the end", LL, AN, OCTETS(RA "\x19\3\0\0\0\0\0\1" ZERO8), DROP_ND_INVALID,
      0, 0 },
    { "R26 RA: RDNSS of length 0", LL, AN, OCTETS(RA "\x19\0\0\0\0\0\0\1"), DROP_ND_INVALID, 0, 0 },
    { "R26 RA: DNSSL whose label runs past it", LL, AN,
      OCTETS(RA "\x1f\2\0\0\0\0\0\1"
                "\x3f"
                "example"),
      DROP_NONE, 0, 0 },
    { "R26 RA: DNSSL past the end", LL, AN,
      OCTETS(RA "\x1f\3\0\0\0\0\0\1"
                "\7"
                "example"),
      DROP_ND_INVALID, 0, 0 },

    { "Redirect to a router", LL, GUA, OCTETS(RD TLLA), DROP_NONE, 0, 0 },
    { "Redirect: on-link", LL, GUA,
      OCTETS("\x89\0\0\0"
             "\0\0\0\0" T_GUA T_GUA),
      DROP_NONE, 0, 0 },
    { "R5 Redirect: source not link-local", "2001:db8::9", GUA, OCTETS(RD TLLA), DROP_ND_INVALID, 0,
      0 },
    { "R5 Redirect: hop limit 254", LL, GUA, OCTETS(RD TLLA), DROP_ND_INVALID, 254, 0 },
    { "R5 Redirect: checksum", LL, GUA,
      OCTETS("\x89\0\x12\x34"
             "\0\0\0\0" T_LL T_GUA),
      DROP_CKSUM, 0, true },
    { "R5 Redirect: code 1", LL, GUA,
      OCTETS("\x89\1\0\0"
             "\0\0\0\0" T_LL T_GUA),
      DROP_ND_INVALID, 0, 0 },
    { "R5 Redirect: 39 octets", LL, GUA,
      OCTETS("\x89\0\0\0"
             "\0\0\0\0" T_LL "\x20\x01\x0d\xb8"
             "\0\0\0\0\0\0\0\0\0\0\0"),
      DROP_ND_INVALID, 0, 0 },
    { "R5 Redirect: destination multicast", LL, GUA,
      OCTETS("\x89\0\0\0"
             "\0\0\0\0" T_LL T_MC),
      DROP_ND_INVALID, 0, 0 },
    { "R5 Redirect: both multicast", LL, GUA,
      OCTETS("\x89\0\0\0"
             "\0\0\0\0" T_MC T_MC),
      DROP_ND_INVALID, 0, 0 },
    { "R5 Redirect: target neither link-local nor the destination", LL, GUA,
      OCTETS("\x89\0\0\0"
             "\0\0\0\0"
             "\x20\x01\x0d\xb8\0\0\0\0"
             "\0\0\0\0\0\0\0\6" T_GUA),
      DROP_ND_INVALID, 0, 0 },
    { "R5 Redirect: option of length 0", LL, GUA, OCTETS(RD OLEN0), DROP_ND_INVALID, 0, 0 },
    { "R6 Redirect: redirected header and unknown option", LL, GUA,
      OCTETS(RD "\4\2"
                "\0\0\0\0\0\0" ZERO8 UNK TLLA),
      DROP_NONE, 0, 0 },

    { "echo request is no ND", LL, GUA,
      OCTETS("\x80\0\0\0"
             "\0\0\0\0"),
      DROP_ND_INVALID, 0, 0 },
    { "type 138 is no ND", LL, GUA,
      OCTETS("\x8a\0\0\0"
             "\0\0\0\0" T_LL T_GUA),
      DROP_ND_INVALID, 0, 0 },
};

/* Parses a copy of exactly @len octets. */
static enum drop parse(struct nd *ret, const uint8_t *p, size_t len)
{
    uint8_t *exact = malloc(len);
    struct frame f;
    assert_non_null(exact);
    memcpy(exact, p, len);
    assert_int_equal(frame_parse(&f, exact, len), DROP_NONE);
    enum drop d = nd_parse(ret, &f);
    free(exact);
    return d;
}

static size_t row_packet(uint8_t *p, size_t i)
{
    uint8_t hop_limit = rows[i].hop_limit ? rows[i].hop_limit : 255;
    size_t len = pkt_put(p, rows[i].src, rows[i].dst, 58, hop_limit, rows[i].icmp, rows[i].len);
    if (!rows[i].keep_cksum)
        pkt_fix(p, 40, len);
    return len;
}

static void test_rows(void **state) /* R1, R2, R3, R5 */
{
    (void)state;
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t p[512];
        struct nd m;
        memset(&m, 0xA5, sizeof(m));
        enum drop d = parse(&m, p, row_packet(p, i));
        if (d != rows[i].want)
            fail_msg("%s: %s", rows[i].name, drop_name(d));
        for (size_t k = 0; k < sizeof(m); k++)
            if (d != DROP_NONE && ((const uint8_t *)&m)[k] != 0xA5)
                fail_msg("%s: output touched", rows[i].name);
    }
}

/* R27: the same good messages behind any Fragment header, also an atomic one; behind others they
 * are taken. */
static void test_behind_headers(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t nh;
        const uint8_t *ext;
        size_t len;
        enum drop want;
    } ways[] = {
        { "R27 atomic fragment", 44, OCTETS("\x3a\0\0\0\0\0\0\1"), DROP_ND_FRAG },
        { "R27 first fragment", 44, OCTETS("\x3a\0\0\1\0\0\0\1"), DROP_ND_FRAG },
        { "R27 atomic behind hop-by-hop", 0,
          OCTETS("\x2c\0\1\4\0\0\0\0"
                 "\x3a\0\0\0\0\0\0\1"),
          DROP_ND_FRAG },
        { "R27 dstopts behind atomic", 44,
          OCTETS("\x3c\0\0\0\0\0\0\1"
                 "\x3a\0\1\4\0\0\0\0"),
          DROP_ND_FRAG },
        { "hop-by-hop", 0, OCTETS("\x3a\0\1\4\0\0\0\0"), DROP_NONE },
        { "dstopts", 60, OCTETS("\x3a\0\1\4\0\0\0\0"), DROP_NONE },
    };
    for (size_t w = 0; w < PKT_N(ways); w++) {
        for (size_t i = 0; i < PKT_N(rows); i++) {
            if (rows[i].want != DROP_NONE)
                continue;
            uint8_t pay[256], p[512];
            struct nd m;
            memcpy(pay, ways[w].ext, ways[w].len);
            memcpy(pay + ways[w].len, rows[i].icmp, rows[i].len);
            size_t len = pkt_put(p, rows[i].src, rows[i].dst, ways[w].nh, 255, pay,
                                 ways[w].len + rows[i].len);
            pkt_fix(p, 40 + ways[w].len, len);
            if (parse(&m, p, len) != ways[w].want)
                fail_msg("%s: %s", ways[w].name, rows[i].name);
        }
    }
}

/* Every flipped bit of a good message is found: by the checksum, if by nothing else. */
static void test_bits(void **state)
{
    (void)state;
    for (size_t i = 0; i < PKT_N(rows); i++) {
        if (rows[i].want != DROP_NONE)
            continue;
        uint8_t p[512];
        struct frame f;
        struct nd m;
        size_t len = row_packet(p, i);
        for (size_t bit = 8 * 7; bit < 8 * len; bit++) { /* from the hop limit on */
            p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
            if (nd_parse(&m, &f) == DROP_NONE)
                fail_msg("%s: bit %zu", rows[i].name, bit);
            p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

/* The checks once more, slowly and straight from the RFC, on a packet without extension headers. */
static bool twin(const uint8_t *p, size_t len)
{
    const uint8_t *m = p + 40;
    size_t n = len - 40, off;
    bool lla = false;
    static const uint8_t sol[13] = { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff }, zero[16];
    bool from_nobody = memcmp(p + 8, zero, 16) == 0;
    bool from_ll = p[8] == 0xfe && p[9] >= 0x80 && p[9] <= 0xbf;
    if (n < 8 || m[0] < 133 || m[0] > 137 || p[7] != 255 || m[1] != 0 ||
        pkt_cksum(p, 40, len, 58) != 0)
        return false;
    off = m[0] == 133 ? 8 : m[0] == 134 ? 16 : m[0] == 137 ? 40 : 24;
    if (n < off)
        return false;
    unsigned type = m[0] == 136 || m[0] == 137 ? 2 : 1;
    size_t at = 0;
    while (off < n) {
        if (n - off < 8 || m[off + 1] == 0 || 8u * m[off + 1] > n - off)
            return false;
        if (m[off] == type && (m[off + 1] != 1 || (lla && memcmp(m + at, m + off, 8) != 0)))
            return false;
        if (m[off] == type) {
            lla = true;
            at = off;
        }
        if (m[off] == 5 && m[0] == 134 && m[off + 1] != 1)
            return false;
        off += 8u * m[off + 1];
    }
    switch (m[0]) {
    case 133:
        return !from_nobody || !lla;
    case 134:
        return from_ll;
    case 135:
        return m[8] != 0xff && (!from_nobody || (!lla && memcmp(p + 24, sol, 13) == 0));
    case 136:
        return m[8] != 0xff && !(p[24] == 0xff && (m[4] & 0x40));
    default:
        return from_ll && m[24] != 0xff &&
               ((m[8] == 0xfe && m[9] >= 0x80 && m[9] <= 0xbf) || memcmp(m + 8, m + 24, 16) == 0);
    }
}

static void test_mutations(void **state)
{
    (void)state;
    static const uint8_t likely[] = { 0,   1,   2,   3,   5,   14,   25,   31,
                                      133, 134, 135, 136, 137, 0xFE, 0xFF, 0x80 };
    uint32_t seed = 0x4861;
    unsigned n_good = 0, n_bad = 0;
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t p[512];
        size_t row = pkt_rnd(&seed) % PKT_N(rows), len = row_packet(p, row);
        for (unsigned k = pkt_rnd(&seed) % 4; k > 0; k--) {
            size_t at = 7 + pkt_rnd(&seed) % (len - 7);
            p[at] = pkt_rnd(&seed) % 2 ? likely[pkt_rnd(&seed) % sizeof(likely)]
                                       : (uint8_t)pkt_rnd(&seed);
        }
        if (pkt_rnd(&seed) % 4 == 0)
            len = 44 + pkt_rnd(&seed) % (len - 43);
        be16_store(p + 4, (uint16_t)(len - 40));
        if (pkt_rnd(&seed) % 16)
            pkt_fix(p, 40, len);
        struct nd m;
        bool good = parse(&m, p, len) == DROP_NONE;
        assert_int_equal(good, twin(p, len));
        n_good += good;
        n_bad += !good;
    }
    assert_true(n_good > 10000 && n_bad > 10000);
}

static const struct mac mac_a = { { 0xC6, 0x12, 0x00, 0x01, 0x19, 0x40 } };

/* Checks what every built packet has in common, and parses it. */
static struct nd built(const uint8_t *p, size_t len, enum nd_type type)
{
    struct nd m;
    assert_int_equal(be16_load(p + 4) + 40u, len);
    assert_int_equal(pkt_cksum(p, 40, len, 58), 0);
    assert_true(twin(p, len));
    assert_int_equal(parse(&m, p, len), DROP_NONE);
    assert_int_equal(m.type, type);
    return m;
}

static void test_build_na(void **state)
{
    (void)state;
    struct ip6 src = pkt_ip6("2001:db8::5"), dst = pkt_ip6("fe80::2");
    for (unsigned flags = 0; flags < 8; flags++) {
        uint8_t p[72 + 1];
        memset(p, 0xA5, sizeof(p));
        assert_int_equal(nd_build_na(p, src, dst, src, (uint8_t)(flags << 5), mac_a), 72);
        assert_int_equal(p[72], 0xA5);
        struct nd m = built(p, 72, ND_NA);
        assert_int_equal(m.flags, flags << 5);
        assert_true(ip6_eq(m.src, src) && ip6_eq(m.dst, dst) && ip6_eq(m.target, src));
        assert_true(m.has_lla && mac_eq(m.lla, mac_a));
        assert_false(m.has_nonce);
    }
}

static void test_build_ns(void **state)
{
    (void)state;
    struct ip6 target = pkt_ip6("2001:db8::5"), group = ip6_solicited_node(target);
    for (unsigned way = 0; way < 6; way++) {
        bool dad = way >= 4, lla = way & 2 && !dad, nonce = way & 1;
        struct ip6 src = dad ? ip6_unspecified : pkt_ip6("fe80::2");
        size_t want = 64u + (lla ? 8 : 0) + (nonce ? 8 : 0);
        uint8_t p[80 + 1];
        memset(p, 0xA5, sizeof(p));
        assert_int_equal(nd_build_ns(p, src, group, target, lla ? &mac_a : NULL,
                                     nonce ? (const uint8_t *)"nonce6" : NULL),
                         want);
        assert_int_equal(p[want], 0xA5);
        struct nd m = built(p, want, ND_NS);
        assert_true(ip6_eq(m.src, src) && ip6_eq(m.dst, group) && ip6_eq(m.target, target));
        assert_int_equal(m.has_lla, lla);
        assert_true(!lla || mac_eq(m.lla, mac_a));
        assert_int_equal(m.has_nonce, nonce);
        assert_true(!nonce || memcmp(m.nonce, "nonce6", 6) == 0);
    }
}

static void test_build_rs(void **state)
{
    (void)state;
    uint8_t p[56];
    assert_int_equal(nd_build_rs(p, pkt_ip6("fe80::2"), ip6_all_routers, &mac_a), 56);
    struct nd m = built(p, 56, ND_RS);
    assert_true(m.has_lla && mac_eq(m.lla, mac_a));
    assert_int_equal(nd_build_rs(p, ip6_unspecified, ip6_all_routers, NULL), 48);
    m = built(p, 48, ND_RS);
    assert_false(m.has_lla);
    assert_true(ip6_eq(m.dst, ip6_all_routers));
}

/* A Router Advertisement with every option, octet by octet as the RFCs draw them. */
static void test_golden_ra(void **state)
{
    (void)state;
    static const uint8_t golden[] = "\x60\0\0\0"
                                    "\x00\xb8\x3a\xff" /* payload 184, ICMPv6, 255 */
                                    "\xfe\x80\0\0\0\0\0\0"
                                    "\xc4\x12\x00\xff\xfe\x01\x19\x40"
                                    "\xfe\x80\0\0\0\0\0\0"
                                    "\0\0\0\0\0\0\0\2"
                                    "\x86\0\xf0\xec"
                                    "\x40\x18\x07\x08"
                                    "\0\0\0\0\0\0\0\0" /* hop limit 64, preference low, 1800 s */
                                    "\1\1\xc6\x12\x00\x01\x19\x40"
                                    "\5\1\0\0\0\0\x05\x9a" /* 1434 */
                                    "\3\4\x40\xc0"
                                    "\0\1\x51\x80"
                                    "\0\0\x38\x40"
                                    "\0\0\0\0" /* L A, 86400, 14400 */
                                    "\x20\x01\x0d\xb8\0\1\0\0"
                                    "\0\0\0\0\0\0\0\0"
                                    "\x18\1\0\x18"
                                    "\0\0\x0e\x10" /* ::/0 */
                                    "\x18\2\x30\x18"
                                    "\0\0\x0e\x10"
                                    "\x20\x01\x0d\xb8\0\2\0\0" /* /48 */
                                    "\x18\3\x60\x18"
                                    "\0\0\x0e\x10"
                                    "\x20\x01\x0d\xb8\0\3\0\0"
                                    "\0\4\0\5\0\0\0\0" /* /96 */
                                    "\x19\5\0\0"
                                    "\0\0\x07\x08" /* two servers: 1 + 2 * 2 */
                                    "\x20\x01\x0d\xb8\0\1\0\0"
                                    "\0\0\0\0\0\0\0\x53"
                                    "\x20\x01\x0d\xb8\0\1\0\0"
                                    "\0\0\0\0\0\0\0\x54"
                                    "\x1f\4\0\0"
                                    "\0\0\x07\x08" /* 8 + 13 + 9 + 2 of padding */
                                    "\7"
                                    "example"
                                    "\3"
                                    "com"
                                    "\0"
                                    "\3"
                                    "lan"
                                    "\3"
                                    "box"
                                    "\0"
                                    "\0\0";
    static const char search[][SEARCH_LEN + 1] = { "example.com", "lan.box" };
    struct prefix route[3] = {
        { ip6_unspecified, 0 },
        { pkt_ip6("2001:db8:2:ffff::"), 48 }, /* bits behind the prefix are cleared */
        { pkt_ip6("2001:db8:3:0:4:5:ffff:1"), 96 },
    };
    struct ip6 dns[2] = { pkt_ip6("2001:db8:1::53"), pkt_ip6("2001:db8:1::54") };
    struct nd_ra ra = {
        .hop_limit = 64,
        .lifetime_s = 1800,
        .preference = -1,
        .slla = mac_a,
        .mtu = 1434,
        .prefix = { pkt_ip6("2001:db8:1::"), 64 },
        .on_link = true,
        .autonomous = true,
        .valid_s = 86400,
        .preferred_s = 14400,
        .route = route,
        .n_route = 3,
        .route_s = 3600,
        .dns = dns,
        .n_dns = 2,
        .dns_s = 1800,
        .search = search,
        .n_search = 2,
    };
    uint8_t p[ND_PACKET_MAX];
    size_t len = nd_build_ra(p, mac_link_local(mac_a), pkt_ip6("fe80::2"), &ra);
    assert_int_equal(len, sizeof(golden) - 1);
    assert_memory_equal(p, golden, len);
    struct nd m = built(p, len, ND_RA);
    assert_int_equal(m.hop_limit, 64);
    assert_int_equal(m.flags, 0x18);
    assert_int_equal(m.lifetime_s, 1800);
    assert_int_equal(m.mtu, 1434);
    assert_true(m.has_lla && mac_eq(m.lla, mac_a));
}

/* R16, R17, R24: header and prefix fields, one difference a row. */
static void test_ra_fields(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint16_t lifetime_s;
        int8_t preference;
        bool on_link, autonomous;
        uint32_t valid_s, preferred_s;
        uint8_t flags, prefix_flags;
        uint32_t want_preferred_s;
    } cases[] = {
        { "low", 1800, -1, true, true, 100, 50, 0x18, 0xc0, 50 },
        { "medium", 1800, 0, true, true, 100, 50, 0x00, 0xc0, 50 },
        { "high", 1800, 1, true, true, 100, 50, 0x08, 0xc0, 50 },
        { "R24 lifetime 0: preference 00", 0, -1, true, true, 100, 50, 0x00, 0xc0, 50 },
        { "on-link only", 1800, 0, true, false, 100, 50, 0x00, 0x80, 50 },
        { "autonomous only", 1800, 0, false, true, 100, 50, 0x00, 0x40, 50 },
        { "neither", 1800, 0, false, false, 100, 50, 0x00, 0x00, 50 },
        { "R17 preferred above valid", 1800, 0, true, true, 100, 101, 0x00, 0xc0, 100 },
        { "R17 preferred equals valid", 1800, 0, true, true, 100, 100, 0x00, 0xc0, 100 },
        { "deprecated", 1800, 0, true, true, 7200, 0, 0x00, 0xc0, 0 },
        { "forever", 65535, 0, true, true, UINT32_MAX, UINT32_MAX, 0x00, 0xc0, UINT32_MAX },
    };
    for (size_t i = 0; i < PKT_N(cases); i++) {
        struct nd_ra ra = {
            .hop_limit = 64,
            .lifetime_s = cases[i].lifetime_s,
            .preference = cases[i].preference,
            .slla = mac_a,
            .prefix = { pkt_ip6("2001:db8::ffff"), 64 },
            .on_link = cases[i].on_link,
            .autonomous = cases[i].autonomous,
            .valid_s = cases[i].valid_s,
            .preferred_s = cases[i].preferred_s,
        };
        uint8_t p[ND_PACKET_MAX];
        size_t len = nd_build_ra(p, pkt_ip6("fe80::1"), ip6_all_nodes, &ra);
        struct nd m = built(p, len, ND_RA);
        const uint8_t *pio = p + 40 + 16 + 8;
        if (len != 40 + 16 + 8 + 32 || m.mtu != 0 || m.flags != cases[i].flags ||
            m.lifetime_s != cases[i].lifetime_s || pio[3] != cases[i].prefix_flags ||
            be32_load(pio + 4) != cases[i].valid_s ||
            be32_load(pio + 8) != cases[i].want_preferred_s ||
            !ip6_eq(ip6_load(pio + 16), pkt_ip6("2001:db8::")))
            fail_msg("%s", cases[i].name);
    }
}

/* The first option @type of the RA at @p, NULL when there is none; @n counts them. */
static const uint8_t *option(const uint8_t *p, size_t len, uint8_t type, unsigned *n)
{
    const uint8_t *first = NULL;
    *n = 0;
    for (size_t off = 56; off < len; off += 8u * p[off + 1]) {
        assert_true(p[off + 1] > 0 && off + 8u * p[off + 1] <= len);
        if (p[off] == type && (*n)++ == 0)
            first = p + off;
    }
    return first;
}

/* R25: RDNSS is odd and at least 3, DNSSL names end and are padded with zeros; what is no name is
 * left out. */
static void test_dns_options(void **state) /* R25 */
{
    (void)state;
#define L63 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghijk"
#define L62 "abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyzabcdefghij"
    static const struct {
        const char *name, *search;
        size_t n_octets; /* of the names without padding; 0: no option */
        const char *octets;
    } cases[] = {
        { "one label", "lan", 5,
          "\3"
          "lan"
          "\0" },
        { "dot at the end", "lan.", 5,
          "\3"
          "lan"
          "\0" },
        { "exactly 8 octets", "lan.ab", 8,
          "\3"
          "lan"
          "\2"
          "ab"
          "\0" },
        { "label of 63", L63, 65, NULL },
        { "longest name", L63 "." L62, 128, NULL },
        { "label of 64", L63 "x", 0, NULL },
        { "empty", "", 0, NULL },
        { "root", ".", 0, NULL },
        { "dot first", ".lan", 0, NULL },
        { "two dots", "a..b", 0, NULL },
        { "two dots at the end", "a..", 0, NULL },
    };
    for (size_t i = 0; i < PKT_N(cases); i++) {
        char search[1][SEARCH_LEN + 1] = { { 0 } };
        uint8_t p[ND_PACKET_MAX];
        unsigned n;
        memcpy(search[0], cases[i].search, strlen(cases[i].search));
        struct nd_ra ra = { .slla = mac_a,
                            .dns_s = 77,
                            .search = (const char(*)[SEARCH_LEN + 1]) search,
                            .n_search = 1 };
        size_t len = nd_build_ra(p, pkt_ip6("fe80::1"), ip6_all_nodes, &ra);
        const uint8_t *o = option(p, len, 31, &n);
        built(p, len, ND_RA);
        if (n != (cases[i].n_octets ? 1 : 0))
            fail_msg("%s: %u options", cases[i].name, n);
        if (!o)
            continue;
        size_t units = (8 + cases[i].n_octets + 7) / 8;
        if (o[1] != units || be32_load(o + 4) != 77)
            fail_msg("%s: length %u", cases[i].name, o[1]);
        if (cases[i].octets && memcmp(o + 8, cases[i].octets, cases[i].n_octets) != 0)
            fail_msg("%s: octets", cases[i].name);
        for (size_t k = 8 + cases[i].n_octets - 1; k < 8 * units; k++)
            assert_int_equal(o[k], 0);
    }
    for (unsigned n_dns = 0; n_dns <= 4; n_dns++) {
        struct ip6 dns[4] = { pkt_ip6("2001:db8::1"), pkt_ip6("2001:db8::2"),
                              pkt_ip6("2001:db8::3"), pkt_ip6("::4") };
        struct nd_ra ra = { .slla = mac_a, .dns = dns, .n_dns = n_dns, .dns_s = 5400 };
        uint8_t p[ND_PACKET_MAX];
        unsigned n;
        size_t len = nd_build_ra(p, pkt_ip6("fe80::1"), ip6_all_nodes, &ra);
        const uint8_t *o = option(p, len, 25, &n);
        assert_int_equal(n, n_dns > 0);
        if (!o)
            continue;
        assert_int_equal(o[1], 1 + 2 * n_dns);
        assert_int_equal(be32_load(o + 4), 5400);
        assert_memory_equal(o + 8, dns, 16 * n_dns);
    }
}

/* Whatever is asked for, the packet is whole, at most 1 280 octets, and what matters more is there
 * first. */
static void test_ra_room(void **state)
{
    (void)state;
    static struct prefix route[100];
    static struct ip6 dns[200];
    static char search[12][SEARCH_LEN + 1];
    for (unsigned i = 0; i < 100; i++)
        route[i] = (struct prefix){ pkt_ip6("2001:db8::"), (uint8_t)(28 + i) };
    for (unsigned i = 0; i < 12; i++)
        memcpy(search[i], L63 "." L62, SEARCH_LEN);
    for (unsigned n_route = 0; n_route <= 100; n_route += 4) {
        for (unsigned n_dns = 0; n_dns <= 200; n_dns += 5) {
            for (unsigned n_search = 0; n_search <= 12; n_search++) {
                struct nd_ra ra = { .slla = mac_a,
                                    .mtu = 1280,
                                    .prefix = { pkt_ip6("2001:db8::"), 64 },
                                    .route = route,
                                    .n_route = n_route,
                                    .dns = dns,
                                    .n_dns = n_dns,
                                    .search = (const char(*)[SEARCH_LEN + 1]) search,
                                    .n_search = n_search };
                uint8_t p[ND_PACKET_MAX + 1];
                unsigned n, routes;
                p[ND_PACKET_MAX] = 0xA5;
                size_t len = nd_build_ra(p, pkt_ip6("fe80::1"), ip6_all_nodes, &ra);
                assert_true(len <= ND_PACKET_MAX && p[ND_PACKET_MAX] == 0xA5);
                assert_non_null(option(p, len, 1, &n));
                assert_non_null(option(p, len, 5, &n));
                assert_non_null(option(p, len, 3, &n));
                option(p, len, 24, &routes);
                size_t used = 104;
                for (unsigned i = 0; i < routes; i++)
                    used += route[i].len <= 64 ? 16 : 24;
                assert_true(routes <= n_route && (routes == n_route || used + 24 > ND_PACKET_MAX));
                option(p, len, 25, &n);
                assert_int_equal(n, n_dns > 0 && used + 8 + 16 * n_dns <= ND_PACKET_MAX);
                if (n_route + n_dns == 0)
                    assert_int_equal(option(p, len, 31, &n) != NULL,
                                     n_search >= 1 && n_search <= 9);
            }
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_behind_headers),
        cmocka_unit_test(test_bits),      cmocka_unit_test(test_mutations),
        cmocka_unit_test(test_build_na),  cmocka_unit_test(test_build_ns),
        cmocka_unit_test(test_build_rs),  cmocka_unit_test(test_golden_ra),
        cmocka_unit_test(test_ra_fields), cmocka_unit_test(test_dns_options),
        cmocka_unit_test(test_ra_room),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
