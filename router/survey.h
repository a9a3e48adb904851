/* SPDX-License-Identifier: MIT */
/* survey.h - what `init` finds out about the host: its public IPv4 address, its link to the
 * Internet, the IPv6 prefix it has
 *
 * DOC: only the kernel is asked, no packet leaves the host. Whether a prefix is routed to this host
 * cannot be seen for certain from inside: one that lies on another link than the WAN, or that the
 * host refuses to hand back (an unreachable or blackhole route), was put there by somebody who has
 * it routed. A /64 on the WAN itself is taken for on link, since that is what most providers do.
 */
#ifndef SIXTAP_ROUTER_SURVEY_H
#define SIXTAP_ROUTER_SURVEY_H

#include <net/if.h>

#include "proto/addr.h"

enum survey_ipv6 {
    SURVEY_NONE,    /* no IPv6 default route, or no global address and no prefix */
    SURVEY_SINGLE,  /* one address, no prefix around it */
    SURVEY_ON_LINK, /* a prefix on the WAN link itself */
    SURVEY_ROUTED,  /* a prefix that is not on the WAN link */
};

struct survey {
    bool has_ipv4;
    be32 ipv4;         /* source address towards the Internet */
    bool ipv4_private; /* ip4_is_global() it is not: others see another one */
    char wan4[IF_NAMESIZE], wan6[IF_NAMESIZE]; /* links of the default routes; "": none */
    enum survey_ipv6 ipv6;
    struct prefix prefix; /* ROUTED, ON_LINK; SINGLE: the address, /128 */
};

/* survey_host() - look around. Return: 0; -errno, what was found so far is in @ret */
int survey_host(struct survey *ret);

#endif
