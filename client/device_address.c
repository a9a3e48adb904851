/* SPDX-License-Identifier: MIT */
/* device_address.c - the addresses of the client's device */
#include <errno.h>
#include <linux/if_addr.h>
#include <stdio.h>

#include "client/device_internal.h"

#define LINK_LOCAL_LEN 64u

static bool addr_same(struct seg_addr a, struct ip6 addr, uint8_t plen)
{
    return a.plen == plen && ip6_eq(a.addr, addr);
}

static bool addr_in(const struct seg_addr *list, unsigned n, struct ip6 addr, uint8_t plen)
{
    for (unsigned i = 0; i < n; i++)
        if (addr_same(list[i], addr, plen))
            return true;
    return false;
}

/* made_of() - is the identifier of @addr the EUI-64 of @mac, as SLAAC makes it? */
static bool made_of(struct ip6 addr, struct mac mac)
{
    struct mac m;

    return mac_of_eui64(addr.b + 8, &m) && mac_eq(m, mac);
}

static unsigned wanted_addresses(const struct device *d, const struct device_want *w,
                                 struct seg_addr *out)
{
    unsigned n = 0;

    out[n++] = (struct seg_addr){ mac_link_local(w->mac), LINK_LOCAL_LEN };
    for (unsigned i = 0; i < w->n_address && i < ADDRESSES_MAX; i++)
        if (d->cfg.configure != CONFIGURE_RA || !made_of(w->address[i].addr, w->mac))
            out[n++] = w->address[i];
    return n;
}

/* forget() - drop entry @i of d->mine */
static void forget(struct device *d, unsigned i)
{
    d->mine[i] = d->mine[--d->n_mine];
}

static void remove_addr(struct device *d, struct ip6 addr, uint8_t plen)
{
    char text[IP6_TEXT_LEN], what[IP6_TEXT_LEN + 32];
    int err = nl_addr_del(d->nl, d->ifindex, addr, plen);

    if (err < 0 && err != -EADDRNOTAVAIL) {
        snprintf(what, sizeof(what), "cannot remove %s", ip6_text(text, addr));
        device_failure(d, STEP_ADDRESS, err, what);
        return;
    }
    for (unsigned i = 0; i < d->n_mine; i++)
        if (addr_same(d->mine[i], addr, plen)) {
            forget(d, i);
            break;
        }
}

static void add_addr(struct device *d, struct seg_addr a)
{
    char text[IP6_TEXT_LEN], what[IP6_TEXT_LEN + 32];
    struct nl_addr na = {
        .addr = a.addr,
        .plen = a.plen,
        .flags = IFA_F_NODAD,
        .valid_s = NL_FOREVER,
        .preferred_s = NL_FOREVER,
    };

    /* whether the segment is on link is for the router to say */
    if (!ip6_is_link_local(a.addr))
        na.flags |= IFA_F_NOPREFIXROUTE;
    int err = nl_addr_add(d->nl, d->ifindex, &na);
    if (err < 0) {
        snprintf(what, sizeof(what), "cannot add %s", ip6_text(text, a.addr));
        device_failure(d, STEP_ADDRESS, err, what);
    } else if (!addr_in(d->mine, d->n_mine, a.addr, a.plen) && d->n_mine < MINE_MAX) {
        d->mine[d->n_mine++] = a;
    }
}

/* ends_at() - when an address that is not wanted any more ends: seconds, 0 now. In a prefix that
 * the segment had until a while ago it serves what uses it still. */
static uint32_t ends_at(const struct device_want *w, struct ip6 addr)
{
    for (unsigned i = 0; i < w->n_old && i < OLD_PREFIXES; i++)
        if (!ip6_is_link_local(addr) && ip6_in(addr, w->old[i].prefix))
            return w->old[i].valid_s;
    return 0;
}

/* deprecate() - nothing new leaves from it, and in @valid_s seconds the kernel takes it away
 * Source: RFC 4862 5.5.4 */
static void deprecate(struct device *d, unsigned n_have, struct seg_addr a, uint32_t valid_s)
{
    char text[IP6_TEXT_LEN], what[IP6_TEXT_LEN + 32];
    const struct nl_addr na = {
        .addr = a.addr,
        .plen = a.plen,
        .flags = IFA_F_NODAD | IFA_F_NOPREFIXROUTE,
        .valid_s = valid_s,
        .preferred_s = 0,
    };

    for (unsigned i = 0; i < n_have; i++) {
        const struct nl_addr *have = &d->have_addr[i];
        if (!ip6_eq(have->addr, a.addr) || have->plen != a.plen)
            continue;
        if (have->flags & IFA_F_DEPRECATED)
            return; /* it counts down already */
        int err = nl_addr_add(d->nl, d->ifindex, &na);
        if (err < 0) {
            snprintf(what, sizeof(what), "cannot deprecate %s", ip6_text(text, a.addr));
            device_failure(d, STEP_ADDRESS, err, what);
        }
        return;
    }
}

/* have_addr() - is @a on the device? One that differs in its prefix length is taken away, as the
 * kernel would only update it in place. */
static bool have_addr(struct device *d, unsigned n_have, struct seg_addr a)
{
    for (unsigned i = 0; i < n_have; i++) {
        if (!ip6_eq(d->have_addr[i].addr, a.addr))
            continue;
        if (d->have_addr[i].plen == a.plen && !(d->have_addr[i].flags & IFA_F_DEPRECATED))
            return true;
        if (d->have_addr[i].plen == a.plen)
            return false; /* its prefix is back: adding it again makes it last */
        remove_addr(d, a.addr, d->have_addr[i].plen);
    }
    return false;
}

void device_apply_addresses(struct device *d, const struct device_want *w)
{
    struct seg_addr want[ADDRESSES_MAX + 1];
    unsigned n_want = wanted_addresses(d, w, want);
    int n = nl_addr_list(d->nl, d->ifindex, d->have_addr, HAVE_MAX);

    if (n < 0) {
        device_failure(d, STEP_READ, n, "cannot list addresses");
        return;
    }
    unsigned n_have = (unsigned)n < HAVE_MAX ? (unsigned)n : HAVE_MAX;
    /* new ones first: the device is never without a link-local address, so routes and TCP stay */
    for (unsigned i = 0; i < n_want; i++)
        if (!have_addr(d, n_have, want[i]))
            add_addr(d, want[i]);
        else if (!addr_in(d->mine, d->n_mine, want[i].addr, want[i].plen) && d->n_mine < MINE_MAX)
            d->mine[d->n_mine++] = want[i];
    for (unsigned i = d->n_mine; i-- > 0;) {
        struct seg_addr a = d->mine[i];
        uint32_t valid_s = ends_at(w, a.addr);
        if (addr_in(want, n_want, a.addr, a.plen))
            continue;
        if (valid_s)
            deprecate(d, n_have, a, valid_s);
        else
            remove_addr(d, a.addr, a.plen);
    }
    if (d->cfg.configure != CONFIGURE_RA)
        return;
    /* The kernel never renews what it made from a former MAC, and the router takes an EUI-64 source
     * from the owner of that MAC only: such an address is dead, and would still be chosen as a
     * source. */
    for (unsigned i = 0; i < n_have; i++) {
        const struct nl_addr *a = &d->have_addr[i];
        struct mac m;

        if (!(a->flags & IFA_F_PERMANENT) && !ip6_is_link_local(a->addr) &&
            mac_of_eui64(a->addr.b + 8, &m) && !mac_eq(m, w->mac))
            remove_addr(d, a->addr, a->plen);
    }
}
