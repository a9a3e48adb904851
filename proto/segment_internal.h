/* SPDX-License-Identifier: MIT */
/* segment_internal.h - what cutting and joining share: the virtio header, TCP and UDP offsets */
#ifndef SIXTAP_PROTO_SEGMENT_INTERNAL_H
#define SIXTAP_PROTO_SEGMENT_INTERNAL_H

#include "proto/burst.h"

#define TCP_HDR_MIN 20u
#define TCP_HDR_MAX 60u
#define UDP_HDR_LEN 8u
#define TCP_CSUM    16u /* offset of the checksum in the TCP header */
#define UDP_CSUM    6u

enum { /* RFC 9293 3.1 */
       TCP_FIN = 0x01,
       TCP_SYN = 0x02,
       TCP_RST = 0x04,
       TCP_PSH = 0x08,
       TCP_ACK = 0x10,
       TCP_ECE = 0x40,
       TCP_CWR = 0x80,
};

static inline uint32_t tcp_hdr_len(const uint8_t *h)
{
    return (uint32_t)(h[12] >> 4) * 4;
}

/* Source: virtio 1.2 5.1.6 */
struct vnet {
    uint8_t flags, gso_type;
    uint16_t hdr_len, gso_size, csum_start, csum_offset;
};

enum {
    VNET_NEEDS_CSUM = 0x01,
    VNET_GSO_NONE = 0,
    VNET_GSO_TCPV6 = 4,
    VNET_GSO_UDP_L4 = 5,
    VNET_GSO_ECN = 0x80,
};

static inline uint16_t le16_load(const uint8_t *p)
{
    return (uint16_t)(p[0] | p[1] << 8);
}

static inline void le16_store(uint8_t *p, uint16_t x)
{
    p[0] = (uint8_t)x;
    p[1] = (uint8_t)(x >> 8);
}

static inline struct vnet vnet_load(const uint8_t p[VNET_LEN])
{
    return (struct vnet){
        .flags = p[0],
        .gso_type = p[1],
        .hdr_len = le16_load(p + 2),
        .gso_size = le16_load(p + 4),
        .csum_start = le16_load(p + 6),
        .csum_offset = le16_load(p + 8),
    };
}

static inline void vnet_store(uint8_t p[VNET_LEN], const struct vnet *v)
{
    p[0] = v->flags;
    p[1] = v->gso_type;
    le16_store(p + 2, v->hdr_len);
    le16_store(p + 4, v->gso_size);
    le16_store(p + 6, v->csum_start);
    le16_store(p + 8, v->csum_offset);
}

#endif
