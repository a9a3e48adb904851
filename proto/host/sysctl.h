/* SPDX-License-Identifier: MIT */
/* sysctl.h - read and write /proc/sys; always best effort (containers mount it read-only) */
#ifndef SIXTAP_HOST_SYSCTL_H
#define SIXTAP_HOST_SYSCTL_H

#include <stddef.h>

/* sysctl_set() - write @value; a value that is there already is not written again
 * @key: path below /proc/sys, "net/ipv6/conf/tap6/disable_ipv6"; no ".." component
 * Return: 0; -ENOENT no such key, -EROFS or -EACCES not ours to write, other -errno */
int sysctl_set(const char *key, const char *value);

/* sysctl_get() - first line, without the newline, NUL-terminated
 * @cap: octets at @ret
 * Return: 0; -ENOBUFS longer than @cap - 1; other -errno; @ret untouched on failure */
int sysctl_get(const char *key, char *ret, size_t cap);

/* sysctl_hold() - open @key to write to it later, from whatever namespace and with no privilege of
 * opening left
 * Return: a descriptor; -errno */
int sysctl_hold(const char *key);

/* sysctl_write() - write @value to a descriptor of sysctl_hold(). Return: 0; -ENOENT when what it
 * belonged to is gone; other -errno */
int sysctl_write(int fd, const char *value);

#endif
