/* SPDX-License-Identifier: MIT */
/* test_priv.c - what is left after priv_keep(), as /proc/self/status tells; each row in a child of
 * its own */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/capability.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "proto/host/priv.h"

#define BIT(cap) (UINT64_C(1) << (cap))

/* a field of /proc/self/status, hexadecimal */
static uint64_t field(const char *name)
{
    FILE *f = fopen("/proc/self/status", "re");
    char line[256];
    uint64_t v = UINT64_MAX;

    while (f && fgets(line, sizeof(line), f))
        if (strncmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
            v = strtoull(line + strlen(name) + 1, NULL, 16);
    if (f)
        (void)fclose(f);
    return v;
}

struct row {
    const char *name;
    int caps[3];
    unsigned n;
    bool net_admin;
};

static const struct row rows[] = {
    { "nothing", { 0 }, 0, false },
    { "one", { CAP_NET_ADMIN }, 1, true },
    { "two", { CAP_NET_ADMIN, CAP_NET_RAW }, 2, true },
    { "another", { CAP_CHOWN }, 1, false },
};

/* in the child; Return: 0, else the number of the check that failed */
static int check(const struct row *r, bool may_bound)
{
    uint64_t had = field("CapPrm"), want = 0;

    for (unsigned i = 0; i < r->n; i++)
        want |= BIT(r->caps[i]);
    if (!may_bound) {
        static const int without_setpcap[] = { CAP_NET_ADMIN, CAP_NET_RAW, CAP_CHOWN };
        if (priv_keep(without_setpcap, 3) != 0)
            return 1;
    }
    if (priv_keep(r->caps, r->n) != 0)
        return 2;
    if (field("CapPrm") != (want & had) || field("CapEff") != (want & had))
        return 3;
    if (field("CapInh") != 0 || field("CapAmb") != 0)
        return 4;
    if (may_bound && (had & BIT(CAP_SETPCAP)) && field("CapBnd") & ~want)
        return 5;
    if (prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 1)
        return 6;
    if (priv_have_net_admin() != (r->net_admin && (had & BIT(CAP_NET_ADMIN))))
        return 7;
    return 0;
}

static void test_keep(void **state)
{
    (void)state;
    for (int may_bound = 0; may_bound < 2; may_bound++) {
        for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
            int status = -1;
            print_message("row: %s\n", rows[i].name);
            pid_t pid = fork();
            if (pid == 0)
                _exit(check(&rows[i], may_bound));
            assert_int_equal(waitpid(pid, &status, 0), pid);
            assert_int_equal(WEXITSTATUS(status), 0);
            assert_true(WIFEXITED(status));
        }
    }
}

/* what was dropped cannot be had again */
static void test_no_way_back(void **state)
{
    static const int net_admin[] = { CAP_NET_ADMIN };
    int status = -1;

    (void)state;
    pid_t pid = fork();
    if (pid == 0) {
        if (priv_keep(NULL, 0) != 0)
            _exit(1);
        if (priv_keep(net_admin, 1) !=
            0) /* asks for what it does not have: no error, and no gain */
            _exit(2);
        _exit(priv_have(CAP_NET_ADMIN) || field("CapEff") != 0 ? 3 : 0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_keep),
        cmocka_unit_test(test_no_way_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
