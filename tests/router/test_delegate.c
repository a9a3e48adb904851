/* SPDX-License-Identifier: MIT */
/* test_delegate.c - prefixes delegated to members, fixed addresses, the prefix that is on link at
 * the WAN too, and what the host's kernel is told of all this (R52, R54, R55, R65-R67) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scene.h"

static struct ip6 in_a, in_b, world;

static struct prefix prefix(const char *text, uint8_t len)
{
    return (struct prefix){ .addr = ip6_of(text), .len = len };
}

static int set_up(void **state)
{
    (void)state;
    rig_defaults(&rig);
    rig.clients[0].delegate[0] = prefix("2001:db8:a::", 48);
    rig.clients[0].delegate[1] = prefix("2001:db8:e:f::", 96);
    rig.clients[0].n_delegate = 2;
    rig.clients[1].delegate[0] = prefix("2001:db8:b::", 64);
    rig.clients[1].delegate[1] = prefix("2001:db8:e::", 65);
    rig.clients[1].delegate[2] = prefix("2001:db8:e:0:8000::", 126);
    rig.clients[1].n_delegate = 3;
    in_a = ip6_of("2001:db8:a:1::5");
    in_b = ip6_of("2001:db8:b::5");
    world = ip6_of("2001:db8:ffff::2");
    return 0;
}

static void members(void)
{
    scene_start(2);
    scene_mtu(1400);
}

static const struct mac none = { { 0 } };

/* @from sends from @src to @dst as to a router. */
static void sends(struct guest *from, struct ip6 src, struct ip6 dst, size_t len)
{
    uint8_t ip[1500];

    put_udp6(ip, src, dst, len);
    guest_ip(from, &rig, KIND_HOST, none, ip, len);
    guest_take(from == &a ? &b : &a, &rig);
}

static void reply_names_the_prefixes(void **state)
{
    (void)state;
    members();
    assert_int_equal(a.s.n_delegated, 2);
    assert_true(ip6_eq(a.s.delegated[1].addr, rig.clients[0].delegate[1].addr));
    assert_int_equal(a.s.delegated[1].len, 96);
    assert_int_equal(b.s.n_delegated, 3);
}

/* From its own prefixes a member may send, from those of others it may not. */
static void guard(void **state) /* R32, H49 */
{
    static const struct {
        const char *src;
        bool ok;
    } rows[] = {
        { "2001:db8:a::", true },        { "2001:db8:a:ffff::9", true },
        { "2001:db8:e:f::9", true },     { "2001:db8:e:f:0:1::9", false },
        { "2001:db8:b::5", false },      { "2001:db8:b:1::5", false },
        { "2001:db8:9:ffff::1", false }, { "2001:db8:e:0:8000::1", false },
    };
    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        sends(&a, ip6_of(rows[i].src), world, 60);
        if ((rig.out.n_pk == 1) != rows[i].ok ||
            (rig_drops(&rig, DROP_SRC_GUARD) == 1) != !rows[i].ok)
            fail_msg("%s", rows[i].src);
    }
    assert_int_equal(rig_member(&rig, &a)->n_learned, 0);
}

static void longest_prefix(void **state) /* R55 */
{
    static const struct {
        const char *dst;
        int owner; /* 0 a, 1 b, -1 nobody */
    } rows[] = {
        { "2001:db8:a::1", 0 },        { "2001:db8:a:ffff:ffff:ffff:ffff:ffff", 0 },
        { "2001:db8:9:ffff::", -1 },   { "2001:db8:b::1", 1 },
        { "2001:db8:b:1::", -1 },      { "2001:db8:e:f::1", 0 },
        { "2001:db8:e:f:0:1::", -1 },  { "2001:db8:e::1", 1 },
        { "2001:db8:e:0:8000::2", 1 }, { "2001:db8:e:0:8000::4", -1 },
        { "2001:db8:e:0:7fff::", 1 },  { "::", -1 },
    };
    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        struct member *m = bindings_delegated(&rig.re->b, ip6_of(rows[i].dst));
        struct member *want = rows[i].owner < 0    ? NULL
                              : rows[i].owner == 0 ? rig_member(&rig, &a)
                                                   : rig_member(&rig, &b);
        if (m != want)
            fail_msg("%s", rows[i].dst);
    }
}

static void between_members(void **state)
{
    const uint8_t *ip;
    size_t len;

    (void)state;
    members();
    sends(&a, in_a, in_b, 60);
    ip = guest_packet(&b, -1, &len);
    assert_non_null(ip);
    assert_int_equal(len, 60);
    assert_int_equal(ip[7], 63);       /* routed: the hop counts */
    assert_int_equal(rig.out.n_pk, 0); /* and stays in the tunnel */
    sends(&a, guest_addr(&a), in_b, 60);
    assert_non_null(guest_packet(&b, -1, NULL));
    sends(&a, in_a, guest_addr(&b), 60);
    assert_non_null(guest_packet(&b, -1, NULL));
    /* to one's own it would go round (R66) */
    sends(&a, guest_addr(&a), in_a, 60);
    assert_int_equal(rig_drops(&rig, DROP_DST_SELF), 1);
    assert_int_equal(rig.out.n_dg, 0);
    /* a link-local source stays on the link */
    sends(&a, guest_ll(&a), in_b, 60);
    assert_int_equal(rig_drops(&rig, DROP_SCOPE), 1);
    assert_null(guest_packet(&b, -1, NULL));
    /* too big for the way there */
    rig_member(&rig, &b)->mtu = 1300;
    sends(&a, in_a, in_b, 1301);
    assert_int_equal(rig_drops(&rig, DROP_TOO_BIG), 1);
    assert_non_null(guest_packet(&a, ICMP6_TOO_BIG, NULL));
}

static void hop_limit_ends(void **state) /* R39 */
{
    uint8_t ip[60];

    (void)state;
    members();
    put_udp6(ip, in_a, in_b, sizeof(ip));
    ip[7] = 1;
    guest_ip(&a, &rig, KIND_HOST, none, ip, sizeof(ip));
    assert_int_equal(rig_drops(&rig, DROP_HOP_LIMIT), 1);
    assert_non_null(guest_packet(&a, ICMP6_TIME, NULL));
}

static void apart(void **state)
{
    (void)state;
    rig.conf.isolate = true;
    members();
    sends(&a, in_a, in_b, 60);
    assert_int_equal(rig_drops(&rig, DROP_ISOLATED), 1);
    assert_null(guest_packet(&b, -1, NULL));
}

static void from_the_uplink(void **state)
{
    uint8_t ip[60];

    (void)state;
    members();
    put_udp6(ip, world, in_b, sizeof(ip));
    rig_tun(&rig, ip, sizeof(ip));
    guest_take(&b, &rig);
    assert_non_null(guest_packet(&b, -1, NULL));
    /* a delegated source from outside is a lie (R52) */
    put_udp6(ip, in_a, guest_addr(&b), sizeof(ip));
    rig_tun(&rig, ip, sizeof(ip));
    assert_int_equal(rig_drops(&rig, DROP_SRC_SEGMENT), 1);
    assert_int_equal(rig.out.n_dg, 0);
}

/* ---- what the kernel is told ---- */

static bool told(struct guest *g, unsigned n, const struct prefix *want)
{
    struct reachable to;
    bool found = false;

    while (router_engine_reach(rig.re, &to)) {
        struct member *m = rig_member(&rig, g);
        if (m && to.slot != member_slot(&rig.re->ms, m))
            continue;
        found = true;
        assert_int_equal(to.n, n);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(to.prefix[i].len, want[i].len);
            assert_true(ip6_eq(to.prefix[i].addr, want[i].addr));
        }
    }
    return found;
}

static void kernel_hears(void **state)
{
    struct control bye = { .type = TLV_GOODBYE, .goodbye = GOODBYE_SHUTDOWN };

    (void)state;
    members();
    assert_true(told(&a, 2, rig.clients[0].delegate));
    guest_rejoin(&b, &rig);
    assert_true(told(&b, 3, rig.clients[1].delegate));
    guest_control(&b, &rig, &bye, 0);
    assert_null(rig_member(&rig, &b));
    assert_true(told(&b, 0, NULL));
    assert_null(bindings_delegated(&rig.re->b, in_b));
    /* nobody is there: no route, as for any other address */
    sends(&a, in_a, in_b, 60);
    assert_int_equal(rig.out.n_pk, 1);
    assert_false(told(&a, 0, NULL));
}

/* Every slot is given once a change, in the order of the changes. */
static void changed_slots(void **state)
{
    struct members *ms;

    (void)state;
    rig_start(&rig);
    ms = &rig.re->ms;
    assert_int_equal(member_next_changed(ms), SLOT_ABSENT);
    member_changed(ms, 3);
    member_changed(ms, 0);
    member_changed(ms, 3);
    member_changed(ms, 63);
    assert_int_equal(member_next_changed(ms), 3);
    member_changed(ms, 3);
    assert_int_equal(member_next_changed(ms), 0);
    assert_int_equal(member_next_changed(ms), 63);
    assert_int_equal(member_next_changed(ms), 3);
    assert_int_equal(member_next_changed(ms), SLOT_ABSENT);
    member_changed(ms, 5);
    assert_int_equal(member_next_changed(ms), 5);
    assert_int_equal(member_next_changed(ms), SLOT_ABSENT);
}

/* ---- fixed addresses ---- */

static void fixed_address(void **state)
{
    (void)state;
    rig.clients[0].address = ip6_of("2001:db8:1::a");
    members();
    assert_true(ip6_eq(guest_addr(&a), ip6_of("2001:db8:1::a")));
    assert_false(ip6_eq(guest_addr(&b), ip6_of("2001:db8:1::a")));
    sends(&b, ip6_of("2001:db8:1::a"), world, 60);
    assert_int_equal(rig_drops(&rig, DROP_SRC_GUARD), 1);
}

/* ---- a prefix that is on link at the WAN too ---- */

static void shared(void)
{
    rig.conf.uplink = UPLINK_NDPROXY;
    rig.conf.address = ip6_of("2001:db8:1::2"); /* the host's own there */
    rig.conf.taken[0] = ip6_of("2001:db8:1::2");
    rig.conf.taken[1] = ip6_of("2001:db8:1::1"); /* the provider's router */
    rig.conf.n_taken = 2;
    members();
}

static void shared_is_not_on_link(void **state)
{
    (void)state;
    shared();
    assert_int_equal(a.s.segment_flags & SEGMENT_ON_LINK, 0);
}

static void shared_learns_nothing(void **state)
{
    static const char *const src[] = { "2001:db8:1::1", "2001:db8:1::2", "2001:db8:1::77" };

    (void)state;
    shared();
    for (unsigned i = 0; i < N(src); i++) {
        sends(&a, ip6_of(src[i]), world, 60);
        assert_int_equal(rig_drops(&rig, DROP_SRC_GUARD), 1);
        assert_int_equal(rig.out.n_pk, 0);
    }
    sends(&a, guest_addr(&a), world, 60);
    assert_int_equal(rig.out.n_pk, 1);
}

static void shared_neighbors(void **state)
{
    uint8_t ip[60];

    (void)state;
    shared();
    /* another host of the prefix, at the WAN */
    sends(&a, guest_addr(&a), ip6_of("2001:db8:1::99"), 60);
    assert_int_equal(rig.out.n_pk, 1);
    put_udp6(ip, ip6_of("2001:db8:1::99"), guest_addr(&a), sizeof(ip));
    rig_tun(&rig, ip, sizeof(ip));
    guest_take(&a, &rig);
    assert_non_null(guest_packet(&a, -1, NULL));
    /* a member's address, or one that is kept for an absent client, from there is a lie */
    struct ip6 absent;
    assert_true(bindings_stable(&rig.re->b, 7, rig.clients[7].public_key, &absent));
    struct ip6 lies[] = { guest_addr(&b), absent };
    for (unsigned i = 0; i < N(lies); i++) {
        put_udp6(ip, lies[i], guest_addr(&a), sizeof(ip));
        rig_tun(&rig, ip, sizeof(ip));
        assert_int_equal(rig_drops(&rig, DROP_SRC_SEGMENT), 1);
    }
}

static void shared_kernel_hears_of_addresses(void **state)
{
    struct prefix want[3];

    (void)state;
    shared();
    want[0] = (struct prefix){ guest_addr(&a), 128 };
    memcpy(want + 1, rig.clients[0].delegate, 2 * sizeof(want[0]));
    assert_true(told(&a, 3, want));
}

/* A /126: the few addresses there are go to those that are not taken. */
static void shared_small(void **state)
{
    (void)state;
    rig.conf.uplink = UPLINK_NDPROXY;
    rig.conf.prefix.len = 125;
    rig.conf.n_clients = 3;
    rig.conf.address = rig.conf.taken[0] = ip6_of("2001:db8:1::2");
    rig.conf.taken[1] = ip6_of("2001:db8:1::1");
    rig.conf.n_taken = 2;
    rig_start(&rig);
    for (unsigned i = 0; i < 3; i++) {
        struct ip6 got = rig.re->b.assigned[i];
        assert_true(ip6_in(got, rig.conf.prefix));
        assert_true(got.b[15] > 2);
        for (unsigned k = 0; k < i; k++)
            assert_false(ip6_eq(got, rig.re->b.assigned[k]));
    }
}

/* ---- ways back into the tunnel ---- */

static void tunnel_addresses(void **state) /* R65-R67 */
{
    static const struct {
        const char *name, *dst;
        bool ok;
    } rows[] = {
        { "6to4 of somebody", "2002:c633:6401::1", true },
        { "6to4 of this router", "2002:c000:201::1", false }, /* 192.0.2.1 */
        { "6to4 of 127.0.0.1", "2002:7f00:1::1", false },
        { "6to4 of 10.1.1.1", "2002:a01:101::1", false },
        { "6to4 of 192.168.1.1", "2002:c0a8:101::1", false },
        { "6to4 of 172.16.0.1", "2002:ac10:1::1", false },
        { "6to4 of 172.32.0.1", "2002:ac20:1::1", true },
        { "6to4 of 224.0.0.1", "2002:e000:1::1", false },
        { "6to4 of 0.0.0.0", "2002::1", false },
        { "6to4 of 100.64.0.1", "2002:6440:1::1", false },
        { "Teredo of somebody", "2001:0:cb00:7101:0:ffff:39cc:9bfe", true },
        { "Teredo through this router", "2001:0:c000:201:0:ffff:39cc:9bfe", false },
        { "Teredo of this router", "2001:0:cb00:7101:0:ffff:3fff:fdfe", false },
        { "Teredo of 10.1.1.1", "2001:0:cb00:7101:0:ffff:f5fe:fefe", false },
        { "not Teredo", "2001:1:c000:201::1", true },
    };
    uint8_t ip[60];

    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        sends(&a, guest_addr(&a), ip6_of(rows[i].dst), 60);
        if ((rig.out.n_pk == 1) != rows[i].ok ||
            (rig_drops(&rig, DROP_DST_INVALID) == 1) != !rows[i].ok || rig.out.n_dg)
            fail_msg("to %s", rows[i].name);
        put_udp6(ip, ip6_of(rows[i].dst), guest_addr(&a), sizeof(ip));
        rig_tun(&rig, ip, sizeof(ip));
        if ((rig.out.n_dg == 1) != rows[i].ok ||
            (rig_drops(&rig, DROP_SRC_INVALID) == 1) != !rows[i].ok)
            fail_msg("from %s", rows[i].name);
        guest_take(&a, &rig);
    }
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(reply_names_the_prefixes),
        ROW(guard),
        ROW(longest_prefix),
        ROW(between_members),
        ROW(hop_limit_ends),
        ROW(apart),
        ROW(from_the_uplink),
        ROW(kernel_hears),
        ROW(changed_slots),
        ROW(fixed_address),
        ROW(shared_is_not_on_link),
        ROW(shared_learns_nothing),
        ROW(shared_neighbors),
        ROW(shared_kernel_hears_of_addresses),
        ROW(shared_small),
        ROW(tunnel_addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
