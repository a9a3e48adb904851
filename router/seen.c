/* SPDX-License-Identifier: MIT */
/* seen.c - what is remembered of IPv4 addresses that ask, in a fixed number of octets */
#include "router/seen.h"

#include <sodium.h>

#define MARKS 3u /* of an address in its word; they may fall together */
#define FIELD 2u /* bits of a counter */

struct place {
    uint32_t h;          /* which word, in any filter */
    uint8_t mark[MARKS]; /* where in it */
};

static struct place place_of(const struct seen_ips *s, be32 ip)
{
    uint8_t h[crypto_shorthash_BYTES];
    struct place p;

    crypto_shorthash(h, ip.b, sizeof(ip.b), s->hash_key);
    p.h = be32_load(h);
    memcpy(p.mark, h + 4, MARKS);
    return p;
}

/* ---- turns ---- */

static void empty(uint64_t (*word)[2], uint32_t n, unsigned which)
{
    for (uint32_t i = 0; i < n; i++) {
        if (word[i][which]) /* pages nobody wrote to stay unwritten */
            word[i][which] = 0;
    }
}

/* Return: how many filters are to be emptied, the young one first */
static unsigned turn(struct seen_turns *t, mono_ns memory, mono_ns now)
{
    mono_ns age = time_since(now, t->since);

    if (age < memory)
        return 0;
    t->young ^= 1;
    if (age < 2 * memory) {
        t->since += memory; /* not now: a late turn must not make memories longer */
        return 1;
    }
    t->since = now; /* nobody asked for so long that the other one is old as well */
    return 2;
}

static void pass(struct seen_ips *s, mono_ns now)
{
    unsigned n = turn(&s->asking, ASKED_MEMORY, now);

    for (unsigned i = 0; i < n; i++)
        empty(s->asked, SEEN_WORDS, s->asking.young ^ i);
    n = turn(&s->proving, VAIN_MEMORY, now);
    for (unsigned i = 0; i < n; i++) {
        empty(s->vain, SEEN_VAIN_WORDS, s->proving.young ^ i);
        empty(s->proven, SEEN_PROVEN_WORDS, s->proving.young ^ i);
        s->n_vain = 0;
    }
}

/* ---- Bloom filters ---- */

static uint64_t bits_of(const struct place *p)
{
    uint64_t bits = 0;

    for (unsigned i = 0; i < MARKS; i++)
        bits |= UINT64_C(1) << p->mark[i] % 64;
    return bits;
}

static bool holds(const uint64_t *pair, uint64_t bits)
{
    return (pair[0] & bits) == bits || (pair[1] & bits) == bits;
}

bool seen_before(struct seen_ips *s, be32 ip, mono_ns now)
{
    pass(s, now);
    struct place p = place_of(s, ip);
    uint64_t *pair = s->asked[p.h % SEEN_WORDS], bits = bits_of(&p);
    bool known = holds(pair, bits);

    pair[s->asking.young] |= bits;
    return known;
}

bool seen_proven(const struct seen_ips *s, be32 ip)
{
    struct place p = place_of(s, ip);

    return holds(s->proven[p.h % SEEN_PROVEN_WORDS], bits_of(&p));
}

void seen_note_proven(struct seen_ips *s, be32 ip)
{
    struct place p = place_of(s, ip);

    s->proven[p.h % SEEN_PROVEN_WORDS][s->proving.young] |= bits_of(&p);
}

/* ---- counters ---- */

static unsigned shift_of(const struct place *p, unsigned i)
{
    return p->mark[i] % (64 / FIELD) * FIELD;
}

static unsigned least(uint64_t word, const struct place *p)
{
    unsigned n = SEEN_VAIN_FULL;

    for (unsigned i = 0; i < MARKS; i++) {
        unsigned c = (unsigned)(word >> shift_of(p, i)) & SEEN_VAIN_FULL;
        n = c < n ? c : n;
    }
    return n;
}

static unsigned count(const uint64_t *pair, const struct place *p)
{
    unsigned a = least(pair[0], p), b = least(pair[1], p);

    return a > b ? a : b; /* the younger one went on from what the older one had */
}

unsigned seen_in_vain(const struct seen_ips *s, be32 ip)
{
    struct place p = place_of(s, ip);

    return count(s->vain[p.h % SEEN_VAIN_WORDS], &p);
}

/* Who is at SEEN_VAIN_FULL is not written anew, so that it ends. */
void seen_note_vain(struct seen_ips *s, be32 ip)
{
    struct place p = place_of(s, ip);
    uint64_t *pair = s->vain[p.h % SEEN_VAIN_WORDS], *word = &pair[s->proving.young];
    unsigned n = count(pair, &p);

    if (n == SEEN_VAIN_FULL)
        return;
    if (least(*word, &p) == 0) {
        if (s->n_vain == SEEN_VAIN_MAX)
            return;
        s->n_vain++;
    }
    for (unsigned i = 0; i < MARKS; i++) { /* those that are higher are others' as well */
        uint64_t c = *word >> shift_of(&p, i) & SEEN_VAIN_FULL;
        if (c <= n)
            *word += (n + 1 - c) << shift_of(&p, i);
    }
}

void seen_prefetch(const struct seen_ips *s, be32 ip)
{
    struct place p = place_of(s, ip);

    __builtin_prefetch(s->asked[p.h % SEEN_WORDS], 1);
    __builtin_prefetch(s->vain[p.h % SEEN_VAIN_WORDS]);
}
