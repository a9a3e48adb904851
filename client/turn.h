/* SPDX-License-Identifier: MIT */
/* turn.h - one call of the client's engine: the time, fresh entropy, and where results go
 *
 * DOC: every public call of the engine makes one and hands it down, so that modules need no global
 * state and none of them keeps a pointer beyond the call.
 */
#ifndef SIXTAP_CLIENT_TURN_H
#define SIXTAP_CLIENT_TURN_H

#include "client/event.h"
#include "proto/burst.h"
#include "proto/drop.h"
#include "proto/entropy.h"

struct turn {
    mono_ns now;
    struct entropy *rnd;
    struct out *out;
    struct events *events;
    uint64_t *drop; /* DROP_COUNT counters */
};

/* turn_drop() - count @n packets dropped for @why */
static inline void turn_drop(const struct turn *t, enum drop why, unsigned n)
{
    t->drop[why] += n;
}

/* turn_event() - append @ev with the time of the turn */
static inline void turn_event(const struct turn *t, struct client_event ev)
{
    ev.time = t->now;
    event_add(t->events, ev);
}

#endif
