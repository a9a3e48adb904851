/* SPDX-License-Identifier: MIT */
/* fuzz_router_login.c - logins with valid keys and hostile payloads, outside and inside
 *
 * Input: the world; then up to four logins: who, how, a chunk (the sealed payload, padded with
 * zeros).
 */
#include <stdlib.h>
#include <string.h>

#include "router_world.h"

#define LOGINS_MAX 4u

/* A LOGIN around any payload: handshake_login_write() takes none but good ones. */
static void write_login(struct guest *g, const struct router_world *w, const uint8_t *payload)
{
    uint8_t e[KEY_LEN];

    memset(g->login, 0, LOGIN_LEN);
    g->login[0] = WIRE_LOGIN;
    g->login[1] = WIRE_VERSION;
    be32_store(g->login + 4, ++g->index);
    g->hs.index = g->index;
    entropy_draw(&g->e, e, sizeof(e));
    noise_init(&g->hs.noise, NOISE_IKPSK2, "sixtap 1", 8, w->r.conf.public_key);
    noise_mix_hash(&g->hs.noise, g->login, 8);
    FUZZ_CHECK(noise_write_1(&g->hs.noise, g->id.private_key, g->id.public_key, e, payload,
                             LOGIN_PAYLOAD_LEN, g->login + 8));
    cookie_stamp(&g->purse, g->login, w->r.now);
    g->waiting = true;
}

static bool usable(const struct login_payload *lp)
{
    for (unsigned i = 0; i < lp->n_ciphers; i++)
        if (lp->ciphers[i] == CIPHER_AES256GCM || lp->ciphers[i] == CIPHER_CHACHA20POLY1305)
            return true;
    return false;
}

/* What a reply that opened may say. */
static void check_settings(const struct router_world *w, const struct settings *s,
                           const struct login_payload *lp)
{
    if (s->verdict != VERDICT_OK)
        return;
    FUZZ_CHECK(usable(lp) && memchr(lp->ciphers, s->cipher, lp->n_ciphers));
    FUZZ_CHECK(mac_is_unicast(s->mac) && !mac_eq(s->mac, w->r.re->mac));
    FUZZ_CHECK(s->mtu_min >= INNER_MTU_MIN && s->mtu_max <= INNER_MTU_MAX);
    FUZZ_CHECK(s->mtu_min <= s->mtu_max && mac_eq(s->router_mac, w->r.re->mac));
}

/* A reply that came inside; true when it gave keys. */
static bool take_inside(struct guest *g, const struct router_world *w, const struct control *c)
{
    struct session_keys keys;
    struct keypair kp;
    uint32_t index;

    FUZZ_CHECK(handshake_reply_open(&g->hs, &g->id, g->psk, c->body, c->body_len, &g->s, &index,
                                    &keys) == DROP_NONE);
    g->waiting = false;
    if (g->s.verdict != VERDICT_OK)
        return false;
    keypair_init(&kp, (enum cipher)g->s.cipher, &keys, g->index, index, w->r.now);
    keyset_install(&g->keys, &kp, w->r.now, 0);
    return true;
}

static void login(struct router_world *w, struct feed *in)
{
    uint8_t payload[LOGIN_PAYLOAD_LEN] = { 0 };
    struct guest *g = &w->g[feed_below(in, GUESTS)];
    unsigned how = feed_u8(in);
    struct login_payload lp;
    struct control reply = { .number = 0 };

    if (how & 1) /* where another member is: its MAC is taken, or it moves */
        g->ep = w->g[how / 16 % MEMBERS].ep;
    (void)feed_chunk(in, payload, sizeof(payload));
    if (how & 4 && cookie_have(&g->purse, w->r.now) && payload[LOGIN_PAYLOAD_LEN - 20] == 0)
        memcpy(payload + LOGIN_PAYLOAD_LEN - 16, g->purse.cookie, 16);
    bool ok = wire_get_login_payload(payload, sizeof(payload), &lp);
    write_login(g, w, payload);
    bool inside = how & 2 && keyset_can_send(&g->keys, w->r.now);
    if (inside) {
        guest_control(
            g, &w->r,
            &(struct control){ .type = TLV_LOGIN, .body = g->login, .body_len = LOGIN_LEN }, 0);
        unsigned n = guest_has_control(g, TLV_LOGIN_REPLY, &reply);
        FUZZ_CHECK(n <= (ok ? 1u : 0u));
        if (n)
            (void)take_inside(g, w, &reply);
    } else {
        rig_udp(&w->r, g->ep, g->login, LOGIN_LEN);
        guest_take(g, &w->r);
        FUZZ_CHECK(g->n_reply <= (ok ? 1u : 0u) && g->n_reply + g->n_cookie <= 1);
        FUZZ_CHECK(ok || g->n_cookie || w->r.out.n_dg == 0);
        FUZZ_CHECK(g->n_reply == 0 || !g->waiting); /* a reply to us opens */
    }
    if (!g->waiting)
        check_settings(w, &g->s, &lp);
    if (how & 8 && keyset_can_send(&g->keys, w->r.now)) {
        guest_confirm(g, &w->r);
        if (!g->waiting && g->s.verdict == VERDICT_OK && !inside && g->n_got)
            FUZZ_CHECK(rig_member(&w->r, g));
    }
    if (how & 0x80)
        world_wait(w, in);
    rig_notices(&w->r, NOTICE_LOGIN, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };
    struct router_world *w = world_get(feed_u8(&in));

    for (unsigned i = 0; i < LOGINS_MAX && in.left; i++)
        login(w, &in);
    return 0;
}
