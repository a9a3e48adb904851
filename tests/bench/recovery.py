#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""recovery.py - how long until traffic is back, after everything that goes wrong on the way

    sudo SIXTAP_BUILD=build-release tests/bench/recovery.py [ROUNDS]           default: 20
    sudo SIXTAP_BUILD=build-release tests/bench/recovery.py herd [N]           default: 1000 clients

The first form runs the faults of tests/netns/recover.py, one after another, ROUNDS times, with one TCP connection that
must live through all of them; p50, p95 and worst are printed as a table. The second kills the router of N real client
engines (tests/bench/herd.c), with traffic and idle, and lets them log out and in 100 000 times, watching the router's
memory and descriptors.
"""
import os
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "../netns"))

from herd import Herd  # noqa: E402
from lab import Lab  # noqa: E402
from recover import Scene  # noqa: E402

WHAT = [
    ("router_killed", "router kill -9 and restart, traffic both ways"),
    ("peer_idle", "the same, while the other client has nothing to send"),
    ("rebound", "NAT forgets its mappings"),
    ("address_changed", "client's IPv4 address changes"),
    ("network_changed", "client moves to another network and NAT"),
    ("router_address_lost", "router's IPv4 address goes and comes back"),
    ("client_stopped", "client stopped, router restarted meanwhile"),
    ("client_killed", "client kill -9 and restart"),
]


def rounds(n):
    with Lab() as lab:
        s = Scene(lab)
        times = {name: [] for name, _ in WHAT}
        for k in range(n):
            for name, _ in WHAT:
                times[name].append(getattr(s, name)())
            print(f"round {k + 1}: the connection lives", file=sys.stderr, flush=True)
        print("| fault | p50, s | p95, s | worst, s | datagrams sent until one was answered, p50 |")
        print("|---|--:|--:|--:|--:|")
        for name, text in WHAT:
            t = sorted(x for x, _ in times[name])
            sent = sorted(x for _, x in times[name])
            print(f"| {text} | {t[len(t) // 2]:.2f} | {t[min(len(t) - 1, len(t) * 95 // 100)]:.2f} | {t[-1]:.2f} | "
                  f"{sent[len(sent) // 2]} |")
        print(f"\none TCP connection survived {n} of {n} rounds")


def herd(n):
    for period, text in ((1000, "a packet a second each"), (0, "idle")):
        with Lab() as lab:
            h = Herd(lab, n, period)
            got = h.restart_router()
            print(f"{n} clients, {text}, router kill -9: first {got['first_s']:.2f} s, p50 {got['p50_s']:.2f} s, "
                  f"p95 {got['p95_s']:.2f} s, last {got['last_s']:.2f} s, {got['logins_sent']} LOGINs", flush=True)
    with Lab() as lab:
        h = Herd(lab, n, 0, rate=100000)
        h.cycle(2 * n)
        print("logins and logouts | router RSS, MB | descriptors")
        print("0 | %.2f | %d" % (h.footprint()[0] / 1e6, h.footprint()[1]))
        for k in range(1, 11):
            h.cycle(10000, timeout=120)
            rss, fds = h.footprint()
            print("%d | %.2f | %d" % (10000 * k, rss / 1e6, fds), flush=True)


if __name__ == "__main__":
    if len(sys.argv) > 1 and sys.argv[1] == "herd":
        herd(int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
    else:
        rounds(int(sys.argv[1]) if len(sys.argv) > 1 else 20)
