/* SPDX-License-Identifier: MIT */
/* traffic.h - Ethernet frames of the TAP to DATA and back, in place
 *
 * DOC: up, the 14 octets of Ethernet make room for the DATA header and, for peers and groups, six
 * octets of MAC; down, the Ethernet header is rebuilt over what stood before the IPv6 packet.
 * Source MACs are implied on the wire, so what the TAP says is checked here: frames with our own
 * source MAC only.
 */
#ifndef SIXTAP_CLIENT_TRAFFIC_H
#define SIXTAP_CLIENT_TRAFFIC_H

#include "client/tunnel.h"
#include "client/want.h"
#include "proto/same_flow.h"

/* The packet before, in one direction, for the next one of its flow. Starts with nothing known; to
 * be forgotten when the device's wants change. */
struct traffic_flow {
    struct same_flow ip;
    uint8_t kind;
    uint8_t mac[MAC_LEN]; /* as DATA carries it */
    uint8_t eth[ETH_LEN];
};

/* traffic_up() - turn the frame @f into plaintext for keyset_seal_run()
 * @f:        PKT_HEADROOM before and PKT_TAILROOM behind are written
 * @fl:       of the frame before
 * @ret, @ret_kind: valid after DROP_NONE; @ret points into @f's buffer
 * Return: DROP_NONE, DROP_FRAME_SHORT, DROP_ETHERTYPE, DROP_FRAME_MAC, DROP_TOO_BIG, or what
 * frame_parse() says. */
enum drop traffic_up(const struct device_want *w, const struct pkt *f, struct traffic_flow *fl,
                     struct pkt *ret, uint8_t *ret_kind);

/* traffic_down() - turn the opened DATA @d (kind host, peer or multicast) into a frame for the TAP
 * @fl:  of the datagram before
 * @ret: points into @d's buffer
 * Return: DROP_NONE, DROP_FRAME_MAC, DROP_DST_INVALID, or what frame_parse() says. */
enum drop traffic_down(const struct device_want *w, const struct dgram *d, struct traffic_flow *fl,
                       struct pkt *ret);

#endif
