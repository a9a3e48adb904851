# SPDX-License-Identifier: MIT
"""test_renumber.py - another prefix at a reload: nobody's connections notice (R23)

      r  198.18.0.1, sixtap0 (but with `uplink: none`)
      |-- a  198.18.1.2   tap6
      `-- b  198.18.2.2   tap6   has a fixed address
"""

import ipaddress
import signal

import pytest

from lab import TAP, TUN, WEB6, Lab, UdpFlow, wait_for

OLD, NEW = "2001:db8:1::", "2001:db8:2::"
GATEWAY = "2001:db8:{}::1"  # of the provider, where the prefix is on link
DELEGATED = ", delegate: [ 2001:db8:d00::/56 ]"


def globals_of(client):
    """{address: entry} of all that is not link-local."""
    return {a: i for a, i in client.ns.addresses(TAP).items() if i["scope"] == "global"}


def inside(addr, prefix):
    return ipaddress.ip_address(addr) in ipaddress.ip_network(prefix + "/64")


def renumber(router, old=OLD, new=NEW):
    with open(router.conf, encoding="utf-8") as f:
        text = f.read()
    assert old in text
    with open(router.conf, "w", encoding="utf-8") as f:
        f.write(text.replace(old, new))
    router.proc.send_signal(signal.SIGHUP)


def moved(client, old=OLD, new=NEW):
    """Its address in the new prefix, once the one in the old prefix is deprecated."""
    def look():
        have = globals_of(client)
        was = [i for a, i in have.items() if inside(a, old)]
        now = [a for a, i in have.items() if inside(a, new) and not i.get("deprecated")]
        return now and all(i.get("deprecated") for i in was) and now[0]
    return wait_for(f"{client.name}: an address of {new}, the old one deprecated", look)


def in_force(lab, addr):
    """Waits until the router's host takes what comes to @addr. Its kernel lists a new address at once, but a work queue adds
    the local route: until that has run it sends packets to the address back into the TUN, seen beside busy loops."""
    wait_for(f"{addr} on the TUN, with its local route", lambda: addr in lab.r.addresses(TUN) and any(
        i["dst"] == addr and i["type"] == "local" for i in lab.r.ip_json("-6", "route", "show", "table", "local", "dev", TUN)))


def two(lab, configure="netlink", given=None, **router):
    r = lab.router(clients=["a", "b"], given=given, **router)
    a = lab.client("a", lab.public("a"), f"configure: {configure}\n")
    b = lab.client("b", lab.public("b"), f"configure: {configure}\n")
    ping = router.get("ping") or OLD + "1"
    return r, a.wait_up(ping), b.wait_up(ping)


@pytest.mark.parametrize("mode,configure,addressing", [
    ("none", "netlink", "stable"),
    ("none", "ra", "stable"),
    ("none", "ra", "eui64"),
    ("routed", "netlink", "stable"),
    ("nat66", "netlink", "stable"),
])
def test_connections_outlive_the_prefix(mode, configure, addressing):  # R23
    with Lab() as lab:
        fixed = addressing == "stable"
        given = {"a": DELEGATED if mode != "none" else "", "b": f", address: {OLD}b" if fixed else ""}
        r, a, b = two(lab, configure, given, uplink=mode != "none", mode=mode, addressing=addressing)
        before = {c: next(iter(globals_of(c))) for c in (a, b)}
        link_local = lab.pings(a.ns, f"{b.link_local()}%{TAP}")
        flow = UdpFlow(a.ns, b.ns, before[b])
        flow.round_trip()
        world = UdpFlow(a.ns, lab.inet, WEB6) if mode != "none" else None
        if world:
            world.round_trip()
        link_local.wait_more(3)

        renumber(r)
        after = {c: moved(c) for c in (a, b)}
        assert r.status()["prefix"] == f"{NEW}/64"
        if fixed:
            assert after[b] == f"{NEW}b"
        for c in (a, b):
            was = globals_of(c)[before[c]]
            assert was["preferred_life_time"] == 0 and 7000 < was["valid_life_time"] <= 7200
        if mode != "none":
            in_force(lab, f"{NEW}1")
        # both prefixes serve: what used the old one goes on, what is new takes the new one
        for _ in range(20):
            flow.round_trip()
            if world:
                world.round_trip()
        assert flow.a.getsockname()[0] == before[a]
        assert a.ns.ping(after[b]) == 1 and a.ns.ping(f"{NEW}1") == 1 and a.ns.ping(f"{OLD}1") == 1
        source = a.ns.ip_json("-6", "route", "get", after[b])[0]["prefsrc"]
        assert source == after[a]
        if mode != "none":
            on_tun = lab.r.addresses(TUN)
            assert not on_tun[f"{NEW}1"].get("deprecated") and on_tun[f"{OLD}1"].get("deprecated")
        if mode == "nat66":
            assert a.ns.ping(WEB6) == 1, "translated as before"
        link_local.wait_more(3)
        assert link_local.missing() == []
        assert r.log().count(" logged in ") == 2, "nobody logged in anew"

        # and back: the address it had is in force again
        renumber(r, NEW, OLD)
        for c in (a, b):
            assert moved(c, NEW, OLD) == before[c]
        flow.round_trip()
        if world:
            world.round_trip()
            on_tun = lab.r.addresses(TUN)
            assert not on_tun[f"{OLD}1"].get("deprecated") and on_tun[f"{NEW}1"].get("deprecated")


@pytest.mark.parametrize("mode", ["routed", "nat66"])
def test_another_address_of_the_router(mode):  # R23
    with Lab() as lab:
        r, a, b = two(lab, "netlink", {"a": DELEGATED}, mode=mode, extra=f"address: {OLD}1\n")
        world = UdpFlow(a.ns, lab.inet, WEB6)
        world.round_trip()
        renumber(r, f"address: {OLD}1\n", f"address: {OLD}77\n")
        in_force(lab, f"{OLD}77")
        for _ in range(3):
            world.round_trip()
        assert a.ns.ping(WEB6) == 1 and b.ns.ping(f"{OLD}77") == 1
        assert f"{OLD}1" not in lab.r.addresses(TUN)


@pytest.mark.parametrize("mode", ["routed", "nat66"])
def test_the_tun_keeps_no_more_than_the_segment(mode):  # R23
    """Overlapping prefixes end at once, and of the others the oldest goes when there are too many. Each that is kept
    is translated (nat66), for connections that begin only now as well."""
    with Lab() as lab:
        r, a, _ = two(lab, "netlink", {"a": DELEGATED}, mode=mode)
        was = OLD + "/64"
        for now in ("2001:db8:1:0:8000::/65", "2001:db8:1::/48", "2001:db8:2::/64", "2001:db8:3::/64", "2001:db8:4::/64",
                    "2001:db8:5::/64", "2001:db8:6::/64", OLD + "/64"):
            renumber(r, "prefix: " + was, "prefix: " + now)
            own = now.split("/")[0] + "1"
            wait_for(f"{own} on the TUN", lambda own=own: own in lab.r.addresses(TUN)
                     and not lab.r.addresses(TUN)[own].get("deprecated"))
            moved(a, was.split("/")[0], now.split("/")[0]) if now.endswith("/64") and was.endswith("/64") else None
            was = now
        kept = [x for x, i in lab.r.addresses(TUN).items() if i["scope"] == "global"]
        assert sorted(kept) == [OLD + "1", "2001:db8:4::1", "2001:db8:5::1", "2001:db8:6::1"]
        assert a.ns.ping(WEB6) == 1
        if mode == "nat66":
            own = [x for x in globals_of(a) if any(inside(x, p[:-1]) for p in kept)]
            assert len(own) == len(kept)
            for x in own:
                UdpFlow(a.ns, lab.inet, WEB6, source=x).round_trip()


@pytest.mark.parametrize("configure", ["netlink", "ra"])
def test_the_old_address_ends(configure):  # R23
    with Lab() as lab:
        r, a, b = two(lab, configure, uplink=False, extra="advertise: { valid: 4 s, preferred: 2 s }\n")
        old_b = b.address()
        flow = UdpFlow(a.ns, b.ns, old_b)
        renumber(r)
        new_b = moved(b)
        moved(a)
        flow.round_trip()
        for c in (a, b):
            wait_for(f"{c.name}: the old address is gone", lambda c=c: all(inside(x, NEW) for x in globals_of(c)))
        assert a.ns.ping(new_b) == 1
        # nor does the router know it any more (who uses it still draws 1/5: router/test_rules_ra)
        wait_for("nobody has it", lambda: all(old_b not in m["addresses"] for m in r.status()["members"]))


def test_on_link_at_the_wan():  # R23
    """ndproxy: the host has an address in the new prefix, and clients are announced in it."""
    with Lab() as lab:
        lab.r.ip("addr flush dev up0 scope global")
        for i in (1, 2):
            lab.inet.ip(f"addr add {GATEWAY.format(i)}/112 dev eth0 nodad")
            lab.inet.run("ip", "-6", "route", "flush", f"2001:db8:{i}::/64", check=False)
            lab.inet.ip(f"route replace 2001:db8:{i}::/112 dev eth0")
        lab.inet.sysctl("net/ipv6/conf/all/forwarding", 1)
        lab.r.ip(f"addr add {OLD}2/112 dev up0 nodad", f"route add default via {GATEWAY.format(1)}")
        r = lab.router(clients=["a"], mode="ndproxy", prefix=f"{OLD}/112")
        a = lab.client("a", lab.public("a")).wait_up(f"{OLD}2")
        assert lab.inet.ping(a.address()) == 1
        renumber(r)
        r.wait_log("this host has no address in the new one")
        assert r.status()["prefix"] == f"{OLD}/112", "the provider has not changed it yet"
        lab.r.ip(f"addr add {NEW}2/112 dev up0 nodad")
        r.proc.send_signal(signal.SIGHUP)
        new = moved(a)
        wait_for("the provider reaches it", lambda: lab.inet.ping(new, wait=0.5))
        announced = {p["dst"] for p in lab.r.ip_json("-6", "neigh", "show", "proxy", "dev", "up0")}
        assert announced == {new}, "and not by its old address"


def test_without_the_privilege():  # R23
    """A router with a routed prefix and nothing delegated has given it up: it says so and goes on as it was."""
    with Lab() as lab:
        r, a, b = two(lab)
        before = globals_of(a)
        renumber(r)
        r.wait_log("prefix: the new value takes effect when the router is restarted: it has given up the privilege")
        r.wait_log("reloaded:")
        assert r.status()["prefix"] == f"{OLD}/64"
        assert globals_of(a).keys() == before.keys()
        assert a.ns.ping(b.address()) == 1
