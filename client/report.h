/* SPDX-License-Identifier: MIT */
/* report.h - the engine's events as sentences, and its state as JSON */
#ifndef SIXTAP_CLIENT_REPORT_H
#define SIXTAP_CLIENT_REPORT_H

#include <json-c/json.h>

#include "client/device.h"
#include "client/engine.h"
#include "proto/host/udp.h"

/* report_start() - what a person wants to read first: the own public key, the router */
void report_start(const struct client_config *c);

/* report_event() - one event as one line, or more where it needs explaining (silence) */
void report_event(const struct client_config *c, const struct client_engine *e,
                  const struct client_event *ev);

/* report_status() - the answer to `status`; the caller puts it
 * @u: the engine's sockets, CLIENT_SOCKS, NULL where closed */
struct json_object *report_status(const struct client_config *c, const struct client_engine *e,
                                  const struct device *d, struct udp *const *u, mono_ns started,
                                  mono_ns now);

#endif
