/* SPDX-License-Identifier: MIT */
/* test_cli.c - the command line: exit codes and texts, keygen and pubkey, status as text */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/host/cli.h"
#include "proto/host/secret.h"

/* ---- a program that notes what it was asked ---- */

static struct cli_opts seen;
static char seen_config[64];
static int n_runs, n_problems;

static void note(const struct cli_opts *o)
{
    seen = *o;
    snprintf(seen_config, sizeof(seen_config), "%s", o->config);
}

static int fake_run(const struct cli_opts *o)
{
    note(o);
    n_runs++;
    return 0;
}

static int fake_check(const struct cli_opts *o, FILE *err)
{
    note(o);
    if (n_problems)
        fprintf(err, "%s:1:1: wrong\n", o->config);
    return n_problems;
}

static int fake_control(const struct cli_opts *o, char name[108], FILE *err)
{
    note(o);
    if (n_problems)
        fprintf(err, "%s:1:1: wrong\n", o->config);
    snprintf(name, 108, "@sixtap-test-nobody-%d", (int)getpid());
    return n_problems;
}

static const struct cli program = {
    .program = "sixtap-test",
    .about = "what it is for",
    .default_config = "/etc/sixtap/test.yaml",
    .run = fake_run,
    .check = fake_check,
    .control_name = fake_control,
};

struct result {
    int rc;
    char *out, *err;
};

/* Run `sixtap-test @line` with @input on stdin; words are separated by one space. */
static struct result call(const char *line, const char *input)
{
    char words[256], *argv[16] = { "sixtap-test" };
    int argc = 1;
    size_t out_len, err_len;
    struct result r = { 0 };
    snprintf(words, sizeof(words), "%s", line);
    for (char *save, *w = strtok_r(words, " ", &save); w && argc < 15;
         w = strtok_r(NULL, " ", &save))
        argv[argc++] = w;
    struct cli_io io = { .in = tmpfile(),
                         .out = open_memstream(&r.out, &out_len),
                         .err = open_memstream(&r.err, &err_len) };
    assert_non_null(io.in);
    fputs(input, io.in);
    rewind(io.in); /* flushes, and moves the descriptor too */
    memset(&seen, 0, sizeof(seen));
    seen_config[0] = 0;
    r.rc = cli_main_io(argc, argv, &program, &io);
    fclose(io.in);
    fclose(io.out);
    fclose(io.err);
    return r;
}

static void drop(struct result r)
{
    free(r.out);
    free(r.err);
}

/* ---- usage ---- */

#define TRY "\nTry `sixtap-test --help`.\n"

struct usage_row {
    const char *line;
    int rc;
    const char *err;
};

static const struct usage_row wrong[] = {
    { "", EX_USAGE,
      "sixtap-test: a command is needed: run, check, status, keygen, pubkey, schema, man" TRY },
    { "chek", EX_USAGE, "sixtap-test: unknown command `chek`; did you mean check?" TRY },
    { "stauts", EX_USAGE, "sixtap-test: unknown command `stauts`; did you mean status?" TRY },
    { "xyzzy", EX_USAGE, "sixtap-test: unknown command `xyzzy`" TRY },
    { "-v", EX_USAGE, "sixtap-test: unknown command `-v`" TRY },
    { "run --confg f", EX_USAGE,
      "sixtap-test: run: unknown option `--confg`; did you mean --config?" TRY },
    { "run file", EX_USAGE, "sixtap-test: run: unknown argument `file`" TRY },
    { "run -c", EX_USAGE, "sixtap-test: run: -c needs a value" TRY },
    { "run --config", EX_USAGE, "sixtap-test: run: --config needs a value" TRY },
    { "run --config=", EX_USAGE, "sixtap-test: run: --config needs a value" TRY },
    { "run --json", EX_USAGE, "sixtap-test: run: --json is no option of this command" TRY },
    { "check -v", EX_USAGE, "sixtap-test: check: --verbose is no option of this command" TRY },
    { "check --json", EX_USAGE, "sixtap-test: check: --json is no option of this command" TRY },
    { "keygen -c f", EX_USAGE, "sixtap-test: keygen: --config is no option of this command" TRY },
    { "pubkey --psk", EX_USAGE, "sixtap-test: pubkey: --psk is no option of this command" TRY },
    { "run -vx", EX_USAGE, "sixtap-test: run: unknown option `-vx`" TRY },
};

static void wrong_usage(void **state)
{
    (void)state;
    n_runs = 0;
    for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct result r = call(wrong[i].line, "");
        assert_string_equal(r.err, wrong[i].err);
        assert_string_equal(r.out, "");
        assert_int_equal(r.rc, wrong[i].rc);
        drop(r);
    }
    assert_int_equal(n_runs, 0);
}

static void options_arrive(void **state)
{
    (void)state;
    static const struct {
        const char *line, *config;
        unsigned verbose;
    } rows[] = {
        { "run", "/etc/sixtap/test.yaml", 0 },
        { "run -c a", "a", 0 },
        { "run -ca", "a", 0 },
        { "run --config a", "a", 0 },
        { "run --config=a", "a", 0 },
        { "run -v -c a -v", "a", 2 },
        { "run -vvv", "/etc/sixtap/test.yaml", 3 },
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        n_runs = 0;
        struct result r = call(rows[i].line, "");
        assert_int_equal(r.rc, 0);
        assert_int_equal(n_runs, 1);
        assert_int_equal(seen.verbose, rows[i].verbose);
        assert_string_equal(seen_config, rows[i].config);
        drop(r);
    }
}

static void help_and_version(void **state)
{
    (void)state;
    static const char *const lines[] = { "--help", "-h", "help", "run --help", "check -h" };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        struct result r = call(lines[i], "");
        assert_int_equal(r.rc, 0);
        assert_string_equal(r.err, "");
        assert_int_equal(strncmp(r.out, "sixtap-test - what it is for\n", 29), 0);
        assert_non_null(strstr(r.out, "keygen"));
        assert_non_null(strstr(r.out, "/etc/sixtap/test.yaml"));
        drop(r);
    }
    struct result r = call("--version", "");
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "sixtap-test " SIXTAP_VERSION "\n"); /* uses no ciphers */
    drop(r);
}

static void check_says_ok_or_why(void **state)
{
    (void)state;
    struct result r = call("check -c a.yaml", "");
    assert_int_equal(r.rc, 0);
    assert_string_equal(r.out, "a.yaml: ok\n");
    assert_string_equal(r.err, "");
    drop(r);
    n_problems = 1;
    r = call("check -c a.yaml", "");
    assert_int_equal(r.rc, EX_CONFIG);
    assert_string_equal(r.out, "");
    assert_string_equal(r.err, "a.yaml:1:1: wrong\n");
    drop(r);
    r = call("status -c a.yaml", "");
    assert_int_equal(r.rc, EX_CONFIG);
    n_problems = 0;
    drop(r);
}

static void status_needs_a_daemon(void **state)
{
    (void)state;
    struct result r = call("status --json", "");
    assert_int_equal(r.rc, EX_UNAVAILABLE);
    assert_true(seen.json);
    assert_string_equal(r.out, "");
    assert_int_equal(strncmp(r.err, "sixtap-test: ", 13), 0);
    drop(r);
    r = call("status --control @sixtap-test-nobody-either", "");
    assert_int_equal(r.rc, EX_UNAVAILABLE);
    assert_string_equal(seen_config, ""); /* the configuration was not asked */
    drop(r);
}

/* ---- keys ---- */

static void keygen_makes_keys(void **state)
{
    (void)state;
    char before[64] = "";
    static const char *const lines[] = { "keygen", "keygen", "keygen --psk", "keygen --psk" };
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        uint8_t key[KEY_LEN];
        struct result r = call(lines[i], "");
        assert_int_equal(r.rc, 0);
        assert_string_equal(r.err, "");
        assert_int_equal(strlen(r.out), 45);
        assert_true(key_from_text(key, r.out, 44));
        assert_string_not_equal(r.out, before);
        bool clamped = (key[0] & 7) == 0 && (key[31] & 0xc0) == 0x40;
        assert_true(clamped || i >= 2);
        snprintf(before, sizeof(before), "%s", r.out);
        drop(r);
    }
}

static void pubkey_is_x25519(void **state)
{
    (void)state;
    /* RFC 7748 section 6.1, Alice */
    struct result r = call("pubkey", "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo=\n");
    assert_string_equal(r.out, "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=\n");
    assert_int_equal(r.rc, 0);
    drop(r);
    /* what keygen prints goes straight in */
    r = call("keygen", "");
    struct result p = call("pubkey", r.out);
    assert_int_equal(p.rc, 0);
    assert_int_equal(strlen(p.out), 45);
    drop(p);
    drop(r);
    static const char *const none[] = { "", "\n", "abc\n",
                                        "dwdtCnMYpX08FsFyUbJmRd9ML4frwJkqsXf7pR25LCo\n" };
    for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++) {
        r = call("pubkey", none[i]);
        assert_int_equal(r.rc, EX_DATAERR);
        assert_string_equal(r.out, "");
        assert_int_equal(strncmp(r.err, "sixtap-test: standard input", 27), 0);
        drop(r);
    }
}

static void a_full_disk_is_no_success(void **state)
{
    (void)state;
    char *err = NULL, *argv[] = { "sixtap-test", "keygen", NULL };
    size_t len;
    struct cli_io io = { .in = stdin,
                         .out = fopen("/dev/full", "w"),
                         .err = open_memstream(&err, &len) };
    assert_non_null(io.out);
    assert_int_equal(cli_main_io(2, argv, &program, &io), EX_IOERR);
    fclose(io.out);
    fclose(io.err);
    assert_string_equal(err, "sixtap-test: the output could not be written\n");
    free(err);
}

/* What stays open behind closed standard streams is nothing else's number, and fails as before. */
static void closed_streams_stay_theirs(void **state)
{
    (void)state;
    static const struct {
        char *word;
        int rc;
    } rows[] = { { "run", EX_OK }, { "keygen", EX_IOERR }, { "pubkey", EX_DATAERR } };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char *argv[] = { "sixtap-test", rows[i].word, NULL };
        int status = 0;
        fflush(NULL);
        pid_t pid = fork();
        assert_true(pid >= 0);
        if (pid == 0) {
            for (int fd = 0; fd <= 2; fd++)
                close(fd);
            int rc = cli_main(2, argv, &program);
            _exit(dup(0) > 2 && write(2, "x", 1) < 0 ? rc : 99);
        }
        assert_int_equal(waitpid(pid, &status, 0), pid);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), rows[i].rc);
    }
}

/* ---- status for a person ---- */

struct show_row {
    const char *json, *text;
};

#define TEXT_A    "2001:db8:1:0:f508:c361:614c:9fd8"
#define TEXT_B    "2001:db8:1:5:692f:11aa:20b3:4c5d"
#define ADDR_A    "\"" TEXT_A "\""
#define ADDR_B    "\"" TEXT_B "\""
#define BLANK_20  "                    "
#define BLANK_100 BLANK_20 BLANK_20 BLANK_20 BLANK_20 BLANK_20
#define LONG_20   "abcdefghijklmnopqrst"
#define LONG_100  LONG_20 LONG_20 LONG_20 LONG_20 LONG_20

static const struct show_row shows[] = {
    { "{}", "" },
    { "{\"version\":\"0.1.0\",\"up\":3,\"dns\":[\"::1\",\"::2\"],\"none\":null,\"empty\":[]}",
      "version  0.1.0\nup       3\ndns      ::1, ::2\nnone     -\nempty    -\n" },
    { "{\"drops\":{\"runt\":0,\"source_guard\":12,\"mac1\":3}}",
      "\ndrops\n  source_guard  12\n  mac1          3\n" },
    { "{\"drops\":{\"runt\":0}}", "\ndrops\n  none\n" },
    { "{\"uplink\":{\"mode\":\"routed\",\"device\":\"sixtap0\"}}",
      "\nuplink\n  mode    routed\n  device  sixtap0\n" },
    { "{\"up\":1,\"members\":[{\"name\":\"alice\",\"rx\":5},{\"name\":\"bo\",\"rx\":1234,\"late\":"
      "true}]}",
      "up  1\n\nmembers (2)\n  name     rx  late\n  alice     5  -\n  bo     1234  true\n" },
    { "{\"name\":\"\\u001b[31mred\\n\"}", "name  ?[31mred?\n" },
    /* no item of a list is cut */
    { "{\"a\":[" ADDR_A "," ADDR_B "," ADDR_A "]}", "a  " TEXT_A ", " TEXT_B ", " TEXT_A "\n" },
    { "{\"a\":[" ADDR_A "," ADDR_B "," ADDR_A "," ADDR_B "]}",
      "a  " TEXT_A ", " TEXT_B ", " TEXT_A ", +1\n" },
    { "{\"a\":[" ADDR_A "," ADDR_B "," ADDR_A "," ADDR_B ",\"::1\"]}",
      "a  " TEXT_A ", " TEXT_B ", " TEXT_A ", +2\n" },
    { "{\"m\":[{\"a\":[" ADDR_A "," ADDR_B "," ADDR_A "," ADDR_B "],\"b\":1}]}",
      "\nm (1)\n  a" BLANK_100 "     b\n  " TEXT_A ", " TEXT_B ", " TEXT_A ", +1  1\n" },
    /* a text is, and says so: 119 octets and 120 */
    { "{\"a\":\"" LONG_100 "0123456789012345678\"}", "a  " LONG_100 "0123456789012345678\n" },
    { "{\"a\":\"" LONG_100 "01234567890123456789\"}", "a  " LONG_100 "0123456789012345...\n" },
    { "{\"a\":[\"" LONG_100 "0123456789\",\"b\",null]}", "a  " LONG_100 "012345..., +2\n" },
};

static void status_for_a_person(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(shows) / sizeof(shows[0]); i++) {
        char *out = NULL;
        size_t len;
        FILE *f = open_memstream(&out, &len);
        struct json_object *o = json_tokener_parse(shows[i].json);
        assert_non_null(o);
        cli_show(f, o);
        fclose(f);
        assert_string_equal(out, shows[i].text);
        json_object_put(o);
        free(out);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(wrong_usage),
        cmocka_unit_test(options_arrive),
        cmocka_unit_test(help_and_version),
        cmocka_unit_test(check_says_ok_or_why),
        cmocka_unit_test(status_needs_a_daemon),
        cmocka_unit_test(keygen_makes_keys),
        cmocka_unit_test(pubkey_is_x25519),
        cmocka_unit_test(a_full_disk_is_no_success),
        cmocka_unit_test(closed_streams_stay_theirs),
        cmocka_unit_test(status_for_a_person),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
