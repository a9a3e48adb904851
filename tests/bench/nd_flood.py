#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""nd_flood.py - what a flood of Neighbor Discovery from one client costs a flow between two others

    sudo tests/bench/nd_flood.py BUILD_DIR [--kinds NAME,..] [--rounds 3] [--seconds 2] [--rate 100000] [--singly]

    r  sixtap-router
    |-- l   the flooder (tests/netns/liar.c), on CPU 0
    |-- b   sixtap-client, iperf3 server
    `-- c   sixtap-client, iperf3 client: one TCP stream to b

A round measures the stream twice, in turn first and second: once while l floods the router, once while l sends the very
same datagrams at the same rate to a port of the router that nobody listens on. So both times l is equally busy, and what
is left is the router's work. Printed: the medians, their ratio, and the rate l reached. --singly: l sends each datagram
by itself, without UDP_SEGMENT, which costs the flooder and the kernel more, and the router one buffer for each.
"""
import argparse
import json
import os
import statistics
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
CLOSED = 6465


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        v = f.read().rsplit(")", 1)[1].split()
    return (int(v[11]) + int(v[12])) / os.sysconf("SC_CLK_TCK")


def goodput(s, seconds):
    out = s.c.ns.run("iperf3", "-6", "-c", s.b_addr, "-t", str(seconds), "-O", "0.5", "-J", timeout=60).stdout
    return json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e6


def one(s, port, args):
    """Mbit/s of the stream, datagrams a second of the flooder, CPU seconds a second of router"""
    span = args.seconds + 1.5
    before = cpu_of(s.r.proc.pid)
    s.liar.flood(int(args.rate * span), rate=args.rate, port=port, timeout=120)
    rate = goodput(s, args.seconds)
    took, _ = s.liar.flooded()
    s.liar.sync()
    return rate, int(args.rate * span) / took, (cpu_of(s.r.proc.pid) - before) / took


def measure(s, kind, args):
    quiet, flood, reached, cpu = [], [], [], []
    for n in range(args.rounds):
        for port in ((CLOSED, 0) if n % 2 == 0 else (0, CLOSED)):
            mbit, sent, busy = one(s, port, args)
            (quiet if port else flood).append(mbit)
            if not port:
                reached.append(sent)
                cpu.append(busy)
    q, f = statistics.median(quiet), statistics.median(flood)
    print(f"| {kind} | {statistics.median(reached):.0f} | {q:.0f} | {f:.0f} | {f / q:.3f} |", flush=True)
    return f / q


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build")
    ap.add_argument("--kinds", default="NS for nobody,NS for b,RS,DAD,lies,MLD")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=int, default=2)  # iperf3 takes whole ones; 0 is for ever
    ap.add_argument("--rate", type=int, default=100000)
    ap.add_argument("--singly", action="store_true")
    args = ap.parse_args()
    os.environ["SIXTAP_BUILD"] = os.path.abspath(args.build)
    sys.path.insert(0, os.path.join(HERE, "../netns"))
    sys.dont_write_bytecode = True
    from lab import Lab
    from test_flood import Scene, nd_flood_texts
    with Lab() as lab:
        s = Scene(lab, extra="multicast: true\n", cpu=0, env={"SIXTAP_UDP_OFFLOAD": "off"} if args.singly else None)
        lab.process("iperf3", s.b.ns, ["iperf3", "-6", "-s", "--forceflush"]).wait_log("listening")
        print("| flood | packets/s | quiet, Mbit/s | flooded, Mbit/s | ratio |")
        print("|---|--:|--:|--:|--:|")
        for kind in args.kinds.split(","):
            s.liar.load(nd_flood_texts(s, kind))
            measure(s, kind, args)


if __name__ == "__main__":
    main()
