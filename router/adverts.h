/* SPDX-License-Identifier: MIT */
/* adverts.h - Router Advertisements: one per member, unicast, with that member's MTU
 *
 * DOC: the first goes out unasked when a login is confirmed (a kernel that has heard an RA never
 * solicits again), two more follow within 16 s each, then one every min..max_interval. The first
 * solicitation after a login is answered at once; later ones wait in a small queue for a random
 * time of up to half a second, and whoever asks again meanwhile gets one answer. When the queue is
 * full the sweep answers, within a second or so. What changes (MTU, uplink, prefix) is told at
 * once. Router lifetime is 0 without an uplink; the preference is low, so that native IPv6 wins
 * when a laptop meets it. A prefix that is gone is advertised with preferred lifetime 0 and a valid
 * lifetime that counts down from two hours at the most.
 *
 * Standards: RFC 4861 6.2, RFC 8319, RFC 4191 2.2, RFC 8106 5, RFC 7772 (unicast), RFC 7084 L-13.
 * Deviation: RFC 4861 6.2.6 delays every answer at random, so that several routers do not speak at
 * the same time; the first of a session is not delayed, as there is one router and it answers one
 * host over a link of their own. RFC 4861 6.2.4 sends unsolicited advertisements to all nodes; here
 * each member gets its own by unicast, because each has an MTU of its own.
 */
#ifndef SIXTAP_ROUTER_ADVERTS_H
#define SIXTAP_ROUTER_ADVERTS_H

#include "proto/nd.h"
#include "router/bindings.h"

#define ADVERTS_INITIAL     3u /* MAX_INITIAL_RTR_ADVERTISEMENTS, and final ones likewise */
#define ADVERTS_INITIAL_MAX (16 * NS_PER_S)
#define ADVERTS_DELAY_MAX   (NS_PER_S / 2) /* MAX_RA_DELAY_TIME */
#define ADVERTS_GROUP_PAUSE (3 * NS_PER_S) /* MIN_DELAY_BETWEEN_RAS, of those to all nodes */
#define ADVERTS_WAITING     32u

struct advert_from { /* what an RA says beside the member's own */
    const struct router_config *conf;
    const struct bindings *b; /* the prefix, and those that are gone */
    bool uplink;              /* it works: we are a default router, and for routes: */
    struct ip6 link_local;    /* our own */
    struct mac mac;
    mono_ns now;
};

/* adverts_build() - the RA for @m, as a whole IPv6 packet
 * @out: ND_PACKET_MAX octets
 * @dst: where to: the member's address, or all-nodes when it asked from ::
 * Return: octets written */
size_t adverts_build(uint8_t *out, const struct advert_from *from, const struct member *m,
                     struct ip6 dst);

/* adverts_interval() - nanoseconds until the next unasked RA, uniform in min..max_interval; at most
 * 16 s after the first few
 * @sent: unasked ones since the login, or since uplink or prefix changed (RFC 4861 6.2.4, 6.2.5) */
mono_ns adverts_interval(const struct router_config *c, unsigned sent, uint32_t rnd);

struct advert_wait { /* an answer that is due later */
    uint32_t slot;
    struct ip6 dst;
    mono_ns due;
};

struct adverts {
    struct advert_wait wait[ADVERTS_WAITING];
    unsigned n;
    uint32_t rnd; /* of the delays; spreads, protects nothing */
};

/* adverts_solicited() - member @m in @slot has solicited
 * @dst: whom to answer: its source, or all-nodes when that was ::
 * Return: true: answer now; false: adverts_due() or the sweep (m->next_ra) will */
bool adverts_solicited(struct adverts *a, struct member *m, uint32_t slot, struct ip6 dst,
                       mono_ns now);

/* adverts_due() - take one answer whose time has come; false: none now */
bool adverts_due(struct adverts *a, mono_ns now, struct advert_wait *ret);

/* adverts_deadline() - when the next is due, or NEVER */
mono_ns adverts_deadline(const struct adverts *a);

/* adverts_leave() - the member in @slot is gone, and nobody waits any more */
void adverts_leave(struct adverts *a, uint32_t slot);

/* adverts_on_link() - do clients reach each other on the link? Not when they are kept apart, nor
 * when the prefix is on link at the WAN, where other hosts of it are. */
static inline bool adverts_on_link(const struct router_config *c)
{
    return !c->isolate && c->uplink != UPLINK_NDPROXY;
}

#endif
