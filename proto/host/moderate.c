/* SPDX-License-Identifier: MIT */
/* moderate.c - fewer and fuller wake-ups while small packets come thick and fast */
#include "proto/host/moderate.h"

/* Do small packets come that fast, and too few of them at a time? */
static bool judge(struct moderate *m, mono_ns since, bool bulk)
{
    if (since > m->n * (NS_PER_S / MODERATE_RATE) || bulk) {
        if (m->paused)
            m->quick = -MODERATE_VAIN;
        else if (m->quick > 0)
            m->quick = 0;
        return false;
    }
    if (m->quick < MODERATE_QUICK)
        m->quick++;
    return m->quick == MODERATE_QUICK && m->n <= MODERATE_MANY;
}

mono_ns moderate_pause(struct moderate *m, mono_ns now)
{
    bool bulk = m->octets > MODERATE_BULK;
    bool small = judge(m, now - m->last, bulk);

    *m = (struct moderate){ .last = now, .quick = m->quick, .paused = small, .bulk = m->bulk };
    return small ? MODERATE_PAUSE : bulk ? m->bulk : 0;
}
