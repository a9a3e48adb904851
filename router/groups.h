/* SPDX-License-Identifier: MIT */
/* groups.h - who listens to which multicast group
 *
 * DOC: with `multicast: true` the router is the MLD querier and keeps, per member, up to
 * GROUPS_PER_MEMBER groups with the time they end. A group is a number while somebody listens. A
 * packet for a group goes to its listeners only; ff02::1 goes to everybody. Solicited-node groups
 * are not kept: the router answers for them.
 *
 * Standards: RFC 3810 7, RFC 4541 3, RFC 4291 2.7.
 */
#ifndef SIXTAP_ROUTER_GROUPS_H
#define SIXTAP_ROUTER_GROUPS_H

#include "proto/mld.h"
#include "router/members.h"

#define GROUPS_PER_MEMBER 16u
#define GROUP_NONE        UINT32_MAX
#define GROUP_EVERYBODY   (UINT32_MAX - 1)

struct group {
    struct ip6 addr;
    uint32_t listeners; /* 0: free */
};

struct listens {                         /* what one member listens to */
    uint32_t group[GROUPS_PER_MEMBER];   /* GROUP_NONE: free */
    uint32_t until_s[GROUPS_PER_MEMBER]; /* seconds of the engine's clock */
};

struct groups {
    bool on;
    struct group *g;
    struct listens *of; /* by member slot */
    uint32_t n_max, hand;
    struct table by_addr;
};

/* groups_bytes(), groups_init() - as for members; nothing is needed with `multicast: false` */
size_t groups_bytes(const struct router_config *c);
void groups_init(struct groups *gs, void *mem, const struct router_config *c,
                 const uint8_t *hash_key);

/* groups_report() - member @slot reports; a full list takes no more groups (counted by the caller)
 * Return: DROP_NONE or DROP_FULL */
enum drop groups_report(struct groups *gs, uint32_t slot, struct mld *m, mono_ns now);

/* groups_expire() - forget what member @slot has not reported for MLD_LISTENER_LIFE */
void groups_expire(struct groups *gs, uint32_t slot, mono_ns now);

/* groups_leave() - member @slot is gone */
void groups_leave(struct groups *gs, uint32_t slot);

/* groups_find() - where a packet for @addr goes: a group with listeners, GROUP_EVERYBODY, or
 * GROUP_NONE */
uint32_t groups_find(const struct groups *gs, struct ip6 addr);

/* groups_listens() - does member @slot get what goes to @group? */
bool groups_listens(const struct groups *gs, uint32_t slot, uint32_t group);

#endif
