# SPDX-License-Identifier: MIT
"""One driver per tunnel system, all with the same interface.

    d = drivers.make("fastd-null")     or drivers.make("my.json")
    d.start(clients, workdir)          bring the hub and the clients up on a topology.Topology
    d.address(k)                       client k's address inside the tunnel
    d.hub_pids()                       the hub's processes (empty for kernel-only systems)
    d.client_pids(k)
    d.stop()

The hub relays: no system here may use a direct path between clients, and the
topology has none.  All use an inner MTU of 1400 unless `note` says otherwise.
"""
import os
import shutil
import subprocess
import time

from topology import HUB, client_ns, end_pids, sh

INNER_MTU = 1400
PORT = 10000

# Where to find builds that Debian does not ship; a driver whose program is absent reports so.
BUILDS = os.environ.get("BENCH_PEERS") or os.path.normpath(
    os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../build-bench/peers"))


class Unavailable(RuntimeError):
    """The system is not installed or cannot do this."""


def program(*candidates):
    for c in candidates:
        p = shutil.which(c, path=os.environ["PATH"] + ":/usr/sbin:/sbin")
        if p:
            return p
    raise Unavailable("not installed: " + " or ".join(candidates))


def all_children(pids):
    """pids and their living descendants."""
    parent = {}
    for p in os.listdir("/proc"):
        if p.isdigit():
            try:
                with open("/proc/%s/stat" % p) as f:
                    parent[int(p)] = int(f.read().rsplit(")", 1)[1].split()[1])
            except OSError:
                pass
    out = [p for p in pids if p in parent]
    for p in out:
        out += [c for c, pp in parent.items() if pp == p and c not in out]
    return out


class Driver:
    name = "?"
    note = ""          # what a reader of the table must know
    family = 6         # of the inner addresses
    kind = "peer"      # in the report: "reference", "peer", "sixtap" or "other"
    crypto = "?"
    many = False       # cheap enough to start with 50 clients
    many_note = ""

    def __init__(self):
        self.procs = []      # (namespace, Popen)
        self.dir = None
        self.n = 0

    # -- interface ---------------------------------------------------------
    def start(self, clients, workdir):
        self.n, self.dir = clients, workdir
        os.makedirs(workdir, exist_ok=True)
        self.prepare()
        self.start_hub()
        for k in range(1, clients + 1):
            self.start_client(k)
        self.configure()

    def address(self, k):
        return "fd00:198::%x" % k if self.family == 6 else "192.0.2.%d" % k

    def hub_pids(self):
        return all_children([p.pid for ns, p in self.procs if ns == HUB])

    def client_pids(self, k):
        return all_children([p.pid for ns, p in self.procs if ns == client_ns(k)])

    def stop(self):
        pids = all_children([p.pid for _, p in self.procs])
        end_pids(pids)
        for _, p in self.procs:
            try:
                p.wait(timeout=1)
            except subprocess.TimeoutExpired:
                pass
        self.procs = []

    def dead(self):
        """A message when a process that should be running has ended."""
        for ns, p in self.procs:
            rc = p.poll()
            if rc is not None:
                return "%s in %s ended with rc %d: %s" % (p.args[4] if len(p.args) > 4 else p.args, ns, rc,
                                                           self.last_log())
        return None

    def last_log(self):
        out = []
        for f in sorted(os.listdir(self.dir)):
            if f.endswith(".log"):
                with open(os.path.join(self.dir, f), errors="replace") as h:
                    lines = [l.strip() for l in h.read().splitlines() if l.strip()]
                if lines:
                    out.append("%s: %s" % (f, lines[-1][:160]))
        return "; ".join(out[:3])

    # -- to implement ------------------------------------------------------
    def prepare(self):
        pass

    def start_hub(self):
        pass

    def start_client(self, k):
        pass

    def configure(self):
        pass

    # -- helpers -----------------------------------------------------------
    def spawn(self, ns, *argv, env=None):
        e = dict(os.environ)
        e.update(env or {})
        log = open(os.path.join(self.dir, "%s-%d.log" % (ns, len(self.procs))), "wb")
        p = subprocess.Popen(["ip", "netns", "exec", ns] + list(argv), stdin=subprocess.DEVNULL, stdout=log,
                             stderr=subprocess.STDOUT, env=e, cwd=self.dir)
        log.close()
        self.procs.append((ns, p))
        return p

    def file(self, name, text, mode=0o600):
        path = os.path.join(self.dir, name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as f:
            f.write(text)
        os.chmod(path, mode)
        return path

    def wait_dev(self, ns, dev, timeout=10):
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if subprocess.run(["ip", "-n", ns, "link", "show", dev], stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL).returncode == 0:
                return
            bad = self.dead()
            if bad:
                raise RuntimeError(bad)
            time.sleep(0.05)
        raise RuntimeError("no device %s in %s; %s" % (dev, ns, self.last_log()))

    def client_device(self, k, dev, mtu=INNER_MTU):
        """Gives client k's tunnel device its address."""
        ns = client_ns(k)
        self.wait_dev(ns, dev)
        sh("ip", "link", "set", dev, "up", *(["mtu", str(mtu)] if mtu else []), ns=ns)
        if self.family == 6:
            sh("ip", "-6", "addr", "add", self.address(k) + "/64", "dev", dev, "nodad", ns=ns)
        else:
            sh("ip", "addr", "add", self.address(k) + "/24", "dev", dev, ns=ns)

    def static_neighbours(self, dev):
        """For systems that drop multicast: IPv6 neighbour discovery cannot work there."""
        mac = {}
        for k in range(1, self.n + 1):
            for line in sh("ip", "-o", "link", "show", dev, ns=client_ns(k)).split("\n"):
                if "link/ether" in line:
                    mac[k] = line.split("link/ether")[1].split()[0]
        for k in mac:
            for j in mac:
                if j != k:
                    sh("ip", "-6", "neigh", "replace", self.address(j), "lladdr", mac[j], "dev", dev,
                       "nud", "permanent", ns=client_ns(k))

    def learn_address(self, k, dev, timeout=15):
        """The first global address that client k's device @dev gets by itself."""
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            bad = self.dead()
            if bad:
                raise RuntimeError(bad)
            words = sh("ip", "-o", "-%d" % self.family, "addr", "show", "dev", dev, "scope", "global", "-tentative",
                       ns=client_ns(k), check=False).split()
            if len(words) > 3:
                return words[3].split("/")[0]
            time.sleep(0.05)
        raise RuntimeError("client %d has no address; %s" % (k, self.last_log()))


DRIVERS = {}


def driver(cls):
    DRIVERS[cls.name] = cls
    return cls
