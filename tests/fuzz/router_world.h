/* SPDX-License-Identifier: MIT */
/* router_world.h - a router with three live members, put back to the same state for each input
 *
 * DOC: logging in costs a thousand times what a packet does, so it is done once: the engine's
 * memory, the clock and the members' keys are kept and put back (the memory by the kernel, page by
 * page: most of it is tables that an input hardly touches). What must hold after every call
 * is checked here: the engine's tables agree (tests/router/check.c), answers are no longer than
 * what drew them (rig_run), and whoever delivers a packet owns its source (world_take).
 */
#ifndef SIXTAP_TESTS_FUZZ_ROUTER_WORLD_H
#define SIXTAP_TESTS_FUZZ_ROUTER_WORLD_H

#include "../router/rig.h"
#include "fuzz.h"

#define WORLDS   4u /* 0 stable, routed, multicast; 1 eui64, isolate; 2 no uplink; 3 open access */
#define MEMBERS  3u
#define NEWCOMER MEMBERS /* guest with a listed key that has not logged in */
#define GUESTS   4u

struct router_world {
    struct rig r;
    struct guest g[GUESTS];
    mono_ns limit; /* an input may let this much time pass */
};

/* world_get() - world @variant as it was right after the logins */
struct router_world *world_get(unsigned variant);

/* world_packet() - an inner packet out of the input, with addresses and checksums that fit guest @n
 * Input: FIX_*, addresses, target, chunk. Return: octets at @out */
size_t world_packet(struct router_world *w, struct feed *in, unsigned n, uint8_t *out, size_t cap);

/* world_take() - what the last call emitted is opened by its receivers and looked at
 * @from: guest whose packet it was; -1: the uplink, a timer */
void world_take(struct router_world *w, int from);

/* world_wait() - 1 ms .. 100 s as one octet of the input says, with ticks */
void world_wait(struct router_world *w, struct feed *in);

/* world_sums() - all drops counted so far */
uint64_t world_sums(const struct router_world *w);

#endif
