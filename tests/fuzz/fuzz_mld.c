/* SPDX-License-Identifier: MIT */
/* fuzz_mld.c - listener reports: parse, build a report that says the same, parse again
 *
 * Input: ip_feed().
 */
#include <stdlib.h>

#include "ip.h"
#include "proto/icmp6.h"
#include "proto/mac.h"
#include "proto/mld.h"

#define PACKET_MAX 4096u

/* A version 2 report with one record of each of @r: nobody (include nothing) or everybody (exclude
 * nothing). */
static size_t build(uint8_t *b, struct ip6 src, const struct mld_record *r, unsigned n)
{
    uint8_t *icmp = b + IP6_HDR_LEN + 8;
    size_t len = 8 + 8 + 20u * n;

    memset(b, 0, IP6_HDR_LEN + len);
    memcpy(b + IP6_HDR_LEN, (uint8_t[8]){ NH_ICMPV6, 0, 5, 2, 0, 0, 1, 0 }, 8);
    icmp[0] = ICMP6_MLD2_REPORT;
    be16_store(icmp + 6, (uint16_t)n);
    for (unsigned i = 0; i < n; i++) {
        icmp[8 + 20 * i] = r[i].listens ? 2 : 1;
        memcpy(icmp + 12 + 20 * i, r[i].group.b, IP6_LEN);
    }
    ip_wrap(b, src, ip6_all_routers, NH_HOPOPTS, 1, len);
    ip_fix(b, IP6_HDR_LEN + len, FIX_CKSUM);
    return IP6_HDR_LEN + len;
}

static unsigned records(struct mld *m, struct mld_record *r, const uint8_t *end)
{
    unsigned n = 0;

    while (mld_next(m, &r[n])) {
        FUZZ_CHECK(ip6_is_multicast(r[n].group) && m->next <= end);
        FUZZ_CHECK(++n <= MLD_RECORDS_MAX);
    }
    FUZZ_CHECK(m->n_left == 0 && !mld_next(m, &r[n]));
    return n;
}

static void report(uint8_t *p, const struct frame *f)
{
    struct mld_record r[MLD_RECORDS_MAX + 1], again[MLD_RECORDS_MAX + 1];
    uint8_t b[64 + 20 * MLD_RECORDS_MAX];
    struct mld m;
    struct frame g;

    if (mld_parse(&m, f) != DROP_NONE)
        return;
    FUZZ_CHECK(frame_is_mld(f) && p[7] == 1 && f->router_alert && !f->fragment);
    FUZZ_CHECK(ip_cksum(p, f->upper, f->len, NH_ICMPV6) == 0);
    unsigned n = records(&m, r, p + f->len);
    size_t len = build(b, f->src, r, n);
    FUZZ_CHECK(frame_parse(&g, b, len) == DROP_NONE && frame_is_mld(&g));
    FUZZ_CHECK(mld_parse(&m, &g) == DROP_NONE);
    FUZZ_CHECK(records(&m, again, b + len) == n);
    for (unsigned i = 0; i < n; i++)
        FUZZ_CHECK(ip6_eq(r[i].group, again[i].group) && r[i].listens == again[i].listens);
}

/* Our own query is one to everybody else, and refused when a client sends it. */
static void query(struct ip6 src)
{
    uint8_t b[MLD_QUERY_LEN];
    struct frame f;
    struct mld m;

    FUZZ_CHECK(mld_build_query(b, src) == MLD_QUERY_LEN);
    FUZZ_CHECK(frame_parse(&f, b, sizeof(b)) == DROP_NONE && frame_is_mld(&f) && f.router_alert);
    FUZZ_CHECK(ip_cksum(b, f.upper, f.len, NH_ICMPV6) == 0);
    FUZZ_CHECK(mld_parse(&m, &f) == DROP_ND_ROLE);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t raw[PACKET_MAX];
    struct feed in = { data, len };
    struct frame f;

    size_t n = ip_feed(&in, raw, sizeof(raw));
    uint8_t *p = fuzz_exact(raw, n);
    if (frame_parse(&f, p, n) == DROP_NONE) {
        if (frame_is_mld(&f))
            report(p, &f);
        query(f.src);
    }
    free(p);
    return 0;
}
