/* SPDX-License-Identifier: MIT */
/* fuzz_client_inner.c - the client behind its locks: packets and control messages under the
 * router's valid keys, frames out of the TAP, time
 *
 * Input: operations, each an octet and what it needs.
 */
#include "client_world.h"
#include "ip.h"

#define OPS_MAX   64u
#define PLAIN_MAX 1460u

static bool router_can(const struct world *w)
{
    return keyset_can_send(&w->r.keys, w->now) && w->n_flight < FLIGHT_MAX / 2;
}

/* A packet of the router's or a peer's. */
static void down(struct world *w, struct feed *in)
{
    static const enum wire_kind kinds[3] = { KIND_HOST, KIND_PEER, KIND_MULTICAST };
    enum wire_kind kind = kinds[feed_below(in, 3)];
    uint8_t b[MAC_LEN + PLAIN_MAX];
    size_t head = kind == KIND_HOST ? 0 : MAC_LEN;

    if (head)
        feed_bytes(in, b, MAC_LEN);
    size_t len = ip_feed(in, b + head, PLAIN_MAX);
    if (router_can(w))
        router_data(w, kind, b, head + len);
}

/* TLVs; the first may say how long the datagram is, so that probes are answered. */
static void control(struct world *w, struct feed *in)
{
    uint8_t b[PLAIN_MAX];
    unsigned how = feed_u8(in);
    size_t len = feed_chunk(in, b, sizeof(b));

    if (how & 1 && len >= 6)
        be16_store(b + 4, (uint16_t)(len + DATA_MIN_LEN));
    if (router_can(w))
        router_data(w, KIND_CONTROL, b, len);
}

/* Settings with a hostile middle: the TLV around the input is right. */
static void settings(struct world *w, struct feed *in)
{
    uint8_t b[4 + 1200];
    size_t len = feed_chunk(in, b + 4, sizeof(b) - 4);

    be16_store(b, TLV_SETTINGS);
    be16_store(b + 2, (uint16_t)len);
    if (router_can(w))
        router_data(w, KIND_CONTROL, b, 4 + len);
}

static void tap(struct world *w, struct feed *in)
{
    uint8_t buf[PKT_HEADROOM + ETH_LEN + PLAIN_MAX + PKT_TAILROOM];
    unsigned how = feed_u8(in);
    struct pkt f = { .p = buf + PKT_HEADROOM };
    uint64_t drops = 0, was = 0;

    feed_bytes(in, f.p, 2 * MAC_LEN);
    be16_store(f.p + 12, how & 1 ? feed_u16(in) : (uint16_t)ETHERTYPE_IP6);
    if (how & 2)
        memcpy(f.p, w->e.want.router_mac.b, MAC_LEN);
    if (how & 4)
        memcpy(f.p + MAC_LEN, w->e.want.mac.b, MAC_LEN);
    size_t len = ip_feed(in, f.p + ETH_LEN, PLAIN_MAX);
    f.len = (uint32_t)(ETH_LEN + len);
    if (how & 8)
        f.len = f.len > 60 ? f.len % 60 : f.len; /* a runt */
    for (unsigned i = 0; i < DROP_COUNT; i++)
        was += w->e.drop[i];
    unsigned n_sent = w->n_sent;
    client_engine_tap(&w->e, w->now, &w->rnd, &f, 1, &w->out);
    FUZZ_CHECK(w->out.n_dg <= 1);
    unsigned n = w->out.n_dg;
    world_tick(w);
    for (unsigned i = 0; i < DROP_COUNT; i++)
        drops += w->e.drop[i];
    FUZZ_CHECK(n || drops > was || w->n_sent > n_sent); /* it went out or was counted */
}

static void outside(struct world *w, struct feed *in)
{
    switch (feed_below(in, 6)) {
    case 0:
        client_engine_refused(&w->e, 0, w->live, w->now);
        break;
    case 1:
        client_engine_path(&w->e, feed_u16(in), w->now);
        break;
    case 2:
        client_engine_network_changed(&w->e, w->now);
        break;
    case 3:
        w->r.mute = !w->r.mute;
        break;
    case 4:
        w->r.again = true;
        break;
    default:
        router_restart(w);
    }
    world_tick(w);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };
    struct world *w = client_world(CLIENT_IN);

    for (unsigned i = 0; i < OPS_MAX && in.left; i++) {
        switch (feed_below(&in, 8)) {
        case 0:
        case 1:
            down(w, &in);
            break;
        case 2:
        case 3:
            control(w, &in);
            break;
        case 4:
            settings(w, &in);
            break;
        case 5:
            tap(w, &in);
            break;
        case 6:
            client_wait(w, &in);
            break;
        default:
            outside(w, &in);
        }
        client_check(w);
    }
    world_run(w, time_ms(100)); /* what is in flight lands */
    client_check(w);
    return 0;
}
