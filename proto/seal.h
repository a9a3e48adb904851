/* SPDX-License-Identifier: MIT */
/* seal.h - sealing and opening runs of DATA under one key
 *
 * DOC: AES-256-GCM or ChaCha20-Poly1305, chosen inside the handshake. Nonce: 4 zero octets and the
 * header's counter, big-endian; associated data: the 16 octets of header. A run is n packets under
 * one key, each in place or out of place. The key is expanded once (seal_key_init) and can be kept
 * (seal_cache.h).
 *
 * Who does the arithmetic: libsodium is always there; another library can be put in front of it for
 * a cipher at start (seal_provider_set), if it gives the same octets and the same failures. A key
 * remembers the provider that expanded it, so keys made before and after a change work side by
 * side.
 *
 * Standards: NIST SP 800-38D, RFC 8439 (ChaCha20-Poly1305, IETF nonce), RFC 5116.
 */
#ifndef SIXTAP_PROTO_SEAL_H
#define SIXTAP_PROTO_SEAL_H

#include <stdalign.h>
#include <sodium.h>

#include "proto/addr.h"
#include "proto/aead.h"
#include "proto/wire.h"

struct seal_key { /* one direction, ready to use; all secret */
    alignas(AEAD_SCHEDULE_ALIGN) uint8_t schedule[AEAD_SCHEDULE_MAX];
    const struct aead_provider *by; /* who expanded it; NULL: it does nothing */
    enum cipher cipher;
};

struct seal_op {
    const uint8_t *hdr; /* DATA_HDR_LEN octets, complete */
    const uint8_t *src; /* seal: plaintext; open: ciphertext and tag */
    uint8_t *dst;       /* seal: len + TAG_LEN octets; open: len octets. May equal src. */
    uint32_t len;       /* octets of plaintext */
    bool ok;            /* open: result */
};

/* seal_provider_set() - from now on @p carries out p->cipher for keys that are initialised
 * Once at start, before the first key; @p must stay. It is tested first: the octets of a known
 * vector, agreement with libsodium over many lengths, every failure of a forged packet.
 * @p: NULL goes back to libsodium for all ciphers
 * Return: false when it fails the test; nothing is changed then. */
bool seal_provider_set(const struct aead_provider *p);

/* seal_provider_name() - who carries out @c ("libsodium 1.0.18"); NULL when nobody can */
const char *seal_provider_name(enum cipher c);

/* seal_supported() - can this CPU and library do @c? Wants sodium_init() first: before it the CPU
 * is unknown and AES-256-GCM not supported. */
bool seal_supported(enum cipher c);

/* seal_offer() - the ciphers this side offers, preferred first; returns how many (1..CIPHERS_MAX)
 */
unsigned seal_offer(uint8_t ret[CIPHERS_MAX]);

/* seal_choose() - the first of @offered (n octets of enum cipher, unknown values skipped) that this
 * side supports; CIPHER_NONE when none */
enum cipher seal_choose(const uint8_t *offered, unsigned n);

/* cipher_name() - "AES-256-GCM", "ChaCha20-Poly1305", "none" */
const char *cipher_name(enum cipher c);

/* seal_key_init() - expand @raw (KEY_LEN octets); @c must be supported (asserted: the handshake
 * chose it) */
void seal_key_init(struct seal_key *k, enum cipher c, const uint8_t *raw);

/* seal_key_wipe() - zero it; it can neither seal nor open then */
void seal_key_wipe(struct seal_key *k);

/* seal_run() - seal @n packets; cannot fail. src and dst of one op are equal or do not overlap. */
void seal_run(const struct seal_key *k, struct seal_op *ops, size_t n);

/* open_run() - open @n packets, setting each op's ok; dst of one that does not open is zeroed
 * Return: how many opened. */
size_t open_run(const struct seal_key *k, struct seal_op *ops, size_t n);

#endif
