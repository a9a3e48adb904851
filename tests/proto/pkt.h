/* SPDX-License-Identifier: MIT */
/* pkt.h - packets for the tests of the inner modules, built octet by octet, and a naive checksum */
#ifndef SIXTAP_TESTS_PROTO_PKT_H
#define SIXTAP_TESTS_PROTO_PKT_H

#include <stddef.h>

#include "proto/addr.h"

#define PKT_N(a) (sizeof(a) / sizeof((a)[0]))

/* An array of octets written as a string literal, and its length. */
#define OCTETS(s) (const uint8_t *)(s), sizeof(s) - 1

/* pkt_ip6() - address of its text; fails the test when it is none */
struct ip6 pkt_ip6(const char *text);

/* pkt_put() - an IPv6 packet of 40 + @len octets at @out; traffic class 0, flow label 0
 * Return: 40 + @len */
size_t pkt_put(uint8_t *out, const char *src, const char *dst, uint8_t nh, uint8_t hop_limit,
               const uint8_t *pay, size_t len);

/* pkt_cksum() - the checksum of the upper layer @nh at offset @upper of the packet @p of @len
 * octets, field included, by writing the pseudo-header of RFC 8200 8.1 into a buffer and adding
 * 16-bit words one by one */
uint16_t pkt_cksum(const uint8_t *p, size_t upper, size_t len, uint8_t nh);

/* pkt_fix() - set the ICMPv6 checksum (at @upper + 2) */
void pkt_fix(uint8_t *p, size_t upper, size_t len);

/* pkt_rnd() - next word of a simple generator */
uint32_t pkt_rnd(uint32_t *seed);

#endif
