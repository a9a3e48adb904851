/* SPDX-License-Identifier: MIT */
/* same_flow.h - does this packet belong to the flow of the one before?
 *
 * DOC: packets come in runs of one flow, and whatever was decided of the first by its addresses,
 * next header and ports holds for the next. Remembered are only packets with TCP or UDP directly
 * behind the IPv6 header: no extension headers, no ND, no MLD, no fragments. Who remembers forgets
 * (`known = false`) as soon as something is done that may change a table the decision came from;
 * what a decision took from elsewhere (length, hop limit, kind of the message) is compared by the
 * caller.
 */
#ifndef SIXTAP_PROTO_SAME_FLOW_H
#define SIXTAP_PROTO_SAME_FLOW_H

#include "proto/frame.h"

#define FLOW_PORTS   4u                          /* octets: both ports */
#define FLOW_KEY_LEN (2u * IP6_LEN + FLOW_PORTS) /* addresses and ports, one behind the other */

struct same_flow {
    bool known;
    uint8_t nh;
    uint8_t key[FLOW_KEY_LEN];
};

/* same_same_flow_note() - remember the flow of @f, which was checked; or nothing, when it is not of
 * the kind that can be remembered */
static inline void same_flow_note(struct same_flow *fl, const struct frame *f)
{
    fl->known = (f->nh == NH_TCP || f->nh == NH_UDP) && f->upper == IP6_HDR_LEN &&
                f->len >= IP6_HDR_LEN + FLOW_PORTS;
    if (!fl->known)
        return;
    fl->nh = f->nh;
    memcpy(fl->key, f->p + 8, FLOW_KEY_LEN);
}

/* same_same_flow_next() - if the @len octets at @p are a packet of the flow @fl, its length without
 * what stands behind it, as frame_parse() would give it; else 0 */
static inline size_t same_flow_next(const struct same_flow *fl, const uint8_t *p, size_t len)
{
    uint64_t a[4], b[4];
    uint32_t c, d;

    if (!fl->known || len < IP6_HDR_LEN + FLOW_PORTS || p[0] >> 4 != 6 || p[6] != fl->nh)
        return 0;
    size_t pay_len = be16_load(p + 4);
    if (pay_len < FLOW_PORTS || pay_len > len - IP6_HDR_LEN || pay_len > UINT16_MAX - IP6_HDR_LEN)
        return 0;
    memcpy(a, p + 8, sizeof(a));
    memcpy(b, fl->key, sizeof(b));
    memcpy(&c, p + IP6_HDR_LEN, sizeof(c));
    memcpy(&d, fl->key + sizeof(b), sizeof(d));
    uint64_t differ = (a[0] ^ b[0]) | (a[1] ^ b[1]) | (a[2] ^ b[2]) | (a[3] ^ b[3]) | (c ^ d);
    return differ ? 0 : IP6_HDR_LEN + pay_len;
}

#endif
