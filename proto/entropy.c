/* SPDX-License-Identifier: MIT */
/* entropy.c - random octets for one wake-up, drawn from 32 fresh ones */
#include "proto/entropy.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

void entropy_draw(struct entropy *e, void *out, size_t len)
{
    static const uint8_t nonce[crypto_stream_chacha20_ietf_NONCEBYTES] = { 0 };
    uint8_t next[ENTROPY_LEN];

    assert(len <= 4096);
    /* Block 0 is the next seed, the output starts at block 1: the two never overlap. */
    crypto_stream_chacha20_ietf(next, sizeof(next), nonce, e->seed);
    memset(out, 0, len);
    crypto_stream_chacha20_ietf_xor_ic(out, out, len, nonce, 1, e->seed);
    memcpy(e->seed, next, sizeof(next));
    sodium_memzero(next, sizeof(next));
}

uint32_t entropy_u32(struct entropy *e)
{
    uint32_t x;
    entropy_draw(e, &x, sizeof(x));
    return x;
}
