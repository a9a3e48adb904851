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
#include "proto/host/yaml.h"

/* Options a command takes, or-ed. */
enum cli_option {
    OPT_CONFIG = 1,
    OPT_VERBOSE = 2,
    OPT_JSON = 4,
    OPT_PSK = 8,
    OPT_CONTROL = 16,
    OPT_NO_SECCOMP = 32,
    OPT_FORCE = 64,
    OPT_PUBLIC_KEY = 128,
    OPT_PREFIX = 256,
    OPT_PUBLIC_ADDRESS = 512,
};

struct cli_opts {
    const char *arg;     /* what stands beside the options: NAME of `invite NAME`; NULL: nothing */
    const char *config;  /* -c FILE; the program's default when not given */
    const char *control; /* --control NAME (status); NULL: by the configuration */
    unsigned verbose;    /* number of -v */
    bool json;           /* --json */
    bool psk;            /* keygen --psk */
    bool force;          /* init --force */
    const char *public_key;     /* invite --public-key KEY */
    const char *prefix;         /* init --prefix PREFIX */
    const char *public_address; /* init --public-address IPV4 */
    bool no_seccomp;            /* run --no-seccomp */
};

struct cli_io; /* the standard streams, below */

/* A command that one program has beside the common ones. */
struct cli_command {
    const char *name;
    const char *arg;  /* its argument in help, "NAME"; NULL: none */
    unsigned options; /* enum cli_option */
    int (*run)(const struct cli_opts *o, const struct cli_io *io); /* returns the exit code */
    const char *help;
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
    const struct cli_command *more; /* ended by a row without name; NULL: none */
    const char *file;               /* "router.yaml": what its configuration is called */
    const struct conf_key *keys;    /* of that file */
    const char *manual;             /* what the manual page says before the commands, in mdoc(7) */
};

/* cli_main() - parse the command line, do what it says
 * Return: exit code for main() */
int cli_main(int argc, char **argv, const struct cli *cli);

/* The same with the standard streams named, for tests. @in is used by pubkey. */
struct cli_io {
    FILE *in, *out, *err;
};

/* cli_manual() - the manual page of the program, section 8, or of its file, section 5, in mdoc(7),
 * made from the tables of commands, options and keys */
void cli_manual(FILE *out, const struct cli *cli, int section);

/* cli_schema() - the JSON Schema of the program's file, made from its table of keys */
void cli_schema(FILE *out, const struct cli *cli);

/* The rows that help and manual are made from. */
struct cli_option_row {
    const char *name, *brief;
    unsigned bit;      /* 0: every command */
    const char *value; /* its name in help; NULL: takes none */
    const char *help;  /* "run: log more" */
};
extern const struct cli_option_row cli_options[]; /* ended by a row without name */
/* cli_command_row() - command number @i, the common ones first; false behind the last */
bool cli_command_row(const struct cli *cli, unsigned i, struct cli_command *ret);

int cli_main_io(int argc, char **argv, const struct cli *cli, const struct cli_io *io);

/* cli_show() - print the answer to `status` for a person: plain members as aligned lines, lists of
 * objects as tables, objects of numbers ("drops") as lists of those that are not zero; of a long
 * list the first items, whole, and +N for the others
 * @json: an object */
void cli_show(FILE *out, struct json_object *json);

#endif
