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
#include "proto/host/port.h"
#include "proto/host/priority.h"
#include "proto/limits.h"

#define DEVICE_LEN_MAX 15
#define HOST_LEN_MAX   253
#define ROUTER_PORT    6464

enum configure_mode {
    CONFIGURE_NETLINK,
    CONFIGURE_RA,
    CONFIGURE_NONE,
};

enum firewall_mode {
    FIREWALL_ON,
    FIREWALL_OFF,
};

enum dns_mode {
    DNS_AUTO,
    DNS_OFF,
};

enum hook_privileges {
    HOOK_NONE, /* no capability */
    HOOK_ALL,  /* what the client was started with */
};

#define CONFIG_ROUTERS 8u
#define CONFIG_ROUTES  16u /* of the client's own */
#define CONFIG_ALLOW   32u
#define NETNS_LEN_MAX  63u
#define HOOK_LEN_MAX   255u

struct client_router {
    char host[HOST_LEN_MAX + 1]; /* name or IPv4 address */
    uint16_t port;               /* 0: ROUTER_PORT; client_config_finish() fills it in */
    uint8_t key[KEY_LEN];
    uint8_t psk[KEY_LEN]; /* of this router alone, when has_psk */
    bool has_psk;
};

struct client_config {
    struct client_router router[CONFIG_ROUTERS]; /* most preferred first */
    unsigned n_routers;         /* client_config_finish() makes 0 to 1: router: and router_key: */
    struct client_router *list; /* only while reading */
    unsigned n_list;
    uint16_t fail_back_s; /* how often a router before the one in use is tried; 0 never */
    uint8_t private_key[KEY_LEN];
    uint8_t public_key[KEY_LEN];
    uint8_t psk[KEY_LEN]; /* zero when neither psk: nor join_secret: is given */
    bool has_psk;
    char device[DEVICE_LEN_MAX + 1];
    uint16_t port; /* local UDP port, 0 any */
    uint16_t mtu;  /* most inner MTU, 1280..9000; 0: what the path allows */
    enum configure_mode configure;
    bool default_route;
    uint32_t metric;                    /* of the default route, 2048 */
    uint32_t table;                     /* of it and of the extra routes; 254: main */
    struct prefix route[CONFIG_ROUTES]; /* extra ones through the router */
    unsigned n_route;
    char lan[DEVICE_LEN_MAX + 1]; /* gets the delegated prefix; "": none */
    enum firewall_mode firewall;
    struct conf_port allow[CONFIG_ALLOW]; /* let in by the firewall */
    unsigned n_allow;
    char netns[NETNS_LEN_MAX + 1];        /* the TAP's namespace; "": this one */
    char bind_device[DEVICE_LEN_MAX + 1]; /* the UDP sockets' link; "": any */
    uint32_t fwmark;                      /* of what they send; 0: none */
    enum dns_mode dns;
    char on_up[HOOK_LEN_MAX + 1], on_down[HOOK_LEN_MAX + 1], on_change[HOOK_LEN_MAX + 1];
    uint16_t hook_timeout_s;
    enum hook_privileges hook_privileges;
    uint16_t keepalive_s; /* 0: what the router says */
    uint16_t hold_s;
    enum priority priority; /* of CPU time */
    char control[108];      /* control socket: a path, or @NAME; client_config_finish() makes ""
                               @sixtap-client-DEVICE */
};

/* client_config_defaults() - every default of client.yaml; keys and router empty */
void client_config_defaults(struct client_config *c);

/* client_config_finish() - fill in what follows from other values (public key, ports, names); for
 * tests */
void client_config_finish(struct client_config *c);

/* client_config_psk() - the secret shared with router @i: its own, or the one for all */
const uint8_t *client_config_psk(const struct client_config *c, unsigned i);

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
