/* SPDX-License-Identifier: MIT */
/* seal.h - sealing and opening runs of DATA under one key
 *
 * DOC: AES-256-GCM or ChaCha20-Poly1305, chosen inside the handshake. Nonce: 4 zero octets and the
 * header's counter, big-endian; associated data: the 16 octets of header. A run is n packets under
 * one key, each in place or out of place. The key schedule is expanded once per run owner. One
 * provider now (libsodium); another can stand behind the same calls.
 *
 * Standards: NIST SP 800-38D, RFC 8439 (ChaCha20-Poly1305, IETF nonce), RFC 5116.
 */
#ifndef SIXTAP_PROTO_SEAL_H
#define SIXTAP_PROTO_SEAL_H

#include <stdalign.h>
#include <sodium.h>

#include "proto/addr.h"
#include "proto/wire.h"

enum cipher {
    CIPHER_NONE = 0,
    CIPHER_AES256GCM = 1,
    CIPHER_CHACHA20POLY1305 = 2,
};

struct seal_key { /* one direction, ready to use */
    alignas(16) crypto_aead_aes256gcm_state aes;
    uint8_t raw[KEY_LEN];
    enum cipher cipher;
};

struct seal_op {
    const uint8_t *hdr; /* DATA_HDR_LEN octets, complete */
    const uint8_t *src; /* seal: plaintext; open: ciphertext and tag */
    uint8_t *dst;       /* seal: len + TAG_LEN octets; open: len octets. May equal src. */
    uint32_t len;       /* octets of plaintext */
    bool ok;            /* open: result */
};

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
