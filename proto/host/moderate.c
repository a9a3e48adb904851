/* SPDX-License-Identifier: MIT */
/* moderate.c - fewer and fuller wake-ups while small packets come thick and fast */
#include "proto/host/moderate.h"

static mono_ns judge(struct moderate *m, mono_ns since)
{
    if (since > m->n * (NS_PER_S / MODERATE_RATE) || m->octets > MODERATE_BULK) {
        if (m->paused)
            m->quick = -MODERATE_VAIN;
        else if (m->quick > 0)
            m->quick = 0;
        return 0;
    }
    if (m->quick < MODERATE_QUICK)
        m->quick++;
    return m->quick == MODERATE_QUICK && m->n <= MODERATE_MANY ? MODERATE_PAUSE : 0;
}

mono_ns moderate_pause(struct moderate *m, mono_ns now)
{
    mono_ns pause = judge(m, now - m->last);

    *m = (struct moderate){ .last = now, .quick = m->quick, .paused = pause > 0 };
    return pause;
}
