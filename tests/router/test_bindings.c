/* SPDX-License-Identifier: MIT */
/* test_bindings.c - who owns an address: rows by prefix length, learning, idling, assigned and
 * reserved addresses, and random operations against a naive twin (R30, R32, R33) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

static struct member *a, *b;

static struct member *member(unsigned n)
{
    struct mac mac = { { 2, 0, 0, 0, 0, (uint8_t)n } };
    uint8_t key[KEY_LEN] = { 5, (uint8_t)n };
    struct member *m = member_new(&rig.re->ms, key, mac, rig.conf.prefix, rig.now);
    assert_non_null(m);
    m->client = SLOT_ABSENT;
    return m;
}

static void two(void)
{
    rig_start(&rig);
    a = member(1);
    b = member(2);
}

static enum drop guard(struct member *m, const char *src)
{
    bool l;
    return bindings_guard(&rig.re->b, m, ip6_of(src), rig.now, &l);
}

static void owners(void **state)
{
    static const struct {
        const char *prefix;
        uint8_t len;
        const char *addr, *owner; /* a, b, r (router), - (nobody) */
        bool a_may;               /* use it as source, learning it */
    } rows[] = {
        { "2001:db8:1::", 64, "fe80::ff:fe00:1", "a", true },
        { "2001:db8:1::", 64, "2001:db8:1::ff:fe00:1", "a", true },
        { "2001:db8:1::", 64, "2001:db8:1::ff:fe00:2", "b", false },
        { "2001:db8:1::", 64, "2001:db8:1::ff:fe00:3", "-", false }, /* of nobody's MAC */
        { "2001:db8:1::", 64, "2001:db8:1::200:ff:fe00:1", "-", false },
        { "2001:db8:1::", 64, "fe80:0:0:1:0:ff:fe00:1", "-", false }, /* not of fe80::/64 */
        { "2001:db8:1::", 64, "2001:db8:1::", "r", false },
        { "2001:db8:1::", 64, "2001:db8:1::1", "r", false },
        { "2001:db8:1::", 64, "2001:db8:1::2", "-", true },
        { "2001:db8:1::", 64, "2001:db8:1:1::2", "-", false },
        { "2001:db8:1::", 64, "::", "-", false },
        { "2001:db8:1::", 48, "2001:db8:1::ff:fe00:1", "a", true },
        { "2001:db8:1::", 48, "2001:db8:1:1:0:ff:fe00:1", "-", false }, /* its first /64 only */
        { "2001:db8:1::", 48, "2001:db8:1:1::2", "-", true },
        /* In a prefix longer than /64 an identifier of that shape is one like any other. */
        { "2001:db8:1::", 96, "2001:db8:1::2", "-", true },
        { "2001:db8:1:0:0:ff:fe00:0", 112, "2001:db8:1::ff:fe00:2", "-", true },
        { "2001:db8:1::", 96, "fe80::ff:fe00:1", "a", true },
        { "2001:db8:1::", 96, "fe80::ff:fe00:2", "b", false },
        { "2001:db8:1::", 96, "::", "-", false },
    };
    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < N(rows); i++) {
        struct member *m = NULL;
        bool l;
        rig_free(&rig);
        rig_defaults(&rig);
        rig.conf.prefix = (struct prefix){ .addr = ip6_of(rows[i].prefix), .len = rows[i].len };
        two();
        struct ip6 x = ip6_of(rows[i].addr);
        enum owner_kind k = bindings_owner(&rig.re->b, x, &m);
        const char *owner = k == OWNER_NONE ? "-" : k == OWNER_ROUTER ? "r" : m == a ? "a" : "b";
        if (strcmp(owner, rows[i].owner) != 0)
            fail_msg("%s in /%u: %s", rows[i].addr, rows[i].len, owner);
        assert_int_equal(bindings_owns(&rig.re->b, a, x), *owner == 'a');
        if (ip6_is_unspecified(x))
            continue;
        if ((bindings_guard(&rig.re->b, a, x, rig.now, &l) == DROP_NONE) != rows[i].a_may)
            fail_msg("%s in /%u as source", rows[i].addr, rows[i].len);
        assert_int_equal(l, rows[i].a_may && *owner == '-');
    }
}

static struct ip6 nth(unsigned n)
{
    struct ip6 x = ip6_of("2001:db8:1:0:7::");
    be32_store(x.b + 12, n + 2);
    return x;
}

static void listed_for_a_person(void **state)
{
    static const char *const want[] = { "2001:db8:2::3", "2001:db8:2::5", "2001:db8:2::4",
                                        "2001:db8:1::3", "2001:db8:1::5", "fe80::4",
                                        "2001:db8:1::4" };
    /* in the order in which they came; the prefix became 2001:db8:2::/64 after the third */
    static const char *const came[] = { "2001:db8:1::4", "2001:db8:1::3", "2001:db8:1::5",
                                        "fe80::4",       "2001:db8:2::4", "2001:db8:2::5",
                                        "2001:db8:2::3" };
    struct ip6 list[BOUND_MAX];

    (void)state;
    two();
    struct bindings *p = &rig.re->b;
    assert_int_equal(bindings_list(p, a, list), 0);
    for (unsigned i = 0; i < N(came); i++) {
        bool assigned = i == 1 || i == 6, l;
        rig.now += NS_PER_S;
        if (i == 3)
            p->prefix.addr = ip6_of("2001:db8:2::");
        if (assigned)
            assert_true(bindings_assign(p, a, ip6_of(came[i]), rig.now));
        else
            assert_int_equal(bindings_guard(p, a, ip6_of(came[i]), rig.now, &l), DROP_NONE);
    }
    rig.now += NS_PER_S;
    assert_int_equal(guard(a, "2001:db8:1::5"), DROP_NONE); /* used again */
    assert_int_equal(bindings_list(p, a, list), N(want));
    for (unsigned i = 0; i < N(want); i++) {
        if (!ip6_eq(list[i], ip6_of(want[i])))
            fail_msg("place %u is not of %s", i, want[i]);
    }
    bindings_release(p, a); /* a prefix of the past is none the engine knows of */
    p->prefix = rig.conf.prefix;
}

static void idle_gives_way(void **state) /* R33 */
{
    bool l;

    (void)state;
    two();
    for (unsigned i = 0; i < LEARNED_PER_MEMBER; i++)
        assert_int_equal(bindings_guard(&rig.re->b, a, nth(i), rig.now + i, &l), DROP_NONE);
    assert_int_equal(bindings_guard(&rig.re->b, a, nth(99), rig.now + 20, &l), DROP_BINDINGS);
    assert_false(l);
    mono_ns now = rig.now + BOUND_IDLE; /* the first is idle long enough, unless it is used */
    assert_int_equal(bindings_guard(&rig.re->b, a, nth(0), now, &l), DROP_NONE);
    assert_int_equal(bindings_guard(&rig.re->b, a, nth(99), now, &l), DROP_BINDINGS);
    assert_int_equal(bindings_guard(&rig.re->b, a, nth(99), now + 1, &l),
                     DROP_NONE); /* the second gives way */
    assert_true(l);
    assert_false(bindings_owns(&rig.re->b, a, nth(1)));
    assert_true(bindings_owns(&rig.re->b, a, nth(0)));
    assert_int_equal(bindings_guard(&rig.re->b, b, nth(1), now, &l),
                     DROP_NONE); /* and b may have it */
}

static void assigned(void **state)
{
    struct ip6 x = nth(5);
    bool l;

    (void)state;
    two();
    assert_int_equal(bindings_guard(&rig.re->b, a, x, rig.now, &l), DROP_NONE);
    assert_int_equal(a->n_learned, 1);
    assert_false(bindings_assign(&rig.re->b, b, x, rig.now)); /* taken */
    assert_true(bindings_assign(&rig.re->b, a, x, rig.now));  /* learned becomes assigned */
    assert_int_equal(a->n_learned, 0);
    assert_int_equal(a->n_bound, 1);
    assert_true(bindings_assign(&rig.re->b, a, x, rig.now));
    assert_int_equal(a->n_bound, 1);
    assert_false(bindings_assign(&rig.re->b, a, rig.conf.address, rig.now));
    /* It stays, however long it is idle and however many are learned. */
    for (unsigned i = 0; i < 40; i++)
        (void)bindings_guard(&rig.re->b, a, nth(100 + i), rig.now + i * BOUND_IDLE, &l);
    assert_true(bindings_owns(&rig.re->b, a, x));
    bindings_release(&rig.re->b, a);
    assert_int_equal(a->n_bound, 0);
    assert_int_equal(table_count(&rig.re->b.by_addr), 0);
}

static void reserved(void **state)
{
    struct ip6 x, y;

    (void)state;
    two();
    for (unsigned i = 0; i < RIG_LISTED; i++) {
        char text[IP6_TEXT_LEN];
        assert_true(bindings_stable(&rig.re->b, i, rig.clients[i].public_key, &x));
        assert_int_equal(guard(a, ip6_text(text, x)), DROP_SRC_GUARD);
        a->client = i; /* its own client may */
        assert_true(bindings_assign(&rig.re->b, a, x, rig.now));
        a->client = SLOT_ABSENT;
        bindings_release(&rig.re->b, a);
    }
    /* An address that is taken is not given twice, and one's own is given again. */
    uint8_t stranger[KEY_LEN] = { 77 };
    assert_true(bindings_stable(&rig.re->b, SLOT_ABSENT, stranger, &x));
    assert_true(bindings_assign(&rig.re->b, a, x, rig.now));
    assert_true(bindings_stable(&rig.re->b, SLOT_ABSENT, stranger, &y));
    assert_false(ip6_eq(x, y));
    assert_true(bindings_stable(&rig.re->b, SLOT_ABSENT, a->key, &y));
    assert_true(bindings_assign(&rig.re->b, a, y, rig.now));
    struct ip6 z;
    assert_true(bindings_stable(&rig.re->b, SLOT_ABSENT, a->key, &z));
    assert_true(ip6_eq(y, z));
}

static void small_prefix_runs_out(void **state)
{
    struct ip6 x;
    unsigned n = 0;

    (void)state;
    rig.conf.prefix = (struct prefix){ .addr = ip6_of("2001:db8:1::"), .len = 124 };
    rig.conf.n_clients = 0;
    rig_start(&rig);
    for (; n < 40; n++) {
        struct member *m = member(10 + n);
        if (!bindings_stable(&rig.re->b, SLOT_ABSENT, m->key, &x))
            break;
        assert_true(bindings_assign(&rig.re->b, m, x, rig.now));
    }
    assert_int_equal(n, 14); /* 16 but for ::0 and ::1 */
}

static void random_bindings(void **state)
{
    struct member *m[6], *twin[40] = { NULL };

    (void)state;
    rig_start(&rig);
    for (unsigned i = 0; i < N(m); i++)
        m[i] = member(10 + i);
    for (unsigned round = 0; round < rig_rounds(20000); round++) {
        uint32_t rnd = entropy_u32(&rig.e);
        unsigned who = rnd % N(m), k = (rnd >> 8) % N(twin), n = 0;
        struct member *owner = NULL;
        bool l;

        for (unsigned i = 0; i < N(twin); i++)
            n += twin[i] == m[who];
        if ((rnd >> 16) % 64 == 0) {
            bindings_release(&rig.re->b, m[who]);
            for (unsigned i = 0; i < N(twin); i++)
                twin[i] = twin[i] == m[who] ? NULL : twin[i];
        } else {
            enum drop why = bindings_guard(&rig.re->b, m[who], nth(k), rig.now, &l);
            enum drop want = twin[k] == m[who]         ? DROP_NONE
                             : twin[k]                 ? DROP_SRC_GUARD
                             : n == LEARNED_PER_MEMBER ? DROP_BINDINGS
                                                       : DROP_NONE;
            assert_int_equal(why, want);
            assert_int_equal(l, !twin[k] && want == DROP_NONE);
            if (l)
                twin[k] = m[who];
        }
        (void)bindings_owner(&rig.re->b, nth(k), &owner);
        assert_ptr_equal(owner, twin[k]);
        assert_int_equal(bindings_owns(&rig.re->b, m[who], nth(k)), twin[k] == m[who]);
        if (round % 100 == 0)
            router_check(rig.re);
    }
}

/* Every owner that bindings_owner() would find is foreseen, by address or by MAC; and nothing is
 * changed by that. */
static void foreseen(void **state)
{
    static const struct {
        const char *dst;
        uint8_t hint; /* of which member; 0: none */
        unsigned found;
    } rows[] = {
        { "fe80::ff:fe00:1", 0, 1 }, { "2001:db8:1::ff:fe00:2", 0, 1 }, { "2001:db8:1::77", 0, 1 },
        { "2001:db8:1::78", 0, 0 },  { "2001:db8:1::ff:fe00:3", 0, 0 }, { "2001:db8:2::1", 0, 0 },
        { "2001:db8:1::78", 2, 1 },  { "2001:db8:1::78", 3, 0 },        { "2001:db8:1::1", 0, 0 },
        { "ff02::1", 0, 0 },
    };
    struct wanted w[BURST_MAX];
    unsigned sum = 0;

    (void)state;
    two();
    assert_int_equal(guard(a, "2001:db8:1::77"), DROP_NONE);
    for (unsigned i = 0; i < N(rows); i++) {
        w[i] = (struct wanted){ .dst = ip6_of(rows[i].dst) };
        if (rows[i].hint)
            w[i].hint = (struct mac){ { 2, 0, 0, 0, 0, rows[i].hint } };
        assert_int_equal(bindings_prefetch(&rig.re->b, &w[i], 1), rows[i].found);
        sum += rows[i].found;
    }
    assert_int_equal(bindings_prefetch(&rig.re->b, w, N(rows)), sum);
    assert_int_equal(bindings_prefetch(&rig.re->b, w, 0), 0);
    for (unsigned i = 0; i < BURST_MAX; i++)
        w[i] = (struct wanted){ .dst = ip6_of("2001:db8:1::77") };
    assert_int_equal(bindings_prefetch(&rig.re->b, w, BURST_MAX), BURST_MAX);
    router_check(rig.re);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        RIG_ROW(owners),          RIG_ROW(listed_for_a_person),
        RIG_ROW(idle_gives_way),  RIG_ROW(assigned),
        RIG_ROW(reserved),        RIG_ROW(small_prefix_runs_out),
        RIG_ROW(random_bindings), RIG_ROW(foreseen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
