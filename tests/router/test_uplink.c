/* SPDX-License-Identifier: MIT */
/* test_uplink.c - the uplink that comes and goes, what advertisements and settings say of routes,
 * search domains and preference, and bindings that end (R20, R21, R23) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scene.h"

#define MANY 2400u /* members, of which a call cannot tell all of a 16th */

static int set_up(void **state)
{
    rig_set_up(state);
    rig.conf.routes[0] = (struct prefix){ .addr = ip6_of("2001:db8:5::"), .len = 48 };
    rig.conf.routes[1] = (struct prefix){ .addr = ip6_of("fd00:6::"), .len = 64 };
    rig.conf.n_routes = 2;
    strcpy(rig.conf.search[0], "example.net");
    rig.conf.n_search = 1;
    return 0;
}

/* The Router Advertisement among what @g has just got. */
static void check_ra(const struct guest *g, bool up, uint8_t preference)
{
    size_t len;
    const uint8_t *ra = guest_packet(g, ND_RA, &len), *route;

    assert_non_null(ra);
    assert_int_equal(be16_load(ra + 46), up ? 1800 : 0);
    /* RFC 4191 2.2: with lifetime 0 the preference is sent as 0 */
    assert_int_equal(ra[45] & 0x18, up ? preference : 0);
    assert_non_null(ra_option(ra, len, 3, 0)); /* the segment stays */
    static const char search[] = "\7example\3net";
    const uint8_t *dnssl = ra_option(ra, len, 31, 0);
    assert_non_null(dnssl);
    assert_memory_equal(dnssl + 8, search, sizeof(search));
    for (unsigned i = 0; i < rig.conf.n_routes; i++) {
        route = ra_option(ra, len, 24, i);
        assert_int_equal(route != NULL, up);
        if (!route)
            continue;
        assert_int_equal(route[2], rig.conf.routes[i].len);
        assert_int_equal(route[3] & 0x18, preference);
        assert_int_equal(be32_load(route + 4), 1800);
        assert_memory_equal(route + 8, rig.conf.routes[i].addr.b, 8);
    }
    assert_null(ra_option(ra, len, 24, rig.conf.n_routes));
}

static void check_settings(const struct settings *s, bool up)
{
    assert_int_equal(s->segment_flags & SEGMENT_DEFAULT_ROUTE, up ? SEGMENT_DEFAULT_ROUTE : 0);
    assert_int_equal(s->segment_flags & SEGMENT_ON_LINK, SEGMENT_ON_LINK);
    assert_int_equal(s->n_route, up ? 2 : 0);
    for (unsigned i = 0; i < s->n_route; i++) {
        assert_true(ip6_eq(s->route[i].addr, rig.conf.routes[i].addr));
        assert_int_equal(s->route[i].len, rig.conf.routes[i].len);
    }
    assert_int_equal(s->n_search, 1);
    assert_string_equal(s->search[0], "example.net");
    assert_int_equal(s->n_address, 1);
}

static void check_told(struct guest *g, bool up)
{
    struct settings s;
    struct control ctl;

    guest_take(g, &rig);
    check_ra(g, up, 0x18);
    assert_int_equal(guest_has_control(g, TLV_SETTINGS, &ctl), 1);
    assert_true(wire_get_settings(ctl.body, ctl.body_len, &s));
    check_settings(&s, up);
    assert_true(ip6_eq(s.address[0].addr, guest_addr(g)));
}

static void R20_down_and_up(void **state) /* R20 */
{
    (void)state;
    scene_start(2);
    check_settings(&a.s, true);
    for (unsigned up = 0; up < 2; up++) {
        rig.now += 10 * NS_PER_S + 7;
        assert_false(router_engine_uplink(rig.re, !up, rig.now)); /* known */
        assert_true(router_engine_uplink(rig.re, up, rig.now));
        assert_false(router_engine_uplink(rig.re, up, rig.now));
        assert_true(router_engine_deadline(rig.re) <= rig.now);
        rig_tick(&rig);
        check_told(&a, up);
        check_told(&b, up);
        rig.now += 2 * NS_PER_S;
        rig_tick(&rig);
        guest_take(&a, &rig);
        assert_int_equal(a.n_got, 0); /* once */
        /* Who comes now hears it at once, and only once; so does who asks. */
        guest_init(&c, &rig, 2 + up, "198.51.100.9", (uint16_t)(4000 + up));
        guest_join(&c, &rig);
        check_settings(&c.s, up);
        check_ra(&c, up, 0x18);
        uint8_t rs[56];
        size_t len = nd_build_rs(rs, guest_ll(&c), ip6_all_routers, &c.s.mac);
        guest_ip(&c, &rig, KIND_MULTICAST, (struct mac){ { 0 } }, rs, len);
        check_ra(&c, up, 0x18);
        rig.now += 2 * NS_PER_S;
        rig_tick(&rig);
        guest_take(&c, &rig);
        assert_int_equal(guest_has_control(&c, TLV_SETTINGS, NULL), 0);
        assert_null(guest_packet(&c, ND_RA, NULL));
    }
}

/* With the uplink down nothing is written to it: senders hear "no route", and the router answers
 * for itself (R54). */
static void packets_meanwhile(void **state)
{
    struct ip6 out_there = { { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 2 } };
    uint8_t ip[128], echo[128];

    (void)state;
    scene_start(2);
    const struct mac router = mac_of_endpoint(rig.conf.public_ep);
    for (unsigned up = 0; up < 2; up++) {
        rig.now += 10 * NS_PER_S + 7;
        router_engine_uplink(rig.re, up, rig.now);
        rig_tick(&rig);
        guest_take(&a, &rig);
        a.n_got = 0; /* what it was told of the uplink is not looked at here */
        size_t len = put_udp6(ip, guest_addr(&a), out_there, 60);
        guest_ip(&a, &rig, KIND_HOST, router, ip, len);
        assert_int_equal(rig.out.n_pk, up);
        const uint8_t *error = guest_packet(&a, ICMP6_UNREACH, NULL);
        assert_int_equal(error != NULL, !up);
        if (error)
            assert_int_equal(error[41], 0); /* code: no route */
        a.n_got = 0;
        len = put_echo6(echo, guest_addr(&a), rig.conf.address, 60);
        guest_ip(&a, &rig, KIND_HOST, router, echo, len);
        assert_int_equal(rig.out.n_pk, up); /* up: the kernel's to answer */
        assert_int_equal(guest_packet(&a, ICMP6_ECHO_REPLY, NULL) != NULL, !up);
    }
}

static void none_is_never_up(void **state)
{
    (void)state;
    rig.conf.uplink = UPLINK_NONE;
    scene_start(2);
    check_ra(&b, false, 0);
    check_settings(&b.s, false);
    assert_false(router_engine_uplink(rig.re, true, rig.now));
    assert_false(router_engine_uplink(rig.re, false, rig.now));
}

static void nobody_is_there(void **state)
{
    (void)state;
    rig_start(&rig);
    assert_true(router_engine_uplink(rig.re, false, rig.now));
    assert_true(router_engine_deadline(rig.re) == NEVER);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_join(&a, &rig);
    check_settings(&a.s, false);
    check_ra(&a, false, 0);
}

/* Without the checks of rig_run(), which take their time with so many. */
static void deliver(struct guest *g, const uint8_t *p, size_t len)
{
    uint8_t room[LOGIN_LEN];
    struct dgram d = { .peer = g->ep, .len = (uint16_t)len, .p = room };

    memcpy(room, p, len);
    d.local = rig.conf.listen.ip;
    out_reset(&rig.out);
    rig.now++; /* another wake-up */
    router_engine_udp(rig.re, rig.now, &rig.e, &d, 1, &rig.out);
    guest_take(g, &rig);
}

/* More members than one call can tell: all within a second. */
static void R20_many_members(void **state) /* R20 */
{
    (void)state;
    rig.conf.max_members = MANY;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    rig.conf.logins_per_s = 100000;
    rig_start(&rig);
    for (unsigned i = 0; i < MANY; i++) {
        char ip[20];
        snprintf(ip, sizeof(ip), "10.1.%u.%u", i / 200, 1 + i % 200);
        guest_init(&a, &rig, i, ip, 4000);
        guest_login(&a, &rig);
        deliver(&a, a.login, LOGIN_LEN);
        uint8_t d[64];
        size_t len = guest_seal_control(
            &a, &rig, &(struct control){ .type = TLV_CONFIRM, .size = PROBE_MIN_LEN },
            PROBE_MIN_LEN, d);
        deliver(&a, d, len);
    }
    assert_int_equal(rig.re->ms.n_free, 0);
    rig.now += 3 * NS_PER_S + 11;
    mono_ns end = rig.now + NS_PER_S;
    uint64_t *sent = calloc(MANY, sizeof(*sent));
    assert_non_null(sent);
    for (unsigned i = 0; i < MANY; i++)
        sent[i] = rig.re->ms.m[i].tx_packets;
    assert_true(router_engine_uplink(rig.re, false, rig.now));
    while (router_engine_deadline(rig.re) <= end) {
        if (router_engine_deadline(rig.re) > rig.now)
            rig.now = router_engine_deadline(rig.re);
        rig_tick(&rig);
        assert_int_equal(rig_drops(&rig, DROP_NO_ROOM), 0);
        assert_true(router_engine_deadline(rig.re) > rig.now);
    }
    for (unsigned i = 0; i < MANY; i++) {
        assert_false(rig.re->ms.m[i].uplink_told);
        assert_int_equal(rig.re->ms.m[i].tx_packets - sent[i], 2);
    }
    free(sent);
}

static void R24_preference(void **state)
{
    static const struct {
        enum preference preference;
        uint8_t bits;
    } rows[] = { { PREFERENCE_LOW, 0x18 }, { PREFERENCE_MEDIUM, 0 }, { PREFERENCE_HIGH, 0x08 } };

    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        if (i)
            rig_free(&rig);
        set_up(state);
        rig.conf.preference = rows[i].preference;
        scene_start(2);
        check_ra(&b, true, rows[i].bits);
    }
}

/* ---- bindings that end ---- */

static void use(struct guest *g, struct ip6 src)
{
    uint8_t p[80];
    size_t len = put_udp6(p, src, ip6_of("2001:db8:99::1"), 70);
    guest_ip(g, &rig, KIND_HOST, (struct mac){ { 0 } }, p, len);
}

/* @g lives for @d; how many of its bindings end meanwhile, and which was the last? */
static unsigned unbound(struct guest *g, mono_ns d, struct notice *ret)
{
    unsigned n = 0;

    for (mono_ns end = rig.now + d, step = 50 * NS_PER_S; rig.now < end;) {
        guest_rekey(g, &rig);
        rig_wait(&rig, end - rig.now < step ? end - rig.now : step);
        n += rig_notices(&rig, NOTICE_UNBOUND, ret);
    }
    return n;
}

static void unused_bindings_end(void **state) /* RFC 6620 3.2 */
{
    struct notice ev = { .client = 0 };
    struct ip6 one = ip6_of("2001:db8:1::111"), two = ip6_of("2001:db8:1::222");

    (void)state;
    scene_start(2);
    use(&a, one);
    assert_int_equal(rig.out.n_pk, 1);
    use(&a, two);
    use(&a, guest_addr(&a));
    assert_int_equal(rig_notices(&rig, NOTICE_BOUND, NULL), 2);
    mono_ns start = rig.now;
    assert_int_equal(unbound(&a, BOUND_LIFE / 2, &ev), 0);
    use(&a, two);
    assert_int_equal(unbound(&a, start + BOUND_LIFE - 2 * NS_PER_S - rig.now, &ev), 0);
    assert_int_equal(unbound(&a, 4 * NS_PER_S, &ev), 1);
    assert_true(ip6_eq(ev.addr, one));
    assert_int_equal(ev.client, 0);
    assert_memory_equal(ev.key, a.id.public_key, KEY_LEN);
    assert_true(endpoint_eq(ev.ep, a.ep));
    assert_int_equal(rig_member(&rig, &a)->n_learned, 1);
    guest_join(&b, &rig); /* it was silent for so long; now it may have the address, and a not */
    use(&b, one);
    assert_int_equal(rig.out.n_pk, 1);
    use(&a, one);
    assert_int_equal(rig_drops(&rig, DROP_SRC_GUARD), 1);
    use(&a, two);
    assert_int_equal(rig.out.n_pk, 1);
    /* What was assigned never ends, used or not. */
    assert_int_equal(unbound(&a, 2 * BOUND_LIFE, &ev), 1);
    assert_true(ip6_eq(ev.addr, two));
    assert_int_equal(rig_member(&rig, &a)->n_bound, 1);
    use(&a, guest_addr(&a));
    assert_int_equal(rig.out.n_pk, 1);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(R20_down_and_up),  ROW(packets_meanwhile), ROW(nobody_is_there),
        ROW(R20_down_and_up),  ROW(none_is_never_up),  ROW(nobody_is_there),
        ROW(R20_many_members), ROW(R24_preference),    ROW(unused_bindings_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
