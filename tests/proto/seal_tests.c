/* SPDX-License-Identifier: MIT */
/* seal_tests.c - sealing and opening against published vectors, another library's output, and
 * libsodium called by hand; every flipped bit fails. Run for each provider: by test_seal.c for
 * libsodium, by tests/host/test_ipsecmb.c for libipsec-mb */
#include "seal_tests.h"

#include "proto/seal.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define N(a) (sizeof(a) / sizeof((a)[0]))

static const enum cipher CIPHERS[] = { CIPHER_AES256GCM, CIPHER_CHACHA20POLY1305 };

static size_t unhex(uint8_t *out, size_t cap, const char *hex)
{
    size_t len;

    assert_int_equal(sodium_hex2bin(out, cap, hex, strlen(hex), NULL, &len, NULL), 0);
    return len;
}

static void fill(uint8_t *p, size_t len, unsigned mul, unsigned add)
{
    for (size_t i = 0; i < len; i++)
        p[i] = (uint8_t)(i * mul + add);
}

static struct seal_key key_of(enum cipher c)
{
    uint8_t raw[KEY_LEN];
    struct seal_key k;

    fill(raw, KEY_LEN, 1, 0);
    seal_key_init(&k, c, raw);
    return k;
}

/* The primitives under us. Their nonces do not start with four zeros, so seal_run() cannot be
 * asked. */
static void test_published_vectors(void **state)
{
    static const struct {
        const char *name;
        enum cipher cipher;
        const char *key, *nonce, *ad, *plain, *sealed;
    } row[] = {
        { "GCM specification, test case 16", CIPHER_AES256GCM,
          "feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308",
          "cafebabefacedbaddecaf888", "feedfacedeadbeeffeedfacedeadbeefabaddad2",
          "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72"
          "1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39",
          "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa"
          "8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f662"
          "76fc6ece0f4e1768cddf8853bb2d551b" },
        { "RFC 8439 2.8.2", CIPHER_CHACHA20POLY1305,
          "808182838485868788898a8b8c8d8e8f909192939495969798999a9b9c9d9e9f",
          "070000004041424344454647", "50515253c0c1c2c3c4c5c6c7",
          "4c616469657320616e642047656e746c656d656e206f662074686520636c6173"
          "73206f66202739393a204966204920636f756c64206f6666657220796f75206f"
          "6e6c79206f6e652074697020666f7220746865206675747572652c2073756e73"
          "637265656e20776f756c642062652069742e",
          "d31a8d34648e60db7b86afbc53ef7ec2a4aded51296e08fea9e2b5a736ee62d6"
          "3dbea45e8ca9671282fafb69da92728b1a71de0a9e060b2905d6a5b67ecd3b36"
          "92ddbd7f2d778b8c9803aee328091b58fab324e4fad675945585808b4831d7bc"
          "3ff4def08e4b7a9de576d26586cec64b61161ae10b594f09e26a7e902ecbd060"
          "0691" },
    };

    (void)state;
    for (size_t i = 0; i < N(row); i++) {
        uint8_t key[32], nonce[12], ad[32], plain[128], sealed[144], out[144];
        size_t ad_len, plain_len, sealed_len;

        if (!seal_supported(row[i].cipher))
            continue;
        assert_int_equal(unhex(key, sizeof(key), row[i].key), 32);
        assert_int_equal(unhex(nonce, sizeof(nonce), row[i].nonce), 12);
        ad_len = unhex(ad, sizeof(ad), row[i].ad);
        plain_len = unhex(plain, sizeof(plain), row[i].plain);
        sealed_len = unhex(sealed, sizeof(sealed), row[i].sealed);
        assert_int_equal(sealed_len, plain_len + TAG_LEN);
        if (row[i].cipher == CIPHER_AES256GCM) {
            crypto_aead_aes256gcm_encrypt(out, NULL, plain, plain_len, ad, ad_len, NULL, nonce,
                                          key);
        } else {
            crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, plain_len, ad, ad_len, NULL,
                                                      nonce, key);
        }
        assert_memory_equal(out, sealed, sealed_len);
    }
}

/* What another library (OpenSSL 3) makes of key 00..1f, nonce 0000 0000 || counter, the header as
 * associated data and plaintext octets 7 i + 1. Holds layout of nonce and associated data. */
static void test_golden_data(void **state)
{
    static const struct {
        enum cipher cipher;
        uint32_t len;
        const char *sealed;
    } row[] = {
        { CIPHER_AES256GCM, 0, "f38920622a2649bec99114ee8848a668" },
        { CIPHER_AES256GCM, 6, "01d49b4f76b032023cf4be3f264242d33e46cef1855b" },
        { CIPHER_AES256GCM, 61,
          "01d49b4f76b0a5c1103a33378cf1ea5c68ce43ec543ae6f176b329ee115e1cee"
          "54fc5aa45c218417c0043f37dbe5f576fe06cabb6a16ea74111a7cd7ab3f194c"
          "ccd6f647befab2815ddcc89d47" },
        { CIPHER_CHACHA20POLY1305, 0, "fb2cdeeb51d7a5689bbc4e14fedf988e" },
        { CIPHER_CHACHA20POLY1305, 6, "281c565856c0a5b00fde74dc5411c7ee5ec3945ecf3e" },
        { CIPHER_CHACHA20POLY1305, 61,
          "281c565856c02427c2b2a2c45a5230e94b11bdb5f34afe5efe23cdb71797b142"
          "3dceda040a823c9e83d345a699347f7b22c45e0cdac454fadf2b2951960d471f"
          "424339e1f47e080506d74dae89" },
    };

    (void)state;
    for (size_t i = 0; i < N(row); i++) {
        uint8_t hdr[DATA_HDR_LEN], plain[64], expect[80], buf[80];

        if (!seal_supported(row[i].cipher))
            continue;
        struct seal_key k = key_of(row[i].cipher);
        wire_put_data(hdr, KIND_HOST, 0x01020304, UINT64_C(0x1122334455667788));
        fill(plain, row[i].len, 7, 1);
        memcpy(buf, plain, row[i].len);
        assert_int_equal(unhex(expect, sizeof(expect), row[i].sealed), row[i].len + TAG_LEN);

        struct seal_op op = { .hdr = hdr, .src = buf, .dst = buf, .len = row[i].len };
        seal_run(&k, &op, 1);
        assert_memory_equal(buf, expect, row[i].len + TAG_LEN);
        assert_int_equal(open_run(&k, &op, 1), 1);
        assert_true(op.ok);
        assert_memory_equal(buf, plain, row[i].len);
    }
}

static void direct_seal(enum cipher c, const uint8_t *hdr, const uint8_t *plain, size_t len,
                        uint8_t *out)
{
    uint8_t raw[KEY_LEN], nonce[12] = { 0 };
    uint64_t counter = wire_data_counter(hdr);

    fill(raw, KEY_LEN, 1, 0);
    for (int i = 11; i >= 4; i--, counter >>= 8)
        nonce[i] = (uint8_t)counter;
    if (c == CIPHER_AES256GCM)
        crypto_aead_aes256gcm_encrypt(out, NULL, plain, len, hdr, DATA_HDR_LEN, NULL, nonce, raw);
    else
        crypto_aead_chacha20poly1305_ietf_encrypt(out, NULL, plain, len, hdr, DATA_HDR_LEN, NULL,
                                                  nonce, raw);
}

/* One length: out of place and in place, both equal to a direct call, and back. Buffers have their
 * exact size, so that the sanitizer sees a step beyond. */
static void check_length(const struct seal_key *k, uint32_t len)
{
    size_t sealed_len = (size_t)len + TAG_LEN;
    uint8_t hdr[DATA_HDR_LEN];
    uint8_t *plain = malloc(len + 1u), *expect = malloc(sealed_len), *sealed = malloc(sealed_len);
    uint8_t *inplace = malloc(sealed_len), *opened = malloc(len + 1u);

    wire_put_data(hdr, KIND_PEER, 0xa0b0c0d0, UINT64_C(0x0102030405060708) * (len + 1u));
    fill(plain, len, 31, len);
    memcpy(inplace, plain, len);
    direct_seal(k->cipher, hdr, plain, len, expect);
    struct seal_op op[2] = {
        { .hdr = hdr, .src = plain, .dst = sealed, .len = len },
        { .hdr = hdr, .src = inplace, .dst = inplace, .len = len },
    };
    seal_run(k, op, 2);
    assert_memory_equal(sealed, expect, sealed_len);
    assert_memory_equal(inplace, expect, sealed_len);

    op[0].src = sealed;
    op[0].dst = opened;
    assert_int_equal(open_run(k, op, 2), 2);
    assert_true(op[0].ok && op[1].ok);
    assert_memory_equal(sealed, expect,
                        sealed_len); /* the source of the one out of place is left alone */
    assert_memory_equal(opened, plain, len);
    assert_memory_equal(inplace, plain, len);
    free(plain);
    free(expect);
    free(sealed);
    free(inplace);
    free(opened);
}

static void test_lengths(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(CIPHERS); i++) {
        if (!seal_supported(CIPHERS[i]))
            continue;
        struct seal_key k = key_of(CIPHERS[i]);
        for (uint32_t len = 0; len <= 1500; len++)
            check_length(&k, len);
        check_length(&k, 9000);
    }
}

static bool all_zero(const uint8_t *p, size_t len)
{
    return len == 0 || sodium_is_zero(p, len);
}

/* @packet: header, sealed octets. Flip each bit in turn: none opens, and nothing is left to read.
 */
static void check_flips(const struct seal_key *k, const uint8_t *packet, uint32_t len)
{
    size_t total = DATA_MIN_LEN + len;

    for (size_t bit = 0; bit < 8 * total; bit++) {
        uint8_t bad[DATA_MIN_LEN + 128], out[128];

        memcpy(bad, packet, total);
        bad[bit / 8] ^= (uint8_t)(1u << (bit % 8));
        memset(out, 0xee, sizeof(out));
        struct seal_op op[2] = {
            { .hdr = bad, .src = bad + DATA_HDR_LEN, .dst = out, .len = len, .ok = true },
            { .hdr = bad,
              .src = bad + DATA_HDR_LEN,
              .dst = bad + DATA_HDR_LEN,
              .len = len,
              .ok = true },
        };
        assert_int_equal(open_run(k, op, 2), 0);
        assert_false(op[0].ok || op[1].ok);
        assert_true(all_zero(out, len));
        assert_int_equal(out[len], 0xee);
        assert_true(all_zero(bad + DATA_HDR_LEN, len));
    }
}

static void test_flipped_bits(void **state)
{
    static const uint32_t lens[] = { 0, 1, 16, 61, 127 };

    (void)state;
    for (size_t i = 0; i < N(CIPHERS); i++) {
        if (!seal_supported(CIPHERS[i]))
            continue;
        struct seal_key k = key_of(CIPHERS[i]);
        for (size_t j = 0; j < N(lens); j++) {
            uint8_t packet[DATA_MIN_LEN + 128];

            wire_put_data(packet, KIND_HOST, 7, 9);
            fill(packet + DATA_HDR_LEN, lens[j], 3, 5);
            struct seal_op op = { .hdr = packet,
                                  .src = packet + DATA_HDR_LEN,
                                  .dst = packet + DATA_HDR_LEN,
                                  .len = lens[j] };
            seal_run(&k, &op, 1);
            check_flips(&k, packet, lens[j]);
        }
    }
}

/* In a run one bad packet fails alone. Another key opens nothing, nor does a wiped one. */
static void test_runs(void **state)
{
    (void)state;
    for (size_t i = 0; i < N(CIPHERS); i++) {
        uint8_t packet[5][DATA_MIN_LEN + 40], raw[KEY_LEN] = { 1 };
        struct seal_op op[5];

        if (!seal_supported(CIPHERS[i]))
            continue;
        struct seal_key k = key_of(CIPHERS[i]), other;
        for (unsigned j = 0; j < 5; j++) {
            wire_put_data(packet[j], KIND_HOST, 7, j);
            fill(packet[j] + DATA_HDR_LEN, 40, 3, j);
            op[j] = (struct seal_op){ .hdr = packet[j],
                                      .src = packet[j] + DATA_HDR_LEN,
                                      .dst = packet[j] + DATA_HDR_LEN,
                                      .len = 40 };
        }
        seal_run(&k, op, 5);

        uint8_t copy[5][DATA_MIN_LEN + 40];
        memcpy(copy, packet, sizeof(copy));
        packet[2][DATA_HDR_LEN + 8] ^= 1;
        assert_int_equal(open_run(&k, op, 5), 4);
        for (unsigned j = 0; j < 5; j++) {
            uint8_t plain[40];
            fill(plain, 40, 3, j);
            assert_int_equal(op[j].ok, j != 2);
            assert_int_equal(memcmp(packet[j] + DATA_HDR_LEN, plain, 40) == 0, j != 2);
        }

        memcpy(packet, copy, sizeof(copy));
        seal_key_init(&other, CIPHERS[i], raw);
        assert_int_equal(open_run(&other, op, 5), 0);
        memcpy(packet, copy, sizeof(copy));
        seal_key_wipe(&k);
        assert_true(sodium_is_zero((const uint8_t *)&k, sizeof(k)));
        assert_int_equal(open_run(&k, op, 5), 0);
    }
}

static void test_choice(void **state)
{
    const uint8_t chacha = CIPHER_CHACHA20POLY1305;
    const uint8_t best =
        seal_supported(CIPHER_AES256GCM) ? CIPHER_AES256GCM : CIPHER_CHACHA20POLY1305;
    const struct {
        const char *name;
        uint8_t offered[4];
        unsigned n;
        uint8_t chosen;
    } row[] = {
        { "nothing offered", { 0 }, 0, CIPHER_NONE },
        { "none is no cipher", { CIPHER_NONE }, 1, CIPHER_NONE },
        { "unknown only", { 3, 77, 255 }, 3, CIPHER_NONE },
        { "ChaCha only", { CIPHER_CHACHA20POLY1305 }, 1, chacha },
        { "unknown first", { 9, CIPHER_CHACHA20POLY1305 }, 2, chacha },
        { "AES preferred", { CIPHER_AES256GCM, CIPHER_CHACHA20POLY1305 }, 2, best },
        { "ChaCha preferred", { CIPHER_CHACHA20POLY1305, CIPHER_AES256GCM }, 2, chacha },
        { "what lies behind n is not read", { 9, CIPHER_CHACHA20POLY1305 }, 1, CIPHER_NONE },
    };
    uint8_t offer[CIPHERS_MAX];

    (void)state;
    for (size_t i = 0; i < N(row); i++)
        if (seal_choose(row[i].offered, row[i].n) != (enum cipher)row[i].chosen)
            fail_msg("%s", row[i].name);
    unsigned n = seal_offer(offer);
    assert_int_equal(n, best == CIPHER_AES256GCM ? 2 : 1);
    assert_int_equal(offer[0], best);
    assert_int_equal(offer[n - 1], CIPHER_CHACHA20POLY1305);
    assert_int_equal(seal_choose(offer, n), best);
    assert_string_equal(cipher_name(CIPHER_NONE), "none");
    assert_string_equal(cipher_name(CIPHER_AES256GCM), "AES-256-GCM");
    assert_string_equal(cipher_name(CIPHER_CHACHA20POLY1305), "ChaCha20-Poly1305");
}

/* Any alignment of header, source and destination, any length up to the largest packet, in place
 * and out of place: what libsodium makes of it, and back. */
static void test_random(void **state)
{
    static uint8_t hdr[DATA_HDR_LEN + 64], plain[9000 + 64], sealed[9016 + 64], expect[9016],
        inplace[9016 + 64];

    (void)state;
    for (size_t c = 0; c < N(CIPHERS); c++) {
        if (!seal_supported(CIPHERS[c]))
            continue;
        struct seal_key k = key_of(CIPHERS[c]);
        for (unsigned i = 0; i < 400; i++) {
            uint32_t len = i < 100 ? randombytes_uniform(200) : randombytes_uniform(9001);
            uint8_t *h = hdr + randombytes_uniform(64), *p = plain + randombytes_uniform(64);
            uint8_t *s = sealed + randombytes_uniform(64), *o = inplace + randombytes_uniform(64);

            randombytes_buf(h, DATA_HDR_LEN);
            randombytes_buf(p, len);
            memcpy(o, p, len);
            direct_seal(k.cipher, h, p, len, expect);
            struct seal_op op[2] = { { .hdr = h, .src = p, .dst = s, .len = len },
                                     { .hdr = h, .src = o, .dst = o, .len = len } };
            seal_run(&k, op, 2);
            assert_memory_equal(s, expect, len + TAG_LEN);
            assert_memory_equal(o, expect, len + TAG_LEN);
            assert_int_equal(open_run(&k, &op[1], 1), 1);
            assert_memory_equal(o, p, len);
            memcpy(expect, p, len);
            memset(p, 0xee, len);
            op[0].src = s;
            op[0].dst = p;
            assert_int_equal(open_run(&k, op, 1), 1);
            assert_memory_equal(p, expect, len);
        }
    }
}

int seal_tests_run(const char *name)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_vectors),
        cmocka_unit_test(test_golden_data),
        cmocka_unit_test(test_lengths),
        cmocka_unit_test(test_flipped_bits),
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_random),
    };

    return cmocka_run_group_tests_name(name, tests, NULL, NULL);
}
