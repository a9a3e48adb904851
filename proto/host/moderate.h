/* SPDX-License-Identifier: MIT */
/* moderate.h - fewer and fuller wake-ups while small packets come thick and fast
 *
 * DOC: a wake-up costs the same for one packet as for thirty: the sender wakes us, the scheduler
 * switches, and each call of the kernel has its price. While a descriptor brings small packets, few
 * at a time and faster than MODERATE_RATE, the daemon therefore sleeps for MODERATE_PAUSE after
 * each of its wake-ups, as network cards do (adaptive interrupt moderation). That begins after
 * MODERATE_QUICK wake-ups in a row at such a rate and ends with the first one that is slower; if
 * that is right after a pause, which has then been in vain, it does not begin again before
 * MODERATE_VAIN more quick ones. So a single packet, or a few in a row, are not held up, and one
 * question that waits for its answer hardly ever is, however short the way. What comes in large
 * bursts, a stream of TCP say, needs no pauses and gets none.
 *
 * A process in a real-time class is the exception (moderate_realtime()): it runs the moment its
 * first packet is there, ahead of the program that has just begun to send, so without a pause even
 * a stream would come in small pieces.
 *
 * All descriptors of the process wait meanwhile, so each that somebody keeps busy at such a rate
 * adds up to MODERATE_PAUSE to the time that packets of others take, and no more.
 *
 * Pure: time is an argument; the caller sleeps (loop_pause()).
 */
#ifndef SIXTAP_HOST_MODERATE_H
#define SIXTAP_HOST_MODERATE_H

#include <stdbool.h>
#include <stddef.h>

#include "proto/timers.h"

#define MODERATE_RATE       20000u /* packets a second */
#define MODERATE_QUICK      4      /* wake-ups in a row at it before the first pause */
#define MODERATE_VAIN       64     /* so many more after a pause that brought too little */
#define MODERATE_MANY       64u    /* packets: a wake-up that brought more needs no pause */
#define MODERATE_BULK       ((size_t)16 * 1024) /* octets: and this is no flood of small ones at all */
#define MODERATE_PAUSE      (100 * NS_PER_US)
#define MODERATE_BULK_PAUSE (80 * NS_PER_US) /* in a real-time class */

struct moderate {  /* of one descriptor; zeroed at first */
    mono_ns last;  /* when the wake-up before began */
    int quick;     /* so many in a row came at the rate; below 0: after a pause in vain */
    bool paused;   /* after the last one, for small packets */
    unsigned n;    /* packets of this wake-up so far */
    size_t octets; /* of them */
    mono_ns bulk;  /* pause after a wake-up that brought bulk */
};

/* moderate_realtime() - the process is in a real-time class; once, before the first wake-up */
static inline void moderate_realtime(struct moderate *m, bool yes)
{
    m->bulk = yes ? MODERATE_BULK_PAUSE : 0;
}

/* moderate_count() - @n more packets of @octets in all in this wake-up */
static inline void moderate_count(struct moderate *m, unsigned n, size_t octets)
{
    m->n += n;
    m->octets += octets;
}

/* moderate_pause() - a wake-up of the descriptor has been dealt with; what has been counted was its
 * @now: when it began, mono_now() clock; not before the one of the last call
 * Return: nanoseconds to sleep; 0: none */
mono_ns moderate_pause(struct moderate *m, mono_ns now);

#endif
