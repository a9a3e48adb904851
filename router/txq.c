/* SPDX-License-Identifier: MIT */
/* txq.c - packets on their way to members, sealed in runs */
#include "router/txq.h"

static enum drop push(struct txq *q, struct member *to, enum wire_kind kind, uint8_t *plain,
                      size_t len)
{
    if (q->n == TXQ_MAX)
        return DROP_NO_ROOM;
    q->to[q->n] = to;
    q->kind[q->n] = (uint8_t)kind;
    q->df[q->n] = TXQ_AS_PATH;
    q->pt[q->n] = (struct pkt){ .p = plain - DATA_HDR_LEN, .len = (uint32_t)len };
    q->n++;
    return DROP_NONE;
}

enum drop txq_host(struct txq *q, struct member *to, uint8_t *ip, size_t len)
{
    return push(q, to, KIND_HOST, ip, len);
}

enum drop txq_peer(struct txq *q, struct member *to, uint8_t *ip, size_t len, struct mac src)
{
    memcpy(ip - DATA_MAC_LEN, src.b, MAC_LEN);
    return push(q, to, KIND_PEER, ip - DATA_MAC_LEN, len + DATA_MAC_LEN);
}

enum drop txq_multicast(struct txq *q, struct member *to, uint8_t *ip, size_t len, struct mac src)
{
    memcpy(ip - DATA_MAC_LEN, src.b, MAC_LEN);
    return push(q, to, KIND_MULTICAST, ip - DATA_MAC_LEN, len + DATA_MAC_LEN);
}

enum drop txq_control(struct txq *q, struct member *to, uint8_t *tlv, size_t len)
{
    return push(q, to, KIND_CONTROL, tlv, len);
}

void txq_df(struct txq *q, enum txq_df df)
{
    q->df[q->n - 1] = (uint8_t)df;
}

/* An endpoint that has not proved itself gets no more than its credit. */
static bool may_send(struct member *m, size_t len)
{
    if (m->proven)
        return true;
    if (m->credit < len)
        return false;
    m->credit -= len;
    return true;
}

static void emit(struct member *m, const struct pkt *pt, const uint8_t *df, unsigned n,
                 struct out *out, uint64_t *drops)
{
    for (unsigned i = 0; i < n; i++) {
        if (!may_send(m, pt[i].len)) {
            drops[DROP_AMPLIFY]++;
            continue;
        }
        struct dgram *d = out_dgram(out);
        if (!d) {
            drops[DROP_NO_ROOM]++;
            continue;
        }
        d->peer = m->ep;
        d->local = m->local;
        d->sock = m->sock;
        d->len = (uint16_t)pt[i].len;
        d->p = pt[i].p;
        if (df[i] == TXQ_FRAGMENTS || (df[i] == TXQ_AS_PATH && m->fragment))
            d->flags = DGRAM_MAY_FRAGMENT;
        else if (df[i] == TXQ_WHOLE)
            d->flags = DGRAM_ALONE;
        m->tx_packets++;
        m->tx_octets += pt[i].len;
    }
}

void txq_flush(struct txq *q, mono_ns now, struct out *out, uint64_t *drops)
{
    for (unsigned i = 0, n; i < q->n; i += n) {
        struct member *m = q->to[i];
        for (n = 1; i + n < q->n && q->to[i + n] == m; n++)
            ;
        if (m->live && keyset_seal_run(&m->keys, &q->pt[i], &q->kind[i], n, now))
            emit(m, &q->pt[i], &q->df[i], n, out, drops);
        else
            drops[DROP_EXPIRED] += n;
    }
    q->n = 0;
}
