/* SPDX-License-Identifier: MIT */
/* udp_internal.h - a socket's insides, shared by udp.c (set-up), udp_recv.c, udp_send.c, udp_shun.c
 */
#ifndef SIXTAP_HOST_UDP_INTERNAL_H
#define SIXTAP_HOST_UDP_INTERNAL_H

#include <netinet/in.h>
#include <netinet/udp.h>
#include <sys/socket.h>

#include "proto/host/udp.h"
#include "proto/host/udp_pack.h"
#include "proto/timers.h"

#define UDP_RUN_LEN  65536u                 /* a joined run: an IPv4 packet is no longer */
#define UDP_ASK_MIN  8u                     /* buffers per call while runs are long */
#define UDP_ASK_MAX  32u                    /* while they are not; 64 were no faster */
#define UDP_ASK_GOAL ((size_t)512 * 1024)   /* octets of a call: they stay in the cache */
#define UDP_BACKLOG  ((size_t)1024 * 1024)  /* octets that may wait */
#define UDP_GSO_REST (60 * NS_PER_S)        /* switched off for so long after a refusal */
#define UDP_GSO_NEW  (2 * UDP_SEGMENTS_MAX) /* segments newer kernels take */

#define UDP_RX_CTL_LEN                                                                             \
    (CMSG_SPACE(sizeof(struct in_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)) +                         \
     CMSG_SPACE(sizeof(uint32_t)))
#define UDP_TX_CTL_LEN                                                                             \
    (CMSG_SPACE(sizeof(struct in_pktinfo)) + CMSG_SPACE(sizeof(int)) + CMSG_SPACE(sizeof(uint16_t)))

union udp_rx_ctl {
    struct cmsghdr align;
    uint8_t b[UDP_RX_CTL_LEN];
};
union udp_tx_ctl {
    struct cmsghdr align;
    uint8_t b[UDP_TX_CTL_LEN];
};

/* One received buffer: a run of datagrams of @seg octets, the last may be shorter. */
struct udp_run {
    struct dgram like;  /* what they share; p and len are filled in one by one */
    uint8_t *p;         /* the next to hand out */
    uint32_t left, seg; /* octets from p on; octets per datagram */
};

/* What the socket did not take. Two halves: when the one in use has no room at its end, what still
 * waits moves to the other; each holds twice what may wait, so that moving is rare. */
struct udp_backlog {
    uint8_t *mem;  /* 2 * 2 * UDP_BACKLOG octets */
    unsigned half; /* 0 or 1 */
    size_t used;   /* of this half, from its start */
    size_t live;   /* octets that wait */
    struct dgram d[UDP_BACKLOG_MAX];
    unsigned n;
};

struct udp {
    int fd;
    uint16_t port;
    uint8_t sock;
    bool note_refused, has_refused;
    struct endpoint refused;
    uint32_t buf_len;       /* longest datagram taken */
    uint32_t kernel_drops;  /* last SO_RXQ_OVFL, which counts from the socket's birth and wraps */
    uint32_t shunned_until; /* what it was when udp_shun() ended */
    bool shuns;
    struct udp_stats st;

    bool gro;
    uint8_t *rx_buf; /* UDP_ASK_MAX or UDP_BURST buffers of rx_stride octets */
    uint32_t rx_len, rx_stride;
    unsigned ask;           /* buffers for the next call of the kernel */
    bool more;              /* the last call filled them all */
    unsigned at_run, n_run; /* run[at_run .. n_run - 1] have datagrams left */
    unsigned n_pending;     /* how many */
    struct udp_run run[UDP_BURST];
    struct mmsghdr rx[UDP_BURST];
    struct iovec rx_iov[UDP_BURST];
    struct sockaddr_in rx_from[UDP_BURST];
    union udp_rx_ctl rx_ctl[UDP_BURST];

    unsigned gso_max;      /* segments per message the kernel takes; 0: it cannot */
    mono_ns gso_off_until; /* refused lately; 0: not */
    struct udp_pack pack;
    struct mmsghdr tx[UDP_BURST];
    uint16_t tx_n[UDP_BURST]; /* datagrams in tx[i] */
    struct iovec tx_iov[UDP_BURST];
    struct sockaddr_in tx_to[UDP_BURST];
    union udp_tx_ctl tx_ctl[UDP_BURST];

    struct udp_backlog wait;
};

static inline struct sockaddr_in udp_sockaddr_of(struct endpoint ep)
{
    struct sockaddr_in sa = { .sin_family = AF_INET };

    memcpy(&sa.sin_addr, &ep.ip, sizeof(ep.ip));
    memcpy(&sa.sin_port, &ep.port, sizeof(ep.port));
    return sa;
}

static inline struct endpoint udp_endpoint_of(const struct sockaddr_in *sa)
{
    struct endpoint ep;

    memcpy(&ep.ip, &sa->sin_addr, sizeof(ep.ip));
    memcpy(&ep.port, &sa->sin_port, sizeof(ep.port));
    return ep;
}

/* udp_set_int() - setsockopt() of an int. Return: 0 or -errno */
int udp_set_int(int fd, int level, int name, int value);

#endif
