/* SPDX-License-Identifier: MIT */
/* frame.c - a checked view of an inner IPv6 packet */
#include "proto/frame.h"
#include "proto/mac.h"

#define FRAG_LEN      8u
#define FRAG_OFFSET   0xFFF8u
#define FRAG_MORE     0x0001u
#define OPT_PAD1      0x00u
#define OPT_ALERT     0x05u
#define OPT_ALERT_LEN 2u
#define OPT_JUMBO     0xC2u

/* Is @nh an extension header the walk goes over? ESP ends it: what follows is ciphertext. */
static bool ext_known(uint8_t nh)
{
    return nh == NH_HOPOPTS || nh == NH_DSTOPTS || nh == NH_ROUTING || nh == NH_FRAGMENT ||
           nh == NH_AH;
}

/* Octets of the extension header @nh at @h, of which @left are there; 0 when that is too few. */
static size_t ext_len(uint8_t nh, const uint8_t *h, size_t left)
{
    size_t need;

    if (left < 8)
        return 0; /* every one of them has at least 8 */
    if (nh == NH_FRAGMENT)
        need = FRAG_LEN;
    else if (nh == NH_AH)
        need = ((size_t)h[1] + 2) * 4; /* RFC 4302 2.2: in units of 4 octets, minus 2 */
    else
        need = ((size_t)h[1] + 1) * 8;
    return need <= left ? need : 0;
}

/* Looks through the options of the hop-by-hop header @h of @len octets. */
static enum drop hopopts_scan(struct frame *f, const uint8_t *h, size_t len)
{
    for (size_t off = 2; off < len;) {
        if (h[off] == OPT_PAD1) {
            off++;
            continue;
        }
        if (len - off < 2 || len - off - 2 < h[off + 1])
            return DROP_EXT_CHAIN;
        if (h[off] == OPT_JUMBO)
            return DROP_IP_LENGTH; /* RFC 2675: jumbograms are not carried, and none is this short
                                    */
        if (h[off] == OPT_ALERT && h[off + 1] == OPT_ALERT_LEN)
            f->router_alert = true;
        off += 2u + h[off + 1];
    }
    return DROP_NONE;
}

/* Octets of an upper-layer header a first fragment must hold, so that what it is can be decided
 * (RFC 7112 5). */
static size_t upper_min(uint8_t nh)
{
    switch (nh) {
    case NH_ICMPV6:
        return 4;
    case NH_UDP:
        return 8;
    case NH_TCP:
        return 20;
    default:
        return 0;
    }
}

/* Marks the Fragment header at @h; true when more fragments follow. */
static bool frag_mark(struct frame *f, const uint8_t *h)
{
    uint16_t word = be16_load(h + 2);
    f->atomic = (word & (FRAG_OFFSET | FRAG_MORE)) == 0 && (!f->fragment || f->atomic);
    f->fragment = true;
    f->later_fragment = (word & FRAG_OFFSET) != 0;
    return (word & FRAG_MORE) != 0;
}

/* Walks the extension headers from f->nh at offset 40 on: sets nh, upper and the marks. */
static enum drop walk(struct frame *f)
{
    size_t off = IP6_HDR_LEN;
    unsigned n_ext = 0;
    bool more = false; /* a first fragment: what is missing may be in the next */

    for (; ext_known(f->nh); n_ext++) {
        const uint8_t *h = f->p + off;
        size_t len = ext_len(f->nh, h, f->len - off);

        if (f->nh == NH_HOPOPTS && n_ext > 0)
            return DROP_EXT_CHAIN; /* RFC 8200 4.1: immediately after the IPv6 header only */
        if (!len && !more)
            return DROP_EXT_CHAIN;
        if (!len || n_ext == FRAME_EXT_MAX) {
            f->undecided = true;
            break;
        }
        if (f->nh == NH_HOPOPTS) {
            f->hopopts = true;
            enum drop d = hopopts_scan(f, h, len);
            if (d != DROP_NONE)
                return d;
        }
        if (f->nh == NH_FRAGMENT)
            more |= frag_mark(f, h);
        f->nh = h[0];
        f->nh_at = (uint16_t)off;
        off += len;
        if (f->later_fragment)
            break;
    }
    if (more && !f->later_fragment && f->len - off < upper_min(f->nh))
        f->undecided = true;
    f->upper = f->later_fragment || f->nh == NH_NONE ? f->len : (uint16_t)off;
    return DROP_NONE;
}

enum drop frame_parse(struct frame *ret, uint8_t *p, size_t len)
{
    if (len < IP6_HDR_LEN)
        return DROP_FRAME_SHORT;
    if (p[0] >> 4 != 6)
        return DROP_IP_VERSION;

    size_t pay_len = be16_load(p + 4);
    /* 0 would be a jumbogram, unless nothing follows; a view is at most 65 535 octets long, header
     * included. */
    if (pay_len > len - IP6_HDR_LEN || pay_len > UINT16_MAX - IP6_HDR_LEN ||
        (pay_len == 0 && p[6] != NH_NONE))
        return DROP_IP_LENGTH;

    *ret = (struct frame){
        .p = p,
        .len = (uint16_t)(IP6_HDR_LEN + pay_len),
        .nh = p[6],
        .nh_at = 6,
        .hop_limit = p[7],
        .tos = (uint8_t)(p[0] << 4 | p[1] >> 4),
        .src = ip6_load(p + 8),
        .dst = ip6_load(p + 24),
    };
    return walk(ret);
}

int frame_icmp_type(const struct frame *f)
{
    return f->nh == NH_ICMPV6 && f->upper < f->len ? f->p[f->upper] : -1;
}

bool frame_source_valid(const struct frame *f)
{
    if (ip6_is_unspecified(f->src))
        return frame_icmp_type(f) >= 0;
    return !ip6_is_multicast(f->src) && !ip6_is_loopback(f->src) && !ip6_is_v4mapped(f->src);
}

bool frame_is_nd(const struct frame *f)
{
    int type = frame_icmp_type(f);
    return type >= 133 && type <= 137;
}

bool frame_is_mld(const struct frame *f)
{
    int type = frame_icmp_type(f);
    return (type >= 130 && type <= 132) || type == 143;
}

bool frame_is_dhcp_server(const struct frame *f)
{
    if (f->nh != NH_UDP || f->len - f->upper < 4)
        return false;
    return be16_load(f->p + f->upper) == 547 || be16_load(f->p + f->upper + 2) == 546;
}
