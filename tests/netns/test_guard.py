# SPDX-License-Identifier: MIT
"""test_guard.py - a client that lies on its TAP: nothing of it reaches another client or the world

    inet 2001:db8:ffff::2                 <- watched
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1  <- watched
      |-- a  198.18.1.2   tap6            the liar: frames are put on its TAP with a packet socket
      |-- b  198.18.2.2   tap6            <- watched; its kernel's neighbor cache too
      `-- c  198.18.3.2   tap6            whose addresses are taken in vain

Every forged frame carries a marker. After the forged ones come honest ones on the same way: when these have arrived,
the others had their chance; that they arrive shows that the watchers see.
"""

import collections

import pytest
from scapy.layers.dhcp6 import DHCP6_Advertise, DHCP6OptUnknown
from scapy.layers.inet import UDP
from scapy.layers.inet6 import (ICMPv6EchoRequest, ICMPv6MLQuery, ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA,
                                ICMPv6ND_Redirect, ICMPv6NDOptDstLLAddr, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr,
                                ICMPv6NDOptUnknown, IPv6, IPv6ExtHdrDestOpt, IPv6ExtHdrFragment)
from scapy.layers.l2 import Ether
from scapy.packet import Raw

from lab import ROUTER6, TAP, TUN, WEB6, Injector, Lab, eui64, fold_mac, wait_for

ROUTER_MAC = fold_mac("198.18.0.1", 6464)
ROUTER_LL = eui64("fe80::/64", ROUTER_MAC)
MARK = b"marker-%04d--"  # 13 octets; with one of padding it fills an ND option


class Scene:
    """Router, liar a, neighbours b and c; a's frames, and who saw what."""

    def __init__(self, lab):
        self.r = lab.router(clients=["a", "b", "c"])
        self.a, self.b, self.c = (lab.client(n, lab.public(n)) for n in "abc")
        for x in (self.a, self.b, self.c):
            x.wait_up()
        for frm, to in ((self.a, self.b), (self.b, self.a), (self.b, self.c)):
            assert frm.ns.ping(to.address()) == 1
        assert self.b.ns.ping(self.c.link_local(), dev=TAP) == 1
        self.on_b, self.on_c = lab.sniff(self.b.ns, TAP), lab.sniff(self.c.ns, TAP)
        self.on_tun, self.on_inet = lab.sniff(lab.r, TUN), lab.sniff(lab.inet, "eth0")
        self.watchers = (self.on_b, self.on_c, self.on_tun, self.on_inet)
        self.tap = Injector(self.a.ns, TAP)
        self.drops = self.r.status()["drops"]
        self.client_drops = self.a.status()["drops"]
        self.sent = {}
        self.serial = 0

    def mark(self, name):
        marker = MARK % self.serial
        self.serial += 1
        self.sent[marker] = name
        return marker

    def nd_mark(self, name):
        """A marker as an ND option of a type nobody knows (it must be skipped)."""
        return ICMPv6NDOptUnknown(type=253, len=2, data=self.mark(name) + b"\0")

    def udp(self, name, dst, src=None, to=None, mac=None):
        """A UDP frame of a; @to: the client or the router (None) whose MAC it is sent to."""
        return (Ether(src=mac or self.a.mac(), dst=to.mac() if to else ROUTER_MAC)
                / IPv6(src=src or self.a.address(), dst=dst) / UDP(sport=5000, dport=5001) / Raw(self.mark(name)))

    def honest(self):
        """Three true frames, to each watched place; waits until they are there. What was sent before is then done."""
        for dst, to, where in ((self.b.address(), self.b, self.on_b), (self.c.address(), self.c, self.on_c),
                               (WEB6, None, self.on_inet)):
            frame = self.udp("honest", dst, to=to)
            marker = frame[Raw].load
            del self.sent[marker]
            self.tap.send(frame)
            where.wait(marker)
            if to is None:
                assert self.on_tun.has(marker)

    def verdict(self):
        """Names of forged frames that somebody saw."""
        for w in self.watchers:
            assert w.lost() == 0, f"{w.name} could not keep up: the test shows nothing"
        return sorted(name for marker, name in self.sent.items() if any(w.has(marker) for w in self.watchers))

    def counted(self, daemon, before):
        after = daemon.status()["drops"]
        return {n: after[n] - before[n] for n in after if after[n] != before[n]}


def test_forged_sources():
    with Lab() as lab:
        s = Scene(lab)
        a, b, c = s.a, s.b, s.c
        expect = collections.Counter()
        sources = {
            "b's address": (b.address(), "source_guard"),
            "c's address": (c.address(), "source_guard"),
            "c's link-local": (c.link_local(), "source_guard"),
            "EUI-64 of c's MAC": (eui64("2001:db8:1::/64", c.mac()), "source_guard"),
            "EUI-64 of nobody's MAC": (eui64("2001:db8:1::/64", "02:00:00:00:00:01"), "source_guard"),
            "link-local of nobody's MAC": (eui64("fe80::/64", "02:00:00:00:00:01"), "source_guard"),
            "the router's address": (ROUTER6, "source_guard"),
            "the router's link-local": (ROUTER_LL, "source_guard"),
            "the subnet anycast": ("2001:db8:1::", "source_guard"),
            "the web server": (WEB6, "source_guard"),
            "another prefix": ("2001:db8:2::1", "source_guard"),
            "unspecified": ("::", "source_invalid"),
            "loopback": ("::1", "source_invalid"),
            "IPv4-mapped": ("::ffff:192.0.2.1", "source_invalid"),
            "all nodes": ("ff02::1", "source_invalid"),
            "global group": ("ff0e::1", "source_invalid"),
        }
        for name, (src, counter) in sources.items():
            for where, dst, to in (("b", b.address(), b), ("b by the router", b.address(), None),
                                   ("c", c.link_local(), c), ("the world", WEB6, None)):
                s.tap.send(s.udp(f"{name} to {where}", dst, src=src, to=to))
                expect[counter] += 1
        s.honest()
        assert s.verdict() == []
        got = s.counted(s.r, s.drops)
        # at least: MLD reports of the router's own kernel, out of the TUN, are counted as well
        assert all(got[n] >= expect[n] for n in expect), (got, expect)


def test_forged_macs():
    """Source MACs do not travel; the client itself looks at what its TAP says."""
    with Lab() as lab:
        s = Scene(lab)
        macs = [s.b.mac(), s.c.mac(), ROUTER_MAC, "02:00:00:00:00:01", "00:00:00:00:00:00", "33:33:00:00:00:01",
                "ff:ff:ff:ff:ff:ff"]
        for mac in macs:
            for dst, to in ((s.b.address(), s.b), (WEB6, None)):
                s.tap.send(s.udp(f"from {mac} to {dst}", dst, to=to, mac=mac))
        s.honest()
        assert s.verdict() == []
        assert s.counted(s.a, s.client_drops)["frame_mac"] == 2 * len(macs)

        # the destination MAC is a hint: the owner of the address gets it, nobody else
        frame = s.udp("to b's address with c's MAC", s.b.address(), to=s.c)
        s.tap.send(frame)
        s.honest()
        assert s.on_b.has(frame[Raw].load)
        assert not s.on_c.has(frame[Raw].load)
        assert s.r.member("a")["stale_mac"] == 1


def nd_rows(s):
    """Every lie in Neighbor Discovery: (name, frame, counter that rises or None)."""
    a, b, c = s.a, s.b, s.c
    me, tgt = a.link_local(), b.link_local()
    prefix = ICMPv6NDOptPrefixInfo(prefix="2001:db8:bad::", prefixlen=64, L=1, A=1)

    def frame(name, src, dst, body, to=b, hlim=255, ext=None):
        group = dst.startswith("ff")
        mac = "33:33:00:00:00:01" if group else to.mac()
        ip = IPv6(src=src, dst=dst, hlim=hlim)
        return Ether(src=a.mac(), dst=mac) / (ip / ext if ext is not None else ip) / body / s.nd_mark(name)

    rows = []
    for src, who, counter in ((me, "its own name", "nd_role"), (ROUTER_LL, "the router's name", "nd_role")):
        for dst in (tgt, "ff02::1"):
            rows += [(n, frame(n, src, dst, body), counter) for n, body in (
                (f"RA in {who} to {dst}", ICMPv6ND_RA(routerlifetime=1800) / prefix),
                (f"RA of lifetime 0 in {who} to {dst}", ICMPv6ND_RA(routerlifetime=0)))]
        n = f"Redirect in {who}"
        rows.append((n, frame(n, src, tgt, ICMPv6ND_Redirect(tgt=me, dst=WEB6)), counter))
    hidden = "RA behind destination options"
    rows.append((hidden, frame(hidden, me, tgt, ICMPv6ND_RA() / prefix, ext=IPv6ExtHdrDestOpt()), "nd_role"))
    atomic = "RA in an atomic fragment"
    rows.append((atomic, frame(atomic, me, tgt, ICMPv6ND_RA() / prefix, ext=IPv6ExtHdrFragment()), "nd_role"))

    for victim, who in ((c.address(), "c's address"), (c.link_local(), "c's link-local"), (ROUTER6, "the router's"),
                        (ROUTER_LL, "the router's link-local"), (b.address(), "b's own")):
        for dst in (tgt, "ff02::1"):
            n = f"NA with override for {who} to {dst}"
            rows.append((n, frame(n, me, dst, ICMPv6ND_NA(tgt=victim, R=0, S=int(dst == tgt), O=1)
                                  / ICMPv6NDOptDstLLAddr(lladdr=a.mac())), "nd_guard"))
    n = "NA for its own address with c's MAC"
    rows.append((n, frame(n, me, tgt, ICMPv6ND_NA(tgt=me, S=1, O=1) / ICMPv6NDOptDstLLAddr(lladdr=c.mac())), "nd_guard"))
    n = "NA from c's address"
    rows.append((n, frame(n, c.link_local(), tgt, ICMPv6ND_NA(tgt=c.link_local(), S=1, O=1)
                          / ICMPv6NDOptDstLLAddr(lladdr=a.mac())), "source_guard"))
    n = "NS with c's MAC as its source"
    rows.append((n, frame(n, me, tgt, ICMPv6ND_NS(tgt=tgt) / ICMPv6NDOptSrcLLAddr(lladdr=c.mac())), "nd_guard"))
    n = "NS in the router's name"
    rows.append((n, frame(n, ROUTER_LL, tgt, ICMPv6ND_NS(tgt=tgt) / ICMPv6NDOptSrcLLAddr(lladdr=a.mac())),
                 "source_guard"))
    n = "NS that has crossed a router"
    rows.append((n, frame(n, me, tgt, ICMPv6ND_NS(tgt=tgt) / ICMPv6NDOptSrcLLAddr(lladdr=a.mac()), hlim=254),
                 "nd_invalid"))
    n = "NS in a fragment"
    rows.append((n, frame(n, me, tgt, ICMPv6ND_NS(tgt=tgt) / ICMPv6NDOptSrcLLAddr(lladdr=a.mac()),
                          ext=IPv6ExtHdrFragment()), "nd_fragment"))
    n = "MLD query"
    rows.append((n, Ether(src=a.mac(), dst="33:33:00:00:00:01") / IPv6(src=me, dst="ff02::1", hlim=1)
                 / ICMPv6MLQuery() / Raw(s.mark(n)), "nd_role"))
    n = "DHCPv6 Advertise"
    rows.append((n, Ether(src=a.mac(), dst=b.mac()) / IPv6(src=me, dst=tgt) / UDP(sport=547, dport=546)
                 / DHCP6_Advertise() / DHCP6OptUnknown(optcode=65000, data=s.mark(n)), "nd_role"))
    n = "echo request to all nodes"
    rows.append((n, Ether(src=a.mac(), dst="33:33:00:00:00:01") / IPv6(src=me, dst="ff02::1")
                 / ICMPv6EchoRequest(data=s.mark(n)), None))
    n = "echo request to all nodes in b's name"
    rows.append((n, Ether(src=a.mac(), dst="33:33:00:00:00:01") / IPv6(src=tgt, dst="ff02::1")
                 / ICMPv6EchoRequest(data=s.mark(n)), "source_guard"))
    return rows


def test_forged_neighbor_discovery():  # R4, R74
    with Lab() as lab:
        s = Scene(lab)
        # positive control: a true probe is carried to b, marker and all
        probe = (Ether(src=s.a.mac(), dst=s.b.mac()) / IPv6(src=s.a.link_local(), dst=s.b.link_local(), hlim=255)
                 / ICMPv6ND_NS(tgt=s.b.link_local()) / ICMPv6NDOptSrcLLAddr(lladdr=s.a.mac()) / s.nd_mark("true probe"))
        s.tap.send(probe)
        s.on_b.wait(b"marker-0000")
        s.sent.clear()

        watched = {x: s.b.ns.neighbor(TAP, x)["lladdr"] for x in (s.c.address(), s.c.link_local(), s.a.address())}
        routes = s.b.ns.run("ip", "-6", "route").stdout
        rows = nd_rows(s)
        for _, frame, _ in rows:
            s.tap.send(frame)
        s.honest()
        assert s.verdict() == []
        expect = collections.Counter(counter for _, _, counter in rows if counter)
        got = s.counted(s.r, s.drops)
        assert {n: got.get(n, 0) for n in expect} == dict(expect)
        assert {x: s.b.ns.neighbor(TAP, x)["lladdr"] for x in watched} == watched
        assert s.b.ns.run("ip", "-6", "route").stdout == routes
        assert "2001:db8:bad::" not in s.b.ns.run("ip", "-6", "addr").stdout
        for x in (s.c.address(), ROUTER6, WEB6):
            assert s.b.ns.ping(x) == 1


def test_wrong_frames():
    """What is no IPv6 packet, or a broken one, goes nowhere and hurts nobody."""
    with Lab() as lab:
        s = Scene(lab)
        eth = bytes.fromhex(s.b.mac().replace(":", "") + s.a.mac().replace(":", ""))
        ip = bytes(s.udp("whole", s.b.address(), to=s.b))[14:]
        marker = ip[-13:]
        wrong = {
            "only a header": eth + b"\x86\xdd",
            "ARP": eth + b"\x08\x06" + ip,
            "IPv4": eth + b"\x08\x00" + ip,
            "tagged": eth + b"\x81\x00\x00\x01\x86\xdd" + ip,
            "version 4": eth + b"\x86\xdd" + b"\x45" + ip[1:],
            "payload longer than the frame": eth + b"\x86\xdd" + ip[:4] + b"\xff\x00" + ip[6:],
            "payload length 0": eth + b"\x86\xdd" + ip[:4] + b"\0\0" + ip[6:],
            "cut": eth + b"\x86\xdd" + ip[:39],
        }
        for frame in wrong.values():
            s.tap.send(frame)
        own = s.udp("to its own address", s.a.address(), to=s.b)
        s.tap.send(own)
        s.honest()
        assert not any(w.has(marker) for w in s.watchers)
        assert s.verdict() == []
        got = s.counted(s.a, s.client_drops)
        assert got["ethertype"] == 3
        assert got["ip_version"] == 1
        assert got["ip_length"] == 2
        assert got["frame_short"] == 2
        assert s.counted(s.r, s.drops)["destination_self"] == 1
        # longer than the payload says is padding, and is cut off
        s.tap.send(eth + b"\x86\xdd" + ip + b"\0" * 20)
        s.on_b.wait(marker)
        assert not s.on_b.has(marker + b"\0")


@pytest.mark.parametrize("src,counter", [
    (ROUTER6, None), ("2001:db8:1::77", "source_segment"), ("fe80::1", "source_segment"), ("ff02::1", "source_invalid"),
    ("::1", "source_invalid"), ("::", "source_invalid")])
def test_forged_sources_from_the_world(src, counter):
    """The segment's own addresses cannot come out of the uplink, but the router's kernel speaks as ::1."""
    with Lab() as lab:
        r = lab.router(clients=["b"])
        b = lab.client("b", lab.public("b")).wait_up()
        on_b, on_tun = lab.sniff(b.ns, TAP), lab.sniff(lab.r, TUN)
        before = r.status()["drops"]
        tun = Injector(lab.r, TUN)
        bad = bytes(IPv6(src=src, dst=b.address()) / UDP(sport=1, dport=2) / Raw(b"forged---"))
        good = bytes(IPv6(src=WEB6, dst=b.address()) / UDP(sport=1, dport=2) / Raw(b"honest---"))
        tun.sock.sendto(bad, (TUN, 0x86DD))
        tun.sock.sendto(good, (TUN, 0x86DD))
        on_b.wait(b"honest---")
        assert on_tun.has(b"forged---")
        assert on_b.has(b"forged---") == (counter is None)
        assert counter is None or r.drops(counter) > before[counter]
