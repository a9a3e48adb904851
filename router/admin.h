/* SPDX-License-Identifier: MIT */
/* admin.h - the commands by which a router is set up and its clients are let in: init, invite,
 * revoke, reload
 *
 * DOC: each is a command of its own process beside a router that may run or not. They change files
 * and then ask the running router to read them; what is printed on standard output is for the
 * client (invite) or for scripts (reload --json), all else goes to standard error. Return: exit
 * codes of sysexits.h.
 */
#ifndef SIXTAP_ROUTER_ADMIN_H
#define SIXTAP_ROUTER_ADMIN_H

#include "proto/host/cli.h"
#include "router/config.h"

int admin_init(const struct cli_opts *o, const struct cli_io *io);
int admin_invite(const struct cli_opts *o, const struct cli_io *io);
int admin_revoke(const struct cli_opts *o, const struct cli_io *io);
int admin_reload(const struct cli_opts *o, const struct cli_io *io);

#endif
