/* SPDX-License-Identifier: MIT */
/* alive.c - keepalives that are answered */
#include "client/alive.h"

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
        a->rtt = time_since(now, a->asked);
}

void alive_ask(struct alive *a)
{
    a->ask = a->running;
}

mono_ns alive_deadline(const struct alive *a, const struct tunnel *tn)
{
    if (!a->running)
        return NEVER;
    if (a->ask)
        return 0;
    if (a->unanswered)
        return a->asked + KEEPALIVE_REPEAT;
    mono_ns suspect = a->data_since == NEVER ? NEVER : a->data_since + KEEPALIVE_SUSPECT;
    return time_earlier(tn->last_tx + a->interval, suspect);
}

bool alive_tick(struct alive *a, struct tunnel *tn, const struct turn *t, uint16_t mtu)
{
    if (t->now < alive_deadline(a, tn))
        return false;
    if (a->unanswered == KEEPALIVE_LOST) {
        a->running = false;
        return true;
    }
    const struct control c[] = {
        { .type = TLV_KEEPALIVE_REQ, .number = ++a->number },
        { .type = TLV_MTU_SET, .size = mtu },
    };
    /* One that cannot leave counts as well: the schedule must not spin. */
    tunnel_control(tn, t, c, mtu ? 2 : 1, 0);
    a->ask = false;
    a->asked = t->now;
    a->unanswered++;
    return false;
}
