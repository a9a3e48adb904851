/* SPDX-License-Identifier: MIT */
/* config_clients.h - checks of what clients: entries give to a client: address, delegated prefixes
 */
#ifndef SIXTAP_ROUTER_CONFIG_CLIENTS_H
#define SIXTAP_ROUTER_CONFIG_CLIENTS_H

#include "proto/host/yaml.h"
#include "router/config.h"

/* check_given() - fixed addresses lie in the prefix and belong to nobody else; delegated prefixes
 * lie outside it and overlap no other. Problems go to @f, each with both places.
 * @prefix_known: the segment's prefix was read; without it nothing is compared with it */
void check_given(struct conf *f, const struct router_config *c, bool prefix_known);

#endif
