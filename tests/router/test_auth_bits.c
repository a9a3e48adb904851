/* SPDX-License-Identifier: MIT */
/* test_auth_bits.c - what the engine takes for proof, with each bit flipped: none passes, the true
 * one does
 *
 * The modules' own rows: MAC1, MAC2, cookies (tests/proto/test_cookie), LOGIN and LOGIN_REPLY
 * (test_handshake), DATA (seal_tests, test_keypair_packets). LOGIN and CONFIRM at the engine:
 * test_admit flipped_login, test_admit_mac forged_confirm. At the client: test_login, test_traffic,
 * test_alive.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "rig.h"

static struct guest a, b;

static int set_up(void **state)
{
    (void)state;
    rig_defaults(&rig);
    rig_start(&rig);
    guest_init(&a, &rig, 0, "198.51.100.7", 4000);
    guest_init(&b, &rig, 1, "198.51.100.8", 4000);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    rig_free(&rig);
    return 0;
}

/* DATA of a live member, header and tag and all, from its own endpoint and from elsewhere. */
static void data_bits(void **state) /* H14, H15 */
{
    struct control req = { .type = TLV_KEEPALIVE_REQ, .number = 5 };
    uint8_t p[64], bad[64];

    (void)state;
    guest_join(&a, &rig);
    struct member *m = rig_member(&rig, &a);
    size_t len = guest_seal_control(&a, &rig, &req, 0, p);
    uint64_t rx = m->rx_packets;
    for (unsigned bit = 0; bit < 8 * len; bit++) {
        memcpy(bad, p, len);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        rig_udp(&rig, a.ep, bad, len);
        assert_true(rig.out.n_dg <= 1 && rig_octets_to(&rig, a.ep) <= NUDGE_LEN);
        rig.now += NS_PER_S / 5; /* below the limit of NUDGEs */
        rig_udp(&rig, ep_of("203.0.113.9", 9), bad, len);
        assert_true(rig.out.n_dg <= 1);
        assert_int_equal(m->rx_packets, rx);
        assert_true(endpoint_eq(m->ep, a.ep));
    }
    rig_udp(&rig, a.ep, p, len);
    assert_int_equal(m->rx_packets, rx + 1);
}

/* The number by which a new endpoint proves that it hears the router. */
static void challenge_bits(void **state) /* H16 */
{
    struct control ask = { .type = TLV_KEEPALIVE_REQ, .number = 5 };
    struct control answer = { .type = TLV_KEEPALIVE_ACK }, challenge;

    (void)state;
    guest_join(&a, &rig);
    a.ep = ep_of("203.0.113.9", 9);
    guest_control(&a, &rig, &ask, 0);
    assert_int_equal(guest_has_control(&a, TLV_KEEPALIVE_REQ, &challenge), 1);
    struct member *m = rig_member(&rig, &a);
    assert_true(endpoint_eq(m->ep, a.ep));
    uint64_t number = challenge.number;
    for (unsigned bit = 0; bit < 64; bit++) {
        answer.number = number ^ UINT64_C(1) << bit;
        guest_control(&a, &rig, &answer, 0);
        assert_false(m->proven);
    }
    answer.number = number;
    guest_control(&a, &rig, &answer, 0);
    assert_true(m->proven);
}

/* The cookie inside a LOGIN: MAC2 is right each time, so it alone decides. */
static void sealed_cookie_bits(void **state) /* H25 */
{
    (void)state;
    for (unsigned i = 0; i < 3; i++) /* two places are taken, the third draws a cookie */
        guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie, 1);
    struct cookie_purse purse = a.purse;
    a.seal_cookie = true;
    for (unsigned bit = 0; bit <= 8 * COOKIE_LEN; bit++) {
        bool flipped = bit < 8 * COOKIE_LEN;
        a.purse = purse;
        if (flipped)
            a.purse.cookie[bit / 8] ^= (uint8_t)(1u << bit % 8);
        guest_login(&a, &rig);
        a.purse = purse;
        cookie_stamp(&a.purse, a.login, rig.now);
        rig.now += NS_PER_S / 16; /* below the limits of one address */
        rig_udp(&rig, a.ep, a.login, LOGIN_LEN);
        a.n_reply = a.n_cookie = 0;
        guest_take(&a, &rig);
        if (a.n_reply != (flipped ? 0u : 1u) || a.n_cookie != (flipped ? 1u : 0u))
            fail_msg("bit %u: %u replies, %u cookies", bit, a.n_reply, a.n_cookie);
    }
}

/* MAC2, when there are so many LOGINs that it is demanded: without a right one no handshake is
 * computed. */
static void mac2_bits(void **state) /* H22 */
{
    (void)state;
    rig_free(&rig);
    rig_defaults(&rig);
    rig.conf.logins_per_s = 1;
    rig_start(&rig);
    /* the budget is used up, by one who does not repeat cookies */
    for (unsigned i = 0; i < 8; i++) {
        b.purse.have = false;
        guest_ask(&b, &rig);
    }
    guest_ask(&a, &rig);
    assert_int_equal(a.n_cookie, 1);
    guest_login(&a, &rig);
    size_t at = offsetof(struct wire_login, mac2);
    for (unsigned bit = 0; bit < 8 * MAC12_LEN; bit++) {
        uint8_t bad[LOGIN_LEN];
        memcpy(bad, a.login, LOGIN_LEN);
        bad[at + bit / 8] ^= (uint8_t)(1u << bit % 8);
        uint64_t computed = 0;
        struct router_totals t;
        router_engine_totals(rig.re, &t);
        computed = t.handshakes;
        rig_udp(&rig, a.ep, bad, LOGIN_LEN);
        router_engine_totals(rig.re, &t);
        assert_int_equal(t.handshakes, computed);
        a.n_reply = 0;
        guest_take(&a, &rig);
        assert_int_equal(a.n_reply, 0);
    }
    rig_udp(&rig, a.ep, a.login, LOGIN_LEN);
    guest_take(&a, &rig);
    assert_int_equal(a.n_reply, 1);
}

int main(void)
{
#define ROW(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        ROW(data_bits),
        ROW(challenge_bits),
        ROW(sealed_cookie_bits),
        ROW(mac2_bits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
