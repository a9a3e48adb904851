/* SPDX-License-Identifier: MIT */
/* test_neighbor.c - each row of neighbor.h: which solicitation gets which answer, and what an
 * advertisement says (R1..R3, R8..R17, R21, R24, R27..R31, H53..H57) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/cksum.h"
#include "router/neighbor.h"
#include "scene.h"

/* NULL for "" */
static const struct mac *mac(const char *name, struct mac *room)
{
    if (!*name)
        return NULL;
    *room = scene_mac(name);
    return room;
}

/* ---- solicitations ---- */

enum nd_out {
    SILENCE,
    ANSWER,  /* an NA, unicast to the asker */
    DEFENCE, /* an NA to all nodes, at the asker alone */
    FORWARD, /* b gets it as it is */
};

struct solicitation {
    const char *name, *src, *dst; /* dst "": solicited-node of the target */
    const char *target, *slla;
    enum nd_out what;
    uint8_t flags; /* ANSWER, DEFENCE */
    const char *lla;
    enum drop why;
};

static void solicit(const struct solicitation *rows, unsigned n_rows)
{
    scene_start(2);
    for (unsigned i = 0; i < n_rows; i++) {
        for (unsigned kind = KIND_HOST; kind <= KIND_MULTICAST; kind++) {
            uint8_t ip[80];
            struct mac slla, lla;
            struct ip6 target = scene_addr(rows[i].target), src = scene_addr(rows[i].src);
            struct ip6 dst = *rows[i].dst ? scene_addr(rows[i].dst) : ip6_solicited_node(target);
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
            struct ip6 to = rows[i].what == DEFENCE ? ip6_all_nodes : src,
                       from = scene_addr("r.ll");
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

static void R12_R75_proxy_for_members(void **state) /* R12: a member's, by proxy */
{
    static const struct solicitation rows[] = {
        { "member's address", "a", "", "b", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "member's address, from link-local", "a.ll", "", "b", "a", ANSWER, ND_NA_S, "b",
          DROP_NONE },
        { "member's link-local", "a.ll", "", "b.ll", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "member's EUI-64", "a.ll", "", "b.eui", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "to all nodes", "a.ll", "ff02::1", "b", "a", ANSWER, ND_NA_S, "b", DROP_NONE },
        { "own address", "a.ll", "", "a", "a", SILENCE, 0, "", DROP_NONE },
    };
    (void)state;
    solicit(rows, N(rows));
}

static void R8_R14_own_addresses(void **state) /* the router's; R15 */
{
    static const struct solicitation rows[] = {
        { "router's ::1", "a.ll", "", "2001:db8:1::1", "a", ANSWER, ND_NA_R | ND_NA_S | ND_NA_O,
          "r", DROP_NONE },
        { "router's link-local", "a.ll", "", "r.ll", "a", ANSWER, ND_NA_R | ND_NA_S | ND_NA_O, "r",
          DROP_NONE },
        { "anycast", "a.ll", "", "2001:db8:1::", "a", ANSWER, ND_NA_R | ND_NA_S, "r", DROP_NONE },
        { "router's, unicast", "a.ll", "r.ll", "r.ll", "a", ANSWER, ND_NA_R | ND_NA_S | ND_NA_O,
          "r", DROP_NONE },
    };
    (void)state;
    solicit(rows, N(rows));
}

static void R11_unknown_target_is_silence(void **state) /* R11 */
{
    static const struct solicitation rows[] = {
        { "nobody's", "a.ll", "", "2001:db8:1::5", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "nobody's link-local", "a.ll", "", "fe80::5", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "absent client's", "a.ll", "", "absent", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "outside", "a.ll", "", "2001:db8:99::1", "a", SILENCE, 0, "", DROP_ND_UNKNOWN },
        { "nobody's, unicast", "a.ll", "b.ll", "2001:db8:1::5", "a", SILENCE, 0, "",
          DROP_ND_UNKNOWN },
    };
    (void)state;
    solicit(rows, N(rows));
}

static void R13_R28_probes_reach_their_owner(void **state) /* R13: probes */
{
    static const struct solicitation rows[] = {
        { "probe", "a", "b", "b", "a", FORWARD, 0, "", DROP_NONE },
        { "probe without option", "a", "b", "b", "", FORWARD, 0, "", DROP_NONE },
        { "probe of link-local", "a.ll", "b.ll", "b.ll", "a", FORWARD, 0, "", DROP_NONE },
        { "probe to another of its addresses", "a.ll", "b.ll", "b", "a", FORWARD, 0, "",
          DROP_NONE },
        { "probe to somebody else", "a", "r.ll", "b", "a", SILENCE, 0, "", DROP_ND_GUARD },
        { "probe to itself", "a", "a", "a", "a", SILENCE, 0, "", DROP_ND_GUARD },
    };
    (void)state;
    solicit(rows, N(rows));
}

static void R74_H56_macs_of_others(void **state) /* H56: a MAC that is not the sender's */
{
    static const struct solicitation rows[] = {
        { "other's SLLAO", "a.ll", "", "b", "b", SILENCE, 0, "", DROP_ND_GUARD },
        { "nobody's SLLAO", "a.ll", "", "b", "-", SILENCE, 0, "", DROP_ND_GUARD },
        { "other's SLLAO in a probe", "a", "b", "b", "b", SILENCE, 0, "", DROP_ND_GUARD },
        { "router's SLLAO", "a.ll", "", "2001:db8:1::1", "r", SILENCE, 0, "", DROP_ND_GUARD },
    };
    (void)state;
    solicit(rows, N(rows));
}

static void R9_R10_R28_dad_answers(void **state) /* R9, R28, R30: duplicate address detection */
{
    static const struct solicitation rows[] = {
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
    };
    (void)state;
    solicit(rows, N(rows));
}

static void H49_sources_of_others(void **state) /* H49 */
{
    static const struct solicitation rows[] = {
        { "other's source", "b", "", "2001:db8:1::1", "a", SILENCE, 0, "", DROP_SRC_GUARD },
    };
    (void)state;
    solicit(rows, N(rows));
}

static void R29_R30_dad_binds_first_come(void **state) /* R29, R30: first come, first served */
{
    uint8_t ip[80];
    struct ip6 target = ip6_of("2001:db8:1::42");
    struct member *owner = NULL;
    struct notice ev;

    (void)state;
    scene_start(2);
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

static void R33_H53_solicitation_flood(void **state) /* R74 */
{
    uint8_t ip[80];

    (void)state;
    scene_start(2);
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

/* How many answers @n solicitations of @g for @other's address draw now. */
static unsigned answers(struct guest *g, const struct guest *other, unsigned n)
{
    struct ip6 target = guest_ll(other);
    uint8_t ip[80];
    unsigned got = 0;

    for (unsigned i = 0; i < n; i++) {
        size_t len =
            nd_build_ns(ip, guest_ll(g), ip6_solicited_node(target), target, &g->s.mac, NULL);
        guest_ip(g, &rig, KIND_MULTICAST, other->s.mac, ip, len);
        got += rig.out.n_dg;
        assert_int_equal(rig.out.n_dg + rig_drops(&rig, DROP_ND_RATE), 1);
    }
    return got;
}

static void R18_H53_answers_have_a_rate(void **state)
{
    (void)state;
    scene_start(2);
    assert_int_equal(answers(&a, &b, NEIGHBOR_BURST + 500), NEIGHBOR_BURST);
    assert_int_equal(answers(&b, &a, 1), 1); /* each member has its own */
    rig.now += NS_PER_S / 2;
    assert_int_equal(answers(&a, &b, NEIGHBOR_PER_S), NEIGHBOR_PER_S / 2);
}

/* What one member's flood costs, answered or not: beyond a rate nothing of it is looked at; other
 * packets of it pass, and the others have their own. */
static void R18_H53_what_is_looked_at_has_a_rate(void **state)
{
    struct ip6 target = ip6_of("2001:db8:1::99");
    uint8_t ip[80];
    uint64_t dropped = 0;
    size_t len;

    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < NEIGHBOR_SEEN + 500; i++) {
        len = nd_build_ns(ip, guest_ll(&a), ip6_solicited_node(target), target, &a.s.mac, NULL);
        guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
        dropped += rig_drops(&rig, DROP_ND_RATE);
        assert_int_equal(rig.out.n_dg, 0);
    }
    assert_in_range(dropped, 500, 510); /* logging in has taken a few */
    /* the rate is for all of its kinds, also where the next step would find a forged source */
    len = nd_build_ns(ip, guest_ll(&b), ip6_solicited_node(target), target, &a.s.mac, NULL);
    guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
    assert_int_equal(rig_drops(&rig, DROP_ND_RATE), 1);
    len = put_udp6(ip, guest_addr(&a), guest_addr(&b), 60);
    guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, len);
    assert_int_equal(rig.out.n_dg, 1);
    assert_int_equal(answers(&b, &a, 10), 10);
    rig.now += 2 * NS_PER_S;
    rig_tick(&rig);
    assert_int_equal(answers(&a, &b, 10), 10);
}

/* @n more discovery messages of @g in @kind, as KIND_HOST from its own address to the router's. */
static void discover(struct guest *g, enum wire_kind kind, unsigned n)
{
    uint8_t ip[80];
    struct ip6 target = kind == KIND_HOST ? rig.re->link_local : guest_ll(&b);

    for (unsigned i = 0; i < n; i++) {
        size_t len = nd_build_ns(ip, guest_ll(g),
                                 kind == KIND_MULTICAST ? ip6_solicited_node(target) : target,
                                 target, &g->s.mac, NULL);
        guest_ip(g, &rig, kind, b.s.mac, ip, len);
    }
}

/* Is what @g sends in @kind under its keys of now on the list? */
static bool is_shunned(const struct guest *g, enum wire_kind kind)
{
    const struct shun *s = &rig.re->shun;

    for (unsigned i = 0; i < s->n; i++) {
        if (s->who[i].index == g->keys.current.remote_index && s->who[i].kind == kind)
            return true;
    }
    return false;
}

/* Who floods in one kind is not received in that kind until the next sweep; the limit is above what
 * logging in has taken by as much. */
static void R18_H53_a_flood_is_not_received(void **state)
{
    static const enum wire_kind kinds[] = { KIND_MULTICAST, KIND_PEER, KIND_HOST };
    struct notice ev;
    const struct shun *s;

    (void)state;
    scene_start(2);
    assert_false(router_engine_shunned(rig.re, &s));
    for (unsigned i = 0; i < N(kinds); i++) {
        rig_notices(&rig, NOTICE_FLOOD, NULL);
        discover(&a, kinds[i], NEIGHBOR_SEEN - 10);
        assert_false(router_engine_shunned(rig.re, &s)); /* nor for what came in the others */
        discover(&a, kinds[i], 20);
        assert_true(router_engine_shunned(rig.re, &s));
        assert_int_equal(s->n, i + 1);
        assert_true(is_shunned(&a, kinds[i]));
        assert_int_equal(rig_notices(&rig, NOTICE_FLOOD, &ev), 1);
        assert_int_equal(ev.client, rig_member(&rig, &a)->client);
    }
    discover(&a, KIND_PEER, 500); /* the kernel could not: nothing new */
    assert_false(router_engine_shunned(rig.re, &s));
    assert_int_equal(rig_notices(&rig, NOTICE_FLOOD, NULL), 0);
    assert_int_equal(answers(&b, &a, 10), 10);
    rig_wait(&rig, 2 * NS_PER_S);
    assert_true(router_engine_shunned(rig.re, &s));
    assert_int_equal(s->n, 0);
    assert_int_equal(answers(&a, &b, 10), 10);
}

/* Nobody brings another there: what does not open is not counted, nor is what is no discovery. */
static void R18_H53_forged_floods_shun_nobody(void **state)
{
    uint8_t ip[80], sealed[256];
    const struct shun *s;

    (void)state;
    scene_start(2);
    size_t len = nd_build_ns(ip + DATA_MAC_LEN, guest_ll(&a), ip6_solicited_node(guest_ll(&b)),
                             guest_ll(&b), &a.s.mac, NULL);
    memset(ip, 0, DATA_MAC_LEN);
    size_t n = guest_seal(&a, &rig, KIND_MULTICAST, ip, len + DATA_MAC_LEN, sealed);
    sealed[n - 1] ^= 1;
    for (unsigned i = 0; i < 2 * NEIGHBOR_SEEN; i++)
        rig_udp(&rig, a.ep, sealed, n);
    assert_int_equal(rig_drops(&rig, DROP_OPEN), 1);
    len = put_udp6(ip, guest_addr(&a), guest_addr(&b), 60);
    for (unsigned i = 0; i < 2 * NEIGHBOR_SEEN; i++)
        guest_ip(&a, &rig, KIND_PEER, b.s.mac, ip, len);
    assert_false(router_engine_shunned(rig.re, &s));
}

/* New keys are another index, and all go with the sweep, or with the member. */
static void R18_H53_what_is_shunned_goes_with_the_member(void **state)
{
    struct control bye = { .type = TLV_GOODBYE, .goodbye = GOODBYE_SHUTDOWN };
    const struct shun *s;

    (void)state;
    scene_start(2);
    discover(&a, KIND_MULTICAST, NEIGHBOR_SEEN + 1);
    guest_rekey(&a, &rig);
    discover(&a, KIND_MULTICAST, 1);
    assert_true(router_engine_shunned(rig.re, &s));
    assert_int_equal(s->n, 2);
    discover(&b, KIND_MULTICAST, NEIGHBOR_SEEN + 1);
    assert_int_equal(s->n, 3);
    guest_control(&a, &rig, &bye, 0);
    assert_null(rig_member(&rig, &a));
    assert_true(router_engine_shunned(rig.re, &s));
    assert_int_equal(s->n, 1);
    assert_true(is_shunned(&b, KIND_MULTICAST));
}

/* A host that does duplicate address detection starts a thousand times, each time from another port
 * or after its member timed out, and asks three times for each address, with nonces (enhanced DAD,
 * RFC 7527) and without: no answer that would call one a duplicate, nothing of its own comes back,
 * nobody else hears of it. */
static void R28_a_thousand_starts(void **state)
{
    uint8_t ip[80], nonce[6];
    unsigned asked = 0;

    (void)state;
    scene_start(2);
    for (unsigned start = 0; start < 1000; start++) {
        rig.now += (start % 8 ? 1 : 400) * NS_PER_S; /* now and then it was away for long */
        rig_tick(&rig);
        guest_init(&a, &rig, 0, "198.51.100.7", (uint16_t)(4000 + start % 7));
        guest_join(&a, &rig);
        guest_take(&a, &rig); /* the RA, the introduction */
        (void)rig_notices(&rig, NOTICE_DAD, NULL);
        const struct ip6 targets[] = { guest_ll(&a), guest_addr(&a), ip6_of("2001:db8:1::42") };
        for (unsigned i = 0; i < 3 * N(targets); i++) {
            struct ip6 t = targets[i % N(targets)];
            entropy_draw(&rig.e, nonce, sizeof(nonce));
            size_t len = nd_build_ns(ip, ip6_unspecified, ip6_solicited_node(t), t, NULL,
                                     start % 2 ? nonce : NULL);
            guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
            if (rig.out.n_dg)
                fail_msg("start %u, address %u: %u datagrams", start, i, rig.out.n_dg);
            asked++;
        }
        assert_int_equal(rig_notices(&rig, NOTICE_DAD, NULL), 0);
        for (unsigned i = 0; i < N(targets); i++)
            assert_true(bindings_owns(&rig.re->b, rig_member(&rig, &a), targets[i]));
    }
    assert_int_equal(asked, 9000);
    assert_int_equal(rig.re->dad_refused, 0);
}

/* ---- advertisements of neighbors ---- */

static void R3_R31_adverts_of_neighbors(void **state) /* R3, R31, H54 */
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
    scene_start(2);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[80];
        struct mac tlla;
        size_t len =
            nd_build_na(ip, scene_addr(rows[i].src), scene_addr(rows[i].dst),
                        scene_addr(rows[i].target), rows[i].flags, *mac(rows[i].tlla, &tlla));
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
    assert_int_equal(bindings_owner(&rig.re->b, scene_addr("b"), &owner), OWNER_MEMBER);
    assert_ptr_equal(owner, rig_member(&rig, &b));
    assert_int_equal(bindings_owner(&rig.re->b, scene_addr("2001:db8:1::1"), &owner), OWNER_ROUTER);
}

static void R31_new_address_by_unsolicited_na(void **state) /* RFC 9131 */
{
    static const struct {
        const char *name, *src, *target;
        bool bound;
    } rows[] = {
        { "a free address", "2001:db8:1::77", "2001:db8:1::77", true },
        { "a free one, from another", "a", "2001:db8:1::78", false },
        { "another's", "b", "b", false },
        { "one that is kept for an absent client", "absent", "absent", false },
        { "EUI-64 of nobody", "2001:db8:1::ff:fe00:1", "2001:db8:1::ff:fe00:1", false },
        { "outside", "2001:db8:99::1", "2001:db8:99::1", false },
    };
    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(rows); i++) {
        uint8_t ip[80];
        struct member *owner = NULL;
        struct ip6 target = scene_addr(rows[i].target);
        size_t len = nd_build_na(ip, scene_addr(rows[i].src), ip6_all_nodes, target, ND_NA_O,
                                 scene_mac("a"));
        guest_says(&a, KIND_MULTICAST, "-", ip, len);
        assert_int_equal(rig.out.n_dg, 0); /* nobody else hears of it */
        bool bound = bindings_owner(&rig.re->b, target, &owner) == OWNER_MEMBER &&
                     owner == rig_member(&rig, &a);
        if (bound != rows[i].bound || rig_notices(&rig, NOTICE_BOUND, NULL) != rows[i].bound)
            fail_msg("%s", rows[i].name);
    }
}

/* ---- options ---- */

static void R6_R7_options(void **state) /* and Reserved bits */
{
    static const struct {
        const char *name;
        uint8_t option[16];
        size_t len;
        bool answered;
    } rows[] = {
        { "none", { 0 }, 0, true },
        { "unknown", { 253, 1, 1, 2, 3, 4, 5, 6 }, 8, true },
        { "unknown, longer", { 254, 2 }, 16, true },
        { "defined, but not for NS (prefix)", { 3, 1 }, 8, true },
        { "zero length", { 253, 0 }, 8, false },
        { "zero length behind a good one", { 253, 1, 0, 0, 0, 0, 0, 0, 1, 0 }, 16, false },
        { "past the end", { 253, 2 }, 8, false },
        { "one octet", { 253 }, 1, false },
        { "cut", { 253, 1, 0, 0, 0, 0, 0 }, 7, false },
    };
    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(rows); i++) {
        for (unsigned reserved = 0; reserved < 2; reserved++) {
            uint8_t ip[100];
            size_t len = nd_build_ns(ip, guest_ll(&a), ip6_solicited_node(guest_addr(&b)),
                                     guest_addr(&b), &a.s.mac, NULL);
            memcpy(ip + len, rows[i].option, rows[i].len);
            len += rows[i].len;
            memset(ip + 44, reserved ? 0xff : 0, 4);
            be16_store(ip + 4, (uint16_t)(len - 40));
            be16_store(ip + 42, 0);
            be16_store(ip + 42, cksum_upper(ip, NH_ICMPV6, ip + 40, len - 40));
            guest_ip(&a, &rig, KIND_MULTICAST, b.s.mac, ip, len);
            if ((guest_packet(&a, ND_NA, NULL) != NULL) != rows[i].answered ||
                rig_drops(&rig, DROP_ND_INVALID) != !rows[i].answered)
                fail_msg("%s", rows[i].name);
        }
    }
}

/* ---- what the validator refuses never gets here ---- */

static void R1_R2_R27_invalid(void **state) /* R1, R2, R27, H56, H57 */
{
    enum { HOP_LIMIT, CODE, SUM, FRAGMENT };
    static const enum drop why[] = { DROP_ND_INVALID, DROP_ND_INVALID, DROP_CKSUM, DROP_ND_FRAG };

    (void)state;
    scene_start(2);
    for (unsigned i = 0; i < N(why); i++) {
        uint8_t ip[100], frag[8] = { NH_ICMPV6 };
        size_t len = nd_build_ns(ip, guest_ll(&a), ip6_solicited_node(scene_addr("b")),
                                 scene_addr("b"), &a.s.mac, NULL);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(R12_R75_proxy_for_members),
        RIG_ROW(R8_R14_own_addresses),
        RIG_ROW(R11_unknown_target_is_silence),
        RIG_ROW(R13_R28_probes_reach_their_owner),
        RIG_ROW(R74_H56_macs_of_others),
        RIG_ROW(R9_R10_R28_dad_answers),
        RIG_ROW(H49_sources_of_others),
        RIG_ROW(R29_R30_dad_binds_first_come),
        RIG_ROW(R33_H53_solicitation_flood),
        RIG_ROW(R28_a_thousand_starts),
        RIG_ROW(R18_H53_answers_have_a_rate),
        RIG_ROW(R18_H53_what_is_looked_at_has_a_rate),
        RIG_ROW(R18_H53_a_flood_is_not_received),
        RIG_ROW(R18_H53_forged_floods_shun_nobody),
        RIG_ROW(R18_H53_what_is_shunned_goes_with_the_member),
        RIG_ROW(R3_R31_adverts_of_neighbors),
        RIG_ROW(R31_new_address_by_unsolicited_na),
        RIG_ROW(R6_R7_options),
        RIG_ROW(R1_R2_R27_invalid),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
