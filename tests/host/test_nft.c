/* SPDX-License-Identifier: MIT */
/* test_nft.c - a table of our own: made, replaced, guarded from others, gone with its owner; in a
 * namespace of its own */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/wait.h>

#include "netns.h"
#include "proto/host/nft.h"

#define FILTER(rule) "chain in {\ntype filter hook input priority filter\n" rule "\n}"

static bool have_netns;

static bool ruleset_has(const char *text)
{
    char *all = NULL;

    assert_int_equal(nft_ruleset(&all), 0);
    bool has = strstr(all, text);
    free(all);
    return has;
}

static int setup(void **state)
{
    (void)state;
    if (!have_netns)
        skip();
    return 0;
}

static void names(void **state)
{
    static const struct {
        const char *name;
        int err;
    } rows[] = {
        { "", -EINVAL },
        { "1a", -EINVAL },
        { "a b", -EINVAL },
        { "a;flush ruleset", -EINVAL },
        { "a{", -EINVAL },
        { "a234567890123456789012345678901234567890123456789", -EINVAL }, /* 48 and more */
        { "sixtap-tap6.1_x", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct nft *nft = NULL;
        assert_int_equal(nft_open(rows[i].name, &nft), rows[i].err);
        assert_int_equal(nft == NULL, rows[i].err != 0);
        nft_close(nft);
    }
    nft_close(NULL);
}

static void made_replaced_gone(void **state)
{
    struct nft *nft;

    (void)state;
    assert_int_equal(nft_open("sixtap-t", &nft), 0);
    assert_false(ruleset_has("sixtap-t"));
    assert_int_equal(nft_replace(nft, FILTER("udp dport 1001 drop")), 0);
    assert_true(ruleset_has("sixtap-t") && ruleset_has("1001"));
    assert_int_equal(nft_replace(nft, FILTER("udp dport 1002 drop")), 0);
    assert_true(ruleset_has("1002"));
    assert_false(ruleset_has("1001"));
    /* what does not parse, or names what is not there, leaves the old rules and says why */
    assert_int_equal(nft_replace(nft, FILTER("udp dport nonsense-port drop")), -EIO);
    assert_true(nft_error(nft)[0]);
    assert_null(strchr(nft_error(nft), '\n'));
    assert_true(nft_replace(nft, FILTER("jump nowhere")) < 0);
    assert_true(ruleset_has("1002"));
    nft_close(nft);
    assert_false(ruleset_has("sixtap-t"));
}

static void nobody_else_may(void **state)
{
    struct nft *nft, *other;

    (void)state;
    assert_int_equal(nft_open("sixtap-t", &nft), 0);
    assert_int_equal(nft_open("sixtap-t", &other), 0);
    assert_int_equal(nft_replace(nft, FILTER("udp dport 1001 drop")), 0);
    assert_true(nft_replace(other, FILTER("udp dport 1003 drop")) < 0);
    assert_true(nft_error(other)[0]);
    assert_false(ruleset_has("1003"));
    nft_close(other); /* not its table */
    assert_true(ruleset_has("1001"));
    nft_close(nft);
}

/* What a crash leaves behind: nothing. */
static void gone_with_its_process(void **state)
{
    int tell[2];
    char c = 0;

    (void)state;
    assert_int_equal(pipe(tell), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct nft *nft;
        int err = nft_open("sixtap-t", &nft);
        c = err || nft_replace(nft, FILTER("udp dport 1001 drop")) ? 'x' : 'k';
        (void)!write(tell[1], &c, 1);
        for (;;)
            pause();
    }
    assert_int_equal(read(tell[0], &c, 1), 1);
    assert_int_equal(c, 'k');
    assert_true(ruleset_has("sixtap-t"));
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(tell[0]);
    close(tell[1]);
    /* the kernel closes the sockets of a dead process before it can be waited for */
    assert_false(ruleset_has("sixtap-t"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test_setup(made_replaced_gone, setup),
        cmocka_unit_test_setup(nobody_else_may, setup),
        cmocka_unit_test_setup(gone_with_its_process, setup),
    };

    have_netns = netns_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
