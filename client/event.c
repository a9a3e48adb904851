/* SPDX-License-Identifier: MIT */
/* event.c - the ring of events */
#include "client/event.h"

static const struct {
    const char *name;
    enum event_level level;
} kinds[EVENT_KINDS] = {
#define X(sym, level, name) { name, EVENT_##level },
    EVENT_LIST(X)
#undef X
};

void event_add(struct events *es, struct client_event ev)
{
    if (es->n == EVENTS_MAX) {
        es->lost++;
        return;
    }
    es->ring[(es->first + es->n++) % EVENTS_MAX] = ev;
}

bool event_take(struct events *es, struct client_event *ret)
{
    if (es->n == 0)
        return false;
    *ret = es->ring[es->first];
    es->first = (es->first + 1) % EVENTS_MAX;
    es->n--;
    return true;
}

const char *event_name(enum client_event_kind kind)
{
    return (unsigned)kind < EVENT_KINDS ? kinds[kind].name : "unknown";
}

enum event_level event_level(enum client_event_kind kind)
{
    return (unsigned)kind < EVENT_KINDS ? kinds[kind].level : EVENT_DEBUG;
}
