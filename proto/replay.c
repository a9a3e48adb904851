/* SPDX-License-Identifier: MIT */
/* replay.c - the window that lets each counter of a keypair through once
 *
 * DOC: counter c has bit c % 64 of word (c / 64) % REPLAY_WORDS. The words from the one of the
 * highest counter back to REPLAY_WORDS - 1 before it are valid. A new highest clears the words it
 * steps into, so moving on costs whole words and shifts no bits. The word that holds the highest is
 * only partly in the past, hence the window is one word short of the ring.
 *
 * Standards: RFC 6479.
 */
#include "proto/replay.h"

#include <string.h>

void replay_init(struct replay *r)
{
    memset(r, 0, sizeof(*r));
}

static uint64_t *word_of(struct replay *r, uint64_t counter)
{
    return &r->word[(counter / 64) % REPLAY_WORDS];
}

static uint64_t bit_of(uint64_t counter)
{
    return UINT64_C(1) << (counter % 64);
}

bool replay_check(const struct replay *r, uint64_t counter)
{
    if (counter >= COUNTER_LIMIT)
        return false;
    if (counter >= r->next)
        return true;
    if (r->next - 1 - counter > REPLAY_WINDOW)
        return false;
    return !(r->word[(counter / 64) % REPLAY_WORDS] & bit_of(counter));
}

/* Move the ring on so that @counter is the highest. */
static void advance(struct replay *r, uint64_t counter)
{
    uint64_t top = r->next ? (r->next - 1) / 64 : 0;
    uint64_t n = counter / 64 - top;

    if (n > REPLAY_WORDS)
        n = REPLAY_WORDS;
    for (uint64_t i = 1; i <= n; i++)
        r->word[(top + i) % REPLAY_WORDS] = 0;
    r->next = counter + 1;
}

bool replay_commit(struct replay *r, uint64_t counter, bool *ret_newest)
{
    if (!replay_check(r, counter))
        return false;
    bool newest = counter >= r->next;
    if (newest)
        advance(r, counter);
    *word_of(r, counter) |= bit_of(counter);
    if (ret_newest)
        *ret_newest = newest;
    return true;
}
