/* SPDX-License-Identifier: MIT */
/* test_device_lan.c - delegated prefixes on a LAN's link, forwarding, own routes and tables; undone
 * and swept; on a real kernel in a namespace of its own
 *
 *     TAP "t0" ---- kernel of the namespace ---- TAP "lan0" (the LAN), TAP "wan0" (hears routers)
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <linux/if_addr.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "client/device.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "proto/host/tap.h"
#include "proto/mac.h"
#include "tests/host/netns.h"

#define FORWARDING "net/ipv6/conf/all/forwarding"
#define LISTEN     "net/ipv6/conf/wan0/accept_ra"
#define LAN_LISTEN "net/ipv6/conf/lan0/accept_ra"
#define TABLE      100u

static bool have_netns;
static struct nl *nl;
static struct device *dev, *other;
static struct tap *lan, *wan;
static char warned[2048];
static mono_ns clock_now = 1000 * NS_PER_S;
static struct prefix own_route;

static void on_warn(void *arg, const char *line)
{
    size_t used = strlen(warned);

    (void)arg;
    snprintf(warned + used, sizeof(warned) - used, "%s\n", line);
}

static struct device_config config(const char *name)
{
    return (struct device_config){ .name = name,
                                   .configure = CONFIGURE_NETLINK,
                                   .metric = 2048,
                                   .default_route = true,
                                   .lan = "lan0",
                                   .warn = on_warn };
}

static struct device_want want(void)
{
    return (struct device_want){ .serial = 1,
                                 .created = true,
                                 .carrier = true,
                                 .default_route = true,
                                 .mtu = 1434,
                                 .mac = { { 0xc6, 0x33, 0x64, 0x07, 0x9c, 0x40 } },
                                 .router_mac = { { 0xc6, 0x12, 0x00, 0x01, 0x19, 0x40 } },
                                 .segment = netns_prefix("2001:db8:1::", 64),
                                 .delegated = { netns_prefix("2001:db8:5::", 56) },
                                 .n_delegated = 1 };
}

static struct tap *make_link(const char *name)
{
    struct tap *t;

    assert_int_equal(tap_open(name, TAP_ETHERNET, NULL, &t), 0);
    assert_int_equal(nl_link_up(nl, tap_ifindex(t), 1500), 0);
    return t;
}

static int setup(void **state)
{
    const struct device_config c = config("t0");

    (void)state;
    if (!have_netns)
        skip();
    warned[0] = '\0';
    assert_int_equal(sysctl_set(FORWARDING, "0"), 0);
    assert_int_equal(sysctl_set("net/ipv6/conf/default/accept_ra", "1"), 0);
    lan = make_link("lan0");
    wan = make_link("wan0");
    return device_open(&c, &dev);
}

static int teardown(void **state)
{
    (void)state;
    device_close(dev);
    device_close(other);
    tap_close(lan);
    tap_close(wan);
    dev = other = NULL;
    return 0;
}

static int apply(const struct device_want *w)
{
    clock_now += 60 * NS_PER_S;
    return device_apply(dev, w, clock_now);
}

static bool is(const char *key, const char *value)
{
    char now[16] = "";

    assert_int_equal(sysctl_get(key, now, sizeof(now)), 0);
    return strcmp(now, value) == 0;
}

static bool on_lan(const char *text, uint8_t plen)
{
    struct nl_addr got[32];
    const struct ip6 a = netns_prefix(text, plen).addr;
    int n = nl_addr_list(nl, tap_ifindex(lan), got, 32);

    assert_in_range(n, 0, 32);
    for (int i = 0; i < n; i++)
        if (ip6_eq(got[i].addr, a) && got[i].plen == plen)
            return !(got[i].flags & (IFA_F_TENTATIVE | IFA_F_DADFAILED));
    return false;
}

static int ours(uint32_t table)
{
    struct nl_route got[64];

    return nl_route_list(nl, 0, DEVICE_ROUTE_PROTOCOL, table, got, 64);
}

static bool unreachable(struct prefix p)
{
    struct nl_route got[64];
    int n = nl_route_list(nl, 0, DEVICE_ROUTE_PROTOCOL, 0, got, 64);

    for (int i = 0; i < n && i < 64; i++)
        if (got[i].type == NL_UNREACHABLE && got[i].dst.len == p.len &&
            ip6_eq(got[i].dst.addr, p.addr))
            return true;
    return false;
}

static void prefix_goes_to_the_lan(void **state)
{
    struct device_want w = want();

    (void)state;
    assert_true(is(FORWARDING, "1"));
    assert_true(is(LISTEN, "2"));
    assert_true(is(LAN_LISTEN, "1")); /* there the router is this host */
    assert_true(apply(&w) > 0);
    assert_true(on_lan("2001:db8:5::1", 64));
    assert_true(unreachable(w.delegated[0]));
    assert_int_equal(apply(&w), 0); /* nothing more to do */

    w.serial++; /* another prefix, and a second one that is longer than a /64 */
    w.delegated[0] = netns_prefix("2001:db8:6::", 48);
    w.delegated[1] = netns_prefix("2001:db8:7:8:9::", 112);
    w.n_delegated = 2;
    assert_true(apply(&w) > 0);
    assert_false(on_lan("2001:db8:5::1", 64));
    assert_true(on_lan("2001:db8:6::1", 64));
    assert_true(on_lan("2001:db8:7:8:9::1", 112));

    device_close(dev);
    dev = NULL;
    assert_false(on_lan("2001:db8:6::1", 64));
    assert_false(on_lan("2001:db8:7:8:9::1", 112));
    assert_true(is(FORWARDING, "0"));
    assert_true(is(LISTEN, "1"));
    assert_int_equal(ours(0), 0);
    assert_string_equal(warned, "");
}

static void what_a_prefix_gives(void **state)
{
    static const struct {
        const char *in;
        uint8_t len, want;
    } row[] = { { "2001:db8::", 48, 64 },
                { "2001:db8::", 56, 64 },
                { "2001:db8::", 64, 64 },
                { "2001:db8::", 65, 65 },
                { "2001:db8::", 126, 126 } };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct prefix p = netns_prefix(row[i].in, row[i].len), got = device_lan_prefix(p);
        assert_int_equal(got.len, row[i].want);
        assert_true(ip6_eq(got.addr, p.addr));
    }
}

static void address_that_is_taken_away_comes_back(void **state)
{
    const struct device_want w = want();

    (void)state;
    assert_true(apply(&w) > 0);
    assert_int_equal(nl_addr_del(nl, tap_ifindex(lan), netns_prefix("2001:db8:5::1", 64).addr, 64),
                     0);
    assert_true(device_deadline(dev) <= clock_now + 10 * NS_PER_S);
    assert_int_equal(apply(&w), 1);
    assert_true(on_lan("2001:db8:5::1", 64));
}

static void link_that_comes_late(void **state)
{
    struct device_want w = want();

    (void)state;
    tap_close(lan);
    lan = NULL;
    assert_true(apply(&w) > 0);
    assert_non_null(strstr(warned, "cannot find the LAN's link lan0"));
    lan = make_link("lan0");
    apply(&w);
    assert_true(on_lan("2001:db8:5::1", 64));
}

/* A client that was killed: the addresses and switches it left are taken back by the next one. */
static void swept_after_a_kill(void **state)
{
    const struct device_config c = config("t0");
    const struct device_want w = want();
    struct device_config without = c;

    (void)state;
    device_close(dev);
    dev = NULL;
    pid_t pid = fork();
    if (pid == 0) {
        device_open(&c, &dev);
        device_apply(dev, &w, clock_now);
        raise(SIGKILL);
    }
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    assert_true(on_lan("2001:db8:5::1", 64));
    assert_true(is(FORWARDING, "1"));
    assert_true(is(LISTEN, "2"));
    without.lan = ""; /* even if it has no LAN any more */
    assert_int_equal(device_open(&without, &dev), 0);
    assert_false(on_lan("2001:db8:5::1", 64));
    assert_true(is(FORWARDING, "0"));
    assert_true(is(LISTEN, "1"));
    assert_int_equal(ours(0), 0);
}

static void two_clients(void **state)
{
    const struct device_config c = config("t1");

    (void)state;
    assert_int_equal(device_open(&c, &other), 0);
    device_close(dev);
    dev = NULL;
    assert_true(is(FORWARDING, "1")); /* the other one needs it still */
    device_close(other);
    other = NULL;
    assert_true(is(FORWARDING, "0"));
    assert_int_equal(ours(0), 0);
}

static void forwarding_that_was_on_stays(void **state)
{
    const struct device_config c = config("t0");

    (void)state;
    device_close(dev);
    assert_int_equal(sysctl_set(FORWARDING, "1"), 0);
    assert_int_equal(device_open(&c, &dev), 0);
    assert_true(is(LISTEN, "1"));
    device_close(dev);
    dev = NULL;
    assert_true(is(FORWARDING, "1"));
}

static void own_routes_and_a_table(void **state)
{
    struct device_config c = config("t0");
    struct device_want w = want();
    struct nl_route got[16];

    (void)state;
    device_close(dev);
    own_route = netns_prefix("2001:db8:77::", 48);
    c.lan = NULL;
    c.table = TABLE;
    c.route = &own_route;
    c.n_route = 1;
    w.n_delegated = 0;
    assert_int_equal(device_open(&c, &dev), 0);
    assert_int_equal(ours(TABLE), 0); /* also while there is no such table */
    assert_true(apply(&w) > 0);
    assert_int_equal(nl_route_list(nl, 0, DEVICE_ROUTE_PROTOCOL, TABLE, got, 16), 2);
    assert_int_equal(got[0].dst.len + got[1].dst.len, 48); /* default and ours */
    assert_int_equal(got[0].table, TABLE);
    assert_int_equal(ours(0), 1); /* the segment */
    assert_int_equal(apply(&w), 0);
    w.serial++;
    w.default_route = false;
    assert_int_equal(apply(&w), 1);
    assert_int_equal(ours(TABLE), 1);
    device_close(dev);
    dev = NULL;
    assert_int_equal(ours(TABLE), 0);
    assert_string_equal(warned, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(prefix_goes_to_the_lan),
        cmocka_unit_test(what_a_prefix_gives),
        T(address_that_is_taken_away_comes_back),
        T(link_that_comes_late),
        T(swept_after_a_kill),
        T(two_clients),
        T(forwarding_that_was_on_stays),
        T(own_routes_and_a_table),
#undef T
    };

    if (sodium_init() < 0)
        return 1;
    have_netns = netns_enter();
    if (have_netns && nl_open(&nl) < 0)
        return 1;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nl_close(nl);
    return failed;
}
