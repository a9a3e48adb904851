/* SPDX-License-Identifier: MIT */
/* hooks.c - programs that hear what the tunnel does */
#include "client/hooks.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>

#include "client/device.h"
#include "proto/host/runner.h"
#include "proto/mac.h"

#define QUEUE      12u   /* requests that wait; see make_room() */
#define VARIABLES  24u   /* of an environment */
#define ENV_MAX    6144u /* octets of it */
#define DNS_MS     10000u
#define GRACE_MS   1000 /* to start and to answer, at the end */
#define INPUT_MAX  2048u
#define SUFFIX     ".sixtap"
#define RECORD_MAX (DEVICE_LEN_MAX + sizeof(SUFFIX))

enum event {
    EVENT_UP,
    EVENT_DOWN,
    EVENT_CHANGE,
    EVENT_DNS, /* a program of the resolver's */
};

enum resolver_tool {
    TOOL_NONE,
    TOOL_RESOLVECTL,
    TOOL_RESOLVCONF,
};

struct request {
    enum event event;
    uint32_t limit_ms;
    size_t len;
    char name[64]; /* of the program, for messages */
    uint8_t msg[RUNNER_MSG_MAX];
};

struct hooks {
    const struct client_config *c;
    struct runner *runner;
    void (*warn)(const char *line);
    enum resolver_tool tool;
    char tool_path[PATH_MAX];
    bool told_up;
    bool has_dns; /* the resolver has something of ours */
    struct hook_state last;
    struct request queue[QUEUE];
    unsigned n_queue;
    bool busy; /* queue[0] is with the runner */
    bool gone; /* the runner is */
    uint32_t id;
    bool too_many; /* has been said */
};

__attribute__((format(printf, 2, 3))) static void say(const struct hooks *h, const char *fmt, ...)
{
    char line[512];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    h->warn(line);
}

/* ---- environment ---- */

struct env {
    const char *variable[VARIABLES + 1];
    unsigned n;
    char text[ENV_MAX];
    size_t used;
};

/* put() - NAME=value; what does not fit is left out, which the sizes above rule out */
__attribute__((format(printf, 2, 3))) static void put(struct env *e, const char *fmt, ...)
{
    size_t room = sizeof(e->text) - e->used;
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(e->text + e->used, room, fmt, ap);
    va_end(ap);
    if (n < 0 || (size_t)n >= room || e->n == VARIABLES)
        return;
    e->variable[e->n++] = e->text + e->used;
    e->variable[e->n] = NULL;
    e->used += (size_t)n + 1;
}

struct list {
    char text[1024];
};

__attribute__((format(printf, 2, 3))) static void append(struct list *l, const char *fmt, ...)
{
    size_t n = strlen(l->text);
    va_list ap;

    if (n && n + 1 < sizeof(l->text))
        l->text[n++] = ' ';
    va_start(ap, fmt);
    vsnprintf(l->text + n, sizeof(l->text) - n, fmt, ap);
    va_end(ap);
}

static void put_prefixes(struct env *e, const char *name, const struct prefix *p, unsigned n,
                         bool lan)
{
    struct list l = { "" };
    char text[IP6_TEXT_LEN];

    for (unsigned i = 0; i < n; i++) {
        struct prefix one = lan ? device_lan_prefix(p[i]) : p[i];
        append(&l, "%s/%u", ip6_text(text, one.addr), one.len);
    }
    put(e, "%s=%s", name, l.text);
}

static void put_addresses(struct env *e, const struct device_want *w)
{
    struct list l = { "" };
    char text[IP6_TEXT_LEN];

    for (unsigned i = 0; i < w->n_address; i++)
        append(&l, "%s/%u", ip6_text(text, w->address[i].addr), w->address[i].plen);
    put(e, "SIXTAP_ADDRESS=%s", l.text);
}

static struct list dns_list(const struct hook_state *s)
{
    struct list l = { "" };
    char text[IP6_TEXT_LEN];

    for (unsigned i = 0; i < s->n_dns; i++)
        append(&l, "%s", ip6_text(text, s->dns[i]));
    return l;
}

static struct list search_list(const struct hook_state *s)
{
    struct list l = { "" };

    for (unsigned i = 0; i < s->n_search; i++)
        append(&l, "%s", s->search[i]);
    return l;
}

static void put_path(struct env *e)
{
    put(e, "PATH=%s", runner_path());
}

static void environment(const struct client_config *c, const struct hook_state *s,
                        const char *event, struct env *e)
{
    char text[IP6_TEXT_LEN + EP_TEXT_LEN];

    put_path(e);
    put(e, "SIXTAP_EVENT=%s", event);
    put(e, "SIXTAP_DEVICE=%s", c->device);
    put(e, "SIXTAP_NETNS=%s", c->netns);
    put_addresses(e, &s->want);
    put_prefixes(e, "SIXTAP_SEGMENT", &s->want.segment, s->want.segment.len != 0, false);
    put_prefixes(e, "SIXTAP_PREFIXES", s->want.delegated, s->want.n_delegated, false);
    put(e, "SIXTAP_LAN=%s", c->lan);
    put_prefixes(e, "SIXTAP_LAN_PREFIXES", s->want.delegated, c->lan[0] ? s->want.n_delegated : 0,
                 true);
    put_prefixes(e, "SIXTAP_ROUTES", s->want.route, s->want.n_route, false);
    put(e, "SIXTAP_DEFAULT_ROUTE=%d", s->want.default_route);
    put(e, "SIXTAP_ROUTER=%s", endpoint_text(text, s->router));
    put(e, "SIXTAP_ROUTER_NAME=%s", s->router_name);
    put(e, "SIXTAP_ENDPOINT=%s", endpoint_text(text, s->seen));
    put(e, "SIXTAP_MTU=%u", s->want.mtu);
    put(e, "SIXTAP_DNS=%s", dns_list(s).text);
    put(e, "SIXTAP_SEARCH=%s", search_list(s).text);
}

/* ---- requests ---- */

static void drop(struct hooks *h, unsigned i)
{
    memmove(&h->queue[i], &h->queue[i + 1], (h->n_queue - i - 1) * sizeof(h->queue[0]));
    h->n_queue--;
}

static void post_next(struct hooks *h)
{
    while (!h->gone && !h->busy && h->n_queue) {
        int err = runner_post(h->runner, h->queue[0].msg, h->queue[0].len);
        if (err == 0) {
            h->busy = true;
            return;
        }
        say(h, "cannot run %s: %s", h->queue[0].name, strerror(-err));
        h->gone = err == -EPIPE;
        drop(h, 0);
    }
}

/* make_room() - what waits and is overtaken by @event goes: a change by whatever comes later, an up
 * and the down that ends it together are still told. Where there is no room at all the oldest that
 * waits goes. */
static void make_room(struct hooks *h, enum event event)
{
    unsigned first = h->busy;

    for (unsigned i = h->n_queue; event != EVENT_DNS && i-- > first;)
        if (h->queue[i].event == EVENT_CHANGE)
            drop(h, i);
    if (h->n_queue < QUEUE)
        return;
    if (!h->too_many)
        say(h, "more changes than programs can be told of: some are left out");
    h->too_many = true;
    drop(h, first);
}

static void add(struct hooks *h, enum event event, const struct runner_job *job)
{
    make_room(h, event);
    struct request *q = &h->queue[h->n_queue];
    q->event = event;
    q->limit_ms = job->limit_ms;
    snprintf(q->name, sizeof(q->name), "%s", job->argv[0]);
    q->len = runner_pack(job, q->msg);
    if (q->len == 0)
        say(h, "cannot run %s: too many words", job->argv[0]);
    else
        h->n_queue++;
    post_next(h);
}

static void call_hook(struct hooks *h, enum event event, const struct hook_state *s)
{
    static const char *const word[] = { "up", "down", "change" };
    const char *const program[] = { h->c->on_up, h->c->on_down, h->c->on_change };
    const char *const argv[] = { program[event], word[event], h->c->device, NULL };
    struct env e = { .n = 0 };

    if (!program[event][0])
        return;
    environment(h->c, s, word[event], &e);
    const struct runner_job job = {
        .id = ++h->id,
        .limit_ms = 1000u * h->c->hook_timeout_s,
        .caps = h->c->hook_privileges == HOOK_ALL ? RUNNER_ALL_CAPS : RUNNER_NO_CAPS,
        .argv = argv,
        .variable = e.variable,
    };
    add(h, event, &job);
}

/* ---- the resolver ---- */

static void call_tool(struct hooks *h, const char *const *argv, const char *input)
{
    struct env e = { .n = 0 };

    put_path(&e);
    const struct runner_job job = {
        .id = ++h->id,
        .limit_ms = DNS_MS,
        .caps = RUNNER_NET_ADMIN,
        .argv = argv,
        .variable = e.variable,
        .input = input,
    };
    add(h, EVENT_DNS, &job);
}

static void record_name(const struct hooks *h, char out[RECORD_MAX])
{
    snprintf(out, RECORD_MAX, "%s" SUFFIX, h->c->device);
}

static void set_resolvectl(struct hooks *h, const struct hook_state *s)
{
    const char *dns[3 + DNS_MAX + 1] = { h->tool_path, "dns", h->c->device };
    const char *domain[3 + SEARCH_MAX + 1] = { h->tool_path, "domain", h->c->device };
    char text[DNS_MAX][IP6_TEXT_LEN];
    unsigned n = 3;

    for (unsigned i = 0; i < s->n_dns; i++)
        dns[3 + i] = ip6_text(text[i], s->dns[i]);
    for (unsigned i = 0; i < s->n_search; i++)
        domain[n++] = s->search[i];
    if (n == 3)
        domain[n] = ""; /* none */
    call_tool(h, dns, NULL);
    call_tool(h, domain, NULL);
}

static void set_resolvconf(struct hooks *h, const struct hook_state *s)
{
    char record[RECORD_MAX], input[INPUT_MAX] = "", text[IP6_TEXT_LEN];
    const char *const argv[] = { h->tool_path, "-a", record, NULL };
    size_t n = 0;

    record_name(h, record);
    for (unsigned i = 0; i < s->n_dns; i++)
        n += (size_t)snprintf(input + n, sizeof(input) - n, "nameserver %s\n",
                              ip6_text(text, s->dns[i]));
    if (s->n_search)
        snprintf(input + n, sizeof(input) - n, "search %s\n", search_list(s).text);
    call_tool(h, argv, input);
}

static void unset_dns(struct hooks *h)
{
    char record[RECORD_MAX];
    const char *const revert[] = { h->tool_path, "revert", h->c->device, NULL };
    const char *const delete[] = { h->tool_path, "-d", record, NULL };

    record_name(h, record);
    h->has_dns = false;
    call_tool(h, h->tool == TOOL_RESOLVECTL ? revert : delete, NULL);
}

static bool same_dns(const struct hook_state *a, const struct hook_state *b)
{
    return a->n_dns == b->n_dns && a->n_search == b->n_search &&
           memcmp(a->dns, b->dns, a->n_dns * sizeof(a->dns[0])) == 0 &&
           memcmp(a->search, b->search, a->n_search * sizeof(a->search[0])) == 0;
}

static void update_dns(struct hooks *h, const struct hook_state *s)
{
    bool want = s->up && s->n_dns;

    if (h->tool == TOOL_NONE || (!want && !h->has_dns))
        return;
    if (!want) {
        unset_dns(h);
        return;
    }
    if (h->has_dns && same_dns(s, &h->last))
        return;
    h->has_dns = true;
    if (h->tool == TOOL_RESOLVECTL)
        set_resolvectl(h, s);
    else
        set_resolvconf(h, s);
}

/* ---- what happens ---- */

static bool same_want(const struct device_want *a, const struct device_want *b)
{
    struct device_want x = *a, y = *b;

    x.serial = y.serial = 0;
    /* padding at worst tells of a change that is none */
    return memcmp((const uint8_t *)&x, (const uint8_t *)&y, sizeof(x)) == 0;
}

static bool same_state(const struct hook_state *a, const struct hook_state *b)
{
    return same_want(&a->want, &b->want) && endpoint_eq(a->router, b->router) &&
           endpoint_eq(a->seen, b->seen) && strcmp(a->router_name, b->router_name) == 0 &&
           same_dns(a, b);
}

void hooks_update(struct hooks *h, const struct hook_state *s)
{
    update_dns(h, s);
    if (s->up && !h->told_up)
        call_hook(h, EVENT_UP, s);
    else if (!s->up && h->told_up)
        call_hook(h, EVENT_DOWN, &h->last); /* as it was */
    else if (s->up && !same_state(s, &h->last))
        call_hook(h, EVENT_CHANGE, s);
    h->told_up = s->up;
    h->last = *s;
}

int hooks_fd(const struct hooks *h)
{
    return runner_fd(h->runner);
}

static void judge(const struct hooks *h, const struct request *q, const struct runner_result *r)
{
    if (r->error)
        say(h, "cannot run %s: %s", q->name, strerror(r->error));
    else if (r->too_long)
        say(h, "%s was killed: it did not end within %u s", q->name, q->limit_ms / 1000);
    else if (WIFSIGNALED(r->status))
        say(h, "%s was ended by signal %d", q->name, WTERMSIG(r->status));
    else if (WEXITSTATUS(r->status))
        say(h, "%s ended with exit code %d", q->name, WEXITSTATUS(r->status));
}

bool hooks_readable(struct hooks *h)
{
    struct runner_result r;
    int got;

    while ((got = runner_result(h->runner, &r)) == 1) {
        if (!h->busy)
            continue;
        judge(h, &h->queue[0], &r);
        h->busy = false;
        drop(h, 0);
        post_next(h);
    }
    if (got < 0 && !h->gone) {
        h->gone = true;
        say(h, "the process that runs programs has ended: no more are run");
    }
    return !h->gone;
}

/* ---- start and end ---- */

static void find_tool(struct hooks *h)
{
    /* the resolver that is asked belongs to the namespace the client was started in */
    if (h->c->dns == DNS_OFF || h->c->netns[0])
        return;
    if (runner_find("resolvectl", h->tool_path, sizeof(h->tool_path)))
        h->tool = TOOL_RESOLVECTL;
    else if (runner_find("resolvconf", h->tool_path, sizeof(h->tool_path)))
        h->tool = TOOL_RESOLVCONF;
}

int hooks_open(const struct client_config *c, struct runner *runner, void (*warn)(const char *line),
               struct hooks **ret)
{
    struct hooks *h = calloc(1, sizeof(*h));
    bool programs = c->on_up[0] || c->on_down[0] || c->on_change[0];

    if (!h || !runner) {
        runner_close(runner);
        free(h);
        return h ? -ENOENT : -ENOMEM;
    }
    h->c = c;
    h->runner = runner;
    h->warn = warn;
    find_tool(h);
    if (!programs && h->tool == TOOL_NONE) {
        runner_close(runner);
        free(h);
        *ret = NULL;
        return 0;
    }
    enum runner_caps most = h->tool == TOOL_NONE ? RUNNER_NO_CAPS : RUNNER_NET_ADMIN;
    int err = runner_limit(runner, c->hook_privileges == HOOK_ALL ? RUNNER_ALL_CAPS : most);
    if (err) {
        runner_close(runner);
        free(h);
        return err;
    }
    *ret = h;
    return 0;
}

void hooks_close(struct hooks *h)
{
    struct hook_state down = { .up = false };

    if (!h)
        return;
    hooks_update(h, &down);
    while (h->n_queue && !h->gone) {
        struct pollfd p = { .fd = runner_fd(h->runner), .events = POLLIN };
        if (poll(&p, 1, (int)h->queue[0].limit_ms + GRACE_MS) <= 0 || !hooks_readable(h))
            break;
    }
    runner_close(h->runner);
    free(h);
}
