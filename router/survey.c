/* SPDX-License-Identifier: MIT */
/* survey.c - what `init` finds out about the host */
#include "router/survey.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/host/netlink.h"
#include "proto/ip4.h"
#include "router/wan.h"

#define ROUTES 512u

/* ---- IPv4 ---- */

/* A connected datagram socket has the source address that packets would have; none is sent. */
static bool source_address(be32 *ret)
{
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(9) }, from;
    socklen_t len = sizeof(from);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return false;
    inet_pton(AF_INET, "192.0.0.8", &to.sin_addr); /* RFC 7600: nobody's, on the default route */
    bool ok = connect(fd, (struct sockaddr *)&to, sizeof(to)) == 0 &&
              getsockname(fd, (struct sockaddr *)&from, &len) == 0;
    close(fd);
    if (ok)
        memcpy(ret, &from.sin_addr, sizeof(*ret));
    return ok;
}

static void link_of_address(be32 a, char name[IF_NAMESIZE])
{
    struct ifaddrs *list = NULL;

    if (getifaddrs(&list) < 0)
        return;
    for (const struct ifaddrs *i = list; i; i = i->ifa_next) {
        struct sockaddr_in sa;
        if (!i->ifa_addr || i->ifa_addr->sa_family != AF_INET)
            continue;
        memcpy(&sa, i->ifa_addr, sizeof(sa));
        if (memcmp(&sa.sin_addr, &a, sizeof(a)) == 0)
            (void)snprintf(name, IF_NAMESIZE, "%s", i->ifa_name);
    }
    freeifaddrs(list);
}

/* ---- IPv6 ---- */

static bool is_global(struct ip6 a) /* 2000::/3 */
{
    return (a.b[0] & 0xe0) == 0x20;
}

static struct prefix prefix_of(struct ip6 a, uint8_t len)
{
    struct prefix p = { .addr = a, .len = len };

    for (unsigned bit = len; bit < 128; bit++)
        p.addr.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    return p;
}

/* A longer claim on less, or the first one: the largest prefix of the best kind is offered. */
static void offer(struct survey *s, enum survey_ipv6 kind, struct prefix p)
{
    if (kind < s->ipv6 || (kind == s->ipv6 && p.len >= s->prefix.len))
        return;
    s->ipv6 = kind;
    s->prefix = p;
}

static void look_at_routes(struct survey *s, const struct nl_route *r, int n, unsigned wan)
{
    for (int i = 0; i < n; i++) {
        bool ours = r[i].dst.len >= 48 && r[i].dst.len <= 126 && is_global(r[i].dst.addr);
        if (!ours || r[i].has_via || r[i].ifindex == wan)
            continue;
        if (r[i].type == NL_UNREACHABLE || r[i].type == NL_UNICAST || r[i].type == NL_ROUTE_OTHER)
            offer(s, SURVEY_ROUTED, r[i].dst);
    }
}

static void look_at_addresses(struct survey *s, const struct wan *w)
{
    for (unsigned i = 0; i < w->n_addr; i++) {
        const struct wan_addr *a = &w->addr[i];
        if (!is_global(a->addr) || a->temporary)
            continue;
        if (a->plen >= 48 && a->plen <= 126)
            offer(s, SURVEY_ON_LINK, prefix_of(a->addr, a->plen));
        else
            offer(s, SURVEY_SINGLE, prefix_of(a->addr, 128));
    }
}

static int look_at_ipv6(struct survey *s)
{
    static struct nl_route r[ROUTES];
    struct wan wan;
    struct nl *nl;
    int err = wan_survey("", &wan);

    if (err == -ENETUNREACH)
        return 0;
    if (!err)
        err = nl_open(&nl);
    if (err)
        return err;
    memcpy(s->wan6, wan.name, sizeof(s->wan6));
    look_at_addresses(s, &wan);
    int n = nl_route_list(nl, 0, 0, 0, r, ROUTES);
    look_at_routes(s, r, n < (int)ROUTES ? n : (int)ROUTES, wan.ifindex);
    nl_close(nl);
    return n < 0 ? n : 0;
}

int survey_host(struct survey *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->has_ipv4 = source_address(&ret->ipv4);
    if (ret->has_ipv4) {
        ret->ipv4_private = !ip4_is_global(ret->ipv4);
        link_of_address(ret->ipv4, ret->wan4);
    }
    return look_at_ipv6(ret);
}
