/* SPDX-License-Identifier: MIT */
/* cookie.c - MAC1, MAC2 and COOKIE: who may make the router compute, and proof of freshness */
#include "proto/cookie.h"

#include <sodium.h>
#include <stddef.h>
#include <string.h>

#define MAC1_OFF       offsetof(struct wire_login, mac1)
#define MAC2_OFF       offsetof(struct wire_login, mac2)
#define SEALED_OFF     offsetof(struct wire_cookie, cookie_sealed)
#define COOKIE_HDR_LEN offsetof(struct wire_cookie, nonce)
#define AD_LEN         (COOKIE_HDR_LEN + MAC12_LEN)

_Static_assert(MAC2_OFF + MAC12_LEN == LOGIN_LEN, "MAC2 covers all octets before it");
_Static_assert(COOKIE_NONCE == crypto_aead_xchacha20poly1305_ietf_NPUBBYTES, "XChaCha20-Poly1305");
_Static_assert(TAG_LEN == crypto_aead_xchacha20poly1305_ietf_ABYTES, "XChaCha20-Poly1305");
_Static_assert(COOKIE_LEN >= crypto_generichash_KEYBYTES_MIN, "a cookie is a key of BLAKE2b");

/* ---- what both sides compute ---- */

/* BLAKE2b-256(label without NUL || router's public key) */
static void derive(uint8_t *out, const char *label, const uint8_t *router_key)
{
    crypto_generichash_state st;

    crypto_generichash_init(&st, NULL, 0, KEY_LEN);
    crypto_generichash_update(&st, (const uint8_t *)label, strlen(label));
    crypto_generichash_update(&st, router_key, KEY_LEN);
    crypto_generichash_final(&st, out, KEY_LEN);
}

static void derive_keys(uint8_t *mac1_key, uint8_t *seal_key, const uint8_t *router_key)
{
    derive(mac1_key, "sixtap mac1", router_key);
    derive(seal_key, "sixtap cookie", router_key);
}

static void mac1_of(uint8_t *out, const uint8_t *mac1_key, const uint8_t *login)
{
    crypto_generichash(out, MAC12_LEN, login, MAC1_OFF, mac1_key, KEY_LEN);
}

static void mac2_of(uint8_t *out, const uint8_t *cookie, const uint8_t *login)
{
    crypto_generichash(out, MAC12_LEN, login, MAC2_OFF, cookie, COOKIE_LEN);
}

/* The header is authenticated as well, so that no octet of the message can be changed. */
static void associated_data(uint8_t out[AD_LEN], const uint8_t *msg, const uint8_t *mac1)
{
    memcpy(out, msg, COOKIE_HDR_LEN);
    memcpy(out + COOKIE_HDR_LEN, mac1, MAC12_LEN);
}

/* ---- the router ---- */

static void cookie_of(uint8_t *out, const uint8_t *secret, struct endpoint from)
{
    uint8_t octets[ENDPOINT_LEN];

    memcpy(octets, from.ip.b, sizeof(from.ip.b));
    memcpy(octets + sizeof(from.ip.b), from.port.b, sizeof(from.port.b));
    crypto_generichash(out, COOKIE_LEN, octets, sizeof(octets), secret, KEY_LEN);
}

void cookie_jar_init(struct cookie_jar *j, const uint8_t *router_key, mono_ns now,
                     struct entropy *e)
{
    derive_keys(j->mac1_key, j->seal_key, router_key);
    /* There is no previous secret yet: random octets stand for it, so that nobody can know it. */
    entropy_draw(e, j->secret, sizeof(j->secret));
    j->born = now;
}

void cookie_jar_turn(struct cookie_jar *j, mono_ns now, struct entropy *e)
{
    mono_ns age = time_since(now, j->born);

    if (age < COOKIE_SECRET_LIFE)
        return;
    if (age < 2 * COOKIE_SECRET_LIFE) {
        memcpy(j->secret[1], j->secret[0], KEY_LEN);
        entropy_draw(e, j->secret[0], KEY_LEN);
        j->born +=
            COOKIE_SECRET_LIFE; /* not now: a late turn must not lengthen the life of the old one */
    } else {
        entropy_draw(e, j->secret, sizeof(j->secret));
        j->born = now;
    }
}

bool cookie_mac2_there(const uint8_t *login)
{
    return !sodium_is_zero(login + MAC2_OFF, MAC12_LEN);
}

bool cookie_mac1_ok(const struct cookie_jar *j, const uint8_t *login)
{
    uint8_t want[MAC12_LEN];

    mac1_of(want, j->mac1_key, login);
    return sodium_memcmp(want, login + MAC1_OFF, sizeof(want)) == 0;
}

bool cookie_mac2_ok(const struct cookie_jar *j, const uint8_t *login, struct endpoint from)
{
    uint8_t cookie[COOKIE_LEN], want[MAC12_LEN];
    bool good = false;

    if (!cookie_mac2_there(login))
        return false; /* what a LOGIN without a cookie has there: most of a flood */
    for (unsigned i = 0; i < 2; i++) {
        cookie_of(cookie, j->secret[i], from);
        mac2_of(want, cookie, login);
        good |= sodium_memcmp(want, login + MAC2_OFF, sizeof(want)) == 0;
    }
    sodium_memzero(cookie, sizeof(cookie));
    sodium_memzero(want, sizeof(want));
    return good;
}

bool cookie_fresh(const struct cookie_jar *j, const uint8_t *cookie, struct endpoint from)
{
    uint8_t want[COOKIE_LEN];
    bool good = false;

    for (unsigned i = 0; i < 2; i++) {
        cookie_of(want, j->secret[i], from);
        good |= sodium_memcmp(want, cookie, sizeof(want)) == 0;
    }
    sodium_memzero(want, sizeof(want));
    return good;
}

void cookie_answer(const struct cookie_jar *j, const uint8_t *login, struct endpoint from,
                   struct entropy *e, uint8_t *out)
{
    uint8_t ad[AD_LEN], cookie[COOKIE_LEN];
    uint8_t *nonce = out + offsetof(struct wire_cookie, nonce);

    out[0] = WIRE_COOKIE;
    out[1] = WIRE_VERSION;
    out[2] = 0;
    out[3] = 0;
    memcpy(out + 4, login + offsetof(struct wire_login, sender), sizeof(be32));
    entropy_draw(e, nonce, COOKIE_NONCE);
    associated_data(ad, out, login + MAC1_OFF);
    cookie_of(cookie, j->secret[0], from);
    crypto_aead_xchacha20poly1305_ietf_encrypt(out + SEALED_OFF, NULL, cookie, sizeof(cookie), ad,
                                               sizeof(ad), NULL, nonce, j->seal_key);
    sodium_memzero(cookie, sizeof(cookie));
}

/* ---- the client ---- */

void cookie_purse_init(struct cookie_purse *p, const uint8_t *router_key)
{
    memset(p, 0, sizeof(*p));
    derive_keys(p->mac1_key, p->seal_key, router_key);
}

bool cookie_have(const struct cookie_purse *p, mono_ns now)
{
    return p->have && time_since(now, p->got) < COOKIE_SECRET_LIFE;
}

void cookie_stamp(struct cookie_purse *p, uint8_t *login, mono_ns now)
{
    mac1_of(login + MAC1_OFF, p->mac1_key, login);
    memcpy(p->last_mac1, login + MAC1_OFF, MAC12_LEN);
    p->waiting = true;
    if (cookie_have(p, now))
        mac2_of(login + MAC2_OFF, p->cookie, login);
    else
        memset(login + MAC2_OFF, 0, MAC12_LEN);
}

enum drop cookie_take(struct cookie_purse *p, const uint8_t *msg, mono_ns now)
{
    uint8_t ad[AD_LEN], cookie[COOKIE_LEN];
    const uint8_t *nonce = msg + offsetof(struct wire_cookie, nonce);

    if (!p->waiting)
        return DROP_REPLY_UNASKED;
    associated_data(ad, msg, p->last_mac1);
    if (crypto_aead_xchacha20poly1305_ietf_decrypt(cookie, NULL, NULL, msg + SEALED_OFF,
                                                   COOKIE_LEN + TAG_LEN, ad, sizeof(ad), nonce,
                                                   p->seal_key))
        return DROP_REPLY_OPEN; /* still waiting: a forged answer must not keep the true one out */
    memcpy(p->cookie, cookie, sizeof(cookie));
    sodium_memzero(cookie, sizeof(cookie));
    p->got = now;
    p->have = true;
    p->waiting = false;
    return DROP_NONE;
}
