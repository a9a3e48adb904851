# SPDX-License-Identifier: MIT
"""test_faults.py - what an operator, another program or the system does to a running daemon (H84-H101)

A fault ends in recovery, or in one clear line and a clean exit that leaves no route, address or device behind.

    inet 2001:db8:ffff::2
      |
      r  198.18.0.1, sixtap0 2001:db8:1::1
      |-- a  198.18.1.2   tap6
      `-- b  198.18.2.2   tap6
"""

import os
import re
import signal
import socket
import time

import pytest

from lab import PATIENCE, PORT, PREFIX, ROUTER4, ROUTER6, TAP, TUN, Conn, Lab, wait_for

EX_OSERR = 71


def one_client(lab, extra=""):
    return lab.router(clients=["a"]), lab.client("a", lab.public("a"), extra).wait_up()


def reaches(c, addr=ROUTER6):
    wait_for(f"{c.name}: echo reply of {addr}", lambda: c.ns.ping(addr, wait=0.5))


def network_of(ns):
    """All that a client could leave behind; without counters and lifetimes."""
    text = ns.run("sh", "-c", "ip -6 route show table all; ip -6 rule; ip -6 addr; ip -4 route; ip -o link")
    return sorted(re.sub(r"\d+sec|state \w+", "", line) for line in text.stdout.splitlines())


def cpu_s(p):
    """Seconds of CPU a daemon has used."""
    with open(f"/proc/{p.proc.pid}/stat", encoding="ascii") as f:
        fields = f.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


# ---- the device ----


def test_h86_tap_deleted():
    with Lab() as lab:
        lab.router(clients=["a"])
        ns = lab.public("a")
        before = network_of(ns)
        a = lab.client("a", ns).wait_up()
        ns.ip(f"link del {TAP}")
        assert a.wait_exit() == EX_OSERR
        assert len(re.findall("was deleted", a.log())) == 1
        assert network_of(ns) == before
        a.start().wait_up()


def test_h86_h87_device_changed_under_us():
    """Set down, MTU, MAC, addresses, routes: back at once, the first three with a line; a TCP connection lives on."""
    with Lab() as lab:
        _, a = one_client(lab)
        conn = Conn(lab.inet, a.ns, a.address())
        mac, mtu = a.mac(), a.ns.link(TAP)["mtu"]
        for change, word in ((f"link set {TAP} down", "set down"), (f"link set {TAP} mtu 1290", "MTU"),
                             (f"link set {TAP} address 02:00:00:00:00:01", "MAC address"),
                             (f"addr flush dev {TAP}", None)):
            a.ns.ip(change)
            if word:
                a.wait_log(word)
            wait_for(f"all as it was after `{change}`", lambda: a.carrier() and a.address() and a.mac() == mac and
                     a.ns.link(TAP)["mtu"] == mtu and a.default_route())
            conn.exchange()
        for dst in ("default", PREFIX):
            a.ns.run("ip", "-6", "route", "del", dst, "dev", TAP)
            wait_for(f"the route {dst} again", lambda dst=dst: a.ns.ip_json("-6", "route", "show", dst, "dev", TAP))
            conn.exchange()
        assert a.running()


def test_h86_renamed_and_in_a_bridge():
    """Neither can be undone for the operator: it is said, with what to do instead, and the tunnel goes on after."""
    with Lab() as lab:
        _, a = one_client(lab)
        a.ns.ip(f"link set {TAP} name v6")
        a.wait_log(rf"{TAP} was renamed v6")
        reaches(a)
        a.ns.ip("link set v6 down")
        a.wait_log("v6 was set down")
        wait_for("the renamed device to be whole again", lambda: a.ns.ping(ROUTER6, wait=0.5))
        a.ns.ip("link add br6 type bridge", "link set v6 master br6")
        a.wait_log(r"v6 was put into a bridge.*nomaster.*route a prefix")
        a.ns.ip("link set v6 nomaster")
        a.wait_log("v6 was taken out")
        reaches(a)
        assert a.stop() == 0
        assert a.ns.link("v6") is None
        assert not [line for line in network_of(a.ns) if "2001:db8" in line]


def test_h87_uplink_renamed():
    """The router holds on to the device, not to its name. (Its MTU and address: test_mtu.py, test_uplink.py.)"""
    with Lab() as lab:
        _, a = one_client(lab)
        lab.r.ip(f"link set {TUN} name up6")
        reaches(a)
        lab.r.ip("link set up6 down", "link set up6 up")
        reaches(a)


def with_tun(node, argv):
    """argv that sees /dev/net/tun made by the shell command @node"""
    return ["unshare", "-m", "sh", "-c", f'mount -t tmpfs none /dev/net && {node} && exec "$@"', "sh", *argv]


@pytest.mark.parametrize("node,words", [
    ("true", "/dev/net/tun"),
    ("mknod /dev/net/tun c 1 3", "is no TUN device"),
    ("touch /dev/net/tun", "is no TUN device"),
    ("mknod /dev/net/tun c 10 200", None),
], ids=["missing", "another-device", "a-file", "right"])
def test_h84_tun_node(node, words):
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", lab.public("a"), start=False)
        for p in (r, a):
            p.argv = with_tun(node, p.argv)
            p.start()
            if words:
                assert p.wait_exit() == EX_OSERR
                assert words in p.log()
        if not words:
            a.wait_up()


# ---- sockets ----


def test_h88_port_in_use():
    """Another program has the client's port: said, tried again, taken when it is free."""
    with Lab() as lab:
        lab.router(clients=["a"])
        ns = lab.public("a")
        other = ns.socket(socket.AF_INET, socket.SOCK_DGRAM)
        other.bind(("0.0.0.0", 5000))
        a = lab.client("a", ns, "port: 5000\n")
        a.wait_log(r"cannot open UDP port 5000: Address already in use; trying again \(is another client")
        other.close()
        a.wait_up()
        assert "seen as 198.18.1.2:5000" in a.log()


def sent(c, what):
    return sum(s.get(what, 0) for s in find_stats(c.status()))


def find_stats(o):
    """Every object of @o that has counters of a socket."""
    if isinstance(o, dict):
        if "tx_not_permitted" in o:
            yield o
        for v in o.values():
            yield from find_stats(v)
    elif isinstance(o, list):
        for v in o:
            yield from find_stats(v)


def nft(ns, rules):
    ns.run("nft", "-f", "-", stdin=f"table inet f {{ chain out {{ type filter hook output priority 0; {rules}; }}\n}}\n")


@pytest.mark.parametrize("verdict", ["drop", "reject"])
@pytest.mark.parametrize("who", ["client", "router"])
def test_h92_packet_filter(who, verdict):
    """EPERM (drop) and ICMP errors (reject) are counted and gone through; the session lives on."""
    with Lab() as lab:
        r, a = one_client(lab)
        conn = Conn(lab.inet, a.ns, a.address())
        p, ns = (a, a.ns) if who == "client" else (r, lab.r)
        nft(ns, f"udp {'d' if who == 'client' else 's'}port {PORT} {verdict}")
        assert a.ns.ping(ROUTER6, count=5, wait=0.3) == 0
        used = cpu_s(p)
        if verdict == "drop":
            wait_for("refusals to be counted", lambda: sent(p, "tx_not_permitted") > 0)
        else:
            wait_for("refusals to be counted", lambda: sent(p, "tx_not_permitted") + sent(p, "tx_refused") > 0)
        assert a.ns.ping(ROUTER6, count=5, wait=0.3) == 0
        assert cpu_s(p) - used < 1, "no spinning"
        ns.run("nft", "delete table inet f")
        reaches(a)
        conn.exchange()
        assert a.carrier() and "withdrawing" not in a.log()


def test_h92_no_route():
    """ENETUNREACH for a while, on both sides."""
    with Lab() as lab:
        r, a = one_client(lab)
        conn = Conn(lab.inet, a.ns, a.address())
        a.ns.ip("route del default")
        assert a.ns.ping(ROUTER6, wait=0.3) == 0
        wait_for("failures to be counted", lambda: sent(a, "tx_unreachable") > 0)
        a.ns.ip(f"route add default via {a.ns.gateway} src {a.ns.addr4}")
        reaches(a)
        lab.r.ip(f"route replace unreachable {a.ns.addr4}/32")
        assert a.ns.ping(ROUTER6, wait=0.3) == 0
        wait_for("failures to be counted", lambda: sent(r, "tx_unreachable") > 0)
        lab.r.ip(f"route del unreachable {a.ns.addr4}/32")
        reaches(a)
        conn.exchange()


def test_h92_full_queue():
    """ENOBUFS: a queue of one packet; lost packets are counted, the rest arrives."""
    with Lab() as lab:
        _, a = one_client(lab)
        a.ns.run("tc", "qdisc", "add", "dev", "wan", "root", "tbf", "rate", "200kbit", "burst", "1600", "limit", "1600")
        a.ns.run("ping", "-6", "-q", "-c", "60", "-i", "0.002", "-s", "1200", ROUTER6, check=False)
        wait_for("drops to be counted", lambda: sent(a, "tx_no_buffers") > 0)
        a.ns.run("tc", "qdisc", "del", "dev", "wan", "root")
        reaches(a)
        assert "silent" not in a.log()


# ---- descriptors ----


def test_h91_sixteen_descriptors():
    """Both daemons and their status live with 16; connections that hold the rest of them harm neither."""
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", lab.public("a"), start=False)
        for p in (r, a):
            p.argv = ["prlimit", "--nofile=16:16", *p.argv]
            p.start()
        r.wait_up()
        a.wait_up()
        for p, ns, name in ((r, lab.r, f"\0sixtap-router-{TUN}"), (a, a.ns, f"\0sixtap-client-{TAP}")):
            held = []
            for _ in range(20):
                s = ns.socket(socket.AF_UNIX, socket.SOCK_STREAM)
                s.setblocking(False)
                try:
                    s.connect(name)
                except BlockingIOError:
                    break
                held.append(s)
            used = cpu_s(p)
            assert a.ns.ping(ROUTER6, count=20) == 20
            assert cpu_s(p) - used < 0.9, "no spinning"
            for s in held:
                s.close()
            p.wait_status("an answer after the crowd has gone", lambda s: True)


@pytest.mark.parametrize("program", ["sixtap-router", "sixtap-client"])
def test_h91_too_few_descriptors(program):
    """With fewer it starts, or ends with a line that names the reason and no other, and leaves nothing."""
    with Lab() as lab:
        ns = lab.public("a")
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", ns, start=False)
        p, ns = (r, lab.r) if program == "sixtap-router" else (a, ns)
        argv, before = p.argv, network_of(ns)
        started = 0
        for n in range(6, 20):
            since = len(p.log()) if os.path.exists(p.log_path) else 0
            p.argv = ["prlimit", f"--nofile={n}:{n}", *argv]
            p.start()
            up = r"public key"
            wait_for("it to start or to end", lambda: not p.running() or re.search(up, p.log()[since:]))
            if p.running():
                started += 1
                assert p.stop() == 0
            else:
                code, said = p.wait_exit(), p.log()[since:]
                assert code in (EX_OSERR, 78), f"{n}: {said}"
                assert "Too many open files" in said, f"{n}: {said}"
            assert not re.search(r"missing|no /dev/net/tun|modprobe|CAP_NET_ADMIN", p.log()[since:]), p.log()[since:]
            assert network_of(ns) == before
        assert started > 0


def test_held_control_connections_keep_nobody_out():
    with Lab() as lab:
        r = lab.router(clients=["a"])
        for _ in range(16):
            s = lab.r.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            s.settimeout(PATIENCE)
            s.connect(f"\0sixtap-router-{TUN}")
            assert r.status()["program"] == "sixtap-router"


# ---- logs ----


def redirect(p, to):
    """The log of @p goes to the file @to."""
    p.argv = ["sh", "-c", f'exec "$@" 2>{to}', "sh", *p.argv]


def test_h98_full_disk():
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", lab.public("a"), start=False)
        for p in (r, a):
            redirect(p, "/dev/full")
            p.start()
        wait_for("the router to answer", r.try_status)
        a.wait_up()
        assert a.ns.ping(ROUTER6, count=5) == 5


@pytest.mark.parametrize("reader", ["closed", "stuck"])
def test_h98_log_pipe(reader):
    """The reader of the log goes away (EPIPE, SIGPIPE), or reads no more and the pipe is full."""
    with Lab() as lab:
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", lab.public("a"), start=False)
        fifo = [os.path.join(lab.dir, n + ".fifo") for n in ("r", "a")]
        for p, path in zip((r, a), fifo):
            os.mkfifo(path)
            end = os.open(path, os.O_RDWR | os.O_NONBLOCK)
            if reader == "stuck":
                while True:
                    try:
                        os.write(end, b"x" * 4096)
                    except BlockingIOError:
                        break
            redirect(p, path)
            p.start()
            wait_for("it to run", p.try_status)
            if reader == "closed":
                os.close(end)
            else:
                lab.closers.append(lambda end=end: os.close(end))
        a.wait_up()
        assert a.ns.ping(ROUTER6, count=5) == 5
        r.proc.send_signal(signal.SIGHUP)  # something to log
        assert a.ns.ping(ROUTER6, count=5) == 5


# ---- signals ----


@pytest.mark.parametrize("who", ["router", "client"])
def test_h97_stopped_for_a_while(who):
    """SIGSTOP: what was on its way is late, nothing breaks. (Long ones: sim/test_alive, router_stopped, on a fake clock.)"""
    with Lab() as lab:
        r, a = one_client(lab)
        conn = Conn(lab.inet, a.ns, a.address())
        conn.exchange()
        p = r if who == "router" else a
        p.proc.send_signal(signal.SIGSTOP)
        assert a.ns.ping(ROUTER6, count=3, interval=0.5, wait=0.5) == 0
        p.proc.send_signal(signal.SIGCONT)
        conn.exchange()
        reaches(a)
        assert a.carrier()


def test_h100_signal_storm():
    """SIGHUP as often as one likes; then SIGTERM and SIGINT in a heap: one clean end."""
    with Lab() as lab:
        r, a = one_client(lab)
        for _ in range(300):
            for p in (r, a):
                p.proc.send_signal(signal.SIGHUP)
        reaches(a)
        before = time.monotonic()
        for p in (a, r):
            for _ in range(100):
                if p.proc.poll() is None:
                    p.proc.send_signal(signal.SIGTERM)
                if p.proc.poll() is None:
                    p.proc.send_signal(signal.SIGINT)
                if p.proc.poll() is None:
                    p.proc.send_signal(signal.SIGHUP)
            assert p.wait_exit() == 0, p.log()
        print(f"both ended after {time.monotonic() - before:.2f} s")
        assert a.ns.link(TAP) is None and lab.r.link(TUN) is None


@pytest.mark.parametrize("sig", [signal.SIGTERM, signal.SIGHUP])
def test_h100_signals_at_start(sig):
    """At any moment of the start: SIGTERM ends it and nothing is left, SIGHUP does nothing."""
    with Lab() as lab:
        ns = lab.public("a")
        r = lab.router(clients=["a"], start=False)
        a = lab.client("a", ns, start=False)
        for p, net in ((r, lab.r), (a, ns)):
            before = network_of(net)
            for i in range(12):
                since = len(p.log()) if os.path.exists(p.log_path) else 0
                p.start()
                if sig == signal.SIGHUP:
                    p.wait_log(r"ciphers", since)  # before main() it is the loader's, and SIGHUP the system's
                end = time.monotonic() + i * 0.01  # a moment of the start, not an event to wait for
                while time.monotonic() < end:
                    pass
                p.proc.send_signal(sig)
                if sig == signal.SIGHUP:
                    p.wait_log(r"public key", since)
                    assert p.stop() == 0
                else:
                    assert p.wait_exit() in (0, -signal.SIGTERM), p.log()[since:]
                assert network_of(net) == before
