/* SPDX-License-Identifier: MIT */
/* pmtu.h - how large inner packets may be on this path
 *
 * DOC: the big CONFIRM is the first probe: with its answer the MTU is at its cap and nothing more
 * is done. Without it the MTU is 1280 and a search follows: after 5 s, then every 60 s,
 * PMTU_SEARCHES times at most while the cap is not reached. A search asks for the cap first (the
 * big CONFIRM may just have been lost), then halves the interval between what is proved and what
 * failed. A size fails when PMTU_TRIES probes of it, a second apart, go unanswered. Probe and
 * answer are padded to the same size, so both directions are proved. ICMP plays no part.
 *
 * Sizes on the wire are of whole datagrams: inner MTU + PEER_OVERHEAD - OUTER_IP_UDP.
 * Standards: the shape of RFC 8899 5 (BASE_PLPMTU 1280 inner, SEARCHING, SEARCH_COMPLETE).
 */
#ifndef SIXTAP_CLIENT_PMTU_H
#define SIXTAP_CLIENT_PMTU_H

#include "client/tunnel.h"

#define PMTU_FIRST    (5 * NS_PER_S)
#define PMTU_AGAIN    (60 * NS_PER_S)
#define PMTU_WAIT     (1 * NS_PER_S) /* for an answer */
#define PMTU_TRIES    3u
#define PMTU_SEARCHES 10u
#define PMTU_STEP     4u /* an interval this small is not halved any more */

struct pmtu {
    uint16_t mtu;    /* proved (or 1280) */
    uint16_t cap;    /* most it may be */
    uint16_t failed; /* least that failed in this search; cap + 1: none yet */
    uint16_t asked;  /* inner MTU of the probe under way; 0 none */
    unsigned tries;  /* probes of that size sent */
    unsigned searches;
    mono_ns deadline;
};

/* pmtu_cap() - most inner MTU
 * @outer: MTU of the outgoing interface
 * @config, @router: what either side allows, 0 nothing said
 * Return: INNER_MTU_MIN..INNER_MTU_MAX */
uint16_t pmtu_cap(unsigned outer, unsigned config, unsigned router);

/* pmtu_start() - a new path with @cap: 1280 until something is proved */
void pmtu_start(struct pmtu *p, uint16_t cap);

/* pmtu_recap() - the cap of the same path changed: go down at once, or search at the next tick */
void pmtu_recap(struct pmtu *p, uint16_t cap);

/* pmtu_confirm_size() - octets of the datagram with the big CONFIRM; 0 when there is nothing to
 * prove */
size_t pmtu_confirm_size(const struct pmtu *p);

/* pmtu_search() - the big CONFIRM was not answered in time: search later. Nothing when already at
 * the cap. */
void pmtu_search(struct pmtu *p, mono_ns now);

/* pmtu_answer() - CONFIRM_ACK or MTU_PROBE_ACK for @size arrived in a datagram of exactly that size
 * Return: did the MTU grow? */
bool pmtu_answer(struct pmtu *p, size_t size, mono_ns now);

/* pmtu_tick() - send the probe that is due */
void pmtu_tick(struct pmtu *p, struct tunnel *tn, const struct turn *t);

/* pmtu_deadline() */
static inline mono_ns pmtu_deadline(const struct pmtu *p)
{
    return p->deadline;
}

#endif
