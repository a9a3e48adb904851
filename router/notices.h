/* SPDX-License-Identifier: MIT */
/* notices.h - what an operator wants to know, as values; the daemon turns them into log lines
 *
 * DOC: the engine does not log. It appends to this ring, and io drains it after each call, with a
 * limit on kinds a stranger can cause. When the ring is full the newest are lost and counted.
 */
#ifndef SIXTAP_ROUTER_NOTICES_H
#define SIXTAP_ROUTER_NOTICES_H

#include "proto/addr.h"
#include "proto/timers.h"

enum notice_kind {
    NOTICE_LOGIN,       /* a member is there */
    NOTICE_RELOGIN,     /* the key of a live member logged in anew from outside */
    NOTICE_LOGOUT,      /* reason: enum logout */
    NOTICE_COLLISION,   /* the MAC of ep is held by other; the client was told to move, try `number`
                         */
    NOTICE_ASSIGNED,    /* no free MAC was found in the tries; mac was assigned */
    NOTICE_UNKNOWN_KEY, /* key */
    NOTICE_REFUSED,     /* reason: enum refusal */
    NOTICE_BUSY,        /* all member slots taken */
    NOTICE_AGAIN,       /* lost a race between login and confirmation */
    NOTICE_MOVED,       /* endpoint changed to ep */
    NOTICE_CLONED,      /* logins come from two places by turns: two hosts have one key */
    NOTICE_UNBOUND,     /* addr was not used for long */
    NOTICE_BOUND,       /* addr learned */
    NOTICE_DAD,         /* addr is other's: duplicate address detection answered */
    NOTICE_FLOOD,       /* so much discovery that it is not received for a while (shun.h) */
};

enum logout {
    LOGOUT_GOODBYE,
    LOGOUT_SILENT,
    LOGOUT_KEYS, /* no usable keypair left */
    LOGOUT_STOP,
    LOGOUT_REMOVED, /* listed no more */
    LOGOUT_PSK,     /* it has a psk, or another one, from now on */
};

#define NOTICE_NOBODY UINT32_MAX

struct notice {
    enum notice_kind kind;
    uint32_t client; /* place in the roster, NOTICE_NOBODY for keys not listed */
    uint32_t other;  /* likewise, the other party */
    bool has_other;  /* NOTICE_DAD: other_key is the holder's; false: it is the router's */
    uint8_t key[KEY_LEN], other_key[KEY_LEN];
    struct endpoint ep;
    struct mac mac, other_mac;
    struct ip6 addr;
    unsigned reason, number;
};

#define NOTICES_MAX 128u

struct notices {
    struct notice v[NOTICES_MAX];
    unsigned head, n;
    uint64_t lost;
};

/* notice_add() - append an event to fill in; a scratch one when the ring is full */
static inline struct notice *notice_add(struct notices *es, enum notice_kind kind)
{
    static struct notice scratch;
    struct notice *e = &scratch;

    if (es->n < NOTICES_MAX)
        e = &es->v[(es->head + es->n++) % NOTICES_MAX];
    else
        es->lost++;
    memset(e, 0, sizeof(*e));
    e->kind = kind;
    e->client = e->other = NOTICE_NOBODY;
    return e;
}

/* notice_next() - take the oldest; false when there is none */
static inline bool notice_next(struct notices *es, struct notice *ret)
{
    if (es->n == 0)
        return false;
    *ret = es->v[es->head];
    es->head = (es->head + 1) % NOTICES_MAX;
    es->n--;
    return true;
}

#endif
