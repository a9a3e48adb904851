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
    j->least_mtu = 0;
    j->n_small = 0;
    j->src = src;
    j->len = f->len;
    memcpy(j->packet, f->p, f->len);
    return DROP_NONE;
}

/* One copy; false when queue or arena are full and the member must be met again. */
static bool copy_to(struct cast_job *j, struct member *m, struct txq *q, struct out *out)
{
    if (j->len > m->mtu) {
        if (j->n_small++ == 0 || m->mtu < j->least_mtu)
            j->least_mtu = m->mtu;
        return true;
    }
    uint8_t *p = q->n < TXQ_MAX ? out_alloc(out, PKT_HEADROOM + j->len + PKT_TAILROOM) : NULL;
    if (!p)
        return false;
    memcpy(p + PKT_HEADROOM, j->packet, j->len);
    return txq_multicast(q, m, p + PKT_HEADROOM, j->len, j->src) == DROP_NONE;
}

/* Goes on with @j; true when it is done, false when the slice is used up. */
static bool job_run(struct cast *c, struct cast_job *j, const struct members *ms,
                    const struct groups *gs, struct txq *q, struct out *out)
{
    uint32_t group = groups_find(gs, j->group);

    if (group == GROUP_NONE)
        return true; /* the last listener has left */
    for (; j->next < ms->high; j->next++) {
        struct member *m = &ms->m[j->next];
        if (c->copies == CAST_COPIES || c->scanned == CAST_SCAN)
            return false;
        c->scanned++;
        if (j->next == j->from || !groups_listens(gs, j->next, group) || !m->live)
            continue;
        if (!copy_to(j, m, q, out))
            return false;
        c->copies++;
    }
    return true;
}

struct cast_job *cast_run(struct cast *c, const struct members *ms, const struct groups *gs,
                          struct txq *q, struct out *out, mono_ns now)
{
    if (now < c->due)
        return NULL;
    for (;;) {
        struct cast_job *j = &c->job[c->head];
        if (c->n == 0 || (!c->done && !job_run(c, j, ms, gs, q, out)))
            break;
        if (!c->done && j->n_small) {
            c->done = true;
            return j;
        }
        c->done = false;
        c->head = (c->head + 1) % CAST_JOBS;
        c->n--;
    }
    c->due = now + (c->copies + c->scanned / CAST_SCAN_PRICE) * CAST_COPY_TIME;
    c->copies = c->scanned = 0;
    return NULL;
}

mono_ns cast_deadline(const struct cast *c)
{
    return c->n ? c->due : NEVER;
}
