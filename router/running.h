/* SPDX-License-Identifier: MIT */
/* running.h - which routers run with a configuration, whatever their control sockets are called
 *
 * DOC: the name of the control socket follows from the configuration, so it says nothing about a
 * router that was started with other values, or that could not have its socket. What does not
 * change while a router runs is the file it was given. The file itself may be replaced by another
 * one (editors do), so the mark is on its directory: an open file description lock (fcntl(2),
 * F_OFD_SETLK) of one octet, at an offset made of the file's name and the router's pid. It is a
 * read lock: several routers may share a file, in network namespaces of their own. It needs no
 * place to write to, goes with the process however that ends, and is seen from every network,
 * mount and pid namespace.
 *
 * A path has a mark as it was given, and one as it is without symbolic links.
 *
 * Whoever may open the directory can set such a mark as well, and so make the commands say that a
 * router does not know; nothing is done on its account but that.
 */
#ifndef SIXTAP_ROUTER_RUNNING_H
#define SIXTAP_ROUTER_RUNNING_H

#include <sys/types.h>

#define RUNNING_MAX 16u /* routers with one file, more are not listed */

struct running {
    int fd[2]; /* that hold the mark; -1: none */
};

/* running_mark() - this process runs with the configuration @path, until running_unmark(); to be
 * called before system calls are filtered
 * Return: 0; -errno: there is no mark, as on a file system without locks */
int running_mark(struct running *r, const char *path);

/* running_unmark() - the mark is gone; nothing happens when both fd are -1 */
void running_unmark(struct running *r);

/* running_find() - who runs with the configuration @path
 * @ret: their pids as they know them, which is another one in another pid namespace
 * Return: how many */
unsigned running_find(const char *path, pid_t ret[RUNNING_MAX]);

#endif
