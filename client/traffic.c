/* SPDX-License-Identifier: MIT */
/* traffic.c - Ethernet frames of the TAP to DATA and back, in place */
#include "client/traffic.h"

#include "proto/frame.h"
#include "proto/mac.h"

static bool is_group(const uint8_t *mac)
{
    return mac[0] & 0x01;
}

/* The plaintext of the packet of @len octets at @ip: behind the MAC, but for KIND_HOST. */
static struct pkt plaintext(uint8_t *ip, size_t len, enum wire_kind kind, const uint8_t *mac)
{
    if (kind == KIND_HOST)
        return (struct pkt){ .p = ip - DATA_HDR_LEN, .len = (uint32_t)len };
    memcpy(ip - DATA_MAC_LEN, mac, MAC_LEN);
    return (struct pkt){ .p = ip - DATA_MAC_LEN - DATA_HDR_LEN,
                         .len = (uint32_t)(DATA_MAC_LEN + len) };
}

/* Standards: RFC 2464 3 (frame format); PROTOCOL.md 8.3. */
enum drop traffic_up(const struct device_want *w, const struct pkt *f, struct traffic_flow *fl,
                     struct pkt *ret, uint8_t *ret_kind)
{
    struct frame ip;

    if (f->len < ETH_LEN)
        return DROP_FRAME_SHORT;
    size_t next = same_flow_next(&fl->ip, f->p + ETH_LEN, f->len - ETH_LEN);
    if (next && next <= w->mtu && memcmp(f->p, fl->eth, ETH_LEN) == 0) {
        *ret_kind = fl->kind;
        *ret = plaintext(f->p + ETH_LEN, next, (enum wire_kind)fl->kind, fl->mac);
        return DROP_NONE;
    }
    if (be16_load(f->p + 12) != ETHERTYPE_IP6)
        return DROP_ETHERTYPE;
    struct mac dst = mac_load(f->p);
    if (!mac_eq(mac_load(f->p + MAC_LEN), w->mac) || mac_eq(dst, w->mac))
        return DROP_FRAME_MAC;
    enum drop why = frame_parse(&ip, f->p + ETH_LEN, f->len - ETH_LEN);
    if (why != DROP_NONE)
        return why;
    if (ip.len > w->mtu)
        return DROP_TOO_BIG;
    /* A group's MAC follows from the IPv6 destination, so it need not travel. */
    bool group = is_group(dst.b);
    fl->kind = mac_eq(dst, w->router_mac) ? KIND_HOST : group ? KIND_MULTICAST : KIND_PEER;
    memcpy(fl->eth, f->p, ETH_LEN);
    memset(fl->mac, 0, MAC_LEN);
    if (!group)
        memcpy(fl->mac, dst.b, MAC_LEN);
    same_flow_note(&fl->ip, &ip);
    *ret_kind = fl->kind;
    *ret = plaintext(ip.p, ip.len, (enum wire_kind)fl->kind, fl->mac);
    return DROP_NONE;
}

enum drop traffic_down(const struct device_want *w, const struct dgram *d, struct traffic_flow *fl,
                       struct pkt *ret)
{
    enum wire_kind kind = wire_data_kind(d->p);
    size_t mac_len = kind == KIND_HOST ? 0 : DATA_MAC_LEN;
    uint8_t *p = d->p + DATA_HDR_LEN + mac_len, *eth = p - ETH_LEN;
    struct mac src = kind == KIND_HOST ? w->router_mac : mac_load(d->p + DATA_HDR_LEN);
    struct frame ip;

    size_t next = same_flow_next(&fl->ip, p, d->len - DATA_MIN_LEN - mac_len);
    if (next && fl->kind == kind && memcmp(src.b, fl->mac, MAC_LEN) == 0) {
        memcpy(eth, fl->eth, ETH_LEN);
        *ret = (struct pkt){ .p = eth, .len = (uint32_t)(ETH_LEN + next) };
        return DROP_NONE;
    }
    if (!mac_is_unicast(src) || mac_eq(src, w->mac))
        return DROP_FRAME_MAC;
    enum drop why = frame_parse(&ip, p, d->len - DATA_MIN_LEN - mac_len);
    if (why != DROP_NONE)
        return why;
    bool group = ip6_is_multicast(ip.dst);
    if ((kind == KIND_MULTICAST && !group) || (kind == KIND_PEER && group))
        return DROP_DST_INVALID;
    struct mac dst = group ? mac_multicast(ip.dst) : w->mac;
    memcpy(eth, dst.b, MAC_LEN);
    memcpy(eth + MAC_LEN, src.b, MAC_LEN);
    be16_store(eth + 2 * MAC_LEN, ETHERTYPE_IP6);
    *ret = (struct pkt){ .p = eth, .len = ETH_LEN + ip.len };
    fl->kind = (uint8_t)kind;
    memcpy(fl->mac, src.b, MAC_LEN);
    memcpy(fl->eth, eth, ETH_LEN);
    same_flow_note(&fl->ip, &ip);
    return DROP_NONE;
}
