/* SPDX-License-Identifier: MIT */
/* fuzz_control_socket.c - requests to the daemon's control socket, through a real socket
 *
 * Input: one octet, how the rest is split into two sends; the rest is what the asking side sends
 * before it shuts its side down.
 */
#include <errno.h>
#include <ev.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fuzz.h"
#include "proto/host/control.h"
#include "proto/host/control_sock.h"

static struct ev_loop *ev;
static struct control_server *server;
static char name[64];
static unsigned asked;

static struct json_object *answer(void *ctx, const char *cmd, struct json_object *req)
{
    (void)ctx;
    FUZZ_CHECK(json_object_is_type(req, json_type_object));
    asked++;
    if (strcmp(cmd, "status") != 0)
        return NULL;
    return json_object_get(req); /* the request itself: it can be anything */
}

static void setup(void)
{
    if (server)
        return;
    ev = ev_loop_new(EVFLAG_AUTO);
    snprintf(name, sizeof(name), "@sixtap-fuzz-%d", (int)getpid());
    FUZZ_CHECK(ev && control_open(&server, ev, name, answer, NULL) == 0);
}

static int dial(void)
{
    struct control_addr a;

    FUZZ_CHECK(control_addr_of(&a, name) == 0);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    FUZZ_CHECK(fd >= 0 && connect(fd, (const struct sockaddr *)&a.sa, a.len) == 0);
    control_addr_clear(&a);
    return fd;
}

static void turn(unsigned n)
{
    for (unsigned i = 0; i < n; i++)
        ev_run(ev, EVRUN_NOWAIT);
}

/* One line of JSON, an object, and nothing after it. */
static void check_reply(char *p, size_t len)
{
    FUZZ_CHECK(len > 2 && p[len - 1] == '\n' && memchr(p, '\n', len) == p + len - 1);
    p[len - 1] = 0;
    struct json_object *o = json_tokener_parse(p);
    FUZZ_CHECK(json_object_is_type(o, json_type_object));
    json_object_put(o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t len)
{
    static char got[65536];
    size_t n = 0;
    bool over = false;

    fuzz_setup();
    setup();
    if (len == 0)
        return 0;
    int fd = dial();
    size_t cut = (len - 1) * data[0] / 255;
    asked = 0;
    (void)!send(fd, data + 1, cut, MSG_NOSIGNAL | MSG_DONTWAIT);
    turn(2);
    (void)!send(fd, data + 1 + cut, len - 1 - cut, MSG_NOSIGNAL | MSG_DONTWAIT);
    shutdown(fd, SHUT_WR);
    for (unsigned i = 0; i < 64 && !over; i++) {
        turn(1);
        ssize_t k = recv(fd, got + n, sizeof(got) - n, 0);
        n += k > 0 ? (size_t)k : 0;
        over = k == 0 || (k < 0 && errno == ECONNRESET);
    }
    close(fd);
    turn(1);
    FUZZ_CHECK(over && asked <= 1); /* every connection ends, with one answer at the most */
    if (n)
        check_reply(got, n);
    return 0;
}
