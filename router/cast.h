/* SPDX-License-Identifier: MIT */
/* cast.h - multicast packets on their way to many members
 *
 * DOC: each copy is sealed under another key, so a packet for 10^5 listeners is 10^5 packets of
 * work. It is kept once, in one of CAST_JOBS places, and carried out in slices of at most
 * CAST_COPIES copies and CAST_SCAN members looked at. A slice has its price in time, and the next
 * waits until that has passed: all copies together take a small share of the machine, however many
 * send and listen, and unicast is not held up (H58). No free place: the packet is dropped; one
 * sender gets no more than CAST_JOBS_EACH places. What a member may send is limited before that, by
 * a bucket of its own. The group is looked up anew for each slice: its number may be another's by
 * then.
 */
#ifndef SIXTAP_ROUTER_CAST_H
#define SIXTAP_ROUTER_CAST_H

#include "router/groups.h"
#include "router/txq.h"

#define CAST_JOBS       32u
#define CAST_JOBS_EACH  (CAST_JOBS / 2)
#define CAST_COPIES     64u
#define CAST_SCAN       4096u
#define CAST_COPY_TIME  (NS_PER_MS / 20) /* 20 000 copies a second */
#define CAST_SCAN_PRICE 64u              /* members looked at for the price of a copy */
#define CAST_PACKET     1500u            /* longer packets are not multicast between clients */
#define CAST_PER_S      50u              /* of one member */
#define CAST_BURST      100u

struct cast_job {
    uint32_t from, next; /* next: the member slot to look at */
    struct ip6 group;
    struct mac src;
    uint16_t len;
    uint16_t least_mtu; /* of the listeners it was too big for, 0: it fitted all */
    uint32_t n_small;   /* how many those were */
    uint8_t packet[CAST_PACKET];
};

struct cast {
    struct cast_job job[CAST_JOBS];
    unsigned head, n;
    unsigned copies, scanned; /* of this slice */
    bool done;                /* the head was given to the caller, and goes */
    mono_ns due;              /* of the next slice */
};

/* cast_add() - keep a copy of @f, from member slot @from with @src, for the listeners of its
 * destination
 * Return: DROP_NONE; DROP_TOO_BIG; DROP_MULTICAST_RATE when no place is free */
enum drop cast_add(struct cast *c, const struct frame *f, uint32_t from, struct mac src);

/* cast_run() - queue the next slice if it is due
 * Return: a job that has ended and was too big for some listener, for the caller to tell its sender
 * (RFC 8200 5, RFC 4443 3.2: Packet Too Big, also about multicast) before it calls again; NULL: the
 * slice is over */
struct cast_job *cast_run(struct cast *c, const struct members *ms, const struct groups *gs,
                          struct txq *q, struct out *out, mono_ns now);

/* cast_deadline() - when there is more to do; NEVER: nothing is under way */
mono_ns cast_deadline(const struct cast *c);

#endif
