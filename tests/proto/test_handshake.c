/* SPDX-License-Identifier: MIT */
/* test_handshake.c - LOGIN and LOGIN_REPLY: what opens, and everything that must not */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "points.h"
#include "proto/handshake.h"

#define CLIENT_INDEX 0x01020304u
#define ROUTER_INDEX 0xa1a2a3a4u

static const uint8_t psk[KEY_LEN] = { 0x77, 1 }, no_psk[KEY_LEN];

/* both sides, and the messages between them in buffers of just their size, so that ASan sees an
 * octet too far */
struct pair {
    struct identity client, router;
    uint8_t ce[KEY_LEN], re[KEY_LEN]; /* ephemeral private keys */
    struct login_payload lp;
    struct settings settings;
    uint8_t payload[REPLY_PAYLOAD_MAX];
    size_t payload_len;
    struct hs_initiator i;
    struct hs_responder r;
    uint8_t *login; /* LOGIN_LEN */
    uint8_t *reply; /* reply_len */
    size_t reply_len;
    struct session_keys rk; /* the router's */
};

static struct prefix a_prefix(uint8_t n, uint8_t len)
{
    return (struct prefix){ .addr = { { 0x20, 0x01, 0x0d, 0xb8, 0, n } }, .len = len };
}

static void fill_settings(struct settings *s)
{
    memset(s, 0, sizeof(*s));
    s->verdict = VERDICT_OK;
    s->seen = (struct endpoint){ { { 198, 18, 0, 7 } }, be16_of(40000) };
    s->mac = (struct mac){ { 0xc6, 18, 0, 7, 0x9c, 0x40 } };
    s->router_mac = (struct mac){ { 0xc6, 18, 0, 1, 0x19, 0x40 } };
    s->cipher = 2;
    s->mtu_min = 1280;
    s->mtu_max = 1434;
    s->keepalive_s = 20;
    s->segment_flags = SEGMENT_DEFAULT_ROUTE | SEGMENT_ON_LINK;
    s->segment = a_prefix(1, 64);
    s->n_address = ADDRESSES_MAX;
    s->n_delegated = DELEGATED_PER_MEMBER;
    s->n_route = ROUTES_MAX;
    s->n_dns = DNS_MAX;
    s->n_search = SEARCH_MAX;
    for (uint8_t i = 0; i < ADDRESSES_MAX; i++)
        s->address[i] = (struct seg_addr){ a_prefix(i, 64).addr, 64 };
    for (uint8_t i = 0; i < DELEGATED_PER_MEMBER; i++)
        s->delegated[i] = a_prefix((uint8_t)(0x40 + i), 56);
    for (uint8_t i = 0; i < ROUTES_MAX; i++)
        s->route[i] = a_prefix((uint8_t)(0x80 + i), 48);
    for (uint8_t i = 0; i < DNS_MAX; i++)
        s->dns[i] = a_prefix((uint8_t)(0xc0 + i), 0).addr;
    for (uint8_t i = 0; i < SEARCH_MAX; i++)
        memcpy(s->search[i], "lab0.example", 13);
}

static void fill_login_payload(struct login_payload *lp)
{
    *lp = (struct login_payload){
        .ciphers = { 1, 2 }, .n_ciphers = 2, .wanted_mtu = 1400, .has_cookie = true
    };
    memcpy(lp->software, "sixtap 0.1.0", 13);
    memset(lp->cookie, 0xc0, COOKIE_LEN);
}

static int pair_setup(void **state)
{
    struct pair *p = calloc(1, sizeof(*p));
    uint8_t key[KEY_LEN];
    bool partial;

    memset(key, 0x11, sizeof(key));
    identity_of(&p->client, key);
    memset(key, 0x22, sizeof(key));
    identity_of(&p->router, key);
    memset(p->ce, 0x33, sizeof(p->ce));
    memset(p->re, 0x44, sizeof(p->re));
    fill_login_payload(&p->lp);
    fill_settings(&p->settings);
    p->payload_len = wire_put_settings(p->payload, sizeof(p->payload), &p->settings, &partial);
    p->login = malloc(LOGIN_LEN);
    p->reply = malloc(LOGIN_REPLY_MAX);
    *state = p;
    return partial;
}

static int pair_teardown(void **state)
{
    struct pair *p = *state;
    free(p->reply);
    free(p->login);
    free(p);
    return 0;
}

static void pair_login(struct pair *p)
{
    assert_true(handshake_login_write(&p->i, &p->client, p->router.public_key, p->ce, CLIENT_INDEX,
                                      &p->lp, p->login));
    assert_int_equal(handshake_login_open(&p->r, &p->router, p->login), DROP_NONE);
}

/* the reply goes to a buffer of its length */
static void pair_reply(struct pair *p, const uint8_t *with_psk)
{
    size_t want = LOGIN_REPLY_MIN + p->payload_len;

    free(p->reply);
    p->reply = malloc(want);
    p->reply_len = handshake_reply_write(&p->r, with_psk, p->re, ROUTER_INDEX, p->payload,
                                         p->payload_len, p->reply, &p->rk);
    assert_int_equal(p->reply_len, want);
}

/* open the reply; when refused, hs and all outputs must be as before */
static enum drop pair_open(struct pair *p, const uint8_t *with_psk, const uint8_t *msg, size_t len,
                           struct session_keys *ret_keys)
{
    struct hs_initiator before = p->i;
    struct settings s, s_before;
    struct session_keys keys, keys_before;
    uint32_t index = 99;
    enum drop d;

    memset(&s, 0xaa, sizeof(s));
    memset(&keys, 0xbb, sizeof(keys));
    s_before = s;
    keys_before = keys;
    d = handshake_reply_open(&p->i, &p->client, with_psk, msg, len, &s, &index, &keys);
    if (d != DROP_NONE) {
        assert_memory_equal(&p->i, &before, sizeof(before));
        assert_memory_equal(&s, &s_before, sizeof(s));
        assert_memory_equal(&keys, &keys_before, sizeof(keys));
        assert_int_equal(index, 99);
    } else {
        uint8_t again[REPLY_PAYLOAD_MAX];
        bool partial;

        assert_true(sodium_is_zero((const uint8_t *)&p->i, sizeof(p->i)));
        assert_int_equal(index, ROUTER_INDEX);
        assert_int_equal(wire_put_settings(again, sizeof(again), &s, &partial), p->payload_len);
        assert_memory_equal(again, p->payload, p->payload_len);
        *ret_keys = keys;
    }
    return d;
}

static void assert_opens(struct pair *p, const uint8_t *with_psk)
{
    struct session_keys ck;

    assert_int_equal(pair_open(p, with_psk, p->reply, p->reply_len, &ck), DROP_NONE);
    assert_memory_equal(ck.tx, p->rk.rx, KEY_LEN);
    assert_memory_equal(ck.rx, p->rk.tx, KEY_LEN);
    assert_memory_not_equal(ck.tx, ck.rx, KEY_LEN);
}

/* ---- what must work ---- */

static void round_trip(void **state)
{
    struct pair *p = *state;

    for (int with = 0; with < 2; with++) {
        const uint8_t *k = with ? psk : no_psk;

        pair_login(p);
        assert_int_equal(wire_peek(p->login, LOGIN_LEN), WIRE_LOGIN);
        assert_true(sodium_is_zero(p->login + offsetof(struct wire_login, mac1), 2 * MAC12_LEN));
        assert_int_equal(p->i.index, CLIENT_INDEX);
        assert_int_equal(p->r.client_index, CLIENT_INDEX);
        assert_memory_equal(p->r.client_key, p->client.public_key, KEY_LEN);
        assert_memory_equal(p->r.ephemeral, p->login + 8, KEY_LEN);
        assert_string_equal(p->r.payload.software, p->lp.software);
        assert_int_equal(p->r.payload.n_ciphers, 2);
        assert_memory_equal(p->r.payload.ciphers, p->lp.ciphers, 2);
        assert_int_equal(p->r.payload.wanted_mtu, 1400);
        assert_true(p->r.payload.has_cookie);
        assert_memory_equal(p->r.payload.cookie, p->lp.cookie, COOKIE_LEN);

        pair_reply(p, k);
        assert_true(sodium_is_zero((const uint8_t *)&p->r, sizeof(p->r)));
        assert_int_equal(wire_peek(p->reply, p->reply_len), WIRE_LOGIN_REPLY);
        assert_int_equal(be32_load(p->reply + 4), ROUTER_INDEX);
        assert_int_equal(be32_load(p->reply + 8), CLIENT_INDEX);
        assert_opens(p, k);
    }
}

/* The messages are those of Noise with the prologue and the outer headers mixed in before e,
 * nothing else. */
static void transcript_is_noise(void **state)
{
    struct pair *p = *state;
    struct noise r;
    struct session_keys want;
    uint8_t payload[LOGIN_PAYLOAD_LEN], out[LOGIN_REPLY_MAX];

    pair_login(p);
    noise_init(&r, NOISE_IKPSK2, "sixtap 1", 8, p->router.public_key);
    noise_mix_hash(&r, "\x01\x01\x00\x00\x01\x02\x03\x04", 8);
    assert_true(noise_read_1(&r, p->router.private_key, p->login + 8, LOGIN_LEN - 8 - 32, payload));
    noise_mix_hash(&r, "\x02\x01\x00\x00\xa1\xa2\xa3\xa4\x01\x02\x03\x04", 12);
    assert_true(noise_write_2(&r, psk, p->re, p->payload, p->payload_len, out));
    noise_split(&r, want.rx, want.tx);
    pair_reply(p, psk);
    assert_memory_equal(p->reply + 12, out, p->reply_len - 12);
    assert_memory_equal(&p->rk, &want, sizeof(want));
}

/* A reply may be as long as the LOGIN; payload may already lie in its place. */
static void largest_reply(void **state)
{
    struct pair *p = *state;
    struct wr w = wr_of(p->payload, sizeof(p->payload));
    struct session_keys keys;
    struct settings s;
    uint32_t index;

    w.off = p->payload_len;
    wire_ctl_pad(&w, REPLY_PAYLOAD_MAX);
    assert_false(w.bad);
    pair_login(p);
    free(p->reply);
    p->reply = malloc(LOGIN_REPLY_MAX);
    memcpy(p->reply + sizeof(struct wire_login_reply), p->payload, REPLY_PAYLOAD_MAX);
    assert_int_equal(handshake_reply_write(&p->r, psk, p->re, ROUTER_INDEX,
                                           p->reply + sizeof(struct wire_login_reply),
                                           REPLY_PAYLOAD_MAX, p->reply, &p->rk),
                     LOGIN_REPLY_MAX);
    assert_int_equal(
        handshake_reply_open(&p->i, &p->client, psk, p->reply, LOGIN_REPLY_MAX, &s, &index, &keys),
        DROP_NONE);
    assert_int_equal(s.n_route, ROUTES_MAX);
    assert_memory_equal(keys.tx, p->rk.rx, KEY_LEN);
}

/* ---- what must be refused ---- */

static void wrong_psk(void **state)
{
    struct pair *p = *state;
    struct session_keys k;
    const uint8_t other[KEY_LEN] = { 0x77, 2 };

    pair_login(p);
    pair_reply(p, psk);
    assert_int_equal(pair_open(p, other, p->reply, p->reply_len, &k), DROP_REPLY_OPEN);
    assert_int_equal(pair_open(p, no_psk, p->reply, p->reply_len, &k), DROP_REPLY_OPEN);
    assert_opens(p, psk);

    pair_login(p);
    pair_reply(p, no_psk);
    assert_int_equal(pair_open(p, psk, p->reply, p->reply_len, &k), DROP_REPLY_OPEN);
    assert_opens(p, no_psk);
}

static void wrong_keys(void **state)
{
    struct pair *p = *state;
    struct identity thief = p->client, stranger;
    struct hs_initiator i;
    struct hs_responder r, before;
    struct session_keys k;
    uint8_t key[KEY_LEN] = { 5 };

    identity_of(&stranger, key);
    memset(&r, 0xcc, sizeof(r));
    before = r;
    pair_login(p); /* meant for another router */
    assert_int_equal(handshake_login_open(&r, &stranger, p->login), DROP_LOGIN_OPEN);
    /* the router's public key with another private key */
    memcpy(stranger.public_key, p->router.public_key, KEY_LEN);
    assert_int_equal(handshake_login_open(&r, &stranger, p->login), DROP_LOGIN_OPEN);
    /* a client that knows the public key of another, not the private one */
    memcpy(thief.private_key, key, KEY_LEN);
    assert_true(
        handshake_login_write(&i, &thief, p->router.public_key, p->ce, 1, &p->lp, p->login));
    assert_int_equal(handshake_login_open(&r, &p->router, p->login), DROP_LOGIN_OPEN);
    assert_memory_equal(&r, &before, sizeof(r));

    /* a reply that only the holder of the client's private key may open */
    pair_login(p);
    pair_reply(p, psk);
    thief = p->client;
    memcpy(p->client.private_key, key, KEY_LEN);
    assert_int_equal(pair_open(p, psk, p->reply, p->reply_len, &k), DROP_REPLY_OPEN);
    p->client = thief;
    assert_opens(p, psk);
}

/* The PSK is as long as it looks: each of its bits counts. */
static void psk_bit_flips(void **state)
{
    struct pair *p = *state;
    uint8_t bad[KEY_LEN];
    struct session_keys k;

    pair_login(p);
    pair_reply(p, psk);
    for (unsigned bit = 0; bit < 8 * KEY_LEN; bit++) {
        memcpy(bad, psk, KEY_LEN);
        bad[bit / 8] ^= (uint8_t)(1u << bit % 8);
        assert_int_equal(pair_open(p, bad, p->reply, p->reply_len, &k), DROP_REPLY_OPEN);
    }
    assert_opens(p, psk);
}

/* A reply belongs to one LOGIN, whatever index it carries. */
static void reply_to_another_login(void **state)
{
    struct pair *p = *state;
    struct hs_initiator first;
    struct session_keys k;

    pair_login(p);
    pair_reply(p, psk);
    first = p->i;
    p->ce[1] ^= 1; /* not octet 0, whose low bits X25519 clamps away */
    assert_true(handshake_login_write(&p->i, &p->client, p->router.public_key, p->ce, CLIENT_INDEX,
                                      &p->lp, p->login));
    assert_int_equal(pair_open(p, psk, p->reply, p->reply_len, &k), DROP_REPLY_OPEN);
    p->i = first;
    assert_opens(p, psk);
}

/* Every bit of every octet, the header's and bit 255 of the ephemeral (which X25519 ignores) too;
 * MAC1 and MAC2 belong to test_cookie.c. */
static void login_bit_flips(void **state)
{
    struct pair *p = *state;
    struct hs_responder r, before;

    pair_login(p);
    memset(&r, 0xcc, sizeof(r));
    before = r;
    for (size_t bit = 0; bit < 8 * offsetof(struct wire_login, mac1); bit++) {
        p->login[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (handshake_login_open(&r, &p->router, p->login) != DROP_LOGIN_OPEN)
            fail_msg("bit %zu of octet %zu", bit % 8, bit / 8);
        p->login[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_memory_equal(&r, &before, sizeof(r));
    assert_int_equal(handshake_login_open(&r, &p->router, p->login), DROP_NONE);
}

static void reply_bit_flips(void **state)
{
    struct pair *p = *state;
    struct session_keys k;

    pair_login(p);
    pair_reply(p, psk);
    for (size_t bit = 0; bit < 8 * p->reply_len; bit++) {
        p->reply[bit / 8] ^= (uint8_t)(1u << bit % 8);
        if (pair_open(p, psk, p->reply, p->reply_len, &k) != DROP_REPLY_OPEN)
            fail_msg("bit %zu of octet %zu", bit % 8, bit / 8);
        p->reply[bit / 8] ^= (uint8_t)(1u << bit % 8);
    }
    assert_opens(p, psk);
}

static void reply_wrong_length(void **state)
{
    struct pair *p = *state;
    struct session_keys k;

    pair_login(p);
    pair_reply(p, psk);
    for (size_t len = 0; len < LOGIN_REPLY_MAX + 20; len++) {
        uint8_t *cut = calloc(1, len ? len : 1);

        memcpy(cut, p->reply, len < p->reply_len ? len : p->reply_len);
        if (len != p->reply_len)
            assert_int_equal(pair_open(p, psk, cut, len, &k), DROP_REPLY_OPEN);
        free(cut);
    }
    assert_opens(p, psk);
}

/* What a peer with the right keys, but without manners, may put inside */
static void malformed_payloads(void **state)
{
    struct pair *p = *state;
    static const struct {
        const char *name;
        uint8_t p[16];
        size_t len;
    } rows[] = {
        { "empty", { 0 }, 0 },
        { "no verdict", { 0, TLV_KEEPALIVE, 0, 2, 0, 20 }, 6 },
        { "ok without a MAC", { 0, TLV_VERDICT, 0, 4, 0, 0, 0, 0 }, 8 },
        { "length beyond the end", { 0, TLV_VERDICT, 0, 5, 3, 0, 0, 1 }, 8 },
    };
    struct session_keys k;
    struct hs_responder r;
    struct noise n;
    static const uint8_t zeros[LOGIN_PAYLOAD_LEN];

    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
        pair_login(p);
        memcpy(p->payload, rows[i].p, sizeof(rows[i].p));
        p->payload_len = rows[i].len;
        pair_reply(p, psk);
        if (pair_open(p, psk, p->reply, p->reply_len, &k) != DROP_LOGIN_PAYLOAD)
            fail_msg("%s", rows[i].name);
    }
    /* a refusal is well formed and leaves keys nobody uses */
    pair_login(p);
    memcpy(p->payload, (const uint8_t[]){ 0, TLV_VERDICT, 0, 4, VERDICT_BUSY, 0, 0, 9 }, 8);
    p->payload_len = 8;
    pair_reply(p, psk);
    assert_opens(p, psk);

    /* a LOGIN that offers no cipher */
    noise_init(&n, NOISE_IKPSK2, "sixtap 1", 8, p->router.public_key);
    noise_mix_hash(&n, p->login, 8);
    assert_true(noise_write_1(&n, p->client.private_key, p->client.public_key, p->ce, zeros,
                              sizeof(zeros), p->login + 8));
    assert_int_equal(handshake_login_open(&r, &p->router, p->login), DROP_LOGIN_PAYLOAD);
}

/* Forgeries that would open were it not for the point are in test_noise.c; here: what each call
 * then leaves. */
static void low_order_point(struct pair *p, const uint8_t *low)
{
    struct session_keys k, k_before;
    struct hs_responder r;

    assert_false(handshake_login_write(&p->i, &p->client, low, p->ce, 1, &p->lp, p->login));
    assert_true(sodium_is_zero(p->login, LOGIN_LEN));
    assert_true(sodium_is_zero((const uint8_t *)&p->i, sizeof(p->i)));

    pair_login(p);
    pair_reply(p, psk);
    memcpy(p->login + 8, low, KEY_LEN);
    assert_int_equal(handshake_login_open(&r, &p->router, p->login), DROP_LOGIN_OPEN);
    memcpy(p->reply + 12, low, KEY_LEN);
    assert_int_equal(pair_open(p, psk, p->reply, p->reply_len, &k), DROP_REPLY_OPEN);

    for (int which = 0; which < 2; which++) { /* such a key in the router's state is not answered */
        pair_login(p);
        memcpy(which ? p->r.noise.re : p->r.noise.rs, low, KEY_LEN);
        memset(&k, 0xbb, sizeof(k));
        k_before = k;
        assert_int_equal(
            handshake_reply_write(&p->r, psk, p->re, 1, p->payload, p->payload_len, p->reply, &k),
            0);
        assert_true(sodium_is_zero(p->reply, LOGIN_REPLY_MIN + p->payload_len));
        assert_true(sodium_is_zero((const uint8_t *)&p->r, sizeof(p->r)));
        assert_memory_equal(&k, &k_before, sizeof(k));
    }
}

static void low_order_points(void **state)
{
    for (size_t i = 0; i < N_LOW_POINTS; i++) {
        uint8_t u[KEY_LEN];

        memcpy(u, low_points[i].u, sizeof(u));
        low_order_point(*state, u);
        u[31] |= 0x80;
        low_order_point(*state, u);
    }
}

#define T(f) cmocka_unit_test_setup_teardown(f, pair_setup, pair_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(round_trip),    T(transcript_is_noise), T(largest_reply),          T(wrong_psk),
        T(wrong_keys),    T(login_bit_flips),     T(reply_to_another_login), T(reply_bit_flips),
        T(psk_bit_flips), T(low_order_points),    T(reply_wrong_length),     T(malformed_payloads),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
