/* SPDX-License-Identifier: MIT */
/* neighbor.h - which solicitation gets which answer
 *
 * DOC: the router knows every neighbor, so it answers itself and floods nothing. A multicast NS for
 * an address a member owns draws a proxy NA (O=0, R=0, the owner's MAC); for an own address R=1,
 * O=1; for an unknown one silence. DAD for a free address binds it; for one that is taken it is
 * defended, into the asking member only. Unicast NS (reachability probes) and the NAs that answer
 * them are forwarded when everything they claim is true, so that a dead client is not declared
 * alive. All other ND ends here.
 *
 * Standards: RFC 4861 7.2.3, 7.2.4, 7.2.8; RFC 4862 5.4; RFC 6620; RFC 7527.
 */
#ifndef SIXTAP_ROUTER_NEIGHBOR_H
#define SIXTAP_ROUTER_NEIGHBOR_H

#include "proto/nd.h"
#include "router/bindings.h"

/* What one member's messages may draw: answers, RAs, copies to another member. A host asks once a
 * second for each neighbor it looks for, so this is far above what any needs, and what a flood of
 * 10^5 a second draws costs the others next to nothing (H53, R18). */
#define NEIGHBOR_PER_S 1000u
#define NEIGHBOR_BURST 2000u

/* How many of one member's messages of Neighbor and Listener Discovery are looked at between two
 * sweeps (a second), answered or not: the others end when two octets of them are read, or, when so
 * many came in one kind, before they are received (shun.h). A host that looks for a thousand
 * neighbors at once stays below. */
#define NEIGHBOR_SEEN 4000u

enum neighbor_do {
    ND_DROP,         /* why; DROP_NONE: it ends here and that is right */
    ND_ANSWER,       /* send na_* to the asker */
    ND_FORWARD,      /* to member `to` as it is */
    ND_SOLICITED_RA, /* an RS: send an RA to the asker */
};

struct neighbor {
    enum neighbor_do what;
    enum drop why;
    struct member *to; /* ND_FORWARD */
    /* ND_ANSWER */
    struct ip6 na_dst, na_target;
    uint8_t na_flags;
    struct mac na_lla;
    bool dad_conflict; /* defended: `to` is the holder, NULL the router */
    bool learned;      /* a DAD bound na_target */
};

/* neighbor_decide() - @nd is valid and comes from @m, whose source address has passed the guard */
struct neighbor neighbor_decide(struct bindings *b, struct member *m, const struct nd *nd,
                                struct mac router_mac, mono_ns now);

#endif
