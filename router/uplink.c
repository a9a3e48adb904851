/* SPDX-License-Identifier: MIT */
/* uplink.c - the TUN device into the host's IPv6 stack */
#include "router/uplink.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "proto/host/log.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "router/tun.h"

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

/* The kernel forwards between the TUN and the world only when told to; a host with one client needs
 * no more than a warning. */
static void check_forwarding(void)
{
    char value[16];

    if (sysctl_get("net/ipv6/conf/all/forwarding", value, sizeof(value)) == 0 &&
        strcmp(value, "0") == 0)
        log_warn("this host does not forward IPv6, clients reach nothing behind it; try: sysctl -w "
                 "net.ipv6.conf.all.forwarding=1");
}

static int configure(struct nl *nl, struct tap *t, const struct router_config *c)
{
    unsigned ifindex = tap_ifindex(t);
    char path[96];
    struct nl_addr a = tun_address(c);

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
        err = nl_addr_add(nl, ifindex, &a);
    if (err)
        log_error("cannot configure %s: %s", tap_name(t), nl_error(nl));
    return err;
}

int uplink_open(const struct router_config *c, struct tap **ret, struct nl_watch **ret_watch)
{
    struct tap *t = NULL;
    struct nl *nl = NULL;

    *ret = NULL;
    *ret_watch = NULL;
    if (c->uplink == UPLINK_NONE)
        return 0;
    int err = tap_open(c->uplink_device, TAP_IP, NULL, &t);
    if (err) {
        explain_open(c->uplink_device, err);
        return err;
    }
    err = nl_open(&nl);
    if (!err)
        err = configure(nl, t, c);
    if (!err)
        err = tap_set_carrier(t, true);
    if (!err && (err = nl_watch_open(tap_ifindex(t), ret_watch)))
        log_error("cannot watch %s: %s", tap_name(t), strerror(-err));
    nl_close(nl);
    if (err) {
        tap_close(t);
        return err;
    }
    check_forwarding();
    *ret = t;
    return 0;
}
