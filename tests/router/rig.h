/* SPDX-License-Identifier: MIT */
/* rig.h - a router engine on a fake clock with seeded entropy, and clients to talk to it
 *
 * DOC: rig_* drive the engine: each call delivers one burst (or one tick), empties what the call
 * before emitted, and checks what must hold after every call (router_check(), and that no message
 * outside DATA is longer than the longest that triggered it). guest_* are clients made of the
 * protocol's own parts and nothing else: no timers, no retries; a test says what is sent when.
 */
#ifndef SIXTAP_TESTS_ROUTER_RIG_H
#define SIXTAP_TESTS_ROUTER_RIG_H

#include "proto/cookie.h"
#include "proto/frame.h"
#include "proto/icmp6.h"
#include "proto/keypair.h"
#include "proto/mac.h"
#include "proto/nd.h"
#include "router/state.h"

#define N(a)       (sizeof(a) / sizeof((a)[0]))
#define T0         (1000 * NS_PER_S)
#define RIG_LISTED 40u
#define RIG_BUF    2304u /* octets of one received datagram */
#define RIG_OUT    512u
#define GUEST_GOT  64u

struct rig {
    struct router_config conf;
    struct router_client clients[RIG_LISTED];
    void *lent; /* NULL, or zeroed memory for the engine, 64-octet aligned, that is not freed */
    void *mem;
    struct router_engine *re;
    struct entropy e;
    mono_ns now;
    struct dgram in[BURST_MAX];
    unsigned n_in;
    struct out out;
    uint64_t before[DROP_COUNT]; /* drop counters before the last call */
    uint8_t (*buf)[RIG_BUF];
};

struct got { /* a DATA that opened at a guest */
    enum wire_kind kind;
    size_t len; /* of the plaintext, MAC of peer and multicast included */
    uint8_t p[RIG_BUF];
};

struct guest {
    struct identity id;
    uint8_t psk[KEY_LEN];
    struct endpoint ep;
    struct cookie_purse purse;
    struct entropy e;
    uint32_t index; /* of the last LOGIN */
    uint8_t tries;
    bool seal_cookie; /* repeat the purse's cookie inside LOGINs */
    uint8_t login[LOGIN_LEN];
    struct hs_initiator hs;
    bool waiting; /* for a LOGIN_REPLY */
    struct settings s;
    struct keyset keys;
    /* what the last guest_take() found */
    unsigned n_reply, n_cookie, n_nudge, n_got;
    size_t reply_len;
    uint8_t reply[LOGIN_REPLY_MAX];
    struct got got[GUEST_GOT];
};

/* rig_rounds() - @n, of which SIXTAP_ROUNDS per cent are run where each takes long (valgrind.sh) */
unsigned rig_rounds(unsigned n);

/* rig_defaults() - a configuration that works: 192.0.2.1:6464, 2001:db8:1::/64, stable, routed,
 * RIG_LISTED listed clients with the keys of guests 0.. ; the test changes what it wants, then
 * rig_start() */
void rig_defaults(struct rig *r);
void rig_start(struct rig *r);
void rig_free(struct rig *r);

/* the one most tests use, made by rig_defaults() and freed around each */
extern struct rig rig;
int rig_set_up(void **state);
int rig_tear_down(void **state);
#define RIG_ROW(f) cmocka_unit_test_setup_teardown(f, rig_set_up, rig_tear_down)

/* rig_queue() - a datagram for the next burst (copied); rig_run() - deliver what is queued */
void rig_queue(struct rig *r, struct endpoint from, const uint8_t *p, size_t len);
void rig_run(struct rig *r);
void rig_udp(struct rig *r, struct endpoint from, const uint8_t *p, size_t len);
void rig_tun(struct rig *r, const uint8_t *p, size_t len);
void rig_tick(struct rig *r);
unsigned rig_revoke(struct rig *r, const char *name, const uint8_t *key);
/* rig_wait() - move the clock on, ticking at every deadline on the way */
void rig_wait(struct rig *r, mono_ns d);

/* rig_tentatives() - unconfirmed keypairs; rig_indices() - indices in use, of members and of them
 */
unsigned rig_tentatives(const struct rig *r);
unsigned rig_indices(const struct rig *r);

/* rig_drops() - how often @why was counted in the last call */
uint64_t rig_drops(const struct rig *r, enum drop why);
/* rig_notices() - take all notices; how many were of @kind; the last of them in *ret (may be NULL)
 */
unsigned rig_notices(struct rig *r, enum notice_kind kind, struct notice *ret);
/* rig_octets_to() - octets of UDP payload the last call sent to @ep */
size_t rig_octets_to(const struct rig *r, struct endpoint ep);
/* rig_member() - the live member of @g, or NULL */
struct member *rig_member(const struct rig *r, const struct guest *g);

/* router_check() - every table, list and count of the engine agrees with every other; fails the
 * test if not */
void router_check(const struct router_engine *re);

/* guest_init() - guest @n (its key; those below RIG_LISTED are listed) behind @ip:@port */
void guest_init(struct guest *g, const struct rig *r, unsigned n, const char *ip, uint16_t port);
/* guest_login() - a new LOGIN into g->login */
void guest_login(struct guest *g, const struct rig *r);
/* guest_take() - read what the last call emitted to g->ep; installs keys when a reply with verdict
 * ok opens */
void guest_take(struct guest *g, const struct rig *r);
/* guest_take_inside() - the same for a LOGIN_REPLY that came inside; fails the test unless its
 * verdict is ok */
void guest_take_inside(struct guest *g, const struct rig *r, const struct control *c);
/* guest_seal() - a DATA of @len octets of plaintext into @out; returns its length */
size_t guest_seal(struct guest *g, const struct rig *r, enum wire_kind kind, const uint8_t *plain,
                  size_t len, uint8_t *out);
/* guest_send() - seal, deliver alone, take */
void guest_send(struct guest *g, struct rig *r, enum wire_kind kind, const uint8_t *plain,
                size_t len);
/* guest_control() - the same for one control message, padded to @total octets of datagram (0: not)
 */
void guest_control(struct guest *g, struct rig *r, const struct control *c, size_t total);
size_t guest_seal_control(struct guest *g, const struct rig *r, const struct control *c,
                          size_t total, uint8_t *out);
/* guest_ask() - new LOGIN, delivered, answer taken; guest_join() - that, and confirmed: a member at
 * the end */
void guest_ask(struct guest *g, struct rig *r);
void guest_join(struct guest *g, struct rig *r);
/* guest_confirm() - the small CONFIRM, delivered, taken */
void guest_confirm(struct guest *g, struct rig *r);
/* guest_rejoin() - new keys by a LOGIN from outside, notices taken; guest_rekey() - inside the live
 * keypair */
void guest_rejoin(struct guest *g, struct rig *r);
void guest_rekey(struct guest *g, struct rig *r);
/* guest_ip() - send an IPv6 packet as @kind, @mac before it unless host */
void guest_ip(struct guest *g, struct rig *r, enum wire_kind kind, struct mac mac,
              const uint8_t *ip, size_t len);
/* guest_has_control() - how many control messages of @type were among the last got; the last in
 * *ret (may be NULL) */
unsigned guest_has_control(const struct guest *g, enum tlv_type type, struct control *ret);
/* guest_packet() - the first IPv6 packet got whose ICMPv6 type is @type (-1: any); NULL when none
 */
const uint8_t *guest_packet(const struct guest *g, int type, size_t *ret_len);

struct endpoint ep_of(const char *ip, uint16_t port);
struct ip6 ip6_of(const char *text);
/* guest_ll(), guest_addr() - its link-local and its assigned address */
struct ip6 guest_ll(const struct guest *g);
struct ip6 guest_addr(const struct guest *g);

/* put_udp6() - IPv6 and UDP of @len octets in all (>= 48), hop limit 64; put_echo6() - an echo
 * request of @len octets
 * (>= 48) */
size_t put_udp6(uint8_t *out, struct ip6 src, struct ip6 dst, size_t len);
size_t put_echo6(uint8_t *out, struct ip6 src, struct ip6 dst, size_t len);
/* put_icmp6() - ICMPv6 @type of @len octets in all, zero body, hop limit @hl, right checksum */
size_t put_icmp6(uint8_t *out, struct ip6 src, struct ip6 dst, uint8_t type, uint8_t hl,
                 size_t len);

#endif
