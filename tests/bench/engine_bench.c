/* SPDX-License-Identifier: MIT */
/* engine_bench.c - what the router's engine costs without sockets: nanoseconds and octets copied
 * per packet
 *
 * DOC: members are put into the tables directly, packets are sealed by their clients' keys outside
 * the measured time, and only router_engine_udp() is timed. `run` packets in a row come from one
 * member to one other, as UDP_GRO delivers them; run 1 is the worst case, where each packet touches
 * two members nobody has touched lately. Octets copied are those the engine took from its arena.
 *
 *   engine_bench [ROUNDS]      all rows, interleaved; median, least and greatest of ROUNDS (default
 * 7)
 */
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "proto/host/ipsecmb.h"
#include "proto/nd.h"
#include "router/state.h"

#define BATCH      64u
#define BATCHES    256u
#define BUF        2048u
#define ROUNDS_MAX 64u

struct peer { /* a client, as far as its keys go */
    struct keyset keys;
    struct member *m;
    struct ip6 addr;
};

struct bench {
    struct router_config conf;
    struct router_engine *re;
    void *mem;
    struct peer *peer;
    unsigned n;
    struct entropy e;
    uint8_t *buf;
    struct out out;
    mono_ns now;
    uint64_t rnd;
};

static uint64_t next_random(struct bench *b)
{
    b->rnd ^= b->rnd << 13;
    b->rnd ^= b->rnd >> 7;
    b->rnd ^= b->rnd << 17;
    return b->rnd;
}

static uint64_t ns_now(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

static void *need(void *p)
{
    if (!p) {
        fprintf(stderr, "out of memory\n");
        exit(1);
    }
    return p;
}

static void add_member(struct bench *b, unsigned i)
{
    struct members *ms = &b->re->ms;
    struct session_keys up;
    struct keypair kp;
    uint8_t key[KEY_LEN];

    randombytes_buf(key, sizeof(key));
    randombytes_buf(&up, sizeof(up));
    struct endpoint ep = { .ip = be32_of(0x0a000000u + i), .port = be16_of(5000) };
    struct member *m = need(member_new(ms, key, mac_of_endpoint(ep), b->conf.prefix, b->now));
    uint32_t index = index_new(ms, INDEX_MEMBER, member_slot(ms, m), (uint32_t)next_random(b));
    struct session_keys down = { 0 };
    memcpy(down.tx, up.rx, KEY_LEN);
    memcpy(down.rx, up.tx, KEY_LEN);

    m->client = SLOT_ABSENT;
    m->ep = ep;
    m->proven = true;
    m->mtu = INNER_MTU_DEFAULT;
    m->next_ra = NEVER;
    keypair_init(&kp, seal_supported(CIPHER_AES256GCM) ? CIPHER_AES256GCM : CIPHER_CHACHA20POLY1305,
                 &down, index, i, b->now);
    keyset_install(&m->keys, &kp, b->now, 0);
    keyset_promote(&m->keys, b->now);
    member_sync_indices(ms, m, index);
    struct peer *p = &b->peer[i];
    p->m = m;
    if (!bindings_stable(&b->re->b, SLOT_ABSENT, key, &p->addr) ||
        !bindings_assign(&b->re->b, m, p->addr, b->now)) {
        fprintf(stderr, "no address for member %u\n", i);
        exit(1);
    }
    keyset_init(&p->keys,
                ROLE_INITIATOR); /* no cache: clients' keys stay out of the router's way */
    keypair_init(&kp, (enum cipher)m->keys.current.cipher, &up, i, index, b->now);
    keyset_install(&p->keys, &kp, b->now, 0);
    keyset_promote(&p->keys, b->now);
}

static void bench_open(struct bench *b, unsigned n)
{
    memset(b, 0, sizeof(*b));
    b->n = n;
    b->rnd = 88172645463325252u;
    b->now = time_s(1000);
    randombytes_buf(&b->e, sizeof(b->e));
    router_config_defaults(&b->conf);
    randombytes_buf(b->conf.private_key, KEY_LEN);
    b->conf.listen = b->conf.public_ep =
        (struct endpoint){ .ip = { { 198, 18, 0, 1 } }, .port = be16_of(6464) };
    b->conf.max_members = n < 64 ? 64 : n;
    b->conf.access = ACCESS_OPEN;
    b->conf.everyone = true;
    b->conf.logins_per_s = 1000000;
    router_config_finish(&b->conf);
    size_t len = (router_engine_bytes(&b->conf) + 63) & ~(size_t)63;
    b->mem = need(aligned_alloc(64, len));
    memset(b->mem, 0, len);
    b->re = router_engine_init(b->mem, &b->conf, b->now, &b->e);
    b->peer = need(aligned_alloc(64, (n * sizeof(*b->peer) + 63) & ~(size_t)63));
    for (unsigned i = 0; i < n; i++)
        add_member(b, i);
    b->buf = need(aligned_alloc(64, BATCH * BUF));
    b->out.cap_dg = b->out.cap_pk = 512;
    b->out.dg = need(calloc(b->out.cap_dg, sizeof(*b->out.dg)));
    b->out.pk = need(calloc(b->out.cap_pk, sizeof(*b->out.pk)));
    b->out.arena_len = ROUTER_ARENA;
    b->out.arena = need(aligned_alloc(64, ROUTER_ARENA));
}

static void bench_close(struct bench *b)
{
    router_config_free(&b->conf);
    free(b->mem);
    free(b->peer);
    free(b->buf);
    free(b->out.dg);
    free(b->out.pk);
    free(b->out.arena);
}

/* An IPv6 packet with @len octets behind the header, from peer @from to @to. */
static void put_ip6(uint8_t *p, const struct peer *from, const struct peer *to, size_t len)
{
    memset(p, 0, IP6_HDR_LEN + len);
    p[0] = 0x60;
    be16_store(p + 4, (uint16_t)len);
    p[6] = NH_UDP;
    p[7] = 64;
    memcpy(p + 8, from->addr.b, IP6_LEN);
    memcpy(p + 24, to->addr.b, IP6_LEN);
    be16_store(p + 40, 1000);
    be16_store(p + 42, 2000);
}

static void seal_one(struct bench *b, struct peer *p, struct dgram *d, uint8_t *start,
                     enum wire_kind kind, size_t plain)
{
    struct pkt pt = { .p = start, .len = (uint32_t)plain };
    const uint8_t k = (uint8_t)kind;

    if (!keyset_seal_run(&p->keys, &pt, &k, 1, b->now)) {
        fprintf(stderr, "cannot seal\n");
        exit(1);
    }
    *d = (struct dgram){
        .peer = p->m->ep, .local = b->conf.listen.ip, .len = (uint16_t)pt.len, .p = pt.p
    };
}

static void make_forward(struct bench *b, struct dgram *d, unsigned run, size_t inner)
{
    struct peer *from = NULL, *to = NULL;

    for (unsigned i = 0; i < BATCH; i++) {
        uint8_t *p = b->buf + i * BUF;
        if (i % run == 0) {
            from = &b->peer[next_random(b) % b->n];
            do {
                to = &b->peer[next_random(b) % b->n];
            } while (to == from);
        }
        memcpy(p + DATA_HDR_LEN, to->m->mac.b, MAC_LEN);
        put_ip6(p + DATA_HDR_LEN + MAC_LEN, from, to, inner - IP6_HDR_LEN);
        seal_one(b, from, &d[i], p, KIND_PEER, inner + MAC_LEN);
    }
}

static void make_ns(struct bench *b, struct dgram *d, unsigned run, size_t inner)
{
    (void)run;
    (void)inner;
    for (unsigned i = 0; i < BATCH; i++) {
        struct peer *from = &b->peer[next_random(b) % b->n], *to;
        uint8_t *p = b->buf + i * BUF;
        memset(&from->m->nd, 0, sizeof(from->m->nd)); /* it is below both limits */
        from->m->nd_seen = 0;
        do {
            to = &b->peer[next_random(b) % b->n];
        } while (to == from);
        memset(p + DATA_HDR_LEN, 0, MAC_LEN);
        size_t len = nd_build_ns(p + DATA_HDR_LEN + MAC_LEN, from->addr,
                                 ip6_solicited_node(to->addr), to->addr, &from->m->mac, NULL);
        seal_one(b, from, &d[i], p, KIND_MULTICAST, len + MAC_LEN);
    }
}

struct figures {
    double ns, copied;
};

typedef void (*make_fn)(struct bench *b, struct dgram *d, unsigned run, size_t inner);

static struct figures time_batches(struct bench *b, make_fn make, unsigned run, size_t inner)
{
    struct dgram d[BATCH];
    uint64_t spent = 0, copied = 0, answered = 0;

    for (unsigned k = 0; k < BATCHES; k++) {
        make(b, d, run, inner);
        out_reset(&b->out);
        uint64_t t0 = ns_now();
        router_engine_udp(b->re, b->now, &b->e, d, BATCH, &b->out);
        spent += ns_now() - t0;
        copied += b->out.arena_used;
        answered += b->out.n_dg;
    }
    if (answered != (uint64_t)BATCHES * BATCH) {
        fprintf(stderr, "only %lu of %u packets came out\n", (unsigned long)answered,
                BATCHES * BATCH);
        exit(1);
    }
    return (struct figures){ (double)spent / (BATCHES * BATCH),
                             (double)copied / (BATCHES * BATCH) };
}

/* LOGIN to LOGIN_REPLY. */
static struct figures time_logins(struct bench *b)
{
    enum { N = 64 };
    uint64_t spent = 0;

    for (unsigned i = 0; i < N; i++) {
        b->now++; /* another wake-up: each has a budget of handshakes */
        struct identity self;
        struct hs_initiator hs;
        struct cookie_purse purse;
        struct login_payload lp = { .software = "bench", .wanted_mtu = 1400 };
        uint8_t priv[KEY_LEN], eph[KEY_LEN], msg[LOGIN_LEN];

        randombytes_buf(priv, sizeof(priv));
        randombytes_buf(eph, sizeof(eph));
        identity_of(&self, priv);
        lp.n_ciphers = (uint8_t)seal_offer(lp.ciphers);
        handshake_login_write(&hs, &self, b->conf.public_key, eph, 1, &lp, msg);
        cookie_purse_init(&purse, b->conf.public_key);
        cookie_stamp(&purse, msg, b->now);
        struct dgram d = { .peer = { .ip = be32_of(0x0b000000u + i), .port = be16_of(6000) },
                           .local = b->conf.listen.ip,
                           .len = LOGIN_LEN,
                           .p = msg };
        out_reset(&b->out);
        uint64_t t0 = ns_now();
        router_engine_udp(b->re, b->now, &b->e, &d, 1, &b->out);
        spent += ns_now() - t0;
        if (b->out.n_dg != 1 || wire_peek(b->out.dg[0].p, b->out.dg[0].len) != WIRE_LOGIN_REPLY) {
            fprintf(stderr, "LOGIN %u drew no LOGIN_REPLY\n", i);
            exit(1);
        }
        b->now += time_s(11); /* tentative keypairs expire */
        router_engine_tick(b->re, b->now, &b->e, &b->out);
        b->now -= time_s(11);
    }
    return (struct figures){ (double)spent / N, LOGIN_REPLY_MAX };
}

struct row {
    const char *what;
    unsigned members, run;
    size_t inner;
    int kind; /* 0 forward, 1 NS, 2 login */
    double ns[ROUNDS_MAX], copied;
};

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
    static struct row rows[] = {
        { "forward", 2, 32, 1400, 0, { 0 }, 0 },
        { "forward", 1000, 32, 1400, 0, { 0 }, 0 },
        { "forward", 100000, 32, 1400, 0, { 0 }, 0 },
        { "forward", 2, 32, 64, 0, { 0 }, 0 },
        { "forward", 1000, 32, 64, 0, { 0 }, 0 },
        { "forward", 100000, 32, 64, 0, { 0 }, 0 },
        { "forward", 2, 1, 1400, 0, { 0 }, 0 },
        { "forward", 1000, 1, 1400, 0, { 0 }, 0 },
        { "forward", 100000, 1, 1400, 0, { 0 }, 0 },
        { "ND answer", 2, 1, 0, 1, { 0 }, 0 },
        { "ND answer", 1000, 1, 0, 1, { 0 }, 0 },
        { "ND answer", 100000, 1, 0, 1, { 0 }, 0 },
        { "login", 2, 1, 0, 2, { 0 }, 0 },
    };
    unsigned rounds = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 7;
    static const unsigned sizes[] = { 2, 1000, 100000 };
    static struct bench b[3];

    if (rounds < 1 || rounds > ROUNDS_MAX || sodium_init() < 0)
        return 1;
    const struct aead_provider *aes = ipsecmb_provider(CIPHER_AES256GCM);
    if (aes && !getenv("SIXTAP_CRYPTO"))
        seal_provider_set(aes);
    for (unsigned i = 0; i < 3; i++)
        bench_open(&b[i], sizes[i]);
    for (unsigned r = 0; r < rounds; r++) {
        for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            struct row *w = &rows[i];
            struct bench *bb = &b[w->members == 2 ? 0 : w->members == 1000 ? 1 : 2];
            struct figures f =
                w->kind == 2 ? time_logins(bb)
                             : time_batches(bb, w->kind ? make_ns : make_forward, w->run, w->inner);
            w->ns[r] = f.ns;
            w->copied = f.copied;
        }
    }
    printf("crypto: %s\n\n", seal_provider_name(CIPHER_AES256GCM));
    printf("| what | members | packets in a row | inner octets | ns median | least | greatest | "
           "octets from the arena |\n");
    printf("|---|---|---|---|---|---|---|---|\n");
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct row *w = &rows[i];
        qsort(w->ns, rounds, sizeof(double), by_value);
        printf("| %s | %u | %u | %zu | %.0f | %.0f | %.0f | %.0f |\n", w->what, w->members, w->run,
               w->inner, w->ns[rounds / 2], w->ns[0], w->ns[rounds - 1], w->copied);
    }
    struct router_config big = b[2].conf;
    printf("\nmemory: %.0f octets per member, all tables of a router of %u members counted (struct "
           "member %zu)\n",
           (double)router_engine_bytes(&big) / big.max_members, big.max_members,
           sizeof(struct member));
    for (unsigned i = 0; i < 3; i++)
        bench_close(&b[i]);
    return 0;
}
