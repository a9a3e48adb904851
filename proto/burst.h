/* SPDX-License-Identifier: MIT */
/* burst.h - what travels between the operating system and an engine: datagrams, packets, an arena
 *
 * DOC: an engine takes bursts and returns bursts. It opens and seals in place and emits descriptors
 * that point into the buffers it was given, or into the arena the caller lends for replies, ND and
 * copies. It keeps no pointer after the call; the caller owns every buffer until it has sent what
 * points into it. These are plain types: host code knows them, but not what the octets mean.
 */
#ifndef SIXTAP_PROTO_BURST_H
#define SIXTAP_PROTO_BURST_H

#include <stddef.h>

#include "proto/addr.h"

/* A UDP datagram over IPv4. In a received one the octets p .. p + len - 1 are the engine's to write
 * and nothing around them is: the neighbours in memory may be other datagrams of the same burst
 * (the kernel hands over a run of them in one piece), and what is emitted may lie where it came
 * from but must not grow beyond that. */
struct dgram {
    struct endpoint peer; /* the other side: source when received, destination when sent */
    be32 local;  /* our own IPv4 address it was sent to / is sent from; 0 lets the kernel choose */
    uint8_t tos; /* outer TOS octet */
    uint8_t flags; /* DGRAM_* */
    uint8_t sock;  /* which of the caller's sockets, 0-based */
    uint16_t len;  /* octets at p */
    uint8_t *p;
};

#define DGRAM_MAY_FRAGMENT 0x01 /* send without DF (paths below 1 346 octets, DESIGN MTU) */

/* A probe of the path's MTU: it shares no message with others (UDP_SEGMENT), which would be lost
 * with it. */
#define DGRAM_ALONE 0x02

/* A packet of a TUN (starts with the IPv6 header) or a frame of a TAP (starts with 14 octets of
 * Ethernet). In buffers given to an engine PKT_HEADROOM octets before p and PKT_TAILROOM octets
 * behind p + len are the engine's to write. */
struct pkt {
    uint8_t *p;
    uint32_t len;
};

#define PKT_HEADROOM 32
#define PKT_TAILROOM 32

/* What comes from a TAP or TUN lies closer: an engine writes no more than the header and MAC of a
 * DATA message (16 + 6) before the IPv6 packet, over the Ethernet header if there is one, the
 * header alone (kind host) before a packet out of a TUN, and the tag behind. With just that room
 * between them sealed packets abut and leave in one iovec. */
#define PKT_ROOM_TAP    8  /* before an Ethernet frame: 22 - 14 */
#define PKT_ROOM_TUN    16 /* before an IPv6 packet */
#define PKT_ROOM_BEHIND 16

#define VNET_LEN 10u /* octets of a virtio header */

/* What a TAP or TUN with virtio headers gives: an ordinary frame, or a superframe of up to 64 KiB
 * that stands for several. The header is passed raw (little-endian, see proto/segment.h); all zero:
 * an ordinary, complete frame. */
struct super {
    uint8_t vnet[VNET_LEN];
    uint8_t *p;
    uint32_t len;
};

/* dgrams_octets(), supers_octets() - of @n of them, in all */
static inline size_t dgrams_octets(const struct dgram *d, unsigned n)
{
    size_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += d[i].len;
    return sum;
}

static inline size_t supers_octets(const struct super *s, unsigned n)
{
    size_t sum = 0;

    for (unsigned i = 0; i < n; i++)
        sum += s[i].len;
    return sum;
}

/* which superframes a device takes */
#define SUPER_TCP 0x01u
#define SUPER_UDP 0x02u

/* What is written to one: a virtio header and a frame in pieces. */
struct gather {
    uint8_t vnet[VNET_LEN];
    uint16_t first, n; /* piece[first .. first + n - 1] of the array that goes with it */
};

/* Where an engine puts what it wants sent. All arrays and the arena are the caller's. */
struct out {
    struct dgram *dg; /* to UDP */
    unsigned n_dg, cap_dg;
    struct pkt *pk; /* to TAP or TUN */
    unsigned n_pk, cap_pk;
    uint8_t *arena;
    size_t arena_len, arena_used;
};

/* out_dgram() - append an empty descriptor; NULL when the array is full */
static inline struct dgram *out_dgram(struct out *o)
{
    if (o->n_dg == o->cap_dg)
        return NULL;
    struct dgram *d = &o->dg[o->n_dg++];
    memset(d, 0, sizeof(*d));
    return d;
}

/* out_pkt() - append a packet for TAP or TUN; false when the array is full */
static inline bool out_pkt(struct out *o, uint8_t *p, size_t len)
{
    if (o->n_pk == o->cap_pk)
        return false;
    o->pk[o->n_pk++] = (struct pkt){ .p = p, .len = (uint32_t)len };
    return true;
}

/* out_alloc() - @len octets of the arena, 16-aligned; NULL when it is used up. Valid until the
 * caller resets the arena, which it does once everything emitted has been sent. */
static inline uint8_t *out_alloc(struct out *o, size_t len)
{
    size_t off = (o->arena_used + 15) & ~(size_t)15;
    if (off > o->arena_len || len > o->arena_len - off)
        return NULL;
    o->arena_used = off + len;
    return o->arena + off;
}

/* out_reset() - forget everything emitted */
static inline void out_reset(struct out *o)
{
    o->n_dg = o->n_pk = 0;
    o->arena_used = 0;
}

#endif
