/* SPDX-License-Identifier: MIT */
/* udp_pack.c - which datagrams can leave in one message (UDP_SEGMENT); pure */
#include "proto/host/udp_pack.h"

#include <assert.h>

#define SLOTS_BITS 10u /* twice UDP_PACK_MAX: probing always ends */
#define NONE       UINT16_MAX

_Static_assert(1u << SLOTS_BITS >= 2 * UDP_PACK_MAX, "free slots are left");

/* the message being built of each peer */
struct build {
    uint16_t slot[1u << SLOTS_BITS]; /* peer -> its latest message; NONE: free */
    unsigned bits;                   /* log2 of the slots in use: a small burst clears few */
    uint16_t owner[UDP_PACK_MAX];    /* descriptor -> message */
    uint16_t opener[UDP_PACK_MAX];   /* message -> its first descriptor */
    bool closed[UDP_PACK_MAX];       /* nothing may follow in this message */
};

static bool goes_alone(const struct dgram *d)
{
    return (d->flags & (DGRAM_MAY_FRAGMENT | DGRAM_ALONE)) || d->len == 0 ||
           d->len > UDP_PACK_OCTETS;
}

static bool joins(const struct udp_msg *m, bool closed, const struct dgram *opener,
                  const struct dgram *d, unsigned max_segments)
{
    return !closed && memcmp(&opener->local, &d->local, sizeof(d->local)) == 0 &&
           opener->tos == d->tos && opener->flags == d->flags && d->len <= opener->len &&
           m->n < max_segments && m->octets + d->len <= UDP_PACK_OCTETS;
}

/* the slot of @peer: the one that holds its latest message, else a free one */
static uint16_t *slot_of(struct build *b, const struct dgram *dg, struct endpoint peer)
{
    uint32_t h = (be32_get(peer.ip) ^ ((uint32_t)be16_get(peer.port) << 16)) * UINT32_C(2654435761);

    for (uint32_t i = h >> (32 - b->bits);; i = (i + 1) & ((1u << b->bits) - 1)) {
        uint16_t m = b->slot[i];
        if (m == NONE || endpoint_eq(dg[b->opener[m]].peer, peer))
            return &b->slot[i];
    }
}

/* fill order[] and iov[] of every message, knowing which descriptor belongs where */
static void lay_out(struct udp_pack *p, const struct build *b, const struct dgram *dg, unsigned n)
{
    uint16_t next[UDP_PACK_MAX], at = 0, n_iov = 0;

    for (unsigned m = 0; m < p->n_msg; m++) {
        p->msg[m].first = next[m] = at;
        at = (uint16_t)(at + p->msg[m].n);
    }
    for (unsigned i = 0; i < n; i++)
        p->order[next[b->owner[i]]++] = (uint16_t)i;
    for (unsigned m = 0; m < p->n_msg; m++) {
        struct udp_msg *msg = &p->msg[m];
        msg->iov = n_iov;
        for (unsigned k = msg->first; k < (unsigned)msg->first + msg->n; k++) {
            const struct dgram *d = &dg[p->order[k]];
            struct iovec *last = n_iov > msg->iov ? &p->iov[n_iov - 1] : NULL;
            if (last && (uint8_t *)last->iov_base + last->iov_len == d->p)
                last->iov_len += d->len;
            else
                p->iov[n_iov++] = (struct iovec){ .iov_base = d->p, .iov_len = d->len };
        }
        msg->n_iov = (uint16_t)(n_iov - msg->iov);
    }
}

void udp_pack(struct udp_pack *ret, const struct dgram *dg, unsigned n, unsigned max_segments)
{
    struct build b;
    uint16_t *slot = NULL;

    assert(n <= UDP_PACK_MAX && max_segments > 0);
    for (b.bits = 1; 1u << b.bits < 2 * n; b.bits++)
        ;
    memset(b.slot, 0xff, sizeof(b.slot[0]) << b.bits);
    ret->n_msg = 0;
    for (unsigned i = 0; i < n; i++) {
        const struct dgram *d = &dg[i];
        bool alone = goes_alone(d);
        if (!slot || !endpoint_eq(d->peer, dg[i - 1].peer))
            slot = slot_of(&b, dg, d->peer);
        uint16_t m = *slot;

        if (m == NONE || alone ||
            !joins(&ret->msg[m], b.closed[m], &dg[b.opener[m]], d, max_segments)) {
            *slot = m = (uint16_t)ret->n_msg++;
            ret->msg[m] = (struct udp_msg){ 0 };
            b.opener[m] = (uint16_t)i;
        }
        ret->msg[m].n++;
        ret->msg[m].octets += d->len;
        b.owner[i] = m;
        b.closed[m] = alone || d->len < dg[b.opener[m]].len;
    }
    lay_out(ret, &b, dg, n);
}
