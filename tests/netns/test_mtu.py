# SPDX-License-Identifier: MIT
"""test_mtu.py - paths whose MTU is small, large, or changes without a word (R40-R42, R64, H44, H45, H47, H70)

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- m1 === m2 -- a  198.18.99.2   tap6     === : the link whose MTU changes; neither m1 nor m2 sends ICMP
      `-- b  198.18.2.2   tap6

Neither r nor a sees a link narrower than 1500: only probes can tell.
"""

import re
import select
import socket
import struct
import time

import pytest

from lab import PATIENCE, TAP, TUN, WEB6, Conn, Lab, wait_for

HEAL = 15  # seconds: DESIGN 7


class Path:
    """r - m1 - m2 - a; mtu() sets what passes between m1 and m2."""

    def __init__(self, lab, mtu=1500):
        self.r, self.m1, self.m2, self.a = lab.r, lab.ns("m1"), lab.ns("m2"), lab.ns("a")
        lab.link4(self.m1, "m1")
        self.m1.ip(f"link add mid type veth peer name mid netns {self.m2.full}")
        self.m2.ip(f"link add toa type veth peer name wan netns {self.a.full}")
        for ns, dev in ((self.m1, "mid"), (self.m2, "mid"), (self.m2, "toa"), (self.a, "wan")):
            ns.no_ipv6(dev)
        self.m1.ip("addr add 198.18.98.1/30 dev mid", "link set mid up", "route add 198.18.99.0/30 via 198.18.98.2")
        self.m2.ip("addr add 198.18.98.2/30 dev mid", "addr add 198.18.99.1/30 dev toa", "link set mid up",
                   "link set toa up", "route add default via 198.18.98.1")
        self.a.ip("addr add 198.18.99.2/30 dev wan", "link set wan up", "route add default via 198.18.99.1")
        self.a.addr4 = "198.18.99.2"
        lab.r.ip(f"route add 198.18.99.0/30 via {self.m1.addr4}")
        for m in (self.m1, self.m2):
            m.sysctl("net/ipv4/ip_forward", 1)
            m.run("nft", "add table ip quiet; add chain ip quiet out { type filter hook output priority 0; }; "
                         "add rule ip quiet out icmp type destination-unreachable counter drop")
        self.mtu(mtu)

    def mtu(self, octets):
        for m in (self.m1, self.m2):
            m.ip(f"link set mid mtu {octets}")

    def one_way(self, octets, up):
        """From now on packets longer than @octets vanish without a word in one direction only. Packets are single
        ones by then: of a superframe the filter would see the length of all of it."""
        self.a.ip("link set wan gso_max_segs 1")
        self.r.ip(f"link set {self.m1.at_r} gso_max_segs 1")
        (self.m2 if up else self.m1).run(
            "nft", "add table ip hole; add chain ip hole on { type filter hook postrouting priority 0; }; "
                   f"add rule ip hole on oifname mid meta length > {octets} counter drop")

    def silenced(self):
        """How many ICMP errors m1 and m2 wanted to send."""
        return sum(int(re.search(r"packets (\d+)", m.run("nft", "list", "table", "ip", "quiet").stdout).group(1))
                   for m in (self.m1, self.m2))


def two_clients(lab, mtu=1500):
    path = Path(lab, mtu)
    r = lab.router(clients=["a", "b"])
    b = lab.client("b", lab.public("b"))
    a = lab.client("a", path.a)
    return path, r, a.wait_up(), b.wait_up()


def wait_settled(r, c, least, most, fragments):
    """Client, kernel and router agree, and no search is under way."""
    def look():
        s, m = c.try_status(), r.member(c.name)
        return (s and m and s["mtu_search"] == "done" and least <= s["mtu"] <= most and s["fragments"] == fragments
                and m["mtu"] == s["mtu"] and m["fragments"] == fragments and c.ns.link(TAP)["mtu"] == s["mtu"]
                and s["mtu"])
    return wait_for(f"{c.name} to settle in {least}..{most}, fragments {fragments}", look, timeout=2 * PATIENCE)


def lost(frm, to, addr, size, count=400, window=10):
    """Sends @count numbered UDP datagrams that make inner packets of @size octets; how many did not arrive. A few at a
    time, so that no queue is in question."""
    rx, tx = to.socket(socket.AF_INET6, socket.SOCK_DGRAM), frm.socket(socket.AF_INET6, socket.SOCK_DGRAM)
    rx.bind((addr, 0))
    tx.setsockopt(socket.IPPROTO_IPV6, 23, 2)  # IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO: a packet too long is an error
    seen = set()
    for first in range(0, count, window):
        for n in range(first, first + window):
            tx.sendto(struct.pack("!I", n) + bytes(size - 48 - 4), rx.getsockname()[:2])
        end = time.monotonic() + PATIENCE / 4
        while not seen.issuperset(range(first, first + window)) and time.monotonic() < end:
            if select.select([rx], [], [], 0.1)[0]:
                seen.add(struct.unpack("!I", rx.recv(65536)[:4])[0])
    rx.close(), tx.close()
    return count - len(seen)


def forget_path_mtu(*nets):
    for ns in nets:
        ns.run("ip", "-6", "route", "flush", "cache")


def look_again(c):
    """The way to the router changes: the client looks for a better MTU now, not within a minute."""
    c.ns.ip("link set wan mtu 1499")
    c.wait_status("the client to see it", lambda s: s["mtu_most"] == 1433)
    c.ns.ip("link set wan mtu 1500")


def check_full_size(lab, a, b, mtu):
    """Packets that fill the MTU: none is lost, whichever way (each way for itself, as the other end may take more)."""
    forget_path_mtu(lab.inet, lab.r, a.ns, b.ns)
    for frm, to, addr in ((a.ns, b.ns, b.address()), (b.ns, a.ns, a.address()), (a.ns, lab.inet, WEB6),
                          (lab.inet, a.ns, a.address())):
        assert lost(frm, to, addr, mtu) == 0, f"{frm.name} to {to.name}: packets of {mtu} octets were lost"


def too_big(ns, addr, size):
    """The MTU that Packet Too Big says about a packet of @size octets, None when nothing says so."""
    out = ns.run("ping", "-6", "-n", "-M", "do", "-c", "2", "-i", "0.2", "-W", "1", "-s", str(size - 48), addr,
                 check=False)
    found = re.search(r"mtu[=:] ?(\d+)", out.stdout + out.stderr)
    return int(found.group(1)) if found else None


def test_path_narrows_while_tcp_runs():
    """1500 to 1400, ICMP dropped: found by probes, TCP lives on, in both directions and between clients."""
    with Lab() as lab:
        path, r, a, b = two_clients(lab)
        assert a.status()["mtu"] == 1434
        conns = [Conn(lab.inet, a.ns, a.address()), Conn(a.ns, b.ns, b.address())]
        for c in conns:
            c.exchange(300000)
        path.mtu(1400)
        began = time.monotonic()
        for c in conns:
            c.exchange(300000, timeout=HEAL - (time.monotonic() - began))
        healed = time.monotonic() - began
        assert path.silenced() > 0, "the path did not drop anything: this test shows nothing"
        mtu = wait_settled(r, a, 1330, 1334, False)
        print(f"TCP on after {healed:.1f} s, MTU {mtu} after {time.monotonic() - began:.1f} s")
        assert healed <= HEAL
        forget_path_mtu(lab.inet, b.ns)
        assert too_big(b.ns, a.address(), 1434) == mtu, "another client is told"
        assert too_big(lab.inet, a.address(), 1434) == mtu, "the world is told"
        check_full_size(lab, a, b, mtu)
        assert r.member("b")["mtu"] == 1434, "nobody else's MTU changed"
        assert a.status()["logins"] == 1

        # it grows again: a change on the way makes the client look
        path.mtu(1500)
        look_again(a)
        wait_settled(r, a, 1434, 1434, False)
        for c in conns:
            c.exchange()
        check_full_size(lab, a, b, 1434)


@pytest.mark.parametrize("up", [True, False], ids=["to the router", "to the client"])
def test_black_hole_in_one_direction(up):
    """More than 1400 vanishes on the way up, or on the way down, while the other is as it was: each probe proves both."""
    with Lab() as lab:
        path, r, a, b = two_clients(lab)
        conns = [Conn(lab.inet, a.ns, a.address()), Conn(a.ns, b.ns, b.address())]
        for c in conns:
            c.exchange(300000)
        path.one_way(1400, up)
        began = time.monotonic()
        for c in conns:
            c.exchange(300000, timeout=HEAL - (time.monotonic() - began))
        healed = time.monotonic() - began
        mtu = wait_settled(r, a, 1330, 1334, False)
        print(f"TCP on after {healed:.1f} s, MTU {mtu} after {time.monotonic() - began:.1f} s")
        assert healed <= HEAL
        assert path.silenced() == 0, "nobody on the way even knew"
        check_full_size(lab, a, b, mtu)
        assert r.member("b")["mtu"] == 1434 and a.status()["logins"] == 1


def test_path_narrows_below_1346():
    """1500 to 1300: what does not fit goes in fragments; back at 1500 none do."""
    with Lab() as lab:
        path, r, a, b = two_clients(lab)
        conns = [Conn(lab.inet, a.ns, a.address()), Conn(a.ns, b.ns, b.address())]
        for c in conns:
            c.exchange(100000)
        path.mtu(1300)
        began = time.monotonic()
        for c in conns:
            c.exchange(100000, timeout=HEAL - (time.monotonic() - began))
        print(f"TCP on after {time.monotonic() - began:.1f} s")
        wait_settled(r, a, 1280, 1280, True)
        assert re.search(r"large packets travel in fragments", a.log())
        check_full_size(lab, a, b, 1280)
        path.mtu(1500)
        look_again(a)
        wait_settled(r, a, 1434, 1434, False)
        for c in conns:
            c.exchange()


@pytest.mark.parametrize("mtu", [1345, 1300, 1200, 1000, 576])
def test_narrow_path(mtu):
    """A path that cannot carry 1280 octets in one piece, from the first LOGIN on."""
    with Lab() as lab:
        path, r, a, b = two_clients(lab, mtu)
        wait_settled(r, a, 1280, 1280, True)
        assert not r.member("b")["fragments"], "for that member alone"
        assert a.ns.ping(WEB6, count=5, size=1232) == 5
        assert b.ns.ping(a.address(), count=5, size=1232) == 5
        Conn(lab.inet, a.ns, a.address()).exchange(1000000)
        Conn(a.ns, b.ns, b.address()).exchange(1000000)
        check_full_size(lab, a, b, 1280)
        assert a.status()["logins"] == 1


def test_narrow_interface():
    """The client's own interface takes 1300."""
    with Lab() as lab:
        r = lab.router(clients=["a"])
        ns = lab.public("a")
        ns.ip("link set wan mtu 1300")
        lab.r.ip("link set v-a mtu 1300")
        a = lab.client("a", ns).wait_up()
        wait_settled(r, a, 1280, 1280, True)
        assert a.ns.ping(WEB6, count=5, size=1232) == 5
        Conn(lab.inet, a.ns, a.address()).exchange(200000)


def test_jumbo():
    """An underlay of 9000 is used, between clients and up to the world; `mtu:` caps it."""
    with Lab() as lab:
        nets = [lab.public("a"), lab.public("b"), lab.public("c")]
        for ns in nets:
            ns.ip("link set wan mtu 9000")
            lab.r.ip(f"link set {ns.at_r} mtu 9000")
        lab.r.ip("link set up0 mtu 9000")
        lab.inet.ip("link set eth0 mtu 9000")
        r = lab.router(clients=["a", "b", "c"])
        a, b, c = lab.client("a", nets[0]), lab.client("b", nets[1]), lab.client("c", nets[2], "mtu: 4000\n")
        a.wait_up(), b.wait_up(), c.wait_up()
        for x, mtu in ((a, 8934), (b, 8934), (c, 4000)):
            wait_settled(r, x, mtu, mtu, False)
        assert lab.r.link(TUN)["mtu"] == 8934
        assert a.ns.ping(b.address(), count=3, size=8886) == 3
        assert a.ns.ping(WEB6, count=3, size=8886) == 3
        Conn(a.ns, b.ns, b.address()).exchange(3000000)
        Conn(lab.inet, a.ns, a.address()).exchange(3000000)
        Conn(a.ns, c.ns, c.address()).exchange(1000000)
        check_full_size(lab, a, b, 8934)
        assert too_big(a.ns, c.address(), 8934) == 4000
        assert too_big(lab.inet, c.address(), 8934) == 4000
