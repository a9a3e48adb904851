/* SPDX-License-Identifier: MIT */
/* scene.h - what most tests start with: a router and up to three members, and names for their
 * addresses and MACs in rows */
#ifndef SIXTAP_TESTS_ROUTER_SCENE_H
#define SIXTAP_TESTS_ROUTER_SCENE_H

#include "rig.h"

extern struct guest a, b, c; /* at 198.51.100.7, .8 and .9, port 4000, with the keys 0, 1 and 2 */

/* scene_start() - start the rig; the first @n of a, b, c join; notices are taken */
void scene_start(unsigned n);

/* scene_mtu() - what every member's MTU is from now on */
void scene_mtu(uint16_t mtu);

/* scene_addr() - "a", "b", "c": the address it was given; "X.ll", "X.eui": made of its MAC; "r.ll",
 * "r.eui": likewise of the router's; "absent": the stable address of a listed client that is not
 * there; else the address itself */
struct ip6 scene_addr(const char *name);

/* scene_mac() - of "a", "b", "c", the router "r"; else one that nobody has */
struct mac scene_mac(const char *name);

/* guest_says() - @g sends an IPv6 packet as @kind to the MAC of @to, and all guests take what comes
 */
void guest_says(struct guest *g, enum wire_kind kind, const char *to, const uint8_t *ip,
                size_t len);

/* ra_option() - the @nth option (0..) of @type in the RA of @len octets at @ip, or NULL */
const uint8_t *ra_option(const uint8_t *ip, size_t len, uint8_t type, unsigned nth);

#endif
