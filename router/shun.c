/* SPDX-License-Identifier: MIT */
/* shun.c - what is not even to be received for a while */
#include "router/shun.h"

bool shun_add(struct shun *s, uint32_t slot, uint32_t index, enum wire_kind kind)
{
    for (unsigned i = 0; i < s->n; i++) {
        if (s->who[i].index == index && s->who[i].kind == kind)
            return false;
    }
    if (s->n == SHUN_MAX)
        return false;
    s->who[s->n++] = (struct shunned){ .slot = slot, .index = index, .kind = kind };
    s->changed = true;
    return true;
}

void shun_forgive(struct shun *s, uint32_t slot)
{
    for (unsigned i = 0; i < s->n;) {
        if (s->who[i].slot != slot) {
            i++;
            continue;
        }
        s->who[i] = s->who[--s->n];
        s->changed = true;
    }
}

bool shun_changed(struct shun *s)
{
    bool was = s->changed;

    s->changed = false;
    return was;
}
