/* SPDX-License-Identifier: MIT */
/* sim_check.c - what must hold in every test, whatever it is about */
#include "sim.h"

#define SPIN_MAX 6u /* ticks of one engine within a millisecond */

/* A deadline served must lie ahead; a few at the same time may be right (one leads to another). */
void sim_guard(const struct sim *w, struct sim_spin *s, mono_ns deadline, const char *who)
{
    if (w->now - s->at >= NS_PER_MS) {
        s->at = w->now;
        s->n = 0;
    }
    if (++s->n > SPIN_MAX)
        sim_fail(w, "%s is busy: %u ticks, deadline now %+lld ns", who, s->n,
                 (long long)(deadline - w->now));
}

struct sim_place *sim_place(struct sim *w, struct endpoint ep)
{
    /* The latest are asked for most often. */
    for (unsigned i = w->n_places; i-- > 0;)
        if (endpoint_eq(w->place[i].ep, ep))
            return &w->place[i];
    if (w->n_places == w->cap_places) {
        w->cap_places = w->cap_places ? 2 * w->cap_places : 64;
        w->place = realloc(w->place, w->cap_places * sizeof(*w->place));
        assert_non_null(w->place);
    }
    w->place[w->n_places] = (struct sim_place){ .ep = ep };
    return &w->place[w->n_places++];
}

static bool answers(const struct sim_asked *a, const struct dgram *d, enum wire_type type)
{
    enum wire_type to = type == WIRE_NUDGE ? WIRE_DATA : WIRE_LOGIN;

    return !a->used && a->type == to && endpoint_eq(a->peer, d->peer) && d->len <= a->len;
}

/* PROTOCOL.md 2: "No message before authentication is longer than its trigger." */
void sim_check_answers(struct sim *w, struct sim_asked *asked, unsigned n, const struct out *out)
{
    for (unsigned i = 0; i < out->n_dg; i++) {
        const struct dgram *d = &out->dg[i];
        enum wire_type type = wire_peek(d->p, d->len);
        unsigned k = 0;

        if (type == WIRE_DATA)
            continue;
        if (type == WIRE_LOGIN)
            sim_fail(w, "the router sent a LOGIN");
        while (k < n && !answers(&asked[k], d, type))
            k++;
        if (k == n)
            sim_fail(w, "message of type %u and %u octets that nothing asked for", (unsigned)type,
                     (unsigned)d->len);
        asked[k].used = true;
    }
}

/* PROTOCOL.md 8.2 */
void sim_check_octets(struct sim *w, const struct dgram *d)
{
    struct sim_place *p = sim_place(w, d->peer);

    p->to += d->len;
    if (!p->proven && p->to > AMPLIFY_FACTOR * p->from) {
        char text[EP_TEXT_LEN];
        sim_fail(w, "%llu octets to %s, which sent %llu and never answered",
                 (unsigned long long)p->to, endpoint_text(text, p->ep),
                 (unsigned long long)p->from);
    }
}
