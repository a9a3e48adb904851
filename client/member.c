/* SPDX-License-Identifier: MIT */
/* member.c - being a member: gaining and losing the router, and the device meanwhile */
#include "client/member.h"

#include "client/traffic.h"
#include "proto/mac.h"
#include "proto/nd.h"

#define WITHDRAW_AFTER (50 * NS_PER_MS) /* carrier goes this long after the last RA */

/* ---- what the device shall be ---- */

/* same_old() - the time left does not count: the kernel counts it down from what it was told first
 */
static bool same_old(const struct device_want *a, const struct device_want *b)
{
    if (a->n_old != b->n_old)
        return false;
    for (unsigned i = 0; i < a->n_old; i++)
        if (memcmp(&a->old[i].prefix, &b->old[i].prefix, sizeof(a->old[i].prefix)) != 0)
            return false;
    return true;
}

/* same_net() - do two wishes agree on what the router says about the segment? */
static bool same_net(const struct device_want *a, const struct device_want *b)
{
    return mac_eq(a->router_mac, b->router_mac) && a->on_link == b->on_link &&
           a->default_route == b->default_route && a->n_address == b->n_address &&
           a->n_route == b->n_route && a->n_delegated == b->n_delegated && same_old(a, b) &&
           memcmp(&a->segment, &b->segment, sizeof(a->segment)) == 0 &&
           memcmp(a->address, b->address, a->n_address * sizeof(a->address[0])) == 0 &&
           memcmp(a->route, b->route, a->n_route * sizeof(a->route[0])) == 0 &&
           memcmp(a->delegated, b->delegated, a->n_delegated * sizeof(a->delegated[0])) == 0;
}

static bool same_want(const struct device_want *a, const struct device_want *b)
{
    return a->created == b->created && a->carrier == b->carrier && a->mtu == b->mtu &&
           mac_eq(a->mac, b->mac) && same_net(a, b);
}

/* commit_want() - make @w the wish, with a new serial if it differs */
static void commit_want(struct client_engine *e, const struct turn *t, struct device_want *w)
{
    if (same_want(w, &e->want))
        return;
    if (w->carrier != e->want.carrier)
        turn_event(t, (struct client_event){ .kind = EVENT_CARRIER, .a = w->carrier });
    w->serial++;
    e->want = *w;
}

/* wish() - the part of the wish that the router decides */
static struct device_want wish(const struct client_engine *e, const struct settings *s)
{
    struct device_want w = e->want;

    w.created = true;
    w.mac = s->mac;
    w.router_mac = s->router_mac;
    w.segment = s->segment;
    w.on_link = s->segment_flags & SEGMENT_ON_LINK;
    w.default_route = e->cfg->default_route && (s->segment_flags & SEGMENT_DEFAULT_ROUTE);
    w.n_address = s->n_address;
    memcpy(w.address, s->address, sizeof(w.address));
    w.n_old = s->n_old;
    memcpy(w.old, s->old, sizeof(w.old));
    w.n_route = s->n_route;
    memcpy(w.route, s->route, sizeof(w.route));
    w.n_delegated = s->n_delegated;
    memcpy(w.delegated, s->delegated, sizeof(w.delegated));
    if (w.mtu == 0)
        w.mtu = INNER_MTU_MIN;
    return w;
}

/* member_settings() - e->settings changed */
void member_settings(struct client_engine *e, const struct turn *t)
{
    struct device_want w = wish(e, &e->settings);

    e->settings_serial++;
    if (e->want.created && !mac_eq(w.mac, e->want.mac))
        turn_event(t, (struct client_event){ .kind = EVENT_MAC_CHANGED, .mac = w.mac });
    if (e->want.carrier && !same_net(&w, &e->want))
        turn_event(t, (struct client_event){ .kind = EVENT_SETTINGS_CHANGED });
    commit_want(e, t, &w);
}

/* member_prepare() - a device that is down gets its addresses while the CONFIRM is under way */
void member_prepare(struct client_engine *e, const struct turn *t)
{
    if (e->state != CLIENT_START || e->want.carrier || e->cfg->configure != CONFIGURE_NETLINK)
        return;
    struct device_want w = wish(e, &e->login.settings);
    w.default_route = false;
    commit_want(e, t, &w);
}

/* say_fragment() - fragments were found to be needed, or not any more */
static void say_fragment(struct client_engine *e, const struct turn *t)
{
    bool needed = e->pmtu.fragment && (e->fragment_said || e->pmtu.phase == PMTU_DONE);

    if (needed != e->fragment_said)
        turn_event(t, (struct client_event){ .kind = EVENT_FRAGMENT, .a = needed });
    e->fragment_said = needed;
}

/* member_mtu() - bring the wish and the router to what pmtu has proved */
void member_mtu(struct client_engine *e, const struct turn *t)
{
    uint32_t told = e->pmtu.mtu | (e->pmtu.fragment ? UINT32_C(1) << 16 : 0);
    struct device_want w = e->want;

    e->tunnel.fragment = e->pmtu.fragment;
    w.mtu = e->pmtu.mtu;
    if (w.mtu != e->want.mtu)
        turn_event(t,
                   (struct client_event){ .kind = EVENT_MTU, .a = e->pmtu.mtu, .b = e->pmtu.cap });
    commit_want(e, t, &w);
    if (e->mtu_told != told && pmtu_tell(&e->pmtu, &e->tunnel, t))
        e->mtu_told = told;
}

void member_path(struct client_engine *e, const struct turn *t, enum pmtu_news news)
{
    if (e->carrier_at != NEVER) {
        if (e->pmtu.phase == PMTU_DONE)
            member_settle(e, t); /* the big one passed, no need to wait for more */
        return;
    }
    if (news != PMTU_SAME || e->want.mtu != e->pmtu.mtu || e->tunnel.fragment != e->pmtu.fragment)
        member_mtu(e, t);
    say_fragment(e, t);
    if (news == PMTU_BLOCKED)
        turn_event(t, (struct client_event){ .kind = EVENT_PATH_BLOCKED });
}

static void say_early(struct client_engine *e, const struct turn *t)
{
    uint8_t *eth = e->early_len ? out_alloc(t->out, e->early_len) : NULL;

    if (eth) {
        memcpy(eth, e->early, e->early_len);
        if (!out_pkt(t->out, eth, e->early_len))
            turn_drop(t, DROP_NO_ROOM, 1);
    }
    e->early_len = 0;
}

/* member_settle() - the wait for the big CONFIRM is over, one way or the other */
void member_settle(struct client_engine *e, const struct turn *t)
{
    e->carrier_at = NEVER;
    pmtu_settle(&e->pmtu);
    member_mtu(e, t);
    struct device_want w = e->want;
    w.carrier = true;
    commit_want(e, t, &w);
    say_early(e, t);
}

void member_carrier_off(struct client_engine *e, const struct turn *t)
{
    e->withdraw_at = NEVER;
    struct device_want w = e->want;
    w.carrier = w.default_route = false;
    commit_want(e, t, &w);
}

void member_last_ra(struct client_engine *e, const struct turn *t)
{
    struct nd_ra ra = { .hop_limit = 64, .slla = e->want.router_mac };
    uint8_t *eth = out_alloc(t->out, ETH_LEN + ND_PACKET_MAX);
    struct mac dst = mac_multicast(ip6_all_nodes);

    if (!eth) {
        turn_drop(t, DROP_NO_ROOM, 1);
        return;
    }
    memcpy(eth, dst.b, MAC_LEN);
    memcpy(eth + MAC_LEN, e->want.router_mac.b, MAC_LEN);
    be16_store(eth + 2 * MAC_LEN, ETHERTYPE_IP6);
    size_t len = nd_build_ra(eth + ETH_LEN, mac_link_local(e->want.router_mac), ip6_all_nodes, &ra);
    if (!out_pkt(t->out, eth, ETH_LEN + len))
        turn_drop(t, DROP_NO_ROOM, 1);
}

/* withdraw() - the network goes: at once, or in `configure: ra` after a last RA has been heard */
static void withdraw(struct client_engine *e, const struct turn *t)
{
    if (e->cfg->configure == CONFIGURE_RA && e->want.carrier) {
        member_last_ra(e, t);
        e->withdraw_at = t->now + WITHDRAW_AFTER;
        return;
    }
    member_carrier_off(e, t);
}

/* ---- gaining and losing the router ---- */

/* member_confirmed() - the router has the new keypair: its settings hold from now on */
void member_confirmed(struct client_engine *e, const struct turn *t)
{
    bool inside = e->login.inside;
    mono_ns took = time_since(t->now, e->login.started);

    e->settings = e->login.settings;
    login_confirmed(&e->login);
    if (!inside)
        login_probe_later(&e->login, &e->tunnel, t);
    if (e->state != CLIENT_UP)
        e->up_since = t->now;
    e->state = CLIENT_UP;
    e->hold_until = e->withdraw_at = NEVER;
    unsigned keepalive = e->settings.keepalive_s;
    if (e->cfg->keepalive_s && e->cfg->keepalive_s < keepalive)
        keepalive = e->cfg->keepalive_s;
    alive_start(&e->alive, keepalive, t->now);
    member_settings(e, t);
    if (inside) {
        e->rekeys++;
        turn_event(t, (struct client_event){ .kind = EVENT_REKEYED });
        return;
    }
    e->logins++;
    turn_event(t, (struct client_event){ .kind = EVENT_LOGGED_IN,
                                         .ep = e->settings.seen,
                                         .mac = e->settings.mac,
                                         .a = (uint32_t)(took / NS_PER_MS) });
    e->mtu_told = 0;
    pmtu_begin(&e->pmtu, took, t->now);
    e->early_len = 0;
    e->carrier_at = t->now + CARRIER_WAIT; /* or with the answer to the big CONFIRM */
}

/* member_lost() - there is no router any more: hold, and log in anew at @when */
void member_lost(struct client_engine *e, const struct turn *t, mono_ns when)
{
    alive_stop(&e->alive);
    e->by_silence = false;
    if (e->state == CLIENT_UP) {
        e->state = CLIENT_HELD;
        e->hold_until = t->now + time_s(e->cfg->hold_s);
    }
    login_start(&e->login, &e->tunnel, false, t->now, when);
}

void member_hold_over(struct client_engine *e, const struct turn *t)
{
    e->hold_until = NEVER;
    e->state = CLIENT_START;
    e->login.may_move = true;
    turn_event(t, (struct client_event){ .kind = EVENT_HOLD_OVER, .a = e->cfg->hold_s });
    withdraw(e, t);
}

/* member_heard() - DATA opened under current */
void member_heard(struct client_engine *e, const struct turn *t)
{
    alive_heard(&e->alive, t->now);
    if (e->state == CLIENT_UP && login_starves(&e->login))
        login_stop(&e->login); /* the keypair lives after all; a rekey that is due goes inside */
    if (e->state == CLIENT_START && e->by_silence)
        login_kick(&e->login, t->now); /* the device is down already: only a login brings it back */
    if (e->state != CLIENT_HELD || !e->by_silence || e->login.state == LOGIN_CONFIRM)
        return;
    e->state = CLIENT_UP;
    e->hold_until = NEVER;
    login_stop(&e->login);
    alive_start(&e->alive, (unsigned)(e->alive.interval / NS_PER_S), t->now);
    turn_event(t, (struct client_event){ .kind = EVENT_ROUTER_BACK, .ep = e->tunnel.router });
}

/* member_hint() - a NUDGE or its like, already believed: try a login, at most one per NUDGE_PAUSE
 */
void member_hint(struct client_engine *e, const struct turn *t, unsigned how)
{
    if (t->now < e->nudge_after)
        return;
    /* NUDGE_PAUSE to 3/2 of it: a thousand clients of one restarted router spread out */
    e->nudge_after = t->now + NUDGE_PAUSE + time_jitter(NUDGE_PAUSE / 4, 100, entropy_u32(t->rnd));
    turn_event(t, (struct client_event){ .kind = EVENT_NUDGE, .ep = e->tunnel.router, .a = how });
    if (e->login.state == LOGIN_IDLE || e->login.state == LOGIN_CONFIRM || e->login.inside ||
        e->login.probing)
        login_start(&e->login, &e->tunnel, false, t->now, t->now);
    else
        login_kick(&e->login, t->now);
}
