# SPDX-License-Identifier: MIT
"""test_malformed.py - malformed Neighbor Discovery, MLD and IPv6, one row for each way to be wrong

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1     <- watched
      |-- a  198.18.1.2   tap6                 frames are put on its TAP with a packet socket
      |-- l  198.18.2.2   no TAP               a client of our own (liar.c) that lets everything out
      |-- b  198.18.3.2   tap6                 <- watched: whom it is sent to
      `-- c  198.18.4.2   tap6                 <- watched

Each row is sent both ways. What a's client stops is counted there; all else by the router, under the counter the row
names, and by that alone. Every packet carries a marker that nobody may see.
"""

import collections
import ipaddress
import struct

import pytest
from scapy.layers.inet6 import IPv6, in6_chksum

from lab import ROUTER6, TAP, TUN, WEB6, Injector, Lab, eui64, fold_mac, wait_for
from liar import Liar

ROUTER_MAC = fold_mac("198.18.0.1", 6464)
ROUTER_LL = eui64("fe80::/64", ROUTER_MAC)
NODES, ROUTERS, MLDV2 = "ff02::1", "ff02::2", "ff02::16"
RS, RA, NS, NA, REDIRECT = 133, 134, 135, 136, 137
QUERY, REPORT1, DONE1, REPORT2 = 130, 131, 132, 143
HOPOPTS, ROUTING, FRAGMENT, ICMP6, DSTOPTS, UDP, NONE = 0, 43, 44, 58, 60, 17, 59
ALERT = bytes([5, 2, 0, 0, 1, 0])

Row = collections.namedtuple("Row", "name counter to packet parse")


def ip(text):
    return bytes(IPv6(dst=text))[24:40]


def solicited_node(text):
    return str(ipaddress.IPv6Address(bytes.fromhex("ff0200000000000000000001ff") + ip(text)[13:]))


def packet(src, dst, nh, payload, hlim=64, length=None, version=6):
    return (struct.pack("!IHBB", version << 28, len(payload) if length is None else length, nh, hlim) + ip(src) + ip(dst)
            + payload)


def opts(nh, data=b"\1\4\0\0\0\0"):
    """A hop-by-hop or destination options header."""
    assert len(data) % 8 == 6
    return bytes([nh, (len(data) + 2) // 8 - 1]) + data


def frag(nh, offset=0, more=0, ident=7):
    return struct.pack("!BBHI", nh, 0, offset | more, ident)


def lla(kind, mac, units=1):
    return bytes([kind, units]) + bytes.fromhex(mac.replace(":", "")) + b"\0" * (8 * units - 8)


class Sender:
    """Who tells the lies: its MAC and addresses, and how they leave."""

    def __init__(self, name, mac, address):
        self.name, self.mac, self.address, self.ll = name, mac, address, eui64("fe80::/64", mac)
        self.markers, self.serial = {}, 0

    def mark(self, name):
        """14 octets to be found again; with type and length of an ND option that everybody must skip they fill 16."""
        marker = f"<{self.name}-{self.serial:04d}>".encode().ljust(14, b"-")
        self.serial += 1
        self.markers[marker] = name
        return marker

    def icmp(self, name, kind, body, dst, src=None, code=0, hlim=255, wrong=0, head=None, mark=True):
        """An ICMPv6 message with a right checksum (unless @wrong), behind the headers @head(next header) gives."""
        src = src or self.ll
        body += bytes([253, 2]) + self.mark(name) if mark else b""
        message = bytes([kind, code, 0, 0]) + body
        cksum = in6_chksum(ICMP6, IPv6(src=src, dst=dst), message) ^ wrong
        message = message[:2] + struct.pack("!H", cksum) + message[4:]
        first, before = head if head else (ICMP6, b"")
        return packet(src, dst, first, before + message, hlim)


class TapSender(Sender):
    def __init__(self, client):
        super().__init__(client.name, client.mac(), client.address())
        self.client, self.tap = client, Injector(client.ns, TAP)

    def send(self, octets, to):
        group = len(octets) >= 40 and octets[24] == 0xff
        mac = "3333" + octets[36:40].hex() if group else to.replace(":", "")
        self.tap.send(bytes.fromhex(mac + self.mac.replace(":", "")) + b"\x86\xdd" + octets)

    def drops(self, scene, row):
        return self.client.drops(row.counter) if row.parse else scene.r.drops(row.counter)


class LiarSender(Sender):
    def __init__(self, liar):
        super().__init__(liar.name, liar.mac, liar.address)
        self.liar = liar

    def send(self, octets, to):
        group = len(octets) >= 40 and octets[24] == 0xff
        self.liar.send(octets, None if to == ROUTER_MAC else to, group)

    def drops(self, scene, row):
        return scene.r.drops(row.counter)


class Scene:
    def __init__(self, lab, extra="multicast: true\n"):
        self.r = lab.router(clients=["a", "l", "b", "c"], extra=extra)
        a, self.b, self.c = (lab.client(n, lab.public(n)) for n in "abc")
        for x in (a, self.b, self.c):
            x.wait_up()
        self.liar = Liar(lab, "l", lab.public("l"))
        self.senders = (TapSender(a), LiarSender(self.liar))
        # somebody listens, so that an honest datagram draws no ICMPv6 error
        self.sink = self.b.ns.socket(10, 2)
        self.sink.bind(("::", 5001))
        self.b_mac, self.b_ll, self.b_addr = self.b.mac(), self.b.link_local(), self.b.address()
        self.c_mac, self.c_ll, self.c_addr = self.c.mac(), self.c.link_local(), self.c.address()
        self.on_b, self.on_c, self.on_tun = lab.sniff(self.b.ns, TAP), lab.sniff(self.c.ns, TAP), lab.sniff(lab.r, TUN)

    def honest(self, s):
        """When b has this, all that @s sent before has been dealt with; and b's watcher is shown to see."""
        marker = s.mark("honest")
        del s.markers[marker]
        udp = struct.pack("!HHHH", 5000, 5001, 8 + len(marker), 0) + marker
        cksum = in6_chksum(UDP, IPv6(src=s.address, dst=self.b_addr), udp) or 0xffff
        udp = udp[:6] + struct.pack("!H", cksum) + udp[8:]
        s.send(packet(s.address, self.b_addr, UDP, udp), self.b_mac)
        self.on_b.wait(marker)

    def one_by_one(self, s, rows):
        odd = []
        for row in rows:
            before = s.drops(self, row)
            s.send(row.packet, row.to)
            self.honest(s)
            if (got := s.drops(self, row) - before) != 1:
                odd.append(f"{row.name}: {row.counter} +{got}")
        return odd

    def check(self, s, rows):
        """Every row is counted where it says and seen by nobody."""
        groups = collections.defaultdict(list)
        for row in rows:
            groups[row.counter, row.parse].append(row)
        for same in groups.values():
            before = s.drops(self, same[0])
            for row in same:
                s.send(row.packet, row.to)
            self.honest(s)
            if s.drops(self, same[0]) - before != len(same):
                raise AssertionError(f"{s.name}: not counted once: {self.one_by_one(s, same)}")
        watchers = (self.on_b, self.on_c, self.on_tun)
        assert all(w.lost() == 0 for w in watchers)
        seen = [f for w in watchers for f in w.frames(outgoing=None if w is self.on_tun else False)]
        assert [name for m, name in s.markers.items() if any(m in f for f in seen)] == []


def nd_rows(s, sc):
    """RFC 4861 6.1, 7.1, 8.1; RFC 6980; what clients may not say at all."""
    rows = []
    own_slla, own_tlla, their_slla = lla(1, s.mac), lla(2, s.mac), lla(1, sc.c_mac)
    b, group = sc.b_ll, NODES
    solicited = solicited_node(b)

    def add(name, counter, kind, body, dst, to=None, parse=False, **more):
        rows.append(Row(name, counter, to or sc.b_mac, s.icmp(name, kind, body, dst, **more), parse))

    def both(name, kind, body, dst, tail=b""):
        """The checks that are the same for each message. @body: its fixed part behind type, code and checksum."""
        whole = body + tail
        add(f"{name} of hop limit 254", "nd_invalid", kind, whole, dst, hlim=254)
        add(f"{name} of hop limit 1", "nd_invalid", kind, whole, dst, hlim=1)
        add(f"{name} of code 1", "nd_invalid", kind, whole, dst, code=1)
        add(f"{name} with a wrong checksum", "checksum", kind, whole, dst, wrong=0x0100)
        add(f"{name} with an option of length 0", "nd_invalid", kind, whole + b"\xfd\0" + b"\0" * 6, dst)
        add(f"{name} with an option past its end", "nd_invalid", kind, whole + b"\xfd\xff" + b"\0" * 6, dst)
        add(f"{name} with half an option header", "nd_invalid", kind, whole + bytes([253, 2]) + s.mark(name) + b"\xfd", dst,
            mark=False)
        add(f"{name} one octet short", "nd_invalid", kind, body[:-1], dst, mark=False)
        add(f"{name} of four octets", "nd_invalid", kind, b"", dst, mark=False)
        add(f"{name} in an atomic fragment", "nd_fragment", kind, whole, dst, head=(FRAGMENT, frag(ICMP6)))
        add(f"{name} in a first fragment", "nd_fragment", kind, whole, dst, head=(FRAGMENT, frag(ICMP6, more=1)))
        add(f"{name} in a fragment behind options", "nd_fragment", kind, whole, dst,
            head=(DSTOPTS, opts(FRAGMENT) + frag(DSTOPTS) + opts(ICMP6)))

    both("R1 RS", RS, b"\0" * 4, ROUTERS, own_slla)
    add("R1 RS from :: with SLLAO", "nd_invalid", RS, b"\0" * 4 + own_slla, ROUTERS, src="::")
    add("R1 RS with c's MAC", "nd_guard", RS, b"\0" * 4 + their_slla, ROUTERS)
    add("R1 RS with SLLAO of 16 octets", "nd_invalid", RS, b"\0" * 4 + lla(1, s.mac, 2), ROUTERS)
    add("R1 RS with two SLLAO that differ", "nd_invalid", RS, b"\0" * 4 + own_slla + their_slla, ROUTERS)

    ns = b"\0" * 4 + ip(b)
    both("R2 NS", NS, ns, b, own_slla)
    both("R2 multicast NS", NS, ns, solicited, own_slla)
    add("R2 NS for a multicast target", "nd_invalid", NS, b"\0" * 4 + ip(NODES), b)
    add("R2 DAD to all nodes", "nd_invalid", NS, ns, NODES, src="::")
    add("R2 DAD by unicast", "nd_invalid", NS, ns, b, src="::")
    add("R2 DAD with SLLAO", "nd_invalid", NS, ns + own_slla, solicited, src="::")
    add("H56 NS with c's MAC", "nd_guard", NS, ns + their_slla, b)
    add("H56 multicast NS with c's MAC", "nd_guard", NS, ns + their_slla, solicited)
    add("NS with two SLLAO that differ", "nd_invalid", NS, ns + own_slla + their_slla, b)
    add("NS for nobody's address", "nd_unknown", NS, b"\0" * 4 + ip("2001:db8:1::dead"), "ff02::1:ff00:dead")
    add("NS for an address of the world", "nd_unknown", NS, b"\0" * 4 + ip(WEB6), "ff02::1:ff00:2")
    add("NS to b for c's address", "nd_guard", NS, b"\0" * 4 + ip(sc.c_ll), b)
    add("DAD for a reserved address of a client's EUI-64", "nd_guard", NS,
        b"\0" * 4 + ip(eui64("fe80::/64", "02:00:00:00:00:01")), "ff02::1:ff00:1", src="::")

    na = b"\x60\0\0\0" + ip(s.ll)
    both("R3 NA", NA, na, b, own_tlla)
    both("R3 NA to all nodes", NA, b"\x20\0\0\0" + ip(s.ll), group, own_tlla)
    add("R3 NA for a multicast target", "nd_invalid", NA, b"\x60\0\0\0" + ip(NODES), b)
    add("R3 solicited NA to all nodes", "nd_invalid", NA, na, NODES)
    add("NA with c's MAC", "nd_guard", NA, na + lla(2, sc.c_mac), b)
    add("NA with TLLAO of 16 octets", "nd_invalid", NA, na + lla(2, s.mac, 2), b)
    for who, target in (("c's address", sc.c_addr), ("c's link-local", sc.c_ll), ("b's own", sc.b_ll),
                        ("the router's", ROUTER6), ("the router's link-local", ROUTER_LL), ("anycast", "2001:db8:1::"),
                        ("nobody's", "2001:db8:1::dead"), ("the world's", WEB6)):
        for dst in (b, NODES):
            add(f"H54 NA for {who} to {dst}", "nd_guard", NA, b"\x20\0\0\0" + ip(target) + own_tlla, dst)

    ra = struct.pack("!BBHII", 64, 0, 1800, 0, 0)
    pio = bytes([3, 4, 64, 0xc0]) + struct.pack("!III", 9999, 9999, 0) + ip("2001:db8:bad::")
    evil = {
        "plain": pio, "of lifetime 0": b"", "R26 with RDNSS of even length": bytes([25, 2]) + b"\0" * 14,
        "R26 with RDNSS of length 1": bytes([25, 1]) + b"\0" * 6, "R26 with DNSSL that runs past its end":
        bytes([31, 2, 0, 0, 0, 0, 0, 9]) + b"\x3f" + b"a" * 7, "with an option of length 0": b"\3\0" + b"\0" * 6,
    }
    for name, tail in evil.items():
        body = ra if name != "of lifetime 0" else struct.pack("!BBHII", 64, 0, 0, 0, 0)
        for dst in (b, NODES):
            add(f"R4 RA {name} to {dst}", "nd_role", RA, body + tail, dst)
    nine = DSTOPTS, opts(DSTOPTS) * 8 + opts(ICMP6)
    hidden = {
        "behind hop-by-hop": (HOPOPTS, opts(ICMP6)), "behind destination options": (DSTOPTS, opts(ICMP6)),
        "behind a big options header": (DSTOPTS, opts(ICMP6, b"\1\xfc" + b"\0" * 252)),
        "behind routing": (ROUTING, bytes([ICMP6, 0, 0, 0, 0, 0, 0, 0])),
        "behind eight headers": (DSTOPTS, opts(DSTOPTS) * 7 + opts(ICMP6)),
        "R27 in an atomic fragment": (FRAGMENT, frag(ICMP6)),
        "R27 in a first fragment": (FRAGMENT, frag(ICMP6, more=1)),
        "R34 in a fragment behind all": (HOPOPTS, opts(DSTOPTS) + opts(FRAGMENT) + frag(DSTOPTS, more=1) + opts(ICMP6)),
    }
    for name, head in hidden.items():
        add(f"R4 RA {name}", "nd_role", RA, ra + pio, b, head=head)
        add(f"R5 Redirect {name}", "nd_role", REDIRECT, b"\0" * 4 + ip(s.ll) + ip(WEB6), b, head=head)
        add(f"R38 query {name}", "nd_role", QUERY, b"\0" * 20, b, hlim=1, head=head)
    for kind in (RA, NS, NA, REDIRECT):
        add(f"H60 type {kind} behind nine headers", "extension_chain", kind, ra + pio, b, head=nine)
        short = packet(s.ll, b, FRAGMENT, frag(DSTOPTS, more=1) + bytes([ICMP6, 1]) + s.mark("short")[:14])
        rows.append(Row(f"R51 type {kind}: its header is in the second fragment", "extension_chain", sc.b_mac, short, False))
    add("R5 Redirect", "nd_role", REDIRECT, b"\0" * 4 + ip(s.ll) + ip(WEB6) + own_tlla, b)
    add("R5 Redirect in the router's name", "nd_role", REDIRECT, b"\0" * 4 + ip(s.ll) + ip(WEB6), b, src=ROUTER_LL)
    add("R5 Redirect of hop limit 254", "nd_role", REDIRECT, b"\0" * 4 + ip(s.ll) + ip(WEB6), b, hlim=254)
    return rows


def mld_rows(s, sc):
    """RFC 3810 5.1.14, 5.2.13, 6.2; RFC 2710 4."""
    rows = []
    alert = (HOPOPTS, opts(ICMP6, ALERT))
    record = struct.pack("!BBH", 4, 0, 0) + ip("ff02::1234")
    v2 = b"\0\0\0\1" + record

    def add(name, counter, kind, body, dst=MLDV2, hlim=1, head=alert, mark=True, **more):
        rows.append(Row(name, counter, ROUTER_MAC, s.icmp(name, kind, body, dst, hlim=hlim, head=head, mark=mark, **more),
                        False))

    for name, kind, body in (("v2 report", REPORT2, v2), ("v1 report", REPORT1, b"\0" * 4 + ip("ff02::1234")),
                             ("v1 done", DONE1, b"\0" * 4 + ip("ff02::1234"))):
        for dst in (MLDV2, sc.b_ll, sc.b_addr):
            add(f"H59 {name} of hop limit 64 to {dst}", "mld_invalid", kind, body, dst, hlim=64)
            add(f"H59 {name} of hop limit 255 to {dst}", "mld_invalid", kind, body, dst, hlim=255)
            add(f"R38 {name} without router alert to {dst}", "mld_invalid", kind, body, dst, head=None)
            add(f"R38 {name} with empty hop-by-hop to {dst}", "mld_invalid", kind, body, dst, head=(HOPOPTS, opts(ICMP6)))
            add(f"R38 {name} from a global address to {dst}", "mld_invalid", kind, body, dst, src=s.address)
            add(f"{name} with a wrong checksum to {dst}", "mld_invalid", kind, body, dst, wrong=1)
        add(f"{name} that is cut", "mld_invalid", kind, body[:-1], mark=False)
        add(f"{name} of 4 octets", "mld_invalid", kind, b"", mark=False)
        add(f"{name} in a fragment", "mld_invalid", kind, body,
            head=(HOPOPTS, opts(FRAGMENT, ALERT) + frag(ICMP6)))
    add("v2 report of more records than there are", "mld_invalid", REPORT2, b"\0\0\0\3" + record)
    add("v2 report of 65535 records", "mld_invalid", REPORT2, b"\0\0\xff\xff" + record)
    add("v2 report of 65535 sources", "mld_invalid", REPORT2, b"\0\0\0\1" + struct.pack("!BBH", 4, 0, 0xffff)
        + ip("ff02::1234"))
    add("v2 report with 255 words behind its record", "mld_invalid", REPORT2, b"\0\0\0\1"
        + struct.pack("!BBH", 4, 255, 0) + ip("ff02::1234"))
    for kind, length in (("v1", 20), ("v2", 24)):
        for dst in (NODES, sc.b_ll):
            add(f"H59 {kind} query to {dst}", "nd_role", QUERY, b"\0" * length, dst)
            add(f"H59 {kind} query of hop limit 64 to {dst}", "nd_role", QUERY, b"\0" * length, dst, hlim=64)
            add(f"H59 {kind} query in the router's name to {dst}", "nd_role", QUERY, b"\0" * length, dst, src=ROUTER_LL)
    return rows


def frame_rows(s, sc):
    """RFC 8200 3, 4: headers that do not hold together; sources and destinations that cannot be."""
    rows = []

    def add(name, counter, octets, to=None, parse=True):
        rows.append(Row(name, counter, to or sc.b_mac, octets, parse))

    def udp(name):
        mark = s.mark(name)
        return struct.pack("!HHHH", 5000, 5002, 8 + len(mark), 0xffff) + mark

    def data(name, nh=UDP, head=b"", src=None, dst=None, **more):
        return packet(src or s.address, dst or sc.b_addr, nh, head + udp(name), **more)

    for n in (0, 1, 39):
        add(f"H46 {n} octets of IPv6", "frame_short", data("H46")[:n])
    for version in (0, 4, 5, 7, 15):
        add(f"H63 version {version}", "ip_version", data("H63", version=version))
    add("H61 payload length 0", "ip_length", data("H61", length=0))
    add("H61 payload longer than the packet", "ip_length", data("H61", length=1000))
    add("H61 payload of 65535", "ip_length", data("H61", length=0xffff))
    add("H61 jumbogram", "ip_length", data("H61", HOPOPTS, opts(UDP, b"\xc2\4\0\1\0\0")))
    add("H60 hop-by-hop twice", "extension_chain", data("H60", HOPOPTS, opts(HOPOPTS) + opts(UDP)))
    add("H60 hop-by-hop not first", "extension_chain", data("H60", DSTOPTS, opts(HOPOPTS) + opts(UDP)))
    add("H60 header past the end", "extension_chain", data("H60", DSTOPTS, bytes([UDP, 255]) + b"\1\4\0\0\0\0"))
    add("H60 hop-by-hop option past its end", "extension_chain", data("H60", HOPOPTS, opts(UDP, b"\1\x20\0\0\0\0")))
    add("H60 150 headers", "extension_chain", data("H60", DSTOPTS, opts(DSTOPTS) * 149 + opts(UDP)), parse=False)
    add("H66 authentication header past the end", "extension_chain", data("H66", 51, bytes([UDP, 255]) + b"\0" * 6))
    cut = s.mark("R51")
    add("R51 first fragment of 4 octets of UDP", "extension_chain",
        packet(s.address, sc.b_addr, FRAGMENT, frag(UDP, more=1) + b"\x13\x88\0\1"), parse=False)
    add("R51 first fragment that ends in its headers", "extension_chain",
        packet(s.address, sc.b_addr, FRAGMENT, frag(DSTOPTS, more=1) + bytes([UDP, 9]) + cut), parse=False)
    add("H72 land: b to b", "source_guard", data("H72", src=sc.b_addr), parse=False)
    add("H72 land: itself", "destination_self", data("H72", dst=s.address), parse=False)
    add("H71 smurf in b's name", "source_guard", data("H71", src=sc.b_addr, dst=NODES), parse=False)
    add("H49 the router's own", "source_guard", data("H49", src=ROUTER6), parse=False)
    for src in ("::", "ff02::1", "::1", "::ffff:192.0.2.1"):
        add(f"H50 from {src}", "source_invalid", data("H50", src=src), parse=False)
    for dst in ("::", "::1", "::ffff:192.0.2.1"):
        add(f"H50 to {dst}", "destination_invalid", data("H50", dst=dst), ROUTER_MAC, parse=False)
    add("R53 link-local to the world", "scope", data("R53", src=s.ll, dst=WEB6), ROUTER_MAC, parse=False)
    add("link-local by way of the router", "scope", data("scope", src=s.ll, dst=sc.b_ll), ROUTER_MAC, parse=False)
    add("hop limit 1 by way of the router", "hop_limit", data("R39", hlim=1), ROUTER_MAC, parse=False)
    add("hop limit 0 by way of the router", "hop_limit", data("R39", hlim=0), ROUTER_MAC, parse=False)
    add("R35 nobody's address", "no_owner", data("R35", dst="2001:db8:1::dead"), parse=False)
    for ports in ((547, 5002), (5000, 546)):
        mark = s.mark(f"H52 {ports}")
        for how, nh, head in (("plain", UDP, b""), ("behind options", DSTOPTS, opts(UDP)),
                              ("in an atomic fragment", FRAGMENT, frag(UDP)),
                              ("in a first fragment", FRAGMENT, frag(UDP, more=1))):
            body = head + struct.pack("!HHHH", *ports, 8 + len(mark), 0xffff) + mark
            add(f"H52 DHCPv6 server, ports {ports}, {how}", "nd_role", packet(s.ll, sc.b_ll, nh, body), parse=False)
    return rows


@pytest.mark.parametrize("rows", [nd_rows, mld_rows, frame_rows])
def test_malformed(rows):  # R7
    with Lab() as lab:
        sc = Scene(lab)
        watched = {x: sc.b.ns.neighbor(TAP, x) for x in (sc.c_addr, sc.c_ll, ROUTER6, ROUTER_LL)}
        routes, before = sc.b.ns.run("ip", "-6", "route").stdout, sc.r.status()
        for s in sc.senders:
            made = rows(s, sc)
            assert len(made) == len({r.name for r in made}), "a name for each row"
            sc.check(s, made)
        after = sc.r.status()
        assert [sorted(m["addresses"]) for m in after["members"]] == [sorted(m["addresses"]) for m in before["members"]]
        for x, was in watched.items():
            assert (sc.b.ns.neighbor(TAP, x) or {}).get("lladdr") == (was or {}).get("lladdr")
        assert sc.b.ns.run("ip", "-6", "route").stdout == routes
        assert sc.c.ns.ping(sc.b_addr) == 1 and sc.b.ns.ping(WEB6) == 1


def test_kinds_that_do_not_fit():
    """What only a client of one's own can say: the kind of DATA and the MAC in front against the packet (PROTOCOL.md 8)."""
    with Lab() as lab:
        sc = Scene(lab)
        s, told = sc.senders[1], sc.liar
        good = packet(s.address, sc.b_addr, UDP, struct.pack("!HHHH", 5000, 5002, 22, 0xffff) + s.mark("kinds")).hex()
        group = s.icmp("echo to all nodes as a packet for b", 128, b"\0\1\0\1", NODES, hlim=64).hex()
        b, c, zero = (x.replace(":", "") for x in (sc.b_mac, sc.c_mac, "00:00:00:00:00:00"))
        rows = [("nothing at all", "frame_short", "1"), ("one octet", "frame_short", "1 60"),
                ("unicast as multicast", "destination_invalid", f"3 {zero}{good}"),
                ("no room for a MAC", None, "2 "), ("five octets of MAC", None, "2 0102030405"),
                ("a MAC alone", "frame_short", f"2 {b}"), ("multicast, a MAC alone", "frame_short", f"3 {zero}")]
        for name, counter, text in rows:
            before = sc.r.status()["drops"]
            told.tell("send " + text)
            told.sync()
            after = sc.r.status()["drops"]
            rose = {n: after[n] - before[n] for n in after if after[n] != before[n]}
            assert sum(rose.values()) >= 1, name
            assert counter is None or rose.get(counter) == 1, (name, rose)
        sc.honest(s)
        seen = sc.on_b.frames(False) + sc.on_c.frames(False) + sc.on_tun.frames()
        assert [n for m, n in s.markers.items() if any(m in f for f in seen)] == []

        # the MAC in front is a hint and no more: whatever it says, the owner of the address gets it, once
        marker = next(m for m, n in s.markers.items() if n == "kinds")
        for n, text in enumerate((f"2 {c}{good}", f"2 {zero}{good}", f"2 ffffffffffff{good}", f"2 333300000001{good}",
                                  f"1 {good}"), 1):
            told.tell("send " + text)
            sc.honest(s)
            assert sum(marker in f for f in sc.on_b.frames(False)) == n, text
        assert not sc.on_c.has(marker)

        # and one to a group goes to the group, once to each, never to its sender, by whatever kind it comes
        marker = next(m for m, n in s.markers.items() if n.startswith("echo"))
        for n, text in enumerate((f"2 {b}{group}", f"1 {group}", f"3 {zero}{group}"), 1):
            told.tell("send " + text)
            for w in (sc.on_b, sc.on_c):
                wait_for(f"copy {n} on {w.name}", lambda w=w, n=n: sum(marker in f for f in w.frames(False)) == n)


def test_what_must_be_ignored():  # R6
    """R6: unknown options and reserved bits are skipped, and the message is answered all the same. R21: RS without SLLAO."""
    with Lab() as lab:
        sc = Scene(lab)
        s = sc.senders[1]
        sc.liar.watch()

        def answers(kind, target=b""):
            return [p for _, p in sc.liar.heard if len(p) > 64 and p[6] == ICMP6 and p[40] == kind
                    and p[48:64].startswith(target)]

        asks = 0
        for target, mac in ((sc.b_addr, sc.b_mac), (sc.b_ll, sc.b_mac), (ROUTER6, ROUTER_MAC), (ROUTER_LL, ROUTER_MAC)):
            for reserved, tail in ((b"\0" * 4, b""), (b"\xff" * 4, b""), (b"\0" * 4, lla(1, s.mac)),
                                   (b"\0" * 4, b"\xfd\1" + b"x" * 6 + lla(1, s.mac) + bytes([3, 4]) + b"\xff" * 30),
                                   (b"\0" * 4, bytes([14, 1]) + b"nonce!" + lla(1, s.mac))):
                asks += 1
                sc.liar.send(s.icmp("", NS, reserved + ip(target) + tail, solicited_node(target), mark=False), group=True)
            sc.liar.sync()
            got = answers(NA, ip(target))
            assert len(got) == 5
            assert all(p[-8:] == lla(2, mac) for p in got), "with the owner's MAC"
        for reserved, tail in ((b"\0" * 4, b""), (b"\xff" * 4, lla(1, s.mac)), (b"\0" * 4, b"\xfd\1" + b"x" * 6)):
            before = len(answers(RA))  # each waits for the one before: RS in a hurry share an answer (R18)
            sc.liar.send(s.icmp("", RS, reserved + tail, ROUTERS, mark=False), group=True)
            wait_for("RA", lambda n=before: sc.liar.sync() or len(answers(RA)) > n)
