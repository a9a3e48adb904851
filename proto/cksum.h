/* SPDX-License-Identifier: MIT */
/* cksum.h - the Internet checksum and the ICMPv6 pseudo-header
 * Standards: RFC 1071, RFC 1624 (update), RFC 8200 8.1. */
#ifndef SIXTAP_PROTO_CKSUM_H
#define SIXTAP_PROTO_CKSUM_H

#include <stddef.h>

#include "proto/addr.h"

/* cksum_add() - add @len octets (any alignment, odd lengths padded with zero: only the last piece
 * may be odd) to the unfolded sum @sum */
uint64_t cksum_add(uint64_t sum, const uint8_t *p, size_t len);

/* cksum_copy() - cksum_add() of @len octets that are copied from @src to @dst in the same pass;
 * they do not overlap */
uint64_t cksum_copy(uint64_t sum, uint8_t *restrict dst, const uint8_t *restrict src, size_t len);

/* cksum_fold() - the 16-bit one's complement of @sum, host order of the big-endian field */
uint16_t cksum_fold(uint64_t sum);

/* cksum_upper() - checksum of an upper-layer packet under IPv6, field included: 0 means right when
 * verifying; for building, zero the field first and store the result. @ip6: 40 octets of IPv6
 * header (source and destination are taken from it), @nh: upper-layer protocol, @p, @len: the
 * upper-layer packet. */
uint16_t cksum_upper(const uint8_t *ip6, uint8_t nh, const uint8_t *p, size_t len);

#endif
