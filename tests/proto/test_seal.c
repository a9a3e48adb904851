/* SPDX-License-Identifier: MIT */
/* test_seal.c - seal with libsodium (seal_tests.c), and which providers are refused */
#include "proto/seal.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "proto/seal_parts.h"
#include "seal_tests.h"

/* A provider that is libsodium but for one fault. */
enum fault {
    FAULT_NONE,
    FAULT_KEY,         /* a bit of the key ignored */
    FAULT_OUTPUT,      /* one bit wrong in long packets */
    FAULT_WRAP,        /* wrong only where the low octet of the block counter wraps */
    FAULT_IN_PLACE,    /* wrong only in place */
    FAULT_OPENS_ALL,   /* tags are not looked at */
    FAULT_TAG_OCTET,   /* the last octet of the tag is not looked at */
    FAULT_NEVER_OPENS, /* refuses what is genuine */
    FAULT_PLAIN,       /* does not encrypt */
    FAULTS
};

static enum fault fault;
static enum cipher base;

static void fake_expand(void *schedule, const uint8_t *raw)
{
    uint8_t key[AEAD_KEY_LEN];

    memcpy(key, raw, sizeof(key));
    if (fault == FAULT_KEY)
        key[31] &= 0xfe; /* it is 0x1f in the vector */
    seal_sodium(base)->expand(schedule, key);
}

static void fake_seal(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                      const uint8_t *aad, const uint8_t *nonce)
{
    bool in_place = dst == src;

    if (fault == FAULT_PLAIN) {
        memmove(dst, src, len);
        memset(dst + len, 0, AEAD_TAG_LEN);
        return;
    }
    seal_sodium(base)->seal(schedule, dst, src, len, aad, nonce);
    if ((fault == FAULT_OUTPUT && len > 1000) || (fault == FAULT_WRAP && len > 16 * 255) ||
        (fault == FAULT_IN_PLACE && in_place && len > 64))
        dst[len / 2] ^= 1;
}

static bool fake_open(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                      const uint8_t *aad, const uint8_t *nonce)
{
    static uint8_t copy[16384];

    memcpy(copy, src, len + AEAD_TAG_LEN);
    bool ok = seal_sodium(base)->open(schedule, dst, copy, len, aad, nonce);
    if (fault == FAULT_NEVER_OPENS)
        return false;
    if (fault == FAULT_OPENS_ALL)
        return true;
    if (ok || fault != FAULT_TAG_OCTET)
        return ok;
    /* right but for the last octet of the tag? */
    for (unsigned v = 0; v < 256 && !ok; v++) {
        copy[len + AEAD_TAG_LEN - 1] = (uint8_t)v;
        ok = seal_sodium(base)->open(schedule, dst, copy, len, aad, nonce);
    }
    return ok;
}

static void test_provider_refused(void **state)
{
    struct aead_provider p = { "fake", CIPHER_NONE, fake_expand, fake_seal, fake_open };
    static const enum cipher both[] = { CIPHER_AES256GCM, CIPHER_CHACHA20POLY1305 };

    (void)state;
    assert_false(seal_provider_set(&p));
    for (unsigned c = 0; c < 2; c++) {
        p.cipher = base = both[c];
        if (!seal_supported(base))
            continue;
        const char *before = seal_provider_name(base);
        for (fault = FAULT_NONE + 1; fault < FAULTS; fault++) {
            if (seal_provider_set(&p))
                fail_msg("fault %d of %s not seen", fault, cipher_name(base));
            assert_ptr_equal(seal_provider_name(base), before);
        }
        fault = FAULT_NONE;
        assert_true(seal_provider_set(&p));
        assert_string_equal(seal_provider_name(base), "fake");
        assert_true(seal_provider_set(NULL));
        assert_ptr_equal(seal_provider_name(base), before);
    }
    assert_null(seal_provider_name(CIPHER_NONE));
    assert_null(seal_provider_name((enum cipher)77));
}

/* A key keeps to the provider that expanded it. */
static void test_key_remembers_provider(void **state)
{
    static const struct aead_provider p = { "fake", CIPHER_CHACHA20POLY1305, fake_expand, fake_seal,
                                            fake_open };
    uint8_t raw[KEY_LEN] = { 9 }, hdr[DATA_HDR_LEN] = { 1 }, a[100] = { 2 }, b[100] = { 2 };
    struct seal_key old, new;
    struct seal_op op = { .hdr = hdr, .src = a, .dst = a, .len = 84 };

    (void)state;
    base = p.cipher;
    fault = FAULT_NONE;
    seal_key_init(&old, base, raw);
    assert_true(seal_provider_set(&p));
    seal_key_init(&new, base, raw);
    assert_ptr_not_equal(old.by, new.by);
    assert_ptr_equal(new.by, &p);
    assert_true(seal_provider_set(NULL));
    seal_run(&old, &op, 1);
    op.src = op.dst = b;
    seal_run(&new, &op, 1);
    assert_memory_equal(a, b, sizeof(a));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_provider_refused),
        cmocka_unit_test(test_key_remembers_provider),
    };

    if (sodium_init() < 0)
        return 1;
    int failed = seal_tests_run("libsodium");
    return failed + cmocka_run_group_tests(tests, NULL, NULL);
}
