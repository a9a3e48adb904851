/* SPDX-License-Identifier: MIT */
/* udp.h - bursts of IPv4 UDP datagrams behind one descriptor, struct dgram
 *
 * DOC: one call of the kernel brings several buffers, and where the kernel joins datagrams
 * (UDP_GRO) each holds a run of them, up to 64 KiB. udp_recv() cuts the runs into descriptors and
 * hands out as many as the caller asks for; the rest waits (udp_recv_pending()) and costs no
 * further call. All buffers stay as they are until udp_recv() has nothing left and asks the kernel
 * again, so a daemon can take all that one wake-up brought in slices, let the engine work on it in
 * place, and send from the receive buffers in one go:
 *
 *     while ((n = udp_recv(u, in, BURST_MAX)) > 0) {     // asks the kernel
 *         engine(in, n, &out);
 *         while (udp_recv_pending(u))
 *             engine(in, udp_recv(u, in, BURST_MAX), &out);  // does not
 *         udp_queue(u, out.dg, out.n_dg);
 *         if (!udp_recv_more(u))
 *             break;
 *     }
 *
 * Datagrams of a run touch in memory: nothing outside p .. p + len - 1 is the caller's (burst.h). A
 * datagram longer than opts.buf_len is dropped and counted, never cut.
 *
 * Sending: udp_send() is the bare call. udp_queue() and udp_flush() are what a daemon wants: what
 * the kernel does not take now is copied to a bounded backlog and goes out first when the socket is
 * writable again, so that no buffer stays pinned and receiving never stops. While udp_backlog() is
 * not 0 the daemon waits for writability and reads nothing from its TAP or TUN.
 *
 * Runs of equal length to one peer leave as one message (UDP_SEGMENT, udp_pack.h) that the kernel
 * or the device cuts. When it refuses to, that run is sent again one datagram at a time; a device
 * without checksum offload (EIO), or a kernel that takes them singly but not together (EINVAL),
 * switches it off for this socket for a minute. What UDP_SEGMENT would make longer than the MTU of
 * the interface is always refused (EMSGSIZE), also with IP_PMTUDISC_PROBE, so such a run goes
 * singly and is counted as that allows. SIXTAP_UDP_OFFLOAD in the environment overrides for tests:
 * "off", "gro" (that alone), "gso" (that alone).
 *
 * Answers leave from the address that was spoken to (dgram.local, IP_PKTINFO both ways). Every
 * datagram carries DF and route MTUs are ignored (IP_PMTUDISC_PROBE) but those marked
 * DGRAM_MAY_FRAGMENT. No error of one datagram is fatal: it is counted and the next one goes.
 *
 * Standards: RFC 8085 3.2 (path MTU), RFC 1122 4.1.3.5 (source address of answers), ip(7), udp(7).
 */
#ifndef SIXTAP_HOST_UDP_H
#define SIXTAP_HOST_UDP_H

#include "proto/burst.h"

#define UDP_BURST       64u    /* messages per call of the kernel at the most */
#define UDP_BACKLOG_MAX 512u   /* datagrams; 1 MiB in all */
#define UDP_BUF_DEFAULT 9216u  /* inner MTU 9 000 and 38 octets fit */
#define UDP_PAYLOAD_MAX 65507u /* 65 535 - 20 - 8 */

struct udp;

struct udp_opts {
    uint32_t rcvbuf, sndbuf; /* octets of kernel buffer wished for; 0: 4 MiB */
    uint32_t buf_len;        /* longest datagram received, octets; 0: UDP_BUF_DEFAULT */
    uint8_t sock;            /* goes to dgram.sock of everything received */
    bool no_gro, no_gso;     /* neither ask for joined datagrams nor send any */
    bool note_refused;       /* read ICMP errors (IP_RECVERR) for udp_take_refused(); for clients */
    const char *device;      /* SO_BINDTODEVICE: this link alone; NULL or "": any */
    uint32_t mark;           /* SO_MARK, for rules of routing and packet filters; 0: none */
};

/* X(symbol, name) */
#define UDP_STAT_LIST(X)                                                                           \
    X(RX_MESSAGES, "rx_messages") /* buffers; each holds one datagram or a run of them */          \
    X(RX_DATAGRAMS, "rx_datagrams")                                                                \
    X(RX_OCTETS, "rx_octets")                                                                      \
    X(RX_TRUNCATED, "rx_too_long")          /* longer than the buffer */                           \
    X(RX_UNANSWERABLE, "rx_unanswerable")   /* source port 0, or not sent to a unicast address */  \
    X(RX_KERNEL_DROPS, "rx_kernel_dropped") /* SO_RXQ_OVFL; a run counts once */                   \
    X(RX_SHUNNED, "rx_shunned")             /* likewise, while udp_shun() was in force */          \
    X(RX_ERRORS, "rx_errors")                                                                      \
    X(RX_REFUSED, "rx_refused")       /* ICMP port unreachable */                                  \
    X(TX_MESSAGES, "tx_messages")     /* runs and single ones */                                   \
    X(TX_UNJOINED, "tx_runs_refused") /* runs that had to be sent singly */                        \
    X(TX_DATAGRAMS, "tx_datagrams")                                                                \
    X(TX_OCTETS, "tx_octets")                                                                      \
    X(TX_AGAIN, "tx_again")             /* times the socket took no more */                        \
    X(TX_BACKLOG_FULL, "tx_queue_full") /* datagrams dropped because the backlog was full */       \
    X(TX_NOBUFS, "tx_no_buffers")       /* ENOBUFS, ENOMEM */                                      \
    X(TX_PERM, "tx_not_permitted")      /* EPERM, EACCES: a packet filter */                       \
    X(TX_UNREACH, "tx_unreachable")     /* ENETUNREACH, EHOSTUNREACH, ENETDOWN, EHOSTDOWN */       \
    X(TX_MSGSIZE, "tx_too_long")        /* EMSGSIZE */                                             \
    X(TX_INVALID, "tx_invalid")         /* EINVAL, EADDRNOTAVAIL: e.g. local address gone */       \
    X(TX_REFUSED, "tx_refused")         /* ECONNREFUSED */                                         \
    X(TX_OTHER, "tx_other_errors")

enum udp_stat {
#define X(sym, name) UDP_##sym,
    UDP_STAT_LIST(X)
#undef X
        UDP_STAT_N
};

struct udp_stats {
    uint64_t n[UDP_STAT_N];
};

extern const char *const udp_stat_name[UDP_STAT_N];

/* udp_open() - a non-blocking IPv4 UDP socket bound to @bind
 * @ret:  the socket; the caller frees it with udp_close()
 * @bind: address 0: every address; port 0: the kernel chooses
 * @opts: NULL: all defaults
 * Return: 0; -errno (-EADDRINUSE, -EADDRNOTAVAIL, -EACCES, -ENOMEM, ...). Smaller kernel buffers
 * than wished for are no error. */
int udp_open(struct udp **ret, struct endpoint bind, const struct udp_opts *opts);

/* udp_close() - close and free; NULL is fine. Descriptors received from it become invalid. */
void udp_close(struct udp *u);

/* udp_fd() - the descriptor, for a watcher */
int udp_fd(const struct udp *u);

/* udp_local_port() - the port it is bound to, host order */
uint16_t udp_local_port(const struct udp *u);

/* udp_recv() - the next datagrams: from buffers already read, else from the kernel
 * @out: filled in; valid until a udp_recv() on @u that finds udp_recv_pending() 0
 * @cap: at most this many
 * Return: how many; 0: nothing waits now (a burst that held only datagrams to be dropped also gives
 * 0; the watcher fires again). Errors are counted, never returned. */
unsigned udp_recv(struct udp *u, struct dgram *out, unsigned cap);

/* udp_recv_pending() - datagrams already read that udp_recv() has still to hand out. The watcher
 * does not know of them: a daemon takes them before it goes back to sleep. */
unsigned udp_recv_pending(const struct udp *u);

/* udp_recv_more() - did the last call of the kernel fill all buffers it was given? Then more may
 * wait there; otherwise the socket was empty and asking again would be a call for nothing. */
bool udp_recv_more(const struct udp *u);

#define UDP_START_LEN 8u /* octets that udp_shun() compares */
#define UDP_SHUN_MAX  16u

struct udp_start {
    uint8_t octet[UDP_START_LEN];
};

/* udp_shun() - from now on the kernel drops what begins with one of @start, unread
 * What is known to be a flood then costs neither a wake-up nor a copy. Takes the place of what the
 * call before asked for; what has been queued already is still received. Of a run that the kernel
 * joined the first datagram decides. What is lost meanwhile for want of room counts as shunned,
 * too: the kernel has one number for both.
 * @n: 0..UDP_SHUN_MAX; 0: nothing is shunned
 * Return: 0; -errno: it cannot be had, everything is received. */
int udp_shun(struct udp *u, const struct udp_start *start, unsigned n);

/* udp_take_refused() - has a host refused a datagram (ICMP port unreachable) since the last call?
 * @ret_peer: the endpoint we had sent to, the latest if there were several; untouched when false
 * ICMP is not authenticated: a hint, no more. Needs opts.note_refused and udp_recv() to be called.
 */
bool udp_take_refused(struct udp *u, struct endpoint *ret_peer);

/* udp_send() - send now; keeps no pointer
 * @dg: @n descriptors. Datagrams to different peers may overtake each other, those to one peer
 * never do. Return: how many were taken: sent, or counted as failed. When it is less than @n the
 * socket takes no more now (EAGAIN) and @dg has been reordered so that those not taken are dg[ret
 * .. n - 1]; the caller keeps them and waits for writability. */
unsigned udp_send(struct udp *u, struct dgram *dg, unsigned n);

/* udp_queue() - send now; what the socket does not take is copied to the backlog (behind what waits
 * there) or, when that is full, dropped and counted. Afterwards @dg and what it points to are free.
 * @dg: may be reordered
 * Return: datagrams that wait in the backlog, 0: none, no need to wait for writability */
unsigned udp_queue(struct udp *u, struct dgram *dg, unsigned n);

/* udp_flush() - the socket is writable: send from the backlog. Return: as udp_queue() */
unsigned udp_flush(struct udp *u);

/* udp_backlog() - datagrams that wait */
unsigned udp_backlog(const struct udp *u);

/* udp_gro(), udp_gso() - does the kernel join datagrams for us; how many does it cut from one
 * message (0: it does not, or has just refused to) */
bool udp_gro(const struct udp *u);
unsigned udp_gso(const struct udp *u);

/* udp_stats() - counters since udp_open(); names in udp_stat_name[] */
const struct udp_stats *udp_stats(const struct udp *u);

#endif
