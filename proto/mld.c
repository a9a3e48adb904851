/* SPDX-License-Identifier: MIT */
/* mld.c - Multicast Listener Discovery: reports read, the general query built */
#include "proto/mld.h"

#include "proto/cksum.h"
#include "proto/icmp6.h"
#include "proto/mac.h"

#define V1_LEN      24u
#define V2_HEAD_LEN 8u
#define RECORD_LEN  20u
#define HOPOPTS_LEN 8u
#define QUERY_ICMP  28u
#define MAX_RESP_MS 10000u
#define ROBUSTNESS  2u

enum { /* RFC 3810 5.2.12 */
       MODE_IS_INCLUDE = 1,
       MODE_IS_EXCLUDE = 2,
       CHANGE_TO_INCLUDE = 3,
       CHANGE_TO_EXCLUDE = 4,
       ALLOW_NEW_SOURCES = 5,
       BLOCK_OLD_SOURCES = 6,
};

/* Octets of the record at @p, sources and auxiliary data counted. */
static size_t record_len(const uint8_t *p)
{
    return RECORD_LEN + (size_t)be16_load(p + 2) * IP6_LEN + (size_t)p[1] * 4;
}

static bool records_fit(const uint8_t *p, const uint8_t *end, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if ((size_t)(end - p) < RECORD_LEN || (size_t)(end - p) < record_len(p))
            return false;
        p += record_len(p);
    }
    return true;
}

enum drop mld_parse(struct mld *ret, const struct frame *f)
{
    const uint8_t *p = f->p + f->upper, *end = f->p + f->len;
    size_t len = (size_t)(end - p);

    if (frame_icmp_type(f) == ICMP6_MLD_QUERY)
        return DROP_ND_ROLE;
    if (f->fragment || f->hop_limit != 1 || !f->router_alert)
        return DROP_MLD_INVALID;
    if (!ip6_is_link_local(f->src) && !ip6_is_unspecified(f->src))
        return DROP_MLD_INVALID;
    if (len < V2_HEAD_LEN || cksum_upper(f->p, NH_ICMPV6, p, len) != 0)
        return DROP_MLD_INVALID;
    struct mld m = { .type = p[0], .next = p + V2_HEAD_LEN, .end = end, .n_left = 1 };
    if (m.type == ICMP6_MLD2_REPORT) {
        m.n_left = be16_load(p + 6);
        if (!records_fit(m.next, end, m.n_left))
            return DROP_MLD_INVALID;
        if (m.n_left > MLD_RECORDS_MAX)
            m.n_left = MLD_RECORDS_MAX;
    } else if (len < V1_LEN) {
        return DROP_MLD_INVALID;
    }
    *ret = m;
    return DROP_NONE;
}

/* What a record says about listening: 1 yes, 0 no more, -1 nothing. */
static int record_says(const uint8_t *p)
{
    bool sources = be16_load(p + 2) != 0;

    switch (p[0]) {
    case MODE_IS_EXCLUDE:
    case CHANGE_TO_EXCLUDE:
        return 1;
    case ALLOW_NEW_SOURCES:
        return sources ? 1 : -1;
    case MODE_IS_INCLUDE:
    case CHANGE_TO_INCLUDE:
        return sources;
    default:
        return -1;
    }
}

bool mld_next(struct mld *m, struct mld_record *ret)
{
    while (m->n_left > 0) {
        const uint8_t *p = m->next;
        int says;
        m->n_left--;
        if (m->type == ICMP6_MLD2_REPORT) {
            says = record_says(p);
            ret->group = ip6_load(p + 4);
            m->next += record_len(p);
        } else {
            says = m->type == ICMP6_MLD_REPORT;
            ret->group = ip6_load(p);
        }
        if (says < 0 || !ip6_is_multicast(ret->group))
            continue;
        ret->listens = says == 1;
        return true;
    }
    return false;
}

size_t mld_build_query(uint8_t *out, struct ip6 src)
{
    uint8_t *icmp = out + IP6_HDR_LEN + HOPOPTS_LEN;

    memset(out, 0, MLD_QUERY_LEN);
    out[0] = 0x60;
    be16_store(out + 4, HOPOPTS_LEN + QUERY_ICMP);
    out[6] = NH_HOPOPTS;
    out[7] = 1;
    memcpy(out + 8, src.b, IP6_LEN);
    memcpy(out + 24, ip6_all_nodes.b, IP6_LEN);
    out[40] = NH_ICMPV6;
    out[42] = 5; /* Router Alert, value 0: MLD */
    out[43] = 2;
    out[46] = 1; /* PadN without content */
    icmp[0] = ICMP6_MLD_QUERY;
    be16_store(icmp + 4, MAX_RESP_MS);
    icmp[24] = ROBUSTNESS;
    icmp[25] = (uint8_t)(MLD_QUERY_INTERVAL / NS_PER_S);
    be16_store(icmp + 2, cksum_upper(out, NH_ICMPV6, icmp, QUERY_ICMP));
    return MLD_QUERY_LEN;
}
