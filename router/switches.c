/* SPDX-License-Identifier: MIT */
/* switches.c - settings of the WAN that the router changes, and what they were before */
#include "router/switches.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "proto/be.h"
#include "proto/host/log.h"
#include "proto/host/sysctl.h"
#include "router/reach.h"

#define MARKER_PLEN 128u
#define VALUE_MAX   UINT16_MAX
#define KEY_LEN_MAX 64u

static const struct {
    const char *before, *after; /* the link's name is in between */
    const char *to;
} switches[] = {
    [SWITCH_PROXY_NDP] = { "net/ipv6/conf/", "/proxy_ndp", "1" },
    [SWITCH_PROXY_DELAY] = { "net/ipv6/neigh/", "/proxy_delay", "0" },
};

static void key_of(char key[KEY_LEN_MAX], enum switch_kind kind, const char *link)
{
    snprintf(key, KEY_LEN_MAX, "%s%.15s%s", switches[kind].before, link, switches[kind].after);
}

static struct nl_route marker(uint32_t metric, const struct wan_switch *s)
{
    struct nl_route r = { .dst = { .len = MARKER_PLEN },
                          .protocol = ROUTE_PROTOCOL,
                          .type = NL_UNREACHABLE,
                          .metric = metric };

    r.dst.addr.b[0] = 0x01;
    be16_store(r.dst.addr.b + 8, (uint16_t)strtoul(s->was, NULL, 10));
    be16_store(r.dst.addr.b + 10, (uint16_t)s->kind);
    be32_store(r.dst.addr.b + 12, s->ifindex);
    return r;
}

bool switch_is_marker(const struct prefix *p)
{
    static const uint8_t start[8] = { 0x01 };
    unsigned kind = be16_load(p->addr.b + 10);

    return p->len == MARKER_PLEN && memcmp(p->addr.b, start, sizeof(start)) == 0 &&
           (kind == SWITCH_PROXY_NDP || kind == SWITCH_PROXY_DELAY);
}

static bool can_be_marked(const char *value)
{
    return value[0] && strspn(value, "0123456789") == strlen(value) &&
           strtoul(value, NULL, 10) <= VALUE_MAX;
}

int switch_turn(struct nl *nl, uint32_t metric, struct wan_switch *s)
{
    char key[KEY_LEN_MAX], now[sizeof(s->was)];

    key_of(key, s->kind, s->link);
    int err = sysctl_get(key, now, sizeof(now));
    if (err || strcmp(now, switches[s->kind].to) == 0)
        return err;
    snprintf(s->was, sizeof(s->was), "%s", now);
    const struct nl_route m = marker(metric, s);
    if (can_be_marked(now) && nl_route_replace(nl, &m) < 0)
        log_warn("%s will not be put back if this router is killed: %s", key, nl_error(nl));
    err = sysctl_set(key, switches[s->kind].to);
    if (err) {
        nl_route_del(nl, &m);
        s->was[0] = '\0';
    }
    return err;
}

void switch_back(struct nl *nl, uint32_t metric, struct wan_switch *s)
{
    const struct nl_route m = marker(metric, s);
    char key[KEY_LEN_MAX];

    if (!s->was[0])
        return;
    key_of(key, s->kind, s->link);
    sysctl_set(key, s->was);
    nl_route_del(nl, &m);
    s->was[0] = '\0';
}

static void put_back(const struct prefix *m)
{
    enum switch_kind kind = be16_load(m->addr.b + 10);
    char key[KEY_LEN_MAX], now[16], was[16], link[IF_NAMESIZE];

    if (!if_indextoname(be32_load(m->addr.b + 12), link))
        return;
    key_of(key, kind, link);
    snprintf(was, sizeof(was), "%u", be16_load(m->addr.b + 8));
    if (sysctl_get(key, now, sizeof(now)) == 0 && strcmp(now, switches[kind].to) == 0 &&
        sysctl_set(key, was) == 0)
        log_info("%s is %s again, as it was before a former run", key, was);
}

void switches_sweep(struct nl *nl, uint32_t metric)
{
    int n = nl_route_list(nl, 0, ROUTE_PROTOCOL, 0, NULL, 0);
    struct nl_route *list = n > 0 ? calloc((unsigned)n, sizeof(*list)) : NULL;
    int there = list ? nl_route_list(nl, 0, ROUTE_PROTOCOL, 0, list, (unsigned)n) : 0;

    for (int i = 0; i < there && i < n; i++) {
        if (list[i].type != NL_UNREACHABLE || list[i].metric != metric ||
            !switch_is_marker(&list[i].dst))
            continue;
        put_back(&list[i].dst);
        nl_route_del(nl, &list[i]);
    }
    free(list);
}
