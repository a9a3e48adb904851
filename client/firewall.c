/* SPDX-License-Identifier: MIT */
/* firewall.c - what the tunnel may bring to this host and to the LAN behind it */
#include "client/firewall.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "proto/host/nft.h"

/* destination unreachable, packet too big, time exceeded, parameter problem; echo */
#define ERRORS_AND_ECHO "1-4, 128-129"
/* RFC 4890 4.4.1: MLD, RS to NA and inverse ND, MLDv2, SEND, multicast router discovery. The kernel
 * itself wants hop limit 255 or 1 where the RFCs do. */
#define LINK_TYPES "130-136, 141-143, 148-149, 151-153"
/* RFC 4890 4.3.2: home agents, mobile nodes */
#define MOBILITY_TYPES "144-147"

__attribute__((format(printf, 2, 3))) static void add(char *out, const char *fmt, ...)
{
    size_t n = strlen(out);
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(out + n, FIREWALL_TEXT_MAX - n, fmt, ap);
    va_end(ap);
}

static void chain(const struct client_config *c, char *out, const char *hook, const char *types)
{
    add(out, "chain %s {\ntype filter hook %s priority filter\npolicy accept\n", hook, hook);
    add(out, "iif != \"%s\" accept\n", c->device); /* by index: names can be changed */
    add(out, "ct state established,related accept\n");
    add(out, "icmpv6 type { %s } accept\n", types);
    for (unsigned i = 0; strcmp(hook, "input") == 0 && i < c->n_allow && i < CONFIG_ALLOW; i++)
        add(out, "%s dport %u accept\n", c->allow[i].protocol == IPPROTO_TCP ? "tcp" : "udp",
            c->allow[i].port);
    add(out, "counter drop\n}\n");
}

void firewall_rules(const struct client_config *c, char out[FIREWALL_TEXT_MAX])
{
    out[0] = '\0';
    chain(c, out, "input", ERRORS_AND_ECHO ", " LINK_TYPES);
    chain(c, out, "forward", ERRORS_AND_ECHO ", " MOBILITY_TYPES);
}

int firewall_open(const struct client_config *c, struct nft **ret, char *err, size_t cap)
{
    char rules[FIREWALL_TEXT_MAX], name[NFT_NAME_MAX + 1];
    struct nft *nft = NULL;

    if (c->firewall == FIREWALL_OFF) {
        *ret = NULL;
        return 0;
    }
    snprintf(name, sizeof(name), "sixtap-%s", c->device);
    firewall_rules(c, rules);
    int rc = nft_open(name, &nft);
    if (rc == 0)
        rc = nft_replace(nft, rules);
    if (rc == 0) {
        *ret = nft;
        return 0;
    }
    const char *why = nft && nft_error(nft)[0] ? nft_error(nft) : strerror(-rc);
    snprintf(err, cap, "%s", why);
    nft_close(nft);
    return rc;
}
