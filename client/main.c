/* SPDX-License-Identifier: MIT */
/* main.c - sixtap-client: what the common command line (proto/host/cli.h) needs to know of the
 * client */
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "client/config.h"
#include "client/io.h"
#include "proto/host/cli.h"
#include "proto/host/lockdown.h"
#include "proto/host/log.h"
#include "proto/host/runner.h"
#include "proto/seal.h"

static int run(const struct cli_opts *o)
{
    struct client_config c;
    struct runner *runner;
    int err = runner_open(&runner); /* before there are keys in memory */
    if (err) {
        fprintf(stderr, "cannot start a process: %s\n", strerror(-err));
        return EX_OSERR;
    }
    if (client_config_load(&c, o->config, stderr) != 0) {
        runner_close(runner);
        return EX_CONFIG;
    }
    log_setup(o->verbose);
    lockdown_memory(&c, sizeof(c));
    crypto_log();
    int rc = client_run(&c, runner);
    client_config_free(&c);
    return rc;
}

static int check(const struct cli_opts *o, FILE *err)
{
    struct client_config c;
    int problems = client_config_load(&c, o->config, err);
    if (!problems)
        client_config_free(&c);
    return problems;
}

static int control_name(const struct cli_opts *o, char name[108], FILE *err)
{
    struct client_config c;
    int problems = client_config_load(&c, o->config, err);
    if (problems)
        return problems;
    snprintf(name, sizeof(c.control), "%s", c.control);
    client_config_free(&c);
    return 0;
}

int main(int argc, char **argv)
{
    static const struct cli cli_fixed = {
        .program = "sixtap-client",
        .about = "IPv6 for this host through a SixTap router",
        .default_config = "/etc/sixtap/client.yaml",
        .crypto = { .set = seal_provider_set, .name = seal_provider_name },
        .run = run,
        .check = check,
        .control_name = control_name,
        .file = "client.yaml",
        .manual = ".Nm\n"
                  "opens an encrypted UDP tunnel to a SixTap router and brings up a TAP\n"
                  "device with a working IPv6 address, also behind NAT.\n"
                  ".Pp\nThe daemon runs in the foreground and logs to standard error.\n"
                  ".Dv SIGTERM\nends it.\n",
    };
    struct cli cli = cli_fixed;
    cli.keys = client_config_table();
    return cli_main(argc, argv, &cli);
}
