/* SPDX-License-Identifier: MIT */
/* bindings.h - which member may use an IPv6 address as source, and receives it
 *
 * DOC: three kinds. The EUI-64 addresses of a member's MAC are its own by arithmetic; nobody else
 * can have an identifier of that shape. Assigned addresses are given at login. Learned ones are
 * taken by the first who does DAD for a free address of the segment, or sends from it (RFC 6620 DAD
 * and data trigger): at most LEARNED_PER_MEMBER a member, never at the cost of another member. When
 * a member's own are used up, the one it has not used for longest gives way, if that is BOUND_IDLE
 * or more.
 *
 * Addresses of absent listed clients are reserved for them, so that a stable address stays stable.
 * Those of keys that are not listed (access: open) are not: there is no end to them. While such a
 * client is away another may take its address; it then gets the next of its own tries.
 *
 * Delegated prefixes lie outside the segment; they are a member's while it is on line. Where the
 * segment's prefix is on link at the WAN as well (ndproxy), nothing is learned: a free address may
 * be that of another host there.
 *
 * The prefix can change while members are there: each gets its address in the new one at once, and
 * keeps what it had in the old one, deprecated, for as long as that stays valid (`valid:`, at most
 * OLD_PREFIX_LIFE), so that connections go on; nothing new is learned in it. After that who still
 * uses it is told so, for OLD_PREFIX_LIFE (R23). Of two prefixes that overlap the old one ends at
 * once: an address cannot be deprecated and in force.
 *
 * Standards: RFC 6620 3, RFC 7039, RFC 4291 2.6.1, RFC 7084 L-13, L-14.
 */
#ifndef SIXTAP_ROUTER_BINDINGS_H
#define SIXTAP_ROUTER_BINDINGS_H

#include "router/members.h"

#define BOUND_LIFE (3600 * NS_PER_S) /* of a learned address that is not used */
#define BOUND_IDLE (600 * NS_PER_S)

#define OLD_PREFIX_LIFE (7200 * NS_PER_S) /* RFC 7084 L-13, RFC 4862 5.5.3: two hours */

struct old_prefix { /* of the segment, until a while ago */
    struct prefix prefix;
    struct ip6 router; /* our own address in it */
    mono_ns until;     /* valid */
    bool valid;        /* until bindings_age() has seen that time */
};

struct roster;

struct bindings {
    struct members *ms;
    const struct roster *roster;
    struct prefix prefix;
    struct ip6 anycast;      /* prefix:: */
    struct ip6 router[2];    /* our own: prefix::1 (or address:), fe80::EUI-64 */
    struct table by_addr;    /* address -> member slot */
    struct table reserved;   /* stable address -> place of a listed client */
    struct ip6 *assigned;    /* stable or fixed address of each place in the roster, :: none */
    uint32_t n_places;       /* 0 with addressing: eui64 */
    struct table by_prefix;  /* {prefix, length} delegated -> member slot */
    uint32_t n_len[129];     /* how many of each length by_prefix has */
    const struct ip6 *taken; /* addresses of the prefix that others at the WAN have */
    unsigned n_taken;
    bool shared; /* the prefix is on link at the WAN too (ndproxy) */
    struct old_prefix old[OLD_PREFIXES];
    unsigned n_old;
    bool isolate;            /* members do not see each other */
    bool uplink_down;        /* there is one, but it does not work now */
    uint8_t secret[KEY_LEN]; /* of stable identifiers */
};

/* bindings_bytes(), bindings_init() - as for members; @router_ll: our link-local address */
size_t bindings_bytes(const struct router_config *c);
void bindings_init(struct bindings *b, void *mem, const struct router_config *c, struct members *ms,
                   const struct roster *roster, struct ip6 router_ll, const uint8_t *hash_key);

enum owner_kind {
    OWNER_NONE,   /* nobody */
    OWNER_ROUTER, /* the router itself, anycast included */
    OWNER_MEMBER,
};

/* bindings_owner() - who owns @a; *ret_member is set for OWNER_MEMBER */
enum owner_kind bindings_owner(const struct bindings *b, struct ip6 a, struct member **ret_member);

/* bindings_owns() - does @m own @a? The fast check of the packet path. */
bool bindings_owns(const struct bindings *b, const struct member *m, struct ip6 a);

struct wanted { /* who will soon be looked for */
    struct ip6 dst;
    struct mac hint; /* its MAC, zero: not known */
};

/* bindings_prefetch() - @n (<= BURST_MAX) packets are about to be sent to these: fetch what finding
 * and serving their owners touches, side by side instead of one cache miss after another
 * Return: how many members that may be. */
unsigned bindings_prefetch(const struct bindings *b, const struct wanted *w, unsigned n);

/* bindings_taken() - does another at the WAN have @a? */
bool bindings_taken(const struct bindings *b, struct ip6 a);

/* bindings_delegated() - the member to whom the longest prefix that @a lies in is delegated, NULL:
 * none; only members that are on line */
struct member *bindings_delegated(const struct bindings *b, struct ip6 a);

/* bindings_delegate() - the prefixes of its entry in the roster are @m's from now on, those of them
 * nobody has. Return: did it get one? */
bool bindings_delegate(struct bindings *b, struct member *m);

/* bindings_redelegate() - the entry of @m becomes @to next: it keeps the prefixes that stand in
 * both and loses the others; bindings_delegate() gives it the new ones */
void bindings_redelegate(struct bindings *b, struct member *m, const struct router_client *to);

/* bindings_undelegate() - they are nobody's any more; before the entry changes. bindings_release()
 * does it too. */
void bindings_undelegate(struct bindings *b, struct member *m);

/* bindings_prefix() - prefix @i (0..DELEGATED_PER_MEMBER - 1) of @m, NULL when it has none */
const struct prefix *bindings_prefix(const struct bindings *b, const struct member *m, unsigned i);

/* bindings_in_segment() - link-local, inside the segment's prefix, or in an old one that is valid
 */
bool bindings_in_segment(const struct bindings *b, struct ip6 a);

/* bindings_is_own() - one of our own global addresses, of the prefix or a valid old one */
bool bindings_is_own(const struct bindings *b, struct ip6 a);

/* bindings_was_in_segment() - inside a prefix the segment had once, is deprecated or ended less
 * than OLD_PREFIX_LIFE ago */
bool bindings_was_in_segment(const struct bindings *b, struct ip6 a);

/* bindings_age() - old prefixes end, and are forgotten later; bindings_expire() takes the addresses
 */
void bindings_age(struct bindings *b, mono_ns now);

/* bindings_renumber() - the segment has @prefix from now on, and the router @address in it
 * Every member gets its own address of the new prefix, and keeps those of the old one for @life, at
 * most OLD_PREFIX_LIFE; 0: they end at once.
 * @clients: who is listed; their addresses are reserved anew */
void bindings_renumber(struct bindings *b, const struct roster *clients, struct prefix prefix,
                       struct ip6 address, mono_ns life, mono_ns now);

/* bindings_guard() - may @m send from @src? Learns a free address (@ret_learned is then true).
 * Return: DROP_NONE, DROP_SRC_GUARD, DROP_BINDINGS. @src is no multicast, :: or loopback address.
 */
enum drop bindings_guard(struct bindings *b, struct member *m, struct ip6 src, mono_ns now,
                         bool *ret_learned);

/* bindings_reserve() - the address of a client that is listed from now on: the fixed one of its
 * entry, if nobody has that, else chosen by its key; with addressing: eui64 there is none
 * @place: in the roster, free so far       @c: its entry */
void bindings_reserve(struct bindings *b, uint32_t place, const struct router_client *c);

/* bindings_unreserve() - the client at @place is listed no more. A member keeps what it is bound
 * to; the caller ends it. */
void bindings_unreserve(struct bindings *b, uint32_t place);

/* bindings_stable() - the stable address a client is given
 * @client: place of the listed client, or SLOT_ABSENT       @key: its public key
 * Return: false when none of 256 tries gives a free one. */
bool bindings_stable(const struct bindings *b, uint32_t client, const uint8_t *key,
                     struct ip6 *ret);

/* bindings_assign() - @a belongs to @m from now on; false when somebody else has it or the table is
 * full */
bool bindings_assign(struct bindings *b, struct member *m, struct ip6 a, mono_ns now);

/* bindings_wants() - has listed client @c at @place a fixed address that it could have and has not?
 */
bool bindings_wants(const struct bindings *b, uint32_t place, const struct router_client *c);

/* bindings_readdress() - the address reserved for @m is another now: that one is its own from here
 * on, and what was assigned to it in the segment's prefix is not */
void bindings_readdress(struct bindings *b, struct member *m, mono_ns now);

/* bindings_assigned() - what @m was given in the segment's prefix, NULL: nothing (addressing:
 * eui64)
 */
const struct ip6 *bindings_assigned(const struct bindings *b, const struct member *m);

/* bindings_list() - the bound addresses of @m for a person: those in the segment's prefix first, of
 * these the assigned one, then the one used last
 * @ret: BOUND_MAX addresses
 * Return: how many */
unsigned bindings_list(const struct bindings *b, const struct member *m, struct ip6 *ret);

/* bindings_expire() - release one address of @m that was learned and not used for BOUND_LIFE, or is
 * of a prefix that ended
 * Return: false when there is none; call until then. @ret: the address */
bool bindings_expire(struct bindings *b, struct member *m, mono_ns now, struct ip6 *ret);

/* bindings_release() - forget all of @m's, before it goes */
void bindings_release(struct bindings *b, struct member *m);

#endif
