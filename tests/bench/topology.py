#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Hub-and-spoke test network in network namespaces.

    sxbench-hub, sxbench-c1 .. one namespace each
    each client has one veth pair to the hub (IPv4 only, MTU 1500):
        client side  u0    198.18.K.2/30
        hub side     uK    198.18.K.1/30      (K < 256; 198.19.x.y above)
    198.18.0.1/32              on the hub's loopback, reachable by every client

The hub does not forward IPv4 and a client has no route beyond its own /30 and
that address, so a client reaches another one only through whatever runs on the
hub.  IPv6 is off on the underlay; it exists on tunnel devices only.

Usage as a tool (needs root):
    topology.py up [N] [--wire]     build the network and leave it there
    topology.py down                remove every sxbench-* namespace and what runs in it
"""
import os
import signal
import subprocess
import sys
import time

PREFIX = os.environ.get("BENCH_PREFIX", "sxbench-")
HUB = PREFIX + "hub"
UNDERLAY_MTU = 1500
ROUTER = "198.18.0.1"   # on the hub's loopback, routed from every client


def sh(*argv, check=True, ns=None, **kw):
    """Runs a command (in a namespace), returns its stdout; raises with its stderr."""
    if ns:
        argv = ("ip", "netns", "exec", ns) + argv
    p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
    if check and p.returncode:
        raise RuntimeError("%s: rc %d: %s" % (" ".join(argv), p.returncode, (p.stderr or p.stdout).strip()[:400]))
    return p.stdout


def client_ns(k):
    return PREFIX + "c%d" % k


def hub_addr(k):
    """The hub's IPv4 address as client k sees it."""
    return "198.%d.%d.1" % (18 + k // 256, k % 256)


def client_addr(k):
    return "198.%d.%d.2" % (18 + k // 256, k % 256)



class Topology:
    """wire=False: veth passes 64 KiB GSO packets whole, as a NIC with every
    offload would; wire=True: segmentation offloads are off and GRO is on, so
    packets of the underlay's MTU cross the veth, as on a plain NIC."""

    def __init__(self, clients, wire=False):
        self.clients = clients
        self.wire = wire

    def up(self):
        names = [HUB] + [client_ns(k) for k in range(1, self.clients + 1)]
        for ns in names:
            sh("ip", "netns", "add", ns)
            sh("sysctl", "-qw", "net.ipv6.conf.default.accept_dad=0", "net.ipv6.conf.all.accept_dad=0",
               "net.ipv6.conf.default.accept_ra=0", "net.ipv6.conf.all.accept_redirects=0",
               "net.ipv6.conf.default.accept_redirects=0", "net.ipv4.ip_forward=0", ns=ns)
            sh("ip", "link", "set", "lo", "up", ns=ns)
        sh("ip", "addr", "add", ROUTER + "/32", "dev", "lo", ns=HUB)
        for k in range(1, self.clients + 1):
            dev, ns = "u%d" % k, client_ns(k)
            sh("ip", "link", "add", dev, "mtu", str(UNDERLAY_MTU), "netns", HUB, "type", "veth",
               "peer", "name", "u0", "mtu", str(UNDERLAY_MTU), "netns", ns)
            for where, d, a in ((HUB, dev, hub_addr(k)), (ns, "u0", client_addr(k))):
                sh("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=1" % d, ns=where)
                sh("ip", "addr", "add", a + "/30", "dev", d, ns=where)
                sh("ip", "link", "set", d, "up", ns=where)
                if self.wire:
                    sh("ethtool", "-K", d, "tso", "off", "gso", "off", "tx-udp-segmentation", "off",
                       "tx-udp_tnl-segmentation", "off", "tx-udp_tnl-csum-segmentation", "off", "gro", "on",
                       ns=where)
            sh("ip", "route", "add", ROUTER + "/32", "via", hub_addr(k), ns=ns)
        return self

    def down(self):
        tear_down()

    def __enter__(self):
        return self.up()

    def __exit__(self, *exc):
        self.down()


def namespaces():
    return [l.split()[0] for l in sh("ip", "netns", "list").splitlines() if l.startswith(PREFIX)]


def end_pids(pids, grace=1.0):
    """Ends processes by pid: SIGTERM, then SIGKILL for what is left."""
    for sig, wait in ((signal.SIGTERM, grace), (signal.SIGKILL, 1.0)):
        live = []
        for p in pids:
            try:
                os.kill(p, sig)
                live.append(p)
            except ProcessLookupError:
                pass
        end = time.monotonic() + wait
        while live and time.monotonic() < end:
            for p in live[:]:
                try:
                    os.waitpid(p, os.WNOHANG)
                except ChildProcessError:
                    pass
                if not os.path.exists("/proc/%d" % p):
                    live.remove(p)
            if live:
                time.sleep(0.02)
        pids = live
        if not pids:
            break


def tear_down():
    """Removes our namespaces; ends only processes that live inside them."""
    names = namespaces()
    pids = []
    for ns in names:
        pids += [int(p) for p in sh("ip", "netns", "pids", ns, check=False).split()]
    end_pids(pids)
    for ns in names:
        sh("ip", "netns", "del", ns, check=False)


def main(argv):
    wire = "--wire" in argv
    argv = [a for a in argv if a != "--wire"]
    if argv[1:2] == ["up"]:
        Topology(int(argv[2]) if len(argv) > 2 else 2, wire).up()
    elif argv[1:2] == ["down"]:
        tear_down()
    else:
        print(__doc__)
        return 64
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv))
