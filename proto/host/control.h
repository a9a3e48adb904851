/* SPDX-License-Identifier: MIT */
/* control.h - one question, one answer, in JSON lines on a unix socket
 *
 * DOC: the daemon listens on a stream socket: `@name` is an abstract one (nothing to clean up),
 * else a path (mode 0600). A client sends one line {"cmd":"status"}, at most CONTROL_REQUEST_MAX
 * octets with its newline, and gets one line of JSON, then the connection closes. Only root and the
 * daemon's own user are heard (SO_PEERCRED); the asking side checks likewise who answers, because
 * anybody may take an abstract name. At most CONTROL_CONNECTIONS at a time, each CONTROL_IDLE_S
 * seconds without progress; one more takes the place of the one that has been without progress for
 * longest, so that programs that hold connections keep nobody out. What is no request gets
 * {"error":"..."}. The daemon never waits for a client.
 */
#ifndef SIXTAP_HOST_CONTROL_H
#define SIXTAP_HOST_CONTROL_H

#include <ev.h>
#include <json-c/json.h>
#include <stddef.h>

#define CONTROL_REQUEST_MAX 4096u
#define CONTROL_CONNECTIONS 8u
#define CONTROL_IDLE_S      5.0
#define CONTROL_DEPTH_MAX   8
#define CONTROL_REPLY_MAX   (64u << 20) /* octets control_query() reads */

struct control_server;

/* answer to @cmd: a new object, the server frees it; NULL: no such command (the server says so)
 * @req: the whole request, the server's */
typedef struct json_object *(*control_answer_fn)(void *ctx, const char *cmd,
                                                 struct json_object *req);

/* control_open() - listen on @name ("@abstract" or a path)
 * A socket file nobody listens on is replaced; any other file is not touched.
 * Return: 0; -EADDRINUSE somebody answers there (the caller warns and goes on without);
 * -ENAMETOOLONG; -errno */
int control_open(struct control_server **ret, struct ev_loop *ev, const char *name,
                 control_answer_fn answer, void *ctx);

/* control_advice() - what to do about @err of control_open(@name); "" when there is nothing to say
 */
const char *control_advice(const char *name, int err);

/* control_close() - drop connections, stop listening, remove the socket file; NULL is fine */
void control_close(struct control_server *s);

/* control_query() - ask the daemon behind @name and wait for its answer, blocking
 * @cmd:        the command
 * @timeout_ms: for all of it
 * @ret:        the answer, an object the caller puts (json_object_put)
 * @err:        @err_len octets: what went wrong, for a person; empty on success
 * Return: 0; -ECONNREFUSED nobody listens; -EACCES the daemon does not talk to this user; -EPERM
 * the socket belongs to somebody else; -ETIMEDOUT; -EPROTO the answer is no JSON object; -EREMOTEIO
 * it is {"error":...}; -errno */
int control_query(const char *name, const char *cmd, unsigned timeout_ms, struct json_object **ret,
                  char *err, size_t err_len);

#endif
