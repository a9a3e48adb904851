/* SPDX-License-Identifier: MIT */
/* ipsecmb.h - libipsec-mb as a provider of AES-256-GCM and ChaCha20-Poly1305
 *
 * DOC: the library has code for SSE, AVX2 and AVX-512 with VAES and picks by the CPU. Only its
 * direct calls are used: one packet, at once, no job queue. Its manager is wanted only for the
 * choice of functions, so it is given back at start and nothing of the library is allocated later.
 */
#ifndef SIXTAP_HOST_IPSECMB_H
#define SIXTAP_HOST_IPSECMB_H

#include "proto/aead.h"

/* ipsecmb_built() - was the library there when this program was built? */
bool ipsecmb_built(void);

/* ipsecmb_provider() - its provider of @c, which stays for ever; NULL when it was not built in,
 * this CPU lacks AES-NI or PCLMULQDQ, the library's own self-test failed, or it has no gain for @c
 * The first call, in one thread, looks at the CPU. */
const struct aead_provider *ipsecmb_provider(enum cipher c);

#endif
