/* SPDX-License-Identifier: MIT */
/* reload.h - a new configuration for a running router
 *
 * DOC: reading ten thousand clients takes longer than a packet may wait, so a thread reads and
 * checks the files and sorts the keys; it shares nothing with the router but one job. What comes of
 * it is taken over by the loop: values of live keys at once, clients in slices (relist.h). Nothing
 * is taken from files with a problem. Keys that need a restart keep their value, and are named; so
 * are `prefix:` and `address:` where the privilege to renumber the TUN was given up.
 *
 * Requests are numbered, from 1. One that comes while files are read counts for the next reading,
 * since a file may have been read already; so after reload_request() has returned n, reload_json()
 * says "done" for n when what the files held at that time is in force.
 */
#ifndef SIXTAP_ROUTER_RELOAD_H
#define SIXTAP_ROUTER_RELOAD_H

#include <ev.h>
#include <json-c/json.h>

#include "router/engine.h"
#include "router/relist.h"
#include "router/uplink.h"

struct reload;

/* reload_open() - @path: of router.yaml, must outlive it, as must @c
 * @c: the configuration the engine has; live values and the list of clients are replaced in it
 * @up: goes along when the segment gets another prefix (uplink_renumber())
 * @taking: called when the engine has got something to do: its deadline is another one
 * Return: 0; -errno */
typedef void (*reload_taking_fn)(void *ctx, mono_ns now);
int reload_open(struct reload **ret, struct ev_loop *ev, const char *path, struct router_config *c,
                struct router_engine *re, struct uplink *up, reload_taking_fn taking, void *ctx);

/* reload_request() - read the files again; returns the number of the request */
unsigned reload_request(struct reload *r);

/* reload_settle() - to be called after each call of the engine: has it taken over all clients? */
void reload_settle(struct reload *r, mono_ns now);

/* reload_json() - how the last request that is done went: { done: its number, ok, messages: [...],
 * summary: what the log says of it, listed, room (clients that can be listed), added, removed,
 * changed, renamed, no_room, took_ms }; the caller puts it */
struct json_object *reload_json(const struct reload *r);

/* reload_close() - waits for a thread that still reads; NULL is fine */
void reload_close(struct reload *r);

#endif
