/* SPDX-License-Identifier: MIT */
/* yaml_sample.h - a table with a key of every type, for those who look at the reader itself */
#ifndef SIXTAP_TESTS_YAML_SAMPLE_H
#define SIXTAP_TESTS_YAML_SAMPLE_H

#include "proto/addr.h"
#include "proto/host/yaml.h"

struct item {
    char name[8];
    uint8_t key[KEY_LEN];
    bool has_key;
};

struct sample {
    bool flag;
    uint16_t number;
    uint32_t big;
    uint16_t wait_s;
    int colour;
    char device[16];
    char control[108];
    struct endpoint listen, public_ep;
    char host[254];
    uint16_t port;
    struct ip6 address, dns[2];
    unsigned n_dns;
    struct prefix prefix, routes[3];
    unsigned n_routes;
    char search[2][127];
    unsigned n_search;
    uint8_t secret[KEY_LEN];
    bool has_secret;
    struct item *items;
    unsigned n_items;
};

#define AT(field)  CONF_AT(struct sample, field)
#define AUX(field) .aux = offsetof(struct sample, field)

static const char *const colours[] = { "red", "green", "blue", NULL };

static const struct conf_key map_keys[] = {
    { "colour", CONF_ENUM, AT(colour), .words = colours },
    { "big", CONF_UINT, AT(big), .max = 0 },
    { 0 },
};

static const struct conf_key item_keys[] = {
    { "name", CONF_NAME, CONF_AT(struct item, name), .required = true,
      .help = "what it is called" },
    { "key", CONF_KEY, CONF_AT(struct item, key), .aux = offsetof(struct item, has_key) },
    { 0 },
};

static const struct conf_key keys[] = {
    { "flag", CONF_BOOL, AT(flag) },
    { "number", CONF_UINT, AT(number), .min = 10, .max = 100, .unit = "octets" },
    { "wait", CONF_SECONDS, AT(wait_s), .min = 15, .max = 120, .unit = "s" },
    { "device", CONF_IFNAME, AT(device) },
    { "control", CONF_CONTROL, AT(control) },
    { "listen", CONF_ENDPOINT, AT(listen) },
    { "public", CONF_ADDRESS4, AT(public_ep) },
    { "router", CONF_HOSTPORT, AT(host), AUX(port) },
    { "address", CONF_IP6, AT(address) },
    { "dns", CONF_IP6_LIST, AT(dns), AUX(n_dns), .max = 2 },
    { "prefix", CONF_PREFIX, AT(prefix), .min = 48, .max = 126 },
    { "routes", CONF_PREFIX_LIST, AT(routes), AUX(n_routes), .max = 3 },
    { "search", CONF_DOMAIN_LIST, AT(search), AUX(n_search), .max = 2, .item_size = 127 },
    { "secret", CONF_SECRET, AT(secret), AUX(has_secret) },
    { "map", CONF_MAP, .keys = map_keys },
    { "items", CONF_LIST, .off = offsetof(struct sample, items), AUX(n_items), .max = 3,
      .keys = item_keys, .item_size = sizeof(struct item) },
    { 0 },
};

#endif
