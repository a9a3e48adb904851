/* SPDX-License-Identifier: MIT */
/* test_seen.c - addresses that asked a short while ago, in vain or not, beside lists of all that
 * did (H23) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"
#include "router/seen.h"

#define ADDRESSES 5000u

static struct seen_ips *s;

static uint32_t rnd(void)
{
    static uint64_t x = 88172645463325252u;

    x ^= x << 13;
    x ^= x >> 7;
    x ^= x << 17;
    return (uint32_t)(x >> 16);
}

static int set_up(void **state)
{
    (void)state;
    s = calloc(1, sizeof(*s));
    for (unsigned i = 0; i < sizeof(s->hash_key); i++)
        s->hash_key[i] = (uint8_t)(i + 1);
    return s && sodium_init() >= 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    free(s);
    return 0;
}

static void rows(void **state)
{
    static const struct {
        const char *name;
        mono_ns first, again;
        bool known;
    } row[] = {
        { "at the same time", 0, 0, true },
        { "a moment later", 0, 1, true },
        { "after LOGIN_TIMEOUT", 0, LOGIN_TIMEOUT, true },
        { "just within the memory", 0, ASKED_MEMORY - 1, true },
        { "just within it, asked late in a turn", ASKED_MEMORY - 1, 2 * ASKED_MEMORY - 2, true },
        { "twice the memory later", 0, 2 * ASKED_MEMORY, false },
        { "twice the memory, late in a turn", ASKED_MEMORY - 1, 3 * ASKED_MEMORY, false },
        { "a day later", 0, 86400 * NS_PER_S, false },
    };
    be32 a = be32_of(0xC6336407), other = be32_of(0xC6336408);

    (void)state;
    for (unsigned i = 0; i < N(row); i++) {
        mono_ns start = T0 + i * 3600 * NS_PER_S;   /* all of the row before is forgotten */
        assert_false(seen_before(s, other, start)); /* here the turns begin */
        assert_false(seen_before(s, a, start + row[i].first));
        if (row[i].first < row[i].again && row[i].again < 3 * ASKED_MEMORY)
            seen_before(s, other, start + row[i].again); /* others ask meanwhile */
        if (seen_before(s, a, start + row[i].again) != row[i].known)
            fail_msg("%s", row[i].name);
    }
}

/* Nobody who asked within ASKED_MEMORY is forgotten; who did not for twice as long is, but for the
 * few that are taken for others. */
static void beside_a_list(void **state)
{
    static mono_ns last[ADDRESSES];
    unsigned taken_for_others = 0, forgotten = 0;
    mono_ns now = T0;

    (void)state;
    for (unsigned round = 0; round < rig_rounds(400000); round++) {
        uint32_t i = rnd() % (round % 3 ? 50 : ADDRESSES);
        now += rnd() % (rnd() % 1000 ? NS_PER_MS : 3 * ASKED_MEMORY / 2);
        bool known = seen_before(s, be32_of(0x0A000000 + i * 7919), now);
        mono_ns age = last[i] ? now - last[i] : NEVER;
        if (age <= ASKED_MEMORY - 1)
            assert_true(known);
        if (age >= 2 * ASKED_MEMORY) {
            forgotten++;
            taken_for_others += known;
        }
        last[i] = now;
    }
    assert_true(forgotten > rig_rounds(1000));
    assert_true(taken_for_others < forgotten / 1000 + 1);
}

/* What the header says of a flood. */
static void under_a_flood(void **state)
{
    const unsigned per_s = 50000;
    unsigned known = 0, n = rig_rounds(40 * per_s);

    (void)state;
    for (unsigned i = 0; i < n; i++)
        known += seen_before(s, be32_of(rnd()), T0 + (mono_ns)i * (NS_PER_S / per_s));
    print_message("of %u new addresses, %u a second, %u were taken for others\n", n, per_s, known);
    assert_in_range(known, 1, n / 30);
}

/* Who does not know the key cannot make addresses fall together. */
static void the_key_counts(void **state)
{
    struct seen_ips *t = calloc(1, sizeof(*t));
    unsigned same = 0;

    (void)state;
    assert_non_null(t);
    t->hash_key[0] = 9;
    for (uint32_t i = 0; i < 200; i++) {
        memset(s->asked, 0, sizeof(s->asked));
        memset(t->asked, 0, sizeof(t->asked));
        seen_before(s, be32_of(i), T0);
        seen_before(t, be32_of(i), T0);
        same += memcmp(s->asked, t->asked, sizeof(s->asked)) == 0;
    }
    free(t);
    assert_int_equal(same, 0);
}

/* ---- what was in vain, who is there ---- */

static void pass(mono_ns now) /* somebody else asks, so time passes */
{
    seen_before(s, be32_of(0xCB007101), now);
}

static void counts(void **state)
{
    static const unsigned want[] = { 0, 1, 2, SEEN_VAIN_FULL, SEEN_VAIN_FULL, SEEN_VAIN_FULL };
    be32 a = be32_of(0xC6336407), other = be32_of(0xC6336408);

    (void)state;
    pass(T0);
    for (unsigned i = 0; i < N(want); i++) {
        assert_int_equal(seen_in_vain(s, a), want[i]);
        seen_note_vain(s, a);
    }
    assert_int_equal(seen_in_vain(s, other), 0);
    assert_int_equal(s->n_vain, 1);
    assert_false(seen_proven(s, a));
    seen_note_proven(s, a);
    assert_true(seen_proven(s, a));
    assert_false(seen_proven(s, other));
}

static void how_long(void **state)
{
    static const struct {
        const char *name;
        mono_ns first, second; /* in vain, and proven */
        mono_ns now;
        unsigned in_vain;
        bool proven;
    } row[] = {
        { "at once", 0, 0, 0, 2, true },
        { "just within the memory", 0, 0, VAIN_MEMORY - 1, 2, true },
        { "in the next turn", 0, 0, VAIN_MEMORY, 2, true },
        { "twice the memory later", 0, 0, 2 * VAIN_MEMORY, 0, false },
        { "counted on in the next turn", 0, VAIN_MEMORY, VAIN_MEMORY + 1, 2, true },
        { "and remembered by it", 0, VAIN_MEMORY, 2 * VAIN_MEMORY + 1, 2, true },
        { "to its end", 0, VAIN_MEMORY, 3 * VAIN_MEMORY, 0, false },
        { "begun anew", 0, 2 * VAIN_MEMORY, 2 * VAIN_MEMORY, 1, true },
        { "a day later", 0, 0, 86400 * NS_PER_S, 0, false },
    };
    be32 a = be32_of(0xC6336407);

    (void)state;
    for (unsigned i = 0; i < N(row); i++) {
        mono_ns start = T0 + i * 172800 * NS_PER_S;
        pass(start);
        pass(start + row[i].first);
        seen_note_vain(s, a);
        seen_note_proven(s, a);
        pass(start + row[i].second);
        seen_note_vain(s, a);
        seen_note_proven(s, a);
        pass(start + row[i].now);
        if (seen_in_vain(s, a) != row[i].in_vain || seen_proven(s, a) != row[i].proven)
            fail_msg("%s: %u", row[i].name, seen_in_vain(s, a));
    }
}

/* An address that was in vain to the full is let go after twice the memory, whatever comes in its
 * name meanwhile. */
static void full_comes_to_an_end(void **state)
{
    be32 a = be32_of(0xC6336407);

    (void)state;
    pass(T0);
    for (mono_ns t = T0; t < T0 + 2 * VAIN_MEMORY; t += NS_PER_S) {
        pass(t);
        if (t > T0 + 3 * NS_PER_S)
            assert_int_equal(seen_in_vain(s, a), SEEN_VAIN_FULL);
        seen_note_vain(s, a);
    }
    pass(T0 + 2 * VAIN_MEMORY);
    assert_int_equal(seen_in_vain(s, a), 0);
}

/* No count within the memory is forgotten, nothing older than twice that is remembered, and hardly
 * anybody is taken for another. */
static void counts_beside_a_list(void **state)
{
    static struct {
        mono_ns at[SEEN_VAIN_FULL]; /* when it was counted, newest first */
        mono_ns proven;
    } know[ADDRESSES];
    unsigned wrong = 0, looked = 0;
    mono_ns now = T0;

    (void)state;
    for (unsigned round = 0; round < rig_rounds(300000); round++) {
        uint32_t i = rnd() % (round % 3 ? 500 : ADDRESSES);
        be32 ip = be32_of(0x0A000000 + i * 7919);
        unsigned least = 0, most = 0;
        now += rnd() % (rnd() % 1000 ? NS_PER_MS : 3 * VAIN_MEMORY / 2);
        pass(now);
        for (unsigned k = 0; k < SEEN_VAIN_FULL; k++) {
            mono_ns age = know[i].at[k] ? now - know[i].at[k] : NEVER;
            least += age < VAIN_MEMORY;
        }
        if (know[i].at[0] && now - know[i].at[0] < 2 * VAIN_MEMORY)
            most = SEEN_VAIN_FULL; /* the younger filter goes on from the older one */
        unsigned n = seen_in_vain(s, ip);
        assert_true(n >= least);
        wrong += n > most;
        looked++;
        if (n == SEEN_VAIN_FULL) /* it is not counted on */
            continue;
        mono_ns age = know[i].proven ? now - know[i].proven : NEVER;
        if (age < VAIN_MEMORY)
            assert_true(seen_proven(s, ip));
        wrong += age >= 2 * VAIN_MEMORY && seen_proven(s, ip);
        if (rnd() % 4 == 0) {
            know[i].proven = now;
            seen_note_proven(s, ip);
        }
        if (rnd() % 2) {
            seen_note_vain(s, ip);
            memmove(know[i].at + 1, know[i].at, sizeof(know[i].at) - sizeof(know[i].at[0]));
            know[i].at[0] = now;
        }
    }
    assert_true(wrong < looked / 500);
}

/* However many addresses are in vain, somebody new is hardly ever taken for one of them. */
static void vain_is_bounded(void **state)
{
    unsigned n = rig_rounds(2 * SEEN_VAIN_MAX), taken = 0, tries = 100000;

    (void)state;
    for (unsigned turn = 0; turn < 2; turn++) {
        pass(T0 + turn * VAIN_MEMORY);
        for (unsigned i = 0; i < n; i++) {
            be32 ip = be32_of(0x40000000 + turn * n + i);
            for (unsigned k = 0; k < SEEN_VAIN_FULL; k++)
                seen_note_vain(s, ip);
        }
        if (n > SEEN_VAIN_MAX)
            assert_int_equal(s->n_vain, SEEN_VAIN_MAX);
    }
    for (unsigned i = 0; i < tries; i++)
        taken += seen_in_vain(s, be32_of(0xA0000000 + i)) >= LOOKS_IN_VAIN;
    print_message("of %u new addresses %u were taken for ones in vain\n", tries, taken);
    assert_true(taken <= tries / 150);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(beside_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(under_a_flood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_key_counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts, set_up, tear_down),
        cmocka_unit_test_setup_teardown(how_long, set_up, tear_down),
        cmocka_unit_test_setup_teardown(full_comes_to_an_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(counts_beside_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(vain_is_bounded, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
