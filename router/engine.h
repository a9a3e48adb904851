/* SPDX-License-Identifier: MIT */
/* engine.h - the router without its sockets: bursts in, bursts out, one next deadline
 *
 * DOC: a burst of datagrams passes through: wire_peek() sorts it; runs for one index are opened in
 * place; each inner packet is viewed (frame), its source guarded (bindings), its way decided
 * (forward, neighbor); six octets are swapped and it is sealed in place for the next hop (txq).
 * Control messages and logins are handled after the data of the burst, so that data never waits for
 * a handshake, and no more than LOGINS_PER_WAKEUP of them at one time.
 *
 * The engine allocates nothing, logs nothing, reads no clock: memory is lent, events are values,
 * time and entropy are arguments. What it emits points into the buffers it was given or into out's
 * arena.
 */
#ifndef SIXTAP_ROUTER_ENGINE_H
#define SIXTAP_ROUTER_ENGINE_H

#include "router/notices.h"
#include "router/admit.h"
#include "router/ratelimit.h"
#include "router/shun.h"
#include "router/txq.h"

#define LOGINS_PER_WAKEUP 16u

/* room in out's arena that one call can use up at the most */
#define ROUTER_ARENA ((size_t)1024 * 1024) /* 64 copies of 9 000 octets, and answers */

struct router_engine; /* router/state.h */

/* router_engine_bytes() - octets of memory router_engine_init() needs for @c */
size_t router_engine_bytes(const struct router_config *c);

/* router_engine_init() - @mem: zeroed, any alignment, lent until the engine is no longer used
 * @c: kept by pointer. router_config_finish() has been called. Values of keys that the table calls
 * live may change between two calls, then router_engine_settings() has to be told. */
struct router_engine *router_engine_init(void *mem, const struct router_config *c, mono_ns now,
                                         struct entropy *e);

/* router_engine_udp() - @n (0..BURST_MAX) datagrams from outside; opened and sealed in place
 * Writes nothing outside the datagrams; what goes out in place is no longer than what came in. May
 * be called several times with one @out before what it emitted is sent. */
void router_engine_udp(struct router_engine *re, mono_ns now, struct entropy *e, struct dgram *in,
                       unsigned n, struct out *out);

/* router_engine_tun() - @n (0..BURST_MAX) IPv6 packets out of the TUN, with head-room and tail-room
 */
void router_engine_tun(struct router_engine *re, mono_ns now, struct pkt *in, unsigned n,
                       struct out *out);

/* router_engine_uplink() - the uplink came or went: clients are told (RA with lifetime 0, settings
 * without default route), R20. Members are told over the next ticks, which are due at once; a
 * client that logs in meanwhile hears it then. Return: true when it was not known; never with
 * `uplink: none` */
bool router_engine_uplink(struct router_engine *re, bool up, mono_ns now);

/* router_engine_prefix_change() - the segment has @prefix from now on, and the router @address in
 * it (R20, R23). Members get their addresses in it and are told over the next ticks, which are due
 * at once: settings with the new address and the old prefix, and an RA in which that is preferred
 * for 0 s and valid for two hours at the most, counting down. For that long their old addresses
 * stay theirs; then, for two hours more, packets from old sources draw "source address failed
 * ingress/egress policy" (ICMPv6 1/5), and packets to old destinations 1/3. A login under way is
 * told to start anew. The engine knows prefix and address by itself from router_engine_init() on:
 * what the configuration says of them is no longer looked at. @address lies in @prefix and is not
 * its first. Return: false when nothing is new */
bool router_engine_prefix_change(struct router_engine *re, struct prefix prefix, struct ip6 address,
                                 mono_ns now);

/* router_engine_settings() - values of the configuration that may change at run time have: members
 * are told over the next ticks, which are due at once */
void router_engine_settings(struct router_engine *re, mono_ns now);

/* router_engine_tick() - what is due at @now; call at or after router_engine_deadline() */
void router_engine_tick(struct router_engine *re, mono_ns now, struct entropy *e, struct out *out);
mono_ns router_engine_deadline(const struct router_engine *re);

/* router_engine_stop() - say goodbye to members, as many as fit into @out
 * Return: true when there are more: send what is in @out, then call again. */
bool router_engine_stop(struct router_engine *re, mono_ns now, struct out *out);

/* router_engine_wipe() - forget every secret; the engine is of no use afterwards */
void router_engine_wipe(struct router_engine *re);

/* router_engine_reach() - the next member slot whose prefixes the host's kernel may have to know of
 * differently (reach.h); all of what it has now, none when nobody is there any more
 * Return: false when there is none */
struct reachable {
    uint32_t slot;
    unsigned n;
    struct prefix prefix[2 + DELEGATED_PER_MEMBER]; /* address, EUI-64, delegated */
};
bool router_engine_reach(struct router_engine *re, struct reachable *ret);

/* router_engine_listed_prefixes() - the next listed client, by its place of the roster
 * (@ret->slot), to whom others are delegated than when it was given last, whether it is on line or
 * not; all it has now, none when the place is free
 * Return: false when there is none */
bool router_engine_listed_prefixes(struct router_engine *re, struct reachable *ret);

/* router_engine_shunned() - what is better dropped unread (shun.h)
 * Return: true when it is others than at the last call */
bool router_engine_shunned(struct router_engine *re, const struct shun **ret);

/* router_engine_notice() - the oldest notice not taken yet; false when there is none */
bool router_engine_notice(struct router_engine *re, struct notice *ret);

/* router_engine_client() - the name of a client in a notice or member; NULL: it has none */
const char *router_engine_client(const struct router_engine *re, uint32_t client);

/* router_engine_listed() - how many clients are listed now */
uint32_t router_engine_listed(const struct router_engine *re);

/* router_engine_room() - how many can be, until the router is started anew */
uint32_t router_engine_room(const struct router_engine *re);

/* what status shows */
const struct bindings *router_engine_bindings(const struct router_engine *re);
const struct members *router_engine_members(const struct router_engine *re);
const uint64_t *router_engine_drops(const struct router_engine *re); /* DROP_COUNT counters */
struct router_totals {
    uint64_t rx_packets, rx_octets, uplink_tx, uplink_rx, nudges, handshakes, notices_lost;
    uint64_t dad_refused; /* duplicate address detections that were answered (R30) */
    uint32_t members, members_max, tentative;
    struct mac mac;
    struct ip6 link_local;
    struct prefix prefix; /* of the segment, now */
    struct ip6 address;   /* our own in it */
};
void router_engine_totals(const struct router_engine *re, struct router_totals *ret);

#endif
