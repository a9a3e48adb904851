/* SPDX-License-Identifier: MIT */
/* nd.c - Neighbor Discovery messages: one validator, one builder per message */
#include "proto/nd.h"

#include <assert.h>

#include "proto/cksum.h"
#include "proto/mac.h"

#define HOP_LIMIT 255u /* "the packet could not possibly have been forwarded by a router" */

/* RFC 4861 4.6, RFC 3971 5.3.2, RFC 4191 2.3, RFC 8106 5 */
enum nd_option {
    OPT_SLLA = 1,
    OPT_TLLA = 2,
    OPT_PREFIX = 3,
    OPT_MTU = 5,
    OPT_NONCE = 14,
    OPT_ROUTE = 24,
    OPT_RDNSS = 25,
    OPT_DNSSL = 31,
};

#define OPT_UNIT     8u /* option lengths count in this many octets */
#define PREFIX_L     0x80u
#define PREFIX_A     0x40u
#define PREF_LOW     0x18u /* RFC 4191 2.1, in place; 0x10 is reserved and never sent */
#define PREF_HIGH    0x08u
#define LABEL_MAX    63u
#define DNSSL_FIXED  8u
#define NS_FIXED     24u
#define RS_FIXED     8u
#define REDIRECT_MIN 40u

_Static_assert(SEARCH_LEN <= 253,
               "RFC 1035 2.3.4: with lengths and root a name has at most 255 octets");

/* ---- parse ---- */

/* What the message of a type must at least hold, and which link-layer address option it carries. */
struct shape {
    size_t min_len;
    enum nd_option lla;
};

static const struct shape shapes[] = {
    { RS_FIXED, OPT_SLLA },     /* ND_RS, the first type */
    { 16, OPT_SLLA },           /* ND_RA */
    { NS_FIXED, OPT_SLLA },     /* ND_NS */
    { NS_FIXED, OPT_TLLA },     /* ND_NA */
    { REDIRECT_MIN, OPT_TLLA }, /* ND_REDIRECT */
};

/* One option of @len octets (>= 8), type and length included; false when it makes the message
 * invalid. */
static bool option_take(struct nd *m, enum nd_option lla, const uint8_t *o, size_t len)
{
    if (o[0] == lla) {
        struct mac mac = mac_load(o + 2);
        /* Two that differ, or one of another length: a receiver might read them otherwise than the
         * guard does. */
        if (len != OPT_UNIT || (m->has_lla && !mac_eq(m->lla, mac)))
            return false;
        m->has_lla = true;
        m->lla = mac;
    } else if (o[0] == OPT_MTU && m->type == ND_RA) {
        if (len != OPT_UNIT)
            return false;
        m->mtu = be32_load(o + 4);
    } else if (o[0] == OPT_NONCE && m->type == ND_NS && len == OPT_UNIT) {
        m->has_nonce = true; /* longer ones are legal; nobody here compares them */
        memcpy(m->nonce, o + 2, sizeof(m->nonce));
    }
    /* RFC 4861 7.1.1: "The contents of any defined options that are not specified to be used with
     * Neighbor Solicitation messages MUST be ignored and the packet processed as normal." */
    return true;
}

static bool options_take(struct nd *m, enum nd_option lla, struct rd r)
{
    while (rd_left(&r) > 0) {
        const uint8_t *o = r.p + r.off;
        size_t len = rd_left(&r) >= 2 ? (size_t)o[1] * OPT_UNIT : 0;
        /* RFC 4861 4.6: "Nodes MUST silently discard an ND packet that contains an option with
         * length zero." */
        if (len == 0 || !rd_bytes(&r, len) || !option_take(m, lla, o, len))
            return false;
    }
    return true;
}

static bool is_solicited_node(struct ip6 a)
{
    return ip6_eq(a, ip6_solicited_node(a));
}

/* The checks that are about one message: RFC 4861 6.1.1, 6.1.2, 7.1.1, 7.1.2, 8.1 in this order. */
static bool message_valid(const struct nd *m, const uint8_t *icmp)
{
    bool from_nobody = ip6_is_unspecified(m->src);

    switch (m->type) {
    case ND_RS:
        return !(from_nobody && m->has_lla);
    case ND_RA:
        return ip6_is_link_local(m->src);
    case ND_NS:
        if (from_nobody && (m->has_lla || !is_solicited_node(m->dst)))
            return false;
        return !ip6_is_multicast(m->target);
    case ND_NA:
        if (ip6_is_multicast(m->dst) && (m->flags & ND_NA_S))
            return false;
        return !ip6_is_multicast(m->target);
    case ND_REDIRECT: {
        struct ip6 about = ip6_load(icmp + NS_FIXED); /* its Destination Address */
        if (!ip6_is_link_local(m->src) || ip6_is_multicast(about))
            return false;
        return ip6_is_link_local(m->target) || ip6_eq(m->target, about);
    }
    }
    return false;
}

enum drop nd_parse(struct nd *ret, const struct frame *f)
{
    if (!frame_is_nd(f))
        return DROP_ND_INVALID;
    if (f->fragment)
        return DROP_ND_FRAG;

    const uint8_t *icmp = f->p + f->upper;
    size_t len = (size_t)(f->len - f->upper);
    const struct shape *shape = &shapes[icmp[0] - ND_RS];
    if (f->hop_limit != HOP_LIMIT || len < shape->min_len || icmp[1] != 0)
        return DROP_ND_INVALID;
    if (cksum_upper(f->p, NH_ICMPV6, icmp, len) != 0)
        return DROP_CKSUM;

    struct nd m = { .type = (enum nd_type)icmp[0], .src = f->src, .dst = f->dst };
    if (m.type == ND_RA) {
        m.hop_limit = icmp[4];
        m.flags = icmp[5];
        m.lifetime_s = be16_load(icmp + 6);
    } else if (m.type != ND_RS) {
        m.target = ip6_load(icmp + 8);
        m.flags = m.type == ND_NA ? icmp[4] & (ND_NA_R | ND_NA_S | ND_NA_O) : 0;
    }
    if (!options_take(&m, shape->lla, rd_of(icmp + shape->min_len, len - shape->min_len)))
        return DROP_ND_INVALID;
    if (!message_valid(&m, icmp))
        return DROP_ND_INVALID;
    *ret = m;
    return DROP_NONE;
}

/* ---- build ---- */

/* Opens a packet of at most @cap octets at @out: IPv6 header (length open), ICMPv6 type, the rest
 * of its first four. */
static struct wr packet_open(uint8_t *out, size_t cap, struct ip6 src, struct ip6 dst,
                             enum nd_type type)
{
    struct wr w = wr_of(out, cap);
    wr_u32(&w, UINT32_C(6) << 28);
    wr_u16(&w, 0);
    wr_u8(&w, NH_ICMPV6);
    wr_u8(&w, HOP_LIMIT);
    wr_bytes(&w, src.b, IP6_LEN);
    wr_bytes(&w, dst.b, IP6_LEN);
    wr_u8(&w, (uint8_t)type);
    wr_zero(&w, 3);
    return w;
}

/* Fills in length and checksum. Returns the octets of the packet. */
static size_t packet_close(struct wr *w)
{
    assert(!w->bad);
    uint8_t *icmp = w->p + IP6_HDR_LEN;
    size_t len = w->off - IP6_HDR_LEN;
    be16_store(w->p + 4, (uint16_t)len);
    be16_store(icmp + 2, cksum_upper(w->p, NH_ICMPV6, icmp, len));
    return w->off;
}

static void put_lla(struct wr *w, enum nd_option type, struct mac mac)
{
    wr_u8(w, (uint8_t)type);
    wr_u8(w, 1);
    wr_bytes(w, mac.b, MAC_LEN);
}

size_t nd_build_na(uint8_t *out, struct ip6 src, struct ip6 dst, struct ip6 target, uint8_t flags,
                   struct mac lla)
{
    struct wr w = packet_open(out, IP6_HDR_LEN + ND_NA_LEN, src, dst, ND_NA);
    wr_u8(&w, flags);
    wr_zero(&w, 3);
    wr_bytes(&w, target.b, IP6_LEN);
    put_lla(&w, OPT_TLLA, lla);
    return packet_close(&w);
}

size_t nd_build_ns(uint8_t *out, struct ip6 src, struct ip6 dst, struct ip6 target,
                   const struct mac *slla, const uint8_t *nonce)
{
    assert(!slla || !ip6_is_unspecified(src));
    struct wr w = packet_open(out, IP6_HDR_LEN + ND_NS_LEN + OPT_UNIT, src, dst, ND_NS);
    wr_zero(&w, 4);
    wr_bytes(&w, target.b, IP6_LEN);
    if (slla)
        put_lla(&w, OPT_SLLA, *slla);
    if (nonce) {
        wr_u8(&w, OPT_NONCE);
        wr_u8(&w, 1);
        wr_bytes(&w, nonce, 6);
    }
    return packet_close(&w);
}

size_t nd_build_rs(uint8_t *out, struct ip6 src, struct ip6 dst, const struct mac *slla)
{
    assert(!slla || !ip6_is_unspecified(src));
    struct wr w = packet_open(out, IP6_HDR_LEN + ND_RS_LEN, src, dst, ND_RS);
    wr_zero(&w, 4);
    if (slla)
        put_lla(&w, OPT_SLLA, *slla);
    return packet_close(&w);
}

static uint8_t preference_bits(int8_t preference)
{
    return preference < 0 ? PREF_LOW : preference > 0 ? PREF_HIGH : 0;
}

/* Prefix Information. Source: RFC 4861 4.6.2 */
static void put_prefix(struct wr *w, const struct nd_ra *ra, struct prefix p, uint32_t valid_s,
                       uint32_t preferred_s)
{
    struct ip6 net = ip6_mask(p.addr, p.len);
    wr_u8(w, OPT_PREFIX);
    wr_u8(w, 4);
    wr_u8(w, p.len);
    wr_u8(w, (uint8_t)((ra->on_link ? PREFIX_L : 0) | (ra->autonomous ? PREFIX_A : 0)));
    wr_u32(w, valid_s);
    /* RFC 4861 6.2.1: the preferred lifetime "MUST NOT be larger than AdvValidLifetime" */
    wr_u32(w, preferred_s < valid_s ? preferred_s : valid_s);
    wr_zero(w, 4);
    wr_bytes(w, net.b, IP6_LEN);
}

/* Route Information: no octets of prefix for ::/0, 8 up to /64, 16 above. Source: RFC 4191 2.3 */
static void put_route(struct wr *w, const struct nd_ra *ra, struct prefix route)
{
    size_t n = route.len == 0 ? 0 : route.len <= 64 ? 8 : 16;
    if (w->len - w->off < OPT_UNIT + n)
        return;
    struct ip6 net = ip6_mask(route.addr, route.len);
    wr_u8(w, OPT_ROUTE);
    wr_u8(w, (uint8_t)((OPT_UNIT + n) / OPT_UNIT));
    wr_u8(w, route.len);
    wr_u8(w, preference_bits(ra->preference));
    wr_u32(w, ra->route_s);
    wr_bytes(w, net.b, n);
}

/* Recursive DNS Server: a length of 1 + 2n. Source: RFC 8106 5.1 */
static void put_rdnss(struct wr *w, const struct nd_ra *ra)
{
    size_t room = (w->len - w->off) / OPT_UNIT; /* below 160, so the length fits its octet */
    if (ra->n_dns == 0 || 1u + 2u * ra->n_dns > room)
        return;
    wr_u8(w, OPT_RDNSS);
    wr_u8(w, (uint8_t)(1u + 2u * ra->n_dns));
    wr_zero(w, 2);
    wr_u32(w, ra->dns_s);
    wr_bytes(w, ra->dns, ra->n_dns * IP6_LEN);
}

/* Writes @name as labels of RFC 1035 3.1 to @w; false, and @w as it was, when it is no domain name
 * or there is no room. A dot at the end is fine. */
static bool put_name(struct wr *w, const char *name)
{
    struct wr save = *w;
    do {
        size_t n = strcspn(name, ".");
        if (n == 0 || n > LABEL_MAX)
            w->bad = true;
        wr_u8(w, (uint8_t)n);
        wr_bytes(w, name, n);
        name += n + (name[n] == '.');
    } while (*name && !w->bad);
    wr_u8(w, 0);
    if (!w->bad)
        return true;
    *w = save;
    return false;
}

/* DNS Search List: the names behind one another, zeros to a multiple of 8. A name that is none is
 * left out, as is the whole option when a good one does not fit. Source: RFC 8106 5.2 */
static void put_dnssl(struct wr *w, const struct nd_ra *ra)
{
    uint8_t names[ND_PACKET_MAX];
    struct wr n = wr_of(names, sizeof(names));
    for (unsigned i = 0; i < ra->n_search; i++)
        (void)put_name(&n, ra->search[i]);
    size_t padded = (n.off + OPT_UNIT - 1) / OPT_UNIT * OPT_UNIT;
    if (n.off == 0 || w->len - w->off < DNSSL_FIXED + padded)
        return;
    wr_u8(w, OPT_DNSSL);
    wr_u8(w, (uint8_t)((DNSSL_FIXED + padded) / OPT_UNIT));
    wr_zero(w, 2);
    wr_u32(w, ra->dns_s);
    wr_bytes(w, names, n.off);
    wr_zero(w, padded - n.off);
}

size_t nd_build_ra(uint8_t *out, struct ip6 src, struct ip6 dst, const struct nd_ra *ra)
{
    struct wr w = packet_open(out, ND_PACKET_MAX, src, dst, ND_RA);
    wr_u8(&w, ra->hop_limit);
    /* RFC 4191 2.2: "If the Router Lifetime value is zero, the preference value MUST be set to
     * (00)" */
    wr_u8(&w, ra->lifetime_s ? preference_bits(ra->preference) : 0);
    wr_u16(&w, ra->lifetime_s);
    wr_u32(&w, ra->reachable_ms);
    wr_u32(&w, ra->retrans_ms);
    put_lla(&w, OPT_SLLA, ra->slla);
    if (ra->mtu) {
        wr_u8(&w, OPT_MTU);
        wr_u8(&w, 1);
        wr_zero(&w, 2);
        wr_u32(&w, ra->mtu);
    }
    if (ra->prefix.len)
        put_prefix(&w, ra, ra->prefix, ra->valid_s, ra->preferred_s);
    for (unsigned i = 0; i < ra->n_old; i++)
        put_prefix(&w, ra, ra->old[i].prefix, ra->old[i].valid_s, 0);
    for (unsigned i = 0; i < ra->n_route; i++)
        put_route(&w, ra, ra->route[i]);
    put_rdnss(&w, ra);
    put_dnssl(&w, ra);
    return packet_close(&w);
}
