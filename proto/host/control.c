/* SPDX-License-Identifier: MIT */
/* control.c - the answering side of the control socket */
#include "proto/host/control.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "proto/host/control_sock.h"

#define CONTROL_REST_S 1.0

struct conn {
    struct control_server *s;
    int fd; /* -1: free */
    struct ev_io io;
    struct ev_timer idle;
    ev_tstamp progress; /* when it last read or wrote something */
    char in[CONTROL_REQUEST_MAX];
    size_t in_len;
    char *out; /* the answer with its newline; NULL while the request is read */
    size_t out_len, out_off;
};

struct control_server {
    struct ev_loop *ev;
    control_answer_fn answer;
    void *ctx;
    int fd;
    struct control_addr addr;
    dev_t dev; /* of the socket file, so that only our own is removed */
    ino_t ino;
    struct ev_io accept;
    struct ev_timer rest; /* accept() failed: try again later instead of spinning */
    struct conn conn[CONTROL_CONNECTIONS];
};

/* ---- one connection ---- */

static void conn_close(struct conn *c)
{
    ev_io_stop(c->s->ev, &c->io);
    ev_timer_stop(c->s->ev, &c->idle);
    close(c->fd);
    c->fd = -1;
    free(c->out);
    c->out = NULL;
}

static void conn_progress(struct conn *c)
{
    c->progress = ev_now(c->s->ev);
    ev_timer_again(c->s->ev, &c->idle);
}

static void conn_write(struct conn *c)
{
    while (c->out_off < c->out_len) {
        ssize_t n =
            send(c->fd, c->out + c->out_off, c->out_len - c->out_off, MSG_DONTWAIT | MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return;
        if (n < 0)
            break;
        c->out_off += (size_t)n;
        conn_progress(c);
    }
    conn_close(c);
}

/* Send @reply, which is freed, and close. */
static void conn_reply(struct conn *c, struct json_object *reply)
{
    size_t len = 0;
    const char *text = json_object_to_json_string_length(
        reply, JSON_C_TO_STRING_PLAIN | JSON_C_TO_STRING_NOSLASHESCAPE, &len);

    c->out = text ? malloc(len + 1) : NULL;
    if (!c->out) {
        json_object_put(reply);
        conn_close(c);
        return;
    }
    memcpy(c->out, text, len);
    c->out[len] = '\n';
    c->out_len = len + 1;
    c->out_off = 0;
    json_object_put(reply);
    ev_io_stop(c->s->ev, &c->io);
    ev_io_set(&c->io, c->fd, EV_WRITE);
    ev_io_start(c->s->ev, &c->io);
    conn_write(c);
}

static void conn_error(struct conn *c, const char *text)
{
    struct json_object *o = json_object_new_object();

    json_object_object_add(o, "error", json_object_new_string(text));
    conn_reply(c, o);
}

/* The request as an object; NULL when it is none: not JSON, not UTF-8, too deep, or something
 * behind it */
static struct json_object *parse(const char *text, size_t len)
{
    struct json_tokener *tok = json_tokener_new_ex(CONTROL_DEPTH_MAX);
    struct json_object *o = NULL;

    if (!tok)
        return NULL;
    while (len && (text[len - 1] == ' ' || text[len - 1] == '\t' || text[len - 1] == '\r'))
        len--; /* the parser stops at the last brace */
    json_tokener_set_flags(tok, JSON_TOKENER_STRICT | JSON_TOKENER_VALIDATE_UTF8);
    o = json_tokener_parse_ex(tok, text, (int)len);
    if (json_tokener_get_error(tok) != json_tokener_success ||
        json_tokener_get_parse_end(tok) != len || !json_object_is_type(o, json_type_object)) {
        json_object_put(o);
        o = NULL;
    }
    json_tokener_free(tok);
    return o;
}

static void conn_request(struct conn *c, size_t len)
{
    struct json_object *cmd = NULL, *reply = NULL;
    struct json_object *req = parse(c->in, len);

    if (!req) {
        conn_error(c, "the request is not one JSON object");
        return;
    }
    if (!json_object_object_get_ex(req, "cmd", &cmd) ||
        !json_object_is_type(cmd, json_type_string)) {
        conn_error(c, "the request has no \"cmd\"");
    } else {
        const char *name = json_object_get_string(cmd);
        if (strlen(name) == (size_t)json_object_get_string_len(cmd))
            reply = c->s->answer(c->s->ctx, name, req);
        if (reply)
            conn_reply(c, reply);
        else
            conn_error(c, "unknown command");
    }
    json_object_put(req);
}

static void conn_read(struct conn *c)
{
    ssize_t n = recv(c->fd, c->in + c->in_len, sizeof(c->in) - c->in_len, MSG_DONTWAIT);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n < 0) {
        conn_close(c);
        return;
    }
    if (n == 0) {
        conn_error(c, "the request does not end with a newline");
        return;
    }
    const char *nl = memchr(c->in + c->in_len, '\n', (size_t)n);
    c->in_len += (size_t)n;
    c->progress = ev_now(c->s->ev); /* not its timer: a request has CONTROL_IDLE_S in all */
    if (nl)
        conn_request(c, (size_t)(nl - c->in));
    else if (c->in_len == sizeof(c->in))
        conn_error(c, "the request is longer than 4096 octets");
}

static void on_conn(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct conn *c = w->data;

    (void)ev;
    (void)revents;
    if (c->out)
        conn_write(c);
    else
        conn_read(c);
}

static void on_idle(struct ev_loop *ev, struct ev_timer *w, int revents)
{
    (void)ev;
    (void)revents;
    conn_close(w->data);
}

/* ---- accepting ---- */

/* A free place, else that of the connection without progress for longest, which is closed. */
static struct conn *make_place(struct control_server *s)
{
    struct conn *oldest = &s->conn[0];

    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
        if (s->conn[i].fd < 0)
            return &s->conn[i];
        if (s->conn[i].progress < oldest->progress)
            oldest = &s->conn[i];
    }
    conn_close(oldest);
    return oldest;
}

static bool may_ask(int fd)
{
    uid_t uid = 0;

    return control_peer_uid(fd, &uid) == 0 && (uid == 0 || uid == geteuid());
}

static void on_accept(struct ev_loop *ev, struct ev_io *w, int revents)
{
    struct control_server *s = w->data;

    (void)revents;
    int fd = accept4(s->fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (fd < 0) {
        if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
            ev_io_stop(ev, w);
            ev_timer_again(ev, &s->rest);
        }
        return;
    }
    if (!may_ask(fd)) {
        static const char no[] = "{\"error\":\"only root and the daemon's own user may ask\"}\n";
        (void)!send(fd, no, sizeof(no) - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
        close(fd);
        return;
    }
    struct conn *c = make_place(s);
    c->fd = fd;
    c->in_len = 0;
    ev_io_init(&c->io, on_conn, fd, EV_READ);
    c->io.data = c;
    ev_io_start(ev, &c->io);
    ev_init(&c->idle, on_idle);
    c->idle.repeat = CONTROL_IDLE_S;
    c->idle.data = c;
    conn_progress(c);
}

static void on_rested(struct ev_loop *ev, struct ev_timer *w, int revents)
{
    struct control_server *s = w->data;

    (void)revents;
    ev_timer_stop(ev, w);
    ev_io_start(ev, &s->accept);
}

/* ---- the listening socket ---- */

/* Somebody holds the path: is it a socket of ours that nobody listens on any more? Then remove it.
 */
static int clear_stale(const struct control_addr *a)
{
    struct stat st;

    if (a->path == NULL)
        return -EADDRINUSE;
    if (lstat(a->path, &st) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISSOCK(st.st_mode) || st.st_uid != geteuid())
        return -EADDRINUSE;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    int rc = connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0 ? errno : 0;
    close(fd);
    if (rc != ECONNREFUSED)
        return -EADDRINUSE;
    return unlink(a->path) < 0 && errno != ENOENT ? -errno : 0;
}

static int listen_on(struct control_server *s)
{
    const struct sockaddr *sa = (const struct sockaddr *)&s->addr.sa;
    struct stat st;

    s->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s->fd < 0)
        return -errno;
    /* the file takes its mode from the socket: at no time is it open to others */
    if (s->addr.path && fchmod(s->fd, 0600) < 0)
        return -errno;
    if (bind(s->fd, sa, s->addr.len) < 0) {
        if (errno != EADDRINUSE)
            return -errno;
        int rc = clear_stale(&s->addr);
        if (rc < 0)
            return rc;
        if (bind(s->fd, sa, s->addr.len) < 0)
            return -errno;
    }
    if (s->addr.path) {
        if (lstat(s->addr.path, &st) < 0)
            return -errno;
        s->dev = st.st_dev;
        s->ino = st.st_ino;
    }
    return listen(s->fd, (int)CONTROL_CONNECTIONS) < 0 ? -errno : 0;
}

const char *control_advice(const char *name, int err)
{
    if (err != -EADDRINUSE || name[0] != '@')
        return "";
    return ". Any program can hold such a name; control: PATH in a folder of root's cannot be "
           "taken";
}

int control_open(struct control_server **ret, struct ev_loop *ev, const char *name,
                 control_answer_fn answer, void *ctx)
{
    struct control_server *s = calloc(1, sizeof(*s));

    if (!s)
        return -ENOMEM;
    s->ev = ev;
    s->answer = answer;
    s->ctx = ctx;
    s->fd = -1;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++) {
        s->conn[i].fd = -1;
        s->conn[i].s = s;
    }
    ev_init(&s->accept, on_accept);
    ev_init(&s->rest, on_rested);
    s->rest.repeat = CONTROL_REST_S;
    s->rest.data = s;
    int rc = control_addr_of(&s->addr, name);
    if (rc == 0)
        rc = listen_on(s);
    if (rc < 0) {
        control_close(s);
        return rc;
    }
    ev_io_set(&s->accept, s->fd, EV_READ);
    s->accept.data = s;
    ev_io_start(ev, &s->accept);
    *ret = s;
    return 0;
}

void control_close(struct control_server *s)
{
    struct stat st;

    if (!s)
        return;
    for (unsigned i = 0; i < CONTROL_CONNECTIONS; i++)
        if (s->conn[i].fd >= 0)
            conn_close(&s->conn[i]);
    ev_io_stop(s->ev, &s->accept);
    ev_timer_stop(s->ev, &s->rest);
    if (s->addr.path && s->ino && lstat(s->addr.path, &st) == 0 && st.st_dev == s->dev &&
        st.st_ino == s->ino)
        unlink(s->addr.path);
    if (s->fd >= 0)
        close(s->fd);
    control_addr_clear(&s->addr);
    free(s);
}
