/* SPDX-License-Identifier: MIT */
/* test_noise.c - the published vectors of IK and IKpsk2, message by message; points of low order */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <json-c/json.h>
#include <sodium.h>
#include <string.h>

#include "points.h"
#include "proto/noise.h"

#define VECTORS  TEST_DIR "/proto/vectors/noise-ik.json"
#define TEXT_MAX 256u

/* a value of the vectors file in octets */
struct octets {
    uint8_t b[TEXT_MAX];
    size_t len;
};

static struct octets from_hex(const char *hex)
{
    struct octets o;
    const char *end;

    assert_int_equal(sodium_hex2bin(o.b, sizeof(o.b), hex, strlen(hex), NULL, &o.len, &end), 0);
    assert_int_equal(*end, '\0');
    return o;
}

static struct octets field(struct json_object *obj, const char *name)
{
    struct json_object *v;
    assert_true(json_object_object_get_ex(obj, name, &v));
    return from_hex(json_object_get_string(v));
}

/* one vector, and the two sides that play it */
struct play {
    struct json_object *messages;
    enum noise_pattern pattern;
    struct octets i_static, i_ephemeral, r_static, r_ephemeral, r_public, psk;
    uint8_t i_public[32];
    struct noise i, r;
};

static struct octets first_psk(struct json_object *v, const char *name)
{
    struct json_object *list;
    assert_true(json_object_object_get_ex(v, name, &list));
    assert_int_equal(json_object_array_length(list), 1);
    return from_hex(json_object_get_string(json_object_array_get_idx(list, 0)));
}

static void play_setup(struct play *p, struct json_object *v)
{
    struct json_object *name;
    struct octets r_psk, i_prologue = field(v, "init_prologue"),
                         r_prologue = field(v, "resp_prologue");
    uint8_t r_public[32];

    memset(p, 0, sizeof(*p));
    assert_true(json_object_object_get_ex(v, "messages", &p->messages));
    assert_true(json_object_object_get_ex(v, "protocol_name", &name));
    p->i_static = field(v, "init_static");
    p->i_ephemeral = field(v, "init_ephemeral");
    p->r_static = field(v, "resp_static");
    p->r_ephemeral = field(v, "resp_ephemeral");
    p->r_public = field(v, "init_remote_static");
    if (strcmp(json_object_get_string(name), "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b") == 0) {
        p->pattern = NOISE_IKPSK2;
        p->psk = first_psk(v, "init_psks");
        r_psk = first_psk(v, "resp_psks");
        assert_memory_equal(p->psk.b, r_psk.b, 32);
    } else {
        assert_string_equal(json_object_get_string(name), "Noise_IK_25519_ChaChaPoly_BLAKE2b");
        p->pattern = NOISE_IK;
    }
    crypto_scalarmult_base(p->i_public, p->i_static.b);
    crypto_scalarmult_base(r_public, p->r_static.b);
    assert_memory_equal(r_public, p->r_public.b, 32);
    noise_init(&p->i, p->pattern, i_prologue.b, i_prologue.len, p->r_public.b);
    noise_init(&p->r, p->pattern, r_prologue.b, r_prologue.len, r_public);
}

static const uint8_t *psk_of(const struct play *p)
{
    return p->pattern == NOISE_IKPSK2 ? p->psk.b : NULL;
}

static struct octets message(const struct play *p, size_t i, const char *name)
{
    return field(json_object_array_get_idx(p->messages, i), name);
}

static void play_message_1(struct play *p)
{
    struct octets plain = message(p, 0, "payload"), want = message(p, 0, "ciphertext");
    uint8_t out[TEXT_MAX], back[TEXT_MAX];

    assert_true(noise_write_1(&p->i, p->i_static.b, p->i_public, p->i_ephemeral.b, plain.b,
                              plain.len, out));
    assert_int_equal(plain.len + NOISE_1_LEN, want.len);
    assert_memory_equal(out, want.b, want.len);
    assert_true(noise_read_1(&p->r, p->r_static.b, out, want.len, back));
    assert_memory_equal(back, plain.b, plain.len);
    assert_memory_equal(p->r.rs, p->i_public, 32);
    assert_memory_equal(p->r.re, want.b, 32);
    assert_memory_equal(p->i.h, p->r.h, NOISE_HASH_LEN);
}

static void play_message_2(struct play *p)
{
    struct octets plain = message(p, 1, "payload"), want = message(p, 1, "ciphertext");
    uint8_t out[TEXT_MAX], back[TEXT_MAX];

    assert_true(noise_write_2(&p->r, psk_of(p), p->r_ephemeral.b, plain.b, plain.len, out));
    assert_int_equal(plain.len + NOISE_2_LEN, want.len);
    assert_memory_equal(out, want.b, want.len);
    assert_true(noise_read_2(&p->i, p->i_static.b, psk_of(p), out, want.len, back));
    assert_memory_equal(back, plain.b, plain.len);
}

/* transport messages alternate, the initiator begins; each direction has its own key and counts
 * from 0 */
static void play_transport(struct play *p)
{
    uint8_t ki[2][32], kr[2][32], out[TEXT_MAX];
    size_t n_messages = json_object_array_length(p->messages);

    noise_split(&p->i, ki[0], ki[1]);
    noise_split(&p->r, kr[0], kr[1]);
    assert_memory_equal(ki, kr, sizeof(ki));
    assert_true(n_messages >= 6); /* both directions, nonces 0 and 1 */
    for (size_t i = 2; i < n_messages; i++) {
        struct octets plain = message(p, i, "payload"), want = message(p, i, "ciphertext");
        const uint8_t *key = ki[i % 2];
        uint8_t nonce[12] = { [4] = (uint8_t)((i - 2) / 2) };

        assert_int_equal(plain.len + NOISE_TAG_LEN, want.len);
        crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain.b, plain.len, NULL, 0, NULL,
                                                  nonce, key);
        assert_memory_equal(out, want.b, want.len);
    }
}

static struct json_object *vectors_load(struct json_object **ret_list)
{
    struct json_object *root = json_object_from_file(VECTORS);

    assert_non_null(root);
    assert_true(json_object_object_get_ex(root, "vectors", ret_list));
    assert_int_equal(json_object_array_length(*ret_list), 2);
    return root;
}

static void published_vectors(void **state)
{
    struct json_object *list, *root = vectors_load(&list);
    unsigned seen = 0;
    (void)state;

    for (size_t i = 0; i < json_object_array_length(list); i++) {
        struct json_object *v = json_object_array_get_idx(list, i);
        struct octets hash = field(v, "handshake_hash");
        struct play p;

        play_setup(&p, v);
        play_message_1(&p);
        play_message_2(&p);
        assert_int_equal(hash.len, NOISE_HASH_LEN);
        assert_memory_equal(p.i.h, hash.b, NOISE_HASH_LEN);
        assert_memory_equal(p.r.h, hash.b, NOISE_HASH_LEN);
        play_transport(&p);
        seen |= 1u << p.pattern;
    }
    assert_int_equal(seen, 1u << NOISE_IK | 1u << NOISE_IKPSK2);
    json_object_put(root);
}

/* Noise 12.3: the nonce is little-endian; the vectors alone never leave its first octet. */
static void nonce_past_one_octet(void **state)
{
    struct noise n;
    uint8_t zero[32] = { 0 }, got[8 + NOISE_TAG_LEN], want[8 + NOISE_TAG_LEN], h[NOISE_HASH_LEN];
    const uint8_t nonce[12] = { 0, 0, 0, 0, 0x08, 0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01 };
    (void)state;

    noise_init(&n, NOISE_IK, "", 0, zero);
    noise_mix_key(&n, zero);
    assert_int_equal(n.n, 0);
    n.n = UINT64_C(0x0102030405060708);
    memcpy(h, n.h, sizeof(h));
    crypto_aead_chacha20poly1305_ietf_encrypt(want, NULL, zero, 8, h, sizeof(h), NULL, nonce, n.k);
    noise_encrypt_and_hash(&n, zero, 8, got);
    assert_memory_equal(got, want, sizeof(want));
    assert_int_equal(n.n, UINT64_C(0x0102030405060709));
    assert_memory_not_equal(n.h, h, sizeof(h));
}

/* ---- what must be refused ---- */

static const uint8_t i_private[32] = { 1 }, r_private[32] = { 2 }, e_private[32] = { 3 },
                     psk[32] = { 4 };

struct sides {
    struct noise i, r;
    uint8_t i_public[32], r_public[32];
    uint8_t m1[NOISE_1_LEN + 5], m2[NOISE_2_LEN + 5];
};

static void sides_start(struct sides *s, const uint8_t *r_public)
{
    crypto_scalarmult_base(s->i_public, i_private);
    crypto_scalarmult_base(s->r_public, r_private);
    noise_init(&s->i, NOISE_IKPSK2, "p", 1, r_public ? r_public : s->r_public);
    noise_init(&s->r, NOISE_IKPSK2, "p", 1, s->r_public);
}

static bool sides_write_1(struct sides *s)
{
    return noise_write_1(&s->i, i_private, s->i_public, e_private, (const uint8_t *)"hello", 5,
                         s->m1);
}

static void sides_login(struct sides *s)
{
    uint8_t back[5];
    sides_start(s, NULL);
    assert_true(sides_write_1(s));
    assert_true(noise_read_1(&s->r, r_private, s->m1, sizeof(s->m1), back));
    assert_memory_equal(back, "hello", 5);
}

/* DH as an attacker who knows a private key, or knows that the result is zero */
static void dh(uint8_t out[32], const uint8_t *ours, const uint8_t *theirs)
{
    if (crypto_scalarmult(out, ours, theirs))
        memset(out, 0, 32);
}

/* Message 1 by hand, from the tokens, with any public keys and any DH results. */
static void forge_1(struct sides *s, const uint8_t *e, const uint8_t *es, const uint8_t *st,
                    const uint8_t *ss)
{
    memcpy(s->m1, e, 32);
    noise_mix_hash(&s->i, e, 32);
    noise_mix_key(&s->i, e);
    noise_mix_key(&s->i, es);
    noise_encrypt_and_hash(&s->i, st, 32, s->m1 + 32);
    noise_mix_key(&s->i, ss);
    noise_encrypt_and_hash(&s->i, (const uint8_t *)"hello", 5, s->m1 + 80);
}

/* Message 2 likewise, by somebody who knows the PSK. */
static void forge_2(struct sides *s, const uint8_t *e, const uint8_t *ee, const uint8_t *se)
{
    memcpy(s->m2, e, 32);
    noise_mix_hash(&s->r, e, 32);
    noise_mix_key(&s->r, e);
    noise_mix_key(&s->r, ee);
    noise_mix_key(&s->r, se);
    noise_mix_key_and_hash(&s->r, psk);
    noise_encrypt_and_hash(&s->r, (const uint8_t *)"hello", 5, s->m2 + 32);
}

/* Message 1 with ephemeral @e and static @st (NULL: honest ones); whether the responder takes it */
static bool try_forged_1(const uint8_t *e, const uint8_t *st)
{
    static const uint8_t zero[32];
    struct sides s;
    struct noise before;
    uint8_t e_public[32], es[32], ss[32], back[5];
    bool taken;

    sides_start(&s, NULL);
    crypto_scalarmult_base(e_public, e_private);
    dh(es, e_private, s.r_public);
    dh(ss, i_private, s.r_public);
    forge_1(&s, e ? e : e_public, e ? zero : es, st ? st : s.i_public, st ? zero : ss);
    before = s.r;
    taken = noise_read_1(&s.r, r_private, s.m1, sizeof(s.m1), back);
    if (!taken)
        assert_memory_equal(&s.r, &before, sizeof(before));
    return taken;
}

/* Message 2 with ephemeral @e (NULL: an honest one); whether the initiator takes it */
static bool try_forged_2(const uint8_t *e)
{
    static const uint8_t zero[32];
    struct sides s;
    struct noise before;
    uint8_t e_public[32], ee[32], se[32], back[5];
    bool taken;

    sides_login(&s);
    crypto_scalarmult_base(e_public, r_private);
    dh(ee, r_private, s.r.re);
    dh(se, r_private, s.r.rs);
    forge_2(&s, e ? e : e_public, e ? zero : ee, e ? zero : se);
    before = s.i;
    taken = noise_read_2(&s.i, i_private, psk, s.m2, sizeof(s.m2), back);
    if (!taken)
        assert_memory_equal(&s.i, &before, sizeof(before));
    return taken;
}

static void refuse_low_point(const uint8_t *low)
{
    struct sides s;

    sides_start(&s, low); /* the responder's static key */
    assert_false(sides_write_1(&s));
    assert_false(
        try_forged_1(low, NULL)); /* the initiator's ephemeral key: es is zero, known to anybody */
    assert_false(
        try_forged_1(NULL, low));    /* the initiator's static key: no private key behind it */
    assert_false(try_forged_2(low)); /* the responder's ephemeral key: ee and se are zero */

    sides_login(&s); /* a responder that has such a key in its state does not answer */
    memcpy(s.r.re, low, 32);
    assert_false(noise_write_2(&s.r, psk, e_private, (const uint8_t *)"hello", 5, s.m2));
    sides_login(&s);
    memcpy(s.r.rs, low, 32);
    assert_false(noise_write_2(&s.r, psk, e_private, (const uint8_t *)"hello", 5, s.m2));
}

static void low_order_points_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < N_LOW_POINTS; i++) {
        uint8_t u[32];

        memcpy(u, low_points[i].u, sizeof(u));
        refuse_low_point(u);
        u[31] |= 0x80; /* X25519 ignores the bit */
        refuse_low_point(u);
    }
}

/* The forgeries are refused for their points, not for a slip in the forging. */
static void forging_by_hand_works(void **state)
{
    (void)state;
    assert_true(try_forged_1(NULL, NULL));
    assert_true(try_forged_2(NULL));
}

static void short_messages_refused(void **state)
{
    struct sides s;
    uint8_t back[64];
    (void)state;

    sides_login(&s);
    assert_true(noise_write_2(&s.r, psk, e_private, (const uint8_t *)"hello", 5, s.m2));
    for (size_t len = 0; len < sizeof(s.m2); len++)
        assert_false(noise_read_2(&s.i, i_private, psk, s.m2, len, back));
    assert_true(noise_read_2(&s.i, i_private, psk, s.m2, sizeof(s.m2), back));

    sides_start(&s, NULL);
    assert_true(sides_write_1(&s));
    for (size_t len = 0; len < sizeof(s.m1); len++)
        assert_false(noise_read_1(&s.r, r_private, s.m1, len, back));
    assert_true(noise_read_1(&s.r, r_private, s.m1, sizeof(s.m1), back));
}

/* seal in place, as handshake.c does */
static void payload_in_place(void **state)
{
    struct sides s;
    uint8_t m[sizeof(s.m1)];
    static const uint8_t hello[5] = { 'h', 'e', 'l', 'l', 'o' };
    (void)state;

    sides_start(&s, NULL);
    assert_true(sides_write_1(&s));
    sides_start(&s, NULL);
    memcpy(m + 80, hello, sizeof(hello));
    assert_true(noise_write_1(&s.i, i_private, s.i_public, e_private, m + 80, 5, m));
    assert_memory_equal(m, s.m1, sizeof(m));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),        cmocka_unit_test(nonce_past_one_octet),
        cmocka_unit_test(low_order_points_refused), cmocka_unit_test(forging_by_hand_works),
        cmocka_unit_test(short_messages_refused),   cmocka_unit_test(payload_in_place),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
