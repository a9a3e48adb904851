/* SPDX-License-Identifier: MIT */
/* points.h - the points of low order of Curve25519, for tests of what must be refused */
#ifndef SIXTAP_TESTS_POINTS_H
#define SIXTAP_TESTS_POINTS_H

#include <stdint.h>

struct low_point {
    const char *name;
    uint8_t u[32]; /* little-endian u coordinate */
};

#define N_LOW_POINTS 7

/* Every octet string that X25519 takes to zero, but for bit 255, which X25519 ignores: tests set it
 * as well. Source: https://cr.yp.to/ecdh.html "How do I validate Curve25519 public keys?" */
extern const struct low_point low_points[N_LOW_POINTS];

#endif
