/* SPDX-License-Identifier: MIT */
/* test_keypair_time.c - deadlines, and traffic over many rekeys */
#include "pair.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static void random_event(struct keyset *ks, mono_ns now)
{
    static unsigned n;
    struct keypair kp;
    struct keypair *at = keyset_get(ks, (enum keypair_slot)(SLOT_PREVIOUS + pair_rnd(3)));

    switch (pair_rnd(8)) {
    case 0:
    case 1:
        kp = pair_keypair(n++ % 100, ks->role, now - pair_rnd(3) * NS_PER_S);
        keyset_install(ks, &kp, now, pair_rnd(1u << 24) << 8);
        break;
    case 2:
    case 3:
        keyset_promote(ks, now);
        break;
    case 4:
        keyset_drop_next(ks);
        break;
    case 5:
        if (at->valid)
            at->tx_counter =
                (pair_rnd(2) ? KEYPAIR_LIFE_PACKETS : REKEY_AFTER_PACKETS) - pair_rnd(2);
        break;
    case 6:
        if (at->valid)
            at->rx_packets =
                (pair_rnd(2) ? KEYPAIR_LIFE_PACKETS : REKEY_AFTER_PACKETS) - pair_rnd(2);
        break;
    default:
        keyset_expire(ks, now);
        break;
    }
}

/* Both are copies of the same octets, padding included. */
static bool octets_eq(const void *a, const void *b, size_t len)
{
    return memcmp(a, b, len) == 0;
}

/* expire at @now: did it change anything? */
static bool expire_changes(struct keyset *ks, mono_ns now)
{
    struct keyset before;

    memcpy(&before, ks, sizeof(before));
    bool left = keyset_expire(ks, now);
    assert_int_equal(left, ks->previous.valid || ks->current.valid || ks->next.valid);
    return !octets_eq(&before, ks, sizeof(before));
}

/* What a deadline means: nothing to do before it, something to do at it, and the next one lies
 * ahead. */
static void check_deadline(const struct keyset *ks, mono_ns now)
{
    mono_ns at = keyset_deadline(ks, now);
    bool wanted = keyset_want_rekey(ks, now);
    struct keyset copy;

    memcpy(&copy, ks, sizeof(copy));
    if (at == NEVER) {
        assert_false(expire_changes(&copy, now + 100 * KEYPAIR_LIFE));
        assert_int_equal(keyset_want_rekey(&copy, now + 100 * KEYPAIR_LIFE), wanted);
        return;
    }
    if (at <= now) {
        assert_true(expire_changes(&copy, now));
        assert_true(keyset_deadline(&copy, now) > now);
        return;
    }
    assert_false(expire_changes(&copy, now));
    assert_false(expire_changes(&copy, at - 1));
    assert_int_equal(keyset_want_rekey(&copy, at - 1), wanted);
    bool changed = expire_changes(&copy, at);
    assert_true(changed || (!wanted && keyset_want_rekey(&copy, at)));
    assert_true(keyset_deadline(&copy, at) > at);
}

/* A loop that only ever wakes at deadlines comes to rest, in few steps. */
static void check_comes_to_rest(const struct keyset *ks, mono_ns now)
{
    struct keyset copy;
    unsigned n_wakes = 0;

    memcpy(&copy, ks, sizeof(copy));
    for (mono_ns at = now; at != NEVER; at = keyset_deadline(&copy, at)) {
        keyset_expire(&copy, at);
        assert_true(n_wakes++ < 8);
    }
    assert_false(copy.previous.valid || copy.current.valid || copy.next.valid);
}

static void test_deadlines_at_random(void **state)
{
    static const mono_ns steps[] = {
        1, NS_PER_S, PREVIOUS_LIFE - 1, PREVIOUS_LIFE, 40 * NS_PER_S, REKEY_AFTER, KEYPAIR_LIFE
    };
    unsigned n_due = 0, n_ahead = 0, n_wanted = 0;

    (void)state;
    for (unsigned round = 0; round < 2; round++) {
        struct keyset ks;
        mono_ns now = 1000 * NS_PER_S;

        memset(&ks, 0, sizeof(ks));
        keyset_init(&ks, round ? ROLE_RESPONDER : ROLE_INITIATOR);
        for (unsigned i = 0; i < 6000; i++) {
            random_event(&ks, now);
            if (pair_rnd(4) == 0)
                now += steps[pair_rnd(N(steps))];
            check_deadline(&ks, now);
            check_comes_to_rest(&ks, now);
            mono_ns at = keyset_deadline(&ks, now);
            n_due += at <= now;
            n_ahead += at > now && at != NEVER;
            n_wanted += keyset_want_rekey(&ks, now);
        }
    }
    assert_true(n_due > 100 && n_ahead > 1000 && n_wanted > 100); /* all of it was met */
}

/* Traffic both ways over many rekeys, with packets held back up to 9 s: every one opens, exactly
 * once. */
static void test_nothing_is_lost_over_rekeys(void **state)
{
    struct {
        struct packet pk;
        struct keyset *to;
        mono_ns due;
    } wire[64] = { 0 };
    struct pair p;
    struct keypair tentative = { 0 };
    unsigned n = 1, n_sent = 0, n_opened = 0;

    (void)state;
    pair_up(&p, T0);
    for (mono_ns now = T0; now < T0 + 1000 * NS_PER_S; now += NS_PER_S / 4) {
        keyset_expire(&p.client, now);
        keyset_expire(&p.router, now);
        if (keyset_want_rekey(&p.client, now)) {
            struct keypair c = pair_keypair(++n, ROLE_INITIATOR, now);
            tentative = pair_keypair(n, ROLE_RESPONDER, now);
            keyset_install(&p.client, &c, now, pair_rnd(1u << 24) << 8);
        }
        for (unsigned i = 0; i < N(wire); i++) {
            if (!wire[i].to || wire[i].due > now)
                continue;
            struct keyset *to = wire[i].to;
            wire[i].to = NULL;
            pair_pool[0] = wire[i].pk;
            pair_pool[0].d.p = pair_pool[0].b;
            if (tentative.valid && to == &p.router && pair_sent_under(0) == tentative.local_index) {
                assert_int_equal(keypair_open(&tentative, &pair_pool[0].d, now), DROP_NONE);
                keyset_install(&p.router, &tentative, now, 0);
                keyset_promote(&p.router, now);
                keypair_wipe(&tentative);
            } else {
                assert_int_equal(pair_recv(to, 1, now), 1);
            }
            n_opened++;
        }
        for (unsigned side = 0; side < 2; side++) {
            for (unsigned i = 0; i < N(wire); i++) {
                if (wire[i].to)
                    continue;
                assert_true(pair_send(side ? &p.client : &p.router, 1, now));
                wire[i].pk = pair_pool[0];
                wire[i].to = side ? &p.router : &p.client;
                wire[i].due = now + pair_rnd(36) * NS_PER_S / 4;
                n_sent++;
                break;
            }
        }
    }
    assert_true(n >= 8);
    assert_true(n_sent > 5000 && n_sent - n_opened <= N(wire));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadlines_at_random),
        cmocka_unit_test(test_nothing_is_lost_over_rekeys),
    };

    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
