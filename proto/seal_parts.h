/* SPDX-License-Identifier: MIT */
/* seal_parts.h - between the files of seal: libsodium as a provider, and the test of a provider */
#ifndef SIXTAP_PROTO_SEAL_PARTS_H
#define SIXTAP_PROTO_SEAL_PARTS_H

#include "proto/aead.h"

/* seal_sodium() - libsodium's provider of @c; NULL when this CPU cannot (AES-256-GCM), or before
 * sodium_init() */
const struct aead_provider *seal_sodium(enum cipher c);

/* seal_test() - does @p give the octets it should, and refuse what it should? (seal_selftest.c) */
bool seal_test(const struct aead_provider *p);

#endif
