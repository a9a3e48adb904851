/* SPDX-License-Identifier: MIT */
/* test_keypair_packets.c - counters, replays, forgeries; secrets go with their keypair */
#include "pair.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void test_counters_never_repeat(void **state)
{
    static uint8_t seen[4][4096]; /* per login and counter */
    struct pair p;
    unsigned sent = 0, total = 0;

    (void)state;
    memset(seen, 0, sizeof(seen));
    pair_init(&p);
    for (unsigned n = 1; n <= 3; n++) {
        pair_log_in(&p, n, T0);
        seen[n][0] = 1; /* the confirming packet of pair_log_in() */
        sent = 1;
        for (unsigned run = 1; run <= RUN_MAX; run += 7) { /* runs above BURST_MAX too */
            assert_true(pair_send(&p.client, run, T0));
            for (unsigned i = 0; i < run; i++) {
                uint64_t counter = wire_data_counter(pair_pool[i].b);
                assert_int_equal(pair_sent_under(i), 2000 + n);
                assert_true(counter < N(seen[n]));
                assert_int_equal(seen[n][counter]++, 0);
            }
            sent += run;
            for (unsigned at = 0; at < run; at += BURST_MAX) {
                unsigned k = run - at < BURST_MAX ? run - at : BURST_MAX;
                assert_int_equal(pair_recv_at(&p.router, at, k, T0), k);
                total += k;
            }
            pair_assert_plain(run - 1);
        }
        assert_int_equal(keyset_get(&p.client, SLOT_CURRENT)->tx_counter, sent);
        assert_int_equal(keyset_get(&p.router, SLOT_CURRENT)->rx_packets, sent);
    }
    assert_true(total > 3000);
}

static void test_replay_and_newest(void **state)
{
    /* which of seven sealed packets comes, in this order, in runs of four */
    static const struct {
        unsigned which;
        enum drop drop;
        bool newest;
    } row[] = {
        { 3, DROP_NONE, true },    { 1, DROP_NONE, false },   { 5, DROP_NONE, true },
        { 5, DROP_REPLAY, false }, { 3, DROP_REPLAY, false }, { 4, DROP_NONE, false },
        { 6, DROP_NONE, true },    { 4, DROP_REPLAY, false }, { 0, DROP_NONE, false },
        { 6, DROP_REPLAY, false }, { 2, DROP_NONE, false },   { 2, DROP_REPLAY, false },
    };
    struct packet copy[7];
    struct pair p;

    (void)state;
    pair_up(&p, T0);
    assert_true(pair_send(&p.client, 7, T0));
    memcpy(copy, pair_pool, sizeof(copy));
    for (size_t i = 0; i < N(row); i += 4) {
        for (size_t j = 0; j < 4; j++) {
            pair_pool[j] = copy[row[i + j].which];
            pair_pool[j].d.p = pair_pool[j].b;
        }
        pair_recv(&p.router, 4, T0);
        for (size_t j = 0; j < 4; j++) {
            assert_int_equal(pair_rx[j].drop, row[i + j].drop);
            assert_int_equal(pair_rx[j].newest, row[i + j].newest);
        }
    }
}

static void test_one_failure_leaves_the_others(void **state)
{
    struct pair p;

    (void)state;
    for (unsigned bad = 0; bad < 5; bad++) {
        pair_up(&p, T0);
        assert_true(pair_send(&p.client, 5, T0));
        pair_pool[bad].b[DATA_HDR_LEN + 3] ^= 0x80;
        assert_int_equal(pair_recv(&p.router, 5, T0), 4);
        for (unsigned i = 0; i < 5; i++) {
            assert_int_equal(pair_rx[i].drop, i == bad ? DROP_OPEN : DROP_NONE);
            if (i != bad)
                pair_assert_plain(i);
        }
        /* the bad one was not recorded: the true one still opens */
        p.client.current.tx_counter = wire_data_counter(pair_pool[bad].b);
        assert_true(pair_send_at(&p.client, bad, 1, T0));
        assert_int_equal(pair_recv_at(&p.router, bad, 1, T0), 1);
    }
}

/* Nothing that does not open changes anything: wrong keys, far counters under a bad tag, any
 * flipped bit. */
static void test_unauthentic_changes_nothing(void **state)
{
    static const struct {
        const char *name;
        uint64_t counter;
        bool wrong_key;
        uint8_t octet; /* to flip a bit of */
    } row[] = {
        { "wrong key, next counter", 5, true, 0 },
        { "wrong key, far jump", UINT64_C(1) << 40, true, 0 },
        { "wrong key, last counter", COUNTER_LIMIT - 1, true, 0 },
        { "bad tag, next counter", 5, false, DATA_HDR_LEN + PT_LEN },
        { "bad tag, far jump", UINT64_C(1) << 40, false, DATA_HDR_LEN + PT_LEN + 15 },
        { "bad tag, last counter", COUNTER_LIMIT - 1, false, DATA_HDR_LEN + PT_LEN },
        { "counter raised", 5, false, 8 },
        { "kind changed", 5, false, 2 },
        { "beyond the last counter", UINT64_MAX, false, DATA_HDR_LEN },
    };

    (void)state;
    for (size_t i = 0; i < N(row); i++) {
        struct seal_key key;
        struct keypair wrong = pair_keypair(9, ROLE_INITIATOR, T0);
        struct packet *pk = &pair_pool[0];
        struct pair p, before;

        pair_up(&p, T0);
        memset(pk->b, 1, sizeof(pk->b));
        pk->d = (struct dgram){ .p = pk->b, .len = sizeof(pk->b) };
        wire_put_data(pk->b, KIND_HOST, 2001, row[i].counter);
        seal_key_init(&key, (enum cipher)p.client.current.cipher,
                      row[i].wrong_key ? wrong.keys.tx : p.client.current.keys.tx);
        struct seal_op op = { pk->b, pk->b + DATA_HDR_LEN, pk->b + DATA_HDR_LEN, PT_LEN, false };
        seal_run(&key, &op, 1);
        if (row[i].octet)
            pk->b[row[i].octet] ^= 1;

        memcpy(&before, &p, sizeof(p));
        struct packet copy = *pk;
        copy.d.p = copy.b;
        assert_int_not_equal(keypair_open(&p.router.current, &copy.d, T0), DROP_NONE);
        assert_memory_equal(&p, &before, sizeof(p));
        assert_int_equal(pair_recv(&p.router, 1, T0), 0);
        if (pair_rx[0].drop != (row[i].counter == UINT64_MAX ? DROP_REPLAY : DROP_OPEN))
            fail_msg("%s: %s", row[i].name, drop_name(pair_rx[0].drop));
        assert_false(pair_rx[0].newest || pair_rx[0].promoted);
        assert_memory_equal(&p, &before, sizeof(p));
        pair_assert_passes(&p.client, &p.router, T0); /* and the true traffic goes on */
    }
}

static void test_keypair_open(void **state)
{
    struct keypair c = pair_keypair(4, ROLE_INITIATOR, T0), r = pair_keypair(4, ROLE_RESPONDER, T0);
    struct keypair before;
    struct pair p;
    struct packet copy;

    (void)state;
    pair_init(&p);
    keyset_install(&p.client, &c, T0, MID);
    assert_true(pair_send(&p.client, 1, T0));
    for (unsigned bit = 0; bit < 8 * sizeof(copy.b); bit++) {
        copy = pair_pool[0];
        copy.d.p = copy.b;
        copy.b[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        memcpy(&before, &r, sizeof(r));
        assert_int_not_equal(keypair_open(&r, &copy.d, T0), DROP_NONE);
        assert_memory_equal(&before, &r, sizeof(r));
    }
    copy = pair_pool[0];
    copy.d.p = copy.b;
    assert_int_equal(keypair_open(&r, &copy.d, T0), DROP_NONE);
    assert_int_equal(r.rx_packets, 1);
    pair_pool[0] = copy;
    pair_assert_plain(0);
    assert_int_equal(keypair_open(&r, &copy.d, T0), DROP_REPLAY);
    keypair_wipe(&r);
    assert_true(sodium_is_zero((const uint8_t *)&r, sizeof(r)));
    assert_int_equal(keypair_open(&r, &copy.d, T0), DROP_EXPIRED);
}

static void test_wipe(void **state)
{
    struct pair p;
    struct keyset empty;

    (void)state;
    pair_up(&p, T0);
    pair_log_in(&p, 2, T0);
    memset(&empty, 0, sizeof(empty));
    empty.role = ROLE_INITIATOR;
    empty.rekey_at = empty.next_rekey_at = NEVER;
    empty.cache = &pair_cache[0];
    keyset_wipe(&p.client);
    assert_memory_equal(&p.client, &empty, sizeof(empty));
    assert_false(keyset_can_send(&p.client, T0));
}

/* No secret of a keypair that has gone is left anywhere in the set. */
static bool holds(const struct keyset *ks, const uint8_t *secret)
{
    const uint8_t *p = (const uint8_t *)ks;

    for (size_t i = 0; i + KEY_LEN <= sizeof(*ks); i++)
        if (memcmp(p + i, secret, KEY_LEN) == 0)
            return true;
    return false;
}

static void test_secrets_go_with_their_keypair(void **state)
{
    struct pair p;

    (void)state;
    for (unsigned n = 1; n <= 2; n++) { /* both ciphers */
        pair_init(&p);
        pair_log_in(&p, n, T0);
        struct keypair old = p.client.current;
        pair_log_in(&p, n + 2, T0 + 1);
        assert_true(holds(&p.client, old.keys.rx));
        keyset_expire(&p.client, T0 + 1 + PREVIOUS_LIFE);
        assert_false(holds(&p.client, old.keys.rx));
        assert_false(holds(&p.client, old.keys.tx));
        old = p.client.current;
        assert_true(holds(&p.client, old.keys.tx));
        keyset_expire(&p.client, T0 + 1 + KEYPAIR_LIFE);
        assert_false(holds(&p.client, old.keys.rx));
        assert_false(holds(&p.client, old.keys.tx));
        assert_true(sodium_is_zero((const uint8_t *)pair_cache[0].key,
                                   SEAL_CACHE_MIN * sizeof(struct seal_key)));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counters_never_repeat),
        cmocka_unit_test(test_replay_and_newest),
        cmocka_unit_test(test_one_failure_leaves_the_others),
        cmocka_unit_test(test_unauthentic_changes_nothing),
        cmocka_unit_test(test_keypair_open),
        cmocka_unit_test(test_wipe),
        cmocka_unit_test(test_secrets_go_with_their_keypair),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
