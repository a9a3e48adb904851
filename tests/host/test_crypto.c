/* SPDX-License-Identifier: MIT */
/* test_crypto.c - which library is chosen at start, and what is said about it */
#include "proto/host/crypto.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#include "proto/host/ipsecmb.h"
#include "proto/seal.h"

static bool refuse_aes(const struct aead_provider *p)
{
    return !(p && p->cipher == CIPHER_AES256GCM) && seal_provider_set(p);
}

static const struct crypto_use real = { seal_provider_set, seal_provider_name },
                               refusing = { refuse_aes, seal_provider_name };

static bool begins(const char *s, const char *with)
{
    return s && strncmp(s, with, strlen(with)) == 0;
}

static void test_choice(void **state)
{
    bool have = ipsecmb_provider(CIPHER_AES256GCM) != NULL;
    const struct {
        const char *name, *env;
        const struct crypto_use *use;
        bool aes_mb, chacha_mb, warning;
        const char *note; /* its beginning; NULL: none */
    } row[] = {
        { "nothing said", NULL, &real, true, true, false, NULL },
        { "empty", "", &real, true, true, false, NULL },
        { "auto", "auto", &real, true, true, false, NULL },
        { "libsodium", "libsodium", &real, false, false, false, "libsodium alone, as" },
        { "misspelt", "libsodum", &real, false, false, true, "libsodium alone: SIXTAP_CRYPTO" },
        { "fails its test", NULL, &refusing, false, true, true, "libipsec-mb failed" },
        { "well again", NULL, &real, true, true, false, NULL },
    };

    (void)state;
    for (size_t i = 0; i < sizeof(row) / sizeof(row[0]); i++) {
        bool warning, forced = row[i].env && row[i].env[0] == 'l';
        if (row[i].env)
            setenv("SIXTAP_CRYPTO", row[i].env, 1);
        else
            unsetenv("SIXTAP_CRYPTO");
        assert_int_equal(crypto_init(row[i].use), 0);
        if (begins(seal_provider_name(CIPHER_AES256GCM), "libipsec-mb ") !=
                (have && row[i].aes_mb) ||
            begins(seal_provider_name(CIPHER_CHACHA20POLY1305), "libipsec-mb ") !=
                (have && row[i].chacha_mb))
            fail_msg("%s: other library", row[i].name);
        const char *note = crypto_note(&warning);
        if (!have && !forced) {
            assert_true(strstr(note, "several times more") != NULL);
            continue;
        }
        if (row[i].note ? !begins(note, row[i].note) : note != NULL)
            fail_msg("%s: note: %s", row[i].name, note ? note : "none");
        assert_int_equal(warning, row[i].warning);
    }
}

static void test_what_is_said(void **state)
{
    char *text = NULL;
    size_t len;
    struct json_object *o = json_object_new_object(), *crypto, *v;

    (void)state;
    setenv("SIXTAP_CRYPTO", "libsodium", 1);
    assert_int_equal(crypto_init(&real), 0);
    FILE *f = open_memstream(&text, &len);
    crypto_print(f);
    fclose(f);
    assert_non_null(strstr(text, "\nChaCha20-Poly1305: libsodium " SODIUM_VERSION_STRING
                                 "\nlibsodium alone, as SIXTAP_CRYPTO says\n"));
    assert_true(begins(text, seal_supported(CIPHER_AES256GCM)
                                 ? "AES-256-GCM: libsodium " SODIUM_VERSION_STRING "\n"
                                 : "AES-256-GCM: not on this CPU\n"));
    free(text);
    crypto_put_json(o);
    assert_true(json_object_object_get_ex(o, "crypto", &crypto));
    assert_true(json_object_object_get_ex(crypto, "ChaCha20-Poly1305", &v));
    assert_string_equal(json_object_get_string(v), "libsodium " SODIUM_VERSION_STRING);
    assert_true(json_object_object_get_ex(crypto, "note", &v));
    json_object_put(o);

    assert_int_equal(crypto_init(NULL), 0);
    f = open_memstream(&text, &len);
    crypto_print(f);
    fclose(f);
    assert_string_equal(text, "");
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_choice),
        cmocka_unit_test(test_what_is_said),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
