/* SPDX-License-Identifier: MIT */
/* roster.h - the clients that may log in: names and keys of clients:, changed while the router runs
 *
 * DOC: the engine's own copy of the configured list, in places that do not move: a member, a
 * tentative keypair and a reserved address name their client by its place, so that clients come and
 * go without disturbing others. There is room for roster_room() clients; nothing is allocated
 * later. A place that became free keeps its name until it is used again, so that the log can still
 * say who left. Places whose delegated prefixes changed queue up for whoever tells the host's
 * kernel of them.
 */
#ifndef SIXTAP_ROUTER_ROSTER_H
#define SIXTAP_ROUTER_ROSTER_H

#include "proto/table.h"
#include "router/changed.h"
#include "router/config.h"

struct listed {
    bool used;
    struct router_client c; /* keys are wiped when it is not used, the name stays */
};

struct roster {
    struct listed *p;
    uint32_t *free_place; /* stack of free places */
    uint32_t n_free, n_max;
    uint32_t high;          /* no place at or above it was ever used */
    struct changed changed; /* places: roster_next_changed() */
    struct table by_key;
};

/* roster_room() - how many clients can be listed at a time: limits: clients, or twice as many as @c
 * lists and ROSTER_ROOM_MIN at least */
#define ROSTER_ROOM_MIN 1024u
uint32_t roster_room(const struct router_config *c);

/* roster_bytes(), roster_init() - as for members; the clients of @c get the places 0, 1, ... */
size_t roster_bytes(const struct router_config *c);
void roster_init(struct roster *r, void *mem, const struct router_config *c,
                 const uint8_t *hash_key);

/* roster_find() - the place of @key (KEY_LEN octets), TABLE_NONE when it is not listed */
uint32_t roster_find(const struct roster *r, const uint8_t *key);

/* roster_client() - who has @place; NULL for TABLE_NONE and for a free place */
const struct router_client *roster_client(const struct roster *r, uint32_t place);

/* roster_name() - how @place is called, also after it became free; NULL when it has no name */
const char *roster_name(const struct roster *r, uint32_t place);

/* roster_add() - a place for @c, copied; TABLE_NONE when there is no room or the key is listed */
uint32_t roster_add(struct roster *r, const struct router_client *c);

/* roster_same_prefixes() - are they delegated the same, in the same order? */
bool roster_same_prefixes(const struct router_client *a, const struct router_client *b);

/* roster_change() - all that is said of @place is what @c says, whose key is the same */
void roster_change(struct roster *r, uint32_t place, const struct router_client *c);

/* roster_remove() - @place is free, its secret wiped */
void roster_remove(struct roster *r, uint32_t place);

/* roster_next_changed() - a place that was not given since its delegated prefixes became others, in
 * the order of the changes; TABLE_NONE: there is none */
uint32_t roster_next_changed(struct roster *r);

/* roster_wipe() - forget every secret */
void roster_wipe(struct roster *r);

#endif
