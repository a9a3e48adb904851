/* SPDX-License-Identifier: MIT */
/* relist.h - a new list of clients for a running router, taken over in slices
 *
 * DOC: `reload` hands the whole new list to the engine, which compares it with its roster by public
 * key: who is gone is dropped, who is changed is changed, who is new is added. Nobody else is
 * touched. At most RELIST_SLICE places are looked at in one tick, so that ten thousand changes do
 * not hold up a packet. Those who leave come first, in ticks of their own: their places, addresses
 * and MACs are free when the new ones come. An address or prefix that passes from one listed client
 * to another is given when all have been looked at.
 *
 * Who is dropped: the member, its unconfirmed keypairs and the address reserved for it. A client
 * whose psk changes is dropped too, since it has to prove the new one, and is told so. One whose
 * address or delegated prefixes change stays: the engine's sweep tells it of them when the list is
 * taken over. A new name changes nothing.
 */
#ifndef SIXTAP_ROUTER_RELIST_H
#define SIXTAP_ROUTER_RELIST_H

#include "router/config.h"

#define RELIST_SLICE 64u

struct client_list {
    const struct router_client *client;
    uint32_t n;
    const uint32_t *by_key; /* 0..n-1 in the order of the public keys (memcmp) */
};

struct relist {
    bool on;
    enum { RELIST_COMPARE, RELIST_GIVE, RELIST_ADD } phase;
    struct client_list list;
    uint32_t at;
    uint32_t added, removed, changed, renamed;
    uint32_t no_room; /* new clients for whom the roster has no place */
};

struct router_engine;
struct out;

/* router_engine_relist() - begin; ticks do the rest and are due at once
 * @l: what it points to stays as it is until router_engine_relisting() is false; no two clients
 *     have one key
 * One that is under way is given up, what it has done stays done. */
void router_engine_relist(struct router_engine *re, const struct client_list *l);

/* router_engine_relisting() - is it still under way? What was done so far is in *ret (may be NULL).
 */
bool router_engine_relisting(const struct router_engine *re, struct relist *ret);

/* router_engine_revoke() - the client called @name and the one with @key are listed no more, at
 * once: for when a whole list cannot be read. They are told. A list that is under way brings them
 * back if it has them.
 * @key: NULL: by its name alone
 * Return: how many were listed; more are left when there is no room for a goodbye: call again,
 * after what is in @out was sent, until it returns 0 */
unsigned router_engine_revoke(struct router_engine *re, const char *name, const uint8_t *key,
                              mono_ns now, struct out *out);

#endif
