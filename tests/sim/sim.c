/* SPDX-License-Identifier: MIT */
/* sim.c - the world: its clock, what happens next, how it begins and ends */
#include "sim.h"

#include <sodium.h>

/* ---- chance ---- */

/* Source: Steele, Lea, Flood, "Fast splittable pseudorandom number generators" (SplitMix64) */
uint64_t sim_random(struct sim *w)
{
    uint64_t z = (w->rng += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

uint64_t sim_below(struct sim *w, uint64_t n)
{
    return n ? sim_random(w) % n : 0;
}

void sim_bytes(struct sim *w, void *p, size_t len)
{
    uint8_t *b = p;

    for (size_t i = 0; i < len; i++)
        b[i] = (uint8_t)sim_random(w);
}

bool sim_lost(struct sim *w, double pct)
{
    return (double)sim_below(w, 1000000) < pct * 10000;
}

void sim_entropy(struct sim *w, struct entropy *e)
{
    sim_bytes(w, e->seed, sizeof(e->seed));
}

unsigned sim_seeds(unsigned n)
{
    const char *s = getenv("SIM_SEEDS");
    unsigned long k = s ? strtoul(s, NULL, 10) : 0;

    return k > 0 && k < 100000 ? (unsigned)k : n;
}

/* ---- where engines put what they send ---- */

#define OUT_DGRAMS 512u
#define OUT_PKTS   256u

struct out *sim_out(struct sim *w, size_t arena_len)
{
    struct out *o;

    if (w->n_spare) {
        o = w->spare[--w->n_spare];
        out_reset(o);
    } else {
        o = calloc(1, sizeof(*o));
        assert_non_null(o);
        o->cap_dg = OUT_DGRAMS;
        o->cap_pk = OUT_PKTS;
        o->dg = malloc(OUT_DGRAMS * sizeof(*o->dg));
        o->pk = malloc(OUT_PKTS * sizeof(*o->pk));
        assert_non_null(o->dg);
        assert_non_null(o->pk);
        assert_int_equal(posix_memalign((void **)&o->arena, 64, ROUTER_ARENA), 0);
    }
    o->arena_len = arena_len;
    return o;
}

static void free_out(struct out *o)
{
    free(o->dg);
    free(o->pk);
    free(o->arena);
    free(o);
}

void sim_out_done(struct sim *w, struct out *o)
{
    if (w->n_spare < sizeof(w->spare) / sizeof(w->spare[0]))
        w->spare[w->n_spare++] = o;
    else
        free_out(o);
}

/* ---- what happens next: a heap by time, then by order of arrival ---- */

static bool before(const struct sim_event *a, const struct sim_event *b)
{
    return a->at != b->at ? a->at < b->at : a->seq < b->seq;
}

void sim_push(struct sim *w, struct sim_event ev)
{
    if (w->n_heap == w->cap_heap) {
        w->cap_heap = w->cap_heap ? 2 * w->cap_heap : 256;
        w->heap = realloc(w->heap, w->cap_heap * sizeof(*w->heap));
        assert_non_null(w->heap);
    }
    ev.seq = w->seq++;
    unsigned i = w->n_heap++;
    for (; i && before(&ev, &w->heap[(i - 1) / 2]); i = (i - 1) / 2)
        w->heap[i] = w->heap[(i - 1) / 2];
    w->heap[i] = ev;
}

static struct sim_event pop(struct sim *w)
{
    struct sim_event top = w->heap[0], last = w->heap[--w->n_heap];
    unsigned i = 0;

    for (;;) {
        unsigned k = 2 * i + 1;
        if (k + 1 < w->n_heap && before(&w->heap[k + 1], &w->heap[k]))
            k++;
        if (k >= w->n_heap || !before(&w->heap[k], &last))
            break;
        w->heap[i] = w->heap[k];
        i = k;
    }
    if (w->n_heap)
        w->heap[i] = last;
    return top;
}

void sim_at(struct sim *w, mono_ns at, void (*fn)(struct sim *w, void *arg), void *arg)
{
    sim_push(w, (struct sim_event){ .at = at, .fn = fn, .arg = arg });
}

/* ---- time ---- */

static mono_ns next_time(const struct sim *w)
{
    mono_ns t = w->n_heap ? w->heap[0].at : NEVER;

    if (w->router.re && !w->router.stopped)
        t = time_earlier(t, w->router.deadline);
    for (unsigned i = 0; i < w->n_clients; i++)
        if (w->client[i]->e && !w->client[i]->asleep)
            t = time_earlier(t, w->client[i]->deadline);
    return t;
}

/* Datagrams that arrive now at the same place come as one burst. */
static void datagrams(struct sim *w, struct sim_dgram *first)
{
    struct sim_dgram *d[BURST_MAX] = { first };
    unsigned n = 1;

    while (n < BURST_MAX && w->n_heap && w->heap[0].at <= w->now && w->heap[0].d &&
           endpoint_eq(w->heap[0].d->to, first->to))
        d[n++] = pop(w).d;
    sim_arrive(w, d, n);
    for (unsigned i = 0; i < n; i++) {
        free(d[i]->p);
        free(d[i]);
    }
}

/* One instant: everything due at w->now, sockets before timers as a real loop does. */
static void instant(struct sim *w)
{
    while (w->n_heap && w->heap[0].at <= w->now) {
        struct sim_event ev = pop(w);
        if (ev.d)
            datagrams(w, ev.d);
        else
            ev.fn(w, ev.arg);
    }
    if (w->router.re && !w->router.stopped && w->router.deadline <= w->now)
        sim_router_tick(w);
    for (unsigned i = 0; i < w->n_clients; i++)
        if (w->client[i]->e && !w->client[i]->asleep && w->client[i]->deadline <= w->now)
            sim_client_tick(w->client[i]);
}

static bool run(struct sim *w, mono_ns until, bool (*done)(const struct sim *w))
{
    while (!done || !done(w)) {
        mono_ns t = next_time(w);
        if (t > until) {
            w->now = until;
            return false;
        }
        if (t > w->now)
            w->now = t;
        instant(w);
    }
    return true;
}

void sim_run(struct sim *w, mono_ns d)
{
    run(w, w->now + d, NULL);
}

bool sim_until(struct sim *w, bool (*done)(const struct sim *w), mono_ns limit)
{
    return run(w, w->now + limit, done);
}

void sim_fail(const struct sim *w, const char *fmt, ...)
{
    char text[512];
    va_list ap;

    va_start(ap, fmt);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is the line above
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    fail_msg("seed %llu, %.6f s: %s", (unsigned long long)w->seed, (double)w->now / 1e9, text);
    abort();
}

void sim_trace(const struct sim *w, const char *fmt, ...)
{
    va_list ap;

    if (!w->trace)
        return;
    fprintf(stderr, "%llu %11.6f ", (unsigned long long)w->seed, (double)w->now / 1e9);
    va_start(ap, fmt);
    // NOLINTNEXTLINE(clang-analyzer-valist.Uninitialized): va_start() is the line above
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputc('\n', stderr);
}

/* ---- beginning and end ---- */

static struct sim_client *add_client(struct sim *w)
{
    struct sim_client *c = calloc(1, sizeof(*c));

    assert_non_null(c);
    assert_true(w->n_clients < SIM_CLIENTS_MAX);
    c->w = w;
    c->id = (int)w->n_clients;
    /* A block of /16s that fold to MACs of their own. */
    c->outer_mtu = 1500;
    c->ip = (be32){ { (uint8_t)(100 + 4 * (w->n_clients % 16)), 64, (uint8_t)w->n_clients, 7 } };
    client_config_defaults(&c->conf);
    memcpy(c->conf.router[0].key, w->router.conf.public_key, KEY_LEN);
    w->client[w->n_clients++] = c;
    return c;
}

struct sim *sim_new(uint64_t seed, unsigned n)
{
    struct sim *w = calloc(1, sizeof(*w));

    assert_non_null(w);
    assert_true(sodium_init() >= 0);
    w->seed = w->rng = seed;
    w->trace = getenv("SIM_TRACE") != NULL;
    w->now = time_s(1000);
    w->quantum = NS_PER_MS / 20;
    w->up = w->down = (struct sim_pipe){ .delay_min = time_ms(10), .delay_max = time_ms(10) };

    struct router_config *rc = &w->router.conf;
    router_config_defaults(rc);
    sim_bytes(w, rc->private_key, KEY_LEN);
    rc->listen = sim_ep("203.0.113.1", 6464);
    rc->prefix = (struct prefix){ .addr = { { 0x20, 0x01, 0x0d, 0xb8, 0, 1 } }, .len = 64 };
    rc->uplink = UPLINK_ROUTED;
    rc->max_members = SIM_CLIENTS_MAX;
    rc->clients = w->router.clients;
    router_config_finish(rc);
    for (unsigned i = 0; i < n; i++) {
        struct sim_client *c = add_client(w);
        struct router_client *k = &w->router.clients[rc->n_clients++];
        sim_bytes(w, c->conf.private_key, KEY_LEN);
        client_config_finish(&c->conf);
        snprintf(k->name, sizeof(k->name), "client%u", i);
        memcpy(k->public_key, c->conf.public_key, KEY_LEN);
    }
    return w;
}

struct sim_client *sim_add_twin(struct sim *w, unsigned of)
{
    struct sim_client *c = add_client(w);

    memcpy(c->conf.private_key, w->client[of]->conf.private_key, KEY_LEN);
    client_config_finish(&c->conf);
    return c;
}

void sim_start(struct sim *w)
{
    sim_router_start(w);
    for (unsigned i = 0; i < w->n_clients; i++)
        sim_client_start(w->client[i]);
}

void sim_free(struct sim *w)
{
    for (unsigned i = 0; i < w->n_heap; i++) {
        if (w->heap[i].d)
            free(w->heap[i].d->p);
        free(w->heap[i].d);
    }
    for (unsigned i = 0; i < w->n_clients; i++) {
        sim_client_kill(w->client[i]);
        free(w->client[i]);
    }
    for (unsigned i = 0; i < w->n_flows; i++)
        free(w->flow[i].seen);
    sim_router_kill(w);
    while (w->n_spare)
        free_out(w->spare[--w->n_spare]);
    free(w->place);
    free(w->heap);
    free(w);
}

/* ---- questions ---- */

bool sim_up(const struct sim_client *c)
{
    return c->e && c->e->state == CLIENT_UP && c->dev.carrier;
}

bool sim_all_up(const struct sim *w)
{
    for (unsigned i = 0; i < w->n_clients; i++)
        if (w->client[i]->e && !sim_up(w->client[i]))
            return false;
    return true;
}

const struct member *sim_member(const struct sim_client *c)
{
    const struct router_engine *re = c->w->router.re;

    return re ? member_by_key(router_engine_members(re), c->conf.public_key) : NULL;
}

void sim_consistent(const struct sim_client *c)
{
    const struct member *m = sim_member(c);

    sim_check(c->w, sim_up(c));
    sim_check(c->w, m && m->live);
    sim_check(c->w, mac_eq(m->mac, c->dev.mac));
    sim_check(c->w, endpoint_eq(m->ep, sim_outside(c)));
    sim_check(c->w, mac_eq(c->dev.router_mac, mac_of_endpoint(sim_router_ep(c->w))));
    sim_check(c->w, m->mtu == c->dev.mtu);
    sim_check(c->w, c->dev.n_address == 1 && m->n_bound >= 1);
    sim_check(c->w, ip6_eq(c->dev.address[0].addr, m->bound[0].addr));
}
