# SPDX-License-Identifier: MIT
"""test_tools.py - other people's tools against the segment: what shows what is there, and what is written to hurt

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- a  198.18.1.2   tap6             where the tools run (ndisc6, radvd's radvdump, thc-ipv6)
      |-- b  198.18.2.2   tap6             <- watched
      `-- c  198.18.3.2   tap6             <- watched; pings b all the time

Every attack runs for part of a second and is ended by its pid; a's device lets 10 Mbit/s of it out (some 15 000 packets a
second), so that the tests show the same on a slow machine under a sanitizer: what a flood costs is measured by
tests/bench/nd_flood.py. Afterwards the others' neighbor caches, routes and addresses are what they were, no ping was
lost, the router has not grown and has not talked much. That the tool did send is seen from a's device.
"""

import re
import signal
import time

import pytest
from lab import PREFIX, ROUTER6, TAP, WEB6, Lab, eui64, fold_mac, wait_for

ROUTER_MAC = fold_mac("198.18.0.1", 6464)
ROUTER_LL = eui64("fe80::/64", ROUTER_MAC)
RSS_ROOM = 4 << 20
SECONDS = 0.25
SLEEPERS = ("atk6-denial6",)


def rss(daemon):
    with open(f"/proc/{daemon.proc.pid}/status", encoding="ascii") as f:
        return next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmRSS"))


def knows(client):
    """Addresses, routes and MTU of a host, without what changes by itself."""
    ns = client.ns
    return (sorted(ns.addresses(TAP)),
            sorted((r["dst"], r.get("gateway"), r.get("dev"), r.get("pref")) for r in ns.ip_json("-6", "route")),
            ns.link(TAP)["mtu"])


def believes(client):
    """What a host holds for true of its neighbors: {address: (MAC, is it a router)}"""
    return {n["dst"]: (n["lladdr"], "router" in n) for n in client.ns.ip_json("-6", "neigh", "show", "dev", TAP)
            if "lladdr" in n}


class Scene:
    def __init__(self, lab, extra="multicast: true\n"):
        self.lab = lab
        self.r = lab.router(clients=["a", "b", "c"], extra=extra)
        self.a, self.b, self.c = (lab.client(n, lab.public(n), "configure: ra\n").wait_up() for n in "abc")
        for x in (self.b, self.c):
            for y in (ROUTER6, WEB6, self.a.address(), self.b.address(), self.c.address()):
                assert x.ns.ping(y) == 1
        self.flow = lab.pings(self.c.ns, self.b.address(), interval=0.02)
        self.flow.wait_more(3)
        self.a.ns.run("tc", "qdisc", "add", "dev", TAP, "root", "tbf", "rate", "10mbit", "burst", "64kb", "limit", "200kb")
        self.before = None

    def remember(self):
        self.before = [(x, knows(x), believes(x)) for x in (self.b, self.c)]

    def truth(self):
        """Who is who, as the router knows it."""
        told = {ROUTER_LL: ROUTER_MAC, ROUTER6: ROUTER_MAC}
        for m in self.r.status()["members"]:
            told.update(dict.fromkeys(m["addresses"] + [m["link_local"]], m["mac"]))
        return told

    def sent(self):
        with self.a.ns.enter(), open("/proc/thread-self/net/dev", encoding="ascii") as f:
            return next(int(x.split()[10]) for x in f if x.strip().startswith(TAP + ":"))

    def start(self, name, *argv):
        return self.lab.process(f"{name}-{len(self.lab.processes)}", self.a.ns, [name, *argv])

    def start_sleeper(self, name, *argv):
        """A tool that first says what it will do and then waits for seconds whether anybody objects: it goes on waiting while
        it is stopped, and others have their turn."""
        tool = self.start("stdbuf", "-oL", name, *argv)
        tool.wait_log(r"(?i)control-c|ctrl")
        tool.proc.send_signal(signal.SIGSTOP)
        return tool

    def attack(self, name, *argv, sleeper=None):
        """Runs a tool on a, or a sleeper on, for SECONDS, or until it ends; how many frames left a's device."""
        sent = self.sent()
        tool = sleeper or self.start(name, *argv)
        if sleeper:
            sleeper.proc.send_signal(signal.SIGCONT)
        wait_for(f"{name} to send, or end", lambda: self.sent() > sent or not tool.running())
        end = time.monotonic() + SECONDS
        while tool.running() and time.monotonic() < end:
            self.flow.wait_more(1)
        if tool.running():
            tool.kill()
        tool.expected = tool.proc.wait()
        wait_for(f"a frame of {name} on a's device", lambda: self.sent() > sent, timeout=5)
        return self.sent() - sent


@pytest.fixture(scope="module")
def scene():
    with Lab() as lab:
        yield Scene(lab)


# ---- what shows what is there ----


def test_ndisc6(scene):  # R8
    """R8: the router's own addresses; -m waits for all answers and finds one."""
    a = scene.a
    for own in (ROUTER6, ROUTER_LL):
        text = a.ns.run("ndisc6", "-m", "-r", "2", "-w", "300", own, TAP).stdout.lower()
        assert text.count(ROUTER_MAC) == 1, "one router, one answer"
    assert a.ns.run("ndisc6", "-r", "2", "-w", "200", "2001:db8:1::dead", TAP, check=False).returncode != 0


def test_rdisc6(scene):  # R17
    """R16, R17, R24: each field, as another program reads it."""
    text = scene.a.ns.run("rdisc6", "-1", "-r", "10", TAP).stdout
    fields = dict(re.findall(r"^ *([A-Z][A-Za-z .-]+?) *: +(.+?) *$", text, re.M))
    assert f"from {ROUTER_LL}" in text
    assert fields["Hop limit"].startswith("64")
    assert fields["Router lifetime"].startswith("1800 "), "0 or MaxRtrAdvInterval..9000 s"
    assert fields["Router preference"] == "low"
    assert (fields["Stateful address conf."], fields["Stateful other conf."]) == ("No", "No")
    assert fields["Prefix"] == PREFIX
    assert (fields["On-link"], fields["Autonomous address conf."]) == ("Yes", "No")
    valid, preferred = (int(fields[k].split()[0]) for k in ("Valid time", "Pref. time"))
    assert 0 < preferred <= valid
    assert fields["MTU"].startswith(f"{scene.a.ns.link(TAP)['mtu']} bytes (valid)")
    assert fields["Source link-layer address"].lower() == ROUTER_MAC


def test_radvdump():  # R25
    """R25 and the rest: radvd's own reader writes down the configuration that would make this RA."""
    extra = ("dns: [ 2001:db8::53, 2001:db8::54 ]\nsearch: [ example.net, a.example.org ]\n"
             "routes: [ 2001:db8:5::/48, 2001:db8:6:7::/64 ]\n")
    with Lab() as lab:
        lab.router(clients=["a"], addressing="eui64", extra=extra)
        ns = lab.public("a")
        a = lab.client("a", ns, "configure: ra\n").wait_up()
        dump = lab.process("radvdump", ns, ["stdbuf", "-oL", "radvdump"])

        def read():
            ns.run("rdisc6", "-1", "-r", "1", "-w", "300", TAP, check=False)
            return "End of interface definition" in dump.log()
        wait_for("radvdump to write it down", read)
        dump.kill()
        text = re.sub(r"\s+", " ", dump.log())
        assert f"# based on Router Advertisement from {ROUTER_LL}" in text
        assert "# received by interface " + TAP in text
        for line in ("AdvSendAdvert on;", "AdvManagedFlag off;", "AdvOtherConfigFlag off;", "AdvReachableTime 0;",
                     "AdvRetransTimer 0;", "AdvCurHopLimit 64;", "AdvDefaultLifetime 1800;", "AdvDefaultPreference low;",
                     "AdvSourceLLAddress on;", f"AdvLinkMTU {a.ns.link(TAP)['mtu']};", f"prefix {PREFIX}", "AdvOnLink on;",
                     "AdvAutonomous on;", "AdvValidLifetime 86400;", "AdvPreferredLifetime 14400;",
                     "route 2001:db8:5::/48", "route 2001:db8:6:7::/64", "AdvRouteLifetime 1800;",
                     "RDNSS 2001:db8::53 2001:db8::54", "AdvRDNSSLifetime 1800;", "DNSSL example.net a.example.org",
                     "AdvDNSSLLifetime 1800;"):
            assert line in text, f"{line} is not in\n{text}"
        assert "unknown" not in text.lower() and "invalid" not in text.lower()


# ---- what is written to hurt ----

EVIL = "2001:db8:bad::/64"


def attacks(s):
    """(name, tool and arguments). Not here: flood_mld26, whose packets of 1 510 octets no device of this MTU takes;
    test_flood.py has the same as fits."""
    b, c, me = s.b.address(), s.c.address(), s.a.link_local()
    rows = [(f"fake_router26 {' '.join(e)}", ["atk6-fake_router26", *e, "-A", EVIL, "-R", "::/0", "-D", "2001:db8:bad::53",
                                              "-p", "high", "-M", "1280", "-i", "1", TAP])
            for e in ([], ["-E", "H"], ["-E", "D"], ["-E", "F"], ["-E", "1"], ["-E", "H111"], ["-E", "O"], ["-E", "o"],
                      ["-s", ROUTER_LL], ["-s", ROUTER_LL, "-S", ROUTER_MAC], ["-l", "0", "-s", ROUTER_LL])]
    rows += [
        ("fake_router6", ["atk6-fake_router6", TAP, EVIL]),
        ("kill_router6", ["atk6-kill_router6", TAP, ROUTER_LL]),
        ("kill_router6 hop-by-hop", ["atk6-kill_router6", "-H", TAP, ROUTER_LL]),
        ("fake_advertise6 c", ["atk6-fake_advertise6", "-n", "3", "-w", "0", TAP, c]),
        ("fake_advertise6 c to b", ["atk6-fake_advertise6", "-s", "-n", "3", "-w", "0", TAP, c, b]),
        ("fake_advertise6 router", ["atk6-fake_advertise6", "-r", "-n", "3", "-w", "0", TAP, ROUTER6, b]),
        ("fake_advertise6 in fragments", ["atk6-fake_advertise6", "-F", "-n", "3", "-w", "0", TAP, c, b]),
        ("fake_solicitate6", ["atk6-fake_solicitate6", TAP, c, b]),
        ("redir6", ["atk6-redir6", TAP, b, WEB6, ROUTER_LL, me]),
        ("flood_redir6", ["atk6-flood_redir6", TAP, b, ROUTER_LL]),
        ("toobig6", ["atk6-toobig6", "-u", TAP, b, c, "1280"]),
        ("smurf6", ["atk6-smurf6", TAP, b]),
        ("rsmurf6", ["atk6-rsmurf6", TAP, b]),
        ("sendpees6", ["atk6-sendpees6", TAP, "1024", "2001:db8:1::", b]),
        ("fake_dhcps6", ["atk6-fake_dhcps6", TAP, EVIL, "2001:db8:bad::53"]),
        ("flood_dhcpc6", ["atk6-flood_dhcpc6", TAP]),
        ("fake_mld26 add", ["atk6-fake_mld26", "-l", TAP, "add", "ff05::1234"]),
        ("fake_mld26 add for b", ["atk6-fake_mld26", TAP, "add", "ff05::1234", "*", "1", s.b.link_local()]),
        ("fake_mld26 delete", ["atk6-fake_mld26", TAP, "delete", "ff02::fb", "*", "1", s.b.link_local()]),
        ("fake_mld26 query", ["atk6-fake_mld26", TAP, "query"]),
        ("fake_mldrouter6", ["atk6-fake_mldrouter6", TAP, "advertise"]),
        ("flood_router26", ["atk6-flood_router26", TAP]),
        ("flood_router26 evading", ["atk6-flood_router26", "-F", TAP]),
        ("flood_router6", ["atk6-flood_router6", TAP]),
        ("flood_advertise6", ["atk6-flood_advertise6", TAP]),
        ("flood_advertise6 own MAC", ["atk6-flood_advertise6", "-k", TAP]),
        ("flood_advertise6 to b", ["atk6-flood_advertise6", "-k", TAP, b]),
        ("flood_solicitate6", ["atk6-flood_solicitate6", TAP]),
        ("flood_solicitate6 own MAC", ["atk6-flood_solicitate6", "-k", TAP]),
        ("flood_solicitate6 b", ["atk6-flood_solicitate6", "-k", TAP, b, b]),
        ("flood_rs6", ["atk6-flood_rs6", TAP]),
        ("flood_mld6", ["atk6-flood_mld6", TAP]),
        ("flood_mldrouter6", ["atk6-flood_mldrouter6", TAP]),
        ("flood_unreach6", ["atk6-flood_unreach6", "-r", TAP, b]),
        ("ndpexhaust26", ["atk6-ndpexhaust26", TAP, PREFIX]),
        ("ndpexhaust26 random sources", ["atk6-ndpexhaust26", "-r", TAP, PREFIX]),
        ("ndpexhaust26 echo", ["atk6-ndpexhaust26", "-p", TAP, PREFIX]),
        ("ndpexhaust6", ["atk6-ndpexhaust6", TAP, PREFIX]),
    ]
    rows += [(f"denial6 {n}", ["atk6-denial6", TAP, b, str(n)]) for n in (1, 3, 4, 6)]
    return rows


def unharmed(s, name):
    """@name has been at it: the others and the router are as before."""
    s.flow.wait_more(3)
    got = set(s.flow.answered())
    lost = set(range(1, max(got) + 1)) - got
    assert not lost, f"{name}: c lost pings to b: {sorted(lost)[:20]}"
    for x, known, believed in s.before:
        assert knows(x) == known, f"{name}: {x.name}"
        now = believes(x)
        if now == believed:
            continue
        truth = s.truth()
        assert set(believed) <= set(now), f"{name}: {x.name} has forgotten somebody"
        lies = {a: v for a, v in now.items() if v != (truth.get(a), a == ROUTER_LL or (a == ROUTER6 and v[1]))}
        assert not lies, f"{name}: {x.name} believes {lies}"
    assert s.c.carrier() and s.r.running()


@pytest.mark.parametrize("part", range(4))
def test_attacks(scene, part):  # R74
    """R4, R5, R34, R38, H52-H55, H58, H59: a fourth of the tools each."""
    s = scene
    s.remember()
    size = rss(s.r)
    rows = attacks(s)[part::4]
    sleepers = {name: s.start_sleeper(*argv) for name, argv in rows if argv[0] in SLEEPERS}
    for name, argv in rows:
        log, began = len(s.r.log()), time.monotonic()
        sent = s.attack(*argv, sleeper=sleepers.get(name))
        unharmed(s, name)
        lines = s.r.log()[log:].count("\n")
        assert lines < 60 + 20 * (time.monotonic() - began), f"{name}: {lines} lines of log"
        # the first flood touches memory that was never used before
        assert rss(s.r) - size < RSS_ROOM, f"{name}: the router has grown"
        print(f"{name}: {sent} frames")
    assert {m["name"]: len(m["addresses"]) <= 1 + 16 for m in s.r.status()["members"]} == dict.fromkeys("abc", True)


@pytest.mark.parametrize("tool", [["atk6-parasite6", "-lR", TAP], ["atk6-dos-new-ip6", TAP], ["atk6-dos-new-ip6", "-S", TAP],
                                  ["atk6-detect-new-ip6", TAP]])
def test_liars_in_wait(scene, tool):
    """H55: tools that wait for a solicitation and answer it with a lie never get to see one."""
    s = scene
    s.remember()
    on_a = s.lab.sniff(s.a.ns, TAP)

    def meanwhile():
        ns = s.b.ns
        ns.sysctl(f"net/ipv6/conf/{TAP}/accept_dad", 1)
        ns.ip(f"addr add 2001:db8:1::77/64 dev {TAP}")
        wait_for("b's new address to be found unique", lambda: "2001:db8:1::77" in ns.addresses(TAP))
        assert s.c.ns.ping("2001:db8:1::77") == 1
        assert s.c.ns.neighbor(TAP, "2001:db8:1::77")["lladdr"] == s.b.mac()
        ns.ip(f"addr del 2001:db8:1::77/64 dev {TAP}")
        s.c.ns.ip(f"neigh del 2001:db8:1::77 dev {TAP}")  # it is nobody's now
        for x, y in ((s.b, s.c), (s.c, s.b)):  # who is c? (asked by multicast)
            x.ns.ip(f"neigh flush to {y.address()} dev {TAP}")
            assert x.ns.ping(y.address()) == 1

    name = tool[0]
    watch = s.lab.process(f"{name}-{len(s.lab.processes)}", s.a.ns, ["stdbuf", "-oL", *tool])
    watch.wait_log(r"(?i)ctrl|started|press|sending")
    meanwhile()
    assert watch.running()
    watch.kill()
    unharmed(s, name)
    assert not [f for f in on_a.frames(outgoing=False) if f[20] == 58 and f[54] == 135 and f[38] == 0xff], \
        "no solicitation was flooded to a"
    on_a.close()
