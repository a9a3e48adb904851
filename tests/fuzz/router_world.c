/* SPDX-License-Identifier: MIT */
/* router_world.c - a router with three live members, put back to the same state for each input */
#include "router_world.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "ip.h"

#define LIMIT (400 * NS_PER_S)

/* What is kept of a world: the engine's memory, and the rest but for the last packets of guests. */
struct kept {
    struct router_world *now;
    uint8_t *map; /* map_len octets; the engine's are its last */
    size_t map_len;
    int fd; /* what they are to be again */
    struct rig r;
    struct guest g[GUESTS];
};

static void configure(struct router_config *c, unsigned variant)
{
    c->max_members = 8;
    c->n_clients = GUESTS + 1;
    c->multicast = variant != 1;
    c->isolate = variant == 1;
    c->addressing = variant == 1 ? ADDRESSING_EUI64 : ADDRESSING_STABLE;
    c->uplink = variant == 2 ? UPLINK_NONE : UPLINK_ROUTED;
    c->access = variant == 3 ? ACCESS_OPEN : ACCESS_LISTED;
    c->everyone = variant == 3;
}

/* Octets that a file holds, with a page behind them that may not be touched. */
static uint8_t *lend(struct kept *k, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);

    n = (n + 63) & ~(size_t)63;
    k->map_len = (n + page - 1) / page * page;
    k->fd = memfd_create("engine", MFD_CLOEXEC);
    FUZZ_CHECK(k->fd >= 0 && ftruncate(k->fd, (off_t)k->map_len) == 0);
    k->map = mmap(NULL, k->map_len + page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FUZZ_CHECK(k->map != MAP_FAILED);
    FUZZ_CHECK(mmap(k->map, k->map_len, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, k->fd, 0) ==
               k->map);
    return k->map + k->map_len - n;
}

/* From now on what is written goes to copies of the pages, which put_back() drops. */
static void keep(const struct kept *k)
{
    FUZZ_CHECK(mmap(k->map, k->map_len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_FIXED, k->fd,
                    0) == k->map);
}

static void put_back(const struct kept *k)
{
    FUZZ_CHECK(madvise(k->map, k->map_len, MADV_DONTNEED) == 0);
}

static void build(struct kept *k, unsigned variant)
{
    static const char *const ip[GUESTS] = { "198.51.100.1", "198.51.100.2", "203.0.113.3",
                                            "203.0.113.4" };
    struct router_world *w = calloc(1, sizeof(*w));

    FUZZ_CHECK(w);
    k->now = w;
    rig_defaults(&w->r);
    configure(&w->r.conf, variant);
    router_config_finish(&w->r.conf);
    w->r.lent = lend(k, router_engine_bytes(&w->r.conf));
    rig_start(&w->r);
    for (unsigned i = 0; i < GUESTS; i++) {
        guest_init(&w->g[i], &w->r, i, ip[i], (uint16_t)(4000 + i));
        if (i < MEMBERS)
            guest_join(&w->g[i], &w->r);
    }
    rig_wait(&w->r, 2 * NS_PER_S);
    rig_notices(&w->r, NOTICE_LOGIN, NULL);
    keep(k);
    k->r = w->r;
    memcpy(k->g, w->g, sizeof(k->g));
}

struct router_world *world_get(unsigned variant)
{
    static struct kept kept[WORLDS];
    struct kept *k = &kept[variant % WORLDS];

    fuzz_setup();
    if (!k->now)
        build(k, variant % WORLDS);
    struct router_world *w = k->now;
    put_back(k);
    w->r = k->r;
    for (unsigned i = 0; i < GUESTS; i++)
        memcpy(&w->g[i], &k->g[i], offsetof(struct guest, got));
    w->limit = LIMIT;
    return w;
}

uint64_t world_sums(const struct router_world *w)
{
    uint64_t sum = 0;

    for (unsigned i = 0; i < DROP_COUNT; i++)
        sum += router_engine_drops(w->r.re)[i];
    return sum;
}

void world_wait(struct router_world *w, struct feed *in)
{
    static const mono_ns step[8] = {
        NS_PER_MS,    20 * NS_PER_MS, 300 * NS_PER_MS, NS_PER_S,
        5 * NS_PER_S, 20 * NS_PER_S,  61 * NS_PER_S,   100 * NS_PER_S
    };
    mono_ns d = step[feed_below(in, 8)];

    if (d > w->limit)
        return;
    w->limit -= d;
    rig_wait(&w->r, d);
    rig_notices(&w->r, NOTICE_LOGIN, NULL);
}

/* ---- packets ---- */

enum address {
    A_RAW, /* as in the input */
    A_OWN_LL,
    A_OWN,
    A_OWN_EUI,
    A_FREE, /* of the segment, nobody's: the last octets as in the input */
    A_FREE_LL,
    A_NEXT_LL,
    A_NEXT,
    A_ROUTER_LL,
    A_ROUTER,
    A_ALL_NODES,
    A_ALL_ROUTERS,
    A_OUTSIDE,
    A_GROUP, /* ff02::fb */
    A_NODE,  /* solicited-node group of what stands at 48, the target */
    A_NOBODY,
};

static struct ip6 address_of(const struct router_world *w, unsigned n, unsigned what,
                             const uint8_t *raw, size_t left)
{
    const struct guest *own = &w->g[n], *next = &w->g[(n + 1) % MEMBERS];
    const struct prefix *seg = &w->r.conf.prefix;
    struct ip6 a = ip6_load(raw);

    switch (what % 16) {
    case A_OWN_LL:
        return guest_ll(own);
    case A_OWN:
        return own->s.n_address ? own->s.address[0].addr : mac_address(*seg, own->s.mac);
    case A_OWN_EUI:
        return mac_address(*seg, own->s.mac);
    case A_FREE:
        memcpy(a.b, seg->addr.b, 8);
        return a;
    case A_FREE_LL:
        memcpy(a.b, (uint8_t[8]){ 0xfe, 0x80 }, 8);
        return a;
    case A_NEXT_LL:
        return guest_ll(next);
    case A_NEXT:
        return next->s.n_address ? next->s.address[0].addr : mac_address(*seg, next->s.mac);
    case A_ROUTER_LL:
        return w->r.re->link_local;
    case A_ROUTER:
        return w->r.conf.address;
    case A_ALL_NODES:
        return ip6_all_nodes;
    case A_ALL_ROUTERS:
        return ip6_all_routers;
    case A_OUTSIDE:
        return (struct ip6){ { 0x20, 0x01, 0x0d, 0xb8, 0xff, 0xff, [15] = 1 } };
    case A_GROUP:
        return (struct ip6){ { 0xff, 0x02, [15] = 0xfb } };
    case A_NODE:
        return left >= 56 ? ip6_solicited_node(ip6_load(raw + 40)) : a;
    case A_NOBODY:
        return ip6_unspecified;
    default:
        return a;
    }
}

size_t world_packet(struct router_world *w, struct feed *in, unsigned n, uint8_t *out, size_t cap)
{
    unsigned fix = feed_u8(in), ends = feed_u8(in), nd = feed_u8(in);
    size_t len = feed_chunk(in, out, cap);

    if (len >= IP6_HDR_LEN) {
        if (len >= 64 && nd & 15) { /* ND target, then the option behind it */
            struct ip6 target = address_of(w, n, nd, out + 48, 0);
            memcpy(out + 48, target.b, IP6_LEN);
        }
        if (len >= 72 && nd & 16)
            memcpy(out + 66, w->g[n].s.mac.b, MAC_LEN);
        struct ip6 src = address_of(w, n, ends, out + 8, 0);
        struct ip6 dst = address_of(w, n, ends >> 4, out + 24, len - 8);
        if ((ends >> 4) % 16 == A_NODE && len >= 64)
            dst = ip6_solicited_node(ip6_load(out + 48));
        memcpy(out + 8, src.b, IP6_LEN);
        memcpy(out + 24, dst.b, IP6_LEN);
        ip_fix(out, len, fix);
    }
    return len;
}

/* ---- what came out ---- */

static bool is_router(const struct router_world *w, struct ip6 a)
{
    return ip6_eq(a, w->r.re->link_local) || ip6_eq(a, w->r.conf.address);
}

/* A packet that reached a member: from a member that owns the source, from the router, or from
 * outside the segment. */
static void check_delivered(const struct router_world *w, const struct guest *to,
                            const struct got *got, int from)
{
    const struct bindings *b = &w->r.re->b;
    size_t head = got->kind == KIND_HOST ? 0 : MAC_LEN;
    struct frame f;

    uint8_t *p = fuzz_exact(got->p + head, got->len - head);
    FUZZ_CHECK(frame_parse(&f, p, got->len - head) == DROP_NONE && f.len == got->len - head);
    struct mac mac = got->kind == KIND_HOST ? w->r.re->mac : mac_load(got->p);
    if (mac_eq(mac, w->r.re->mac)) {
        FUZZ_CHECK(is_router(w, f.src) || !bindings_in_segment(b, f.src));
        FUZZ_CHECK(from < 0 || is_router(w, f.src));
    } else {
        const struct member *m = member_by_mac(&w->r.re->ms, mac);
        FUZZ_CHECK(!mac_eq(mac, to->s.mac));
        /* a copy under way may outlive its sender, and so may nothing else */
        FUZZ_CHECK(m ? bindings_owns(b, m, f.src) || from < 0 : got->kind == KIND_MULTICAST);
        FUZZ_CHECK(from < 0 || got->kind == KIND_MULTICAST || mac_eq(mac, w->g[from].s.mac));
        FUZZ_CHECK(!w->r.conf.isolate);
        FUZZ_CHECK(f.nh != NH_ICMPV6 || frame_icmp_type(&f) != ND_RA);
        FUZZ_CHECK(frame_icmp_type(&f) != ND_REDIRECT);
    }
    free(p);
}

/* A packet for the host behind the TUN. */
static void check_uplink(const struct router_world *w, const struct pkt *pk, int from)
{
    const struct bindings *b = &w->r.re->b;
    struct member *m;
    struct frame f;

    FUZZ_CHECK(frame_parse(&f, pk->p, pk->len) == DROP_NONE && f.len == pk->len);
    if (from < 0) {
        FUZZ_CHECK(is_router(w, f.src)); /* an error, back to where its cause came from */
        return;
    }
    FUZZ_CHECK(w->r.conf.uplink != UPLINK_NONE);
    m = rig_member(&w->r, &w->g[from]);
    FUZZ_CHECK(m && bindings_owns(b, m, f.src) && !ip6_is_link_local(f.src));
    FUZZ_CHECK(!bindings_in_segment(b, f.dst) || bindings_owner(b, f.dst, &m) == OWNER_ROUTER);
}

void world_take(struct router_world *w, int from)
{
    for (unsigned i = 0; i < w->r.out.n_pk; i++)
        check_uplink(w, &w->r.out.pk[i], from);
    for (unsigned i = 0; i < GUESTS; i++) {
        guest_take(&w->g[i], &w->r);
        for (unsigned k = 0; k < w->g[i].n_got; k++)
            if (w->g[i].got[k].kind != KIND_CONTROL)
                check_delivered(w, &w->g[i], &w->g[i].got[k], from);
    }
}
