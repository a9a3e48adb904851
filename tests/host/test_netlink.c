/* SPDX-License-Identifier: MIT */
/* test_netlink.c - links, addresses, routes and the watch, on the real kernel in a namespace of its
 * own */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <linux/if_addr.h>

#include "netns.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "proto/host/tap.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))
#define OURS 77
#define WAIT (2 * NS_PER_S)

static bool have_netns;
static struct nl *nl;
static struct tap *tap;
static unsigned ifindex;
static const struct mac mac_a = { { 0x02, 1, 2, 3, 4, 5 } };

static int setup(void **state)
{
    (void)state;
    if (!have_netns)
        skip();
    if (tap_open("t0", TAP_ETHERNET, &mac_a, &tap) < 0)
        return -1;
    ifindex = tap_ifindex(tap);
    return nl_link_no_addresses(nl, ifindex) | nl_link_up(nl, ifindex, 1500) |
           tap_set_carrier(tap, true);
}

static int teardown(void **state)
{
    (void)state;
    tap_close(tap);
    tap = NULL;
    return 0;
}

static void links(void **state)
{
    const struct mac mac = { { 0x0a, 5, 5, 5, 5, 5 } };
    struct nl_link link;

    (void)state;
    uint64_t before = nl_changes(nl);
    assert_int_equal(nl_link_get_name(nl, "t0", &link), 0);
    assert_int_equal(nl_changes(nl), before); /* questions do not count */
    assert_true(link.up && link.carrier && link.mtu == 1500 && mac_eq(link.mac, mac_a));
    assert_int_equal(nl_link_set_mtu(nl, ifindex, 1280), 0);
    assert_int_equal(nl_link_set_mac(nl, ifindex, mac), 0);
    assert_int_equal(nl_link_down(nl, ifindex), 0);
    assert_int_equal(nl_changes(nl), before + 3);
    assert_int_equal(nl_link_get(nl, ifindex, &link), 0);
    assert_true(!link.up && link.mtu == 1280 && mac_eq(link.mac, mac));
    assert_string_equal(link.name, "t0");
    assert_int_equal(nl_link_get_name(nl, "nosuch", &link), -ENODEV);
    assert_int_equal(nl_link_get_name(nl, "sixteen-octets--", &link), -ENODEV);
    assert_int_equal(nl_link_set_mtu(nl, 999999, 1500), -ENODEV);
    /* the kernel's own words */
    assert_int_equal(nl_link_set_mtu(nl, ifindex, 1 << 30), -EINVAL);
    assert_non_null(strstr(nl_error(nl), "mtu greater than device maximum"));
}

static void addresses(void **state)
{
    const struct nl_addr a = { .addr = netns_ip6("2001:db8::5"),
                               .plen = 64,
                               .flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE,
                               .valid_s = NL_FOREVER,
                               .preferred_s = NL_FOREVER };
    const struct nl_addr b = { .addr = netns_ip6("2001:db8:1::5"),
                               .plen = 56,
                               .flags = IFA_F_NODAD,
                               .valid_s = 3600,
                               .preferred_s = 1800 };
    struct nl_addr got[8];
    struct nl_route route[8];

    (void)state;
    assert_int_equal(nl_addr_list(nl, ifindex, got, 8), 0); /* none of the kernel's own */
    assert_int_equal(nl_addr_add(nl, ifindex, &a), 0);
    assert_int_equal(nl_addr_add(nl, ifindex, &a), 0); /* twice is an update */
    assert_int_equal(nl_addr_add(nl, ifindex, &b), 0);
    assert_int_equal(nl_addr_list(nl, ifindex, got, 1), 2);
    assert_int_equal(nl_addr_list(nl, ifindex, got, 8), 2);
    unsigned k = ip6_eq(got[0].addr, a.addr) ? 0 : 1;
    assert_true(ip6_eq(got[k].addr, a.addr) && got[k].plen == 64);
    assert_int_equal(got[k].valid_s, NL_FOREVER);
    assert_int_equal(got[k].flags & (IFA_F_TENTATIVE | IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT),
                     IFA_F_NOPREFIXROUTE | IFA_F_PERMANENT);
    assert_true(ip6_eq(got[1 - k].addr, b.addr) && got[1 - k].plen == 56);
    assert_in_range(got[1 - k].valid_s, 3590, 3600);
    assert_in_range(got[1 - k].preferred_s, 1790, 1800);
    /* only the one without NOPREFIXROUTE drew a route */
    assert_int_equal(nl_route_list(nl, ifindex, 2 /* RTPROT_KERNEL */, 0, route, 8), 1);
    assert_int_equal(route[0].dst.len, 56);
    assert_int_equal(nl_addr_del(nl, ifindex, a.addr, 64), 0);
    assert_int_equal(nl_addr_del(nl, ifindex, a.addr, 64), -EADDRNOTAVAIL);
    assert_int_equal(nl_addr_list(nl, ifindex, got, 8), 1);
    assert_true(ip6_eq(got[0].addr, b.addr));
}

static bool same(const struct nl_route *a, const struct nl_route *b)
{
    return ip6_eq(a->dst.addr, b->dst.addr) && a->dst.len == b->dst.len && a->type == b->type &&
           a->ifindex == b->ifindex && a->has_via == b->has_via && ip6_eq(a->via, b->via) &&
           a->metric == b->metric && a->protocol == b->protocol && a->pref == b->pref;
}

static void routes(void **state)
{
    const struct nl_route row[] = {
        { .dst = netns_prefix("2001:db8::", 64), .ifindex = ifindex, .metric = 256 },
        { .dst = netns_prefix("::", 0),
          .ifindex = ifindex,
          .has_via = true,
          .via = netns_ip6("fe80::1"),
          .metric = 2048,
          .pref = NL_PREF_LOW },
        { .dst = netns_prefix("2001:db8:5::", 48),
          .ifindex = ifindex,
          .has_via = true,
          .via = netns_ip6("fe80::1"),
          .metric = 1024,
          .pref = NL_PREF_HIGH },
        { .dst = netns_prefix("2001:db8:6::", 56), .type = NL_UNREACHABLE, .metric = 0x7fffffff },
        { .dst = netns_prefix("2001:db8::7", 128), .ifindex = ifindex, .metric = 9, .table = 1000 },
    };
    struct nl_route got[16];

    (void)state;
    for (size_t i = 0; i < N(row); i++) {
        struct nl_route r = row[i];
        unsigned out = r.ifindex;

        r.protocol = OURS;
        assert_int_equal(nl_route_add(nl, &r), 0);
        assert_int_equal(nl_route_add(nl, &r), -EEXIST);
        assert_int_equal(nl_route_list(nl, out, OURS, r.table, got, 16), 1);
        if (!same(&got[0], &r))
            fail_msg("row %zu came back different", i);
        assert_int_equal(nl_route_list(nl, out, OURS + 1, r.table, got, 16), 0);
        if (r.type == NL_UNICAST)
            r.pref = r.pref == NL_PREF_LOW ? NL_PREF_HIGH : NL_PREF_LOW;
        assert_int_equal(nl_route_replace(nl, &r), 0);
        assert_int_equal(nl_route_list(nl, out, OURS, r.table, got, 16), 1);
        if (!same(&got[0], &r))
            fail_msg("row %zu came back different after replace", i);
        r.metric++;
        assert_int_equal(nl_route_del(nl, &r), -ESRCH);
        r.metric--;
        assert_int_equal(nl_route_del(nl, &r), 0);
        assert_int_equal(nl_route_list(nl, out, OURS, r.table, got, 16), 0);
    }
    struct nl_route defaults = { .dst = netns_prefix("2001:db8:8::", 64), .ifindex = ifindex };
    assert_int_equal(nl_route_add(nl, &defaults), 0);
    assert_int_equal(nl_route_list(nl, ifindex, 4 /* RTPROT_STATIC */, 0, got, 16), 1);
    assert_int_equal(got[0].metric, 1024);
    assert_false(got[0].link_down);
}

static void more_routes_than_room(void **state)
{
    struct nl_route r = { .dst = netns_prefix("2001:db8::", 64),
                          .ifindex = ifindex,
                          .protocol = OURS };
    struct nl_route got[3];

    (void)state;
    for (uint16_t i = 0; i < 600; i++) { /* more than one message of a dump */
        be16_store(r.dst.addr.b + 6, i);
        assert_int_equal(nl_route_add(nl, &r), 0);
    }
    assert_int_equal(nl_route_list(nl, ifindex, OURS, 0, got, 3), 600);
}

static void path_towards(void **state)
{
    const be32 near = { { 192, 0, 2, 9 } }, far = { { 203, 0, 113, 1 } };
    struct nl_path p = { 0 };

    (void)state;
    assert_int_equal(nl_path_get(nl, near, &p), -ENETUNREACH);
    assert_int_equal(p.mtu, 0);
    assert_int_equal(netns_ipv4("t0", "192.0.2.1"), 0);
    assert_int_equal(nl_path_get(nl, near, &p), 0);
    assert_int_equal(p.mtu, 1500);
    assert_int_equal(p.ifindex, ifindex);
    assert_int_equal(be32_get(p.source), 0xc0000201);
    assert_int_equal(be32_get(p.gateway), 0);
    assert_int_equal(nl_link_set_mtu(nl, ifindex, 1400), 0);
    assert_int_equal(nl_path_get(nl, near, &p), 0);
    assert_int_equal(p.mtu, 1400);
    assert_int_equal(nl_path_get(nl, far, &p), -ENETUNREACH);
    assert_int_equal(p.mtu, 1400);
}

/* heard() - events until @want is among them, or 2 s; returns what was heard last */
static struct nl_event heard(struct nl_watch *w, unsigned want)
{
    mono_ns deadline = netns_now() + WAIT;
    struct nl_event ev = { 0 };

    while (!(ev.what & want) && netns_wait(nl_watch_fd(w), deadline))
        assert_int_equal(nl_watch_read(w, &ev), 0);
    return ev;
}

static void watch(void **state)
{
    const struct nl_addr a = { .addr = netns_ip6("2001:db8::5"),
                               .plen = 64,
                               .flags = IFA_F_NODAD,
                               .valid_s = NL_FOREVER,
                               .preferred_s = NL_FOREVER };
    struct nl_watch *w = NULL;
    struct nl_event ev;
    struct tap *other = NULL;

    (void)state;
    assert_int_equal(nl_watch_open(ifindex, &w), 0);
    heard(w, 0);
    while (netns_wait(nl_watch_fd(w), netns_now() + 20 * NS_PER_MS)) /* what setup() did */
        assert_int_equal(nl_watch_read(w, &ev), 0);
    assert_int_equal(nl_watch_read(w, &ev), 0);
    assert_int_equal(ev.what, 0);

    assert_int_equal(nl_link_set_mtu(nl, ifindex, 1300), 0);
    ev = heard(w, NL_DEVICE_LINK);
    assert_int_equal(ev.what, NL_DEVICE_LINK);
    assert_int_equal(ev.link.ifindex, ifindex);
    assert_int_equal(ev.link.mtu, 1300);
    assert_true(ev.link.up);
    assert_int_equal(nl_addr_add(nl, ifindex, &a), 0);
    ev = heard(w, NL_DEVICE_ADDRESS);
    assert_int_equal(ev.what & NL_UNDERLAY, 0);
    assert_int_equal(netns_ipv4("t0", "192.0.2.1"), 0); /* of our own device: no underlay */
    assert_int_equal(nl_link_down(nl, ifindex), 0);
    mono_ns deadline = netns_now() + WAIT;
    do
        ev = heard(w, NL_DEVICE_LINK);
    while (ev.link.up && netns_now() < deadline);
    assert_false(ev.link.up);

    assert_int_equal(tap_open("t1", TAP_ETHERNET, &mac_a, &other), 0);
    ev = heard(w, NL_UNDERLAY);
    assert_true(ev.what & NL_UNDERLAY);
    assert_int_equal(netns_delete_link(ifindex), 0);
    ev = heard(w, NL_DEVICE_DELETED);
    assert_true(ev.what & NL_DEVICE_DELETED);
    tap_close(other);
    nl_watch_close(w);
    nl_watch_close(NULL);
}

static void watch_overrun(void **state)
{
    struct nl_watch *w = NULL;
    struct nl_event ev;

    (void)state;
    assert_int_equal(nl_watch_open(ifindex, &w), 0);
    int small = 1;
    assert_int_equal(setsockopt(nl_watch_fd(w), SOL_SOCKET, SO_RCVBUF, &small, sizeof(small)), 0);
    for (unsigned i = 0; i < 64; i++)
        assert_int_equal(nl_link_set_mtu(nl, ifindex, 1300 + i), 0);
    ev = heard(w, NL_LOST);
    assert_int_equal(ev.what,
                     NL_LOST | NL_UNDERLAY | NL_DEVICE_LINK | NL_DEVICE_ADDRESS | NL_DEVICE_ROUTE);
    nl_watch_close(w);
}

struct seen_route {
    struct prefix dst;
    bool gone;
    unsigned n;
};

static void on_route(void *ctx, struct prefix dst, bool gone)
{
    struct seen_route *s = ctx;

    *s = (struct seen_route){ dst, gone, s->n + 1 };
}

/* Nothing waits in the watch, and nothing comes for 20 ms. */
static bool silent(struct nl_watch *w)
{
    return !netns_wait(nl_watch_fd(w), netns_now() + 20 * NS_PER_MS);
}

/* Routes through the watched link, whoever takes them; those through others wake nobody. */
static void watch_routes(void **state)
{
    static const char *const text[] = { "2001:db8:a::", "::" };
    struct nl_watch *w = NULL, *no_link = NULL;
    struct seen_route seen = { .n = 0 };
    struct tap *other = NULL;
    struct nl_event ev;

    (void)state;
    assert_int_equal(tap_open("t1", TAP_ETHERNET, &mac_a, &other), 0);
    assert_int_equal(nl_link_up(nl, tap_ifindex(other), 0), 0);
    assert_int_equal(nl_watch_open(ifindex, &w), 0);
    assert_int_equal(nl_watch_open(0, &no_link), 0);
    nl_watch_routes(w, on_route, &seen);
    while (!silent(w) || !silent(no_link)) { /* what the links did */
        assert_int_equal(nl_watch_read(w, &ev), 0);
        assert_int_equal(nl_watch_read(no_link, &ev), 0);
    }
    seen.n = 0;
    for (unsigned i = 0; i < 2; i++) {
        struct nl_route r = { .dst = netns_prefix(text[i], i ? 0 : 48),
                              .ifindex = ifindex,
                              .table = i ? 77 : 0 };
        bool there = false;

        assert_int_equal(nl_route_add(nl, &r), 0);
        assert_true(netns_wait(nl_watch_fd(w), netns_now() + WAIT));
        assert_int_equal(nl_watch_read(w, &ev), 0);
        assert_int_equal(ev.what, 0);
        assert_true(seen.n == 1 && !seen.gone && prefix_eq(seen.dst, r.dst));
        assert_int_equal(nl_route_there(nl, ifindex, r.dst, &there), 0);
        assert_true(there);
        assert_int_equal(nl_route_there(nl, tap_ifindex(other), r.dst, &there), 0);
        assert_false(there);
        assert_int_equal(nl_route_del(nl, &r), 0);
        ev = heard(w, NL_DEVICE_ROUTE);
        assert_int_equal(ev.what, NL_DEVICE_ROUTE);
        assert_true(seen.n == 2 && seen.gone && prefix_eq(seen.dst, r.dst));
        assert_int_equal(nl_route_there(nl, ifindex, r.dst, &there), 0);
        assert_false(there);
        seen.n = 0;
        r.ifindex = tap_ifindex(other);
        assert_int_equal(nl_route_add(nl, &r), 0);
        assert_int_equal(nl_route_del(nl, &r), 0);
        assert_true(silent(w));
    }
    assert_true(silent(no_link));
    assert_int_equal(netns_ipv4("t1", "192.0.2.1"), 0); /* IPv4 routes of others are the underlay */
    ev = heard(w, NL_UNDERLAY);
    assert_int_equal(ev.what, NL_UNDERLAY);
    assert_int_equal(seen.n, 0);
    nl_watch_close(w);
    nl_watch_close(no_link);
    tap_close(other);
}

static void route_towards(void **state)
{
    const struct nl_route def = {
        .via = netns_ip6("fe80::1"), .has_via = true, .ifindex = ifindex, .protocol = OURS
    };
    const struct nl_route none = { .dst = netns_prefix("2001:db8:5::", 48),
                                   .type = NL_UNREACHABLE };
    struct nl_route r;

    (void)state;
    assert_int_equal(nl_route_to(nl, netns_ip6("2000::"), &r), -ENETUNREACH);
    assert_int_equal(nl_route_add(nl, &def), 0);
    assert_int_equal(nl_route_to(nl, netns_ip6("2000::"), &r), 0);
    assert_true(r.has_via && ip6_eq(r.via, def.via) && r.protocol == OURS);
    assert_int_equal(r.ifindex, ifindex);
    assert_int_equal(nl_route_add(nl, &none), 0);
    assert_true(nl_route_to(nl, netns_ip6("2001:db8:5::1"), &r) < 0);
    assert_int_equal(nl_route_del(nl, &none), 0); /* it outlives the link */
}

static void proxies(void **state)
{
    struct ip6 a[3] = { netns_ip6("2001:db8::a"), netns_ip6("2001:db8::b"),
                        netns_ip6("2001:db8::c") },
               got[2];

    (void)state;
    assert_int_equal(nl_proxy_list(nl, ifindex, 0, got, 2), 0);
    assert_int_equal(nl_proxy_add(nl, ifindex, a[0], OURS), 0);
    assert_int_equal(nl_proxy_add(nl, ifindex, a[0], OURS), 0); /* again: fine */
    assert_int_equal(nl_proxy_add(nl, ifindex, a[1], OURS + 1), 0);
    assert_int_equal(nl_proxy_list(nl, ifindex, 0, got, 2), 2);
    assert_int_equal(nl_proxy_list(nl, ifindex, OURS, got, 2), 1);
    assert_true(ip6_eq(got[0], a[0]));
    assert_int_equal(nl_proxy_list(nl, ifindex + 1000, 0, got, 2), 0);
    assert_int_equal(nl_proxy_add(nl, ifindex, a[2], OURS), 0);
    assert_int_equal(nl_proxy_list(nl, ifindex, 0, got, 2), 3); /* more than there is room for */
    assert_int_equal(nl_proxy_del(nl, ifindex, a[0]), 0);
    assert_int_equal(nl_proxy_del(nl, ifindex, a[0]), -ENOENT);
    assert_int_equal(nl_proxy_list(nl, ifindex, OURS, got, 2), 1);
    assert_true(ip6_eq(got[0], a[2]));
    assert_true(nl_proxy_add(nl, 999999, a[0], OURS) < 0);
    assert_true(nl_error(nl)[0]);
}

static void sysctls(void **state)
{
    char v[8] = "before";

    (void)state;
    assert_int_equal(sysctl_get("net/ipv6/conf/nosuch/accept_ra", v, sizeof(v)), -ENOENT);
    assert_string_equal(v, "before");
    assert_int_equal(sysctl_set("net/ipv6/conf/nosuch/accept_ra", "1"), -ENOENT);
    assert_int_equal(sysctl_set("net/../kernel/hostname", "x"), -EINVAL);
    if (sysctl_set("net/ipv6/conf/t0/accept_ra", "2") == -EROFS)
        return; /* a container */
    assert_int_equal(sysctl_get("net/ipv6/conf/t0/accept_ra", v, sizeof(v)), 0);
    assert_string_equal(v, "2");
    assert_int_equal(sysctl_get("net/ipv6/conf/t0/accept_ra", v, 1), -ENOBUFS);
    assert_int_equal(sysctl_set("net/ipv6/conf/t0/accept_ra", "words"), -EINVAL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(links, setup, teardown),
        cmocka_unit_test_setup_teardown(addresses, setup, teardown),
        cmocka_unit_test_setup_teardown(routes, setup, teardown),
        cmocka_unit_test_setup_teardown(more_routes_than_room, setup, teardown),
        cmocka_unit_test_setup_teardown(path_towards, setup, teardown),
        cmocka_unit_test_setup_teardown(watch, setup, teardown),
        cmocka_unit_test_setup_teardown(watch_overrun, setup, teardown),
        cmocka_unit_test_setup_teardown(watch_routes, setup, teardown),
        cmocka_unit_test_setup_teardown(route_towards, setup, teardown),
        cmocka_unit_test_setup_teardown(proxies, setup, teardown),
        cmocka_unit_test_setup_teardown(sysctls, setup, teardown),
    };

    have_netns = netns_enter() && nl_open(&nl) == 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nl_close(nl);
    return failed;
}
