/* SPDX-License-Identifier: MIT */
/* segment_join.c - ordinary frames joined into superframes
 *
 * DOC: a frame is looked at once (look()). If it carries payload of a flow whose superframe is open
 * and is what comes next there, it is chained to it; otherwise whatever is open of its flow is
 * closed and it starts one of its own. A superframe stands in the output where its first frame
 * stood, so order within a flow is kept as long as nothing of the flow may pass an open superframe:
 * a frame that cannot be joined closes it first, and one whose ports are not to be seen (fragment,
 * extension header, another protocol) closes all between its two addresses.
 */
#include "proto/cksum.h"
#include "proto/frame.h"
#include "proto/segment.h"
#include "proto/segment_internal.h"

#define NO_PKT       UINT16_MAX
#define FLOW_LEN     36u /* addresses and ports, one behind the other */
#define ADDRS_LEN    32u
#define IP_TOTAL_MAX 65535u
#define TCP_END      (TCP_PSH | TCP_FIN) /* may close a superframe */

_Static_assert(SEGMENT_JOIN_PKTS < NO_PKT, "packet numbers are 16 bits");

/* What can be said of a frame's flow. */
enum sight {
    SIGHT_NONE,  /* nothing */
    SIGHT_ADDRS, /* its addresses */
    SIGHT_PORTS, /* and its ports: TCP or UDP directly behind the IPv6 header */
};

struct view {
    uint8_t *p;
    uint32_t hdr_len; /* with Ethernet */
    uint32_t pay_len;
    enum sight sight;
    uint8_t proto;
    bool joinable; /* payload, nothing unusual */
};

struct open {
    struct gather *group; /* first, n: number of the first frame, frames so far */
    struct view first;
    uint32_t total; /* octets of payload */
    uint32_t next_seq;
    uint16_t last; /* number of the last frame */
    uint8_t ends;  /* FIN and PSH of the last frame */
    bool verified; /* the first frame's checksum */
};

struct joiner {
    struct segment_joined *ret;
    unsigned l2_len, takes;
    unsigned n_open, victim; /* the one to close when all are open */
    struct open open[SEGMENT_JOIN_FLOWS];
    uint16_t next[SEGMENT_JOIN_PKTS]; /* chains: number of the next frame */
};

/* ---- looking ---- */

static void look_tcp(struct view *v, const uint8_t *h, uint32_t l4_len, unsigned takes)
{
    if (l4_len < TCP_HDR_MIN)
        return;
    uint32_t hdr_len = tcp_hdr_len(h);
    if (hdr_len < TCP_HDR_MIN || hdr_len >= l4_len)
        return; /* no payload */
    v->hdr_len += hdr_len;
    v->pay_len = l4_len - hdr_len;
    v->joinable = (takes & SUPER_TCP) && (h[13] & ~(TCP_END | TCP_ECE)) == TCP_ACK &&
                  (h[12] & 0x0F) == 0; /* reserved bits, one of them AccECN's */
}

static void look_udp(struct view *v, const uint8_t *h, uint32_t l4_len, unsigned takes)
{
    if (l4_len <= UDP_HDR_LEN || be16_load(h + 4) != l4_len)
        return;
    v->hdr_len += UDP_HDR_LEN;
    v->pay_len = l4_len - UDP_HDR_LEN;
    v->joinable = (takes & SUPER_UDP) && be16_load(h + UDP_CSUM) != 0;
}

static struct view look(const struct pkt *f, unsigned l2_len, unsigned takes)
{
    struct view v = { .p = f->p, .hdr_len = l2_len + IP6_HDR_LEN };
    const uint8_t *ip = f->p + l2_len;

    if (f->len < l2_len + IP6_HDR_LEN || ip[0] >> 4 != 6 ||
        (l2_len && be16_load(ip - 2) != ETHERTYPE_IP6))
        return v;
    uint32_t l4_len = be16_load(ip + 4);
    v.proto = ip[6];
    v.sight = SIGHT_ADDRS;
    if ((v.proto != NH_TCP && v.proto != NH_UDP) || l4_len < 4 ||
        f->len != l2_len + IP6_HDR_LEN + l4_len)
        return v;
    v.sight = SIGHT_PORTS;
    if (v.proto == NH_TCP)
        look_tcp(&v, ip + IP6_HDR_LEN, l4_len, takes);
    else
        look_udp(&v, ip + IP6_HDR_LEN, l4_len, takes);
    return v;
}

static bool checksum_right(const struct view *v, unsigned l2_len)
{
    const uint8_t *ip = v->p + l2_len;
    return cksum_upper(ip, v->proto, ip + IP6_HDR_LEN, be16_load(ip + 4)) == 0;
}

/* ---- closing ---- */

/* The first frame's headers, and the virtio header, for all of them. */
static void write_headers(const struct open *o, unsigned l2_len)
{
    uint8_t *ip = o->first.p + l2_len, *h = ip + IP6_HDR_LEN;
    bool tcp = o->first.proto == NH_TCP;
    uint32_t l4_len = o->first.hdr_len - l2_len - IP6_HDR_LEN + o->total;
    struct vnet v = {
        .flags = VNET_NEEDS_CSUM,
        .gso_type = tcp ? VNET_GSO_TCPV6 : VNET_GSO_UDP_L4,
        .hdr_len = (uint16_t)o->first.hdr_len,
        .gso_size = (uint16_t)o->first.pay_len,
        .csum_start = (uint16_t)(l2_len + IP6_HDR_LEN),
        .csum_offset = tcp ? TCP_CSUM : UDP_CSUM,
    };

    be16_store(ip + 4, (uint16_t)l4_len);
    if (tcp)
        h[13] |= o->ends;
    else
        be16_store(h + 4, (uint16_t)l4_len);
    uint64_t sum = cksum_add((uint64_t)l4_len + o->first.proto, ip + 8, 2 * IP6_LEN);
    be16_store(h + v.csum_offset,
               (uint16_t)~cksum_fold(sum)); /* not inverted: still to be added to */
    vnet_store(o->group->vnet, &v);
}

static void close_at(struct joiner *j, unsigned i)
{
    struct open *o = &j->open[i];

    if (o->group->n > 1)
        write_headers(o, j->l2_len);
    *o = j->open[--j->n_open];
}

/* find_open() - the open superframe of @v's flow; -1: none */
static int find_open(const struct joiner *j, const struct view *v)
{
    for (unsigned i = 0; i < j->n_open; i++) {
        const struct view *w = &j->open[i].first;
        if (w->proto == v->proto &&
            memcmp(w->p + j->l2_len + 8, v->p + j->l2_len + 8, FLOW_LEN) == 0)
            return (int)i;
    }
    return -1;
}

/* Whatever @v must not overtake. */
static void close_before(struct joiner *j, const struct view *v)
{
    int at;

    if (v->sight == SIGHT_PORTS) {
        if ((at = find_open(j, v)) >= 0)
            close_at(j, (unsigned)at);
        return;
    }
    for (unsigned i = j->n_open; i-- > 0;) {
        const uint8_t *addrs = j->open[i].first.p + j->l2_len + 8;
        if (v->sight == SIGHT_NONE || memcmp(addrs, v->p + j->l2_len + 8, ADDRS_LEN) == 0)
            close_at(j, i);
    }
}

/* ---- joining ---- */

/* same_headers() - do all fields agree that must? Length, sequence and checksum may differ, for TCP
 * FIN and PSH too. */
static bool same_headers(const struct view *a, const struct view *b, unsigned l2_len)
{
    const uint8_t *x = a->p + l2_len, *y = b->p + l2_len;
    const uint8_t *s = x + IP6_HDR_LEN, *t = y + IP6_HDR_LEN;

    if (a->hdr_len != b->hdr_len || memcmp(a->p, b->p, l2_len) != 0 || memcmp(x, y, 4) != 0 ||
        memcmp(x + 6, y + 6, 2) != 0)
        return false;
    if (a->proto == NH_UDP)
        return true;
    /* acknowledgment and data offset, flags, window, urgent pointer and options */
    return memcmp(s + 8, t + 8, 5) == 0 && ((s[13] ^ t[13]) & ~TCP_END) == 0 &&
           memcmp(s + 14, t + 14, 2) == 0 &&
           memcmp(s + 18, t + 18, a->hdr_len - l2_len - IP6_HDR_LEN - 18) == 0;
}

static bool continues(const struct joiner *j, const struct open *o, const struct view *v)
{
    uint32_t ip_len = o->first.hdr_len - j->l2_len + o->total + v->pay_len;

    if (o->group->n >= SEGMENT_JOIN_MAX || v->pay_len > o->first.pay_len || ip_len > IP_TOTAL_MAX ||
        !same_headers(&o->first, v, j->l2_len))
        return false;
    return v->proto == NH_UDP || be32_load(v->p + j->l2_len + IP6_HDR_LEN + 4) == o->next_seq;
}

/* Flags of @v that end a superframe; 0 for UDP. */
static uint8_t ends_of(const struct joiner *j, const struct view *v)
{
    return v->proto == NH_TCP ? v->p[j->l2_len + IP6_HDR_LEN + 13] & TCP_END : 0;
}

/* try_join() - to its open superframe; false: not to be joined to that. A wrong checksum on either
 * side means that the frame goes alone, as it is, for its receiver to find out. */
static bool try_join(struct joiner *j, struct open *o, const struct view *v, uint16_t number)
{
    if (!continues(j, o, v))
        return false;
    if (!o->verified && !checksum_right(&o->first, j->l2_len))
        return false;
    o->verified = true;
    if (!checksum_right(v, j->l2_len))
        return false;
    j->next[o->last] = number;
    o->last = number;
    o->group->n++;
    o->total += v->pay_len;
    o->next_seq += v->pay_len;
    o->ends = ends_of(j, v);
    return true;
}

static void start(struct joiner *j, const struct view *v, uint16_t number)
{
    struct gather *g = &j->ret->group[j->ret->n++];

    *g = (struct gather){ .first = number, .n = 1 };
    j->next[number] = NO_PKT;
    if (!v->joinable || ends_of(j, v))
        return;
    if (j->n_open == SEGMENT_JOIN_FLOWS) {
        close_at(j, j->victim);
        j->victim = (j->victim + 1) % SEGMENT_JOIN_FLOWS;
    }
    j->open[j->n_open++] = (struct open){
        .group = g,
        .first = *v,
        .total = v->pay_len,
        .next_seq =
            v->proto == NH_TCP ? be32_load(v->p + j->l2_len + IP6_HDR_LEN + 4) + v->pay_len : 0,
        .last = number,
    };
}

static void add(struct joiner *j, const struct pkt *f, uint16_t number)
{
    struct view v = look(f, j->l2_len, j->takes);
    int at = v.joinable ? find_open(j, &v) : -1;

    if (at >= 0 && try_join(j, &j->open[at], &v, number)) {
        const struct open *o = &j->open[at];
        j->next[number] = NO_PKT;
        if (o->ends || v.pay_len < o->first.pay_len)
            close_at(j, (unsigned)at);
        return;
    }
    close_before(j, &v);
    start(j, &v, number);
}

/* Chains of frames to pieces: the first frame whole, of the others the payload. */
static void lay_out(struct joiner *j, const struct pkt *pk)
{
    unsigned n = 0;

    for (unsigned i = 0; i < j->ret->n; i++) {
        struct gather *g = &j->ret->group[i];
        uint32_t hdr_len = vnet_load(g->vnet).hdr_len;
        uint16_t number = g->first;

        g->first = (uint16_t)n;
        j->ret->piece[n++] = pk[number];
        while ((number = j->next[number]) != NO_PKT)
            j->ret->piece[n++] =
                (struct pkt){ .p = pk[number].p + hdr_len, .len = pk[number].len - hdr_len };
    }
}

void segment_join(struct segment_joined *ret, unsigned l2_len, unsigned takes, const struct pkt *pk,
                  unsigned n)
{
    struct joiner j;

    j.ret = ret;
    j.l2_len = l2_len;
    j.takes = takes;
    j.n_open = j.victim = 0;
    ret->n = 0;
    for (unsigned i = 0; i < n; i++)
        add(&j, &pk[i], (uint16_t)i);
    while (j.n_open)
        close_at(&j, j.n_open - 1);
    lay_out(&j, pk);
}
