#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Measures tunnel systems side by side, in one interleaved run.

    bench.py [options] DRIVER...        DRIVER: a name from --list, or a cmd file (*.json)

Every round runs every driver once, in an order rotated by one place a round, on
a network built afresh (topology.py).  A driver that does not come up within
--up-timeout seconds is reported as failed, with the reason, and the run goes on.

Written: OUT.json (every raw figure) and OUT.md (the table).  Needs root.
"""
import argparse
import json
import math
import os
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, HERE)

import drivers  # noqa: E402
import report  # noqa: E402
from driver import BUILDS, DRIVERS, INNER_MTU, Unavailable, all_children  # noqa: E402
from topology import Topology, client_ns, end_pids, tear_down  # noqa: E402

TICK = os.sysconf("SC_CLK_TCK")
C1, C2 = client_ns(1), client_ns(2)
STEPS = ("rtt_idle", "tcp1", "tcp4", "udp64", "udp1300", "rtt_load")
PACKAGES = ("iperf3", "libsodium23", "libipsec-mb1", "fastd", "n2n", "tinc", "openvpn", "vtun", "wireguard-go", "nebula",
            "quicktun")

# -- probes -------------------------------------------------------------------------
def cpu_seconds(pids):
    """utime + stime of processes (all threads) so far."""
    total = 0
    for p in pids:
        try:
            with open("/proc/%d/stat" % p) as f:
                v = f.read().rsplit(")", 1)[1].split()
            total += int(v[11]) + int(v[12])
        except OSError:
            pass
    return total / TICK


def machine_busy():
    """Busy seconds of all CPUs so far: all but idle, iowait (steal counts as not ours)."""
    with open("/proc/stat") as f:
        v = [int(x) for x in f.readline().split()[1:]]
    return (v[0] + v[1] + v[2] + v[5] + v[6]) / TICK


def rss_mb(pids):
    total = 0
    for p in pids:
        try:
            with open("/proc/%d/status" % p) as f:
                for line in f:
                    if line.startswith("VmRSS:"):
                        total += int(line.split()[1])
        except OSError:
            pass
    return total / 1024


def in_ns(ns, *argv, timeout, **kw):
    return subprocess.run(["ip", "netns", "exec", ns] + list(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          text=True, timeout=timeout, **kw)


class Bench:
    def __init__(self, args, work):
        self.a, self.work = args, work
        self.tool = os.path.join(work, "benchtool")
        subprocess.run(["cc", "-O2", "-o", self.tool, os.path.join(HERE, "benchtool.c")], check=True)
        self.guess = {}      # (driver, size) -> last stable rate, the next round's first try
        self.extra = []      # Popen of ours that must not outlive a driver's turn

    def background(self, ns, *argv):
        p = subprocess.Popen(["ip", "netns", "exec", ns] + list(argv), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                             text=True)
        self.extra.append(p)
        return p

    def end_extra(self):
        end_pids(all_children([p.pid for p in self.extra if p.poll() is None]), 0.3)
        for p in self.extra:
            try:
                p.communicate(timeout=1)
            except (subprocess.TimeoutExpired, ValueError):
                pass
        self.extra = []

    # -- single measurements ----------------------------------------------------------
    def ping(self, d, count, interval_us, timeout_ms=1000):
        p = in_ns(C1, self.tool, "ping", d.address(2), str(count), str(interval_us), str(timeout_ms),
                  timeout=count * (interval_us * 1e-6 + timeout_ms * 1e-3) + 10)
        return [float(x) for x in p.stdout.split()]

    def wait_path(self, d, limit):
        """Seconds until c1 reaches c2."""
        t0 = time.monotonic()
        while time.monotonic() - t0 < limit:
            bad = d.dead()
            if bad:
                raise RuntimeError(bad)
            if any(x >= 0 for x in self.ping(d, 1, 1000, 300)):
                return time.monotonic() - t0
        raise RuntimeError("no path c1->c2 within %g s; %s" % (limit, d.last_log()))

    def iperf_server(self, d):
        """One-shot iperf3 server in c2, listening when this returns."""
        p = self.background(C2, "iperf3", "-s", "-1", "--forceflush", "-B", d.address(2))
        for line in p.stdout:
            if "listening" in line:
                return p
        raise RuntimeError("iperf3 server: " + p.stderr.read().strip()[:200])

    def tcp(self, d, streams, seconds, cc):
        server = self.iperf_server(d)
        hub, t0 = d.hub_pids(), time.monotonic()
        cpu0, busy0 = cpu_seconds(hub), machine_busy()
        p = in_ns(C1, "iperf3", "-%d" % d.family, "-c", d.address(2), "-t", str(seconds), "-P", str(streams), "-J",
                  "-C", cc, "--connect-timeout", "3000", timeout=seconds + 20)
        took = time.monotonic() - t0
        cpu, busy = cpu_seconds(hub) - cpu0, machine_busy() - busy0
        server.terminate()
        j = json.loads(p.stdout)
        if "error" in j:
            raise RuntimeError("iperf3: " + j["error"])
        got = j["end"]["sum_received"]
        return {"mbps": got["bits_per_second"] / 1e6, "bytes": got["bytes"], "wall_s": took, "hub_cpu_s": cpu,
                "busy_s": busy, "retransmits": j["end"]["sum_sent"].get("retransmits"),
                "has_process": bool(hub)}

    def udp_trial(self, d, size, pps, seconds):
        r = self.background(C2, self.tool, "recv", "5301", "150")
        r.stdout.readline()
        hub = d.hub_pids()
        cpu0 = cpu_seconds(hub)
        s = json.loads(in_ns(C1, self.tool, "send", d.address(2), "5301", str(size), "%.0f" % pps, str(seconds),
                             timeout=seconds + 10).stdout)
        out, _ = r.communicate(timeout=10)
        got = json.loads(out.split("\n")[0])
        cpu = cpu_seconds(hub) - cpu0
        loss = 1 - got["count"] / s["sent"] if s["sent"] else 1
        return {"want_pps": pps, "sent_pps": s["sent"] / s["seconds"], "got_pps": got["count"] / s["seconds"],
                "loss": loss, "sender_limited": s["sent"] / s["seconds"] < 0.95 * pps, "hub_us_per_pkt": cpu * 1e6 / max(got["count"], 1), "has_process": bool(hub)}

    def udp_ramp(self, d, size):
        """A quick look for the knee: 80 ms steps, 25 % apart."""
        r = self.background(C2, self.tool, "recv", "5301", "200")
        r.stdout.readline()
        s = json.loads(in_ns(C1, self.tool, "ramp", d.address(2), "5301", str(size), "8000", "1.25", "24", "80",
                             timeout=20).stdout)
        out, _ = r.communicate(timeout=10)
        got = json.loads(out.split("\n")[0])["steps"]
        best = 5000.0
        for i, st in enumerate(s["steps"]):
            real = st["sent"] / st["seconds"]
            if got[i] < 0.97 * st["sent"]:
                break
            best = real
            if real < 0.9 * st["pps"]:
                break
        return best

    def udp(self, d, size):
        """The highest 1-second rate with < 1 % loss: from the knee go up (down) by 12 % until
        a trial fails (passes); one more trial half way.  Each trial is 1 s."""
        key = (d.name, size)
        rate = self.guess.get(key) or self.udp_ramp(d, size)
        best, trials, direction = None, [], 0
        for _ in range(self.a.udp_trials):
            t = self.udp_trial(d, size, rate, self.a.udp_seconds)
            ok = t["loss"] < 0.01
            trials.append(t)
            if ok and (best is None or t["got_pps"] > best["got_pps"]):
                best = t
            if ok and t["sender_limited"]:
                break
            if direction and (ok != (direction > 0)):
                rate = rate * 1.055 if ok else rate / 1.055     # turned: one step half as wide, the other way
                t2 = self.udp_trial(d, size, rate, self.a.udp_seconds)
                trials.append(t2)
                if t2["loss"] < 0.01 and (best is None or t2["got_pps"] > best["got_pps"]):
                    best = t2
                break
            direction = 1 if ok else -1
            step = 1.12 if ok or t["loss"] < 0.2 else 1.35
            rate = rate * step if ok else rate / step
        while best is None and len(trials) < self.a.udp_trials + 6:    # a burst of other work must not cost the figure
            rate /= 1.4
            t = self.udp_trial(d, size, rate, self.a.udp_seconds)
            trials.append(t)
            best = t if t["loss"] < 0.01 else None
        if best:
            self.guess[key] = best["got_pps"]
        return {"best": best, "trials": trials}

    def rtt(self, d, cc=None):
        """RTT of 200 echoes; with @cc under one TCP stream of that congestion control."""
        load, loaded = None, cc is not None
        if loaded:
            server = self.iperf_server(d)
            load = self.background(C1, "iperf3", "-%d" % d.family, "-c", d.address(2), "-t", "40", "-C", cc)
            time.sleep(1.0)
        else:
            self.ping(d, 20, 5000)
        r = self.ping(d, 200, 5000, 500 if not loaded else 100)
        if loaded:
            alive = load.poll() is None
            end_pids(all_children([load.pid, server.pid]), 0.2)
            if not alive:
                raise RuntimeError("the TCP load ended before the pings did")
        good = sorted(x for x in r if x >= 0)
        if len(good) < 0.5 * len(r):
            return {"lost": len(r) - len(good), "median": None, "p99": None}
        return {"lost": len(r) - len(good), "median": statistics.median(good),
                "p99": good[min(len(good) - 1, math.ceil(0.99 * len(good)) - 1)]}

    def measure(self, d, step, out):
        """All that --measure asks for. @step: runs one and returns its raw figures, None when it failed."""
        m, todo, main_cc = out["metrics"], self.a.measure, self.a.cc[0]
        if "rtt_idle" in todo:
            v = step("rtt_idle", lambda: self.rtt(d)) or {}
            m["rtt_us_median"], m["rtt_us_p99"] = v.get("median"), v.get("p99")
        for cc in self.a.cc:
            at = "" if cc == main_cc else "@" + cc
            if "tcp1" in todo:
                self.note_tcp1(m, at, step("tcp1" + at, lambda: self.tcp(d, 1, self.a.seconds, cc)))
            if "tcp4" in todo and not at:
                v = step("tcp4", lambda: self.tcp(d, 4, self.a.seconds, cc)) or {}
                m["tcp4_mbps"] = v.get("mbps")
        for size in (64, 1300):
            if "udp%d" % size in todo:
                self.note_udp(out, size, step("udp%d" % size, lambda: self.udp(d, size)))
        for cc in self.a.cc:
            at = "" if cc == main_cc else "@" + cc
            if "rtt_load" in todo:
                v = step("rtt_load" + at, lambda: self.rtt(d, cc)) or {}
                m["rtt_load_us_median" + at], m["rtt_load_us_p99" + at] = v.get("median"), v.get("p99")
                m["rtt_load_lost" + at] = v.get("lost")

    @staticmethod
    def note_tcp1(m, at, v):
        if not v:
            return
        m["tcp1_mbps" + at] = v["mbps"]
        gb = v["bytes"] / 1e9
        if gb > 0:
            m["hub_cpu_s_per_gb" + at] = v["hub_cpu_s"] / gb if v["has_process"] else None
            m["busy_s_per_gb" + at] = v["busy_s"] / gb
            if v["retransmits"] is not None:
                m["tcp1_retrans_pct" + at] = 100 * v["retransmits"] * (INNER_MTU - 72) / v["bytes"]

    @staticmethod
    def note_udp(out, size, v):
        if not v or not v["best"]:
            return
        key = "udp%d_pps" % size
        out["metrics"][key] = v["best"]["got_pps"]
        if v["best"]["sender_limited"]:
            out.setdefault("at_least", []).append(key)
        if size == 64 and v["best"]["has_process"]:
            out["metrics"]["hub_us_per_pkt64"] = v["best"]["hub_us_per_pkt"]

    # -- one driver's turn ---------------------------------------------------------------
    def turn(self, name, rnd):
        d = drivers.make(name)
        out = {"driver": d.name, "round": rnd, "status": "failed", "metrics": {}, "raw": {}}
        top = Topology(2, self.a.wire)
        t0 = time.monotonic()
        try:
            top.up()
            signal.alarm(self.a.turn_limit)
            d.start(2, os.path.join(self.work, "r%d-%s" % (rnd, d.name)))
            self.wait_path(d, max(1.0, self.a.up_timeout - (time.monotonic() - t0)))
            out["up_s"] = time.monotonic() - t0
            if self.a.check:
                out["status"] = "ok"
                return out
            time.sleep(0.3)
            m, raw = out["metrics"], out["raw"]
            pids = d.hub_pids()

            def step(label, fn):
                try:
                    raw[label] = fn()
                except (RuntimeError, ValueError, KeyError, subprocess.TimeoutExpired) as e:
                    raw[label] = {"error": str(e)[:300]}
                    out.setdefault("errors", []).append("%s: %s" % (label, str(e)[:200]))
                    self.end_extra()
                bad = d.dead()
                if bad:
                    raise RuntimeError("died during %s: %s" % (label, bad))
                return raw[label] if "error" not in raw[label] else None

            self.measure(d, step, out)
            if pids:
                m["hub_rss_mb"] = rss_mb(d.hub_pids())
            out["status"] = "ok"
        except Unavailable as e:
            out["reason"] = "unavailable: %s" % e
        except TurnLimit:
            out["reason"] = "turn took more than %d s" % self.a.turn_limit
        except Exception as e:                       # a peer must never stop the run
            out["reason"] = "%s: %s" % (type(e).__name__, str(e)[:400])
            if self.a.verbose:
                traceback.print_exc()
        finally:
            signal.alarm(0)
            self.end_extra()
            d.stop()
            top.down()
        out["turn_s"] = time.monotonic() - t0
        out["note"], out["crypto"], out["kind"] = d.note, d.crypto, d.kind
        return out

    def rss_many(self, name, n):
        """Hub RSS with n clients up, each having sent something."""
        d = drivers.make(name)
        if not d.many:
            return {"skipped": d.many_note or "not cheap"}
        top = Topology(n, self.a.wire)
        try:
            top.up()
            signal.alarm(self.a.turn_limit)
            t0 = time.monotonic()
            d.start(n, os.path.join(self.work, "many-" + d.name))
            waiting = set(range(2, n + 1))
            while waiting and time.monotonic() - t0 < 60:
                for k in sorted(waiting):
                    p = in_ns(C1, self.tool, "ping", d.address(k), "1", "1000", "100", timeout=10)
                    if p.stdout.strip() not in ("", "-1.0"):
                        waiting.discard(k)
            return {"rss_mb": rss_mb(d.hub_pids()), "clients": n, "reached": n - len(waiting),
                    "up_s": time.monotonic() - t0, "has_process": bool(d.hub_pids())}
        except TurnLimit:
            return {"error": "took more than %d s" % self.a.turn_limit}
        except Exception as e:
            return {"error": "%s: %s" % (type(e).__name__, str(e)[:300])}
        finally:
            signal.alarm(0)
            d.stop()
            top.down()


class TurnLimit(Exception):
    pass


def on_alarm(*_):
    raise TurnLimit()


def names_of(allowed):
    def parse(text):
        got = text.split(",")
        bad = [x for x in got if x not in allowed]
        if bad:
            raise argparse.ArgumentTypeError("no %s; there are %s" % (", ".join(bad), ", ".join(allowed)))
        return got
    return parse


def congestion_controls():
    """The kernel's default, then cubic and bbr where it has them."""
    def read(name):
        with open("/proc/sys/net/ipv4/tcp_" + name) as f:
            return f.read().split()
    first, there = read("congestion_control")[0], read("available_congestion_control")
    return [first] + [c for c in ("cubic", "bbr") if c != first and c in there]


def versions():
    """What was measured: the packages, and the commit of this tree."""
    def out(*argv):
        p = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, cwd=HERE)
        return p.stdout.strip() if p.returncode == 0 else ""
    changed = subprocess.run(["git", "diff", "--quiet", "HEAD", "--", "../../CMakeLists.txt", "../../proto", "../../router",
                              "../../client"], cwd=HERE, stderr=subprocess.DEVNULL).returncode
    v = {"sixtap": out("git", "rev-parse", "--short=12", "HEAD") + (" with changes" if changed else "")}
    build = os.environ.get("SIXTAP_BUILD") or os.path.join(HERE, "../../build-bench")
    if os.path.exists(os.path.join(build, "sixtap-router")):
        v["sixtap-router --version"] = " ".join(out(os.path.join(build, "sixtap-router"), "--version").split())
    for p in PACKAGES:
        got = out("dpkg-query", "-W", "-f", "${Version}", p)
        if got:
            v[p] = got
    try:
        with open(os.path.join(BUILDS, "wireguard-go-new.version")) as f:
            v["wireguard-go (Debian 13)"] = f.read().strip()
    except OSError:
        pass
    return v


def cpu_model():
    with open("/proc/cpuinfo") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    return platform.machine()


def main():
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("drivers", nargs="*", metavar="DRIVER")
    ap.add_argument("--list", action="store_true", help="list the drivers")
    ap.add_argument("--check", action="store_true", help="only bring each driver up and reach c2 from c1")
    ap.add_argument("--rounds", type=int, default=3)
    ap.add_argument("--seconds", type=float, default=5, help="length of a TCP measurement")
    ap.add_argument("--udp-seconds", type=float, default=1)
    ap.add_argument("--udp-trials", type=int, default=7)
    ap.add_argument("--measure", type=names_of(STEPS), default=list(STEPS), metavar="STEP,...",
                    help="only these of " + ", ".join(STEPS))
    ap.add_argument("--cc", type=lambda t: t.split(","), default=None, metavar="NAME,...",
                    help="TCP congestion controls; the first one for everything, the others for tcp1 and rtt_load "
                         "(default: the kernel's default, then the other one of cubic and bbr)")
    ap.add_argument("--baseline", default="vxlan")
    ap.add_argument("--wire", action="store_true", help="no segmentation offload on the underlay")
    ap.add_argument("--many", type=int, default=0, metavar="N", help="also the hub's RSS with N clients")
    ap.add_argument("--up-timeout", type=float, default=15)
    ap.add_argument("--turn-limit", type=int, default=150, help="seconds after which a driver's turn is given up")
    ap.add_argument("--out", default="bench-result", help="prefix of the two files written")
    ap.add_argument("--keep", action="store_true", help="keep configurations and logs")
    ap.add_argument("--verbose", action="store_true")
    a = ap.parse_args()
    if a.list:
        for n, c in DRIVERS.items():
            print("%-20s %s" % (n, c.note))
        return 0
    if not a.drivers:
        ap.error("name at least one driver (--list)")
    for n in a.drivers:
        if not n.endswith(".json") and n not in DRIVERS:
            ap.error("no driver %s (--list)" % n)
    if os.geteuid():
        ap.error("needs root")
    for need in ("ip", "iperf3", "cc") + (("ethtool",) if a.wire else ()):
        if not shutil.which(need):
            ap.error("needs " + need)

    a.cc = a.cc or congestion_controls()
    tear_down()                                     # what an interrupted run left
    signal.signal(signal.SIGALRM, on_alarm)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    work = tempfile.mkdtemp(prefix="sxbench-")
    load = os.getloadavg()
    b = Bench(a, work)
    runs, many, t0 = [], {}, time.monotonic()
    doc = {"when": time.strftime("%Y-%m-%d %H:%M:%S"), "cpu": cpu_model(), "cpus": os.cpu_count(),
           "kernel": platform.release().split("-")[0], "versions": versions(), "load_before": load, "args": vars(a), "baseline": a.baseline}
    names = []

    def save():
        doc.update(runs=runs, many=many, order=names, seconds=time.monotonic() - t0,
                   summary=report.summarize(runs, many, a.baseline))
        for suffix, text in ((".json", json.dumps(doc, indent=1)), (".md", report.markdown(doc))):
            with open(a.out + suffix + ".new", "w") as f:
                f.write(text)
            os.replace(a.out + suffix + ".new", a.out + suffix)

    try:
        names += [drivers.make(n).name for n in a.drivers]
        if a.check:
            bad = 0
            for n in a.drivers:
                r = b.turn(n, 0)
                bad += r["status"] != "ok"
                print("%-18s %-6s %5.2f s %s" % (r["driver"], r["status"], r.get("up_s", 0), r.get("reason", "")),
                      flush=True)
            return 1 if bad else 0
        for rnd in range(1, a.rounds + 1):
            k = (rnd - 1) * max(1, len(a.drivers) // a.rounds) % len(a.drivers)
            for n in a.drivers[k:] + a.drivers[:k]:
                r = b.turn(n, rnd)
                runs.append(r)
                m = r["metrics"]
                print("round %d %-18s %-6s %3.0f s  tcp1 %6.0f tcp4 %6.0f Mbit/s  udp64 %7.0f udp1300 %7.0f pkt/s  "
                      "rtt %5.0f µs %s" % (rnd, r["driver"], r["status"], r["turn_s"], m.get("tcp1_mbps") or 0,
                                           m.get("tcp4_mbps") or 0, m.get("udp64_pps") or 0, m.get("udp1300_pps") or 0,
                                           m.get("rtt_us_median") or 0, r.get("reason", "") or
                                           "; ".join(r.get("errors", []))), flush=True)
                save()
        if a.many:
            for n, shown in zip(a.drivers, names):
                many[shown] = b.rss_many(n, a.many)
                print("many %-18s %s" % (shown, many[shown]), flush=True)
                save()
        save()
    finally:
        b.end_extra()
        tear_down()
        if a.keep:
            print("kept " + work)
        else:
            shutil.rmtree(work, ignore_errors=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
