# SPDX-License-Identifier: MIT
"""test_hardship.py - a wall clock that jumps, the tunnel routed into itself, a reader that stopped, lies outside the
tunnel (H44, H45, H70, H74, H76, H80, H99)

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- a  198.18.1.2   tap6
      |-- b  198.18.2.2   tap6
      |-- c  198.18.3.2   tap6
      `-- l  198.18.2.2   no TAP; speaks IPv4 in anybody's name
"""

import fcntl
import os
import re
import select
import signal
import socket
import struct
import subprocess
import sys
import threading
import time

from lab import BUILD, PATIENCE, PORT, ROUTER4, ROUTER6, TAP, WEB6, Conn, Lab, split_endpoint, wait_for
from test_failover import OTHER6, other_router, two_routers
from test_faults import cpu_s, reaches

WILD = os.path.join(BUILD, "wildclock.so")
WALL = "import time; print(*(int(time.time()) for _ in range(10)))"


def test_h80_wall_clock_jumps():
    """CLOCK_REALTIME is 1970, yesterday, tomorrow, 2038 and 2106 in turns, for both daemons: nobody notices."""
    before = subprocess.run([sys.executable, "-c", WALL], env=dict(os.environ, LD_PRELOAD=WILD), capture_output=True,
                            text=True, check=True)
    told = [int(x) for x in before.stdout.split()]
    assert max(told) - min(told) > 4e9, "the clock does not jump: this test shows nothing"
    with Lab() as lab:
        lab.key("a")
        r = lab.router(clients=["a"], extra="keepalive: 5\n", start=False)
        a = lab.client("a", lab.public("a"), "keepalive: 5\n", start=False)
        for p in (r, a):
            p.argv = ["env", f"LD_PRELOAD={WILD}",
                      "ASAN_OPTIONS=verify_asan_link_order=0:abort_on_error=0:exitcode=99"] + p.argv
        r.start().wait_up()
        a.start().wait_up()
        for p in (r, a):
            with open(f"/proc/{p.proc.pid}/maps", encoding="ascii") as f:
                assert "wildclock" in f.read()
        conn = Conn(lab.inet, a.ns, a.address())
        conn.exchange(200000)
        began, used = time.monotonic(), cpu_s(r) + cpu_s(a)
        a.wait_status("the search for the MTU to end", lambda s: s["mtu_search"] == "done")
        heard = r.member("a")["rx_packets"]
        # keepalives of 5 s, neither sooner nor later; and neither daemon spins
        r.wait_member("a", lambda m: m["rx_packets"] > heard)
        conn.exchange(200000)
        took = time.monotonic() - began
        assert a.status()["logins"] == 1 and a.carrier()
        assert cpu_s(r) + cpu_s(a) - used < 1 + took / 2
        # a login, and a router that has forgotten everything: time-outs and pauses of the client
        mac = a.mac()
        r.kill()
        r.start().wait_up()
        conn.exchange(20000)
        reaches(a)
        assert a.status()["logins"] == 2 and a.mac() == mac
        assert a.stop() == 0 and r.stop() == 0


class Nest:
    """Somebody else's tunnel of IPv4 in IPv6: what is routed into the device goes to @to as the payload of UDP."""

    def __init__(self, ns, dev, to):
        with ns.enter():
            self.tun = os.open("/dev/net/tun", os.O_RDWR)
            fcntl.ioctl(self.tun, 0x400454ca, struct.pack("16sH22x", dev.encode(), 0x1001))  # TUNSETIFF, IFF_TUN|IFF_NO_PI
        self.sock, self.to = ns.socket(socket.AF_INET6, socket.SOCK_DGRAM), to
        self.sock.setsockopt(socket.IPPROTO_IPV6, 23, 2)  # IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DO
        self.carried = self.too_long = 0
        self.ends = os.pipe()
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        while True:
            ready = select.select([self.tun, self.ends[0]], [], [])[0]
            if self.ends[0] in ready:
                return
            packet = os.read(self.tun, 65536)
            if packet[0] >> 4 != 4:
                continue
            try:
                self.sock.sendto(packet, self.to)
                self.carried += 1
            except OSError:  # EMSGSIZE; or no route, when the client has given up
                self.too_long += 1

    def close(self):
        os.write(self.ends[1], b"x")
        self.thread.join()
        os.close(self.tun)


def test_h74_tunnel_routed_into_itself():
    """The router's IPv4 address by way of the TAP: nothing but IPv6 is taken from there, so nothing goes round. By way of
    another tunnel inside this one: each round makes a packet longer, so it ends. Both are said, hurt nobody else, and
    are over when the route is."""
    with Lab() as lab:
        r, ns = lab.router(clients=["a", "b"]), lab.public("a")
        a, b = lab.client("a", ns).wait_up(), lab.client("b", lab.public("b")).wait_up()
        addr = a.address()
        for dev in (TAP, "nest"):
            nest = Nest(ns, dev, (WEB6, 9)) if dev == "nest" else None
            try:
                since, used, began = len(a.log()), cpu_s(a) + cpu_s(r), time.monotonic()
                sent = a.status()["udp"]["tx_datagrams"]
                ns.ip(f"link set {dev} up", f"route add {ROUTER4}/32 dev {dev} src {ns.addr4}")
                flow = ns.socket(socket.AF_INET6, socket.SOCK_DGRAM)

                def noticed():
                    flow.sendto(b"x" * 100, (WEB6, 9))
                    return "was not heard" in a.log()[since:]
                wait_for("the client to notice", noticed, timeout=2 * PATIENCE)
                assert b.ns.ping(ROUTER6, count=3) == 3, "nobody else has anything of it"
                took = time.monotonic() - began
                assert cpu_s(a) + cpu_s(r) - used < 0.2 + took / 2, "it goes round"
                went = a.status()["udp"]["tx_datagrams"] - sent
                assert went < 100 + 400 * took, f"{went} datagrams in {took:.0f} s"
                if nest:
                    assert nest.carried > 10 and nest.too_long > 0, "nothing went round: this test shows nothing"
                ns.ip(f"route del {ROUTER4}/32 dev {dev}")
            finally:
                if nest:
                    nest.close()
            reaches(a)
            assert a.address() == addr and a.running() and r.running()


def test_h76_reader_stopped():
    """a sends to b as fast as it can, and b's process is stopped: what b's kernel cannot keep is lost there; c and the
    router go on as if nothing was, and so does b when it goes on."""
    with Lab() as lab:
        r = lab.router(clients=["a", "b", "c"])
        a, b, c = (lab.client(n, lab.public(n)).wait_up() for n in "abc")
        conn, kept = Conn(lab.inet, c.ns, c.address()), Conn(a.ns, b.ns, b.address())
        kept.exchange()
        held = r.member("b")["tx_packets"]
        tx = a.ns.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        tx.connect((b.address(), 9))
        b.proc.send_signal(signal.SIGSTOP)
        pings, sent = lab.pings(c.ns, ROUTER6), 0
        for _ in range(12):  # 12 x 5000 datagrams of 1300 octets: 78 MB, many times what any queue on the way holds
            for _ in range(5000):
                tx.send(bytes(1300))
            sent += 5000
            conn.exchange(20000)
        pings.wait_more(10)
        assert pings.missing() == [], "another client's packets were lost"
        to_b = r.member("b")["tx_packets"] - held
        assert to_b > sent / 10, f"the router sent {to_b} of {sent}: this test shows nothing"
        assert r.status()["udp"]["tx_queue_full"] == 0
        b.proc.send_signal(signal.SIGCONT)
        reaches(b)
        kept.exchange()
        assert b.carrier() and b.status()["logins"] == 1


def ip4(src, dst, proto, payload, frag=0, ident=0):
    return struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(payload), ident, frag, 64, proto, 0, socket.inet_aton(src),
                       socket.inet_aton(dst)) + payload


def icmp_about(code, mtu, victim, other):
    """Destination unreachable, to @victim, about a datagram that it sent to @other; (address, port) each."""
    quoted = ip4(victim[0], other[0], 17, struct.pack("!HHHH", victim[1], other[1], 1408, 0), 0x4000)
    body = struct.pack("!BBHHH", 3, code, 0, 0, mtu) + quoted
    return body[:2] + struct.pack("!H", in_cksum(body)) + body[4:]


def in_cksum(data):
    s = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while s >> 16:
        s = (s & 0xffff) + (s >> 16)
    return 0xffff - s


def test_h44_h45_h70_lies_outside():
    """Whoever can write a source address forges, about the tunnel's own datagrams: "port unreachable", "too big, 68 octets
    pass"; and sends fragments in the client's name that overlap or never end. The kernels take it in; the tunnel goes on
    with the MTU it has found, and nothing is sent in fragments."""
    with Lab() as lab:
        r = lab.router(clients=["a"])
        a, liar = lab.client("a", lab.public("a")).wait_up(), lab.public("l")
        for dev in ("all", liar.at_r):
            lab.r.sysctl(f"net/ipv4/conf/{dev}/rp_filter", 0)
        raw = liar.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        conn = Conn(lab.inet, a.ns, a.address())
        conn.exchange(200000)
        a.wait_status("the search for the MTU to end", lambda s: s["mtu_search"] == "done")
        client, router = split_endpoint(r.member("a")["endpoint"]), (ROUTER4, PORT)
        began, who = time.monotonic(), (a.mac(), a.address())
        for round_ in range(50):
            for code, mtu in ((3, 0), (1, 0), (4, 0), (4, 68), (4, 1279), (4, 65535)):
                for victim, other in ((client, router), (router, client)):
                    raw.sendto(ip4("198.18.77.7", victim[0], 1, icmp_about(code, mtu, victim, other)), (victim[0], 0))
            if round_ % 10 == 0:
                conn.exchange(20000)
        for ns, to in ((a.ns, ROUTER4), (lab.r, client[0])):
            told = ns.run("ip", "-4", "route", "get", to).stdout
            assert re.search(r"mtu (lock )?5", told), f"the kernel did not believe, so nothing is shown: {told}"
        conn.exchange(300000)

        udp = struct.pack("!HHHH", client[1], PORT, 1208, 0) + bytes(1200)
        for ident in range(1500):
            for frag, part in ((0x2000, udp[:64]), (0x2000 | 4, b"y" * 64), (0x2000 | 60, b"z" * 64))[:2 + ident % 2]:
                raw.sendto(ip4(client[0], ROUTER4, 17, part, frag, ident + 1), (ROUTER4, 0))
            if ident % 500 == 0:
                conn.exchange(20000)
        snmp = [x.split()[1:] for x in lab.r.run("grep", "^Ip:", "/proc/net/snmp").stdout.splitlines()]
        assert int(dict(zip(*snmp))["ReasmReqds"]) > 1000, "the fragments did not arrive: nothing is shown"
        conn.exchange(300000)
        def path():
            s, m = a.status(), r.member("a")
            return (s["mtu"], m["mtu"], s["fragments"], m["fragments"]) == (1434, 1434, False, False)
        # a login that is just under way, see below, knows nothing of the path until its CONFIRM is through
        wait_for("the MTU found, no fragments", path)
        s = a.status()
        # "port unreachable" counts as a NUDGE: a login every two seconds at the most, and nothing else changes by it
        assert s["logins"] <= 2 + (time.monotonic() - began) / 2
        assert a.carrier() and (a.mac(), a.address()) == who


def test_h99_name_server_is_silent():
    """The first router's name is asked of a name server that never answers: the second serves meanwhile, and the
    client is as quick as ever. (The limit of 10 s on a fake clock: client/test_failover.)"""
    with Lab() as lab:
        lab.key("a")
        lab.router(clients=["a"], start=False)
        other_router(lab)
        ns = lab.public("a")
        a = lab.client("a", ns, start=False)
        with open(a.conf, "w", encoding="utf-8") as f:
            f.write(two_routers(lab).replace(f"'{ROUTER4}:6464'", "router.example")
                    + "private_key_file: a.key\ndevice: tap6\nfail_back: 3600\n")
        ns.ip("link set lo up")
        mute = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        mute.bind(("127.0.0.1", 53))
        conf = lab.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:30 attempts:3\n", 0o644)
        a.argv = ["unshare", "--mount", "--propagation", "private", "sh", "-c",
                  f'mount --bind {conf} "$(readlink -f /etc/resolv.conf)" && exec "$@"', "sh"] + a.argv
        began = time.monotonic()
        a.start().wait_up(ping=OTHER6)
        took = time.monotonic() - began
        mute.settimeout(PATIENCE)
        assert b"router" in mute.recv(512), "the name server was not asked: this test shows nothing"
        assert 9.5 <= took <= 10 + PATIENCE, f"{took:.1f} s"
        assert a.ns.ping(OTHER6, count=5) == 5
        assert a.stop() == 0
