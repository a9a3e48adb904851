/* SPDX-License-Identifier: MIT */
/* test_firewall.c - the packet filter's rules as the kernel has them, in a namespace of its own;
 * what they do to packets is tests/netns/test_lan.py's */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <netinet/in.h>
#include <stdlib.h>

#include "client/firewall.h"
#include "proto/host/nft.h"
#include "proto/host/tap.h"
#include "tests/host/netns.h"

static bool have_netns;

static int setup(void **state)
{
    (void)state;
    if (!have_netns)
        skip();
    return 0;
}

/* not inlined: gcc 12 at -O3 takes the list for the pointer to it, and warns that it dangles */
__attribute__((noinline)) static char *ruleset(void)
{
    static char *all; /* static: gcc 12 takes what points into it for dangling */

    assert_int_equal(nft_ruleset(&all), 0);
    return all;
}

static struct client_config config(void)
{
    struct client_config c;

    client_config_defaults(&c);
    return c;
}

/* within() - does @chain of the listed @rules have @rule? */
static bool within(const char *rules, const char *chain, const char *rule)
{
    const char *at = strstr(rules, chain), *end = at ? strstr(at, "\n\t}") : NULL;

    assert_non_null(end);
    const char *found = strstr(at, rule);
    return found && found < end;
}

static struct tap *device_of(const struct client_config *c)
{
    struct tap *t;

    assert_int_equal(tap_open(c->device, TAP_ETHERNET, NULL, &t), 0);
    return t;
}

/* Each of RFC 4890's types that must not be dropped is on the list of its chain. */
static void types_of_the_rfc(void **state)
{
    static const struct {
        const char *chain, *types;
    } row[] = {
        { "chain input",
          "icmpv6 type { 1-4, 128-129, 130-136, 141-143, 148-149, 151-153 } accept" },
        { "chain forward", "icmpv6 type { 1-4, 128-129, 144-147 } accept" },
    };
    const struct client_config c = config();
    char text[FIREWALL_TEXT_MAX];

    (void)state;
    firewall_rules(&c, text);
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        const char *chain = strstr(text, row[i].chain);
        assert_non_null(chain);
        assert_non_null(strstr(chain, row[i].types));
        assert_non_null(strstr(chain, "iif != \"tap6\" accept\nct state established,related"));
        assert_non_null(strstr(chain, "counter drop\n}"));
    }
}

static void made_and_gone(void **state)
{
    struct client_config c = config();
    struct tap *t = device_of(&c);
    struct nft *nft = NULL;
    char err[256];

    (void)state;
    assert_int_equal(firewall_open(&c, &nft, err, sizeof(err)), 0);
    char *all = ruleset();
    assert_non_null(strstr(all, "table ip6 sixtap-tap6"));
    assert_non_null(strstr(all, "hook input"));
    assert_non_null(strstr(all, "hook forward"));
    free(all);
    nft_close(nft);
    all = ruleset();
    assert_null(strstr(all, "sixtap"));
    free(all);
    tap_close(t);
}

/* The longest text there can be fits, and the kernel takes it. */
static void as_many_ports_as_there_may_be(void **state)
{
    struct client_config c = config();
    struct nft *nft = NULL;
    char err[256] = "", want[32];

    (void)state;
    memcpy(c.device, "a-15-octet-name", 16);
    struct tap *t = device_of(&c);
    c.n_allow = CONFIG_ALLOW;
    for (unsigned i = 0; i < CONFIG_ALLOW; i++)
        c.allow[i] = (struct conf_port){ i % 2 ? IPPROTO_UDP : IPPROTO_TCP, (uint16_t)(65535 - i) };
    assert_int_equal(firewall_open(&c, &nft, err, sizeof(err)), 0);
    char *all = ruleset();
    for (unsigned i = 0; i < CONFIG_ALLOW; i++) {
        snprintf(want, sizeof(want), "%s dport %u accept", i % 2 ? "udp" : "tcp", 65535 - i);
        assert_true(within(all, "chain input", want));
        assert_false(within(all, "chain forward", want)); /* of this host alone */
    }
    free(all);
    nft_close(nft);
    tap_close(t);
}

static void off_and_refused(void **state)
{
    struct client_config c = config();
    struct tap *t = device_of(&c);
    struct nft *first = NULL, *second = (struct nft *)&c;
    char err[256] = "";

    (void)state;
    c.firewall = FIREWALL_OFF;
    assert_int_equal(firewall_open(&c, &second, err, sizeof(err)), 0);
    assert_null(second);
    c.firewall = FIREWALL_ON;
    assert_int_equal(firewall_open(&c, &first, err, sizeof(err)), 0);
    assert_true(firewall_open(&c, &second, err, sizeof(err)) < 0); /* somebody has the name */
    assert_null(second);
    assert_true(err[0] != '\0');
    nft_close(first);
    tap_close(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(types_of_the_rfc),
        cmocka_unit_test_setup(made_and_gone, setup),
        cmocka_unit_test_setup(as_many_ports_as_there_may_be, setup),
        cmocka_unit_test_setup(off_and_refused, setup),
    };

    have_netns = netns_enter();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
