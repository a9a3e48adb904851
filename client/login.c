/* SPDX-License-Identifier: MIT */
/* login.c - how a client gets a keypair */
#include "client/login.h"

#include "proto/mac.h"

static const uint16_t confirm_ms[CONFIRM_TRIES] = { 100, 300, 700, 1000, 1000, 1000 };

/* empty_purses() - cookies are good for one router only, and their key is made of its key */
static void empty_purses(struct login *l)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++)
        cookie_purse_init(&l->purse[i], l->cfg->router[l->which].key);
}

void login_init(struct login *l, const struct client_config *cfg, mono_ns now)
{
    memset(l, 0, sizeof(*l));
    l->cfg = cfg;
    memcpy(l->self.private_key, cfg->private_key, KEY_LEN);
    memcpy(l->self.public_key, cfg->public_key, KEY_LEN);
    l->started = l->sent = now;
    l->deadline = l->wanted = l->fail_back_at = NEVER;
    l->sock_mask = 1;
    l->may_move = true;
    l->limit = cfg->n_routers;
    empty_purses(l);
}

void login_wipe(struct login *l)
{
    sodium_memzero(l, sizeof(*l));
    l->deadline = l->wanted = l->fail_back_at = NEVER;
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
    tn->which = l->back_which;
}

/* go_pause() - the next try comes after @d, jittered but never beyond @max */
static void go_pause(struct login *l, const struct turn *t, mono_ns d, mono_ns max, bool hurry)
{
    d = time_earlier(time_jitter(d, LOGIN_JITTER_PCT, entropy_u32(t->rnd)), max);
    l->state = LOGIN_PAUSE;
    l->hurry = hurry;
    l->deadline = t->now + d;
}

/* backoff() - LOGIN_TIMEOUT, doubled per LOGIN of which both copies went unanswered at every
 * router: a lossy path needs tries in the first seconds (H102), and a router that is away sees as
 * few later on */
static mono_ns backoff(const struct login *l)
{
    unsigned doubled = l->silent / (2 * l->limit);
    mono_ns d = LOGIN_TIMEOUT << (doubled < 4 ? doubled : 4);
    return time_earlier(d, LOGIN_BACKOFF_MAX);
}

/* ---- name resolution and fail-over ---- */

/* turn_to() - LOGINs outside go to cfg->router[@which] from now on */
static void turn_to(struct login *l, unsigned which)
{
    l->addresses_tried = 0;
    if (which == l->which)
        return;
    l->which = which;
    l->n_routers = l->cur = 0;
    l->want_resolve = true;
    forget_msg(l);
    empty_purses(l);
}

/* next_turn() - the next router of this round; false when that is over, and with the next try
 * another one begins */
static bool next_turn(struct login *l)
{
    l->tried |= 1u << l->which;
    for (unsigned i = 0; i < l->limit; i++) {
        if (l->tried & (1u << i))
            continue;
        turn_to(l, i);
        return true;
    }
    l->tried = 0;
    if (!l->probing)
        turn_to(l, 0);
    return false;
}

bool login_next_router(struct login *l, const struct turn *t)
{
    if (l->inside || l->state == LOGIN_CONFIRM || !next_turn(l))
        return false;
    l->state = LOGIN_PAUSE;
    l->hurry = true;
    l->deadline = t->now;
    return true;
}

/* use_address() - LOGINs go to address @i of this router from now on */
static void use_address(struct login *l, unsigned i, const struct turn *t)
{
    l->cur = i;
    if (!l->inside)
        forget_msg(l);
    empty_purses(l);
    if (!l->probing)
        turn_event(t, (struct client_event){ .kind = EVENT_ROUTER_CHANGED, .ep = l->router[i] });
}

/* no_address() - the name has none, or takes too long to say */
static void no_address(struct login *l, const struct turn *t)
{
    turn_event(t, (struct client_event){ .kind = EVENT_NO_ROUTER, .a = l->which });
    l->sent = t->now;
    l->silent++;
    if (login_next_router(l, t))
        return;
    if (l->probing) {
        login_stop(l);
        return;
    }
    l->state = LOGIN_PAUSE;
    l->hurry = true;
    l->deadline = t->now + backoff(l);
}

void login_routers(struct login *l, unsigned which, const struct endpoint *eps, unsigned n,
                   const struct turn *t)
{
    struct endpoint used = l->n_routers ? l->router[l->cur] : (struct endpoint){ 0 };
    unsigned same = n;

    if (which != l->which)
        return;
    l->want_resolve = false;
    if (n == 0) {
        if (l->state == LOGIN_RESOLVE)
            no_address(l, t);
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
        use_address(l, 0, t);
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

/* asked() - which of the configured routers this login goes to */
static unsigned asked(const struct login *l, const struct tunnel *tn)
{
    return l->inside ? tn->which : l->which;
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
    l->waiting = handshake_login_write(&l->hs, &l->self, l->cfg->router[asked(l, tn)].key,
                                       ephemeral, fresh_index(tn, t->rnd), &lp, l->msg);
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
            tunnel_emit(t, p, LOGIN_LEN, to, l->sock);
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
        cookie_purse_init(&l->purse[i], l->cfg->router[l->which].key);
        break;
    }
    forget_msg(l);
}

/* other_port() - LOGINs leave from a new socket: this way has been silent for long. The tunnel's
 * stays open, a late sign of life comes there. */
static void other_port(struct login *l, const struct tunnel *tn)
{
    uint8_t i = l->sock;

    do
        i = (uint8_t)((i + 1) % CLIENT_SOCKS);
    while (i == tn->sock);
    l->sock = l->sock_good = i;
    l->sock_mask = (uint8_t)((1u << tn->sock) | (1u << i));
    l->sock_generation[i]++;
    cookie_purse_init(&l->purse[i], l->cfg->router[l->which].key);
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
        l->deadline = l->limit > 1 || l->probing ? t->now + LOGIN_RESOLVE_MAX : NEVER;
        return;
    }
    if (l->new_sock)
        open_sock(l);
    else if (l->fresh_sock && !l->inside)
        other_port(l, tn);
    l->new_sock = l->fresh_sock = false;
    if (l->waiting && l->repeatable)
        l->repeatable = false;
    else if (!make_login(l, tn, t)) {
        go_pause(l, t, LOGIN_REFUSED_WAIT, LOGIN_BACKOFF_MAX, false);
        return;
    }
    send_login(l, tn, t);
}

/* way_silent() - both copies of a LOGIN went unanswered: this way does not work now, so the next
 * one. False when there is none and the login ends. */
static bool way_silent(struct login *l, const struct turn *t)
{
    l->want_resolve = true;
    if (l->taken && l->sock != l->sock_good) {
        l->sock = l->sock_good;
        l->taken = MAC_TAKEN_TRIES;
        forget_msg(l);
        return true;
    }
    if (++l->addresses_tried < l->n_routers) {
        use_address(l, (l->cur + 1) % l->n_routers, t);
        return true;
    }
    unsigned before = l->which;
    bool more = next_turn(l);
    if (!more && l->probing)
        return false;
    if (!more && ++l->rounds % LOGIN_FRESH_SOCK == 0)
        l->fresh_sock = l->may_move && !l->cfg->port && !l->taken; /* a port asked for stays */
    if (l->which == before && l->n_routers > 1)
        use_address(l, (l->cur + 1) % l->n_routers, t);
    return true;
}

/* silence() - a LOGIN was not answered in time; false: the login ends */
static bool silence(struct login *l, const struct turn *t)
{
    l->silent++;
    if (!l->bad_reply && !l->probing)
        turn_event(t, (struct client_event){
                          .kind = EVENT_SILENCE, .ep = l->router[l->cur], .a = l->silent });
    if (l->inside || (l->waiting && l->repeatable))
        return true;
    return way_silent(l, t);
}

/* ---- start, stop, hints ---- */

void login_stop(struct login *l)
{
    forget_msg(l);
    l->state = LOGIN_IDLE;
    l->deadline = l->wanted = NEVER;
    l->want_resolve = l->probing = l->fresh_sock = false;
}

void login_start(struct login *l, struct tunnel *tn, bool inside, mono_ns now, mono_ns when)
{
    if (l->state == LOGIN_CONFIRM)
        unconfirm(l, tn);
    login_stop(l);
    turn_to(l, tn->which);
    if (l->n_routers == 0 && be16_get(tn->router.port)) {
        /* where it was last, without waiting for its name: the resolver may be behind the tunnel */
        l->router[0] = tn->router;
        l->n_routers = 1;
    }
    l->limit = l->cfg->n_routers;
    l->tried = l->rounds = 0;
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

void login_probe(struct login *l, struct tunnel *tn, const struct turn *t)
{
    login_probe_later(l, tn, t);
    login_start(l, tn, false, t->now, t->now);
    l->probing = true;
    l->limit = tn->which;
    turn_to(l, 0);
}

void login_probe_later(struct login *l, const struct tunnel *tn, const struct turn *t)
{
    mono_ns d = time_s(l->cfg->fail_back_s);

    l->fail_back_at =
        tn->which && d ? t->now + time_jitter(d, LOGIN_JITTER_PCT, entropy_u32(t->rnd)) : NEVER;
}

void login_kick(struct login *l, mono_ns now)
{
    bool waits = (l->state == LOGIN_PAUSE && l->hurry) ||
                 (l->state == LOGIN_SENT && time_since(now, l->sent) >= LOGIN_TIMEOUT);
    if (waits)
        l->deadline = time_earlier(l->deadline, now);
}

void login_new_way(struct login *l, mono_ns now)
{
    l->want_resolve = true;
    l->silent = 0;
    if (l->state == LOGIN_SENT) /* what has just left may still be answered */
        l->deadline = time_earlier(l->deadline, l->sent + LOGIN_TIMEOUT);
    login_kick(l, now);
}

bool login_starves(const struct login *l)
{
    bool waits = l->state == LOGIN_SENT || l->state == LOGIN_PAUSE;

    return waits && !l->inside && !l->probing && l->silent >= 2;
}

bool login_may_go_inside(const struct login *l)
{
    return l->state == LOGIN_IDLE || (l->state == LOGIN_PAUSE && !l->inside && !l->hurry) ||
           (l->probing && l->state != LOGIN_CONFIRM);
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
    l->back_which = tn->which;
    if (!l->inside) {
        tn->which = l->which;
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

    if (l->settings.verdict == VERDICT_MAC_TAKEN) {
        verdict_taken(l, t);
        return;
    }
    if (l->settings.verdict == VERDICT_BUSY) {
        s = s < LOGIN_BUSY_MIN_S ? LOGIN_BUSY_MIN_S : s > LOGIN_BUSY_MAX_S ? LOGIN_BUSY_MAX_S : s;
        turn_event(t, (struct client_event){ .kind = EVENT_BUSY, .ep = from, .a = s });
    } else { /* refused, and whatever later versions may say */
        turn_event(
            t, (struct client_event){ .kind = EVENT_REFUSED, .ep = from, .a = l->settings.reason });
    }
    if (login_next_router(l, t))
        return;
    if (l->probing)
        login_stop(l);
    else if (l->settings.verdict == VERDICT_BUSY)
        /* Never earlier than asked for: the jitter goes up only. 5/4 less 20 % is not too early. */
        go_pause(l, t, time_s(s) / 4 * 5, NEVER, false);
    else
        go_pause(l, t, LOGIN_REFUSED_WAIT, NEVER, false);
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
    enum drop why = handshake_reply_open(&l->hs, &l->self, client_config_psk(l->cfg, asked(l, tn)),
                                         msg, len, &s, &remote, &keys);
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
    if (size && size + OUTER_IP_UDP <= tn->outer_mtu && l->confirms < 2)
        tunnel_probe(tn, t, &c, 1, size, false);
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
    l->may_move = false;
}

static void confirm_lost(struct login *l, struct tunnel *tn, const struct turn *t)
{
    turn_event(t, (struct client_event){ .kind = EVENT_CONFIRM_LOST, .ep = tn->router });
    unconfirm(l, tn);
    if (l->probing) {
        login_stop(l);
        return;
    }
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
        return;
    case LOGIN_RESOLVE:
        no_address(l, t);
        return;
    case LOGIN_SENT:
        if (silence(l, t))
            try_now(l, tn, t);
        else
            login_stop(l);
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
