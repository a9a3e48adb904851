/* SPDX-License-Identifier: MIT */
/* test_log.c - the logger through a pipe that stands in for stderr */
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
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/log.h"

/* stderr is exchanged only while lines are written, so that the test's own messages are seen */
struct tap {
    int saved, reader;
};

static struct tap tap_on(int reader, int writer)
{
    struct tap t = { .saved = dup(STDERR_FILENO), .reader = reader };
    assert_true(t.saved >= 0);
    assert_int_equal(dup2(writer, STDERR_FILENO), STDERR_FILENO);
    close(writer);
    return t;
}

static struct tap tap_pipe(void)
{
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_int_equal(fcntl(p[0], F_SETFL, O_NONBLOCK), 0);
    return tap_on(p[0], p[1]);
}

static void tap_off(struct tap *t)
{
    dup2(t->saved, STDERR_FILENO);
    close(t->saved);
    if (t->reader >= 0)
        close(t->reader);
}

/* everything written so far, as text */
static const char *taken(const struct tap *t)
{
    static char buf[1 << 17];
    ssize_t n = read(t->reader, buf, sizeof(buf) - 1);
    buf[n > 0 ? n : 0] = '\0';
    return buf;
}

/* H82 kin: nothing a peer names itself can drive a terminal or forge a line */
static void test_escape(void **state)
{
    static const struct {
        const char *in, *out;
    } rows[] = {
        { "plain text", "plain text" },
        { "", "" },
        { "two\nlines", "two\\x0alines" },
        { "\x1b[31mred\r\b\t", "\\x1b[31mred\\x0d\\x08\\x09" },
        { "\x7f", "\\x7f" },
        { "j\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x90\x9f",
          "j\xc3\xbcrgen \xe2\x82\xac \xf0\x9f\x90\x9f" },
        { "\xc2\x9b"
          "31m",
          "\\xc2\\x9b31m" }, /* C1 control */
        { "\x9b"
          "31m",
          "\\x9b31m" },               /* the same, raw */
        { "\xc0\x8a", "\\xc0\\x8a" }, /* overlong newline */
        { "\xe0\x80\x8a", "\\xe0\\x80\\x8a" },
        { "\xf0\x80\x80\x8a", "\\xf0\\x80\\x80\\x8a" },
        { "\xed\xa0\x80", "\\xed\\xa0\\x80" },          /* surrogate */
        { "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80" }, /* above U+10FFFF */
        { "\xe2\x80\xae"
          "txt",
          "\\xe2\\x80\\xaetxt" },              /* right to left */
        { "\xe2\x80\xa8", "\\xe2\\x80\\xa8" }, /* line separator */
        { "cut \xe2\x82", "cut \\xe2\\x82" },
        { "100%n", "100%n" },
    };

    (void)state;
    log_setup(0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char want[200];
        struct tap t = tap_pipe();
        log_warn("%s", rows[i].in);
        (void)snprintf(want, sizeof(want), "%s\n", rows[i].out);
        const char *got = taken(&t);
        tap_off(&t);
        assert_string_equal(got, want);
    }
}

static void test_levels(void **state)
{
    (void)state;
    for (unsigned verbose = 0; verbose < 2; verbose++) {
        struct tap t = tap_pipe();
        log_setup(verbose);
        log_error("e");
        log_warn("w");
        log_info("i");
        log_debug("d");
        const char *got = taken(&t);
        tap_off(&t);
        assert_string_equal(got, verbose ? "e\nw\ni\nd\n" : "e\nw\ni\n");
        assert_int_equal(log_shows(LOG_LEVEL_DEBUG), verbose);
    }
    log_setup(0);
}

/* the prefix only when $JOURNAL_STREAM names this very stream */
static void test_journal(void **state)
{
    static const struct {
        const char *name, *format; /* of {device, inode} */
        const char *want;
    } rows[] = {
        { "ours", "%llu:%llu", "<3>e\n<4>w\n<6>i\n" },
        { "another device", "9%llu:%llu", "e\nw\ni\n" },
        { "another inode", "%llu:9%llu", "e\nw\ni\n" },
        { "something behind", "%llu:%llux", "e\nw\ni\n" },
        { "no colon", "%llu", "e\nw\ni\n" },
        { "empty", "", "e\nw\ni\n" },
        { "no number", ":", "e\nw\ni\n" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tap t = tap_pipe();
        struct stat st;
        char var[100];
        assert_int_equal(fstat(STDERR_FILENO, &st), 0);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        (void)snprintf(var, sizeof(var), rows[i].format, (unsigned long long)st.st_dev,
                       (unsigned long long)st.st_ino);
#pragma GCC diagnostic pop
        setenv("JOURNAL_STREAM", var, 1);
        log_setup(0);
        log_error("e");
        log_warn("w");
        log_info("i");
        unsetenv("JOURNAL_STREAM");
        const char *got = taken(&t);
        tap_off(&t);
        print_message("row: %s\n", rows[i].name);
        assert_string_equal(got, rows[i].want);
    }
    log_setup(0);
}

static void test_long_line(void **state)
{
    static char text[5000];

    (void)state;
    log_setup(0);
    memset(text, '\n', sizeof(text) - 1); /* each octet grows to four */
    struct tap t = tap_pipe();
    log_info("%s", text);
    const char *got = taken(&t);
    tap_off(&t);
    assert_int_equal(strlen(got), 4 * 937 + 3 + 1);
    assert_string_equal(got + strlen(got) - 8, "\\x0a...\n");
}

/* the reader has gone: no signal, no error, errno untouched, and the next line that can be written
 * says so */
static void test_reader_gone(void **state)
{
    (void)state;
    log_setup(0);
    struct tap t = tap_pipe();
    close(t.reader);
    t.reader = -1;
    errno = 77;
    log_info("one");
    log_info("two");
    int after = errno;
    tap_off(&t);
    assert_int_equal(after, 77);
    t = tap_pipe();
    log_info("three");
    log_info("four");
    const char *got = taken(&t);
    tap_off(&t);
    assert_string_equal(got, "(2 lines lost) three\nfour\n");
}

/* nobody reads: a pipe or a socket that is full loses lines instead of stopping the daemon */
static void test_full(void **state)
{
    (void)state;
    log_setup(0);
    for (int sock = 0; sock < 2; sock++) {
        int p[2];
        struct tap t;
        if (sock) {
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, p), 0);
            t = tap_on(p[0], p[1]);
        } else {
            t = tap_pipe();
        }
        alarm(30); /* a logger that blocks fails here */
        for (int i = 0; i < 5000; i++)
            log_info("%0200d", i);
        alarm(0);
        assert_int_equal(fcntl(STDERR_FILENO, F_GETFL) & O_NONBLOCK, 0);
        (void)taken(&t);
        if (sock)
            assert_int_equal(fcntl(t.reader, F_SETFL, O_NONBLOCK), 0);
        while (taken(&t)[0])
            ;
        log_info("after");
        log_info("more");
        const char *got = taken(&t);
        tap_off(&t);
        assert_non_null(strstr(got, " lines lost) after\nmore\n"));
        assert_int_equal(got[0], '(');
    }
}

/* H98: the disk is full */
static void test_no_space(void **state)
{
    int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

    (void)state;
    if (fd < 0)
        skip();
    struct tap t = tap_on(-1, fd);
    log_info("lost");
    tap_off(&t);
    t = tap_pipe();
    log_info("x");
    const char *got = taken(&t);
    tap_off(&t);
    assert_string_equal(got, "(1 lines lost) x\n");
}

static void test_limit(void **state)
{
    static const struct {
        mono_ns at_ms;
        const char *want;
    } rows[] = {
        { 1000, "x\n" },
        { 1000, "x\n" },
        { 1000, "" },
        { 1900, "" }, /* two at once */
        { 2000, "x (2 similar lines left out)\n" },
        { 2001, "" }, /* one per second */
        { 2999, "" },
        { 3000, "x (2 similar lines left out)\n" },
        { 9000, "x\n" },
        { 9000, "x\n" },
        { 9000, "" }, /* never more than the burst */
        { 8000, "" }, /* a clock that goes back gives nothing */
        { 10000, "x (2 similar lines left out)\n" },
    };
    struct log_limit l = LOG_LIMIT(2, NS_PER_S);

    (void)state;
    log_setup(0);
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct tap t = tap_pipe();
        log_limited(&l, time_ms(rows[i].at_ms), LOG_LEVEL_INFO, "x");
        log_limited(&l, time_ms(rows[i].at_ms), LOG_LEVEL_DEBUG, "not shown");
        const char *got = taken(&t);
        tap_off(&t);
        assert_string_equal(got, rows[i].want);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_escape),      cmocka_unit_test(test_levels),
        cmocka_unit_test(test_journal),     cmocka_unit_test(test_long_line),
        cmocka_unit_test(test_reader_gone), cmocka_unit_test(test_full),
        cmocka_unit_test(test_no_space),    cmocka_unit_test(test_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
