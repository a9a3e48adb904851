/* SPDX-License-Identifier: MIT */
/* clock.h - the one clock, and the randomness of one wake-up
 *
 * DOC: a daemon reads both once per wake-up and hands them down; nothing below reads them again.
 * CLOCK_BOOTTIME goes on during suspend, so a laptop that wakes up sees its deadlines passed.
 */
#ifndef SIXTAP_HOST_CLOCK_H
#define SIXTAP_HOST_CLOCK_H

#include <sodium.h>
#include <time.h>

#include "proto/entropy.h"
#include "proto/timers.h"

/* mono_now() - nanoseconds since boot, suspend included; cannot fail on Linux >= 2.6.39 */
static inline mono_ns mono_now(void)
{
    struct timespec ts = { 0 };

    clock_gettime(CLOCK_BOOTTIME, &ts);
    return (mono_ns)ts.tv_sec * NS_PER_S + (mono_ns)ts.tv_nsec;
}

/* entropy_fill() - 32 fresh octets from the kernel into @e; sodium_init() has been called */
static inline void entropy_fill(struct entropy *e)
{
    randombytes_buf(e->seed, sizeof(e->seed));
}

/* Randomness for one wake-up after another. */
struct entropy_source {
    struct entropy e;
    mono_ns filled; /* 0: never */
};

#define ENTROPY_RENEW (1 * NS_PER_S)

/* entropy_at() - entropy for a wake-up at @now
 * Reading the kernel's randomness in each would cost a system call per burst. What was drawn cannot
 * be computed from what is left (entropy.h), so one reading serves for a second. */
static inline struct entropy *entropy_at(struct entropy_source *s, mono_ns now)
{
    if (s->filled == 0 || time_since(now, s->filled) >= ENTROPY_RENEW) {
        entropy_fill(&s->e);
        s->filled = now;
    }
    return &s->e;
}

#endif
