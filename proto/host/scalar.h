/* SPDX-License-Identifier: MIT */
/* scalar.h - one word of a configuration file into one field, by its row in the table of keys
 *
 * DOC: strict on purpose. A number is decimal digits and nothing else (`80x`, `0x50`, `080`, `+80`
 * are refused, so nobody wonders which base was meant), addresses are what inet_pton takes, a truth
 * value is `true` or `false`. A field is written only when the whole word was taken.
 */
#ifndef SIXTAP_HOST_SCALAR_H
#define SIXTAP_HOST_SCALAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "proto/host/yaml.h"

#define SCALAR_WHY_LEN 400

/* A word of the file. */
struct scalar {
    const char *text; /* ends with NUL, and holds no other */
    size_t len;
    bool quoted;
    const char *file; /* of the YAML: relative paths start from its directory */
};

/* scalar_take() - parse @in as @key says and store it
 * @obj: the structure @key->off is an offset into
 * @why: SCALAR_WHY_LEN octets; on failure what is wrong and what is allowed, without the name of
 * the key Return: false when it was refused; @obj is then as before */
bool scalar_take(const struct conf_key *key, const struct scalar *in, void *obj, char *why);

/* scalar_number() - a decimal number without sign, leading zero or anything behind it; false when
 * it is none or larger than 2^64 - 1 */
bool scalar_number(const char *text, uint64_t *ret);

/* scalar_quote() - @text between double quotes, fit for a terminal: at most 64 characters of it,
 * everything that is not printable ASCII or valid as it stands replaced by '?'; returns @out (80
 * octets) */
const char *scalar_quote(const char *text, char out[80]);

/* scalar_path() - @path as it is when absolute, else beside @file
 * Return: false when it does not fit @cap */
bool scalar_path(const char *file, const char *path, char *out, size_t cap);

#endif
