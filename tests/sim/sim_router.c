/* SPDX-License-Identifier: MIT */
/* sim_router.c - the router's side: what its io does, without the operating system */
#include "sim.h"

/* after() - send what a call left in @o */
static void after(struct sim *w, struct out *o, struct sim_asked *asked, unsigned n)
{
    struct notice notice;

    sim_check_answers(w, asked, n, o);
    for (unsigned i = 0; i < o->n_dg; i++)
        sim_wire_down(w, &o->dg[i]);
    while (router_engine_notice(w->router.re, &notice)) {
        w->router.notices[notice.kind]++;
        sim_trace(w, "router: notice %u client %u reason %u", (unsigned)notice.kind, notice.client,
                  notice.reason);
    }
    w->router.deadline = router_engine_deadline(w->router.re);
    for (unsigned i = 0; i < o->n_pk; i++)
        sim_uplink_packet(w, o->pk[i].p, o->pk[i].len);
}

void sim_router_start(struct sim *w)
{
    size_t n = router_engine_bytes(&w->router.conf);
    struct entropy e;

    assert_null(w->router.re);
    assert_int_equal(posix_memalign(&w->router.mem, 64, n), 0);
    memset(w->router.mem, 0, n);
    sim_entropy(w, &e);
    w->router.re = router_engine_init(w->router.mem, &w->router.conf, w->now, &e);
    w->router.deadline = router_engine_deadline(w->router.re);
}

void sim_router_kill(struct sim *w)
{
    free(w->router.mem);
    w->router.mem = NULL;
    w->router.re = NULL;
}

void sim_router_stop(struct sim *w)
{
    struct out *o = sim_out(w, ROUTER_ARENA);
    bool more = true;

    while (more) {
        more = router_engine_stop(w->router.re, w->now, o);
        after(w, o, NULL, 0);
        out_reset(o);
    }
    sim_out_done(w, o);
    sim_router_kill(w);
}

void sim_router_tick(struct sim *w)
{
    struct out *o = sim_out(w, ROUTER_ARENA);
    struct entropy e;

    sim_entropy(w, &e);
    router_engine_tick(w->router.re, w->now, &e, o);
    after(w, o, NULL, 0);
    sim_guard(w, &w->router.spin, w->router.deadline, "router");
    sim_out_done(w, o);
}

void sim_router_udp(struct sim *w, struct sim_dgram **d, unsigned n)
{
    struct dgram in[BURST_MAX];
    struct sim_asked asked[BURST_MAX];
    struct out *o = sim_out(w, ROUTER_ARENA);
    struct entropy e;

    for (unsigned i = 0; i < n; i++) {
        struct sim_place *from = sim_place(w, d[i]->from);
        enum wire_type type = wire_peek(d[i]->p, d[i]->len);

        from->from += d[i]->len;
        if (d[i]->answered && type == WIRE_DATA)
            from->proven = true;
        asked[i] =
            (struct sim_asked){ .peer = d[i]->from, .len = d[i]->len, .type = (uint8_t)type };
        /* The octets themselves: an allocation of exactly their length. */
        in[i] = (struct dgram){
            .peer = d[i]->from, .local = d[i]->to.ip, .len = d[i]->len, .p = d[i]->p
        };
    }
    sim_entropy(w, &e);
    router_engine_udp(w->router.re, w->now, &e, in, n, o);
    after(w, o, asked, n);
    sim_out_done(w, o);
}

void sim_router_tun(struct sim *w, const uint8_t *ip, size_t len)
{
    struct out *o = sim_out(w, ROUTER_ARENA);
    uint8_t *buf = malloc(PKT_HEADROOM + len + PKT_TAILROOM);
    struct pkt pk = { .p = buf + PKT_HEADROOM, .len = (uint32_t)len };

    assert_non_null(buf);
    memcpy(pk.p, ip, len);
    if (w->router.re && !w->router.stopped) {
        router_engine_tun(w->router.re, w->now, &pk, 1, o);
        after(w, o, NULL, 0);
    }
    free(buf);
    sim_out_done(w, o);
}
