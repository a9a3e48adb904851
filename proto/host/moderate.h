/* SPDX-License-Identifier: MIT */
/* moderate.h - fewer and fuller wake-ups while small packets come thick and fast
 *
 * DOC: a wake-up costs the same for one packet as for thirty: the sender wakes us, the scheduler
 * switches, and each call of the kernel has its price. While packets come one by one faster than
 * MODERATE_RATE, a descriptor is therefore left alone for MODERATE_PAUSE after each wake-up, as
 * network cards do (adaptive interrupt moderation). It begins after MODERATE_QUICK wake-ups in a
 * row at such a rate and ends with the first one that is slower; if that is right after a pause,
 * which has then been in vain, it does not begin again before MODERATE_VAIN more. So a single
 * packet, or a few in a row, are never held up, and questions that wait for their answers hardly
 * ever, however short the way. What comes in large bursts anyway needs no pause and gets none.
 *
 * Pure: time is an argument; the caller sleeps (loop_pause()).
 */
#ifndef SIXTAP_HOST_MODERATE_H
#define SIXTAP_HOST_MODERATE_H

#include <stdbool.h>

#include "proto/timers.h"

#define MODERATE_RATE  20000u /* packets a second */
#define MODERATE_QUICK 4      /* wake-ups in a row at that rate before the first pause */
#define MODERATE_VAIN  64     /* so many more after a pause that brought too little */
#define MODERATE_MANY  64u    /* packets: a wake-up that brought more is full enough */
#define MODERATE_PAUSE (100 * NS_PER_US)

struct moderate { /* of one descriptor; zeroed at first */
    mono_ns last; /* when the wake-up before began */
    int quick;    /* so many in a row came at the rate; below 0: after a pause in vain */
    bool paused;  /* after the last one */
};

/* moderate_pause() - a wake-up of a descriptor has been dealt with
 * @now:    when it began, mono_now() clock; not before the one of the last call
 * @n:      packets it brought
 * Return: nanoseconds to leave the descriptor alone; 0: none */
mono_ns moderate_pause(struct moderate *m, mono_ns now, unsigned n);

#endif
