/* SPDX-License-Identifier: MIT */
/* sysctl.c - read and write /proc/sys */
#include "proto/host/sysctl.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define KEY_MAX 256

static int open_key(const char *key, int flags)
{
    char path[sizeof("/proc/sys/") + KEY_MAX];

    if (strlen(key) > KEY_MAX || strstr(key, ".."))
        return -EINVAL;
    snprintf(path, sizeof(path), "/proc/sys/%s", key);
    int fd = open(path, flags | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

int sysctl_get(const char *key, char *ret, size_t cap)
{
    char buf[512];
    int fd = open_key(key, O_RDONLY);

    if (fd < 0)
        return fd;
    ssize_t n = read(fd, buf, sizeof(buf) - 1);
    int err = n < 0 ? -errno : 0;
    close(fd);
    if (err < 0)
        return err;
    buf[n] = '\0';
    size_t len = strcspn(buf, "\n");
    if (len >= cap)
        return -ENOBUFS;
    memcpy(ret, buf, len);
    ret[len] = '\0';
    return 0;
}

int sysctl_set(const char *key, const char *value)
{
    char now[64];

    /* a read-only /proc/sys that says the right thing already is no failure */
    if (sysctl_get(key, now, sizeof(now)) == 0 && strcmp(now, value) == 0)
        return 0;
    int fd = open_key(key, O_WRONLY);
    if (fd < 0)
        return fd;
    ssize_t n = write(fd, value, strlen(value));
    int err = n < 0 ? -errno : 0;
    close(fd);
    return err;
}

int sysctl_hold(const char *key)
{
    return open_key(key, O_WRONLY);
}

int sysctl_write(int fd, const char *value)
{
    /* the kernel takes a value at the start of the file only */
    if (lseek(fd, 0, SEEK_SET) < 0 || write(fd, value, strlen(value)) < 0)
        return -errno;
    return 0;
}
