/* SPDX-License-Identifier: MIT */
/* sim_client.c - a client's side: what its io does, in the order engine.h asks for */
#include "sim.h"

#define CLIENT_ARENA (64u * 1024u)
#define RESOLVE_TIME (2 * NS_PER_MS)

static void resolved(struct sim *w, void *arg)
{
    struct sim_client *c = arg;
    struct endpoint ep = sim_router_ep(w);

    c->resolving = false;
    if (!c->e)
        return;
    client_engine_router(c->e, 0, &ep, 1, w->now);
    c->deadline = client_engine_deadline(c->e, w->now);
}

static void open_socks(struct sim_client *c)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        struct client_sock s = client_engine_sock(c->e, i);
        if (!s.wanted || (c->sock[i].open && c->sock[i].generation == s.generation))
            continue;
        c->sock[i] = (struct sim_sock){ .open = true, .generation = s.generation, .port = s.port };
    }
}

static void close_socks(struct sim_client *c)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++)
        if (c->sock[i].open && !client_engine_sock(c->e, i).wanted)
            c->sock[i].open = c->sock[i].mapped = false;
}

static void apply_want(struct sim_client *c)
{
    const struct device_want *want = client_engine_want(c->e);

    if (want->serial == c->dev.serial)
        return;
    if (want->carrier != c->dev.carrier) {
        c->carrier_changed = c->w->now;
        c->n_carrier_off += !want->carrier;
    }
    sim_check(c->w, !want->carrier || (want->created && want->mtu >= INNER_MTU_MIN));
    c->dev = *want;
}

static void drain_events(struct sim_client *c)
{
    struct client_event ev;

    while (client_engine_event(c->e, &ev)) {
        c->events[ev.kind]++;
        c->event_at[ev.kind] = c->w->now;
        sim_trace(c->w, "client %d: %s a %u b %u", c->id, event_name(ev.kind), ev.a, ev.b);
    }
}

/* after() - the five steps of engine.h */
static void after(struct sim_client *c, struct out *o)
{
    open_socks(c);
    apply_want(c);
    for (unsigned i = 0; i < o->n_dg; i++)
        sim_wire_up(c, o->dg[i].sock, &o->dg[i]);
    close_socks(c);
    unsigned which;
    if (client_engine_want_resolve(c->e, &which) && !c->resolving) {
        c->resolving = true;
        sim_at(c->w, c->w->now + RESOLVE_TIME, resolved, c);
    }
    drain_events(c);
    c->deadline = client_engine_deadline(c->e, c->w->now);
    for (unsigned i = 0; i < o->n_pk; i++)
        sim_kernel_frame(c, o->pk[i].p, o->pk[i].len);
}

void sim_client_start(struct sim_client *c)
{
    assert_null(c->e);
    assert_int_equal(posix_memalign((void **)&c->e, 64, sizeof(*c->e)), 0);
    memset(c->sock, 0, sizeof(c->sock));
    memset(&c->dev, 0, sizeof(c->dev));
    client_engine_init(c->e, &c->conf, c->w->now);
    client_engine_path(c->e, c->outer_mtu, c->w->now);
    sim_client_tick(c);
}

void sim_client_kill(struct sim_client *c)
{
    if (!c->e)
        return;
    client_engine_wipe(c->e);
    free(c->e);
    c->e = NULL;
}

void sim_client_stop(struct sim_client *c)
{
    struct out *o = sim_out(c->w, CLIENT_ARENA);
    struct entropy e;

    sim_entropy(c->w, &e);
    client_engine_stop(c->e, c->w->now, &e, o);
    after(c, o);
    sim_check(c->w, !c->dev.carrier && c->deadline == NEVER);
    sim_out_done(c->w, o);
    sim_client_kill(c);
}

void sim_client_tick(struct sim_client *c)
{
    struct out *o = sim_out(c->w, CLIENT_ARENA);
    struct entropy e;
    char name[16];

    sim_entropy(c->w, &e);
    client_engine_tick(c->e, c->w->now, &e, o);
    after(c, o);
    snprintf(name, sizeof(name), "client %d", c->id);
    sim_guard(c->w, &c->spin, c->deadline, name);
    sim_out_done(c->w, o);
}

void sim_client_udp(struct sim_client *c, unsigned sock, struct sim_dgram **d, unsigned n)
{
    struct dgram in[BURST_MAX];
    uint8_t *buf[BURST_MAX];
    struct out *o = sim_out(c->w, CLIENT_ARENA);
    struct entropy e;

    for (unsigned i = 0; i < n; i++) {
        buf[i] = malloc(PKT_HEADROOM + d[i]->len + PKT_TAILROOM);
        assert_non_null(buf[i]);
        in[i] = (struct dgram){
            .peer = d[i]->from, .sock = (uint8_t)sock, .len = d[i]->len, .p = buf[i] + PKT_HEADROOM
        };
        memcpy(in[i].p, d[i]->p, d[i]->len);
    }
    sim_entropy(c->w, &e);
    client_engine_udp(c->e, c->w->now, &e, in, n, o);
    after(c, o);
    for (unsigned i = 0; i < n; i++)
        free(buf[i]);
    sim_out_done(c->w, o);
}

void sim_client_tap(struct sim_client *c, struct pkt *f, unsigned n)
{
    struct out *o = sim_out(c->w, CLIENT_ARENA);
    struct entropy e;

    sim_entropy(c->w, &e);
    client_engine_tap(c->e, c->w->now, &e, f, n, o);
    after(c, o);
    sim_out_done(c->w, o);
}

void sim_client_refused(struct sim_client *c, unsigned sock)
{
    client_engine_refused(c->e, sock, sim_router_ep(c->w), c->w->now);
    c->deadline = client_engine_deadline(c->e, c->w->now);
}
