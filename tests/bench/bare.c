/* SPDX-License-Identifier: MIT */
/* bare.c - the least a tunnel of this kind can cost: TAP, UDP, a key that everybody knows
 *
 * DOC: how far is SixTap from what the kernel's calls and the cipher allow on this machine? This
 * program moves frames as SixTap does, with superframes, UDP_SEGMENT and UDP_GRO, sums and joins
 * TCP, seals and opens under AES-256-GCM at each hop, from and in the same buffers, and does
 * nothing else: one key for all that is written here, no login, no replay window, no tables, no
 * checks of addresses, two clients by the third octet of their IPv4 address, no limits. It is
 * for measuring (driver "bare" of bench.py), in network namespaces, and unsafe anywhere else.
 *
 *   bare hub PORT
 *   bare client DEVICE HUB PORT
 *
 * BARE_NULL in the environment: neither sealed nor opened, for what the cipher costs. It runs at
 * nice -10, as SixTap does.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "proto/be.h"
#include "proto/cksum.h"
#include "proto/host/crypto.h"
#include "proto/seal.h"

#define BUFS   8u /* a call of the kernel, as SixTap's */
#define ROUNDS 4u /* of them a wake-up */
#define BUF    (65536u + 4096u)
#define RUN    45u /* longest sealed frames of a superframe that one message holds */
#define MSGS   256u
#define ARENA  (BUFS * (BUF + 64u * (DATA_HDR_LEN + TAG_LEN + 160u)))
#define PIECES 66u
#define L4     54u /* Ethernet and IPv6 header without extensions */
#define VNET   sizeof(struct virtio_net_hdr)

static struct seal_key key;
static bool null_cipher;
static uint64_t counter;
static int udp, tap;

static struct {
    unsigned n;
    struct mmsghdr m[MSGS];
    struct iovec v[MSGS];
    union {
        struct cmsghdr align;
        uint8_t b[CMSG_SPACE(sizeof(uint16_t))];
    } ctl[MSGS];
} out;

static struct {
    struct mmsghdr m[BUFS];
    struct iovec v[BUFS];
    struct sockaddr_in from[BUFS];
    union {
        struct cmsghdr align;
        uint8_t b[64];
    } ctl[BUFS];
    uint8_t *buf[BUFS];
} in;

static _Noreturn void die(const char *what)
{
    perror(what);
    exit(1);
}

/* ---- the cipher ---- */

static void header(uint8_t *p)
{
    memset(p, 0, DATA_HDR_LEN);
    be64_store(p + 8, ++counter);
}

/* Datagrams of @gap octets from @p on, the last may be shorter. False: one is none, or does not
 * open */
static bool cipher(uint8_t *p, size_t len, size_t gap, bool open)
{
    struct seal_op op[128];
    size_t n = 0;

    for (size_t off = 0; off < len; off += gap, n++) {
        size_t l = len - off < gap ? len - off : gap;
        if (l < DATA_HDR_LEN + TAG_LEN || n == sizeof(op) / sizeof(op[0]))
            return false;
        uint8_t *h = p + off;
        if (!open)
            header(h);
        op[n] = (struct seal_op){ .hdr = h,
                                  .src = h + DATA_HDR_LEN,
                                  .dst = h + DATA_HDR_LEN,
                                  .len = (uint32_t)(l - DATA_HDR_LEN - TAG_LEN) };
    }
    if (null_cipher)
        return true;
    if (open)
        return open_run(&key, op, n) == n;
    seal_run(&key, op, n);
    return true;
}

/* ---- UDP ---- */

static int udp_socket(uint16_t port)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0), on = 1, size = 4 << 20;
    int probe = IP_PMTUDISC_PROBE;
    struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(port) };

    if (fd < 0 || setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on)) ||
        setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof(size)) ||
        setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)) ||
        setsockopt(fd, IPPROTO_IP, IP_MTU_DISCOVER, &probe, sizeof(probe)) ||
        bind(fd, (struct sockaddr *)&any, sizeof(any)))
        die("UDP");
    for (unsigned i = 0; i < BUFS; i++) {
        if (!(in.buf[i] = malloc(BUF)))
            die("memory");
    }
    return fd;
}

static unsigned receive(void)
{
    for (unsigned i = 0; i < BUFS; i++) {
        in.v[i] = (struct iovec){ in.buf[i], 65536 };
        in.m[i].msg_hdr = (struct msghdr){ .msg_name = &in.from[i],
                                           .msg_namelen = sizeof(in.from[i]),
                                           .msg_iov = &in.v[i],
                                           .msg_iovlen = 1,
                                           .msg_control = &in.ctl[i],
                                           .msg_controllen = sizeof(in.ctl[i]) };
    }
    int n = recvmmsg(udp, in.m, BUFS, MSG_DONTWAIT, NULL);
    return n < 0 ? 0 : (unsigned)n;
}

/* gap() - octets from one datagram of received message @m to the next */
static size_t gap(struct mmsghdr *m)
{
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m->msg_hdr); c; c = CMSG_NXTHDR(&m->msg_hdr, c)) {
        int g;
        if (c->cmsg_level != IPPROTO_UDP || c->cmsg_type != UDP_GRO)
            continue;
        memcpy(&g, CMSG_DATA(c), sizeof(g));
        return (size_t)g;
    }
    return m->msg_len ? m->msg_len : 1;
}

/* What the socket does not take is lost. */
static void flush(void)
{
    for (unsigned at = 0; at < out.n;) {
        int n = sendmmsg(udp, out.m + at, out.n - at, MSG_DONTWAIT);
        at += n > 0 ? (unsigned)n : 1;
    }
    out.n = 0;
}

static void queue(struct sockaddr_in *to, uint8_t *p, size_t len, size_t each)
{
    if (len == 0)
        return;
    if (out.n == MSGS)
        flush();
    unsigned i = out.n++;
    struct msghdr *h = &out.m[i].msg_hdr;

    out.v[i] = (struct iovec){ p, len };
    *h = (struct msghdr){
        .msg_name = to, .msg_namelen = sizeof(*to), .msg_iov = &out.v[i], .msg_iovlen = 1
    };
    if (each >= len)
        return;
    h->msg_control = &out.ctl[i];
    h->msg_controllen = sizeof(out.ctl[i]);
    struct cmsghdr *c = CMSG_FIRSTHDR(h);
    uint16_t size = (uint16_t)each;
    *c = (struct cmsghdr){ .cmsg_level = IPPROTO_UDP,
                           .cmsg_type = UDP_SEGMENT,
                           .cmsg_len = CMSG_LEN(sizeof(size)) };
    memcpy(CMSG_DATA(c), &size, sizeof(size));
}

/* ---- the hub ---- */

static void hub(void)
{
    static struct sockaddr_in client[3]; /* 198.18.1.2 and 198.18.2.2: by their third octet */
    unsigned n;
    unsigned round = 0;

    do {
        n = receive();
        for (unsigned i = 0; i < n; i++) {
            unsigned k = ntohl(in.from[i].sin_addr.s_addr) >> 8 & 0xff;
            size_t len = in.m[i].msg_len, each = gap(&in.m[i]);
            if (k < 1 || k > 2 || !cipher(in.buf[i], len, each, true))
                continue;
            client[k] = in.from[i];
            if (!client[3 - k].sin_port || !cipher(in.buf[i], len, each, false))
                continue;
            queue(&client[3 - k], in.buf[i], len, each);
        }
        flush();
    } while (n == BUFS && ++round < ROUNDS);
}

/* ---- a client ---- */

static struct sockaddr_in router;
static uint8_t *super[BUFS], *arena;
static size_t used;

/* The sum of TCP's pseudo-header and, @and_tcp, of all behind it. */
static uint64_t tcp_sum(const uint8_t *f, size_t len, bool and_tcp)
{
    const uint8_t lengths[4] = { (uint8_t)((len - L4) >> 8), (uint8_t)(len - L4), 0, IPPROTO_TCP };
    uint64_t s = cksum_add(cksum_add(0, f + 22, 32), lengths, sizeof(lengths));

    return and_tcp ? cksum_add(s, f + L4, len - L4) : s;
}

/* seal_away() - @len octets at @p become a datagram behind the others in the arena; without room
 * they are lost */
static void seal_away(const uint8_t *p, size_t len)
{
    uint8_t *d = arena + used;

    if (used + DATA_HDR_LEN + len + TAG_LEN > ARENA)
        return;
    header(d);
    used += DATA_HDR_LEN + len + TAG_LEN;
    if (null_cipher)
        memcpy(d + DATA_HDR_LEN, p, len);
    else
        seal_run(
            &key,
            &(struct seal_op){ .hdr = d, .src = p, .dst = d + DATA_HDR_LEN, .len = (uint32_t)len },
            1);
}

/* A superframe of TCP: the headers go before each part of the payload, over what has been sealed
 * away, so that nothing is copied. */
static void cut(uint8_t *f, size_t len, size_t size)
{
    size_t head = L4 + (size_t)(f[L4 + 12] >> 4) * 4, start = used;
    uint32_t seq = be32_load(f + L4 + 4);
    uint8_t h[L4 + 60];
    unsigned n = 0;

    memcpy(h, f, head);
    for (size_t off = head; off < len; off += size) {
        size_t part = len - off < size ? len - off : size;
        bool last = off + part == len;
        uint8_t *p = f + off - head;
        memcpy(p, h, head);
        be16_store(p + 18, (uint16_t)(head - L4 + part));
        be32_store(p + L4 + 4, seq);
        if (!last)
            p[L4 + 13] &= (uint8_t) ~(0x08 | 0x01); /* PSH, FIN */
        be16_store(p + L4 + 16, 0);
        be16_store(p + L4 + 16, cksum_fold(tcp_sum(p, head + part, true)));
        seal_away(p, head + part);
        seq += (uint32_t)part;
        if (++n == RUN || last) {
            queue(&router, arena + start, used - start, DATA_HDR_LEN + head + size + TAG_LEN);
            start = used;
            n = 0;
        }
    }
}

static void from_tap(uint8_t *b, size_t len)
{
    struct virtio_net_hdr v;
    uint8_t *f = b + VNET;

    memcpy(&v, b, VNET);
    len -= VNET;
    if ((v.gso_type & ~VIRTIO_NET_HDR_GSO_ECN) == VIRTIO_NET_HDR_GSO_TCPV6) {
        cut(f, len, v.gso_size);
        return;
    }
    if (v.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
        uint64_t s = cksum_add(0, f + v.csum_start, len - v.csum_start);
        be16_store(f + v.csum_start + v.csum_offset, cksum_fold(s));
    }
    size_t start = used;
    seal_away(f, len);
    queue(&router, arena + start, used - start, used - start);
}

static void on_tap(void)
{
    unsigned n, round = 0;

    do {
        for (n = 0; n < BUFS; n++) {
            ssize_t got = read(tap, super[n], BUF);
            if (got <= (ssize_t)VNET)
                break;
            from_tap(super[n], (size_t)got);
        }
        flush();
        used = 0;
    } while (n == BUFS && ++round < ROUNDS);
}

static struct { /* what is being joined */
    unsigned n;
    struct iovec v[1 + PIECES];
    uint8_t *f;
    size_t head, size, len;
    uint32_t seq;
} j;

static void write_joined(void)
{
    struct virtio_net_hdr v = { 0 };

    if (j.n == 0)
        return;
    if (j.n > 1) {
        be16_store(j.f + 18, (uint16_t)(j.len - L4));
        be16_store(j.f + L4 + 16, (uint16_t)~cksum_fold(tcp_sum(j.f, j.len, false)));
        v = (struct virtio_net_hdr){ .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                     .gso_type = VIRTIO_NET_HDR_GSO_TCPV6,
                                     .gso_size = (uint16_t)j.size,
                                     .hdr_len = (uint16_t)j.head,
                                     .csum_start = L4,
                                     .csum_offset = 16 };
    }
    j.v[0] = (struct iovec){ &v, VNET };
    if (writev(tap, j.v, (int)j.n + 1) < 0 && errno != EAGAIN && errno != EIO)
        die("TAP");
    j.n = 0;
}

static void begin(uint8_t *f, size_t len)
{
    j.n = 1;
    j.v[1] = (struct iovec){ f, len };
    j.f = f;
    j.len = len;
}

/* Data of TCP with no flags but ACK and PSH? @head: octets of headers */
static bool joinable(const uint8_t *f, size_t len, size_t *head)
{
    if (len < L4 + 20 || be16_load(f + 12) != 0x86dd || f[20] != IPPROTO_TCP)
        return false;
    *head = L4 + (size_t)(f[L4 + 12] >> 4) * 4;
    return len > *head && !(f[L4 + 13] & ~(0x10 | 0x08));
}

static void to_tap(uint8_t *f, size_t len)
{
    size_t head;

    if (!joinable(f, len, &head)) {
        write_joined();
        begin(f, len);
        write_joined();
        return;
    }
    if (cksum_fold(tcp_sum(f, len, true)) != 0)
        return;
    size_t part = len - head;
    bool next = j.n > 0 && j.n < PIECES && j.len + part < 65000 && head == j.head &&
                part <= j.size && be32_load(f + L4 + 4) == j.seq &&
                memcmp(f + L4, j.f + L4, 4) == 0 && memcmp(f + L4 + 8, j.f + L4 + 8, 4) == 0 &&
                memcmp(f + L4 + 20, j.f + L4 + 20, head - L4 - 20) == 0;
    if (next) {
        j.v[++j.n] = (struct iovec){ f + head, part };
        j.len += part;
        j.f[L4 + 13] |= f[L4 + 13];
    } else {
        write_joined();
        begin(f, len);
        j.head = head;
        j.size = part;
        j.seq = be32_load(f + L4 + 4);
    }
    j.seq += (uint32_t)part;
    if (part < j.size || f[L4 + 13] & 0x08)
        write_joined();
}

static void on_udp(void)
{
    unsigned n, round = 0;

    do {
        n = receive();
        for (unsigned i = 0; i < n; i++) {
            size_t len = in.m[i].msg_len, each = gap(&in.m[i]);
            if (!cipher(in.buf[i], len, each, true))
                continue;
            for (size_t off = 0; off < len; off += each) {
                size_t l = len - off < each ? len - off : each;
                to_tap(in.buf[i] + off + DATA_HDR_LEN, l - DATA_HDR_LEN - TAG_LEN);
            }
        }
        write_joined();
    } while (n == BUFS && ++round < ROUNDS);
}

static void open_client(const char *device, const char *address, const char *port)
{
    struct ifreq ifr = { .ifr_flags = IFF_TAP | IFF_NO_PI | IFF_VNET_HDR };

    router = (struct sockaddr_in){ .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(port)) };
    if (inet_pton(AF_INET, address, &router.sin_addr) != 1)
        die(address);
    udp = udp_socket(0);
    tap = open("/dev/net/tun", O_RDWR | O_NONBLOCK);
    snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%s", device);
    if (tap < 0 || ioctl(tap, TUNSETIFF, &ifr) ||
        ioctl(tap, TUNSETOFFLOAD, TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN))
        die("TAP");
    for (unsigned i = 0; i < BUFS; i++) {
        if (!(super[i] = malloc(BUF)))
            die("memory");
    }
    if (!(arena = malloc(ARENA)))
        die("memory");
}

int main(int argc, char **argv)
{
    static const struct crypto_use use = { seal_provider_set, seal_provider_name };
    static const uint8_t everybodys[KEY_LEN] = { 1 };
    bool client = argc == 5 && strcmp(argv[1], "client") == 0;

    if (!client && !(argc == 3 && strcmp(argv[1], "hub") == 0)) {
        fprintf(stderr, "usage: bare hub PORT | bare client DEVICE HUB PORT\n");
        return 64;
    }
    if (crypto_init(&use) || !seal_supported(CIPHER_AES256GCM)) {
        fprintf(stderr, "bare: no AES-256-GCM here\n");
        return 1;
    }
    seal_key_init(&key, CIPHER_AES256GCM, everybodys);
    null_cipher = getenv("BARE_NULL") != NULL;
    if (setpriority(PRIO_PROCESS, 0, -10))
        perror("nice");
    if (client)
        open_client(argv[2], argv[3], argv[4]);
    else
        udp = udp_socket((uint16_t)atoi(argv[2]));
    int ep = epoll_create1(EPOLL_CLOEXEC);
    struct epoll_event ev[2] = { { .events = EPOLLIN, .data.fd = udp },
                                 { .events = EPOLLIN, .data.fd = tap } };
    if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, udp, &ev[0]) ||
        (client && epoll_ctl(ep, EPOLL_CTL_ADD, tap, &ev[1])))
        die("epoll");
    for (;;) {
        int n = epoll_wait(ep, ev, 2, -1);
        for (int i = 0; i < n; i++) {
            if (!client)
                hub();
            else if (ev[i].data.fd == udp)
                on_udp();
            else
                on_tap();
        }
    }
}
