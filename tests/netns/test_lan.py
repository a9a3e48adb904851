# SPDX-License-Identifier: MIT
"""test_lan.py - what a client does to its host: a LAN behind it, firewall, namespaces, hooks, DNS; and that it is undone

    inet  web server 2001:db8:ffff::2
      |
      r   198.18.0.1, 2001:db8:b::/56 delegated to a
      |
      a   198.18.1.2   tap6, firewall; radvd, configured by conf/hooks/radvd
      |-- eth1 2001:db8:b::1/64 -- host   nothing installed: the kernel's own SLAAC
"""

import os
import re
import socket
import time

import pytest

from lab import HERE, PORT, ROUTER4, ROUTER6, TAP, WEB6, Lab, wait_for

PREFIX = "2001:db8:b::/56"
LAN6 = "2001:db8:b::1"
HOOK = os.path.normpath(os.path.join(HERE, "../../conf/hooks/radvd"))
PAGE = b"a page for a phone\n"


def delegate(lab, r):
    """Gives client a the prefix."""
    with open(r.conf, encoding="utf-8") as f:
        text = f.read()
    with open(r.conf, "w", encoding="utf-8") as f:
        f.write(text.replace("{ name: a,", f"{{ name: a, delegate: [ '{PREFIX}' ],"))
    lab.inet.ip(f"route add {PREFIX} via 2001:db8:ffff::1")


def lan_host(lab, a):
    """A host on a's eth1 that has nothing but its kernel."""
    host = lab.ns("host")
    a.ip(f"link add eth1 type veth peer name eth0 netns {host.full}")
    for ns, dev in ((a, "eth1"), (host, "eth0")):
        ns.sysctl(f"net/ipv6/conf/{dev}/accept_dad", 0)
    a.ip("link set eth1 up")
    return host


def delegated(lab, extra="", start=True):
    r = lab.router(clients=["a"], start=False)
    delegate(lab, r)
    r.start().wait_up()
    ns = lab.public("a")
    host = lan_host(lab, ns)
    a = lab.client("a", ns, "lan: { device: eth1 }\n" + extra, start=start)
    return r, a, host


def get(ns, addr, timeout=3.0):
    """What a TCP connection to port 80 brings; None when it is refused or times out."""
    s = ns.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.settimeout(timeout)
    try:
        s.connect((addr, 80))
        s.sendall(b"GET / HTTP/1.0\r\n\r\n")
        got = b""
        while chunk := s.recv(65536):
            got += chunk
        return got
    except OSError:
        return None
    finally:
        s.close()


def listen(lab, ns, port=80):
    """TCP that accepts and closes."""
    s = ns.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    s.bind(("::", port))
    s.listen(16)
    return s


def connects(ns, addr, port=80, timeout=1.0):
    s = ns.socket(socket.AF_INET6, socket.SOCK_STREAM)
    s.settimeout(timeout)
    try:
        s.connect((addr, port))
        return True
    except TimeoutError:
        return False
    finally:
        s.close()


def forwarding(ns):
    with ns.enter(), open("/proc/sys/net/ipv6/conf/all/forwarding", encoding="ascii") as f:
        return f.read().strip()


def ours(ns):
    """Everything that a client may leave in the kernel, but its device."""
    left = [r for r in ns.ip_json("-6", "route", "show", "table", "all") if r.get("protocol") == "166"]
    left += [i for link in ns.ip_json("-6", "addr", "show") for i in link["addr_info"]
             if str(i.get("protocol")) == "166" or i.get("local") == LAN6]
    left += re.findall(r"sixtap-\S+", ns.run("nft", "list", "ruleset").stdout)
    return left


def radvd(lab, a):
    """Starts radvd as soon as the hook has written its file."""
    conf, pid = lab.dir + "/radvd.conf", lab.dir + "/radvd.pid"
    wait_for("radvd.conf", lambda: os.path.exists(conf))
    lab.write("ready", "")
    return lab.process("radvd", a.ns, ["radvd", "-n", "-m", "stderr", "-C", conf, "-p", pid])


def hook(lab):
    """conf/hooks/radvd with the files of this test: a hook hears nothing of the environment it did not come with."""
    path = lab.write("hook", f"#!/bin/sh\nRADVD_CONF={lab.dir}/radvd.conf RADVD_PID={lab.dir}/radvd.pid exec {HOOK}\n", 0o700)
    return f"on_up: {path}\non_change: {path}\non_down: {path}\n"


def test_page_on_a_lan():
    """A host behind a client fetches a page over IPv6; the world cannot connect to it; with firewall: off it can."""
    with Lab() as lab:
        lab.web(PAGE)
        _, a, host = delegated(lab, hook(lab) + "firewall: on\nallow: [ tcp/8080 ]\n", start=False)
        a.start().wait_up()
        radvd(lab, a)
        host.ip("link set eth0 up")
        addr = wait_for("an address by SLAAC", lambda: next((x for x in host.addresses("eth0") if x.startswith("2001:db8:b:")), None))
        wait_for("a default route", lambda: host.ip_json("-6", "route", "show", "default"))
        mtu = a.status()["mtu"]
        with host.enter(), open("/proc/sys/net/ipv6/conf/eth0/mtu", encoding="ascii") as f:
            assert int(f.read()) == mtu, "the tunnel's MTU is advertised"
        wait_for("the page", lambda: PAGE in (get(host, WEB6) or b""))
        assert a.status()["delegated"] == [PREFIX]

        # the world: ping passes, connections do not, neither to the LAN nor to the client
        listen(lab, host)
        listen(lab, a.ns)
        listen(lab, a.ns, 8080)
        own = a.address()
        assert lab.inet.ping(addr) == 1 and lab.inet.ping(own) == 1 and lab.inet.ping(LAN6) == 1
        assert not connects(lab.inet, addr) and not connects(lab.inet, own)
        assert connects(lab.inet, own, 8080), "allow:"
        assert connects(host, LAN6), "the LAN may reach the client"
        # the rest of the prefix is no loop
        out = host.run("ping", "-6", "-n", "-c1", "-W2", "2001:db8:b:77::1", check=False).stdout
        assert "No route" in out or "unreachable" in out, out

        assert a.stop() == 0
        assert not ours(a.ns)
        assert forwarding(a.ns) == "0"
        with open(a.conf, encoding="utf-8") as f:
            text = f.read()
        with open(a.conf, "w", encoding="utf-8") as f:
            f.write(text.replace("firewall: on", "firewall: off"))
        a.start().wait_up()
        wait_for("a connection from outside", lambda: connects(lab.inet, addr))
        assert connects(lab.inet, own)


def test_nothing_is_left():
    """After an end and after kill -9, start, end: no addresses, routes, tables; forwarding and accept_ra as they were."""
    with Lab() as lab:
        _, a, _ = delegated(lab, "firewall: on\ntable: 100\nroutes: [ '2001:db8:77::/48' ]\n", start=False)
        ns = a.ns
        ns.ip("link add wan6 type veth peer name wan6p", "link set wan6 up")
        assert forwarding(ns) == "0" and not ours(ns)

        def up():
            a.start()
            wait_for("the LAN's address", lambda: LAN6 in ns.addresses("eth1"))
            wait_for("both routes in table 100", lambda: len(ns.ip_json("-6", "route", "show", "table", "100")) == 2)
            assert forwarding(ns) == "1"
            assert ns.run("sysctl", "-n", "net.ipv6.conf.wan6.accept_ra").stdout.strip() == "2"
            assert "sixtap-tap6" in ns.run("nft", "list", "ruleset").stdout

        def gone():
            assert not ours(ns), ours(ns)
            assert forwarding(ns) == "0"
            assert ns.run("sysctl", "-n", "net.ipv6.conf.wan6.accept_ra").stdout.strip() == "1"

        up()
        assert a.stop() == 0
        gone()
        up()
        a.kill()
        assert LAN6 in ns.addresses("eth1")
        assert "sixtap-tap6" not in ns.run("nft", "list", "ruleset").stdout, "goes with the process"
        up()
        assert a.stop() == 0
        gone()


@pytest.mark.parametrize("configure", ["netlink", "ra"])
def test_firewall(configure):
    """By default only what was asked for and ICMPv6 comes in; ND, RAs and connections from here work."""
    with Lab() as lab:
        lab.web(PAGE)
        lab.router(clients=["a", "b"])
        a = lab.client("a", lab.public("a"), f"firewall: on\nconfigure: {configure}\n").wait_up()
        b = lab.client("b", lab.public("b"), f"configure: {configure}\n").wait_up()
        assert a.status()["firewall"] and not b.status()["firewall"]
        listen(lab, a.ns)
        listen(lab, b.ns)
        wait_for("the page", lambda: PAGE in (get(a.ns, WEB6) or b""))
        for ns in (lab.inet, b.ns):
            assert ns.ping(a.address()) == 1
            assert not connects(ns, a.address()), "dropped"
        assert connects(a.ns, b.address())
        assert connects(lab.inet, b.address()), "with firewall: off it passes"
        # an answer that nobody asked for
        s = a.ns.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        s.bind(("::", 5300))
        lab.inet.socket(socket.AF_INET6, socket.SOCK_DGRAM).sendto(b"x", (a.address(), 5300))
        assert lab.inet.ping(a.address()) == 1  # behind it in the same queues
        s.setblocking(False)
        with pytest.raises(BlockingIOError):
            s.recv(16)
        assert a.stop() == 0
        assert not ours(a.ns)


def test_no_nftables():
    """A kernel that cannot filter: refused, and the way out is named."""
    with Lab() as lab:
        lab.router(clients=["a"])
        ns = lab.public("a")
        # the name of the table belongs to another process: as good as a kernel that refuses
        owner = lab.process("nft", ns, ["sh", "-c", "mkfifo in; nft -i <in & exec 3>in; "
                                      "echo 'add table ip6 sixtap-tap6 { flags owner; }' >&3; wait"])
        wait_for("a table of somebody else's", lambda: "sixtap-tap6" in ns.run("nft", "list", "ruleset").stdout)
        a = lab.client("a", ns, "firewall: on\n", start=False)
        a.start()
        assert a.wait_exit() == 71
        assert re.search(r"cannot set up the packet filter \(nftables\): .*firewall: off", a.log())
        owner.kill()


def test_netns():
    """The device in another namespace; UDP, and nothing else, stays."""
    with Lab() as lab:
        lab.web(PAGE)
        lab.router(clients=["a"])
        here, there = lab.public("a"), lab.ns("there")
        a = lab.client("a", here, f"netns: {there.full}\nfirewall: on\n")
        wait_for("an echo reply", lambda: there.ping(ROUTER6, wait=0.5))
        assert here.link(TAP) is None
        wait_for("the page", lambda: PAGE in (get(there, WEB6) or b""))
        listen(lab, there)
        addr = next(x for x, i in there.addresses(TAP).items() if i["scope"] == "global")
        assert not connects(lab.inet, addr), "the firewall is where the device is"
        there.ip(f"link set {TAP} mtu 1300")  # the watch is where the device is too
        wait_for("the MTU to be put back", lambda: there.link(TAP)["mtu"] == a.status()["mtu"])
        there.ip(f"addr del {addr}/64 dev {TAP}", f"route del ::/0 dev {TAP}")
        wait_for("the address to be put back", lambda: addr in there.addresses(TAP))
        wait_for("the default route to be put back", lambda: there.ip_json("-6", "route", "show", "default", "dev", TAP))
        wait_for("the page", lambda: PAGE in (get(there, WEB6) or b""))
        # the way to the router changes in the namespace of the socket
        here.ip("link set wan down", "link set wan up", f"route add default via {here.gateway} src {here.addr4}")
        wait_for("an echo reply", lambda: there.ping(ROUTER6, wait=0.5))
        assert a.stop() == 0
        assert there.link(TAP) is None and not ours(there)
        missing = lab.client("a", here, "netns: no-such-namespace\n", start=False)
        missing.start()
        assert missing.wait_exit() == 71
        assert "ip netns add no-such-namespace" in missing.log()


def test_bind_device_and_fwmark():
    """The outer UDP takes the link, or the table, it is told to; the main table leads nowhere."""
    with Lab() as lab:
        lab.router(clients=["a"])
        ns = lab.public("a")
        route = f"default via {ns.gateway} src {ns.addr4}"
        ns.ip("link add dead type veth peer name deadp", "addr add 192.0.2.1/24 dev dead", "link set dead up", "link set deadp up",
              f"route del {route}", "route add default via 192.0.2.2 dev dead", f"route add {route} dev wan metric 900")
        a = lab.client("a", ns, "bind_device: wan\n").wait_up()
        assert a.stop() == 0
        ns.ip(f"route del {route} dev wan metric 900", f"route add {route} dev wan table 77", "rule add fwmark 42 lookup 77")
        a = lab.client("a", ns, "fwmark: 42\n").wait_up()
        assert a.stop() == 0
        # a link that is not there yet
        a = lab.client("a", ns, "fwmark: 42\nbind_device: late\n")
        a.wait_log(r"bind_device: names no link")
        ns.ip("link set wan down", "link set wan name late", "link set late up", f"route add {route} dev late table 77")
        a.wait_up()


def recorder(lab, name, then=""):
    """A program that writes its arguments and environment to NAME.out, one call a file; returns (path, calls())."""
    out = f"{lab.dir}/{name}.out"
    path = lab.write(name, f"#!/bin/sh\nn=$(ls {out}.* 2>/dev/null | wc -l)\n"
                     f"{{ echo \"$0 $*\"; env | sort; echo --; if [ ! -t 0 ]; then cat; fi; }} >{out}.tmp.$$\n"
                     f"grep -h CapEff /proc/self/status >>{out}.tmp.$$\nmv {out}.tmp.$$ {out}.$n\n{then}\n", 0o755)

    def calls():
        found = []
        for n in range(1000):
            if not os.path.exists(f"{out}.{n}"):
                return found
            with open(f"{out}.{n}", encoding="utf-8") as f:
                head, rest = f.read().split("\n", 1)
            env, rest = rest.split("--\n", 1)
            found.append((head.split()[1:], dict(v.split("=", 1) for v in env.splitlines()), rest))
        return found
    return path, calls


def last_is(calls, event):
    got = calls()
    return got and got[-1][0][0] == event and got


def test_hooks():
    """Every hook with its environment; no capability; a change tells what changed; the end is told too."""
    with Lab() as lab:
        r = lab.router(clients=["a"], extra="dns: [ '2001:db8:1::53' ]\nsearch: [ example.org ]\n")
        path, calls = recorder(lab, "hook")
        a = lab.client("a", lab.public("a"), f"on_up: {path}\non_down: hook\non_change: hook\n", start=False)
        os.environ["RUNNER_SECRET"] = "x"
        try:
            a.start().wait_up()
        finally:
            del os.environ["RUNNER_SECRET"]
        wait_for("on_up", calls)
        args, env, rest = calls()[0]
        assert args == ["up", TAP]
        assert "CapEff:\t0000000000000000" in rest
        assert "RUNNER_SECRET" not in env
        assert env["SIXTAP_EVENT"] == "up" and env["SIXTAP_DEVICE"] == TAP and env["PATH"]
        assert env["SIXTAP_ADDRESS"] == a.address() + "/64"
        assert env["SIXTAP_SEGMENT"] == "2001:db8:1::/64" and env["SIXTAP_DEFAULT_ROUTE"] == "1"
        assert env["SIXTAP_ROUTER"] == f"{ROUTER4}:{PORT}" and env["SIXTAP_ROUTER_NAME"] == ROUTER4
        assert env["SIXTAP_ENDPOINT"].startswith(a.ns.addr4 + ":")
        assert env["SIXTAP_DNS"] == "2001:db8:1::53" and env["SIXTAP_SEARCH"] == "example.org"
        assert env["SIXTAP_PREFIXES"] == env["SIXTAP_LAN"] == env["SIXTAP_LAN_PREFIXES"] == env["SIXTAP_NETNS"] == ""
        wait_for("the MTU to be found and told", lambda: calls()[-1][1]["SIXTAP_MTU"] == str(a.status()["mtu"]))
        lab.r.ip("link set sixtap0 down")
        wait_for("on_change", lambda: last_is(calls, "change") and calls()[-1][1]["SIXTAP_DEFAULT_ROUTE"] == "0")
        assert a.stop() == 0
        assert calls()[-1][0] == ["down", TAP]
        assert len([c for c in calls() if c[0][0] != "change"]) == 2
        assert r.running()


def test_hook_that_hangs():
    """It is killed after its time, with its children; meanwhile and afterwards the tunnel goes on. An end waits no longer."""
    with Lab() as lab:
        lab.router(clients=["a"])
        pids = lab.dir + "/pids"
        hang = lab.write("hang", f"#!/bin/sh\ntrap '' TERM\nsleep 1000 &\necho $$ $! >{pids}\nwait\nsleep 1000\n", 0o700)
        a = lab.client("a", lab.public("a"), f"on_up: {hang}\non_down: {hang}\nhook_timeout: 2 s\nhook_privileges: all\n")
        wait_for("the hook to run", lambda: os.path.exists(pids) and os.path.getsize(pids))
        a.wait_up()
        assert a.ns.ping(ROUTER6, count=10) == 10
        a.wait_log(r"hang was killed: it did not end within 2 s")
        with open(pids, encoding="ascii") as f:
            run = f.read().split()
        wait_for("its processes to be gone", lambda: not any(alive(p) for p in run))
        assert a.ns.ping(ROUTER6) == 1
        before = time.monotonic()
        assert a.stop() == 0
        assert time.monotonic() - before < 10
        assert "hang was killed" in a.log()

        # kill -9 takes what runs with it
        os.unlink(pids)
        a.start()
        wait_for("the hook to run", lambda: os.path.exists(pids) and os.path.getsize(pids))
        with open(pids, encoding="ascii") as f:
            run = f.read().split()
        a.kill()
        wait_for("its processes to be gone", lambda: not any(alive(p) for p in run))


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            return f.read().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


@pytest.mark.parametrize("tool", ["resolvectl", "resolvconf"])
def test_dns(tool):
    """Resolvers and search domains are handed over when the tunnel is up and taken back at the end; dns: off does not."""
    with Lab() as lab:
        lab.router(clients=["a"], extra="dns: [ '2001:db8:1::53', '2001:db8:1::54' ]\nsearch: [ example.org, example.net ]\n")
        os.mkdir(lab.dir + "/bin")
        _, calls = recorder(lab, "bin/" + tool)
        ns, old = lab.public("a"), os.environ["PATH"]

        def run(extra):
            a = lab.client("a", ns, extra, start=False)
            # programs that may be there on this machine are not asked
            os.environ["PATH"] = f"{lab.dir}/bin:/usr/bin:/bin"
            try:
                return a.start().wait_up()
            finally:
                os.environ["PATH"] = old

        a = run("")
        if tool == "resolvectl":
            wait_for("both calls", lambda: len(calls()) == 2)
            assert [c[0] for c in calls()] == [["dns", TAP, "2001:db8:1::53", "2001:db8:1::54"],
                                               ["domain", TAP, "example.org", "example.net"]]
        else:
            wait_for("the call", calls)
            assert calls()[0][0] == ["-a", TAP + ".sixtap"]
            assert calls()[0][2].startswith("nameserver 2001:db8:1::53\nnameserver 2001:db8:1::54\n"
                                            "search example.org example.net\n")
        assert "CapEff:\t0000000000001000" in calls()[-1][2]
        n = len(calls())
        assert a.stop() == 0
        assert [c[0] for c in calls()[n:]] == [["revert", TAP] if tool == "resolvectl" else ["-d", TAP + ".sixtap"]]
        n = len(calls())
        a = run("dns: off\n")
        assert a.stop() == 0
        assert len(calls()) == n
