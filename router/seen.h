/* SPDX-License-Identifier: MIT */
/* seen.h - what is remembered of IPv4 addresses that ask, in a fixed number of octets: that they
 * did, how often in vain, that somebody is there
 *
 * DOC: whoever forges sources can draw each from millions; a client asks again from where it is.
 * And whoever forges the same ones again and again never uses the cookie that went there; a client
 * does. So an address counts as *asked* from its first LOGIN on; each look at a LOGIN of which
 * nothing came but a COOKIE counts as *in vain*, up to SEEN_VAIN_FULL; and an address is *proven*
 * when somebody there repeated what was sent to it: many clients may be behind one.
 *
 * Each is kept in a pair of filters that take turns: both are asked, one is written, and each
 * ASKED_MEMORY (VAIN_MEMORY for the other two) the older one is emptied and written next. So an
 * address is remembered for that long at least and twice that at most. They are Bloom filters;
 * what was in vain has two-bit counters in place of bits, of which the least counts. All that
 * belongs to an address lies in one word, and the words of a pair side by side: a flood costs a
 * line of the cache or two per datagram. An address may be taken for another: at 50 000 new ones a
 * second one of thirty for one that asked. To be taken for one that asked in vain costs a client
 * its login for a while, so no more than SEEN_VAIN_MAX of them are remembered of a turn: one of 150
 * then. Nobody outside can choose which, as places follow from a keyed hash.
 */
#ifndef SIXTAP_ROUTER_SEEN_H
#define SIXTAP_ROUTER_SEEN_H

#include "proto/addr.h"
#include "proto/limits.h"

#define SEEN_WORDS        (UINT32_C(1) << 17) /* of one filter, 1 MiB */
#define SEEN_VAIN_WORDS   (UINT32_C(1) << 18) /* 2 MiB */
#define SEEN_PROVEN_WORDS (UINT32_C(1) << 14) /* few: who is proven is let in soon */
#define SEEN_VAIN_FULL    3u                  /* is counted no further */
#define SEEN_VAIN_MAX     (UINT32_C(1) << 18) /* addresses a turn */

_Static_assert(ASKED_MEMORY > LOGIN_BACKOFF_MAX, "a client's next LOGIN finds it");
_Static_assert(LOOKS_IN_VAIN < SEEN_VAIN_FULL, "one with MAC2 is looked at after that");

struct seen_turns {
    mono_ns since;
    unsigned young; /* the filter that is written, 0 or 1 */
};

struct seen_ips {
    uint8_t hash_key[16];
    struct seen_turns asking, proving;
    uint32_t n_vain; /* addresses counted in the young filter */
    uint64_t asked[SEEN_WORDS][2];
    uint64_t vain[SEEN_VAIN_WORDS][2]; /* 32 counters each */
    uint64_t proven[SEEN_PROVEN_WORDS][2];
};

/* seen_before() - has @ip been asked about within the last ASKED_MEMORY? Remembers it from @now on.
 * All of @s but the key starts as zero. */
bool seen_before(struct seen_ips *s, be32 ip, mono_ns now);

/* seen_in_vain() - how often was a look at @ip in vain lately? 0..SEEN_VAIN_FULL. For this and what
 * follows time passes in seen_before(). */
unsigned seen_in_vain(const struct seen_ips *s, be32 ip);

/* seen_note_vain() - one more */
void seen_note_vain(struct seen_ips *s, be32 ip);

/* seen_proven(), seen_note_proven() - is somebody at @ip; somebody is */
bool seen_proven(const struct seen_ips *s, be32 ip);
void seen_note_proven(struct seen_ips *s, be32 ip);

/* seen_prefetch() - @ip will be asked about in a moment */
void seen_prefetch(const struct seen_ips *s, be32 ip);

#endif
