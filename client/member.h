/* SPDX-License-Identifier: MIT */
/* member.h - being a member: gaining and losing the router, and what the device shall be meanwhile
 *
 * DOC: what a member of the segment is told (MAC, addresses, routes) takes effect at confirmation
 * and not before. One exception: a device that has neither carrier nor default route, so that
 * nobody uses it, gets MAC and addresses with the LOGIN_REPLY already. The kernel makes a new
 * address work in the background, and one that is not ready when the router's first packets come
 * (an RA and an NS, right before the answer to CONFIRM) loses them, and a round trip with them. A
 * router that is lost changes nothing on the device for hold_s: state HELD; data goes on being sent
 * with the keys there are, and either a new login or, after mere silence, a sign of life under the
 * old keys ends it. The functions are events, named after what happened. Internal to the engine:
 * its other parts are receive.c and engine.c.
 */
#ifndef SIXTAP_CLIENT_MEMBER_H
#define SIXTAP_CLIENT_MEMBER_H

#include "client/engine.h"

/* member_confirmed() - the router has the new keypair: its settings hold from now on */
void member_confirmed(struct client_engine *e, const struct turn *t);

/* member_prepare() - a LOGIN_REPLY said ok: MAC and addresses for a device that is down */
void member_prepare(struct client_engine *e, const struct turn *t);

/* member_settings() - e->settings changed: bring the wish for the device to them */
void member_settings(struct client_engine *e, const struct turn *t);

/* member_mtu() - bring the wish for the device, and the router, to what pmtu has proved */
void member_mtu(struct client_engine *e, const struct turn *t);

/* member_path() - pmtu has found something out. What carries traffic already follows at once. */
void member_path(struct client_engine *e, const struct turn *t, enum pmtu_news news);

/* member_settle() - the wait for the big CONFIRM is over, one way or the other: MTU, then carrier
 */
void member_settle(struct client_engine *e, const struct turn *t);

/* member_heard() - DATA opened under current */
void member_heard(struct client_engine *e, const struct turn *t);

/* member_hint() - a sign that the router knows us no more, already believed as far as it can be:
 * try a login, at most one per NUDGE_PAUSE.    @how: 0 NUDGE, 1 ICMP port unreachable */
void member_hint(struct client_engine *e, const struct turn *t, unsigned how);

/* member_lost() - there is no router any more: hold, and log in anew at @when */
void member_lost(struct client_engine *e, const struct turn *t, mono_ns when);

/* member_hold_over() - nobody came back: the network is withdrawn */
void member_hold_over(struct client_engine *e, const struct turn *t);

/* member_last_ra() - tell our own kernel, in the router's name, that it is no default router any
 * more Source: RFC 4861 6.2.5, 6.3.4 */
void member_last_ra(struct client_engine *e, const struct turn *t);

/* member_carrier_off() - carrier and default route go */
void member_carrier_off(struct client_engine *e, const struct turn *t);

#endif
