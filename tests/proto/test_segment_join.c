/* SPDX-License-Identifier: MIT */
/* test_segment_join.c - frames joined: which and which not, order, and the same octets after
 * cutting */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#include "flow.h"
#include "proto/segment.h"

#define FIN 0x01
#define PSH 0x08
#define ACK 0x10
#define URG 0x20
#define ECE 0x40
#define CWR 0x80

#define BOTH     (SUPER_TCP | SUPER_UDP)
#define SLOT     1600u
#define N_FRAMES 200u

static const uint8_t stamps[12] = { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 };
static uint8_t payload[70000];
static struct segment_joined joined;

static struct flow tcp_flow(void)
{
    return (struct flow){ .l2_len = 14,
                          .proto = 6,
                          .src = "2001:db8::1",
                          .dst = "2001:db8::2",
                          .sport = 1000,
                          .dport = 2000,
                          .opts = stamps,
                          .opt_len = sizeof(stamps),
                          .seq = UINT32_MAX - 1500,
                          .ack = 99,
                          .window = 512,
                          .hop_limit = 64 };
}

/* Two frames of 1 000 octets that join; a row changes the second, at an offset into the frame. */
static void second_frame_rows(void **state)
{
    (void)state;
    enum { ETH = 0, IP = 14, TCP = 54, OPT = 74 };
    static const struct {
        const char *name;
        int at;
        uint8_t flip;
        bool joins;
    } rows[] = {
        { "as it is", -1, 0, true },
        { "PSH", TCP + 13, PSH, true },
        { "FIN", TCP + 13, FIN, true },
        { "destination MAC", ETH, 1, false },
        { "source MAC", ETH + 11, 1, false },
        { "traffic class", IP + 1, 0x10, false },
        { "ECN", IP + 1, 0x30, false },
        { "flow label", IP + 3, 1, false },
        { "hop limit", IP + 7, 1, false },
        { "source", IP + 23, 1, false },
        { "destination", IP + 39, 1, false },
        { "source port", TCP + 1, 1, false },
        { "destination port", TCP + 3, 1, false },
        { "sequence, a gap", TCP + 7, 1, false },
        { "sequence, far", TCP + 4, 0x80, false },
        { "acknowledgment", TCP + 11, 1, false },
        { "reserved bit", TCP + 12, 1, false },
        { "no ACK", TCP + 13, ACK, false },
        { "SYN", TCP + 13, 2, false },
        { "RST", TCP + 13, 4, false },
        { "URG", TCP + 13, URG, false },
        { "ECE", TCP + 13, ECE, false },
        { "CWR", TCP + 13, CWR, false },
        { "window", TCP + 15, 1, false },
        { "urgent pointer", TCP + 19, 1, false },
        { "time stamp", OPT + 7, 1, false },
        { "echoed time stamp", OPT + 11, 1, false },
        { "kind of option", OPT + 0, 1, false },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        struct flow f = tcp_flow();
        uint8_t a[SLOT], b[SLOT];
        size_t len = flow_put(&f, a, 0, ACK, payload, 1000);
        flow_put(&f, b, 1000, ACK, payload + 1000, 1000);
        if (rows[i].at >= 0)
            b[rows[i].at] ^= rows[i].flip;
        /* the checksum is right whatever the row changed */
        be16_store(b + TCP + 16, 0);
        be16_store(b + TCP + 16, pkt_cksum(b + IP, 40, len - 14, 6));
        const struct pkt pk[] = { { a, (uint32_t)len }, { b, (uint32_t)len } };
        segment_join(&joined, 14, BOTH, pk, 2);
        if (joined.n != (rows[i].joins ? 1 : 2))
            fail_msg("%s: %u groups", rows[i].name, joined.n);
    }
}

/* What the first frame must be, and sizes. */
static void pair_rows(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        uint8_t proto, flags;
        size_t first, second;
        unsigned takes;
        bool joins;
    } rows[] = {
        { "equal", 6, ACK, 1000, 1000, BOTH, true },
        { "last shorter", 6, ACK, 1000, 1, BOTH, true },
        { "last longer", 6, ACK, 1000, 1001, BOTH, false },
        { "PSH on the first", 6, ACK | PSH, 1000, 1000, BOTH, false },
        { "FIN on the first", 6, ACK | FIN, 1000, 1000, BOTH, false },
        { "ECE on both", 6, ACK | ECE, 1000, 1000, BOTH, true },
        { "CWR on both", 6, ACK | CWR, 1000, 1000, BOTH, false },
        { "pure ACKs", 6, ACK, 0, 0, BOTH, false },
        { "payload, then none", 6, ACK, 100, 0, BOTH, false },
        { "only UDP taken", 6, ACK, 1000, 1000, SUPER_UDP, false },
        { "nothing taken", 6, ACK, 1000, 1000, 0, false },
        { "UDP", 17, 0, 1000, 1000, BOTH, true },
        { "UDP, last shorter", 17, 0, 1000, 999, BOTH, true },
        { "UDP, last longer", 17, 0, 999, 1000, BOTH, false },
        { "UDP without payload", 17, 0, 0, 0, BOTH, false },
        { "UDP, only TCP taken", 17, 0, 1000, 1000, SUPER_TCP, false },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        for (unsigned l2_len = 0; l2_len <= 14; l2_len += 14) {
            struct flow f = tcp_flow();
            uint8_t a[SLOT], b[SLOT];
            f.proto = rows[i].proto;
            f.l2_len = l2_len;
            struct pkt pk[2] = { { .p = a }, { .p = b } };
            pk[0].len = (uint32_t)flow_put(&f, a, 0, rows[i].flags, payload, rows[i].first);
            pk[1].len = (uint32_t)flow_put(
                &f, b, (uint32_t)rows[i].first,
                f.proto == 6 && rows[i].flags & (PSH | FIN) ? ACK : rows[i].flags, payload,
                rows[i].second);
            segment_join(&joined, l2_len, rows[i].takes, pk, 2);
            if (joined.n != (rows[i].joins ? 1 : 2))
                fail_msg("%s: %u groups", rows[i].name, joined.n);
        }
    }
}

static void superframe_is_right(void **state)
{
    (void)state;
    static const uint8_t proto[] = { 6, 17 };
    for (unsigned k = 0; k < 2; k++) {
        struct flow f = tcp_flow();
        uint8_t frame[3][SLOT], want[6000], got[6000];
        struct pkt pk[3];
        uint8_t last = k ? 0 : ACK | PSH;
        f.proto = proto[k];
        f.tos = 0x2e, f.label = 0x54321;
        for (unsigned i = 0; i < 3; i++)
            pk[i] = (struct pkt){ frame[i],
                                  (uint32_t)flow_put(&f, frame[i], 1200 * i,
                                                     i == 2 ? last : (uint8_t)(last & ACK),
                                                     payload + 1200 * i, i == 2 ? 77 : 1200) };
        struct super s = flow_super(&f, want, last, 1200, payload, 2477);
        segment_join(&joined, 14, BOTH, pk, 3);
        assert_int_equal(joined.n, 1);
        assert_int_equal(joined.group[0].n, 3);
        assert_memory_equal(joined.group[0].vnet, s.vnet, VNET_LEN);
        size_t len = 0;
        for (unsigned i = 0; i < 3; i++) {
            memcpy(got + len, joined.piece[i].p, joined.piece[i].len);
            len += joined.piece[i].len;
            /* not copied */
            assert_ptr_equal(joined.piece[i].p, frame[i] + (i ? flow_hdr(&f) : 0));
        }
        assert_int_equal(len, s.len);
        assert_memory_equal(got, want, len);
    }
}

static void bounds(void **state)
{
    (void)state;
    static uint8_t frame[100][9100];
    struct flow f = tcp_flow();
    struct pkt pk[100];

    for (unsigned i = 0; i < 100; i++)
        pk[i] =
            (struct pkt){ frame[i], (uint32_t)flow_put(&f, frame[i], 10 * i, ACK, payload, 10) };
    segment_join(&joined, 14, BOTH, pk, 100);
    assert_int_equal(joined.n, 2);
    assert_int_equal(joined.group[0].n, SEGMENT_JOIN_MAX);
    /* 72 octets of headers and 7 * 8 900 and 3 163 are 65 535 */
    for (size_t last = 3163; last <= 3164; last++) {
        for (unsigned i = 0; i < 8; i++)
            pk[i] = (struct pkt){ frame[i], (uint32_t)flow_put(&f, frame[i], 8900 * i, ACK, payload,
                                                               i < 7 ? 8900 : last) };
        segment_join(&joined, 14, BOTH, pk, 8);
        assert_int_equal(joined.n, last == 3163 ? 1 : 2);
    }
    /* more flows than are kept open: nothing is lost, order of first frames */
    for (unsigned i = 0; i < 100; i++) {
        f.sport = (uint16_t)(i % 20);
        pk[i] = (struct pkt){ frame[i],
                              (uint32_t)flow_put(&f, frame[i], 10 * (i / 20), ACK, payload, 10) };
    }
    segment_join(&joined, 14, BOTH, pk, 100);
    unsigned n = 0;
    for (unsigned i = 0; i < joined.n; i++)
        n += joined.group[i].n;
    assert_int_equal(n, 100);
    segment_join(&joined, 14, BOTH, pk, 0);
    assert_int_equal(joined.n, 0);
}

/* One wrong bit anywhere behind the addresses: that frame goes alone, as it came. */
static void corruption_is_not_hidden(void **state)
{
    (void)state;
    static const uint8_t proto[] = { 6, 17 };
    for (unsigned k = 0; k < 2; k++) {
        struct flow f = tcp_flow();
        f.proto = proto[k];
        size_t upper = flow_upper(&f), end = flow_hdr(&f) + 30;
        for (size_t bit = (upper + (k ? 6 : 16)) * 8; bit < end * 8; bit++) {
            for (unsigned bad = 0; bad < 3; bad++) {
                uint8_t frame[3][200], was[200];
                struct pkt pk[3];
                for (unsigned i = 0; i < 3; i++)
                    pk[i] = (struct pkt){ frame[i], (uint32_t)flow_put(&f, frame[i], 30 * i, ACK,
                                                                       payload + 30 * i, 30) };
                frame[bad][bit / 8] ^= (uint8_t)(1u << bit % 8);
                memcpy(was, frame[bad], end);
                segment_join(&joined, 14, BOTH, pk, 3);
                bool alone = false;
                for (unsigned i = 0; i < joined.n; i++) {
                    const struct gather *g = &joined.group[i];
                    static const uint8_t zero[VNET_LEN];
                    if (joined.piece[g->first].p == frame[bad])
                        alone = g->n == 1 && memcmp(g->vnet, zero, VNET_LEN) == 0 &&
                                memcmp(frame[bad], was, end) == 0;
                }
                if (!alone)
                    fail_msg("protocol %u, frame %u, bit %zu", proto[k], bad, bit);
                assert_int_equal(joined.n, bad == 1 ? 3 : 2);
            }
        }
    }
}

/* Another packet of the flow may not be overtaken: its frames before and after do not join. */
static void nothing_overtakes(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *src;
        uint16_t sport;
        uint8_t nh; /* next header of the frame between; the rest is of the flow */
        size_t len; /* of its payload */
        unsigned groups;
    } rows[] = {
        { "another flow", "2001:db8::1", 7, 6, 10, 2 },
        { "pure ACK of another flow", "2001:db8::1", 7, 6, 0, 2 },
        { "pure ACK of the flow", "2001:db8::1", 1000, 6, 0, 3 },
        { "fragment between the two", "2001:db8::1", 7, 44, 10, 3 },
        { "ICMPv6 between the two", "2001:db8::1", 7, 58, 10, 3 },
        { "fragment from elsewhere", "2001:db8::9", 7, 44, 10, 2 },
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        struct flow f = tcp_flow(), g = tcp_flow();
        uint8_t a[SLOT], b[SLOT], c[SLOT];
        g.src = rows[i].src, g.sport = rows[i].sport;
        struct pkt pk[3] = { { a, (uint32_t)flow_put(&f, a, 0, ACK, payload, 500) },
                             { b, (uint32_t)flow_put(&g, b, 0, ACK, payload, rows[i].len) },
                             { c, (uint32_t)flow_put(&f, c, 500, ACK, payload, 500) } };
        b[20] = rows[i].nh;
        segment_join(&joined, 14, BOTH, pk, 3);
        if (joined.n != rows[i].groups)
            fail_msg("%s: %u groups", rows[i].name, joined.n);
    }
    /* what is no IPv6 packet at all ends everything */
    struct flow f = tcp_flow();
    uint8_t a[SLOT], b[20] = { 0 }, c[SLOT];
    struct pkt pk[3] = { { a, (uint32_t)flow_put(&f, a, 0, ACK, payload, 500) },
                         { b, 20 },
                         { c, (uint32_t)flow_put(&f, c, 500, ACK, payload, 500) } };
    segment_join(&joined, 14, BOTH, pk, 3);
    assert_int_equal(joined.n, 3);
}

/* ---- random streams: joined, cut again, and each flow has the same frames in the same order ----
 */

struct stream {
    struct flow f;
    uint32_t at;
    unsigned seen; /* frames taken back so far */
};

static uint8_t frames[N_FRAMES][SLOT], before[N_FRAMES][SLOT];
static uint32_t before_len[N_FRAMES];
static unsigned owner[N_FRAMES];

/* The next frame of @s, often what joins, at times something odd. */
static size_t next_frame(struct stream *s, uint8_t *out, uint32_t *seed)
{
    size_t mss = 700, len = mss;
    uint8_t flags = ACK;
    bool spoil = false;

    switch (pkt_rnd(seed) % 24) {
    case 0:
        len = pkt_rnd(seed) % mss;
        break;
    case 1:
        len = 1 + pkt_rnd(seed) % 1400;
        break;
    case 2:
        flags |= PSH;
        break;
    case 3:
        flags |= FIN;
        break;
    case 4:
        flags |= (uint8_t)(pkt_rnd(seed) & (ECE | CWR | URG));
        break;
    case 5:
        s->at += pkt_rnd(seed) % 3;
        break;
    case 6:
        s->f.ack++;
        break;
    case 7:
        s->f.window++;
        break;
    case 8:
        s->f.tos ^= 3;
        break;
    case 9:
        s->f.opt_len = s->f.opt_len ? 0 : 12;
        break;
    case 10:
        spoil = true;
        break;
    case 11:
        len = 0;
        break;
    default:
        break;
    }
    size_t n = flow_put(&s->f, out, s->at, flags, payload + pkt_rnd(seed) % 1000, len);
    s->at += (uint32_t)len;
    size_t from = flow_upper(&s->f) + 4; /* it stays a frame of its flow */
    if (spoil)
        out[from + pkt_rnd(seed) % (n - from)] ^= (uint8_t)(1u << pkt_rnd(seed) % 8);
    return n;
}

static void take_back(struct stream *s, unsigned n_streams, const struct pkt *p, unsigned at)
{
    unsigned k = owner[at];
    assert_true(k < n_streams);
    struct stream *t = &s[k];
    while (t->seen < N_FRAMES && owner[t->seen] != k)
        t->seen++;
    if (t->seen == N_FRAMES || p->len != before_len[t->seen] ||
        memcmp(p->p, before[t->seen], p->len) != 0)
        fail_msg("stream %u, frame %u differs or is out of order", k, t->seen);
    t->seen++;
}

static void random_streams(void **state)
{
    (void)state;
    static const char *const src[] = { "fd00::1", "fd00::2", "fd00::3", "fd00::4", "fd00::5",
                                       "fd00::6", "fd00::7", "fd00::8", "fd00::9", "fd00::a" };
    uint32_t seed = 42;
    unsigned in_groups = 0;
    uint8_t *flat = malloc(70000), *room = malloc(SEGMENT_ARENA_MIN);

    for (unsigned turn = 0; turn < 150; turn++) {
        struct stream s[10] = { 0 };
        struct pkt pk[N_FRAMES], out[64];
        unsigned n_streams = 1 + pkt_rnd(&seed) % 10;
        for (unsigned k = 0; k < n_streams; k++) {
            s[k].f = tcp_flow();
            s[k].f.l2_len = turn % 2 ? 14 : 0;
            s[k].f.src = src[k];
            s[k].f.seq = pkt_rnd(&seed) % 2 ? UINT32_MAX - 5000 : 5;
            s[k].f.proto = pkt_rnd(&seed) % 3 ? 6 : 17;
        }
        for (unsigned i = 0, k = 0; i < N_FRAMES; i++) {
            if (pkt_rnd(&seed) % 4 == 0)
                k = pkt_rnd(&seed) % n_streams;
            owner[i] = k;
            before_len[i] = (uint32_t)next_frame(&s[k], frames[i], &seed);
            memcpy(before[i], frames[i], before_len[i]);
            pk[i] = (struct pkt){ frames[i], before_len[i] };
        }
        unsigned l2_len = s[0].f.l2_len;
        segment_join(&joined, l2_len, BOTH, pk, N_FRAMES);
        for (unsigned g = 0; g < joined.n; g++) {
            const struct gather *gr = &joined.group[g];
            const struct pkt *piece = &joined.piece[gr->first];
            struct super sup = { .p = flat };
            struct segment_arena a = { room, SEGMENT_ARENA_MIN, 0 };
            struct segment_cut c;
            memcpy(sup.vnet, gr->vnet, VNET_LEN);
            for (unsigned i = 0; i < gr->n; i++) {
                memcpy(flat + sup.len, piece[i].p, piece[i].len);
                sup.len += piece[i].len;
            }
            unsigned first = (unsigned)((piece[0].p - frames[0]) / SLOT);
            assert_int_equal(segment_cut_open(&c, &sup, l2_len), DROP_NONE);
            unsigned n = segment_cut_next(&c, &a, out, 64);
            assert_true(segment_cut_done(&c));
            assert_int_equal(n, gr->n);
            for (unsigned i = 0; i < n; i++)
                take_back(s, n_streams, &out[i], first);
            in_groups += n > 1 ? n : 0;
        }
        unsigned all = 0;
        for (unsigned g = 0; g < joined.n; g++)
            all += joined.group[g].n;
        assert_int_equal(all, N_FRAMES);
    }
    assert_true(in_groups > 150 * N_FRAMES / 3); /* joining did happen */
    free(flat);
    free(room);
}

/* Octets that mean nothing: every frame comes out once, none is read past its end. */
static void mutations(void **state)
{
    (void)state;
    uint32_t seed = 5;

    for (unsigned turn = 0; turn < 3000; turn++) {
        struct pkt pk[8];
        struct flow f = tcp_flow();
        f.proto = turn % 2 ? 6 : 17;
        for (unsigned i = 0; i < 8; i++) {
            uint8_t scratch[SLOT];
            uint32_t len = (uint32_t)flow_put(&f, scratch, 100 * i, ACK, payload, 100);
            if (pkt_rnd(&seed) % 2)
                scratch[pkt_rnd(&seed) % len] = (uint8_t)pkt_rnd(&seed);
            if (pkt_rnd(&seed) % 4 == 0)
                len = pkt_rnd(&seed) % (len + 1);
            pk[i] = (struct pkt){ malloc(len ? len : 1), len };
            memcpy(pk[i].p, scratch, len);
        }
        segment_join(&joined, 14, BOTH, pk, 8);
        unsigned n = 0;
        for (unsigned g = 0; g < joined.n; g++)
            n += joined.group[g].n;
        assert_int_equal(n, 8);
        for (unsigned i = 0; i < 8; i++)
            free(pk[i].p);
    }
}

static int fill(void **state)
{
    (void)state;
    uint32_t seed = 3;
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)pkt_rnd(&seed);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(second_frame_rows),        cmocka_unit_test(pair_rows),
        cmocka_unit_test(superframe_is_right),      cmocka_unit_test(bounds),
        cmocka_unit_test(corruption_is_not_hidden), cmocka_unit_test(nothing_overtakes),
        cmocka_unit_test(random_streams),           cmocka_unit_test(mutations),
    };
    return cmocka_run_group_tests(tests, fill, NULL);
}
