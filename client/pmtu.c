/* SPDX-License-Identifier: MIT */
/* pmtu.c - how large inner packets may be on this path */
#include "client/pmtu.h"

#define WIRE_EXTRA  (PEER_OVERHEAD - OUTER_IP_UDP) /* datagram beyond the inner packet */
#define DOUBT_PAUSE (1 * NS_PER_S)

uint16_t pmtu_cap(unsigned outer, unsigned config, unsigned router)
{
    unsigned cap = outer > PEER_OVERHEAD ? outer - PEER_OVERHEAD : 0;

    if (config && config < cap)
        cap = config;
    if (router && router < cap)
        cap = router;
    if (cap > INNER_MTU_MAX)
        cap = INNER_MTU_MAX;
    return (uint16_t)(cap < INNER_MTU_MIN ? INNER_MTU_MIN : cap);
}

void pmtu_start(struct pmtu *p, uint16_t cap)
{
    *p = (struct pmtu){
        .mtu = INNER_MTU_MIN,
        .fragment = true,
        .cap = cap,
        .failed = (uint16_t)(cap + 1),
        .deadline = NEVER,
        .raise_at = NEVER,
        .wait = PMTU_WAIT_MAX,
    };
}

size_t pmtu_confirm_size(const struct pmtu *p)
{
    return (size_t)p->cap + WIRE_EXTRA;
}

/* ---- from phase to phase ---- */

static void set_wait(struct pmtu *p, mono_ns rtt)
{
    mono_ns wait = 4 * time_earlier(rtt, PMTU_WAIT_MAX);

    p->wait = wait < PMTU_WAIT_MIN ? PMTU_WAIT_MIN : time_earlier(wait, PMTU_WAIT_MAX);
}

static void go_ladder(struct pmtu *p, uint16_t doubt, mono_ns when)
{
    p->phase = PMTU_LADDER;
    p->doubt = doubt;
    p->base = p->frag = false;
    p->tries = 0;
    p->deadline = when;
}

static void go_search(struct pmtu *p, mono_ns now)
{
    p->phase = PMTU_SEARCH;
    p->searching = true;
    p->asked = 0;
    p->raise_at = NEVER;
    p->deadline = now;
}

static void go_done(struct pmtu *p, mono_ns now)
{
    p->phase = PMTU_DONE;
    p->searching = false;
    p->asked = 0;
    if (p->mtu == p->cap && !p->fragment)
        p->raise_at = NEVER;
    else if (p->raise_at == NEVER)
        p->raise_at = now + (p->raises < PMTU_RAISES ? PMTU_RAISE : PMTU_RAISE_LATE);
}

void pmtu_begin(struct pmtu *p, mono_ns took, mono_ns now)
{
    set_wait(p, took / 2);
    go_ladder(p, p->cap, now + PMTU_FIRST);
}

void pmtu_settle(struct pmtu *p)
{
    if (p->phase == PMTU_LADDER)
        p->fragment = !p->base;
}

void pmtu_recap(struct pmtu *p, uint16_t cap, mono_ns now)
{
    if (cap == p->cap)
        return;
    p->cap = cap;
    p->failed = (uint16_t)(cap + 1);
    p->raises = 0;
    if (p->mtu > cap)
        p->mtu = cap;
    if (p->phase == PMTU_OFF)
        return;
    if (p->mtu == cap)
        go_ladder(p, cap, now);
    else
        go_search(p, now);
}

void pmtu_path_changed(struct pmtu *p, mono_ns now)
{
    if (p->phase != PMTU_DONE)
        return;
    p->raises = 0;
    if (p->raise_at != NEVER) {
        p->failed = (uint16_t)(p->cap + 1);
        go_search(p, now);
    }
    if (!p->fragment)
        go_ladder(p, p->mtu, now); /* first what is in use, then the search */
}

void pmtu_doubt(struct pmtu *p, mono_ns now)
{
    if (p->phase == PMTU_DONE && !p->fragment && time_since(now, p->confirmed) >= DOUBT_PAUSE)
        go_ladder(p, p->mtu, now);
}

/* ---- answers ---- */

/* measure() - the round trip, when it is clear which probe was answered */
static void measure(struct pmtu *p, size_t inner, mono_ns now)
{
    bool search = p->phase == PMTU_SEARCH && inner == p->asked;
    bool confirm = p->phase == PMTU_LADDER && inner == p->doubt && p->confirmed != 0;

    if (p->tries == 1 && (search || confirm))
        set_wait(p, time_since(now, p->sent));
}

/* proved() - @inner passes whole, and is to be used */
static enum pmtu_news proved(struct pmtu *p, uint16_t inner, mono_ns now)
{
    bool news = inner != p->mtu || p->fragment;

    if (news)
        p->raises = 0;
    p->mtu = inner;
    p->fragment = false;
    p->confirmed = now;
    p->large = p->small = false;
    if (p->failed <= inner)
        p->failed = (uint16_t)(p->cap + 1);
    return news ? PMTU_CHANGED : PMTU_SAME;
}

static enum pmtu_news ladder_answer(struct pmtu *p, uint16_t inner, mono_ns now)
{
    enum pmtu_news news = PMTU_SAME;

    if (inner == p->doubt) {
        news = proved(p, inner, now);
        if (p->searching && inner < p->cap)
            go_search(p, now);
        else
            go_done(p, now);
    } else if (inner == INNER_MTU_MIN) {
        p->base = true;
        if (p->fragment)
            news = proved(p, inner, now);
    }
    return news;
}

enum pmtu_news pmtu_answer(struct pmtu *p, size_t size, bool frag, mono_ns now)
{
    size_t inner = size - WIRE_EXTRA;

    if (size < WIRE_EXTRA + INNER_MTU_MIN || inner > p->cap)
        return PMTU_SAME;
    measure(p, inner, now);
    if (frag) {
        p->frag |= p->phase == PMTU_LADDER && inner == INNER_MTU_MIN;
        return PMTU_SAME;
    }
    if (p->phase == PMTU_LADDER)
        return ladder_answer(p, (uint16_t)inner, now);
    /* the size asked for, or late: one that was in doubt, or of the big CONFIRM */
    if (inner < p->mtu || (inner == p->mtu && !p->fragment) ||
        (inner != p->asked && inner != p->doubt && inner != p->cap))
        return PMTU_SAME;
    enum pmtu_news news = proved(p, (uint16_t)inner, now);
    if (inner == p->cap)
        go_done(p, now);
    else
        go_search(p, now);
    return news;
}

/* ---- sending ---- */

unsigned pmtu_message(const struct pmtu *p, struct control *c)
{
    c[0] = (struct control){ .type = TLV_MTU_SET, .size = p->mtu };
    c[1] = (struct control){ .type = TLV_FRAGMENT };
    return p->fragment ? 2 : 1;
}

static bool tell_once(struct pmtu *p, struct tunnel *tn, const struct turn *t)
{
    struct control c[2];

    p->tell_at = t->now + p->wait;
    return tunnel_control(tn, t, c, pmtu_message(p, c), 0);
}

bool pmtu_tell(struct pmtu *p, struct tunnel *tn, const struct turn *t)
{
    p->tells = PMTU_TELLS - 1;
    return tell_once(p, tn, t);
}

/* send_probe() - of a datagram of @size octets; what the interface cannot send whole is not sent */
static void send_probe(const struct pmtu *p, struct tunnel *tn, const struct turn *t, size_t size,
                       bool frag)
{
    struct control c[3];
    unsigned n = pmtu_message(p, c);

    if (!frag && size + OUTER_IP_UDP > tn->outer_mtu)
        return;
    c[n++] =
        (struct control){ .type = frag ? TLV_FRAG_PROBE : TLV_MTU_PROBE, .size = (uint16_t)size };
    tunnel_probe(tn, t, c, n, size, frag);
}

/* ---- time ---- */

/* confirm_due() - when the size in use shall be probed again */
static mono_ns confirm_due(const struct pmtu *p)
{
    if (p->fragment || !p->small)
        return NEVER;
    return p->confirmed + (p->large ? PMTU_CONFIRM : PMTU_CONFIRM_SMALL);
}

static enum pmtu_news use(struct pmtu *p, uint16_t mtu, bool fragment)
{
    bool news = mtu != p->mtu || fragment != p->fragment;

    p->mtu = mtu;
    p->fragment = fragment;
    return news ? PMTU_CHANGED : PMTU_SAME;
}

/* verdict() - all rounds are over and the size in doubt was not answered */
static enum pmtu_news verdict(struct pmtu *p, mono_ns now, mono_ns heard)
{
    enum pmtu_news news;

    if (p->base) {
        news = use(p, INNER_MTU_MIN, false);
        p->failed = p->doubt;
        p->confirmed = now;
        p->large = p->small = false;
        go_search(p, now);
        return news;
    }
    if (!p->frag && heard <= p->sent) { /* nothing comes through at all */
        p->tries = 0;
        p->deadline = now + PMTU_WAIT_MAX;
        return PMTU_SAME;
    }
    news = use(p, INNER_MTU_MIN, true);
    p->failed = INNER_MTU_MIN;
    go_done(p, now);
    return p->frag ? news : PMTU_BLOCKED;
}

static enum pmtu_news tick_ladder(struct pmtu *p, struct tunnel *tn, const struct turn *t,
                                  mono_ns heard)
{
    size_t base = INNER_MTU_MIN + WIRE_EXTRA;

    if (t->now < p->deadline)
        return PMTU_SAME;
    if (p->tries == PMTU_TRIES)
        return verdict(p, t->now, heard);
    bool doubted =
        p->tries > 0 || p->confirmed == 0; /* else one probe, which is answered as a rule */
    p->sent = t->now;
    p->deadline = t->now + p->wait;
    p->tries++;
    send_probe(p, tn, t, (size_t)p->doubt + WIRE_EXTRA, false);
    if (!doubted)
        return PMTU_SAME;
    if (p->doubt != INNER_MTU_MIN)
        send_probe(p, tn, t, base, false);
    send_probe(p, tn, t, base, true);
    p->ask = true;
    return PMTU_SAME;
}

/* next_size() - what to ask for in this search; 0: it is over */
static uint16_t next_size(const struct pmtu *p)
{
    if (p->fragment)
        return p->failed > INNER_MTU_MIN ? INNER_MTU_MIN : 0;
    if (p->failed > p->cap)
        return p->cap;
    if (p->failed - p->mtu <= (int)PMTU_STEP)
        return 0;
    return (uint16_t)(p->mtu + (p->failed - p->mtu) / 2);
}

static void tick_search(struct pmtu *p, struct tunnel *tn, const struct turn *t)
{
    if (t->now < p->deadline)
        return;
    if (p->asked && p->tries == PMTU_TRIES) {
        p->failed = p->asked;
        p->asked = 0;
        if (confirm_due(p) <= t->now) {
            go_ladder(p, p->mtu, t->now);
            return;
        }
    }
    if (p->asked == 0) {
        p->tries = 0;
        p->asked = next_size(p);
    }
    if (p->asked == 0) {
        go_done(p, t->now);
        return;
    }
    p->sent = t->now;
    p->deadline = t->now + p->wait;
    p->tries++;
    send_probe(p, tn, t, (size_t)p->asked + WIRE_EXTRA, false);
}

static void tick_done(struct pmtu *p, mono_ns now)
{
    if (confirm_due(p) <= now) {
        go_ladder(p, p->mtu, now);
    } else if (p->raise_at <= now) {
        p->raises++;
        go_search(p, now);
        p->tries = 0;
        p->asked = p->failed <= p->cap ? p->failed : p->cap;
    }
}

enum pmtu_news pmtu_tick(struct pmtu *p, struct tunnel *tn, const struct turn *t, mono_ns heard)
{
    enum pmtu_news news = PMTU_SAME;

    if (p->tells && p->tell_at <= t->now) {
        p->tells--;
        tell_once(p, tn, t);
    }
    if (p->phase == PMTU_DONE)
        tick_done(p, t->now);
    if (p->phase == PMTU_LADDER)
        news = tick_ladder(p, tn, t, heard);
    if (p->phase == PMTU_SEARCH)
        tick_search(p, tn, t);
    if (p->phase == PMTU_LADDER && news == PMTU_SAME)
        news = tick_ladder(p, tn, t, heard); /* a search gave way to it */
    return news;
}

mono_ns pmtu_deadline(const struct pmtu *p)
{
    mono_ns d = p->tells ? p->tell_at : NEVER;

    if (p->phase == PMTU_DONE)
        d = time_earlier(d, time_earlier(confirm_due(p), p->raise_at));
    else if (p->phase != PMTU_OFF)
        d = time_earlier(d, p->deadline);
    return d;
}

const char *pmtu_phase_name(enum pmtu_phase phase)
{
    static const char *const names[] = { "off", "testing", "searching", "done" };

    return (unsigned)phase < sizeof(names) / sizeof(names[0]) ? names[phase] : "unknown";
}
