# SPDX-License-Identifier: MIT
"""test_malloc.py - memory runs out at the n-th allocation of the start, at every place that allocates (H93)

Each daemon is started once for each n with a library (failmalloc.c) that makes that allocation fail: of allocations that
the same chain of calls leads to, the first; with SIXTAP_MALLOC_ALL=1 really all n. It must say so and
end, or start all the same and end well when told to; never crash, never hang, and leave nothing behind. Allocations of
libnftables do not fail: without memory that library calls exit(), or writes through NULL. No network but
the namespace of each worker is needed: the client need not find a router to have started.
"""

import os
import re
import signal
import socket
import subprocess
import tempfile
import threading

import pytest

from lab import BUILD, PATIENCE, PORT, ROUTER4, SANITIZER, TAP, Lab

WORKERS = 2
CLEAN = (0, 65, 69, 70, 71, 74, 78)
SHIM = os.path.join(BUILD, "failmalloc.so")


def environment(at, count=None):
    env = dict(os.environ, LD_PRELOAD=SHIM, FAILMALLOC_AT=str(at), MALLOC_CHECK_="3",
               # the order is ours: the library wraps the sanitizer's allocator; memory lost at such an end is no leak
               ASAN_OPTIONS="verify_asan_link_order=0:abort_on_error=0:exitcode=99:detect_leaks=0",
               UBSAN_OPTIONS="print_stacktrace=1")
    if count:
        env["FAILMALLOC_SITES"] = count
    return env


class Worker:
    """Starts one program again and again in a namespace of its own."""

    def __init__(self, lab, name, argv):
        self.ns, self.argv, self.dir = lab.ns(name), argv, tempfile.mkdtemp(dir=lab.dir)
        self.ns.ip(f"addr add {ROUTER4}/32 dev lo")
        path = os.path.join(self.dir, "notify")
        self.ready = lab.keep(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        self.ready.bind(path)
        self.ready.settimeout(0.005)
        self.path = path
        self.before = self.links()

    def links(self):
        return sorted(link["ifname"] for link in self.ns.ip_json("link", "show"))

    def drain(self):
        """The words of systemd's protocol that have come."""
        got = []
        try:
            while True:
                got.append(self.ready.recv(256))
        except (TimeoutError, BlockingIOError):
            return got

    def run(self, at, count=None):
        """Returns (exit code, output, was it ready)."""
        env = dict(environment(at, count), NOTIFY_SOCKET=self.path)
        with tempfile.TemporaryFile(dir=self.dir) as out:
            with self.ns.enter():
                p = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL, stdout=out, stderr=out, env=env, cwd=self.dir)
            ready = False
            tries = int(PATIENCE / 0.005)
            while p.poll() is None and not ready and tries > 0:
                ready = b"READY=1" in self.drain()
                tries -= 1
            try:
                if ready:
                    p.send_signal(signal.SIGTERM)
                p.wait(PATIENCE if ready or tries > 0 else 0.01)
            except subprocess.TimeoutExpired:
                p.kill()
                p.wait()
            self.drain()
            out.seek(0)
            return p.returncode, out.read().decode(errors="replace"), ready


def explain(at, code, text):
    """What is wrong with this end, or None."""
    if SANITIZER.search(text):
        return f"allocation {at}: a sanitizer spoke up:\n{text}"
    if code not in CLEAN:
        return f"allocation {at}: exit code {code}:\n{text}"
    if code != 0 and not text.strip():
        return f"allocation {at}: exit code {code} without a word"
    return None


def turns_of(sites):
    """Which allocations to fail: the first of each site."""
    if os.environ.get("SIXTAP_MALLOC_ALL"):
        return list(range(1, len(sites) + 1))
    first = {}
    for n, site in enumerate(sites, 1):
        first.setdefault(site, n)
    return sorted(first.values())


def every(lab, argv, turns):
    """Fails each of the allocations @turns; returns (problems, how often it started all the same)."""
    problems, started, lock = [], [0], threading.Lock()
    turns = iter(turns)

    def work(w):
        while True:
            with lock:
                at = next(turns, None)
            if at is None or len(problems) > 20:
                return
            code, text, ready = w.run(at)
            bad = explain(at, code, text)
            left = w.links()
            if left != w.before:
                bad = f"allocation {at}: left behind {left}"
            with lock:
                started[0] += ready
                if bad:
                    problems.append(bad)

    threads = [threading.Thread(target=work, args=(Worker(lab, f"w{i}", argv),)) for i in range(WORKERS)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    return problems, started[0]


def files(lab):
    lab.key("a")
    r = lab.router(clients=["a"], start=False)
    a = lab.client("a", lab.ns("a"), start=False)
    return {"sixtap-router": r, "sixtap-client": a}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("program", ["sixtap-router", "sixtap-client"])
def test_h93_every_allocation(program, command):
    with Lab() as lab:
        d = files(lab)[program]
        argv = [d.program, command, "-c", d.conf]
        count = os.path.join(lab.dir, "count")
        probe = Worker(lab, "probe", argv)
        code, text, ready = probe.run(0, count)
        assert code == 0 and ready == (command == "run"), text
        with open(count, encoding="ascii") as f:
            sites = f.read().split()
        turns = turns_of(sites)
        assert len(turns) > 20, "the library counts"
        problems, started = every(lab, argv, turns)
        print(f"{program} {command}: {len(sites)} allocations at {len(set(sites))} places, {len(turns)} made to fail, "
              f"started all the same {started} times")
        assert not problems, "\n".join(problems[:5])
        if command == "run":
            assert started < len(turns), "some failures must be felt"
