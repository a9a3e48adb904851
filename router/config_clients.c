/* SPDX-License-Identifier: MIT */
/* config_clients.c - checks of what clients: entries give to a client */
#include "router/config_clients.h"

#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/mac.h"

#define DELEGATE_MIN 16u
#define DELEGATE_MAX 126u

struct given { /* one address or prefix of one client */
    struct prefix p;
    const struct router_client *of;
};

static const char *text_of(char text[IP6_TEXT_LEN + 4], const struct prefix *p)
{
    char a[IP6_TEXT_LEN];

    snprintf(text, IP6_TEXT_LEN + 4, "%s/%u", ip6_text(a, p->addr), p->len);
    return text;
}

/* ---- fixed addresses ---- */

/* Why nobody can have @a, or NULL. */
static const char *not_for_clients(const struct router_config *c, struct ip6 a)
{
    struct mac mac;

    if (ip6_eq(a, c->prefix.addr))
        return "is the anycast address of all routers of the prefix";
    if (ip6_eq(a, c->address) ||
        (ip6_is_unspecified(c->address) && a.b[IP6_LEN - 1] == 1 && sodium_is_zero(a.b + 8, 7)))
        return "is the router's own";
    if (c->prefix.len <= 64 && mac_of_eui64(a.b + 8, &mac))
        return "has the shape of an EUI-64 address (..ff:fe..), which belongs to a MAC";
    return NULL;
}

static void check_fixed(struct conf *f, const struct router_config *c,
                        const struct router_client *m)
{
    char a[IP6_TEXT_LEN], prefix[IP6_TEXT_LEN + 4];
    struct conf_mark at = conf_mark_of(f, m, "address");

    ip6_text(a, m->address);
    if (c->addressing == ADDRESSING_EUI64)
        conf_problem(f, at,
                     "clients.address: %s needs addressing: stable; with eui64 clients make "
                     "their addresses themselves",
                     a);
    else if (!ip6_in(m->address, c->prefix))
        conf_problem(f, at, "clients.address: %s is not inside prefix %s", a,
                     text_of(prefix, &c->prefix));
    else if (not_for_clients(c, m->address))
        conf_problem(f, at, "clients.address: %s %s", a, not_for_clients(c, m->address));
}

/* ---- delegated prefixes ---- */

static bool overlap(const struct prefix *a, const struct prefix *b)
{
    return a->len <= b->len ? ip6_in(b->addr, *a) : ip6_in(a->addr, *b);
}

static void check_delegate(struct conf *f, const struct router_config *c,
                           const struct router_client *m, bool prefix_known)
{
    char text[IP6_TEXT_LEN + 4], prefix[IP6_TEXT_LEN + 4];
    struct conf_mark at = conf_mark_of(f, m, "delegate");

    for (unsigned i = 0; i < m->n_delegate; i++) {
        const struct prefix *p = &m->delegate[i];
        if (p->len == 0)
            continue; /* what stood there was refused */
        text_of(text, p);
        if (p->len < DELEGATE_MIN || p->len > DELEGATE_MAX)
            conf_problem(f, at, "clients.delegate: %s; allowed: lengths of %u to %u", text,
                         DELEGATE_MIN, DELEGATE_MAX);
        else if (!ip6_routable(*p) || p->addr.b[0] == 0)
            conf_problem(f, at,
                         "clients.delegate: %s cannot be routed; allowed: global or unique "
                         "local prefixes",
                         text);
        else if (prefix_known && overlap(p, &c->prefix))
            conf_problem(f, at,
                         "clients.delegate: %s overlaps prefix %s, which is the link of all "
                         "clients; allowed: prefixes outside it",
                         text, text_of(prefix, &c->prefix));
    }
}

static int by_prefix(const void *a, const void *b)
{
    const struct given *x = a, *y = b;
    int d = memcmp(x->p.addr.b, y->p.addr.b, IP6_LEN);

    return d ? d : (int)x->p.len - (int)y->p.len;
}

static unsigned gather(const struct router_config *c, struct given *out)
{
    unsigned n = 0;

    for (unsigned i = 0; i < c->n_clients; i++) {
        const struct router_client *m = &c->clients[i];
        if (!ip6_is_unspecified(m->address))
            out[n++] = (struct given){ { m->address, 128 }, m };
        for (unsigned k = 0; k < m->n_delegate; k++)
            if (m->delegate[k].len)
                out[n++] = (struct given){ m->delegate[k], m };
    }
    return n;
}

/* In the order of their addresses, the shorter first, whatever lies in another stands behind it and
 * before everything outside it. */
static void check_overlaps(struct conf *f, const struct router_config *c)
{
    char a[IP6_TEXT_LEN + 4], b[IP6_TEXT_LEN + 4];
    struct given *g = calloc(c->n_clients * (1u + DELEGATED_PER_MEMBER) + 1u, sizeof(*g));

    if (!g) {
        conf_problem(f, (struct conf_mark){ 0 }, "memory is out");
        return;
    }
    unsigned n = gather(c, g), outer = 0;
    qsort(g, n, sizeof(*g), by_prefix);
    for (unsigned i = 1; i < n; i++) {
        if (!overlap(&g[outer].p, &g[i].p)) {
            outer = i;
            continue;
        }
        bool fixed = g[i].p.len == 128, same = g[i].p.len == g[outer].p.len;
        conf_problem(f, conf_mark_of(f, g[i].of, fixed ? "address" : "delegate"),
                     "clients.%s: %s %s %s of client %s", fixed ? "address" : "delegate",
                     text_of(a, &g[i].p), same ? "is the same as" : "lies inside",
                     text_of(b, &g[outer].p), g[outer].of->name);
    }
    free(g);
}

void check_given(struct conf *f, const struct router_config *c, bool prefix_known)
{
    for (unsigned i = 0; i < c->n_clients; i++) {
        const struct router_client *m = &c->clients[i];
        if (!ip6_is_unspecified(m->address) && prefix_known)
            check_fixed(f, c, m);
        else if (!ip6_is_unspecified(m->address) && !conf_given(f, c, "prefix"))
            conf_problem(f, conf_mark_of(f, m, "address"),
                         "clients.address: needs prefix: the one it belongs to");
        check_delegate(f, c, m, prefix_known);
    }
    check_overlaps(f, c);
}
