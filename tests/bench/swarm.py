#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""swarm.py - logins per second, memory per member and forwarding with many members, on a real router

    sudo tests/bench/swarm.py BUILD_DIR [N ...]          default: 2 1000 100000

Starts sixtap-router on 127.0.0.1 in a network namespace of its own and tests/swarm against it, router on CPU 0, swarm
on CPU 1. Figures: logins per second of router CPU time (and by the clock, both sides sharing the machine), router
memory per member (VmRSS after less before), nanoseconds of router CPU per packet forwarded between random members
in runs of 32 and of 1.
"""
import json
import os
import subprocess
import sys
import tempfile
import time

NS = "stswarm%d" % os.getpid()
SECONDS, INNER = 4, 1400


def cpu(pid):
    with open("/proc/%d/stat" % pid) as f:
        v = f.read().rsplit(")", 1)[1].split()
    return (int(v[11]) + int(v[12])) / os.sysconf("SC_CLK_TCK")


def rss(pid):
    with open("/proc/%d/status" % pid) as f:
        return next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmRSS"))


def ask(p):
    line = p.stdout.readline()
    if not line:
        raise SystemExit("swarm ended early")
    return json.loads(line)


def go(p):
    p.stdin.write("\n")
    p.stdin.flush()


def wait_bound(pid):
    """Waits until the router has its UDP port (0x1940 is 6464)."""
    end = time.monotonic() + 30
    while True:
        with open("/proc/%d/net/udp" % pid) as f:
            if any(x.split()[1].endswith(":1940") for x in f.readlines()[1:]):
                return
        if time.monotonic() > end:
            raise SystemExit("the router did not start")
        time.sleep(0.01)


def one(build, n, run, work):
    router = os.path.join(build, "sixtap-router")
    key = subprocess.run([router, "keygen"], capture_output=True, check=True).stdout
    fd = os.open(os.path.join(work, "router.key"), os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    os.write(fd, key)
    os.close(fd)
    pub = subprocess.run([router, "pubkey"], input=key, capture_output=True, check=True).stdout.decode().strip()
    conf = os.path.join(work, "router.yaml")
    with open(conf, "w") as f:
        f.write("listen: 127.0.0.1:6464\nprivate_key_file: router.key\nprefix: 2001:db8:1::/64\naccess: open\n"
                "everyone: true\nkeepalive: 120\nlimits: { members: %d, logins_per_s: 100000 }\n" % max(n, 64))
    inside = ["ip", "netns", "exec", NS]
    log = open(os.path.join(work, "router.log"), "w")
    r = subprocess.Popen(inside + ["taskset", "-c", "0", router, "run", "-c", conf], stderr=log)
    s = None
    try:
        s = subprocess.Popen(inside + ["taskset", "-c", "1", os.path.join(build, "tests", "swarm"), "127.0.0.1", "6464",
                                       pub, str(n), str(SECONDS), str(INNER), str(run)],
                             stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        ask(s)
        wait_bound(r.pid)
        rss0, cpu0 = rss(r.pid), cpu(r.pid)
        go(s)
        a = ask(s)
        cpu1, rss1 = cpu(r.pid), rss(r.pid)
        go(s)
        b = ask(s)
        cpu2 = cpu(r.pid)
        go(s)
        s.wait(30)
        return {"members": n, "run": run, "logins_per_s": n / a["login_s"],
                "logins_per_cpu_s": n / (cpu1 - cpu0) if cpu1 > cpu0 else 0, "retries": a["retries"],
                "octets_per_member": (rss1 - rss0) / n, "pkt_per_s": b["received"] / b["forward_s"],
                "ns_per_pkt": 1e9 * (cpu2 - cpu1) / max(b["received"], 1),
                "loss": 1 - b["received"] / max(b["sent"], 1)}
    finally:
        for p in (s, r):
            if p and p.poll() is None:
                p.terminate()
                p.wait(30)
        log.close()


def main():
    build = os.path.abspath(sys.argv[1])
    sizes = [int(x) for x in sys.argv[2:]] or [2, 1000, 100000]
    subprocess.run(["ip", "netns", "add", NS], check=True)
    try:
        subprocess.run(["ip", "-n", NS, "link", "set", "lo", "up"], check=True)
        print("| members | run | logins/s by clock | logins/s of router CPU | octets per member | pkt/s | ns router CPU "
              "per packet | lost |")
        print("|---|---|---|---|---|---|---|---|")
        for n in sizes:
            for run in (32, 1):
                with tempfile.TemporaryDirectory(prefix="sixtap-swarm-") as work:
                    f = one(build, n, run, work)
                print("| %(members)d | %(run)d | %(logins_per_s).0f | %(logins_per_cpu_s).0f | %(octets_per_member).0f | "
                      "%(pkt_per_s).0f | %(ns_per_pkt).0f | %(loss).4f |" % f, flush=True)
    finally:
        subprocess.run(["ip", "netns", "del", NS], check=False)


if __name__ == "__main__":
    main()
