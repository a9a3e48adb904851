/* SPDX-License-Identifier: MIT */
/* test_rules_ra.c - Router Advertisements: what they say, when they come, solicited or not, and
 * what becomes of a prefix that is gone (R16..R25, R53, R55) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/cksum.h"
#include "scene.h"

/* ---- solicitations ---- */

static void solicit(struct guest *g, struct ip6 src, const struct mac *slla)
{
    uint8_t ip[80];
    size_t len = nd_build_rs(ip, slla ? guest_ll(g) : src, ip6_all_routers, slla);

    memcpy(ip + 8, src.b, IP6_LEN); /* the builder refuses some of these */
    be16_store(ip + 42, 0);
    be16_store(ip + 42, cksum_upper(ip, NH_ICMPV6, ip + 40, len - 40));
    guest_ip(g, &rig, KIND_MULTICAST, (struct mac){ { 0 } }, ip, len);
}

/* Ticks at each deadline until @d has passed; RAs that @g got meanwhile, the last at *ret_at. */
static unsigned adverts_within(struct guest *g, mono_ns d, mono_ns *ret_at)
{
    mono_ns end = rig.now + d;
    unsigned n = 0;

    for (mono_ns at; (at = router_engine_deadline(rig.re)) <= end;) {
        rig.now = at > rig.now ? at : rig.now;
        rig_tick(&rig);
        guest_take(g, &rig);
        for (unsigned i = 0; i < g->n_got; i++) {
            const struct got *got = &g->got[i];
            size_t head = got->kind == KIND_HOST ? 0 : MAC_LEN;
            if (got->kind == KIND_CONTROL || got->len < head + 56 || got->p[head + 40] != ND_RA)
                continue;
            n++;
            *ret_at = rig.now;
        }
    }
    rig.now = end;
    return n;
}

/* @g lives on: keys, and a sign of life now and then. Returns how many RAs it got. */
static unsigned adverts_of_a_life(struct guest *g, mono_ns d)
{
    unsigned n = 0;
    mono_ns at;

    for (mono_ns end = rig.now + d; rig.now < end;) {
        guest_rekey(g, &rig);
        for (unsigned i = 0; i < 5; i++) {
            n += adverts_within(g, 50 * NS_PER_S, &at);
            guest_control(g, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
        }
    }
    return n;
}

static void R1_R21_who_is_answered(void **state)
{
    static const struct {
        const char *name, *src, *slla;
        bool answered, group;
        enum drop why;
    } rows[] = {
        { "link-local", "a.ll", "a", true, false, DROP_NONE },
        { "without option (optimistic)", "a.ll", "", true, false, DROP_NONE },
        { "global", "a", "a", true, false, DROP_NONE },
        { "unspecified", "::", "", true, true, DROP_NONE },
        { "unspecified with option", "::", "a", false, false, DROP_ND_INVALID },
        { "another's MAC", "a.ll", "b", false, false, DROP_ND_GUARD },
        { "another's source", "b.ll", "a", false, false, DROP_SRC_GUARD },
    };
    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        if (i)
            rig_free(&rig);
        rig_defaults(&rig);
        scene_start(2);
        struct mac slla = scene_mac(rows[i].slla);
        struct ip6 src = scene_addr(rows[i].src), from = scene_addr("r.ll");
        solicit(&a, src, *rows[i].slla ? &slla : NULL);
        guest_take(&b, &rig);
        assert_int_equal(b.n_got, 0);
        const uint8_t *ra = guest_packet(&a, ND_RA, NULL); /* the first of a session: at once */
        if ((ra != NULL) != rows[i].answered || (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
            fail_msg("%s", rows[i].name);
        if (!ra)
            continue;
        struct ip6 to = rows[i].group ? ip6_all_nodes : src;
        assert_int_equal(a.got[0].kind, rows[i].group ? KIND_MULTICAST : KIND_HOST);
        assert_memory_equal(ra + 24, to.b, IP6_LEN);
        assert_memory_equal(ra + 8, from.b, IP6_LEN); /* R16: link-local source */
        assert_int_equal(ra[7], 255);
    }
}

static void R18_later_ones_wait_for_a_timer(void **state)
{
    mono_ns at = 0;
    bool differ = false;
    mono_ns first = 0;

    (void)state;
    scene_start(2);
    adverts_within(&a, 50 * NS_PER_S, &at);
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
    solicit(&a, guest_ll(&a), NULL);
    assert_non_null(guest_packet(&a, ND_RA, NULL));
    for (unsigned i = 0; i < 40; i++) {
        mono_ns asked = rig.now;
        solicit(&a, guest_ll(&a), NULL);
        solicit(&a, guest_ll(&a), NULL); /* one answer to both */
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(adverts_within(&a, NS_PER_S / 2 + 10, &at), 1);
        assert_true(at - asked <= NS_PER_S / 2 + 2);
        differ |= i && at - asked != first;
        first = at - asked;
        if (i % 10 == 9)
            guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
    }
    assert_true(differ);
}

/* RFC 4861 6.2.6: MIN_DELAY_BETWEEN_RAS between those to all nodes. */
static void R18_multicast_ones_keep_apart(void **state)
{
    mono_ns at = 0, last;

    (void)state;
    scene_start(1);
    assert_in_range(adverts_within(&a, 50 * NS_PER_S, &at), 2, 3); /* the initial ones are over */
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
    solicit(&a, ip6_unspecified, NULL);
    last = rig.now;
    for (unsigned i = 0; i < 5; i++) {
        solicit(&a, ip6_unspecified, NULL);
        assert_int_equal(adverts_within(&a, 5 * NS_PER_S, &at), 1);
        assert_true(at - last >= 3 * NS_PER_S);
        last = at;
    }
    /* Asked from two addresses meanwhile: one answer, to all. */
    solicit(&a, guest_ll(&a), NULL);
    solicit(&a, guest_addr(&a), NULL);
    assert_int_equal(adverts_within(&a, 5 * NS_PER_S, &at), 1);
    assert_true(at - last >= 3 * NS_PER_S);
}

static void R18_flood_of_solicitations(void **state)
{
    mono_ns at;
    unsigned n = 0;

    (void)state;
    scene_start(1);
    adverts_within(&a, 50 * NS_PER_S, &at);
    guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
    for (unsigned i = 0; i < 10000; i++) { /* a second of it */
        solicit(&a, guest_ll(&a), NULL);
        n += guest_packet(&a, ND_RA, NULL) != NULL;
        n += adverts_within(&a, NS_PER_S / 10000, &at);
    }
    assert_in_range(n, 2, 30); /* uniform in 0..0.5 s each */
}

static void more_than_the_queue(void **state)
{
    mono_ns at;
    static struct guest g[ADVERTS_WAITING + 5];

    (void)state;
    rig.conf.max_members = 100;
    rig.conf.access = ACCESS_OPEN;
    rig.conf.everyone = true;
    scene_start(0);
    for (unsigned i = 0; i < N(g); i++) {
        char ip[20];
        snprintf(ip, sizeof(ip), "10.1.1.%u", 1 + i);
        guest_init(&g[i], &rig, i, ip, 4000);
        guest_join(&g[i], &rig);
        solicit(&g[i], guest_ll(&g[i]), NULL);
        assert_non_null(guest_packet(&g[i], ND_RA, NULL));
    }
    rig.now += NS_PER_MS;
    for (unsigned i = 0; i < N(g); i++)
        solicit(&g[i], guest_ll(&g[i]), NULL);
    assert_int_equal(rig.re->adverts.n, ADVERTS_WAITING);
    assert_int_equal(adverts_within(&g[N(g) - 1], 3 * NS_PER_S / 2, &at), 1); /* by the sweep */
    assert_int_equal(rig.re->adverts.n, 0);
    /* Who leaves does not wait any more. */
    solicit(&g[0], guest_ll(&g[0]), NULL);
    assert_int_equal(rig.re->adverts.n, 1);
    guest_control(&g[0], &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    assert_int_equal(rig.re->adverts.n, 0);
}

/* ---- what they say ---- */

static size_t build(uint8_t *ra)
{
    struct advert_from from = { .conf = &rig.conf,
                                .b = &rig.re->b,
                                .uplink = rig.re->admit.uplink_up,
                                .link_local = scene_addr("r.ll"),
                                .mac = scene_mac("r"),
                                .now = rig.now };
    return adverts_build(ra, &from, rig_member(&rig, &a), guest_ll(&a));
}

static void R16_R17_R24_what_an_ra_says(void **state)
{
    static const struct {
        const char *name;
        enum uplink_mode uplink;
        enum addressing addressing;
        uint16_t lifetime;
        uint8_t flags, prefix_flags;
    } rows[] = {
        { "routed, stable", UPLINK_ROUTED, ADDRESSING_STABLE, 1800, 0x18, 0x80 },
        { "routed, eui64", UPLINK_ROUTED, ADDRESSING_EUI64, 1800, 0x18, 0xC0 },
        { "no uplink", UPLINK_NONE, ADDRESSING_STABLE, 0, 0, 0x80 },
        { "no uplink, eui64", UPLINK_NONE, ADDRESSING_EUI64, 0, 0, 0xC0 },
    };
    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ra[ND_PACKET_MAX];
        if (i)
            rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.uplink = rows[i].uplink;
        rig.conf.addressing = rows[i].addressing;
        rig.conf.dns[0] = ip6_of("2001:db8:53::1");
        rig.conf.n_dns = 1;
        scene_start(2);
        rig_member(&rig, &a)->mtu = 1380;
        size_t len = build(ra);
        assert_int_equal(ra[44], 64);
        if (ra[45] != rows[i].flags || be16_load(ra + 46) != rows[i].lifetime)
            fail_msg("%s: flags %02x, lifetime %u", rows[i].name, ra[45], be16_load(ra + 46));
        assert_int_equal(be32_load(ra + 48) | be32_load(ra + 52), 0);
        const uint8_t *slla = ra_option(ra, len, 1, 0), *pio = ra_option(ra, len, 3, 0),
                      *mtu = ra_option(ra, len, 5, 0), *dns = ra_option(ra, len, 25, 0);
        assert_true(slla && pio && mtu && dns);
        assert_memory_equal(slla + 2, scene_mac("r").b, MAC_LEN);
        assert_int_equal(be32_load(mtu + 4), 1380);
        assert_int_equal(pio[2], 64);
        assert_int_equal(pio[3], rows[i].prefix_flags);
        assert_int_equal(be32_load(pio + 4), 86400);
        assert_int_equal(be32_load(pio + 8), 14400);
        assert_memory_equal(pio + 16, rig.conf.prefix.addr.b, IP6_LEN);
        assert_null(ra_option(ra, len, 3, 1));
        assert_int_equal(be32_load(dns + 4), 1800); /* R25 */
        assert_memory_equal(dns + 8, rig.conf.dns[0].b, IP6_LEN);
    }
}

static void R16_R19_as_configured(void **state)
{
    static const struct {
        struct advertise set;
        uint32_t min_s, lifetime_s; /* in force */
    } rows[] = {
        { { .max_interval_s = 600, .lifetime_s = ADVERTISE_AUTO }, 450, 1800 },
        { { .max_interval_s = 4, .lifetime_s = ADVERTISE_AUTO }, 3, 12 },
        { { .max_interval_s = 30, .min_interval_s = 10, .lifetime_s = 9000 }, 10, 9000 },
        { { .max_interval_s = 1800, .lifetime_s = 65535 }, 1350, 65535 }, /* RFC 8319 */
        { { .max_interval_s = 65535, .lifetime_s = ADVERTISE_AUTO }, 49151, 65535 },
        { { .max_interval_s = 600, .lifetime_s = 0 }, 450, 0 },
    };
    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ra[ND_PACKET_MAX];
        if (i)
            rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.advertise = rows[i].set;
        rig.conf.advertise.hop_limit = 77;
        rig.conf.advertise.reachable_ms = 30000;
        rig.conf.advertise.retrans_ms = 1500;
        rig.conf.advertise.valid_s = 1000;
        rig.conf.advertise.preferred_s = 900;
        rig.conf.routes[0] = (struct prefix){ .addr = ip6_of("2001:db8:5::"), .len = 48 };
        rig.conf.n_routes = 1;
        scene_start(1);
        size_t len = build(ra);
        assert_int_equal(rig.conf.advertise.min_interval_s, rows[i].min_s);
        assert_int_equal(be16_load(ra + 46), rows[i].lifetime_s);
        assert_int_equal(ra[44], 77);
        assert_int_equal(be32_load(ra + 48), 30000);
        assert_int_equal(be32_load(ra + 52), 1500);
        const uint8_t *pio = ra_option(ra, len, 3, 0), *route = ra_option(ra, len, 24, 0);
        assert_int_equal(be32_load(pio + 4), 1000);
        assert_int_equal(be32_load(pio + 8), 900);
        assert_int_equal(be32_load(route + 4), 3 * rig.conf.advertise.max_interval_s);
        /* never a default router, so settings say so too */
        assert_int_equal(a.s.segment_flags & SEGMENT_DEFAULT_ROUTE,
                         rows[i].lifetime_s ? SEGMENT_DEFAULT_ROUTE : 0);
    }
}

static void R55_routes_of_any_length(void **state)
{
    static const uint8_t length[] = { 1, 7, 8, 48, 63, 64, 65, 96, 127, 128 };

    (void)state;
    for (unsigned i = 0; i < N(length); i++) {
        struct ip6 all = ip6_of("2aaa:aaaa:5555:5555:aaaa:aaaa:5555:5555");
        struct prefix p = { .addr = ip6_mask(all, length[i]), .len = length[i] };
        uint8_t ra[ND_PACKET_MAX], want[IP6_LEN] = { 0 };
        size_t n = p.len <= 64 ? 8 : 16;
        if (i)
            rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.routes[0] = p;
        rig.conf.n_routes = 1;
        scene_start(1);
        size_t len = build(ra);
        const uint8_t *route = ra_option(ra, len, 24, 0);
        assert_non_null(route);
        assert_int_equal(route[1], 1 + n / 8); /* R24: RFC 4191 2.3 */
        assert_int_equal(route[2], p.len);
        memcpy(want, p.addr.b, n);
        assert_memory_equal(route + 8, want, n);
        assert_int_equal(a.s.n_route, 1);
        assert_int_equal(a.s.route[0].len, p.len);
        assert_true(ip6_eq(a.s.route[0].addr, p.addr));
    }
}

/* ---- when they come ---- */

static void R19_intervals(void **state)
{
    static const uint32_t words[] = { 0, 1, 0x7FFFFFFF, 0x80000000, UINT32_MAX };
    struct router_config conf;

    (void)state;
    router_config_defaults(&conf);
    router_config_finish(&conf);
    scene_start(0);
    assert_int_equal(adverts_interval(&conf, 3, 0), 450 * NS_PER_S);
    for (unsigned i = 0; i < N(words); i++) {
        assert_in_range(adverts_interval(&conf, 3, words[i]), 450 * NS_PER_S, 600 * NS_PER_S);
        if (i)
            assert_true(adverts_interval(&conf, 3, words[i]) >
                        adverts_interval(&conf, 3, words[i - 1]));
        for (unsigned sent = 0; sent < 3; sent++)
            assert_int_equal(adverts_interval(&conf, sent, words[i]), 16 * NS_PER_S);
    }
    conf.advertise.min_interval_s = 3;
    conf.advertise.max_interval_s = 4;
    assert_in_range(adverts_interval(&conf, 0, words[2]), 3 * NS_PER_S, 4 * NS_PER_S);
}

static void R19_first_three_are_close(void **state)
{
    mono_ns at = 0;

    (void)state;
    scene_start(1); /* the first of them at confirmation */
    mono_ns start = rig.now;
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(adverts_within(&a, 17 * NS_PER_S + NS_PER_S / 2, &at), 1);
        assert_true(at - start <= (i + 1) * (17 * NS_PER_S + NS_PER_S / 2));
        guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
    }
    assert_int_equal(adverts_within(&a, 50 * NS_PER_S, &at), 0);
}

static void R22_seven_an_hour(void **state)
{
    (void)state;
    scene_start(1);
    (void)adverts_of_a_life(&a, 250 * NS_PER_S); /* the first few */
    assert_in_range(adverts_of_a_life(&a, 14400 * NS_PER_S), 4 * 6 - 1, 4 * 8);
}

/* The uplink goes: three advertisements with lifetime 0, then again one now and then. */
static void R20_final_ones_are_three(void **state)
{
    mono_ns at = 0;
    size_t len;

    (void)state;
    scene_start(1);
    (void)adverts_of_a_life(&a, 250 * NS_PER_S);
    router_engine_uplink(rig.re, false, rig.now);
    for (unsigned i = 0; i < 3; i++) {
        mono_ns end = rig.now + 18 * NS_PER_S;
        unsigned n = 0;
        while (router_engine_deadline(rig.re) <= end) {
            rig.now =
                router_engine_deadline(rig.re) > rig.now ? router_engine_deadline(rig.re) : rig.now;
            rig_tick(&rig);
            guest_take(&a, &rig);
            const uint8_t *ra = guest_packet(&a, ND_RA, &len);
            if (!ra)
                continue;
            n++;
            assert_int_equal(be16_load(ra + 46), 0);
            break;
        }
        assert_int_equal(n, 1);
        guest_control(&a, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 7 }, 0);
    }
    assert_int_equal(adverts_within(&a, 50 * NS_PER_S, &at), 0);
}

/* ---- another prefix ---- */

#define NEW_PREFIX ((struct prefix){ .addr = ip6_of("2001:db8:2::"), .len = 64 })

static void change(const char *prefix, const char *address)
{
    struct prefix p = { .addr = ip6_of(prefix), .len = 64 };
    assert_true(router_engine_prefix_change(rig.re, p, ip6_of(address), rig.now));
    router_check(rig.re);
}

/* What @g is told at the next tick. */
static const uint8_t *told(struct guest *g, size_t *ret_len, struct settings *s)
{
    struct control ctl;

    guest_take(g, &rig);
    assert_int_equal(guest_has_control(g, TLV_SETTINGS, &ctl), 1);
    assert_true(wire_get_settings(ctl.body, ctl.body_len, s));
    const uint8_t *ra = guest_packet(g, ND_RA, ret_len);
    assert_non_null(ra);
    return ra;
}

static void R20_R23_prefix_changes(void **state)
{
    static const enum addressing modes[] = { ADDRESSING_STABLE, ADDRESSING_EUI64 };

    (void)state;
    for (unsigned i = 0; i < N(modes); i++) {
        struct settings s[2];
        size_t len;
        if (i)
            rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.addressing = modes[i];
        scene_start(2);
        struct ip6 old = guest_addr(&a);
        change("2001:db8:2::", "2001:db8:2::1");
        assert_false(router_engine_prefix_change(rig.re, NEW_PREFIX, ip6_of("2001:db8:2::1"),
                                                 rig.now)); /* nothing new */
        assert_true(router_engine_deadline(rig.re) <= rig.now);
        rig_tick(&rig);
        (void)told(&b, &len, &s[1]);
        const uint8_t *ra = told(&a, &len, &s[0]), *pio = ra_option(ra, len, 3, 0);
        /* the new one as ever */
        assert_memory_equal(pio + 16, NEW_PREFIX.addr.b, IP6_LEN);
        assert_int_equal(be32_load(pio + 8), 14400);
        /* the old one deprecated (RFC 7084 L-13) */
        pio = ra_option(ra, len, 3, 1);
        assert_non_null(pio);
        assert_memory_equal(pio + 16, ip6_of("2001:db8:1::").b, IP6_LEN);
        assert_int_equal(be32_load(pio + 8), 0);
        assert_int_equal(be32_load(pio + 4), 7200);
        assert_int_equal(pio[3], modes[i] == ADDRESSING_EUI64 ? 0xC0 : 0x80);
        assert_null(ra_option(ra, len, 3, 2));
        /* settings: the new address, and how long the old one may serve */
        assert_int_equal(s[0].n_address, 1);
        assert_true(ip6_in(s[0].address[0].addr, NEW_PREFIX));
        assert_true(ip6_eq(s[0].segment.addr, NEW_PREFIX.addr));
        assert_int_equal(s[0].n_old, 1);
        assert_true(ip6_eq(s[0].old[0].prefix.addr, ip6_of("2001:db8:1::")));
        assert_int_equal(s[0].old[0].prefix.len, 64);
        assert_int_equal(s[0].old[0].valid_s, 7200);
        assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), s[0].address[0].addr));
        assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), old));
        /* the valid lifetime counts down, and ends */
        uint8_t out[ND_PACKET_MAX];
        rig.now += 3000 * NS_PER_S;
        len = build(out);
        assert_in_range(be32_load(ra_option(out, len, 3, 1) + 4), 4199, 4200);
        rig.now += 4201 * NS_PER_S;
        len = build(out);
        assert_null(ra_option(out, len, 3, 1));
    }
}

struct use { /* of an address of the old prefix, or of the new */
    const char *name;
    struct ip6 src, dst;
    bool to_b, to_world;
    int code; /* of "unreachable"; -1 none */
    enum drop why;
};

static void uses(const struct use *rows, unsigned n)
{
    uint8_t ip[60];

    for (unsigned i = 0; i < n; i++) {
        (void)put_udp6(ip, rows[i].src, rows[i].dst, sizeof(ip));
        guest_says(&a, ip6_is_multicast(rows[i].dst) ? KIND_MULTICAST : KIND_PEER, "b", ip,
                   sizeof(ip));
        const uint8_t *error = guest_packet(&a, ICMP6_UNREACH, NULL);
        if ((b.n_got == 1) != rows[i].to_b || rig.out.n_pk != rows[i].to_world ||
            (error ? error[41] : -1) != rows[i].code ||
            (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
            fail_msg("%s: %u to b, %u out, error %d", rows[i].name, b.n_got, rig.out.n_pk,
                     error ? error[41] : -1);
        if (error) /* from our own new address */
            assert_memory_equal(error + 8, ip6_of("2001:db8:2::1").b, IP6_LEN);
    }
}

/* From the uplink: what comes of it, by the datagrams that go out. */
static void comes_in(struct ip6 src, struct ip6 dst, unsigned delivered, enum drop why)
{
    uint8_t ip[60];

    rig_tun(&rig, ip, put_udp6(ip, src, dst, sizeof(ip)));
    assert_int_equal(rig.out.n_dg, delivered);
    if (why)
        assert_int_equal(rig_drops(&rig, why), 1);
}

static void R23_R53_old_sources(void **state)
{
    static const enum addressing modes[] = { ADDRESSING_STABLE, ADDRESSING_EUI64 };
    const struct ip6 world = ip6_of("2001:db8:99::1"), r_old = ip6_of("2001:db8:1::1"),
                     free_old = ip6_of("2001:db8:1::77");

    (void)state;
    for (unsigned i = 0; i < N(modes); i++) {
        struct settings s[2];
        size_t len;
        if (i)
            rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.addressing = modes[i];
        scene_start(2);
        struct ip6 old_a = guest_addr(&a), old_b = guest_addr(&b);
        change("2001:db8:2::", "2001:db8:2::1");
        rig_tick(&rig);
        (void)told(&a, &len, &s[0]);
        (void)told(&b, &len, &s[1]);
        struct ip6 new_a = s[0].address[0].addr, new_b = s[1].address[0].addr;
        /* Deprecated: what used it goes on. */
        const struct use valid[] = {
            { "old to the world", old_a, world, false, true, -1, DROP_NONE },
            { "old to a peer's new", old_a, new_b, true, false, -1, DROP_NONE },
            { "old to a peer's old", old_a, old_b, true, false, -1, DROP_NONE },
            { "old to the router's old", old_a, r_old, false, true, -1, DROP_NONE },
            { "old of another", old_b, world, false, false, 5, DROP_SRC_GUARD },
            { "old of the router", r_old, world, false, false, 5, DROP_SRC_GUARD },
            { "a free one of the old", free_old, world, false, false, 5, DROP_SRC_GUARD },
            { "new to the world", new_a, world, false, true, -1, DROP_NONE },
            { "new to a peer", new_a, new_b, true, false, -1, DROP_NONE },
            { "new to a peer's old", new_a, old_b, true, false, -1, DROP_NONE },
            { "new to nobody's old", new_a, free_old, false, false, 3, DROP_NO_OWNER },
            { "another's new", new_b, world, false, false, -1, DROP_SRC_GUARD },
            { "link-local", guest_ll(&a), guest_ll(&b), true, false, -1, DROP_NONE },
        };
        uses(valid, N(valid));
        comes_in(old_a, new_b, 0, DROP_SRC_SEGMENT);
        comes_in(world, old_b, 1, DROP_NONE);
        comes_in(r_old, old_b, 1, DROP_NONE); /* the TUN keeps it as long */
        comes_in(world, new_b, 1, DROP_NONE);
        /* Over: who still uses it is told so. */
        rig.re->b.old[0].until = rig.now;
        rig.now += 2 * NS_PER_S;
        rig_tick(&rig);
        router_check(rig.re);
        assert_false(bindings_owns(&rig.re->b, rig_member(&rig, &a), old_a));
        const struct use over[] = {
            { "over, to the world", old_a, world, false, false, 5, DROP_SRC_GUARD },
            { "over, to a peer's new", old_a, new_b, false, false, 5, DROP_SRC_GUARD },
            { "over, to a group", old_a, ip6_all_nodes, false, false, -1, DROP_SRC_GUARD },
            { "new to a peer's that is over", new_a, old_b, false, false, 3, DROP_NO_OWNER },
            { "new to the router's that is over", new_a, r_old, false, false, 3, DROP_NO_OWNER },
            { "new to the world", new_a, world, false, true, -1, DROP_NONE },
        };
        uses(over, N(over));
        comes_in(old_a, new_b, 0, DROP_SRC_SEGMENT);
        comes_in(world, old_b, 0, DROP_NO_OWNER);
        /* Two hours later it is like any other. */
        (void)adverts_of_a_life(&a, OLD_PREFIX_LIFE);
        assert_int_equal(rig.re->b.n_old, 0);
        const struct use forgotten[] = {
            { "forgotten", old_a, world, false, false, -1, DROP_SRC_GUARD },
            { "to one forgotten", new_a, old_b, false, true, -1, DROP_NONE },
        };
        uses(forgotten, N(forgotten));
    }
}

/* A prefix that overlaps the new one cannot be deprecated beside it: it ends at once. */
static void R23_overlapping(void **state)
{
    struct prefix wide = { .addr = ip6_of("2001:db8:1::"), .len = 56 };
    struct settings s;
    size_t len;

    (void)state;
    scene_start(1);
    struct ip6 old = guest_addr(&a);
    assert_true(router_engine_prefix_change(rig.re, wide, ip6_of("2001:db8:1::1"), rig.now));
    router_check(rig.re);
    rig_tick(&rig);
    (void)told(&a, &len, &s);
    assert_int_equal(s.n_old, 0);
    assert_int_equal(s.segment.len, 56);
    if (!ip6_eq(s.address[0].addr, old))
        assert_false(bindings_owns(&rig.re->b, rig_member(&rig, &a), old));
    change("2001:db8:1::", "2001:db8:1::1"); /* and back to the narrow one */
    assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), old));
    assert_int_equal(rig_member(&rig, &a)->n_bound, 1);
}

/* What was learned stays while its prefix is valid, link-local addresses for good. There and back
 * again; more changes than are remembered. */
static void R23_prefix_changes_often(void **state)
{
    uint8_t ip[60];

    (void)state;
    scene_start(2);
    struct member *m = rig_member(&rig, &a);
    (void)put_udp6(ip, ip6_of("2001:db8:1::77"), ip6_of("2001:db8:99::1"), sizeof(ip));
    guest_says(&a, KIND_HOST, "r", ip, sizeof(ip));
    (void)put_udp6(ip, ip6_of("fe80::77"), guest_ll(&b), sizeof(ip));
    guest_says(&a, KIND_PEER, "b", ip, sizeof(ip));
    assert_int_equal(m->n_learned, 2);
    struct ip6 before = guest_addr(&a);
    change("2001:db8:2::", "2001:db8:2::1");
    assert_int_equal(m->n_learned, 2);
    assert_true(bindings_owns(&rig.re->b, m, ip6_of("fe80::77")));
    change("2001:db8:1::", "2001:db8:1::1");
    assert_true(bindings_owns(&rig.re->b, m, before)); /* its stable address of that prefix */
    assert_int_equal(rig.re->b.n_old, 1);              /* 2::, and not the one that is back */
    assert_true(bindings_was_in_segment(&rig.re->b, ip6_of("2001:db8:2::5")));
    assert_false(bindings_was_in_segment(&rig.re->b, before));
    for (unsigned i = 3; i < 3 + 2 * OLD_PREFIXES; i++) {
        struct prefix p = { .addr = ip6_of("2001:db8::"), .len = 64 };
        struct ip6 own;
        p.addr.b[5] = (uint8_t)i;
        own = p.addr;
        own.b[15] = 1;
        rig.now += NS_PER_S;
        assert_true(router_engine_prefix_change(rig.re, p, own, rig.now));
        router_check(rig.re);
        assert_true(rig.re->b.n_old <= OLD_PREFIXES);
    }
    assert_true(bindings_was_in_segment(&rig.re->b, ip6_of("2001:db8:7::5")));
    /* Only our own address is another: members keep theirs. */
    struct ip6 now_has = m->bound[m->n_bound - 1].addr;
    assert_true(
        router_engine_prefix_change(rig.re, rig.re->b.prefix, ip6_of("2001:db8:8::99"), rig.now));
    router_check(rig.re);
    assert_true(bindings_owns(&rig.re->b, m, now_has));
    assert_true(bindings_owner(&rig.re->b, ip6_of("2001:db8:8::99"), &m) == OWNER_ROUTER);
}

/* A login that was answered before the change is not confirmed with an address of the old prefix.
 */
static void R23_login_under_way(void **state)
{
    (void)state;
    scene_start(1);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_ask(&b, &rig);
    change("2001:db8:2::", "2001:db8:2::1");
    guest_confirm(&b, &rig);
    assert_int_equal(guest_has_control(&b, TLV_LOGIN_AGAIN, NULL), 1);
    assert_null(rig_member(&rig, &b));
    rig.now += NS_PER_S;
    guest_join(&b, &rig);
    assert_true(ip6_in(guest_addr(&b), NEW_PREFIX));
    guest_take(&b, &rig);
    rig.now += 2 * NS_PER_S;
    rig_tick(&rig);
    guest_take(&b, &rig);
    assert_int_equal(guest_has_control(&b, TLV_SETTINGS, NULL), 0); /* it knows */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(R1_R21_who_is_answered),
        RIG_ROW(R18_later_ones_wait_for_a_timer),
        RIG_ROW(R18_multicast_ones_keep_apart),
        RIG_ROW(R18_flood_of_solicitations),
        RIG_ROW(more_than_the_queue),
        RIG_ROW(R16_R17_R24_what_an_ra_says),
        RIG_ROW(R16_R19_as_configured),
        RIG_ROW(R55_routes_of_any_length),
        RIG_ROW(R19_intervals),
        RIG_ROW(R19_first_three_are_close),
        RIG_ROW(R22_seven_an_hour),
        RIG_ROW(R20_final_ones_are_three),
        RIG_ROW(R20_R23_prefix_changes),
        RIG_ROW(R23_R53_old_sources),
        RIG_ROW(R23_overlapping),
        RIG_ROW(R23_prefix_changes_often),
        RIG_ROW(R23_login_under_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
