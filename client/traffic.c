/* SPDX-License-Identifier: MIT */
/* traffic.c - Ethernet frames of the TAP to DATA and back, in place */
#include "client/traffic.h"

#include "proto/frame.h"
#include "proto/mac.h"

static bool is_group(const uint8_t *mac)
{
    return mac[0] & 0x01;
}

/* Standards: RFC 2464 3 (frame format); PROTOCOL.md 8.3. */
enum drop traffic_up(const struct device_want *w, const struct pkt *f, struct pkt *ret,
                     uint8_t *ret_kind)
{
    struct frame ip;

    if (f->len < ETH_LEN)
        return DROP_FRAME_SHORT;
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
    if (mac_eq(dst, w->router_mac)) {
        *ret_kind = KIND_HOST;
        *ret = (struct pkt){ .p = ip.p - DATA_HDR_LEN, .len = ip.len };
        return DROP_NONE;
    }
    /* A group's MAC follows from the IPv6 destination, so it need not travel. */
    bool group = is_group(dst.b);
    *ret_kind = group ? KIND_MULTICAST : KIND_PEER;
    if (group)
        memset(dst.b, 0, MAC_LEN);
    memcpy(ip.p - DATA_MAC_LEN, dst.b, MAC_LEN);
    *ret = (struct pkt){ .p = ip.p - DATA_MAC_LEN - DATA_HDR_LEN, .len = DATA_MAC_LEN + ip.len };
    return DROP_NONE;
}

enum drop traffic_down(const struct device_want *w, const struct dgram *d, struct pkt *ret)
{
    enum wire_kind kind = wire_data_kind(d->p);
    size_t mac_len = kind == KIND_HOST ? 0 : DATA_MAC_LEN;
    uint8_t *p = d->p + DATA_HDR_LEN + mac_len;
    struct mac src = kind == KIND_HOST ? w->router_mac : mac_load(d->p + DATA_HDR_LEN);
    struct frame ip;

    if (!mac_is_unicast(src) || mac_eq(src, w->mac))
        return DROP_FRAME_MAC;
    enum drop why = frame_parse(&ip, p, d->len - DATA_MIN_LEN - mac_len);
    if (why != DROP_NONE)
        return why;
    bool group = ip6_is_multicast(ip.dst);
    if ((kind == KIND_MULTICAST && !group) || (kind == KIND_PEER && group))
        return DROP_DST_INVALID;
    struct mac dst = group ? mac_multicast(ip.dst) : w->mac;
    uint8_t *eth = p - ETH_LEN;
    memcpy(eth, dst.b, MAC_LEN);
    memcpy(eth + MAC_LEN, src.b, MAC_LEN);
    be16_store(eth + 2 * MAC_LEN, ETHERTYPE_IP6);
    *ret = (struct pkt){ .p = eth, .len = ETH_LEN + ip.len };
    return DROP_NONE;
}
