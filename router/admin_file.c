/* SPDX-License-Identifier: MIT */
/* admin_file.c - files that commands write: whole or not at all */
#include "router/admin_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Beside @path, hidden from those who list it. */
static bool temporary_name(const char *path, char *out, size_t cap)
{
    const char *slash = strrchr(path, '/');
    int dir = slash ? (int)(slash + 1 - path) : 0;
    int n = snprintf(out, cap, "%.*s.%s.%d", dir, path, path + dir, (int)getpid());

    return n > 0 && (size_t)n < cap;
}

static int write_all(int fd, const char *text)
{
    size_t len = strlen(text), off = 0;

    while (off < len) {
        ssize_t n = write(fd, text + off, len - off);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        off += (size_t)n;
    }
    return fsync(fd) < 0 ? -errno : 0;
}

int admin_write_file(const char *path, const char *text, mode_t mode, bool replace)
{
    char tmp[PATH_MAX];
    int rc = 0;

    if (!temporary_name(path, tmp, sizeof(tmp)))
        return -ENAMETOOLONG;
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return -errno;
    rc = write_all(fd, text);
    if (rc == 0 && fchmod(fd, mode) < 0)
        rc = -errno;
    if (close(fd) < 0 && rc == 0)
        rc = -errno;
    /* link() does not replace, rename() does */
    if (rc == 0 && (replace ? rename(tmp, path) : link(tmp, path)) < 0)
        rc = -errno;
    if (rc || !replace)
        (void)unlink(tmp);
    return rc;
}
