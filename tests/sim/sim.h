/* SPDX-License-Identifier: MIT */
/* sim.h - the real router engine and N real client engines in one process, on a clock of our own
 *
 * DOC: a world holds one router, its clients, the datagrams in flight between them, and a clock
 * that jumps to whatever is next: a datagram that arrives, a timer of the test, the deadline of an
 * engine. Everything random comes from one seed, so a failure can be run again.
 *
 *   kernel -- TAP -- client engine -- socket -- NAT --+-- pipe up ----> router engine -- TUN --
 * uplink
 *                                                     +-- pipe down <-
 *
 * Each client has a NAT of its own: a socket gets an outside endpoint when it sends first, and a
 * fresh one whenever the test says so (sim_rebind), or one the test has chosen (sim_force). The
 * kernel is tiny: it has the addresses the engine wants it to have, answers NS and echo requests,
 * and sends and counts numbered packets (struct sim_flow). An attacker is a test that looks at the
 * wire (w->tap) and injects what it likes.
 *
 * Whatever a test is about, the world always holds engines to this (sim_check.c):
 *   - LOGIN_REPLY, COOKIE and NUDGE answer one datagram each, to its sender, and are not longer;
 *   - an endpoint that has not shown that it hears the router gets at most 3x what came from it;
 *   - every datagram sent is well formed;
 *   - a deadline moves on when it is served: no engine keeps its loop busy;
 *   - every buffer lent is its own allocation with the room the interface promises and not an octet
 *     more, so that AddressSanitizer sees an overrun.
 */
#ifndef SIXTAP_TESTS_SIM_H
#define SIXTAP_TESTS_SIM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "client/engine.h"
#include "proto/mac.h"
#include "router/engine.h"

#define SIM_CLIENTS_MAX 64u
#define SIM_FLOWS_MAX   64u
#define SIM_SOCKBUF     (1u << 20) /* octets of payload that fit a kernel's 4 MiB of bookkeeping */
#define SIM_UPLINK      (-1)       /* in place of a client's number: the host behind the TUN */

struct sim;

struct sim_pipe { /* one direction of the network */
    double loss_pct, dup_pct;
    mono_ns delay_min, delay_max; /* drawn for each datagram, so a span reorders */
};

struct sim_dgram { /* on the wire, after the NAT of a client */
    struct endpoint from, to;
    uint16_t len;
    uint8_t *p;    /* len octets */
    bool frag;     /* without DF */
    bool forged;   /* an attacker's */
    bool answered; /* its sender had heard the router from that endpoint */
};

struct sim_spin { /* guard against a deadline that does not move */
    mono_ns at;
    unsigned n;
};

struct sim_router {
    struct router_config conf;
    struct router_client clients[SIM_CLIENTS_MAX];
    void *mem;
    struct router_engine *re; /* NULL: not running */
    mono_ns deadline;
    struct sim_spin spin;
    bool refuses; /* while not running: its host answers port unreachable */
    bool stopped; /* SIGSTOP: does nothing; what arrives waits in its socket */
    struct sim_dgram **wait;
    unsigned n_wait;
    size_t wait_octets;
    unsigned notices[NOTICE_DAD + 1];
};

struct sim_sock {
    bool open, mapped;
    uint32_t generation;
    uint16_t port;
    struct endpoint outside; /* when mapped */
    mono_ns used;            /* the last datagram through it, either way */
};

struct sim_client {
    struct sim *w;
    int id;
    struct client_config conf;
    struct client_engine *e; /* NULL: not running */
    mono_ns deadline;
    struct sim_spin spin;
    bool resolving;

    uint16_t outer_mtu; /* of its interface to the network */
    be32 ip;            /* outside address of its NAT */
    struct sim_sock sock[CLIENT_SOCKS];
    struct endpoint forced[8]; /* outside endpoints of the mappings to come */
    unsigned n_forced, used_forced;
    mono_ns nat_timeout; /* its NAT forgets a mapping that was idle for longer; 0 never */
    bool cut;            /* its line is dead, both ways */
    bool asleep;         /* its host is suspended: hears nothing, does nothing */

    struct device_want dev; /* as applied */
    mono_ns carrier_changed;
    unsigned n_carrier_off;

    unsigned events[EVENT_KINDS]; /* how often, and when last */
    mono_ns event_at[EVENT_KINDS];
    unsigned n_login_sent; /* LOGINs on the wire, by kind of trip */

    /* the kernel's */
    unsigned n_echo_replies, n_ra, n_na, n_ns, n_errors;
    mono_ns echo_at;
    struct mac na_mac; /* of the last NA */
    struct ip6 na_target;
    uint8_t na_flags;
};

struct sim_flow { /* numbered packets one way */
    int from, to; /* client, or SIM_UPLINK */
    mono_ns period, until;
    unsigned burst;                                   /* packets per period */
    unsigned pay_len;                                 /* octets of UDP payload, >= 16 */
    uint32_t n_sent, n_got, n_dup, n_late, n_refused; /* refused: no carrier */
    uint32_t highest;
    mono_ns got_at, gap; /* last arrival; longest silence between two */
    uint8_t *seen;
    uint32_t cap;
};

struct sim_place { /* what is known of an endpoint, for the rule of 3x */
    struct endpoint ep;
    uint64_t from, to; /* octets */
    bool hears, proven;
};

struct sim_event;

struct sim {
    mono_ns now;
    uint64_t seed, rng, seq;
    struct sim_pipe up, down;
    /* IPv4 packets longer than this are lost without a word if they carry DF; 0: none */
    unsigned mtu_up, mtu_down;
    bool no_fragments; /* and if they do not */
    bool trace;        /* SIM_TRACE is set: print what happens */
    mono_ns quantum;   /* arrivals are rounded up to a multiple, so that there are bursts */

    struct sim_event *heap;
    unsigned n_heap, cap_heap;

    struct sim_router router;
    struct sim_client *client[SIM_CLIENTS_MAX];
    unsigned n_clients;
    struct sim_flow flow[SIM_FLOWS_MAX];
    unsigned n_flows;
    unsigned next_port;
    struct out *spare[8]; /* not in use now; calls nest when a kernel answers */
    unsigned n_spare;

    struct sim_place *place;
    unsigned n_places, cap_places;

    /* what was seen */
    uint64_t n_type[8]; /* datagrams sent, by enum wire_type */
    uint64_t n_stray;   /* arrived where nobody is */
    uint64_t n_lost, n_duplicated, n_too_long;

    /* the test's eyes and hands; both may be NULL. tap: every datagram when it leaves (forged ones
     * not). filter: false loses it. stray: arrived where nobody is. */
    void (*tap)(struct sim *w, const struct sim_dgram *d);
    bool (*filter)(struct sim *w, const struct sim_dgram *d);
    void (*stray)(struct sim *w, const struct sim_dgram *d);
    void *arg;
};

/* sim_new() - a world with a router and @n clients that it knows; nothing runs yet, so that the
 * test can change w->router.conf and w->client[i]->conf. Delay 10 ms each way, no loss. */
struct sim *sim_new(uint64_t seed, unsigned n);
void sim_free(struct sim *w);

/* sim_add_twin() - one more client with the key of client @of, elsewhere */
struct sim_client *sim_add_twin(struct sim *w, unsigned of);

/* sim_router_start(), sim_client_start() - a new engine; sim_start() - all of them, now */
void sim_router_start(struct sim *w);
void sim_client_start(struct sim_client *c);
void sim_start(struct sim *w);

/* sim_router_kill(), sim_client_kill() - it is gone without a word; _stop(): with a goodbye */
void sim_router_kill(struct sim *w);
void sim_router_stop(struct sim *w);
void sim_client_kill(struct sim_client *c);
void sim_client_stop(struct sim_client *c);

/* sim_router_pause() - SIGSTOP: from now on what arrives waits, SIM_SOCKBUF octets of it, and what
 * comes to its TUN is lost; sim_router_continue() - SIGCONT: it reads all of it at once */
void sim_router_pause(struct sim *w);
void sim_router_continue(struct sim *w);

/* sim_run() - let @d pass; sim_until() - at most @limit, until @done says so: then true */
void sim_run(struct sim *w, mono_ns d);
bool sim_until(struct sim *w, bool (*done)(const struct sim *w), mono_ns limit);

/* sim_at() - call @fn at @at */
void sim_at(struct sim *w, mono_ns at, void (*fn)(struct sim *w, void *arg), void *arg);

/* sim_random() - a random word; sim_below() - 0..@n-1 */
uint64_t sim_random(struct sim *w);
uint64_t sim_below(struct sim *w, uint64_t n);
void sim_bytes(struct sim *w, void *p, size_t len);

/* sim_all_up() - is every running client logged in, with carrier? sim_up() - is this one? */
bool sim_all_up(const struct sim *w);
bool sim_up(const struct sim_client *c);

/* sim_member() - the router's member of @c's key; NULL when there is none */
const struct member *sim_member(const struct sim_client *c);

/* sim_consistent() - fails the test unless router and client agree: MAC, address, endpoint */
void sim_consistent(const struct sim_client *c);

/* sim_fail() - fail the test, naming seed and time */
void sim_fail(const struct sim *w, const char *fmt, ...)
    __attribute__((format(printf, 2, 3), noreturn));
#define sim_check(w, cond)                                                                         \
    do {                                                                                           \
        if (!(cond))                                                                               \
            sim_fail(w, "%s:%d: %s", __FILE__, __LINE__, #cond);                                   \
    } while (0)

/* sim_trace() - one line with the time, when SIM_TRACE is set in the environment */
void sim_trace(const struct sim *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* sim_seeds() - how many seeds to run: @n, or SIM_SEEDS of the environment */
unsigned sim_seeds(unsigned n);

/* ---- network ---- */

/* sim_inject() - a forged datagram that arrives after @delay for sure */
void sim_inject(struct sim *w, struct endpoint from, struct endpoint to, const uint8_t *p,
                size_t len, mono_ns delay);

/* sim_rebind() - the NAT forgets the mappings of @c: its next datagrams come from elsewhere */
void sim_rebind(struct sim_client *c);

/* sim_force() - the next new mapping of @c gets @ep (up to 8 may be waiting) */
void sim_force(struct sim_client *c, struct endpoint ep);

/* sim_outside() - the endpoint @c's DATA comes from; zero when it has sent nothing */
struct endpoint sim_outside(const struct sim_client *c);

struct endpoint sim_router_ep(const struct sim *w);
struct endpoint sim_ep(const char *ip, unsigned port);

/* ---- kernels ---- */

/* sim_flow() - @burst packets every @period for @life from client @from to client @to (or
 * SIM_UPLINK); its number */
unsigned sim_flow(struct sim *w, int from, int to, mono_ns period, unsigned burst, mono_ns life);

/* sim_flow_whole() - fails the test unless all that was sent arrived, each once */
void sim_flow_whole(const struct sim *w, unsigned flow);

/* sim_talk() - a packet every 100 ms from client 0 to 1 and back, and from the uplink to 0
 * sim_all_whole() - sim_flow_whole() of all flows */
void sim_talk(struct sim *w, mono_ns life);
void sim_all_whole(const struct sim *w);

/* sim_ping() - one echo request from @c's global address, or the link-local one to such a @dst */
void sim_ping(struct sim_client *c, struct ip6 dst);

/* sim_solicit() - a multicast NS for @target */
void sim_solicit(struct sim_client *c, struct ip6 target);

/* sim_global() - the address of client @id's kernel, or of the host behind the TUN */
struct ip6 sim_global(const struct sim *w, int id);

/* ---- between the files of the world ---- */

struct sim_event {
    mono_ns at;
    uint64_t seq;
    struct sim_dgram *d; /* a datagram arrives */
    void (*fn)(struct sim *w, void *arg);
    void *arg;
};

void sim_push(struct sim *w, struct sim_event ev);
bool sim_lost(struct sim *w, double pct);
void sim_entropy(struct sim *w, struct entropy *e);
struct out *sim_out(struct sim *w, size_t arena_len); /* an empty one, until sim_out_done() */
void sim_out_done(struct sim *w, struct out *o);

void sim_wire_up(struct sim_client *c, unsigned sock, const struct dgram *d);
void sim_wire_down(struct sim *w, const struct dgram *d);
void sim_arrive(struct sim *w, struct sim_dgram **d, unsigned n);
struct sim_client *sim_owner(const struct sim *w, struct endpoint ep, unsigned *ret_sock);

void sim_router_udp(struct sim *w, struct sim_dgram **d, unsigned n);
void sim_router_tun(struct sim *w, const uint8_t *ip, size_t len);
void sim_router_tick(struct sim *w);

void sim_client_udp(struct sim_client *c, unsigned sock, struct sim_dgram **d, unsigned n);
void sim_client_tap(struct sim_client *c, struct pkt *f, unsigned n);
void sim_client_tick(struct sim_client *c);
void sim_client_refused(struct sim_client *c, unsigned sock);

/* sim_kernel_frame() - @f came out of @c's TAP; answers go in by themselves */
void sim_kernel_frame(struct sim_client *c, const uint8_t *f, size_t len);
void sim_uplink_packet(struct sim *w, const uint8_t *ip, size_t len);

void sim_guard(const struct sim *w, struct sim_spin *s, mono_ns deadline, const char *who);
struct sim_place *sim_place(struct sim *w, struct endpoint ep);
struct sim_asked { /* what the router was given in one call */
    struct endpoint peer;
    uint16_t len;
    uint8_t type;
    bool used;
};
void sim_check_answers(struct sim *w, struct sim_asked *asked, unsigned n, const struct out *out);
void sim_check_octets(struct sim *w, const struct dgram *d);

#endif
