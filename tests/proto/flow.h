/* SPDX-License-Identifier: MIT */
/* flow.h - frames and superframes of one TCP or UDP flow, each built from scratch */
#ifndef SIXTAP_TESTS_PROTO_FLOW_H
#define SIXTAP_TESTS_PROTO_FLOW_H

#include "pkt.h"
#include "proto/burst.h"

#define FLOW_FRAME_MAX 66000u

struct flow {
    unsigned l2_len;
    uint8_t proto; /* 6 or 17 */
    const char *src, *dst;
    uint16_t sport, dport;
    const uint8_t *ext; /* extension headers, the last one's next header is proto */
    size_t ext_len;
    uint8_t ext_nh;
    const uint8_t *opts; /* TCP options, a multiple of 4 octets */
    size_t opt_len;
    uint32_t seq, ack, label;
    uint16_t window;
    uint8_t tos, hop_limit;
};

/* flow_put() - one complete frame of @f with the @len octets @pay, which lie @at octets into the
 * flow Return: octets at @out */
size_t flow_put(const struct flow *f, uint8_t *out, uint32_t at, uint8_t flags, const uint8_t *pay,
                size_t len);

/* flow_super() - the same as a superframe: virtio header, checksum left open (only the
 * pseudo-header's sum in its field) */
struct super flow_super(const struct flow *f, uint8_t *out, uint8_t flags, uint16_t gso_size,
                        const uint8_t *pay, size_t len);

/* flow_upper() - offset of the TCP or UDP header; flow_hdr() - of the payload */
size_t flow_upper(const struct flow *f);
size_t flow_hdr(const struct flow *f);

#endif
