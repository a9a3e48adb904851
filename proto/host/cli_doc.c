/* SPDX-License-Identifier: MIT */
/* cli_doc.c - manual pages and JSON Schema from the tables of commands, options and keys
 *
 * Standards: mdoc(7); JSON Schema 2020-12.
 */
#include <inttypes.h>
#include <string.h>

#include "proto/host/cli.h"

/* ---- mdoc ---- */

#define LINE_MAX 78

static void mdoc_word(FILE *f, const char *word, size_t len)
{
    if (*word == '.' || *word == '\'')
        fputs("\\&", f);
    for (size_t i = 0; i < len; i++) {
        if (word[i] == '\\')
            fputs("\\e", f);
        else
            fputc(word[i], f);
    }
}

/* @text as running text in lines that are not long: one that starts with a dot or quote would be a
 * request, a backslash an escape. */
static void mdoc_text(FILE *f, const char *text)
{
    size_t column = 0;

    while (*text) {
        size_t n = strcspn(text, " ");
        if (column && column + 1 + n > LINE_MAX) {
            fputc('\n', f);
            column = 0;
        }
        if (column)
            fputc(' ', f);
        mdoc_word(f, text, n);
        column += n + 1;
        text += n + strspn(text + n, " ");
    }
    fputc('\n', f);
}

#define MANUAL_DATE                                                                                \
    "November 21, 2026" /* of the texts; what is made from tables is as new as these */

/* "SIXTAP-ROUTER" */
static void upper(FILE *f, const char *text)
{
    for (; *text; text++)
        fputc(*text >= 'a' && *text <= 'z' ? *text - 'a' + 'A' : *text, f);
}

static const char *flag_name(const char *name) /* mdoc writes the first dash itself */
{
    return name + 1;
}

static void print_options(FILE *f, const struct cli *cli, unsigned options)
{
    for (const struct cli_option_row *o = cli_options; o->name; o++) {
        if (!o->bit || !(options & o->bit))
            continue;
        fprintf(f, ".Op Fl %s", flag_name(o->brief ? o->brief : o->name));
        if (o->value)
            fprintf(f, " Ar %s", o->value);
        fputc('\n', f);
    }
    (void)cli;
}

static void print_commands(FILE *f, const struct cli *cli)
{
    struct cli_command c;

    fprintf(f, ".Sh COMMANDS\n.Bl -tag -width Ds\n");
    for (unsigned i = 0; cli_command_row(cli, i, &c); i++) {
        fprintf(f, ".It Cm %s", c.name);
        if (c.arg)
            fprintf(f, " Ar %s", c.arg);
        fputc('\n', f);
        mdoc_text(f, c.help);
        if (c.options) {
            fputs(".br\n", f);
            print_options(f, cli, c.options);
        }
    }
    fprintf(f, ".El\n");
}

static void print_option_list(FILE *f, const struct cli *cli)
{
    struct cli_command c;
    unsigned used = 0;

    for (unsigned i = 0; cli_command_row(cli, i, &c); i++)
        used |= c.options;
    fprintf(f, ".Sh OPTIONS\n.Bl -tag -width Ds\n");
    for (const struct cli_option_row *o = cli_options; o->name; o++) {
        if (o->bit && !(used & o->bit))
            continue;
        fputs(".It ", f);
        if (o->brief)
            fprintf(f, "Fl %s , ", flag_name(o->brief));
        fprintf(f, "Fl %s", flag_name(o->name));
        if (o->value)
            fprintf(f, " Ar %s", o->value);
        fputc('\n', f);
        mdoc_text(f, o->help);
        if (o->bit == OPT_CONFIG)
            fprintf(f, ".br\nThe default is\n.Pa %s .\n", cli->default_config);
    }
    fprintf(f, ".It Fl -version\nprint the version, and which library does the ciphers\n.El\n");
}

static void manual_program(FILE *f, const struct cli *cli)
{
    fprintf(f, ".Dd %s\n.Dt ", MANUAL_DATE);
    upper(f, cli->program);
    fprintf(f, " 8\n.Os\n.Sh NAME\n.Nm %s\n.Nd ", cli->program);
    mdoc_text(f, cli->about);
    fprintf(f, ".Sh SYNOPSIS\n.Nm\n.Ar command\n.Op Ar options\n.Sh DESCRIPTION\n");
    fputs(cli->manual ? cli->manual : ".Nm\nis part of SixTap.\n", f);
    print_commands(f, cli);
    print_option_list(f, cli);
    fprintf(f,
            ".Sh ENVIRONMENT\n.Bl -tag -width Ds\n.It Ev SIXTAP_CRYPTO\n"
            ".Ql libsodium :\ndo without libipsec-mb, to compare or to rule it out.\n"
            ".It Ev NOTIFY_SOCKET\nWhere systemd hears that the daemon is ready.\n.El\n"
            ".Sh FILES\n.Bl -tag -width Ds\n.It Pa %s\nThe configuration, see\n.Xr %s.yaml 5 .\n"
            ".El\n.Sh EXIT STATUS\n"
            "Those of\n.In sysexits.h :\n"
            "0 fine, 64 wrong usage, 65 wrong data (a key, a name), 69 no daemon answers,\n71 the "
            "system refuses, 73 a file cannot be made, 74 output failed,\n78 problems in "
            "the configuration.\n",
            cli->default_config, cli->program);
    fprintf(f, ".Sh SEE ALSO\n.Xr %s.yaml 5\n", cli->program);
}

static void print_keys(FILE *f, const struct conf_key *keys, const char *map)
{
    char range[600];

    fprintf(f, ".Bl -tag -width Ds\n");
    for (const struct conf_key *k = keys; k->name; k++) {
        fprintf(f, ".It Cm %s\n", k->name);
        mdoc_text(f, k->help);
        if (k->type == CONF_MAP || k->type == CONF_LIST) {
            fprintf(f, ".br\n%s with these keys:\n",
                    k->type == CONF_MAP ? "A map" : "A list of maps");
            print_keys(f, k->keys, k->name);
            continue;
        }
        fputs(".br\n", f);
        mdoc_text(f, conf_range_text(k, range, sizeof(range)));
        fputs(".br\n", f);
        if (k->required)
            fputs("It is needed.\n", f);
        else if (k->def) {
            fputs("Default: ", f);
            mdoc_text(f, k->def);
        } else {
            fputs("There is no default.\n", f);
        }
        if (k->live)
            fputs(".br\nCan be changed by reload.\n", f);
    }
    fprintf(f, ".El\n");
    (void)map;
}

static bool any_live(const struct conf_key *keys)
{
    for (; keys->name; keys++) {
        if (keys->live || (keys->keys && any_live(keys->keys)))
            return true;
    }
    return false;
}

static void manual_file(FILE *f, const struct cli *cli)
{
    fprintf(f, ".Dd %s\n.Dt ", MANUAL_DATE);
    upper(f, cli->program);
    fprintf(f,
            ".YAML 5\n.Os\n.Sh NAME\n.Nm %s.yaml\n.Nd configuration of %s\n.Sh DESCRIPTION\n"
            "The file\n.Pa %s\nholds lines of key: value in YAML.\n"
            "Anchors, aliases, tags and several documents are not taken.\n"
            "File names in it are relative to it.\nAn unknown key, a wrong value and a value out "
            "of range are errors;\n.Dl %s check -c %s\nnames all of them, with line and column.\n",
            cli->program, cli->program, cli->default_config, cli->program, cli->default_config);
    if (any_live(cli->keys))
        fprintf(
            f,
            ".Pp\nKeys marked so below take a new value while the daemon runs, by\n"
            ".Dl %s reload\nor\n.Dv SIGHUP .\nThe others keep theirs until it is restarted, and "
            "reload says which these are.\n",
            cli->program);
    fprintf(f, ".Sh KEYS\n");
    print_keys(f, cli->keys, NULL);
    fprintf(f, ".Sh SEE ALSO\n.Xr %s 8\n", cli->program);
}

void cli_manual(FILE *out, const struct cli *cli, int section)
{
    if (section == 5)
        manual_file(out, cli);
    else
        manual_program(out, cli);
}

/* ---- JSON Schema ---- */

static struct json_object *text(const char *s)
{
    return json_object_new_string(s);
}

static void put(struct json_object *o, const char *key, struct json_object *v)
{
    json_object_object_add(o, key, v);
}

/* A string, by a pattern unless @pattern is NULL. */
static void put_string(struct json_object *o, const char *pattern)
{
    put(o, "type", text("string"));
    if (pattern)
        put(o, "pattern", text(pattern));
}

#define RE_IP4    "[0-9]{1,3}(\\.[0-9]{1,3}){3}"
#define RE_IP6    "[0-9A-Fa-f:]*:[0-9A-Fa-f:.]*"
#define RE_KEY    "^[A-Za-z0-9+/]{43}=$"
#define RE_DOMAIN "^[A-Za-z0-9_-]+(\\.[A-Za-z0-9_-]+)*\\.?$"

static uint64_t largest(const struct conf_key *k)
{
    if (k->max)
        return k->max;
    return k->size >= 8 ? INT64_MAX : (UINT64_C(1) << (8 * k->size)) - 1;
}

static void put_number(struct json_object *o, const struct conf_key *k)
{
    put(o, "type", text("integer"));
    put(o, "minimum", json_object_new_int64((int64_t)k->min));
    put(o, "maximum", json_object_new_int64((int64_t)largest(k)));
}

/* `20`, `20s`, `20 s` */
static void put_seconds(struct json_object *o, const struct conf_key *k)
{
    struct json_object *list = json_object_new_array(), *n = json_object_new_object(),
                       *s = json_object_new_object();

    put_number(n, k);
    put_string(s, "^[0-9]+ ?s$");
    json_object_array_add(list, n);
    json_object_array_add(list, s);
    put(o, "anyOf", list);
}

static void put_words(struct json_object *o, const struct conf_key *k)
{
    struct json_object *list = json_object_new_array();

    for (size_t i = 0; k->words[i]; i++)
        json_object_array_add(list, text(k->words[i]));
    put(o, "enum", list);
}

static void put_items(struct json_object *o, const struct conf_key *k, const char *pattern)
{
    struct json_object *item = json_object_new_object();

    put_string(item, pattern);
    put(o, "type", text("array"));
    put(o, "maxItems", json_object_new_int64((int64_t)k->max));
    put(o, "items", item);
}

static void put_map(struct json_object *o, const struct conf_key *keys);

static void put_list(struct json_object *o, const struct conf_key *k)
{
    struct json_object *item = json_object_new_object(), *types = json_object_new_array();

    put_map(item, k->keys);
    json_object_array_add(types, text("array"));
    json_object_array_add(types, text("null")); /* every item commented out */
    put(o, "type", types);
    put(o, "maxItems", json_object_new_int64((int64_t)k->max));
    put(o, "items", item);
}

static void put_value(struct json_object *o, const struct conf_key *k)
{
    switch (k->type) {
    case CONF_BOOL:
        put(o, "type", text("boolean"));
        return;
    case CONF_UINT:
        put_number(o, k);
        return;
    case CONF_SECONDS:
        put_seconds(o, k);
        return;
    case CONF_ENUM:
        put_words(o, k);
        return;
    case CONF_NAME:
    case CONF_IFNAME:
        put_string(o, "^[A-Za-z0-9._-]+$");
        put(o, "maxLength", json_object_new_int64((int64_t)k->size - 1));
        return;
    case CONF_CONTROL:
    case CONF_PATH:
    case CONF_KEY_FILE:
    case CONF_HOSTPORT:
        put_string(o, NULL);
        put(o, "minLength", json_object_new_int64(1));
        return;
    case CONF_ENDPOINT:
        put_string(o, "^" RE_IP4 ":[0-9]{1,5}$");
        return;
    case CONF_ADDRESS4:
        put_string(o, "^" RE_IP4 "(:[0-9]{1,5})?$");
        return;
    case CONF_IP6:
        put_string(o, "^" RE_IP6 "$");
        return;
    case CONF_PREFIX:
        put_string(o, "^" RE_IP6 "/[0-9]{1,3}$");
        return;
    case CONF_KEY:
    case CONF_SECRET:
        put_string(o, RE_KEY);
        return;
    case CONF_IP6_LIST:
        put_items(o, k, "^" RE_IP6 "$");
        return;
    case CONF_PREFIX_LIST:
        put_items(o, k, "^" RE_IP6 "/[0-9]{1,3}$");
        return;
    case CONF_PORT_LIST:
        put_items(o, k, "^(tcp|udp)/[1-9][0-9]{0,4}$");
        return;
    case CONF_DOMAIN_LIST:
        put_items(o, k, RE_DOMAIN);
        return;
    case CONF_MAP:
        put_map(o, k->keys);
        return;
    case CONF_LIST:
        put_list(o, k);
        return;
    }
}

static void put_map(struct json_object *o, const struct conf_key *keys)
{
    struct json_object *props = json_object_new_object(), *needed = json_object_new_array();

    for (const struct conf_key *k = keys; k->name; k++) {
        struct json_object *v = json_object_new_object();
        put_value(v, k);
        put(v, "description", text(k->help));
        if (k->def)
            put(v, "$comment", text(k->def));
        put(props, k->name, v);
        if (k->required)
            json_object_array_add(needed, text(k->name));
    }
    put(o, "type", text("object"));
    put(o, "additionalProperties", json_object_new_boolean(0));
    put(o, "required", needed);
    put(o, "properties", props);
}

void cli_schema(FILE *out, const struct cli *cli)
{
    struct json_object *o = json_object_new_object();
    char title[80];

    put(o, "$schema", text("https://json-schema.org/draft/2020-12/schema"));
    (void)snprintf(title, sizeof(title), "%s, the configuration of %s", cli->file, cli->program);
    put(o, "title", text(title));
    put_map(o, cli->keys);
    fprintf(out, "%s\n",
            json_object_to_json_string_ext(o, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_SPACED |
                                                  JSON_C_TO_STRING_NOSLASHESCAPE));
    json_object_put(o);
}
