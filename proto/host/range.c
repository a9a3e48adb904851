/* SPDX-License-Identifier: MIT */
/* range.c - what a key allows, in words */
#include <inttypes.h>
#include <string.h>

#include "proto/host/yaml.h"

/* Append to the text at @out; what does not fit is cut. */
static void add(char *out, size_t cap, const char *text)
{
    size_t n = strnlen(out, cap);
    if (n < cap)
        snprintf(out + n, cap - n, "%s", text);
}

static void join_words(char *out, size_t cap, const char *const *words)
{
    for (size_t i = 0; words[i]; i++) {
        add(out, cap, i ? ", " : "");
        add(out, cap, words[i]);
    }
}

static void join_keys(char *out, size_t cap, const struct conf_key *keys)
{
    for (size_t i = 0; keys[i].name; i++) {
        add(out, cap, i ? ", " : "");
        add(out, cap, keys[i].name);
    }
}

static void number_range(char *out, size_t cap, const struct conf_key *key)
{
    uint64_t type_max = key->size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * key->size)) - 1;
    snprintf(out, cap, "%" PRIu64 "..%" PRIu64 "%s%s", key->min, key->max ? key->max : type_max,
             key->unit ? " " : "", key->unit ? key->unit : "");
}

static const char *fixed_text(enum conf_type type)
{
    switch (type) {
    case CONF_BOOL:
        return "true or false";
    case CONF_CONTROL:
        return "a path of at most 107 octets, or @NAME";
    case CONF_PATH:
        return "a path";
    case CONF_ENDPOINT:
        return "IPv4:PORT, port 1..65535";
    case CONF_ADDRESS4:
        return "IPv4 or IPv4:PORT, port 1..65535";
    case CONF_HOSTPORT:
        return "HOST or HOST:PORT, HOST being a name or an IPv4 address";
    case CONF_IP6:
        return "an IPv6 address";
    case CONF_KEY:
    case CONF_SECRET:
        return "32 octets in base64 (44 characters, the last one =)";
    case CONF_KEY_FILE:
        return "the path of a file that only its owner can read";
    default:
        return "";
    }
}

const char *conf_range_text(const struct conf_key *key, char *out, size_t cap)
{
    out[0] = 0;
    switch (key->type) {
    case CONF_UINT:
    case CONF_SECONDS:
        number_range(out, cap, key);
        break;
    case CONF_ENUM:
        join_words(out, cap, key->words);
        break;
    case CONF_NAME:
    case CONF_IFNAME:
        snprintf(out, cap, "1..%zu letters, digits, . _ -", key->size - 1);
        break;
    case CONF_PREFIX:
        snprintf(out, cap, "ADDRESS/LENGTH, length %u..%u", (unsigned)key->min,
                 key->max ? (unsigned)key->max : 128u);
        break;
    case CONF_IP6_LIST:
        snprintf(out, cap, "a list of at most %u IPv6 addresses", (unsigned)key->max);
        break;
    case CONF_PREFIX_LIST:
        snprintf(out, cap, "a list of at most %u ADDRESS/LENGTH, length 1..128",
                 (unsigned)key->max);
        break;
    case CONF_PORT_LIST:
        snprintf(out, cap, "a list of at most %u tcp/PORT, udp/PORT", (unsigned)key->max);
        break;
    case CONF_DOMAIN_LIST:
        snprintf(out, cap, "a list of at most %u domain names", (unsigned)key->max);
        break;
    case CONF_MAP:
        join_keys(out, cap, key->keys);
        break;
    case CONF_LIST:
        add(out, cap, "a list of maps with ");
        join_keys(out, cap, key->keys);
        break;
    default:
        add(out, cap, fixed_text(key->type));
    }
    return out;
}
