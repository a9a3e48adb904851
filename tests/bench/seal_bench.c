/* SPDX-License-Identifier: MIT */
/* seal_bench.c - what sealing and opening a packet costs, with each provider
 *
 * DOC: one round does PACKETS packets of every row, the rows one after the other, so that whatever
 * else the machine does hits all alike. Shown per row over all rounds: least, median, and how far
 * the upper quartile lies above the median (%). On a machine that others load the least is the
 * cost, the median what one gets. Packets lie in 64 buffers that stay in the cache, as a burst just
 * received does; sealed in place, opened in place.
 *
 *   seal_bench [ROUNDS]     default 101
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/host/crypto.h"
#include "proto/host/ipsecmb.h"
#include "proto/seal_cache.h"
#include "proto/seal_parts.h"

#define PACKETS    256u /* a round of a row */
#define BURST      64u
#define ROUNDS_MAX 1000u
#define SIZES      4u
#define PROVIDERS  2u
#define CIPHERS    2u
#define PACKET_MAX 9088u

static const uint32_t sizes[SIZES] = { 64, 576, 1400, 9000 };
static const enum cipher ciphers[CIPHERS] = { CIPHER_AES256GCM, CIPHER_CHACHA20POLY1305 };
struct row {
    const struct aead_provider *by; /* NULL: not on this machine */
    uint32_t len;
    double ns[2][ROUNDS_MAX]; /* seal, open */
};

static struct row rows[CIPHERS][PROVIDERS][SIZES];
static double expand_ns[CIPHERS][PROVIDERS][ROUNDS_MAX];
static uint8_t packet[BURST][PACKET_MAX];

static double now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (double)ts.tv_sec * 1e9 + (double)ts.tv_nsec;
}

static void use(const struct aead_provider *p)
{
    seal_provider_set(NULL);
    if (p != seal_sodium(p->cipher) && !seal_provider_set(p)) {
        fprintf(stderr, "%s failed its test\n", p->name);
        exit(1);
    }
}

static void measure_expand(enum cipher c, const uint8_t *raw, double *ret)
{
    struct seal_key k;
    double t = now_ns();

    for (unsigned i = 0; i < PACKETS; i++)
        seal_key_init(&k, c, raw);
    *ret = (now_ns() - t) / PACKETS;
    seal_key_wipe(&k);
}

static void measure(struct row *r, const struct seal_key *k, unsigned round)
{
    struct seal_op op[BURST];
    size_t n_open = 0;

    for (unsigned i = 0; i < BURST; i++) {
        uint8_t *p = packet[i];
        wire_put_data(p, KIND_HOST, 7, i);
        op[i] = (struct seal_op){
            .hdr = p, .src = p + DATA_HDR_LEN, .dst = p + DATA_HDR_LEN, .len = r->len
        };
    }
    seal_run(k, op, BURST); /* warm, and the first that is opened */
    r->ns[0][round] = r->ns[1][round] = 0;
    for (unsigned i = 0; i < PACKETS / BURST; i++) {
        double t = now_ns();
        n_open += open_run(k, op, BURST);
        double u = now_ns();
        seal_run(k, op, BURST);
        r->ns[0][round] += (now_ns() - u) / PACKETS;
        r->ns[1][round] += (u - t) / PACKETS;
    }
    if (n_open != PACKETS) {
        fprintf(stderr, "a packet did not open\n");
        exit(1);
    }
}

static int by_size(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static void show(double *ns, unsigned n)
{
    qsort(ns, n, sizeof(*ns), by_size);
    printf(" %6.0f | %6.0f | %3.0f |", ns[0], ns[n / 2], (ns[n * 3 / 4] / ns[n / 2] - 1) * 100);
}

static void report(unsigned n)
{
    printf("| cipher | provider | octets | seal min ns | median | +%% | open min ns | median | +%% "
           "|\n|---|---|---|---|---|---|---|---|---|\n");
    for (unsigned c = 0; c < CIPHERS; c++) {
        for (unsigned p = 0; p < PROVIDERS; p++) {
            for (unsigned s = 0; s < SIZES && rows[c][p][s].by; s++) {
                struct row *r = &rows[c][p][s];
                printf("| %s | %s | %u |", cipher_name(ciphers[c]), r->by->name, r->len);
                for (unsigned d = 0; d < 2; d++)
                    show(r->ns[d], n);
                printf("\n");
            }
        }
    }
    printf("\n| cipher | provider | expand a key min ns | median | +%% |\n|---|---|---|---|---|\n");
    for (unsigned c = 0; c < CIPHERS; c++) {
        for (unsigned p = 0; p < PROVIDERS && rows[c][p][0].by; p++) {
            printf("| %s | %s |", cipher_name(ciphers[c]), rows[c][p][0].by->name);
            show(expand_ns[c][p], n);
            printf("\n");
        }
    }
}

int main(int argc, char **argv)
{
    static const struct crypto_use through = { seal_provider_set, seal_provider_name };
    unsigned n = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 101;
    static struct seal_key keys[CIPHERS][PROVIDERS];
    uint8_t raw[KEY_LEN];

    if (n < 1 || n > ROUNDS_MAX || crypto_init(&through) != 0)
        return 64;
    randombytes_buf(raw, sizeof(raw));
    for (unsigned c = 0; c < CIPHERS; c++) {
        const struct aead_provider *by[PROVIDERS] = { seal_sodium(ciphers[c]),
                                                      ipsecmb_provider(ciphers[c]) };
        for (unsigned p = 0; p < PROVIDERS && by[p]; p++) {
            use(by[p]);
            seal_key_init(&keys[c][p], ciphers[c], raw);
            for (unsigned i = 0; i < n; i++)
                measure_expand(ciphers[c], raw, &expand_ns[c][p][i]);
            for (unsigned s = 0; s < SIZES; s++) {
                rows[c][p][s].by = by[p];
                rows[c][p][s].len = sizes[s];
            }
        }
    }
    for (unsigned i = 0; i < n; i++) {
        for (unsigned s = 0; s < SIZES; s++) {
            for (unsigned c = 0; c < CIPHERS; c++) {
                for (unsigned p = 0; p < PROVIDERS && rows[c][p][s].by; p++)
                    measure(&rows[c][p][s], &keys[c][p], i);
            }
        }
    }
    report(n);
    return 0;
}
