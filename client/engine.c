/* SPDX-License-Identifier: MIT */
/* engine.c - the client: what io calls, and time */
#include "client/engine.h"

#include "client/member.h"
#include "client/receive.h"
#include "client/traffic.h"

static struct turn turn_of(struct client_engine *e, mono_ns now, struct entropy *rnd,
                           struct out *out)
{
    return (
        struct turn){ .now = now, .rnd = rnd, .out = out, .events = &e->events, .drop = e->drop };
}

void client_engine_init(struct client_engine *e, const struct client_config *cfg, mono_ns now)
{
    memset(e, 0, sizeof(*e));
    e->cfg = cfg;
    e->hold_until = e->carrier_at = e->withdraw_at = NEVER;
    tunnel_init(&e->tunnel);
    login_init(&e->login, cfg, now);
    pmtu_start(&e->pmtu, INNER_MTU_MIN);
    login_start(&e->login, &e->tunnel, false, now, now);
}

void client_engine_wipe(struct client_engine *e)
{
    keyset_wipe(&e->tunnel.keys);
    login_wipe(&e->login);
}

void client_engine_udp(struct client_engine *e, mono_ns now, struct entropy *rnd, struct dgram *in,
                       unsigned n, struct out *out)
{
    struct turn t = turn_of(e, now, rnd, out);

    for (unsigned i = 0; i < n && e->state != CLIENT_STOPPED;) {
        if (wire_peek(in[i].p, in[i].len) == WIRE_DATA) {
            i += receive_data(e, &t, &in[i], n - i);
            continue;
        }
        enum drop why = receive_other(e, &t, &in[i++]);
        if (why != DROP_NONE)
            turn_drop(&t, why, 1);
    }
}

void client_engine_tap(struct client_engine *e, mono_ns now, struct entropy *rnd, struct pkt *in,
                       unsigned n, struct out *out)
{
    struct turn t = turn_of(e, now, rnd, out);
    struct pkt pt[BURST_MAX];
    uint8_t kind[BURST_MAX];
    struct traffic_flow fl;
    unsigned k = 0;

    fl.ip.known = false;
    for (unsigned i = 0; i < n && i < BURST_MAX; i++) {
        enum drop why =
            e->want.carrier ? traffic_up(&e->want, &in[i], &fl, &pt[k], &kind[k]) : DROP_NOT_UP;
        if (why == DROP_NONE)
            k++;
        else
            turn_drop(&t, why, 1);
    }
    if (k == 0 || e->state == CLIENT_STOPPED)
        return;
    if (e->state != CLIENT_UP)
        login_wanted(&e->login, now);
    k = tunnel_send(&e->tunnel, &t, pt, kind, k);
    if (k && e->alive.running)
        alive_sent(&e->alive, now);
    e->tap_tx_packets += k;
    for (unsigned i = 0; i < k; i++) {
        e->tap_tx_octets += pt[i].len - DATA_MIN_LEN;
        pmtu_traffic(&e->pmtu, pt[i].len - DATA_MIN_LEN);
    }
}

/* ---- time ---- */

static void tick_keys(struct client_engine *e, const struct turn *t)
{
    bool any = keyset_expire(&e->tunnel.keys, t->now);

    if (!any && e->state == CLIENT_UP) {
        turn_event(t, (struct client_event){ .kind = EVENT_KEYS_EXPIRED });
        member_lost(e, t, t->now);
    }
    if (e->state == CLIENT_UP && login_may_go_inside(&e->login) &&
        keyset_want_rekey(&e->tunnel.keys, t->now))
        login_start(&e->login, &e->tunnel, true, t->now, t->now);
    if (e->state == CLIENT_UP && e->login.state == LOGIN_IDLE && t->now >= e->login.fail_back_at)
        login_probe(&e->login, &e->tunnel, t);
}

static void tick_alive(struct client_engine *e, const struct turn *t)
{
    struct control mtu[2];
    unsigned n = e->mtu_told ? pmtu_message(&e->pmtu, mtu) : 0;

    if (!alive_tick(&e->alive, &e->tunnel, t, mtu, n))
        return;
    turn_event(
        t, (struct client_event){ .kind = EVENT_ROUTER_LOST,
                                  .ep = e->tunnel.router,
                                  .a = (uint32_t)(time_since(t->now, e->alive.heard) / NS_PER_S) });
    /* A login that a NUDGE or an expiring keypair began goes on, but outside and from its start. */
    member_lost(e, t, t->now);
    e->by_silence = true;
}

/* probes_run() - not while a new login is about to say what the path is */
static bool probes_run(const struct client_engine *e)
{
    return e->state == CLIENT_UP && e->login.state != LOGIN_CONFIRM;
}

void client_engine_tick(struct client_engine *e, mono_ns now, struct entropy *rnd, struct out *out)
{
    struct turn t = turn_of(e, now, rnd, out);

    if (e->state == CLIENT_STOPPED)
        return;
    if (e->hint && e->state == CLIENT_UP)
        member_hint(e, &t, 1);
    e->hint = false;
    tick_alive(e, &t);
    tick_keys(e, &t);
    login_tick(&e->login, &e->tunnel, &t);
    if (probes_run(e)) {
        enum pmtu_news news = pmtu_tick(&e->pmtu, &e->tunnel, &t, e->alive.heard);
        if (e->pmtu.ask && e->alive.unanswered == 0)
            alive_ask(&e->alive);
        e->pmtu.ask = false;
        member_path(e, &t, news);
    }
    if (now >= e->carrier_at)
        member_settle(e, &t);
    if (now >= e->hold_until)
        member_hold_over(e, &t);
    if (now >= e->withdraw_at)
        member_carrier_off(e, &t);
}

mono_ns client_engine_deadline(const struct client_engine *e, mono_ns now)
{
    if (e->state == CLIENT_STOPPED)
        return NEVER;
    if (e->hint)
        return now;
    mono_ns d = login_deadline(&e->login);
    d = time_earlier(d, alive_deadline(&e->alive, &e->tunnel));
    d = time_earlier(d, keyset_deadline(&e->tunnel.keys, now));
    if (probes_run(e))
        d = time_earlier(d, pmtu_deadline(&e->pmtu));
    if (e->state == CLIENT_UP && login_may_go_inside(&e->login) &&
        keyset_want_rekey(&e->tunnel.keys, now))
        d = time_earlier(d, now);
    if (e->state == CLIENT_UP && e->login.state == LOGIN_IDLE)
        d = time_earlier(d, e->login.fail_back_at);
    d = time_earlier(d, e->carrier_at);
    d = time_earlier(d, e->hold_until);
    return time_earlier(d, e->withdraw_at);
}

/* ---- what io says ---- */

void client_engine_router(struct client_engine *e, unsigned which, const struct endpoint *eps,
                          unsigned n, mono_ns now)
{
    struct turn t = turn_of(e, now, NULL, NULL);

    if (e->state != CLIENT_STOPPED)
        login_routers(&e->login, which, eps, n, &t);
}

void client_engine_refused(struct client_engine *e, unsigned sock, struct endpoint peer,
                           mono_ns now)
{
    /* While a login is under way it says nothing new: silence and its back-off say as much. */
    if (e->state == CLIENT_UP && now >= e->nudge_after && sock == e->tunnel.sock &&
        endpoint_eq(peer, e->tunnel.router))
        e->hint = true;
}

void client_engine_path(struct client_engine *e, uint16_t outer_mtu, mono_ns now)
{
    e->tunnel.outer_mtu = outer_mtu;
    if (e->state == CLIENT_UP)
        pmtu_recap(&e->pmtu, pmtu_cap(outer_mtu, e->cfg->mtu, e->settings.mtu_max), now);
}

void client_engine_too_long(struct client_engine *e, mono_ns now)
{
    if (e->state == CLIENT_UP)
        pmtu_doubt(&e->pmtu, now);
}

void client_engine_network_changed(struct client_engine *e, mono_ns now)
{
    alive_ask(&e->alive);
    if (e->state == CLIENT_UP)
        pmtu_path_changed(&e->pmtu, now);
    if (e->state == CLIENT_UP || e->state == CLIENT_STOPPED)
        return;
    login_new_way(&e->login, now);
}

void client_engine_stop(struct client_engine *e, mono_ns now, struct entropy *rnd, struct out *out)
{
    struct turn t = turn_of(e, now, rnd, out);
    struct control c = { .type = TLV_GOODBYE, .goodbye = GOODBYE_SHUTDOWN };

    if (e->state == CLIENT_STOPPED)
        return;
    if (keyset_can_send(&e->tunnel.keys, now))
        tunnel_control(&e->tunnel, &t, &c, 1, 0);
    if (e->cfg->configure == CONFIGURE_RA && e->want.carrier)
        member_last_ra(e, &t);
    login_stop(&e->login);
    alive_stop(&e->alive);
    member_carrier_off(e, &t);
    e->state = CLIENT_STOPPED;
}

/* ---- what io asks ---- */

bool client_engine_want_resolve(const struct client_engine *e, unsigned *which)
{
    *which = e->login.which;
    return e->login.want_resolve;
}

struct endpoint client_engine_towards(const struct client_engine *e)
{
    const struct login *l = &e->login;
    bool outside = l->state != LOGIN_IDLE && !l->inside && !l->probing && l->n_routers;

    return outside ? l->router[l->cur] : e->tunnel.router;
}

struct client_sock client_engine_sock(const struct client_engine *e, unsigned i)
{
    uint32_t generation = e->login.sock_generation[i];

    return (struct client_sock){
        .wanted = e->login.sock_mask & (1u << i),
        .generation = generation,
        .port = i == 0 && generation == 0 ? e->cfg->port : 0,
    };
}

const struct device_want *client_engine_want(const struct client_engine *e)
{
    return &e->want;
}

bool client_engine_event(struct client_engine *e, struct client_event *ret)
{
    return event_take(&e->events, ret);
}

const char *client_state_name(enum client_state s)
{
    static const char *const names[] = { "logging_in", "up", "held", "stopped" };

    return (unsigned)s < sizeof(names) / sizeof(names[0]) ? names[s] : "unknown";
}
