/* SPDX-License-Identifier: MIT */
/* test_udp.c - real sockets on 127.0.0.0/8; sendmmsg() is replaced at link time to make it fail on
 * demand. What depends on one message being one datagram runs without offloads; test_udp_offload.c
 * has the runs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/udp.h"

#define WAIT_MS      5000
#define MANY         200
#define BACKLOG_TEST (UDP_BACKLOG_MAX + 72)

/* ---- sendmmsg() under control: each call takes the next step; no steps: the real one ---- */

static const int
    *steps; /* > 0: sends at most so many; < 0: fails with -errno; 0: end, the real one */

int sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags)
{
    if (steps && *steps) {
        int s = *steps++;
        if (s < 0) {
            errno = -s;
            return -1;
        }
        if (n > (unsigned)s)
            n = (unsigned)s;
    }
    return (int)syscall(SYS_sendmmsg, fd, v, n, flags);
}

/* ---- helpers ---- */

static be32 ip(const char *text)
{
    be32 a;
    assert_int_equal(inet_pton(AF_INET, text, &a), 1);
    return a;
}

static struct endpoint at(const char *text, uint16_t port)
{
    return (struct endpoint){ ip(text), be16_of(port) };
}

static struct udp *open_at(const char *text, const struct udp_opts *o)
{
    struct udp *u = NULL;
    assert_int_equal(udp_open(&u, at(text, 0), o), 0);
    return u;
}

static struct dgram to(const struct udp *dst, uint8_t *p, size_t len)
{
    return (
        struct dgram){ .peer = at("127.0.0.1", udp_local_port(dst)), .p = p, .len = (uint16_t)len };
}

static const struct udp_opts plain = { .no_gro = true, .no_gso = true };

static uint64_t count(const struct udp *u, enum udp_stat s)
{
    return udp_stats(u)->n[s];
}

static void wait_for(const struct udp *u, short events)
{
    struct pollfd pfd = { .fd = udp_fd(u), .events = events };
    assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
}

static unsigned recv_some(struct udp *u, struct dgram *out, unsigned cap)
{
    if (udp_recv_pending(u) == 0)
        wait_for(u, POLLIN);
    return udp_recv(u, out, cap);
}

static bool readable(const struct udp *u)
{
    struct pollfd pfd = { .fd = udp_fd(u), .events = POLLIN };
    return poll(&pfd, 1, 0) == 1;
}

/* ---- tests ---- */

static void test_open_errors(void **state)
{
    struct udp *a = open_at("127.0.0.1", NULL), *b = NULL;

    (void)state;
    assert_int_not_equal(udp_local_port(a), 0);
    assert_int_equal(udp_open(&b, at("127.0.0.1", udp_local_port(a)), NULL), -EADDRINUSE);
    assert_int_equal(udp_open(&b, at("192.0.2.1", 0), NULL), -EADDRNOTAVAIL);
    assert_null(b);
    udp_close(a);
    udp_close(NULL);
}

/* the address spoken to is told, the answer leaves from it; TOS and socket number arrive */
static void test_addresses_and_tos(void **state)
{
    static const struct {
        const char *spoken_to;
        uint8_t tos;
    } rows[] = {
        { "127.0.0.1", 0 }, { "127.0.0.5", 0xb8 }, { "127.1.2.3", 0x03 }, { "127.0.0.9", 0xff }
    };
    struct udp_opts o = { .sock = 3 };
    struct udp *a = open_at("0.0.0.0", &o), *b = open_at("127.0.0.1", NULL);
    struct dgram in;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t text[] = "hello";
        struct dgram d = to(a, text, 5);
        d.peer.ip = ip(rows[i].spoken_to);
        d.tos = rows[i].tos;
        assert_int_equal(udp_send(b, &d, 1), 1);
        assert_int_equal(recv_some(a, &in, 1), 1);
        assert_int_equal(in.len, 5);
        assert_memory_equal(in.p, "hello", 5);
        assert_memory_equal(&in.local, &d.peer.ip, 4);
        assert_int_equal(be16_get(in.peer.port), udp_local_port(b));
        assert_int_equal(in.tos, rows[i].tos);
        assert_int_equal(in.sock, 3);
        assert_int_equal(in.flags, 0);
        assert_int_equal(udp_send(a, &in, 1), 1);
        assert_int_equal(recv_some(b, &in, 1), 1);
        assert_memory_equal(&in.peer.ip, &d.peer.ip, 4);
        assert_int_equal(in.tos, rows[i].tos);
    }
    udp_close(a);
    udp_close(b);
}

/* bursts of UDP_BURST, in order; what each datagram occupies is free to write */
static void test_burst(void **state)
{
    struct udp *a = open_at("127.0.0.1", &plain), *b = open_at("127.0.0.1", &plain);
    uint8_t text[MANY];
    struct dgram d[MANY], in[MANY];
    unsigned seen = 0;

    (void)state;
    for (unsigned i = 0; i < MANY; i++) {
        text[i] = (uint8_t)i;
        d[i] = to(a, &text[i], 1);
    }
    assert_int_equal(udp_send(b, d, MANY), MANY);
    while (seen < MANY) {
        unsigned n = recv_some(a, in, MANY);
        assert_true(n > 0 && n <= UDP_BURST);
        for (unsigned i = 0; i < n; i++) {
            assert_int_equal(in[i].p[0], seen++ & 0xff);
            memset(in[i].p, 0xaa, in[i].len);
        }
    }
    assert_int_equal(udp_recv(a, in, MANY), 0);
    assert_int_equal(count(b, UDP_TX_DATAGRAMS), MANY);
    assert_int_equal(count(b, UDP_TX_OCTETS), MANY);
    assert_int_equal(count(a, UDP_RX_DATAGRAMS), MANY);
    assert_int_equal(count(a, UDP_RX_OCTETS), MANY);
    udp_close(a);
    udp_close(b);
}

/* what does not fit is dropped and counted, never cut; the whole buffer may be used; H1: empty ones
 * arrive */
static void test_lengths(void **state)
{
    static const struct {
        uint16_t len;
        bool arrives;
    } rows[] = { { 0, true },    { 1, true },     { 100, true },
                 { 101, false }, { 9000, false }, { 99, true } };
    struct udp_opts o = { .buf_len = 100 };
    struct udp *a = open_at("127.0.0.1", &o), *b = open_at("127.0.0.1", NULL);
    static uint8_t text[9000];
    struct dgram in;
    unsigned lost = 0;

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct dgram d = to(a, text, rows[i].len);
        assert_int_equal(udp_send(b, &d, 1), 1);
        assert_int_equal(recv_some(a, &in, 1), rows[i].arrives);
        if (rows[i].arrives)
            assert_int_equal(in.len, rows[i].len);
        lost += !rows[i].arrives;
        assert_int_equal(count(a, UDP_RX_TRUNCATED), lost);
    }
    udp_close(a);
    udp_close(b);
}

static void test_broadcast_dropped(void **state)
{
    struct udp *a = open_at("0.0.0.0", NULL);
    int fd = socket(AF_INET, SOCK_DGRAM, 0), on = 1;
    struct sockaddr_in sa = { .sin_family = AF_INET, .sin_port = htons(udp_local_port(a)) };
    struct dgram in;

    (void)state;
    assert_int_equal(inet_pton(AF_INET, "127.255.255.255", &sa.sin_addr), 1);
    assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)), 0);
    assert_int_equal(sendto(fd, "x", 1, 0, (struct sockaddr *)&sa, sizeof(sa)), 1);
    assert_int_equal(recv_some(a, &in, 1), 0);
    assert_int_equal(count(a, UDP_RX_UNANSWERABLE), 1);
    close(fd);
    udp_close(a);
}

/* one bad descriptor harms no other; each is counted where it belongs (real kernel) */
static void test_bad_descriptors(void **state)
{
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("0.0.0.0", NULL);
    static uint8_t text[UINT16_MAX];
    struct dgram d[4], in[4];

    (void)state;
    text[0] = 'a';
    text[1] = 'b';
    d[0] = to(a, text, 1);
    d[1] = to(a, text, UINT16_MAX); /* longer than UDP can be */
    d[2] = to(a, text, 1);
    d[2].local = ip("192.0.2.9"); /* not ours */
    d[3] = to(a, text + 1, 1);
    assert_int_equal(udp_send(b, d, 4), 4);
    wait_for(a, POLLIN);
    assert_int_equal(udp_recv(a, in, 4), 2);
    assert_int_equal(in[0].p[0], 'a');
    assert_int_equal(in[1].p[0], 'b');
    assert_int_equal(count(b, UDP_TX_MSGSIZE), 1);
    assert_int_equal(count(b, UDP_TX_INVALID) + count(b, UDP_TX_UNREACH), 1);
    assert_int_equal(count(b, UDP_TX_DATAGRAMS), 2);
    udp_close(a);
    udp_close(b);
}

/* H92: each class of errno costs one datagram and is counted under its name */
static void test_error_classes(void **state)
{
    static const struct {
        int err;
        enum udp_stat stat;
    } rows[] = {
        { ENOBUFS, UDP_TX_NOBUFS },       { EPERM, UDP_TX_PERM },
        { ENETUNREACH, UDP_TX_UNREACH },  { EHOSTUNREACH, UDP_TX_UNREACH },
        { EMSGSIZE, UDP_TX_MSGSIZE },     { EINVAL, UDP_TX_INVALID },
        { ECONNREFUSED, UDP_TX_REFUSED }, { EIO, UDP_TX_OTHER },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", &plain);
        uint8_t text[] = "abc";
        struct dgram d[3] = { to(a, text, 1), to(a, text + 1, 1), to(a, text + 2, 1) }, in[3];
        const int plan[] = { 1, -rows[i].err, 0 };

        steps = plan;
        assert_int_equal(udp_send(b, d, 3), 3);
        steps = NULL;
        wait_for(a, POLLIN);
        assert_int_equal(udp_recv(a, in, 3), 2);
        assert_int_equal(in[0].p[0], 'a');
        assert_int_equal(in[1].p[0], 'c');
        for (int s = UDP_TX_NOBUFS; s < UDP_STAT_N; s++)
            assert_int_equal(count(b, (enum udp_stat)s), s == (int)rows[i].stat);
        udp_close(a);
        udp_close(b);
    }
}

/* with IP_RECVERR an error may belong to an earlier datagram: the one at hand is tried once more */
static void test_pending_error(void **state)
{
    struct udp_opts o = { .note_refused = true, .no_gso = true };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", &o);
    uint8_t text[] = "ab";
    struct dgram d[2] = { to(a, text, 1), to(a, text + 1, 1) }, in[2];
    static const int once[] = { -ECONNREFUSED, 0 }, twice[] = { -EPERM, -EPERM, 0 };

    (void)state;
    steps = once;
    assert_int_equal(udp_send(b, d, 2), 2);
    wait_for(a, POLLIN);
    assert_int_equal(udp_recv(a, in, 2), 2);
    assert_int_equal(count(b, UDP_TX_REFUSED), 0);
    steps = twice;
    assert_int_equal(udp_send(b, d, 2), 2);
    wait_for(a, POLLIN);
    assert_int_equal(udp_recv(a, in, 2), 1);
    assert_int_equal(count(b, UDP_TX_PERM), 1);
    steps = NULL;
    udp_close(a);
    udp_close(b);
}

/* a closed port answers with ICMP: told to who wants to know, and nothing else is lost by it */
static void test_refused(void **state)
{
    for (int wanted = 0; wanted < 2; wanted++) {
        struct udp_opts o = { .note_refused = wanted };
        struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", &o);
        struct udp *gone = open_at("127.0.0.1", NULL);
        uint8_t text[] = "x";
        struct dgram dead = to(gone, text, 1), d = to(a, text, 1), in;
        struct endpoint who;

        (void)state;
        udp_close(gone);
        assert_int_equal(udp_send(b, &dead, 1), 1);
        assert_int_equal(udp_send(b, &d, 1), 1);
        assert_int_equal(recv_some(a, &in, 1), 1);
        if (wanted)
            wait_for(b, POLLERR);
        assert_int_equal(udp_recv(b, &in, 1), 0);
        assert_int_equal(udp_take_refused(b, &who), wanted);
        if (wanted)
            assert_true(endpoint_eq(who, dead.peer));
        assert_int_equal(count(b, UDP_RX_REFUSED), wanted);
        assert_false(udp_take_refused(b, &who));
        assert_false(readable(b));
        udp_close(a);
        udp_close(b);
    }
}

/* EAGAIN: what was not taken stands at the end, order inside each peer as it was */
static void test_again(void **state)
{
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    struct udp *c = open_at("127.0.0.1", &plain);
    uint8_t text[] = "0123";
    struct dgram d[4] = { to(a, text, 1), to(b, text + 1, 1), to(a, text + 2, 1),
                          to(b, text + 3, 1) };
    static const int plan[] = { 1, -EAGAIN, 0 };

    (void)state;
    steps = plan;
    assert_int_equal(udp_send(c, d, 4), 1);
    steps = NULL;
    /* messages are {0, 2} and {1, 3} */
    assert_int_equal(d[0].p[0], '0');
    assert_int_equal(d[1].p[0], '2');
    assert_int_equal(d[2].p[0], '1');
    assert_int_equal(d[3].p[0], '3');
    assert_int_equal(count(c, UDP_TX_AGAIN), 1);
    udp_close(a);
    udp_close(b);
    udp_close(c);
}

static void test_backlog(void **state)
{
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", &plain);
    uint8_t text[BACKLOG_TEST];
    struct dgram d[BACKLOG_TEST], in[UDP_BURST];
    static const int none[] = { -EAGAIN, 0 }, some[] = { 5, -EAGAIN, 0 };

    (void)state;
    for (unsigned i = 0; i < BACKLOG_TEST; i++) {
        text[i] = (uint8_t)i;
        d[i] = to(a, &text[i], 1);
    }
    steps = some;
    assert_int_equal(udp_queue(b, d, 10), 5);
    memset(text, 0xff, 10); /* the caller's buffers are free again */
    for (unsigned i = 10; i < BACKLOG_TEST; i++)
        d[i] = to(a, &text[i], 1);
    assert_int_equal(udp_queue(b, d + 10, 10), 15); /* behind what waits */
    steps = some;
    assert_int_equal(udp_flush(b), 10);
    assert_int_equal(udp_queue(b, d + 20, BACKLOG_TEST - 20), UDP_BACKLOG_MAX);
    assert_int_equal(udp_backlog(b), UDP_BACKLOG_MAX);
    assert_int_equal(count(b, UDP_TX_BACKLOG_FULL), 10 + BACKLOG_TEST - 20 - UDP_BACKLOG_MAX);
    steps = none;
    assert_int_equal(udp_flush(b), UDP_BACKLOG_MAX);
    steps = NULL;
    assert_int_equal(udp_flush(b), 0);
    assert_int_equal(udp_backlog(b), 0);
    for (unsigned seen = 0; seen < UDP_BACKLOG_MAX + 10;) {
        unsigned n = recv_some(a, in, UDP_BURST);
        for (unsigned i = 0; i < n; i++)
            assert_int_equal(in[i].p[0], seen++ & 0xff);
    }
    assert_false(readable(a));
    udp_close(a);
    udp_close(b);
}

/* DF on everything but what may be fragmented, as the receiver's IP header tells */
static void test_dont_fragment(void **state)
{
    struct udp *a = open_at("127.0.0.7", NULL), *b = open_at("127.0.0.1", NULL);
    int raw = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_UDP);
    uint8_t text[] = "x";
    struct dgram d[3] = { to(a, text, 1), to(a, text, 1), to(a, text, 1) };
    struct sockaddr_in sa = { .sin_family = AF_INET };

    (void)state;
    if (raw < 0) {
        udp_close(a);
        udp_close(b);
        skip(); /* needs CAP_NET_RAW */
    }
    assert_int_equal(inet_pton(AF_INET, "127.0.0.7", &sa.sin_addr), 1);
    assert_int_equal(bind(raw, (struct sockaddr *)&sa, sizeof(sa)), 0);
    for (int i = 0; i < 3; i++)
        d[i].peer.ip = ip("127.0.0.7");
    d[1].flags = DGRAM_MAY_FRAGMENT;
    assert_int_equal(udp_send(b, d, 3), 3);
    for (int i = 0; i < 3; i++) {
        struct pollfd pfd = { .fd = raw, .events = POLLIN };
        struct iphdr h;
        assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
        assert_true(recv(raw, &h, sizeof(h), MSG_TRUNC) >= (ssize_t)sizeof(h));
        assert_int_equal(ntohs(h.frag_off) & IP_DF, i == 1 ? 0 : IP_DF);
    }
    close(raw);
    udp_close(a);
    udp_close(b);
}

/* a full socket buffer shows as kernel drops */
static void test_kernel_drops(void **state)
{
    struct udp_opts o = { .rcvbuf = 1, .no_gro = true };
    struct udp *a = open_at("127.0.0.1", &o), *b = open_at("127.0.0.1", &plain);
    static uint8_t text[1000];
    struct dgram d[MANY], in[UDP_BURST];
    unsigned got = 0, n;

    (void)state;
    for (unsigned i = 0; i < MANY; i++)
        d[i] = to(a, text, sizeof(text));
    assert_int_equal(udp_send(b, d, MANY), MANY);
    while ((n = udp_recv(a, in, UDP_BURST)) > 0)
        got += n;
    assert_true(got < MANY);
    assert_int_equal(udp_send(b, d, 1), 1); /* the count comes with the next datagram */
    assert_int_equal(recv_some(a, in, 1), 1);
    assert_int_equal(count(a, UDP_RX_KERNEL_DROPS), MANY - got);
    udp_close(a);
    udp_close(b);
}

static void test_names(void **state)
{
    (void)state;
    for (int i = 0; i < UDP_STAT_N; i++) {
        assert_non_null(udp_stat_name[i]);
        for (int k = 0; k < i; k++)
            assert_string_not_equal(udp_stat_name[i], udp_stat_name[k]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_open_errors),
        cmocka_unit_test(test_addresses_and_tos),
        cmocka_unit_test(test_burst),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_broadcast_dropped),
        cmocka_unit_test(test_bad_descriptors),
        cmocka_unit_test(test_error_classes),
        cmocka_unit_test(test_pending_error),
        cmocka_unit_test(test_refused),
        cmocka_unit_test(test_again),
        cmocka_unit_test(test_backlog),
        cmocka_unit_test(test_dont_fragment),
        cmocka_unit_test(test_kernel_drops),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
