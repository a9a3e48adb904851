/* SPDX-License-Identifier: MIT */
/* control_query.c - the asking side of the control socket */
#include "proto/host/control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <unistd.h>

#include "proto/host/clock.h"
#include "proto/host/control_sock.h"

int control_addr_of(struct control_addr *ret, const char *name)
{
    struct control_addr a = { .sa = { .sun_family = AF_UNIX } };
    size_t len = strlen(name);

    if (len == 0 || (name[0] == '@' && len == 1))
        return -EINVAL;
    if (len >= sizeof(a.sa.sun_path))
        return -ENAMETOOLONG;
    memcpy(a.sa.sun_path, name, len);
    if (name[0] == '@') {
        a.sa.sun_path[0] = '\0';
        a.len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    } else {
        a.path = strdup(name);
        if (!a.path)
            return -ENOMEM;
        a.len = sizeof(a.sa);
    }
    *ret = a;
    return 0;
}

void control_addr_clear(struct control_addr *a)
{
    free(a->path);
    a->path = NULL;
}

int control_peer_uid(int fd, uid_t *ret)
{
    struct ucred cred;
    socklen_t len = sizeof(cred);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &len) < 0)
        return -errno;
    *ret = cred.uid;
    return 0;
}

/* Connect within @ms milliseconds. Return: descriptor; -errno */
static int connect_to(const struct control_addr *a, unsigned ms)
{
    struct timeval tv = { .tv_sec = ms / 1000, .tv_usec = (suseconds_t)(ms % 1000) * 1000 };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    /* connect() waits while the daemon's queue is full; this bounds it (unix(7)), EAGAIN is its
     * time-out */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof(tv)) < 0 ||
        connect(fd, (const struct sockaddr *)&a->sa, a->len) < 0) {
        int err = errno;
        close(fd);
        if (err == ENOENT)
            return -ECONNREFUSED;
        return err == EAGAIN ? -ETIMEDOUT : -err;
    }
    return fd;
}

static int send_request(int fd, const char *cmd)
{
    struct json_object *o = json_object_new_object();
    char line[CONTROL_REQUEST_MAX];

    json_object_object_add(o, "cmd", json_object_new_string(cmd));
    int len = snprintf(line, sizeof(line), "%s\n",
                       json_object_to_json_string_ext(o, JSON_C_TO_STRING_PLAIN));
    json_object_put(o);
    if (len < 0 || (size_t)len >= sizeof(line))
        return -EINVAL;
    /* EPIPE: the daemon has answered and closed already; the answer says why */
    if (send(fd, line, (size_t)len, MSG_NOSIGNAL) < 0 && errno != EPIPE)
        return errno == EAGAIN ? -ETIMEDOUT : -errno;
    return 0;
}

/* Wait until @fd can be read. Return: 0; -ETIMEDOUT; -errno */
static int wait_readable(int fd, mono_ns until)
{
    for (;;) {
        struct pollfd pfd = { .fd = fd, .events = POLLIN };
        mono_ns left = time_since(until, mono_now());
        int n = poll(&pfd, 1, (int)((left + NS_PER_MS - 1) / NS_PER_MS));
        if (n > 0)
            return 0;
        if (n < 0 && errno != EINTR)
            return -errno;
        if (mono_now() >= until)
            return -ETIMEDOUT;
    }
}

/* Read to the end. *@ret: the text, @ret_len octets, the caller frees it, also on failure */
static int read_all(int fd, mono_ns until, char **ret, size_t *ret_len)
{
    size_t cap = 0;

    *ret = NULL;
    *ret_len = 0;
    for (;;) {
        if (*ret_len == cap) {
            cap = cap ? 2 * cap : 16384;
            char *more = cap <= CONTROL_REPLY_MAX ? realloc(*ret, cap) : NULL;
            if (!more)
                return -ENOMEM;
            *ret = more;
        }
        int rc = wait_readable(fd, until);
        if (rc < 0)
            return rc;
        ssize_t n = recv(fd, *ret + *ret_len, cap - *ret_len, MSG_DONTWAIT);
        if (n == 0)
            return 0;
        /* the daemon closed while the rest of our request was unread: what it sent has been read by
         * now */
        if (n < 0 && errno == ECONNRESET)
            return 0;
        if (n < 0 && errno != EAGAIN && errno != EINTR)
            return -errno;
        if (n > 0)
            *ret_len += (size_t)n;
    }
}

static int parse_reply(const char *text, size_t len, struct json_object **ret)
{
    struct json_tokener *tok;
    struct json_object *o;

    if (len == 0 || text[len - 1] != '\n')
        return -EPROTO; /* cut short */
    tok = json_tokener_new();
    if (!tok)
        return -ENOMEM;
    o = json_tokener_parse_ex(tok, text, (int)len);
    bool whole = json_tokener_get_error(tok) == json_tokener_success;
    json_tokener_free(tok);
    if (!whole || !json_object_is_type(o, json_type_object)) {
        json_object_put(o);
        return -EPROTO;
    }
    *ret = o;
    return 0;
}

/* Would the daemon hear us, and may we believe it? See control.h */
static int check_daemon(int fd, const char *name, char *err, size_t err_len)
{
    uid_t uid = 0, me = geteuid();
    int rc = control_peer_uid(fd, &uid);

    if (rc < 0) {
        (void)snprintf(err, err_len, "%s: %s", name, strerror(-rc));
        return rc;
    }
    if (uid != 0 && uid != me) {
        (void)snprintf(err, err_len,
                       "%s belongs to user %u, not to a daemon of root or yours; ask as that user",
                       name, (unsigned)uid);
        return -EPERM;
    }
    if (me != 0 && uid != me) {
        (void)snprintf(err, err_len, "%s: the daemon runs as root; ask as root", name);
        return -EACCES;
    }
    return 0;
}

static void explain(int rc, const char *name, char *err, size_t err_len)
{
    switch (rc) {
    case -ECONNREFUSED:
        (void)snprintf(err, err_len, "nobody listens on %s; is the daemon running?", name);
        break;
    case -EACCES:
        (void)snprintf(err, err_len, "%s: permission denied; ask as root", name);
        break;
    case -ETIMEDOUT:
        (void)snprintf(err, err_len, "%s: no answer in time", name);
        break;
    case -EPROTO:
        (void)snprintf(err, err_len, "%s: the answer is not one line of JSON", name);
        break;
    default:
        (void)snprintf(err, err_len, "%s: %s", name, strerror(-rc));
    }
}

/* {"error": "..."} is a failure. Return: 0; -EREMOTEIO */
static int check_error(struct json_object *o, char *err, size_t err_len)
{
    struct json_object *text = NULL;

    if (!json_object_object_get_ex(o, "error", &text))
        return 0;
    (void)snprintf(err, err_len, "the daemon says: %s", json_object_get_string(text));
    return -EREMOTEIO;
}

/* Send and receive on a connection. */
static int converse(int fd, const char *cmd, mono_ns until, struct json_object **ret)
{
    char *text = NULL;
    size_t len = 0;
    int rc = send_request(fd, cmd);

    if (rc == 0)
        rc = read_all(fd, until, &text, &len);
    if (rc == 0)
        rc = parse_reply(text, len, ret);
    free(text);
    return rc;
}

int control_query(const char *name, const char *cmd, unsigned timeout_ms, struct json_object **ret,
                  char *err, size_t err_len)
{
    mono_ns until = mono_now() + time_ms(timeout_ms);
    struct json_object *o = NULL;
    struct control_addr addr;
    int rc = control_addr_of(&addr, name);

    if (err_len)
        err[0] = '\0';
    if (rc < 0) {
        explain(rc, name, err, err_len);
        return rc;
    }
    int fd = connect_to(&addr, timeout_ms);
    control_addr_clear(&addr);
    if (fd < 0) {
        explain(fd, name, err, err_len);
        return fd;
    }
    rc = check_daemon(fd, name, err, err_len);
    if (rc == 0) {
        rc = converse(fd, cmd, until, &o);
        if (rc < 0)
            explain(rc, name, err, err_len);
        else
            rc = check_error(o, err, err_len);
    }
    close(fd);
    if (rc < 0)
        json_object_put(o);
    else
        *ret = o;
    return rc;
}
