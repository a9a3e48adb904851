/* SPDX-License-Identifier: MIT */
/* resolve.c - from a name to IPv4 addresses without holding up the loop */
#include "proto/host/resolve.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

/* All that a thread knows. The last of the two who hold it frees it. */
struct job {
    atomic_uint refs;
    int done_fd;      /* eventfd, written once: the fields below are then the resolver's to read */
    atomic_bool done; /* carries them from one thread to the other */
    be32 addr[RESOLVE_MAX];
    unsigned n;
    char error[128];
    char name[RESOLVE_NAME + 1];
};

struct resolver {
    struct ev_loop *ev;
    resolve_done_fn done;
    void *ctx;
    struct job *job; /* NULL: none under way */
    struct ev_io io;
};

/* Of the whole process, since threads of a freed resolver still run. */
static atomic_uint n_threads;

static void job_free(struct job *j)
{
    close(j->done_fd);
    free(j);
}

static void job_put(struct job *j)
{
    if (atomic_fetch_sub_explicit(&j->refs, 1, memory_order_acq_rel) == 1)
        job_free(j);
}

static void job_finish(struct job *j)
{
    uint64_t one = 1;

    atomic_store_explicit(&j->done, true, memory_order_release);
    (void)!write(j->done_fd, &one, sizeof(one)); /* cannot block: written once */
}

/* Add @a unless it is there or no host can have it. */
static void job_add(struct job *j, be32 a)
{
    if (be32_get(a) >> 24 == 0 || a.b[0] >= 224 || j->n == RESOLVE_MAX)
        return;
    for (unsigned i = 0; i < j->n; i++)
        if (memcmp(&j->addr[i], &a, sizeof(a)) == 0)
            return;
    j->addr[j->n++] = a;
}

static void set_error(struct job *j, const char *text)
{
    (void)snprintf(j->error, sizeof(j->error), "%s", text);
}

static void look_up(struct job *j)
{
    struct addrinfo hints = { .ai_family = AF_INET, .ai_socktype = SOCK_DGRAM }, *list = NULL;
    int rc = getaddrinfo(j->name, NULL, &hints, &list);

    if (rc != 0) {
        set_error(j, rc == EAI_SYSTEM ? strerror(errno) : gai_strerror(rc));
        return;
    }
    for (const struct addrinfo *ai = list; ai; ai = ai->ai_next) {
        struct sockaddr_in sa;
        be32 a;
        if (ai->ai_family != AF_INET || ai->ai_addrlen < sizeof(sa))
            continue;
        memcpy(&sa, ai->ai_addr, sizeof(sa));
        memcpy(&a, &sa.sin_addr, sizeof(a));
        job_add(j, a);
    }
    freeaddrinfo(list);
    if (j->n == 0)
        set_error(j, "no usable IPv4 address");
}

static void *thread_main(void *arg)
{
    struct job *j = arg;

    look_up(j);
    job_finish(j);
    job_put(j);
    atomic_fetch_sub(&n_threads, 1);
    return NULL;
}

/* Signals are the main thread's: the new one starts with all of them blocked. */
static int start_thread(struct job *j)
{
    pthread_attr_t attr;
    sigset_t all, before;
    pthread_t t;

    if (atomic_fetch_add(&n_threads, 1) >= RESOLVE_THREADS) {
        atomic_fetch_sub(&n_threads, 1);
        return -EAGAIN;
    }
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&t, &attr, thread_main, j);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    pthread_attr_destroy(&attr);
    if (rc != 0)
        atomic_fetch_sub(&n_threads, 1);
    return -rc;
}

static void on_done(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct resolver *r = w->data;
    struct job *j = r->job;

    (void)revents;
    if (!j || !atomic_load_explicit(&j->done, memory_order_acquire))
        return;
    ev_io_stop(ev, w);
    r->job = NULL; /* done() may start the next, or close the resolver */
    r->done(r->ctx, j->addr, j->n, j->n ? "" : j->error);
    job_put(j);
}

int resolve_open(struct resolver **ret, struct ev_loop *ev, resolve_done_fn done, void *ctx)
{
    struct resolver *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->ev = ev;
    r->done = done;
    r->ctx = ctx;
    ev_init(&r->io, on_done);
    r->io.data = r;
    *ret = r;
    return 0;
}

/* A job for @name of @len octets; NULL with errno set */
static struct job *job_new(const char *name, size_t len)
{
    struct job *j = calloc(1, sizeof(*j));

    if (!j)
        return NULL;
    j->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (j->done_fd < 0) {
        free(j);
        return NULL;
    }
    atomic_init(&j->refs, 1);
    atomic_init(&j->done, false);
    memcpy(j->name, name, len);
    return j;
}

/* Begin: numbers are done at once, names get a thread, which holds the job too. */
static int job_start(struct job *j)
{
    be32 a;

    if (inet_pton(AF_INET, j->name, &a) == 1) {
        job_add(j, a);
        if (j->n == 0)
            set_error(j, "not the address of a host");
        job_finish(j);
        return 0;
    }
    atomic_store(&j->refs, 2);
    return start_thread(j);
}

int resolve_start(struct resolver *r, const char *name)
{
    size_t len = strlen(name);

    if (r->job)
        return -EALREADY;
    if (len == 0 || len > RESOLVE_NAME)
        return -EINVAL;
    struct job *j = job_new(name, len);
    if (!j)
        return -errno;
    int rc = job_start(j);
    if (rc < 0) { /* there is no thread */
        job_free(j);
        return rc;
    }
    r->job = j;
    ev_io_set(&r->io, j->done_fd, EV_READ);
    ev_io_start(r->ev, &r->io);
    return 0;
}

bool resolve_busy(const struct resolver *r)
{
    return r->job != NULL;
}

void resolve_forget(struct resolver *r)
{
    if (!r->job)
        return;
    ev_io_stop(r->ev, &r->io);
    job_put(r->job);
    r->job = NULL;
}

void resolve_close(struct resolver *r)
{
    if (!r)
        return;
    resolve_forget(r);
    free(r);
}
