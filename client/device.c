/* SPDX-License-Identifier: MIT */
/* device.c - the client's TAP device: the state the engine wants, applied to the kernel
 *
 * DOC: the order of set-up is not free. Other orders fail without an error:
 *
 *   1  TUNSETIFF without carrier        with it the kernel would solicit before there is a router
 *   2  a MAC at once                    systemd-udevd overwrites a random one, never a set one
 *   3  addr_gen_mode none               else the kernel makes fe80::EUI-64 of that random MAC
 *   4  MTU and up, in a second request  in one with 3 the kernel makes its own address first
 *   5  disable_ipv6=0                   often 1 on hosts without IPv6
 *   6  after login: MAC, then fe80::EUI-64/64 and the stable address with IFA_F_NODAD
 *   7  carrier on                       last, so that nobody finds a link without addresses; but
 *                                       before 6 in `configure: ra`: see reconcile()
 *
 * 1 to 5 are device_open(), 6 and 7 the end of device_apply(), which works on what the kernel says,
 * not on memory: routes are ours by their protocol number, unreachable routes (which live on lo and
 * outlive us when we are killed) by protocol and a metric made of the device's name. Of addresses
 * the kernel keeps no owner, so those are remembered, and others on the device are left alone.
 *
 * `configure: ra` leaves to the kernel what an RA can say. It cannot say a stable address (the
 * prefix comes without the autonomous flag then), so those are set here in that mode as well.
 *
 * Standards: RFC 4191 (route preference), RFC 4429 is not used: the MAC is ours alone on the
 * segment, so addresses made of it need no duplicate address detection, and assigned ones are
 * unique by assignment.
 */
#include <errno.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "client/device_internal.h"
#include "proto/host/sysctl.h"

#define RETRY_FIRST  (1 * NS_PER_S)
#define RETRY_MOST   (30 * NS_PER_S)
#define REPAIR_PAUSE (1 * NS_PER_S)
#define LAN_LOOK     (10 * NS_PER_S) /* nobody tells what happens to the LAN's link */

void device_tell(const struct device_config *c, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    if (c->warn)
        c->warn(c->warn_arg, line);
}

void device_failure(struct device *d, enum step step, int err, const char *what)
{
    d->failed = true;
    if (err == -ENODEV || d->told & 1u << step)
        return;
    d->told |= 1u << step;
    /* those two go through the TAP's descriptor, all else by netlink */
    bool by_tap = step == STEP_MAC || step == STEP_CARRIER;
    device_tell(&d->cfg, "%s: %s: %s", d->name, what, by_tap ? strerror(-err) : nl_error(d->nl));
}

/* ---- open and close ---- */

/* set_conf() - best effort: net/ipv6/conf/DEVICE/@key = @value; returns sysctl_set()'s result */
static int set_conf(struct device *d, const char *key, const char *value)
{
    char path[96];

    snprintf(path, sizeof(path), "net/ipv6/conf/%s/%s", d->name, key);
    return sysctl_set(path, value);
}

static void enable_ipv6(struct device *d)
{
    int err = set_conf(d, "disable_ipv6", "0");

    if (err < 0)
        device_tell(
            &d->cfg,
            "IPv6 is disabled on %s and cannot be enabled from here (%s): set "
            "net.ipv6.conf.%s.disable_ipv6=0, or net.ipv6.conf.default.disable_ipv6=0 before the "
            "start",
            d->name, strerror(-err), d->name);
}

/* links_count() - no packet goes by a route of this device while it has no carrier. Without this
 * the kernel would solicit a neighbor into the void, and the packet would wait a second for the
 * next try. */
static void links_count(struct device *d)
{
    set_conf(d, "ignore_routes_with_linkdown", "1");
}

/* configure_ra() - who listens to router advertisements: nobody, or the kernel */
static void configure_ra(struct device *d)
{
    char metric[16];
    int err;

    if (d->cfg.configure == CONFIGURE_NONE)
        return;
    if (d->cfg.configure == CONFIGURE_NETLINK) {
        err = set_conf(d, "accept_ra", "0");
        if (err == 0)
            err = set_conf(d, "autoconf", "0");
        if (err < 0)
            device_tell(
                &d->cfg,
                "%s: cannot turn off router advertisements (%s): the kernel may set addresses of "
                "its own",
                d->name, strerror(-err));
        return;
    }
    /* 2: also where forwarding is on, as docker and libvirt leave it */
    err = set_conf(d, "accept_ra", "2");
    if (err == 0)
        err = set_conf(d, "autoconf", "1");
    if (err < 0)
        device_tell(
            &d->cfg,
            "%s: the kernel may not listen to router advertisements (%s); `configure: netlink` "
            "needs none",
            d->name, strerror(-err));
    /* with 0 a router lifetime of 0 would not be heard either, so this is never switched later */
    (void)set_conf(d, "accept_ra_defrtr", d->cfg.default_route ? "1" : "0");
    (void)set_conf(d, "accept_ra_pinfo", "1");
    (void)set_conf(d, "accept_ra_rtr_pref", "1");
    (void)set_conf(d, "accept_ra_rt_info_max_plen", "64");
    (void)set_conf(d, "router_solicitations", "-1");
    snprintf(metric, sizeof(metric), "%u", d->cfg.metric);
    (void)set_conf(d, "ra_defrtr_metric", metric); /* Linux 5.12 */
}

/* set_up_ipv6() - what is IPv6's own of the device, for as long as the MTU stays at 1280 or more */
static void set_up_ipv6(struct device *d)
{
    enable_ipv6(d);
    links_count(d);
    configure_ra(d);
}

static void tell_open_failure(const struct device_config *c, int err)
{
    switch (err) {
    case -EINVAL:
        device_tell(
            c,
            "\"%s\" is no name for a device: 1 to 15 characters without /, :, %% and white space",
            c->name);
        break;
    case -EEXIST:
        device_tell(
            c, "a device named %s exists already: choose another `device:`, or end what uses it",
            c->name);
        break;
    case -EPERM:
    case -EACCES:
        device_tell(c, "cannot make %s: no permission (needs CAP_NET_ADMIN and /dev/net/tun)",
                    c->name);
        break;
    case -ENOENT:
    case -ENODEV:
        device_tell(
            c,
            "cannot make %s: no /dev/net/tun (modprobe tun; in a container: --device /dev/net/tun)",
            c->name);
        break;
    case -ENOTTY:
        device_tell(c,
                    "cannot make %s: /dev/net/tun is no TUN device (rm it, then: mknod "
                    "/dev/net/tun c 10 200)",
                    c->name);
        break;
    default:
        device_tell(c, "cannot make %s: %s", c->name, strerror(-err));
        break;
    }
}

/* unreachable_metric() - FNV-1a of the name in 30 bits, above every metric people use: what a
 * killed client left behind is found by the next one on a device of that name */
static uint32_t unreachable_metric(const char *name)
{
    uint32_t h = 2166136261u;

    for (; *name; name++)
        h = (h ^ (unsigned char)*name) * 16777619u;
    return (h & 0x3fffffffu) | 0x40000000u;
}

static int bring_up(struct device *d)
{
    const char *what = "IPv6 of the kernel";
    int err = nl_link_no_addresses(d->nl, d->ifindex);

    if (err == 0) {
        what = "up";
        err = nl_link_up(d->nl, d->ifindex, INNER_MTU_MIN);
    }
    if (err < 0) {
        device_tell(&d->cfg, "%s: %s: %s", d->name, what, nl_error(d->nl));
        return err;
    }
    set_up_ipv6(d);
    return 0;
}

int device_open(const struct device_config *c, struct device **ret)
{
    struct device *d = calloc(1, sizeof(*d));
    struct mac mac;

    if (!d)
        return -ENOMEM;
    randombytes_buf(mac.b, MAC_LEN);
    mac.b[0] = (uint8_t)((mac.b[0] & 0xfc) | 0x02);
    d->cfg = *c;
    d->mac = mac;
    d->mtu = INNER_MTU_MIN;
    d->retry_at = NEVER;
    int err = tap_open(c->name, TAP_ETHERNET, &mac, &d->tap);
    if (err == 0)
        err = nl_open(&d->nl);
    if (err < 0) {
        tell_open_failure(c, err);
        goto fail;
    }
    memcpy(d->name, c->name, strlen(c->name) + 1);
    d->cfg.name = d->name;
    d->ifindex = tap_ifindex(d->tap);
    d->unreachable_metric = unreachable_metric(d->name);
    device_sweep(d);
    err = bring_up(d);
    if (err < 0)
        goto fail;
    device_open_lan(d);
    *ret = d;
    return 0;
fail:
    device_close(d);
    return err;
}

/* ---- apply ---- */

/* notice_place() - what nobody but the operator can undo is said once: a new name, a bridge */
static void notice_place(struct device *d, const struct nl_link *link)
{
    if (strcmp(link->name, d->name) != 0) {
        device_tell(&d->cfg,
                    "%s was renamed %s by somebody; going on, but `device:` is where to "
                    "change its name",
                    d->name, link->name);
        memcpy(d->name, link->name, sizeof(d->name));
    }
    if (link->master == d->master)
        return;
    d->master = link->master;
    if (d->master)
        device_tell(&d->cfg,
                    "%s was put into a bridge or bond by somebody: IPv6 does not work that way, "
                    "because a client has one MAC and addresses of its own; take it out (ip link "
                    "set %s nomaster), and for hosts behind this one route a prefix to it",
                    d->name, d->name);
    else
        device_tell(&d->cfg, "%s was taken out of its bridge or bond", d->name);
}

/* apply_link() - up, MTU, MAC */
static void apply_link(struct device *d, const struct device_want *w, const struct nl_link *link,
                       bool fresh)
{
    int err = 0;

    if (!link->up) {
        device_tell(&d->cfg, "%s was set down by somebody; it goes up again", d->name);
        err = nl_link_up(d->nl, d->ifindex, w->mtu);
    } else if (link->mtu != w->mtu) {
        if (!fresh)
            device_tell(&d->cfg, "%s: somebody changed the MTU to %u; it goes back to %u", d->name,
                        link->mtu, w->mtu);
        err = nl_link_set_mtu(d->nl, d->ifindex, w->mtu);
    }
    if (err < 0)
        device_failure(d, link->up ? STEP_MTU : STEP_UP, err,
                       link->up ? "cannot set the MTU" : "cannot go up");
    else
        d->mtu = w->mtu;
    /* below 1280 the kernel had no IPv6 on the device; now it has, with the kernel's defaults */
    if (err >= 0 && link->mtu < INNER_MTU_MIN) {
        (void)nl_link_no_addresses(d->nl, d->ifindex);
        if (!d->cfg.elsewhere)
            set_up_ipv6(d);
        else /* /proc/sys shows the namespace this thread is in, and that one has been left */
            device_tell(&d->cfg, "%s: an MTU below 1280 took IPv6 off it; restart the client",
                        d->name);
    }
    if (!mac_eq(link->mac, w->mac)) {
        if (!fresh)
            device_tell(&d->cfg, "%s: somebody changed the MAC address; it goes back", d->name);
        d->changes++;
        err = tap_set_mac(d->tap, w->mac);
        if (err < 0) {
            device_failure(d, STEP_MAC, err, "cannot set the MAC address");
            return;
        }
    }
    d->mac = w->mac;
}

/* apply_carrier() - 0, or -ENODEV */
static int apply_carrier(struct device *d, const struct device_want *w, const struct nl_link *link)
{
    if (link->carrier != w->carrier) {
        d->changes++;
        int err = tap_set_carrier(d->tap, w->carrier);
        if (err == -ENODEV)
            return err;
        if (err < 0)
            device_failure(d, STEP_CARRIER, err, "cannot set carrier");
    }
    d->carrier = w->carrier;
    return 0;
}

static int reconcile(struct device *d, const struct device_want *w, bool fresh)
{
    struct nl_link link;
    int err = nl_link_get(d->nl, d->ifindex, &link);

    if (err == -ENODEV)
        return err;
    if (err < 0) {
        device_failure(d, STEP_READ, err, "cannot ask for the device");
        return err;
    }
    notice_place(d, &link);
    apply_link(d, w, &link, fresh);
    /* The kernel solicits when it gets its first link-local address, carrier or not, and what has
     * no carrier is lost without its knowing: the next one leaves 4 s later. */
    bool late = d->cfg.configure != CONFIGURE_RA || !w->carrier;
    if (!late && apply_carrier(d, w, &link) < 0)
        return -ENODEV;
    if (d->cfg.configure != CONFIGURE_NONE) {
        device_apply_addresses(d, w);
        device_trim_lan(d, w);
        device_apply_routes(d, w);
        device_apply_lan(d, w);
    }
    return late ? apply_carrier(d, w, &link) : 0;
}

int device_apply(struct device *d, const struct device_want *w, mono_ns now)
{
    bool fresh = w->serial != d->serial;
    uint64_t before = device_requests(d);

    if (d->gone)
        return -ENODEV;
    if (!w->created || (!fresh && now < device_deadline(d)))
        return 0;
    if (fresh) {
        d->told = 0;
        d->retry_pause = RETRY_FIRST;
    } else if (d->disturbed) {
        d->repair_at = now + REPAIR_PAUSE;
    }
    d->disturbed = d->failed = false;
    if (reconcile(d, w, fresh) == -ENODEV) {
        d->gone = true;
        return -ENODEV;
    }
    d->serial = w->serial;
    d->retry_at = d->lan.ifindex ? now + LAN_LOOK : NEVER;
    if (d->failed) {
        d->retry_at = now + d->retry_pause;
        d->retry_pause = time_earlier(2 * d->retry_pause, RETRY_MOST);
    }
    return (int)(device_requests(d) - before);
}

mono_ns device_deadline(const struct device *d)
{
    if (d->gone)
        return NEVER;
    return d->disturbed ? time_earlier(d->retry_at, d->repair_at) : d->retry_at;
}

bool device_event(struct device *d, const struct nl_event *ev)
{
    if (ev->what & NL_DEVICE_DELETED) {
        d->gone = true;
        return true;
    }
    if (d->serial == 0)
        return false; /* nothing was applied yet: the first want finds it all */
    /* our own changes are heard as well; those of the link can be told by their result */
    bool link = ev->what & NL_DEVICE_LINK &&
                (ev->what & NL_LOST || !ev->link.up || ev->link.mtu != d->mtu ||
                 !mac_eq(ev->link.mac, d->mac) || ev->link.master != d->master ||
                 strcmp(ev->link.name, d->name) != 0);
    if (link || ev->what & (NL_LOST | NL_DEVICE_ADDRESS | NL_DEVICE_ROUTE))
        d->disturbed = true;
    return d->disturbed;
}

struct tap *device_tap(const struct device *d)
{
    return d->tap;
}

unsigned device_ifindex(const struct device *d)
{
    return d->ifindex;
}

struct mac device_mac(const struct device *d)
{
    return d->mac;
}

bool device_carrier(const struct device *d)
{
    return d->carrier;
}

uint64_t device_requests(const struct device *d)
{
    return nl_changes(d->nl) + d->changes;
}

void device_close(struct device *d)
{
    if (!d)
        return;
    if (d->nl && d->ifindex) {
        device_close_lan(d);
        device_remove_routes(d);
    }
    nl_close(d->nl);
    tap_close(d->tap);
    free(d);
}
