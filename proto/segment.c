/* SPDX-License-Identifier: MIT */
/* segment.c - superframes cut into ordinary frames */
#include "proto/segment.h"

#include "proto/cksum.h"
#include "proto/frame.h"
#include "proto/segment_internal.h"

/* ---- looking at a superframe ---- */

/* A checksum left open: the sum of the pseudo-header is in its field already (virtio 1.2 5.1.6.2).
 * Zero is written as its other form, because for UDP it would mean "none" (RFC 8200 8.1). */
static enum drop complete_checksum(const struct vnet *v, uint8_t *p, uint32_t len, unsigned l2_len)
{
    uint32_t field = (uint32_t)v->csum_start + v->csum_offset;

    if (v->csum_start < l2_len || field + 2 > len)
        return DROP_VNET;
    uint16_t sum = cksum_fold(cksum_add(0, p + v->csum_start, len - v->csum_start));
    be16_store(p + field, sum ? sum : 0xFFFF);
    return DROP_NONE;
}

/* find_upper() - to the TCP or UDP header behind a bounded chain of extension headers
 * @ret_routed: a Routing header is among them, so the pseudo-header has another destination */
static enum drop find_upper(struct segment_cut *c, bool *ret_routed)
{
    uint32_t off = c->l2_len + IP6_HDR_LEN;
    uint8_t nh = c->p[c->l2_len + 6];

    uint32_t end = off + SEGMENT_EXT_MAX;

    *ret_routed = false;
    for (unsigned i = 0; nh != NH_TCP && nh != NH_UDP; i++) {
        if (nh == NH_FRAGMENT)
            return DROP_FRAG;
        if (nh != NH_ROUTING && nh != NH_DSTOPTS && !(nh == NH_HOPOPTS && i == 0))
            return DROP_VNET;
        if (i == FRAME_EXT_MAX || c->len - off < 8)
            return DROP_EXT_CHAIN;
        uint32_t ext_len = ((uint32_t)c->p[off + 1] + 1) * 8;
        if (c->len - off < ext_len || end - off < ext_len)
            return DROP_EXT_CHAIN;
        *ret_routed |= nh == NH_ROUTING;
        nh = c->p[off];
        off += ext_len;
    }
    c->proto = nh;
    c->l4 = (uint16_t)off;
    return DROP_NONE;
}

/* look_upper() - lengths of the TCP or UDP header, and does it agree with the virtio header? */
static enum drop look_upper(struct segment_cut *c, const struct vnet *v)
{
    uint8_t type = v->gso_type & (uint8_t)~VNET_GSO_ECN;
    bool tcp = c->proto == NH_TCP;
    const uint8_t *h = c->p + c->l4;
    uint32_t len = tcp ? TCP_HDR_MIN : UDP_HDR_LEN;

    if (type != (tcp ? VNET_GSO_TCPV6 : VNET_GSO_UDP_L4) || (!tcp && v->gso_type != type))
        return DROP_VNET;
    if (c->len - c->l4 < len)
        return DROP_FRAME_SHORT;
    if (tcp) {
        len = tcp_hdr_len(h);
        if (len < TCP_HDR_MIN || (h[13] & (TCP_SYN | TCP_RST)))
            return DROP_VNET;
        c->seq = be32_load(h + 4);
        c->tcp_flags = h[13];
    }
    if (c->len - c->l4 <= len)
        return DROP_FRAME_SHORT; /* a superframe without payload is none */
    if ((v->flags & VNET_NEEDS_CSUM) &&
        (v->csum_start != c->l4 || v->csum_offset != (tcp ? TCP_CSUM : UDP_CSUM)))
        return DROP_VNET;
    c->hdr_len = (uint16_t)(c->l4 + len);
    return DROP_NONE;
}

/* The pseudo-header without its length. Behind a Routing header the final destination is not in the
 * IPv6 header (RFC 8200 8.1), but in the sum that the kernel has put into the field. */
static enum drop sum_pseudo(struct segment_cut *c, const struct vnet *v, bool routed)
{
    const uint8_t *ip = c->p + c->l2_len, *h = c->p + c->l4;
    bool tcp = c->proto == NH_TCP;

    if (!routed) {
        c->sum = cksum_add(c->proto, ip + 8, 2 * IP6_LEN);
        return DROP_NONE;
    }
    if (!(v->flags & VNET_NEEDS_CSUM))
        return DROP_EXT_CHAIN;
    uint16_t l4_len = tcp ? (uint16_t)(c->len - c->l4) : be16_load(h + 4);
    c->sum = (uint64_t)be16_load(h + (tcp ? TCP_CSUM : UDP_CSUM)) + (uint16_t)~l4_len;
    return DROP_NONE;
}

/* Add the TCP or UDP header without what differs from frame to frame, and that is put in later:
 * sequence number and flags, or length, and the checksum. */
static void sum_header(struct segment_cut *c)
{
    uint8_t h[TCP_HDR_MAX];
    size_t len = (size_t)(c->hdr_len - c->l4);

    memcpy(h, c->p + c->l4, len);
    if (c->proto == NH_TCP) {
        be32_store(h + 4, 0);
        h[13] = 0;
        be16_store(h + TCP_CSUM, 0);
    } else {
        be16_store(h + 4, 0);
        be16_store(h + UDP_CSUM, 0);
    }
    c->sum = cksum_add(c->sum, h, len);
}

static enum drop look_gso(struct segment_cut *c, const struct vnet *v)
{
    const uint8_t *ip = c->p + c->l2_len;
    bool routed;

    if (v->gso_size == 0)
        return DROP_VNET;
    if (c->len < c->l2_len + IP6_HDR_LEN)
        return DROP_FRAME_SHORT;
    if (c->l2_len && be16_load(ip - 2) != ETHERTYPE_IP6)
        return DROP_ETHERTYPE;
    if (ip[0] >> 4 != 6)
        return DROP_IP_VERSION;
    if (c->len != c->l2_len + IP6_HDR_LEN + be16_load(ip + 4))
        return DROP_IP_LENGTH;
    enum drop why = find_upper(c, &routed);
    if (why == DROP_NONE)
        why = look_upper(c, v);
    if (why == DROP_NONE)
        why = sum_pseudo(c, v, routed);
    if (why == DROP_NONE) {
        sum_header(c);
        c->gso_size = v->gso_size;
        c->off = c->hdr_len;
    }
    return why;
}

enum drop segment_cut_open(struct segment_cut *c, const struct super *s, unsigned l2_len)
{
    struct vnet v = vnet_load(s->vnet);
    enum drop why = DROP_NONE;

    *c =
        (struct segment_cut){ .p = s->p, .len = s->len, .l2_len = (uint16_t)l2_len, .first = true };
    if (v.gso_type != VNET_GSO_NONE)
        why = s->len > SEGMENT_FRAME_MAX ? DROP_VNET : look_gso(c, &v);
    else if (v.flags & VNET_NEEDS_CSUM)
        why = complete_checksum(&v, s->p, s->len, l2_len);
    if (why != DROP_NONE)
        c->off = c->len; /* done */
    return why;
}

/* ---- cutting ---- */

/* One frame: headers, and @seg octets of payload from c->off, to @f.
 * FIN and PSH belong to the last segment, CWR to the first (RFC 3168 6.1.2). */
static void put_frame(struct segment_cut *c, uint8_t *f, uint32_t seg)
{
    uint8_t *h = f + c->l4;
    uint32_t l4_len = c->hdr_len - c->l4 + seg;
    size_t field = c->proto == NH_TCP ? TCP_CSUM : UDP_CSUM;
    uint64_t sum = c->sum + l4_len; /* of the pseudo-header */

    memcpy(f, c->p, c->hdr_len);
    be16_store(f + c->l2_len + 4, (uint16_t)(c->l4 - c->l2_len - IP6_HDR_LEN + l4_len));
    if (c->proto == NH_TCP) {
        uint8_t flags = c->tcp_flags;
        if (c->off + seg < c->len)
            flags &= (uint8_t) ~(TCP_FIN | TCP_PSH);
        if (!c->first)
            flags &= (uint8_t)~TCP_CWR;
        be32_store(h + 4, c->seq);
        h[13] = flags;
        sum += (uint64_t)(c->seq >> 16) + (c->seq & 0xFFFF) + flags;
    } else {
        be16_store(h + 4, (uint16_t)l4_len);
        sum += l4_len;
    }
    uint16_t folded = cksum_fold(cksum_copy(sum, f + c->hdr_len, c->p + c->off, seg));
    if (folded == 0 && c->proto == NH_UDP)
        folded = 0xFFFF; /* RFC 8200 8.1: zero would mean none */
    be16_store(h + field, folded);
    c->first = false;
    c->seq += seg;
    c->off += seg;
}

unsigned segment_cut_next(struct segment_cut *c, struct segment_arena *a, struct pkt *out,
                          unsigned cap)
{
    unsigned n = 0;

    if (c->gso_size == 0 && cap > 0 && !segment_cut_done(c)) {
        out[n++] = (struct pkt){ .p = c->p, .len = c->len };
        c->off = c->len;
    }
    while (n < cap && !segment_cut_done(c)) {
        uint32_t left = c->len - c->off, seg = left < c->gso_size ? left : c->gso_size;
        size_t room = c->l2_len ? PKT_ROOM_TAP : PKT_ROOM_TUN, len = c->hdr_len + seg;

        if (a->len - a->used < room + len + PKT_ROOM_BEHIND)
            break;
        uint8_t *f = a->p + a->used + room;
        put_frame(c, f, seg);
        out[n++] = (struct pkt){ .p = f, .len = (uint32_t)len };
        a->used += room + len + PKT_ROOM_BEHIND;
    }
    return n;
}

/* ---- several ---- */

struct segment_feed segment_feed_of(const struct super *s, unsigned n, unsigned l2_len,
                                    uint64_t *drops)
{
    return (struct segment_feed){ .s = s, .n = n, .l2_len = l2_len, .drops = drops };
}

bool segment_feed_done(const struct segment_feed *f)
{
    return f->n == 0 && segment_cut_done(&f->cut);
}

unsigned segment_feed_next(struct segment_feed *f, struct segment_arena *a, struct pkt *out,
                           unsigned cap)
{
    unsigned n = 0;

    for (;;) {
        n += segment_cut_next(&f->cut, a, out + n, cap - n);
        if (!segment_cut_done(&f->cut) || n == cap || f->n == 0)
            return n;
        enum drop why = segment_cut_open(&f->cut, f->s, f->l2_len);
        if (why != DROP_NONE)
            f->drops[why]++;
        f->s++;
        f->n--;
    }
}
