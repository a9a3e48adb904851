/* SPDX-License-Identifier: MIT */
/* test_replay.c - the replay window: edge cases as rows, then at random beside a naive set */
#include "proto/replay.h"

#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define W       ((uint64_t)REPLAY_WINDOW)
#define TWO32   (UINT64_C(1) << 32)
#define STEPS   12u
#define N_NAIVE (1u << 18)

enum outcome {
    END = 0, /* of the row */
    NEW,     /* taken, the highest so far */
    LATE,    /* taken, not the highest */
    NO,      /* refused */
};

struct step {
    uint64_t counter;
    enum outcome outcome;
};

static const struct {
    const char *name;
    struct step step[STEPS];
} rows[] = {
    { "start at 0", { { 0, NEW }, { 1, NEW }, { 2, NEW } } },
    { "start beyond 0", { { 9, NEW }, { 8, LATE }, { 7, LATE }, { 7, NO }, { 9, NO } } },
    { "start far away", { { TWO32 * 5 + 3, NEW }, { 3, NO }, { TWO32 * 5 + 2, LATE } } },
    { "start in the last word of the ring", { { 2047, NEW }, { 2047 - W, LATE }, { 62, NO } } },
    { "exact duplicate", { { 5, NEW }, { 5, NO }, { 5, NO }, { 6, NEW }, { 5, NO } } },
    { "duplicate of 0", { { 3, NEW }, { 2, LATE }, { 2, NO }, { 3, NO } } },
    { "inside the edge",
      { { 1, NEW }, { W + 1, NEW }, { W, LATE }, { W, NO }, { 2, LATE }, { 2, NO } } },
    { "at the edge", { { W + 7, NEW }, { 7, LATE }, { 7, NO } } },
    { "behind the edge", { { W + 7, NEW }, { 6, NO }, { 5, NO } } },
    { "the edge moves on", { { W + 7, NEW }, { W + 8, NEW }, { 7, NO }, { 8, LATE }, { 8, NO } } },
    { "edge, unaligned highest",
      { { 4 * W + 63, NEW }, { 3 * W + 63, LATE }, { 3 * W + 62, NO } } },
    { "edge, aligned highest",
      { { 4 * W, NEW }, { 3 * W, LATE }, { 3 * W - 1, NO }, { 3 * W + 1, LATE } } },
    { "jump by a word", { { 63, NEW }, { 64, NEW }, { 63, NO }, { 62, LATE } } },
    { "jump by the ring less one",
      { { 10, NEW }, { 10 + REPLAY_BITS - 1, NEW }, { 10, NO }, { 10 + REPLAY_BITS - 2, LATE } } },
    { "jump by the ring: no bit of the past is left",
      { { 10, NEW },
        { 10 + REPLAY_BITS, NEW },
        { 9 + REPLAY_BITS, LATE },
        { 10, NO },
        { 10 + REPLAY_BITS, NO },
        { 10 + REPLAY_BITS - W, LATE } } },
    { "jump over half the ring clears what it crosses",
      { { 100, NEW }, { 2000, NEW }, { 2148, NEW }, { 2147, LATE }, { 2000, NO }, { 100, NO } } },
    { "jump far beyond the ring",
      { { 4, NEW },
        { 4 + 64 * W, NEW },
        { 4, NO },
        { 3 + 64 * W, LATE },
        { 4 + 63 * W, LATE },
        { 3 + 63 * W, NO } } },
    { "over 2^32",
      { { TWO32 - 2, NEW },
        { TWO32, NEW },
        { TWO32 - 1, LATE },
        { TWO32 + 1, NEW },
        { TWO32 - 1, NO },
        { TWO32 - 2, NO },
        { TWO32, NO },
        { 0, NO },
        { 1, NO } } },
    { "back from 2^32 to the edge",
      { { TWO32 + 5, NEW }, { TWO32 + 5 - W, LATE }, { TWO32 + 4 - W, NO } } },
    { "2^32 apart is not the same", { { 5, NEW }, { TWO32 + 5, NEW }, { TWO32 + 4, LATE } } },
    { "last counter there is",
      { { COUNTER_LIMIT - 2, NEW },
        { COUNTER_LIMIT - 1, NEW },
        { COUNTER_LIMIT, NO },
        { COUNTER_LIMIT + 1, NO },
        { UINT64_MAX, NO },
        { COUNTER_LIMIT - 1, NO },
        { COUNTER_LIMIT - 1 - W, LATE },
        { COUNTER_LIMIT - 2 - W, NO },
        { 0, NO },
        { 1, NO } } },
    { "limit as the first", { { COUNTER_LIMIT, NO }, { UINT64_MAX, NO }, { 1, NEW } } },
};

/* One step: the question and the record agree, and a refusal changes nothing. */
static void take(struct replay *r, uint64_t counter, bool accept, bool newest, const char *name)
{
    struct replay before = *r;
    bool got_newest = !newest;

    if (replay_check(r, counter) != accept)
        fail_msg("%s: check %llu", name, (unsigned long long)counter);
    assert_memory_equal(r, &before, sizeof(*r));
    if (replay_commit(r, counter, &got_newest) != accept)
        fail_msg("%s: commit %llu", name, (unsigned long long)counter);
    if (!accept) {
        assert_memory_equal(r, &before, sizeof(*r));
        return;
    }
    if (got_newest != newest)
        fail_msg("%s: newest %llu", name, (unsigned long long)counter);
    assert_false(replay_check(r, counter));
}

static void test_rows(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct replay r;

        memset(&r, 0xff, sizeof(r));
        replay_init(&r);
        for (const struct step *s = rows[i].step; s->outcome != END; s++)
            take(&r, s->counter, s->outcome != NO, s->outcome == NEW, rows[i].name);
    }
}

/* A whole window filled forwards, backwards, and behind a highest that came first: each once. */
static void test_fills(void **state)
{
    static const uint64_t bases[] = { 0, 1, 63, 64, 2047, TWO32 - W / 2 };
    struct replay r;

    (void)state;
    for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
        uint64_t base = bases[b];

        replay_init(&r);
        for (uint64_t c = base; c <= base + W; c++)
            take(&r, c, true, true, "forwards");
        for (uint64_t c = base; c <= base + W; c++)
            take(&r, c, false, false, "forwards, again");

        replay_init(&r);
        for (uint64_t c = base + W + 1; c-- > base;)
            take(&r, c, true, c == base + W, "backwards");
        for (uint64_t c = base + W + 1; c-- > base;)
            take(&r, c, false, false, "backwards, again");

        replay_init(&r);
        take(&r, base + W, true, true, "highest first");
        for (uint64_t c = base; c < base + W; c++)
            take(&r, c, true, false, "highest first");
    }
}

/* A counter is taken if it was never taken and is not more than W behind the highest taken. */
static void test_random_beside_naive(void **state)
{
    /* the last one reaches 999 beyond the limit */
    static const uint64_t bases[] = { 0, TWO32 - N_NAIVE / 2, COUNTER_LIMIT + 1000 - N_NAIVE };
    bool *taken = malloc(N_NAIVE);
    unsigned n_min = UINT32_MAX;
    uint32_t x = 1;

    (void)state;
    assert_non_null(taken);
    for (size_t b = 0; b < sizeof(bases) / sizeof(bases[0]); b++) {
        uint64_t top = 0;
        bool any = false;
        unsigned n_taken = 0;
        struct replay r;

        memset(taken, 0, N_NAIVE);
        replay_init(&r);
        for (int i = 0; i < 150000; i++) {
            x = x * 1664525u + 1013904223u;
            uint32_t shape = (x >> 8) % 1024, u = (x >> 18) ^ ((x & 0xff) << 6);
            uint64_t at = any ? top : 0;
            /* mostly near the front, sometimes about the edge, rarely a jump */
            if (shape < 640)
                at += u % 8;
            else if (shape < 800)
                at -= at < u % 2100 ? at : u % 2100;
            else if (shape < 1020)
                at -= at < W - 4 + u % 9 ? at : W - 4 + u % 9;
            else
                at += u % 4096;
            if (at >= N_NAIVE)
                at = N_NAIVE - 1;
            bool accept = !taken[at] && (!any || at + W >= top) && bases[b] + at < COUNTER_LIMIT;
            take(&r, bases[b] + at, accept, !any || at > top, "random");
            if (!accept)
                continue;
            taken[at] = true;
            n_taken++;
            if (!any || at > top)
                top = at;
            any = true;
        }
    }
    free(taken);
    assert_true(n_min > 15000); /* the walk did go somewhere */
}

static void test_newest_is_optional(void **state)
{
    struct replay r;

    (void)state;
    replay_init(&r);
    assert_true(replay_commit(&r, 3, NULL));
    assert_false(replay_commit(&r, 3, NULL));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_fills),
        cmocka_unit_test(test_random_beside_naive),
        cmocka_unit_test(test_newest_is_optional),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
