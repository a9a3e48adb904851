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
import socket
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
        same = "not reloaded: 2 problems; the router goes on as it was"
        assert f"sixtap-router: {same}\n" in got.stderr
        router.wait_log(same)
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
        lab.write("router.yaml", good + "mtu: 1400\nlog_endpoints: false\nlimits: { members: 99 }\n")
        got = admin(lab, "reload", "-c", router.conf)
        assert "mtu: the new value takes effect when the router is restarted" in got.stderr
        assert "\nlimits.members: the new value takes effect when the router is restarted" in "\n" + got.stderr
        router.wait_log(re.escape(got.stdout.strip()))
        assert "log_endpoints" not in got.stderr and "prefix" not in got.stderr
        pings.wait_more(3)
        assert pings.missing() == []


def hup_hint(got, router):
    """What is said of a router that does not know, with its pid."""
    return f"a router runs with {router.conf}, pid {router.proc.pid}, and does not know" in got.stderr and \
        f"kill -HUP {router.proc.pid}" in got.stderr


def listed(lab, *names):
    os.makedirs(path(lab, "clients.d"), exist_ok=True)
    for n in names:
        lab.write(f"clients.d/{n}.yaml", f"name: {n}\npublic_key: {lab.key(n)}\n")


def test_no_socket_does_not_mean_no_router():
    """The file leads to another control socket than the running router has: revoke must not say that it is done."""
    with Lab() as lab:
        router = lab.router(clients=["b"], start=False)
        listed(lab, "a")
        router.start().wait_up()
        ca = lab.client("a", lab.public("a")).wait_up()
        with open(router.conf, encoding="utf-8") as f:
            good = f.read()
        os.rename(router.conf, router.conf + ".old")  # as editors do: another file of the same name
        lab.write("router.yaml", good.replace("device: sixtap0", "device: other0"))
        got = admin(lab, "revoke", "a", "-c", router.conf, check=False)
        assert got.returncode == os.EX_UNAVAILABLE and hup_hint(got, router), got
        assert "no router runs" not in got.stderr and "does not know yet" in got.stderr
        now = admin(lab, "status", "--json", "--control", "@sixtap-router-sixtap0").stdout
        assert [m["name"] for m in json.loads(now)["members"]] == ["a"], "as it said"
        got = admin(lab, "reload", "-c", router.conf, check=False)
        assert got.returncode == os.EX_UNAVAILABLE and hup_hint(got, router), got
        got = admin(lab, "invite", "c", "-c", router.conf, check=False)
        assert got.returncode == os.EX_UNAVAILABLE and hup_hint(got, router), got
        # by a symbolic link, and relative
        os.symlink(router.conf, path(lab, "link.yaml"))
        for conf in (path(lab, "link.yaml"), os.path.relpath(router.conf)):
            got = admin(lab, "reload", "-c", conf, check=False)
            assert f"pid {router.proc.pid}," in got.stderr, got
        # what it advises works
        router.proc.send_signal(signal.SIGHUP)
        router.wait_log("a at .* left: ")
        assert ca.running()
        # another router, with another file, has the socket that the file leads to
        lab.write("two.yaml", good.replace("sixtap0", "other0").replace(":6464", ":6465").replace("2001:db8:1:", "2001:db8:2:"))
        two = lab.process("two", lab.r, [lab.program("sixtap-router"), "run", "-c", path(lab, "two.yaml")])
        wait_for("the other one", lambda: "own address" in two.log())
        got = admin(lab, "revoke", "c", "-c", router.conf, check=False)
        assert got.returncode == os.EX_UNAVAILABLE and "runs with another file" in got.stderr, got
        assert hup_hint(got, router) and str(two.proc.pid) not in got.stderr
        two.stop()
        router.stop()
        got = admin(lab, "invite", "d", "-c", router.conf)
        assert "no router runs here now" in got.stderr


def test_a_router_without_its_control_socket():
    """Somebody else has the abstract name. The router says what works in place of it, and the commands say that it does not
    know, also when that somebody is gone."""
    with Lab() as lab:
        with lab.r.enter():
            squatter = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            squatter.bind("\0sixtap-router-sixtap0")
            squatter.listen()
        router = lab.router(clients=["b"], start=False)
        listed(lab, "a")
        router.start()
        router.wait_log("no control socket @sixtap-router-sixtap0: .*kill -HUP .*control: PATH")
        router.wait_log("own address")
        squatter.close()
        got = admin(lab, "revoke", "a", "-c", router.conf, check=False)
        assert got.returncode == os.EX_UNAVAILABLE and hup_hint(got, router), got


def test_two_routers_share_a_file():
    """One in each of two network namespaces: the one that was not asked is named."""
    with Lab() as lab:
        router = lab.router(clients=["b"], uplink=False, extra="")
        listed(lab, "a")
        admin(lab, "reload", "-c", router.conf)
        there = lab.ns("there")
        there.ip(f"addr add {ROUTER4}/32 dev lo")
        two = lab.process("two", there, [lab.program("sixtap-router"), "run", "-c", router.conf])
        wait_for("the other one", lambda: "own address" in two.log())
        got = admin(lab, "revoke", "a", "-c", router.conf, check=False)
        assert got.returncode == os.EX_UNAVAILABLE, got
        assert f"pid {two.proc.pid}, and does not know" in got.stderr and f"pid {router.proc.pid}," not in got.stderr
        two.stop()
        assert "the running router knows" in admin(lab, "invite", "c", "-c", router.conf).stderr


LOW = [bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xed" + b"\xff" * 30 + b"\x7f",
       b"\xee" + b"\xff" * 30 + b"\x7f",
       bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
       bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157")]


def test_invite_takes_no_key_that_the_router_refuses():
    with Lab() as lab:
        router = lab.router(clients=["a"], uplink=False)
        for low in LOW:
            got = admin(lab, "invite", "low", "-c", router.conf, "--public-key", base64.b64encode(low).decode(), check=False)
            assert got.returncode == os.EX_DATAERR and "point of low order" in got.stderr and not got.stdout, got
            assert not os.path.exists(path(lab, "clients.d", "low.yaml"))
        assert "the running router knows" in admin(lab, "invite", "b", "-c", router.conf).stderr
        # no key in it, and it does not say that there is one
        got = admin(lab, "invite", "c", "-c", router.conf, "--public-key", key_of(1))
        assert "holds a" not in got.stdout and "its key is in client.key beside it" in got.stdout
        # what the files are like to the router that runs decides; here it reads others, and one of them is bad
        mount = ["unshare", "-m", "sh", "-c"]
        os.makedirs(path(lab, "bad.d"))
        lab.write("bad.d/d.yaml", "name: d\npublic_key: x\n")
        script = f"mount --bind {path(lab, 'bad.d')} {path(lab, 'clients.d')} && exec {lab.program('sixtap-router')} run -c " \
            f"{router.conf}"
        router.stop()
        os.unlink(path(lab, "bad.d", "d.yaml"))
        two = lab.process("two", lab.r, [*mount, script])
        wait_for("the router in a mount namespace", lambda: "own address" in two.log())
        lab.write("bad.d/d.yaml", "name: d\npublic_key: x\n")
        got = admin(lab, "invite", "d", "-c", router.conf, check=False)
        assert got.returncode == os.EX_CONFIG and "d is not invited" in got.stderr, got
        assert not os.path.exists(path(lab, "clients.d", "d.yaml"))


def test_a_broken_file_does_not_keep_a_client_in():
    """revoke and status beside a file of another client that is broken."""
    with Lab() as lab:
        router = lab.router(clients=["c"], start=False)
        listed(lab, "a", "b")
        router.start().wait_up()
        ca = lab.client("a", lab.public("a")).wait_up()
        cb = lab.client("b", lab.public("b")).wait_up()
        pings = lab.pings(cb.ns, ROUTER6)
        pings.wait_more(3)
        lab.write("clients.d/bad.yaml", "name: bad\npublic_key: x\n")
        status = lab.r.run(lab.program("sixtap-router"), "status", "--json", "-c", router.conf)
        assert {m["name"] for m in json.loads(status.stdout)["members"]} == {"a", "b"}
        got = admin(lab, "revoke", "a", "-c", router.conf)
        assert "clients.d/bad.yaml:2:13: public_key" in got.stderr and "the running router has put it out" in got.stderr, got
        assert router.member("a") is None and router.member("b")
        router.wait_log("a is revoked, while the rest of the configuration could not be taken")
        ca.wait_log("removed|no longer|may not")
        assert ca.ns.ping(ROUTER6, wait=0.5) == 0
        # it does not come back: neither by logging in, nor by a reload that is refused
        assert admin(lab, "reload", "-c", router.conf, check=False).returncode == os.EX_CONFIG
        ca.stop()
        ca.start()
        router.wait_log("not listed|unknown key|no client")
        assert router.member("a") is None
        # one whose own file is broken so that its name cannot be read goes as well
        lab.write("clients.d/b.yaml", "name: {{{\n")
        got = admin(lab, "revoke", "b", "-c", router.conf)
        assert router.member("b") is None and not os.path.exists(path(lab, "clients.d", "b.yaml"))
        os.unlink(path(lab, "clients.d", "bad.yaml"))
        got = admin(lab, "reload", "-c", router.conf)
        assert "1 clients listed; 0 added, 0 removed" in got.stdout
        # status: what does not concern the socket does not concern it
        with open(router.conf, encoding="utf-8") as f:
            good = f.read()
        lab.write("router.yaml", good + "nonsense: 1\n")
        assert admin(lab, "status", "-c", router.conf).returncode == 0
        for text in (good.replace("sixtap0", "name/with/slashes"), "{{{\n"):
            lab.write("router.yaml", text)
            got = admin(lab, "status", "-c", router.conf, check=False)
            assert got.returncode == os.EX_CONFIG and f"{router.conf}:" in got.stderr
            assert " -c" not in got.stderr and "--control" in got.stderr


def test_a_fixed_address_that_another_has_by_its_key():
    """Both names are said by check, run and reload, and it is taken."""
    with Lab() as lab:
        router = lab.router(clients=["a", "b"])
        ca = lab.client("a", lab.public("a")).wait_up()
        with open(router.conf, encoding="utf-8") as f:
            good = f.read()
        assert "warning" not in admin(lab, "check", "-c", router.conf).stderr
        lab.write("router.yaml", good.replace("{ name: b,", f"{{ name: b, address: '{ca.address()}',"))
        words = f"clients.address: {ca.address()} of client b is the stable address of client a"
        assert words in admin(lab, "check", "-c", router.conf).stderr
        assert words in admin(lab, "reload", "-c", router.conf).stderr
        router.wait_log(words)
        router.stop()
        since = len(router.log())
        router.start().wait_up()
        router.wait_log(words, since)
        # to itself it may be fixed
        lab.write("router.yaml", good.replace("{ name: a,", f"{{ name: a, address: '{ca.address()}',"))
        assert "warning" not in admin(lab, "check", "-c", router.conf).stderr


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
            wait_for("its routes", lambda i=i: [(r["dst"], r["type"]) for r in
                                                lab.r.ip_json("-6", "route", "show", "proto", "166")]
                     == [(f"2001:db8:b{i}::/56", "unicast"), (f"2001:db8:b{i}::/56", "unreachable")])
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
