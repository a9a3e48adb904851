/* SPDX-License-Identifier: MIT */
/* test_cookie.c - MAC1, MAC2, COOKIE: every bit, every endpoint, every age */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "proto/cookie.h"

#define L COOKIE_SECRET_LIFE

static const uint8_t router_key[KEY_LEN] = { 0x52, 0x4b };
static const struct endpoint home = { { { 203, 0, 113, 5 } }, { { 0x9c, 0x40 } } };

struct fixture {
    struct cookie_jar jar;
    struct cookie_purse purse;
    struct entropy e;
    uint8_t login[LOGIN_LEN];
    uint8_t msg[COOKIE_MSG_LEN];
    mono_ns born;
};

static int setup(void **state)
{
    struct fixture *f = test_calloc(1, sizeof(*f));

    memset(f->e.seed, 0x5e, sizeof(f->e.seed));
    f->born = 1000 * NS_PER_S;
    cookie_jar_init(&f->jar, router_key, f->born, &f->e);
    cookie_purse_init(&f->purse, router_key);
    for (size_t i = 0; i < LOGIN_LEN; i++)
        f->login[i] = (uint8_t)(i * 7);
    wire_put_data(f->login, KIND_HOST, 0xcafe0001,
                  0); /* something at the index; cookies ask for no more */
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    test_free(*state);
    return 0;
}

/* one turn: LOGIN, COOKIE, LOGIN with MAC2 */
static void get_cookie(struct fixture *f, struct endpoint from, mono_ns now)
{
    cookie_stamp(&f->purse, f->login, now);
    cookie_answer(&f->jar, f->login, from, &f->e, f->msg);
    assert_int_equal(cookie_take(&f->purse, f->msg, now), DROP_NONE);
    cookie_stamp(&f->purse, f->login, now);
}

static void flip(uint8_t *p, size_t bit)
{
    p[bit / 8] ^= (uint8_t)(1u << bit % 8);
}

/* ---- the formulas, written a second time ---- */

static void formulas(void **state)
{
    struct fixture *f = *state;
    /* the labels without a NUL behind them */
    uint8_t mac1_text[43] = "sixtap mac1", cookie_text[45] = "sixtap cookie";
    uint8_t key[32], cookie[16], want[16], ad[24], sealed[32];

    get_cookie(f, home, f->born);

    memcpy(mac1_text + 11, router_key, 32);
    crypto_generichash(key, 32, mac1_text, sizeof(mac1_text), NULL, 0);
    crypto_generichash(want, 16, f->login, 1168, key, 32);
    assert_memory_equal(f->login + 1168, want, 16);

    crypto_generichash(cookie, 16, (const uint8_t *)"\xcb\x00\x71\x05\x9c\x40", 6, f->jar.secret[0],
                       32);
    assert_memory_equal(f->purse.cookie, cookie, 16);
    crypto_generichash(want, 16, f->login, 1184, cookie, 16);
    assert_memory_equal(f->login + 1184, want, 16);

    memcpy(cookie_text + 13, router_key, 32);
    crypto_generichash(key, 32, cookie_text, sizeof(cookie_text), NULL, 0);
    assert_memory_equal(f->msg, "\x03\x01\x00\x00\xca\xfe\x00\x01", 8);
    memcpy(ad, f->msg, 8);
    memcpy(ad + 8, f->login + 1168, 16);
    crypto_aead_xchacha20poly1305_ietf_encrypt(sealed, NULL, cookie, 16, ad, 24, NULL, f->msg + 8,
                                               key);
    assert_memory_equal(f->msg + 32, sealed, 32);
    assert_int_equal(wire_peek(f->msg, sizeof(f->msg)), WIRE_COOKIE);
}

/* ---- MAC1 ---- */

static void mac1(void **state)
{
    struct fixture *f = *state;
    struct cookie_jar other;
    const uint8_t other_key[KEY_LEN] = { 0x52, 0x4c };

    cookie_stamp(&f->purse, f->login, f->born);
    assert_true(cookie_mac1_ok(&f->jar, f->login));
    for (size_t bit = 0; bit < 8 * offsetof(struct wire_login, mac2); bit++) {
        flip(f->login, bit);
        if (cookie_mac1_ok(&f->jar, f->login))
            fail_msg("bit %zu of octet %zu", bit % 8, bit / 8);
        flip(f->login, bit);
    }
    assert_true(cookie_mac1_ok(&f->jar, f->login));
    cookie_jar_init(&other, other_key, f->born, &f->e);
    assert_false(cookie_mac1_ok(&other, f->login));
}

/* ---- MAC2 ---- */

static void mac2_bit_flips(void **state)
{
    struct fixture *f = *state;

    get_cookie(f, home, f->born);
    assert_true(cookie_mac1_ok(&f->jar, f->login));
    assert_true(cookie_mac2_ok(&f->jar, f->login, home));
    for (size_t bit = 0; bit < 8 * LOGIN_LEN; bit++) {
        flip(f->login, bit);
        if (cookie_mac2_ok(&f->jar, f->login, home))
            fail_msg("bit %zu of octet %zu", bit % 8, bit / 8);
        flip(f->login, bit);
    }
    assert_true(cookie_mac2_ok(&f->jar, f->login, home));
}

static void no_cookie_no_mac2(void **state)
{
    struct fixture *f = *state;

    assert_false(cookie_have(&f->purse, f->born));
    cookie_stamp(&f->purse, f->login, f->born);
    assert_true(sodium_is_zero(f->login + offsetof(struct wire_login, mac2), MAC12_LEN));
    assert_false(cookie_mac2_ok(&f->jar, f->login, home));
}

/* Each bit of the endpoint: a cookie of another address or another port is worth nothing. */
static void other_endpoints(void **state)
{
    struct fixture *f = *state;

    get_cookie(f, home, f->born);
    assert_true(cookie_fresh(&f->jar, f->purse.cookie, home));
    for (size_t bit = 0; bit < 8 * ENDPOINT_LEN; bit++) {
        struct endpoint other = home;

        flip((uint8_t *)&other, bit);
        assert_false(cookie_mac2_ok(&f->jar, f->login, other));
        assert_false(cookie_fresh(&f->jar, f->purse.cookie, other));
    }
}

static void fresh_bit_flips(void **state)
{
    struct fixture *f = *state;

    get_cookie(f, home, f->born);
    for (size_t bit = 0; bit < 8 * COOKIE_LEN; bit++) {
        flip(f->purse.cookie, bit);
        assert_false(cookie_fresh(&f->jar, f->purse.cookie, home));
        flip(f->purse.cookie, bit);
    }
    assert_true(cookie_fresh(&f->jar, f->purse.cookie, home));
}

/* ---- age ---- */

static void ages_at_the_router(void **state)
{
    struct fixture *f = *state;
    /* Secrets are due at 0, L, 2L...: how old may a cookie made at @made be at @used, with turns at
     * @turns between? */
    static const struct {
        const char *name;
        mono_ns made, turns[3], used;
        bool good;
    } rows[] = {
        { "at once", 0, { 0 }, 0, true },
        { "before the turn", 0, { 0 }, L - 1, true },
        { "after one turn", 0, { L }, L, true },
        { "made late in the secret's life", L - 1, { L }, L, true },
        { "to the end of the previous secret", L - 1, { L }, 2 * L - 1, true },
        { "after two turns", 0, { L, 2 * L }, 2 * L, false },
        { "made late, two turns", L - 1, { L, 2 * L }, 2 * L, false },
        { "a late turn lends no life", 0, { 2 * L - 1 }, 2 * L, false },
        { "a late turn keeps the previous one", 0, { 2 * L - 1 }, 2 * L - 1, true },
        { "a turn left out altogether", 0, { 0 }, 2 * L, false },
        { "asleep for a day", 0, { 0 }, 720 * L, false },
        { "of the second secret, after one turn", L, { L, 2 * L }, 2 * L, true },
        { "of the second secret, after two", L, { L, 2 * L, 3 * L }, 3 * L, false },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        cookie_jar_init(&f->jar, router_key, f->born, &f->e);
        cookie_purse_init(&f->purse, router_key);
        if (rows[i].made)
            cookie_jar_turn(&f->jar, f->born + rows[i].made, &f->e);
        get_cookie(f, home, f->born + rows[i].made);
        for (unsigned t = 0; t < 3; t++)
            cookie_jar_turn(&f->jar, f->born + rows[i].turns[t], &f->e);
        cookie_jar_turn(&f->jar, f->born + rows[i].used, &f->e);
        if (cookie_fresh(&f->jar, f->purse.cookie, home) != rows[i].good ||
            cookie_mac2_ok(&f->jar, f->login, home) != rows[i].good)
            fail_msg("%s", rows[i].name);
    }
}

static void secrets_turn(void **state)
{
    struct fixture *f = *state;
    struct cookie_jar before = f->jar;

    assert_memory_not_equal(before.secret[0], before.secret[1], KEY_LEN);
    assert_false(
        sodium_is_zero(before.secret[1], KEY_LEN)); /* nobody may know the secret that never was */
    cookie_jar_turn(&f->jar, f->born + L - 1, &f->e);
    assert_memory_equal(&f->jar, &before, sizeof(before));
    cookie_jar_turn(&f->jar, f->born + L, &f->e);
    assert_memory_equal(f->jar.secret[1], before.secret[0], KEY_LEN);
    assert_memory_not_equal(f->jar.secret[0], before.secret[0], KEY_LEN);
    assert_memory_not_equal(f->jar.secret[0], before.secret[1], KEY_LEN);
    assert_int_equal(f->jar.born, f->born + L);
    before = f->jar;
    cookie_jar_turn(&f->jar, f->born + L, &f->e); /* once is enough */
    assert_memory_equal(&f->jar, &before, sizeof(before));
}

static void age_at_the_client(void **state)
{
    struct fixture *f = *state;

    get_cookie(f, home, f->born);
    assert_true(cookie_have(&f->purse, f->born + L - 1));
    assert_false(cookie_have(&f->purse, f->born + L));
    cookie_stamp(&f->purse, f->login, f->born + L - 1);
    assert_true(cookie_mac2_ok(&f->jar, f->login, home));
    cookie_stamp(&f->purse, f->login, f->born + L);
    assert_true(sodium_is_zero(f->login + offsetof(struct wire_login, mac2), MAC12_LEN));
}

/* ---- COOKIE at the client ---- */

/* take @msg, which must be refused with @want and change nothing */
static void refuse(struct fixture *f, enum drop want)
{
    struct cookie_purse before = f->purse;

    assert_int_equal(cookie_take(&f->purse, f->msg, f->born + 1), want);
    assert_memory_equal(&f->purse, &before, sizeof(before));
}

static void cookie_bit_flips(void **state)
{
    struct fixture *f = *state;

    cookie_stamp(&f->purse, f->login, f->born);
    cookie_answer(&f->jar, f->login, home, &f->e, f->msg);
    for (size_t bit = 0; bit < 8 * COOKIE_MSG_LEN; bit++) {
        flip(f->msg, bit);
        refuse(f, DROP_REPLY_OPEN);
        flip(f->msg, bit);
    }
    assert_int_equal(cookie_take(&f->purse, f->msg, f->born), DROP_NONE);
}

static void not_asked_for(void **state)
{
    struct fixture *f = *state;
    struct cookie_purse other;

    cookie_purse_init(&other, router_key);
    cookie_stamp(&other, f->login, f->born);
    cookie_answer(&f->jar, f->login, home, &f->e, f->msg);
    refuse(f, DROP_REPLY_UNASKED);
}

static void second_cookie(void **state)
{
    struct fixture *f = *state;

    cookie_stamp(&f->purse, f->login, f->born);
    cookie_answer(&f->jar, f->login, home, &f->e, f->msg);
    assert_int_equal(cookie_take(&f->purse, f->msg, f->born), DROP_NONE);
    refuse(f, DROP_REPLY_UNASKED); /* the same again */
    cookie_answer(&f->jar, f->login, home, &f->e, f->msg);
    refuse(f, DROP_REPLY_UNASKED); /* another for the same LOGIN */
}

static void bound_to_the_last_login(void **state)
{
    struct fixture *f = *state;
    uint8_t late[COOKIE_MSG_LEN];

    cookie_stamp(&f->purse, f->login, f->born);
    cookie_answer(&f->jar, f->login, home, &f->e, late);
    f->login[100] ^= 1; /* a new LOGIN under the same index */
    cookie_stamp(&f->purse, f->login, f->born);
    memcpy(f->msg, late, sizeof(late));
    refuse(f, DROP_REPLY_OPEN);
    cookie_answer(&f->jar, f->login, home, &f->e, f->msg);
    assert_int_equal(cookie_take(&f->purse, f->msg, f->born), DROP_NONE);
}

static void another_router(void **state)
{
    struct fixture *f = *state;
    struct cookie_jar other;
    const uint8_t other_key[KEY_LEN] = { 0x52, 0x4c };

    cookie_jar_init(&other, other_key, f->born, &f->e);
    cookie_stamp(&f->purse, f->login, f->born);
    cookie_answer(&other, f->login, home, &f->e, f->msg);
    refuse(f, DROP_REPLY_OPEN);
}

/* Two answers to one LOGIN never share a nonce. */
static void nonces_differ(void **state)
{
    struct fixture *f = *state;
    uint8_t first[COOKIE_MSG_LEN];

    cookie_stamp(&f->purse, f->login, f->born);
    cookie_answer(&f->jar, f->login, home, &f->e, first);
    cookie_answer(&f->jar, f->login, home, &f->e, f->msg);
    assert_memory_equal(first, f->msg, 8);
    assert_memory_not_equal(first + 8, f->msg + 8, COOKIE_NONCE);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(formulas),
        T(mac1),
        T(mac2_bit_flips),
        T(no_cookie_no_mac2),
        T(other_endpoints),
        T(fresh_bit_flips),
        T(ages_at_the_router),
        T(secrets_turn),
        T(age_at_the_client),
        T(cookie_bit_flips),
        T(not_asked_for),
        T(second_cookie),
        T(bound_to_the_last_login),
        T(another_router),
        T(nonces_differ),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
