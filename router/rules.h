/* SPDX-License-Identifier: MIT */
/* rules.h - what the kernel's packet filter does for the router: one table of its own (nft.h)
 *
 * DOC: two chains. `martians` drops what others forward to clients in the name of the router's own
 * address: in the TUN it looks like the host's own words, so the engine cannot tell; the kernel
 * can, since it forwards the one and not the other. Its counter is in `nft list table ip6
 * sixtap-DEVICE`. `postrouting`, with nat66 alone, gives what clients send to elsewhere an address
 * of the host. Former prefixes of the segment count as long as the TUN has them (uplink.h).
 */
#ifndef SIXTAP_ROUTER_RULES_H
#define SIXTAP_ROUTER_RULES_H

#include "proto/host/netlink.h"
#include "proto/host/nft.h"
#include "router/config.h"

/* rules_open() - make the table; what goes wrong is logged
 * @ret: nft_close() it, which takes the table away; NULL where there is none
 * Return: 0, also for a kernel without nftables that is needed for no nat66; -errno */
int rules_open(const struct router_config *c, struct nft **ret);

/* rules_set() - @c has another prefix or address now
 * @former: addresses of the router in former prefixes, @n (0..OLD_PREFIXES) of them
 * Return: as nft_replace() */
int rules_set(struct nft *nft, const struct router_config *c, const struct nl_addr *former,
              unsigned n);

#endif
