# SPDX-License-Identifier: MIT
"""test_hardening.py - what both daemons still may do once they have started, as /proc tells

    r  198.18.0.1, sixtap0 2001:db8:1::1
    `-- a  198.18.1.2   tap6
"""

import re
import subprocess

import pytest

from lab import PORT, ROUTER4, ROUTER6, TAP, Lab, wait_for

CAP_NET_BIND_SERVICE, CAP_NET_ADMIN = 10, 12
SETS = ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")
SECCOMP_FILTERED = 2


def proc(p):
    """/proc/PID/status as {field: value}."""
    with open(f"/proc/{p.proc.pid}/status", encoding="ascii") as f:
        return dict(line.rstrip("\n").split(":\t", 1) for line in f if ":\t" in line)


def threads(p):
    out = subprocess.run(["ls", f"/proc/{p.proc.pid}/task"], capture_output=True, text=True, check=True)
    return out.stdout.split()


def locked_kib(p):
    return int(proc(p)["VmLck"].split()[0])


def caps(p):
    s = proc(p)
    return {name: {n for n in range(64) if int(s[name], 16) >> n & 1} for name in SETS}


def show(p):
    s = proc(p)
    print(p.name, " ".join(f"{k}={s[k]}" for k in SETS + ("NoNewPrivs", "Seccomp", "VmLck")))


@pytest.mark.parametrize("uplink", [True, False])
def test_what_is_left(uplink):
    """The router keeps no capability, the client CAP_NET_ADMIN; both are filtered and can gain nothing."""
    with Lab() as lab:
        r = lab.router(clients=["a"], uplink=uplink)
        a = lab.client("a", lab.public("a")).wait_up()
        for p, keep in ((r, set()), (a, {CAP_NET_ADMIN})):
            show(p)
            got = caps(p)
            assert got["CapInh"] == got["CapAmb"] == set()
            assert got["CapPrm"] == got["CapEff"] == got["CapBnd"] == keep, p.name
            s = proc(p)
            assert (int(s["NoNewPrivs"]), int(s["Seccomp"])) == (1, SECCOMP_FILTERED)
            assert locked_kib(p) > 0, "keys are in locked memory"
            with open(f"/proc/{p.proc.pid}/limits", encoding="ascii") as f:
                assert re.search(r"^Max core file size +0 +0 ", f.read(), re.M)
            assert not re.search(r"swap|--no-seccomp", p.log())


def test_low_port_is_kept():
    """A client with a port below 1024 opens its sockets again and again, so it keeps what that needs."""
    with Lab() as lab:
        lab.router(clients=["a"])
        a = lab.client("a", lab.public("a"), "port: 500\n").wait_up()
        assert caps(a)["CapEff"] == {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE}


def test_no_seccomp_is_for_debugging():
    """Capabilities go all the same."""
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", lab.public("a"), start=False)
        for p in (r, a):
            p.argv.append("--no-seccomp")
            p.start()
        r.wait_up()
        a.wait_up()
        for p, keep in ((r, set()), (a, {CAP_NET_ADMIN})):
            assert proc(p)["Seccomp"] == "0"
            assert caps(p)["CapEff"] == keep
            assert "not filtered" in p.log()


def test_little_memory_may_be_locked():
    """A user's limit (here 64 KiB) is a warning that says what to raise, once, and nothing worse."""
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", lab.public("a"), start=False)
        for p in (r, a):
            # CAP_IPC_LOCK would be above the limit
            p.argv = ["prlimit", "--memlock=65536:65536", "setpriv", "--bounding-set=-ipc_lock", "--inh-caps=-ipc_lock",
                      *p.argv]
            p.start()
        r.wait_up()
        a.wait_up()
        for p in (r, a):
            assert len(re.findall(r"keys may be written to swap.*LimitMEMLOCK", p.log())) == 1, p.log()


def test_names_are_looked_up_filtered():
    """The resolver's thread, its sockets and its files are on the list: hosts file, then a name nobody knows."""
    with Lab() as lab:
        r = lab.router(clients=["a"])
        a = lab.client("a", lab.public("a"), start=False)
        hosts = lab.write("hosts", f"{ROUTER4} router.example\n", 0o644)
        resolv = lab.write("resolv.conf", "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n", 0o644)
        with open(a.conf, encoding="utf-8") as f:
            text = f.read()
        with open(a.conf, "w", encoding="utf-8") as f:
            f.write(text.replace(f"router: {ROUTER4}:{PORT}", f"router: router.example:{PORT}"))
        mounts = f"mount --bind {hosts} /etc/hosts && mount --bind {resolv} /etc/resolv.conf"
        argv = a.argv
        a.argv = ["unshare", "-m", "sh", "-c", mounts + ' && exec "$@"', "sh", *argv]
        a.start()
        a.wait_up()
        assert a.stop() == 0
        with open(a.conf, "w", encoding="utf-8") as f:
            f.write(text.replace(f"router: {ROUTER4}:{PORT}", f"router: nobody.example:{PORT}"))
        since = len(a.log())
        a.start()
        a.wait_log(r"cannot find the address of nobody.example", since)
        wait_for("a device", lambda: a.ns.link(TAP))
        assert r.running() and a.running()


def test_end_of_a_filtered_client_leaves_nothing():
    """Removing routes and the control socket's path are on the list too."""
    with Lab() as lab:
        path = lab.dir + "/a.sock"
        lab.router(clients=["a"])
        a = lab.client("a", lab.public("a"), f"control: {path}\n").wait_up()
        assert a.status()["program"] == "sixtap-client"
        assert a.ns.ping(ROUTER6) == 1
        assert a.stop() == 0
        assert a.ns.run("ls", path, check=False).returncode != 0
