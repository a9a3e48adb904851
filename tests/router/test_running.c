/* SPDX-License-Identifier: MIT */
/* test_running.c - who runs with a configuration: marks on its directory, of several processes */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "router/running.h"

static char dir[] = "/tmp/sixtap-running-XXXXXX";

static const char *at(const char *name)
{
    static char path[4][128];
    static unsigned i;
    char *p = path[i++ % 4];

    snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
    return p;
}

static void make(const char *name)
{
    FILE *f = fopen(at(name), "w");

    assert_non_null(f);
    fclose(f);
}

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    make("router.yaml");
    make("two.yaml");
    return symlink(at("router.yaml"), at("link.yaml"));
}

static int tear_down(void **state)
{
    static const char *const names[] = { "router.yaml", "two.yaml", "link.yaml" };

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        unlink(at(names[i]));
    return rmdir(dir);
}

static unsigned found(const char *name)
{
    pid_t pid[RUNNING_MAX];

    return running_find(at(name), pid);
}

static void one_router(void **state)
{
    struct running r;
    pid_t pid[RUNNING_MAX];

    (void)state;
    assert_int_equal(found("router.yaml"), 0);
    assert_int_equal(running_mark(&r, at("router.yaml")), 0);
    assert_int_equal(running_find(at("router.yaml"), pid), 1);
    assert_int_equal(pid[0], getpid());
    assert_int_equal(found("link.yaml"), 1);
    assert_int_equal(found("two.yaml"), 0);
    assert_int_equal(found("nowhere/two.yaml"), 0);
    /* the file is replaced, or gone */
    assert_int_equal(unlink(at("router.yaml")), 0);
    assert_int_equal(found("router.yaml"), 1);
    make("router.yaml");
    assert_int_equal(found("router.yaml"), 1);
    running_unmark(&r);
    assert_int_equal(found("router.yaml"), 0);
    running_unmark(&r);
    /* by a link: known by both names */
    assert_int_equal(running_mark(&r, at("link.yaml")), 0);
    assert_int_equal(found("router.yaml"), 1);
    assert_int_equal(found("link.yaml"), 1);
    running_unmark(&r);
    assert_true(running_mark(&r, at("nowhere/two.yaml")) < 0);
    running_unmark(&r);
}

/* Each holds its mark until its pipe is closed. */
static void several_routers(void **state)
{
    enum { N = 5 };
    pid_t child[N], pid[RUNNING_MAX];
    int hold[2], ready[2];
    char c;

    (void)state;
    assert_int_equal(pipe(hold) | pipe(ready), 0);
    for (unsigned i = 0; i < N; i++) {
        child[i] = fork();
        assert_true(child[i] >= 0);
        if (child[i] == 0) {
            struct running r;
            close(hold[1]);
            bool ok = running_mark(&r, at("router.yaml")) == 0 && write(ready[1], "x", 1) == 1;
            (void)!read(hold[0], &c, 1);
            _exit(!ok);
        }
        assert_int_equal(read(ready[0], &c, 1), 1);
        assert_int_equal(running_find(at("router.yaml"), pid), i + 1);
    }
    for (unsigned i = 0; i < N; i++) {
        unsigned seen = 0;
        for (unsigned k = 0; k < N; k++)
            seen += pid[k] == child[i];
        assert_int_equal(seen, 1);
    }
    close(hold[1]);
    for (unsigned i = 0; i < N; i++) {
        int status;
        assert_int_equal(waitpid(child[i], &status, 0), child[i]);
        assert_int_equal(status, 0);
    }
    assert_int_equal(found("router.yaml"), 0);
    close(hold[0]);
    close(ready[0]);
    close(ready[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(one_router),
        cmocka_unit_test(several_routers),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
