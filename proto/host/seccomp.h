/* SPDX-License-Identifier: MIT */
/* seccomp.h - the system calls that a daemon may make once it has started
 *
 * DOC: an allow-list, made by one table in seccomp.c. What is not on it is not carried out and ends
 * the process with signal SIGSYS, after one line that names the call: a daemon that was made to do
 * what it never does must not go on. System calls younger than the unified numbers of Linux 5.1
 * (424 and up) that are not on the list answer ENOSYS instead, as on an older kernel, because a C
 * library of tomorrow may try them and knows what to do without.
 *
 * The filter also holds for programs that are executed, and cannot be taken back. So whatever is to
 * run other programs has to be forked off before seccomp_enter().
 *
 * A build with sanitizers needs a few calls more (their leak check stops all threads by ptrace at
 * exit); they are on the list of such builds alone.
 *
 * Standards: seccomp(2), SECCOMP_RET_TRAP.
 */
#ifndef SIXTAP_HOST_SECCOMP_H
#define SIXTAP_HOST_SECCOMP_H

/* What is allowed beyond the calls that every daemon makes. */
enum seccomp_group {
    SECCOMP_WRITE_FILES = 1, /* open files to write too: /proc/sys (without: to read only) */
    SECCOMP_THREADS = 4,     /* threads */
    SECCOMP_NAMES = 2,       /* threads that ask the system's resolver, and what that asks for */
};

/* seccomp_enter() - allow the table's calls and those of @groups from now on, in every thread; to
 * be called once, after priv_keep(). Sets no_new_privs. Forks a child
 * that makes the filter.
 * Return: how many instructions the filter has; -ENOSYS: the kernel has no filters; -errno */
int seccomp_enter(unsigned groups);

#endif
