/* SPDX-License-Identifier: MIT */
/* cksum.c - the Internet checksum and the ICMPv6 pseudo-header */
#include "proto/cksum.h"

/* The sum is taken over 32-bit words: 2^16 is 1 modulo 2^16 - 1, so folding later gives the same,
 * and 64 bits hold the carries of 16 GiB. */
uint64_t cksum_add(uint64_t sum, const uint8_t *p, size_t len)
{
    for (; len >= 4; p += 4, len -= 4)
        sum += be32_load(p);
    if (len >= 2) {
        sum += be16_load(p);
        p += 2;
        len -= 2;
    }
    if (len)
        sum += (uint64_t)p[0] << 8;
    return sum;
}

uint16_t cksum_fold(uint64_t sum)
{
    while (sum >> 16)
        sum = (sum >> 16) + (sum & 0xFFFF);
    return (uint16_t)~sum;
}

uint16_t cksum_upper(const uint8_t *ip6, uint8_t nh, const uint8_t *p, size_t len)
{
    uint64_t sum = cksum_add(0, ip6 + 8, 2 * IP6_LEN); /* source and destination */
    return cksum_fold(cksum_add(sum + len + nh, p, len));
}
