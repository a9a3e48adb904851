/* SPDX-License-Identifier: MIT */
/* test_members.c - slots, indices and leases against naive twins; alignment; exhaustion */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

static const uint8_t hash_key[16] = { 1, 2, 3 };

static struct router_config conf;
static struct members ms;
static void *mem;
static struct entropy e;

static int set_up(void **state)
{
    (void)state;
    assert_true(sodium_init() >= 0);
    memset(&conf, 0, sizeof(conf));
    conf.max_members = 5;
    conf.lease_s = 100;
    size_t n = (members_bytes(&conf) + 63) & ~(size_t)63;
    mem = aligned_alloc(64, n);
    assert_non_null(mem);
    memset(mem, 0, n);
    members_init(&ms, mem, &conf, hash_key);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(mem);
    return 0;
}

static struct mac mac_n(unsigned n)
{
    return (struct mac){ { 2, 0, 0, 0, (uint8_t)(n >> 8), (uint8_t)n } };
}

static const uint8_t *key_n(unsigned n)
{
    static uint8_t key[KEY_LEN];
    memset(key, 9, sizeof(key));
    be32_store(key, n);
    return key;
}

static struct member *add(unsigned n, mono_ns now)
{
    return member_new(&ms, key_n(n), mac_n(n), (struct prefix){ .len = 64 }, now);
}

static void slots(void **state)
{
    struct member *m[5];

    (void)state;
    for (unsigned i = 0; i < 5; i++) {
        m[i] = add(i, T0);
        assert_non_null(m[i]);
        assert_int_equal((uintptr_t)m[i] % _Alignof(struct member), 0);
        assert_int_equal(m[i]->mtu, INNER_MTU_MIN);
        assert_true(ip6_eq(m[i]->link_local, mac_link_local(mac_n(i))));
    }
    assert_null(add(5, T0));
    assert_null(member_by_key(&ms, key_n(5)));
    for (unsigned i = 0; i < 5; i++) {
        assert_ptr_equal(member_by_key(&ms, key_n(i)), m[i]);
        assert_ptr_equal(member_by_mac(&ms, mac_n(i)), m[i]);
    }
    member_gone(&ms, m[3], T0);
    assert_null(member_by_key(&ms, key_n(3)));
    assert_null(member_by_mac(&ms, mac_n(3)));
    assert_true(sodium_is_zero((const uint8_t *)m[3], sizeof(*m[3]))); /* keys and all */
    assert_int_equal(ms.high, 5);
    assert_ptr_equal(add(6, T0), m[3]);
    member_gone(&ms, m[3], T0);
    member_gone(&ms, m[4], T0);
    assert_int_equal(ms.high, 3);
}

static void indices(void **state) /* against a naive twin */
{
    struct {
        uint32_t index, ref;
        enum index_kind kind;
    } twin[300];
    unsigned n = 0, full = 0;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        uint32_t rnd = entropy_u32(&e);
        if (rnd % 8 < (round / 2000 % 2 ? 3u : 5u)) {
            uint32_t index = index_new(&ms, INDEX_TENTATIVE, round, entropy_u32(&e));
            assert_int_equal(index == 0, n == ms.n_index - 1);
            full += index == 0;
            if (index == 0)
                continue;
            for (unsigned i = 0; i < n; i++)
                assert_int_not_equal(twin[i].index, index);
            assert_true(n < N(twin));
            twin[n].index = index;
            twin[n].ref = round;
            twin[n++].kind = INDEX_TENTATIVE;
        } else if (n) {
            unsigned i = (rnd >> 8) % n;
            if (rnd % 8 == 7) {
                index_retarget(&ms, twin[i].index, INDEX_MEMBER, round);
                twin[i].ref = round;
                twin[i].kind = INDEX_MEMBER;
                continue;
            }
            index_free(&ms, twin[i].index);
            assert_null(index_get(&ms, twin[i].index));
            twin[i] = twin[--n];
        }
        for (unsigned i = 0; i < n; i += 7) {
            const struct index_entry *ie = index_get(&ms, twin[i].index);
            assert_non_null(ie);
            assert_int_equal(ie->ref, twin[i].ref);
            assert_int_equal(ie->kind, twin[i].kind);
            assert_null(index_get(&ms, twin[i].index ^ 0x80000000)); /* of a former life */
        }
    }
    assert_true(full > 0);
    assert_null(index_get(&ms, 0));
    index_free(&ms, 0);
}

static void lease_rows(void **state)
{
    struct mac got;

    (void)state;
    member_gone(&ms, add(1, T0), T0);
    assert_true(lease_get(&ms, key_n(1), T0 + 99 * NS_PER_S, &got));
    assert_true(mac_eq(got, mac_n(1)));
    assert_false(lease_get(&ms, key_n(1), T0 + 100 * NS_PER_S, &got));
    assert_false(lease_get(&ms, key_n(2), T0, &got));
    /* One that comes and goes does not push others out; its own is the newest. */
    for (unsigned i = 0; i < 50; i++) {
        struct member *m =
            member_new(&ms, key_n(2), mac_n(100 + i), (struct prefix){ .len = 64 }, T0);
        assert_non_null(m);
        member_gone(&ms, m, T0 + i);
    }
    assert_true(lease_get(&ms, key_n(1), T0, &got) && mac_eq(got, mac_n(1)));
    assert_true(lease_get(&ms, key_n(2), T0, &got) && mac_eq(got, mac_n(149)));
    /* As many as members; then the one put first goes. */
    for (unsigned i = 3; i < 7; i++)
        member_gone(&ms, add(i, T0), T0);
    assert_false(lease_get(&ms, key_n(1), T0, &got));
    for (unsigned i = 3; i < 7; i++)
        assert_true(lease_get(&ms, key_n(i), T0, &got));
    assert_true(lease_get(&ms, key_n(2), T0, &got));
    assert_int_equal(table_count(&ms.lease_by_key), 5);
}

static void random_members(void **state)
{
    bool live[12] = { false };
    unsigned n = 0;

    (void)state;
    for (unsigned round = 0; round < 20000; round++) {
        unsigned k = entropy_u32(&e) % 12;
        struct member *m = member_by_key(&ms, key_n(k));
        assert_int_equal(m != NULL, live[k]);
        if (m) {
            member_gone(&ms, m, T0 + round);
            live[k] = false;
            n--;
        } else {
            m = add(k, T0 + round);
            assert_int_equal(m != NULL, n < 5);
            live[k] = m != NULL;
            n += m != NULL;
        }
        assert_int_equal(ms.n_free, 5 - n);
        assert_int_equal(table_count(&ms.by_mac), n);
        for (uint32_t i = ms.high; i < ms.n_max; i++)
            assert_false(ms.m[i].live);
        assert_true(ms.high == 0 || ms.m[ms.high - 1].live);
    }
}

static void sizes(void **state)
{
    (void)state;
    for (unsigned n = 1; n <= 65535; n = n * 2 + 1) {
        struct router_config c = { .max_members = n };
        uint32_t t = members_tentatives(&c);
        assert_in_range(t, 64, 4096);
        assert_true(members_bytes(&c) > n * sizeof(struct member));
    }
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        ROW(slots), ROW(indices), ROW(lease_rows), ROW(random_members), ROW(sizes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
