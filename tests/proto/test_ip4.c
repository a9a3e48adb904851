/* SPDX-License-Identifier: MIT */
/* test_ip4.c - both edges of each range of IPv4 addresses that the Internet does not know */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "pkt.h"
#include "proto/ip4.h"

static void test_rows(void **state)
{
    (void)state;
    static const struct {
        be32 a;
        bool global;
    } rows[] = {
        { { { 0, 0, 0, 0 } }, false },     { { { 0, 255, 255, 255 } }, false },
        { { { 1, 0, 0, 0 } }, true },      { { { 9, 255, 255, 255 } }, true },
        { { { 10, 0, 0, 0 } }, false },    { { { 10, 255, 255, 255 } }, false },
        { { { 11, 0, 0, 0 } }, true },     { { { 100, 63, 255, 255 } }, true },
        { { { 100, 64, 0, 0 } }, false },  { { { 100, 127, 255, 255 } }, false },
        { { { 100, 128, 0, 0 } }, true },  { { { 126, 255, 255, 255 } }, true },
        { { { 127, 0, 0, 0 } }, false },   { { { 127, 255, 255, 255 } }, false },
        { { { 128, 0, 0, 0 } }, true },    { { { 169, 253, 255, 255 } }, true },
        { { { 169, 254, 0, 0 } }, false }, { { { 169, 254, 255, 255 } }, false },
        { { { 169, 255, 0, 0 } }, true },  { { { 172, 15, 255, 255 } }, true },
        { { { 172, 16, 0, 0 } }, false },  { { { 172, 31, 255, 255 } }, false },
        { { { 172, 32, 0, 0 } }, true },   { { { 192, 167, 255, 255 } }, true },
        { { { 192, 168, 0, 0 } }, false }, { { { 192, 168, 255, 255 } }, false },
        { { { 192, 169, 0, 0 } }, true },  { { { 223, 255, 255, 255 } }, true },
        { { { 224, 0, 0, 0 } }, false },   { { { 239, 255, 255, 255 } }, false },
        { { { 240, 0, 0, 0 } }, false },   { { { 255, 255, 255, 255 } }, false },
        { { { 198, 18, 0, 1 } }, true },   { { { 203, 0, 113, 5 } }, true }, /* laboratories */
    };
    for (size_t i = 0; i < PKT_N(rows); i++) {
        const uint8_t *b = rows[i].a.b;
        if (ip4_is_global(rows[i].a) != rows[i].global)
            fail_msg("%d.%d.%d.%d", b[0], b[1], b[2], b[3]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_rows) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
