/* SPDX-License-Identifier: MIT */
/* moderate.c - fewer and fuller wake-ups while small packets come thick and fast */
#include "proto/host/moderate.h"

mono_ns moderate_pause(struct moderate *m, mono_ns now, unsigned n)
{
    mono_ns since = now - m->last;
    bool paused = m->paused;

    m->last = now;
    m->paused = false;
    if (since > n * (NS_PER_S / MODERATE_RATE)) {
        m->quick = paused ? -MODERATE_VAIN : 0;
        return 0;
    }
    if (m->quick < MODERATE_QUICK)
        m->quick++;
    m->paused = m->quick == MODERATE_QUICK && n <= MODERATE_MANY;
    return m->paused ? MODERATE_PAUSE : 0;
}
