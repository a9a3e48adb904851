/* SPDX-License-Identifier: MIT */
/* txq.h - packets on their way to members, sealed in runs
 *
 * DOC: whoever decides that a packet goes to a member puts it here with its header room; at the end
 * of the engine's call runs for the same member are sealed in place and become datagrams. Nothing
 * is copied. The packet must not move before the call ends.
 */
#ifndef SIXTAP_ROUTER_TXQ_H
#define SIXTAP_ROUTER_TXQ_H

#include "router/members.h"

#define TXQ_MAX 256u

enum txq_df {
    TXQ_AS_PATH, /* as its MTU_SET says */
    TXQ_WHOLE,
    TXQ_FRAGMENTS, /* both for answers to probes */
};

struct txq {
    struct member *to[TXQ_MAX];
    struct pkt pt[TXQ_MAX]; /* as keyset_seal_run() wants them */
    uint8_t kind[TXQ_MAX];
    uint8_t df[TXQ_MAX]; /* enum txq_df */
    unsigned n;
};

/* txq_host() - an IPv6 packet from the router itself or the uplink
 * @ip: DATA_HDR_LEN octets of room before it, TAG_LEN behind @len
 * Return: DROP_NONE or DROP_NO_ROOM */
enum drop txq_host(struct txq *q, struct member *to, uint8_t *ip, size_t len);

/* txq_peer() - an IPv6 packet of another member, as kind peer
 * @ip: DATA_HDR_LEN + 6 octets of room before it, TAG_LEN behind @len     @src: the sender's MAC */
enum drop txq_peer(struct txq *q, struct member *to, uint8_t *ip, size_t len, struct mac src);

/* txq_multicast() - likewise for a group; @src: the router's MAC or another member's */
enum drop txq_multicast(struct txq *q, struct member *to, uint8_t *ip, size_t len, struct mac src);

/* txq_control() - @len octets of control TLVs at @tlv, DATA_HDR_LEN octets of room before, TAG_LEN
 * behind */
enum drop txq_control(struct txq *q, struct member *to, uint8_t *tlv, size_t len);

/* txq_df() - how the packet put last is sent, with or without DF */
void txq_df(struct txq *q, enum txq_df df);

/* txq_flush() - seal everything and append it to @out; counts what cannot be sent in @drops */
void txq_flush(struct txq *q, mono_ns now, struct out *out, uint64_t *drops);

#endif
