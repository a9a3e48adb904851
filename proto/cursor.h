/* SPDX-License-Identifier: MIT */
/* cursor.h - bounded reading and writing of octets, with an error that sticks
 *
 * DOC: a run of reads or writes needs one check at its end: after the first that does not fit,
 * `bad` is set, reads give zero and writes do nothing. Lengths are compared as `len - off < need`,
 * which cannot wrap.
 */
#ifndef SIXTAP_PROTO_CURSOR_H
#define SIXTAP_PROTO_CURSOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "proto/be.h"

struct rd {
    const uint8_t *p;
    size_t len, off;
    bool bad;
};

struct wr {
    uint8_t *p;
    size_t len, off;
    bool bad;
};

static inline struct rd rd_of(const uint8_t *p, size_t len)
{
    return (struct rd){ .p = p, .len = len };
}

static inline size_t rd_left(const struct rd *r)
{
    return r->bad ? 0 : r->len - r->off;
}

/* rd_bytes() - the next @n octets where they lie; NULL and bad when there are fewer */
static inline const uint8_t *rd_bytes(struct rd *r, size_t n)
{
    if (r->bad || r->len - r->off < n) {
        r->bad = true;
        return NULL;
    }
    const uint8_t *p = r->p + r->off;
    r->off += n;
    return p;
}

static inline uint8_t rd_u8(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 1);
    return p ? p[0] : 0;
}

static inline uint16_t rd_u16(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 2);
    return p ? be16_load(p) : 0;
}

static inline uint32_t rd_u32(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 4);
    return p ? be32_load(p) : 0;
}

static inline uint64_t rd_u64(struct rd *r)
{
    const uint8_t *p = rd_bytes(r, 8);
    return p ? be64_load(p) : 0;
}

/* rd_copy() - @n octets to @dst; @dst is zeroed when there are fewer */
static inline void rd_copy(struct rd *r, void *dst, size_t n)
{
    const uint8_t *p = rd_bytes(r, n);
    if (p)
        memcpy(dst, p, n);
    else
        memset(dst, 0, n);
}

static inline struct wr wr_of(uint8_t *p, size_t len)
{
    return (struct wr){ .p = p, .len = len };
}

/* wr_room() - the next @n octets to fill in; NULL and bad when there are fewer */
static inline uint8_t *wr_room(struct wr *w, size_t n)
{
    if (w->bad || w->len - w->off < n) {
        w->bad = true;
        return NULL;
    }
    uint8_t *p = w->p + w->off;
    w->off += n;
    return p;
}

static inline void wr_u8(struct wr *w, uint8_t x)
{
    uint8_t *p = wr_room(w, 1);
    if (p)
        p[0] = x;
}

static inline void wr_u16(struct wr *w, uint16_t x)
{
    uint8_t *p = wr_room(w, 2);
    if (p)
        be16_store(p, x);
}

static inline void wr_u32(struct wr *w, uint32_t x)
{
    uint8_t *p = wr_room(w, 4);
    if (p)
        be32_store(p, x);
}

static inline void wr_u64(struct wr *w, uint64_t x)
{
    uint8_t *p = wr_room(w, 8);
    if (p)
        be64_store(p, x);
}

static inline void wr_bytes(struct wr *w, const void *src, size_t n)
{
    uint8_t *p = wr_room(w, n);
    if (p && n)
        memcpy(p, src, n);
}

static inline void wr_zero(struct wr *w, size_t n)
{
    uint8_t *p = wr_room(w, n);
    if (p)
        memset(p, 0, n);
}

#endif
