/* SPDX-License-Identifier: MIT */
/* netlink_proxy.c - proxy Neighbor Discovery entries: addresses the kernel answers for on a link */
#include <linux/neighbour.h>
#include <linux/rtnetlink.h>
#include <errno.h>
#include <sys/socket.h>

#include "proto/host/netlink_internal.h"

#define DUMP_TRIES 4

static struct nlmsghdr *begin_proxy(struct nl *nl, int type, int flags, unsigned ifindex)
{
    struct nlmsghdr *nlh = nl_begin(nl, type, flags);
    struct ndmsg *ndm = mnl_nlmsg_put_extra_header(nlh, sizeof(*ndm));

    ndm->ndm_family = AF_INET6;
    ndm->ndm_flags = NTF_PROXY;
    ndm->ndm_ifindex = (int)ifindex;
    return nlh;
}

int nl_proxy_add(struct nl *nl, unsigned ifindex, struct ip6 addr, uint8_t protocol)
{
    struct nlmsghdr *nlh =
        begin_proxy(nl, RTM_NEWNEIGH, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, ifindex);

    mnl_attr_put(nlh, NDA_DST, IP6_LEN, addr.b);
    mnl_attr_put_u8(nlh, NDA_PROTOCOL, protocol);
    return nl_talk(nl, NULL, NULL);
}

int nl_proxy_del(struct nl *nl, unsigned ifindex, struct ip6 addr)
{
    struct nlmsghdr *nlh = begin_proxy(nl, RTM_DELNEIGH, NLM_F_ACK, ifindex);

    mnl_attr_put(nlh, NDA_DST, IP6_LEN, addr.b);
    return nl_talk(nl, NULL, NULL);
}

struct proxy_list {
    unsigned ifindex;
    uint8_t protocol;
    struct ip6 *out;
    unsigned n, cap;
};

static void each_proxy(const struct nlmsghdr *nlh, void *arg)
{
    const struct ndmsg *ndm = mnl_nlmsg_get_payload(nlh);
    struct proxy_list *l = arg;
    struct ip6 addr = { { 0 } };
    uint8_t protocol = 0;
    const struct nlattr *a;

    if (nlh->nlmsg_type != RTM_NEWNEIGH || ndm->ndm_family != AF_INET6 ||
        !(ndm->ndm_flags & NTF_PROXY) || (unsigned)ndm->ndm_ifindex != l->ifindex)
        return;
    for (a = nl_attr_first(nlh, sizeof(*ndm)); nl_attr_more(a, nlh); a = mnl_attr_next(a)) {
        if (mnl_attr_get_type(a) == NDA_DST && mnl_attr_get_payload_len(a) == IP6_LEN)
            addr = ip6_load(mnl_attr_get_payload(a));
        else if (mnl_attr_get_type(a) == NDA_PROTOCOL)
            protocol = mnl_attr_get_u8(a);
    }
    if (l->protocol && protocol != l->protocol)
        return;
    if (l->n < l->cap)
        l->out[l->n] = addr;
    l->n++;
}

int nl_proxy_list(struct nl *nl, unsigned ifindex, uint8_t protocol, struct ip6 *out, unsigned cap)
{
    struct proxy_list l = { ifindex, protocol, out, 0, cap };
    int err = -EINTR;

    for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++) {
        l.n = 0;
        begin_proxy(nl, RTM_GETNEIGH, NLM_F_DUMP, 0); /* strict checks: no index in the header */
        err = nl_talk(nl, each_proxy, &l);
    }
    return err < 0 ? err : (int)l.n;
}
