/* SPDX-License-Identifier: MIT */
/* ip.c - inner packets out of an input, put right as far as the input asks for it */
#include "ip.h"

uint16_t ip_cksum(const uint8_t *p, size_t upper, size_t len, uint8_t nh)
{
    uint32_t sum = (uint32_t)(len - upper) + nh;

    for (size_t i = 8; i < 40; i += 2)
        sum += (uint32_t)(p[i] << 8 | p[i + 1]);
    for (size_t i = upper; i < len; i++)
        sum += (i - upper) % 2 ? p[i] : (uint32_t)p[i] << 8;
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    return (uint16_t)~sum;
}

static void fix_cksum(uint8_t *p, size_t len)
{
    struct frame f;

    if (frame_parse(&f, p, len) != DROP_NONE || f.undecided || f.upper >= f.len)
        return;
    size_t at = f.nh == NH_ICMPV6 ? 2 : f.nh == NH_UDP ? 6 : f.nh == NH_TCP ? 16 : 0;
    if (!at || (size_t)(f.len - f.upper) < at + 2)
        return;
    uint8_t *field = p + f.upper + at;
    field[0] = field[1] = 0;
    uint16_t sum = ip_cksum(p, f.upper, f.len, f.nh);
    be16_store(field, sum == 0 && f.nh == NH_UDP ? 0xFFFF : sum);
}

void ip_fix(uint8_t *p, size_t len, unsigned fix)
{
    if (len < IP6_HDR_LEN)
        return;
    if (fix & FIX_LEN) {
        p[0] = (uint8_t)(0x60 | (p[0] & 15));
        be16_store(p + 4, (uint16_t)(len - IP6_HDR_LEN));
    }
    if (fix & (FIX_HL255 | FIX_HL1))
        p[7] = fix & FIX_HL255 ? 255 : 1;
    if (fix & FIX_CKSUM)
        fix_cksum(p, len);
}

size_t ip_feed(struct feed *f, uint8_t *out, size_t cap)
{
    unsigned fix = feed_u8(f);
    size_t len = feed_chunk(f, out, cap);

    ip_fix(out, len, fix);
    return len;
}

size_t ip_wrap(uint8_t *out, struct ip6 src, struct ip6 dst, uint8_t nh, uint8_t hop_limit,
               size_t len)
{
    memset(out, 0, IP6_HDR_LEN);
    out[0] = 0x60;
    be16_store(out + 4, (uint16_t)len);
    out[6] = nh;
    out[7] = hop_limit;
    memcpy(out + 8, src.b, IP6_LEN);
    memcpy(out + 24, dst.b, IP6_LEN);
    if (nh == NH_ICMPV6)
        fix_cksum(out, IP6_HDR_LEN + len);
    return IP6_HDR_LEN + len;
}

bool ip_view_eq(const struct frame *a, const struct frame *b)
{
    return a->len == b->len && a->upper == b->upper && a->nh == b->nh &&
           a->hop_limit == b->hop_limit && a->tos == b->tos && a->fragment == b->fragment &&
           a->later_fragment == b->later_fragment && a->hopopts == b->hopopts &&
           a->router_alert == b->router_alert && a->undecided == b->undecided &&
           ip6_eq(a->src, b->src) && ip6_eq(a->dst, b->dst);
}
