/* SPDX-License-Identifier: MIT */
/* config.c - router.yaml: its keys, its defaults, and the checks that need more than one key */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/host/scalar.h"
#include "proto/host/yaml.h"
#include "router/clients_dir.h"
#include "proto/mac.h"
#include "router/config.h"
#include "router/config_clients.h"
#include "router/displaced.h"

#define AT(field)  CONF_AT(struct router_config, field)
#define AUX(field) .aux = offsetof(struct router_config, field)

static const char *const addressing_words[] = { "stable", "eui64", NULL };
static const char *const uplink_words[] = { "none", "routed", "ndproxy", "nat66", NULL };
static const char *const access_words[] = { "listed", "open", NULL };
static const char *const preference_words[] = { "low", "medium", "high", NULL };

static const struct conf_key uplink_keys[] = {
    { "mode", CONF_ENUM, AT(uplink), .words = uplink_words, .def = "none",
      .help = "none: the segment alone; routed: the prefix is routed to this host; ndproxy: it is "
              "on link at the WAN; nat66: clients leave with this host's address" },
    { "device", CONF_IFNAME, AT(uplink_device), .def = "sixtap0",
      .help = "name of the TUN device" },
    { "wan", CONF_IFNAME, AT(wan), .def = "the link of the IPv6 default route",
      .help = "the link to the Internet" },
    { 0 },
};

static const struct conf_key limits_keys[] = {
    { "members", CONF_UINT, AT(max_members), .min = 1, .max = 1000000, .def = "1024",
      .help = "clients that are logged in at the same time" },
    { "logins_per_s", CONF_UINT, AT(logins_per_s), .min = 1, .max = 100000, .unit = "a second",
      .def = "200", .help = "logins above this rate need a cookie first", .live = true },
    { "logins_per_address", CONF_UINT, AT(logins_per_address), .min = 1, .max = 100000,
      .unit = "a second", .def = "20",
      .help = "of those with a cookie, from one IPv4 address; and cookies to it", .live = true },
    { "logins_per_24", CONF_UINT, AT(logins_per_24), .min = 1, .max = 100000, .unit = "a second",
      .def = "100", .help = "likewise, for the 256 addresses of a /24", .live = true },
    { "clients", CONF_UINT, AT(max_clients), .min = 1, .max = 1000000,
      .def = "twice as many as at the start, 1024 at least",
      .help = "clients that can be listed until the next restart" },
    { 0 },
};

static const struct conf_key advertise_keys[] = {
    { "max_interval", CONF_SECONDS, AT(advertise.max_interval_s), .min = 4, .max = 65535,
      .unit = "s", .def = "600", .help = "most time between two advertisements to a client" },
    { "min_interval", CONF_SECONDS, AT(advertise.min_interval_s), .min = 3, .max = 49151,
      .unit = "s", .def = "three quarters of max_interval",
      .help = "least time between two that nobody asked for" },
    { "lifetime", CONF_SECONDS, AT(advertise.lifetime_s), .min = 0, .max = 65535, .unit = "s",
      .def = "three times max_interval",
      .help = "how long the router is a default router; 0: never" },
    { "reachable", CONF_UINT, AT(advertise.reachable_ms), .min = 0, .max = 3600000, .unit = "ms",
      .def = "0", .help = "how long a confirmed neighbor counts as reachable; 0: hosts' own" },
    { "retrans", CONF_UINT, AT(advertise.retrans_ms), .min = 0, .max = 3600000, .unit = "ms",
      .def = "0", .help = "time between solicitations that are repeated; 0: hosts' own" },
    { "hop_limit", CONF_UINT, AT(advertise.hop_limit), .min = 0, .max = 255, .def = "64",
      .help = "hop limit of what hosts send; 0: hosts' own" },
    { "valid", CONF_SECONDS, AT(advertise.valid_s), .min = 0, .max = UINT32_MAX, .unit = "s",
      .def = "86400", .help = "valid lifetime of the prefix" },
    { "preferred", CONF_SECONDS, AT(advertise.preferred_s), .min = 0, .max = UINT32_MAX,
      .unit = "s", .def = "14400", .help = "preferred lifetime of the prefix, at most valid" },
    { 0 },
};

#define CLIENT_AT(field)  CONF_AT(struct router_client, field)
#define CLIENT_AUX(field) .aux = offsetof(struct router_client, field)

static const struct conf_key client_keys[] = {
    { "name", CONF_NAME, CLIENT_AT(name), .required = true,
      .help = "how logs and status call the client", .live = true },
    { "public_key", CONF_KEY, CLIENT_AT(public_key), .required = true,
      .help = "what `sixtap-client pubkey` prints", .live = true },
    { "address", CONF_IP6, CLIENT_AT(address), .def = "by its key",
      .help = "its address in the prefix; needs addressing: stable", .live = true },
    { "delegate", CONF_PREFIX_LIST, CLIENT_AT(delegate), CLIENT_AUX(n_delegate),
      .max = DELEGATED_PER_MEMBER, .def = "[]",
      .help =
          "prefixes (/16 to /126) for the networks behind it, routed to it while it is on line, "
          "else unreachable; the first ones of a router need a restart",
      .live = true },
    { "psk", CONF_SECRET, CLIENT_AT(psk), CLIENT_AUX(has_psk),
      .help = "a secret shared with this client alone, in place of join_secret", .live = true },
    { "psk_file", CONF_KEY_FILE, CLIENT_AT(psk), CLIENT_AUX(has_psk), .help = "the same, in a file",
      .live = true },
    { 0 },
};

static const struct conf_key router_keys[] = {
    { "listen", CONF_ENDPOINT, AT(listen), .def = "0.0.0.0:6464",
      .help = "UDP address and port; 0.0.0.0 is every address and needs public_address" },
    { "public_address", CONF_ADDRESS4, AT(public_ep), .def = "the address of listen",
      .help = "what clients see when this host is behind 1:1 NAT or listens on 0.0.0.0; port as "
              "listen's if left out" },
    { "private_key_file", CONF_KEY_FILE, AT(private_key), .required = true,
      .help = "the file that `sixtap-router keygen` made" },
    { "prefix", CONF_PREFIX, AT(prefix), .min = 48, .max = 126,
      .def = "a ULA /64 derived from the router's key",
      .help =
          "the IPv6 prefix of the segment; addressing: eui64 needs a /64; another one at a reload: "
          "clients keep what they have in the old one for up to 2 h; with routed or nat66 only if "
          "a "
          "client has delegate:, else at a restart",
      .live = true },
    { "address", CONF_IP6, AT(address), .def = "the prefix's ::1",
      .help = "the router's own address in the prefix", .live = true },
    { "addressing", CONF_ENUM, AT(addressing), .words = addressing_words, .def = "stable",
      .help = "stable: by the client's key; eui64: by its public IPv4 address and port, which it "
              "publishes" },
    { "uplink", CONF_MAP, .keys = uplink_keys, .help = "the way out of the segment" },
    { "access", CONF_ENUM, AT(access), .words = access_words, .def = "listed",
      .help = "listed: the keys under clients; open: any key" },
    { "join_secret", CONF_SECRET, AT(join_secret), AUX(has_join_secret),
      .help = "a secret that every client without a psk of its own must know" },
    { "join_secret_file", CONF_KEY_FILE, AT(join_secret), AUX(has_join_secret),
      .help = "the same, in a file" },
    { "everyone", CONF_BOOL, AT(everyone), .def = "false",
      .help = "with access: open and no join_secret: yes, everyone is welcome" },
    { "mtu", CONF_UINT, AT(mtu), .min = INNER_MTU_MIN, .max = INNER_MTU_MAX, .unit = "octets",
      .def = "what the path allows", .help = "largest IPv6 packet" },
    { "keepalive", CONF_SECONDS, AT(keepalive_s), .min = KEEPALIVE_MIN_S, .max = KEEPALIVE_MAX_S,
      .unit = "s", .def = "20",
      .help = "how often an idle client is heard; three times this long in silence ends it" },
    { "multicast", CONF_BOOL, AT(multicast), .def = "false",
      .help =
          "multicast between clients, to those who listen (MLD), limited per client; a client's "
          "own firewall: still drops what its allow: does not name" },
    { "isolate", CONF_BOOL, AT(isolate), .def = "false",
      .help = "clients reach the router and its uplink, but not one another" },
    { "log_endpoints", CONF_BOOL, AT(log_endpoints), .def = "true",
      .help = "false: no client's IPv4 address, port or MAC in the log", .live = true },
    { "lease", CONF_SECONDS, AT(lease_s), .min = 0, .max = 86400, .unit = "s", .def = "3600",
      .help = "how long a client that is gone has a right to its MAC", .live = true },
    { "dns", CONF_IP6_LIST, AT(dns), AUX(n_dns), .max = 4, .def = "[]",
      .help = "resolvers told to clients", .live = true },
    { "search", CONF_DOMAIN_LIST, AT(search), AUX(n_search), .max = SEARCH_MAX,
      .item_size = SEARCH_LEN + 1, .def = "[]", .help = "search domains told to clients",
      .live = true },
    { "routes", CONF_PREFIX_LIST, AT(routes), AUX(n_routes), .max = ROUTES_MAX, .def = "[]",
      .help = "more prefixes that clients reach through the router", .live = true },
    { "preference", CONF_ENUM, AT(preference), .words = preference_words, .def = "low",
      .help = "of the default route, against other routers a client meets (RFC 4191)",
      .live = true },
    { "advertise", CONF_MAP, .keys = advertise_keys,
      .help = "what Router Advertisements say and how often they come (RFC 4861)" },
    { "limits", CONF_MAP, .keys = limits_keys, .help = "sizes and rates" },
    { "priority", CONF_ENUM, AT(priority), .words = priority_words, .def = "high",
      .help = PRIORITY_HELP },
    { "control", CONF_CONTROL, AT(control), .def = "@sixtap-router-DEVICE",
      .help = "the socket that `sixtap-router status` asks" },
    { "clients", CONF_LIST, .off = offsetof(struct router_config, clients), AUX(n_clients),
      .max = CLIENTS_MAX, .keys = client_keys, .item_size = sizeof(struct router_client),
      .def = "[]", .help = "who may log in", .live = true },
    { "clients_dir", CONF_PATH, AT(clients_dir), .def = "clients.d",
      .help = "a directory with more clients, one in each file NAME.yaml with the keys of an entry "
              "of clients",
      .live = true },
    { 0 },
};

const struct conf_key *router_config_client_table(void)
{
    return client_keys;
}

const char *uplink_mode_name(enum uplink_mode mode)
{
    return uplink_words[mode];
}

const struct conf_key *router_config_table(void)
{
    return router_keys;
}

void router_config_defaults(struct router_config *c)
{
    memset(c, 0, sizeof(*c));
    c->listen.port = be16_of(6464);
    c->keepalive_s = KEEPALIVE_DEFAULT_S;
    c->lease_s = LEASE_LIFE / NS_PER_S;
    c->log_endpoints = true;
    c->advertise = (struct advertise){ .max_interval_s = 600,
                                       .lifetime_s = ADVERTISE_AUTO,
                                       .valid_s = 86400,
                                       .preferred_s = 14400,
                                       .hop_limit = 64 };
    c->max_members = 1024;
    c->logins_per_s = 200;
    c->logins_per_address = 20;
    c->logins_per_24 = 100;
    memcpy(c->uplink_device, "sixtap0", sizeof("sixtap0"));
}

/* A locally assigned /64 that is the same at every start and needs no state: fd and 56 bits of a
 * hash. Source: RFC 4193 3.2 (40 bits of global identifier, here followed by 16 of subnet) */
static struct prefix derive_ula(const uint8_t public_key[KEY_LEN])
{
    static const uint8_t label[crypto_generichash_KEYBYTES] = "sixtap ula prefix";
    uint8_t hash[crypto_generichash_BYTES_MIN];
    struct prefix p = { .len = 64 };
    crypto_generichash(hash, sizeof(hash), public_key, KEY_LEN, label, sizeof(label));
    p.addr.b[0] = 0xfd;
    memcpy(p.addr.b + 1, hash, 7);
    return p;
}

void router_config_finish(struct router_config *c)
{
    if (!sodium_is_zero(c->private_key, KEY_LEN))
        crypto_scalarmult_base(c->public_key, c->private_key);
    if (be32_get(c->public_ep.ip) == 0)
        c->public_ep.ip = c->listen.ip;
    if (be16_get(c->public_ep.port) == 0)
        c->public_ep.port = c->listen.port;
    if (c->prefix.len == 0)
        c->prefix = derive_ula(c->public_key);
    if (sodium_is_zero(c->address.b, IP6_LEN)) {
        c->address = c->prefix.addr;
        c->address.b[IP6_LEN - 1] |= 1;
    }
    struct advertise *adv = &c->advertise;
    if (adv->min_interval_s == 0) /* 600 s and 450 s: 7 an hour (RFC 7772 4) */
        adv->min_interval_s = adv->max_interval_s * 3 / 4;
    if (adv->lifetime_s == ADVERTISE_AUTO)
        adv->lifetime_s =
            adv->max_interval_s * 3 < UINT16_MAX ? adv->max_interval_s * 3 : UINT16_MAX;
    if (!c->control[0])
        snprintf(c->control, sizeof(c->control), "@sixtap-router-%s", c->uplink_device);
    for (unsigned i = 0; i < c->n_clients; i++)
        c->clients[i].has_address = !ip6_is_unspecified(c->clients[i].address);
}

/* ---- checks that need more than one key ---- */

/* The mark of @key, or of the whole when it is not there. */
static struct conf_mark mark_or_top(struct conf *f, const struct router_config *c, const char *key)
{
    return conf_mark_of(f, c, conf_given(f, c, key) ? key : NULL);
}

static void check_addresses(struct conf *f, const struct router_config *c)
{
    bool wildcard = be32_get(c->listen.ip) == 0;
    bool listen_bad = conf_given(f, c, "listen") && !conf_ok(f, c, "listen");
    if (wildcard && !listen_bad && !conf_given(f, c, "public_address"))
        conf_problem(f, mark_or_top(f, c, "listen"),
                     "listen: 0.0.0.0 is every address of this host; add public_address: the IPv4 "
                     "address that "
                     "clients see");
    if (conf_ok(f, c, "public_address") && be32_get(c->public_ep.ip) == 0)
        conf_problem(f, conf_mark_of(f, c, "public_address"),
                     "public_address: 0.0.0.0 is not the address of a host");
}

const char *router_prefix_misuse(const struct prefix *p)
{
    const uint8_t *b = p->addr.b;
    if (b[0] == 0xff)
        return "multicast addresses";
    if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
        return "link-local addresses";
    if (b[0] == 0)
        return "reserved addresses (0000::/8)";
    return NULL;
}

static void check_prefix(struct conf *f, const struct router_config *c)
{
    char text[IP6_TEXT_LEN];
    if (!conf_ok(f, c, "prefix"))
        return;
    const char *misuse = router_prefix_misuse(&c->prefix);
    inet_ntop(AF_INET6, c->prefix.addr.b, text, sizeof(text));
    if (misuse)
        conf_problem(f, conf_mark_of(f, c, "prefix"),
                     "prefix: %s/%u holds %s; allowed: global or unique local ones", text,
                     c->prefix.len, misuse);
    if (c->addressing == ADDRESSING_EUI64 && c->prefix.len != 64)
        conf_problem(f, conf_mark_of(f, c, "addressing"),
                     "addressing: eui64 needs a /64, but prefix on line %u is %s/%u; allowed: a "
                     "/64, or stable",
                     conf_mark_of(f, c, "prefix").line, text, c->prefix.len);
}

static void check_address(struct conf *f, const struct router_config *c)
{
    char text[IP6_TEXT_LEN], prefix[IP6_TEXT_LEN];
    /* a prefix that was refused says nothing about the address */
    if (!conf_ok(f, c, "address") || (conf_given(f, c, "prefix") && !conf_ok(f, c, "prefix")))
        return;
    struct conf_mark at = conf_mark_of(f, c, "address");
    inet_ntop(AF_INET6, c->address.b, text, sizeof(text));
    inet_ntop(AF_INET6, c->prefix.addr.b, prefix, sizeof(prefix));
    if (!conf_given(f, c, "prefix"))
        conf_problem(f, at, "address: %s without prefix; give the prefix it belongs to", text);
    else if (!ip6_in(c->address, c->prefix))
        conf_problem(f, at, "address: %s is not inside prefix %s/%u", text, prefix, c->prefix.len);
    else if (ip6_eq(c->address, c->prefix.addr))
        conf_problem(f, at,
                     "address: %s is the anycast address of all routers of %s/%u; allowed: another "
                     "one of it",
                     text, prefix, c->prefix.len);
}

/* What clients would refuse to take (wire_settings.c), or could never use. */
static void check_routes(struct conf *f, const struct router_config *c)
{
    char text[IP6_TEXT_LEN], link[IP6_TEXT_LEN];
    struct conf_mark at = conf_mark_of(f, c, "routes");
    bool prefix_known = conf_ok(f, c, "prefix");

    ip6_text(link, c->prefix.addr);
    for (unsigned i = 0; i < c->n_routes; i++) {
        const struct prefix *p = &c->routes[i];
        if (p->len == 0)
            continue; /* what stood there was refused */
        ip6_text(text, p->addr);
        if (!ip6_routable(*p))
            conf_problem(f, at,
                         "routes: %s/%u cannot be routed; allowed: global or unique local "
                         "prefixes",
                         text, p->len);
        else if (prefix_known && p->len >= c->prefix.len && ip6_in(p->addr, c->prefix))
            conf_problem(f, at,
                         "routes: %s/%u lies in prefix %s/%u, which is the link of all clients; "
                         "allowed: prefixes outside it",
                         text, p->len, link, c->prefix.len);
    }
}

static void check_access(struct conf *f, const struct router_config *c)
{
    static const char *const join[] = { "join_secret", "join_secret_file", NULL };
    bool secret = conf_given(f, c, join[0]) || conf_given(f, c, join[1]);
    conf_one_of(f, c, join);
    if (c->keepalive_s < KEEPALIVE_ADVISED_S)
        conf_warn(f, conf_mark_of(f, c, "keepalive"),
                  "keepalive: RFC 8085 advises %u s or more; less is for NATs and firewalls that "
                  "forget sooner",
                  KEEPALIVE_ADVISED_S);
    conf_warn_secret(f, c, join[0]);
    if (c->access == ACCESS_OPEN && !secret && !conf_given(f, c, "everyone"))
        conf_problem(f, conf_mark_of(f, c, "access"),
                     "access: open lets any key in; add join_secret, or everyone: true if that is "
                     "what you want");
    if (!c->everyone) {
        if (c->access == ACCESS_OPEN && !secret && conf_ok(f, c, "everyone"))
            conf_problem(f, conf_mark_of(f, c, "everyone"),
                         "everyone: false, with access: open and no join_secret; allowed: true, or "
                         "a join_secret");
        return;
    }
    if (c->access != ACCESS_OPEN && (conf_ok(f, c, "access") || !conf_given(f, c, "access")))
        conf_problem(f, conf_mark_of(f, c, "everyone"), "everyone: true needs access: open");
    if (secret)
        conf_problem(f, conf_mark_of(f, c, "everyone"), "everyone: true and %s exclude one another",
                     conf_given(f, c, join[0]) ? join[0] : join[1]);
}

/* Source: RFC 4861 6.2.1, RFC 8319 4 */
static void check_advertise(struct conf *f, const struct router_config *c)
{
    const struct advertise *adv = &c->advertise;

    if (adv->min_interval_s > adv->max_interval_s * 3 / 4 &&
        conf_ok(f, c, "advertise.min_interval"))
        conf_problem(f, conf_mark_of(f, c, "advertise.min_interval"),
                     "advertise.min_interval: %u s is more than three quarters of max_interval "
                     "(%u s); allowed: 3..%u s",
                     adv->min_interval_s, adv->max_interval_s, adv->max_interval_s * 3 / 4);
    if (adv->lifetime_s && adv->lifetime_s < adv->max_interval_s &&
        conf_ok(f, c, "advertise.lifetime"))
        conf_problem(f, conf_mark_of(f, c, "advertise.lifetime"),
                     "advertise.lifetime: %u s would end before the next advertisement "
                     "(max_interval %u s); allowed: 0, or %u..65535 s",
                     adv->lifetime_s, adv->max_interval_s, adv->max_interval_s);
    if (adv->preferred_s > adv->valid_s)
        conf_problem(f, mark_or_top(f, c, "advertise.preferred"),
                     "advertise.preferred: %u s is more than valid (%u s); allowed: 0..%u s",
                     adv->preferred_s, adv->valid_s, adv->valid_s);
}

static int by_name(const void *a, const void *b, void *clients)
{
    unsigned i = *(const unsigned *)a, j = *(const unsigned *)b;
    const struct router_client *c = clients;
    int d = strcmp(c[i].name, c[j].name);
    return d ? d : (i > j) - (i < j);
}

static int by_key(const void *a, const void *b, void *clients)
{
    unsigned i = *(const unsigned *)a, j = *(const unsigned *)b;
    const struct router_client *c = clients;
    int d = memcmp(c[i].public_key, c[j].public_key, KEY_LEN);
    return d ? d : (i > j) - (i < j);
}

static void twice(struct conf *f, const char *key, const struct router_client *first,
                  const struct router_client *second)
{
    struct conf_mark at = conf_mark_of(f, second, key);
    char place[CLIENTS_DIR_LEN + 300];

    conf_problem(f, at, "clients.%s: the same as %s; every client needs its own", key,
                 conf_place(f, conf_mark_of(f, first, key), at, place, sizeof(place)));
}

/* Equal names and keys stand side by side when sorted, in the order of the file. */
static void check_unique(struct conf *f, const struct router_config *c)
{
    unsigned *order = calloc(c->n_clients + 1, sizeof(*order));
    if (!order) {
        conf_problem(f, (struct conf_mark){ 0 }, "memory is out");
        return;
    }
    for (unsigned i = 0; i < c->n_clients; i++)
        order[i] = i;
    qsort_r(order, c->n_clients, sizeof(*order), by_name, c->clients);
    for (unsigned i = 1; i < c->n_clients; i++) {
        const struct router_client *x = &c->clients[order[i - 1]], *y = &c->clients[order[i]];
        if (y->name[0] && strcmp(x->name, y->name) == 0)
            twice(f, "name", x, y);
    }
    qsort_r(order, c->n_clients, sizeof(*order), by_key, c->clients);
    for (unsigned i = 1; i < c->n_clients; i++) {
        const struct router_client *x = &c->clients[order[i - 1]], *y = &c->clients[order[i]];
        if (conf_ok(f, y, "public_key") && memcmp(x->public_key, y->public_key, KEY_LEN) == 0)
            twice(f, "public_key", x, y);
    }
    free(order);
}

static void check_clients(struct conf *f, const struct router_config *c)
{
    static const char *const psk[] = { "psk", "psk_file", NULL };
    uint8_t own[KEY_LEN] = { 0 };
    if (conf_ok(f, c, "private_key_file"))
        crypto_scalarmult_base(own, c->private_key);
    for (unsigned i = 0; i < c->n_clients; i++) {
        const struct router_client *m = &c->clients[i];
        conf_one_of(f, m, psk);
        conf_warn_secret(f, m, psk[0]);
        if (conf_ok(f, m, "public_key") && memcmp(m->public_key, own, KEY_LEN) == 0)
            conf_problem(f, conf_mark_of(f, m, "public_key"),
                         "clients.public_key: this is the router's own key; allowed: what "
                         "`sixtap-client pubkey` "
                         "prints for the client's private key");
    }
    check_unique(f, c);
    if (c->max_clients && c->n_clients > c->max_clients)
        conf_problem(f, conf_mark_of(f, c, "limits.clients"),
                     "limits.clients: %u, but %u are listed; allowed: %u and more", c->max_clients,
                     c->n_clients, c->n_clients);
    check_given(f, c, conf_ok(f, c, "prefix"));
    bool nobody = c->n_clients == 0 && c->access == ACCESS_LISTED && !c->inviting;
    if (nobody && conf_problems(f) == 0)
        conf_warn(f, mark_or_top(f, c, "clients"), "clients: none, so nobody can log in");
    if (conf_problems(f) == 0)
        displaced_warn(f, c);
}

static void check(struct conf *f, const struct router_config *c)
{
    check_addresses(f, c);
    check_prefix(f, c);
    check_address(f, c);
    check_routes(f, c);
    check_access(f, c);
    check_advertise(f, c);
    check_clients(f, c);
}

/* ---- loading ---- */

/* Room for @more clients behind those there are; marks of the moved ones move with them. */
static bool grow_clients(struct conf *f, struct router_config *c, unsigned more)
{
    size_t old = c->n_clients * sizeof(*c->clients), new = old + more * sizeof(*c->clients);
    struct router_client *p = calloc(1, new);

    if (!p)
        return false;
    if (old) {
        memcpy(p, c->clients, old);
        conf_moved(f, c->clients, p, old);
        sodium_memzero(c->clients, old);
    }
    free(c->clients);
    c->clients = p;
    return true;
}

static void read_clients_dir(struct conf *f, struct router_config *c)
{
    char path[CLIENTS_DIR_LEN + NAME_MAX + 2], **names;
    unsigned n;
    int err = clients_dir_list(c->clients_dir, &names, &n);

    if (err == -ENOENT && c->clients_dir_default)
        return;
    if (err) {
        conf_problem(f, conf_mark_of(f, c, "clients_dir"), "clients_dir: %s: %s", c->clients_dir,
                     strerror(-err));
        return;
    }
    if (c->n_clients + n > CLIENTS_MAX)
        conf_problem(f, conf_mark_of(f, c, "clients_dir"), "clients_dir: %u clients; at most %u",
                     c->n_clients + n, CLIENTS_MAX);
    else if (n && !grow_clients(f, c, n))
        conf_problem(f, (struct conf_mark){ 0 }, "memory is out");
    else
        for (unsigned i = 0; i < n; i++) {
            snprintf(path, sizeof(path), "%s/%s", c->clients_dir, names[i]);
            conf_add_file(f, path, client_keys, &c->clients[c->n_clients++]);
        }
    clients_dir_free(names, n);
}

/* Take what was read into @c, or tell how many problems there were. Ends @f. */
static int conclude(struct conf *f, const char *path, struct router_config *c,
                    struct router_config *ret, FILE *err)
{
    if (!f) {
        fprintf(err, "memory is out\n");
        return 1;
    }
    if (conf_usable(f)) {
        clients_dir_finish(c, path);
        read_clients_dir(f, c);
        check(f, c);
    }
    unsigned problems = conf_problems(f);
    conf_free(f);
    if (problems) {
        router_config_free(c);
        return (int)problems;
    }
    router_config_finish(c);
    *ret = *c;
    sodium_memzero(c, sizeof(*c));
    return 0;
}

int router_config_load(struct router_config *ret, const char *path, FILE *err)
{
    struct router_config c;
    router_config_defaults(&c);
    return conclude(conf_read_file(path, router_keys, &c, err), path, &c, ret, err);
}

int router_config_load_to_invite(struct router_config *ret, const char *path, FILE *err)
{
    struct router_config c;
    router_config_defaults(&c);
    c.inviting = true;
    return conclude(conf_read_file(path, router_keys, &c, err), path, &c, ret, err);
}

bool router_config_public_key(uint8_t ret[KEY_LEN], const char *text, const char *name, FILE *err)
{
    const struct conf_key *key = client_keys;
    const struct scalar in = { .text = text, .len = strlen(text), .file = "" };
    struct router_client c = { 0 };
    char why[SCALAR_WHY_LEN];

    while (strcmp(key->name, "public_key") != 0)
        key++;
    if (!scalar_take(key, &in, &c, why)) {
        fprintf(err, "%s: %s\n", name, why);
        return false;
    }
    memcpy(ret, c.public_key, KEY_LEN);
    return true;
}

int router_config_parse(struct router_config *ret, const char *path, const uint8_t *text,
                        size_t len, FILE *err)
{
    struct router_config c;
    router_config_defaults(&c);
    return conclude(conf_read_text(path, text, len, router_keys, &c, err), path, &c, ret, err);
}

static FILE *nowhere(void)
{
    return fopen("/dev/null", "w");
}

void router_config_peek(struct router_config *ret, const char *path)
{
    FILE *err = nowhere();

    router_config_defaults(ret);
    struct conf *f = err ? conf_read_file(path, router_keys, ret, err) : NULL;
    conf_free(f);
    clients_dir_finish(ret, path);
    router_config_finish(ret);
    if (err)
        fclose(err);
}

int router_config_control(const char *path, char ret[108], FILE *err)
{
    struct router_config c;
    FILE *no = nowhere();
    int problems = 0;

    router_config_defaults(&c);
    struct conf *f = no ? conf_read_file(path, router_keys, &c, no) : NULL;
    bool given = f && conf_usable(f) && conf_given(f, &c, "control");
    const char *key = given ? "control" : "uplink.device";
    if (!f || !conf_usable(f) || (conf_given(f, &c, key) && !conf_ok(f, &c, key))) {
        conf_free(f);
        router_config_free(&c);
        problems = router_config_load(&c, path, err); /* which says what is wrong with it */
        problems += problems == 0;                    /* mended meanwhile */
    } else {
        conf_free(f);
        router_config_finish(&c);
        memcpy(ret, c.control, sizeof(c.control));
    }
    router_config_free(&c);
    if (no)
        fclose(no);
    return problems;
}

/* The name and the key in a file of the directory; "" and zero when it has none. */
static void read_names(const char *file, char name[CLIENT_NAME_MAX + 1], uint8_t key[KEY_LEN])
{
    struct router_client c = { 0 };
    FILE *err = nowhere();

    conf_free(err ? conf_read_file(file, client_keys, &c, err) : NULL);
    memcpy(name, c.name, sizeof(c.name));
    memcpy(key, c.public_key, KEY_LEN);
    sodium_memzero(&c, sizeof(c));
    if (err)
        fclose(err);
}

/* Keep the nearest name seen so far in @best. */
static void nearer(const char *word, const char *name, char *best)
{
    const char *two[] = { best, name, NULL };
    const char *near = conf_closest(word, *best ? two : two + 1);

    if (near && near != best)
        memcpy(best, name, strlen(name) + 1);
}

static int where_in_file(const char *path, const char *name, char *best)
{
    struct router_config c;
    FILE *err = nowhere();
    int line = -1;

    router_config_defaults(&c);
    struct conf *f = err ? conf_read_file(path, router_keys, &c, err) : NULL;
    for (unsigned i = 0; f && i < c.n_clients && line < 0; i++) {
        if (strcmp(c.clients[i].name, name) == 0)
            line = (int)conf_mark_of(f, &c.clients[i], "name").line;
        else
            nearer(name, c.clients[i].name, best);
    }
    conf_free(f);
    router_config_free(&c);
    if (err)
        fclose(err);
    return line;
}

/* Is @file, which holds no name, called as the file of client @name is? */
static bool called(const char *file, const char *name)
{
    size_t len = strlen(name);

    return strncmp(file, name, len) == 0 && strcmp(file + len, CLIENTS_DIR_SUFFIX) == 0;
}

int router_config_where(const char *path, const char *name, char *ret_file,
                        uint8_t ret_key[KEY_LEN])
{
    struct router_config c;
    char here[CLIENT_NAME_MAX + 1], best[CLIENT_NAME_MAX + 1] = "", **names = NULL;
    unsigned n = 0;
    bool found = false;

    router_config_peek(&c, path);
    if (clients_dir_list(c.clients_dir, &names, &n) == 0) {
        for (unsigned i = 0; i < n && !found; i++) {
            snprintf(ret_file, CLIENTS_DIR_LEN + 300, "%s/%s", c.clients_dir, names[i]);
            read_names(ret_file, here, ret_key);
            found = *here ? strcmp(here, name) == 0 : called(names[i], name);
            if (!found)
                nearer(name, here, best);
        }
        clients_dir_free(names, n);
    }
    router_config_free(&c);
    if (found)
        return 0;
    memset(ret_key, 0, KEY_LEN);
    int line = where_in_file(path, name, best);
    snprintf(ret_file, CLIENTS_DIR_LEN + 300, "%s", line > 0 ? path : best);
    return line;
}

void router_config_free_clients(struct router_config *c)
{
    if (c->clients)
        sodium_memzero(c->clients, c->n_clients * sizeof(*c->clients));
    free(c->clients);
    c->clients = NULL;
    c->n_clients = 0;
}

void router_config_free(struct router_config *c)
{
    if (!c)
        return;
    router_config_free_clients(c);
    sodium_memzero(c, sizeof(*c));
}
