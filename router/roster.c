/* SPDX-License-Identifier: MIT */
/* roster.c - the clients that may log in: names and keys of clients:, changed while the router runs
 */
#include "router/roster.h"

#include <sodium.h>
#include <string.h>

#include "router/carve.h"

#define CHANGED_END UINT32_MAX

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

    return carve_size(n * sizeof(struct listed)) + carve_size(n * sizeof(uint32_t)) +
           carve_size(table_bytes(n, KEY_LEN)) + CARVE_ALIGN;
}

void roster_init(struct roster *r, void *mem, const struct router_config *c,
                 const uint8_t *hash_key)
{
    uint8_t *p = carve_start(mem);
    uint32_t n = roster_room(c);

    memset(r, 0, sizeof(*r));
    r->n_max = r->n_free = n;
    r->changed_first = r->changed_last = TABLE_NONE;
    r->p = carve(&p, n * sizeof(*r->p));
    r->free_place = carve(&p, n * sizeof(*r->free_place));
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

/* ---- places that changed: 0 not queued, the next place + 1, or CHANGED_END ---- */

static void changed(struct roster *r, uint32_t place)
{
    if (r->p[place].changed)
        return;
    r->p[place].changed = CHANGED_END;
    if (r->changed_last == TABLE_NONE)
        r->changed_first = place;
    else
        r->p[r->changed_last].changed = place + 1;
    r->changed_last = place;
}

uint32_t roster_next_changed(struct roster *r)
{
    uint32_t place = r->changed_first;

    if (place == TABLE_NONE)
        return TABLE_NONE;
    uint32_t next = r->p[place].changed;
    r->p[place].changed = 0;
    r->changed_first = next == CHANGED_END ? TABLE_NONE : next - 1;
    if (r->changed_first == TABLE_NONE)
        r->changed_last = TABLE_NONE;
    return place;
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
    r->p[place].used = true;
    r->p[place].c = *c;
    if (c->n_delegate)
        changed(r, place);
    return place;
}

void roster_change(struct roster *r, uint32_t place, const struct router_client *c)
{
    bool same = roster_same_prefixes(&r->p[place].c, c);

    r->p[place].c = *c;
    if (!same)
        changed(r, place);
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
        changed(r, place);
    r->free_place[r->n_free++] = place;
}

void roster_wipe(struct roster *r)
{
    for (uint32_t i = 0; i < r->high; i++)
        sodium_memzero(r->p[i].c.psk, sizeof(r->p[i].c.psk));
}
