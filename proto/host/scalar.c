/* SPDX-License-Identifier: MIT */
/* scalar.c - one word of a configuration file into one field */
#include <arpa/inet.h>
#include <limits.h>
#include <sodium.h>
#include <stdarg.h>
#include <string.h>

#include "proto/addr.h"
#include "proto/host/port.h"
#include "proto/host/scalar.h"
#include "proto/host/secret.h"

#define NAME_CHARS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-"

__attribute__((format(printf, 2, 3))) static bool refuse(char *why, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(why, SCALAR_WHY_LEN, fmt, ap);
    va_end(ap);
    return false;
}

/* "WORD" WHAT; allowed: RANGE */
static bool refuse_word(char *why, const struct conf_key *key, const char *word, const char *what)
{
    char q[80], range[200];
    return refuse(why, "%s %s; allowed: %s", scalar_quote(word, q), what,
                  conf_range_text(key, range, sizeof(range)));
}

const char *scalar_quote(const char *text, char out[80])
{
    size_t n = 0;
    out[n++] = '"';
    for (; *text && n < 65; text++)
        out[n++] = *text >= ' ' && *text <= '~' ? *text : '?';
    if (*text) {
        memcpy(out + n, "...", 3);
        n += 3;
    }
    out[n++] = '"';
    out[n] = 0;
    return out;
}

bool scalar_number(const char *text, uint64_t *ret)
{
    uint64_t v = 0;
    if (!*text || (text[0] == '0' && text[1]))
        return false;
    for (; *text; text++) {
        if (*text < '0' || *text > '9')
            return false;
        uint64_t digit = (uint64_t)(*text - '0');
        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *ret = v;
    return true;
}

bool scalar_path(const char *file, const char *path, char *out, size_t cap)
{
    const char *slash = strrchr(file, '/');
    int dir = path[0] == '/' || !slash ? 0 : (int)(slash - file) + 1;
    int n = snprintf(out, cap, "%.*s%s", dir, file, path);
    return n > 0 && (size_t)n < cap;
}

/* ---- numbers and words ---- */

static bool take_bool(const struct conf_key *key, const struct scalar *in, uint8_t *at, char *why)
{
    bool yes = strcmp(in->text, "true") == 0;
    if (in->quoted || (!yes && strcmp(in->text, "false") != 0))
        return refuse_word(why, key, in->text, "is not a truth value");
    *(bool *)(void *)at = yes;
    return true;
}

/* Largest value the field can hold. */
static uint64_t field_max(const struct conf_key *key)
{
    return key->size >= 8 ? UINT64_MAX : (UINT64_C(1) << (8 * key->size)) - 1;
}

static void store(uint8_t *at, size_t size, uint64_t v)
{
    uint16_t v16 = (uint16_t)v;
    uint32_t v32 = (uint32_t)v;
    if (size == sizeof(v16))
        memcpy(at, &v16, sizeof(v16));
    else if (size == sizeof(v32))
        memcpy(at, &v32, sizeof(v32));
    else
        memcpy(at, &v, sizeof(v));
}

static bool take_number(const struct conf_key *key, const struct scalar *in, const char *digits,
                        uint8_t *at, char *why)
{
    uint64_t v, max = key->max ? key->max : field_max(key);
    if (in->quoted)
        return refuse_word(why, key, in->text, "is a quoted text, not a number");
    if (!scalar_number(digits, &v))
        return refuse_word(why, key, in->text, "is not a number");
    if (v < key->min || v > max)
        return refuse_word(why, key, in->text, "is out of range");
    store(at, key->size, v);
    return true;
}

static bool take_seconds(const struct conf_key *key, const struct scalar *in, uint8_t *at,
                         char *why)
{
    char digits[24];
    size_t n = in->len;
    if (n > 1 && in->text[n - 1] == 's')
        n -= in->text[n - 2] == ' ' ? 2 : 1;
    if (n >= sizeof(digits))
        return refuse_word(why, key, in->text, "is not a number");
    memcpy(digits, in->text, n);
    digits[n] = 0;
    return take_number(key, in, digits, at, why);
}

static bool take_enum(const struct conf_key *key, const struct scalar *in, uint8_t *at, char *why)
{
    char q[80], range[200];
    for (unsigned i = 0; key->words[i]; i++) {
        if (strcmp(key->words[i], in->text) == 0) {
            store(at, key->size, i);
            return true;
        }
    }
    const char *near = conf_closest(in->text, key->words);
    return refuse(why, "%s is not known; allowed: %s%s%s%s", scalar_quote(in->text, q),
                  conf_range_text(key, range, sizeof(range)), near ? "; did you mean " : "",
                  near ? near : "", near ? "?" : "");
}

/* ---- names ---- */

static bool take_name(const struct conf_key *key, const struct scalar *in, uint8_t *at, char *why)
{
    if (in->len >= key->size)
        return refuse_word(why, key, in->text, "is too long");
    if (strspn(in->text, NAME_CHARS) != in->len)
        return refuse_word(why, key, in->text, "has a character that is not allowed");
    /* ".", ".." and "-x" are trouble wherever a name becomes part of a path or a command line */
    if (in->text[0] == '.' || in->text[0] == '-')
        return refuse_word(why, key, in->text, "starts with a character that is not allowed there");
    /* net/ipv4/conf and net/ipv6/conf have entries of these names: no device may */
    if (key->type == CONF_IFNAME &&
        (strcmp(in->text, "all") == 0 || strcmp(in->text, "default") == 0))
        return refuse_word(why, key, in->text, "is not a name the kernel gives a device");
    memcpy(at, in->text, in->len + 1);
    return true;
}

static bool take_control(const struct conf_key *key, const struct scalar *in, uint8_t *at,
                         char *why)
{
    char path[PATH_MAX];
    if (in->text[0] == '@' && !in->text[1])
        return refuse_word(why, key, in->text, "names nothing");
    if (in->text[0] == '@')
        snprintf(path, sizeof(path), "%.*s", (int)sizeof(path) - 1, in->text);
    else if (!scalar_path(in->file, in->text, path, sizeof(path)))
        return refuse_word(why, key, in->text, "is too long");
    size_t len = strnlen(path, sizeof(path));
    if (len >= key->size)
        return refuse_word(why, key, path, "is too long");
    memcpy(at, path, len + 1);
    return true;
}

/* ---- addresses ---- */

/* Copy @n octets and a NUL; false when that is too much for an address anyway. */
static bool cut(char out[64], const char *text, size_t n)
{
    if (n >= 64)
        return false;
    memcpy(out, text, n);
    out[n] = 0;
    return true;
}

static bool take_port(const struct conf_key *key, const char *text, uint16_t *ret, char *why)
{
    uint64_t port;
    if (!scalar_number(text, &port) || port < 1 || port > UINT16_MAX)
        return refuse_word(why, key, text, "is not a port number 1..65535");
    *ret = (uint16_t)port;
    return true;
}

static bool take_service(const struct conf_key *key, const struct scalar *in, uint8_t *at,
                         char *why)
{
    struct conf_port p = { .protocol = IPPROTO_TCP };
    if (strncmp(in->text, "udp/", 4) == 0)
        p.protocol = IPPROTO_UDP;
    else if (strncmp(in->text, "tcp/", 4) != 0)
        return refuse_word(why, key, in->text, "does not start with tcp/ or udp/");
    if (!take_port(key, in->text + 4, &p.port, why))
        return false;
    memcpy(at, &p, sizeof(p));
    return true;
}

static bool take_endpoint(const struct conf_key *key, const struct scalar *in, uint8_t *at,
                          char *why)
{
    char host[64];
    struct endpoint ep = { 0 };
    uint16_t port = 0;
    const char *colon = strrchr(in->text, ':');
    size_t n = colon ? (size_t)(colon - in->text) : in->len;
    if (!cut(host, in->text, n) || inet_pton(AF_INET, host, &ep.ip) != 1)
        return refuse_word(why, key, in->text, "does not start with an IPv4 address");
    if (!colon && key->type == CONF_ENDPOINT)
        return refuse_word(why, key, in->text, "has no port");
    if (colon && !take_port(key, colon + 1, &port, why))
        return false;
    if (ep.ip.b[0] >= 224 || (ep.ip.b[0] == 0 && be32_get(ep.ip) != 0))
        return refuse_word(why, key, in->text, "is not the address of a host");
    ep.port = be16_of(port);
    memcpy(at, &ep, sizeof(ep));
    return true;
}

/* A host name of letters, digits, '-', '_' in labels of 1..63; if its last label is a number the
 * whole must be an IPv4 address, as in the URL Standard: `198.18.0` or `1.2.3.999` is a slip, not a
 * name. */
static bool host_ok(const char *host, size_t len)
{
    struct in_addr ip;
    const char *label = host;
    if (!len || len > 253)
        return false;
    for (const char *p = host;; p++) {
        if (*p && *p != '.')
            continue;
        size_t n = (size_t)(p - label);
        if (n < 1 || n > 63 || label[0] == '-' || label[n - 1] == '-')
            return false;
        if (!*p)
            break;
        if (!p[1]) /* one final dot says: absolute */
            break;
        label = p + 1;
    }
    if (label[strspn(label, "0123456789.")] == 0)
        return inet_pton(AF_INET, host, &ip) == 1;
    return strspn(host, NAME_CHARS) == len;
}

static bool take_hostport(const struct conf_key *key, const struct scalar *in, uint8_t *at,
                          uint8_t *obj, char *why)
{
    char host[256];
    be32 ip;
    uint16_t port = 0;
    const char *colon = strchr(in->text, ':');
    size_t n = colon ? (size_t)(colon - in->text) : in->len;
    if (colon && strchr(colon + 1, ':'))
        return refuse_word(why, key, in->text,
                           "has more than one colon (the outer protocol is IPv4 only)");
    if (n >= key->size || n >= sizeof(host))
        return refuse_word(why, key, in->text, "is too long");
    memcpy(host, in->text, n);
    host[n] = 0;
    if (!host_ok(host, n))
        return refuse_word(why, key, host, "is neither a host name nor an IPv4 address");
    if (inet_pton(AF_INET, host, &ip) == 1 && (ip.b[0] == 0 || ip.b[0] >= 224))
        return refuse_word(why, key, host, "is not the address of a host");
    if (colon && !take_port(key, colon + 1, &port, why))
        return false;
    memcpy(at, host, n + 1);
    if (colon)
        memcpy(obj + key->aux, &port, sizeof(port));
    return true;
}

static bool take_domain(const struct conf_key *key, const struct scalar *in, uint8_t *at, char *why)
{
    struct in_addr ip;
    if (in->len >= key->item_size)
        return refuse_word(why, key, in->text, "is too long");
    if (!host_ok(in->text, in->len) || inet_pton(AF_INET, in->text, &ip) == 1)
        return refuse_word(why, key, in->text, "is not a domain name");
    memcpy(at, in->text, in->len + 1);
    return true;
}

static bool take_ip6(const struct conf_key *key, const struct scalar *in, uint8_t *at, char *why)
{
    struct in6_addr a;
    if (inet_pton(AF_INET6, in->text, &a) != 1)
        return refuse_word(why, key, in->text, "is not an IPv6 address");
    if (IN6_IS_ADDR_MULTICAST(&a) || IN6_IS_ADDR_UNSPECIFIED(&a) || IN6_IS_ADDR_LOOPBACK(&a) ||
        IN6_IS_ADDR_V4MAPPED(&a))
        return refuse_word(why, key, in->text, "is not the address of a host");
    memcpy(at, &a, sizeof(a));
    return true;
}

static bool take_prefix(const struct conf_key *key, const struct scalar *in, uint8_t *at, char *why)
{
    char host[64], fixed[IP6_TEXT_LEN];
    struct prefix p = { 0 };
    uint64_t len;
    const char *slash = strchr(in->text, '/');
    if (!slash)
        return refuse_word(why, key, in->text, "has no length");
    if (!cut(host, in->text, (size_t)(slash - in->text)) ||
        inet_pton(AF_INET6, host, p.addr.b) != 1)
        return refuse_word(why, key, in->text, "does not start with an IPv6 address");
    if (!scalar_number(slash + 1, &len) || len > 128)
        return refuse_word(why, key, slash + 1, "is not a prefix length");
    bool item = key->type == CONF_PREFIX_LIST; /* its max is the number of items */
    if (item ? len == 0 : len < key->min)
        return refuse_word(why, key, in->text, "is too short a prefix");
    if (!item && key->max && len > key->max)
        return refuse_word(why, key, in->text, "is too long a prefix");
    struct ip6 given = p.addr;
    p.len = (uint8_t)len;
    for (unsigned bit = p.len; bit < 128; bit++)
        p.addr.b[bit / 8] &= (uint8_t) ~(0x80u >> bit % 8);
    if (!ip6_eq(given, p.addr)) {
        inet_ntop(AF_INET6, p.addr.b, fixed, sizeof(fixed));
        return refuse(why, "host bits set in %s; did you mean %s/%u?", in->text, fixed, p.len);
    }
    memcpy(at, &p, sizeof(p));
    return true;
}

/* ---- keys ---- */

/* A point of low order makes every shared secret zero: whoever sent it holds no private key.
 * Multiplying by any clamped scalar shows it, because they are multiples of the cofactor. */
static bool low_order(const uint8_t *point)
{
    static const uint8_t scalar[crypto_scalarmult_SCALARBYTES] = { 8 };
    uint8_t product[crypto_scalarmult_BYTES];
    return crypto_scalarmult(product, scalar, point) != 0 ||
           sodium_is_zero(product, sizeof(product));
}

static bool take_public_key(const struct conf_key *key, const struct scalar *in, uint8_t *at,
                            char *why)
{
    uint8_t point[KEY_LEN];
    if (!key_from_text(point, in->text, in->len))
        return refuse_word(why, key, in->text, "is not a key");
    if (low_order(point))
        return refuse(why, "%s is no public key of anybody (a point of low order)", in->text);
    memcpy(at, point, sizeof(point));
    return true;
}

static bool take_secret(const struct conf_key *key, const struct scalar *in, uint8_t *at, char *why)
{
    char range[200];
    uint8_t secret[KEY_LEN];
    bool ok = key_from_text(secret, in->text, in->len),
         zero = ok && sodium_is_zero(secret, sizeof(secret));
    if (ok && !zero)
        memcpy(at, secret, sizeof(secret));
    sodium_memzero(secret, sizeof(secret));
    if (zero)
        return refuse(why, "all zero, which means none");
    return ok ||
           refuse(
               why,
               "a text of %zu characters that is not a secret; allowed: %s, made by `keygen --psk` "
               "(a passphrase could be guessed)",
               in->len, conf_range_text(key, range, sizeof(range)));
}

static bool take_key_file(const struct conf_key *key, const struct scalar *in, uint8_t *at,
                          char *why)
{
    char path[PATH_MAX], err[SCALAR_WHY_LEN];
    if (!scalar_path(in->file, in->text, path, sizeof(path)))
        return refuse_word(why, key, in->text, "is too long");
    if (secret_read_file(path, at, err, sizeof(err)) != 0)
        return refuse(why, "%.*s", SCALAR_WHY_LEN - 1, err);
    return true;
}

bool scalar_take(const struct conf_key *key, const struct scalar *in, void *obj, char *why)
{
    uint8_t *at = (uint8_t *)obj + key->off;
    switch (key->type) {
    case CONF_BOOL:
        return take_bool(key, in, at, why);
    case CONF_UINT:
        return take_number(key, in, in->text, at, why);
    case CONF_SECONDS:
        return take_seconds(key, in, at, why);
    case CONF_ENUM:
        return take_enum(key, in, at, why);
    case CONF_NAME:
    case CONF_IFNAME:
        return take_name(key, in, at, why);
    case CONF_CONTROL:
        return take_control(key, in, at, why);
    case CONF_PATH:
        if (!scalar_path(in->file, in->text, (char *)at, key->size))
            return refuse_word(why, key, in->text, "is too long");
        return true;
    case CONF_ENDPOINT:
    case CONF_ADDRESS4:
        return take_endpoint(key, in, at, why);
    case CONF_HOSTPORT:
        return take_hostport(key, in, at, obj, why);
    case CONF_IP6:
    case CONF_IP6_LIST: /* one item of it */
        return take_ip6(key, in, at, why);
    case CONF_PREFIX:
    case CONF_PREFIX_LIST:
        return take_prefix(key, in, at, why);
    case CONF_PORT_LIST: /* one item of it */
        return take_service(key, in, at, why);
    case CONF_DOMAIN_LIST:
        return take_domain(key, in, at, why);
    case CONF_KEY:
        return take_public_key(key, in, at, why);
    case CONF_SECRET:
        return take_secret(key, in, at, why);
    case CONF_KEY_FILE:
        return take_key_file(key, in, at, why);
    case CONF_MAP:
    case CONF_LIST:
        break;
    }
    return refuse(
        why, "is not one value"); /* unreachable: the reader tells maps and lists apart before */
}
