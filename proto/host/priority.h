/* SPDX-License-Identifier: MIT */
/* priority.h - CPU time for who moves packets: longer slices, and ahead of ordinary programs
 *
 * DOC: whoever moves packets does best when it is left alone until it has emptied its queues, and
 * when it need not wait for programs that use what it brings. So a daemon asks the scheduler for
 * slices of PRIORITY_SLICE_MS and, with `priority: high`, for the nice value PRIORITY_NICE, the
 * weight of 9 ordinary processes. It never asks for a real-time class: under a
 * flood the host's other programs must get their share, here a tenth of a CPU.
 *
 * A nice value or class that the process was started with (nice(1), chrt(1); Nice=,
 * CPUSchedulingPolicy= of systemd) is somebody's decision and stays. In a real-time class packets
 * wait for no program, and bulk is held up for a moment so that batches stay large (moderate.h).
 *
 * Programs that a daemon executes, and its threads that do other things, are not ahead of anybody
 * (SCHED_FLAG_RESET_ON_FORK; runner.c, which forks before, calls priority_ordinary()).
 *
 * Nice values count within a control group, and, where the kernel has autogroups and no manager of
 * control groups, within a session; the units say CPUWeight= as well.
 *
 * Standards: sched(7), "Nice value", "SCHED_OTHER"; sched_setattr(2).
 */
#ifndef SIXTAP_HOST_PRIORITY_H
#define SIXTAP_HOST_PRIORITY_H

#include <stdbool.h>

#define PRIORITY_SLICE_MS 10u
#define PRIORITY_NICE     (-10)

enum priority {
    PRIORITY_HIGH,   /* the nice value and the slices */
    PRIORITY_NORMAL, /* the slices alone */
};

/* priority_words, PRIORITY_HELP - as in the configuration of both programs: by value, NULL-ended;
 * what the key is for */
extern const char *const priority_words[];
#define PRIORITY_HELP                                                                              \
    "high: CPU time ahead of ordinary programs, nice -10 if it was started with 0; normal: the "   \
    "nice value it was started with; systemd sets one, see Nice= and CPUWeight= of the unit"

/* priority_ask() - for the calling thread alone; before capabilities are given up (CAP_SYS_NICE). A
 * process that is no ordinary one any more (chrt) stays what it is; kernels before 6.12 do not know
 * slices. Logs when the nice value is refused. Return: 0; -EPERM, -EACCES: no privilege for it */
int priority_ask(enum priority want);

/* priority_realtime() - is the calling thread in a real-time class (SCHED_FIFO, SCHED_RR)? */
bool priority_realtime(void);

/* priority_ordinary() - the calling process executes programs: it leaves a real-time class, and a
 * nice value below 0 becomes 0 */
void priority_ordinary(void);

#endif
