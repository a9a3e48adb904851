/* SPDX-License-Identifier: MIT */
/* test_wire_control.c - control messages: read, written, padded */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "proto/wire.h"
#include "tlv_build.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static int first_control(const struct run *r, struct control *c)
{
    uint8_t *p = exact(r->p, r->len);
    struct rd rd = rd_of(p, r->len);
    int ret = wire_ctl_next(&rd, c);

    assert_int_equal(rd.bad, ret < 0);
    if (ret < 0) { /* nothing after it is read */
        struct control more;
        assert_int_equal(wire_ctl_next(&rd, &more), -1);
    }
    free(p);
    return ret;
}

static void control_every_length(void **state)
{
    static const struct {
        unsigned type;
        size_t min, max;
        int got; /* when the length is right */
    } rows[] = {
        { TLV_CONFIRM, 2, 2, 1 },        { TLV_CONFIRM_ACK, 2, 2, 1 },
        { TLV_KEEPALIVE_REQ, 8, 8, 1 },  { TLV_KEEPALIVE_ACK, 8, 8, 1 },
        { TLV_MTU_PROBE, 2, 2, 1 },      { TLV_MTU_PROBE_ACK, 2, 2, 1 },
        { TLV_MTU_SET, 2, 2, 1 },        { TLV_SETTINGS, 8, 1300, 1 },
        { TLV_LOGIN, 1200, 1200, 1 },    { TLV_LOGIN_REPLY, 60, 1200, 1 },
        { TLV_LOGIN_AGAIN, 0, 0, 1 },    { TLV_GOODBYE, 1, 1, 1 },
        { TLV_FRAGMENT, 0, 0, 1 },       { TLV_FRAG_PROBE, 2, 2, 1 },
        { TLV_FRAG_PROBE_ACK, 2, 2, 1 }, { 79, 0, 1300, 0 },
        { TLV_VERDICT, 0, 1300, 0 },     { TLV_COOKIE, 0, 1300, 0 },
        { 0x4040, 0, 1300, 0 },
    };
    (void)state;
    uint8_t value[1301] = { 0x05, 0x75 };

    for (size_t i = 0; i < COUNT(rows); i++)
        for (size_t len = 0; len <= 1300; len++) {
            struct run r;
            struct control c;
            r.len = 0;
            run_add(&r, rows[i].type, len, value);
            bool right = len >= rows[i].min && len <= rows[i].max;
            assert_int_equal(first_control(&r, &c), right ? rows[i].got : -1);
            if (right && rows[i].got)
                assert_int_equal(c.type, rows[i].type);
        }
}

static void control_every_number(void **state)
{
    static const unsigned probes[] = { TLV_CONFIRM,       TLV_CONFIRM_ACK, TLV_MTU_PROBE,
                                       TLV_MTU_PROBE_ACK, TLV_FRAG_PROBE,  TLV_FRAG_PROBE_ACK };
    (void)state;

    for (unsigned v = 0; v <= 0xffff; v += v > 100 && v < 65000 && v % 100 == 50 ? 37 : 1) {
        uint8_t value[2] = { (uint8_t)(v >> 8), (uint8_t)v }, out[8];
        for (size_t i = 0; i <= COUNT(probes); i++) {
            unsigned type = i < COUNT(probes) ? probes[i] : TLV_MTU_SET;
            bool ok = type == TLV_MTU_SET ? v >= 1280 && v <= 9000 : v >= 38 && v <= 65507;
            uint8_t p[6] = { 0, (uint8_t)type, 0, 2, value[0], value[1] };
            struct rd r = rd_of(p, sizeof(p));
            struct control c = { .type = (enum tlv_type)type, .size = (uint16_t)v };
            struct wr w = wr_of(out, sizeof(out));
            wire_ctl_put(&w, &c);
            assert_int_equal(w.bad, !ok);
            assert_int_equal(w.off, ok ? 6 : 0);
            assert_int_equal(wire_ctl_next(&r, &c), ok ? 1 : -1);
            if (ok) {
                assert_int_equal(c.size, v);
                assert_memory_equal(out, p, 6);
            }
        }
    }
}

static void control_goodbye_of_any_reason(void **state)
{
    (void)state;
    for (unsigned v = 0; v < 256; v++) {
        uint8_t p[5] = { 0, TLV_GOODBYE, 0, 1, (uint8_t)v };
        struct rd r = rd_of(p, sizeof(p));
        struct control c;
        assert_int_equal(wire_ctl_next(&r, &c), 1);
        assert_int_equal(c.goodbye, v);
    }
}

static void control_put_refuses(void **state)
{
    static const uint8_t body[1301] = { 0 };
    static const struct control rows[] = {
        { .type = TLV_PAD },
        { .type = TLV_VERDICT },
        { .type = (enum tlv_type)79 },
        { .type = TLV_LOGIN, .body = body, .body_len = 1199 },
        { .type = TLV_LOGIN, .body = body, .body_len = 1201 },
        { .type = TLV_LOGIN_REPLY, .body = body, .body_len = 59 },
        { .type = TLV_LOGIN_REPLY, .body = body, .body_len = 1201 },
        { .type = TLV_SETTINGS, .body = body, .body_len = 7 },
    };
    (void)state;
    uint8_t out[1400];

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct wr w = wr_of(out, sizeof(out));
        wire_ctl_put(&w, &rows[i]);
        assert_true(w.bad);
        assert_int_equal(w.off, 0);
    }
}

static struct control random_control(uint64_t *seed, const uint8_t *body)
{
    struct control c = { .type = (enum tlv_type)(TLV_CONFIRM + rnd_below(seed, 15)) };

    switch (c.type) {
    case TLV_KEEPALIVE_REQ:
    case TLV_KEEPALIVE_ACK:
        c.number = (uint64_t)rnd(seed) << 32 | rnd(seed);
        break;
    case TLV_MTU_SET:
        c.size = (uint16_t)(1280 + rnd_below(seed, 7721));
        break;
    case TLV_SETTINGS:
        c.body_len = (uint16_t)(8 + rnd_below(seed, 500));
        break;
    case TLV_LOGIN:
        c.body_len = LOGIN_LEN;
        break;
    case TLV_LOGIN_REPLY:
        c.body_len = (uint16_t)(60 + rnd_below(seed, 1141));
        break;
    case TLV_LOGIN_AGAIN:
    case TLV_FRAGMENT:
        break;
    case TLV_GOODBYE:
        c.goodbye = (enum goodbye)rnd_below(seed, 3);
        break;
    default:
        c.size = (uint16_t)(38 + rnd_below(seed, 65470));
    }
    if (c.body_len)
        c.body = body + rnd_below(seed, 64);
    return c;
}

/* Several messages in one run, with unknown ones and padding between; every one comes back, in
 * order. */
static void control_random_round_trip(void **state)
{
    (void)state;
    uint64_t seed = 21;
    uint8_t body[1300], out[8000], again[8000];

    rnd_fill(&seed, body, sizeof(body));
    for (int round = 0; round < 2000; round++) {
        struct control want[5], got;
        struct wr w = wr_of(out, sizeof(out)), w2 = wr_of(again, sizeof(again));
        unsigned n = rnd_below(&seed, 6);
        for (unsigned i = 0; i < n; i++) {
            want[i] = random_control(&seed, body);
            wire_ctl_put(&w, &want[i]);
            wire_ctl_put(&w2, &want[i]);
            if (rnd_below(&seed, 2))
                wr_bytes(&w, "\x7f\x01\x00\x03xyz", 7); /* unknown */
            if (rnd_below(&seed, 2))
                wire_ctl_pad(&w, w.off + 4 + rnd_below(&seed, 9));
        }
        wire_ctl_pad(&w, w.off + rnd_below(&seed, 9));
        assert_false(w.bad);
        uint8_t *p = exact(out, w.off);
        struct rd r = rd_of(p, w.off);
        struct wr w3 = wr_of(out, sizeof(out));
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(wire_ctl_next(&r, &got), 1);
            assert_int_equal(got.type, want[i].type);
            wire_ctl_put(&w3, &got);
        }
        assert_int_equal(wire_ctl_next(&r, &got), 0);
        assert_int_equal(w3.off, w2.off);
        assert_memory_equal(out, again, w2.off);
        free(p);
    }
}

/* A run cut anywhere reads as the messages that are whole, then as malformed unless cut between
 * two. */
static void control_cut_anywhere(void **state)
{
    (void)state;
    uint8_t out[64];
    struct wr w = wr_of(out, sizeof(out));
    size_t ends[3];

    wire_ctl_put(&w, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = UINT64_MAX });
    ends[0] = w.off;
    wire_ctl_put(&w, &(struct control){ .type = TLV_LOGIN_AGAIN });
    ends[1] = w.off;
    wire_ctl_put(&w, &(struct control){ .type = TLV_GOODBYE, .goodbye = GOODBYE_IDLE });
    ends[2] = w.off;
    for (size_t len = 0; len <= w.off; len++) {
        uint8_t *p = exact(out, len);
        struct rd r = rd_of(p, len);
        struct control c;
        int n = 0, ret;
        while ((ret = wire_ctl_next(&r, &c)) == 1)
            n++;
        int whole = (len >= ends[0]) + (len >= ends[1]) + (len >= ends[2]);
        size_t rest = len - (whole ? ends[whole - 1] : 0);
        assert_int_equal(n, whole);
        /* a first octet alone, 0, cannot be told from padding */
        assert_int_equal(ret, rest <= 1 ? 0 : -1);
        free(p);
    }
}

static void control_needs_its_room(void **state)
{
    (void)state;
    uint8_t body[1300] = { 0 }, out[1300];
    uint64_t seed = 22;

    for (int round = 0; round < 500; round++) {
        struct control c = random_control(&seed, body);
        struct wr w = wr_of(out, sizeof(out));
        wire_ctl_put(&w, &c);
        size_t need = w.off;
        assert_true(need >= 4 && !w.bad);
        memset(out, 0xee, sizeof(out));
        w = wr_of(out, need - 1);
        wire_ctl_put(&w, &c);
        assert_true(w.bad && w.off == 0);
        for (size_t i = 0; i < sizeof(out); i++)
            assert_int_equal(out[i], 0xee);
        w = wr_of(out, need);
        wire_ctl_put(&w, &c);
        assert_true(!w.bad && w.off == need);
    }
}

static void pad_every_length(void **state)
{
    (void)state;
    uint8_t out[80];

    for (size_t have = 0; have <= 10; have += 10)
        for (size_t room = have; room <= 60; room++)
            for (size_t total = 0; total <= 70; total++) {
                struct wr w = wr_of(out, room);
                memset(out, 0xee, sizeof(out));
                if (have)
                    wr_bytes(&w, "\x00\x7f\x00\x06qwerty", 10); /* unknown */
                wire_ctl_pad(&w, total);
                bool ok = total >= have && total <= room;
                assert_int_equal(w.bad, !ok);
                assert_int_equal(w.off, ok ? total : have);
                for (size_t i = w.off; i < sizeof(out); i++)
                    assert_int_equal(out[i], 0xee);
                if (!ok)
                    continue;
                uint8_t *p = exact(out, total);
                struct rd r = rd_of(p, total);
                struct control c;
                assert_int_equal(wire_ctl_next(&r, &c), 0);
                assert_int_equal(rd_left(&r), 0);
                free(p);
            }
    struct wr bad = { .p = out, .len = sizeof(out), .bad = true };
    wire_ctl_pad(&bad, 10);
    assert_int_equal(bad.off, 0);
}

/* Octets of chance never make a reader read past the end (the sanitizer watches) or run forever. */
static void garbage_ends(void **state)
{
    (void)state;
    uint64_t seed = 23;

    for (int round = 0; round < 20000; round++) {
        size_t len = rnd_below(&seed, 64);
        uint8_t *p = malloc(len ? len : 1);
        rnd_fill(&seed, p, len);
        for (size_t i = 0; i < len; i++)
            if (rnd_below(&seed, 3))
                p[i] = (uint8_t)(rnd_below(&seed, 2) ? 0 : rnd_below(&seed, 80));
        struct rd r = rd_of(p, len);
        struct control c;
        struct login_payload lp;
        unsigned n = 0;
        while (wire_ctl_next(&r, &c) == 1)
            n++;
        assert_true(n <= len / 4);
        wire_get_login_payload(p, len, &lp);
        wire_peek(p, len);
        free(p);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(control_every_length),
        cmocka_unit_test(control_every_number),
        cmocka_unit_test(control_goodbye_of_any_reason),
        cmocka_unit_test(control_put_refuses),
        cmocka_unit_test(control_random_round_trip),
        cmocka_unit_test(control_cut_anywhere),
        cmocka_unit_test(control_needs_its_room),
        cmocka_unit_test(pad_every_length),
        cmocka_unit_test(garbage_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
