/* SPDX-License-Identifier: MIT */
/* forward.h - where an inner packet goes
 *
 * DOC: delivery is by IPv6 destination; the MAC a client wrote is only a hint that makes the common
 * case one compare. The verdict is a value: the engine carries it out. Packets a client addressed
 * to the router's MAC but that another member owns are routed: their hop limit counts down. The
 * host's kernel is the router between the segment and the uplink, so that hop is its to count.
 *
 * Nothing leads from outside to where the tunnel itself could be: 6to4 and Teredo addresses that
 * stand for the router's own IPv4 address, or for one that no packet from outside may go to (RFC
 * 6324, R65-R67).
 *
 * Standards: RFC 4291 2.5-2.7, RFC 4443 3.1, 3.4, RFC 7084 L-14, RFC 8200 4.2, RFC 4861 7.2, RFC
 * 7610, RFC 7113.
 */
#ifndef SIXTAP_ROUTER_FORWARD_H
#define SIXTAP_ROUTER_FORWARD_H

#include "proto/frame.h"
#include "router/bindings.h"

enum forward_to {
    TO_NOBODY, /* dropped: why */
    TO_MEMBER,
    TO_UPLINK,
    TO_ROUTER,    /* the engine answers itself */
    TO_NEIGHBOR,  /* an ND message: neighbor.h decides */
    TO_LISTENERS, /* multicast: groups.h says who; also_router: the router takes part too */
    TO_QUERIER,   /* an MLD report */
};

struct forward {
    enum forward_to to;
    enum drop why;
    struct member *member;          /* TO_MEMBER */
    bool routed;                    /* TO_MEMBER: came to our MAC, the hop limit counts */
    bool off_link;                  /* TO_MEMBER: into a prefix behind it, so from our MAC too */
    bool stale_mac;                 /* TO_MEMBER: the hint named somebody else */
    bool also_router;               /* TO_LISTENERS */
    uint8_t error_type, error_code; /* ICMPv6 error the sender is owed; type 0: none */
    uint32_t error_param;           /* pointer of a Parameter Problem */
};

/* forward_from_member() - a packet of @m, source not yet checked
 * @kind: enum wire_kind (host, peer, multicast)     @hint: the MAC in front of it (peer)
 * @ret_learned: the source has just been bound (RFC 6620 data trigger) */
struct forward forward_from_member(struct bindings *b, const struct router_config *c,
                                   struct member *m, const struct frame *f, enum wire_kind kind,
                                   struct mac hint, mono_ns now, bool *ret_learned);

/* forward_at_router() - a packet for the engine itself (TO_ROUTER, or a group it takes part in)
 * Return: TO_ROUTER: an echo request, to be answered when it is whole and its checksum right;
 * TO_NOBODY: anything else. Source: RFC 4443 3.1, 3.4; RFC 8200 4 */
struct forward forward_at_router(const struct frame *f);

/* forward_from_uplink() - a packet out of the TUN device */
struct forward forward_from_uplink(struct bindings *b, const struct router_config *c,
                                   const struct frame *f);

#endif
