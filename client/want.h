/* SPDX-License-Identifier: MIT */
/* want.h - the state the client's device should have, as the engine says it
 *
 * DOC: the engine is pure and cannot touch the kernel, so it keeps one of these up to date and
 * bumps
 * @serial at each change; device.c compares it with what the kernel has and changes the difference.
 * It says what should be, never what to do: nothing is lost when two changes fall into one wake-up.
 * What `configure:` makes of it is device.c's business; the engine fills in everything it was told.
 */
#ifndef SIXTAP_CLIENT_WANT_H
#define SIXTAP_CLIENT_WANT_H

#include "proto/addr.h"
#include "proto/wire.h" /* struct seg_addr and the *_MAX */

struct device_want {
    uint32_t serial; /* bumped at each change; 0 before the first login */
    bool created;    /* a login has said what follows; before that the device stays bare */
    bool carrier;    /* logged in, or held (`hold:`) */
    bool on_link;    /* @segment is on link (SEGMENT_ON_LINK); else all goes through the router */
    bool default_route;    /* the router has an uplink and the configuration wants it */
    uint16_t mtu;          /* inner MTU, 1280..9000 */
    struct mac mac;        /* ours */
    struct mac router_mac; /* its fe80::EUI-64 is the gateway of every route */
    struct prefix segment; /* len 0: none */
    struct seg_addr address[ADDRESSES_MAX];
    struct seg_old old[OLD_PREFIXES];              /* of the segment; ours in them: deprecated */
    struct prefix route[ROUTES_MAX];               /* through the router */
    struct prefix delegated[DELEGATED_PER_MEMBER]; /* ours; unused parts are unreachable */
    uint8_t n_address, n_old, n_route, n_delegated;
};

#endif
