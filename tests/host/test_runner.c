/* SPDX-License-Identifier: MIT */
/* test_runner.c - programs in a process of their own: what they get, how they end, what they may */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/host/runner.h"

#define PATIENCE_MS 20000

static struct runner *r;
static char dir[] = "/tmp/test_runner.XXXXXX", out_file[64];

static int setup(void **state)
{
    (void)state;
    strcpy(dir + strlen(dir) - 6, "XXXXXX");
    if (!mkdtemp(dir))
        return -1;
    snprintf(out_file, sizeof(out_file), "%s/out", dir);
    return runner_open(&r);
}

static int teardown(void **state)
{
    char cmd[128];

    (void)state;
    runner_close(r);
    r = NULL;
    snprintf(cmd, sizeof(cmd), "rm -rf %s", dir);
    return system(cmd);
}

/* post() - run @script by sh with the arguments $1 = out_file */
static void post(uint32_t id, const char *script, uint32_t limit_ms, enum runner_caps caps,
                 const char *const *variable, const char *input)
{
    const char *const argv[] = { "/bin/sh", "-c", script, "sh", out_file, NULL };
    const struct runner_job job = { id, limit_ms, caps, argv, variable, input };
    uint8_t msg[RUNNER_MSG_MAX];
    size_t len = runner_pack(&job, msg);

    assert_true(len > 0);
    assert_int_equal(runner_post(r, msg, len), 0);
}

static int await(struct runner_result *ret)
{
    struct pollfd p = { .fd = runner_fd(r), .events = POLLIN };

    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    return runner_result(r, ret);
}

static const char *output(void)
{
    static char text[4096];
    FILE *f = fopen(out_file, "r");

    if (!f)
        return "";
    size_t n = fread(text, 1, sizeof(text) - 1, f);
    fclose(f);
    text[n] = '\0';
    return text;
}

static void results(void **state)
{
    static const struct {
        const char *script;
        int code, sig;
    } rows[] = { { "exit 0", 0, 0 }, { "exit 7", 7, 0 }, { "kill -9 $$", 0, SIGKILL } };
    struct runner_result got;

    (void)state;
    assert_int_equal(runner_result(r, &got), 0);
    for (uint32_t i = 0; i < 3; i++)
        post(i, rows[i].script, PATIENCE_MS, RUNNER_ALL_CAPS, NULL, NULL);
    for (uint32_t i = 0; i < 3; i++) { /* one after another, in order */
        assert_int_equal(await(&got), 1);
        assert_int_equal(got.id, i);
        assert_int_equal(got.error, 0);
        assert_false(got.too_long);
        if (rows[i].sig)
            assert_int_equal(WTERMSIG(got.status), rows[i].sig);
        else
            assert_int_equal(WEXITSTATUS(got.status), rows[i].code);
    }
}

static void no_such_program(void **state)
{
    const char *const argv[] = { "/nonexistent/program", NULL };
    const struct runner_job job = { .id = 5, .limit_ms = PATIENCE_MS, .argv = argv };
    uint8_t msg[RUNNER_MSG_MAX];
    struct runner_result got;

    (void)state;
    assert_int_equal(runner_post(r, msg, runner_pack(&job, msg)), 0);
    assert_int_equal(await(&got), 1);
    assert_int_equal(got.id, 5);
    assert_int_equal(got.error, ENOENT);
    post(6, "exit 0", PATIENCE_MS, RUNNER_ALL_CAPS, NULL, NULL); /* and goes on */
    assert_int_equal(await(&got), 1);
    assert_int_equal(got.id, 6);
}

static void what_it_gets(void **state)
{
    static const char *const variable[] = { "A=1 2;$x", "PATH=/usr/bin:/bin", NULL };
    struct runner_result got;

    (void)state;
    assert_int_equal(setenv("RUNNER_SECRET", "x", 1), 0);
    int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, opened before the fork */
    runner_close(r);
    assert_int_equal(runner_open(&r), 0);
    post(1,
         "exec >$1; cat; tr '\\0' '\\n' </proc/$$/environ; ls /proc/$$/fd | tr '\\n' ' '; pwd; "
         "grep SigIgn /proc/$$/status",
         PATIENCE_MS, RUNNER_ALL_CAPS, variable, "line\n");
    assert_int_equal(await(&got), 1);
    assert_int_equal(got.status, 0);
    close(leak);
    /* descriptor 1 is what the script itself opened */
    assert_string_equal(output(), "line\nA=1 2;$x\nPATH=/usr/bin:/bin\n0 1 2 /\n"
                                  "SigIgn:\t0000000000000000\n");
}

static void killed_at_its_limit(void **state)
{
    struct runner_result got;
    int pid = 0;

    (void)state;
    /* with its children; deaf to what is polite */
    post(1, "trap '' TERM; sleep 1000 & echo $! >$1; wait; sleep 1000", 300, RUNNER_ALL_CAPS, NULL,
         NULL);
    assert_int_equal(await(&got), 1);
    assert_true(got.too_long);
    assert_int_equal(sscanf(output(), "%d", &pid), 1);
    for (int i = 0; i < 2000 && kill(pid, 0) == 0; i++) {
        char path[64], stat[256] = "";
        snprintf(path, sizeof(path), "/proc/%d/stat", pid);
        FILE *f = fopen(path, "r");
        if (f && fgets(stat, sizeof(stat), f) && strstr(stat, ") Z ")) {
            fclose(f);
            return; /* dead; whoever reaps orphans here has not come by */
        }
        if (f)
            fclose(f);
        poll(NULL, 0, 10);
    }
    assert_int_equal(kill(pid, 0), -1);
}

static void dies_with_the_daemon(void **state)
{
    struct runner_result got;
    int fd[2];
    char c;

    (void)state;
    /* the program holds the only writing end of a pipe: its end is the pipe's end */
    char fifo[80];
    snprintf(fifo, sizeof(fifo), "%s/fifo", dir);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    fd[0] = open(fifo, O_RDONLY | O_NONBLOCK);
    char script[160];
    snprintf(script, sizeof(script), "exec 9>%s; echo x >&9; sleep 1000; true", fifo);
    post(1, script, 1000 * 1000, RUNNER_ALL_CAPS, NULL, NULL);
    struct pollfd p = { .fd = fd[0], .events = POLLIN };
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(read(fd[0], &c, 1), 1);
    assert_int_equal(read(fd[0], &c, 1), 1); /* newline */
    assert_int_equal(runner_result(r, &got), 0);
    runner_close(r);
    r = NULL;
    assert_int_equal(poll(&p, 1, PATIENCE_MS), 1);
    assert_int_equal(read(fd[0], &c, 1), 0);
    close(fd[0]);
}

static void capabilities(void **state)
{
    static const struct {
        enum runner_caps caps, limit;
        const char *eff;
    } rows[] = {
        { RUNNER_NO_CAPS, RUNNER_ALL_CAPS, "CapEff:\t0000000000000000\n" },
        { RUNNER_NET_ADMIN, RUNNER_ALL_CAPS, "CapEff:\t0000000000001000\n" },
        { RUNNER_NO_CAPS, RUNNER_NET_ADMIN, "CapEff:\t0000000000000000\n" },
        { RUNNER_NET_ADMIN, RUNNER_NET_ADMIN, "CapEff:\t0000000000001000\n" },
        { RUNNER_ALL_CAPS, RUNNER_NO_CAPS, "CapEff:\t0000000000000000\n" },
        { RUNNER_ALL_CAPS, RUNNER_NET_ADMIN, "CapEff:\t0000000000001000\n" },
    };
    struct runner_result got;

    (void)state;
    if (geteuid() != 0)
        skip();
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        runner_close(r);
        assert_int_equal(runner_open(&r), 0);
        assert_int_equal(runner_limit(r, rows[i].limit), 0);
        post(1, "grep CapEff /proc/self/status >$1", PATIENCE_MS, rows[i].caps, NULL, NULL);
        assert_int_equal(await(&got), 1);
        assert_int_equal(got.error, 0);
        assert_string_equal(output(), rows[i].eff);
    }
}

static void too_much(void **state)
{
    static char word[RUNNER_MSG_MAX];
    const char *words[RUNNER_WORDS + 2] = { "/bin/true" }, *one[] = { "/bin/true", word, NULL };
    const char *const nothing[] = { NULL };
    uint8_t msg[RUNNER_MSG_MAX];
    struct runner_job job = { .argv = words };

    (void)state;
    for (unsigned i = 1; i < RUNNER_WORDS; i++)
        words[i] = "x";
    assert_true(runner_pack(&job, msg) > 0);
    words[RUNNER_WORDS] = "x";
    assert_int_equal(runner_pack(&job, msg), 0);
    memset(word, 'x', sizeof(word) - 1);
    job.argv = one;
    assert_int_equal(runner_pack(&job, msg), 0);
    word[4095] = '\0';
    assert_true(runner_pack(&job, msg) > 0);
    job.input = word; /* 4095 octets, which fit a pipe, but not with the argument as well */
    assert_int_equal(runner_pack(&job, msg), 0);
    job.argv = nothing;
    assert_int_equal(runner_pack(&job, msg), 0);
}

static void found_in_path(void **state)
{
    char path[256], bin[128];

    (void)state;
    snprintf(bin, sizeof(bin), "%s/tool", dir);
    assert_int_equal(setenv("PATH", dir, 1), 0);
    assert_null(runner_find("tool", path, sizeof(path)));
    int fd = open(bin, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    if (geteuid() != 0) /* root may see anything as executable only with a bit set */
        assert_null(runner_find("tool", path, sizeof(path)));
    fchmod(fd, 0700);
    close(fd);
    assert_string_equal(runner_find("tool", path, sizeof(path)), bin);
    assert_int_equal(setenv("PATH", "/usr/bin:/bin", 1), 0);
    assert_null(runner_find("tool", path, sizeof(path)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
        T(results),
        T(no_such_program),
        T(what_it_gets),
        T(killed_at_its_limit),
        T(dies_with_the_daemon),
        T(capabilities),
        T(too_much),
        T(found_in_path),
#undef T
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
