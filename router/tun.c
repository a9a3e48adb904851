/* SPDX-License-Identifier: MIT */
/* tun.c - the TUN's MTU, address and route, and what others do to them */
#include "router/tun.h"

#include <linux/if_addr.h>
#include <linux/rtnetlink.h>

#include "proto/host/log.h"
#include "proto/host/sysctl.h"
#include "proto/mac.h"

#define LISTED         64u  /* addresses on the device that are looked at */
#define ON_LINK_METRIC 256u /* as the kernel's own prefix routes */

uint32_t tun_mtu(struct nl *nl, const struct router_config *c)
{
    uint32_t most = 0;

    if (c->mtu)
        return c->mtu;
    if (nl_widest_link(nl, &most) < 0 || most < INNER_MTU_DEFAULT + PEER_OVERHEAD)
        return INNER_MTU_DEFAULT;
    return most - PEER_OVERHEAD < INNER_MTU_MAX ? most - PEER_OVERHEAD : INNER_MTU_MAX;
}

struct nl_addr tun_address(const struct router_config *c)
{
    return (struct nl_addr){ .addr = c->address,
                             .plen = c->prefix.len,
                             .flags = IFA_F_NODAD,
                             .valid_s = NL_FOREVER,
                             .preferred_s = NL_FOREVER };
}

struct addr_list {
    struct nl_addr a[LISTED];
    int n; /* there may be more than are listed */
};

static const struct nl_addr *find(const struct addr_list *l, struct ip6 a)
{
    for (int i = 0; i < l->n && i < (int)LISTED; i++) {
        if (ip6_eq(l->a[i].addr, a))
            return &l->a[i];
    }
    return NULL;
}

static struct prefix route_of(const struct nl_addr *a)
{
    return (struct prefix){ .addr = ip6_mask(a->addr, a->plen), .len = a->plen };
}

bool tun_wants_route(const struct tun_want *w, struct prefix dst)
{
    bool wanted = w->address && prefix_eq(dst, w->conf->prefix);

    for (unsigned i = 0; i < w->n_former; i++)
        wanted |= prefix_eq(dst, route_of(&w->former[i]));
    return wanted;
}

/* put_back() - the address, as at the start; the kernel's own defaults came back with IPv6 */
static int put_back(struct nl *nl, const struct tap *t, const struct nl_addr *a)
{
    char path[96];

    int err = nl_link_no_addresses(nl, tap_ifindex(t));
    if (!err)
        err = nl_addr_add(nl, tap_ifindex(t), a);
    if (err)
        return err;
    snprintf(path, sizeof(path), "net/ipv6/conf/%s/keep_addr_on_down", tap_name(t));
    sysctl_set(path, "1");
    return 0;
}

/* mend_route() - the route that came with address @a; *ret: it is there, or there again
 * It looks like the kernel's own, which takes it off with the address, or when that expires. */
static int mend_route(struct nl *nl, const struct tap *t, const struct nl_addr *a, bool *ret,
                      struct tun_found *found)
{
    const struct nl_route r = { .dst = route_of(a),
                                .protocol = RTPROT_KERNEL,
                                .ifindex = tap_ifindex(t),
                                .metric = ON_LINK_METRIC,
                                .expires_s = a->valid_s == NL_FOREVER ? 0 : a->valid_s };
    int err = nl_route_there(nl, r.ifindex, r.dst, ret);

    if (err || *ret || nl_route_add(nl, &r))
        return err;
    *ret = true;
    found->n_back++;
    found->route_back = r.dst;
    return 0;
}

/* mend() - the address and, if @routes, what came with it and the former ones */
static int mend(struct nl *nl, const struct tun_want *w, const struct tap *t, bool routes,
                struct tun_found *found)
{
    const struct nl_addr a = tun_address(w->conf);
    struct addr_list have;
    bool there = true;
    int err = 0;

    have.n = nl_addr_list(nl, tap_ifindex(t), have.a, LISTED);
    if (have.n < 0)
        return have.n;
    /* among more than are listed it may be */
    if (!find(&have, a.addr) && have.n <= (int)LISTED) {
        found->address_back = put_back(nl, t, &a) == 0;
        if (!found->address_back) {
            found->state = TUN_NO_ADDRESS;
            return 0;
        }
    }
    if (!routes)
        return 0;
    for (unsigned i = 0; i < w->n_former && !err; i++) {
        const struct nl_addr *old = find(&have, w->former[i].addr);
        if (old)
            err = mend_route(nl, t, old, &there, found);
    }
    if (!err)
        err = mend_route(nl, t, &a, &there, found);
    if (!there)
        found->state = TUN_NO_ROUTE;
    return err;
}

static int look(struct nl *nl, const struct tun_want *w, const struct tap *t,
                struct tun_found *found)
{
    struct nl_link link;
    int err = nl_link_get(nl, tap_ifindex(t), &link);

    if (err)
        return err;
    if (link.mtu < INNER_MTU_MIN) {
        found->state = TUN_NARROW;
        return 0;
    }
    found->state = link.up && link.carrier ? TUN_WORKS : TUN_DOWN;
    /* a device that is down has no routes: they come back with it */
    return w->address ? mend(nl, w, t, link.up && !link.master, found) : 0;
}

int tun_look(const struct tun_want *w, const struct tap *t, struct tun_found *ret)
{
    struct tun_found found = { .state = TUN_DOWN };
    struct nl *nl = NULL;
    int err = nl_open(&nl);

    if (!err)
        err = look(nl, w, t, &found);
    nl_close(nl);
    if (!err)
        *ret = found;
    return err;
}

void tun_report(const struct router_config *c, enum tun_state was, const struct tun_found *found)
{
    const char *dev = c->uplink_device;
    char a[IP6_TEXT_LEN], p[IP6_TEXT_LEN];

    ip6_text(a, c->address);
    if (found->address_back)
        log_warn("%s had lost its address %s; it is back", dev, a);
    if (found->n_back && !found->address_back)
        log_warn("%s had lost the route to %s/%u; it is back", dev,
                 ip6_text(p, found->route_back.addr), found->route_back.len);
    if (was == found->state)
        return;
    if (found->state == TUN_NARROW)
        log_warn(
            "somebody set the MTU of %s below 1280: the kernel has taken IPv6 off it, with its "
            "address and routes; set it to %u or so again",
            dev, INNER_MTU_DEFAULT);
    else if (found->state == TUN_NO_ADDRESS)
        log_warn(
            "%s has lost its address, and this program may not put it back; run: ip addr add %s/%u "
            "dev %s nodad (or restart the router)",
            dev, a, c->prefix.len, dev);
    else if (found->state == TUN_NO_ROUTE)
        log_warn("%s has lost the route to the clients, and this program may not put it back; run: "
                 "ip route add %s/%u dev %s (or restart the router)",
                 dev, ip6_text(p, c->prefix.addr), c->prefix.len, dev);
    if ((found->state == TUN_WORKS) != (was == TUN_WORKS))
        log_warn("uplink %s is %s; clients are told", dev,
                 found->state == TUN_WORKS ? "back" : "down");
}
