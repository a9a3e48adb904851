# SPDX-License-Identifier: MIT
"""test_neighbor.py - Neighbor Discovery as the real kernel does it, against the router's engine

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1, engine fe80::EUI-64 of c6:12:00:01:19:40
      |-- a  198.18.1.2   tap6
      `-- b  198.18.2.2   tap6
"""

from socket import AF_INET6, inet_ntop, inet_pton

import pytest
from scapy.layers.inet6 import (ICMPv6ND_NA, ICMPv6ND_NS, ICMPv6ND_RA, ICMPv6ND_RS, ICMPv6NDOptDstLLAddr,
                                ICMPv6NDOptMTU, ICMPv6NDOptPrefixInfo, ICMPv6NDOptSrcLLAddr, IPv6)
from scapy.layers.l2 import Ether
from scapy.utils6 import in6_getnsma, in6_getnsmac

from lab import PREFIX, ROUTER6, TAP, Injector, Lab, eui64, fold_mac, wait_for

ROUTER_MAC = fold_mac("198.18.0.1", 6464)
ROUTER_LL = eui64("fe80::/64", ROUTER_MAC)


def packets(sniffer, layer, outgoing=None):
    return [p for p in map(Ether, sniffer.frames(outgoing)) if layer in p]


def two_clients(lab, configure="netlink", addressing="stable"):
    r = lab.router(clients=["a", "b"], addressing=addressing)
    a = lab.client("a", lab.public("a"), f"configure: {configure}\n").wait_up()
    b = lab.client("b", lab.public("b"), f"configure: {configure}\n").wait_up()
    return r, a, b


def solicit(client):
    """A Router Solicitation; a kernel that has seen an RA never sends one by itself."""
    Injector(client.ns, TAP).send(Ether(src=client.mac(), dst="33:33:00:00:00:02")
                                  / IPv6(src=client.link_local(), dst="ff02::2", hlim=255)
                                  / ICMPv6ND_RS() / ICMPv6NDOptSrcLLAddr(lladdr=client.mac()))


def test_cache_holds_the_owners_mac():
    """The asker's kernel learns from the router's answer whose MAC an address has, and confirms it from the owner."""
    with Lab() as lab:
        _, a, b = two_clients(lab)
        heard_b = lab.sniff(b.ns, TAP)
        assert a.ns.ping(b.address(), count=3) == 3
        assert a.ns.ping(b.link_local(), dev=TAP) == 1
        for target in (b.address(), b.link_local()):
            entry = a.ns.neighbor(TAP, target)
            assert entry["lladdr"] == b.mac()
            assert set(entry["state"]) <= {"REACHABLE", "DELAY", "STALE", "PROBE"}
        assert a.ns.neighbor(TAP, ROUTER6)["lladdr"] == ROUTER_MAC

        # no solicitation was flooded to b: what a asked by multicast, the router answered
        asked = [p for p in packets(heard_b, ICMPv6ND_NS, outgoing=False) if p[IPv6].dst.startswith("ff")]
        assert not asked

        # an entry that was confirmed goes through STALE and PROBE with b's own unicast answer
        a.ns.ip(f"neigh replace {b.address()} lladdr {b.mac()} nud probe dev {TAP}")
        wait_for("b itself to answer the probe",
                 lambda: "REACHABLE" in a.ns.neighbor(TAP, b.address())["state"])
        probes = [p for p in packets(heard_b, ICMPv6ND_NS, outgoing=False) if p[ICMPv6ND_NS].tgt == b.address()]
        assert probes and all(p[IPv6].dst == b.address() for p in probes)


def test_nobody_is_silence():
    with Lab() as lab:
        r, a, _ = two_clients(lab)
        heard = lab.sniff(a.ns, TAP)
        before = r.drops("nd_unknown")
        assert a.ns.ping("2001:db8:1::dead", wait=0.5) == 0
        wait_for("the router to count it", lambda: r.drops("nd_unknown") > before)
        assert "lladdr" not in (a.ns.neighbor(TAP, "2001:db8:1::dead") or {})
        answers = [p for p in packets(heard, ICMPv6ND_NA, outgoing=False) if p[ICMPv6ND_NA].tgt.endswith("dead")]
        assert not answers


@pytest.mark.parametrize("addressing", ["stable", "eui64"])
def test_router_advertisement(addressing):
    """One RA comes unasked at log-in; another when asked; the kernel takes route, MTU and (eui64) address from it."""
    with Lab() as lab:
        lab.router(clients=["a"], addressing=addressing)
        a = lab.client("a", lab.public("a"), "configure: ra\n").wait_up()
        heard = lab.sniff(a.ns, TAP)
        routes = a.default_route()
        assert len(routes) == 1
        assert (routes[0]["protocol"], routes[0]["gateway"], routes[0]["pref"]) == ("ra", ROUTER_LL, "low")

        solicit(a)
        ra = wait_for("an RA", lambda: packets(heard, ICMPv6ND_RA))[0]
        assert (ra[Ether].src, ra[IPv6].src, ra[IPv6].hlim) == (ROUTER_MAC, ROUTER_LL, 255)
        assert ra[ICMPv6ND_RA].routerlifetime > 0
        assert ra[ICMPv6ND_RA].prf == 3, "preference low"
        prefix = ra[ICMPv6NDOptPrefixInfo]
        assert f"{prefix.prefix}/{prefix.prefixlen}" == PREFIX
        assert (prefix.L, prefix.A) == (1, 1 if addressing == "eui64" else 0)
        assert ra[ICMPv6NDOptMTU].mtu == a.ns.link(TAP)["mtu"]


def test_router_without_uplink_is_no_default_router():
    with Lab() as lab:
        lab.router(clients=["a"], addressing="eui64", uplink=False)
        a = lab.client("a", lab.public("a"), "configure: ra\n").wait_up()
        heard = lab.sniff(a.ns, TAP)
        solicit(a)
        ra = wait_for("an RA", lambda: packets(heard, ICMPv6ND_RA))[0]
        assert ra[ICMPv6ND_RA].routerlifetime == 0
        assert not a.default_route()


def test_no_duplicate_with_dad_on():
    """Hosts that insist on duplicate address detection find none, and an address of another is defended."""
    with Lab() as lab:
        lab.router(clients=["a", "b"])
        ns_a, ns_b = lab.public("a"), lab.public("b")
        for ns in (ns_a, ns_b):
            ns.sysctl("net/ipv6/conf/default/accept_dad", 2)
        a = lab.client("a", ns_a).wait_up()
        b = lab.client("b", ns_b).wait_up()
        for c in (a, b):
            infos = c.ns.ip_json("-6", "addr", "show", "dev", TAP)[0]["addr_info"]
            assert infos and not any(i.get("dadfailed") or i.get("tentative") for i in infos)
        ns_b.ip(f"addr add 2001:db8:1::77/64 dev {TAP}")
        wait_for("b's own new address", lambda: "2001:db8:1::77" in ns_b.addresses(TAP))
        assert ns_a.ping("2001:db8:1::77", count=2) == 2

        # a takes b's address: detection by the kernel fails, b goes on
        heard_b = lab.sniff(ns_b, TAP)
        ns_a.sysctl(f"net/ipv6/conf/{TAP}/accept_dad", 1)
        for stolen in ("2001:db8:1::77", b.address()):
            ns_a.ip(f"addr add {stolen}/64 dev {TAP}")
            wait_for(f"{stolen} to be found a duplicate", lambda s=stolen: any(
                i["local"] == s and i.get("dadfailed")
                for i in ns_a.ip_json("-6", "addr", "show", "dev", TAP)[0]["addr_info"]))
            ns_a.ip(f"addr del {stolen}/64 dev {TAP}")
            assert lab.r.ping(stolen) == 1
        dad = [p for p in packets(heard_b, ICMPv6ND_NS, outgoing=False) if p[IPv6].src == "::"]
        assert not dad, "the owner never hears that its address was asked for"


def test_router_defends_its_own():
    with Lab() as lab:
        _, a, _ = two_clients(lab)
        for own in (ROUTER6, ROUTER_LL):
            a.ns.ip(f"addr add {own}/64 dev {TAP}")
            wait_for(f"{own} to be found a duplicate", lambda s=own: any(
                i["local"] == s and i.get("dadfailed")
                for i in a.ns.ip_json("-6", "addr", "show", "dev", TAP)[0]["addr_info"]))
            a.ns.ip(f"addr del {own}/64 dev {TAP}")
        wait_for("the router to be reached again", lambda: a.ns.ping(ROUTER6, wait=0.5))


def test_answers_field_by_field():
    """What the kernel's cache does not show: flags, option and source of the router's answers."""
    with Lab() as lab:
        _, a, b = two_clients(lab)
        heard, inject = lab.sniff(a.ns, TAP), Injector(a.ns, TAP)
        for target, mac, own in ((b.address(), b.mac(), 0), (b.link_local(), b.mac(), 0), (ROUTER6, ROUTER_MAC, 1),
                                 (ROUTER_LL, ROUTER_MAC, 1)):
            group = in6_getnsma(inet_pton(AF_INET6, target))
            inject.send(Ether(src=a.mac(), dst=in6_getnsmac(group))
                        / IPv6(src=a.link_local(), dst=inet_ntop(AF_INET6, group), hlim=255)
                        / ICMPv6ND_NS(tgt=target) / ICMPv6NDOptSrcLLAddr(lladdr=a.mac()))
            p = wait_for(f"an NA for {target}", lambda t=target: [
                p for p in packets(heard, ICMPv6ND_NA, outgoing=False) if p[ICMPv6ND_NA].tgt == t])[0]
            source = ROUTER6 if target == ROUTER6 else ROUTER_LL
            assert (p[Ether].src, p[IPv6].src, p[IPv6].hlim) == (ROUTER_MAC, source, 255)
            assert (p[Ether].dst, p[IPv6].dst) == (a.mac(), a.link_local())
            na = p[ICMPv6ND_NA]
            assert (na.R, na.S, na.O) == (own, 1, own), "a proxy's answer does not override (RFC 4861 7.2.8)"
            assert p[ICMPv6NDOptDstLLAddr].lladdr == mac


def test_ndisc6():
    """An implementation that is not the kernel's. (ndisc6 takes no answer of a proxy, so the router's own address.)"""
    with Lab() as lab:
        _, a, _ = two_clients(lab)
        if a.ns.run("sh", "-c", "command -v ndisc6", check=False).returncode != 0:
            pytest.skip("ndisc6 is not installed")
        assert ROUTER_MAC in a.ns.run("ndisc6", "-1", "-r", "10", ROUTER_LL, TAP).stdout.lower()
        text = a.ns.run("rdisc6", "-1", "-r", "10", TAP).stdout
        assert f"from {ROUTER_LL}" in text and PREFIX in text
