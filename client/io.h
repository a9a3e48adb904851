/* SPDX-License-Identifier: MIT */
/* io.h - the client's daemon: sockets, TAP, netlink, control socket and the engine between them */
#ifndef SIXTAP_CLIENT_IO_H
#define SIXTAP_CLIENT_IO_H

#include "client/config.h"

/* client_run() - run in the foreground until SIGTERM or SIGINT
 * @c: loaded; the caller frees it afterwards
 * Return: exit code (sysexits) */
int client_run(const struct client_config *c);

#endif
