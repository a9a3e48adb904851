/* SPDX-License-Identifier: MIT */
/* receive.c - datagrams from the router: replies, control messages, packets for the TAP */
#include "client/receive.h"

#include "client/member.h"
#include "client/traffic.h"
#include "proto/frame.h"
#include "proto/nd.h"

#define LOGIN_AGAIN_AFTER (200 * NS_PER_MS) /* +-50 % */
#define RESTART_AFTER     (1 * NS_PER_S)    /* a router that shuts down may come back, +-50 % */

static enum drop nudge(struct client_engine *e, const struct turn *t, const struct dgram *d)
{
    if (!endpoint_eq(d->peer, e->tunnel.router))
        return DROP_SOURCE_EP;
    if (!tunnel_sent(&e->tunnel, wire_data_index(d->p), wire_data_counter(d->p), t->now))
        return DROP_REPLY_UNASKED;
    member_hint(e, t, 0);
    return DROP_NONE;
}

static enum drop reply(struct client_engine *e, const struct turn *t, const uint8_t *msg,
                       size_t len, const struct dgram *d, bool inside)
{
    struct login *l = &e->login;
    enum drop why = login_reply(l, &e->tunnel, t, msg, len, d->peer, d->sock, inside);

    if (why != DROP_NONE || l->state != LOGIN_CONFIRM)
        return why;
    uint16_t cap = pmtu_cap(e->tunnel.outer_mtu, e->cfg->mtu, l->settings.mtu_max);
    if (inside) {
        pmtu_recap(&e->pmtu, cap, t->now);
    } else {
        pmtu_start(&e->pmtu, cap);
        e->tunnel.fragment = true;
    }
    login_confirm(l, &e->tunnel, t, inside ? 0 : pmtu_confirm_size(&e->pmtu));
    member_prepare(e, t);
    return DROP_NONE;
}

/* mtu_answer() - a probe came back; it proves something only at its full size */
static void mtu_answer(struct client_engine *e, const struct turn *t, unsigned size, bool frag,
                       const struct dgram *d)
{
    if (size != d->len || e->state != CLIENT_UP)
        return;
    enum pmtu_news news = pmtu_answer(&e->pmtu, size, frag, t->now);
    member_path(e, t, news);
}

static void goodbye(struct client_engine *e, const struct turn *t, enum goodbye why)
{
    mono_ns when = t->now;

    turn_event(t, (struct client_event){
                      .kind = EVENT_GOODBYE, .ep = e->tunnel.router, .a = (uint32_t)why });
    if (why == GOODBYE_SHUTDOWN)
        when += time_jitter(RESTART_AFTER, 50, entropy_u32(t->rnd));
    else if (why == GOODBYE_REMOVED)
        when += time_jitter(LOGIN_REFUSED_WAIT, LOGIN_JITTER_PCT, entropy_u32(t->rnd));
    member_lost(e, t, when);
    if (why == GOODBYE_REMOVED)
        login_next_router(&e->login, t);
}

static void new_settings(struct client_engine *e, const struct turn *t, const struct control *c)
{
    struct settings s;

    if (!wire_get_settings(c->body, c->body_len, &s) || s.verdict != VERDICT_OK) {
        turn_drop(t, DROP_CONTROL, 1);
        if (!e->settings_refused) /* said once, however often the router repeats them */
            turn_event(t, (struct client_event){ .kind = EVENT_SETTINGS_REFUSED,
                                                 .ep = client_engine_towards(e) });
        e->settings_refused = true;
        return;
    }
    e->settings_refused = false;
    e->settings = s;
    member_settings(e, t);
    pmtu_recap(&e->pmtu, pmtu_cap(e->tunnel.outer_mtu, e->cfg->mtu, s.mtu_max), t->now);
}

static void answer(struct client_engine *e, const struct turn *t, const struct control *c,
                   enum tlv_type type, const struct dgram *d)
{
    struct control a = { .type = type, .size = c->size, .number = c->number };

    if (type == TLV_KEEPALIVE_ACK)
        tunnel_control(&e->tunnel, t, &a, 1, 0);
    else if (c->size == d->len)
        tunnel_probe(&e->tunnel, t, &a, 1, c->size, type == TLV_FRAG_PROBE_ACK);
}

/* login_again() - confirmed too late, somebody else has that MAC now: once more */
static void login_again(struct client_engine *e, const struct turn *t)
{
    mono_ns pause = time_jitter(LOGIN_AGAIN_AFTER, 50, entropy_u32(t->rnd));

    turn_event(t, (struct client_event){ .kind = EVENT_LOGIN_AGAIN });
    member_lost(e, t, t->now + pause);
}

static void control(struct client_engine *e, const struct turn *t, const struct control *c,
                    const struct dgram *d)
{
    enum drop why;

    switch (c->type) {
    case TLV_CONFIRM_ACK:
    case TLV_MTU_PROBE_ACK:
        mtu_answer(e, t, c->size, false, d);
        return;
    case TLV_FRAG_PROBE_ACK:
        mtu_answer(e, t, c->size, true, d);
        return;
    case TLV_KEEPALIVE_REQ:
        answer(e, t, c, TLV_KEEPALIVE_ACK, d);
        return;
    case TLV_KEEPALIVE_ACK:
        alive_answer(&e->alive, c->number, t->now);
        return;
    case TLV_MTU_PROBE:
        answer(e, t, c, TLV_MTU_PROBE_ACK, d);
        return;
    case TLV_FRAG_PROBE:
        answer(e, t, c, TLV_FRAG_PROBE_ACK, d);
        return;
    case TLV_SETTINGS:
        new_settings(e, t, c);
        return;
    case TLV_LOGIN_REPLY:
        why = reply(e, t, c->body, c->body_len, d, true);
        if (why != DROP_NONE)
            turn_drop(t, why, 1);
        return;
    case TLV_LOGIN_AGAIN:
        login_again(e, t);
        return;
    case TLV_GOODBYE:
        goodbye(e, t, c->goodbye);
        return;
    default: /* what only a router is told */
        turn_drop(t, DROP_CONTROL, 1);
    }
}

static void controls(struct client_engine *e, const struct turn *t, const struct dgram *d)
{
    struct rd r = rd_of(d->p + DATA_HDR_LEN, d->len - DATA_MIN_LEN);
    struct control c;
    int more;

    while ((more = wire_ctl_next(&r, &c)) == 1)
        control(e, t, &c, d);
    if (more < 0)
        turn_drop(t, DROP_CONTROL, 1);
}

/* says_again() - is this the router's answer that the login must be repeated? */
static bool says_again(const struct dgram *d)
{
    struct rd r = rd_of(d->p + DATA_HDR_LEN, d->len - DATA_MIN_LEN);
    struct control c;

    return wire_data_kind(d->p) == KIND_CONTROL && wire_ctl_next(&r, &c) == 1 &&
           c.type == TLV_LOGIN_AGAIN;
}

/* keep_early() - `configure: ra`: an advertisement that comes before carrier is kept until then. A
 * kernel without carrier kills the temporary address (RFC 8981) it has just made of it and, having
 * done so three times, makes no more for good. */
static bool keep_early(struct client_engine *e, const struct pkt *f)
{
    struct frame ip;

    if (e->cfg->configure != CONFIGURE_RA || e->want.carrier || f->len > sizeof(e->early) ||
        frame_parse(&ip, f->p + ETH_LEN, f->len - ETH_LEN) != DROP_NONE ||
        frame_icmp_type(&ip) != ND_RA)
        return false;
    memcpy(e->early, f->p, f->len);
    e->early_len = (uint16_t)f->len;
    return true;
}

/* inner() - a packet for the kernel. The router's first two, from which the kernel knows its MACs,
 * come ahead of the answer to the big CONFIRM and with it of carrier: a device without carrier
 * hears. */
static void inner(struct client_engine *e, const struct turn *t, const struct dgram *d,
                  struct traffic_flow *fl)
{
    struct pkt f;
    bool listens = e->want.carrier || e->state == CLIENT_UP;
    enum drop why = listens ? traffic_down(&e->want, d, fl, &f) : DROP_NOT_UP;

    if (why == DROP_NONE && !keep_early(e, &f) && !out_pkt(t->out, f.p, f.len))
        why = DROP_NO_ROOM;
    if (why != DROP_NONE) {
        turn_drop(t, why, 1);
        return;
    }
    pmtu_traffic(&e->pmtu, d->len - DATA_MIN_LEN);
    e->tap_rx_packets++;
    e->tap_rx_octets += f.len;
}

/* opened() - one DATA that opened; what comes under previous may carry packets, not decisions. The
 * flow is forgotten where the device's wants may change. */
static void opened(struct client_engine *e, const struct turn *t, const struct rx *rx,
                   struct traffic_flow *fl)
{
    bool control = wire_data_kind(rx->d->p) == KIND_CONTROL;

    if (control || rx->promoted)
        fl->ip.known = false;
    e->tunnel.rx_datagrams++;
    e->tunnel.rx_octets += rx->d->len;
    if (rx->promoted && !says_again(rx->d))
        member_confirmed(e, t);
    if (rx->slot == SLOT_CURRENT)
        member_heard(e, t);
    if (!control)
        inner(e, t, rx->d, fl);
    else if (rx->slot == SLOT_CURRENT)
        controls(e, t, rx->d);
}

/* receive_data() - DATA under one index from @in on; returns how many (>= 1) */
unsigned receive_data(struct client_engine *e, const struct turn *t, struct dgram *in, unsigned n)
{
    struct rx rx[BURST_MAX];
    uint32_t index = wire_data_index(in->p);
    struct traffic_flow fl;
    unsigned k = 0;

    fl.ip.known = false;
    while (k < n && k < BURST_MAX &&
           (k == 0 ||
            (wire_peek(in[k].p, in[k].len) == WIRE_DATA && wire_data_index(in[k].p) == index))) {
        rx[k] = (struct rx){ .d = &in[k] };
        k++;
    }
    if (keyset_slot(&e->tunnel.keys, index) == SLOT_NONE) {
        turn_drop(t, DROP_INDEX, k);
        return k;
    }
    keyset_open_run(&e->tunnel.keys, index, rx, k, t->now);
    for (unsigned i = 0; i < k; i++) {
        if (rx[i].drop == DROP_NONE)
            opened(e, t, &rx[i], &fl);
        else
            turn_drop(t, rx[i].drop, 1);
    }
    return k;
}

/* receive_other() - anything but DATA */
enum drop receive_other(struct client_engine *e, const struct turn *t, const struct dgram *d)
{
    if (d->len < sizeof(struct wire_head))
        return DROP_RUNT;
    switch (wire_peek(d->p, d->len)) {
    case WIRE_LOGIN_REPLY:
        return reply(e, t, d->p, d->len, d, false);
    case WIRE_COOKIE:
        return login_cookie(&e->login, &e->tunnel, t, d);
    case WIRE_NUDGE:
        return nudge(e, t, d);
    default:
        return DROP_TYPE;
    }
}
