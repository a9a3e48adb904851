/* SPDX-License-Identifier: MIT */
/* adverts.c - Router Advertisements: one per member, unicast, with that member's MTU */
#include "router/adverts.h"

#define MAX_RTR_ADV_INTERVAL_S 600u
#define MIN_RTR_ADV_INTERVAL_S 200u
#define ROUTER_LIFETIME_S      (3u * MAX_RTR_ADV_INTERVAL_S)
#define DNS_LIFETIME_S         (3u * MAX_RTR_ADV_INTERVAL_S) /* RFC 8106 5.1 */
#define PREFIX_VALID_S         86400u
#define PREFIX_PREFERRED_S     14400u

size_t adverts_build(uint8_t *out, const struct router_config *c, bool uplink,
                     const struct member *m, struct ip6 router_ll, struct mac router_mac,
                     struct ip6 dst)
{
    struct nd_ra ra = {
        .hop_limit = 64,
        .lifetime_s = uplink ? ROUTER_LIFETIME_S : 0,
        .preference = (int8_t)((int)c->preference - 1),
        .slla = router_mac,
        .mtu = m->mtu,
        .prefix = c->prefix,
        .on_link = !c->isolate,
        .autonomous = c->addressing == ADDRESSING_EUI64,
        .valid_s = PREFIX_VALID_S,
        .preferred_s = PREFIX_PREFERRED_S,
        .dns = c->dns,
        .n_dns = c->n_dns,
        .dns_s = DNS_LIFETIME_S,
        .route = c->routes,
        .n_route = uplink ? c->n_routes : 0,
        .route_s = ROUTER_LIFETIME_S,
        .search = c->search,
        .n_search = c->n_search,
    };
    return nd_build_ra(out, router_ll, dst, &ra);
}

mono_ns adverts_interval(uint32_t rnd)
{
    mono_ns span = time_s(MAX_RTR_ADV_INTERVAL_S - MIN_RTR_ADV_INTERVAL_S);
    return time_s(MIN_RTR_ADV_INTERVAL_S) + (mono_ns)(((unsigned __int128)span * rnd) >> 32);
}
