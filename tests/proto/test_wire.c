/* SPDX-License-Identifier: MIT */
/* test_wire.c - the five messages, padding of TLV runs, the LOGIN payload */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/wire.h"
#include "tlv_build.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

/* ---- outer messages ---- */

static const struct {
    uint8_t type, kind;
    size_t min, max;
} shapes[] = {
    { WIRE_LOGIN, 0, 1200, 1200 },
    { WIRE_LOGIN_REPLY, 0, 60, 1200 },
    { WIRE_COOKIE, 0, 64, 64 },
    { WIRE_DATA, KIND_HOST, 32, SIZE_MAX },
    { WIRE_DATA, KIND_PEER, 38, SIZE_MAX },
    { WIRE_DATA, KIND_MULTICAST, 38, SIZE_MAX },
    { WIRE_DATA, KIND_CONTROL, 32, SIZE_MAX },
    { WIRE_NUDGE, 0, 16, 16 },
};

static enum wire_type expected(uint8_t type, uint8_t kind, size_t len)
{
    for (size_t i = 0; i < COUNT(shapes); i++)
        if (shapes[i].type == type && shapes[i].kind == kind && len >= shapes[i].min &&
            len <= shapes[i].max)
            return (enum wire_type)type;
    return WIRE_BAD;
}

static void peek_every_length_type_and_kind(void **state)
{
    (void)state;
    for (size_t len = 0; len <= 1300; len++) {
        uint8_t *p = calloc(1, len ? len : 1);
        for (unsigned type = 0; type < 256 && len >= 4; type += type < 8 ? 1 : 31)
            for (unsigned kind = 0; kind < 256; kind += kind < 8 ? 1 : 31) {
                p[0] = (uint8_t)type;
                p[1] = WIRE_VERSION;
                p[2] = (uint8_t)kind;
                assert_int_equal(wire_peek(p, len), expected(p[0], p[2], len));
            }
        if (len < 4)
            assert_int_equal(wire_peek(p, len), WIRE_BAD);
        free(p);
    }
}

static void peek_every_head_octet(void **state)
{
    (void)state;
    uint8_t p[1200] = { 0 };

    for (size_t i = 0; i < COUNT(shapes); i++)
        for (unsigned octet = 0; octet < 4; octet++)
            for (unsigned v = 0; v < 256; v++) {
                uint8_t head[4] = { shapes[i].type, WIRE_VERSION, shapes[i].kind, 0 };
                head[octet] = (uint8_t)v;
                memcpy(p, head, 4);
                enum wire_type want = head[1] == 1 && head[3] == 0
                                          ? expected(head[0], head[2], shapes[i].min)
                                          : WIRE_BAD;
                assert_int_equal(wire_peek(p, shapes[i].min), want);
            }
}

static void peek_longest_datagram(void **state)
{
    (void)state;
    uint8_t *p = calloc(1, PROBE_MAX_LEN);

    for (size_t i = 0; i < COUNT(shapes); i++) {
        memcpy(p, (uint8_t[4]){ shapes[i].type, WIRE_VERSION, shapes[i].kind, 0 }, 4);
        assert_int_equal(wire_peek(p, PROBE_MAX_LEN),
                         shapes[i].type == WIRE_DATA ? WIRE_DATA : WIRE_BAD);
    }
    free(p);
}

/* "No message before authentication is longer than its trigger": over every length that peek takes.
 */
static void answers_are_not_longer_than_triggers(void **state)
{
    (void)state;
    unsigned logins = 0, datas = 0;

    for (size_t len = 4; len <= 1300; len++) {
        uint8_t *p = calloc(1, len);
        for (size_t i = 0; i < COUNT(shapes); i++) {
            memcpy(p, (uint8_t[4]){ shapes[i].type, WIRE_VERSION, shapes[i].kind, 0 }, 4);
            enum wire_type t = wire_peek(p, len);
            if (t == WIRE_LOGIN) {
                assert_true(sizeof(struct wire_cookie) <= len);
                assert_true(sizeof(struct wire_login_reply) + REPLY_PAYLOAD_MAX + TAG_LEN <= len);
                logins++;
            } else if (t == WIRE_DATA) {
                uint8_t *nudge = malloc(NUDGE_LEN);
                wire_put_nudge(nudge, p);
                assert_int_equal(wire_peek(nudge, NUDGE_LEN), WIRE_NUDGE);
                assert_true(NUDGE_LEN <= len);
                free(nudge);
                datas++;
            } else if (t == WIRE_LOGIN_REPLY) {
                assert_true(len <= LOGIN_LEN); /* no longer one is taken for a reply either */
            }
        }
        free(p);
    }
    assert_int_equal(logins, 1);
    assert_true(datas > 4 * 1200);
}

static void data_header_round_trip(void **state)
{
    static const uint64_t counters[] = { 0, 1, 0xff, UINT64_C(1) << 28, UINT64_MAX };
    static const uint32_t indices[] = { 0, 1, 0x01020304, UINT32_MAX };
    (void)state;
    uint8_t buf[1 + 38 + 1];

    for (unsigned kind = KIND_HOST; kind <= KIND_CONTROL; kind++)
        for (size_t i = 0; i < COUNT(counters) * COUNT(indices); i++) {
            uint32_t index = indices[i % COUNT(indices)];
            uint64_t counter = counters[i / COUNT(indices)];
            memset(buf, 0xee, sizeof(buf));
            uint8_t *p = buf + 1;
            wire_put_data(p, (enum wire_kind)kind, index, counter);
            assert_int_equal(buf[0], 0xee);
            assert_int_equal(p[16], 0xee);
            assert_int_equal(wire_peek(p, 38), WIRE_DATA);
            assert_int_equal(wire_data_kind(p), kind);
            assert_true(wire_data_index(p) == index);
            assert_true(wire_data_counter(p) == counter);
            wire_put_nudge(p, p); /* in place */
            assert_int_equal(p[16], 0xee);
            assert_int_equal(wire_peek(p, NUDGE_LEN), WIRE_NUDGE);
            assert_true(wire_data_index(p) == index);
            assert_true(wire_data_counter(p) == counter);
        }
}

/* ---- LOGIN payload ---- */

static bool get_login(const struct run *r, struct login_payload *lp)
{
    uint8_t *p = exact(r->p, r->len);
    bool ok = wire_get_login_payload(p, r->len, lp);
    free(p);
    return ok;
}

/* Every length of every TLV of the LOGIN payload; the values are in range. */
static void login_every_length(void **state)
{
    static const struct {
        unsigned type;
        size_t min, max;
    } rows[] = {
        { TLV_SOFTWARE, 1, 32 }, { TLV_CIPHERS, 1, 8 }, { TLV_WANTED_MTU, 2, 2 },
        { TLV_COOKIE, 16, 16 },  { TLV_TRY, 1, 1 },     { 6, 0, 300 },
        { TLV_VERDICT, 0, 300 }, { TLV_MAC, 0, 300 },   { TLV_CONFIRM, 0, 300 },
        { 0xffff, 0, 300 },
    };
    (void)state;
    uint8_t value[300];
    struct login_payload lp;

    memset(value, 'a', sizeof(value));
    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t len = 0; len < sizeof(value); len++) {
            struct run r = { .len = 0 };
            uint8_t mtu[300] = { 5, 0x75 }, once[300] = { 1 };
            const uint8_t *v = rows[i].type == TLV_WANTED_MTU ? mtu
                               : rows[i].type == TLV_TRY      ? once
                                                              : value;
            if (rows[i].type != TLV_CIPHERS)
                run_add(&r, TLV_CIPHERS, 1, "\1");
            run_add(&r, rows[i].type, len, v);
            assert_int_equal(get_login(&r, &lp), len >= rows[i].min && len <= rows[i].max);
        }
}

static void login_every_mtu(void **state)
{
    (void)state;
    struct login_payload lp;

    for (unsigned mtu = 0; mtu <= 0xffff; mtu++) {
        struct run r = { .len = 0 };
        uint8_t v[2] = { (uint8_t)(mtu >> 8), (uint8_t)mtu };
        run_add(&r, TLV_CIPHERS, 1, "\1");
        run_add(&r, TLV_WANTED_MTU, 2, v);
        bool ok = wire_get_login_payload(r.p, r.len, &lp);
        assert_int_equal(ok, mtu >= 1280 && mtu <= 9000);
        if (ok)
            assert_int_equal(lp.wanted_mtu, mtu);
        if (mtu > 1300 && mtu < 8990)
            mtu += 7;
    }
}

static void login_every_octet_of_text_and_ciphers(void **state)
{
    (void)state;
    struct login_payload lp;

    for (unsigned c = 0; c < 256; c++) {
        struct run r = { .len = 0 };
        uint8_t v[3] = { 'x', (uint8_t)c, 'y' };
        run_add(&r, TLV_SOFTWARE, 3, v);
        run_add(&r, TLV_CIPHERS, 1, "\1");
        assert_int_equal(get_login(&r, &lp), c >= 0x20 && c <= 0x7e);
        r.len = 0;
        run_add(&r, TLV_CIPHERS, 3, v);
        assert_int_equal(get_login(&r, &lp), c != 0); /* unknown ones are for the chooser to skip */
        if (c)
            assert_memory_equal(lp.ciphers, v, 3);
    }
}

static void login_every_try(void **state)
{
    (void)state;
    struct login_payload lp;

    for (unsigned n = 0; n < 256; n++) {
        struct run r = { .len = 0 };
        uint8_t v = (uint8_t)n;
        run_add(&r, TLV_CIPHERS, 1, "\1");
        run_add(&r, TLV_TRY, 1, &v);
        assert_int_equal(get_login(&r, &lp), n >= 1 && n <= 3);
    }
}

static void login_repeated_and_missing(void **state)
{
    static const struct {
        unsigned type;
        size_t len;
        const char *value;
    } tlvs[] = {
        { TLV_SOFTWARE, 1, "a" },      { TLV_CIPHERS, 1, "\1" },
        { TLV_WANTED_MTU, 2, "\5\0" }, { TLV_COOKIE, 16, "0123456789abcdef" },
        { TLV_TRY, 1, "\3" },
    };
    (void)state;
    struct login_payload lp;

    for (size_t twice = 0; twice <= COUNT(tlvs); twice++) {
        struct run r = { .len = 0 };
        for (size_t i = 0; i < COUNT(tlvs); i++)
            run_add(&r, tlvs[i].type, tlvs[i].len, tlvs[i].value);
        if (twice < COUNT(tlvs))
            run_add(&r, tlvs[twice].type, tlvs[twice].len, tlvs[twice].value);
        assert_int_equal(get_login(&r, &lp), twice == COUNT(tlvs));
    }
    for (size_t without = 0; without < COUNT(tlvs); without++) {
        struct run r = { .len = 0 };
        for (size_t i = COUNT(tlvs); i-- > 0;) /* descending: any order is taken */
            if (i != without)
                run_add(&r, tlvs[i].type, tlvs[i].len, tlvs[i].value);
        assert_int_equal(get_login(&r, &lp), tlvs[without].type != TLV_CIPHERS);
        assert_int_equal(lp.has_cookie, tlvs[without].type != TLV_COOKIE);
    }
    struct run none = { .len = 0 };
    assert_false(get_login(&none, &lp));
}

static void padding_has_one_encoding(void **state)
{
    static const struct {
        const char *name;
        size_t len;
        const char *octets;
        bool ok;
    } rows[] = {
        { "nothing", 0, "", true },
        { "one zero", 1, "\0", true },
        { "two zeros", 2, "\0\0", true },
        { "three zeros", 3, "\0\0\0", true },
        { "empty PAD", 4, "\0\0\0\0", true },
        { "empty PAD, three zeros", 7, "\0\0\0\0\0\0\0", true },
        { "PAD of 2", 6, "\0\0\0\2\0\0", true },
        { "one octet not zero", 1, "\1", false },
        { "last of two not zero", 2, "\0\1", false },
        { "last of three not zero", 3, "\0\0\1", false },
        { "header cut", 3, "\0\1\0", false },
        { "PAD past the end", 5, "\0\0\0\2\0", false },
        { "PAD with an octet", 5, "\0\0\0\1\1", false },
        { "PAD whose last octet is not zero", 7, "\0\0\0\3\0\0\1", false },
        { "unknown type past the end", 5, "\x40\0\0\2\0", false },
        { "unknown type of the longest length", 4, "\x40\0\xff\xff", false },
    };
    (void)state;
    struct login_payload lp;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct run r = { .len = 0 };
        run_add(&r, TLV_CIPHERS, 1, "\1");
        run_octets(&r, rows[i].len, rows[i].octets);
        if (get_login(&r, &lp) != rows[i].ok)
            fail_msg("%s", rows[i].name);
    }
}

/* No octet of the padding that a sender writes may be anything but zero. */
static void login_padding_flipped(void **state)
{
    (void)state;
    struct login_payload lp = { .ciphers = { 1 }, .n_ciphers = 1 }, got;
    uint8_t out[LOGIN_PAYLOAD_LEN];

    wire_put_login_payload(out, &lp);
    for (size_t i = 9; i < sizeof(out); i++) {
        out[i] ^= 0x80;
        assert_false(wire_get_login_payload(out, sizeof(out), &got));
        out[i] ^= 0x80;
    }
    assert_true(wire_get_login_payload(out, sizeof(out), &got));
}

static void login_random_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 20;

    for (int round = 0; round < 3000; round++) {
        struct login_payload lp, got;
        uint8_t a[LOGIN_PAYLOAD_LEN + 1], b[LOGIN_PAYLOAD_LEN];
        memset(&lp, 0, sizeof(lp));
        for (uint32_t i = rnd_below(&seed, SOFTWARE_MAX + 1); i-- > 0;)
            lp.software[i] = (char)(0x20 + rnd_below(&seed, 0x5f));
        lp.n_ciphers = (uint8_t)(1 + rnd_below(&seed, CIPHERS_MAX));
        for (unsigned i = 0; i < lp.n_ciphers; i++)
            lp.ciphers[i] = (uint8_t)(1 + rnd_below(&seed, 255));
        if (rnd_below(&seed, 2))
            lp.wanted_mtu = (uint16_t)(1280 + rnd_below(&seed, 9000 - 1280 + 1));
        lp.tries = (uint8_t)rnd_below(&seed, MAC_TAKEN_TRIES + 1);
        lp.has_cookie = rnd_below(&seed, 2);
        if (lp.has_cookie)
            rnd_fill(&seed, lp.cookie, COOKIE_LEN);
        a[LOGIN_PAYLOAD_LEN] = 0xee;
        wire_put_login_payload(a, &lp);
        assert_int_equal(a[LOGIN_PAYLOAD_LEN], 0xee);
        assert_true(wire_get_login_payload(a, LOGIN_PAYLOAD_LEN, &got));
        assert_memory_equal(&got, &lp, sizeof(lp));
        wire_put_login_payload(b, &got);
        assert_memory_equal(a, b, sizeof(b));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(peek_every_length_type_and_kind),
        cmocka_unit_test(peek_every_head_octet),
        cmocka_unit_test(peek_longest_datagram),
        cmocka_unit_test(answers_are_not_longer_than_triggers),
        cmocka_unit_test(data_header_round_trip),
        cmocka_unit_test(login_every_length),
        cmocka_unit_test(login_every_mtu),
        cmocka_unit_test(login_every_octet_of_text_and_ciphers),
        cmocka_unit_test(login_every_try),
        cmocka_unit_test(login_repeated_and_missing),
        cmocka_unit_test(padding_has_one_encoding),
        cmocka_unit_test(login_padding_flipped),
        cmocka_unit_test(login_random_round_trip),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
