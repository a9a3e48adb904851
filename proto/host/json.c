/* SPDX-License-Identifier: MIT */
/* json.c - what both daemons put into their status: plain members and counters, by name */
#include "proto/host/json.h"

#include <stdio.h>

void json_put_text(struct json_object *o, const char *key, const char *text)
{
    json_object_object_add(o, key, json_object_new_string(text));
}

void json_put_number(struct json_object *o, const char *key, uint64_t v)
{
    json_object_object_add(o, key, json_object_new_uint64(v));
}

void json_put_bool(struct json_object *o, const char *key, bool v)
{
    json_object_object_add(o, key, json_object_new_boolean(v));
}

void json_put_seconds(struct json_object *o, const char *key, mono_ns d)
{
    char text[32];
    double s = (double)d / (double)NS_PER_S;

    snprintf(text, sizeof(text), "%.3f", s);
    json_object_object_add(o, key, json_object_new_double_s(s, text));
}

void json_add_text(struct json_object *list, const char *text)
{
    json_object_array_add(list, json_object_new_string(text));
}

void json_put_udp(struct json_object *o, const char *key, struct udp *const *u, unsigned n)
{
    struct json_object *counters = json_object_new_object();

    for (unsigned i = 0; i < UDP_STAT_N; i++) {
        uint64_t sum = 0;
        for (unsigned k = 0; k < n; k++)
            sum += u[k] ? udp_stats(u[k])->n[i] : 0;
        json_put_number(counters, udp_stat_name[i], sum);
    }
    json_object_object_add(o, key, counters);
}

/* super_text() - which superframes, in words */
static const char *super_text(unsigned super)
{
    static const char *const text[] = { "frames", "tcp", "udp", "tcp, udp" };
    return text[super & (SUPER_TCP | SUPER_UDP)];
}

void json_put_tap(struct json_object *o, const char *key, const struct tap *t)
{
    const struct tap_stats *s = tap_stats(t);
    struct json_object *counters = json_object_new_object();

    json_put_text(counters, "device", tap_name(t));
    json_put_text(counters, "takes", super_text(tap_takes(t)));
    json_put_text(counters, "gives", super_text(tap_gives(t)));
    json_put_number(counters, "rx_packets", s->rx);
    json_put_number(counters, "rx_too_long", s->rx_oversize);
    json_put_number(counters, "rx_errors", s->rx_errors);
    json_put_number(counters, "tx_packets", s->tx);
    json_put_number(counters, "tx_superframes", s->tx_super);
    json_put_number(counters, "tx_joined", s->tx_pieces);
    json_put_number(counters, "tx_full", s->tx_full);
    json_put_number(counters, "tx_down", s->tx_down);
    json_put_number(counters, "tx_errors", s->tx_errors);
    json_object_object_add(o, key, counters);
}
