/* SPDX-License-Identifier: MIT */
/* room.c - has the segment an address for one more client?
 *
 * DOC: who gets which address depends on all who are listed, on fixed addresses, on what others at
 * the WAN have and on the tries that hit identifiers nobody may have. So nothing is counted here:
 * an engine is started with the list as it would be, and asked.
 */
#include "router/room.h"

#include <sodium.h>
#include <stdlib.h>

#include "router/engine.h"

/* Below this length a prefix has twice the addresses that there can be clients, and more. */
#define PLEN_LARGE 107u

_Static_assert((UINT64_C(1) << (128 - PLEN_LARGE)) >= 2 * UINT64_C(1000000),
               "limits: clients: is at most that");

static bool gets_address(const struct router_config *with, const uint8_t *key)
{
    size_t len = router_engine_bytes(with);
    void *mem = calloc(1, len);
    struct entropy e;
    struct ip6 a;

    if (!mem)
        return true;
    randombytes_buf(&e, sizeof(e));
    struct router_engine *re = router_engine_init(mem, with, 0, &e);
    bool got = bindings_stable(router_engine_bindings(re), with->n_clients - 1, key, &a);
    router_engine_wipe(re);
    sodium_memzero(mem, len);
    free(mem);
    return got;
}

bool room_in_prefix(const struct router_config *c, const uint8_t *key)
{
    struct router_config with = *c;
    size_t n = c->n_clients;

    if (c->addressing != ADDRESSING_STABLE || c->prefix.len < PLEN_LARGE)
        return true;
    with.clients = calloc(n + 1, sizeof(*with.clients));
    if (!with.clients)
        return true;
    if (n)
        memcpy(with.clients, c->clients, n * sizeof(*with.clients));
    memcpy(with.clients[n].public_key, key, KEY_LEN);
    with.n_clients = (uint32_t)n + 1;
    bool got = gets_address(&with, key);
    sodium_memzero(with.clients, (n + 1) * sizeof(*with.clients));
    free(with.clients);
    sodium_memzero(&with, sizeof(with));
    return got;
}
