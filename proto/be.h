/* SPDX-License-Identifier: MIT */
/* be.h - big-endian integers as arrays of octets
 *
 * DOC: a field of a packet is a struct of octets, so the compiler refuses to mix it up with a host
 * integer, it has no alignment and no padding, and received octets need no cast but this one.
 */
#ifndef SIXTAP_PROTO_BE_H
#define SIXTAP_PROTO_BE_H

#include <stdint.h>

typedef struct {
    uint8_t b[2];
} be16;
typedef struct {
    uint8_t b[4];
} be32;
typedef struct {
    uint8_t b[8];
} be64;

/* be16_get(), be32_get(), be64_get() - host integer of a big-endian field */
static inline uint16_t be16_get(be16 v)
{
    return (uint16_t)((v.b[0] << 8) | v.b[1]);
}

static inline uint32_t be32_get(be32 v)
{
    return ((uint32_t)v.b[0] << 24) | ((uint32_t)v.b[1] << 16) | ((uint32_t)v.b[2] << 8) | v.b[3];
}

static inline uint64_t be64_get(be64 v)
{
    uint64_t x = 0;
    for (int i = 0; i < 8; i++)
        x = (x << 8) | v.b[i];
    return x;
}

/* be16_of(), be32_of(), be64_of() - big-endian field of a host integer */
static inline be16 be16_of(uint16_t x)
{
    return (be16){ { (uint8_t)(x >> 8), (uint8_t)x } };
}

static inline be32 be32_of(uint32_t x)
{
    return (be32){ { (uint8_t)(x >> 24), (uint8_t)(x >> 16), (uint8_t)(x >> 8), (uint8_t)x } };
}

static inline be64 be64_of(uint64_t x)
{
    be64 v;
    for (int i = 7; i >= 0; i--, x >>= 8)
        v.b[i] = (uint8_t)x;
    return v;
}

/* be*_load(), be*_store() - the same at octets of any alignment; the caller has checked the length
 */
static inline uint16_t be16_load(const uint8_t *p)
{
    return (uint16_t)((p[0] << 8) | p[1]);
}

static inline uint32_t be32_load(const uint8_t *p)
{
    return be32_get((be32){ { p[0], p[1], p[2], p[3] } });
}

static inline uint64_t be64_load(const uint8_t *p)
{
    return ((uint64_t)be32_load(p) << 32) | be32_load(p + 4);
}

static inline void be16_store(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)(x >> 8);
    p[1] = (uint8_t)x;
}

static inline void be32_store(uint8_t *p, uint32_t x)
{
    be16_store(p, (uint16_t)(x >> 16));
    be16_store(p + 2, (uint16_t)x);
}

static inline void be64_store(uint8_t *p, uint64_t x)
{
    be32_store(p, (uint32_t)(x >> 32));
    be32_store(p + 4, (uint32_t)x);
}

#endif
