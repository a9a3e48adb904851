/* SPDX-License-Identifier: MIT */
/* keypair.h - previous, current and next: the life of transport keys
 *
 * DOC: a keypair is the result of one login: keys both ways, a send counter, a replay window, the
 * index of either side. A set holds three. The client (initiator) installs `next` when the
 * LOGIN_REPLY opens and from then on sends with it, receiving with all. The router (responder)
 * installs `next` when it learns that the client has it, that is, on the first DATA that opens
 * under a tentative keypair, and promotes at once. At either side the first DATA that opens under
 * `next` promotes: current becomes previous, next becomes current. Previous opens for PREVIOUS_LIFE
 * more and is never sent with again.
 *
 * Only the owner of a set knows time; every function takes `now`. Events are functions: installed,
 * opened (promotes), dropped, expire. keyset_deadline() is the one next time something must happen:
 * at that time call keyset_expire(), then ask keyset_want_rekey(), then take the new deadline,
 * which lies ahead.
 *
 * Packets kept out: a keypair that is too old or used up neither seals nor opens, whether it has
 * been expired yet or not. Counters of one keypair are given out once; when they end, nothing is
 * sent.
 *
 * Schedules: keypairs keep raw keys. What is expanded lies in a cache that all sets of an owner
 * share (seal_cache.h), found once per run; it is wiped with its keypair.
 */
#ifndef SIXTAP_PROTO_KEYPAIR_H
#define SIXTAP_PROTO_KEYPAIR_H

#include "proto/burst.h"
#include "proto/drop.h"
#include "proto/handshake.h"
#include "proto/replay.h"
#include "proto/seal_cache.h"

struct keypair {
    bool valid;
    uint8_t cipher;        /* enum cipher */
    uint32_t local_index;  /* in DATA to us */
    uint32_t remote_index; /* in DATA from us */
    mono_ns born;
    uint64_t tx_counter; /* the next to use */
    uint64_t rx_packets; /* opened */
    uint64_t name;       /* of its schedules in the set's cache; 0 outside a set */
    struct session_keys keys;
    struct replay replay;
};

enum keypair_role {
    ROLE_INITIATOR, /* client: sends with next as soon as there is one */
    ROLE_RESPONDER, /* router: sends with current only */
};

enum keypair_slot {
    SLOT_NONE = 0,
    SLOT_PREVIOUS,
    SLOT_CURRENT,
    SLOT_NEXT,
};

struct keyset {
    struct seal_cache *cache; /* lent; NULL: keys are expanded for each run */
    enum keypair_role role;
    mono_ns previous_until;
    mono_ns rekey_at; /* initiator: when to log in anew, with jitter; NEVER when none is current */
    mono_ns next_rekey_at;                  /* the same, of next */
    struct keypair current, previous, next; /* current beside what comes before: one prefetch */
};

/* keypair_init() - fill @kp; counter 0, empty window. Copies the keys; the caller wipes its own. */
void keypair_init(struct keypair *kp, enum cipher cipher, const struct session_keys *keys,
                  uint32_t local_index, uint32_t remote_index, mono_ns now);

/* keypair_wipe() - zero it all */
void keypair_wipe(struct keypair *kp);

/* keypair_usable() - is it young enough and not used up (KEYPAIR_LIFE, KEYPAIR_LIFE_PACKETS both
 * ways)? */
bool keypair_usable(const struct keypair *kp, mono_ns now);

/* keypair_open() - open one DATA under a keypair outside any set (a tentative one at the router):
 * replay check, expand, open in place, commit
 * @d: wire_peek() accepted it. On success the plaintext is d->len - 32 octets at
 * d->p + DATA_HDR_LEN.
 * Return: DROP_NONE, DROP_REPLAY, DROP_OPEN, DROP_EXPIRED. */
enum drop keypair_open(struct keypair *kp, struct dgram *d, mono_ns now);

/* keyset_init() - an empty set */
void keyset_init(struct keyset *ks, enum keypair_role role);

/* keyset_share() - keep expanded keys in @cache, which many sets may share; right after
 * keyset_init()
 * @cache: lent for as long as the set is used. Without one a run costs an expansion more. */
void keyset_share(struct keyset *ks, struct seal_cache *cache);

/* keyset_wipe() - an empty set again; its schedules are wiped too */
void keyset_wipe(struct keyset *ks);

/* keyset_install() - event: a login gave a new keypair; becomes next (an older next is dropped)
 * @rnd: a random word, for the jitter of the rekey time (initiator) */
void keyset_install(struct keyset *ks, const struct keypair *kp, mono_ns now, uint32_t rnd);

/* keyset_drop_next() - event: nothing came back under next (the CONFIRMs went unanswered); the
 * initiator sends with current again, and keyset_want_rekey() speaks again. The other side may have
 * promoted it all the same: then it opens what comes under current for PREVIOUS_LIFE more, and what
 * it sends is unknown here. */
void keyset_drop_next(struct keyset *ks);

/* keyset_promote() - event: the other side has proved that it has next: current becomes previous
 * for PREVIOUS_LIFE, next becomes current. keyset_open_run() does it by itself; the router calls it
 * after installing a tentative keypair that has just opened its first DATA. Without a next it does
 * nothing. */
void keyset_promote(struct keyset *ks, mono_ns now);

/* keyset_slot() - which keypair of the set has @local_index, if any */
enum keypair_slot keyset_slot(const struct keyset *ks, uint32_t local_index);

/* keyset_get() - the keypair in @slot (not SLOT_NONE) */
struct keypair *keyset_get(struct keyset *ks, enum keypair_slot slot);

struct rx { /* one datagram on its way through keyset_open_run */
    struct dgram *d;
    enum drop drop;         /* result */
    enum keypair_slot slot; /* of the keypair it was for; seen after the promotion, if any */
    bool newest;            /* highest counter so far of that keypair */
    bool promoted;          /* this one promoted next to current */
};

/* keyset_open_run() - open @n (1..BURST_MAX) DATA datagrams, all for @local_index, in place
 * Plaintext as in keypair_open(). Replays within the run are caught as well. The first that opens
 * under next promotes. Drops: INDEX (no such keypair here), EXPIRED, REPLAY, OPEN; one that fails
 * leaves the others alone.
 * Return: how many opened. */
unsigned keyset_open_run(struct keyset *ks, uint32_t local_index, struct rx *rx, unsigned n,
                         mono_ns now);

/* keyset_can_send() - is there a keypair to send with? */
bool keyset_can_send(const struct keyset *ks, mono_ns now);

/* keyset_seal_run() - write headers and seal @n packets in place with the keypair to send with
 * @pt[i].p:   DATA_HDR_LEN octets of room, then pt[i].len octets of plaintext, then TAG_LEN of
 *             room (that is, p points to where the datagram starts; len counts plaintext only)
 * @kind[i]:   enum wire_kind
 * Return: false (nothing sealed, nothing written) when there is no usable keypair or not @n
 * counters left. On success the datagram is pt[i].p with pt[i].len + DATA_MIN_LEN octets; pt[i].len
 * is updated to that. */
bool keyset_seal_run(struct keyset *ks, struct pkt *pt, const uint8_t *kind, unsigned n,
                     mono_ns now);

/* keyset_want_rekey() - initiator: is it time for a new login (age with jitter, or packets)? False
 * while next is there, and when there is no current. It stays true until a login gives a next: the
 * caller paces its tries. */
bool keyset_want_rekey(const struct keyset *ks, mono_ns now);

/* keyset_expire() - event: drop what is over: previous after PREVIOUS_LIFE, any after KEYPAIR_LIFE
 * or when its packets are used up
 * Return: false when no keypair is left. */
bool keyset_expire(struct keyset *ks, mono_ns now);

/* keyset_deadline() - when keyset_expire() has something to drop, or keyset_want_rekey() turns
 * true; NEVER when neither will happen
 * A wish for a rekey that is already there at @now is no deadline any more, so a login under way
 * does not keep the loop busy. At most @now when something is over already. */
mono_ns keyset_deadline(const struct keyset *ks, mono_ns now);

#endif
