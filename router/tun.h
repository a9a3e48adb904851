/* SPDX-License-Identifier: MIT */
/* tun.h - the TUN's MTU and address, and what others do to them
 *
 * DOC: the MTU is that of the widest link of the host, less the overhead, so that jumbo packets
 * reach clients over a jumbo underlay; which of them a client can take is decided packet by packet
 * (Packet Too Big). It is set once: the privilege to change it is given up.
 *
 * Below 1280 octets the kernel takes IPv6 off a device, with its addresses and routes, and gives
 * none of it back when the MTU grows again. So the device is looked at whenever the kernel tells of
 * a change: without IPv6, its address or the route of the segment's prefix it is no uplink, and
 * clients are told so. Address and route are put back if this process may (CAP_NET_ADMIN, which
 * most routers give up); else the log says what to do, and the uplink works again as soon as it was
 * done. Any route to exactly that prefix through the device will do, in any table. Who puts the TUN
 * into a VRF has routes of his own, which are left alone.
 */
#ifndef SIXTAP_ROUTER_TUN_H
#define SIXTAP_ROUTER_TUN_H

#include "proto/host/netlink.h"
#include "proto/host/tap.h"
#include "router/config.h"

enum tun_state {
    TUN_WORKS,
    TUN_DOWN,       /* no carrier, or set down */
    TUN_NARROW,     /* MTU below 1280: the kernel has no IPv6 on it */
    TUN_NO_ADDRESS, /* our address is missing, and we may not put it back */
    TUN_NO_ROUTE,   /* likewise the route to the segment's prefix */
};

/* what belongs on the TUN */
struct tun_want {
    const struct router_config *conf;
    bool address;                 /* false (ndproxy): no address, and no route of ours here */
    const struct nl_addr *former; /* addresses of former prefixes; they end by themselves */
    unsigned n_former;
};

struct tun_found {
    enum tun_state state;
    bool address_back;        /* was put back just now */
    unsigned n_back;          /* routes that were put back just now */
    struct prefix route_back; /* one of them */
};

/* tun_mtu() - for the TUN: `mtu:`, else as above, INNER_MTU_DEFAULT..INNER_MTU_MAX */
uint32_t tun_mtu(struct nl *nl, const struct router_config *c);

/* tun_address() - our own, as it stands on the TUN */
struct nl_addr tun_address(const struct router_config *c);

/* tun_wants_route() - is @dst a prefix whose on-link route belongs on the TUN? */
bool tun_wants_route(const struct tun_want *w, struct prefix dst);

/* tun_look() - ask the kernel how the TUN is, and mend what can be mended
 * Return: 0; -ENODEV it is gone; other -errno; *ret is untouched then */
int tun_look(const struct tun_want *w, const struct tap *t, struct tun_found *ret);

/* tun_report() - log what tun_look() found, if it is news
 * @was: what it was before */
void tun_report(const struct router_config *c, enum tun_state was, const struct tun_found *found);

#endif
