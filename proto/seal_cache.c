/* SPDX-License-Identifier: MIT */
/* seal_cache.c - expanded keys of those who are active, in bounded memory */
#include "proto/seal_cache.h"

#include <assert.h>

_Static_assert(sizeof(struct seal_set) == 64, "one line of a CPU's cache");
_Static_assert(sizeof(struct seal_key) == 1024, "AEAD_SCHEDULE_MAX leaves room for the rest");

size_t seal_cache_bytes(uint32_t n)
{
    return SEAL_CACHE_BYTES(n);
}

void seal_cache_init(struct seal_cache *c, void *mem, uint32_t n)
{
    size_t off = -(uintptr_t)mem % AEAD_SCHEDULE_ALIGN;
    struct seal_set *set = (struct seal_set *)(void *)((uint8_t *)mem + off);
    uint32_t n_sets = n / SEAL_CACHE_WAYS;

    assert(n >= SEAL_CACHE_MIN && (n & (n - 1)) == 0);
    memset(mem, 0, seal_cache_bytes(n));
    *c = (struct seal_cache){
        .set = set,
        .key = (struct seal_key *)(void *)(set + n_sets),
        .mask = n_sets - 1,
    };
}

uint64_t seal_cache_name(struct seal_cache *c)
{
    c->next_name += 2;
    return c->next_name;
}

/* Names are given out in a row: neighbours fall into different sets, the two directions of a
 * keypair too. */
static uint32_t set_of(const struct seal_cache *c, uint64_t name)
{
    return (uint32_t)name & c->mask;
}

static struct seal_key *expand(struct seal_cache *c, uint32_t s, uint64_t name, enum cipher cipher,
                               const uint8_t *raw)
{
    struct seal_set *set = &c->set[s];
    unsigned way = 0;

    for (unsigned i = 1; i < SEAL_CACHE_WAYS; i++) {
        if (set->used[i] < set->used[way])
            way = i;
    }
    struct seal_key *k = &c->key[(size_t)s * SEAL_CACHE_WAYS + way];
    seal_key_init(k, cipher, raw);
    set->name[way] = name;
    set->used[way] = ++c->clock;
    c->misses++;
    return k;
}

const struct seal_key *seal_cache_get(struct seal_cache *c, uint64_t name, enum cipher cipher,
                                      const uint8_t *raw)
{
    uint32_t s = set_of(c, name);

    assert(name != 0);
    for (unsigned i = 0; i < SEAL_CACHE_WAYS; i++) {
        if (c->set[s].name[i] == name) {
            c->set[s].used[i] = ++c->clock;
            return &c->key[(size_t)s * SEAL_CACHE_WAYS + i];
        }
    }
    return expand(c, s, name, cipher, raw);
}

static void drop_one(struct seal_cache *c, uint64_t name)
{
    uint32_t s = set_of(c, name);

    for (unsigned i = 0; i < SEAL_CACHE_WAYS; i++) {
        if (c->set[s].name[i] == name) {
            seal_key_wipe(&c->key[(size_t)s * SEAL_CACHE_WAYS + i]);
            c->set[s].name[i] = c->set[s].used[i] = 0;
        }
    }
}

void seal_cache_drop(struct seal_cache *c, uint64_t name)
{
    if (name == 0)
        return;
    drop_one(c, name);
    drop_one(c, name + 1);
}
