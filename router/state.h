/* SPDX-License-Identifier: MIT */
/* state.h - the parts of the router's engine, for its own files only (engine.c, inner.c, control.c)
 */
#ifndef SIXTAP_ROUTER_STATE_H
#define SIXTAP_ROUTER_STATE_H

#include "proto/same_flow.h"
#include "proto/icmp6.h"
#include "router/adverts.h"
#include "router/cast.h"
#include "router/engine.h"
#include "router/groups.h"
#include "router/relist.h"
#include "router/roster.h"

struct router_engine {
    const struct router_config *conf;
    struct members ms;
    struct roster roster;
    struct relist relist;
    struct bindings b;
    struct admit admit;
    struct notices notices;
    struct txq txq;
    struct groups groups;
    struct adverts adverts;
    uint8_t prefix_number; /* how often the prefix changed, modulo 256 */
    struct cast *cast;     /* NULL with `multicast: false` */
    struct shun shun;
    struct mac mac;
    struct ip6 link_local;

    struct icmp6_bucket errors, uplink_errors,
        echoes; /* to members, into the TUN; echoes of groups */
    struct bucket nudges;
    struct rate_by_ip *nudges_by_ip;

    uint32_t sweep;       /* the next slot the sweep looks at */
    mono_ns next_sweep;   /* NEVER: nothing to do */
    uint8_t settings;     /* how often what clients are told has changed */
    mono_ns wakeup;       /* `now` of the last call */
    unsigned logins_left; /* handshakes still to compute at that time */
    struct member *leaving[BURST_MAX];
    unsigned n_leaving;

    uint64_t drop[DROP_COUNT];
    uint64_t rx_packets, rx_octets, uplink_tx, uplink_rx, n_nudges, dad_refused;
};

/* What was decided of the packet before, for the next one of its flow. Forgotten by whoever does
 * something in between that is not carrying on such a packet: it may change bindings or members. */
struct inner_flow {
    struct same_flow ip;
    struct member *to; /* NULL: the uplink */
    uint8_t kind;
    struct mac hint; /* of KIND_PEER */
};

/* inner_wanted() - where does a DATA that opened want to go? For bindings_prefetch().
 * Return: false when it is no packet for one member */
bool inner_wanted(const struct dgram *d, struct wanted *ret);

/* inner_packet() - carry on a DATA that opened and is not control; @d->p has its header still
 * @fl: of the packet before from @m in this call, or nothing known */
void inner_packet(struct router_engine *re, struct member *m, struct dgram *d,
                  struct inner_flow *fl, mono_ns now, struct out *out);

/* inner_from_uplink() - a packet out of the TUN
 * @fl: of the packet before it in this call, or nothing known */
void inner_from_uplink(struct router_engine *re, struct pkt *pk, struct inner_flow *fl, mono_ns now,
                       struct out *out);

/* inner_advert() - an RA to @m */
void inner_advert(struct router_engine *re, struct member *m, struct ip6 dst, mono_ns now,
                  struct out *out);

/* inner_introduce() - a solicitation of @m's link-local address from our global one */
void inner_introduce(struct router_engine *re, struct member *m, struct out *out);

/* inner_cast_too_big() - @j, which is done, was too big for some of its listeners */
void inner_cast_too_big(struct router_engine *re, struct cast_job *j, mono_ns now, struct out *out);

/* inner_query() - an MLD general query to @m */
void inner_query(struct router_engine *re, struct member *m, struct out *out);

/* control_packet() - TLVs of a DATA of kind control that opened under @slot */
void control_packet(struct router_engine *re, struct member *m, enum keypair_slot slot,
                    struct dgram *d, mono_ns now, struct entropy *e, struct out *out);

/* control_challenge() - ask an unproven endpoint to prove itself */
void control_challenge(struct router_engine *re, struct member *m, uint64_t number,
                       struct out *out);

/* control_send() - one control message to @m, padded to a datagram of @total octets (0: not padded)
 */
void control_send(struct router_engine *re, struct member *m, const struct control *c, size_t total,
                  struct out *out);

/* control_settings() - the whole settings to @m, when the LOGIN_REPLY could not hold them */
void control_settings(struct router_engine *re, struct member *m, mono_ns now, struct out *out);

/* engine_note() - an event of @m, with all that is known of it */
struct notice *engine_note(struct router_engine *re, enum notice_kind kind, const struct member *m,
                           unsigned reason);

/* engine_leave() - @m ends when the call does */
void engine_leave(struct router_engine *re, struct member *m, enum logout why, mono_ns now);

/* engine_advertise() - an RA nobody asked for to @m, and when its next is due */
void engine_advertise(struct router_engine *re, struct member *m, mono_ns now, struct entropy *e,
                      struct out *out);

#define SWEEP_PERIOD (1 * NS_PER_S) /* in this time or a little more each member is looked at */

/* engine_sweep() - a slice of all members, and when the next is due (sweep.c) */
void engine_sweep(struct router_engine *re, mono_ns now, struct entropy *e, struct out *out);

/* engine_sweep_now() - there is something to tell members, if there are any */
static inline void engine_sweep_now(struct router_engine *re, mono_ns now)
{
    if (re->next_sweep != NEVER)
        re->next_sweep = now;
}

/* relist_slice() - a little of the list that router_engine_relist() was given (relist.c) */
void relist_slice(struct router_engine *re, mono_ns now, struct out *out);

/* relist_remove() - router_engine_revoke() but for the end of the call (relist.c) */
unsigned relist_remove(struct router_engine *re, const char *name, const uint8_t *key, mono_ns now,
                       struct out *out);

/* engine_drop() - count */
static inline void engine_drop(struct router_engine *re, enum drop why)
{
    re->drop[why]++;
}

#endif
