/* SPDX-License-Identifier: MIT */
/* tun.h - the TUN's MTU and address, and what others do to them
 *
 * DOC: the MTU is that of the widest link of the host, less the overhead, so that jumbo packets
 * reach clients over a jumbo underlay; which of them a client can take is decided packet by packet
 * (Packet Too Big). It is set once: the privilege to change it is given up.
 *
 * Below 1280 octets the kernel takes IPv6 off a device, with its addresses and routes, and gives
 * none of it back when the MTU grows again. So the device is looked at whenever the kernel tells of
 * a change: without IPv6 or without its address it is no uplink, and clients are told so. The
 * address is put back if this process may (CAP_NET_ADMIN, which most routers give up); else the log
 * says what to do, and the uplink works again as soon as it was done.
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
};

/* tun_mtu() - for the TUN: `mtu:`, else as above, INNER_MTU_DEFAULT..INNER_MTU_MAX */
uint32_t tun_mtu(struct nl *nl, const struct router_config *c);

/* tun_address() - our own, as it stands on the TUN */
struct nl_addr tun_address(const struct router_config *c);

/* tun_look() - ask the kernel how the TUN is, and mend what can be mended
 * @c:        without `address` on the TUN (@has_address false) only link and MTU count
 * @ret_mended: was the address put back just now?
 * Return: 0; -ENODEV it is gone; other -errno */
int tun_look(const struct router_config *c, const struct tap *t, bool has_address,
             enum tun_state *ret, bool *ret_mended);

/* tun_report() - log what tun_look() found, if it is news
 * @was: what it was before */
void tun_report(const struct router_config *c, enum tun_state was, enum tun_state is, bool mended);

#endif
