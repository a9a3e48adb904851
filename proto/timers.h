/* SPDX-License-Identifier: MIT */
/* timers.h - the one time type, and arithmetic on deadlines
 *
 * DOC: time is monotonic nanoseconds (CLOCK_BOOTTIME, so that suspend is noticed), read once per
 * wake-up by the daemon and passed down. Deadlines stay private to the module that owns them; a
 * module offers x_deadline() and its owner takes the earliest.
 */
#ifndef SIXTAP_PROTO_TIMERS_H
#define SIXTAP_PROTO_TIMERS_H

#include <stdint.h>

typedef uint64_t mono_ns;

#define NS_PER_US ((mono_ns)1000)
#define NS_PER_MS ((mono_ns)1000000)
#define NS_PER_S  ((mono_ns)1000000000)
#define NEVER     ((mono_ns)UINT64_MAX)

/* time_ms(), time_s() - durations in nanoseconds */
static inline mono_ns time_ms(uint64_t ms)
{
    return ms * NS_PER_MS;
}

static inline mono_ns time_s(uint64_t s)
{
    return s * NS_PER_S;
}

/* time_earlier() - the earlier of two deadlines; NEVER is later than every other */
static inline mono_ns time_earlier(mono_ns a, mono_ns b)
{
    return a < b ? a : b;
}

/* time_since() - nanoseconds from @then to @now, 0 when @then lies ahead */
static inline mono_ns time_since(mono_ns now, mono_ns then)
{
    return now > then ? now - then : 0;
}

/* time_jitter() - @d scaled into [1 - pct/100, 1 + pct/100] by the random word @rnd
 * @pct: 0..100 */
static inline mono_ns time_jitter(mono_ns d, unsigned pct, uint32_t rnd)
{
    mono_ns span = d / 100 * pct;
    return d - span + (mono_ns)(((unsigned __int128)(2 * span) * rnd) >> 32);
}

#endif
