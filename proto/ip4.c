/* SPDX-License-Identifier: MIT */
/* ip4.c - which IPv4 addresses the Internet does not know */
#include "proto/ip4.h"

#include <stddef.h>
#include <stdint.h>

/* Source: RFC 6890 2.2.2; RFC 5771 3 for 224/4; RFC 1112 4 for 240/4 */
static const struct {
    uint32_t net;
    unsigned len;
} not_global[] = {
    { 0x00000000, 8 },  /* 0.0.0.0: this network */
    { 0x0a000000, 8 },  /* 10.0.0.0: private */
    { 0x64400000, 10 }, /* 100.64.0.0: between customers and a carrier's NAT */
    { 0x7f000000, 8 },  /* 127.0.0.0: loopback */
    { 0xa9fe0000, 16 }, /* 169.254.0.0: link-local */
    { 0xac100000, 12 }, /* 172.16.0.0: private */
    { 0xc0a80000, 16 }, /* 192.168.0.0: private */
    { 0xe0000000, 3 },  /* 224.0.0.0: multicast, reserved, broadcast */
};

bool ip4_is_global(be32 a)
{
    uint32_t n = be32_get(a);

    for (size_t i = 0; i < sizeof(not_global) / sizeof(not_global[0]); i++) {
        if ((n ^ not_global[i].net) >> (32 - not_global[i].len) == 0)
            return false;
    }
    return true;
}
