# SPDX-License-Identifier: MIT
"""recover.py - what goes wrong on the way, and how long until traffic is back

    inet 2001:db8:ffff::2
      |
      r   198.18.0.1, sixtap0 2001:db8:1::1
      |-- m  198.18.1.2, 10.0.1.1  NAT; a moves behind it, and its mappings are flushed
      |   `-- a  10.0.1.2   tap6
      |-- n  198.18.2.2, 10.0.2.1  another NAT: where a goes when it changes its network
      `-- b  198.18.3.2   tap6

One TCP connection between a and b lives through all of it, round after round; only for the restart of a client there
is another client c. tests/netns/test_recover.py runs a few rounds, tests/bench/recovery.py twenty.

Time is counted from the moment the fault is over (router: its process runs again; client: its new address has its
route) to the first datagram that made the round trip between a and b. Datagrams leave every 10 ms.
"""

import select
import signal
import socket
import struct
import time

from lab import PATIENCE, ROUTER4, Conn


class Probe:
    """Numbered datagrams from one client to another and back, one every 10 ms; with both, also of the other's accord."""

    PERIOD = 0.01

    def __init__(self, frm, to, addr):
        self.b = to.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.b.bind((addr, 0))
        self.a = frm.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.to = self.b.getsockname()[:2]
        for s in (self.a, self.b):
            s.setblocking(False)
        self.n = 0
        self.back_to = None  # where b sends of its own accord, once it knows
        self.both = True

    def _echo(self):
        while True:
            try:
                data, frm = self.b.recvfrom(2048)
                self.back_to = frm
            except BlockingIOError:
                return
            try:
                self.b.sendto(data, frm)
            except OSError:
                pass

    def _answers(self):
        got = []
        while True:
            try:
                got.append(struct.unpack("!I", self.a.recv(2048)[:4])[0])
            except BlockingIOError:
                return got
            except OSError:
                continue

    def once(self):
        """Sends one; its number."""
        self.n += 1
        try:
            self.a.sendto(struct.pack("!I", self.n) + bytes(60), self.to)
        except OSError:
            pass  # no route for the moment
        if self.both and self.back_to:
            try:
                self.b.sendto(bytes(64), self.back_to)  # number 0 answers nothing
            except OSError:
                pass
        return self.n

    def drain(self):
        self._echo()
        self._answers()

    def until_back(self, since, timeout=None):
        """(seconds from @since to the first round trip that began from now on, how many were sent for it)."""
        self.drain()
        first = self.n + 1
        end = time.monotonic() + (timeout or PATIENCE * 2)
        while True:
            self.once()
            turn = time.monotonic() + self.PERIOD
            while True:
                left = turn - time.monotonic()
                if left <= 0:
                    break
                select.select([self.a, self.b], [], [], left)
                self._echo()
                if any(n >= first for n in self._answers()):
                    return time.monotonic() - since, self.n - first + 1
            assert time.monotonic() < end, "traffic is not back"


class Scene:
    """Router, clients and the one TCP connection."""

    def __init__(self, lab, extra=""):
        self.lab = lab
        self.r = lab.router(clients=["a", "b", "c"])
        self.nats = [lab.nat("m"), lab.nat("n")]
        self.home = 0
        self.ports = 20000
        self.host = 10
        ns = lab.behind(self.nats[0], "a")
        self._second_link(ns)
        self.a = lab.client("a", ns, extra).wait_up()
        self.b = lab.client("b", lab.public("b"), extra).wait_up()
        self.c = lab.client("c", lab.public("c"), extra).wait_up()
        self.conn = Conn(self.a.ns, self.b.ns, self.b.address())
        self.probe = Probe(self.a.ns, self.b.ns, self.b.address())
        self.probe_c = Probe(self.b.ns, self.c.ns, self.c.address())
        self.inside = self._inside()
        self.check()

    def _inside(self):
        return [(x.address(), x.carrier()) for x in (self.a, self.b)]

    def _second_link(self, ns):
        """a can reach the inside of the other NAT too, but has no address there yet."""
        nat = self.nats[1]
        nat.ip(f"link add h-a2 type veth peer name wan2 netns {ns.full}")
        nat.no_ipv6("h-a2")
        ns.no_ipv6("wan2")
        nat.ip("link set h-a2 master br0 up")
        ns.ip("link set wan2 up")

    def check(self):
        """The connection lives, octets arrive unchanged, and nothing inside has changed."""
        self.conn.exchange(timeout=PATIENCE * 2)
        assert self._inside() == self.inside

    # -- faults: each returns (seconds until back, datagrams sent for it) --

    def peer_idle(self):
        """As router_killed(), but b only answers: it learns of the restart by its next keepalive."""
        self.probe.both = False
        try:
            return self.router_killed()
        finally:
            self.probe.both = True

    def router_killed(self):
        self.r.kill()
        self.r.start()
        began = time.monotonic()
        back = self.probe.until_back(began)
        self.check()
        return back

    def rebound(self):
        """The NAT of a forgets everything and gives other ports from now on."""
        self.ports = 20000 + (self.ports - 20000 + 1000) % 40000
        self.lab.rebind(self.nats[self.home], self.ports, self.ports + 999)
        back = self.probe.until_back(time.monotonic())
        self.check()
        return back

    def address_changed(self):
        """The same network gives a another address."""
        ns, nat, dev = self.a.ns, self.nats[self.home], ("wan", "wan2")[self.home]
        self.host = 10 + (self.host - 9) % 200
        ns.ip(f"addr flush dev {dev}", f"addr add {nat.inside}.{self.host}/24 dev {dev}",
              f"route add default via {nat.inside}.1")
        back = self.probe.until_back(time.monotonic())
        self.check()
        return back

    def network_changed(self):
        """From one network to another, as from Wi-Fi to a cable: other interface, other NAT."""
        ns, old = self.a.ns, ("wan", "wan2")[self.home]
        self.home = 1 - self.home
        nat, dev = self.nats[self.home], ("wan", "wan2")[self.home]
        self.host = 10 + (self.host - 9) % 200
        ns.ip(f"addr flush dev {old}", f"addr add {nat.inside}.{self.host}/24 dev {dev}",
              f"route add default via {nat.inside}.1")
        back = self.probe.until_back(time.monotonic())
        self.check()
        return back

    def router_address_lost(self):
        """The router's IPv4 address goes and comes back (H90)."""
        self.lab.r.ip(f"addr del {ROUTER4}/32 dev lo")
        for _ in range(20):
            self.probe.once()
            self.probe.drain()
        self.lab.r.ip(f"addr add {ROUTER4}/32 dev lo")
        back = self.probe.until_back(time.monotonic())
        self.check()
        return back

    def client_killed(self):
        """c is killed and started at once: its new life takes the place of the old one."""
        self.probe_c.b.close()
        self.c.kill()
        self.c.start()
        began = time.monotonic()
        # its program is an echo too, and has to find its address again
        while True:
            try:
                self.probe_c.b = self.c.ns.socket(socket.AF_INET6, socket.SOCK_DGRAM)
                self.probe_c.b.bind(self.probe_c.to)
                break
            except OSError:
                self.probe_c.b.close()
                assert time.monotonic() - began < PATIENCE, "the address is not back"
                time.sleep(0.002)
        self.probe_c.b.setblocking(False)
        return self.probe_c.until_back(began)

    def client_stopped(self):
        """a is stopped (kill -STOP, as a stand-in for suspend) while the router forgets it."""
        self.a.proc.send_signal(signal.SIGSTOP)
        self.r.kill()
        self.r.start().wait_up()
        self.a.proc.send_signal(signal.SIGCONT)
        back = self.probe.until_back(time.monotonic())
        self.check()
        return back
