/* SPDX-License-Identifier: MIT */
/* netlink_route.c - IPv6 routes; the link that leads to an IPv4 address */
#include <errno.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>

#include "proto/host/netlink_internal.h"

#define DUMP_TRIES     4
#define METRIC_DEFAULT 1024u /* IP6_RT_PRIO_USER: what the kernel makes of 0 */

/* ---- IPv6 routes ---- */

static struct nlmsghdr *begin_route(struct nl *nl, int type, int flags, const struct nl_route *r)
{
    struct nlmsghdr *nlh = nl_begin(nl, type, NLM_F_ACK | flags);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
    uint32_t table = r->table ? r->table : RT_TABLE_MAIN;

    rtm->rtm_family = AF_INET6;
    rtm->rtm_dst_len = r->dst.len;
    rtm->rtm_protocol = r->protocol ? r->protocol : RTPROT_STATIC;
    rtm->rtm_scope = RT_SCOPE_UNIVERSE;
    rtm->rtm_type = r->type == NL_UNREACHABLE ? RTN_UNREACHABLE : RTN_UNICAST;
    mnl_attr_put_u32(nlh, RTA_TABLE, table);
    mnl_attr_put(nlh, RTA_DST, IP6_LEN, r->dst.addr.b);
    if (r->ifindex)
        mnl_attr_put_u32(nlh, RTA_OIF, r->ifindex);
    if (r->has_via)
        mnl_attr_put(nlh, RTA_GATEWAY, IP6_LEN, r->via.b);
    mnl_attr_put_u32(nlh, RTA_PRIORITY, r->metric ? r->metric : METRIC_DEFAULT);
    mnl_attr_put_u8(nlh, RTA_PREF, (uint8_t)r->pref);
    if (r->expires_s)
        mnl_attr_put_u32(nlh, RTA_EXPIRES, r->expires_s);
    return nlh;
}

int nl_route_add(struct nl *nl, const struct nl_route *r)
{
    begin_route(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, r);
    return nl_talk(nl, NULL, NULL);
}

int nl_route_replace(struct nl *nl, const struct nl_route *r)
{
    begin_route(nl, RTM_NEWROUTE, NLM_F_CREATE | NLM_F_REPLACE, r);
    return nl_talk(nl, NULL, NULL);
}

int nl_route_del(struct nl *nl, const struct nl_route *r)
{
    begin_route(nl, RTM_DELROUTE, 0, r);
    return nl_talk(nl, NULL, NULL);
}

struct route_list {
    unsigned ifindex;
    uint8_t protocol;
    uint32_t table;
    struct nl_route *out;
    unsigned n, cap;
};

struct nl_route nl_parse_route(const struct nlmsghdr *nlh)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    struct nl_route r = { .protocol = rtm->rtm_protocol, .table = rtm->rtm_table };
    const struct nlattr *a;

    r.dst.len = rtm->rtm_dst_len;
    r.link_down = rtm->rtm_flags & RTNH_F_LINKDOWN;
    r.type = rtm->rtm_type == RTN_UNICAST       ? NL_UNICAST
             : rtm->rtm_type == RTN_UNREACHABLE ? NL_UNREACHABLE
                                                : NL_ROUTE_OTHER;
    for (a = nl_attr_first(nlh, sizeof(*rtm)); nl_attr_more(a, nlh); a = mnl_attr_next(a)) {
        switch (mnl_attr_get_type(a)) {
        case RTA_DST:
            r.dst.addr = ip6_load(mnl_attr_get_payload(a));
            break;
        case RTA_GATEWAY:
            r.has_via = true;
            r.via = ip6_load(mnl_attr_get_payload(a));
            break;
        case RTA_OIF:
            r.ifindex = mnl_attr_get_u32(a);
            break;
        case RTA_PRIORITY:
            r.metric = mnl_attr_get_u32(a);
            break;
        case RTA_TABLE:
            r.table = mnl_attr_get_u32(a);
            break;
        case RTA_PREF:
            r.pref = mnl_attr_get_u8(a);
            break;
        default:
            break;
        }
    }
    return r;
}

static void each_route(const struct nlmsghdr *nlh, void *arg)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    struct route_list *l = arg;

    if (nlh->nlmsg_type != RTM_NEWROUTE || rtm->rtm_family != AF_INET6 ||
        rtm->rtm_flags & RTM_F_CLONED)
        return;
    struct nl_route r = nl_parse_route(nlh);
    if (r.table != l->table || (l->ifindex && r.ifindex != l->ifindex) ||
        (l->protocol && r.protocol != l->protocol))
        return;
    if (r.type == NL_UNREACHABLE)
        r.ifindex = 0; /* as it was given: lo is no choice of anybody */
    if (l->n < l->cap)
        l->out[l->n] = r;
    l->n++;
}

/* dump_routes() - routes of @table (0: of all) out of @ifindex (0: any) to @each; kernels that do
 * not filter send more. Return: 0; -errno; -EINTR the dump was torn, ask again */
static int dump_routes(struct nl *nl, unsigned ifindex, uint8_t protocol, uint32_t table,
                       nl_each_fn *each, void *arg)
{
    struct nlmsghdr *nlh = nl_begin(nl, RTM_GETROUTE, NLM_F_DUMP);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));

    rtm->rtm_family = AF_INET6;
    rtm->rtm_protocol = protocol;
    if (table)
        mnl_attr_put_u32(nlh, RTA_TABLE, table);
    if (ifindex)
        mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
    return nl_talk(nl, each, arg);
}

int nl_route_list(struct nl *nl, unsigned ifindex, uint8_t protocol, uint32_t table,
                  struct nl_route *out, unsigned cap)
{
    struct route_list l = { ifindex, protocol, table ? table : RT_TABLE_MAIN, out, 0, cap };
    int err = -EINTR;

    for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++) {
        l.n = 0;
        err = dump_routes(nl, ifindex, protocol, l.table, each_route, &l);
    }
    if (err == -ENOENT)
        return 0; /* a table nobody has put a route into yet */
    return err < 0 ? err : (int)l.n;
}

struct route_search {
    unsigned ifindex;
    struct prefix dst;
    bool found;
};

static void each_route_there(const struct nlmsghdr *nlh, void *arg)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    struct route_search *s = arg;

    if (nlh->nlmsg_type != RTM_NEWROUTE || rtm->rtm_family != AF_INET6 ||
        rtm->rtm_flags & RTM_F_CLONED)
        return;
    struct nl_route r = nl_parse_route(nlh);
    s->found |= r.type == NL_UNICAST && r.ifindex == s->ifindex && prefix_eq(r.dst, s->dst);
}

int nl_route_there(struct nl *nl, unsigned ifindex, struct prefix dst, bool *ret)
{
    struct route_search s = { .ifindex = ifindex, .dst = dst };
    int err = -EINTR;

    for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++)
        err = dump_routes(nl, ifindex, 0, 0, each_route_there, &s);
    if (err == 0)
        *ret = s.found;
    return err;
}

static void each_route_to(const struct nlmsghdr *nlh, void *arg)
{
    struct nl_route *r = arg;

    if (nlh->nlmsg_type == RTM_NEWROUTE)
        *r = nl_parse_route(nlh);
}

int nl_route_to(struct nl *nl, struct ip6 dst, struct nl_route *ret)
{
    struct nlmsghdr *nlh = nl_begin(nl, RTM_GETROUTE, NLM_F_ACK);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
    struct nl_route r = { .type = NL_ROUTE_OTHER };

    rtm->rtm_family = AF_INET6;
    rtm->rtm_dst_len = 128;
    mnl_attr_put(nlh, RTA_DST, IP6_LEN, dst.b);
    int err = nl_talk(nl, each_route_to, &r);
    if (err == 0 && (r.type != NL_UNICAST || r.ifindex == 0))
        err = nl_fail(nl, -ENETUNREACH, NULL);
    if (err == 0)
        *ret = r;
    return err;
}

/* ---- IPv4 underlay ---- */

static void each_path(const struct nlmsghdr *nlh, void *arg)
{
    struct nl_path *p = arg;
    const struct nlattr *a;

    if (nlh->nlmsg_type != RTM_NEWROUTE)
        return;
    for (a = nl_attr_first(nlh, sizeof(struct rtmsg)); nl_attr_more(a, nlh); a = mnl_attr_next(a)) {
        unsigned type = mnl_attr_get_type(a);
        if (mnl_attr_get_payload_len(a) < sizeof(uint32_t))
            continue;
        if (type == RTA_OIF)
            p->ifindex = mnl_attr_get_u32(a);
        else if (type == RTA_PREFSRC)
            memcpy(p->source.b, mnl_attr_get_payload(a), sizeof(p->source));
        else if (type == RTA_GATEWAY)
            memcpy(p->gateway.b, mnl_attr_get_payload(a), sizeof(p->gateway));
    }
}

int nl_path_get(struct nl *nl, be32 dst, struct nl_path *ret)
{
    return nl_path_get_by(nl, dst, 0, 0, ret);
}

int nl_path_get_by(struct nl *nl, be32 dst, unsigned ifindex, uint32_t mark, struct nl_path *ret)
{
    struct nlmsghdr *nlh = nl_begin(nl, RTM_GETROUTE, NLM_F_ACK);
    struct rtmsg *rtm = mnl_nlmsg_put_extra_header(nlh, sizeof(*rtm));
    struct nl_link link = { 0 };
    struct nl_path p = { 0 };

    rtm->rtm_family = AF_INET;
    rtm->rtm_dst_len = 32;
    mnl_attr_put(nlh, RTA_DST, sizeof(dst), dst.b);
    if (ifindex)
        mnl_attr_put_u32(nlh, RTA_OIF, ifindex);
    if (mark)
        mnl_attr_put_u32(nlh, RTA_MARK, mark);
    int err = nl_talk(nl, each_path, &p);
    if (err == 0 && p.ifindex == 0)
        err = nl_fail(nl, -ENETUNREACH, NULL);
    if (err == 0)
        err = nl_link_get(nl, p.ifindex, &link);
    if (err < 0)
        return err;
    p.mtu = link.mtu;
    *ret = p;
    return 0;
}
