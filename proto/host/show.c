/* SPDX-License-Identifier: MIT */
/* show.c - a JSON object as text for a person
 *
 * DOC: knows nothing of what the members mean, so that the daemons may add some: plain members
 * become aligned lines, a list of objects a table whose columns are the members of its rows, an
 * object of numbers ("drops") a list of those that are not zero. Strings may come from a peer: what
 * could drive a terminal is replaced. What is cut says so: a text ends in "...", a list in the
 * number of items left out, "+3".
 */
#include <inttypes.h>
#include <string.h>

#include "proto/host/cli.h"

#define COLUMNS_MAX 24
#define CELL_MAX    120
#define LEFT_OUT    10 /* octets kept for ", +N" */

static const char *text_of(struct json_object *v)
{
    return v ? json_object_get_string(v) : "-";
}

static void put_text(char *out, size_t cap, const char *text)
{
    if (snprintf(out, cap, "%s", text) >= (int)cap)
        snprintf(out + cap - 4, 4, "...");
}

/* Items are whole, only the first may be cut. */
static void put_list(char *out, struct json_object *list)
{
    size_t n = 0, count = json_object_array_length(list);
    for (size_t i = 0; i < count; i++) {
        const char *text = text_of(json_object_array_get_idx(list, i));
        size_t cap = i + 1 < count ? CELL_MAX - LEFT_OUT : CELL_MAX;
        if (i && n + 2 + strlen(text) >= cap) {
            snprintf(out + n, CELL_MAX - n, ", +%zu", count - i);
            return;
        }
        if (i) {
            out[n++] = ',';
            out[n++] = ' ';
        }
        put_text(out + n, cap - n, text);
        n += strlen(out + n);
    }
}

/* @v as one word or line of text at @out (CELL_MAX octets). Lists are joined by ", ". */
static void cell(char *out, struct json_object *v)
{
    out[0] = 0;
    if (json_object_is_type(v, json_type_array))
        put_list(out, v);
    else
        put_text(out, CELL_MAX, text_of(v));
    if (!out[0])
        snprintf(out, CELL_MAX, "-");
    for (char *p = out; *p; p++) {
        if (*p < ' ' || *p > '~')
            *p = '?';
    }
}

static bool is_table(struct json_object *v)
{
    return json_object_is_type(v, json_type_array) && json_object_array_length(v) > 0 &&
           json_object_is_type(json_object_array_get_idx(v, 0), json_type_object);
}

static int width_of(const char *text)
{
    return (int)strnlen(text, CELL_MAX);
}

/* ---- plain members ---- */

static void show_plain(FILE *out, struct json_object *o, const char *indent)
{
    char text[CELL_MAX];
    int width = 0;
    json_object_object_foreach(o, key, val)
    {
        if (!json_object_is_type(val, json_type_object) && !is_table(val) && width_of(key) > width)
            width = width_of(key);
    }
    json_object_object_foreach(o, name, value)
    {
        if (json_object_is_type(value, json_type_object) || is_table(value))
            continue;
        cell(text, value);
        fprintf(out, "%s%-*s  %s\n", indent, width, name, text);
    }
}

/* ---- tables ---- */

struct table {
    const char *name[COLUMNS_MAX];
    int width[COLUMNS_MAX];
    bool number[COLUMNS_MAX]; /* right-aligned */
    unsigned n;
};

static unsigned column(struct table *t, const char *name)
{
    for (unsigned i = 0; i < t->n; i++) {
        if (strcmp(t->name[i], name) == 0)
            return i;
    }
    if (t->n == COLUMNS_MAX)
        return COLUMNS_MAX;
    t->name[t->n] = name;
    t->width[t->n] = width_of(name);
    t->number[t->n] = true;
    return t->n++;
}

static void measure(struct table *t, struct json_object *rows)
{
    char text[CELL_MAX];
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        if (!json_object_is_type(row, json_type_object))
            continue;
        json_object_object_foreach(row, name, value)
        {
            unsigned col = column(t, name);
            if (col == COLUMNS_MAX)
                continue;
            cell(text, value);
            if (width_of(text) > t->width[col])
                t->width[col] = width_of(text);
            if (!json_object_is_type(value, json_type_int) &&
                !json_object_is_type(value, json_type_double))
                t->number[col] = false;
        }
    }
}

static void put_cell(FILE *out, const struct table *t, unsigned col, const char *text)
{
    bool last = col + 1 == t->n;
    if (t->number[col])
        fprintf(out, "  %*s", t->width[col], text);
    else
        fprintf(out, "  %-*s", last ? 0 : t->width[col], text);
    if (last)
        fputc('\n', out);
}

static void show_table(FILE *out, const char *title, struct json_object *rows)
{
    struct table t = { .n = 0 };
    char text[CELL_MAX];
    measure(&t, rows);
    fprintf(out, "\n%s (%zu)\n", title, json_object_array_length(rows));
    for (unsigned col = 0; col < t.n; col++)
        put_cell(out, &t, col, t.name[col]);
    for (size_t i = 0; i < json_object_array_length(rows); i++) {
        struct json_object *row = json_object_array_get_idx(rows, i);
        for (unsigned col = 0; col < t.n; col++) {
            struct json_object *value = NULL;
            json_object_object_get_ex(row, t.name[col], &value);
            cell(text, value);
            put_cell(out, &t, col, text);
        }
    }
}

/* ---- nested objects ---- */

static bool is_counters(struct json_object *o)
{
    bool any = false;
    json_object_object_foreach(o, key, value)
    {
        (void)key;
        if (!json_object_is_type(value, json_type_int))
            return false;
        any = true;
    }
    return any;
}

static void show_counters(FILE *out, struct json_object *o)
{
    bool any = false;
    int width = 0;
    json_object_object_foreach(o, key, val)
    {
        if (json_object_get_uint64(val) && width_of(key) > width)
            width = width_of(key);
    }
    json_object_object_foreach(o, name, value)
    {
        if (!json_object_get_uint64(value))
            continue;
        fprintf(out, "  %-*s  %" PRIu64 "\n", width, name, json_object_get_uint64(value));
        any = true;
    }
    if (!any)
        fprintf(out, "  none\n");
}

void cli_show(FILE *out, struct json_object *json)
{
    show_plain(out, json, "");
    json_object_object_foreach(json, name, value)
    {
        if (is_table(value)) {
            show_table(out, name, value);
        } else if (json_object_is_type(value, json_type_object)) {
            fprintf(out, "\n%s\n", name);
            if (is_counters(value))
                show_counters(out, value);
            else
                show_plain(out, value, "  ");
        }
    }
}
