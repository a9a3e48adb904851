/* SPDX-License-Identifier: MIT */
/* wire.c - the five messages, the LOGIN payload and control messages: read, checked and written */
#include "proto/wire.h"

#include <assert.h>

#include "proto/tlv.h"

/* ---- outer messages ---- */

static bool data_len_ok(uint8_t kind, size_t len)
{
    switch (kind) {
    case KIND_HOST:
    case KIND_CONTROL:
        return len >= DATA_MIN_LEN;
    case KIND_PEER:
    case KIND_MULTICAST:
        return len >= DATA_MIN_LEN + DATA_MAC_LEN;
    default:
        return false;
    }
}

enum wire_type wire_peek(const uint8_t *p, size_t len)
{
    if (len < sizeof(struct wire_head) || p[1] != WIRE_VERSION || p[3] != 0)
        return WIRE_BAD;
    if (p[0] == WIRE_DATA)
        return data_len_ok(p[2], len) ? WIRE_DATA : WIRE_BAD;
    if (p[2] != 0)
        return WIRE_BAD;
    switch (p[0]) {
    case WIRE_LOGIN:
        return len == LOGIN_LEN ? WIRE_LOGIN : WIRE_BAD;
    case WIRE_LOGIN_REPLY:
        return len >= LOGIN_REPLY_MIN && len <= LOGIN_REPLY_MAX ? WIRE_LOGIN_REPLY : WIRE_BAD;
    case WIRE_COOKIE:
        return len == COOKIE_MSG_LEN ? WIRE_COOKIE : WIRE_BAD;
    case WIRE_NUDGE:
        return len == NUDGE_LEN ? WIRE_NUDGE : WIRE_BAD;
    default:
        return WIRE_BAD;
    }
}

void wire_put_data(uint8_t *p, enum wire_kind kind, uint32_t receiver, uint64_t counter)
{
    p[0] = WIRE_DATA;
    p[1] = WIRE_VERSION;
    p[2] = (uint8_t)kind;
    p[3] = 0;
    be32_store(p + 4, receiver);
    be64_store(p + 8, counter);
}

void wire_put_nudge(uint8_t *out, const uint8_t *data)
{
    uint32_t index = wire_data_index(data);
    uint64_t counter = wire_data_counter(data);

    out[0] = WIRE_NUDGE;
    out[1] = WIRE_VERSION;
    out[2] = 0;
    out[3] = 0;
    be32_store(out + 4, index);
    be64_store(out + 8, counter);
}

/* ---- LOGIN payload ---- */

void wire_put_login_payload(uint8_t *out, const struct login_payload *lp)
{
    struct wr w = wr_of(out, LOGIN_PAYLOAD_LEN);
    size_t n = strnlen(lp->software, SOFTWARE_MAX);

    assert(lp->n_ciphers >= 1 && lp->n_ciphers <= CIPHERS_MAX);
    if (n)
        tlv_put(&w, TLV_SOFTWARE, lp->software, n);
    tlv_put(&w, TLV_CIPHERS, lp->ciphers, lp->n_ciphers);
    if (lp->wanted_mtu)
        tlv_put_u16(&w, TLV_WANTED_MTU, lp->wanted_mtu);
    if (lp->has_cookie)
        tlv_put(&w, TLV_COOKIE, lp->cookie, COOKIE_LEN);
    if (lp->tries)
        tlv_put(&w, TLV_TRY, &lp->tries, 1);
    wire_ctl_pad(&w, LOGIN_PAYLOAD_LEN);
    assert(!w.bad);
}

/* It ends up in the router's log: no octet there that could mean anything but itself. */
static bool get_printable(const struct tlv *t, char *ret)
{
    for (size_t i = 0; i < t->len; i++)
        if (t->p[i] < 0x20 || t->p[i] > 0x7e)
            return false;
    memcpy(ret, t->p, t->len);
    ret[t->len] = '\0';
    return true;
}

static bool get_login_value(const struct tlv *t, struct login_payload *lp)
{
    switch (t->type) {
    case TLV_SOFTWARE:
        return get_printable(t, lp->software);
    case TLV_CIPHERS:
        memcpy(lp->ciphers, t->p, t->len);
        lp->n_ciphers = (uint8_t)t->len;
        return memchr(t->p, 0, t->len) == NULL;
    case TLV_WANTED_MTU:
        return u16_between(t->p, INNER_MTU_MIN, INNER_MTU_MAX, &lp->wanted_mtu);
    case TLV_COOKIE:
        memcpy(lp->cookie, t->p, COOKIE_LEN);
        lp->has_cookie = true;
        return true;
    case TLV_TRY:
        lp->tries = t->p[0];
        return lp->tries >= 1 && lp->tries <= MAC_TAKEN_TRIES;
    default:
        return false; /* a row of rules[] without a case */
    }
}

bool wire_get_login_payload(const uint8_t *p, size_t len, struct login_payload *ret)
{
    struct rd r = rd_of(p, len);
    struct tlv t;
    uint32_t seen = 0;
    int more;

    memset(ret, 0, sizeof(*ret));
    while ((more = tlv_next(&r, &t, IN_LOGIN, &seen)) == 1)
        if (!get_login_value(&t, ret))
            return false;
    return more == 0 && ret->n_ciphers > 0;
}

/* ---- control messages ---- */

static bool size_ok(enum tlv_type type, uint16_t size)
{
    if (type == TLV_MTU_SET)
        return size >= INNER_MTU_MIN && size <= INNER_MTU_MAX;
    return size >= PROBE_MIN_LEN && size <= PROBE_MAX_LEN;
}

static bool get_control(const struct tlv *t, struct control *c)
{
    *c = (struct control){ .type = (enum tlv_type)t->type };
    switch (t->type) {
    case TLV_CONFIRM:
    case TLV_CONFIRM_ACK:
    case TLV_MTU_PROBE:
    case TLV_MTU_PROBE_ACK:
    case TLV_MTU_SET:
    case TLV_FRAG_PROBE:
    case TLV_FRAG_PROBE_ACK:
        c->size = be16_load(t->p);
        return size_ok(c->type, c->size);
    case TLV_KEEPALIVE_REQ:
    case TLV_KEEPALIVE_ACK:
        c->number = be64_load(t->p);
        return true;
    case TLV_SETTINGS:
    case TLV_LOGIN:
    case TLV_LOGIN_REPLY:
        c->body = t->p;
        c->body_len = t->len;
        return true;
    case TLV_LOGIN_AGAIN:
    case TLV_FRAGMENT:
        return true;
    case TLV_GOODBYE:
        c->goodbye = (enum goodbye)t->p[0];
        return true;
    default:
        return false; /* a row of rules[] without a case */
    }
}

int wire_ctl_next(struct rd *r, struct control *ret)
{
    struct tlv t;
    uint32_t seen = 0;
    int more = tlv_next(r, &t, IN_CONTROL, &seen);

    if (more == 1 && !get_control(&t, ret)) {
        r->bad = true;
        return -1;
    }
    return more;
}

void wire_ctl_put(struct wr *w, const struct control *c)
{
    be64 number = be64_of(c->number);
    uint8_t octet = (uint8_t)c->goodbye;

    switch (c->type) {
    case TLV_CONFIRM:
    case TLV_CONFIRM_ACK:
    case TLV_MTU_PROBE:
    case TLV_MTU_PROBE_ACK:
    case TLV_MTU_SET:
    case TLV_FRAG_PROBE:
    case TLV_FRAG_PROBE_ACK:
        if (size_ok(c->type, c->size))
            tlv_put_u16(w, c->type, c->size);
        else
            w->bad = true;
        return;
    case TLV_KEEPALIVE_REQ:
    case TLV_KEEPALIVE_ACK:
        tlv_put(w, c->type, &number, sizeof(number));
        return;
    case TLV_SETTINGS:
    case TLV_LOGIN:
    case TLV_LOGIN_REPLY:
        if (tlv_len_ok(c->type, IN_CONTROL, c->body_len))
            tlv_put(w, c->type, c->body, c->body_len);
        else
            w->bad = true;
        return;
    case TLV_LOGIN_AGAIN:
    case TLV_FRAGMENT:
        tlv_put(w, c->type, NULL, 0);
        return;
    case TLV_GOODBYE:
        tlv_put(w, c->type, &octet, 1);
        return;
    default:
        w->bad = true;
    }
}

void wire_ctl_pad(struct wr *w, size_t total)
{
    if (w->bad || total < w->off || total > w->len) {
        w->bad = true;
        return;
    }
    size_t n = total - w->off;
    if (n < TLV_HDR_LEN) {
        wr_zero(w, n);
        return;
    }
    uint8_t *p = tlv_room(w, TLV_PAD, n - TLV_HDR_LEN);
    if (p)
        memset(p, 0, n - TLV_HDR_LEN);
}
