/* SPDX-License-Identifier: MIT */
/* config.h - what a router is told: the values of router.yaml, checked
 *
 * DOC: a plain structure; config.c fills it from YAML, tests fill it by hand after
 * router_config_defaults(). The engine takes it as it is and keeps a pointer to it.
 */
#ifndef SIXTAP_ROUTER_CONFIG_H
#define SIXTAP_ROUTER_CONFIG_H

#include <stddef.h>
#include <stdio.h>

#include "proto/addr.h"
#include "proto/host/priority.h"
#include "proto/limits.h"
#include "proto/wire.h"

#define CLIENT_NAME_MAX 63
#define LISTEN_MAX      1
#define DEVICE_NAME_MAX 15
#define CLIENTS_DIR_LEN 256
#define CLIENTS_MAX     65535u
#define TAKEN_MAX       17 /* addresses of the WAN, and a gateway */

enum addressing {
    ADDRESSING_STABLE,
    ADDRESSING_EUI64,
};

enum uplink_mode {
    UPLINK_NONE,
    UPLINK_ROUTED,  /* the prefix is routed to this host */
    UPLINK_NDPROXY, /* the prefix is on link at the WAN */
    UPLINK_NAT66,   /* clients leave with the host's address */
};

enum preference { /* of the default route; enum value - 1 is what RAs say */
                  PREFERENCE_LOW,
                  PREFERENCE_MEDIUM,
                  PREFERENCE_HIGH,
};

enum access_mode {
    ACCESS_LISTED,
    ACCESS_OPEN,
};

struct advertise { /* what Router Advertisements say, and how often they come (RFC 4861 6.2.1) */
    uint32_t max_interval_s, min_interval_s; /* between unasked ones; 0: min follows from max */
    uint32_t lifetime_s;               /* as default router; ADVERTISE_AUTO: follows from max */
    uint32_t reachable_ms, retrans_ms; /* 0: hosts keep their own */
    uint32_t valid_s, preferred_s;     /* of the prefix */
    uint16_t hop_limit;                /* 0: hosts keep their own */
};

#define ADVERTISE_AUTO UINT32_MAX

struct router_client { /* an entry of clients: */
    char name[CLIENT_NAME_MAX + 1];
    uint8_t public_key[KEY_LEN];
    bool has_psk;
    uint8_t psk[KEY_LEN];
    bool has_address; /* @address is fixed; else it follows from the key */
    struct ip6 address;
    struct prefix delegate[DELEGATED_PER_MEMBER]; /* routed to it while it is on line */
    unsigned n_delegate;
};

struct router_config {
    struct endpoint listen;    /* address 0.0.0.0: every address */
    struct endpoint public_ep; /* what clients see; from public_address:, else listen */
    uint8_t private_key[KEY_LEN];
    uint8_t public_key[KEY_LEN];
    struct prefix prefix; /* of the segment; derived from the key (a ULA /64) when not given */
    struct ip6 address;   /* the router's own in it, default prefix::1; ndproxy: the host's */
    struct ip6 taken[TAKEN_MAX]; /* addresses of it that others have; uplink_conclude() */
    unsigned n_taken;
    bool reaches; /* the kernel has to hear of clients; uplink_conclude() */
    enum addressing addressing;
    enum uplink_mode uplink;
    char uplink_device[DEVICE_NAME_MAX + 1];
    char wan[DEVICE_NAME_MAX + 1]; /* link to the Internet; "": the IPv6 default route's */
    enum access_mode access;
    bool has_join_secret;
    bool everyone; /* access: open without join_secret, said so by the operator */
    uint8_t join_secret[KEY_LEN];
    uint16_t mtu; /* most inner MTU offered, 1280..9000; 0: what the underlay allows */
    uint16_t keepalive_s;
    bool multicast;
    bool isolate;       /* clients do not see one another */
    bool log_endpoints; /* false: no endpoints and MACs in the log */
    enum preference preference;
    struct advertise advertise;
    struct prefix routes[ROUTES_MAX]; /* more prefixes behind the router */
    unsigned n_routes;
    char search[SEARCH_MAX][SEARCH_LEN + 1];
    unsigned n_search;
    uint32_t lease_s;
    unsigned max_members;  /* limits: members */
    unsigned logins_per_s; /* limits: logins_per_s, above it cookies are demanded */
    unsigned logins_per_address, logins_per_24; /* limits: with a cookie, and cookies given */
    unsigned max_clients; /* limits: clients, room for the list; 0: by roster_room() */
    struct ip6 dns[4];    /* handed to clients and sent as RDNSS */
    unsigned n_dns;
    char clients_dir[CLIENTS_DIR_LEN]; /* more of them, a file each; relative to the work directory
                                        */
    bool clients_dir_default;          /* it is clients.d beside the file: need not be there */
    struct router_client *clients;     /* in the order of the files; owned */
    unsigned n_clients;
    bool inviting;          /* one is about to be added: none is nothing to warn of */
    enum priority priority; /* of CPU time */
    char control[108];      /* control socket: a path, or @NAME; router_config_finish() makes ""
                               @sixtap-router-DEVICE */
};

/* uplink_mode_name() - as in the configuration */
const char *uplink_mode_name(enum uplink_mode mode);

/* router_config_defaults() - every default of router.yaml; keys, addresses and clients empty */
void router_config_defaults(struct router_config *c);

/* router_config_finish() - fill in what follows from other values (public key, public endpoint, ULA
 * prefix, ::1, table sizes); for tests that fill the structure by hand. config_load does it itself.
 */
void router_config_finish(struct router_config *c);

/* router_config_public_key() - the public key that @text holds, by the check of clients.public_key
 * Return: false when it is refused, and one line to @err says why, beginning with @name */
bool router_config_public_key(uint8_t ret[KEY_LEN], const char *text, const char *name, FILE *err);

/* router_config_load() - read and check @path and the files in its clients_dir; every problem is
 * printed to @err, one line each, as FILE:LINE:COLUMN: message Return: 0; or the number of problems
 * (> 0), nothing of @ret is then usable. The caller frees with router_config_free(). */
int router_config_load(struct router_config *ret, const char *path, FILE *err);

/* router_config_load_to_invite() - router_config_load() without the warning that there are no
 * clients
 */
int router_config_load_to_invite(struct router_config *ret, const char *path, FILE *err);

/* router_config_parse() - router_config_load() for @len octets at @text; @path names them, relative
 * paths start beside it */
int router_config_parse(struct router_config *ret, const char *path, const uint8_t *text,
                        size_t len, FILE *err);

/* router_config_client_table() - the keys of an entry of clients:, and of a file in clients_dir */
struct conf_key;
const struct conf_key *router_config_client_table(void);

/* router_prefix_misuse() - what @p holds that no segment can be made of; NULL: it is fine */
const char *router_prefix_misuse(const struct prefix *p);

/* router_config_table() - the keys of router.yaml (proto/host/yaml.h), ended by a row without name
 */
const struct conf_key *router_config_table(void);

/* router_config_peek() - as much of @path as can be read, problems and all, for commands that must
 * work with a broken file too: device, control socket and clients_dir are right when they are right
 * in the file. No client but those of the file itself. The caller frees. */
void router_config_peek(struct router_config *ret, const char *path);

/* router_config_control() - the name of the control socket that @path leads to; other problems in
 * it, and those of other files, do not matter Return: 0; or the number of problems, which are
 * printed to @err: it cannot be told */
int router_config_control(const char *path, char ret[108], FILE *err);

/* router_config_where() - in which file client @name is described
 * @ret_file: CLIENTS_DIR_LEN + 300 octets: the file in clients_dir, or @path; or, when there is no
 *     such client, the name nearest to it, or nothing. A file that cannot be read is that of the
 *     client whose name it has
 * @ret_key: the key in that file of clients_dir; zero when it has none or for another answer
 * Return: line in @path (> 0), 0 a file in clients_dir, -1 there is no such client */
int router_config_where(const char *path, const char *name, char *ret_file,
                        uint8_t ret_key[KEY_LEN]);

/* router_config_free_clients() - wipes and frees what clients points to; there are none then */
void router_config_free_clients(struct router_config *c);

/* router_config_free() - wipes keys, frees; NULL and a zeroed structure are fine */
void router_config_free(struct router_config *c);

#endif
