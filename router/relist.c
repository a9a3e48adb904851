/* SPDX-License-Identifier: MIT */
/* relist.c - a new list of clients for a running router, taken over in slices */
#include "router/relist.h"

#include <sodium.h>

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

static bool same_prefixes(const struct router_client *a, const struct router_client *b)
{
    if (a->n_delegate != b->n_delegate)
        return false;
    for (unsigned i = 0; i < a->n_delegate; i++) {
        if (!prefix_eq(a->delegate[i], b->delegate[i]))
            return false;
    }
    return true;
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
    if (why == LOGOUT_REMOVED) {
        struct control bye = { .type = TLV_GOODBYE, .goodbye = GOODBYE_REMOVED };
        control_send(re, m, &bye, 0, out);
    }
    bindings_undelegate(&re->b, m); /* its entry is about to change */
    engine_leave(re, m, why, now);
}

/* Its fixed address is another: it stays, and is told. */
static void readdress(struct router_engine *re, uint32_t place, const struct router_client *c,
                      mono_ns now)
{
    struct member *m = member_by_key(&re->ms, c->public_key);

    admit_forget_key(&re->admit, c->public_key);
    bindings_unreserve(&re->b, place);
    bindings_reserve(&re->b, place, c);
    if (!m)
        return;
    bindings_readdress(&re->b, m, now);
    m->settings_told = (uint8_t)(re->settings - 1);
    member_changed(&re->ms, member_slot(&re->ms, m));
    re->next_sweep = now;
}

/* One place of the roster against the new list. */
static void compare(struct router_engine *re, uint32_t place, mono_ns now, struct out *out)
{
    struct relist *rl = &re->relist;
    const struct router_client *old = roster_client(&re->roster, place), *new;

    if (!old)
        return;
    new = list_find(&rl->list, old->public_key);
    if (!new) {
        drop_client(re, old->public_key, LOGOUT_REMOVED, now, out);
        bindings_unreserve(&re->b, place);
        roster_remove(&re->roster, place);
        rl->removed++;
        return;
    }
    if (!same_psk(old, new)) {
        drop_client(re, old->public_key, LOGOUT_PSK, now, out);
        rl->changed++;
    } else if (!same_prefixes(old, new)) {
        drop_client(re, old->public_key, LOGOUT_PREFIXES, now, out);
        bindings_unreserve(&re->b, place);
        bindings_reserve(&re->b, place, new);
        rl->changed++;
    } else if (!same_address(old, new)) {
        readdress(re, place, new, now);
        rl->changed++;
    } else if (strcmp(old->name, new->name) != 0) {
        rl->renamed++;
    }
    roster_change(&re->roster, place, new);
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
    else if (c->has_address || c->n_delegate)
        drop_client(re, c->public_key, LOGOUT_PREFIXES, now, out);
    else
        admit_forget_key(&re->admit, c->public_key);
}

void relist_slice(struct router_engine *re, mono_ns now, struct out *out)
{
    struct relist *rl = &re->relist;

    for (unsigned n = 0; n < RELIST_SLICE && room_to_leave(re); n++) {
        if (!rl->adding && rl->at == re->roster.high) {
            rl->adding = true;
            rl->at = 0;
            return; /* notices about those who left are read before their places are taken */
        }
        if (rl->adding && rl->at == rl->list.n) {
            rl->on = false;
            rl->list = (struct client_list){ 0 };
            return;
        }
        if (rl->adding)
            take_in(re, &rl->list.client[rl->at], now, out);
        else
            compare(re, rl->at, now, out);
        rl->at++;
    }
}
