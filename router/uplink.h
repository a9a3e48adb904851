/* SPDX-License-Identifier: MIT */
/* uplink.h - the way out of the segment: the TUN device into the host's IPv6 stack, and what each
 * mode adds to it
 *
 * DOC: the host's kernel is the router between the segment and the rest of the world. The modes:
 * - routed: the prefix leads to this host. The TUN carries the router's own address of the segment,
 *   with the on-link route that leads everything for clients here.
 * - ndproxy: the prefix is on link at the WAN. The router's address is the host's own there; the
 * TUN has none, each client's address is routed into it and announced on the WAN (reach.h).
 * - nat66: as routed, and what leaves for elsewhere takes the host's address (rules.h).
 * - none: no device.
 *
 * The device vanishes with its descriptor, and its address and routes with it. While somebody has
 * set it down, the kernel keeps its address (keep_addr_on_down), because the router may have no
 * privilege left to give it again.
 */
#ifndef SIXTAP_ROUTER_UPLINK_H
#define SIXTAP_ROUTER_UPLINK_H

#include "proto/host/netlink.h"
#include "proto/host/nft.h"
#include "proto/host/tap.h"
#include "proto/wire.h"
#include "router/config.h"
#include "router/reach.h"
#include "router/tun.h"

struct uplink { /* all NULL with `uplink: none` */
    struct tap *tun;
    struct nl_watch *link;               /* what happens to the TUN */
    struct reach *reach;                 /* NULL when the kernel needs to know of no client */
    struct nft *rules;                   /* rules.h; NULL on a kernel without nftables */
    struct nl_addr former[OLD_PREFIXES]; /* of the TUN, deprecated; the newest first */
    unsigned n_former;
};

/* uplink_conclude() - what the configuration leaves to the host: with ndproxy the router's address,
 * which is the host's own, and the addresses that are not for clients; whether the kernel has to
 * hear of clients. Before the engine starts. Return: 0; -EADDRNOTAVAIL or other -errno, logged */
int uplink_conclude(struct router_config *c);

/* uplink_open() - make and configure all of it; what goes wrong is logged, with the command that
 * mends it, and so is every finding about the host (preflight.h)
 * @listed: clients there can be in the configuration    @hash_key: 16 random octets
 * Return: 0 or -errno (logged), *ret is then empty; else uplink_close() it */
int uplink_open(const struct router_config *c, uint32_t listed, const uint8_t *hash_key,
                struct uplink *ret);

/* uplink_sweep() - what a killed router left in the kernel and this one does not want; after @u's
 * reach was told of all clients. The name of the TUN is ours alone while we have it, so another
 * router of this host loses nothing. */
void uplink_sweep(const struct uplink *u);

/* uplink_renumber() - the segment gets the prefix and address of @to in place of those of @c: the
 * TUN has the new address at once, and the old one, deprecated, for as long as @to's `valid:` says,
 * at most two hours. With ndproxy it looks for the host's address in the new prefix (as
 * uplink_conclude() does for @to), and clients' addresses are announced as the engine tells them.
 * Before the engine's change.
 * Return: NULL; else why it stays as it was, for a person: among other things CAP_NET_ADMIN is
 * needed, and kept by the routers alone that tell the kernel of clients (@c->reaches) */
const char *uplink_renumber(struct uplink *u, const struct router_config *c,
                            struct router_config *to);

/* uplink_tun() - what belongs on the TUN now; good until the next call of the above */
struct tun_want uplink_tun(const struct uplink *u, const struct router_config *c);

/* uplink_close() - nothing of it stays in the kernel */
void uplink_close(struct uplink *u);

/* uplink_delegates() - are there prefixes delegated to clients? */
bool uplink_delegates(const struct router_config *c);

#endif
