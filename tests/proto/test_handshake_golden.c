/* SPDX-License-Identifier: MIT */
/* test_handshake_golden.c - the login of PROTOCOL.md 12, with fixed keys, built octet by octet by
 * the code */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <sodium.h>
#include <string.h>

#include "proto/cookie.h"
#include "proto/handshake.h"
#include "proto/seal.h"
#include "protocol_doc.h"

#define FIRST_INDEX  0x01020304u
#define SECOND_INDEX 0x05060708u
#define ROUTER_INDEX 0xa1a2a3a4u
#define NOW          (500 * NS_PER_S)

/* everything the section gives, and everything that follows from it */
struct story {
    struct identity client, router;
    uint8_t psk[KEY_LEN], e1[KEY_LEN], e2[KEY_LEN], re[KEY_LEN];
    struct endpoint from;
    struct cookie_jar jar;
    struct cookie_purse purse;
    struct entropy entropy; /* its first octets are the nonce of COOKIE */
    struct login_payload payload;
    uint8_t login_1[LOGIN_LEN], cookie_msg[COOKIE_MSG_LEN], login_2[LOGIN_LEN],
        reply[LOGIN_REPLY_MAX];
    size_t reply_len;
    struct hs_initiator first, second;
    struct session_keys router_keys;
    uint8_t data[DATA_MIN_LEN + 6];
};

static void given(const char *name, void *ret, size_t len)
{
    struct block b = block_named(name);

    assert_int_equal(b.len, len);
    memcpy(ret, b.p, len);
}

/* On a difference what the code builds is printed, so that it can be compared, or pasted after a
 * deliberate change. */
static void follows(const char *name, const void *p, size_t len)
{
    struct block b = block_named(name);
    const uint8_t *octets = p;

    if (b.len == len && memcmp(b.p, p, len) == 0)
        return;
    for (size_t i = 0; i < len; i++)
        print_message("%02x%s", octets[i], i % 32 == 31 || i + 1 == len ? "\n" : " ");
    fail_msg("%s is not what the code builds (above)", name);
}

static void given_identity(const char *name, struct identity *id)
{
    uint8_t key[KEY_LEN];

    given(name, key, KEY_LEN);
    identity_of(id, key);
}

static void read_given(struct story *s)
{
    struct block payload = block_named("LOGIN_PAYLOAD");

    memset(s, 0, sizeof(*s));
    memset(s->entropy.seed, 0xe5, sizeof(s->entropy.seed));
    given_identity("HANDSHAKE_CLIENT_PRIVATE", &s->client);
    given_identity("HANDSHAKE_ROUTER_PRIVATE", &s->router);
    given("HANDSHAKE_PSK", s->psk, KEY_LEN);
    given("HANDSHAKE_FIRST_EPHEMERAL_PRIVATE", s->e1, KEY_LEN);
    given("HANDSHAKE_SECOND_EPHEMERAL_PRIVATE", s->e2, KEY_LEN);
    given("HANDSHAKE_ROUTER_EPHEMERAL_PRIVATE", s->re, KEY_LEN);
    given("HANDSHAKE_ENDPOINT", &s->from, sizeof(s->from));
    cookie_purse_init(&s->purse, s->router.public_key);
    cookie_jar_init(&s->jar, s->router.public_key, NOW, &(struct entropy){ { 0 } });
    given("HANDSHAKE_COOKIE_SECRET", s->jar.secret[0], KEY_LEN);
    assert_true(wire_get_login_payload(payload.p, payload.len, &s->payload));
}

/* LOGIN without a cookie, COOKIE, LOGIN with it */
static void tell_logins(struct story *s)
{
    s->payload.has_cookie = false;
    assert_true(handshake_login_write(&s->first, &s->client, s->router.public_key, s->e1,
                                      FIRST_INDEX, &s->payload, s->login_1));
    cookie_stamp(&s->purse, s->login_1, NOW);
    cookie_answer(&s->jar, s->login_1, s->from, &s->entropy, s->cookie_msg);
    assert_int_equal(cookie_take(&s->purse, s->cookie_msg, NOW), DROP_NONE);
    s->payload.has_cookie = true;
    memcpy(s->payload.cookie, s->purse.cookie, COOKIE_LEN);
    assert_true(handshake_login_write(&s->second, &s->client, s->router.public_key, s->e2,
                                      SECOND_INDEX, &s->payload, s->login_2));
    cookie_stamp(&s->purse, s->login_2, NOW);
}

/* LOGIN_REPLY, and the first DATA under the new keys */
static void tell_reply(struct story *s)
{
    static const uint8_t confirm[6] = { 0, TLV_CONFIRM, 0, 2, 0, sizeof(s->data) };
    struct block settings = block_named("SETTINGS");
    struct hs_responder r;
    struct seal_key up;
    struct seal_op op = {
        .hdr = s->data, .src = confirm, .dst = s->data + DATA_HDR_LEN, .len = sizeof(confirm)
    };

    assert_int_equal(handshake_login_open(&r, &s->router, s->login_2), DROP_NONE);
    assert_true(cookie_fresh(&s->jar, r.payload.cookie, s->from));
    s->reply_len = handshake_reply_write(&r, s->psk, s->re, ROUTER_INDEX, settings.p, settings.len,
                                         s->reply, &s->router_keys);
    assert_true(s->reply_len > 0);
    wire_put_data(s->data, KIND_CONTROL, ROUTER_INDEX, 0);
    seal_key_init(&up, CIPHER_CHACHA20POLY1305, s->router_keys.rx);
    seal_run(&up, &op, 1);
    seal_key_wipe(&up);
}

/* what is given is enough to build every message of the section */
static void built_from_the_document(void **state)
{
    struct story s;
    (void)state;

    read_given(&s);
    tell_logins(&s);
    tell_reply(&s);
    follows("HANDSHAKE_CLIENT_PUBLIC", s.client.public_key, KEY_LEN);
    follows("HANDSHAKE_ROUTER_PUBLIC", s.router.public_key, KEY_LEN);
    follows("HANDSHAKE_MAC1_KEY", s.jar.mac1_key, KEY_LEN);
    follows("HANDSHAKE_COOKIE_KEY", s.jar.seal_key, KEY_LEN);
    follows("HANDSHAKE_FIRST_LOGIN", s.login_1, sizeof(s.login_1));
    follows("HANDSHAKE_COOKIE_VALUE", s.purse.cookie, COOKIE_LEN);
    follows("HANDSHAKE_COOKIE", s.cookie_msg, sizeof(s.cookie_msg));
    follows("HANDSHAKE_SECOND_LOGIN", s.login_2, sizeof(s.login_2));
    follows("HANDSHAKE_LOGIN_REPLY", s.reply, s.reply_len);
    follows("HANDSHAKE_KEY_UP", s.router_keys.rx, KEY_LEN);
    follows("HANDSHAKE_KEY_DOWN", s.router_keys.tx, KEY_LEN);
    follows("HANDSHAKE_DATA", s.data, sizeof(s.data));
}

/* and each message of the section is taken by the side it is for */
static void read_from_the_document(void **state)
{
    struct story s;
    struct hs_responder r;
    struct session_keys keys;
    struct settings got;
    struct block m;
    uint32_t index;
    (void)state;

    read_given(&s);
    tell_logins(&s);
    m = block_named("HANDSHAKE_FIRST_LOGIN");
    assert_int_equal(wire_peek(m.p, m.len), WIRE_LOGIN);
    assert_true(cookie_mac1_ok(&s.jar, m.p));
    assert_false(cookie_mac2_ok(&s.jar, m.p, s.from));
    assert_int_equal(handshake_login_open(&r, &s.router, m.p), DROP_NONE);
    assert_int_equal(r.client_index, FIRST_INDEX);
    assert_false(r.payload.has_cookie);

    m = block_named("HANDSHAKE_SECOND_LOGIN");
    assert_true(cookie_mac1_ok(&s.jar, m.p));
    assert_true(cookie_mac2_ok(&s.jar, m.p, s.from));
    assert_int_equal(handshake_login_open(&r, &s.router, m.p), DROP_NONE);
    assert_int_equal(r.client_index, SECOND_INDEX);
    assert_true(r.payload.has_cookie && cookie_fresh(&s.jar, r.payload.cookie, s.from));
    follows("HANDSHAKE_CLIENT_PUBLIC", r.client_key, KEY_LEN);

    m = block_named("HANDSHAKE_LOGIN_REPLY");
    assert_int_equal(wire_peek(m.p, m.len), WIRE_LOGIN_REPLY);
    assert_int_equal(
        handshake_reply_open(&s.second, &s.client, s.psk, m.p, m.len, &got, &index, &keys),
        DROP_NONE);
    assert_int_equal(index, ROUTER_INDEX);
    assert_int_equal(got.verdict, VERDICT_OK);
    follows("HANDSHAKE_KEY_UP", keys.tx, KEY_LEN);
    follows("HANDSHAKE_KEY_DOWN", keys.rx, KEY_LEN);
}

/* COOKIE with its first LOGIN; the document's, not the one built here */
static void cookie_from_the_document(void **state)
{
    struct story s;
    struct block login = block_named("HANDSHAKE_FIRST_LOGIN"), m = block_named("HANDSHAKE_COOKIE");
    (void)state;

    read_given(&s);
    cookie_stamp(&s.purse, login.p, NOW);
    assert_int_equal(wire_peek(m.p, m.len), WIRE_COOKIE);
    assert_int_equal(cookie_take(&s.purse, m.p, NOW), DROP_NONE);
    follows("HANDSHAKE_COOKIE_VALUE", s.purse.cookie, COOKIE_LEN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_from_the_document),
        cmocka_unit_test(read_from_the_document),
        cmocka_unit_test(cookie_from_the_document),
    };
    if (sodium_init() < 0)
        return 1;
    return cmocka_run_group_tests(tests, NULL, protocol_doc_free);
}
