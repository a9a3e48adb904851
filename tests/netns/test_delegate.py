# SPDX-License-Identifier: MIT
"""test_delegate.py - a delegated prefix whose client is off line leads nowhere, and not in a circle (RFC 7084 WPD-5)

inet is the provider: it routes the prefix to r, and r's default route leads to inet, which forwards. A packet that r
has no route for would go to and fro between the two until its hop limit ends.
"""

import os
import socket

import pytest

from lab import Lab, ROUTER6, TUN, WEB6, wait_for
from test_provider import on_link

DELEGATED = "2001:db8:b::/60"
OTHER = "2001:db8:c::/56"
INSIDE = "2001:db8:b:7::5"
IN_OTHER = "2001:db8:c:7::5"
GIVEN = f", delegate: [ '{DELEGATED}' ]"


def provider(lab, mode="routed"):
    at_r = "2001:db8:ffff::1"
    if mode == "ndproxy":
        on_link(lab, 112)
        at_r = "2001:db8:1::2"
    else:
        lab.r.ip(f"route add default via {WEB6}")
    lab.inet.sysctl("net/ipv6/conf/all/forwarding", 1)
    lab.inet.ip(*(f"route add {p} via {at_r}" for p in (DELEGATED, OTHER)))


def start(lab, mode="routed", clients=("a", "b")):
    prefix = {"prefix": "2001:db8:1::/112"} if mode == "ndproxy" else {}
    return lab.router(clients, mode=mode, given={"a": GIVEN}, **prefix)


def dead_ends(lab):
    return {r["dst"] for r in lab.r.ip_json("-6", "route", "show", "table", "all", "type", "unreachable")
            if r.get("protocol") == "166" and not r["dst"].startswith("100::")}


def routes(lab):
    """All the router set, whatever it is."""
    return [r for r in lab.r.ip_json("-6", "route", "show", "table", "all") if r.get("protocol") == "166"]


def refused(ns, addr=INSIDE):
    """One ping; did an ICMPv6 error say that there is no way?"""
    done = ns.run("ping", "-6", "-n", "-c", "1", "-W", "3", addr, check=False)
    assert "Time exceeded" not in done.stdout, "it went round"
    return "nreachable" in done.stdout


def passed(sniff, addr=INSIDE):
    """How often a packet to @addr passed, and an error about one."""
    return sum(socket.inet_pton(socket.AF_INET6, addr) in f for f in sniff.frames())


def reload(router, old, new):
    with open(router.conf, encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(router.conf, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))
    return router.ns.run(router.program, "reload", "-c", router.conf)


@pytest.mark.parametrize("mode", ["routed", "nat66", "ndproxy"])
def test_off_line_and_on_line(mode):  # R66
    with Lab() as lab:
        provider(lab, mode)
        router = start(lab, mode)
        with open(f"/proc/{router.proc.pid}/status", encoding="ascii") as f:
            assert "CapEff:\t0000000000001000" in f.read(), "CAP_NET_ADMIN and no other, as ever"
        # a was never there
        wan = lab.sniff(lab.r, "up0")
        assert refused(lab.inet)
        assert passed(wan) == 2, "the ping and the error about it"
        # from a member: by the TUN to the kernel, which answers
        b = lab.client("b", lab.public("b")).wait_up(ping=WEB6)
        tun = lab.sniff(lab.r, TUN)
        assert refused(b.ns)
        assert passed(tun) == 2 and passed(wan) == 2, "the same, and nothing outside"
        # a comes: the route into the tunnel wins
        a = lab.client("a", lab.public("a")).wait_up(ping=WEB6)
        a.ns.ip(f"addr add {INSIDE}/128 dev lo")
        assert lab.inet.ping(INSIDE, wait=5) == 1 and b.ns.ping(INSIDE, wait=5) == 1
        assert dead_ends(lab) == {DELEGATED}
        # and goes
        a.stop()
        wait_for("the route into the tunnel is gone", lambda: not lab.r.ip_json("-6", "route", "show", DELEGATED, "dev",
                                                                                TUN))
        wan = lab.sniff(lab.r, "up0")
        assert refused(lab.inet)
        assert passed(wan) == 2
        router.stop()
        assert routes(lab) == []


def test_reload():
    with Lab() as lab:
        provider(lab)
        router = start(lab)
        assert dead_ends(lab) == {DELEGATED}
        reload(router, f"'{DELEGATED}' ]", f"'{DELEGATED}', '{OTHER}' ]")
        assert dead_ends(lab) == {DELEGATED, OTHER}
        assert refused(lab.inet, IN_OTHER)
        # to another client
        key = lab.key("b")
        reload(router, f", '{OTHER}' ]", " ]")
        assert dead_ends(lab) == {DELEGATED}
        reload(router, f"public_key: {key}", f"public_key: {key}, delegate: [ '{OTHER}' ]")
        assert dead_ends(lab) == {DELEGATED, OTHER}
        with open(router.conf, encoding="utf-8") as f:
            text = f.read()
        lab.write("router.yaml", text.replace(DELEGATED, "@").replace(OTHER, DELEGATED).replace("@", OTHER))
        router.ns.run(router.program, "reload", "-c", router.conf)
        assert dead_ends(lab) == {DELEGATED, OTHER}
        assert refused(lab.inet) and refused(lab.inet, IN_OTHER)
        # a client that is listed no more
        reload(router, f"  - {{ name: b, public_key: {key}, delegate: [ '{DELEGATED}' ] }}\n", "")
        assert dead_ends(lab) == {OTHER}
        router.stop()
        assert routes(lab) == []


def test_revoked():
    with Lab() as lab:
        provider(lab)
        router = start(lab, clients=("b",))
        os.mkdir(os.path.join(lab.dir, "clients.d"), 0o700)
        lab.write("clients.d/a.yaml", f"name: a\npublic_key: {lab.key('a')}\ndelegate: [ '{DELEGATED}' ]\n")
        router.stop()
        router.start().wait_up()
        assert dead_ends(lab) == {DELEGATED}
        router.ns.run(router.program, "revoke", "a", "-c", router.conf)
        wait_for("it is nobody's", lambda: dead_ends(lab) == set())
        router.stop()
        assert routes(lab) == []


def test_after_a_crash():
    """What a killed router leaves goes on to answer, and is the next one's; what that does not want is swept."""
    with Lab() as lab:
        provider(lab)
        # not ours: an operator's, and another router's of this host
        lab.r.ip("route add unreachable 2001:db8:77::/48 proto 166 metric 4278190081",
                 "route add unreachable 2001:db8:78::/48 metric 4278190081")
        theirs = routes(lab)
        router = start(lab)
        a = lab.client("a", lab.public("a")).wait_up(ping=WEB6)
        router.kill()
        a.kill()
        assert dead_ends(lab) == {DELEGATED, "2001:db8:77::/48"}
        assert refused(lab.inet)
        router.start().wait_up()
        assert dead_ends(lab) == {DELEGATED, "2001:db8:77::/48"}
        assert "unreachable route" not in router.log()
        router.stop()
        assert routes(lab) == theirs
        # it delegates nothing when it comes back, and has no privilege after its start
        router.start().wait_up()
        router.kill()
        assert DELEGATED in dead_ends(lab)
        with open(router.conf, encoding="utf-8") as f:
            text = f.read()
        lab.write("router.yaml", text.replace(GIVEN, ""))
        since = len(router.log())
        router.start()
        router.wait_log("took 1 unreachable route of a former run away", since)
        router.wait_log("own address", since)
        assert routes(lab) == theirs
        router.stop()
        assert routes(lab) == theirs
        assert lab.r.ip_json("-6", "route", "show", "2001:db8:78::/48")


def test_no_uplink():
    """Nothing is routed to this host, so nothing goes round."""
    with Lab() as lab:
        lab.router(["a", "b"], uplink=False, given={"a": GIVEN})
        assert routes(lab) == []
        lab.client("a", lab.public("a")).wait_up(ping=ROUTER6)
        assert routes(lab) == []
