/* SPDX-License-Identifier: MIT */
/* client_world.h - a client and a fake router, put back to the same state for each input */
#ifndef SIXTAP_TESTS_FUZZ_CLIENT_WORLD_H
#define SIXTAP_TESTS_FUZZ_CLIENT_WORLD_H

#include "../client/fake_router.h"
#include "fuzz.h"

enum client_start {
    CLIENT_ASKS, /* its LOGIN waits for an answer; the router has it and is mute */
    CLIENT_IN,   /* logged in, carrier on */
    CLIENT_STARTS,
};

/* client_world() - the world as it was then; at most 400 s may pass in it */
struct world *client_world(enum client_start at);

/* client_wait() - 1 ms .. 100 s as one octet of the input says */
void client_wait(struct world *w, struct feed *in);

/* client_check() - what holds at any time: the device that is wanted can be, a frame for the TAP is
 * one */
void client_check(const struct world *w);

#endif
