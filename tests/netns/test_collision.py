# SPDX-License-Identifier: MIT
"""test_collision.py - endpoints that fold to one MAC: first octets that differ in the low two bits alone, one port

    r  198.18.0.1:6464                  MAC c6:12:00:01:19:40
    |-- a  198.18.1.2:5000   tap6       MAC c6:12:01:02:13:88
    |-- b  199.18.1.2:5000   tap6       would have the same
    `-- c  198.18.2.2:5000   tap6       (where a test needs a second holder)
"""

from lab import PATIENCE, ROUTER6, Conn, Lab, fold_mac, split_endpoint, wait_for

TAKEN = fold_mac("198.18.1.2", 5000)


def assigned(mac):
    """Does it come from 224/4 or 240/4, where no endpoint lives?"""
    return int(mac[:2], 16) & 0xE3 == 0xE2


def test_the_arithmetic():
    assert TAKEN == "c6:12:01:02:13:88"
    assert {fold_mac(f"{o}.18.1.2", 5000) for o in (196, 197, 198, 199)} == {TAKEN}
    assert assigned("e2:00:00:00:00:01") and assigned("fe:00:00:00:00:01") and not assigned(TAKEN)


def test_second_client_moves_to_another_port():
    with Lab() as lab:
        r = lab.router(clients=["a", "b"])
        a = lab.client("a", lab.public("a"), "port: 5000\n").wait_up()
        assert a.mac() == TAKEN
        flow = lab.pings(a.ns, ROUTER6)
        flow.wait_more(3)

        b = lab.client("b", lab.public("b", source="199.18.1.2"), "port: 5000\n").wait_up()
        ip, port = split_endpoint(r.member("b")["endpoint"])
        assert ip == "199.18.1.2" and port != 5000
        assert b.mac() == r.member("b")["mac"] == fold_mac(ip, port) != TAKEN
        b.wait_log(r"is taken")
        r.wait_log(rf"b at 199.18.1.2:5000: MAC {TAKEN} is held by a")

        assert a.mac() == r.member("a")["mac"] == TAKEN
        assert r.member("a")["endpoint"] == "198.18.1.2:5000"
        assert b.ns.ping(a.address(), count=3) == 3
        assert a.ns.ping(b.address(), count=3) == 3
        flow.wait_more(3)
        assert flow.missing() == [], "the first client's flow loses nothing"


def test_routers_own_mac_counts_as_taken():
    with Lab() as lab:
        r = lab.router(clients=["b"])
        b = lab.client("b", lab.public("b", source="199.18.0.1"), "port: 6464\n").wait_up()
        assert fold_mac("199.18.0.1", 6464) == r.status()["mac"]
        assert b.mac() != r.status()["mac"]
        assert r.member("b")["endpoint"].startswith("199.18.0.1:")


def hop(lab, ns, endpoints):
    """Each new flow of @ns leaves from the next of @endpoints, as behind a NAT of several addresses."""
    rules = ["add table ip hop", "add chain ip hop post { type nat hook postrouting priority srcnat; }"]
    for i, (ip, port) in enumerate(endpoints):
        lab.also_at(ns, ip)
        rules += [f"add chain ip hop to{i}", f"add rule ip hop to{i} meta l4proto udp snat to {ip}:{port}"]
    verdicts = ", ".join(f"{i} : goto to{i}" for i in range(len(endpoints)))
    rules.append(f"add rule ip hop post udp dport 6464 numgen inc mod {len(endpoints)} vmap {{ {verdicts} }}")
    ns.run("nft", "-f", "-", stdin="\n".join(rules) + "\n")


def test_after_three_tries_the_router_assigns_a_mac():
    """Every port that b comes from collides: with a's endpoint three times, then with c's."""
    with Lab() as lab:
        r = lab.router(clients=["a", "b", "c"])
        a = lab.client("a", lab.public("a"), "port: 5000\n")
        c = lab.client("c", lab.public("c"), "port: 5000\n")
        a.wait_up(), c.wait_up()
        flow = lab.pings(a.ns, c.address())
        flow.wait_more(3)

        ns = lab.public("b")
        hop(lab, ns, [("199.18.1.2", 5000), ("197.18.1.2", 5000), ("196.18.1.2", 5000), ("199.18.2.2", 5000)])
        b = lab.client("b", ns).wait_up()
        assert assigned(b.mac()) and b.mac() == r.member("b")["mac"]
        assert r.member("b")["endpoint"] == "199.18.2.2:5000"
        for n in (1, 2, 3):
            r.wait_log(rf"b at 19\d.18.1.2:5000: MAC {TAKEN} is held by a, .*\({n}\)")
        r.wait_log(rf"b: no free MAC from its endpoints, assigned {b.mac()}")

        assert (a.mac(), c.mac()) == (TAKEN, fold_mac("198.18.2.2", 5000))
        Conn(b.ns, a.ns, a.address()).exchange(50000)
        Conn(c.ns, b.ns, b.address()).exchange(50000)
        assert lab.inet.ping(b.address(), count=3) == 3
        flow.wait_more(3)
        assert flow.missing() == []


def test_nat_without_another_port():
    """A NAT that has one mapping for b and no second: the last try leaves from the socket that had an answer."""
    with Lab() as lab:
        r = lab.router(clients=["a", "b"])
        a = lab.client("a", lab.public("a"), "port: 5000\n").wait_up()
        ns = lab.public("b")
        hop(lab, ns, [("199.18.1.2", 5000)])
        b = lab.client("b", ns)
        wait_for("b to be in", lambda: r.try_status() and r.member("b"), timeout=2 * PATIENCE)
        b.wait_up()
        assert assigned(b.mac())
        assert a.mac() == TAKEN
        assert a.ns.ping(b.address(), count=3) == 3


def test_lease_of_an_absent_client_yields():
    """a's MAC is kept for it while it is away, but not against the endpoint the MAC is computed from."""
    with Lab() as lab:
        r = lab.router(clients=["a", "b"])
        a = lab.client("a", lab.public("a"), "port: 5000\n").wait_up()
        address = a.address()
        a.stop()
        wait_for("a to be gone", lambda: r.member("a") is None)
        b = lab.client("b", lab.public("b", source="199.18.1.2"), "port: 5000\n").wait_up()
        assert b.mac() == TAKEN
        a.start().wait_up()
        assert a.mac() != TAKEN and a.address() == address
        assert b.mac() == r.member("b")["mac"] == TAKEN
        assert a.ns.ping(b.address(), count=3) == 3
