/* SPDX-License-Identifier: MIT */
/* check.c - does every table, list and count of a router's engine agree with every other? */
#include "rig.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static bool has_index(const struct member *m, uint32_t index)
{
    return m->index[0] == index || m->index[1] == index || m->index[2] == index;
}

static void check_keys(const struct members *ms, const struct member *m)
{
    const struct keypair *kp[3] = { &m->keys.previous, &m->keys.current, &m->keys.next };

    for (unsigned i = 0; i < 3; i++) {
        if (kp[i]->valid)
            assert_true(has_index(m, kp[i]->local_index));
        if (!m->index[i])
            continue;
        const struct index_entry *ie = index_get(ms, m->index[i]);
        assert_non_null(ie);
        assert_int_equal(ie->kind, INDEX_MEMBER);
        assert_int_equal(ie->ref, member_slot(ms, m));
        assert_int_not_equal(keyset_slot(&m->keys, m->index[i]), SLOT_NONE);
    }
    assert_false(m->keys.next.valid); /* a router promotes at once */
}

static void check_bound(const struct bindings *b, const struct member *m)
{
    unsigned learned = 0;
    struct mac mac;

    assert_true(m->n_bound <= BOUND_MAX);
    for (unsigned i = 0; i < m->n_bound; i++) {
        assert_int_equal(table_find(&b->by_addr, m->bound[i].addr.b), member_slot(b->ms, m));
        assert_true(bindings_in_segment(b, m->bound[i].addr));
        if (b->prefix.len <= 64)
            assert_false(mac_of_eui64(m->bound[i].addr.b + 8, &mac));
        learned += m->how[i] == BOUND_LEARNED;
    }
    assert_int_equal(learned, m->n_learned);
    assert_true(learned <= LEARNED_PER_MEMBER);
}

/* Returns how many prefixes @m has. */
static uint32_t check_delegated(const struct bindings *b, const struct member *m)
{
    uint32_t n = 0;

    for (unsigned i = 0; i < DELEGATED_PER_MEMBER; i++) {
        const struct prefix *p = bindings_prefix(b, m, i);
        if (!p)
            continue;
        n++;
        assert_ptr_equal(bindings_delegated(b, p->addr), m);
        assert_true(b->n_len[p->len] > 0);
    }
    return n;
}

static void check_members(const struct members *ms, const struct bindings *b)
{
    uint32_t live = 0, bound = 0, delegated = 0;

    for (uint32_t i = 0; i < ms->n_max; i++) {
        const struct member *m = &ms->m[i];
        if (!m->live)
            continue;
        live++;
        bound += m->n_bound;
        assert_true(i < ms->high);
        assert_ptr_equal(member_by_key(ms, m->key), m);
        assert_ptr_equal(member_by_mac(ms, m->mac), m);
        assert_true(mac_is_unicast(m->mac));
        assert_true(ip6_eq(m->link_local, mac_link_local(m->mac)));
        assert_true(m->mtu >= INNER_MTU_MIN && m->mtu <= INNER_MTU_MAX);
        check_keys(ms, m);
        check_bound(b, m);
        delegated += check_delegated(b, m);
    }
    assert_int_equal(live + ms->n_free, ms->n_max);
    assert_int_equal(table_count(&ms->by_key), live);
    assert_int_equal(table_count(&ms->by_mac), live);
    assert_int_equal(table_count(&b->by_addr), bound);
    assert_int_equal(table_count(&b->by_prefix), delegated);
    uint8_t *seen = calloc(ms->n_max + 1, 1);
    assert_non_null(seen);
    for (uint32_t i = 0; i < ms->n_free; i++) {
        assert_true(ms->free_slot[i] < ms->n_max);
        assert_int_equal(seen[ms->free_slot[i]]++, 0);
        assert_false(ms->m[ms->free_slot[i]].live);
    }
    free(seen);
}

static void check_indices(const struct members *ms, const struct admit *ad)
{
    uint32_t n_free = 0, used = 0;

    for (uint32_t i = ms->index_free; i != 0; i = ms->index[i].ref) {
        assert_true(i < ms->n_index);
        assert_int_equal(ms->index[i].kind, INDEX_FREE);
        assert_true(++n_free < ms->n_index); /* no ring */
    }
    assert_int_equal(ms->index[0].kind, INDEX_FREE);
    for (uint32_t i = 1; i < ms->n_index; i++) {
        const struct index_entry *ie = &ms->index[i];
        if (ie->kind == INDEX_FREE)
            continue;
        used++;
        assert_int_equal(ie->index & (ms->n_index - 1), i);
        if (ie->kind == INDEX_MEMBER) {
            assert_true(ie->ref < ms->n_max && ms->m[ie->ref].live);
            assert_true(has_index(&ms->m[ie->ref], ie->index));
        } else {
            assert_int_equal(ie->kind, INDEX_TENTATIVE);
            assert_true(ie->ref < ad->n_max && ad->t[ie->ref].used);
            assert_int_equal(ad->t[ie->ref].kp.local_index, ie->index);
        }
    }
    assert_int_equal(n_free + used, ms->n_index - 1);
}

static void check_tentatives(const struct admit *ad)
{
    uint32_t used = 0;
    uint8_t *seen = calloc(ad->n_max + 1, 1);

    assert_non_null(seen);
    for (uint32_t i = 0; i < ad->n_max; i++) {
        if (!ad->t[i].used) {
            assert_true(sodium_is_zero((const uint8_t *)&ad->t[i], sizeof(ad->t[i]))); /* wiped */
            continue;
        }
        used++;
        assert_true(ad->t[i].kp.valid);
        assert_int_equal(table_find(&ad->by_id, ad->t[i].id), i);
    }
    assert_int_equal(used, ad->n_used);
    assert_int_equal(table_count(&ad->by_id), used);
    for (uint32_t i = 0; i < ad->n_max - ad->n_used; i++) {
        assert_true(ad->free_t[i] < ad->n_max);
        assert_int_equal(seen[ad->free_t[i]]++, 0);
        assert_false(ad->t[ad->free_t[i]].used);
    }
    free(seen);
}

static void check_leases(const struct members *ms)
{
    uint32_t used = 0;

    for (uint32_t i = 0; i < ms->n_leases; i++) {
        if (!ms->lease[i].until)
            continue;
        used++;
        assert_int_equal(table_find(&ms->lease_by_key, ms->lease[i].key), i);
    }
    assert_int_equal(table_count(&ms->lease_by_key), used);
}

static bool place_right(const struct roster *r, uint32_t place, const uint8_t *key)
{
    const struct router_client *c = roster_client(r, place);

    return place == SLOT_ABSENT ? roster_find(r, key) == TABLE_NONE
                                : c && memcmp(c->public_key, key, KEY_LEN) == 0;
}

static void check_roster(const struct roster *r, const struct bindings *b)
{
    uint32_t used = 0, reserved = 0;
    uint8_t *seen = calloc(r->n_max + 1, 1);

    assert_non_null(seen);
    for (uint32_t i = 0; i < r->n_max; i++) {
        used += r->p[i].used;
        if (r->p[i].used) {
            assert_true(i < r->high);
            assert_int_equal(roster_find(r, r->p[i].c.public_key), i);
        } else {
            assert_true(sodium_is_zero(r->p[i].c.psk, KEY_LEN));
        }
        if (i >= b->n_places || ip6_is_unspecified(b->assigned[i]))
            continue;
        reserved++;
        assert_true(r->p[i].used);
        assert_int_equal(table_find(&b->reserved, b->assigned[i].b), i);
    }
    for (uint32_t i = 0; i < r->n_free; i++) {
        assert_true(r->free_place[i] < r->n_max);
        assert_int_equal(seen[r->free_place[i]]++, 0);
        assert_false(r->p[r->free_place[i]].used);
    }
    assert_int_equal(used + r->n_free, r->n_max);
    assert_int_equal(table_count(&r->by_key), used);
    assert_int_equal(table_count(&b->reserved), reserved);
    free(seen);
}

/* Whoever is in, or about to be, is listed where it says. */
static void check_places(const struct router_engine *re)
{
    for (uint32_t i = 0; i < re->ms.high; i++) {
        if (re->ms.m[i].live)
            assert_true(place_right(&re->roster, re->ms.m[i].client, re->ms.m[i].key));
    }
    for (uint32_t i = 0; i < re->admit.n_max; i++) {
        if (re->admit.t[i].used)
            assert_true(place_right(&re->roster, re->admit.t[i].client, re->admit.t[i].key));
    }
}

void router_check(const struct router_engine *re)
{
    check_members(&re->ms, &re->b);
    check_indices(&re->ms, &re->admit);
    check_tentatives(&re->admit);
    check_leases(&re->ms);
    check_roster(&re->roster, &re->b);
    check_places(re);
    assert_int_equal(re->n_leaving, 0);
    assert_int_equal(re->txq.n, 0);
}
