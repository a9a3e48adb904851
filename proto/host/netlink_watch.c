/* SPDX-License-Identifier: MIT */
/* netlink_watch.c - word of what others change: the underlay's path, our own device
 *
 * DOC: what is heard is folded into flags: a hundred messages of a network restart are one event.
 * The watched link and the underlay are told apart by link index; IPv6 of other links is of no
 * interest.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/if_addr.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "proto/host/netlink_internal.h"

struct nl_watch {
    struct mnl_socket *sock;
    unsigned ifindex;
    _Alignas(8) uint8_t rx[NL_RX_LEN];
};

int nl_watch_open(unsigned ifindex, struct nl_watch **ret)
{
    static const int group[] = { RTNLGRP_LINK, RTNLGRP_IPV4_IFADDR, RTNLGRP_IPV4_ROUTE,
                                 RTNLGRP_IPV6_IFADDR };
    struct nl_watch *w = calloc(1, sizeof(*w));

    if (!w)
        return -ENOMEM;
    w->ifindex = ifindex;
    w->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (!w->sock || mnl_socket_bind(w->sock, 0, MNL_SOCKET_AUTOPID) < 0)
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

static unsigned route_changed(const struct nl_watch *w, const struct nlmsghdr *nlh)
{
    const struct rtmsg *rtm = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *a;

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
            ev.what |= NL_LOST | NL_UNDERLAY | NL_DEVICE_LINK | NL_DEVICE_ADDRESS;
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
