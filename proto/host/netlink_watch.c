/* SPDX-License-Identifier: MIT */
/* netlink_watch.c - word of what others change: the underlay's path, our own device
 *
 * DOC: what is heard is folded into flags: a hundred messages of a network restart are one event.
 * The watched link and the underlay are told apart by link index; IPv6 of other links is of no
 * interest. Of its routes not even a copy may come here, on a host with the routes of the whole
 * Internet: a filter in the kernel takes only those that leave the watched link.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/host/netlink_internal.h"

struct nl_watch {
    struct mnl_socket *sock;
    unsigned ifindex;
    nl_route_fn *route;
    void *route_ctx;
    _Alignas(8) uint8_t rx[NL_RX_LEN];
};

/* Octets of a route message: struct nlmsghdr, struct rtmsg, attributes. */
#define AT_TYPE   offsetof(struct nlmsghdr, nlmsg_type)
#define AT_FAMILY sizeof(struct nlmsghdr)
#define AT_ATTRS  (sizeof(struct nlmsghdr) + sizeof(struct rtmsg))

/* filter() - of IPv6 routes only those with RTA_OIF @ifindex come through, of all else everything.
 * A BPF load reads octets as a big-endian number; what it reads here is in the host's order. */
static int filter(struct mnl_socket *sock, unsigned ifindex)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_H | BPF_ABS, AT_TYPE),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_DELROUTE), 1, 0),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htons(RTM_NEWROUTE), 0, 9), /* no: take */
        BPF_STMT(BPF_LD | BPF_B | BPF_ABS, AT_FAMILY),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, AF_INET6, 0, 7), /* no: take */
        BPF_STMT(BPF_LDX | BPF_IMM, RTA_OIF),
        BPF_STMT(BPF_LD | BPF_IMM, AT_ATTRS), /* where that attribute is, 0: nowhere */
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (uint32_t)(SKF_AD_OFF + SKF_AD_NLATTR)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0, 4, 0), /* yes: leave */
        BPF_STMT(BPF_MISC | BPF_TAX, 0),
        BPF_STMT(BPF_LD | BPF_W | BPF_IND, sizeof(struct nlattr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, htonl(ifindex), 0, 1), /* no: leave */
        BPF_STMT(BPF_RET | BPF_K, 0xFFFFFFFFu),                    /* take */
        BPF_STMT(BPF_RET | BPF_K, 0),                              /* leave */
    };
    const struct sock_fprog prog = { .len = sizeof(code) / sizeof(code[0]), .filter = code };

    return setsockopt(mnl_socket_get_fd(sock), SOL_SOCKET, SO_ATTACH_FILTER, &prog, sizeof(prog));
}

int nl_watch_open(unsigned ifindex, struct nl_watch **ret)
{
    static const int group[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
                                 RTNLGRP_IPV6_IFADDR, RTNLGRP_IPV6_ROUTE };
    struct nl_watch *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->ifindex = ifindex;
    w->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!w->sock || mnl_socket_bind(w->sock, 0, MNL_SOCKET_AUTOPID) < 0)
        goto fail;
    if (filter(w->sock, ifindex) < 0)
        goto fail;
    for (size_t i = 0; i < sizeof(group) / sizeof(group[0]); i++) {
        int g = group[i];

        if (mnl_socket_setsockopt(w->sock, NETLINK_ADD_MEMBERSHIP, &g, sizeof(g)) < 0)
            goto fail;
    }
    *ret = w;
    return 0;
fail:;
    int err = -errno;
    nl_watch_close(w);
    return err;
}

void nl_watch_close(struct nl_watch *w)
{
    if (!w)
        return;
    if (w->sock)
        mnl_socket_close(w->sock);
    free(w);
}

int nl_watch_fd(const struct nl_watch *w)
{
    return mnl_socket_get_fd(w->sock);
}

void nl_watch_routes(struct nl_watch *w, nl_route_fn *route, void *ctx)
{
    w->route = route;
    w->route_ctx = ctx;
}

static unsigned link_changed(const struct nl_watch *w, const struct nlmsghdr *nlh,
                             struct nl_link *link)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);

    /* a bridge tells of its ports in messages of the same types: RTM_DELLINK when one leaves it */
    if (ifi->ifi_family != AF_UNSPEC)
        return 0;
    if ((unsigned)ifi->ifi_index != w->ifindex || w->ifindex == 0)
        return NL_UNDERLAY;
    nl_parse_link(nlh, link);
    return nlh->nlmsg_type == RTM_DELLINK ? NL_DEVICE_DELETED : NL_DEVICE_LINK;
}

static unsigned address_changed(const struct nl_watch *w, const struct nlmsghdr *nlh)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
    bool ours = w->ifindex && ifa->ifa_index == w->ifindex;

    if (ifa->ifa_family == AF_INET6)
        return ours ? NL_DEVICE_ADDRESS : 0;
    return ours ? 0 : NL_UNDERLAY;
}

static unsigned route6_changed(const struct nl_watch *w, const struct nlmsghdr *nlh)
{
    const struct nl_route r = nl_parse_route(nlh);

    bool gone = nlh->nlmsg_type == RTM_DELROUTE;

    if (r.type != NL_UNICAST || r.ifindex != w->ifindex || w->ifindex == 0)
        return 0;
    if (w->route)
        w->route(w->route_ctx, r.dst, gone);
    return gone ? NL_DEVICE_ROUTE : 0;
}

static unsigned route_changed(const struct nl_watch *w, const struct nlmsghdr *nlh)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *a;

    if (rtm->rtm_family == AF_INET6 && !(rtm->rtm_flags & RTM_F_CLONED))
        return route6_changed(w, nlh);
    if (rtm->rtm_family != AF_INET || rtm->rtm_flags & RTM_F_CLONED)
        return 0;
    for (a = nl_attr_first(nlh, sizeof(*rtm)); nl_attr_more(a, nlh); a = mnl_attr_next(a))
        if (mnl_attr_get_type(a) == RTA_OIF && w->ifindex && mnl_attr_get_u32(a) == w->ifindex)
            return 0;
    return NL_UNDERLAY;
}

static unsigned heard(const struct nl_watch *w, const struct nlmsghdr *nlh, struct nl_link *link)
{
    switch (nlh->nlmsg_type) {
    case RTM_NEWLINK:
    case RTM_DELLINK:
        return link_changed(w, nlh, link);
    case RTM_NEWADDR:
    case RTM_DELADDR:
        return address_changed(w, nlh);
    case RTM_NEWROUTE:
    case RTM_DELROUTE:
        return route_changed(w, nlh);
    default:
        return 0;
    }
}

int nl_watch_read(struct nl_watch *w, struct nl_event *ret)
{
    struct nl_event ev = { 0 };

    for (;;) {
        ssize_t n = mnl_socket_recvfrom(w->sock, w->rx, sizeof(w->rx));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == ENOBUFS || errno == ENOSPC)) {
            ev.what |= NL_LOST | NL_UNDERLAY | NL_DEVICE_LINK | NL_DEVICE_ADDRESS | NL_DEVICE_ROUTE;
            memset(&ev.link, 0, sizeof(ev.link));
            continue;
        }
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (n <= 0)
            break;
        int len = (int)n;
        const struct nlmsghdr *nlh = (const struct nlmsghdr *)w->rx;
        for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len))
            ev.what |= heard(w, nlh, &ev.link);
    }
    *ret = ev;
    return 0;
}
