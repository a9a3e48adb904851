/* SPDX-License-Identifier: MIT */
/* room.h - has the segment an address for one more client? */
#ifndef SIXTAP_ROUTER_ROOM_H
#define SIXTAP_ROUTER_ROOM_H

#include "router/config.h"

/* room_in_prefix() - would the client with @key, listed behind all others, get a stable address?
 * @c:   as router_config_finish() left it; with ndproxy c->taken counts (uplink_conclude())
 * Return: also true when that cannot be found out for want of memory, or is no question: a prefix
 * far longer than all clients there can be, addressing: eui64 */
bool room_in_prefix(const struct router_config *c, const uint8_t *key);

#endif
