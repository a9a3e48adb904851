/* SPDX-License-Identifier: MIT */
/* forward.c - where an inner packet goes */
#include "router/forward.h"

#include "proto/ext.h"
#include "proto/icmp6.h"
#include "proto/ip4.h"
#include "proto/nd.h"

static struct forward drop(enum drop why)
{
    return (struct forward){ .to = TO_NOBODY, .why = why };
}

static struct forward refuse(enum drop why, uint8_t code)
{
    return (struct forward){
        .to = TO_NOBODY, .why = why, .error_type = ICMP6_UNREACH, .error_code = code
    };
}

static struct forward refuse_headers(enum drop why, const struct ext_problem *x)
{
    struct forward fw = drop(why);

    if (x->error) {
        fw.error_type = ICMP6_PARAM;
        fw.error_code = x->code;
        fw.error_param = x->pointer;
    }
    return fw;
}

/* Messages only a router, a DHCPv6 server or an MLD querier sends; a client is none of them. */
static bool wrong_role(const struct frame *f)
{
    int type = frame_icmp_type(f);
    return type == ND_RA || type == ND_REDIRECT || type == ICMP6_MLD_QUERY ||
           frame_is_dhcp_server(f);
}

/* A source of :: is for DAD, RS and MLD reports before an address is there, and for nothing else.
 */
static bool may_be_unspecified(const struct frame *f)
{
    int type = frame_icmp_type(f);
    return type == ND_NS || type == ND_RS || type == ICMP6_MLD2_REPORT || type == ICMP6_MLD_REPORT;
}

static enum drop check_source(struct bindings *b, struct member *m, const struct frame *f,
                              mono_ns now, bool *ret_learned)
{
    *ret_learned = false;
    if (!frame_source_valid(f))
        return DROP_SRC_INVALID;
    if (f->undecided)
        return DROP_EXT_CHAIN;
    if (wrong_role(f))
        return DROP_ND_ROLE;
    if (ip6_is_unspecified(f->src))
        return may_be_unspecified(f) ? DROP_NONE : DROP_SRC_INVALID;
    return bindings_guard(b, m, f->src, now, ret_learned);
}

static struct forward to_group(const struct router_config *c, const struct frame *f)
{
    /* What the router itself takes part in: all-nodes and all-routers echo. */
    bool echo = frame_icmp_type(f) == ICMP6_ECHO_REQUEST &&
                (ip6_eq(f->dst, ip6_all_nodes) || ip6_eq(f->dst, ip6_all_routers));
    if (c->multicast && !c->isolate && !ip6_eq(f->dst, ip6_all_routers))
        return (struct forward){ .to = TO_LISTENERS, .also_router = echo };
    return echo ? (struct forward){ .to = TO_ROUTER } : drop(DROP_MULTICAST);
}

static struct forward to_router(const struct bindings *b, const struct router_config *c,
                                const struct frame *f)
{
    /* The kernel owns prefix::1, but it could not answer a link-local source: it is not on this
     * link. */
    if (ip6_eq(f->dst, b->router[1]) || c->uplink == UPLINK_NONE || b->uplink_down ||
        ip6_is_link_local(f->src))
        return (struct forward){ .to = TO_ROUTER };
    return (struct forward){ .to = TO_UPLINK };
}

/* Where no packet of the Internet may be sent for us: to ourselves, or to nobody there. */
static bool ip4_leads_back(const struct router_config *c, be32 a)
{
    return memcmp(&a, &c->public_ep.ip, sizeof(a)) == 0 ||
           memcmp(&a, &c->listen.ip, sizeof(a)) == 0 || !ip4_is_global(a);
}

/* 6to4 and Teredo addresses carry the IPv4 address where a relay on the way would send the packet.
 * Ours: it would come back to this host. Not global: the relay would send it into its own network.
 * Source: RFC 3056 2 (2002:V4::/48), RFC 4380 4 (2001:0:SERVER::, client's address inverted at the
 * end), RFC 3964 4.2, RFC 6324 3. */
static bool leads_back(const struct router_config *c, const struct ip6 *a)
{
    if (a->b[0] == 0x20 && a->b[1] == 0x02)
        return ip4_leads_back(c, be32_of(be32_load(a->b + 2)));
    if (be32_load(a->b) == 0x20010000)
        return ip4_leads_back(c, be32_of(be32_load(a->b + 4))) ||
               ip4_leads_back(c, be32_of(~be32_load(a->b + 12)));
    return false;
}

static struct forward off_segment(const struct bindings *b, const struct router_config *c,
                                  const struct frame *f)
{
    if (ip6_is_unspecified(f->dst) || ip6_is_loopback(f->dst) || ip6_is_v4mapped(f->dst) ||
        leads_back(c, &f->dst))
        return drop(DROP_DST_INVALID);
    if (ip6_is_link_local(f->src))
        return refuse(DROP_SCOPE, 2);
    if (c->uplink == UPLINK_NONE || b->uplink_down)
        return refuse(DROP_NO_UPLINK, 0);
    return (struct forward){ .to = TO_UPLINK };
}

/* Into a prefix delegated to @to. A packet to one's own would go round until its hop limit ends
 * (R66). */
static struct forward delegated(const struct router_config *c, struct member *from,
                                struct member *to, const struct frame *f)
{
    if (to == from)
        return drop(DROP_DST_SELF);
    if (c->isolate)
        return refuse(DROP_ISOLATED, 1);
    if (ip6_is_link_local(f->src))
        return refuse(DROP_SCOPE, 2);
    if (f->hop_limit <= 1)
        return (struct forward){ .why = DROP_HOP_LIMIT, .error_type = ICMP6_TIME };
    return (struct forward){ .to = TO_MEMBER, .member = to, .routed = true, .off_link = true };
}

/* @dst is one of @to's addresses, or nobody's when @to is NULL. */
static struct forward in_segment(const struct router_config *c, struct member *from,
                                 struct member *to, const struct frame *f, enum wire_kind kind,
                                 struct mac hint)
{
    struct forward fw = { .to = TO_MEMBER, .member = to };
    struct ext_problem x;

    if (!to)
        return refuse(DROP_NO_OWNER, 3);
    if (to == from)
        return drop(DROP_DST_SELF);
    if (c->isolate)
        return refuse(DROP_ISOLATED, 1);
    if (kind == KIND_HOST) {
        /* A link-local packet is never routed (RFC 4291 2.5.6). */
        if (ip6_is_link_local(f->src) || ip6_is_link_local(f->dst))
            return drop(DROP_SCOPE);
        if (f->hop_limit <= 1)
            return (struct forward){ .why = DROP_HOP_LIMIT, .error_type = ICMP6_TIME };
        enum drop why = ext_on_the_way(f, &x);
        if (why)
            return refuse_headers(why, &x);
        fw.routed = true;
    } else {
        fw.stale_mac = !mac_eq(hint, to->mac);
    }
    return fw;
}

struct forward forward_from_member(struct bindings *b, const struct router_config *c,
                                   struct member *m, const struct frame *f, enum wire_kind kind,
                                   struct mac hint, mono_ns now, bool *ret_learned)
{
    struct member *to = NULL;

    enum drop why = check_source(b, m, f, now, ret_learned);
    if (why == DROP_SRC_GUARD && bindings_was_in_segment(b, f->src))
        return refuse(why, 5);
    if (why)
        return drop(why);
    if (frame_is_nd(f))
        return (struct forward){ .to = TO_NEIGHBOR };
    /* Listener reports are for routers; they reach no other host, by whatever address (R38). With
     * this no packet from :: goes on, either. */
    if (frame_is_mld(f))
        return c->multicast ? (struct forward){ .to = TO_QUERIER } : drop(DROP_MULTICAST);
    if (ip6_is_multicast(f->dst))
        return to_group(c, f);
    if (kind == KIND_MULTICAST)
        return drop(DROP_DST_INVALID);
    if (kind == KIND_PEER) {
        to = member_by_mac(b->ms, hint);
        if (to && bindings_owns(b, to, f->dst))
            return in_segment(c, m, to, f, kind, hint);
    }
    switch (bindings_owner(b, f->dst, &to)) {
    case OWNER_ROUTER:
        return to_router(b, c, f);
    case OWNER_MEMBER:
        return in_segment(c, m, to, f, kind, hint);
    case OWNER_NONE:
        break;
    }
    /* Where the prefix is on link at the WAN, who is none of ours may be there. */
    if (bindings_in_segment(b, f->dst) && (!b->shared || ip6_is_link_local(f->dst)))
        return in_segment(c, m, NULL, f, kind, hint);
    to = bindings_delegated(b, f->dst);
    if (to)
        return delegated(c, m, to, f);
    if (bindings_was_in_segment(b, f->dst))
        return refuse(DROP_NO_OWNER, 3);
    return off_segment(b, c, f);
}

struct forward forward_at_router(const struct frame *f)
{
    struct ext_problem x;

    enum drop why = ext_at_the_end(f, &x);
    if (why)
        return refuse_headers(why, &x);
    if (frame_icmp_type(f) == ICMP6_ECHO_REQUEST)
        return (struct forward){ .to = TO_ROUTER };
    /* Unknown informational messages are discarded in silence (RFC 4443 2.4 (b)); errors are about
     * answers nobody waits for; and behind 59 there is nothing (RFC 8200 4.7). */
    if (f->nh == NH_ICMPV6 || f->nh == NH_NONE)
        return drop(DROP_NO_SERVICE);
    /* No port is open. Deviation: RFC 9293 3.10.7.1 answers TCP with a reset; "port unreachable"
     * ends an attempt as well, and needs no TCP. */
    if (f->nh == NH_UDP || f->nh == NH_TCP)
        return refuse(DROP_NO_SERVICE, 4);
    struct forward fw = refuse(DROP_NO_SERVICE, 1);
    fw.error_type = ICMP6_PARAM; /* unrecognized next header */
    fw.error_param = f->nh_at;
    return fw;
}

/* From this side come the kernel's own address on the TUN, where the prefix is on link at the WAN
 * its other hosts, and nothing else of the segment or of what is delegated. */
static bool source_is_ours(const struct bindings *b, struct ip6 src)
{
    struct member *owner = NULL;

    if (bindings_is_own(b, src))
        return false;
    if (!bindings_in_segment(b, src))
        return bindings_delegated(b, src) || bindings_was_in_segment(b, src);
    return !b->shared || ip6_is_link_local(src) || bindings_owner(b, src, &owner) == OWNER_MEMBER ||
           table_find(&b->reserved, src.b) != TABLE_NONE;
}

struct forward forward_from_uplink(struct bindings *b, const struct router_config *c,
                                   const struct frame *f)
{
    struct member *to = NULL;

    /* First, because the kernel's own listener reports come from ::, and nobody is to blame. */
    if (ip6_is_multicast(f->dst) || ip6_is_link_local(f->dst))
        return drop(DROP_MULTICAST);
    if (!frame_source_valid(f) || ip6_is_unspecified(f->src) || leads_back(c, &f->src))
        return drop(DROP_SRC_INVALID);
    if (source_is_ours(b, f->src))
        return drop(DROP_SRC_SEGMENT);
    if (bindings_owner(b, f->dst, &to) != OWNER_MEMBER && !(to = bindings_delegated(b, f->dst)))
        return refuse(DROP_NO_OWNER, 3);
    return (struct forward){ .to = TO_MEMBER, .member = to };
}
