/* SPDX-License-Identifier: MIT */
/* engine.c - the router without its sockets: bursts in, bursts out, one next deadline */
#include "router/engine.h"

#include <sodium.h>

#include "router/adverts.h"
#include "router/carve.h"
#include "router/state.h"

#define DROPPED      0xFFu /* beside enum wire_type: counted already */
#define CACHED       256u  /* members that lie in the cache anyway */
#define ERRORS_PER_S 100u
#define ECHOES_PER_S 50u
#define TURNS        3u   /* this often */
#define TURNS_TIME_S 180u /* in this time: two hosts with one key */

size_t router_engine_bytes(const struct router_config *c)
{
    return carve_size(sizeof(struct router_engine)) + carve_size(roster_bytes(c)) +
           carve_size(members_bytes(c)) + carve_size(bindings_bytes(c)) +
           carve_size(admit_bytes(c)) + carve_size(groups_bytes(c)) +
           (c->multicast ? carve_size(sizeof(struct cast)) : 0) +
           carve_size(sizeof(struct rate_by_ip)) + CARVE_ALIGN;
}

struct router_engine *router_engine_init(void *mem, const struct router_config *c, mono_ns now,
                                         struct entropy *e)
{
    uint8_t *p = carve_start(mem);
    struct router_engine *re = carve(&p, sizeof(*re));
    uint8_t hash_key[16];

    entropy_draw(e, hash_key, sizeof(hash_key));
    re->conf = c;
    re->mac = mac_of_endpoint(c->public_ep);
    re->link_local = mac_link_local(re->mac);
    re->next_sweep = NEVER;
    roster_init(&re->roster, carve(&p, roster_bytes(c)), c, hash_key);
    members_init(&re->ms, carve(&p, members_bytes(c)), c, hash_key);
    bindings_init(&re->b, carve(&p, bindings_bytes(c)), c, &re->ms, &re->roster, re->link_local,
                  hash_key);
    admit_init(&re->admit, carve(&p, admit_bytes(c)), c, &re->roster, &re->ms, &re->b, &re->notices,
               hash_key, now, e);
    groups_init(&re->groups, carve(&p, groups_bytes(c)), c, hash_key);
    if (c->multicast)
        re->cast = carve(&p, sizeof(struct cast));
    re->adverts.rnd = entropy_u32(e);
    re->nudges_by_ip = carve(&p, sizeof(struct rate_by_ip));
    memcpy(re->nudges_by_ip->hash_key, hash_key, sizeof(hash_key));
    icmp6_bucket_init(&re->errors, ERRORS_PER_S, ERRORS_PER_S, now);
    icmp6_bucket_init(&re->uplink_errors, ERRORS_PER_S, ERRORS_PER_S, now);
    icmp6_bucket_init(&re->echoes, ECHOES_PER_S, ECHOES_PER_S, now);
    return re;
}

struct notice *engine_note(struct router_engine *re, enum notice_kind kind, const struct member *m,
                           unsigned reason)
{
    struct notice *ev = notice_add(&re->notices, kind);
    ev->client = m->client;
    memcpy(ev->key, m->key, KEY_LEN);
    ev->ep = m->ep;
    ev->mac = m->mac;
    ev->reason = reason;
    if (m->n_bound)
        ev->addr = m->bound[0].addr;
    else
        ev->addr = m->eui_global;
    return ev;
}

/* Packets already queued for it must not reach whoever gets its slot next, so it goes at the end of
 * the call. */
void engine_leave(struct router_engine *re, struct member *m, enum logout why, mono_ns now)
{
    for (unsigned i = 0; i < re->n_leaving; i++) {
        if (re->leaving[i] == m)
            return;
    }
    if (re->n_leaving == BURST_MAX)
        return; /* the sweep finds it silent */
    (void)now;
    engine_note(re, NOTICE_LOGOUT, m, why);
    re->leaving[re->n_leaving++] = m;
}

static bool is_leaving(const struct router_engine *re, const struct member *m)
{
    for (unsigned i = 0; i < re->n_leaving; i++) {
        if (re->leaving[i] == m)
            return true;
    }
    return false;
}

static void finish_call(struct router_engine *re, mono_ns now, struct out *out)
{
    struct cast_job *j;
    while (re->cast && (j = cast_run(re->cast, &re->ms, &re->groups, &re->txq, out, now)))
        inner_cast_too_big(re, j, now, out);
    txq_flush(&re->txq, now, out, re->drop);
    for (unsigned i = 0; i < re->n_leaving; i++) {
        bindings_release(&re->b, re->leaving[i]);
        member_changed(&re->ms, member_slot(&re->ms, re->leaving[i]));
        groups_leave(&re->groups, member_slot(&re->ms, re->leaving[i]));
        adverts_leave(&re->adverts, member_slot(&re->ms, re->leaving[i]));
        shun_forgive(&re->shun, member_slot(&re->ms, re->leaving[i]));
        member_gone(&re->ms, re->leaving[i], now);
    }
    re->n_leaving = 0;
    if (re->ms.n_free == re->ms.n_max)
        re->next_sweep = NEVER;
    else if (re->next_sweep == NEVER)
        re->next_sweep = now + SWEEP_PERIOD;
}

/* ---- datagrams nobody has authenticated ---- */

/* An address that can be no peer: answering it would loop or hit many (H20). A member must not move
 * there either. */
static bool source_plausible(const struct router_engine *re, const struct dgram *d)
{
    uint8_t first = d->peer.ip.b[0];

    if (first == 0 || first >= 224 || be16_get(d->peer.port) == 0)
        return false;
    if (first == 127 && d->local.b[0] != 127)
        return false;
    return !endpoint_eq(d->peer, re->conf->public_ep) && !endpoint_eq(d->peer, re->conf->listen);
}

static void emit(struct router_engine *re, const struct dgram *to, uint8_t *p, size_t len,
                 struct out *out)
{
    struct dgram *d = out_dgram(out);
    if (!d) {
        engine_drop(re, DROP_NO_ROOM);
        return;
    }
    d->peer = to->peer;
    d->local = to->local;
    d->sock = to->sock;
    d->p = p;
    d->len = (uint16_t)len;
    if (len + OUTER_IP_UDP > OUTER_MTU_SAFE)
        d->flags = DGRAM_MAY_FRAGMENT; /* nothing is known of that path yet */
}

/* DATA for a keypair of a former life: tell its sender, within limits, that it is talking to
 * nobody. */
static void nudge(struct router_engine *re, const struct dgram *d, mono_ns now, struct out *out)
{
    if (!rate_by_ip_take(re->nudges_by_ip, d->peer.ip, NUDGE_PER_ADDRESS, NUDGE_PER_ADDRESS, now) ||
        !bucket_take(&re->nudges, NUDGE_PER_S, NUDGE_PER_S, now))
        return;
    uint8_t *p = out_alloc(out, NUDGE_LEN);
    if (!p)
        return;
    wire_put_nudge(p, d->p);
    re->n_nudges++;
    emit(re, d, p, NUDGE_LEN, out);
}

static void login(struct router_engine *re, const struct dgram *d, mono_ns now, struct entropy *e,
                  struct out *out)
{
    size_t len = 0;
    uint64_t opened = re->admit.opened;
    size_t used = out->arena_used;
    uint8_t *reply = re->logins_left ? out_alloc(out, LOGIN_REPLY_MAX) : NULL;

    if (!reply) {
        engine_drop(re, DROP_LOGIN_RATE);
        return;
    }
    enum drop why = admit_datagram(&re->admit, d, now, e, reply, &len);
    if (re->admit.opened != opened)
        re->logins_left--; /* what MAC1 or a limit stopped cost next to nothing */
    if (why)
        engine_drop(re, why);
    if (len && len <= d->len)
        emit(re, d, reply, len, out);
    else
        out->arena_used = used; /* a flood must not use up the room that data needs */
}

/* ---- DATA ---- */

/* A new endpoint: no more than AMPLIFY_FACTOR times what comes from there (heard() adds it up)
 * until it answers. */
static void unproven(struct router_engine *re, struct member *m, struct entropy *e, struct out *out)
{
    uint64_t number;

    m->proven = false;
    m->credit = 0;
    entropy_draw(e, &number, sizeof(number));
    control_challenge(re, m, number | 1, out);
}

/* An authentic datagram of @m: it lives, and this is where. */
static void heard(struct router_engine *re, struct member *m, const struct rx *rx, mono_ns now,
                  struct entropy *e, struct out *out)
{
    const struct dgram *d = rx->d;

    m->heard = now;
    m->rx_packets++;
    m->rx_octets += d->len;
    if (!endpoint_eq(d->peer, m->ep)) {
        if (rx->slot != SLOT_CURRENT || !rx->newest)
            return;
        m->ep = d->peer;
        m->sock = d->sock;
        engine_note(re, NOTICE_MOVED, m, 0);
        unproven(re, m, e, out);
    }
    m->local = d->local;
    if (!m->proven)
        m->credit += AMPLIFY_FACTOR * (uint64_t)d->len;
}

static void take(struct router_engine *re, struct member *m, const struct rx *rx,
                 struct inner_flow *fl, mono_ns now, struct entropy *e, struct out *out)
{
    heard(re, m, rx, now, e, out);
    if (wire_data_kind(rx->d->p) == KIND_CONTROL) {
        fl->ip.known = false;
        control_packet(re, m, rx->slot, rx->d, now, e, out);
    } else {
        inner_packet(re, m, rx->d, fl, now, out);
    }
}

/* Did a failure look like a client that has lost touch: wrong keys, and not from where the member
 * is? */
static void refused(struct router_engine *re, const struct member *m, const struct rx *rx,
                    mono_ns now, struct out *out)
{
    engine_drop(re, rx->drop);
    if (rx->drop == DROP_OPEN && !endpoint_eq(rx->d->peer, m->ep))
        nudge(re, rx->d, now, out);
}

/* Runs of a burst that are open and not yet taken. All are opened before the first is taken, so
 * that what their packets need of other members can be fetched side by side. */
struct opened {
    struct member *m[BURST_MAX]; /* of each run */
    unsigned end[BURST_MAX];     /* rx[] up to here */
    unsigned n;
    struct rx rx[BURST_MAX];
};

static void open_member(struct opened *o, struct member *m, struct dgram *d, unsigned n,
                        mono_ns now)
{
    unsigned at = o->n ? o->end[o->n - 1] : 0;

    for (unsigned i = 0; i < n; i++)
        o->rx[at + i] = (struct rx){ .d = &d[i] };
    keyset_open_run(&m->keys, wire_data_index(d->p), &o->rx[at], n, now);
    o->m[o->n] = m;
    o->end[o->n++] = at + n;
}

static void fetch_owners(const struct router_engine *re, const struct opened *o)
{
    struct wanted w[BURST_MAX];
    unsigned n = 0;

    for (unsigned r = 0; r < o->n; r++) {
        const struct rx *first = &o->rx[r ? o->end[r - 1] : 0];
        if (!first->drop && inner_wanted(first->d, &w[n]))
            n++;
    }
    (void)bindings_prefetch(&re->b, w, n);
}

static void take_opened(struct router_engine *re, struct opened *o, mono_ns now, struct entropy *e,
                        struct out *out)
{
    if (o->n > 1 && re->ms.high > CACHED)
        fetch_owners(re, o);
    for (unsigned r = 0, i = 0; r < o->n; r++) {
        struct member *m = o->m[r];
        struct inner_flow fl;
        fl.ip.known = false;
        for (; i < o->end[r]; i++) {
            struct rx *rx = &o->rx[i];
            if (rx->drop)
                refused(re, m, rx, now, out);
            else if (!is_leaving(re, m))
                take(re, m, rx, &fl, now, e, out);
        }
    }
    o->n = 0;
}

/* The race is lost: say so under the tentative keys, which nobody else can have, and forget them.
 */
static void login_again(struct router_engine *re, uint32_t ref, const struct dgram *d, mono_ns now,
                        struct out *out)
{
    struct keyset ks;
    const uint8_t kind = KIND_CONTROL;
    uint8_t *p = out_alloc(out, DATA_MIN_LEN + 16);

    if (!p)
        return;
    keyset_init(&ks, ROLE_RESPONDER);
    keyset_install(&ks, &re->admit.t[ref].kp, now, 0);
    keyset_promote(&ks, now);
    struct wr w = wr_of(p + DATA_HDR_LEN, 16);
    wire_ctl_put(&w, &(struct control){ .type = TLV_LOGIN_AGAIN });
    struct pkt pt = { .p = p, .len = (uint32_t)w.off };
    if (keyset_seal_run(&ks, &pt, &kind, 1, now))
        emit(re, d, pt.p, pt.len, out);
    keyset_wipe(&ks);
    struct notice *ev = notice_add(&re->notices, NOTICE_AGAIN);
    ev->client = re->admit.t[ref].client;
    ev->ep = d->peer;
    admit_forget(&re->admit, ref);
}

struct confirmation { /* what a login that was just confirmed changed */
    bool is_new, inside, moved;
    struct endpoint before; /* when moved */
};

/* A login that comes back to where the member was before its last one: two hosts take turns with
 * one key (H34). Each ends the other, which neither may notice; the operator should. */
static void took_turns(struct router_engine *re, struct member *m, struct endpoint before,
                       mono_ns now)
{
    bool back = endpoint_eq(m->ep, m->was);

    m->was = before;
    if (!back)
        return;
    uint32_t now_s = (uint32_t)(now / NS_PER_S);
    if (m->turns == 0 || now_s - m->turns_since > TURNS_TIME_S) {
        m->turns_since = now_s;
        m->turns = 0;
    }
    if (m->turns < UINT8_MAX && ++m->turns == TURNS)
        engine_note(re, NOTICE_CLONED, m, 0);
}

static void confirmed(struct router_engine *re, struct member *m, const struct confirmation *c,
                      mono_ns now, struct entropy *e, struct out *out)
{
    if (c->moved && !c->inside)
        took_turns(re, m, c->before, now);
    if (!m->proven && (c->is_new || c->moved))
        unproven(re, m, e, out);
    if (c->is_new || !c->inside) {
        engine_note(re, c->is_new ? NOTICE_LOGIN : NOTICE_RELOGIN, m, 0);
        m->fragment = true; /* until it says what its path takes */
        /* It may be a program that has just started, with a device that knows nothing. */
        m->uplink_told = re->admit.uplink_up;
        m->prefix_told = re->prefix_number;
        m->settings_told = re->settings;
        m->next_query = now; /* what its host listens to is not known */
        m->ra_asked = false;
        m->ra_sent = 0;
        engine_advertise(re, m, now, e, out);
        inner_introduce(re, m, out);
    } else if (c->moved) {
        engine_note(re, NOTICE_MOVED, m, 0);
    }
}

/* The first DATA under a tentative keypair confirms the login. */
static void data_tentative(struct router_engine *re, uint32_t ref, struct dgram *d, mono_ns now,
                           struct entropy *e, struct out *out)
{
    struct tentative *t = &re->admit.t[ref];
    struct member *m;
    struct confirmation c = { .inside = t->inside };
    bool partial = t->partial;

    enum drop why = keypair_open(&t->kp, d, now);
    if (why) {
        engine_drop(re, why);
        return;
    }
    struct member *before = member_by_key(&re->ms, t->key);
    if (before && is_leaving(re, before))
        return; /* it says goodbye in this very burst; the client repeats its CONFIRM */
    c.moved = before && !endpoint_eq(before->ep, d->peer);
    if (c.moved)
        c.before = before->ep;
    if (!admit_confirm(&re->admit, ref, d, now, entropy_u32(e), &m, &c.is_new)) {
        login_again(re, ref, d, now, out);
        return;
    }
    struct rx rx = { .d = d, .slot = SLOT_CURRENT, .newest = true, .promoted = true };
    confirmed(re, m, &c, now, e, out);
    take(re, m, &rx, &(struct inner_flow){ .ip = { .known = false } }, now, e, out);
    if (partial)
        control_settings(re, m, now, out);
}

/* A run of DATA for one index. Keys and indices change only where a login is confirmed and in the
 * sweep, never by opening or taking what came under them; a login is confirmed with nothing in @o.
 */
static void data(struct router_engine *re, struct opened *o, struct dgram *d, unsigned n,
                 mono_ns now, struct entropy *e, struct out *out)
{
    while (n > 0) {
        const struct index_entry *ie = index_get(&re->ms, wire_data_index(d->p));
        unsigned done = n;
        if (!ie) {
            done = 1;
            engine_drop(re, DROP_INDEX);
            nudge(re, d, now, out);
        } else if (ie->kind == INDEX_MEMBER) {
            open_member(o, &re->ms.m[ie->ref], d, n, now);
        } else {
            /* Only the first is opened this way: after it the index names a member. */
            done = 1;
            take_opened(re, o, now, e, out);
            data_tentative(re, ie->ref, d, now, e, out);
        }
        d += done;
        n -= done;
    }
}

static bool same_run(const struct dgram *a, const struct dgram *b)
{
    return wire_data_index(a->p) == wire_data_index(b->p);
}

/* A burst may touch as many members as it has datagrams: fetch what each needs side by side, not
 * one after another. */
static void prefetch_members(const struct router_engine *re, const struct dgram *in,
                             const uint8_t *type, unsigned n)
{
    uint32_t last = 0;

    for (unsigned i = 0; i < n; i++) {
        if (type[i] == WIRE_DATA)
            index_prefetch(&re->ms, wire_data_index(in[i].p));
    }
    for (unsigned i = 0; i < n; i++) {
        const struct index_entry *ie;
        if (type[i] != WIRE_DATA || wire_data_index(in[i].p) == last)
            continue;
        last = wire_data_index(in[i].p);
        ie = index_get(&re->ms, last);
        if (!ie || ie->kind != INDEX_MEMBER)
            continue;
        const struct member *m = &re->ms.m[ie->ref];
        member_prefetch(m);
        replay_prefetch(&m->keys.current.replay, wire_data_counter(in[i].p));
    }
}

void router_engine_udp(struct router_engine *re, mono_ns now, struct entropy *e, struct dgram *in,
                       unsigned n, struct out *out)
{
    uint8_t type[BURST_MAX];
    struct opened o;

    if (re->wakeup != now) { /* the daemon reads the clock once per wake-up */
        re->wakeup = now;
        re->logins_left = LOGINS_PER_WAKEUP;
    }
    for (unsigned i = 0; i < n; i++) {
        re->rx_packets++;
        re->rx_octets += in[i].len;
        type[i] = (uint8_t)wire_peek(in[i].p, in[i].len);
        if (type[i] != WIRE_BAD && !source_plausible(re, &in[i])) {
            engine_drop(re, DROP_SOURCE_EP);
            type[i] = DROPPED;
        }
        if (type[i] == WIRE_LOGIN)
            admit_prefetch(&re->admit, in[i].peer.ip);
    }
    prefetch_members(re, in, type, n);
    o.n = 0;
    for (unsigned i = 0, run; i < n; i += run) {
        run = 1;
        if (type[i] != WIRE_DATA)
            continue;
        while (i + run < n && type[i + run] == WIRE_DATA && same_run(&in[i], &in[i + run]))
            run++;
        data(re, &o, &in[i], run, now, e, out);
    }
    take_opened(re, &o, now, e, out);
    for (unsigned i = 0; i < n; i++) {
        if (type[i] == WIRE_LOGIN)
            login(re, &in[i], now, e, out);
        else if (type[i] != WIRE_DATA && type[i] != DROPPED)
            engine_drop(re, in[i].len < NUDGE_LEN ? DROP_RUNT : DROP_TYPE);
    }
    finish_call(re, now, out);
}

static void fetch_receivers(const struct router_engine *re, const struct pkt *in, unsigned n)
{
    struct wanted w[BURST_MAX];
    unsigned k = 0;

    for (unsigned i = 0; i < n; i++) {
        if (in[i].len < IP6_HDR_LEN)
            continue;
        struct ip6 dst = ip6_load(in[i].p + 24);
        if (k == 0 || !ip6_eq(dst, w[k - 1].dst))
            w[k++] = (struct wanted){ .dst = dst };
    }
    (void)bindings_prefetch(&re->b, w, k);
}

void router_engine_tun(struct router_engine *re, mono_ns now, struct pkt *in, unsigned n,
                       struct out *out)
{
    struct inner_flow fl;

    if (n > 1 && re->ms.high > CACHED)
        fetch_receivers(re, in, n);
    fl.ip.known = false;
    for (unsigned i = 0; i < n; i++)
        inner_from_uplink(re, &in[i], &fl, now, out);
    finish_call(re, now, out);
}

/* ---- time ---- */

static void answer_solicitations(struct router_engine *re, mono_ns now, struct out *out)
{
    struct advert_wait w;

    while (adverts_due(&re->adverts, now, &w))
        inner_advert(re, &re->ms.m[w.slot], w.dst, now, out);
}

void router_engine_tick(struct router_engine *re, mono_ns now, struct entropy *e, struct out *out)
{
    admit_expire(&re->admit, now);
    answer_solicitations(re, now, out);
    if (re->next_sweep <= now)
        engine_sweep(re, now, e, out);
    if (re->relist.on)
        relist_slice(re, now, out);
    finish_call(re, now, out);
}

mono_ns router_engine_deadline(const struct router_engine *re)
{
    if (re->relist.on)
        return 0; /* there is always something to do */
    mono_ns at = time_earlier(re->next_sweep, admit_deadline(&re->admit));
    at = time_earlier(at, adverts_deadline(&re->adverts));
    return re->cast ? time_earlier(at, cast_deadline(re->cast)) : at;
}

unsigned router_engine_revoke(struct router_engine *re, const char *name, const uint8_t *key,
                              mono_ns now, struct out *out)
{
    unsigned n = relist_remove(re, name, key, now, out);

    finish_call(re, now, out);
    return n;
}

bool router_engine_stop(struct router_engine *re, mono_ns now, struct out *out)
{
    bool more = false;

    for (uint32_t i = 0; i < re->ms.high && !more; i++) {
        struct member *m = &re->ms.m[i];
        if (!m->live)
            continue;
        if (re->n_leaving == BURST_MAX) {
            more = true;
            break;
        }
        struct control bye = { .type = TLV_GOODBYE, .goodbye = GOODBYE_SHUTDOWN };
        control_send(re, m, &bye, 0, out);
        engine_leave(re, m, LOGOUT_STOP, now);
    }
    finish_call(re, now, out);
    return more;
}

void router_engine_wipe(struct router_engine *re)
{
    for (uint32_t i = 0; i < re->ms.high; i++)
        keyset_wipe(&re->ms.m[i].keys);
    admit_wipe(&re->admit);
    roster_wipe(&re->roster);
    sodium_memzero(re->b.secret, sizeof(re->b.secret));
}

/* ---- what others may see ---- */

bool router_engine_reach(struct router_engine *re, struct reachable *ret)
{
    uint32_t slot = member_next_changed(&re->ms);

    if (slot == SLOT_ABSENT)
        return false;
    const struct member *m = &re->ms.m[slot];
    *ret = (struct reachable){ .slot = slot };
    if (!m->live)
        return true;
    if (re->b.shared) {
        const struct ip6 *given = bindings_assigned(&re->b, m);
        if (given)
            ret->prefix[ret->n++] = (struct prefix){ *given, 128 };
        if (re->conf->addressing == ADDRESSING_EUI64)
            ret->prefix[ret->n++] = (struct prefix){ m->eui_global, 128 };
    }
    for (unsigned i = 0; i < DELEGATED_PER_MEMBER; i++) {
        const struct prefix *p = bindings_prefix(&re->b, m, i);
        if (p)
            ret->prefix[ret->n++] = *p;
    }
    return true;
}

bool router_engine_listed_prefixes(struct router_engine *re, struct reachable *ret)
{
    uint32_t place = roster_next_changed(&re->roster);

    if (place == TABLE_NONE)
        return false;
    const struct router_client *c = roster_client(&re->roster, place);
    *ret = (struct reachable){ .slot = place };
    for (unsigned i = 0; c && i < c->n_delegate; i++)
        ret->prefix[ret->n++] = c->delegate[i];
    return true;
}

bool router_engine_shunned(struct router_engine *re, const struct shun **ret)
{
    *ret = &re->shun;
    return shun_changed(&re->shun);
}

bool router_engine_notice(struct router_engine *re, struct notice *ret)
{
    return notice_next(&re->notices, ret);
}

const char *router_engine_client(const struct router_engine *re, uint32_t client)
{
    return roster_name(&re->roster, client);
}

uint32_t router_engine_room(const struct router_engine *re)
{
    return re->roster.n_max;
}

uint32_t router_engine_listed(const struct router_engine *re)
{
    return re->roster.n_max - re->roster.n_free;
}

const struct bindings *router_engine_bindings(const struct router_engine *re)
{
    return &re->b;
}

const struct members *router_engine_members(const struct router_engine *re)
{
    return &re->ms;
}

const uint64_t *router_engine_drops(const struct router_engine *re)
{
    return re->drop;
}

void router_engine_totals(const struct router_engine *re, struct router_totals *ret)
{
    *ret = (struct router_totals){
        .rx_packets = re->rx_packets,
        .rx_octets = re->rx_octets,
        .uplink_tx = re->uplink_tx,
        .uplink_rx = re->uplink_rx,
        .nudges = re->n_nudges,
        .handshakes = re->admit.opened,
        .notices_lost = re->notices.lost,
        .dad_refused = re->dad_refused,
        .members = re->ms.n_max - re->ms.n_free,
        .members_max = re->ms.n_max,
        .tentative = re->admit.n_used,
        .mac = re->mac,
        .link_local = re->link_local,
        .prefix = re->b.prefix,
        .address = re->b.router[0],
    };
}
