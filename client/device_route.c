/* SPDX-License-Identifier: MIT */
/* device_route.c - routes through the client's device, and those that end what is delegated to it
 *
 * DOC: ours are known by DEVICE_ROUTE_PROTOCOL and the device; unreachable ones, which belong to
 * lo, by the protocol and a metric made of the device's name. A route is told from another by
 * {destination, metric}, as the kernel does. Where the place of one is taken (two clients on one
 * host, whose segments may even be the same) all of ours move to the next metric: the other's stay
 * first, ours are there when those go. `table:` holds the default route and the extra ones; what is
 * on link or unreachable is in the main table always.
 */
#include <errno.h>
#include <stdio.h>

#include "client/device_internal.h"

#define ON_LINK_METRIC 256u /* as the kernel's own prefix routes */
#define SHIFT_MAX      15u  /* as many clients on one host, and one */
#define TABLE_MAIN     254u /* RT_TABLE_MAIN */
#define ROUTES_WANTED                                                                              \
    (2 + OLD_PREFIXES + ROUTES_MAX + CONFIG_ROUTES + DELEGATED_PER_MEMBER + LAN_SWITCHES)

_Static_assert(ROUTES_WANTED <= HAVE_MAX, "all of ours can be listed");

/* same_place() - would the kernel take one for the other? */
static bool same_place(const struct nl_route *a, const struct nl_route *b)
{
    return prefix_eq(a->dst, b->dst) && a->metric == b->metric && a->table == b->table;
}

static bool route_same(const struct nl_route *a, const struct nl_route *b)
{
    return same_place(a, b) && a->type == b->type && a->ifindex == b->ifindex &&
           a->has_via == b->has_via && a->pref == b->pref &&
           (!a->has_via || ip6_eq(a->via, b->via));
}

struct route_list {
    struct nl_route r[ROUTES_WANTED];
    unsigned n;
};

/* want_route() - append unless the same place is taken: the first of two wins */
static void want_route(struct route_list *l, const struct nl_route *r)
{
    for (unsigned i = 0; i < l->n; i++)
        if (same_place(&l->r[i], r))
            return;
    if (l->n < ROUTES_WANTED)
        l->r[l->n++] = *r;
}

static uint32_t table_of(const struct device *d)
{
    return d->cfg.table ? d->cfg.table : TABLE_MAIN;
}

static struct nl_route unreachable(const struct device *d, struct prefix dst)
{
    return (struct nl_route){
        .type = NL_UNREACHABLE,
        .protocol = DEVICE_ROUTE_PROTOCOL,
        .metric = d->unreachable_metric,
        .table = TABLE_MAIN,
        .dst = dst,
    };
}

static void wanted_routes(const struct device *d, const struct device_want *w, struct route_list *l)
{
    const struct nl_route on_link = {
        .ifindex = d->ifindex,
        .metric = ON_LINK_METRIC + d->metric_shift,
        .protocol = DEVICE_ROUTE_PROTOCOL,
        .table = TABLE_MAIN,
    };
    const struct nl_route through = {
        .ifindex = d->ifindex,
        .has_via = true,
        .via = mac_link_local(w->router_mac),
        .metric = d->cfg.metric + d->metric_shift,
        .protocol = DEVICE_ROUTE_PROTOCOL,
        .pref = NL_PREF_LOW,
        .table = TABLE_MAIN,
    };
    struct nl_route r;

    l->n = 0;
    for (unsigned i = 0; i < w->n_delegated && i < DELEGATED_PER_MEMBER; i++) {
        r = unreachable(d, w->delegated[i]);
        want_route(l, &r);
    }
    for (unsigned i = 0; i < d->lan.n_turned; i++) {
        r = unreachable(d, d->lan.turned[i].marker);
        want_route(l, &r);
    }
    if (d->cfg.configure != CONFIGURE_NETLINK)
        return;
    if (w->segment.len) {
        r = w->on_link ? on_link : through;
        r.dst = w->segment;
        want_route(l, &r);
    }
    for (unsigned i = 0; i < w->n_old && i < OLD_PREFIXES; i++) {
        r = w->on_link ? on_link : through;
        r.dst = w->old[i].prefix;
        want_route(l, &r);
    }
    r = through;
    r.table = table_of(d);
    if (w->default_route)
        want_route(l, &r);
    for (unsigned i = 0; i < w->n_route && i < ROUTES_MAX; i++) {
        r.dst = w->route[i];
        want_route(l, &r);
    }
    for (unsigned i = 0; i < d->cfg.n_route && i < CONFIG_ROUTES; i++) {
        r.dst = d->cfg.route[i];
        want_route(l, &r);
    }
}

static void route_failure(struct device *d, int err, const char *verb, const struct nl_route *r)
{
    char text[IP6_TEXT_LEN], what[IP6_TEXT_LEN + 64];

    snprintf(what, sizeof(what), "cannot %s the route to %s/%u with metric %u", verb,
             ip6_text(text, r->dst.addr), r->dst.len, r->metric);
    device_failure(d, STEP_ROUTE, err, what);
}

/* our_routes() - routes of this device's client into d->have_route; returns how many, or -errno */
static int our_routes(struct device *d)
{
    int n = nl_route_list(d->nl, 0, DEVICE_ROUTE_PROTOCOL, 0, d->have_route, HAVE_MAX);
    int kept = 0, more = 0;

    if (n > (int)HAVE_MAX)
        n = HAVE_MAX;
    if (n >= 0 && table_of(d) != TABLE_MAIN)
        more = nl_route_list(d->nl, 0, DEVICE_ROUTE_PROTOCOL, table_of(d), d->have_route + n,
                             HAVE_MAX - (unsigned)n);
    if (more < 0)
        return more;
    n = n + more > (int)HAVE_MAX ? (int)HAVE_MAX : n + more;
    for (int i = 0; i < n; i++) {
        const struct nl_route r = d->have_route[i];

        if (r.type == NL_UNREACHABLE ? r.metric == d->unreachable_metric : r.ifindex == d->ifindex)
            d->have_route[kept++] = r;
    }
    return n < 0 ? n : kept;
}

/* may_shift() - is the place of @r taken by a route through another device, and a metric left? */
static bool may_shift(struct device *d, const struct nl_route *r)
{
    struct nl_route have[HAVE_MAX];

    if (r->type != NL_UNICAST || d->metric_shift >= SHIFT_MAX || r->metric == UINT32_MAX)
        return false;
    int n = nl_route_list(d->nl, d->ifindex, 0, r->table, have, HAVE_MAX);
    for (int i = 0; i < n && i < (int)HAVE_MAX; i++)
        if (same_place(&have[i], r))
            return false;
    return true;
}

/* make_routes() - false: a route of somebody else's has the place of one of ours, and the next
 * metric may be free */
static bool make_routes(struct device *d, const struct route_list *want)
{
    int n = our_routes(d);

    if (n < 0) {
        device_failure(d, STEP_READ, n, "cannot list routes");
        return true;
    }
    for (int i = 0; i < n; i++) {
        struct nl_route *have = &d->have_route[i];
        bool keep = false;

        for (unsigned k = 0; k < want->n; k++)
            keep |= same_place(have, &want->r[k]);
        int err = keep ? 0 : nl_route_del(d->nl, have);
        if (err < 0 && err != -ESRCH)
            route_failure(d, err, "remove", have);
    }
    for (unsigned k = 0; k < want->n; k++) {
        const struct nl_route *r = &want->r[k];
        bool there = false, ours = false;

        for (int i = 0; i < n; i++) {
            there |= route_same(&d->have_route[i], r);
            ours |= same_place(&d->have_route[i], r);
        }
        if (there)
            continue;
        /* replace would take the place of a stranger's route as well, so it is for our own only */
        int err = ours ? nl_route_replace(d->nl, r) : nl_route_add(d->nl, r);
        if (err == -EEXIST && may_shift(d, r))
            return false;
        if (err < 0)
            route_failure(d, err, "set", r);
    }
    return true;
}

void device_apply_routes(struct device *d, const struct device_want *w)
{
    struct route_list want;
    uint32_t before = d->metric_shift;

    wanted_routes(d, w, &want);
    while (!make_routes(d, &want)) {
        d->metric_shift++;
        wanted_routes(d, w, &want);
    }
    if (d->metric_shift != before)
        device_tell(&d->cfg,
                    "%s: another device has a route with the same metric (a second client or a "
                    "router on this host?); the default route here has metric %u",
                    d->name, d->cfg.metric + d->metric_shift);
}

void device_remove_routes(struct device *d)
{
    const struct route_list none = { .n = 0 };

    (void)make_routes(d, &none);
}
