/* SPDX-License-Identifier: MIT */
/* reload.c - a new configuration for a running router */
#include "router/reload.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sodium.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "proto/host/clock.h"
#include "proto/host/json.h"
#include "proto/host/lockdown.h"
#include "proto/host/log.h"
#include "proto/host/secret.h"
#include "proto/host/yaml.h"
#include "router/uplink.h"

struct reload {
    struct ev_loop *ev;
    const char *path;
    struct router_config *conf;
    struct router_engine *re;
    struct uplink *up;
    reload_taking_fn taking;
    void *ctx;
    struct ev_io io;
    int done_fd; /* the thread writes when it ends */
    pthread_t thread;
    enum { IDLE, READING, TAKING } state;
    unsigned asked, reading, done; /* numbers of requests */
    mono_ns began, read;

    /* the thread's until it has ended, then the loop's */
    struct router_config fresh;
    uint32_t *by_key;
    int problems;
    char *text; /* what there is to say, lines; NULL: no memory for it */
    size_t text_len;

    struct relist did; /* of the last that is done */
    struct json_object *messages;
    char summary[256]; /* one line, for the log and for who asked */
    bool ok;
    mono_ns took;
};

/* ---- the thread ---- */

static int by_public_key(const void *a, const void *b, void *clients)
{
    const struct router_client *c = clients;

    return memcmp(c[*(const uint32_t *)a].public_key, c[*(const uint32_t *)b].public_key, KEY_LEN);
}

static bool sort_keys(struct reload *r)
{
    r->by_key = calloc(r->fresh.n_clients + 1, sizeof(*r->by_key));
    if (!r->by_key)
        return false;
    for (uint32_t i = 0; i < r->fresh.n_clients; i++)
        r->by_key[i] = i;
    qsort_r(r->by_key, r->fresh.n_clients, sizeof(*r->by_key), by_public_key, r->fresh.clients);
    return true;
}

static void *read_files(void *arg)
{
    struct reload *r = arg;
    uint64_t one = 1;
    FILE *f = open_memstream(&r->text, &r->text_len);

    r->problems = f ? router_config_load(&r->fresh, r->path, f) : 1;
    if (r->problems == 0 && !sort_keys(r)) {
        router_config_free(&r->fresh);
        r->problems = 1;
    }
    if (f)
        fclose(f);
    (void)!write(r->done_fd, &one, sizeof(one)); /* cannot block */
    return NULL;
}

/* Signals are the main thread's: the new one starts with all of them blocked. */
static int start_thread(struct reload *r)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int rc = pthread_create(&r->thread, NULL, read_files, r);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return -rc;
}

/* ---- what is said about it ---- */

static void say(struct reload *r, bool bad, const char *line)
{
    json_object_array_add(r->messages, json_object_new_string(line));
    if (bad)
        log_error("reload: %s", line);
    else
        log_warn("reload: %s", line);
}

static void say_text(struct reload *r, bool bad)
{
    char *save = NULL;

    for (char *line = r->text ? strtok_r(r->text, "\n", &save) : NULL; line;
         line = strtok_r(NULL, "\n", &save))
        say(r, bad, line);
    free(r->text);
    r->text = NULL;
}

static void say_restart(void *ctx, const char *name, const struct conf_key *key)
{
    char line[240];

    if (key->live)
        return;
    (void)snprintf(line, sizeof(line),
                   "%s: the new value takes effect when the router is restarted", name);
    say(ctx, false, line);
}

/* ---- the loop ---- */

static void begin(struct reload *r)
{
    r->reading = r->asked;
    r->began = mono_now();
    r->state = READING;
    int err = start_thread(r);
    if (err == 0)
        return;
    (void)snprintf(r->summary, sizeof(r->summary),
                   "not reloaded: cannot start a thread: %s; the router goes on as it was",
                   strerror(-err));
    log_error("%s", r->summary);
    json_object_put(r->messages);
    r->messages = json_object_new_array();
    r->state = IDLE;
    r->done = r->reading;
    r->ok = false;
}

static void forget_list(struct reload *r)
{
    if (r->fresh.clients)
        secret_unlock(r->fresh.clients, r->fresh.n_clients * sizeof(*r->fresh.clients));
    router_config_free(&r->fresh);
    free(r->by_key);
    r->by_key = NULL;
}

static void finish(struct reload *r, bool ok)
{
    r->ok = ok;
    r->took = mono_now() - r->began;
    r->done = r->reading;
    r->state = IDLE;
    forget_list(r);
    if (r->asked != r->done)
        begin(r);
}

static void refuse(struct reload *r)
{
    say_text(r, true);
    (void)snprintf(r->summary, sizeof(r->summary),
                   "not reloaded: %d problem%s; the router goes on as it was", r->problems,
                   r->problems == 1 ? "" : "s");
    log_error("%s", r->summary);
    finish(r, false);
}

static bool same_place(const struct router_config *a, const struct router_config *b)
{
    return prefix_eq(a->prefix, b->prefix) && ip6_eq(a->address, b->address);
}

/* Another prefix, or another address of our own in it. What cannot be done keeps its value. */
static void renumber(struct reload *r, mono_ns now)
{
    const struct router_config *c = r->conf;
    struct router_config *f = &r->fresh;
    const char *why = NULL;

    if (c->uplink == UPLINK_NDPROXY && prefix_eq(f->prefix, c->prefix))
        f->address = c->address; /* the host's own, whatever the file says */
    if (same_place(c, f))
        return;
    if (sodium_memcmp(c->private_key, f->private_key, KEY_LEN) != 0)
        why = "the new value takes effect when the router is restarted, as its new key does";
    else if (c->addressing == ADDRESSING_EUI64 && f->prefix.len != 64)
        why = "the new value takes effect when the router is restarted, as addressing: does";
    else
        why = uplink_renumber(r->up, c, f);
    if (why) {
        char line[240];
        (void)snprintf(line, sizeof(line), "prefix: %s", why);
        say(r, false, line);
        f->prefix = c->prefix;
        f->address = c->address;
        return;
    }
    memcpy(r->conf->taken, f->taken, sizeof(f->taken));
    r->conf->n_taken = f->n_taken;
    router_engine_prefix_change(r->re, f->prefix, f->address, now);
}

/* Without delegated prefixes a router has given up the privilege to set routes, and a client must
 * not hear of a prefix that nothing leads to. */
static void leave_out_delegated(struct reload *r)
{
    if (r->conf->reaches || r->conf->uplink == UPLINK_NONE || !uplink_delegates(&r->fresh))
        return;
    for (uint32_t i = 0; i < r->fresh.n_clients; i++)
        r->fresh.clients[i].n_delegate = 0;
    say(r, false,
        "clients.delegate: the first ones take effect when the router is restarted, which then "
        "keeps the privilege to set routes");
}

/* The files are good: take what may change. */
static void accept_files(struct reload *r, mono_ns now)
{
    struct client_list list;
    const struct conf_key *keys = router_config_table();

    say_text(r, false);
    renumber(r, now);
    leave_out_delegated(r);
    conf_compare(keys, r->conf, &r->fresh, say_restart, r);
    conf_take_live(keys, r->conf, &r->fresh);
    router_engine_settings(r->re, now);
    if (r->fresh.n_clients)
        lockdown_memory(r->fresh.clients, r->fresh.n_clients * sizeof(*r->fresh.clients));
    list = (struct client_list){ .client = r->fresh.clients,
                                 .n = r->fresh.n_clients,
                                 .by_key = r->by_key };
    router_engine_relist(r->re, &list);
    r->state = TAKING;
    r->taking(r->ctx, now);
}

static void on_read(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct reload *r = w->data;
    uint64_t n;

    (void)ev;
    (void)what;
    if (read(r->done_fd, &n, sizeof(n)) < 0 || r->state != READING)
        return;
    pthread_join(r->thread, NULL);
    json_object_put(r->messages);
    r->messages = json_object_new_array();
    r->did = (struct relist){ 0 };
    r->read = mono_now();
    if (r->problems)
        refuse(r);
    else
        accept_files(r, r->read);
}

void reload_settle(struct reload *r, mono_ns now)
{
    char line[160];

    if (r->state != TAKING || router_engine_relisting(r->re, &r->did))
        return;
    if (r->did.no_room) {
        (void)snprintf(
            line, sizeof(line),
            "no room for %u clients until the router is restarted; limits: clients: makes "
            "more",
            r->did.no_room);
        say(r, true, line);
    }
    (void)snprintf(r->summary, sizeof(r->summary),
                   "reloaded: %u clients listed; %u added, %u removed, %u with another psk, "
                   "address or delegated prefix, %u with another name; %u ms to read the files, "
                   "%u ms to take them over",
                   router_engine_listed(r->re), r->did.added, r->did.removed, r->did.changed,
                   r->did.renamed, (unsigned)((r->read - r->began) / NS_PER_MS),
                   (unsigned)((now - r->read) / NS_PER_MS));
    log_info("%s", r->summary);
    finish(r, r->did.no_room == 0);
}

unsigned reload_request(struct reload *r)
{
    /* a request that waits is as good for two */
    if (r->asked == r->done || r->asked == r->reading)
        r->asked++;
    if (r->state == IDLE)
        begin(r);
    return r->asked;
}

struct json_object *reload_json(const struct reload *r)
{
    struct json_object *o = json_object_new_object();

    json_put_number(o, "done", r->done);
    json_put_bool(o, "ok", r->ok);
    json_object_object_add(o, "messages", json_object_get(r->messages));
    json_object_object_add(o, "summary", json_object_new_string(r->summary));
    json_put_number(o, "listed", router_engine_listed(r->re));
    json_put_number(o, "room", router_engine_room(r->re));
    json_put_number(o, "added", r->did.added);
    json_put_number(o, "removed", r->did.removed);
    json_put_number(o, "changed", r->did.changed);
    json_put_number(o, "renamed", r->did.renamed);
    json_put_number(o, "no_room", r->did.no_room);
    json_put_number(o, "took_ms", r->took / NS_PER_MS);
    return o;
}

int reload_open(struct reload **ret, struct ev_loop *ev, const char *path, struct router_config *c,
                struct router_engine *re, struct uplink *up, reload_taking_fn taking, void *ctx)
{
    struct reload *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    r->ev = ev;
    r->path = path;
    r->conf = c;
    r->re = re;
    r->up = up;
    r->taking = taking;
    r->ctx = ctx;
    r->messages = json_object_new_array();
    r->done_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r->done_fd < 0) {
        json_object_put(r->messages);
        free(r);
        return -errno;
    }
    ev_io_init(&r->io, on_read, r->done_fd, EV_READ);
    r->io.data = r;
    ev_io_start(ev, &r->io);
    *ret = r;
    return 0;
}

void reload_close(struct reload *r)
{
    if (!r)
        return;
    if (r->state == READING) {
        pthread_join(r->thread, NULL);
        free(r->text);
    }
    ev_io_stop(r->ev, &r->io);
    close(r->done_fd);
    forget_list(r);
    json_object_put(r->messages);
    free(r);
}
