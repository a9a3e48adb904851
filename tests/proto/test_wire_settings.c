/* SPDX-License-Identifier: MIT */
/* test_wire_settings.c - settings: ranges, repetition, what is required, what is left out when room
 * is short */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/wire.h"
#include "tlv_build.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* a value of every type that is right, and how long values of that type may be */
static const struct {
    unsigned type;
    size_t len, min, max;
    unsigned times; /* how often it may stand */
    const char *value;
} tlvs[] = {
    { TLV_VERDICT, 4, 4, 4, 1, "\0\0\0\0" },
    { TLV_SEEN, 6, 6, 6, 1, "\xc6\x33\x64\x07\x19\x40" },
    { TLV_MAC, 6, 6, 6, 1, "\xc6\x33\x64\x07\x19\x40" },
    { TLV_ROUTER_MAC, 6, 6, 6, 1, "\xca\x00\x71\x01\x19\x40" },
    { TLV_CIPHER, 1, 1, 1, 1, "\2" },
    { TLV_MTU, 4, 4, 4, 1, "\5\0\5\x9a" },
    { TLV_KEEPALIVE, 2, 2, 2, 1, "\0\x14" },
    { TLV_SEGMENT, 18, 18, 18, 1, "\3\x40\x20\1\r\xb8\0\1\0\0\0\0\0\0\0\0\0\0" },
    { TLV_ADDRESS, 17, 17, 17, 4, "\x40\x20\1\r\xb8\0\1\0\0\0\0\0\0\0\0\0\2" },
    { TLV_DELEGATED, 17, 17, 17, 4, "\x38\x20\1\r\xb8\0\1\xff\0\0\0\0\0\0\0\0\0" },
    { TLV_ROUTE, 17, 17, 17, 16, "\x30\x20\1\r\xb8\0\2\0\0\0\0\0\0\0\0\0\0" },
    { TLV_DNS, 16, 16, 16, 4, "\x20\1\r\xb8\0\1\0\0\0\0\0\0\0\0\0\1" },
    { TLV_SEARCH, 3, 1, 126, 4, "a.b" },
    { TLV_OLD_PREFIX, 21, 21, 21, 3, "\0\0\x1c\x20\x40\x20\1\r\xb8\0\2\0\0\0\0\0\0\0\0\0\0" },
    /* types of other places and of the future */
    { TLV_COOKIE, 0, 0, 300, 40, "" },
    { 30, 0, 0, 300, 40, "" },
    { TLV_CONFIRM, 0, 0, 300, 40, "" },
    { 0xfffe, 0, 0, 300, 40, "" },
};

#define N_KNOWN 14

static bool get(const struct run *r, struct settings *s)
{
    uint8_t *p = exact(r->p, r->len);
    bool ok = wire_get_settings(p, r->len, s);
    free(p);
    return ok;
}

/* needed_but() - everything required, but for @type */
static struct run needed_but(unsigned type)
{
    static const unsigned req[] = { TLV_VERDICT, TLV_MAC, TLV_ROUTER_MAC,
                                    TLV_CIPHER,  TLV_MTU, TLV_KEEPALIVE };
    struct run r;

    r.len = 0;
    for (size_t i = 0; i < COUNT(req); i++)
        for (size_t k = 0; k < COUNT(tlvs); k++)
            if (tlvs[k].type == req[i] && tlvs[k].type != type)
                run_add(&r, tlvs[k].type, tlvs[k].len, tlvs[k].value);
    return r;
}

/* value_is_ok() - everything required, and @value for @type */
static bool value_is_ok(unsigned type, size_t len, const void *value, struct settings *s)
{
    struct run r = needed_but(type);
    run_add(&r, type, len, value);
    return get(&r, s);
}

static void every_length(void **state)
{
    (void)state;
    struct settings s;

    for (size_t i = 0; i < COUNT(tlvs); i++)
        for (size_t len = 0; len < 300; len++) {
            uint8_t value[300];
            memset(value, tlvs[i].type == TLV_SEARCH ? 'a' : 0, sizeof(value));
            memcpy(value, tlvs[i].value, tlvs[i].len);
            assert_int_equal(value_is_ok(tlvs[i].type, len, value, &s),
                             len >= tlvs[i].min && len <= tlvs[i].max);
        }
}

static void repeated(void **state)
{
    (void)state;
    struct settings s;

    for (size_t i = 0; i < COUNT(tlvs); i++)
        for (unsigned times = 1; times <= 20; times++) {
            struct run r = needed_but(tlvs[i].type);
            for (unsigned k = 0; k < times; k++)
                run_add(&r, tlvs[i].type, tlvs[i].len, tlvs[i].value);
            assert_int_equal(get(&r, &s), times <= tlvs[i].times);
        }
}

static void required(void **state)
{
    (void)state;
    struct settings s;

    for (unsigned verdict = 0; verdict <= 3; verdict++)
        for (unsigned type = TLV_VERDICT; type <= TLV_OLD_PREFIX; type++) {
            struct run r = needed_but(type);
            if (type != TLV_VERDICT)
                r.p[4] = (uint8_t)verdict;
            bool need =
                type == TLV_VERDICT || (verdict == 0 && type != TLV_SEEN && type <= TLV_KEEPALIVE);
            assert_int_equal(get(&r, &s), !need);
        }
    struct run none;
    none.len = 0;
    assert_false(get(&none, &s));
    run_add(&none, TLV_VERDICT, 4, "\3\0\0\x0a");
    assert_true(get(&none, &s));
    assert_int_equal(s.verdict, VERDICT_BUSY);
    assert_int_equal(s.backoff_s, 10);
    none.p[4] = VERDICT_OK;
    assert_false(get(&none, &s));
}

static void every_verdict_and_reason(void **state)
{
    (void)state;
    struct settings s;

    for (unsigned v = 0; v < 256; v++)
        for (unsigned reason = 0; reason < 256; reason += reason < 8 ? 1 : 31) {
            uint8_t value[4] = { (uint8_t)v, (uint8_t)reason, 0xff, 0xfe };
            bool ok = value_is_ok(TLV_VERDICT, 4, value, &s);
            assert_int_equal(ok, v <= VERDICT_BUSY && (reason == 0 || v == VERDICT_REFUSED));
            if (ok) {
                assert_int_equal(s.verdict, v);
                assert_int_equal(s.reason, reason);
                assert_int_equal(s.backoff_s, 0xfffe);
            }
        }
}

static void every_first_octet_of_a_mac(void **state)
{
    (void)state;
    struct settings s;

    for (unsigned o = 0; o < 256; o++) {
        uint8_t mac[6] = { (uint8_t)o, 1, 2, 3, 4, 5 };
        bool ok = (o & 1) == 0 && (o & 2) != 0; /* unicast, locally administered */
        assert_int_equal(value_is_ok(TLV_MAC, 6, mac, &s), ok);
        assert_int_equal(value_is_ok(TLV_ROUTER_MAC, 6, mac, &s), ok);
        assert_int_equal(value_is_ok(TLV_CIPHER, 1, mac, &s), o != 0);
        uint8_t seg[18] = { (uint8_t)o, 8, 0x20 };
        assert_true(value_is_ok(TLV_SEGMENT, 18, seg, &s));
        assert_int_equal(s.segment_flags, o & 7); /* flags of the future are ignored */
    }
}

static void numbers_in_range(void **state)
{
    (void)state;
    struct settings s;

    for (unsigned v = 0; v <= 0xffff; v += v > 1300 && v < 8900 ? 97 : v > 9100 ? 911 : 1) {
        uint8_t b[2] = { (uint8_t)(v >> 8), (uint8_t)v };
        assert_int_equal(value_is_ok(TLV_KEEPALIVE, 2, b, &s), v >= 5 && v <= 120);
        uint8_t least[4] = { b[0], b[1], 0x1f, 0x40 }; /* most 8000 */
        assert_int_equal(value_is_ok(TLV_MTU, 4, least, &s), v >= 1280 && v <= 8000);
        uint8_t most[4] = { 0x05, 0x14, b[0], b[1] }; /* least 1300 */
        assert_int_equal(value_is_ok(TLV_MTU, 4, most, &s), v >= 1300 && v <= 9000);
    }
}

static void endpoints(void **state)
{
    static const struct {
        const char *octets;
        bool ok;
    } rows[] = {
        { "\xc6\x33\x64\x07\x19\x40", true }, { "\0\0\0\0\x19\x40", false },
        { "\xc6\x33\x64\x07\0\0", false },    { "\0\0\0\1\0\1", true },
        { "\xff\xff\xff\xff\xff\xff", true }, { "\0\0\0\0\0\0", false },
    };
    (void)state;
    struct settings s;

    for (size_t i = 0; i < COUNT(rows); i++) {
        assert_int_equal(value_is_ok(TLV_SEEN, 6, rows[i].octets, &s), rows[i].ok);
        if (rows[i].ok)
            assert_memory_equal(&s.seen, rows[i].octets, 6);
    }
}

/* One bit set in turn, every prefix length: right when no bit lies behind the length. */
static void every_prefix_length_and_bit(void **state)
{
    static const struct {
        unsigned type, flags;
    } rows[] = { { TLV_SEGMENT, 1 }, { TLV_DELEGATED, 0 }, { TLV_ROUTE, 0 } };
    (void)state;
    struct settings s;

    for (size_t i = 0; i < COUNT(rows); i++)
        for (unsigned plen = 0; plen < 256; plen += plen < 132 ? 1 : 41)
            for (unsigned bit = 0; bit < 128; bit++) {
                uint8_t v[18] = { 0 };
                uint8_t *p = v + rows[i].flags;
                p[0] = (uint8_t)plen;
                p[1 + bit / 8] = (uint8_t)(0x80 >> bit % 8);
                bool ok = plen >= 1 && plen <= 128 && bit < plen;
                assert_int_equal(value_is_ok(rows[i].type, 17 + rows[i].flags, v, &s), ok);
            }
    uint8_t group[17] = { 16, 0xff, 0x02 };
    assert_false(value_is_ok(TLV_ROUTE, 17, group, &s));
    assert_false(value_is_ok(TLV_DELEGATED, 17, group, &s));
}

static void addresses(void **state)
{
    static const struct {
        const char *name;
        uint8_t a[16];
        bool ok;
    } rows[] = {
        { "global", { 0x20, 1, 0x0d, 0xb8, [15] = 1 }, true },
        { "ULA", { 0xfd, 0, [15] = 1 }, true },
        { "link-local", { 0xfe, 0x80, [15] = 1 }, true },
        { "::", { 0 }, false },
        { "::1", { [15] = 1 }, false },
        { "::2", { [15] = 2 }, true },
        { "1:: (first octets zero but one)", { 0, 1 }, true },
        { "multicast", { 0xff, 2, [15] = 1 }, false },
    };
    (void)state;
    struct settings s;

    for (size_t i = 0; i < COUNT(rows); i++) {
        uint8_t v[17] = { 64 };
        memcpy(v + 1, rows[i].a, 16);
        if (value_is_ok(TLV_DNS, 16, rows[i].a, &s) != rows[i].ok ||
            value_is_ok(TLV_ADDRESS, 17, v, &s) != rows[i].ok)
            fail_msg("%s", rows[i].name);
    }
    for (unsigned plen = 0; plen < 256; plen++) {
        uint8_t v[17] = { (uint8_t)plen, 0x20, [16] = 1 };
        assert_int_equal(value_is_ok(TLV_ADDRESS, 17, v, &s), plen >= 1 && plen <= 128);
    }
}

static void every_octet_of_a_domain(void **state)
{
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
    (void)state;
    struct settings s;

    for (unsigned c = 0; c < 256; c++) {
        uint8_t v[3] = { 'x', (uint8_t)c, 'y' };
        assert_int_equal(value_is_ok(TLV_SEARCH, 3, v, &s), c && strchr(allowed, (int)c) != NULL);
    }
}

/* A run cut anywhere but between two TLVs is malformed. */
static void cut_anywhere(void **state)
{
    (void)state;
    struct settings s;
    struct run r, cut;
    size_t ends[COUNT(tlvs)];

    r.len = 0;
    for (size_t i = 0; i < N_KNOWN; i++) {
        run_add(&r, tlvs[i].type, tlvs[i].len, tlvs[i].value);
        ends[i] = r.len;
    }
    for (size_t len = 0; len <= r.len; len++) {
        bool whole = false;
        cut = r;
        cut.len = len;
        for (size_t i = 6; i < N_KNOWN; i++) /* from KEEPALIVE on nothing required is missing */
            whole |= len == ends[i] || len == ends[i] + 1; /* a 0 alone is padding */
        whole &= len <= r.len;
        assert_int_equal(get(&cut, &s), whole);
    }
}

static struct prefix random_prefix(uint64_t *seed)
{
    struct prefix p = { .len = (uint8_t)(1 + rnd_below(seed, 128)) };

    for (unsigned bit = 0; bit < p.len; bit++)
        if (rnd_below(seed, 2))
            p.addr.b[bit / 8] |= (uint8_t)(0x80 >> bit % 8);
    p.addr.b[0] &= 0x3f;
    return p;
}

static struct ip6 random_address(uint64_t *seed)
{
    struct ip6 a;
    rnd_fill(seed, a.b, sizeof(a.b));
    a.b[0] = 0x20;
    return a;
}

static void random_fixed(uint64_t *seed, struct settings *s)
{
    s->verdict = (enum verdict)rnd_below(seed, 4);
    s->reason = (enum refusal)(s->verdict == VERDICT_REFUSED ? rnd_below(seed, 9) : 0);
    s->backoff_s = (uint16_t)rnd(seed);
    if (rnd_below(seed, 2)) {
        s->seen.ip = be32_of(rnd(seed) | 1);
        s->seen.port = be16_of((uint16_t)(rnd(seed) | 1));
    }
    rnd_fill(seed, s->mac.b, 6);
    rnd_fill(seed, s->router_mac.b, 6);
    s->mac.b[0] = (uint8_t)((s->mac.b[0] & 0xfc) | 2);
    s->router_mac.b[0] = (uint8_t)((s->router_mac.b[0] & 0xfc) | 2);
    s->cipher = (uint8_t)(1 + rnd_below(seed, 255));
    s->mtu_min = (uint16_t)(1280 + rnd_below(seed, 7721));
    s->mtu_max = (uint16_t)(s->mtu_min + rnd_below(seed, 9001u - s->mtu_min));
    s->keepalive_s = (uint16_t)(15 + rnd_below(seed, 106));
    if (rnd_below(seed, 2)) {
        s->segment = random_prefix(seed);
        s->segment_flags = (uint8_t)rnd_below(seed, 8);
    }
}

/* @full: as many of everything as there can be */
static struct settings random_settings(uint64_t *seed, bool full)
{
    struct settings s;

    memset(&s, 0, sizeof(s));
    random_fixed(seed, &s);
    s.n_address = (uint8_t)(full ? ADDRESSES_MAX : rnd_below(seed, ADDRESSES_MAX + 1));
    s.n_delegated =
        (uint8_t)(full ? DELEGATED_PER_MEMBER : rnd_below(seed, DELEGATED_PER_MEMBER + 1));
    s.n_route = (uint8_t)(full ? ROUTES_MAX : rnd_below(seed, ROUTES_MAX + 1));
    s.n_dns = (uint8_t)(full ? DNS_MAX : rnd_below(seed, DNS_MAX + 1));
    s.n_search = (uint8_t)(full ? SEARCH_MAX : rnd_below(seed, SEARCH_MAX + 1));
    for (unsigned i = 0; i < s.n_address; i++) {
        s.address[i].addr = random_address(seed);
        s.address[i].plen = (uint8_t)(1 + rnd_below(seed, 128));
    }
    s.n_old = (uint8_t)(full ? OLD_PREFIXES : rnd_below(seed, OLD_PREFIXES + 1));
    for (unsigned i = 0; i < s.n_old; i++) {
        s.old[i].prefix = random_prefix(seed);
        s.old[i].valid_s = 1 + rnd_below(seed, UINT32_MAX);
    }
    for (unsigned i = 0; i < s.n_delegated; i++)
        s.delegated[i] = random_prefix(seed);
    for (unsigned i = 0; i < s.n_route; i++)
        s.route[i] = random_prefix(seed);
    for (unsigned i = 0; i < s.n_dns; i++)
        s.dns[i] = random_address(seed);
    for (unsigned i = 0; i < s.n_search; i++)
        memset(s.search[i], 'a' + (int)i, full ? SEARCH_LEN : 1 + rnd_below(seed, SEARCH_LEN));
    return s;
}

static void random_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 30;

    for (int round = 0; round < 3000; round++) {
        struct settings s = random_settings(&seed, false), got;
        uint8_t a[SETTINGS_MAX], b[SETTINGS_MAX];
        bool partial = true;
        size_t n = wire_put_settings(a, sizeof(a), &s, &partial);
        assert_false(partial);
        uint8_t *p = exact(a, n);
        assert_true(wire_get_settings(p, n, &got));
        free(p);
        assert_memory_equal(&got, &s, sizeof(s));
        assert_int_equal(wire_put_settings(b, n, &got, &partial), n); /* no more room than needed */
        assert_false(partial);
        assert_memory_equal(a, b, n);
    }
}

/* With every room: what is written is a beginning of the whole, ends with a whole TLV, and the next
 * one would not have fitted. */
static void partial_with_every_room(void **state)
{
    (void)state;
    uint64_t seed = 31;
    struct settings s = random_settings(&seed, true), got;
    uint8_t whole[SETTINGS_MAX], out[SETTINGS_MAX + 8];
    bool partial;

    s.verdict = VERDICT_OK;
    s.reason = REFUSAL_NONE;
    s.seen = (struct endpoint){ be32_of(1), be16_of(1) };
    s.segment = random_prefix(&seed);
    assert_int_equal(wire_put_settings(whole, sizeof(whole), &s, &partial), SETTINGS_MAX);
    assert_false(partial);
    for (size_t cap = 0; cap <= SETTINGS_MAX; cap++) {
        memset(out, 0xee, sizeof(out));
        size_t n = wire_put_settings(out, cap, &s, &partial);
        assert_true(n <= cap);
        assert_memory_equal(out, whole, n);
        assert_int_equal(partial, n < SETTINGS_MAX);
        for (size_t i = n; i < sizeof(out); i++)
            assert_int_equal(out[i], 0xee);
        if (partial)
            assert_true(n + 4u + be16_load(whole + n + 2) > cap);
        if (cap < 192)
            continue;
        assert_true(wire_get_settings(out, n, &got));
        assert_true(got.n_address == ADDRESSES_MAX && got.segment.len == s.segment.len);
        assert_true(got.keepalive_s == s.keepalive_s && mac_eq(got.mac, s.mac));
        /* least important last */
        assert_true(got.n_search == 0 || got.n_dns == DNS_MAX);
        assert_true(got.n_dns == 0 || got.n_route == ROUTES_MAX);
        assert_true(got.n_route == 0 || got.n_delegated == DELEGATED_PER_MEMBER);
        assert_true(got.n_delegated == 0 || got.n_old == OLD_PREFIXES);
    }
}

/* "a settings message never needs to be cut": the largest, in one DATA, over an inner MTU of 1280
 */
static void largest_fits_the_narrowest_path(void **state)
{
    (void)state;
    uint64_t seed = 32;
    struct settings s = random_settings(&seed, true);
    uint8_t tlvs_out[SETTINGS_MAX], plain[INNER_MTU_MIN + 6];
    bool partial;
    struct wr w = wr_of(plain, sizeof(plain)); /* what a peer packet of 1280 octets would fill */

    size_t n = wire_put_settings(tlvs_out, sizeof(tlvs_out), &s, &partial);
    assert_false(partial);
    wire_ctl_put(
        &w, &(struct control){ .type = TLV_SETTINGS, .body = tlvs_out, .body_len = (uint16_t)n });
    assert_false(w.bad);
}

static void garbage_ends(void **state)
{
    (void)state;
    uint64_t seed = 33;
    unsigned ok = 0;

    for (int round = 0; round < 5000; round++) {
        struct settings s = random_settings(&seed, false), got;
        uint8_t a[SETTINGS_MAX];
        bool partial;
        size_t n = wire_put_settings(a, sizeof(a), &s, &partial);
        for (uint32_t k = 1 + rnd_below(&seed, 3); k-- > 0;)
            a[rnd_below(&seed, (uint32_t)n)] = (uint8_t)rnd(&seed);
        uint8_t *p = exact(a, n);
        ok += wire_get_settings(p, n, &got);
        free(p);
        assert_true(got.n_address <= ADDRESSES_MAX && got.n_route <= ROUTES_MAX);
        assert_true(got.n_old <= OLD_PREFIXES);
        assert_true(got.n_dns <= DNS_MAX && got.n_search <= SEARCH_MAX);
    }
    assert_true(ok > 0 && ok < 5000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_length),
        cmocka_unit_test(repeated),
        cmocka_unit_test(required),
        cmocka_unit_test(every_verdict_and_reason),
        cmocka_unit_test(every_first_octet_of_a_mac),
        cmocka_unit_test(numbers_in_range),
        cmocka_unit_test(endpoints),
        cmocka_unit_test(every_prefix_length_and_bit),
        cmocka_unit_test(addresses),
        cmocka_unit_test(every_octet_of_a_domain),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(random_round_trip),
        cmocka_unit_test(partial_with_every_room),
        cmocka_unit_test(largest_fits_the_narrowest_path),
        cmocka_unit_test(garbage_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
