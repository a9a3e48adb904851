/* SPDX-License-Identifier: MIT */
/* flood.c - an attacker without a membership: datagrams that are no DATA, LOGINs from forged
 * sources, DATA for nobody
 *
 * DOC: one packet socket's worth of sender, for namespaces and loopback only. Sources are written
 * into the IPv4 header (IP_HDRINCL), so any address can be claimed. POOL datagrams are made before
 * the clock starts and sent round; only addresses, ports and checksums are made while it runs. It
 * hears nothing: who runs it counts what comes back at the interface.
 *
 *   flood DESTINATION PORT SOURCES BITS[:N] KIND COUNT RATE ROUTER_KEY [KEY_FILE]
 *
 * SOURCES/BITS: a random address below this prefix is claimed by each datagram (32: always this
 * one); with N, one of N, the same in every run, in turns. RATE: datagrams a second, 0 as fast as
 * possible. KIND:
 *   junk     a mix of which nothing is well-formed DATA: random octets of every length 0..1472,
 *            truncated LOGINs, LOGINs with one bit flipped before MAC2 (so with a wrong MAC1), DATA
 *            with a wrong head or length, well-formed LOGIN_REPLY, COOKIE and NUDGE
 *   login    LOGINs with a valid MAC1; sealed by a key that the router does not know
 *   mac2     the same with random octets for MAC2
 *   genuine  LOGINs of the client whose private key is in KEY_FILE, never confirmed
 *   data     well-formed DATA, 32 octets, for indices that are hardly anybody's
 *
 * Prints one JSON object: datagrams and octets (UDP payload) sent, seconds.
 */
#include <arpa/inet.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <sodium.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#include "proto/cookie.h"
#include "proto/handshake.h"
#include "proto/host/clock.h"
#include "proto/host/secret.h"
#include "proto/seal.h"

#define POOL    4096u
#define BURST   32u
#define PAY_MAX 1472u
#define HDRS    28u

struct packet {
    uint16_t len; /* of the payload */
    uint32_t sum; /* its one's complement sum */
    uint8_t p[PAY_MAX];
};

static struct packet pool[POOL];
static uint64_t seed; /* another one each time: nobody's addresses come again in the next run */

static void die(const char *what)
{
    fprintf(stderr, "flood: %s\n", what);
    exit(1);
}

static uint32_t rnd(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 7;
    seed ^= seed << 17;
    return (uint32_t)(seed >> 16);
}

/* ---- the datagrams ---- */

static void make_login(struct packet *k, const struct identity *self, const uint8_t *router_key,
                       struct cookie_purse *purse)
{
    struct login_payload lp = { .software = "flood", .wanted_mtu = INNER_MTU_DEFAULT };
    struct hs_initiator hs;
    uint8_t eph[KEY_LEN];

    lp.n_ciphers = (uint8_t)seal_offer(lp.ciphers);
    randombytes_buf(eph, sizeof(eph));
    if (!handshake_login_write(&hs, self, router_key, eph, rnd() | 1u, &lp, k->p))
        die("no LOGIN");
    cookie_stamp(purse, k->p, 0);
    k->len = LOGIN_LEN;
}

/* One of nine kinds of what is no DATA; LOGINs come as @login is. */
static void make_junk(struct packet *k, const struct packet *login, unsigned i)
{
    static const uint16_t sizes[] = { LOGIN_REPLY_MIN, COOKIE_MSG_LEN, NUDGE_LEN };
    unsigned way = i % 9, n = 0;

    randombytes_buf(k->p, PAY_MAX);
    k->len = (uint16_t)(i / 9 % (PAY_MAX + 1));
    if (way >= 1 && way <= 3) { /* a LOGIN cut short, or a bit of it turned */
        memcpy(k->p, login->p, LOGIN_LEN);
        k->len = way == 1 ? (uint16_t)(i / 9 * 4 % LOGIN_LEN) : LOGIN_LEN;
        n = rnd() % ((LOGIN_LEN - MAC12_LEN) * 8);
        if (way > 1)
            k->p[n / 8] ^= (uint8_t)(1u << n % 8);
    } else if (way == 4 || way == 5) { /* DATA with one field of its head wrong, or too short */
        wire_put_data(k->p, KIND_HOST, rnd(), rnd());
        if (way == 4)
            k->p[1 + rnd() % 3] = (uint8_t)(5 + rnd() % 251);
        else
            k->len = (uint16_t)(rnd() % DATA_MIN_LEN);
    } else if (way >= 6) { /* what only a router sends */
        k->p[0] = (uint8_t)(way == 6 ? WIRE_LOGIN_REPLY : way == 7 ? WIRE_COOKIE : WIRE_NUDGE);
        k->p[1] = WIRE_VERSION;
        k->p[2] = k->p[3] = 0;
        k->len = sizes[way - 6];
    }
    if (wire_peek(k->p, k->len) == WIRE_DATA)
        k->p[0] = 0;
}

static void make(const char *kind, const uint8_t *router_key, const char *key_file)
{
    struct identity self;
    struct cookie_purse purse;
    struct packet login;
    uint8_t priv[KEY_LEN];

    randombytes_buf(priv, sizeof(priv));
    if (strcmp(kind, "genuine") == 0) {
        char text[KEY_TEXT_LEN] = "";
        FILE *f = key_file ? fopen(key_file, "r") : NULL;
        if (!f || fread(text, 1, KEY_TEXT_LEN - 1, f) != KEY_TEXT_LEN - 1 ||
            !key_from_text(priv, text, KEY_TEXT_LEN - 1))
            die("no key in KEY_FILE");
        fclose(f);
    }
    identity_of(&self, priv);
    cookie_purse_init(&purse, router_key);
    make_login(&login, &self, router_key, &purse);
    for (unsigned i = 0; i < POOL; i++) {
        struct packet *k = &pool[i];
        if (strcmp(kind, "junk") == 0) {
            if (i % 64 == 0)
                make_login(&login, &self, router_key, &purse);
            make_junk(k, &login, i);
        } else if (strcmp(kind, "data") == 0) {
            randombytes_buf(k->p, PAY_MAX);
            wire_put_data(k->p, KIND_HOST, rnd(), i);
            k->len = DATA_MIN_LEN;
        } else {
            make_login(k, &self, router_key, &purse);
            if (strcmp(kind, "mac2") == 0)
                randombytes_buf(k->p + LOGIN_LEN - MAC12_LEN, MAC12_LEN);
        }
    }
}

/* ---- sending ---- */

static uint32_t sum_of(const uint8_t *p, size_t len)
{
    uint32_t s = 0;

    for (size_t i = 0; i + 1 < len; i += 2)
        s += (uint32_t)p[i] << 8 | p[i + 1];
    return len % 2 ? s + ((uint32_t)p[len - 1] << 8) : s;
}

/* IPv4 and UDP before @k, HDRS octets; the kernel fills in identification and IPv4 checksum. */
static void put_headers(uint8_t *h, const struct packet *k, uint32_t src, uint32_t dst,
                        uint16_t port)
{
    uint16_t udp_len = (uint16_t)(k->len + 8u), sport = (uint16_t)(1024u + rnd() % 60000u);
    uint32_t s = k->sum + IPPROTO_UDP + 2u * udp_len + sport + port + (src >> 16) + (src & 0xffff) +
                 (dst >> 16) + (dst & 0xffff);

    while (s >> 16)
        s = (s & 0xffff) + (s >> 16);
    memset(h, 0, HDRS);
    h[0] = 0x45;
    be16_store(h + 2, (uint16_t)(k->len + HDRS));
    h[8] = 64;
    h[9] = IPPROTO_UDP;
    be32_store(h + 12, src);
    be32_store(h + 16, dst);
    be16_store(h + 20, sport);
    be16_store(h + 22, port);
    be16_store(h + 24, udp_len);
    be16_store(h + 26, (uint16_t)(s == 0xffff ? 0xffff : ~s));
}

struct sources {
    uint32_t base, low; /* low: the bits that are drawn */
    uint32_t n;         /* 0: drawn anew each time */
};

static struct sources sources_of(struct in_addr base, const char *text)
{
    char *end;
    unsigned long bits = strtoul(text, &end, 10);
    uint32_t low = bits >= 32 ? 0 : UINT32_MAX >> bits;

    return (struct sources){ .base = ntohl(base.s_addr) & ~low,
                             .low = low,
                             .n = *end == ':' ? (uint32_t)strtoul(end + 1, NULL, 10) : 0 };
}

/* The source of datagram @i. The odd factor scatters 0..n-1, two alike only among millions. */
static uint32_t source(const struct sources *s, uint64_t i)
{
    uint32_t drawn = s->n ? (uint32_t)(i % s->n) * UINT32_C(2654435761) >> 3 : rnd();

    return s->base | (drawn & s->low);
}

static void pause_until(mono_ns when)
{
    mono_ns now = mono_now();

    if (now < when) {
        struct timespec t = { .tv_sec = (time_t)((when - now) / NS_PER_S),
                              .tv_nsec = (long)((when - now) % NS_PER_S) };
        nanosleep(&t, NULL);
    }
}

int main(int argc, char **argv)
{
    struct sockaddr_in to = { .sin_family = AF_INET };
    struct in_addr base = { 0 };
    uint8_t router_key[KEY_LEN], head[BURST][HDRS];
    struct iovec iov[BURST][2];
    struct mmsghdr m[BURST];
    uint64_t octets = 0, sent = 0;

    if (argc < 9 || sodium_init() < 0 || inet_pton(AF_INET, argv[1], &to.sin_addr) != 1 ||
        inet_pton(AF_INET, argv[3], &base) != 1 ||
        !key_from_text(router_key, argv[8], strlen(argv[8])))
        die("usage: flood DESTINATION PORT SOURCES BITS[:N] junk|login|mac2|genuine|data COUNT "
            "RATE ROUTER_KEY [KEY_FILE]");
    randombytes_buf(&seed, sizeof(seed));
    seed |= 1;
    uint16_t port = (uint16_t)strtoul(argv[2], NULL, 10);
    struct sources from = sources_of(base, argv[4]);
    uint64_t count = strtoull(argv[6], NULL, 10), rate = strtoull(argv[7], NULL, 10);
    make(argv[5], router_key, argc > 9 ? argv[9] : NULL);
    for (unsigned i = 0; i < POOL; i++)
        pool[i].sum = sum_of(pool[i].p, pool[i].len);
    int fd = socket(AF_INET, SOCK_RAW, IPPROTO_RAW);
    int size = 4 << 20;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof(size)))
        die("no raw socket");
    memset(m, 0, sizeof(m));
    mono_ns start = mono_now();
    while (sent < count) {
        unsigned n = count - sent < BURST ? (unsigned)(count - sent) : BURST;
        for (unsigned i = 0; i < n; i++) {
            struct packet *k = &pool[(sent + i) % POOL];
            put_headers(head[i], k, source(&from, sent + i), ntohl(to.sin_addr.s_addr), port);
            iov[i][0] = (struct iovec){ head[i], HDRS };
            iov[i][1] = (struct iovec){ k->p, k->len };
            m[i].msg_hdr = (struct msghdr){
                .msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = iov[i], .msg_iovlen = 2
            };
            octets += k->len;
        }
        for (unsigned off = 0; off < n;) {
            int k = sendmmsg(fd, m + off, n - off, 0);
            if (k <= 0)
                die("cannot send");
            off += (unsigned)k;
        }
        sent += n;
        if (rate)
            pause_until(start + sent * NS_PER_S / rate);
    }
    printf("{\"sent\": %llu, \"octets\": %llu, \"seconds\": %.3f}\n", (unsigned long long)sent,
           (unsigned long long)octets, (double)time_since(mono_now(), start) / 1e9);
    return 0;
}
