/* SPDX-License-Identifier: MIT */
/* config.c - client.yaml: its keys, its defaults, and the checks that need more than one key */
#include <sodium.h>
#include <string.h>

#include "client/config.h"
#include "proto/host/yaml.h"

#define AT(field)  CONF_AT(struct client_config, field)
#define AUX(field) .aux = offsetof(struct client_config, field)

static const char *const configure_words[] = { "netlink", "ra", "none", NULL };

static const struct conf_key client_keys[] = {
    { "router", CONF_HOSTPORT, AT(router_host), AUX(router_port), .required = true,
      .help = "name or IPv4 address of the router, and its UDP port (6464 if left out)" },
    { "router_key", CONF_KEY, AT(router_key), .required = true, .help = "the router's public key" },
    { "private_key_file", CONF_KEY_FILE, AT(private_key), .required = true,
      .help = "the file that `sixtap-client keygen` made" },
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
    c->router_port = 6464;
    c->default_route = true;
    c->metric = 2048;
    c->hold_s = HOLD_DEFAULT_S;
    memcpy(c->device, "tap6", sizeof("tap6"));
}

void client_config_finish(struct client_config *c)
{
    if (!sodium_is_zero(c->private_key, KEY_LEN))
        crypto_scalarmult_base(c->public_key, c->private_key);
    if (!c->control[0])
        snprintf(c->control, sizeof(c->control), "@sixtap-client-%s", c->device);
}

static void check(struct conf *f, const struct client_config *c)
{
    static const char *const secrets[] = { "psk", "psk_file", "join_secret", "join_secret_file",
                                           NULL };
    uint8_t own[KEY_LEN];
    conf_one_of(f, c, secrets);
    conf_warn_secret(f, c, "psk");
    conf_warn_secret(f, c, "join_secret");
    if (!conf_ok(f, c, "private_key_file") || !conf_ok(f, c, "router_key"))
        return;
    crypto_scalarmult_base(own, c->private_key);
    if (memcmp(own, c->router_key, KEY_LEN) == 0)
        conf_problem(f, conf_mark_of(f, c, "router_key"),
                     "router_key: this is the client's own key; allowed: what `sixtap-router "
                     "pubkey` prints for the "
                     "router's private key");
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
