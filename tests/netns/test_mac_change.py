# SPDX-License-Identifier: MIT
"""test_mac_change.py - neighbors that change, die, insist and steal: what the others' kernels make of it

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- n  198.18.1.2  masquerade, source ports 20000..29999, then others
      |    |-- a  10.0.1.2   tap6
      |    `-- b  10.0.1.3   tap6
      `-- c  198.18.2.2   tap6

A member keeps its MAC while it lives, and its lease keeps it for an hour more. So both must go, and the endpoint must
change, for a MAC to change under a host that runs on: the NAT forgets its mappings while the router is started anew.
"""

import signal

import pytest

from lab import PATIENCE, ROUTER6, TAP, WEB6, Conn, Lab, fold_mac, split_endpoint, wait_for


@pytest.mark.parametrize("configure", ["netlink", "ra"])
def test_two_macs_change_under_tcp_and_ping(configure):
    """The ping stands still while there is no router, and goes on with the old MACs in its kernel's cache: no one is lost."""
    with Lab() as lab:
        r = lab.router(clients=["a", "b", "c"])
        nat = lab.nat("n")
        a, b = (lab.client(n, lab.behind(nat, n), f"configure: {configure}\n") for n in "ab")
        c = lab.client("c", lab.public("c"))
        for x in (a, b, c):
            x.wait_up()
        old = {x: (x.mac(), x.address(), x.link_local()) for x in (a, b)}
        conns = [Conn(a.ns, b.ns, b.address()), Conn(lab.inet, a.ns, a.address()), Conn(b.ns, c.ns, c.address())]
        flows = [lab.pings(a.ns, b.address()), lab.pings(c.ns, a.address()), lab.pings(b.ns, WEB6)]
        for t in conns:
            t.exchange()
        for f in flows:
            f.wait_more(3)

        for f in flows:
            f.proc.send_signal(signal.SIGSTOP)
            wait_for("what it has sent to be answered", lambda f=f: len(f.answered()) == max(f.answered()))
        seen = []  # an echo that left just before the stop must be through before the router dies

        def nothing_on_its_way():
            seen.append(r.status()["rx_packets"])
            return len(seen) > 2 and seen[-1] == seen[-2] == seen[-3]
        wait_for("the last echo to pass", nothing_on_its_way)
        r.kill()
        lab.rebind(nat, 30000, 30999)
        r.start().wait_up()
        for t in conns:  # what somebody sends draws the NUDGE
            t.a.send(b"x" * 100)
            t.b.send(b"x" * 100)
        for x in (a, b):
            r.wait_member(x.name)
            wait_for(f"{x.name}: another MAC", lambda x=x: x.mac() != old[x][0] and x.carrier())
            assert x.mac() == r.member(x.name)["mac"] == fold_mac(*split_endpoint(r.member(x.name)["endpoint"]))
            wait_for(f"{x.name}: the link-local address of it", lambda x=x: x.link_local() not in (None, old[x][2]))
        r.wait_member("c")
        for frm, to in ((a, b), (c, a)):  # whoever has probed meanwhile knows; here they do not
            frm.ns.ip(f"neigh replace {old[to][1]} lladdr {old[to][0]} nud stale dev {TAP}")
        for f in flows:
            f.proc.send_signal(signal.SIGCONT)
        for f in flows:
            f.wait_more(5)
        for t in conns:
            for s in (t.a, t.b):
                got = b""
                while len(got) < 100:
                    got += wait_for("what was sent meanwhile", lambda s=s: try_recv(s))
                assert got == b"x" * 100
            t.exchange(timeout=PATIENCE)
        for f in flows:
            assert f.missing() == []
        for x in (a, b):
            assert x.address() == old[x][1], "the address stays"
        for frm, to in ((a, b), (c, a)):
            wait_for(f"{frm.name} to know {to.name}'s new MAC", lambda frm=frm, to=to: (
                frm.ns.neighbor(TAP, old[to][1]).get("lladdr") == to.mac()))
            assert r.member(frm.name)["stale_mac"] >= 1, "told by the router, which delivers by the address"


def try_recv(sock):
    try:
        return sock.recv(1000)
    except BlockingIOError:
        return None


def three(lab):
    r = lab.router(clients=["a", "b", "c"])
    a, b, c = (lab.client(n, lab.public(n)) for n in "abc")
    return r, a.wait_up(), b.wait_up(), c.wait_up()


@pytest.mark.parametrize("sig", [signal.SIGSTOP, signal.SIGKILL])
def test_a_dead_client_is_not_declared_alive(sig):  # R13
    """R13: the router, which still holds b for a member, does not answer probes in its name."""
    with Lab() as lab:
        r, a, b, _ = three(lab)
        target = b.address()
        assert a.ns.ping(target) == 1
        a.ns.sysctl(f"net/ipv6/neigh/{TAP}/retrans_time_ms", 100)
        if sig == signal.SIGKILL:
            b.kill()
        else:
            b.proc.send_signal(sig)
        try:
            a.ns.ip(f"neigh replace {target} lladdr {a.ns.neighbor(TAP, target)['lladdr']} nud probe dev {TAP}")
            seen = set()

            def failed():
                entry = a.ns.neighbor(TAP, target)
                seen.update(entry["state"] if entry else ["FAILED"])
                return "FAILED" in seen
            wait_for("a's kernel to give b up", failed)
            assert "REACHABLE" not in seen
            assert r.member("b"), "the router has not noticed yet"
        finally:
            if sig == signal.SIGSTOP:
                b.proc.send_signal(signal.SIGCONT)
        if sig == signal.SIGSTOP:
            wait_for("b to be found again", lambda: a.ns.ping(target, wait=0.5))


def test_dad_of_ones_own_address_never_fails():  # R28
    """R28: with nonces and without, again and again; the owner's solicitation is never sent back to it."""
    with Lab() as lab:
        r, a, b, _ = three(lab)
        own, ns = "2001:db8:1::77", a.ns
        ns.sysctl(f"net/ipv6/conf/{TAP}/accept_dad", 1)
        ns.sysctl(f"net/ipv6/conf/{TAP}/router_solicitation_delay", 0)  # that long the kernel waits before DAD, too
        ns.sysctl(f"net/ipv6/neigh/{TAP}/retrans_time_ms", 20)
        for n in range(60):
            ns.sysctl(f"net/ipv6/conf/{TAP}/enhanced_dad", n % 2)
            ns.ip(f"addr add {own}/64 dev {TAP}")
            infos = wait_for(f"DAD number {n}", lambda: [
                i for i in ns.ip_json("-6", "addr", "show", "dev", TAP)[0]["addr_info"]
                if i["local"] == own and (i.get("dadfailed") or not i.get("tentative"))])
            assert not infos[0].get("dadfailed"), f"number {n}"
            if n == 0:
                assert b.ns.ping(own) == 1
            ns.ip(f"addr del {own}/64 dev {TAP}")
        assert own in r.member("a")["addresses"]

        # and of a client that starts again and again on such a host
        ns.sysctl("net/ipv6/conf/default/accept_dad", 2)
        ns.sysctl("net/ipv6/conf/default/enhanced_dad", 1)
        for n in range(5):
            a.kill()
            a.start().wait_up(ping=b.address())
            assert not [i for i in ns.ip_json("-6", "addr", "show", "dev", TAP)[0]["addr_info"]
                        if i.get("dadfailed") or i.get("tentative")]


def test_a_stolen_address_stays_with_its_owner():  # R30
    """R30, H49: b takes a's addresses, with DAD and without, and speaks from them: a's flows lose nothing."""
    with Lab() as lab:
        r, a, b, c = three(lab)
        learned = "2001:db8:1::77"
        a.ns.ip(f"addr add {learned}/64 dev {TAP} nodad")
        assert a.ns.ping(c.address(), dev=learned) == 1
        flows = [lab.pings(c.ns, learned), lab.pings(c.ns, a.address()), lab.pings(lab.inet, learned)]
        conn = Conn(c.ns, a.ns, learned)
        conn.exchange()
        for f in flows:
            f.wait_more(3)
        # so that b's kernel asks nobody, and each of its pings leaves
        b.ns.ip(f"neigh replace {c.address()} lladdr {c.mac()} nud permanent dev {TAP}")
        for stolen in (learned, a.address(), a.link_local()):
            dev = TAP if stolen.startswith("fe80") else None
            b.ns.ip(f"addr add {stolen}/64 dev {TAP} nodad")
            before = r.drops("source_guard")
            if dev:  # not from there by itself; its own goes on
                wait_for("b to reach c", lambda: b.ns.ping(c.address(), wait=0.5, dev=TAP))
            else:
                assert b.ns.ping(c.address(), count=3, wait=0.3, dev=stolen) == 0
                assert r.drops("source_guard") >= before + 3
            b.ns.ip(f"addr del {stolen}/64 dev {TAP}")
            b.ns.sysctl(f"net/ipv6/conf/{TAP}/accept_dad", 1)
            b.ns.ip(f"addr add {stolen}/64 dev {TAP}")
            wait_for(f"b to be told that {stolen} is a's", lambda s=stolen: any(
                i["local"] == s and i.get("dadfailed")
                for i in b.ns.ip_json("-6", "addr", "show", "dev", TAP)[0]["addr_info"]))
            b.ns.ip(f"addr del {stolen}/64 dev {TAP}")
        conn.exchange()
        for f in flows:
            f.wait_more(3)
            assert f.missing() == []
        assert learned in r.member("a")["addresses"] and learned not in r.member("b")["addresses"]
        assert c.ns.neighbor(TAP, learned)["lladdr"] == a.mac()
