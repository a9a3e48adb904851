/* SPDX-License-Identifier: MIT */
/* priority.c - CPU time for who moves packets */
#include "proto/host/priority.h"

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/sched.h>
#include <linux/sched/types.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "proto/host/log.h"

const char *const priority_words[] = { "high", "normal", NULL };

static bool get(struct sched_attr *a)
{
    *a = (struct sched_attr){ .size = sizeof(*a) };
    return syscall(SYS_sched_getattr, 0, a, sizeof(*a), 0) == 0;
}

static int set(const struct sched_attr *a)
{
    return syscall(SYS_sched_setattr, 0, a, 0) < 0 ? -errno : 0;
}

static bool realtime(const struct sched_attr *a)
{
    return a->sched_policy == SCHED_FIFO || a->sched_policy == SCHED_RR;
}

bool priority_realtime(void)
{
    struct sched_attr a;

    return get(&a) && realtime(&a);
}

void priority_ordinary(void)
{
    struct sched_attr a;

    if (!get(&a) || (!realtime(&a) && a.sched_nice >= 0))
        return;
    if (realtime(&a))
        a.sched_policy = SCHED_NORMAL;
    a.sched_priority = 0;
    a.sched_nice = 0;
    a.sched_runtime = 0; /* the kernel's own slice */
    (void)set(&a);
}

int priority_ask(enum priority want)
{
    struct sched_attr a;

    if (!get(&a))
        return 0;
    if (realtime(&a)) {
        a.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
        (void)set(&a);
        return 0;
    }
    if (a.sched_policy != SCHED_NORMAL)
        return 0;
    a.sched_runtime = (uint64_t)PRIORITY_SLICE_MS * 1000 * 1000;
    a.sched_flags |= SCHED_FLAG_RESET_ON_FORK;
    if (want == PRIORITY_NORMAL || a.sched_nice != 0) {
        (void)set(&a);
        return 0;
    }
    a.sched_nice = PRIORITY_NICE;
    int err = set(&a);
    if (err == 0)
        return 0;
    log_info("priority: high: %s%s; scheduled as an ordinary program", strerror(-err),
             err == -EPERM || err == -EACCES ? " (needs CAP_SYS_NICE)" : "");
    a.sched_nice = 0;
    (void)set(&a);
    return err;
}
