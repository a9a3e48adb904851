/* SPDX-License-Identifier: MIT */
/* nd.h - Neighbor Discovery messages: one validator, one builder per message
 *
 * DOC: nd_parse() makes every check of RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2 and 8.1 and RFC 6980
 * before any field may be used. Unknown options are skipped by length (they must be), a zero-length
 * option or one past the end invalidates the message. Stricter than the RFC on one point: a
 * link-layer address option of another length than Ethernet's, or two that differ, invalidate it
 * too, so that no receiver can read another MAC than the guard has checked. It decides nothing
 * else: which solicitation gets which answer is the router's business (router/neighbor).
 *
 * Standards: RFC 4861 4, 6.1, 7.1, 8.1; RFC 6980 5; RFC 7527 (nonce); RFC 4191 2 (preference,
 * routes); RFC 8106 5 (RDNSS, DNSSL).
 */
#ifndef SIXTAP_PROTO_ND_H
#define SIXTAP_PROTO_ND_H

#include "proto/frame.h"
#include "proto/wire.h"

enum nd_type {
    ND_RS = 133,
    ND_RA = 134,
    ND_NS = 135,
    ND_NA = 136,
    ND_REDIRECT = 137,
};

#define ND_NA_R 0x80
#define ND_NA_S 0x40
#define ND_NA_O 0x20

struct nd { /* a valid message */
    enum nd_type type;
    struct ip6 src, dst;
    struct ip6 target; /* NS, NA, Redirect */
    uint8_t flags;     /* NA: ND_NA_*; RA: M, O, preference octet as received */
    bool has_lla;      /* RS, NS, RA: source link-layer address option; NA, Redirect: target's */
    struct mac lla;
    bool has_nonce; /* NS: the six-octet nonce of RFC 7527; longer ones are skipped */
    uint8_t nonce[6];
    uint8_t hop_limit;   /* RA */
    uint16_t lifetime_s; /* RA: router lifetime */
    uint32_t mtu;        /* RA: MTU option as received, 0 none */
};

/* nd_parse() - validate the ND message in @f (frame_is_nd() holds)
 * Return: DROP_NONE; DROP_ND_FRAG (any Fragment header), DROP_CKSUM, DROP_ND_INVALID. Source: see
 * above. */
enum drop nd_parse(struct nd *ret, const struct frame *f);

#define ND_NS_LEN     32u /* ICMPv6 part, with a link-layer address option; 24 without */
#define ND_NA_LEN     32u
#define ND_RS_LEN     16u
#define ND_PACKET_MAX 1280u

/* nd_build_na() - a whole IPv6 packet with a Neighbor Advertisement, hop limit 255
 * @out: IP6_HDR_LEN + ND_NA_LEN (72) octets, any alignment
 * @flags: ND_NA_*       @lla: target link-layer address option
 * Return: octets written (72). Source: RFC 4861 4.4. */
size_t nd_build_na(uint8_t *out, struct ip6 src, struct ip6 dst, struct ip6 target, uint8_t flags,
                   struct mac lla);

/* nd_build_ns() - a Neighbor Solicitation; @slla NULL: no option (it must be when @src is ::, DAD).
 * @nonce NULL or 6 octets.
 * @out: 80 octets. Return: octets written. Source: RFC 4861 4.3, RFC 7527. */
size_t nd_build_ns(uint8_t *out, struct ip6 src, struct ip6 dst, struct ip6 target,
                   const struct mac *slla, const uint8_t *nonce);

/* nd_build_rs() - a Router Solicitation; @slla NULL: no option (it must be when @src is ::).
 * @out: 56 octets. Return: octets written. Source: RFC 4861 4.1. */
size_t nd_build_rs(uint8_t *out, struct ip6 src, struct ip6 dst, const struct mac *slla);

struct nd_old_prefix { /* one that is gone (RFC 7084 L-13) */
    struct prefix prefix;
    uint32_t valid_s;
};

struct nd_ra {           /* what a Router Advertisement says */
    uint8_t hop_limit;   /* Cur Hop Limit, 0 unspecified */
    uint16_t lifetime_s; /* router lifetime, 0: not a default router */
    int8_t preference; /* -1 low, 0 medium, 1 high; of the default router (sent as 0 when lifetime_s
                          is 0) and of the routes */
    uint32_t reachable_ms, retrans_ms; /* 0: unspecified */
    struct mac slla;
    uint32_t mtu;         /* 0: no option */
    struct prefix prefix; /* len 0: no option */
    bool on_link, autonomous;
    uint32_t valid_s, preferred_s;   /* the lesser of both is sent as preferred */
    const struct nd_old_prefix *old; /* with the same flags, preferred for 0 s */
    unsigned n_old;
    const struct prefix *route; /* RFC 4191, lifetime route_s each */
    unsigned n_route;
    uint32_t route_s;
    const struct ip6 *dns; /* RFC 8106, one option */
    unsigned n_dns;
    uint32_t dns_s;
    const char (*search)[SEARCH_LEN + 1]; /* RFC 8106 DNSSL, one option */
    unsigned n_search; /* a text that is no domain name is left out; lifetime dns_s */
};

/* nd_build_ra() - a whole IPv6 packet with a Router Advertisement, hop limit 255
 * @out: ND_PACKET_MAX octets. Return: octets written; options that do not fit are left out whole;
 * prefixes get the room first, then routes, then dns, then search. Source: RFC 4861 4.2, 6.2.3; RFC
 * 4191 2.3; RFC 8106 5. */
size_t nd_build_ra(uint8_t *out, struct ip6 src, struct ip6 dst, const struct nd_ra *ra);

#endif
