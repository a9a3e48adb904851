/* SPDX-License-Identifier: MIT */
/* yaml_parts.h - what yaml.c and prescan.c share; nobody else includes it */
#ifndef SIXTAP_HOST_YAML_PARTS_H
#define SIXTAP_HOST_YAML_PARTS_H

#include <yaml.h>

#include "proto/host/yaml.h"

/* A key seen in the file: where its value stood. The array is sorted by @obj before the first
 * question. */
struct conf_record {
    const void *obj;            /* the structure */
    const struct conf_key *map; /* the CONF_MAP it stood in, NULL none */
    const struct conf_key *key; /* NULL: the structure itself */
    struct conf_mark at;
    bool ok;
};

struct conf_source { /* a file */
    char *path;
    bool private_file;
};

struct conf {
    struct conf_source *file;
    unsigned n_files; /* the last is the one that is read now */
    FILE *err;
    unsigned problems;
    bool usable, sorted, warned;
    yaml_document_t doc;
    bool has_doc;
    struct conf_record *records;
    size_t n_records, cap_records;
};

/* prescan_octets() - refuse what no text file should hold: NUL and other control characters, byte
 * order marks, tabs that indent, invalid UTF-8. Stops at the first. Return: whether the text may be
 * parsed */
bool prescan_octets(struct conf *c, const uint8_t *text, size_t len);

/* prescan_events() - syntax; what of YAML is not taken; depth and number of nodes, before memory is
 * spent on a tree. Return: whether the text may be loaded */
bool prescan_events(struct conf *c, const uint8_t *text, size_t len);

/* yaml_parser_wipe() - yaml_parser_delete() for a text that may hold secrets */
void yaml_parser_wipe(yaml_parser_t *p);

/* conf_syntax() - print the error @p stopped with */
void conf_syntax(struct conf *c, const yaml_parser_t *p);

/* conf_mark_from() - in the file that is read now; libyaml counts from 0 */
static inline struct conf_mark conf_mark_from(const struct conf *c, yaml_mark_t m)
{
    return (struct conf_mark){ .line = (unsigned)m.line + 1,
                               .column = (unsigned)m.column + 1,
                               .file = c->n_files - 1 };
}

/* conf_mark_file() - the file that is read now, as a whole */
static inline struct conf_mark conf_mark_file(const struct conf *c)
{
    return (struct conf_mark){ .file = c->n_files - 1 };
}

#endif
