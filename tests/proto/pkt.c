/* SPDX-License-Identifier: MIT */
/* pkt.c - packets for the tests of the inner modules */
#include "pkt.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct ip6 pkt_ip6(const char *text)
{
    struct ip6 a;
    if (inet_pton(AF_INET6, text, a.b) != 1)
        fail_msg("bad address in a row: %s", text);
    return a;
}

size_t pkt_put(uint8_t *out, const char *src, const char *dst, uint8_t nh, uint8_t hop_limit,
               const uint8_t *pay, size_t len)
{
    struct ip6 s = pkt_ip6(src), d = pkt_ip6(dst);
    memset(out, 0, 40);
    out[0] = 0x60;
    out[4] = (uint8_t)(len / 256);
    out[5] = (uint8_t)(len % 256);
    out[6] = nh;
    out[7] = hop_limit;
    memcpy(out + 8, s.b, 16);
    memcpy(out + 24, d.b, 16);
    if (len)
        memcpy(out + 40, pay, len);
    return 40 + len;
}

uint16_t pkt_cksum(const uint8_t *p, size_t upper, size_t len, uint8_t nh)
{
    size_t n = len - upper;
    uint8_t *all = calloc(1, 40 + n + 1); /* one zero octet behind odd lengths */
    assert_non_null(all);
    memcpy(all, p + 8, 32);
    all[34] = (uint8_t)(n >> 8);
    all[35] = (uint8_t)n;
    all[39] = nh;
    memcpy(all + 40, p + upper, n);
    uint32_t sum = 0;
    for (size_t i = 0; i < 40 + n; i += 2) {
        sum += (uint32_t)all[i] * 256 + all[i + 1];
        if (sum > 0xFFFF)
            sum -= 0xFFFF; /* end-around carry */
    }
    free(all);
    return (uint16_t)(0xFFFF - sum);
}

void pkt_fix(uint8_t *p, size_t upper, size_t len)
{
    p[upper + 2] = p[upper + 3] = 0;
    uint16_t sum = pkt_cksum(p, upper, len, 58);
    p[upper + 2] = (uint8_t)(sum >> 8);
    p[upper + 3] = (uint8_t)sum;
}

uint32_t pkt_rnd(uint32_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}
