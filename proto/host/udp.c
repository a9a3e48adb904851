/* SPDX-License-Identifier: MIT */
/* udp.c - bursts of IPv4 UDP datagrams behind one descriptor, struct dgram */
#include "proto/host/udp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/host/udp_pack.h"

#define KERNEL_BUF    (4u << 20)
#define BACKLOG_SLOTS 128u
#define ALIGN         64u

_Static_assert(UDP_BURST <= UDP_PACK_MAX, "a burst is packed in one go");
_Static_assert(BACKLOG_SLOTS <= UDP_PACK_MAX, "the backlog is packed in one go");

#define RX_CTL_LEN                                                                                 \
    (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint32_t)))
#define TX_CTL_LEN (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int)))

union rx_ctl {
    struct cmsghdr align;
    uint8_t b[RX_CTL_LEN];
};
union tx_ctl {
    struct cmsghdr align;
    uint8_t b[TX_CTL_LEN];
};

struct udp {
    int fd;
    uint16_t port;
    uint8_t sock;
    bool note_refused, has_refused;
    struct endpoint refused;
    uint32_t buf_len, stride; /* octets of payload a buffer takes; from one buffer to the next */
    uint32_t kernel_drops;    /* last SO_RXQ_OVFL, which counts from the socket's birth and wraps */
    struct udp_stats st;

    uint8_t *rx_buf; /* UDP_BURST * stride */
    struct mmsghdr rx[UDP_BURST];
    struct iovec rx_iov[UDP_BURST];
    struct sockaddr_in rx_from[UDP_BURST];
    union rx_ctl rx_ctl[UDP_BURST];

    struct udp_pack pack;
    struct mmsghdr tx[UDP_BURST];
    struct iovec tx_iov[UDP_BURST];
    struct sockaddr_in tx_to[UDP_BURST];
    union tx_ctl tx_ctl[UDP_BURST];

    uint8_t *slots; /* BACKLOG_SLOTS * buf_len */
    uint16_t free_slot[BACKLOG_SLOTS];
    unsigned n_free;
    struct dgram waiting[BACKLOG_SLOTS];
    unsigned n_waiting;
};

const char *const udp_stat_name[UDP_STAT_N] = {
#define X(sym, name) [UDP_##sym] = (name),
    UDP_STAT_LIST(X)
#undef X
};

/* ---- opening ---- */

static int set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Above the system's limit where CAP_NET_ADMIN allows it; what cannot be had is no error. */
static void set_kernel_buf(int fd, int force, int plain, uint32_t octets)
{
    int value = octets > INT32_MAX / 2 ? INT32_MAX / 2 : (int)octets;

    if (set_int(fd, SOL_SOCKET, force, value) < 0)
        (void)set_int(fd, SOL_SOCKET, plain, value);
}

static int set_options(const struct udp *u, const struct udp_opts *o)
{
    static const struct {
        int level, name, value;
    } must[] = {
        { IPPROTO_IP, IP_PKTINFO, 1 },
        { IPPROTO_IP, IP_RECVTOS, 1 },
        { IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE },
        { SOL_SOCKET, SO_RXQ_OVFL, 1 },
    };

    for (size_t i = 0; i < sizeof(must) / sizeof(must[0]); i++) {
        int rc = set_int(u->fd, must[i].level, must[i].name, must[i].value);
        if (rc < 0)
            return rc;
    }
    if (o->note_refused) {
        int rc = set_int(u->fd, IPPROTO_IP, IP_RECVERR, 1);
        if (rc < 0)
            return rc;
    }
    set_kernel_buf(u->fd, SO_RCVBUFFORCE, SO_RCVBUF, o->rcvbuf ? o->rcvbuf : KERNEL_BUF);
    set_kernel_buf(u->fd, SO_SNDBUFFORCE, SO_SNDBUF, o->sndbuf ? o->sndbuf : KERNEL_BUF);
    return 0;
}

static struct sockaddr_in sockaddr_of(struct endpoint ep)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };

    memcpy(&sa.sin_addr, &ep.ip, sizeof(ep.ip));
    memcpy(&sa.sin_port, &ep.port, sizeof(ep.port));
    return sa;
}

static struct endpoint endpoint_of(const struct sockaddr_in *sa)
{
    struct endpoint ep;

    memcpy(&ep.ip, &sa->sin_addr, sizeof(ep.ip));
    memcpy(&ep.port, &sa->sin_port, sizeof(ep.port));
    return ep;
}

static int open_socket(struct udp *u, struct endpoint bind_to, const struct udp_opts *o)
{
    struct sockaddr_in sa = sockaddr_of(bind_to);
    socklen_t sa_len = sizeof(sa);

    u->fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (u->fd < 0)
        return -errno;
    int rc = set_options(u, o);
    if (rc < 0)
        return rc;
    if (bind(u->fd, (struct sockaddr *)&sa, sizeof(sa)) < 0 ||
        getsockname(u->fd, (struct sockaddr *)&sa, &sa_len) < 0)
        return -errno;
    u->port = ntohs(sa.sin_port);
    return 0;
}

static int alloc_buffers(struct udp *u)
{
    u->stride = (PKT_HEADROOM + u->buf_len + PKT_TAILROOM + ALIGN - 1) / ALIGN * ALIGN;
    u->rx_buf = aligned_alloc(ALIGN, (size_t)UDP_BURST * u->stride);
    u->slots = malloc((size_t)BACKLOG_SLOTS * u->buf_len);
    if (!u->rx_buf || !u->slots)
        return -ENOMEM;
    for (unsigned i = 0; i < UDP_BURST; i++)
        u->rx_iov[i] = (struct iovec){
            .iov_base = u->rx_buf + (size_t)i * u->stride + PKT_HEADROOM,
            .iov_len = u->buf_len,
        };
    for (uint16_t i = 0; i < BACKLOG_SLOTS; i++)
        u->free_slot[i] = i;
    u->n_free = BACKLOG_SLOTS;
    return 0;
}

int udp_open(struct udp **ret, struct endpoint bind_to, const struct udp_opts *opts)
{
    static const struct udp_opts defaults;
    const struct udp_opts *o = opts ? opts : &defaults;
    struct udp *u = calloc(1, sizeof(*u));

    if (!u)
        return -ENOMEM;
    u->fd = -1;
    u->sock = o->sock;
    u->note_refused = o->note_refused;
    u->buf_len = o->buf_len ? o->buf_len : UDP_BUF_DEFAULT;
    if (u->buf_len > UDP_PAYLOAD_MAX)
        u->buf_len = UDP_PAYLOAD_MAX;
    int rc = alloc_buffers(u);
    if (rc == 0)
        rc = open_socket(u, bind_to, o);
    if (rc < 0) {
        udp_close(u);
        return rc;
    }
    *ret = u;
    return 0;
}

void udp_close(struct udp *u)
{
    if (!u)
        return;
    if (u->fd >= 0)
        close(u->fd);
    free(u->rx_buf);
    free(u->slots);
    free(u);
}

int udp_fd(const struct udp *u)
{
    return u->fd;
}

uint16_t udp_local_port(const struct udp *u)
{
    return u->port;
}

const struct udp_stats *udp_stats(const struct udp *u)
{
    return &u->st;
}

/* ---- receiving ---- */

/* What the kernel says beside the octets of one datagram. Return: false when it was not sent to one
 * of our unicast addresses: no answer could leave from there. */
static bool read_ctl(struct udp *u, struct msghdr *mh, struct dgram *d)
{
    bool unicast = false;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(mh); c; c = CMSG_NXTHDR(mh, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo pi;
            memcpy(&pi, CMSG_DATA(c), sizeof(pi));
            memcpy(&d->local, &pi.ipi_addr, sizeof(d->local));
            /* they differ for broadcast and multicast */
            unicast = pi.ipi_addr.s_addr == pi.ipi_spec_dst.s_addr;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            d->tos = *CMSG_DATA(c);
        } else if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
            uint32_t drops;
            memcpy(&drops, CMSG_DATA(c), sizeof(drops));
            u->st.n[UDP_RX_KERNEL_DROPS] += (uint32_t)(drops - u->kernel_drops);
            u->kernel_drops = drops;
        }
    }
    return unicast;
}

/* Take in received message @i. Return: false when it is to be dropped */
static bool take_in(struct udp *u, unsigned i, struct dgram *d)
{
    struct mmsghdr *m = &u->rx[i];

    *d = (struct dgram){
        .peer = endpoint_of(&u->rx_from[i]),
        .sock = u->sock,
        .len = (uint16_t)m->msg_len,
        .p = u->rx_iov[i].iov_base,
    };
    bool unicast = read_ctl(u, &m->msg_hdr, d);
    if (m->msg_hdr.msg_flags & MSG_TRUNC) {
        u->st.n[UDP_RX_TRUNCATED]++;
        return false;
    }
    if (!unicast || be16_get(d->peer.port) == 0) {
        u->st.n[UDP_RX_UNANSWERABLE]++;
        return false;
    }
    u->st.n[UDP_RX_DATAGRAMS]++;
    u->st.n[UDP_RX_OCTETS] += d->len;
    return true;
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
            u->refused = endpoint_of(&to);
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

static int receive_burst(struct udp *u, unsigned cap)
{
    for (unsigned i = 0; i < cap; i++)
        u->rx[i].msg_hdr = (struct msghdr){
            .msg_name = &u->rx_from[i],
            .msg_namelen = sizeof(u->rx_from[i]),
            .msg_iov = &u->rx_iov[i],
            .msg_iovlen = 1,
            .msg_control = u->rx_ctl[i].b,
            .msg_controllen = sizeof(u->rx_ctl[i].b),
        };
    return recvmmsg(u->fd, u->rx, cap, MSG_DONTWAIT, NULL);
}

unsigned udp_recv(struct udp *u, struct dgram *out, unsigned cap)
{
    unsigned n = 0;
    int got = -1;

    if (cap > UDP_BURST)
        cap = UDP_BURST;
    /* A pending error is reported once, before any datagram; it belongs to something sent earlier.
     */
    for (int tries = 0; tries < 4; tries++) {
        got = receive_burst(u, cap);
        if (got >= 0)
            break;
        int err = errno;
        if (u->note_refused)
            drain_icmp(u);
        if (err == EAGAIN)
            return 0;
        if (err == ECONNREFUSED && !u->note_refused)
            u->st.n[UDP_RX_REFUSED]++;
        else if (err != EINTR && err != ECONNREFUSED)
            u->st.n[UDP_RX_ERRORS]++;
    }
    for (int i = 0; i < got; i++)
        if (take_in(u, (unsigned)i, &out[n]))
            n++;
    return n;
}

bool udp_take_refused(struct udp *u, struct endpoint *ret_peer)
{
    if (!u->has_refused)
        return false;
    *ret_peer = u->refused;
    u->has_refused = false;
    return true;
}

/* ---- sending ---- */

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

/* The control part of a message: from which address, with which TOS. Return: octets used */
static size_t write_ctl(union tx_ctl *ctl, const struct dgram *d)
{
    static const be32 any;
    struct msghdr mh = { .msg_control = ctl->b, .msg_controllen = sizeof(ctl->b) };
    struct cmsghdr *c = CMSG_FIRSTHDR(&mh);
    size_t used = 0;

    memset(ctl, 0, sizeof(*ctl));
    if (memcmp(&d->local, &any, sizeof(any)) != 0) {
        struct in_pktinfo pi = { 0 };
        memcpy(&pi.ipi_spec_dst, &d->local, sizeof(d->local));
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_PKTINFO;
        c->cmsg_len = CMSG_LEN(sizeof(pi));
        memcpy(CMSG_DATA(c), &pi, sizeof(pi));
        used += CMSG_SPACE(sizeof(pi));
        c = CMSG_NXTHDR(&mh, c);
    }
    if (d->tos != 0 && c) {
        int tos = d->tos;
        c->cmsg_level = IPPROTO_IP;
        c->cmsg_type = IP_TOS;
        c->cmsg_len = CMSG_LEN(sizeof(tos));
        memcpy(CMSG_DATA(c), &tos, sizeof(tos));
        used += CMSG_SPACE(sizeof(tos));
    }
    return used;
}

static void write_msg(struct udp *u, unsigned i, const struct dgram *d)
{
    u->tx_to[i] = sockaddr_of(d->peer);
    u->tx_iov[i] = (struct iovec){ .iov_base = d->p, .iov_len = d->len };
    size_t ctl_len = write_ctl(&u->tx_ctl[i], d);
    u->tx[i].msg_hdr = (struct msghdr){
        .msg_name = &u->tx_to[i],
        .msg_namelen = sizeof(u->tx_to[i]),
        .msg_iov = &u->tx_iov[i],
        .msg_iovlen = 1,
        .msg_control = ctl_len ? u->tx_ctl[i].b : NULL,
        .msg_controllen = ctl_len,
    };
}

/* Hand over @n prepared messages (the array is tx[0 .. n - 1]). Return: how many were taken, sent
 * or counted as failed; less than @n: EAGAIN */
static unsigned hand_over(struct udp *u, unsigned n)
{
    unsigned done = 0;
    bool again = false; /* tx[done] has failed once */

    while (done < n) {
        int sent = sendmmsg(u->fd, u->tx + done, n - done, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (sent > 0) {
            for (unsigned end = done + (unsigned)sent; done < end; done++) {
                u->st.n[UDP_TX_DATAGRAMS]++;
                u->st.n[UDP_TX_OCTETS] += u->tx[done].msg_len;
            }
            again = false;
        } else if (sent == 0 || errno == EAGAIN) {
            u->st.n[UDP_TX_AGAIN]++;
            break;
        } else if (errno == EINTR) {
            continue;
        } else if (u->note_refused && !again) {
            /* With IP_RECVERR the error may be an ICMP answer to something sent earlier; asking
             * took it away. Once more tells. */
            again = true;
        } else {
            u->st.n[stat_of(errno)]++;
            done++;
            again = false;
        }
    }
    return done;
}

/* Send a run of pack.order[from .. to - 1]: up to UDP_BURST that carry DF, or a single one that may
 * be fragmented. *@ret_run: its length. Return: how many of it were taken */
static unsigned send_run(struct udp *u, const struct dgram *dg, unsigned from, unsigned to,
                         unsigned *ret_run)
{
    bool frag = dg[u->pack.order[from]].flags & DGRAM_MAY_FRAGMENT;
    unsigned n = 0;

    do {
        write_msg(u, n, &dg[u->pack.order[from + n]]);
        n++;
    } while (!frag && n < UDP_BURST && from + n < to &&
             !(dg[u->pack.order[from + n]].flags & DGRAM_MAY_FRAGMENT));
    *ret_run = n;
    if (frag)
        (void)set_int(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
    unsigned done = hand_over(u, n);
    if (frag)
        (void)set_int(u->fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_PROBE);
    return done;
}

/* Bring @n (<= UDP_PACK_MAX) descriptors into the order they were sent in. */
static void reorder(const struct udp *u, struct dgram *dg, unsigned n)
{
    struct dgram copy[UDP_PACK_MAX];

    memcpy(copy, dg, n * sizeof(*dg));
    for (unsigned i = 0; i < n; i++)
        dg[i] = copy[u->pack.order[i]];
}

unsigned udp_send(struct udp *u, struct dgram *dg, unsigned n)
{
    unsigned base = 0;

    while (base < n) {
        unsigned part = n - base < UDP_PACK_MAX ? n - base : UDP_PACK_MAX;
        udp_pack(&u->pack, dg + base, part);
        for (unsigned at = 0, run; at < part; at += run) {
            unsigned done = send_run(u, dg + base, at, part, &run);
            if (done < run) {
                reorder(u, dg + base, part);
                return base + at + done;
            }
        }
        base += part;
    }
    return n;
}

/* ---- what the socket did not take ---- */

static void keep(struct udp *u, const struct dgram *d)
{
    if (u->n_free == 0 || d->len > u->buf_len) {
        u->st.n[UDP_TX_BACKLOG_FULL]++;
        return;
    }
    struct dgram *w = &u->waiting[u->n_waiting++];
    *w = *d;
    w->p = u->slots + (size_t)u->free_slot[--u->n_free] * u->buf_len;
    if (d->len)
        memcpy(w->p, d->p, d->len);
}

unsigned udp_queue(struct udp *u, struct dgram *dg, unsigned n)
{
    unsigned done = u->n_waiting ? 0 : udp_send(u, dg, n);

    for (; done < n; done++)
        keep(u, &dg[done]);
    return u->n_waiting;
}

unsigned udp_flush(struct udp *u)
{
    unsigned done = udp_send(u, u->waiting, u->n_waiting);

    /* those taken stand first, in whatever order: their slots are free again */
    for (unsigned i = 0; i < done; i++)
        u->free_slot[u->n_free++] = (uint16_t)((size_t)(u->waiting[i].p - u->slots) / u->buf_len);
    u->n_waiting -= done;
    memmove(u->waiting, u->waiting + done, u->n_waiting * sizeof(u->waiting[0]));
    return u->n_waiting;
}

unsigned udp_backlog(const struct udp *u)
{
    return u->n_waiting;
}
