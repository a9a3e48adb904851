/* SPDX-License-Identifier: MIT */
/* fuzz_client_login.c - replies with valid keys and hostile payloads; then they are confirmed and
 * the client lives by them
 *
 * Input: how, a chunk (the sealed payload).
 */
#include "client_world.h"
#include "proto/seal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    struct feed in = { data, len };
    struct world *w = client_world(CLIENT_ASKS);
    uint8_t payload[REPLY_PAYLOAD_MAX], msg[LOGIN_REPLY_MAX], e[KEY_LEN] = { 5 };
    unsigned how = feed_u8(&in);
    struct hs_responder hs;
    struct session_keys keys;
    struct settings s;

    size_t n = feed_chunk(&in, payload, sizeof(payload));
    FUZZ_CHECK(handshake_login_open(&hs, &w->r.id, w->e.login.msg) == DROP_NONE);
    uint32_t theirs = hs.client_index;
    size_t msg_len = handshake_reply_write(&hs, w->r.psk, e, 77, payload, n, msg, &keys);
    FUZZ_CHECK(msg_len == LOGIN_REPLY_MIN + n);
    bool ok = wire_get_settings(payload, n, &s);
    bool refused = ok && s.verdict != VERDICT_OK;
    bool cipher = ok && !refused && seal_supported((enum cipher)s.cipher);
    if (cipher)
        keypair_init(&w->r.tentative, (enum cipher)s.cipher, &keys, 77, theirs, w->now);
    uint64_t bad = w->e.drop[DROP_LOGIN_PAYLOAD];
    world_give(w, msg, msg_len, w->live, w->e.login.sock);
    FUZZ_CHECK((w->e.drop[DROP_LOGIN_PAYLOAD] > bad) == !(cipher || refused));
    FUZZ_CHECK(cipher || refused ||
               w->e.login.state == LOGIN_SENT); /* it still waits for a good one */
    FUZZ_CHECK(cipher || w->e.login.state != LOGIN_CONFIRM);
    FUZZ_CHECK(w->e.state == CLIENT_START);
    client_check(w);
    world_run(w, time_ms(how & 1 ? 300 : 3000));
    client_check(w);
    while (in.left) {
        client_wait(w, &in);
        client_check(w);
    }
    return 0;
}
