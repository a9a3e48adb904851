/* SPDX-License-Identifier: MIT */
/* ipsecmb.c - libipsec-mb as a provider of AES-256-GCM and ChaCha20-Poly1305
 *
 * DOC: SIXTAP_IPSECMB is set by CMake when the library was found.
 *
 * Standards: NIST SP 800-38D; RFC 8439 2.8.
 */
#include "proto/host/ipsecmb.h"

#ifndef SIXTAP_IPSECMB

bool ipsecmb_built(void)
{
    return false;
}

const struct aead_provider *ipsecmb_provider(enum cipher c)
{
    (void)c;
    return NULL;
}

#else

#include <intel-ipsec-mb.h>
#include <sodium.h>
#include <stdio.h>
#include <string.h>

_Static_assert(sizeof(struct gcm_key_data) <= AEAD_SCHEDULE_MAX, "room for the schedule");
_Static_assert(_Alignof(struct gcm_key_data) <= AEAD_SCHEDULE_ALIGN, "its alignment");

static struct {
    bool looked, usable;
    aes_gcm_pre_t gcm_pre;
    aes_gcm_enc_dec_t gcm_enc, gcm_dec;
    chacha_poly_init_t cc_init;
    chacha_poly_enc_dec_update_t cc_enc, cc_dec;
    chacha_poly_finalize_t cc_finalize;
    char name[64];
} lib;

bool ipsecmb_built(void)
{
    return true;
}

/* The context ends with a block of keystream in it, so it is wiped. */
static void gcm_seal(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                     const uint8_t *aad, const uint8_t *nonce)
{
    struct gcm_context_data ctx;

    lib.gcm_enc(schedule, &ctx, dst, src, len, nonce, aad, AEAD_AAD_LEN, dst + len, AEAD_TAG_LEN);
    sodium_memzero(&ctx, sizeof(ctx));
}

static bool gcm_open(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                     const uint8_t *aad, const uint8_t *nonce)
{
    struct gcm_context_data ctx;
    uint8_t tag[AEAD_TAG_LEN];

    lib.gcm_dec(schedule, &ctx, dst, src, len, nonce, aad, AEAD_AAD_LEN, tag, sizeof(tag));
    sodium_memzero(&ctx, sizeof(ctx));
    bool ok = crypto_verify_16(tag, src + len) == 0;
    sodium_memzero(tag, sizeof(tag)); /* of a forged packet it is the tag that would have passed */
    return ok;
}

static void gcm_expand(void *schedule, const uint8_t *raw)
{
    lib.gcm_pre(raw, schedule);
}

static void cc_expand(void *schedule, const uint8_t *raw)
{
    memcpy(schedule, raw, AEAD_KEY_LEN);
}

static void cc_seal(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                    const uint8_t *aad, const uint8_t *nonce)
{
    struct chacha20_poly1305_context_data ctx;

    lib.cc_init(schedule, &ctx, nonce, aad, AEAD_AAD_LEN);
    lib.cc_enc(schedule, &ctx, dst, src, len);
    lib.cc_finalize(&ctx, dst + len, AEAD_TAG_LEN);
    sodium_memzero(&ctx, sizeof(ctx));
}

static bool cc_open(const void *schedule, uint8_t *dst, const uint8_t *src, size_t len,
                    const uint8_t *aad, const uint8_t *nonce)
{
    struct chacha20_poly1305_context_data ctx;
    uint8_t tag[AEAD_TAG_LEN];

    lib.cc_init(schedule, &ctx, nonce, aad, AEAD_AAD_LEN);
    lib.cc_dec(schedule, &ctx, dst, src, len);
    lib.cc_finalize(&ctx, tag, sizeof(tag));
    sodium_memzero(&ctx, sizeof(ctx));
    bool ok = crypto_verify_16(tag, src + len) == 0;
    sodium_memzero(tag, sizeof(tag));
    return ok;
}

static const char *arch_text(const IMB_MGR *m)
{
    const uint64_t vaes = IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ;

    switch ((IMB_ARCH)m->used_arch) {
    case IMB_ARCH_AVX512:
        return (m->features & vaes) == vaes ? "AVX512, VAES" : "AVX512";
    case IMB_ARCH_AVX2:
        return "AVX2";
    case IMB_ARCH_AVX:
        return "AVX";
    default:
        return "SSE";
    }
}

static bool fit(const IMB_MGR *m)
{
    const uint64_t need = IMB_FEATURE_AESNI | IMB_FEATURE_PCLMULQDQ;
    const uint64_t test = IMB_FEATURE_SELF_TEST | IMB_FEATURE_SELF_TEST_PASS;

    if ((m->features & need) != need) /* the library would emulate: slower, and not constant-time */
        return false;
    return !(m->features & IMB_FEATURE_SELF_TEST) || (m->features & test) == test;
}

static void look(void)
{
    lib.looked = true;
    IMB_MGR *m = alloc_mb_mgr(0);
    if (!m)
        return;
    init_mb_mgr_auto(m, NULL);
    lib.gcm_pre = m->gcm256_pre;
    lib.gcm_enc = m->gcm256_enc;
    lib.gcm_dec = m->gcm256_dec;
    lib.cc_init = m->chacha20_poly1305_init;
    lib.cc_enc = m->chacha20_poly1305_enc_update;
    lib.cc_dec = m->chacha20_poly1305_dec_update;
    lib.cc_finalize = m->chacha20_poly1305_finalize;
    lib.usable = fit(m);
    snprintf(lib.name, sizeof(lib.name), "libipsec-mb %.20s (%s)", imb_get_version_str(),
             arch_text(m));
    free_mb_mgr(m);
}

const struct aead_provider *ipsecmb_provider(enum cipher c)
{
    static const struct aead_provider gcm = { lib.name, CIPHER_AES256GCM, gcm_expand, gcm_seal,
                                              gcm_open },
                                      chacha = { lib.name, CIPHER_CHACHA20POLY1305, cc_expand,
                                                 cc_seal, cc_open };

    if (!lib.looked)
        look();
    if (!lib.usable)
        return NULL;
    return c == CIPHER_AES256GCM ? &gcm : c == CIPHER_CHACHA20POLY1305 ? &chacha : NULL;
}

#endif
