/* SPDX-License-Identifier: MIT */
/* mld.h - Multicast Listener Discovery: reports read, the general query built
 *
 * DOC: the router is the only querier of the segment and keeps listener state per member, so of
 * MLDv2 it needs who listens to which group, not from which sources (R38). A record that asks for
 * some source, or for all but some, counts as listening to the group; INCLUDE of none is leaving.
 * ALLOW_NEW_SOURCES of some is listening, BLOCK_OLD_SOURCES says nothing: a listener that blocks
 * its last source is forgotten when it no longer reports. Deviation: RFC 3810 7 keeps source lists;
 * as in RFC 5790 (lightweight MLDv2) a listener may get sources it did not ask for, and its host
 * drops them. mld_parse() makes every check before a record may be read.
 *
 * Standards: RFC 3810 5, 6.2, 9; RFC 2710 3; RFC 2711 (Router Alert); RFC 9777 has the same
 * formats.
 */
#ifndef SIXTAP_PROTO_MLD_H
#define SIXTAP_PROTO_MLD_H

#include "proto/frame.h"
#include "proto/timers.h"

#define MLD_QUERY_INTERVAL (125 * NS_PER_S) /* RFC 3810 9.2 */
#define MLD_LISTENER_LIFE  (260 * NS_PER_S) /* 9.4: 2 * interval + 10 s */
#define MLD_QUERY_LEN      76u              /* whole packet */
#define MLD_RECORDS_MAX    64u              /* of one report; the rest is left unread */

struct mld { /* a valid report or done message */
    uint8_t type;
    uint16_t n_left; /* records not read yet */
    const uint8_t *next;
    const uint8_t *end;
};

struct mld_record {
    struct ip6 group;
    bool listens; /* false: it does no longer */
};

/* mld_parse() - validate the MLD report or done in @f (frame_is_mld() holds)
 * Return: DROP_NONE; DROP_MLD_INVALID: hop limit not 1, no Router Alert, source neither link-local
 * nor ::, a fragment, a wrong checksum, a record past the end; DROP_ND_ROLE: a query (clients are
 * no queriers). */
enum drop mld_parse(struct mld *ret, const struct frame *f);

/* mld_next() - the next record; false at the end. Records that say nothing about listening
 * (BLOCK_OLD_SOURCES, ALLOW_NEW_SOURCES
 * without any, unknown types) and groups that are none are skipped. */
bool mld_next(struct mld *m, struct mld_record *ret);

/* mld_build_query() - a general query, version 2, to all-nodes
 * @out: MLD_QUERY_LEN octets     @src: our link-local address
 * Return: octets written (76). Source: RFC 3810 5.1. */
size_t mld_build_query(uint8_t *out, struct ip6 src);

#endif
