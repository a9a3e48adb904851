/* SPDX-License-Identifier: MIT */
/* uplink.c - the TUN device into the host's IPv6 stack */
#include "router/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/host/log.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "proto/mac.h"
#include "router/bindings.h"
#include "router/preflight.h"
#include "router/rules.h"

#define BRIDGE_METRIC 512u /* behind the kernel's own on-link routes */

static void explain_open(const char *name, int err)
{
    switch (err) {
    case -EPERM:
    case -EACCES:
        log_error("cannot create %s: CAP_NET_ADMIN is needed (run as root, or let systemd give it)",
                  name);
        break;
    case -EEXIST:
        log_error("cannot create %s: a device of that name exists; is another router running?",
                  name);
        break;
    case -ENOENT:
    case -ENODEV:
        log_error("cannot create %s: /dev/net/tun is missing; try: modprobe tun", name);
        break;
    case -ENOTTY:
        log_error("cannot create %s: /dev/net/tun is no TUN device (rm it, then: mknod "
                  "/dev/net/tun c 10 200)",
                  name);
        break;
    default:
        log_error("cannot create %s: %s", name, strerror(-err));
    }
}

static int give_address(struct nl *nl, struct tap *t, const struct router_config *c)
{
    struct nl_addr a = tun_address(c);

    /* With an on-link prefix the address is on the WAN already. */
    return c->uplink == UPLINK_NDPROXY ? 0 : nl_addr_add(nl, tap_ifindex(t), &a);
}

static int configure(struct nl *nl, struct tap *t, const struct router_config *c)
{
    unsigned ifindex = tap_ifindex(t);
    char path[96];

    snprintf(path, sizeof(path), "net/ipv6/conf/%s/disable_ipv6", tap_name(t));
    sysctl_set(path, "0");
    snprintf(path, sizeof(path), "net/ipv6/conf/%s/keep_addr_on_down", tap_name(t));
    sysctl_set(path, "1");
    /* The link-local address of the segment is the engine's; the kernel needs none of its own here.
     */
    int err = nl_link_no_addresses(nl, ifindex);
    if (!err)
        err = nl_link_up(nl, ifindex, tun_mtu(nl, c));
    if (!err)
        err = give_address(nl, t, c);
    if (err)
        log_error("cannot configure %s: %s", tap_name(t), nl_error(nl));
    return err;
}

static int open_device(const struct router_config *c, struct uplink *u)
{
    struct nl *nl = NULL;

    int err = tap_open(c->uplink_device, TAP_IP, NULL, &u->tun);
    if (err) {
        explain_open(c->uplink_device, err);
        return err;
    }
    err = nl_open(&nl);
    if (!err)
        err = configure(nl, u->tun, c);
    if (!err)
        err = tap_set_carrier(u->tun, true);
    nl_close(nl);
    if (!err && (err = nl_watch_open(tap_ifindex(u->tun), &u->link)))
        log_error("cannot watch %s: %s", tap_name(u->tun), strerror(-err));
    return err;
}

bool uplink_delegates(const struct router_config *c)
{
    for (unsigned i = 0; i < c->n_clients; i++) {
        if (c->clients[i].n_delegate)
            return true;
    }
    return false;
}

static int open_reach(const struct router_config *c, uint32_t listed, const uint8_t *hash_key,
                      struct uplink *u)
{
    struct reach_config rc = { .slots = c->max_members,
                               .entries =
                                   2 * c->max_members + DELEGATED_PER_MEMBER * c->max_members,
                               .listed = listed,
                               .tun = tap_ifindex(u->tun),
                               .segment = c->prefix };
    struct wan wan;

    if (!c->reaches)
        return 0;
    snprintf(rc.device, sizeof(rc.device), "%s", tap_name(u->tun));
    if (c->uplink == UPLINK_NDPROXY) {
        int err = wan_survey(c->wan, &wan);
        if (err) {
            log_error("no link to the Internet: %s", strerror(-err));
            return err;
        }
        rc.wan = wan.ifindex;
        snprintf(rc.wan_name, sizeof(rc.wan_name), "%s", wan.name);
    }
    return reach_open(&rc, hash_key, &u->reach);
}

static void log_finding(void *arg, enum finding_level level, const char *line)
{
    (void)arg;
    if (level == FINDING_STOP)
        log_error("%s", line);
    else
        log_warn("%s", line);
}

static int preflight(const struct router_config *c)
{
    struct host_facts f;

    preflight_look(c, &f);
    unsigned stops = preflight_judge(c, &f, log_finding, NULL);
    preflight_free(&f);
    return stops ? -ENOTSUP : 0;
}

int uplink_open(const struct router_config *c, uint32_t listed, const uint8_t *hash_key,
                struct uplink *ret)
{
    struct uplink u = { .tun = NULL };

    *ret = u;
    int err = preflight(c);
    if (err || c->uplink == UPLINK_NONE)
        return err;
    err = open_device(c, &u);
    if (!err)
        err = rules_open(c, &u.rules);
    if (!err)
        err = open_reach(c, listed, hash_key, &u);
    if (err) {
        uplink_close(&u);
        return err;
    }
    *ret = u;
    return 0;
}

void uplink_sweep(const struct uplink *u)
{
    if (u->tun)
        reach_sweep(tap_name(u->tun), u->reach);
}

struct tun_want uplink_tun(const struct uplink *u, const struct router_config *c)
{
    return (struct tun_want){ .conf = c,
                              .address = c->uplink != UPLINK_NDPROXY,
                              .former = u->former,
                              .n_former = u->n_former };
}

void uplink_close(struct uplink *u)
{
    reach_close(u->reach);
    nft_close(u->rules);
    nl_watch_close(u->link);
    tap_close(u->tun);
    *u = (struct uplink){ .tun = NULL };
}

/* ---- what only the host can say ---- */

/* The host's own addresses and its gateway are not for clients. */
static void take_out(struct router_config *c, struct ip6 a)
{
    if (ip6_in(a, c->prefix) && c->n_taken < TAKEN_MAX)
        c->taken[c->n_taken++] = a;
}

int uplink_conclude(struct router_config *c)
{
    char prefix[IP6_TEXT_LEN];
    struct wan wan;

    c->reaches = c->uplink == UPLINK_NDPROXY || (c->uplink != UPLINK_NONE && uplink_delegates(c));
    if (c->uplink != UPLINK_NDPROXY)
        return 0;
    int err = wan_survey(c->wan, &wan);
    if (err == -ENODEV) {
        log_error("uplink.wan: there is no link %s", c->wan);
        return err;
    }
    if (err) {
        log_error(
            "uplink.mode: ndproxy needs the link to the Internet, and there is no IPv6 default "
            "route; name it: uplink: { mode: ndproxy, wan: NAME }");
        return err;
    }
    const struct wan_addr *own = wan_address_in(&wan, c->prefix);
    if (!own) {
        log_error(
            "uplink.mode: ndproxy needs an address of this host in %s/%u on %s; a prefix that "
            "is routed to this host needs mode: routed",
            ip6_text(prefix, c->prefix.addr), c->prefix.len, wan.name);
        return -EADDRNOTAVAIL;
    }
    c->address = own->addr;
    c->n_taken = 0;
    for (unsigned i = 0; i < wan.n_addr; i++)
        take_out(c, wan.addr[i].addr);
    if (wan.has_gateway)
        take_out(c, wan.gateway);
    return 0;
}

/* ---- another prefix ---- */

/* overlap() - of two such prefixes the old one ends at once, as the engine has it (bindings.h); an
 * address of one and the same prefix is then nobody's */
static bool overlap(const struct nl_addr *a, const struct nl_addr *b)
{
    uint8_t plen = a->plen < b->plen ? a->plen : b->plen;

    return ip6_eq(ip6_mask(a->addr, plen), ip6_mask(b->addr, plen));
}

static void forget_former(struct uplink *u, struct nl *nl, unsigned i)
{
    nl_addr_del(nl, tap_ifindex(u->tun), u->former[i].addr, u->former[i].plen);
    u->n_former--;
    memmove(&u->former[i], &u->former[i + 1], (u->n_former - i) * sizeof(u->former[0]));
}

/* deprecate() - the TUN keeps @old for @valid_s seconds. It is taken off and put on again: a
 * kernel that is told to let a permanent address expire lets its on-link route expire at once, and
 * whoever uses that prefix is cut off from the world. A route of our own bridges the moment. */
static void deprecate(struct uplink *u, struct nl *nl, struct nl_addr old, uint32_t valid_s)
{
    struct nl_route bridge = { .dst = { .len = old.plen },
                               .protocol = ROUTE_PROTOCOL,
                               .ifindex = tap_ifindex(u->tun),
                               .metric = BRIDGE_METRIC };

    bridge.dst.addr = ip6_mask(old.addr, old.plen);
    old.preferred_s = 0;
    old.valid_s = valid_s;
    bool bridged = nl_route_add(nl, &bridge) == 0;
    nl_addr_del(nl, bridge.ifindex, old.addr, old.plen);
    if (nl_addr_add(nl, bridge.ifindex, &old) == 0) {
        if (u->n_former == OLD_PREFIXES)
            forget_former(u, nl, OLD_PREFIXES - 1);
        memmove(&u->former[1], &u->former[0], u->n_former * sizeof(u->former[0]));
        u->former[0] = old;
        u->n_former++;
    }
    if (bridged)
        nl_route_del(nl, &bridge);
}

/* The new address comes first, so that the TUN always has one, unless it is there in another form;
 * connections of the old one go on while clients keep theirs. The kernel's on-link route ends with
 * the address. */
static int move_address(struct uplink *u, const struct router_config *c,
                        const struct router_config *to)
{
    const uint32_t most = OLD_PREFIX_LIFE / NS_PER_S;
    struct nl_addr old = tun_address(c), new = tun_address(to);
    struct nl *nl = NULL;

    int err = nl_open(&nl);
    if (err)
        return err;
    for (unsigned i = u->n_former; i-- > 0;) {
        if (overlap(&u->former[i], &new))
            forget_former(u, nl, i);
    }
    if (ip6_eq(old.addr, new.addr)) /* another length */
        nl_addr_del(nl, tap_ifindex(u->tun), old.addr, old.plen);
    err = nl_addr_add(nl, tap_ifindex(u->tun), &new);
    if (!err && !overlap(&old, &new))
        deprecate(u, nl, old, to->advertise.valid_s < most ? to->advertise.valid_s : most);
    else if (!err && !ip6_eq(old.addr, new.addr))
        nl_addr_del(nl, tap_ifindex(u->tun), old.addr, old.plen);
    nl_close(nl);
    return err;
}

static void renew_rules(const struct uplink *u, const struct router_config *to)
{
    if (u->rules && rules_set(u->rules, to, u->former, u->n_former))
        log_error("the packet filter has not got the new prefix: %s", nft_error(u->rules));
}

const char *uplink_renumber(struct uplink *u, const struct router_config *c,
                            struct router_config *to)
{
    struct router_config as = *to;

    if (c->uplink == UPLINK_NONE)
        return NULL;
    if (!c->reaches)
        return "the new value takes effect when the router is restarted: it has given up the "
               "privilege to renumber its uplink device";
    as.uplink = c->uplink; /* what the file says of those needs a restart */
    memcpy(as.wan, c->wan, sizeof(as.wan));
    if (c->uplink == UPLINK_NDPROXY) {
        if (uplink_conclude(&as))
            return "the prefix stays as it was: this host has no address in the new one (see the "
                   "log)";
        to->address = as.address;
        renew_rules(u, &as);
        memcpy(to->taken, as.taken, sizeof(to->taken));
        to->n_taken = as.n_taken;
        reach_segment(u->reach, to->prefix);
        return NULL;
    }
    if (move_address(u, c, to))
        return "the prefix stays as it was: the uplink device does not take the new address";
    renew_rules(u, &as);
    return NULL;
}
