/* SPDX-License-Identifier: MIT */
/* ratelimit.c - token buckets: one, and many by IPv4 address in a fixed array */
#include "router/ratelimit.h"

#include <sodium.h>

bool bucket_take(struct bucket *b, uint32_t per_s, uint32_t burst, mono_ns now)
{
    uint64_t full = (uint64_t)burst * 1000;

    if (b->filled == 0) {
        b->tokens = (uint32_t)full;
        b->filled = now;
    }
    uint64_t ms = time_since(now, b->filled) / NS_PER_MS, add = ms * per_s;
    if (add) {
        b->filled += ms * NS_PER_MS; /* the rest of a millisecond counts next time */
        b->tokens = (uint32_t)(b->tokens + add > full ? full : b->tokens + add);
    }
    if (b->tokens < 1000)
        return false;
    b->tokens -= 1000;
    return true;
}

bool rate_by_ip_take(struct rate_by_ip *r, be32 ip, uint32_t per_s, uint32_t burst, mono_ns now)
{
    uint8_t h[crypto_shorthash_BYTES];

    crypto_shorthash(h, ip.b, sizeof(ip.b), r->hash_key);
    return bucket_take(&r->bucket[be32_load(h) % RATE_BUCKETS], per_s, burst, now);
}
