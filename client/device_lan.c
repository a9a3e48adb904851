/* SPDX-License-Identifier: MIT */
/* device_lan.c - the delegated prefix on a LAN behind the client
 *
 * DOC: of each delegated prefix the first /64 (all of a longer one) goes to the link `lan.device`
 * as address ::1; the kernel makes the on-link route, the rest of the prefix stays unreachable. For
 * that the host has to forward. Where forwarding is switched on a kernel stops hearing router
 * advertisements and forgets the default routes it had from them, unless accept_ra is 2: so links
 * that listened get that first. The LAN's own link does not: there the router is this host.
 *
 * What outlives a killed client is found again by routes, which are ours by protocol and a metric
 * made of the device's name (device_route.c) and live as long as the kernel's own switches do:
 *
 *   unreachable PREFIX                    its ::1, with the same protocol, is on some link
 *   unreachable 100::1:0:0/128            forwarding was 0
 *   unreachable 100::2:INDEX/128          accept_ra of that link was 1
 *
 * so each comes before what it stands for and goes after it. 100::/64 is for packets to be thrown
 * away. Two clients with a LAN on one host: the second finds forwarding on, and the first's route
 * says that it was not always so, so it sets a route too; who leaves last puts the switch back.
 *
 * Standards: RFC 6666 (100::/64), RFC 7084 L-4 (an address on the LAN), WPD-5 (unreachable rest).
 */
#include <dirent.h>
#include <errno.h>
#include <linux/if_addr.h>
#include <net/if.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "client/device_internal.h"
#include "proto/be.h"
#include "proto/host/sysctl.h"

#define LAN_PLEN     64u
#define LISTED       512u /* addresses of all links */
#define KIND_FORWARD 1u
#define KIND_LISTEN  2u
#define MARKER_PLEN  128u
#define FORWARDING   "net/ipv6/conf/all/forwarding"
#define SYSCTL_MAX   (sizeof("net/ipv6/conf//accept_ra") + IF_NAMESIZE)

struct prefix device_lan_prefix(struct prefix p)
{
    if (p.len < LAN_PLEN)
        p.len = LAN_PLEN;
    return p;
}

static bool has_lan(const struct device *d)
{
    return d->cfg.lan && d->cfg.lan[0];
}

/* lan_address() - the client's own address of a delegated prefix */
static struct seg_addr lan_address(struct prefix p)
{
    struct prefix l = device_lan_prefix(p);
    struct seg_addr a = { .addr = l.addr, .plen = l.len };

    a.addr.b[IP6_LEN - 1] |= 1;
    return a;
}

static bool same(struct seg_addr a, struct seg_addr b)
{
    return a.plen == b.plen && ip6_eq(a.addr, b.addr);
}

/* ---- switches of the kernel ---- */

static struct prefix marker_of(unsigned kind, unsigned ifindex)
{
    struct prefix p = { .len = MARKER_PLEN };

    p.addr.b[0] = 0x01;
    be16_store(p.addr.b + 10, (uint16_t)kind);
    be32_store(p.addr.b + 12, ifindex);
    return p;
}

/* marker_kind() - 0: no marker */
static unsigned marker_kind(struct prefix p, unsigned *ret_ifindex)
{
    static const uint8_t start[10] = { 0x01 };

    if (p.len != MARKER_PLEN || memcmp(p.addr.b, start, sizeof(start)) != 0)
        return 0;
    *ret_ifindex = be32_load(p.addr.b + 12);
    return be16_load(p.addr.b + 10);
}

/* of_others() - has another client turned the same switch? */
static bool of_others(struct device *d, struct prefix marker)
{
    int n = nl_route_list(d->nl, 0, DEVICE_ROUTE_PROTOCOL, 0, d->have_route, HAVE_MAX);

    for (int i = 0; i < n && i < (int)HAVE_MAX; i++) {
        const struct nl_route *r = &d->have_route[i];
        if (r->type == NL_UNREACHABLE && r->metric != d->unreachable_metric &&
            prefix_eq(r->dst, marker))
            return true;
    }
    return false;
}

static void accept_ra_key(char out[SYSCTL_MAX], const char *link)
{
    snprintf(out, SYSCTL_MAX, "net/ipv6/conf/%.*s/accept_ra", IF_NAMESIZE - 1, link);
}

/* turn() - from @before to @after, when that is what it is and can be undone; its marker first
 * Return: 0, also when there is nothing to do; -errno */
static int turn(struct device *d, const char *key, const char *before, const char *after,
                struct prefix marker)
{
    struct lan *l = &d->lan;
    char now[16];
    int err = sysctl_get(key, now, sizeof(now));

    if (err < 0)
        return err;
    if (strcmp(now, before) != 0 && (strcmp(now, after) != 0 || !of_others(d, marker)))
        return 0;
    if (l->n_turned == LAN_SWITCHES)
        return -ENOSPC;
    struct lan_switch *s = &l->turned[l->n_turned];
    *s = (struct lan_switch){ .marker = marker, .before = before, .fd = sysctl_hold(key) };
    if (s->fd < 0)
        return s->fd;
    const struct nl_route r = {
        .type = NL_UNREACHABLE,
        .protocol = DEVICE_ROUTE_PROTOCOL,
        .metric = d->unreachable_metric,
        .dst = marker,
    };
    err = nl_route_add(d->nl, &r);
    if (err == 0 || err == -EEXIST)
        err = sysctl_write(s->fd, after);
    if (err < 0) {
        close(s->fd);
        return err;
    }
    l->n_turned++;
    return 0;
}

/* listens() - does this link hear routers as a host does, and would not with forwarding on? */
static bool listens(const struct device *d, const char *link)
{
    char key[SYSCTL_MAX + 8], value[16];

    if (strcmp(link, "all") == 0 || strcmp(link, "default") == 0 || strcmp(link, "lo") == 0 ||
        strcmp(link, d->name) == 0 || strcmp(link, d->cfg.lan) == 0 || strlen(link) >= IF_NAMESIZE)
        return false;
    snprintf(key, sizeof(key), "net/ipv6/conf/%.*s/disable_ipv6", IF_NAMESIZE - 1, link);
    return sysctl_get(key, value, sizeof(value)) == 0 && strcmp(value, "0") == 0;
}

/* keep_listening() - accept_ra 2 in place of 1 where somebody may have advertised */
static void keep_listening(struct device *d)
{
    DIR *dir = opendir("/proc/sys/net/ipv6/conf");
    char key[SYSCTL_MAX];
    struct dirent *e;

    while (dir && (e = readdir(dir))) {
        if (e->d_name[0] == '.' || !listens(d, e->d_name))
            continue;
        accept_ra_key(key, e->d_name);
        int err = turn(d, key, "1", "2", marker_of(KIND_LISTEN, if_nametoindex(e->d_name)));
        if (err < 0)
            device_tell(&d->cfg,
                        "%s may lose routes that came by router advertisements (%s); set "
                        "net.ipv6.conf.%s.accept_ra=2",
                        e->d_name, strerror(-err), e->d_name);
    }
    if (dir)
        closedir(dir);
}

void device_open_lan(struct device *d)
{
    char value[16];

    if (!has_lan(d))
        return;
    /* on already: whoever did it knows, unless it was another client */
    if (sysctl_get(FORWARDING, value, sizeof(value)) == 0 && strcmp(value, "0") == 0)
        keep_listening(d);
    int err = turn(d, FORWARDING, "0", "1", marker_of(KIND_FORWARD, 0));
    if (err < 0)
        device_tell(&d->cfg,
                    "cannot turn on forwarding for the LAN on %s (%s): set "
                    "net.ipv6.conf.all.forwarding=1",
                    d->cfg.lan, strerror(-err));
}

/* ---- addresses ---- */

static void lan_failure(struct device *d, int err, const char *verb, struct ip6 addr)
{
    char text[IP6_TEXT_LEN], what[IP6_TEXT_LEN + 64];

    snprintf(what, sizeof(what), "cannot %s %s, LAN %s", verb, ip6_text(text, addr), d->cfg.lan);
    device_failure(d, STEP_LAN, err, what);
}

static bool wanted(const struct device_want *w, struct seg_addr a)
{
    for (unsigned i = 0; i < w->n_delegated && i < DELEGATED_PER_MEMBER; i++)
        if (same(lan_address(w->delegated[i]), a))
            return true;
    return false;
}

void device_trim_lan(struct device *d, const struct device_want *w)
{
    struct lan *l = &d->lan;

    for (unsigned i = l->n_mine; i-- > 0;) {
        if (wanted(w, l->mine[i]))
            continue;
        int err = nl_addr_del(d->nl, l->ifindex, l->mine[i].addr, l->mine[i].plen);
        if (err < 0 && err != -EADDRNOTAVAIL && err != -ENODEV) {
            lan_failure(d, err, "remove", l->mine[i].addr);
            continue;
        }
        l->mine[i] = l->mine[--l->n_mine];
    }
}

/* find_link() - the LAN's link as it is now: it may come late, and come back as another */
static bool find_link(struct device *d)
{
    struct nl_link link;
    int err = nl_link_get_name(d->nl, d->cfg.lan, &link);

    if (err < 0) {
        char what[64];
        snprintf(what, sizeof(what), "cannot find the LAN's link %s", d->cfg.lan);
        d->lan.ifindex = d->lan.n_mine = 0;
        device_failure(d, STEP_LAN, err == -ENODEV ? -ENOENT : err, what);
        return false;
    }
    if (link.ifindex != d->lan.ifindex)
        d->lan.n_mine = 0;
    d->lan.ifindex = link.ifindex;
    return true;
}

static void add(struct device *d, struct seg_addr a)
{
    const struct nl_addr na = {
        .addr = a.addr,
        .plen = a.plen,
        .flags = IFA_F_NODAD, /* the prefix is ours */
        .valid_s = NL_FOREVER,
        .preferred_s = NL_FOREVER,
        .protocol = DEVICE_ROUTE_PROTOCOL,
    };
    int err = nl_addr_add(d->nl, d->lan.ifindex, &na);

    if (err < 0)
        lan_failure(d, err, "add", a.addr);
}

void device_apply_lan(struct device *d, const struct device_want *w)
{
    struct lan *l = &d->lan;

    if (!has_lan(d) || (w->n_delegated == 0 && l->n_mine == 0) || !find_link(d))
        return;
    int n = nl_addr_list(d->nl, l->ifindex, d->have_addr, HAVE_MAX);
    for (unsigned i = 0; i < w->n_delegated && i < DELEGATED_PER_MEMBER; i++) {
        struct seg_addr a = lan_address(w->delegated[i]);
        bool there = false, mine = false;
        for (int k = 0; k < n && k < (int)HAVE_MAX; k++)
            there |= same((struct seg_addr){ d->have_addr[k].addr, d->have_addr[k].plen }, a);
        for (unsigned k = 0; k < l->n_mine; k++)
            mine |= same(l->mine[k], a);
        if (!there)
            add(d, a);
        if (!mine && l->n_mine < DELEGATED_PER_MEMBER)
            l->mine[l->n_mine++] = a;
    }
}

/* ---- the end, also of a former life ---- */

void device_close_lan(struct device *d)
{
    const struct device_want none = { .n_delegated = 0 };
    struct lan *l = &d->lan;

    device_trim_lan(d, &none);
    while (l->n_turned > 0) {
        struct lan_switch *s = &l->turned[--l->n_turned];
        if (!of_others(d, s->marker))
            (void)sysctl_write(s->fd, s->before);
        close(s->fd);
    }
}

/* sweep_switch() - put back what a marker stands for */
static void sweep_switch(struct device *d, struct prefix marker, unsigned kind, unsigned ifindex)
{
    char link[IF_NAMESIZE], key[SYSCTL_MAX];

    if (of_others(d, marker))
        return;
    if (kind == KIND_FORWARD)
        (void)sysctl_set(FORWARDING, "0");
    if (kind == KIND_LISTEN && if_indextoname(ifindex, link)) {
        accept_ra_key(key, link);
        (void)sysctl_set(key, "1");
    }
}

/* sweep_address() - the ::1 of a prefix that was delegated, wherever it is */
static void sweep_address(struct device *d, struct prefix p, const struct nl_addr *have, int n)
{
    struct seg_addr a = lan_address(p);

    for (int i = 0; i < n && i < (int)LISTED; i++)
        if (same((struct seg_addr){ have[i].addr, have[i].plen }, a) &&
            (have[i].protocol == DEVICE_ROUTE_PROTOCOL || have[i].protocol == 0))
            (void)nl_addr_del(d->nl, have[i].ifindex, a.addr, a.plen);
}

void device_sweep(struct device *d)
{
    struct nl_addr *have = calloc(LISTED, sizeof(*have));
    struct nl_route *left = calloc(HAVE_MAX, sizeof(*left));

    if (have && left) {
        int n_left = nl_route_list(d->nl, 0, DEVICE_ROUTE_PROTOCOL, 0, left, HAVE_MAX);
        int n_have = n_left > 0 ? nl_addr_list(d->nl, 0, have, LISTED) : 0;
        for (int i = 0; i < n_left && i < (int)HAVE_MAX; i++) {
            unsigned ifindex = 0;
            if (left[i].type != NL_UNREACHABLE || left[i].metric != d->unreachable_metric)
                continue;
            unsigned kind = marker_kind(left[i].dst, &ifindex);
            if (kind)
                sweep_switch(d, left[i].dst, kind, ifindex);
            else
                sweep_address(d, left[i].dst, have, n_have);
        }
        device_remove_routes(d);
    }
    free(have);
    free(left);
}
