/* SPDX-License-Identifier: MIT */
/* netlink.h - links, IPv6 addresses and routes of the kernel; and word of what others change there
 *
 * DOC: struct nl is for requests: each call sends one and waits for the kernel's answer, which
 * comes at once. Every call returns 0 (or a count) or -errno; nl_error() then has the reason as the
 * kernel worded it (extended ack). struct nl_watch is another socket that hears what changes and
 * reports it coarsely: the hearer looks for itself.
 */
#ifndef SIXTAP_HOST_NETLINK_H
#define SIXTAP_HOST_NETLINK_H

#include <net/if.h>

#include "proto/addr.h"

struct nl;

/* nl_open() - Return: 0 or -errno; @ret untouched on failure, free with nl_close() */
int nl_open(struct nl **ret);
void nl_close(struct nl *nl); /* NULL is fine */

/* nl_error() - why the last call failed, one line; good until the next call */
const char *nl_error(const struct nl *nl);

/* nl_changes() - requests sent so far that change something */
uint64_t nl_changes(const struct nl *nl);

/* ---- links ---- */

struct nl_link {
    unsigned ifindex;
    char name[IF_NAMESIZE];
    bool up;      /* IFF_UP: administratively */
    bool carrier; /* IFF_LOWER_UP */
    uint32_t mtu;
    struct mac mac;  /* zero when the link has no 6-octet address */
    unsigned master; /* index of the bridge, bond or VRF it was put into; 0: none */
};

int nl_link_get(struct nl *nl, unsigned ifindex, struct nl_link *ret);
int nl_link_get_name(struct nl *nl, const char *name,
                     struct nl_link *ret); /* -ENODEV: no such link */

/* nl_link_up() - set MTU (0: leave it) and up in one request */
int nl_link_up(struct nl *nl, unsigned ifindex, uint32_t mtu);
int nl_link_down(struct nl *nl, unsigned ifindex);
int nl_link_set_mtu(struct nl *nl, unsigned ifindex, uint32_t mtu);
int nl_link_set_mac(struct nl *nl, unsigned ifindex, struct mac mac);

/* nl_link_no_addresses() - IN6_ADDR_GEN_MODE_NONE: the kernel makes no link-local address of its
 * own. Before the link goes up and never in one request with it: the kernel would be faster. */
int nl_link_no_addresses(struct nl *nl, unsigned ifindex);

/* ---- IPv6 addresses ---- */

#define NL_FOREVER UINT32_MAX

struct nl_addr {
    struct ip6 addr;
    uint8_t plen;
    uint32_t flags;                /* IFA_F_* */
    uint32_t valid_s, preferred_s; /* NL_FOREVER */
    uint8_t protocol; /* IFAPROT_*; who set it; 0: none (kernels before 5.18 keep none) */
    unsigned ifindex; /* when listed */
};

/* nl_addr_add() - add, or update lifetimes and flags of the same address */
int nl_addr_add(struct nl *nl, unsigned ifindex, const struct nl_addr *a);

/* nl_addr_del() - -EADDRNOTAVAIL when it is not there */
int nl_addr_del(struct nl *nl, unsigned ifindex, struct ip6 addr, uint8_t plen);

/* nl_addr_list() - the IPv6 addresses of a link, or (@ifindex 0) of all
 * Return: how many there are (only @cap are written), or -errno */
int nl_addr_list(struct nl *nl, unsigned ifindex, struct nl_addr *out, unsigned cap);

/* ---- IPv6 routes ---- */

enum nl_pref { /* RFC 4191 2.1 */
               NL_PREF_MEDIUM = 0,
               NL_PREF_HIGH = 1,
               NL_PREF_LOW = 3,
};

enum nl_route_type {
    NL_UNICAST,
    NL_UNREACHABLE, /* ICMPv6 unreachable; lives on lo and outlives every device */
    NL_ROUTE_OTHER, /* only when listed */
};

struct nl_route {
    struct prefix dst; /* len 0: default */
    struct ip6 via;    /* gateway, where has_via */
    bool has_via;
    bool link_down;   /* when listed: carrier is off */
    uint8_t protocol; /* RTPROT_*; 0: RTPROT_STATIC; who set it */
    enum nl_route_type type;
    unsigned ifindex;   /* 0 for NL_UNREACHABLE */
    uint32_t metric;    /* 0: the kernel's default, 1024 */
    enum nl_pref pref;  /* the kernel keeps none for NL_UNREACHABLE */
    uint32_t table;     /* 0: main */
    uint32_t expires_s; /* 0: never; not told when listed */
};

/* nl_route_add() - -EEXIST when a route to the same destination with the same metric is there */
int nl_route_add(struct nl *nl, const struct nl_route *r);

/* nl_route_replace() - add, or take the place of whatever has that destination and metric, whoever
 * set it */
int nl_route_replace(struct nl *nl, const struct nl_route *r);

/* nl_route_del() - the route that agrees in every field given; -ESRCH when there is none */
int nl_route_del(struct nl *nl, const struct nl_route *r);

/* nl_route_list() - IPv6 routes of table main (@table 0) or @table
 * @ifindex:  only those out of this link; 0: all
 * @protocol: only those set by this protocol; 0: all
 * Return: how many there are (only @cap are written), or -errno */
int nl_route_list(struct nl *nl, unsigned ifindex, uint8_t protocol, uint32_t table,
                  struct nl_route *out, unsigned cap);

/* nl_route_there() - does a route to exactly @dst lead out of this link, in whatever table and by
 * whomever? Return: 0; -errno, *ret is untouched then */
int nl_route_there(struct nl *nl, unsigned ifindex, struct prefix dst, bool *ret);

/* nl_route_to() - the route a packet of this host to @dst takes
 * Return: 0; -ENETUNREACH when there is none or it leads nowhere; other -errno */
int nl_route_to(struct nl *nl, struct ip6 dst, struct nl_route *ret);

/* ---- proxy Neighbor Discovery ---- */

/* nl_proxy_add() - the kernel answers solicitations for @addr that arrive on @ifindex with that
 * link's MAC, if a route leads to @addr through another link and the link's proxy_ndp is 1; fine
 * when it is there already
 * @protocol: RTPROT_*; who set it (kernels before 5.2 forget it) */
int nl_proxy_add(struct nl *nl, unsigned ifindex, struct ip6 addr, uint8_t protocol);

/* nl_proxy_del() - -ENOENT when it is not there */
int nl_proxy_del(struct nl *nl, unsigned ifindex, struct ip6 addr);

/* nl_proxy_list() - entries of a link
 * @protocol: only those set by this protocol; 0: all
 * Return: how many there are (only @cap are written), or -errno */
int nl_proxy_list(struct nl *nl, unsigned ifindex, uint8_t protocol, struct ip6 *out, unsigned cap);

/* ---- IPv4 underlay ---- */

struct nl_path {
    uint32_t mtu;     /* of the link (not the route's: ICMP is not trusted) */
    unsigned ifindex; /* of the link */
    be32 source;      /* the address a socket without one of its own speaks from; 0: none */
    be32 gateway;     /* 0: on the link */
};

/* nl_path_get() - how the kernel would send to @dst now
 * Return: 0; -ENETUNREACH no route; other -errno. @ret is untouched on failure. */
int nl_path_get(struct nl *nl, be32 dst, struct nl_path *ret);

/* nl_path_get_by() - the same for a socket that is bound to a link (@ifindex, 0: none) or carries
 * a mark (@mark, 0: none) */
int nl_path_get_by(struct nl *nl, be32 dst, unsigned ifindex, uint32_t mark, struct nl_path *ret);

/* nl_widest_link() - greatest MTU of the Ethernet links that are up (no loopback, no TUN)
 * Return: 0, *@ret_mtu is 0 when there is none; -errno */
int nl_widest_link(struct nl *nl, uint32_t *ret_mtu);

/* ---- watch ---- */

#define NL_UNDERLAY       0x01 /* some link, IPv4 address or IPv4 route changed: the path may have */
#define NL_DEVICE_LINK    0x02 /* the watched link: up, carrier, MAC, MTU or name; see @link */
#define NL_DEVICE_ADDRESS 0x04 /* an IPv6 address came to or left the watched link */
#define NL_DEVICE_DELETED 0x08 /* the watched link is gone */
#define NL_LOST           0x10 /* messages were lost: anything may have changed; all but DELETED are set */
#define NL_DEVICE_ROUTE   0x20 /* an IPv6 route through the watched link went, whoever took it */

struct nl_event {
    unsigned what;       /* NL_* or-ed, 0: nothing of interest */
    struct nl_link link; /* with NL_DEVICE_LINK and without NL_LOST: the watched link's last state;
                            ifindex 0: not known */
};

struct nl_watch;

/* nl_watch_open() - non-blocking; @ifindex: the link to tell from the underlay, 0: none
 * IPv6 routes of other links wake nobody: a host may have a million of them that come and go.
 * Return: 0 or -errno */
int nl_watch_open(unsigned ifindex, struct nl_watch **ret);

/* nl_watch_routes() - nl_watch_read() calls @route for each IPv6 route through the watched link
 * that comes (or is replaced) or goes; with NL_LOST there may have been others. It must not read
 * the watch. */
typedef void nl_route_fn(void *ctx, struct prefix dst, bool gone);
void nl_watch_routes(struct nl_watch *w, nl_route_fn *route, void *ctx);

void nl_watch_close(struct nl_watch *w); /* NULL is fine */
int nl_watch_fd(const struct nl_watch *w);

/* nl_watch_read() - everything that waits, folded into one event
 * Return: 0, also when nothing waited; -errno */
int nl_watch_read(struct nl_watch *w, struct nl_event *ret);

#endif
