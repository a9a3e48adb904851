/* SPDX-License-Identifier: MIT */
/* test_control.c - the control socket: good requests, hostile ones, limits, both ends' checks */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/clock.h"
#include "proto/host/control.h"

#define BIG 3000000 /* octets of the answer to "big": far more than a socket buffer */

struct fixture {
    struct ev_loop *ev;
    struct control_server *s;
    char name[64];
    unsigned asked;
};

static struct json_object *answer(void *ctx, const char *cmd, struct json_object *req)
{
    struct fixture *f = ctx;
    struct json_object *o = json_object_new_object();

    f->asked++;
    assert_true(json_object_is_type(req, json_type_object));
    if (strcmp(cmd, "status") == 0) {
        json_object_object_add(o, "text", json_object_new_string("two\nlines"));
    } else if (strcmp(cmd, "big") == 0) {
        char *s = malloc(BIG + 1);
        memset(s, 'x', BIG);
        s[BIG] = '\0';
        json_object_object_add(o, "text", json_object_new_string_len(s, BIG));
        free(s);
    } else {
        json_object_put(o);
        return NULL;
    }
    return o;
}

static void start(struct fixture *f, const char *name)
{
    memset(f, 0, sizeof(*f));
    (void)snprintf(f->name, sizeof(f->name), "%s-%d", name, (int)getpid());
    f->ev = ev_loop_new(EVFLAG_NOENV);
    assert_int_equal(control_open(&f->s, f->ev, f->name, answer, f), 0);
}

static void stop(struct fixture *f)
{
    control_close(f->s);
    ev_loop_destroy(f->ev);
}

static int dial(const struct fixture *f)
{
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(f->name));
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

    memcpy(sa.sun_path, f->name, strlen(f->name));
    if (f->name[0] == '@')
        sa.sun_path[0] = '\0';
    assert_int_equal(connect(fd, (struct sockaddr *)&sa, len), 0);
    return fd;
}

/* run the server until @fd is at its end; the text in a static buffer */
static const char *read_reply(const struct fixture *f, int fd)
{
    static char buf[8192];
    mono_ns until = mono_now() + time_s(30);
    size_t n = 0;

    while (mono_now() < until) {
        ev_run(f->ev, EVRUN_NOWAIT);
        ssize_t got = recv(fd, buf + n, sizeof(buf) - 1 - n, 0);
        if (got == 0 || (got < 0 && errno == ECONNRESET))
            break;
        if (got > 0)
            n += (size_t)got;
    }
    assert_true(mono_now() < until);
    buf[n] = '\0';
    close(fd);
    return buf;
}

static void test_requests(void **state)
{
    static char nested[600], longest[CONTROL_REQUEST_MAX + 1], over[CONTROL_REQUEST_MAX + 2];
    static char flood[100000];
#define TEXT(s) (s), sizeof(s) - 1
    const struct {
        const char *name, *text;
        size_t len;
        bool end; /* half-close behind it */
        const char *want;
    } rows[] = {
        { "good", TEXT("{\"cmd\":\"status\"}\n"), false, "{\"text\":\"two\\nlines\"}\n" },
        { "spaces", TEXT(" { \"cmd\" : \"status\" } \n"), false, "{\"text\"" },
        { "more keys", TEXT("{\"a\":[1,2],\"cmd\":\"status\"}\n"), false, "{\"text\"" },
        { "something behind the line", TEXT("{\"cmd\":\"status\"}\n{\"cmd\":\"x\"}\n"), false,
          "{\"text\"" },
        { "the longest", longest, CONTROL_REQUEST_MAX, false, "{\"text\"" },
        { "unknown command", TEXT("{\"cmd\":\"reboot\"}\n"), false,
          "{\"error\":\"unknown command\"}\n" },
        { "no command", TEXT("{}\n"), false, "{\"error\":\"the request has no" },
        { "command no text", TEXT("{\"cmd\":1}\n"), false, "{\"error\":\"the request has no" },
        { "NUL in the command", TEXT("{\"cmd\":\"status\\u0000x\"}\n"), false,
          "{\"error\":\"unknown command\"}\n" },
        { "empty line", TEXT("\n"), false, "{\"error\"" },
        { "not JSON", TEXT("GET / HTTP/1.0\r\n\r\n"), false, "{\"error\"" },
        { "two objects", TEXT("{\"cmd\":\"status\"}{}\n"), false, "{\"error\"" },
        { "an array", TEXT("[\"status\"]\n"), false, "{\"error\"" },
        { "text", TEXT("\"status\"\n"), false, "{\"error\"" },
        { "null", TEXT("null\n"), false, "{\"error\"" },
        { "cut short", TEXT("{\"cmd\":\"sta\n"), false, "{\"error\"" },
        { "binary", TEXT("\x00\xff\xfe\x01\x80\n"), false, "{\"error\"" },
        { "NUL behind it", TEXT("{\"cmd\":\"status\"}\x00\n"), false, "{\"error\"" },
        { "bad UTF-8", TEXT("{\"cmd\":\"\xff\"}\n"), false, "{\"error\"" },
        { "deep", nested, sizeof(nested), false, "{\"error\"" },
        { "one octet too long", over, sizeof(over) - 1, false,
          "{\"error\":\"the request is longer" },
        { "flood without newline", flood, sizeof(flood), false,
          "{\"error\":\"the request is longer" },
        { "no newline, end", TEXT("{\"cmd\":\"status\"}"), true,
          "{\"error\":\"the request does not end" },
        { "nothing, end", "", 0, true, "{\"error\":\"the request does not end" },
    };
    struct fixture f;

    (void)state;
    memset(nested, '[', sizeof(nested));
    nested[sizeof(nested) - 1] = '\n';
    memset(flood, 'a', sizeof(flood));
    memset(over, 'a', sizeof(over));
    over[CONTROL_REQUEST_MAX] = '\n';
    (void)snprintf(longest, sizeof(longest), "{\"cmd\":\"status\",\"pad\":\"%0*d\"}\n",
                   (int)(CONTROL_REQUEST_MAX - strlen("{\"cmd\":\"status\",\"pad\":\"\"}\n")), 0);
    start(&f, "@sixtap-test-control");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = dial(&f);
        print_message("row: %s\n", rows[i].name);
        if (rows[i].len)
            assert_int_equal(send(fd, rows[i].text, rows[i].len, MSG_NOSIGNAL),
                             (ssize_t)rows[i].len);
        if (rows[i].end)
            assert_int_equal(shutdown(fd, SHUT_WR), 0);
        const char *got = read_reply(&f, fd);
        assert_int_equal(strncmp(got, rows[i].want, strlen(rows[i].want)), 0);
        assert_ptr_equal(strchr(got, '\n'), got + strlen(got) - 1); /* one line */
    }
    stop(&f);
}

/* a request may come octet by octet */
static void test_pieces(void **state)
{
    static const char text[] = "{\"cmd\":\"status\"}\n";
    struct fixture f;

    (void)state;
    start(&f, "@sixtap-test-control");
    int fd = dial(&f);
    for (size_t i = 0; i < sizeof(text) - 1; i++) {
        assert_int_equal(f.asked, 0);
        assert_int_equal(send(fd, text + i, 1, 0), 1);
        ev_run(f.ev, EVRUN_NOWAIT);
    }
    assert_non_null(strstr(read_reply(&f, fd), "text"));
    assert_int_equal(f.asked, 1);
    stop(&f);
}

/* who hangs up at any point harms nobody; who only holds its place loses it to one that asks */
static void test_hang_up_and_crowd(void **state)
{
    struct fixture f;
    int fd[CONTROL_CONNECTIONS + 4], last;

    (void)state;
    start(&f, "@sixtap-test-control");
    for (int i = 0; i < 50; i++) {
        fd[0] = dial(&f);
        if (i & 1)
            (void)!send(fd[0], "{\"cmd\":\"big\"}\n", (size_t)(1 + i % 14), 0);
        if (i & 2)
            ev_run(f.ev, EVRUN_NOWAIT);
        close(fd[0]);
        ev_run(f.ev, EVRUN_NOWAIT);
    }
    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
        fd[i] = dial(&f);
        ev_run(f.ev, EVRUN_NOWAIT);
        ev_run(f.ev, EVRUN_NOWAIT);
    }
    last = dial(&f);
    f.asked = 0;
    assert_int_equal(send(last, "{\"cmd\":\"status\"}\n", 17, 0), 17);
    assert_non_null(strstr(read_reply(&f, last), "text"));
    assert_int_equal(f.asked, 1);
    /* the first of them went, the others can still ask */
    char c;
    assert_int_equal(recv(fd[0], &c, 1, MSG_DONTWAIT), 0);
    for (unsigned i = 1; i < CONTROL_CONNECTIONS; i++) {
        assert_int_equal(send(fd[i], "{\"cmd\":\"status\"}\n", 17, 0), 17);
        assert_non_null(strstr(read_reply(&f, fd[i]), "text"));
    }
    close(fd[0]);
    stop(&f); /* with connections open */
}

/* an idle connection is closed after CONTROL_IDLE_S (5 s, really waited for) */
static void test_idle(void **state)
{
    struct fixture f;
    char c;

    (void)state;
    start(&f, "@sixtap-test-control");
    int fd = dial(&f);
    ev_run(f.ev, EVRUN_NOWAIT);
    assert_int_equal(recv(fd, &c, 1, 0), -1);
    assert_int_equal(errno, EAGAIN);
    mono_ns before = mono_now();
    struct pollfd pfd = { .fd = fd, .events = POLLIN };
    while (poll(&pfd, 1, 0) == 0 && mono_now() - before < time_s(30))
        ev_run(f.ev, EVRUN_ONCE); /* wakes for the time-out alone */
    assert_int_equal(recv(fd, &c, 1, 0), 0);
    assert_in_range(mono_now() - before, time_ms(4900), time_s(20));
    close(fd);
    stop(&f);
}

/* ---- control_query() ---- */

struct query {
    struct fixture *f;
    struct ev_async done;
    const char *cmd;
    int rc;
    struct json_object *o;
    char err[200];
};

static void *query_thread(void *arg)
{
    struct query *q = arg;

    q->rc = control_query(q->f->name, q->cmd, 20000, &q->o, q->err, sizeof(q->err));
    ev_async_send(q->f->ev, &q->done);
    return NULL;
}

static void on_query_done(struct ev_loop *ev, struct ev_async *w, int revents)
{
    (void)w;
    (void)revents;
    ev_break(ev, EVBREAK_ALL);
}

static void query(struct fixture *f, struct query *q, const char *cmd)
{
    pthread_t t;

    *q = (struct query){ .f = f, .cmd = cmd };
    ev_async_init(&q->done, on_query_done);
    ev_async_start(f->ev, &q->done);
    assert_int_equal(pthread_create(&t, NULL, query_thread, q), 0);
    ev_run(f->ev, 0);
    pthread_join(t, NULL);
    ev_async_stop(f->ev, &q->done);
}

static void test_query(void **state)
{
    static const char *const names[] = { "@sixtap-test-control", "/tmp/sixtap-test-control" };
    struct fixture f;
    struct query q;

    (void)state;
    for (int i = 0; i < 2; i++) {
        start(&f, names[i]);
        query(&f, &q, "status");
        assert_int_equal(q.rc, 0);
        assert_string_equal(q.err, "");
        assert_string_equal(json_object_get_string(json_object_object_get(q.o, "text")),
                            "two\nlines");
        json_object_put(q.o);
        query(&f, &q, "big"); /* partial writes */
        assert_int_equal(q.rc, 0);
        assert_int_equal(json_object_get_string_len(json_object_object_get(q.o, "text")), BIG);
        json_object_put(q.o);
        query(&f, &q, "nonsense");
        assert_int_equal(q.rc, -EREMOTEIO);
        assert_non_null(strstr(q.err, "unknown command"));
        stop(&f);
        json_object *o = NULL;
        assert_int_equal(control_query(f.name, "status", 1000, &o, q.err, sizeof(q.err)),
                         -ECONNREFUSED);
        assert_non_null(strstr(q.err, "is the daemon running?"));
    }
}

/* a daemon that hangs, and one that talks nonsense */
static void test_bad_daemon(void **state)
{
    static const struct {
        const char *says;
        int rc;
    } rows[] = { { NULL, -ETIMEDOUT },      { "", -EPROTO },     { "{}", -EPROTO },
                 { "not json\n", -EPROTO }, { "[]\n", -EPROTO }, { "{\"a\":1\n", -EPROTO } };
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    char name[64], err[200];

    (void)state;
    (void)snprintf(name, sizeof(name), "@sixtap-test-bad-%d", (int)getpid());
    memcpy(sa.sun_path, name, strlen(name));
    sa.sun_path[0] = '\0';
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        int fd = socket(AF_UNIX, SOCK_STREAM, 0), status = 0;
        json_object *o = NULL;
        assert_int_equal(bind(fd, (struct sockaddr *)&sa,
                              (socklen_t)(offsetof(struct sockaddr_un, sun_path) + strlen(name))),
                         0);
        assert_int_equal(listen(fd, 1), 0);
        pid_t pid = rows[i].says ? fork() : -1;
        if (pid == 0) {
            char buf[100];
            int c = accept(fd, NULL, NULL);
            (void)!recv(c, buf, sizeof(buf), 0);
            (void)!send(c, rows[i].says, strlen(rows[i].says), 0);
            _exit(0);
        }
        assert_int_equal(
            control_query(name, "status", rows[i].says ? 20000 : 50, &o, err, sizeof(err)),
            rows[i].rc);
        assert_null(o);
        assert_true(err[0]);
        if (pid > 0)
            waitpid(pid, &status, 0);
        close(fd);
    }
}

/* another user is not heard, and not believed */
static void test_users(void **state)
{
    struct fixture f;
    int status = -1;
    char err[200];

    (void)state;
    if (geteuid() != 0)
        skip();
    start(&f, "@sixtap-test-control");
    pid_t pid = fork();
    if (pid == 0) {
        static const char want[] = "{\"error\":\"only root";
        char buf[100];
        json_object *o = NULL;
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        if (control_query(f.name, "status", 20000, &o, err, sizeof(err)) != -EACCES)
            _exit(3);
        int fd = dial(&f); /* and without asking politely */
        (void)!send(fd, "{\"cmd\":\"status\"}\n", 17, MSG_NOSIGNAL);
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        if (poll(&pfd, 1, 20000) != 1 || recv(fd, buf, sizeof(buf), 0) < (ssize_t)sizeof(want))
            _exit(4);
        _exit(memcmp(buf, want, sizeof(want) - 1) == 0 ? 0 : 5);
    }
    mono_ns until = mono_now() + time_s(30);
    while (waitpid(pid, &status, WNOHANG) == 0 && mono_now() < until)
        ev_run(f.ev, EVRUN_NOWAIT);
    assert_int_equal(status, 0);
    assert_int_equal(f.asked, 0);
    stop(&f);

    /* root asks a socket that somebody else has taken */
    int p[2], c;
    assert_int_equal(pipe(p), 0);
    pid = fork();
    if (pid == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        start(&f, "@sixtap-test-squat");
        (void)!write(p[1], f.name, sizeof(f.name));
        for (;;)
            ev_run(f.ev, EVRUN_ONCE | EVRUN_NOWAIT), sched_yield();
    }
    char name[64] = "";
    json_object *o = NULL;
    assert_int_equal(read(p[0], name, sizeof(name)), (ssize_t)sizeof(name));
    c = control_query(name, "status", 20000, &o, err, sizeof(err));
    kill(pid, SIGKILL);
    waitpid(pid, &status, 0);
    assert_int_equal(c, -EPERM);
    assert_non_null(strstr(err, "belongs to user 65534"));
    close(p[0]);
    close(p[1]);
}

/* ---- the name ---- */

static void test_names(void **state)
{
    struct fixture f, g;
    struct control_server *s = NULL;
    char longname[200];
    struct stat st;

    (void)state;
    memset(&g, 0, sizeof(g));
    memset(longname, 'a', sizeof(longname));
    longname[199] = '\0';
    for (int i = 0; i < 2; i++) {
        start(&f, i ? "@sixtap-test-name" : "/tmp/sixtap-test-name");
        assert_int_equal(control_open(&s, f.ev, f.name, answer, &f), -EADDRINUSE);
        stop(&f);
    }
    g.ev = ev_loop_new(EVFLAG_NOENV);
    assert_int_equal(control_open(&s, g.ev, longname, answer, &g), -ENAMETOOLONG);
    assert_int_equal(control_open(&s, g.ev, "", answer, &g), -EINVAL);
    assert_int_equal(control_open(&s, g.ev, "@", answer, &g), -EINVAL);
    assert_int_equal(control_open(&s, g.ev, "/nonexistent/socket", answer, &g), -ENOENT);

    /* a file that is no socket stays; a socket nobody listens on goes */
    (void)snprintf(g.name, sizeof(g.name), "/tmp/sixtap-test-file-%d", (int)getpid());
    int fd = open(g.name, O_CREAT | O_EXCL | O_WRONLY, 0600);
    assert_true(fd >= 0);
    close(fd);
    assert_int_equal(control_open(&s, g.ev, g.name, answer, &g), -EADDRINUSE);
    assert_int_equal(lstat(g.name, &st), 0);
    assert_true(S_ISREG(st.st_mode));
    unlink(g.name);
    struct sockaddr_un sa = { .sun_family = AF_UNIX };
    memcpy(sa.sun_path, g.name, strlen(g.name));
    fd = socket(AF_UNIX, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    close(fd);
    assert_int_equal(control_open(&s, g.ev, g.name, answer, &g), 0);
    assert_int_equal(lstat(g.name, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);

    /* at the end only our own file is removed */
    unlink(g.name);
    fd = open(g.name, O_CREAT | O_EXCL | O_WRONLY, 0600);
    close(fd);
    control_close(s);
    assert_int_equal(unlink(g.name), 0);
    assert_int_equal(control_open(&s, g.ev, g.name, answer, &g), 0);
    control_close(s);
    assert_int_equal(lstat(g.name, &st), -1);
    control_close(NULL);
    ev_loop_destroy(g.ev);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_requests),
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_hang_up_and_crowd),
        cmocka_unit_test(test_idle),
        cmocka_unit_test(test_query),
        cmocka_unit_test(test_bad_daemon),
        cmocka_unit_test(test_users),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
