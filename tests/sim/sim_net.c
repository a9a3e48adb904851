/* SPDX-License-Identifier: MIT */
/* sim_net.c - NATs, pipes and places: from a socket to where the datagram arrives */
#include <arpa/inet.h>

#include "sim.h"

struct endpoint sim_ep(const char *ip, unsigned port)
{
    struct endpoint ep = { .port = be16_of((uint16_t)port) };

    assert_int_equal(inet_pton(AF_INET, ip, ep.ip.b), 1);
    return ep;
}

struct endpoint sim_router_ep(const struct sim *w)
{
    return w->router.conf.public_ep;
}

/* ---- NAT ---- */

/* A port nobody had before: no MAC collides unless a test wants it to. */
static uint16_t fresh_port(struct sim *w)
{
    return (uint16_t)(1024 + w->next_port++ * 7919u % 60000u);
}

static struct endpoint map(struct sim_client *c)
{
    if (c->used_forced < c->n_forced)
        return c->forced[c->used_forced++];
    return (struct endpoint){ .ip = c->ip, .port = be16_of(fresh_port(c->w)) };
}

static bool mapping_over(const struct sim_client *c, const struct sim_sock *s)
{
    return c->nat_timeout && time_since(c->w->now, s->used) > c->nat_timeout;
}

void sim_force(struct sim_client *c, struct endpoint ep)
{
    if (c->used_forced == c->n_forced)
        c->used_forced = c->n_forced = 0;
    assert_true(c->n_forced < 8);
    c->forced[c->n_forced++] = ep;
}

void sim_rebind(struct sim_client *c)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++)
        c->sock[i].mapped = false;
}

struct endpoint sim_outside(const struct sim_client *c)
{
    const struct sim_sock *s = &c->sock[c->e->tunnel.sock];

    return s->open && s->mapped ? s->outside : (struct endpoint){ 0 };
}

struct sim_client *sim_owner(const struct sim *w, struct endpoint ep, unsigned *ret_sock)
{
    for (unsigned i = 0; i < w->n_clients; i++) {
        struct sim_client *c = w->client[i];
        for (unsigned k = 0; k < CLIENT_SOCKS; k++) {
            if (!c->e || !c->sock[k].open || !c->sock[k].mapped ||
                !endpoint_eq(c->sock[k].outside, ep) || mapping_over(c, &c->sock[k]))
                continue;
            *ret_sock = k;
            return c;
        }
    }
    return NULL;
}

/* ---- pipes ---- */

static struct sim_dgram *copy_of(const struct sim_dgram *d)
{
    struct sim_dgram *n = malloc(sizeof(*n));

    assert_non_null(n);
    *n = *d;
    n->p = malloc(d->len ? d->len : 1);
    assert_non_null(n->p);
    if (d->len)
        memcpy(n->p, d->p, d->len);
    return n;
}

static void fly(struct sim *w, const struct sim_dgram *d, mono_ns delay)
{
    mono_ns at = w->now + delay;

    at = (at + w->quantum - 1) / w->quantum * w->quantum;
    sim_push(w, (struct sim_event){ .at = at, .d = copy_of(d) });
}

static void trace_wire(const struct sim *w, const struct sim_dgram *d, enum wire_type type,
                       const char *fate)
{
    static const char *const name[] = { "-", "LOGIN", "LOGIN_REPLY", "COOKIE", "DATA", "NUDGE" };
    char from[EP_TEXT_LEN], to[EP_TEXT_LEN];
    bool data = type == WIRE_DATA;

    if (!w->trace)
        return;
    sim_trace(w, "%s > %s %s kind %u index %08x counter %llu len %u%s",
              endpoint_text(from, d->from), endpoint_text(to, d->to), name[type], (unsigned)d->p[2],
              be32_load(d->p + 4), data ? (unsigned long long)wire_data_counter(d->p) : 0,
              (unsigned)d->len, fate);
}

/* put() - onto the wire, through @p */
static void put(struct sim *w, const struct sim_pipe *p, const struct sim_dgram *d)
{
    enum wire_type type = wire_peek(d->p, d->len);

    if (type == WIRE_BAD)
        sim_fail(w, "an engine sent %u octets that are no message", (unsigned)d->len);
    w->n_type[type]++;
    if (w->tap)
        w->tap(w, d);
    if ((w->filter && !w->filter(w, d)) || sim_lost(w, p->loss_pct)) {
        w->n_lost++;
        trace_wire(w, d, type, " LOST");
        return;
    }
    unsigned mtu = p == &w->up ? w->mtu_up : w->mtu_down;
    if (mtu && d->len + OUTER_IP_UDP > mtu && (!d->frag || w->no_fragments)) {
        w->n_too_long++;
        trace_wire(w, d, type, " TOO LONG");
        return;
    }
    unsigned copies = 1;
    if (sim_lost(w, p->dup_pct)) {
        copies = 2;
        w->n_duplicated++;
    }
    trace_wire(w, d, type, copies == 2 ? " TWICE" : "");
    while (copies--)
        fly(w, d, p->delay_min + sim_below(w, p->delay_max - p->delay_min + 1));
}

void sim_wire_up(struct sim_client *c, unsigned sock, const struct dgram *d)
{
    struct sim_sock *s = &c->sock[sock];

    sim_check(c->w, s->open);
    sim_check(c->w, endpoint_eq(d->peer, sim_router_ep(c->w)));
    if (c->cut)
        return;
    if (!s->mapped || mapping_over(c, s)) {
        s->outside = map(c);
        s->mapped = true;
    }
    s->used = c->w->now;
    put(c->w, &c->w->up,
        &(struct sim_dgram){ .from = s->outside,
                             .to = d->peer,
                             .len = d->len,
                             .p = d->p,
                             .frag = d->flags & DGRAM_MAY_FRAGMENT,
                             .answered = sim_place(c->w, s->outside)->hears });
}

void sim_wire_down(struct sim *w, const struct dgram *d)
{
    sim_check_octets(w, d);
    put(w, &w->down,
        &(struct sim_dgram){ .from = sim_router_ep(w),
                             .to = d->peer,
                             .len = d->len,
                             .p = d->p,
                             .frag = d->flags & DGRAM_MAY_FRAGMENT });
}

void sim_inject(struct sim *w, struct endpoint from, struct endpoint to, const uint8_t *p,
                size_t len, mono_ns delay)
{
    /* The copy below is only read. */
    uint8_t *octets = malloc(len ? len : 1);

    assert_non_null(octets);
    if (len)
        memcpy(octets, p, len);
    fly(w,
        &(struct sim_dgram){
            .from = from, .to = to, .len = (uint16_t)len, .p = octets, .forged = true },
        delay);
    free(octets);
}

/* ---- arrival ---- */

static void unreachable(struct sim *w, void *arg)
{
    struct sim_client *c = arg;

    if (c->e)
        sim_client_refused(c, c->e->tunnel.sock);
    (void)w;
}

static void wait_at_router(struct sim *w, const struct sim_dgram *d)
{
    struct sim_router *r = &w->router;

    if (r->wait_octets + d->len > SIM_SOCKBUF) {
        w->n_lost++;
        return;
    }
    r->wait = realloc(r->wait, (r->n_wait + 1) * sizeof(struct sim_dgram *));
    assert_non_null(r->wait);
    r->wait[r->n_wait++] = copy_of(d);
    r->wait_octets += d->len;
}

void sim_router_pause(struct sim *w)
{
    w->router.stopped = true;
}

void sim_router_continue(struct sim *w)
{
    struct sim_router *r = &w->router;

    r->stopped = false;
    for (unsigned i = 0; i < r->n_wait; i++)
        sim_push(w, (struct sim_event){ .at = w->now, .d = r->wait[i] });
    free(r->wait);
    r->wait = NULL;
    r->n_wait = 0;
    r->wait_octets = 0;
}

static void at_router(struct sim *w, struct sim_dgram **d, unsigned n)
{
    unsigned sock;

    for (unsigned i = 0; w->router.stopped && i < n; i++)
        wait_at_router(w, d[i]);
    if (w->router.stopped)
        return;
    if (w->router.re) {
        sim_router_udp(w, d, n);
        return;
    }
    for (unsigned i = 0; w->router.refuses && i < n; i++) {
        struct sim_client *c = sim_owner(w, d[i]->from, &sock);
        if (c)
            sim_at(w, w->now + w->down.delay_min, unreachable, c);
    }
}

void sim_arrive(struct sim *w, struct sim_dgram **d, unsigned n)
{
    unsigned sock;

    if (endpoint_eq(d[0]->to, sim_router_ep(w))) {
        at_router(w, d, n);
        return;
    }
    struct sim_client *c = sim_owner(w, d[0]->to, &sock);
    if (c)
        c->sock[sock].used = w->now;
    if (c && !c->cut && !c->asleep) {
        for (unsigned i = 0; i < n; i++)
            if (!d[i]->forged)
                sim_place(w, d[i]->to)->hears = true;
        sim_client_udp(c, sock, d, n);
        return;
    }
    w->n_stray += n;
    for (unsigned i = 0; w->stray && i < n; i++)
        w->stray(w, d[i]);
}
