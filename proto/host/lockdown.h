/* SPDX-License-Identifier: MIT */
/* lockdown.h - what a daemon gives up: core dumps, memory in swap, capabilities, system calls
 *
 * DOC: three steps, in this order.
 *
 *   lockdown_begin()    before a key is read: no core dump, no debugger of another user
 *   lockdown_memory()   once for each block that holds keys: never written to swap
 *   lockdown()          when everything is open: capabilities and system calls
 *
 * For hunting errors `--no-seccomp` leaves out core dumps and system calls; capabilities always go.
 */
#ifndef SIXTAP_HOST_LOCKDOWN_H
#define SIXTAP_HOST_LOCKDOWN_H

#include <stdbool.h>
#include <stddef.h>

/* lockdown_begin() - no core dumps of this process (RLIMIT_CORE, PR_SET_DUMPABLE)
 * @debug: they stay, and lockdown() sets no filter */
void lockdown_begin(bool debug);

/* lockdown_memory() - the pages of @len octets at @p stay out of swap and core dumps as soon as
 * they are touched; those that never are cost nothing. The first failure of a process is logged. */
void lockdown_memory(void *p, size_t len);

/* lockdown() - keep the @n capabilities of @caps (priv.h) and the system calls of @groups
 * (seccomp.h); logs what is left, and what went wrong. A kernel without filters is a warning.
 * Return: 0; -errno: the process holds more than it should, the caller must not go on */
int lockdown(const int *caps, unsigned n, unsigned groups);

#endif
