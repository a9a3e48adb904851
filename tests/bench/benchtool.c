// SPDX-License-Identifier: MIT
/*
 * benchtool: the measuring half of the bench that must be in C.
 *
 *   benchtool recv PORT [IDLE_MS]               count UDP packets, report as JSON when idle
 *   benchtool send ADDR PORT SIZE PPS SECONDS   paced UDP sender (sendmmsg), PPS 0 = unpaced
 *   benchtool ramp ADDR PORT SIZE PPS FACTOR STEPS STEP_MS
 *                                            geometric rate ramp, each step tagged
 *   benchtool ping ADDR COUNT INTERVAL_US [TIMEOUT_MS]
 *                                            ICMP(v6) echo, one RTT in microseconds a line
 *
 * A sender sleeps between batches (it never spins) so that on a small machine
 * it costs no more CPU than the packets it sends.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip_icmp.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { BATCH = 64, MAXSIZE = 2048, MAXSTEPS = 64 };

struct tag {
    uint32_t step;
    uint32_t seq;
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return t.tv_sec + t.tv_nsec * 1e-9;
}

static double seconds(struct timespec t)
{
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void sleep_until(double when)
{
    struct timespec t = { (time_t)when, (long)((when - (time_t)when) * 1e9) };
    while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
        ;
}

static void die(const char *what)
{
    perror(what);
    exit(1);
}

static struct addrinfo *resolve(const char *addr, const char *port, int type)
{
    struct addrinfo hints = { .ai_socktype = type, .ai_flags = AI_NUMERICHOST };
    struct addrinfo *ai;
    int rc = getaddrinfo(addr, port, &hints, &ai);
    if (rc) {
        fprintf(stderr, "%s: %s\n", addr, gai_strerror(rc));
        exit(1);
    }
    return ai;
}

static int cmd_recv(int argc, char **argv)
{
    int idle_ms = argc > 3 ? atoi(argv[3]) : 250;
    int fd = socket(AF_INET6, SOCK_DGRAM, 0);
    int off = 0, big = 16 << 20;
    if (fd < 0)
        die("socket");
    setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &big, sizeof big);
    struct sockaddr_in6 sa = { .sin6_family = AF_INET6,
                               .sin6_port = htons((uint16_t)atoi(argv[2])) };
    if (bind(fd, (struct sockaddr *)&sa, sizeof sa))
        die("bind");
    printf("ready\n");
    fflush(stdout);

    static char buf[BATCH][MAXSIZE];
    struct mmsghdr mm[BATCH];
    struct iovec iov[BATCH];
    for (int i = 0; i < BATCH; i++) {
        iov[i] = (struct iovec){ buf[i], MAXSIZE };
        memset(&mm[i], 0, sizeof mm[i]);
        mm[i].msg_hdr.msg_iov = &iov[i];
        mm[i].msg_hdr.msg_iovlen = 1;
    }
    uint64_t count = 0, bytes = 0, steps[MAXSTEPS] = { 0 };
    double first = 0, last = 0;
    int wait = 5000; /* for the first packet */
    for (;;) {
        struct pollfd p = { fd, POLLIN, 0 };
        if (poll(&p, 1, wait) <= 0)
            break;
        for (;;) {
            int n = recvmmsg(fd, mm, BATCH, MSG_DONTWAIT, NULL);
            if (n <= 0)
                break;
            last = now();
            if (!first)
                first = last;
            for (int i = 0; i < n; i++) {
                struct tag t;
                memcpy(&t, buf[i], sizeof t);
                count++;
                bytes += mm[i].msg_len;
                if (t.step < MAXSTEPS)
                    steps[t.step]++;
            }
            if (n < BATCH)
                break;
        }
        wait = idle_ms;
    }
    printf("{\"count\": %llu, \"bytes\": %llu, \"seconds\": %.6f, \"steps\": [",
           (unsigned long long)count, (unsigned long long)bytes, last - first);
    for (int i = 0; i < MAXSTEPS; i++)
        printf("%s%llu", i ? ", " : "", (unsigned long long)steps[i]);
    printf("]}\n");
    return 0;
}

static char pkt[BATCH][MAXSIZE];
static struct mmsghdr smm[BATCH];
static struct iovec siov[BATCH];

/* Sends at pps for seconds; returns packets the kernel took, *took = time used. */
static uint64_t send_step(int fd, int size, double pps, double seconds, uint32_t step, double *took)
{
    double start = now(), end = start + seconds;
    /* one batch every 100 us or more; at most BATCH packets in a burst */
    int batch = pps > 0 ? (int)(pps * 100e-6) + 1 : BATCH;
    if (batch > BATCH)
        batch = BATCH;
    uint64_t sent = 0, tried = 0;
    uint32_t seq = 0;
    for (;;) {
        double t = now();
        if (t >= end)
            break;
        if (pps > 0) {
            double due = start + tried / pps;
            if (due > t + 20e-6) {
                sleep_until(due < end ? due : end);
                continue;
            }
            /* far behind (the machine is full): drop the arrears, do not burst */
            if (t - due > 0.02)
                start += t - due;
        }
        for (int i = 0; i < batch; i++) {
            struct tag tag = { step, seq++ };
            memcpy(pkt[i], &tag, sizeof tag);
            siov[i].iov_len = (size_t)size;
        }
        int n = sendmmsg(fd, smm, (unsigned)batch, 0);
        tried += (uint64_t)batch;
        if (n > 0)
            sent += (uint64_t)n;
        else if (errno != ENOBUFS && errno != EAGAIN && errno != ECONNREFUSED)
            die("sendmmsg");
    }
    *took = now() - (end - seconds);
    return sent;
}

static int open_sender(const char *addr, const char *port)
{
    struct addrinfo *ai = resolve(addr, port, SOCK_DGRAM);
    int fd = socket(ai->ai_family, SOCK_DGRAM, 0);
    int big = 4 << 20;
    if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen))
        die("connect");
    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &big, sizeof big);
    for (int i = 0; i < BATCH; i++) {
        siov[i] = (struct iovec){ pkt[i], 0 };
        memset(&smm[i], 0, sizeof smm[i]);
        smm[i].msg_hdr.msg_iov = &siov[i];
        smm[i].msg_hdr.msg_iovlen = 1;
    }
    prctl(PR_SET_TIMERSLACK, 1000UL);
    return fd;
}

static int cmd_send(char **argv)
{
    int fd = open_sender(argv[2], argv[3]);
    double took;
    uint64_t n = send_step(fd, atoi(argv[4]), atof(argv[5]), atof(argv[6]), 0, &took);
    printf("{\"sent\": %llu, \"seconds\": %.6f}\n", (unsigned long long)n, took);
    return 0;
}

static int cmd_ramp(char **argv)
{
    int fd = open_sender(argv[2], argv[3]);
    double rate = atof(argv[5]), factor = atof(argv[6]), step_s = atof(argv[8]) / 1000;
    int steps = atoi(argv[7]);
    if (steps > MAXSTEPS)
        steps = MAXSTEPS;
    printf("{\"steps\": [");
    for (int i = 0; i < steps; i++) {
        double took;
        uint64_t n = send_step(fd, atoi(argv[4]), rate, step_s, (uint32_t)i, &took);
        printf("%s{\"pps\": %.0f, \"sent\": %llu, \"seconds\": %.6f}", i ? ", " : "", rate,
               (unsigned long long)n, took);
        rate *= factor;
        usleep(30000); /* let the queues drain */
    }
    printf("]}\n");
    return 0;
}

static uint16_t inet_sum(const uint8_t *p, size_t n)
{
    uint32_t s = 0;
    for (size_t i = 0; i + 1 < n; i += 2)
        s += (uint32_t)(p[i] << 8 | p[i + 1]);
    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    return htons((uint16_t)~s);
}

/* The next message of @fd; @at: when the kernel had it, CLOCK_REALTIME. Return: octets, -1: none.
 */
static ssize_t receive_at(int fd, uint8_t *p, size_t len, struct timespec *at)
{
    union {
        struct cmsghdr align;
        uint8_t b[CMSG_SPACE(sizeof(struct timespec))];
    } ctl;
    struct iovec v = { p, len };
    struct msghdr mh = {
        .msg_iov = &v, .msg_iovlen = 1, .msg_control = ctl.b, .msg_controllen = sizeof ctl.b
    };
    ssize_t n = recvmsg(fd, &mh, MSG_DONTWAIT);
    struct cmsghdr *c = n < 0 ? NULL : CMSG_FIRSTHDR(&mh);

    if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_TIMESTAMPNS)
        memcpy(at, CMSG_DATA(c), sizeof *at);
    else
        clock_gettime(CLOCK_REALTIME, at);
    return n;
}

/* When an echo arrived says the kernel, as with iputils' ping: how long this process waits for a
 * CPU is no part of its way. */
static int cmd_ping(int argc, char **argv)
{
    struct addrinfo *ai = resolve(argv[2], NULL, SOCK_RAW);
    int six = ai->ai_family == AF_INET6, count = atoi(argv[3]);
    double gap = atof(argv[4]) * 1e-6;
    int timeout_ms = argc > 5 ? atoi(argv[5]) : 1000;
    int fd = socket(ai->ai_family, SOCK_RAW, six ? (int)IPPROTO_ICMPV6 : (int)IPPROTO_ICMP);
    uint16_t id = (uint16_t)getpid();
    int got_any = 0, on = 1;
    if (fd < 0 || connect(fd, ai->ai_addr, ai->ai_addrlen))
        die("raw socket");
    if (six) {
        struct icmp6_filter f;
        ICMP6_FILTER_SETBLOCKALL(&f);
        ICMP6_FILTER_SETPASS(ICMP6_ECHO_REPLY, &f);
        setsockopt(fd, IPPROTO_ICMPV6, ICMP6_FILTER, &f, sizeof f);
    }
    setsockopt(fd, SOL_SOCKET, SO_TIMESTAMPNS, &on, sizeof on);
    prctl(PR_SET_TIMERSLACK, 1000UL);
    for (int i = 0; i < count; i++) {
        uint8_t b[64] = { 0 }, r[2048];
        uint16_t seq = (uint16_t)i;
        b[0] = six ? ICMP6_ECHO_REQUEST : ICMP_ECHO;
        memcpy(b + 4, &id, 2);
        memcpy(b + 6, &seq, 2);
        if (!six) {
            uint16_t c = inet_sum(b, sizeof b);
            memcpy(b + 2, &c, 2);
        }
        double t0 = now(), rtt = -1;
        struct timespec sent, got;
        clock_gettime(CLOCK_REALTIME, &sent);
        if (send(fd, b, sizeof b, 0) < 0 && errno != ENOBUFS) {
            usleep((useconds_t)(gap * 1e6));
            continue;
        }
        for (;;) {
            double left = t0 + timeout_ms * 1e-3 - now();
            struct pollfd p = { fd, POLLIN, 0 };
            if (left <= 0 || poll(&p, 1, (int)(left * 1000) + 1) <= 0)
                break;
            ssize_t n = receive_at(fd, r, sizeof r, &got);
            uint8_t *q = r;
            if (!six && n > 20) {
                q += (r[0] & 15) * 4;
                n -= q - r;
            }
            if (n >= 8 && q[0] == (six ? ICMP6_ECHO_REPLY : ICMP_ECHOREPLY) &&
                !memcmp(q + 4, &id, 2) && !memcmp(q + 6, &seq, 2)) {
                rtt = seconds(got) - seconds(sent);
                break;
            }
        }
        printf("%.1f\n", rtt < 0 ? -1.0 : rtt * 1e6);
        got_any |= rtt >= 0;
        sleep_until(t0 + gap);
    }
    return got_any ? 0 : 2;
}

int main(int argc, char **argv)
{
    if (argc >= 3 && !strcmp(argv[1], "recv"))
        return cmd_recv(argc, argv);
    if (argc >= 7 && !strcmp(argv[1], "send"))
        return cmd_send(argv);
    if (argc >= 9 && !strcmp(argv[1], "ramp"))
        return cmd_ramp(argv);
    if (argc >= 5 && !strcmp(argv[1], "ping"))
        return cmd_ping(argc, argv);
    fprintf(stderr, "usage: benchtool recv|send|ramp|ping ...\n");
    return 64;
}
