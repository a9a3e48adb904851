/* SPDX-License-Identifier: MIT */
/* io.h - the client's daemon: sockets, TAP, netlink, control socket and the engine between them */
#ifndef SIXTAP_CLIENT_IO_H
#define SIXTAP_CLIENT_IO_H

#include "client/config.h"

struct runner;

/* client_run() - run in the foreground until SIGTERM or SIGINT
 * @c: loaded; the caller frees it afterwards
 * @runner: runs hooks and the resolver's programs; ended here
 * Return: exit code (sysexits) */
int client_run(const struct client_config *c, struct runner *runner);

#endif
