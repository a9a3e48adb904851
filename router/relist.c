/* SPDX-License-Identifier: MIT */
/* relist.c - a new list of clients for a running router, taken over in slices */
#include "router/relist.h"

#include <sodium.h>
#include <string.h>

#include "router/state.h"

void router_engine_relist(struct router_engine *re, const struct client_list *l)
{
    re->relist = (struct relist){ .on = true, .list = *l };
}

bool router_engine_relisting(const struct router_engine *re, struct relist *ret)
{
    if (ret)
        *ret = re->relist;
    return re->relist.on;
}

static const struct router_client *list_find(const struct client_list *l, const uint8_t *key)
{
    uint32_t lo = 0, hi = l->n;

    while (lo < hi) {
        uint32_t mid = lo + (hi - lo) / 2;
        const struct router_client *c = &l->client[l->by_key[mid]];
        int d = memcmp(c->public_key, key, KEY_LEN);
        if (d == 0)
            return c;
        if (d < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return NULL;
}

static bool same_psk(const struct router_client *a, const struct router_client *b)
{
    return a->has_psk == b->has_psk && sodium_memcmp(a->psk, b->psk, KEY_LEN) == 0;
}

static bool same_address(const struct router_client *a, const struct router_client *b)
{
    return a->has_address == b->has_address && ip6_eq(a->address, b->address);
}

/* Room for a member that leaves, with its goodbye. */
static bool room_to_leave(const struct router_engine *re)
{
    return re->n_leaving < BURST_MAX && re->txq.n + 8 <= TXQ_MAX;
}

static void drop_client(struct router_engine *re, const uint8_t *key, enum logout why, mono_ns now,
                        struct out *out)
{
    struct member *m = member_by_key(&re->ms, key);

    admit_forget_key(&re->admit, key);
    if (!m)
        return;
    struct control bye = { .type = TLV_GOODBYE,
                           .goodbye = why == LOGOUT_PSK ? GOODBYE_PSK : GOODBYE_REMOVED };
    control_send(re, m, &bye, 0, out);
    bindings_undelegate(&re->b, m); /* its entry is about to change */
    engine_leave(re, m, why, now);
}

/* Another fixed address: that is kept for it from now on. */
static void reserve_anew(struct router_engine *re, uint32_t place, const struct router_client *c)
{
    bindings_unreserve(&re->b, place);
    bindings_reserve(&re->b, place, c);
}

/* A member's address or prefixes are others: it stays, and is told when the list is taken over. */
static void give_anew(struct router_engine *re, const struct router_client *c, mono_ns now)
{
    struct member *m = member_by_key(&re->ms, c->public_key);

    admit_forget_key(&re->admit, c->public_key); /* its reply says what was */
    if (!m)
        return;
    bindings_readdress(&re->b, m, now);
    m->settings_told = (uint8_t)(re->settings - 1);
    member_changed(&re->ms, member_slot(&re->ms, m));
}

/* The client at @place is in the new list, perhaps with another entry. */
static void change(struct router_engine *re, uint32_t place, const struct router_client *old,
                   const struct router_client *new, mono_ns now, struct out *out)
{
    bool psk = !same_psk(old, new), address = !same_address(old, new);
    bool prefixes = !roster_same_prefixes(old, new);
    struct member *m;

    if (psk)
        drop_client(re, old->public_key, LOGOUT_PSK, now, out);
    if (address)
        reserve_anew(re, place, new);
    if (prefixes && (m = member_by_key(&re->ms, old->public_key)))
        bindings_redelegate(&re->b, m, new);
    if (address || prefixes)
        give_anew(re, new, now);
    if (psk || address || prefixes)
        re->relist.changed++;
    else if (strcmp(old->name, new->name) != 0)
        re->relist.renamed++;
    roster_change(&re->roster, place, new);
}

/* Whoever has @place is listed no more. */
static void remove_place(struct router_engine *re, uint32_t place, mono_ns now, struct out *out)
{
    drop_client(re, roster_client(&re->roster, place)->public_key, LOGOUT_REMOVED, now, out);
    bindings_unreserve(&re->b, place);
    roster_remove(&re->roster, place);
}

unsigned relist_remove(struct router_engine *re, const char *name, const uint8_t *key, mono_ns now,
                       struct out *out)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < re->roster.high && room_to_leave(re); i++) {
        const struct router_client *c = roster_client(&re->roster, i);
        if (!c ||
            (strcmp(c->name, name) != 0 && (!key || memcmp(c->public_key, key, KEY_LEN) != 0)))
            continue;
        remove_place(re, i, now, out);
        n++;
    }
    return n;
}

/* One place of the roster against the new list. */
static void compare(struct router_engine *re, uint32_t place, mono_ns now, struct out *out)
{
    struct relist *rl = &re->relist;
    const struct router_client *old = roster_client(&re->roster, place), *new;

    if (!old)
        return;
    new = list_find(&rl->list, old->public_key);
    if (new) {
        change(re, place, old, new, now, out);
        return;
    }
    remove_place(re, place, now, out);
    rl->removed++;
}

/* One place of the roster that was compared: an address it did not get, because somebody else had
 * it then, may be free now. */
static void give(struct router_engine *re, uint32_t place, mono_ns now)
{
    const struct router_client *c = roster_client(&re->roster, place);

    if (!c || !bindings_wants(&re->b, place, c))
        return;
    reserve_anew(re, place, c);
    give_anew(re, c, now);
}

/* One client of the new list: is it there already? */
static void take_in(struct router_engine *re, const struct router_client *c, mono_ns now,
                    struct out *out)
{
    struct relist *rl = &re->relist;

    if (roster_find(&re->roster, c->public_key) != TABLE_NONE)
        return;
    uint32_t place = roster_add(&re->roster, c);
    if (place == TABLE_NONE) {
        rl->no_room++;
        return;
    }
    rl->added++;
    /* With access: open it may be in already, under the secret of all. */
    struct member *m = member_by_key(&re->ms, c->public_key);
    if (m)
        m->client = place;
    bindings_reserve(&re->b, place, c);
    if (c->has_psk)
        drop_client(re, c->public_key, LOGOUT_PSK, now, out);
    else
        give_anew(re, c, now);
}

/* Notices about those who left are read before their places are taken: each phase begins with a
 * tick of its own. */
static bool next_phase(struct router_engine *re, mono_ns now)
{
    struct relist *rl = &re->relist;

    if (rl->at < (rl->phase == RELIST_ADD ? rl->list.n : re->roster.high))
        return false;
    rl->at = 0;
    if (rl->phase != RELIST_ADD) {
        rl->phase++;
        return true;
    }
    rl->on = false;
    rl->list = (struct client_list){ 0 };
    engine_sweep_now(re, now); /* which tells the members */
    return true;
}

void relist_slice(struct router_engine *re, mono_ns now, struct out *out)
{
    struct relist *rl = &re->relist;

    for (unsigned n = 0; n < RELIST_SLICE && room_to_leave(re); n++) {
        if (next_phase(re, now))
            return;
        if (rl->phase == RELIST_COMPARE)
            compare(re, rl->at, now, out);
        else if (rl->phase == RELIST_GIVE)
            give(re, rl->at, now);
        else
            take_in(re, &rl->list.client[rl->at], now, out);
        rl->at++;
    }
}
