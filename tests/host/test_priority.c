/* SPDX-License-Identifier: MIT */
/* test_priority.c - nice value and class, and who inherits them */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/capability.h>

#include <cmocka.h>

#include "proto/host/priority.h"
#include "proto/host/priv.h"

#define N(a) (sizeof(a) / sizeof((a)[0]))

struct row {
    const char *name;
    int before; /* nice value it was started with */
    int class;  /* and scheduling class */
    bool unprivileged;
    enum priority want;
    int after, child; /* nice values then */
    bool refused;
};

static int class_of_self(void)
{
    return sched_getscheduler(0) & ~SCHED_RESET_ON_FORK;
}

static bool realtime(int class)
{
    return class == SCHED_FIFO || class == SCHED_RR;
}

/* In a child: what is it like after @r? Exits with 0 when all is as the row says. */
static _Noreturn void child(const struct row *r)
{
    const struct sched_param level = { .sched_priority = realtime(r->class) };
    static const struct rlimit no_nice; /* or RLIMIT_NICE may allow it without the capability */

    if (setrlimit(RLIMIT_NICE, &no_nice) || setpriority(PRIO_PROCESS, 0, r->before) ||
        priv_keep((const int[]){ CAP_SYS_NICE }, !r->unprivileged))
        _exit(2);
    if (sched_setscheduler(0, r->class, &level))
        _exit(3);
    int err = priority_ask(r->want);
    if ((err != 0) != r->refused || (err && err != -EPERM && err != -EACCES))
        _exit(4);
    if (getpriority(PRIO_PROCESS, 0) != r->after || class_of_self() != r->class ||
        priority_realtime() != realtime(r->class))
        _exit(5);
    pid_t p = fork();
    if (p == 0)
        _exit(getpriority(PRIO_PROCESS, 0) == r->child && !priority_realtime() ? 0 : 6);
    int st;
    if (p < 0 || waitpid(p, &st, 0) != p)
        _exit(7);
    _exit(WIFEXITED(st) ? WEXITSTATUS(st) : 8);
}

/* Of a process @r that executes others. */
static _Noreturn void child_of_runner(const struct row *r)
{
    const struct sched_param level = { .sched_priority = realtime(r->class) };

    if (setpriority(PRIO_PROCESS, 0, r->before) || sched_setscheduler(0, r->class, &level))
        _exit(2);
    priority_ordinary();
    _exit(getpriority(PRIO_PROCESS, 0) != r->child || priority_realtime());
}

/* Root of a user namespace has the capability there and not where it counts. */
static bool can_be_nice(void)
{
    int st;
    pid_t p = fork();

    if (p == 0)
        _exit(getpriority(PRIO_PROCESS, 0) != 0 || setpriority(PRIO_PROCESS, 0, -1) != 0 ||
              sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){ .sched_priority = 1 }) != 0);
    return p > 0 && waitpid(p, &st, 0) == p && WIFEXITED(st) && WEXITSTATUS(st) == 0;
}

/* each row in a process of its own */
static void run_rows(void (*what)(const struct row *), const struct row *row, size_t n)
{
    if (!can_be_nice())
        skip();
    for (size_t i = 0; i < n; i++) {
        int st;
        pid_t p = fork();
        assert_true(p >= 0);
        if (p == 0)
            what(&row[i]);
        assert_int_equal(waitpid(p, &st, 0), p);
        if (!WIFEXITED(st) || WEXITSTATUS(st))
            fail_msg("%s: %d", row[i].name, WIFEXITED(st) ? WEXITSTATUS(st) : -1);
    }
}

static void test_rows(void **state)
{
    static const struct row rows[] = {
        { "high", 0, SCHED_OTHER, false, PRIORITY_HIGH, PRIORITY_NICE, 0, false },
        { "normal", 0, SCHED_OTHER, false, PRIORITY_NORMAL, 0, 0, false },
        { "started with nice 5: stays, and for what it executes too", 5, SCHED_OTHER, false,
          PRIORITY_HIGH, 5, 5, false },
        { "started with Nice=-5", -5, SCHED_OTHER, false, PRIORITY_HIGH, -5, 0, false },
        { "started with Nice=-5, normal", -5, SCHED_OTHER, false, PRIORITY_NORMAL, -5, 0, false },
        { "chrt --batch: stays", 0, SCHED_BATCH, false, PRIORITY_HIGH, 0, 0, false },
        { "chrt --fifo: stays, but not what it executes", 0, SCHED_FIFO, false, PRIORITY_HIGH, 0, 0,
          false },
        { "chrt --rr, normal", 0, SCHED_RR, false, PRIORITY_NORMAL, 0, 0, false },
        { "no privilege", 0, SCHED_OTHER, true, PRIORITY_HIGH, 0, 0, true },
        { "no privilege needed", 0, SCHED_OTHER, true, PRIORITY_NORMAL, 0, 0, false },
    };
    (void)state;
    run_rows(child, rows, N(rows));
}

static void test_ordinary(void **state)
{
    static const struct row rows[] = {
        { .name = "as it is", .class = SCHED_OTHER },
        { .name = "Nice=-5", .before = -5, .class = SCHED_OTHER },
        { .name = "nice 5 stays", .before = 5, .class = SCHED_OTHER, .child = 5 },
        { .name = "chrt --batch", .class = SCHED_BATCH },
        { .name = "chrt --fifo", .class = SCHED_FIFO },
        { .name = "chrt --rr with Nice=-5", .before = -5, .class = SCHED_RR },
    };
    (void)state;
    run_rows(child_of_runner, rows, N(rows));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
        cmocka_unit_test(test_ordinary),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
