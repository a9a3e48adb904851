/* SPDX-License-Identifier: MIT */
/* members.c - who is logged in: members, the indices of their keypairs, their MACs, and leases */
#include "router/members.h"

#include <assert.h>
#include <stddef.h>

#include "router/carve.h"

#define CACHE_LINE    64u
#define SCHEDULES_MIN 64u
#define SCHEDULES_MAX 512u

uint32_t members_tentatives(const struct router_config *c)
{
    uint32_t n = c->max_members / 4;
    if (n < 64)
        n = 64;
    return n > 4096 ? 4096 : n;
}

/* A member has three keypairs at most, and every tentative one more. */
static uint32_t index_slots(const struct router_config *c)
{
    uint32_t need = 3 * c->max_members + members_tentatives(c) + 1, n = 64;
    while (n < need)
        n *= 2;
    return n;
}

/* A schedule for every fourth member (256 octets a member), and from 2 048 members on no more than
 * lies in the second-level cache of a CPU beside everything else: with 100 000 members that take
 * turns 2 MiB of schedules were slower than 256 KiB, since a slot had to be fetched to be written.
 * Whoever has none costs an expansion (110 ns) a run. */
static uint32_t n_schedules(const struct router_config *c)
{
    uint32_t n = SCHEDULES_MIN;
    while (n < SCHEDULES_MAX && n * 2 <= c->max_members / 4)
        n *= 2;
    return n;
}

size_t members_bytes(const struct router_config *c)
{
    uint32_t n = c->max_members;
    return carve_size(n * sizeof(struct member)) + carve_size(n * sizeof(struct lease)) +
           carve_size(index_slots(c) * sizeof(struct index_entry)) +
           2 * carve_size(n * sizeof(uint32_t)) + 2 * carve_size(table_bytes(n, KEY_LEN)) +
           carve_size(table_bytes(n, MAC_LEN)) + carve_size(seal_cache_bytes(n_schedules(c))) +
           CARVE_ALIGN;
}

void members_init(struct members *ms, void *mem, const struct router_config *c,
                  const uint8_t *hash_key)
{
    uint8_t *p = carve_start(mem);

    memset(ms, 0, sizeof(*ms));
    ms->n_max = ms->n_free = ms->n_leases = c->max_members;
    ms->n_index = index_slots(c);
    ms->lease_life = time_s(c->lease_s);
    ms->m = carve(&p, ms->n_max * sizeof(*ms->m));
    ms->lease = carve(&p, ms->n_leases * sizeof(*ms->lease));
    ms->index = carve(&p, ms->n_index * sizeof(*ms->index));
    ms->free_slot = carve(&p, ms->n_max * sizeof(*ms->free_slot));
    changed_init(&ms->changed, carve(&p, ms->n_max * sizeof(*ms->changed.next)));
    table_init(&ms->by_key, carve(&p, table_bytes(ms->n_max, KEY_LEN)), ms->n_max, KEY_LEN,
               hash_key);
    table_init(&ms->lease_by_key, carve(&p, table_bytes(ms->n_max, KEY_LEN)), ms->n_max, KEY_LEN,
               hash_key);
    table_init(&ms->by_mac, carve(&p, table_bytes(ms->n_max, MAC_LEN)), ms->n_max, MAC_LEN,
               hash_key);
    seal_cache_init(&ms->schedules, carve(&p, seal_cache_bytes(n_schedules(c))), n_schedules(c));
    for (uint32_t i = 0; i < ms->n_max; i++)
        ms->free_slot[i] = ms->n_max - 1 - i;
    /* Slot 0 stays unused, so that no index is 0 and 0 ends the free list. */
    for (uint32_t i = 1; i < ms->n_index; i++)
        ms->index[i].ref = i + 1 < ms->n_index ? i + 1 : 0;
    ms->index_free = 1;
}

void member_changed(struct members *ms, uint32_t slot)
{
    changed_put(&ms->changed, slot);
}

uint32_t member_next_changed(struct members *ms)
{
    return changed_take(&ms->changed);
}

struct member *member_by_key(const struct members *ms, const uint8_t *key)
{
    uint32_t slot = table_find(&ms->by_key, key);
    return slot == SLOT_ABSENT ? NULL : &ms->m[slot];
}

struct member *member_by_mac(const struct members *ms, struct mac mac)
{
    uint32_t slot = table_find(&ms->by_mac, mac.b);
    return slot == SLOT_ABSENT ? NULL : &ms->m[slot];
}

static void prefetch(const void *p, size_t len)
{
    for (size_t i = 0; i < len; i += CACHE_LINE)
        __builtin_prefetch((const uint8_t *)p + i);
}

void member_prefetch(const struct member *m)
{
    prefetch(m, offsetof(struct member, bound) + 2 * sizeof(m->bound[0]));
    prefetch(&m->keys, offsetof(struct keyset, current.replay));
}

const struct index_entry *index_get(const struct members *ms, uint32_t index)
{
    const struct index_entry *ie = &ms->index[index & (ms->n_index - 1)];
    return ie->kind != INDEX_FREE && ie->index == index ? ie : NULL;
}

uint32_t index_new(struct members *ms, enum index_kind kind, uint32_t ref, uint32_t rnd)
{
    uint32_t slot = ms->index_free;
    if (slot == 0)
        return 0;
    struct index_entry *ie = &ms->index[slot];
    ms->index_free = ie->ref;
    *ie = (struct index_entry){ .index = (rnd & ~(ms->n_index - 1)) | slot,
                                .ref = ref,
                                .kind = (uint8_t)kind };
    return ie->index;
}

void index_retarget(struct members *ms, uint32_t index, enum index_kind kind, uint32_t ref)
{
    struct index_entry *ie = &ms->index[index & (ms->n_index - 1)];
    assert(ie->index == index && ie->kind != INDEX_FREE);
    ie->kind = (uint8_t)kind;
    ie->ref = ref;
}

void index_free(struct members *ms, uint32_t index)
{
    if (index == 0)
        return;
    uint32_t slot = index & (ms->n_index - 1);
    struct index_entry *ie = &ms->index[slot];
    assert(ie->index == index && ie->kind != INDEX_FREE);
    *ie = (struct index_entry){ .ref = ms->index_free, .kind = INDEX_FREE };
    ms->index_free = slot;
}

static void lease_free(struct members *ms, uint32_t i)
{
    if (ms->lease[i].until)
        table_del(&ms->lease_by_key, ms->lease[i].key);
    ms->lease[i].until = 0;
}

/* A key keeps its place also while its member lives, so one that comes and goes uses up no other's.
 * For a new key the hand goes round: the place it meets was taken the longest time ago. */
static void lease_put(struct members *ms, const uint8_t *key, struct mac mac, mono_ns now)
{
    uint32_t i = table_find(&ms->lease_by_key, key);
    if (i == TABLE_NONE) {
        i = ms->lease_hand;
        ms->lease_hand = (i + 1) % ms->n_leases;
        lease_free(ms, i);
        memcpy(ms->lease[i].key, key, KEY_LEN);
        if (!table_put(&ms->lease_by_key, key, i))
            return;
    }
    ms->lease[i].mac = mac;
    ms->lease[i].until = now + ms->lease_life;
}

bool lease_get(const struct members *ms, const uint8_t *key, mono_ns now, struct mac *ret)
{
    uint32_t i = table_find(&ms->lease_by_key, key);
    if (i == TABLE_NONE || ms->lease[i].until <= now)
        return false;
    *ret = ms->lease[i].mac;
    return true;
}

struct member *member_new(struct members *ms, const uint8_t *key, struct mac mac,
                          struct prefix prefix, mono_ns now)
{
    if (ms->n_free == 0)
        return NULL;
    uint32_t slot = ms->free_slot[ms->n_free - 1];
    if (!table_put(&ms->by_key, key, slot))
        return NULL;
    if (!table_put(&ms->by_mac, mac.b, slot)) {
        table_del(&ms->by_key, key);
        return NULL;
    }
    ms->n_free--;
    if (slot >= ms->high)
        ms->high = slot + 1;

    struct member *m = &ms->m[slot];
    memset(m, 0, sizeof(*m));
    m->live = true;
    memcpy(m->key, key, KEY_LEN);
    m->mac = mac;
    m->link_local = mac_link_local(mac);
    if (prefix.len <= 64)
        m->eui_global = mac_address(prefix, mac);
    m->mtu = INNER_MTU_MIN;
    m->fragment = true;
    m->since = m->heard = now;
    keyset_init(&m->keys, ROLE_RESPONDER);
    keyset_share(&m->keys, &ms->schedules);
    return m;
}

void member_gone(struct members *ms, struct member *m, mono_ns now)
{
    uint32_t slot = member_slot(ms, m);

    lease_put(ms, m->key, m->mac, now);
    table_del(&ms->by_key, m->key);
    table_del(&ms->by_mac, m->mac.b);
    for (unsigned i = 0; i < 3; i++)
        index_free(ms, m->index[i]);
    keyset_wipe(&m->keys);
    memset(m, 0, sizeof(*m));
    ms->free_slot[ms->n_free++] = slot;
    while (ms->high > 0 && !ms->m[ms->high - 1].live)
        ms->high--;
}

void member_sync_indices(struct members *ms, struct member *m, uint32_t fresh)
{
    for (unsigned i = 0; i < 3; i++) {
        if (m->index[i] && keyset_slot(&m->keys, m->index[i]) == SLOT_NONE) {
            index_free(ms, m->index[i]);
            m->index[i] = 0;
        }
    }
    for (unsigned i = 0; i < 3 && fresh; i++) {
        if (m->index[i] == 0) {
            m->index[i] = fresh;
            fresh = 0;
        }
    }
    assert(fresh == 0);
}
