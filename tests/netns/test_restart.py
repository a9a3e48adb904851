# SPDX-License-Identifier: MIT
"""test_restart.py - programs that end, and come back

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- a  198.18.1.2   tap6
      `-- b  198.18.2.2   tap6
"""

import re
import signal
import time

import pytest

from lab import PATIENCE, ROUTER6, TAP, TUN, WEB6, Conn, Lab, wait_for


def two_clients(lab, extra=""):
    r = lab.router(clients=["a", "b"])
    a = lab.client("a", lab.public("a"), extra)
    b = lab.client("b", lab.public("b"), extra)
    return r, a.wait_up(), b.wait_up()


def state(c):
    return c.mac(), c.address(), c.link_local(), c.carrier()


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGKILL])
def test_tcp_survives_a_restart_of_the_router(sig):
    with Lab() as lab:
        r, a, b = two_clients(lab)
        inside, outside = Conn(a.ns, b.ns, b.address()), Conn(lab.inet, a.ns, a.address())
        inside.exchange(), outside.exchange()
        before = [state(a), state(b)]
        assert r.stop(sig) == (0 if sig == signal.SIGTERM else -sig)
        assert lab.r.link(TUN) is None, "the TUN goes with its program"
        assert [state(a), state(b)] == before, "clients hold carrier and addresses"
        r.start().wait_up()
        began = time.monotonic()
        inside.exchange(timeout=PATIENCE / 2)
        outside.exchange(timeout=PATIENCE / 2)
        print(f"back after {time.monotonic() - began:.2f} s")
        assert [state(a), state(b)] == before, "leases are the same arithmetic: nothing changed inside"
        assert len(r.status()["members"]) == 2


@pytest.mark.parametrize("configure", ["netlink", "ra"])
def test_hold_then_withdraw_then_back(configure):
    """Without a router the device holds for a while; then route and carrier go, so that applications are told."""
    with Lab() as lab:
        r = lab.router(clients=["a"])
        a = lab.client("a", lab.public("a"), f"configure: {configure}\nhold: 2 s\n").wait_up()
        before = state(a)
        r.stop()
        a.wait_log(r"said goodbye")
        assert a.default_route(), "still there"
        assert state(a) == before
        a.wait_log(r"withdrawing the network")
        wait_for("carrier and default route to go",
                 lambda: not a.carrier() and not a.default_route())
        r.start().wait_up()
        a.wait_up()
        assert a.ns.ping(WEB6, count=2) >= 1
        assert state(a) == before


def test_client_killed_and_started_at_once():
    """No lock-out: the key's new login replaces the old member at confirmation."""
    with Lab() as lab:
        r, a, b = two_clients(lab)
        address, ns = a.address(), a.ns
        for _ in range(3):
            mac, since = a.mac(), len(a.log())
            a.kill()
            assert ns.link(TAP) is None, "the device goes with its program"
            a.start()
            took = int(a.wait_log(r"logged in after (\d+) ms", since).group(1))
            assert took <= 2000
            a.wait_up()
            assert (a.address(), a.mac()) == (address, mac)
            assert b.ns.ping(address, count=2) == 2
            assert [m["name"] for m in r.status()["members"]].count("a") == 1


@pytest.mark.parametrize("configure", ["netlink", "ra"])
@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGINT])
def test_client_stop_leaves_nothing(configure, sig):
    with Lab() as lab:
        r = lab.router(clients=["a"])
        ns = lab.public("a")

        def all_of_it():
            # `ip` tells lifetimes and counters too, which change by themselves
            text = ns.run("sh", "-c", "ip -6 route show table all; ip -6 rule; ip -6 addr; ip -4 route; ip -o link")
            return sorted(re.sub(r"\d+sec|state \w+", "", line) for line in text.stdout.splitlines())

        before = all_of_it()
        a = lab.client("a", ns, f"configure: {configure}\n").wait_up()
        assert all_of_it() != before
        assert a.stop(sig) == 0
        assert all_of_it() == before
        wait_for("the router to hear the goodbye", lambda: r.member("a") is None)
        r.wait_log(r"a at .* left: said goodbye")


def test_client_first_router_later():
    with Lab() as lab:
        lab.key("a")
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", lab.public("a"))
        a.wait_log(r"login_sent")
        assert not a.carrier()
        r.start().wait_up()
        a.wait_up()
        assert a.ns.ping(ROUTER6, count=3) == 3
