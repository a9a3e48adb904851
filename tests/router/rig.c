/* SPDX-License-Identifier: MIT */
/* rig.c - a router engine on a fake clock with seeded entropy */
#include "rig.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "proto/cksum.h"

struct endpoint ep_of(const char *ip, uint16_t port)
{
    struct endpoint ep = { .port = be16_of(port) };
    assert_int_equal(inet_pton(AF_INET, ip, ep.ip.b), 1);
    return ep;
}

struct ip6 ip6_of(const char *text)
{
    struct ip6 a;
    assert_int_equal(inet_pton(AF_INET6, text, a.b), 1);
    return a;
}

static void key_of(uint8_t *out, unsigned n)
{
    memset(out, 0x40, KEY_LEN);
    be32_store(out, n + 1);
}

unsigned rig_rounds(unsigned n)
{
    const char *pct = getenv("SIXTAP_ROUNDS");
    unsigned some = pct ? (unsigned)((uint64_t)n * strtoul(pct, NULL, 10) / 100) : n;

    return some ? some : 1;
}

void rig_defaults(struct rig *r)
{
    struct identity id;

    assert_true(sodium_init() >= 0);
    memset(r, 0, sizeof(*r));
    router_config_defaults(&r->conf);
    r->conf.listen = ep_of("192.0.2.1", 6464);
    key_of(r->conf.private_key, 0xFFFFFF);
    r->conf.prefix = (struct prefix){ .addr = ip6_of("2001:db8:1::"), .len = 64 };
    r->conf.uplink = UPLINK_ROUTED;
    r->conf.max_members = 64;
    r->conf.max_clients = 64;
    r->conf.clients = r->clients;
    r->conf.n_clients = RIG_LISTED;
    for (unsigned i = 0; i < RIG_LISTED; i++) {
        uint8_t private_key[KEY_LEN];
        key_of(private_key, i);
        identity_of(&id, private_key);
        memcpy(r->clients[i].public_key, id.public_key, KEY_LEN);
    }
    memset(r->e.seed, 0x5A, sizeof(r->e.seed));
    r->now = T0;
}

void rig_start(struct rig *r)
{
    router_config_finish(&r->conf);
    size_t n = (router_engine_bytes(&r->conf) + 63) & ~(size_t)63;
    r->mem = r->lent ? r->lent : aligned_alloc(64, n);
    r->buf = calloc(BURST_MAX, sizeof(*r->buf));
    r->out.dg = calloc(RIG_OUT, sizeof(*r->out.dg));
    r->out.pk = calloc(RIG_OUT, sizeof(*r->out.pk));
    r->out.cap_dg = r->out.cap_pk = RIG_OUT;
    r->out.arena = aligned_alloc(64, ROUTER_ARENA);
    r->out.arena_len = ROUTER_ARENA;
    assert_true(r->mem && r->buf && r->out.dg && r->out.pk && r->out.arena);
    if (!r->lent)
        memset(r->mem, 0, n);
    r->re = router_engine_init(r->mem, &r->conf, r->now, &r->e);
    router_check(r->re);
}

void rig_free(struct rig *r)
{
    router_check(r->re);
    if (!r->lent)
        free(r->mem);
    free(r->buf);
    free(r->out.dg);
    free(r->out.pk);
    free(r->out.arena);
}

struct rig rig;

int rig_set_up(void **state)
{
    (void)state;
    rig_defaults(&rig);
    return 0;
}

int rig_tear_down(void **state)
{
    (void)state;
    if (rig.mem)
        rig_free(&rig);
    return 0;
}

static void begin(struct rig *r)
{
    out_reset(&r->out);
    memcpy(r->before, router_engine_drops(r->re), sizeof(r->before));
}

void rig_queue(struct rig *r, struct endpoint from, const uint8_t *p, size_t len)
{
    assert_true(r->n_in < BURST_MAX && len <= RIG_BUF);
    struct dgram *d = &r->in[r->n_in];
    /* Each at the very end of its buffer, so that a step over it is seen. */
    uint8_t *to = r->buf[r->n_in] + RIG_BUF - len;
    if (len)
        memcpy(to, p, len);
    *d = (struct dgram){ .peer = from, .local = r->conf.listen.ip, .len = (uint16_t)len, .p = to };
    r->n_in++;
}

/* No answer to anybody outside DATA is longer than what can have drawn it. */
static void check_amplification(const struct rig *r)
{
    for (unsigned i = 0; i < r->out.n_dg; i++) {
        const struct dgram *o = &r->out.dg[i];
        size_t longest = 0;
        if (o->p[0] == WIRE_DATA)
            continue;
        for (unsigned k = 0; k < r->n_in; k++) {
            if (endpoint_eq(r->in[k].peer, o->peer) && r->in[k].len > longest)
                longest = r->in[k].len;
        }
        assert_true(o->len <= longest);
    }
}

void rig_run(struct rig *r)
{
    begin(r);
    r->now++; /* another wake-up */
    router_engine_udp(r->re, r->now, &r->e, r->in, r->n_in, &r->out);
    check_amplification(r);
    router_check(r->re);
    r->n_in = 0;
}

void rig_udp(struct rig *r, struct endpoint from, const uint8_t *p, size_t len)
{
    rig_queue(r, from, p, len);
    rig_run(r);
}

void rig_tun(struct rig *r, const uint8_t *p, size_t len)
{
    assert_true(PKT_HEADROOM + len + PKT_TAILROOM <= RIG_BUF);
    uint8_t *to = r->buf[0] + RIG_BUF - PKT_TAILROOM - len;
    struct pkt pk = { .p = to, .len = (uint32_t)len };
    memcpy(to, p, len);
    begin(r);
    router_engine_tun(r->re, r->now, &pk, 1, &r->out);
    router_check(r->re);
}

void rig_tick(struct rig *r)
{
    begin(r);
    router_engine_tick(r->re, r->now, &r->e, &r->out);
    router_check(r->re);
}

unsigned rig_revoke(struct rig *r, const char *name, const uint8_t *key)
{
    begin(r);
    unsigned n = router_engine_revoke(r->re, name, key, r->now, &r->out);
    router_check(r->re);
    return n;
}

void rig_wait(struct rig *r, mono_ns d)
{
    mono_ns end = r->now + d;

    for (;;) {
        mono_ns next = router_engine_deadline(r->re);
        if (next > end)
            break;
        if (next > r->now)
            r->now = next;
        rig_tick(r);
        assert_true(router_engine_deadline(r->re) > r->now); /* or the loop would spin */
    }
    r->now = end;
}

unsigned rig_tentatives(const struct rig *r)
{
    return r->re->admit.n_used;
}

unsigned rig_indices(const struct rig *r)
{
    unsigned n = 0;

    for (uint32_t i = 0; i < r->re->ms.n_index; i++)
        n += r->re->ms.index[i].kind != INDEX_FREE;
    return n;
}

uint64_t rig_drops(const struct rig *r, enum drop why)
{
    return router_engine_drops(r->re)[why] - r->before[why];
}

unsigned rig_notices(struct rig *r, enum notice_kind kind, struct notice *ret)
{
    struct notice ev;
    unsigned n = 0;

    while (router_engine_notice(r->re, &ev)) {
        if (ev.kind != kind)
            continue;
        n++;
        if (ret)
            *ret = ev;
    }
    return n;
}

size_t rig_octets_to(const struct rig *r, struct endpoint ep)
{
    size_t n = 0;
    for (unsigned i = 0; i < r->out.n_dg; i++)
        n += endpoint_eq(r->out.dg[i].peer, ep) ? r->out.dg[i].len : 0;
    return n;
}

struct member *rig_member(const struct rig *r, const struct guest *g)
{
    return member_by_key(&r->re->ms, g->id.public_key);
}

/* ---- packets ---- */

static void put_head6(uint8_t *out, struct ip6 src, struct ip6 dst, uint8_t nh, uint8_t hl,
                      size_t len)
{
    assert_true(len >= IP6_HDR_LEN);
    memset(out, 0, len);
    out[0] = 0x60;
    be16_store(out + 4, (uint16_t)(len - IP6_HDR_LEN));
    out[6] = nh;
    out[7] = hl;
    memcpy(out + 8, src.b, IP6_LEN);
    memcpy(out + 24, dst.b, IP6_LEN);
}

size_t put_udp6(uint8_t *out, struct ip6 src, struct ip6 dst, size_t len)
{
    put_head6(out, src, dst, NH_UDP, 64, len);
    be16_store(out + 40, 4000);
    be16_store(out + 42, 5000);
    be16_store(out + 44, (uint16_t)(len - IP6_HDR_LEN));
    be16_store(out + 46, cksum_upper(out, NH_UDP, out + 40, len - IP6_HDR_LEN));
    return len;
}

size_t put_icmp6(uint8_t *out, struct ip6 src, struct ip6 dst, uint8_t type, uint8_t hl, size_t len)
{
    put_head6(out, src, dst, NH_ICMPV6, hl, len);
    out[40] = type;
    be16_store(out + 42, cksum_upper(out, NH_ICMPV6, out + 40, len - IP6_HDR_LEN));
    return len;
}

size_t put_echo6(uint8_t *out, struct ip6 src, struct ip6 dst, size_t len)
{
    return put_icmp6(out, src, dst, ICMP6_ECHO_REQUEST, 64, len);
}

/* ---- guests ---- */

void guest_init(struct guest *g, const struct rig *r, unsigned n, const char *ip, uint16_t port)
{
    uint8_t private_key[KEY_LEN];

    memset(g, 0, sizeof(*g));
    key_of(private_key, n);
    identity_of(&g->id, private_key);
    g->ep = ep_of(ip, port);
    cookie_purse_init(&g->purse, r->conf.public_key);
    be32_store(g->e.seed, n + 77);
    g->index = (n + 1) << 16;
    keyset_init(&g->keys, ROLE_INITIATOR);
}

void guest_login(struct guest *g, const struct rig *r)
{
    uint8_t ephemeral[KEY_LEN];
    struct login_payload lp = { .software = "test", .wanted_mtu = 1400, .tries = g->tries };

    lp.n_ciphers = (uint8_t)seal_offer(lp.ciphers);
    if (g->seal_cookie) {
        assert_true(cookie_have(&g->purse, r->now));
        lp.has_cookie = true;
        memcpy(lp.cookie, g->purse.cookie, COOKIE_LEN);
    }
    entropy_draw(&g->e, ephemeral, sizeof(ephemeral));
    assert_true(handshake_login_write(&g->hs, &g->id, r->conf.public_key, ephemeral, ++g->index,
                                      &lp, g->login));
    cookie_stamp(&g->purse, g->login, r->now);
    g->waiting = true;
}

/* True when the reply opens and its verdict is ok; its keys are then installed. */
static bool open_reply(struct guest *g, const struct rig *r, const uint8_t *p, size_t len)
{
    struct session_keys keys;
    struct keypair kp;
    uint32_t index;

    if (!g->waiting ||
        handshake_reply_open(&g->hs, &g->id, g->psk, p, len, &g->s, &index, &keys) != DROP_NONE)
        return false;
    g->waiting = false;
    if (g->s.verdict != VERDICT_OK)
        return false;
    keypair_init(&kp, (enum cipher)g->s.cipher, &keys, g->index, index, r->now);
    keyset_install(&g->keys, &kp, r->now, 0);
    return true;
}

static void take_reply(struct guest *g, const struct rig *r, const struct dgram *d)
{
    g->n_reply++;
    g->reply_len = d->len;
    memcpy(g->reply, d->p, d->len);
    (void)open_reply(g, r, d->p, d->len);
}

void guest_take_inside(struct guest *g, const struct rig *r, const struct control *c)
{
    assert_int_equal(c->type, TLV_LOGIN_REPLY);
    assert_true(open_reply(g, r, c->body, c->body_len));
}

static void take_data(struct guest *g, const struct rig *r, const struct dgram *d)
{
    struct dgram copy = *d;
    struct rx rx = { .d = &copy };
    struct got *to = &g->got[g->n_got];

    assert_true(g->n_got < GUEST_GOT && d->len <= RIG_BUF);
    memcpy(to->p, d->p, d->len); /* the router's buffer stays as it is */
    copy.p = to->p;
    to->kind = wire_data_kind(to->p);
    if (keyset_open_run(&g->keys, wire_data_index(to->p), &rx, 1, r->now) != 1)
        return;
    to->len = d->len - DATA_MIN_LEN;
    memmove(to->p, to->p + DATA_HDR_LEN, to->len);
    g->n_got++;
}

void guest_take(struct guest *g, const struct rig *r)
{
    g->n_reply = g->n_cookie = g->n_nudge = g->n_got = 0;
    for (unsigned i = 0; i < r->out.n_dg; i++) {
        const struct dgram *d = &r->out.dg[i];
        if (!endpoint_eq(d->peer, g->ep))
            continue;
        switch (wire_peek(d->p, d->len)) {
        case WIRE_LOGIN_REPLY:
            take_reply(g, r, d);
            break;
        case WIRE_COOKIE:
            g->n_cookie++;
            (void)cookie_take(&g->purse, d->p, r->now);
            break;
        case WIRE_DATA:
            take_data(g, r, d);
            break;
        case WIRE_NUDGE:
            g->n_nudge++;
            break;
        default:
            fail_msg("the router emitted something that is no message");
        }
    }
}

size_t guest_seal(struct guest *g, const struct rig *r, enum wire_kind kind, const uint8_t *plain,
                  size_t len, uint8_t *out)
{
    struct pkt pt = { .p = out, .len = (uint32_t)len };
    uint8_t k = (uint8_t)kind;

    assert_true(len + DATA_MIN_LEN <= RIG_BUF);
    if (len)
        memmove(out + DATA_HDR_LEN, plain, len);
    assert_true(keyset_seal_run(&g->keys, &pt, &k, 1, r->now));
    return pt.len;
}

void guest_send(struct guest *g, struct rig *r, enum wire_kind kind, const uint8_t *plain,
                size_t len)
{
    uint8_t b[RIG_BUF];
    size_t n = guest_seal(g, r, kind, plain, len, b);
    rig_udp(r, g->ep, b, n);
    guest_take(g, r);
}

size_t guest_seal_control(struct guest *g, const struct rig *r, const struct control *c,
                          size_t total, uint8_t *out)
{
    uint8_t tlv[RIG_BUF];
    struct wr w = wr_of(tlv, total ? total - DATA_MIN_LEN : sizeof(tlv));

    wire_ctl_put(&w, c);
    if (total)
        wire_ctl_pad(&w, total - DATA_MIN_LEN);
    assert_false(w.bad);
    return guest_seal(g, r, KIND_CONTROL, tlv, w.off, out);
}

void guest_control(struct guest *g, struct rig *r, const struct control *c, size_t total)
{
    uint8_t b[RIG_BUF];
    size_t n = guest_seal_control(g, r, c, total, b);
    rig_udp(r, g->ep, b, n);
    guest_take(g, r);
}

void guest_ask(struct guest *g, struct rig *r)
{
    guest_login(g, r);
    rig_udp(r, g->ep, g->login, LOGIN_LEN);
    guest_take(g, r);
}

void guest_confirm(struct guest *g, struct rig *r)
{
    guest_control(g, r, &(struct control){ .type = TLV_CONFIRM, .size = PROBE_MIN_LEN },
                  PROBE_MIN_LEN);
}

void guest_join(struct guest *g, struct rig *r)
{
    guest_ask(g, r);
    assert_int_equal(g->n_reply, 1);
    assert_int_equal(g->s.verdict, VERDICT_OK);
    guest_confirm(g, r);
    assert_int_equal(guest_has_control(g, TLV_CONFIRM_ACK, NULL), 1);
    assert_non_null(rig_member(r, g));
    assert_true(rig_member(r, g)->proven);
}

void guest_rejoin(struct guest *g, struct rig *r)
{
    guest_ask(g, r);
    assert_int_equal(g->n_reply, 1);
    guest_confirm(g, r);
    rig_notices(r, NOTICE_LOGIN, NULL);
}

void guest_rekey(struct guest *g, struct rig *r)
{
    struct control reply = { .number = 0 };

    guest_login(g, r);
    guest_control(
        g, r, &(struct control){ .type = TLV_LOGIN, .body = g->login, .body_len = LOGIN_LEN }, 0);
    assert_int_equal(guest_has_control(g, TLV_LOGIN_REPLY, &reply), 1);
    guest_take_inside(g, r, &reply);
    guest_confirm(g, r);
    assert_int_equal(guest_has_control(g, TLV_CONFIRM_ACK, NULL), 1);
}

void guest_ip(struct guest *g, struct rig *r, enum wire_kind kind, struct mac mac,
              const uint8_t *ip, size_t len)
{
    uint8_t b[RIG_BUF];
    size_t head = kind == KIND_HOST ? 0 : MAC_LEN;

    assert_true(head + len <= sizeof(b));
    memcpy(b, mac.b, head);
    memcpy(b + head, ip, len);
    guest_send(g, r, kind, b, head + len);
}

unsigned guest_has_control(const struct guest *g, enum tlv_type type, struct control *ret)
{
    unsigned n = 0;

    for (unsigned i = 0; i < g->n_got; i++) {
        struct rd rd = rd_of(g->got[i].p, g->got[i].len);
        struct control c;
        while (g->got[i].kind == KIND_CONTROL && wire_ctl_next(&rd, &c) > 0) {
            if (c.type != type)
                continue;
            n++;
            if (ret)
                *ret = c;
        }
    }
    return n;
}

const uint8_t *guest_packet(const struct guest *g, int type, size_t *ret_len)
{
    for (unsigned i = 0; i < g->n_got; i++) {
        const struct got *got = &g->got[i];
        size_t head = got->kind == KIND_HOST ? 0 : MAC_LEN;
        if (got->kind == KIND_CONTROL || got->len < head + IP6_HDR_LEN + 1)
            continue;
        const uint8_t *ip = got->p + head;
        if (type >= 0 && (ip[6] != NH_ICMPV6 || ip[40] != type))
            continue;
        if (ip[6] == NH_ICMPV6) /* whatever the router makes or carries, its checksum is right */
            assert_int_equal(cksum_upper(ip, NH_ICMPV6, ip + 40, got->len - head - 40), 0);
        if (ret_len)
            *ret_len = got->len - head;
        return ip;
    }
    return NULL;
}

struct ip6 guest_ll(const struct guest *g)
{
    return mac_link_local(g->s.mac);
}

struct ip6 guest_addr(const struct guest *g)
{
    assert_true(g->s.n_address > 0);
    return g->s.address[0].addr;
}
