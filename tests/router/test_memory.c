/* SPDX-License-Identifier: MIT */
/* test_memory.c - what a member costs: all tables, leases, indices and expanded keys counted;
 * and what a place in the list of clients costs */
#include "router/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define PER_MEMBER 4096u
#define PER_LISTED 512u
#define FIXED      9000000u /* a router of any size, most of it seen.h, in a flood */

static void test_octets_per_member(void **state)
{
    (void)state;
    /* tables grow in powers of two, so sizes in between cost most; from the default size on */
    for (uint32_t n = 1024; n <= 1000000; n += n / 16) {
        struct router_config c = { .max_members = n, .max_clients = 1 };
        size_t per = router_engine_bytes(&c) / n;

        /* what a router of any size needs is in it too */
        if (per > PER_MEMBER + FIXED / n)
            fail_msg("%u members: %zu octets each", n, per);
        assert_true(per > sizeof(struct member)); /* they are in it */
    }
}

/* The target the project names for itself. */
static void test_hundred_thousand(void **state)
{
    struct router_config c = { .max_members = 100000, .max_clients = 1 };

    (void)state;
    print_message("100 000 members: %zu octets each, of these struct member %zu\n",
                  router_engine_bytes(&c) / c.max_members, sizeof(struct member));
    assert_in_range(router_engine_bytes(&c) / c.max_members, sizeof(struct member), 3584);
}

static void test_octets_per_listed_client(void **state)
{
    (void)state;
    for (uint32_t n = 1024; n <= 1000000; n += n / 16) {
        struct router_config c = { .max_members = 1, .max_clients = n };
        size_t per = router_engine_bytes(&c) / n;

        /* the fixed part of a router is in it; small lists are not what this is about */
        if (per > PER_LISTED + FIXED / n)
            fail_msg("%u listed clients: %zu octets each", n, per);
        assert_true(per > sizeof(struct router_client));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets_per_member),
        cmocka_unit_test(test_hundred_thousand),
        cmocka_unit_test(test_octets_per_listed_client),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
