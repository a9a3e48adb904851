/* SPDX-License-Identifier: MIT */
/* ip.h - inner packets out of an input, put right as far as the input asks for it */
#ifndef SIXTAP_TESTS_FUZZ_IP_H
#define SIXTAP_TESTS_FUZZ_IP_H

#include "fuzz.h"
#include "proto/frame.h"

#define FIX_LEN   0x01u /* version 6, payload length as it is */
#define FIX_CKSUM 0x02u /* of the upper layer, when it can be found */
#define FIX_HL255 0x04u
#define FIX_HL1   0x08u

/* ip_feed() - one octet of FIX_*, then a chunk: a packet at @out of up to @cap octets
 * Return: its length */
size_t ip_feed(struct feed *f, uint8_t *out, size_t cap);

/* ip_fix() - put right what @fix says */
void ip_fix(uint8_t *p, size_t len, unsigned fix);

/* ip_cksum() - the checksum of the upper layer @nh at @upper, field included, written the plain
 * way: a pseudo-header, then words added one by one; 0 means right */
uint16_t ip_cksum(const uint8_t *p, size_t upper, size_t len, uint8_t nh);

/* ip_wrap() - 40 octets of IPv6 header around @len octets of @nh that lie at @out + 40, and the
 * checksum of ICMPv6
 * Return: 40 + @len */
size_t ip_wrap(uint8_t *out, struct ip6 src, struct ip6 dst, uint8_t nh, uint8_t hop_limit,
               size_t len);

/* ip_view_eq() - do two views say the same, but for where the packets lie? */
bool ip_view_eq(const struct frame *a, const struct frame *b);

#endif
