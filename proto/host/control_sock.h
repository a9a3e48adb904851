/* SPDX-License-Identifier: MIT */
/* control_sock.h - what both sides of the control socket need: its address, and who is at the other
 * end
 *
 * Private to control.c and control_query.c.
 */
#ifndef SIXTAP_HOST_CONTROL_SOCK_H
#define SIXTAP_HOST_CONTROL_SOCK_H

#include <sys/socket.h>
#include <sys/un.h>

struct control_addr {
    struct sockaddr_un sa;
    socklen_t len;
    char *path; /* NULL: abstract; owned */
};

/* control_addr_of() - the address of @name: "@abstract", else a path
 * Return: 0; -EINVAL empty; -ENAMETOOLONG; -ENOMEM. control_addr_clear() frees. */
int control_addr_of(struct control_addr *ret, const char *name);
void control_addr_clear(struct control_addr *a);

/* control_peer_uid() - the user who opened the other end (SO_PEERCRED, unix(7)). Return: 0; -errno
 */
int control_peer_uid(int fd, uid_t *ret);

#endif
