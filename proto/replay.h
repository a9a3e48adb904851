/* SPDX-License-Identifier: MIT */
/* replay.h - the window that lets each counter of a keypair through once
 *
 * DOC: a ring of words, RFC 6479 shape: 2 048 bits less one word can be behind the highest counter.
 * replay_check() asks before the costly opening, replay_commit() records after it: the window never
 * moves for a packet that was not authentic.
 *
 * Standards: RFC 6479, RFC 4303 3.4.3.
 */
#ifndef SIXTAP_PROTO_REPLAY_H
#define SIXTAP_PROTO_REPLAY_H

#include <stdbool.h>
#include <stdint.h>

#define REPLAY_BITS   2048u
#define REPLAY_WORDS  (REPLAY_BITS / 64u)
#define REPLAY_WINDOW (REPLAY_BITS - 64u)        /* how far behind the highest is still accepted */
#define COUNTER_LIMIT (UINT64_MAX - REPLAY_BITS) /* counters from here on are refused */

struct replay {
    uint64_t next; /* highest counter committed + 1; 0: none */
    uint64_t word[REPLAY_WORDS];
};

/* replay_init() */
void replay_init(struct replay *r);

/* replay_prefetch() - replay_check() and replay_commit() of @counter are next */
static inline void replay_prefetch(const struct replay *r, uint64_t counter)
{
    __builtin_prefetch(&r->next);
    __builtin_prefetch(&r->word[counter / 64 % REPLAY_WORDS]);
}

/* replay_check() - would @counter be accepted? Changes nothing. */
bool replay_check(const struct replay *r, uint64_t counter);

/* replay_commit() - record an authentic @counter; false when it was already there or is too old
 * (then nothing changes). @ret_newest (may be NULL): is it the highest so far? */
bool replay_commit(struct replay *r, uint64_t counter, bool *ret_newest);

#endif
