/* SPDX-License-Identifier: MIT */
/* seal.c - sealing and opening runs of DATA under one key, by libsodium
 *
 * DOC: a key without a cipher (wiped, or one this machine cannot do) seals to zeros and opens
 * nothing, so that a bug of ours shows as silence and never as plaintext on the wire.
 *
 * Standards: NIST SP 800-38D; RFC 8439 2.8; RFC 5116.
 */
#include "proto/seal.h"

#include <assert.h>

_Static_assert(TAG_LEN == crypto_aead_aes256gcm_ABYTES, "PROTOCOL.md 2.4");
_Static_assert(TAG_LEN == crypto_aead_chacha20poly1305_ietf_ABYTES, "PROTOCOL.md 2.4");
_Static_assert(KEY_LEN == crypto_aead_aes256gcm_KEYBYTES, "one key length");
_Static_assert(KEY_LEN == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "one key length");
_Static_assert(alignof(struct seal_key) >= 16, "libsodium's AES-GCM state");

#define NONCE_LEN 12u
_Static_assert(NONCE_LEN == crypto_aead_aes256gcm_NPUBBYTES, "96-bit nonces");
_Static_assert(NONCE_LEN == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "96-bit nonces");

bool seal_supported(enum cipher c)
{
    switch (c) {
    case CIPHER_AES256GCM:
        return crypto_aead_aes256gcm_is_available() == 1;
    case CIPHER_CHACHA20POLY1305:
        return true;
    case CIPHER_NONE:
        break;
    }
    return false;
}

unsigned seal_offer(uint8_t ret[CIPHERS_MAX])
{
    unsigned n = 0;

    if (seal_supported(CIPHER_AES256GCM))
        ret[n++] = CIPHER_AES256GCM;
    ret[n++] = CIPHER_CHACHA20POLY1305;
    return n;
}

enum cipher seal_choose(const uint8_t *offered, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        if (seal_supported((enum cipher)offered[i]))
            return (enum cipher)offered[i];
    return CIPHER_NONE;
}

const char *cipher_name(enum cipher c)
{
    switch (c) {
    case CIPHER_AES256GCM:
        return "AES-256-GCM";
    case CIPHER_CHACHA20POLY1305:
        return "ChaCha20-Poly1305";
    case CIPHER_NONE:
        break;
    }
    return "none";
}

void seal_key_init(struct seal_key *k, enum cipher c, const uint8_t *raw)
{
    bool supported = seal_supported(c);

    assert(supported);
    seal_key_wipe(k);
    if (!supported)
        return;
    memcpy(k->raw, raw, KEY_LEN);
    if (c == CIPHER_AES256GCM)
        crypto_aead_aes256gcm_beforenm(&k->aes, raw);
    k->cipher = c;
}

void seal_key_wipe(struct seal_key *k)
{
    sodium_memzero(k, sizeof(*k)); /* CIPHER_NONE is 0 */
}

static void nonce_of(uint8_t nonce[NONCE_LEN], const uint8_t *hdr)
{
    memset(nonce, 0, 4);
    memcpy(nonce + 4, hdr + 8, 8); /* the counter, as it stands in the header */
}

static void seal_one(const struct seal_key *k, const struct seal_op *op)
{
    uint8_t nonce[NONCE_LEN];

    nonce_of(nonce, op->hdr);
    switch (k->cipher) {
    case CIPHER_AES256GCM:
        crypto_aead_aes256gcm_encrypt_afternm(op->dst, NULL, op->src, op->len, op->hdr,
                                              DATA_HDR_LEN, NULL, nonce, &k->aes);
        break;
    case CIPHER_CHACHA20POLY1305:
        crypto_aead_chacha20poly1305_ietf_encrypt(op->dst, NULL, op->src, op->len, op->hdr,
                                                  DATA_HDR_LEN, NULL, nonce, k->raw);
        break;
    case CIPHER_NONE:
        memset(op->dst, 0, (size_t)op->len + TAG_LEN);
        break;
    }
}

static bool open_one(const struct seal_key *k, const struct seal_op *op)
{
    uint8_t nonce[NONCE_LEN];

    nonce_of(nonce, op->hdr);
    switch (k->cipher) {
    case CIPHER_AES256GCM:
        return crypto_aead_aes256gcm_decrypt_detached_afternm(op->dst, NULL, op->src, op->len,
                                                              op->src + op->len, op->hdr,
                                                              DATA_HDR_LEN, nonce, &k->aes) == 0;
    case CIPHER_CHACHA20POLY1305:
        return crypto_aead_chacha20poly1305_ietf_decrypt_detached(op->dst, NULL, op->src, op->len,
                                                                  op->src + op->len, op->hdr,
                                                                  DATA_HDR_LEN, nonce, k->raw) == 0;
    case CIPHER_NONE:
        break;
    }
    return false;
}

void seal_run(const struct seal_key *k, struct seal_op *ops, size_t n)
{
    assert(k->cipher != CIPHER_NONE);
    for (size_t i = 0; i < n; i++)
        seal_one(k, &ops[i]);
}

size_t open_run(const struct seal_key *k, struct seal_op *ops, size_t n)
{
    size_t n_open = 0;

    for (size_t i = 0; i < n; i++) {
        struct seal_op *op = &ops[i];

        op->ok = open_one(k, op);
        if (op->ok)
            n_open++;
        else if (op->len)
            memset(op->dst, 0, op->len);
    }
    return n_open;
}
