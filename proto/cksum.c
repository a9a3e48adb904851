/* SPDX-License-Identifier: MIT */
/* cksum.c - the Internet checksum and the ICMPv6 pseudo-header */
#include "proto/cksum.h"

#include <stdlib.h> /* defines __GLIBC__ where it is glibc */

/* The loops over many octets are compiled twice, for any x86-64 CPU and for those with AVX2, and
 * the program's loader chooses (glibc; elsewhere once). */
#if defined(__x86_64__) && defined(__GLIBC__)
#define BEST_OF_CPU __attribute__((target_clones("avx2", "default")))
#else
#define BEST_OF_CPU
#endif

/* The sum is taken over 32-bit words: 2^16 is 1 modulo 2^16 - 1, so folding later gives the same,
 * and 64 bits hold the carries of 16 GiB. It is taken in the host's order, which compilers turn
 * into vector code, and its octets are read as big-endian at the end (RFC 1071 2(B): swapping the
 * sum is swapping every word). */
static uint64_t in_network_order(uint64_t native)
{
    uint8_t b[2];
    uint16_t folded;

    while (native >> 16)
        native = (native >> 16) + (native & 0xFFFF);
    folded = (uint16_t)native;
    memcpy(b, &folded, sizeof(b));
    return be16_load(b);
}

/* The last 0..3 octets. */
static uint64_t add_rest(uint64_t sum, const uint8_t *p, size_t len)
{
    if (len >= 2)
        sum += be16_load(p);
    if (len & 1)
        sum += (uint64_t)p[len - 1] << 8;
    return sum;
}

/* The sum of @len octets, a multiple of 4, in the host's order. */
BEST_OF_CPU
static uint64_t add_words(const uint8_t *p, size_t len)
{
    uint64_t native = 0;

    for (size_t i = 0; i < len; i += 4) {
        uint32_t word;
        memcpy(&word, p + i, 4);
        native += word;
    }
    return native;
}

/* The same, copying them. */
BEST_OF_CPU
static uint64_t copy_words(uint8_t *restrict dst, const uint8_t *restrict src, size_t len)
{
    uint64_t native = 0;

    for (size_t i = 0; i < len; i += 4) {
        uint32_t word;
        memcpy(&word, src + i, 4);
        memcpy(dst + i, &word, 4);
        native += word;
    }
    return native;
}

uint64_t cksum_add(uint64_t sum, const uint8_t *p, size_t len)
{
    size_t whole = len & ~(size_t)3;

    return add_rest(sum + in_network_order(add_words(p, whole)), p + whole, len - whole);
}

uint64_t cksum_copy(uint64_t sum, uint8_t *restrict dst, const uint8_t *restrict src, size_t len)
{
    size_t whole = len & ~(size_t)3;
    uint64_t native = copy_words(dst, src, whole);

    memcpy(dst + whole, src + whole, len - whole);
    return add_rest(sum + in_network_order(native), src + whole, len - whole);
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
