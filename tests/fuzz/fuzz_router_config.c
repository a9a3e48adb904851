/* SPDX-License-Identifier: MIT */
/* fuzz_router_config.c - router.yaml: what is taken is a configuration that holds together
 *
 * Input: the text of a file. The file "63" beside it holds a key.
 */
#include <string.h>

#include "conf.h"
#include "proto/mac.h"
#include "router/config.h"

static void check_taken(const struct router_config *c)
{
    struct ip6 masked = ip6_mask(c->prefix.addr, c->prefix.len);

    FUZZ_CHECK(c->prefix.len > 0 && c->prefix.len <= 126 && ip6_eq(masked, c->prefix.addr));
    FUZZ_CHECK(be16_load(c->listen.port.b) != 0 && be16_load(c->public_ep.port.b) != 0);
    FUZZ_CHECK(c->keepalive_s >= KEEPALIVE_MIN_S && c->keepalive_s <= KEEPALIVE_MAX_S);
    FUZZ_CHECK(c->mtu == 0 || (c->mtu >= INNER_MTU_MIN && c->mtu <= INNER_MTU_MAX));
    FUZZ_CHECK(c->max_members > 0 && c->n_dns <= DNS_MAX && c->n_routes <= ROUTES_MAX);
    FUZZ_CHECK(c->access != ACCESS_OPEN || c->has_join_secret || c->everyone);
    FUZZ_CHECK(c->control[0] && memchr(c->control, 0, sizeof(c->control)));
    for (unsigned i = 0; i < c->n_clients; i++)
        for (unsigned k = 0; k < i && i < 64; k++)
            FUZZ_CHECK(memcmp(c->clients[i].public_key, c->clients[k].public_key, KEY_LEN) != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct router_config c;
    struct conf_run run;

    conf_begin(&run, data, len);
    memset(&c, 0xA5, sizeof(c)); /* what a caller hands in means nothing */
    int problems = router_config_parse(&c, conf_path(), run.exact, len, run.err);
    FUZZ_CHECK(problems >= 0);
    if (problems == 0) {
        check_taken(&c);
        router_config_free(&c);
    }
    conf_said(&run, problems > 0);
    conf_end(&run);
    return 0;
}
