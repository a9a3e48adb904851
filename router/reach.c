/* SPDX-License-Identifier: MIT */
/* reach.c - what the host's kernel must know of clients that are on line */
#include "router/reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/host/log.h"
#include "proto/host/netlink.h"
#include "proto/mac.h"
#include "proto/table.h"
#include "router/switches.h"

#define KEY_OCTETS (IP6_LEN + 1u)
#define GONE_MAX   32u             /* more than these: all are looked at */
#define LOOK_PAUSE (10 * NS_PER_S) /* at most that often: each costs a request to the kernel */

struct slot {
    struct prefix has[REACH_MAX];
    uint8_t n;
};

/* Who has which prefixes; each has one holder, the one who set it last. */
struct book {
    struct table owner; /* {prefix, length} -> slot */
    void *owner_mem;
    struct slot *slot;
};

struct reach {
    struct reach_config c;
    struct prefix former; /* of the segment, before c.segment; len 0: there was none */
    struct nl *nl;
    struct book there;              /* members and what leads to them */
    struct book listed;             /* clients and what is delegated to them, on line or not */
    struct wan_switch proxy, delay; /* the WAN's settings before us */
    struct prefix gone[GONE_MAX];   /* routes others took away */
    unsigned n_gone;
    bool look;                    /* perhaps all of them */
    mono_ns mend_next, look_next; /* not before */
};

uint32_t reach_metric(const char *device)
{
    uint32_t h = 2166136261u;

    for (; *device; device++)
        h = (h ^ (unsigned char)*device) * 16777619u;
    return h | 0xff000000u;
}

static void key_of(uint8_t key[KEY_OCTETS], const struct prefix *p)
{
    memcpy(key, p->addr.b, IP6_LEN);
    key[IP6_LEN] = p->len;
}

static bool proxied(const struct reach *r, const struct prefix *p)
{
    return r->c.wan && p->len == 128 &&
           (ip6_in(p->addr, r->c.segment) || (r->former.len && ip6_in(p->addr, r->former)));
}

static struct nl_route route_of(const struct reach *r, const struct prefix *p)
{
    return (struct nl_route){
        .dst = *p, .ifindex = r->c.tun, .protocol = ROUTE_PROTOCOL, .type = NL_UNICAST
    };
}

static struct nl_route dead_end(const char *device, const struct prefix *p)
{
    return (struct nl_route){ .dst = *p,
                              .protocol = ROUTE_PROTOCOL,
                              .type = NL_UNREACHABLE,
                              .metric = reach_metric(device) };
}

static void complain(const char *what, const struct prefix *p, const char *why, mono_ns now)
{
    static struct log_limit limit = LOG_LIMIT(10, 10 * NS_PER_S);
    char text[IP6_TEXT_LEN];

    log_limited(&limit, now, LOG_LEVEL_WARN,
                "cannot %s %s/%u: %s; it is not reachable from outside", what,
                ip6_text(text, p->addr), p->len, why);
}

/* After reach_again() it may be there, and is ours; a route somebody else set stays. */
static bool leads_to_tun(struct reach *r, const struct prefix *p)
{
    struct nl_route there;

    return nl_route_to(r->nl, p->addr, &there) == 0 && there.ifindex == r->c.tun;
}

/* Returns whether there was no route to it before. */
static bool tell_kernel(struct reach *r, const struct prefix *p, mono_ns now)
{
    struct nl_route route = route_of(r, p);

    int err = nl_route_add(r->nl, &route);
    if (err == -EEXIST) {
        if (!leads_to_tun(r, p))
            complain("set a route to", p, "there is one to it already", now);
    } else if (err) {
        complain("set a route to", p, nl_error(r->nl), now);
    }
    if (proxied(r, p) && nl_proxy_add(r->nl, r->c.wan, p->addr, ROUTE_PROTOCOL) < 0)
        complain("announce", p, nl_error(r->nl), now);
    return err == 0;
}

/* What is gone already (the TUN was down, somebody tidied up) is no complaint. */
static void untell_kernel(struct reach *r, const struct prefix *p)
{
    struct nl_route route = route_of(r, p);

    nl_route_del(r->nl, &route);
    if (proxied(r, p))
        nl_proxy_del(r->nl, r->c.wan, p->addr);
}

static bool among(const struct prefix *p, const struct prefix *list, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        if (prefix_eq(list[i], *p))
            return true;
    }
    return false;
}

static bool is_owned(const struct book *b, const struct prefix *p)
{
    uint8_t key[KEY_OCTETS];

    key_of(key, p);
    return table_find(&b->owner, key) != TABLE_NONE;
}

/* One that is there already is what a killed router left. */
static void end_here(struct reach *r, const struct prefix *p, mono_ns now)
{
    static struct log_limit limit = LOG_LIMIT(10, 10 * NS_PER_S);
    struct nl_route route = dead_end(r->c.device, p);
    char text[IP6_TEXT_LEN];

    int err = nl_route_add(r->nl, &route);
    if (err && err != -EEXIST)
        log_limited(&limit, now, LOG_LEVEL_WARN,
                    "cannot set an unreachable route to %s/%u: %s; what comes for it while its "
                    "client is off line goes back where it came from",
                    ip6_text(text, p->addr), p->len, nl_error(r->nl));
}

static void end_no_more(struct reach *r, const struct prefix *p)
{
    struct nl_route route = dead_end(r->c.device, p);

    nl_route_del(r->nl, &route);
}

static void come(struct reach *r, const struct book *b, const struct prefix *p, mono_ns now)
{
    if (b == &r->listed)
        end_here(r, p, now);
    else
        tell_kernel(r, p, now);
}

/* Somebody may have taken the unreachable route away, which nobody missed till now. */
static void go(struct reach *r, const struct book *b, const struct prefix *p, mono_ns now)
{
    if (b == &r->listed) {
        end_no_more(r, p);
        return;
    }
    if (is_owned(&r->listed, p))
        end_here(r, p, now);
    untell_kernel(r, p);
}

static void take(struct reach *r, struct book *b, uint32_t slot, const struct prefix *p,
                 mono_ns now)
{
    uint8_t key[KEY_OCTETS];
    bool known = is_owned(b, p);

    key_of(key, p);
    if (!table_put(&b->owner, key, slot)) {
        log_warn("no room for another prefix of a client");
        return;
    }
    if (!known)
        come(r, b, p, now);
}

static void give_back(struct reach *r, struct book *b, uint32_t slot, const struct prefix *p,
                      mono_ns now)
{
    uint8_t key[KEY_OCTETS];

    key_of(key, p);
    if (table_find(&b->owner, key) != slot)
        return; /* it has passed to another */
    table_del(&b->owner, key);
    go(r, b, p, now);
}

static void set(struct reach *r, struct book *b, uint32_t slot, const struct prefix *want,
                unsigned n, mono_ns now)
{
    struct slot *s = &b->slot[slot];

    for (unsigned i = 0; i < s->n; i++) {
        if (!among(&s->has[i], want, n))
            give_back(r, b, slot, &s->has[i], now);
    }
    for (unsigned i = 0; i < n; i++)
        take(r, b, slot, &want[i], now);
    if (n)
        memcpy(s->has, want, n * sizeof(*want));
    s->n = (uint8_t)n;
}

void reach_set(struct reach *r, uint32_t slot, const struct prefix *want, unsigned n, mono_ns now)
{
    set(r, &r->there, slot, want, n, now);
}

void reach_list(struct reach *r, uint32_t place, const struct prefix *want, unsigned n, mono_ns now)
{
    set(r, &r->listed, place, want, n, now);
}

void reach_segment(struct reach *r, struct prefix segment)
{
    r->former = r->c.segment;
    r->c.segment = segment;
}

/* Returns how many routes were not there. */
static unsigned tell_all(struct reach *r, mono_ns now)
{
    const uint8_t *key;
    uint32_t pos = 0;
    unsigned n = 0;

    while (table_next(&r->there.owner, &pos, &key, NULL)) {
        struct prefix p = { .addr = ip6_load(key), .len = key[IP6_LEN] };
        n += tell_kernel(r, &p, now);
    }
    return n;
}

void reach_again(struct reach *r, mono_ns now)
{
    tell_all(r, now);
    r->n_gone = 0;
    r->look = false;
}

void reach_gone(struct reach *r, const struct prefix *dst)
{
    if (dst && !is_owned(&r->there, dst))
        return;
    if (dst && r->n_gone < GONE_MAX)
        r->gone[r->n_gone++] = *dst;
    else
        r->look = true;
}

static unsigned mend_gone(struct reach *r, mono_ns now)
{
    unsigned n = 0;

    for (unsigned i = 0; i < r->n_gone; i++) {
        if (is_owned(&r->there, &r->gone[i])) /* its client may have left meanwhile */
            n += tell_kernel(r, &r->gone[i], now);
    }
    r->n_gone = 0;
    r->mend_next = now + REACH_MEND_PAUSE;
    return n;
}

void reach_mend(struct reach *r, mono_ns now)
{
    static struct log_limit limit = LOG_LIMIT(5, 10 * NS_PER_S);
    unsigned n = 0;

    if (r->n_gone && now >= r->mend_next)
        n += mend_gone(r, now);
    if (r->look && now >= r->look_next) {
        n += tell_all(r, now);
        r->look = false;
        r->look_next = now + LOOK_PAUSE;
    }
    if (n)
        log_limited(&limit, now, LOG_LEVEL_WARN,
                    "somebody took %u route%s of clients off the uplink; %s back", n,
                    n == 1 ? "" : "s", n == 1 ? "it is" : "they are");
}

mono_ns reach_deadline(const struct reach *r)
{
    return time_earlier(r->n_gone ? r->mend_next : NEVER, r->look ? r->look_next : NEVER);
}

uint32_t reach_count(const struct reach *r)
{
    return table_count(&r->there.owner);
}

/* ---- start and end ---- */

/* Only inside our prefix: another router of this host may serve another one through the same WAN.
 */
static void sweep(struct reach *r)
{
    unsigned gone = 0;

    int n = nl_proxy_list(r->nl, r->c.wan, ROUTE_PROTOCOL, NULL, 0);
    struct ip6 *list = n > 0 ? calloc((unsigned)n, sizeof(*list)) : NULL;
    if (!list)
        return;
    int there = nl_proxy_list(r->nl, r->c.wan, ROUTE_PROTOCOL, list, (unsigned)n);
    for (int i = 0; i < there && i < n; i++) {
        if (ip6_in(list[i], r->c.segment) && nl_proxy_del(r->nl, r->c.wan, list[i]) == 0)
            gone++;
    }
    free(list);
    if (gone)
        log_info("took %u proxy entries of a former run off %s", gone, r->c.wan_name);
}

/* The default delay makes each first packet wait for up to 0.8 s. */
static int open_wan(struct reach *r)
{
    const uint32_t metric = reach_metric(r->c.device);

    r->proxy = (struct wan_switch){ .kind = SWITCH_PROXY_NDP, .ifindex = r->c.wan };
    r->delay = (struct wan_switch){ .kind = SWITCH_PROXY_DELAY, .ifindex = r->c.wan };
    memcpy(r->proxy.link, r->c.wan_name, sizeof(r->proxy.link));
    memcpy(r->delay.link, r->c.wan_name, sizeof(r->delay.link));
    int err = switch_turn(r->nl, metric, &r->proxy);
    if (err) {
        log_error("cannot set net.ipv6.conf.%s.proxy_ndp=1: %s; without it nobody finds a client",
                  r->c.wan_name, strerror(-err));
        return err;
    }
    if (switch_turn(r->nl, metric, &r->delay))
        log_warn("cannot set net.ipv6.neigh.%s.proxy_delay=0: first packets to a client wait",
                 r->c.wan_name);
    sweep(r);
    return 0;
}

static int open_book(struct book *b, uint32_t slots, uint32_t entries, const uint8_t *hash_key)
{
    b->slot = calloc(slots + 1, sizeof(*b->slot));
    b->owner_mem = malloc(table_bytes(entries, KEY_OCTETS));
    if (!b->slot || !b->owner_mem)
        return -ENOMEM;
    table_init(&b->owner, b->owner_mem, entries, KEY_OCTETS, hash_key);
    return 0;
}

static void close_book(struct book *b)
{
    free(b->slot);
    free(b->owner_mem);
}

int reach_open(const struct reach_config *c, const uint8_t *hash_key, struct reach **ret)
{
    struct reach *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->c = *c;
    int err = open_book(&r->there, c->slots, c->entries, hash_key);
    if (!err)
        err = open_book(&r->listed, c->listed, c->listed * DELEGATED_PER_MEMBER, hash_key);
    if (!err)
        err = nl_open(&r->nl);
    if (!err)
        switches_sweep(r->nl, reach_metric(c->device));
    if (!err && c->wan)
        err = open_wan(r);
    if (err) {
        reach_close(r);
        return err;
    }
    *ret = r;
    return 0;
}

void reach_sweep(const char *device, const struct reach *r)
{
    const uint32_t metric = reach_metric(device);
    struct nl_route *list = NULL;
    struct nl *nl = NULL;
    unsigned gone = 0;

    if (nl_open(&nl))
        return;
    if (!r)
        switches_sweep(nl, metric); /* else reach_open() did */
    int n = nl_route_list(nl, 0, ROUTE_PROTOCOL, 0, NULL, 0);
    if (n > 0)
        list = calloc((unsigned)n, sizeof(*list));
    int there = list ? nl_route_list(nl, 0, ROUTE_PROTOCOL, 0, list, (unsigned)n) : 0;
    for (int i = 0; i < there && i < n; i++) {
        if (list[i].type != NL_UNREACHABLE || list[i].metric != metric ||
            switch_is_marker(&list[i].dst) || (r && is_owned(&r->listed, &list[i].dst)))
            continue;
        gone += nl_route_del(nl, &list[i]) == 0;
    }
    free(list);
    nl_close(nl);
    if (gone)
        log_info("took %u unreachable route%s of a former run away", gone, gone == 1 ? "" : "s");
}

/* Routes into the TUN go with it. */
static void take_all_back(struct reach *r)
{
    const uint8_t *key;
    uint32_t pos = 0;

    while (r->c.wan && table_next(&r->there.owner, &pos, &key, NULL)) {
        struct prefix p = { .addr = ip6_load(key), .len = key[IP6_LEN] };
        untell_kernel(r, &p);
    }
    pos = 0;
    while (table_next(&r->listed.owner, &pos, &key, NULL)) {
        struct prefix p = { .addr = ip6_load(key), .len = key[IP6_LEN] };
        end_no_more(r, &p);
    }
}

void reach_close(struct reach *r)
{
    if (!r)
        return;
    if (r->nl) {
        take_all_back(r);
        switch_back(r->nl, reach_metric(r->c.device), &r->proxy);
        switch_back(r->nl, reach_metric(r->c.device), &r->delay);
    }
    nl_close(r->nl);
    close_book(&r->there);
    close_book(&r->listed);
    free(r);
}
