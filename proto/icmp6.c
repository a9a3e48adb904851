/* SPDX-License-Identifier: MIT */
/* icmp6.c - ICMPv6 echo and errors */
#include "proto/icmp6.h"

#include <assert.h>

#include "proto/cksum.h"
#include "proto/mac.h"
#include "proto/nd.h"

#define HOP_LIMIT    64u
#define ERROR_HDR    8u /* type, code, checksum, parameter */
#define ECHO_HDR     8u
#define MTU_MIN      1280u
#define CODE_OPTION  2u /* Parameter Problem: unrecognized option */
#define FIRST_INFORM 128u

/* ---- token bucket ---- */

void icmp6_bucket_init(struct icmp6_bucket *b, uint32_t per_s, uint32_t burst, mono_ns now)
{
    *b = (struct icmp6_bucket){ .filled = now, .tokens = burst, .per_s = per_s, .burst = burst };
}

bool icmp6_bucket_take(struct icmp6_bucket *b, mono_ns now)
{
    unsigned __int128 due = (unsigned __int128)time_since(now, b->filled) * b->per_s / NS_PER_S;

    if (due >= b->burst - b->tokens) {
        b->tokens = b->burst;
        b->filled = now > b->filled ? now : b->filled;
    } else if (due > 0) {
        b->tokens += (uint32_t)due;
        /* Only the time these tokens took, rounded up: fractions add up over calls and never to
         * more than per_s. */
        b->filled += ((mono_ns)due * NS_PER_S + b->per_s - 1) / b->per_s;
    }
    if (b->tokens == 0)
        return false;
    b->tokens--;
    return true;
}

/* ---- errors ---- */

bool icmp6_error_allowed(const struct frame *f, uint8_t type, uint8_t code)
{
    int icmp = frame_icmp_type(f);

    /* e.1, e.2; what cannot be read may be an error and is taken for one */
    if (f->undecided || (f->nh == NH_ICMPV6 && icmp < 0))
        return false;
    if (icmp >= 0 && (icmp < (int)FIRST_INFORM || icmp == ND_REDIRECT))
        return false;
    /* e.3 with its two exceptions; e.4 and e.5 follow, as there is no other way to send to a group
     * here */
    bool may_multicast = type == ICMP6_TOO_BIG || (type == ICMP6_PARAM && code == CODE_OPTION);
    if (ip6_is_multicast(f->dst) && !may_multicast)
        return false;
    /* e.6 */
    return !ip6_is_unspecified(f->src) && frame_source_valid(f);
}

size_t icmp6_error(uint8_t *out, const struct frame *f, struct ip6 src, uint8_t type, uint8_t code,
                   uint32_t param, struct icmp6_bucket *b, mono_ns now)
{
    if (!icmp6_error_allowed(f, type, code) || (b && !icmp6_bucket_take(b, now)))
        return 0;
    if (type == ICMP6_TOO_BIG && param < MTU_MIN)
        param = MTU_MIN; /* RFC 8201 4: a smaller one is ignored */

    size_t quote = ICMP6_ERROR_MAX - IP6_HDR_LEN - ERROR_HDR;
    if (quote > f->len)
        quote = f->len;
    size_t len = ERROR_HDR + quote;
    uint8_t *icmp = out + IP6_HDR_LEN;

    be32_store(out, UINT32_C(6) << 28);
    be16_store(out + 4, (uint16_t)len);
    out[6] = NH_ICMPV6;
    out[7] = HOP_LIMIT;
    memcpy(out + 8, src.b, IP6_LEN);
    memcpy(out + 24, f->src.b, IP6_LEN);
    icmp[0] = type;
    icmp[1] = code;
    be16_store(icmp + 2, 0);
    be32_store(icmp + 4, param);
    memcpy(icmp + ERROR_HDR, f->p, quote);
    be16_store(icmp + 2, cksum_upper(out, NH_ICMPV6, icmp, len));
    return IP6_HDR_LEN + len;
}

/* ---- echo ---- */

bool icmp6_echo_valid(const struct frame *f)
{
    /* Deviation: RFC 4443 4.2 answers every request; nothing is reassembled here, so a fragmented
     * one is not whole, unless its one fragment is (RFC 6946). */
    if ((f->fragment && !f->atomic) || frame_icmp_type(f) != ICMP6_ECHO_REQUEST)
        return false;
    const uint8_t *icmp = f->p + f->upper;
    size_t len = (size_t)(f->len - f->upper);
    return len >= ECHO_HDR && icmp[1] == 0 && cksum_upper(f->p, NH_ICMPV6, icmp, len) == 0;
}

void icmp6_echo_turn(struct frame *f, struct ip6 src)
{
    uint8_t *icmp = f->p + IP6_HDR_LEN;
    size_t len = (size_t)(f->len - f->upper);

    assert((!f->fragment || f->atomic) && len >= ECHO_HDR && f->p[f->upper] == ICMP6_ECHO_REQUEST);
    /* The request's extension headers spoke of its own way (a Routing header must not be sent
     * back): they go. */
    if (f->upper != IP6_HDR_LEN)
        memmove(icmp, f->p + f->upper, len);

    /* RFC 1624 3: HC' = ~(~HC + ~m + m'). Type and one address change; the other only moves. */
    uint64_t sum = (uint16_t)~be16_load(icmp + 2);
    sum += cksum_fold(cksum_add(ICMP6_ECHO_REQUEST << 8, f->dst.b, IP6_LEN));
    sum += cksum_add(ICMP6_ECHO_REPLY << 8, src.b, IP6_LEN);
    icmp[0] = ICMP6_ECHO_REPLY;
    be16_store(icmp + 2, cksum_fold(sum));

    f->dst = f->src;
    f->src = src;
    f->hop_limit = HOP_LIMIT;
    f->upper = IP6_HDR_LEN;
    f->len = (uint16_t)(IP6_HDR_LEN + len);
    f->nh_at = 6;
    f->hopopts = f->router_alert = f->fragment = f->atomic = false;
    be16_store(f->p + 4, (uint16_t)len);
    f->p[6] = NH_ICMPV6;
    f->p[7] = HOP_LIMIT;
    memcpy(f->p + 8, f->src.b, IP6_LEN);
    memcpy(f->p + 24, f->dst.b, IP6_LEN);
}
