/* SPDX-License-Identifier: MIT */
/* config.h - what a client is told: the values of client.yaml, checked
 *
 * DOC: a plain structure; config.c fills it from YAML, tests fill it by hand after
 * client_config_defaults(). The engine takes it as it is and keeps a pointer to it.
 */
#ifndef SIXTAP_CLIENT_CONFIG_H
#define SIXTAP_CLIENT_CONFIG_H

#include <stddef.h>
#include <stdio.h>

#include "proto/addr.h"
#include "proto/limits.h"

#define DEVICE_LEN_MAX 15
#define HOST_LEN_MAX   253

enum configure_mode {
    CONFIGURE_NETLINK,
    CONFIGURE_RA,
    CONFIGURE_NONE,
};

struct client_config {
    char router_host[HOST_LEN_MAX + 1]; /* name or IPv4 address */
    uint16_t router_port;
    uint8_t router_key[KEY_LEN];
    uint8_t private_key[KEY_LEN];
    uint8_t public_key[KEY_LEN];
    uint8_t psk[KEY_LEN]; /* zero when neither psk: nor join_secret: is given */
    bool has_psk;
    char device[DEVICE_LEN_MAX + 1];
    uint16_t port; /* local UDP port, 0 any */
    uint16_t mtu;  /* most inner MTU, 1280..9000; 0: what the path allows */
    enum configure_mode configure;
    bool default_route;
    uint32_t metric;      /* of the default route, 2048 */
    uint16_t keepalive_s; /* 0: what the router says */
    uint16_t hold_s;
    char control[108]; /* control socket: a path, or @NAME; client_config_finish() makes ""
                          @sixtap-client-DEVICE */
};

/* client_config_defaults() - every default of client.yaml; keys and router empty */
void client_config_defaults(struct client_config *c);

/* client_config_finish() - fill in what follows from other values (public key); for tests */
void client_config_finish(struct client_config *c);

/* client_config_load() - read and check @path; every problem is printed to @err, one line each, as
 * FILE:LINE:COLUMN: message
 * Return: 0; or the number of problems (> 0), nothing of @ret is then usable. */
int client_config_load(struct client_config *ret, const char *path, FILE *err);

/* client_config_parse() - the same for @len octets at @text; @path names them, relative paths start
 * beside it */
int client_config_parse(struct client_config *ret, const char *path, const uint8_t *text,
                        size_t len, FILE *err);

/* client_config_table() - the keys of client.yaml (proto/host/yaml.h), ended by a row without name
 */
struct conf_key;
const struct conf_key *client_config_table(void);

/* client_config_free() - wipes keys */
void client_config_free(struct client_config *c);

#endif
