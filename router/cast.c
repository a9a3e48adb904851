/* SPDX-License-Identifier: MIT */
/* cast.c - multicast packets on their way to many members */
#include "router/cast.h"

static unsigned jobs_of(const struct cast *c, uint32_t from)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n; i++)
        n += c->job[(c->head + i) % CAST_JOBS].from == from;
    return n;
}

enum drop cast_add(struct cast *c, const struct frame *f, uint32_t from, struct mac src)
{
    if (f->len > CAST_PACKET)
        return DROP_TOO_BIG;
    if (c->n == CAST_JOBS || jobs_of(c, from) == CAST_JOBS_EACH)
        return DROP_MULTICAST_RATE;
    struct cast_job *j = &c->job[(c->head + c->n++) % CAST_JOBS];
    j->group = f->dst;
    j->from = from;
    j->next = 0;
    j->src = src;
    j->len = f->len;
    memcpy(j->packet, f->p, f->len);
    return DROP_NONE;
}

/* One copy; false when queue or arena are full and the member must be met again. */
static bool copy_to(const struct cast_job *j, struct member *m, struct txq *q, struct out *out)
{
    if (j->len > m->mtu)
        return true;
    uint8_t *p = q->n < TXQ_MAX ? out_alloc(out, PKT_HEADROOM + j->len + PKT_TAILROOM) : NULL;
    if (!p)
        return false;
    memcpy(p + PKT_HEADROOM, j->packet, j->len);
    return txq_multicast(q, m, p + PKT_HEADROOM, j->len, j->src) == DROP_NONE;
}

struct slice {
    unsigned copies, scanned;
};

/* Goes on with @j; true when it is done, false when the slice is used up. */
static bool job_run(struct cast_job *j, struct slice *s, const struct members *ms,
                    const struct groups *gs, struct txq *q, struct out *out)
{
    uint32_t group = groups_find(gs, j->group);

    if (group == GROUP_NONE)
        return true; /* the last listener has left */
    for (; j->next < ms->high; j->next++) {
        struct member *m = &ms->m[j->next];
        if (s->copies == CAST_COPIES || s->scanned == CAST_SCAN)
            return false;
        s->scanned++;
        if (j->next == j->from || !groups_listens(gs, j->next, group) || !m->live)
            continue;
        if (!copy_to(j, m, q, out))
            return false;
        s->copies++;
    }
    return true;
}

void cast_run(struct cast *c, const struct members *ms, const struct groups *gs, struct txq *q,
              struct out *out, mono_ns now)
{
    struct slice s = { 0 };

    if (now < c->due)
        return;
    while (c->n > 0 && job_run(&c->job[c->head], &s, ms, gs, q, out)) {
        c->head = (c->head + 1) % CAST_JOBS;
        c->n--;
    }
    c->due = now + (s.copies + s.scanned / CAST_SCAN_PRICE) * CAST_COPY_TIME;
}

mono_ns cast_deadline(const struct cast *c)
{
    return c->n ? c->due : NEVER;
}
