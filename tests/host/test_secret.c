/* SPDX-License-Identifier: MIT */
/* test_secret.c - every reason to refuse a key file, and the text form of keys */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <sodium.h>
#include <cmocka.h>

#include "proto/host/secret.h"

#define GOOD "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="

static char dir[] = "/tmp/sixtap-secret-XXXXXX";
static char path[64];

static int make_dir(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof(path), "%s/key", dir);
    return 0;
}

static int remove_dir(void **state)
{
    (void)state;
    unlink(path);
    return rmdir(dir);
}

static void write_file(const void *text, size_t len, mode_t mode)
{
    unlink(path);
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL, 0600);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, text, len), (ssize_t)len);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}

/* read it; on failure the key is untouched, the text one line that names the file and not the
 * content */
static int read_it(const char *name, char *err, size_t err_len)
{
    uint8_t key[KEY_LEN], before[KEY_LEN];

    memset(key, 0x5a, sizeof(key));
    memcpy(before, key, sizeof(key));
    err[0] = '\0';
    int rc = secret_read_file(name, key, err, err_len);
    if (rc == 0) {
        for (uint8_t i = 0; i < KEY_LEN; i++)
            assert_int_equal(key[i], i);
    } else {
        assert_true(rc < 0);
        assert_memory_equal(key, before, sizeof(key));
        assert_non_null(strstr(err, name));
        assert_null(strchr(err, '\n'));
        assert_null(strstr(err, "AAEC"));
    }
    return rc;
}

static void test_content(void **state)
{
    static const struct {
        const char *name, *text;
        int rc;
        const char *says;
    } rows[] = {
        { "with newline", GOOD "\n", 0, "" },
        { "without", GOOD, 0, "" },
        { "empty", "", -ENODATA, "empty" },
        { "a newline only", "\n", -EBADMSG, "too short" },
        { "short", "AAECAwQFBgcICQoLDA0ODw==\n", -EBADMSG, "too short" },
        { "one character short", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n", -EBADMSG,
          "too short" },
        { "one more character", GOOD "A", -EBADMSG, "not the base64" },
        { "33 octets", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8g\n", -EBADMSG,
          "not the base64" },
        { "two newlines", GOOD "\n\n", -EBADMSG, "more than the one line" },
        { "two keys", GOOD "\n" GOOD "\n", -EBADMSG, "more than the one line" },
        { "newline first", "\n" GOOD, -EBADMSG, "more than the one line" },
        { "carriage return", GOOD "\r\n", -EBADMSG, "line ends of Unix" },
        { "carriage return alone", GOOD "\r", -EBADMSG, "line ends of Unix" },
        { "space in front", " AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", -EBADMSG,
          "not the base64" },
        { "URL alphabet", "-_ECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=", -EBADMSG,
          "not the base64" },
        { "not canonical", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=", -EBADMSG,
          "not the base64" },
        { "hexadecimal", "000102030405060708090a0b0c0d0e0f1011121314151617", -EBADMSG,
          "more than the one line" },
        { "all zeros", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\n", -EBADMSG, "all zeros" },
    };
    char err[300];

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        print_message("row: %s\n", rows[i].name);
        write_file(rows[i].text, strlen(rows[i].text), 0600);
        assert_int_equal(read_it(path, err, sizeof(err)), rows[i].rc);
        assert_non_null(strstr(err, rows[i].says));
    }
    write_file("AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh\0=", 44, 0600);
    assert_int_equal(read_it(path, err, sizeof(err)), -EBADMSG);
}

static void test_modes(void **state)
{
    char err[300], want[100];

    (void)state;
    (void)snprintf(want, sizeof(want), "chmod 600 %s", path);
    for (mode_t m = 0; m <= 0777; m++) {
        if (!(m & 0400))
            continue;
        write_file(GOOD, 44, m);
        if (m & 077) {
            assert_int_equal(read_it(path, err, sizeof(err)), -EPERM);
            assert_non_null(strstr(err, want));
        } else {
            assert_int_equal(read_it(path, err, sizeof(err)), 0);
        }
    }
}

static void test_owner(void **state)
{
    char err[300];

    (void)state;
    if (geteuid() != 0)
        skip();
    write_file(GOOD, 44, 0600);
    assert_int_equal(chown(path, 65534, 0), 0);
    assert_int_equal(read_it(path, err, sizeof(err)), -EPERM);
    assert_non_null(strstr(err, "belongs to user 65534"));
    assert_non_null(strstr(err, "chown"));

    /* that user may read it, and sees that others than he cannot be trusted with it */
    assert_int_equal(chmod(dir, 0755), 0);
    pid_t pid = fork();
    if (pid == 0) {
        if (setgid(65534) < 0 || setuid(65534) < 0)
            _exit(2);
        _exit(read_it(path, err, sizeof(err)) == 0 ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

/* H82: what is no regular file is refused at once, whatever it would say */
static void test_kinds(void **state)
{
    char err[300], link_to[80];
    struct sockaddr_un sa = { .sun_family = AF_UNIX };

    (void)state;
    unlink(path);
    assert_int_equal(read_it(path, err, sizeof(err)), -ENOENT);
    assert_int_equal(read_it(dir, err, sizeof(err)), -EINVAL);
    assert_non_null(strstr(err, "a directory"));
    assert_int_equal(read_it("/dev/zero", err, sizeof(err)), -EINVAL);
    assert_non_null(strstr(err, "a device"));

    alarm(30); /* an open() that waits for a writer fails here */
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_it(path, err, sizeof(err)), -EINVAL);
    assert_non_null(strstr(err, "a pipe"));
    alarm(0);
    unlink(path);

    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    memcpy(sa.sun_path, path, strlen(path));
    assert_int_equal(bind(fd, (struct sockaddr *)&sa, sizeof(sa)), 0);
    assert_int_equal(read_it(path, err, sizeof(err)), -ENXIO);
    close(fd);

    /* links: the file they lead to counts */
    (void)snprintf(link_to, sizeof(link_to), "%s/link", dir);
    assert_int_equal(symlink(path, link_to), 0);
    write_file(GOOD, 44, 0600);
    assert_int_equal(read_it(link_to, err, sizeof(err)), 0);
    write_file(GOOD, 44, 0644);
    assert_int_equal(read_it(link_to, err, sizeof(err)), -EPERM);
    unlink(path);
    assert_int_equal(read_it(link_to, err, sizeof(err)), -ENOENT);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_int_equal(read_it(link_to, err, sizeof(err)), -EINVAL);
    unlink(link_to);
}

static void test_fd(void **state)
{
    uint8_t key[KEY_LEN];
    char err[300];
    int p[2], zero = open("/dev/zero", O_RDONLY);

    (void)state;
    assert_int_equal(pipe(p), 0);
    assert_int_equal(write(p[1], GOOD "\n", 20), 20); /* in two pieces */
    assert_int_equal(write(p[1], &GOOD "\n"[20], 25), 25);
    close(p[1]);
    assert_int_equal(key_from_fd(p[0], "standard input", key, err, sizeof(err)), 0);
    assert_int_equal(key[31], 31);
    assert_int_equal(key_from_fd(p[0], "standard input", key, err, sizeof(err)), -ENODATA);
    assert_non_null(strstr(err, "standard input"));
    close(p[0]);
    assert_int_equal(key_from_fd(zero, "zero", key, err, sizeof(err)), -EBADMSG); /* bounded */
    close(zero);
    assert_int_equal(key_from_fd(-1, "closed", key, err, sizeof(err)), -EBADF);
}

/* text -> key -> text for random keys; each changed character gives another key or none */
static void test_text(void **state)
{
    uint8_t key[KEY_LEN], back[KEY_LEN];
    char text[KEY_TEXT_LEN], again[KEY_TEXT_LEN];

    (void)state;
    for (int round = 0; round < 50; round++) {
        randombytes_buf(key, sizeof(key));
        key_to_text(text, key);
        assert_int_equal(strlen(text), 44);
        assert_true(key_from_text(back, text, 44));
        assert_memory_equal(key, back, KEY_LEN);
        assert_false(key_from_text(back, text, 43));
        assert_false(key_from_text(back, text, 45));
        for (int i = 0; i < 44; i++) {
            for (int bit = 0; bit < 8; bit++) {
                char was = text[i];
                text[i] = (char)(text[i] ^ (1 << bit));
                if (key_from_text(back, text, 44)) {
                    assert_memory_not_equal(key, back, KEY_LEN);
                    key_to_text(again, back);
                    assert_string_equal(again, text); /* one key, one text */
                }
                text[i] = was;
            }
        }
    }
}

static void test_lock(void **state)
{
    static uint8_t secret[64];

    (void)state;
    memset(secret, 7, sizeof(secret));
    secret_lock(secret, sizeof(secret));
    secret_unlock(secret, sizeof(secret));
    assert_true(sodium_is_zero(secret, sizeof(secret)));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_content), cmocka_unit_test(test_modes), cmocka_unit_test(test_owner),
        cmocka_unit_test(test_kinds),   cmocka_unit_test(test_fd),    cmocka_unit_test(test_text),
        cmocka_unit_test(test_lock),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, make_dir, remove_dir);
}
