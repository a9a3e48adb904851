/* SPDX-License-Identifier: MIT */
/* groups.c - who listens to which multicast group */
#include "router/groups.h"

#include "router/carve.h"

static uint32_t n_groups(const struct router_config *c)
{
    uint32_t n = 4 * c->max_members;
    return n > 65536 ? 65536 : n;
}

size_t groups_bytes(const struct router_config *c)
{
    if (!c->multicast)
        return 0;
    return carve_size(n_groups(c) * sizeof(struct group)) +
           carve_size(c->max_members * sizeof(struct listens)) +
           carve_size(table_bytes(n_groups(c), IP6_LEN)) + CARVE_ALIGN;
}

void groups_init(struct groups *gs, void *mem, const struct router_config *c,
                 const uint8_t *hash_key)
{
    memset(gs, 0, sizeof(*gs));
    if (!c->multicast)
        return;
    uint8_t *p = carve_start(mem);
    gs->on = true;
    gs->n_max = n_groups(c);
    gs->g = carve(&p, gs->n_max * sizeof(*gs->g));
    gs->of = carve(&p, c->max_members * sizeof(*gs->of));
    table_init(&gs->by_addr, carve(&p, table_bytes(gs->n_max, IP6_LEN)), gs->n_max, IP6_LEN,
               hash_key);
    memset(gs->of, 0xff, c->max_members * sizeof(*gs->of)); /* GROUP_NONE everywhere */
}

/* Groups that need no state: everybody, the router's own, and those the router answers for (RFC
 * 4291 2.7.1). */
static bool is_kept(struct ip6 a)
{
    static const uint8_t solicited[13] = { 0xff, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0xff };
    unsigned scope = a.b[1] & 0x0f;

    return scope >= 2 && memcmp(a.b, solicited, sizeof(solicited)) != 0 &&
           !ip6_eq(a, ip6_all_nodes) && !ip6_eq(a, ip6_all_routers);
}

/* Only groups somebody listens to are in the table, so a free entry is soon met. */
static uint32_t group_new(struct groups *gs, struct ip6 addr)
{
    if (table_count(&gs->by_addr) == gs->n_max)
        return GROUP_NONE;
    while (gs->g[gs->hand].listeners)
        gs->hand = (gs->hand + 1) % gs->n_max;
    if (!table_put(&gs->by_addr, addr.b, gs->hand))
        return GROUP_NONE;
    gs->g[gs->hand].addr = addr;
    return gs->hand;
}

static void leave_at(struct groups *gs, struct listens *l, unsigned i)
{
    struct group *g = &gs->g[l->group[i]];

    l->group[i] = GROUP_NONE;
    if (--g->listeners == 0)
        table_del(&gs->by_addr, g->addr.b);
}

static enum drop join(struct groups *gs, struct listens *l, struct ip6 addr, uint32_t until_s)
{
    uint32_t id = table_find(&gs->by_addr, addr.b);
    unsigned room = GROUPS_PER_MEMBER;

    for (unsigned i = 0; i < GROUPS_PER_MEMBER; i++) {
        if (id != TABLE_NONE && l->group[i] == id) {
            l->until_s[i] = until_s;
            return DROP_NONE;
        }
        if (l->group[i] == GROUP_NONE && room == GROUPS_PER_MEMBER)
            room = i;
    }
    if (room == GROUPS_PER_MEMBER)
        return DROP_FULL;
    if (id == TABLE_NONE && (id = group_new(gs, addr)) == GROUP_NONE)
        return DROP_FULL;
    l->group[room] = id;
    l->until_s[room] = until_s;
    gs->g[id].listeners++;
    return DROP_NONE;
}

enum drop groups_report(struct groups *gs, uint32_t slot, struct mld *m, mono_ns now)
{
    uint32_t until_s = (uint32_t)((now + MLD_LISTENER_LIFE) / NS_PER_S);
    struct listens *l = &gs->of[slot];
    struct mld_record r;
    enum drop drop = DROP_NONE;

    while (mld_next(m, &r)) {
        if (!is_kept(r.group))
            continue;
        if (r.listens) {
            enum drop one = join(gs, l, r.group, until_s);
            drop = one ? one : drop;
            continue;
        }
        uint32_t id = table_find(&gs->by_addr, r.group.b);
        for (unsigned i = 0; i < GROUPS_PER_MEMBER && id != TABLE_NONE; i++) {
            if (l->group[i] == id) {
                leave_at(gs, l, i);
                break;
            }
        }
    }
    return drop;
}

void groups_expire(struct groups *gs, uint32_t slot, mono_ns now)
{
    if (!gs->on)
        return;
    struct listens *l = &gs->of[slot];
    for (unsigned i = 0; i < GROUPS_PER_MEMBER; i++) {
        if (l->group[i] != GROUP_NONE && l->until_s[i] <= now / NS_PER_S)
            leave_at(gs, l, i);
    }
}

void groups_leave(struct groups *gs, uint32_t slot)
{
    if (!gs->on)
        return;
    for (unsigned i = 0; i < GROUPS_PER_MEMBER; i++) {
        if (gs->of[slot].group[i] != GROUP_NONE)
            leave_at(gs, &gs->of[slot], i);
    }
}

uint32_t groups_find(const struct groups *gs, struct ip6 addr)
{
    if (!gs->on || (addr.b[1] & 0x0f) < 2)
        return GROUP_NONE;
    if (ip6_eq(addr, ip6_all_nodes))
        return GROUP_EVERYBODY;
    if (!is_kept(addr))
        return GROUP_NONE;
    uint32_t id = table_find(&gs->by_addr, addr.b);
    return id == TABLE_NONE ? GROUP_NONE : id;
}

bool groups_listens(const struct groups *gs, uint32_t slot, uint32_t group)
{
    if (group == GROUP_EVERYBODY)
        return true;
    for (unsigned i = 0; i < GROUPS_PER_MEMBER; i++) {
        if (gs->of[slot].group[i] == group)
            return true;
    }
    return false;
}
