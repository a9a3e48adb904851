# SPDX-License-Identifier: MIT
"""Every system that can be measured: the kernel's own, SixTap, peers.py, and whatever a cmd file describes."""
import json
import os
import shlex
import subprocess
import time

import peers  # noqa: F401 (registers the rivals)
from driver import DRIVERS, INNER_MTU, PORT, Driver, Unavailable, driver
from topology import HUB, ROUTER, client_addr, client_ns, hub_addr, sh

HERE = os.path.dirname(os.path.abspath(__file__))


def make(name):
    """The driver called @name, or described by the file @name (*.json)."""
    return CmdDriver(name) if name.endswith(".json") else DRIVERS[name]()


# -- kernel references --------------------------------------------------------
@driver
class Plain(Driver):
    name = "plain"
    kind = "reference"
    crypto = "none"
    note = "no tunnel: IPv6 routed by the hub's kernel between veths; GSO packets of 64 KiB cross whole"
    many = True

    def address(self, k):
        return "fd00:198:%x::2" % k

    def configure(self):
        sh("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", ns=HUB)
        for k in range(1, self.n + 1):
            for ns, dev, a in ((HUB, "u%d" % k, 1), (client_ns(k), "u0", 2)):
                sh("ip", "link", "set", dev, "mtu", str(INNER_MTU), ns=ns)
                sh("sysctl", "-qw", "net.ipv6.conf.%s.disable_ipv6=0" % dev, ns=ns)
                sh("ip", "-6", "addr", "add", "fd00:198:%x::%d/64" % (k, a), "dev", dev, "nodad", ns=ns)
            sh("ip", "-6", "route", "add", "default", "via", "fd00:198:%x::1" % k, ns=client_ns(k))


@driver
class Vxlan(Driver):
    name = "vxlan"
    kind = "reference"
    crypto = "none"
    note = "kernel vxlan and bridge on the hub, no user space; inner GSO packets cross whole"
    many = True

    def start_hub(self):
        sh("ip", "link", "add", "br0", "mtu", str(INNER_MTU), "type", "bridge", ns=HUB)
        sh("ip", "link", "set", "br0", "up", ns=HUB)

    def start_client(self, k):
        for ns, dev, local, remote in ((HUB, "vx%d" % k, hub_addr(k), client_addr(k)),
                                       (client_ns(k), "vx0", client_addr(k), hub_addr(k))):
            sh("ip", "link", "add", dev, "mtu", str(INNER_MTU), "type", "vxlan", "id", str(k), "local", local,
               "remote", remote, "dstport", "4789", ns=ns)
        sh("ip", "link", "set", "vx%d" % k, "master", "br0", "up", ns=HUB)
        self.client_device(k, "vx0")


# -- SixTap ---------------------------------------------------------------------
class SixTap(Driver):
    """Binaries are those of $SIXTAP_BUILD. A variant sets switches in the environment of both daemons, more lines for
    both configurations, and what they are started by."""
    kind = "sixtap"
    many = True
    crypto = "AES-256-GCM, hop by hop"
    env = {}
    more = ""
    under = ()     # what both daemons are started by
    build = None
    device, port = "tap6", 6464

    def prepare(self):
        build = self.build or os.environ.get("SIXTAP_BUILD") or os.path.normpath(os.path.join(HERE, "../../build-bench"))
        self.router_bin, self.client_bin = (os.path.join(build, p) for p in ("sixtap-router", "sixtap-client"))
        for b in (self.router_bin, self.client_bin):
            if not os.path.exists(b):
                raise Unavailable("%s is not built (SIXTAP_BUILD names the build folder)" % b)
            with open(b, "rb") as f:
                code = f.read()
            for switch in self.env:
                if switch.encode() not in code:
                    raise Unavailable("%s does not know %s" % (b, switch))
        self.public = {k: self.keys(k) for k in range(self.n + 1)}

    def keys(self, k):
        """Writes private key @k (0: the router's), returns the public one."""
        b = self.client_bin if k else self.router_bin
        private = sh(b, "keygen")
        self.file("%d.key" % k, private)
        return subprocess.run([b, "pubkey"], input=private, stdout=subprocess.PIPE, text=True, check=True).stdout.strip()

    def start_hub(self):
        conf = ("listen: 0.0.0.0:%d\npublic_address: %s\nprivate_key_file: 0.key\nprefix: 2001:db8:1::/64\n"
                "addressing: stable\nmtu: %d\nuplink: { mode: none }\n%sclients:\n" % (self.port, ROUTER, INNER_MTU, self.more))
        for k in range(1, self.n + 1):
            conf += "  - { name: c%d, public_key: %s }\n" % (k, self.public[k])
        self.spawn(HUB, *self.under, self.router_bin, "run", "-c", self.file("router.yaml", conf), env=self.env)

    def start_client(self, k):
        conf = "router: %s:%d\nrouter_key: %s\nprivate_key_file: %d.key\ndevice: %s\nmtu: %d\nfirewall: off\n%s" % (
            ROUTER, self.port, self.public[0], k, self.device, INNER_MTU, self.more)
        self.spawn(client_ns(k), *self.under, self.client_bin, "run", "-c", self.file("c%d.yaml" % k, conf), env=self.env)

    def configure(self):
        self.found = {k: self.learn_address(k, self.device) for k in range(1, self.n + 1)}

    def address(self, k):
        return self.found[k]


@driver
class SixTapDefault(SixTap):
    name = "sixtap"
    note = "Release build, as it comes"


@driver
class SixTapLibsodium(SixTap):
    name = "sixtap-libsodium"
    env = {"SIXTAP_CRYPTO": "libsodium"}
    note = "Release build, libsodium's AES-256-GCM instead of libipsec-mb's"


@driver
class SixTapRealtime(SixTap):
    name = "sixtap-realtime"
    under = ("chrt", "--fifo", "1")
    note = "Release build, each daemon started by chrt --fifo 1"


@driver
class SixTapNoOffload(SixTap):
    name = "sixtap-no-offload"
    env = {"SIXTAP_UDP_OFFLOAD": "off", "SIXTAP_TAP_OFFLOAD": "off"}
    note = "Release build, no UDP_GRO, UDP_SEGMENT or superframes: one packet at a time to and from the kernel"


# -- the least it can cost -----------------------------------------------------------
@driver
class Bare(Driver):
    """bare.c: a key that everybody knows, no login, no tables."""
    name = "bare"
    kind = "reference"
    crypto = "AES-256-GCM, hop by hop"
    note = "bare.c: SixTap's calls of the kernel and its cipher and nothing else, one fixed key; unsafe"
    env = {}

    def prepare(self):
        build = os.environ.get("SIXTAP_BUILD") or os.path.normpath(os.path.join(HERE, "../../build-bench"))
        self.bin = os.path.join(build, "bare")
        if not os.path.exists(self.bin):
            raise Unavailable("%s is not built (SIXTAP_BUILD names the build folder)" % self.bin)

    def start_hub(self):
        self.spawn(HUB, self.bin, "hub", str(PORT), env=self.env)

    def start_client(self, k):
        self.spawn(client_ns(k), self.bin, "client", "bare0", ROUTER, str(PORT), env=self.env)
        self.client_device(k, "bare0")


@driver
class BareNull(Bare):
    name = "bare-null"
    crypto = "none"
    env = {"BARE_NULL": "1"}
    note = "bare.c without its cipher"


# -- anything else, from a file ------------------------------------------------------------------
class CmdDriver(Driver):
    """A system described by a JSON file; see cmd.example.json and README.md."""
    kind = "other"
    many = True
    optional = {"prepare", "hub_up", "client_up", "note", "crypto", "name", "family", "env"}

    def __init__(self, path):
        super().__init__()
        with open(path) as f:
            self.c = json.load(f)
        unknown = set(self.c) - self.optional - {"hub", "client", "address"}
        if unknown:
            raise SystemExit("%s: unknown keys %s" % (path, ", ".join(sorted(unknown))))
        self.base = os.path.dirname(os.path.abspath(path))
        self.name = self.c.get("name", os.path.splitext(os.path.basename(path))[0])
        self.note = self.c.get("note", "")
        self.crypto = self.c.get("crypto", "?")
        self.family = self.c.get("family", 6)
        self.found = {}

    def fill(self, text, k=0):
        ns = client_ns(k) if k else HUB
        return text.format(k=k, k04="%04x" % k, ns=ns, n=self.n, router=ROUTER, hub_addr=hub_addr(k or 1), client_addr=client_addr(k),
                           dir=self.dir, conf=self.base, port=PORT, mtu=INNER_MTU)

    def once(self, key, ns, k=0):
        for line in self.c.get(key, []):
            argv = ["sh", "-c", self.fill(line, k)]
            if ns:
                sh(*argv, ns=ns, cwd=self.dir)
            else:
                sh(*argv, cwd=self.dir)

    def prepare(self):
        self.once("prepare", None)

    def run(self, key, ns, k=0):
        env = {a: self.fill(b, k) for a, b in self.c.get("env", {}).items()}
        for line in self.c[key]:
            self.spawn(ns, *shlex.split(self.fill(line, k)), env=env)

    def start_hub(self):
        self.run("hub", HUB)
        self.once("hub_up", HUB)

    def start_client(self, k):
        self.run("client", client_ns(k), k)

    def configure(self):
        for k in range(1, self.n + 1):
            self.once("client_up", client_ns(k), k)
        for k in range(1, self.n + 1):
            self.found[k] = self.learn(k)

    def learn(self, k):
        how = self.c["address"]
        if "fixed" in how:
            return self.fill(how["fixed"], k)
        timeout = how.get("timeout", 15)
        if "device" in how:
            return self.learn_address(k, self.fill(how["device"], k), timeout)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            bad = self.dead()
            if bad:
                raise RuntimeError(bad)
            got = sh("sh", "-c", self.fill(how["command"], k), ns=client_ns(k), check=False, cwd=self.dir).strip()
            if got:
                return got
            time.sleep(0.05)
        raise RuntimeError("client %d has no address; %s" % (k, self.last_log()))

    def address(self, k):
        return self.found[k]
