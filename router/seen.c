/* SPDX-License-Identifier: MIT */
/* seen.c - did this IPv4 address ask a short while ago? In a fixed number of octets */
#include "router/seen.h"

#include <sodium.h>

static void empty(struct seen_ips *s, unsigned which)
{
    for (uint32_t i = 0; i < SEEN_WORDS; i++) {
        if (s->word[i][which]) /* pages nobody wrote to stay unwritten */
            s->word[i][which] = 0;
    }
}

static void turn(struct seen_ips *s, mono_ns now)
{
    mono_ns age = time_since(now, s->turned);

    if (age < ASKED_MEMORY)
        return;
    s->young ^= 1;
    empty(s, s->young);
    s->turned += ASKED_MEMORY;     /* not now: a late turn must not make memories longer */
    if (age >= 2 * ASKED_MEMORY) { /* nobody asked for so long that the other one is old as well */
        empty(s, s->young ^ 1);
        s->turned = now;
    }
}

bool seen_before(struct seen_ips *s, be32 ip, mono_ns now)
{
    uint8_t h[crypto_shorthash_BYTES];

    turn(s, now);
    crypto_shorthash(h, ip.b, sizeof(ip.b), s->hash_key);
    uint64_t *word = s->word[be32_load(h) % SEEN_WORDS];
    uint64_t bits = UINT64_C(1) << h[4] % 64 | UINT64_C(1) << h[5] % 64 | UINT64_C(1) << h[6] % 64;
    bool known = (word[0] & bits) == bits || (word[1] & bits) == bits;

    word[s->young] |= bits;
    return known;
}
