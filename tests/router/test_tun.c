/* SPDX-License-Identifier: MIT */
/* test_tun.c - the TUN's MTU, and its address that the kernel takes away below 1280; in a namespace
 */
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

static enum tun_state look(bool *ret_mended)
{
    enum tun_state is = TUN_DOWN;

    assert_int_equal(tun_look(&conf, tun, true, &is, ret_mended), 0);
    return is;
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
    bool mended;
    int status;

    (void)state;
    if (!nl)
        skip();
    ifindex = tap_ifindex(tun);
    assert_int_equal(nl_link_no_addresses(nl, ifindex), 0);
    assert_int_equal(nl_link_up(nl, ifindex, 1434), 0);
    assert_int_equal(nl_addr_add(nl, ifindex, &a), 0);
    assert_int_equal(look(&mended), TUN_DOWN);
    assert_int_equal(tap_set_carrier(tun, true), 0);
    assert_int_equal(look(&mended), TUN_WORKS);
    assert_false(mended);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(nl_link_set_mtu(nl, ifindex, 1279), 0);
        assert_int_equal(look(&mended), TUN_NARROW);
        assert_int_equal(nl_link_set_mtu(nl, ifindex, 1280), 0);
        assert_false(has_address(ifindex)); /* gone for good, says the kernel */
        if (i == 0) {
            assert_int_equal(look(&mended), TUN_WORKS);
            assert_true(mended);
            assert_true(has_address(ifindex));
            assert_int_equal(look(&mended), TUN_WORKS);
            assert_false(mended);
        }
    }
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        enum tun_state is = TUN_DOWN;
        bool ok = priv_keep(NULL, 0) == 0 && tun_look(&conf, tun, true, &is, &mended) == 0;
        _exit(ok && is == TUN_NO_ADDRESS && !mended ? 0 : 1);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(mtu),
        cmocka_unit_test(address),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
