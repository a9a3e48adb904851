/* SPDX-License-Identifier: MIT */
/* ext.h - what a node does about the extension headers of a packet it routes or receives
 *
 * DOC: most packets pass without anybody looking: what goes between two members as neighbors is
 * theirs, and what goes to the uplink the kernel routes. Where the engine itself is the router on
 * the way, hop-by-hop options say what becomes of a packet with an option nobody here knows; where
 * it is the destination, so do destination options and Routing headers. frame_parse() has walked
 * the chain before, so the lengths are right.
 *
 * Standards: RFC 8200 4.2 (action bits), 4.3, 4.4; RFC 5095 (Routing header type 0); RFC 6946
 * (atomic fragments). Nothing is reassembled.
 */
#ifndef SIXTAP_PROTO_EXT_H
#define SIXTAP_PROTO_EXT_H

#include "proto/frame.h"

struct ext_problem {
    bool error;       /* the sender is owed a Parameter Problem: */
    uint8_t code;     /* 0 erroneous field, 2 unrecognized option */
    uint16_t pointer; /* octet of the packet it is about */
};

/* ext_on_the_way() - hop-by-hop options of @f, for a router that forwards it
 * @ret: set unless DROP_NONE
 * Return: DROP_NONE, or DROP_OPTION. Source: RFC 8200 4.2, 4.3 */
enum drop ext_on_the_way(const struct frame *f, struct ext_problem *ret);

/* ext_at_the_end() - all headers of @f, for the node it is addressed to
 * Return: DROP_NONE; DROP_OPTION; DROP_ROUTING (a Routing header with segments left; those types
 * are unknown here, all of them); DROP_FRAG (a fragment that is not the whole) */
enum drop ext_at_the_end(const struct frame *f, struct ext_problem *ret);

#endif
