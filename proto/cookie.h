/* SPDX-License-Identifier: MIT */
/* cookie.h - MAC1, MAC2 and COOKIE: who may make the router compute, and proof of freshness
 *
 * DOC: MAC1 proves knowledge of the router's public key; without it a LOGIN draws silence. A cookie
 * is a keyed hash of the sender's endpoint under a secret that changes every 120 s; it is sent
 * sealed, bound to the MAC1 of the LOGIN it answers. MAC2 proves the cookie cheaply under load. The
 * same cookie repeated in the *sealed* payload of a LOGIN proves that the LOGIN was made after the
 * router gave it: freshness without clocks. The router keeps no state per sender.
 *
 *     mac1 key   BLAKE2b-256("sixtap mac1" || router's public key)
 *     MAC1       BLAKE2b-128, keyed by it, over all octets of the LOGIN before mac1
 *     cookie     BLAKE2b-128, keyed by the secret, over IPv4 address 4 and port 2 of the sender
 *     MAC2       BLAKE2b-128, keyed by the cookie, over all octets of the LOGIN before mac2
 *     seal key   BLAKE2b-256("sixtap cookie" || router's public key)
 *     COOKIE     XChaCha20-Poly1305 under it; associated data: the COOKIE's first 8 octets and the
 * LOGIN's MAC1
 *
 * Standards: the cookie scheme of WireGuard (Donenfeld, NDSS 2017, 5.4.7), without its time stamps.
 */
#ifndef SIXTAP_PROTO_COOKIE_H
#define SIXTAP_PROTO_COOKIE_H

#include "proto/drop.h"
#include "proto/entropy.h"
#include "proto/wire.h"

struct cookie_jar { /* the router's */
    uint8_t mac1_key[KEY_LEN];
    uint8_t seal_key[KEY_LEN];
    uint8_t secret[2][KEY_LEN]; /* current, previous */
    mono_ns born;               /* of the current secret */
};

/* cookie_jar_init() - @router_key: KEY_LEN octets, public */
void cookie_jar_init(struct cookie_jar *j, const uint8_t *router_key, mono_ns now,
                     struct entropy *e);

/* cookie_jar_turn() - change the secret when it is COOKIE_SECRET_LIFE old; the previous one stays
 * valid for one more life, counted from its due time however late the call comes. Call before
 * cookies are made or checked. */
void cookie_jar_turn(struct cookie_jar *j, mono_ns now, struct entropy *e);

/* cookie_mac2_there() - does @login, LOGIN_LEN octets, say that it has a cookie? */
bool cookie_mac2_there(const uint8_t *login);

/* cookie_mac1_ok() - @login: LOGIN_LEN octets */
bool cookie_mac1_ok(const struct cookie_jar *j, const uint8_t *login);

/* cookie_mac2_ok() - does MAC2 prove a cookie of @from that is still valid? */
bool cookie_mac2_ok(const struct cookie_jar *j, const uint8_t *login, struct endpoint from);

/* cookie_fresh() - is @cookie (16 octets, from a sealed payload) one of @from that is still valid?
 */
bool cookie_fresh(const struct cookie_jar *j, const uint8_t *cookie, struct endpoint from);

/* cookie_answer() - write the COOKIE message that answers @login
 * @out: COOKIE_MSG_LEN octets. Draws 24 octets for the nonce. */
void cookie_answer(const struct cookie_jar *j, const uint8_t *login, struct endpoint from,
                   struct entropy *e, uint8_t *out);

struct cookie_purse { /* the client's, one per router and socket */
    uint8_t mac1_key[KEY_LEN];
    uint8_t seal_key[KEY_LEN];
    uint8_t last_mac1[MAC12_LEN]; /* of the LOGIN sent last */
    bool waiting;                 /* last_mac1 has not been answered yet */
    bool have;
    uint8_t cookie[COOKIE_LEN];
    mono_ns got;
};

/* cookie_purse_init() - @router_key: KEY_LEN octets, public */
void cookie_purse_init(struct cookie_purse *p, const uint8_t *router_key);

/* cookie_have() - is there a cookie young enough to be used (COOKIE_SECRET_LIFE)? */
bool cookie_have(const struct cookie_purse *p, mono_ns now);

/* cookie_stamp() - write MAC1 and, with a usable cookie, MAC2 (else zeros) into @login, LOGIN_LEN
 * octets, whose other octets are complete; remembers MAC1, so that from now on only a COOKIE for
 * this LOGIN is taken */
void cookie_stamp(struct cookie_purse *p, uint8_t *login, mono_ns now);

/* cookie_take() - read a COOKIE message (COOKIE_MSG_LEN octets)
 * Return: DROP_NONE; DROP_REPLY_UNASKED when no LOGIN waits (a LOGIN takes one COOKIE);
 * DROP_REPLY_OPEN when it does not open, @p is then unchanged. */
enum drop cookie_take(struct cookie_purse *p, const uint8_t *msg, mono_ns now);

#endif
