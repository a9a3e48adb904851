/* SPDX-License-Identifier: MIT */
/* json.h - what both daemons put into their status: plain members and counters, by name */
#ifndef SIXTAP_HOST_JSON_H
#define SIXTAP_HOST_JSON_H

#include <json-c/json.h>
#include <stdbool.h>

#include "proto/host/tap.h"
#include "proto/host/udp.h"
#include "proto/timers.h"

/* json_put_*() - add member @key to object @o; @text is copied */
void json_put_text(struct json_object *o, const char *key, const char *text);
void json_put_number(struct json_object *o, const char *key, uint64_t v);
void json_put_bool(struct json_object *o, const char *key, bool v);

/* json_put_seconds() - @d nanoseconds as seconds with a fraction of three digits at most */
void json_put_seconds(struct json_object *o, const char *key, mono_ns d);

/* json_add_text() - append to array @list */
void json_add_text(struct json_object *list, const char *text);

/* json_put_udp(), json_put_tap() - the counters of a socket or device as object @key; of several
 * sockets the sum
 * @u: @n sockets, NULL ones are skipped */
void json_put_udp(struct json_object *o, const char *key, struct udp *const *u, unsigned n);
void json_put_tap(struct json_object *o, const char *key, const struct tap *t);

#endif
