/* SPDX-License-Identifier: MIT */
/* table.c - a fixed-size hash table from fixed-length octet keys to slots
 *
 * DOC: invariant: between the home cell of an entry and the cell it lies in, no cell is empty.
 * Insertion keeps it by taking the first empty cell from the home on; deletion by moving entries
 * back.
 *
 * Standards: SipHash-2-4 (Aumasson, Bernstein, 2012); Knuth, TAOCP 3, 6.4, algorithm R.
 */
#include "proto/table.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

_Static_assert(TABLE_HASH_KEY == crypto_shorthash_KEYBYTES, "SipHash key");

static size_t n_cells(size_t n)
{
    size_t cells = 2;

    assert(n <= TABLE_ENTRIES_MAX);
    while (2 * cells < 3 * n)
        cells *= 2;
    return cells;
}

size_t table_bytes(size_t n, size_t key_len)
{
    return n_cells(n) * (sizeof(uint32_t) + key_len);
}

void table_init(struct table *t, void *mem, size_t n, size_t key_len, const uint8_t *hash_key)
{
    size_t cells = n_cells(n);

    assert(key_len >= 1 && key_len <= TABLE_KEY_MAX);
    assert((uintptr_t)mem % sizeof(uint32_t) == 0);
    t->value = mem;
    t->key = (uint8_t *)mem + cells * sizeof(uint32_t);
    t->mask = (uint32_t)(cells - 1);
    t->max = (uint32_t)n;
    t->key_len = (uint32_t)key_len;
    memcpy(t->hash_key, hash_key, TABLE_HASH_KEY);
    table_clear(t);
}

void table_clear(struct table *t)
{
    t->count = 0;
    memset(t->value, 0xff, ((size_t)t->mask + 1) * sizeof(uint32_t)); /* TABLE_NONE */
}

static uint8_t *key_at(const struct table *t, uint32_t cell)
{
    return t->key + (size_t)cell * t->key_len;
}

static uint32_t home_of(const struct table *t, const void *key)
{
    uint64_t hash;

    crypto_shorthash((uint8_t *)&hash, key, t->key_len, t->hash_key);
    return (uint32_t)hash & t->mask;
}

/* The cell that holds @key, or the empty one where it would go. Ends: a third of the cells is
 * empty.
 */
static uint32_t cell_from(const struct table *t, uint32_t cell, const void *key)
{
    while (t->value[cell] != TABLE_NONE && memcmp(key_at(t, cell), key, t->key_len) != 0)
        cell = (cell + 1) & t->mask;
    return cell;
}

static uint32_t cell_of(const struct table *t, const void *key)
{
    return cell_from(t, home_of(t, key), key);
}

uint32_t table_prefetch(const struct table *t, const void *key)
{
    uint32_t home = home_of(t, key);

    __builtin_prefetch(&t->value[home]);
    __builtin_prefetch(key_at(t, home));
    return home;
}

uint32_t table_find_at(const struct table *t, uint32_t home, const void *key)
{
    return t->value[cell_from(t, home, key)];
}

uint32_t table_find(const struct table *t, const void *key)
{
    return t->value[cell_of(t, key)];
}

bool table_put(struct table *t, const void *key, uint32_t value)
{
    uint32_t cell = cell_of(t, key);

    assert(value != TABLE_NONE);
    if (t->value[cell] == TABLE_NONE) {
        if (t->count == t->max)
            return false;
        memcpy(key_at(t, cell), key, t->key_len);
        t->count++;
    }
    t->value[cell] = value;
    return true;
}

bool table_del(struct table *t, const void *key)
{
    uint32_t hole = cell_of(t, key);

    if (t->value[hole] == TABLE_NONE)
        return false;
    for (uint32_t cell = (hole + 1) & t->mask; t->value[cell] != TABLE_NONE;
         cell = (cell + 1) & t->mask) {
        uint32_t home = home_of(t, key_at(t, cell));

        /* An entry may move to the hole unless its home lies behind the hole: (hole, cell]. */
        if (((cell - home) & t->mask) < ((cell - hole) & t->mask))
            continue;
        memcpy(key_at(t, hole), key_at(t, cell), t->key_len);
        t->value[hole] = t->value[cell];
        hole = cell;
    }
    t->value[hole] = TABLE_NONE;
    t->count--;
    return true;
}

bool table_next(const struct table *t, uint32_t *pos, const uint8_t **ret_key, uint32_t *ret_value)
{
    while (*pos <= t->mask && t->value[*pos] == TABLE_NONE)
        ++*pos;
    if (*pos > t->mask)
        return false;
    if (ret_key)
        *ret_key = key_at(t, *pos);
    if (ret_value)
        *ret_value = t->value[*pos];
    ++*pos;
    return true;
}
