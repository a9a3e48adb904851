/* SPDX-License-Identifier: MIT */
/* segment.h - superframes: cut into ordinary frames, and ordinary frames joined into superframes
 *
 * DOC: a kernel hands a TAP or TUN up to 64 KiB of one TCP or UDP flow in one frame and takes as
 * much, which saves it and us the cost per packet. Beside each such superframe travels a virtio
 * header of 10 octets that says how to cut it. Engines know ordinary frames only: segment_cut_*()
 * stands before them, segment_join() behind them.
 *
 * Virtio header, little-endian: {flags 1, gso_type 1, hdr_len 2, gso_size 2, csum_start 2,
 * csum_offset 2}, offsets from the start of the frame. The kernel is not believed: hdr_len is not
 * used, everything else must agree with the headers of the frame itself.
 *
 * Cutting copies (and sums in the same pass): each frame gets its own headers and the room of
 * burst.h around it, no more, so that sealed frames abut. A frame that is whole stays where it is;
 * a checksum the kernel left open is completed there.
 *
 * Joining copies nothing: the first frame's headers are rewritten, the payloads stay where they lie
 * as pieces for writev(). Checksums are verified before joining, else the kernel, told that the sum
 * need not be looked at, would take a corrupted octet for good. Packets of one flow keep their
 * order; those of other flows may lie between.
 *
 * Standards: virtio 1.2 5.1.6.2-4, RFC 8200 4, RFC 9293 3.1, RFC 768, RFC 3168 6.1.2 (CWR).
 */
#ifndef SIXTAP_PROTO_SEGMENT_H
#define SIXTAP_PROTO_SEGMENT_H

#include <stddef.h>

#include "proto/burst.h"
#include "proto/drop.h"

#define SEGMENT_L2_MAX     14u
#define SEGMENT_FRAME_MAX  (SEGMENT_L2_MAX + 40u + 65535u) /* longest superframe cut */
#define SEGMENT_ARENA_MIN  (PKT_ROOM_TUN + SEGMENT_FRAME_MAX + PKT_ROOM_BEHIND)
#define SEGMENT_EXT_MAX    512u  /* octets of extension headers in a superframe */
#define SEGMENT_JOIN_PKTS  1024u /* frames per segment_join() */
#define SEGMENT_JOIN_MAX   64u   /* of them in one superframe */
#define SEGMENT_JOIN_FLOWS 8u    /* superframes being built at a time */

/* Memory the caller lends to cut into; reset by setting used to 0. */
struct segment_arena {
    uint8_t *p;
    size_t len, used;
};

struct segment_cut { /* private; a value, keeps pointers into the superframe */
    uint8_t *p;
    uint32_t len;                 /* superframe */
    uint32_t off;                 /* of the payload not yet cut; == len: done */
    uint32_t seq;                 /* TCP: of the octet at off */
    uint64_t sum;                 /* what all frames have in common: pseudo-header and TCP or UDP
                                     header without lengths, sequence number and flags */
    uint16_t l2_len, l4, hdr_len; /* offsets of IPv6 header, TCP or UDP header, payload */
    uint16_t gso_size;            /* 0: not cut, goes as it is */
    uint8_t proto, tcp_flags;
    bool first;
};

/* segment_cut_open() - look at a superframe
 * @c:  written in every case; after an error segment_cut_next() gives nothing
 * @s:  as the device gave it; must stay, and is written to, until cut
 * @l2_len: octets before the IPv6 header: 14 (TAP) or 0 (TUN)
 * Frames without GSO pass as they are, whatever they hold; an open checksum is completed in place.
 * Return: DROP_NONE; DROP_VNET (header contradicts the frame, unknown or impossible GSO type, no
 * segment size, checksum outside the frame), DROP_ETHERTYPE or DROP_IP_VERSION (GSO, not IPv6),
 * DROP_FRAME_SHORT, DROP_IP_LENGTH, DROP_EXT_CHAIN, DROP_FRAG
 * Source: virtio 1.2 5.1.6.2 */
enum drop segment_cut_open(struct segment_cut *c, const struct super *s, unsigned l2_len);

/* segment_cut_next() - the next frames
 * @a:   they lie there, with PKT_ROOM_TAP (l2_len 14) or PKT_ROOM_TUN octets before and
 *       PKT_ROOM_BEHIND behind each; a whole frame stays in its buffer and uses none
 * @out: up to @cap descriptors
 * Return: how many; less than @cap: done, or the arena is used up (an arena of SEGMENT_ARENA_MIN
 * octets, empty, always takes one) */
unsigned segment_cut_next(struct segment_cut *c, struct segment_arena *a, struct pkt *out,
                          unsigned cap);

/* segment_cut_done() - nothing is left */
static inline bool segment_cut_done(const struct segment_cut *c)
{
    return c->off >= c->len;
}

/* Superframes on their way into an engine, a slice of ordinary frames at a time. */
struct segment_feed { /* private */
    const struct super *s;
    unsigned n, l2_len;
    uint64_t *drops;
    struct segment_cut cut;
};

/* segment_feed_of() - @n superframes; @drops: DROP_COUNT counters for those that cannot be cut
 * Both must stay until the feed is done. */
struct segment_feed segment_feed_of(const struct super *s, unsigned n, unsigned l2_len,
                                    uint64_t *drops);

/* segment_feed_next() - the next frames, in order, out of as many superframes as it takes
 * Return: how many; less than @cap: the arena is used up, or segment_feed_done() */
unsigned segment_feed_next(struct segment_feed *f, struct segment_arena *a, struct pkt *out,
                           unsigned cap);

bool segment_feed_done(const struct segment_feed *f);

/* What to write to the device; about 40 KB. */
struct segment_joined {
    unsigned n; /* of group */
    struct gather group[SEGMENT_JOIN_PKTS];
    struct pkt piece[SEGMENT_JOIN_PKTS];
};

/* segment_join() - frames to superframes
 * @ret: in the order of their first frames; pieces point into the frames
 * @l2_len: 14 or 0
 * @takes: SUPER_* the device takes; 0: every frame alone
 * @pk: @n (<= SEGMENT_JOIN_PKTS) frames in order; headers of those joined are rewritten
 * A frame that is not joined is neither changed nor summed and gets a header of zeros. */
void segment_join(struct segment_joined *ret, unsigned l2_len, unsigned takes, const struct pkt *pk,
                  unsigned n);

#endif
