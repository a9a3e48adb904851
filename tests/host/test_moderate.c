/* SPDX-License-Identifier: MIT */
/* test_moderate.c - when a descriptor is left alone for a moment */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "proto/host/moderate.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define US   NS_PER_US

/* @times wake-ups of @n packets of @len octets, @every apart; pauses are slept */
static unsigned pauses_of(struct moderate *m, mono_ns *now, unsigned times, unsigned n,
                          unsigned len, mono_ns every)
{
    unsigned got = 0;

    for (unsigned i = 0; i < times; i++) {
        *now += every;
        for (unsigned k = 0; k < n; k++)
            moderate_count(m, 1, len);
        mono_ns d = moderate_pause(m, *now);
        assert_true(d == 0 || d == MODERATE_PAUSE);
        got += d > 0;
        *now += d;
    }
    return got;
}

static unsigned pauses(struct moderate *m, mono_ns *now, unsigned times, unsigned n, mono_ns every)
{
    return pauses_of(m, now, times, n, 130, every);
}

/* rows: a thousand wake-ups from rest; how many pauses at least and at most? */
static void test_rows(void **state)
{
    static const struct {
        const char *name;
        unsigned n, len;
        mono_ns every;
        unsigned least, most;
    } rows[] = {
        { "one packet each 51 us is slower than the rate", 1, 130, 51 * US, 0, 0 },
        { "one each 50 us is the rate, but a pause brings one: in vain", 1, 130, 50 * US, 14, 15 },
        { "question and answer over a link of 80 us", 1, 130, 40 * US, 14, 15 },
        { "one each 3 us, and in a pause as many as come", 4, 130, 3 * US, 996, 997 },
        { "64 at once are few", 64, 130, 200 * US, 996, 997 },
        { "65 at once are many", 65, 130, 200 * US, 0, 0 },
        { "a run of 12 packets of TCP is bulk", 12, 1400, 60 * US, 0, 0 },
        { "a run of 45 as well", 45, 1400, 60 * US, 0, 0 },
        { "a superframe each 40 us as well", 1, 65000, 40 * US, 0, 0 },
        { "its acknowledgements, one each 110 us, are slow", 1, 130, 110 * US, 0, 0 },
        { "nothing at all, all the time", 0, 0, 1 * US, 0, 0 },
        { "a ping a second", 1, 130, NS_PER_S, 0, 0 },
    };
    (void)state;
    for (size_t i = 0; i < N(rows); i++) {
        struct moderate m = { 0 };
        mono_ns now = 5 * NS_PER_S;
        unsigned got = pauses_of(&m, &now, 1000, rows[i].n, rows[i].len, rows[i].every);
        if (got < rows[i].least || got > rows[i].most)
            fail_msg("%s: %u", rows[i].name, got);
    }
}

/* The first pause follows MODERATE_QUICK wake-ups at the rate; the first of them all cannot be one,
 * there was none before. */
static void test_begin(void **state)
{
    struct moderate m = { 0 };
    mono_ns now = 5 * NS_PER_S;

    (void)state;
    assert_int_equal(pauses(&m, &now, MODERATE_QUICK, 1, 3 * US), 0);
    assert_int_equal(pauses(&m, &now, 1, 1, 3 * US), 1);
}

/* What ends the pauses, and what they begin after then. */
static void test_end(void **state)
{
    struct moderate m = { 0 };
    mono_ns now = 5 * NS_PER_S;

    (void)state;
    pauses(&m, &now, MODERATE_QUICK + 1, 10, 20 * US);
    assert_int_equal(pauses(&m, &now, 10, 10, 20 * US), 10);
    assert_int_equal(pauses(&m, &now, 1, MODERATE_MANY + 1, 20 * US), 0); /* only goes without */
    assert_int_equal(pauses(&m, &now, 10, 10, 20 * US), 10);
    assert_int_equal(pauses(&m, &now, 1, MODERATE_MANY + 1, 20 * US), 0);
    assert_int_equal(pauses(&m, &now, 1, 1, 60 * US), 0); /* slow: anew */
    assert_int_equal(pauses(&m, &now, MODERATE_QUICK - 1, 10, 20 * US), 0);
    assert_int_equal(pauses(&m, &now, 1, 10, 20 * US), 1);
    assert_int_equal(pauses(&m, &now, 1, MODERATE_MANY + 1, 20 * US), 0);
    assert_int_equal(pauses_of(&m, &now, 1, 45, 1400, 20 * US), 0); /* bulk: anew */
    assert_int_equal(pauses(&m, &now, MODERATE_QUICK - 1, 10, 20 * US), 0);
    assert_int_equal(pauses(&m, &now, 1, 10, 20 * US), 1);
}

/* A pause in vain is remembered, whatever comes next. */
static void test_vain(void **state)
{
    struct moderate m = { 0 };
    mono_ns now = 5 * NS_PER_S;

    (void)state;
    pauses(&m, &now, MODERATE_QUICK + 1, 10, 20 * US);
    assert_true(m.paused);
    assert_int_equal(pauses(&m, &now, 1, 2, 20 * US), 0); /* 120 us since: 3 are the rate */
    assert_int_equal(pauses(&m, &now, 10, 1, 60 * US), 0);
    assert_int_equal(pauses(&m, &now, MODERATE_VAIN + MODERATE_QUICK - 1, 10, 20 * US), 0);
    assert_int_equal(pauses(&m, &now, 1, 10, 20 * US), 1);
}

/* A long sleep of the host, or a clock that stands still, is no trouble. */
static void test_time(void **state)
{
    struct moderate m = { 0 };

    (void)state;
    for (unsigned i = 0; i < 3; i++) {
        moderate_count(&m, i, 100);
        assert_int_equal(moderate_pause(&m, 1), 0);
    }
    assert_int_equal(moderate_pause(&m, UINT64_MAX / 2), 0);
    assert_int_equal(m.quick, 0);
}

/* In a real-time class bulk is held up each time, and nothing else is changed by it. */
static void test_realtime(void **state)
{
    struct moderate m = { 0 };
    mono_ns now = 5 * NS_PER_S;

    (void)state;
    moderate_realtime(&m, true);
    for (unsigned i = 0; i < 100; i++) {
        now += 60 * US;
        moderate_count(&m, 45, (size_t)45 * 1400);
        assert_int_equal(moderate_pause(&m, now), MODERATE_BULK_PAUSE);
    }
    assert_int_equal(pauses(&m, &now, 1, 1, 110 * US), 0); /* slow, but no pause was in vain */
    assert_int_equal(pauses(&m, &now, MODERATE_QUICK - 1, 10, 20 * US), 0);
    assert_int_equal(pauses(&m, &now, 1, 10, 20 * US), 1);
    moderate_realtime(&m, false);
    assert_int_equal(pauses_of(&m, &now, 100, 45, 1400, 60 * US), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows), cmocka_unit_test(test_begin), cmocka_unit_test(test_end),
        cmocka_unit_test(test_vain), cmocka_unit_test(test_time),  cmocka_unit_test(test_realtime),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
