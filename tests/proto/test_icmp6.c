/* SPDX-License-Identifier: MIT */
/* test_icmp6.c - the error gate (R43), rate (R44), quotes (R45), Packet Too Big, echo in place */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pkt.h"
#include "proto/icmp6.h"
#include "proto/mac.h"

#define ECHO "\x80\0\0\0\x12\x34\0\1"
#define UDP8 "\x30\x39\0\x35\0\x08\0\0"

/* the four errors, and 4/2, which may be about a group */
static const struct {
    uint8_t type, code;
} errors[] = { { 1, 3 }, { 2, 0 }, { 3, 0 }, { 4, 1 }, { 4, 2 } };

static void test_gate(void **state) /* R43 */
{
    (void)state;
    enum { NONE, GROUP, ALL }; /* which errors may be sent: none, 2/0 and 4/2, all */
    static const struct {
        const char *name, *src, *dst;
        uint8_t nh;
        const uint8_t *pay;
        size_t len;
        int may;
    } rows[] = {
        { "UDP", "2001:db8::1", "2001:db8::2", 17, OCTETS(UDP8), ALL },
        { "echo request", "2001:db8::1", "2001:db8::2", 58, OCTETS(ECHO), ALL },
        { "link-local source", "fe80::1", "2001:db8::2", 17, OCTETS(UDP8), ALL },
        { "no next header", "2001:db8::1", "2001:db8::2", 59, OCTETS(""), ALL },
        { "first fragment of UDP", "2001:db8::1", "2001:db8::2", 44,
          OCTETS("\x11\0\0\1\0\0\0\1" UDP8), ALL },
        { "later fragment of UDP", "2001:db8::1", "2001:db8::2", 44,
          OCTETS("\x11\0\0\x08\0\0\0\1" UDP8), ALL },
        { "NS", "2001:db8::1", "2001:db8::2", 58, OCTETS("\x87\0\0\0\0\0\0\0"), ALL },
        { "R43 about 1/3", "2001:db8::1", "2001:db8::2", 58, OCTETS("\1\3\0\0\0\0\0\0"), NONE },
        { "R43 about 2/0", "2001:db8::1", "2001:db8::2", 58, OCTETS("\2\0\0\0\0\0\5\0"), NONE },
        { "R43 about 3/0", "2001:db8::1", "2001:db8::2", 58, OCTETS("\3\0\0\0\0\0\0\0"), NONE },
        { "R43 about 4/1", "2001:db8::1", "2001:db8::2", 58, OCTETS("\4\1\0\0\0\0\0\0"), NONE },
        { "R43 about error behind dstopts", "2001:db8::1", "2001:db8::2", 60,
          OCTETS("\x3a\0\1\4\0\0\0\0"
                 "\1\3\0\0\0\0\0\0"),
          NONE },
        { "R43 about error in an atomic fragment", "2001:db8::1", "2001:db8::2", 44,
          OCTETS("\x3a\0\0\0\0\0\0\1"
                 "\1\3\0\0\0\0\0\0"),
          NONE },
        { "R43 about Redirect", "fe80::1", "2001:db8::2", 58, OCTETS("\x89\0\0\0\0\0\0\0"), NONE },
        { "R43 to a group", "2001:db8::1", "ff05::1", 17, OCTETS(UDP8), GROUP },
        { "R43 to all nodes", "fe80::1", "ff02::1", 58, OCTETS(ECHO), GROUP },
        { "R43 error to a group", "fe80::1", "ff02::1", 58, OCTETS("\4\1\0\0\0\0\0\0"), NONE },
        { "R43 from ::", "::", "2001:db8::2", 58, OCTETS(ECHO), NONE },
        { "R43 from a group", "ff02::1", "2001:db8::2", 17, OCTETS(UDP8), NONE },
        { "from ::1", "::1", "2001:db8::2", 17, OCTETS(UDP8), NONE },
        { "from a v4-mapped address", "::ffff:192.0.2.1", "2001:db8::2", 17, OCTETS(UDP8), NONE },
        { "later fragment of ICMPv6", "2001:db8::1", "2001:db8::2", 44,
          OCTETS("\x3a\0\0\x08\0\0\0\1" ECHO), NONE },
        { "ICMPv6 without a type", "2001:db8::1", "2001:db8::2", 60, OCTETS("\x3a\0\1\4\0\0\0\0"),
          NONE },
        { "undecided chain", "2001:db8::1", "2001:db8::2", 44, OCTETS("\x3c\0\0\1\0\0\0\1"), NONE },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t p[256], out[ICMP6_ERROR_MAX];
        struct frame f;
        size_t len = pkt_put(p, rows[i].src, rows[i].dst, rows[i].nh, 64, rows[i].pay, rows[i].len);
        assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
        for (size_t e = 0; e < PKT_N(errors); e++) {
            bool group_ok = errors[e].type == 2 || errors[e].code == 2;
            bool want = rows[i].may == ALL || (rows[i].may == GROUP && group_ok);
            struct icmp6_bucket b;
            icmp6_bucket_init(&b, 1, 1, 0);
            size_t n = icmp6_error(out, &f, pkt_ip6("2001:db8::9"), errors[e].type, errors[e].code,
                                   0, &b, 0);
            if (icmp6_error_allowed(&f, errors[e].type, errors[e].code) != want || (n != 0) != want)
                fail_msg("%s: error %u/%u", rows[i].name, errors[e].type, errors[e].code);
            assert_int_equal(b.tokens, want ? 0 : 1); /* what is forbidden costs nothing */
        }
    }
}

/* Every ICMPv6 type: errors are those below 128, and Redirect. */
static void test_gate_types(void **state)
{
    (void)state;
    for (unsigned type = 0; type < 256; type++) {
        uint8_t p[64];
        struct frame f;
        size_t len = pkt_put(p, "2001:db8::1", "2001:db8::2", 58, 64, OCTETS(ECHO));
        p[40] = (uint8_t)type;
        assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
        assert_int_equal(icmp6_error_allowed(&f, 1, 3), type >= 128 && type != 137);
    }
}

static void test_bucket(void **state)
{
    (void)state;
    struct icmp6_bucket b;
    mono_ns t = time_s(1000);
    icmp6_bucket_init(&b, 10, 5, t);
    for (int i = 0; i < 5; i++)
        assert_true(icmp6_bucket_take(&b, t));
    assert_false(icmp6_bucket_take(&b, t));
    assert_false(icmp6_bucket_take(&b, t + time_ms(100) - 1));
    assert_true(icmp6_bucket_take(&b, t + time_ms(100)));
    assert_false(icmp6_bucket_take(&b, t + time_ms(100)));
    assert_false(icmp6_bucket_take(&b, t)); /* a clock that steps back gives nothing */
    assert_false(icmp6_bucket_take(&b, t + time_ms(199)));
    assert_true(icmp6_bucket_take(&b, t + time_ms(200)));
    /* 0.7 s are 7 tokens, of which 5 are kept */
    for (int i = 0; i < 5; i++)
        assert_true(icmp6_bucket_take(&b, t + time_ms(900)));
    assert_false(icmp6_bucket_take(&b, t + time_ms(900)));
    /* a long silence saves up no more than the burst; the largest times do not wrap */
    for (int i = 0; i < 5; i++)
        assert_true(icmp6_bucket_take(&b, UINT64_MAX - 1));
    assert_false(icmp6_bucket_take(&b, UINT64_MAX - 1));

    /* a full bucket asked in the past gains nothing from it */
    icmp6_bucket_init(&b, 10, 5, t);
    for (int i = 0; i < 5; i++)
        assert_true(icmp6_bucket_take(&b, t - time_s(1)));
    assert_false(icmp6_bucket_take(&b, t + time_ms(99)));

    icmp6_bucket_init(&b, 0, 2, t);
    assert_true(icmp6_bucket_take(&b, t));
    assert_true(icmp6_bucket_take(&b, t));
    assert_false(icmp6_bucket_take(&b, UINT64_MAX));
    icmp6_bucket_init(&b, 100, 0, t);
    assert_false(icmp6_bucket_take(&b, t + time_s(10)));
}

/* R44: asked at any rhythm, also much faster than tokens come, the average is per_s, and burst on
 * top. */
static void test_bucket_average(void **state)
{
    (void)state;
    static const uint32_t rates[] = { 1, 3, 7, 10, 1000, 600007 };
    static const mono_ns steps[] = { 1237, 99991, 1000003, 33333333 };
    for (size_t r = 0; r < PKT_N(rates); r++) {
        for (size_t s = 0; s < PKT_N(steps); s++) {
            struct icmp6_bucket b;
            mono_ns t = 0, end = steps[s] * 50000;
            uint64_t n = 0;
            icmp6_bucket_init(&b, rates[r], 20, 0);
            for (; t < end; t += steps[s])
                n += icmp6_bucket_take(&b, t);
            uint64_t most = 20 + (t * rates[r]) / NS_PER_S;
            uint64_t asked = end / steps[s];
            assert_true(n <= most);
            /* and not starved: what the rounding takes is one token in thousands */
            uint64_t fair = most < asked ? most : asked;
            if ((mono_ns)rates[r] * steps[s] <= NS_PER_S)
                assert_true(n + 2 + fair / 500 >= fair);
        }
    }
}

/* R45, R40: octets of the error at every length of the packet around the limit */
static void test_error_octets(void **state)
{
    (void)state;
    static uint8_t p[3000];
    uint32_t seed = 5;
    for (size_t i = 0; i < sizeof(p); i++)
        p[i] = (uint8_t)pkt_rnd(&seed);
    for (size_t pay_len = 1; pay_len <= 2900;
         pay_len += pay_len > 1100 && pay_len < 1240 ? 1 : 97) {
        pkt_put(p, "2001:db8::1", "2001:db8::2", 17, 1, NULL, 0);
        be16_store(p + 4, (uint16_t)pay_len);
        struct frame f;
        uint8_t *out = malloc(ICMP6_ERROR_MAX);
        assert_non_null(out);
        assert_int_equal(frame_parse(&f, p, sizeof(p)), DROP_NONE);
        size_t n = icmp6_error(out, &f, pkt_ip6("2001:db8::9"), 3, 0, 0, NULL, 0);
        size_t whole = 48 + 40 + pay_len;
        assert_int_equal(n, whole < 1280 ? whole : 1280);
        assert_int_equal(out[0], 0x60);
        assert_int_equal(be16_load(out + 4), n - 40);
        assert_int_equal(out[6], 58);
        assert_int_equal(out[7], 64);
        assert_true(ip6_eq(ip6_load(out + 8), pkt_ip6("2001:db8::9")));
        assert_true(ip6_eq(ip6_load(out + 24), pkt_ip6("2001:db8::1")));
        assert_int_equal(out[40], 3);
        assert_int_equal(out[41], 0);
        assert_int_equal(be32_load(out + 44), 0);
        assert_memory_equal(out + 48, p, n - 48);
        assert_int_equal(pkt_cksum(out, 40, n, 58), 0);
        free(out);
    }
}

static void test_error_param(void **state) /* R47 */
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t type, code;
        uint32_t param, want;
    } rows[] = {
        { "Packet Too Big 1434", 2, 0, 1434, 1434 },
        { "Packet Too Big 1280", 2, 0, 1280, 1280 },
        { "R42 Packet Too Big 1279", 2, 0, 1279, 1280 },
        { "R42 Packet Too Big 0", 2, 0, 0, 1280 },
        { "pointer", 4, 1, 6, 6 },
        { "unreachable", 1, 3, 0, 0 },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t p[64], out[ICMP6_ERROR_MAX];
        struct frame f;
        size_t len = pkt_put(p, "2001:db8::1", "2001:db8::2", 17, 64, OCTETS(UDP8));
        assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
        size_t n = icmp6_error(out, &f, pkt_ip6("2001:db8::9"), rows[i].type, rows[i].code,
                               rows[i].param, NULL, 0);
        if (n != 48 + len || out[40] != rows[i].type || out[41] != rows[i].code ||
            be32_load(out + 44) != rows[i].want)
            fail_msg("%s", rows[i].name);
    }
}

/* An empty bucket: nothing is sent, whatever the rules say. */
static void test_error_rate(void **state)
{
    (void)state;
    uint8_t p[64], out[ICMP6_ERROR_MAX];
    struct frame f;
    struct icmp6_bucket b;
    size_t len = pkt_put(p, "2001:db8::1", "2001:db8::2", 17, 64, OCTETS(UDP8));
    unsigned sent = 0;
    assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
    icmp6_bucket_init(&b, 100, 50, 0);
    for (unsigned i = 0; i < 100000; i++) /* R44: in one second */
        sent += icmp6_error(out, &f, pkt_ip6("fe80::9"), 1, 3, 0, &b, (mono_ns)i * 10000) > 0;
    assert_true(sent >= 148 && sent <= 150);
}

static void test_echo_valid(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t nh;
        const uint8_t *pay;
        size_t len, upper;
        bool ok;
    } rows[] = {
        { "8 octets", 58, OCTETS(ECHO), 40, true },
        { "odd length", 58, OCTETS(ECHO "abc"), 40, true },
        { "behind hop-by-hop", 0, OCTETS("\x3a\0\1\4\0\0\0\0" ECHO "x"), 48, true },
        { "7 octets", 58, OCTETS("\x80\0\0\0\x12\x34\0"), 40, false },
        { "code 1", 58, OCTETS("\x80\1\0\0\x12\x34\0\1"), 40, false },
        { "echo reply", 58, OCTETS("\x81\0\0\0\x12\x34\0\1"), 40, false },
        { "atomic fragment", 44, OCTETS("\x3a\0\0\0\0\0\0\1" ECHO), 48, true }, /* R50 */
        { "two atomic fragments", 44, OCTETS("\x2c\0\0\0\0\0\0\1\x3a\0\0\0\0\0\0\1" ECHO), 56,
          true },
        { "atomic, then a first one", 44, OCTETS("\x2c\0\0\0\0\0\0\1\x3a\0\0\1\0\0\0\1" ECHO), 56,
          false },
        { "first fragment", 44, OCTETS("\x3a\0\0\1\0\0\0\1" ECHO), 48, false },
        { "later fragment", 44, OCTETS("\x3a\0\0\x08\0\0\0\1" ECHO), 48, false },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        uint8_t p[128];
        struct frame f;
        size_t len =
            pkt_put(p, "2001:db8::1", "2001:db8::2", rows[i].nh, 64, rows[i].pay, rows[i].len);
        pkt_fix(p, rows[i].upper, len);
        assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
        if (icmp6_echo_valid(&f) != rows[i].ok)
            fail_msg("%s", rows[i].name);
        for (size_t bit = 8 * rows[i].upper; bit < 8 * len; bit++) {
            p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
            assert_false(icmp6_echo_valid(&f));
            p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        }
    }
}

/* Every payload length 0..600 with random octets and addresses, with and without extension headers,
 * to a unicast address and to a group: the reply is what RFC 4443 4.2 says, its checksum recomputed
 * by the naive way. */
static void test_echo_turn(void **state)
{
    (void)state;
    static const uint8_t headers[] = { 43, 0, 5, 2, 0, 0, 1, 0,   /* hop-by-hop with router alert */
                                       58, 0, 0, 0, 0, 0, 0, 0 }; /* routing */
    uint32_t seed = 0xEC40;
    for (size_t n = 0; n <= 600; n++) {
        for (unsigned way = 0; way < 4; way++) {
            size_t ext = way & 1 ? 16 : 0, len = 40 + ext + 8 + n;
            bool group = way & 2;
            uint8_t *p = malloc(len), data[4 + 600];
            struct ip6 me;
            struct frame f, again;
            assert_non_null(p);
            pkt_put(p, "2001:db8::1", group ? "ff02::1" : "2001:db8::2", ext ? 0 : 58, 255, NULL,
                    0);
            p[0] = 0x6A;
            p[3] = 0x77; /* traffic class and flow label stay */
            be16_store(p + 4, (uint16_t)(len - 40));
            for (size_t i = 20; i < 24; i++)
                p[i] = (uint8_t)pkt_rnd(&seed);
            if (ext)
                memcpy(p + 40, headers, 16);
            memset(p + 40 + ext, 0, 8);
            p[40 + ext] = 128;
            for (size_t i = 44 + ext; i < len; i++)
                p[i] = pkt_rnd(&seed) % 4 ? (uint8_t)pkt_rnd(&seed) : 0xFF;
            memcpy(data, p + 44 + ext, 4 + n);
            pkt_fix(p, 40 + ext, len);
            assert_int_equal(frame_parse(&f, p, len), DROP_NONE);
            assert_true(icmp6_echo_valid(&f));
            struct ip6 asker = f.src;
            me = group ? pkt_ip6("fe80::c412:ff:fe01:1940") : f.dst;
            icmp6_echo_turn(&f, me);

            assert_ptr_equal(f.p, p);
            assert_int_equal(f.len, len - ext);
            assert_int_equal(frame_parse(&again, p, f.len), DROP_NONE);
            assert_true(ip6_eq(again.src, me) && ip6_eq(again.dst, asker));
            assert_true(ip6_eq(f.src, me) && ip6_eq(f.dst, asker));
            assert_int_equal(again.upper, 40);
            assert_int_equal(f.upper, 40);
            assert_int_equal(again.hop_limit, 64);
            assert_int_equal(f.hop_limit, 64);
            assert_false(again.hopopts || f.hopopts || f.router_alert);
            assert_int_equal(again.tos, f.tos);
            assert_int_equal(p[3], 0x77);
            assert_int_equal(p[40], 129);
            assert_int_equal(p[41], 0);
            assert_memory_equal(p + 44, data, 4 + n);
            uint16_t sum = be16_load(p + 42);
            pkt_fix(p, 40, f.len);
            assert_int_equal(be16_load(p + 42), sum);
            free(p);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_gate),         cmocka_unit_test(test_gate_types),
        cmocka_unit_test(test_bucket),       cmocka_unit_test(test_bucket_average),
        cmocka_unit_test(test_error_octets), cmocka_unit_test(test_error_param),
        cmocka_unit_test(test_error_rate),   cmocka_unit_test(test_echo_valid),
        cmocka_unit_test(test_echo_turn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
