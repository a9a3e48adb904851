/* SPDX-License-Identifier: MIT */
/* io.h - the router's daemon: sockets, TUN, control socket and the engine between them */
#ifndef SIXTAP_ROUTER_IO_H
#define SIXTAP_ROUTER_IO_H

#include "router/config.h"

/* router_run() - run in the foreground until SIGTERM or SIGINT
 * @c: loaded; its list of clients is freed, and `reload` changes values in it; the caller frees it
 *     afterwards
 * @path: where it was loaded from
 * Return: exit code (sysexits) */
int router_run(struct router_config *c, const char *path);

#endif
