/* SPDX-License-Identifier: MIT */
/* cli.c - the command line that both programs share */
#include <fcntl.h>
#include <signal.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/host/cli.h"
#include "proto/host/control.h"
#include "proto/host/lockdown.h"
#include "proto/host/secret.h"
#include "proto/host/yaml.h"

#define STATUS_TIMEOUT_MS 3000

struct call {
    const struct cli *cli;
    const struct cli_io *io;
    struct cli_opts opts;
    bool help;
};

struct command {
    const char *name;
    unsigned options;
    int (*run)(const struct call *c);
    const char *help;
    const char *arg;
};

static int do_run(const struct call *c);
static int do_check(const struct call *c);
static int do_status(const struct call *c);
static int do_keygen(const struct call *c);
static int do_pubkey(const struct call *c);
static int do_schema(const struct call *c);
static int do_man(const struct call *c);

static const struct command commands[] = {
    { "run", OPT_CONFIG | OPT_VERBOSE | OPT_NO_SECCOMP, do_run,
      "run in the foreground, log to stderr", NULL },
    { "check", OPT_CONFIG, do_check, "print every problem of the configuration", NULL },
    { "status", OPT_CONFIG | OPT_CONTROL | OPT_JSON, do_status, "ask the running daemon how it is",
      NULL },
    { "keygen", OPT_PSK, do_keygen,
      "print a fresh private key (or, with --psk, a fresh shared secret)", NULL },
    { "pubkey", 0, do_pubkey, "read a private key on stdin, print its public key", NULL },
    { "schema", 0, do_schema, "print the JSON Schema of the configuration file", NULL },
    { "man", 0, do_man, "print the manual page of the program (8) or of its file (5), in mdoc",
      "SECTION" },
};

#define N_COMMANDS (sizeof(commands) / sizeof(commands[0]))

/* ---- texts ---- */

const struct cli_option_row cli_options[] = {
    { "--config", "-c", OPT_CONFIG, "FILE", "all that read it: the configuration" },
    { "--verbose", "-v", OPT_VERBOSE, NULL, "run: log more" },
    { "--json", NULL, OPT_JSON, NULL, "status, a router's reload: one JSON object" },
    { "--control", NULL, OPT_CONTROL, "NAME",
      "likewise: the daemon's control socket, a path or @NAME" },
    { "--no-seccomp", NULL, OPT_NO_SECCOMP, NULL,
      "run: filter no system calls and allow core dumps, to debug" },
    { "--psk", NULL, OPT_PSK, NULL, "keygen: a secret for psk: or join_secret:" },
    { "--force", NULL, OPT_FORCE, NULL, "init: overwrite the configuration that is there" },
    { "--prefix", NULL, OPT_PREFIX, "PREFIX", "init: this IPv6 prefix is routed to this host" },
    { "--public-address", NULL, OPT_PUBLIC_ADDRESS, "IPV4",
      "init: the IPv4 address that clients reach this host at" },
    { "--public-key", NULL, OPT_PUBLIC_KEY, "KEY",
      "invite: the client has its key already, and this is the public one" },
    { "--help", "-h", 0, NULL, "this text" },
    { NULL, NULL, 0, NULL, NULL },
};

#define N_OPTIONS (sizeof(cli_options) / sizeof(cli_options[0]) - 1)

bool cli_command_row(const struct cli *cli, unsigned i, struct cli_command *ret)
{
    if (i < N_COMMANDS) {
        *ret = (struct cli_command){ .name = commands[i].name,
                                     .arg = commands[i].arg,
                                     .options = commands[i].options,
                                     .help = commands[i].help };
        return true;
    }
    if (!cli->more)
        return false;
    *ret = cli->more[i - N_COMMANDS]; /* asked in turn, so the end is met first */
    return ret->name != NULL;
}

/* Does any command of this program take the option? */
static bool option_used(const struct cli *cli, const struct cli_option_row *o)
{
    struct cli_command c;

    for (unsigned i = 0; cli_command_row(cli, i, &c); i++) {
        if (!o->bit || c.options & o->bit)
            return true;
    }
    return false;
}

static void print_help(FILE *f, const struct cli *cli)
{
    struct cli_command c;
    char word[64];

    fprintf(f, "%s - %s\n\nUsage: %s COMMAND [OPTIONS]\n\nCommands:\n", cli->program, cli->about,
            cli->program);
    for (unsigned i = 0; cli_command_row(cli, i, &c); i++) {
        snprintf(word, sizeof(word), "%s%s%s", c.name, c.arg ? " " : "", c.arg ? c.arg : "");
        fprintf(f, "  %-12s %s\n", word, c.help);
    }
    fprintf(f, "\nOptions:\n");
    for (const struct cli_option_row *o = cli_options; o->name; o++) {
        if (!option_used(cli, o))
            continue;
        snprintf(word, sizeof(word), "%s%s%s%s%s", o->brief ? o->brief : "  ",
                 o->brief ? ", " : "  ", o->name, o->value ? " " : "", o->value ? o->value : "");
        fprintf(f, "  %-26s %s", word, o->help);
        if (o->bit == OPT_CONFIG)
            fprintf(f, " (default %s)", cli->default_config);
        fputc('\n', f);
    }
    fprintf(f,
            "      --version              print the version, and which library does the ciphers\n"
            "\nFirst steps:\n"
            "  umask 077; %s keygen > KEY_FILE; %s pubkey < KEY_FILE\n"
            "\nEnvironment:\n"
            "  SIXTAP_CRYPTO=libsodium   do without libipsec-mb, to compare or to rule it out\n"
            "\nExit codes: 0 fine, 64 wrong usage, 65 wrong data (a key, a name), 69 no daemon "
            "answers,\n71 the system refuses (run logs what), 73 a file cannot be made, 74 output "
            "failed,\n78 problems in the configuration.\n",
            cli->program, cli->program);
}

__attribute__((format(printf, 2, 3))) static int usage(const struct call *c, const char *fmt, ...)
{
    va_list ap;
    fprintf(c->io->err, "%s: ", c->cli->program);
    va_start(ap, fmt);
    vfprintf(c->io->err, fmt, ap);
    va_end(ap);
    fprintf(c->io->err, "\nTry `%s --help`.\n", c->cli->program);
    return EX_USAGE;
}

/* What was printed must have arrived: a full disk under `keygen > file` is no success. */
static int flushed(const struct call *c)
{
    if (fflush(c->io->out) == 0 && !ferror(c->io->out))
        return EX_OK;
    fprintf(c->io->err, "%s: the output could not be written\n", c->cli->program);
    return EX_IOERR;
}

/* ---- subcommands ---- */

static int do_run(const struct call *c)
{
    signal(SIGHUP, SIG_IGN); /* "read it again" before it was read once; the loop takes it over */
    lockdown_begin(c->opts.no_seccomp);
    return c->cli->run(&c->opts);
}

static int do_check(const struct call *c)
{
    if (c->cli->check(&c->opts, c->io->err) != 0)
        return EX_CONFIG;
    fprintf(c->io->out, "%s: ok\n", c->opts.config);
    return flushed(c);
}

static int do_status(const struct call *c)
{
    char name[108], err[256];
    struct json_object *answer = NULL;
    if (c->opts.control) {
        snprintf(name, sizeof(name), "%s", c->opts.control);
    } else if (c->cli->control_name(&c->opts, name, c->io->err) != 0) {
        bool given = c->opts.config != c->cli->default_config;
        fprintf(c->io->err,
                "%s: %s names the daemon's control socket, and does not tell: %sgive the socket "
                "with --control @%s-DEVICE\n",
                c->cli->program, c->opts.config, given ? "" : "give another file with -c, or ",
                c->cli->program);
        return EX_CONFIG;
    }
    if (control_query(name, "status", STATUS_TIMEOUT_MS, &answer, err, sizeof(err)) != 0) {
        fprintf(c->io->err, "%s: %s\n", c->cli->program, err);
        return EX_UNAVAILABLE;
    }
    if (c->opts.json)
        fprintf(c->io->out, "%s\n", json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
    else
        cli_show(c->io->out, answer);
    json_object_put(answer);
    return flushed(c);
}

static int print_key(const struct call *c, const uint8_t key[KEY_LEN])
{
    char text[KEY_TEXT_LEN];
    key_to_text(text, key);
    fprintf(c->io->out, "%s\n", text);
    sodium_memzero(text, sizeof(text));
    return flushed(c);
}

static int do_keygen(const struct call *c)
{
    uint8_t key[KEY_LEN];
    if (isatty(fileno(c->io->out)))
        fprintf(c->io->err,
                "%s: this is a secret and now stands on the screen; better: umask 077; %s keygen > "
                "FILE\n",
                c->cli->program, c->cli->program);
    randombytes_buf(key, sizeof(key));
    if (!c->opts.psk) { /* clamped as RFC 7748 section 5 does, so that one key has one text */
        key[0] &= 248;
        key[31] = (uint8_t)((key[31] & 127) | 64);
    }
    int rc = print_key(c, key);
    sodium_memzero(key, sizeof(key));
    return rc;
}

static int do_pubkey(const struct call *c)
{
    uint8_t key[KEY_LEN], public_key[KEY_LEN];
    char err[256];
    if (key_from_fd(fileno(c->io->in), "standard input", key, err, sizeof(err)) != 0) {
        fprintf(c->io->err, "%s: %s\n", c->cli->program, err);
        return EX_DATAERR;
    }
    crypto_scalarmult_base(public_key, key);
    sodium_memzero(key, sizeof(key));
    return print_key(c, public_key);
}

static int do_schema(const struct call *c)
{
    cli_schema(c->io->out, c->cli);
    return flushed(c);
}

static int do_man(const struct call *c)
{
    bool file = strcmp(c->opts.arg, "5") == 0;

    if (!file && strcmp(c->opts.arg, "8") != 0)
        return usage(c, "man: `%s` is no section; allowed: 8 (the program), 5 (its file)",
                     c->opts.arg);
    cli_manual(c->io->out, c->cli, file ? 5 : 8);
    return flushed(c);
}

/* ---- options ---- */

/* The row that @arg names, and the value behind '=' (or behind -c) if it stands in the same word.
 */
static const struct cli_option_row *find_option(const char *arg, const char **ret_value)
{
    *ret_value = NULL;
    for (size_t i = 0; i < N_OPTIONS; i++) {
        const struct cli_option_row *o = &cli_options[i];
        size_t n = strlen(o->name);
        if (strcmp(arg, o->name) == 0 || (o->brief && strcmp(arg, o->brief) == 0))
            return o;
        if (o->value && strncmp(arg, o->name, n) == 0 && arg[n] == '=')
            *ret_value = arg + n + 1;
        else if (o->value && o->brief && strncmp(arg, o->brief, 2) == 0)
            *ret_value = arg + 2;
        if (*ret_value)
            return o;
    }
    return NULL;
}

static void apply(struct call *c, const struct cli_option_row *o, const char *value)
{
    switch (o->bit) {
    case OPT_CONFIG:
        c->opts.config = value;
        break;
    case OPT_VERBOSE:
        c->opts.verbose++;
        break;
    case OPT_JSON:
        c->opts.json = true;
        break;
    case OPT_PSK:
        c->opts.psk = true;
        break;
    case OPT_CONTROL:
        c->opts.control = value;
        break;
    case OPT_NO_SECCOMP:
        c->opts.no_seccomp = true;
        break;
    case OPT_FORCE:
        c->opts.force = true;
        break;
    case OPT_PUBLIC_KEY:
        c->opts.public_key = value;
        break;
    case OPT_PREFIX:
        c->opts.prefix = value;
        break;
    case OPT_PUBLIC_ADDRESS:
        c->opts.public_address = value;
        break;
    default:
        c->help = true;
        break;
    }
}

static int unknown_option(const struct call *c, const struct cli_command *cmd, const char *arg)
{
    const char *names[N_OPTIONS + 1];
    for (size_t i = 0; i < N_OPTIONS; i++)
        names[i] = cli_options[i].name;
    names[N_OPTIONS] = NULL;
    const char *near = conf_closest(arg, names);
    return usage(c, "%s: unknown %s `%s`%s%s%s", cmd->name, arg[0] == '-' ? "option" : "argument",
                 arg, near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
}

/* -vv: several short options without value in one word are only ever this one. */
static bool is_verbose_run(const char *arg)
{
    return arg[0] == '-' && arg[1] == 'v' && strspn(arg + 1, "v") == strlen(arg + 1);
}

static int parse_options(struct call *c, const struct cli_command *cmd, int argc, char **argv)
{
    for (int i = 2; i < argc; i++) {
        const char *value = NULL;
        if ((cmd->options & OPT_VERBOSE) && is_verbose_run(argv[i])) {
            c->opts.verbose += (unsigned)strlen(argv[i] + 1);
            continue;
        }
        const struct cli_option_row *o = find_option(argv[i], &value);
        if (!o && cmd->arg && !c->opts.arg && argv[i][0] != '-') {
            c->opts.arg = argv[i];
            continue;
        }
        if (!o)
            return unknown_option(c, cmd, argv[i]);
        if (o->bit && !(cmd->options & o->bit))
            return usage(c, "%s: %s is no option of this command", cmd->name, o->name);
        if (o->value && !value) {
            if (i + 1 == argc)
                return usage(c, "%s: %s needs a value", cmd->name, argv[i]);
            value = argv[++i];
        }
        if (o->value && !*value)
            return usage(c, "%s: %s needs a value", cmd->name, o->name);
        apply(c, o, value);
    }
    if (c->opts.control && strlen(c->opts.control) > 107)
        return usage(c, "%s: --control: at most 107 characters", cmd->name);
    if (cmd->arg && !c->opts.arg && !c->help)
        return usage(c, "%s: %s is missing: %s %s %s", cmd->name, cmd->arg, c->cli->program,
                     cmd->name, cmd->arg);
    return EX_OK;
}

static bool find_command(const struct cli *cli, const char *name, struct cli_command *ret,
                         unsigned *ret_i)
{
    for (unsigned i = 0; cli_command_row(cli, i, ret); i++) {
        *ret_i = i;
        if (strcmp(ret->name, name) == 0)
            return true;
    }
    return false;
}

#define NAMES_MAX 32

static unsigned command_names(const struct cli *cli, const char *names[NAMES_MAX + 1])
{
    struct cli_command c;
    unsigned n = 0;

    for (; n < NAMES_MAX && cli_command_row(cli, n, &c); n++)
        names[n] = c.name;
    names[n] = NULL;
    return n;
}

static int unknown_command(const struct call *c, const char *arg)
{
    const char *names[NAMES_MAX + 1];
    command_names(c->cli, names);
    const char *near = conf_closest(arg, names);
    return usage(c, "unknown command `%s`%s%s%s", arg, near ? "; did you mean " : "",
                 near ? near : "", near ? "?" : "");
}

static int no_command(const struct call *c)
{
    const char *names[NAMES_MAX + 1];
    char all[200] = "";
    unsigned n = command_names(c->cli, names);

    for (unsigned i = 0, at = 0; i < n && at < sizeof(all); i++)
        at += (unsigned)snprintf(all + at, sizeof(all) - at, "%s%s", i ? ", " : "", names[i]);
    return usage(c, "a command is needed: %s", all);
}

int cli_main_io(int argc, char **argv, const struct cli *cli, const struct cli_io *io)
{
    struct call c = { .cli = cli, .io = io, .opts = { .config = cli->default_config } };
    if (crypto_init(cli->crypto.set ? &cli->crypto : NULL) != 0) {
        fprintf(io->err, "%s: libsodium cannot start (no random numbers)\n", cli->program);
        return EX_OSERR;
    }
    if (argc < 2)
        return no_command(&c);
    if (strcmp(argv[1], "--version") == 0) {
        fprintf(io->out, "%s %s\n", cli->program, SIXTAP_VERSION);
        crypto_print(io->out);
        return flushed(&c);
    }
    c.help = strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
             strcmp(argv[1], "help") == 0;
    struct cli_command cmd;
    unsigned number = 0;
    bool found = !c.help && find_command(cli, argv[1], &cmd, &number);
    if (!found && !c.help)
        return unknown_command(&c, argv[1]);
    int rc = found ? parse_options(&c, &cmd, argc, argv) : EX_OK;
    if (rc != EX_OK)
        return rc;
    if (c.help) {
        print_help(io->out, cli);
        return flushed(&c);
    }
    if (number < N_COMMANDS)
        return commands[number].run(&c);
    rc = cmd.run(&c.opts, io);
    return rc == EX_OK ? flushed(&c) : rc;
}

/* A standard stream that was closed stays one that fails: else the next descriptor, a socket or the
 * TAP, would take its number and get what is printed or logged. */
static int hold_standard_streams(void)
{
    for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
        if (fcntl(fd, F_GETFD) >= 0)
            continue;
        if (open("/dev/null", fd == STDIN_FILENO ? O_WRONLY : O_RDONLY) != fd)
            return -1;
    }
    return 0;
}

int cli_main(int argc, char **argv, const struct cli *cli)
{
    if (hold_standard_streams() != 0)
        return EX_OSERR;
    const struct cli_io io = { .in = stdin, .out = stdout, .err = stderr };
    return cli_main_io(argc, argv, cli, &io);
}
