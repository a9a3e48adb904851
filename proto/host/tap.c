/* SPDX-License-Identifier: MIT */
/* tap.c - TAP and TUN devices: frames in and out in bursts
 *
 * DOC: frames of a burst lie in one block, made by tap_open(), each directly behind the room of the
 * one before, so that sealed ones abut:
 *
 *     | room | virtio header, frame | room | frame | ...
 *
 * The virtio header of a frame is read into the room before it and copied out at once. read() cuts
 * a frame that is longer than its buffer without a word, so each read asks for one octet more than
 * a frame may have: whoever fills it was too long.
 */
#include "proto/host/tap.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/ethtool.h>
#include <linux/if_tun.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#define BUF_LEN (8u * 66u * 1024u)

/* from headers newer than those of the oldest system it is built on */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

struct tap {
    int fd;
    int ctl; /* a socket in the device's namespace, for ioctls */
    unsigned ifindex;
    enum tap_mode mode;
    char name[TAP_NAME_MAX + 1];
    struct tap_stats stats;
    bool vnet;             /* frames travel with a virtio header */
    unsigned takes, gives; /* SUPER_* */
    uint32_t frame_max;    /* octets */
    uint8_t *buf;          /* BUF_LEN octets */
};

bool tap_name_ok(const char *name)
{
    size_t len = strlen(name);

    if (len == 0 || len > TAP_NAME_MAX || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return false;
    for (const char *c = name; *c; c++) {
        unsigned char u = (unsigned char)*c;

        /* 0xa0 is white space to the kernel's isspace() */
        if (u <= ' ' || u == 0x7f || u == 0xa0 || strchr("/:%", u))
            return false;
    }
    return true;
}

/* find_index() - the index of @name; if_nametoindex() does not say why it found none */
static int find_index(const char *name, unsigned *ret)
{
    struct ifreq ifr = { 0 };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0)
        return -errno;
    memcpy(ifr.ifr_name, name, strlen(name) + 1);
    int err = ioctl(fd, SIOCGIFINDEX, &ifr) < 0 ? -errno : 0;
    close(fd);
    if (!err)
        *ret = (unsigned)ifr.ifr_ifindex;
    return err;
}

/* attach_with() - make the device behind @t->fd, without carrier from its first moment */
static int attach_with(struct tap *t, unsigned features, unsigned extra)
{
    struct ifreq ifr = { 0 };
    unsigned flags = IFF_NO_PI | IFF_TUN_EXCL | extra;
    int off = 0;

    flags |= features & IFF_NO_CARRIER;
    flags |= t->mode == TAP_ETHERNET ? IFF_TAP : IFF_TUN;
    ifr.ifr_flags = (short)(uint16_t)flags;
    memcpy(ifr.ifr_name, t->name, sizeof(t->name));
    if (ioctl(t->fd, TUNSETIFF, &ifr) < 0)
        /* IFF_TUN_EXCL: EBUSY for whatever holds the name, EINVAL when that is no TUN or TAP */
        return errno == EBUSY || (errno == EINVAL && if_nametoindex(t->name)) ? -EEXIST : -errno;
    if (!(features & IFF_NO_CARRIER) && ioctl(t->fd, TUNSETCARRIER, &off) < 0)
        return -errno;
    return find_index(t->name, &t->ifindex);
}

/* The header's length and octet order must be ours; older kernels know neither call but have both
 * (10 octets, host order). */
static bool agree_on_header(int fd)
{
    const uint16_t probe = 1;
    int len = VNET_LEN, on = 1;

    if (ioctl(fd, TUNSETVNETHDRSZ, &len) < 0)
        return false;
    return ioctl(fd, TUNSETVNETLE, &on) == 0 || *(const uint8_t *)&probe == 1;
}

/* offer() - tell the kernel what it may leave to us, as much of it as it knows
 * Source: tun_set_offload() of Linux: UDP for IPv6 is refused without UDP for IPv4 */
static void offer(struct tap *t, const char *wish)
{
    static const struct {
        unsigned long bits;
        unsigned super;
    } row[] = {
        { TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6,
          SUPER_TCP | SUPER_UDP },
        { TUN_F_CSUM | TUN_F_TSO6 | TUN_F_TSO_ECN, SUPER_TCP },
        { TUN_F_CSUM | TUN_F_TSO6, SUPER_TCP },
        { TUN_F_CSUM, 0 },
    };
    unsigned skip = strcmp(wish, "tcp") == 0 ? 1 : 0;

    if (strcmp(wish, "none") == 0)
        return;
    for (unsigned i = skip; i < sizeof(row) / sizeof(row[0]); i++) {
        if (ioctl(t->fd, TUNSETOFFLOAD, row[i].bits) == 0) {
            t->takes = t->gives = row[i].super;
            return;
        }
    }
}

static int open_tun(void)
{
    int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    return fd < 0 ? -errno : fd;
}

/* attach() - with virtio headers if that works, else without */
static int attach(struct tap *t)
{
    const char *wish = getenv("SIXTAP_TAP_OFFLOAD");
    unsigned features = 0;

    if (!wish)
        wish = "";
    if (ioctl(t->fd, TUNGETFEATURES, &features) < 0)
        return -errno;
    if (!(features & IFF_VNET_HDR) || strcmp(wish, "off") == 0)
        return attach_with(t, features, 0);
    int err = attach_with(t, features, IFF_VNET_HDR);
    if (err == 0 && agree_on_header(t->fd)) {
        t->vnet = true;
        t->frame_max = TAP_SUPER_MAX;
        offer(t, wish);
        return 0;
    }
    if (err == -EEXIST || err == -EPERM)
        return err;
    close(t->fd); /* a half-made device goes with it */
    t->fd = open_tun();
    return t->fd < 0 ? t->fd : attach_with(t, features, 0);
}

int tap_open(const char *name, enum tap_mode mode, const struct mac *mac, struct tap **ret)
{
    int err = -ENOMEM;

    if (!tap_name_ok(name))
        return -EINVAL;
    struct tap *t = calloc(1, sizeof(*t));
    if (!t)
        return err;
    t->mode = mode;
    memcpy(t->name, name, strlen(name) + 1);
    t->frame_max = TAP_FRAME_MAX;
    t->ctl = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    t->fd = open_tun();
    if (t->fd < 0 || t->ctl < 0) {
        err = t->fd < 0 ? t->fd : -errno;
        goto fail;
    }
    t->buf = aligned_alloc(64, BUF_LEN);
    if (!t->buf)
        goto fail;
    memset(t->buf, 0, BUF_LEN);
    err = attach(t);
    if (err == 0 && mac && mode == TAP_ETHERNET)
        err = tap_set_mac(t, *mac);
    if (err < 0)
        goto fail;
    *ret = t;
    return 0;
fail:
    tap_close(t);
    return err;
}

void tap_close(struct tap *t)
{
    if (!t)
        return;
    if (t->fd >= 0)
        close(t->fd);
    if (t->ctl >= 0)
        close(t->ctl);
    free(t->buf);
    free(t);
}

int tap_fd(const struct tap *t)
{
    return t->fd;
}

const char *tap_name(const struct tap *t)
{
    return t->name;
}

unsigned tap_ifindex(const struct tap *t)
{
    return t->ifindex;
}

const struct tap_stats *tap_stats(const struct tap *t)
{
    return &t->stats;
}

/* gone() - errno of a descriptor whose device was deleted, as -ENODEV */
static int gone(int err)
{
    return err == EBADFD || err == ENODEV ? -ENODEV : -err;
}

int tap_set_mac(struct tap *t, struct mac mac)
{
    struct ifreq ifr = { 0 };

    if (t->mode != TAP_ETHERNET)
        return -EOPNOTSUPP;
    ifr.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(ifr.ifr_hwaddr.sa_data, mac.b, MAC_LEN);
    return ioctl(t->fd, SIOCSIFHWADDR, &ifr) < 0 ? gone(errno) : 0;
}

int tap_get_mac(const struct tap *t, struct mac *ret)
{
    struct ifreq ifr = { 0 };

    if (t->mode != TAP_ETHERNET)
        return -EOPNOTSUPP;
    if (ioctl(t->fd, SIOCGIFHWADDR, &ifr) < 0)
        return gone(errno);
    memcpy(ret->b, ifr.ifr_hwaddr.sa_data, MAC_LEN);
    return 0;
}

/* settle() - make the kernel work off its link event now. It does so before it answers whether
 * there is a link; left alone it takes a millisecond or more and drops whatever is sent meanwhile.
 */
static void settle(const struct tap *t)
{
    struct ethtool_value link = { .cmd = ETHTOOL_GLINK };
    struct ifreq ifr = { .ifr_ifindex = (int)t->ifindex };

    if (ioctl(t->ctl, SIOCGIFNAME, &ifr) == 0) { /* it may have been renamed */
        ifr.ifr_data = (char *)&link;
        (void)ioctl(t->ctl, SIOCETHTOOL, &ifr);
    }
}

int tap_set_carrier(struct tap *t, bool on)
{
    int carrier = on;

    if (ioctl(t->fd, TUNSETCARRIER, &carrier) < 0)
        return gone(errno);
    settle(t);
    return 0;
}

unsigned tap_takes(const struct tap *t)
{
    return t->takes;
}

unsigned tap_gives(const struct tap *t)
{
    return t->gives;
}

/* read_frame() - one frame to @p; its length, 0: none waits, or a negative errno */
static ssize_t read_frame(struct tap *t, uint8_t *p, uint8_t vnet[VNET_LEN])
{
    size_t hdr = t->vnet ? VNET_LEN : 0;
    ssize_t len = read(t->fd, p - hdr, hdr + t->frame_max + 1);

    if (len < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (len < 0)
        return -errno;
    memset(vnet, 0, VNET_LEN);
    if (t->vnet)
        memcpy(vnet, p - hdr, VNET_LEN);
    return (size_t)len < hdr ? 0 : len - (ssize_t)hdr;
}

int tap_read(struct tap *t, struct super *out, unsigned cap, bool *ret_more)
{
    size_t before = t->mode == TAP_ETHERNET ? PKT_ROOM_TAP : PKT_ROOM_TUN;
    size_t at = PKT_HEADROOM;
    unsigned n = 0;

    if (cap > TAP_BURST)
        cap = TAP_BURST;
    *ret_more = true;
    /* tries are bounded too: oversize frames must not hold the caller */
    for (unsigned tries = 0; n < cap && tries < TAP_BURST; tries++) {
        if (BUF_LEN - at < t->frame_max + 1 + PKT_ROOM_BEHIND)
            return (int)n;
        ssize_t len = read_frame(t, t->buf + at, out[n].vnet);
        if (len == -EBADFD)
            return n ? (int)n : -ENODEV; /* the next call says it again */
        if (len < 0)
            t->stats.rx_errors++;
        if (len <= 0) {
            *ret_more = false;
            return (int)n;
        }
        if ((size_t)len > t->frame_max) {
            t->stats.rx_oversize++;
            continue;
        }
        out[n].p = t->buf + at;
        out[n++].len = (uint32_t)len;
        at += (size_t)len + PKT_ROOM_BEHIND + before;
        t->stats.rx++;
    }
    return (int)n;
}

/* count_refusal() - one frame the kernel did not take; false when the device is gone */
static bool count_refusal(struct tap *t, int err, bool superframe)
{
    struct tap_stats *s = &t->stats;

    switch (err) {
    case EBADFD:
        return false;
    case EAGAIN:
    case ENOBUFS:
    case ENOMEM:
        s->tx_full++;
        return true;
    case EIO:
        s->tx_down++;
        return true;
    default:
        s->tx_errors++;
        if (superframe)
            t->takes = 0; /* it cannot do what it promised; nothing is lost but this one */
        return true;
    }
}

static ssize_t write_frame(const struct tap *t, const struct gather *g, const struct pkt *piece)
{
    struct iovec iov[1 + TAP_PIECES];
    uint8_t vnet[VNET_LEN]; /* writev() wants what it may write to */
    unsigned n = 0;

    memcpy(vnet, g->vnet, VNET_LEN);
    if (t->vnet)
        iov[n++] = (struct iovec){ .iov_base = vnet, .iov_len = VNET_LEN };
    for (unsigned i = 0; i < g->n && i < TAP_PIECES; i++)
        iov[n++] =
            (struct iovec){ .iov_base = piece[g->first + i].p, .iov_len = piece[g->first + i].len };
    return writev(t->fd, iov, (int)n);
}

int tap_write(struct tap *t, const struct gather *g, unsigned n, const struct pkt *piece)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < n; i++) {
        bool superframe = g[i].n > 1;
        if (write_frame(t, &g[i], piece) < 0) {
            if (!count_refusal(t, errno, superframe))
                return -ENODEV;
            continue;
        }
        taken++;
        t->stats.tx_super += superframe;
        t->stats.tx_pieces += superframe ? g[i].n : 0;
    }
    t->stats.tx += taken;
    return (int)taken;
}
