/* SPDX-License-Identifier: MIT */
/* test_suspect.c - what makes a client ask whether another host has its key (H34) */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <string.h>

#include "client/suspect.h"

#define MS NS_PER_MS

/* Steps of one letter each: n a loss without a word, g goodbye, i a login at once, s a slow one,
 * w a minute passes. */
static unsigned told(const char *steps)
{
    struct suspect s = { .lost = false };
    mono_ns now = 1000 * NS_PER_S;
    unsigned n = 0;

    for (; *steps; steps++) {
        now += *steps == 'w' ? 60 * NS_PER_S : 7 * NS_PER_S;
        if (*steps == 'n')
            suspect_lost(&s);
        else if (*steps == 'g')
            suspect_told(&s);
        else if (*steps == 'i' || *steps == 's')
            n += suspect_login(&s, *steps == 'i' ? 30 * MS : 2000 * MS, now);
    }
    return n;
}

static void rows(void **state)
{
    static const struct {
        const char *name, *steps;
        unsigned told;
    } row[] = {
        { "start", "i", 0 },
        { "three times", "ininini", 0 },
        { "two hosts with one key", "ininininini", 1 },
        { "once in a while", "inwinwinwinwinwi", 0 },
        { "more logins than losses", "iiiiiiiiii", 0 },
        { "a path that was down", "nsnsnsnsnsns", 0 },
        { "restarts that were announced", "gigigigigigi", 0 },
        { "the same, with NUDGEs before", "ngingingingingi", 0 },
        { "and behind, from the old one", "gnignignigni", 1 },
        { "a goodbye, and no way back in", "igngngnnnnnnnnnnn", 0 },
        { "many NUDGEs, one login", "innnnnnnnnni", 0 },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        if (told(row[i].steps) != row[i].told)
            fail_msg("%s", row[i].name);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(rows) };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
