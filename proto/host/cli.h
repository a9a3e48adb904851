/* SPDX-License-Identifier: MIT */
/* cli.h - the command line that both programs share: subcommands, help, exit codes, keygen, pubkey
 *
 * DOC: main.c of each program fills in struct cli and calls cli_main(). What differs between the
 * programs is three functions and some text. Exit codes are those of sysexits.h: 0 fine, 64 usage,
 * 65 data (a key that is none), 69 unavailable (no daemon to ask), 71/74 operating system, 78
 * configuration.
 */
#ifndef SIXTAP_HOST_CLI_H
#define SIXTAP_HOST_CLI_H

#include <json-c/json.h>
#include <stdbool.h>
#include <stdio.h>

#include "proto/host/crypto.h"

struct cli_opts {
    const char *config;  /* -c FILE; the program's default when not given */
    const char *control; /* --control NAME (status); NULL: by the configuration */
    unsigned verbose;    /* number of -v */
    bool json;           /* --json */
    bool psk;            /* keygen --psk */
    bool no_seccomp;     /* run --no-seccomp */
};

struct cli {
    const char *program;        /* "sixtap-router" */
    const char *about;          /* one line for --help */
    const char *default_config; /* "/etc/sixtap/router.yaml" */
    struct crypto_use crypto;   /* what the ciphers are used through; set NULL: none are */
    /* run() - read the configuration and run in the foreground; returns the exit code */
    int (*run)(const struct cli_opts *o);
    /* check() - read the configuration, print its problems to @err; returns their number */
    int (*check)(const struct cli_opts *o, FILE *err);
    /* control_name() - the control socket of the daemon that runs with o->config: at most 107
     * octets and the NUL, '@' first when abstract; problems go to @err. Returns 0, or the number of
     * problems. */
    int (*control_name)(const struct cli_opts *o, char name[108], FILE *err);
};

/* cli_main() - parse the command line, do what it says
 * Return: exit code for main() */
int cli_main(int argc, char **argv, const struct cli *cli);

/* The same with the standard streams named, for tests. @in is used by pubkey. */
struct cli_io {
    FILE *in, *out, *err;
};
int cli_main_io(int argc, char **argv, const struct cli *cli, const struct cli_io *io);

/* cli_show() - print the answer to `status` for a person: plain members as aligned lines, lists of
 * objects as tables, objects of numbers ("drops") as lists of those that are not zero
 * @json: an object */
void cli_show(FILE *out, struct json_object *json);

#endif
