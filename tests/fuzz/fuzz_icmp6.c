/* SPDX-License-Identifier: MIT */
/* fuzz_icmp6.c - errors and echoes: what is built parses, is no cause of another error, quotes what
 * it is about; an echo turned twice is the same again
 *
 * Input: type, code, parameter 4, then ip_feed().
 */
#include <stdlib.h>

#include "ip.h"
#include "proto/icmp6.h"
#include "proto/mac.h"

#define PACKET_MAX 3000u

static const struct ip6 self = { { 0xfe, 0x80, [15] = 1 } };

static void error(const struct frame *f, uint8_t type, uint8_t code, uint32_t param)
{
    uint8_t *b = malloc(ICMP6_ERROR_MAX);
    struct icmp6_bucket bucket;
    struct frame e;

    FUZZ_CHECK(b);
    icmp6_bucket_init(&bucket, 1, 1, 0);
    bool allowed = icmp6_error_allowed(f, type, code);
    size_t n = icmp6_error(b, f, self, type, code, param, &bucket, 0);
    FUZZ_CHECK((n > 0) == allowed);
    FUZZ_CHECK(icmp6_error(b, f, self, type, code, param, &bucket, 0) == 0); /* one token */
    if (n) {
        FUZZ_CHECK(n <= ICMP6_ERROR_MAX && frame_parse(&e, b, n) == DROP_NONE && e.len == n);
        FUZZ_CHECK(frame_icmp_type(&e) == type && b[e.upper + 1] == code && e.hop_limit == 64);
        FUZZ_CHECK(ip6_eq(e.dst, f->src) && ip6_eq(e.src, self));
        FUZZ_CHECK(ip_cksum(b, e.upper, e.len, NH_ICMPV6) == 0);
        size_t quote = n - 48;
        FUZZ_CHECK(quote == f->len || (quote < f->len && n == ICMP6_ERROR_MAX));
        FUZZ_CHECK(memcmp(b + 48, f->p, quote) == 0);
        FUZZ_CHECK(type != ICMP6_TOO_BIG || be32_load(b + 44) >= 1280);
        FUZZ_CHECK(type >= 128 || !icmp6_error_allowed(&e, type, code));
        /* parse, build, parse: an error built from what was read of this one is the same */
        FUZZ_CHECK(ip_wrap(b, e.src, e.dst, NH_ICMPV6, e.hop_limit, n - 40) == n);
        struct frame again;
        FUZZ_CHECK(frame_parse(&again, b, n) == DROP_NONE && ip_view_eq(&e, &again));
    }
    free(b);
}

static void echo(struct frame *f)
{
    struct frame was = *f, again;
    size_t pay_len = (size_t)(f->len - f->upper) - 4;
    uint8_t *body = fuzz_exact(f->p + f->upper + 4, pay_len);

    FUZZ_CHECK(frame_icmp_type(f) == ICMP6_ECHO_REQUEST && (!f->fragment || f->atomic));
    icmp6_echo_turn(f, was.dst);
    FUZZ_CHECK(frame_parse(&again, f->p, f->len) == DROP_NONE);
    FUZZ_CHECK(frame_icmp_type(&again) == ICMP6_ECHO_REPLY && again.len == f->len);
    FUZZ_CHECK(ip6_eq(again.src, was.dst) && ip6_eq(again.dst, was.src) && again.hop_limit == 64);
    FUZZ_CHECK(again.upper == IP6_HDR_LEN && again.len <= was.len && ip_view_eq(f, &again));
    FUZZ_CHECK(memcmp(f->p + 44, body, pay_len) == 0);
    FUZZ_CHECK(ip_cksum(f->p, f->upper, f->len, NH_ICMPV6) == 0);
    free(body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static uint8_t raw[PACKET_MAX];
    struct feed in = { data, len };
    struct frame f;

    uint8_t type = feed_u8(&in), code = feed_u8(&in);
    uint32_t param = feed_u32(&in);
    size_t n = ip_feed(&in, raw, sizeof(raw));
    uint8_t *p = fuzz_exact(raw, n);
    if (frame_parse(&f, p, n) == DROP_NONE) {
        error(&f, (uint8_t)(1 + type % 4), code, param);
        if (icmp6_echo_valid(&f))
            echo(&f);
    }
    free(p);
    return 0;
}
