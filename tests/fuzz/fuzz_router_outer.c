/* SPDX-License-Identifier: MIT */
/* fuzz_router_outer.c - datagrams from anywhere: raw, and real messages with octets changed
 *
 * Input: the world; then operations, each an octet and what it needs. Every answer to an endpoint
 * that is no member's is paid for octet by octet, and nothing forged changes a member.
 */
#include <stdlib.h>
#include <string.h>

#include "router_world.h"

#define OPS_MAX 48u

enum template {
    T_LOGIN, /* of the newcomer: listed, not in yet */
    T_LOGIN_LIVE,
    T_DATA,
    T_COOKIE,
    T_NUDGE,
    T_REPLY,
    TEMPLATES,
};

static struct endpoint feed_ep(struct router_world *w, struct feed *in)
{
    unsigned n = feed_below(in, 8);
    struct endpoint ep = ep_of("192.0.2.77", 1);

    if (n < GUESTS)
        return w->g[n].ep;
    if (n == 7)
        feed_bytes(in, &ep, sizeof(ep));
    else
        ep.port = be16_of((uint16_t)(100 + n));
    return ep;
}

static bool is_members(const struct router_world *w, struct endpoint ep)
{
    const struct members *ms = router_engine_members(w->r.re);

    for (uint32_t i = 0; i < ms->high; i++)
        if (ms->m[i].live && endpoint_eq(ms->m[i].ep, ep))
            return true;
    return false;
}

/* Deliver with what is queued; whoever is no member gets no more octets than it sent. */
static void deliver(struct router_world *w, struct endpoint from, const uint8_t *p, size_t len)
{
    bool member = is_members(w, from);
    uint64_t drops = world_sums(w);
    size_t sent = len;

    for (unsigned i = 0; i < w->r.n_in; i++)
        sent += endpoint_eq(w->r.in[i].peer, from) ? w->r.in[i].len : 0;
    rig_udp(&w->r, from, p, len);
    FUZZ_CHECK(member || is_members(w, from) || rig_octets_to(&w->r, from) <= sent);
    FUZZ_CHECK(w->r.out.n_dg > 0 || w->r.out.n_pk > 0 || world_sums(w) > drops ||
               wire_peek(p, len) == WIRE_DATA || wire_peek(p, len) == WIRE_LOGIN);
}

static void raw(struct router_world *w, struct feed *in, bool queue)
{
    uint8_t b[RIG_BUF];
    struct endpoint from = feed_ep(w, in);
    size_t len = feed_chunk(in, b, sizeof(b));

    if (queue && w->r.n_in < BURST_MAX - 1)
        rig_queue(&w->r, from, b, len);
    else
        deliver(w, from, b, len);
}

/* A real message, as it would leave its sender now. */
static size_t template(struct router_world *w, struct feed *in, uint8_t *b)
{
    unsigned what = feed_below(in, TEMPLATES), n = feed_below(in, MEMBERS);
    struct guest *g = &w->g[what == T_LOGIN ? NEWCOMER : n];

    switch (what) {
    case T_LOGIN:
    case T_LOGIN_LIVE:
        g->seal_cookie = cookie_have(&g->purse, w->r.now);
        guest_login(g, &w->r);
        memcpy(b, g->login, LOGIN_LEN);
        return LOGIN_LEN;
    case T_DATA:
        memset(b, 0, RIG_BUF);
        if (!keyset_can_send(&g->keys, w->r.now))
            return DATA_MIN_LEN;
        return guest_seal(g, &w->r, KIND_CONTROL, (const uint8_t *)"\0\102\0\10aaaaaaaa", 12, b);
    case T_COOKIE:
        memset(b, 7, COOKIE_MSG_LEN);
        memcpy(b, (uint8_t[4]){ WIRE_COOKIE, WIRE_VERSION }, 4);
        return COOKIE_MSG_LEN;
    case T_NUDGE:
        memset(b, 0, NUDGE_LEN);
        memcpy(b, (uint8_t[4]){ WIRE_NUDGE, WIRE_VERSION }, 4);
        return NUDGE_LEN;
    default:
        memcpy(b, g->reply, g->reply_len);
        return g->reply_len;
    }
}

/* It is changed: xor at a few places, perhaps cut or made longer, perhaps MAC1 put right again. */
static void forged(struct router_world *w, struct feed *in, bool queue)
{
    uint8_t b[RIG_BUF] = { 0 }, was[RIG_BUF];
    struct endpoint from = feed_ep(w, in);
    size_t len = template(w, in, b), n = feed_below(in, 4);
    unsigned how = feed_u8(in);

    memcpy(was, b, sizeof(b));
    for (size_t i = 0; i < n && len; i++) {
        size_t at = feed_u16(in) % len;
        b[at] ^= feed_u8(in);
    }
    if (how & 1)
        len = feed_u16(in) % RIG_BUF;
    struct cookie_purse purse = w->g[NEWCOMER].purse;
    if (how & 2 && len == LOGIN_LEN)
        cookie_stamp(&purse, b, w->r.now);
    bool changed = memcmp(b, was, len) != 0;
    if (queue && w->r.n_in < BURST_MAX - 1) {
        rig_queue(&w->r, from, b, len);
        return;
    }
    uint64_t rx[MEMBERS];
    struct member *m[MEMBERS];
    struct endpoint ep[MEMBERS];
    for (unsigned i = 0; i < MEMBERS; i++) {
        m[i] = rig_member(&w->r, &w->g[i]);
        rx[i] = m[i] ? m[i]->rx_packets : 0;
        ep[i] = m[i] ? m[i]->ep : w->g[i].ep;
    }
    bool alone = w->r.n_in == 0;
    deliver(w, from, b, len);
    for (unsigned i = 0; alone && changed && i < MEMBERS; i++) {
        FUZZ_CHECK(rig_member(&w->r, &w->g[i]) == m[i]);
        FUZZ_CHECK(!m[i] || (m[i]->rx_packets == rx[i] && endpoint_eq(m[i]->ep, ep[i])));
    }
    for (unsigned i = 0; alone && i < w->r.out.n_dg; i++) /* MAC2 alone is nobody's promise */
        FUZZ_CHECK(w->r.out.dg[i].p[0] != WIRE_LOGIN_REPLY || wire_peek(b, len) == WIRE_LOGIN);
    for (unsigned i = 0; i < GUESTS; i++)
        guest_take(&w->g[i], &w->r);
}

/* The newcomer confirms what it was given. */
static void confirm(struct router_world *w)
{
    if (keyset_can_send(&w->g[NEWCOMER].keys, w->r.now) && w->r.n_in == 0)
        guest_confirm(&w->g[NEWCOMER], &w->r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };
    struct router_world *w = world_get(feed_u8(&in));

    for (unsigned i = 0; i < OPS_MAX && in.left; i++) {
        uint8_t op = feed_u8(&in);
        bool queue = op & 0x80;
        out_reset(&w->r.out); /* not every operation calls the engine */
        switch (op % 8) {
        case 0:
        case 1:
        case 2:
            raw(w, &in, queue);
            break;
        case 3:
        case 4:
        case 5:
            forged(w, &in, queue);
            break;
        case 6:
            if (w->r.n_in == 0)
                world_wait(w, &in);
            break;
        default:
            confirm(w);
        }
    }
    if (w->r.n_in)
        rig_run(&w->r);
    return 0;
}
