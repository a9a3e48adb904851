/* SPDX-License-Identifier: MIT */
/* changed.h - a queue of places of a table that are not what they were, each in it once at most
 * A link for each place and no more: the next place + 1, CHANGED_END, or 0 when not queued. */
#ifndef SIXTAP_ROUTER_CHANGED_H
#define SIXTAP_ROUTER_CHANGED_H

#include "proto/table.h"

#define CHANGED_END UINT32_MAX

struct changed {
    uint32_t first, last; /* TABLE_NONE: empty */
    uint32_t *next;
};

/* changed_init() - @next: a zeroed link for each place, lent */
static inline void changed_init(struct changed *c, uint32_t *next)
{
    *c = (struct changed){ .first = TABLE_NONE, .last = TABLE_NONE, .next = next };
}

/* changed_put() - @place goes last, unless it is queued already */
static inline void changed_put(struct changed *c, uint32_t place)
{
    if (c->next[place])
        return;
    c->next[place] = CHANGED_END;
    if (c->last == TABLE_NONE)
        c->first = place;
    else
        c->next[c->last] = place + 1;
    c->last = place;
}

/* changed_take() - the first one, which leaves the queue; TABLE_NONE: it is empty */
static inline uint32_t changed_take(struct changed *c)
{
    uint32_t place = c->first;

    if (place == TABLE_NONE)
        return TABLE_NONE;
    c->first = c->next[place] == CHANGED_END ? TABLE_NONE : c->next[place] - 1;
    if (c->first == TABLE_NONE)
        c->last = TABLE_NONE;
    c->next[place] = 0;
    return place;
}

#endif
