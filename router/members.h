/* SPDX-License-Identifier: MIT */
/* members.h - who is logged in: members, the indices of their keypairs, their MACs, and leases
 *
 * DOC: all storage is carved once from memory the engine's owner lends; nothing is allocated later.
 * A member is named by its slot, and for as long as it lives nothing moves. Three ways lead to it:
 * client key, MAC, and the 32-bit index in DATA. An index is {random, slot of the index array}:
 * looking one up is an array access and a compare, and one from a former life of the router is
 * unknown.
 *
 * A lease is a key's right to a MAC for a while after its member is gone. It yields: a live member
 * of another key whose endpoint gives the same MAC takes it.
 */
#ifndef SIXTAP_ROUTER_MEMBERS_H
#define SIXTAP_ROUTER_MEMBERS_H

#include "proto/keypair.h"
#include "proto/mac.h"
#include "proto/table.h"
#include "router/changed.h"
#include "router/config.h"
#include "router/ratelimit.h"

#define SLOT_ABSENT TABLE_NONE
#define BOUND_MAX   (ASSIGNED_PER_MEMBER + LEARNED_PER_MEMBER)

enum bound_how {
    BOUND_ASSIGNED, /* given by the router; stays while the member lives */
    BOUND_LEARNED,  /* seen in DAD or as a source (RFC 6620) */
};

struct bound { /* an address of a member that is not the EUI-64 of its MAC */
    struct ip6 addr;
    mono_ns used;
};

struct member {
    bool live;
    uint8_t delegated; /* bit i: prefix i of its entry in the roster is routed to it */
    uint8_t key[KEY_LEN];
    uint8_t settings_told; /* number of the settings it knows, modulo 256 */
    uint32_t client;       /* place in the roster, SLOT_ABSENT with access: open */
    struct mac mac;
    struct ip6 link_local; /* EUI-64 of mac */
    struct ip6 eui_global; /* likewise in the segment's prefix; :: when that is longer than /64 */

    /* where it is */
    struct endpoint ep;
    be32 local; /* our address it talks to */
    uint8_t sock;
    bool uplink_told;    /* what its last RA and settings said of the uplink */
    bool proven;         /* the endpoint has answered a challenge */
    bool ra_asked;       /* it has solicited since it logged in */
    uint8_t ra_sent;     /* unasked RAs since then, counted to ADVERTS_INITIAL */
    uint8_t prefix_told; /* which of the engine's prefixes, by number */
    uint8_t turns;       /* logins outside that came from where the one before the last came */
    bool fragment;       /* DATA to it without DF: it said so, or has not said anything yet */
    struct endpoint was; /* before the last login outside */
    uint16_t mtu;        /* inner */
    uint32_t nd_seen;    /* Neighbor and Listener Discovery since the last sweep, answered or not */
    uint32_t nd_seen_as[KIND_MULTICAST]; /* likewise, of each kind: [kind - 1] */
    uint64_t credit;                     /* octets that may still go to an unproven endpoint */
    uint64_t challenge;                  /* number of the KEEPALIVE_REQ that proves it */

    uint32_t turns_since; /* seconds */
    uint32_t
        ra_group_s; /* last solicited RA to all nodes, or when it is due, rounded up; 0: none */
    mono_ns since, heard;
    mono_ns next_ra;
    mono_ns next_query;   /* of MLD */
    mono_ns stale_na;     /* when the last unsolicited NA for a stale MAC went to it */
    struct bucket logins; /* LOGINs inside its keypair */
    struct bucket errors; /* ICMPv6 errors it draws */
    struct bucket casts;  /* multicast it sends */
    struct bucket nd;     /* Neighbor Discovery that draws something */
    uint64_t rx_packets, rx_octets, tx_packets, tx_octets, stale_mac;

    uint8_t n_bound, n_learned, hint; /* hint: the bound[] used last */
    struct bound bound[BOUND_MAX];
    uint8_t how[BOUND_MAX]; /* enum bound_how of each */

    uint32_t index[3]; /* local indices allocated to keys; 0 none */
    struct keyset keys;
};

enum index_kind {
    INDEX_FREE = 0,
    INDEX_MEMBER,
    INDEX_TENTATIVE,
};

struct index_entry {
    uint32_t index; /* whole value */
    uint32_t ref;   /* slot of the member or tentative; of the next free entry when free */
    uint8_t kind;
};

struct lease {
    uint8_t key[KEY_LEN];
    struct mac mac;
    mono_ns until; /* 0: free */
};

struct members {
    struct member *m;
    struct changed changed; /* slots: member_changed() */
    struct lease *lease;
    struct index_entry *index;
    uint32_t *free_slot;          /* stack of free member slots */
    uint32_t n_free, n_max, high; /* high: slots below it may be live */
    uint32_t n_leases, lease_hand;
    uint32_t n_index, index_free; /* a power of two; head of the free list */
    struct table by_key, by_mac, lease_by_key;
    struct seal_cache schedules; /* expanded keys of the members that are active */
    mono_ns lease_life;
};

/* members_bytes() - octets of memory members_init() needs for @c */
size_t members_bytes(const struct router_config *c);

/* members_init() - carve @mem (members_bytes() octets, any alignment, zeroed)
 * @hash_key: 16 random octets for the tables */
void members_init(struct members *ms, void *mem, const struct router_config *c,
                  const uint8_t *hash_key);

/* members_tentatives() - how many unconfirmed keypairs a router of this size keeps */
uint32_t members_tentatives(const struct router_config *c);

static inline uint32_t member_slot(const struct members *ms, const struct member *m)
{
    return (uint32_t)(m - ms->m);
}

/* member_by_key(), member_by_mac() - the live member, or NULL */
struct member *member_by_key(const struct members *ms, const uint8_t *key);
struct member *member_by_mac(const struct members *ms, struct mac mac);

/* index_get() - what @index names; NULL when nothing */
const struct index_entry *index_get(const struct members *ms, uint32_t index);

/* member_prefetch() - what receiving from @m and sending to it touches will be needed soon */
void member_prefetch(const struct member *m);

/* index_prefetch() - it will be asked for soon */
static inline void index_prefetch(const struct members *ms, uint32_t index)
{
    __builtin_prefetch(&ms->index[index & (ms->n_index - 1)]);
}

/* index_new() - a fresh index for @ref; 0 when none is free. @rnd: a random word. Never 0. */
uint32_t index_new(struct members *ms, enum index_kind kind, uint32_t ref, uint32_t rnd);

/* index_retarget() - @index names something else from now on (a tentative keypair became a
 * member's) */
void index_retarget(struct members *ms, uint32_t index, enum index_kind kind, uint32_t ref);

/* index_free() - 0 is fine */
void index_free(struct members *ms, uint32_t index);

/* member_new() - a live member for @key with @mac; neither may be in use
 * Return: NULL when all slots are taken. */
struct member *member_new(struct members *ms, const uint8_t *key, struct mac mac,
                          struct prefix prefix, mono_ns now);

/* member_gone() - end of a member: leaves a lease, frees its indices, wipes its keys. Its bindings
 * are the caller's to release first. */
void member_gone(struct members *ms, struct member *m, mono_ns now);

/* member_sync_indices() - after keys changed: free the indices no keypair has any more; @fresh (0
 * none) is new */
void member_sync_indices(struct members *ms, struct member *m, uint32_t fresh);

/* member_changed() - the prefixes of slot @slot, or who holds it, are not what they were: the
 * host's kernel may have to hear of it */
void member_changed(struct members *ms, uint32_t slot);

/* member_next_changed() - a slot that changed since it was given last, in the order of the changes;
 * SLOT_ABSENT when there is none */
uint32_t member_next_changed(struct members *ms);

/* lease_get() - the MAC @key has a lease for; false when none or over */
bool lease_get(const struct members *ms, const uint8_t *key, mono_ns now, struct mac *ret);

#endif
