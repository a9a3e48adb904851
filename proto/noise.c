/* SPDX-License-Identifier: MIT */
/* noise.c - Noise_IK and Noise_IKpsk2 with 25519, ChaChaPoly, BLAKE2b */
#include "proto/noise.h"

#include <assert.h>
#include <sodium.h>
#include <string.h>

#define BLAKE2B_BLOCK 128u

_Static_assert(crypto_generichash_BYTES_MAX == NOISE_HASH_LEN, "BLAKE2b-512");
_Static_assert(crypto_scalarmult_BYTES == KEY_LEN && crypto_scalarmult_SCALARBYTES == KEY_LEN,
               "X25519");
_Static_assert(crypto_aead_chacha20poly1305_ietf_KEYBYTES == KEY_LEN, "ChaCha20-Poly1305");
_Static_assert(crypto_aead_chacha20poly1305_ietf_ABYTES == NOISE_TAG_LEN, "ChaCha20-Poly1305");

/* ---- HMAC and HKDF over BLAKE2b (Noise 4.3) ---- */

/* HMAC-HASH of RFC 2104; BLAKE2b's own keyed mode is not what Noise asks for. @key: NOISE_HASH_LEN
 * octets. */
static void hmac(const uint8_t *key, const uint8_t *data, size_t len, uint8_t *out)
{
    crypto_generichash_state st;
    uint8_t pad[BLAKE2B_BLOCK], inner[NOISE_HASH_LEN];

    memset(pad, 0x36, sizeof(pad));
    for (size_t i = 0; i < NOISE_HASH_LEN; i++)
        pad[i] ^= key[i];
    crypto_generichash_init(&st, NULL, 0, NOISE_HASH_LEN);
    crypto_generichash_update(&st, pad, sizeof(pad));
    crypto_generichash_update(&st, data, len);
    crypto_generichash_final(&st, inner, sizeof(inner));

    for (size_t i = 0; i < sizeof(pad); i++)
        pad[i] ^= 0x36 ^ 0x5c;
    crypto_generichash_init(&st, NULL, 0, NOISE_HASH_LEN);
    crypto_generichash_update(&st, pad, sizeof(pad));
    crypto_generichash_update(&st, inner, sizeof(inner));
    crypto_generichash_final(&st, out, NOISE_HASH_LEN);

    sodium_memzero(&st, sizeof(st));
    sodium_memzero(pad, sizeof(pad));
    sodium_memzero(inner, sizeof(inner));
}

/* HKDF(ck, ikm, n_out), n_out 2 or 3, each output NOISE_HASH_LEN octets */
static void hkdf(const uint8_t *ck, const uint8_t *ikm, size_t len, unsigned n_out,
                 uint8_t out[][NOISE_HASH_LEN])
{
    uint8_t temp[NOISE_HASH_LEN], block[NOISE_HASH_LEN + 1];
    size_t block_len = 0; /* the first output is HMAC(temp, 0x01) alone */

    hmac(ck, ikm, len, temp);
    for (unsigned i = 0; i < n_out; i++) {
        block[block_len] = (uint8_t)(i + 1);
        hmac(temp, block, block_len + 1, out[i]);
        memcpy(block, out[i], NOISE_HASH_LEN);
        block_len = NOISE_HASH_LEN;
    }
    sodium_memzero(temp, sizeof(temp));
    sodium_memzero(block, sizeof(block));
}

/* ---- tokens of the symmetric state ---- */

void noise_mix_hash(struct noise *n, const void *data, size_t len)
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, NULL, 0, NOISE_HASH_LEN);
    crypto_generichash_update(&st, n->h, sizeof(n->h));
    crypto_generichash_update(&st, data, len);
    crypto_generichash_final(&st, n->h, sizeof(n->h));
    sodium_memzero(&st, sizeof(st));
}

static void initialize_key(struct noise *n, const uint8_t *k)
{
    memcpy(n->k, k, KEY_LEN); /* "If HASHLEN is 64, then truncates temp_k to 32 bytes" */
    n->n = 0;
    n->has_key = true;
}

void noise_mix_key(struct noise *n, const uint8_t *ikm)
{
    uint8_t out[2][NOISE_HASH_LEN];

    hkdf(n->ck, ikm, KEY_LEN, 2, out);
    memcpy(n->ck, out[0], NOISE_HASH_LEN);
    initialize_key(n, out[1]);
    sodium_memzero(out, sizeof(out));
}

void noise_mix_key_and_hash(struct noise *n, const uint8_t *psk)
{
    uint8_t out[3][NOISE_HASH_LEN];

    hkdf(n->ck, psk, KEY_LEN, 3, out);
    memcpy(n->ck, out[0], NOISE_HASH_LEN);
    noise_mix_hash(n, out[1], NOISE_HASH_LEN);
    initialize_key(n, out[2]);
    sodium_memzero(out, sizeof(out));
}

/* "32 bits of zeros followed by little-endian encoding of n" (Noise 12.3) */
static void nonce_of(uint64_t n, uint8_t out[crypto_aead_chacha20poly1305_ietf_NPUBBYTES])
{
    memset(out, 0, 4);
    for (unsigned i = 0; i < 8; i++)
        out[4 + i] = (uint8_t)(n >> (8 * i));
}

void noise_encrypt_and_hash(struct noise *n, const uint8_t *plain, size_t len, uint8_t *out)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

    assert(n->has_key);
    nonce_of(n->n, nonce);
    crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, n->h, sizeof(n->h), NULL,
                                              nonce, n->k);
    n->n++;
    noise_mix_hash(n, out, len + NOISE_TAG_LEN);
}

bool noise_decrypt_and_hash(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *out)
{
    uint8_t nonce[crypto_aead_chacha20poly1305_ietf_NPUBBYTES];

    assert(n->has_key);
    if (len < NOISE_TAG_LEN)
        return false;
    nonce_of(n->n, nonce);
    if (crypto_aead_chacha20poly1305_ietf_decrypt(out, NULL, NULL, sealed, len, n->h, sizeof(n->h),
                                                  nonce, n->k)) {
        memset(out, 0, len - NOISE_TAG_LEN);
        return false;
    }
    n->n++;
    noise_mix_hash(n, sealed, len);
    return true;
}

void noise_split(const struct noise *n, uint8_t *k1, uint8_t *k2)
{
    uint8_t out[2][NOISE_HASH_LEN];
    static const uint8_t zerolen[1];

    hkdf(n->ck, zerolen, 0, 2, out);
    memcpy(k1, out[0], KEY_LEN);
    memcpy(k2, out[1], KEY_LEN);
    sodium_memzero(out, sizeof(out));
}

void noise_wipe(struct noise *n)
{
    sodium_memzero(n, sizeof(*n));
}

/* ---- tokens of the handshake state (Noise 5.3) ---- */

/* ee, es, se, ss: MixKey(DH(ours, theirs)).
 * Deviation: Noise 12.1 discourages, but allows, refusing an all-zero result. We refuse it (RFC
 * 7748 6.1), so that no step of the handshake can be known to somebody who has no private key. */
static bool token_dh(struct noise *n, const uint8_t *ours, const uint8_t *theirs)
{
    uint8_t shared[KEY_LEN];
    bool good =
        crypto_scalarmult(shared, ours, theirs) == 0; /* fails exactly for points of low order */

    if (good)
        noise_mix_key(n, shared);
    sodium_memzero(shared, sizeof(shared));
    return good;
}

/* e, both ways. In psk patterns the ephemeral keys the cipher as well (Noise 9.2). */
static void token_e(struct noise *n, const uint8_t *e_public)
{
    noise_mix_hash(n, e_public, KEY_LEN);
    if (n->pattern == NOISE_IKPSK2)
        noise_mix_key(n, e_public);
}

static void token_psk(struct noise *n, const uint8_t *psk)
{
    assert((psk != NULL) == (n->pattern == NOISE_IKPSK2));
    if (psk)
        noise_mix_key_and_hash(n, psk);
}

/* ---- messages ---- */

void noise_init(struct noise *n, enum noise_pattern pattern, const void *prologue,
                size_t prologue_len, const uint8_t *responder_static)
{
    static const char *const names[] = {
        [NOISE_IK] = "Noise_IK_25519_ChaChaPoly_BLAKE2b",
        [NOISE_IKPSK2] = "Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b",
    };
    const char *name = names[pattern];

    memset(n, 0, sizeof(*n));
    n->pattern = pattern;
    memcpy(n->h, name, strlen(name)); /* shorter than HASHLEN: padded with zeros, not hashed */
    memcpy(n->ck, n->h, sizeof(n->ck));
    noise_mix_hash(n, prologue, prologue_len);
    noise_mix_hash(n, responder_static, KEY_LEN);
    memcpy(n->rs, responder_static, KEY_LEN);
}

bool noise_write_1(struct noise *n, const uint8_t *s_private, const uint8_t *s_public,
                   const uint8_t *e_private, const uint8_t *payload, size_t len, uint8_t *out)
{
    uint8_t *s_sealed = out + KEY_LEN, *payload_sealed = s_sealed + KEY_LEN + NOISE_TAG_LEN;

    memcpy(n->e, e_private, KEY_LEN);
    crypto_scalarmult_base(out, e_private);
    token_e(n, out);
    if (!token_dh(n, n->e, n->rs)) /* es */
        return false;
    noise_encrypt_and_hash(n, s_public, KEY_LEN, s_sealed);
    if (!token_dh(n, s_private, n->rs)) /* ss */
        return false;
    noise_encrypt_and_hash(n, payload, len, payload_sealed);
    return true;
}

bool noise_read_1(struct noise *n, const uint8_t *s_private, const uint8_t *msg, size_t len,
                  uint8_t *payload)
{
    struct noise t = *n;
    const uint8_t *s_sealed = msg + KEY_LEN, *payload_sealed = s_sealed + KEY_LEN + NOISE_TAG_LEN;
    bool good = false;

    if (len < NOISE_1_LEN)
        goto out;
    memcpy(t.re, msg, KEY_LEN);
    token_e(&t, t.re);
    if (!token_dh(&t, s_private, t.re)) /* es */
        goto out;
    if (!noise_decrypt_and_hash(&t, s_sealed, KEY_LEN + NOISE_TAG_LEN, t.rs))
        goto out;
    if (!token_dh(&t, s_private, t.rs)) /* ss */
        goto out;
    if (!noise_decrypt_and_hash(&t, payload_sealed, len - NOISE_1_LEN + NOISE_TAG_LEN, payload))
        goto out;
    *n = t;
    good = true;
out:
    noise_wipe(&t);
    return good;
}

bool noise_write_2(struct noise *n, const uint8_t *psk, const uint8_t *e_private,
                   const uint8_t *payload, size_t len, uint8_t *out)
{
    crypto_scalarmult_base(out, e_private);
    token_e(n, out);
    if (!token_dh(n, e_private, n->re)) /* ee */
        return false;
    if (!token_dh(n, e_private, n->rs)) /* se */
        return false;
    token_psk(n, psk);
    noise_encrypt_and_hash(n, payload, len, out + KEY_LEN);
    return true;
}

bool noise_read_2(struct noise *n, const uint8_t *s_private, const uint8_t *psk, const uint8_t *msg,
                  size_t len, uint8_t *payload)
{
    struct noise t = *n;
    bool good = false;

    if (len < NOISE_2_LEN)
        goto out;
    token_e(&t, msg);
    if (!token_dh(&t, t.e, msg)) /* ee */
        goto out;
    if (!token_dh(&t, s_private, msg)) /* se */
        goto out;
    token_psk(&t, psk);
    if (!noise_decrypt_and_hash(&t, msg + KEY_LEN, len - KEY_LEN, payload))
        goto out;
    *n = t;
    good = true;
out:
    noise_wipe(&t);
    return good;
}
