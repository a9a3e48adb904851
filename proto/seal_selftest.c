/* SPDX-License-Identifier: MIT */
/* seal_selftest.c - is a provider fit for use? Asked once at start
 *
 * DOC: a library that picks its code by the CPU it finds can be wrong on a CPU nobody tried.
 * Sealing with it would show as a network that loses everything, or as plaintext; so it has to give
 * the octets of a known vector, those of libsodium over lengths around every block and unrolling
 * boundary, in place and out of place, and to refuse a packet with any part of it changed.
 */
#include <sodium.h>
#include <string.h>

#include "proto/seal_parts.h"

#define LEN_MAX                                                                                    \
    9000u /* past unrolled loops (48 blocks), and where the low octet of the counter wraps */
#define ROOM (LEN_MAX + AEAD_TAG_LEN)

struct bench { /* one provider at work on one key; secret only in name */
    _Alignas(AEAD_SCHEDULE_ALIGN) uint8_t schedule[AEAD_SCHEDULE_MAX];
    uint8_t raw[AEAD_KEY_LEN], aad[AEAD_AAD_LEN], nonce[AEAD_NONCE_LEN];
    uint8_t plain[LEN_MAX], sealed[ROOM], other[ROOM];
};

/* Key 00..1f, a DATA header as associated data, plaintext octets 7 i + 1; sealed by OpenSSL 3. */
static const uint8_t vector_aad[AEAD_AAD_LEN] = { 4,    1,    1,    0,    1,    2,    3,    4,
                                                  0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88 };
#define VECTOR_LEN 61u
static const uint8_t vector_aes[VECTOR_LEN + AEAD_TAG_LEN] = {
    0x01, 0xd4, 0x9b, 0x4f, 0x76, 0xb0, 0xa5, 0xc1, 0x10, 0x3a, 0x33, 0x37, 0x8c, 0xf1, 0xea, 0x5c,
    0x68, 0xce, 0x43, 0xec, 0x54, 0x3a, 0xe6, 0xf1, 0x76, 0xb3, 0x29, 0xee, 0x11, 0x5e, 0x1c, 0xee,
    0x54, 0xfc, 0x5a, 0xa4, 0x5c, 0x21, 0x84, 0x17, 0xc0, 0x04, 0x3f, 0x37, 0xdb, 0xe5, 0xf5, 0x76,
    0xfe, 0x06, 0xca, 0xbb, 0x6a, 0x16, 0xea, 0x74, 0x11, 0x1a, 0x7c, 0xd7, 0xab, 0x3f, 0x19, 0x4c,
    0xcc, 0xd6, 0xf6, 0x47, 0xbe, 0xfa, 0xb2, 0x81, 0x5d, 0xdc, 0xc8, 0x9d, 0x47
};
static const uint8_t vector_chacha[VECTOR_LEN + AEAD_TAG_LEN] = {
    0x28, 0x1c, 0x56, 0x58, 0x56, 0xc0, 0x24, 0x27, 0xc2, 0xb2, 0xa2, 0xc4, 0x5a, 0x52, 0x30, 0xe9,
    0x4b, 0x11, 0xbd, 0xb5, 0xf3, 0x4a, 0xfe, 0x5e, 0xfe, 0x23, 0xcd, 0xb7, 0x17, 0x97, 0xb1, 0x42,
    0x3d, 0xce, 0xda, 0x04, 0x0a, 0x82, 0x3c, 0x9e, 0x83, 0xd3, 0x45, 0xa6, 0x99, 0x34, 0x7f, 0x7b,
    0x22, 0xc4, 0x5e, 0x0c, 0xda, 0xc4, 0x54, 0xfa, 0xdf, 0x2b, 0x29, 0x51, 0x96, 0x0d, 0x47, 0x1f,
    0x42, 0x43, 0x39, 0xe1, 0xf4, 0x7e, 0x08, 0x05, 0x06, 0xd7, 0x4d, 0xae, 0x89
};

static void fill(uint8_t *p, size_t len, unsigned mul, unsigned add)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * mul + add);
}

static bool known_vector(const struct aead_provider *p, struct bench *b)
{
    const uint8_t *expect = p->cipher == CIPHER_AES256GCM ? vector_aes : vector_chacha;

    fill(b->raw, sizeof(b->raw), 1, 0);
    fill(b->plain, VECTOR_LEN, 7, 1);
    memcpy(b->aad, vector_aad, sizeof(b->aad));
    memcpy(b->nonce + 4, vector_aad + 8, 8);
    p->expand(b->schedule, b->raw);
    p->seal(b->schedule, b->sealed, b->plain, VECTOR_LEN, b->aad, b->nonce);
    return memcmp(b->sealed, expect, VECTOR_LEN + AEAD_TAG_LEN) == 0;
}

/* Out of place, then in place: both as libsodium seals it (where it can), and back. */
static bool one_length(const struct aead_provider *p, struct bench *b,
                       const struct aead_provider *ref, const void *ref_schedule, size_t len)
{
    size_t sealed_len = len + AEAD_TAG_LEN;

    fill(b->plain, len, 31, (unsigned)len);
    fill(b->aad, sizeof(b->aad), 5, (unsigned)len);
    fill(b->nonce, sizeof(b->nonce), 11, (unsigned)len);
    p->seal(b->schedule, b->sealed, b->plain, len, b->aad, b->nonce);
    if (ref) {
        ref->seal(ref_schedule, b->other, b->plain, len, b->aad, b->nonce);
        if (memcmp(b->other, b->sealed, sealed_len) != 0)
            return false;
    }
    memcpy(b->other, b->plain, len);
    p->seal(b->schedule, b->other, b->other, len, b->aad, b->nonce);
    if (memcmp(b->other, b->sealed, sealed_len) != 0)
        return false;
    if (!p->open(b->schedule, b->other, b->other, len, b->aad, b->nonce) ||
        memcmp(b->other, b->plain, len) != 0)
        return false;
    memset(b->other, 0, len);
    return p->open(b->schedule, b->other, b->sealed, len, b->aad, b->nonce) &&
           memcmp(b->other, b->plain, len) == 0;
}

static bool refuses(const struct aead_provider *p, struct bench *b, size_t len, uint8_t *octet)
{
    *octet ^= 0x10;
    bool opened = p->open(b->schedule, b->other, b->sealed, len, b->aad, b->nonce);
    *octet ^= 0x10;
    return !opened;
}

/* Ciphertext, each octet of the tag, associated data and nonce all count. */
static bool refuses_forgeries(const struct aead_provider *p, struct bench *b)
{
    const size_t len = 100;

    p->seal(b->schedule, b->sealed, b->plain, len, b->aad, b->nonce);
    for (size_t i = 0; i < len + AEAD_TAG_LEN; i++) {
        if (!refuses(p, b, len, &b->sealed[i]))
            return false;
    }
    for (size_t i = 0; i < AEAD_AAD_LEN; i++) {
        if (!refuses(p, b, len, &b->aad[i]))
            return false;
    }
    for (size_t i = 0; i < AEAD_NONCE_LEN; i++) {
        if (!refuses(p, b, len, &b->nonce[i]))
            return false;
    }
    return p->open(b->schedule, b->other, b->sealed, len, b->aad, b->nonce);
}

bool seal_test(const struct aead_provider *p)
{
    const struct aead_provider *ref = seal_sodium(p->cipher);
    _Alignas(AEAD_SCHEDULE_ALIGN) uint8_t ref_schedule[AEAD_SCHEDULE_MAX];
    struct bench b;

    memset(&b, 0, sizeof(b));
    if (!known_vector(p, &b))
        return false;
    if (ref)
        ref->expand(ref_schedule, b.raw);
    for (size_t len = 0; len <= LEN_MAX; len += len < 300 ? 1 : 101) {
        if (!one_length(p, &b, ref, ref_schedule, len))
            return false;
    }
    return refuses_forgeries(p, &b);
}
