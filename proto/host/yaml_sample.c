/* SPDX-License-Identifier: MIT */
/* yaml_sample.c - a configuration file to begin with, made from its table of keys */
#include <stdlib.h>
#include <string.h>

#include "proto/host/scalar.h"

#define WIDTH 100

/* @text in lines of comment, broken at spaces. */
static void comment(FILE *f, const char *indent, const char *text)
{
    size_t room = WIDTH - strlen(indent);

    while (*text) {
        size_t n = strlen(text), cut = n;
        if (n > room)
            for (cut = room; cut > 0 && text[cut] != ' '; cut--)
                ;
        if (cut == 0)
            cut = n;
        fprintf(f, "%s%.*s\n", indent, (int)cut, text);
        text += cut;
        while (*text == ' ')
            text++;
    }
}

/* Is the default something that can stand in the file, and not a sentence about it? */
static bool literal(const struct conf_key *k)
{
    char why[SCALAR_WHY_LEN];
    struct scalar s = { .text = k->def, .len = k->def ? strlen(k->def) : 0, .file = "x" };

    if (!k->def)
        return false;
    if (k->type == CONF_IP6_LIST || k->type == CONF_PREFIX_LIST || k->type == CONF_DOMAIN_LIST ||
        k->type == CONF_PORT_LIST || k->type == CONF_LIST)
        return strcmp(k->def, "[]") == 0;
    if (k->type == CONF_PATH || k->type == CONF_CONTROL || k->type == CONF_MAP)
        return k->type == CONF_PATH;
    void *scratch = calloc(1, k->off + k->size + sizeof(uint64_t));
    bool ok = scratch && scalar_take(k, &s, scratch, why);
    free(scratch);
    return ok;
}

static void describe(FILE *f, const char *indent, const struct conf_key *k)
{
    char range[600], line[900];

    comment(f, indent, k->help);
    conf_range_text(k, range, sizeof(range));
    if (k->required)
        snprintf(line, sizeof(line), "%s; needed", range);
    else
        snprintf(line, sizeof(line), "%s%s%s", range, k->def ? "; default: " : "",
                 k->def ? k->def : "");
    comment(f, indent, line);
}

static const char *value_of(const struct conf_value *values, const char *name)
{
    for (; values->name; values++) {
        if (strcmp(values->name, name) == 0)
            return values->text;
    }
    return NULL;
}

static void print_map(FILE *f, const struct conf_key *k)
{
    for (const struct conf_key *in = k->keys; in->name; in++) {
        fprintf(f, "#   %s\n", in->name);
        describe(f, "#     ", in);
    }
}

void conf_sample(FILE *out, const struct conf_key *keys, const struct conf_value *values)
{
    for (const struct conf_key *k = keys; k->name; k++) {
        const char *value = value_of(values, k->name);
        bool nested = k->type == CONF_MAP || k->type == CONF_LIST;
        fputc('\n', out);
        if (nested) {
            comment(out, "# ", k->help);
            print_map(out, k);
        } else {
            describe(out, "# ", k);
        }
        if (value)
            fprintf(out, "%s:%s%s\n", k->name, *value == '\n' ? "" : " ", value);
        else if (literal(k))
            fprintf(out, "#%s: %s\n", k->name, k->def);
        else
            fprintf(out, "#%s:\n", k->name);
    }
}
