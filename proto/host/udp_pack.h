/* SPDX-License-Identifier: MIT */
/* udp_pack.h - which datagrams can leave in one message (UDP_SEGMENT); pure
 *
 * DOC: descriptors of equal peer, local, tos, flags and length join into a message, whose last
 * segment may be shorter (and ends it). Datagrams of one peer keep their order: a descriptor joins
 * only the latest message of its peer, else it opens a new one; those of other peers may lie
 * between. What may be fragmented, is empty or is too long for UDP goes alone. Segments that touch
 * in memory share an iovec.
 */
#ifndef SIXTAP_HOST_UDP_PACK_H
#define SIXTAP_HOST_UDP_PACK_H

#include <sys/uio.h>

#include "proto/burst.h"

#define UDP_PACK_MAX     512u /* descriptors per call */
#define UDP_SEGMENTS_MAX 64u  /* what every kernel with UDP_SEGMENT takes; newer ones 128 */
#define UDP_PACK_OCTETS  65507u

struct udp_msg {
    uint16_t first, n;   /* segments: pack.order[first .. first + n - 1] */
    uint16_t iov, n_iov; /* pack.iov[iov .. iov + n_iov - 1] */
    uint32_t octets;     /* all segments together */
};

struct udp_pack {
    unsigned n_msg;
    struct udp_msg msg[UDP_PACK_MAX];
    uint16_t
        order[UDP_PACK_MAX]; /* a permutation of 0 .. n - 1: indices into dg in sending order */
    struct iovec iov[UDP_PACK_MAX];
};

/* udp_pack() - group descriptors into messages, in order of their first datagrams
 * @n:            <= UDP_PACK_MAX
 * @max_segments: datagrams per message, >= 1
 * The segment length of a message is the length of its first datagram. Source: udp(7) UDP_SEGMENT
 */
void udp_pack(struct udp_pack *ret, const struct dgram *dg, unsigned n, unsigned max_segments);

#endif
