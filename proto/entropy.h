/* SPDX-License-Identifier: MIT */
/* entropy.h - random octets for one wake-up, drawn from 32 fresh ones
 *
 * DOC: pure code reads no random numbers. The daemon fills 32 octets per wake-up that may run
 * handshakes; whatever is needed in that wake-up is a ChaCha20 stream of them. After each draw the
 * seed is replaced by stream output, so what was drawn cannot be computed from what is left.
 */
#ifndef SIXTAP_PROTO_ENTROPY_H
#define SIXTAP_PROTO_ENTROPY_H

#include <stddef.h>
#include <stdint.h>

#define ENTROPY_LEN 32

struct entropy {
    uint8_t seed[ENTROPY_LEN];
};

/* entropy_draw() - @len (1..4096) random octets into @out; advances @e
 * @e: seeded by the caller with 32 octets nobody else can know */
void entropy_draw(struct entropy *e, void *out, size_t len);

/* entropy_u32() - one random word */
uint32_t entropy_u32(struct entropy *e);

#endif
