/* SPDX-License-Identifier: MIT */
/* namespace.h - a while in another network namespace
 *
 * DOC: sockets and devices belong to the namespace in which they were made and stay there, so a
 * program that needs both sides enters the other one for a moment while it sets up. A namespace
 * belongs to a thread, and entering needs CAP_SYS_ADMIN: before the first thread and before
 * privileges go.
 *
 * Standards: setns(2), ip-netns(8) for the place of names.
 */
#ifndef SIXTAP_HOST_NAMESPACE_H
#define SIXTAP_HOST_NAMESPACE_H

#define NAMESPACE_DIR "/run/netns/"

/* namespace_enter() - this thread into /run/netns/@name
 * @ret_home: what namespace_leave() needs, untouched on failure
 * Return: 0; -ENOENT no such name; -EPERM; other -errno: nothing has changed */
int namespace_enter(const char *name, int *ret_home);

/* namespace_leave() - back. Return: 0; -errno: still there, the caller must not go on */
int namespace_leave(int home);

#endif
