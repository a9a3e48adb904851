/* SPDX-License-Identifier: MIT */
/* test_table.c - the hash table beside a naive list, removal chains, wrap-around, limits */
#include "proto/table.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define MAX_N 64u

static const uint8_t HASH_KEY[TABLE_HASH_KEY] = "no peer knows it";

static uint32_t rnd_state = 1;

static uint32_t rnd(uint32_t below)
{
    rnd_state = rnd_state * 1664525u + 1013904223u;
    return (rnd_state >> 8) % below;
}

static void table_new(struct table *t, void **mem, size_t n, size_t key_len)
{
    size_t len = table_bytes(n, key_len);

    *mem = malloc(len); /* exact, so that the sanitizer sees a step beyond */
    assert_non_null(*mem);
    memset(*mem, 0x5a, len);
    table_init(t, *mem, n, key_len, HASH_KEY);
}

static void key_of(uint8_t *key, size_t key_len, uint32_t number)
{
    memset(key, 0xa5, key_len);
    memcpy(key, &number, key_len < 4 ? key_len : 4);
    if (key_len > 4)
        key[key_len - 1] ^= (uint8_t)number; /* the last octet matters as well */
}

/* The home cell, computed apart from the table: SipHash modulo the cells. */
static uint32_t home_of(const struct table *t, const uint8_t *key)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, key, t->key_len, HASH_KEY);
    return (uint32_t)(hash % ((uint64_t)t->mask + 1));
}

/* The n-th number from @from on whose key has its home in @cell. */
static uint32_t number_at_home(const struct table *t, uint32_t cell, uint32_t from)
{
    uint8_t key[TABLE_KEY_MAX];

    for (;; from++) {
        key_of(key, t->key_len, from);
        if (home_of(t, key) == cell)
            return from;
    }
}

/* Every entry can be reached: no empty cell between its home and where it lies; counts agree. */
static void check_shape(const struct table *t)
{
    uint32_t used = 0;

    for (uint32_t cell = 0; cell <= t->mask; cell++) {
        if (t->value[cell] == TABLE_NONE)
            continue;
        used++;
        uint32_t at = home_of(t, t->key + (size_t)cell * t->key_len);
        for (; at != cell; at = (at + 1) & t->mask)
            assert_int_not_equal(t->value[at], TABLE_NONE);
    }
    assert_int_equal(used, table_count(t));
}

static void test_random_beside_naive(void **state)
{
    static const struct {
        uint32_t key_len, n, space;
    } row[] = {
        { 4, 1, 4 },  { 4, 64, 96 },  { 6, 33, 60 },  { 8, 64, 65 },
        { 16, 7, 9 }, { 16, 60, 80 }, { 32, 64, 70 }, { 1, 16, 20 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        uint32_t naive[96];
        uint32_t n_naive = 0;
        struct table t;
        void *mem;

        memset(naive, 0xff, sizeof(naive));
        table_new(&t, &mem, row[i].n, row[i].key_len);
        for (int step = 0; step < 20000; step++) {
            uint32_t number = rnd(row[i].space);
            uint8_t key[TABLE_KEY_MAX];
            /* fill for a while, then empty for a while */
            bool put = rnd(100) < ((step / 500) % 2 ? 30u : 70u);

            key_of(key, row[i].key_len, number);
            assert_int_equal(table_find(&t, key), naive[number]);
            assert_int_equal(table_find_at(&t, table_prefetch(&t, key), key), naive[number]);
            if (put) {
                uint32_t value = rnd(1u << 20);
                bool fits = naive[number] != TABLE_NONE || n_naive < row[i].n;
                assert_int_equal(table_put(&t, key, value), fits);
                if (fits) {
                    n_naive += naive[number] == TABLE_NONE;
                    naive[number] = value;
                }
            } else {
                assert_int_equal(table_del(&t, key), naive[number] != TABLE_NONE);
                n_naive -= naive[number] != TABLE_NONE;
                naive[number] = TABLE_NONE;
            }
            assert_int_equal(table_find(&t, key), naive[number]);
            assert_int_equal(table_count(&t), n_naive);
            if (step % 64 == 0)
                check_shape(&t);
        }
        for (uint32_t number = 0; number < row[i].space; number++) {
            uint8_t key[TABLE_KEY_MAX];
            key_of(key, row[i].key_len, number);
            assert_int_equal(table_find(&t, key), naive[number]);
        }
        free(mem);
    }
}

static void test_full_refuses(void **state)
{
    static const uint32_t sizes[] = { 0, 1, 2, 3, 31, 32, 33, MAX_N };

    (void)state;
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct table t;
        void *mem;
        uint8_t key[4];

        table_new(&t, &mem, sizes[i], 4);
        for (uint32_t k = 0; k < sizes[i]; k++) {
            key_of(key, 4, k);
            assert_true(table_put(&t, key, k));
        }
        assert_true(3 * (uint64_t)table_count(&t) <= 2 * ((uint64_t)t.mask + 1));
        key_of(key, 4, sizes[i]);
        assert_false(table_put(&t, key, 7));
        assert_int_equal(table_find(&t, key), TABLE_NONE);
        assert_int_equal(table_count(&t), sizes[i]);
        if (sizes[i]) { /* replacing and re-using still work */
            key_of(key, 4, 0);
            assert_true(table_put(&t, key, 99));
            assert_int_equal(table_find(&t, key), 99);
            assert_true(table_del(&t, key));
            assert_false(table_del(&t, key));
            key_of(key, 4, sizes[i]);
            assert_true(table_put(&t, key, 7));
        }
        table_clear(&t);
        assert_int_equal(table_count(&t), 0);
        assert_int_equal(table_find(&t, key), TABLE_NONE);
        free(mem);
    }
}

/* Chains built on purpose: offsets of homes from a base cell, in order of insertion, and each entry
 * removed in turn. Bases at the end of the table make the chain wrap. */
static void test_removal_chains(void **state)
{
    static const struct {
        const char *name;
        unsigned base; /* cells before the end of 16 */
        unsigned n;
        uint8_t home[6];
    } row[] = {
        { "one home", 16, 5, { 0, 0, 0, 0, 0 } },
        { "one home, wraps", 2, 5, { 0, 0, 0, 0, 0 } },
        { "home behind the hole stays", 16, 4, { 0, 1, 2, 3 } },
        { "two chains merged", 16, 6, { 0, 0, 1, 1, 0, 2 } },
        { "two chains merged, wrap", 1, 6, { 0, 0, 1, 1, 0, 2 } },
        { "late entry jumps over its neighbour", 16, 4, { 0, 1, 1, 0 } },
        { "entries at home over the edge stay", 1, 4, { 0, 1, 2, 0 } },
        { "chain ends at an empty cell", 3, 6, { 0, 0, 0, 5, 5, 5 } },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        for (unsigned gone = 0; gone < row[i].n; gone++) {
            uint8_t key[6][8];
            struct table t;
            void *mem;

            table_new(&t, &mem, 8, 8);
            assert_int_equal(t.mask, 15);
            for (unsigned k = 0; k < row[i].n; k++) {
                uint32_t cell = (16 - row[i].base + row[i].home[k]) % 16;
                key_of(key[k], 8, number_at_home(&t, cell, 100000 * k));
                assert_true(table_put(&t, key[k], k));
            }
            check_shape(&t);
            assert_true(table_del(&t, key[gone]));
            check_shape(&t);
            for (unsigned k = 0; k < row[i].n; k++) {
                uint32_t expect = k == gone ? TABLE_NONE : k;
                if (table_find(&t, key[k]) != expect)
                    fail_msg("%s: removed %u, lost %u", row[i].name, gone, k);
            }
            free(mem);
        }
    }
}

static void test_walk(void **state)
{
    struct table t;
    void *mem;
    uint32_t seen[MAX_N] = { 0 };
    const uint8_t *key;
    uint32_t pos = 0, value, n = 0;

    (void)state;
    table_new(&t, &mem, MAX_N, 16);
    assert_false(table_next(&t, &pos, NULL, NULL));
    for (uint32_t k = 0; k < MAX_N; k++) {
        uint8_t b[16];
        key_of(b, 16, k);
        assert_true(table_put(&t, b, k));
    }
    for (pos = 0; table_next(&t, &pos, &key, &value); n++) {
        uint8_t b[16];
        key_of(b, 16, value);
        assert_memory_equal(key, b, 16);
        seen[value]++;
    }
    assert_int_equal(n, MAX_N);
    for (uint32_t k = 0; k < MAX_N; k++)
        assert_int_equal(seen[k], 1);

    /* remove the odd ones while walking: every one is met, none of the even ones is lost */
    for (pos = 0; table_next(&t, &pos, &key, &value);) {
        uint8_t b[16];
        if (value % 2 == 0)
            continue;
        memcpy(b, key, 16);
        assert_true(table_del(&t, b));
        pos--;
        check_shape(&t);
    }
    assert_int_equal(table_count(&t), MAX_N / 2);
    for (uint32_t k = 0; k < MAX_N; k++) {
        uint8_t b[16];
        key_of(b, 16, k);
        assert_int_equal(table_find(&t, b), k % 2 ? TABLE_NONE : k);
    }
    free(mem);
}

/* Another hash key gives another layout: nobody without the key can aim at a chain. */
static void test_layout_depends_on_key(void **state)
{
    uint8_t other[TABLE_HASH_KEY] = { 1 };
    struct table a, b;
    void *mem_a, *mem_b;

    (void)state;
    table_new(&a, &mem_a, MAX_N, 4);
    table_new(&b, &mem_b, MAX_N, 4);
    table_init(&b, mem_b, MAX_N, 4, other);
    for (uint32_t k = 0; k < MAX_N; k++) {
        uint8_t key[4];
        key_of(key, 4, k);
        assert_true(table_put(&a, key, k));
        assert_true(table_put(&b, key, k));
    }
    assert_memory_not_equal(a.value, b.value, ((size_t)a.mask + 1) * sizeof(uint32_t));
    free(mem_a);
    free(mem_b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_beside_naive),   cmocka_unit_test(test_full_refuses),
        cmocka_unit_test(test_removal_chains),        cmocka_unit_test(test_walk),
        cmocka_unit_test(test_layout_depends_on_key),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
