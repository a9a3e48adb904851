/* SPDX-License-Identifier: MIT */
/* test_priority.c - nice value, and who inherits it; each row in a process of its own */
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
    bool batch; /* and it is no ordinary process */
    bool unprivileged;
    enum priority want;
    int after, child; /* nice values then */
    bool refused;
};

/* In a child: what is it like after @r? Exits with 0 when all is as the row says. */
static _Noreturn void child(const struct row *r)
{
    static const struct sched_param none;
    static const struct rlimit no_nice; /* or RLIMIT_NICE may allow it without the capability */

    if (setrlimit(RLIMIT_NICE, &no_nice) || setpriority(PRIO_PROCESS, 0, r->before) ||
        priv_keep((const int[]){ CAP_SYS_NICE }, !r->unprivileged))
        _exit(2);
    if (r->batch && sched_setscheduler(0, SCHED_BATCH, &none))
        _exit(3);
    int err = priority_ask(r->want);
    if ((err != 0) != r->refused || (err && err != -EPERM && err != -EACCES))
        _exit(4);
    if (getpriority(PRIO_PROCESS, 0) != r->after)
        _exit(5);
    pid_t p = fork();
    if (p == 0)
        _exit(getpriority(PRIO_PROCESS, 0) == r->child ? 0 : 6);
    int st;
    if (p < 0 || waitpid(p, &st, 0) != p)
        _exit(7);
    _exit(WIFEXITED(st) ? WEXITSTATUS(st) : 8);
}

/* Root of a user namespace has the capability there and not where it counts. */
static bool can_be_nice(void)
{
    int st;
    pid_t p = fork();

    if (p == 0)
        _exit(getpriority(PRIO_PROCESS, 0) != 0 || setpriority(PRIO_PROCESS, 0, -1) != 0);
    return p > 0 && waitpid(p, &st, 0) == p && WIFEXITED(st) && WEXITSTATUS(st) == 0;
}

static void test_rows(void **state)
{
    static const struct row rows[] = {
        { "high", 0, false, false, PRIORITY_HIGH, PRIORITY_NICE, 0, false },
        { "normal", 0, false, false, PRIORITY_NORMAL, 0, 0, false },
        { "started with nice 5: stays, and for what it executes too", 5, false, false,
          PRIORITY_HIGH, 5, 5, false },
        { "started with Nice=-5", -5, false, false, PRIORITY_HIGH, -5, 0, false },
        { "started with Nice=-5, normal", -5, false, false, PRIORITY_NORMAL, -5, 0, false },
        { "chrt --batch: stays", 0, true, false, PRIORITY_HIGH, 0, 0, false },
        { "no privilege", 0, false, true, PRIORITY_HIGH, 0, 0, true },
        { "no privilege needed", 0, false, true, PRIORITY_NORMAL, 0, 0, false },
    };
    (void)state;
    if (!can_be_nice())
        skip();
    for (size_t i = 0; i < N(rows); i++) {
        int st;
        pid_t p = fork();
        assert_true(p >= 0);
        if (p == 0)
            child(&rows[i]);
        assert_int_equal(waitpid(p, &st, 0), p);
        if (!WIFEXITED(st) || WEXITSTATUS(st))
            fail_msg("%s: %d", rows[i].name, WIFEXITED(st) ? WEXITSTATUS(st) : -1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
