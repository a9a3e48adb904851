/* SPDX-License-Identifier: MIT */
/* admit.h - from a LOGIN to a member: verdicts, tentative keypairs, the collision rule,
 * confirmation
 *
 * DOC: a LOGIN that opens and may log in becomes a *tentative* keypair, found by {client key,
 * ephemeral}: the same LOGIN again is a retransmission, draws the same reply and makes nothing new.
 * It reserves no MAC and no address. The first DATA that opens under it is the confirmation: MAC
 * and addresses are decided again, the first confirmed wins, the other is told to log in again.
 * Until then nothing of a live member changes, so a captured LOGIN sent again by anybody changes
 * nothing.
 *
 * Freshness needs no clock: when a key has TENTATIVES_PER_KEY unconfirmed keypairs, or the table is
 * half full, only a LOGIN whose sealed payload repeats a fresh cookie is taken; the answer to
 * others is that cookie.
 *
 * Under a flood each step costs less than the one behind it, and lets fewer through: which address
 * asked before (seen.h); MAC1; a COOKIE, limited by place; MAC2; the handshake. While LOGINs exceed
 * `logins_per_s` none is opened without MAC2. Above LOOKS_PER_S more of them, one from an address
 * that did not ask within ASKED_MEMORY is dropped unread: a client asks again after LOGIN_TIMEOUT,
 * a forged source that is drawn from millions does not. So is one from an address that did ask and
 * drew LOOKS_IN_VAIN COOKIEs that nobody there used: a client uses the first that reaches it.
 *
 * Which MAC: that of the key's live member; its lease; the one computed from the endpoint. Only the
 * last can collide: then the client is told to move, MAC_TAKEN_TRIES times, after which a MAC is
 * assigned.
 */
#ifndef SIXTAP_ROUTER_ADMIT_H
#define SIXTAP_ROUTER_ADMIT_H

#include "proto/burst.h"
#include "proto/cookie.h"
#include "router/bindings.h"
#include "router/notices.h"
#include "router/ratelimit.h"
#include "router/roster.h"
#include "router/seen.h"

struct tentative {
    bool used;
    uint8_t id[16]; /* hash of client key and ephemeral */
    uint8_t key[KEY_LEN];
    uint32_t client;    /* place in the roster, SLOT_ABSENT */
    struct endpoint ep; /* where the LOGIN came from and the reply went */
    bool inside;        /* it came through the member's live keypair */
    bool proves_ep;     /* the reply went to ep and nowhere else: to have it is to receive there */
    struct mac mac;
    bool has_address;
    struct ip6 address;
    bool partial; /* the reply could not hold all settings */
    mono_ns expires;
    struct keypair kp;
    uint16_t reply_len;
    uint8_t reply[LOGIN_REPLY_MAX];
};

struct rate_by_place { /* by IPv4 address, and by its /24 */
    struct rate_by_ip ip, net;
};

struct admit {
    const struct router_config *conf;
    struct members *ms;
    struct bindings *b;
    struct notices *notices;
    struct identity self;
    struct mac router_mac;
    struct cookie_jar jar;
    struct tentative *t;
    uint32_t n_max, n_used, *free_t;
    struct table by_id;          /* id -> tentative */
    const struct roster *roster; /* who is listed */
    mono_ns next_expiry; /* not later than the first tentative ends; NEVER when there is none */
    struct bucket looks; /* LOGINs a second from addresses that are new */
    struct bucket all, proven;         /* LOGINs a second: without, and with a valid MAC2 */
    mono_ns crowded;                   /* no handshake without MAC2 until then */
    struct seen_ips *asked;            /* addresses LOGINs came from, what came of them */
    struct rate_by_place *cookies;     /* sent */
    struct rate_by_place *proven_from; /* LOGINs with a valid MAC2 */
    bool uplink_up;                    /* clients are told of a default route */
    uint64_t opened;                   /* handshakes computed, for status */
};

/* admit_bytes(), admit_init() - as for members */
size_t admit_bytes(const struct router_config *c);
void admit_init(struct admit *ad, void *mem, const struct router_config *c,
                const struct roster *roster, struct members *ms, struct bindings *b,
                struct notices *notices, const uint8_t *hash_key, mono_ns now, struct entropy *e);

/* admit_prefetch() - a LOGIN from @ip will be given to admit_datagram() in a moment */
void admit_prefetch(const struct admit *ad, be32 ip);

/* admit_datagram() - a LOGIN from outside (wire_peek() accepted it, the source endpoint is
 * plausible)
 * @reply: LOGIN_REPLY_MAX octets; @ret_len: octets to send back to d->peer, 0 silence. Never more
 * than d->len. Return: why nothing (or only a COOKIE) came of it. */
enum drop admit_datagram(struct admit *ad, const struct dgram *d, mono_ns now, struct entropy *e,
                         uint8_t *reply, size_t *ret_len);

/* admit_inside() - a LOGIN of @m inside its live keypair: past MAC1, cookies and the limits of
 * strangers; a member has a small limit of its own */
enum drop admit_inside(struct admit *ad, struct member *m, const uint8_t *msg, mono_ns now,
                       struct entropy *e, uint8_t *reply, size_t *ret_len);

/* admit_confirm() - DATA has opened under tentative @ref: it becomes a member's current keypair
 * @from: the datagram's source and our address it came to
 * @ret_m: the member        @ret_new: it was not there before
 * Return: false when MAC or address have gone to somebody else meanwhile: the caller sends
 * login-again under the tentative keypair and calls admit_forget(). */
bool admit_confirm(struct admit *ad, uint32_t ref, const struct dgram *from, mono_ns now,
                   uint32_t rnd, struct member **ret_m, bool *ret_new);

/* admit_forget() - drop tentative @ref and its index */
void admit_forget(struct admit *ad, uint32_t ref);

/* admit_forget_key() - drop every tentative keypair of @key (KEY_LEN octets) */
void admit_forget_key(struct admit *ad, const uint8_t *key);

/* admit_expire() - drop what is TENTATIVE_LIFE old; admit_deadline() says when next */
void admit_expire(struct admit *ad, mono_ns now);
mono_ns admit_deadline(const struct admit *ad);

/* admit_wipe() - forget every secret; nobody is admitted afterwards */
void admit_wipe(struct admit *ad);

/* admit_settings() - what the router tells a client: for LOGIN_REPLY and settings messages */
/* @client: its place in the roster, or SLOT_ABSENT */
void admit_settings(const struct admit *ad, struct settings *s, uint32_t client, struct mac mac,
                    struct endpoint seen, const struct ip6 *address, mono_ns now);

#endif
