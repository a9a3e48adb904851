/* SPDX-License-Identifier: MIT */
/* sweep.c - every member is looked at about once a second: who was silent for too long, whose keys
 * ended, who is due an advertisement, and who has not heard yet of what changed
 *
 * DOC: with many members a sweep is cut into slices, so that it does not hold up a packet. What
 * all members have to hear (the uplink, the prefix, settings) is a number that goes up; each member
 * keeps the one it was told, and the sweep tells those who are behind. So a change costs nothing
 * when it happens, and several are told as one.
 *
 * Standards: RFC 4861 6.2.4, 6.2.5.
 */
#include "router/adverts.h"
#include "router/state.h"

#define SWEEP_SLICES 16u /* so that 10^5 members do not stall the data path */
#define SWEEP_SMALL  64u /* members that are swept in one go */
#define SWEEP_PAUSE  (NS_PER_MS)

void engine_advertise(struct router_engine *re, struct member *m, mono_ns now, struct entropy *e,
                      struct out *out)
{
    if (m->ra_sent < ADVERTS_INITIAL)
        m->ra_sent++;
    inner_advert(re, m, m->link_local, now, out);
    m->next_ra = now + adverts_interval(re->conf, m->ra_sent, entropy_u32(e));
}

static void sweep_groups(struct router_engine *re, struct member *m, mono_ns now, struct out *out)
{
    groups_expire(&re->groups, member_slot(&re->ms, m), now);
    if (m->next_query <= now) {
        inner_query(re, m, out);
        m->next_query = now + MLD_QUERY_INTERVAL;
    }
}

static void sweep_member(struct router_engine *re, struct member *m, mono_ns now, struct entropy *e,
                         struct out *out)
{
    m->nd_seen = 0;
    memset(m->nd_seen_as, 0, sizeof(m->nd_seen_as));
    shun_forgive(&re->shun, member_slot(&re->ms, m));
    mono_ns silence = time_s((uint64_t)SILENCE_FACTOR * re->conf->keepalive_s);

    if (time_since(now, m->heard) >= silence) {
        engine_leave(re, m, LOGOUT_SILENT, now);
        return;
    }
    if (!keyset_expire(&m->keys, now)) {
        engine_leave(re, m, LOGOUT_KEYS, now);
        return;
    }
    member_sync_indices(&re->ms, m, 0);
    if (!m->proven && m->challenge)
        control_challenge(re, m, m->challenge, out);
    if (m->next_ra <= now) {
        engine_advertise(re, m, now, e, out);
    }
    if (bindings_delegate(&re->b, m)) /* one that somebody else had until now */
        member_changed(&re->ms, member_slot(&re->ms, m));
    if (!re->relist.on &&
        (m->uplink_told != re->admit.uplink_up || m->prefix_told != re->prefix_number ||
         m->settings_told != re->settings)) {
        m->uplink_told = re->admit.uplink_up;
        m->prefix_told = re->prefix_number;
        m->settings_told = re->settings;
        m->ra_sent = 0; /* the first of three, also when they are final ones (RFC 4861 6.2.5) */
        engine_advertise(re, m, now, e, out);
        control_settings(re, m, now, out);
    }
    struct ip6 unbound;
    while (bindings_expire(&re->b, m, now, &unbound))
        engine_note(re, NOTICE_UNBOUND, m, 0)->addr = unbound;
    if (re->groups.on)
        sweep_groups(re, m, now, out);
}

void engine_sweep(struct router_engine *re, mono_ns now, struct entropy *e, struct out *out)
{
    bool small = re->ms.high <= SWEEP_SMALL;
    uint32_t n = small ? re->ms.high : re->ms.high / SWEEP_SLICES + 1;

    bindings_age(&re->b, now);
    re->next_sweep = now + (small ? SWEEP_PERIOD : SWEEP_PERIOD / SWEEP_SLICES);
    for (uint32_t i = 0; i < n; i++) {
        if (re->sweep >= re->ms.high)
            re->sweep = 0;
        if (re->n_leaving == BURST_MAX || re->txq.n + 8 > TXQ_MAX) {
            re->next_sweep = now + SWEEP_PAUSE; /* it has much to say: the rest soon */
            break;
        }
        if (re->sweep < re->ms.high && re->ms.m[re->sweep].live)
            sweep_member(re, &re->ms.m[re->sweep], now, e, out);
        re->sweep++;
    }
}

bool router_engine_uplink(struct router_engine *re, bool up, mono_ns now)
{
    if (re->admit.uplink_up == up || re->conf->uplink == UPLINK_NONE)
        return false;
    re->admit.uplink_up = up;
    re->b.uplink_down = !up;
    engine_sweep_now(re, now);
    return true;
}

void router_engine_settings(struct router_engine *re, mono_ns now)
{
    re->ms.lease_life = time_s(re->conf->lease_s);
    re->settings++;
    engine_sweep_now(re, now);
}

bool router_engine_prefix_change(struct router_engine *re, struct prefix prefix, struct ip6 address,
                                 mono_ns now)
{
    if (prefix_eq(prefix, re->b.prefix) && ip6_eq(address, re->b.router[0]))
        return false;
    bindings_renumber(&re->b, &re->roster, prefix, address, time_s(re->conf->advertise.valid_s),
                      now);
    re->prefix_number++;
    engine_sweep_now(re, now);
    return true;
}
