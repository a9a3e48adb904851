/* SPDX-License-Identifier: MIT */
/* herd.c - N real client engines in one process, against a real router: what a thousand clients do
 * when their router restarts
 *
 * DOC: every client is client/engine.h as it is, with its own back-off, jitter, NUDGE rules and
 * keepalives; only sockets, TAP and time are shared. Client i speaks from 127.1.0.0 + i + 1,
 * through one socket (IP_PKTINFO chooses the source). Each sends a packet to the router's address
 * every PERIOD_MS, if that is not 0, and the router answers nothing to it: uplink none drops it.
 *
 *   herd ROUTER_IP PORT ROUTER_KEY N PERIOD_MS
 *
 * Prints {"up":N} when all are in. Then for each line it reads: `mark` starts a measurement (the
 * router is about to be killed), and when all have logged in anew it prints one JSON object with
 * the seconds since the mark at which the first, the median, the 95th per cent and the last were
 * back, and how many LOGINs that took. `cycle K` lets every client log out and in K times and
 * prints what that took. The router must let everybody in (access: open, everyone: true). Ends at
 * the end of its input.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <json-c/json.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/engine.h"
#include "proto/frame.h"
#include "proto/host/clock.h"
#include "proto/host/json.h"
#include "proto/host/secret.h"
#include "proto/host/udp.h"
#include "proto/mac.h"

#define SOURCE_PORT 5000u
#define SLICE       64u
#define ARENA       (64u * 1024u)
#define TICK_MS     5
#define PACKET      60u

struct head {                    /* one client */
    struct client_engine engine; /* first: 16-aligned */
    struct client_config conf;
    mono_ns deadline, send_at, back_at;
    uint64_t logins;
    bool running;
};

struct herd {
    struct udp *udp;
    struct endpoint router;
    struct head *head;
    unsigned n;
    mono_ns period, mark;
    struct entropy_source entropy;
    struct out out;
    uint64_t n_login_sent, n_events;
    unsigned cycles; /* left to do, each client */
};

static void die(const char *what)
{
    fprintf(stderr, "herd: %s\n", what);
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

static bool is_up(const struct head *h)
{
    return h->running && h->engine.state == CLIENT_UP && client_engine_want(&h->engine)->carrier;
}

/* after() - what an io does after each call of the engine, as far as there is something to do here
 */
static void after(struct herd *s, unsigned i, mono_ns now)
{
    struct head *h = &s->head[i];
    struct client_event ev;
    unsigned which;

    for (unsigned k = 0; k < s->out.n_dg; k++)
        s->out.dg[k].local = address_of(i);
    udp_queue(s->udp, s->out.dg, s->out.n_dg);
    out_reset(&s->out);
    while (client_engine_event(&h->engine, &ev)) {
        s->n_login_sent += ev.kind == EVENT_LOGIN_SENT;
        if (ev.kind == EVENT_LOGGED_IN)
            h->back_at = now;
    }
    if (client_engine_want_resolve(&h->engine, &which))
        client_engine_router(&h->engine, which, &s->router, 1, now);
    h->deadline = client_engine_deadline(&h->engine, now);
}

static void start(struct herd *s, unsigned i, mono_ns now)
{
    struct head *h = &s->head[i];

    client_engine_init(&h->engine, &h->conf, now);
    client_engine_path(&h->engine, 1500, now);
    h->running = true;
    after(s, i, now);
}

static void stop(struct herd *s, unsigned i, mono_ns now)
{
    struct head *h = &s->head[i];

    client_engine_stop(&h->engine, now, entropy_at(&s->entropy, now), &s->out);
    after(s, i, now);
    client_engine_wipe(&h->engine);
    h->running = false;
}

static void say(struct herd *s, unsigned i, mono_ns now)
{
    struct head *h = &s->head[i];
    const struct device_want *w = client_engine_want(&h->engine);
    uint8_t buf[PKT_HEADROOM + ETH_LEN + PACKET + PKT_TAILROOM] __attribute__((aligned(16)));
    struct pkt f = { .p = buf + PKT_HEADROOM, .len = ETH_LEN + PACKET };
    uint8_t *ip = f.p + ETH_LEN;
    struct ip6 gate = w->segment.addr;

    h->send_at = now + s->period;
    if (!w->carrier || w->n_address == 0)
        return;
    gate.b[15] |= 1;
    memset(buf, 0, sizeof(buf));
    memcpy(f.p, w->router_mac.b, MAC_LEN);
    memcpy(f.p + MAC_LEN, w->mac.b, MAC_LEN);
    be16_store(f.p + 2 * MAC_LEN, ETHERTYPE_IP6);
    ip[0] = 0x60;
    be16_store(ip + 4, PACKET - IP6_HDR_LEN);
    ip[6] = NH_UDP;
    ip[7] = 64;
    memcpy(ip + 8, w->address[0].addr.b, IP6_LEN);
    memcpy(ip + 24, gate.b, IP6_LEN);
    client_engine_tap(&h->engine, now, entropy_at(&s->entropy, now), &f, 1, &s->out);
    after(s, i, now);
}

static void receive(struct herd *s, mono_ns now)
{
    struct dgram d[SLICE];
    unsigned n;

    while ((n = udp_recv(s->udp, d, SLICE)) > 0) {
        for (unsigned k = 0; k < n; k++) {
            unsigned i = be32_get(d[k].local) - be32_get(address_of(0));
            if (i >= s->n || !s->head[i].running)
                continue;
            client_engine_udp(&s->head[i].engine, now, entropy_at(&s->entropy, now), &d[k], 1,
                              &s->out);
            after(s, i, now);
        }
    }
}

static void time_passes(struct herd *s, mono_ns now)
{
    for (unsigned i = 0; i < s->n; i++) {
        struct head *h = &s->head[i];
        if (h->running && h->deadline <= now) {
            client_engine_tick(&h->engine, now, entropy_at(&s->entropy, now), &s->out);
            after(s, i, now);
        }
        if (h->running && s->period && h->send_at <= now)
            say(s, i, now);
    }
}

static int by_time(const void *a, const void *b)
{
    mono_ns x = *(const mono_ns *)a, y = *(const mono_ns *)b;

    return x < y ? -1 : x > y;
}

static void print_times(const struct herd *s)
{
    mono_ns *t = need(calloc(s->n, sizeof(*t)));
    const unsigned at[] = { 0, s->n / 2, s->n * 95 / 100, s->n - 1 };
    static const char *const name[] = { "first_s", "p50_s", "p95_s", "last_s" };
    struct json_object *o = json_object_new_object();

    for (unsigned i = 0; i < s->n; i++)
        t[i] = time_since(s->head[i].back_at, s->mark);
    qsort(t, s->n, sizeof(*t), by_time);
    json_put_number(o, "clients", s->n);
    for (unsigned i = 0; i < 4; i++)
        json_object_object_add(o, name[i], json_object_new_double((double)t[at[i]] / 1e9));
    json_put_number(o, "logins_sent", s->n_login_sent);
    printf("%s\n", json_object_to_json_string(o));
    fflush(stdout);
    json_object_put(o);
    free(t);
}

static bool all_back(const struct herd *s)
{
    for (unsigned i = 0; i < s->n; i++)
        if (!is_up(&s->head[i]) || s->head[i].back_at < s->mark)
            return false;
    return true;
}

/* cycle() - each client that is in logs out and in again at once, until enough have */
static void cycle(struct herd *s, mono_ns now)
{
    for (unsigned i = 0; i < s->n && s->cycles; i++) {
        if (!is_up(&s->head[i]) || s->head[i].back_at == 0)
            continue;
        stop(s, i, now);
        s->head[i].back_at = 0;
        start(s, i, now);
        s->cycles--;
    }
}

/* command() - false at the end of the input */
static bool command(struct herd *s, mono_ns now)
{
    char line[64];
    struct pollfd p = { .fd = 0, .events = POLLIN };

    if (poll(&p, 1, 0) <= 0)
        return true;
    if (!fgets(line, sizeof(line), stdin))
        return false;
    s->n_login_sent = 0;
    s->mark = now;
    if (strncmp(line, "cycle ", 6) == 0)
        s->cycles = (unsigned)strtoul(line + 6, NULL, 10);
    return true;
}

static void run(struct herd *s)
{
    bool told = false;
    mono_ns asked = 0;

    for (;;) {
        struct pollfd p = { .fd = udp_fd(s->udp), .events = POLLIN };
        if (udp_backlog(s->udp))
            p.events |= POLLOUT;
        if (poll(&p, 1, TICK_MS) > 0 && p.revents & POLLOUT)
            udp_flush(s->udp);
        mono_ns now = mono_now();
        receive(s, now);
        time_passes(s, now);
        if (s->cycles)
            cycle(s, now);
        mono_ns before = s->mark;
        if (time_since(now, asked) > 5 * NS_PER_MS) {
            asked = now;
            if (!command(s, now))
                return;
        }
        if (s->mark != before)
            told = false;
        if (!told && s->cycles == 0 && all_back(s)) {
            told = true;
            print_times(s);
        }
    }
}

static void herd_open(struct herd *s, char **argv)
{
    struct in_addr a;
    struct udp_opts opts = { .rcvbuf = 32u << 20, .sndbuf = 32u << 20 };
    uint8_t key[KEY_LEN];

    memset(s, 0, sizeof(*s));
    s->n = (unsigned)strtoul(argv[4], NULL, 10);
    s->period = time_ms(strtoul(argv[5], NULL, 10));
    if (inet_pton(AF_INET, argv[1], &a) != 1 || !key_from_text(key, argv[3], strlen(argv[3])) ||
        s->n < 1 || s->n > 100000)
        die("usage: herd ROUTER_IP PORT ROUTER_KEY N PERIOD_MS");
    memcpy(s->router.ip.b, &a, 4);
    s->router.port = be16_of((uint16_t)strtoul(argv[2], NULL, 10));
    if (udp_open(&s->udp, (struct endpoint){ .port = be16_of(SOURCE_PORT) }, &opts))
        die("cannot open the socket");
    size_t each = (s->n * sizeof(*s->head) + 63) & ~(size_t)63;
    s->head = need(aligned_alloc(64, each));
    memset(s->head, 0, each);
    s->out = (struct out){ .dg = need(calloc(512, sizeof(struct dgram))),
                           .cap_dg = 512,
                           .pk = need(calloc(512, sizeof(struct pkt))),
                           .cap_pk = 512,
                           .arena = need(aligned_alloc(64, ARENA)),
                           .arena_len = ARENA };
    for (unsigned i = 0; i < s->n; i++) {
        struct client_config *c = &s->head[i].conf;
        client_config_defaults(c);
        memcpy(c->router[0].key, key, KEY_LEN);
        c->port = SOURCE_PORT; /* there is but one */
        randombytes_buf(c->private_key, KEY_LEN);
        client_config_finish(c);
    }
}

int main(int argc, char **argv)
{
    struct herd s;

    if (argc != 6 || sodium_init() < 0)
        die("usage: herd ROUTER_IP PORT ROUTER_KEY N PERIOD_MS");
    herd_open(&s, argv);
    s.mark = mono_now();
    for (unsigned i = 0; i < s.n; i++) {
        /* spread as people switch on, so that the start is not what is measured */
        start(&s, i, s.mark);
        s.head[i].send_at = s.mark + s.period / s.n * i;
    }
    run(&s);
    for (unsigned i = 0; i < s.n; i++)
        client_engine_wipe(&s.head[i].engine);
    udp_close(s.udp);
    free(s.head);
    free(s.out.dg);
    free(s.out.pk);
    free(s.out.arena);
    return 0;
}
