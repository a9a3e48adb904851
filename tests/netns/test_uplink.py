# SPDX-License-Identifier: MIT
"""test_uplink.py - an uplink that goes down, comes back and is deleted; multicast between two hosts

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1: an operator sets it down and up, or takes its routes
      |-- a  198.18.1.2   tap6
      `-- b  198.18.2.2   tap6
"""

import os
import re
import socket
import struct

import pytest

from lab import PREFIX, ROUTER6, TAP, TUN, WEB6, Lab, wait_for

SOON = 2.0  # seconds a client may take to hear of it


def two_clients(lab, configure="netlink", **router):
    r = lab.router(clients=["a", "b"], **router)
    a = lab.client("a", lab.public("a"), f"configure: {configure}\n")
    b = lab.client("b", lab.public("b"), f"configure: {configure}\n")
    return r, a.wait_up(), b.wait_up()


def default_routes(client):
    return client.ns.ip_json("-6", "route", "show", "default", "dev", TAP)


def test_uplink_loses_its_ipv6():
    """Below 1280 octets the kernel takes IPv6 off a device for good: said, with what to do, and clients are told."""
    with Lab() as lab:
        r, a, _ = two_clients(lab)
        assert a.ns.ping(WEB6) == 1
        lab.r.ip(f"link set {TUN} mtu 1000")
        r.wait_log(r"MTU of sixtap0 below 1280")
        wait_for("no default route", lambda: not default_routes(a), timeout=SOON)
        lab.r.ip(f"link set {TUN} mtu 1434")
        found = r.wait_log(r"run: (ip addr add \S+ dev \S+ nodad)").group(1)
        assert not default_routes(a), "without the address nothing comes back"
        lab.r.run(*found.split())
        r.wait_log(rf"uplink {TUN} is back")
        wait_for("a default route again", lambda: default_routes(a), timeout=SOON)
        wait_for("the world to be reached again", lambda: a.ns.ping(WEB6, wait=0.5))


def test_h87_route_to_the_clients_taken():
    """A router that has given up the privilege says what to do, and the uplink is none until it was done."""
    with Lab() as lab:
        r, a, b = two_clients(lab)
        assert a.ns.ping(WEB6) == 1
        lab.r.run("ip", "-6", "route", "del", PREFIX, "dev", TUN)
        found = r.wait_log(r"lost the route to the clients.* run: (ip route add \S+ dev \S+)").group(1)
        wait_for("no default route", lambda: not default_routes(a), timeout=SOON)
        assert a.ns.ping(b.address()) == 1
        lab.r.run(*found.split())
        r.wait_log(rf"uplink {TUN} is back")
        wait_for("a default route again", lambda: default_routes(a), timeout=SOON)
        wait_for("the world to be reached again", lambda: a.ns.ping(WEB6, wait=0.5))


@pytest.mark.parametrize("mode", ["routed", "ndproxy"])
def test_h87_routes_come_back(mode):
    """With the privilege routes that are taken away are back at once, those of clients too; one line each."""
    with Lab() as lab:
        if mode == "ndproxy":
            lab.r.ip(f"addr add {PREFIX.replace('::/', '::2/')} dev up0 nodad", f"route add default via {WEB6}")
            lab.inet.ip(f"addr add {ROUTER6}/64 dev eth0 nodad")
            lab.inet.run("ip", "-6", "route", "del", PREFIX, "via", "2001:db8:ffff::1")
        r = lab.router(clients=["a"], mode=mode, given={"a": ", delegate: [ 2001:db8:d00::/56 ]"})
        a = lab.client("a", lab.public("a")).wait_up(ROUTER6 if mode == "routed" else WEB6)

        def routes():
            return {i["dst"] for i in lab.r.ip_json("-6", "route", "show", "dev", TUN)}
        before = routes()
        assert before == {"2001:db8:d00::/56", PREFIX if mode == "routed" else a.address()}
        for dst in before:
            lab.r.run("ip", "-6", "route", "del", dst, "dev", TUN)
            wait_for(f"{dst} again", lambda: routes() == before)
            assert a.ns.ping(WEB6) == 1 and lab.inet.ping(a.address()) == 1
        assert len(re.findall("took 1 route of clients off the uplink", r.log())) == (1 if mode == "routed" else 2)
        assert len(re.findall(f"lost the route to {PREFIX}; it is back", r.log())) == (1 if mode == "routed" else 0)
        # who flushes them looks until there are none: that comes to an end
        lab.r.run("ip", "-6", "route", "flush", "dev", TUN)
        wait_for("all routes again", lambda: routes() == before)
        assert f"uplink {TUN} is down" not in r.log()
        a.stop()
        wait_for("the client's to go with it", lambda: routes() == before & {PREFIX})


@pytest.mark.parametrize("configure", ["netlink", "ra"])
def test_uplink_down_and_up(configure):
    with Lab() as lab:
        r, a, b = two_clients(lab, configure)
        for c in (a, b):
            wait_for(f"{c.name}: a default route", lambda c=c: default_routes(c))
        assert a.ns.ping(WEB6) == 1
        for _ in range(2):
            since = len(r.log())
            lab.r.ip(f"link set {TUN} down")
            for c in (a, b):
                wait_for(f"{c.name}: no default route", lambda c=c: not default_routes(c), timeout=SOON)
            r.wait_log(rf"uplink {TUN} is down", since)
            # the segment goes on
            assert a.ns.ping(b.address(), count=2) == 2
            assert a.address() and b.address()

            lab.r.ip(f"link set {TUN} up")
            for c in (a, b):
                wait_for(f"{c.name}: a default route again", lambda c=c: default_routes(c), timeout=SOON)
            r.wait_log(rf"uplink {TUN} is back", since)
            # the kernel kept address and route of the TUN, though the daemon could not give them again
            assert ROUTER6 in lab.r.addresses(TUN)
            assert lab.r.ip_json("-6", "route", "show", PREFIX, "dev", TUN)
            wait_for("the world to be reached again", lambda: a.ns.ping(WEB6, wait=0.5))
            assert b.ns.ping(ROUTER6) == 1


def test_log_in_while_it_is_down():
    with Lab() as lab:
        r = lab.router(clients=["a"])
        lab.r.ip(f"link set {TUN} down")
        r.wait_log(rf"uplink {TUN} is down")
        a = lab.client("a", lab.public("a"))
        wait_for("carrier and address", lambda: a.carrier() and a.address())
        assert not default_routes(a)
        lab.r.ip(f"link set {TUN} up")
        wait_for("a default route", lambda: default_routes(a), timeout=SOON)
        wait_for("the world to be reached", lambda: a.ns.ping(WEB6, wait=0.5))


def test_uplink_deleted():
    """Nothing is left to be done: the router says so and ends, so that its service manager can start it anew."""
    with Lab() as lab:
        r = lab.router(clients=["a"])
        lab.r.ip(f"link del {TUN}")
        assert r.wait_exit() == os.EX_OSERR
        assert re.search(rf"device {TUN} was deleted", r.log())


# ---- multicast: true ----


class Listener:
    """What an mDNS responder does: joins ff02::fb on the TAP and hears port 5353."""

    GROUP, PORT = "ff02::fb", 5353

    def __init__(self, client):
        self.sock = client.ns.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        with client.ns.enter():
            self.index = socket.if_nametoindex(TAP)
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
        self.sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
        self.sock.bind(("::", self.PORT))
        self.sock.setblocking(False)
        self.heard = []

    def _group(self, what):
        self.sock.setsockopt(socket.IPPROTO_IPV6, what, socket.inet_pton(socket.AF_INET6, self.GROUP)
                             + struct.pack("@I", self.index))

    def join(self):
        self._group(socket.IPV6_JOIN_GROUP)

    def leave(self):
        self._group(socket.IPV6_LEAVE_GROUP)

    def say(self, data):
        self.sock.sendto(data, (self.GROUP, self.PORT, 0, self.index))

    def hears(self, data):
        """The sender of @data, once it has come."""
        while True:
            try:
                got, frm = self.sock.recvfrom(2048)
            except BlockingIOError:
                break
            self.heard.append((got, frm[0].split("%")[0]))
        return next((frm for got, frm in self.heard if got == data), None)


def say_until_heard(speaker, listener, data):
    """An answer to a query may take a moment, so the first words may be lost."""
    def heard():
        speaker.say(data)
        return listener.hears(data)
    return wait_for(f"{data!r} to be heard", heard)


def all_nodes(client):
    """Who answers one ping of ff02::1."""
    out = client.ns.run("ping", "-6", "-n", "-c", "2", "-i", "0.2", "-W", "1", "-I", TAP, "ff02::1", check=False).stdout
    return set(re.findall(r"bytes from (\S+?)(?:%\S+)?: icmp_seq", out))


def test_multicast_between_clients():
    with Lab() as lab:
        r, a, b = two_clients(lab, extra="multicast: true\n")
        router_ll = r.status()["link_local"]
        at_a, at_b = Listener(a), Listener(b)
        at_a.join()
        at_b.join()
        assert say_until_heard(at_a, at_b, b"who is printer.local") == a.link_local()
        assert say_until_heard(at_b, at_a, b"I am") == b.link_local()
        wait_for("all of the segment to answer", lambda: all_nodes(a) >= {router_ll, b.link_local()})
        wait_for("all of the segment to answer", lambda: all_nodes(b) >= {router_ll, a.link_local()})

        # who has left hears nothing more, and gets nothing more
        wire = lab.sniff(b.ns, TAP)
        at_b.leave()

        def silent():
            mark = os.urandom(12)
            at_a.say(mark)
            assert a.ns.ping(b.address()) == 1  # what was said before it has come by now
            return not wire.has(mark)
        wait_for("b to be left in peace", silent)


def test_multicast_is_off_by_default():
    with Lab() as lab:
        r, a, b = two_clients(lab)
        wire = lab.sniff(b.ns, TAP)
        at_a, at_b = Listener(a), Listener(b)
        at_a.join()
        at_b.join()
        assert all_nodes(a) - {a.link_local()} == {r.status()["link_local"]}
        at_a.say(b"is anybody there")
        assert a.ns.ping(b.address()) == 1
        assert not wire.has(b"is anybody there")
