/* SPDX-License-Identifier: MIT */
/* test_ipsecmb.c - libipsec-mb behind seal: the same rows as libsodium (tests/proto/seal_tests.c),
 * the same failures */
#include "proto/host/ipsecmb.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "proto/seal.h"
#include "seal_tests.h"

static const enum cipher CIPHERS[] = { CIPHER_AES256GCM, CIPHER_CHACHA20POLY1305 };

static void test_is_used(void **state)
{
    (void)state;
    for (unsigned i = 0; i < 2; i++) {
        const struct aead_provider *p = ipsecmb_provider(CIPHERS[i]);
        assert_ptr_equal(p, ipsecmb_provider(CIPHERS[i]));
        assert_int_equal(p->cipher, CIPHERS[i]);
        assert_ptr_equal(seal_provider_name(CIPHERS[i]), p->name);
        assert_memory_equal(p->name, "libipsec-mb ", strlen("libipsec-mb "));
    }
    assert_null(ipsecmb_provider(CIPHER_NONE));
}

/* What one seals the other opens, and of a packet with a bit changed neither says anything else. */
static void test_agrees_with_libsodium(void **state)
{
    static uint8_t packet[DATA_MIN_LEN + 2000], out[2][2000];

    (void)state;
    for (unsigned c = 0; c < 2; c++) {
        if (!seal_supported(CIPHERS[c]))
            continue;
        uint8_t raw[KEY_LEN];
        struct seal_key k[2];

        randombytes_buf(raw, sizeof(raw));
        seal_key_init(&k[0], CIPHERS[c], raw);
        seal_provider_set(NULL);
        seal_key_init(&k[1], CIPHERS[c], raw);
        for (unsigned j = 0; j < 2; j++)
            assert_true(seal_provider_set(ipsecmb_provider(CIPHERS[j])));
        assert_ptr_not_equal(k[0].by, k[1].by);
        for (unsigned i = 0; i < 600; i++) {
            uint32_t len = randombytes_uniform(2001);
            bool bad = i % 2;
            struct seal_op op = { .hdr = packet,
                                  .src = packet + DATA_HDR_LEN,
                                  .dst = packet + DATA_HDR_LEN,
                                  .len = len };

            randombytes_buf(packet, DATA_HDR_LEN + len);
            seal_run(&k[i / 2 % 2], &op, 1);
            if (bad)
                packet[randombytes_uniform(DATA_MIN_LEN + len)] ^= (uint8_t)(1u << i % 8);
            /* the first four octets of the header are associated data too, so all of it counts */
            for (unsigned j = 0; j < 2; j++) {
                op.dst = out[j];
                memset(out[j], 0xee, sizeof(out[j]));
                assert_int_equal(open_run(&k[j], &op, 1), !bad);
            }
            assert_memory_equal(out[0], out[1], sizeof(out[0]));
            if (bad && len)
                assert_true(sodium_is_zero(out[0], len));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_is_used),
        cmocka_unit_test(test_agrees_with_libsodium),
    };

    if (sodium_init() < 0)
        return 1;
    if (!ipsecmb_provider(CIPHER_AES256GCM)) {
        print_message("skipped: libipsec-mb is not built in, or this CPU cannot use it\n");
        return 77;
    }
    for (unsigned i = 0; i < 2; i++) {
        if (!seal_provider_set(ipsecmb_provider(CIPHERS[i])))
            return 1;
    }
    int failed = seal_tests_run("libipsec-mb");
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
