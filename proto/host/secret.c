/* SPDX-License-Identifier: MIT */
/* secret.c - keys as text: base64 of 32 octets, in a file nobody else may read */
#include "proto/host/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define TEXT_LEN (KEY_TEXT_LEN - 1u)
#define READ_MAX (TEXT_LEN + 2u) /* the text, its newline, and one octet that must not be there */

_Static_assert(sodium_base64_ENCODED_LEN(KEY_LEN, sodium_base64_VARIANT_ORIGINAL) == KEY_TEXT_LEN,
               "44 characters and a NUL");

void key_to_text(char *out, const uint8_t *key)
{
    sodium_bin2base64(out, KEY_TEXT_LEN, key, KEY_LEN, sodium_base64_VARIANT_ORIGINAL);
}

bool key_from_text(uint8_t *key, const char *text, size_t len)
{
    uint8_t bin[KEY_LEN];
    char again[KEY_TEXT_LEN];
    size_t n = 0;
    bool ok = len == TEXT_LEN &&
              sodium_base642bin(bin, sizeof(bin), text, len, NULL, &n, NULL,
                                sodium_base64_VARIANT_ORIGINAL) == 0 &&
              n == KEY_LEN;

    /* libsodium 1.0.18 takes some octets above 127 for characters: what it read must give the text
     * back */
    if (ok) {
        key_to_text(again, bin);
        ok = sodium_memcmp(again, text, TEXT_LEN) == 0;
    }
    if (ok)
        memcpy(key, bin, KEY_LEN);
    sodium_memzero(again, sizeof(again));
    sodium_memzero(bin, sizeof(bin));
    return ok;
}

/* At most READ_MAX octets of @fd, to its end. Return: how many; -errno */
static ssize_t read_bounded(int fd, char *buf)
{
    size_t n = 0;

    while (n < READ_MAX) {
        ssize_t got = read(fd, buf + n, READ_MAX - n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return -errno;
        if (got == 0)
            break;
        n += (size_t)got;
    }
    return (ssize_t)n;
}

static int refuse(int rc, char *err, size_t err_len, const char *name, const char *why)
{
    (void)snprintf(err, err_len, "%s: %s", name, why);
    return rc;
}

int key_from_fd(int fd, const char *name, uint8_t *key, char *err, size_t err_len)
{
    char buf[READ_MAX];
    uint8_t bin[KEY_LEN] = { 0 };
    int rc = 0;

    ssize_t n = read_bounded(fd, buf);
    size_t len = n > 0 && buf[n - 1] == '\n' ? (size_t)n - 1 : n > 0 ? (size_t)n : 0;
    if (n < 0)
        rc = refuse((int)n, err, err_len, name, strerror((int)-n));
    else if (n == 0)
        rc = refuse(-ENODATA, err, err_len, name, "empty; a key is made with `keygen`");
    else if (memchr(buf, '\r', (size_t)n))
        rc = refuse(-EBADMSG, err, err_len, name,
                    "a carriage return in it; save it with the line ends of Unix");
    else if (n == READ_MAX || memchr(buf, '\n', len))
        rc = refuse(-EBADMSG, err, err_len, name, "more than the one line of a key");
    else if (len < TEXT_LEN)
        rc = refuse(-EBADMSG, err, err_len, name, "too short: a key is 44 characters of base64");
    else if (!key_from_text(bin, buf, len))
        rc = refuse(-EBADMSG, err, err_len, name,
                    "not the base64 of a key (44 characters, 32 octets)");
    else if (sodium_is_zero(bin, sizeof(bin)))
        rc = refuse(-EBADMSG, err, err_len, name, "all zeros, which is no key");
    else
        memcpy(key, bin, KEY_LEN);
    sodium_memzero(bin, sizeof(bin));
    sodium_memzero(buf, sizeof(buf));
    return rc;
}

static const char *kind_of(mode_t mode)
{
    return S_ISDIR(mode)    ? "a directory"
           : S_ISFIFO(mode) ? "a pipe"
           : S_ISSOCK(mode) ? "a socket"
           : S_ISCHR(mode)  ? "a device"
           : S_ISBLK(mode)  ? "a device"
                            : "something else";
}

/* Is the open file one a secret may lie in? Asked of the descriptor, so it cannot be exchanged in
 * between. */
static int check_file(int fd, const char *path, char *err, size_t err_len)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return refuse(-errno, err, err_len, path, strerror(errno));
    if (!S_ISREG(st.st_mode)) {
        (void)snprintf(err, err_len, "%s: %s, not a regular file", path, kind_of(st.st_mode));
        return -EINVAL;
    }
    if (st.st_uid != 0 && st.st_uid != geteuid()) {
        (void)snprintf(
            err, err_len,
            "%s: belongs to user %u, not to root or to the user who runs this; chown %u %s", path,
            (unsigned)st.st_uid, (unsigned)geteuid(), path);
        return -EPERM;
    }
    if (st.st_mode & 077) {
        (void)snprintf(err, err_len, "%s: others may use it (mode %04o); chmod 600 %s", path,
                       (unsigned)st.st_mode & 07777u, path);
        return -EPERM;
    }
    return 0;
}

int secret_read_file(const char *path, uint8_t *key, char *err, size_t err_len)
{
    /* O_NONBLOCK: opening a FIFO must not wait for its writer */
    int fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);

    if (fd < 0) {
        int rc = -errno;
        return refuse(rc, err, err_len, path, strerror(-rc));
    }
    int rc = check_file(fd, path, err, err_len);
    if (rc == 0)
        rc = key_from_fd(fd, path, key, err, err_len);
    close(fd);
    return rc;
}

/* The pages that hold @len octets at @p: their beginning, and how many octets they are. */
static void *pages_of(void *p, size_t len, size_t *ret_len)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    size_t in_page = (uintptr_t)p & (page - 1);

    *ret_len = (in_page + len + page - 1) & ~(page - 1);
    return (uint8_t *)p - in_page;
}

int secret_lock(void *p, size_t len)
{
    size_t n;
    void *from = pages_of(p, len, &n);

    (void)madvise(from, n, MADV_DONTDUMP);
    if (mlock2(from, n, MLOCK_ONFAULT) == 0)
        return 0;
    /* a kernel before 4.4 does not know it; plain mlock() would touch every page */
    return -errno;
}

void secret_unlock(void *p, size_t len)
{
    size_t n;
    void *from = pages_of(p, len, &n);

    sodium_memzero(p, len);
    (void)munlock(from, n);
    (void)madvise(from, n, MADV_DODUMP);
}
