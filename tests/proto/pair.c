/* SPDX-License-Identifier: MIT */
/* pair.c - a client's and a router's keyset facing each other, for the tests of keypairs */
#include "pair.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

struct packet pair_pool[RUN_MAX];
struct rx pair_rx[BURST_MAX];
struct seal_cache pair_cache[2];
static uint8_t cache_room[2][SEAL_CACHE_BYTES(4 * SEAL_CACHE_MIN)];

/* The keypair login number @n gives to either side. Odd ones use the other cipher. */
struct keypair pair_keypair(unsigned n, enum keypair_role role, mono_ns now)
{
    struct session_keys keys;
    struct keypair kp;
    uint8_t offer[CIPHERS_MAX];
    unsigned n_offer = seal_offer(offer);
    bool client = role == ROLE_INITIATOR;

    memset(keys.tx, (int)(2 * n + client), KEY_LEN);
    memset(keys.rx, (int)(2 * n + !client), KEY_LEN);
    keypair_init(&kp, (enum cipher)offer[n % n_offer], &keys, (client ? 1000 : 2000) + n,
                 (client ? 2000 : 1000) + n, now);
    return kp;
}

/* Seal @n packets of @ks into pair_pool[at..]; false when the set refuses. */
bool pair_send_at(struct keyset *ks, unsigned at, unsigned n, mono_ns now)
{
    struct pkt pt[RUN_MAX] = { 0 };
    uint8_t kind[RUN_MAX] = { 0 };

    for (unsigned i = 0; i < n; i++) {
        memset(pair_pool[at + i].b, (int)(at + i), sizeof(pair_pool[at + i].b));
        pt[i] = (struct pkt){ .p = pair_pool[at + i].b, .len = PT_LEN };
        kind[i] = i % 2 ? KIND_CONTROL : KIND_HOST;
    }
    if (!keyset_seal_run(ks, pt, kind, n, now))
        return false;
    for (unsigned i = 0; i < n; i++) {
        struct packet *p = &pair_pool[at + i];

        p->d = (struct dgram){ .p = p->b, .len = (uint16_t)pt[i].len };
        assert_int_equal(pt[i].len, PT_LEN + DATA_MIN_LEN);
        assert_int_equal(wire_peek(p->b, pt[i].len), WIRE_DATA);
        assert_int_equal(wire_data_kind(p->b), kind[i]);
    }
    return true;
}

bool pair_send(struct keyset *ks, unsigned n, mono_ns now)
{
    return pair_send_at(ks, 0, n, now);
}

/* Open pair_pool[at..at + n) at @ks as one run. */
unsigned pair_recv_at(struct keyset *ks, unsigned at, unsigned n, mono_ns now)
{
    unsigned n_open, n_none = 0;

    for (unsigned i = 0; i < n; i++)
        pair_rx[i] = (struct rx){
            .d = &pair_pool[at + i].d, .drop = DROP_COUNT, .newest = true, .promoted = true
        };
    n_open = keyset_open_run(ks, wire_data_index(pair_pool[at].b), pair_rx, n, now);
    for (unsigned i = 0; i < n; i++) {
        assert_true(pair_rx[i].drop < DROP_COUNT);
        n_none += pair_rx[i].drop == DROP_NONE;
    }
    assert_int_equal(n_open, n_none);
    return n_open;
}

unsigned pair_recv(struct keyset *ks, unsigned n, mono_ns now)
{
    return pair_recv_at(ks, 0, n, now);
}

void pair_assert_plain(unsigned at)
{
    for (unsigned i = 0; i < PT_LEN; i++)
        assert_int_equal(pair_pool[at].b[DATA_HDR_LEN + i], (uint8_t)at);
}

uint32_t pair_sent_under(unsigned at)
{
    return wire_data_index(pair_pool[at].b);
}

/* One packet from @from opens at @to. */
void pair_assert_passes(struct keyset *from, struct keyset *to, mono_ns now)
{
    assert_true(pair_send(from, 1, now));
    assert_int_equal(pair_recv(to, 1, now), 1);
    pair_assert_plain(0);
}

void pair_init(struct pair *p)
{
    memset(p, 0xcc, sizeof(*p));
    seal_cache_init(&pair_cache[0], cache_room[0], SEAL_CACHE_MIN);
    seal_cache_init(&pair_cache[1], cache_room[1], 4 * SEAL_CACHE_MIN);
    keyset_init(&p->client, ROLE_INITIATOR);
    keyset_init(&p->router, ROLE_RESPONDER);
    keyset_share(&p->client, &pair_cache[0]);
    keyset_share(&p->router, &pair_cache[1]);
}

/* The whole exchange: reply at the client, first DATA at the router's tentative keypair, answer. */
void pair_log_in(struct pair *p, unsigned n, mono_ns now)
{
    struct keypair at_client = pair_keypair(n, ROLE_INITIATOR, now);
    struct keypair tentative = pair_keypair(n, ROLE_RESPONDER, now);

    keyset_install(&p->client, &at_client, now, MID);
    assert_true(pair_send(&p->client, 1, now));
    assert_int_equal(keypair_open(&tentative, &pair_pool[0].d, now), DROP_NONE);
    pair_assert_plain(0);
    keyset_install(&p->router, &tentative, now, MID);
    keyset_promote(&p->router, now);
    pair_assert_passes(&p->router, &p->client, now);
    assert_true(pair_rx[0].promoted);
    assert_int_equal(pair_rx[0].slot, SLOT_CURRENT);
}

void pair_up(struct pair *p, mono_ns now)
{
    pair_init(p);
    pair_log_in(p, 1, now);
}

static uint32_t rnd_state = 7;

uint32_t pair_rnd(uint32_t below)
{
    rnd_state = rnd_state * 1664525u + 1013904223u;
    return (rnd_state >> 8) % below;
}
