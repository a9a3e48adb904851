/* SPDX-License-Identifier: MIT */
/* neighbor.c - which solicitation gets which answer */
#include "router/neighbor.h"

static struct neighbor ends_here(enum drop why)
{
    return (struct neighbor){ .what = ND_DROP, .why = why };
}

/* Duplicate address detection (R9, R10, R28, R30): the first to ask owns it. */
static struct neighbor decide_dad(struct bindings *b, struct member *m, const struct nd *nd,
                                  struct mac router_mac, mono_ns now)
{
    struct member *owner = NULL;
    struct neighbor n = { .what = ND_ANSWER,
                          .na_dst = ip6_all_nodes,
                          .na_target = nd->target,
                          .na_flags = ND_NA_O,
                          .na_lla = router_mac,
                          .dad_conflict = true };

    switch (bindings_owner(b, nd->target, &owner)) {
    case OWNER_ROUTER:
        n.na_flags |= ND_NA_R;
        return n;
    case OWNER_MEMBER:
        if (owner == m)
            return ends_here(DROP_NONE);
        n.to = owner;
        n.na_lla = owner->mac;
        return n;
    case OWNER_NONE:
        break;
    }
    bool learned = false;
    enum drop why = bindings_in_segment(b, nd->target)
                        ? bindings_guard(b, m, nd->target, now, &learned)
                        : DROP_ND_GUARD;
    struct neighbor done = ends_here(why == DROP_SRC_GUARD ? DROP_ND_GUARD : why);
    done.learned = learned;
    done.na_target = nd->target;
    return done;
}

static struct neighbor decide_multicast_ns(struct bindings *b, struct member *m,
                                           const struct nd *nd, struct mac router_mac)
{
    struct member *owner = NULL;
    struct neighbor n = { .what = ND_ANSWER, .na_dst = nd->src, .na_target = nd->target };

    switch (bindings_owner(b, nd->target, &owner)) {
    case OWNER_ROUTER:
        n.na_flags = ND_NA_R | ND_NA_S;
        /* RFC 4861 7.2.7: anycast answers do not override. */
        if (!ip6_eq(nd->target, b->anycast))
            n.na_flags |= ND_NA_O;
        n.na_lla = router_mac;
        return n;
    case OWNER_MEMBER:
        if (owner == m)
            return ends_here(DROP_NONE);
        if (b->isolate)
            return ends_here(DROP_ISOLATED);
        n.na_flags = ND_NA_S;
        n.na_lla = owner->mac;
        return n;
    case OWNER_NONE:
        break;
    }
    return ends_here(DROP_ND_UNKNOWN);
}

/* A reachability probe goes to the owner of its target, who answers it or is dead. */
static struct neighbor decide_unicast_ns(struct bindings *b, struct member *m, const struct nd *nd,
                                         struct mac router_mac)
{
    struct member *to = NULL;

    enum owner_kind k = bindings_owner(b, nd->target, &to);
    if (k == OWNER_ROUTER)
        return decide_multicast_ns(b, m, nd, router_mac);
    if (k == OWNER_NONE)
        return ends_here(DROP_ND_UNKNOWN);
    if (b->isolate && to != m)
        return ends_here(DROP_ISOLATED);
    if (to == m || !bindings_owns(b, to, nd->dst))
        return ends_here(DROP_ND_GUARD);
    return (struct neighbor){ .what = ND_FORWARD, .to = to };
}

static struct neighbor decide_na(struct bindings *b, struct member *m, const struct nd *nd)
{
    struct member *to = NULL;

    if (!bindings_owns(b, m, nd->target))
        return ends_here(DROP_ND_GUARD);
    /* Unsolicited ones, and those for the router, have been heard: the source guard has bound what
     * was free. */
    if (ip6_is_multicast(nd->dst))
        return ends_here(DROP_NONE);
    switch (bindings_owner(b, nd->dst, &to)) {
    case OWNER_ROUTER:
        return ends_here(DROP_NONE);
    case OWNER_NONE:
        return ends_here(DROP_NO_OWNER);
    case OWNER_MEMBER:
        break;
    }
    if (b->isolate && to != m)
        return ends_here(DROP_ISOLATED);
    return to == m ? ends_here(DROP_DST_SELF) : (struct neighbor){ .what = ND_FORWARD, .to = to };
}

struct neighbor neighbor_decide(struct bindings *b, struct member *m, const struct nd *nd,
                                struct mac router_mac, mono_ns now)
{
    /* Whoever speaks of a MAC may speak of its own only. */
    if (nd->has_lla && !mac_eq(nd->lla, m->mac))
        return ends_here(DROP_ND_GUARD);
    switch (nd->type) {
    case ND_RS:
        return (struct neighbor){ .what = ND_SOLICITED_RA };
    case ND_NS:
        if (ip6_is_unspecified(nd->src))
            return decide_dad(b, m, nd, router_mac, now);
        if (ip6_is_multicast(nd->dst))
            return decide_multicast_ns(b, m, nd, router_mac);
        return decide_unicast_ns(b, m, nd, router_mac);
    case ND_NA:
        return decide_na(b, m, nd);
    case ND_RA:
    case ND_REDIRECT:
        break;
    }
    return ends_here(DROP_ND_ROLE);
}
