/* SPDX-License-Identifier: MIT */
/* reach.h - what the host's kernel must know of clients that are on line
 *
 * DOC: with a routed prefix the kernel needs to know of no client: all of it leads into the TUN.
 * Delegated prefixes need a route into the TUN each, and where the prefix is on link at the WAN
 * (ndproxy) each client's address needs a /128 and a proxy Neighbor Discovery entry, so that the
 * provider's router finds it. All of it is there only while the client is.
 *
 * Per member slot this keeps what the kernel was told; reach_set() changes the difference. An
 * address may pass from one slot to another in any order of calls: the slot that set it last keeps
 * it. Routes vanish with the TUN; proxy entries on the WAN do not, so those a killed router left
 * are swept by reach_open(). Failures are logged, limited; the client is then not reachable from
 * outside, nothing else. What it set on the WAN is put back the same way (switches.h).
 *
 * A prefix that is delegated to a listed client is routed to this host also while the client is off
 * line, and the host's default route would send it back where it came from, until the hop limit of
 * each packet ends. So each has an `unreachable` route as well, for as long as it is listed
 * (reach_list()): whoever sends to it is told. Its metric is worse than that of any route somebody
 * wants, so the route into the TUN wins while it is there. The metric also says whose it is: such
 * routes live on no device and outlive a killed router. What that left is taken over by the next
 * router with the same device, and what is not wanted any more is swept (reach_sweep()). Nobody
 * tells us when others take one away; it is put back when its client leaves.
 *
 * Standards: RFC 4389 (the idea), RFC 4861 7.2.8; Linux proxy_ndp. RFC 7084 WPD-5 (who holds a
 * delegated prefix answers for what of it leads nowhere).
 */
#ifndef SIXTAP_ROUTER_REACH_H
#define SIXTAP_ROUTER_REACH_H

#include "proto/addr.h"
#include "proto/limits.h"
#include "proto/timers.h"

/* What a router sets in the kernel carries this number, for BIRD, FRR and `ip route`;
 * conf/rt_protos gives it a name. */
#define ROUTE_PROTOCOL 166

/* reach_metric() - of the unreachable routes of the router whose uplink is @device: the highest
 * octet 255, which FRR takes for the administrative distance of what gives way to all else; the
 * rest FNV-1a of the name. Those of clients (client/device.c) are below it. */
uint32_t reach_metric(const char *device);

#define REACH_MEND_PAUSE (1 * NS_PER_S)

#define REACH_MAX (2u + DELEGATED_PER_MEMBER) /* per member: stable or fixed, EUI-64, delegated */

struct reach;

struct reach_config {
    uint32_t slots;    /* members there can be */
    uint32_t entries;  /* prefixes of all of them together */
    uint32_t listed;   /* clients there can be in the configuration; 0: no reach_list() */
    unsigned tun;      /* ifindex of the TUN */
    char device[16];   /* its name */
    unsigned wan;      /* ifindex where the segment's prefix is on link; 0: it is routed here */
    char wan_name[16]; /* with wan */
    struct prefix segment;
};

/* reach_open() - allocates all it will ever need; with a wan sets its proxy_ndp and sweeps what is
 * left there of a former life. Needs CAP_NET_ADMIN, as all that follows.
 * @c: copied    @hash_key: 16 random octets
 * Return: 0 or -errno (logged); @ret untouched then, free with reach_close() */
int reach_open(const struct reach_config *c, const uint8_t *hash_key, struct reach **ret);

/* reach_set() - member @slot now has these @n (0..REACH_MAX) prefixes; 0: nobody is there
 * Prefixes inside the segment get a proxy entry where there is a wan. */
void reach_set(struct reach *r, uint32_t slot, const struct prefix *want, unsigned n, mono_ns now);

/* reach_list() - the client at place @place of the list is delegated these @n
 * (0..DELEGATED_PER_MEMBER) prefixes, on line or not; one may pass from place to place as from slot
 * to slot */
void reach_list(struct reach *r, uint32_t place, const struct prefix *want, unsigned n,
                mono_ns now);

/* reach_sweep() - unreachable routes that a killed router with the same @device left, and that @r
 * (NULL: knows of none) was not told of */
void reach_sweep(const char *device, const struct reach *r);

/* reach_segment() - the segment has another prefix from now on; addresses of the old one are taken
 * back by reach_set() as ever */
void reach_segment(struct reach *r, struct prefix segment);

/* reach_again() - the TUN was down and the kernel forgot its routes: set them anew */
void reach_again(struct reach *r, mono_ns now);

/* reach_gone() - somebody took the route to @dst off the TUN, or (NULL) perhaps any: what of it is
 * ours comes back with reach_mend(). What reach_set() took away itself is no news. */
void reach_gone(struct reach *r, const struct prefix *dst);

/* reach_mend() - put back what reach_gone() told of, at once, but not again within a second: who
 * flushes a table looks whether it is empty, and would never come to an end. To be called while the
 * TUN works, after reach_set() was told of all changes.
 * reach_deadline() - when there is something to do next */
void reach_mend(struct reach *r, mono_ns now);
mono_ns reach_deadline(const struct reach *r);

/* reach_count() - prefixes that lead to clients now, for status */
uint32_t reach_count(const struct reach *r);

/* reach_close() - take back what would outlive the TUN; NULL is fine */
void reach_close(struct reach *r);

#endif
