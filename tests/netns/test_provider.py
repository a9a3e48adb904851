# SPDX-License-Identifier: MIT
"""test_provider.py - the ways a provider gives a host IPv6, and what clients have of it

    on link   a /64 (or a /112) on the WAN by router advertisements of a real radvd: mode ndproxy
    single    one address: mode nat66
    routed    a prefix routed to the host, and prefixes delegated to clients

inet is the provider's router and the web server behind it (its address is on lo then).
"""

import os
import re
import shutil
import signal
import socket
import struct
import time

import pytest

from lab import Lab, PREFIX, ROUTER6, TUN, WEB6, wait_for

GATEWAY = "2001:db8:1::1"
PROTOCOL = "166"


def fetch(ns, addr=WEB6):
    return ns.run("curl", "-6", "-s", "-m", "10", f"http://[{addr}]/").stdout


def routes(lab):
    return {r["dst"] for r in lab.r.ip_json("-6", "route", "show", "dev", TUN) if r.get("protocol") == PROTOCOL}


def proxies(lab):
    return {p["dst"] for p in lab.r.ip_json("-6", "neigh", "show", "proxy", "dev", "up0")}


def cpu_s(daemon):
    with open(f"/proc/{daemon.proc.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def rss_kib(daemon):
    with open(f"/proc/{daemon.proc.pid}/status", encoding="ascii") as f:
        return int(re.search(r"VmRSS:\s+(\d+)", f.read()).group(1))


def solicitation(src, dst, target, mac):
    """A Neighbor Solicitation, checksum and all."""
    body = b"\x87\x00\x00\x00\x00\x00\x00\x00" + target + b"\x01\x01" + mac
    whole = src + dst + struct.pack("!II", len(body), 58) + body
    total = sum(struct.unpack(f"!{len(whole) // 2}H", whole))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return body[:2] + struct.pack("!H", ~total & 0xFFFF) + body[4:]


def on_link(lab, plen=64):
    """The prefix is on link at the WAN; with a /64 the host has its address and default route from radvd."""
    lab.r.ip("addr flush dev up0 scope global")
    lab.inet.ip(f"addr del {WEB6}/64 dev eth0", f"addr add {WEB6}/128 dev lo",
                f"addr add {GATEWAY}/{plen} dev eth0 nodad")
    lab.inet.run("ip", "-6", "route", "flush", PREFIX, check=False)
    lab.inet.ip(f"route replace 2001:db8:1::/{plen} dev eth0")
    lab.inet.sysctl("net/ipv6/conf/all/forwarding", 1)
    if plen != 64:
        lab.r.ip(f"addr add 2001:db8:1::2/{plen} dev up0 nodad", f"route add default via {GATEWAY}")
        return
    conf = lab.write("radvd.conf", "interface eth0 { AdvSendAdvert on; MinRtrAdvInterval 3; MaxRtrAdvInterval 4;\n"
                     f"prefix {PREFIX} {{ AdvOnLink on; AdvAutonomous on; }}; }};\n", 0o644)
    lab.r.sysctl("net/ipv6/conf/up0/accept_ra", 2)
    lab.process("radvd", lab.inet, ["radvd", "-n", "-C", conf, "-p", os.path.join(lab.dir, "radvd.pid"), "-m", "stderr"])
    wait_for("address and default route from radvd",
             lambda: any(a.startswith("2001:db8:1:") for a in lab.r.addresses("up0")) and
             lab.r.ip_json("-6", "route", "show", "default"))


@pytest.mark.parametrize("plen", [64, 112])
def test_on_link_prefix(plen):
    with Lab() as lab:
        on_link(lab, plen)
        lab.web(b"over ndproxy")
        router = lab.router(["a", "b"], mode="ndproxy", prefix=f"2001:db8:1::/{plen}")
        own = next(a for a in lab.r.addresses("up0") if a.startswith("2001:db8:1:"))
        a, b = lab.client("a", lab.public("a")), lab.client("b", lab.public("b"))
        a.wait_up(ping=WEB6)
        b.wait_up(ping=WEB6)
        addr_a, addr_b = a.address(), b.address()
        assert proxies(lab) == {addr_a, addr_b}
        assert routes(lab) == {addr_a, addr_b}
        assert fetch(a.ns) == "over ndproxy"
        # from outside, from the provider's router, from the host, between clients, to the host and the gateway
        assert lab.inet.ping(addr_b, wait=5)
        assert lab.r.ping(addr_b)
        assert a.ns.ping(addr_b) and b.ns.ping(addr_a)
        assert a.ns.ping(own) and a.ns.ping(GATEWAY)
        # nobody takes the gateway's address
        a.ns.ip(f"addr add {GATEWAY}/128 dev tap6 nodad")
        a.ns.ping(WEB6, count=3)
        a.ns.run("ping", "-6", "-c", "2", "-W", "1", "-I", GATEWAY, WEB6, check=False)
        assert GATEWAY not in proxies(lab) | routes(lab)
        assert b.ns.ping(GATEWAY)
        # who leaves is not announced any more
        a.stop()
        wait_for("a is withdrawn", lambda: proxies(lab) == {addr_b} and routes(lab) == {addr_b})
        router.stop()
        assert proxies(lab) == set()


def test_on_link_after_a_crash():
    """What a killed router leaves on the WAN is swept by the next; its own stop leaves nothing."""
    with Lab() as lab:
        on_link(lab)
        lab.r.run("ip", "-6", "neigh", "add", "proxy", "2001:db8:1::99", "dev", "up0")
        router = lab.router(["a", "b"], mode="ndproxy")
        a = lab.client("a", lab.public("a")).wait_up(ping=WEB6)
        addr = a.address()
        router.kill()
        assert proxies(lab) == {addr, "2001:db8:1::99"}
        a.kill()
        router.start().wait_up()
        assert proxies(lab) == {"2001:db8:1::99"}, "what the operator set stays"
        assert "took 1 proxy entries" in router.log()
        a.start()
        a.wait_up(ping=WEB6)
        assert proxies(lab) == {addr, "2001:db8:1::99"}
        router.stop()
        assert proxies(lab) == {"2001:db8:1::99"}
        a.stop()


def test_settings_after_a_crash():
    """What a killed router set on the WAN is not taken for the operator's: the next one puts it back."""
    with Lab() as lab:
        on_link(lab)

        def settings():
            return [lab.r.run("cat", f"/proc/sys/net/ipv6/{key}").stdout.strip()
                    for key in ("conf/up0/proxy_ndp", "neigh/up0/proxy_delay")]
        assert settings() == ["0", "80"]
        router = lab.router(["a"], mode="ndproxy")
        assert settings() == ["1", "0"]
        router.kill()
        router.start().wait_up()
        a = lab.client("a", lab.public("a")).wait_up(ping=WEB6)
        assert lab.inet.ping(a.address(), wait=5)
        router.kill()
        assert settings() == ["1", "0"]
        router.start().wait_up()
        router.stop()
        assert settings() == ["0", "80"]
        assert not lab.r.ip_json("-6", "route", "show", "table", "all", "proto", PROTOCOL)
        a.stop()


def test_first_packet_and_scan():
    """The first packet from outside to a new client; then a scan of 10^5 unused addresses costs the router nothing."""
    with Lab() as lab:
        on_link(lab)
        router = lab.router(["a"], mode="ndproxy")
        a = lab.client("a", lab.public("a")).wait_up(ping=GATEWAY)
        out = lab.inet.run("ping", "-6", "-n", "-c", "1", "-W", "5", a.address()).stdout
        first = float(re.search(r"time=([\d.]+)", out).group(1))
        print(f"first packet through ndproxy: {first} ms")
        assert first < 500, "the kernel's default proxy_delay would make it wait"

        mac = bytes.fromhex(lab.inet.link("eth0")["address"].replace(":", ""))
        sniff = lab.sniff(a.ns, "tap6")
        s = lab.inet.socket(socket.AF_PACKET, socket.SOCK_RAW, 0)
        with lab.inet.enter():
            s.bind(("eth0", 0))
        before_cpu, before_rss = cpu_s(router), rss_kib(router)
        src = bytes.fromhex("fe80") + bytes(6) + bytes([mac[0] ^ 2]) + mac[1:3] + b"\xff\xfe" + mac[3:]
        begin = time.monotonic()
        for i in range(100000):
            target = bytes.fromhex("20010db800010000") + struct.pack("!Q", 0x1000000000000 + i)
            group = bytes.fromhex("ff0200000000000000000001ff") + target[13:]
            nd = solicitation(src, group, target, mac)
            s.send(b"\x33\x33\xff" + target[13:] + mac + b"\x86\xdd\x60\x00\x00\x00" +
                   struct.pack("!HBB", len(nd), 58, 255) + src + group + nd)
        took = time.monotonic() - begin
        cpu, rss = cpu_s(router) - before_cpu, rss_kib(router) - before_rss
        print(f"scan of 100000 addresses in {took:.1f} s: router's CPU {cpu:.2f} s, RSS {rss:+d} KiB")
        assert lab.inet.ping(a.address(), wait=5)
        assert cpu < 0.5 and rss < 1024
        assert not any(b"\x87\x00" == f[54:56] and b"\x20\x01\x0d\xb8\x00\x01\x00\x00\x00\x01" in f
                       for f in sniff.frames(outgoing=False)), "a client heard of the scan"
        assert proxies(lab) == {a.address()}


def test_nat66():
    with Lab() as lab:
        lab.inet.run("ip", "-6", "route", "flush", PREFIX)
        lab.web(b"over nat66")
        router = lab.router(["a"], mode="nat66", prefix="")
        assert f"sixtap-{TUN}" in lab.r.run("nft", "list", "ruleset").stdout
        assert "CapEff:\t0000000000000000" in open(f"/proc/{router.proc.pid}/status", encoding="ascii").read()
        a = lab.client("a", lab.public("a")).wait_up(ping=WEB6)
        assert a.address().startswith("fd")
        assert fetch(a.ns) == "over nat66"
        lab.r.run("nft", "flush", "ruleset")
        assert fetch(a.ns) == "over nat66", "the table is the router's own"
        router.kill()
        assert f"sixtap-{TUN}" not in lab.r.run("nft", "list", "ruleset").stdout
        router.start().wait_up()
        wait_for("back", lambda: a.ns.ping(WEB6, wait=0.5))
        router.stop()
        assert "sixtap" not in lab.r.run("nft", "list", "ruleset").stdout
        a.stop()


@pytest.mark.parametrize("mode", ["routed", "nat66", "ndproxy"])
def test_r52_the_routers_own_address_from_outside(mode):  # R52
    """What others send to clients in the name of the router's own address is dropped and counted; its own words pass."""
    with Lab() as lab:
        if mode == "ndproxy":
            on_link(lab, 112)
        own = "2001:db8:1::2" if mode == "ndproxy" else ROUTER6
        prefix = "2001:db8:1::/112" if mode == "ndproxy" else PREFIX
        router = lab.router(["a"], mode=mode, prefix=prefix, given={"a": ", delegate: [ '2001:db8:b::/56' ]"})
        a = lab.client("a", lab.public("a")).wait_up(ping=WEB6)
        seen = lab.sniff(a.ns, "tap6")

        def forge(src, marker, to):
            s = lab.inet.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            s.setsockopt(socket.IPPROTO_IPV6, 75, 1)  # IPV6_TRANSPARENT
            s.bind((src, 0))
            s.sendto(marker, (to, 9))

        def counted():
            return [int(n) for n in re.findall(r"counter packets (\d+)", lab.r.run("nft", "list", "table", "ip6",
                                                                                  f"sixtap-{TUN}").stdout)]
        forge(own, b"in its name", a.address())
        forge("2001:db8:77::1", b"in another name", a.address())
        seen.wait(b"in another name")
        assert not seen.has(b"in its name") and counted() == [1]
        assert lab.r.ping(a.address()) == 1 and a.ns.ping(own) == 1
        assert seen.has(bytes.fromhex("20010db8000100000000000000000002" if mode == "ndproxy" else
                                      "20010db8000100000000000000000001"))
        if mode == "ndproxy":
            return
        # the former address as long as it is there, and the new one
        with open(router.conf, encoding="utf-8") as f:
            text = f.read()
        lab.write("router.yaml", text.replace(PREFIX, "2001:db8:2::/64"))
        router.proc.send_signal(signal.SIGHUP)
        lab.inet.ip("route add 2001:db8:2::/64 via 2001:db8:ffff::1")
        wait_for("rules for both", lambda: counted() == [0, 0])
        new = wait_for("the new address", lambda: next((x for x in a.ns.addresses("tap6") if "2001:db8:2:" in x), None))
        for src, marker in ((own, b"in its old name"), ("2001:db8:2::1", b"in its new name"),
                            ("2001:db8:77::1", b"once more in another")):
            forge(src, marker, new)
        seen.wait(b"once more in another")
        assert not seen.has(b"in its old name") and not seen.has(b"in its new name") and counted() == [1, 1]
        assert lab.r.ping(new) == 1


def test_delegated_prefix():
    with Lab() as lab:
        lab.inet.ip("route add 2001:db8:a::/48 via 2001:db8:ffff::1")
        lab.web(b"delegated")
        router = lab.router(["a", "b"], given={"a": ", delegate: [ '2001:db8:a::/56', '2001:db8:a:ff00::/64' ]",
                                               "b": ", address: '2001:db8:1::b'"})
        a, b = lab.client("a", lab.public("a")).wait_up(), lab.client("b", lab.public("b")).wait_up()
        assert b.address() == "2001:db8:1::b"
        assert routes(lab) == {"2001:db8:a::/56", "2001:db8:a:ff00::/64"}
        assert router.member("a")["delegated"] == ["2001:db8:a::/56", "2001:db8:a:ff00::/64"]
        a.ns.ip("addr add 2001:db8:a:1::5/128 dev lo")
        assert lab.inet.ping("2001:db8:a:1::5", wait=5)
        assert b.ns.ping("2001:db8:a:1::5")
        assert a.ns.run("ping", "-6", "-c", "1", "-W", "5", "-I", "2001:db8:a:1::5", WEB6).returncode == 0
        # what nobody behind it has ends there
        done = b.ns.run("ping", "-6", "-n", "-c", "1", "-W", "2", "2001:db8:a:2::5", check=False)
        assert "nreachable" in done.stdout, done.stdout
        a.stop()
        wait_for("the routes are withdrawn", lambda: routes(lab) == set())
        a.start()
        a.wait_up()
        wait_for("the routes are back", lambda: len(routes(lab)) == 2)
        lab.r.ip(f"link set {TUN} down")
        wait_for("the routes went with the device", lambda: routes(lab) == set())
        lab.r.ip(f"link set {TUN} up")
        wait_for("and are set again", lambda: len(routes(lab)) == 2)
        wait_for("in use", lambda: lab.inet.ping("2001:db8:a:1::5", wait=0.5))


def test_traceroute():
    """One hop for the router, one for the server (R39)."""
    with Lab() as lab:
        lab.router(["a", "b"])
        a, b = lab.client("a", lab.public("a")).wait_up(), lab.client("b", lab.public("b")).wait_up()

        def hops(ns, to):
            out = ns.run("traceroute", "-6", "-n", "-q", "1", "-w", "3", "-m", "6", to).stdout
            return re.findall(r"^ *\d+ +(\S+)", out, re.M)
        assert hops(a.ns, WEB6) == [ROUTER6, WEB6]
        assert hops(lab.inet, a.address()) == ["2001:db8:ffff::1", a.address()]
        assert hops(a.ns, b.address()) == [b.address()], "one link"


@pytest.mark.skipif(not shutil.which("mtr"), reason="mtr is not installed")
@pytest.mark.parametrize("probe", [[], ["--udp"], ["--tcp", "--port", "80"]], ids=["icmp", "udp", "tcp"])
def test_mtr(probe):
    """The same with each of its kinds of probe: every hop answers, none twice."""
    with Lab() as lab:
        lab.web(b"there")
        lab.router(["a"])
        a = lab.client("a", lab.public("a")).wait_up()

        def hops(ns, to):
            out = ns.run("mtr", "-6", "-n", "-c", "2", "-i", "0.2", "-G", "1", "-m", "6", "--report", "--report-wide", *probe,
                         to).stdout
            return re.findall(r"^ *\d+\.\|-- (\S+) +([\d.]+)%", out, re.M)
        wait_for("the host behind the uplink", lambda: a.ns.ping(WEB6, wait=0.5))
        assert hops(a.ns, WEB6) == [(ROUTER6, "0.0"), (WEB6, "0.0")]


def test_check_tells_what_the_host_lacks():
    with Lab() as lab:
        lab.r.sysctl("net/ipv6/conf/all/forwarding", 0)
        lab.r.run("nft", "add table inet fw; add chain inet fw f { type filter hook forward priority 0; policy drop; };"
                  "add chain inet fw i { type filter hook input priority 0; policy drop; }")
        r = lab.router(["a"], start=False)
        done = lab.r.run(r.program, "check", "-c", r.conf)
        said = done.stdout + done.stderr
        for words in ("all.forwarding=1", "nft insert rule inet fw f iifname sixtap0 accept",
                      "nft insert rule inet fw i udp dport 6464 accept"):
            assert words in said, said
        # the prefix is on link at the WAN, where this host has the very address that is looked for first
        lab.r.ip("addr add 2001:db8:1::2/64 dev up0 nodad")
        done = lab.r.run(r.program, "check", "-c", r.conf)
        assert "is on link at up0" in done.stdout + done.stderr
        lab.r.ip("addr del 2001:db8:1::2/64 dev up0")
        r = lab.router(["a"], start=False, mode="ndproxy")
        lab.r.sysctl("net/ipv6/conf/all/forwarding", 1)
        r.start()
        assert r.wait_exit() != 0
        assert "ndproxy needs" in r.log()
