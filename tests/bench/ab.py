#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Builds or settings of SixTap side by side, in turns: was the change worth it?

    ab.py [options] VARIANT...      needs root, iperf3

    VARIANT   LABEL=BUILD[,WHAT=VALUE...]  the programs of the folder BUILD; WHAT in capitals goes into the
                                           environment, else it is a key of both configurations;
                                           under=COMMAND: they are started by it
              NAME                         a driver of bench.py --list (vxlan, quicktun-raw, ...)

    ab.py --rounds 5 old=../build-old new=../build-new vxlan
    ab.py as-it-is=../build "fifo=../build,under=chrt --fifo 1"
    ab.py --hogs 2 high=../build normal=../build,priority=normal

Every round runs each variant once on a network built afresh, in an order rotated by one place.  Printed: the
median of the rounds (least-greatest).  --hogs N: busy loops beside it; the machine's
CPU time then counts theirs too.
"""
import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
sys.dont_write_bytecode = True

import bench  # noqa: E402
import drivers  # noqa: E402
from topology import Topology, end_pids, tear_down  # noqa: E402

COLUMNS = (("mbps", "TCP, Mbit/s", "%.0f"), ("hub", "hub CPU, s/GB", "%.3f"), ("clients", "clients' CPU, s/GB", "%.3f"),
           ("busy", "whole machine, s/GB", "%.2f"), ("idle", "idle, %", "%.0f"), ("pps", "64 B, pkt/s", "%.0f"),
           ("rtt", "RTT idle, µs", "%.0f"), ("load_p50", "RTT under TCP p50, ms", "%.2f"),
           ("load_p99", "p99, ms", "%.2f"))


def driver_of(variant):
    if "=" not in variant:
        return variant, drivers.make(variant)
    label, spec = variant.split("=", 1)
    build, *rest = spec.split(",")
    d = drivers.SixTapDefault()
    d.build = os.path.abspath(build)
    for what, value in (r.split("=", 1) for r in rest):
        if what == "under":
            d.under = tuple(value.split())
        elif what.isupper():
            d.env = dict(d.env, **{what: value})
        else:
            d.more += "%s: %s\n" % (what, value)
    return label, d


def one(b, a, d):
    """{column: value} of one turn; the network and the driver are up."""
    m = {}
    if "rtt_idle" in a.measure:
        rtt = b.rtt(d)["median"]
        if rtt is not None:
            m["rtt"] = rtt
    if "tcp1" in a.measure:
        ends = d.client_pids(1) + d.client_pids(2)
        cpu = bench.cpu_seconds(ends)
        v = b.tcp(d, 1, a.seconds, a.cc)
        gb = v["bytes"] / 1e9
        m.update(mbps=v["mbps"], hub=v["hub_cpu_s"] / gb, clients=(bench.cpu_seconds(ends) - cpu) / gb,
                 busy=v["busy_s"] / gb, idle=100 * (1 - v["busy_s"] / v["wall_s"] / os.cpu_count()))
    if "udp64" in a.measure:
        b.guess = {}
        best = b.udp(d, 64)["best"]
        if best:
            m["pps"] = best["got_pps"]
    if "rtt_load" in a.measure:
        v = b.rtt(d, a.cc)
        if v["median"] is not None:
            m["load_p50"], m["load_p99"] = v["median"] / 1000, v["p99"] / 1000
    return m


def rounds(a, work):
    b = bench.Bench(a, work)
    got = {}
    for r in range(a.rounds):
        k = r % len(a.variants)
        for variant in a.variants[k:] + a.variants[:k]:
            label, d = driver_of(variant)
            top = Topology(2, a.wire)
            try:
                top.up()
                d.start(2, os.path.join(work, "r%d-%s" % (r, label)))
                b.wait_path(d, 10)
                time.sleep(0.3)
                for c, x in one(b, a, d).items():
                    got.setdefault(label, {}).setdefault(c, []).append(x)
            except (RuntimeError, ValueError, KeyError, ArithmeticError, subprocess.TimeoutExpired) as e:
                print("%s, round %d: %s" % (label, r + 1, str(e)[:300]), file=sys.stderr)
            finally:
                b.end_extra()
                d.stop()
                top.down()
    return got


def table(got):
    cols = [c for c in COLUMNS if any(c[0] in m for m in got.values())]
    print("| variant | " + " | ".join(c[1] for c in cols) + " |\n|---|" + "--:|" * len(cols))
    for label, m in got.items():
        cells = []
        for c, _, f in cols:
            x = m.get(c)
            cells.append("%s (%s–%s)" % tuple(f % y for y in (statistics.median(x), min(x), max(x))) if x else "–")
        print("| %s | %s |" % (label, " | ".join(cells)))


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    p.add_argument("variants", nargs="+", metavar="VARIANT")
    p.add_argument("--rounds", type=int, default=4)
    p.add_argument("--seconds", type=float, default=3)
    p.add_argument("--cc", default=bench.congestion_controls()[0])
    p.add_argument("--measure", type=lambda t: t.split(","), default=["tcp1"], help="tcp1, rtt_idle, rtt_load, udp64")
    p.add_argument("--wire", action="store_true")
    p.add_argument("--hogs", type=int, default=0)
    a = p.parse_args()
    a.udp_trials, a.udp_seconds = 4, 0.5
    if os.geteuid() != 0:
        sys.exit("ab.py: needs root: it makes network namespaces and devices")
    hogs = []
    work = tempfile.mkdtemp(prefix="sxbench-ab-")
    try:
        tear_down()
        hogs += [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(a.hogs)]
        table(rounds(a, work))
    finally:
        end_pids([h.pid for h in hogs], 0.3)
        tear_down()
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
