/* SPDX-License-Identifier: MIT */
/* tunnel.h - the way to the router: keys, endpoint, socket; everything sent under the keys
 *
 * DOC: whatever is sealed leaves through here, so this is where it is known when something was sent
 * last and which counters a NUDGE may echo. A mark holds the counters sent in 250 ms or a little
 * less; there are enough of them for NUDGE_MEMORY. At its edge the answer is "too old" up to 250 ms
 * early, never late.
 */
#ifndef SIXTAP_CLIENT_TUNNEL_H
#define SIXTAP_CLIENT_TUNNEL_H

#include "client/turn.h"
#include "proto/keypair.h"

#define TUNNEL_MARK_GAP (250 * NS_PER_MS)
#define TUNNEL_MARKS    24u

#define TUNNEL_SCHEDULES 4u /* sent with; received with: previous, current, next */

struct tunnel_mark {
    mono_ns time;
    uint32_t index;       /* the router's, in the DATA */
    uint64_t first, last; /* counters sent from then until the next mark */
};

struct tunnel { /* must not move once it is initialised */
    struct keyset keys;
    struct seal_cache schedules;
    uint8_t schedule_room[SEAL_CACHE_BYTES(TUNNEL_SCHEDULES)];
    struct endpoint router; /* where DATA goes */
    unsigned which;         /* of the configured routers it is */
    uint8_t sock;
    uint16_t outer_mtu; /* of the outgoing interface; longer datagrams may be fragmented */
    bool fragment;      /* all DATA may be, but probes that ask whether they pass whole */
    mono_ns last_tx;    /* anything sealed */
    uint64_t tx_datagrams, tx_octets, rx_datagrams, rx_octets; /* outer, DATA only */
    struct tunnel_mark mark[TUNNEL_MARKS];
    unsigned next_mark;
};

/* tunnel_init() - no keys, no router, outer MTU 1500, fragments allowed */
void tunnel_init(struct tunnel *tn);

/* tunnel_send() - seal @n (0..BURST_MAX) packets in place and emit them
 * @pt, @kind: as keyset_seal_run()
 * Return: how many; the others were counted (NOT_UP without keys, NO_ROOM). */
unsigned tunnel_send(struct tunnel *tn, const struct turn *t, struct pkt *pt, const uint8_t *kind,
                     unsigned n);

/* tunnel_control() - one DATA with @n control messages, from the arena
 * @size: octets of the whole datagram, padded to that; 0: no padding
 * Return: false when there are no keys or there is no room (counted). */
bool tunnel_control(struct tunnel *tn, const struct turn *t, const struct control *c, unsigned n,
                    size_t size);

/* tunnel_probe() - likewise, a probe: whatever else is sent, with DF or (@frag) without */
bool tunnel_probe(struct tunnel *tn, const struct turn *t, const struct control *c, unsigned n,
                  size_t size, bool frag);

/* tunnel_emit() - a LOGIN of @len octets at @p to @to through socket @sock, as it is. It may be
 * fragmented: nothing is known of the path yet. */
bool tunnel_emit(const struct turn *t, uint8_t *p, size_t len, struct endpoint to, uint8_t sock);

/* tunnel_sent() - was a DATA with this counter sent in the last NUDGE_MEMORY, with the keypair that
 * is sent with now, @index being its? */
bool tunnel_sent(const struct tunnel *tn, uint32_t index, uint64_t counter, mono_ns now);

#endif
