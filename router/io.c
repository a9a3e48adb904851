/* SPDX-License-Identifier: MIT */
/* io.c - the router's daemon: the only file that sees both the operating system and the engine
 *
 * DOC: one clock read per wake-up. Each wake-up of a descriptor asks the kernel at most ROUNDS
 * times, so that a busy one cannot starve the others (H101). What the engine emits is sent before
 * the kernel is asked again, because it points into the receive buffers; but all that one call
 * brought is sent together, so that runs for one member leave in as few messages as possible. While
 * the UDP socket takes no more, the TUN is not read; UDP always is. While small packets come thick
 * and fast, each wake-up is followed by a short pause, so that the next brings more (moderate.h).
 */
#include "router/io.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/host/clock.h"
#include "proto/host/control.h"
#include "proto/host/lockdown.h"
#include "proto/host/json.h"
#include "proto/host/log.h"
#include "proto/host/loop.h"
#include "proto/host/moderate.h"
#include "proto/host/netlink.h"
#include "proto/host/priority.h"
#include "proto/host/seccomp.h"
#include "proto/host/secret.h"
#include "proto/segment.h"
#include "router/reload.h"
#include "router/report.h"
#include "router/running.h"
#include "router/tun.h"
#include "router/uplink.h"

#define ROUNDS      4u
#define OUT_DGRAMS  1024u
#define OUT_PACKETS 512u
#define ARENA       (2 * ROUTER_ARENA)

#define CUT_ARENA ((size_t)512 * 1024) /* superframes of the TUN cut into packets */

/* what one call of the engine emits at the most: sealed packets, answers to logins and NUDGEs */
#define CALL_DGRAMS  (TXQ_MAX + 2 * BURST_MAX)
#define CALL_PACKETS (2 * BURST_MAX)

_Static_assert(OUT_PACKETS <= SEGMENT_JOIN_PKTS, "all of them are joined at once");
_Static_assert(SHUN_MAX <= UDP_SHUN_MAX && UDP_START_LEN == offsetof(struct wire_data, counter),
               "head and index of each");
_Static_assert(CUT_ARENA >= SEGMENT_ARENA_MIN, "any superframe can be cut");
_Static_assert(PKT_ROOM_TUN == DATA_HDR_LEN && PKT_ROOM_BEHIND == TAG_LEN,
               "packets of the TUN are sealed in place");

struct io {
    struct router_config *conf; /* reload changes it */
    const char *path;           /* of the file it came from */
    struct router_engine *re;
    void *engine_mem;
    struct loop loop;
    struct udp *udp;
    struct uplink up;
    struct control_server *control;
    struct reload *reload;
    struct running running;
    enum tun_state tun_state;
    bool tun_route;    /* of the device itself, not of a client, came or went: look */
    mono_ns look_next; /* at that, not before */
    struct ev_io udp_read, udp_write, tun_read, link_read;
    struct moderate udp_rate, tun_rate;
    struct entropy_source entropy;
    mono_ns started;
    struct out out;
    struct dgram out_dg[OUT_DGRAMS];
    struct pkt out_pk[OUT_PACKETS];
    struct segment_arena cut;
    struct segment_joined joined;
    uint64_t tun_drops[DROP_COUNT]; /* before the engine saw them */
    int exit_code;
};

static void watch(struct io *io)
{
    if (udp_backlog(io->udp)) {
        ev_io_start(io->loop.ev, &io->udp_write);
        if (io->up.tun)
            ev_io_stop(io->loop.ev, &io->tun_read);
    } else {
        ev_io_stop(io->loop.ev, &io->udp_write);
        if (io->up.tun)
            ev_io_start(io->loop.ev, &io->tun_read);
    }
}

static void tun_gone(struct io *io)
{
    log_error("device %s was deleted; the uplink is gone, ending", io->conf->uplink_device);
    io->exit_code = EX_OSERR;
    loop_stop(&io->loop);
}

/* Packets of one flow go in superframes. */
static void write_packets(struct io *io)
{
    segment_join(&io->joined, 0, tap_takes(io->up.tun), io->out.pk, io->out.n_pk);
    if (tap_write(io->up.tun, io->joined.group, io->joined.n, io->joined.piece) == -ENODEV)
        tun_gone(io);
}

/* Send what the engine emitted; after it every buffer is free. */
static void drain(struct io *io)
{
    if (io->out.n_dg)
        udp_queue(io->udp, io->out.dg, io->out.n_dg);
    if (io->out.n_pk && io->up.tun)
        write_packets(io);
    out_reset(&io->out);
    io->cut.used = 0;
}

static bool room_for_a_call(const struct out *o)
{
    return o->cap_dg - o->n_dg >= CALL_DGRAMS && o->cap_pk - o->n_pk >= CALL_PACKETS &&
           o->arena_len - o->arena_used >= ROUTER_ARENA;
}

/* The kernel hears of clients that came, went or have other prefixes, and of who is listed. */
static void tell_kernel(struct io *io, mono_ns now)
{
    struct reachable to;

    while (io->up.reach && router_engine_reach(io->re, &to))
        reach_set(io->up.reach, to.slot, to.prefix, to.n, now);
    while (io->up.reach && router_engine_listed_prefixes(io->re, &to))
        reach_list(io->up.reach, to.slot, to.prefix, to.n, now);
}

/* Floods of discovery end in the kernel, or, if it does not know how, in the engine. */
static void shun(struct io *io)
{
    struct udp_start start[SHUN_MAX];
    const struct shun *s;
    uint8_t head[DATA_HDR_LEN];

    if (!router_engine_shunned(io->re, &s))
        return;
    for (unsigned i = 0; i < s->n; i++) {
        wire_put_data(head, s->who[i].kind, s->who[i].index, 0);
        memcpy(start[i].octet, head, sizeof(start[i].octet));
    }
    (void)udp_shun(io->udp, start, s->n);
}

static void tun_is(struct io *io, const struct tun_found *is, mono_ns now)
{
    enum tun_state was = io->tun_state;

    tun_report(io->conf, was, is);
    io->tun_state = is->state;
    if (is->state == TUN_WORKS && was != TUN_WORKS && io->up.reach)
        reach_again(io->up.reach, now); /* the kernel forgot the routes of a device that was down */
    router_engine_uplink(io->re, is->state == TUN_WORKS, now);
}

static void look_at_tun(struct io *io, mono_ns now)
{
    const struct tun_want want = uplink_tun(&io->up, io->conf);
    struct tun_found is;

    io->tun_route = false;
    io->look_next = now + REACH_MEND_PAUSE;
    if (tun_look(&want, io->up.tun, &is) == 0)
        tun_is(io, &is, now);
}

/* Others take routes off the TUN. Returns when there is something to do next. */
static mono_ns mend_routes(struct io *io, mono_ns now)
{
    struct reach *r = io->tun_state == TUN_WORKS ? io->up.reach : NULL;

    if (io->tun_route && now >= io->look_next)
        look_at_tun(io, now);
    if (r)
        reach_mend(r, now);
    return time_earlier(io->tun_route ? io->look_next : NEVER, r ? reach_deadline(r) : NEVER);
}

static void settle(struct io *io, mono_ns now)
{
    struct notice ev;

    tell_kernel(io, now);
    shun(io);
    while (router_engine_notice(io->re, &ev))
        report_notice(io->conf, io->re, &ev, now);
    reload_settle(io->reload, now);
    watch(io);
    mono_ns next = mend_routes(io, now);
    loop_deadline(&io->loop, time_earlier(next, router_engine_deadline(io->re)));
}

static void on_udp(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct io *io = w->data;
    struct dgram in[BURST_MAX];
    mono_ns now = mono_now();
    struct entropy *e = entropy_at(&io->entropy, now);

    (void)ev;
    (void)what;
    for (unsigned round = 0; round < ROUNDS; round++) {
        unsigned n = udp_recv(io->udp, in, BURST_MAX);
        while (n > 0) {
            moderate_count(&io->udp_rate, n, dgrams_octets(in, n));
            router_engine_udp(io->re, now, e, in, n, &io->out);
            if (!room_for_a_call(&io->out))
                drain(io);
            n = udp_recv_pending(io->udp) ? udp_recv(io->udp, in, BURST_MAX) : 0;
        }
        drain(io);
        if (!udp_recv_more(io->udp))
            break;
    }
    settle(io, now);
    loop_pause(moderate_pause(&io->udp_rate, now));
}

static void on_udp_writable(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct io *io = w->data;
    (void)ev;
    (void)what;
    udp_flush(io->udp);
    watch(io);
}

/* Superframes to the engine, a slice of packets at a time; what becomes of them is sent together,
 * so that datagrams can be joined. */
static void feed(struct io *io, const struct super *s, unsigned n, mono_ns now)
{
    struct segment_feed f = segment_feed_of(s, n, 0, io->tun_drops);
    struct pkt in[BURST_MAX];

    while (!segment_feed_done(&f)) {
        unsigned k = segment_feed_next(&f, &io->cut, in, BURST_MAX);
        if (k)
            router_engine_tun(io->re, now, in, k, &io->out);
        if (k < BURST_MAX || !room_for_a_call(&io->out))
            drain(io);
    }
    drain(io);
}

static void on_tun(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct io *io = w->data;
    struct super in[TAP_BURST];
    mono_ns now = mono_now();
    bool more = true;

    (void)ev;
    (void)what;
    for (unsigned round = 0; round < ROUNDS && more && udp_backlog(io->udp) == 0; round++) {
        int n = tap_read(io->up.tun, in, TAP_BURST, &more);
        if (n == -ENODEV)
            tun_gone(io);
        if (n <= 0)
            break;
        moderate_count(&io->tun_rate, (unsigned)n, supers_octets(in, (unsigned)n));
        feed(io, in, (unsigned)n, now);
    }
    settle(io, now);
    loop_pause(moderate_pause(&io->tun_rate, now));
}

static void on_deadline(void *ctx)
{
    struct io *io = ctx;
    mono_ns now = mono_now();

    if (router_engine_deadline(io->re) <= now) {
        router_engine_tick(io->re, now, entropy_at(&io->entropy, now), &io->out);
        drain(io);
    }
    settle(io, now);
}

static void on_route(void *ctx, struct prefix dst, bool gone)
{
    struct io *io = ctx;
    const struct tun_want want = uplink_tun(&io->up, io->conf);

    if (tun_wants_route(&want, dst))
        io->tun_route |= gone || io->tun_state == TUN_NO_ROUTE;
    else if (gone && io->up.reach)
        reach_gone(io->up.reach, &dst);
}

/* An operator, or a program that manages links, takes the uplink away or brings it back. */
static void on_link(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct io *io = w->data;
    struct nl_event e;

    (void)ev;
    (void)what;
    if (nl_watch_read(io->up.link, &e) < 0)
        return;
    if (e.what & NL_DEVICE_DELETED) {
        tun_gone(io);
        return;
    }
    mono_ns now = mono_now();
    if (e.what & NL_LOST && io->up.reach)
        reach_gone(io->up.reach, NULL);
    if (e.what & (NL_DEVICE_LINK | NL_DEVICE_ADDRESS))
        look_at_tun(io, now);
    settle(io, now);
}

static void on_signal(void *ctx, int signo)
{
    struct io *io = ctx;

    if (signo == SIGHUP) {
        log_info("SIGHUP: reading the configuration again");
        reload_request(io->reload);
        return;
    }
    loop_stop(&io->loop);
}

/* How the last reload went, and who says so: another router may listen there than the one that is
 * meant (running.h). */
static struct json_object *reloaded(const struct io *io)
{
    struct json_object *o = reload_json(io->reload);

    json_put_number(o, "pid", (uint64_t)getpid());
    json_put_bool(o, "marked", io->running.fd[0] >= 0);
    return o;
}

/* "revoke NAME KEY", or "-" for a key that is not known. */
static struct json_object *revoke_client(struct io *io, const char *cmd)
{
    char name[CLIENT_NAME_MAX + 1], text[KEY_TEXT_LEN];
    uint8_t key[KEY_LEN];
    unsigned n = 0, more;

    if (sscanf(cmd, "revoke %63s %44s", name, text) != 2)
        return NULL;
    bool known = key_from_text(key, text, strlen(text));
    mono_ns now = mono_now();
    do {
        more = router_engine_revoke(io->re, name, known ? key : NULL, now, &io->out);
        drain(io);
        n += more;
    } while (more);
    settle(io, now);
    log_warn("%s is revoked, while the rest of the configuration could not be taken", name);
    struct json_object *o = json_object_new_object();
    json_put_number(o, "revoked", n);
    return o;
}

static struct json_object *on_control(void *ctx, const char *cmd, struct json_object *req)
{
    struct io *io = ctx;

    (void)req;
    if (strcmp(cmd, "reload") == 0) {
        struct json_object *o = json_object_new_object();
        json_put_number(o, "request", reload_request(io->reload));
        return o;
    }
    if (strcmp(cmd, "reloaded") == 0)
        return reloaded(io);
    if (strncmp(cmd, "revoke ", 7) == 0)
        return revoke_client(io, cmd);
    if (strcmp(cmd, "status") != 0)
        return NULL;
    return report_status(io->conf, io->re, io->udp, &io->up, io->tun_drops, io->started,
                         mono_now());
}

static void on_reload(void *ctx, mono_ns now)
{
    settle(ctx, now);
}

static int open_engine(struct io *io)
{
    size_t len = router_engine_bytes(io->conf);

    io->engine_mem = calloc(1, len); /* pages of slots nobody uses are never touched */
    io->out.arena = aligned_alloc(64, ARENA);
    io->cut = (struct segment_arena){ .p = aligned_alloc(64, CUT_ARENA), .len = CUT_ARENA };
    if (!io->engine_mem || !io->out.arena || !io->cut.p) {
        log_error("out of memory: %zu octets for %u members", len, io->conf->max_members);
        return EX_OSERR;
    }
    io->out.arena_len = ARENA;
    io->out.dg = io->out_dg;
    io->out.cap_dg = OUT_DGRAMS;
    io->out.pk = io->out_pk;
    io->out.cap_pk = OUT_PACKETS;
    lockdown_memory(io->engine_mem, len);
    io->re = router_engine_init(io->engine_mem, io->conf, io->started,
                                entropy_at(&io->entropy, io->started));
    /* it has its own copy of the clients and their secrets */
    if (io->conf->clients)
        secret_unlock(io->conf->clients, io->conf->n_clients * sizeof(*io->conf->clients));
    router_config_free_clients(io->conf);
    int err =
        reload_open(&io->reload, io->loop.ev, io->path, io->conf, io->re, &io->up, on_reload, io);
    if (err)
        log_error("cannot prepare for reload: %s", strerror(-err));
    return err ? EX_OSERR : 0;
}

static int open_udp(struct io *io)
{
    char ep[EP_TEXT_LEN];
    int err = udp_open(&io->udp, io->conf->listen, NULL);

    if (err == 0)
        return 0;
    log_error("cannot listen on %s: %s%s", endpoint_text(ep, io->conf->listen), strerror(-err),
              err == -EADDRNOTAVAIL
                  ? " (no interface has that address; behind 1:1 NAT use listen: 0.0.0.0:PORT and "
                    "public_address:)"
                  : "");
    return EX_OSERR;
}

static void open_control(struct io *io)
{
    int err = control_open(&io->control, io->loop.ev, io->conf->control, on_control, io);

    if (err)
        log_warn("no control socket %s: %s; status, reload, invite and revoke will not reach this "
                 "router, SIGHUP will: kill -HUP %d%s",
                 io->conf->control, strerror(-err), (int)getpid(),
                 control_advice(io->conf->control, err));
    err = running_mark(&io->running, io->path);
    if (err)
        log_info("no mark that a router runs with %s: %s", io->path, strerror(-err));
}

static void start(struct io *io)
{
    ev_io_init(&io->udp_read, on_udp, udp_fd(io->udp), EV_READ);
    ev_io_init(&io->udp_write, on_udp_writable, udp_fd(io->udp), EV_WRITE);
    io->udp_read.data = io->udp_write.data = io;
    ev_io_start(io->loop.ev, &io->udp_read);
    if (io->up.tun) {
        ev_io_init(&io->tun_read, on_tun, tap_fd(io->up.tun), EV_READ);
        ev_io_init(&io->link_read, on_link, nl_watch_fd(io->up.link), EV_READ);
        io->tun_read.data = io->link_read.data = io;
        nl_watch_routes(io->up.link, on_route, io);
        ev_io_start(io->loop.ev, &io->link_read);
    }
    settle(io, io->started);
}

/* Nothing after the start needs a privilege and files are only read (by a thread), unless the
 * kernel has to hear of clients and gets its settings back at the end. */
static int give_up_the_rest(const struct router_config *c)
{
    static const int net_admin[] = { CAP_NET_ADMIN };
    return lockdown(net_admin, c->reaches ? 1 : 0,
                    c->reaches ? SECCOMP_WRITE_FILES | SECCOMP_THREADS : SECCOMP_THREADS)
               ? EX_OSERR
               : 0;
}

static void say_goodbye(struct io *io)
{
    mono_ns now = mono_now();
    bool more;

    do {
        more = router_engine_stop(io->re, now, &io->out);
        drain(io);
    } while (more);
    settle(io, now);
}

static int open_all(struct io *io)
{
    (void)priority_ask(io->conf->priority);
    const bool realtime = priority_realtime();
    moderate_realtime(&io->udp_rate, realtime);
    moderate_realtime(&io->tun_rate, realtime);
    int err = loop_open(&io->loop, on_deadline, on_signal, io);
    if (err) {
        log_error("cannot start the event loop: %s", strerror(-err));
        return EX_OSERR;
    }
    if (loop_signal(&io->loop, SIGTERM) || loop_signal(&io->loop, SIGINT) ||
        loop_signal(&io->loop, SIGHUP))
        return EX_SOFTWARE;
    if ((err = open_engine(io)) || (err = open_udp(io)))
        return err;
    uint8_t hash_key[16];
    entropy_draw(entropy_at(&io->entropy, io->started), hash_key, sizeof(hash_key));
    if (uplink_open(io->conf, router_engine_room(io->re), hash_key, &io->up))
        return EX_OSERR;
    tell_kernel(io, io->started);
    uplink_sweep(&io->up);
    open_control(io);
    return give_up_the_rest(io->conf);
}

int router_run(struct router_config *c, const char *path)
{
    struct io *io = calloc(1, sizeof(*io));

    if (!io)
        return EX_OSERR;
    io->conf = c;
    io->path = path;
    io->running = (struct running){ { -1, -1 } };
    io->started = mono_now();
    io->exit_code = open_all(io);
    if (io->exit_code == 0) {
        start(io);
        report_start(c, io->re);
        loop_notify("READY=1");
        loop_run(&io->loop);
        loop_notify("STOPPING=1");
        say_goodbye(io);
    }
    int ret = io->exit_code;
    control_close(io->control);
    running_unmark(&io->running);
    reload_close(io->reload);
    uplink_close(&io->up);
    udp_close(io->udp);
    if (io->loop.ev)
        loop_close(&io->loop);
    if (io->re)
        router_engine_wipe(io->re);
    free(io->engine_mem);
    free(io->out.arena);
    free(io->cut.p);
    sodium_memzero(&io->entropy, sizeof(io->entropy));
    free(io);
    return ret;
}
