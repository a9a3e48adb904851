/* SPDX-License-Identifier: MIT */
/* crypto.c - which library carries out the ciphers of DATA */
#include "proto/host/crypto.h"

#include <errno.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>

#include "proto/host/ipsecmb.h"
#include "proto/host/json.h"
#include "proto/host/log.h"

#define VARIABLE "SIXTAP_CRYPTO"

static const struct {
    enum cipher cipher;
    const char *name;
} ciphers[] = {
    { CIPHER_AES256GCM, "AES-256-GCM" },
    { CIPHER_CHACHA20POLY1305, "ChaCha20-Poly1305" },
};

#define N_CIPHERS (sizeof(ciphers) / sizeof(ciphers[0]))

static const struct crypto_use *in_use;
static const char *note;
static bool is_warning;

static void tell(const char *text, bool warning)
{
    note = text;
    is_warning = warning;
}

/* What the environment wants: false for libsodium alone. */
static bool wanted(void)
{
    const char *v = getenv(VARIABLE);

    if (!v || !*v || strcmp(v, "auto") == 0)
        return true;
    if (strcmp(v, "libsodium") == 0)
        tell("libsodium alone, as " VARIABLE " says", false);
    else
        tell("libsodium alone: " VARIABLE " is neither `auto` nor `libsodium`", true);
    return false;
}

static void choose(const struct crypto_use *use)
{
    if (!wanted())
        return;
    if (!ipsecmb_built()) {
        tell("built without libipsec-mb: AES-256-GCM costs several times more per packet", false);
        return;
    }
    if (!ipsecmb_provider(CIPHER_AES256GCM)) {
        tell("libipsec-mb cannot use this CPU: AES-256-GCM costs several times more per packet",
             false);
        return;
    }
    for (size_t i = 0; i < N_CIPHERS; i++) {
        const struct aead_provider *p = ipsecmb_provider(ciphers[i].cipher);
        if (p && !use->set(p))
            tell("libipsec-mb failed the self-test on this CPU and is not used where it did; "
                 "please report this",
                 true);
    }
}

int crypto_init(const struct crypto_use *use)
{
    if (sodium_init() < 0)
        return -EIO;
    in_use = use;
    tell(NULL, false);
    if (use) {
        use->set(NULL);
        choose(use);
    }
    return 0;
}

const char *crypto_note(bool *ret_warning)
{
    if (ret_warning)
        *ret_warning = is_warning;
    return note;
}

static const char *provider(enum cipher c)
{
    const char *name = in_use ? in_use->name(c) : NULL;
    return name ? name : "not on this CPU";
}

void crypto_print(FILE *out)
{
    if (!in_use)
        return;
    for (size_t i = 0; i < N_CIPHERS; i++)
        fprintf(out, "%s: %s\n", ciphers[i].name, provider(ciphers[i].cipher));
    if (note)
        fprintf(out, "%s\n", note);
}

void crypto_log(void)
{
    log_info("ciphers: %s by %s, %s by %s", ciphers[0].name, provider(ciphers[0].cipher),
             ciphers[1].name, provider(ciphers[1].cipher));
    if (note && is_warning)
        log_warn("%s", note);
    else if (note)
        log_info("%s", note);
}

void crypto_put_json(struct json_object *o)
{
    struct json_object *list = json_object_new_object();

    for (size_t i = 0; i < N_CIPHERS; i++)
        json_put_text(list, ciphers[i].name, provider(ciphers[i].cipher));
    if (note)
        json_put_text(list, "note", note);
    json_object_object_add(o, "crypto", list);
}
