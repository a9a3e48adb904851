/* SPDX-License-Identifier: MIT */
/* test_keypair.c - two sets facing each other: who sends with what, what opens when, and when it
 * ends */
#include "pair.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

/* ---- roles ---- */

static void test_empty_set(void **state)
{
    struct pair p;
    struct keyset *sets[] = { &p.client, &p.router };

    (void)state;
    pair_init(&p);
    for (unsigned i = 0; i < 2; i++) {
        struct keyset *ks = sets[i];

        assert_false(keyset_can_send(ks, T0));
        assert_false(pair_send(ks, 1, T0));
        assert_false(keyset_want_rekey(ks, T0));
        assert_false(keyset_expire(ks, T0));
        assert_true(keyset_deadline(ks, T0) == NEVER);
        assert_int_equal(keyset_slot(ks, 0),
                         SLOT_NONE); /* the index of an empty slot is no index */
        keyset_promote(ks, T0);
        assert_false(keyset_can_send(ks, T0));
        memset(pair_pool[0].b, 0, sizeof(pair_pool[0].b));
        pair_pool[0].d = (struct dgram){ .p = pair_pool[0].b, .len = sizeof(pair_pool[0].b) };
        assert_int_equal(pair_recv(ks, 1, T0), 0);
        assert_int_equal(pair_rx[0].drop, DROP_INDEX);
        assert_int_equal(pair_rx[0].slot, SLOT_NONE);
    }
}

static void test_initiator_sends_with_next_at_once(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p);
    struct keypair kp = pair_keypair(1, ROLE_INITIATOR, T0);
    keyset_install(&p.client, &kp, T0, MID);
    assert_true(keyset_can_send(&p.client, T0));
    assert_true(pair_send(&p.client, 1, T0));
    assert_int_equal(pair_sent_under(0), 2001);

    pair_up(&p, T0);
    kp = pair_keypair(2, ROLE_INITIATOR, T0 + 1);
    keyset_install(&p.client, &kp, T0 + 1, MID);
    assert_true(pair_send(&p.client, 1, T0 + 1));
    assert_int_equal(pair_sent_under(0), 2002);
    /* and opens under current as before, which promotes nothing */
    pair_assert_passes(&p.router, &p.client, T0 + 1);
    assert_false(pair_rx[0].promoted);
    assert_int_equal(pair_rx[0].slot, SLOT_CURRENT);
    assert_int_equal(keyset_slot(&p.client, 1001), SLOT_CURRENT);
    assert_int_equal(keyset_slot(&p.client, 1002), SLOT_NEXT);
}

static void test_responder_never_sends_before_promotion(void **state)
{
    struct pair p;
    struct keypair kp = pair_keypair(1, ROLE_RESPONDER, T0);

    (void)state;
    pair_init(&p);
    keyset_install(&p.router, &kp, T0, MID);
    assert_false(keyset_can_send(&p.router, T0));
    assert_false(pair_send(&p.router, 1, T0));
    keyset_promote(&p.router, T0);
    assert_true(keyset_can_send(&p.router, T0));

    pair_up(&p, T0);
    kp = pair_keypair(2, ROLE_RESPONDER, T0 + 1);
    keyset_install(&p.router, &kp, T0 + 1, MID);
    assert_true(pair_send(&p.router, 1, T0 + 1));
    assert_int_equal(pair_sent_under(0), 1001);
    /* the first DATA under next promotes by itself */
    kp = pair_keypair(2, ROLE_INITIATOR, T0 + 1);
    keyset_install(&p.client, &kp, T0 + 1, MID);
    pair_assert_passes(&p.client, &p.router, T0 + 2);
    assert_true(pair_rx[0].promoted);
    assert_true(pair_send(&p.router, 1, T0 + 2));
    assert_int_equal(pair_sent_under(0), 1002);
}

static void test_promotion_within_a_run(void **state)
{
    static const struct {
        enum drop drop;
        bool newest, promoted;
    } expect[] = {
        { DROP_OPEN, false, false },   { DROP_NONE, true, true },   { DROP_NONE, true, false },
        { DROP_REPLAY, false, false }, { DROP_OPEN, false, false },
    };
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    struct keypair c = pair_keypair(2, ROLE_INITIATOR, T0), r = pair_keypair(2, ROLE_RESPONDER, T0);
    keyset_install(&p.client, &c, T0, 0);
    keyset_install(&p.router, &r, T0, 0);
    assert_true(pair_send(&p.client, 5, T0));
    pair_pool[0].b[DATA_HDR_LEN] ^= 1;
    memcpy(pair_pool[3].b, pair_pool[1].b, sizeof(pair_pool[3].b));
    pair_pool[4].b[sizeof(pair_pool[4].b) - 1] ^= 1;
    assert_int_equal(pair_recv(&p.router, 5, T0), 2);
    for (unsigned i = 0; i < N(expect); i++) {
        assert_int_equal(pair_rx[i].drop, expect[i].drop);
        assert_int_equal(pair_rx[i].newest, expect[i].newest);
        assert_int_equal(pair_rx[i].promoted, expect[i].promoted);
        assert_int_equal(pair_rx[i].slot, SLOT_CURRENT);
    }
    assert_int_equal(keyset_slot(&p.router, 2002), SLOT_CURRENT);
    assert_int_equal(keyset_slot(&p.router, 2001), SLOT_PREVIOUS);
    assert_int_equal(keyset_get(&p.router, SLOT_CURRENT)->rx_packets, 2);
    assert_int_equal(keyset_get(&p.router, SLOT_CURRENT)->local_index, 2002);
    assert_int_equal(keyset_get(&p.router, SLOT_PREVIOUS)->local_index, 2001);
    assert_false(keyset_get(&p.router, SLOT_NEXT)->valid);
}

/* Whatever does not open under next promotes nothing. */
static void test_no_promotion_without_opening(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    struct keypair c = pair_keypair(2, ROLE_INITIATOR, T0), r = pair_keypair(2, ROLE_RESPONDER, T0);
    keyset_install(&p.client, &c, T0, 0);
    keyset_install(&p.router, &r, T0, 0);
    assert_true(pair_send(&p.client, 3, T0));
    for (unsigned i = 0; i < 3; i++)
        pair_pool[i].b[15 + i] ^= 0x10; /* counter, first octet, second octet */
    assert_int_equal(pair_recv(&p.router, 3, T0), 0);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(pair_rx[i].drop, DROP_OPEN);
        assert_false(pair_rx[i].promoted || pair_rx[i].newest);
        assert_int_equal(pair_rx[i].slot, SLOT_NEXT);
    }
    assert_int_equal(keyset_slot(&p.router, 2002), SLOT_NEXT);
    assert_int_equal(keyset_slot(&p.router, 2001), SLOT_CURRENT);
}

/* ---- previous ---- */

static void test_previous_life(void **state)
{
    static const struct {
        const char *name;
        mono_ns after;
        bool expire_first;
        enum drop drop;
    } row[] = {
        { "at once", 0, false, DROP_NONE },
        { "last moment", PREVIOUS_LIFE - 1, false, DROP_NONE },
        { "last moment, expire called", PREVIOUS_LIFE - 1, true, DROP_NONE },
        { "over", PREVIOUS_LIFE, false, DROP_EXPIRED },
        { "over and dropped", PREVIOUS_LIFE, true, DROP_INDEX },
        { "long over", 10 * PREVIOUS_LIFE, false, DROP_EXPIRED },
    };

    (void)state;
    for (size_t i = 0; i < N(row); i++) {
        struct pair p;
        mono_ns now = T0 + 3 * NS_PER_S;

        pair_up(&p, T0);
        assert_true(pair_send_at(&p.client, 100, 2, T0)); /* on their way when the keys change */
        pair_log_in(&p, 2, now);
        now += row[i].after;
        if (row[i].expire_first)
            assert_true(keyset_expire(&p.router, now));
        assert_int_equal(pair_recv_at(&p.router, 100, 2, now), row[i].drop == DROP_NONE ? 2 : 0);
        if (pair_rx[0].drop != row[i].drop || pair_rx[1].drop != row[i].drop)
            fail_msg("%s: %s", row[i].name, drop_name(pair_rx[0].drop));
        assert_false(pair_rx[0].promoted);
        if (row[i].drop == DROP_NONE) {
            assert_int_equal(pair_rx[0].slot, SLOT_PREVIOUS);
            assert_true(pair_rx[1].newest);
            pair_assert_plain(100);
            assert_int_equal(pair_recv_at(&p.router, 100, 2, now), 0); /* its window still counts */
            assert_int_equal(pair_rx[0].drop, DROP_REPLAY);
        }
        assert_true(pair_send(&p.router, 1, now)); /* never sent with again */
        assert_int_equal(pair_sent_under(0), 1002);
    }
}

static void test_second_rekey_ends_previous(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    assert_true(pair_send_at(&p.client, 100, 1, T0));
    pair_log_in(&p, 2, T0 + 1);
    assert_true(pair_send_at(&p.client, 101, 1, T0));
    pair_log_in(&p, 3, T0 + 2);
    assert_int_equal(pair_recv_at(&p.router, 100, 1, T0 + 3), 0);
    assert_int_equal(pair_rx[0].drop, DROP_INDEX);
    assert_int_equal(pair_recv_at(&p.router, 101, 1, T0 + 3), 1);
    assert_int_equal(pair_rx[0].slot, SLOT_PREVIOUS);
}

/* ---- rekey ---- */

static void test_rekey_by_age(void **state)
{
    static const struct {
        const char *name;
        uint32_t rnd;
        mono_ns least, most;
    } row[] = {
        { "least jitter", 0, 108 * NS_PER_S, 108 * NS_PER_S },
        { "none", MID, 120 * NS_PER_S, 120 * NS_PER_S },
        { "most jitter", UINT32_MAX, 132 * NS_PER_S - 1000, 132 * NS_PER_S },
    };

    (void)state;
    for (size_t i = 0; i < N(row); i++) {
        struct pair p;
        struct keypair kp = pair_keypair(2, ROLE_INITIATOR, T0);

        pair_init(&p);
        keyset_install(&p.client, &kp, T0, row[i].rnd);
        assert_false(keyset_want_rekey(&p.client, T0 + row[i].most)); /* next is there */
        keyset_promote(&p.client, T0 + 7);
        mono_ns at = keyset_deadline(&p.client, T0 + 7);
        if (at < T0 + row[i].least || at > T0 + row[i].most)
            fail_msg("%s", row[i].name);
        assert_false(keyset_want_rekey(&p.client, at - 1));
        assert_true(keyset_want_rekey(&p.client, at));
        assert_true(keyset_want_rekey(&p.client, at + REKEY_AFTER));
        kp = pair_keypair(3, ROLE_INITIATOR, at);
        keyset_install(&p.client, &kp, at, MID);
        assert_false(keyset_want_rekey(&p.client, at + 1));
    }
}

static void test_responder_never_wants_rekey(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    assert_false(keyset_want_rekey(&p.router, T0 + KEYPAIR_LIFE));
    p.router.current.tx_counter = p.router.current.rx_packets = REKEY_AFTER_PACKETS;
    assert_false(keyset_want_rekey(&p.router, T0));
    assert_true(keyset_deadline(&p.router, T0) == T0 + KEYPAIR_LIFE);
}

static void test_rekey_by_packets(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    p.client.current.tx_counter = REKEY_AFTER_PACKETS - 1;
    assert_false(keyset_want_rekey(&p.client, T0));
    pair_assert_passes(&p.client, &p.router, T0);
    assert_true(keyset_want_rekey(&p.client, T0));
    pair_assert_passes(&p.client, &p.router, T0); /* it is still good to use */

    pair_up(&p, T0);
    p.client.current.rx_packets = REKEY_AFTER_PACKETS - 1;
    assert_false(keyset_want_rekey(&p.client, T0));
    pair_assert_passes(&p.router, &p.client, T0);
    assert_true(keyset_want_rekey(&p.client, T0));
    pair_log_in(&p, 2, T0);
    assert_false(keyset_want_rekey(&p.client, T0));
}

/* The rekey time of current comes back when next goes. */
static void test_drop_next(void **state)
{
    struct pair p;
    mono_ns now = T0 + REKEY_AFTER;

    (void)state;
    pair_up(&p, T0);
    assert_true(keyset_want_rekey(&p.client, now));
    struct keypair kp = pair_keypair(2, ROLE_INITIATOR, now);
    keyset_install(&p.client, &kp, now, MID);
    keyset_drop_next(&p.client);
    assert_true(keyset_want_rekey(&p.client, now));
    assert_int_equal(keyset_slot(&p.client, 1002), SLOT_NONE);
    pair_assert_passes(&p.client, &p.router, now);
    assert_int_equal(pair_rx[0].slot, SLOT_CURRENT);
    pair_assert_passes(&p.router, &p.client, now);
    keyset_drop_next(&p.client); /* twice does nothing */
    pair_assert_passes(&p.client, &p.router, now);
}

static void test_newer_next_replaces_older(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    struct keypair kp = pair_keypair(2, ROLE_INITIATOR, T0);
    keyset_install(&p.client, &kp, T0, MID);
    kp = pair_keypair(3, ROLE_INITIATOR, T0);
    keyset_install(&p.client, &kp, T0, MID);
    assert_int_equal(keyset_slot(&p.client, 1001), SLOT_CURRENT);
    assert_int_equal(keyset_slot(&p.client, 1002), SLOT_NONE);
    assert_int_equal(keyset_slot(&p.client, 1003), SLOT_NEXT);
    struct keypair tentative = pair_keypair(3, ROLE_RESPONDER, T0);
    assert_true(pair_send(&p.client, 1, T0));
    assert_int_equal(keypair_open(&tentative, &pair_pool[0].d, T0), DROP_NONE);
}

/* ---- the end of a keypair ---- */

static void test_life(void **state)
{
    static const struct {
        const char *name;
        mono_ns age;
        uint64_t tx_left, rx_left; /* packets until KEYPAIR_LIFE_PACKETS */
        bool good;
    } row[] = {
        { "young", 0, 100, 100, true },
        { "last moment", KEYPAIR_LIFE - 1, 100, 100, true },
        { "too old", KEYPAIR_LIFE, 100, 100, false },
        { "much too old", 100 * KEYPAIR_LIFE, 100, 100, false },
        { "one counter left", 0, 1, 100, true },
        { "no counter left", 0, 0, 100, false },
        { "one packet to receive left", 0, 100, 1, true },
        { "none to receive left", 0, 100, 0, false },
    };

    (void)state;
    for (size_t i = 0; i < N(row); i++) {
        struct pair p;
        mono_ns now = T0 + row[i].age;

        pair_up(&p, T0);
        assert_true(pair_send_at(&p.router, 100, 1, T0));
        p.client.current.tx_counter = KEYPAIR_LIFE_PACKETS - row[i].tx_left;
        p.client.current.rx_packets = KEYPAIR_LIFE_PACKETS - row[i].rx_left;
        assert_int_equal(keypair_usable(&p.client.current, now), row[i].good);
        assert_int_equal(keyset_can_send(&p.client, now), row[i].good);

        struct keypair alone = p.client.current;
        struct packet copy = pair_pool[100];
        copy.d.p = copy.b;
        assert_int_equal(keypair_open(&alone, &copy.d, now),
                         row[i].good ? DROP_NONE : DROP_EXPIRED);

        struct pair q = p;
        if (pair_send(&q.client, 1, now) != row[i].good)
            fail_msg("%s: send", row[i].name);
        q = p;
        pair_recv_at(&q.client, 100, 1, now);
        if (pair_rx[0].drop != (row[i].good ? DROP_NONE : DROP_EXPIRED))
            fail_msg("%s: receive", row[i].name);
        assert_int_equal(keyset_expire(&p.client, now), row[i].good);
        assert_int_equal(keyset_slot(&p.client, 1001), row[i].good ? SLOT_CURRENT : SLOT_NONE);
        assert_true(p.client.rekey_at == (row[i].good ? T0 + REKEY_AFTER : NEVER));
    }
}

/* A run is sealed whole or not at all; a refusal writes nothing and uses up nothing. */
static void test_run_beyond_the_last_counter(void **state)
{
    struct pair p;
    uint8_t buf[4][PT_LEN + DATA_MIN_LEN], before[4][PT_LEN + DATA_MIN_LEN];
    struct pkt pt[4];
    const uint8_t kind[4] = { KIND_HOST, KIND_HOST, KIND_HOST, KIND_HOST };

    (void)state;
    pair_up(&p, T0);
    memset(buf, 0x33, sizeof(buf));
    memcpy(before, buf, sizeof(buf));
    for (unsigned i = 0; i < 4; i++)
        pt[i] = (struct pkt){ .p = buf[i], .len = PT_LEN };
    p.client.current.tx_counter = KEYPAIR_LIFE_PACKETS - 3;
    assert_false(keyset_seal_run(&p.client, pt, kind, 4, T0));
    assert_memory_equal(buf, before, sizeof(buf));
    assert_int_equal(pt[0].len, PT_LEN);
    assert_true(p.client.current.tx_counter == KEYPAIR_LIFE_PACKETS - 3);
    assert_true(keyset_seal_run(&p.client, pt, kind, 3, T0));
    assert_true(wire_data_counter(buf[2]) == KEYPAIR_LIFE_PACKETS - 1);
    assert_false(keyset_seal_run(&p.client, pt, kind, 1, T0));
    assert_false(keyset_can_send(&p.client, T0));
    assert_true(keyset_deadline(&p.client, T0) == T0); /* over: expire has something to drop now */
    assert_false(keyset_expire(&p.client, T0));
    assert_true(keyset_deadline(&p.client, T0) == NEVER);
}

static void test_used_up_within_a_run(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    assert_true(pair_send(&p.client, 4, T0));
    p.router.current.rx_packets = KEYPAIR_LIFE_PACKETS - 2;
    assert_int_equal(pair_recv(&p.router, 4, T0), 2);
    assert_int_equal(pair_rx[1].drop, DROP_NONE);
    assert_int_equal(pair_rx[2].drop, DROP_EXPIRED);
    assert_int_equal(pair_rx[3].drop, DROP_EXPIRED);
    assert_false(keyset_can_send(&p.router, T0));
}

/* Next that nobody confirms: it ends by itself and current carries on, if it lives. */
static void test_next_ends(void **state)
{
    struct pair p;

    (void)state;
    pair_init(&p);
    /* an older next beside a younger current: made on purpose */
    struct keypair c = pair_keypair(1, ROLE_INITIATOR, T0 + 100);
    struct keypair r = pair_keypair(1, ROLE_RESPONDER, T0 + 100);
    keyset_install(&p.client, &c, T0 + 100, MID);
    keyset_promote(&p.client, T0 + 100);
    keyset_install(&p.router, &r, T0 + 100, MID);
    keyset_promote(&p.router, T0 + 100);
    c = pair_keypair(2, ROLE_INITIATOR, T0);
    keyset_install(&p.client, &c, T0 + 100, MID);
    assert_true(pair_send(&p.client, 1, T0 + 100));
    assert_int_equal(pair_sent_under(0), 2002);
    assert_true(keyset_deadline(&p.client, T0 + 100) == T0 + KEYPAIR_LIFE);
    assert_true(keyset_expire(&p.client, T0 + KEYPAIR_LIFE));
    pair_assert_passes(&p.client, &p.router, T0 + KEYPAIR_LIFE);
    assert_int_equal(pair_rx[0].slot, SLOT_CURRENT);
    assert_false(keyset_expire(&p.client, T0 + KEYPAIR_LIFE + 100));
    assert_false(keyset_can_send(&p.client, T0 + KEYPAIR_LIFE + 100));
}

/* Current ends while next waits: the initiator goes on with next and opens under it. */
static void test_current_ends_before_next(void **state)
{
    struct pair p;
    mono_ns now = T0 + KEYPAIR_LIFE;

    (void)state;
    pair_up(&p, T0);
    struct keypair c = pair_keypair(2, ROLE_INITIATOR, now - 1),
                   r = pair_keypair(2, ROLE_RESPONDER, now - 1);
    keyset_install(&p.client, &c, now - 1, MID);
    assert_true(keyset_expire(&p.client, now));
    assert_int_equal(keyset_slot(&p.client, 1001), SLOT_NONE);
    assert_false(keyset_expire(&p.router, now));
    keyset_install(&p.router, &r, now, MID);
    pair_assert_passes(&p.client, &p.router, now);
    assert_true(pair_rx[0].promoted);
    pair_assert_passes(&p.router, &p.client, now);
    assert_true(pair_rx[0].promoted);
    assert_int_equal(keyset_slot(&p.client, 1002), SLOT_CURRENT);
}

/* Current is used up and gone, next takes its place: what previous may still open is not lost by
 * that. */
static void test_previous_survives_a_lost_current(void **state)
{
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    assert_true(pair_send_at(&p.client, 100, 1, T0));
    pair_log_in(&p, 2, T0);
    p.router.current.rx_packets = KEYPAIR_LIFE_PACKETS;
    assert_true(keyset_expire(&p.router, T0 + 1));
    assert_false(keyset_can_send(&p.router, T0 + 1)); /* never with previous */
    pair_log_in(&p, 3, T0 + 1);
    assert_int_equal(pair_recv_at(&p.router, 100, 1, T0 + PREVIOUS_LIFE - 1), 1);
    assert_int_equal(pair_rx[0].slot, SLOT_PREVIOUS);
    assert_int_equal(pair_recv_at(&p.router, 100, 1, T0 + PREVIOUS_LIFE), 0);
    assert_int_equal(pair_rx[0].drop, DROP_EXPIRED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_empty_set),
        cmocka_unit_test(test_initiator_sends_with_next_at_once),
        cmocka_unit_test(test_responder_never_sends_before_promotion),
        cmocka_unit_test(test_promotion_within_a_run),
        cmocka_unit_test(test_no_promotion_without_opening),
        cmocka_unit_test(test_previous_life),
        cmocka_unit_test(test_second_rekey_ends_previous),
        cmocka_unit_test(test_rekey_by_age),
        cmocka_unit_test(test_responder_never_wants_rekey),
        cmocka_unit_test(test_rekey_by_packets),
        cmocka_unit_test(test_drop_next),
        cmocka_unit_test(test_newer_next_replaces_older),
        cmocka_unit_test(test_life),
        cmocka_unit_test(test_run_beyond_the_last_counter),
        cmocka_unit_test(test_used_up_within_a_run),
        cmocka_unit_test(test_next_ends),
        cmocka_unit_test(test_current_ends_before_next),
        cmocka_unit_test(test_previous_survives_a_lost_current),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
