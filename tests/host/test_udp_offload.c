/* SPDX-License-Identifier: MIT */
/* test_udp_offload.c - runs of datagrams in one piece: sockets on 127.0.0.0/8, all four
 * combinations of joining (UDP_GRO) and cutting (UDP_SEGMENT), and kernels that refuse
 *
 * The calls of the kernel and the clock are replaced at link time, so that refusals and later times
 * can be had; what is not told otherwise goes to the real kernel.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "netns.h"
#include "proto/host/udp.h"
#include "proto/host/udp_pack.h"

#define WAIT_MS 5000
#define MANY    600

/* ---- the kernel under control ---- */

static int refuse_joined;       /* errno for messages with UDP_SEGMENT; 0: take them */
static const int *steps;        /* sendmmsg(): as in test_udp.c */
static bool old_kernel;         /* knows neither UDP_GRO nor UDP_SEGMENT */
static bool few_segments;       /* takes 64 segments, not 128 */
static unsigned n_recv_calls;   /* recvmmsg() */
static struct timespec forward; /* the clock is so much ahead */

static bool is_joined(const struct mmsghdr *m)
{
    struct msghdr mh = m->msg_hdr;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(&mh); c; c = CMSG_NXTHDR(&mh, c))
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
            return true;
    return false;
}

int sendmmsg(int fd, struct mmsghdr *v, unsigned n, int flags)
{
    if (steps && *steps) {
        int s = *steps++;
        if (s < 0) {
            errno = -s;
            return -1;
        }
        n = n > (unsigned)s ? (unsigned)s : n;
    }
    for (unsigned i = 0; i < n && refuse_joined; i++) {
        if (!is_joined(&v[i]))
            continue;
        if (i == 0) {
            errno = refuse_joined;
            return -1;
        }
        n = i;
    }
    return (int)syscall(SYS_sendmmsg, fd, v, n, flags);
}

int recvmmsg(int fd, struct mmsghdr *v, unsigned n, int flags, struct timespec *timeout)
{
    n_recv_calls++;
    return (int)syscall(SYS_recvmmsg, fd, v, n, flags, timeout);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (old_kernel && level == IPPROTO_UDP) {
        errno = ENOPROTOOPT;
        return -1;
    }
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

ssize_t sendmsg(int fd, const struct msghdr *m, int flags)
{
    if (few_segments) {
        errno = EINVAL;
        return -1;
    }
    return syscall(SYS_sendmsg, fd, m, flags);
}

int clock_gettime(clockid_t id, struct timespec *ts)
{
    int rc = (int)syscall(SYS_clock_gettime, id, ts);

    ts->tv_sec += forward.tv_sec;
    return rc;
}

static int reset(void **state)
{
    (void)state;
    refuse_joined = 0;
    steps = NULL;
    old_kernel = few_segments = false;
    forward = (struct timespec){ 0 };
    unsetenv("SIXTAP_UDP_OFFLOAD");
    return 0;
}

/* ---- helpers ---- */

static be32 ip(const char *text)
{
    be32 a;
    assert_int_equal(inet_pton(AF_INET, text, &a), 1);
    return a;
}

static struct udp *open_at(const char *text, const struct udp_opts *o)
{
    struct udp *u = NULL;
    assert_int_equal(udp_open(&u, (struct endpoint){ .ip = ip(text) }, o), 0);
    return u;
}

static uint64_t count(const struct udp *u, enum udp_stat s)
{
    return udp_stats(u)->n[s];
}

static uint8_t memory[4u << 20], reference[sizeof(memory)];

static void fill_memory(void)
{
    for (size_t i = 0; i < sizeof(memory); i++)
        memory[i] = reference[i] = (uint8_t)(random() >> 8);
}

/* @n datagrams of the lengths @len (repeated from its start) to @dst, one behind the other in
 * memory from @p on. Return: the octet behind the last */
static uint8_t *make(struct dgram *d, unsigned n, const struct udp *dst, const uint16_t *len,
                     unsigned n_len, uint8_t *p)
{
    for (unsigned i = 0; i < n; i++) {
        d[i] = (struct dgram){ .peer = { ip("127.0.0.1"), be16_of(udp_local_port(dst)) },
                               .len = len[i % n_len],
                               .p = p };
        p += d[i].len;
    }
    assert_true(p <= memory + sizeof(memory));
    return p;
}

static unsigned take(struct udp *u, struct dgram *out, unsigned cap)
{
    struct pollfd pfd = { .fd = udp_fd(u), .events = POLLIN };

    if (udp_recv_pending(u) == 0)
        assert_int_equal(poll(&pfd, 1, WAIT_MS), 1);
    return udp_recv(u, out, cap);
}

/* Everything of @want arrives at @u in that order with that content, in slices of @cap. Each
 * datagram is overwritten when seen: the next ones must not notice. */
static void expect(struct udp *u, const struct dgram *want, unsigned n, unsigned cap)
{
    struct dgram in[UDP_PACK_MAX];

    for (unsigned seen = 0; seen < n;) {
        unsigned before = udp_recv_pending(u), calls = n_recv_calls;
        unsigned got = take(u, in, cap);
        assert_true(got > 0 && got <= cap);
        if (before) {
            assert_int_equal(udp_recv_pending(u), before - got);
            assert_int_equal(n_recv_calls, calls);
        }
        for (unsigned i = 0; i < got; i++, seen++) {
            assert_true(seen < n);
            assert_int_equal(in[i].len, want[seen].len);
            assert_memory_equal(in[i].p, reference + (want[seen].p - memory), in[i].len);
            memset(in[i].p, 0xaa, in[i].len);
        }
    }
    assert_int_equal(udp_recv_pending(u), 0);
}

static void expect_silence(struct udp *u)
{
    struct dgram in;
    assert_int_equal(udp_recv(u, &in, 1), 0);
}

/* ---- what goes in comes out ---- */

struct pattern {
    const char *name;
    unsigned n, n_len;
    uint16_t len[8];
    unsigned n_msg64, n_msg128; /* messages when joined, with 64 and with 128 segments at most */
};

static const struct pattern patterns[] = {
    { "one", 1, 1, { 1400 }, 1, 1 },
    { "one octet, alone", 1, 1, { 1 }, 1, 1 },
    { "one octet each", 300, 1, { 1 }, 5, 3 },
    { "64", 64, 1, { 130 }, 1, 1 },
    { "65", 65, 1, { 130 }, 2, 1 },
    { "128", 128, 1, { 130 }, 2, 1 },
    { "129", 129, 1, { 130 }, 3, 2 },
    { "65 507 octets hold 45 of 1 440", 49, 1, { 1440 }, 2, 2 },
    { "the last is shorter", 5, 5, { 1400, 1400, 1400, 1400, 37 }, 1, 1 },
    { "the last is one octet", 4, 4, { 999, 999, 999, 1 }, 1, 1 },
    { "shorter in the middle", 8, 4, { 1400, 1400, 60, 1400 }, 3, 3 },
    { "never equal", 40, 8, { 1, 2, 3, 4, 5, 6, 7, 8 }, 36, 36 },
    { "empty in between", 6, 3, { 100, 0, 100 }, 5, 5 },
    { "odd lengths", 96, 1, { 677 }, 2, 1 },
    { "jumbo", 16, 1, { 9000 }, 3, 3 },
    { "longer than one descriptor array", 520, 1, { 100 }, 9, 5 },
};

static void one_pattern(const struct pattern *p, bool gso, bool gro)
{
    struct udp_opts in = { .no_gro = !gro }, out = { .no_gso = !gso };
    struct udp *a = open_at("127.0.0.1", &in), *b = open_at("127.0.0.1", &out);
    struct dgram d[MANY], want[MANY];
    unsigned n_msg = udp_gso(b) == 128 ? p->n_msg128 : p->n_msg64;

    make(d, p->n, a, p->len, p->n_len, memory);
    memcpy(want, d, sizeof(d));
    assert_int_equal(udp_send(b, d, p->n), p->n);
    assert_int_equal(count(b, UDP_TX_MESSAGES), gso ? n_msg : p->n);
    assert_int_equal(count(b, UDP_TX_DATAGRAMS), p->n);
    assert_int_equal(count(b, UDP_TX_UNJOINED), 0);
    expect(a, want, p->n, 64);
    expect_silence(a);
    assert_int_equal(count(a, UDP_RX_MESSAGES), gso && gro ? n_msg : p->n);
    assert_int_equal(count(a, UDP_RX_DATAGRAMS), p->n);
    assert_int_equal(count(a, UDP_RX_OCTETS), count(b, UDP_TX_OCTETS));
    udp_close(a);
    udp_close(b);
}

static void test_patterns(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(patterns) / sizeof(patterns[0]); i++) {
        for (int mode = 0; mode < 4; mode++) {
            print_message("row: %s, %s, %s\n", patterns[i].name, mode & 1 ? "gso" : "single",
                          mode & 2 ? "gro" : "plain");
            one_pattern(&patterns[i], mode & 1, mode & 2);
        }
    }
}

/* random lengths, gaps in memory and two destinations in turns: each sees its own in order */
static void test_random(void **state)
{
    static const uint16_t len[] = { 1400, 1400, 1400, 1400, 1400, 1400, 90, 1 };
    struct udp *dst[2] = { open_at("127.0.0.1", NULL), open_at("127.0.0.1", NULL) };
    struct udp *b = open_at("127.0.0.1", NULL);
    struct dgram d[200], want[2][200];

    (void)state;
    for (unsigned round = 0; round < 100; round++) {
        unsigned n_want[2] = { 0, 0 }, n = 1 + (unsigned)random() % 200, to = 0;
        uint8_t *p = memory;
        for (unsigned i = 0; i < n; i++) {
            to = random() % 8 == 0 ? !to : to;
            make(&d[i], 1, dst[to], &len[(unsigned)random() % 8], 1, p);
            p += d[i].len + (random() % 4 == 0 ? random() % 100 : 0);
            want[to][n_want[to]++] = d[i];
        }
        assert_int_equal(udp_send(b, d, n), n);
        for (int k = 0; k < 2; k++)
            expect(dst[k], want[k], n_want[k], 1 + (unsigned)random() % 100);
    }
    assert_true(count(b, UDP_TX_MESSAGES) < count(b, UDP_TX_DATAGRAMS) / 2);
    udp_close(dst[0]);
    udp_close(dst[1]);
    udp_close(b);
}

/* the addresses, the TOS and the socket's number are with every datagram of a run, and a run leaves
 * from the address it is told to */
static void test_addresses_and_tos(void **state)
{
    static const struct {
        const char *from, *to;
        uint8_t tos;
    } rows[] = { { "127.0.0.1", "127.0.0.1", 0 },
                 { "127.0.0.5", "127.1.2.3", 0xb8 },
                 { "127.0.0.6", "127.0.0.9", 0x03 },
                 { "127.0.0.6", "127.0.0.9", 0xff } };
    struct udp_opts o = { .sock = 3 };
    struct udp *a = open_at("0.0.0.0", &o), *b = open_at("0.0.0.0", NULL);
    static const uint16_t len[] = { 500 };
    struct dgram d[30], in[30];

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        make(d, 30, a, len, 1, memory);
        for (int i = 0; i < 30; i++) {
            d[i].peer.ip = ip(rows[r].to);
            d[i].local = ip(rows[r].from);
            d[i].tos = rows[r].tos;
        }
        assert_int_equal(udp_send(b, d, 30), 30);
        assert_int_equal(count(b, UDP_TX_MESSAGES), r + 1);
        assert_int_equal(take(a, in, 30), 30);
        for (int i = 0; i < 30; i++) {
            assert_int_equal(be32_get(in[i].peer.ip), be32_get(ip(rows[r].from)));
            assert_int_equal(be16_get(in[i].peer.port), udp_local_port(b));
            assert_int_equal(be32_get(in[i].local), be32_get(ip(rows[r].to)));
            assert_int_equal(in[i].tos, rows[r].tos);
            assert_int_equal(in[i].sock, 3);
            assert_int_equal(in[i].flags, 0);
        }
    }
    udp_close(a);
    udp_close(b);
}

/* ---- receiving ---- */

/* what was handed out stays until the kernel is asked again, also over several slices */
static void test_buffers_stay(void **state)
{
    static const uint16_t len[] = { 1440 };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    struct dgram d[200], want[200], in[200];
    unsigned n = 0;

    (void)state;
    make(d, 200, a, len, 1, memory);
    memcpy(want, d, sizeof(d));
    assert_int_equal(udp_send(b, d, 200), 200);
    n_recv_calls = 0;
    do
        n += take(a, in + n, 7);
    while (udp_recv_pending(a));
    assert_int_equal(n, 200);
    assert_int_equal(n_recv_calls, 1);
    assert_false(udp_recv_more(a)); /* five messages, eight buffers */
    for (unsigned i = 0; i < n; i++)
        assert_memory_equal(in[i].p, reference + (want[i].p - memory), 1440);
    assert_int_equal(udp_recv(a, in, 0), 0);
    udp_close(a);
    udp_close(b);
}

/* short ones that nobody joined: more buffers with each call that filled all, fewer after long runs
 */
static void test_adapts(void **state)
{
    static const uint16_t small[] = { 10 }, big[] = { 1440 };
    static const unsigned calls[] = { 8, 16, 32, 32, 32, 32, 16 };
    struct udp_opts plain = { .no_gso = true };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", &plain);
    struct udp *c = open_at("127.0.0.1", NULL);
    struct dgram d[270], in[UDP_PACK_MAX];

    (void)state;
    for (unsigned k = 0, left = 168; k < 7; k++) {
        if (k == 0) {
            make(d, left, a, small, 1, memory);
            assert_int_equal(udp_send(b, d, left), left);
        }
        assert_int_equal(take(a, in, UDP_PACK_MAX), calls[k]);
        assert_int_equal(udp_recv_pending(a), 0);
        assert_int_equal(udp_recv_more(a), k < 6);
    }
    for (unsigned k = 0; k < 6; k++) { /* 36 runs of 64 800 octets: the first call takes 32 */
        make(d, 270, a, big, 1, memory);
        assert_int_equal(udp_send(c, d, 270), 270);
    }
    assert_int_equal(take(a, in, 1), 1);
    assert_int_equal(udp_recv_pending(a), 32 * 45 - 1);
    while (udp_recv_pending(a))
        take(a, in, UDP_PACK_MAX);
    for (unsigned k = 0; k < 4; k++) {
        make(d, 270, a, big, 1, memory);
        assert_int_equal(udp_send(c, d, 270), 270);
    }
    for (unsigned k = 0; k < 3; k++) { /* 28 runs are left */
        static const unsigned runs[] = { 16, 8, 4 };
        assert_int_equal(take(a, in, 1), 1);
        assert_int_equal(udp_recv_pending(a), runs[k] * 45 - 1);
        while (udp_recv_pending(a))
            take(a, in, UDP_PACK_MAX);
    }
    udp_close(a);
    udp_close(b);
    udp_close(c);
}

/* a run of datagrams longer than wished for is dropped whole and counted one by one; its last may
 * be short, it goes as well */
static void test_too_long(void **state)
{
    static const uint16_t len[] = { 101, 101, 101, 100 }, fits[] = { 100 };
    struct udp_opts o = { .buf_len = 100 };
    struct udp *a = open_at("127.0.0.1", &o), *b = open_at("127.0.0.1", NULL);
    struct dgram d[4], in[4];

    (void)state;
    make(d, 4, a, len, 4, memory);
    assert_int_equal(udp_send(b, d, 4), 4);
    assert_int_equal(take(a, in, 4), 0);
    assert_int_equal(count(a, UDP_RX_TRUNCATED), 4);
    assert_int_equal(count(a, UDP_RX_DATAGRAMS), 0);
    make(d, 4, a, fits, 1, memory);
    assert_int_equal(udp_send(b, d, 4), 4);
    assert_int_equal(take(a, in, 4), 4);
    udp_close(a);
    udp_close(b);
}

/* ---- refusals ---- */

/* Every datagram arrives in order whatever is said against joining; what is left on afterwards. */
static void test_refused(void **state)
{
    static const struct {
        int err;
        unsigned refusals; /* of three runs */
        bool on;
    } rows[] = {
        { EIO, 1, false }, { EOPNOTSUPP, 1, false }, { EINVAL, 1, false }, { EMSGSIZE, 3, true }
    };
    static const uint16_t len[] = { 1440 };

    (void)state;
    for (int note = 0; note < 2; note++) {
        for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
            struct udp_opts o = { .note_refused = note };
            struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", &o);
            struct dgram d[135], want[135];

            print_message("row: %s\n", strerror(rows[r].err));
            make(d, 135, a, len, 1, memory);
            memcpy(want, d, sizeof(d));
            refuse_joined = rows[r].err;
            assert_int_equal(udp_send(b, d, 135), 135);
            assert_int_equal(count(b, UDP_TX_UNJOINED), rows[r].refusals);
            assert_int_equal(count(b, UDP_TX_DATAGRAMS), 135);
            assert_int_equal(udp_gso(b) > 0, rows[r].on);
            for (int s = UDP_TX_AGAIN; s < UDP_STAT_N; s++)
                assert_int_equal(count(b, (enum udp_stat)s), 0);
            expect(a, want, 135, 64);
            refuse_joined = 0;
            /* a minute later it is tried again */
            for (int late = 0; late < 3; late++) {
                uint64_t before = count(b, UDP_TX_MESSAGES);
                forward.tv_sec = late == 0 ? 0 : late == 1 ? 59 : 61;
                memcpy(d, want, sizeof(d));
                assert_int_equal(udp_send(b, d, 135), 135);
                assert_int_equal(count(b, UDP_TX_MESSAGES) - before,
                                 rows[r].on || late == 2 ? 3 : 135);
                expect(a, want, 135, 64);
            }
            forward.tv_sec = 0;
            udp_close(a);
            udp_close(b);
        }
    }
}

/* refused in the middle of a burst: what went before is not sent twice, other peers keep theirs */
static void test_refused_in_the_middle(void **state)
{
    static const uint16_t small[] = { 10, 20, 30 }, run[] = { 700 };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    struct udp *c = open_at("127.0.0.1", NULL);
    struct dgram d[43], want[40];

    (void)state;
    uint8_t *p = make(d, 3, a, small, 3, memory);
    p = make(d + 3, 20, a, run, 1, p);
    make(want, 20, c, run, 1, p);
    memcpy(d + 23, want, 20 * sizeof(*d));
    refuse_joined = EMSGSIZE;
    assert_int_equal(udp_send(b, d, 43), 43);
    make(want, 3, a, small, 3, memory);
    make(want + 3, 20, a, run, 1, want[2].p + 30);
    expect(a, want, 23, 64);
    make(want, 20, c, run, 1, p);
    expect(c, want, 20, 64);
    assert_int_equal(count(b, UDP_TX_UNJOINED), 2);
    assert_int_equal(count(b, UDP_TX_DATAGRAMS), 43);
    udp_close(a);
    udp_close(b);
    udp_close(c);
}

/* the address is wrong, not the joining (real kernel): counted one by one, joining stays on */
static void test_refused_for_another_reason(void **state)
{
    static const uint16_t len[] = { 700 };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("0.0.0.0", NULL);
    struct dgram d[20], want[20];

    (void)state;
    make(d, 20, a, len, 1, memory);
    memcpy(want, d, sizeof(d));
    for (int i = 0; i < 20; i++)
        d[i].local = ip("192.0.2.9");
    assert_int_equal(udp_send(b, d, 20), 20);
    assert_int_equal(count(b, UDP_TX_INVALID) + count(b, UDP_TX_UNREACH), 20);
    assert_true(udp_gso(b) > 0);
    refuse_joined = EPERM; /* a packet filter: no use in trying each */
    memcpy(d, want, sizeof(d));
    assert_int_equal(udp_send(b, d, 20), 20);
    assert_int_equal(count(b, UDP_TX_PERM), 20);
    assert_int_equal(count(b, UDP_TX_DATAGRAMS), 0);
    refuse_joined = 0;
    memcpy(d, want, sizeof(d));
    assert_int_equal(udp_send(b, d, 20), 20);
    assert_int_equal(count(b, UDP_TX_MESSAGES), 1);
    expect(a, want, 20, 64);
    udp_close(a);
    udp_close(b);
}

/* what is switched off, or unknown to the kernel, is not used */
static void test_switches(void **state)
{
    static const struct {
        const char *name, *env;
        struct udp_opts o;
        bool old, few, gro;
        unsigned gso; /* at the most */
    } rows[] = {
        { "all", NULL, { 0 }, false, false, true, 128 },
        { "env all", "on", { 0 }, false, false, true, 128 },
        { "env off", "off", { 0 }, false, false, false, 0 },
        { "env gro", "gro", { 0 }, false, false, true, 0 },
        { "env gso", "gso", { 0 }, false, false, false, 128 },
        { "no_gro", NULL, { .no_gro = true }, false, false, false, 128 },
        { "no_gso", NULL, { .no_gso = true }, false, false, true, 0 },
        { "env does not switch on", "gro", { .no_gro = true }, false, false, false, 0 },
        { "old kernel", NULL, { 0 }, true, false, false, 0 },
        { "64 segments", NULL, { 0 }, false, true, true, 64 },
    };
    static const uint16_t len[] = { 100 };

    (void)state;
    for (size_t r = 0; r < sizeof(rows) / sizeof(rows[0]); r++) {
        struct udp *a = open_at("127.0.0.1", NULL), *b;
        struct dgram d[100], want[100];

        print_message("row: %s\n", rows[r].name);
        if (rows[r].env)
            setenv("SIXTAP_UDP_OFFLOAD", rows[r].env, 1);
        old_kernel = rows[r].old;
        few_segments = rows[r].few;
        b = open_at("127.0.0.1", &rows[r].o);
        reset(NULL);
        assert_int_equal(udp_gro(b), rows[r].gro);
        assert_true(udp_gso(b) <= rows[r].gso && (udp_gso(b) > 0) == (rows[r].gso > 0));
        make(d, 100, b, len, 1, memory);
        memcpy(want, d, sizeof(d));
        assert_int_equal(udp_send(a, d, 100), 100);
        expect(b, want, 100, 64);
        assert_int_equal(count(b, UDP_RX_MESSAGES) < 100, rows[r].gro);
        make(d, 100, a, len, 1, memory);
        assert_int_equal(udp_send(b, d, 100), 100);
        assert_int_equal(count(b, UDP_TX_MESSAGES) < 100, rows[r].gso > 0);
        expect(a, want, 100, 64);
        udp_close(a);
        udp_close(b);
    }
}

/* ---- the backlog ---- */

/* runs wait in one piece and leave as one message */
static void test_backlog_joins(void **state)
{
    static const uint16_t len[] = { 1440 };
    static const int none[] = { -EAGAIN, 0 }, one[] = { 1, -EAGAIN, 0 };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    struct dgram d[90], want[90];

    (void)state;
    make(d, 90, a, len, 1, memory);
    memcpy(want, d, sizeof(d));
    steps = none;
    for (unsigned i = 0; i < 90; i += 9) /* as many small bursts */
        udp_queue(b, d + i, 9);
    assert_int_equal(udp_backlog(b), 90);
    memset(memory, 0, 90 * 1440); /* the caller's buffers are free again */
    steps = one;
    assert_int_equal(udp_flush(b), 45);
    steps = NULL;
    assert_int_equal(udp_flush(b), 0);
    assert_int_equal(count(b, UDP_TX_MESSAGES), 2);
    memcpy(memory, reference, 90 * 1440);
    expect(a, want, 90, 64);
    udp_close(a);
    udp_close(b);
}

/* it never empties: what waits moves on, nothing is lost, mixed up or out of order */
static void test_backlog_never_empty(void **state)
{
    static const uint16_t len[] = { 1440 };
    static const int one[] = { 1, -EAGAIN, 0 }, none[] = { -EAGAIN, 0 };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    static struct dgram d[45], want[45 * 60];
    unsigned seen = 0;

    (void)state;
    make(want, 45 * 60, a, len, 1, memory);
    steps = none;
    for (unsigned k = 0; k < 60; k++) { /* 3.8 MB through a backlog of 1 MiB */
        memcpy(d, want + (size_t)45 * k, sizeof(d));
        udp_queue(b, d, 45);
        if (k < 5)
            continue;
        steps = one;
        assert_int_equal(udp_flush(b), 225);
        expect(a, want + seen, 45, 64);
        seen += 45;
    }
    steps = NULL;
    assert_int_equal(udp_flush(b), 0);
    expect(a, want + seen, 45 * 60 - seen, 64);
    assert_int_equal(count(b, UDP_TX_BACKLOG_FULL), 0);
    udp_close(a);
    udp_close(b);
}

/* bounded in octets, too */
static void test_backlog_octets(void **state)
{
    static const uint16_t len[] = { 9000 };
    static const int none[] = { -EAGAIN, 0 };
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    struct dgram d[130];

    (void)state;
    make(d, 130, a, len, 1, memory);
    steps = none;
    assert_int_equal(udp_queue(b, d, 130), 116); /* 1 MiB / 9 000 */
    assert_int_equal(count(b, UDP_TX_BACKLOG_FULL), 14);
    udp_close(a);
    udp_close(b);
}

/* ---- an MTU smaller than the segments (last: this process stays in a namespace) ---- */

static bool set_lo(short mtu)
{
    struct ifreq ifr = { .ifr_name = "lo" };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool ok;

    ifr.ifr_mtu = mtu;
    ok = ioctl(fd, SIOCSIFMTU, &ifr) == 0;
    ifr.ifr_flags = IFF_UP;
    ok = ok && ioctl(fd, SIOCSIFFLAGS, &ifr) == 0;
    close(fd);
    return ok;
}

static void test_mtu(void **state)
{
    static const uint16_t fits[] = { 1272 }, too_long[] = { 1273 };
    struct dgram d[20], want[20];

    (void)state;
    if (!netns_enter())
        skip();
    assert_true(set_lo(1300));
    struct udp *a = open_at("127.0.0.1", NULL), *b = open_at("127.0.0.1", NULL);
    make(d, 20, a, too_long, 1, memory);
    assert_int_equal(udp_send(b, d, 20), 20);
    assert_int_equal(count(b, UDP_TX_MSGSIZE), 20);
    assert_int_equal(count(b, UDP_TX_UNJOINED), 1);
    expect_silence(a);
    make(d, 20, a, fits, 1, memory);
    memcpy(want, d, sizeof(d));
    assert_int_equal(udp_send(b, d, 20), 20);
    assert_int_equal(count(b, UDP_TX_MESSAGES), 1);
    expect(a, want, 20, 64);
    make(d, 20, a, too_long, 1, memory);
    for (int i = 0; i < 20; i++)
        d[i].flags = DGRAM_MAY_FRAGMENT;
    memcpy(want, d, sizeof(d));
    assert_int_equal(udp_send(b, d, 20), 20);
    assert_int_equal(count(b, UDP_TX_MESSAGES), 21);
    expect(a, want, 20, 64);
    udp_close(a);
    udp_close(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_patterns, reset),
        cmocka_unit_test_setup(test_random, reset),
        cmocka_unit_test_setup(test_addresses_and_tos, reset),
        cmocka_unit_test_setup(test_buffers_stay, reset),
        cmocka_unit_test_setup(test_adapts, reset),
        cmocka_unit_test_setup(test_too_long, reset),
        cmocka_unit_test_setup(test_refused, reset),
        cmocka_unit_test_setup(test_refused_in_the_middle, reset),
        cmocka_unit_test_setup(test_refused_for_another_reason, reset),
        cmocka_unit_test_setup(test_switches, reset),
        cmocka_unit_test_setup(test_backlog_joins, reset),
        cmocka_unit_test_setup(test_backlog_never_empty, reset),
        cmocka_unit_test_setup(test_backlog_octets, reset),
        cmocka_unit_test_setup(test_mtu, reset),
    };
    srandom(64);
    fill_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
