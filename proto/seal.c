/* SPDX-License-Identifier: MIT */
/* seal.c - sealing and opening runs of DATA under one key
 *
 * DOC: a key without a cipher (wiped, or one this machine cannot do) seals to zeros and opens
 * nothing, so that a bug of ours shows as silence and never as plaintext on the wire.
 *
 * Standards: NIST SP 800-38D; RFC 8439 2.8; RFC 5116.
 */
#include "proto/seal.h"

#include <assert.h>

#include "proto/seal_parts.h"

_Static_assert(TAG_LEN == AEAD_TAG_LEN && DATA_HDR_LEN == AEAD_AAD_LEN && KEY_LEN == AEAD_KEY_LEN,
               "PROTOCOL.md 2.4");

/* What carries out each cipher instead of libsodium; NULL: libsodium. */
static const struct aead_provider *chosen[CIPHER_CHACHA20POLY1305 + 1];

static const struct aead_provider *provider_of(enum cipher c)
{
    if (c <= CIPHER_NONE || c > CIPHER_CHACHA20POLY1305)
        return NULL;
    return chosen[c] ? chosen[c] : seal_sodium(c);
}

bool seal_supported(enum cipher c)
{
    return provider_of(c) != NULL;
}

const char *seal_provider_name(enum cipher c)
{
    const struct aead_provider *p = provider_of(c);

    return p ? p->name : NULL;
}

bool seal_provider_set(const struct aead_provider *p)
{
    if (!p) {
        memset(chosen, 0, sizeof(chosen));
        return true;
    }
    if (p->cipher <= CIPHER_NONE || p->cipher > CIPHER_CHACHA20POLY1305 || !seal_test(p))
        return false;
    chosen[p->cipher] = p;
    return true;
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
    const struct aead_provider *p = provider_of(c);

    assert(p);
    if (!p) {
        seal_key_wipe(k);
        return;
    }
    p->expand(k->schedule, raw);
    k->by = p;
    k->cipher = c;
}

void seal_key_wipe(struct seal_key *k)
{
    sodium_memzero(k, sizeof(*k)); /* CIPHER_NONE is 0 */
}

static void nonce_of(uint8_t nonce[AEAD_NONCE_LEN], const uint8_t *hdr)
{
    memset(nonce, 0, 4);
    memcpy(nonce + 4, hdr + 8, 8); /* the counter, as it stands in the header */
}

void seal_run(const struct seal_key *k, struct seal_op *ops, size_t n)
{
    uint8_t nonce[AEAD_NONCE_LEN];

    assert(k->by);
    for (size_t i = 0; i < n; i++) {
        const struct seal_op *op = &ops[i];

        nonce_of(nonce, op->hdr);
        if (k->by)
            k->by->seal(k->schedule, op->dst, op->src, op->len, op->hdr, nonce);
        else
            memset(op->dst, 0, (size_t)op->len + TAG_LEN);
    }
}

size_t open_run(const struct seal_key *k, struct seal_op *ops, size_t n)
{
    uint8_t nonce[AEAD_NONCE_LEN];
    size_t n_open = 0;

    for (size_t i = 0; i < n; i++) {
        struct seal_op *op = &ops[i];

        nonce_of(nonce, op->hdr);
        op->ok = k->by && k->by->open(k->schedule, op->dst, op->src, op->len, op->hdr, nonce);
        if (op->ok)
            n_open++;
        else if (op->len)
            memset(op->dst, 0, op->len);
    }
    return n_open;
}
