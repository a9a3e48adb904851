/* SPDX-License-Identifier: MIT */
/* noise.h - Noise_IK and Noise_IKpsk2 with 25519, ChaChaPoly, BLAKE2b
 *
 * DOC: two layers. The token functions keep the names of the Noise paper (MixHash, MixKey, ...) and
 * work on the symmetric state. The four message functions run the pattern IK on top of them:
 *
 *     <- s
 *     ...
 *     -> e, es, s, ss          noise_write_1, noise_read_1
 *     <- e, ee, se [, psk]     noise_write_2, noise_read_2
 *
 * SixTap itself uses IKpsk2; plain IK is here so that both published vectors can be run. Reading
 * works on a copy and commits it when everything has opened. Every DH whose result is all zero (the
 * peer sent a point of low order) fails. Ephemeral private keys come from the caller: nothing here
 * is random.
 *
 * Standards: Noise Protocol Framework rev. 34, sections 5, 7.5, 9, 12; RFC 7693 (BLAKE2b); RFC 2104
 * (HMAC); RFC 7748 6.1 (the all-zero check); RFC 8439 (ChaCha20-Poly1305).
 */
#ifndef SIXTAP_PROTO_NOISE_H
#define SIXTAP_PROTO_NOISE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/addr.h"

#define NOISE_HASH_LEN 64u
#define NOISE_TAG_LEN  16u
/* octets of a message beside its payload: e, sealed s, tag of the payload; e, tag */
#define NOISE_1_LEN (32u + 48u + NOISE_TAG_LEN)
#define NOISE_2_LEN (32u + NOISE_TAG_LEN)

enum noise_pattern {
    NOISE_IK,
    NOISE_IKPSK2,
};

struct noise { /* CipherState, SymmetricState and HandshakeState in one; wipe with noise_wipe */
    uint8_t h[NOISE_HASH_LEN]; /* after message 2: the handshake hash */
    uint8_t ck[NOISE_HASH_LEN];
    uint8_t k[KEY_LEN];
    uint64_t n;
    bool has_key;
    enum noise_pattern pattern;
    uint8_t e[KEY_LEN];  /* initiator: private ephemeral key, between its two messages */
    uint8_t rs[KEY_LEN]; /* the other side's static public key */
    uint8_t re[KEY_LEN]; /* responder: the initiator's ephemeral public key */
};

/* ---- messages ---- */

/* noise_init() - Initialize(), with the pre-message of IK
 * @prologue:         @prologue_len octets both sides must agree on
 * @responder_static: KEY_LEN octets, public; stays in n->rs until noise_read_1() puts the
 * initiator's there Source: Noise 5.3, 7.5 */
void noise_init(struct noise *n, enum noise_pattern pattern, const void *prologue,
                size_t prologue_len, const uint8_t *responder_static);

/* noise_write_1() - the initiator's message, to the responder key given to noise_init()
 * @s_private, @s_public: own static keys, KEY_LEN octets each
 * @e_private:            KEY_LEN fresh random octets
 * @payload, @len:        may already lie where its sealed form will: at @out + 80
 * @out:                  @len + NOISE_1_LEN octets, any alignment
 * Return: false when a DH gives the all-zero result; @n and @out are then of no use. */
bool noise_write_1(struct noise *n, const uint8_t *s_private, const uint8_t *s_public,
                   const uint8_t *e_private, const uint8_t *payload, size_t len, uint8_t *out);

/* noise_read_1() - the responder reads it; then n->rs is the initiator's static key, n->re its
 * ephemeral key
 * @s_private: own static private key
 * @msg, @len: the message
 * @payload:   @len - NOISE_1_LEN octets, apart from @msg
 * Return: false when it is too short, does not open or has a point of low order; @n is then
 * unchanged and
 * @payload untouched or zeroed. */
bool noise_read_1(struct noise *n, const uint8_t *s_private, const uint8_t *msg, size_t len,
                  uint8_t *payload);

/* noise_write_2() - the responder answers
 * @psk:       KEY_LEN octets; NULL in the pattern IK
 * @e_private: KEY_LEN fresh random octets
 * @payload, @len: may already lie where its sealed form will: at @out + 32
 * @out:       @len + NOISE_2_LEN octets
 * Return: false when a DH gives the all-zero result; @n and @out are then of no use. */
bool noise_write_2(struct noise *n, const uint8_t *psk, const uint8_t *e_private,
                   const uint8_t *payload, size_t len, uint8_t *out);

/* noise_read_2() - the initiator reads it
 * @s_private: own static private key      @psk: KEY_LEN octets; NULL in the pattern IK
 * @payload:   @len - NOISE_2_LEN octets, apart from @msg
 * Return: false as noise_read_1(); another message may then be tried with the same @n. */
bool noise_read_2(struct noise *n, const uint8_t *s_private, const uint8_t *psk, const uint8_t *msg,
                  size_t len, uint8_t *payload);

/* ---- tokens of the symmetric state (Noise 5.2) ---- */

/* noise_mix_hash() - MixHash(): @data becomes part of what both sides authenticate */
void noise_mix_hash(struct noise *n, const void *data, size_t len);

/* noise_mix_key() - MixKey(): @ikm (KEY_LEN octets) into the chain; a new cipher key, nonce 0 */
void noise_mix_key(struct noise *n, const uint8_t *ikm);

/* noise_mix_key_and_hash() - MixKeyAndHash(): the token psk; @psk KEY_LEN octets */
void noise_mix_key_and_hash(struct noise *n, const uint8_t *psk);

/* noise_encrypt_and_hash() - EncryptAndHash()
 * @out: @len + NOISE_TAG_LEN octets; equal to @plain or apart from it. There is a key: IK never
 * seals without. */
void noise_encrypt_and_hash(struct noise *n, const uint8_t *plain, size_t len, uint8_t *out);

/* noise_decrypt_and_hash() - DecryptAndHash()
 * @len: octets of ciphertext with its tag      @out: @len - NOISE_TAG_LEN octets, apart from
 * @sealed Return: false when it is shorter than a tag or does not open; @n is then unchanged, @out
 * zeroed. */
bool noise_decrypt_and_hash(struct noise *n, const uint8_t *sealed, size_t len, uint8_t *out);

/* noise_split() - Split(): the first 32 octets of each output; @k1 initiator to responder, @k2 the
 * way back */
void noise_split(const struct noise *n, uint8_t *k1, uint8_t *k2);

/* noise_wipe() - zero it all */
void noise_wipe(struct noise *n);

#endif
