/* SPDX-License-Identifier: MIT */
/* report.h - the engine's events as log lines, and its state as JSON */
#ifndef SIXTAP_ROUTER_REPORT_H
#define SIXTAP_ROUTER_REPORT_H

#include <json-c/json.h>

#include "proto/host/tap.h"
#include "proto/host/udp.h"
#include "router/engine.h"
#include "router/uplink.h"

/* report_notice() - one event as one line; lines a stranger can cause are limited */
void report_notice(const struct router_config *c, const struct router_engine *re,
                   const struct notice *ev, mono_ns now);

/* report_start() - what an operator wants to read first: key, MAC, prefix */
void report_start(const struct router_config *c, const struct router_engine *re);

/* report_status() - the answer to `status`; the caller puts it
 * @up: open, or empty without an uplink
 * @tun_drops: what it gave that never reached the engine, DROP_COUNT counters */
struct json_object *report_status(const struct router_config *c, const struct router_engine *re,
                                  struct udp *u, const struct uplink *up, const uint64_t *tun_drops,
                                  mono_ns started, mono_ns now);

#endif
