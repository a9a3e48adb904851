/* SPDX-License-Identifier: MIT */
/* loop.h - libev with a deadline that notices suspend, signals, and readiness for systemd
 *
 * DOC: descriptors are watched with libev itself (loop.ev). libev's timers do not count suspended
 * time, so the one deadline of an engine lives in a timerfd on CLOCK_BOOTTIME, the clock of
 * mono_now(). It is armed anew only for an earlier deadline: a timer that fires too early costs one
 * call, a system call per burst would cost more.
 */
#ifndef SIXTAP_HOST_LOOP_H
#define SIXTAP_HOST_LOOP_H

#include <ev.h>

#include "proto/timers.h"

#define LOOP_SIGNALS_MAX 4

struct loop;
typedef void (*loop_deadline_fn)(void *ctx);
typedef void (*loop_signal_fn)(void *ctx, int signo);

struct loop {
    struct ev_loop *ev;
    void *ctx;
    /* private */
    loop_deadline_fn on_deadline;
    loop_signal_fn on_signal;
    struct ev_io timer;
    int timer_fd;
    mono_ns armed;
    struct ev_signal sig[LOOP_SIGNALS_MAX];
    unsigned n_sig;
};

/* loop_open() - @l becomes a loop; @on_deadline is called at the deadline and may be called before
 * it: it checks the time and sets the next. @l must not move in memory until loop_close(). Return:
 * 0; -errno */
int loop_open(struct loop *l, loop_deadline_fn on_deadline, loop_signal_fn on_signal, void *ctx);

/* loop_signal() - deliver @signo to on_signal from inside the loop. Return: 0; -ENOSPC */
int loop_signal(struct loop *l, int signo);

/* loop_deadline() - call on_deadline at @at (mono_now() clock); NEVER: none. In
 * the past: in the next round of the loop. A former, earlier one still fires; a call with nothing
 * earlier than what is armed costs nothing. After on_deadline nothing is armed. */
void loop_deadline(struct loop *l, mono_ns at);

/* loop_pause() - do nothing at all for @d nanoseconds (0: return at once), a signal ends it early.
 * For the pauses of moderate.h: nothing else is served meanwhile. */
void loop_pause(mono_ns d);

/* loop_run() - until loop_stop() */
void loop_run(struct loop *l);
void loop_stop(struct loop *l);

/* loop_close() - frees; the caller has stopped its own watchers. A zeroed structure is fine. */
void loop_close(struct loop *l);

/* loop_notify() - tell the service manager, e.g. "READY=1", "STOPPING=1", "STATUS=..."; nothing
 * happens when $NOTIFY_SOCKET is not set. Return: 1 told, 0 nobody to tell, -errno. Source:
 * sd_notify(3) */
int loop_notify(const char *state);

#endif
