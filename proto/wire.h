/* SPDX-License-Identifier: MIT */
/* wire.h - the five messages and the TLVs, octet by octet; PROTOCOL.md has the same in the same
 * order
 *
 * DOC: outer messages are fixed layouts, read and written through structs of octets. Everything
 * that may grow (login payloads, control messages) is type-length-value: type 2, length 2, value.
 * Unknown types are skipped, so either side can be newer. Nothing here decides anything; it only
 * says what a message contains and whether it is well formed. Well formed is meant strictly: a
 * value that no peer could use (a multicast MAC, an MTU below 1280, host bits in a prefix) is
 * refused here, so nobody else needs to look again.
 */
#ifndef SIXTAP_PROTO_WIRE_H
#define SIXTAP_PROTO_WIRE_H

#include <stddef.h>

#include "proto/addr.h"
#include "proto/cursor.h"
#include "proto/limits.h"

#define WIRE_VERSION 1

/* ---- outer messages (PROTOCOL.md 2) ---- */

enum wire_type {
    WIRE_BAD = 0, /* not a message of this protocol */
    WIRE_LOGIN = 1,
    WIRE_LOGIN_REPLY = 2,
    WIRE_COOKIE = 3,
    WIRE_DATA = 4,
    WIRE_NUDGE = 5,
    WIRE_RESERVED_E2E = 6, /* frames sealed end to end between clients: reserved, refused */
};

enum wire_kind {
    KIND_HOST = 1,      /* IPv6 packet between this client and the router */
    KIND_PEER = 2,      /* 6 octets of MAC (up: destination, down: source), IPv6 packet */
    KIND_MULTICAST = 3, /* 6 octets (up: zero, down: source MAC), IPv6 packet */
    KIND_CONTROL = 4,   /* TLVs */
};

#define TAG_LEN         16u
#define DATA_HDR_LEN    16u
#define DATA_MIN_LEN    (DATA_HDR_LEN + TAG_LEN)
#define DATA_MAC_LEN    6u
#define LOGIN_LEN       1200u
#define LOGIN_REPLY_MIN (12u + 32u + TAG_LEN)
#define LOGIN_REPLY_MAX LOGIN_LEN
#define COOKIE_MSG_LEN  64u
#define NUDGE_LEN       16u
#define COOKIE_LEN      16u
#define COOKIE_NONCE    24u
#define MAC12_LEN       16u

/* the sealed payload of LOGIN: padded with TLV_PAD to exactly this */
#define LOGIN_PAYLOAD_LEN (LOGIN_LEN - 8u - 32u - 48u - TAG_LEN - 2u * MAC12_LEN) /* 1064 */
/* the sealed payload of LOGIN_REPLY: at most */
#define REPLY_PAYLOAD_MAX (LOGIN_REPLY_MAX - LOGIN_REPLY_MIN) /* 1140 */

struct wire_head { /* common to all messages */
    uint8_t type, version;
    uint8_t kind;  /* DATA: enum wire_kind; else 0 */
    uint8_t flags; /* reserved, 0 */
};
_Static_assert(sizeof(struct wire_head) == 4, "PROTOCOL.md 2");

struct wire_login {
    struct wire_head head;
    be32 sender; /* the client's index */
    uint8_t ephemeral[32];
    uint8_t static_sealed[32 + TAG_LEN];
    uint8_t payload_sealed[LOGIN_PAYLOAD_LEN + TAG_LEN];
    uint8_t mac1[MAC12_LEN];
    uint8_t mac2[MAC12_LEN];
};
_Static_assert(sizeof(struct wire_login) == LOGIN_LEN, "PROTOCOL.md 2.1");

struct wire_login_reply {
    struct wire_head head;
    be32 sender;   /* the router's index */
    be32 receiver; /* the client's index */
    uint8_t ephemeral[32];
    uint8_t payload_sealed[]; /* payload and tag, to the end of the datagram */
};
_Static_assert(sizeof(struct wire_login_reply) == 44, "PROTOCOL.md 2.2");

struct wire_cookie {
    struct wire_head head;
    be32 receiver; /* the client's index */
    uint8_t nonce[COOKIE_NONCE];
    uint8_t cookie_sealed[COOKIE_LEN + TAG_LEN];
};
_Static_assert(sizeof(struct wire_cookie) == COOKIE_MSG_LEN, "PROTOCOL.md 2.3");

struct wire_data {
    struct wire_head head;
    be32 receiver; /* index of the receiver's keypair */
    be64 counter;
};
_Static_assert(sizeof(struct wire_data) == DATA_HDR_LEN, "PROTOCOL.md 2.4");

struct wire_nudge {
    struct wire_head head;
    be32 index;   /* echoed from the DATA that drew it */
    be64 counter; /* likewise */
};
_Static_assert(sizeof(struct wire_nudge) == NUDGE_LEN, "PROTOCOL.md 2.5");

/* wire_peek() - the type of a datagram whose head and length are well formed for that type
 * @p:   @len received octets, any alignment
 * Return: WIRE_BAD for anything else: runts, unknown type, version, kind, reserved bits not 0, a
 * length the type cannot have (LOGIN exactly 1200; LOGIN_REPLY 60..1200; COOKIE 64; NUDGE 16; DATA
 * >= 32, and >= 38 for peer and multicast). */
enum wire_type wire_peek(const uint8_t *p, size_t len);

/* wire_put_data() - write a DATA header into 16 octets at @p, any alignment */
void wire_put_data(uint8_t *p, enum wire_kind kind, uint32_t receiver, uint64_t counter);

/* fields of a DATA or NUDGE that wire_peek() accepted */
static inline enum wire_kind wire_data_kind(const uint8_t *p)
{
    return (enum wire_kind)p[2];
}

static inline uint32_t wire_data_index(const uint8_t *p)
{
    return be32_load(p + 4);
}

static inline uint64_t wire_data_counter(const uint8_t *p)
{
    return be64_load(p + 8);
}

/* wire_put_nudge() - write the NUDGE that DATA @data (>= 32 octets) draws: 16 octets at @out */
void wire_put_nudge(uint8_t *out, const uint8_t *data);

/* ---- TLVs (PROTOCOL.md 3) ---- */

enum tlv_type {
    TLV_PAD = 0, /* any length; zeros, anything else is malformed: padding has one encoding */
    /* LOGIN payload */
    TLV_SOFTWARE = 1,   /* 1..32 octets of printable ASCII */
    TLV_CIPHERS = 2,    /* 1..8: one octet each (enum cipher, never 0), preferred first */
    TLV_WANTED_MTU = 3, /* 2: inner MTU, 1280..9000 */
    TLV_COOKIE = 4,     /* 16: fresh cookie */
    TLV_TRY = 5,        /* 1: mac-taken answers so far, 1..3; left out when 0 */
    /* LOGIN_REPLY payload and settings */
    TLV_VERDICT = 16,    /* 4: verdict 1, reason 1, back-off seconds 2 */
    TLV_SEEN = 17,       /* 6: endpoint the router sees */
    TLV_MAC = 18,        /* 6: the client's MAC */
    TLV_ROUTER_MAC = 19, /* 6 */
    TLV_CIPHER = 20,     /* 1: enum cipher chosen */
    TLV_MTU = 21,        /* 4: least, most inner MTU */
    TLV_KEEPALIVE = 22,  /* 2: seconds, 5..120 */
    TLV_SEGMENT = 23,    /* 18: flags 1 (SEGMENT_*), prefix length 1, prefix 16 */
    TLV_ADDRESS = 24,    /* 17: prefix length 1, IPv6 address 16; repeatable */
    TLV_DELEGATED = 25,  /* 17: prefix length 1, prefix 16; repeatable */
    TLV_ROUTE = 26,      /* 17: prefix length 1, prefix 16; repeatable */
    TLV_DNS = 27,        /* 16: server address; repeatable */
    TLV_SEARCH = 28,     /* 1..126: search domain, letters, digits and -_. ; repeatable */
    TLV_OLD_PREFIX = 29, /* 21: valid seconds 4, prefix length 1, prefix 16; repeatable */
    /* control messages */
    TLV_CONFIRM = 64,       /* 2: octets of the whole datagram as sent (probe), 38..65507 */
    TLV_CONFIRM_ACK = 65,   /* 2: the same number; the answer is padded to it as well */
    TLV_KEEPALIVE_REQ = 66, /* 8: a number the sender chooses */
    TLV_KEEPALIVE_ACK = 67, /* 8: the same number */
    TLV_MTU_PROBE = 68,     /* 2: octets of the whole datagram */
    TLV_MTU_PROBE_ACK = 69, /* 2: the same number; padded to it as well */
    TLV_MTU_SET = 70,       /* 2: inner MTU the client uses from now on */
    TLV_SETTINGS = 71,      /* TLVs 16..29 */
    TLV_LOGIN = 72,         /* 1200: a LOGIN inside */
    TLV_LOGIN_REPLY = 73,   /* a LOGIN_REPLY inside */
    TLV_LOGIN_AGAIN = 74,   /* 0 */
    TLV_GOODBYE = 75,       /* 1: enum goodbye */
    TLV_FRAGMENT = 76,   /* 0: up, behind MTU_SET: all DATA to me without DF until the next one */
    TLV_FRAG_PROBE = 77, /* 2: as MTU_PROBE; probe and answer are sent without DF */
    TLV_FRAG_PROBE_ACK = 78, /* 2: as MTU_PROBE_ACK */
};

enum verdict {
    VERDICT_OK = 0,
    VERDICT_MAC_TAKEN = 1,
    VERDICT_REFUSED = 2,
    VERDICT_BUSY = 3,
};

enum refusal { /* TLV_VERDICT, reason */
               REFUSAL_NONE = 0,
               REFUSAL_NO_CIPHER = 1,
               REFUSAL_ROUTER_KEY = 2, /* the client presents the router's own key */
               REFUSAL_NO_ADDRESS = 3, /* no address left for this client */
               REFUSAL_MTU = 4,        /* no MTU both can use */
};

enum goodbye {
    GOODBYE_SHUTDOWN = 0, /* the program ends */
    GOODBYE_REMOVED = 1,  /* the key may no longer log in */
    GOODBYE_IDLE = 2,     /* nothing was heard for too long */
    GOODBYE_PSK = 3,      /* the key's psk is another one now: log in with that */
};

#define SEGMENT_DEFAULT_ROUTE 0x01 /* the router has a working uplink */
#define SEGMENT_ON_LINK       0x02
#define SEGMENT_AUTONOMOUS    0x04 /* SLAAC: addressing eui64 */
#define SEGMENT_FLAGS         0x07 /* the ones above; others are ignored when read */

#define SOFTWARE_MAX  32u
#define CIPHERS_MAX   8u
#define ADDRESSES_MAX 4u
#define OLD_PREFIXES  3u
#define ROUTES_MAX    16u
#define DNS_MAX       4u
#define SEARCH_MAX    4u
#define SEARCH_LEN    126u

/* All TLVs of the largest settings. It fits one DATA of kind control over the narrowest path (inner
 * MTU 1280), so a settings message never needs to be cut. */
#define SETTINGS_MAX                                                                               \
    (8u + 3u * 10u + 5u + 8u + 6u + 22u + ADDRESSES_MAX * 21u +                                    \
     (DELEGATED_PER_MEMBER + ROUTES_MAX) * 21u + DNS_MAX * 20u + SEARCH_MAX * (4u + SEARCH_LEN) +  \
     OLD_PREFIXES * 25u)
_Static_assert(DATA_MIN_LEN + 4u + SETTINGS_MAX <= INNER_MTU_MIN + PEER_OVERHEAD - OUTER_IP_UDP,
               "PROTOCOL.md 3.2");

/* a datagram that carries a probe is at least this long: header, TLV of 2 octets, tag */
#define PROBE_MIN_LEN (DATA_MIN_LEN + 6u)
#define PROBE_MAX_LEN 65507u /* UDP over IPv4 */

/* the sealed payload of a LOGIN */
struct login_payload {
    char software[SOFTWARE_MAX + 1];
    uint8_t ciphers[CIPHERS_MAX]; /* enum cipher, preferred first */
    uint8_t n_ciphers;
    uint16_t wanted_mtu; /* 0: none given */
    uint8_t
        tries; /* mac-taken answers so far, 0..MAC_TAKEN_TRIES; at the last the router assigns */
    bool has_cookie;
    uint8_t cookie[COOKIE_LEN];
};

struct seg_addr {
    struct ip6 addr;
    uint8_t plen;
};

struct seg_old { /* a prefix the segment had until a while ago */
    struct prefix prefix;
    uint32_t valid_s; /* addresses in it are deprecated, and end this much later; not 0 */
};

/* what a LOGIN_REPLY and a settings message say; a field that was absent is zero */
struct settings {
    enum verdict verdict;
    enum refusal
        reason; /* values this version does not know are passed on; only with VERDICT_REFUSED */
    uint16_t backoff_s;
    struct endpoint seen;
    struct mac mac, router_mac;
    uint8_t cipher; /* enum cipher */
    uint16_t mtu_min, mtu_max;
    uint16_t keepalive_s;
    uint8_t segment_flags; /* SEGMENT_* */
    struct prefix segment; /* len 0: none, and segment_flags are not sent */
    struct seg_addr address[ADDRESSES_MAX];
    struct seg_old old[OLD_PREFIXES];
    struct prefix delegated[DELEGATED_PER_MEMBER];
    struct prefix route[ROUTES_MAX];
    struct ip6 dns[DNS_MAX];
    char search[SEARCH_MAX][SEARCH_LEN + 1];
    uint8_t n_address, n_old, n_delegated, n_route, n_dns, n_search;
};

/* wire_put_login_payload() - exactly LOGIN_PAYLOAD_LEN octets at @out, padded; cannot fail
 * @lp: values in the ranges of the TLVs; software "" and wanted_mtu 0 are left out */
void wire_put_login_payload(uint8_t *out, const struct login_payload *lp);

/* wire_get_login_payload() - read the TLVs of a LOGIN
 * @ret: zeroed first, so meaningless after false
 * Return: false when a known TLV is malformed or repeated, or no cipher is offered. Ciphers this
 * version does not know are passed on. */
bool wire_get_login_payload(const uint8_t *p, size_t len, struct login_payload *ret);

/* wire_put_settings() - TLVs of @s at @out, in the order of their types; fields that are zero are
 * left out
 * @cap: >= 192 holds everything up to the addresses; SETTINGS_MAX holds everything
 * @ret_partial: set when something did not fit: the first TLV that does not, and all after it, are
 * left out whole (least important last: delegated, routes, dns, search); the caller then sends the
 * whole as a settings message Return: octets written, at most @cap */
size_t wire_put_settings(uint8_t *out, size_t cap, const struct settings *s, bool *ret_partial);

/* wire_get_settings() - read the TLVs of a LOGIN_REPLY or of a settings message
 * @ret: zeroed first, so meaningless after false
 * Return: false when a known TLV is malformed, out of range, repeated (the repeatable ones: more
 * often than there is room for), the verdict is missing, or the verdict is ok and one of MAC,
 * ROUTER_MAC, CIPHER, MTU, KEEPALIVE is missing. */
bool wire_get_settings(const uint8_t *p, size_t len, struct settings *ret);

/* ---- control messages (PROTOCOL.md 4) ---- */

/* One control message as read from, or to be written to, a DATA of kind control. */
struct control {
    enum tlv_type type;   /* 64.. */
    uint16_t size;        /* CONFIRM*, MTU_PROBE*, FRAG_PROBE*: octets of the datagram,
                           * PROBE_MIN_LEN..PROBE_MAX_LEN (the        receiver answers only when it is what
                           * arrived); MTU_SET: inner MTU, 1280..9000 */
    uint64_t number;      /* KEEPALIVE_* */
    enum goodbye goodbye; /* GOODBYE; values this version does not know are passed on */
    const uint8_t *body;  /* SETTINGS, LOGIN (1200), LOGIN_REPLY (60..1200): the value, in the
                           * caller's  buffer; only its length is checked */
    uint16_t body_len;
};

/* wire_ctl_next() - the next known control message of @r; skips PAD and unknown types
 * Return: 1 one was read, 0 the end, -1 malformed (nothing after it is read; r->bad is set) */
int wire_ctl_next(struct rd *r, struct control *ret);

/* wire_ctl_put() - append one control message to @w; sets w->bad, writing nothing, when it does not
 * fit or when wire_ctl_next() would refuse or skip it */
void wire_ctl_put(struct wr *w, const struct control *c);

/* wire_ctl_pad() - append padding so that @w holds exactly @total octets: one TLV_PAD, or 1..3 bare
 * zero octets (fewer than four octets at the end that are all zero are padding; anything else there
 * is malformed). Sets w->bad when @total is less than what is there or more than there is room for.
 */
void wire_ctl_pad(struct wr *w, size_t total);

#endif
