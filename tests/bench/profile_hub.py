#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Where a hub spends its time: one TCP stream c1->c2, then

  * perf record (cpu-clock) of the hub's processes: share per binary and top symbols,
  * strace -c of the hub's processes for 2 s: system calls per forwarded packet
    and per 64 KiB (counted on the underlay devices of the hub; strace slows the
    hub, the ratio stays).

    profile_hub.py DRIVER...       needs root, perf, strace, iperf3
"""
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
from driver import all_children  # noqa: E402
import drivers  # noqa: E402
from topology import HUB, Topology, client_ns, end_pids, sh, tear_down  # noqa: E402


def hub_traffic():
    """(packets, octets) on u1 + u2, both directions; what is forwarded counts twice (in, out), a GSO packet once."""
    n = octets = 0
    for line in sh("cat", "/proc/net/dev", ns=HUB).splitlines():
        m = re.match(r"\s*(u\d+):(.*)", line)
        if m:
            v = m.group(2).split()
            n += int(v[1]) + int(v[9])
            octets += int(v[0]) + int(v[8])
    return n, octets


def load(d, seconds):
    return [subprocess.Popen(["ip", "netns", "exec", ns] + argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for ns, argv in ((client_ns(2), ["iperf3", "-s", "-1"]),
                             (client_ns(1), ["sh", "-c", "sleep 0.3; exec iperf3 -%d -c %s -t %g" % (
                                 d.family, d.address(2), seconds)]))]


def profile(name, work):
    d = drivers.make(name)
    top = Topology(2)
    print("=== %s: %s" % (d.name, d.note), flush=True)
    procs = []
    try:
        top.up()
        d.start(2, os.path.join(work, d.name))
        time.sleep(2)
        pids = ",".join(str(p) for p in d.hub_pids())
        if not pids:
            print("no hub process")
            return
        procs = load(d, 9)
        time.sleep(1.3)
        data = os.path.join(work, "perf.data")
        subprocess.run(["perf", "record", "-q", "-e", "cpu-clock", "-F", "1999", "-p", pids, "-o", data, "--", "sleep",
                        "3"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for sort, lines in (("dso", 8), ("symbol", 28)):
            out = subprocess.run(["perf", "report", "-i", data, "--stdio", "--sort", sort], stdout=subprocess.PIPE,
                                 stderr=subprocess.DEVNULL, text=True).stdout
            print("\n".join([l.rstrip() for l in out.splitlines() if l.strip() and not l.startswith("#")][:lines]))
            print()
        a = hub_traffic()
        p = subprocess.Popen(["strace", "-c", "-f", "-p", pids.split(",")[0]], stderr=subprocess.PIPE, text=True)
        time.sleep(2)
        p.send_signal(2)
        err = p.communicate(timeout=10)[1]
        n, octets = ((y - x) / 2 for x, y in zip(a, hub_traffic()))
        print("forwarded in the strace window: %d packets of %d octets (GSO: whole)" % (n, octets / max(n, 1)))
        for line in err.splitlines():
            f = line.split()
            if len(f) >= 5 and f[0][0].isdigit() and f[3].isdigit() and n:
                print("   %-22s %9s calls  %.3f per packet  %.3f per 64 KiB" % (
                    f[-1], f[3], int(f[3]) / n, int(f[3]) * 65536 / octets))
    finally:
        end_pids(all_children([p.pid for p in procs if p.poll() is None]), 0.3)
        for p in procs:
            p.wait()
        d.stop()
        top.down()


def main():
    work = tempfile.mkdtemp(prefix="sxbench-prof-")
    tear_down()
    try:
        for n in sys.argv[1:]:
            try:
                profile(n, work)
            except Exception as e:
                print("%s: %s" % (n, e))
    finally:
        tear_down()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
