/* SPDX-License-Identifier: MIT */
/* admit.c - from a LOGIN to a member: verdicts, tentative keypairs, the collision rule,
 * confirmation */
#include "router/admit.h"

#include <assert.h>
#include <sodium.h>

#include "router/adverts.h"
#include "router/carve.h"

#define BUSY_BACKOFF_S 10u
#define ASSIGN_TRIES   16u
#define INSIDE_PER_S                                                                               \
    2u /* LOGINs of a member inside its keypair; a rekey every two minutes needs one */
#define INSIDE_BURST 4u

size_t admit_bytes(const struct router_config *c)
{
    uint32_t n = members_tentatives(c);
    return carve_size(n * sizeof(struct tentative)) + carve_size(n * sizeof(uint32_t)) +
           carve_size(table_bytes(n, 16)) + 2 * carve_size(sizeof(struct rate_by_place)) +
           carve_size(sizeof(struct seen_ips)) + CARVE_ALIGN;
}

void admit_init(struct admit *ad, void *mem, const struct router_config *c,
                const struct roster *roster, struct members *ms, struct bindings *b,
                struct notices *notices, const uint8_t *hash_key, mono_ns now, struct entropy *e)
{
    uint8_t *p = carve_start(mem);
    uint32_t n = members_tentatives(c);

    memset(ad, 0, sizeof(*ad));
    ad->conf = c;
    ad->roster = roster;
    ad->ms = ms;
    ad->b = b;
    ad->notices = notices;
    ad->uplink_up = c->uplink != UPLINK_NONE;
    ad->n_max = n;
    ad->next_expiry = NEVER;
    identity_of(&ad->self, c->private_key);
    ad->router_mac = mac_of_endpoint(c->public_ep);
    cookie_jar_init(&ad->jar, ad->self.public_key, now, e);
    ad->t = carve(&p, n * sizeof(struct tentative));
    ad->free_t = carve(&p, n * sizeof(uint32_t));
    for (uint32_t i = 0; i < n; i++)
        ad->free_t[i] = n - 1 - i;
    table_init(&ad->by_id, carve(&p, table_bytes(n, 16)), n, 16, hash_key);
    ad->cookies = carve(&p, sizeof(struct rate_by_place));
    ad->proven_from = carve(&p, sizeof(struct rate_by_place));
    for (unsigned i = 0; i < 4; i++) {
        struct rate_by_place *r = i < 2 ? ad->cookies : ad->proven_from;
        memcpy(i % 2 ? r->net.hash_key : r->ip.hash_key, hash_key, sizeof(r->ip.hash_key));
    }
    ad->asked = carve(&p, sizeof(struct seen_ips));
    memcpy(ad->asked->hash_key, hash_key, sizeof(ad->asked->hash_key));
}

/* ---- the table of tentative keypairs ---- */

static void tentative_id(uint8_t *id, const struct hs_responder *hs)
{
    uint8_t both[2 * KEY_LEN];
    memcpy(both, hs->client_key, KEY_LEN);
    memcpy(both + KEY_LEN, hs->ephemeral, KEY_LEN);
    crypto_generichash(id, 16, both, sizeof(both), NULL, 0);
}

/* Frees the entry; the index goes with it unless it has become a member's. */
static void tentative_drop(struct admit *ad, struct tentative *t, bool keep_index)
{
    if (!keep_index)
        index_free(ad->ms, t->kp.local_index);
    table_del(&ad->by_id, t->id);
    keypair_wipe(&t->kp);
    sodium_memzero(t, sizeof(*t));
    ad->n_used--;
    ad->free_t[ad->n_max - ad->n_used - 1] = (uint32_t)(t - ad->t);
}

void admit_forget(struct admit *ad, uint32_t ref)
{
    tentative_drop(ad, &ad->t[ref], false);
}

void admit_forget_key(struct admit *ad, const uint8_t *key)
{
    for (uint32_t i = 0, left = ad->n_used; i < ad->n_max && left; i++) {
        if (!ad->t[i].used)
            continue;
        left--;
        if (memcmp(ad->t[i].key, key, KEY_LEN) == 0)
            tentative_drop(ad, &ad->t[i], false);
    }
}

/* How many unconfirmed keypairs @key has, and which is the oldest of the key (of all when @key is
 * NULL). */
static unsigned tentative_count(struct admit *ad, const uint8_t *key, struct tentative **ret_oldest)
{
    unsigned n = 0;

    *ret_oldest = NULL;
    for (uint32_t i = 0; i < ad->n_max && n < ad->n_used; i++) {
        struct tentative *t = &ad->t[i];
        if (!t->used || (key && memcmp(t->key, key, KEY_LEN) != 0))
            continue;
        n++;
        if (!*ret_oldest || t->expires < (*ret_oldest)->expires)
            *ret_oldest = t;
    }
    return n;
}

static struct tentative *tentative_new(struct admit *ad, const struct hs_responder *hs,
                                       const uint8_t *id, mono_ns now, struct entropy *e)
{
    struct tentative *oldest;

    if (tentative_count(ad, hs->client_key, &oldest) >= TENTATIVES_PER_KEY && oldest)
        tentative_drop(ad, oldest, false);
    if (ad->n_used == ad->n_max && tentative_count(ad, NULL, &oldest) && oldest)
        tentative_drop(ad, oldest, false);
    uint32_t slot = ad->free_t[ad->n_max - ad->n_used - 1];
    struct tentative *t = &ad->t[slot];
    uint32_t index = index_new(ad->ms, INDEX_TENTATIVE, slot, entropy_u32(e));
    if (index == 0)
        return NULL;
    if (!table_put(&ad->by_id, id, slot)) {
        index_free(ad->ms, index);
        return NULL;
    }
    ad->n_used++;
    t->used = true;
    memcpy(t->id, id, sizeof(t->id));
    memcpy(t->key, hs->client_key, KEY_LEN);
    t->kp.local_index = index;
    t->expires = now + TENTATIVE_LIFE;
    ad->next_expiry = time_earlier(ad->next_expiry, t->expires);
    return t;
}

void admit_expire(struct admit *ad, mono_ns now)
{
    mono_ns next = NEVER;

    if (now < ad->next_expiry)
        return;
    for (uint32_t i = 0, left = ad->n_used; i < ad->n_max && left; i++) {
        struct tentative *t = &ad->t[i];
        if (!t->used)
            continue;
        left--;
        if (t->expires <= now)
            tentative_drop(ad, t, false);
        else
            next = time_earlier(next, t->expires);
    }
    ad->next_expiry = next;
}

void admit_wipe(struct admit *ad)
{
    for (uint32_t i = 0; i < ad->n_max && ad->n_used; i++) {
        if (ad->t[i].used)
            tentative_drop(ad, &ad->t[i], false);
    }
    sodium_memzero(&ad->self, sizeof(ad->self));
    sodium_memzero(&ad->jar, sizeof(ad->jar));
}

mono_ns admit_deadline(const struct admit *ad)
{
    return ad->next_expiry;
}

/* ---- decisions ---- */

static bool mac_free_for(const struct admit *ad, struct mac mac, const uint8_t *key)
{
    struct member *holder = member_by_mac(ad->ms, mac);
    if (mac_eq(mac, ad->router_mac))
        return false;
    return !holder || memcmp(holder->key, key, KEY_LEN) == 0;
}

struct candidate { /* who asks, and what it would get */
    const uint8_t *key;
    uint32_t client;
    struct endpoint ep;
    bool inside;
    unsigned tries;
    struct mac mac;
    bool has_address;
    struct ip6 address;
    enum verdict verdict;
    enum refusal reason;
    uint16_t backoff_s;
};

static void decide_mac(struct admit *ad, struct candidate *c, mono_ns now, struct entropy *e)
{
    struct member *m = member_by_key(ad->ms, c->key);

    if (m) {
        c->mac = m->mac;
        return;
    }
    if (lease_get(ad->ms, c->key, now, &c->mac) && mac_free_for(ad, c->mac, c->key))
        return;
    c->mac = mac_of_endpoint(c->ep);
    if (mac_free_for(ad, c->mac, c->key))
        return;
    struct member *holder = member_by_mac(ad->ms, c->mac);
    struct notice *ev =
        notice_add(ad->notices, c->tries < MAC_TAKEN_TRIES ? NOTICE_COLLISION : NOTICE_ASSIGNED);
    ev->client = c->client;
    ev->other = holder ? holder->client : NOTICE_NOBODY;
    ev->ep = c->ep;
    ev->number = c->tries + 1;
    memcpy(ev->key, c->key, KEY_LEN);
    ev->mac = c->mac;
    if (c->tries < MAC_TAKEN_TRIES) {
        c->verdict = VERDICT_MAC_TAKEN;
        return;
    }
    for (unsigned i = 0; i < ASSIGN_TRIES; i++) {
        uint64_t rnd;
        entropy_draw(e, &rnd, sizeof(rnd));
        c->mac = mac_assigned(rnd);
        if (mac_free_for(ad, c->mac, c->key)) {
            ev->mac = c->mac;
            return;
        }
    }
    c->verdict = VERDICT_BUSY;
    c->backoff_s = BUSY_BACKOFF_S;
}

static void decide_address(struct admit *ad, struct candidate *c)
{
    if (ad->conf->addressing == ADDRESSING_EUI64) {
        c->address = mac_address(ad->b->prefix, c->mac);
        c->has_address = true;
        return;
    }
    c->has_address = bindings_stable(ad->b, c->client, c->key, &c->address);
    if (!c->has_address) {
        c->verdict = VERDICT_REFUSED;
        c->reason = REFUSAL_NO_ADDRESS;
    }
}

static void decide(struct admit *ad, struct candidate *c, enum cipher cipher, mono_ns now,
                   struct entropy *e)
{
    c->verdict = VERDICT_OK;
    if (cipher == CIPHER_NONE) {
        c->verdict = VERDICT_REFUSED;
        c->reason = REFUSAL_NO_CIPHER;
        return;
    }
    if (!member_by_key(ad->ms, c->key) && ad->ms->n_free == 0) {
        c->verdict = VERDICT_BUSY;
        c->backoff_s = BUSY_BACKOFF_S;
        return;
    }
    decide_mac(ad, c, now, e);
    if (c->verdict == VERDICT_OK)
        decide_address(ad, c);
}

void admit_settings(const struct admit *ad, struct settings *s, uint32_t client, struct mac mac,
                    struct endpoint seen, const struct ip6 *address, mono_ns now)
{
    const struct router_config *c = ad->conf;

    memset(s, 0, sizeof(*s));
    s->seen = seen;
    s->mac = mac;
    s->router_mac = ad->router_mac;
    s->mtu_min = INNER_MTU_MIN;
    s->mtu_max = c->mtu ? c->mtu : INNER_MTU_MAX;
    s->keepalive_s = c->keepalive_s;
    s->segment = ad->b->prefix;
    s->segment_flags =
        (uint8_t)((adverts_on_link(c) ? SEGMENT_ON_LINK : 0) |
                  (ad->uplink_up && c->advertise.lifetime_s ? SEGMENT_DEFAULT_ROUTE : 0) |
                  (c->addressing == ADDRESSING_EUI64 ? SEGMENT_AUTONOMOUS : 0));
    if (address) {
        s->address[0] = (struct seg_addr){ .addr = *address, .plen = ad->b->prefix.len };
        s->n_address = 1;
    }
    for (unsigned i = 0; i < ad->b->n_old; i++) {
        const struct old_prefix *old = &ad->b->old[i];
        if (!old->valid || old->until < now + NS_PER_S)
            continue;
        s->old[s->n_old].prefix = old->prefix;
        s->old[s->n_old++].valid_s = (uint32_t)((old->until - now) / NS_PER_S);
    }
    const struct router_client *listed = roster_client(ad->roster, client);
    for (unsigned i = 0; listed && i < listed->n_delegate; i++)
        s->delegated[s->n_delegated++] = listed->delegate[i];
    for (unsigned i = 0; i < c->n_routes && ad->uplink_up; i++)
        s->route[s->n_route++] = c->routes[i];
    for (unsigned i = 0; i < c->n_search; i++)
        memcpy(s->search[s->n_search++], c->search[i], sizeof(s->search[0]));
    for (unsigned i = 0; i < c->n_dns && i < DNS_MAX; i++)
        s->dns[s->n_dns++] = c->dns[i];
}

static const uint8_t *psk_of(const struct admit *ad, uint32_t client)
{
    static const uint8_t none[KEY_LEN] = { 0 };

    const struct router_client *c = roster_client(ad->roster, client);
    if (c && c->has_psk)
        return c->psk;
    return ad->conf->has_join_secret ? ad->conf->join_secret : none;
}

/* Writes the reply and, for the verdict ok, leaves a tentative keypair behind; for others nothing.
 */
static enum drop answer(struct admit *ad, struct hs_responder *hs, const struct candidate *c,
                        enum cipher cipher, const uint8_t *id, mono_ns now, struct entropy *e,
                        uint8_t *reply, size_t *ret_len)
{
    struct tentative *t = NULL;
    struct session_keys keys;
    struct settings s;
    uint8_t payload[REPLY_PAYLOAD_MAX], ephemeral[KEY_LEN];
    bool partial;
    uint32_t client_index = hs->client_index;

    if (c->verdict == VERDICT_OK && !(t = tentative_new(ad, hs, id, now, e)))
        return DROP_FULL;
    admit_settings(ad, &s, c->client, c->mac, c->ep, c->has_address ? &c->address : NULL, now);
    s.verdict = c->verdict;
    s.reason = c->reason;
    s.backoff_s = c->backoff_s;
    s.cipher = (uint8_t)cipher;
    if (c->verdict != VERDICT_OK) {
        struct settings only = {
            .verdict = s.verdict, .reason = s.reason, .backoff_s = s.backoff_s, .seen = s.seen
        };
        s = only;
    }
    size_t len = wire_put_settings(payload, sizeof(payload), &s, &partial);
    entropy_draw(e, ephemeral, sizeof(ephemeral));
    *ret_len = handshake_reply_write(hs, psk_of(ad, c->client), ephemeral,
                                     t ? t->kp.local_index : (entropy_u32(e) | 1u), payload, len,
                                     reply, &keys);
    sodium_memzero(ephemeral, sizeof(ephemeral));
    if (*ret_len == 0) {
        if (t)
            tentative_drop(ad, t, false);
        return DROP_LOGIN_OPEN;
    }
    if (t) {
        keypair_init(&t->kp, cipher, &keys, t->kp.local_index, client_index, now);
        t->client = c->client;
        t->ep = c->ep;
        t->inside = c->inside;
        t->proves_ep =
            !c->inside; /* inside it follows the member, who may move before it is sent */
        t->mac = c->mac;
        t->has_address = c->has_address;
        t->address = c->address;
        t->partial = partial;
        t->reply_len = (uint16_t)*ret_len;
        memcpy(t->reply, reply, *ret_len);
    }
    sodium_memzero(&keys, sizeof(keys));
    return DROP_NONE;
}

static bool may_log_in(struct admit *ad, const struct hs_responder *hs, uint32_t *ret_client)
{
    if (sodium_memcmp(hs->client_key, ad->self.public_key, KEY_LEN) == 0)
        return false;
    *ret_client = roster_find(ad->roster, hs->client_key);
    return *ret_client != TABLE_NONE || ad->conf->access == ACCESS_OPEN;
}

static bool needs_cookie(struct admit *ad, const struct hs_responder *hs, struct endpoint from)
{
    struct tentative *oldest;

    if (tentative_count(ad, hs->client_key, &oldest) < TENTATIVES_PER_KEY &&
        2 * ad->n_used < ad->n_max)
        return false;
    return !hs->payload.has_cookie || !cookie_fresh(&ad->jar, hs->payload.cookie, from);
}

/* One for @ip, and one for its /24. */
static bool place_take(const struct admit *ad, struct rate_by_place *r, be32 ip, mono_ns now)
{
    uint32_t one = ad->conf->logins_per_address, all = ad->conf->logins_per_24;
    be32 net = be32_of(be32_get(ip) & 0xffffff00u);

    return rate_by_ip_take(&r->ip, ip, one, one, now) &&
           rate_by_ip_take(&r->net, net, all, all, now);
}

/* A cookie is the only thing a stranger can make us send; an address gets few of them. Return: it
 * gets one */
static bool give_cookie(struct admit *ad, const struct dgram *d, mono_ns now, struct entropy *e,
                        uint8_t *reply, size_t *ret_len)
{
    if (!place_take(ad, ad->cookies, d->peer.ip, now))
        return false;
    cookie_answer(&ad->jar, d->p, d->peer, e, reply);
    *ret_len = COOKIE_MSG_LEN;
    return true;
}

static void note_unknown(struct admit *ad, const struct hs_responder *hs, struct endpoint ep)
{
    struct notice *ev = notice_add(ad->notices, NOTICE_UNKNOWN_KEY);
    memcpy(ev->key, hs->client_key, KEY_LEN);
    ev->ep = ep;
}

static void note_verdict(struct admit *ad, const struct candidate *c)
{
    if (c->verdict != VERDICT_REFUSED && c->verdict != VERDICT_BUSY)
        return;
    struct notice *ev =
        notice_add(ad->notices, c->verdict == VERDICT_BUSY ? NOTICE_BUSY : NOTICE_REFUSED);
    ev->client = c->client;
    ev->ep = c->ep;
    ev->reason = c->reason;
    memcpy(ev->key, c->key, KEY_LEN);
}

/* The part common to both ways in. @inside: the member whose live keypair carried it, or NULL. */
static enum drop handle(struct admit *ad, const struct dgram *d, const struct member *inside,
                        mono_ns now, struct entropy *e, uint8_t *reply, size_t *ret_len)
{
    struct hs_responder hs;
    uint8_t id[16];
    struct candidate c = { .ep = d->peer, .inside = inside != NULL };

    ad->opened++;
    enum drop drop = handshake_login_open(&hs, &ad->self, d->p);
    if (drop)
        goto out;
    drop = DROP_UNKNOWN_KEY;
    if (!may_log_in(ad, &hs, &c.client)) {
        note_unknown(ad, &hs, d->peer);
        goto out;
    }
    if (inside && memcmp(hs.client_key, inside->key, KEY_LEN) != 0)
        goto out;

    tentative_id(id, &hs);
    uint32_t known = table_find(&ad->by_id, id);
    if (known != TABLE_NONE) {
        struct tentative *t = &ad->t[known];
        memcpy(reply, t->reply, t->reply_len);
        *ret_len = t->reply_len;
        if (inside || !endpoint_eq(d->peer, t->ep))
            t->proves_ep = false;
        drop = DROP_NONE;
        goto out;
    }
    if (!inside && needs_cookie(ad, &hs, d->peer)) {
        (void)give_cookie(ad, d, now, e, reply, ret_len);
        drop = DROP_LOGIN_STALE;
        goto out;
    }
    enum cipher cipher = seal_choose(hs.payload.ciphers, hs.payload.n_ciphers);
    c.key = hs.client_key;
    c.tries = hs.payload.tries;
    decide(ad, &c, cipher, now, e);
    note_verdict(ad, &c);
    uint8_t key[KEY_LEN]; /* handshake_reply_write() wipes hs, the candidate still needs its key */
    memcpy(key, hs.client_key, sizeof(key));
    c.key = key;
    drop = answer(ad, &hs, &c, cipher, id, now, e, reply, ret_len);
out:
    sodium_memzero(&hs, sizeof(hs));
    return drop;
}

/* An address that asked before costs nobody else's look, unless nothing ever comes of it. What says
 * that it has a cookie may be wrong once more than what does not: the cookie that was lost on the
 * way to a client is followed by another. */
static bool worth_a_look(struct admit *ad, const struct dgram *d, mono_ns now)
{
    uint32_t per_s = ad->conf->logins_per_s + LOOKS_PER_S;
    unsigned bear = LOOKS_IN_VAIN + cookie_mac2_there(d->p);

    if (seen_before(ad->asked, d->peer.ip, now) &&
        (seen_in_vain(ad->asked, d->peer.ip) < bear || seen_proven(ad->asked, d->peer.ip)))
        return true;
    return bucket_take(&ad->looks, per_s, per_s, now);
}

/* Many may be behind one address: when one of them has proved it, the others need not. */
static void in_vain(struct admit *ad, be32 ip)
{
    if (!seen_proven(ad->asked, ip))
        seen_note_vain(ad->asked, ip);
}

/* May one without MAC2 be opened? Each counts, also when none is: so a flood is known to go on. */
static bool calm(struct admit *ad, mono_ns now)
{
    uint32_t per_s = ad->conf->logins_per_s;
    bool was = now >= ad->crowded;

    if (bucket_take(&ad->all, per_s, per_s, now))
        return was;
    ad->crowded = now + CROWD_LIFE;
    return false;
}

/* One with MAC2; in a crowd they have the share of those without. */
static bool proven_take(struct admit *ad, be32 ip, mono_ns now)
{
    uint32_t per_s = ad->conf->logins_per_s * (now < ad->crowded ? 2 : 1);

    return place_take(ad, ad->proven_from, ip, now) && bucket_take(&ad->proven, per_s, per_s, now);
}

void admit_prefetch(const struct admit *ad, be32 ip)
{
    seen_prefetch(ad->asked, ip);
}

enum drop admit_datagram(struct admit *ad, const struct dgram *d, mono_ns now, struct entropy *e,
                         uint8_t *reply, size_t *ret_len)
{
    *ret_len = 0;
    if (!worth_a_look(ad, d, now))
        return DROP_LOGIN_RATE;
    if (!cookie_mac1_ok(&ad->jar, d->p)) {
        in_vain(ad, d->peer.ip);
        return DROP_MAC1;
    }
    cookie_jar_turn(&ad->jar, now, e);
    if (cookie_mac2_ok(&ad->jar, d->p, d->peer)) {
        seen_note_proven(ad->asked, d->peer.ip);
        if (!proven_take(ad, d->peer.ip, now))
            return DROP_LOGIN_RATE;
    } else if (!calm(ad, now)) {
        if (give_cookie(ad, d, now, e, reply, ret_len))
            in_vain(ad, d->peer.ip);
        return DROP_MAC2;
    }
    return handle(ad, d, NULL, now, e, reply, ret_len);
}

enum drop admit_inside(struct admit *ad, struct member *m, const uint8_t *msg, mono_ns now,
                       struct entropy *e, uint8_t *reply, size_t *ret_len)
{
    uint8_t copy[LOGIN_LEN];
    memcpy(copy, msg, LOGIN_LEN);
    struct dgram d = {
        .peer = m->ep, .local = m->local, .sock = m->sock, .len = LOGIN_LEN, .p = copy
    };

    *ret_len = 0;
    if (!bucket_take(&m->logins, INSIDE_PER_S, INSIDE_BURST, now))
        return DROP_LOGIN_RATE;
    return handle(ad, &d, m, now, e, reply, ret_len);
}

/* ---- confirmation ---- */

/* A MAC computed from an endpoint belongs to a client that is there: an attacker who carries a
 * client's LOGIN to the router from an address of its own must not choose the client's MAC. */
static bool mac_right(const struct admit *ad, const struct tentative *t, struct endpoint from,
                      mono_ns now)
{
    struct mac lease;

    if (mac_is_assigned(t->mac) || mac_eq(mac_of_endpoint(from), t->mac))
        return true;
    return lease_get(ad->ms, t->key, now, &lease) && mac_eq(lease, t->mac);
}

static bool still_free(const struct admit *ad, const struct tentative *t, const struct member *m,
                       struct endpoint from, mono_ns now)
{
    struct member *owner = NULL;

    if (m ? !mac_eq(m->mac, t->mac)
          : !mac_free_for(ad, t->mac, t->key) || !mac_right(ad, t, from, now))
        return false;
    if (!t->has_address)
        return true;
    if (!ip6_in(t->address, ad->b->prefix))
        return false; /* the prefix changed meanwhile */
    if (ad->conf->addressing == ADDRESSING_EUI64)
        return true;
    enum owner_kind k = bindings_owner(ad->b, t->address, &owner);
    return k == OWNER_NONE || (k == OWNER_MEMBER && owner == m);
}

bool admit_confirm(struct admit *ad, uint32_t ref, const struct dgram *from, mono_ns now,
                   uint32_t rnd, struct member **ret_m, bool *ret_new)
{
    struct tentative *t = &ad->t[ref];
    struct member *m = member_by_key(ad->ms, t->key);
    uint32_t index = t->kp.local_index;

    *ret_new = !m;
    if (!still_free(ad, t, m, from->peer, now))
        return false;
    if (!m && !(m = member_new(ad->ms, t->key, t->mac, ad->b->prefix, now)))
        return false;
    if (*ret_new) {
        m->client = t->client;
        m->next_ra = now;
    }
    if (t->has_address && ad->conf->addressing == ADDRESSING_STABLE)
        bindings_assign(ad->b, m, t->address, now);
    if (*ret_new)
        bindings_delegate(ad->b, m);
    member_changed(ad->ms, member_slot(ad->ms, m));
    keyset_install(&m->keys, &t->kp, now, rnd);
    keyset_promote(&m->keys, now);
    index_retarget(ad->ms, index, INDEX_MEMBER, member_slot(ad->ms, m));
    member_sync_indices(ad->ms, m, index);
    if (t->proves_ep && endpoint_eq(from->peer, t->ep)) {
        /* The reply went there, and nobody who did not get it could seal this. */
        m->proven = true;
    } else if (!endpoint_eq(from->peer, m->ep)) {
        m->proven = false;
        m->credit = 0;
    }
    m->ep = from->peer;
    m->local = from->local;
    m->sock = from->sock;
    m->heard = now;
    seen_note_proven(ad->asked, from->peer.ip);
    tentative_drop(ad, t, true);
    *ret_m = m;
    return true;
}
