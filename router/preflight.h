/* SPDX-License-Identifier: MIT */
/* preflight.h - what about this host would keep the configuration from working
 *
 * DOC: in two steps, so that the rules are tested as rows: preflight_look() gathers what the host
 * says, preflight_judge() makes findings of it. Nothing is changed; each finding is one line that
 * ends with the command that mends it. What cannot be seen (no privilege) is no finding.
 */
#ifndef SIXTAP_ROUTER_PREFLIGHT_H
#define SIXTAP_ROUTER_PREFLIGHT_H

#include "router/config.h"
#include "router/wan.h"

struct host_facts {
    bool tun_node;    /* /dev/net/tun can be opened */
    bool net_admin;   /* CAP_NET_ADMIN */
    bool ipv6_off;    /* net.ipv6.conf.all.disable_ipv6 */
    bool forwarding;  /* net.ipv6.conf.all.forwarding */
    bool accept_ra_2; /* of the WAN: it hears router advertisements also while forwarding */
    bool has_wan;     /* @wan is filled in */
    struct wan wan;   /* the configured link, or the default route's */
    char elsewhere[IF_NAMESIZE]; /* another link the segment's prefix leads to; "": none */
    char *ruleset;               /* of the packet filter, nft_ruleset(); NULL: cannot be seen */
};

enum finding_level {
    FINDING_WARN, /* something will not work */
    FINDING_STOP, /* the router cannot start */
};

typedef void finding_fn(void *arg, enum finding_level level, const char *line);

/* preflight_look() - gather; free with preflight_free() */
void preflight_look(const struct router_config *c, struct host_facts *ret);
void preflight_free(struct host_facts *f);

/* preflight_judge() - hand each finding to @say
 * Return: how many are FINDING_STOP */
unsigned preflight_judge(const struct router_config *c, const struct host_facts *f, finding_fn *say,
                         void *arg);

#endif
