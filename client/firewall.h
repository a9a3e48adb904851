/* SPDX-License-Identifier: MIT */
/* firewall.h - what the tunnel may bring to this host and to the LAN behind it
 *
 * DOC: a host that gets an address by this tunnel is suddenly reachable worldwide. So, from the
 * tunnel's device, only this comes in, and to the LAN behind: answers to what was asked from here
 * (established, related), ICMPv6 that IPv6 does not work without, and, to this host alone, the
 * ports of `allow:`. It is one table of our own (proto/host/nft.h) that goes with this process,
 * however it ends; what other tables drop stays dropped. It names the device only (which is to be
 * there), so it is set once.
 *
 * Standards: RFC 4890 4.3.1, 4.3.2 (through a router), 4.4.1 (to a host); RFC 6092 (simple security
 * of a home's router, REC-10 and REC-49 in spirit).
 */
#ifndef SIXTAP_CLIENT_FIREWALL_H
#define SIXTAP_CLIENT_FIREWALL_H

#include "client/config.h"

struct nft;

/* firewall_rules() - the chains as text for nft_replace(); @out: FIREWALL_TEXT_MAX octets */
#define FIREWALL_TEXT_MAX 4096u
void firewall_rules(const struct client_config *c, char out[FIREWALL_TEXT_MAX]);

/* firewall_open() - in the device's namespace, with CAP_NET_ADMIN; nothing with firewall: off
 * @ret: NULL with firewall: off; untouched on failure; nft_close() takes the rules away
 * @err: why it failed
 * Return: 0; -errno */
int firewall_open(const struct client_config *c, struct nft **ret, char *err, size_t cap);

#endif
