/* SPDX-License-Identifier: MIT */
/* test_txq.c - packets on their way to members: kinds, runs, bounds, credit, what cannot be sent */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "scene.h"

static struct txq q;
static uint64_t drops[DROP_COUNT];
static uint8_t room[TXQ_MAX + 1][128];

static int set_up(void **state)
{
    rig_set_up(state);
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    guest_join(&a, &rig);
    guest_join(&b, &rig);
    out_reset(&rig.out);
    memset(&q, 0, sizeof(q));
    memset(drops, 0, sizeof(drops));
    return 0;
}

static uint8_t *packet(unsigned n, size_t len)
{
    memset(room[n], 0xEE, sizeof(room[n]));
    memset(room[n] + 32, (int)n, len);
    return room[n] + 32;
}

static void kinds(void **state)
{
    struct mac src = { { 2, 1, 2, 3, 4, 5 } };
    struct member *m = rig_member(&rig, &a);

    (void)state;
    assert_int_equal(txq_host(&q, m, packet(0, 40), 40), DROP_NONE);
    assert_int_equal(txq_peer(&q, m, packet(1, 40), 40, src), DROP_NONE);
    assert_int_equal(txq_multicast(&q, m, packet(2, 40), 40, src), DROP_NONE);
    assert_int_equal(txq_control(&q, m, packet(3, 0), 0), DROP_NONE);
    txq_flush(&q, rig.now, &rig.out, drops);
    assert_int_equal(rig.out.n_dg, 4);
    assert_ptr_equal(rig.out.dg[0].p, room[0] + 16); /* nothing was copied */
    assert_ptr_equal(rig.out.dg[1].p, room[1] + 10);
    guest_take(&a, &rig);
    assert_int_equal(a.n_got, 4);
    static const size_t len[] = { 40, 46, 46, 0 };
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(a.got[i].kind, KIND_HOST + i);
        assert_int_equal(a.got[i].len, len[i]);
        if (len[i] == 46)
            assert_memory_equal(a.got[i].p, src.b, MAC_LEN);
    }
    /* Header before, tag behind, and no octet more. */
    assert_int_equal(room[0][15], 0xEE);
    assert_int_equal(room[1][9], 0xEE);
    assert_int_equal(room[0][32 + 40 + TAG_LEN], 0xEE);
    txq_flush(&q, rig.now, &rig.out, drops); /* empty */
    assert_int_equal(rig.out.n_dg, 4);
}

static void runs(void **state)
{
    struct member *to[2] = { rig_member(&rig, &a), rig_member(&rig, &b) };
    uint64_t before = to[0]->tx_packets;

    (void)state;
    for (unsigned i = 0; i < 60; i++)
        assert_int_equal(txq_host(&q, to[(i / 7) % 2], packet(i, 40), 40), DROP_NONE);
    txq_flush(&q, rig.now, &rig.out, drops);
    guest_take(&a, &rig);
    guest_take(&b, &rig);
    assert_int_equal(a.n_got + b.n_got, 60);
    for (unsigned i = 0; i < a.n_got; i++)
        assert_int_equal(a.got[i].p[0],
                         i % 7 + i / 7 * 14); /* in order, each with its own octets */
    assert_int_equal(to[0]->tx_packets - before, a.n_got);
}

static void bounds(void **state)
{
    struct member *m = rig_member(&rig, &a);

    (void)state;
    for (unsigned i = 0; i <= TXQ_MAX; i++)
        assert_int_equal(txq_host(&q, m, packet(i, 40), 40),
                         i < TXQ_MAX ? DROP_NONE : DROP_NO_ROOM);
    rig.out.cap_dg = 100;
    txq_flush(&q, rig.now, &rig.out, drops);
    rig.out.cap_dg = RIG_OUT;
    assert_int_equal(rig.out.n_dg, 100);
    assert_int_equal(drops[DROP_NO_ROOM], TXQ_MAX - 100);
}

static void credit(void **state)
{
    static const struct {
        bool proven;
        uint64_t credit;
        unsigned sent; /* of five of 72 octets */
    } rows[] = {
        { true, 0, 5 },    { false, 0, 0 },   { false, 71, 0 },    { false, 72, 1 },
        { false, 143, 1 }, { false, 144, 2 }, { false, 10000, 5 },
    };
    struct member *m = rig_member(&rig, &a);

    (void)state;
    for (unsigned i = 0; i < N(rows); i++) {
        m->proven = rows[i].proven;
        m->credit = rows[i].credit;
        out_reset(&rig.out);
        memset(drops, 0, sizeof(drops));
        for (unsigned k = 0; k < 5; k++)
            (void)txq_host(&q, m, packet(k, 40), 40);
        txq_flush(&q, rig.now, &rig.out, drops);
        assert_int_equal(rig.out.n_dg, rows[i].sent);
        assert_int_equal(drops[DROP_AMPLIFY], 5 - rows[i].sent);
    }
    m->proven = true;
}

static void no_keys(void **state)
{
    struct member *m = rig_member(&rig, &a);

    (void)state;
    (void)txq_host(&q, m, packet(0, 40), 40);
    (void)txq_host(&q, rig_member(&rig, &b), packet(1, 40), 40);
    m->keys.current.tx_counter = KEYPAIR_LIFE_PACKETS; /* used up */
    txq_flush(&q, rig.now, &rig.out, drops);
    assert_int_equal(rig.out.n_dg, 1); /* b is none the worse for it */
    assert_int_equal(drops[DROP_EXPIRED], 1);
    for (unsigned i = 0; i < sizeof(room[0]); i++) /* nothing was written */
        assert_int_equal(room[0][i], i >= 32 && i < 72 ? 0 : 0xEE);
    (void)txq_host(&q, m, packet(0, 40), 40);
    m->keys.current.tx_counter = 0;
    txq_flush(&q, rig.now + KEYPAIR_LIFE, &rig.out, drops);
    assert_int_equal(drops[DROP_EXPIRED], 2);
}

#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, rig_tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = { ROW(kinds), ROW(runs), ROW(bounds), ROW(credit),
                                        ROW(no_keys) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
