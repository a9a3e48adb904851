/* SPDX-License-Identifier: MIT */
/* reach.c - what the host's kernel must know of clients that are on line */
#include "router/reach.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/host/log.h"
#include "proto/host/netlink.h"
#include "proto/host/sysctl.h"
#include "proto/mac.h"
#include "proto/table.h"

#define KEY_OCTETS (IP6_LEN + 1u)
#define GONE_MAX   32u             /* more than these: all are looked at */
#define LOOK_PAUSE (10 * NS_PER_S) /* at most that often: each costs a request to the kernel */

struct slot {
    struct prefix has[REACH_MAX];
    uint8_t n;
};

struct reach {
    struct reach_config c;
    struct prefix former; /* of the segment, before c.segment; len 0: there was none */
    struct nl *nl;
    struct table owner; /* {prefix, length} -> slot that set it last */
    void *owner_mem;
    char was_proxy[16], was_delay[16]; /* the WAN's settings before us; "": not changed */
    struct prefix gone[GONE_MAX];      /* routes others took away */
    unsigned n_gone;
    bool look;                    /* perhaps all of them */
    mono_ns mend_next, look_next; /* not before */
    struct slot slot[];
};

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

static bool is_owned(const struct reach *r, const struct prefix *p)
{
    uint8_t key[KEY_OCTETS];

    key_of(key, p);
    return table_find(&r->owner, key) != TABLE_NONE;
}

static void take(struct reach *r, uint32_t slot, const struct prefix *p, mono_ns now)
{
    uint8_t key[KEY_OCTETS];
    bool known = is_owned(r, p);

    key_of(key, p);
    if (!table_put(&r->owner, key, slot)) {
        log_warn("no room for another prefix of a client");
        return;
    }
    if (!known)
        tell_kernel(r, p, now);
}

static void give_back(struct reach *r, uint32_t slot, const struct prefix *p)
{
    uint8_t key[KEY_OCTETS];

    key_of(key, p);
    if (table_find(&r->owner, key) != slot)
        return; /* it has passed to another */
    table_del(&r->owner, key);
    untell_kernel(r, p);
}

void reach_set(struct reach *r, uint32_t slot, const struct prefix *want, unsigned n, mono_ns now)
{
    struct slot *s = &r->slot[slot];

    for (unsigned i = 0; i < s->n; i++) {
        if (!among(&s->has[i], want, n))
            give_back(r, slot, &s->has[i]);
    }
    for (unsigned i = 0; i < n; i++)
        take(r, slot, &want[i], now);
    if (n)
        memcpy(s->has, want, n * sizeof(*want));
    s->n = (uint8_t)n;
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

    while (table_next(&r->owner, &pos, &key, NULL)) {
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
    if (dst && !is_owned(r, dst))
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
        if (is_owned(r, &r->gone[i])) /* its client may have left meanwhile */
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
    return table_count(&r->owner);
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

static int change(const char *key, const char *value, char *ret_was, size_t cap)
{
    char now[16];

    int err = sysctl_get(key, now, sizeof(now));
    if (err || strcmp(now, value) == 0)
        return err;
    err = sysctl_set(key, value);
    if (!err)
        snprintf(ret_was, cap, "%s", now);
    return err;
}

static void sysctl_keys(const struct reach *r, char proxy[64], char delay[64])
{
    snprintf(proxy, 64, "net/ipv6/conf/%s/proxy_ndp", r->c.wan_name);
    snprintf(delay, 64, "net/ipv6/neigh/%s/proxy_delay", r->c.wan_name);
}

/* The default delay makes each first packet wait for up to 0.8 s. */
static int open_wan(struct reach *r)
{
    char proxy[64], delay[64];

    sysctl_keys(r, proxy, delay);
    int err = change(proxy, "1", r->was_proxy, sizeof(r->was_proxy));
    if (err) {
        log_error("cannot set net.ipv6.conf.%s.proxy_ndp=1: %s; without it nobody finds a client",
                  r->c.wan_name, strerror(-err));
        return err;
    }
    if (change(delay, "0", r->was_delay, sizeof(r->was_delay)))
        log_warn("cannot set net.ipv6.neigh.%s.proxy_delay=0: first packets to a client wait",
                 r->c.wan_name);
    sweep(r);
    return 0;
}

int reach_open(const struct reach_config *c, const uint8_t *hash_key, struct reach **ret)
{
    struct reach *r = calloc(1, sizeof(*r) + c->slots * sizeof(r->slot[0]));

    if (!r)
        return -ENOMEM;
    r->c = *c;
    r->owner_mem = malloc(table_bytes(c->entries, KEY_OCTETS));
    int err = r->owner_mem ? nl_open(&r->nl) : -ENOMEM;
    if (!err) {
        table_init(&r->owner, r->owner_mem, c->entries, KEY_OCTETS, hash_key);
        err = c->wan ? open_wan(r) : 0;
    }
    if (err) {
        reach_close(r);
        return err;
    }
    *ret = r;
    return 0;
}

void reach_close(struct reach *r)
{
    char proxy[64], delay[64];
    const uint8_t *key;
    uint32_t pos = 0;

    if (!r)
        return;
    while (r->c.wan && r->nl && table_next(&r->owner, &pos, &key, NULL)) {
        struct prefix p = { .addr = ip6_load(key), .len = key[IP6_LEN] };
        untell_kernel(r, &p);
    }
    sysctl_keys(r, proxy, delay);
    if (r->was_proxy[0])
        sysctl_set(proxy, r->was_proxy);
    if (r->was_delay[0])
        sysctl_set(delay, r->was_delay);
    nl_close(r->nl);
    free(r->owner_mem);
    free(r);
}
