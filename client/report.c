/* SPDX-License-Identifier: MIT */
/* report.c - the engine's events as sentences, and its state as JSON */
#include "client/report.h"

#include <stdio.h>

#include "client/suspect.h"
#include "proto/host/crypto.h"
#include "proto/host/json.h"
#include "proto/host/log.h"
#include "proto/host/secret.h"
#include "proto/mac.h"

#define SILENCE_FIRST 3u  /* explained after this many unanswered LOGINs */
#define SILENCE_EVERY 20u /* and again after each as many */

void report_start(const struct client_config *c)
{
    char key[KEY_TEXT_LEN];

    key_to_text(key, c->public_key);
    log_info("sixtap-client " SIXTAP_VERSION ", public key %s, router %s:%u", key,
             c->router[0].host, c->router[0].port);
    for (unsigned i = 1; i < c->n_routers; i++)
        log_info("router %u: %s:%u, while those before it do not answer", i + 1, c->router[i].host,
                 c->router[i].port);
}

/* A router that does not know this key is silent by design, so silence has to be explained here. */
static void explain_silence(const struct client_config *c, const char *router, unsigned n)
{
    char key[KEY_TEXT_LEN];

    if (n != SILENCE_FIRST && n % SILENCE_EVERY != 0)
        return;
    key_to_text(key, c->public_key);
    log_warn("no answer from the router at %s after %u tries. Likely causes:", router, n);
    log_warn("  - the router does not know this client; in its router.yaml, under clients:, there "
             "should be");
    log_warn("      - { name: NAME, public_key: %s }", key);
    log_warn("  - router_key in this client's file is not the router's public key");
    log_warn(
        "  - the address or port is wrong, the router is down, or a firewall drops UDP to that "
        "port");
}

static const char *refusal_text(uint32_t why)
{
    switch ((enum refusal)why) {
    case REFUSAL_NO_CIPHER:
        return "no cipher both sides can do";
    case REFUSAL_ROUTER_KEY:
        return "private_key_file holds the router's own key";
    case REFUSAL_NO_ADDRESS:
        return "the router has no address left for this client";
    case REFUSAL_MTU:
        return "no MTU both sides can use";
    case REFUSAL_NONE:
        break;
    }
    return "no reason given";
}

static const char *goodbye_text(uint32_t why)
{
    switch ((enum goodbye)why) {
    case GOODBYE_SHUTDOWN:
        return "it stops or restarts";
    case GOODBYE_REMOVED:
        return "this client's key has been removed";
    case GOODBYE_IDLE:
        return "it has not heard this client for too long";
    case GOODBYE_PSK:
        return "this client's psk is another one now (psk: in the configuration here, and a "
               "restart)";
    }
    return "it said goodbye";
}

static void report_logged_in(const struct client_engine *e, const struct client_event *ev,
                             const char *ep)
{
    char mac[MAC_TEXT_LEN], a[IP6_TEXT_LEN];
    const struct device_want *w = client_engine_want(e);

    bool several = e->cfg->n_routers > 1;
    log_info("logged in after %u ms%s%s: seen as %s, MAC %s, address %s", ev->a,
             several ? " at " : "", several ? e->cfg->router[e->tunnel.which].host : "", ep,
             mac_text(mac, ev->mac),
             w->n_address ? ip6_text(a, w->address[0].addr) : "from router advertisements");
}

/* The router's answers to a login. */
static bool report_answer(const struct client_config *c, const struct client_event *ev,
                          const char *ep)
{
    char mac[MAC_TEXT_LEN];

    switch (ev->kind) {
    case EVENT_SILENCE:
        explain_silence(c, ep, ev->a);
        return true;
    case EVENT_REPLY_BAD:
        log_warn("the router at %s answered, but psk/join_secret or router_key is wrong", ep);
        return true;
    case EVENT_REPLY_MALFORMED:
        log_warn("the router at %s answered with settings that this version does not take: it is "
                 "newer, or its configuration holds what no client can use",
                 ep);
        return true;
    case EVENT_MAC_TAKEN:
        log_info("MAC %s of endpoint %s is taken; coming from another port (%u)",
                 mac_text(mac, ev->mac), ep, ev->a);
        return true;
    case EVENT_REFUSED:
        log_warn("the router at %s refuses this client: %s", ep, refusal_text(ev->a));
        return true;
    case EVENT_BUSY:
        log_warn("the router at %s is full; trying again in %u s", ep, ev->a);
        return true;
    case EVENT_CONFIRM_LOST:
        log_warn("the router at %s answered the login but not its confirmation; logging in anew",
                 ep);
        return true;
    case EVENT_LOGIN_AGAIN:
        log_info("another client got this MAC or address first; logging in again");
        return true;
    default:
        return false;
    }
}

void report_event(const struct client_config *c, const struct client_engine *e,
                  const struct client_event *ev)
{
    static struct suspect suspect;
    char ep[EP_TEXT_LEN], mac[MAC_TEXT_LEN];

    endpoint_text(ep, ev->ep);
    if (report_answer(c, ev, ep))
        return;
    switch (ev->kind) {
    case EVENT_ROUTER_CHANGED:
        log_info("trying the router at %s", ep);
        return;
    case EVENT_LOGGED_IN:
        report_logged_in(e, ev, ep);
        if (suspect_login(&suspect, ev->a * NS_PER_MS, ev->time))
            log_warn("this connection ended %u times in %u s, while the router answered each new "
                     "login at once: does another host log in with this client's key? Each needs a "
                     "key of its own",
                     SUSPECT_TIMES, (unsigned)(time_since(ev->time, suspect.first) / NS_PER_S));
        return;
    case EVENT_MAC_CHANGED:
        log_info("MAC is now %s", mac_text(mac, ev->mac));
        return;
    case EVENT_SETTINGS_CHANGED:
        log_info("the router changed addresses, prefixes or routes");
        return;
    case EVENT_SETTINGS_REFUSED:
        log_warn("the router at %s sent settings that this version does not take; those it had "
                 "stay in force",
                 ep);
        return;
    case EVENT_CARRIER:
        log_info(ev->a ? "device %s is up" : "device %s has no carrier", c->device);
        return;
    case EVENT_MTU:
        log_info("MTU %u (at most %u)", ev->a, ev->b);
        return;
    case EVENT_FRAGMENT:
        if (ev->a)
            log_warn("the path takes less than 1346 octets: large packets travel in fragments");
        else
            log_info("the path takes 1346 octets again: no more fragments");
        return;
    case EVENT_PATH_BLOCKED:
        log_warn("small packets reach the router, but none of 1346 octets, not even in fragments: "
                 "something on the way drops them; trying on");
        return;
    case EVENT_ROUTER_LOST:
        log_warn("the router at %s was not heard for %u s; logging in anew", ep, ev->a);
        suspect_lost(&suspect);
        return;
    case EVENT_ROUTER_BACK:
        suspect_told(&suspect);
        log_info("the router at %s is back", ep);
        return;
    case EVENT_NUDGE:
        log_info("the router at %s does not know this connection (%s); logging in anew", ep,
                 ev->a ? "its port was closed" : "it was restarted, or this endpoint is new to it");
        if (ev->a == 0)
            suspect_lost(&suspect);
        return;
    case EVENT_GOODBYE:
        suspect_told(&suspect);
        log_warn("the router at %s said goodbye: %s", ep, goodbye_text(ev->a));
        return;
    case EVENT_KEYS_EXPIRED:
        log_warn("keys expired without a new login; logging in anew");
        return;
    case EVENT_HOLD_OVER:
        log_warn("no router for %u s: withdrawing the network until it is back", ev->a);
        return;
    default:
        log_debug("%s: %s, %u, %u", event_name(ev->kind), ep, ev->a, ev->b);
        return;
    }
}

/* ---- JSON ---- */

static struct json_object *addresses_of(const struct device_want *w)
{
    struct json_object *list = json_object_new_array();
    char text[IP6_TEXT_LEN];

    for (unsigned i = 0; i < w->n_address; i++)
        json_add_text(list, ip6_text(text, w->address[i].addr));
    return list;
}

static struct json_object *prefixes_of(const struct prefix *p, unsigned n)
{
    struct json_object *list = json_object_new_array();
    char ip[IP6_TEXT_LEN], text[IP6_TEXT_LEN + 4];

    for (unsigned i = 0; i < n; i++) {
        snprintf(text, sizeof(text), "%s/%u", ip6_text(ip, p[i].addr), p[i].len);
        json_add_text(list, text);
    }
    return list;
}

static void put_network(struct json_object *o, const struct client_engine *e,
                        const struct device *d)
{
    const struct device_want *w = client_engine_want(e);
    char ep[EP_TEXT_LEN], mac[MAC_TEXT_LEN], ip[IP6_TEXT_LEN], prefix[IP6_TEXT_LEN + 4];

    struct endpoint router = client_engine_towards(e);
    if (be32_get(router.ip)) /* else its name is being asked for */
        json_put_text(o, "router", endpoint_text(ep, router));
    json_put_text(o, "router_name", e->cfg->router[e->tunnel.which].host);
    if (be32_get(e->settings.seen.ip))
        json_put_text(o, "endpoint_seen", endpoint_text(ep, e->settings.seen));
    json_put_text(o, "mac", mac_text(mac, device_mac(d)));
    json_put_text(o, "router_mac", mac_text(mac, w->router_mac));
    json_put_text(o, "link_local", ip6_text(ip, mac_link_local(device_mac(d))));
    json_object_object_add(o, "addresses", addresses_of(w));
    snprintf(prefix, sizeof(prefix), "%s/%u", ip6_text(ip, w->segment.addr), w->segment.len);
    json_put_text(o, "prefix", prefix);
    json_object_object_add(o, "delegated", prefixes_of(w->delegated, w->n_delegated));
    json_put_bool(o, "firewall", e->cfg->firewall == FIREWALL_ON);
    json_put_bool(o, "carrier", device_carrier(d));
    json_put_bool(o, "default_route", w->default_route);
    json_put_number(o, "mtu", w->mtu);
    json_put_number(o, "mtu_most", e->pmtu.cap);
    json_put_text(o, "mtu_search", pmtu_phase_name(e->pmtu.phase));
    json_put_bool(o, "fragments", e->tunnel.fragment);
    json_put_text(o, "cipher", cipher_name((enum cipher)e->tunnel.keys.current.cipher));
}

static void put_counters(struct json_object *o, const struct client_engine *e)
{
    json_put_number(o, "logins", e->logins);
    json_put_number(o, "rekeys", e->rekeys);
    json_put_number(o, "from_device_packets", e->tap_tx_packets);
    json_put_number(o, "from_device_octets", e->tap_tx_octets);
    json_put_number(o, "to_device_packets", e->tap_rx_packets);
    json_put_number(o, "to_device_octets", e->tap_rx_octets);
    json_put_number(o, "outer_tx_datagrams", e->tunnel.tx_datagrams);
    json_put_number(o, "outer_rx_datagrams", e->tunnel.rx_datagrams);
    json_put_number(o, "events_lost", e->events.lost);
}

struct json_object *report_status(const struct client_config *c, const struct client_engine *e,
                                  const struct device *d, struct udp *const *u, mono_ns started,
                                  mono_ns now)
{
    struct json_object *o = json_object_new_object(), *drops = json_object_new_object();
    char key[KEY_TEXT_LEN];

    key_to_text(key, c->public_key);
    json_put_text(o, "program", "sixtap-client");
    json_put_text(o, "version", SIXTAP_VERSION);
    json_put_seconds(o, "uptime_s", time_since(now, started));
    json_put_text(o, "state", client_state_name(e->state));
    json_put_text(o, "public_key", key);
    json_put_text(o, "device", c->device);
    put_network(o, e, d);
    json_put_seconds(o, "age_s", e->state == CLIENT_START ? 0 : time_since(now, e->up_since));
    json_put_seconds(o, "heard_s", e->alive.heard ? time_since(now, e->alive.heard) : 0);
    put_counters(o, e);
    for (unsigned i = DROP_NONE + 1; i < DROP_COUNT; i++)
        json_put_number(drops, drop_name((enum drop)i), e->drop[i]);
    json_object_object_add(o, "drops", drops);
    crypto_put_json(o);
    json_put_udp(o, "udp", u, CLIENT_SOCKS);
    json_put_tap(o, "tap", device_tap(d));
    return o;
}
