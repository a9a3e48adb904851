/* SPDX-License-Identifier: MIT */
/* ext.c - what a node does about the extension headers of a packet it routes or receives */
#include "proto/ext.h"

#include "proto/mac.h"

#define OPT_PAD1  0x00u
#define OPT_PADN  0x01u
#define OPT_ALERT 0x05u

enum { /* the highest two bits of an option's type: what to do when it is not known */
       ACT_SKIP = 0,
       ACT_DISCARD = 1,
       ACT_ERROR = 2,
       ACT_ERROR_UNICAST = 3, /* unless it was sent to a group */
};

/* Options of the header of @len octets at @at, which frame_parse() has walked when it was
 * hop-by-hop; of destination options nobody has looked at the inside. */
static enum drop options(const struct frame *f, size_t at, size_t len, struct ext_problem *ret)
{
    const uint8_t *h = f->p + at;

    for (size_t off = 2; off < len;) {
        uint8_t type = h[off];
        if (type == OPT_PAD1) {
            off++;
            continue;
        }
        if (len - off < 2 || len - off - 2 < h[off + 1])
            return DROP_EXT_CHAIN;
        unsigned act = type >> 6;
        if (type != OPT_PADN && type != OPT_ALERT && act != ACT_SKIP) {
            ret->error =
                act == ACT_ERROR || (act == ACT_ERROR_UNICAST && !ip6_is_multicast(f->dst));
            ret->code = 2;
            ret->pointer = (uint16_t)(at + off);
            return DROP_OPTION;
        }
        off += 2u + h[off + 1];
    }
    return DROP_NONE;
}

enum drop ext_on_the_way(const struct frame *f, struct ext_problem *ret)
{
    *ret = (struct ext_problem){ .error = false };
    return f->hopopts ? options(f, IP6_HDR_LEN, (f->p[IP6_HDR_LEN + 1] + 1u) * 8, ret) : DROP_NONE;
}

/* RFC 8200 4.4: with no segments left the header is ignored, whatever its type. */
static enum drop routing(const struct frame *f, size_t at, struct ext_problem *ret)
{
    if (f->p[at + 3] == 0)
        return DROP_NONE;
    *ret = (struct ext_problem){ .error = true, .code = 0, .pointer = (uint16_t)(at + 2) };
    return DROP_ROUTING;
}

enum drop ext_at_the_end(const struct frame *f, struct ext_problem *ret)
{
    uint8_t nh = f->p[6];
    size_t end = f->upper, at = IP6_HDR_LEN;
    enum drop why = DROP_NONE;

    *ret = (struct ext_problem){ .error = false };
    if (f->undecided)
        return DROP_EXT_CHAIN;
    if (f->fragment && !f->atomic)
        return DROP_FRAG;
    while (at < end && why == DROP_NONE) {
        const uint8_t *h = f->p + at;
        size_t len = nh == NH_FRAGMENT ? 8u : nh == NH_AH ? (h[1] + 2u) * 4 : (h[1] + 1u) * 8;
        if (nh == NH_HOPOPTS || nh == NH_DSTOPTS)
            why = options(f, at, len, ret);
        else if (nh == NH_ROUTING)
            why = routing(f, at, ret);
        else if (nh != NH_FRAGMENT && nh != NH_AH)
            break;
        nh = h[0];
        at += len;
    }
    return why;
}
