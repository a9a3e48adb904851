/* SPDX-License-Identifier: MIT */
/* icmp6.h - ICMPv6 echo and errors
 *
 * DOC: icmp6_error() is the one gate every error passes (RFC 4443 2.4): never about an error or a
 * Redirect, never about multicast destinations (but Packet Too Big and Parameter Problem code 2),
 * never to :: or a source that can be none; and a token bucket. Which unicast addresses are anycast
 * is the caller's knowledge. An error quotes as much of the packet as fits into 1 280 octets.
 *
 * Standards: RFC 4443 2.4, 3, 4.
 */
#ifndef SIXTAP_PROTO_ICMP6_H
#define SIXTAP_PROTO_ICMP6_H

#include "proto/frame.h"
#include "proto/timers.h"

enum {
    /* code 0 no route, 1 prohibited, 2 beyond scope, 3 address, 4 port, 5 source policy */
    ICMP6_UNREACH = 1,
    ICMP6_TOO_BIG = 2,
    ICMP6_TIME = 3,
    ICMP6_PARAM = 4,
    ICMP6_ECHO_REQUEST = 128,
    ICMP6_ECHO_REPLY = 129,
    ICMP6_MLD_QUERY = 130,
    ICMP6_MLD_REPORT = 131,
    ICMP6_MLD_DONE = 132,
    ICMP6_MLD2_REPORT = 143,
};

#define ICMP6_ERROR_MAX 1280u

struct icmp6_bucket { /* token bucket of errors */
    mono_ns filled;
    uint32_t tokens;
    uint32_t per_s, burst;
};

/* icmp6_bucket_init() - @per_s tokens a second, at most @burst saved up; starts full */
void icmp6_bucket_init(struct icmp6_bucket *b, uint32_t per_s, uint32_t burst, mono_ns now);

/* icmp6_bucket_take() - one token; false when empty */
bool icmp6_bucket_take(struct icmp6_bucket *b, mono_ns now);

/* icmp6_error_allowed() - the rules of RFC 4443 2.4 (e) for an error of @type and @code about @f.
 * What cannot be read (an undecided chain, a later fragment of ICMPv6) may be an error itself and
 * gets none. */
bool icmp6_error_allowed(const struct frame *f, uint8_t type, uint8_t code);

/* icmp6_error() - write the error about @f into @out (ICMP6_ERROR_MAX octets), hop limit 64
 * @src: our own address     @param: MTU of Packet Too Big (raised to 1 280), pointer, or 0
 * Return: octets written; 0 when the rules forbid it or the bucket (may be NULL) is empty. */
size_t icmp6_error(uint8_t *out, const struct frame *f, struct ip6 src, uint8_t type, uint8_t code,
                   uint32_t param, struct icmp6_bucket *b, mono_ns now);

/* icmp6_echo_valid() - is @f a whole echo request with a right checksum? */
bool icmp6_echo_valid(const struct frame *f);

/* icmp6_echo_turn() - turn the echo request @f, for which icmp6_echo_valid() held, into its reply
 * in place: from @src (the address that was asked, or an own unicast one when a group was) to
 * f->src, hop limit 64, checksum updated. Extension headers are taken out: the reply starts at f->p
 * as before, but may be shorter. @f's view is updated as well. */
void icmp6_echo_turn(struct frame *f, struct ip6 src);

#endif
