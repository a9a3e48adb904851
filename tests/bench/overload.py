#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""overload.py - what strangers can make the router do: answers, octets, a flow's throughput, a login's delay

    sudo tests/bench/overload.py BUILD_DIR [junk] [octets] [flow] [logins] [--count 10000000] [--rounds 5] ..

    r  sixtap-router, on CPU 0
    |-- l   the sender (flood.c), on CPU 1; 64.0.0.0/3 is behind it, from there come forged sources
    |-- b   sixtap-client, iperf3 server
    |-- c   sixtap-client, iperf3 client: one TCP stream to b
    `-- d   sixtap-client that logs in again and again

What comes back is counted by nftables where it reaches l, whatever address it was sent to.

junk    10^7 datagrams of which none is well-formed DATA (flood.c says which): how many the router read, how many
        packets came back.
octets  each exchange of the protocol before authentication: octets of UDP payload to the router, and back.
flow    a round measures the stream twice, in turn first and second: once while l sends --rate LOGINs a second with a
        valid MAC1 from forged sources, once while l sends the very same to a port of another address of r that nobody
        listens on. So l and the kernel below UDP are equally busy, and what is left is the router's work.
        --sources N: the forged addresses are the same N in turns; --kind mac2: with random octets for MAC2.
logins  d starts 20 times while the flood goes on: time from its start to its login, and to its login without a flood.
        Each time from another address, as the router remembers for a while who asked.
"""
import argparse
import json
import os
import statistics
import subprocess
import sys
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../netns"))
sys.dont_write_bytecode = True
FORGED, BITS = "64.0.0.0", 3  # half a thousand million addresses
CLOSED = 6465
HEADERS = 28  # of IPv4 and UDP


class Scene:
    def __init__(self, lab, extra=""):
        self.lab = lab
        self.r = lab.router(clients=["l", "b", "c", "d"], extra=extra)
        subprocess.run(["taskset", "-apc", "0", str(self.r.proc.pid)], check=True, capture_output=True)
        self.l = lab.public("l")
        lab.key("l")
        lab.r.ip(f"route add {FORGED}/{BITS} via {self.l.addr4}")
        for dev in ("all", self.l.at_r):
            lab.r.sysctl(f"net/ipv4/conf/{dev}/rp_filter", 0)
        self.l.run("nft", "add table ip t; add counter ip t back; add chain ip t in { type filter hook prerouting "
                   "priority -300; }; add rule ip t in ip saddr 198.18.0.1 counter name back")

    def back(self):
        """Packets and octets of UDP payload that came back so far"""
        for x in json.loads(self.l.run("nft", "-j", "list", "counters").stdout)["nftables"]:
            if "counter" in x:
                return x["counter"]["packets"], x["counter"]["bytes"] - HEADERS * x["counter"]["packets"]
        raise AssertionError("no counter")

    def flood(self, kind, count, rate, to=None, source=None, sources=0):
        """Starts the sender; its end is told by done()"""
        ip, port = to or ("198.18.0.1", 6464)
        src, bits = (source, 32) if source else (FORGED, f"{BITS}:{sources}" if sources else BITS)
        argv = ["taskset", "-c", "1", os.path.join(os.environ["SIXTAP_BUILD"], "tests/flood"), ip, str(port), src, str(bits),
                kind, str(int(count)), str(int(rate)), self.lab.key("router", "sixtap-router"),
                os.path.join(self.lab.dir, "l.key")]
        with self.l.enter():
            return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True)

    def settled(self):
        """What the router has read and dropped, when it reads no more"""
        last = None
        while True:
            s = self.r.status()
            now = s["udp"]["rx_datagrams"]
            if now == last:
                return s
            last = now
            time.sleep(0.2)


def done(proc):
    out, _ = proc.communicate(timeout=280)
    assert proc.returncode == 0, "the sender failed"
    return json.loads(out)


def cpu_of(pid):
    with open(f"/proc/{pid}/stat", encoding="ascii") as f:
        v = f.read().rsplit(")", 1)[1].split()
    return (int(v[11]) + int(v[12])) / os.sysconf("SC_CLK_TCK")


def junk(args):
    with Lab() as lab:
        s = Scene(lab)
        before, drops = s.settled()["udp"]["rx_datagrams"], s.r.status()["drops"]
        heard = s.back()
        sent = done(s.flood("junk", args.count, args.junk_rate))
        now = s.settled()
        why = {k: v - drops[k] for k, v in now["drops"].items() if v != drops[k]}
        print(f"junk: {sent['sent']} datagrams in {sent['seconds']:.0f} s, read by the router: "
              f"{now['udp']['rx_datagrams'] - before}, packets back: {s.back()[0] - heard[0]}")
        print(f"      dropped as {json.dumps(why)}")


def octets(args):
    del args
    many = "[ " + ", ".join(f"'2001:db8:{0x1000 + i:x}::/48'" for i in range(16)) + " ]"
    rows = [  # what, kind, datagrams, forged sources
        ("LOGIN of an unknown key", "login", 20, True),
        ("LOGIN, above the limit (COOKIE)", "login", 20000, True),
        ("LOGIN of a listed key, more and more of them", "genuine", 1000, False),
        ("LOGIN of a listed key (LOGIN_REPLY)", "genuine", 1, False),
        ("DATA of no keypair (NUDGE)", "data", 1000, False),
        ("no well-formed DATA", "junk", 10000, False),
    ]
    print("| exchange | datagrams | octets to the router | packets back | octets back | ratio |\n|---|--:|--:|--:|--:|--:|")
    for what, kind, n, forged in rows:
        with Lab() as lab:
            s = Scene(lab, extra=f"routes: {many}\n")
            s.settled()
            heard = s.back()
            sent = done(s.flood(kind, n, 5000, source=None if forged else s.l.addr4))
            s.settled()
            packets, back = (now - then for now, then in zip(s.back(), heard))
            print(f"| {what} | {n} | {sent['octets']} | {packets} | {back} | {back / sent['octets']:.3f} |", flush=True)


def one(s, closed, args):
    """Mbit/s of the stream, LOGINs a second, CPU seconds a second of router, what came back a second"""
    span = args.seconds + 2
    heard, cpu, began = s.back()[0], cpu_of(s.r.proc.pid), time.monotonic()
    flood = s.flood(args.kind, args.rate * span, args.rate, to=(s.l.gateway, CLOSED) if closed else None,
                    sources=args.sources)
    out = s.c.ns.run("iperf3", "-6", "-c", s.b_addr, "-t", str(args.seconds), "-O", "1", "-J", timeout=60).stdout
    busy = (cpu_of(s.r.proc.pid) - cpu) / (time.monotonic() - began)
    sent = done(flood)
    mbit = json.loads(out)["end"]["sum_received"]["bits_per_second"] / 1e6
    return mbit, sent["sent"] / sent["seconds"], busy, (s.back()[0] - heard) / sent["seconds"]


def flow(args):
    with Lab() as lab:
        s = Scene(lab)
        s.b, s.c = (lab.client(n, lab.public(n)).wait_up() for n in "bc")
        s.b_addr = s.b.address()
        lab.process("iperf3", s.b.ns, ["iperf3", "-6", "-s", "--forceflush"]).wait_log("listening")
        got = {True: [], False: []}
        for n in range(args.rounds):
            for closed in ((True, False) if n % 2 == 0 else (False, True)):
                got[closed].append(one(s, closed, args))
                print("      %-7s %.0f Mbit/s, %.0f LOGINs/s, router %.2f CPU, %.0f/s back" %
                      ("quiet" if closed else "flooded", *got[closed][-1]), flush=True)
        (quiet, *_), (mbit, sent, _, back) = ([statistics.median(x) for x in zip(*got[c])] for c in (True, False))
        print(f"flow: quiet {quiet:.0f} Mbit/s, under {sent:.0f} LOGINs/s {mbit:.0f} Mbit/s: {mbit / quiet:.3f} "
              f"(medians of {args.rounds}); {back:.0f} COOKIEs/s")


def logins(args):
    with Lab() as lab:
        s = Scene(lab)
        where = lab.public("d")
        d, n = lab.client("d", where, start=False), 0
        for name, rate in (("quiet", 0), (f"under {args.rate} LOGINs/s", args.rate)):
            took = []
            flood = s.flood(args.kind, rate * 200, rate, sources=args.sources) if rate else None
            before = s.r.status()["udp"]["rx_datagrams"]
            while s.r.status()["udp"]["rx_datagrams"] < before + args.lead * rate:
                time.sleep(0.1)  # until it is under way, and the router knows addresses that come again
            for _ in range(args.logins):
                n += 1
                lab.also_at(where, f"203.0.113.{n}")
                where.ip(f"route replace default via {where.gateway} src 203.0.113.{n}")
                since = len(d.log()) if os.path.exists(d.log_path) else 0
                began = time.monotonic()
                d.start()
                d.wait_log(r"logged in after", since)
                took.append(time.monotonic() - began)
                d.kill()
            if flood:
                assert flood.poll() is None, "the flood ended before the logins"
                flood.terminate()
                flood.wait()
            took.sort()
            print(f"logins: {name}: p50 {took[len(took) // 2]:.2f} s, p95 {took[-(-len(took) * 95 // 100) - 1]:.2f} s, "
                  f"worst {took[-1]:.2f} s, {len(took)} of them", flush=True)
        d.start().wait_up()


WHAT = {"junk": junk, "octets": octets, "flow": flow, "logins": logins}


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("build")
    ap.add_argument("what", nargs="*", help=", ".join(WHAT))
    ap.add_argument("--count", type=int, default=10_000_000)
    ap.add_argument("--junk-rate", type=int, default=150_000)
    ap.add_argument("--rounds", type=int, default=5)
    ap.add_argument("--seconds", type=int, default=3)  # iperf3 takes whole ones; 0 is for ever
    ap.add_argument("--rate", type=int, default=50_000)
    ap.add_argument("--logins", type=int, default=20)
    ap.add_argument("--lead", type=int, default=5, help="seconds of flood before the first login")
    ap.add_argument("--sources", type=int, default=0, help="so many forged addresses, in turns; 0: a new one each time")
    ap.add_argument("--kind", default="login", choices=("login", "mac2"))
    args = ap.parse_args()
    os.environ["SIXTAP_BUILD"] = os.path.abspath(args.build)
    global Lab
    from lab import Lab
    for name in args.what or WHAT:
        if name not in WHAT:
            ap.error(f"{name}: one of {', '.join(WHAT)}")
        WHAT[name](args)


if __name__ == "__main__":
    main()
