/* SPDX-License-Identifier: MIT */
/* test_device.c - the client's device against the real kernel, in a namespace of its own
 *
 *     test program (is the router's end) ---- TAP "t0" ---- kernel of the namespace
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <linux/if_addr.h>
#include <sodium.h>

#include "client/device.h"
#include "proto/cksum.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "proto/host/tap.h"
#include "proto/mac.h"
#include "tests/host/netns.h"

#define METRIC      2048u
#define KERNEL      2 /* RTPROT_KERNEL */
#define RA_LEN      (14u + 40u + 16u + 32u)
#define RTR_SOLICIT 133

static bool have_netns;
static struct nl *nl;
static struct device *dev;
static char warned[1024]; /* all lines since setup */
static mono_ns clock_now = 1000 * NS_PER_S;

static void on_warn(void *arg, const char *line)
{
    size_t used = strlen(warned);

    (void)arg;
    snprintf(warned + used, sizeof(warned) - used, "%s\n", line);
}

static struct device_config config(enum configure_mode mode)
{
    return (struct device_config){
        .name = "t0",
        .configure = mode,
        .metric = METRIC,
        .default_route = true,
        .warn = on_warn,
    };
}

static struct device_want want(void)
{
    return (struct device_want){
        .serial = 1,
        .created = true,
        .carrier = true,
        .on_link = true,
        .default_route = true,
        .mtu = 1434,
        .mac = { { 0xc6, 0x33, 0x64, 0x07, 0x9c, 0x40 } },
        .router_mac = { { 0xc6, 0x12, 0x00, 0x01, 0x19, 0x40 } },
        .segment = netns_prefix("2001:db8:1::", 64),
        .address = { { netns_ip6("2001:db8:1::abcd"), 64 } },
        .route = { netns_prefix("2001:db8:77::", 48) },
        .delegated = { netns_prefix("2001:db8:5::", 56) },
        .n_address = 1,
        .n_route = 1,
        .n_delegated = 1,
    };
}

static int setup_mode(enum configure_mode mode)
{
    const struct device_config c = config(mode);

    if (!have_netns)
        skip();
    warned[0] = '\0';
    return device_open(&c, &dev);
}

static int setup_netlink(void **state)
{
    (void)state;
    return setup_mode(CONFIGURE_NETLINK);
}

static int setup_ra(void **state)
{
    (void)state;
    return setup_mode(CONFIGURE_RA);
}

static int setup_none(void **state)
{
    (void)state;
    return setup_mode(CONFIGURE_NONE);
}

static int teardown(void **state)
{
    (void)state;
    device_close(dev);
    dev = NULL;
    return 0;
}

/* apply() - one device_apply() a minute later; returns its result */
static int apply(const struct device_want *w)
{
    clock_now += 60 * NS_PER_S;
    return device_apply(dev, w, clock_now);
}

static bool has_address(const char *text, uint8_t plen)
{
    struct nl_addr got[16];
    const struct ip6 a = netns_ip6(text);
    int n = nl_addr_list(nl, device_ifindex(dev), got, 16);

    assert_in_range(n, 0, 16);
    for (int i = 0; i < n; i++)
        if (ip6_eq(got[i].addr, a) && got[i].plen == plen)
            return !(got[i].flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
    return false;
}

static int count_addresses(void)
{
    return nl_addr_list(nl, device_ifindex(dev), NULL, 0);
}

/* find_route() - the one route of ours to @text/@len; false when there is none */
static bool find_route(const char *text, uint8_t len, struct nl_route *ret)
{
    struct nl_route got[32];
    const struct ip6 a = netns_ip6(text);
    int n = nl_route_list(nl, 0, DEVICE_ROUTE_PROTOCOL, 0, got, 32);
    unsigned found = 0;

    assert_in_range(n, 0, 32);
    for (int i = 0; i < n; i++)
        if (ip6_eq(got[i].dst.addr, a) && got[i].dst.len == len && ++found)
            *ret = got[i];
    assert_true(found <= 1);
    return found;
}

static int count_routes(void)
{
    return nl_route_list(nl, 0, DEVICE_ROUTE_PROTOCOL, 0, NULL, 0);
}

static struct nl_link link_now(void)
{
    struct nl_link link = { 0 };

    assert_int_equal(nl_link_get(nl, device_ifindex(dev), &link), 0);
    return link;
}

/* ---- opening ---- */

static void opens_bare(void **state)
{
    const struct device_want before_login = { 0 };
    struct nl_link link = link_now();
    char v[8];

    (void)state;
    assert_true(link.up);
    assert_false(link.carrier);
    assert_int_equal(link.mtu, INNER_MTU_MIN);
    assert_int_equal(link.mac.b[0] & 3, 2); /* local, unicast */
    assert_true(mac_eq(link.mac, device_mac(dev)));
    assert_int_equal(apply(&before_login), 0);
    assert_int_equal(device_deadline(dev), NEVER);
    assert_int_equal(count_addresses(), 0);
    assert_int_equal(tap_set_carrier(device_tap(dev), true), 0);
    assert_int_equal(count_addresses(), 0); /* nor does the kernel make one with carrier */
    assert_string_equal(warned, "");
    if (sysctl_get("net/ipv6/conf/t0/accept_ra", v, sizeof(v)) == 0)
        assert_string_equal(v, "0");
    if (sysctl_get("net/ipv6/conf/t0/autoconf", v, sizeof(v)) == 0)
        assert_string_equal(v, "0");
}

static void open_failures(void **state)
{
    static const struct {
        const char *name, *said;
        int err;
    } row[] = {
        { "t0", "exists already", -EEXIST },          { "lo", "exists already", -EEXIST },
        { "a b", "no name for a device", -EINVAL },   { "", "no name for a device", -EINVAL },
        { "tap%d", "no name for a device", -EINVAL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct device_config c = config(CONFIGURE_NETLINK);
        struct device *d = NULL;

        c.name = row[i].name;
        warned[0] = '\0';
        assert_int_equal(device_open(&c, &d), row[i].err);
        assert_null(d);
        assert_non_null(strstr(warned, row[i].said));
    }
}

static void disabled_ipv6_is_enabled(void **state)
{
    const struct device_want w = want();
    char v[8];

    (void)state;
    if (!have_netns || sysctl_set("net/ipv6/conf/default/disable_ipv6", "1") < 0)
        skip();
    assert_int_equal(setup_netlink(NULL), 0);
    assert_int_equal(sysctl_set("net/ipv6/conf/default/disable_ipv6", "0"), 0);
    assert_int_equal(sysctl_get("net/ipv6/conf/t0/disable_ipv6", v, sizeof(v)), 0);
    assert_string_equal(v, "0");
    /* nor are packets lost on the way out before there is carrier */
    assert_int_equal(sysctl_get("net/ipv6/conf/t0/ignore_routes_with_linkdown", v, sizeof(v)), 0);
    assert_string_equal(v, "1");
    assert_true(apply(&w) > 0);
    assert_true(has_address("2001:db8:1::abcd", 64));
    assert_string_equal(warned, "");
    teardown(NULL);
}

/* ---- configure: netlink ---- */

static void applies_all(void **state)
{
    struct device_want w = want();
    struct nl_route r = { 0 };

    (void)state;
    assert_true(apply(&w) > 0);
    assert_string_equal(warned, "");
    struct nl_link link = link_now();
    assert_true(link.up && link.carrier && link.mtu == 1434 && mac_eq(link.mac, w.mac));
    assert_true(has_address("fe80::c433:64ff:fe07:9c40", 64));
    assert_true(has_address("2001:db8:1::abcd", 64));
    assert_int_equal(count_addresses(), 2);

    assert_true(find_route("2001:db8:1::", 64, &r));
    assert_true(!r.has_via && r.ifindex == device_ifindex(dev) && !r.link_down);
    assert_true(find_route("::", 0, &r));
    assert_true(r.has_via && ip6_eq(r.via, netns_ip6("fe80::c412:ff:fe01:1940")) && !r.link_down);
    assert_int_equal(r.metric, METRIC);
    assert_int_equal(r.pref, NL_PREF_LOW);
    assert_int_equal(r.ifindex, device_ifindex(dev));
    assert_true(find_route("2001:db8:77::", 48, &r));
    assert_true(r.has_via && r.metric == METRIC);
    assert_true(find_route("2001:db8:5::", 56, &r));
    assert_int_equal(r.type, NL_UNREACHABLE);
    assert_int_equal(count_routes(), 4);

    /* no difference, no request: same want, a new serial, a disturbance */
    assert_int_equal(apply(&w), 0);
    w.serial++;
    assert_int_equal(apply(&w), 0);
    assert_true(device_event(dev, &(struct nl_event){ .what = NL_LOST }));
    assert_int_equal(apply(&w), 0);
    assert_int_equal(device_deadline(dev), NEVER);
}

static void withdraws_and_returns(void **state)
{
    struct device_want w = want();
    struct nl_route r;

    (void)state;
    assert_true(apply(&w) > 0);
    w.serial++;
    w.default_route = w.carrier = false;
    assert_int_equal(apply(&w), 2);
    assert_false(find_route("::", 0, &r));
    assert_false(link_now().carrier);
    assert_false(device_carrier(dev));
    assert_true(has_address("2001:db8:1::abcd", 64));
    w.serial++;
    w.default_route = w.carrier = true;
    assert_int_equal(apply(&w), 2);
    assert_true(find_route("::", 0, &r));
    assert_true(link_now().carrier);
    assert_string_equal(warned, "");
}

static void mac_changes_in_place(void **state)
{
    struct device_want w = want();
    struct nl_route r;

    (void)state;
    assert_true(apply(&w) > 0);
    struct nl_watch *watch = NULL;
    assert_int_equal(nl_watch_open(device_ifindex(dev), &watch), 0);
    w.serial++;
    w.mac.b[5]++;
    assert_int_equal(apply(&w), 3); /* MAC, new link-local, old link-local */
    assert_true(mac_eq(link_now().mac, w.mac));
    assert_true(has_address("fe80::c433:64ff:fe07:9c41", 64));
    assert_false(has_address("fe80::c433:64ff:fe07:9c40", 64));
    assert_true(has_address("2001:db8:1::abcd", 64));
    assert_int_equal(count_addresses(), 2);
    assert_true(find_route("::", 0, &r));
    assert_int_equal(count_routes(), 4);
    assert_int_equal(nl_route_list(nl, device_ifindex(dev), KERNEL, 0, &r, 1), 1); /* fe80::/64 */
    assert_true(link_now().up && link_now().carrier);
    /* our own change, heard: nothing to do */
    struct nl_event ev;
    assert_int_equal(nl_watch_read(watch, &ev), 0);
    assert_true(ev.what & NL_DEVICE_LINK);
    (void)device_event(dev, &ev);
    assert_int_equal(apply(&w), 0);
    assert_string_equal(warned, "");
    nl_watch_close(watch);
}

/* each row changes one thing of want() and says what then differs */
static void smallest_change(void **state)
{
    struct device_want w = want();
    struct nl_route r = { 0 };

    (void)state;
    assert_true(apply(&w) > 0);

    w.serial++, w.mtu = 1280;
    assert_int_equal(apply(&w), 1);
    assert_int_equal(link_now().mtu, 1280);

    w.serial++, w.router_mac.b[5]++; /* the two routes through it are replaced in place */
    assert_int_equal(apply(&w), 2);
    assert_true(find_route("::", 0, &r) && ip6_eq(r.via, netns_ip6("fe80::c412:ff:fe01:1941")));

    w.serial++, w.on_link = false; /* `isolate`: another metric, so one more and one less */
    assert_int_equal(apply(&w), 2);
    assert_true(find_route("2001:db8:1::", 64, &r) && r.has_via);

    w.serial++, w.address[1] = (struct seg_addr){ netns_ip6("2001:db8:1::beef"), 64 },
                w.n_address = 2;
    assert_int_equal(apply(&w), 1);
    assert_true(has_address("2001:db8:1::abcd", 64) && has_address("2001:db8:1::beef", 64));

    w.serial++, w.address[0] = w.address[1], w.n_address = 1;
    assert_int_equal(apply(&w), 1);
    assert_false(has_address("2001:db8:1::abcd", 64));

    w.serial++, w.address[0].plen = 80; /* the kernel cannot change it in place */
    assert_int_equal(apply(&w), 2);
    assert_true(has_address("2001:db8:1::beef", 80));

    w.serial++, w.delegated[0] = netns_prefix("2001:db8:6::", 56);
    assert_int_equal(apply(&w), 2);
    assert_true(find_route("2001:db8:6::", 56, &r));
    assert_false(find_route("2001:db8:5::", 56, &r));

    w.serial++, w.n_delegated = w.n_route = 0, w.segment.len = 0, w.default_route = false;
    assert_int_equal(apply(&w), 4);
    assert_int_equal(count_routes(), 0);
    assert_string_equal(warned, "");
}

/* R23: the segment has another prefix; what the client had in the one before is deprecated until
 * the kernel takes it away, and is there again when that prefix is back */
static void R23_former_prefix_is_deprecated(void **state)
{
    struct device_want w = want(), before = w;
    struct nl_route r = { 0 };
    struct nl_addr a[8];
    bool found = false;

    (void)state;
    assert_true(apply(&w) > 0);
    w.serial++;
    w.segment = netns_prefix("2001:db8:2::", 64);
    w.address[0] = (struct seg_addr){ netns_ip6("2001:db8:2::abcd"), 64 };
    w.old[0] = (struct seg_old){ netns_prefix("2001:db8:1::", 64), 7200 };
    w.n_old = 1;
    assert_int_equal(apply(&w), 3); /* new address, old one, new route */
    assert_true(has_address("2001:db8:2::abcd", 64));
    assert_true(find_route("2001:db8:2::", 64, &r) && !r.has_via);
    assert_true(find_route("2001:db8:1::", 64, &r) && !r.has_via);
    int n = nl_addr_list(nl, device_ifindex(dev), a, 8);
    for (int i = 0; i < n; i++) {
        if (!ip6_eq(a[i].addr, netns_ip6("2001:db8:1::abcd")))
            continue;
        found = true;
        assert_true(a[i].flags & IFA_F_DEPRECATED);
    }
    assert_true(found);
    w.serial++, w.old[0].valid_s = 60; /* it counts down already */
    assert_int_equal(apply(&w), 0);
    w.serial++, w.n_old = 0; /* over, or another router: at once, with its route */
    assert_int_equal(apply(&w), 2);
    assert_false(has_address("2001:db8:1::abcd", 64));
    assert_false(find_route("2001:db8:1::", 64, &r));

    w.serial++, w.n_old = 1, w.segment = before.segment, w.address[0] = before.address[0];
    w.old[0] = (struct seg_old){ netns_prefix("2001:db8:2::", 64), 7200 };
    assert_int_equal(apply(&w), 3);
    w.serial++, w.segment = netns_prefix("2001:db8:2::", 64);
    w.address[0] = (struct seg_addr){ netns_ip6("2001:db8:2::abcd"), 64 };
    w.old[0].prefix = before.segment;
    assert_int_equal(apply(&w), 2); /* lasting again, and deprecated */
    n = nl_addr_list(nl, device_ifindex(dev), a, 8);
    for (int i = 0; i < n; i++)
        assert_int_equal(!!(a[i].flags & IFA_F_DEPRECATED),
                         ip6_eq(a[i].addr, netns_ip6("2001:db8:1::abcd")));
    assert_string_equal(warned, "");
}

static void strangers_are_left_alone(void **state)
{
    struct device_want w = want();
    const struct nl_addr theirs = { .addr = netns_ip6("2001:db8:99::1"),
                                    .plen = 64,
                                    .flags = IFA_F_NODAD,
                                    .valid_s = NL_FOREVER,
                                    .preferred_s = NL_FOREVER };
    struct nl_route route = { .dst = netns_prefix("2001:db8:98::", 64),
                              .ifindex = device_ifindex(dev) };
    struct nl_route r;

    (void)state;
    assert_true(apply(&w) > 0);
    assert_int_equal(nl_addr_add(nl, device_ifindex(dev), &theirs), 0);
    assert_int_equal(nl_route_add(nl, &route), 0);
    w.serial++, w.n_address = 0;
    assert_int_equal(apply(&w), 1);
    assert_true(has_address("2001:db8:99::1", 64));
    assert_int_equal(nl_route_del(nl, &route), 0);

    /* a stranger's default route with our metric is not replaced, and the want is tried again */
    w.serial++, w.default_route = false;
    assert_int_equal(apply(&w), 1);
    route = (struct nl_route){ .ifindex = device_ifindex(dev), .metric = METRIC };
    assert_int_equal(nl_route_add(nl, &route), 0);
    w.serial++, w.default_route = true;
    assert_int_equal(apply(&w), 1);
    assert_false(find_route("::", 0, &r));
    assert_non_null(strstr(warned, "cannot set the route to ::/0 with metric 2048"));
    assert_int_equal(device_deadline(dev), clock_now + NS_PER_S);
    warned[0] = '\0';
    assert_int_equal(device_apply(dev, &w, clock_now + NS_PER_S / 2), 0); /* too early */
    assert_int_equal(apply(&w), 1);
    assert_int_equal(device_deadline(dev), clock_now + 2 * NS_PER_S);
    assert_string_equal(warned, ""); /* told once */
    assert_int_equal(nl_route_del(nl, &route), 0);
    assert_int_equal(apply(&w), 1);
    assert_true(find_route("::", 0, &r));
    assert_int_equal(device_deadline(dev), NEVER);
}

/* Two clients on one host, on one segment even: the second one's routes come after the first's, and
 * are there when those go. */
static void second_client(void **state)
{
    struct device_want w = want();
    struct nl_route r,
        route[2] = { { .ifindex = 1, .metric = METRIC }, { .ifindex = 1, .metric = METRIC + 1 } };

    (void)state;
    assert_int_equal(nl_link_up(nl, 1, 0), 0);
    for (unsigned i = 0; i < 2; i++) /* lo, in place of the other clients' devices */
        assert_int_equal(nl_route_add(nl, &route[i]), 0);
    assert_true(apply(&w) > 0);
    assert_true(find_route("::", 0, &r));
    assert_int_equal(r.metric, METRIC + 2);
    assert_non_null(strstr(warned, "the default route here has metric 2050"));
    assert_int_equal(device_deadline(dev), NEVER);
    warned[0] = '\0';
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(nl_route_del(nl, &route[i]), 0);
    w.serial++;
    assert_int_equal(apply(&w), 0); /* it stays where it is, quietly */
    assert_string_equal(warned, "");
}

/* ---- others meddle ---- */

/* meddle() - somebody changes something: it is heard, and put right; returns the changes made */
static int meddle(const struct device_want *w, struct nl_watch *watch)
{
    struct nl_event ev;
    bool due = false;
    mono_ns deadline = netns_now() + 2 * NS_PER_S;

    while (!due && netns_wait(nl_watch_fd(watch), deadline)) {
        assert_int_equal(nl_watch_read(watch, &ev), 0);
        due = device_event(dev, &ev);
    }
    assert_true(due);
    return apply(w);
}

static void repairs(void **state)
{
    const struct mac mac = { { 2, 2, 2, 2, 2, 2 } };
    const struct device_want w = want();
    struct nl_watch *watch = NULL;
    struct nl_event ev;
    unsigned ifindex = device_ifindex(dev);
    struct nl_route r;

    (void)state;
    assert_int_equal(nl_watch_open(ifindex, &watch), 0);
    assert_true(apply(&w) > 0);
    assert_int_equal(nl_watch_read(watch, &ev), 0);

    assert_int_equal(nl_link_set_mtu(nl, ifindex, 1400), 0);
    assert_int_equal(meddle(&w, watch), 1);
    assert_int_equal(link_now().mtu, 1434);
    assert_non_null(strstr(warned, "somebody changed the MTU to 1400"));

    assert_int_equal(nl_link_set_mac(nl, ifindex, mac), 0);
    assert_int_equal(meddle(&w, watch), 1);
    assert_true(mac_eq(link_now().mac, w.mac));
    assert_non_null(strstr(warned, "somebody changed the MAC"));

    assert_int_equal(nl_addr_del(nl, ifindex, w.address[0].addr, 64), 0);
    assert_int_equal(meddle(&w, watch), 1);
    assert_true(has_address("2001:db8:1::abcd", 64));

    assert_int_equal(nl_link_down(nl, ifindex), 0); /* takes every address and route along */
    assert_true(meddle(&w, watch) > 4);
    assert_true(link_now().up && link_now().carrier);
    assert_true(has_address("2001:db8:1::abcd", 64) && find_route("::", 0, &r));
    assert_non_null(strstr(warned, "set down by somebody"));

    /* less than IPv6 needs: the kernel takes it off the device, and gives it back as it comes */
    char v[16] = "";
    assert_int_equal(nl_link_set_mtu(nl, ifindex, 1000), 0);
    assert_true(meddle(&w, watch) > 4);
    assert_int_equal(link_now().mtu, 1434);
    assert_true(has_address("2001:db8:1::abcd", 64) && find_route("::", 0, &r));
    if (sysctl_get("net/ipv6/conf/t0/accept_ra", v, sizeof(v)) == 0)
        assert_string_equal(v, "0");

    /* two managers cannot spin: one repair a second */
    assert_int_equal(nl_link_set_mtu(nl, ifindex, 1400), 0);
    assert_true(device_event(dev, &(struct nl_event){ .what = NL_LOST }));
    assert_int_equal(device_apply(dev, &w, clock_now + NS_PER_S / 2), 0);
    assert_int_equal(device_deadline(dev), clock_now + NS_PER_S);
    assert_int_equal(device_apply(dev, &w, clock_now + NS_PER_S), 1);
    nl_watch_close(watch);
}

static void deleted_by_somebody(void **state)
{
    struct device_want w = want();

    (void)state;
    assert_true(apply(&w) > 0);
    assert_int_equal(netns_delete_link(device_ifindex(dev)), 0);
    w.serial++;
    assert_int_equal(apply(&w), -ENODEV);
    assert_int_equal(apply(&w), -ENODEV);
    assert_int_equal(device_deadline(dev), NEVER);
    assert_int_equal(count_routes(), 1); /* the unreachable one is on lo */
    device_close(dev);
    dev = NULL;
    assert_int_equal(count_routes(), 0);
}

static void close_leaves_nothing(void **state)
{
    const struct device_want w = want();
    struct nl_link link;

    (void)state;
    assert_true(apply(&w) > 0);
    device_close(dev);
    device_close(NULL);
    dev = NULL;
    assert_int_equal(nl_link_get_name(nl, "t0", &link), -ENODEV);
    assert_int_equal(count_routes(), 0);
}

static void cleans_up_after_a_killed_one(void **state)
{
    struct device_want w = want();
    struct nl_route r = { 0 };

    (void)state;
    assert_true(apply(&w) > 0);
    assert_true(find_route("2001:db8:5::", 56, &r));
    device_close(dev);
    assert_int_equal(nl_route_add(nl, &r), 0); /* as kill -9 would leave it */
    assert_int_equal(setup_netlink(NULL), 0);
    w.delegated[0] = netns_prefix("2001:db8:6::", 56);
    assert_true(apply(&w) > 0);
    assert_false(find_route("2001:db8:5::", 56, &r));
    assert_true(find_route("2001:db8:6::", 56, &r));
    /* but another device's are not ours */
    r.dst = netns_prefix("2001:db8:7::", 56);
    r.metric++;
    assert_int_equal(nl_route_add(nl, &r), 0);
    w.serial++;
    assert_int_equal(apply(&w), 0);
    assert_int_equal(nl_route_del(nl, &r), 0);
}

/* ---- configure: ra ---- */

static void solicits_at_once(void **state)
{
    const struct device_want w = want();
    struct super p[8];
    bool seen = false, more;

    (void)state;
    assert_true(apply(&w) > 0);
    mono_ns carrier_on = netns_now();
    mono_ns deadline = carrier_on + 100 * NS_PER_MS;
    while (!seen && netns_wait(tap_fd(device_tap(dev)), deadline)) {
        int n = tap_read(device_tap(dev), p, 8, &more);

        assert_true(n >= 0);
        for (int i = 0; i < n; i++)
            if (p[i].len >= 70 && p[i].p[20] == 58 && p[i].p[54] == RTR_SOLICIT) {
                struct ip6 link_local = mac_link_local(w.mac);

                assert_memory_equal(p[i].p + 6, w.mac.b, MAC_LEN);
                assert_memory_equal(p[i].p + 22, link_local.b, IP6_LEN);
                assert_memory_equal(p[i].p + 70 - 6, w.mac.b, MAC_LEN); /* SLLAO */
                seen = true;
            }
    }
    assert_true(seen);
    assert_string_equal(warned, "");
}

static void leaves_routes_to_the_kernel(void **state)
{
    const struct device_want w = want();
    char v[8];

    (void)state;
    assert_true(apply(&w) > 0);
    assert_int_equal(count_addresses(), 2); /* link-local, and the stable one no RA can give */
    assert_true(has_address("2001:db8:1::abcd", 64));
    assert_int_equal(count_routes(), 1); /* unreachable */
    assert_int_equal(apply(&w), 0);
    if (sysctl_get("net/ipv6/conf/t0/accept_ra", v, sizeof(v)) == 0)
        assert_string_equal(v, "2");
    if (sysctl_get("net/ipv6/conf/t0/accept_ra_rt_info_max_plen", v, sizeof(v)) == 0)
        assert_string_equal(v, "64");
}

/* send_ra() - an RA of the router with an autonomous 2001:db8:1::/64. Source: RFC 4861 4.2, 4.6.2
 */
static void send_ra(const struct device_want *w)
{
    uint8_t f[RA_LEN] = { 0x33, 0x33, 0, 0, 0, 1 };
    uint8_t *ip = f + 14, *ra = ip + 40, *pio = ra + 16;
    const struct ip6 source = mac_link_local(w->router_mac);
    const struct pkt p = { f, RA_LEN };
    const struct gather g = { .n = 1 };

    memcpy(f + 6, w->router_mac.b, MAC_LEN);
    be16_store(f + 12, 0x86dd);
    ip[0] = 0x60;
    be16_store(ip + 4, 48);
    ip[6] = 58;
    ip[7] = 255;
    memcpy(ip + 8, source.b, IP6_LEN);
    memcpy(ip + 24, ip6_all_nodes.b, IP6_LEN);
    ra[0] = 134;
    ra[4] = 64;
    be16_store(ra + 6, 1800);
    pio[0] = 3;
    pio[1] = 4;
    pio[2] = 64;
    pio[3] = 0xc0;
    be32_store(pio + 4, 7200);
    be32_store(pio + 8, 3600);
    memcpy(pio + 16, w->segment.addr.b, IP6_LEN);
    be16_store(ra + 2, cksum_upper(ip, 58, ra, 48));
    assert_int_equal(tap_write(device_tap(dev), &g, 1, &p), 1);
}

/* wait_kernel_address() - until the kernel has made @text from an RA, tentative or not */
static bool wait_kernel_address(const char *text, struct nl_watch *watch)
{
    const struct ip6 a = netns_ip6(text);
    mono_ns deadline = netns_now() + 2 * NS_PER_S;
    struct nl_addr got[16];
    struct nl_event ev;

    do {
        int n = nl_addr_list(nl, device_ifindex(dev), got, 16);
        for (int i = 0; i < n; i++)
            if (ip6_eq(got[i].addr, a))
                return true;
        assert_int_equal(nl_watch_read(watch, &ev), 0);
    } while (netns_wait(nl_watch_fd(watch), deadline));
    return false;
}

static void former_slaac_address_goes(void **state)
{
    struct device_want w = want();
    struct nl_watch *watch = NULL;
    char v[8];

    (void)state;
    if (sysctl_get("net/ipv6/conf/t0/accept_ra", v, sizeof(v)) < 0 || strcmp(v, "2") != 0)
        skip(); /* no writable /proc/sys here */
    assert_int_equal(nl_watch_open(device_ifindex(dev), &watch), 0);
    w.address[0].addr =
        netns_ip6("2001:db8:1::c433:64ff:fe07:9c40"); /* `eui64`: the kernel's to make */
    assert_true(apply(&w) > 0);
    assert_int_equal(count_addresses(), 1);
    send_ra(&w);
    assert_true(wait_kernel_address("2001:db8:1::c433:64ff:fe07:9c40", watch));
    assert_int_equal(apply(&w), 0);
    w.serial++, w.mac.b[5]++;
    w.address[0].addr.b[15]++;
    assert_int_equal(apply(&w), 4); /* MAC, link-local twice, the dead one */
    assert_int_equal(count_addresses(), 1);
    send_ra(&w);
    assert_true(wait_kernel_address("2001:db8:1::c433:64ff:fe07:9c41", watch));
    nl_watch_close(watch);
}

/* ---- configure: none ---- */

static void none_is_link_only(void **state)
{
    struct device_want w = want();

    (void)state;
    assert_int_equal(apply(&w), 3); /* MTU, MAC, carrier */
    assert_int_equal(count_addresses(), 0);
    assert_int_equal(count_routes(), 0);
    assert_true(mac_eq(link_now().mac, w.mac) && link_now().carrier && link_now().mtu == 1434);
    w.serial++;
    assert_int_equal(apply(&w), 0);
}

#define WITH(mode, f) cmocka_unit_test_setup_teardown(f, setup_##mode, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        WITH(netlink, opens_bare),
        WITH(netlink, open_failures),
        cmocka_unit_test(disabled_ipv6_is_enabled),
        WITH(netlink, applies_all),
        WITH(netlink, withdraws_and_returns),
        WITH(netlink, mac_changes_in_place),
        WITH(netlink, smallest_change),
        WITH(netlink, R23_former_prefix_is_deprecated),
        WITH(netlink, strangers_are_left_alone),
        WITH(netlink, second_client),
        WITH(netlink, repairs),
        WITH(netlink, deleted_by_somebody),
        WITH(netlink, close_leaves_nothing),
        WITH(netlink, cleans_up_after_a_killed_one),
        WITH(ra, solicits_at_once),
        WITH(ra, leaves_routes_to_the_kernel),
        WITH(ra, former_slaac_address_goes),
        WITH(none, none_is_link_only),
    };

    have_netns = sodium_init() >= 0 && netns_enter() && nl_open(&nl) == 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nl_close(nl);
    return failed;
}
