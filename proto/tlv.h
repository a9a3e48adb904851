/* SPDX-License-Identifier: MIT */
/* tlv.h - type-length-value runs: what wire.c and wire_settings.c share; nobody else includes it
 *
 * DOC: every reader starts from tlv_next(), which knows padding, ends, lengths and repetition; what
 * is left to the caller is the value. A type that has no meaning in its place is skipped there,
 * also when it has one elsewhere.
 */
#ifndef SIXTAP_PROTO_TLV_H
#define SIXTAP_PROTO_TLV_H

#include "proto/wire.h"

#define TLV_HDR_LEN 4u

enum tlv_place {
    IN_LOGIN,
    IN_SETTINGS,
    IN_CONTROL,
};

struct tlv {
    uint16_t type, len;
    const uint8_t *p; /* @len octets of the value, where they lie */
};

/* tlv_next() - the next TLV of @r that means something in @place
 * @seen: bits of the types below 32 read so far, the caller starts with 0; refuses repetition
 * Return: 1 one was read, its length is one its type allows; 0 the end; -1 malformed, r->bad is set
 */
int tlv_next(struct rd *r, struct tlv *ret, enum tlv_place place, uint32_t *seen);

/* tlv_len_ok() - whether values of @type, which has a meaning in @place, may be @len octets long */
bool tlv_len_ok(enum tlv_type type, enum tlv_place place, size_t len);

/* tlv_room() - write the header of a TLV
 * Return: its @len octets to fill in; NULL and w->bad, nothing written, when it does not fit whole
 */
uint8_t *tlv_room(struct wr *w, enum tlv_type type, size_t len);

/* tlv_put(), tlv_put_u16() - append a TLV; w->bad, nothing written, when it does not fit whole */
void tlv_put(struct wr *w, enum tlv_type type, const void *value, size_t len);
void tlv_put_u16(struct wr *w, enum tlv_type type, uint16_t x);

/* octets_zero() - whether all @len octets are zero */
bool octets_zero(const uint8_t *p, size_t len);

/* u16_between() - read a big-endian number at @p into *ret; whether it lies in @min..@max */
bool u16_between(const uint8_t *p, uint16_t min, uint16_t max, uint16_t *ret);

#endif
