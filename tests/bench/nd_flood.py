#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""nd_flood.py - what a flood of Neighbor Discovery from one client costs a flow between two others

    sudo tests/bench/nd_flood.py BUILD_DIR [--kinds NAME,..] [--pairs 20] [--slice 0.5] [--rate 100000] [--singly]

    r  sixtap-router
    |-- l   the flooder (tests/netns/liar.c), on CPU 0
    |-- b   sixtap-client, iperf3 server
    `-- c   sixtap-client, iperf3 client: one TCP stream to b

One stream lasts through all of a kind. Meanwhile l floods the router for a slice of time, then sends the very same datagrams
at the same rate to a port of the router that nobody listens on for as long, and so on in turn. So both times l is equally
busy, and what is left is the router's work; and slices that are neighbors share whatever else changes in such a run (which
process the scheduler put where, the stream's window). The first fifth of a slice does not count. Printed: the medians of what
b's TAP took in, the median over all pairs of their ratio and how far a median of so many pairs is off (standard error, by
resampling); before it the rate l reached and what a packet of the flood costs the router's process while there is no stream.
--singly: l sends each datagram by itself, without UDP_SEGMENT, which costs the flooder and the kernel more, and the router one
buffer for each.
"""
import argparse
import os
import random
import statistics
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
CLOSED = 6465
WARM_UP_S = 1.0


def cpu_ns(pid):
    """Of all threads; 0 where the kernel does not tell."""
    total = 0
    for t in os.listdir(f"/proc/{pid}/task"):
        with open(f"/proc/{pid}/task/{t}/schedstat", encoding="ascii") as f:
            total += int(f.read().split()[0])
    return total


def octets_in(pid, device):
    """What @device of the namespace that process @pid is in has received so far: for a TAP, from its program."""
    with open(f"/proc/{pid}/net/dev", encoding="ascii") as f:
        return next(int(line.split(":")[1].split()[0]) for line in f if line.strip().startswith(device + ":"))


def slice_of(s, port, args):
    """Mbit/s of the stream and datagrams a second of the flooder"""
    n = int(args.rate * args.slice)
    s.liar.flood(n, rate=args.rate, port=port, timeout=120)
    time.sleep(args.slice / 5)
    since, before = time.monotonic(), octets_in(s.b.proc.pid, "tap6")
    time.sleep(args.slice * 0.7)
    got, span = octets_in(s.b.proc.pid, "tap6") - before, time.monotonic() - since
    took, _ = s.liar.flooded()
    return got * 8e-6 / span, n / took


def alone(s, args):
    """Nanoseconds of the router's process per packet of a second of the flood, nothing else to do"""
    n, before = args.rate, cpu_ns(s.r.proc.pid)
    s.liar.flood(n, rate=args.rate, timeout=120)
    s.liar.flooded()
    s.liar.sync()
    return (cpu_ns(s.r.proc.pid) - before) / n


def off_by(ratios):
    """Standard error of the median of @ratios."""
    rnd = random.Random(1)
    return statistics.pstdev(statistics.median(rnd.choices(ratios, k=len(ratios))) for _ in range(500))


def measure(s, lab, kind, args):
    cost = statistics.median(alone(s, args) for _ in range(3))
    span = WARM_UP_S + args.pairs * 2 * (args.slice + 0.1) + 60
    stream = lab.process("stream " + kind, s.c.ns, ["iperf3", "-6", "-c", s.b_addr, "-t", str(int(span)), "--forceflush"])
    time.sleep(WARM_UP_S)
    quiet, flood, reached = [], [], []
    for n in range(args.pairs):
        for port in ((CLOSED, 0) if n % 2 == 0 else (0, CLOSED)):
            mbit, sent = slice_of(s, port, args)
            (quiet if port else flood).append(mbit)
            if not port:
                reached.append(sent)
    assert stream.proc.poll() is None, "the stream ended too early"
    stream.stop()
    ratios = [f / q for f, q in zip(flood, quiet)]
    q, f = statistics.median(quiet), statistics.median(flood)
    print(f"| {kind} | {statistics.median(reached):.0f} | {cost:.0f} | {q:.0f} | {f:.0f} | {statistics.median(ratios):.3f} | "
          f"{off_by(ratios):.3f} |", flush=True)


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build")
    ap.add_argument("--kinds", default="NS for nobody,NS for b,RS,DAD,lies,MLD")
    ap.add_argument("--pairs", type=int, default=20)
    ap.add_argument("--slice", type=float, default=0.5)
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
        print("| flood | packets/s | router, ns a packet | quiet, Mbit/s | flooded, Mbit/s | ratio | off by |")
        print("|---|--:|--:|--:|--:|--:|--:|")
        for kind in args.kinds.split(","):
            s.liar.load(nd_flood_texts(s, kind))
            measure(s, lab, kind, args)


if __name__ == "__main__":
    main()
