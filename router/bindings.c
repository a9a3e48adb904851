/* SPDX-License-Identifier: MIT */
/* bindings.c - which member may use an IPv6 address as source, and receives it */
#include "router/bindings.h"

#include <assert.h>
#include <sodium.h>

#include "router/carve.h"
#include "router/roster.h"

#define STABLE_TRIES 256u
#define PREFIX_KEY   (IP6_LEN + 1u) /* octets: prefix, length */

static uint32_t n_addresses(const struct router_config *c)
{
    return c->max_members * BOUND_MAX;
}

static uint32_t n_reserved(const struct router_config *c)
{
    return roster_room(c);
}

static uint32_t n_prefixes(const struct router_config *c)
{
    uint32_t n = roster_room(c);

    if (c->access == ACCESS_LISTED && c->max_members < n)
        n = c->max_members;
    return n * DELEGATED_PER_MEMBER;
}

size_t bindings_bytes(const struct router_config *c)
{
    return carve_size(table_bytes(n_addresses(c), IP6_LEN)) +
           carve_size(table_bytes(n_prefixes(c), PREFIX_KEY)) +
           carve_size(table_bytes(n_reserved(c), IP6_LEN)) +
           carve_size(n_reserved(c) * sizeof(struct ip6)) + CARVE_ALIGN;
}

/* Is @a nobody's, or the listed client's own? */
static bool unused(const struct bindings *b, struct ip6 a, const uint8_t *key)
{
    struct member *owner;

    if (table_find(&b->reserved, a.b) != TABLE_NONE || bindings_taken(b, a))
        return false;
    enum owner_kind k = bindings_owner(b, a, &owner);
    return k == OWNER_NONE || (k == OWNER_MEMBER && memcmp(owner->key, key, KEY_LEN) == 0);
}

static bool fixed_is_free(const struct bindings *b, const struct router_client *c)
{
    return c->has_address && ip6_in(c->address, b->prefix) && unused(b, c->address, c->public_key);
}

bool bindings_wants(const struct bindings *b, uint32_t place, const struct router_client *c)
{
    return place < b->n_places && !ip6_eq(b->assigned[place], c->address) && fixed_is_free(b, c);
}

void bindings_reserve(struct bindings *b, uint32_t place, const struct router_client *c)
{
    struct ip6 a = c->address;

    if (place >= b->n_places)
        return;
    memset(&b->assigned[place], 0, sizeof(b->assigned[place]));
    if (!fixed_is_free(b, c) && !bindings_stable(b, SLOT_ABSENT, c->public_key, &a))
        return;
    if (table_put(&b->reserved, a.b, place))
        b->assigned[place] = a;
}

void bindings_unreserve(struct bindings *b, uint32_t place)
{
    if (place >= b->n_places || ip6_is_unspecified(b->assigned[place]))
        return;
    table_del(&b->reserved, b->assigned[place].b);
    memset(&b->assigned[place], 0, sizeof(b->assigned[place]));
}

static void reserve_all(struct bindings *b, const struct router_config *c, bool fixed)
{
    for (uint32_t i = 0; i < c->n_clients; i++) {
        if (c->clients[i].has_address == fixed)
            bindings_reserve(b, i, &c->clients[i]);
    }
}

void bindings_init(struct bindings *b, void *mem, const struct router_config *c, struct members *ms,
                   const struct roster *roster, struct ip6 router_ll, const uint8_t *hash_key)
{
    static const uint8_t label[] = "sixtap stable address";
    uint8_t *p = carve_start(mem);

    memset(b, 0, sizeof(*b));
    b->ms = ms;
    b->roster = roster;
    b->prefix = c->prefix;
    b->anycast = c->prefix.addr;
    b->router[0] = c->address;
    b->router[1] = router_ll;
    b->isolate = c->isolate;
    b->shared = c->uplink == UPLINK_NDPROXY;
    b->taken = c->taken;
    b->n_taken = c->n_taken;
    crypto_generichash(b->secret, sizeof(b->secret), label, sizeof(label) - 1, c->private_key,
                       KEY_LEN);
    table_init(&b->by_addr, carve(&p, table_bytes(n_addresses(c), IP6_LEN)), n_addresses(c),
               IP6_LEN, hash_key);
    table_init(&b->reserved, carve(&p, table_bytes(n_reserved(c), IP6_LEN)), n_reserved(c), IP6_LEN,
               hash_key);
    b->assigned = carve(&p, n_reserved(c) * sizeof(struct ip6));
    table_init(&b->by_prefix, carve(&p, table_bytes(n_prefixes(c), PREFIX_KEY)), n_prefixes(c),
               PREFIX_KEY, hash_key);
    b->n_places = c->addressing == ADDRESSING_STABLE ? n_reserved(c) : 0;
    /* Fixed ones first; then in the order of the configuration, so that a client added at its end
     * moves nobody. */
    reserve_all(b, c, true);
    reserve_all(b, c, false);
}

bool bindings_taken(const struct bindings *b, struct ip6 a)
{
    for (unsigned i = 0; i < b->n_taken; i++) {
        if (ip6_eq(b->taken[i], a))
            return true;
    }
    return false;
}

/* The old prefix that @a lies in and that is still valid, or NULL. */
static const struct old_prefix *valid_old(const struct bindings *b, struct ip6 a)
{
    for (unsigned i = 0; i < b->n_old; i++) {
        if (b->old[i].valid && ip6_in(a, b->old[i].prefix))
            return &b->old[i];
    }
    return NULL;
}

bool bindings_in_segment(const struct bindings *b, struct ip6 a)
{
    return ip6_is_link_local(a) || ip6_in(a, b->prefix) || valid_old(b, a);
}

bool bindings_was_in_segment(const struct bindings *b, struct ip6 a)
{
    if (ip6_in(a, b->prefix))
        return false;
    for (unsigned i = 0; i < b->n_old; i++) {
        if (ip6_in(a, b->old[i].prefix))
            return true;
    }
    return false;
}

bool bindings_is_own(const struct bindings *b, struct ip6 a)
{
    const struct old_prefix *old = valid_old(b, a);

    return ip6_eq(a, b->router[0]) || (old && ip6_eq(a, old->router));
}

static bool is_router(const struct bindings *b, struct ip6 a)
{
    return bindings_is_own(b, a) || ip6_eq(a, b->router[1]) || ip6_eq(a, b->anycast);
}

/* An identifier of EUI-64 shape, in a prefix that leaves room for one: it belongs to a MAC or to
 * nobody. */
static bool eui_shaped(const struct bindings *b, struct ip6 a, struct mac *ret)
{
    const struct old_prefix *old = valid_old(b, a);

    if (!ip6_is_link_local(a) && (old ? old->prefix.len : b->prefix.len) > 64)
        return false;
    return mac_of_eui64(a.b + 8, ret);
}

/* The EUI-64 address @m had in an old prefix. */
static bool old_eui(const struct bindings *b, const struct member *m, struct ip6 a)
{
    const struct old_prefix *old = valid_old(b, a);

    return old && old->prefix.len <= 64 && ip6_eq(a, mac_address(old->prefix, m->mac));
}

enum owner_kind bindings_owner(const struct bindings *b, struct ip6 a, struct member **ret_member)
{
    struct mac mac;
    struct member *m = NULL;

    if (is_router(b, a))
        return OWNER_ROUTER;
    if (eui_shaped(b, a, &mac)) {
        m = member_by_mac(b->ms, mac);
        if (m && !ip6_eq(a, m->link_local) && !ip6_eq(a, m->eui_global) && !old_eui(b, m, a))
            m = NULL;
    } else {
        uint32_t slot = table_find(&b->by_addr, a.b);
        if (slot != TABLE_NONE)
            m = &b->ms->m[slot];
    }
    if (!m)
        return OWNER_NONE;
    *ret_member = m;
    return OWNER_MEMBER;
}

unsigned bindings_prefetch(const struct bindings *b, const struct wanted *w, unsigned n)
{
    const struct table *by[BURST_MAX];
    struct mac mac[BURST_MAX];
    uint32_t home[BURST_MAX];
    unsigned found = 0;

    assert(n <= BURST_MAX);
    for (unsigned i = 0; i < n; i++) {
        mac[i] = w[i].hint;
        bool by_mac = !mac_eq(mac[i], (struct mac){ { 0 } }) || eui_shaped(b, w[i].dst, &mac[i]);
        by[i] = by_mac ? &b->ms->by_mac : &b->by_addr;
        home[i] = table_prefetch(by[i], by_mac ? mac[i].b : w[i].dst.b);
    }
    for (unsigned i = 0; i < n; i++) {
        uint32_t slot = table_find_at(by[i], home[i], by[i] == &b->by_addr ? w[i].dst.b : mac[i].b);
        if (slot == TABLE_NONE)
            continue;
        member_prefetch(&b->ms->m[slot]);
        found++;
    }
    return found;
}

/* The slot of @a in m->bound, or -1. */
static int bound_find(const struct member *m, struct ip6 a)
{
    if (m->hint < m->n_bound && ip6_eq(m->bound[m->hint].addr, a))
        return m->hint;
    for (unsigned i = 0; i < m->n_bound; i++) {
        if (ip6_eq(m->bound[i].addr, a))
            return (int)i;
    }
    return -1;
}

/* ---- delegated prefixes ---- */

static void prefix_key(uint8_t key[PREFIX_KEY], struct ip6 a, unsigned len)
{
    unsigned whole = len / 8;

    memset(key, 0, PREFIX_KEY);
    memcpy(key, a.b, whole);
    if (len % 8)
        key[whole] = a.b[whole] & (uint8_t)(0xFF00u >> len % 8);
    key[IP6_LEN] = (uint8_t)len;
}

/* A probe for each length there is, the longest first. */
struct member *bindings_delegated(const struct bindings *b, struct ip6 a)
{
    uint8_t key[PREFIX_KEY];
    uint32_t left = table_count(&b->by_prefix);

    for (unsigned len = 128; left > 0; len--) {
        if (b->n_len[len] == 0)
            continue;
        left -= b->n_len[len];
        prefix_key(key, a, len);
        uint32_t slot = table_find(&b->by_prefix, key);
        if (slot != TABLE_NONE)
            return &b->ms->m[slot];
    }
    return NULL;
}

const struct prefix *bindings_prefix(const struct bindings *b, const struct member *m, unsigned i)
{
    if (!(m->delegated >> i & 1))
        return NULL;
    return &roster_client(b->roster, m->client)->delegate[i];
}

bool bindings_delegate(struct bindings *b, struct member *m)
{
    const struct router_client *c = roster_client(b->roster, m->client);
    uint8_t key[PREFIX_KEY], had = m->delegated;

    for (unsigned i = 0; c && i < c->n_delegate; i++) {
        if (m->delegated >> i & 1)
            continue;
        prefix_key(key, c->delegate[i].addr, c->delegate[i].len);
        if (table_find(&b->by_prefix, key) != TABLE_NONE ||
            !table_put(&b->by_prefix, key, member_slot(b->ms, m)))
            continue;
        b->n_len[c->delegate[i].len]++;
        m->delegated |= (uint8_t)(1u << i);
    }
    return m->delegated != had;
}

void bindings_redelegate(struct bindings *b, struct member *m, const struct router_client *to)
{
    uint8_t key[PREFIX_KEY], kept = 0;

    for (unsigned i = 0; i < DELEGATED_PER_MEMBER; i++) {
        const struct prefix *p = bindings_prefix(b, m, i);
        unsigned k = 0;
        if (!p)
            continue;
        while (k < to->n_delegate && !prefix_eq(to->delegate[k], *p))
            k++;
        if (k < to->n_delegate) {
            kept |= (uint8_t)(1u << k);
            continue;
        }
        prefix_key(key, p->addr, p->len);
        table_del(&b->by_prefix, key);
        b->n_len[p->len]--;
    }
    m->delegated = kept;
}

void bindings_undelegate(struct bindings *b, struct member *m)
{
    static const struct router_client nothing = { .n_delegate = 0 };

    bindings_redelegate(b, m, &nothing);
}

static bool delegated_to(const struct bindings *b, const struct member *m, struct ip6 a)
{
    for (unsigned i = 0; m->delegated && i < DELEGATED_PER_MEMBER; i++) {
        const struct prefix *p = bindings_prefix(b, m, i);
        if (p && ip6_in(a, *p))
            return true;
    }
    return false;
}

/* ---- addresses ---- */

bool bindings_owns(const struct bindings *b, const struct member *m, struct ip6 a)
{
    return ip6_eq(a, m->link_local) || bound_find(m, a) >= 0 ||
           (!ip6_is_unspecified(m->eui_global) && ip6_eq(a, m->eui_global)) || old_eui(b, m, a);
}

static void bound_remove(struct bindings *b, struct member *m, unsigned i)
{
    table_del(&b->by_addr, m->bound[i].addr.b);
    if (m->how[i] == BOUND_LEARNED)
        m->n_learned--;
    m->n_bound--;
    m->bound[i] = m->bound[m->n_bound];
    m->how[i] = m->how[m->n_bound];
}

/* Room for one more learned address: the longest unused gives way if that was long enough ago. */
static bool make_room(struct bindings *b, struct member *m, mono_ns now)
{
    int oldest = -1;

    if (m->n_learned < LEARNED_PER_MEMBER && m->n_bound < BOUND_MAX)
        return true;
    for (unsigned i = 0; i < m->n_bound; i++) {
        if (m->how[i] == BOUND_LEARNED && (oldest < 0 || m->bound[i].used < m->bound[oldest].used))
            oldest = (int)i;
    }
    if (oldest < 0 || time_since(now, m->bound[oldest].used) < BOUND_IDLE)
        return false;
    bound_remove(b, m, (unsigned)oldest);
    return true;
}

static bool bound_add(struct bindings *b, struct member *m, struct ip6 a, enum bound_how how,
                      mono_ns now)
{
    if (m->n_bound == BOUND_MAX || !table_put(&b->by_addr, a.b, member_slot(b->ms, m)))
        return false;
    m->bound[m->n_bound] = (struct bound){ .addr = a, .used = now };
    m->how[m->n_bound++] = (uint8_t)how;
    if (how == BOUND_LEARNED)
        m->n_learned++;
    return true;
}

enum drop bindings_guard(struct bindings *b, struct member *m, struct ip6 src, mono_ns now,
                         bool *ret_learned)
{
    struct mac mac;
    struct member *owner;

    *ret_learned = false;
    if (ip6_eq(src, m->link_local) || ip6_eq(src, m->eui_global))
        return DROP_NONE;
    int i = bound_find(m, src);
    if (i >= 0) {
        m->hint = (uint8_t)i;
        m->bound[i].used = now;
        return DROP_NONE;
    }
    if (delegated_to(b, m, src) || old_eui(b, m, src))
        return DROP_NONE;
    if ((b->shared && !ip6_is_link_local(src)) ||
        !(ip6_is_link_local(src) || ip6_in(src, b->prefix)) || eui_shaped(b, src, &mac) ||
        bindings_owner(b, src, &owner) != OWNER_NONE)
        return DROP_SRC_GUARD;
    uint32_t client = table_find(&b->reserved, src.b);
    if (client != TABLE_NONE && client != m->client)
        return DROP_SRC_GUARD;
    if (!make_room(b, m, now) || !bound_add(b, m, src, BOUND_LEARNED, now))
        return DROP_BINDINGS;
    *ret_learned = true;
    return DROP_NONE;
}

bool bindings_stable(const struct bindings *b, uint32_t client, const uint8_t *key, struct ip6 *ret)
{
    if (client < b->n_places && !ip6_is_unspecified(b->assigned[client])) {
        *ret = b->assigned[client];
        /* Nobody but its client can bind a reserved address. */
        return true;
    }
    for (uint32_t try = 0; try < STABLE_TRIES; try++) {
        struct ip6 a;
        if (!iid_stable(b->secret, key, b->prefix, try, &a))
            continue;
        if (!unused(b, a, key))
            continue;
        *ret = a;
        return true;
    }
    return false;
}

bool bindings_assign(struct bindings *b, struct member *m, struct ip6 a, mono_ns now)
{
    struct member *owner;

    int i = bound_find(m, a);
    if (i >= 0) {
        if (m->how[i] == BOUND_LEARNED)
            m->n_learned--;
        m->how[i] = BOUND_ASSIGNED;
        return true;
    }
    return bindings_owner(b, a, &owner) == OWNER_NONE && bound_add(b, m, a, BOUND_ASSIGNED, now);
}

const struct ip6 *bindings_assigned(const struct bindings *b, const struct member *m)
{
    for (unsigned i = 0; i < m->n_bound; i++) {
        if (m->how[i] == BOUND_ASSIGNED && ip6_in(m->bound[i].addr, b->prefix))
            return &m->bound[i].addr;
    }
    return NULL;
}

/* Is bound address @x of @m to be listed before @y? */
static bool listed_before(const struct bindings *b, const struct member *m, unsigned x, unsigned y)
{
    bool current_x = ip6_in(m->bound[x].addr, b->prefix);
    bool current_y = ip6_in(m->bound[y].addr, b->prefix);

    if (current_x != current_y)
        return current_x;
    if (m->how[x] != m->how[y])
        return m->how[x] == BOUND_ASSIGNED;
    return m->bound[x].used > m->bound[y].used;
}

unsigned bindings_list(const struct bindings *b, const struct member *m, struct ip6 *ret)
{
    unsigned order[BOUND_MAX];

    for (unsigned i = 0; i < m->n_bound; i++) {
        unsigned at = i;
        for (; at > 0 && listed_before(b, m, i, order[at - 1]); at--)
            order[at] = order[at - 1];
        order[at] = i;
    }
    for (unsigned i = 0; i < m->n_bound; i++)
        ret[i] = m->bound[order[i]].addr;
    return m->n_bound;
}

void bindings_readdress(struct bindings *b, struct member *m, mono_ns now)
{
    struct ip6 a;
    const struct ip6 *was = bindings_assigned(b, m);

    if (!b->n_places || !bindings_stable(b, m->client, m->key, &a) || (was && ip6_eq(*was, a)))
        return;
    if (was)
        bound_remove(b, m, (unsigned)bound_find(m, *was));
    m->hint = 0;
    (void)bindings_assign(b, m, a, now);
}

bool bindings_expire(struct bindings *b, struct member *m, mono_ns now, struct ip6 *ret)
{
    for (unsigned i = 0; i < m->n_bound; i++) {
        bool unused_long =
            m->how[i] == BOUND_LEARNED && time_since(now, m->bound[i].used) >= BOUND_LIFE;
        if (unused_long || !bindings_in_segment(b, m->bound[i].addr)) {
            *ret = m->bound[i].addr;
            bound_remove(b, m, i);
            return true;
        }
    }
    return false;
}

/* ---- another prefix ---- */

static bool overlap(struct prefix a, struct prefix b)
{
    return a.len < b.len ? ip6_in(b.addr, a) : ip6_in(a.addr, b);
}

/* One entry for each prefix; the one that ends first gives way. */
static void remember_prefix(struct bindings *b, struct old_prefix old)
{
    unsigned at = 0;

    for (unsigned i = 0; i < b->n_old; i++) {
        if (b->old[i].until < b->old[at].until)
            at = i;
    }
    if (b->n_old < OLD_PREFIXES)
        at = b->n_old++;
    b->old[at] = old;
}

static void forget_overlapping(struct bindings *b, struct prefix p)
{
    for (unsigned i = 0; i < b->n_old; i++) {
        if (overlap(b->old[i].prefix, p))
            b->old[i--] = b->old[--b->n_old];
    }
}

void bindings_age(struct bindings *b, mono_ns now)
{
    for (unsigned i = 0; i < b->n_old; i++) {
        struct old_prefix *old = &b->old[i];
        if (old->until > now)
            continue;
        old->valid = false;
        if (time_since(now, old->until) >= OLD_PREFIX_LIFE)
            b->old[i--] = b->old[--b->n_old];
    }
}

/* What @m had in the segment stays only where it is deprecated now, or of a prefix that is back as
 * it was. */
static void keep_or_release(struct bindings *b, struct member *m, bool back)
{
    for (unsigned i = 0; i < m->n_bound;) {
        struct ip6 a = m->bound[i].addr;
        bool kept = ip6_is_link_local(a) || valid_old(b, a) || (back && ip6_in(a, b->prefix));
        if (kept && !is_router(b, a))
            i++;
        else
            bound_remove(b, m, i);
    }
    m->hint = 0;
}

/* The prefix that was becomes an old one. Returns whether @prefix is one that was not over yet. */
static bool turn_old(struct bindings *b, struct prefix prefix, mono_ns until, mono_ns now)
{
    struct old_prefix old = {
        .prefix = b->prefix, .router = b->router[0], .until = until, .valid = until > now
    };
    bool back = false;

    if (prefix_eq(b->prefix, prefix))
        return true;
    for (unsigned i = 0; i < b->n_old; i++)
        back |= b->old[i].valid && prefix_eq(b->old[i].prefix, prefix);
    forget_overlapping(b, prefix);
    if (overlap(b->prefix, prefix))
        old.valid = false; /* it is advertised as the others are */
    remember_prefix(b, old);
    return back;
}

void bindings_renumber(struct bindings *b, const struct roster *clients, struct prefix prefix,
                       struct ip6 address, mono_ns life, mono_ns now)
{
    bool back = turn_old(b, prefix, now + (life < OLD_PREFIX_LIFE ? life : OLD_PREFIX_LIFE), now);

    b->prefix = prefix;
    b->anycast = prefix.addr;
    b->router[0] = address;
    for (uint32_t i = 0; i < b->ms->high; i++) {
        if (b->ms->m[i].live)
            keep_or_release(b, &b->ms->m[i], back);
    }
    table_clear(&b->reserved);
    for (uint32_t i = 0; i < b->n_places; i++) {
        const struct router_client *client = roster_client(clients, i);
        b->assigned[i] = ip6_unspecified;
        if (client)
            bindings_reserve(b, i, client);
    }
    for (uint32_t i = 0; i < b->ms->high; i++) {
        struct member *m = &b->ms->m[i];
        if (!m->live)
            continue;
        m->eui_global = prefix.len <= 64 ? mac_address(prefix, m->mac) : ip6_unspecified;
        bindings_readdress(b, m, now);
        member_changed(b->ms, i);
    }
}

void bindings_release(struct bindings *b, struct member *m)
{
    while (m->n_bound)
        bound_remove(b, m, m->n_bound - 1u);
    bindings_undelegate(b, m);
}
