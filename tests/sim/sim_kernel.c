/* SPDX-License-Identifier: MIT */
/* sim_kernel.c - the little kernels behind TAP and TUN: numbered packets, echo, ND */
#include <string.h>

#include "client/traffic.h"
#include "proto/cksum.h"
#include "proto/icmp6.h"
#include "proto/nd.h"
#include "sim.h"

#define UDP_LEN    8u
#define FLOW_MAGIC 0x53494d31u
#define FLOW_PORT  4242u
#define FRAME_MAX  (ETH_LEN + 1500u)

static const struct ip6 uplink_host = { { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 0x99 } };

/* ---- addresses ---- */

struct ip6 sim_global(const struct sim *w, int id)
{
    return id == SIM_UPLINK ? uplink_host : w->client[id]->dev.address[0].addr;
}

static struct ip6 link_local(const struct sim_client *c)
{
    return mac_link_local(c->dev.mac);
}

static bool is_own(const struct sim_client *c, struct ip6 a)
{
    return ip6_eq(a, link_local(c)) || (c->dev.n_address && ip6_eq(a, c->dev.address[0].addr));
}

/* neighbor() - what this kernel's neighbor cache would say of @dst */
static struct mac neighbor(const struct sim_client *c, struct ip6 dst)
{
    if (ip6_is_multicast(dst))
        return mac_multicast(dst);
    for (unsigned i = 0; i < c->w->n_clients; i++)
        if (c->w->client[i]->e && c->w->client[i]->dev.created && is_own(c->w->client[i], dst))
            return c->w->client[i]->dev.mac;
    return c->dev.router_mac;
}

static void put_ip6(uint8_t *p, uint8_t nh, size_t pay_len, struct ip6 src, struct ip6 dst)
{
    memset(p, 0, IP6_HDR_LEN);
    p[0] = 0x60;
    be16_store(p + 4, (uint16_t)pay_len);
    p[6] = nh;
    p[7] = 64;
    memcpy(p + 8, src.b, IP6_LEN);
    memcpy(p + 24, dst.b, IP6_LEN);
}

/* frame() - a buffer of its own for a packet of @len octets; its IPv6 header comes at .p + ETH_LEN
 */
static struct pkt new_frame(const struct sim_client *c, struct ip6 dst, size_t len)
{
    uint8_t *buf = malloc(PKT_HEADROOM + ETH_LEN + len + PKT_TAILROOM);
    struct pkt f = { .p = buf + PKT_HEADROOM, .len = (uint32_t)(ETH_LEN + len) };
    struct mac to = neighbor(c, dst);

    assert_non_null(buf);
    memcpy(f.p, to.b, MAC_LEN);
    memcpy(f.p + MAC_LEN, c->dev.mac.b, MAC_LEN);
    be16_store(f.p + 2 * MAC_LEN, ETHERTYPE_IP6);
    return f;
}

static void transmit(struct sim_client *c, struct pkt *f, unsigned n)
{
    uint8_t *buf[BURST_MAX];

    for (unsigned i = 0; i < n; i++)
        buf[i] = f[i].p - PKT_HEADROOM;
    sim_client_tap(c, f, n);
    for (unsigned i = 0; i < n; i++)
        free(buf[i]);
}

static void send_packet(struct sim_client *c, struct ip6 dst, const uint8_t *ip, size_t len)
{
    struct pkt f = new_frame(c, dst, len);

    memcpy(f.p + ETH_LEN, ip, len);
    transmit(c, &f, 1);
}

/* ---- numbered packets ---- */

static size_t put_flow_packet(uint8_t *p, const struct sim *w, unsigned flow, uint32_t number)
{
    const struct sim_flow *fl = &w->flow[flow];
    size_t len = UDP_LEN + fl->pay_len;
    uint8_t *udp = p + IP6_HDR_LEN;

    put_ip6(p, NH_UDP, len, sim_global(w, fl->from), sim_global(w, fl->to));
    memset(udp, (int)(number & 0xff), len);
    be16_store(udp, FLOW_PORT);
    be16_store(udp + 2, FLOW_PORT);
    be16_store(udp + 4, (uint16_t)len);
    be16_store(udp + 6, 0);
    be32_store(udp + 8, FLOW_MAGIC);
    be32_store(udp + 12, flow);
    be32_store(udp + 16, number);
    be16_store(udp + 6, cksum_upper(p, NH_UDP, udp, len));
    return IP6_HDR_LEN + len;
}

/* send_burst() - the next packets of a flow leave */
static void send_burst(struct sim *w, unsigned flow)
{
    struct sim_flow *fl = &w->flow[flow];
    const unsigned n = fl->burst;
    uint8_t ip[1500];
    struct pkt f[BURST_MAX];

    if (fl->from == SIM_UPLINK) {
        for (unsigned i = 0; i < n; i++) {
            size_t len = put_flow_packet(ip, w, flow, fl->n_sent++);
            sim_router_tun(w, ip, len);
        }
        return;
    }
    struct sim_client *c = w->client[fl->from];
    if (!c->e || !c->dev.carrier) {
        fl->n_refused += n;
        return;
    }
    for (unsigned i = 0; i < n; i++) {
        size_t len = put_flow_packet(ip, w, flow, fl->n_sent++);
        f[i] = new_frame(c, sim_global(w, fl->to), len);
        memcpy(f[i].p + ETH_LEN, ip, len);
    }
    transmit(c, f, n);
}

static void flow_timer(struct sim *w, void *arg)
{
    unsigned flow = (unsigned)((struct sim_flow *)arg - w->flow);

    if (w->now >= w->flow[flow].until)
        return;
    send_burst(w, flow);
    sim_at(w, w->now + w->flow[flow].period, flow_timer, arg);
}

unsigned sim_flow(struct sim *w, int from, int to, mono_ns period, unsigned burst, mono_ns life)
{
    unsigned flow = w->n_flows++;
    struct sim_flow *fl = &w->flow[flow];

    assert_true(flow < SIM_FLOWS_MAX && burst <= BURST_MAX);
    *fl = (struct sim_flow){ .from = from,
                             .to = to,
                             .period = period,
                             .until = w->now + life,
                             .burst = burst,
                             .pay_len = 64,
                             .cap = (uint32_t)((life / period + 2) * burst) };
    fl->seen = calloc(fl->cap, 1);
    assert_non_null(fl->seen);
    sim_at(w, w->now + sim_below(w, period), flow_timer, fl);
    return flow;
}

static bool all_equal(const uint8_t *p, size_t len, uint8_t x)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != x)
            return false;
    return true;
}

/* flow_arrived() - @f is a packet of a flow: exactly as sent, and at the right place? */
static void flow_arrived(struct sim *w, int at, const struct frame *f)
{
    const uint8_t *udp = f->p + f->upper;
    uint32_t flow = be32_load(udp + 12), number = be32_load(udp + 16);

    sim_check(w, flow < w->n_flows && number < w->flow[flow].n_sent);
    struct sim_flow *fl = &w->flow[flow];
    sim_check(w, fl->to == at);
    sim_check(w, f->len == f->upper + UDP_LEN + fl->pay_len);
    sim_check(w, cksum_upper(f->p, NH_UDP, udp, UDP_LEN + fl->pay_len) == 0);
    sim_check(w, all_equal(udp + 20, fl->pay_len - 12, (uint8_t)number));
    if (fl->seen[number]) {
        fl->n_dup++;
        return;
    }
    fl->seen[number] = 1;
    fl->n_late += number < fl->highest;
    fl->highest = number > fl->highest ? number : fl->highest;
    if (fl->n_got++ && w->now - fl->got_at > fl->gap)
        fl->gap = w->now - fl->got_at;
    fl->got_at = w->now;
}

void sim_flow_whole(const struct sim *w, unsigned flow)
{
    const struct sim_flow *fl = &w->flow[flow];

    if (fl->n_sent == 0 || fl->n_refused || fl->n_got != fl->n_sent || fl->n_dup)
        sim_fail(w, "flow %u from %d to %d: %u sent, %u arrived, %u twice, %u refused", flow,
                 fl->from, fl->to, fl->n_sent, fl->n_got, fl->n_dup, fl->n_refused);
}

void sim_talk(struct sim *w, mono_ns life)
{
    sim_flow(w, 0, 1, time_ms(100), 1, life);
    sim_flow(w, 1, 0, time_ms(100), 1, life);
    sim_flow(w, SIM_UPLINK, 0, time_ms(100), 1, life);
}

void sim_all_whole(const struct sim *w)
{
    for (unsigned f = 0; f < w->n_flows; f++)
        sim_flow_whole(w, f);
}

/* ---- echo and ND ---- */

void sim_ping(struct sim_client *c, struct ip6 dst)
{
    uint8_t ip[IP6_HDR_LEN + 16] = { 0 };
    uint8_t *icmp = ip + IP6_HDR_LEN;

    put_ip6(ip, NH_ICMPV6, 16, ip6_is_link_local(dst) ? link_local(c) : sim_global(c->w, c->id),
            dst);
    icmp[0] = ICMP6_ECHO_REQUEST;
    be16_store(icmp + 4, (uint16_t)c->id);
    be16_store(icmp + 2, cksum_upper(ip, NH_ICMPV6, icmp, 16));
    send_packet(c, dst, ip, sizeof(ip));
}

void sim_solicit(struct sim_client *c, struct ip6 target)
{
    uint8_t ip[80];
    struct ip6 dst = ip6_solicited_node(target);
    size_t len = nd_build_ns(ip, sim_global(c->w, c->id), dst, target, &c->dev.mac, NULL);

    send_packet(c, dst, ip, len);
}

static void neighbor_message(struct sim_client *c, const struct frame *f)
{
    struct nd nd;
    uint8_t ip[IP6_HDR_LEN + ND_NA_LEN];

    sim_check(c->w, nd_parse(&nd, f) == DROP_NONE);
    switch (nd.type) {
    case ND_RA:
        c->n_ra++;
        sim_check(c->w, ip6_eq(nd.src, mac_link_local(c->dev.router_mac)));
        break;
    case ND_NA:
        c->n_na++;
        c->na_mac = nd.lla;
        c->na_target = nd.target;
        c->na_flags = nd.flags;
        break;
    case ND_NS:
        c->n_ns++;
        if (!is_own(c, nd.target))
            break;
        nd_build_na(ip, nd.target, nd.src, nd.target, ND_NA_S | ND_NA_O, c->dev.mac);
        send_packet(c, nd.src, ip, sizeof(ip));
        break;
    default:
        sim_fail(c->w, "ND type %u came out of a TAP", (unsigned)nd.type);
    }
}

static void icmp_message(struct sim_client *c, struct frame *f)
{
    int type = frame_icmp_type(f);

    if (frame_is_nd(f)) {
        neighbor_message(c, f);
    } else if (type == ICMP6_ECHO_REPLY) {
        c->n_echo_replies++;
        c->echo_at = c->w->now;
    } else if (type == ICMP6_ECHO_REQUEST && icmp6_echo_valid(f)) {
        icmp6_echo_turn(f, f->dst);
        send_packet(c, f->dst, f->p, f->len);
    } else {
        c->n_errors++;
    }
}

static bool is_flow(const struct frame *f)
{
    return f->nh == NH_UDP && f->len >= f->upper + 20 &&
           be32_load(f->p + f->upper + 8) == FLOW_MAGIC;
}

void sim_kernel_frame(struct sim_client *c, const uint8_t *p, size_t len)
{
    uint8_t *copy = malloc(len);
    struct frame f;

    assert_non_null(copy);
    assert_true(len >= ETH_LEN && len <= FRAME_MAX);
    memcpy(copy, p, len);
    sim_check(c->w, be16_load(copy + 2 * MAC_LEN) == ETHERTYPE_IP6);
    sim_check(c->w, frame_parse(&f, copy + ETH_LEN, len - ETH_LEN) == DROP_NONE);
    sim_check(c->w, f.len <= c->e->pmtu.cap); /* what was under way when the MTU fell is heard */
    if (ip6_is_multicast(f.dst)) {
        sim_check(c->w, mac_eq(mac_load(copy), mac_multicast(f.dst)));
    } else {
        sim_check(c->w, mac_eq(mac_load(copy), c->dev.mac));
        sim_check(c->w, is_own(c, f.dst));
    }
    if (is_flow(&f))
        flow_arrived(c->w, c->id, &f);
    else if (f.nh == NH_ICMPV6)
        icmp_message(c, &f);
    free(copy);
}

void sim_uplink_packet(struct sim *w, const uint8_t *ip, size_t len)
{
    uint8_t *copy = malloc(len);
    struct frame f;

    assert_non_null(copy);
    memcpy(copy, ip, len);
    sim_check(w, frame_parse(&f, copy, len) == DROP_NONE);
    if (is_flow(&f)) {
        flow_arrived(w, SIM_UPLINK, &f);
    } else if (icmp6_echo_valid(&f)) {
        icmp6_echo_turn(&f, f.dst);
        sim_router_tun(w, f.p, f.len);
    }
    free(copy);
}
