/* SPDX-License-Identifier: MIT */
/* hooks.h - programs that hear what the tunnel does: on_up, on_down, on_change, and the resolver's
 *
 * DOC: the state of the network is compared with the one that was told last; a difference becomes
 * requests that wait here, one at a time is with the runner (proto/host/runner.h). So nothing waits
 * for a program, and of several changes that wait only the last is told. A program is run as
 *
 *     PROGRAM up|down|change DEVICE
 *
 * with an environment of PATH and of SIXTAP_ variables alone (README, "Programs that are told").
 *
 * The router's resolvers go to systemd-resolved (resolvectl dns, resolvectl domain; revert) or to
 * resolvconf (-a DEVICE.sixtap; -d), whichever is found in $PATH, with CAP_NET_ADMIN, which
 * resolved asks for where there is no polkit.
 */
#ifndef SIXTAP_CLIENT_HOOKS_H
#define SIXTAP_CLIENT_HOOKS_H

#include "client/config.h"
#include "client/want.h"

struct hooks;
struct runner;

/* All that a program may hear. */
struct hook_state {
    bool up; /* the device has carrier: logged in, or held */
    struct device_want want;
    struct endpoint router, seen;
    char router_name[HOST_LEN_MAX + 1];
    struct ip6 dns[DNS_MAX];
    char search[SEARCH_MAX][SEARCH_LEN + 1];
    uint8_t n_dns, n_search;
};

/* hooks_open() - @runner: given away; it ends when nothing is to be run
 * @warn: one line for a person; not NULL
 * Return: 0, *@ret is NULL when nothing is ever to be run; -ENOMEM */
int hooks_open(const struct client_config *c, struct runner *runner, void (*warn)(const char *line),
               struct hooks **ret);

/* hooks_update() - the network is now @s; tell who wants to know */
void hooks_update(struct hooks *h, const struct hook_state *s);

/* hooks_fd() - when readable call hooks_readable(), until that is false: the runner is gone */
int hooks_fd(const struct hooks *h);
bool hooks_readable(struct hooks *h);

/* hooks_close() - the network goes: tell so, wait until that has been done or its time is over, end
 * the runner; NULL is fine. Before the device goes. */
void hooks_close(struct hooks *h);

#endif
