/* SPDX-License-Identifier: MIT */
/* test_neighbor.c - each row of neighbor.h: which solicitation gets which answer, and what an
 * advertisement says (R1..R3, R8..R17, R21, R24, R27..R31, H53..H57) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/cksum.h"
#include "rig.h"
#include "router/adverts.h"

static struct rig rig;
static struct guest a, b;

static int set_up(void **state)
{
    (void)state;
    rig_defaults(&rig);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_free(&rig);
    return 0;
}

static void members(void)
{
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_join(&a, &rig);
    guest_join(&b, &rig);
    rig_notices(&rig, NOTICE_LOGIN, NULL);
}

static struct mac router_mac(void)
{
    return mac_of_endpoint(rig.conf.public_ep);
}

static struct ip6 addr(const char *name)
{
    struct ip6 ret;

    if (strcmp(name, "a") == 0)
        return guest_addr(&a);
    if (strcmp(name, "a.ll") == 0)
        return guest_ll(&a);
    if (strcmp(name, "b") == 0)
        return guest_addr(&b);
    if (strcmp(name, "b.ll") == 0)
        return guest_ll(&b);
    if (strcmp(name, "b.eui") == 0)
        return mac_address(rig.conf.prefix, b.s.mac);
    if (strcmp(name, "r.ll") == 0)
        return mac_link_local(router_mac());
    if (strcmp(name, "absent") != 0)
        return ip6_of(name);
    assert_true(bindings_stable(&rig.re->b, 7, rig.clients[7].public_key, &ret));
    return ret;
}

/* NULL for "" */
static const struct mac *mac(const char *name, struct mac *room)
{
    if (!*name)
        return NULL;
    *room = (struct mac){ { 2, 9, 9, 9, 9, 9 } };
    if (strcmp(name, "a") == 0)
        *room = a.s.mac;
    if (strcmp(name, "b") == 0)
        *room = b.s.mac;
    if (strcmp(name, "r") == 0)
        *room = router_mac();
    return room;
}

/* ---- solicitations ---- */

enum nd_out {
    SILENCE,
    ANSWER,  /* an NA, unicast to the asker */
    DEFENCE, /* an NA to all nodes, at the asker alone */
    FORWARD, /* b gets it as it is */
};

static void solicitations(void **state)
{
    static const struct {
        const char *name, *src, *dst; /* dst "": solicited-node of the target */
        const char *target, *slla;
        enum nd_out what;
        uint8_t flags; /* ANSWER, DEFENCE */
        const char *lla;
        enum drop why;
    } rows[] = {
        /* R12: a member's, by proxy */
        { "member's address", "a", "", "b", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "member's address, from link-local", "a.ll", "", "b", "a", ANSWER, ND_NA_S, "b",
          DROP_NONE },
        { "member's link-local", "a.ll", "", "b.ll", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "member's EUI-64", "a.ll", "", "b.eui", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "to all nodes", "a.ll", "ff02::1", "b", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "own address", "a.ll", "", "a", "a", SILENCE, 0, "", DROP_NONE },
        /* R8, R14: the router's */
        { "router's ::1", "a.ll", "", "2001:db8:1::1", "a", ANSWER, ND_NA_R | ND_NA_S | ND_NA_O,
          "r", DROP_NONE },
        { "router's link-local", "a.ll", "", "r.ll", "a", ANSWER, ND_NA_R | ND_NA_S | ND_NA_O, "r",
          DROP_NONE },
        { "anycast", "a.ll", "", "2001:db8:1::", "a", ANSWER, ND_NA_R | ND_NA_S, "r", DROP_NONE },
        { "router's, unicast", "a.ll", "r.ll", "r.ll", "a", ANSWER, ND_NA_R | ND_NA_S | ND_NA_O,
          "r", DROP_NONE },
        /* R11 */
        { "nobody's", "a.ll", "", "2001:db8:1::5", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "nobody's link-local", "a.ll", "", "fe80::5", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "absent client's", "a.ll", "", "absent", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "outside", "a.ll", "", "2001:db8:99::1", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "nobody's, unicast", "a.ll", "b.ll", "2001:db8:1::5", "a", SILENCE, 0, "",
          DROP_ND_UNKNOWN },
        /* R13: probes */
        { "probe", "a", "b", "b", "a", FORWARD, 0, "", DROP_NONE },
        { "probe without option", "a", "b", "b", "", FORWARD, 0, "", DROP_NONE },
        { "probe of link-local", "a.ll", "b.ll", "b.ll", "a", FORWARD, 0, "", DROP_NONE },
        { "probe to another of its addresses", "a.ll", "b.ll", "b", "a", FORWARD, 0, "",
          DROP_NONE },
        { "probe to somebody else", "a", "r.ll", "b", "a", SILENCE, 0, "", DROP_ND_GUARD },
        { "probe to itself", "a", "a", "a", "a", SILENCE, 0, "", DROP_ND_GUARD },
        /* H56: a MAC that is not the sender's */
        { "other's SLLAO", "a.ll", "", "b", "b", SILENCE, 0, "", DROP_ND_GUARD },
        { "nobody's SLLAO", "a.ll", "", "b", "-", SILENCE, 0, "", DROP_ND_GUARD },
        { "other's SLLAO in a probe", "a", "b", "b", "b", SILENCE, 0, "", DROP_ND_GUARD },
        { "router's SLLAO", "a.ll", "", "2001:db8:1::1", "r", SILENCE, 0, "", DROP_ND_GUARD },
        /* R9, R28, R30: duplicate address detection */
        { "DAD, member's", "::", "", "b", "", DEFENCE, ND_NA_O, "b", DROP_NONE },
        { "DAD, member's link-local", "::", "", "b.ll", "", DEFENCE, ND_NA_O, "b", DROP_NONE },
        { "DAD, own", "::", "", "a", "", SILENCE, 0, "", DROP_NONE },
        { "DAD, own link-local", "::", "", "a.ll", "", SILENCE, 0, "", DROP_NONE },
        { "DAD, router's", "::", "", "2001:db8:1::1", "", DEFENCE, ND_NA_R | ND_NA_O, "r",
          DROP_NONE },
        { "DAD, router's link-local", "::", "", "r.ll", "", DEFENCE, ND_NA_R | ND_NA_O, "r",
          DROP_NONE },
        { "DAD, absent client's", "::", "", "absent", "", SILENCE, 0, "", DROP_ND_GUARD },
        { "DAD, EUI-64 of nobody", "::", "", "2001:db8:1::ff:fe00:1", "", SILENCE, 0, "",
          DROP_ND_GUARD },
        { "DAD, outside", "::", "", "2001:db8:99::1", "", SILENCE, 0, "", DROP_ND_GUARD },
        /* H49 */
        { "other's source", "b", "", "2001:db8:1::1", "a", SILENCE, 0, "", DROP_SRC_GUARD },
    };
    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        for (unsigned kind = KIND_HOST; kind <= KIND_MULTICAST; kind++) {
            uint8_t ip[80];
            struct mac slla, lla;
            struct ip6 target = addr(rows[i].target), src = addr(rows[i].src);
            struct ip6 dst = *rows[i].dst ? addr(rows[i].dst) : ip6_solicited_node(target);
            size_t len = nd_build_ns(ip, src, dst, target, mac(rows[i].slla, &slla), NULL);

            guest_ip(&a, &rig, (enum wire_kind)kind, b.s.mac, ip, len);
            guest_take(&b, &rig);
            const uint8_t *na = guest_packet(&a, ND_NA, NULL);
            const uint8_t *ns = guest_packet(&b, ND_NS, &len);
            bool answer = rows[i].what == ANSWER || rows[i].what == DEFENCE;
            if ((na != NULL) != answer || (ns != NULL) != (rows[i].what == FORWARD) ||
                rig.out.n_dg != (rows[i].what == SILENCE ? 0u : 1u) ||
                (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
                fail_msg("%s, kind %u: %u out", rows[i].name, kind, rig.out.n_dg);
            assert_int_equal(rig.out.n_pk, 0);
            if (ns) {
                assert_memory_equal(ns, ip, len); /* hop limit 255 still */
                assert_int_equal(b.got[0].kind, KIND_PEER);
                assert_memory_equal(b.got[0].p, a.s.mac.b, MAC_LEN);
            }
            if (!na)
                continue;
            struct ip6 to = rows[i].what == DEFENCE ? ip6_all_nodes : src, from = addr("r.ll");
            if (ip6_eq(target, rig.conf.address))
                from = target; /* about an own address: from it */
            assert_int_equal(a.got[0].kind, rows[i].what == DEFENCE ? KIND_MULTICAST : KIND_HOST);
            assert_int_equal(na[7], 255);
            assert_memory_equal(na + 8, from.b, IP6_LEN);
            assert_memory_equal(na + 24, to.b, IP6_LEN);
            if (na[44] != rows[i].flags)
                fail_msg("%s: flags %02x", rows[i].name, na[44]);
            assert_memory_equal(na + 48, target.b, IP6_LEN);
            assert_memory_equal(na + 64, "\2\1", 2);
            assert_memory_equal(na + 66, mac(rows[i].lla, &lla)->b, MAC_LEN);
        }
    }
    assert_int_equal(rig_member(&rig, &a)->n_learned, 0); /* no row has bound anything */
}

static void dad_binds(void **state) /* R29, R30: first come, first served */
{
    uint8_t ip[80];
    struct ip6 target = ip6_of("2001:db8:1::42");
    struct member *owner = NULL;
    struct notice ev;

    (void)state;
    members();
    size_t len = nd_build_ns(ip, ip6_unspecified, ip6_solicited_node(target), target, NULL,
                             (const uint8_t *)"nonce.");
    for (unsigned i = 0; i < 3; i++) { /* R28: repeated by its owner, as enhanced DAD does */
        guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
        assert_int_equal(rig.out.n_dg, 0);
        assert_int_equal(rig_notices(&rig, NOTICE_BOUND, &ev), i == 0);
        assert_true(ip6_eq(ev.addr, target));
        assert_int_equal(bindings_owner(&rig.re->b, target, &owner), OWNER_MEMBER);
        assert_ptr_equal(owner, rig_member(&rig, &a));
    }
    guest_ip(&b, &rig, KIND_MULTICAST, a.s.mac, ip, len);
    const uint8_t *na = guest_packet(&b, ND_NA, NULL);
    assert_non_null(na);
    assert_memory_equal(na + 66, a.s.mac.b, MAC_LEN);
    assert_int_equal(rig_notices(&rig, NOTICE_DAD, &ev), 1);
    assert_int_equal(ev.client, 1);
    assert_int_equal(ev.other, 0);
    guest_take(&a, &rig);
    assert_int_equal(a.n_got, 0); /* into the asking member only (H55) */
    assert_int_equal(bindings_owner(&rig.re->b, target, &owner), OWNER_MEMBER);
    assert_ptr_equal(owner, rig_member(&rig, &a));
}

static void solicitation_flood(void **state) /* H53 */
{
    uint8_t ip[80];

    (void)state;
    members();
    for (unsigned i = 0; i < 2000; i++) {
        struct ip6 target = ip6_of("2001:db8:1::");
        be32_store(target.b + 12, 0x1000 + i);
        size_t len =
            nd_build_ns(ip, guest_ll(&a), ip6_solicited_node(target), target, &a.s.mac, NULL);
        guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
        assert_int_equal(rig.out.n_dg, 0);
    }
    assert_int_equal(rig_member(&rig, &a)->n_bound, 1);
}

/* ---- advertisements of neighbors ---- */

static void neighbor_adverts(void **state) /* R3, R31, H54 */
{
    static const struct {
        const char *name, *src, *dst, *target, *tlla;
        uint8_t flags;
        bool forwarded;
        enum drop why;
    } rows[] = {
        { "answer to a probe", "a", "b", "a", "a", ND_NA_S, true, DROP_NONE },
        { "answer, override", "a", "b", "a", "a", ND_NA_S | ND_NA_O, true, DROP_NONE },
        { "answer from link-local", "a.ll", "b.ll", "a", "a", ND_NA_S, true, DROP_NONE },
        { "about another's address", "a", "b", "b", "a", ND_NA_S | ND_NA_O, false, DROP_ND_GUARD },
        { "about the router's", "a", "b", "2001:db8:1::1", "a", ND_NA_S | ND_NA_O, false,
          DROP_ND_GUARD },
        { "about the router's link-local", "a", "b", "r.ll", "a", ND_NA_S | ND_NA_O, false,
          DROP_ND_GUARD },
        { "about nobody's", "a", "b", "2001:db8:1::5", "a", ND_NA_S, false, DROP_ND_GUARD },
        { "with another's MAC", "a", "b", "a", "b", ND_NA_S | ND_NA_O, false, DROP_ND_GUARD },
        { "with the router's MAC", "a", "b", "a", "r", ND_NA_S | ND_NA_O, false, DROP_ND_GUARD },
        { "unsolicited, own", "a", "ff02::1", "a", "a", ND_NA_O, false, DROP_NONE },
        { "unsolicited, another's", "a", "ff02::1", "b", "a", ND_NA_O, false, DROP_ND_GUARD },
        { "unsolicited, router's", "a", "ff02::1", "2001:db8:1::1", "a", ND_NA_O, false,
          DROP_ND_GUARD },
        { "solicited to a group", "a", "ff02::1", "a", "a", ND_NA_S, false, DROP_ND_INVALID },
        { "to the router", "a", "r.ll", "a", "a", ND_NA_S, false, DROP_NONE },
        { "to nobody", "a", "2001:db8:1::5", "a", "a", ND_NA_S, false, DROP_NO_OWNER },
        { "to itself", "a", "a.ll", "a", "a", ND_NA_S, false, DROP_DST_SELF },
        { "to the Internet", "a", "2001:db8:99::1", "a", "a", ND_NA_S, false, DROP_NO_OWNER },
        { "other's source", "b", "a", "b", "b", ND_NA_S, false, DROP_SRC_GUARD },
    };
    (void)state;
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[80];
        struct mac tlla;
        size_t len = nd_build_na(ip, addr(rows[i].src), addr(rows[i].dst), addr(rows[i].target),
                                 rows[i].flags, *mac(rows[i].tlla, &tlla));
        guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, len);
        guest_take(&b, &rig);
        const uint8_t *na = guest_packet(&b, ND_NA, NULL);
        if ((na != NULL) != rows[i].forwarded || rig.out.n_dg != rows[i].forwarded ||
            (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
            fail_msg("%s: %u out", rows[i].name, rig.out.n_dg);
        assert_int_equal(rig.out.n_pk, 0);
    }
    /* Whatever was said, everybody owns what he owned. */
    struct member *owner = NULL;
    assert_int_equal(bindings_owner(&rig.re->b, addr("b"), &owner), OWNER_MEMBER);
    assert_ptr_equal(owner, rig_member(&rig, &b));
    assert_int_equal(bindings_owner(&rig.re->b, addr("2001:db8:1::1"), &owner), OWNER_ROUTER);
}

/* ---- what the validator refuses never gets here ---- */

static void invalid(void **state) /* R1, R2, R27, H56, H57 */
{
    enum { HOP_LIMIT, CODE, SUM, FRAGMENT };
    static const enum drop why[] = { DROP_ND_INVALID, DROP_ND_INVALID, DROP_CKSUM, DROP_ND_FRAG };

    (void)state;
    members();
    for (unsigned i = 0; i < N(why); i++) {
        uint8_t ip[100], frag[8] = { NH_ICMPV6 };
        size_t len =
            nd_build_ns(ip, guest_ll(&a), ip6_solicited_node(addr("b")), addr("b"), &a.s.mac, NULL);
        switch (i) {
        case HOP_LIMIT:
            ip[7] = 254;
            break;
        case CODE: /* and the sum made right again */
            ip[41] = 1;
            be16_store(ip + 42, (uint16_t)(be16_load(ip + 42) - 1));
            break;
        case SUM:
            ip[43] ^= 1;
            break;
        case FRAGMENT: /* an atomic one */
            memmove(ip + 48, ip + 40, len - 40);
            memcpy(ip + 40, frag, sizeof(frag));
            ip[6] = NH_FRAGMENT;
            be16_store(ip + 4, (uint16_t)(len - 40 + 8));
            len += 8;
            break;
        }
        guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
        if (rig.out.n_dg || rig_drops(&rig, why[i]) != 1)
            fail_msg("row %u", i);
    }
}

/* ---- routers ---- */

static void router_solicitations(void **state) /* R16, R21 */
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
    members();
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[80];
        struct mac slla;
        struct ip6 src = addr(rows[i].src), from = addr("r.ll");
        size_t len = nd_build_rs(ip, *rows[i].slla ? guest_ll(&a) : src, ip6_all_routers,
                                 mac(rows[i].slla, &slla));

        memcpy(ip + 8, src.b, IP6_LEN); /* the builder refuses some of these */
        be16_store(ip + 42, 0);
        be16_store(ip + 42, cksum_upper(ip, NH_ICMPV6, ip + 40, len - 40));
        guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
        guest_take(&b, &rig);
        assert_int_equal(b.n_got, 0);
        const uint8_t *ra = guest_packet(&a, ND_RA, NULL);
        if ((ra != NULL) != rows[i].answered || (rows[i].why && rig_drops(&rig, rows[i].why) != 1))
            fail_msg("%s", rows[i].name);
        if (!ra)
            continue;
        struct ip6 to = rows[i].group ? ip6_all_nodes : src;
        assert_int_equal(a.got[0].kind, rows[i].group ? KIND_MULTICAST : KIND_HOST);
        assert_memory_equal(ra + 24, to.b, IP6_LEN);
        assert_memory_equal(ra + 8, from.b, IP6_LEN);
        assert_int_equal(ra[7], 255);
    }
}

static const uint8_t *option(const uint8_t *ra, size_t len, uint8_t type)
{
    for (size_t at = 56; at + 8 <= len && ra[at + 1]; at += 8u * ra[at + 1]) {
        if (ra[at] == type)
            return ra + at;
    }
    return NULL;
}

static void what_an_ra_says(void **state) /* R16, R17, R24 */
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
    rig_start(&rig);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ra[ND_PACKET_MAX];
        rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.uplink = rows[i].uplink;
        rig.conf.addressing = rows[i].addressing;
        rig.conf.dns[0] = ip6_of("2001:db8:53::1");
        rig.conf.n_dns = 1;
        members();
        struct member *m = rig_member(&rig, &a);
        m->mtu = 1380;
        size_t len = adverts_build(ra, &rig.conf, rig.re->admit.uplink_up, m, addr("r.ll"),
                                   router_mac(), guest_ll(&a));
        assert_int_equal(ra[44], 64);
        if (ra[45] != rows[i].flags || be16_load(ra + 46) != rows[i].lifetime)
            fail_msg("%s: flags %02x, lifetime %u", rows[i].name, ra[45], be16_load(ra + 46));
        const uint8_t *slla = option(ra, len, 1), *pio = option(ra, len, 3),
                      *mtu = option(ra, len, 5), *dns = option(ra, len, 25);
        assert_true(slla && pio && mtu && dns);
        assert_memory_equal(slla + 2, router_mac().b, MAC_LEN);
        assert_int_equal(be32_load(mtu + 4), 1380);
        assert_int_equal(pio[2], 64);
        assert_int_equal(pio[3], rows[i].prefix_flags);
        assert_true(be32_load(pio + 8) <= be32_load(pio + 4)); /* preferred, valid */
        assert_memory_equal(pio + 16, rig.conf.prefix.addr.b, IP6_LEN);
        assert_memory_equal(dns + 8, rig.conf.dns[0].b, IP6_LEN);
    }
}

static void advert_intervals(void **state) /* R19 */
{
    uint32_t words[] = { 0, 1, 0x7FFFFFFF, 0x80000000, UINT32_MAX };

    (void)state;
    rig_start(&rig);
    assert_int_equal(adverts_interval(0), 200 * NS_PER_S);
    for (unsigned i = 0; i < N(words); i++) {
        assert_in_range(adverts_interval(words[i]), 200 * NS_PER_S, 600 * NS_PER_S);
        if (i)
            assert_true(adverts_interval(words[i]) > adverts_interval(words[i - 1]));
    }
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(solicitations),    ROW(dad_binds),        ROW(solicitation_flood),
        ROW(neighbor_adverts), ROW(invalid),          ROW(router_solicitations),
        ROW(what_an_ra_says),  ROW(advert_intervals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
