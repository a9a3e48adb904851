/* SPDX-License-Identifier: MIT */
/* seen.h - did this IPv4 address ask a short while ago? In a fixed number of octets
 *
 * DOC: whoever forges sources can draw each from millions; a client asks again from where it is.
 * Two Bloom filters take turns: both are asked, one is written, and each ASKED_MEMORY the older one
 * is emptied and written next. So an address is remembered for ASKED_MEMORY at least and twice that
 * at most. All its bits lie in one word, and the words of both filters side by side: a flood costs
 * one line of the cache per datagram. An address may be taken for another that asked (at 50 000 new
 * ones a second: one of thirty); nobody outside can choose for which, as places follow from a
 * keyed hash.
 */
#ifndef SIXTAP_ROUTER_SEEN_H
#define SIXTAP_ROUTER_SEEN_H

#include "proto/addr.h"
#include "proto/limits.h"

#define SEEN_WORDS (UINT32_C(1) << 17) /* of one filter, 1 MiB */

_Static_assert(ASKED_MEMORY > LOGIN_BACKOFF_MAX, "a client's next LOGIN finds it");

struct seen_ips {
    uint8_t hash_key[16];
    mono_ns turned;
    unsigned young; /* the filter that is written, 0 or 1 */
    uint64_t word[SEEN_WORDS][2];
};

/* seen_before() - has @ip been asked about within the last ASKED_MEMORY? Remembers it from @now on.
 * All of @s but the key starts as zero. */
bool seen_before(struct seen_ips *s, be32 ip, mono_ns now);

#endif
