/* SPDX-License-Identifier: MIT */
/* table.h - a fixed-size hash table from fixed-length octet keys to slots
 *
 * DOC: open addressing with linear probing over a power of two of cells, at least one and a half
 * times the entries allowed, so a probe is short and always ends at an empty cell. Deletion shifts
 * the followers of a chain back instead of leaving tombstones: a table never gets slower with age.
 * Peers choose the keys (addresses, endpoints), so cells are chosen by SipHash-2-4 under a secret
 * key and nobody outside can aim at one chain. The memory is the caller's and never grows.
 */
#ifndef SIXTAP_PROTO_TABLE_H
#define SIXTAP_PROTO_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TABLE_NONE        UINT32_MAX
#define TABLE_KEY_MAX     32u
#define TABLE_ENTRIES_MAX (UINT32_C(1) << 28)
#define TABLE_HASH_KEY    16u

struct table {
    uint32_t *value; /* per cell; TABLE_NONE: empty */
    uint8_t *key;    /* per cell, key_len octets */
    uint32_t mask;   /* cells - 1 */
    uint32_t count, max;
    uint32_t key_len;
    uint8_t hash_key[TABLE_HASH_KEY];
};

/* table_bytes() - octets of memory a table of at most @n entries needs
 * @n: 0..TABLE_ENTRIES_MAX    @key_len: 1..TABLE_KEY_MAX octets */
size_t table_bytes(size_t n, size_t key_len);

/* table_init() - an empty table
 * @mem: table_bytes(n, key_len) octets, 4-aligned; lent for as long as the table is used, the
 * caller's to free. Its contents do not matter.
 * @hash_key: TABLE_HASH_KEY random octets that no peer knows */
void table_init(struct table *t, void *mem, size_t n, size_t key_len, const uint8_t *hash_key);

/* table_find() - the value of @key (key_len octets, any alignment), TABLE_NONE when absent */
uint32_t table_find(const struct table *t, const void *key);

/* table_prefetch() - @key will be asked for soon: fetch the cell where its probe begins
 * Return: that cell, for table_find_at() */
uint32_t table_prefetch(const struct table *t, const void *key);

/* table_find_at() - table_find() for @home = table_prefetch(t, key), the table unchanged since */
uint32_t table_find_at(const struct table *t, uint32_t home, const void *key);

/* table_put() - insert @key, or replace its value
 * @key: copied    @value: anything but TABLE_NONE
 * Return: false when @key is new and there are @n entries already; nothing is changed then. */
bool table_put(struct table *t, const void *key, uint32_t value);

/* table_del() - remove @key; false when it was absent */
bool table_del(struct table *t, const void *key);

/* table_count() - entries there are */
static inline uint32_t table_count(const struct table *t)
{
    return t->count;
}

/* table_clear() - remove everything */
void table_clear(struct table *t);

/* table_next() - walk over the entries, in no order that means anything
 * @pos: 0 to begin; kept by the caller between the calls
 * @ret_key:   the entry's key, in the table; valid until the table changes (may be NULL)
 * @ret_value: its value (may be NULL)
 * Return: false at the end. Replacing values while walking is fine; inserting is not. To remove the
 * entry just given, copy its key, call table_del() and take 1 from @pos: then none is missed, but
 * one that was given before may be given again. */
bool table_next(const struct table *t, uint32_t *pos, const uint8_t **ret_key, uint32_t *ret_value);

#endif
