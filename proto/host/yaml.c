/* SPDX-License-Identifier: MIT */
/* yaml.c - reading a configuration file by its table of keys */
#include <errno.h>
#include <fcntl.h>
#include <sodium.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/addr.h"
#include "proto/host/port.h"
#include "proto/host/scalar.h"
#include "proto/host/yaml_parts.h"

#define KEYS_MAX 64 /* rows of one table */

/* Where a map is read to. */
struct place {
    void *obj;
    const struct conf_key *keys;
    const struct conf_key *map; /* NULL at the top and in items of lists */
    const char *label;          /* before the key in messages: "uplink." */
};

/* ---- problems ---- */

static void vprint(struct conf *c, struct conf_mark at, const char *kind, const char *fmt,
                   va_list ap)
{
    const char *path = c->file[at.file].path;

    if (at.line)
        fprintf(c->err, "%s:%u:%u: %s", path, at.line, at.column, kind);
    else
        fprintf(c->err, "%s: %s", path, kind);
    vfprintf(c->err, fmt, ap);
    fputc('\n', c->err);
}

void conf_problem(struct conf *c, struct conf_mark at, const char *fmt, ...)
{
    va_list ap;
    if (c->problems++ >= CONF_PROBLEMS_MAX)
        return;
    va_start(ap, fmt);
    vprint(c, at, "", fmt, ap);
    va_end(ap);
}

void conf_warn(struct conf *c, struct conf_mark at, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vprint(c, at, "warning: ", fmt, ap);
    va_end(ap);
}

unsigned conf_problems(const struct conf *c)
{
    return c->problems;
}

bool conf_usable(const struct conf *c)
{
    return c->usable;
}

/* ---- records: which key stood where ---- */

static void record(struct conf *c, const struct place *in, const struct conf_key *key,
                   struct conf_mark at, bool ok)
{
    if (c->n_records == c->cap_records) {
        size_t cap = c->cap_records ? 2 * c->cap_records : 64;
        struct conf_record *r = reallocarray(c->records, cap, sizeof(*r));
        if (!r) {
            conf_problem(c, at, "memory is out");
            return;
        }
        c->records = r;
        c->cap_records = cap;
    }
    c->records[c->n_records++] =
        (struct conf_record){ .obj = in->obj, .map = in->map, .key = key, .at = at, .ok = ok };
    c->sorted = false;
}

static int by_object(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t)((const struct conf_record *)a)->obj;
    uintptr_t y = (uintptr_t)((const struct conf_record *)b)->obj;
    return (x > y) - (x < y);
}

/* Whether @r is the record of @name: NULL, "key" or "map.key". */
static bool is_named(const struct conf_record *r, const char *name)
{
    if (!name || !r->key)
        return !name && !r->key && !r->map;
    if (r->map) {
        size_t n = strlen(r->map->name);
        if (strncmp(name, r->map->name, n) != 0 || name[n] != '.')
            return false;
        name += n + 1;
    }
    return strcmp(name, r->key->name) == 0;
}

static const struct conf_record *find(struct conf *c, const void *obj, const char *name)
{
    if (!c->sorted && c->n_records)
        qsort(c->records, c->n_records, sizeof(*c->records), by_object);
    c->sorted = true;
    size_t lo = 0, hi = c->n_records;
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if ((uintptr_t)c->records[mid].obj < (uintptr_t)obj)
            lo = mid + 1;
        else
            hi = mid;
    }
    for (; lo < c->n_records && c->records[lo].obj == obj; lo++) {
        if (is_named(&c->records[lo], name))
            return &c->records[lo];
    }
    return NULL;
}

struct conf_mark conf_mark_of(struct conf *c, const void *obj, const char *key)
{
    const struct conf_record *r = find(c, obj, key);
    return r ? r->at : (struct conf_mark){ 0 };
}

bool conf_given(struct conf *c, const void *obj, const char *key)
{
    return find(c, obj, key) != NULL;
}

bool conf_ok(struct conf *c, const void *obj, const char *key)
{
    const struct conf_record *r = find(c, obj, key);
    return r && r->ok;
}

void conf_one_of(struct conf *c, const void *obj, const char *const *keys)
{
    const char *first = NULL;
    for (; *keys; keys++) {
        if (!conf_given(c, obj, *keys))
            continue;
        if (first)
            conf_problem(c, conf_mark_of(c, obj, *keys),
                         "%s: %s is given too; only one of them may be", *keys, first);
        else
            first = *keys;
    }
}

void conf_warn_secret(struct conf *c, const void *obj, const char *key)
{
    struct conf_mark at = conf_mark_of(c, obj, key);
    if (c->warned || !conf_ok(c, obj, key) || c->file[at.file].private_file)
        return;
    c->warned = true;
    conf_warn(c, at, "%s: others can read this file; chmod 600, or use %s_file", key, key);
}

/* ---- values ---- */

static bool read_map(struct conf *c, const struct place *in, const yaml_node_t *node);

/* `key:` with nothing behind it, or an explicit null. */
static bool is_null(const yaml_node_t *n)
{
    static const char *const nulls[] = { "", "~", "null", "Null", "NULL" };
    if (n->type != YAML_SCALAR_NODE || n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE)
        return false;
    for (size_t i = 0; i < sizeof(nulls) / sizeof(nulls[0]); i++) {
        if (strcmp((const char *)n->data.scalar.value, nulls[i]) == 0)
            return true;
    }
    return false;
}

static const char *kind_of(const yaml_node_t *n)
{
    if (is_null(n))
        return "nothing";
    return n->type == YAML_MAPPING_NODE    ? "a map"
           : n->type == YAML_SEQUENCE_NODE ? "a list"
                                           : "a single value";
}

static bool wrong_kind(struct conf *c, const struct place *in, const struct conf_key *key,
                       const yaml_node_t *n)
{
    char range[200];
    conf_problem(c, conf_mark_from(c, n->start_mark), "%s%s: %s is given; allowed: %s", in->label,
                 key->name, kind_of(n), conf_range_text(key, range, sizeof(range)));
    return false;
}

static bool read_scalar(struct conf *c, const struct place *in, const struct conf_key *key,
                        const yaml_node_t *n, void *obj)
{
    char why[SCALAR_WHY_LEN];
    if (n->type != YAML_SCALAR_NODE || is_null(n))
        return wrong_kind(c, in, key, n);
    struct scalar s = {
        .text = (const char *)n->data.scalar.value,
        .len = n->data.scalar.length,
        .quoted = n->data.scalar.style != YAML_PLAIN_SCALAR_STYLE,
        .file = c->file[c->n_files - 1].path,
    };
    bool nul = strnlen(s.text, s.len) != s.len;
    if (!nul && s.len && scalar_take(key, &s, obj, why))
        return true;
    conf_problem(c, conf_mark_from(c, n->start_mark), "%s%s: %s", in->label, key->name,
                 nul     ? "a NUL inside the text"
                 : s.len ? why
                         : "an empty text");
    return false;
}

static size_t n_items(const yaml_node_t *n)
{
    return (size_t)(n->data.sequence.items.top - n->data.sequence.items.start);
}

/* A list must be a sequence, or nothing at all (every item commented out). */
static bool list_kind(struct conf *c, const struct place *in, const struct conf_key *key,
                      const yaml_node_t *n)
{
    if (n->type != YAML_SEQUENCE_NODE)
        return is_null(n) || wrong_kind(c, in, key, n);
    if (key->max && n_items(n) > key->max) {
        conf_problem(c, conf_mark_from(c, n->start_mark), "%s%s: %zu items; at most %u", in->label,
                     key->name, n_items(n), (unsigned)key->max);
        return false;
    }
    return true;
}

/* A list of @item octets each, inside the structure. */
static bool read_items(struct conf *c, const struct place *in, const struct conf_key *key,
                       const yaml_node_t *n, size_t item_size)
{
    uint8_t *base = in->obj;
    unsigned count = 0;
    if (!list_kind(c, in, key, n))
        return false;
    bool ok = true;
    for (size_t i = 0; n->type == YAML_SEQUENCE_NODE && i < n_items(n); i++) {
        const yaml_node_t *item = yaml_document_get_node(&c->doc, n->data.sequence.items.start[i]);
        ok &= read_scalar(c, in, key, item, base + count * item_size);
        count++;
    }
    memcpy(base + key->aux, &count, sizeof(count));
    return ok;
}

static bool read_list(struct conf *c, const struct place *in, const struct conf_key *key,
                      const yaml_node_t *n)
{
    char label[80];
    if (!list_kind(c, in, key, n))
        return false;
    unsigned count = n->type == YAML_SEQUENCE_NODE ? (unsigned)n_items(n) : 0;
    uint8_t *items = calloc(count ? count : 1, key->item_size);
    if (!items) {
        conf_problem(c, conf_mark_from(c, n->start_mark), "memory is out");
        return false;
    }
    memcpy((uint8_t *)in->obj + key->off, (void *)&items, sizeof(items));
    memcpy((uint8_t *)in->obj + key->aux, &count, sizeof(count));
    snprintf(label, sizeof(label), "%s.", key->name);
    bool ok = true;
    for (unsigned i = 0; i < count; i++) {
        const yaml_node_t *item = yaml_document_get_node(&c->doc, n->data.sequence.items.start[i]);
        struct place at = { .obj = items + i * key->item_size, .keys = key->keys, .label = label };
        if (item->type == YAML_MAPPING_NODE)
            ok &= read_map(c, &at, item);
        else
            ok = wrong_kind(c, in, key, item);
    }
    return ok;
}

static bool read_value(struct conf *c, const struct place *in, const struct conf_key *key,
                       const yaml_node_t *n)
{
    char label[80];
    struct place at = { .obj = in->obj, .keys = key->keys, .map = key, .label = label };
    switch (key->type) {
    case CONF_MAP:
        if (n->type != YAML_MAPPING_NODE)
            return is_null(n) || wrong_kind(c, in, key, n);
        snprintf(label, sizeof(label), "%s.", key->name);
        return read_map(c, &at, n);
    case CONF_LIST:
        return read_list(c, in, key, n);
    case CONF_IP6_LIST:
        return read_items(c, in, key, n, sizeof(struct ip6));
    case CONF_PREFIX_LIST:
        return read_items(c, in, key, n, sizeof(struct prefix));
    case CONF_PORT_LIST:
        return read_items(c, in, key, n, sizeof(struct conf_port));
    case CONF_DOMAIN_LIST:
        return read_items(c, in, key, n, key->item_size);
    default:
        return read_scalar(c, in, key, n, in->obj);
    }
}

/* ---- maps ---- */

static const struct conf_key *lookup(const struct conf_key *keys, const char *name)
{
    for (; keys->name; keys++) {
        if (strcmp(keys->name, name) == 0)
            return keys;
    }
    return NULL;
}

static void unknown_key(struct conf *c, const struct place *in, const yaml_node_t *k)
{
    const char *names[KEYS_MAX + 1], *near = NULL, *text = (const char *)k->data.scalar.value;
    char q[80], range[600];
    struct conf_key table = { .type = CONF_MAP, .keys = in->keys };
    size_t n = 0;
    if (strcmp(text, "<<") == 0) {
        conf_problem(c, conf_mark_from(c, k->start_mark),
                     "merge key (<<); merge keys are not taken");
        return;
    }
    for (; in->keys[n].name && n < KEYS_MAX; n++)
        names[n] = in->keys[n].name;
    names[n] = NULL;
    if (c->problems < CONF_PROBLEMS_MAX) /* costs time, and a line that is not printed needs none */
        near = conf_closest(text, names);
    if (near)
        conf_problem(c, conf_mark_from(c, k->start_mark), "unknown key %s%s; did you mean %s?",
                     scalar_quote(text, q), *in->label ? " here" : "", near);
    else
        conf_problem(c, conf_mark_from(c, k->start_mark), "unknown key %s%s; allowed: %s",
                     scalar_quote(text, q), *in->label ? " here" : "",
                     conf_range_text(&table, range, sizeof(range)));
}

/* Set the bool that says a key is there. */
static void set_flag(const struct place *in, const struct conf_key *key)
{
    bool is_key = key->type == CONF_KEY || key->type == CONF_SECRET || key->type == CONF_KEY_FILE;
    if (is_key && key->aux)
        *(bool *)(void *)((uint8_t *)in->obj + key->aux) = true;
}

static void read_pair(struct conf *c, const struct place *in, const yaml_node_t *k,
                      const yaml_node_t *v, unsigned first_line[KEYS_MAX])
{
    struct conf_mark at = conf_mark_from(c, k->start_mark);
    bool word =
        k->type == YAML_SCALAR_NODE &&
        strnlen((const char *)k->data.scalar.value, k->data.scalar.length) == k->data.scalar.length;
    if (!word) {
        conf_problem(c, at, "a key must be a word");
        return;
    }
    const struct conf_key *key = lookup(in->keys, (const char *)k->data.scalar.value);
    if (!key) {
        unknown_key(c, in, k);
        return;
    }
    unsigned *first = &first_line[key - in->keys];
    if (*first) {
        conf_problem(c, at, "%s%s: given twice; first on line %u", in->label, key->name, *first);
        return;
    }
    *first = at.line;
    bool ok = read_value(c, in, key, v);
    if (ok)
        set_flag(in, key);
    record(c, in, key, conf_mark_from(c, v->start_mark), ok);
}

static bool read_map(struct conf *c, const struct place *in, const yaml_node_t *node)
{
    unsigned first_line[KEYS_MAX] = { 0 }, before = c->problems;
    record(c, in, NULL, conf_mark_from(c, node->start_mark), true);
    for (yaml_node_pair_t *p = node->data.mapping.pairs.start; p < node->data.mapping.pairs.top;
         p++)
        read_pair(c, in, yaml_document_get_node(&c->doc, p->key),
                  yaml_document_get_node(&c->doc, p->value), first_line);
    for (const struct conf_key *key = in->keys; key->name; key++) {
        if (key->required && !first_line[key - in->keys])
            conf_problem(c, conf_mark_from(c, node->start_mark), "%s%s is missing: %s", in->label,
                         key->name, key->help);
    }
    return c->problems == before;
}

/* ---- files ---- */

static bool load(struct conf *c, const uint8_t *text, size_t len)
{
    yaml_parser_t p;
    if (!prescan_octets(c, text, len) || !prescan_events(c, text, len))
        return false;
    if (!yaml_parser_initialize(&p)) {
        conf_problem(c, conf_mark_file(c), "memory is out");
        return false;
    }
    yaml_parser_set_encoding(&p, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&p, text, len);
    c->has_doc = yaml_parser_load(&p, &c->doc) == 1;
    if (!c->has_doc)
        conf_syntax(c, &p);
    yaml_parser_wipe(&p);
    return c->has_doc;
}

/* Scalars may be secrets: overwrite them before they go back to the heap. */
static void wipe_document(struct conf *c)
{
    if (!c->has_doc)
        return;
    for (yaml_node_t *n = c->doc.nodes.start; n < c->doc.nodes.top; n++) {
        if (n->type == YAML_SCALAR_NODE)
            sodium_memzero(n->data.scalar.value, n->data.scalar.length);
    }
    yaml_document_delete(&c->doc);
    c->has_doc = false;
}

static void read_text(struct conf *c, const uint8_t *text, size_t len, const struct conf_key *keys,
                      void *obj)
{
    const struct place top = { .obj = obj, .keys = keys, .label = "" };
    if (len > CONF_FILE_MAX) {
        conf_problem(c, conf_mark_file(c), "larger than %d octets", CONF_FILE_MAX);
        return;
    }
    if (!load(c, text, len))
        return;
    const yaml_node_t *root = yaml_document_get_root_node(&c->doc);
    if (!root || is_null(root)) {
        conf_problem(c, (struct conf_mark){ 1, 1, c->n_files - 1 },
                     "empty; at least one key: value is needed");
    } else if (root->type != YAML_MAPPING_NODE) {
        conf_problem(c, conf_mark_from(c, root->start_mark),
                     "%s is given; allowed: lines of key: value", kind_of(root));
    } else {
        c->usable = true;
        read_map(c, &top, root);
    }
    wipe_document(c);
}

/* @path becomes the file that is read now. */
static bool add_source(struct conf *c, const char *path)
{
    struct conf_source *f = reallocarray(c->file, c->n_files + 1, sizeof(*f));
    char *copy = strdup(path);

    if (f)
        c->file = f;
    if (!f || !copy) {
        free(copy);
        return false;
    }
    c->file[c->n_files++] = (struct conf_source){ .path = copy, .private_file = true };
    return true;
}

static struct conf *conf_new(const char *path, FILE *err)
{
    struct conf *c = calloc(1, sizeof(*c));
    if (!c)
        return NULL;
    c->err = err;
    if (!add_source(c, path)) {
        conf_free(c);
        return NULL;
    }
    return c;
}

struct conf *conf_read_text(const char *path, const uint8_t *text, size_t len,
                            const struct conf_key *keys, void *obj, FILE *err)
{
    struct conf *c = conf_new(path, err);
    if (c)
        read_text(c, text, len, keys, obj);
    return c;
}

/* Up to CONF_FILE_MAX + 1 octets of a regular file; O_NONBLOCK so that a FIFO does not hang us.
 * Return: octets, or -errno */
static ssize_t read_whole(struct conf *c, uint8_t *buf)
{
    struct stat st;
    ssize_t got = 0, n = 0;
    int fd = open(c->file[c->n_files - 1].path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0) {
        n = -errno;
    } else if (!S_ISREG(st.st_mode)) {
        n = S_ISDIR(st.st_mode) ? -EISDIR : -EINVAL;
    } else {
        c->file[c->n_files - 1].private_file = (st.st_mode & (S_IRGRP | S_IROTH)) == 0;
        while (got <= CONF_FILE_MAX) {
            n = read(fd, buf + got, (size_t)(CONF_FILE_MAX + 1 - got));
            if (n < 0 && errno == EINTR)
                continue;
            if (n <= 0)
                break;
            got += n;
        }
        n = n < 0 ? -errno : got;
    }
    close(fd);
    return n;
}

/* Read the file that was added last. */
static bool read_source(struct conf *c, const struct conf_key *keys, void *obj)
{
    uint8_t *buf = malloc(CONF_FILE_MAX + 1);
    if (!buf)
        return false;
    ssize_t len = read_whole(c, buf);
    if (len == -EINVAL)
        conf_problem(c, conf_mark_file(c), "not a regular file");
    else if (len < 0)
        conf_problem(c, conf_mark_file(c), "%s", strerror((int)-len));
    else
        read_text(c, buf, (size_t)len, keys, obj);
    if (len > 0)
        sodium_memzero(buf, (size_t)len);
    free(buf);
    return true;
}

struct conf *conf_read_file(const char *path, const struct conf_key *keys, void *obj, FILE *err)
{
    struct conf *c = conf_new(path, err);
    if (c && !read_source(c, keys, obj)) {
        conf_free(c);
        return NULL;
    }
    return c;
}

bool conf_add_file(struct conf *c, const char *path, const struct conf_key *keys, void *obj)
{
    bool before = c->usable;

    c->usable = false;
    if (!add_source(c, path) || !read_source(c, keys, obj))
        conf_problem(c, conf_mark_file(c), "memory is out");
    bool ok = c->usable;
    c->usable = before;
    return ok;
}

void conf_moved(struct conf *c, const void *from, const void *to, size_t len)
{
    uintptr_t start = (uintptr_t)from;

    for (size_t i = 0; i < c->n_records; i++) {
        uintptr_t at = (uintptr_t)c->records[i].obj;
        if (at >= start && at - start < len)
            c->records[i].obj = (const uint8_t *)to + (at - start);
    }
    c->sorted = false;
}

const char *conf_place(const struct conf *c, struct conf_mark at, struct conf_mark from, char *out,
                       size_t cap)
{
    if (at.file == from.file)
        snprintf(out, cap, "on line %u", at.line);
    else
        snprintf(out, cap, "at %s:%u:%u", c->file[at.file].path, at.line, at.column);
    return out;
}

void conf_free(struct conf *c)
{
    if (!c)
        return;
    if (c->problems > CONF_PROBLEMS_MAX)
        fprintf(c->err, "%s: %u more problems are not shown\n", c->file[0].path,
                c->problems - CONF_PROBLEMS_MAX);
    wipe_document(c);
    free(c->records);
    for (unsigned i = 0; i < c->n_files; i++)
        free(c->file[i].path);
    free(c->file);
    free(c);
}
