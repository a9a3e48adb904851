/* SPDX-License-Identifier: MIT */
/* runner.c - a process of its own that runs other programs, one at a time, each with a time limit
 */
#include "proto/host/runner.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/host/priority.h"
#include "proto/host/priv.h"

#define SERVE_FD   3
#define INPUT_MAX  4096u
#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

struct runner {
    int fd;
};

/* What a request begins with; then its words, each with its NUL: arguments, variables, input. */
struct head {
    uint32_t id, limit_ms;
    uint8_t is_limit; /* a message of runner_limit() */
    uint8_t caps;     /* enum runner_caps */
    uint8_t has_input;
    uint8_t argc, n_variable;
};

/* A request, taken apart. */
struct request {
    struct head head;
    char *argv[RUNNER_WORDS + 1], *variable[RUNNER_WORDS + 1], *input;
};

/* ---- the process that runs ---- */

static int64_t now_ms(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (int64_t)ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

/* take_words() - @n words from @p on; NULL: there are fewer */
static char *take_words(char *p, const char *end, char **words, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        char *nul = p < end ? memchr(p, 0, (size_t)(end - p)) : NULL;
        if (!nul)
            return NULL;
        words[i] = p;
        p = nul + 1;
    }
    words[n] = NULL;
    return p;
}

static bool unpack(char *msg, size_t len, struct request *ret)
{
    const char *end = msg + len;
    char *input[2], *p = msg + sizeof(ret->head);

    if (len < sizeof(ret->head))
        return false;
    memcpy(&ret->head, msg, sizeof(ret->head));
    if (ret->head.is_limit)
        return true;
    if (ret->head.argc == 0 || ret->head.argc > RUNNER_WORDS || ret->head.n_variable > RUNNER_WORDS)
        return false;
    p = take_words(p, end, ret->argv, ret->head.argc);
    p = p ? take_words(p, end, ret->variable, ret->head.n_variable) : NULL;
    if (!p || !take_words(p, end, input, ret->head.has_input))
        return false;
    ret->input = ret->head.has_input ? input[0] : NULL;
    return true;
}

static int drop_caps(enum runner_caps caps)
{
    const int net_admin[] = { CAP_NET_ADMIN };

    if (caps == RUNNER_ALL_CAPS)
        return 0;
    return priv_keep(net_admin, caps == RUNNER_NET_ADMIN ? 1 : 0);
}

/* input_fd() - what the program reads; a pipe holds all of it */
static int input_fd(const char *input)
{
    int fd[2];

    if (!input)
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    if (pipe2(fd, O_CLOEXEC) < 0)
        return -1;
    size_t len = strnlen(input, INPUT_MAX);
    bool ok = write(fd[1], input, len) == (ssize_t)len;
    close(fd[1]);
    if (ok)
        return fd[0];
    close(fd[0]);
    return -1;
}

/* become() - in the child: the program; its errno goes to @tell */
static _Noreturn void become(const struct request *q, int tell)
{
    static const int ours[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT };
    sigset_t none;
    int in, err;

    setsid();
    for (size_t i = 0; i < sizeof(ours) / sizeof(ours[0]); i++)
        signal(ours[i], SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    in = input_fd(q->input);
    if (in < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(STDERR_FILENO, STDOUT_FILENO) < 0 ||
        chdir("/") < 0) {
        err = errno;
    } else {
        err = -drop_caps((enum runner_caps)q->head.caps);
        if (err == 0) {
            execve(q->argv[0], q->argv, q->variable);
            err = errno;
        }
    }
    (void)!write(tell, &err, sizeof(err));
    _exit(127);
}

/* start() - Return: the child, or -errno */
static pid_t start(const struct request *q)
{
    int tell[2], err = 0;

    if (pipe2(tell, O_CLOEXEC) < 0)
        return -errno;
    pid_t pid = fork();
    if (pid == 0)
        become(q, tell[1]);
    err = pid < 0 ? errno : 0;
    close(tell[1]);
    if (pid > 0 && read(tell[0], &err, sizeof(err)) != (ssize_t)sizeof(err))
        err = 0; /* it is the program now */
    close(tell[0]);
    if (err && pid > 0)
        (void)waitpid(pid, NULL, 0);
    return err ? -err : pid;
}

/* await() - until @pid ended or its time is over; not at all when the daemon is gone */
static void await(pid_t pid, int64_t until, int chld, struct runner_result *ret)
{
    struct pollfd p[] = { { .fd = chld, .events = POLLIN }, { .fd = SERVE_FD, .events = 0 } };
    struct signalfd_siginfo info;

    while (waitpid(pid, &ret->status, WNOHANG) == 0) {
        int64_t left = until - now_ms();
        if (left <= 0)
            ret->too_long = true;
        if (ret->too_long || p[1].revents) {
            kill(-pid, SIGKILL);
            (void)waitpid(pid, &ret->status, 0);
            return;
        }
        if (poll(p, 2, left > INT32_MAX ? INT32_MAX : (int)left) > 0 && p[0].revents)
            (void)!read(chld, &info, sizeof(info));
    }
}

/* serve_one() - false: the daemon is gone, or spoke nonsense */
static bool serve_one(int chld)
{
    static char msg[RUNNER_MSG_MAX];
    struct request q = { .input = NULL };
    ssize_t len = recv(SERVE_FD, msg, sizeof(msg), 0);

    if (len < 0 && errno == EINTR)
        return true;
    if (len <= 0 || !unpack(msg, (size_t)len, &q))
        return false;
    if (q.head.is_limit)
        return drop_caps((enum runner_caps)q.head.caps) == 0;
    struct runner_result r = { .id = q.head.id };
    pid_t pid = start(&q);
    if (pid < 0)
        r.error = (int)-pid;
    else
        await(pid, now_ms() + q.head.limit_ms, chld, &r);
    return send(SERVE_FD, &r, sizeof(r), MSG_NOSIGNAL) == (ssize_t)sizeof(r);
}

static _Noreturn void serve(int fd)
{
    /* the daemon's own end is the only one: Ctrl-C and a service manager's SIGTERM go to all
     * processes, and the last program is still to run then */
    static const int deaf[] = { SIGTERM, SIGINT, SIGHUP, SIGPIPE, SIGQUIT };
    sigset_t chld;

    if (fd != SERVE_FD && dup2(fd, SERVE_FD) < 0)
        _exit(1);
    (void)fcntl(SERVE_FD, F_SETFD, FD_CLOEXEC);
    (void)close_range(SERVE_FD + 1, ~0u, 0);
    for (size_t i = 0; i < sizeof(deaf) / sizeof(deaf[0]); i++)
        signal(deaf[i], SIG_IGN);
    (void)prctl(PR_SET_NAME, "sixtap-runner", 0, 0, 0);
    priority_ordinary(); /* a service manager's Nice= is meant for who moves packets */
    sigemptyset(&chld);
    sigaddset(&chld, SIGCHLD);
    sigprocmask(SIG_SETMASK, &chld, NULL);
    int sig = signalfd(-1, &chld, SFD_CLOEXEC | SFD_NONBLOCK);
    while (sig >= 0 && serve_one(sig))
        ;
    _exit(0);
}

/* ---- the daemon's side ---- */

int runner_open(struct runner **ret)
{
    struct runner *r = calloc(1, sizeof(*r));
    int fd[2];

    if (!r)
        return -ENOMEM;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fd) < 0)
        goto fail;
    fflush(NULL);
    pid_t pid = fork();
    if (pid == 0) {
        close(fd[0]);
        serve(fd[1]);
    }
    close(fd[1]);
    if (pid < 0 || fcntl(fd[0], F_SETFL, O_NONBLOCK) < 0) {
        close(fd[0]);
        goto fail;
    }
    r->fd = fd[0];
    *ret = r;
    return 0;
fail:;
    int err = -errno;
    free(r);
    return err;
}

int runner_limit(struct runner *r, enum runner_caps most)
{
    const struct head h = { .is_limit = 1, .caps = (uint8_t)most };

    return runner_post(r, (const uint8_t *)&h, sizeof(h));
}

/* put_words() - append @word and those after it; counts them; false: no room */
static bool put_words(const char *const *word, uint8_t *out, size_t *len, uint8_t *count)
{
    for (; word && *word; word++, ++*count) {
        size_t n = strlen(*word) + 1;
        if (*count == RUNNER_WORDS || n > RUNNER_MSG_MAX - *len)
            return false;
        memcpy(out + *len, *word, n);
        *len += n;
    }
    return true;
}

size_t runner_pack(const struct runner_job *job, uint8_t out[RUNNER_MSG_MAX])
{
    const char *const input[] = { job->input, NULL };
    struct head h = { .id = job->id, .limit_ms = job->limit_ms, .caps = (uint8_t)job->caps };
    size_t len = sizeof(h);

    if (!put_words(job->argv, out, &len, &h.argc) || h.argc == 0 ||
        !put_words(job->variable, out, &len, &h.n_variable) ||
        !put_words(input, out, &len, &h.has_input) ||
        (job->input && strlen(job->input) >= INPUT_MAX))
        return 0;
    memcpy(out, &h, sizeof(h));
    return len;
}

int runner_post(struct runner *r, const uint8_t *msg, size_t len)
{
    return send(r->fd, msg, len, MSG_DONTWAIT | MSG_NOSIGNAL) < 0 ? -errno : 0;
}

int runner_fd(const struct runner *r)
{
    return r->fd;
}

int runner_result(struct runner *r, struct runner_result *ret)
{
    ssize_t n = recv(r->fd, ret, sizeof(*ret), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    return n == (ssize_t)sizeof(*ret) ? 1 : -EPIPE;
}

void runner_close(struct runner *r)
{
    if (!r)
        return;
    close(r->fd);
    free(r);
}

const char *runner_path(void)
{
    const char *path = getenv("PATH");

    return path && path[0] ? path : USUAL_PATH;
}

const char *runner_find(const char *name, char *out, size_t cap)
{
    for (const char *p = runner_path(); *p;) {
        size_t n = strcspn(p, ":");
        struct stat st;
        int len = snprintf(out, cap, "%.*s/%s", (int)n, p, name);
        if (p[0] == '/' && len > 0 && (size_t)len < cap && access(out, X_OK) == 0 &&
            stat(out, &st) == 0 && S_ISREG(st.st_mode))
            return out;
        p += n + (p[n] == ':');
    }
    return NULL;
}
