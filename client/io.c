/* SPDX-License-Identifier: MIT */
/* io.c - the client's daemon: the only file that sees both the operating system and the engine
 *
 * DOC: one clock read per wake-up. After every call of the engine turn() does what engine.h asks
 * for, in its order: sockets, device, frames and datagrams, name resolution, log lines, deadline.
 * While a UDP socket takes no more, the TAP is not read; UDP always is. While small packets come
 * thick and fast, each wake-up is followed by a short pause (moderate.h).
 */
#include "client/io.h"

#include <errno.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

#include "client/firewall.h"
#include "client/hooks.h"
#include "client/report.h"
#include "proto/frame.h"
#include "proto/host/clock.h"
#include "proto/host/control.h"
#include "proto/host/lockdown.h"
#include "proto/host/log.h"
#include "proto/host/loop.h"
#include "proto/host/moderate.h"
#include "proto/host/namespace.h"
#include "proto/host/netlink.h"
#include "proto/host/nft.h"
#include "proto/host/priority.h"
#include "proto/host/resolve.h"
#include "proto/host/runner.h"
#include "proto/host/seccomp.h"
#include "proto/host/tap.h"
#include "proto/mac.h"
#include "proto/segment.h"

#define ROUNDS       4u
#define OUT_DGRAMS   512u
#define OUT_PACKETS  1024u
#define CALL_ARENA   ((size_t)64 * 1024) /* plenty for one call of the engine */
#define ARENA        (4 * CALL_ARENA)
#define CUT_ARENA    ((size_t)512 * 1024) /* superframes of the TAP cut into frames */
#define SOCK_RETRY   (1 * NS_PER_S)
#define RESOLVE_TELL 20u /* of so many lookups that fail in a row one is told */

_Static_assert(OUT_PACKETS <= SEGMENT_JOIN_PKTS, "all of them are joined at once");
_Static_assert(CUT_ARENA >= SEGMENT_ARENA_MIN, "any superframe can be cut");
_Static_assert(PKT_ROOM_TAP + ETH_LEN == DATA_HDR_LEN + DATA_MAC_LEN && PKT_ROOM_BEHIND == TAG_LEN,
               "frames of the TAP are sealed in place");

struct io;

struct sock {
    struct io *io;
    struct udp *udp;
    uint32_t generation;
    uint8_t number;
    mono_ns retry_at;  /* opening failed: not again before */
    uint64_t too_long; /* EMSGSIZE so far */
    struct moderate rate;
    struct ev_io read, write;
};

struct io {
    struct client_engine engine; /* first: 16-aligned */
    const struct client_config *conf;
    struct loop loop;
    struct sock sock[CLIENT_SOCKS];
    struct device *device;
    uint32_t applied; /* serial of the want the device has */
    struct nl *nl;
    struct nl_watch *watch;     /* of the underlay, and of the device unless that is elsewhere */
    struct nl_watch *dev_watch; /* in the device's namespace (`netns:`) */
    struct nft *firewall;
    struct hooks *hooks;
    uint32_t told_want, told_settings; /* serials that the hooks have heard of */
    struct resolver *resolver;
    struct control_server *control;
    struct ev_io tap_read, watch_read, dev_watch_read, hooks_read;
    struct moderate tap_rate;
    struct entropy_source entropy;
    mono_ns started;
    unsigned resolving;        /* which router's name is looked up */
    unsigned resolve_failures; /* in a row */
    struct nl_path path;       /* the way to the router, as it was last seen */
    struct out out;
    struct dgram out_dg[OUT_DGRAMS];
    struct pkt out_pk[OUT_PACKETS];
    struct segment_arena cut;
    struct segment_joined joined;
    bool stopping;
    int exit_code;
};

static void turn(struct io *io, mono_ns now);

static void fail(struct io *io, int code)
{
    io->exit_code = code;
    loop_stop(&io->loop);
}

/* ---- sockets ---- */

static bool any_backlog(const struct io *io)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        if (io->sock[i].udp && udp_backlog(io->sock[i].udp))
            return true;
    }
    return false;
}

static void watch_writable(struct io *io)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        struct sock *s = &io->sock[i];
        if (s->udp && udp_backlog(s->udp))
            ev_io_start(io->loop.ev, &s->write);
        else
            ev_io_stop(io->loop.ev, &s->write);
    }
    if (any_backlog(io))
        ev_io_stop(io->loop.ev, &io->tap_read);
    else if (!io->stopping)
        ev_io_start(io->loop.ev, &io->tap_read);
}

/* Before more is taken from a socket: does the engine wish for something, or is out nearly full?
 * One call emits at most a frame and a few answers per datagram. */
static bool wants_turn(const struct io *io)
{
    const struct out *o = &io->out;

    if (client_engine_want(&io->engine)->serial != io->applied ||
        o->cap_dg - o->n_dg < 2 * BURST_MAX || o->cap_pk - o->n_pk < BURST_MAX ||
        o->arena_len - o->arena_used < CALL_ARENA)
        return true;
    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        struct client_sock want = client_engine_sock(&io->engine, i);
        const struct sock *s = &io->sock[i];
        if (want.wanted != (s->udp != NULL) || (s->udp && want.generation != s->generation))
            return true;
    }
    return false;
}

/* All that one call of the kernel brought; what it leads to is written and sent together, so that
 * packets of one flow can be joined. False when the socket has nothing more. */
static bool take_burst(struct io *io, struct sock *s, mono_ns now)
{
    struct dgram in[BURST_MAX];
    unsigned n = udp_recv(s->udp, in, BURST_MAX);

    if (n == 0)
        return false;
    while (n > 0) {
        moderate_count(&s->rate, n, dgrams_octets(in, n));
        client_engine_udp(&io->engine, now, entropy_at(&io->entropy, now), in, n, &io->out);
        if (wants_turn(io))
            turn(io, now);
        n = s->udp && udp_recv_pending(s->udp) ? udp_recv(s->udp, in, BURST_MAX) : 0;
    }
    turn(io, now);
    return s->udp && udp_recv_more(s->udp);
}

static void on_udp(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct sock *s = w->data;
    struct io *io = s->io;
    struct endpoint peer;
    mono_ns now = mono_now();

    (void)ev;
    (void)what;
    for (unsigned round = 0; round < ROUNDS && s->udp && take_burst(io, s, now); round++)
        ;
    if (s->udp && udp_take_refused(s->udp, &peer)) {
        client_engine_refused(&io->engine, s->number, peer, now);
        turn(io, now);
    }
    loop_pause(moderate_pause(&s->rate, now));
}

static void on_udp_writable(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct sock *s = w->data;
    (void)ev;
    (void)what;
    udp_flush(s->udp);
    watch_writable(s->io);
}

static void sock_close(struct io *io, struct sock *s)
{
    if (!s->udp)
        return;
    ev_io_stop(io->loop.ev, &s->read);
    ev_io_stop(io->loop.ev, &s->write);
    udp_close(s->udp);
    s->udp = NULL;
}

static void sock_open(struct io *io, struct sock *s, const struct client_sock *want, mono_ns now)
{
    static struct log_limit limit = LOG_LIMIT(3, 60 * NS_PER_S);
    struct endpoint any = { .port = be16_of(want->port) };
    struct udp_opts opts = { .sock = s->number,
                             .note_refused = true,
                             .device = io->conf->bind_device,
                             .mark = io->conf->fwmark };

    if (now < s->retry_at)
        return;
    int err = udp_open(&s->udp, any, &opts);
    if (err) {
        char port[16] = "a UDP port";
        if (want->port)
            snprintf(port, sizeof(port), "UDP port %u", want->port);
        log_limited(&limit, now, LOG_LEVEL_WARN, "cannot open %s: %s; trying again%s", port,
                    strerror(-err),
                    err == -EADDRINUSE ? " (is another client running? leave out port:)"
                    : err == -ENODEV   ? " (bind_device: names no link that is there)"
                                       : "");
        s->retry_at = now + SOCK_RETRY;
        return;
    }
    s->generation = want->generation;
    s->retry_at = 0;
    s->too_long = 0;
    ev_io_init(&s->read, on_udp, udp_fd(s->udp), EV_READ);
    ev_io_init(&s->write, on_udp_writable, udp_fd(s->udp), EV_WRITE);
    s->read.data = s->write.data = s;
    ev_io_start(io->loop.ev, &s->read);
}

static void open_socks(struct io *io, mono_ns now)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        struct client_sock want = client_engine_sock(&io->engine, i);
        struct sock *s = &io->sock[i];
        if (!want.wanted || (s->udp && s->generation == want.generation))
            continue;
        sock_close(io, s);
        sock_open(io, s, &want, now);
    }
}

static void close_socks(struct io *io)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        if (!client_engine_sock(&io->engine, i).wanted)
            sock_close(io, &io->sock[i]);
    }
}

static mono_ns sock_deadline(const struct io *io)
{
    mono_ns d = NEVER;

    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        if (!io->sock[i].udp && io->sock[i].retry_at && client_engine_sock(&io->engine, i).wanted)
            d = time_earlier(d, io->sock[i].retry_at);
    }
    return d;
}

/* ---- what the engine wants done ---- */

/* The watch and a read may both find it out in one wake-up: it is told once. */
static void device_gone(struct io *io)
{
    if (io->exit_code == EX_OK)
        log_error("device %s was deleted by somebody else; ending", io->conf->device);
    fail(io, EX_OSERR);
}

static void apply_device(struct io *io, mono_ns now)
{
    const struct device_want *w = client_engine_want(&io->engine);

    if (w->serial == io->applied && device_deadline(io->device) > now)
        return;
    io->applied = w->serial;
    if (device_apply(io->device, w, now) == -ENODEV)
        device_gone(io);
}

/* note_too_long() - has the kernel refused datagrams of this socket for their length? */
static bool note_too_long(struct sock *s)
{
    uint64_t n = udp_stats(s->udp)->n[UDP_TX_MSGSIZE];
    bool more = n > s->too_long;

    s->too_long = n;
    return more;
}

static void send_dgrams(struct io *io, mono_ns now)
{
    struct dgram *d = io->out.dg;

    for (unsigned i = 0, n; i < io->out.n_dg; i += n) {
        for (n = 1; i + n < io->out.n_dg && d[i + n].sock == d[i].sock; n++)
            ;
        struct udp *u = d[i].sock < CLIENT_SOCKS ? io->sock[d[i].sock].udp : NULL;
        if (!u) {
            io->engine.drop[DROP_TX] += n;
            continue;
        }
        udp_queue(u, &d[i], n);
        if (note_too_long(&io->sock[d[i].sock]))
            client_engine_too_long(&io->engine, now);
    }
}

static void report(struct io *io)
{
    struct client_event ev;

    while (client_engine_event(&io->engine, &ev))
        report_event(io->conf, &io->engine, &ev);
}

/* find_path() - look at the way to the router; is it another one than it was? */
static bool find_path(struct io *io, mono_ns at)
{
    struct endpoint to = client_engine_towards(&io->engine);
    struct nl_path now = { 0 };

    if (!io->nl || be32_get(to.ip) == 0)
        return false;
    struct nl_link link = { .ifindex = 0 };
    if (io->conf->bind_device[0] && nl_link_get_name(io->nl, io->conf->bind_device, &link) < 0)
        return false; /* it may come, and the watch tells */
    if (nl_path_get_by(io->nl, to.ip, link.ifindex, io->conf->fwmark, &now) == 0)
        client_engine_path(&io->engine, (uint16_t)(now.mtu > UINT16_MAX ? UINT16_MAX : now.mtu),
                           at);
    bool other = memcmp(&now, &io->path, sizeof(now)) != 0;
    io->path = now;
    return other;
}

/* The reason is told at first and then now and then: a name that does not resolve is asked for
 * every few seconds. */
static void resolve_failed(struct io *io, const char *name, const char *error)
{
    if (io->resolve_failures++ % RESOLVE_TELL == 0)
        log_warn("cannot find the address of %s: %s; trying again", name, error);
}

static void start_resolve(struct io *io, mono_ns now)
{
    unsigned which;

    if (!client_engine_want_resolve(&io->engine, &which))
        return;
    if (resolve_busy(io->resolver)) {
        if (which == io->resolving)
            return;
        resolve_forget(io->resolver); /* that router is not asked any more */
    }
    io->resolving = which;
    int err = resolve_start(io->resolver, io->conf->router[which].host);
    if (err < 0) {
        resolve_failed(io, io->conf->router[which].host, strerror(-err));
        client_engine_router(&io->engine, which, NULL, 0, now);
    }
}

static void on_resolved(void *ctx, const be32 *addr, unsigned n, const char *error)
{
    struct io *io = ctx;
    const struct client_router *r = &io->conf->router[io->resolving];
    struct endpoint ep[RESOLVE_MAX];
    mono_ns now = mono_now();

    if (n == 0)
        resolve_failed(io, r->host, error);
    else
        io->resolve_failures = 0;
    for (unsigned i = 0; i < n; i++)
        ep[i] = (struct endpoint){ .ip = addr[i], .port = be16_of(r->port) };
    client_engine_router(&io->engine, io->resolving, ep, n, now);
    find_path(io, now);
    client_engine_tick(&io->engine, now, entropy_at(&io->entropy, now), &io->out);
    turn(io, now);
}

/* Frames of one flow go in superframes. */
static void write_frames(struct io *io)
{
    struct tap *t = device_tap(io->device);

    if (io->out.n_pk == 0)
        return;
    segment_join(&io->joined, ETH_LEN, tap_takes(t), io->out.pk, io->out.n_pk);
    if (tap_write(t, io->joined.group, io->joined.n, io->joined.piece) == -ENODEV)
        device_gone(io);
}

/* tell_hooks() - programs hear of what has changed, when it has been applied */
static void tell_hooks(struct io *io)
{
    const struct client_engine *e = &io->engine;
    const struct device_want *w = client_engine_want(e);

    if (!io->hooks ||
        (w->serial == io->told_want && (e->settings_serial == io->told_settings || !w->carrier)))
        return;
    io->told_want = w->serial;
    io->told_settings = e->settings_serial;
    struct hook_state s = { .up = w->carrier,
                            .want = *w,
                            .router = e->tunnel.router,
                            .seen = e->settings.seen,
                            .n_dns = e->settings.n_dns,
                            .n_search = e->settings.n_search };
    snprintf(s.router_name, sizeof(s.router_name), "%s", e->cfg->router[e->tunnel.which].host);
    memcpy(s.dns, e->settings.dns, sizeof(s.dns));
    memcpy(s.search, e->settings.search, sizeof(s.search));
    hooks_update(io->hooks, &s);
}

/* After every call of the engine; the order is engine.h's. */
static void turn(struct io *io, mono_ns now)
{
    open_socks(io, now);
    apply_device(io, now);
    write_frames(io);
    send_dgrams(io, now);
    out_reset(&io->out);
    io->cut.used = 0;
    close_socks(io);
    if (!io->stopping)
        start_resolve(io, now);
    report(io);
    if (!io->stopping)
        tell_hooks(io);
    watch_writable(io);
    mono_ns d = time_earlier(client_engine_deadline(&io->engine, now), device_deadline(io->device));
    loop_deadline(&io->loop, time_earlier(d, sock_deadline(io)));
}

/* ---- wake-ups ---- */

/* Superframes to the engine, a slice of frames at a time; what becomes of them is sent together, so
 * that datagrams can be joined. */
static void feed(struct io *io, const struct super *s, unsigned n, mono_ns now)
{
    struct segment_feed f = segment_feed_of(s, n, ETH_LEN, io->engine.drop);
    struct pkt in[BURST_MAX];

    while (!segment_feed_done(&f)) {
        unsigned k = segment_feed_next(&f, &io->cut, in, BURST_MAX);
        if (k)
            client_engine_tap(&io->engine, now, entropy_at(&io->entropy, now), in, k, &io->out);
        if (!segment_feed_done(&f) && (k < BURST_MAX || wants_turn(io)))
            turn(io, now);
    }
    turn(io, now);
}

static void on_tap(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct io *io = w->data;
    struct super in[TAP_BURST];
    mono_ns now = mono_now();
    bool more = true;

    (void)ev;
    (void)what;
    for (unsigned round = 0; round < ROUNDS && more && !any_backlog(io); round++) {
        int n = tap_read(device_tap(io->device), in, TAP_BURST, &more);
        if (n == -ENODEV) {
            ev_io_stop(io->loop.ev, w);
            device_gone(io);
            return;
        }
        if (n <= 0)
            break;
        moderate_count(&io->tap_rate, (unsigned)n, supers_octets(in, (unsigned)n));
        feed(io, in, (unsigned)n, now);
    }
    loop_pause(moderate_pause(&io->tap_rate, now));
}

static void on_watch(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct io *io = w->data;
    struct nl_event e;
    mono_ns now = mono_now();

    (void)ev;
    (void)what;
    if (nl_watch_read(w == &io->dev_watch_read ? io->dev_watch : io->watch, &e) < 0)
        return;
    if (w == &io->dev_watch_read)
        e.what &= ~(unsigned)NL_UNDERLAY; /* of the device's namespace: not ours */
    else if (io->dev_watch)
        e.what &= NL_UNDERLAY | NL_LOST;
    if (device_event(io->device, &e) &&
        device_apply(io->device, client_engine_want(&io->engine), now) == -ENODEV) {
        device_gone(io);
        return;
    }
    /* Ask at once when the way to the router changed. Other changes of the underlay may be many (a
     * host that routes for others); when messages were lost anything may have changed. */
    if (e.what & NL_UNDERLAY && (find_path(io, now) || e.what & NL_LOST))
        client_engine_network_changed(&io->engine, now);
    client_engine_tick(&io->engine, now, entropy_at(&io->entropy, now), &io->out);
    turn(io, now);
}

static void on_hooks(struct ev_loop *ev, struct ev_io *w, int what)
{
    struct io *io = w->data;

    (void)what;
    if (!hooks_readable(io->hooks))
        ev_io_stop(ev, w);
}

static void on_deadline(void *ctx)
{
    struct io *io = ctx;
    mono_ns now = mono_now();

    client_engine_tick(&io->engine, now, entropy_at(&io->entropy, now), &io->out);
    turn(io, now);
}

static void on_signal(void *ctx, int signo)
{
    struct io *io = ctx;

    if (signo == SIGHUP)
        log_info(
            "SIGHUP: the client has nothing to reload; restart it to change its configuration");
    else
        loop_stop(&io->loop);
}

static struct json_object *on_control(void *ctx, const char *cmd, struct json_object *req)
{
    struct io *io = ctx;
    struct udp *u[CLIENT_SOCKS];

    (void)req;
    if (strcmp(cmd, "status") != 0)
        return NULL;
    for (unsigned i = 0; i < CLIENT_SOCKS; i++)
        u[i] = io->sock[i].udp;
    return report_status(io->conf, &io->engine, io->device, u, io->started, mono_now());
}

/* ---- start and end ---- */

static void warn_line(void *arg, const char *line)
{
    (void)arg;
    log_warn("%s", line);
}

static int open_device(struct io *io)
{
    struct device_config dc = {
        .name = io->conf->device,
        .configure = io->conf->configure,
        .metric = io->conf->metric,
        .default_route = io->conf->default_route,
        .table = io->conf->table,
        .route = io->conf->route,
        .n_route = io->conf->n_route,
        .lan = io->conf->lan,
        .elsewhere = io->conf->netns[0] != '\0',
        .warn = warn_line,
    };
    return device_open(&dc, &io->device) ? EX_OSERR : 0;
}

/* A host that is suddenly reachable worldwide is not left open because its kernel cannot filter. */
static int open_firewall(struct io *io)
{
    char why[256];

    if (firewall_open(io->conf, &io->firewall, why, sizeof(why)) == 0)
        return 0;
    log_error("cannot set up the packet filter (nftables): %s. It keeps the Internet from reaching "
              "this host through %s; firewall: off in the configuration goes without",
              why, io->conf->device);
    return EX_OSERR;
}

/* What lives in the device's namespace. */
static int open_there(struct io *io)
{
    int code = open_device(io);

    if (code == 0)
        code = open_firewall(io);
    if (code == 0 && io->conf->netns[0] &&
        nl_watch_open(device_ifindex(io->device), &io->dev_watch)) {
        log_error("cannot talk to the kernel's netlink in namespace %s", io->conf->netns);
        code = EX_OSERR;
    }
    return code;
}

static int open_device_side(struct io *io)
{
    const char *name = io->conf->netns;
    int home, err;

    if (!name[0])
        return open_there(io);
    err = namespace_enter(name, &home);
    if (err) {
        log_error("cannot enter the network namespace %s: %s%s%s", name, strerror(-err),
                  err == -ENOENT ? "; make it: ip netns add " : "", err == -ENOENT ? name : "");
        return err == -EPERM ? EX_NOPERM : EX_OSERR;
    }
    int code = open_there(io);
    if (namespace_leave(home)) {
        log_error("cannot go back from the network namespace %s", name);
        code = EX_OSERR;
    }
    return code;
}

static void warn_hook(const char *line)
{
    log_warn("%s", line);
}

static int open_hooks(struct io *io, struct runner *runner)
{
    int err = hooks_open(io->conf, runner, warn_hook, &io->hooks);

    if (err)
        log_error("cannot run programs: %s", strerror(-err));
    return err ? EX_OSERR : 0;
}

static int open_netlink(struct io *io)
{
    int err = nl_open(&io->nl);

    if (!err)
        err = nl_watch_open(io->dev_watch ? 0 : device_ifindex(io->device), &io->watch);
    if (err)
        log_error("cannot talk to the kernel's netlink: %s", strerror(-err));
    return err ? EX_OSERR : 0;
}

static void open_control(struct io *io)
{
    int err = control_open(&io->control, io->loop.ev, io->conf->control, on_control, io);
    if (err)
        log_warn("no control socket %s: %s; status will not work%s", io->conf->control,
                 strerror(-err), control_advice(io->conf->control, err));
}

/* Sockets are opened again for as long as the client lives, so a low `port:` needs its capability;
 * the device's /proc/sys is written after the MTU was below 1280. */
static int give_up_the_rest(struct io *io)
{
    const int keep[] = { CAP_NET_ADMIN /* addresses, routes, the MAC */, CAP_NET_BIND_SERVICE };
    bool low_port = io->conf->port > 0 && io->conf->port < 1024;

    return lockdown(keep, low_port ? 2 : 1, SECCOMP_WRITE_FILES | SECCOMP_NAMES) ? EX_OSERR : 0;
}

static int open_all(struct io *io, struct runner *runner)
{
    int code = open_hooks(io, runner);

    if (code)
        return code;
    (void)priority_ask(io->conf->priority);
    const bool realtime = priority_realtime();
    moderate_realtime(&io->tap_rate, realtime);
    for (unsigned i = 0; i < CLIENT_SOCKS; i++)
        moderate_realtime(&io->sock[i].rate, realtime);
    if (loop_open(&io->loop, on_deadline, on_signal, io)) {
        log_error("cannot start the event loop");
        return EX_OSERR;
    }
    if (loop_signal(&io->loop, SIGTERM) || loop_signal(&io->loop, SIGINT) ||
        loop_signal(&io->loop, SIGHUP))
        return EX_SOFTWARE;
    if ((code = open_device_side(io)) || (code = open_netlink(io)))
        return code;
    if (resolve_open(&io->resolver, io->loop.ev, on_resolved, io))
        return EX_OSERR;
    open_control(io);
    return give_up_the_rest(io);
}

static void start(struct io *io)
{
    ev_io_init(&io->tap_read, on_tap, tap_fd(device_tap(io->device)), EV_READ);
    ev_io_init(&io->watch_read, on_watch, nl_watch_fd(io->watch), EV_READ);
    io->tap_read.data = io->watch_read.data = io;
    ev_io_start(io->loop.ev, &io->watch_read);
    if (io->dev_watch) {
        ev_io_init(&io->dev_watch_read, on_watch, nl_watch_fd(io->dev_watch), EV_READ);
        io->dev_watch_read.data = io;
        ev_io_start(io->loop.ev, &io->dev_watch_read);
    }
    if (io->hooks) {
        ev_io_init(&io->hooks_read, on_hooks, hooks_fd(io->hooks), EV_READ);
        io->hooks_read.data = io;
        ev_io_start(io->loop.ev, &io->hooks_read);
    }
    report_start(io->conf);
    turn(io, io->started);
}

static void say_goodbye(struct io *io)
{
    mono_ns now = mono_now();

    io->stopping = true;
    client_engine_stop(&io->engine, now, entropy_at(&io->entropy, now), &io->out);
    send_dgrams(io, now);
    out_reset(&io->out);
    report(io);
}

static void close_all(struct io *io)
{
    for (unsigned i = 0; i < CLIENT_SOCKS; i++)
        sock_close(io, &io->sock[i]);
    control_close(io->control);
    resolve_close(io->resolver);
    hooks_close(io->hooks);
    nl_watch_close(io->watch);
    nl_watch_close(io->dev_watch);
    nl_close(io->nl);
    device_close(io->device);
    nft_close(io->firewall);
    if (io->loop.ev)
        loop_close(&io->loop);
    client_engine_wipe(&io->engine);
    sodium_memzero(&io->entropy, sizeof(io->entropy));
    free(io->out.arena);
    free(io->cut.p);
}

static struct io *io_new(const struct client_config *c)
{
    size_t len = (sizeof(struct io) + 15) & ~(size_t)15;
    struct io *io = aligned_alloc(16, len);

    if (!io)
        return NULL;
    lockdown_memory(io, len);
    memset(io, 0, len);
    io->conf = c;
    io->started = mono_now();
    io->out = (struct out){ .dg = io->out_dg,
                            .cap_dg = OUT_DGRAMS,
                            .pk = io->out_pk,
                            .cap_pk = OUT_PACKETS,
                            .arena = aligned_alloc(16, ARENA),
                            .arena_len = ARENA };
    io->cut = (struct segment_arena){ .p = aligned_alloc(64, CUT_ARENA), .len = CUT_ARENA };
    if (!io->out.arena || !io->cut.p) {
        free(io->out.arena);
        free(io->cut.p);
        free(io);
        return NULL;
    }
    for (unsigned i = 0; i < CLIENT_SOCKS; i++) {
        io->sock[i].io = io;
        io->sock[i].number = (uint8_t)i;
    }
    client_engine_init(&io->engine, c, io->started);
    return io;
}

int client_run(const struct client_config *c, struct runner *runner)
{
    struct io *io = io_new(c);

    if (!io) {
        log_error("out of memory");
        runner_close(runner);
        return EX_OSERR;
    }
    io->exit_code = open_all(io, runner);
    if (io->exit_code == 0) {
        start(io);
        loop_notify("READY=1");
        loop_run(&io->loop);
        loop_notify("STOPPING=1");
        say_goodbye(io);
    }
    int ret = io->exit_code;
    close_all(io);
    free(io);
    return ret;
}
