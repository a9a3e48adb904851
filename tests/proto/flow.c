/* SPDX-License-Identifier: MIT */
/* flow.c - frames and superframes of one TCP or UDP flow */
#include "flow.h"

size_t flow_upper(const struct flow *f)
{
    return f->l2_len + 40 + f->ext_len;
}

size_t flow_hdr(const struct flow *f)
{
    return flow_upper(f) + (f->proto == 6 ? 20 + f->opt_len : 8);
}

static void put_ip(const struct flow *f, uint8_t *out, size_t plen)
{
    static const uint8_t eth[14] = { 2, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 0x86, 0xdd };
    uint8_t *ip = out + f->l2_len;

    memcpy(out, eth, f->l2_len);
    be32_store(ip, 6u << 28 | (uint32_t)f->tos << 20 | f->label);
    be16_store(ip + 4, (uint16_t)plen);
    ip[6] = f->ext_len ? f->ext_nh : f->proto;
    ip[7] = f->hop_limit;
    struct ip6 src = pkt_ip6(f->src), dst = pkt_ip6(f->dst);
    memcpy(ip + 8, src.b, 16);
    memcpy(ip + 24, dst.b, 16);
    if (f->ext_len)
        memcpy(ip + 40, f->ext, f->ext_len);
}

size_t flow_put(const struct flow *f, uint8_t *out, uint32_t at, uint8_t flags, const uint8_t *pay,
                size_t len)
{
    size_t upper = flow_upper(f), hdr = flow_hdr(f);
    uint8_t *h = out + upper;
    size_t field = f->proto == 6 ? 16 : 6;

    put_ip(f, out, hdr - f->l2_len - 40 + len);
    be16_store(h, f->sport);
    be16_store(h + 2, f->dport);
    if (f->proto == 6) {
        be32_store(h + 4, f->seq + at);
        be32_store(h + 8, f->ack);
        h[12] = (uint8_t)((20 + f->opt_len) / 4 << 4);
        h[13] = flags;
        be16_store(h + 14, f->window);
        be16_store(h + 18, 0);
        if (f->opt_len)
            memcpy(h + 20, f->opts, f->opt_len);
    } else {
        be16_store(h + 4, (uint16_t)(8 + len));
    }
    be16_store(h + field, 0);
    if (len)
        memcpy(out + hdr, pay, len);
    uint16_t sum = pkt_cksum(out + f->l2_len, upper - f->l2_len, hdr + len - f->l2_len, f->proto);
    be16_store(h + field, sum || f->proto == 6 ? sum : 0xFFFF);
    return hdr + len;
}

struct super flow_super(const struct flow *f, uint8_t *out, uint8_t flags, uint16_t gso_size,
                        const uint8_t *pay, size_t len)
{
    struct super s = { .p = out, .len = (uint32_t)flow_put(f, out, 0, flags, pay, len) };
    size_t upper = flow_upper(f), hdr = flow_hdr(f), l4_len = s.len - upper;
    uint8_t *ip = out + f->l2_len, field = f->proto == 6 ? 16 : 6;
    uint32_t sum = (uint32_t)l4_len + f->proto;

    for (size_t i = 8; i < 40; i += 2)
        sum += be16_load(ip + i);
    while (sum >> 16)
        sum = (sum & 0xFFFF) + (sum >> 16);
    be16_store(out + upper + field, (uint16_t)sum);
    memcpy(s.vnet,
           (uint8_t[VNET_LEN]){ 1, f->proto == 6 ? 4 : 5, (uint8_t)hdr, (uint8_t)(hdr >> 8),
                                (uint8_t)gso_size, (uint8_t)(gso_size >> 8), (uint8_t)upper,
                                (uint8_t)(upper >> 8), field, 0 },
           VNET_LEN);
    if (flags & 0x80)
        s.vnet[1] |= 0x80;
    return s;
}
