/* SPDX-License-Identifier: MIT */
/* drop.h - why a packet was dropped: one reason, one counter, one name
 *
 * DOC: the packet path returns enum drop; DROP_NONE is success. Both daemons count by reason and
 * show the counters by these names (`status`). A reason says what was wrong with the packet, not
 * where.
 */
#ifndef SIXTAP_PROTO_DROP_H
#define SIXTAP_PROTO_DROP_H

/* X(symbol, name, help) */
#define DROP_LIST(X)                                                                               \
    X(NONE, "none", "not dropped")                                                                 \
    /* outer datagrams */                                                                          \
    X(RUNT, "runt", "shorter than any message")                                                    \
    X(TYPE, "type", "unknown type, version, kind or reserved bits")                                \
    X(LENGTH, "length", "length does not fit the message type")                                    \
    X(SOURCE_EP, "source_endpoint", "outer source address or port that cannot be a peer")          \
    X(MAC1, "mac1", "LOGIN without knowledge of the router's public key")                          \
    X(MAC2, "mac2", "LOGIN under load without a valid cookie")                                     \
    X(LOGIN_RATE, "login_rate", "LOGIN above a rate limit")                                        \
    X(LOGIN_OPEN, "login_open", "LOGIN that does not open")                                        \
    X(LOGIN_PAYLOAD, "login_payload", "LOGIN with a malformed payload")                            \
    X(UNKNOWN_KEY, "unknown_key", "LOGIN of a key that may not log in")                            \
    X(LOGIN_STALE, "login_stale", "LOGIN without the fresh cookie it needs")                       \
    X(REPLY_OPEN, "reply_open", "LOGIN_REPLY or COOKIE that does not open")                        \
    X(REPLY_UNASKED, "reply_unasked", "LOGIN_REPLY, COOKIE or NUDGE nobody waits for")             \
    X(INDEX, "unknown_index", "DATA for an index that names no keypair")                           \
    X(REPLAY, "replay", "DATA seen before or older than the window")                               \
    X(OPEN, "open", "DATA that does not open")                                                     \
    X(EXPIRED, "keypair_expired", "keypair too old or used up")                                    \
    X(CONTROL, "control", "malformed control message")                                             \
    X(FULL, "table_full", "a bounded table is full")                                               \
    X(NO_ROOM, "no_room", "output burst or arena is full")                                         \
    /* inner packets */                                                                            \
    X(ETHERTYPE, "ethertype", "frame that is not IPv6")                                            \
    X(FRAME_SHORT, "frame_short", "shorter than its headers")                                      \
    X(VNET, "virtio_header", "superframe whose virtio header does not fit it")                     \
    X(FRAME_MAC, "frame_mac", "Ethernet source or destination that has no place here")             \
    X(IP_VERSION, "ip_version", "not version 6")                                                   \
    X(IP_LENGTH, "ip_length", "payload length does not fit the packet")                            \
    X(EXT_CHAIN, "extension_chain", "extension headers malformed, too many or undecidable")        \
    X(OPTION, "option", "unknown option that asks for the packet to be discarded")                 \
    X(ROUTING, "routing_header", "Routing header with segments left, addressed to the router")     \
    X(FRAG, "fragment", "fragment that must not be taken")                                         \
    X(TOO_BIG, "too_big", "larger than the receiver's MTU")                                        \
    X(SRC_INVALID, "source_invalid", "source address that can never be one")                       \
    X(SRC_GUARD, "source_guard", "source address not bound to the member")                         \
    X(SRC_SEGMENT, "source_segment", "segment source from the uplink")                             \
    X(DST_INVALID, "destination_invalid", "destination that can never be one")                     \
    X(DST_SELF, "destination_self", "addressed to its own sender")                                 \
    X(NO_OWNER, "no_owner", "destination in the segment that nobody owns")                         \
    X(NO_SERVICE, "no_service", "to the router itself, which does not speak that")                 \
    X(SCOPE, "scope", "beyond the scope of the source address")                                    \
    X(NO_UPLINK, "no_uplink", "destination outside the segment and no uplink")                     \
    X(MULTICAST, "multicast", "multicast that is not carried")                                     \
    X(MULTICAST_RATE, "multicast_rate", "multicast above a client's rate, or too much under way")  \
    X(ISOLATED, "isolated", "between clients, with isolate: true")                                 \
    X(MLD_INVALID, "mld_invalid", "MLD message that fails a check")                                \
    X(HOP_LIMIT, "hop_limit", "hop limit used up")                                                 \
    X(NOT_UP, "not_up", "no router or no carrier")                                                 \
    X(CKSUM, "checksum", "wrong ICMPv6 checksum")                                                  \
    X(ND_INVALID, "nd_invalid", "ND message that fails an RFC 4861 check")                         \
    X(ND_FRAG, "nd_fragment", "ND behind a Fragment header (RFC 6980)")                            \
    X(ND_ROLE, "nd_role", "RA, Redirect, DHCPv6 server or MLD query from a client")                \
    X(ND_GUARD, "nd_guard", "ND about an address or MAC of somebody else")                         \
    X(ND_UNKNOWN, "nd_unknown", "solicitation for a target nobody owns")                           \
    X(ND_RATE, "nd_rate", "solicitation or advertisement above a client's rate")                   \
    X(ICMP_RATE, "icmp_rate", "ICMPv6 error not sent: rate limit or RFC 4443 2.4(e)")              \
    X(BINDINGS, "bindings_full", "no binding left for a new address of this member")               \
    X(AMPLIFY, "unproven_endpoint", "would exceed 3x the octets an unproven endpoint sent")        \
    X(TX, "transmit", "the kernel did not take it")

enum drop {
#define X(sym, name, help) DROP_##sym,
    DROP_LIST(X)
#undef X
        DROP_COUNT
};

/* drop_name() - the counter's name in status output, [a-z0-9_]+; never NULL for values below
 * DROP_COUNT */
const char *drop_name(enum drop d);

/* drop_help() - one line for a person */
const char *drop_help(enum drop d);

#endif
