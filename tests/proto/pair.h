/* SPDX-License-Identifier: MIT */
/* pair.h - a client's and a router's keyset facing each other, for the tests of keypairs
 *
 * DOC: login number n has index 1000 + n at the client and 2000 + n at the router; odd and even
 * ones use different ciphers. Packets live in pair_pool; the plaintext of pair_pool[i] is PT_LEN
 * octets of value i.
 */
#ifndef SIXTAP_TESTS_PROTO_PAIR_H
#define SIXTAP_TESTS_PROTO_PAIR_H

#include "proto/keypair.h"

#define N(a)    (sizeof(a) / sizeof((a)[0]))
#define T0      (5 * NS_PER_S)
#define MID     UINT32_C(0x80000000) /* random word in the middle: no jitter */
#define PT_LEN  24u
#define RUN_MAX 130u

struct packet {
    uint8_t b[PT_LEN + DATA_MIN_LEN];
    struct dgram d;
};

struct pair { /* a client and a router that know each other */
    struct keyset client, router;
};

extern struct packet pair_pool[RUN_MAX];
extern struct rx pair_rx[BURST_MAX];
extern struct seal_cache pair_cache[2];
/* of client and router, since the last pair_init() */ /* results of the last run opened */

/* pair_keypair() - the keypair login number @n gives to either side */
struct keypair pair_keypair(unsigned n, enum keypair_role role, mono_ns now);

/* pair_init() - two empty sets, in memory that was not zero */
void pair_init(struct pair *p);

/* pair_log_in() - the whole exchange: reply at the client, first DATA at the router's tentative
 * keypair, answer */
void pair_log_in(struct pair *p, unsigned n, mono_ns now);

/* pair_up() - pair_init(), then login number 1 */
void pair_up(struct pair *p, mono_ns now);

/* pair_send(), pair_send_at() - seal @n packets of @ks into the pool; false when the set refuses */
bool pair_send_at(struct keyset *ks, unsigned at, unsigned n, mono_ns now);
bool pair_send(struct keyset *ks, unsigned n, mono_ns now);

/* pair_recv(), pair_recv_at() - open @n packets of the pool at @ks as one run; returns how many
 * opened */
unsigned pair_recv_at(struct keyset *ks, unsigned at, unsigned n, mono_ns now);
unsigned pair_recv(struct keyset *ks, unsigned n, mono_ns now);

/* pair_sent_under() - the index in the header of pair_pool[at] */
uint32_t pair_sent_under(unsigned at);

/* pair_assert_plain() - pair_pool[at] holds its plaintext */
void pair_assert_plain(unsigned at);

/* pair_assert_passes() - one packet from @from opens at @to */
void pair_assert_passes(struct keyset *from, struct keyset *to, mono_ns now);

/* pair_rnd() - the same numbers in every run, 0..below - 1 */
uint32_t pair_rnd(uint32_t below);

#endif
