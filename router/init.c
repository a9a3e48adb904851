/* SPDX-License-Identifier: MIT */
/* init.c - the command init: a configuration and a key for this host */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/host/scalar.h"
#include "proto/host/secret.h"
#include "proto/host/sysctl.h"
#include "proto/mac.h"
#include "router/admin.h"
#include "router/admin_file.h"
#include "router/survey.h"

#define UNIT_CONFIG  "/etc/sixtap/router.yaml" /* what the systemd unit reads */
#define KEY_FILE     "router.key"
#define DEFAULT_PORT 6464
#define WORD_MAX     (4 * PATH_MAX + 8)
#define PREFIX_TEXT  (IP6_TEXT_LEN + 4)

struct plan { /* what will be written */
    struct survey host;
    char key_path[PATH_MAX];
    char listen[EP_TEXT_LEN], public_address[EP_TEXT_LEN], prefix[PREFIX_TEXT];
    const char *uplink;
    char why[400 + WORD_MAX]; /* what was found, for a person */
};

/* @text as a shell takes it for one word */
static const char *word_of(char out[WORD_MAX], const char *text)
{
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_./@%+=:,-";
    size_t n = 0;

    if (text[0] && strspn(text, plain) == strlen(text)) {
        snprintf(out, WORD_MAX, "%s", text);
        return out;
    }
    out[n++] = '\'';
    for (; *text && n < WORD_MAX - 6; text++) {
        if (*text == '\'')
            n += (size_t)snprintf(out + n, WORD_MAX - n, "'\\''");
        else
            out[n++] = *text;
    }
    snprintf(out + n, WORD_MAX - n, "'");
    return out;
}

static int complain(const struct cli_io *io, int rc, const char *path, const char *why)
{
    fprintf(io->err, "sixtap-router: %s: %s\n", path, why);
    return rc;
}

static const char *prefix_text(char out[PREFIX_TEXT], struct prefix p)
{
    char a[IP6_TEXT_LEN];

    (void)snprintf(out, PREFIX_TEXT, "%s/%u", ip6_text(a, p.addr), p.len);
    return out;
}

/* ---- what to write ---- */

static int plan_ipv4(struct plan *p, const struct cli_opts *o, const struct cli_io *io)
{
    char own[INET_ADDRSTRLEN] = "";
    struct in_addr given;

    if (o->public_address && inet_pton(AF_INET, o->public_address, &given) != 1)
        return complain(io, EX_USAGE, o->public_address, "--public-address: not an IPv4 address");
    if (p->host.has_ipv4)
        inet_ntop(AF_INET, &p->host.ipv4, own, sizeof(own));
    bool nat = !p->host.has_ipv4 || p->host.ipv4_private;
    if (nat && !o->public_address) {
        fprintf(io->err, "sixtap-router: %s%s%s. If this host has a public IPv4 address%s:\n",
                *own ? "this host's IPv4 address is " : "this host has no IPv4 default route", own,
                *own ? ", which nobody outside can reach"
                     : ", so the address that clients reach it at cannot be seen",
                *own ? " by 1:1 NAT, say which" : ", say which");
        char config[WORD_MAX];
        fprintf(io->err, "  sixtap-router init -c %s%s%s%s --public-address A.B.C.D\n",
                word_of(config, o->config), o->force ? " --force" : "",
                o->prefix ? " --prefix " : "", o->prefix ? o->prefix : "");
        return EX_CONFIG;
    }
    const char *public = o->public_address ? o->public_address : own;
    bool here = strcmp(public, own) == 0;
    (void)snprintf(p->listen, sizeof(p->listen), "%s:%d", here ? own : "0.0.0.0", DEFAULT_PORT);
    if (!here)
        (void)snprintf(p->public_address, sizeof(p->public_address), "%s", public);
    return EX_OK;
}

/* The operator knows better than we can see. */
static int plan_given_prefix(struct plan *p, const char *text, const struct cli_io *io)
{
    static const struct conf_key key = {
        .name = "prefix", .type = CONF_PREFIX, .size = sizeof(struct prefix), .min = 48, .max = 126
    };
    struct scalar s = { .text = text, .len = strlen(text), .file = "" };
    struct prefix prefix;
    char why[SCALAR_WHY_LEN];

    if (!scalar_take(&key, &s, &prefix, why))
        return complain(io, EX_USAGE, "--prefix", why);
    if (router_prefix_misuse(&prefix)) {
        snprintf(why, sizeof(why), "%s holds %s; allowed: global or unique local ones", text,
                 router_prefix_misuse(&prefix));
        return complain(io, EX_USAGE, "--prefix", why);
    }
    prefix_text(p->prefix, prefix);
    p->uplink = "{ mode: routed, device: sixtap0 }";
    (void)snprintf(p->why, sizeof(p->why), "%s is routed to this host, as you say.", p->prefix);
    return EX_OK;
}

static void plan_found_prefix(struct plan *p, const struct cli_opts *o)
{
    char text[PREFIX_TEXT], config[WORD_MAX];

    prefix_text(text, p->host.prefix);
    word_of(config, o->config);
    p->uplink = "{ mode: none }";
    switch (p->host.ipv6) {
    case SURVEY_ROUTED:
        memcpy(p->prefix, text, sizeof(text));
        p->uplink = "{ mode: routed, device: sixtap0 }";
        (void)snprintf(p->why, sizeof(p->why),
                       "%s is on this host but not on its link %s, so it is taken for routed to "
                       "this host. No other link may have it: take it away from there.",
                       text, p->host.wan6);
        return;
    case SURVEY_ON_LINK:
        memcpy(p->prefix, text, sizeof(text));
        p->uplink = "{ mode: ndproxy, device: sixtap0 }";
        (void)snprintf(p->why, sizeof(p->why),
                       "%s is on link at %s, so clients get addresses of it and are announced "
                       "there. If your provider routes a prefix to this host, that is better; say "
                       "so: sixtap-router init -c %s --force --prefix PREFIX",
                       text, p->host.wan6, config);
        return;
    case SURVEY_SINGLE:
        p->uplink = "{ mode: nat66, device: sixtap0 }";
        (void)snprintf(
            p->why, sizeof(p->why),
            "%s on %s is a single address, so clients get addresses of a network of "
            "their own and leave with this one. If your provider routes a prefix to "
            "this host, that is better; say so: sixtap-router init -c %s --force --prefix "
            "PREFIX",
            text, p->host.wan6, config);
        return;
    case SURVEY_NONE:
        (void)snprintf(p->why, sizeof(p->why),
                       "This host has no IPv6 of its own. A network among clients alone is set "
                       "up.");
        return;
    }
}

/* ---- files ---- */

static bool exists(const char *path)
{
    struct stat st;

    return lstat(path, &st) == 0;
}

static int make_directory(const char *path, const struct cli_io *io)
{
    char dir[PATH_MAX];
    const char *slash = strrchr(path, '/');

    if (!slash || slash == path)
        return EX_OK;
    if ((size_t)(slash - path) >= sizeof(dir))
        return complain(io, EX_CANTCREAT, path, strerror(ENAMETOOLONG));
    memcpy(dir, path, (size_t)(slash - path));
    dir[slash - path] = 0;
    if (mkdir(dir, 0755) == 0 || errno == EEXIST)
        return EX_OK;
    return complain(io, EX_CANTCREAT, dir, strerror(errno));
}

/* A key that is there and good is kept also with --force: without it no client could log in. */
static int make_key(const struct plan *p, uint8_t key[KEY_LEN], const struct cli_io *io)
{
    char text[KEY_TEXT_LEN + 1], err[400];

    if (exists(p->key_path)) {
        if (secret_read_file(p->key_path, key, err, sizeof(err)) == 0) {
            fprintf(io->err, "%s stays as it is, or no client would know this router\n",
                    p->key_path);
            return EX_OK;
        }
        fprintf(io->err, "sixtap-router: %s\n", err);
        return EX_CANTCREAT;
    }
    randombytes_buf(key, KEY_LEN);
    key[0] &= 248;
    key[31] = (uint8_t)((key[31] & 127) | 64);
    key_to_text(text, key);
    memcpy(text + strlen(text), "\n", 2);
    int rc = admin_write_file(p->key_path, text, 0600, false);
    sodium_memzero(text, sizeof(text));
    return rc ? complain(io, EX_CANTCREAT, p->key_path, strerror(-rc)) : EX_OK;
}

static void print_comment(FILE *f, const char *text)
{
    size_t column = 0;

    fputc('#', f);
    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + n > 96) {
            fputs("\n#", f);
            column = 0;
        }
        fprintf(f, " %.*s", (int)n, text);
        column += n + 1;
        text += n + (text[n] == ' ');
    }
    fputc('\n', f);
}

static int write_config(const struct plan *p, const struct cli_opts *o, const struct cli_io *io)
{
    struct conf_value values[6];
    char *text = NULL;
    size_t len, n = 0;
    FILE *f = open_memstream(&text, &len);

    if (!f)
        return complain(io, EX_OSERR, o->config, "memory is out");
    values[n++] = (struct conf_value){ "listen", p->listen };
    if (p->public_address[0])
        values[n++] = (struct conf_value){ "public_address", p->public_address };
    values[n++] = (struct conf_value){ "private_key_file", KEY_FILE };
    if (p->prefix[0])
        values[n++] = (struct conf_value){ "prefix", p->prefix };
    values[n++] = (struct conf_value){ "uplink", p->uplink };
    values[n] = (struct conf_value){ NULL, NULL };
    fprintf(f, "# router.yaml, written by `sixtap-router init`; `sixtap-router check` names every "
               "problem in it.\n# A line that starts with # and a word is a key with its default. "
               "File names are relative to this file.\n#\n");
    print_comment(f, p->why);
    conf_sample(f, router_config_table(), values);
    int rc = fclose(f) != 0 ? -ENOMEM : admin_write_file(o->config, text, 0600, o->force);
    free(text);
    return rc ? complain(io, EX_CANTCREAT, o->config, strerror(-rc)) : EX_OK;
}

static void say_next(const struct plan *p, const struct cli_opts *o, const uint8_t *public_key,
                     const struct cli_io *io)
{
    char text[KEY_TEXT_LEN], forwarding[16] = "1", config[WORD_MAX];
    const char *public = p->public_address[0] ? p->public_address : p->listen;

    key_to_text(text, public_key);
    fprintf(io->out,
            "%s and %s are written.\n%s\n\nClients reach this router at %s, UDP port %d; "
            "let that through the firewall.\nPublic key: %s\n\nNext:\n",
            o->config, p->key_path, p->why, public, DEFAULT_PORT, text);
    (void)sysctl_get("net/ipv6/conf/all/forwarding", forwarding, sizeof(forwarding));
    if (p->prefix[0] && strcmp(forwarding, "0") == 0) {
        /* a host that forwards hears no RA on its own link, unless told to */
        if (p->host.wan6[0])
            fprintf(io->out, "  sysctl -w net.ipv6.conf.%s.accept_ra=2\n", p->host.wan6);
        fprintf(io->out, "  sysctl -w net.ipv6.conf.all.forwarding=1   # and in /etc/sysctl.d\n");
    }
    word_of(config, o->config);
    fprintf(io->out,
            "  sixtap-router run -c %s%s\n"
            "  (umask 077; sixtap-router invite alice -c %s > alice.yaml)\n"
            "Then take alice.yaml to the client, mode 0600: sixtap-client run -c alice.yaml\n",
            config,
            strcmp(o->config, UNIT_CONFIG) == 0 ? "      # or: systemctl enable --now sixtap-router"
                                                : "",
            config);
}

int admin_init(const struct cli_opts *o, const struct cli_io *io)
{
    struct plan p = { 0 };
    uint8_t key[KEY_LEN], public_key[KEY_LEN];

    if (!scalar_path(o->config, KEY_FILE, p.key_path, sizeof(p.key_path)))
        return complain(io, EX_CANTCREAT, o->config, strerror(ENAMETOOLONG));
    for (unsigned i = 0; i < 2 && !o->force; i++) {
        const char *path = i ? p.key_path : o->config;
        if (exists(path))
            return complain(io, EX_CANTCREAT, path,
                            "is there already; --force writes a new configuration, the key stays");
    }
    int err = survey_host(&p.host);
    if (err)
        fprintf(io->err, "sixtap-router: the kernel does not tell all of its routes: %s\n",
                strerror(-err));
    int rc = plan_ipv4(&p, o, io);
    if (rc == EX_OK && o->prefix)
        rc = plan_given_prefix(&p, o->prefix, io);
    else
        plan_found_prefix(&p, o);
    if (rc == EX_OK)
        rc = make_directory(o->config, io);
    if (rc == EX_OK)
        rc = make_key(&p, key, io);
    if (rc == EX_OK)
        rc = write_config(&p, o, io);
    if (rc == EX_OK) {
        crypto_scalarmult_base(public_key, key);
        say_next(&p, o, public_key, io);
    }
    sodium_memzero(key, sizeof(key));
    return rc;
}
