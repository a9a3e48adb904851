/* SPDX-License-Identifier: MIT */
/* yaml_diff.c - what differs between two structures that were read by one table, and taking over
 * what may change while a daemon runs */
#include <sodium.h>
#include <string.h>

#include "proto/host/yaml.h"

static bool is_list(const struct conf_key *k)
{
    return k->type == CONF_IP6_LIST || k->type == CONF_PREFIX_LIST || k->type == CONF_DOMAIN_LIST ||
           k->type == CONF_PORT_LIST;
}

static bool has_flag(const struct conf_key *k)
{
    return k->aux && (k->type == CONF_KEY || k->type == CONF_SECRET || k->type == CONF_KEY_FILE);
}

/* Octets behind aux. */
static size_t aux_size(const struct conf_key *k)
{
    if (is_list(k))
        return sizeof(unsigned);
    if (has_flag(k))
        return sizeof(bool);
    return k->type == CONF_HOSTPORT ? sizeof(uint16_t) : 0;
}

static bool differs(const struct conf_key *k, const uint8_t *a, const uint8_t *b)
{
    return sodium_memcmp(a + k->off, b + k->off, k->size) != 0 ||
           memcmp(a + k->aux, b + k->aux, aux_size(k)) != 0;
}

#define NAME_LEN 128

struct comparison {
    const void *a, *b;
    conf_differs_fn differ;
    void *ctx;
};

/* @in: "" or "map." */
static unsigned compare(const struct comparison *c, const struct conf_key *keys, const char *in)
{
    const struct conf_key *before = NULL;
    char name[NAME_LEN];
    unsigned n = 0;

    for (const struct conf_key *k = keys; k->name; before = k++) {
        (void)snprintf(name, sizeof(name), "%s%s%s", in, k->name, k->type == CONF_MAP ? "." : "");
        if (k->type == CONF_MAP) {
            n += compare(c, k->keys, name);
            continue;
        }
        /* KEY and KEY_file are two names of one field */
        bool same_field = before && before->type != CONF_MAP && before->off == k->off;
        if (k->type == CONF_LIST || same_field || !differs(k, c->a, c->b))
            continue;
        n++;
        if (c->differ)
            c->differ(c->ctx, name, k);
    }
    return n;
}

unsigned conf_compare(const struct conf_key *keys, const void *a, const void *b,
                      conf_differs_fn differ, void *ctx)
{
    const struct comparison c = { .a = a, .b = b, .differ = differ, .ctx = ctx };

    return compare(&c, keys, "");
}

void conf_take_live(const struct conf_key *keys, void *to, const void *from)
{
    for (const struct conf_key *k = keys; k->name; k++) {
        if (k->type == CONF_MAP) {
            conf_take_live(k->keys, to, from);
        } else if (k->live && k->type != CONF_LIST) {
            memcpy((uint8_t *)to + k->off, (const uint8_t *)from + k->off, k->size);
            memcpy((uint8_t *)to + k->aux, (const uint8_t *)from + k->aux, aux_size(k));
        }
    }
}
