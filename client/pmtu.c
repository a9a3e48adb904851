/* SPDX-License-Identifier: MIT */
/* pmtu.c - how large inner packets may be on this path */
#include "client/pmtu.h"

#define WIRE_EXTRA (PEER_OVERHEAD - OUTER_IP_UDP) /* datagram beyond the inner packet */

uint16_t pmtu_cap(unsigned outer, unsigned config, unsigned router)
{
    unsigned cap = outer > PEER_OVERHEAD ? outer - PEER_OVERHEAD : 0;

    if (config && config < cap)
        cap = config;
    if (router && router < cap)
        cap = router;
    if (cap > INNER_MTU_MAX)
        cap = INNER_MTU_MAX;
    return (uint16_t)(cap < INNER_MTU_MIN ? INNER_MTU_MIN : cap);
}

void pmtu_start(struct pmtu *p, uint16_t cap)
{
    *p = (struct pmtu){
        .mtu = INNER_MTU_MIN,
        .cap = cap,
        .failed = (uint16_t)(cap + 1),
        .deadline = NEVER,
    };
}

void pmtu_recap(struct pmtu *p, uint16_t cap)
{
    if (cap == p->cap)
        return;
    p->cap = cap;
    p->failed = (uint16_t)(cap + 1);
    p->asked = 0;
    p->searches = 0;
    if (p->mtu >= cap)
        p->mtu = cap;
    p->deadline = 0;
}

size_t pmtu_confirm_size(const struct pmtu *p)
{
    return p->cap > p->mtu ? p->cap + WIRE_EXTRA : 0;
}

void pmtu_search(struct pmtu *p, mono_ns now)
{
    if (p->mtu < p->cap && p->deadline == NEVER && p->searches == 0)
        p->deadline = now + PMTU_FIRST;
}

bool pmtu_answer(struct pmtu *p, size_t size, mono_ns now)
{
    size_t inner = size - WIRE_EXTRA;

    if (size < WIRE_EXTRA || inner <= p->mtu || (inner != p->cap && inner != p->asked))
        return false;
    p->mtu = (uint16_t)inner;
    p->asked = 0;
    if (p->mtu == p->cap)
        p->deadline = NEVER;
    else
        p->deadline = now;
    return true;
}

/* next_size() - what to ask for in this search; 0: it is over */
static uint16_t next_size(const struct pmtu *p)
{
    if (p->failed > p->cap)
        return p->cap;
    if (p->failed - p->mtu <= (int)PMTU_STEP)
        return 0;
    return (uint16_t)(p->mtu + (p->failed - p->mtu) / 2);
}

void pmtu_tick(struct pmtu *p, struct tunnel *tn, const struct turn *t)
{
    if (t->now < p->deadline)
        return;
    if (p->mtu == p->cap) {
        p->deadline = NEVER;
        return;
    }
    if (p->asked && p->tries == PMTU_TRIES) {
        p->failed = p->asked;
        p->asked = 0;
    }
    if (p->asked == 0) {
        p->tries = 0;
        p->searches += p->failed > p->cap;
        p->asked = next_size(p);
    }
    if (p->asked == 0) {
        p->failed = (uint16_t)(p->cap + 1);
        p->deadline = p->searches < PMTU_SEARCHES ? t->now + PMTU_AGAIN : NEVER;
        return;
    }
    size_t size = p->asked + WIRE_EXTRA;
    struct control c = { .type = TLV_MTU_PROBE, .size = (uint16_t)size };
    tunnel_control(tn, t, &c, 1, size);
    p->tries++;
    p->deadline = t->now + PMTU_WAIT;
}
