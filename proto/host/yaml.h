/* SPDX-License-Identifier: MIT */
/* yaml.h - configuration files: YAML read by a table of keys, every problem named with file, line,
 * column
 *
 * DOC: one table per file says what each key is called, what it holds, its unit, range, default and
 * help. The table drives reading and `check`; a man page, a JSON Schema and the comments of a fresh
 * file can be made from the same rows. Names start with conf_, because libyaml owns yaml_.
 *
 * Reading is forgiving about nothing and stops at nothing: an unknown key, a wrong type, a value
 * out of range each give one line FILE:LINE:COLUMN: key: what is wrong and what is allowed and
 * reading goes on, so that one run shows everything. Semantic checks of the caller use the same
 * channel (conf_problem) and can ask where a key stood (conf_mark_of).
 *
 * Only the plain part of YAML is taken: maps, lists, scalars. Anchors, aliases, tags, merge keys,
 * directives and several documents are refused. Files above CONF_FILE_MAX octets are refused before
 * anything is parsed; nesting, number of nodes and number of lines printed are bounded.
 *
 * Secrets are never printed: a bad value of a key of type CONF_SECRET is not repeated in the
 * message.
 */
#ifndef SIXTAP_HOST_YAML_H
#define SIXTAP_HOST_YAML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CONF_FILE_MAX     (1024 * 1024) /* octets of a file */
#define CONF_DEPTH_MAX    8             /* maps and lists inside one another */
#define CONF_NODES_MAX    131072        /* scalars, maps and lists of a file */
#define CONF_PROBLEMS_MAX 100           /* printed; the rest are counted */

/* What a key holds, and the C type that its field has. */
enum conf_type {
    CONF_BOOL,     /* bool: true or false, nothing else */
    CONF_UINT,     /* unsigned integer of 2, 4 or 8 octets: decimal digits, min..max */
    CONF_SECONDS,  /* the same, a duration: `20`, `20s` or `20 s` */
    CONF_ENUM,     /* an enum: index into words */
    CONF_NAME,     /* char[]: letters, digits, . _ - */
    CONF_IFNAME,   /* char[16]: name of a network device */
    CONF_CONTROL,  /* char[108]: path of a unix socket relative to the file, or @NAME (abstract) */
    CONF_PATH,     /* char[]: a path, relative to the file */
    CONF_ENDPOINT, /* struct endpoint: IPv4:PORT */
    CONF_ADDRESS4, /* struct endpoint: IPv4 or IPv4:PORT; port 0 when not given */
    CONF_HOSTPORT, /* char[] host, and uint16_t port at aux, untouched when not given: HOST[:PORT]
                    */
    CONF_IP6,      /* struct ip6 */
    CONF_PREFIX,   /* struct prefix: address/length without host bits; min..max bits */
    CONF_KEY,      /* uint8_t[32]: a public key in base64 */
    CONF_SECRET,   /* uint8_t[32]: a secret in base64, never repeated in a message */
    CONF_KEY_FILE, /* uint8_t[32]: path, relative to the file, of a file that holds a secret */
    CONF_IP6_LIST, /* struct ip6[max], and their number at aux (unsigned) */
    CONF_PREFIX_LIST, /* struct prefix[max], likewise; lengths 1..128 */
    CONF_DOMAIN_LIST, /* char[max][item_size], likewise: domain names */
    CONF_PORT_LIST,   /* struct conf_port[max], likewise: tcp/PORT or udp/PORT */
    CONF_MAP,         /* keys: fields of the same structure */
    CONF_LIST, /* T *: allocated array of structures of item_size octets, described by keys; number
                * at aux (unsigned); at most max */
};

/* One key. Tables end with a row whose name is NULL. */
struct conf_key {
    const char *name;
    enum conf_type type;
    bool required;
    size_t off;  /* of the field in its structure */
    size_t size; /* of the field */
    size_t aux;  /* see conf_type; CONF_KEY, _SECRET, _KEY_FILE: a bool set when given; 0: none */
    uint64_t min, max;           /* numbers, bits, items; both 0: no limit but the type */
    const char *const *words;    /* CONF_ENUM: NULL-ended, words[value] */
    const struct conf_key *keys; /* CONF_MAP, CONF_LIST */
    size_t item_size;            /* CONF_LIST */
    const char *unit;            /* "s", "octets"; NULL none */
    const char *def;             /* default as an operator would write or say it; NULL: none */
    const char *help;            /* one sentence */
    bool live;                   /* `reload` takes a new value; else it needs a restart */
};

#define CONF_AT(type, field) .off = offsetof(type, field), .size = sizeof(((type *)0)->field)

/* Where something stands: line and column from 1; line 0: it is not there, or the file as a whole.
 * @file: 0 the file that was given to conf_read, then those of conf_add_file() */
struct conf_mark {
    unsigned line, column, file;
};

struct conf;

/* conf_read_file() - read @path by the table @keys into the structure @obj
 * @keys: ended by a row without name; must outlive the struct conf
 * @obj:  already holds the defaults; fields of keys that are not given stay as they are
 * @err:  problems are printed here, one line each; must outlive the struct conf
 * Return: never NULL but when memory is out; ask conf_problems(). The caller frees with conf_free()
 * after its own checks. Arrays of CONF_LIST belong to the caller (free()), also after problems. */
struct conf *conf_read_file(const char *path, const struct conf_key *keys, void *obj, FILE *err);

/* conf_read_text() - the same for @len octets at @text; @path names the file in messages and is
 * what relative paths start from */
struct conf *conf_read_text(const char *path, const uint8_t *text, size_t len,
                            const struct conf_key *keys, void *obj, FILE *err);

/* conf_add_file() - read one more file into @obj, by the same or another table: what it says is
 * known to conf_mark_of() and the like, and its problems are counted with the others
 * @path: copied
 * Return: whether the file could be parsed; problems have been printed */
bool conf_add_file(struct conf *c, const char *path, const struct conf_key *keys, void *obj);

/* conf_moved() - structures that keys were read into have moved in memory: @len octets from @from
 * are at @to now */
void conf_moved(struct conf *c, const void *from, const void *to, size_t len);

/* conf_place() - where @at is for somebody who reads @from: "on line 7" in the same file, "at
 * FILE:7:3" in another
 * @out: @cap octets
 * Return: @out */
const char *conf_place(const struct conf *c, struct conf_mark at, struct conf_mark from, char *out,
                       size_t cap);

/* conf_free() - wipes what it holds of the file; NULL is fine */
void conf_free(struct conf *c);

/* conf_problems() - how many so far, also those not printed */
unsigned conf_problems(const struct conf *c);

/* conf_usable() - false when the file could not be parsed at all: semantic checks would only add
 * noise */
bool conf_usable(const struct conf *c);

/* conf_mark_of() - where the value of @key stood
 * @obj: the structure that the key's table describes: what was given to conf_read, or an item of a
 * list
 * @key: a name of that table; "map.key" inside a CONF_MAP
 * Return: line 0 when it was not given */
struct conf_mark conf_mark_of(struct conf *c, const void *obj, const char *key);

/* conf_given() - whether the key stood in the file, right or wrong */
bool conf_given(struct conf *c, const void *obj, const char *key);

/* conf_ok() - whether the key stood in the file and its value was taken */
bool conf_ok(struct conf *c, const void *obj, const char *key);

/* conf_problem(), conf_warn() - print a problem of the caller's own checks; a warning is not
 * counted
 * @at: line 0: the file as a whole (at.file says which) */
void conf_problem(struct conf *c, struct conf_mark at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void conf_warn(struct conf *c, struct conf_mark at, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* conf_one_of() - at most one of @keys may be given; the second and later ones are problems
 * @keys: NULL-ended names of keys of @obj */
void conf_one_of(struct conf *c, const void *obj, const char *const *keys);

/* conf_warn_secret() - a secret that stands in the file itself while others may read the file: a
 * warning, once per file */
void conf_warn_secret(struct conf *c, const void *obj, const char *key);

/* conf_closest() - did-you-mean: which of @words is nearest to @word, NULL when none is near
 * @words: NULL-ended; distance counts inserted, deleted, changed and swapped characters */
const char *conf_closest(const char *word, const char *const *words);

/* conf_sample() - a file to begin with: every key of @keys with its help, what is allowed and its
 * default behind a #, but those of @values as they are
 * @values: ended by a row without name; a map or list stands there whole, as text behind "key: ",
 * or on lines of its own when it begins with a newline */
struct conf_value {
    const char *name, *text;
};
void conf_sample(FILE *out, const struct conf_key *keys, const struct conf_value *values);

/* conf_compare() - which keys have other values in @b than in @a, lists of structures left out
 * @differ: called for each, may be NULL; @name: of @key, as problems name it: "map.key" inside a
 *     CONF_MAP
 * Return: how many */
typedef void (*conf_differs_fn)(void *ctx, const char *name, const struct conf_key *key);
unsigned conf_compare(const struct conf_key *keys, const void *a, const void *b,
                      conf_differs_fn differ, void *ctx);

/* conf_take_live() - the values in @from of the keys that may change while a daemon runs go to @to,
 * lists of structures left out */
void conf_take_live(const struct conf_key *keys, void *to, const void *from);

/* conf_range_text() - what is allowed for @key, as text: "15..120 s", "true or false", "stable,
 * eui64" Return: @out */
const char *conf_range_text(const struct conf_key *key, char *out, size_t cap);

#endif
