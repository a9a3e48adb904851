# SPDX-License-Identifier: MIT
"""lab.py - a small internet out of network namespaces, with the real daemons in it

    inet  an IPv6 host with a web server, 2001:db8:ffff::2/64
      |
      r   the router: public IPv4 198.18.0.1 on lo, TUN sixtap0 with 2001:db8:1::1/64, forwarding on
      |-- 198.18.K.1/30 -- 198.18.K.2/30  public(): a client with a public IPv4 address
      `-- 198.18.K.1/30 -- 198.18.K.2/30  nat(): nftables masquerade, inside a bridge 10.0.K.1/24
                                             |-- 10.0.K.2  behind(): a client
                                             `-- 10.0.K.3  another

IPv6 is off on every link but the one between inet and r: what has IPv6 has it from the tunnel.

DOC: sockets are opened in a namespace by entering it for a moment (setns) and stay there, so most of a test runs in
one process, with no helper programs. Nothing sleeps for a fixed time: wait_for() polls for an event, with a deadline
that only a failing test ever reaches. Names carry the pid, so test files run side by side; what a killed run left
behind is swept by the next one.
"""

import contextlib
import ctypes
import errno
import http.server
import ipaddress
import json
import os
import re
import select
import shutil
import signal
import socket
import struct
import subprocess
import tempfile
import threading
import time

HERE = os.path.dirname(os.path.abspath(__file__))
BUILD = os.environ.get("SIXTAP_BUILD") or os.path.normpath(os.path.join(HERE, "../../build-test"))
PATIENCE = float(os.environ.get("SIXTAP_PATIENCE", "20"))

ROUTER4 = "198.18.0.1"
PORT = 6464
PREFIX = "2001:db8:1::/64"
ROUTER6 = "2001:db8:1::1"
WEB6 = "2001:db8:ffff::2"
TAP = "tap6"
TUN = "sixtap0"

SANITIZER = re.compile(r"AddressSanitizer|LeakSanitizer|UndefinedBehaviorSanitizer|runtime error:")

ETH_P_ALL = 0x0003
PACKET_OUTGOING = 4
_CLONE_NEWNET = 0x40000000
_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def wait_for(what, fn, timeout=None):
    """The first true value of fn(), asked again and again with growing pauses; fails after @timeout seconds."""
    end = time.monotonic() + (PATIENCE if timeout is None else timeout)
    pause = 0.005
    while True:
        got = fn()
        if got:
            return got
        if time.monotonic() >= end:
            raise AssertionError(f"waited in vain for: {what}; last answer {got!r}")
        time.sleep(pause)
        pause = min(pause * 1.5, 0.1)


def fold_mac(ip, port):
    """The MAC that follows from an endpoint (PROTOCOL.md 5.1), computed here once more."""
    o = bytearray(ipaddress.IPv4Address(ip).packed + struct.pack("!H", port))
    o[0] = (o[0] & 0xFC) | 0x02
    return ":".join(f"{b:02x}" for b in o)


def eui64(prefix, mac):
    """prefix::/64 and the modified EUI-64 of @mac, as text."""
    m = bytes.fromhex(mac.replace(":", ""))
    iid = bytes([m[0] ^ 2]) + m[1:3] + b"\xff\xfe" + m[3:]
    return str(ipaddress.IPv6Address(ipaddress.IPv6Address(prefix.split("/")[0]).packed[:8] + iid))


def split_endpoint(text):
    ip, port = text.rsplit(":", 1)
    return ip, int(port)


# ---- namespaces ----


class Namespace:
    """A network namespace; run() and enter() do things in it."""

    def __init__(self, lab, name, full):
        self.lab, self.name, self.full = lab, name, full
        subprocess.run(["ip", "netns", "add", full], check=True)
        self.fd = os.open(f"/run/netns/{full}", os.O_RDONLY | os.O_CLOEXEC)
        self.ip("link set lo up")
        self.addr4 = None  # the address its client speaks from

    @contextlib.contextmanager
    def enter(self):
        """Sockets and processes made meanwhile belong to this namespace."""
        home = os.open("/proc/thread-self/ns/net", os.O_RDONLY | os.O_CLOEXEC)
        _setns(self.fd)
        try:
            yield self
        finally:
            _setns(home)
            os.close(home)

    def run(self, *argv, check=True, stdin=None, timeout=None):
        """Runs a program to its end; its output is in .stdout and .stderr."""
        with self.enter():
            done = subprocess.run([str(a) for a in argv], input=stdin, capture_output=True, text=True,
                                  timeout=timeout or 3 * PATIENCE)
        if check and done.returncode != 0:
            raise AssertionError(f"{self.name}: {' '.join(map(str, argv))}: exit {done.returncode}\n"
                                 f"{done.stdout}{done.stderr}")
        return done

    def ip(self, *lines):
        """Runs lines of `ip` commands."""
        subprocess.run(["ip", "-n", self.full, "-batch", "-"], input="\n".join(lines) + "\n", text=True, check=True,
                       capture_output=True)

    def ip_json(self, *argv):
        """The answer of `ip -j ...` as Python objects; [] for a device that is not there."""
        done = self.run("ip", "-j", "-d", *argv, check=False)
        return [x for x in json.loads(done.stdout or "[]") if x]

    def sysctl(self, key, value):
        with self.enter(), open("/proc/sys/" + key, "w", encoding="ascii") as f:
            f.write(str(value))

    def socket(self, *args):
        with self.enter():
            return self.lab.keep(socket.socket(*args))

    def no_ipv6(self, dev):
        self.sysctl(f"net/ipv6/conf/{dev}/disable_ipv6", 1)

    def addresses(self, dev):
        """Usable IPv6 addresses of @dev: {address: entry}."""
        links = self.ip_json("-6", "addr", "show", "dev", dev)
        infos = links[0]["addr_info"] if links else []
        return {i["local"]: i for i in infos if not i.get("tentative") and not i.get("dadfailed")}

    def link(self, dev):
        links = self.ip_json("link", "show", "dev", dev)
        return links[0] if links else None

    def neighbor(self, dev, addr):
        """The entry of `ip -6 neigh` for @addr, or None."""
        for n in self.ip_json("-6", "neigh", "show", "dev", dev):
            if n["dst"] == addr:
                return n
        return None

    def ping(self, addr, count=1, interval=0.05, size=56, wait=2.0, dev=None):
        """How many of @count echo requests were answered."""
        argv = ["ping", "-6", "-n", "-q", "-c", str(count), "-i", str(interval), "-s", str(size), "-W", str(wait)]
        if dev:
            argv += ["-I", dev]
        out = self.run(*argv, addr, check=False).stdout
        got = re.search(r"(\d+) received", out)
        return int(got.group(1)) if got else 0

    def close(self):
        os.close(self.fd)
        subprocess.run(["ip", "netns", "del", self.full], check=False, capture_output=True)


def _setns(fd):
    if _libc.setns(fd, _CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")


def _die_with_parent():
    _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


def _sweep():
    """Namespaces of runs that were killed. Their daemons died with them (PR_SET_PDEATHSIG)."""
    for name in os.listdir("/run/netns") if os.path.isdir("/run/netns") else []:
        m = re.match(r"st(\d+)-\d+-", name)
        if m and not os.path.exists(f"/proc/{m.group(1)}"):
            subprocess.run(["ip", "netns", "del", name], check=False, capture_output=True)


# ---- daemons ----


class Process:
    """A program that runs beside the test, its output in a file."""

    def __init__(self, lab, name, ns, argv):
        self.lab, self.name, self.ns, self.argv = lab, name, ns, argv
        self.log_path = os.path.join(lab.dir, name + ".log")
        self.proc = None
        self.expected = None  # exit code of a process that ended because the test wanted it

    def start(self):
        env = dict(os.environ, ASAN_OPTIONS="abort_on_error=0:exitcode=99", UBSAN_OPTIONS="print_stacktrace=1")
        with open(self.log_path, "ab") as log, self.ns.enter():
            self.proc = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=env,
                                         preexec_fn=_die_with_parent, cwd=self.lab.dir)
        self.expected = None
        return self

    def running(self):
        return self.proc is not None and self.proc.poll() is None

    def log(self):
        with open(self.log_path, encoding="utf-8", errors="replace") as f:
            return f.read()

    def wait_log(self, regex, since=0):
        """Waits until the log, from character @since, has a match; returns it."""
        def look():
            assert self.running() or self.expected is not None or re.search(regex, self.log()[since:]), \
                f"{self.name} ended by itself with {self.proc.returncode}:\n{self.log()}"
            return re.search(regex, self.log()[since:])
        return wait_for(f"/{regex}/ in the log of {self.name}", look)

    def stop(self, sig=signal.SIGTERM):
        """Ends it and returns its exit code (negative: the signal)."""
        if self.running():
            self.proc.send_signal(sig)
        try:
            self.expected = self.proc.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
            raise AssertionError(f"{self.name} does not end {PATIENCE} s after signal {sig}") from None
        return self.expected

    def kill(self):
        """kill -9"""
        self.stop(signal.SIGKILL)

    def wait_exit(self):
        """Waits until it ends by itself; returns the exit code."""
        self.expected = self.proc.wait(timeout=PATIENCE)
        return self.expected


class Pings(Process):
    """A ping that goes on while other things happen."""

    def answered(self):
        return [int(n) for n in re.findall(r"icmp_seq=(\d+) ttl", self.log())]

    def wait_more(self, n):
        """Waits for @n further answers."""
        until = len(self.answered()) + n
        wait_for(f"{n} more echo replies", lambda: len(self.answered()) >= until)

    def missing(self):
        """Ends it; sequence numbers that were never answered, up to the last that was."""
        self.stop(signal.SIGINT)
        got = self.answered()
        return sorted(set(range(1, max(got, default=0) + 1)) - set(got))


class Daemon(Process):
    """sixtap-router or sixtap-client with its configuration file."""

    def __init__(self, lab, name, ns, program, conf, verbose=True):
        self.conf = os.path.join(lab.dir, name + ".yaml")
        self.program = lab.program(program)
        with open(self.conf, "w", encoding="utf-8") as f:
            f.write(conf)
        super().__init__(lab, name, ns, [self.program, "run", "-c", self.conf] + (["-v"] if verbose else []))

    def status(self):
        """The answer of `status --json`."""
        done = self.ns.run(self.program, "status", "--json", "-c", self.conf)
        return json.loads(done.stdout)

    def try_status(self):
        done = self.ns.run(self.program, "status", "--json", "-c", self.conf, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def wait_status(self, what, predicate):
        """Waits until predicate(status) is true; returns that status."""
        def look():
            s = self.try_status()
            return s if s and predicate(s) else None
        return wait_for(what, look)

    def drops(self, name):
        return self.status()["drops"][name]


class Router(Daemon):
    def wait_up(self):
        self.wait_log(r"own address")
        self.wait_status("the router to answer", lambda s: True)
        return self

    def member(self, name, status=None):
        """The member called @name in the status, or None."""
        for m in (status or self.status())["members"]:
            if m["name"] == name:
                return m
        return None

    def wait_member(self, name, predicate=lambda m: True):
        def look():
            s = self.try_status()
            m = s and self.member(name, s)
            return m if m and predicate(m) else None
        return wait_for(f"member {name}", look)


class Client(Daemon):
    def carrier(self):
        link = self.ns.link(TAP)
        return bool(link) and "LOWER_UP" in link["flags"]

    def mac(self):
        return self.ns.link(TAP)["address"]

    def link_local(self):
        return next((a for a in self.ns.addresses(TAP) if a.startswith("fe80:")), None)

    def address(self):
        """Its global address; None while there is none."""
        return next((a for a, i in self.ns.addresses(TAP).items() if i["scope"] == "global"), None)

    def default_route(self):
        """The entries of `ip -6 route` for the world."""
        return self.ns.ip_json("-6", "route", "show", "default")

    def wait_up(self, ping=ROUTER6):
        """Carrier, a global address, a default route if there is an uplink, and the router answers."""
        def up():
            assert self.running(), f"{self.name} ended by itself with {self.proc.returncode}:\n{self.log()}"
            return self.carrier() and self.address() and (not self.lab.uplink or self.default_route())
        wait_for(f"{self.name}: carrier, address and route", up)
        wait_for(f"{self.name}: echo reply of {ping}", lambda: self.ns.ping(ping, wait=0.5))
        return self


# ---- the lab ----


class Lab:
    """with Lab() as lab: namespaces, links, daemons; all gone at the end, also when a test fails."""

    active = []

    def __init__(self):
        if os.geteuid() != 0:
            raise RuntimeError("these tests make network namespaces and need root")
        _sweep()
        self.dir = tempfile.mkdtemp(prefix=f"sixtap-{os.getpid()}-")
        self.number = Lab.serial = getattr(Lab, "serial", 0) + 1
        self.nets, self.processes, self.closers = [], [], []
        self.k = 0
        self.keys = {}
        self.router_daemon, self.uplink = None, False
        try:
            self._core()
        except BaseException:
            self._tear_down()
            raise
        Lab.active.append(self)

    def __enter__(self):
        return self

    def __exit__(self, kind, value, trace):
        problems = []
        try:
            if kind is None:
                problems += self._stop_daemons()
            self._end_processes()
            problems += self._sanitizer_words()
            if kind is not None or problems:
                print(self.logs())
        finally:
            self._tear_down()
            if self in Lab.active:
                Lab.active.remove(self)
        if kind is None and problems:
            raise AssertionError("\n".join(problems))
        return False

    def logs(self):
        return "\n".join(f"---- {p.name} ({p.ns.name}) ----\n{p.log()}" for p in self.processes
                         if os.path.exists(p.log_path))

    def _stop_daemons(self):
        """A daemon must still run, and end with 0 when told to."""
        problems = []
        for p in reversed(self.processes):
            if p.proc is None or p.expected is not None:
                continue
            if not p.running():
                problems.append(f"{p.name} ended by itself with {p.proc.returncode}")
                continue
            code = p.stop()
            if isinstance(p, Daemon) and code != 0:
                problems.append(f"{p.name}: exit code {code} after SIGTERM")
        return problems

    def _end_processes(self):
        for p in reversed(self.processes):
            if p.running():
                p.proc.terminate()
                try:
                    p.proc.wait(timeout=5)
                except subprocess.TimeoutExpired:
                    p.proc.kill()
                    p.proc.wait()

    def _sanitizer_words(self):
        return [f"{p.name}: a sanitizer spoke up" for p in self.processes
                if os.path.exists(p.log_path) and SANITIZER.search(p.log())]

    def _tear_down(self):
        for close in reversed(self.closers):
            with contextlib.suppress(Exception):
                close()
        for ns in reversed(self.nets):
            ns.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    def keep(self, thing):
        """@thing.close() is called at the end."""
        self.closers.append(thing.close)
        return thing

    # -- topology --

    def ns(self, name):
        n = Namespace(self, name, f"st{os.getpid()}-{self.number}-{name}")
        self.nets.append(n)
        return n

    def _core(self):
        self.inet, self.r = self.ns("inet"), self.ns("r")
        self.r.ip("link add up0 type veth peer name eth0 netns " + self.inet.full)
        for ns, dev in ((self.r, "up0"), (self.inet, "eth0")):
            # no link-local address that is tentative for a second and keeps packets waiting
            ns.sysctl(f"net/ipv6/conf/{dev}/accept_dad", 0)
        self.r.ip("addr add 2001:db8:ffff::1/64 dev up0 nodad", "link set up0 up",
                  f"addr add {ROUTER4}/32 dev lo")
        self.inet.ip(f"addr add {WEB6}/64 dev eth0 nodad", "link set eth0 up",
                     f"route add {PREFIX} via 2001:db8:ffff::1")
        self.r.sysctl("net/ipv6/conf/all/forwarding", 1)
        self.r.sysctl("net/ipv4/ip_forward", 1)

    def link4(self, ns, name):
        """A /30 between r and @ns; returns (address of @ns, address of r)."""
        self.k += 1
        near, far = f"198.18.{self.k}.1", f"198.18.{self.k}.2"
        self.r.ip(f"link add v-{name} type veth peer name wan netns {ns.full}")
        self.r.no_ipv6(f"v-{name}")
        ns.no_ipv6("wan")
        self.r.ip(f"addr add {near}/30 dev v-{name}", f"link set v-{name} up")
        ns.ip(f"addr add {far}/30 dev wan", "link set wan up", f"route add default via {near} src {far}")
        ns.addr4, ns.gateway, ns.at_r = far, near, f"v-{name}"
        return far, near

    def public(self, name, source=None):
        """A host with a public IPv4 address: 198.18.K.2, or @source, from which it then speaks."""
        ns = self.ns(name)
        self.link4(ns, name)
        if source:
            self.also_at(ns, source)
            ns.ip(f"route replace default via {ns.gateway} src {source}")
            ns.addr4 = source
        return ns

    def also_at(self, ns, addr):
        """@ns has the public address @addr too."""
        ns.ip(f"addr add {addr}/32 dev lo")
        self.r.ip(f"route add {addr}/32 via {ns.gateway[:-1]}2")

    def nat(self, name):
        """A NAT with 198.18.K.2 outside and 10.0.K.1/24 inside; source ports come from a range that rebind() moves."""
        ns = self.ns(name)
        self.link4(ns, name)
        ns.inside, ns.hosts = f"10.0.{self.k}", 1
        ns.ip("link add br0 type bridge")
        ns.no_ipv6("br0")
        ns.ip(f"addr add {ns.inside}.1/24 dev br0", "link set br0 up")
        ns.sysctl("net/ipv4/ip_forward", 1)
        ns.run("nft", "add table ip nat; add chain ip nat post { type nat hook postrouting priority srcnat; }")
        self.ports(ns, 20000, 29999)
        return ns

    def ports(self, nat, first, last):
        """New mappings of the NAT have source ports @first..@last; those it has stay."""
        nat.run("nft", "-f", "-", stdin="flush chain ip nat post\nadd rule ip nat post oifname wan meta l4proto udp "
                f"masquerade to :{first}-{last}\nadd rule ip nat post oifname wan masquerade\n")

    def rebind(self, nat, first, last):
        """The NAT forgets every mapping; new ones have source ports @first..@last."""
        self.ports(nat, first, last)
        nat.run("conntrack", "-F")

    def behind(self, nat, name):
        ns = self.ns(name)
        nat.hosts += 1
        addr = f"{nat.inside}.{nat.hosts}"
        nat.ip(f"link add h-{name} type veth peer name wan netns {ns.full}")
        nat.no_ipv6(f"h-{name}")
        ns.no_ipv6("wan")
        nat.ip(f"link set h-{name} master br0 up")
        ns.ip(f"addr add {addr}/24 dev wan", "link set wan up", f"route add default via {nat.inside}.1")
        ns.addr4 = addr
        return ns

    # -- programs --

    def program(self, name):
        path = os.path.join(BUILD, name)
        assert os.path.exists(path), f"{path} is not built (SIXTAP_BUILD names the build directory)"
        return path

    def process(self, name, ns, argv):
        p = Process(self, name, ns, argv)
        self.processes.append(p)
        return p.start()

    def write(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode)
        with os.fdopen(fd, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def key(self, name, program="sixtap-client"):
        """Makes NAME.key once; returns the public key."""
        if name not in self.keys:
            private = subprocess.run([self.program(program), "keygen"], capture_output=True, text=True, check=True).stdout
            self.write(name + ".key", private)
            self.keys[name] = subprocess.run([self.program(program), "pubkey"], input=private, capture_output=True,
                                             text=True, check=True).stdout.strip()
        return self.keys[name]

    def router(self, clients=(), uplink=True, addressing="stable", extra="", start=True, mode="routed", prefix=PREFIX,
               given=None):
        """sixtap-router in r. @extra: lines of YAML. @prefix: "" none. @given: {client: more of its entry}."""
        self.uplink = uplink
        self.key("router", "sixtap-router")
        listed = "".join(f"  - {{ name: {c}, public_key: {self.key(c)}{(given or {}).get(c, '')} }}\n"
                         for c in clients)
        conf = (f"listen: {ROUTER4}:{PORT}\nprivate_key_file: router.key\n" + (f"prefix: {prefix}\n" if prefix else "") +
                f"addressing: {addressing}\n"
                f"uplink: {{ {f'mode: {mode}, device: {TUN}' if uplink else 'mode: none'} }}\n{extra}"
                + (f"clients:\n{listed}" if listed else ""))
        self.router_daemon = Router(self, "router", self.r, "sixtap-router", conf)
        self.processes.append(self.router_daemon)
        if start:
            self.router_daemon.start().wait_up()
        return self.router_daemon

    def client(self, name, ns, extra="", start=True, router_key=None):
        """sixtap-client with the key called @name in @ns. @extra: lines of YAML. Tests of the segment look at what the
        tunnel brings, all of it, so the firewall is off unless @extra says otherwise."""
        self.key(name)
        if not re.search(r"^firewall:", extra, re.M):
            extra = "firewall: off\n" + extra
        conf = (f"router: {ROUTER4}:{PORT}\nrouter_key: {router_key or self.key('router', 'sixtap-router')}\n"
                f"private_key_file: {name}.key\ndevice: {TAP}\n{extra}")
        c = Client(self, name, ns, "sixtap-client", conf)
        self.processes.append(c)
        if start:
            c.start()
        return c

    def web(self, body):
        """A web server on WEB6 port 80 that answers every GET with @body."""
        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            address_family = socket.AF_INET6
            daemon_threads = True

        with self.inet.enter():
            server = Server((WEB6, 80), Handler)
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        self.closers.append(server.server_close)
        self.closers.append(server.shutdown)

    def sniff(self, ns, dev):
        return self.keep(Sniffer(ns, dev))

    def outer(self, ns):
        """The datagrams between the router and @ns, which from now on pass one by one and not joined to large ones."""
        for end, dev in ((self.r, ns.at_r), (ns, "wan")):
            end.run("ethtool", "-K", dev, "tx-udp-segmentation", "off")
        return self.keep(Outer(self.r, ns.at_r))

    def pings(self, ns, addr, interval=0.05):
        """Pings @addr until stop()."""
        p = Pings(self, f"pings-{len(self.processes)}", ns, ["ping", "-6", "-n", "-i", str(interval), addr])
        self.processes.append(p)
        return p.start()


# ---- traffic ----


class Sniffer:
    """Everything that passes a device, from now on; frames() has all of it so far."""

    def __init__(self, ns, dev):
        self.name = f"{ns.name}/{dev}"
        with ns.enter():
            self.sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_ALL))
            self.sock.bind((dev, ETH_P_ALL))
        with contextlib.suppress(OSError):
            self.sock.setsockopt(socket.SOL_SOCKET, 33, 32 << 20)  # SO_RCVBUFFORCE
        self.sock.setblocking(False)
        self.seen = []

    def frames(self, outgoing=None):
        """Frames as octets; outgoing True or False: only those this host sent, or did not."""
        while True:
            try:
                data, addr = self.sock.recvfrom(70000)
            except OSError as e:
                if e.errno in (errno.EAGAIN, errno.ENETDOWN):
                    break
                raise
            self.seen.append((addr[2] == PACKET_OUTGOING, data))
        return [d for out, d in self.seen if outgoing is None or out == outgoing]

    def has(self, marker):
        """Has a frame with these octets passed?"""
        return any(marker in f for f in self.frames())

    def wait(self, marker):
        wait_for(f"{marker!r} on {self.name}", lambda: self.has(marker))

    def lost(self):
        """Frames the kernel could not keep for us: with any, "never seen" would mean nothing."""
        return struct.unpack("II", self.sock.getsockopt(263, 6, 8))[1]  # SOL_PACKET, PACKET_STATISTICS

    def close(self):
        self.sock.close()


class Outer(Sniffer):
    """Datagrams of the tunnel protocol that pass a link between router and clients."""

    def datagrams(self, from_router):
        """(endpoint of the other side, UDP payload), in the order they passed."""
        got = []
        for f in self.frames():
            if f[12:14] != b"\x08\x00" or f[23] != 17:
                continue
            src, dst = (f[26:30], f[34:36]), (f[30:34], f[36:38])
            router = (socket.inet_aton(ROUTER4), struct.pack("!H", PORT))
            if (src if from_router else dst) != router:
                continue
            other = dst if from_router else src
            got.append(((socket.inet_ntoa(other[0]), struct.unpack("!H", other[1])[0]),
                        f[42:34 + struct.unpack("!H", f[38:40])[0]]))
        return got


class Spoofer:
    """Sends UDP over IPv4 in anybody's name."""

    def __init__(self, ns):
        self.sock = ns.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def send(self, src, dst, payload):
        """@src, @dst: (address, port)"""
        udp = struct.pack("!HHHH", src[1], dst[1], 8 + len(payload), 0) + payload
        ip = struct.pack("!BBHHHBBH4s4s", 0x45, 0, 20 + len(udp), 0, 0, 64, 17, 0, socket.inet_aton(src[0]),
                         socket.inet_aton(dst[0]))
        self.sock.sendto(ip + udp, (dst[0], 0))


class Injector:
    """Puts raw frames on a device, as a program on that host could."""

    def __init__(self, ns, dev):
        with ns.enter():
            self.sock = ns.lab.keep(socket.socket(socket.AF_PACKET, socket.SOCK_RAW, 0))
            self.sock.bind((dev, 0))

    def send(self, frame):
        self.sock.send(bytes(frame))


class Conn:
    """A TCP connection whose two ends are in two namespaces; listens on @addr of @to."""

    def __init__(self, frm, to, addr):
        listener = to.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.bind((addr, 0))
        listener.listen(1)
        a = frm.socket(socket.AF_INET6, socket.SOCK_STREAM)
        a.settimeout(PATIENCE)
        a.connect((addr, listener.getsockname()[1]))
        listener.settimeout(PATIENCE)
        b, self.peer = listener.accept()
        to.lab.keep(b)
        listener.close()
        for s in (a, b):
            s.setblocking(False)
        self.a, self.b = a, b

    def exchange(self, n=20000, timeout=None):
        """@n random octets each way at the same time; fails unless they arrive unchanged."""
        todo = {self.a: os.urandom(n), self.b: os.urandom(n)}
        want = {self.a: todo[self.b], self.b: todo[self.a]}
        got = {self.a: b"", self.b: b""}
        end = time.monotonic() + (timeout or PATIENCE)
        while any(len(got[s]) < n for s in got):
            left = end - time.monotonic()
            assert left > 0, f"TCP stalls: {[len(x) for x in got.values()]} of {n} octets"
            r, w, _ = select.select([s for s in got if len(got[s]) < n], [s for s in todo if todo[s]], [], left)
            for s in w:
                todo[s] = todo[s][s.send(todo[s][:65536]):]
            for s in r:
                data = s.recv(65536)
                assert data, "TCP connection was closed"
                got[s] += data
        assert got == want, "TCP octets changed on the way"


class UdpFlow:
    """Datagrams from one namespace to another and back, each with its number. @source: the address that is used, in
    place of the one the kernel chooses."""

    def __init__(self, frm, to, addr, source=None):
        self.b = to.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        self.b.bind((addr, 0))
        self.a = frm.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        if source:
            self.a.bind((source, 0))
        self.a.connect(self.b.getsockname()[:2])
        self.n = 0

    def round_trip(self, size=100, timeout=None):
        """One datagram there and the same octets back."""
        self.n += 1
        data = struct.pack("!I", self.n) + os.urandom(max(size - 4, 0))
        self.a.send(data)
        _, frm = self._take(self.b, data, timeout)
        self.b.sendto(data, frm)
        self._take(self.a, data, timeout)

    def try_round_trip(self, size=100, timeout=0.5):
        try:
            self.round_trip(size, timeout)
            return True
        except TimeoutError:
            return False
        except OSError as e:
            if e.errno != errno.EMSGSIZE:  # how a Packet Too Big for an earlier one is told
                raise
            return False

    @staticmethod
    def _take(sock, want, timeout):
        sock.settimeout(timeout or PATIENCE)
        while True:
            got, frm = sock.recvfrom(65536)
            if got[:4] == want[:4]:
                assert got == want, "UDP octets changed on the way"
                return got, frm
