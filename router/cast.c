/* SPDX-License-Identifier: MIT */
/* cast.c - multicast packets on their way to many members */
#include "router/cast.h"

enum drop cast_add(struct cast *c, const struct frame *f, uint32_t from, struct mac src,
                   uint32_t group)
{
    if (f->len > CAST_PACKET)
        return DROP_TOO_BIG;
    if (c->n == CAST_JOBS)
        return DROP_MULTICAST_RATE;
    struct cast_job *j = &c->job[(c->head + c->n++) % CAST_JOBS];
    j->group = group;
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

bool cast_run(struct cast *c, const struct members *ms, const struct groups *gs, struct txq *q,
              struct out *out)
{
    unsigned copies = 0, scanned = 0;

    while (c->n > 0) {
        struct cast_job *j = &c->job[c->head];
        for (; j->next < ms->high; j->next++) {
            struct member *m = &ms->m[j->next];
            if (copies == CAST_COPIES || scanned++ == CAST_SCAN)
                return true;
            if (!m->live || j->next == j->from || !groups_listens(gs, j->next, j->group))
                continue;
            if (!copy_to(j, m, q, out))
                return true;
            copies++;
        }
        c->head = (c->head + 1) % CAST_JOBS;
        c->n--;
    }
    return false;
}
