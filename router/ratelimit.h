/* SPDX-License-Identifier: MIT */
/* ratelimit.h - token buckets: one, and many by IPv4 address in a fixed array
 *
 * DOC: what an unauthenticated datagram may cause is limited here without keeping anything per
 * sender that grows: an address falls by SipHash into one of a fixed number of buckets. Two
 * addresses in one bucket share it; nobody outside can choose which.
 */
#ifndef SIXTAP_ROUTER_RATELIMIT_H
#define SIXTAP_ROUTER_RATELIMIT_H

#include "proto/addr.h"
#include "proto/timers.h"

struct bucket {
    mono_ns filled;
    uint32_t tokens; /* in thousandths */
};

/* bucket_take() - one token of a bucket that holds @burst and gets @per_s a second; starts full */
bool bucket_take(struct bucket *b, uint32_t per_s, uint32_t burst, mono_ns now);

#define RATE_BUCKETS 16384u

struct rate_by_ip {
    struct bucket bucket[RATE_BUCKETS];
    uint8_t hash_key[16];
};

/* rate_by_ip_take() - one token for @ip */
bool rate_by_ip_take(struct rate_by_ip *r, be32 ip, uint32_t per_s, uint32_t burst, mono_ns now);

#endif
