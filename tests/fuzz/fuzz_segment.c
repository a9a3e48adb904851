/* SPDX-License-Identifier: MIT */
/* fuzz_segment.c - superframes: cut against frames built one by one; joined and cut again is what
 * was there; raw virtio headers
 *
 * Input: one octet, mod 3: 0 a superframe of fields, 1 a stream of frames to join, 2 raw: l2, vnet
 * 10, a chunk.
 */
#include <stdlib.h>

#include "../proto/flow.h"
#include "ip.h"
#include "proto/segment.h"

#define SLOT     1600u
#define N_FRAMES 48u
#define N_FLOWS  3u
#define PAY_MAX  66000u
#define BOTH     (SUPER_TCP | SUPER_UDP)

static uint8_t payload[PAY_MAX + 2000], *room;
static struct segment_joined joined;

static void setup(void)
{
    if (room)
        return;
    room = malloc(SEGMENT_ARENA_MIN);
    FUZZ_CHECK(room);
    for (size_t i = 0; i < sizeof(payload); i++)
        payload[i] = (uint8_t)(i * 7 + (i >> 8));
}

/* The pieces of a gather in one run of octets. */
static struct super flat(const struct segment_joined *j, unsigned g, uint8_t *to)
{
    struct super s = { .p = to };

    memcpy(s.vnet, j->group[g].vnet, VNET_LEN);
    for (unsigned i = 0; i < j->group[g].n; i++) {
        const struct pkt *piece = &j->piece[j->group[g].first + i];
        memcpy(to + s.len, piece->p, piece->len);
        s.len += piece->len;
    }
    return s;
}

/* ---- cut ---- */

static struct flow feed_flow(struct feed *in)
{
    static const uint8_t stamps[12] = { 1, 1, 8, 10, 1, 2, 3, 4, 5, 6, 7, 8 };
    static uint8_t ext[16] = { 6, 1, 1, 12 };
    struct flow f = { .src = "2001:db8::1", .dst = "2001:db8::2" };
    uint8_t bits = feed_u8(in);

    f.l2_len = bits & 1 ? 14 : 0;
    f.proto = bits & 2 ? 17 : 6;
    if (bits & 4)
        f.opts = stamps, f.opt_len = f.proto == 6 ? sizeof(stamps) : 0;
    if (bits & 8)
        f.ext = ext, f.ext_len = sizeof(ext), f.ext_nh = 60;
    ext[0] = f.proto;
    f.sport = feed_u16(in);
    f.dport = feed_u16(in);
    f.seq = feed_u32(in);
    f.ack = feed_u32(in);
    f.window = feed_u16(in);
    f.label = feed_u32(in) & 0xFFFFF;
    f.tos = feed_u8(in);
    f.hop_limit = feed_u8(in);
    return f;
}

/* The frames of @s, cut in slices, are those the twin builds. Returns how many. */
static unsigned check_cut(struct super s, const struct flow *f, uint8_t flags, size_t gso,
                          size_t len, unsigned slice)
{
    uint8_t *want = malloc(FLOW_FRAME_MAX);
    struct segment_arena a = { .p = room, .len = SEGMENT_ARENA_MIN };
    struct segment_cut c;
    struct pkt out[64];
    unsigned all = 0;
    size_t at = 0;

    FUZZ_CHECK(want && segment_cut_open(&c, &s, f->l2_len) == DROP_NONE);
    while (!segment_cut_done(&c)) {
        a.used = 0;
        unsigned n = segment_cut_next(&c, &a, out, slice);
        FUZZ_CHECK(n > 0 && n <= slice);
        for (unsigned i = 0; i < n; i++) {
            size_t seg = len - at < gso ? len - at : gso;
            bool last = at + seg == len;
            uint8_t fl = (uint8_t)(flags & ~(last ? 0u : 0x09u) & ~(at ? 0x80u : 0u));
            size_t n_want = flow_put(f, want, (uint32_t)at, fl, payload + at, seg);
            FUZZ_CHECK(out[i].len == n_want && memcmp(out[i].p, want, n_want) == 0);
            at += seg;
        }
        all += n;
    }
    FUZZ_CHECK(at == len);
    free(want);
    return all;
}

static void superframe(struct feed *in)
{
    struct flow f = feed_flow(in);
    uint8_t flags = f.proto == 6 ? (uint8_t)(0x10 | (feed_u8(in) & 0xC9)) : (uint8_t)0;
    unsigned slice = 1 + feed_below(in, 64);
    size_t gso = 1u + feed_u16(in) % 1500, most = 65535 - (flow_hdr(&f) - f.l2_len - 40);
    size_t len = 1u + feed_u16(in) % most;

    if (len > gso * 64)
        len = gso * 64; /* more frames than a burst: the other bounds are reached with less */
    uint8_t *buf = malloc(flow_hdr(&f) + len);
    FUZZ_CHECK(buf);
    struct super s = flow_super(&f, buf, flags, (uint16_t)gso, payload, len);
    (void)check_cut(s, &f, flags, gso, len, slice);
    free(buf);
}

/* ---- join ---- */

static uint8_t frames[N_FRAMES][SLOT], before[N_FRAMES][SLOT];

struct stream {
    struct flow f;
    uint32_t at;
};

/* One frame of @s as the input says: most often the next of a run. */
static size_t stream_frame(struct feed *in, struct stream *s, uint8_t *to)
{
    uint8_t what = feed_u8(in), flags = 0x10;
    size_t len = 500;

    if (what & 1)
        len = feed_u16(in) % 1400;
    if (what & 2)
        flags = feed_u8(in);
    if (what & 4)
        s->at += feed_u8(in);
    if (what & 8)
        s->f.ack += feed_u8(in), s->f.tos ^= feed_u8(in) & 3;
    size_t n = flow_put(&s->f, to, s->at, flags, payload + s->at % 1000, len);
    s->at += (uint32_t)len;
    if (what & 16) { /* any octet but those that say which flow it is */
        size_t from = flow_upper(&s->f) + 4;
        to[from + feed_u16(in) % (n - from)] ^= feed_u8(in);
    }
    if (what & 32)
        n -= feed_u8(in) % (n - flow_upper(&s->f) - 4);
    return n;
}

static unsigned slot_of(const uint8_t *p)
{
    return (unsigned)((p - frames[0]) / (ptrdiff_t)SLOT);
}

static void stream(struct feed *in)
{
    static const char *const src[N_FLOWS] = { "fd00::1", "fd00::2", "fd00::3" };
    static uint8_t whole[80000];
    unsigned l2_len = feed_u8(in) & 1 ? 14 : 0, takes = feed_below(in, 4);
    struct stream s[N_FLOWS] = { 0 };
    unsigned owner[N_FRAMES], next[N_FLOWS] = { 0 }, n = 0, all = 0;
    struct pkt pk[N_FRAMES], out[64];

    for (unsigned k = 0; k < N_FLOWS; k++)
        s[k].f = (struct flow){ .l2_len = l2_len,
                                .proto = k == 2 ? 17 : 6,
                                .src = src[k],
                                .dst = "fd00::9",
                                .sport = 1,
                                .dport = 2,
                                .seq = feed_u32(in),
                                .window = 512,
                                .hop_limit = 64 };
    while (in->left && n < N_FRAMES) {
        owner[n] = feed_below(in, N_FLOWS);
        pk[n].p = frames[n];
        pk[n].len = (uint32_t)stream_frame(in, &s[owner[n]], frames[n]);
        memcpy(before[n], frames[n], pk[n].len);
        n++;
    }
    segment_join(&joined, l2_len, takes, pk, n);
    for (unsigned g = 0; g < joined.n; g++) {
        struct super sup = flat(&joined, g, whole);
        struct segment_arena a = { room, SEGMENT_ARENA_MIN, 0 };
        struct segment_cut c;
        FUZZ_CHECK(segment_cut_open(&c, &sup, l2_len) == DROP_NONE);
        FUZZ_CHECK(segment_cut_next(&c, &a, out, 64) == joined.group[g].n && segment_cut_done(&c));
        FUZZ_CHECK(takes || joined.group[g].n == 1);
        for (unsigned i = 0; i < joined.group[g].n; i++) {
            unsigned at = slot_of(joined.piece[joined.group[g].first + i].p), k = owner[at];
            FUZZ_CHECK(at < n && out[i].len == pk[at].len);
            FUZZ_CHECK(memcmp(out[i].p, before[at], pk[at].len) == 0);
            FUZZ_CHECK(next[k] <= at); /* nothing of a flow overtakes */
            next[k] = at + 1;
            all++;
        }
    }
    FUZZ_CHECK(all == n);
}

/* ---- raw ---- */

static void check_cut_frame(const struct pkt *p, unsigned l2_len)
{
    struct frame f;

    FUZZ_CHECK(frame_parse(&f, p->p + l2_len, p->len - l2_len) == DROP_NONE);
    FUZZ_CHECK(f.len == p->len - l2_len && (f.nh == NH_TCP || f.nh == NH_UDP));
    FUZZ_CHECK(ip_cksum(f.p, f.upper, f.len, f.nh) == 0);
}

static void raw(struct feed *in)
{
    static uint8_t buf[SEGMENT_FRAME_MAX];
    struct super s;
    struct segment_arena a = { room, SEGMENT_ARENA_MIN, 0 };
    struct segment_feed feed;
    struct pkt out[64];
    uint64_t drops[DROP_COUNT] = { 0 };
    unsigned l2_len = feed_u8(in) & 1 ? 14 : 0, n = 0, k;

    feed_bytes(in, s.vnet, VNET_LEN);
    s.len = (uint32_t)feed_chunk(in, buf, sizeof(buf));
    s.p = fuzz_exact(buf, s.len);
    bool gso = s.vnet[1] != 0;
    feed = segment_feed_of(&s, 1, l2_len, drops);
    while (!segment_feed_done(&feed)) {
        a.used = 0;
        k = segment_feed_next(&feed, &a, out, 64);
        for (unsigned i = 0; gso && i < k; i++)
            check_cut_frame(&out[i], l2_len);
        segment_join(&joined, l2_len, BOTH, out, k);
        n += k;
        FUZZ_CHECK(k > 0 || segment_feed_done(&feed));
    }
    uint64_t dropped = 0;
    for (unsigned i = 0; i < DROP_COUNT; i++)
        dropped += drops[i];
    /* it came out, or was counted; an empty one, which no device gives, is nothing */
    FUZZ_CHECK(dropped <= 1 && (s.len == 0 || (n > 0) == (dropped == 0)));
    free(s.p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };

    fuzz_setup();
    setup();
    switch (feed_below(&in, 3)) {
    case 0:
        superframe(&in);
        break;
    case 1:
        stream(&in);
        break;
    default:
        raw(&in);
    }
    return 0;
}
