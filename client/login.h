/* SPDX-License-Identifier: MIT */
/* login.h - how a client gets a keypair: tries, cookies, verdicts, collisions, confirmation
 *
 * DOC: one state at a time:
 *
 *     IDLE -> (RESOLVE ->) SENT -> CONFIRM -> IDLE
 *               ^           |  ^     |
 *               +-- PAUSE <-+--+-----+      silence, busy, refused, mac-taken; CONFIRMs unanswered
 *
 * A login travels outside, or for a rekey inside the live keypair. A LOGIN that meets silence is
 * sent once more octet for octet: an answer that is merely late still counts, and the router's
 * table holds one tentative keypair for both. The try after that is a new LOGIN. Once a LOGIN
 * carries a cookie every try is new: what its sealed cookie proves gets no better by repeating it,
 * and a router that asks for cookies takes a fresh LOGIN in place of the older one. A COOKIE is
 * answered at once, but only once per try, so two sides that disagree cannot chase each other.
 *
 * Collisions: a mac-taken answer is followed, MAC_TAKEN_PAUSE later, by a LOGIN from a new socket
 * that says how often that happened; at MAC_TAKEN_TRIES the router assigns a MAC. When a new socket
 * meets silence (a NAT without a free port) the last LOGIN leaves from the socket that had an
 * answer.
 *
 * Routers: the configuration lists one or more, each with a name, a key and maybe a secret of its
 * own. `which` is the one LOGINs go to, the tunnel's own `which` the one DATA goes to. A login
 * starts with the router that was used last (it may have restarted) and goes on, from the most
 * preferred down, when one does not answer, has no address, refuses or is full; when all had their
 * turn it starts over, and the back-off doubles per round, not per router. While a router that is
 * not the first is in use, a *probe* asks those before it, one LOGIN and its repetition each: it
 * leaves the live keypair alone until one of them says ok, and ends in silence.
 *
 * A way that stays silent may be broken for its ports alone (a NAT whose mapping leads nowhere,
 * kept alive by our own tries). So every LOGIN_FRESH_SOCK rounds without any answer the next LOGIN
 * leaves from a new socket; but
 * only when nobody uses the device any more (may_move), because behind a router that has restarted
 * a new port is a new MAC.
 *
 * The data path is not touched here: a keypair that is sent with now stays until the next is there.
 */
#ifndef SIXTAP_CLIENT_LOGIN_H
#define SIXTAP_CLIENT_LOGIN_H

#include "client/config.h"
#include "client/tunnel.h"
#include "proto/cookie.h"

#define CLIENT_SOCKS       4u
#define CLIENT_ROUTERS     16u
#define LOGIN_REFUSED_WAIT (15 * NS_PER_S)
#define LOGIN_BUSY_MIN_S   1u
#define LOGIN_BUSY_MAX_S   300u
#define LOGIN_INSIDE_TRIES 4u /* then a rekey leaves the live keypair and goes outside */
#define LOGIN_JITTER_PCT   20u
#define LOGIN_FRESH_SOCK   2u /* silent rounds after which LOGINs leave from another port */
#define LOGIN_RESOLVE_MAX  (10 * NS_PER_S) /* for a name, while there is another router to try */

enum login_state {
    LOGIN_IDLE,    /* nothing wanted; only login_start() leaves it */
    LOGIN_RESOLVE, /* no router address yet; login_routers() or its failure leaves it */
    LOGIN_SENT,    /* a LOGIN waits for LOGIN_REPLY or COOKIE until the deadline */
    LOGIN_PAUSE,   /* nothing waits; the next try is at the deadline */
    LOGIN_CONFIRM, /* the keypair is next; CONFIRMs go out until something opens under it */
};

struct login {
    const struct client_config *cfg;
    struct identity self;
    enum login_state state;
    bool inside;      /* this login travels in the live keypair */
    mono_ns started;  /* of this login, all its tries */
    mono_ns deadline; /* of the state */
    mono_ns sent;     /* the last LOGIN */
    mono_ns wanted;   /* last TAP traffic that found no router; NEVER none */

    unsigned which;                         /* of cfg->router: where LOGINs outside go */
    unsigned tried;                         /* bits: had their turn in this round */
    unsigned rounds;                        /* of silence, all routers */
    unsigned limit;                         /* the round has cfg->router[0..limit-1] */
    unsigned addresses_tried;               /* of this router, in this round */
    bool probing;                           /* this login asks the routers before tunnel's */
    bool fresh_sock;                        /* the next try leaves from another port */
    bool may_move;                          /* the device is down: another port costs nothing */
    mono_ns fail_back_at;                   /* the next probe; NEVER */
    struct endpoint router[CLIENT_ROUTERS]; /* addresses of cfg->router[which] */
    unsigned n_routers, cur;
    bool want_resolve;

    struct hs_initiator hs; /* of the LOGIN that waits */
    uint8_t msg[LOGIN_LEN]; /* the same, for one retransmission */
    bool waiting;           /* hs and msg are valid */
    bool repeatable;        /* msg may be sent again */
    bool bad_reply;         /* said already, for this LOGIN */
    bool cookie_answered;   /* in this try */
    struct cookie_purse purse[CLIENT_SOCKS];
    unsigned silent; /* LOGINs unanswered in a row */

    bool hurry;        /* TAP traffic and NUDGEs may end this PAUSE early */
    uint8_t sock;      /* LOGINs leave from here */
    uint8_t sock_good; /* the last one that had an answer */
    uint8_t sock_mask; /* open ones */
    uint32_t sock_generation[CLIENT_SOCKS];
    unsigned taken; /* mac-taken answers in this login */
    bool new_sock;  /* the next try opens one */

    struct endpoint back_router; /* where DATA went before the keypair in CONFIRM */
    uint8_t back_sock;
    unsigned back_which;
    struct settings settings; /* of the LOGIN_REPLY, valid in CONFIRM */
    unsigned confirms;        /* sent */
    size_t confirm_size;      /* of the big one; 0 none */
};

/* login_init() - nothing wanted, socket 0 open */
void login_init(struct login *l, const struct client_config *cfg, mono_ns now);

/* login_wipe() */
void login_wipe(struct login *l);

/* login_start() - begin at @when; a login under way is given up (the live keypair is not touched)
 * @inside: in the live keypair. Outside, the router's name is resolved anew. */
void login_start(struct login *l, struct tunnel *tn, bool inside, mono_ns now, mono_ns when);

/* login_probe() - begin to ask the routers before the tunnel's whether one is back; only from IDLE
 */
void login_probe(struct login *l, struct tunnel *tn, const struct turn *t);

/* login_probe_later() - the tunnel has a router: set fail_back_at, NEVER when it is the first */
void login_probe_later(struct login *l, const struct tunnel *tn, const struct turn *t);

/* login_next_router() - that one is not to be asked now: go on with the next of the list, if there
 * is one that had no turn yet */
bool login_next_router(struct login *l, const struct turn *t);

/* login_stop() - give up what is under way */
void login_stop(struct login *l);

/* login_kick() - there is a sign of the router: try now if waiting for the time to pass */
void login_kick(struct login *l, mono_ns now);

/* login_new_way() - the host's own address or route changed: what was silence until now says
 * nothing of the new way */
void login_new_way(struct login *l, mono_ns now);

/* login_starves() - is this a login outside that meets nothing but silence? */
bool login_starves(const struct login *l);

/* login_may_go_inside() - may a rekey start now: nothing is under way, or only a wait that the
 * router asked for and that does not hold inside */
bool login_may_go_inside(const struct login *l);

/* login_wanted() - TAP traffic found no router: tries come every LOGIN_WANTED_MAX */
void login_wanted(struct login *l, mono_ns now);

/* login_routers() - result of resolving the name of cfg->router[@which], @n 0: it failed. The list
 * replaces the former one; the address in use stays in use when it is on the new list. Ignored when
 * @which is not asked any more. */
void login_routers(struct login *l, unsigned which, const struct endpoint *eps, unsigned n,
                   const struct turn *t);

/* login_cookie() - a COOKIE (wire_peek() accepted it) came in on @d */
enum drop login_cookie(struct login *l, struct tunnel *tn, const struct turn *t,
                       const struct dgram *d);

/* login_reply() - a LOGIN_REPLY of @len octets
 * @from, @sock: where it came from; @inside: it was a control message under the live keypair
 * Verdict ok: the keypair is installed as next, tunnel and state are set, l->settings are filled;
 * the caller then sends the first CONFIRM by login_confirm(). */
enum drop login_reply(struct login *l, struct tunnel *tn, const struct turn *t, const uint8_t *msg,
                      size_t len, struct endpoint from, uint8_t sock, bool inside);

/* login_confirm() - send the CONFIRM that is due, with a big one of @size octets (0: none) before
 * it in the first CARRIER_WAIT; starts the schedule when it is called for the first time after
 * login_reply() */
void login_confirm(struct login *l, struct tunnel *tn, const struct turn *t, size_t size);

/* login_confirmed() - something opened under next: the login is over; other sockets may be closed
 */
void login_confirmed(struct login *l);

/* login_tick() - do what is due */
void login_tick(struct login *l, struct tunnel *tn, const struct turn *t);

/* login_deadline() */
mono_ns login_deadline(const struct login *l);

#endif
