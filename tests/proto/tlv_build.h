/* SPDX-License-Identifier: MIT */
/* tlv_build.h - runs of TLVs written octet by octet, without the code under test; a seeded PRNG */
#ifndef SIXTAP_TESTS_TLV_BUILD_H
#define SIXTAP_TESTS_TLV_BUILD_H

#include <assert.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

struct run {
    uint8_t p[70000];
    size_t len;
};

static inline void run_add(struct run *r, unsigned type, size_t len, const void *value)
{
    assert(len <= 0xffff && r->len + 4 + len <= sizeof(r->p));
    uint8_t head[4] = { (uint8_t)(type >> 8), (uint8_t)type, (uint8_t)(len >> 8), (uint8_t)len };
    memcpy(r->p + r->len, head, 4);
    if (len)
        memcpy(r->p + r->len + 4, value, len);
    r->len += 4 + len;
}

static inline void run_octets(struct run *r, size_t len, const void *octets)
{
    assert(r->len + len <= sizeof(r->p));
    memcpy(r->p + r->len, octets, len);
    r->len += len;
}

/* exact() - a copy in an allocation of exactly its length, so that a sanitizer sees reads past the
 * end */
static inline uint8_t *exact(const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);
    assert(copy);
    if (len)
        memcpy(copy, p, len);
    return copy;
}

/* rnd() - xorshift64*, the same numbers in every run of a test */
static inline uint32_t rnd(uint64_t *s)
{
    *s ^= *s >> 12;
    *s ^= *s << 25;
    *s ^= *s >> 27;
    return (uint32_t)((*s * UINT64_C(0x2545f4914f6cdd1d)) >> 32);
}

static inline uint32_t rnd_below(uint64_t *s, uint32_t n)
{
    return rnd(s) % n;
}

static inline void rnd_fill(uint64_t *s, void *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)p)[i] = (uint8_t)rnd(s);
}

#endif
