/* SPDX-License-Identifier: MIT */
/* resolve.h - from a name to IPv4 addresses without holding up the loop
 *
 * DOC: getaddrinfo() blocks, for half a minute where no name server answers, and cannot be
 * cancelled. It runs in a detached thread that shares nothing with the resolver but one job, which
 * both sides hold a reference to; an eventfd in the job says when it is done. So a resolver can
 * forget a job, or be freed, at any time. Numeric addresses need no thread but are delivered the
 * same way.
 */
#ifndef SIXTAP_HOST_RESOLVE_H
#define SIXTAP_HOST_RESOLVE_H

#include <ev.h>
#include <stdbool.h>

#include "proto/be.h"

#define RESOLVE_MAX     16u /* addresses delivered */
#define RESOLVE_THREADS 4u  /* lookups under way, forgotten ones included */
#define RESOLVE_NAME    253u

struct resolver;

/* @addr: @n addresses in the order of getaddrinfo(), each once, unicast only; n 0: @error says why
 * (text) */
typedef void (*resolve_done_fn)(void *ctx, const be32 *addr, unsigned n, const char *error);

/* resolve_open() - Return: 0; -ENOMEM. @done is called from the loop, never from resolve_start();
 * it may start the next lookup */
int resolve_open(struct resolver **ret, struct ev_loop *ev, resolve_done_fn done, void *ctx);

/* resolve_start() - look up @name (or an IPv4 address in dotted form)
 * Return: 0, done will be called once; -EALREADY a lookup is under way; -EAGAIN too many forgotten
 * ones still run, try later; -EINVAL name empty or too long; -errno */
int resolve_start(struct resolver *r, const char *name);

/* resolve_busy() - is a lookup under way? */
bool resolve_busy(const struct resolver *r);

/* resolve_forget() - done will not be called for the lookup under way, if there is one */
void resolve_forget(struct resolver *r);

/* resolve_close() - forget and free; NULL is fine */
void resolve_close(struct resolver *r);

#endif
