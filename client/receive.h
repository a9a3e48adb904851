/* SPDX-License-Identifier: MIT */
/* receive.h - datagrams from the router: replies, control messages, packets for the TAP
 *
 * DOC: DATA is opened in runs of one index. What opens under previous may carry packets for the TAP
 * but decides nothing: no control message of it counts. Internal to the engine.
 */
#ifndef SIXTAP_CLIENT_RECEIVE_H
#define SIXTAP_CLIENT_RECEIVE_H

#include "client/engine.h"

/* receive_data() - DATA (wire_peek() said so of the first) under one index from @in on
 * Return: how many of @n that were, at least 1; all are dealt with and counted. */
unsigned receive_data(struct client_engine *e, const struct turn *t, struct dgram *in, unsigned n);

/* receive_other() - anything but DATA
 * Return: DROP_NONE or why it was dropped, for the caller to count. */
enum drop receive_other(struct client_engine *e, const struct turn *t, const struct dgram *d);

#endif
