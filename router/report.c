/* SPDX-License-Identifier: MIT */
/* report.c - the engine's events as log lines, and its state as JSON */
#include "router/report.h"

#include "proto/host/crypto.h"
#include "proto/host/json.h"
#include "proto/host/log.h"
#include "proto/host/secret.h"
#include "proto/mac.h"

/* ---- log lines ---- */

struct names { /* texts for one event */
    char ep[EP_TEXT_LEN], mac[MAC_TEXT_LEN], addr[IP6_TEXT_LEN], key[KEY_TEXT_LEN];
    char other_mac[MAC_TEXT_LEN], other_key[KEY_TEXT_LEN];
    const char *who, *other;
};

static void names_of(struct names *n, const struct router_config *c, const struct router_engine *re,
                     const struct notice *ev)
{
    endpoint_text(n->ep, ev->ep);
    mac_text(n->mac, ev->mac);
    ip6_text(n->addr, ev->addr);
    key_to_text(n->key, ev->key);
    n->who = router_engine_client(re, ev->client);
    if (!n->who)
        n->who = n->key;
    mac_text(n->other_mac, ev->other_mac);
    key_to_text(n->other_key, ev->other_key);
    n->other = router_engine_client(re, ev->other);
    if (!n->other && ev->has_other)
        n->other = n->other_key;
    if (!c->log_endpoints) { /* the MAC says the same as the endpoint */
        snprintf(n->ep, sizeof(n->ep), "(hidden)");
        snprintf(n->mac, sizeof(n->mac), "(hidden)");
        snprintf(n->other_mac, sizeof(n->other_mac), "(hidden)");
    }
}

static const char *logout_text(unsigned why)
{
    switch ((enum logout)why) {
    case LOGOUT_GOODBYE:
        return "said goodbye";
    case LOGOUT_SILENT:
        return "was silent for too long";
    case LOGOUT_KEYS:
        return "did not renew its keys";
    case LOGOUT_STOP:
        return "router stops";
    case LOGOUT_REMOVED:
        return "no longer listed";
    case LOGOUT_PSK:
        return "its psk is another one now";
    }
    return "is gone";
}

static const char *refusal_text(unsigned why)
{
    switch ((enum refusal)why) {
    case REFUSAL_NO_CIPHER:
        return "no cipher both sides can do";
    case REFUSAL_ROUTER_KEY:
        return "it presents the router's own key";
    case REFUSAL_NO_ADDRESS:
        return "no address is left for it";
    case REFUSAL_MTU:
        return "no MTU both sides can use";
    case REFUSAL_NONE:
        break;
    }
    return "refused";
}

static void report_unknown(const struct notice *ev, const struct names *n, mono_ns now)
{
    static struct log_limit limit = LOG_LIMIT(5, 60 * NS_PER_S);
    (void)ev;
    log_limited(&limit, now, LOG_LEVEL_WARN,
                "login from %s with a key that is not listed; to let it in, add to clients: "
                "- { name: NAME, public_key: %s }",
                n->ep, n->key);
}

static void report_collision(const struct notice *ev, const struct names *n, mono_ns now)
{
    static struct log_limit limit = LOG_LIMIT(20, 5 * NS_PER_S);
    if (ev->kind == NOTICE_ASSIGNED)
        log_limited(&limit, now, LOG_LEVEL_INFO, "%s: no free MAC from its endpoints, assigned %s",
                    n->who, n->mac);
    else
        log_limited(&limit, now, LOG_LEVEL_INFO,
                    "%s at %s: MAC %s is held by %s, told to come from another port (%u)", n->who,
                    n->ep, n->mac, n->other ? n->other : "the router or another client",
                    ev->number);
}

void report_notice(const struct router_config *c, const struct router_engine *re,
                   const struct notice *ev, mono_ns now)
{
    static struct log_limit refusals = LOG_LIMIT(10, 10 * NS_PER_S),
                            moves = LOG_LIMIT(50, 1 * NS_PER_S),
                            binds = LOG_LIMIT(100, 1 * NS_PER_S),
                            floods = LOG_LIMIT(5, 60 * NS_PER_S);
    struct names n;

    names_of(&n, c, re, ev);
    switch (ev->kind) {
    case NOTICE_LOGIN:
        log_info("%s logged in from %s, MAC %s, address %s", n.who, n.ep, n.mac, n.addr);
        return;
    case NOTICE_RELOGIN:
        log_limited(&moves, now, LOG_LEVEL_INFO, "%s logged in again, now from %s", n.who, n.ep);
        return;
    case NOTICE_CLONED:
        log_warn("%s logs in from two places by turns, now %s: two hosts use its key, and each "
                 "login ends the other; give each a key of its own",
                 n.who, n.ep);
        return;
    case NOTICE_LOGOUT:
        log_info("%s at %s left: %s", n.who, n.ep, logout_text(ev->reason));
        return;
    case NOTICE_COLLISION:
    case NOTICE_ASSIGNED:
        report_collision(ev, &n, now);
        return;
    case NOTICE_UNKNOWN_KEY:
        report_unknown(ev, &n, now);
        return;
    case NOTICE_REFUSED:
        log_limited(&refusals, now, LOG_LEVEL_WARN, "%s at %s refused: %s", n.who, n.ep,
                    refusal_text(ev->reason));
        return;
    case NOTICE_BUSY:
        log_limited(&refusals, now, LOG_LEVEL_WARN,
                    "%s at %s turned away: all member slots are taken (limits: members)", n.who,
                    n.ep);
        return;
    case NOTICE_AGAIN:
        log_limited(&refusals, now, LOG_LEVEL_INFO,
                    "%s: MAC or address went to another meanwhile, logs in again", n.who);
        return;
    case NOTICE_MOVED:
        log_limited(&moves, now, LOG_LEVEL_INFO, "%s moved to %s", n.who, n.ep);
        return;
    case NOTICE_BOUND:
        log_limited(&binds, now, LOG_LEVEL_INFO, "%s at %s uses %s", n.who, n.ep, n.addr);
        return;
    case NOTICE_UNBOUND:
        log_limited(&binds, now, LOG_LEVEL_INFO, "%s no longer uses %s", n.who, n.addr);
        return;
    case NOTICE_DAD:
        log_limited(&refusals, now, LOG_LEVEL_WARN,
                    "%s at %s (MAC %s) wants %s, which %s (MAC %s) has: refused", n.who, n.ep,
                    n.mac, n.addr, n.other ? n.other : "the router", n.other_mac);
        return;
    case NOTICE_FLOOD:
        log_limited(&floods, now, LOG_LEVEL_WARN,
                    "%s at %s floods the segment with neighbor discovery: most of it is dropped",
                    n.who, n.ep);
        return;
    }
}

void report_start(const struct router_config *c, const struct router_engine *re)
{
    struct router_totals t;
    struct names n;
    char prefix[IP6_TEXT_LEN];

    router_engine_totals(re, &t);
    key_to_text(n.key, c->public_key);
    log_info("sixtap-router " SIXTAP_VERSION ", public key %s", n.key);
    log_info("public endpoint %s, MAC %s, link-local %s", endpoint_text(n.ep, c->public_ep),
             mac_text(n.mac, t.mac), ip6_text(n.addr, t.link_local));
    log_info("segment %s/%u, own address %s, %u clients listed", ip6_text(prefix, t.prefix.addr),
             t.prefix.len, ip6_text(n.addr, t.address), router_engine_listed(re));
}

/* ---- JSON ---- */

static struct json_object *addresses_of(const struct bindings *b, const struct member *m,
                                        bool eui64)
{
    struct json_object *list = json_object_new_array();
    struct ip6 bound[BOUND_MAX];
    char text[IP6_TEXT_LEN];

    if (eui64)
        json_add_text(list, ip6_text(text, m->eui_global));
    unsigned n = bindings_list(b, m, bound);
    for (unsigned i = 0; i < n; i++)
        json_add_text(list, ip6_text(text, bound[i]));
    return list;
}

static struct json_object *delegated_of(const struct bindings *b, const struct member *m)
{
    struct json_object *list = json_object_new_array();
    char text[IP6_TEXT_LEN], prefix[IP6_TEXT_LEN + 4];

    for (unsigned i = 0; i < DELEGATED_PER_MEMBER; i++) {
        const struct prefix *p = bindings_prefix(b, m, i);
        if (!p)
            continue;
        snprintf(prefix, sizeof(prefix), "%s/%u", ip6_text(text, p->addr), p->len);
        json_add_text(list, prefix);
    }
    return list;
}

static struct json_object *member_of(const struct router_config *c, const struct router_engine *re,
                                     const struct member *m, mono_ns now)
{
    struct json_object *o = json_object_new_object();
    char key[KEY_TEXT_LEN], ep[EP_TEXT_LEN], mac[MAC_TEXT_LEN], ll[IP6_TEXT_LEN];
    const char *name = router_engine_client(re, m->client);

    key_to_text(key, m->key);
    json_put_text(o, "name", name ? name : "");
    json_put_text(o, "endpoint", endpoint_text(ep, m->ep));
    json_put_text(o, "mac", mac_text(mac, m->mac));
    json_object_object_add(
        o, "addresses",
        addresses_of(router_engine_bindings(re), m, c->addressing == ADDRESSING_EUI64));
    json_object_object_add(o, "delegated", delegated_of(router_engine_bindings(re), m));
    json_put_text(o, "link_local", ip6_text(ll, m->link_local));
    json_put_number(o, "mtu", m->mtu);
    json_put_bool(o, "fragments", m->fragment);
    json_put_seconds(o, "age_s", time_since(now, m->since));
    json_put_seconds(o, "heard_s", time_since(now, m->heard));
    json_put_number(o, "rx_packets", m->rx_packets);
    json_put_number(o, "rx_octets", m->rx_octets);
    json_put_number(o, "tx_packets", m->tx_packets);
    json_put_number(o, "tx_octets", m->tx_octets);
    json_put_number(o, "stale_mac", m->stale_mac);
    json_put_text(o, "cipher", cipher_name((enum cipher)m->keys.current.cipher));
    json_put_bool(o, "endpoint_proven", m->proven);
    json_put_text(o, "public_key", key);
    return o;
}

static struct json_object *drops_of(const uint64_t *drop, const uint64_t *more)
{
    struct json_object *o = json_object_new_object();
    for (unsigned i = DROP_NONE + 1; i < DROP_COUNT; i++)
        json_put_number(o, drop_name((enum drop)i), drop[i] + more[i]);
    return o;
}

static void put_router(struct json_object *o, const struct router_config *c,
                       const struct router_engine *re)
{
    struct router_totals t;
    char key[KEY_TEXT_LEN], ep[EP_TEXT_LEN], mac[MAC_TEXT_LEN], ip[IP6_TEXT_LEN],
        prefix[IP6_TEXT_LEN + 4];

    router_engine_totals(re, &t);
    key_to_text(key, c->public_key);
    json_put_text(o, "public_key", key);
    json_put_text(o, "endpoint", endpoint_text(ep, c->public_ep));
    json_put_text(o, "mac", mac_text(mac, t.mac));
    json_put_text(o, "link_local", ip6_text(ip, t.link_local));
    json_put_text(o, "address", ip6_text(ip, t.address));
    snprintf(prefix, sizeof(prefix), "%s/%u", ip6_text(ip, t.prefix.addr), t.prefix.len);
    json_put_text(o, "prefix", prefix);
    json_put_text(o, "addressing", c->addressing == ADDRESSING_EUI64 ? "eui64" : "stable");
    json_put_text(o, "uplink", uplink_mode_name(c->uplink));
    json_put_number(o, "clients_listed", router_engine_listed(re));
    json_put_number(o, "members_now", t.members);
    json_put_number(o, "members_max", t.members_max);
    json_put_number(o, "tentative", t.tentative);
    json_put_number(o, "handshakes", t.handshakes);
    json_put_number(o, "nudges", t.nudges);
    json_put_number(o, "rx_packets", t.rx_packets);
    json_put_number(o, "rx_octets", t.rx_octets);
    json_put_number(o, "to_uplink", t.uplink_tx);
    json_put_number(o, "from_uplink", t.uplink_rx);
    json_put_number(o, "notices_lost", t.notices_lost);
    json_put_number(o, "dad_refused", t.dad_refused);
    json_put_number(o, "key_expansions", router_engine_members(re)->schedules.misses);
}

struct json_object *report_status(const struct router_config *c, const struct router_engine *re,
                                  struct udp *u, const struct uplink *up, const uint64_t *tun_drops,
                                  mono_ns started, mono_ns now)
{
    struct json_object *o = json_object_new_object(), *list = json_object_new_array();
    const struct members *ms = router_engine_members(re);

    json_put_text(o, "program", "sixtap-router");
    json_put_text(o, "version", SIXTAP_VERSION);
    json_put_seconds(o, "uptime_s", time_since(now, started));
    put_router(o, c, re);
    for (uint32_t i = 0; i < ms->high; i++) {
        if (ms->m[i].live)
            json_object_array_add(list, member_of(c, re, &ms->m[i], now));
    }
    json_object_object_add(o, "members", list);
    json_object_object_add(o, "drops", drops_of(router_engine_drops(re), tun_drops));
    crypto_put_json(o);
    json_put_udp(o, "udp", &u, 1);
    if (up->reach)
        json_put_number(o, "kernel_prefixes", reach_count(up->reach));
    if (up->tun)
        json_put_tap(o, "tun", up->tun);
    return o;
}
