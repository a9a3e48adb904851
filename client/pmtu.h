/* SPDX-License-Identifier: MIT */
/* pmtu.h - how large inner packets may be on this path, and whether they must be fragmented
 *
 * DOC: PROTOCOL.md 10 in one state machine:
 *
 *     OFF -> LADDER -> SEARCH -> DONE
 *              ^         |        | |     a size in use goes unanswered; time to look up again
 *              +---------+--------+ +-> SEARCH
 *
 * LADDER: three sizes at a time (the one in doubt, 1280 inside, 1280 inside in fragments),
 * PMTU_TRIES rounds; what was answered decides. SEARCH: one size at a time, upward, PMTU_TRIES
 * probes each: first the least that failed so far or the cap, then the middle of what is left.
 * DONE: a size in use is probed again while there is traffic, and now and then the least that
 * failed is.
 *
 * Probe and answer are padded to the same size, so both directions are proved. ICMP plays no part.
 * An answer that is late raises the MTU all the same, so that a stall of some seconds (a full
 * queue) is no lasting harm. Silence from the router is alive's business: a size counts as failed
 * only when something else was heard meanwhile, for which @ask
 * wants a keepalive in each round.
 *
 * Sizes on the wire are of whole datagrams: inner MTU + PEER_OVERHEAD - OUTER_IP_UDP.
 * Does not: find how large fragments may be (IPv4 routers cut again), or send fragments smaller
 * than the outgoing interface takes; a path that loses fragments silently carries nothing large.
 * Standards: the shape of RFC 8899 4, 5 (BASE_PLPMTU 1280 inside, SEARCHING, SEARCH_COMPLETE, black
 * hole detection by confirmation), RFC 8200 5 (1280), RFC 4459 3.2 (fragmenting the outer packet).
 */
#ifndef SIXTAP_CLIENT_PMTU_H
#define SIXTAP_CLIENT_PMTU_H

#include "client/tunnel.h"

/* after confirmation: the answer to the big CONFIRM may be close */
#define PMTU_FIRST (50 * NS_PER_MS)
#define PMTU_STEP  4u    /* an interval this small is not halved any more */
#define PMTU_LARGE 1000u /* inner packets longer than this count as large */
#define PMTU_TELLS 3u    /* MTU_SET is sent so often */

enum pmtu_phase {
    PMTU_OFF,
    PMTU_LADDER,
    PMTU_SEARCH,
    PMTU_DONE,
};

enum pmtu_news { /* what a call changed; the caller tells device and router */
                 PMTU_SAME,
                 PMTU_CHANGED,
                 PMTU_BLOCKED, /* likewise, and: small packets pass, 1280 octets do not, not even in
                                  fragments */
};

struct pmtu {
    enum pmtu_phase phase;
    uint16_t mtu;  /* in use: proved, or 1280 */
    bool fragment; /* DATA without DF */
    uint16_t cap;  /* most it may be */

    uint16_t doubt;     /* LADDER: the size in question */
    bool base, frag;    /* LADDER: 1280 was answered, likewise in fragments */
    uint16_t failed;    /* SEARCH, DONE: least that failed; cap + 1: none */
    uint16_t asked;     /* SEARCH: size under way; 0 none */
    bool searching;     /* a search is not over: LADDER goes back to it */
    unsigned tries;     /* rounds or probes of that size sent */
    mono_ns deadline;   /* of the round or probe; when to begin */
    mono_ns sent, wait; /* last round or probe; for how long an answer is waited for */

    bool large, small; /* traffic since @confirmed */
    mono_ns confirmed; /* @mtu was last proved */
    mono_ns raise_at;  /* look up again; NEVER at the cap */
    unsigned raises;   /* looks since the last growth */

    bool ask;       /* a keepalive is wanted, to tell a narrow path from a dead one */
    unsigned tells; /* MTU_SET still to repeat */
    mono_ns tell_at;
};

/* pmtu_cap() - most inner MTU
 * @outer: MTU of the outgoing interface
 * @config, @router: what either side allows, 0 nothing said
 * Return: INNER_MTU_MIN..INNER_MTU_MAX */
uint16_t pmtu_cap(unsigned outer, unsigned config, unsigned router);

/* pmtu_start() - a new path with @cap: 1280, in fragments if need be, until something is proved;
 * nothing is sent yet */
void pmtu_start(struct pmtu *p, uint16_t cap);

/* pmtu_confirm_size() - octets of the datagram with the big CONFIRM */
size_t pmtu_confirm_size(const struct pmtu *p);

/* pmtu_begin() - the router has confirmed: find out what passes
 * @took: the login, two round trips or more */
void pmtu_begin(struct pmtu *p, mono_ns took, mono_ns now);

/* pmtu_settle() - traffic begins now, whatever is proved: unless 1280 octets are known to pass
 * whole, they are sent in fragments until they are */
void pmtu_settle(struct pmtu *p);

/* pmtu_recap() - the cap of the same path changed: go down at once, or search at the next tick */
void pmtu_recap(struct pmtu *p, uint16_t cap, mono_ns now);

/* pmtu_path_changed() - it may take more, or less, from now on: look at the next tick */
void pmtu_path_changed(struct pmtu *p, mono_ns now);

/* pmtu_doubt() - a sign that the size in use does not pass (EMSGSIZE): probe it at the next tick,
 * at most once a second */
void pmtu_doubt(struct pmtu *p, mono_ns now);

/* pmtu_traffic() - an inner packet of @len octets passed, either way */
static inline void pmtu_traffic(struct pmtu *p, size_t len)
{
    p->small = true;
    p->large |= len > PMTU_LARGE;
}

/* pmtu_answer() - CONFIRM_ACK or MTU_PROBE_ACK (@frag: FRAG_PROBE_ACK) for @size arrived in a
 * datagram of exactly that size */
enum pmtu_news pmtu_answer(struct pmtu *p, size_t size, bool frag, mono_ns now);

/* pmtu_tell() - tell the router with MTU_SET, now and PMTU_TELLS - 1 times more
 * Return: false when it cannot leave */
bool pmtu_tell(struct pmtu *p, struct tunnel *tn, const struct turn *t);

/* pmtu_message() - MTU_SET, with FRAGMENT if need be
 * @c: two of them    Return: how many were written */
unsigned pmtu_message(const struct pmtu *p, struct control *c);

/* pmtu_tick() - send what is due, judge what was not answered
 * @heard: when DATA opened last */
enum pmtu_news pmtu_tick(struct pmtu *p, struct tunnel *tn, const struct turn *t, mono_ns heard);

/* pmtu_deadline() */
mono_ns pmtu_deadline(const struct pmtu *p);

/* pmtu_phase_name() - "off", "testing", "searching", "done" */
const char *pmtu_phase_name(enum pmtu_phase phase);

#endif
