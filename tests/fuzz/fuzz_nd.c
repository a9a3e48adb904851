/* SPDX-License-Identifier: MIT */
/* fuzz_nd.c - Neighbor Discovery: parse, build from what was read, parse again; adverts built from
 * the input, read back
 *
 * Input: one octet, even: ip_feed(), a packet; odd: the fields of an nd_ra.
 */
#include <stdlib.h>

#include "ip.h"
#include "proto/mac.h"
#include "proto/nd.h"

#define PACKET_MAX 2048u

static struct ip6 feed_ip6(struct feed *in)
{
    struct ip6 a;
    feed_bytes(in, a.b, IP6_LEN);
    return a;
}

static bool parse(uint8_t *p, size_t len, struct nd *ret)
{
    struct frame f;
    return frame_parse(&f, p, len) == DROP_NONE && frame_is_nd(&f) &&
           nd_parse(ret, &f) == DROP_NONE;
}

static void check_same(const struct nd *a, const struct nd *b)
{
    FUZZ_CHECK(a->type == b->type && ip6_eq(a->src, b->src) && ip6_eq(a->dst, b->dst));
    FUZZ_CHECK(ip6_eq(a->target, b->target) && a->flags == b->flags);
    FUZZ_CHECK(a->has_lla == b->has_lla && (!a->has_lla || mac_eq(a->lla, b->lla)));
    FUZZ_CHECK(a->has_nonce == b->has_nonce);
    FUZZ_CHECK(!a->has_nonce || memcmp(a->nonce, b->nonce, sizeof(a->nonce)) == 0);
    FUZZ_CHECK(a->hop_limit == b->hop_limit && a->lifetime_s == b->lifetime_s && a->mtu == b->mtu);
}

/* A message that says what @m says: with the module's builders where they can, else by hand. */
static size_t build(uint8_t *b, const struct nd *m, const uint8_t *icmp)
{
    uint8_t *o = b + IP6_HDR_LEN;
    size_t n = 16;

    if (m->type == ND_RS)
        return nd_build_rs(b, m->src, m->dst, m->has_lla ? &m->lla : NULL);
    if (m->type == ND_NS)
        return nd_build_ns(b, m->src, m->dst, m->target, m->has_lla ? &m->lla : NULL,
                           m->has_nonce ? m->nonce : NULL);
    if (m->type == ND_NA && m->has_lla)
        return nd_build_na(b, m->src, m->dst, m->target, m->flags, m->lla);
    memset(o, 0, 64);
    o[0] = (uint8_t)m->type;
    if (m->type == ND_RA) {
        o[4] = m->hop_limit;
        o[5] = m->flags;
        be16_store(o + 6, m->lifetime_s);
    } else {
        o[4] = m->flags;
        memcpy(o + 8, m->target.b, IP6_LEN);
        n = 24;
    }
    if (m->type == ND_REDIRECT) {
        memcpy(o + 24, icmp + 24, IP6_LEN);
        n = 40;
    }
    if (m->has_lla) {
        o[n] = m->type == ND_RA ? 1 : 2;
        o[n + 1] = 1;
        memcpy(o + n + 2, m->lla.b, MAC_LEN);
        n += 8;
    }
    if (m->mtu) {
        o[n] = 5;
        o[n + 1] = 1;
        be32_store(o + n + 4, m->mtu);
        n += 8;
    }
    return ip_wrap(b, m->src, m->dst, NH_ICMPV6, 255, n);
}

static void packet(struct feed *in)
{
    static uint8_t raw[PACKET_MAX];
    uint8_t b[128];
    struct frame f;
    struct nd m, again;

    size_t n = ip_feed(in, raw, sizeof(raw));
    uint8_t *p = fuzz_exact(raw, n);
    if (frame_parse(&f, p, n) == DROP_NONE) {
        bool ok = nd_parse(&m, &f) == DROP_NONE;
        FUZZ_CHECK(!ok || frame_is_nd(&f));
        if (ok) {
            /* what RFC 4861 asks of all of them */
            FUZZ_CHECK(p[7] == 255 && !f.fragment && p[f.upper + 1] == 0);
            FUZZ_CHECK(ip_cksum(p, f.upper, f.len, NH_ICMPV6) == 0);
            FUZZ_CHECK(!ip6_is_unspecified(m.src) || !m.has_lla || m.type == ND_NA);
            FUZZ_CHECK(!ip6_is_multicast(m.target));
            n = build(b, &m, p + f.upper);
            FUZZ_CHECK(n <= sizeof(b) && parse(b, n, &again));
            check_same(&m, &again);
        }
    }
    free(p);
}

/* Counts the options of a message; each must be whole. */
static unsigned options(const uint8_t *o, size_t len, uint8_t type)
{
    unsigned n = 0;

    while (len > 0) {
        FUZZ_CHECK(len >= 8 && o[1] && 8u * o[1] <= len);
        n += o[0] == type;
        len -= 8u * o[1];
        o += 8u * o[1];
    }
    return n;
}

static void advert(struct feed *in)
{
    static struct prefix route[ROUTES_MAX];
    static struct ip6 dns[DNS_MAX];
    static char search[SEARCH_MAX][SEARCH_LEN + 1];
    uint8_t *b = malloc(ND_PACKET_MAX);
    struct nd m;
    struct nd_ra ra = {
        .hop_limit = feed_u8(in),
        .lifetime_s = feed_u16(in),
        .preference = (int8_t)((int)feed_below(in, 3) - 1),
        .mtu = feed_u32(in),
        .on_link = feed_u8(in) & 1,
        .autonomous = feed_u8(in) & 1,
        .valid_s = feed_u32(in),
        .preferred_s = feed_u32(in),
        .route = route,
        .n_route = feed_below(in, ROUTES_MAX + 1),
        .route_s = feed_u32(in),
        .dns = dns,
        .n_dns = feed_below(in, DNS_MAX + 1),
        .dns_s = feed_u32(in),
        .search = (const char(*)[SEARCH_LEN + 1]) search,
        .n_search = feed_below(in, SEARCH_MAX + 1),
    };
    FUZZ_CHECK(b);
    feed_bytes(in, ra.slla.b, MAC_LEN);
    ra.prefix.len = (uint8_t)feed_below(in, 129);
    ra.prefix.addr = ip6_mask(feed_ip6(in), ra.prefix.len);
    for (unsigned i = 0; i < ra.n_route; i++) {
        route[i].len = (uint8_t)(1 + feed_below(in, 128));
        route[i].addr = ip6_mask(feed_ip6(in), route[i].len);
    }
    for (unsigned i = 0; i < ra.n_dns; i++)
        dns[i] = feed_ip6(in);
    for (unsigned i = 0; i < ra.n_search; i++) {
        size_t n = feed_below(in, SEARCH_LEN + 1);
        feed_bytes(in, search[i], n);
        search[i][n] = 0;
    }
    struct ip6 src = mac_link_local(ra.slla), dst = ip6_all_nodes;
    size_t n = nd_build_ra(b, src, dst, &ra);
    FUZZ_CHECK(n <= ND_PACKET_MAX && parse(b, n, &m) && m.type == ND_RA);
    FUZZ_CHECK(m.has_lla && mac_eq(m.lla, ra.slla) && m.mtu == ra.mtu);
    FUZZ_CHECK(m.hop_limit == ra.hop_limit && m.lifetime_s == ra.lifetime_s);
    FUZZ_CHECK((m.flags & 0xE7) == 0 && (m.flags & 0x18) != 0x10);
    FUZZ_CHECK(options(b + 56, n - 56, 3) == (ra.prefix.len ? 1u : 0u));
    FUZZ_CHECK(options(b + 56, n - 56, 24) <= ra.n_route);
    FUZZ_CHECK(options(b + 56, n - 56, 25) <= 1 && options(b + 56, n - 56, 31) <= 1);
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };

    if (feed_u8(&in) & 1)
        advert(&in);
    else
        packet(&in);
    return 0;
}
