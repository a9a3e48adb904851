/* SPDX-License-Identifier: MIT */
/* roster.c - the clients that may log in: names and keys of clients:, changed while the router runs
 */
#include "router/roster.h"

#include <sodium.h>
#include <string.h>

#include "router/carve.h"

uint32_t roster_room(const struct router_config *c)
{
    uint32_t n = 2 * c->n_clients;

    if (c->max_clients)
        n = c->max_clients;
    else if (n < ROSTER_ROOM_MIN)
        n = ROSTER_ROOM_MIN;
    return n < c->n_clients ? c->n_clients : n;
}

size_t roster_bytes(const struct router_config *c)
{
    uint32_t n = roster_room(c);

    return carve_size(n * sizeof(struct listed)) + 2 * carve_size(n * sizeof(uint32_t)) +
           carve_size(table_bytes(n, KEY_LEN)) + CARVE_ALIGN;
}

void roster_init(struct roster *r, void *mem, const struct router_config *c,
                 const uint8_t *hash_key)
{
    uint8_t *p = carve_start(mem);
    uint32_t n = roster_room(c);

    memset(r, 0, sizeof(*r));
    r->n_max = r->n_free = n;
    r->p = carve(&p, n * sizeof(*r->p));
    r->free_place = carve(&p, n * sizeof(*r->free_place));
    changed_init(&r->changed, carve(&p, n * sizeof(*r->changed.next)));
    table_init(&r->by_key, carve(&p, table_bytes(n, KEY_LEN)), n, KEY_LEN, hash_key);
    for (uint32_t i = 0; i < n; i++)
        r->free_place[i] = n - 1 - i;
    for (uint32_t i = 0; i < c->n_clients; i++)
        roster_add(r, &c->clients[i]);
}

uint32_t roster_find(const struct roster *r, const uint8_t *key)
{
    return table_find(&r->by_key, key);
}

const struct router_client *roster_client(const struct roster *r, uint32_t place)
{
    return place < r->high && r->p[place].used ? &r->p[place].c : NULL;
}

const char *roster_name(const struct roster *r, uint32_t place)
{
    return place < r->high && r->p[place].c.name[0] ? r->p[place].c.name : NULL;
}

uint32_t roster_next_changed(struct roster *r)
{
    return changed_take(&r->changed);
}

/* ---- clients that come, change and go ---- */

bool roster_same_prefixes(const struct router_client *a, const struct router_client *b)
{
    if (a->n_delegate != b->n_delegate)
        return false;
    for (unsigned i = 0; i < a->n_delegate; i++) {
        if (!prefix_eq(a->delegate[i], b->delegate[i]))
            return false;
    }
    return true;
}

uint32_t roster_add(struct roster *r, const struct router_client *c)
{
    if (r->n_free == 0 || roster_find(r, c->public_key) != TABLE_NONE)
        return TABLE_NONE;
    uint32_t place = r->free_place[r->n_free - 1];
    if (!table_put(&r->by_key, c->public_key, place))
        return TABLE_NONE;
    r->n_free--;
    if (place >= r->high)
        r->high = place + 1;
    r->p[place] = (struct listed){ .used = true, .c = *c };
    if (c->n_delegate)
        changed_put(&r->changed, place);
    return place;
}

void roster_change(struct roster *r, uint32_t place, const struct router_client *c)
{
    bool same = roster_same_prefixes(&r->p[place].c, c);

    r->p[place].c = *c;
    if (!same)
        changed_put(&r->changed, place);
}

void roster_remove(struct roster *r, uint32_t place)
{
    struct listed *l = &r->p[place];

    table_del(&r->by_key, l->c.public_key);
    sodium_memzero(l->c.public_key, sizeof(l->c.public_key));
    sodium_memzero(l->c.psk, sizeof(l->c.psk));
    l->c.has_psk = false;
    l->used = false;
    if (l->c.n_delegate)
        changed_put(&r->changed, place);
    r->free_place[r->n_free++] = place;
}

void roster_wipe(struct roster *r)
{
    for (uint32_t i = 0; i < r->high; i++)
        sodium_memzero(r->p[i].c.psk, sizeof(r->p[i].c.psk));
}
