/* SPDX-License-Identifier: MIT */
/* tlv.c - type-length-value runs: lengths of every type, the reading loop, writing */
#include "proto/tlv.h"

static const struct rule {
    uint8_t type, place;
    uint16_t min, max; /* octets of the value */
    bool repeatable;
} rules[] = {
    { TLV_SOFTWARE, IN_LOGIN, 1, SOFTWARE_MAX, false },
    { TLV_CIPHERS, IN_LOGIN, 1, CIPHERS_MAX, false },
    { TLV_WANTED_MTU, IN_LOGIN, 2, 2, false },
    { TLV_COOKIE, IN_LOGIN, COOKIE_LEN, COOKIE_LEN, false },
    { TLV_TRY, IN_LOGIN, 1, 1, false },
    { TLV_VERDICT, IN_SETTINGS, 4, 4, false },
    { TLV_SEEN, IN_SETTINGS, ENDPOINT_LEN, ENDPOINT_LEN, false },
    { TLV_MAC, IN_SETTINGS, MAC_LEN, MAC_LEN, false },
    { TLV_ROUTER_MAC, IN_SETTINGS, MAC_LEN, MAC_LEN, false },
    { TLV_CIPHER, IN_SETTINGS, 1, 1, false },
    { TLV_MTU, IN_SETTINGS, 4, 4, false },
    { TLV_KEEPALIVE, IN_SETTINGS, 2, 2, false },
    { TLV_SEGMENT, IN_SETTINGS, 2 + IP6_LEN, 2 + IP6_LEN, false },
    { TLV_ADDRESS, IN_SETTINGS, 1 + IP6_LEN, 1 + IP6_LEN, true },
    { TLV_DELEGATED, IN_SETTINGS, 1 + IP6_LEN, 1 + IP6_LEN, true },
    { TLV_ROUTE, IN_SETTINGS, 1 + IP6_LEN, 1 + IP6_LEN, true },
    { TLV_DNS, IN_SETTINGS, IP6_LEN, IP6_LEN, true },
    { TLV_SEARCH, IN_SETTINGS, 1, SEARCH_LEN, true },
    { TLV_OLD_PREFIX, IN_SETTINGS, 5 + IP6_LEN, 5 + IP6_LEN, true },
    { TLV_CONFIRM, IN_CONTROL, 2, 2, true },
    { TLV_CONFIRM_ACK, IN_CONTROL, 2, 2, true },
    { TLV_KEEPALIVE_REQ, IN_CONTROL, 8, 8, true },
    { TLV_KEEPALIVE_ACK, IN_CONTROL, 8, 8, true },
    { TLV_MTU_PROBE, IN_CONTROL, 2, 2, true },
    { TLV_MTU_PROBE_ACK, IN_CONTROL, 2, 2, true },
    { TLV_MTU_SET, IN_CONTROL, 2, 2, true },
    { TLV_SETTINGS, IN_CONTROL, 8, UINT16_MAX, true },
    { TLV_LOGIN, IN_CONTROL, LOGIN_LEN, LOGIN_LEN, true },
    { TLV_LOGIN_REPLY, IN_CONTROL, LOGIN_REPLY_MIN, LOGIN_REPLY_MAX, true },
    { TLV_LOGIN_AGAIN, IN_CONTROL, 0, 0, true },
    { TLV_GOODBYE, IN_CONTROL, 1, 1, true },
    { TLV_FRAGMENT, IN_CONTROL, 0, 0, true },
    { TLV_FRAG_PROBE, IN_CONTROL, 2, 2, true },
    { TLV_FRAG_PROBE_ACK, IN_CONTROL, 2, 2, true },
};

static const struct rule *rule_of(unsigned type, enum tlv_place place)
{
    for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
        if (rules[i].type == type && rules[i].place == place)
            return &rules[i];
    return NULL;
}

bool octets_zero(const uint8_t *p, size_t len)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != 0)
            return false;
    return true;
}

bool u16_between(const uint8_t *p, uint16_t min, uint16_t max, uint16_t *ret)
{
    *ret = be16_load(p);
    return *ret >= min && *ret <= max;
}

/* next_any() - the next TLV that is not padding: 1; 0 at the end; -1 malformed, r->bad is set */
static int next_any(struct rd *r, struct tlv *t)
{
    while (!r->bad) {
        size_t left = rd_left(r);
        if (left < TLV_HDR_LEN) {
            r->bad = !octets_zero(r->p + r->off, left);
            r->off += r->bad ? 0 : left;
            return r->bad ? -1 : 0;
        }
        t->type = rd_u16(r);
        t->len = rd_u16(r);
        t->p = rd_bytes(r, t->len);
        if (!t->p)
            return -1;
        if (t->type != TLV_PAD)
            return 1;
        r->bad = !octets_zero(t->p, t->len);
    }
    return -1;
}

int tlv_next(struct rd *r, struct tlv *t, enum tlv_place place, uint32_t *seen)
{
    int ret;

    while ((ret = next_any(r, t)) == 1) {
        const struct rule *rule = rule_of(t->type, place);
        if (!rule)
            continue;
        bool again = t->type < 32 && (*seen >> t->type & 1);
        if (t->len < rule->min || t->len > rule->max || (again && !rule->repeatable)) {
            r->bad = true;
            return -1;
        }
        if (t->type < 32)
            *seen |= UINT32_C(1) << t->type;
        return 1;
    }
    return ret;
}

bool tlv_len_ok(enum tlv_type type, enum tlv_place place, size_t len)
{
    const struct rule *rule = rule_of(type, place);

    return rule && len >= rule->min && len <= rule->max;
}

uint8_t *tlv_room(struct wr *w, enum tlv_type type, size_t len)
{
    uint8_t *p = len <= UINT16_MAX ? wr_room(w, TLV_HDR_LEN + len) : NULL;
    if (!p) {
        w->bad = true;
        return NULL;
    }
    be16_store(p, (uint16_t)type);
    be16_store(p + 2, (uint16_t)len);
    return p + TLV_HDR_LEN;
}

void tlv_put(struct wr *w, enum tlv_type type, const void *value, size_t len)
{
    uint8_t *p = tlv_room(w, type, len);
    if (p && len)
        memcpy(p, value, len);
}

void tlv_put_u16(struct wr *w, enum tlv_type type, uint16_t x)
{
    be16 v = be16_of(x);
    tlv_put(w, type, &v, sizeof(v));
}
