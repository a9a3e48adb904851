/* SPDX-License-Identifier: MIT */
/* addr.h - the address types everybody shares: endpoint, MAC, IPv6 address, prefix
 *
 * DOC: plain arrays of octets in network order; compared by value, hashed as octets. The arithmetic
 * between them is in mac.h.
 */
#ifndef SIXTAP_PROTO_ADDR_H
#define SIXTAP_PROTO_ADDR_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "proto/be.h"

#define MAC_LEN      6
#define IP6_LEN      16
#define KEY_LEN      32 /* Curve25519 keys, PSKs, AEAD keys */
#define ENDPOINT_LEN 6
#define MAC_TEXT_LEN 18 /* with the final NUL */
#define IP6_TEXT_LEN 46
#define EP_TEXT_LEN  22

/* A public IPv4 address and UDP port. Never a name for anything: NAT moves it. */
struct endpoint {
    be32 ip;
    be16 port;
};
_Static_assert(sizeof(struct endpoint) == ENDPOINT_LEN, "PROTOCOL.md, ENDPOINT");

struct mac {
    uint8_t b[MAC_LEN];
};

struct ip6 {
    uint8_t b[IP6_LEN];
};

struct prefix {
    struct ip6 addr; /* host bits zero */
    uint8_t len;     /* 0..128 */
};

static inline bool endpoint_eq(struct endpoint a, struct endpoint b)
{
    return memcmp(&a, &b, sizeof(a)) == 0;
}

static inline bool mac_eq(struct mac a, struct mac b)
{
    return memcmp(a.b, b.b, MAC_LEN) == 0;
}

static inline bool ip6_eq(struct ip6 a, struct ip6 b)
{
    return memcmp(a.b, b.b, IP6_LEN) == 0;
}

static inline bool prefix_eq(struct prefix a, struct prefix b)
{
    return a.len == b.len && ip6_eq(a.addr, b.addr);
}

static inline struct ip6 ip6_load(const uint8_t *p)
{
    struct ip6 a;
    memcpy(a.b, p, IP6_LEN);
    return a;
}

static inline struct mac mac_load(const uint8_t *p)
{
    struct mac m;
    memcpy(m.b, p, MAC_LEN);
    return m;
}

#endif
