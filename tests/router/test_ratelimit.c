/* SPDX-License-Identifier: MIT */
/* test_ratelimit.c - token buckets against what they promise, and buckets by address (H18, H19) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"
#include "router/ratelimit.h"

static void rates(void **state)
{
    static const struct {
        uint32_t per_s, burst;
        mono_ns every, during; /* asked so often, for so long */
    } rows[] = {
        { 10, 10, 1 * NS_PER_MS, 10 * NS_PER_S }, { 10, 1, 33333333, 10 * NS_PER_S },
        { 1000, 1000, 300000, 5 * NS_PER_S },     { 1000, 10, 300000, 5 * NS_PER_S },
        { 1000, 1000, 700000, 10 * NS_PER_S }, /* less than a millisecond at a time */
        { 200, 200, 1999999, 20 * NS_PER_S },  /* nearly two: the rest must not be lost */
        { 20, 20, 1500000, 20 * NS_PER_S },       { 1, 1, 10 * NS_PER_MS, 20 * NS_PER_S },
        { 100000, 100000, 5000, 2 * NS_PER_S },
    };
    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        struct bucket b = { 0 };
        uint64_t got = 0, asked = 0;
        for (mono_ns t = 0; t <= rows[i].during; t += rows[i].every, asked++)
            got += bucket_take(&b, rows[i].per_s, rows[i].burst, T0 + t);
        uint64_t most = rows[i].burst + rows[i].during / NS_PER_MS * rows[i].per_s / 1000;
        uint64_t want = most < asked ? most : asked;
        if (got > most || got + want / 50 + 1 < want)
            fail_msg("row %u: %llu of %llu", i, (unsigned long long)got, (unsigned long long)want);
    }
}

static void saves_no_more_than_its_burst(void **state)
{
    struct bucket b = { 0 };

    (void)state;
    assert_true(bucket_take(&b, 5, 5, T0));
    for (unsigned idle = 1; idle < 6; idle++) {
        mono_ns now = T0 + idle * 3600 * 24 * 365 * NS_PER_S;
        for (unsigned i = 0; i < 5; i++)
            assert_true(bucket_take(&b, 5, 5, now));
        assert_false(bucket_take(&b, 5, 5, now));
        assert_false(
            bucket_take(&b, 5, 5, now - NS_PER_S)); /* a clock that steps back gives nothing */
    }
}

static void by_address(void **state)
{
    static struct rate_by_ip r;
    struct endpoint x = ep_of("198.51.100.7", 1), y = ep_of("198.51.100.8", 1);

    (void)state;
    assert_true(sodium_init() >= 0);
    memset(r.hash_key, 7, sizeof(r.hash_key));
    for (unsigned i = 0; i < 30; i++)
        assert_int_equal(rate_by_ip_take(&r, x.ip, 10, 10, T0), i < 10);
    assert_true(rate_by_ip_take(&r, y.ip, 10, 10, T0));
    /* Many addresses together get no more than all buckets hold. */
    uint64_t got = 0;
    memset(r.bucket, 0, sizeof(r.bucket));
    for (uint32_t i = 0; i < 6 * RATE_BUCKETS; i++)
        got += rate_by_ip_take(&r, be32_of(0x0A000000 + i), 1, 1, T0);
    assert_in_range(got, RATE_BUCKETS / 10 * 9, RATE_BUCKETS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rates),
        cmocka_unit_test(saves_no_more_than_its_burst),
        cmocka_unit_test(by_address),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
