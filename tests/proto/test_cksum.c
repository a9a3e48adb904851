/* SPDX-License-Identifier: MIT */
/* test_cksum.c - the Internet checksum against known values and a naive twin */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "pkt.h"
#include "proto/cksum.h"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const uint8_t *p;
        size_t len;
        uint16_t want;
    } rows[] = {
        { "nothing", OCTETS(""), 0xFFFF },
        { "RFC 1071 3", OCTETS("\x00\x01\xf2\x03\xf4\xf5\xf6\xf7"), (uint16_t)~0xddf2u },
        { "one octet is the high one", OCTETS("\x12"), (uint16_t)~0x1200u },
        { "three octets", OCTETS("\x00\x01\x02"), (uint16_t)~0x0201u },
        { "all ones are zero", OCTETS("\xff\xff\xff\xff"), 0 },
        { "carry twice", OCTETS("\xff\xff\x00\x01\xff\xff"), (uint16_t)~0x0001u },
    };
    for (size_t i = 0; i < PKT_N(rows); i++)
        if (cksum_fold(cksum_add(0, rows[i].p, rows[i].len)) != rows[i].want)
            fail_msg("%s", rows[i].name);
}

/* Every length 0..300 at every alignment, in one piece and in two (the first even). */
static void test_twin(void **state)
{
    (void)state;
    uint32_t seed = 1;
    uint8_t *p = malloc(40 + 300 + 8);
    assert_non_null(p);
    for (unsigned i = 0; i < 348; i++)
        p[i] = pkt_rnd(&seed) % 4 ? (uint8_t)pkt_rnd(&seed) : 0xFF;
    for (size_t len = 0; len <= 300; len++) {
        for (size_t at = 40; at < 48; at++) {
            uint16_t want = pkt_cksum(p + at - 40, 40, 40 + len, 58);
            assert_int_equal(cksum_upper(p + at - 40, 58, p + at, len), want);
            size_t cut = len ? pkt_rnd(&seed) % len & ~(size_t)1 : 0;
            uint64_t sum = cksum_add(0, p + at - 40 + 8, 32) + len + 58;
            sum = cksum_add(cksum_add(sum, p + at, cut), p + at + cut, len - cut);
            assert_int_equal(cksum_fold(sum), want);
            uint8_t copy[302];
            memset(copy, 0xEE, sizeof(copy));
            sum = cksum_add(0, p + at - 40 + 8, 32) + len + 58;
            assert_int_equal(cksum_fold(cksum_copy(sum, copy + 1, p + at, len)), want);
            assert_memory_equal(copy + 1, p + at, len);
            assert_int_equal(copy[0], 0xEE);
            assert_int_equal(copy[1 + len], 0xEE);
        }
    }
    free(p);
}

/* What is built verifies; each flipped bit does not, in the addresses, the protocol, the length and
 * the octets. */
static void test_verify(void **state)
{
    (void)state;
    uint8_t p[40 + 21];
    static const uint8_t pay[21] = { 128, 0, 0,  0,  1,  2,  3,  4,  5,  6, 7,
                                     8,   9, 10, 11, 12, 13, 14, 15, 16, 17 };
    pkt_put(p, "2001:db8::1", "fe80::2", 58, 64, pay, sizeof(pay));
    be16_store(p + 42, cksum_upper(p, 58, p + 40, sizeof(pay)));
    assert_int_equal(cksum_upper(p, 58, p + 40, sizeof(pay)), 0);
    for (unsigned bit = 8 * 8; bit < 8 * sizeof(p); bit++) {
        p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_int_not_equal(cksum_upper(p, 58, p + 40, sizeof(pay)), 0);
        p[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
    assert_int_not_equal(cksum_upper(p, 17, p + 40, sizeof(pay)), 0);
    assert_int_not_equal(cksum_upper(p, 58, p + 40, sizeof(pay) - 1), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_verify),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
