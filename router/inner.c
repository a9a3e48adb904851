/* SPDX-License-Identifier: MIT */
/* inner.c - inner packets on their way: carries out what forward.h and neighbor.h decide */
#include "router/adverts.h"
#include "router/forward.h"
#include "router/neighbor.h"
#include "router/state.h"

#define STALE_NA_PAUSE (100 * NS_PER_MS)
#define PEER_ROOM      (DATA_HDR_LEN + DATA_MAC_LEN)
#define MEMBER_ERRORS  10u /* ICMPv6 errors a second that one member may draw */

static void note_bound(struct router_engine *re, const struct member *m, struct ip6 a)
{
    struct notice *ev = notice_add(&re->notices, NOTICE_BOUND);
    ev->client = m->client;
    memcpy(ev->key, m->key, KEY_LEN);
    ev->ep = m->ep;
    ev->mac = m->mac;
    ev->addr = a;
}

/* @m wants an address of @owner's; NULL: of the router's (R30). */
static void note_dad(struct router_engine *re, const struct member *m, const struct member *owner,
                     struct ip6 a)
{
    struct notice *ev = notice_add(&re->notices, NOTICE_DAD);
    re->dad_refused++;
    ev->client = m->client;
    memcpy(ev->key, m->key, KEY_LEN);
    ev->ep = m->ep;
    ev->mac = m->mac;
    ev->addr = a;
    ev->other_mac = owner ? owner->mac : re->mac;
    if (!owner)
        return;
    ev->has_other = true;
    ev->other = owner->client;
    memcpy(ev->other_key, owner->key, KEY_LEN);
}

static void note_flood(struct router_engine *re, const struct member *m)
{
    struct notice *ev = notice_add(&re->notices, NOTICE_FLOOD);
    ev->client = m->client;
    memcpy(ev->key, m->key, KEY_LEN);
    ev->ep = m->ep;
    ev->mac = m->mac;
}

/* Room for a packet of our own of up to @len octets, with headers before and the tag behind. */
static uint8_t *own_packet(struct out *out, size_t len)
{
    uint8_t *p = out_alloc(out, PKT_HEADROOM + len + PKT_TAILROOM);
    return p ? p + PKT_HEADROOM : NULL;
}

static void tell(struct router_engine *re, struct member *m, uint8_t *ip, size_t len)
{
    enum drop why = ip6_is_multicast(ip6_load(ip + 24))
                        ? txq_multicast(&re->txq, m, ip, len, re->mac)
                        : txq_host(&re->txq, m, ip, len);
    if (why)
        engine_drop(re, why);
}

/* The source of what we say: the global address to a global one, the link-local otherwise. */
static struct ip6 own_source(const struct router_engine *re, struct ip6 to)
{
    return ip6_is_link_local(to) || ip6_is_unspecified(to) ? re->link_local : re->b.router[0];
}

/* An ICMPv6 error about @f, to member @m, or into the TUN when @m is NULL. Limits are by member,
 * for all, and apart for the uplink, so that who scans the segment does not keep Packet Too Big
 * from others (R35, R44). */
static void send_error(struct router_engine *re, struct member *m, const struct frame *f,
                       uint8_t type, uint8_t code, uint32_t param, mono_ns now, struct out *out)
{
    struct icmp6_bucket *all = m ? &re->errors : &re->uplink_errors;
    uint8_t *p = NULL;
    size_t len = 0;

    if (!m || bucket_take(&m->errors, MEMBER_ERRORS, MEMBER_ERRORS, now))
        p = own_packet(out, ICMP6_ERROR_MAX);
    if (p)
        len = icmp6_error(p, f, own_source(re, f->src), type, code, param, all, now);
    if (len == 0)
        engine_drop(re, DROP_ICMP_RATE);
    else if (m)
        tell(re, m, p, len);
    else if (!out_pkt(out, p, len))
        engine_drop(re, DROP_NO_ROOM);
}

void inner_advert(struct router_engine *re, struct member *m, struct ip6 dst, mono_ns now,
                  struct out *out)
{
    uint8_t *p = own_packet(out, ND_PACKET_MAX);
    if (!p) {
        engine_drop(re, DROP_NO_ROOM);
        return;
    }
    struct advert_from from = { .conf = re->conf,
                                .b = &re->b,
                                .uplink = re->admit.uplink_up,
                                .link_local = re->link_local,
                                .mac = re->mac,
                                .now = now };
    tell(re, m, p, adverts_build(p, &from, m, dst));
}

/* From the source link-layer address option of a solicitation its receiver makes a neighbor entry
 * for the sender (RFC 4861 7.2.3), STALE, so that it is used at once and probed later. The RA does
 * this for the link-local address; without the same for the global one the first packet to it would
 * wait for a round trip of address resolution. */
void inner_introduce(struct router_engine *re, struct member *m, struct out *out)
{
    uint8_t *p = own_packet(out, IP6_HDR_LEN + ND_NS_LEN);
    if (!p) {
        engine_drop(re, DROP_NO_ROOM);
        return;
    }
    tell(re, m, p, nd_build_ns(p, re->b.router[0], m->link_local, m->link_local, &re->mac, NULL));
}

static void advertise_neighbor(struct router_engine *re, struct member *m, struct ip6 dst,
                               struct ip6 target, uint8_t flags, struct mac lla, struct out *out)
{
    uint8_t *p = own_packet(out, IP6_HDR_LEN + ND_NA_LEN);
    if (!p) {
        engine_drop(re, DROP_NO_ROOM);
        return;
    }
    /* Some hosts' tools want the answer about an address to come from it. */
    struct ip6 src = ip6_eq(target, re->b.router[0]) ? target : re->link_local;
    tell(re, m, p, nd_build_na(p, src, dst, target, flags, lla));
}

/* The sender holds an old MAC for @f's destination: tell it the new one, not too often. */
static void repair(struct router_engine *re, struct member *m, const struct frame *f,
                   struct member *owner, mono_ns now, struct out *out)
{
    m->stale_mac++;
    if (m->stale_na && time_since(now, m->stale_na) < STALE_NA_PAUSE)
        return;
    m->stale_na = now;
    advertise_neighbor(re, m, f->src, f->dst, ND_NA_O, owner->mac, out);
}

/* To another member. @d's buffer has room for the peer header before f->p when it came as peer or
 * multicast. */
static void to_member(struct router_engine *re, struct member *m, struct member *to,
                      struct frame *f, bool copy, mono_ns now, struct out *out)
{
    uint8_t *ip = f->p;

    if (f->len > to->mtu) {
        engine_drop(re, DROP_TOO_BIG);
        send_error(re, m, f, ICMP6_TOO_BIG, 0, to->mtu, now, out);
        return;
    }
    if (copy) {
        ip = own_packet(out, f->len);
        if (!ip) {
            engine_drop(re, DROP_NO_ROOM);
            return;
        }
        memcpy(ip, f->p, f->len);
    }
    enum drop why = txq_peer(&re->txq, to, ip, f->len, m->mac);
    if (why)
        engine_drop(re, why);
}

/* Into a prefix behind another member: from us, as what comes out of the uplink. */
static void to_network(struct router_engine *re, struct member *m, struct member *to,
                       struct frame *f, mono_ns now, struct out *out)
{
    enum drop why = DROP_TOO_BIG;

    if (f->len > to->mtu)
        send_error(re, m, f, ICMP6_TOO_BIG, 0, to->mtu, now, out);
    else
        why = txq_host(&re->txq, to, f->p, f->len);
    if (why)
        engine_drop(re, why);
}

static void answer_self(struct router_engine *re, struct member *m, struct frame *f, mono_ns now,
                        struct out *out)
{
    struct forward fw = forward_at_router(f);

    if (fw.to != TO_ROUTER || !icmp6_echo_valid(f)) {
        engine_drop(re, fw.to != TO_ROUTER ? fw.why : DROP_CKSUM);
        if (fw.error_type)
            send_error(re, m, f, fw.error_type, fw.error_code, fw.error_param, now, out);
        return;
    }
    if (ip6_is_multicast(f->dst) && !icmp6_bucket_take(&re->echoes, now)) {
        engine_drop(re, DROP_ICMP_RATE);
        return;
    }
    bool own = ip6_eq(f->dst, re->link_local) || bindings_is_own(&re->b, f->dst);
    icmp6_echo_turn(f, own ? f->dst : own_source(re, f->src));
    tell(re, m, f->p, f->len);
}

static void solicited(struct router_engine *re, struct member *m, struct ip6 dst, mono_ns now,
                      struct out *out)
{
    if (adverts_solicited(&re->adverts, m, member_slot(&re->ms, m), dst, now))
        inner_advert(re, m, dst, now, out);
}

static void neighbor_message(struct router_engine *re, struct member *m, struct frame *f,
                             enum wire_kind kind, mono_ns now, struct out *out)
{
    struct nd nd;

    enum drop why = nd_parse(&nd, f);
    if (why) {
        engine_drop(re, why);
        return;
    }
    struct neighbor n = neighbor_decide(&re->b, m, &nd, re->mac, now);
    if (n.what != ND_DROP && !bucket_take(&m->nd, NEIGHBOR_PER_S, NEIGHBOR_BURST, now)) {
        engine_drop(re, DROP_ND_RATE);
        return;
    }
    switch (n.what) {
    case ND_DROP:
        if (n.learned)
            note_bound(re, m, n.na_target);
        if (n.why)
            engine_drop(re, n.why);
        break;
    case ND_ANSWER:
        if (n.dad_conflict) {
            note_dad(re, m, n.to, n.na_target);
        }
        advertise_neighbor(re, m, n.na_dst, n.na_target, n.na_flags, n.na_lla, out);
        break;
    case ND_FORWARD:
        to_member(re, m, n.to, f, kind == KIND_HOST, now, out);
        break;
    case ND_SOLICITED_RA:
        solicited(re, m, ip6_is_unspecified(nd.src) ? ip6_all_nodes : nd.src, now, out);
        break;
    }
}

/* A group's listeners, each a copy; the sender's rate is limited first (H58). */
static void multicast(struct router_engine *re, struct member *m, struct frame *f, bool also_router,
                      mono_ns now, struct out *out)
{
    enum drop why = DROP_MULTICAST;

    if (groups_find(&re->groups, f->dst) != GROUP_NONE) {
        why = bucket_take(&m->casts, CAST_PER_S, CAST_BURST, now)
                  ? cast_add(re->cast, f, member_slot(&re->ms, m), m->mac)
                  : DROP_MULTICAST_RATE;
    }
    if (why)
        engine_drop(re, why);
    if (why == DROP_TOO_BIG)
        send_error(re, m, f, ICMP6_TOO_BIG, 0, CAST_PACKET, now, out);
    if (also_router) /* last: the answer is made of the packet itself */
        answer_self(re, m, f, now, out);
}

void inner_cast_too_big(struct router_engine *re, struct cast_job *j, mono_ns now, struct out *out)
{
    struct member *m = &re->ms.m[j->from];
    struct frame f;

    re->drop[DROP_TOO_BIG] += j->n_small;
    /* The sender may have gone, and its place may be another's. */
    if (!m->live || !mac_eq(m->mac, j->src) || frame_parse(&f, j->packet, j->len) != DROP_NONE)
        return;
    send_error(re, m, &f, ICMP6_TOO_BIG, 0, j->least_mtu, now, out);
}

static void listener_report(struct router_engine *re, struct member *m, const struct frame *f,
                            mono_ns now)
{
    struct mld mld;

    enum drop why = mld_parse(&mld, f);
    if (!why)
        why = groups_report(&re->groups, member_slot(&re->ms, m), &mld, now);
    if (why)
        engine_drop(re, why);
}

void inner_query(struct router_engine *re, struct member *m, struct out *out)
{
    uint8_t *p = own_packet(out, MLD_QUERY_LEN);
    if (!p) {
        engine_drop(re, DROP_NO_ROOM);
        return;
    }
    tell(re, m, p, mld_build_query(p, re->link_local));
}

static void carry_out(struct router_engine *re, struct member *m, struct frame *f,
                      enum wire_kind kind, const struct forward *fw, mono_ns now, struct out *out)
{
    switch (fw->to) {
    case TO_NOBODY:
        engine_drop(re, fw->why);
        if (fw->error_type)
            send_error(re, m, f, fw->error_type, fw->error_code, fw->error_param, now, out);
        break;
    case TO_MEMBER:
        if (fw->routed)
            f->p[7]--;
        if (fw->stale_mac)
            repair(re, m, f, fw->member, now, out);
        if (fw->off_link)
            to_network(re, m, fw->member, f, now, out);
        else
            to_member(re, m, fw->member, f, kind == KIND_HOST, now, out);
        break;
    case TO_UPLINK:
        if (out_pkt(out, f->p, f->len))
            re->uplink_tx++;
        else
            engine_drop(re, DROP_NO_ROOM);
        break;
    case TO_ROUTER:
        answer_self(re, m, f, now, out);
        break;
    case TO_NEIGHBOR:
        neighbor_message(re, m, f, kind, now, out);
        break;
    case TO_LISTENERS:
        multicast(re, m, f, fw->also_router, now, out);
        break;
    case TO_QUERIER:
        listener_report(re, m, f, now);
        break;
    }
}

/* Is it, by its first headers alone, Neighbor or Listener Discovery? A flood of those is cheaper to
 * end here than where they are told apart; what hides behind more headers is not, and is valid in
 * no case but an MLD report's. */
static bool looks_like_discovery(const uint8_t *p, size_t len)
{
    size_t at = IP6_HDR_LEN;
    uint8_t nh = len > at ? p[6] : NH_NONE;

    if (nh == NH_HOPOPTS && len > at + 8 && p[at + 1] == 0) {
        nh = p[at];
        at += 8;
    }
    return nh == NH_ICMPV6 &&
           ((p[at] >= ICMP6_MLD_QUERY && p[at] <= ND_REDIRECT) || p[at] == ICMP6_MLD2_REPORT);
}

/* Another discovery message of @m: is it one of a flood? */
static bool too_much(struct router_engine *re, struct member *m, const struct dgram *d,
                     enum wire_kind kind)
{
    if (++m->nd_seen_as[kind - 1] > NEIGHBOR_SEEN &&
        shun_add(&re->shun, member_slot(&re->ms, m), wire_data_index(d->p), kind))
        note_flood(re, m);
    return ++m->nd_seen > NEIGHBOR_SEEN;
}

/* ---- the next packet of a flow ---- */

/* Remember where @f went: only what is carried on as it is, to a member under its right MAC or to
 * the uplink. */
static void note_flow(struct inner_flow *fl, const struct frame *f, const struct forward *fw,
                      enum wire_kind kind, struct mac hint)
{
    bool as_it_is = fw->to == TO_UPLINK || (fw->to == TO_MEMBER && kind == KIND_PEER &&
                                            !fw->routed && !fw->stale_mac && !fw->off_link);

    fl->ip.known = false;
    if (!as_it_is)
        return;
    same_flow_note(&fl->ip, f);
    fl->to = fw->to == TO_MEMBER ? fw->member : NULL;
    fl->kind = (uint8_t)kind;
    fl->hint = hint;
}

/* carry_next() - a packet of the flow @fl goes where the one before went; false: it is another's,
 * or something is to be said about it */
static bool carry_next(struct router_engine *re, const struct member *m,
                       const struct inner_flow *fl, uint8_t *ip, size_t len, enum wire_kind kind,
                       struct mac hint, struct out *out)
{
    size_t whole = same_flow_next(&fl->ip, ip, len);

    if (whole == 0 || fl->kind != kind || !mac_eq(fl->hint, hint))
        return false;
    if (!fl->to) {
        if (out_pkt(out, ip, whole))
            re->uplink_tx++;
        else
            engine_drop(re, DROP_NO_ROOM);
        return true;
    }
    if (whole > fl->to->mtu)
        return false;
    enum drop why = txq_peer(&re->txq, fl->to, ip, whole, m->mac);
    if (why)
        engine_drop(re, why);
    return true;
}

bool inner_wanted(const struct dgram *d, struct wanted *ret)
{
    enum wire_kind kind = wire_data_kind(d->p);
    size_t head = kind == KIND_HOST ? DATA_HDR_LEN : PEER_ROOM;

    if ((kind != KIND_HOST && kind != KIND_PEER) || d->len < head + IP6_HDR_LEN + TAG_LEN)
        return false;
    ret->dst = ip6_load(d->p + head + 24);
    ret->hint = kind == KIND_PEER ? mac_load(d->p + DATA_HDR_LEN) : (struct mac){ { 0 } };
    return true;
}

void inner_packet(struct router_engine *re, struct member *m, struct dgram *d,
                  struct inner_flow *fl, mono_ns now, struct out *out)
{
    enum wire_kind kind = wire_data_kind(d->p);
    size_t head = kind == KIND_HOST ? DATA_HDR_LEN : PEER_ROOM;
    struct mac hint = { { 0 } };
    struct frame f;
    bool learned;

    if (kind != KIND_HOST)
        hint = mac_load(d->p + DATA_HDR_LEN);
    if (carry_next(re, m, fl, d->p + head, d->len - head - TAG_LEN, kind, hint, out))
        return;
    fl->ip.known = false;
    if (looks_like_discovery(d->p + head, d->len - head - TAG_LEN) && too_much(re, m, d, kind)) {
        engine_drop(re, DROP_ND_RATE);
        return;
    }
    enum drop why = frame_parse(&f, d->p + head, d->len - head - TAG_LEN);
    if (why) {
        engine_drop(re, why);
        return;
    }
    struct forward fw = forward_from_member(&re->b, re->conf, m, &f, kind, hint, now, &learned);
    if (learned)
        note_bound(re, m, f.src);
    note_flow(fl, &f, &fw, kind, hint);
    carry_out(re, m, &f, kind, &fw, now, out);
}

void inner_from_uplink(struct router_engine *re, struct pkt *pk, struct inner_flow *fl, mono_ns now,
                       struct out *out)
{
    struct frame f;
    enum drop why;

    re->uplink_rx++;
    size_t whole = same_flow_next(&fl->ip, pk->p, pk->len);
    if (whole && whole <= fl->to->mtu) {
        why = txq_host(&re->txq, fl->to, pk->p, whole);
        if (why)
            engine_drop(re, why);
        return;
    }
    fl->ip.known = false;
    why = frame_parse(&f, pk->p, pk->len);
    if (why) {
        engine_drop(re, why);
        return;
    }
    struct forward fw = forward_from_uplink(&re->b, re->conf, &f);
    if (fw.to != TO_MEMBER) {
        engine_drop(re, fw.why);
        if (fw.error_type)
            send_error(re, NULL, &f, fw.error_type, fw.error_code, 0, now, out);
        return;
    }
    if (f.len > fw.member->mtu) {
        engine_drop(re, DROP_TOO_BIG);
        send_error(re, NULL, &f, ICMP6_TOO_BIG, 0, fw.member->mtu, now, out);
        return;
    }
    same_flow_note(&fl->ip, &f);
    fl->to = fw.member;
    why = txq_host(&re->txq, fw.member, f.p, f.len);
    if (why)
        engine_drop(re, why);
}
