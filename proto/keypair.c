/* SPDX-License-Identifier: MIT */
/* keypair.c - previous, current and next: the life of transport keys
 *
 * DOC: invariants of a set. Each valid keypair has a name of its own for its schedules in the
 * cache: tx under the name, rx under the one after it. A keypair that moves on (next to current,
 * current to previous) takes its name along; one that ends does so in end(), which wipes its
 * schedules. rekey_at belongs to current, next_rekey_at to next; they move on together with their
 * keypairs.
 */
#include "proto/keypair.h"

#include <assert.h>

/* ---- one keypair ---- */

void keypair_init(struct keypair *kp, enum cipher cipher, const struct session_keys *keys,
                  uint32_t local_index, uint32_t remote_index, mono_ns now)
{
    memset(kp, 0, sizeof(*kp)); /* and no temporary copy of the keys on the stack */
    kp->valid = true;
    kp->cipher = (uint8_t)cipher;
    kp->local_index = local_index;
    kp->remote_index = remote_index;
    kp->born = now;
    kp->keys = *keys;
    replay_init(&kp->replay);
}

void keypair_wipe(struct keypair *kp)
{
    sodium_memzero(kp, sizeof(*kp));
}

static bool used_up(const struct keypair *kp)
{
    return kp->tx_counter >= KEYPAIR_LIFE_PACKETS || kp->rx_packets >= KEYPAIR_LIFE_PACKETS;
}

bool keypair_usable(const struct keypair *kp, mono_ns now)
{
    return kp->valid && !used_up(kp) && time_since(now, kp->born) < KEYPAIR_LIFE;
}

static struct seal_op open_op(const struct dgram *d)
{
    assert(d->len >= DATA_MIN_LEN);
    return (struct seal_op){
        .hdr = d->p,
        .src = d->p + DATA_HDR_LEN,
        .dst = d->p + DATA_HDR_LEN,
        .len = d->len - DATA_MIN_LEN,
    };
}

/* Record an opened packet: the only place where the window moves. */
static enum drop commit(struct keypair *kp, const struct dgram *d, bool *ret_newest)
{
    if (kp->rx_packets >= KEYPAIR_LIFE_PACKETS) /* used up within this run */
        return DROP_EXPIRED;
    if (!replay_commit(&kp->replay, wire_data_counter(d->p), ret_newest))
        return DROP_REPLAY; /* twice within this run */
    kp->rx_packets++;
    return DROP_NONE;
}

enum drop keypair_open(struct keypair *kp, struct dgram *d, mono_ns now)
{
    if (!keypair_usable(kp, now))
        return DROP_EXPIRED;
    if (!replay_check(&kp->replay, wire_data_counter(d->p)))
        return DROP_REPLAY;

    struct seal_key key;
    struct seal_op op = open_op(d);
    seal_key_init(&key, (enum cipher)kp->cipher, kp->keys.rx);
    open_run(&key, &op, 1);
    seal_key_wipe(&key);
    return op.ok ? commit(kp, d, NULL) : DROP_OPEN;
}

/* ---- the set: events ---- */

static const struct keypair *sender(const struct keyset *ks)
{
    return ks->role == ROLE_INITIATOR && ks->next.valid ? &ks->next : &ks->current;
}

static void end(struct keyset *ks, struct keypair *kp)
{
    if (ks->cache)
        seal_cache_drop(ks->cache, kp->name);
    keypair_wipe(kp);
}

enum direction { DIR_TX, DIR_RX };

/* The schedule for one run; @room holds it when there is no cache, and goes to done_with(). */
static const struct seal_key *key_for(const struct keyset *ks, const struct keypair *kp,
                                      enum direction dir, struct seal_key *room)
{
    const uint8_t *raw = dir == DIR_TX ? kp->keys.tx : kp->keys.rx;

    if (ks->cache)
        return seal_cache_get(ks->cache, kp->name + dir, (enum cipher)kp->cipher, raw);
    seal_key_init(room, (enum cipher)kp->cipher, raw);
    return room;
}

static void done_with(const struct keyset *ks, struct seal_key *room)
{
    if (!ks->cache)
        seal_key_wipe(room);
}

void keyset_init(struct keyset *ks, enum keypair_role role)
{
    memset(ks, 0, sizeof(*ks));
    ks->role = role;
    ks->rekey_at = ks->next_rekey_at = NEVER;
}

void keyset_share(struct keyset *ks, struct seal_cache *cache)
{
    assert(!ks->previous.valid && !ks->current.valid && !ks->next.valid);
    ks->cache = cache;
}

void keyset_wipe(struct keyset *ks)
{
    end(ks, &ks->previous);
    end(ks, &ks->current);
    end(ks, &ks->next);
    ks->previous_until = 0;
    ks->rekey_at = ks->next_rekey_at = NEVER;
}

void keyset_install(struct keyset *ks, const struct keypair *kp, mono_ns now, uint32_t rnd)
{
    assert(kp->valid);
    end(ks, &ks->next);
    ks->next = *kp;
    ks->next.name = ks->cache ? seal_cache_name(ks->cache) : 0;
    if (ks->role == ROLE_INITIATOR)
        ks->next_rekey_at = now + time_jitter(REKEY_AFTER, REKEY_JITTER_PCT, rnd);
}

void keyset_drop_next(struct keyset *ks)
{
    end(ks, &ks->next);
    ks->next_rekey_at = NEVER;
}

void keyset_promote(struct keyset *ks, mono_ns now)
{
    if (!ks->next.valid)
        return;
    if (ks->current.valid) {
        end(ks, &ks->previous);
        ks->previous = ks->current;
        ks->previous_until = now + PREVIOUS_LIFE;
    }
    ks->current = ks->next;
    ks->rekey_at = ks->next_rekey_at;
    keypair_wipe(&ks->next); /* its schedules live on under the same name */
    ks->next_rekey_at = NEVER;
}

/* Over at @now? What must be dropped, and what must not be used even before it is. */
static bool is_over(const struct keyset *ks, const struct keypair *kp, mono_ns now)
{
    return !keypair_usable(kp, now) || (kp == &ks->previous && now >= ks->previous_until);
}

bool keyset_expire(struct keyset *ks, mono_ns now)
{
    if (ks->previous.valid && is_over(ks, &ks->previous, now))
        end(ks, &ks->previous);
    if (ks->current.valid && is_over(ks, &ks->current, now)) {
        end(ks, &ks->current);
        ks->rekey_at = NEVER;
    }
    if (ks->next.valid && is_over(ks, &ks->next, now))
        keyset_drop_next(ks);
    return ks->previous.valid || ks->current.valid || ks->next.valid;
}

/* ---- the set: questions ---- */

enum keypair_slot keyset_slot(const struct keyset *ks, uint32_t local_index)
{
    if (ks->current.valid && ks->current.local_index == local_index)
        return SLOT_CURRENT;
    if (ks->next.valid && ks->next.local_index == local_index)
        return SLOT_NEXT;
    if (ks->previous.valid && ks->previous.local_index == local_index)
        return SLOT_PREVIOUS;
    return SLOT_NONE;
}

struct keypair *keyset_get(struct keyset *ks, enum keypair_slot slot)
{
    assert(slot != SLOT_NONE);
    if (slot == SLOT_PREVIOUS)
        return &ks->previous;
    return slot == SLOT_NEXT ? &ks->next : &ks->current;
}

bool keyset_can_send(const struct keyset *ks, mono_ns now)
{
    return keypair_usable(sender(ks), now);
}

bool keyset_want_rekey(const struct keyset *ks, mono_ns now)
{
    const struct keypair *kp = &ks->current;

    if (ks->role != ROLE_INITIATOR || ks->next.valid || !kp->valid)
        return false;
    return now >= ks->rekey_at || kp->tx_counter >= REKEY_AFTER_PACKETS ||
           kp->rx_packets >= REKEY_AFTER_PACKETS;
}

/* When is_over() turns true by time, or at once when packets are used up. */
static mono_ns over_at(const struct keypair *kp, mono_ns now)
{
    if (!kp->valid)
        return NEVER;
    return used_up(kp) ? now : kp->born + KEYPAIR_LIFE;
}

mono_ns keyset_deadline(const struct keyset *ks, mono_ns now)
{
    mono_ns t = over_at(&ks->previous, now);

    if (ks->previous.valid)
        t = time_earlier(t, ks->previous_until);
    t = time_earlier(t, over_at(&ks->current, now));
    t = time_earlier(t, over_at(&ks->next, now));
    if (ks->current.valid && !ks->next.valid && !keyset_want_rekey(ks, now))
        t = time_earlier(t, ks->rekey_at);
    return t;
}

/* ---- the set: packets ---- */

/* Open those of @rx that pass the replay check; sets drop to NONE, REPLAY or OPEN, commits nothing.
 */
static void open_checked(struct keyset *ks, struct keypair *kp, struct rx *rx, unsigned n)
{
    struct seal_op op[BURST_MAX];
    struct rx *of[BURST_MAX];
    unsigned n_op = 0;

    for (unsigned i = 0; i < n; i++) {
        if (!replay_check(&kp->replay, wire_data_counter(rx[i].d->p))) {
            rx[i].drop = DROP_REPLAY;
            continue;
        }
        op[n_op] = open_op(rx[i].d);
        of[n_op++] = &rx[i];
    }
    if (n_op == 0)
        return;
    struct seal_key room;
    open_run(key_for(ks, kp, DIR_RX, &room), op, n_op);
    done_with(ks, &room);
    for (unsigned i = 0; i < n_op; i++)
        of[i]->drop = op[i].ok ? DROP_NONE : DROP_OPEN;
}

static unsigned drop_all(struct rx *rx, unsigned n, enum drop why)
{
    for (unsigned i = 0; i < n; i++)
        rx[i].drop = why;
    return 0;
}

unsigned keyset_open_run(struct keyset *ks, uint32_t local_index, struct rx *rx, unsigned n,
                         mono_ns now)
{
    enum keypair_slot slot = keyset_slot(ks, local_index);
    struct rx *first = NULL;
    unsigned n_open = 0;

    assert(n <= BURST_MAX);
    for (unsigned i = 0; i < n; i++) {
        rx[i].slot = slot;
        rx[i].newest = rx[i].promoted = false;
    }
    if (slot == SLOT_NONE)
        return drop_all(rx, n, DROP_INDEX);

    struct keypair *kp = keyset_get(ks, slot);
    if (is_over(ks, kp, now))
        return drop_all(rx, n, DROP_EXPIRED);
    open_checked(ks, kp, rx, n);
    for (unsigned i = 0; i < n; i++) {
        if (rx[i].drop == DROP_NONE)
            rx[i].drop = commit(kp, rx[i].d, &rx[i].newest);
        if (rx[i].drop != DROP_NONE)
            continue;
        n_open++;
        if (!first)
            first = &rx[i];
    }
    if (slot == SLOT_NEXT && first) {
        keyset_promote(ks, now);
        first->promoted = true;
        for (unsigned i = 0; i < n; i++)
            rx[i].slot = SLOT_CURRENT;
    }
    return n_open;
}

bool keyset_seal_run(struct keyset *ks, struct pkt *pt, const uint8_t *kind, unsigned n,
                     mono_ns now)
{
    struct keypair *kp = sender(ks) == &ks->next ? &ks->next : &ks->current;
    struct seal_op op[BURST_MAX];

    if (!keypair_usable(kp, now) || n > KEYPAIR_LIFE_PACKETS - kp->tx_counter)
        return false;
    struct seal_key room;
    const struct seal_key *key = key_for(ks, kp, DIR_TX, &room);
    for (unsigned done = 0, n_op; done < n; done += n_op) {
        n_op = n - done < BURST_MAX ? n - done : BURST_MAX;
        for (unsigned i = 0; i < n_op; i++) {
            struct pkt *p = &pt[done + i];

            wire_put_data(p->p, (enum wire_kind)kind[done + i], kp->remote_index, kp->tx_counter++);
            op[i] = (struct seal_op){
                .hdr = p->p,
                .src = p->p + DATA_HDR_LEN,
                .dst = p->p + DATA_HDR_LEN,
                .len = p->len,
            };
            p->len += DATA_MIN_LEN;
        }
        seal_run(key, op, n_op);
    }
    done_with(ks, &room);
    return true;
}
