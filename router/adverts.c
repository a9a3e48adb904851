/* SPDX-License-Identifier: MIT */
/* adverts.c - Router Advertisements: one per member, unicast, with that member's MTU */
#include "router/adverts.h"

/* RFC 8106 5.1: by default three times MaxRtrAdvInterval */
static uint32_t dns_lifetime_s(const struct advertise *adv)
{
    return 3 * adv->max_interval_s;
}

size_t adverts_build(uint8_t *out, const struct advert_from *from, const struct member *m,
                     struct ip6 dst)
{
    const struct router_config *c = from->conf;
    const struct advertise *adv = &c->advertise;
    struct nd_old_prefix old[OLD_PREFIXES];
    unsigned n_old = 0;

    for (unsigned i = 0; i < from->b->n_old; i++) {
        mono_ns until = from->b->old[i].until;
        if (until <= from->now)
            continue;
        old[n_old].prefix = from->b->old[i].prefix;
        old[n_old++].valid_s = (uint32_t)((until - from->now) / NS_PER_S);
    }
    struct nd_ra ra = {
        .hop_limit = (uint8_t)adv->hop_limit,
        .lifetime_s = from->uplink ? (uint16_t)adv->lifetime_s : 0,
        .preference = (int8_t)((int)c->preference - 1),
        .reachable_ms = adv->reachable_ms,
        .retrans_ms = adv->retrans_ms,
        .slla = from->mac,
        .mtu = m->mtu,
        .prefix = from->b->prefix,
        .on_link = adverts_on_link(c),
        .autonomous = c->addressing == ADDRESSING_EUI64,
        .valid_s = adv->valid_s,
        .preferred_s = adv->preferred_s,
        .old = old,
        .n_old = n_old,
        .dns = c->dns,
        .n_dns = c->n_dns,
        .dns_s = dns_lifetime_s(adv),
        .route = c->routes,
        .n_route = from->uplink ? c->n_routes : 0,
        .route_s = 3 * adv->max_interval_s,
        .search = c->search,
        .n_search = c->n_search,
    };
    return nd_build_ra(out, from->link_local, dst, &ra);
}

static mono_ns part_of(mono_ns span, uint32_t rnd)
{
    return (mono_ns)(((unsigned __int128)span * rnd) >> 32);
}

mono_ns adverts_interval(const struct router_config *c, unsigned sent, uint32_t rnd)
{
    const struct advertise *adv = &c->advertise;
    mono_ns d = time_s(adv->min_interval_s) +
                part_of(time_s(adv->max_interval_s - adv->min_interval_s), rnd);

    return sent < ADVERTS_INITIAL && d > ADVERTS_INITIAL_MAX ? ADVERTS_INITIAL_MAX : d;
}

/* ---- answers that wait ---- */

static uint32_t next_random(struct adverts *a) /* Marsaglia's xorshift; never 0 */
{
    a->rnd |= a->rnd == 0;
    a->rnd ^= a->rnd << 13;
    a->rnd ^= a->rnd >> 17;
    a->rnd ^= a->rnd << 5;
    return a->rnd;
}

/* Due at @at, but not before the pause between two to all nodes is over. */
static mono_ns group_time(struct member *m, mono_ns at)
{
    mono_ns earliest = time_s(m->ra_group_s) + ADVERTS_GROUP_PAUSE;

    if (m->ra_group_s && earliest > at)
        at = earliest;
    m->ra_group_s = (uint32_t)((at + NS_PER_S - 1) / NS_PER_S);
    return at;
}

bool adverts_solicited(struct adverts *a, struct member *m, uint32_t slot, struct ip6 dst,
                       mono_ns now)
{
    bool group = ip6_is_multicast(dst);

    if (!m->ra_asked) {
        m->ra_asked = true;
        if (group)
            (void)group_time(m, now);
        return true;
    }
    for (unsigned i = 0; i < a->n; i++) {
        struct advert_wait *w = &a->wait[i];
        if (w->slot != slot)
            continue;
        if (!ip6_eq(w->dst, dst) && !ip6_is_multicast(w->dst)) {
            /* two of its addresses ask: one answer to all */
            w->dst = ip6_all_nodes;
            w->due = group_time(m, w->due);
        }
        return false;
    }
    if (a->n == ADVERTS_WAITING) {
        m->next_ra = now;
        return false;
    }
    struct advert_wait *w = &a->wait[a->n++];
    *w = (struct advert_wait){ .slot = slot, .dst = dst };
    w->due = now + part_of(ADVERTS_DELAY_MAX, next_random(a));
    if (group)
        w->due = group_time(m, w->due);
    return false;
}

bool adverts_due(struct adverts *a, mono_ns now, struct advert_wait *ret)
{
    for (unsigned i = 0; i < a->n; i++) {
        if (a->wait[i].due > now)
            continue;
        *ret = a->wait[i];
        a->wait[i] = a->wait[--a->n];
        return true;
    }
    return false;
}

mono_ns adverts_deadline(const struct adverts *a)
{
    mono_ns at = NEVER;

    for (unsigned i = 0; i < a->n; i++)
        at = time_earlier(at, a->wait[i].due);
    return at;
}

void adverts_leave(struct adverts *a, uint32_t slot)
{
    for (unsigned i = 0; i < a->n; i++) {
        if (a->wait[i].slot == slot)
            a->wait[i--] = a->wait[--a->n];
    }
}
