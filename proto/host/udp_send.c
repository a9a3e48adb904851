/* SPDX-License-Identifier: MIT */
/* udp_send.c - bursts to the kernel, joined where it can cut them; the backlog
 *
 * DOC: udp_pack() says which descriptors may share a message. Walking its order, each step fills as
 * many messages as one call of the kernel takes: whole runs, or single datagrams where joining is
 * off or has just been refused (all before `singly`).
 */
#include <errno.h>

#include "proto/host/clock.h"
#include "proto/host/udp_internal.h"

static enum udp_stat stat_of(int err)
{
    switch (err) {
    case ENOBUFS:
    case ENOMEM:
        return UDP_TX_NOBUFS;
    case EPERM:
    case EACCES:
        return UDP_TX_PERM;
    case ENETUNREACH:
    case EHOSTUNREACH:
    case ENETDOWN:
    case EHOSTDOWN:
        return UDP_TX_UNREACH;
    case EMSGSIZE:
        return UDP_TX_MSGSIZE;
    case EINVAL:
    case EADDRNOTAVAIL:
        return UDP_TX_INVALID;
    case ECONNREFUSED:
        return UDP_TX_REFUSED;
    default:
        return UDP_TX_OTHER;
    }
}

static struct cmsghdr *put_ctl(struct msghdr *mh, struct cmsghdr *c, int level, int type,
                               const void *value, size_t len, size_t *used)
{
    c->cmsg_level = level;
    c->cmsg_type = type;
    c->cmsg_len = CMSG_LEN(len);
    memcpy(CMSG_DATA(c), value, len);
    *used += CMSG_SPACE(len);
    return CMSG_NXTHDR(mh, c);
}

/* The control part of a message: from which address, with which TOS, cut into segments of @seg
 * octets (0: it is one datagram). Return: octets used */
static size_t write_ctl(union udp_tx_ctl *ctl, const struct dgram *d, uint16_t seg)
{
    struct msghdr mh = { .msg_control = ctl->b, .msg_controllen = sizeof(ctl->b) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
    size_t used = 0;

    if (be32_get(d->local) == 0 && d->tos == 0 && seg == 0)
        return 0;
    memset(ctl, 0, sizeof(*ctl)); /* CMSG_NXTHDR() looks at the length of what is not written yet */
    if (be32_get(d->local) != 0) {
        struct in_pktinfo pi = { 0 };
        memcpy(&pi.ipi_spec_dst, &d->local, sizeof(d->local));
        c = put_ctl(&mh, c, IPPROTO_IP, IP_PKTINFO, &pi, sizeof(pi), &used);
    }
    if (d->tos != 0 && c) {
        int tos = d->tos;
        c = put_ctl(&mh, c, IPPROTO_IP, IP_TOS, &tos, sizeof(tos), &used);
    }
    if (seg != 0 && c)
        put_ctl(&mh, c, IPPROTO_UDP, UDP_SEGMENT, &seg, sizeof(seg), &used);
    return used;
}

/* Message @i of the next call: @n datagrams, the first is @d. */
static void write_msg(struct udp *u, unsigned i, const struct dgram *d, unsigned n,
                      struct iovec *iov, unsigned n_iov)
{
    size_t ctl_len = write_ctl(&u->tx_ctl[i], d, n > 1 ? d->len : 0);

    u->tx_n[i] = (uint16_t)n;
    u->tx_to[i] = udp_sockaddr_of(d->peer);
    u->tx[i].msg_hdr = (struct msghdr){
        .msg_name = &u->tx_to[i],
        .msg_namelen = sizeof(u->tx_to[i]),
        .msg_iov = iov,
        .msg_iovlen = n_iov,
        .msg_control = ctl_len ? u->tx_ctl[i].b : NULL,
        .msg_controllen = ctl_len,
    };
}

/* Where a walk through pack.order[] is. */
struct walk {
    unsigned at, n;  /* next position; positions in all */
    unsigned msg;    /* pack.msg[] that holds it, or an earlier one */
    unsigned singly; /* everything before goes one by one */
    bool suspect;    /* the kernel refused the run that is now sent singly (EINVAL) */
};

/* Prepare the next call: up to UDP_BURST messages that carry DF, or as many datagrams that may
 * be fragmented, each for itself. Return: how many; *@ret_frag: which of the two */
static unsigned prepare(struct udp *u, const struct dgram *dg, const struct walk *w, bool *ret_frag)
{
    unsigned n = 0, msg = w->msg;

    *ret_frag = dg[u->pack.order[w->at]].flags & DGRAM_MAY_FRAGMENT;
    for (unsigned at = w->at; at < w->n && n < UDP_BURST; at += u->tx_n[n++]) {
        const struct dgram *d = &dg[u->pack.order[at]];
        if (n > 0 && *ret_frag != (bool)(d->flags & DGRAM_MAY_FRAGMENT))
            break;
        if (at == w->singly && w->at < at)
            break; /* first see how those fare */
        if (at < w->singly) {
            u->tx_iov[n] = (struct iovec){ .iov_base = d->p, .iov_len = d->len };
            write_msg(u, n, d, 1, &u->tx_iov[n], 1);
            continue;
        }
        while (u->pack.msg[msg].first < at)
            msg++;
        const struct udp_msg *m = &u->pack.msg[msg];
        write_msg(u, n, d, m->n, &u->pack.iov[m->iov], m->n_iov);
    }
    return n;
}

/* Hand over @n prepared messages. Return: how many were sent; *@ret_err: 0 when all, EAGAIN, or why
 * the next one failed */
static unsigned hand_over(struct udp *u, unsigned n, int *ret_err)
{
    unsigned done = 0;
    bool again = false; /* tx[done] has failed once */

    *ret_err = 0;
    while (done < n) {
        int sent = sendmmsg(u->fd, u->tx + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            for (unsigned end = done + (unsigned)sent; done < end; done++) {
                u->st.n[UDP_TX_MESSAGES]++;
                u->st.n[UDP_TX_DATAGRAMS] += u->tx_n[done];
                u->st.n[UDP_TX_OCTETS] += u->tx[done].msg_len;
            }
            again = false;
        } else if (sent == 0 || errno == EAGAIN) {
            u->st.n[UDP_TX_AGAIN]++;
            *ret_err = EAGAIN;
            break;
        } else if (errno == EINTR) {
            continue;
        } else if (u->note_refused && !again) {
            /* With IP_RECVERR the error may be an ICMP answer to something sent earlier; asking
             * took it away. Once more tells. */
            again = true;
        } else {
            *ret_err = errno;
            break;
        }
    }
    return done;
}

static void gso_rest(struct udp *u, struct walk *w)
{
    u->gso_off_until = mono_now() + UDP_GSO_REST;
    w->singly = w->n;
}

/* The message of @n datagrams at w->at was refused with @err: forget it, or send its datagrams
 * singly. */
static void refused(struct udp *u, struct walk *w, unsigned n, int err)
{
    w->suspect = false;
    if (n == 1 || (err != EIO && err != EINVAL && err != EMSGSIZE && err != EOPNOTSUPP)) {
        u->st.n[stat_of(err)] += n;
        w->at += n;
        return;
    }
    u->st.n[UDP_TX_UNJOINED]++;
    w->singly = w->at + n;
    w->suspect = err == EINVAL; /* or its address is wrong: then they fail one by one as well */
    if (err == EIO || err == EOPNOTSUPP)
        gso_rest(u, w);
}

/* One call of the kernel. Return: false when the socket takes no more now */
static bool step(struct udp *u, const struct dgram *dg, struct walk *w)
{
    bool frag;
    int err;
    unsigned n = prepare(u, dg, w, &frag);

    if (frag)
        (void)udp_set_int(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    unsigned sent = hand_over(u, n, &err);
    if (frag)
        (void)udp_set_int(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    if (sent > 0 && w->suspect && w->at < w->singly)
        gso_rest(u, w);
    for (unsigned i = 0; i < sent; i++)
        w->at += u->tx_n[i];
    while (w->msg + 1 < u->pack.n_msg && u->pack.msg[w->msg + 1].first <= w->at)
        w->msg++;
    if (err != 0 && err != EAGAIN)
        refused(u, w, u->tx_n[sent], err);
    return err != EAGAIN;
}

/* Bring @n (<= UDP_PACK_MAX) descriptors into the order they were sent in. */
static void reorder(const struct udp *u, struct dgram *dg, unsigned n)
{
    struct dgram copy[UDP_PACK_MAX];

    memcpy(copy, dg, n * sizeof(*dg));
    for (unsigned i = 0; i < n; i++)
        dg[i] = copy[u->pack.order[i]];
}

unsigned udp_gso(const struct udp *u)
{
    return u->gso_off_until ? 0 : u->gso_max;
}

static bool may_join(struct udp *u)
{
    if (u->gso_off_until && mono_now() >= u->gso_off_until)
        u->gso_off_until = 0;
    return udp_gso(u) > 0;
}

unsigned udp_send(struct udp *u, struct dgram *dg, unsigned n)
{
    for (unsigned base = 0, part; base < n; base += part) {
        part = n - base < UDP_PACK_MAX ? n - base : UDP_PACK_MAX;
        bool join = may_join(u);
        struct walk w = { .n = part, .singly = join ? 0 : part };

        udp_pack(&u->pack, dg + base, part, join ? udp_gso(u) : UDP_SEGMENTS_MAX);
        while (w.at < part) {
            if (!step(u, dg + base, &w)) {
                reorder(u, dg + base, part);
                return base + w.at;
            }
        }
    }
    return n;
}

/* ---- what the socket did not take ---- */

static uint8_t *half(struct udp_backlog *b)
{
    return b->mem + (size_t)b->half * 2 * UDP_BACKLOG;
}

/* Move what waits to the start of the other half, in sending order, so that runs touch again. */
static void compact(struct udp_backlog *b)
{
    b->half ^= 1;
    b->used = 0;
    for (unsigned i = 0; i < b->n; i++) {
        uint8_t *p = half(b) + b->used;
        if (b->d[i].len)
            memcpy(p, b->d[i].p, b->d[i].len);
        b->d[i].p = p;
        b->used += b->d[i].len;
    }
}

static void keep(struct udp *u, const struct dgram *d)
{
    struct udp_backlog *b = &u->wait;

    if (b->n == UDP_BACKLOG_MAX || b->live + d->len > UDP_BACKLOG) {
        u->st.n[UDP_TX_BACKLOG_FULL]++;
        return;
    }
    if (b->used + d->len > 2 * UDP_BACKLOG)
        compact(b);
    struct dgram *w = &b->d[b->n++];
    *w = *d;
    w->p = half(b) + b->used;
    if (d->len)
        memcpy(w->p, d->p, d->len);
    b->used += d->len;
    b->live += d->len;
}

unsigned udp_queue(struct udp *u, struct dgram *dg, unsigned n)
{
    unsigned done = u->wait.n ? 0 : udp_send(u, dg, n);

    for (; done < n; done++)
        keep(u, &dg[done]);
    return u->wait.n;
}

unsigned udp_flush(struct udp *u)
{
    struct udp_backlog *b = &u->wait;
    unsigned done = udp_send(u, b->d, b->n);

    for (unsigned i = 0; i < done; i++)
        b->live -= b->d[i].len;
    b->n -= done;
    memmove(b->d, b->d + done, b->n * sizeof(b->d[0]));
    if (b->n == 0)
        b->used = 0;
    return b->n;
}

unsigned udp_backlog(const struct udp *u)
{
    return u->wait.n;
}
