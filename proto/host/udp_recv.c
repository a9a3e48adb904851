/* SPDX-License-Identifier: MIT */
/* udp_recv.c - bursts from the kernel, cut into datagrams */
#include <errno.h>
#include <time.h>
#include <linux/errqueue.h>

#include "proto/host/udp_internal.h"

/* The kernel has dropped @drops so far, as it says with a datagram it queued then. */
static void count_drops(struct udp *u, uint32_t drops)
{
    uint32_t more = drops - u->kernel_drops;
    int32_t left = (int32_t)(u->shunned_until - u->kernel_drops);
    uint32_t shunned = u->shuns                ? more
                       : left <= 0             ? 0
                       : (uint32_t)left < more ? (uint32_t)left
                                               : more;

    u->st.n[UDP_RX_SHUNNED] += shunned;
    u->st.n[UDP_RX_KERNEL_DROPS] += more - shunned;
    u->kernel_drops = drops;
}

/* What the kernel says beside the octets of a buffer. Return: false when it was not sent to one of
 * our unicast addresses: no answer could leave from there. */
static bool read_ctl(struct udp *u, struct msghdr *mh, struct udp_run *r)
{
    bool unicast = false;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo pi;
            memcpy(&pi, CMSG_DATA(c), sizeof(pi));
            memcpy(&r->like.local, &pi.ipi_addr, sizeof(r->like.local));
            /* they differ for broadcast and multicast */
            unicast = pi.ipi_addr.s_addr == pi.ipi_spec_dst.s_addr;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            r->like.tos = *CMSG_DATA(c);
        } else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO) {
            int seg;
            memcpy(&seg, CMSG_DATA(c), sizeof(seg));
            if (seg > 0 && (uint32_t)seg < r->seg)
                r->seg = (uint32_t)seg;
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t drops;
            memcpy(&drops, CMSG_DATA(c), sizeof(drops));
            count_drops(u, drops);
        }
    }
    return unicast;
}

/* Take in received message @i as run @r. Return: datagrams in it, 0: it is to be dropped */
static unsigned take_in(struct udp *u, unsigned i, struct udp_run *r)
{
    struct mmsghdr *m = &u->rx[i];

    *r = (struct udp_run){
        .like = { .peer = udp_endpoint_of(&u->rx_from[i]), .sock = u->sock },
        .p = u->rx_iov[i].iov_base,
        .left = m->msg_len,
        .seg = m->msg_len,
    };
    bool unicast = read_ctl(u, &m->msg_hdr, r);
    unsigned n = r->seg ? (r->left + r->seg - 1) / r->seg : 1; /* H1: an empty one is one, too */
    u->st.n[UDP_RX_MESSAGES]++;
    if ((m->msg_hdr.msg_flags & MSG_TRUNC) || r->seg > u->buf_len) {
        u->st.n[UDP_RX_TRUNCATED] += n;
        return 0;
    }
    if (!unicast || be16_get(r->like.peer.port) == 0) {
        u->st.n[UDP_RX_UNANSWERABLE] += n;
        return 0;
    }
    u->st.n[UDP_RX_DATAGRAMS] += n;
    u->st.n[UDP_RX_OCTETS] += m->msg_len;
    return n;
}

/* One ICMP error off the error queue. Return: false when it is empty */
static bool take_icmp(struct udp *u)
{
    struct sockaddr_in to = { 0 };
    union {
        struct cmsghdr align;
        uint8_t b[512];
    } ctl;
    struct msghdr mh = {
        .msg_name = &to,
        .msg_namelen = sizeof(to),
        .msg_control = ctl.b,
        .msg_controllen = sizeof(ctl.b),
    };

    if (recvmsg(u->fd, &mh, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
        return errno == EINTR;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c)) {
        struct sock_extended_err ee;
        if (c->cmsg_level != IPPROTO_IP || c->cmsg_type != IP_RECVERR)
            continue;
        memcpy(&ee, CMSG_DATA(c), sizeof(ee));
        if (ee.ee_origin == SO_EE_ORIGIN_ICMP && ee.ee_errno == ECONNREFUSED) {
            u->st.n[UDP_RX_REFUSED]++;
            u->refused = udp_endpoint_of(&to);
            u->has_refused = true;
        }
    }
    return true;
}

/* Bounded, since whoever sends ICMP chooses how much there is. */
static void drain_icmp(struct udp *u)
{
    for (unsigned i = 0; i < UDP_BURST && take_icmp(u); i++)
        ;
}

static int call_kernel(struct udp *u)
{
    for (unsigned i = 0; i < u->ask; i++)
        u->rx[i].msg_hdr = (struct msghdr){
            .msg_name = &u->rx_from[i],
            .msg_namelen = sizeof(u->rx_from[i]),
            .msg_iov = &u->rx_iov[i],
            .msg_iovlen = 1,
            .msg_control = u->rx_ctl[i].b,
            .msg_controllen = sizeof(u->rx_ctl[i].b),
        };
    return recvmmsg(u->fd, u->rx, u->ask, MSG_DONTWAIT, NULL);
}

/* Short datagrams from many peers are not joined: then ask for many buffers, else for few, so that
 * what one call brings stays in the cache and is sent on before more is read. */
static void adapt(struct udp *u, size_t octets)
{
    if (!u->gro)
        return;
    if (u->more && 2 * octets <= UDP_ASK_GOAL && u->ask < UDP_ASK_MAX)
        u->ask *= 2;
    else if (octets > UDP_ASK_GOAL && u->ask > UDP_ASK_MIN)
        u->ask /= 2;
}

/* Read what waits, or as much of it as the buffers take. */
static void fill(struct udp *u)
{
    int got = -1;
    size_t octets = 0;

    u->at_run = u->n_run = 0;
    u->more = false;
    /* A pending error is reported once, before any datagram; it belongs to something sent earlier.
     */
    for (int tries = 0; tries < 4; tries++) {
        got = call_kernel(u);
        if (got >= 0)
            break;
        int err = errno;
        if (u->note_refused)
            drain_icmp(u);
        if (err == EAGAIN)
            return;
        if (err == ECONNREFUSED && !u->note_refused)
            u->st.n[UDP_RX_REFUSED]++;
        else if (err != EINTR && err != ECONNREFUSED)
            u->st.n[UDP_RX_ERRORS]++;
    }
    for (int i = 0; i < got; i++) {
        unsigned n = take_in(u, (unsigned)i, &u->run[u->n_run]);
        octets += u->rx[i].msg_len;
        u->n_pending += n;
        u->n_run += n > 0;
    }
    u->more = got == (int)u->ask;
    adapt(u, octets);
}

unsigned udp_recv(struct udp *u, struct dgram *out, unsigned cap)
{
    unsigned n = 0;

    if (u->n_pending == 0)
        fill(u);
    while (n < cap && u->at_run < u->n_run) {
        struct udp_run *r = &u->run[u->at_run];
        uint32_t len = r->left < r->seg ? r->left : r->seg;
        out[n] = r->like;
        out[n].p = r->p;
        out[n++].len = (uint16_t)len;
        r->p += len;
        r->left -= len;
        u->at_run += r->left == 0;
    }
    u->n_pending -= n;
    return n;
}

unsigned udp_recv_pending(const struct udp *u)
{
    return u->n_pending;
}

bool udp_recv_more(const struct udp *u)
{
    return u->more;
}

bool udp_take_refused(struct udp *u, struct endpoint *ret_peer)
{
    if (!u->has_refused)
        return false;
    *ret_peer = u->refused;
    u->has_refused = false;
    return true;
}
