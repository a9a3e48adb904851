# SPDX-License-Identifier: MIT
"""flow.py - a steady TCP connection between two namespaces, and what the kernels say about it

Flow(a, b, address) starts it: CHUNK octets each STEP_MS from a to b, and the same back, by a process of its own (this file,
run as a program), so that what a test does meanwhile does not hold it up. stop() ends it and returns

  chunks     how many arrived, both ways together; octets are compared on the way
  stall_ms   the longest that any octet was on its way, from send() to recv()
  late_ms    the longest that the process itself did not come to run: a bound of what the machine adds to stall_ms
  resent     segments that TCP sent again (tcpi_total_retrans, what ss -ti calls retrans), both ends together
  twice      those of them whose first copy had arrived after all, as the other side reported (RFC 2883)

DOC: tail loss probes (RFC 8985 7) are off in both namespaces: they send again without a loss when the machine is busy.
"""

import json
import select
import socket
import struct
import subprocess
import sys
import time

CHUNK = 4096
STEP_MS = 2
SIGNATURE = bytes(range(256)) * ((CHUNK - 16) // 256 + 1)


def counters(ns, *names):
    """The sum of these counters of /proc/net/snmp and netstat in @ns, as nstat names them."""
    rows = ns.run("cat", "/proc/net/snmp", "/proc/net/netstat").stdout.splitlines()
    seen = {}
    for head, values in zip(rows[::2], rows[1::2]):
        group = head.split(":")[0]
        seen.update((group + k, int(v)) for k, v in zip(head.split()[1:], values.split()[1:]))
    return sum(seen[n] for n in names)


class Flow:
    """Starts at once; listens on @addr of @to."""

    def __init__(self, frm, to, addr):
        for ns in (frm, to):
            ns.sysctl("net/ipv4/tcp_early_retrans", 0)
        listener = to.socket(socket.AF_INET6, socket.SOCK_STREAM)
        listener.bind((addr, 0))
        listener.listen(1)
        a = frm.socket(socket.AF_INET6, socket.SOCK_STREAM)
        a.settimeout(10)
        a.connect((addr, listener.getsockname()[1]))
        listener.settimeout(10)
        b, _ = listener.accept()
        listener.close()
        self.proc = subprocess.Popen([sys.executable, __file__, str(a.fileno()), str(b.fileno())],
                                     pass_fds=(a.fileno(), b.fileno()), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                     text=True)
        a.close()
        b.close()
        to.lab.keep(self)

    def stop(self):
        text = self.proc.communicate(timeout=20)[0]  # the end of its input ends it
        assert self.proc.returncode == 0, f"the TCP flow ended with {self.proc.returncode}: {text}"
        return json.loads(text)

    def close(self):
        if self.proc.poll() is None:
            self.proc.kill()
            self.proc.wait()


# ---- the process ----


def chunk(n):
    return n.to_bytes(8, "big") + time.monotonic_ns().to_bytes(8, "big") + SIGNATURE[:CHUNK - 16]


def tcp_info(sock):
    """(tcpi_total_retrans, tcpi_dsack_dups)"""
    info = sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 224)
    return struct.unpack_from("=I", info, 100)[0], struct.unpack_from("=I", info, 216)[0]


def run(socks):
    stopping = False
    out = {s: b"" for s in socks}    # not yet taken by the kernel
    got = {s: b"" for s in socks}    # the beginning of a chunk
    arrived = {s: 0 for s in socks}
    sent = stall = late = 0
    due = turn = time.monotonic_ns()
    while not (stopping and not any(out.values()) and all(n == sent for n in arrived.values())):
        r, w, _ = select.select([*socks, *([] if stopping else [sys.stdin])], [s for s in socks if out[s]], [], STEP_MS / 1000)
        now = time.monotonic_ns()
        late, turn = max(late, now - turn - STEP_MS * 1000000), now
        if sys.stdin in r:
            stopping = True
            r.remove(sys.stdin)
        for s in r:
            data = s.recv(1 << 20)
            assert data, "closed"
            got[s] += data
            while len(got[s]) >= CHUNK:
                one, got[s] = got[s][:CHUNK], got[s][CHUNK:]
                assert int.from_bytes(one[:8], "big") == arrived[s] and one[16:] == SIGNATURE[:CHUNK - 16], "changed"
                arrived[s] += 1
                stall = max(stall, now - int.from_bytes(one[8:16], "big"))
        for s in w:
            out[s] = out[s][s.send(out[s]):]
        if now >= due and not stopping:
            due = now + STEP_MS * 1000000
            for s in socks:
                out[s] += chunk(sent)
            sent += 1
    end = time.monotonic() + 1  # a report of a duplicate may be on its way
    while True:
        resent, twice = (sum(n) for n in zip(*map(tcp_info, socks)))
        if resent == twice or time.monotonic() > end:
            break
        time.sleep(0.01)
    print(json.dumps({"chunks": sum(arrived.values()), "stall_ms": round(stall / 1e6, 1), "late_ms": round(late / 1e6, 1),
                      "resent": resent, "twice": twice}))


if __name__ == "__main__":
    ends = [socket.socket(fileno=int(n)) for n in sys.argv[1:3]]
    for e in ends:
        e.setblocking(False)
        e.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    run(ends)
