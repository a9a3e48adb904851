/* SPDX-License-Identifier: MIT */
/* device_internal.h - what the device*.c share; nobody else includes this */
#ifndef SIXTAP_CLIENT_DEVICE_INTERNAL_H
#define SIXTAP_CLIENT_DEVICE_INTERNAL_H

#include "client/device.h"
#include "proto/host/netlink.h"
#include "proto/host/tap.h"
#include "proto/mac.h"

#define HAVE_MAX 128u /* addresses or routes of ours and others on the device */
#define MINE_MAX (2 * (ADDRESSES_MAX + 1)) /* wanted ones, and former ones that would not go */

/* what can fail in device_apply(); each is told once per want */
enum step {
    STEP_READ,
    STEP_UP,
    STEP_MTU,
    STEP_MAC,
    STEP_ADDRESS,
    STEP_ROUTE,
    STEP_LAN,
    STEP_CARRIER,
};

/* A switch of the kernel that was turned for the LAN; remembered in the kernel by a route, see
 * device_lan.c */
struct lan_switch {
    struct prefix marker;
    const char *before; /* value it had */
    int fd;             /* to put that back */
};

#define LAN_SWITCHES 17u /* forwarding, and accept_ra of some links */

struct lan {
    unsigned ifindex; /* of the link that has @mine; 0: none */
    struct seg_addr mine[DELEGATED_PER_MEMBER];
    unsigned n_mine;
    struct lan_switch turned[LAN_SWITCHES];
    unsigned n_turned;
};

struct device {
    struct device_config cfg;
    char name[TAP_NAME_MAX + 1];
    struct tap *tap;
    struct nl *nl;
    unsigned ifindex;
    uint32_t unreachable_metric; /* of this device's unreachable routes */
    uint32_t metric_shift;       /* added to the metric of the others */
    uint64_t changes;            /* beside those of @nl */
    /* applied */
    uint32_t serial;
    struct mac mac;
    uint32_t mtu;
    bool carrier;
    unsigned master; /* what it was put into, as far as told */
    struct seg_addr mine[MINE_MAX];
    unsigned n_mine;
    struct lan lan;
    /* what is left to do */
    bool gone, disturbed, failed;
    unsigned told; /* 1 << enum step */
    mono_ns retry_at, retry_pause, repair_at;
    /* room for what the kernel lists */
    struct nl_addr have_addr[HAVE_MAX];
    struct nl_route have_route[HAVE_MAX];
};

/* device_tell() - one line for a person */
__attribute__((format(printf, 2, 3))) void device_tell(const struct device_config *c,
                                                       const char *fmt, ...);

/* device_failure() - a change did not work: try again later; told once per want
 * @err:  what the call returned
 * @what: what could not be done */
void device_failure(struct device *d, enum step step, int err, const char *what);

/* device_apply_addresses() - link-local and assigned addresses as wanted, former ones away */
void device_apply_addresses(struct device *d, const struct device_want *w);

/* device_apply_routes() - routes as wanted, other routes of ours away */
void device_apply_routes(struct device *d, const struct device_want *w);

/* device_remove_routes() - all of ours */
void device_remove_routes(struct device *d);

/* device_sweep() - take back what a killed client with this device's name left behind */
void device_sweep(struct device *d);

/* device_open_lan() - forwarding on, and other links go on listening to routers; in the device's
 * namespace, before the first device_apply() */
void device_open_lan(struct device *d);

/* device_trim_lan() - addresses that are not wanted any more go; before their routes do
 * device_apply_lan() - addresses that are wanted come; after their routes */
void device_trim_lan(struct device *d, const struct device_want *w);
void device_apply_lan(struct device *d, const struct device_want *w);

/* device_close_lan() - everything as it was; before device_remove_routes() */
void device_close_lan(struct device *d);

#endif
