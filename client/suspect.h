/* SPDX-License-Identifier: MIT */
/* suspect.h - does another host log in with this client's key?
 *
 * DOC: the last login with a key wins, so two hosts that have one end each other's sessions by
 * turns. What each of them sees is a session that ends without a word, by a NUDGE or in silence,
 * although the router is there: the next login is answered at once. That this happens once means
 * nothing (the router was restarted, the path was down), but not SUSPECT_TIMES in SUSPECT_TIME.
 */
#ifndef SIXTAP_CLIENT_SUSPECT_H
#define SIXTAP_CLIENT_SUSPECT_H

#include <stdbool.h>

#include "proto/timers.h"

#define SUSPECT_TIMES 4u
#define SUSPECT_TIME  (180 * NS_PER_S)
#define SUSPECT_QUICK (1 * NS_PER_S) /* the first LOGIN was answered */

struct suspect { /* all zero at the start */
    bool lost;
    unsigned times;
    mono_ns first;
};

/* suspect_lost() - the session is over, the router has not said why */
static inline void suspect_lost(struct suspect *s)
{
    s->lost = true;
}

/* suspect_told() - the router said goodbye, and why */
static inline void suspect_told(struct suspect *s)
{
    s->lost = false;
}

/* suspect_login() - logged in anew after @took
 * Return: true when the operator should hear of it: once in SUSPECT_TIME */
static inline bool suspect_login(struct suspect *s, mono_ns took, mono_ns now)
{
    bool odd = s->lost && took < SUSPECT_QUICK;

    s->lost = false;
    if (!odd)
        return false;
    if (s->times == 0 || time_since(now, s->first) > SUSPECT_TIME) {
        s->first = now;
        s->times = 0;
    }
    return ++s->times == SUSPECT_TIMES;
}

#endif
