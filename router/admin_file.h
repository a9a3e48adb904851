/* SPDX-License-Identifier: MIT */
/* admin_file.h - files that commands write: whole or not at all */
#ifndef SIXTAP_ROUTER_ADMIN_FILE_H
#define SIXTAP_ROUTER_ADMIN_FILE_H

#include <stdbool.h>
#include <sys/types.h>

/* admin_write_file() - @text becomes file @path: nobody ever reads half of it, it is on the disk
 * when the call returns
 * @replace: an existing one is replaced, else left alone
 * Return: 0; -EEXIST; -ENAMETOOLONG; -errno */
int admin_write_file(const char *path, const char *text, mode_t mode, bool replace);

#endif
