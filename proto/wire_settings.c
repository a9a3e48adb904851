/* SPDX-License-Identifier: MIT */
/* wire_settings.c - what a LOGIN_REPLY and a settings message say: read, checked and written */
#include "proto/wire.h"

#include <assert.h>

#include "proto/tlv.h"

/* ---- values ---- */

/* It ends up in the client's resolver configuration: no octet there that could mean anything but
 * itself. */
static bool get_domain(const struct tlv *t, char *ret)
{
    for (size_t i = 0; i < t->len; i++) {
        uint8_t c = t->p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
        if (!letter && !(c >= '0' && c <= '9') && c != '-' && c != '_' && c != '.')
            return false;
    }
    memcpy(ret, t->p, t->len);
    ret[t->len] = '\0';
    return true;
}

/* get_mac() - what PROTOCOL.md 5 can yield: unicast, locally administered */
static bool get_mac(const uint8_t *p, struct mac *ret)
{
    *ret = mac_load(p);
    return (p[0] & 3) == 2;
}

static bool get_endpoint(const uint8_t *p, struct endpoint *ret)
{
    memcpy(ret, p, sizeof(*ret));
    return be32_get(ret->ip) != 0 && be16_get(ret->port) != 0;
}

/* get_unicast() - an address a host can have and others can reach: not ::, ::1, multicast */
static bool get_unicast(const uint8_t *p, struct ip6 *ret)
{
    *ret = ip6_load(p);
    return p[0] != 0xff && !(octets_zero(p, IP6_LEN - 1) && p[IP6_LEN - 1] <= 1);
}

/* get_prefix() - length 1..128 and prefix, host bits zero, not multicast */
static bool get_prefix(const uint8_t *p, struct prefix *ret)
{
    ret->len = p[0];
    ret->addr = ip6_load(p + 1);
    if (ret->len < 1 || ret->len > 128 || ret->addr.b[0] == 0xff)
        return false;
    unsigned whole = ret->len / 8, rest = ret->len % 8;
    if (rest && (ret->addr.b[whole] & (0xff >> rest)))
        return false;
    unsigned first = whole + (rest ? 1 : 0);
    return octets_zero(ret->addr.b + first, IP6_LEN - first);
}

static void put_prefix(struct wr *w, enum tlv_type type, const uint8_t *addr, uint8_t plen)
{
    uint8_t *p = tlv_room(w, type, 1 + IP6_LEN);
    if (!p)
        return;
    p[0] = plen;
    memcpy(p + 1, addr, IP6_LEN);
}

/* ---- settings ---- */

static void put_fixed(struct wr *w, const struct settings *s)
{
    uint8_t v[4] = { (uint8_t)s->verdict, (uint8_t)s->reason };

    be16_store(v + 2, s->backoff_s);
    tlv_put(w, TLV_VERDICT, v, sizeof(v));
    if (!octets_zero((const uint8_t *)&s->seen, ENDPOINT_LEN))
        tlv_put(w, TLV_SEEN, &s->seen, ENDPOINT_LEN);
    if (!octets_zero(s->mac.b, MAC_LEN))
        tlv_put(w, TLV_MAC, s->mac.b, MAC_LEN);
    if (!octets_zero(s->router_mac.b, MAC_LEN))
        tlv_put(w, TLV_ROUTER_MAC, s->router_mac.b, MAC_LEN);
    if (s->cipher)
        tlv_put(w, TLV_CIPHER, &s->cipher, 1);
    if (s->mtu_min || s->mtu_max) {
        be16_store(v, s->mtu_min);
        be16_store(v + 2, s->mtu_max);
        tlv_put(w, TLV_MTU, v, sizeof(v));
    }
    if (s->keepalive_s)
        tlv_put_u16(w, TLV_KEEPALIVE, s->keepalive_s);
}

static void put_segment(struct wr *w, const struct settings *s)
{
    uint8_t v[2 + IP6_LEN] = { s->segment_flags, s->segment.len };

    memcpy(v + 2, s->segment.addr.b, IP6_LEN);
    if (s->segment.len)
        tlv_put(w, TLV_SEGMENT, v, sizeof(v));
}

static void put_old(struct wr *w, const struct seg_old *o)
{
    uint8_t v[5 + IP6_LEN];

    be32_store(v, o->valid_s);
    v[4] = o->prefix.len;
    memcpy(v + 5, o->prefix.addr.b, IP6_LEN);
    tlv_put(w, TLV_OLD_PREFIX, v, sizeof(v));
}

size_t wire_put_settings(uint8_t *out, size_t cap, const struct settings *s, bool *ret_partial)
{
    struct wr w = wr_of(out, cap);

    assert(s->n_address <= ADDRESSES_MAX && s->n_old <= OLD_PREFIXES &&
           s->n_delegated <= DELEGATED_PER_MEMBER && s->n_route <= ROUTES_MAX &&
           s->n_dns <= DNS_MAX && s->n_search <= SEARCH_MAX);
    /* w.bad sticks, so the first TLV that does not fit is also the end. */
    put_fixed(&w, s);
    put_segment(&w, s);
    for (unsigned i = 0; i < s->n_address; i++)
        put_prefix(&w, TLV_ADDRESS, s->address[i].addr.b, s->address[i].plen);
    for (unsigned i = 0; i < s->n_old; i++) /* a client that misses one ends its connections */
        put_old(&w, &s->old[i]);
    for (unsigned i = 0; i < s->n_delegated; i++)
        put_prefix(&w, TLV_DELEGATED, s->delegated[i].addr.b, s->delegated[i].len);
    for (unsigned i = 0; i < s->n_route; i++)
        put_prefix(&w, TLV_ROUTE, s->route[i].addr.b, s->route[i].len);
    for (unsigned i = 0; i < s->n_dns; i++)
        tlv_put(&w, TLV_DNS, s->dns[i].b, IP6_LEN);
    for (unsigned i = 0; i < s->n_search; i++)
        tlv_put(&w, TLV_SEARCH, s->search[i], strnlen(s->search[i], SEARCH_LEN));
    *ret_partial = w.bad;
    return w.off;
}

/* get_verdict() - a reason belongs to a refusal; which reasons there are may grow */
static bool get_verdict(const uint8_t *p, struct settings *s)
{
    s->verdict = (enum verdict)p[0];
    s->reason = (enum refusal)p[1];
    s->backoff_s = be16_load(p + 2);
    return p[0] <= VERDICT_BUSY && (p[1] == 0 || p[0] == VERDICT_REFUSED);
}

static bool get_address(const uint8_t *p, struct settings *s)
{
    if (s->n_address == ADDRESSES_MAX)
        return false;
    struct seg_addr *a = &s->address[s->n_address++];
    a->plen = p[0];
    return p[0] >= 1 && p[0] <= 128 && get_unicast(p + 1, &a->addr);
}

static bool get_old(const uint8_t *p, struct settings *s)
{
    if (s->n_old == OLD_PREFIXES)
        return false;
    struct seg_old *o = &s->old[s->n_old++];
    o->valid_s = be32_load(p);
    return o->valid_s > 0 && get_prefix(p + 4, &o->prefix);
}

static bool get_settings_value(const struct tlv *t, struct settings *s)
{
    switch (t->type) {
    case TLV_VERDICT:
        return get_verdict(t->p, s);
    case TLV_SEEN:
        return get_endpoint(t->p, &s->seen);
    case TLV_MAC:
        return get_mac(t->p, &s->mac);
    case TLV_ROUTER_MAC:
        return get_mac(t->p, &s->router_mac);
    case TLV_CIPHER:
        s->cipher = t->p[0];
        return s->cipher != 0;
    case TLV_MTU:
        return u16_between(t->p, INNER_MTU_MIN, INNER_MTU_MAX, &s->mtu_min) &&
               u16_between(t->p + 2, s->mtu_min, INNER_MTU_MAX, &s->mtu_max);
    case TLV_KEEPALIVE:
        return u16_between(t->p, KEEPALIVE_MIN_S, KEEPALIVE_MAX_S, &s->keepalive_s);
    case TLV_SEGMENT:
        s->segment_flags = t->p[0] & SEGMENT_FLAGS;
        return get_prefix(t->p + 1, &s->segment);
    case TLV_ADDRESS:
        return get_address(t->p, s);
    case TLV_DELEGATED:
        return s->n_delegated < DELEGATED_PER_MEMBER &&
               get_prefix(t->p, &s->delegated[s->n_delegated++]);
    case TLV_ROUTE:
        return s->n_route < ROUTES_MAX && get_prefix(t->p, &s->route[s->n_route++]);
    case TLV_DNS:
        return s->n_dns < DNS_MAX && get_unicast(t->p, &s->dns[s->n_dns++]);
    case TLV_SEARCH:
        return s->n_search < SEARCH_MAX && get_domain(t, s->search[s->n_search++]);
    case TLV_OLD_PREFIX:
        return get_old(t->p, s);
    default:
        return false; /* a row of rules[] without a case */
    }
}

bool wire_get_settings(const uint8_t *p, size_t len, struct settings *ret)
{
    const uint32_t for_ok = UINT32_C(1) << TLV_MAC | UINT32_C(1) << TLV_ROUTER_MAC |
                            UINT32_C(1) << TLV_CIPHER | UINT32_C(1) << TLV_MTU |
                            UINT32_C(1) << TLV_KEEPALIVE;
    struct rd r = rd_of(p, len);
    struct tlv t;
    uint32_t seen = 0;
    int more;

    memset(ret, 0, sizeof(*ret));
    while ((more = tlv_next(&r, &t, IN_SETTINGS, &seen)) == 1)
        if (!get_settings_value(&t, ret))
            return false;
    if (more != 0 || !(seen >> TLV_VERDICT & 1))
        return false;
    return ret->verdict != VERDICT_OK || (seen & for_ok) == for_ok;
}
