/* SPDX-License-Identifier: MIT */
/* adverts.h - Router Advertisements: one per member, unicast, with that member's MTU
 *
 * DOC: the first goes out unasked when a login is confirmed (a kernel that has heard an RA never
 * solicits again), then on RS, when the member's MTU changes, and from time to time so that
 * lifetimes do not run out. Router lifetime is 0 without an uplink; the preference is low, so that
 * native IPv6 wins when a laptop meets it.
 *
 * Standards: RFC 4861 6.2, RFC 4191 2.2, RFC 8106 5, RFC 7772 (unicast).
 * Deviation: RFC 4861 6.2.6 delays answers to RS at random and sends multicast; here one router
 * answers one host over a link of their own, at once and by unicast.
 */
#ifndef SIXTAP_ROUTER_ADVERTS_H
#define SIXTAP_ROUTER_ADVERTS_H

#include "proto/nd.h"
#include "router/members.h"

/* adverts_build() - the RA for @m, as a whole IPv6 packet
 * @out: ND_PACKET_MAX octets     @router_ll, @router_mac: our own
 * @uplink: it works: we are a default router, and for routes:
 * @dst: where to: the member's address, or all-nodes when it asked from ::
 * Return: octets written */
size_t adverts_build(uint8_t *out, const struct router_config *c, bool uplink,
                     const struct member *m, struct ip6 router_ll, struct mac router_mac,
                     struct ip6 dst);

/* adverts_interval() - nanoseconds until the next unasked RA: uniform in 200..600 s (RFC
 * 4861 6.2.1) */
mono_ns adverts_interval(uint32_t rnd);

#endif
