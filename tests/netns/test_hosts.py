# SPDX-License-Identifier: MIT
"""test_hosts.py - hosts of every habit on one segment: with and without duplicate address detection, with privacy
addresses, with many addresses, configured by netlink and by router advertisements

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- h1..h8  198.18.K.2   tap6     one host for each row of the table, all at the same time

Each reaches the router, the world and every other, and is reached, by each of its addresses; none of them stays
tentative or is found to be a duplicate.
"""

import pytest

from lab import PREFIX, ROUTER6, TAP, WEB6, Conn, Lab, eui64, wait_for

DAD_OFF = {"accept_dad": 0}
NO_PROBES = {"dad_transmits": 0}
DAD_ON = {"accept_dad": 1, "dad_transmits": 1, "enhanced_dad": 1}
NO_NONCE = {"accept_dad": 1, "dad_transmits": 1, "enhanced_dad": 0}
STRICT = {"accept_dad": 2, "dad_transmits": 3, "enhanced_dad": 1}
OPTIMISTIC = {"accept_dad": 1, "dad_transmits": 1, "optimistic_dad": 1, "use_optimistic": 1}
PRIVACY = {"use_tempaddr": 2}

STABLE = [("netlink", DAD_OFF), ("netlink", NO_PROBES), ("netlink", DAD_ON), ("netlink", STRICT), ("ra", DAD_OFF),
          ("ra", DAD_ON), ("ra", NO_NONCE)]
EUI64 = [("ra", DAD_OFF), ("ra", DAD_ON), ("ra", NO_NONCE), ("ra", {**DAD_OFF, **PRIVACY}), ("ra", {**DAD_ON, **PRIVACY}),
         ("ra", OPTIMISTIC), ("ra", {**OPTIMISTIC, **PRIVACY}), ("netlink", DAD_ON)]


def host(lab, name, configure, habits):
    ns = lab.public(name)
    for key, value in habits.items():
        ns.sysctl(f"net/ipv6/conf/default/{key}", value)
    return lab.client(name, ns, f"configure: {configure}\n")


def infos(c):
    links = c.ns.ip_json("-6", "addr", "show", "dev", TAP)
    return links[0]["addr_info"] if links else []


def settle(c):
    """Waits until no address is tentative; returns the global ones. None may be a duplicate."""
    got = wait_for(f"{c.name}: no tentative address", lambda: [
        i for i in infos(c)] if not any(i.get("tentative") or i.get("optimistic") for i in infos(c)) else None)
    assert not [i for i in got if i.get("dadfailed")]
    return [i["local"] for i in got if i["scope"] == "global"]


def all_reach_all(lab, hosts):
    for c in hosts:
        assert c.ns.ping(ROUTER6) == 1 and c.ns.ping(WEB6) == 1, c.name
        for addr in settle(c):
            assert lab.inet.ping(addr) == 1, f"{c.name}: {addr} from the world"
            assert c.ns.ping(WEB6, dev=addr) == 1, f"{c.name}: from {addr}"
        for other in hosts:
            if other is not c:
                for addr in settle(other):
                    assert c.ns.ping(addr) == 1, f"{c.name} to {other.name}, {addr}"
                assert c.ns.ping(other.link_local(), dev=TAP) == 1, f"{c.name} to {other.name}, link-local"


@pytest.mark.parametrize("addressing", ["stable", "eui64"])
def test_matrix(addressing):  # R29
    with Lab() as lab:
        rows = STABLE if addressing == "stable" else EUI64
        names = [f"h{i}" for i in range(len(rows))]
        r = lab.router(clients=names, addressing=addressing)
        hosts = [host(lab, n, *row) for n, row in zip(names, rows)]
        for c in hosts:
            c.wait_up()
        for c, (configure, habits) in zip(hosts, rows):
            n = 2 if "use_tempaddr" in habits else 1
            have = wait_for(f"{c.name}: its {n} addresses", lambda c=c, n=n: len(settle(c)) >= n and settle(c))
            assert len(have) == n, (c.name, have)
            assert (eui64(PREFIX, c.mac()) in have) == (addressing == "eui64")
            assert c.ns.addresses(TAP)[c.link_local()]
        all_reach_all(lab, hosts)
        for c in hosts:
            settle(c)
        for c, (_, habits) in zip(hosts, rows):
            if "use_tempaddr" in habits:
                temp = next(i["local"] for i in infos(c) if i.get("temporary"))
                assert temp in r.member(c.name)["addresses"], "learned, as its host used it"
                conn = Conn(c.ns, lab.inet, WEB6)
                assert conn.peer[0] == temp, "connections leave from the privacy address"
                conn.exchange()
        assert all(r.drops(n) == 0 for n in ("source_guard", "bindings_full"))


@pytest.mark.parametrize("configure", ["netlink", "ra"])
@pytest.mark.parametrize("habits", [DAD_OFF, DAD_ON], ids=["dad-off", "dad-on"])
def test_several_addresses(configure, habits):
    """R32, R33: sixteen more, added by hand; each is usable at once, a seventeenth is not, and costs nobody his."""
    with Lab() as lab:
        r = lab.router(clients=["a", "b"])
        a, b = (host(lab, n, configure, habits).wait_up() for n in "ab")
        first = a.address()
        more = [f"2001:db8:1::a:{i:x}" for i in range(16)]
        a.ns.sysctl(f"net/ipv6/conf/{TAP}/router_solicitation_delay", 0)  # that long the kernel waits before DAD, too
        a.ns.sysctl(f"net/ipv6/neigh/{TAP}/retrans_time_ms", 100)
        a.ns.ip(*(f"addr add {x}/64 dev {TAP}" for x in more))
        wait_for("all of them", lambda: set(more) <= set(settle(a)))
        for x in more:
            assert a.ns.ping(b.address(), dev=x) == 1, x
            assert b.ns.ping(x) == 1 and lab.inet.ping(x) == 1, x
        assert set(more) <= set(r.member("a")["addresses"])
        seventeenth = "2001:db8:1::a:ff"
        a.ns.ip(f"addr add {seventeenth}/64 dev {TAP} nodad")
        assert a.ns.ping(b.address(), dev=seventeenth, wait=0.3) == 0
        assert r.drops("bindings_full") >= 1
        for x in (first, *more):
            assert b.ns.ping(x) == 1, x
