/* SPDX-License-Identifier: MIT */
/* engine.h - the client: datagrams, frames and time in; datagrams, frames, wishes and a deadline
 * out
 *
 * DOC: pure. No socket, clock, heap, log or random number; `now` and entropy are arguments. It asks
 * for things instead of doing them: sockets (client_engine_sock), the router's addresses
 * (client_engine_want_resolve), the state of the device (client_engine_want), log lines
 * (client_engine_event). After every call that takes an `out` the caller does, in this order:
 *
 *   1. opens every socket that is wanted and not open, or open in another generation;
 *   2. applies client_engine_want() to the device, if its serial changed;
 *   3. writes out->pk to the TAP and sends out->dg (each through its .sock), then resets out;
 *   4. closes sockets that are not wanted any more; starts name resolution if it is wanted;
 *   5. drains events; sets its timer to client_engine_deadline().
 *
 * Entropy must be fresh in each call that takes it: 32 octets nobody else knows.
 */
#ifndef SIXTAP_CLIENT_ENGINE_H
#define SIXTAP_CLIENT_ENGINE_H

#include "client/alive.h"
#include "client/login.h"
#include "client/pmtu.h"
#include "client/want.h"
#include "proto/nd.h"

enum client_state {
    CLIENT_START, /* not logged in yet, or given up holding */
    CLIENT_UP,    /* logged in, the router answers as far as is known */
    CLIENT_HELD,  /* router lost; device unchanged while logging in anew */
    CLIENT_STOPPED,
};

/* plain struct, owned by the caller (about 10 KB), 16-aligned; members are private but for reading
 * in tests */
struct client_engine {
    const struct client_config *cfg;
    enum client_state state;
    struct tunnel tunnel;
    struct login login;
    struct alive alive;
    struct pmtu pmtu;
    struct device_want want;
    struct settings settings; /* of the last confirmed login or settings message */
    uint32_t settings_serial; /* bumped when they may have changed */
    bool settings_refused;    /* the last settings message was, and that has been told */
    mono_ns hold_until;       /* HELD: when the device is taken down */
    mono_ns carrier_at;       /* carrier comes on then at the latest; NEVER nothing waits */
    mono_ns withdraw_at;      /* carrier goes off then (after the last RA); NEVER */
    mono_ns nudge_after;      /* no NUDGE counts before */
    bool hint;                /* a port unreachable waits for the next tick */
    bool by_silence;          /* HELD: hearing the router again ends it */
    mono_ns up_since;
    uint8_t early[ETH_LEN + ND_PACKET_MAX]; /* frame with an advertisement that waits for carrier */
    uint16_t early_len;                     /* 0: none */
    bool fragment_said;                     /* the last EVENT_FRAGMENT */
    uint32_t mtu_told; /* last MTU_SET, and above it whether FRAGMENT went with it; 0 none */
    struct events events;
    uint64_t drop[DROP_COUNT];
    uint64_t tap_tx_packets, tap_tx_octets; /* from the TAP, sealed */
    uint64_t tap_rx_packets, tap_rx_octets; /* to the TAP */
    uint64_t logins, rekeys;
};

/* client_engine_init() - start: wants the router's name resolved, logs in as soon as it is
 * @cfg: kept; must outlive the engine */
void client_engine_init(struct client_engine *e, const struct client_config *cfg, mono_ns now);

/* client_engine_wipe() - forget keys */
void client_engine_wipe(struct client_engine *e);

/* client_engine_want_resolve() - shall a router's name be resolved (again)? True until
 * client_engine_router(), or until another one is wanted.
 * @which: of cfg->router */
bool client_engine_want_resolve(const struct client_engine *e, unsigned *which);

/* client_engine_router() - result of name resolution
 * @which: as client_engine_want_resolve() gave it; when it is not wanted any more nothing happens
 * @eps: @n endpoints (host's addresses with the configured port), 0: it failed, and is asked for
 * again later What follows from it is done by the next client_engine_tick(), which is then due. */
void client_engine_router(struct client_engine *e, unsigned which, const struct endpoint *eps,
                          unsigned n, mono_ns now);

/* client_engine_towards() - the address of the router that is asked or used now; zero: none yet */
struct endpoint client_engine_towards(const struct client_engine *e);

struct client_sock {
    bool wanted;
    uint32_t generation; /* another number: close it and open a new one */
    uint16_t port;       /* local port to bind, 0: any */
};

/* client_engine_sock() - what socket @i (0 .. CLIENT_SOCKS - 1) shall be */
struct client_sock client_engine_sock(const struct client_engine *e, unsigned i);

/* client_engine_udp() - datagrams came in
 * @in: 1..BURST_MAX, opened in place; nothing outside them is written
 * @out: frames for the TAP point into @in's buffers; answers lie in the arena (64 KB is plenty) */
void client_engine_udp(struct client_engine *e, mono_ns now, struct entropy *rnd, struct dgram *in,
                       unsigned n, struct out *out);

/* client_engine_tap() - frames came from the TAP
 * @in: 1..BURST_MAX Ethernet frames, sealed in place; headroom and tailroom are written
 * @out: datagrams point into @in's buffers; room for n descriptors is needed */
void client_engine_tap(struct client_engine *e, mono_ns now, struct entropy *rnd, struct pkt *in,
                       unsigned n, struct out *out);

/* client_engine_tick() - do what is due; harmless when nothing is */
void client_engine_tick(struct client_engine *e, mono_ns now, struct entropy *rnd, struct out *out);

/* client_engine_deadline() - when client_engine_tick() has something to do next; NEVER; may lie
 * before @now */
mono_ns client_engine_deadline(const struct client_engine *e, mono_ns now);

/* client_engine_refused() - ICMP port unreachable came for something sent to @peer through @sock:
 * counts as a NUDGE, no more */
void client_engine_refused(struct client_engine *e, unsigned sock, struct endpoint peer,
                           mono_ns now);

/* client_engine_path() - MTU of the interface that leads to the router; any time, at first before
 * the first tick */
void client_engine_path(struct client_engine *e, uint16_t outer_mtu, mono_ns now);

/* client_engine_too_long() - the kernel refused a datagram as too long (EMSGSIZE) */
void client_engine_too_long(struct client_engine *e, mono_ns now);

/* client_engine_network_changed() - an IPv4 address or route of the host changed: ask the router at
 * once */
void client_engine_network_changed(struct client_engine *e, mono_ns now);

/* client_engine_stop() - goodbye to the router; the device is to be taken down. Afterwards calls do
 * nothing. */
void client_engine_stop(struct client_engine *e, mono_ns now, struct entropy *rnd, struct out *out);

/* client_engine_want() - what the device should be; compare serial */
const struct device_want *client_engine_want(const struct client_engine *e);

/* client_engine_event() - the oldest event not yet taken; false: none */
bool client_engine_event(struct client_engine *e, struct client_event *ret);

/* client_state_name() - "logging_in", "up", "held", "stopped" */
const char *client_state_name(enum client_state s);

#endif
