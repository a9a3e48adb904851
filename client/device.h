/* SPDX-License-Identifier: MIT */
/* device.h - the client's TAP device: the state the engine wants, applied to the kernel
 *
 * DOC: device_open() brings the device up bare, without carrier and without any address, in the one
 * order that works (see device.c). device_apply() then reads what the kernel has, compares it with
 * struct device_want and changes only the difference: a call with nothing to do changes nothing,
 * and TCP connections live on through a change of MAC. Addresses and routes somebody else put on
 * the device are left alone.
 *
 * A failure never ends the program here: it goes to warn() as one line, and the change is tried
 * again at device_deadline(). The one fatal event is that the device is gone (-ENODEV).
 */
#ifndef SIXTAP_CLIENT_DEVICE_H
#define SIXTAP_CLIENT_DEVICE_H

#include "client/config.h"
#include "client/want.h"
#include "proto/timers.h"

#define DEVICE_ROUTE_PROTOCOL 166 /* rtm_protocol of every route the client sets */

struct device;
struct nl_event;
struct tap;

struct device_config {
    const char *name;              /* TAP name, see tap_name_ok() */
    enum configure_mode configure; /* who sets addresses and routes */
    uint32_t metric;               /* of the default route and the extra routes */
    bool default_route;         /* as configured; tells `configure: ra` to hear router lifetimes */
    uint32_t table;             /* of the default route and the extra routes; 0: main */
    const struct prefix *route; /* @n_route extra ones of the client's own; outlive the device */
    unsigned n_route;
    const char *lan; /* link that gets the delegated prefixes, NULL or "": none; outlives the device
                      */
    bool elsewhere;  /* the caller leaves the device's network namespace after device_open() */
    /* one line, no newline, that a person should read; may be NULL */
    void (*warn)(void *arg, const char *line);
    void *warn_arg;
};

/* device_open() - make the TAP: random local MAC, no kernel addresses, MTU 1280, up, no carrier
 * @ret: untouched on failure; free with device_close()
 * Return: 0; -EINVAL bad name, -EEXIST name taken, -EPERM no CAP_NET_ADMIN, other -errno. warn()
 * has said what failed. */
int device_open(const struct device_config *c, struct device **ret);

/* device_apply() - bring the kernel to @w
 *
 * Cheap when @w->serial was applied already and nothing was disturbed since. Carrier goes on last.
 * @now: repairs of what others changed are spaced by a second, so two managers cannot spin
 * Return: number of changes made (>= 0); -ENODEV when the device is gone. What failed went to
 * warn() and is tried again at device_deadline(). */
int device_apply(struct device *d, const struct device_want *w, mono_ns now);

/* device_deadline() - when device_apply() wants to be called again with the same want; or NEVER */
mono_ns device_deadline(const struct device *d);

/* device_event() - what nl_watch_read() reported, for this device's index
 * Return: true when device_apply() should be called now (somebody changed MAC, MTU, address, up) or
 * finds the device gone */
bool device_event(struct device *d, const struct nl_event *ev);

/* device_tap() - the TAP, for tap_read(), tap_write() and tap_fd(); owned by @d */
struct tap *device_tap(const struct device *d);

/* device_ifindex() - for nl_watch_open() */
unsigned device_ifindex(const struct device *d);

/* device_mac(), device_carrier() - as applied last, for status */
struct mac device_mac(const struct device *d);
bool device_carrier(const struct device *d);

/* device_requests() - changes asked of the kernel so far, for status and tests (reads do not count)
 */
uint64_t device_requests(const struct device *d);

/* device_lan_prefix() - what of the delegated prefix @p goes to the LAN: the first /64 of it, or
 * all of a longer one */
struct prefix device_lan_prefix(struct prefix p);

/* device_close() - take back what would outlive the device (unreachable routes, what was done for a
 * LAN) and close it; NULL is fine */
void device_close(struct device *d);

#endif
