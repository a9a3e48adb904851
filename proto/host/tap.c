/* SPDX-License-Identifier: MIT */
/* tap.c - TAP and TUN devices: frames in and out in bursts
 *
 * DOC: one slot per frame of a burst, all in one block made by tap_open():
 *
 *     | PKT_HEADROOM | TAP_FRAME_MAX + 1 | PKT_TAILROOM | padding to 64 |
 *
 * read() cuts a frame that is longer than its buffer without a word, so each read asks for one
 * octet more than a frame may have: whoever fills it was too long.
 *
 * IFF_VNET_HDR (superframes) is not asked for yet; it goes into attach() and puts a header between
 * headroom and frame.
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
#include <unistd.h>

#define SLOT_LEN ((PKT_HEADROOM + TAP_FRAME_MAX + 1 + PKT_TAILROOM + 63u) & ~63u)

struct tap {
    int fd;
    unsigned ifindex;
    enum tap_mode mode;
    char name[TAP_NAME_MAX + 1];
    struct tap_stats stats;
    uint8_t *slots; /* TAP_BURST of SLOT_LEN */
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

/* attach() - make the device behind @t->fd, without carrier from its first moment */
static int attach(struct tap *t)
{
    struct ifreq ifr = { 0 };
    unsigned features = 0;
    unsigned flags = IFF_NO_PI | IFF_TUN_EXCL;
    int off = 0;

    if (ioctl(t->fd, TUNGETFEATURES, &features) < 0)
        return -errno;
    flags |= features & IFF_NO_CARRIER;
    flags |= t->mode == TAP_ETHERNET ? IFF_TAP : IFF_TUN;
    ifr.ifr_flags = (short)(uint16_t)flags;
    memcpy(ifr.ifr_name, t->name, sizeof(t->name));
    if (ioctl(t->fd, TUNSETIFF, &ifr) < 0)
        /* IFF_TUN_EXCL: EBUSY for whatever holds the name, EINVAL when that is no TUN or TAP */
        return errno == EBUSY || (errno == EINVAL && if_nametoindex(t->name)) ? -EEXIST : -errno;
    if (!(features & IFF_NO_CARRIER) && ioctl(t->fd, TUNSETCARRIER, &off) < 0)
        return -errno;
    t->ifindex = if_nametoindex(t->name);
    return t->ifindex ? 0 : -ENODEV;
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
    t->fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (t->fd < 0) {
        err = -errno;
        goto fail;
    }
    t->slots = aligned_alloc(64, (size_t)TAP_BURST * SLOT_LEN);
    if (!t->slots)
        goto fail;
    memset(t->slots, 0, (size_t)TAP_BURST * SLOT_LEN);
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
    free(t->slots);
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
    struct ifreq ifr = { .ifr_data = (char *)&link };
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    memcpy(ifr.ifr_name, t->name, sizeof(t->name));
    if (fd < 0)
        return;
    (void)ioctl(fd, SIOCETHTOOL, &ifr);
    close(fd);
}

int tap_set_carrier(struct tap *t, bool on)
{
    int carrier = on;

    if (ioctl(t->fd, TUNSETCARRIER, &carrier) < 0)
        return gone(errno);
    settle(t);
    return 0;
}

int tap_read(struct tap *t, struct pkt *out, unsigned cap)
{
    unsigned n = 0;

    if (cap > TAP_BURST)
        cap = TAP_BURST;
    /* tries are bounded too: oversize frames must not hold the caller */
    for (unsigned tries = 0; n < cap && tries < TAP_BURST; tries++) {
        uint8_t *p = t->slots + (size_t)n * SLOT_LEN + PKT_HEADROOM;
        ssize_t len = read(t->fd, p, TAP_FRAME_MAX + 1);

        if (len < 0 && errno == EBADFD)
            return n ? (int)n : -ENODEV; /* the next call says it again */
        if (len < 0 && errno != EAGAIN && errno != EINTR)
            t->stats.rx_errors++;
        if (len <= 0)
            break;
        if ((size_t)len > TAP_FRAME_MAX) {
            t->stats.rx_oversize++;
            continue;
        }
        out[n++] = (struct pkt){ .p = p, .len = (uint32_t)len };
        t->stats.rx++;
    }
    return (int)n;
}

/* count_refusal() - one frame the kernel did not take; false when the device is gone */
static bool count_refusal(struct tap_stats *s, int err)
{
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
        return true;
    }
}

int tap_write(struct tap *t, const struct pkt *p, unsigned n)
{
    unsigned taken = 0;

    for (unsigned i = 0; i < n; i++) {
        if (write(t->fd, p[i].p, p[i].len) >= 0)
            taken++;
        else if (!count_refusal(&t->stats, errno))
            return -ENODEV;
    }
    t->stats.tx += taken;
    return (int)taken;
}
