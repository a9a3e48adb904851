/* SPDX-License-Identifier: MIT */
/* netlink.c - requests to the kernel: links, IPv6 addresses, routes
 *
 * DOC: nl_nl_begin() starts a request in nl->tx, the caller puts attributes, nl_nl_talk() sends it
 * and reads until the kernel's last word: NLMSG_ERROR (every request but a dump asks for one, 0 is
 * success) or NLMSG_DONE. The kernel answers inside send(), so recv() does not wait; a receive
 * timeout guards against the day it does.
 *
 * Requests are checked strictly by the kernel (NETLINK_GET_STRICT_CHK), which makes it filter
 * dumps; kernels before 4.20 do neither, so what they send is filtered here again.
 */
#include "proto/host/netlink.h"

#include <errno.h>
#include <linux/if_addr.h>
#include <linux/if_arp.h>
#include <linux/if_link.h>
#include <linux/rtnetlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/time.h>

#include "proto/host/netlink_internal.h"

#define ANSWER_TIMEOUT_S 2
#define DUMP_TRIES       4

struct nl {
    struct mnl_socket *sock;
    uint32_t seq, port;
    uint64_t changes;
    char error[256];
    _Alignas(8) uint8_t tx[1024];
    _Alignas(8) uint8_t rx[NL_RX_LEN];
};

int nl_open(struct nl **ret)
{
    struct nl *nl = calloc(1, sizeof(*nl));
    const struct timeval timeout = { .tv_sec = ANSWER_TIMEOUT_S };
    int on = 1;

    if (!nl)
        return -ENOMEM;
    nl->sock = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
    if (!nl->sock || mnl_socket_bind(nl->sock, 0, MNL_SOCKET_AUTOPID) < 0)
        goto fail;
    nl->port = mnl_socket_get_portid(nl->sock);
    int fd = mnl_socket_get_fd(nl->sock);
    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof(timeout)) < 0)
        goto fail;
    /* old kernels lack these: errors are then less telling, dumps longer */
    (void)mnl_socket_setsockopt(nl->sock, NETLINK_EXT_ACK, &on, sizeof(on));
    (void)mnl_socket_setsockopt(nl->sock, NETLINK_CAP_ACK, &on, sizeof(on));
    (void)mnl_socket_setsockopt(nl->sock, NETLINK_GET_STRICT_CHK, &on, sizeof(on));
    *ret = nl;
    return 0;
fail:;
    int err = -errno;
    nl_close(nl);
    return err;
}

void nl_close(struct nl *nl)
{
    if (!nl)
        return;
    if (nl->sock)
        mnl_socket_close(nl->sock);
    free(nl);
}

const char *nl_error(const struct nl *nl)
{
    return nl->error;
}

uint64_t nl_changes(const struct nl *nl)
{
    return nl->changes;
}

/* ---- transport ---- */

struct nlmsghdr *nl_begin(struct nl *nl, int type, int flags)
{
    struct nlmsghdr *nlh = mnl_nlmsg_put_header(nl->tx);

    nlh->nlmsg_type = (uint16_t)type;
    nlh->nlmsg_flags = (uint16_t)(NLM_F_REQUEST | flags);
    nlh->nlmsg_seq = ++nl->seq;
    return nlh;
}

int nl_fail(struct nl *nl, int err, const char *why)
{
    snprintf(nl->error, sizeof(nl->error), "%s%s%s", strerror(-err), why ? ": " : "",
             why ? why : "");
    return err;
}

/* verdict() - result of an NLMSG_ERROR, and the kernel's own words for it */
static int verdict(struct nl *nl, const struct nlmsghdr *nlh)
{
    const struct nlmsgerr *e = mnl_nlmsg_get_payload(nlh);
    const char *why = NULL;
    size_t off = sizeof(*e);

    if (e->error == 0)
        return 0;
    if (!(nlh->nlmsg_flags & NLM_F_CAPPED))
        off += NLMSG_ALIGN(e->msg.nlmsg_len) - sizeof(struct nlmsghdr);
    if (nlh->nlmsg_flags & NLM_F_ACK_TLVS) {
        const struct nlattr *a;
        for (a = nl_attr_first(nlh, off); nl_attr_more(a, nlh); a = mnl_attr_next(a))
            if (mnl_attr_get_type(a) == NLMSGERR_ATTR_MSG &&
                mnl_attr_validate(a, MNL_TYPE_NUL_STRING) == 0)
                why = mnl_attr_get_str(a);
    }
    return nl_fail(nl, e->error, why);
}

/* take() - one received buffer; true when the answer is complete, *ret_err is then the result */
static bool take(struct nl *nl, int len, nl_each_fn *each, void *arg, bool *torn, int *ret_err)
{
    const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->rx;

    for (; mnl_nlmsg_ok(nlh, len); nlh = mnl_nlmsg_next(nlh, &len)) {
        if (nlh->nlmsg_seq != nl->seq || nlh->nlmsg_pid != nl->port)
            continue; /* the late answer to a request that timed out */
        if (nlh->nlmsg_flags & NLM_F_DUMP_INTR)
            *torn = true;
        if (nlh->nlmsg_type == NLMSG_ERROR) {
            *ret_err = verdict(nl, nlh);
            return true;
        }
        if (nlh->nlmsg_type == NLMSG_DONE) {
            int err = mnl_nlmsg_get_payload_len(nlh) >= sizeof(int)
                          ? *(int *)mnl_nlmsg_get_payload(nlh)
                          : 0;
            *ret_err = err < 0 ? nl_fail(nl, err, NULL) : 0;
            return true;
        }
        if (each)
            each(nlh, arg);
    }
    return false;
}

int nl_talk(struct nl *nl, nl_each_fn *each, void *arg)
{
    const struct nlmsghdr *nlh = (const struct nlmsghdr *)nl->tx;
    bool torn = false;
    int err = 0;

    nl->error[0] = '\0';
    if (!each)
        nl->changes++;
    if (mnl_socket_sendto(nl->sock, nlh, nlh->nlmsg_len) < 0)
        return nl_fail(nl, -errno, "send");
    for (;;) {
        ssize_t n = mnl_socket_recvfrom(nl->sock, nl->rx, sizeof(nl->rx));
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return nl_fail(nl, errno == EAGAIN ? -ETIMEDOUT : -errno, "no answer");
        if (take(nl, (int)n, each, arg, &torn, &err))
            return err == 0 && torn ? nl_fail(nl, -EINTR, "changed while listed") : err;
    }
}

/* ---- links ---- */

void nl_parse_link(const struct nlmsghdr *nlh, struct nl_link *ret)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    const struct nlattr *a;

    memset(ret, 0, sizeof(*ret));
    ret->ifindex = (unsigned)ifi->ifi_index;
    ret->up = ifi->ifi_flags & IFF_UP;
    for (a = nl_attr_first(nlh, sizeof(*ifi)); nl_attr_more(a, nlh); a = mnl_attr_next(a)) {
        switch (mnl_attr_get_type(a)) {
        case IFLA_IFNAME:
            snprintf(ret->name, sizeof(ret->name), "%s", mnl_attr_get_str(a));
            break;
        case IFLA_MTU:
            ret->mtu = mnl_attr_get_u32(a);
            break;
        case IFLA_CARRIER:
            ret->carrier = mnl_attr_get_u8(a);
            break;
        case IFLA_MASTER:
            ret->master = mnl_attr_get_u32(a);
            break;
        case IFLA_ADDRESS:
            if (mnl_attr_get_payload_len(a) == MAC_LEN)
                ret->mac = mac_load(mnl_attr_get_payload(a));
            break;
        default:
            break;
        }
    }
}

static void each_link(const struct nlmsghdr *nlh, void *arg)
{
    if (nlh->nlmsg_type == RTM_NEWLINK)
        nl_parse_link(nlh, arg);
}

static void each_mtu(const struct nlmsghdr *nlh, void *arg)
{
    const struct ifinfomsg *ifi = mnl_nlmsg_get_payload(nlh);
    uint32_t *most = arg;
    struct nl_link link;

    if (nlh->nlmsg_type != RTM_NEWLINK || ifi->ifi_type != ARPHRD_ETHER ||
        ifi->ifi_flags & IFF_LOOPBACK)
        return;
    nl_parse_link(nlh, &link);
    if (link.up && link.mtu > *most)
        *most = link.mtu;
}

int nl_widest_link(struct nl *nl, uint32_t *ret_mtu)
{
    int err = -EINTR;

    for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++) {
        struct nlmsghdr *nlh = nl_begin(nl, RTM_GETLINK, NLM_F_DUMP);
        struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

        ifi->ifi_family = AF_UNSPEC;
        *ret_mtu = 0;
        err = nl_talk(nl, each_mtu, ret_mtu);
    }
    return err;
}

static struct nlmsghdr *begin_link(struct nl *nl, int type, unsigned ifindex,
                                   struct ifinfomsg **ret_ifi)
{
    struct nlmsghdr *nlh = nl_begin(nl, type, NLM_F_ACK);
    struct ifinfomsg *ifi = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifi));

    ifi->ifi_family = AF_UNSPEC;
    ifi->ifi_index = (int)ifindex;
    if (ret_ifi)
        *ret_ifi = ifi;
    return nlh;
}

static int link_get(struct nl *nl, struct nl_link *ret)
{
    struct nl_link link = { 0 };
    int err = nl_talk(nl, each_link, &link);

    if (err == 0 && link.ifindex == 0)
        err = nl_fail(nl, -ENODEV, NULL);
    if (err == 0)
        *ret = link;
    return err;
}

int nl_link_get(struct nl *nl, unsigned ifindex, struct nl_link *ret)
{
    begin_link(nl, RTM_GETLINK, ifindex, NULL);
    return link_get(nl, ret);
}

int nl_link_get_name(struct nl *nl, const char *name, struct nl_link *ret)
{
    if (strlen(name) >= IF_NAMESIZE)
        return nl_fail(nl, -ENODEV, "name too long");
    mnl_attr_put_strz(begin_link(nl, RTM_GETLINK, 0, NULL), IFLA_IFNAME, name);
    return link_get(nl, ret);
}

int nl_link_up(struct nl *nl, unsigned ifindex, uint32_t mtu)
{
    struct ifinfomsg *ifi;
    struct nlmsghdr *nlh = begin_link(nl, RTM_NEWLINK, ifindex, &ifi);

    ifi->ifi_flags = ifi->ifi_change = IFF_UP;
    if (mtu)
        mnl_attr_put_u32(nlh, IFLA_MTU, mtu);
    return nl_talk(nl, NULL, NULL);
}

int nl_link_down(struct nl *nl, unsigned ifindex)
{
    struct ifinfomsg *ifi;

    begin_link(nl, RTM_NEWLINK, ifindex, &ifi);
    ifi->ifi_change = IFF_UP;
    return nl_talk(nl, NULL, NULL);
}

int nl_link_set_mtu(struct nl *nl, unsigned ifindex, uint32_t mtu)
{
    mnl_attr_put_u32(begin_link(nl, RTM_NEWLINK, ifindex, NULL), IFLA_MTU, mtu);
    return nl_talk(nl, NULL, NULL);
}

int nl_link_set_mac(struct nl *nl, unsigned ifindex, struct mac mac)
{
    mnl_attr_put(begin_link(nl, RTM_NEWLINK, ifindex, NULL), IFLA_ADDRESS, MAC_LEN, mac.b);
    return nl_talk(nl, NULL, NULL);
}

int nl_link_no_addresses(struct nl *nl, unsigned ifindex)
{
    struct nlmsghdr *nlh = begin_link(nl, RTM_NEWLINK, ifindex, NULL);
    struct nlattr *spec = mnl_attr_nest_start(nlh, IFLA_AF_SPEC);
    struct nlattr *inet6 = mnl_attr_nest_start(nlh, AF_INET6);

    mnl_attr_put_u8(nlh, IFLA_INET6_ADDR_GEN_MODE, IN6_ADDR_GEN_MODE_NONE);
    mnl_attr_nest_end(nlh, inet6);
    mnl_attr_nest_end(nlh, spec);
    return nl_talk(nl, NULL, NULL);
}

/* ---- IPv6 addresses ---- */

static struct nlmsghdr *begin_addr(struct nl *nl, int type, int flags, unsigned ifindex,
                                   uint8_t plen)
{
    struct nlmsghdr *nlh = nl_begin(nl, type, flags);
    struct ifaddrmsg *ifa = mnl_nlmsg_put_extra_header(nlh, sizeof(*ifa));

    ifa->ifa_family = AF_INET6;
    ifa->ifa_index = ifindex;
    ifa->ifa_prefixlen = plen;
    return nlh;
}

int nl_addr_add(struct nl *nl, unsigned ifindex, const struct nl_addr *a)
{
    struct nlmsghdr *nlh =
        begin_addr(nl, RTM_NEWADDR, NLM_F_ACK | NLM_F_CREATE | NLM_F_REPLACE, ifindex, a->plen);
    const struct ifa_cacheinfo life = { .ifa_prefered = a->preferred_s, .ifa_valid = a->valid_s };

    mnl_attr_put(nlh, IFA_LOCAL, IP6_LEN, a->addr.b);
    mnl_attr_put_u32(nlh, IFA_FLAGS, a->flags);
    mnl_attr_put(nlh, IFA_CACHEINFO, sizeof(life), &life);
    if (a->protocol)
        mnl_attr_put_u8(nlh, IFA_PROTO, a->protocol);
    return nl_talk(nl, NULL, NULL);
}

int nl_addr_del(struct nl *nl, unsigned ifindex, struct ip6 addr, uint8_t plen)
{
    mnl_attr_put(begin_addr(nl, RTM_DELADDR, NLM_F_ACK, ifindex, plen), IFA_LOCAL, IP6_LEN, addr.b);
    return nl_talk(nl, NULL, NULL);
}

struct addr_list {
    unsigned ifindex;
    struct nl_addr *out;
    unsigned n, cap;
};

static void each_addr(const struct nlmsghdr *nlh, void *arg)
{
    const struct ifaddrmsg *ifa = mnl_nlmsg_get_payload(nlh);
    struct nl_addr addr = { .plen = ifa->ifa_prefixlen, .flags = ifa->ifa_flags };
    struct addr_list *l = arg;
    const struct ifa_cacheinfo *life;
    const struct nlattr *a;
    bool local = false;

    if (nlh->nlmsg_type != RTM_NEWADDR || ifa->ifa_family != AF_INET6 ||
        (l->ifindex && ifa->ifa_index != l->ifindex))
        return;
    addr.ifindex = ifa->ifa_index;
    for (a = nl_attr_first(nlh, sizeof(*ifa)); nl_attr_more(a, nlh); a = mnl_attr_next(a)) {
        switch (mnl_attr_get_type(a)) {
        case IFA_ADDRESS: /* the peer's, where there is an IFA_LOCAL */
            if (!local)
                addr.addr = ip6_load(mnl_attr_get_payload(a));
            break;
        case IFA_LOCAL:
            local = true;
            addr.addr = ip6_load(mnl_attr_get_payload(a));
            break;
        case IFA_FLAGS:
            addr.flags = mnl_attr_get_u32(a);
            break;
        case IFA_PROTO:
            addr.protocol = mnl_attr_get_u8(a);
            break;
        case IFA_CACHEINFO:
            life = mnl_attr_get_payload(a);
            addr.valid_s = life->ifa_valid;
            addr.preferred_s = life->ifa_prefered;
            break;
        default:
            break;
        }
    }
    if (l->n < l->cap)
        l->out[l->n] = addr;
    l->n++;
}

int nl_addr_list(struct nl *nl, unsigned ifindex, struct nl_addr *out, unsigned cap)
{
    struct addr_list l = { .ifindex = ifindex, .out = out, .cap = cap };
    int err = -EINTR;

    for (int i = 0; i < DUMP_TRIES && err == -EINTR; i++) {
        l.n = 0;
        begin_addr(nl, RTM_GETADDR, NLM_F_DUMP, ifindex, 0);
        err = nl_talk(nl, each_addr, &l);
    }
    return err < 0 ? err : (int)l.n;
}
