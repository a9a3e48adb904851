/* SPDX-License-Identifier: MIT */
/* config.c - client.yaml: its keys, its defaults, and the checks that need more than one key */
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client/config.h"
#include "proto/host/yaml.h"
#include "proto/mac.h"

#define AT(field)  CONF_AT(struct client_config, field)
#define AUX(field) .aux = offsetof(struct client_config, field)

static const char *const configure_words[] = { "netlink", "ra", "none", NULL };
static const char *const firewall_words[] = { "on", "off", NULL };
static const char *const dns_words[] = { "auto", "off", NULL };
static const char *const privilege_words[] = { "none", "all", NULL };

static const struct conf_key lan_keys[] = {
    { "device", CONF_IFNAME, AT(lan), .required = true, .help = "the link to the LAN" },
    { 0 },
};

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
    { "table", CONF_UINT, AT(table), .min = 1, .def = "254",
      .help = "routing table of the default route and of routes (254: main); rules that send "
              "packets to another table are yours to set" },
    { "routes", CONF_PREFIX_LIST, AT(route), AUX(n_route), .max = CONFIG_ROUTES, .def = "none",
      .help = "with configure: netlink, what else goes through the tunnel, beside the router's own "
              "routes" },
    { "lan", CONF_MAP, .keys = lan_keys, .def = "none",
      .help = "the delegated prefix goes to a LAN: address, forwarding" },
    { "firewall", CONF_ENUM, AT(firewall), .words = firewall_words, .def = "on",
      .help = "what the tunnel brings is let in when it belongs to a connection from here, or is "
              "ICMPv6 that IPv6 needs (RFC 4890); off: all of it" },
    { "allow", CONF_PORT_LIST, AT(allow), AUX(n_allow), .max = CONFIG_ALLOW, .def = "none",
      .help = "with firewall: on, ports of this host that are open to the world all the same" },
    { "netns", CONF_NAME, AT(netns), .def = "the client's own",
      .help = "network namespace for the device, as `ip netns add` made it; the UDP socket stays" },
    { "bind_device", CONF_IFNAME, AT(bind_device), .def = "any",
      .help = "the only link that the outer UDP may use" },
    { "fwmark", CONF_UINT, AT(fwmark), .def = "0",
      .help = "mark on the outer UDP, for rules of routing and packet filters; 0: none" },
    { "dns", CONF_ENUM, AT(dns), .words = dns_words, .def = "auto",
      .help = "auto: the router's resolvers and search domains go to resolvectl or resolvconf, "
              "whichever is there" },
    { "on_up", CONF_PATH, AT(on_up), .def = "none",
      .help = "program to run when the tunnel has come up" },
    { "on_down", CONF_PATH, AT(on_down), .def = "none",
      .help = "program to run when it has gone down, or the client ends" },
    { "on_change", CONF_PATH, AT(on_change), .def = "none",
      .help = "program to run when addresses, prefixes, routes, DNS, MTU or router are others" },
    { "hook_timeout", CONF_SECONDS, AT(hook_timeout_s), .min = 1, .max = 300, .unit = "s",
      .def = "10", .help = "how long such a program may run before it is killed" },
    { "hook_privileges", CONF_ENUM, AT(hook_privileges), .words = privilege_words, .def = "none",
      .help = "none: on_up, on_down and on_change run without capabilities; all: with those that "
              "the client was started with" },
    { "keepalive", CONF_SECONDS, AT(keepalive_s), .min = KEEPALIVE_MIN_S, .max = KEEPALIVE_MAX_S,
      .unit = "s", .def = "what the router says",
      .help = "how often an idle tunnel is kept alive" },
    { "hold", CONF_SECONDS, AT(hold_s), .min = 0, .max = 3600, .unit = "s", .def = "30",
      .help = "how long carrier, addresses and routes stay when the router is lost" },
    { "priority", CONF_ENUM, AT(priority), .words = priority_words, .def = "high",
      .help = PRIORITY_HELP },
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
    c->table = 254;
    c->hook_timeout_s = 10;
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

/* hooks_from_root() - hooks run in /: a name that starts from where this program runs now would be
 * another file's there */
static void hooks_from_root(struct conf *f, struct client_config *c)
{
    static const char *const hook[] = { "on_up", "on_down", "on_change" };
    char *const program[] = { c->on_up, c->on_down, c->on_change };

    for (size_t i = 0; i < sizeof(hook) / sizeof(hook[0]); i++) {
        char here[PATH_MAX], full[sizeof(here) + sizeof(c->on_up) + 1];
        if (!conf_ok(f, c, hook[i]) || program[i][0] == '/')
            continue;
        int n = getcwd(here, sizeof(here)) ? snprintf(full, sizeof(full), "%s/%s", here, program[i])
                                           : -1;
        if (n > 0 && (size_t)n < sizeof(c->on_up))
            memcpy(program[i], full, (size_t)n + 1);
        else
            conf_problem(f, conf_mark_of(f, c, hook[i]), "%s: %s: %s", hook[i], program[i],
                         n < 0 ? strerror(errno) : "with the folder before it, it is too long");
    }
}

static void check_routes(struct conf *f, const struct client_config *c)
{
    char text[IP6_TEXT_LEN];

    for (unsigned i = 0; i < c->n_route; i++)
        if (c->route[i].len && !ip6_routable(c->route[i])) /* 0: what stood there was refused */
            conf_problem(f, conf_mark_of(f, c, "routes"),
                         "routes: %s/%u cannot be routed; allowed: global or unique local prefixes",
                         ip6_text(text, c->route[i].addr), c->route[i].len);
}

/* check_host() - keys that say what is done to this host */
static void check_host(struct conf *f, const struct client_config *c)
{
    static const char *const netlink_only[] = { "table", "routes" };

    for (size_t i = 0; i < sizeof(netlink_only) / sizeof(netlink_only[0]); i++)
        if (conf_ok(f, c, netlink_only[i]) && c->configure != CONFIGURE_NETLINK)
            conf_problem(f, conf_mark_of(f, c, netlink_only[i]), "%s: only with configure: netlink",
                         netlink_only[i]);
    check_routes(f, c);
    if (conf_ok(f, c, "table") && c->table == 255)
        conf_problem(f, conf_mark_of(f, c, "table"), "table: 255 is the kernel's table local");
    if (c->lan[0] && c->configure == CONFIGURE_NONE)
        conf_problem(f, conf_mark_of(f, c, "lan.device"),
                     "lan: not with configure: none; allowed: netlink, ra");
    if (c->lan[0] && strcmp(c->lan, c->device) == 0)
        conf_problem(f, conf_mark_of(f, c, "lan.device"),
                     "lan.device: this is the tunnel's own "
                     "device");
    static const char *const hook[] = { "on_up", "on_down", "on_change" };
    const char *const program[] = { c->on_up, c->on_down, c->on_change };
    for (size_t i = 0; i < sizeof(hook) / sizeof(hook[0]); i++)
        if (conf_ok(f, c, hook[i]) && access(program[i], X_OK) < 0)
            conf_problem(f, conf_mark_of(f, c, hook[i]), "%s: cannot run %s: %s", hook[i],
                         program[i], strerror(errno));
    if (c->n_allow && c->firewall == FIREWALL_OFF)
        conf_warn(f, conf_mark_of(f, c, "allow"), "allow: without effect with firewall: off");
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
    check_host(f, c);
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
    if (conf_usable(f)) {
        hooks_from_root(f, c);
        check(f, c);
    }
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
