/* SPDX-License-Identifier: MIT */
/* client_world.c - a client and a fake router, put back to the same state for each input */
#include "client_world.h"

#include <stdlib.h>

#include "proto/frame.h"
#include "proto/mac.h"

static struct world world; /* never moves: the engine points into itself */
static mono_ns limit;

static void start(enum client_start at)
{
    world_init(&world);
    if (at == CLIENT_IN) {
        world_login(&world);
        world_run(&world, time_s(2));
    } else {
        world.r.mute = true;
        world_start(&world);
        world_run(&world, time_ms(10));
        world.r.mute = false;
    }
    world.n_sent = world.n_event = world.frames = 0;
}

struct world *client_world(enum client_start at)
{
    static uint8_t *kept[CLIENT_STARTS];

    fuzz_setup();
    if (!kept[at]) {
        start(at);
        kept[at] = fuzz_exact((const uint8_t *)&world, sizeof(world));
    }
    memcpy(&world, kept[at], sizeof(world));
    limit = time_s(400);
    return &world;
}

void client_wait(struct world *w, struct feed *in)
{
    static const mono_ns step[8] = {
        NS_PER_MS,    20 * NS_PER_MS, 300 * NS_PER_MS, NS_PER_S,
        5 * NS_PER_S, 20 * NS_PER_S,  61 * NS_PER_S,   100 * NS_PER_S
    };
    mono_ns d = step[feed_below(in, 8)];

    if (d > limit || w->n_sent > SENT_MAX / 2 || w->n_event > EVENT_MAX / 2)
        return;
    limit -= d;
    world_run(w, d);
}

static void check_want(const struct device_want *d)
{
    if (!d->created)
        return;
    FUZZ_CHECK(d->mtu >= INNER_MTU_MIN && d->mtu <= INNER_MTU_MAX && mac_is_unicast(d->mac));
    FUZZ_CHECK(mac_is_unicast(d->router_mac) && d->n_address <= ADDRESSES_MAX);
    FUZZ_CHECK(d->n_route <= ROUTES_MAX && d->n_delegated <= DELEGATED_PER_MEMBER);
    FUZZ_CHECK(d->segment.len <= 128);
    for (unsigned i = 0; i < d->n_address; i++)
        FUZZ_CHECK(!ip6_is_multicast(d->address[i].addr) && d->address[i].plen <= 128);
    for (unsigned i = 0; i < d->n_route; i++)
        FUZZ_CHECK(ip6_eq(d->route[i].addr, ip6_mask(d->route[i].addr, d->route[i].len)));
}

void client_check(const struct world *w)
{
    const struct device_want *d = client_engine_want(&w->e);
    struct frame f;

    check_want(d);
    FUZZ_CHECK(w->e.state != CLIENT_UP || keyset_slot(&w->e.tunnel.keys, 0) == SLOT_NONE);
    if (!w->frames)
        return;
    uint8_t *p = fuzz_exact(w->frame, w->frame_len);
    struct mac dst = mac_load(p), src = mac_load(p + MAC_LEN);
    FUZZ_CHECK(w->frame_len >= ETH_LEN + IP6_HDR_LEN && be16_load(p + 12) == ETHERTYPE_IP6);
    FUZZ_CHECK(mac_is_unicast(src));
    FUZZ_CHECK(frame_parse(&f, p + ETH_LEN, w->frame_len - ETH_LEN) == DROP_NONE);
    FUZZ_CHECK(f.len + ETH_LEN == w->frame_len);
    FUZZ_CHECK(!ip6_is_multicast(f.dst) || mac_eq(dst, mac_multicast(f.dst)));
    FUZZ_CHECK(ip6_is_multicast(f.dst) || mac_is_unicast(dst));
    free(p);
}
