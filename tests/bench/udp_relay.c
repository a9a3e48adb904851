/* SPDX-License-Identifier: MIT */
/* udp_relay.c - what a datagram costs between two sockets: nanoseconds through proto/host/udp.h
 *
 * DOC: over the loopback. A batch is put into the relay's socket, then the time is taken while the
 * relay receives it, turns each descriptor to its destination and sends it on from the receive
 * buffer, as the router's io.c does; then the destinations are emptied. The figure is the thread's
 * CPU time, which other work on the machine disturbs little: two system calls, two copies, and the
 * kernel's way into the destination's socket. Feed "joined": what comes in was sent in runs, as
 * from a client on a path that carries them; "single": MTU-sized packets that nobody has joined.
 *
 *   udp_relay [ROUNDS]     all rows, the four modes interleaved; medians of ROUNDS (default 9)
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/host/udp.h"
#include "proto/limits.h"
#include "proto/timers.h"

#define ROUNDS_MAX 64u
#define PEERS_MAX  64u
#define BATCH_MAX  720u
#define LOOPBACK   0x7f000001u

enum { MODES = 4 };
static const char *const mode_name[MODES] = { "neither", "GRO", "GSO", "both" };

struct row {
    const char *feed;
    bool joined;
    uint16_t len;
    unsigned peers, run; /* @run datagrams of one peer, then the next */
    unsigned batch, cycles;
};

static const struct row rows[] = {
    { "joined", true, 1400, 1, 1, 720, 20 },        { "joined", true, 130, 1, 1, 720, 20 },
    { "joined", true, 1400, 16, 45, 720, 20 },      { "single", false, 1400, 1, 1, 720, 20 },
    { "single", false, 130, 1, 1, 720, 20 },        { "single", false, 130, 64, 1, 704, 20 },
    { "one at a time", false, 130, 1, 1, 1, 2000 },
};

struct relay {
    struct udp *u;
    struct udp *src[PEERS_MAX], *dst[PEERS_MAX];
    struct dgram out[4 * BATCH_MAX];
};

static mono_ns reading_costs; /* of one cpu_now() */

static mono_ns cpu_now(void)
{
    struct timespec ts = { 0 };

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &ts);
    return (mono_ns)ts.tv_sec * NS_PER_S + (mono_ns)ts.tv_nsec;
}

static uint8_t text[BATCH_MAX * 1400];

static struct udp *open_or_die(bool gro, bool gso)
{
    struct udp_opts o = { .no_gro = !gro, .no_gso = !gso };
    struct udp *u;

    if (udp_open(&u, (struct endpoint){ .ip = be32_of(LOOPBACK) }, &o) == 0)
        return u;
    fprintf(stderr, "cannot open a socket on 127.0.0.1\n");
    exit(1);
}

static struct endpoint where(const struct udp *u)
{
    return (struct endpoint){ be32_of(LOOPBACK), be16_of(udp_local_port(u)) };
}

static void open_all(struct relay *r, const struct row *row, unsigned mode)
{
    r->u = open_or_die(mode & 1, mode & 2);
    for (unsigned i = 0; i < row->peers; i++) {
        r->src[i] = open_or_die(true, row->joined);
        r->dst[i] = open_or_die(true, true);
    }
}

static void close_all(struct relay *r, const struct row *row)
{
    udp_close(r->u);
    for (unsigned i = 0; i < row->peers; i++) {
        udp_close(r->src[i]);
        udp_close(r->dst[i]);
    }
}

static void feed(struct relay *r, const struct row *row)
{
    /* of one peer: the whole batch in one call */
    unsigned run = row->peers == 1 ? row->batch : row->run, peer = 0;

    for (unsigned i = 0; i < row->batch; i += run) {
        struct dgram d[BATCH_MAX];
        for (unsigned k = 0; k < run; k++)
            d[k] = (struct dgram){ .peer = where(r->u),
                                   .len = row->len,
                                   .p = text + (size_t)k * row->len };
        udp_send(r->src[peer], d, run);
        peer = peer + 1 < row->peers ? peer + 1 : 0;
    }
}

static struct endpoint next_hop(const struct relay *r, const struct row *row, struct endpoint from)
{
    for (unsigned i = 0; i + 1 < row->peers; i++)
        if (be16_get(from.port) == udp_local_port(r->src[i]))
            return where(r->dst[i]);
    return where(r->dst[row->peers - 1]);
}

/* As io.c: slices into out, one flush per call of the kernel. Return: datagrams relayed */
static unsigned relay(struct relay *r, const struct row *row)
{
    unsigned total = 0;

    for (;;) {
        unsigned n_out = 0, n;
        do {
            n = udp_recv(r->u, r->out + n_out, BURST_MAX);
            for (unsigned i = n_out; i < n_out + n; i++)
                r->out[i].peer = next_hop(r, row, r->out[i].peer);
            n_out += n;
        } while (udp_recv_pending(r->u) && n_out + BURST_MAX <= 4 * BATCH_MAX);
        udp_queue(r->u, r->out, n_out);
        total += n_out;
        if (n_out == 0 || !udp_recv_more(r->u))
            return total;
    }
}

static unsigned drain(struct relay *r, const struct row *row)
{
    struct dgram d[BATCH_MAX];
    unsigned total = 0, n;

    for (unsigned i = 0; i < row->peers; i++)
        while ((n = udp_recv(r->dst[i], d, BATCH_MAX)) > 0)
            total += n;
    return total;
}

/* Return: ns per datagram */
static double measure(struct relay *r, const struct row *row, double *ret_msgs)
{
    mono_ns spent = 0;
    unsigned lost = 0;

    for (unsigned c = 0; c < row->cycles; c++) {
        feed(r, row);
        mono_ns start = cpu_now();
        unsigned n = relay(r, row);
        spent += cpu_now() - start - reading_costs;
        lost += row->batch - n + (n - drain(r, row));
    }
    if (lost)
        fprintf(stderr, "%u datagrams lost: the figures mean nothing\n", lost);
    const struct udp_stats *s = udp_stats(r->u);
    *ret_msgs =
        (double)(s->n[UDP_RX_MESSAGES] + s->n[UDP_TX_MESSAGES]) / (double)s->n[UDP_TX_DATAGRAMS];
    return (double)spent / row->cycles / row->batch;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static void one_row(const struct row *row, unsigned rounds)
{
    static struct relay r;
    double ns[MODES][ROUNDS_MAX], msgs[MODES];

    for (unsigned round = 0; round < rounds; round++) {
        for (unsigned k = 0; k < MODES; k++) {
            unsigned mode = (k + round) % MODES;
            open_all(&r, row, mode);
            feed(&r, row); /* pages touched, routes looked up */
            relay(&r, row);
            drain(&r, row);
            ns[mode][round] = measure(&r, row, &msgs[mode]);
            close_all(&r, row);
        }
    }
    printf("| %s | %u | %u |", row->feed, row->len, row->peers);
    for (unsigned m = 0; m < MODES; m++) {
        qsort(ns[m], rounds, sizeof(ns[m][0]), by_value);
        printf(" %.0f (%.0f–%.0f) |", ns[m][rounds / 2], ns[m][0], ns[m][rounds - 1]);
    }
    printf(" %.3f |\n", msgs[MODES - 1]);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 9;

    if (rounds == 0 || rounds > ROUNDS_MAX) {
        fprintf(stderr, "usage: udp_relay [ROUNDS]   1 to %u\n", ROUNDS_MAX);
        return 64;
    }
    mono_ns start = cpu_now();
    for (unsigned i = 0; i < 1000; i++)
        (void)cpu_now();
    reading_costs = (cpu_now() - start) / 1001;
    printf("| feed | octets | peers |");
    for (unsigned m = 0; m < MODES; m++)
        printf(" %s |", mode_name[m]);
    printf(" messages per datagram, both |\n|---|---|---|---|---|---|---|---|\n");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        one_row(&rows[i], rounds);
    return 0;
}
