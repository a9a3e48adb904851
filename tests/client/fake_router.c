/* SPDX-License-Identifier: MIT */
/* fake_router.c - as much of a router as the client's tests need, and a fake clock to run both */
#include "fake_router.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "proto/mac.h"

static void fly(struct world *w, const uint8_t *p, size_t len, struct endpoint from, uint8_t sock,
                bool frag)
{
    unsigned path = w->r.path_down ? w->r.path_down : w->r.path;

    if (w->r.one_way || (len + OUTER_IP_UDP > path && (!frag || w->r.no_fragments)))
        return;
    assert_true(w->n_flight < FLIGHT_MAX && len <= BUF_LEN);
    struct flight *f = &w->flight[w->n_flight++];
    f->at = w->now + w->rtt;
    f->from = from;
    f->sock = sock;
    f->len = (uint16_t)len;
    memcpy(f->buf + PKT_HEADROOM, p, len);
}

/* ---- the router ---- */

static void router_send(struct world *w, enum wire_kind kind, const uint8_t *p, size_t len,
                        uint8_t sock, bool frag)
{
    uint8_t buf[BUF_LEN];
    uint8_t k = (uint8_t)kind;
    struct pkt pt = { .p = buf, .len = (uint32_t)len };

    assert_true(len + DATA_MIN_LEN <= sizeof(buf));
    memcpy(buf + DATA_HDR_LEN, p, len);
    assert_true(keyset_seal_run(&w->r.keys, &pt, &k, 1, w->now));
    fly(w, buf, pt.len, w->live, sock, frag);
}

static void send_control(struct world *w, const struct control *c, size_t size, uint8_t sock)
{
    uint8_t buf[BUF_LEN];
    struct wr wr = wr_of(buf, sizeof(buf));

    wire_ctl_put(&wr, c);
    if (size)
        wire_ctl_pad(&wr, size - DATA_MIN_LEN);
    assert_false(wr.bad);
    bool probe = c->type == TLV_CONFIRM_ACK || c->type == TLV_MTU_PROBE_ACK;
    bool frag = c->type == TLV_FRAG_PROBE_ACK || (w->r.fragment && !probe);
    router_send(w, KIND_CONTROL, buf, wr.off, sock, frag);
}

void router_control(struct world *w, const struct control *c, size_t size)
{
    send_control(w, c, size, w->e.tunnel.sock);
}

void router_data(struct world *w, enum wire_kind kind, const uint8_t *p, size_t len)
{
    router_send(w, kind, p, len, w->e.tunnel.sock, w->r.fragment);
}

void router_restart(struct world *w)
{
    keyset_wipe(&w->r.keys);
    keyset_init(&w->r.keys, ROLE_RESPONDER);
    keypair_wipe(&w->r.tentative);
}

static struct endpoint seen_through(uint8_t sock)
{
    return (struct endpoint){ be32_of(0xc6336401), be16_of((uint16_t)(4000 + sock)) };
}

static struct settings answer_to(struct world *w, const struct login_payload *lp)
{
    struct fake_router *r = &w->r;
    struct settings s = r->settings;

    s.verdict = r->verdict;
    if (r->verdict == VERDICT_OK && lp->tries < r->taken)
        s.verdict = VERDICT_MAC_TAKEN;
    if (s.verdict != VERDICT_OK)
        s = (struct settings){
            .verdict = s.verdict, .reason = r->reason, .backoff_s = r->backoff_s, .seen = s.seen
        };
    return s;
}

/* one LOGIN, outside or inside; writes the reply to @out and returns its length, 0 none */
static size_t router_login(struct world *w, const uint8_t *msg, uint8_t sock, bool inside,
                           uint8_t *out)
{
    struct fake_router *r = &w->r;
    struct hs_responder hs;
    struct session_keys keys;
    uint8_t e[KEY_LEN], payload[REPLY_PAYLOAD_MAX];
    bool partial;

    bool again = memcmp(r->msg[1], msg, LOGIN_LEN) == 0;
    memcpy(r->msg[0], r->msg[1], LOGIN_LEN);
    memcpy(r->msg[1], msg, LOGIN_LEN);
    if (again && r->reply_len) { /* a retransmission makes nothing new (PROTOCOL.md 7.2) */
        memcpy(out, r->reply, r->reply_len);
        return r->reply_len;
    }
    r->reply_len = 0;
    if (!cookie_mac1_ok(&r->jar, msg) || handshake_login_open(&hs, &r->id, msg) != DROP_NONE) {
        r->nothing++;
        return 0;
    }
    assert_memory_equal(hs.client_key, w->cfg.public_key, KEY_LEN);
    r->payload = hs.payload;
    struct endpoint from = seen_through(sock);
    if (!inside &&
        (r->always_cookie ||
         (r->want_cookie && !(cookie_mac2_ok(&r->jar, msg, from) && hs.payload.has_cookie &&
                              cookie_fresh(&r->jar, hs.payload.cookie, from))))) {
        cookie_answer(&r->jar, msg, from, &w->router_rnd, out);
        return COOKIE_MSG_LEN;
    }
    struct settings s = answer_to(w, &hs.payload);
    s.seen = from;
    size_t n = wire_put_settings(payload, sizeof(payload), &s, &partial);
    entropy_draw(&w->router_rnd, e, sizeof(e));
    uint32_t index = entropy_u32(&w->router_rnd), theirs = hs.client_index;
    size_t len = handshake_reply_write(&hs, r->psk, e, index, payload, n, out, &keys);
    assert_true(len > 0 && len <= LOGIN_LEN);
    if (s.verdict == VERDICT_OK)
        keypair_init(&r->tentative, CIPHER_CHACHA20POLY1305, &keys, index, theirs, w->now);
    r->outside = !inside;
    memcpy(r->reply, out, len);
    r->reply_len = len;
    return len;
}

static void router_ctl(struct world *w, const struct control *c, const struct dgram *d)
{
    struct fake_router *r = &w->r;
    struct control a = *c;
    uint8_t reply[LOGIN_LEN];

    switch (c->type) {
    case TLV_CONFIRM:
        r->confirms++;
        r->big_confirms += c->size > PROBE_MIN_LEN;
        assert_int_equal(c->size, d->len);
        a.type = TLV_CONFIRM_ACK;
        send_control(w, &a, c->size, d->sock);
        break;
    case TLV_KEEPALIVE_REQ:
        r->keepalives++;
        a.type = TLV_KEEPALIVE_ACK;
        send_control(w, &a, 0, d->sock);
        break;
    case TLV_KEEPALIVE_ACK:
        r->keepalive_acks++;
        break;
    case TLV_MTU_PROBE:
        r->probes++;
        assert_int_equal(c->size, d->len);
        a.type = TLV_MTU_PROBE_ACK;
        send_control(w, &a, c->size, d->sock);
        break;
    case TLV_FRAG_PROBE:
        r->frag_probes++;
        assert_int_equal(c->size, d->len);
        a.type = TLV_FRAG_PROBE_ACK;
        send_control(w, &a, c->size, d->sock);
        break;
    case TLV_MTU_SET:
        r->mtu_set = c->size;
        r->mtu_sets++;
        r->fragment = false;
        break;
    case TLV_FRAGMENT:
        r->fragment = true;
        break;
    case TLV_LOGIN:
        r->inside++;
        a = (struct control){ .type = TLV_LOGIN_REPLY, .body = reply };
        a.body_len = (uint16_t)router_login(w, c->body, d->sock, true, reply);
        send_control(w, &a, 0, d->sock);
        break;
    case TLV_GOODBYE:
        r->goodbyes++;
        break;
    case TLV_MTU_PROBE_ACK: /* a test's own probe */
    case TLV_FRAG_PROBE_ACK:
        assert_int_equal(c->size, d->len);
        break;
    default:
        fail_msg("control %d from a client", (int)c->type);
    }
}

static void router_opened(struct world *w, struct dgram *d)
{
    struct fake_router *r = &w->r;
    struct rd rd = rd_of(d->p + DATA_HDR_LEN, d->len - DATA_MIN_LEN);
    struct control c;
    int more;

    if (r->again) {
        r->again = false;
        c = (struct control){ .type = TLV_LOGIN_AGAIN };
        send_control(w, &c, 0, d->sock);
        router_restart(w);
        return;
    }
    r->last_kind = wire_data_kind(d->p);
    r->last_len = d->len - DATA_MIN_LEN;
    memcpy(r->last_hdr, d->p, DATA_HDR_LEN);
    memcpy(r->last_plain, d->p + DATA_HDR_LEN, r->last_len);
    if (r->last_kind != KIND_CONTROL) {
        r->data++;
        return;
    }
    while ((more = wire_ctl_next(&rd, &c)) == 1)
        router_ctl(w, &c, d);
    assert_int_equal(more, 0);
}

static void router_take_data(struct world *w, struct dgram *d)
{
    struct fake_router *r = &w->r;
    uint32_t index = wire_data_index(d->p);
    struct rx rx = { .d = d };

    if (r->tentative.valid && index == r->tentative.local_index && !r->mute_confirm) {
        assert_int_equal(keypair_open(&r->tentative, d, w->now), DROP_NONE);
        keyset_install(&r->keys, &r->tentative, w->now, 0);
        keyset_promote(&r->keys, w->now);
        r->fragment |= r->outside; /* until MTU_SET */
        keypair_wipe(&r->tentative);
        router_opened(w, d);
    } else if (keyset_slot(&r->keys, index) != SLOT_NONE) {
        if (keyset_open_run(&r->keys, index, &rx, 1, w->now) == 1)
            router_opened(w, d);
        else
            r->nothing++;
    } else {
        r->nothing++;
    }
}

static void router_take(struct world *w, const struct dgram *sent)
{
    struct fake_router *r = &w->r;
    uint8_t buf[BUF_LEN], reply[LOGIN_LEN];
    struct dgram d = *sent;

    bool fits = d.len + OUTER_IP_UDP <= r->path;

    if (r->mute || !endpoint_eq(d.peer, w->live) ||
        (!fits && (!(d.flags & DGRAM_MAY_FRAGMENT) || r->no_fragments)))
        return;
    memcpy(buf, d.p, d.len);
    d.p = buf;
    switch (wire_peek(d.p, d.len)) {
    case WIRE_LOGIN:
        if (r->mute_outside || (r->deaf_socks & (1u << d.sock)))
            return;
        r->logins++;
        size_t len = router_login(w, d.p, d.sock, false, reply);
        if (len)
            fly(w, reply, len, w->live, d.sock, true);
        return;
    case WIRE_DATA:
        router_take_data(w, &d);
        return;
    default:
        fail_msg("not a message of a client");
    }
}

/* ---- the clock ---- */

static void flush(struct world *w)
{
    struct client_event ev;

    for (unsigned i = 0; i < w->out.n_dg; i++) {
        const struct dgram *d = &w->dg[i];
        assert_true(w->n_sent < SENT_MAX);
        assert_true(client_engine_sock(&w->e, d->sock).wanted);
        w->sent[w->n_sent++] = (struct sent){ .at = w->now,
                                              .type = wire_peek(d->p, d->len),
                                              .sock = d->sock,
                                              .flags = d->flags,
                                              .len = d->len,
                                              .to = d->peer };
        router_take(w, d);
    }
    for (unsigned i = 0; i < w->out.n_pk; i++) {
        w->frames++;
        w->frame_len = w->pk[i].len;
        memcpy(w->frame, w->pk[i].p, w->frame_len);
    }
    out_reset(&w->out);
    while (client_engine_event(&w->e, &ev)) {
        assert_true(w->n_event < EVENT_MAX);
        w->event[w->n_event++] = ev;
    }
    unsigned which;
    if (client_engine_want_resolve(&w->e, &which)) {
        bool second = which == 1;
        w->resolves++;
        if (w->slow_names && !second)
            return; /* getaddrinfo() is still at it */
        client_engine_router(&w->e, which, second ? &w->second : w->eps, second ? 1 : w->n_eps,
                             w->now);
    }
}

void world_tick(struct world *w)
{
    client_engine_tick(&w->e, w->now, &w->rnd, &w->out);
    flush(w);
}

void world_give(struct world *w, const uint8_t *p, size_t len, struct endpoint from, uint8_t sock)
{
    uint8_t buf[PKT_HEADROOM + BUF_LEN + PKT_TAILROOM];
    struct dgram d = { .peer = from, .sock = sock, .len = (uint16_t)len, .p = buf + PKT_HEADROOM };

    memcpy(d.p, p, len);
    client_engine_udp(&w->e, w->now, &w->rnd, &d, 1, &w->out);
    flush(w);
}

/* land() - everything that arrives now, as one burst per call as io would */
static void land(struct world *w)
{
    static struct flight arrived[FLIGHT_MAX];
    struct dgram in[BURST_MAX];
    unsigned n = 0, left = 0;

    for (unsigned i = 0; i < w->n_flight; i++) {
        if (w->flight[i].at <= w->now && !client_engine_sock(&w->e, w->flight[i].sock).wanted)
            continue; /* the socket is closed */
        if (w->flight[i].at <= w->now && n < BURST_MAX) {
            arrived[n] = w->flight[i];
            in[n] = (struct dgram){ .peer = arrived[n].from,
                                    .sock = arrived[n].sock,
                                    .len = arrived[n].len,
                                    .p = arrived[n].buf + PKT_HEADROOM };
            n++;
        } else {
            w->flight[left++] = w->flight[i];
        }
    }
    w->n_flight = left;
    if (n == 0)
        return;
    client_engine_udp(&w->e, w->now, &w->rnd, in, n, &w->out);
    flush(w);
}

void world_run(struct world *w, mono_ns d)
{
    mono_ns end = w->now + d, was = w->now;
    unsigned same = 0;

    for (;;) {
        mono_ns next = client_engine_deadline(&w->e, w->now);
        for (unsigned i = 0; i < w->n_flight; i++)
            next = time_earlier(next, w->flight[i].at);
        if (next > end)
            break;
        w->now = next > w->now ? next : w->now;
        same = w->now == was ? same + 1 : 0;
        was = w->now;
        assert_true(same < 50); /* a deadline that does not go away is a busy loop */
        land(w);
        if (client_engine_deadline(&w->e, w->now) <= w->now)
            world_tick(w);
    }
    w->now = end;
}

void world_init(struct world *w)
{
    memset(w, 0, sizeof(*w));
    assert_true(sodium_init() >= 0);
    w->now = time_s(1000);
    w->rtt = time_ms(20);
    w->rnd.seed[0] = 1;
    w->router_rnd.seed[0] = 2;
    w->out = (struct out){ .dg = w->dg,
                           .cap_dg = sizeof(w->dg) / sizeof(w->dg[0]),
                           .pk = w->pk,
                           .cap_pk = sizeof(w->pk) / sizeof(w->pk[0]),
                           .arena = w->arena,
                           .arena_len = sizeof(w->arena) };
    w->live = (struct endpoint){ be32_of(0xc6120001), be16_of(6464) };
    w->eps[0] = w->live;
    w->n_eps = 1;

    uint8_t private[KEY_LEN] = { 7 };
    struct identity self;
    identity_of(&w->r.id, private);
    private[0] = 9;
    identity_of(&self, private);
    memcpy(w->cfg.private_key, self.private_key, KEY_LEN);
    memcpy(w->cfg.public_key, self.public_key, KEY_LEN);
    memcpy(w->cfg.router[0].key, w->r.id.public_key, KEY_LEN);
    w->cfg.n_routers = 1;
    w->cfg.psk[3] = w->r.psk[3] = 0x55;
    w->cfg.has_psk = true;
    w->cfg.port = 4711;
    w->cfg.default_route = true;
    w->cfg.hold_s = HOLD_DEFAULT_S;
    w->cfg.configure = CONFIGURE_NETLINK;

    cookie_jar_init(&w->r.jar, w->r.id.public_key, w->now, &w->router_rnd);
    keyset_init(&w->r.keys, ROLE_RESPONDER);
    w->r.path = 1500;
    w->r.settings = (struct settings){
        .verdict = VERDICT_OK,
        .mac = mac_of_endpoint(seen_through(0)),
        .router_mac = mac_of_endpoint(w->live),
        .cipher = CIPHER_CHACHA20POLY1305,
        .mtu_min = INNER_MTU_MIN,
        .mtu_max = INNER_MTU_MAX,
        .keepalive_s = KEEPALIVE_DEFAULT_S,
        .segment_flags = SEGMENT_DEFAULT_ROUTE | SEGMENT_ON_LINK,
        .segment = { .addr = { { 0x20, 0x01, 0x0d, 0xb8, 0, 1 } }, .len = 64 },
        .address = { { .addr = { { 0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 0x77 } }, .plen = 64 } },
        .n_address = 1,
    };
}

void world_start(struct world *w)
{
    client_engine_init(&w->e, &w->cfg, w->now);
    client_engine_path(&w->e, 1500, w->now);
    flush(w);
}

void world_free(struct world *w)
{
    client_engine_wipe(&w->e);
    keyset_wipe(&w->r.keys);
}

void world_login(struct world *w)
{
    world_start(w);
    world_run(w, time_s(2));
    assert_int_equal(w->e.state, CLIENT_UP);
    assert_true(client_engine_want(&w->e)->carrier);
}

void ip6_packet(uint8_t *p, size_t len, struct ip6 src, struct ip6 dst)
{
    memset(p, 0, len);
    p[0] = 0x60;
    be16_store(p + 4, (uint16_t)(len - 40));
    p[6] = len == 40 ? 59 : 17;
    p[7] = 64;
    memcpy(p + 8, src.b, IP6_LEN);
    memcpy(p + 24, dst.b, IP6_LEN);
}

void world_tap(struct world *w, struct mac dst, size_t len)
{
    uint8_t buf[PKT_HEADROOM + 14 + BUF_LEN + PKT_TAILROOM];
    struct pkt f = { .p = buf + PKT_HEADROOM, .len = (uint32_t)(14 + len) };

    memcpy(f.p, dst.b, MAC_LEN);
    memcpy(f.p + MAC_LEN, w->e.want.mac.b, MAC_LEN);
    be16_store(f.p + 12, 0x86dd);
    ip6_packet(f.p + 14, len, w->r.settings.address[0].addr,
               (struct ip6){ { 0x20, 0x01, 0x0d, 0xb8, 0, 2, [15] = 1 } });
    client_engine_tap(&w->e, w->now, &w->rnd, &f, 1, &w->out);
    flush(w);
}

unsigned world_count(const struct world *w, enum client_event_kind kind)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_event; i++)
        n += w->event[i].kind == kind;
    return n;
}

const struct client_event *world_last(const struct world *w, enum client_event_kind kind)
{
    for (unsigned i = w->n_event; i-- > 0;)
        if (w->event[i].kind == kind)
            return &w->event[i];
    fail_msg("no event %s", event_name(kind));
    return NULL;
}

unsigned world_sent(const struct world *w, enum wire_type type, mono_ns since)
{
    unsigned n = 0;

    for (unsigned i = 0; i < w->n_sent; i++)
        n += w->sent[i].type == type && w->sent[i].at >= since;
    return n;
}

const struct sent *world_sent_nth(const struct world *w, enum wire_type type, unsigned n)
{
    for (unsigned i = 0; i < w->n_sent; i++)
        if (w->sent[i].type == type && n-- == 0)
            return &w->sent[i];
    fail_msg("not sent");
    return NULL;
}
