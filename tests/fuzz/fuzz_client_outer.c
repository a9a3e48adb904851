/* SPDX-License-Identifier: MIT */
/* fuzz_client_outer.c - datagrams to a client: raw, and real messages with octets changed
 *
 * Input: one octet, who is asked (a client that waits for a reply, one that is in); then
 * operations. Nothing forged changes a live member or the device.
 */
#include "client_world.h"
#include "proto/mac.h"

#define OPS_MAX 64u

struct state { /* what only the router may change */
    enum client_state state;
    uint32_t serial, index;
    uint64_t rx;
    struct endpoint router;
};

static struct state state_of(const struct world *w)
{
    return (struct state){ w->e.state, w->e.want.serial, w->e.tunnel.keys.current.local_index,
                           w->e.tunnel.rx_datagrams, w->e.tunnel.router };
}

static void check_unmoved(const struct world *w, const struct state *was)
{
    struct state now = state_of(w);

    FUZZ_CHECK(now.state == was->state && now.serial == was->serial && now.index == was->index);
    FUZZ_CHECK(now.rx == was->rx && endpoint_eq(now.router, was->router));
}

static struct endpoint feed_from(const struct world *w, struct feed *in)
{
    struct endpoint ep = w->live;

    if (feed_below(in, 4) == 0)
        feed_bytes(in, &ep, sizeof(ep));
    return ep;
}

static void raw(struct world *w, struct feed *in)
{
    uint8_t b[BUF_LEN];
    struct endpoint from = feed_from(w, in);
    uint8_t sock = (uint8_t)feed_below(in, CLIENT_SOCKS);
    size_t len = feed_chunk(in, b, sizeof(b));
    struct state was = state_of(w);

    world_give(w, b, len, from, sock);
    check_unmoved(w, &was);
}

/* The reply to the LOGIN that waits: as good as the router's. */
static size_t reply_of(struct world *w, uint8_t *b)
{
    struct hs_responder hs;
    struct session_keys keys;
    uint8_t payload[REPLY_PAYLOAD_MAX], e[KEY_LEN] = { 5 };
    bool partial;

    if (!w->e.login.waiting || handshake_login_open(&hs, &w->r.id, w->e.login.msg) != DROP_NONE)
        return 0;
    size_t n = wire_put_settings(payload, sizeof(payload), &w->r.settings, &partial);
    size_t len = handshake_reply_write(&hs, w->r.psk, e, 77, payload, n, b, &keys);
    keypair_init(&w->r.tentative, CIPHER_CHACHA20POLY1305, &keys, 77, w->e.login.hs.index, w->now);
    return len;
}

static size_t template(struct world *w, struct feed *in, uint8_t *b)
{
    struct pkt pt = { .p = b, .len = 12 };
    const struct tunnel_mark *m = &w->e.tunnel.mark[feed_u8(in) % TUNNEL_MARKS];
    uint8_t kind = KIND_CONTROL;

    switch (feed_below(in, 4)) {
    case 0:
        return reply_of(w, b);
    case 1:
        if (!w->e.login.waiting)
            return 0;
        cookie_answer(&w->r.jar, w->e.login.msg, w->live, &w->router_rnd, b);
        return COOKIE_MSG_LEN;
    case 2:
        memcpy(b + DATA_HDR_LEN, "\0\102\0\10aaaaaaaa", 12);
        if (!keyset_can_send(&w->r.keys, w->now) ||
            !keyset_seal_run(&w->r.keys, &pt, &kind, 1, w->now))
            return 0;
        return pt.len;
    default:
        memset(b, 0, DATA_HDR_LEN);
        wire_put_data(b, KIND_CONTROL, m->index, m->last);
        b[0] = WIRE_NUDGE;
        b[2] = 0;
        return NUDGE_LEN;
    }
}

static void forged(struct world *w, struct feed *in)
{
    uint8_t b[BUF_LEN] = { 0 }, was_b[BUF_LEN];
    struct endpoint from = feed_from(w, in);
    size_t len = template(w, in, b);
    unsigned n = feed_below(in, 4), how = feed_u8(in);
    struct state was = state_of(w);

    memcpy(was_b, b, sizeof(b));
    for (unsigned i = 0; i < n && len; i++) {
        size_t at = feed_u16(in) % len;
        b[at] ^= feed_u8(in);
    }
    size_t was_len = len;
    if (how & 1)
        len = feed_u16(in) % 1500;
    bool changed = len != was_len || memcmp(b, was_b, len) != 0;
    bool nudge = wire_peek(b, len) == WIRE_NUDGE; /* not authenticated: counts as a hint */
    world_give(w, b, len, from, w->e.login.sock);
    if (nudge) /* it may end a login that waits to be confirmed, and the way that was tried with it
                */
        was.router = w->e.tunnel.router;
    if (changed || nudge)
        check_unmoved(w, &was);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };
    struct world *w = client_world(feed_u8(&in) & 1 ? CLIENT_IN : CLIENT_ASKS);

    for (unsigned i = 0; i < OPS_MAX && in.left; i++) {
        switch (feed_below(&in, 4)) {
        case 0:
            raw(w, &in);
            break;
        case 1:
        case 2:
            forged(w, &in);
            break;
        default:
            client_wait(w, &in);
        }
        client_check(w);
    }
    return 0;
}
