/* SPDX-License-Identifier: MIT */
/* mac.c - endpoint <-> MAC <-> IPv6 address, by arithmetic; stable interface identifiers */
#include "proto/mac.h"

#include <arpa/inet.h>
#include <assert.h>
#include <sodium.h>
#include <stdio.h>

#define FOLD_MASK 0xFCu /* what of the first octet survives */
#define LOCAL_BIT 0x02u /* U/L: locally administered */
#define GROUP_BIT 0x01u /* I/G */
#define IID_LEN   8u

const struct ip6 ip6_all_nodes = { { 0xFF, 0x02, [15] = 1 } };
const struct ip6 ip6_all_routers = { { 0xFF, 0x02, [15] = 2 } };
const struct ip6 ip6_unspecified = { { 0 } };

/* ---- endpoint <-> MAC ---- */

struct mac mac_of_endpoint(struct endpoint ep)
{
    uint8_t o0 = (uint8_t)((ep.ip.b[0] & FOLD_MASK) | LOCAL_BIT);
    return (struct mac){ { o0, ep.ip.b[1], ep.ip.b[2], ep.ip.b[3], ep.port.b[0], ep.port.b[1] } };
}

unsigned mac_candidates(struct mac m, struct endpoint ret[4])
{
    if ((m.b[0] & (LOCAL_BIT | GROUP_BIT)) != LOCAL_BIT)
        return 0;
    for (unsigned low = 0; low < 4; low++) {
        ret[low].ip = (be32){ { (uint8_t)((m.b[0] & FOLD_MASK) | low), m.b[1], m.b[2], m.b[3] } };
        ret[low].port = (be16){ { m.b[4], m.b[5] } };
    }
    return 4;
}

bool mac_is_unicast(struct mac m)
{
    static const struct mac zero;
    return !(m.b[0] & GROUP_BIT) && !mac_eq(m, zero);
}

struct mac mac_assigned(uint64_t rnd)
{
    struct mac m;
    /* 111xxx10: the eight first octets that 224..255 fold to; three bits of choice are left there.
     */
    m.b[0] = (uint8_t)(0xE0u | ((rnd >> 40 & 7) << 2) | LOCAL_BIT);
    for (unsigned i = 1; i < MAC_LEN; i++)
        m.b[i] = (uint8_t)(rnd >> (8 * (5 - i)));
    return m;
}

bool mac_is_assigned(struct mac m)
{
    return (m.b[0] & (0xE0u | LOCAL_BIT | GROUP_BIT)) == (0xE0u | LOCAL_BIT);
}

/* ---- MAC <-> address ---- */

void mac_eui64(uint8_t *iid, struct mac m)
{
    const uint8_t id[IID_LEN] = {
        (uint8_t)(m.b[0] ^ LOCAL_BIT), m.b[1], m.b[2], 0xFF, 0xFE, m.b[3], m.b[4], m.b[5]
    };
    memcpy(iid, id, IID_LEN);
}

bool mac_of_eui64(const uint8_t *iid, struct mac *ret)
{
    if (iid[3] != 0xFF || iid[4] != 0xFE)
        return false;
    *ret =
        (struct mac){ { (uint8_t)(iid[0] ^ LOCAL_BIT), iid[1], iid[2], iid[5], iid[6], iid[7] } };
    return true;
}

struct ip6 mac_link_local(struct mac m)
{
    return mac_address((struct prefix){ .addr = { { 0xFE, 0x80 } }, .len = 64 }, m);
}

struct ip6 mac_address(struct prefix prefix, struct mac m)
{
    assert(prefix.len <= 64);
    struct ip6 a = ip6_mask(prefix.addr, prefix.len);
    mac_eui64(a.b + IID_LEN, m);
    return a;
}

struct mac mac_multicast(struct ip6 group)
{
    const uint8_t *low = group.b + 12;
    return (struct mac){ { 0x33, 0x33, low[0], low[1], low[2], low[3] } };
}

/* ---- stable identifiers ---- */

bool iid_allowed(struct ip6 a, unsigned plen)
{
    static const uint8_t anycast[IID_LEN] = { 0xFD, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x80 };
    const uint8_t *iid = a.b + IID_LEN;
    struct mac m;

    struct ip6 head = ip6_mask(a, plen < 64 ? 64 : plen);
    struct ip6 one = head;
    one.b[IP6_LEN - 1] |= 1;
    if (ip6_eq(a, head) || ip6_eq(a, one))
        return false; /* ::0 is the subnet-router anycast address, ::1 by habit the router's own */
    if (plen > 64)
        return true; /* what follows is about identifiers of 64 bits */
    /* The range 0200:5eff:fe00:0 to 0200:5eff:feff:ffff of the registry has the shape of an EUI-64
     * too. */
    if (mac_of_eui64(iid, &m))
        return false;
    return memcmp(iid, anycast, 7) != 0 || iid[7] < anycast[7];
}

bool iid_stable(const uint8_t *secret, const uint8_t *client, struct prefix prefix, uint32_t try,
                struct ip6 *ret)
{
    struct ip6 net = ip6_mask(prefix.addr, prefix.len);
    uint8_t in[KEY_LEN + IP6_LEN + 1 + 4];
    struct ip6 hash;

    assert(prefix.len <= 126);
    memcpy(in, client, KEY_LEN);
    memcpy(in + KEY_LEN, net.b, IP6_LEN);
    in[KEY_LEN + IP6_LEN] = prefix.len;
    be32_store(in + KEY_LEN + IP6_LEN + 1, try);
    crypto_generichash(hash.b, sizeof(hash.b), in, sizeof(in), secret, KEY_LEN);

    /* The prefix above, the hash in the low bits: at most 64 of them, so a shorter prefix means its
     * first /64. */
    struct ip6 above = ip6_mask(hash, prefix.len < 64 ? 64 : prefix.len);
    struct ip6 a;
    for (unsigned i = 0; i < IP6_LEN; i++)
        a.b[i] = (uint8_t)(net.b[i] | (hash.b[i] ^ above.b[i]));
    if (!iid_allowed(a, prefix.len))
        return false;
    *ret = a;
    return true;
}

/* ---- IPv6 addresses ---- */

bool ip6_is_unspecified(struct ip6 a)
{
    return ip6_eq(a, ip6_unspecified);
}

bool ip6_is_loopback(struct ip6 a)
{
    static const struct ip6 loopback = { { [15] = 1 } };
    return ip6_eq(a, loopback);
}

bool ip6_is_multicast(struct ip6 a)
{
    return a.b[0] == 0xFF;
}

bool ip6_is_link_local(struct ip6 a)
{
    return a.b[0] == 0xFE && (a.b[1] & 0xC0) == 0x80;
}

bool ip6_is_v4mapped(struct ip6 a)
{
    static const struct prefix mapped = { .addr = { { [10] = 0xFF, [11] = 0xFF } }, .len = 96 };
    return ip6_in(a, mapped);
}

bool ip6_in(struct ip6 a, struct prefix p)
{
    return ip6_eq(ip6_mask(a, p.len), ip6_mask(p.addr, p.len));
}

bool ip6_routable(struct prefix p)
{
    static const struct prefix none[] = {
        { .addr = { { 0xFF } }, .len = 8 },
        { .addr = { { 0xFE, 0x80 } }, .len = 10 },
        { .len = 127 }, /* :: and ::1 */
        { .addr = { { [10] = 0xFF, [11] = 0xFF } }, .len = 96 },
    };

    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
        if (p.len >= none[i].len && ip6_in(p.addr, none[i]))
            return false;
    return true;
}

struct ip6 ip6_mask(struct ip6 a, unsigned len)
{
    for (unsigned i = 0; i < IP6_LEN; i++) {
        unsigned keep = len > 8 * i ? len - 8 * i : 0; /* bits of this octet */
        if (keep < 8)
            a.b[i] &= (uint8_t)(0xFF00u >> keep);
    }
    return a;
}

struct ip6 ip6_solicited_node(struct ip6 a)
{
    return (struct ip6){
        { 0xFF, 0x02, [11] = 0x01, [12] = 0xFF, [13] = a.b[13], [14] = a.b[14], [15] = a.b[15] }
    };
}

/* ---- text ---- */

char *mac_text(char buf[MAC_TEXT_LEN], struct mac m)
{
    (void)snprintf(buf, MAC_TEXT_LEN, "%02x:%02x:%02x:%02x:%02x:%02x", m.b[0], m.b[1], m.b[2],
                   m.b[3], m.b[4], m.b[5]);
    return buf;
}

char *ip6_text(char buf[IP6_TEXT_LEN], struct ip6 a)
{
    const char *text = inet_ntop(AF_INET6, a.b, buf, IP6_TEXT_LEN);
    assert(text);
    (void)text;
    return buf;
}

char *endpoint_text(char buf[EP_TEXT_LEN], struct endpoint ep)
{
    (void)snprintf(buf, EP_TEXT_LEN, "%u.%u.%u.%u:%u", ep.ip.b[0], ep.ip.b[1], ep.ip.b[2],
                   ep.ip.b[3], (unsigned)be16_get(ep.port));
    return buf;
}
