/* SPDX-License-Identifier: MIT */
/* test_resolve.c - names without waiting; getaddrinfo() is replaced at link time, no name server is
 * asked */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/resolve.h"

/* ---- the name server ---- */

static sem_t entered, go_on; /* for "slow" names */
static sigset_t mask_seen;

/* addresses separated by commas; "slow" waits for go_on first; "eai:N" fails with -N */
int getaddrinfo(const char *name, const char *service, const struct addrinfo *hints,
                struct addrinfo **ret)
{
    char list[256], *save = NULL;
    struct addrinfo *head = NULL, **tail = &head;

    (void)service;
    pthread_sigmask(SIG_BLOCK, NULL, &mask_seen);
    if (strcmp(name, "slow") == 0) {
        sem_post(&entered);
        sem_wait(&go_on);
        name = "192.0.2.1";
    }
    if (hints->ai_family != AF_INET)
        return EAI_FAMILY;
    if (strncmp(name, "eai:", 4) == 0) {
        errno = ENOMEM;
        return -(int)strtol(name + 4, NULL, 10);
    }
    (void)strncpy(list, name, sizeof(list) - 1);
    list[sizeof(list) - 1] = '\0';
    for (char *t = strtok_r(list, ",", &save); t; t = strtok_r(NULL, ",", &save)) {
        struct addrinfo *ai = calloc(1, sizeof(*ai) + sizeof(struct sockaddr_in));
        struct sockaddr_in *sa = (struct sockaddr_in *)(ai + 1);
        sa->sin_family = AF_INET;
        inet_pton(AF_INET, t, &sa->sin_addr);
        ai->ai_family = AF_INET;
        ai->ai_addr = (struct sockaddr *)sa;
        ai->ai_addrlen = sizeof(*sa);
        *tail = ai;
        tail = &ai->ai_next;
    }
    *ret = head;
    return 0;
}

void freeaddrinfo(struct addrinfo *ai)
{
    while (ai) {
        struct addrinfo *next = ai->ai_next;
        free(ai);
        ai = next;
    }
}

/* ---- helpers ---- */

struct seen {
    struct ev_loop *ev;
    struct resolver *r;
    unsigned calls, n;
    be32 addr[RESOLVE_MAX];
    char error[128];
    const char *then; /* start this from done() */
    bool close;       /* close the resolver from done() */
};

static void on_done(void *ctx, const be32 *addr, unsigned n, const char *error)
{
    struct seen *s = ctx;

    s->calls++;
    s->n = n;
    memcpy(s->addr, addr, n * sizeof(*addr));
    (void)strncpy(s->error, error, sizeof(s->error) - 1);
    if (s->then) {
        const char *name = s->then;
        s->then = NULL;
        assert_int_equal(resolve_start(s->r, name), 0);
        return;
    }
    if (s->close) {
        resolve_close(s->r);
        s->r = NULL;
    }
    ev_break(s->ev, EVBREAK_ALL);
}

static void open_it(struct seen *s)
{
    memset(s, 0, sizeof(*s));
    s->ev = ev_loop_new(EVFLAG_NOENV);
    assert_int_equal(resolve_open(&s->r, s->ev, on_done, s), 0);
}

static void close_it(struct seen *s)
{
    resolve_close(s->r);
    ev_loop_destroy(s->ev);
}

static void run(struct seen *s)
{
    alarm(30);
    ev_run(s->ev, 0);
    alarm(0);
}

static void wait_sem(sem_t *sem)
{
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 30;
    assert_int_equal(sem_timedwait(sem, &until), 0);
}

/* every thread has ended once as many as may run can be started again */
static void wait_threads_gone(struct seen *s)
{
    alarm(30);
    for (unsigned ok = 0; ok < RESOLVE_THREADS;) {
        if (resolve_start(s->r, "slow") == 0) {
            wait_sem(&entered);
            resolve_forget(s->r);
            ok++;
        } else {
            sched_yield();
        }
    }
    alarm(0);
    for (unsigned i = 0; i < RESOLVE_THREADS; i++)
        sem_post(&go_on);
}

/* ---- tests ---- */

static void test_rows(void **state)
{
    static const struct {
        const char *name;
        unsigned n;
        const char *first, *error;
    } rows[] = {
        { "192.0.2.7", 1, "192.0.2.7", "" },
        { "0.0.0.0", 0, NULL, "not the address of a host" },
        { "239.1.2.3", 0, NULL, "not the address of a host" },
        { "255.255.255.255", 0, NULL, "not the address of a host" },
        { "192.0.2.1,192.0.2.2", 2, "192.0.2.1", "" },
        { "192.0.2.2,192.0.2.1,192.0.2.2", 2, "192.0.2.2", "" }, /* each once, order kept */
        { "0.0.0.0,224.0.0.1,192.0.2.3", 1, "192.0.2.3", "" },
        { "0.0.0.0,0.1.2.3", 0, NULL, "no usable IPv4 address" },
        { "10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8,10.0.0.9,"
          "10.0.0.10,10.0.0.11,10.0.0.12,10.0.0.13,10.0.0.14,10.0.0.15,10.0.0.16,10.0.0.17",
          RESOLVE_MAX, "10.0.0.1", "" },
        { "eai:2", 0, NULL, "not known" },        /* EAI_NONAME */
        { "eai:3", 0, NULL, "failure" },          /* EAI_AGAIN */
        { "eai:11", 0, NULL, "Cannot allocate" }, /* EAI_SYSTEM, ENOMEM */
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct seen s;
        be32 want;
        open_it(&s);
        assert_false(resolve_busy(s.r));
        assert_int_equal(resolve_start(s.r, rows[i].name), 0);
        assert_int_equal(s.calls, 0); /* never from within */
        assert_true(resolve_busy(s.r));
        assert_int_equal(resolve_start(s.r, "192.0.2.1"), -EALREADY);
        run(&s);
        assert_int_equal(s.calls, 1);
        assert_false(resolve_busy(s.r));
        assert_int_equal(s.n, rows[i].n);
        assert_non_null(strstr(s.error, rows[i].error));
        assert_int_equal(s.error[0] != '\0', s.n == 0);
        if (s.n) {
            assert_int_equal(inet_pton(AF_INET, rows[i].first, &want), 1);
            assert_memory_equal(&s.addr[0], &want, 4);
        }
        close_it(&s);
    }
}

static void test_names(void **state)
{
    char name[RESOLVE_NAME + 2];
    struct seen s;

    (void)state;
    open_it(&s);
    memset(name, 'a', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    assert_int_equal(resolve_start(s.r, name), -EINVAL);
    assert_int_equal(resolve_start(s.r, ""), -EINVAL);
    assert_false(resolve_busy(s.r));
    close_it(&s);
    resolve_close(NULL);
}

/* done() may start the next lookup, and may close the resolver */
static void test_from_done(void **state)
{
    struct seen s;

    (void)state;
    open_it(&s);
    s.then = "192.0.2.9,192.0.2.8";
    s.close = true;
    assert_int_equal(resolve_start(s.r, "192.0.2.7"), 0);
    run(&s);
    assert_int_equal(s.calls, 2);
    assert_int_equal(s.n, 2);
    assert_null(s.r);
    close_it(&s);
}

/* the loop goes on while a lookup hangs; threads take no signals */
static void test_slow(void **state)
{
    struct seen s;

    (void)state;
    open_it(&s);
    assert_int_equal(resolve_start(s.r, "slow"), 0);
    wait_sem(&entered);
    assert_true(sigismember(&mask_seen, SIGTERM));
    assert_true(sigismember(&mask_seen, SIGINT));
    ev_run(s.ev, EVRUN_NOWAIT);
    assert_int_equal(s.calls, 0);
    sem_post(&go_on);
    run(&s);
    assert_int_equal(s.n, 1);
    close_it(&s);
}

/* a forgotten lookup says nothing, nor harms anybody, even when its resolver and loop are gone;
 * there are only so many at a time */
static void test_forget(void **state)
{
    struct seen s;

    (void)state;
    open_it(&s);
    for (unsigned i = 0; i < RESOLVE_THREADS; i++) {
        int rc;
        alarm(30);
        while ((rc = resolve_start(s.r, "slow")) == -EAGAIN)
            sched_yield(); /* a thread of the test before is on its last instructions */
        alarm(0);
        assert_int_equal(rc, 0);
        wait_sem(&entered);
        resolve_forget(s.r);
        resolve_forget(s.r);
        assert_false(resolve_busy(s.r));
    }
    assert_int_equal(resolve_start(s.r, "slow"), -EAGAIN);
    assert_int_equal(resolve_start(s.r, "192.0.2.5"), 0); /* numbers need no thread */
    run(&s);
    assert_int_equal(s.calls, 1);
    assert_int_equal(be32_get(s.addr[0]), 0xc0000205);
    close_it(&s);
    for (unsigned i = 0; i < RESOLVE_THREADS; i++)
        sem_post(&go_on);

    open_it(&s);
    wait_threads_gone(&s);
    ev_run(s.ev, EVRUN_NOWAIT);
    assert_int_equal(s.calls, 0);
    close_it(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_rows),      cmocka_unit_test(test_names),
        cmocka_unit_test(test_from_done), cmocka_unit_test(test_slow),
        cmocka_unit_test(test_forget),
    };
    sem_init(&entered, 0, 0);
    sem_init(&go_on, 0, 0);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
