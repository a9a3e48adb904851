/* SPDX-License-Identifier: MIT */
/* test_preflight.c - what is found about hosts of many kinds; the rules, without a kernel */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <arpa/inet.h>
#include <cmocka.h>
#include <string.h>

#include "proto/be.h"
#include "router/preflight.h"

static const char *const docker = "table ip6 filter {\n"
                                  "\tchain DOCKER {\n\t}\n"
                                  "\tchain FORWARD {\n"
                                  "\t\ttype filter hook forward priority filter; policy drop;\n"
                                  "\t\toifname \"docker0\" counter packets 0 bytes 0 jump DOCKER\n"
                                  "\t}\n}\n";
static const char *const docker_told =
    "table ip6 filter {\n\tchain FORWARD {\n"
    "\t\ttype filter hook forward priority filter; policy drop;\n"
    "\t\tiifname \"sixtap0\" accept\n\t}\n}\n";
static const char *const docker_like_name =
    "table ip6 filter {\n\tchain FORWARD {\n"
    "\t\ttype filter hook forward priority filter; policy drop;\n"
    "\t\tiifname \"sixtap01\" accept\n\t}\n}\n";
static const char *const two_tables =
    "table ip filter {\n\tchain FORWARD {\n"
    "\t\ttype filter hook forward priority filter; policy drop;\n\t}\n}\n"
    "table inet fw {\n\tchain fwd {\n"
    "\t\ttype filter hook forward priority filter; policy drop;\n\t}\n"
    "\tchain in {\n"
    "\t\ttype filter hook input priority filter; policy drop;\n"
    "\t\ttcp dport { 22, 443 } accept\n\t}\n}\n";
static const char *const told =
    "table inet fw {\n\tchain fwd {\n"
    "\t\ttype filter hook forward priority filter; policy accept;\n\t}\n"
    "\tchain in {\n"
    "\t\ttype filter hook input priority filter; policy drop;\n"
    "\t\tudp dport 6464 accept\n\t}\n}\n";
static const char *const other_port = "table inet fw {\n\tchain in {\n"
                                      "\t\ttype filter hook input priority filter; policy drop;\n"
                                      "\t\tudp dport 16464 accept\n\t}\n}\n";

struct host {
    enum uplink_mode mode;
    bool no_tun, no_cap, ipv6_off, no_forwarding, no_wan, wan_named, from_ra, accept_ra_2,
        not_on_link;
    const char *elsewhere, *ruleset;
    const char *delegate; /* of client a; the gateway is 2001:db8:9::1 */
    uint8_t delegate_len;
};

struct heard {
    unsigned n, stops;
    char text[2048];
};

static void hear(void *arg, enum finding_level level, const char *line)
{
    struct heard *h = arg;

    assert_null(strchr(line, '\n'));
    h->n++;
    h->stops += level == FINDING_STOP;
    strncat(h->text, line, sizeof(h->text) - strlen(h->text) - 2);
    strcat(h->text, "\n");
}

static struct heard judged(const struct host *host)
{
    struct router_config c;
    struct host_facts f = { .tun_node = !host->no_tun,
                            .net_admin = !host->no_cap,
                            .ipv6_off = host->ipv6_off,
                            .forwarding = !host->no_forwarding,
                            .has_wan = !host->no_wan,
                            .accept_ra_2 = host->accept_ra_2,
                            .ruleset = (char *)(uintptr_t)host->ruleset };
    struct heard h = { 0 };

    router_config_defaults(&c);
    c.uplink = host->mode;
    c.listen.port = be16_of(6464);
    inet_pton(AF_INET6, "2001:db8:1::", c.prefix.addr.b);
    c.prefix.len = 64;
    if (host->wan_named)
        strcpy(c.wan, "eth7");
    strcpy(f.wan.name, "eth0");
    f.wan.route_from_ra = host->from_ra;
    f.wan.n_addr = 1;
    inet_pton(AF_INET6, host->not_on_link ? "2001:db8:2::2" : "2001:db8:1::2",
              f.wan.addr[0].addr.b);
    f.wan.addr[0].plen = 64;
    struct router_client a = { .name = "a" };
    struct prefix given = { .len = host->delegate_len };
    if (host->delegate) {
        f.wan.has_gateway = true;
        inet_pton(AF_INET6, "2001:db8:9::1", f.wan.gateway.b);
        inet_pton(AF_INET6, host->delegate, given.addr.b);
        a.delegate[0] = given;
        a.n_delegate = 1;
        c.clients = &a;
        c.n_clients = 1;
    }
    if (host->elsewhere)
        strcpy(f.elsewhere, host->elsewhere);
    unsigned stops = preflight_judge(&c, &f, hear, &h);
    assert_int_equal(stops, h.stops);
    return h;
}

static void rows(void **state)
{
    static const struct {
        const char *label;
        struct host host;
        unsigned n, stops;
        const char *says;
    } row[] = {
        { "all well, none",
          { .mode = UPLINK_NONE,
            .no_tun = true,
            .no_cap = true,
            .no_forwarding = true,
            .no_wan = true },
          0,
          0,
          "" },
        { "all well, routed", { .mode = UPLINK_ROUTED }, 0, 0, "" },
        { "all well, ndproxy", { .mode = UPLINK_NDPROXY, .elsewhere = "eth0" }, 0, 0, "" },
        { "all well, nat66", { .mode = UPLINK_NAT66 }, 0, 0, "" },
        { "no tun", { .mode = UPLINK_ROUTED, .no_tun = true }, 1, 1, "modprobe tun" },
        { "no capability", { .mode = UPLINK_ROUTED, .no_cap = true }, 1, 1, "CAP_NET_ADMIN" },
        { "IPv6 off", { .mode = UPLINK_ROUTED, .ipv6_off = true }, 1, 1, "all.disable_ipv6=0" },
        { "not forwarding",
          { .mode = UPLINK_ROUTED, .no_forwarding = true },
          1,
          0,
          "sysctl -w net.ipv6.conf.all.forwarding=1" },
        { "route from RA",
          { .mode = UPLINK_NDPROXY, .from_ra = true },
          1,
          0,
          "sysctl -w net.ipv6.conf.eth0.accept_ra=2" },
        { "route from RA, told",
          { .mode = UPLINK_NDPROXY, .from_ra = true, .accept_ra_2 = true },
          0,
          0,
          "" },
        { "no default route", { .mode = UPLINK_ROUTED, .no_wan = true }, 1, 0, "wan: NAME" },
        { "no such wan",
          { .mode = UPLINK_ROUTED, .no_wan = true, .wan_named = true },
          1,
          1,
          "no link eth7" },
        { "on link elsewhere",
          { .mode = UPLINK_ROUTED, .elsewhere = "eth0" },
          1,
          0,
          "2001:db8:1::/64 is on link at eth0" },
        { "delegated, routed here",
          { .mode = UPLINK_ROUTED, .delegate = "2001:db8:5::", .delegate_len = 48 },
          0,
          0,
          "" },
        { "delegated with the gateway in it",
          { .mode = UPLINK_ROUTED, .delegate = "2001:db8:9::", .delegate_len = 65 },
          1,
          0,
          "clients.delegate: 2001:db8:9::/65 of a holds 2001:db8:9::1, the gateway of this host at "
          "eth0" },
        { "delegated from the link",
          { .mode = UPLINK_ROUTED,
            .not_on_link = true,
            .delegate = "2001:db8:2:0:8000::",
            .delegate_len = 65 },
          1,
          0,
          "clients.delegate: 2001:db8:2:0:8000::/65 of a is on link at eth0 (2001:db8:2::2/64)" },
        { "delegated, the link lies in it",
          { .mode = UPLINK_NAT66,
            .not_on_link = true,
            .delegate = "2001:db8::",
            .delegate_len = 32 },
          1,
          0,
          "clients.delegate: 2001:db8::/32 of a" },
        { "delegated, no uplink",
          { .mode = UPLINK_NONE, .delegate = "2001:db8:9::", .delegate_len = 65 },
          0,
          0,
          "" },
        { "ndproxy, but routed",
          { .mode = UPLINK_NDPROXY, .not_on_link = true },
          1,
          1,
          "mode: routed" },
        { "docker",
          { .mode = UPLINK_ROUTED, .ruleset = docker },
          1,
          0,
          "nft insert rule ip6 filter FORWARD iifname sixtap0 accept" },
        { "docker, told", { .mode = UPLINK_ROUTED, .ruleset = docker_told }, 0, 0, "" },
        { "a name that only looks like it",
          { .mode = UPLINK_ROUTED, .ruleset = docker_like_name },
          1,
          0,
          "chain FORWARD" },
        { "docker, no uplink", { .mode = UPLINK_NONE, .ruleset = docker }, 0, 0, "" },
        { "two tables",
          { .mode = UPLINK_ROUTED, .ruleset = two_tables },
          2,
          0,
          "nft insert rule inet fw in udp dport 6464 accept\nthe firewall forwards nothing for "
          "sixtap0 (table inet fw, chain fwd" },
        { "told", { .mode = UPLINK_ROUTED, .ruleset = told }, 0, 0, "" },
        { "another port", { .mode = UPLINK_NONE, .ruleset = other_port }, 1, 0, "UDP port 6464" },
        { "no rules", { .mode = UPLINK_ROUTED, .ruleset = "" }, 0, 0, "" },
        { "odd text",
          { .mode = UPLINK_ROUTED, .ruleset = "hook forward priority 0; policy drop;\ntable" },
          0,
          0,
          "" },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        struct heard h = judged(&row[i].host);
        if (h.n != row[i].n || h.stops != row[i].stops || !strstr(h.text, row[i].says))
            fail_msg("%s: %u findings, %u stops:\n%s", row[i].label, h.n, h.stops, h.text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
