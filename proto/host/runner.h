/* SPDX-License-Identifier: MIT */
/* runner.h - a process of its own that runs other programs, one at a time, each with a time limit
 *
 * DOC: a daemon that has given up its capabilities and filters its system calls can start nothing
 * any more, and should not. So this process is forked off first, before keys are read; it does what
 * it is asked through a socket pair: no shell, an environment made from nothing, standard input
 * from the request, output to the daemon's standard error, no other descriptor. A program that
 * exceeds its limit is killed with its process group. When the daemon dies, so do the program that
 * runs and the runner; when it ends in order (runner_close()) the same happens, so the daemon waits
 * for the answers it wants first.
 *
 * Requests wait in the socket while one runs: runner_post() never blocks.
 */
#ifndef SIXTAP_HOST_RUNNER_H
#define SIXTAP_HOST_RUNNER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define RUNNER_WORDS   64u   /* arguments and variables of one request */
#define RUNNER_MSG_MAX 8192u /* octets of a packed request */

/* What a program is allowed, of what the daemon was started with. */
enum runner_caps {
    RUNNER_NO_CAPS,
    RUNNER_NET_ADMIN, /* CAP_NET_ADMIN alone */
    RUNNER_ALL_CAPS,
};

struct runner_job {
    uint32_t id;                 /* comes back in the result */
    uint32_t limit_ms;           /* time until it is killed */
    enum runner_caps caps;       /* not more than runner_limit() left */
    const char *const *argv;     /* NULL-ended; argv[0] is the path of the program */
    const char *const *variable; /* NULL-ended "NAME=value": all of its environment */
    const char *input;           /* its standard input; NULL: /dev/null; at most 4095 octets */
};

struct runner_result {
    uint32_t id;
    int error;     /* errno when it could not be started, else 0 */
    bool too_long; /* killed at its limit */
    int status;    /* as waitpid() has it */
};

struct runner;

/* runner_open() - fork it. Before threads, keys and descriptors that matter.
 * Return: 0; -errno, @ret untouched; free with runner_close() */
int runner_open(struct runner **ret);

/* runner_limit() - the most that any later request may have; the runner drops the rest for good.
 * Return: 0; -errno */
int runner_limit(struct runner *r, enum runner_caps most);

/* runner_pack() - a request as octets, for runner_post()
 * Return: octets at @out; 0: it does not fit */
size_t runner_pack(const struct runner_job *job, uint8_t out[RUNNER_MSG_MAX]);

/* runner_post() - hand a packed request over. Return: 0; -EAGAIN too many wait; -EPIPE the runner
 * is gone; -errno */
int runner_post(struct runner *r, const uint8_t *msg, size_t len);

/* runner_fd() - readable when a result waits or the runner is gone */
int runner_fd(const struct runner *r);

/* runner_result() - the next result. Return: 1; 0 none waits; -EPIPE the runner is gone */
int runner_result(struct runner *r, struct runner_result *ret);

/* runner_close() - end it and whatever it runs; NULL is fine */
void runner_close(struct runner *r);

/* runner_find() - the path of program @name in $PATH, or in the usual directories when there is
 * none
 * Return: @out, or NULL: nowhere */
const char *runner_find(const char *name, char *out, size_t cap);

/* runner_path() - $PATH, or the usual directories */
const char *runner_path(void);

#endif
