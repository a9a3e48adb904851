/* SPDX-License-Identifier: MIT */
/* preflight.c - what about this host would keep the configuration from working */
#include "router/preflight.h"

#include <ctype.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/host/netlink.h"
#include "proto/host/nft.h"
#include "proto/host/priv.h"
#include "proto/host/sysctl.h"
#include "proto/mac.h"

/* ---- looking ---- */

static bool sysctl_is(const char *key, const char *value)
{
    char now[16];
    return sysctl_get(key, now, sizeof(now)) == 0 && strcmp(now, value) == 0;
}

/* The link a route of this host takes to @to, unless it is our own device or the way to everywhere.
 */
static bool link_to(struct nl *nl, const struct router_config *c, struct ip6 to,
                    struct nl_link *ret)
{
    struct nl_route route, anywhere;

    if (nl_route_to(nl, to, &route) < 0 || route.has_via ||
        nl_link_get(nl, route.ifindex, ret) < 0 || strcmp(ret->name, c->uplink_device) == 0 ||
        strcmp(ret->name, "lo") == 0)
        return false;
    /* the default route leads there too, but that is no route to the prefix */
    return nl_route_to(nl, (struct ip6){ { 0x20 } }, &anywhere) < 0 || anywhere.has_via ||
           anywhere.ifindex != route.ifindex;
}

/* Two addresses of the prefix are looked for: one of them may be this host's own. */
static void look_elsewhere(const struct router_config *c, struct host_facts *f)
{
    struct ip6 a = c->prefix.addr, b = a;
    struct nl_link link;
    struct nl *nl = NULL;

    a.b[IP6_LEN - 1] |= 2;
    b.b[IP6_LEN - 1] |= 3;
    if (nl_open(&nl))
        return;
    if (link_to(nl, c, a, &link) || link_to(nl, c, b, &link))
        snprintf(f->elsewhere, sizeof(f->elsewhere), "%s", link.name);
    nl_close(nl);
}

void preflight_look(const struct router_config *c, struct host_facts *ret)
{
    char key[64];

    memset(ret, 0, sizeof(*ret));
    ret->tun_node = access("/dev/net/tun", R_OK | W_OK) == 0;
    ret->net_admin = priv_have_net_admin();
    ret->ipv6_off = sysctl_is("net/ipv6/conf/all/disable_ipv6", "1");
    ret->forwarding = !sysctl_is("net/ipv6/conf/all/forwarding", "0");
    ret->has_wan = wan_survey(c->wan, &ret->wan) == 0;
    if (ret->has_wan) {
        snprintf(key, sizeof(key), "net/ipv6/conf/%s/accept_ra", ret->wan.name);
        ret->accept_ra_2 = sysctl_is(key, "2");
    }
    look_elsewhere(c, ret);
    if (ret->net_admin)
        nft_ruleset(&ret->ruleset);
}

void preflight_free(struct host_facts *f)
{
    free(f->ruleset);
    f->ruleset = NULL;
}

/* ---- judging ---- */

struct judge {
    const struct router_config *c;
    const struct host_facts *f;
    finding_fn *say;
    void *arg;
    unsigned stops;
};

__attribute__((format(printf, 3, 4))) static void say(struct judge *j, enum finding_level level,
                                                      const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    j->stops += level == FINDING_STOP;
    j->say(j->arg, level, line);
}

static void judge_device(struct judge *j)
{
    if (!j->f->tun_node)
        say(j, FINDING_STOP,
            "/dev/net/tun cannot be opened; try: modprobe tun (in a container: let "
            "it have the device)");
    if (!j->f->net_admin)
        say(j, FINDING_STOP, "CAP_NET_ADMIN is needed for %s; run as root, or by the systemd unit",
            j->c->uplink_device);
    if (j->f->ipv6_off)
        say(j, FINDING_STOP,
            "IPv6 is off on this host; try: sysctl -w net.ipv6.conf.all.disable_ipv6=0");
}

static void judge_forwarding(struct judge *j)
{
    const struct wan *w = &j->f->wan;

    if (!j->f->forwarding)
        say(j, FINDING_WARN,
            "this host does not forward IPv6, clients reach nothing behind it; try: sysctl -w "
            "net.ipv6.conf.all.forwarding=1");
    if (j->f->has_wan && w->route_from_ra && !j->f->accept_ra_2)
        say(j, FINDING_WARN,
            "the default route of %s came in a router advertisement and is not renewed while this "
            "host forwards; try: sysctl -w net.ipv6.conf.%s.accept_ra=2",
            w->name, w->name);
    if (!j->f->has_wan && !j->c->wan[0])
        say(j, FINDING_WARN,
            "this host has no IPv6 default route, so clients will have none "
            "either; name the link to the Internet: uplink: { wan: NAME }");
    if (!j->f->has_wan && j->c->wan[0])
        say(j, FINDING_STOP, "uplink.wan: there is no link %s", j->c->wan);
}

static void judge_prefix(struct judge *j)
{
    const struct router_config *c = j->c;
    char prefix[IP6_TEXT_LEN];

    ip6_text(prefix, c->prefix.addr);
    if (c->uplink == UPLINK_NDPROXY) {
        if (j->f->has_wan && !wan_address_in(&j->f->wan, c->prefix))
            say(j, FINDING_STOP,
                "uplink.mode: ndproxy needs an address of this host in %s/%u on %s; a prefix that "
                "is "
                "routed to this host needs mode: routed",
                prefix, c->prefix.len, j->f->wan.name);
        return;
    }
    if (j->f->elsewhere[0])
        say(j, FINDING_WARN,
            "%s/%u is on link at %s, so the Internet does not find clients in it; use uplink: "
            "{ mode: ndproxy }, or another prefix",
            prefix, c->prefix.len, j->f->elsewhere);
}

static bool holds(const struct prefix *a, const struct prefix *b)
{
    return a->len <= b->len && ip6_in(b->addr, *a);
}

/* What is delegated is routed to a client: not what this host needs at its own link. A prefix of
 * the link's length or longer would win over the link's route. */
static void judge_delegated(struct judge *j, const struct router_client *m, const struct prefix *p)
{
    const struct wan *w = &j->f->wan;
    char text[IP6_TEXT_LEN], other[IP6_TEXT_LEN];

    ip6_text(text, p->addr);
    if (w->has_gateway && ip6_in(w->gateway, *p)) {
        say(j, FINDING_WARN,
            "clients.delegate: %s/%u of %s holds %s, the gateway of this host at %s, which nobody "
            "would reach; delegate what your provider routes to this host",
            text, p->len, m->name, ip6_text(other, w->gateway), w->name);
        return;
    }
    for (unsigned i = 0; i < w->n_addr; i++) {
        struct prefix link = { .addr = w->addr[i].addr, .len = w->addr[i].plen };
        if (!holds(&link, p) && !holds(p, &link))
            continue;
        say(j, FINDING_WARN,
            "clients.delegate: %s/%u of %s is on link at %s (%s/%u), so the Internet does not find "
            "what is behind %s; delegate what your provider routes to this host",
            text, p->len, m->name, w->name, ip6_text(other, link.addr), link.len, m->name);
        return;
    }
}

static void judge_clients(struct judge *j)
{
    const struct router_config *c = j->c;

    if (!j->f->has_wan || c->uplink == UPLINK_NONE)
        return;
    for (unsigned i = 0; i < c->n_clients; i++)
        for (unsigned k = 0; k < c->clients[i].n_delegate; k++)
            judge_delegated(j, &c->clients[i], &c->clients[i].delegate[k]);
}

/* ---- the packet filter, as text ---- */

/* One base chain that drops what no rule accepts. */
struct base_chain {
    char family[16], table[64], chain[64];
    const char *table_text; /* from the table's first line to its end */
    size_t table_len;
};

/* Does @text hold @word with no letter, digit or dash around it? */
static bool mentions(const char *text, size_t len, const char *word)
{
    if (!text)
        return false;
    size_t n = strlen(word);

    for (size_t i = 0; i + n <= len; i++) {
        if (memcmp(text + i, word, n) != 0)
            continue;
        char before = i ? text[i - 1] : ' ', after = i + n < len ? text[i + n] : ' ';
        if (!isalnum((unsigned char)before) && before != '-' && !isalnum((unsigned char)after) &&
            after != '-')
            return true;
    }
    return false;
}

/* The next base chain of @hook with policy drop at or after *at. `nft list ruleset` writes
 *   table FAMILY NAME {          at the beginning of a line, its end is a } likewise
 *       chain NAME {
 *           type filter hook forward priority filter; policy drop; */
static bool next_dropping(const char **at, const char *hook, struct base_chain *ret)
{
    char want[48];
    const char *line = *at;

    snprintf(want, sizeof(want), "hook %s ", hook);
    for (size_t len; *line; line += len + (line[len] != '\0')) {
        len = strcspn(line, "\n");
        char copy[256], family[16], name[64];
        snprintf(copy, sizeof(copy), "%.*s", (int)(len < 255 ? len : 255), line);
        if (sscanf(copy, "table %15s %63s", family, name) == 2) {
            const char *end = strstr(line, "\n}");
            snprintf(ret->family, sizeof(ret->family), "%s", family);
            snprintf(ret->table, sizeof(ret->table), "%s", name);
            ret->table_text = line;
            ret->table_len = end ? (size_t)(end - line) : strlen(line);
        } else if (sscanf(copy, " chain %63s", name) == 1) {
            snprintf(ret->chain, sizeof(ret->chain), "%s", name);
        } else if (strstr(copy, want) && strstr(copy, "policy drop")) {
            *at = line + len;
            return true;
        }
    }
    return false;
}

static void judge_forward_chains(struct judge *j)
{
    const char *at = j->f->ruleset, *dev = j->c->uplink_device;
    struct base_chain b = { .family = "" };

    while (at && next_dropping(&at, "forward", &b)) {
        if ((strcmp(b.family, "ip6") != 0 && strcmp(b.family, "inet") != 0) ||
            mentions(b.table_text, b.table_len, dev))
            continue;
        say(j, FINDING_WARN,
            "the firewall forwards nothing for %s (table %s %s, chain %s, policy drop); try: nft "
            "insert rule %s %s %s iifname %s accept; nft insert rule %s %s %s oifname %s accept",
            dev, b.family, b.table, b.chain, b.family, b.table, b.chain, dev, b.family, b.table,
            b.chain, dev);
    }
}

static void judge_input_chains(struct judge *j)
{
    const char *at = j->f->ruleset;
    struct base_chain b = { .family = "" };
    char port[8];

    snprintf(port, sizeof(port), "%u", be16_get(j->c->listen.port));
    while (at && next_dropping(&at, "input", &b)) {
        if ((strcmp(b.family, "ip") != 0 && strcmp(b.family, "inet") != 0) ||
            mentions(b.table_text, b.table_len, port))
            continue;
        say(j, FINDING_WARN,
            "the firewall drops what comes to UDP port %s (table %s %s, chain %s, policy drop); "
            "try: nft insert rule %s %s %s udp dport %s accept",
            port, b.family, b.table, b.chain, b.family, b.table, b.chain, port);
    }
}

unsigned preflight_judge(const struct router_config *c, const struct host_facts *f, finding_fn *fn,
                         void *arg)
{
    struct judge j = { .c = c, .f = f, .say = fn, .arg = arg };

    judge_input_chains(&j);
    if (c->uplink == UPLINK_NONE)
        return j.stops;
    judge_device(&j);
    judge_forwarding(&j);
    judge_prefix(&j);
    judge_clients(&j);
    judge_forward_chains(&j);
    return j.stops;
}
