/* SPDX-License-Identifier: MIT */
/* main.c - sixtap-router: what the common command line (proto/host/cli.h) needs to know of the
 * router */
#include <sysexits.h>

#include "router/admin.h"
#include "router/config.h"
#include "router/preflight.h"
#include "router/io.h"
#include "router/uplink.h"
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
    int rc = uplink_conclude(&c) ? EX_OSERR : router_run(&c, o->config);
    router_config_free(&c);
    return rc;
}

static void print_finding(void *err, enum finding_level level, const char *line)
{
    fprintf(err, "%s: %s\n", level == FINDING_STOP ? "this host, it will not start" : "this host",
            line);
}

static int check(const struct cli_opts *o, FILE *err)
{
    struct router_config c;
    struct host_facts facts;
    int problems = router_config_load(&c, o->config, err);
    if (problems)
        return problems;
    /* What this host lacks is worth a line, but it is no fault of the file, which may be meant for
     * another host. */
    preflight_look(&c, &facts);
    preflight_judge(&c, &facts, print_finding, err);
    preflight_free(&facts);
    router_config_free(&c);
    return 0;
}

static int control_name(const struct cli_opts *o, char name[108], FILE *err)
{
    return router_config_control(o->config, name, err);
}

int main(int argc, char **argv)
{
    static const struct cli_command more[] = {
        { "init", NULL, OPT_CONFIG | OPT_FORCE | OPT_PREFIX | OPT_PUBLIC_ADDRESS, admin_init,
          "look at this host, write a configuration and a key for it" },
        { "invite", "NAME", OPT_CONFIG | OPT_PUBLIC_KEY, admin_invite,
          "let a new client in; print its configuration, key and all" },
        { "revoke", "NAME", OPT_CONFIG, admin_revoke, "take a client's right to log in away" },
        { "reload", NULL, OPT_CONFIG | OPT_CONTROL | OPT_JSON, admin_reload,
          "let the running router read its configuration again" },
        { 0 },
    };
    static const struct cli cli_fixed = {
        .program = "sixtap-router",
        .about = "gives IPv4-only hosts IPv6: accepts clients over UDP, routes between them and an "
                 "uplink",
        .default_config = "/etc/sixtap/router.yaml",
        .crypto = { .set = seal_provider_set, .name = seal_provider_name },
        .run = run,
        .check = check,
        .control_name = control_name,
        .more = more,
        .file = "router.yaml",
        .manual = ".Nm\n"
                  "gives IPv4-only hosts IPv6.\n"
                  "Clients open encrypted UDP tunnels to it and share one virtual Ethernet link;\n"
                  "the router answers Neighbor Discovery on it, forwards between clients,\n"
                  "and routes the rest to an IPv6 uplink.\n"
                  ".Pp\nTo begin:\n"
                  ".Bd -literal -offset indent\n"
                  "sixtap-router init\n"
                  "sixtap-router run\n"
                  "(umask 077; sixtap-router invite alice > alice.yaml)\n"
                  ".Ed\n"
                  ".Pp\nThe daemon runs in the foreground and logs to standard error.\n"
                  ".Dv SIGHUP\nmakes it read its configuration again,\n.Dv SIGTERM\nends it.\n",
    };
    struct cli cli = cli_fixed;
    cli.keys = router_config_table();
    return cli_main(argc, argv, &cli);
}
