/* SPDX-License-Identifier: MIT */
/* seal_cache.h - expanded keys of those who are active, in bounded memory
 *
 * DOC: an expanded AES-256-GCM key is 1 KiB (libipsec-mb: round keys and 48 powers of the hash
 * key), and a member needs one for each direction. Kept in every member they would be half of its
 * memory, and a member not heard for a while would draw them from DRAM line by line: measured for 1
 * 400 octets, 550 ns with a cold schedule against 460 ns with the raw key expanded anew (110 ns of
 * that is the expansion). So members keep 32 octets of raw key, and the schedules of whoever is
 * active lie here, small enough for the second-level cache of the CPU. Found again: one line of
 * tags.
 *
 * Sets of four, the longest unused of the set gives way. A schedule is named by a number that is
 * given out once in a lifetime (seal_cache_name), never by where its owner lies, so one that
 * outlived its key could not be taken for another's; it is wiped all the same when its key goes
 * (seal_cache_drop).
 */
#ifndef SIXTAP_PROTO_SEAL_CACHE_H
#define SIXTAP_PROTO_SEAL_CACHE_H

#include "proto/seal.h"

#define SEAL_CACHE_WAYS 4u
#define SEAL_CACHE_MIN  SEAL_CACHE_WAYS

struct seal_set {
    alignas(64) uint64_t name[SEAL_CACHE_WAYS]; /* 0: empty */
    uint64_t used[SEAL_CACHE_WAYS];             /* seal_cache.clock when last asked for */
};

struct seal_cache {
    struct seal_set *set;
    struct seal_key *key; /* SEAL_CACHE_WAYS for each set */
    uint32_t mask;        /* sets - 1 */
    uint64_t clock, next_name;
    uint64_t misses; /* expansions, for status */
};

/* seal_cache_bytes() - octets of memory, of any alignment, that a cache of @n schedules needs
 * @n: SEAL_CACHE_MIN or more, a power of two */
size_t seal_cache_bytes(uint32_t n);

/* The same as a constant. */
#define SEAL_CACHE_BYTES(n)                                                                        \
    ((size_t)(n) / SEAL_CACHE_WAYS * sizeof(struct seal_set) +                                     \
     (size_t)(n) * sizeof(struct seal_key) + AEAD_SCHEDULE_ALIGN)

/* seal_cache_init() - an empty cache
 * @mem: seal_cache_bytes(n) octets, lent; what it holds does not matter. It must not move, and its
 * owner wipes it at the end. */
void seal_cache_init(struct seal_cache *c, void *mem, uint32_t n);

/* seal_cache_name() - a name for the two schedules of a keypair, never 0 and even; name for one
 * direction, name + 1 for the other */
uint64_t seal_cache_name(struct seal_cache *c);

/* seal_cache_get() - the schedule @name; expanded from @raw (KEY_LEN octets) when it is not there
 * Return: the key, valid until the next call for this cache. */
const struct seal_key *seal_cache_get(struct seal_cache *c, uint64_t name, enum cipher cipher,
                                      const uint8_t *raw);

/* seal_cache_drop() - wipe the two schedules of the keypair @name, if they are there */
void seal_cache_drop(struct seal_cache *c, uint64_t name);

#endif
