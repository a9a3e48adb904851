/* SPDX-License-Identifier: MIT */
/* control.c - control messages between the router and a member */
#include "router/adverts.h"
#include "router/state.h"

#define CONTROLS_PER_DGRAM 4u

void control_send(struct router_engine *re, struct member *m, const struct control *c, size_t total,
                  struct out *out)
{
    size_t room = total > DATA_MIN_LEN ? total - DATA_MIN_LEN : 8u + c->body_len + 8u;
    uint8_t *p = out_alloc(out, PKT_HEADROOM + room + PKT_TAILROOM);

    if (!p) {
        engine_drop(re, DROP_NO_ROOM);
        return;
    }
    p += PKT_HEADROOM;
    struct wr w = wr_of(p, room);
    wire_ctl_put(&w, c);
    if (total > DATA_MIN_LEN)
        wire_ctl_pad(&w, room);
    enum drop why = w.bad ? DROP_CONTROL : txq_control(&re->txq, m, p, w.off);
    if (why)
        engine_drop(re, why);
}

void control_challenge(struct router_engine *re, struct member *m, uint64_t number, struct out *out)
{
    struct control c = { .type = TLV_KEEPALIVE_REQ, .number = number };

    m->challenge = number;
    control_send(re, m, &c, 0, out);
}

void control_settings(struct router_engine *re, struct member *m, mono_ns now, struct out *out)
{
    uint8_t tlv[SETTINGS_MAX];
    struct settings s;
    bool partial;
    const struct ip6 *address = &m->eui_global;

    if (re->conf->addressing == ADDRESSING_STABLE)
        address = bindings_assigned(&re->b, m);
    admit_settings(&re->admit, &s, m->client, m->mac, m->ep, address, now);
    s.cipher = m->keys.current.cipher;
    size_t len = wire_put_settings(tlv, sizeof(tlv), &s, &partial);
    struct control c = { .type = TLV_SETTINGS, .body = tlv, .body_len = (uint16_t)len };
    control_send(re, m, &c, 0, out);
}

/* The answer to a probe has the probe's size, so that both directions are proved; one that claims
 * another size than it has proves nothing. */
static void answer_probe(struct router_engine *re, struct member *m, enum tlv_type type,
                         const struct control *c, const struct dgram *d, struct out *out)
{
    if (c->size != d->len) {
        engine_drop(re, DROP_CONTROL);
        return;
    }
    struct control ack = { .type = type, .size = c->size };
    unsigned before = re->txq.n;
    control_send(re, m, &ack, c->size, out);
    if (re->txq.n > before)
        txq_df(&re->txq, type == TLV_FRAG_PROBE_ACK ? TXQ_FRAGMENTS : TXQ_WHOLE);
}

static void login_within(struct router_engine *re, struct member *m, const struct control *c,
                         mono_ns now, struct entropy *e, struct out *out)
{
    uint8_t reply[LOGIN_REPLY_MAX];
    size_t len;

    if (re->logins_left == 0) {
        engine_drop(re, DROP_LOGIN_RATE);
        return;
    }
    re->logins_left--;
    enum drop why = admit_inside(&re->admit, m, c->body, now, e, reply, &len);
    if (why)
        engine_drop(re, why);
    if (len == 0)
        return;
    struct control back = { .type = TLV_LOGIN_REPLY, .body = reply, .body_len = (uint16_t)len };
    control_send(re, m, &back, 0, out);
}

static void set_mtu(struct router_engine *re, struct member *m, uint16_t mtu, mono_ns now,
                    struct out *out)
{
    m->fragment = false; /* unless FRAGMENT follows */
    if (re->conf->mtu && mtu > re->conf->mtu)
        mtu = re->conf->mtu;
    if (mtu == m->mtu)
        return;
    m->mtu = mtu;
    inner_advert(re, m, m->link_local, now, out);
}

static void control_one(struct router_engine *re, struct member *m, enum keypair_slot slot,
                        const struct control *c, const struct dgram *d, mono_ns now,
                        struct entropy *e, struct out *out)
{
    struct control back = { .number = c->number };

    switch (c->type) {
    case TLV_CONFIRM:
        answer_probe(re, m, TLV_CONFIRM_ACK, c, d, out);
        return;
    case TLV_MTU_PROBE:
        answer_probe(re, m, TLV_MTU_PROBE_ACK, c, d, out);
        return;
    case TLV_FRAG_PROBE:
        answer_probe(re, m, TLV_FRAG_PROBE_ACK, c, d, out);
        return;
    case TLV_KEEPALIVE_REQ:
        back.type = TLV_KEEPALIVE_ACK;
        control_send(re, m, &back, 0, out);
        return;
    case TLV_KEEPALIVE_ACK:
        if (!m->proven && m->challenge && c->number == m->challenge && endpoint_eq(d->peer, m->ep))
            m->proven = true;
        return;
    case TLV_MTU_SET:
        set_mtu(re, m, c->size, now, out);
        return;
    case TLV_FRAGMENT:
        m->fragment = true;
        return;
    case TLV_LOGIN:
        login_within(re, m, c, now, e, out);
        return;
    case TLV_GOODBYE:
        if (slot == SLOT_CURRENT)
            engine_leave(re, m, LOGOUT_GOODBYE, now);
        return;
    default: /* what only the router sends */
        engine_drop(re, DROP_CONTROL);
        return;
    }
}

void control_packet(struct router_engine *re, struct member *m, enum keypair_slot slot,
                    struct dgram *d, mono_ns now, struct entropy *e, struct out *out)
{
    struct rd r = rd_of(d->p + DATA_HDR_LEN, d->len - DATA_MIN_LEN);
    struct control c;
    bool probed = false;
    int got = 0;

    /* A datagram full of small requests must not draw a flood of answers, and of probes, which are
     * answered at their own size, only the first is (PROTOCOL.md 4). */
    for (unsigned n = 0; n < CONTROLS_PER_DGRAM && (got = wire_ctl_next(&r, &c)) > 0; n++) {
        bool probe = c.type == TLV_CONFIRM || c.type == TLV_MTU_PROBE || c.type == TLV_FRAG_PROBE;
        if (probe && probed)
            engine_drop(re, DROP_CONTROL);
        else
            control_one(re, m, slot, &c, d, now, e, out);
        probed |= probe;
    }
    if (got < 0)
        engine_drop(re, DROP_CONTROL);
}
