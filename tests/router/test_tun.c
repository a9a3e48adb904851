/* SPDX-License-Identifier: MIT */
/* test_tun.c - the TUN's MTU, its address that the kernel takes away below 1280, its routes that
 * others take away; in a namespace */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "proto/host/priv.h"
#include "router/tun.h"
#include "tests/host/netns.h"

static struct router_config conf;
static struct nl *nl;
static struct tap *tun, *wan;

static int set_up(void **state)
{
    static const struct mac mac = { { 2, 0, 0, 0, 0, 9 } };

    (void)state;
    if (!netns_enter())
        return 0;
    conf.address = (struct ip6){ { 0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1 } };
    conf.prefix = (struct prefix){ .addr = { { 0x20, 0x01, 0x0d, 0xb8, 0, 1 } }, .len = 64 };
    memcpy(conf.uplink_device, "tt0", sizeof("tt0"));
    if (nl_open(&nl) || tap_open("wan0", TAP_ETHERNET, &mac, &wan) ||
        tap_open("tt0", TAP_IP, NULL, &tun))
        return -1;
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    tap_close(tun);
    tap_close(wan);
    nl_close(nl);
    return 0;
}

/* As wide as the widest Ethernet link that is up. */
static void mtu(void **state)
{
    static const struct {
        uint32_t link;
        bool up;
        uint16_t conf;
        uint32_t tun;
    } rows[] = {
        { 1500, false, 0, 1434 }, { 9000, false, 0, 1434 }, { 1500, true, 0, 1434 },
        { 1400, true, 0, 1434 },  { 1501, true, 0, 1435 },  { 9000, true, 0, 8934 },
        { 9066, true, 0, 9000 },  { 65000, true, 0, 9000 }, { 9000, true, 1300, 1300 },
    };
    (void)state;
    if (!nl)
        skip();
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        assert_int_equal(nl_link_set_mtu(nl, tap_ifindex(wan), rows[i].link), 0);
        if (rows[i].up)
            assert_int_equal(nl_link_up(nl, tap_ifindex(wan), 0), 0);
        conf.mtu = rows[i].conf;
        assert_int_equal(tun_mtu(nl, &conf), rows[i].tun);
    }
    conf.mtu = 0;
}

static struct nl_addr former;
static unsigned n_former;

static struct tun_found look(void)
{
    const struct tun_want want = {
        .conf = &conf, .address = true, .former = &former, .n_former = n_former
    };
    struct tun_found found;

    assert_int_equal(tun_look(&want, tun, &found), 0);
    return found;
}

/* Without the privilege: does a child find @want and mend nothing? */
static bool finds_without(enum tun_state want)
{
    int status;
    pid_t child = fork();

    assert_true(child >= 0);
    if (child == 0) {
        bool ok = priv_keep(NULL, 0) == 0;
        struct tun_found found = look();
        _exit(ok && found.state == want && !found.address_back && !found.n_back ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool has_address(unsigned ifindex)
{
    struct nl_addr have[8];
    int n = nl_addr_list(nl, ifindex, have, 8);

    assert_in_range(n, 0, 8);
    for (int i = 0; i < n; i++)
        if (ip6_eq(have[i].addr, conf.address))
            return true;
    return false;
}

/* Below 1280 and back: with the privilege the address is put back, without it that is said. */
static void address(void **state)
{
    struct nl_addr a = tun_address(&conf);
    unsigned ifindex;

    (void)state;
    if (!nl)
        skip();
    ifindex = tap_ifindex(tun);
    assert_int_equal(nl_link_no_addresses(nl, ifindex), 0);
    assert_int_equal(nl_link_up(nl, ifindex, 1434), 0);
    assert_int_equal(nl_addr_add(nl, ifindex, &a), 0);
    assert_int_equal(look().state, TUN_DOWN);
    assert_int_equal(tap_set_carrier(tun, true), 0);
    assert_int_equal(look().state, TUN_WORKS);
    assert_false(look().address_back);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nl_link_set_mtu(nl, ifindex, 1279), 0);
        assert_int_equal(look().state, TUN_NARROW);
        assert_int_equal(nl_link_set_mtu(nl, ifindex, 1280), 0);
        assert_false(has_address(ifindex)); /* gone for good, says the kernel */
        if (i == 0) {
            struct tun_found found = look();
            assert_int_equal(found.state, TUN_WORKS);
            assert_true(found.address_back);
            assert_true(has_address(ifindex));
            found = look();
            assert_int_equal(found.state, TUN_WORKS);
            assert_false(found.address_back);
        }
    }
    assert_true(finds_without(TUN_NO_ADDRESS));
    assert_true(look().address_back);
}

static int take_route(struct prefix dst)
{
    const struct nl_route r = {
        .dst = dst, .ifindex = tap_ifindex(tun), .metric = 256, .protocol = RTPROT_KERNEL
    };
    return nl_route_del(nl, &r);
}

static bool routed(struct prefix dst)
{
    bool there = false;

    assert_int_equal(nl_route_there(nl, tap_ifindex(tun), dst, &there), 0);
    return there;
}

/* The route of the segment's prefix, as address() left it: there, gone, put back, and gone with the
 * address when that goes. */
static void route(void **state) /* H87 */
{
    const struct nl_route own = {
        .dst = conf.prefix, .ifindex = nl ? tap_ifindex(tun) : 0, .metric = 77, .table = 99
    };
    struct tun_found found;

    (void)state;
    if (!nl)
        skip();
    assert_true(routed(conf.prefix));
    assert_int_equal(look().n_back, 0);
    assert_int_equal(take_route(conf.prefix), 0);
    assert_true(finds_without(TUN_NO_ROUTE));
    assert_false(routed(conf.prefix));
    found = look();
    assert_int_equal(found.state, TUN_WORKS);
    assert_int_equal(found.n_back, 1);
    assert_true(prefix_eq(found.route_back, conf.prefix));
    assert_false(found.address_back);
    assert_true(routed(conf.prefix));
    assert_int_equal(look().n_back, 0);
    /* the operator has one of his own: that will do */
    assert_int_equal(nl_route_add(nl, &own), 0);
    assert_int_equal(take_route(conf.prefix), 0);
    assert_int_equal(look().n_back, 0);
    assert_int_equal(look().state, TUN_WORKS);
    assert_int_equal(nl_route_del(nl, &own), 0);
    assert_int_equal(look().n_back, 1);
    /* a device that is down has none, and nothing is wrong with that */
    assert_int_equal(nl_link_down(nl, tap_ifindex(tun)), 0);
    found = look();
    assert_int_equal(found.state, TUN_DOWN);
    assert_int_equal(found.n_back, 0);
    assert_int_equal(nl_link_up(nl, tap_ifindex(tun), 1434), 0);
    found = look();
    assert_int_equal(found.state, TUN_WORKS);
    if (!found.address_back) { /* the test's TUN has no keep_addr_on_down but where look() set it */
        assert_int_equal(take_route(conf.prefix), 0);
        assert_int_equal(look().n_back, 1);
    }
    assert_int_equal(nl_addr_del(nl, tap_ifindex(tun), conf.address, conf.prefix.len), 0);
    assert_false(routed(conf.prefix));
    assert_true(look().address_back);
}

/* That of a former prefix as long as its address is there, no longer. */
static void former_route(void **state)
{
    struct prefix old = { .addr = { { 0x20, 0x01, 0x0d, 0xb8, 0, 7 } }, .len = 64 };
    const struct prefix other = { .addr = { { 0x20, 0x01, 0x0d, 0xb8, 0, 8 } }, .len = 64 };
    struct tun_want want = { .conf = &conf, .address = true, .former = &former, .n_former = 1 };

    (void)state;
    if (!nl)
        skip();
    former = tun_address(&conf);
    former.addr.b[5] = 7;
    former.valid_s = 1000;
    former.preferred_s = 0;
    assert_true(tun_wants_route(&want, conf.prefix));
    assert_true(tun_wants_route(&want, old));
    assert_false(tun_wants_route(&want, other));
    want.n_former = 0;
    assert_false(tun_wants_route(&want, old));
    want.address = false;
    assert_false(tun_wants_route(&want, conf.prefix));
    n_former = 1;
    assert_int_equal(nl_addr_add(nl, tap_ifindex(tun), &former), 0);
    assert_int_equal(look().n_back, 0);
    assert_int_equal(take_route(old), 0);
    assert_int_equal(look().n_back, 1);
    assert_true(routed(old));
    assert_int_equal(nl_addr_del(nl, tap_ifindex(tun), former.addr, 64), 0);
    assert_int_equal(take_route(old), 0); /* it would have expired with the address */
    assert_int_equal(look().n_back, 0);
    assert_false(routed(old));
    assert_int_equal(look().state, TUN_WORKS);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mtu),
        cmocka_unit_test(address),
        cmocka_unit_test(route),
        cmocka_unit_test(former_route),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
