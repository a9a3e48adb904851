/* SPDX-License-Identifier: MIT */
/* seal_sodium.c - libsodium as a provider of both ciphers; always there
 *
 * Standards: NIST SP 800-38D; RFC 8439 2.8.
 */
#include <sodium.h>
#include <string.h>

#include "proto/seal_parts.h"

_Static_assert(AEAD_TAG_LEN == crypto_aead_aes256gcm_ABYTES, "tag");
_Static_assert(AEAD_TAG_LEN == crypto_aead_chacha20poly1305_ietf_ABYTES, "tag");
_Static_assert(AEAD_KEY_LEN == crypto_aead_aes256gcm_KEYBYTES, "one key length");
_Static_assert(AEAD_KEY_LEN == crypto_aead_chacha20poly1305_ietf_KEYBYTES, "one key length");
_Static_assert(AEAD_NONCE_LEN == crypto_aead_aes256gcm_NPUBBYTES, "96-bit nonces");
_Static_assert(AEAD_NONCE_LEN == crypto_aead_chacha20poly1305_ietf_NPUBBYTES, "96-bit nonces");
_Static_assert(sizeof(crypto_aead_aes256gcm_state) <= AEAD_SCHEDULE_MAX, "room for the schedule");
_Static_assert(_Alignof(crypto_aead_aes256gcm_state) <= AEAD_SCHEDULE_ALIGN, "its alignment");

static void aes_expand(void *schedule, const uint8_t *raw)
{
    crypto_aead_aes256gcm_beforenm(schedule, raw);
}

static void aes_seal(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                     const uint8_t *aad, const uint8_t *nonce)
{
    crypto_aead_aes256gcm_encrypt_afternm(dst, NULL, src, len, aad, AEAD_AAD_LEN, NULL, nonce,
                                          schedule);
}

static bool aes_open(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                     const uint8_t *aad, const uint8_t *nonce)
{
    return crypto_aead_aes256gcm_decrypt_detached_afternm(dst, NULL, src, len, src + len, aad,
                                                          AEAD_AAD_LEN, nonce, schedule) == 0;
}

static void chacha_expand(void *schedule, const uint8_t *raw)
{
    memcpy(schedule, raw, AEAD_KEY_LEN); /* there is nothing to prepare */
}

static void chacha_seal(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                        const uint8_t *aad, const uint8_t *nonce)
{
    crypto_aead_chacha20poly1305_ietf_encrypt(dst, NULL, src, len, aad, AEAD_AAD_LEN, NULL, nonce,
                                              schedule);
}

static bool chacha_open(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                        const uint8_t *aad, const uint8_t *nonce)
{
    return crypto_aead_chacha20poly1305_ietf_decrypt_detached(dst, NULL, src, len, src + len, aad,
                                                              AEAD_AAD_LEN, nonce, schedule) == 0;
}

static const struct aead_provider aes = { "libsodium " SODIUM_VERSION_STRING, CIPHER_AES256GCM,
                                          aes_expand, aes_seal, aes_open },
                                  chacha = { "libsodium " SODIUM_VERSION_STRING,
                                             CIPHER_CHACHA20POLY1305, chacha_expand, chacha_seal,
                                             chacha_open };

const struct aead_provider *seal_sodium(enum cipher c)
{
    switch (c) {
    case CIPHER_AES256GCM:
        return crypto_aead_aes256gcm_is_available() == 1 ? &aes : NULL;
    case CIPHER_CHACHA20POLY1305:
        return &chacha;
    case CIPHER_NONE:
        break;
    }
    return NULL;
}
