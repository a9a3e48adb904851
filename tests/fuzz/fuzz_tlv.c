/* SPDX-License-Identifier: MIT */
/* fuzz_tlv.c - login payloads, settings, control messages: what is read is written and read again
 *
 * Input: one octet, mod 3: login payload, settings, control; the rest are the TLVs.
 */
#include <stdlib.h>

#include "fuzz.h"
#include "proto/wire.h"

/* Compared by field: there are holes in the structures. */
static void login_eq(const struct login_payload *a, const struct login_payload *b)
{
    FUZZ_CHECK(strcmp(a->software, b->software) == 0 && a->n_ciphers == b->n_ciphers);
    FUZZ_CHECK(memcmp(a->ciphers, b->ciphers, a->n_ciphers) == 0);
    FUZZ_CHECK(a->wanted_mtu == b->wanted_mtu && a->tries == b->tries);
    FUZZ_CHECK(a->has_cookie == b->has_cookie);
    FUZZ_CHECK(!a->has_cookie || memcmp(a->cookie, b->cookie, COOKIE_LEN) == 0);
}

static void login(const uint8_t *p, size_t len)
{
    struct login_payload lp, again;
    uint8_t out[LOGIN_PAYLOAD_LEN];

    if (!wire_get_login_payload(p, len, &lp))
        return;
    FUZZ_CHECK(lp.n_ciphers >= 1 && lp.n_ciphers <= CIPHERS_MAX);
    FUZZ_CHECK(lp.wanted_mtu == 0 ||
               (lp.wanted_mtu >= INNER_MTU_MIN && lp.wanted_mtu <= INNER_MTU_MAX));
    wire_put_login_payload(out, &lp);
    FUZZ_CHECK(wire_get_login_payload(out, sizeof(out), &again));
    login_eq(&lp, &again);
}

static void prefixes_eq(const struct prefix *a, const struct prefix *b, unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        FUZZ_CHECK(prefix_eq(a[i], b[i]));
}

static void settings_eq(const struct settings *a, const struct settings *b)
{
    FUZZ_CHECK(a->verdict == b->verdict && a->reason == b->reason && a->backoff_s == b->backoff_s);
    FUZZ_CHECK(endpoint_eq(a->seen, b->seen) && mac_eq(a->mac, b->mac));
    FUZZ_CHECK(mac_eq(a->router_mac, b->router_mac) && a->cipher == b->cipher);
    FUZZ_CHECK(a->mtu_min == b->mtu_min && a->mtu_max == b->mtu_max);
    FUZZ_CHECK(a->keepalive_s == b->keepalive_s && a->segment_flags == b->segment_flags);
    prefixes_eq(&a->segment, &b->segment, 1);
    FUZZ_CHECK(a->n_address == b->n_address && a->n_delegated == b->n_delegated);
    FUZZ_CHECK(a->n_route == b->n_route && a->n_dns == b->n_dns && a->n_search == b->n_search);
    for (unsigned i = 0; i < a->n_address; i++)
        FUZZ_CHECK(ip6_eq(a->address[i].addr, b->address[i].addr) &&
                   a->address[i].plen == b->address[i].plen);
    FUZZ_CHECK(a->n_old == b->n_old);
    for (unsigned i = 0; i < a->n_old; i++) {
        FUZZ_CHECK(a->old[i].valid_s == b->old[i].valid_s);
        prefixes_eq(&a->old[i].prefix, &b->old[i].prefix, 1);
    }
    prefixes_eq(a->delegated, b->delegated, a->n_delegated);
    prefixes_eq(a->route, b->route, a->n_route);
    for (unsigned i = 0; i < a->n_dns; i++)
        FUZZ_CHECK(ip6_eq(a->dns[i], b->dns[i]));
    for (unsigned i = 0; i < a->n_search; i++)
        FUZZ_CHECK(strcmp(a->search[i], b->search[i]) == 0);
}

static void settings(const uint8_t *p, size_t len)
{
    struct settings s, again;
    bool partial = true;

    if (!wire_get_settings(p, len, &s))
        return;
    FUZZ_CHECK(s.n_address <= ADDRESSES_MAX && s.n_old <= OLD_PREFIXES);
    FUZZ_CHECK(s.n_route <= ROUTES_MAX && s.n_dns <= DNS_MAX);
    uint8_t *out = malloc(SETTINGS_MAX);
    FUZZ_CHECK(out);
    size_t n = wire_put_settings(out, SETTINGS_MAX, &s, &partial);
    FUZZ_CHECK(n <= SETTINGS_MAX && !partial);
    FUZZ_CHECK(wire_get_settings(out, n, &again));
    settings_eq(&s, &again);
    /* a reply has less room: what is left out is left out whole */
    n = wire_put_settings(out, REPLY_PAYLOAD_MAX, &s, &partial);
    FUZZ_CHECK(n <= REPLY_PAYLOAD_MAX && wire_get_settings(out, n, &again));
    FUZZ_CHECK(partial || again.n_search == s.n_search);
    free(out);
}

static void control(const uint8_t *p, size_t len)
{
    struct rd r = rd_of(p, len);
    uint8_t *out = malloc(len + 1);
    struct wr w = wr_of(out, len);
    struct control c, again;
    unsigned n = 0;
    int more;

    FUZZ_CHECK(out);
    while ((more = wire_ctl_next(&r, &c)) == 1) {
        size_t at = w.off;
        FUZZ_CHECK(!c.body_len || (c.body >= p && c.body + c.body_len <= p + len));
        wire_ctl_put(&w, &c);
        FUZZ_CHECK(!w.bad); /* what was read has room where it came from */
        struct rd back = rd_of(out + at, w.off - at);
        FUZZ_CHECK(wire_ctl_next(&back, &again) == 1);
        FUZZ_CHECK(c.type == again.type && c.size == again.size && c.number == again.number);
        FUZZ_CHECK(c.goodbye == again.goodbye && c.body_len == again.body_len);
        FUZZ_CHECK(!c.body_len || memcmp(c.body, again.body, c.body_len) == 0);
        FUZZ_CHECK(++n <= len);
    }
    FUZZ_CHECK(more == 0 || r.bad);
    FUZZ_CHECK(wire_ctl_next(&r, &c) == more); /* the end stays the end */
    wire_ctl_pad(&w, len);                     /* padding is skipped */
    struct rd back = rd_of(out, w.off);
    while (wire_ctl_next(&back, &c) == 1)
        n--;
    FUZZ_CHECK(n == 0 && !back.bad);
    free(out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    if (len == 0)
        return 0;
    uint8_t *p = fuzz_exact(data + 1, len - 1);
    unsigned which = data[0] % 3;
    if (which == 0)
        login(p, len - 1);
    else if (which == 1)
        settings(p, len - 1);
    else
        control(p, len - 1);
    (void)wire_peek(p, len - 1);
    free(p);
    return 0;
}
