/* SPDX-License-Identifier: MIT */
/* cast.h - multicast packets on their way to many members
 *
 * DOC: each copy is sealed under another key, so a packet for 10^5 listeners is 10^5 packets of
 * work. It is kept once, in one of CAST_JOBS places, and carried out in slices: at most CAST_COPIES
 * copies and CAST_SCAN members looked at in one call of the engine, so that unicast is not held up
 * (H58). No free place: the packet is dropped. What a member may send is limited before that, by a
 * bucket of its own.
 */
#ifndef SIXTAP_ROUTER_CAST_H
#define SIXTAP_ROUTER_CAST_H

#include "router/groups.h"
#include "router/txq.h"

#define CAST_JOBS   32u
#define CAST_COPIES 64u
#define CAST_SCAN   4096u
#define CAST_PACKET 1500u /* longer packets are not multicast between clients */
#define CAST_PER_S  50u   /* of one member */
#define CAST_BURST  100u

struct cast_job {
    uint32_t group, from, next; /* next: the member slot to look at */
    struct mac src;
    uint16_t len;
    uint8_t packet[CAST_PACKET];
};

struct cast {
    struct cast_job job[CAST_JOBS];
    unsigned head, n;
};

/* cast_add() - keep a copy of @f, from member slot @from with @src, for @group
 * Return: DROP_NONE; DROP_TOO_BIG; DROP_MULTICAST_RATE when no place is free */
enum drop cast_add(struct cast *c, const struct frame *f, uint32_t from, struct mac src,
                   uint32_t group);

/* cast_run() - queue the next slice; true when there is more to do */
bool cast_run(struct cast *c, const struct members *ms, const struct groups *gs, struct txq *q,
              struct out *out);

#endif
