/* SPDX-License-Identifier: MIT */
/* handshake.c - LOGIN and LOGIN_REPLY: the Noise handshake with its payloads, as whole messages */
#include "proto/handshake.h"

#include <assert.h>
#include <sodium.h>
#include <stddef.h>
#include <string.h>

/* What noise.c writes lies behind the outer header without gaps: e, sealed static (LOGIN only),
 * sealed payload. */
#define LOGIN_HDR_LEN   offsetof(struct wire_login, ephemeral)
#define REPLY_HDR_LEN   offsetof(struct wire_login_reply, ephemeral)
#define LOGIN_NOISE_LEN (LOGIN_PAYLOAD_LEN + NOISE_1_LEN)

_Static_assert(LOGIN_HDR_LEN == 8 && REPLY_HDR_LEN == 12, "PROTOCOL.md 2.1, 2.2");
_Static_assert(LOGIN_HDR_LEN + LOGIN_NOISE_LEN == offsetof(struct wire_login, mac1),
               "PROTOCOL.md 2.1");
_Static_assert(REPLY_HDR_LEN + NOISE_2_LEN == LOGIN_REPLY_MIN, "PROTOCOL.md 2.2");
_Static_assert(NOISE_TAG_LEN == TAG_LEN, "one tag");

static const char prologue[] = "sixtap 1"; /* without its NUL */

static void start(struct noise *n, const uint8_t *router_key)
{
    noise_init(n, NOISE_IKPSK2, prologue, sizeof(prologue) - 1, router_key);
}

static void put_head(uint8_t *out, enum wire_type type, uint32_t sender)
{
    out[0] = (uint8_t)type;
    out[1] = WIRE_VERSION;
    out[2] = 0;
    out[3] = 0;
    be32_store(out + 4, sender);
}

void identity_of(struct identity *id, const uint8_t *private_key)
{
    memmove(id->private_key, private_key, KEY_LEN);
    crypto_scalarmult_base(id->public_key, id->private_key);
}

void handshake_wipe(struct hs_initiator *hs)
{
    sodium_memzero(hs, sizeof(*hs));
}

/* ---- LOGIN ---- */

bool handshake_login_write(struct hs_initiator *hs, const struct identity *self,
                           const uint8_t *router_key, const uint8_t *ephemeral, uint32_t index,
                           const struct login_payload *lp, uint8_t *out)
{
    uint8_t *payload = out + offsetof(struct wire_login, payload_sealed); /* sealed in place */

    memset(out, 0, LOGIN_LEN);
    hs->index = index;
    start(&hs->noise, router_key);
    put_head(out, WIRE_LOGIN, index);
    noise_mix_hash(&hs->noise, out, LOGIN_HDR_LEN);
    wire_put_login_payload(payload, lp);
    if (noise_write_1(&hs->noise, self->private_key, self->public_key, ephemeral, payload,
                      LOGIN_PAYLOAD_LEN, out + LOGIN_HDR_LEN))
        return true;
    handshake_wipe(hs);
    sodium_memzero(out, LOGIN_LEN); /* the payload may lie there in the clear */
    return false;
}

enum drop handshake_login_open(struct hs_responder *hs, const struct identity *self,
                               const uint8_t *msg)
{
    struct noise n;
    struct login_payload lp;
    uint8_t payload[LOGIN_PAYLOAD_LEN];
    enum drop drop = DROP_LOGIN_OPEN;

    start(&n, self->public_key);
    noise_mix_hash(&n, msg, LOGIN_HDR_LEN);
    if (!noise_read_1(&n, self->private_key, msg + LOGIN_HDR_LEN, LOGIN_NOISE_LEN, payload))
        goto out;
    drop = DROP_LOGIN_PAYLOAD;
    if (!wire_get_login_payload(payload, sizeof(payload), &lp))
        goto out;
    hs->noise = n;
    memcpy(hs->client_key, n.rs, KEY_LEN);
    memcpy(hs->ephemeral, n.re, KEY_LEN);
    hs->client_index = be32_load(msg + offsetof(struct wire_login, sender));
    hs->payload = lp;
    drop = DROP_NONE;
out:
    noise_wipe(&n);
    sodium_memzero(payload, sizeof(payload));
    sodium_memzero(&lp, sizeof(lp));
    return drop;
}

/* ---- LOGIN_REPLY ---- */

size_t handshake_reply_write(struct hs_responder *hs, const uint8_t *psk, const uint8_t *ephemeral,
                             uint32_t index, const uint8_t *payload, size_t payload_len,
                             uint8_t *out, struct session_keys *keys)
{
    size_t len = LOGIN_REPLY_MIN + payload_len;

    assert(payload_len <= REPLY_PAYLOAD_MAX);
    put_head(out, WIRE_LOGIN_REPLY, index);
    be32_store(out + offsetof(struct wire_login_reply, receiver), hs->client_index);
    noise_mix_hash(&hs->noise, out, REPLY_HDR_LEN);
    if (noise_write_2(&hs->noise, psk, ephemeral, payload, payload_len, out + REPLY_HDR_LEN)) {
        noise_split(&hs->noise, keys->rx, keys->tx);
    } else {
        memset(out, 0, len);
        len = 0;
    }
    sodium_memzero(hs, sizeof(*hs));
    return len;
}

enum drop handshake_reply_open(struct hs_initiator *hs, const struct identity *self,
                               const uint8_t *psk, const uint8_t *msg, size_t len,
                               struct settings *ret, uint32_t *ret_index, struct session_keys *keys)
{
    struct noise n = hs->noise;
    struct settings s;
    uint8_t payload[REPLY_PAYLOAD_MAX];
    enum drop drop = DROP_REPLY_OPEN;

    if (len < LOGIN_REPLY_MIN || len > LOGIN_REPLY_MAX)
        goto out;
    noise_mix_hash(&n, msg, REPLY_HDR_LEN);
    if (!noise_read_2(&n, self->private_key, psk, msg + REPLY_HDR_LEN, len - REPLY_HDR_LEN,
                      payload))
        goto out;
    drop = DROP_LOGIN_PAYLOAD;
    if (!wire_get_settings(payload, len - LOGIN_REPLY_MIN, &s))
        goto out;
    *ret = s;
    *ret_index = be32_load(msg + offsetof(struct wire_login_reply, sender));
    noise_split(&n, keys->tx, keys->rx);
    handshake_wipe(hs);
    drop = DROP_NONE;
out:
    noise_wipe(&n);
    sodium_memzero(payload, sizeof(payload));
    return drop;
}
