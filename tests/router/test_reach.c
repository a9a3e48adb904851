/* SPDX-License-Identifier: MIT */
/* test_reach.c - routes and proxy entries follow the members, on the real kernel in a namespace */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sodium.h>
#include <sys/wait.h>
#include <unistd.h>

#include "../host/netns.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "proto/host/tap.h"
#include "router/reach.h"
#include "router/switches.h"

static bool have_netns;
static struct nl *nl;
static struct tap *tun, *wan;
static struct reach *r;
static const struct mac mac_a = { { 0x02, 1, 2, 3, 4, 5 } };
static const uint8_t hash_key[16] = "0123456789abcde";

static int up(struct tap *t)
{
    return nl_link_no_addresses(nl, tap_ifindex(t)) | nl_link_up(nl, tap_ifindex(t), 1500) |
           tap_set_carrier(t, true);
}

static struct reach_config config(bool with_wan)
{
    struct reach_config c = { .slots = 8,
                              .entries = 16,
                              .listed = 4,
                              .tun = tap_ifindex(tun),
                              .device = "tun0",
                              .segment = netns_prefix("2001:db8:1::", 64) };

    if (with_wan) {
        c.wan = tap_ifindex(wan);
        snprintf(c.wan_name, sizeof(c.wan_name), "wan0");
    }
    return c;
}

static int setup(void **state)
{
    (void)state;
    if (!have_netns)
        skip();
    if (tap_open("tun0", TAP_IP, NULL, &tun) < 0 ||
        tap_open("wan0", TAP_ETHERNET, &mac_a, &wan) < 0)
        return -1;
    return up(tun) | up(wan);
}

static int teardown(void **state)
{
    (void)state;
    reach_close(r);
    tap_close(tun);
    tap_close(wan);
    r = NULL;
    tun = wan = NULL;
    return 0;
}

static int routes(void)
{
    struct nl_route list[64];
    return nl_route_list(nl, tap_ifindex(tun), ROUTE_PROTOCOL, 0, list, 64);
}

static bool routed(struct prefix p)
{
    struct nl_route list[64];

    int n = nl_route_list(nl, tap_ifindex(tun), ROUTE_PROTOCOL, 0, list, 64);
    for (int i = 0; i < n; i++) {
        if (prefix_eq(list[i].dst, p))
            return true;
    }
    return false;
}

static int proxies(void)
{
    struct ip6 list[32];
    return nl_proxy_list(nl, tap_ifindex(wan), ROUTE_PROTOCOL, list, 32);
}

static void value(const char *key, const char *want)
{
    char v[16] = "";

    assert_int_equal(sysctl_get(key, v, sizeof(v)), 0);
    assert_string_equal(v, want);
}

static void delegated_prefixes(void **state)
{
    const struct prefix a[] = { netns_prefix("2001:db8:a::", 48),
                                netns_prefix("2001:db8:b::", 64) };
    struct reach_config c = config(false);

    (void)state;
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_set(r, 3, a, 2, 0);
    assert_true(routed(a[0]) && routed(a[1]));
    assert_int_equal(reach_count(r), 2);
    reach_set(r, 3, a, 2, 0); /* no change */
    assert_int_equal(routes(), 2);
    reach_set(r, 3, a + 1, 1, 0);
    assert_true(!routed(a[0]) && routed(a[1]));
    reach_set(r, 3, NULL, 0, 0);
    assert_int_equal(routes(), 0);
    assert_int_equal(proxies(), 0);
}

static void on_link_prefix(void **state)
{
    const struct prefix a[] = { netns_prefix("2001:db8:1::a", 128),
                                netns_prefix("2001:db8:b::", 64) };
    struct reach_config c = config(true);

    (void)state;
    value("net/ipv6/conf/wan0/proxy_ndp", "0");
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    value("net/ipv6/conf/wan0/proxy_ndp", "1");
    value("net/ipv6/neigh/wan0/proxy_delay", "0");
    reach_set(r, 0, a, 2, 0);
    assert_true(routed(a[0]) && routed(a[1]));
    assert_int_equal(proxies(), 1); /* the delegated one is routed to the host */
    reach_close(r);
    r = NULL;
    assert_int_equal(proxies(), 0);
    assert_int_equal(routes(), 0);
    value("net/ipv6/conf/wan0/proxy_ndp", "0");
    value("net/ipv6/neigh/wan0/proxy_delay", "80");
}

/* The order in which two slots are told of is not the order in which an address passed. */
static void passes_on(void **state)
{
    const struct prefix a = netns_prefix("2001:db8:1::a", 128),
                        b = netns_prefix("2001:db8:1::b", 128);
    struct reach_config c = config(true);

    (void)state;
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_set(r, 5, &a, 1, 0);
    reach_set(r, 7, &a, 1, 0);   /* the new holder first */
    reach_set(r, 5, NULL, 0, 0); /* then the end of the old */
    assert_true(routed(a));
    assert_int_equal(proxies(), 1);
    reach_set(r, 7, &b, 1, 0);
    assert_true(!routed(a) && routed(b));
    assert_int_equal(reach_count(r), 1);
}

static void sweeps_a_former_life(void **state)
{
    struct reach_config c = config(true);
    struct ip6 other = netns_prefix("2001:db8:2::1", 128).addr;

    (void)state;
    for (unsigned i = 0; i < 300; i++) {
        struct ip6 a = netns_prefix("2001:db8:1::", 64).addr;
        a.b[14] = (uint8_t)(i >> 8);
        a.b[15] = (uint8_t)i;
        assert_int_equal(nl_proxy_add(nl, tap_ifindex(wan), a, ROUTE_PROTOCOL), 0);
    }
    assert_int_equal(nl_proxy_add(nl, tap_ifindex(wan), other, ROUTE_PROTOCOL), 0);
    assert_int_equal(
        nl_proxy_add(nl, tap_ifindex(wan), netns_prefix("2001:db8:1::99", 128).addr, 4), 0);
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    struct ip6 left[4];
    assert_int_equal(nl_proxy_list(nl, tap_ifindex(wan), 0, left, 4), 2); /* not ours to sweep */
}

static void tun_down_and_up(void **state)
{
    const struct prefix a[] = { netns_prefix("2001:db8:1::a", 128),
                                netns_prefix("2001:db8:b::", 64) };
    struct reach_config c = config(true);

    (void)state;
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_set(r, 0, a, 2, 0);
    assert_int_equal(nl_link_down(nl, tap_ifindex(tun)), 0);
    assert_int_equal(routes(), 0);
    assert_int_equal(nl_link_up(nl, tap_ifindex(tun), 0), 0);
    reach_again(r, 0);
    assert_true(routed(a[0]) && routed(a[1]));
    reach_again(r, 0);
    assert_int_equal(routes(), 2);
}

static int take_route(struct prefix p)
{
    const struct nl_route route = { .dst = p,
                                    .ifindex = tap_ifindex(tun),
                                    .protocol = ROUTE_PROTOCOL };
    return nl_route_del(nl, &route);
}

/* What others take away comes back; what went with its client does not. */
static void taken_by_others(void **state)
{
    const struct prefix a[] = { netns_prefix("2001:db8:a::", 48),
                                netns_prefix("2001:db8:b::", 64) };
    const struct prefix strange = netns_prefix("2001:db8:c::", 64);
    struct reach_config c = config(false);

    (void)state;
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_set(r, 0, a, 2, 0);
    reach_gone(r, &strange);
    reach_mend(r, 0);
    assert_int_equal(routes(), 2);
    assert_int_equal(take_route(a[0]), 0);
    reach_mend(r, 0); /* it was not told */
    assert_int_equal(routes(), 1);
    assert_int_equal(reach_deadline(r), NEVER);
    reach_gone(r, &a[0]);
    assert_int_equal(reach_deadline(r), 0);
    reach_mend(r, 5);
    assert_true(routed(a[0]) && routed(a[1]));
    assert_int_equal(take_route(a[0]), 0);
    reach_gone(r, &a[0]);
    assert_int_equal(reach_deadline(r), 5 + REACH_MEND_PAUSE);
    reach_mend(r, 4 + REACH_MEND_PAUSE);
    assert_int_equal(routes(), 1);
    reach_mend(r, 5 + REACH_MEND_PAUSE);
    assert_int_equal(routes(), 2);
    assert_int_equal(reach_deadline(r), NEVER);
    assert_int_equal(take_route(a[0]), 0);
    reach_gone(r, &a[0]);
    reach_set(r, 0, a + 1, 1, 0); /* its client has it no more */
    reach_gone(r, &a[0]);
    reach_mend(r, 99 * NS_PER_S);
    assert_int_equal(routes(), 1);
}

/* More than can be noted, or word of them was lost: all are looked at, but not all the time. */
static void many_taken_by_others(void **state)
{
    enum { EACH = DELEGATED_PER_MEMBER, SLOTS = 64 / EACH, ALL = SLOTS * EACH };
    struct reach_config c = config(false);
    struct prefix p[ALL];

    (void)state;
    c.slots = SLOTS;
    c.entries = ALL;
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    for (unsigned i = 0; i < ALL; i++) {
        p[i] = netns_prefix("2001:db8:a::", 64);
        p[i].addr.b[7] = (uint8_t)i;
    }
    for (unsigned i = 0; i < SLOTS; i++)
        reach_set(r, i, &p[(size_t)i * EACH], EACH, 0);
    assert_int_equal(routes(), ALL);
    for (unsigned i = 0; i < ALL; i++) {
        assert_int_equal(take_route(p[i]), 0);
        reach_gone(r, &p[i]);
    }
    reach_mend(r, 5 * NS_PER_S);
    assert_int_equal(routes(), ALL);
    assert_int_equal(take_route(p[0]), 0);
    reach_gone(r, NULL);
    assert_int_equal(reach_deadline(r), 15 * NS_PER_S);
    reach_mend(r, 14 * NS_PER_S); /* ten seconds have not passed */
    assert_int_equal(routes(), ALL - 1);
    reach_mend(r, 15 * NS_PER_S);
    assert_int_equal(routes(), ALL);
    assert_int_equal(take_route(p[0]), 0);
    reach_mend(r, 99 * NS_PER_S); /* it was not told */
    assert_int_equal(routes(), ALL - 1);
}

/* A route somebody else set stays theirs. */
static void of_others(void **state)
{
    const struct prefix a = netns_prefix("2001:db8:b::", 64);
    const struct nl_route theirs = { .dst = a, .ifindex = tap_ifindex(wan), .protocol = 4 };
    struct reach_config c = config(false);
    struct nl_route there;

    (void)state;
    assert_int_equal(nl_route_add(nl, &theirs), 0);
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_set(r, 0, &a, 1, 0);
    reach_set(r, 0, NULL, 0, 0);
    assert_int_equal(nl_route_to(nl, a.addr, &there), 0);
    assert_int_equal(there.ifindex, tap_ifindex(wan));
}

/* ---- settings of the WAN after kill -9 ---- */

static void value_set(const char *key, const char *v)
{
    assert_int_equal(sysctl_set(key, v), 0);
}

static void proxy_is(const char *ndp, const char *delay)
{
    value("net/ipv6/conf/wan0/proxy_ndp", ndp);
    value("net/ipv6/neigh/wan0/proxy_delay", delay);
}

static int markers(void)
{
    struct nl_route list[8];
    int found = 0;

    int n = nl_route_list(nl, 0, ROUTE_PROTOCOL, 0, list, 8);
    for (int i = 0; i < n; i++)
        found += switch_is_marker(&list[i].dst);
    return found;
}

/* A router that does not come to its end. */
static void killed(const struct reach_config *c)
{
    int status = -1;
    pid_t pid = fork();

    if (pid == 0)
        _exit(reach_open(c, hash_key, &r) ? 1 : 0);
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid && status == 0);
}

static void one_life(const struct reach_config *c)
{
    assert_int_equal(reach_open(c, hash_key, &r), 0);
    reach_close(r);
    r = NULL;
}

static void settings_of_a_former_life(void **state)
{
    struct reach_config c = config(true), routed = config(false), other = config(true);

    (void)state;
    snprintf(other.device, sizeof(other.device), "tun1");
    proxy_is("0", "80");
    for (unsigned i = 0; i < 3; i++) {
        killed(&c);
        proxy_is("1", "0");
        assert_int_equal(markers(), 2);
    }
    one_life(&c);
    proxy_is("0", "80");
    assert_int_equal(markers(), 0);
    /* what comes next has no business with the WAN */
    killed(&c);
    one_life(&routed);
    proxy_is("0", "80");
    killed(&c);
    reach_sweep("tun0", NULL);
    proxy_is("0", "80");
    assert_int_equal(markers(), 0);
    /* nor with what another router left */
    killed(&c);
    one_life(&other);
    proxy_is("1", "0");
    assert_int_equal(markers(), 2);
    /* a sweep of a router that runs leaves its own */
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_sweep("tun0", r);
    assert_int_equal(markers(), 2);
    reach_close(r);
    r = NULL;
    proxy_is("0", "80");
    /* the operator's values stay: set before, and changed after the kill */
    value_set("net/ipv6/conf/wan0/proxy_ndp", "1");
    killed(&c);
    value_set("net/ipv6/neigh/wan0/proxy_delay", "20");
    one_life(&c);
    proxy_is("1", "20");
    assert_int_equal(markers(), 0);
}

/* ---- what is delegated to clients that are off line ---- */

static int dead_ends(const char *device)
{
    struct nl_route list[64];
    int found = 0;

    int n = nl_route_list(nl, 0, 0, 0, list, 64);
    for (int i = 0; i < n; i++)
        found += list[i].type == NL_UNREACHABLE && list[i].protocol == ROUTE_PROTOCOL &&
                 list[i].metric == reach_metric(device);
    return found;
}

/* Where does a packet to @p go? */
static bool into_tun(struct prefix p)
{
    struct nl_route there;

    return nl_route_to(nl, p.addr, &there) == 0 && there.ifindex == tap_ifindex(tun);
}

static bool nowhere(struct prefix p)
{
    struct nl_route there;

    return nl_route_to(nl, p.addr, &there) < 0;
}

static void default_route(void)
{
    const struct nl_route way_out = { .ifindex = tap_ifindex(wan) };

    assert_int_equal(nl_route_add(nl, &way_out), 0);
}

/* Unreachable from the start, into the TUN while its client is there, then unreachable again. */
static void listed_and_off_line(void **state)
{
    const struct prefix a[] = { netns_prefix("2001:db8:a::", 48),
                                netns_prefix("2001:db8:b::", 64) };
    struct reach_config c = config(false);

    (void)state;
    default_route();
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_list(r, 2, a, 2, 0);
    assert_true(nowhere(a[0]) && nowhere(a[1]));
    assert_int_equal(dead_ends("tun0"), 2);
    assert_int_equal(reach_count(r), 0);
    reach_set(r, 3, a, 2, 0);
    assert_true(into_tun(a[0]) && into_tun(a[1]));
    assert_int_equal(nl_link_down(nl, tap_ifindex(tun)), 0);
    assert_true(nowhere(a[0]) && nowhere(a[1]));
    assert_int_equal(nl_link_up(nl, tap_ifindex(tun), 0), 0);
    reach_again(r, 0);
    assert_true(into_tun(a[0]) && into_tun(a[1]));
    reach_set(r, 3, NULL, 0, 0);
    assert_true(nowhere(a[0]) && nowhere(a[1]));
    reach_close(r);
    r = NULL;
    assert_int_equal(dead_ends("tun0"), 0);
}

/* A reload: another prefix, passed on in any order of calls, a client that is listed no more. */
static void listed_anew(void **state)
{
    const struct prefix a = netns_prefix("2001:db8:a::", 48), b = netns_prefix("2001:db8:b::", 64);
    struct reach_config c = config(false);

    (void)state;
    default_route();
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_list(r, 0, &a, 1, 0);
    reach_list(r, 0, &b, 1, 0);
    assert_true(!nowhere(a) && nowhere(b));
    assert_int_equal(dead_ends("tun0"), 1);
    reach_list(r, 1, &b, 1, 0); /* to another: the new holder first */
    reach_list(r, 0, &a, 1, 0);
    assert_true(nowhere(a) && nowhere(b));
    reach_list(r, 1, NULL, 0, 0); /* and the old holder first */
    reach_list(r, 0, &b, 1, 0);
    assert_true(!nowhere(a) && nowhere(b));
    reach_set(r, 5, &b, 1, 0); /* its client is on line when it is taken off the list */
    reach_list(r, 0, NULL, 0, 0);
    assert_int_equal(dead_ends("tun0"), 0);
    assert_true(into_tun(b));
    reach_set(r, 5, NULL, 0, 0);
    assert_int_equal(dead_ends("tun0"), 0);
}

static int set_dead_end(struct prefix dst, uint32_t metric, uint8_t protocol)
{
    const struct nl_route route = {
        .dst = dst, .type = NL_UNREACHABLE, .metric = metric, .protocol = protocol
    };
    return nl_route_add(nl, &route);
}

/* What a killed router left: wanted, not wanted; and what is not ours. */
static void listed_in_a_former_life(void **state)
{
    const struct prefix a = netns_prefix("2001:db8:a::", 48), b = netns_prefix("2001:db8:b::", 64);
    const uint32_t ours = reach_metric("tun0"), of_another = reach_metric("tun1");
    struct reach_config c = config(false);

    (void)state;
    assert_true(ours != of_another && ours > UINT32_C(0xff000000) - 1);
    assert_int_equal(set_dead_end(a, ours, ROUTE_PROTOCOL), 0);
    assert_int_equal(set_dead_end(b, ours, ROUTE_PROTOCOL), 0);
    assert_int_equal(set_dead_end(b, of_another, ROUTE_PROTOCOL), 0);
    assert_int_equal(set_dead_end(b, 7, ROUTE_PROTOCOL), 0);
    assert_int_equal(set_dead_end(b, ours - 1, 4), 0);
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_list(r, 0, &a, 1, 0);
    assert_int_equal(dead_ends("tun0"), 2);
    reach_sweep("tun0", r);
    assert_int_equal(dead_ends("tun0"), 1);
    assert_int_equal(dead_ends("tun1"), 1);
    reach_close(r);
    r = NULL;
    assert_int_equal(dead_ends("tun0"), 0);
    assert_int_equal(set_dead_end(a, ours, ROUTE_PROTOCOL), 0);
    reach_sweep("tun0", NULL); /* nothing is delegated any more */
    assert_int_equal(dead_ends("tun0"), 0);
    struct nl_route left[8];
    assert_int_equal(nl_route_list(nl, 0, ROUTE_PROTOCOL, 0, left, 8), 2);
    for (int i = 0; i < 2; i++)
        assert_int_equal(nl_route_del(nl, &left[i]), 0);
}

/* When somebody took it away it is back when its client leaves, and before the route into the TUN
 * goes. */
static void listed_and_taken_by_others(void **state)
{
    const struct prefix a = netns_prefix("2001:db8:a::", 48);
    const struct nl_route theirs = {
        .dst = a, .type = NL_UNREACHABLE, .metric = reach_metric("tun0"), .protocol = ROUTE_PROTOCOL
    };
    struct reach_config c = config(false);

    (void)state;
    default_route();
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    reach_list(r, 0, &a, 1, 0);
    reach_set(r, 0, &a, 1, 0);
    assert_int_equal(nl_route_del(nl, &theirs), 0);
    reach_set(r, 0, NULL, 0, 0);
    assert_true(nowhere(a));
}

/* Against a naive twin: random changes over few slots and prefixes. */
static void random_changes(void **state)
{
    struct reach_config c = config(true);
    struct prefix has[8];
    bool held[8] = { false };
    uint64_t rnd = 12345;

    (void)state;
    assert_int_equal(reach_open(&c, hash_key, &r), 0);
    for (unsigned step = 0; step < 400; step++) {
        rnd = rnd * 6364136223846793005u + 1442695040888963407u;
        uint32_t slot = (uint32_t)(rnd >> 33) % 8;
        struct prefix p = netns_prefix("2001:db8:1::", 128);
        p.addr.b[15] = (uint8_t)(1 + (rnd >> 40) % 5);
        bool set = (rnd >> 50) % 3 != 0;
        for (unsigned i = 0; set && i < 8; i++) { /* one holder at a time, the last who set it */
            if (held[i] && ip6_eq(has[i].addr, p.addr))
                held[i] = false;
        }
        reach_set(r, slot, &p, set, 0);
        held[slot] = set;
        has[slot] = p;
        int want = 0;
        for (unsigned i = 0; i < 8; i++) {
            if (held[i]) {
                want++;
                assert_true(routed(has[i]));
            }
        }
        assert_int_equal(routes(), want);
        assert_int_equal(proxies(), want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(delegated_prefixes, setup, teardown),
        cmocka_unit_test_setup_teardown(on_link_prefix, setup, teardown),
        cmocka_unit_test_setup_teardown(passes_on, setup, teardown),
        cmocka_unit_test_setup_teardown(sweeps_a_former_life, setup, teardown),
        cmocka_unit_test_setup_teardown(tun_down_and_up, setup, teardown),
        cmocka_unit_test_setup_teardown(taken_by_others, setup, teardown),
        cmocka_unit_test_setup_teardown(many_taken_by_others, setup, teardown),
        cmocka_unit_test_setup_teardown(of_others, setup, teardown),
        cmocka_unit_test_setup_teardown(settings_of_a_former_life, setup, teardown),
        cmocka_unit_test_setup_teardown(listed_and_off_line, setup, teardown),
        cmocka_unit_test_setup_teardown(listed_anew, setup, teardown),
        cmocka_unit_test_setup_teardown(listed_in_a_former_life, setup, teardown),
        cmocka_unit_test_setup_teardown(listed_and_taken_by_others, setup, teardown),
        cmocka_unit_test_setup_teardown(random_changes, setup, teardown),
    };

    have_netns = sodium_init() >= 0 && netns_enter() && nl_open(&nl) == 0;
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    nl_close(nl);
    return failed;
}
