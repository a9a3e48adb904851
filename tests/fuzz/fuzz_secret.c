/* SPDX-License-Identifier: MIT */
/* fuzz_secret.c - key files: what is taken is written as the same text; what is refused changes
 * nothing
 *
 * Input: the content of a file.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"
#include "proto/host/secret.h"

/* One key, then nothing or a newline: how a reader sees it that knows nothing but the text. */
static size_t line_len(const uint8_t *p, size_t len)
{
    return len && p[len - 1] == '\n' ? len - 1 : len;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static int fd = -1;
    uint8_t key[KEY_LEN], untouched[KEY_LEN], file_key[KEY_LEN];
    char text[KEY_TEXT_LEN], err[200];

    if (fd < 0)
        fd = memfd_create("key", MFD_CLOEXEC);
    FUZZ_CHECK(fd >= 0);
    memset(untouched, 0xA5, sizeof(untouched));
    memcpy(key, untouched, KEY_LEN);
    memcpy(file_key, untouched, KEY_LEN);

    char *exact = (char *)fuzz_exact(data, len);
    size_t n = line_len(data, len);
    bool ok = key_from_text(key, exact, n);
    free(exact);
    if (ok) {
        key_to_text(text, key);
        FUZZ_CHECK(n == KEY_TEXT_LEN - 1 && memcmp(text, data, n) == 0); /* one key, one text */
    } else {
        FUZZ_CHECK(memcmp(key, untouched, KEY_LEN) == 0);
    }
    FUZZ_CHECK(ftruncate(fd, 0) == 0 && pwrite(fd, data, len, 0) == (ssize_t)len);
    FUZZ_CHECK(lseek(fd, 0, SEEK_SET) == 0);
    memset(err, 0xFF, sizeof(err));
    int rc = key_from_fd(fd, "a file", file_key, err, sizeof(err));
    if (rc == 0) {
        FUZZ_CHECK(memcmp(key, file_key, KEY_LEN) == 0 || !ok);
    } else {
        FUZZ_CHECK(memchr(err, 0, sizeof(err)) && memcmp(file_key, untouched, KEY_LEN) == 0);
        FUZZ_CHECK(len < 32 || !memmem(err, strlen(err), data, len)); /* never the content */
    }
    return 0;
}
