#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""first_ping.py - how long after its start does a new client have IPv6?

    sudo tests/bench/first_ping.py [-b BUILD] [-n RUNS] [RTT_MS ...]

Measures, on the real kernel, the time from the start of sixtap-client to the first echo reply of the
router's ::1, for RUNS new clients one after another at each round-trip time, and prints one row for
each RTT. The bar is 3 client-router round trips + 50 ms for the median. Exit code 1: missed; 2: the
measurement failed.

    client ---- path ---- router            three network namespaces; path routes IPv4 into a TUN
    198.18.1.2    |       198.18.0.1        device and out again, and a process holds each packet
                 TUN                        there for half a round trip (no sch_netem needed)

Only the middle is slow, as at home: ARP towards the first hop costs nothing there either. Every
client has a key of its own and a new device, so nothing is left of the one before. A raw socket asks
::1 each millisecond from before the client's start and stops at the first answer; the round trip is
measured beside it, by echo requests to 198.18.0.1.
"""
import argparse
import collections
import contextlib
import errno
import fcntl
import json
import os
import pathlib
import select
import shutil
import signal
import socket
import statistics
import struct
import subprocess
import sys
import tempfile
import time

ROUTER_IP = "198.18.0.1"
TARGET = "2001:db8:1::1"
BAR_ROUND_TRIPS = 3
BAR_MS = 50
GIVE_UP_S = 10
TUNSETIFF, IFF_TUN, IFF_NO_PI = 0x400454ca, 0x0001, 0x1000
ECHO_REQUEST6, ECHO_REPLY6, ICMP6_FILTER = 128, 129, 1


class Failed(Exception):
    """the measurement itself went wrong"""


def sh(line):
    """Run a command line of plain words."""
    subprocess.run(line.split(), check=True)


# ---- inside the client's namespace: this file again, with --inside ----

def echo_rtt_ms(count=7):
    """Median round trip to the router over IPv4, in milliseconds."""
    out = subprocess.run(["ping", "-n", "-c", str(count), "-i", "0.05", ROUTER_IP], check=True,
                         capture_output=True, text=True).stdout
    return statistics.median(float(line.split("time=")[1].split()[0])
                             for line in out.splitlines() if "time=" in line)


def echo_socket():
    """Raw ICMPv6 socket that hears echo replies only; the kernel fills in the checksum."""
    s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
    blocked = bytearray(b"\xff" * 32)
    word = ECHO_REPLY6 // 32
    struct.pack_into("=I", blocked, 4 * word, 0xffffffff & ~(1 << (ECHO_REPLY6 % 32)))
    s.setsockopt(socket.IPPROTO_ICMPV6, ICMP6_FILTER, bytes(blocked))
    s.setblocking(False)
    return s


def ask(sock, ident, seq):
    """Send one echo request; not possible yet is no error."""
    try:
        sock.sendto(struct.pack("!BBHHH", ECHO_REQUEST6, 0, 0, ident, seq & 0xffff), (TARGET, 0))
    except OSError as err:
        if err.errno not in (errno.ENETUNREACH, errno.EADDRNOTAVAIL, errno.EHOSTUNREACH,
                             errno.ENETDOWN, errno.ENOBUFS, errno.EAGAIN):
            raise


def first_reply_ms(argv, log, ident):
    """Start @argv and ask until ::1 answers; milliseconds between the two."""
    sock = echo_socket()
    start = time.monotonic_ns()
    with subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log) as client:
        try:
            due, seq = start, 0
            while True:
                now = time.monotonic_ns()
                if now - start > GIVE_UP_S * 10**9:
                    raise Failed(f"no echo reply within {GIVE_UP_S} s")
                if client.poll() is not None:
                    raise Failed(f"sixtap-client ended with exit code {client.returncode}")
                if now >= due:
                    ask(sock, ident, seq)
                    seq, due = seq + 1, now + 10**6
                select.select([sock], [], [], max(0, due - time.monotonic_ns()) / 1e9)
                with contextlib.suppress(BlockingIOError):
                    reply = sock.recv(2048)
                    if struct.unpack_from("!H", reply, 4)[0] == ident:
                        return (time.monotonic_ns() - start) / 1e6
        finally:
            client.terminate()
            client.wait(timeout=GIVE_UP_S)
            sock.close()


def inside(program, files):
    """Measure with every configuration file in turn; print the result as JSON."""
    result = {"rtt_ms": echo_rtt_ms(), "ms": []}
    for i, conf in enumerate(files):
        log_name = pathlib.Path(conf).with_suffix(".log")
        with open(log_name, "wb") as log:
            try:
                result["ms"].append(first_reply_ms([program, "run", "-v", "-c", conf], log,
                                                   (os.getpid() + i) & 0xffff))
            except Failed as err:
                raise Failed(f"{err}; its log:\n{log_name.read_text()}") from err
    json.dump(result, sys.stdout)


# ---- inside the path's namespace: this file again, with --delay ----

def delay(hold_ms, device="slow"):
    """Give back every packet of the TUN @device @hold_ms later; never returns."""
    tun = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(tun, TUNSETIFF, struct.pack("16sH22x", device.encode(), IFF_TUN | IFF_NO_PI))
    for line in (f"ip link set {device} up", f"ip route add default dev {device} table 100",
                 "ip rule add iif near table 100", "ip rule add iif far table 100"):
        sh(line)
    print("ready", flush=True)
    held = collections.deque()
    while True:
        wait = None if not held else max(0, held[0][0] - time.monotonic_ns()) / 1e9
        readable = select.select([tun], [], [], wait)[0]
        now = time.monotonic_ns()
        while readable:
            try:
                held.append((now + int(hold_ms * 1e6), os.read(tun, 65536)))
            except BlockingIOError:
                break
        while held and held[0][0] <= time.monotonic_ns():
            os.write(tun, held.popleft()[1])


# ---- outside: namespaces, router, report ----

@contextlib.contextmanager
def lab(rtt_ms):
    """The three namespaces of the drawing; gives their names."""
    names = [f"bench-{os.getpid()}-{n}" for n in ("client", "path", "router")]
    client, path, router = names
    try:
        for n in names:
            sh(f"ip netns add {n}")
            sh(f"ip -n {n} link set lo up")
        for far, addr, hop, port in ((client, "198.18.1.2", "198.18.1.1", "near"),
                                     (router, ROUTER_IP, "198.18.0.2", "far")):
            sh(f"ip -n {far} link add wan type veth peer name {port} netns {path}")
            sh(f"ip -n {far} addr add {addr}/24 dev wan")
            sh(f"ip -n {path} addr add {hop}/24 dev {port}")
            sh(f"ip -n {far} link set wan up")
            sh(f"ip -n {path} link set {port} up")
            sh(f"ip -n {far} route add default via {hop}")
        sh(f"ip netns exec {path} sysctl -qw net.ipv4.ip_forward=1 net.ipv4.conf.all.rp_filter=0"
           " net.ipv4.conf.default.rp_filter=0")
        with subprocess.Popen(
                ["ip", "netns", "exec", path, sys.executable, __file__, "--delay", str(rtt_ms / 2)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as holder:
            try:
                if holder.stdout.readline() != b"ready\n":
                    raise Failed("the delay did not start")
                yield client, router
            finally:
                holder.kill()
    finally:
        for n in names:
            subprocess.run(["ip", "netns", "del", n], check=False, stderr=subprocess.DEVNULL)


def write_configs(build, folder, runs):
    """router.yaml and one client file per run in @folder; gives the client files."""
    def key(program, name):
        made = subprocess.run([build / program, "keygen"], check=True, capture_output=True).stdout
        with open(os.open(folder / name, os.O_WRONLY | os.O_CREAT, 0o600), "wb") as f:
            f.write(made)
        return subprocess.run([build / program, "pubkey"], input=made, check=True,
                              capture_output=True).stdout.decode().strip()

    router_key = key("sixtap-router", "router.key")
    listed, files = [], []
    for i in range(runs):
        listed.append(f"  - {{ name: c{i}, public_key: {key('sixtap-client', f'c{i}.key')} }}\n")
        files.append(folder / f"c{i}.yaml")
        files[-1].write_text(f"router: {ROUTER_IP}:6464\nrouter_key: {router_key}\n"
                             f"private_key_file: c{i}.key\ndevice: tap6\nfirewall: off\n")
    (folder / "router.yaml").write_text(
        f"listen: {ROUTER_IP}:6464\nprivate_key_file: router.key\nprefix: 2001:db8:1::/64\n"
        "uplink: { mode: routed, device: sixtap0 }\nclients:\n" + "".join(listed))
    return files


def await_router(netns, argv, deadline_s=10):
    """Until the router answers `status`."""
    end = time.monotonic() + deadline_s
    while subprocess.run(["ip", "netns", "exec", netns, *argv], check=False,
                         capture_output=True).returncode != 0:
        if time.monotonic() > end:
            raise Failed("the router did not start")
        time.sleep(0.02)


def measure(build, rtt_ms, runs):
    """{"rtt_ms": measured, "ms": [first reply, ...]} at one round-trip time"""
    with contextlib.ExitStack() as stack:
        folder = pathlib.Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="bench-")))
        client_ns, router_ns = stack.enter_context(lab(rtt_ms))
        files = write_configs(build, folder, runs)
        conf = ["-c", str(folder / "router.yaml")]
        log = stack.enter_context(open(folder / "router.log", "wb"))
        router = stack.enter_context(subprocess.Popen(
            ["ip", "netns", "exec", router_ns, build / "sixtap-router", "run", *conf],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log))
        stack.callback(router.terminate)
        await_router(router_ns, [build / "sixtap-router", "status", *conf])
        with subprocess.Popen(
                ["ip", "netns", "exec", client_ns, sys.executable, __file__, "--inside",
                 build / "sixtap-client", *files],
                stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as run:
            try:
                result, errors = run.communicate()
            except BaseException:
                run.terminate()  # not kill: it has a client to end
                raise
        if run.returncode != 0:
            raise Failed(errors.strip() + "\nrouter's log:\n" +
                         (folder / "router.log").read_text())
        return json.loads(result)


def main():
    """Command line; see the head of this file."""
    if sys.argv[1:2] == ["--inside"]:
        inside(sys.argv[2], sys.argv[3:])
        return 0
    if sys.argv[1:2] == ["--delay"]:
        delay(float(sys.argv[2]))
    here = pathlib.Path(__file__).resolve().parents[2]
    p = argparse.ArgumentParser(description="time from a client's start to its first echo reply")
    p.add_argument("-b", "--build", type=pathlib.Path,
                   help="folder with the programs (default: build-bench, made here, Release)")
    p.add_argument("-n", "--runs", type=int, default=20)
    p.add_argument("rtt", metavar="RTT_MS", type=float, nargs="*", default=[0, 20, 100])
    a = p.parse_args()
    if os.geteuid() != 0:
        raise Failed("needs root: it makes network namespaces")
    missing = [t for t in ("ip", "ping", "sysctl") if not shutil.which(t)]
    if missing:
        raise Failed(f"not installed: {' '.join(missing)}")
    if not a.build:
        a.build = here / "build-bench"
        for line in (f"cmake -S {here} -B {a.build} -G Ninja -DCMAKE_BUILD_TYPE=Release "
                     "-DSIXTAP_TESTS=OFF", f"ninja -C {a.build}"):
            subprocess.run(line.split(), check=True, stdout=subprocess.DEVNULL)
    a.build = a.build.resolve()

    print(f"first echo reply of {TARGET} after the start of a new client, {a.runs} clients each, in ms")
    print(f"{'path':>8} {'measured RTT':>13} {'median':>8} {'min':>8} {'max':>8} "
          f"{f'bar {BAR_ROUND_TRIPS} RTT + {BAR_MS}':>15}")
    missed = False
    for rtt in a.rtt:
        m = measure(a.build, rtt, a.runs)
        bar = BAR_ROUND_TRIPS * m["rtt_ms"] + BAR_MS
        median = statistics.median(m["ms"])
        missed |= median > bar
        print(f"{rtt:>8g} {m['rtt_ms']:>13.2f} {median:>8.1f} {min(m['ms']):>8.1f} "
              f"{max(m['ms']):>8.1f} {bar:>15.1f}  {'ok' if median <= bar else 'MISSED'}", flush=True)
    return 1 if missed else 0


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # by way of every clean-up
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (Failed, OSError, subprocess.CalledProcessError) as error:
        print(f"first_ping.py: {error}", file=sys.stderr)
        sys.exit(2)
