/* SPDX-License-Identifier: MIT */
/* test_udp_shun.c - what the kernel is to drop unread, and nothing else (H53): sockets on 127.0.0.1
 *
 * setsockopt() is replaced at link time, for a kernel that takes no filters.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/udp.h"

#define WAIT_MS 5000
#define LEN_MAX 64u
#define MANY    200

static int no_filters; /* errno of SO_ATTACH_FILTER; 0: the real one */

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
    if (no_filters && level == SOL_SOCKET && name == SO_ATTACH_FILTER) {
        errno = no_filters;
        return -1;
    }
    return (int)syscall(SYS_setsockopt, fd, level, name, value, len);
}

static struct udp *to, *from;
static const struct udp_opts plain = { .no_gro = true, .no_gso = true };

static struct endpoint home(uint16_t port)
{
    return (struct endpoint){ { { 127, 0, 0, 1 } }, be16_of(port) };
}

static void open_two(const struct udp_opts *o)
{
    assert_int_equal(udp_open(&to, home(0), o), 0);
    assert_int_equal(udp_open(&from, home(0), o), 0);
}

static void close_two(void)
{
    udp_close(to);
    udp_close(from);
}

static uint64_t count(enum udp_stat s)
{
    return udp_stats(to)->n[s];
}

static struct dgram dgram(uint8_t *p, size_t len)
{
    return (struct dgram){ .peer = home(udp_local_port(to)), .p = p, .len = (uint16_t)len };
}

/* Which datagrams come, by their last octet (below @cap), until one that ends in 0xff; how many. */
static unsigned arrivals(bool *ret, unsigned cap)
{
    static uint8_t last[] = { 0xff, 0xff, 0xff };
    struct dgram end = dgram(last, sizeof(last)), in[UDP_BURST];
    unsigned n_in = 0;

    memset(ret, 0, cap * sizeof(*ret));
    assert_int_equal(udp_send(from, &end, 1), 1);
    for (;;) {
        struct pollfd p = { .fd = udp_fd(to), .events = POLLIN };
        if (udp_recv_pending(to) == 0)
            assert_int_equal(poll(&p, 1, WAIT_MS), 1);
        unsigned n = udp_recv(to, in, UDP_BURST);
        for (unsigned i = 0; i < n; i++) {
            uint8_t k = in[i].p[in[i].len - 1];
            if (k == 0xff)
                return n_in;
            assert_true(k < cap);
            ret[k] = true;
            n_in++;
        }
    }
}

static const struct udp_start starts[] = {
    { { 4, 1, 3, 0, 0x12, 0x34, 0x56, 0x78 } },
    { { 4, 1, 2, 0, 0x12, 0x34, 0x56, 0x78 } },
    { { 0xff, 0xfe, 0xfd, 0xfc, 0xfb, 0xfa, 0xf9, 0xf8 } },
};

/* One octet of what is shunned is another, or there are too few; the last octet names the row. */
static void H53_rows(void **state)
{
    static const struct {
        const char *name;
        unsigned like, len;
        int other; /* octet that differs, -1: none */
        bool shunned;
    } rows[] = {
        { "the first", 0, 40, -1, true },
        { "the second", 1, 40, -1, true },
        { "all bits set", 2, 40, -1, true },
        { "no longer than what is compared, and the number", 0, 9, -1, true },
        { "octet 0", 0, 40, 0, false },
        { "octet 1", 0, 40, 1, false },
        { "octet 2: no kind of these", 0, 40, 2, false },
        { "octet 3", 0, 40, 3, false },
        { "octet 4", 0, 40, 4, false },
        { "octet 5", 1, 40, 5, false },
        { "octet 6", 1, 40, 6, false },
        { "octet 7", 2, 40, 7, false },
        { "octet 8 is not compared", 2, 40, 8, true },
        { "the last octet of those is missing", 0, 7, -1, false },
        { "one octet", 0, 1, -1, false },
    };
    enum { ROWS = sizeof(rows) / sizeof(rows[0]) };
    uint8_t text[ROWS][LEN_MAX];
    struct dgram d[ROWS];
    bool came[ROWS];
    unsigned n_shunned = 0;

    (void)state;
    open_two(&plain);
    assert_int_equal(udp_shun(to, starts, 3), 0);
    for (unsigned i = 0; i < ROWS; i++) {
        memset(text[i], 0, LEN_MAX);
        memcpy(text[i], starts[rows[i].like].octet, UDP_START_LEN);
        if (rows[i].other >= 0)
            text[i][rows[i].other] ^= 0x40;
        text[i][rows[i].len - 1] = (uint8_t)i;
        d[i] = dgram(text[i], rows[i].len);
        n_shunned += rows[i].shunned;
    }
    assert_int_equal(udp_send(from, d, ROWS), ROWS);
    assert_int_equal(arrivals(came, ROWS), ROWS - n_shunned);
    for (unsigned i = 0; i < ROWS; i++) {
        if (came[i] == rows[i].shunned)
            fail_msg("%s: %s", rows[i].name, came[i] ? "came" : "was shunned");
    }
    assert_int_equal(count(UDP_RX_SHUNNED), n_shunned);
    assert_int_equal(count(UDP_RX_KERNEL_DROPS), 0);
    close_two();
}

static uint32_t next_random(uint32_t *x)
{
    *x ^= *x << 13;
    *x ^= *x >> 17;
    return *x ^= *x << 5;
}

/* Random lists, 0 to UDP_SHUN_MAX long, beside a loop that compares. */
static void H53_random_lists(void **state)
{
    enum { ROUNDS = 60, PER_ROUND = 100 };
    static uint8_t text[PER_ROUND][LEN_MAX];
    struct dgram d[PER_ROUND];
    bool came[PER_ROUND];
    uint32_t x = 2463534242u;
    uint64_t all = 0;

    (void)state;
    open_two(&plain);
    for (unsigned round = 0; round < ROUNDS; round++) {
        struct udp_start list[UDP_SHUN_MAX];
        unsigned n = next_random(&x) % (UDP_SHUN_MAX + 1), shunned = 0;
        bool want[PER_ROUND] = { false };

        if (round % 10 == 0)
            n = UDP_SHUN_MAX;
        for (unsigned i = 0; i < n; i++) {
            for (unsigned k = 0; k < UDP_START_LEN; k++) /* few values: many are nearly the same */
                list[i].octet[k] = next_random(&x) % 2 ? 0 : 0x80;
        }
        assert_int_equal(udp_shun(to, list, n), 0);
        for (unsigned i = 0; i < PER_ROUND; i++) {
            memset(text[i], 0, LEN_MAX);
            for (unsigned k = 0; k < UDP_START_LEN; k++)
                text[i][k] = next_random(&x) % 2 ? 0 : 0x80;
            if (n && i % 3 == 0)
                memcpy(text[i], list[next_random(&x) % n].octet, UDP_START_LEN);
            for (unsigned k = 0; k < n; k++)
                want[i] = want[i] || memcmp(text[i], list[k].octet, UDP_START_LEN) == 0;
            text[i][20] = (uint8_t)i;
            d[i] = dgram(text[i], 21);
            shunned += want[i];
        }
        assert_int_equal(udp_send(from, d, PER_ROUND), PER_ROUND);
        assert_int_equal(arrivals(came, PER_ROUND), PER_ROUND - shunned);
        for (unsigned i = 0; i < PER_ROUND; i++)
            assert_int_equal(came[i], !want[i]);
        all += shunned;
        assert_int_equal(count(UDP_RX_SHUNNED), all);
    }
    assert_true(all > 1000);
    assert_int_equal(count(UDP_RX_KERNEL_DROPS), 0);
    close_two();
}

/* It ends: what was shunned arrives again, and what the buffer has no room for is counted apart. */
static void H53_it_ends(void **state)
{
    struct udp_opts o = { .rcvbuf = 1, .no_gro = true, .no_gso = true };
    static uint8_t text[1000];
    struct dgram d[MANY], in[UDP_BURST];
    bool came[1];
    unsigned got = 0, n;

    (void)state;
    open_two(&o);
    memcpy(text, starts[0].octet, UDP_START_LEN);
    assert_int_equal(udp_shun(to, NULL, 0), 0); /* none was */
    assert_int_equal(udp_shun(to, starts, 1), 0);
    for (unsigned i = 0; i < MANY; i++)
        d[i] = dgram(text, sizeof(text));
    assert_int_equal(udp_send(from, d, MANY), MANY);
    assert_int_equal(udp_recv(to, in, UDP_BURST), 0);
    assert_int_equal(udp_shun(to, NULL, 0), 0);
    assert_int_equal(udp_send(from, d, MANY), MANY);
    while ((n = udp_recv(to, in, UDP_BURST)) > 0)
        got += n;
    assert_in_range(got, 1, MANY - 1);
    assert_int_equal(arrivals(came, 1), 0);
    assert_int_equal(count(UDP_RX_SHUNNED), MANY);
    assert_int_equal(count(UDP_RX_KERNEL_DROPS), MANY - got);
    close_two();
}

/* Of a run in one piece the first datagram decides, and it counts once. */
static void H53_runs(void **state)
{
    uint8_t text[2][2][LEN_MAX] = { { { 0 } } };
    bool came[4];

    (void)state;
    open_two(NULL);
    if (!udp_gro(to) || udp_gso(from) == 0) {
        close_two();
        skip();
    }
    assert_int_equal(udp_shun(to, starts, 1), 0);
    memcpy(text[0][0], starts[0].octet, UDP_START_LEN); /* before another */
    memcpy(text[1][1], starts[0].octet, UDP_START_LEN); /* behind another */
    for (unsigned run = 0; run < 2; run++) {
        struct dgram d[2];
        for (unsigned i = 0; i < 2; i++) {
            text[run][i][LEN_MAX - 1] = (uint8_t)(2 * run + i);
            d[i] = dgram(text[run][i], LEN_MAX);
        }
        assert_int_equal(udp_send(from, d, 2), 2);
    }
    assert_int_equal(arrivals(came, 4), 2);
    assert_true(came[2] && came[3]);
    assert_int_equal(count(UDP_RX_SHUNNED), 1);
    close_two();
}

/* A kernel that takes no filter: everything is received, also what was shunned before. */
static void H53_no_filters(void **state)
{
    uint8_t text[LEN_MAX] = { 0 };
    bool came[1];

    (void)state;
    for (unsigned before = 0; before < 2; before++) {
        open_two(&plain);
        if (before)
            assert_int_equal(udp_shun(to, starts, 1), 0);
        no_filters = ENOMEM;
        assert_int_equal(udp_shun(to, starts, 2), -ENOMEM);
        memcpy(text, starts[0].octet, UDP_START_LEN);
        struct dgram d = dgram(text, sizeof(text));
        assert_int_equal(udp_send(from, &d, 1), 1);
        assert_int_equal(arrivals(came, 1), 1);
        assert_int_equal(udp_shun(to, NULL, 0), 0);
        no_filters = 0;
        close_two();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(H53_rows),       cmocka_unit_test(H53_random_lists),
        cmocka_unit_test(H53_it_ends),    cmocka_unit_test(H53_runs),
        cmocka_unit_test(H53_no_filters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
