/* SPDX-License-Identifier: MIT */
/* rules.c - what the kernel's packet filter does for the router: one table of its own */
#include "router/rules.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/host/log.h"
#include "proto/mac.h"

#define RULE_LEN 128u /* octets of one rule at the most: a prefix, the device's name, words */

struct text {
    char s[256 + 2 * (1 + OLD_PREFIXES) * RULE_LEN];
    size_t n;
};

static void __attribute__((format(printf, 2, 3))) put(struct text *t, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(t->s + t->n, sizeof(t->s) - t->n, fmt, ap);
    va_end(ap);
    if (n > 0)
        t->n += (size_t)n;
}

static void put_martian(struct text *t, const struct router_config *c, struct ip6 own)
{
    char a[IP6_TEXT_LEN];

    put(t, "oifname \"%s\" ip6 saddr %s counter drop\n", c->uplink_device, ip6_text(a, own));
}

/* Such a rule counts on nothing but the prefix and the device, so it holds when the WAN changes. */
static void put_translation(struct text *t, const struct router_config *c, struct prefix p)
{
    char a[IP6_TEXT_LEN];

    put(t, "ip6 saddr %s/%u oifname != \"%s\" masquerade\n", ip6_text(a, p.addr), p.len,
        c->uplink_device);
}

int rules_set(struct nft *nft, const struct router_config *c, const struct nl_addr *former,
              unsigned n)
{
    struct text t = { .n = 0 };

    put(&t, "chain martians {\ntype filter hook forward priority raw\n");
    put_martian(&t, c, c->address);
    for (unsigned i = 0; i < n; i++)
        put_martian(&t, c, former[i].addr);
    put(&t, "}\n");
    if (c->uplink == UPLINK_NAT66) {
        put(&t, "chain postrouting {\ntype nat hook postrouting priority srcnat\n");
        put_translation(&t, c, c->prefix);
        for (unsigned i = 0; i < n; i++) {
            struct prefix p = { .addr = ip6_mask(former[i].addr, former[i].plen),
                                .len = former[i].plen };
            put_translation(&t, c, p);
        }
        put(&t, "}\n");
    }
    return nft_replace(nft, t.s);
}

int rules_open(const struct router_config *c, struct nft **ret)
{
    char name[NFT_NAME_MAX + 1];
    struct nft *nft = NULL;

    *ret = NULL;
    if (c->uplink == UPLINK_NONE)
        return 0;
    snprintf(name, sizeof(name), "sixtap-%s", c->uplink_device);
    int err = nft_open(name, &nft);
    if (!err)
        err = rules_set(nft, c, NULL, 0);
    if (!err) {
        *ret = nft;
        return 0;
    }
    const char *why = nft ? nft_error(nft) : strerror(-err);
    if (c->uplink == UPLINK_NAT66)
        log_error("cannot make the address translation (nft table ip6 %s): %s", name, why);
    else
        log_warn(
            "what comes from outside in the name of this router's own address is not kept from "
            "clients (nft table ip6 %s): %s",
            name, why);
    nft_close(nft);
    return c->uplink == UPLINK_NAT66 ? err : 0;
}
