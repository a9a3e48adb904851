/* SPDX-License-Identifier: MIT */
/* displaced.h - fixed addresses that are the stable ones of other listed clients */
#ifndef SIXTAP_ROUTER_DISPLACED_H
#define SIXTAP_ROUTER_DISPLACED_H

#include "proto/host/yaml.h"
#include "router/config.h"

/* displaced_warn() - a warning to @f for each listed client whose stable address somebody's
 * address: takes; both are named
 * @c: read and without problems, router_config_finish() need not have been called. Without an
 *     address: in it nothing is computed */
void displaced_warn(struct conf *f, const struct router_config *c);

#endif
