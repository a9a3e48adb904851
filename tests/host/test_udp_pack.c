/* SPDX-License-Identifier: MIT */
/* test_udp_pack.c - which datagrams share a message: rows, and random bursts beside a naive twin */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "proto/host/udp_pack.h"

#define ROW_MAX 8

static uint8_t memory[UDP_PACK_MAX * 2048];

static struct endpoint ep(uint8_t host)
{
    return (struct endpoint){ be32_of(0x0a000000u | host), be16_of((uint16_t)(6000 + host)) };
}

/* One datagram of a row; gap: octets of memory left free before it */
struct spec {
    uint8_t peer, local, tos, flags;
    uint16_t len, gap;
};

struct row {
    const char *name;
    unsigned n;
    struct spec in[ROW_MAX];
    unsigned n_msg;
    const char *order;         /* indices in sending order */
    uint8_t segments[ROW_MAX]; /* per message */
    uint8_t n_iov[ROW_MAX];    /* per message */
};

#define FRAG DGRAM_MAY_FRAGMENT

static const struct row rows[] = {
    { "nothing", 0, { { 0 } }, 0, "", { 0 }, { 0 } },
    { "one", 1, { { 1, 0, 0, 0, 100, 0 } }, 1, "0", { 1 }, { 1 } },
    { "two that touch",
      2,
      { { 1, 0, 0, 0, 100, 0 }, { 1, 0, 0, 0, 100, 0 } },
      1,
      "01",
      { 2 },
      { 1 } },
    { "two with a gap",
      2,
      { { 1, 0, 0, 0, 100, 0 }, { 1, 0, 0, 0, 100, 8 } },
      1,
      "01",
      { 2 },
      { 2 } },
    { "the last is shorter and ends it",
      3,
      { { 1, 0, 0, 0, 100, 0 }, { 1, 0, 0, 0, 99, 0 }, { 1, 0, 0, 0, 99, 0 } },
      2,
      "012",
      { 2, 1 },
      { 1, 1 } },
    { "a longer one opens the next",
      2,
      { { 1, 0, 0, 0, 99, 0 }, { 1, 0, 0, 0, 100, 0 } },
      2,
      "01",
      { 1, 1 },
      { 1, 1 } },
    { "another peer",
      2,
      { { 1, 0, 0, 0, 100, 0 }, { 2, 0, 0, 0, 100, 0 } },
      2,
      "01",
      { 1, 1 },
      { 1, 1 } },
    { "two peers in turns",
      4,
      { { 1, 0, 0, 0, 100, 0 },
        { 2, 0, 0, 0, 100, 0 },
        { 1, 0, 0, 0, 100, 0 },
        { 2, 0, 0, 0, 100, 0 } },
      2,
      "0213",
      { 2, 2 },
      { 2, 2 } },
    { "another local address",
      2,
      { { 1, 1, 0, 0, 100, 0 }, { 1, 2, 0, 0, 100, 0 } },
      2,
      "01",
      { 1, 1 },
      { 1, 1 } },
    { "another TOS",
      2,
      { { 1, 0, 0, 0, 100, 0 }, { 1, 0, 1, 0, 100, 0 } },
      2,
      "01",
      { 1, 1 },
      { 1, 1 } },
    { "may be fragmented: alone",
      2,
      { { 1, 0, 0, FRAG, 100, 0 }, { 1, 0, 0, FRAG, 100, 0 } },
      2,
      "01",
      { 1, 1 },
      { 1, 1 } },
    { "a probe: alone, whatever comes before and behind it",
      3,
      { { 1, 0, 0, 0, 100, 0 }, { 1, 0, 0, DGRAM_ALONE, 100, 0 }, { 1, 0, 0, 0, 90, 0 } },
      3,
      "012",
      { 1, 1, 1 },
      { 1, 1, 1 } },
    { "what follows it does not overtake",
      3,
      { { 1, 0, 0, 0, 100, 0 }, { 1, 0, 0, FRAG, 100, 0 }, { 1, 0, 0, 0, 100, 0 } },
      3,
      "012",
      { 1, 1, 1 },
      { 1, 1, 1 } },
    { "empty: alone",
      3,
      { { 1, 0, 0, 0, 100, 0 }, { 1, 0, 0, 0, 0, 0 }, { 1, 0, 0, 0, 100, 0 } },
      3,
      "012",
      { 1, 1, 1 },
      { 1, 1, 1 } },
    { "never back into an older message of the peer",
      4,
      { { 1, 0, 0, 0, 100, 0 },
        { 1, 0, 1, 0, 100, 0 },
        { 1, 0, 0, 0, 100, 0 },
        { 1, 0, 1, 0, 100, 0 } },
      4,
      "0123",
      { 1, 1, 1, 1 },
      { 1, 1, 1, 1 } },
};

static unsigned make(struct dgram *dg, const struct spec *s, unsigned n)
{
    uint8_t *p = memory;

    for (unsigned i = 0; i < n; i++) {
        p += s[i].gap;
        dg[i] = (struct dgram){
            .peer = ep(s[i].peer), .tos = s[i].tos, .flags = s[i].flags, .len = s[i].len, .p = p
        };
        dg[i].local.b[3] = s[i].local;
        p += s[i].len;
    }
    return n;
}

static void test_rows(void **state)
{
    static struct udp_pack p;
    struct dgram dg[ROW_MAX];

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        const struct row *row = &rows[r];
        unsigned n = make(dg, row->in, row->n);
        print_message("row: %s\n", row->name);
        udp_pack(&p, dg, n, UDP_SEGMENTS_MAX);
        assert_int_equal(p.n_msg, row->n_msg);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(p.order[i], row->order[i] - '0');
        for (unsigned m = 0; m < p.n_msg; m++) {
            assert_int_equal(p.msg[m].n, row->segments[m]);
            assert_int_equal(p.msg[m].n_iov, row->n_iov[m]);
        }
    }
}

/* 65 of one length: 64 and 1; lengths whose sum passes 65 507: as many as fit */
static void test_limits(void **state)
{
    static struct udp_pack p;
    static struct dgram dg[65];

    (void)state;
    for (unsigned i = 0; i < 65; i++)
        dg[i] = (struct dgram){ .peer = ep(1), .len = 10, .p = memory + 10 * i };
    udp_pack(&p, dg, 65, UDP_SEGMENTS_MAX);
    assert_int_equal(p.n_msg, 2);
    assert_int_equal(p.msg[0].n, UDP_SEGMENTS_MAX);
    assert_int_equal(p.msg[0].octets, 640);
    assert_int_equal(p.msg[1].n, 1);

    for (unsigned i = 0; i < 46; i++)
        dg[i] = (struct dgram){ .peer = ep(1), .len = 1440, .p = memory + 1440 * i };
    udp_pack(&p, dg, 46, UDP_SEGMENTS_MAX);
    assert_int_equal(p.n_msg, 2);
    assert_int_equal(p.msg[0].n, 45); /* 64 800; 46 would be 66 240 */

    dg[0].len = UINT16_MAX;
    dg[1].len = 7;
    dg[1].p = memory;
    udp_pack(&p, dg, 2, UDP_SEGMENTS_MAX);
    assert_int_equal(p.n_msg, 2);
}

/* The twin: messages as lists, the latest of a peer found by looking at all of them. */
struct twin_msg {
    unsigned idx[UDP_PACK_MAX], n;
    size_t octets;
};

static unsigned twin(struct twin_msg *msg, const struct dgram *dg, unsigned n)
{
    unsigned n_msg = 0;

    for (unsigned i = 0; i < n; i++) {
        struct twin_msg *m = NULL;
        for (unsigned k = 0; k < n_msg; k++)
            if (endpoint_eq(dg[msg[k].idx[0]].peer, dg[i].peer))
                m = &msg[k];
        bool fits = false;
        if (m) {
            const struct dgram *a = &dg[m->idx[0]], *z = &dg[m->idx[m->n - 1]];
            fits = a->tos == dg[i].tos && a->flags == dg[i].flags &&
                   be32_get(a->local) == be32_get(dg[i].local) && z->len == a->len &&
                   dg[i].len <= a->len && dg[i].len > 0 && a->len > 0 &&
                   !(dg[i].flags & DGRAM_MAY_FRAGMENT) && m->n < 64 &&
                   m->octets + dg[i].len <= 65507;
        }
        if (!fits) {
            m = &msg[n_msg++];
            m->n = 0;
            m->octets = 0;
        }
        m->idx[m->n++] = i;
        m->octets += dg[i].len;
    }
    return n_msg;
}

/* the iovecs of a message are its segments one after another */
static void check_iov(const struct udp_pack *p, const struct udp_msg *m, const struct dgram *dg)
{
    unsigned v = m->iov;
    size_t off = 0, octets = 0;

    for (unsigned k = m->first; k < (unsigned)m->first + m->n; k++) {
        const struct dgram *d = &dg[p->order[k]];
        if (off == p->iov[v].iov_len && k > m->first) {
            v++;
            off = 0;
        }
        assert_ptr_equal((uint8_t *)p->iov[v].iov_base + off, d->p);
        off += d->len;
        octets += d->len;
        assert_true(off <= p->iov[v].iov_len);
    }
    assert_int_equal(v + 1, m->iov + m->n_iov);
    assert_int_equal(off, p->iov[v].iov_len);
    assert_int_equal(octets, m->octets);
}

static void random_burst(struct dgram *dg, unsigned n)
{
    static const uint16_t lens[] = { 1400, 1400, 1400, 1400, 1400, 1399, 60, 0, 65000 };
    uint8_t *p = memory;
    unsigned peers = 1 + (unsigned)random() % 6;

    for (unsigned i = 0; i < n; i++) {
        unsigned odd = (unsigned)random() % 40;
        dg[i] = (struct dgram){ .peer = ep((uint8_t)((unsigned)random() % peers)), .p = p };
        dg[i].len = lens[(unsigned)random() % (sizeof(lens) / sizeof(lens[0]) - (odd ? 1 : 0))];
        dg[i].tos = odd == 1;
        dg[i].flags = odd == 2 ? DGRAM_MAY_FRAGMENT : 0;
        dg[i].local.b[3] = odd == 3;
        p += (dg[i].len > 1400 ? 0 : dg[i].len) + (random() % 8 == 0 ? 16 : 0);
    }
}

static void test_twin(void **state)
{
    static struct twin_msg want[UDP_PACK_MAX];
    static struct udp_pack p;
    static struct dgram dg[UDP_PACK_MAX];

    (void)state;
    srandom(6464);
    for (unsigned round = 0; round < 2000; round++) {
        unsigned n = (unsigned)random() % (UDP_PACK_MAX + 1);
        random_burst(dg, n);
        unsigned n_want = twin(want, dg, n), at = 0;
        udp_pack(&p, dg, n, UDP_SEGMENTS_MAX);
        assert_int_equal(p.n_msg, n_want);
        for (unsigned m = 0; m < n_want; m++) {
            assert_int_equal(p.msg[m].n, want[m].n);
            assert_int_equal(p.msg[m].octets, want[m].octets);
            assert_int_equal(p.msg[m].first, at);
            for (unsigned k = 0; k < want[m].n; k++)
                assert_int_equal(p.order[at++], want[m].idx[k]);
            check_iov(&p, &p.msg[m], dg);
        }
        assert_int_equal(at, n);
    }
}

/* endpoints whose hashes meet stay apart */
static void test_many_peers(void **state)
{
    static struct udp_pack p;
    static struct dgram dg[UDP_PACK_MAX];

    (void)state;
    for (unsigned i = 0; i < UDP_PACK_MAX; i++)
        dg[i] = (struct dgram){ .peer = { be32_of(0x0a000001u + (i << 16)), be16_of((uint16_t)i) },
                                .len = 9,
                                .p = memory };
    udp_pack(&p, dg, UDP_PACK_MAX, UDP_SEGMENTS_MAX);
    assert_int_equal(p.n_msg, UDP_PACK_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_twin),
        cmocka_unit_test(test_many_peers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
