/* SPDX-License-Identifier: MIT */
/* alive.h - keepalives that are answered: is the router still there?
 *
 * DOC: a keepalive is a request. It is sent when nothing was sent for the keepalive time, or when
 * data was sent and nothing heard for KEEPALIVE_SUSPECT; unanswered it is repeated every
 * KEEPALIVE_REPEAT; KEEPALIVE_LOST unanswered ones are a loss, once. Anything that opens under the
 * keys is an answer.
 *
 * alive_ask() sends one more at once, because the path may have changed. Such ones are limited in
 * rate, do not move the schedule of the others, and do not count as unanswered: an interface that
 * flaps must not look like a router that is gone.
 */
#ifndef SIXTAP_CLIENT_ALIVE_H
#define SIXTAP_CLIENT_ALIVE_H

#include "client/tunnel.h"

struct alive {
    bool running;
    mono_ns interval;
    mono_ns heard;      /* last DATA that opened */
    mono_ns data_since; /* first data sent since then; NEVER none */
    mono_ns asked;      /* last request */
    unsigned unanswered;
    uint64_t number;  /* of the last request, */
    mono_ns numbered; /* and when it left */
    bool ask;         /* a request is due at once, or ASK_PAUSE after the last of its kind */
    mono_ns ask_after;
    mono_ns rtt; /* of the last answered request; 0 unknown */
};

/* alive_start() - the router has just been heard; @keepalive_s 5..120 */
void alive_start(struct alive *a, unsigned keepalive_s, mono_ns now);

/* alive_stop() - no router to watch */
void alive_stop(struct alive *a);

/* alive_sent() - data (not control) was sent */
void alive_sent(struct alive *a, mono_ns now);

/* alive_heard() - a DATA opened under the keys */
void alive_heard(struct alive *a, mono_ns now);

/* alive_answer() - KEEPALIVE_ACK with @number: measures the round trip */
void alive_answer(struct alive *a, uint64_t number, mono_ns now);

/* alive_ask() - ask at the next tick (the path may have changed) */
void alive_ask(struct alive *a);

/* alive_tick() - send what is due
 * @more: @n (0..2) messages that go with each request, those without an answer of their own
 * Return: true when the router has just been lost; it is then stopped. */
bool alive_tick(struct alive *a, struct tunnel *tn, const struct turn *t,
                const struct control *more, unsigned n);

/* alive_deadline() - when alive_tick() has something to do; NEVER when stopped */
mono_ns alive_deadline(const struct alive *a, const struct tunnel *tn);

#endif
