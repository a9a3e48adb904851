/* SPDX-License-Identifier: MIT */
/* swarm.c - N clients in one process, over loopback addresses: a load generator for a real router
 *
 * DOC: client i speaks from 127.(1 + i / 2^16).x.y, all through one socket (IP_PKTINFO chooses the
 * source), so 10^5 members need no 10^5 sockets. It logs everybody in, keeping WINDOW logins under
 * way, then optionally sends packets between random members, keeping as many on the way as the
 * socket buffers hold. It is no SixTap client: no TAP, no keepalives, no rekeys; it ends before
 * those matter.
 *
 *   swarm ROUTER_IP PORT ROUTER_KEY N [SECONDS INNER_OCTETS RUN [ACTIVE]]
 *
 * Prints one JSON object. The router must let everybody in (access: open, everyone: true).
 * tests/bench/swarm.py runs both and adds the router's CPU time and memory.
 */
#include <arpa/inet.h>
#include <json-c/json.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>

#include "proto/frame.h"
#include "proto/host/clock.h"
#include "proto/host/json.h"
#include "proto/host/secret.h"
#include "proto/keypair.h"
#include "proto/mac.h"
#include "proto/cookie.h"

#define WINDOW      32u
#define SOURCE_PORT 5000u
#define RETRY       (1 * NS_PER_S)
#define IN_FLIGHT   512u
#define SLICE       64u
#define BUF         2048u

enum state {
    IDLE,
    SENT,
    CONFIRMING,
    IN,
};

struct bee {
    struct identity self;
    struct hs_initiator hs;
    struct keyset keys;
    struct ip6 addr;
    struct mac mac;
    mono_ns retry;
    enum state state;
    bool has_cookie;
    uint8_t cookie[COOKIE_LEN];
};

struct swarm {
    struct udp *udp;
    struct endpoint router;
    uint8_t router_key[KEY_LEN];
    struct bee *bee;
    struct cookie_purse *purse;
    unsigned n, in, under_way, next;
    struct entropy_source entropy;
    uint8_t (*buf)[BUF];
    uint64_t received, sent, refused, retries;
    uint64_t rnd;
};

static void die(const char *what)
{
    fprintf(stderr, "swarm: %s\n", what);
    exit(1);
}

static void *need(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

static be32 address_of(unsigned i)
{
    return be32_of(0x7f010001u + i);
}

static unsigned bee_of(be32 addr)
{
    return be32_get(addr) - 0x7f010001u;
}

static uint64_t next_random(struct swarm *s)
{
    s->rnd ^= s->rnd << 13;
    s->rnd ^= s->rnd >> 7;
    s->rnd ^= s->rnd << 17;
    return s->rnd;
}

static struct dgram dgram_of(const struct swarm *s, unsigned i, uint8_t *p, size_t len)
{
    return (
        struct dgram){ .peer = s->router, .local = address_of(i), .p = p, .len = (uint16_t)len };
}

/* ---- logins ---- */

static void send_login(struct swarm *s, unsigned i, mono_ns now)
{
    struct bee *b = &s->bee[i];
    struct login_payload lp = { .software = "swarm", .wanted_mtu = INNER_MTU_DEFAULT };
    uint8_t eph[KEY_LEN], msg[LOGIN_LEN];

    lp.n_ciphers = (uint8_t)seal_offer(lp.ciphers);
    lp.has_cookie = b->has_cookie;
    memcpy(lp.cookie, b->cookie, COOKIE_LEN);
    entropy_draw(entropy_at(&s->entropy, now), eph, sizeof(eph));
    handshake_login_write(&b->hs, &b->self, s->router_key, eph, i, &lp, msg);
    cookie_stamp(&s->purse[i], msg, now);
    struct dgram d = dgram_of(s, i, msg, sizeof(msg));
    udp_queue(s->udp, &d, 1);
    if (b->state == IDLE)
        s->under_way++;
    b->state = SENT;
    b->retry = now + RETRY;
}

static void send_confirm(struct swarm *s, unsigned i, mono_ns now)
{
    struct bee *b = &s->bee[i];
    uint8_t p[DATA_HDR_LEN + 64];
    const uint8_t kind = KIND_CONTROL;
    struct control mtu = { .type = TLV_MTU_SET, .size = INNER_MTU_DEFAULT };
    struct control c = { .type = TLV_CONFIRM, .size = PROBE_MIN_LEN + 6 };
    struct wr w = wr_of(p + DATA_HDR_LEN, 32);

    wire_ctl_put(&w, &c);
    wire_ctl_put(&w, &mtu);
    struct pkt pt = { .p = p, .len = (uint32_t)w.off };
    if (w.bad || !keyset_seal_run(&b->keys, &pt, &kind, 1, now))
        die("cannot seal a CONFIRM");
    struct dgram d = dgram_of(s, i, pt.p, pt.len);
    udp_queue(s->udp, &d, 1);
    b->state = CONFIRMING;
    b->retry = now + RETRY;
}

static void take_reply(struct swarm *s, unsigned i, const struct dgram *d, mono_ns now)
{
    static const uint8_t no_psk[KEY_LEN] = { 0 };
    struct bee *b = &s->bee[i];
    struct settings set;
    struct session_keys keys;
    struct keypair kp;
    uint32_t index;

    if (b->state != SENT ||
        handshake_reply_open(&b->hs, &b->self, no_psk, d->p, d->len, &set, &index, &keys))
        return;
    if (set.verdict != VERDICT_OK) {
        s->refused++;
        b->retry = now + RETRY;
        return;
    }
    keypair_init(&kp, (enum cipher)set.cipher, &keys, i, index, now);
    keyset_install(&b->keys, &kp, now, 0);
    b->mac = set.mac;
    b->addr = set.address[0].addr;
    send_confirm(s, i, now);
}

static void take_cookie(struct swarm *s, unsigned i, const struct dgram *d, mono_ns now)
{
    struct bee *b = &s->bee[i];

    if (b->state != SENT || cookie_take(&s->purse[i], d->p, now))
        return;
    b->has_cookie = true;
    memcpy(b->cookie, s->purse[i].cookie, COOKIE_LEN);
    send_login(s, i, now);
}

static void take_data(struct swarm *s, unsigned i, struct dgram *d, unsigned n, mono_ns now)
{
    struct bee *b = &s->bee[i];
    struct rx rx[SLICE];

    for (unsigned k = 0; k < n; k++)
        rx[k] = (struct rx){ .d = &d[k] };
    unsigned opened = keyset_open_run(&b->keys, wire_data_index(d->p), rx, n, now);
    for (unsigned k = 0; k < n; k++) {
        if (!rx[k].drop && wire_data_kind(d[k].p) == KIND_PEER)
            s->received++;
    }
    if (opened && b->state == CONFIRMING) {
        b->state = IN;
        s->in++;
        s->under_way--;
    }
}

static void receive(struct swarm *s, mono_ns now)
{
    struct dgram d[SLICE];
    unsigned n, run;

    while ((n = udp_recv(s->udp, d, SLICE)) > 0) {
        for (unsigned k = 0; k < n; k += run) {
            unsigned i = bee_of(d[k].local);
            enum wire_type type = wire_peek(d[k].p, d[k].len);
            run = 1;
            if (i >= s->n)
                continue;
            if (type == WIRE_LOGIN_REPLY)
                take_reply(s, i, &d[k], now);
            else if (type == WIRE_COOKIE)
                take_cookie(s, i, &d[k], now);
            if (type != WIRE_DATA)
                continue;
            while (k + run < n && bee_of(d[k + run].local) == i &&
                   wire_peek(d[k + run].p, d[k + run].len) == WIRE_DATA)
                run++;
            take_data(s, i, &d[k], run, now);
        }
    }
}

static void wait_readable(struct swarm *s, int ms)
{
    struct pollfd p = { .fd = udp_fd(s->udp),
                        .events = (short)(POLLIN | (udp_backlog(s->udp) ? POLLOUT : 0)) };

    if (poll(&p, 1, ms) > 0 && (p.revents & POLLOUT))
        udp_flush(s->udp);
}

static void retry(struct swarm *s, mono_ns now)
{
    for (unsigned i = 0; i < s->next; i++) {
        struct bee *b = &s->bee[i];
        if (b->state == IN || b->retry > now)
            continue;
        s->retries++;
        if (b->state == CONFIRMING)
            send_confirm(s, i, now);
        else
            send_login(s, i, now);
    }
}

static double log_in_all(struct swarm *s)
{
    mono_ns start = mono_now(), now = start, swept = start;

    while (s->in < s->n) {
        now = mono_now();
        while (s->next < s->n && s->under_way < WINDOW && udp_backlog(s->udp) == 0)
            send_login(s, s->next++, now);
        wait_readable(s, 20);
        receive(s, mono_now());
        if (time_since(now, swept) > RETRY) {
            swept = now;
            retry(s, now);
        }
        if (time_since(now, start) > time_s(60) + s->n * NS_PER_MS)
            die("logins do not get through");
    }
    return (double)time_since(mono_now(), start) / 1e9;
}

/* ---- packets between members ---- */

static unsigned make_run(struct swarm *s, struct dgram *d, unsigned first, unsigned run,
                         size_t inner, unsigned active, mono_ns now)
{
    unsigned from = (unsigned)(next_random(s) % active), to = (unsigned)(next_random(s) % active);
    struct bee *a = &s->bee[from], *b = &s->bee[to == from ? (to + 1) % s->n : to];
    struct pkt pt[SLICE];
    uint8_t kind[SLICE];

    for (unsigned k = 0; k < run; k++) {
        uint8_t *p = s->buf[first + k], *ip = p + DATA_HDR_LEN + MAC_LEN;
        memcpy(p + DATA_HDR_LEN, b->mac.b, MAC_LEN);
        memset(ip, 0, inner);
        ip[0] = 0x60;
        be16_store(ip + 4, (uint16_t)(inner - IP6_HDR_LEN));
        ip[6] = NH_UDP;
        ip[7] = 64;
        memcpy(ip + 8, a->addr.b, IP6_LEN);
        memcpy(ip + 24, b->addr.b, IP6_LEN);
        pt[k] = (struct pkt){ .p = p, .len = (uint32_t)(inner + MAC_LEN) };
        kind[k] = KIND_PEER;
    }
    if (!keyset_seal_run(&a->keys, pt, kind, run, now))
        die("keys are used up");
    for (unsigned k = 0; k < run; k++)
        d[k] = dgram_of(s, from, pt[k].p, pt[k].len);
    return run;
}

static double forward(struct swarm *s, double seconds, size_t inner, unsigned run, unsigned active)
{
    mono_ns start = mono_now(), now = start, end = start + (mono_ns)(seconds * 1e9),
            progress = start;
    struct dgram d[SLICE];
    uint64_t lost = 0, last = 0;

    while (now < end) {
        while (s->sent - s->received - lost < IN_FLIGHT && udp_backlog(s->udp) == 0) {
            unsigned n = 0;
            while (n + run <= SLICE)
                n += make_run(s, d + n, n, run, inner, active, now);
            s->sent += n;
            udp_queue(s->udp, d, n);
        }
        wait_readable(s, 5);
        now = mono_now();
        receive(s, now);
        if (s->received != last) {
            last = s->received;
            progress = now;
        } else if (time_since(now, progress) > time_ms(20)) {
            lost = s->sent - s->received; /* given up: the window opens again */
            progress = now;
        }
    }
    return (double)time_since(mono_now(), start) / 1e9;
}

/* ---- */

static void swarm_open(struct swarm *s, char **argv)
{
    struct in_addr a;
    struct udp_opts opts = { .rcvbuf = 32u << 20, .sndbuf = 32u << 20 };

    memset(s, 0, sizeof(*s));
    s->rnd = 88172645463325252u;
    s->n = (unsigned)strtoul(argv[4], NULL, 10);
    if (inet_pton(AF_INET, argv[1], &a) != 1 ||
        !key_from_text(s->router_key, argv[3], strlen(argv[3])) || s->n < 2 || s->n > 8000000)
        die("usage: swarm ROUTER_IP PORT ROUTER_KEY N [SECONDS INNER_OCTETS RUN [ACTIVE]]");
    memcpy(s->router.ip.b, &a, 4);
    s->router.port = be16_of((uint16_t)strtoul(argv[2], NULL, 10));
    if (udp_open(&s->udp, (struct endpoint){ .port = be16_of(SOURCE_PORT) }, &opts))
        die("cannot open the socket");
    s->bee = need(aligned_alloc(64, (s->n * sizeof(*s->bee) + 63) & ~(size_t)63));
    s->purse = need(calloc(s->n, sizeof(*s->purse)));
    s->buf = need(aligned_alloc(64, SLICE * BUF));
    memset(s->bee, 0, s->n * sizeof(*s->bee));
    for (unsigned i = 0; i < s->n; i++) {
        uint8_t priv[KEY_LEN];
        randombytes_buf(priv, sizeof(priv));
        identity_of(&s->bee[i].self, priv);
        cookie_purse_init(&s->purse[i], s->router_key);
        keyset_init(&s->bee[i].keys, ROLE_INITIATOR);
    }
}

int main(int argc, char **argv)
{
    struct swarm s;
    struct json_object *o = json_object_new_object();

    if (argc < 5 || sodium_init() < 0)
        die("usage: swarm ROUTER_IP PORT ROUTER_KEY N [SECONDS INNER_OCTETS RUN [ACTIVE]]");
    swarm_open(&s, argv);
    printf("{\"ready\":true}\n");
    fflush(stdout);
    if (getchar() == EOF)
        return 1;
    double t = log_in_all(&s);
    json_put_number(o, "members", s.in);
    json_object_object_add(o, "login_s", json_object_new_double(t));
    json_put_number(o, "retries", s.retries);
    json_put_number(o, "refused", s.refused);
    printf("%s\n", json_object_to_json_string(o));
    fflush(stdout);
    if (argc >= 8 && getchar() != EOF) {
        size_t inner = strtoul(argv[6], NULL, 10);
        unsigned run = (unsigned)strtoul(argv[7], NULL, 10);
        unsigned active = argc > 8 ? (unsigned)strtoul(argv[8], NULL, 10) : s.n;
        if (inner < IP6_HDR_LEN || inner > 1434 || run < 1 || run > SLICE || active < 2 ||
            active > s.n)
            die("INNER_OCTETS 40..1434, RUN 1..64, ACTIVE 2..N");
        t = forward(&s, strtod(argv[5], NULL), inner, run, active);
        json_object_object_add(o, "forward_s", json_object_new_double(t));
        json_put_number(o, "sent", s.sent);
        json_put_number(o, "received", s.received);
        printf("%s\n", json_object_to_json_string(o));
        fflush(stdout);
    }
    json_object_put(o);
    getchar();
    udp_close(s.udp);
    return 0;
}
