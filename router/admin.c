/* SPDX-License-Identifier: MIT */
/* admin.c - invite, revoke and reload */
#include "router/admin.h"

#include <errno.h>
#include <poll.h>
#include <sodium.h>
#include <string.h>
#include <sys/stat.h>
#include <sysexits.h>
#include <unistd.h>

#include "proto/host/clock.h"
#include "proto/host/control.h"
#include "proto/host/secret.h"
#include "proto/mac.h"
#include "router/admin_file.h"
#include "router/clients_dir.h"
#include "router/room.h"
#include "router/running.h"
#include "router/uplink.h"

#define ASK_TIMEOUT_MS 5000u
#define RELOAD_MAX     (120 * NS_PER_S)
#define POLL_MS        20

/* ---- asking the running router ---- */

static int64_t number_of(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;

    return json_object_object_get_ex(o, key, &v) ? json_object_get_int64(v) : 0;
}

static bool is_true(struct json_object *o, const char *key)
{
    struct json_object *v = NULL;

    return json_object_object_get_ex(o, key, &v) && json_object_get_boolean(v);
}

/* Ask @name to reload and wait until it has. Return: 0 with *@ret its answer; -errno of
 * control_query(), and @err says why; -ETIMEDOUT */
static int reload_and_wait(const char *name, struct json_object **ret, char *err, size_t err_len)
{
    mono_ns until = mono_now() + RELOAD_MAX;
    struct json_object *o = NULL;
    int rc = control_query(name, "reload", ASK_TIMEOUT_MS, &o, err, err_len);

    if (rc)
        return rc;
    int64_t request = number_of(o, "request");
    json_object_put(o);
    while (mono_now() < until) {
        rc = control_query(name, "reloaded", ASK_TIMEOUT_MS, &o, err, err_len);
        if (rc)
            return rc;
        if (number_of(o, "done") >= request) {
            *ret = o;
            return 0;
        }
        json_object_put(o);
        (void)poll(NULL, 0, POLL_MS);
    }
    (void)snprintf(err, err_len, "the router has not reloaded within %u s",
                   (unsigned)(RELOAD_MAX / NS_PER_S));
    return -ETIMEDOUT;
}

static void print_messages(FILE *f, struct json_object *o)
{
    struct json_object *list = NULL;

    if (!json_object_object_get_ex(o, "messages", &list))
        return;
    for (size_t i = 0; i < json_object_array_length(list); i++)
        fprintf(f, "%s\n", json_object_get_string(json_object_array_get_idx(list, i)));
}

static const char *summary_of(struct json_object *o)
{
    struct json_object *v = NULL;

    return json_object_object_get_ex(o, "summary", &v) ? json_object_get_string(v)
                                                       : "what became of it is in its log";
}

/* Print what became of it, as the router's log has it. Return: exit code */
static int report(const struct cli_io *io, struct json_object *o, bool quiet)
{
    bool ok = is_true(o, "ok");

    print_messages(io->err, o);
    if (!ok || !quiet)
        fprintf(ok ? io->out : io->err, "%s%s\n", ok ? "" : "sixtap-router: ", summary_of(o));
    return ok ? EX_OK : EX_CONFIG;
}

static void control_of(const struct cli_opts *o, char name[108])
{
    struct router_config c;

    if (o->control) {
        (void)snprintf(name, 108, "%s", o->control);
        return;
    }
    router_config_peek(&c, o->config);
    memcpy(name, c.control, sizeof(c.control));
    router_config_free(&c);
}

/* ---- routers that were not asked ---- */

/* How to reach a router whose control socket is not the one that the file leads to. */
static void say_how(const struct cli_opts *o, const struct cli_io *io, pid_t pid)
{
    fprintf(io->err,
            "sixtap-router: a router runs with %s, pid %d, and does not know: its control socket "
            "is another one (it was started with another device: or control:), it has none, or it "
            "is in another network namespace. kill -HUP %d makes it read its files, and its log "
            "says what comes of it; so does sixtap-router reload --control NAME with the socket "
            "it has\n",
            o->config, (int)pid, (int)pid);
}

/* Routers that run with the configuration but for the one with pid @told are named, unless @io is
 * NULL. Return: are there any? */
static bool say_untold(const struct cli_opts *o, const struct cli_io *io, int64_t told)
{
    pid_t pid[RUNNING_MAX];
    unsigned n = running_find(o->config, pid);
    bool untold = false;

    for (unsigned i = 0; i < n; i++) {
        if (pid[i] == told)
            continue;
        untold = true;
        if (io)
            say_how(o, io, pid[i]);
    }
    return untold;
}

/* Does the router that gave @answer run with another file than ours? */
static bool is_other(const struct cli_opts *o, struct json_object *answer)
{
    pid_t pid[RUNNING_MAX];
    unsigned n = running_find(o->config, pid), i = 0;

    if (!is_true(answer, "marked"))
        return false; /* it cannot be told */
    while (i < n && pid[i] != number_of(answer, "pid"))
        i++;
    return i == n;
}

int admin_reload(const struct cli_opts *o, const struct cli_io *io)
{
    char name[108], err[256];
    struct json_object *answer = NULL;

    control_of(o, name);
    if (reload_and_wait(name, &answer, err, sizeof(err)) != 0) {
        fprintf(io->err, "sixtap-router: %s\n", err);
        if (!o->control)
            (void)say_untold(o, io, 0);
        return EX_UNAVAILABLE;
    }
    if (!o->control && is_other(o, answer)) {
        fprintf(io->err, "sixtap-router: the router at %s runs with another file than %s\n", name,
                o->config);
        (void)say_untold(o, io, 0);
        json_object_put(answer);
        return EX_UNAVAILABLE;
    }
    if (o->json)
        fprintf(io->out, "%s\n", json_object_to_json_string_ext(answer, JSON_C_TO_STRING_PLAIN));
    int rc = report(io, answer, o->json);
    json_object_put(answer);
    return rc;
}

/* ---- after a file was changed ---- */

enum told {
    TOLD,    /* the running router has taken it */
    NONE,    /* no router runs with this configuration */
    UNTOLD,  /* one runs and could not be asked, which was said */
    REFUSED, /* it has not taken the files, which was said */
};

/* Tell the running router, if there is one. What was not simply done is said.
 * @name: filled with the name of its socket
 * @ret:  its answer, the caller puts it; NULL: there is none */
static enum told tell_router(const struct cli_opts *o, const struct cli_io *io, char name[108],
                             struct json_object **ret)
{
    char err[256];

    *ret = NULL;
    control_of(o, name);
    int rc = reload_and_wait(name, ret, err, sizeof(err));
    if (rc == 0 && is_other(o, *ret)) { /* it has read its own files, which is no harm */
        (void)snprintf(err, sizeof(err), "the router at %s runs with another file", name);
        json_object_put(*ret);
        *ret = NULL;
        rc = -ECONNREFUSED;
    }
    if (rc == -ECONNREFUSED && !say_untold(o, io, 0))
        return NONE;
    if (rc) {
        fprintf(io->err, "sixtap-router: %s\n", err);
        return UNTOLD;
    }
    bool taken = report(io, *ret, true) == EX_OK;
    /* in another network namespace, with the same file */
    if (say_untold(o, io, number_of(*ret, "pid")))
        return taken ? UNTOLD : REFUSED;
    return taken ? TOLD : REFUSED;
}

static int conclude(const struct cli_io *io, const char *what, enum told told)
{
    static const struct {
        int code;
        const char *text;
    } end[] = {
        [TOLD] = { EX_OK, "; the running router knows" },
        [NONE] = { EX_OK, "; no router runs here now, it will know when it starts" },
        [UNTOLD] = { EX_UNAVAILABLE, ", but a running router does not know yet: see above" },
        [REFUSED] = { EX_CONFIG, ", but the running router does not know yet: see above" },
    };

    fprintf(io->err, "%s%s\n", what, end[told].text);
    return end[told].code;
}

/* ---- invite ---- */

static bool name_fits(const char *name)
{
    size_t n = strlen(name);

    return n >= 1 && n <= CLIENT_NAME_MAX && name[0] != '.' && name[0] != '-' &&
           strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-") == n;
}

/* Is there room for @name and @key among the clients? */
static int check_new(const struct router_config *c, const struct cli_opts *o, const uint8_t *key,
                     const struct cli_io *io)
{
    if (memcmp(key, c->public_key, KEY_LEN) == 0) {
        fprintf(io->err, "sixtap-router: that is the router's own public key\n");
        return EX_DATAERR;
    }
    for (unsigned i = 0; i < c->n_clients; i++) {
        bool name = strcmp(c->clients[i].name, o->arg) == 0;
        if (!name && memcmp(c->clients[i].public_key, key, KEY_LEN) != 0)
            continue;
        fprintf(io->err,
                name ? "sixtap-router: there is a client %s already; `sixtap-router revoke "
                       "%s` takes it away\n"
                     : "sixtap-router: that public key belongs to %s already\n",
                c->clients[i].name, c->clients[i].name);
        return EX_DATAERR;
    }
    return EX_OK;
}

/* How many clients the router that runs here has room for; 0: there is none, or it does not say. */
static uint32_t running_room(const struct cli_opts *o)
{
    char name[108], err[256];
    struct json_object *answer = NULL;
    int64_t room = 0;

    control_of(o, name);
    if (control_query(name, "reloaded", ASK_TIMEOUT_MS, &answer, err, sizeof(err)) == 0)
        room = number_of(answer, "room");
    json_object_put(answer);
    return room > 0 && room < UINT32_MAX ? (uint32_t)room : 0;
}

/* Is there a place and an address for one more? Said before anything is written: a list that is
 * too long would keep the router from its next start. */
static int check_room(const struct router_config *c, const struct cli_opts *o, const uint8_t *key,
                      const struct cli_io *io)
{
    char prefix[IP6_TEXT_LEN];
    uint32_t room;

    if (c->max_clients && c->n_clients >= c->max_clients) {
        fprintf(io->err,
                "sixtap-router: %u clients are listed, and limits: clients: allows no more; raise "
                "it and restart the router, or revoke one\n",
                c->n_clients);
        return EX_UNAVAILABLE;
    }
    if (!room_in_prefix(c, key)) {
        fprintf(io->err,
                "sixtap-router: %u clients are listed, and prefix %s/%u has no address for another "
                "one; revoke one, or take a shorter prefix\n",
                c->n_clients, ip6_text(prefix, c->prefix.addr), c->prefix.len);
        return EX_UNAVAILABLE;
    }
    room = running_room(o);
    if (room && c->n_clients >= room) {
        fprintf(io->err,
                "sixtap-router: %u clients are listed, and the running router has no place for "
                "another one; restart it, which makes room, or revoke one\n",
                c->n_clients);
        return EX_UNAVAILABLE;
    }
    if (c->n_clients >= c->max_members)
        fprintf(io->err,
                "sixtap-router: note: limits: members: %u; of %u clients that many can be on line "
                "at a time\n",
                c->max_members, c->n_clients + 1);
    return EX_OK;
}

static void print_client_yaml(FILE *f, const struct router_config *c, const char *name,
                              const uint8_t *private_key)
{
    char ep[EP_TEXT_LEN], text[KEY_TEXT_LEN];

    const char *holds = private_key          ? "mode 0600, it holds a key"
                        : c->has_join_secret ? "mode 0600, it holds a secret; its key is in "
                                               "client.key beside it"
                                             : "its key is in client.key beside it";

    key_to_text(text, c->public_key);
    fprintf(f,
            "# client.yaml of %s: %s. sixtap-client run -c client.yaml\n"
            "router: %s\nrouter_key: %s\n",
            name, holds, endpoint_text(ep, c->public_ep), text);
    if (private_key) {
        key_to_text(text, private_key);
        fprintf(f, "private_key: %s\n", text);
    } else {
        fprintf(f, "private_key_file: client.key\n");
    }
    if (c->has_join_secret) {
        key_to_text(text, c->join_secret);
        fprintf(f, "join_secret: %s\n", text);
    }
    if (c->addressing == ADDRESSING_EUI64)
        fprintf(f, "configure: ra\n");
    fprintf(f, "device: tap6\n");
    sodium_memzero(text, sizeof(text));
}

/* The files as they are now, by the check of the router. Return: exit code */
static int check_files(const struct cli_opts *o, const struct cli_io *io)
{
    struct router_config c;
    char *text = NULL;
    size_t len;
    FILE *f = open_memstream(&text, &len);
    int problems = f ? router_config_load(&c, o->config, f) : 1;

    if (problems == 0)
        router_config_free(&c);
    if (f)
        fclose(f);
    if (problems) /* else there are warnings, which were said before */
        fprintf(io->err, "%ssixtap-router: %s is not invited, because of the problem above\n",
                text ? text : "memory is out\n", o->arg);
    free(text);
    return problems ? EX_CONFIG : EX_OK;
}

static int write_client(const struct router_config *c, const struct cli_opts *o,
                        const uint8_t *public_key, char *path, size_t cap, const struct cli_io *io)
{
    char text[KEY_TEXT_LEN], body[256];

    if (mkdir(c->clients_dir, 0755) < 0 && errno != EEXIST) {
        fprintf(io->err, "sixtap-router: %s: %s\n", c->clients_dir, strerror(errno));
        return EX_CANTCREAT;
    }
    key_to_text(text, public_key);
    (void)snprintf(body, sizeof(body), "name: %s\npublic_key: %s\n", o->arg, text);
    (void)snprintf(path, cap, "%s/%s" CLIENTS_DIR_SUFFIX, c->clients_dir, o->arg);
    int err = admin_write_file(path, body, 0644, false);
    if (err == 0)
        return EX_OK;
    fprintf(io->err, "sixtap-router: %s: %s\n", path,
            err == -EEXIST ? "is there already" : strerror(-err));
    return EX_CANTCREAT;
}

/* Does one of the messages in @o find fault with the file of client @name? The router may know its
 * directory by another path. */
static bool blames(struct json_object *o, const char *name)
{
    char file[CLIENT_NAME_MAX + 20];
    struct json_object *list = NULL;

    (void)snprintf(file, sizeof(file), "/%s" CLIENTS_DIR_SUFFIX ":", name);
    if (!json_object_object_get_ex(o, "messages", &list))
        return false;
    for (size_t i = 0; i < json_object_array_length(list); i++) {
        if (strstr(json_object_get_string(json_object_array_get_idx(list, i)), file))
            return true;
    }
    return false;
}

static int tell_invited(const struct cli_opts *o, const char *path, const struct cli_io *io)
{
    char what[CLIENTS_DIR_LEN + 200], name[108];
    struct json_object *answer;
    enum told told = tell_router(o, io, name, &answer);
    bool blamed = told == REFUSED && blames(answer, o->arg);

    json_object_put(answer);
    if (blamed) {
        unlink(path);
        fprintf(io->err,
                "sixtap-router: %s is removed again: the running router does not take it, see "
                "above; %s is not invited, and what was printed for it is of no use\n",
                path, o->arg);
        return EX_CONFIG;
    }
    (void)snprintf(what, sizeof(what), "%s is in %s", o->arg, path);
    return conclude(io, what, told);
}

static int invite(const struct router_config *c, const struct cli_opts *o, const struct cli_io *io)
{
    uint8_t private_key[KEY_LEN], public_key[KEY_LEN];
    char path[CLIENTS_DIR_LEN + 100];

    randombytes_buf(private_key, sizeof(private_key));
    private_key[0] &= 248; /* as keygen does */
    private_key[31] = (uint8_t)((private_key[31] & 127) | 64);
    crypto_scalarmult_base(public_key, private_key);
    if (o->public_key && !router_config_public_key(public_key, o->public_key,
                                                   "sixtap-router: --public-key", io->err)) {
        sodium_memzero(private_key, sizeof(private_key));
        return EX_DATAERR;
    }
    int rc = check_new(c, o, public_key, io);
    if (rc == EX_OK)
        rc = check_room(c, o, public_key, io);
    if (rc == EX_OK)
        rc = write_client(c, o, public_key, path, sizeof(path), io);
    if (rc == EX_OK && (rc = check_files(o, io)) != EX_OK)
        unlink(path);
    if (rc == EX_OK) {
        print_client_yaml(io->out, c, o->arg, o->public_key ? NULL : private_key);
        if (fflush(io->out) != 0 || ferror(io->out)) { /* nobody has the key: nobody is invited */
            unlink(path);
            fprintf(io->err, "sixtap-router: the output could not be written; %s is not invited\n",
                    o->arg);
            rc = EX_IOERR;
        }
    }
    sodium_memzero(private_key, sizeof(private_key));
    return rc == EX_OK ? tell_invited(o, path, io) : rc;
}

int admin_invite(const struct cli_opts *o, const struct cli_io *io)
{
    struct router_config c;

    if (!name_fits(o->arg)) {
        fprintf(io->err,
                "sixtap-router: `%s` is no name; allowed: 1..%d letters, digits, . _ -, not "
                "beginning with . or -\n",
                o->arg, CLIENT_NAME_MAX);
        return EX_DATAERR;
    }
    if (router_config_load_to_invite(&c, o->config, io->err) != 0)
        return EX_CONFIG;
    if (c.uplink == UPLINK_NDPROXY)
        (void)uplink_conclude(&c); /* which addresses are not for clients; it need not run here */
    int rc = invite(&c, o, io);
    router_config_free(&c);
    return rc;
}

/* ---- revoke ---- */

/* The router has not taken the files, so it is told who is to go.
 * Return: whether it said that nobody of that name or key is listed any more */
static bool drop_client(const char *name, const struct cli_opts *o, const uint8_t *key,
                        const struct cli_io *io)
{
    char cmd[CLIENT_NAME_MAX + KEY_TEXT_LEN + 16], text[KEY_TEXT_LEN] = "-", err[256];
    struct json_object *answer = NULL;

    if (!sodium_is_zero(key, KEY_LEN))
        key_to_text(text, key);
    (void)snprintf(cmd, sizeof(cmd), "revoke %s %s", o->arg, text);
    int rc = control_query(name, cmd, ASK_TIMEOUT_MS, &answer, err, sizeof(err));
    if (rc)
        fprintf(io->err, "sixtap-router: %s\n", err);
    json_object_put(answer);
    return rc == 0;
}

int admin_revoke(const struct cli_opts *o, const struct cli_io *io)
{
    char file[CLIENTS_DIR_LEN + 300], what[CLIENTS_DIR_LEN + 400], name[108];
    struct json_object *answer;
    uint8_t key[KEY_LEN] = { 0 };
    int line = router_config_where(o->config, o->arg, file, key);

    if (line < 0) {
        fprintf(io->err, "sixtap-router: there is no client `%s`%s%s%s\n", o->arg,
                *file ? "; did you mean " : "", file, *file ? "?" : "");
        return EX_DATAERR;
    }
    if (line > 0) {
        fprintf(io->err,
                "sixtap-router: %s is on line %d of %s, which only you edit; take it out, then "
                "sixtap-router reload\n",
                o->arg, line, file);
        return EX_DATAERR;
    }
    if (unlink(file) < 0) {
        fprintf(io->err, "sixtap-router: %s: %s\n", file, strerror(errno));
        return EX_CANTCREAT;
    }
    (void)snprintf(what, sizeof(what), "%s is no longer listed, %s is removed", o->arg, file);
    enum told told = tell_router(o, io, name, &answer);
    bool untold = told == REFUSED && say_untold(o, NULL, number_of(answer, "pid"));
    if (told == REFUSED && number_of(answer, "no_room"))
        told = untold ? UNTOLD : TOLD; /* others did not get in; this one is out */
    json_object_put(answer);
    if (told != REFUSED || !drop_client(name, o, key, io))
        return conclude(io, what, told);
    fprintf(io->err,
            "%s; the running router has put it out. Of the other changes it takes none until the "
            "problems above are mended\n",
            what);
    return untold ? EX_UNAVAILABLE : EX_OK;
}
