# SPDX-License-Identifier: MIT
"""test_nat.py - clients behind a NAT, and a NAT that forgets

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- n  198.18.1.2  masquerade, source ports 20000..29999
      |    |-- a  10.0.1.2   tap6
      |    `-- b  10.0.1.3   tap6
      `-- c  198.18.2.2   tap6
"""

from lab import ROUTER6, WEB6, Conn, Lab, UdpFlow, fold_mac, split_endpoint, wait_for


def port_of(router, name, status=None):
    return split_endpoint(router.member(name, status)["endpoint"])[1]


def three_clients(lab):
    r = lab.router(clients=["a", "b", "c"])
    nat = lab.nat("n")
    a = lab.client("a", lab.behind(nat, "a"))
    b = lab.client("b", lab.behind(nat, "b"))
    c = lab.client("c", lab.public("c"))
    return r, nat, a.wait_up(), b.wait_up(), c.wait_up()


def test_two_clients_behind_one_nat():  # R61
    with Lab() as lab:
        r, _, a, b, c = three_clients(lab)
        lab.web(b"from the world\n")
        for x in (a, b):
            ip, port = split_endpoint(r.member(x.name)["endpoint"])
            assert ip == "198.18.1.2" and 20000 <= port <= 29999, "the endpoint is that of the NAT"
            assert x.mac() == r.member(x.name)["mac"] == fold_mac(ip, port)
            assert x.ns.ping(WEB6, count=3) == 3
            assert lab.inet.ping(x.address(), count=3) == 3, "reached from the world, through the NAT"
            assert x.ns.run("curl", "-6", "-sS", "-g", f"http://[{WEB6}]/").stdout == "from the world\n"
        for frm, to in ((a, b), (b, a), (a, c), (c, b)):
            assert frm.ns.ping(to.address(), count=3) == 3
            Conn(frm.ns, to.ns, to.address()).exchange(50000)


def test_rebinding_in_mid_flow():
    """The NAT forgets its mappings: with the next packet all goes on, inside nothing changes."""
    with Lab() as lab:
        r, nat, a, b, c = three_clients(lab)
        pairs = [Conn(a.ns, c.ns, c.address()), Conn(c.ns, b.ns, b.address()), Conn(a.ns, b.ns, b.address()),
                 Conn(lab.inet, a.ns, a.address())]
        for p in pairs:
            p.exchange()
        before = [(x.mac(), x.address(), x.link_local()) for x in (a, b, c)]
        age = r.member("a")["age_s"]

        for first in (30000, 40000, 50000):
            lab.rebind(nat, first, first + 999)
            for p in pairs:
                p.exchange()
            status = r.status()
            for name in ("a", "b"):
                assert first <= port_of(r, name, status) <= first + 999
            assert [(x.mac(), x.address(), x.link_local()) for x in (a, b, c)] == before
        assert r.member("a")["age_s"] > age, "the same member, no new login"
        assert r.status()["members_now"] == 3
        assert [x.status()["logins"] for x in (a, b)] == [1, 1]


def test_first_packet_after_rebinding_gets_through():
    """The packet that comes from the new endpoint is itself carried, and so is the answer to it."""
    with Lab() as lab:
        r, nat, a, _, c = three_clients(lab)
        flow = UdpFlow(a.ns, c.ns, c.address())
        flow.round_trip()
        lab.rebind(nat, 30000, 30999)
        flow.round_trip()
        assert 30000 <= port_of(r, "a") <= 30999
        assert wait_for("the new endpoint to prove itself", lambda: r.member("a")["endpoint_proven"])
        assert flow.n == 2


def test_old_mapping_handed_to_another_client():
    """The NAT moves a and gives its old port to b: a keeps the MAC of that port, b has to come from another."""
    with Lab() as lab:
        r = lab.router(clients=["a", "b"])
        nat = lab.nat("n")
        lab.ports(nat, 20000, 20000)
        a = lab.client("a", lab.behind(nat, "a")).wait_up()
        assert port_of(r, "a") == 20000
        mac = a.mac()
        lab.rebind(nat, 30000, 30000)
        assert a.ns.ping(ROUTER6) == 1
        assert port_of(r, "a") == 30000 and a.mac() == mac == fold_mac("198.18.1.2", 20000)

        lab.ports(nat, 20000, 20003)
        b = lab.client("b", lab.behind(nat, "b")).wait_up()
        assert b.mac() != mac and b.mac() == fold_mac("198.18.1.2", port_of(r, "b"))
        assert a.mac() == r.member("a")["mac"] == mac
        assert a.ns.ping(b.address(), count=3) == 3
        assert b.ns.ping(a.address(), count=3) == 3
