/* SPDX-License-Identifier: MIT */
/* event.h - what happened, for the log: a small ring the engine fills and io.c drains
 *
 * DOC: engines do not log. They say what happened in numbers and addresses; io.c makes sentences of
 * it. No event comes per packet, and each is bounded in rate by the timer or the rule behind it.
 * When nobody drains the ring the oldest stay and the overflow is counted.
 */
#ifndef SIXTAP_CLIENT_EVENT_H
#define SIXTAP_CLIENT_EVENT_H

#include "proto/addr.h"
#include "proto/timers.h"

enum event_level {
    EVENT_DEBUG,
    EVENT_INFO,
    EVENT_WARN,
};

/* X(symbol, level, name): then what ep, mac, a and b are; what is not named is zero */
#define EVENT_LIST(X)                                                                              \
    X(LOGIN_SENT, DEBUG, "login_sent")        /* ep router; a LOGINs unanswered, b socket */       \
    X(SILENCE, WARN, "silence")               /* ep router; a LOGINs unanswered in a row */        \
    X(NO_ROUTER, DEBUG, "no_router")          /* the name gave no address; a which router */       \
    X(ROUTER_CHANGED, INFO, "router_changed") /* ep: the router tried from now on */               \
    X(COOKIE, DEBUG, "cookie")                /* ep router */                                      \
    X(REPLY_BAD, WARN, "reply_bad")           /* ep router: psk/join_secret or router_key wrong */ \
    X(REPLY_MALFORMED, WARN, "reply_malformed") /* ep router: opens but makes no sense */          \
    X(MAC_TAKEN, INFO, "mac_taken")       /* ep seen, mac; a answers so far, b next socket */      \
    X(REFUSED, WARN, "refused")           /* ep router; a enum refusal */                          \
    X(BUSY, WARN, "busy")                 /* ep router; a seconds until the next try */            \
    X(CONFIRM_LOST, WARN, "confirm_lost") /* ep router: CONFIRMs unanswered */                     \
    X(LOGIN_AGAIN, INFO, "login_again")   /* another client was faster */                          \
    X(LOGGED_IN, INFO, "logged_in")       /* ep seen by the router, mac; a ms since the start */   \
    X(REKEYED, DEBUG, "rekeyed")          /* new keys, same member */                              \
    X(MAC_CHANGED, INFO, "mac_changed")   /* mac: the new one */                                   \
    X(SETTINGS_CHANGED, INFO, "settings_changed") /* addresses, prefixes or routes */              \
    X(SETTINGS_REFUSED, WARN, "settings_refused") /* ep router: those of a live member stay */     \
    X(CARRIER, INFO, "carrier")                   /* a 1 on, 0 off */                              \
    X(MTU, INFO, "mtu")                           /* a inner MTU, b most it could be */            \
    X(FRAGMENT, WARN, "fragment")         /* a 1 large DATA travels in fragments, 0 no more */     \
    X(PATH_BLOCKED, WARN, "path_blocked") /* 1280 octets do not pass, not even in fragments */     \
    X(ROUTER_LOST, WARN, "router_lost")   /* ep router; a seconds since it was heard */            \
    X(ROUTER_BACK, INFO, "router_back")   /* heard again under the old keys */                     \
    X(NUDGE, INFO, "nudge")               /* ep router; a 0 NUDGE, 1 ICMP port unreachable */      \
    X(GOODBYE, WARN, "goodbye")           /* ep router; a enum goodbye */                          \
    X(KEYS_EXPIRED, WARN, "keys_expired") /* no keypair is left */                                 \
    X(HOLD_OVER, WARN, "hold_over")       /* a seconds without router: the network goes */

enum client_event_kind {
#define X(sym, level, name) EVENT_##sym,
    EVENT_LIST(X)
#undef X
        EVENT_KINDS
};

struct client_event {
    enum client_event_kind kind;
    mono_ns time;
    struct endpoint ep;
    struct mac mac;
    uint32_t a, b;
};

#define EVENTS_MAX 32u

struct events {
    struct client_event ring[EVENTS_MAX];
    unsigned first, n;
    uint64_t lost; /* did not fit */
};

/* event_add() - append @ev, or count it as lost */
void event_add(struct events *es, struct client_event ev);

/* event_take() - the oldest event; false when there is none */
bool event_take(struct events *es, struct client_event *ret);

/* event_name() - [a-z_]+, for logs and tests; event_level() - how loud it is by itself */
const char *event_name(enum client_event_kind kind);
enum event_level event_level(enum client_event_kind kind);

#endif
