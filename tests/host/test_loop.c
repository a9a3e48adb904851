/* SPDX-License-Identifier: MIT */
/* test_loop.c - deadlines, signals and readiness of the loop */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/clock.h"
#include "proto/host/loop.h"

struct seen {
    struct loop l;
    mono_ns due, at;
    unsigned calls;
    int signo;
};

static void on_deadline(void *ctx)
{
    struct seen *s = ctx;

    s->calls++;
    s->at = mono_now();
    if (s->at >= s->due)
        loop_stop(&s->l);
    else
        loop_deadline(&s->l, s->due);
}

static void on_signal(void *ctx, int signo)
{
    struct seen *s = ctx;

    s->signo = signo;
    loop_stop(&s->l);
}

static struct seen *fresh(void)
{
    static struct seen s;

    memset(&s, 0, sizeof(s));
    assert_int_equal(loop_open(&s.l, on_deadline, on_signal, &s), 0);
    return &s;
}

/* rows: deadlines set one after another, milliseconds from now; the call must not come before the
 * last one that was set */
static void test_deadline(void **state)
{
    static const struct {
        const char *name;
        unsigned ms[3];
        unsigned most_calls;
    } rows[] = {
        { "one", { 20, 20, 20 }, 1 },
        { "an earlier one replaces", { 60000, 30000, 20 }, 1 },
        { "a later one replaces", { 5, 10, 30 }, 2 },
        { "now", { 0, 0, 0 }, 1 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen *s = fresh();
        mono_ns now = mono_now();
        for (int k = 0; k < 3; k++)
            loop_deadline(&s->l, now + time_ms(rows[i].ms[k]));
        s->due = now + time_ms(rows[i].ms[2]);
        loop_deadline(&s->l, NEVER); /* none on top of it changes nothing */
        alarm(30);
        loop_run(&s->l);
        alarm(0);
        assert_true(s->at >= s->due);
        assert_in_range(s->calls, 1, rows[i].most_calls);
        loop_close(&s->l);
    }
}

static void test_past(void **state)
{
    struct seen *s = fresh();

    (void)state;
    loop_deadline(&s->l, 0); /* long ago */
    alarm(30);
    loop_run(&s->l);
    alarm(0);
    assert_int_equal(s->calls, 1);
    loop_close(&s->l);
    loop_close(&s->l);
}

static void test_signals(void **state)
{
    static const int signals[] = { SIGINT, SIGTERM, SIGHUP, SIGUSR1 };

    (void)state;
    for (size_t i = 0; i < 4; i++) {
        struct seen *s = fresh();
        for (size_t k = 0; k < 4; k++)
            assert_int_equal(loop_signal(&s->l, signals[k]), 0);
        assert_int_not_equal(loop_signal(&s->l, SIGUSR2), 0);
        raise(signals[i]);
        alarm(30);
        loop_run(&s->l);
        alarm(0);
        assert_int_equal(s->signo, signals[i]);
        assert_int_equal(s->calls, 0);
        loop_close(&s->l);
    }
}

static void test_notify(void **state)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    char name[64], buf[64];
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);

    (void)state;
    (void)snprintf(name, sizeof(name), "@sixtap-test-notify-%d", (int)getpid());
    memcpy(sa.sun_path, name, strlen(name));
    sa.sun_path[0] = '\0';
    assert_int_equal(bind(fd, (struct sockaddr *)&sa,
                          (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                     0);
    unsetenv("NOTIFY_SOCKET");
    assert_int_equal(loop_notify("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "", 1);
    assert_int_equal(loop_notify("READY=1"), 0);
    setenv("NOTIFY_SOCKET", "relative", 1);
    assert_true(loop_notify("READY=1") < 0);
    setenv("NOTIFY_SOCKET", "/nonexistent/socket", 1);
    assert_true(loop_notify("READY=1") < 0);
    setenv("NOTIFY_SOCKET", name, 1);
    assert_int_equal(loop_notify("READY=1"), 1);
    assert_int_equal(recv(fd, buf, sizeof(buf), 0), 7);
    assert_memory_equal(buf, "READY=1", 7);
    unsetenv("NOTIFY_SOCKET");
    close(fd);
}

static void test_clock(void **state)
{
    struct entropy a, b;
    mono_ns before = mono_now();

    (void)state;
    assert_true(before > 0);
    assert_true(mono_now() >= before);
    entropy_fill(&a);
    entropy_fill(&b);
    assert_memory_not_equal(a.seed, b.seed, ENTROPY_LEN);
}

/* At least as long as asked for; none costs no time and makes no call that could fail. */
static void test_pause(void **state)
{
    (void)state;
    mono_ns then = mono_now();
    loop_pause(2 * NS_PER_MS);
    assert_true(mono_now() - then >= 2 * NS_PER_MS);
    loop_pause(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_deadline), cmocka_unit_test(test_pause),
        cmocka_unit_test(test_past),     cmocka_unit_test(test_signals),
        cmocka_unit_test(test_notify),   cmocka_unit_test(test_clock),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
