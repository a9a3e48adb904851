# SPDX-License-Identifier: MIT
"""test_admin.py - from nothing to serving: init, invite, revoke, reload, on real daemons

    inet --- r  198.18.0.1 -+- 198.18.K.0/30 -- a   (clients)
                            `- 198.18.K.0/30 -- b
    vps  a host of its own for each provider kind: wan with an IPv4 address and, or not, IPv6
"""

import base64
import json
import os
import re
import shlex
import signal
import time

import pytest

from flow import Flow, counters
from lab import PREFIX, ROUTER4, ROUTER6, WEB6, Client, Lab, wait_for

MANY = 10000


def admin(lab, *argv, ns=None, check=True):
    return (ns or lab.r).run(lab.program("sixtap-router"), *argv, check=check)


def path(lab, *names):
    return os.path.join(lab.dir, *names)


def key_of(n):
    """A public key that nobody has the private one of."""
    return base64.b64encode(n.to_bytes(4, "big") + b"\x42" * 28).decode()


def invited(lab, name, ns, text):
    """The client that the printed file makes."""
    c = Client(lab, name, ns, "sixtap-client", text)
    os.chmod(c.conf, 0o600)
    lab.processes.append(c)
    return c.start()


# ---- init, one provider kind a row ----

# lines of ip for the host; arguments of init; what router.yaml must say; what is said about it
PROVIDERS = {
    "routed": (["-6 addr add 2001:db8:7::2/128 dev wan", "-6 route add unreachable 2001:db8:9::/56",
                "-6 route add ::/0 via fe80::1 dev wan"], [],
               ["prefix: 2001:db8:9::/56", "uplink: { mode: routed, device: sixtap0 }"], "taken for routed"),
    "routed-on-lo": (["-6 addr add 2001:db8:7::2/64 dev wan nodad", "-6 addr add 2001:db8:9::1/64 dev lo nodad",
                      "-6 route add ::/0 via fe80::1 dev wan"], [],
                     ["prefix: 2001:db8:9::/64", "uplink: { mode: routed, device: sixtap0 }"], "taken for routed"),
    "on-link": (["-6 addr add 2001:db8:7::2/64 dev wan nodad", "-6 route add ::/0 via fe80::1 dev wan"], [],
                ["prefix: 2001:db8:7::/64", "uplink: { mode: ndproxy, device: sixtap0 }"], "2001:db8:7::/64 is on link at wan"),
    "on-link-112": (["-6 addr add 2001:db8:7::5:2/112 dev wan nodad", "-6 route add ::/0 via fe80::1 dev wan"], [],
                    ["prefix: 2001:db8:7::5:0/112", "uplink: { mode: ndproxy, device: sixtap0 }"],
                    "2001:db8:7::5:0/112 is on link at wan"),
    "single": (["-6 addr add 2001:db8:7::2/128 dev wan", "-6 route add ::/0 via fe80::1 dev wan"], [],
               ["#prefix:", "uplink: { mode: nat66, device: sixtap0 }"], "2001:db8:7::2/128 on wan is a single address"),
    "none": ([], [], ["#prefix:", "uplink: { mode: none }"], "no IPv6 of its own"),
    "said": (["-6 addr add 2001:db8:7::2/64 dev wan nodad", "-6 route add ::/0 via fe80::1 dev wan"],
             ["--prefix", "2001:db8:9::/64"],
             ["prefix: 2001:db8:9::/64", "uplink: { mode: routed, device: sixtap0 }"], "as you say"),
}


def vps(lab, lines, addr="203.0.113.5"):
    ns = lab.ns("vps")
    ns.ip("link add wan type veth peer name far", "link set far up", "link set wan up", f"addr add {addr}/24 dev wan",
          f"route add default via {addr.rsplit('.', 1)[0]}.1", *(line.replace("-6 ", "") for line in lines))
    return ns


@pytest.mark.parametrize("kind", PROVIDERS)
def test_init_sees_what_the_host_has(kind):
    lines, args, want, said = PROVIDERS[kind]
    with Lab() as lab:
        ns = vps(lab, lines)
        conf = path(lab, "new", "router.yaml")
        got = admin(lab, "init", "-c", conf, *args, ns=ns)
        assert said in got.stdout.replace("\n", " ")
        assert "sixtap-router invite" in got.stdout, "what to do next"
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        for line in ["listen: 203.0.113.5:6464", *want]:
            assert line in text.splitlines()
        for name in ("router.yaml", "router.key"):
            assert os.stat(path(lab, "new", name)).st_mode & 0o777 == 0o600
        assert admin(lab, "check", "-c", conf, ns=ns).stdout == f"{conf}: ok\n"
        # never overwritten; with --force the key stays, or no client would know the router
        again = admin(lab, "init", "-c", conf, *args, ns=ns, check=False)
        assert again.returncode == 73 and "--force" in again.stderr
        with open(path(lab, "new", "router.key"), encoding="ascii") as f:
            key = f.read()
        admin(lab, "init", "-c", conf, "--force", *args, ns=ns)
        with open(path(lab, "new", "router.key"), encoding="ascii") as f:
            assert f.read() == key


def test_init_behind_nat_and_wrong_words():
    with Lab() as lab:
        ns = vps(lab, [], addr="10.9.8.7")
        conf = path(lab, "router.yaml")
        got = admin(lab, "init", "-c", conf, ns=ns, check=False)
        assert got.returncode == 78 and "10.9.8.7, which nobody outside can reach. If" in got.stderr
        assert f"\n  sixtap-router init -c {conf} --public-address A.B.C.D\n" in got.stderr
        got = admin(lab, "init", "-c", conf, "--force", "--prefix", "2001:db8::/64", ns=lab.ns("bare"), check=False)
        assert got.returncode == 78
        assert "no IPv4 default route, so the address that clients reach it at cannot be seen. If" in got.stderr
        assert f"\n  sixtap-router init -c {conf} --force --prefix 2001:db8::/64 --public-address A.B.C.D\n" in got.stderr
        assert not os.path.exists(conf) and not os.path.exists(path(lab, "router.key"))
        for args in (["--public-address", "nowhere"], ["--public-address", "198.51.100.1", "--prefix", "2001:db8::1/64"]):
            assert admin(lab, "init", "-c", conf, *args, ns=ns, check=False).returncode == 64
            assert not os.path.exists(conf)
        for prefix, holds in (("fe80::/64", "link-local"), ("ff02::/64", "multicast")):
            got = admin(lab, "init", "-c", conf, "--public-address", "198.51.100.1", "--prefix", prefix, ns=ns, check=False)
            assert got.returncode == 64 and f"{prefix} holds {holds} addresses" in got.stderr and not os.path.exists(conf)
        odd = os.path.join(lab.dir, "a b's", "router.yaml")  # what it says can be pasted into a shell
        got = admin(lab, "init", "-c", odd, "--public-address", "198.51.100.1", ns=ns)
        line = next(s for s in got.stdout.splitlines() if "sixtap-router run" in s)
        assert shlex.split(line) == ["sixtap-router", "run", "-c", odd] and "systemctl" not in got.stdout
        admin(lab, "init", "-c", conf, "--public-address", "198.51.100.1", ns=ns)
        with open(conf, encoding="utf-8") as f:
            text = f.read().splitlines()
        assert "listen: 0.0.0.0:6464" in text and "public_address: 198.51.100.1" in text
        # a key nobody can read as one is not replaced either
        os.unlink(conf)
        lab.write("router.key", "rubbish\n")
        assert admin(lab, "init", "-c", conf, "--force", "--public-address", "198.51.100.1", ns=ns,
                     check=False).returncode == 73


# ---- the whole way ----


def test_from_nothing_to_a_page_and_out_again():
    """init, run, invite, client up, page; revoke: out within a second; invite again."""
    with Lab() as lab:
        conf = path(lab, "router.yaml")
        admin(lab, "init", "-c", conf, "--public-address", ROUTER4, "--prefix", PREFIX)
        with open(conf, encoding="utf-8") as f:
            text = f.read()
        # the lab's router has its address on lo and no IPv4 default route
        router = lab.router(start=False)
        lab.write("router.yaml", text)
        first = admin(lab, "invite", "a", "-c", conf)
        assert "no router runs" in first.stderr and "clients: none" not in first.stderr
        router.start().wait_up()
        a, b = lab.public("a"), lab.public("b")
        ca = invited(lab, "a", a, first.stdout).wait_up()
        second = admin(lab, "invite", "b", "-c", conf)
        assert "the running router knows" in second.stderr
        cb = invited(lab, "b", b, second.stdout).wait_up()
        lab.web(b"six\n")
        assert a.run("curl", "-s", f"http://[{WEB6}]/").stdout == "six\n"
        assert a.ping(cb.address(), count=3) == 3
        # others notice nothing while b is revoked and comes back
        pings = lab.pings(a, ROUTER6)
        pings.wait_more(5)
        old = cb.address()
        began = time.monotonic()
        got = admin(lab, "revoke", "b", "-c", conf)
        assert "the running router knows" in got.stderr
        assert router.member("b") is None
        assert time.monotonic() - began < 1.0 + 2.0  # the two commands that ask included, under sanitizers
        assert not os.path.exists(path(lab, "clients.d", "b.yaml"))
        wait_for("b to hear of it", lambda: re.search("removed|no longer|may not", cb.log()))
        assert b.ping(ROUTER6, wait=0.5) == 0
        admin(lab, "invite", "b", "-c", conf, "--public-key", second_key(second.stdout, lab))
        wait_for("b is in again", lambda: router.member("b"))
        wait_for("b answers", lambda: a.ping(old, wait=0.5))
        pings.wait_more(5)
        assert pings.missing() == []


def second_key(text, lab):
    private = re.search(r"^private_key: (\S+)$", text, re.M).group(1)
    return lab.r.run(lab.program("sixtap-router"), "pubkey", stdin=private).stdout.strip()


def test_invite_and_revoke_refuse():
    with Lab() as lab:
        router = lab.router(clients=["a"], uplink=False)
        with open(router.conf, encoding="utf-8") as f:
            before = f.read()
        for name in ("", ".hidden", "-x", "a/b", "../up", "a b", "x" * 64, "a\n"):
            got = admin(lab, "invite", name, "-c", router.conf, check=False)
            assert got.returncode in (64, 65) and got.stdout == "", name
        for args, word in ((["a"], "already"), (["new", "--public-key", "x"], "base64"),
                           (["new", "--public-key", lab.key("a")], "belongs to a"),
                           (["new", "--public-key", lab.key("router")], "own")):
            got = admin(lab, "invite", *args, "-c", router.conf, check=False)
            assert got.returncode == 65 and word in got.stderr and got.stdout == "", args
        assert not os.listdir(path(lab, "clients.d")) if os.path.exists(path(lab, "clients.d")) else True
        admin(lab, "invite", "gertrude", "-c", router.conf)
        for args, word in ((["gertrud"], "did you mean gertrude?"), (["a"], f"is on line 7 of {router.conf}")):
            got = admin(lab, "revoke", *args, "-c", router.conf, check=False)
            assert got.returncode == 65 and word in got.stderr, got.stderr
        # a full disk: nobody has the key, so nobody is invited
        full = lab.r.run("sh", "-c", f"{lab.program('sixtap-router')} invite late -c {router.conf} >/dev/full", check=False)
        assert full.returncode == 74 and not os.path.exists(path(lab, "clients.d", "late.yaml"))
        # two files, one name: both places are named
        lab.write("clients.d/zoe.yaml", f"name: gertrude\npublic_key: {key_of(1)}\n")
        got = admin(lab, "check", "-c", router.conf, check=False)
        assert got.returncode == 78
        assert f"{lab.dir}/clients.d/zoe.yaml:1:7: clients.name: the same as at {lab.dir}/clients.d/gertrude.yaml:1:7" \
            in got.stderr
        with open(router.conf, encoding="utf-8") as f:
            assert f.read() == before, "the operator's file is the operator's"


# ---- reload ----


def test_broken_file_keeps_the_old_configuration():
    """H83"""
    with Lab() as lab:
        a = lab.public("a")
        router = lab.router(clients=["a"], uplink=False)
        lab.client("a", a).wait_up()
        with open(router.conf, encoding="utf-8") as f:
            good = f.read()
        lab.write("router.yaml", good.replace("name: a", "nmae: a"))
        pings = lab.pings(a, ROUTER6)
        pings.wait_more(3)
        got = admin(lab, "reload", "-c", router.conf, check=False)
        assert got.returncode == 78
        assert f"{router.conf}:7:7:" in got.stderr and "did you mean name?" in got.stderr
        assert "goes on with what it had" in got.stderr
        router.wait_log("not reloaded: .* the router goes on as it was")
        # by signal: the log alone says so
        since = len(router.log())
        router.proc.send_signal(signal.SIGHUP)
        router.wait_log("not reloaded", since)
        # a broken client file names itself
        lab.write("router.yaml", good)
        os.mkdir(path(lab, "clients.d"))
        lab.write("clients.d/new.yaml", "name: new\npublic_key: x\n")
        got = admin(lab, "reload", "-c", router.conf, check=False)
        assert got.returncode == 78 and "clients.d/new.yaml:2:13: public_key" in got.stderr
        # the file is gone altogether
        os.unlink(path(lab, "clients.d/new.yaml"))
        os.rename(router.conf, router.conf + ".away")
        assert admin(lab, "reload", "--control", "@sixtap-router-sixtap0", check=False).returncode == 78
        os.rename(router.conf + ".away", router.conf)
        # what needs a restart is named, the rest is taken
        lab.write("router.yaml", good + "mtu: 1400\nlog_endpoints: false\n")
        got = admin(lab, "reload", "-c", router.conf)
        assert "mtu: the new value takes effect when the router is restarted" in got.stderr
        assert "log_endpoints" not in got.stderr and "prefix" not in got.stderr
        pings.wait_more(3)
        assert pings.missing() == []


def test_new_settings_reach_clients():
    with Lab() as lab:
        a = lab.public("a")
        router = lab.router(clients=["a"])
        lab.client("a", a).wait_up()
        with open(router.conf, encoding="utf-8") as f:
            good = f.read()
        lab.write("router.yaml", good + "routes: [ 2001:db8:aaaa::/48 ]\n")
        admin(lab, "reload", "-c", router.conf)
        wait_for("the new route", lambda: a.ip_json("-6", "route", "show", "2001:db8:aaaa::/48"))
        lab.write("router.yaml", good)
        admin(lab, "reload", "-c", router.conf)
        wait_for("the route to go", lambda: not a.ip_json("-6", "route", "show", "2001:db8:aaaa::/48"))


def test_first_delegated_prefix_needs_a_restart():
    """The router has given up the privilege to set routes: it says so, and tells the client of no prefix it cannot route."""
    with Lab() as lab:
        a = lab.public("a")
        router = lab.router(clients=["a"])
        ca = lab.client("a", a).wait_up()
        with open(router.conf, encoding="utf-8") as f:
            good = f.read()
        lab.write("router.yaml", good.replace("{ name: a,", "{ name: a, delegate: [ '2001:db8:b::/56' ],"))
        got = admin(lab, "reload", "-c", router.conf)
        assert "clients.delegate: the first ones take effect when the router is restarted" in got.stderr
        router.wait_log("clients.delegate: the first ones take effect")
        assert router.member("a")["delegated"] == [] and not lab.r.ip_json("-6", "route", "show", "2001:db8:b::/56")
        assert a.ping(ROUTER6) == 1
        router.stop()
        router.start().wait_up()
        ca.wait_up()
        wait_for("the route", lambda: lab.r.ip_json("-6", "route", "show", "2001:db8:b::/56"))
        assert router.member("a")["delegated"] == ["2001:db8:b::/56"]
        # from now on reload does
        lab.write("router.yaml", good.replace("{ name: a,", "{ name: a, delegate: [ '2001:db8:c::/56' ],"))
        got = admin(lab, "reload", "-c", router.conf)
        assert "restart" not in got.stderr
        assert "0 removed, 1 with another psk, address or delegated prefix," in got.stdout
        wait_for("the new route alone", lambda: lab.r.ip_json("-6", "route", "show", "2001:db8:c::/56") and
                 not lab.r.ip_json("-6", "route", "show", "2001:db8:b::/56"))


def refused_invitation(lab, conf, words):
    got = admin(lab, "invite", "late", "-c", conf, check=False)
    assert got.returncode == os.EX_UNAVAILABLE and words in got.stderr and not got.stdout, got
    assert not os.path.exists(path(lab, "clients.d", "late.yaml"))


def test_invite_foresees_that_there_is_no_room():
    """Nothing is written when limits: clients:, the prefix or the running router has no place for another client."""
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False, extra="limits: { clients: 2 }\n")
        admin(lab, "invite", "b", "-c", r.conf)
        refused_invitation(lab, r.conf, "2 clients are listed, and limits: clients: allows no more")
        admin(lab, "revoke", "b", "-c", r.conf)
        admin(lab, "invite", "late", "-c", r.conf)
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False, prefix="2001:db8:1::/126")  # ::2 and ::3 are for clients
        admin(lab, "invite", "b", "-c", r.conf)
        refused_invitation(lab, r.conf, "2 clients are listed, and prefix 2001:db8:1::/126 has no address for another one")
        r.start().wait_up()
        refused_invitation(lab, r.conf, "has no address for another one")
    with Lab() as lab:
        r = lab.router(clients=["a"], extra="limits: { members: 1023 }\n")  # it has room for 1024
        with open(r.conf, "a", encoding="utf-8") as f:
            f.writelines(f"  - {{ name: c{i}, public_key: {key_of(i)} }}\n" for i in range(1, 1023))
        got = admin(lab, "invite", "b", "-c", r.conf)
        assert "limits: members: 1023; of 1024 clients that many can be on line" in got.stderr
        refused_invitation(lab, r.conf, "1024 clients are listed, and the running router has no place for another one")
        r.stop()
        r.start().wait_up()
        admin(lab, "invite", "late", "-c", r.conf)


def test_what_a_client_is_given_changes_under_it():
    """Another fixed address and other prefixes, again and again: the client stays, is told, and nobody suspects its key.
    Another psk ends it; both logs say why."""
    with Lab() as lab:
        given = ", delegate: [ '2001:db8:b0::/56' ], address: 2001:db8:1::b0"
        router = lab.router(clients=["a"], given={"a": given})
        a = lab.client("a", lab.public("a")).wait_up()
        pings = lab.pings(a.ns, ROUTER6)
        for i in range(1, 7):  # more often than a key is suspected after
            with open(router.conf, encoding="utf-8") as f:
                text = f.read()
            lab.write("router.yaml", text.replace(f"db8:b{i - 1}::", f"db8:b{i}::").replace(f"db8:1::b{i - 1}",
                                                                                           f"db8:1::b{i}"))
            got = admin(lab, "reload", "-c", router.conf)
            assert "1 with another psk, address or delegated prefix" in got.stdout
            wait_for("the address", lambda i=i: a.address() == f"2001:db8:1::b{i}")
            wait_for("the prefix", lambda i=i: a.status()["delegated"] == [f"2001:db8:b{i}::/56"])
            wait_for("its route", lambda i=i: [r["dst"] for r in lab.r.ip_json("-6", "route", "show", "proto", "166")]
                     == [f"2001:db8:b{i}::/56"])
            assert a.ns.ping(ROUTER6) == 1
        assert len(re.findall(r"reloaded: .* 1 with another psk, address or delegated prefix,", router.log())) == 6
        assert router.log().count("logged in") == 1 and " left: " not in router.log()
        assert pings.answered()
        with open(router.conf, encoding="utf-8") as f:
            text = f.read()
        lab.write("router.yaml", text.replace("{ name: a,", f"{{ name: a, psk: {key_of(1)},"))
        admin(lab, "reload", "-c", router.conf)
        router.wait_log("a at .* left: its psk is another one now")
        a.wait_log("said goodbye: this client's psk is another one now")
        a.wait_log("the router at .* answered, but psk/join_secret or router_key is wrong")
        wait_for("what it still sends to draw answers", lambda: a.log().count("does not know this connection") >= 4)
        assert "does another host log in" not in a.log()


STALL_MS = 1000  # for any machine; the README has what was measured


def test_ten_thousand_clients_change_and_nothing_is_lost():
    """Ten thousand come, are exchanged and go while TCP from client to client, TCP to the uplink and pings run."""
    with Lab() as lab:
        a, b = lab.public("a"), lab.public("b")
        router = lab.router(clients=["a", "b"], extra=f"limits: {{ clients: {MANY + 10} }}\n")
        lab.client("a", a).wait_up()
        cb = lab.client("b", b).wait_up()
        with open(router.conf, encoding="utf-8") as f:
            base = f.read()
        pings = lab.pings(a, cb.address(), interval=0.01)
        pings.wait_more(10)
        wait_for("the host behind the uplink", lambda: a.ping(WEB6, wait=0.5))  # its kernel was slow with the first solicitation
        drops = router.status()["drops"]
        full = counters(lab.r, "UdpInErrors", "UdpRcvbufErrors", "UdpSndbufErrors")
        flows = {"client to client": Flow(a, b, cb.address()), "client to uplink": Flow(a, lab.inet, WEB6)}
        took = []
        for first in (100, 100 + MANY, None):
            more = "".join(f"  - {{ name: c{n}, public_key: {key_of(n)} }}\n" for n in range(first, first + MANY)) \
                if first else ""
            lab.write("router.yaml", base + more)
            got = json.loads(admin(lab, "reload", "--json", "-c", router.conf).stdout)
            assert got["ok"] and got["listed"] == 2 + (MANY if first else 0)
            took.append(got["took_ms"])
        assert got["removed"] == MANY
        pings.wait_more(10)
        told = {what: flow.stop() for what, flow in flows.items()}
        print("reloads took", took, "ms;", told)
        for what, flow in told.items():
            assert flow["resent"] == flow["twice"], f"{what}: lost, and sent again"
            assert flow["chunks"] > 100 and flow["stall_ms"] <= STALL_MS, what
        assert pings.missing() == []
        now = router.status()["drops"]
        # "multicast" is what the clients' kernels report of their own groups, now and then
        assert {k: v - drops[k] for k, v in now.items() if v != drops[k] and k != "multicast"} == {}
        assert counters(lab.r, "UdpInErrors", "UdpRcvbufErrors", "UdpSndbufErrors") == full
        assert len(router.status()["members"]) == 2
