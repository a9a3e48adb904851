/* SPDX-License-Identifier: MIT */
/* test_protocol_golden.c - golden packets of PROTOCOL.md, parsed, and built again from what was
 * parsed */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "proto/seal.h"
#include "proto/wire.h"
#include "protocol_doc.h"

#define COUNT(a) (sizeof(a) / sizeof((a)[0]))

static void same_as(const struct block *b, const uint8_t *p, size_t len)
{
    assert_int_equal(b->len, len);
    assert_memory_equal(b->p, p, len);
}

static bool filled(const uint8_t *p, size_t len, uint8_t with)
{
    for (size_t i = 0; i < len; i++)
        if (p[i] != with)
            return false;
    return len > 0;
}

static void golden_login(void **state)
{
    (void)state;
    struct block b = block_named("LOGIN");
    struct wire_login in, out = { .head = { WIRE_LOGIN, WIRE_VERSION, 0, 0 } };

    assert_int_equal(wire_peek(b.p, b.len), WIRE_LOGIN);
    memcpy(&in, b.p, sizeof(in));
    assert_int_equal(be32_get(in.sender), 0x01020304);
    assert_true(filled(in.ephemeral, sizeof(in.ephemeral), 0x11));
    assert_true(filled(in.static_sealed, sizeof(in.static_sealed), 0x22));
    assert_true(filled(in.payload_sealed, sizeof(in.payload_sealed), 0x33));
    assert_true(filled(in.mac1, sizeof(in.mac1), 0x44));
    assert_true(filled(in.mac2, sizeof(in.mac2), 0x00));
    out.sender = be32_of(be32_get(in.sender));
    memcpy(out.ephemeral, in.ephemeral, sizeof(out.ephemeral));
    memcpy(out.static_sealed, in.static_sealed, sizeof(out.static_sealed));
    memcpy(out.payload_sealed, in.payload_sealed, sizeof(out.payload_sealed));
    memcpy(out.mac1, in.mac1, sizeof(out.mac1));
    memcpy(out.mac2, in.mac2, sizeof(out.mac2));
    same_as(&b, (const uint8_t *)&out, sizeof(out));
}

static void golden_login_reply(void **state)
{
    (void)state;
    struct block b = block_named("LOGIN_REPLY");
    struct wire_login_reply in, fixed = { .head = { WIRE_LOGIN_REPLY, WIRE_VERSION, 0, 0 } };
    uint8_t out[sizeof(b.p)];

    assert_int_equal(wire_peek(b.p, b.len), WIRE_LOGIN_REPLY);
    memcpy(&in, b.p, sizeof(in));
    assert_true(be32_get(in.sender) == 0xa1a2a3a4);
    assert_int_equal(be32_get(in.receiver), 0x01020304);
    assert_true(filled(in.ephemeral, sizeof(in.ephemeral), 0x55));
    size_t sealed = b.len - sizeof(in);
    assert_int_equal(sealed, 8 + TAG_LEN);
    assert_true(filled(b.p + sizeof(in), sealed, 0x66));
    fixed.sender = be32_of(be32_get(in.sender));
    fixed.receiver = be32_of(be32_get(in.receiver));
    memcpy(fixed.ephemeral, in.ephemeral, sizeof(fixed.ephemeral));
    memcpy(out, &fixed, sizeof(fixed));
    memcpy(out + sizeof(fixed), b.p + sizeof(in), sealed);
    same_as(&b, out, sizeof(fixed) + sealed);
}

static void golden_cookie(void **state)
{
    (void)state;
    struct block b = block_named("COOKIE");
    struct wire_cookie in, out = { .head = { WIRE_COOKIE, WIRE_VERSION, 0, 0 } };

    assert_int_equal(wire_peek(b.p, b.len), WIRE_COOKIE);
    memcpy(&in, b.p, sizeof(in));
    assert_int_equal(be32_get(in.receiver), 0x01020304);
    assert_true(filled(in.nonce, sizeof(in.nonce), 0x77));
    assert_true(filled(in.cookie_sealed, sizeof(in.cookie_sealed), 0x88));
    out.receiver = be32_of(be32_get(in.receiver));
    memcpy(out.nonce, in.nonce, sizeof(out.nonce));
    memcpy(out.cookie_sealed, in.cookie_sealed, sizeof(out.cookie_sealed));
    same_as(&b, (const uint8_t *)&out, sizeof(out));
}

static void golden_data(void **state)
{
    static const struct {
        const char *name;
        enum wire_kind kind;
        uint32_t index;
        uint64_t counter;
        size_t len;
    } rows[] = {
        { "DATA_HOST", KIND_HOST, 0xa1a2a3a4, 0, 32 },
        { "DATA_PEER", KIND_PEER, 0xa1a2a3a4, 1, 38 },
        { "DATA_MULTICAST", KIND_MULTICAST, 0x01020304, UINT64_C(0x0123456789abcdef), 38 },
        { "DATA_CONTROL", KIND_CONTROL, 0xa1a2a3a4, KEYPAIR_LIFE_PACKETS - 1, 38 },
    };
    (void)state;

    for (size_t i = 0; i < COUNT(rows); i++) {
        struct block b = block_named(rows[i].name);
        uint8_t out[DATA_HDR_LEN];
        assert_int_equal(b.len, rows[i].len);
        assert_int_equal(wire_peek(b.p, b.len), WIRE_DATA);
        assert_int_equal(wire_data_kind(b.p), rows[i].kind);
        assert_true(wire_data_index(b.p) == rows[i].index);
        assert_true(wire_data_counter(b.p) == rows[i].counter);
        wire_put_data(out, wire_data_kind(b.p), wire_data_index(b.p), wire_data_counter(b.p));
        assert_memory_equal(out, b.p, sizeof(out));
    }
}

static void golden_nudge(void **state)
{
    (void)state;
    struct block data = block_named("DATA_CONTROL"), b = block_named("NUDGE");
    uint8_t out[NUDGE_LEN];

    assert_int_equal(wire_peek(b.p, b.len), WIRE_NUDGE);
    wire_put_nudge(out, data.p);
    same_as(&b, out, sizeof(out));
    assert_true(wire_data_index(b.p) == wire_data_index(data.p));
    assert_true(wire_data_counter(b.p) == wire_data_counter(data.p));
}

static void golden_login_payload(void **state)
{
    (void)state;
    struct block b = block_named("LOGIN_PAYLOAD");
    struct login_payload lp;
    uint8_t out[LOGIN_PAYLOAD_LEN];

    assert_true(wire_get_login_payload(b.p, b.len, &lp));
    assert_string_equal(lp.software, "sixtap 0.1");
    assert_int_equal(lp.n_ciphers, 2);
    assert_int_equal(lp.ciphers[0], CIPHER_AES256GCM);
    assert_int_equal(lp.ciphers[1], CIPHER_CHACHA20POLY1305);
    assert_int_equal(lp.wanted_mtu, 1434);
    assert_int_equal(lp.tries, 0);
    assert_true(lp.has_cookie && filled(lp.cookie, COOKIE_LEN, 0xc0));
    wire_put_login_payload(out, &lp);
    same_as(&b, out, sizeof(out));
}

static void golden_login_payload_try(void **state)
{
    (void)state;
    struct block b = block_named("LOGIN_PAYLOAD_TRY");
    struct login_payload lp;
    uint8_t out[LOGIN_PAYLOAD_LEN];

    assert_true(wire_get_login_payload(b.p, b.len, &lp));
    assert_int_equal(lp.n_ciphers, 1);
    assert_int_equal(lp.tries, 2);
    assert_false(lp.has_cookie);
    wire_put_login_payload(out, &lp);
    same_as(&b, out, sizeof(out));
}

static void rebuild_settings(const struct block *b, struct settings *s)
{
    uint8_t out[SETTINGS_MAX];
    bool partial = true;

    assert_true(wire_get_settings(b->p, b->len, s));
    size_t n = wire_put_settings(out, sizeof(out), s, &partial);
    assert_false(partial);
    same_as(b, out, n);
}

static void golden_settings(void **state)
{
    (void)state;
    struct block b = block_named("SETTINGS");
    struct settings s;
    static const uint8_t prefix[8] = { 0x20, 0x01, 0x0d, 0xb8, 0x00, 0x01 };

    rebuild_settings(&b, &s);
    assert_int_equal(s.verdict, VERDICT_OK);
    assert_int_equal(be32_get(s.seen.ip), 0xc6336407);
    assert_int_equal(be16_get(s.seen.port), 6464);
    assert_memory_equal(s.mac.b, "\xc6\x33\x64\x07\x19\x40", 6);
    assert_memory_equal(s.router_mac.b, "\xca\x00\x71\x01\x19\x40", 6);
    assert_int_equal(s.cipher, CIPHER_AES256GCM);
    assert_int_equal(s.mtu_min, 1280);
    assert_int_equal(s.mtu_max, 1434);
    assert_int_equal(s.keepalive_s, 20);
    assert_int_equal(s.segment_flags, SEGMENT_DEFAULT_ROUTE | SEGMENT_ON_LINK);
    assert_int_equal(s.segment.len, 64);
    assert_memory_equal(s.segment.addr.b, prefix, 8);
    assert_int_equal(s.n_address, 1);
    assert_int_equal(s.address[0].plen, 64);
    assert_int_equal(s.address[0].addr.b[15], 0xf1);
    assert_int_equal(s.n_delegated, 1);
    assert_int_equal(s.delegated[0].len, 56);
    assert_int_equal(s.n_route, 1);
    assert_int_equal(s.route[0].len, 48);
    assert_int_equal(s.n_dns, 1);
    assert_int_equal(s.dns[0].b[15], 1);
    assert_int_equal(s.n_search, 1);
    assert_string_equal(s.search[0], "example.org");
}

static void golden_verdicts(void **state)
{
    (void)state;
    struct block taken = block_named("SETTINGS_MAC_TAKEN");
    struct block refused = block_named("SETTINGS_REFUSED");
    struct block busy = block_named("SETTINGS_BUSY");
    struct settings s;

    rebuild_settings(&taken, &s);
    assert_int_equal(s.verdict, VERDICT_MAC_TAKEN);
    assert_true(be32_get(s.seen.ip) == 0xc7336407);
    rebuild_settings(&refused, &s);
    assert_int_equal(s.verdict, VERDICT_REFUSED);
    assert_int_equal(s.reason, REFUSAL_NO_CIPHER);
    assert_int_equal(s.backoff_s, 60);
    rebuild_settings(&busy, &s);
    assert_int_equal(s.verdict, VERDICT_BUSY);
    assert_int_equal(s.backoff_s, 10);
}

static const struct {
    const char *name;
    struct control want; /* body: checked by its length */
} controls[] = {
    { "CTL_CONFIRM", { .type = TLV_CONFIRM, .size = 1472 } },
    { "CTL_CONFIRM_ACK", { .type = TLV_CONFIRM_ACK, .size = 1472 } },
    { "CTL_KEEPALIVE_REQ", { .type = TLV_KEEPALIVE_REQ, .number = 0x0102030405060708 } },
    { "CTL_KEEPALIVE_ACK", { .type = TLV_KEEPALIVE_ACK, .number = 0x0102030405060708 } },
    { "CTL_MTU_PROBE", { .type = TLV_MTU_PROBE, .size = 1318 } },
    { "CTL_MTU_PROBE_ACK", { .type = TLV_MTU_PROBE_ACK, .size = 1318 } },
    { "CTL_MTU_SET", { .type = TLV_MTU_SET, .size = 1434 } },
    { "CTL_SETTINGS", { .type = TLV_SETTINGS, .body_len = 8 } },
    { "CTL_LOGIN", { .type = TLV_LOGIN, .body_len = LOGIN_LEN } },
    { "CTL_LOGIN_REPLY", { .type = TLV_LOGIN_REPLY, .body_len = 68 } },
    { "CTL_LOGIN_AGAIN", { .type = TLV_LOGIN_AGAIN } },
    { "CTL_GOODBYE", { .type = TLV_GOODBYE, .goodbye = GOODBYE_SHUTDOWN } },
    { "CTL_FRAGMENT", { .type = TLV_FRAGMENT } },
    { "CTL_FRAG_PROBE", { .type = TLV_FRAG_PROBE, .size = 1318 } },
    { "CTL_FRAG_PROBE_ACK", { .type = TLV_FRAG_PROBE_ACK, .size = 1318 } },
    { "CTL_PADDED", { .type = TLV_CONFIRM, .size = 64 } },
    { "CTL_PADDED_SHORT", { .type = TLV_CONFIRM, .size = 41 } },
};

static void golden_controls(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT(controls); i++) {
        struct block b = block_named(controls[i].name);
        const struct control *want = &controls[i].want;
        struct rd r = rd_of(b.p, b.len);
        struct control c, none;
        uint8_t out[sizeof(b.p)];

        assert_int_equal(wire_ctl_next(&r, &c), 1);
        assert_int_equal(c.type, want->type);
        assert_int_equal(c.size, want->size);
        assert_true(c.number == want->number);
        assert_int_equal(c.goodbye, want->goodbye);
        assert_int_equal(c.body_len, want->body_len);
        assert_int_equal(wire_ctl_next(&r, &none), 0);
        struct wr w = wr_of(out, sizeof(out));
        wire_ctl_put(&w, &c);
        if (b.len > w.off) {
            assert_int_equal(b.len + DATA_MIN_LEN, c.size); /* only probes are padded */
            wire_ctl_pad(&w, b.len);
        }
        assert_false(w.bad);
        same_as(&b, out, w.off);
    }
}

/* A login inside is the same message as outside, and the document shows it twice. */
static void golden_inside_is_outside(void **state)
{
    (void)state;
    struct block in = block_named("CTL_LOGIN"), out = block_named("LOGIN");
    assert_int_equal(in.len, out.len + 4);
    assert_memory_equal(in.p + 4, out.p, out.len);
    in = block_named("CTL_LOGIN_REPLY");
    out = block_named("LOGIN_REPLY");
    assert_int_equal(in.len, out.len + 4);
    assert_memory_equal(in.p + 4, out.p, out.len);
}

/* No block without a test above, none twice; HANDSHAKE_* belong to the handshake's own test. */
static void golden_blocks_are_known(void **state)
{
    static const char *const others[] = {
        "LOGIN",
        "LOGIN_REPLY",
        "COOKIE",
        "DATA_HOST",
        "DATA_PEER",
        "DATA_MULTICAST",
        "DATA_CONTROL",
        "NUDGE",
        "LOGIN_PAYLOAD",
        "SETTINGS",
        "SETTINGS_REFUSED",
        "SETTINGS_BUSY",
        "SETTINGS_MAC_TAKEN",
        "LOGIN_PAYLOAD_TRY",
    };
    (void)state;
    struct block b;
    const char *p = protocol_doc();
    size_t n = 0;

    while (next_block(&p, &b)) {
        size_t known = 0;
        if (strncmp(b.name, "HANDSHAKE_", 10) == 0)
            continue;
        for (size_t i = 0; i < COUNT(others); i++)
            known += strcmp(b.name, others[i]) == 0;
        for (size_t i = 0; i < COUNT(controls); i++)
            known += strcmp(b.name, controls[i].name) == 0;
        if (known != 1)
            fail_msg("block %s is tested nowhere", b.name);
        n++;
    }
    assert_int_equal(n, COUNT(others) + COUNT(controls));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden_login),
        cmocka_unit_test(golden_login_reply),
        cmocka_unit_test(golden_cookie),
        cmocka_unit_test(golden_data),
        cmocka_unit_test(golden_nudge),
        cmocka_unit_test(golden_login_payload),
        cmocka_unit_test(golden_login_payload_try),
        cmocka_unit_test(golden_settings),
        cmocka_unit_test(golden_verdicts),
        cmocka_unit_test(golden_controls),
        cmocka_unit_test(golden_inside_is_outside),
        cmocka_unit_test(golden_blocks_are_known),
    };
    return cmocka_run_group_tests(tests, NULL, protocol_doc_free);
}
