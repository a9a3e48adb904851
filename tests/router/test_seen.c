/* SPDX-License-Identifier: MIT */
/* test_seen.c - addresses that asked a short while ago, beside a list of all that did (H23) */
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
        memset(s->word, 0, sizeof(s->word));
        memset(t->word, 0, sizeof(t->word));
        seen_before(s, be32_of(i), T0);
        seen_before(t, be32_of(i), T0);
        same += memcmp(s->word, t->word, sizeof(s->word)) == 0;
    }
    free(t);
    assert_int_equal(same, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(beside_a_list, set_up, tear_down),
        cmocka_unit_test_setup_teardown(under_a_flood, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_key_counts, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
