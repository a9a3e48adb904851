/* SPDX-License-Identifier: MIT */
/* fuzz.c - what every fuzz target shares */
#include "fuzz.h"

#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void fuzz_setup(void)
{
    static bool done;

    if (done)
        return;
    done = true;
    FUZZ_CHECK(sodium_init() >= 0);
    setenv("CMOCKA_TEST_ABORT", "1", 1); /* else a failed assert of the rigs only leaves */
}

void fuzz_fail(const char *file, int line, const char *what)
{
    fprintf(stderr, "%s:%d: does not hold: %s\n", file, line, what);
    abort();
}

void feed_bytes(struct feed *f, void *to, size_t n)
{
    size_t have = n < f->left ? n : f->left;

    if (have)
        memcpy(to, f->p, have);
    if (n > have)
        memset((uint8_t *)to + have, 0, n - have);
    f->p += have;
    f->left -= have;
}

uint8_t feed_u8(struct feed *f)
{
    uint8_t x;
    feed_bytes(f, &x, 1);
    return x;
}

uint16_t feed_u16(struct feed *f)
{
    uint8_t b[2];
    feed_bytes(f, b, sizeof(b));
    return (uint16_t)(b[0] << 8 | b[1]);
}

uint32_t feed_u32(struct feed *f)
{
    uint32_t high = feed_u16(f);
    return high << 16 | feed_u16(f);
}

unsigned feed_below(struct feed *f, unsigned n)
{
    return feed_u8(f) % n;
}

size_t feed_chunk(struct feed *f, uint8_t *to, size_t cap)
{
    size_t n = feed_u16(f);

    n = n < f->left ? n : f->left;
    n = n < cap ? n : cap;
    feed_bytes(f, to, n);
    return n;
}

uint8_t *fuzz_exact(const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len ? len : 1);

    FUZZ_CHECK(copy);
    if (len)
        memcpy(copy, p, len);
    return copy;
}
