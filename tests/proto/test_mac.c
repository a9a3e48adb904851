/* SPDX-License-Identifier: MIT */
/* test_mac.c - endpoint <-> MAC <-> address; stable identifiers; text forms */
#include <arpa/inet.h>
#include <setjmp.h>
#include <sodium.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

#include "proto/mac.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

static struct ip6 ip6(const char *text)
{
    struct ip6 a;
    if (inet_pton(AF_INET6, text, a.b) != 1)
        fail_msg("bad address in a row: %s", text);
    return a;
}

static struct prefix prefix(const char *text, uint8_t len)
{
    return (struct prefix){ .addr = ip6(text), .len = len };
}

static struct endpoint endpoint(unsigned o0, unsigned o1, unsigned o2, unsigned o3, unsigned port)
{
    return (struct endpoint){
        .ip = { { (uint8_t)o0, (uint8_t)o1, (uint8_t)o2, (uint8_t)o3 } },
        .port = be16_of((uint16_t)port),
    };
}

static uint32_t next(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8 ^ *seed << 16;
}

static void test_mac_rows(void **state)
{
    (void)state;
    static const struct {
        unsigned ep[5];
        const char *mac, *link_local;
    } rows[] = {
        { { 198, 18, 0, 1, 6464 }, "c6:12:00:01:19:40", "fe80::c412:ff:fe01:1940" },
        { { 199, 18, 0, 1, 6464 }, "c6:12:00:01:19:40", "fe80::c412:ff:fe01:1940" },
        { { 203, 0, 113, 7, 65535 }, "ca:00:71:07:ff:ff", "fe80::c800:71ff:fe07:ffff" },
        { { 0, 0, 0, 0, 0 }, "02:00:00:00:00:00", "fe80::ff:fe00:0" },
        { { 255, 255, 255, 255, 65535 }, "fe:ff:ff:ff:ff:ff", "fe80::fcff:ffff:feff:ffff" },
        { { 4, 3, 2, 1, 0x0506 }, "06:03:02:01:05:06", "fe80::403:2ff:fe01:506" },
    };
    for (size_t i = 0; i < N(rows); i++) {
        const unsigned *e = rows[i].ep;
        struct mac m = mac_of_endpoint(endpoint(e[0], e[1], e[2], e[3], e[4]));
        char text[MAC_TEXT_LEN], ll[IP6_TEXT_LEN];
        assert_string_equal(mac_text(text, m), rows[i].mac);
        assert_string_equal(ip6_text(ll, mac_link_local(m)), rows[i].link_local);
    }
}

/* All first octets, port extremes and the patterns of the other octets: the endpoint is among the
 * candidates of its MAC, and two endpoints share a MAC exactly when they differ in the two folded
 * bits only. */
static void test_mac_fold(void **state)
{
    (void)state;
    static const unsigned ports[] = { 0, 1, 255, 256, 6464, 32768, 65534, 65535 };
    for (unsigned o0 = 0; o0 < 256; o0++) {
        for (size_t k = 0; k < N(ports); k++) {
            struct endpoint ep = endpoint(o0, 255 - o0, 7, o0 / 2, ports[k]), c[4];
            struct mac m = mac_of_endpoint(ep);
            assert_int_equal(m.b[0] & 3, 2);
            assert_true(mac_is_unicast(m));
            assert_int_equal(mac_is_assigned(m), o0 >= 224);
            assert_int_equal(mac_candidates(m, c), 4);
            unsigned found = 0;
            for (unsigned i = 0; i < 4; i++) {
                found += endpoint_eq(c[i], ep);
                assert_int_equal(c[i].ip.b[0], (o0 & ~3u) + i);
                assert_true(mac_eq(mac_of_endpoint(c[i]), m));
            }
            assert_int_equal(found, 1);
        }
        for (unsigned p0 = 0; p0 < 256; p0++) {
            struct mac a = mac_of_endpoint(endpoint(o0, 1, 2, 3, 4));
            struct mac b = mac_of_endpoint(endpoint(p0, 1, 2, 3, 4));
            assert_int_equal(mac_eq(a, b), o0 / 4 == p0 / 4);
        }
    }
}

/* Every single bit of the endpoint but the two folded ones changes the MAC, in exactly one bit. */
static void test_mac_bits(void **state)
{
    (void)state;
    struct mac m = mac_of_endpoint(endpoint(93, 184, 216, 34, 40000));
    for (unsigned bit = 0; bit < 48; bit++) {
        struct endpoint ep = endpoint(93, 184, 216, 34, 40000);
        uint8_t octets[ENDPOINT_LEN];
        memcpy(octets, &ep, sizeof(octets));
        octets[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        memcpy(&ep, octets, sizeof(octets));
        struct mac other = mac_of_endpoint(ep);
        unsigned diff = 0;
        for (unsigned i = 0; i < MAC_LEN; i++)
            diff += (unsigned)__builtin_popcount(m.b[i] ^ other.b[i]);
        assert_int_equal(diff, bit < 2 ? 0 : 1);
    }
}

static void test_mac_candidates_refused(void **state)
{
    (void)state;
    struct endpoint c[4];
    for (unsigned o0 = 0; o0 < 256; o0++) {
        struct mac m = { { (uint8_t)o0, 1, 2, 3, 4, 5 } };
        assert_int_equal(mac_candidates(m, c), (o0 & 3) == 2 ? 4 : 0);
        assert_int_equal(mac_is_unicast(m), (o0 & 1) == 0);
    }
    assert_false(mac_is_unicast((struct mac){ { 0 } }));
    assert_true(mac_is_unicast((struct mac){ { 0, 0, 0, 0, 0, 1 } }));
}

static void test_mac_assigned(void **state)
{
    (void)state;
    bool first[256] = { false };
    for (uint64_t hi = 0; hi < 256; hi++) {
        uint64_t rnd = hi << 40 | UINT64_C(0x0123456789);
        struct mac m = mac_assigned(rnd);
        assert_true(mac_is_assigned(m));
        assert_true(mac_is_unicast(m));
        assert_true(mac_eq(m, mac_assigned(rnd)));
        first[m.b[0]] = true;
        /* No candidate endpoint is one that can exist. */
        struct endpoint c[4];
        assert_int_equal(mac_candidates(m, c), 4);
        for (unsigned i = 0; i < 4; i++)
            assert_true(c[i].ip.b[0] >= 224);
        assert_memory_equal(m.b + 1, "\x01\x23\x45\x67\x89", 5);
    }
    unsigned n = 0;
    for (unsigned i = 0; i < 256; i++)
        n += first[i];
    assert_int_equal(n, 8);
    for (unsigned o0 = 0; o0 < 256; o0++) {
        struct mac m = { { (uint8_t)o0, 0, 0, 0, 0, 0 } };
        assert_int_equal(mac_is_assigned(m), o0 >= 224 && o0 % 4 == 2);
    }
}

static void test_mac_eui64(void **state)
{
    (void)state;
    uint32_t seed = 1;
    for (unsigned i = 0; i < 10000; i++) {
        struct mac m, back;
        for (unsigned k = 0; k < MAC_LEN; k++)
            m.b[k] = (uint8_t)next(&seed);
        struct ip6 ll = mac_link_local(m);
        assert_true(ip6_is_link_local(ll));
        assert_true(ip6_in(ll, prefix("fe80::", 64)));
        assert_true(mac_of_eui64(ll.b + 8, &back));
        assert_true(mac_eq(m, back));
        struct ip6 a = mac_address(prefix("2001:db8:1:2::", 64), m);
        assert_true(ip6_in(a, prefix("2001:db8:1:2::", 64)));
        assert_memory_equal(a.b + 8, ll.b + 8, 8);
        ll.b[11] ^= (uint8_t)(1u << (i % 8));
        assert_false(mac_of_eui64(ll.b + 8, &back));
        ll = mac_link_local(m);
        ll.b[12] ^= (uint8_t)(1u << (i % 8));
        assert_false(mac_of_eui64(ll.b + 8, &back));
    }
    /* RFC 4291 appendix A: 34-56-78-9A-BC-DE */
    uint8_t iid[8];
    mac_eui64(iid, (struct mac){ { 0x34, 0x56, 0x78, 0x9A, 0xBC, 0xDE } });
    assert_memory_equal(iid, "\x36\x56\x78\xFF\xFE\x9A\xBC\xDE", 8);
    /* host bits of a careless prefix do not leak in */
    struct ip6 a =
        mac_address((struct prefix){ ip6("2001:db8::ffff:0:0:0:1"), 32 }, (struct mac){ { 2 } });
    assert_true(ip6_eq(a, ip6("2001:db8::ff:fe00:0")));
}

static void test_mac_groups(void **state)
{
    (void)state;
    static const struct {
        const char *addr, *group, *mac;
    } rows[] = {
        { "4037::1:800:200e:8c6c", "ff02::1:ff0e:8c6c", "33:33:ff:0e:8c:6c" }, /* RFC 4291 2.7.1 */
        { "fe80::c412:ff:fe01:1940", "ff02::1:ff01:1940", "33:33:ff:01:19:40" },
        { "::", "ff02::1:ff00:0", "33:33:ff:00:00:00" },
    };
    for (size_t i = 0; i < N(rows); i++) {
        char text[MAC_TEXT_LEN];
        struct ip6 group = ip6_solicited_node(ip6(rows[i].addr));
        assert_true(ip6_eq(group, ip6(rows[i].group)));
        assert_string_equal(mac_text(text, mac_multicast(group)), rows[i].mac);
    }
    char text[MAC_TEXT_LEN];
    assert_string_equal(mac_text(text, mac_multicast(ip6_all_nodes)), "33:33:00:00:00:01");
    assert_true(ip6_eq(ip6_all_nodes, ip6("ff02::1")));
    assert_true(ip6_eq(ip6_all_routers, ip6("ff02::2")));
    assert_true(ip6_eq(ip6_unspecified, ip6("::")));
}

static void test_iid_allowed(void **state)
{
    (void)state;
    static const struct {
        const char *name, *addr;
        unsigned plen;
        bool ok;
    } rows[] = {
        { "::0", "2001:db8::", 64, false },
        { "::1", "2001:db8::1", 64, false },
        { "::2", "2001:db8::2", 64, true },
        { "1 in another octet", "2001:db8::1:0", 64, true },
        { "EUI-64 shape", "2001:db8::1234:56ff:fe78:9abc", 64, false },
        { "EUI-64 shape, U/L clear", "2001:db8::ff:fe00:0", 64, false },
        { "ff:fd", "2001:db8::1234:56ff:fd78:9abc", 64, true },
        { "fe:fe", "2001:db8::1234:56fe:fe78:9abc", 64, true },
        { "fe:ff the wrong way", "2001:db8::1234:56fe:ff78:9abc", 64, true },
        { "RFC 5453 registry: first of IANA's", "2001:db8::200:5eff:fe00:0", 64, false },
        { "RFC 5453 registry: proxy mobile IPv6", "2001:db8::200:5eff:fe00:5213", 64, false },
        { "RFC 5453 registry: last of IANA's", "2001:db8::200:5eff:feff:ffff", 64, false },
        { "RFC 5453: before the subnet anycasts", "2001:db8::fdff:ffff:ffff:ff7f", 64, true },
        { "RFC 5453: first subnet anycast", "2001:db8::fdff:ffff:ffff:ff80", 64, false },
        { "RFC 5453: mobile home agents", "2001:db8::fdff:ffff:ffff:fffe", 64, false },
        { "RFC 5453: last subnet anycast", "2001:db8::fdff:ffff:ffff:ffff", 64, false },
        { "behind them", "2001:db8::fe00:0:0:0", 64, true },
        { "fcff", "2001:db8::fcff:ffff:ffff:ff80", 64, true },
        { "shorter prefix, EUI-64 shape", "2001:db8::1234:56ff:fe78:9abc", 48, false },
        { "shorter prefix, identifier 0, subnet not", "2001:db8:0:5::", 48, false },
        { "shorter prefix, anycast", "2001:db8::fdff:ffff:ffff:ff80", 32, false },
        { "/65 ::0", "2001:db8:0:0:8000::", 65, false },
        { "/65 ::1", "2001:db8:0:0:8000::1", 65, false },
        { "/65 ::2", "2001:db8:0:0:8000::2", 65, true },
        { "/65 EUI-64 shape is no EUI-64", "2001:db8::1234:56ff:fe78:9abc", 65, true },
        { "/65 no 64-bit registry", "2001:db8::fdff:ffff:ffff:ff80", 65, true },
        { "/112 0", "2001:db8::ff:fe12:0", 112, false },
        { "/112 1", "2001:db8::ff:fe12:1", 112, false },
        { "/112 inside an EUI-64 shaped prefix", "2001:db8::ff:fe12:2", 112, true },
        { "/126 0", "2001:db8::4", 126, false },
        { "/126 1", "2001:db8::5", 126, false },
        { "/126 2", "2001:db8::6", 126, true },
        { "/126 3", "2001:db8::7", 126, true },
    };
    for (size_t i = 0; i < N(rows); i++)
        if (iid_allowed(ip6(rows[i].addr), rows[i].plen) != rows[i].ok)
            fail_msg("%s", rows[i].name);
}

/* The naive twin: bit by bit, and BLAKE2b called over the concatenation spelled out. */
static struct ip6 iid_twin(const uint8_t *secret, const uint8_t *client, struct prefix p,
                           uint32_t try)
{
    uint8_t in[32 + 16 + 1 + 4], hash[16];
    struct ip6 a = p.addr;
    memcpy(in, client, 32);
    memcpy(in + 32, p.addr.b, 16);
    in[48] = p.len;
    for (int i = 0; i < 4; i++)
        in[49 + i] = (uint8_t)(try >> (24 - 8 * i));
    crypto_generichash(hash, 16, in, 53, secret, 32);
    for (unsigned bit = p.len < 64 ? 64 : p.len; bit < 128; bit++) {
        uint8_t one = (uint8_t)(0x80u >> (bit % 8));
        a.b[bit / 8] = (uint8_t)((a.b[bit / 8] & ~one) | (hash[bit / 8] & one));
    }
    return a;
}

static void test_iid_stable(void **state)
{
    (void)state;
    static const uint8_t lens[] = { 0, 32, 48, 56, 63, 64, 65, 80, 96, 111, 112, 119, 126 };
    uint8_t secret[32], client[32];
    memset(secret, 0x5E, sizeof(secret));
    memset(client, 0xC1, sizeof(client));
    unsigned taken = 0, refused = 0;
    for (size_t k = 0; k < N(lens); k++) {
        struct prefix p = { ip6_mask(ip6("2001:db8:a5a5:5a5a:a5a5:5a5a:a5a5:5a58"), lens[k]),
                            lens[k] };
        for (uint32_t try = 0; try < 200; try++) {
            struct ip6 twin = iid_twin(secret, client, p, try);
            struct ip6 a = ip6_all_nodes;
            bool ok = iid_stable(secret, client, p, try, &a);
            assert_int_equal(ok, iid_allowed(twin, p.len));
            assert_true(ip6_eq(a, ok ? twin : ip6_all_nodes));
            assert_true(!ok || ip6_in(a, p));
            taken += ok;
            refused += !ok;
        }
    }
    /* 2 of 4 identifiers of a /126 are refused: both branches were seen. */
    assert_true(refused >= 50);
    assert_true(taken >= 2000);
}

/* Each input matters, and nothing else does. */
static void test_iid_inputs(void **state)
{
    (void)state;
    uint8_t secret[32] = { 1 }, client[32] = { 2 };
    struct prefix p = prefix("2001:db8:1::", 64);
    struct ip6 a, b;
    assert_true(iid_stable(secret, client, p, 0, &a));
    assert_true(iid_stable(secret, client, p, 0, &b));
    assert_true(ip6_eq(a, b));
    assert_true(iid_stable(secret, client, (struct prefix){ ip6("2001:db8:1::77"), 64 }, 0, &b));
    assert_true(ip6_eq(a, b)); /* host bits of the prefix are not an input */
    assert_true(iid_stable(secret, client, p, 1, &b));
    assert_false(ip6_eq(a, b));
    assert_true(iid_stable(secret, client, prefix("2001:db8:1::", 63), 0, &b));
    assert_false(ip6_eq(a, b));
    assert_true(iid_stable(secret, client, prefix("2001:db8:2::", 64), 0, &b));
    assert_memory_not_equal(a.b + 8, b.b + 8, 8); /* not linkable across prefixes */
    for (unsigned bit = 0; bit < 256; bit++) {
        secret[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_true(iid_stable(secret, client, p, 0, &b));
        assert_false(ip6_eq(a, b));
        secret[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        client[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        assert_true(iid_stable(secret, client, p, 0, &b));
        assert_false(ip6_eq(a, b));
        client[bit / 8] ^= (uint8_t)(1u << (bit % 8));
    }
}

static void test_ip6_predicates(void **state)
{
    (void)state;
    static const struct {
        const char *addr;
        bool unspecified, loopback, multicast, link_local, v4mapped;
    } rows[] = {
        { "::", true, false, false, false, false },
        { "::1", false, true, false, false, false },
        { "::2", false, false, false, false, false },
        { "1::1", false, false, false, false, false },
        { "fe80::1", false, false, false, true, false },
        { "febf:ffff::1", false, false, false, true, false },
        { "fec0::1", false, false, false, false, false },
        { "fe7f::1", false, false, false, false, false },
        { "fd80::1", false, false, false, false, false },
        { "ff00::", false, false, true, false, false },
        { "ff02::1", false, false, true, false, false },
        { "feff::1", false, false, false, false, false },
        { "::ffff:192.0.2.1", false, false, false, false, true },
        { "::ffff:0:0", false, false, false, false, true },
        { "::fffe:192.0.2.1", false, false, false, false, false },
        { "::1:ffff:192.0.2.1", false, false, false, false, false },
        { "8000::ffff:192.0.2.1", false, false, false, false, false },
    };
    for (size_t i = 0; i < N(rows); i++) {
        struct ip6 a = ip6(rows[i].addr);
        if (ip6_is_unspecified(a) != rows[i].unspecified ||
            ip6_is_loopback(a) != rows[i].loopback || ip6_is_multicast(a) != rows[i].multicast ||
            ip6_is_link_local(a) != rows[i].link_local || ip6_is_v4mapped(a) != rows[i].v4mapped)
            fail_msg("%s", rows[i].addr);
    }
}

static void test_ip6_routable(void **state)
{
    static const struct {
        const char *addr;
        uint8_t len;
        bool routable;
    } rows[] = {
        { "ff00::", 8, false },
        { "ff02::", 16, false },
        { "ff02::1", 128, false },
        { "fe80::", 10, false },
        { "fe80::", 64, false },
        { "febf::", 16, false },
        { "::1", 128, false },
        { "::", 128, false },
        { "::", 127, false },
        { "::ffff:0:0", 96, false },
        { "::ffff:c000:201", 128, false },
        { "::", 1, true },
        { "8000::", 1, true },
        { "fe00::", 7, true },
        { "fe80::", 9, true },
        { "fec0::", 10, true },
        { "fc00::", 7, true },
        { "2000::", 3, true },
        { "2001:db8::", 32, true },
        { "64:ff9b::", 96, true },
        { "::", 126, true },
        { "::2", 128, true },
        { "::ffff:0:0", 95, true },
        { "::", 0, true },
    };
    (void)state;
    for (size_t i = 0; i < N(rows); i++)
        if (ip6_routable(prefix(rows[i].addr, rows[i].len)) != rows[i].routable)
            fail_msg("%s/%u", rows[i].addr, rows[i].len);
}

/* All lengths and all single-bit differences. */
static void test_ip6_mask(void **state)
{
    (void)state;
    struct ip6 ones, a;
    memset(ones.b, 0xFF, sizeof(ones.b));
    for (unsigned len = 0; len <= 128; len++) {
        a = ip6_mask(ones, len);
        for (unsigned bit = 0; bit < 128; bit++) {
            assert_int_equal(a.b[bit / 8] >> (7 - bit % 8) & 1, bit < len);
            struct ip6 other = ones;
            other.b[bit / 8] ^= (uint8_t)(0x80u >> (bit % 8));
            assert_int_equal(ip6_in(other, (struct prefix){ ones, (uint8_t)len }), bit >= len);
        }
    }
    assert_true(ip6_eq(ip6_mask(ones, 200), ones));
}

static void test_text(void **state)
{
    (void)state;
    static const struct {
        const char *in, *out;
    } rows[] = {
        /* RFC 5952 4.1 to 4.3 */
        { "2001:0db8::0001", "2001:db8::1" },
        { "2001:db8:0:0:0:0:2:1", "2001:db8::2:1" },
        { "2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1" },
        { "2001:0:0:1:0:0:0:1", "2001:0:0:1::1" },
        { "2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1" },
        { "2001:DB8::ABCD", "2001:db8::abcd" },
        { "0:0:0:0:0:0:0:0", "::" },
        { "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff" },
    };
    char buf[IP6_TEXT_LEN], ep[EP_TEXT_LEN], mac[MAC_TEXT_LEN];
    for (size_t i = 0; i < N(rows); i++)
        assert_string_equal(ip6_text(buf, ip6(rows[i].in)), rows[i].out);
    uint32_t seed = 7;
    for (unsigned i = 0; i < 20000; i++) {
        struct ip6 a;
        for (unsigned k = 0; k < IP6_LEN; k++)
            a.b[k] = next(&seed) % 3 ? 0 : (uint8_t)next(&seed);
        assert_ptr_equal(ip6_text(buf, a), buf);
        assert_true(ip6_eq(ip6(buf), a)); /* read back by the C library */
        assert_null(strpbrk(buf, "ABCDEF"));
    }
    assert_string_equal(endpoint_text(ep, endpoint(0, 0, 0, 0, 0)), "0.0.0.0:0");
    assert_string_equal(endpoint_text(ep, endpoint(198, 18, 0, 1, 6464)), "198.18.0.1:6464");
    assert_string_equal(endpoint_text(ep, endpoint(255, 255, 255, 255, 65535)),
                        "255.255.255.255:65535");
    assert_string_equal(mac_text(mac, (struct mac){ { 0, 1, 0x0a, 0xab, 0xff, 9 } }),
                        "00:01:0a:ab:ff:09");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mac_rows),       cmocka_unit_test(test_mac_fold),
        cmocka_unit_test(test_mac_bits),       cmocka_unit_test(test_mac_candidates_refused),
        cmocka_unit_test(test_mac_assigned),   cmocka_unit_test(test_mac_eui64),
        cmocka_unit_test(test_mac_groups),     cmocka_unit_test(test_iid_allowed),
        cmocka_unit_test(test_iid_stable),     cmocka_unit_test(test_iid_inputs),
        cmocka_unit_test(test_ip6_predicates), cmocka_unit_test(test_ip6_routable),
        cmocka_unit_test(test_ip6_mask),       cmocka_unit_test(test_text),
    };
    return sodium_init() < 0 ? 1 : cmocka_run_group_tests(tests, NULL, NULL);
}
