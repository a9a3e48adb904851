/* SPDX-License-Identifier: MIT */
/* liar.c - a client without a TAP, and so without a filter: it says to the router what it is told
 *
 * DOC: sixtap-client drops what no honest host would send before it is sealed. This one logs in
 * with a key the router knows and then seals whatever comes in on its standard input, so the tests
 * see what the router makes of a client that was written to hurt. It keeps no device, no routes and
 * no rekeys: it is done before those matter.
 *
 *   liar ROUTER_IP PORT ROUTER_KEY KEY_FILE
 *
 * Prints "up MAC ADDRESS ROUTER_MAC" when it is in. One command a line, one answer each but where
 * noted; KIND is enum wire_kind, HEX what follows the header of DATA (6 octets of MAC for peer and
 * multicast, then the IPv6 packet):
 *
 *   send KIND HEX      no answer
 *   sync               "sync": the router has dealt with all that was sent before
 *   load KIND HEX      no answer; one more packet of the set that is flooded, LOAD_MAX of them
 *   clear              no answer; empties that set
 *   flood N RATE AT LEN PORT
 *                      N packets of the set in turn, RATE a second (0: as fast as the router takes
 *                      them, none lost on the way), each with LEN random octets at AT of its HEX,
 * to PORT of the router (0: where it listens) "flooded N SECONDS RECEIVED" watch 0|1          no
 * answer; from now on received packets are not, are printed: "got KIND HEX"
 */
#include <arpa/inet.h>
#include <poll.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "proto/cookie.h"
#include "proto/frame.h"
#include "proto/host/clock.h"
#include "proto/host/secret.h"
#include "proto/host/udp.h"
#include "proto/keypair.h"
#include "proto/mac.h"

#define SLICE    64u
#define BUF      2048u
#define LOAD_MAX 4096u
#define RETRY    (1 * NS_PER_S)
#define ASK      (200 * NS_PER_MS) /* between two KEEPALIVE_REQ of one sync */
#define IN_TURN  256u              /* packets between two syncs when none may be lost */
#define TICK     (NS_PER_MS)       /* a flood at a rate goes out in bursts this far apart */
#define TEXT_MAX (2 * BUF + 64)

struct packet {
    uint8_t kind;
    uint16_t len;
    uint8_t p[BUF];
};

struct liar {
    struct udp *udp;
    struct endpoint router;
    struct identity self;
    uint8_t router_key[KEY_LEN];
    struct hs_initiator hs;
    struct keyset keys;
    struct cookie_purse purse;
    struct entropy_source entropy;
    struct settings set;
    bool has_cookie, replied, in, watch;
    uint8_t cookie[COOKIE_LEN];
    uint64_t asked, answered, received;
    struct packet *load;
    unsigned n_load;
    uint8_t (*buf)[BUF];
    char line[TEXT_MAX];
    size_t line_len;
};

static void die(const char *what)
{
    fprintf(stderr, "liar: %s\n", what);
    exit(1);
}

static void *need(void *p)
{
    if (!p)
        die("out of memory");
    return p;
}

static void put(struct liar *l, uint8_t *p, size_t len, uint16_t port)
{
    struct dgram d = { .peer = l->router, .p = p, .len = (uint16_t)len };
    if (port)
        d.peer.port = be16_of(port);
    udp_queue(l->udp, &d, 1);
}

static void say(struct liar *l, uint8_t kind, const uint8_t *octets, size_t len)
{
    uint8_t p[BUF + DATA_MIN_LEN];
    struct pkt pt = { .p = p, .len = (uint32_t)len };

    memcpy(p + DATA_HDR_LEN, octets, len);
    if (!keyset_seal_run(&l->keys, &pt, &kind, 1, mono_now()))
        die("keys are used up");
    put(l, pt.p, pt.len, 0);
}

static void control(struct liar *l, const struct control *c, unsigned n)
{
    uint8_t body[64];
    struct wr w = wr_of(body, sizeof(body));

    for (unsigned i = 0; i < n; i++)
        wire_ctl_put(&w, &c[i]);
    if (w.bad)
        die("control message too long");
    say(l, KIND_CONTROL, body, w.off);
}

/* ---- login ---- */

static void send_login(struct liar *l)
{
    struct login_payload lp = { .software = "liar", .wanted_mtu = INNER_MTU_DEFAULT };
    uint8_t eph[KEY_LEN], msg[LOGIN_LEN];
    mono_ns now = mono_now();

    lp.n_ciphers = (uint8_t)seal_offer(lp.ciphers);
    lp.has_cookie = l->has_cookie;
    memcpy(lp.cookie, l->cookie, COOKIE_LEN);
    entropy_draw(entropy_at(&l->entropy, now), eph, sizeof(eph));
    handshake_login_write(&l->hs, &l->self, l->router_key, eph, 1, &lp, msg);
    cookie_stamp(&l->purse, msg, now);
    put(l, msg, sizeof(msg), 0);
}

static void send_confirm(struct liar *l)
{
    const struct control c[2] = { { .type = TLV_CONFIRM, .size = PROBE_MIN_LEN + 6 },
                                  { .type = TLV_MTU_SET, .size = INNER_MTU_DEFAULT } };
    control(l, c, 2);
}

static void take_reply(struct liar *l, const struct dgram *d)
{
    static const uint8_t no_psk[KEY_LEN] = { 0 };
    struct session_keys keys;
    struct keypair kp;
    uint32_t index;
    mono_ns now = mono_now();

    if (l->replied ||
        handshake_reply_open(&l->hs, &l->self, no_psk, d->p, d->len, &l->set, &index, &keys))
        return;
    if (l->set.verdict != VERDICT_OK)
        die("the router does not want it");
    keypair_init(&kp, (enum cipher)l->set.cipher, &keys, 1, index, now);
    keyset_install(&l->keys, &kp, now, 0);
    l->replied = true;
    send_confirm(l);
}

static void take_cookie(struct liar *l, const struct dgram *d)
{
    if (l->replied || cookie_take(&l->purse, d->p, mono_now()))
        return;
    l->has_cookie = true;
    memcpy(l->cookie, l->purse.cookie, COOKIE_LEN);
    send_login(l);
}

/* ---- what comes back ---- */

static void take_controls(struct liar *l, const struct dgram *d)
{
    struct rd r = rd_of(d->p + DATA_HDR_LEN, d->len - DATA_MIN_LEN);
    struct control c;

    while (wire_ctl_next(&r, &c) == 1) {
        if (c.type == TLV_KEEPALIVE_ACK && c.number > l->answered)
            l->answered = c.number;
        if (c.type == TLV_KEEPALIVE_REQ)
            control(l, &(struct control){ .type = TLV_KEEPALIVE_ACK, .number = c.number }, 1);
        if (c.type == TLV_GOODBYE)
            exit(0);
    }
}

static void print_hex(const uint8_t *p, size_t len)
{
    char text[2 * BUF + 1];
    if (len > BUF)
        len = BUF;
    puts(sodium_bin2hex(text, sizeof(text), p, len));
}

static void take_data(struct liar *l, struct dgram *d, unsigned n)
{
    struct rx rx[SLICE];

    for (unsigned k = 0; k < n; k++)
        rx[k] = (struct rx){ .d = &d[k] };
    keyset_open_run(&l->keys, wire_data_index(d->p), rx, n, mono_now());
    for (unsigned k = 0; k < n; k++) {
        if (rx[k].drop)
            continue;
        l->in = true;
        if (wire_data_kind(d[k].p) == KIND_CONTROL) {
            take_controls(l, &d[k]);
            continue;
        }
        l->received++;
        if (l->watch) {
            printf("got %u ", wire_data_kind(d[k].p));
            print_hex(d[k].p + DATA_HDR_LEN, d[k].len - DATA_MIN_LEN);
            fflush(stdout);
        }
    }
}

static void receive(struct liar *l)
{
    struct dgram d[SLICE];
    unsigned n, run;

    while ((n = udp_recv(l->udp, d, SLICE)) > 0) {
        for (unsigned k = 0; k < n; k += run) {
            enum wire_type type = wire_peek(d[k].p, d[k].len);
            run = 1;
            if (type == WIRE_LOGIN_REPLY)
                take_reply(l, &d[k]);
            else if (type == WIRE_COOKIE)
                take_cookie(l, &d[k]);
            if (type != WIRE_DATA)
                continue;
            while (k + run < n && wire_peek(d[k + run].p, d[k + run].len) == WIRE_DATA)
                run++;
            take_data(l, &d[k], run);
        }
    }
}

/* Waits until something comes or @until is there; true: standard input has something, or ends. */
static bool turn(struct liar *l, mono_ns until, bool commands)
{
    mono_ns now = mono_now();
    struct timespec ts = { 0 };
    struct pollfd p[2] = { { .fd = udp_fd(l->udp),
                             .events = (short)(POLLIN | (udp_backlog(l->udp) ? POLLOUT : 0)) },
                           { .fd = commands ? STDIN_FILENO : -1, .events = POLLIN } };

    if (until > now)
        ts = (struct timespec){ .tv_sec = (time_t)((until - now) / NS_PER_S),
                                .tv_nsec = (long)((until - now) % NS_PER_S) };
    if (ppoll(p, 2, &ts, NULL) < 0)
        die("poll");
    if (p[0].revents & POLLOUT)
        udp_flush(l->udp);
    if (p[0].revents & POLLIN)
        receive(l);
    return p[1].revents != 0;
}

static void log_in(struct liar *l)
{
    mono_ns next = 0;

    for (unsigned tries = 0; !l->in;) {
        if (mono_now() >= next) {
            if (++tries > 20)
                die("the router does not answer");
            next = mono_now() + RETRY;
            if (l->replied)
                send_confirm(l);
            else
                send_login(l);
        }
        turn(l, next, false);
    }
}

/* ---- commands ---- */

/* An answer to a request that was sent after everything else: datagrams of one path do not overtake
 * each other, and the router takes them in order. */
static void wait_done(struct liar *l)
{
    uint64_t first = l->asked + 1;
    mono_ns next = 0;

    while (l->answered < first) {
        if (mono_now() >= next) {
            if (l->asked - first > 100 && l->asked >= first)
                die("the router answers no more");
            control(l, &(struct control){ .type = TLV_KEEPALIVE_REQ, .number = ++l->asked }, 1);
            next = mono_now() + ASK;
        }
        turn(l, next, false);
    }
}

static void send_some(struct liar *l, unsigned *at, unsigned n, size_t rnd_at, size_t rnd_len,
                      uint16_t port)
{
    struct dgram d[SLICE];
    struct pkt pt[SLICE];
    uint8_t kind[SLICE];
    mono_ns now = mono_now();

    for (unsigned k = 0; k < n; k++) {
        const struct packet *q = &l->load[(*at)++ % l->n_load];
        memcpy(l->buf[k] + DATA_HDR_LEN, q->p, q->len);
        if (rnd_len && rnd_at + rnd_len <= q->len)
            entropy_draw(entropy_at(&l->entropy, now), l->buf[k] + DATA_HDR_LEN + rnd_at, rnd_len);
        pt[k] = (struct pkt){ .p = l->buf[k], .len = q->len };
        kind[k] = q->kind;
    }
    if (!keyset_seal_run(&l->keys, pt, kind, n, now))
        die("keys are used up");
    for (unsigned k = 0; k < n; k++) {
        d[k] = (struct dgram){ .peer = l->router, .p = pt[k].p, .len = (uint16_t)pt[k].len };
        if (port)
            d[k].peer.port = be16_of(port);
    }
    while (udp_backlog(l->udp))
        turn(l, mono_now() + RETRY, false);
    udp_queue(l->udp, d, n);
}

static void flood(struct liar *l, unsigned n, unsigned rate, size_t rnd_at, size_t rnd_len,
                  uint16_t port)
{
    mono_ns start = mono_now();
    uint64_t before = l->received;
    unsigned sent = 0, at = 0, due = 0;

    if (!l->n_load)
        die("flood: nothing is loaded");
    while (sent < n) {
        uint64_t until =
            rate ? time_since(mono_now(), start) * rate / NS_PER_S + 1 : sent + IN_TURN;
        due = until < n ? (unsigned)until : n;
        while (sent < due) {
            unsigned k = due - sent < SLICE ? due - sent : SLICE;
            send_some(l, &at, k, rnd_at, rnd_len, port);
            sent += k;
        }
        if (!rate)
            wait_done(l);
        else
            turn(l, start + (time_since(mono_now(), start) / TICK + 1) * TICK, false);
    }
    printf("flooded %u %.3f %llu\n", sent, (double)time_since(mono_now(), start) / 1e9,
           (unsigned long long)(l->received - before));
}

static bool packet_take(const char *text, struct packet *ret)
{
    char *hex;
    size_t len;

    ret->kind = (uint8_t)strtoul(text, &hex, 10);
    while (*hex == ' ')
        hex++;
    if (sodium_hex2bin(ret->p, BUF - DATA_MIN_LEN, hex, strlen(hex), NULL, &len, NULL))
        return false;
    ret->len = (uint16_t)len;
    return true;
}

static void command(struct liar *l, const char *line)
{
    unsigned n, rate, at, len, port;
    struct packet one;

    if (strncmp(line, "send ", 5) == 0 && packet_take(line + 5, &one)) {
        say(l, one.kind, one.p, one.len);
    } else if (strcmp(line, "sync") == 0) {
        wait_done(l);
        puts("sync");
    } else if (strncmp(line, "load ", 5) == 0 && l->n_load < LOAD_MAX &&
               packet_take(line + 5, &l->load[l->n_load])) {
        l->n_load++;
    } else if (strcmp(line, "clear") == 0) {
        l->n_load = 0;
    } else if (sscanf(line, "flood %u %u %u %u %u", &n, &rate, &at, &len, &port) == 5) {
        flood(l, n, rate, at, len, (uint16_t)port);
    } else if (strncmp(line, "watch ", 6) == 0) {
        l->watch = line[6] == '1';
    } else {
        die(line);
    }
    fflush(stdout);
}

/* One read of standard input; false at its end. */
static bool take_lines(struct liar *l)
{
    ssize_t n = read(STDIN_FILENO, l->line + l->line_len, sizeof(l->line) - l->line_len);
    if (n <= 0)
        return false;
    l->line_len += (size_t)n;
    for (char *nl; (nl = memchr(l->line, '\n', l->line_len));) {
        size_t used = (size_t)(nl - l->line) + 1;
        *nl = 0;
        command(l, l->line);
        l->line_len -= used;
        memmove(l->line, l->line + used, l->line_len);
    }
    if (l->line_len == sizeof(l->line))
        die("a line is too long");
    return true;
}

static void liar_open(struct liar *l, char **argv)
{
    struct udp_opts opts = { .rcvbuf = 16u << 20, .sndbuf = 16u << 20 };
    uint8_t priv[KEY_LEN];
    struct in_addr a;
    char err[256];

    if (inet_pton(AF_INET, argv[1], &a) != 1 ||
        !key_from_text(l->router_key, argv[3], strlen(argv[3])))
        die("usage: liar ROUTER_IP PORT ROUTER_KEY KEY_FILE");
    memcpy(l->router.ip.b, &a, sizeof(a));
    l->router.port = be16_of((uint16_t)strtoul(argv[2], NULL, 10));
    if (secret_read_file(argv[4], priv, err, sizeof(err)))
        die(err);
    identity_of(&l->self, priv);
    sodium_memzero(priv, sizeof(priv));
    if (udp_open(&l->udp, (struct endpoint){ 0 }, &opts))
        die("cannot open the socket");
    cookie_purse_init(&l->purse, l->router_key);
    keyset_init(&l->keys, ROLE_INITIATOR);
    l->load = need(calloc(LOAD_MAX, sizeof(*l->load)));
    l->buf = need(aligned_alloc(64, SLICE * BUF));
}

static void print_up(const struct liar *l)
{
    char mac[2 * MAC_LEN + 1], router[2 * MAC_LEN + 1], addr[INET6_ADDRSTRLEN] = "::";

    sodium_bin2hex(mac, sizeof(mac), l->set.mac.b, MAC_LEN);
    sodium_bin2hex(router, sizeof(router), l->set.router_mac.b, MAC_LEN);
    if (l->set.n_address)
        inet_ntop(AF_INET6, l->set.address[0].addr.b, addr, sizeof(addr));
    printf("up %s %s %s\n", mac, addr, router);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 5 || sodium_init() < 0)
        die("usage: liar ROUTER_IP PORT ROUTER_KEY KEY_FILE");
    struct liar *l = need(calloc(1, sizeof(*l)));
    liar_open(l, argv);
    log_in(l);
    print_up(l);
    while (!turn(l, mono_now() + RETRY, true) || take_lines(l))
        ;
    udp_close(l->udp);
    keyset_wipe(&l->keys);
    free(l->load);
    free(l->buf);
    free(l);
    return 0;
}
