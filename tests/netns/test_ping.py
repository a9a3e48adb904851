# SPDX-License-Identifier: MIT
"""test_ping.py - the main job: IPv6 between clients, to the router, and to the world

    inet 2001:db8:ffff::2 (web server)
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- a  198.18.1.2   tap6
      `-- b  198.18.2.2   tap6
"""

import os

import pytest

from lab import (PATIENCE, PREFIX, ROUTER6, TAP, TUN, WEB6, Conn, Lab, UdpFlow, eui64, fold_mac, split_endpoint,
                 wait_for)

MODES = [("stable", "netlink"), ("stable", "ra"), ("eui64", "ra"), ("eui64", "netlink")]


def two_clients(lab, configure, **router):
    r = lab.router(clients=["a", "b"], **router)
    a = lab.client("a", lab.public("a"), f"configure: {configure}\n")
    b = lab.client("b", lab.public("b"), f"configure: {configure}\n")
    return r, a.wait_up(), b.wait_up()


@pytest.mark.parametrize("addressing,configure", MODES)
def test_everything_reaches_everything(addressing, configure):
    page = b"<html>" + os.urandom(30000).hex().encode() + b"</html>\n"
    with Lab() as lab:
        r, a, b = two_clients(lab, configure, addressing=addressing)
        addr_a, addr_b = a.address(), b.address()
        members = r.status()["members"]
        router_ll = r.status()["link_local"]
        for c, ns in ((a, a.ns), (b, b.ns)):
            m = r.member(c.name)
            ip, port = split_endpoint(m["endpoint"])
            assert ip == ns.addr4
            assert c.mac() == m["mac"] == fold_mac(ip, port), "the MAC follows from the endpoint"
            assert c.link_local() == m["link_local"] == eui64("fe80::/64", c.mac())
            assert c.address() in m["addresses"]
            if addressing == "eui64":
                assert c.address() == eui64(PREFIX, c.mac())
            else:
                assert "ff:fe" not in c.address(), "a stable address tells nothing of the MAC"
        assert len(members) == 2

        assert a.ns.ping(addr_b, count=5) == 5
        assert b.ns.ping(addr_a, count=5, size=1200) == 5
        assert a.ns.ping(b.link_local(), dev=TAP) == 1
        assert a.ns.ping(ROUTER6) == 1
        assert a.ns.ping(router_ll, dev=TAP) == 1, "the engine's own link-local address"
        assert a.ns.ping(WEB6) == 1
        assert lab.inet.ping(addr_a) == 1
        assert lab.inet.ping(addr_b, size=1200) == 1

        lab.web(page)
        for c in (a, b):
            got = c.ns.run("curl", "-6", "-sS", "-g", "--max-time", str(int(PATIENCE)), f"http://[{WEB6}]/").stdout
            assert got.encode() == page

        for frm, to, addr in ((a.ns, b.ns, addr_b), (b.ns, a.ns, addr_a), (a.ns, lab.inet, WEB6),
                              (lab.inet, b.ns, addr_b)):
            Conn(frm, to, addr).exchange(200000)
            flow = UdpFlow(frm, to, addr)
            for size in (4, 100, 1200):
                flow.round_trip(size)
            # in fragments; the first may fall to path MTU discovery, as UDP does anywhere
            wait_for("a datagram of 3000 octets there and back", lambda f=flow: f.try_round_trip(3000))


def test_uplink_none_router_answers_echo():
    """Without a TUN nothing in the kernel answers for ::1; the engine does."""
    with Lab() as lab:
        r, a, b = two_clients(lab, "netlink", uplink=False)
        assert lab.r.link(TUN) is None
        assert a.ns.ping(ROUTER6, count=3) == 3
        assert a.ns.ping(ROUTER6, size=1200) == 1
        assert a.ns.ping(r.status()["link_local"], dev=TAP) == 1
        assert a.ns.ping(b.address()) == 1
        assert not a.default_route(), "no default route into nowhere"


def test_host_where_ipv6_is_off_by_default():
    """Many IPv4-only hosts disable IPv6 for new devices; the client turns it on for its own."""
    with Lab() as lab:
        lab.router(clients=["a"])
        ns = lab.public("a")
        ns.sysctl("net/ipv6/conf/default/disable_ipv6", 1)
        a = lab.client("a", ns).wait_up()
        assert a.ns.ping(WEB6) == 1


def test_stable_address_survives_another_port():
    """addressing: stable follows from the key, the MAC from the lease: a new endpoint changes neither."""
    with Lab() as lab:
        r = lab.router(clients=["a"])
        ns = lab.public("a")
        a = lab.client("a", ns, "port: 5000\n").wait_up()
        before = (a.address(), a.mac())
        assert a.stop() == 0
        wait_for("the device to go", lambda: ns.link(TAP) is None)
        with open(a.conf, encoding="utf-8") as f:
            conf = f.read().replace("port: 5000", "port: 5001")
        with open(a.conf, "w", encoding="utf-8") as f:
            f.write(conf)
        a.start().wait_up()
        assert r.member("a")["endpoint"].endswith(":5001")
        assert (a.address(), a.mac()) == before
