# SPDX-License-Identifier: MIT
"""test_recover.py - restarts, NATs that forget, hosts that move: one TCP connection lives through all of it

Topology and faults: recover.py. Figures of twenty rounds: tests/bench/recovery.py. The bars here are those of the
project with room for a slow, sanitized build; what is exact is that the connection and the addresses live on.
"""

from lab import Lab
from recover import Scene

ROUNDS = 2


def test_one_connection_survives_everything():
    with Lab() as lab:
        s = Scene(lab)
        logins = s.a.status()["logins"]
        worst = {}
        for _ in range(ROUNDS):
            for fault in (s.rebound, s.address_changed, s.network_changed, s.router_address_lost):
                took, _ = fault()
                worst[fault.__name__] = max(worst.get(fault.__name__, 0), took)
            # all of these without a new login: the endpoint moved
            assert s.a.status()["logins"] == logins
            for fault in (s.router_killed, s.client_stopped, s.client_killed):
                took, _ = fault()
                worst[fault.__name__] = max(worst.get(fault.__name__, 0), took)
            logins = s.a.status()["logins"]
        for name, took in worst.items():
            print(f"{name}: back after {took:.2f} s at worst")
        assert worst["rebound"] <= 1 and worst["address_changed"] <= 3 and worst["network_changed"] <= 3
        assert worst["router_killed"] <= 6 and worst["client_killed"] <= 3


def test_idle_client_is_found_after_it_moved():
    """Nobody sends: the client tells the router of its new address by itself, and is reached."""
    with Lab() as lab:
        s = Scene(lab)
        before = s.r.member("a")["endpoint"]
        ns, nat = s.a.ns, s.nats[1]
        ns.ip("addr flush dev wan", f"addr add {nat.inside}.77/24 dev wan2", f"route add default via {nat.inside}.1")
        s.r.wait_member("a", lambda m: m["endpoint"] != before)
        assert lab.inet.ping(s.a.address(), count=3) == 3
        assert s.a.status()["logins"] == 1


def test_interface_flaps():
    """H89: a hundred times down and up; the client is neither lost nor does it log in anew."""
    with Lab() as lab:
        s = Scene(lab)
        ns, nat = s.a.ns, s.nats[0]
        for _ in range(100):
            ns.ip("link set wan down", "link set wan up", f"route add default via {nat.inside}.1")
        took, _ = s.probe.until_back(0)
        s.check()
        assert s.a.status()["logins"] == 1
