/* SPDX-License-Identifier: MIT */
/* fuzz_frame.c - views of IPv6 packets: parse, build from the view, parse again; a naive twin walks
 * too
 *
 * Input: ip_feed().
 */
#include <stdlib.h>

#include "ip.h"

#define PACKET_MAX 4096u

/* What the twin found, header by header. */
struct chain {
    unsigned n;
    uint8_t nh[FRAME_EXT_MAX + 1]; /* the header's own number */
    size_t at[FRAME_EXT_MAX + 1], len[FRAME_EXT_MAX + 1];
    size_t end; /* behind the last one */
    uint8_t last;
};

/* The headers of a packet that frame_parse() took, written without it. */
static struct chain twin_walk(const uint8_t *p, size_t len)
{
    struct chain c = { .end = IP6_HDR_LEN, .last = p[6] };

    while (c.n < FRAME_EXT_MAX &&
           (c.last == 0 || c.last == 43 || c.last == 44 || c.last == 51 || c.last == 60)) {
        if (len - c.end < 8)
            break;
        size_t n = 8u * (p[c.end + 1] + 1u);
        if (c.last == 44)
            n = 8;
        if (c.last == 51)
            n = 4u * (p[c.end + 1] + 2u);
        if (n > len - c.end)
            break;
        c.nh[c.n] = c.last;
        c.at[c.n] = c.end;
        c.len[c.n++] = n;
        bool later = c.last == 44 && (p[c.end + 2] || (p[c.end + 3] & 0xF8));
        c.last = p[c.end];
        c.end += n;
        if (later)
            break;
    }
    return c;
}

static void check_twin(const struct frame *f)
{
    struct chain c = twin_walk(f->p, f->len);
    bool fragment = false, later = false, hop = false;

    for (unsigned i = 0; i < c.n; i++) {
        const uint8_t *h = f->p + c.at[i];
        fragment |= c.nh[i] == 44;
        later |= c.nh[i] == 44 && (h[2] || (h[3] & 0xF8));
        hop |= c.nh[i] == 0;
    }
    FUZZ_CHECK(f->nh == c.last);
    FUZZ_CHECK(f->upper == (later || c.last == NH_NONE ? f->len : c.end));
    FUZZ_CHECK(f->fragment == fragment && f->later_fragment == later && f->hopopts == hop);
    FUZZ_CHECK(!hop || c.nh[0] == 0);
    FUZZ_CHECK(!f->router_alert || hop);
}

/* The packet once more, from the view and the twin's chain alone; flow label 0. */
static void check_rebuilt(const struct frame *f)
{
    uint8_t *b = malloc(f->len);
    struct chain c = twin_walk(f->p, f->len);
    struct frame again;
    size_t off = IP6_HDR_LEN;

    FUZZ_CHECK(b);
    be32_store(b, 6u << 28 | (uint32_t)f->tos << 20);
    be16_store(b + 4, (uint16_t)(f->len - IP6_HDR_LEN));
    b[6] = c.n ? c.nh[0] : f->nh;
    b[7] = f->hop_limit;
    memcpy(b + 8, f->src.b, IP6_LEN);
    memcpy(b + 24, f->dst.b, IP6_LEN);
    for (unsigned i = 0; i < c.n; i++) {
        memcpy(b + off, f->p + c.at[i], c.len[i]);
        b[off] = i + 1 < c.n ? c.nh[i + 1] : f->nh;
        off += c.len[i];
    }
    memcpy(b + off, f->p + off, f->len - off);
    FUZZ_CHECK(frame_parse(&again, b, f->len) == DROP_NONE);
    FUZZ_CHECK(ip_view_eq(f, &again));
    free(b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t raw[PACKET_MAX];
    struct feed in = { data, len };
    struct frame f, cut;

    size_t n = ip_feed(&in, raw, sizeof(raw));
    uint8_t *p = fuzz_exact(raw, n);
    memset(&f, 0xA5, sizeof(f));
    if (frame_parse(&f, p, n) == DROP_NONE) {
        FUZZ_CHECK(memcmp(p, raw, n) == 0); /* a view changes nothing */
        FUZZ_CHECK(f.p == p && f.len >= IP6_HDR_LEN && f.len <= n && f.upper <= f.len);
        FUZZ_CHECK(f.upper >= IP6_HDR_LEN);
        check_twin(&f);
        check_rebuilt(&f);
        int type = frame_icmp_type(&f);
        FUZZ_CHECK(type < 0 || p[f.upper] == type);
        FUZZ_CHECK(!(frame_is_nd(&f) && frame_is_mld(&f)) && (type >= 0 || !frame_is_nd(&f)));
        (void)frame_source_valid(&f);
        (void)frame_is_dhcp_server(&f);
        FUZZ_CHECK(frame_parse(&cut, p, f.len - 1u) != DROP_NONE); /* an octet is missing */
    }
    free(p);
    return 0;
}
