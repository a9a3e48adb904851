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

static int set(const struct sched_attr *a)
{
    return syscall(SYS_sched_setattr, 0, a, 0) < 0 ? -errno : 0;
}

int priority_ask(enum priority want)
{
    struct sched_attr a = { .size = sizeof(a) };

    if (syscall(SYS_sched_getattr, 0, &a, sizeof(a), 0) < 0 || a.sched_policy != SCHED_NORMAL)
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
