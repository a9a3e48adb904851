/* SPDX-License-Identifier: MIT */
/* survey.c - what `init` finds out about the host */
#include "router/survey.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <linux/if_addr.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/host/netlink.h"

#define ROUTES 512u
#define ADDRS  64u

/* ---- IPv4 ---- */

/* Not seen as such by anybody outside. Source: RFC 1918 3, RFC 6598 7, RFC 3927 2.1 */
static bool is_private(be32 a)
{
    const uint8_t *b = a.b;

    return b[0] == 10 || (b[0] == 172 && (b[1] & 0xf0) == 16) || (b[0] == 192 && b[1] == 168) ||
           (b[0] == 100 && (b[1] & 0xc0) == 64) || (b[0] == 169 && b[1] == 254) || b[0] == 127;
}

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

static void look_at_addresses(struct survey *s, struct nl *nl, unsigned wan)
{
    struct nl_addr a[ADDRS];
    int n = nl_addr_list(nl, wan, a, ADDRS);

    for (int i = 0; i < n && i < (int)ADDRS; i++) {
        if (!is_global(a[i].addr) || a[i].flags & IFA_F_TEMPORARY)
            continue;
        if (a[i].plen >= 48 && a[i].plen <= 126)
            offer(s, SURVEY_ON_LINK, prefix_of(a[i].addr, a[i].plen));
        else
            offer(s, SURVEY_SINGLE, prefix_of(a[i].addr, 128));
    }
}

static int look_at_ipv6(struct survey *s)
{
    static struct nl_route r[ROUTES];
    struct nl *nl;
    int err = nl_open(&nl);

    if (err)
        return err;
    int n = nl_route_list(nl, 0, 0, 0, r, ROUTES);
    if (n > (int)ROUTES)
        n = (int)ROUTES;
    unsigned wan = 0;
    for (int i = 0; i < n && !wan; i++) {
        if (r[i].dst.len == 0 && r[i].type == NL_UNICAST)
            wan = r[i].ifindex;
    }
    if (wan) {
        if_indextoname(wan, s->wan6);
        look_at_addresses(s, nl, wan);
        look_at_routes(s, r, n, wan);
    }
    nl_close(nl);
    return n < 0 ? n : 0;
}

int survey_host(struct survey *ret)
{
    memset(ret, 0, sizeof(*ret));
    ret->has_ipv4 = source_address(&ret->ipv4);
    if (ret->has_ipv4) {
        ret->ipv4_private = is_private(ret->ipv4);
        link_of_address(ret->ipv4, ret->wan4);
    }
    return look_at_ipv6(ret);
}
