/* SPDX-License-Identifier: MIT */
/* udp.c - UDP sockets: opening, options, what the kernel can do for us */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/host/udp_internal.h"

#define KERNEL_BUF (4u << 20)
#define ALIGN      64u

/* Buffers of 64 KiB one after another would begin in the same sets of the cache; short datagrams
 * use little but their beginnings. */
#define COLOUR 2048u

const char *const udp_stat_name[UDP_STAT_N] = {
#define X(sym, name) [UDP_##sym] = (name),
    UDP_STAT_LIST(X)
#undef X
};

/* ---- opening ---- */

int udp_set_int(int fd, int level, int name, int value)
{
    return setsockopt(fd, level, name, &value, sizeof(value)) < 0 ? -errno : 0;
}

/* Above the system's limit where CAP_NET_ADMIN allows it; what cannot be had is no error. */
static void set_kernel_buf(int fd, int force, int plain, uint32_t octets)
{
    int value = octets > INT32_MAX / 2 ? INT32_MAX / 2 : (int)octets;

    if (udp_set_int(fd, SOL_SOCKET, force, value) < 0)
        (void)udp_set_int(fd, SOL_SOCKET, plain, value);
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
        int rc = udp_set_int(u->fd, must[i].level, must[i].name, must[i].value);
        if (rc < 0)
            return rc;
    }
    if (o->note_refused) {
        int rc = udp_set_int(u->fd, IPPROTO_IP, IP_RECVERR, 1);
        if (rc < 0)
            return rc;
    }
    if (o->device && o->device[0] &&
        setsockopt(u->fd, SOL_SOCKET, SO_BINDTODEVICE, o->device, (socklen_t)strlen(o->device)) < 0)
        return -errno;
    if (o->mark) {
        int rc = udp_set_int(u->fd, SOL_SOCKET, SO_MARK, (int)o->mark);
        if (rc < 0)
            return rc;
    }
    set_kernel_buf(u->fd, SO_RCVBUFFORCE, SO_RCVBUF, o->rcvbuf ? o->rcvbuf : KERNEL_BUF);
    set_kernel_buf(u->fd, SO_SNDBUFFORCE, SO_SNDBUF, o->sndbuf ? o->sndbuf : KERNEL_BUF);
    return 0;
}

/* One message of @n datagrams of one octet to ourselves, over the loopback. */
static bool takes_segments(int fd, const struct sockaddr_in *self, unsigned n)
{
    static uint8_t text[UDP_GSO_NEW];
    struct sockaddr_in to = *self;
    struct iovec iov = { .iov_base = text, .iov_len = n };
    struct msghdr mh = {
        .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = &iov, .msg_iovlen = 1
    };

    return udp_set_int(fd, IPPROTO_UDP, UDP_SEGMENT, 1) == 0 &&
           sendmsg(fd, &mh, MSG_DONTWAIT | MSG_NOSIGNAL) == (ssize_t)n;
}

/* How many segments does the kernel cut from one message? A kernel that does not know UDP_SEGMENT
 * says so when asked. Newer ones take more than 64; only trying tells, on a socket of its own so
 * that nothing strays. */
static unsigned probe_gso(const struct udp *u)
{
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_addr = { htonl(INADDR_LOOPBACK) } };
    socklen_t sa_len = sizeof(sa);
    unsigned n = UDP_SEGMENTS_MAX;

    if (udp_set_int(u->fd, IPPROTO_UDP, UDP_SEGMENT, 0) < 0)
        return 0;
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return n;
    if (bind(fd, (struct sockaddr *)&sa, sizeof(sa)) == 0 &&
        getsockname(fd, (struct sockaddr *)&sa, &sa_len) == 0 &&
        takes_segments(fd, &sa, UDP_GSO_NEW))
        n = UDP_GSO_NEW;
    close(fd);
    return n;
}

/* What may be used, by @o and by SIXTAP_UDP_OFFLOAD, and what the kernel knows. */
static void set_offloads(struct udp *u, const struct udp_opts *o)
{
    const char *env = getenv("SIXTAP_UDP_OFFLOAD");
    bool off = env && strcmp(env, "off") == 0;
    bool no_gro = o->no_gro || off || (env && strcmp(env, "gso") == 0);
    bool no_gso = o->no_gso || off || (env && strcmp(env, "gro") == 0);

    u->gro = !no_gro && udp_set_int(u->fd, IPPROTO_UDP, UDP_GRO, 1) == 0;
    u->gso_max = no_gso ? 0 : probe_gso(u);
}

static int open_socket(struct udp *u, struct endpoint bind_to, const struct udp_opts *o)
{
    struct sockaddr_in sa = udp_sockaddr_of(bind_to);
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

/* Once it is known whether runs come in: few long buffers or many that hold one datagram each.
 * Pages never written to cost nothing. */
static int alloc_buffers(struct udp *u)
{
    unsigned n = u->gro ? UDP_ASK_MAX : UDP_BURST;

    u->rx_len = u->gro ? UDP_RUN_LEN : u->buf_len;
    u->ask = u->gro ? UDP_ASK_MIN : UDP_BURST;
    u->rx_stride = (PKT_HEADROOM + u->rx_len + PKT_TAILROOM + ALIGN - 1) / ALIGN * ALIGN;
    u->rx_stride += u->gro ? COLOUR : 0;
    u->rx_buf = aligned_alloc(ALIGN, (size_t)n * u->rx_stride);
    u->wait.mem = malloc(4 * UDP_BACKLOG);
    if (!u->rx_buf || !u->wait.mem)
        return -ENOMEM;
    for (unsigned i = 0; i < n; i++)
        u->rx_iov[i] = (struct iovec){
            .iov_base = u->rx_buf + (size_t)i * u->rx_stride + PKT_HEADROOM,
            .iov_len = u->rx_len,
        };
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
    int rc = open_socket(u, bind_to, o);
    if (rc == 0) {
        set_offloads(u, o);
        rc = alloc_buffers(u);
    }
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
    free(u->wait.mem);
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

bool udp_gro(const struct udp *u)
{
    return u->gro;
}
