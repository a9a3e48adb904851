/* SPDX-License-Identifier: MIT */
/* mac.h - endpoint <-> MAC <-> IPv6 address, by arithmetic; stable interface identifiers
 *
 * DOC: a client's MAC is its public IPv4 address and UDP port as the router sees them, with the I/G
 * bit of the first octet cleared and the U/L bit set:
 *
 *     o0 = (ip0 & 0xFC) | 0x02,  o1..o3 = ip1..ip3,  o4..o5 = port
 *
 * 48 bits fold to 46, so up to four endpoints (first octets equal but for the low two bits, same
 * port) share a MAC. The link-local address is fe80:: and the modified EUI-64 of the MAC. Nothing
 * is learned, aged or flooded. First octets that fold into 224/4 or 240/4 belong to no endpoint:
 * the router assigns MACs from there.
 *
 * Standards: RFC 4291 2.5.1 and appendix A (modified EUI-64), RFC 5453 (reserved identifiers), RFC
 * 7217 (the idea of stable opaque identifiers), RFC 2464 7 (multicast MACs).
 */
#ifndef SIXTAP_PROTO_MAC_H
#define SIXTAP_PROTO_MAC_H

#include <stddef.h>

#include "proto/addr.h"

/* mac_of_endpoint() - the MAC computed from an endpoint */
struct mac mac_of_endpoint(struct endpoint ep);

/* mac_candidates() - the up to four endpoints that fold to @m, ascending by first octet
 * @ret: room for 4
 * Return: how many: 4, or 0 when @m is not of this form (I/G set or U/L clear). */
unsigned mac_candidates(struct mac m, struct endpoint ret[4]);

/* mac_is_unicast() - false for group addresses and all-zero */
bool mac_is_unicast(struct mac m);

/* mac_assigned() - a MAC the router may assign; its first octet folds into 224/4 or 240/4
 * @rnd: 43 random bits or more (three of the first octet, 40 of the others); the same value gives
 * the same MAC */
struct mac mac_assigned(uint64_t rnd);

/* mac_is_assigned() - could mac_assigned() have made it? */
bool mac_is_assigned(struct mac m);

/* mac_eui64() - modified EUI-64 interface identifier of @m into 8 octets at @iid. Source: RFC 4291
 * app. A */
void mac_eui64(uint8_t *iid, struct mac m);

/* mac_of_eui64() - inverse; false when the 8 octets at @iid lack ff:fe in the middle */
bool mac_of_eui64(const uint8_t *iid, struct mac *ret);

/* mac_link_local() - fe80::/64 and the EUI-64 of @m */
struct ip6 mac_link_local(struct mac m);

/* mac_address() - prefix/64 and the EUI-64 of @m; @prefix.len must be <= 64 */
struct ip6 mac_address(struct prefix prefix, struct mac m);

/* mac_multicast() - the Ethernet address of an IPv6 multicast group. Source: RFC 2464 7 */
struct mac mac_multicast(struct ip6 group);

/* iid_stable() - a client's stable address in @prefix (len 0..126)
 * @secret: 32 octets, the router's own
 * @client: the client's public key, KEY_LEN octets
 * @try:    0.. ; the next one when an address belongs to another key
 * @ret:    the address
 * Return: false when this try gives an identifier iid_allowed() refuses; @ret is then untouched and
 * the caller goes on with the next try. Prefixes longer than /64 take the low bits of the hash; one
 * shorter means its first /64. */
bool iid_stable(const uint8_t *secret, const uint8_t *client, struct prefix prefix, uint32_t try,
                struct ip6 *ret);

/* iid_allowed() - may @a be given out in a prefix of @plen bits? Not with an identifier of ::0 or
 * ::1; and in a /64 or shorter not with EUI-64 shape (..ff:fe..; such an address belongs to the
 * member with that MAC) nor reserved (RFC 5453: 0200:5eff:fe00::/40 range, which has that shape,
 * and the subnet anycasts fdff:ffff:ffff:ff80 to ..ff). */
bool iid_allowed(struct ip6 a, unsigned plen);

/* ip6 predicates and arithmetic */
bool ip6_is_unspecified(struct ip6 a);
bool ip6_is_loopback(struct ip6 a);
bool ip6_is_multicast(struct ip6 a);
bool ip6_is_link_local(struct ip6 a); /* fe80::/10 */
bool ip6_is_v4mapped(struct ip6 a);

/* ip6_in() - does @a lie in @p? */
bool ip6_in(struct ip6 a, struct prefix p);

/* ip6_routable() - is there an address in @p that a route can lead to? Not in what lies wholly
 * inside multicast, link-local, loopback, unspecified or v4-mapped addresses (RFC 4291 2.4, 2.5).
 */
bool ip6_routable(struct prefix p);

/* ip6_mask() - @a with all bits behind @len cleared */
struct ip6 ip6_mask(struct ip6 a, unsigned len);

/* ip6_solicited_node() - ff02::1:ffXX:XXXX of @a. Source: RFC 4291 2.7.1 */
struct ip6 ip6_solicited_node(struct ip6 a);

extern const struct ip6 ip6_all_nodes;   /* ff02::1 */
extern const struct ip6 ip6_all_routers; /* ff02::2 */
extern const struct ip6 ip6_unspecified; /* :: */

/* Text forms, always terminated; return @buf. RFC 5952 for IPv6. */
char *mac_text(char buf[MAC_TEXT_LEN], struct mac m);
char *ip6_text(char buf[IP6_TEXT_LEN], struct ip6 a);
char *endpoint_text(char buf[EP_TEXT_LEN], struct endpoint ep);

#endif
