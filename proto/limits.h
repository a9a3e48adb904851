/* SPDX-License-Identifier: MIT */
/* limits.h - every number of the protocol that is not a field width; PROTOCOL.md section "Numbers"
 */
#ifndef SIXTAP_PROTO_LIMITS_H
#define SIXTAP_PROTO_LIMITS_H

#include "proto/timers.h"

/* keypairs (DESIGN 3) */
#define REKEY_AFTER          (120 * NS_PER_S) /* +-10 % */
#define REKEY_JITTER_PCT     10u
#define REKEY_AFTER_PACKETS  (UINT64_C(1) << 24) /* sent or received */
#define KEYPAIR_LIFE         (300 * NS_PER_S)
#define KEYPAIR_LIFE_PACKETS (UINT64_C(1) << 28)
#define PREVIOUS_LIFE        (10 * NS_PER_S) /* previous still opens for this long after a promotion */
#define TENTATIVE_LIFE       (10 * NS_PER_S) /* an unconfirmed keypair at the router */

/* login */
#define CONFIRM_TRIES      6u /* at 0, 0.1, 0.3, 0.7, 1, 1 s after one another */
#define TENTATIVES_PER_KEY 2u
#define COOKIE_SECRET_LIFE (120 * NS_PER_S)
#define MAC_TAKEN_TRIES    3u
#define MAC_TAKEN_PAUSE    (1 * NS_PER_S)
#define LOGIN_TIMEOUT      (1 * NS_PER_S) /* for a LOGIN_REPLY; doubles per two tries */
#define LOGIN_BACKOFF_MAX  (15 * NS_PER_S)
#define LOGIN_WANTED_MAX   (2 * NS_PER_S) /* while TAP traffic waits */
#define NUDGE_PAUSE        (2 * NS_PER_S) /* at most one login drawn by NUDGEs in this time */
#define NUDGE_MEMORY       (5 * NS_PER_S) /* a NUDGE must echo what was sent this recently */
#define NUDGE_PER_ADDRESS  10u            /* a second */
#define NUDGE_PER_S        1000u
#define LEASE_LIFE         (3600 * NS_PER_S)

/* login under load (DESIGN 8) */
#define LOOKS_PER_S   1000u           /* LOGINs from new addresses, beyond limits: logins_per_s */
#define ASKED_MEMORY  (16 * NS_PER_S) /* an address that sent a LOGIN this recently is not new */
#define LOOKS_IN_VAIN 2u              /* COOKIEs to an address that does not use them */
#define VAIN_MEMORY   (64 * NS_PER_S) /* so long it draws no more */
#define CROWD_LIFE    (1 * NS_PER_S)  /* cookies are demanded so long after a LOGIN too many */

/* keepalive */
#define KEEPALIVE_DEFAULT_S 20u
#define KEEPALIVE_MIN_S     5u
#define KEEPALIVE_ADVISED_S 15u
#define KEEPALIVE_MAX_S     120u
#define KEEPALIVE_SUSPECT   (1 * NS_PER_S) /* data sent and nothing heard */
#define KEEPALIVE_REPEAT    (1 * NS_PER_S)
#define KEEPALIVE_LOST      5u /* unanswered ones */
#define SILENCE_FACTOR      3u /* the router drops a member after this many keepalives */
#define HOLD_DEFAULT_S      30u

/* MTU: outer overhead is IPv4 20 + UDP 8 + header 16 + MAC 6 + tag 16 */
#define OUTER_IP_UDP      28u
#define PEER_OVERHEAD     66u
#define INNER_MTU_MIN     1280u
#define INNER_MTU_MAX     9000u
#define INNER_MTU_DEFAULT 1434u             /* over an underlay of 1 500 */
#define CARRIER_WAIT      (200 * NS_PER_MS) /* for the answer to the big CONFIRM */
#define OUTER_MTU_SAFE    576u /* IPv4 packets this long pass nearly everywhere whole */

/* the search for it (RFC 8899) */
#define PMTU_TRIES         3u                /* unanswered probes of a size: it does not pass */
#define PMTU_WAIT_MIN      (300 * NS_PER_MS) /* for an answer: 4 round trips, within these */
#define PMTU_WAIT_MAX      (1 * NS_PER_S)
#define PMTU_CONFIRM       (3 * NS_PER_S) /* a size in use is probed again, while large packets pass */
#define PMTU_CONFIRM_SMALL (8 * NS_PER_S)  /* while only small ones do */
#define PMTU_RAISE         (60 * NS_PER_S) /* has the path grown? */
#define PMTU_RAISE_LATE    (600 * NS_PER_S)
#define PMTU_RAISES        10u /* of the former, then the latter */

/* endpoints */
#define AMPLIFY_FACTOR 3u /* octets to an unproven endpoint per octet from it */

/* bindings */
#define LEARNED_PER_MEMBER   16u
#define ASSIGNED_PER_MEMBER  4u
#define DELEGATED_PER_MEMBER 4u

/* bursts: one wake-up handles at most this many datagrams per call of an engine */
#define BURST_MAX 64u

#endif
