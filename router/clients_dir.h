/* SPDX-License-Identifier: MIT */
/* clients_dir.h - the directory that holds more clients, one in each file NAME.yaml
 *
 * DOC: clients.d beside router.yaml, or what clients_dir: says. Files are read in the order of
 * their names (octets); those that begin with a dot or do not end in .yaml are not looked at, so
 * that an editor's or our own half-written file is no client.
 */
#ifndef SIXTAP_ROUTER_CLIENTS_DIR_H
#define SIXTAP_ROUTER_CLIENTS_DIR_H

#include "router/config.h"

#define CLIENTS_DIR_DEFAULT "clients.d"
#define CLIENTS_DIR_SUFFIX  ".yaml"

/* clients_dir_finish() - fill in c->clients_dir when it was not given, and clients_dir_default
 * @path: of router.yaml */
void clients_dir_finish(struct router_config *c, const char *path);

/* clients_dir_list() - the names of its files, sorted
 * Return: 0, free with clients_dir_free(); -errno */
int clients_dir_list(const char *dir, char ***ret_names, unsigned *ret_n);
void clients_dir_free(char **names, unsigned n);

#endif
