/* SPDX-License-Identifier: MIT */
/* test_same_flow.c - what counts as the next packet of a flow, beside frame_parse() */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdlib.h>

#include "proto/same_flow.h"

#define LEN 120u

static void packet(uint8_t *p, uint8_t nh)
{
    memset(p, 0, LEN);
    p[0] = 0x60;
    be16_store(p + 4, LEN - IP6_HDR_LEN);
    p[6] = nh;
    p[7] = 64;
    for (unsigned i = 8; i < 44; i++)
        p[i] = (uint8_t)(0x20 + i);
    p[46] = 0x50;
}

/* every octet in turn another one: which make it another flow? */
static void test_octets(void **state)
{
    (void)state;
    for (unsigned i = 0; i < LEN; i++) {
        uint8_t p[LEN];
        struct same_flow fl;
        struct frame f;

        packet(p, NH_TCP);
        assert_int_equal(frame_parse(&f, p, LEN), DROP_NONE);
        same_flow_note(&fl, &f);
        assert_int_equal(same_flow_next(&fl, p, LEN), LEN);
        p[i] ^= 0x80;
        /* version; payload length, which is more than there is; next header; addresses and ports */
        bool other = i == 0 || (i >= 4 && i <= 6) || (i >= 8 && i < 44);
        assert_int_equal(same_flow_next(&fl, p, LEN), other ? 0 : LEN);
    }
}

static void test_kinds(void **state)
{
    static const struct {
        uint8_t nh;
        unsigned pay_len;
        bool known;
    } rows[] = {
        { NH_TCP, 80, true },      { NH_UDP, 80, true },      { NH_TCP, 4, true },
        { NH_TCP, 3, false },      { NH_UDP, 1, false },      { NH_ICMPV6, 80, false },
        { NH_NONE, 80, false },    { NH_HOPOPTS, 80, false }, { NH_FRAGMENT, 80, false },
        { NH_ROUTING, 80, false }, { NH_ESP, 80, false },     { NH_DSTOPTS, 80, false },
        { NH_IPV6, 80, false },
    };
    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t p[LEN];
        struct same_flow fl;
        struct frame f;

        packet(p, rows[i].nh);
        be16_store(p + 4, (uint16_t)rows[i].pay_len);
        /* as an extension header: one PadN option, then TCP, which is not directly behind */
        memcpy(p + 40, (const uint8_t[8]){ NH_TCP, 0, 1, 4 }, 8);
        assert_int_equal(frame_parse(&f, p, LEN), DROP_NONE);
        same_flow_note(&fl, &f);
        assert_int_equal(fl.known, rows[i].known);
        assert_int_equal(same_flow_next(&fl, p, LEN), rows[i].known ? 40 + rows[i].pay_len : 0);
    }
}

/* Random packets and lengths: what is the next of a flow is what frame_parse() takes, with the same
 * length, the same addresses and ports, and nothing between header and ports. */
static void test_beside_parse(void **state)
{
    unsigned hits = 0;

    (void)state;
    srand(7);
    for (unsigned round = 0; round < 200000; round++) {
        uint8_t p[LEN], q[LEN];
        struct same_flow fl;
        struct frame f, g;

        packet(p, rand() % 2 ? NH_TCP : NH_UDP);
        memcpy(q, p, LEN);
        for (unsigned k = (unsigned)rand() % 3; k > 0; k--) {
            unsigned at = (unsigned)rand() % 48;
            q[at] = (uint8_t)rand();
        }
        size_t len = rand() % 4 ? LEN : (size_t)rand() % (LEN + 1);
        if (rand() % 3 == 0)
            be16_store(q + 4, (uint16_t)((unsigned)rand() % LEN));
        assert_int_equal(frame_parse(&f, p, LEN), DROP_NONE);
        same_flow_note(&fl, &f);
        size_t next = same_flow_next(&fl, q, len);
        bool parsed = frame_parse(&g, q, len) == DROP_NONE;
        bool same = parsed && g.nh == f.nh && g.upper == 40 && g.len >= 44 && !g.fragment &&
                    memcmp(p + 8, q + 8, 36) == 0;
        assert_int_equal(next, same ? g.len : 0);
        hits += same;
    }
    assert_true(hits > 1000);
}

static void test_nothing_known(void **state)
{
    const struct same_flow none = { .known = false };
    uint8_t p[LEN] = { 0x60 };

    (void)state;
    be16_store(p + 4, 80);
    assert_int_equal(same_flow_next(&none, p, LEN), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_beside_parse),
        cmocka_unit_test(test_nothing_known),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
