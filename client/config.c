/* SPDX-License-Identifier: MIT */
/* config.c - client.yaml: its keys, its defaults, and the checks that need more than one key */
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "client/config.h"
#include "proto/host/yaml.h"

#define AT(field)  CONF_AT(struct client_config, field)
#define AUX(field) .aux = offsetof(struct client_config, field)

static const char *const configure_words[] = { "netlink", "ra", "none", NULL };

#define ROUTER_HELP      "name or IPv4 address of the router, and its UDP port (6464 if left out)"
#define ROUTER_KEY_HELP  "the router's public key"
#define ROUTER_AT(field) CONF_AT(struct client_router, field)

static const struct conf_key each_router[] = {
    { "address", CONF_HOSTPORT, ROUTER_AT(host), .aux = offsetof(struct client_router, port),
      .required = true, .help = ROUTER_HELP },
    { "key", CONF_KEY, ROUTER_AT(key), .required = true, .help = ROUTER_KEY_HELP },
    { "psk", CONF_SECRET, ROUTER_AT(psk), .aux = offsetof(struct client_router, has_psk),
      .help = "the secret shared with this router, in place of the one for all" },
    { "psk_file", CONF_KEY_FILE, ROUTER_AT(psk), .aux = offsetof(struct client_router, has_psk),
      .help = "the same, in a file" },
    { 0 },
};

static const struct conf_key client_keys[] = {
    { "router", CONF_HOSTPORT, AT(router[0].host), AUX(router[0].port), .help = ROUTER_HELP },
    { "router_key", CONF_KEY, AT(router[0].key), .help = ROUTER_KEY_HELP },
    { "routers", CONF_LIST, .off = offsetof(struct client_config, list), AUX(n_list),
      .max = CONFIG_ROUTERS, .keys = each_router, .item_size = sizeof(struct client_router),
      .def = "router and router_key",
      .help = "in place of router and router_key: several, most preferred first; the next is used "
              "while those before it do not answer" },
    { "fail_back", CONF_SECONDS, AT(fail_back_s), .min = 0, .max = 3600, .unit = "s", .def = "60",
      .help = "with routers, how often one before the one in use is tried again; 0: never" },
    { "private_key_file", CONF_KEY_FILE, AT(private_key),
      .help = "the file that `sixtap-client keygen` made" },
    { "private_key", CONF_SECRET, AT(private_key),
      .help = "the key itself, in place of the file; what `sixtap-router invite` writes" },
    { "psk", CONF_SECRET, AT(psk), AUX(has_psk),
      .help = "the secret shared with the router, if it has one for this client" },
    { "psk_file", CONF_KEY_FILE, AT(psk), AUX(has_psk), .help = "the same, in a file" },
    { "join_secret", CONF_SECRET, AT(psk), AUX(has_psk),
      .help = "the secret that all clients of the router share" },
    { "join_secret_file", CONF_KEY_FILE, AT(psk), AUX(has_psk), .help = "the same, in a file" },
    { "device", CONF_IFNAME, AT(device), .def = "tap6", .help = "name of the TAP device" },
    { "port", CONF_UINT, AT(port), .min = 1, .max = 65535, .def = "any free one",
      .help = "local UDP port" },
    { "mtu", CONF_UINT, AT(mtu), .min = INNER_MTU_MIN, .max = INNER_MTU_MAX, .unit = "octets",
      .def = "what the path allows", .help = "largest IPv6 packet" },
    { "configure", CONF_ENUM, AT(configure), .words = configure_words, .def = "netlink",
      .help = "who sets addresses and routes. netlink: this program; ra: the kernel, from router "
              "advertisements; "
              "none: nobody" },
    { "default_route", CONF_BOOL, AT(default_route), .def = "true",
      .help = "with configure: netlink, a default route if the router has an uplink" },
    { "metric", CONF_UINT, AT(metric), .min = 1, .def = "2048",
      .help = "of the default route; more than other routes', so that native IPv6 wins" },
    { "keepalive", CONF_SECONDS, AT(keepalive_s), .min = KEEPALIVE_MIN_S, .max = KEEPALIVE_MAX_S,
      .unit = "s", .def = "what the router says",
      .help = "how often an idle tunnel is kept alive" },
    { "hold", CONF_SECONDS, AT(hold_s), .min = 0, .max = 3600, .unit = "s", .def = "30",
      .help = "how long carrier, addresses and routes stay when the router is lost" },
    { "control", CONF_CONTROL, AT(control), .def = "@sixtap-client-DEVICE",
      .help = "the socket that `sixtap-client status` asks" },
    { 0 },
};

const struct conf_key *client_config_table(void)
{
    return client_keys;
}

void client_config_defaults(struct client_config *c)
{
    memset(c, 0, sizeof(*c));
    c->fail_back_s = 60;
    c->default_route = true;
    c->metric = 2048;
    c->hold_s = HOLD_DEFAULT_S;
    memcpy(c->device, "tap6", sizeof("tap6"));
}

void client_config_finish(struct client_config *c)
{
    if (c->n_routers == 0)
        c->n_routers = 1;
    for (unsigned i = 0; i < c->n_routers; i++)
        if (c->router[i].port == 0)
            c->router[i].port = ROUTER_PORT;
    if (!sodium_is_zero(c->private_key, KEY_LEN))
        crypto_scalarmult_base(c->public_key, c->private_key);
    if (!c->control[0])
        snprintf(c->control, sizeof(c->control), "@sixtap-client-%s", c->device);
}

const uint8_t *client_config_psk(const struct client_config *c, unsigned i)
{
    return c->router[i].has_psk ? c->router[i].psk : c->psk;
}

/* not_own() - a router's key that is the client's own: both were made on one machine and mixed up
 */
static void not_own(struct conf *f, const struct client_config *c, const void *obj, const char *key,
                    const uint8_t *router_key)
{
    uint8_t own[KEY_LEN];

    if ((!conf_ok(f, c, "private_key_file") && !conf_ok(f, c, "private_key")) ||
        !conf_ok(f, obj, key))
        return;
    crypto_scalarmult_base(own, c->private_key);
    if (memcmp(own, router_key, KEY_LEN) == 0)
        conf_problem(f, conf_mark_of(f, obj, key),
                     "%s: this is the client's own key; allowed: what `sixtap-router "
                     "pubkey` prints for the "
                     "router's private key",
                     key);
}

/* one_router() - the short form: both of its keys */
static void one_router(struct conf *f, const struct client_config *c)
{
    static const struct {
        const char *key, *help;
    } need[] = { { "router", ROUTER_HELP }, { "router_key", ROUTER_KEY_HELP } };

    for (size_t i = 0; i < sizeof(need) / sizeof(need[0]); i++)
        if (!conf_given(f, c, need[i].key))
            conf_problem(f, conf_mark_of(f, c, NULL), "%s is missing: %s", need[i].key,
                         need[i].help);
    not_own(f, c, c, "router_key", c->router[0].key);
}

/* router_list() - the long form: not empty, no entry twice, and not mixed with the short one */
static void router_list(struct conf *f, const struct client_config *c)
{
    static const char *const secrets[] = { "psk", "psk_file", NULL };
    static const char *const forms[][3] = { { "routers", "router", NULL },
                                            { "routers", "router_key", NULL } };

    conf_one_of(f, c, forms[0]);
    conf_one_of(f, c, forms[1]);
    if (conf_ok(f, c, "routers") && c->n_list == 0)
        conf_problem(
            f, conf_mark_of(f, c, "routers"),
            "routers: the list is empty; allowed: 1..%u of { address: HOST:PORT, key: KEY }",
            CONFIG_ROUTERS);
    for (unsigned i = 0; c->list && i < c->n_list; i++) {
        const struct client_router *r = &c->list[i];
        conf_one_of(f, r, secrets);
        conf_warn_secret(f, r, "psk");
        not_own(f, c, r, "key", r->key);
        for (unsigned k = 0; k < i; k++)
            if (conf_ok(f, r, "address") && conf_ok(f, &c->list[k], "address") &&
                strcmp(r->host, c->list[k].host) == 0 && r->port == c->list[k].port)
                conf_problem(f, conf_mark_of(f, r, "address"),
                             "routers.address: the same as on line %u",
                             conf_mark_of(f, &c->list[k], "address").line);
    }
}

static void check(struct conf *f, const struct client_config *c)
{
    static const char *const keys[] = { "private_key_file", "private_key", NULL };
    static const char *const secrets[] = { "psk", "psk_file", "join_secret", "join_secret_file",
                                           NULL };
    conf_one_of(f, c, keys);
    conf_one_of(f, c, secrets);
    if (!conf_given(f, c, keys[0]) && !conf_given(f, c, keys[1]))
        conf_problem(f, (struct conf_mark){ 1, 1, 0 },
                     "private_key_file is missing: the file that `sixtap-client keygen` made");
    conf_warn_secret(f, c, "private_key");
    conf_warn_secret(f, c, "psk");
    conf_warn_secret(f, c, "join_secret");
    if (c->keepalive_s && c->keepalive_s < KEEPALIVE_ADVISED_S)
        conf_warn(f, conf_mark_of(f, c, "keepalive"),
                  "keepalive: RFC 8085 advises %u s or more; less is for a NAT or firewall that "
                  "forgets sooner",
                  KEEPALIVE_ADVISED_S);
    if (conf_given(f, c, "routers"))
        router_list(f, c);
    else
        one_router(f, c);
}

/* take_list() - the list becomes the routers */
static void take_list(struct client_config *c)
{
    if (c->list && c->n_list && c->n_list <= CONFIG_ROUTERS) {
        memcpy(c->router, c->list, c->n_list * sizeof(c->list[0]));
        c->n_routers = c->n_list;
    }
    if (c->list)
        sodium_memzero(c->list, c->n_list * sizeof(c->list[0]));
    free(c->list);
    c->list = NULL;
    c->n_list = 0;
}

/* Take what was read into @c, or tell how many problems there were. Ends @f. */
static int conclude(struct conf *f, struct client_config *c, struct client_config *ret, FILE *err)
{
    if (!f) {
        fprintf(err, "memory is out\n");
        return 1;
    }
    if (conf_usable(f))
        check(f, c);
    unsigned problems = conf_problems(f);
    conf_free(f);
    take_list(c);
    if (!problems) {
        client_config_finish(c);
        *ret = *c;
    }
    client_config_free(c);
    return (int)problems;
}

int client_config_load(struct client_config *ret, const char *path, FILE *err)
{
    struct client_config c;
    client_config_defaults(&c);
    return conclude(conf_read_file(path, client_keys, &c, err), &c, ret, err);
}

int client_config_parse(struct client_config *ret, const char *path, const uint8_t *text,
                        size_t len, FILE *err)
{
    struct client_config c;
    client_config_defaults(&c);
    return conclude(conf_read_text(path, text, len, client_keys, &c, err), &c, ret, err);
}

void client_config_free(struct client_config *c)
{
    if (c)
        sodium_memzero(c, sizeof(*c));
}
