/* SPDX-License-Identifier: MIT */
/* test_groups.c - who listens: join, leave, expiry, limits; beside a naive twin under random
 * operations (R37, R38, H59) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

#define RECORD  20u
#define RECORDS 80u

static struct router_config conf;
static struct groups gs;
static void *mem;
static mono_ns now;

static void start(unsigned max_members, bool multicast)
{
    static const uint8_t hash_key[16] = "some hash key";

    router_config_defaults(&conf);
    conf.max_members = max_members;
    conf.multicast = multicast;
    size_t n = groups_bytes(&conf);
    mem = calloc(1, n + 1); /* exactly what was asked for, or the sanitizer speaks */
    assert_non_null(mem);
    groups_init(&gs, mem, &conf, hash_key);
    now = T0;
}

static int tear_down(void **state)
{
    (void)state;
    free(mem);
    mem = NULL;
    return 0;
}

struct report {
    uint8_t p[RECORDS * RECORD];
    struct mld m;
};

static struct mld *report_of(struct report *r)
{
    r->m = (struct mld){ .type = ICMP6_MLD2_REPORT, .next = r->p };
    return &r->m;
}

static void add(struct report *r, struct ip6 group, bool listens)
{
    uint8_t *p = r->p + r->m.n_left++ * RECORD;
    assert_true(r->m.n_left <= RECORDS);
    memset(p, 0, 4);
    p[0] = listens ? 4 : 3; /* CHANGE_TO_EXCLUDE, CHANGE_TO_INCLUDE without sources */
    memcpy(p + 4, group.b, IP6_LEN);
}

static enum drop say(uint32_t slot, struct ip6 group, bool listens)
{
    struct report r;
    struct mld *m = report_of(&r);
    add(&r, group, listens);
    return groups_report(&gs, slot, m, now);
}

static struct ip6 group_n(unsigned n)
{
    struct ip6 a = ip6_of("ff05::1:0");
    a.b[15] = (uint8_t)n;
    return a;
}

static bool gets(uint32_t slot, struct ip6 group)
{
    uint32_t id = groups_find(&gs, group);
    return id != GROUP_NONE && groups_listens(&gs, slot, id);
}

static void which_are_kept(void **state) /* R37 */
{
    static const struct {
        const char *group;
        bool kept, everybody;
    } rows[] = {
        { "ff02::fb", true, false },
        { "ff02::1:3", true, false }, /* LLMNR */
        { "ff05::1:3", true, false },
        { "ff0e::1234", true, false },
        { "ff12::1", true, false }, /* transient: not all-nodes */
        { "ff32::1:ff00:5", true, false },
        { "ff02::1:fe00:5", true, false },
        { "ff02::1:1ff00:5", true, false },
        { "ff05::1:ff00:5", true, false },
        { "ff02::1:ff00:5", false, false }, /* solicited-node: the router answers */
        { "ff02::1:ffff:ffff", false, false },
        { "ff02::1", false, true },
        { "ff02::2", false, false },
        { "ff01::1", false, false },
        { "ff01::fb", false, false },
        { "ff00::fb", false, false },
        { "ff11::fb", false, false },
    };
    (void)state;
    start(8, true);
    for (unsigned i = 0; i < N(rows); i++) {
        struct ip6 a;
        if (strcmp(rows[i].group, "ff02::1:1ff00:5") == 0) { /* no text writes it */
            a = ip6_of("ff02::1:ff00:5");
            a.b[10] = 1;
        } else {
            a = ip6_of(rows[i].group);
        }
        assert_int_equal(say(3, a, true), DROP_NONE);
        uint32_t id = groups_find(&gs, a);
        if ((id == GROUP_EVERYBODY) != rows[i].everybody ||
            (id != GROUP_NONE) != (rows[i].kept || rows[i].everybody) ||
            gets(3, a) != (rows[i].kept || rows[i].everybody) || gets(4, a) != rows[i].everybody)
            fail_msg("%s: group %u", rows[i].group, (unsigned)id);
        assert_int_equal(table_count(&gs.by_addr), rows[i].kept);
        groups_leave(&gs, 3);
        assert_int_equal(table_count(&gs.by_addr), 0);
    }
}

static void join_and_leave(void **state)
{
    struct ip6 g = ip6_of("ff02::fb"), h = ip6_of("ff05::7");

    (void)state;
    start(8, true);
    assert_false(gets(0, g));
    assert_int_equal(say(0, g, false), DROP_NONE); /* left before it came */
    assert_int_equal(say(0, g, true), DROP_NONE);
    assert_int_equal(say(0, g, true), DROP_NONE); /* twice is once */
    assert_int_equal(say(7, g, true), DROP_NONE); /* the last slot */
    assert_int_equal(say(1, h, true), DROP_NONE);
    assert_true(gets(0, g) && gets(7, g) && gets(1, h));
    assert_false(gets(1, g) || gets(0, h) || gets(7, h));
    assert_int_equal(say(1, g, false), DROP_NONE); /* of a group it is not in: nothing changes */
    assert_true(gets(0, g) && gets(7, g) && gets(1, h));
    assert_int_equal(say(0, g, false), DROP_NONE);
    assert_true(!gets(0, g) && gets(7, g));
    groups_leave(&gs, 7);
    assert_int_equal(groups_find(&gs, g), GROUP_NONE); /* nobody is left */
    assert_true(gets(1, h));
    groups_leave(&gs, 7);
    groups_leave(&gs, 1);
    assert_int_equal(groups_find(&gs, h), GROUP_NONE);
}

static void expiry(void **state) /* RFC 3810 9.4 */
{
    struct ip6 g = ip6_of("ff02::fb"), h = ip6_of("ff05::7");

    (void)state;
    start(8, true);
    say(0, g, true);
    say(0, h, true);
    say(1, g, true);
    now += 100 * NS_PER_S;
    say(0, h, true); /* answers a query for one of them */
    now = T0 + MLD_LISTENER_LIFE - NS_PER_S;
    groups_expire(&gs, 0, now);
    assert_true(gets(0, g) && gets(0, h));
    now = T0 + MLD_LISTENER_LIFE;
    groups_expire(&gs, 0, now);
    assert_true(!gets(0, g) && gets(0, h) &&
                gets(1, g)); /* only what and whom it was asked about */
    now += 100 * NS_PER_S - 1;
    groups_expire(&gs, 0, now);
    assert_true(gets(0, h));
    groups_expire(&gs, 0, ++now);
    assert_false(gets(0, h));
    groups_expire(&gs, 1, now);
    assert_int_equal(table_count(&gs.by_addr), 0);
}

static void limit_of_a_member(void **state) /* H59 */
{
    struct report r;

    (void)state;
    start(8, true);
    struct mld *m = report_of(&r);
    for (unsigned i = 0; i < GROUPS_PER_MEMBER + 5; i++)
        add(&r, group_n(i), true);
    assert_int_equal(groups_report(&gs, 2, m, now), DROP_FULL);
    for (unsigned i = 0; i < GROUPS_PER_MEMBER + 5; i++)
        assert_int_equal(gets(2, group_n(i)), i < GROUPS_PER_MEMBER);
    /* What it has can be said again; another member has room of its own; leaving makes room. */
    assert_int_equal(say(2, group_n(15), true), DROP_NONE);
    assert_int_equal(say(3, group_n(20), true), DROP_NONE);
    assert_int_equal(say(2, group_n(20), true), DROP_FULL);
    assert_int_equal(say(2, group_n(3), false), DROP_NONE);
    assert_int_equal(say(2, group_n(20), true), DROP_NONE);
    assert_true(gets(2, group_n(20)) && !gets(2, group_n(3)));
    /* A leave behind what did not fit is heard all the same. */
    m = report_of(&r);
    add(&r, group_n(40), true);
    add(&r, group_n(0), false);
    assert_int_equal(groups_report(&gs, 2, m, now), DROP_FULL);
    assert_false(gets(2, group_n(0)));
}

static void limit_of_the_table(void **state) /* H59 */
{
    (void)state;
    start(5, true); /* 4 groups a member on average: 20, and a member may have 16 */
    for (unsigned i = 0; i < 16; i++)
        assert_int_equal(say(0, group_n(i), true), DROP_NONE);
    for (unsigned i = 16; i < 20; i++)
        assert_int_equal(say(1, group_n(i), true), DROP_NONE);
    assert_int_equal(say(1, group_n(20), true), DROP_FULL);
    assert_int_equal(groups_find(&gs, group_n(20)), GROUP_NONE);
    assert_int_equal(say(1, group_n(0), true), DROP_NONE); /* one that is there costs none */
    groups_leave(&gs, 0);
    assert_true(gets(1, group_n(0)));
    for (unsigned i = 30; i < 45; i++)
        assert_int_equal(say(2, group_n(i), true), DROP_NONE);
    assert_int_equal(say(3, group_n(45), true), DROP_FULL);
}

static void off_is_nothing(void **state)
{
    (void)state;
    start(64, false);
    assert_int_equal(groups_bytes(&conf), 0);
    groups_expire(&gs, 63, now);
    groups_leave(&gs, 63);
    assert_int_equal(groups_find(&gs, ip6_of("ff02::1")), GROUP_NONE);
    assert_int_equal(groups_find(&gs, ip6_of("ff02::fb")), GROUP_NONE);
}

/* ---- naive twin: a list of {slot, group, end} ---- */

#define SLOTS  6u
#define POOL   30u
#define GROUPS (4 * SLOTS)

static struct {
    bool in;
    mono_ns until;
} twin[SLOTS][POOL];

static unsigned twin_groups(void)
{
    unsigned n = 0;
    for (unsigned g = 0; g < POOL; g++) {
        bool any = false;
        for (unsigned s = 0; s < SLOTS; s++)
            any |= twin[s][g].in;
        n += any;
    }
    return n;
}

static unsigned twin_of(unsigned s)
{
    unsigned n = 0;
    for (unsigned g = 0; g < POOL; g++)
        n += twin[s][g].in;
    return n;
}

static bool twin_join(unsigned s, unsigned g)
{
    bool known = false;
    for (unsigned i = 0; i < SLOTS; i++)
        known |= twin[i][g].in;
    if (!twin[s][g].in && (twin_of(s) == GROUPS_PER_MEMBER || (!known && twin_groups() == GROUPS)))
        return false;
    twin[s][g].in = true;
    twin[s][g].until = now / NS_PER_S * NS_PER_S + MLD_LISTENER_LIFE;
    return true;
}

static void twin_compare(void)
{
    for (unsigned g = 0; g < POOL; g++) {
        uint32_t id = groups_find(&gs, group_n(g));
        unsigned n = 0;
        for (unsigned s = 0; s < SLOTS; s++) {
            assert_int_equal(gets(s, group_n(g)), twin[s][g].in);
            n += twin[s][g].in;
        }
        assert_int_equal(id != GROUP_NONE, n > 0);
        if (n) {
            assert_true(id < GROUPS && ip6_eq(gs.g[id].addr, group_n(g)));
            assert_int_equal(gs.g[id].listeners, n);
        }
    }
    assert_int_equal(table_count(&gs.by_addr), twin_groups());
}

static void random_operations(void **state)
{
    struct entropy e = { .seed = { 37 } };
    unsigned full = 0;

    (void)state;
    start(SLOTS, true);
    memset(twin, 0, sizeof(twin));
    for (unsigned round = 0; round < rig_rounds(20000); round++) {
        unsigned s = entropy_u32(&e) % SLOTS, what = entropy_u32(&e) % 100;
        if (what < 80) {
            struct report r;
            struct mld *m = report_of(&r);
            bool fits = true;
            for (unsigned n = 1 + entropy_u32(&e) % 6; n > 0; n--) {
                unsigned g = entropy_u32(&e) % POOL;
                bool joins = entropy_u32(&e) % 5 != 0;
                add(&r, group_n(g), joins);
                if (joins)
                    fits &= twin_join(s, g);
                else
                    twin[s][g].in = false;
            }
            full += !fits;
            assert_int_equal(groups_report(&gs, s, m, now), fits ? DROP_NONE : DROP_FULL);
        } else if (what < 82) {
            groups_leave(&gs, s);
            memset(twin[s], 0, sizeof(twin[s]));
        } else {
            now += (mono_ns)(entropy_u32(&e) % 40) * NS_PER_S / 2;
            groups_expire(&gs, s, now);
            for (unsigned g = 0; g < POOL; g++)
                twin[s][g].in &= twin[s][g].until > now;
        }
        twin_compare();
    }
    assert_true(full > rig_rounds(100) && full < rig_rounds(15000));
}

#define ROW(f) cmocka_unit_test_teardown(f, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(which_are_kept),    ROW(join_and_leave),     ROW(expiry),
        ROW(limit_of_a_member), ROW(limit_of_the_table), ROW(off_is_nothing),
        ROW(random_operations),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
