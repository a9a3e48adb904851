/* SPDX-License-Identifier: MIT */
/* namespace.c - a while in another network namespace */
#include "proto/host/namespace.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

int namespace_enter(const char *name, int *ret_home)
{
    char path[sizeof(NAMESPACE_DIR) + 255];
    int err = 0;

    if (!name[0] || name[0] == '.' || strchr(name, '/') || strlen(name) > 255)
        return -EINVAL;
    snprintf(path, sizeof(path), NAMESPACE_DIR "%s", name);
    int there = open(path, O_RDONLY | O_CLOEXEC);
    if (there < 0)
        return -errno;
    int home = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    if (home < 0 || setns(there, CLONE_NEWNET) < 0)
        err = -errno;
    close(there);
    if (err == 0)
        *ret_home = home;
    else if (home >= 0)
        close(home);
    return err;
}

int namespace_leave(int home)
{
    int err = setns(home, CLONE_NEWNET) < 0 ? -errno : 0;

    close(home);
    return err;
}
