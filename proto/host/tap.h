/* SPDX-License-Identifier: MIT */
/* tap.h - TAP and TUN devices: frames in and out in bursts
 *
 * DOC: the device lives as long as its descriptor and vanishes with it, also after kill -9. It
 * starts without carrier; its owner raises carrier when there is somebody at the other end. Frames
 * are read one behind the other into one buffer that belongs to struct tap, with just the room
 * around each in which an engine seals it in place (burst.h). Nothing is allocated after
 * tap_open().
 *
 * Where the kernel can, frames travel with a virtio header, which lets it leave checksums open and
 * hand over and take up to 64 KiB in one superframe; this file passes those headers on as they are.
 * SIXTAP_TAP_OFFLOAD in the environment overrides for tests: "off" (no virtio headers), "none"
 * (virtio headers, but nothing offered), "tcp" (no UDP superframes).
 *
 * Of the content this file knows nothing but its greatest length.
 */
#ifndef SIXTAP_HOST_TAP_H
#define SIXTAP_HOST_TAP_H

#include "proto/burst.h"

#define TAP_NAME_MAX  15
#define TAP_FRAME_MAX 9018u  /* MTU 9000, Ethernet 14, one VLAN tag 4 */
#define TAP_SUPER_MAX 65589u /* Ethernet 14, IPv6 header 40, payload 65 535 */
#define TAP_BURST     64u    /* frames tap_read() returns at most */
#define TAP_PIECES    64u    /* of one frame written */

enum tap_mode {
    TAP_ETHERNET, /* TAP: frames start with 14 octets of Ethernet */
    TAP_IP,       /* TUN: packets start with the IP header */
};

struct tap;

struct tap_stats {
    uint64_t rx, tx;      /* packets passed */
    uint64_t rx_oversize; /* longer than TAP_FRAME_MAX (TAP_SUPER_MAX), dropped */
    uint64_t rx_errors;   /* reads that failed otherwise */
    uint64_t tx_full;     /* the kernel had no room (EAGAIN, ENOBUFS, ENOMEM) */
    uint64_t tx_down;     /* the device is down (EIO) */
    uint64_t tx_errors;   /* refused otherwise (EINVAL: not a frame) */
    uint64_t tx_super;    /* of tx, superframes */
    uint64_t tx_pieces;   /* frames they were joined from */
};

/* tap_name_ok() - 1..15 octets, no '/', ':', '%', white space or control octet, not "." or ".."
 * Source: dev_valid_name() of Linux; '%' would make the kernel choose a number */
bool tap_name_ok(const char *name);

/* tap_open() - make a device of that name, down, without carrier, non-blocking, not persistent
 * @mac: set at once so that systemd-udevd leaves it alone; NULL and for TAP_IP: none
 * @ret: untouched on failure; free with tap_close()
 * Return: 0; -EINVAL bad name, -EEXIST the name is taken, -EPERM no CAP_NET_ADMIN,
 * -ENOENT or -ENODEV no /dev/net/tun, other -errno */
int tap_open(const char *name, enum tap_mode mode, const struct mac *mac, struct tap **ret);

/* tap_close() - the device goes with it; NULL is fine */
void tap_close(struct tap *t);

/* tap_fd() - for polling only */
int tap_fd(const struct tap *t);
const char *tap_name(const struct tap *t);
unsigned tap_ifindex(const struct tap *t);
const struct tap_stats *tap_stats(const struct tap *t);

/* tap_set_mac() - in place, also while up (TAP_ETHERNET only)
 * Return: 0; -ENODEV the device is gone; other -errno */
int tap_set_mac(struct tap *t, struct mac mac);

/* tap_get_mac() - as the kernel has it; same errors, *ret untouched on failure */
int tap_get_mac(const struct tap *t, struct mac *ret);

/* tap_set_carrier() - in force when this returns: the next frame to the device is not lost
 * Return: 0; -ENODEV the device is gone; other -errno */
int tap_set_carrier(struct tap *t, bool on);

/* tap_takes() - SUPER_* that may be written now; 0: ordinary frames only. A kernel that refuses one
 * after all makes it 0. */
unsigned tap_takes(const struct tap *t);

/* tap_gives() - SUPER_* that tap_read() may return */
unsigned tap_gives(const struct tap *t);

/* tap_read() - up to min(@cap, TAP_BURST) frames, less when the buffer is full
 * @out: point into the buffer of @t, good until the next tap_read(); PKT_ROOM_TAP or
 *       PKT_ROOM_TUN octets before and PKT_ROOM_BEHIND behind each are the caller's to write
 * @ret_more: the burst ended for want of room; more may wait
 * Return: number of frames, 0 when none waits; -ENODEV when the device was deleted under us (stop
 * polling: the descriptor stays readable for ever) */
int tap_read(struct tap *t, struct super *out, unsigned cap, bool *ret_more);

/* tap_write() - hand frames to the kernel; what it does not take is counted and skipped
 * @g: @n of them, each of at most TAP_PIECES pieces of @piece
 * Return: number taken; -ENODEV when the device is gone */
int tap_write(struct tap *t, const struct gather *g, unsigned n, const struct pkt *piece);

#endif
