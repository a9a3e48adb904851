/* SPDX-License-Identifier: MIT */
/* test_cursor.c - cursors, big-endian fields, deadlines, drawn entropy, names of drops */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "proto/cursor.h"
#include "proto/drop.h"
#include "proto/entropy.h"
#include "proto/timers.h"

static const uint8_t octets[15] = { 0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
                                    0xfe, 0xdc, 0xba, 0x98, 0x76, 0x54, 0x32 };

static void be_orders_octets(void **state)
{
    (void)state;
    uint8_t buf[8];

    assert_int_equal(be16_load(octets), 0x0123);
    assert_int_equal(be32_load(octets), 0x01234567);
    assert_true(be64_load(octets) == UINT64_C(0x0123456789abcdef));
    assert_true(be64_load(octets + 1) == UINT64_C(0x23456789abcdeffe)); /* unaligned */
    assert_int_equal(be32_load(octets + 4), 0x89abcdef);
    be16_store(buf, 0x89ab);
    assert_memory_equal(buf, octets + 4, 2);
    be32_store(buf, 0x89abcdef);
    assert_memory_equal(buf, octets + 4, 4);
    be64_store(buf, UINT64_C(0x0123456789abcdef));
    assert_memory_equal(buf, octets, 8);
    be16 v16 = be16_of(0xfedc);
    be32 v32 = be32_of(0xfedcba98);
    be64 v64 = be64_of(UINT64_C(0x0123456789abcdef));
    assert_memory_equal(&v16, octets + 8, 2);
    assert_memory_equal(&v32, octets + 8, 4);
    assert_memory_equal(&v64, octets, 8);
    assert_int_equal(be16_get(v16), 0xfedc);
    assert_true(be32_get(v32) == 0xfedcba98);
    assert_true(be64_get(v64) == UINT64_C(0x0123456789abcdef));
}

static void read_in_order(void **state)
{
    (void)state;
    struct rd r = rd_of(octets, sizeof(octets));

    assert_int_equal(rd_u8(&r), 0x01);
    assert_int_equal(rd_u16(&r), 0x2345);
    assert_int_equal(rd_u32(&r), 0x6789abcd);
    assert_true(rd_u64(&r) == UINT64_C(0xeffedcba98765432));
    assert_int_equal(rd_left(&r), 0);
    assert_ptr_equal(rd_bytes(&r, 0), octets + 15);
    assert_false(r.bad);
}

/* Every length of input against every length asked for: an error sticks, and nothing behind the end
 * is touched (the input is an allocation of exactly that length). */
static void read_past_end_sticks(void **state)
{
    (void)state;
    for (size_t have = 0; have <= 10; have++) {
        uint8_t *p = malloc(have ? have : 1);
        memset(p, 0x5a, have);
        for (size_t want = 0; want <= 12; want++) {
            uint8_t dst[12];
            memset(dst, 0xff, sizeof(dst));
            struct rd r = rd_of(p, have);
            rd_copy(&r, dst, want);
            assert_int_equal(r.bad, want > have);
            for (size_t i = 0; i < sizeof(dst); i++)
                assert_int_equal(dst[i], i >= want ? 0xff : want > have ? 0 : 0x5a);
            if (want > have) {
                assert_int_equal(rd_left(&r), 0);
                assert_null(rd_bytes(&r, 0));
                assert_int_equal(rd_u8(&r), 0);
                assert_int_equal(rd_u16(&r), 0);
                assert_int_equal(rd_u32(&r), 0);
                assert_true(rd_u64(&r) == 0);
            }
        }
        free(p);
    }
}

static void read_huge_length_does_not_wrap(void **state)
{
    (void)state;
    struct rd r = rd_of(octets, sizeof(octets));

    rd_u8(&r);
    assert_null(rd_bytes(&r, SIZE_MAX));
    assert_true(r.bad);
}

static void write_in_order(void **state)
{
    (void)state;
    uint8_t buf[17];
    struct wr w = wr_of(buf, sizeof(buf));

    wr_u8(&w, 0x01);
    wr_u16(&w, 0x2345);
    wr_u32(&w, 0x6789abcd);
    wr_u64(&w, UINT64_C(0xeffedcba98765432));
    assert_int_equal(w.off, 15);
    assert_memory_equal(buf, octets, 15);
    wr_zero(&w, 1);
    wr_bytes(&w, octets, 1);
    assert_int_equal(buf[15], 0);
    assert_int_equal(buf[16], 1);
    assert_false(w.bad);
    wr_bytes(&w, NULL, 0);
    assert_false(w.bad);
}

static void write_past_end_sticks(void **state)
{
    (void)state;
    uint8_t buf[8];

    for (size_t room = 0; room < sizeof(buf); room++) {
        memset(buf, 0xee, sizeof(buf));
        struct wr w = wr_of(buf, room);
        wr_u64(&w, 0);
        assert_true(w.bad);
        wr_u8(&w, 0); /* would fit, but for the error */
        wr_zero(&w, 0);
        assert_int_equal(w.off, 0);
        for (size_t i = 0; i < sizeof(buf); i++)
            assert_int_equal(buf[i], 0xee);
    }
    struct wr w = wr_of(buf, sizeof(buf));
    wr_u8(&w, 0);
    assert_null(wr_room(&w, SIZE_MAX));
    assert_true(w.bad);
}

static void deadlines(void **state)
{
    (void)state;
    assert_true(time_ms(1500) == 1500 * NS_PER_MS);
    assert_true(time_s(3) == time_ms(3000));
    assert_true(time_earlier(5, NEVER) == 5);
    assert_true(time_earlier(NEVER, 5) == 5);
    assert_true(time_earlier(NEVER, NEVER) == NEVER);
    assert_true(time_since(10, 4) == 6);
    assert_true(time_since(4, 10) == 0);
    assert_true(time_since(4, 4) == 0);
}

static void jitter_stays_in_range(void **state)
{
    static const struct {
        mono_ns d;
        unsigned pct;
    } rows[] = {
        { 120 * NS_PER_S, 10 }, { NS_PER_S, 50 }, { 15 * NS_PER_S, 100 },
        { NS_PER_S, 0 },        { 0, 10 },
    };
    (void)state;

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        mono_ns span = rows[i].d / 100 * rows[i].pct;
        assert_true(time_jitter(rows[i].d, rows[i].pct, 0) == rows[i].d - span);
        assert_true(time_jitter(rows[i].d, rows[i].pct, UINT32_C(1) << 31) == rows[i].d);
        mono_ns most = time_jitter(rows[i].d, rows[i].pct, UINT32_MAX);
        assert_true(most <= rows[i].d + span);
        assert_true(most + span / 1000 >= rows[i].d + span);
    }
}

/* What is drawn must neither repeat, nor be what a later seed could tell, nor depend on the
 * caller's buffer. */
static void entropy_moves_on(void **state)
{
    (void)state;
    struct entropy a, b;
    uint8_t x[4096], y[4096];

    memset(a.seed, 7, sizeof(a.seed));
    b = a;
    memset(x, 0x00, sizeof(x));
    memset(y, 0xff, sizeof(y));
    entropy_draw(&a, x, sizeof(x));
    entropy_draw(&b, y, sizeof(y));
    assert_memory_equal(x, y, sizeof(x));
    assert_memory_equal(a.seed, b.seed, ENTROPY_LEN);
    assert_memory_not_equal(a.seed, x, ENTROPY_LEN);
    for (size_t i = 0; i + ENTROPY_LEN <= sizeof(x); i++)
        assert_memory_not_equal(x + i, a.seed, ENTROPY_LEN);
    entropy_draw(&a, y, sizeof(y));
    assert_memory_not_equal(x, y, sizeof(x));

    struct entropy c;
    memset(c.seed, 8, sizeof(c.seed));
    entropy_draw(&c, y, sizeof(y));
    assert_memory_not_equal(x, y, sizeof(x));
}

static void entropy_short_draw_is_a_prefix(void **state)
{
    (void)state;
    struct entropy a = { { 1 } }, b = a, c = a;
    uint8_t x[64], y[4];
    uint32_t u;

    entropy_draw(&a, x, sizeof(x));
    entropy_draw(&b, y, sizeof(y));
    assert_memory_equal(x, y, sizeof(y));
    u = entropy_u32(&c);
    assert_memory_equal(&u, x, sizeof(u));
    assert_memory_equal(a.seed, c.seed, ENTROPY_LEN);
}

static void drop_names_are_unique(void **state)
{
    (void)state;
    for (int d = 0; d < DROP_COUNT; d++) {
        const char *name = drop_name((enum drop)d);
        assert_true(strlen(name) > 0);
        assert_true(strlen(drop_help((enum drop)d)) > 0);
        for (const char *p = name; *p; p++)
            assert_true(islower((unsigned char)*p) || isdigit((unsigned char)*p) || *p == '_');
        for (int e = 0; e < d; e++)
            assert_string_not_equal(name, drop_name((enum drop)e));
    }
    assert_int_equal(DROP_NONE, 0);
    assert_string_equal(drop_name(DROP_NONE), "none");
    assert_string_equal(drop_name(DROP_COUNT), "unknown");
    assert_string_equal(drop_help(DROP_COUNT), "unknown");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(be_orders_octets),
        cmocka_unit_test(read_in_order),
        cmocka_unit_test(read_past_end_sticks),
        cmocka_unit_test(read_huge_length_does_not_wrap),
        cmocka_unit_test(write_in_order),
        cmocka_unit_test(write_past_end_sticks),
        cmocka_unit_test(deadlines),
        cmocka_unit_test(jitter_stays_in_range),
        cmocka_unit_test(entropy_moves_on),
        cmocka_unit_test(entropy_short_draw_is_a_prefix),
        cmocka_unit_test(drop_names_are_unique),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
