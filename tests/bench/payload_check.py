#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Is anything reordered, doubled or corrupted on the way? An own check of every octet, not TCP's.

    sudo payload_check.py [--gb 10] [--proto tcp,udp] [--driver sixtap] [--json OUT]
    payload_check.py --self-test            no root: does the check find what it must find?

Four flows at once between two clients through the hub: TCP and UDP in both directions, a quarter of --gb each. What is
sent depends on the position alone: block number, then octets of a pool at a place that follows from the number (by
splitmix64), so a block that is lost, doubled, moved or shifted cannot match. UDP: datagrams of 16 to 1352 octets
singly, and runs that leave in one call (UDP_SEGMENT), so that both shapes reach the tunnel mixed with TCP. The
sender waits for the receiver (at most WINDOW datagrams on the way): what is lost then is the tunnel's loss.

Exit 0 when every octet was right and no datagram came out of order or twice; lost datagrams are counted, no failure.
"""
import argparse
import ctypes
import hashlib
import json
import mmap
import os
import socket
import struct
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

BLOCK = 64 * 1024                 # of a TCP stream: number (8), pool octets
POOL = (1 << 20) + 7              # octets; a prime: no multiple of any packet size
UDP_MIN, UDP_MAX = 16, 1352       # payload octets: inner MTU 1400 - 40 - 8
RUN = 40                          # datagrams of a run at the most
WINDOW = 512                      # datagrams on the way
GIVE_UP_S = 20.0                  # without any progress
UDP_SEGMENT, SOL_UDP, SO_RCVBUFFORCE, CLONE_NEWNET = 103, 17, 33, 0x40000000
MASK = (1 << 64) - 1


def mix(n):
    """splitmix64: neighbouring numbers, unrelated results"""
    z = (n * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


class Pattern:
    """What block or datagram @n of flow @seed consists of."""

    def __init__(self, seed):
        self.seed = seed
        pool = hashlib.shake_128(b"payload_check %d" % seed).digest(POOL)
        self.pool = pool + pool[:BLOCK]       # any start below POOL has BLOCK octets after it

    def octets(self, n, size):
        at = mix(n ^ (self.seed << 48)) % POOL
        return struct.pack("!Q", n) + self.pool[at:at + size - 8]

    def size(self, n):
        """Octets of datagram @n: groups of 64; every second group is a run of equal size."""
        group = n >> 6
        if group & 1:
            return UDP_MAX if group & 2 else UDP_MIN + mix(group) % (UDP_MAX - UDP_MIN)
        return UDP_MIN + mix(n) % (UDP_MAX - UDP_MIN + 1)

    def run(self, n):
        """How many datagrams from @n on leave in one call."""
        return min(RUN, 64 - (n & 63)) if (n >> 6) & 1 else 1


class DatagramCheck:
    """Counts what is wrong with the datagrams of one flow."""

    def __init__(self, pattern):
        self.p, self.next, self.missing = pattern, 0, set()
        self.n = {"received": 0, "octets": 0, "corrupt": 0, "reordered": 0, "doubled": 0}

    def take(self, data):
        c = self.n
        c["received"] += 1
        c["octets"] += len(data)
        n = struct.unpack_from("!Q", data)[0] if len(data) >= 8 else MASK
        if n > self.next + (1 << 20) or data != self.p.octets(n, self.p.size(n)):
            c["corrupt"] += 1
        elif n >= self.next:
            self.missing.update(range(self.next, n))
            self.next = n + 1
        elif n in self.missing:
            self.missing.discard(n)
            c["reordered"] += 1
        else:
            c["doubled"] += 1

    def result(self, sent):
        return dict(self.n, sent=sent, lost=len(self.missing) + sent - self.next)


# -- the four ends ----------------------------------------------------------------------
def tcp_send(sock, pattern, octets, _):
    for n in range(octets // BLOCK):
        sock.sendall(pattern.octets(n, BLOCK))
    sock.shutdown(socket.SHUT_WR)
    sock.settimeout(GIVE_UP_S)
    sock.recv(1)                            # the other end has it all
    return {}


def tcp_receive(sock, pattern, octets, _):
    buf, bad, first_bad = bytearray(BLOCK), 0, None
    blocks = octets // BLOCK
    sock.settimeout(GIVE_UP_S)
    for n in range(blocks):
        got = 0
        while got < BLOCK:
            k = sock.recv_into(memoryview(buf)[got:])
            if k == 0:
                raise RuntimeError("the stream ended at octet %d" % (n * BLOCK + got))
            got += k
        if buf != pattern.octets(n, BLOCK):
            bad += 1
            first_bad = n if first_bad is None else first_bad
    if sock.recv(1):
        raise RuntimeError("octets after the end of the stream")
    sock.shutdown(socket.SHUT_WR)           # tells the sender
    return {"octets": blocks * BLOCK, "corrupt": bad, "first_bad_block": first_bad}


def udp_send(sock, pattern, octets, shared):
    """@shared: the receiver's count in octets 0-7; the number sent in octets 8-15 once the last one is out."""
    n, left, written_off = 0, octets, 0
    while left > 0:
        k = pattern.run(n)
        size = pattern.size(n)
        data = b"".join(pattern.octets(i, pattern.size(i)) for i in range(n, n + k))
        seen, since = -1, time.monotonic()
        while n + k - written_off - struct.unpack_from("=Q", shared, 0)[0] > WINDOW:
            now, count = time.monotonic(), struct.unpack_from("=Q", shared, 0)[0]
            if count != seen:
                seen, since = count, now
            elif now - since > 0.2:         # those on the way are gone
                written_off = n - count
                break
            time.sleep(0.0002)
        sock.sendmsg([data], [(SOL_UDP, UDP_SEGMENT, struct.pack("=H", size))] if k > 1 else [])
        n += k
        left -= len(data)
    struct.pack_into("=Q", shared, 8, n)
    return {"sent": n}


def udp_receive(sock, pattern, _, shared):
    check, idle = DatagramCheck(pattern), time.monotonic()
    sock.settimeout(0.5)
    while True:
        try:
            check.take(sock.recv(65536))
            struct.pack_into("=Q", shared, 0, check.n["received"])
            idle = time.monotonic()
        except socket.timeout:
            sent = struct.unpack_from("=Q", shared, 8)[0]
            if sent or time.monotonic() - idle > GIVE_UP_S:
                break
        if check.next and check.next == struct.unpack_from("=Q", shared, 8)[0]:
            break
    return check.result(sent=struct.unpack_from("=Q", shared, 8)[0] or check.next)


# -- processes ----------------------------------------------------------------------------
def sockets(kind, frm, to, addr, family):
    """(sender's, receiver's) socket of one flow; each lives in its namespace though made here."""
    listener = socket_in(to, family, kind)
    listener.bind((addr, 0))
    a = socket_in(frm, family, kind)
    if kind == socket.SOCK_DGRAM:
        listener.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 << 20)
        a.connect(listener.getsockname()[:2])
        return a, listener
    listener.listen(1)
    a.settimeout(GIVE_UP_S)
    a.connect(listener.getsockname()[:2])
    b = listener.accept()[0]
    listener.close()
    return a, b


def socket_in(ns, family, kind):
    """A socket that lives in @ns (None: here)."""
    if ns is None:
        return socket.socket(family, kind)
    libc = ctypes.CDLL(None, use_errno=True)
    here, there = os.open("/proc/self/ns/net", os.O_RDONLY), os.open("/var/run/netns/" + ns, os.O_RDONLY)
    try:
        if libc.setns(there, CLONE_NEWNET):
            raise OSError(ctypes.get_errno(), "setns " + ns)
        return socket.socket(family, kind)
    finally:
        if libc.setns(here, CLONE_NEWNET):
            os._exit(1)
        os.close(here)
        os.close(there)


def spawn(fn, *args):
    """Runs fn in a child; (pid, file that will hold its result)."""
    out = tempfile.TemporaryFile("w+")
    pid = os.fork()
    if pid == 0:
        try:
            json.dump(fn(*args), out)
            out.flush()
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    return pid, out


def flow(name, frm, to, addr, family, seed, octets):
    """Starts both ends of one flow; (name, sender, receiver)."""
    tcp = name.startswith("tcp")
    shared = mmap.mmap(-1, 16)
    a, b = sockets(socket.SOCK_STREAM if tcp else socket.SOCK_DGRAM, frm, to, addr, family)
    pattern = Pattern(seed)
    r = spawn(tcp_receive if tcp else udp_receive, b, pattern, octets, shared)
    if tcp:
        a.settimeout(None)
    s = spawn(tcp_send if tcp else udp_send, a, pattern, octets, shared)
    a.close()
    b.close()
    return name, s, r


def finish(flows):
    """Waits for all; {flow: result}."""
    out = {}
    for name, sender, receiver in flows:
        got = {}
        for what, (pid, f) in (("sender", sender), ("receiver", receiver)):
            if os.waitpid(pid, 0)[1]:
                got["error"] = what + " failed"
                continue
            f.seek(0)
            got.update(json.load(f))
        out[name] = got
    return out


def bad(results):
    """Lines on what is wrong; an empty list is what we want."""
    o = []
    for name, r in results.items():
        for key in ("error", "corrupt", "reordered", "doubled"):
            if r.get(key):
                o.append("%s: %s %s" % (name, key, r[key]))
        if not r.get("octets"):
            o.append("%s: nothing arrived" % name)
    return o


def kernel_counters(ns):
    """Checksum errors and reordering as the kernel of @ns saw them."""
    import topology
    got = {}
    for line in topology.sh("cat", "/proc/net/snmp6", ns=ns).splitlines():
        k, v = line.split()
        if k == "Udp6InCsumErrors":
            got[k] = int(v)
    for path, want in (("snmp", ("InCsumErrors",)), ("netstat", ("TCPSACKReorder", "TCPTSReorder", "TCPOFOQueue"))):
        lines = topology.sh("cat", "/proc/net/" + path, ns=ns).splitlines()
        for head, values in zip(lines[::2], lines[1::2]):
            for k, v in zip(head.split()[1:], values.split()[1:]):
                if k in want and head.startswith("Tcp"):
                    got["Tcp" + k if k.startswith("In") else k] = int(v)
    return got


def through_tunnel(args):
    import drivers
    import topology
    topology.tear_down()
    d, top = drivers.make(args.driver), topology.Topology(2, args.wire)
    with tempfile.TemporaryDirectory(prefix="sxbench-pay-") as work:
        try:
            top.up()
            d.start(2, os.path.join(work, d.name))
            c = {k: topology.client_ns(k) for k in (1, 2)}
            wait_path(c[1], d.address(2))
            family = socket.AF_INET6 if d.family == 6 else socket.AF_INET
            each = int(args.gb * 1e9 / (2 * len(args.proto)))
            t0 = time.monotonic()
            flows = [flow("%s c%d-c%d" % (p, x, y), c[x], c[y], d.address(y), family, 10 * i + x, each)
                     for i, p in enumerate(args.proto) for x, y in ((1, 2), (2, 1))]
            results = finish(flows)
            died = d.dead()
            took = time.monotonic() - t0
            kernel = {ns: kernel_counters(ns) for ns in c.values()}
        finally:
            d.stop()
            top.down()
    if died:
        results["daemons"] = {"error": died, "octets": 1}
    return {"driver": d.name, "seconds": took, "flows": results, "kernel": kernel, "wire": args.wire}


def wait_path(ns, addr):
    import topology
    end = time.monotonic() + 15
    while time.monotonic() < end:
        if "1 received" in topology.sh("ping", "-n", "-c1", "-W1", addr, ns=ns, check=False):
            return
    raise SystemExit("no path to " + addr)


def lines_of(doc):
    """The report, Markdown."""
    total = sum(r.get("octets", 0) for r in doc["flows"].values())
    o = ["%s: %.2f GB checked in %.0f s%s." % (doc["driver"], total / 1e9, doc["seconds"],
                                              ", MTU-sized packets on the wire" if doc["wire"] else ""), ""]
    o += ["| flow | GB | datagrams | lost | reordered | doubled | corrupt |", "|---|--:|--:|--:|--:|--:|--:|"]
    for name, r in doc["flows"].items():
        o.append("| %s | %.3f | %s | %s | %s | %s | %s |" % (
            name, r.get("octets", 0) / 1e9, r.get("received", "–"), r.get("lost", "–"), r.get("reordered", "–"),
            r.get("doubled", "–"), r.get("corrupt", r.get("error"))))
    wrong = bad(doc["flows"])
    return o + ["", "The kernels' own counters: " + "; ".join(
        "%s %s" % (ns, ", ".join("%s %d" % kv for kv in k.items())) for ns, k in doc["kernel"].items()) + ".", "",
        "NOT RIGHT: " + "; ".join(wrong) if wrong else "Every octet right, nothing reordered or doubled."]


# -- does the check find what it must find? ----------------------------------------------------
def self_test():
    p = Pattern(3)
    good = [p.octets(n, p.size(n)) for n in range(300)]

    def flip(d, at):
        return d[:at] + bytes([d[at] ^ 1]) + d[at + 1:]
    # what happens on the way, {counter: expected}
    rows = [
        ("nothing", good, {}),
        ("one lost", good[:7] + good[8:], {"lost": 1}),
        ("the last ten lost", good[:290], {"lost": 10}),
        ("two swapped", good[:7] + [good[8], good[7]] + good[9:], {"reordered": 1}),
        ("one late by 100", good[:7] + good[8:108] + [good[7]] + good[108:], {"reordered": 1}),
        ("one twice", good[:8] + good[7:], {"doubled": 1}),
        ("an old one again", good + [good[0]], {"doubled": 1}),
        ("a bit of the number", good[:9] + [flip(good[9], 7)] + good[10:], {"corrupt": 1, "lost": 1}),
        ("a bit of the payload", good[:9] + [flip(good[9], len(good[9]) - 1)] + good[10:], {"corrupt": 1, "lost": 1}),
        ("cut by one", good[:9] + [good[9][:-1]] + good[10:], {"corrupt": 1, "lost": 1}),
        ("another's payload", good[:9] + [good[9][:8] + good[10][8:]] + good[10:], {"corrupt": 1, "lost": 1}),
        ("empty", good[:9] + [b""] + good[10:], {"corrupt": 1, "lost": 1}),
    ]
    failed = 0
    for what, arriving, expect in rows:
        c = DatagramCheck(p)
        for d in arriving:
            c.take(d)
        got = {k: v for k, v in c.result(300).items() if k in ("corrupt", "reordered", "doubled", "lost") and v}
        ok = got == expect
        failed += not ok
        print("%-4s %s %s" % ("ok" if ok else "FAIL", what, "" if ok else "%s instead of %s" % (got, expect)))

    # a stream with two blocks swapped, and both protocols over loopback as they are
    a, b = socket.socketpair()
    r = spawn(tcp_receive, b, p, 4 * BLOCK, None)
    for n in (0, 2, 1, 3):
        a.sendall(p.octets(n, BLOCK))
    a.shutdown(socket.SHUT_WR)
    swapped = finish([("tcp", spawn(dict), r)])["tcp"]
    clean = finish([flow(k, None, None, "::1", socket.AF_INET6, 5, 2000000) for k in ("tcp", "udp")])
    for what, ok in (("two blocks of a stream swapped", swapped.get("corrupt") == 2),
                     ("loopback", not bad(clean) and clean["udp"]["lost"] == 0 and clean["tcp"]["octets"] > 1900000)):
        failed += not ok
        print("%-4s %s %s" % ("ok" if ok else "FAIL", what, "" if ok else (swapped, clean)))
    return 1 if failed else 0


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("--gb", type=float, default=10, help="of payload, 10^9 octets, all flows together")
    ap.add_argument("--proto", type=lambda t: t.split(","), default=["tcp", "udp"])
    ap.add_argument("--driver", default="sixtap")
    ap.add_argument("--wire", action="store_true", help="no segmentation offload on the underlay")
    ap.add_argument("--json", metavar="OUT", help="write every figure there")
    ap.add_argument("--publish", metavar="FILE.md", help="put the report into its section \"payload\"")
    ap.add_argument("--self-test", action="store_true")
    a = ap.parse_args()
    if a.self_test:
        return self_test()
    if os.geteuid():
        ap.error("needs root")
    if set(a.proto) - {"tcp", "udp"}:
        ap.error("--proto: tcp, udp or both")
    doc = through_tunnel(a)
    print("\n".join(lines_of(doc)))
    if a.json:
        with open(a.json, "w") as f:
            json.dump(doc, f, indent=1)
    if a.publish:
        import report
        report.publish("payload", lines_of(doc), a.publish)
    return 1 if bad(doc["flows"]) else 0


if __name__ == "__main__":
    sys.exit(main())
