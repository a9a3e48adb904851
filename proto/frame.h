/* SPDX-License-Identifier: MIT */
/* frame.h - a checked view of an inner IPv6 packet
 *
 * DOC: every inner packet is looked at through this view and nothing else. frame_parse() proves
 * that the fixed header is there, that the length is right, and walks the extension headers with a
 * bound, so that ND, MLD and DHCPv6 hidden behind them are recognised. What it cannot decide (the
 * chain or the upper-layer header runs past the end of a first fragment, more than FRAME_EXT_MAX
 * headers) is marked, and the caller drops it where it matters (RFC 7112, RFC 7113).
 *
 * Standards: RFC 8200 3-4, RFC 7112, RFC 7045.
 */
#ifndef SIXTAP_PROTO_FRAME_H
#define SIXTAP_PROTO_FRAME_H

#include <stddef.h>

#include "proto/addr.h"
#include "proto/drop.h"

#define ETH_LEN       14u
#define ETHERTYPE_IP6 0x86ddu
#define IP6_HDR_LEN   40u
#define FRAME_EXT_MAX 8u

/* next header values used here */
enum {
    NH_HOPOPTS = 0,
    NH_TCP = 6,
    NH_UDP = 17,
    NH_IPV6 = 41,
    NH_ROUTING = 43,
    NH_FRAGMENT = 44,
    NH_ESP = 50,
    NH_AH = 51,
    NH_ICMPV6 = 58,
    NH_NONE = 59,
    NH_DSTOPTS = 60,
};

struct frame {
    uint8_t *p;     /* IPv6 header */
    uint16_t len;   /* 40 + payload length; octets behind it (padding) are trimmed from the view */
    uint16_t upper; /* offset of the upper-layer header (undecided: of what could not be walked); ==
                       len when there is none: next header 59, later fragments */
    uint16_t nh_at; /* offset of the Next Header field that says nh */
    uint8_t nh;     /* upper-layer protocol (or NH_NONE; or the undecided header's number) */
    uint8_t hop_limit;
    uint8_t tos;         /* traffic class */
    bool fragment;       /* a Fragment header is in the chain (also an atomic one) */
    bool atomic;         /* every Fragment header says that it is the whole (RFC 6946) */
    bool later_fragment; /* offset > 0: there is no upper-layer header here */
    bool hopopts;        /* has a hop-by-hop header (it is then the first) */
    bool router_alert;   /* that header holds a Router Alert option (RFC 2711) */
    bool undecided;      /* the chain could not be walked to its end */
    struct ip6 src, dst;
};

/* frame_parse() - look at @len octets at @p, which start with an IPv6 header
 * @ret: valid only after DROP_NONE
 * Return: DROP_FRAME_SHORT, DROP_IP_VERSION, DROP_IP_LENGTH (payload length greater than there is,
 * or 0 with a next header other than none, or a jumbo option: jumbograms are not carried; or more
 * than 65 535 octets with the header), DROP_EXT_CHAIN (hop-by-hop not first, header past the end of
 * an unfragmented packet, hop-by-hop option past the end of its header). */
enum drop frame_parse(struct frame *ret, uint8_t *p, size_t len);

/* frame_source_valid() - may @f's source ever be one? Not multicast, ::1, v4-mapped; :: only for
 * ICMPv6 */
bool frame_source_valid(const struct frame *f);

/* frame_is_nd() - RS, RA, NS, NA or Redirect by type (valid or not, fragmented or not) */
bool frame_is_nd(const struct frame *f);

/* frame_is_mld() - MLD query, report v1, done, report v2 */
bool frame_is_mld(const struct frame *f);

/* frame_is_dhcp_server() - UDP from port 547 or to port 546 */
bool frame_is_dhcp_server(const struct frame *f);

/* frame_icmp_type() - ICMPv6 type, or -1 when it is not (readable) ICMPv6 */
int frame_icmp_type(const struct frame *f);

#endif
