/* SPDX-License-Identifier: MIT */
/* carve.h - the engine's tables cut from one piece of lent memory, each on cache lines of its own
 */
#ifndef SIXTAP_ROUTER_CARVE_H
#define SIXTAP_ROUTER_CARVE_H

#include <stddef.h>
#include <stdint.h>

#define CARVE_ALIGN 64u

/* carve_size() - octets that a piece of @n octets takes */
static inline size_t carve_size(size_t n)
{
    return (n + CARVE_ALIGN - 1) & ~(size_t)(CARVE_ALIGN - 1);
}

/* carve_start() - the first aligned octet at or behind @mem; up to CARVE_ALIGN - 1 octets are lost
 */
static inline uint8_t *carve_start(void *mem)
{
    uint8_t *p = mem;
    return p + (-(uintptr_t)p & (CARVE_ALIGN - 1));
}

/* carve() - a piece of @n octets from *@p on, which moves behind it */
static inline void *carve(uint8_t **p, size_t n)
{
    void *ret = *p;
    *p += carve_size(n);
    return ret;
}

#endif
