/* SPDX-License-Identifier: MIT */
/* login.c - how a client gets a keypair */
#include "client/login.h"

#include "proto/mac.h"

static const uint16_t confirm_ms[CONFIRM_TRIES] = { 100, 300, 700, 1000, 1000, 1000 };

void login_init(struct login *l, const struct client_config *cfg, mono_ns now)
{
    memset(l, 0, sizeof(*l));
    l->cfg = cfg;
    memcpy(l->self.private_key, cfg->private_key, KEY_LEN);
    memcpy(l->self.public_key, cfg->public_key, KEY_LEN);
    l->started = l->sent = now;
    l->deadline = l->wanted = NEVER;
    l->sock_mask = 1;
    for (unsigned i = 0; i < CLIENT_SOCKS; i++)
        cookie_purse_init(&l->purse[i], cfg->router_key);
}

void login_wipe(struct login *l)
{
    sodium_memzero(l, sizeof(*l));
    l->deadline = l->wanted = NEVER;
}

/* forget_msg() - no LOGIN waits any more */
static void forget_msg(struct login *l)
{
    if (l->waiting)
        handshake_wipe(&l->hs);
    l->waiting = l->repeatable = false;
}

/* unconfirm() - give up the keypair in CONFIRM: DATA goes where it went before */
static void unconfirm(struct login *l, struct tunnel *tn)
{
    keyset_drop_next(&tn->keys);
    tn->router = l->back_router;
    tn->sock = l->back_sock;
}

/* go_pause() - the next try comes after @d, jittered but never beyond @max */
static void go_pause(struct login *l, const struct turn *t, mono_ns d, mono_ns max, bool hurry)
{
    d = time_earlier(time_jitter(d, LOGIN_JITTER_PCT, entropy_u32(t->rnd)), max);
    l->state = LOGIN_PAUSE;
    l->hurry = hurry;
    l->deadline = t->now + d;
}

/* backoff() - LOGIN_TIMEOUT, doubled per LOGIN of which both copies went unanswered: a lossy path
 * needs tries in the first seconds (H102), and a router that is away sees as few later on */
static mono_ns backoff(const struct login *l)
{
    unsigned doubled = l->silent / 2;
    mono_ns d = LOGIN_TIMEOUT << (doubled < 4 ? doubled : 4);
    return time_earlier(d, LOGIN_BACKOFF_MAX);
}

/* ---- name resolution and fail-over ---- */

/* use_router() - LOGINs go to router @i from now on; cookies are good for one router only */
static void use_router(struct login *l, unsigned i, const struct turn *t)
{
    l->cur = i;
    if (!l->inside)
        forget_msg(l);
    for (unsigned s = 0; s < CLIENT_SOCKS; s++)
        cookie_purse_init(&l->purse[s], l->cfg->router_key);
    turn_event(t, (struct client_event){ .kind = EVENT_ROUTER_CHANGED, .ep = l->router[i] });
}

void login_routers(struct login *l, const struct endpoint *eps, unsigned n, const struct turn *t)
{
    struct endpoint used = l->n_routers ? l->router[l->cur] : (struct endpoint){ 0 };
    unsigned same = n;

    l->want_resolve = false;
    if (n == 0) {
        turn_event(t, (struct client_event){ .kind = EVENT_NO_ROUTER });
        if (l->state != LOGIN_RESOLVE)
            return;
        l->state = LOGIN_PAUSE;
        l->hurry = true;
        l->sent = t->now;
        l->deadline = t->now + backoff(l);
        l->silent++;
        return;
    }
    if (n > CLIENT_ROUTERS)
        n = CLIENT_ROUTERS;
    for (unsigned i = n; i-- > 0;)
        if (endpoint_eq(eps[i], used))
            same = i;
    memcpy(l->router, eps, n * sizeof(*eps));
    l->n_routers = n;
    if (same < n)
        l->cur = same;
    else
        use_router(l, 0, t);
    if (l->state == LOGIN_RESOLVE || (l->state == LOGIN_SENT && !l->waiting)) {
        l->state = LOGIN_PAUSE;
        l->hurry = true;
        l->deadline = t->now;
    }
}

/* ---- sending ---- */

static uint32_t fresh_index(const struct tunnel *tn, struct entropy *rnd)
{
    uint32_t index;

    do
        index = entropy_u32(rnd);
    while (index == 0 || keyset_slot(&tn->keys, index) != SLOT_NONE);
    return index;
}

/* make_login() - a new LOGIN into l->msg; false when no handshake is possible with that key */
static bool make_login(struct login *l, const struct tunnel *tn, const struct turn *t)
{
    struct cookie_purse *purse = &l->purse[l->sock];
    struct login_payload lp = { .software = "sixtap " SIXTAP_VERSION,
                                .wanted_mtu = l->cfg->mtu,
                                .tries = (uint8_t)l->taken };
    uint8_t ephemeral[KEY_LEN];

    lp.n_ciphers = (uint8_t)seal_offer(lp.ciphers);
    lp.has_cookie = !l->inside && cookie_have(purse, t->now);
    if (lp.has_cookie)
        memcpy(lp.cookie, purse->cookie, COOKIE_LEN);
    entropy_draw(t->rnd, ephemeral, sizeof(ephemeral));
    forget_msg(l);
    l->waiting = handshake_login_write(&l->hs, &l->self, l->cfg->router_key, ephemeral,
                                       fresh_index(tn, t->rnd), &lp, l->msg);
    sodium_memzero(ephemeral, sizeof(ephemeral));
    if (!l->waiting)
        return false;
    cookie_stamp(purse, l->msg, t->now);
    l->repeatable = !lp.has_cookie;
    l->bad_reply = false;
    return true;
}

/* send_login() - the LOGIN in l->msg leaves; a lost or unsent one is met by the deadline */
static void send_login(struct login *l, struct tunnel *tn, const struct turn *t)
{
    struct endpoint to = l->inside ? tn->router : l->router[l->cur];

    if (l->inside) {
        struct control c = { .type = TLV_LOGIN, .body = l->msg, .body_len = LOGIN_LEN };
        tunnel_control(tn, t, &c, 1, 0);
    } else {
        uint8_t *p = out_alloc(t->out, LOGIN_LEN);
        if (p) {
            memcpy(p, l->msg, LOGIN_LEN);
            tunnel_emit(tn, t, p, LOGIN_LEN, to, l->sock);
        } else {
            turn_drop(t, DROP_NO_ROOM, 1);
        }
    }
    turn_event(t, (struct client_event){
                      .kind = EVENT_LOGIN_SENT, .ep = to, .a = l->silent, .b = l->sock });
    go_pause(l, t, backoff(l), LOGIN_BACKOFF_MAX, true);
    l->state = LOGIN_SENT;
    l->sent = t->now;
    l->wanted = NEVER;
}

/* open_sock() - LOGINs leave from a socket that is not open yet */
static void open_sock(struct login *l)
{
    for (uint8_t i = 0; i < CLIENT_SOCKS; i++) {
        if (l->sock_mask & (1u << i))
            continue;
        l->sock = i;
        l->sock_mask |= (uint8_t)(1u << i);
        l->sock_generation[i]++;
        cookie_purse_init(&l->purse[i], l->cfg->router_key);
        break;
    }
    forget_msg(l);
}

/* try_now() - the next LOGIN, whichever it is */
static void try_now(struct login *l, struct tunnel *tn, const struct turn *t)
{
    l->cookie_answered = false;
    if (l->inside && (l->silent >= LOGIN_INSIDE_TRIES || !keyset_can_send(&tn->keys, t->now))) {
        l->inside = false;
        l->want_resolve = true;
        l->silent = 0; /* of this way nothing is known yet */
        forget_msg(l);
    }
    if (!l->inside && l->n_routers == 0) {
        l->want_resolve = true;
        l->state = LOGIN_RESOLVE;
        l->deadline = NEVER;
        return;
    }
    if (l->new_sock)
        open_sock(l);
    l->new_sock = false;
    if (l->waiting && l->repeatable)
        l->repeatable = false;
    else if (!make_login(l, tn, t)) {
        go_pause(l, t, LOGIN_REFUSED_WAIT, LOGIN_BACKOFF_MAX, false);
        return;
    }
    send_login(l, tn, t);
}

/* silence() - a LOGIN was not answered in time */
static void silence(struct login *l, const struct turn *t)
{
    l->silent++;
    if (!l->bad_reply)
        turn_event(t, (struct client_event){
                          .kind = EVENT_SILENCE, .ep = l->router[l->cur], .a = l->silent });
    if (l->inside || (l->waiting && l->repeatable))
        return;
    /* Both copies went unanswered: this way does not work now. */
    l->want_resolve = true;
    if (l->taken && l->sock != l->sock_good) {
        l->sock = l->sock_good;
        l->taken = MAC_TAKEN_TRIES;
        forget_msg(l);
    } else if (l->n_routers > 1) {
        use_router(l, (l->cur + 1) % l->n_routers, t);
    }
}

/* ---- start, stop, hints ---- */

void login_stop(struct login *l)
{
    forget_msg(l);
    l->state = LOGIN_IDLE;
    l->deadline = l->wanted = NEVER;
    l->want_resolve = false;
}

void login_start(struct login *l, struct tunnel *tn, bool inside, mono_ns now, mono_ns when)
{
    if (l->state == LOGIN_CONFIRM)
        unconfirm(l, tn);
    login_stop(l);
    l->inside = inside;
    l->started = now;
    if (keyset_can_send(&tn->keys, now))
        l->sock = tn->sock; /* what works */
    l->silent = l->taken = 0;
    l->new_sock = false;
    l->sock_good = l->sock;
    l->sock_mask = (uint8_t)((1u << l->sock) | (1u << tn->sock));
    l->want_resolve = !inside;
    l->hurry = when < now + LOGIN_WANTED_MAX;
    l->sent = now; /* TAP traffic that waits counts from here */
    l->state = LOGIN_PAUSE;
    l->deadline = when;
}

void login_kick(struct login *l, mono_ns now)
{
    bool waits = (l->state == LOGIN_PAUSE && l->hurry) ||
                 (l->state == LOGIN_SENT && time_since(now, l->sent) >= LOGIN_TIMEOUT);
    if (waits)
        l->deadline = time_earlier(l->deadline, now);
}

bool login_starves(const struct login *l)
{
    bool waits = l->state == LOGIN_SENT || l->state == LOGIN_PAUSE;

    return waits && !l->inside && l->silent >= 2;
}

bool login_may_go_inside(const struct login *l)
{
    return l->state == LOGIN_IDLE || (l->state == LOGIN_PAUSE && !l->inside && !l->hurry);
}

void login_wanted(struct login *l, mono_ns now)
{
    l->wanted = now;
}

mono_ns login_deadline(const struct login *l)
{
    bool hurry = l->state == LOGIN_SENT || (l->state == LOGIN_PAUSE && l->hurry);

    if (hurry && l->wanted != NEVER)
        return time_earlier(l->deadline, l->sent + LOGIN_WANTED_MAX);
    return l->deadline;
}

/* ---- answers ---- */

enum drop login_cookie(struct login *l, struct tunnel *tn, const struct turn *t,
                       const struct dgram *d)
{
    if (l->state != LOGIN_SENT || l->inside || !l->waiting ||
        wire_data_index(d->p) != l->hs.index || d->sock != l->sock)
        return DROP_REPLY_UNASKED;
    if (!endpoint_eq(d->peer, l->router[l->cur]))
        return DROP_SOURCE_EP;
    enum drop why = cookie_take(&l->purse[l->sock], d->p, t->now);
    if (why != DROP_NONE)
        return why;
    turn_event(t, (struct client_event){ .kind = EVENT_COOKIE, .ep = d->peer });
    l->repeatable = false;
    if (l->cookie_answered)
        return DROP_NONE; /* the next try carries it */
    l->cookie_answered = true;
    if (make_login(l, tn, t))
        send_login(l, tn, t);
    return DROP_NONE;
}

/* verdict_ok() - the keypair is next; DATA goes to the router that gave it */
static void verdict_ok(struct login *l, struct tunnel *tn, const struct turn *t,
                       const struct session_keys *keys, uint32_t index, uint32_t remote)
{
    struct keypair kp;

    keypair_init(&kp, (enum cipher)l->settings.cipher, keys, index, remote, t->now);
    keyset_install(&tn->keys, &kp, t->now, entropy_u32(t->rnd));
    keypair_wipe(&kp);
    l->back_router = tn->router;
    l->back_sock = tn->sock;
    if (!l->inside) {
        tn->router = l->router[l->cur];
        tn->sock = l->sock;
    }
    l->state = LOGIN_CONFIRM;
    l->confirms = 0;
    l->confirm_size = 0;
    l->deadline = t->now;
}

/* verdict_taken() - another socket next time, or the same one once the router is to assign */
static void verdict_taken(struct login *l, const struct turn *t)
{
    bool more = !l->inside && l->taken < MAC_TAKEN_TRIES;

    l->taken += l->taken < MAC_TAKEN_TRIES;
    l->new_sock = more;
    uint32_t next = l->sock;
    for (uint32_t i = CLIENT_SOCKS; more && i-- > 0;)
        if (!(l->sock_mask & (1u << i)))
            next = i;
    turn_event(t, (struct client_event){ .kind = EVENT_MAC_TAKEN,
                                         .ep = l->settings.seen,
                                         .mac = mac_of_endpoint(l->settings.seen),
                                         .a = l->taken,
                                         .b = next });
    l->state = LOGIN_PAUSE;
    l->hurry = false;
    l->deadline = t->now + MAC_TAKEN_PAUSE;
}

/* verdict_no() - anything but ok */
static void verdict_no(struct login *l, const struct turn *t, struct endpoint from)
{
    unsigned s = l->settings.backoff_s;

    switch (l->settings.verdict) {
    case VERDICT_MAC_TAKEN:
        verdict_taken(l, t);
        return;
    case VERDICT_BUSY:
        s = s < LOGIN_BUSY_MIN_S ? LOGIN_BUSY_MIN_S : s > LOGIN_BUSY_MAX_S ? LOGIN_BUSY_MAX_S : s;
        turn_event(t, (struct client_event){ .kind = EVENT_BUSY, .ep = from, .a = s });
        /* Never earlier than asked for: the jitter goes up only. */
        go_pause(l, t, time_s(s) / 4 * 5, NEVER, false); /* 5/4 less 20 % is not too early */
        return;
    default: /* refused, and whatever later versions may say */
        turn_event(
            t, (struct client_event){ .kind = EVENT_REFUSED, .ep = from, .a = l->settings.reason });
        go_pause(l, t, LOGIN_REFUSED_WAIT, NEVER, false);
        return;
    }
}

/* reply_wrong() - it came from where we asked but is of no use: say so once per LOGIN */
static void reply_wrong(struct login *l, const struct turn *t, enum drop why, struct endpoint from)
{
    enum client_event_kind kind = why == DROP_REPLY_OPEN ? EVENT_REPLY_BAD : EVENT_REPLY_MALFORMED;

    if (!l->bad_reply)
        turn_event(t, (struct client_event){ .kind = kind, .ep = from });
    l->bad_reply = true;
}

enum drop login_reply(struct login *l, struct tunnel *tn, const struct turn *t, const uint8_t *msg,
                      size_t len, struct endpoint from, uint8_t sock, bool inside)
{
    struct session_keys keys;
    struct settings s;
    uint32_t index = l->hs.index, remote;

    if (l->state != LOGIN_SENT || !l->waiting || l->inside != inside || len < LOGIN_REPLY_MIN ||
        be32_load(msg + 8) != index)
        return DROP_REPLY_UNASKED;
    if (!inside && (!endpoint_eq(from, l->router[l->cur]) || sock != l->sock))
        return DROP_SOURCE_EP;
    enum drop why =
        handshake_reply_open(&l->hs, &l->self, l->cfg->psk, msg, len, &s, &remote, &keys);
    if (why == DROP_NONE && s.verdict == VERDICT_OK && !seal_supported((enum cipher)s.cipher))
        why = DROP_LOGIN_PAYLOAD;
    if (why != DROP_NONE) {
        reply_wrong(l, t, why, from);
        goto wipe;
    }
    forget_msg(l);
    l->settings = s;
    l->silent = 0;
    l->sock_good = l->sock;
    if (s.verdict == VERDICT_OK)
        verdict_ok(l, tn, t, &keys, index, remote);
    else
        verdict_no(l, t, from);
wipe:
    sodium_memzero(&keys, sizeof(keys));
    return why;
}

/* ---- confirmation ---- */

void login_confirm(struct login *l, struct tunnel *tn, const struct turn *t, size_t size)
{
    _Static_assert(CONFIRM_TRIES == 6, "confirm_ms");
    struct control c = { .type = TLV_CONFIRM, .size = (uint16_t)size };

    /* The big one goes first: on a path that keeps the order its answer is the first to come. */
    l->confirm_size = size;
    if (size && l->confirms < 2)
        tunnel_control(tn, t, &c, 1, size);
    c.size = PROBE_MIN_LEN;
    tunnel_control(tn, t, &c, 1, PROBE_MIN_LEN);
    l->deadline = t->now + time_ms(confirm_ms[l->confirms]);
    l->confirms++;
}

void login_confirmed(struct login *l)
{
    login_stop(l);
    l->sock_mask = (uint8_t)(1u << l->sock);
    l->taken = 0;
}

static void confirm_lost(struct login *l, struct tunnel *tn, const struct turn *t)
{
    turn_event(t, (struct client_event){ .kind = EVENT_CONFIRM_LOST, .ep = tn->router });
    unconfirm(l, tn);
    /* The router may have promoted what we have just dropped, so not inside. */
    l->inside = false;
    l->want_resolve = true;
    try_now(l, tn, t);
}

void login_tick(struct login *l, struct tunnel *tn, const struct turn *t)
{
    if (t->now < login_deadline(l))
        return;
    switch (l->state) {
    case LOGIN_IDLE:
    case LOGIN_RESOLVE:
        return;
    case LOGIN_SENT:
        silence(l, t);
        try_now(l, tn, t);
        return;
    case LOGIN_PAUSE:
        try_now(l, tn, t);
        return;
    case LOGIN_CONFIRM:
        if (l->confirms < CONFIRM_TRIES)
            login_confirm(l, tn, t, l->confirm_size);
        else
            confirm_lost(l, tn, t);
        return;
    }
}
