/* SPDX-License-Identifier: MIT */
/* test_multicast.c - multicast between members, listener reports, the router's queries, storms; and
 * members that do not see each other (R37, R38, H53, H58, H59, H71) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/cksum.h"
#include "scene.h"

#define MDNS "ff02::fb"

static const struct mac zero;

static int set_up(void **state)
{
    rig_set_up(state);
    rig.conf.multicast = true;
    return 0;
}

/* A report of one group as Linux sends it: MLDv2 behind a hop-by-hop header with Router Alert. */
static size_t put_report(uint8_t *p, struct ip6 src, struct ip6 dst, const char *group, bool joins)
{
    static const uint8_t options[8] = { NH_ICMPV6, 0, 5, 2, 0, 0, 1, 0 };
    struct ip6 g = ip6_of(group);
    const size_t icmp_len = 28;

    memset(p, 0, 48 + icmp_len);
    p[0] = 0x60;
    p[5] = (uint8_t)(8 + icmp_len);
    p[6] = NH_HOPOPTS;
    p[7] = 1;
    memcpy(p + 8, src.b, IP6_LEN);
    memcpy(p + 24, dst.b, IP6_LEN);
    memcpy(p + 40, options, sizeof(options));
    p[48] = ICMP6_MLD2_REPORT;
    p[55] = 1;
    p[56] = joins ? 4 : 3;
    memcpy(p + 60, g.b, IP6_LEN);
    be16_store(p + 50, cksum_upper(p, NH_ICMPV6, p + 48, icmp_len));
    return 48 + icmp_len;
}

static void listen_to(struct guest *g, const char *group, bool joins)
{
    uint8_t p[96];
    size_t len = put_report(p, guest_ll(g), ip6_of("ff02::16"), group, joins);
    guest_ip(g, &rig, KIND_MULTICAST, zero, p, len);
}

/* How many IPv6 packets the last call brought @g, and that they are what @from sent. */
static unsigned hears(struct guest *g, const struct guest *from, const uint8_t *p, size_t len)
{
    unsigned n = 0;

    guest_take(g, &rig);
    for (unsigned i = 0; i < g->n_got; i++) {
        const struct got *got = &g->got[i];
        if (got->kind == KIND_CONTROL)
            continue;
        assert_int_equal(got->kind, KIND_MULTICAST);
        assert_int_equal(got->len, MAC_LEN + len);
        assert_memory_equal(got->p, from->s.mac.b, MAC_LEN);
        assert_memory_equal(got->p + MAC_LEN, p, len); /* hop limit and all */
        n++;
    }
    return n;
}

/* ---- who hears what ---- */

static void R37_who_hears(void **state) /* R37, H71 */
{
    static const struct {
        const char *name, *dst;
        bool multicast, isolate, echo;
        unsigned b, c, router; /* b listens to mDNS and ff05::9, c to ff05::9 */
    } rows[] = {
        { "all-nodes", "ff02::1", true, false, false, 1, 1, 0 },
        { "mDNS", MDNS, true, false, false, 1, 0, 0 },
        { "a group of both", "ff05::9", true, false, false, 1, 1, 0 },
        { "a group of nobody", "ff05::8", true, false, false, 0, 0, 0 },
        { "solicited-node", "ff02::1:ff00:5", true, false, false, 0, 0, 0 },
        { "all-nodes of the interface", "ff01::1", true, false, false, 0, 0, 0 },
        { "mDNS of the interface", "ff01::fb", true, false, false, 0, 0, 0 },
        { "all-routers", "ff02::2", true, false, false, 0, 0, 0 },
        { "echo to all-nodes", "ff02::1", true, false, true, 1, 1, 1 },
        { "echo to all-routers", "ff02::2", true, false, true, 0, 0, 1 },
        { "echo to mDNS", MDNS, true, false, true, 1, 0, 0 },
        { "off: all-nodes", "ff02::1", false, false, false, 0, 0, 0 },
        { "off: mDNS", MDNS, false, false, false, 0, 0, 0 },
        { "off: echo to all-nodes", "ff02::1", false, false, true, 0, 0, 1 },
        { "off: echo to all-routers", "ff02::2", false, false, true, 0, 0, 1 },
        { "isolate: all-nodes", "ff02::1", true, true, false, 0, 0, 0 },
        { "isolate: mDNS", MDNS, true, true, false, 0, 0, 0 },
        { "isolate: echo to all-nodes", "ff02::1", true, true, true, 0, 0, 1 },
    };
    static const enum wire_kind kinds[] = { KIND_MULTICAST, KIND_PEER, KIND_HOST };
    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < N(rows); i++) {
        rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.multicast = rows[i].multicast;
        rig.conf.isolate = rows[i].isolate;
        scene_start(3);
        listen_to(&b, MDNS, true);
        listen_to(&b, "ff05::9", true);
        listen_to(&c, "ff05::9", true);
        listen_to(&a, "ff05::9", true); /* the sender does not hear itself */
        for (unsigned k = 0; k < N(kinds); k++) {
            uint8_t p[80];
            size_t len =
                (rows[i].echo ? put_echo6 : put_udp6)(p, guest_ll(&a), ip6_of(rows[i].dst), 70);
            guest_ip(&a, &rig, kinds[k], kinds[k] == KIND_PEER ? b.s.mac : zero, p, len);
            unsigned at_b = hears(&b, &a, p, len), at_c = hears(&c, &a, p, len);
            const uint8_t *reply = guest_packet(&a, ICMP6_ECHO_REPLY, NULL);
            if (at_b != rows[i].b || at_c != rows[i].c || (reply != NULL) != rows[i].router ||
                a.n_got != rows[i].router)
                fail_msg("%s, kind %d: b %u, c %u, reply %d, a got %u", rows[i].name, (int)kinds[k],
                         at_b, at_c, reply != NULL, a.n_got);
            if (rig_drops(&rig, DROP_MULTICAST) != !(at_b || at_c || reply))
                fail_msg("%s: counted wrongly", rows[i].name);
            assert_int_equal(rig.out.n_pk, 0); /* none of it goes up */
            rig.now += NS_PER_S / 10;
        }
    }
}

static void R67_H71_sources_are_guarded(void **state) /* H71: smurf */
{
    uint8_t p[80];

    (void)state;
    scene_start(3);
    size_t len = put_echo6(p, guest_addr(&b), ip6_of("ff02::1"), 70);
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(rig_drops(&rig, DROP_SRC_GUARD), 1);
    assert_int_equal(rig.out.n_dg, 0);
}

static void too_long(void **state)
{
    uint8_t p[CAST_PACKET + 1];

    (void)state;
    scene_start(3);
    for (unsigned i = 0; i < 3; i++)
        rig.re->ms.m[i].mtu = 1600;
    rig_member(&rig, &c)->mtu = CAST_PACKET - 1;
    size_t len = put_udp6(p, guest_ll(&a), ip6_of("ff02::1"), CAST_PACKET);
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(hears(&b, &a, p, len), 1);
    assert_int_equal(hears(&c, &a, p, len), 0);
    len = put_udp6(p, guest_ll(&a), ip6_of("ff02::1"), CAST_PACKET + 1);
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(rig_drops(&rig, DROP_TOO_BIG), 1);
    assert_int_equal(rig.out.n_dg, 1);
    const uint8_t *error = guest_packet(&a, ICMP6_TOO_BIG, NULL);
    assert_non_null(error);
    assert_int_equal(be32_load(error + 44), CAST_PACKET);
}

/* ---- reports and queries ---- */

static void R38_reports_stay_here(void **state) /* R38, H59 */
{
    static const char *const dst[] = { "ff02::16", MDNS, "ff02::1", "ff02::2", "b", "b.ll" };

    (void)state;
    rig_start(&rig);
    for (unsigned on = 0; on < 2; on++) {
        rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.multicast = on;
        scene_start(3);
        listen_to(&b, MDNS, true);
        listen_to(&c, MDNS, true);
        for (unsigned i = 0; i < N(dst); i++) {
            for (unsigned k = KIND_HOST; k <= KIND_MULTICAST; k++) {
                uint8_t p[96];
                struct ip6 to = strcmp(dst[i], "b") == 0      ? guest_addr(&b)
                                : strcmp(dst[i], "b.ll") == 0 ? guest_ll(&b)
                                                              : ip6_of(dst[i]);
                struct ip6 from = k % 2 ? guest_ll(&a) : ip6_of("::");
                size_t len = put_report(p, from, to, MDNS, true);
                guest_ip(&a, &rig, k, k == KIND_PEER ? b.s.mac : zero, p, len);
                assert_int_equal(rig.out.n_dg, 0);
                assert_int_equal(rig.out.n_pk, 0);
                assert_int_equal(rig_drops(&rig, DROP_MULTICAST), !on);
            }
        }
        if (on)
            assert_true(groups_listens(&rig.re->groups,
                                       member_slot(&rig.re->ms, rig_member(&rig, &a)),
                                       groups_find(&rig.re->groups, ip6_of(MDNS))));
    }
}

static void R38_H59_bad_reports_and_queries(void **state) /* H59 */
{
    uint8_t p[96];

    (void)state;
    scene_start(3);
    size_t len = put_report(p, guest_ll(&b), ip6_of("ff02::16"), MDNS, true);
    p[7] = 64;
    guest_ip(&b, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(rig_drops(&rig, DROP_MLD_INVALID), 1);
    assert_int_equal(groups_find(&rig.re->groups, ip6_of(MDNS)), GROUP_NONE);
    len = mld_build_query(p, guest_ll(&b)); /* clients are no queriers */
    guest_ip(&b, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(rig_drops(&rig, DROP_ND_ROLE), 1);
    assert_int_equal(rig.out.n_dg, 0);
    for (unsigned i = 0; i < GROUPS_PER_MEMBER; i++) {
        char text[16];
        snprintf(text, sizeof(text), "ff05::1:%x", i);
        listen_to(&b, text, true);
        assert_int_equal(rig_drops(&rig, DROP_FULL), 0);
    }
    listen_to(&b, MDNS, true);
    assert_int_equal(rig_drops(&rig, DROP_FULL), 1);
}

static void leaving(void **state)
{
    uint8_t p[80];

    (void)state;
    scene_start(3);
    listen_to(&b, MDNS, true);
    listen_to(&c, MDNS, true);
    size_t len = put_udp6(p, guest_ll(&a), ip6_of(MDNS), 70);
    listen_to(&b, MDNS, false);
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(hears(&b, &a, p, len), 0);
    assert_int_equal(hears(&c, &a, p, len), 1);
    guest_control(&c, &rig, &(struct control){ .type = TLV_GOODBYE }, 0);
    assert_null(rig_member(&rig, &c));
    assert_int_equal(groups_find(&rig.re->groups, ip6_of(MDNS)), GROUP_NONE);
    guest_join(&c, &rig); /* the same slot, but nothing is known of it */
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(hears(&c, &a, p, len), 0);
}

/* @g lives for @d and says so; how many queries does it hear, and when was the last? */
static unsigned queries(struct guest *g, mono_ns d, mono_ns *ret_last)
{
    unsigned n = 0;

    for (mono_ns end = rig.now + d; rig.now < end;) {
        mono_ns next = router_engine_deadline(rig.re);
        rig.now = next > rig.now ? (next < end ? next : end) : rig.now + 1;
        rig_tick(&rig);
        guest_take(g, &rig);
        const uint8_t *ip = NULL;
        for (unsigned i = 0; i < g->n_got; i++) {
            const uint8_t *q = g->got[i].p + MAC_LEN;
            if (g->got[i].kind == KIND_MULTICAST && q[6] == NH_HOPOPTS && q[48] == ICMP6_MLD_QUERY)
                ip = q;
        }
        if (ip) {
            uint8_t want[MLD_QUERY_LEN];
            mld_build_query(want, mac_link_local(mac_of_endpoint(rig.conf.public_ep)));
            assert_memory_equal(ip, want, sizeof(want));
            n++;
            *ret_last = rig.now;
        }
        guest_control(g, &rig, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = 1 }, 0);
    }
    return n;
}

static void the_router_asks(void **state) /* RFC 3810 7.6, 9.2 */
{
    mono_ns first = 0, second = 0;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_join(&a, &rig);
    mono_ns joined = rig.now;
    assert_int_equal(queries(&a, 2 * NS_PER_S, &first), 1); /* what it listens to is not known */
    assert_true(first <= joined + NS_PER_S);
    assert_int_equal(queries(&a, MLD_QUERY_INTERVAL, &second), 1);
    assert_true(second >= first + MLD_QUERY_INTERVAL &&
                second <= first + MLD_QUERY_INTERVAL + 2 * NS_PER_S);
    guest_rekey(&a, &rig);
    assert_int_equal(queries(&a, 2 * NS_PER_S, &first), 0); /* nothing has changed */
    guest_join(&a, &rig); /* from outside: may be a program that has just started */
    assert_int_equal(queries(&a, 2 * NS_PER_S, &first), 1);
}

static void off_asks_nobody(void **state)
{
    mono_ns last;

    (void)state;
    rig.conf.multicast = false;
    scene_start(3);
    assert_int_equal(queries(&a, 130 * NS_PER_S, &last), 0);
}

static void who_no_longer_reports(void **state) /* RFC 3810 9.4 */
{
    uint8_t p[80];
    mono_ns last, joined;

    (void)state;
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_join(&b, &rig);
    listen_to(&b, MDNS, true);
    joined = rig.now;
    queries(&b, MLD_LISTENER_LIFE / 2, &last);
    guest_rekey(&b, &rig);
    queries(&b, joined + MLD_LISTENER_LIFE - 2 * NS_PER_S - rig.now, &last);
    guest_join(&a, &rig);
    size_t len = put_udp6(p, guest_ll(&a), ip6_of(MDNS), 70);
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(hears(&b, &a, p, len), 1);
    queries(&b, 4 * NS_PER_S, &last);
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_int_equal(hears(&b, &a, p, len), 0);
    assert_int_equal(rig_drops(&rig, DROP_MULTICAST), 1);
}

/* ---- storms ---- */

static unsigned count(const struct guest *g, enum wire_kind kind, const struct guest *from)
{
    unsigned n = 0;
    for (unsigned i = 0; i < g->n_got; i++)
        n += g->got[i].kind == kind && memcmp(g->got[i].p, from->s.mac.b, MAC_LEN) == 0;
    return n;
}

static void queue_udp(struct guest *g, enum wire_kind kind, struct mac to, struct ip6 src,
                      struct ip6 dst)
{
    uint8_t p[MAC_LEN + 70], d[RIG_BUF];
    memcpy(p, to.b, MAC_LEN);
    size_t len = put_udp6(p + MAC_LEN, src, dst, 70);
    len = guest_seal(g, &rig, kind, p, MAC_LEN + len, d);
    rig_queue(&rig, g->ep, d, len);
}

/* One client storms for a second; others' unicast and their own multicast do not suffer. */
static void R37_H58_storm(void **state) /* H58 */
{
    unsigned flow = 0, storm = 0, quiet = 0;
    uint64_t dropped = 0;

    (void)state;
    scene_start(3);
    listen_to(&c, MDNS, true);
    for (unsigned ms = 0; ms < 1000; ms++) {
        rig.now += NS_PER_MS;
        for (unsigned i = 0; i < 20; i++)
            queue_udp(&a, KIND_MULTICAST, zero, guest_ll(&a), ip6_of("ff02::1"));
        queue_udp(&b, KIND_PEER, c.s.mac, guest_addr(&b), guest_addr(&c));
        if (ms % 100 == 50)
            queue_udp(&b, KIND_MULTICAST, zero, guest_ll(&b), ip6_of(MDNS));
        rig_run(&rig);
        dropped += rig_drops(&rig, DROP_MULTICAST_RATE);
        guest_take(&c, &rig);
        flow += count(&c, KIND_PEER, &b);
        storm += count(&c, KIND_MULTICAST, &a);
        quiet += count(&c, KIND_MULTICAST, &b);
    }
    assert_int_equal(flow, 1000);
    assert_int_equal(quiet, 10);
    /* Its burst is cut further by the places it may take at a time. */
    assert_true(storm >= CAST_PER_S && storm <= CAST_BURST + CAST_PER_S + 1);
    assert_int_equal(dropped, 20000 - storm);
}

/* Copies under way are the next deadline, and a tick carries them on. */
static void the_rest_is_made_by_ticks(void **state)
{
    struct guest d;

    (void)state;
    scene_start(3);
    guest_init(&d, &rig, 3, "198.51.100.10", 4000);
    guest_join(&d, &rig);
    for (unsigned i = 0; i < CAST_JOBS; i++) /* three copies each, more than a slice */
        queue_udp(i % 2 ? &a : &b, KIND_MULTICAST, zero, guest_ll(i % 2 ? &a : &b),
                  ip6_of("ff02::1"));
    rig_run(&rig);
    guest_take(&d, &rig);
    unsigned n = count(&d, KIND_MULTICAST, &a) + count(&d, KIND_MULTICAST, &b);
    assert_true(n < CAST_JOBS);
    mono_ns at = router_engine_deadline(rig.re);
    assert_true(at > rig.now && at <= rig.now + (CAST_COPIES + 1) * CAST_COPY_TIME);
    rig.now = at;
    rig_tick(&rig);
    guest_take(&d, &rig);
    n += count(&d, KIND_MULTICAST, &a) + count(&d, KIND_MULTICAST, &b);
    assert_int_equal(n, CAST_JOBS);
    rig_wait(&rig, NS_PER_S);
}

/* ---- isolate ---- */

static const uint8_t *option(const uint8_t *ip, size_t len, uint8_t type)
{
    for (size_t at = IP6_HDR_LEN + 16; at + 8 <= len; at += 8u * ip[at + 1]) {
        if (ip[at] == type)
            return ip + at;
    }
    return NULL;
}

static void isolate_is_told(void **state)
{
    (void)state;
    rig_start(&rig);
    for (unsigned on = 0; on < 2; on++) {
        size_t len;
        rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.isolate = on;
        rig_start(&rig);
        guest_init(&a, &rig, 0, "198.51.100.7", 4000);
        guest_join(&a, &rig);
        const uint8_t *ra = guest_packet(&a, ND_RA, &len);
        assert_non_null(ra);
        const uint8_t *pio = option(ra, len, 3);
        assert_non_null(pio);
        assert_int_equal(pio[3] & 0x80, on ? 0 : 0x80);
        assert_int_equal(a.s.segment_flags & SEGMENT_ON_LINK, on ? 0 : SEGMENT_ON_LINK);
        assert_true(a.s.segment_flags & SEGMENT_DEFAULT_ROUTE);
    }
}

static void isolate_hides(void **state)
{
    static const struct {
        const char *name;
        enum wire_kind kind;
        bool ll, refused; /* refused: 1/1 from the router */
        uint8_t nd;       /* 0: UDP */
        bool solicited_node;
    } rows[] = {
        { "packet to the peer", KIND_PEER, false, true, 0, false },
        { "packet by the router", KIND_HOST, false, true, 0, false },
        { "packet to the peer's link-local", KIND_PEER, true, true, 0, false },
        { "multicast NS", KIND_MULTICAST, false, false, ND_NS, true },
        { "multicast NS, link-local", KIND_MULTICAST, true, false, ND_NS, true },
        { "unicast NS", KIND_PEER, false, false, ND_NS, false },
        { "unicast NA", KIND_PEER, false, false, ND_NA, false },
    };
    (void)state;
    rig.conf.isolate = true;
    scene_start(3);
    struct mac router = mac_of_endpoint(rig.conf.public_ep);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t p[128];
        struct ip6 src = rows[i].ll ? guest_ll(&a) : guest_addr(&a);
        struct ip6 dst = rows[i].ll ? guest_ll(&b) : guest_addr(&b), to = dst;
        size_t len = put_udp6(p, src, dst, 70);
        if (rows[i].solicited_node) {
            to = ip6_of("ff02::1:ff00:0");
            memcpy(to.b + 13, dst.b + 13, 3);
        }
        if (rows[i].nd == ND_NS)
            len = nd_build_ns(p, src, to, dst, &a.s.mac, NULL);
        if (rows[i].nd == ND_NA)
            len = nd_build_na(p, src, dst, src, ND_NA_S, a.s.mac);
        guest_ip(&a, &rig, rows[i].kind, rows[i].kind == KIND_PEER ? b.s.mac : zero, p, len);
        if (rig_drops(&rig, DROP_ISOLATED) != 1 || rig_octets_to(&rig, b.ep) != 0)
            fail_msg("%s", rows[i].name);
        const uint8_t *err = guest_packet(&a, ICMP6_UNREACH, NULL);
        if (a.n_got != rows[i].refused || (err != NULL) != rows[i].refused)
            fail_msg("%s: %u answers", rows[i].name, a.n_got);
        if (err)
            assert_int_equal(err[41], 1); /* administratively prohibited */
    }
    /* The router itself is there, and its neighbors' addresses are still defended. */
    uint8_t p[128];
    size_t len = nd_build_ns(p, guest_ll(&a), mac_link_local(router), mac_link_local(router),
                             &a.s.mac, NULL);
    guest_ip(&a, &rig, KIND_PEER, router, p, len);
    assert_non_null(guest_packet(&a, ND_NA, NULL));
    struct ip6 to = ip6_of("ff02::1:ff00:0"), taken = guest_addr(&b);
    memcpy(to.b + 13, taken.b + 13, 3);
    len = nd_build_ns(p, ip6_of("::"), to, taken, NULL, NULL);
    guest_ip(&a, &rig, KIND_MULTICAST, zero, p, len);
    assert_non_null(guest_packet(&a, ND_NA, NULL));
}

static void isolate_leaves_the_uplink(void **state)
{
    uint8_t p[80];

    (void)state;
    rig.conf.isolate = true;
    scene_start(3);
    size_t len = put_udp6(p, guest_addr(&a), ip6_of("2001:db8:99::1"), 70);
    guest_ip(&a, &rig, KIND_HOST, zero, p, len);
    assert_int_equal(rig.out.n_pk, 1);
    assert_memory_equal(rig.out.pk[0].p, p, len);
    len = put_udp6(p, ip6_of("2001:db8:99::1"), guest_addr(&a), 70);
    rig_tun(&rig, p, len);
    guest_take(&a, &rig);
    assert_non_null(guest_packet(&a, -1, NULL));
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(R37_who_hears),
        ROW(R67_H71_sources_are_guarded),
        ROW(too_long),
        ROW(R38_reports_stay_here),
        ROW(R38_H59_bad_reports_and_queries),
        ROW(leaving),
        ROW(the_router_asks),
        ROW(off_asks_nobody),
        ROW(who_no_longer_reports),
        ROW(R37_H58_storm),
        ROW(the_rest_is_made_by_ticks),
        ROW(isolate_is_told),
        ROW(isolate_hides),
        ROW(isolate_leaves_the_uplink),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
