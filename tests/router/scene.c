/* SPDX-License-Identifier: MIT */
/* scene.c - what most tests start with: a router and up to three members */
#include "scene.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

struct guest a, b, c;

static struct guest *const guests[] = { &a, &b, &c };

void scene_start(unsigned n)
{
    rig_start(&rig);
    for (unsigned i = 0; i < n; i++) {
        char ip[16];
        snprintf(ip, sizeof(ip), "198.51.100.%u", 7 + i);
        guest_init(guests[i], &rig, i, ip, 4000);
        guest_join(guests[i], &rig);
    }
    rig_notices(&rig, NOTICE_LOGIN, NULL);
}

void scene_mtu(uint16_t mtu)
{
    for (unsigned i = 0; i < rig.re->ms.high; i++)
        rig.re->ms.m[i].mtu = mtu;
}

struct mac scene_mac(const char *name)
{
    if (name[0] >= 'a' && name[0] <= 'c' && (!name[1] || name[1] == '.'))
        return guests[name[0] - 'a']->s.mac;
    if (name[0] == 'r' && (!name[1] || name[1] == '.'))
        return mac_of_endpoint(rig.conf.public_ep);
    return (struct mac){ { 2, 9, 9, 9, 9, 9 } };
}

struct ip6 scene_addr(const char *name)
{
    if (strcmp(name, "absent") == 0) {
        struct ip6 ret;
        assert_true(bindings_stable(&rig.re->b, 7, rig.clients[7].public_key, &ret));
        return ret;
    }
    if (name[0] && strcmp(name + 1, ".ll") == 0)
        return mac_link_local(scene_mac(name));
    if (name[0] && strcmp(name + 1, ".eui") == 0)
        return mac_address(rig.re->b.prefix, scene_mac(name));
    if (name[0] >= 'a' && name[0] <= 'c' && !name[1])
        return guest_addr(guests[name[0] - 'a']);
    return ip6_of(name);
}

void guest_says(struct guest *g, enum wire_kind kind, const char *to, const uint8_t *ip, size_t len)
{
    guest_ip(g, &rig, kind, scene_mac(to), ip, len);
    for (unsigned i = 0; i < N(guests); i++) {
        if (guests[i] != g && guests[i]->keys.current.valid)
            guest_take(guests[i], &rig);
    }
}

const uint8_t *ra_option(const uint8_t *ip, size_t len, uint8_t type, unsigned nth)
{
    for (size_t at = IP6_HDR_LEN + 16; at + 8 <= len && ip[at + 1]; at += 8u * ip[at + 1]) {
        if (ip[at] == type && nth-- == 0)
            return ip + at;
    }
    return NULL;
}
