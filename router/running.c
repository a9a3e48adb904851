/* SPDX-License-Identifier: MIT */
/* running.c - which routers run with a configuration, whatever their control sockets are called */
#include "router/running.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PID_BITS  23u /* pids are below 2^22 */
#define NAME_BITS 39u /* together an offset that is positive */

/* Where the marks of the file called @name begin. */
static off_t offset_of(const char *name)
{
    uint8_t hash[crypto_generichash_BYTES_MIN];
    uint64_t n = 0;

    crypto_generichash(hash, sizeof(hash), (const uint8_t *)name, strlen(name), NULL, 0);
    for (unsigned i = 0; i < 8; i++)
        n = n << 8 | hash[i];
    return (off_t)((n & ((UINT64_C(1) << NAME_BITS) - 1)) << PID_BITS);
}

/* Open the directory that @path lies in. Return: descriptor, *@ret the offset; -errno */
static int open_dir(const char *path, off_t *ret)
{
    char dir[PATH_MAX] = ".";
    const char *slash = strrchr(path, '/');

    if (slash) {
        size_t len = slash == path ? 1 : (size_t)(slash - path);
        if (len >= sizeof(dir))
            return -ENAMETOOLONG;
        memcpy(dir, path, len);
        dir[len] = 0;
    }
    *ret = offset_of(slash ? slash + 1 : path);
    int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* The two names of @path; the second is NULL when the file is not there, or has one name only. The
 * caller frees @real. */
static void names_of(const char *path, const char *ret[2], char **real)
{
    *real = realpath(path, NULL);
    ret[0] = path;
    ret[1] = *real && strcmp(*real, path) != 0 ? *real : NULL;
}

static int mark_one(const char *path)
{
    off_t at = 0;
    int fd = open_dir(path, &at);

    if (fd < 0)
        return fd;
    struct flock lock = {
        .l_type = F_RDLCK, .l_whence = SEEK_SET, .l_start = at + getpid(), .l_len = 1
    };
    if (fcntl(fd, F_OFD_SETLK, &lock) == 0)
        return fd;
    int err = -errno;
    close(fd);
    return err;
}

int running_mark(struct running *r, const char *path)
{
    const char *name[2];
    char *real;
    int err = 0;

    names_of(path, name, &real);
    for (unsigned i = 0; i < 2; i++) {
        r->fd[i] = name[i] ? mark_one(name[i]) : -1;
        if (name[i] && r->fd[i] < 0)
            err = r->fd[i];
    }
    free(real);
    return err;
}

void running_unmark(struct running *r)
{
    for (unsigned i = 0; i < 2; i++) {
        if (r->fd[i] >= 0)
            close(r->fd[i]);
        r->fd[i] = -1;
    }
}

struct found {
    int fd;
    off_t base;
    pid_t *pid;
    unsigned n;
};

static void add(struct found *f, pid_t pid)
{
    for (unsigned i = 0; i < f->n; i++) {
        if (f->pid[i] == pid)
            return;
    }
    f->pid[f->n++] = pid;
}

/* The kernel names one lock, any of those that stand in the way of a write lock: the search goes on
 * on both sides of it. */
static void find_between(struct found *f, off_t from, off_t to)
{
    struct flock lock = {
        .l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = from, .l_len = to - from
    };

    if (from >= to || f->n == RUNNING_MAX || fcntl(f->fd, F_OFD_GETLK, &lock) < 0 ||
        lock.l_type == F_UNLCK)
        return;
    if (lock.l_start < from || lock.l_start >= to || lock.l_len != 1) /* none of ours */
        return;
    add(f, (pid_t)(lock.l_start - f->base));
    find_between(f, from, lock.l_start);
    find_between(f, lock.l_start + 1, to);
}

static void find_by(struct found *f, const char *path)
{
    f->fd = open_dir(path, &f->base);
    if (f->fd < 0)
        return;
    find_between(f, f->base, f->base + (1 << PID_BITS));
    close(f->fd);
}

unsigned running_find(const char *path, pid_t ret[RUNNING_MAX])
{
    struct found f = { .pid = ret };
    const char *name[2];
    char *real;

    names_of(path, name, &real);
    for (unsigned i = 0; i < 2; i++) {
        if (name[i])
            find_by(&f, name[i]);
    }
    free(real);
    return f.n;
}
