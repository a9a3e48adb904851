/* SPDX-License-Identifier: MIT */
/* fake_router.h - as much of a router as the client's tests need, and a fake clock to run both
 *
 * DOC: one client engine and one router that does what the test told it to, in one process.
 * Datagrams to the router arrive at once; answers take `rtt`. Nothing here is taken from router/:
 * it is a second reading of PROTOCOL.md.
 */
#ifndef SIXTAP_TESTS_CLIENT_FAKE_ROUTER_H
#define SIXTAP_TESTS_CLIENT_FAKE_ROUTER_H

#include "client/engine.h"

#define SENT_MAX   4096u
#define EVENT_MAX  1024u
#define FLIGHT_MAX 256u
#define BUF_LEN    9216u

struct fake_router {
    struct identity id;
    uint8_t psk[KEY_LEN];
    struct cookie_jar jar;
    struct settings settings; /* of a reply with verdict ok */
    struct keyset keys;
    struct keypair tentative;
    bool outside; /* it came from outside */
    /* behaviour, set by tests */
    bool mute;          /* answers nothing */
    bool mute_outside;  /* answers no LOGIN outside */
    bool mute_confirm;  /* never answers under a tentative keypair, nor promotes it */
    bool want_cookie;   /* COOKIE to LOGINs without MAC2 */
    bool always_cookie; /* COOKIE to every LOGIN */
    bool again;         /* LOGIN_AGAIN to the next confirmation */
    unsigned taken;     /* mac-taken to LOGINs that say fewer tries than this */
    uint8_t deaf_socks; /* LOGINs through these are lost (a NAT without ports) */
    enum verdict verdict;
    enum refusal reason;
    uint16_t backoff_s;
    unsigned path;      /* outer MTU: larger datagrams with DF are lost, both ways */
    unsigned path_down; /* if not 0: downward, and path upward only */
    bool no_fragments;  /* larger ones without DF are lost as well */
    bool one_way;       /* nothing arrives at the client */
    /* what it saw */
    unsigned logins, inside, confirms, big_confirms, keepalives, probes, goodbyes, data, nothing;
    unsigned keepalive_acks;
    unsigned frag_probes, mtu_sets;
    uint16_t mtu_set;
    bool fragment;                /* what MTU_SET and FRAGMENT said last */
    struct login_payload payload; /* of the last LOGIN */
    uint8_t msg[2][LOGIN_LEN];    /* the last two LOGINs */
    uint8_t reply[LOGIN_LEN];     /* to the last one */
    size_t reply_len;
    uint8_t last_hdr[DATA_HDR_LEN];
    enum wire_kind last_kind;
    uint8_t last_plain[BUF_LEN];
    size_t last_len;
};

struct flight { /* a datagram on its way to the client */
    mono_ns at;
    struct endpoint from;
    uint8_t sock;
    uint16_t len;
    uint8_t buf[PKT_HEADROOM + BUF_LEN + PKT_TAILROOM];
};

struct sent { /* a datagram of the client */
    mono_ns at;
    enum wire_type type;
    uint8_t sock, flags;
    uint16_t len;
    struct endpoint to;
};

struct world {
    struct client_config cfg;
    struct client_engine e;
    struct fake_router r;
    mono_ns now, rtt;
    struct entropy rnd, router_rnd;
    struct endpoint eps[4]; /* what the router's name resolves to */
    unsigned n_eps;
    struct endpoint second; /* likewise, of the second configured router */
    struct endpoint live;   /* the one the router answers at */
    unsigned resolves;
    bool slow_names; /* the first router's name is looked up for ever */
    struct flight flight[FLIGHT_MAX];
    unsigned n_flight;
    struct sent sent[SENT_MAX];
    unsigned n_sent;
    struct client_event event[EVENT_MAX];
    unsigned n_event;
    uint8_t frame[BUF_LEN]; /* the last frame for the TAP */
    size_t frame_len;
    unsigned frames;
    struct dgram dg[256];
    struct pkt pk[256];
    struct out out;
    uint8_t arena[65536];
};

/* world_init() - a client that has not been run yet and a router that would take it; psk set, hold
 * 30 s */
void world_init(struct world *w);
/* world_start() - client_engine_init() with w->cfg as it is now */
void world_start(struct world *w);
/* world_free() - wipes */
void world_free(struct world *w);
/* world_run() - let @d pass */
void world_run(struct world *w, mono_ns d);
/* world_login() - start and run until logged in with carrier; fails the test if that takes 2 s */
void world_login(struct world *w);
/* world_tap() - a frame of @len octets of IPv6 from the TAP to @dst */
void world_tap(struct world *w, struct mac dst, size_t len);
/* world_tick() - what io does after something happened: tick, flush, events */
void world_tick(struct world *w);
/* world_give() - a datagram for the client now */
void world_give(struct world *w, const uint8_t *p, size_t len, struct endpoint from, uint8_t sock);
/* world_count() - events of @kind so far; world_last() - the last one (fails the test if none) */
unsigned world_count(const struct world *w, enum client_event_kind kind);
const struct client_event *world_last(const struct world *w, enum client_event_kind kind);
/* world_sent() - datagrams of @type sent at or after @since */
unsigned world_sent(const struct world *w, enum wire_type type, mono_ns since);
/* world_sent_nth() - the @n-th (0 first) datagram of @type; fails the test if there is none */
const struct sent *world_sent_nth(const struct world *w, enum wire_type type, unsigned n);

/* router_control() - the router sends a control message under current */
void router_control(struct world *w, const struct control *c, size_t size);
/* router_data() - the router sends @len octets of plaintext of @kind */
void router_data(struct world *w, enum wire_kind kind, const uint8_t *p, size_t len);
/* router_restart() - the router forgets everything */
void router_restart(struct world *w);
/* ip6_packet() - an IPv6 packet of @len octets (no next header) at @p */
void ip6_packet(uint8_t *p, size_t len, struct ip6 src, struct ip6 dst);

#endif
