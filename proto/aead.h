/* SPDX-License-Identifier: MIT */
/* aead.h - the ciphers of DATA, and what a library offers to carry one of them out
 *
 * DOC: plain types, so that proto/host can fill them in without knowing a packet format. A provider
 * does one cipher, octets in, octets out. seal.h chooses among providers and checks each before it
 * is used; nobody else calls them.
 */
#ifndef SIXTAP_PROTO_AEAD_H
#define SIXTAP_PROTO_AEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum cipher { /* values of the wire (PROTOCOL.md) */
              CIPHER_NONE = 0,
              CIPHER_AES256GCM = 1,
              CIPHER_CHACHA20POLY1305 = 2,
};

#define AEAD_KEY_LEN        32u
#define AEAD_NONCE_LEN      12u
#define AEAD_AAD_LEN        16u
#define AEAD_TAG_LEN        16u
#define AEAD_SCHEDULE_MAX   1008u /* octets of an expanded key: the larger of all providers' */
#define AEAD_SCHEDULE_ALIGN 64u

struct aead_provider {
    const char *name; /* library, version, instructions: "libipsec-mb 1.3.0 (AVX512)" */
    enum cipher cipher;

    /* expand() - @schedule: AEAD_SCHEDULE_MAX octets, AEAD_SCHEDULE_ALIGN-aligned; @raw:
     * AEAD_KEY_LEN. It must be plain octets: it may be copied, and is wiped by zeroing. */
    void (*expand)(void *schedule, const uint8_t *raw);

    /* seal() - @len octets of plaintext at @src (any alignment) become @len of ciphertext and
     * AEAD_TAG_LEN of tag at @dst, which is @src or does not overlap it
     * @aad: AEAD_AAD_LEN octets, @nonce: AEAD_NONCE_LEN */
    void (*seal)(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                 const uint8_t *aad, const uint8_t *nonce);

    /* open() - the inverse: @src has @len octets of ciphertext and the tag; @dst gets @len octets
     * Return: false when the tag is wrong; @dst then holds anything (the caller zeroes it). */
    bool (*open)(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                 const uint8_t *aad, const uint8_t *nonce);
};

#endif
