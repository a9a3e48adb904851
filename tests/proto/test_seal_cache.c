/* SPDX-License-Identifier: MIT */
/* test_seal_cache.c - expanded keys in bounded memory: always the right one, the longest unused
 * gives way, nothing is left of a dropped one */
#include "proto/seal_cache.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define ENTRIES 16u
#define NAMES   64u

static void raw_of(uint8_t raw[KEY_LEN], uint64_t name)
{
    memset(raw, (int)(name * 7), KEY_LEN);
    memcpy(raw, &name, sizeof(name));
}

static enum cipher cipher_of(uint64_t name)
{
    enum cipher c = name & 2 ? CIPHER_AES256GCM : CIPHER_CHACHA20POLY1305;
    return seal_supported(c) ? c : CIPHER_CHACHA20POLY1305;
}

static const struct seal_key *get(struct seal_cache *c, uint64_t name)
{
    uint8_t raw[KEY_LEN];

    raw_of(raw, name);
    return seal_cache_get(c, name, cipher_of(name), raw);
}

static void assert_right(const struct seal_key *k, uint64_t name)
{
    uint8_t raw[KEY_LEN], hdr[DATA_HDR_LEN] = { 0 }, a[TAG_LEN + 5] = { 0 }, b[TAG_LEN + 5] = { 0 };
    struct seal_key fresh;

    raw_of(raw, name);
    seal_key_init(&fresh, cipher_of(name), raw);
    seal_run(k, &(struct seal_op){ .hdr = hdr, .src = a, .dst = a, .len = 5 }, 1);
    seal_run(&fresh, &(struct seal_op){ .hdr = hdr, .src = b, .dst = b, .len = 5 }, 1);
    assert_memory_equal(a, b, sizeof(a));
}

/* Beside a plain list of names in the order of their last use. */
static void test_random_beside_twin(void **state)
{
    uint64_t recent[ENTRIES / SEAL_CACHE_WAYS][SEAL_CACHE_WAYS] = { { 0 } };
    uint8_t *mem = malloc(seal_cache_bytes(ENTRIES) + 1);
    struct seal_cache c;
    uint32_t rnd = 5;

    (void)state;
    seal_cache_init(&c, mem + 1, ENTRIES); /* any alignment */
    for (unsigned i = 0; i < 4000; i++) {
        rnd = rnd * 1664525u + 1013904223u;
        uint64_t name = 2 + (rnd >> 8) % NAMES, *r = recent[name % (ENTRIES / SEAL_CACHE_WAYS)];
        unsigned at = 0;

        if (i % 16 == 15) {
            seal_cache_drop(&c, name & ~(uint64_t)1);
            for (unsigned s = 0; s < ENTRIES / SEAL_CACHE_WAYS; s++)
                for (unsigned j = 0; j < SEAL_CACHE_WAYS; j++)
                    if ((recent[s][j] & ~(uint64_t)1) == (name & ~(uint64_t)1)) {
                        memmove(&recent[s][j], &recent[s][j + 1],
                                (SEAL_CACHE_WAYS - 1 - j) * sizeof(**recent));
                        recent[s][SEAL_CACHE_WAYS - 1] = 0;
                    }
            continue;
        }
        while (at < SEAL_CACHE_WAYS && r[at] != name)
            at++;
        uint64_t misses = c.misses;
        assert_right(get(&c, name), name);
        assert_int_equal(c.misses - misses, at == SEAL_CACHE_WAYS);
        if (at == SEAL_CACHE_WAYS)
            at--;
        memmove(r + 1, r, at * sizeof(*r));
        r[0] = name;
    }
    free(mem);
}

static void test_names(void **state)
{
    static uint8_t mem[SEAL_CACHE_BYTES(SEAL_CACHE_MIN)];
    struct seal_cache c;

    (void)state;
    seal_cache_init(&c, mem, SEAL_CACHE_MIN);
    for (uint64_t i = 1, last = 0; i < 100; i++) {
        uint64_t name = seal_cache_name(&c);
        assert_true(name > last && name % 2 == 0);
        last = name;
    }
}

static void test_drop_wipes(void **state)
{
    static uint8_t mem[SEAL_CACHE_BYTES(ENTRIES)];
    struct seal_cache c;

    (void)state;
    memset(mem, 0xee, sizeof(mem));
    seal_cache_init(&c, mem, ENTRIES);
    seal_cache_drop(&c, 0);
    seal_cache_drop(&c, 40);
    for (uint64_t name = 2; name < 6; name++)
        assert_right(get(&c, name), name);
    seal_cache_drop(&c, 2);
    uint64_t misses = c.misses;
    get(&c, 4);
    get(&c, 5);
    assert_int_equal(c.misses, misses); /* the others are still there */
    get(&c, 3);
    assert_int_equal(c.misses, misses + 1);
    seal_cache_drop(&c, 2);
    seal_cache_drop(&c, 4);
    assert_true(sodium_is_zero((const uint8_t *)c.key, ENTRIES * sizeof(struct seal_key)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_beside_twin),
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_drop_wipes),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
