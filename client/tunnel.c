/* SPDX-License-Identifier: MIT */
/* tunnel.c - the way to the router: everything sent under the keys */
#include "client/tunnel.h"

#define OUTER_MTU_DEFAULT 1500u

void tunnel_init(struct tunnel *tn)
{
    memset(tn, 0, sizeof(*tn));
    seal_cache_init(&tn->schedules, tn->schedule_room, TUNNEL_SCHEDULES);
    keyset_init(&tn->keys, ROLE_INITIATOR);
    keyset_share(&tn->keys, &tn->schedules);
    tn->outer_mtu = OUTER_MTU_DEFAULT;
    tn->fragment = true;
}

/* mark_sent() - @n DATA were sealed now, the first with the header at @hdr */
static void mark_sent(struct tunnel *tn, const uint8_t *hdr, unsigned n, mono_ns now)
{
    uint32_t index = wire_data_index(hdr);
    uint64_t first = wire_data_counter(hdr);
    struct tunnel_mark *m = &tn->mark[(tn->next_mark + TUNNEL_MARKS - 1) % TUNNEL_MARKS];

    if (m->index != index || time_since(now, m->time) >= TUNNEL_MARK_GAP) {
        m = &tn->mark[tn->next_mark];
        tn->next_mark = (tn->next_mark + 1) % TUNNEL_MARKS;
        *m = (struct tunnel_mark){ .time = now, .index = index, .first = first };
    }
    m->last = first + n - 1;
}

static bool emit(const struct turn *t, uint8_t *p, size_t len, struct endpoint to, uint8_t sock,
                 uint8_t flags)
{
    struct dgram *d = out_dgram(t->out);

    if (!d) {
        turn_drop(t, DROP_NO_ROOM, 1);
        return false;
    }
    d->peer = to;
    d->sock = sock;
    d->p = p;
    d->len = (uint16_t)len;
    d->flags = flags;
    return true;
}

bool tunnel_emit(const struct turn *t, uint8_t *p, size_t len, struct endpoint to, uint8_t sock)
{
    return emit(t, p, len, to, sock, DGRAM_MAY_FRAGMENT);
}

enum how { /* DF of a DATA */
           AS_PATH,
           WHOLE,
           FRAGMENTED,
};

static uint8_t flags_of(const struct tunnel *tn, size_t len, enum how how)
{
    if (how == WHOLE)
        return DGRAM_ALONE;
    bool frag = how == FRAGMENTED || tn->fragment || len + OUTER_IP_UDP > tn->outer_mtu;
    return frag ? DGRAM_MAY_FRAGMENT : 0;
}

static unsigned send_run(struct tunnel *tn, const struct turn *t, struct pkt *pt,
                         const uint8_t *kind, unsigned n, enum how how)
{
    unsigned room = t->out->cap_dg - t->out->n_dg;

    if (n > room) {
        turn_drop(t, DROP_NO_ROOM, n - room);
        n = room;
    }
    if (n == 0)
        return 0;
    if (!keyset_seal_run(&tn->keys, pt, kind, n, t->now)) {
        turn_drop(t, DROP_NOT_UP, n);
        return 0;
    }
    mark_sent(tn, pt[0].p, n, t->now);
    tn->last_tx = t->now;
    for (unsigned i = 0; i < n; i++) {
        emit(t, pt[i].p, pt[i].len, tn->router, tn->sock, flags_of(tn, pt[i].len, how));
        tn->tx_octets += pt[i].len;
    }
    tn->tx_datagrams += n;
    return n;
}

unsigned tunnel_send(struct tunnel *tn, const struct turn *t, struct pkt *pt, const uint8_t *kind,
                     unsigned n)
{
    return send_run(tn, t, pt, kind, n, AS_PATH);
}

static bool control(struct tunnel *tn, const struct turn *t, const struct control *c, unsigned n,
                    size_t size, enum how how)
{
    static const uint8_t kind = KIND_CONTROL;
    size_t cap = size;

    if (size == 0) {
        cap = DATA_MIN_LEN;
        for (unsigned i = 0; i < n; i++) /* type, length and the longest value that is not a body */
            cap += 4 + 8 + (size_t)c[i].body_len;
    }
    uint8_t *p = out_alloc(t->out, cap);
    if (!p) {
        turn_drop(t, DROP_NO_ROOM, 1);
        return false;
    }
    struct wr w = wr_of(p + DATA_HDR_LEN, cap - DATA_MIN_LEN);
    for (unsigned i = 0; i < n; i++)
        wire_ctl_put(&w, &c[i]);
    if (size)
        wire_ctl_pad(&w, size - DATA_MIN_LEN);
    if (w.bad) {
        turn_drop(t, DROP_NO_ROOM, 1);
        return false;
    }
    struct pkt pt = { .p = p, .len = (uint32_t)w.off };
    return send_run(tn, t, &pt, &kind, 1, how) == 1;
}

bool tunnel_control(struct tunnel *tn, const struct turn *t, const struct control *c, unsigned n,
                    size_t size)
{
    return control(tn, t, c, n, size, AS_PATH);
}

bool tunnel_probe(struct tunnel *tn, const struct turn *t, const struct control *c, unsigned n,
                  size_t size, bool frag)
{
    return control(tn, t, c, n, size, frag ? FRAGMENTED : WHOLE);
}

bool tunnel_sent(const struct tunnel *tn, uint32_t index, uint64_t counter, mono_ns now)
{
    /* Of a keypair that is not sent with any more a NUDGE tells nothing new. */
    if (tn->mark[(tn->next_mark + TUNNEL_MARKS - 1) % TUNNEL_MARKS].index != index)
        return false;
    for (unsigned i = 0; i < TUNNEL_MARKS; i++) {
        const struct tunnel_mark *m = &tn->mark[i];
        if (m->index == index && counter >= m->first && counter <= m->last &&
            time_since(now, m->time) <= NUDGE_MEMORY)
            return true;
    }
    return false;
}
