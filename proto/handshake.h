/* SPDX-License-Identifier: MIT */
/* handshake.h - LOGIN and LOGIN_REPLY: the Noise handshake with its payloads, as whole messages
 *
 * DOC: Noise_IKpsk2_25519_ChaChaPoly_BLAKE2b, prologue "sixtap 1". The client is the initiator and
 * knows the router's public key. Message one names the client (sealed), so the router learns key
 * and payload before it spends a table entry; the PSK enters with message two. MAC1 and MAC2 of a
 * LOGIN are not written here but by cookie.h. Work is done in locals and wiped; outputs are written
 * after the last check.
 *
 * The outer header of each message (LOGIN: its first 8 octets, LOGIN_REPLY: its first 12) goes into
 * the hash with MixHash before the token e of that message. So type, version, reserved bits and
 * indices are authenticated: what opens is as it was sent.
 *
 * Standards: Noise Protocol Framework rev. 34, sections 5, 7.5, 9.
 */
#ifndef SIXTAP_PROTO_HANDSHAKE_H
#define SIXTAP_PROTO_HANDSHAKE_H

#include "proto/drop.h"
#include "proto/noise.h"
#include "proto/wire.h"

struct identity { /* a static key pair */
    uint8_t private_key[KEY_LEN];
    uint8_t public_key[KEY_LEN];
};

struct session_keys {
    uint8_t tx[KEY_LEN], rx[KEY_LEN]; /* from the owner's point of view */
};

struct hs_initiator { /* the client between LOGIN and LOGIN_REPLY; wipe with handshake_wipe */
    struct noise noise;
    uint32_t index; /* ours, in the LOGIN */
};

struct hs_responder { /* the router between reading a LOGIN and writing the reply; lives in a local
                       */
    struct noise noise;
    uint8_t client_key[KEY_LEN];
    uint8_t ephemeral[KEY_LEN];
    uint32_t client_index;
    struct login_payload payload;
};

/* handshake_login_write() - a whole LOGIN but for MAC1 and MAC2 (zero)
 * @hs:        filled
 * @self:      the client's keys          @router_key: KEY_LEN octets
 * @ephemeral: 32 fresh random octets, the private ephemeral key
 * @index:     the client's index for the keypair to come
 * @out:       LOGIN_LEN octets
 * Return: false when a DH gives the all-zero result (router_key is a low-order point); @out is then
 * zeroed. Source: PROTOCOL.md 2.1 */
bool handshake_login_write(struct hs_initiator *hs, const struct identity *self,
                           const uint8_t *router_key, const uint8_t *ephemeral, uint32_t index,
                           const struct login_payload *lp, uint8_t *out);

/* handshake_login_open() - the router reads a LOGIN that wire_peek() accepted and whose MAC1 is
 * right Return: DROP_NONE, DROP_LOGIN_OPEN (does not open, low-order point), or DROP_LOGIN_PAYLOAD.
 * @hs is filled only with DROP_NONE, else untouched. */
enum drop handshake_login_open(struct hs_responder *hs, const struct identity *self,
                               const uint8_t *msg);

/* handshake_reply_write() - the router answers
 * @hs:      from handshake_login_open; wiped, also on failure
 * @psk:     KEY_LEN octets, zero when none is agreed
 * @ephemeral: 32 fresh random octets
 * @index:   the router's index for this keypair
 * @payload, @payload_len: TLVs (wire_put_settings), at most REPLY_PAYLOAD_MAX
 * @out:     LOGIN_REPLY_MIN + @payload_len octets
 * @keys:    transport keys, router's view: Split() of Noise, whole as AEAD keys of the chosen
 * cipher Return: octets written; 0 when a DH gives the all-zero result (@out is then zeroed, @keys
 * untouched). */
size_t handshake_reply_write(struct hs_responder *hs, const uint8_t *psk, const uint8_t *ephemeral,
                             uint32_t index, const uint8_t *payload, size_t payload_len,
                             uint8_t *out, struct session_keys *keys);

/* handshake_reply_open() - the client reads a LOGIN_REPLY whose receiver index is hs->index
 * @hs: unchanged on failure (a forged reply must not end the handshake), wiped on success
 * @ret: the settings       @ret_index: the router's index      @keys: transport keys, client's view
 * Outputs are written only with DROP_NONE.
 * Return: DROP_NONE; DROP_REPLY_OPEN when it does not open (wrong psk, or forged) or its length is
 * none of a LOGIN_REPLY; DROP_LOGIN_PAYLOAD when it opens but is malformed. */
enum drop handshake_reply_open(struct hs_initiator *hs, const struct identity *self,
                               const uint8_t *psk, const uint8_t *msg, size_t len,
                               struct settings *ret, uint32_t *ret_index,
                               struct session_keys *keys);

/* handshake_wipe() - forget an unfinished handshake */
void handshake_wipe(struct hs_initiator *hs);

/* identity_of() - the key pair of a private key (clamped by X25519 itself) */
void identity_of(struct identity *id, const uint8_t *private_key);

#endif
