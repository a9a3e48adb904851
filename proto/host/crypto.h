/* SPDX-License-Identifier: MIT */
/* crypto.h - which library carries out the ciphers of DATA: chosen once at start, told to whoever
 * asks
 *
 * DOC: libsodium does everything; where libipsec-mb is built in and this CPU can use it, it takes
 * over the ciphers of DATA. SIXTAP_CRYPTO in the environment decides otherwise: "libsodium" keeps
 * to libsodium alone (to compare, or when the other is under suspicion), "auto" is the default. The
 * handshake is libsodium's in any case. This module knows libraries; what tests and uses a provider
 * (proto/seal.h) comes in as two functions.
 */
#ifndef SIXTAP_HOST_CRYPTO_H
#define SIXTAP_HOST_CRYPTO_H

#include <json-c/json.h>
#include <stdio.h>

#include "proto/aead.h"

struct crypto_use { /* proto/seal.h: seal_provider_set(), seal_provider_name() */
    bool (*set)(const struct aead_provider *p);
    const char *(*name)(enum cipher c);
};

/* crypto_init() - start libsodium and choose; before anything else of libsodium. @use stays.
 * NULL: libsodium is started and nothing chosen.
 * Return: 0, or -EIO when libsodium finds no random numbers. */
int crypto_init(const struct crypto_use *use);

/* crypto_note() - what is lost and why, for a person; NULL when nothing is
 * @ret_warning (may be NULL): it is nothing anybody asked for */
const char *crypto_note(bool *ret_warning);

/* crypto_print() - one line for each cipher, and the note, as --version shows them */
void crypto_print(FILE *out);

/* crypto_log() - the same to the log; a warning when a provider failed its test */
void crypto_log(void);

/* crypto_put_json() - the same as object "crypto" of @o, as status shows it */
void crypto_put_json(struct json_object *o);

#endif
