/* SPDX-License-Identifier: MIT */
/* ip4.h - which IPv4 addresses the Internet does not know */
#ifndef SIXTAP_PROTO_IP4_H
#define SIXTAP_PROTO_IP4_H

#include <stdbool.h>

#include "proto/be.h"

/* ip4_is_global() - can a host of the Internet send to @a?
 *
 * False for this network, private and shared (carrier-grade NAT) addresses, loopback, link-local,
 * multicast and what is above it. The networks for documentation and benchmarks count as global:
 * laboratories use them as the Internet. Source: RFC 6890 2.2.2 */
bool ip4_is_global(be32 a);

#endif
