/* SPDX-License-Identifier: MIT */
/* test_memory.c - what a member costs: all tables, leases, indices and expanded keys counted */
#include "router/engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#define PER_MEMBER 4096u

static void test_octets_per_member(void **state)
{
    (void)state;
    /* tables grow in powers of two, so sizes in between cost most */
    for (uint32_t n = 512; n <= 1000000; n += n / 16) {
        struct router_config c = { .max_members = n };
        size_t per = router_engine_bytes(&c) / n;

        if (per > PER_MEMBER)
            fail_msg("%u members: %zu octets each", n, per);
        assert_true(per > sizeof(struct member)); /* they are in it */
    }
}

/* The target the project names for itself. */
static void test_hundred_thousand(void **state)
{
    struct router_config c = { .max_members = 100000 };

    (void)state;
    print_message("100 000 members: %zu octets each, of these struct member %zu\n",
                  router_engine_bytes(&c) / c.max_members, sizeof(struct member));
    assert_in_range(router_engine_bytes(&c) / c.max_members, sizeof(struct member), 3584);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_octets_per_member),
        cmocka_unit_test(test_hundred_thousand),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
