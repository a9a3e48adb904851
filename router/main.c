/* SPDX-License-Identifier: MIT */
/* main.c - sixtap-router: what the common command line (proto/host/cli.h) needs to know of the
 * router */
#include <sysexits.h>

#include "router/config.h"
#include "router/io.h"
#include "proto/host/cli.h"
#include "proto/host/lockdown.h"
#include "proto/host/log.h"
#include "proto/seal.h"

static int run(const struct cli_opts *o)
{
    struct router_config c;
    if (router_config_load(&c, o->config, stderr) != 0)
        return EX_CONFIG;
    log_setup(o->verbose);
    lockdown_memory(&c, sizeof(c));
    if (c.n_clients) /* their shared secrets */
        lockdown_memory(c.clients, c.n_clients * sizeof(c.clients[0]));
    crypto_log();
    int rc = router_run(&c);
    router_config_free(&c);
    return rc;
}

static int check(const struct cli_opts *o, FILE *err)
{
    struct router_config c;
    int problems = router_config_load(&c, o->config, err);
    if (!problems)
        router_config_free(&c);
    return problems;
}

static int control_name(const struct cli_opts *o, char name[108], FILE *err)
{
    struct router_config c;
    int problems = router_config_load(&c, o->config, err);
    if (problems)
        return problems;
    snprintf(name, sizeof(c.control), "%s", c.control);
    router_config_free(&c);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct cli cli = {
        .program = "sixtap-router",
        .about = "gives IPv4-only hosts IPv6: accepts clients over UDP, routes between them and an "
                 "uplink",
        .default_config = "/etc/sixtap/router.yaml",
        .crypto = { .set = seal_provider_set, .name = seal_provider_name },
        .run = run,
        .check = check,
        .control_name = control_name,
    };
    return cli_main(argc, argv, &cli);
}
