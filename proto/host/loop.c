/* SPDX-License-Identifier: MIT */
/* loop.c - libev with a deadline that notices suspend, signals, and readiness for systemd */
#include "proto/host/loop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <sysexits.h>
#include <time.h>
#include <unistd.h>

#include "proto/host/log.h"

static void arm(struct loop *l, mono_ns at)
{
    struct itimerspec ts = { 0 };

    l->armed = at;
    if (at != NEVER) {
        mono_ns t = at ? at : 1; /* 0 would disarm it */
        ts.it_value.tv_sec = (time_t)(t / NS_PER_S);
        ts.it_value.tv_nsec = (long)(t % NS_PER_S);
    }
    /* cannot fail: the descriptor is ours, the nanoseconds are in range; centuries ahead are cut by
     * the kernel */
    (void)timerfd_settime(l->timer_fd, TFD_TIMER_ABSTIME, &ts, NULL);
}

static void on_timer(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct loop *l = w->data;
    uint64_t ticks;

    (void)ev;
    (void)revents;
    if (read(l->timer_fd, &ticks, sizeof(ticks)) < 0)
        return;
    l->armed = NEVER;
    l->on_deadline(l->ctx);
}

static void on_sig(struct ev_loop *ev, struct ev_signal *w, int revents)
{
    struct loop *l = w->data;

    (void)ev;
    (void)revents;
    l->on_signal(l->ctx, w->signum);
}

/* libev cannot go on without memory, and by itself would abort with a core dump. Its tables are
 * full grown soon after the start. The kernel takes back the devices. */
static void *grow(void *p, long octets)
{
    if (octets == 0) {
        free(p);
        return NULL;
    }
    void *to = realloc(p, (size_t)octets);
    if (!to) {
        log_error("out of memory: the event loop needs %ld octets; ending", octets);
        _exit(EX_OSERR);
    }
    return to;
}

int loop_open(struct loop *l, loop_deadline_fn on_deadline, loop_signal_fn on_signal, void *ctx)
{
    *l = (struct loop){
        .ctx = ctx,
        .on_deadline = on_deadline,
        .on_signal = on_signal,
        .armed = NEVER,
    };
    l->timer_fd = timerfd_create(CLOCK_BOOTTIME, TFD_NONBLOCK | TFD_CLOEXEC);
    if (l->timer_fd < 0)
        return -errno;
    ev_set_allocator(grow);
    l->ev = ev_loop_new(EVFLAG_AUTO | EVFLAG_NOENV);
    if (!l->ev) {
        close(l->timer_fd);
        return -ENOMEM;
    }
    /* a pause is as long as asked for, not 50 us more */
    (void)prctl(PR_SET_TIMERSLACK, 1);
    ev_io_init(&l->timer, on_timer, l->timer_fd, EV_READ);
    l->timer.data = l;
    ev_io_start(l->ev, &l->timer);
    return 0;
}

int loop_signal(struct loop *l, int signo)
{
    if (l->n_sig == LOOP_SIGNALS_MAX)
        return -ENOSPC;
    struct ev_signal *w = &l->sig[l->n_sig++];
    ev_signal_init(w, on_sig, signo);
    w->data = l;
    ev_signal_start(l->ev, w);
    return 0;
}

void loop_deadline(struct loop *l, mono_ns at)
{
    if (at < l->armed)
        arm(l, at);
}

void loop_pause(mono_ns d)
{
    struct timespec ts = { .tv_sec = (time_t)(d / NS_PER_S), .tv_nsec = (long)(d % NS_PER_S) };

    if (d > 0)
        (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

void loop_run(struct loop *l)
{
    ev_run(l->ev, 0);
}

void loop_stop(struct loop *l)
{
    ev_break(l->ev, EVBREAK_ALL);
}

void loop_close(struct loop *l)
{
    if (!l->ev)
        return;
    for (unsigned i = 0; i < l->n_sig; i++)
        ev_signal_stop(l->ev, &l->sig[i]);
    /* libev gave them back to the system; another one that comes now must not change how we end */
    for (unsigned i = 0; i < l->n_sig; i++)
        signal(l->sig[i].signum, SIG_IGN);
    ev_io_stop(l->ev, &l->timer);
    close(l->timer_fd);
    ev_loop_destroy(l->ev);
    *l = (struct loop){ .timer_fd = -1 };
}

int loop_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    if (!path || !path[0])
        return 0;
    size_t len = strlen(path);
    if ((path[0] != '@' && path[0] != '/') || len >= sizeof(sa.sun_path))
        return -EINVAL;
    memcpy(sa.sun_path, path, len);
    if (path[0] == '@')
        sa.sun_path[0] = '\0';
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    ssize_t done =
        sendto(fd, state, strlen(state), MSG_NOSIGNAL | MSG_DONTWAIT, (struct sockaddr *)&sa,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len));
    int rc = done < 0 ? -errno : 1;
    close(fd);
    return rc;
}
