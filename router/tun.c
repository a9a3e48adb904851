/* SPDX-License-Identifier: MIT */
/* tun.c - the TUN's MTU and address, and what others do to them */
#include "router/tun.h"

#include <linux/if_addr.h>

#include "proto/host/log.h"
#include "proto/host/sysctl.h"
#include "proto/mac.h"

#define LISTED 64u /* addresses on the device that are looked at */

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

static int is_there(struct nl *nl, unsigned ifindex, const struct nl_addr *a, bool *ret)
{
    struct nl_addr have[LISTED];
    int n = nl_addr_list(nl, ifindex, have, LISTED);

    if (n < 0)
        return n;
    *ret = n > (int)LISTED; /* so many that ours may be among the rest */
    for (int i = 0; i < n && i < (int)LISTED; i++)
        *ret |= ip6_eq(have[i].addr, a->addr);
    return 0;
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

static int look(struct nl *nl, const struct router_config *c, const struct tap *t, bool has_address,
                enum tun_state *ret, bool *ret_mended)
{
    struct nl_addr a = tun_address(c);
    struct nl_link link;
    bool there = true;
    int err = nl_link_get(nl, tap_ifindex(t), &link);

    if (err)
        return err;
    if (link.mtu < INNER_MTU_MIN) {
        *ret = TUN_NARROW;
        return 0;
    }
    if (has_address && (err = is_there(nl, tap_ifindex(t), &a, &there)))
        return err;
    *ret_mended = !there && put_back(nl, t, &a) == 0;
    if (!there && !*ret_mended)
        *ret = TUN_NO_ADDRESS;
    else
        *ret = link.up && link.carrier ? TUN_WORKS : TUN_DOWN;
    return 0;
}

int tun_look(const struct router_config *c, const struct tap *t, bool has_address,
             enum tun_state *ret, bool *ret_mended)
{
    struct nl *nl = NULL;
    int err = nl_open(&nl);

    *ret_mended = false;
    if (!err)
        err = look(nl, c, t, has_address, ret, ret_mended);
    nl_close(nl);
    return err;
}

void tun_report(const struct router_config *c, enum tun_state was, enum tun_state is, bool mended)
{
    const char *dev = c->uplink_device;
    char a[IP6_TEXT_LEN];

    ip6_text(a, c->address);
    if (mended)
        log_warn("%s had lost its address %s; it is back", dev, a);
    if (was == is)
        return;
    if (is == TUN_NARROW)
        log_warn(
            "somebody set the MTU of %s below 1280: the kernel has taken IPv6 off it, with its "
            "address and routes; set it to %u or so again",
            dev, INNER_MTU_DEFAULT);
    else if (is == TUN_NO_ADDRESS)
        log_warn(
            "%s has lost its address, and this program may not put it back; run: ip addr add %s/%u "
            "dev %s nodad (or restart the router)",
            dev, a, c->prefix.len, dev);
    if ((is == TUN_WORKS) != (was == TUN_WORKS))
        log_warn("uplink %s is %s; clients are told", dev, is == TUN_WORKS ? "back" : "down");
}
