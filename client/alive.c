/* SPDX-License-Identifier: MIT */
/* alive.c - keepalives that are answered */
#include "client/alive.h"

#define ASK_PAUSE (100 * NS_PER_MS)

void alive_start(struct alive *a, unsigned keepalive_s, mono_ns now)
{
    a->running = true;
    a->interval = time_s(keepalive_s);
    a->heard = now;
    a->data_since = NEVER;
    a->unanswered = 0;
    a->ask = false;
}

void alive_stop(struct alive *a)
{
    a->running = false;
}

void alive_sent(struct alive *a, mono_ns now)
{
    if (a->data_since == NEVER)
        a->data_since = now;
}

void alive_heard(struct alive *a, mono_ns now)
{
    a->heard = now;
    a->data_since = NEVER;
    a->unanswered = 0;
}

void alive_answer(struct alive *a, uint64_t number, mono_ns now)
{
    if (number == a->number)
        a->rtt = time_since(now, a->numbered);
}

void alive_ask(struct alive *a)
{
    a->ask = a->running;
}

/* scheduled() - when the next request is due by itself */
static mono_ns scheduled(const struct alive *a, const struct tunnel *tn)
{
    if (a->unanswered)
        return a->asked + KEEPALIVE_REPEAT;
    mono_ns suspect = a->data_since == NEVER ? NEVER : a->data_since + KEEPALIVE_SUSPECT;
    return time_earlier(tn->last_tx + a->interval, suspect);
}

mono_ns alive_deadline(const struct alive *a, const struct tunnel *tn)
{
    if (!a->running)
        return NEVER;
    return time_earlier(scheduled(a, tn), a->ask ? a->ask_after : NEVER);
}

bool alive_tick(struct alive *a, struct tunnel *tn, const struct turn *t,
                const struct control *more, unsigned n)
{
    if (t->now < alive_deadline(a, tn))
        return false;
    bool due = t->now >= scheduled(a, tn) || a->unanswered == 0;
    if (due && a->unanswered == KEEPALIVE_LOST) {
        a->running = false;
        return true;
    }
    struct control c[3] = { { .type = TLV_KEEPALIVE_REQ, .number = ++a->number } };
    for (unsigned i = 0; i < n; i++)
        c[1 + i] = more[i];
    /* One that cannot leave counts as well: the schedule must not spin. */
    tunnel_control(tn, t, c, 1 + n, 0);
    if (a->ask)
        a->ask_after = t->now + ASK_PAUSE;
    a->ask = false;
    a->numbered = t->now;
    if (due) {
        a->asked = t->now;
        a->unanswered++;
    }
    return false;
}
