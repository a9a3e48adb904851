/* SPDX-License-Identifier: MIT */
/* fuzz_client_config.c - client.yaml: what is taken is a configuration that holds together
 *
 * Input: the text of a file. The file "63" beside it holds a key.
 */
#include <string.h>

#include "conf.h"
#include "client/config.h"

static void check_taken(const struct client_config *c)
{
    FUZZ_CHECK(c->n_routers >= 1 && c->n_routers <= CONFIG_ROUTERS && !c->list);
    for (unsigned i = 0; i < c->n_routers; i++) {
        const struct client_router *r = &c->router[i];
        FUZZ_CHECK(r->host[0] && memchr(r->host, 0, sizeof(r->host)) && r->port != 0);
    }
    FUZZ_CHECK(c->device[0] && c->control[0]);
    FUZZ_CHECK(c->mtu == 0 || (c->mtu >= INNER_MTU_MIN && c->mtu <= INNER_MTU_MAX));
    FUZZ_CHECK(c->keepalive_s == 0 ||
               (c->keepalive_s >= KEEPALIVE_MIN_S && c->keepalive_s <= KEEPALIVE_MAX_S));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct client_config c;
    struct conf_run run;

    conf_begin(&run, data, len);
    memset(&c, 0xA5, sizeof(c)); /* what a caller hands in means nothing */
    int problems = client_config_parse(&c, conf_path(), run.exact, len, run.err);
    FUZZ_CHECK(problems >= 0);
    if (problems == 0) {
        check_taken(&c);
        client_config_free(&c);
    }
    conf_said(&run, problems > 0);
    conf_end(&run);
    return 0;
}
