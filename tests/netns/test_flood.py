# SPDX-License-Identifier: MIT
"""test_flood.py - a client that sends much of what it may not: nothing arrives, nothing grows, the others go on

    inet 2001:db8:ffff::2                  <- watched
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1 <- watched
      |-- l  198.18.1.2   no TAP           the flooder (liar.c), past any filter of the client
      |-- b  198.18.2.2   tap6             <- watched: whom it is sent to
      `-- c  198.18.3.2   tap6             whose names are used; talks with b meanwhile

The first floods are sent as fast as the router takes them with none lost on the way, so that counters can be exact.
How much a flood costs the others is measured, not tested: tests/bench/nd_flood.py.
"""

import ipaddress
import os
import struct
import time

from scapy.layers.inet6 import IPv6, in6_chksum

from lab import ROUTER6, TAP, TUN, WEB6, Conn, Lab, eui64, fold_mac, wait_for
from liar import MULTICAST, Liar

ROUTER_MAC = fold_mac("198.18.0.1", 6464)
ROUTER_LL = eui64("fe80::/64", ROUTER_MAC)
ICMP6, UDP = 58, 17
MARK = b"0 of these may arrive"
SOURCE_AT = 6 + 8  # of the source address in what goes to a peer: MAC, then the header
HONEST = b"no flood: "
RSS_ROOM = 4 << 20  # octets that the router may grow while it is flooded


def ip(text):
    return ipaddress.IPv6Address(text).packed


def packet(src, dst, nh, payload, hlim=64):
    return struct.pack("!IHBB", 6 << 28, len(payload), nh, hlim) + ip(src) + ip(dst) + payload


def udp(src, dst, marker=MARK):
    body = struct.pack("!HHHH", 5000, 5001, 8 + len(marker), 0) + marker
    cksum = in6_chksum(UDP, IPv6(src=src, dst=dst), body) or 0xffff
    return packet(src, dst, UDP, body[:6] + struct.pack("!H", cksum) + body[8:])


def icmp(kind, body, src, dst, hlim=255):
    message = bytes([kind, 0, 0, 0]) + body
    cksum = in6_chksum(ICMP6, IPv6(src=src, dst=dst), message)
    return packet(src, dst, ICMP6, message[:2] + struct.pack("!H", cksum) + message[4:], hlim)


def solicited_node(text):
    return str(ipaddress.IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + ip(text)[13:]))


def rss(daemon):
    with open(f"/proc/{daemon.proc.pid}/status", encoding="ascii") as f:
        return next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmRSS"))


class Scene:
    def __init__(self, lab, extra="", **how):
        self.r = lab.router(clients=["l", "b", "c"], extra=extra)
        self.b, self.c = (lab.client(n, lab.public(n)).wait_up() for n in "bc")
        self.liar = Liar(lab, "l", lab.public("l"), **how)
        self.ll = eui64("fe80::/64", self.liar.mac)
        self.b_mac, self.b_ll, self.b_addr = self.b.mac(), self.b.link_local(), self.b.address()
        self.c_addr, self.c_ll = self.c.address(), self.c.link_local()
        self.sink = self.b.ns.socket(10, 2)
        self.sink.bind(("::", 5001))
        assert self.c.ns.ping(self.b_addr) == 1

    def drops(self, before=None):
        d = self.r.status()["drops"]
        return {n: d[n] - before[n] for n in d if d[n] != before[n]} if before else d

    def honest_arrives(self, mark):
        """A packet of the flooder to b, to be asked again: for up to a second its flood has lost it what is of that kind."""
        self.liar.send(udp(self.liar.address, self.b_addr, HONEST + mark.encode()), self.b_mac)
        self.liar.sync()
        self.sink.setblocking(False)
        try:
            while self.sink.recv(100) != HONEST + mark.encode():
                pass
            return True
        except BlockingIOError:
            return False

    def others(self):
        """What the others know; a flood must not change it."""
        told = []
        for x in (self.b, self.c):
            told.append(sorted(x.ns.addresses(TAP)))
            told.append(sorted(e["dst"] for e in x.ns.ip_json("-6", "route")))
            told.append(sorted((n["dst"], n.get("lladdr")) for n in x.ns.ip_json("-6", "neigh", "show", "dev", TAP)))
        return told


def test_a_million_forged_sources():  # R32
    """H49, R32: sources of the others, of the router, of the world, random ones outside the segment: none gets through."""
    with Lab() as lab:
        s = Scene(lab)
        watched = [lab.sniff(s.b.ns, TAP), lab.sniff(lab.r, TUN), lab.sniff(lab.inet, "eth0")]
        others = s.others()
        bound = [s.b_addr, s.b_ll, s.c_addr, s.c_ll, ROUTER6, ROUTER_LL, "2001:db8:1::", WEB6,
                 eui64("2001:db8:1::/64", s.c.mac()), eui64("fe80::/64", "02:00:00:00:00:01")]
        texts = [Liar.text(udp(src, dst), mac) for src in bound
                 for dst, mac in ((s.b_addr, s.b_mac), (s.b_ll, s.b_mac), (s.c_addr, s.b_mac), (WEB6, None))]
        before = s.drops()
        s.liar.load(texts)
        s.liar.flood(500_000)
        took, heard = s.liar.flooded()
        assert heard == 0
        assert s.drops(before)["source_guard"] == 500_000

        # random ones: the first 8 octets are those of other networks, so each differs from each
        outside = ["2001:db8:2::", "2001:db8:1:1::", "2400::", "3fff::", "64:ff9b::", "fc00::", "fd00:1::", "2002::"]
        s.liar.load([Liar.text(udp(src, s.b_addr), s.b_mac) for src in outside])
        s.liar.flood(500_000, at=SOURCE_AT + 8, length=8)
        more, heard = s.liar.flooded()
        assert heard == 0
        got = s.drops(before)
        assert got["source_guard"] == 1_000_000
        assert not [n for n in got if n not in ("source_guard", "multicast")], got
        assert not any(w.has(MARK) for w in watched) and all(w.lost() == 0 for w in watched)
        assert s.others() == others
        print(f"10^6 in {took + more:.1f} s")

        # the watchers see: one true packet
        s.liar.send(udp(s.liar.address, s.b_addr, b"honest"), s.b_mac)
        watched[0].wait(b"honest")


def test_free_addresses_bind_sixteen():  # R33
    """R33: 10^5 free sources: sixteen are learned, the rest is dropped; nobody else's are touched."""
    with Lab() as lab:
        s = Scene(lab)
        on_b = lab.sniff(s.b.ns, TAP)
        assert s.c.ns.ping(s.b_addr) == 1
        mine = {m["name"]: m["addresses"] for m in s.r.status()["members"]}
        before, size = s.drops(), rss(s.r)
        # the last three octets of the source are random, so it is never of EUI-64 shape
        s.liar.load([Liar.text(udp("2001:db8:1:0:1::", s.b_addr), s.b_mac)])
        s.liar.flood(100_000, at=SOURCE_AT + 13, length=3)
        s.liar.flooded()
        now = {m["name"]: m["addresses"] for m in s.r.status()["members"]}
        assert len(now["l"]) == len(mine["l"]) + 16 and set(mine["l"]) <= set(now["l"])
        assert [set(now[m]) for m in "bc"] == [set(mine[m]) for m in "bc"]
        seen = {f[22:38] for f in on_b.frames(False) if MARK in f}
        assert seen == {ip(a) for a in now["l"]} - {ip(a) for a in mine["l"]}
        arrived = sum(MARK in f for f in on_b.frames(False))
        got = s.drops(before)
        assert got["bindings_full"] + arrived == 100_000
        assert rss(s.r) - size < RSS_ROOM
        assert s.r.log().count("bound") < 200, "the log is bounded"


def nd_flood_texts(s, kind):
    own = bytes([1, 1]) + bytes.fromhex(s.liar.mac.replace(":", ""))

    def ns(target, dst=None, mac=None):
        p = icmp(135, b"\0" * 4 + ip(target) + own, s.ll, dst or solicited_node(target))
        return Liar.text(p, mac, group=mac is None)

    if kind == "NS for nobody":
        return [ns(str(ipaddress.IPv6Address(ip("2001:db8:1:0:9::")[:12] + os.urandom(4)))) for _ in range(512)]
    if kind == "NS for b":
        return [ns(s.b_addr), ns(s.b_ll), ns(s.c_addr), ns(ROUTER6)]
    if kind == "RS":
        return [Liar.text(icmp(133, b"\0" * 4 + own, s.ll, "ff02::2"), group=True)]
    if kind == "DAD":
        return [Liar.text(icmp(135, b"\0" * 4 + ip(t), "::", solicited_node(t)), group=True) for t in (
            s.b_addr, s.c_addr, ROUTER6, *(str(ipaddress.IPv6Address(ip("2001:db8:1:0:8::")[:12] + os.urandom(4)))
                                          for _ in range(509)))]
    if kind == "lies":
        na = b"\x20\0\0\0" + ip(s.c_addr) + bytes([2, 1]) + bytes.fromhex(s.liar.mac.replace(":", ""))
        ra = struct.pack("!BBHII", 64, 0, 1800, 0, 0) + own
        return [Liar.text(icmp(136, na, s.ll, "ff02::1"), group=True), Liar.text(icmp(134, ra, s.ll, "ff02::1"), group=True),
                Liar.text(icmp(136, na, s.ll, s.b_ll), s.b_mac), Liar.text(icmp(134, ra, s.ll, s.b_ll), s.b_mac)]
    record = struct.pack("!BBH", 4, 0, 0)
    reports = []
    for _ in range(512):
        body = b"\0\0\0\1" + record + ip("ff15::")[:12] + os.urandom(4)
        p = icmp(143, body, s.ll, "ff02::16", hlim=1)
        hop = bytes([ICMP6, 0, 5, 2, 0, 0, 1, 0])
        p = p[:4] + struct.pack("!HBB", len(p) - 40 + 8, 0, 1) + p[8:40] + hop + p[40:]
        reports.append(f"{MULTICAST} {'00' * 6}{p.hex()}")
    return reports


def test_floods_of_neighbor_discovery():
    """H53, H58, R18, R35: 10^5 of each kind as fast as the router takes them; b and c lose nothing, the router stays as it
    is, has most of it dropped by the kernel, and listens to the flooder again when it has stopped."""
    with Lab() as lab:
        s = Scene(lab, extra="multicast: true\n")
        on_b = lab.sniff(s.b.ns, TAP)
        flow, conn = lab.pings(s.c.ns, s.b_addr), Conn(s.c.ns, s.b.ns, s.b_addr)
        conn.exchange()
        flow.wait_more(3)
        mac, others, size = bytes.fromhex(s.liar.mac.replace(":", "")), s.others(), None
        before = s.r.status()
        for kind in ("NS for nobody", "NS for b", "RS", "DAD", "lies", "MLD"):
            s.liar.load(nd_flood_texts(s, kind))
            log, began = len(s.r.log()), time.monotonic()
            s.liar.flood(100_000)
            conn.exchange()
            s.liar.flooded()
            s.liar.sync()
            took = time.monotonic() - began
            now = s.r.status()
            shunned, before = now["udp"]["rx_shunned"] - before["udp"]["rx_shunned"], now
            assert shunned > 100, f"{kind}: the kernel dropped {shunned} runs"
            wait_for(f"what is no flood, after {kind}", lambda: s.honest_arrives(kind))
            flow.wait_more(2)
            size = size or rss(s.r)  # what was never used before is touched by the first of them
            assert rss(s.r) - size < RSS_ROOM, kind
            lines = s.r.log()[log:].count("\n")
            assert lines < 50 + 20 * took, f"{kind}: {lines} lines in {took:.1f} s"
        wait_for("b's cache to be as it was", lambda: s.others() == others)
        assert flow.missing() == []
        assert on_b.lost() == 0
        assert not [f for f in on_b.frames(False) if f[6:12] == mac and HONEST not in f], "none of it reached b"
        assert "floods the segment" in s.r.log()
