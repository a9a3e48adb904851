/* SPDX-License-Identifier: MIT */
/* shun.h - what is not even to be received for a while
 *
 * DOC: the kind and the index of a DATA are not sealed. A member that has sent more discovery in
 * one kind (multicast, as most of it comes; peer; host) than is looked at between two sweeps
 * (NEIGHBOR_SEEN) floods: no host has as many neighbors to ask. What it sends in that kind under
 * that index is worth nothing until the next sweep, and here is the list of those, for a kernel
 * that drops them before they cost a wake-up, a copy and an AEAD. Other packets of that member and
 * kind are lost as well for the rest of that second, and what the kernel has joined to them in one
 * run; other kinds, control among them, are not.
 *
 * Only what was authentic is counted, so nobody brings another's index here, and who forges it
 * loses what is forged. Best effort: what has no place here, SHUN_MAX at one time, and what the
 * kernel does not drop, ends in inner.c.
 */
#ifndef SIXTAP_ROUTER_SHUN_H
#define SIXTAP_ROUTER_SHUN_H

#include "proto/wire.h"

#define SHUN_MAX 16u

struct shunned {
    uint32_t slot, index; /* of the member; of its keypair */
    enum wire_kind kind;
};

struct shun {
    struct shunned who[SHUN_MAX];
    unsigned n;
    bool changed; /* since it was last asked for */
};

/* shun_add() - what member @slot sends as @kind under @index
 * Return: false: it was known, or there is no room. */
bool shun_add(struct shun *s, uint32_t slot, uint32_t index, enum wire_kind kind);

/* shun_forgive() - nothing of member @slot any more */
void shun_forgive(struct shun *s, uint32_t slot);

/* shun_changed() - is the list another than at the last call? */
bool shun_changed(struct shun *s);

#endif
