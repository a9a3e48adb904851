/* SPDX-License-Identifier: MIT */
/* fuzz_router_inner.c - the router behind its locks: packets and control messages of live members
 * with valid keys, packets out of the TUN, time
 *
 * Input: the world; then operations, each an octet and what it needs (the switch below).
 */
#include <string.h>

#include "router_world.h"

#define OPS_MAX    64u
#define PACKET_MAX 1500u

static struct mac feed_mac(struct router_world *w, struct feed *in, unsigned n)
{
    struct mac m = { { 0 } };

    switch (feed_below(in, 4)) {
    case 0:
        return w->g[(n + 1) % MEMBERS].s.mac;
    case 1:
        return w->r.re->mac;
    case 2:
        return m;
    default:
        feed_bytes(in, m.b, MAC_LEN);
        return m;
    }
}

static bool alive(const struct router_world *w, unsigned n)
{
    return keyset_can_send(&w->g[n].keys, w->r.now);
}

/* A packet leaves a member: it comes out somewhere, is counted as dropped, or is one the router
 * keeps for itself. */
static void packet(struct router_world *w, struct feed *in, unsigned n)
{
    static const enum wire_kind kinds[3] = { KIND_HOST, KIND_PEER, KIND_MULTICAST };
    enum wire_kind kind = kinds[feed_below(in, 3)];
    uint8_t b[MAC_LEN + PACKET_MAX];
    size_t head = kind == KIND_HOST ? 0 : MAC_LEN;
    struct mac mac = feed_mac(w, in, n);
    struct frame f;

    memcpy(b, mac.b, head);
    size_t len = world_packet(w, in, n, b + head, PACKET_MAX);
    if (!alive(w, n))
        return;
    bool member = rig_member(&w->r, &w->g[n]) != NULL;
    uint64_t drops = world_sums(w), rx = w->r.re->rx_packets;
    guest_send(&w->g[n], &w->r, kind, b, head + len);
    FUZZ_CHECK(w->r.re->rx_packets - rx <= 1);
    if (member && w->r.out.n_dg + w->r.out.n_pk == 0 && world_sums(w) == drops) {
        FUZZ_CHECK(frame_parse(&f, b + head, len) == DROP_NONE);
        FUZZ_CHECK(frame_is_nd(&f) || frame_is_mld(&f) || ip6_is_multicast(f.dst));
    }
    world_take(w, (int)n);
}

/* Hostile TLVs under valid keys; padded so that a probe may say its size rightly. */
static void control(struct router_world *w, struct feed *in, unsigned n)
{
    uint8_t b[PACKET_MAX];
    unsigned how = feed_u8(in);
    size_t len = feed_chunk(in, b, sizeof(b));

    if (!alive(w, n))
        return;
    if (how & 1 && len >= 6) /* the first is a probe of this very datagram */
        be16_store(b + 4, (uint16_t)(len + DATA_MIN_LEN));
    guest_send(&w->g[n], &w->r, KIND_CONTROL, b, len);
    FUZZ_CHECK(rig_octets_to(&w->r, w->g[n].ep) <= 3 * (len + DATA_MIN_LEN) + 4096);
    world_take(w, (int)n);
}

/* The same datagram twice, or with one bit changed: it does nothing the second time. */
static void replayed(struct router_world *w, struct feed *in, unsigned n)
{
    uint8_t b[RIG_BUF], ip[PACKET_MAX], copy[RIG_BUF];
    unsigned bit = feed_u16(in);
    size_t len = world_packet(w, in, n, ip, PACKET_MAX);

    if (!alive(w, n))
        return;
    len = guest_seal(&w->g[n], &w->r, KIND_HOST, ip, len, b);
    memcpy(copy, b, len);
    bool flip = bit % (8 * len) != 0;
    if (flip)
        copy[bit / 8 % len] ^= (uint8_t)(1u << bit % 8);
    else
        rig_udp(&w->r, w->g[n].ep, b, len);
    world_take(w, (int)n);
    struct member *m = rig_member(&w->r, &w->g[n]);
    struct endpoint was = m ? m->ep : w->g[n].ep;
    struct endpoint other = ep_of("192.0.2.200", 9);
    uint64_t rx = m ? m->rx_packets : 0;
    rig_udp(&w->r, other, copy, len);
    FUZZ_CHECK(rig_octets_to(&w->r, other) <= NUDGE_LEN && w->r.out.n_pk == 0);
    FUZZ_CHECK(w->r.out.n_dg <= 1);
    FUZZ_CHECK(!m || (rig_member(&w->r, &w->g[n]) == m && endpoint_eq(m->ep, was)));
    FUZZ_CHECK(!m || m->rx_packets == rx);
}

static void from_uplink(struct router_world *w, struct feed *in)
{
    uint8_t b[PACKET_MAX];
    size_t len = world_packet(w, in, feed_below(in, MEMBERS), b, sizeof(b));
    uint64_t drops = world_sums(w);

    rig_tun(&w->r, b, len);
    FUZZ_CHECK(w->r.out.n_dg + w->r.out.n_pk > 0 || world_sums(w) > drops);
    world_take(w, -1);
}

/* From now on the member's datagrams come from elsewhere; perhaps from where another one is. */
static void roam(struct router_world *w, struct feed *in, unsigned n)
{
    unsigned where = feed_below(in, 8);

    if (where < MEMBERS)
        w->g[n].ep = w->g[where].ep;
    else
        w->g[n].ep.port = be16_of((uint16_t)(5000 + where));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };
    struct router_world *w = world_get(feed_u8(&in));

    for (unsigned i = 0; i < OPS_MAX && in.left; i++) {
        uint8_t op = feed_u8(&in);
        unsigned n = op / 16 % MEMBERS;
        out_reset(&w->r.out); /* not every operation calls the engine */
        switch (op % 16) {
        default:
            packet(w, &in, n);
            break;
        case 8:
        case 9:
            control(w, &in, n);
            break;
        case 10:
            replayed(w, &in, n);
            break;
        case 11:
            from_uplink(w, &in);
            break;
        case 12:
            world_wait(w, &in);
            world_take(w, -1);
            break;
        case 13:
            router_engine_uplink(w->r.re, feed_u8(&in) & 1, w->r.now);
            break;
        case 14:
            roam(w, &in, n);
            break;
        }
    }
    return 0;
}
