# SPDX-License-Identifier: MIT
"""test_hostile.py - wrong keys, captured logins, garbage

    r  198.18.0.1:6464
    |-- a     198.18.1.2   tap6    a client like any other
    `-- evil  198.18.2.2           speaks to the router without being known to it; knows what passed the wires
"""

import base64
import collections
import os
import random
import re
import socket
import struct
import subprocess
import time

from lab import PORT, ROUTER4, ROUTER6, Lab, Spoofer, wait_for

ROUTER = (ROUTER4, PORT)
LOGIN, LOGIN_REPLY, COOKIE, DATA, NUDGE = 1, 2, 3, 4, 5
HOST, PEER, MULTICAST, CONTROL = 1, 2, 3, 4


def data(index, counter=0, kind=HOST, sealed=48):
    """A well-formed DATA: nothing but its contents is wrong with it."""
    return struct.pack("!BBBBIQ", DATA, 1, kind, 0, index, counter) + os.urandom(sealed)


def logins_of(outer, endpoint=None):
    return [p for e, p in outer.datagrams(False) if p[:1] == bytes([LOGIN]) and endpoint in (None, e)]


def check_no_amplification(outer):
    """Every answer to a stranger is one of at most as many, and no longer than, what it was asked with."""
    asked, answered = collections.defaultdict(list), collections.defaultdict(list)
    for endpoint, p in outer.datagrams(False):
        asked[endpoint].append(len(p))
    for endpoint, p in outer.datagrams(True):
        assert p[0] in (LOGIN_REPLY, COOKIE, NUDGE), "nothing else is ever said to a stranger"
        answered[endpoint].append(len(p))
    for endpoint, lengths in answered.items():
        assert len(lengths) <= len(asked[endpoint])
        for got, had in zip(sorted(lengths, reverse=True), sorted(asked[endpoint], reverse=True)):
            assert got <= had, f"{got} octets for {had}"
    return answered


class Drain:
    """Knows how far the router has read its socket, without asking it."""

    def __init__(self, lab):
        self.lab = lab
        self.inode = None

    def line(self):
        with self.lab.r.enter(), open("/proc/thread-self/net/udp", encoding="ascii") as f:
            want = f"{struct.unpack('<I', socket.inet_aton(ROUTER4))[0]:08X}:{PORT:04X}"
            return next(x.split() for x in f if x.split()[1] == want)

    def queued(self):
        return int(self.line()[4].split(":")[1], 16)

    def lost(self):
        return int(self.line()[12])

    def wait(self):
        wait_for("the router to read its socket empty", lambda: self.queued() == 0)


def test_wrong_keys_are_explained():
    """Silence for who does not know the router or is not known to it; the client's log says what to look at."""
    other = base64.b64encode(bytes(range(32))).decode()
    secret = base64.b64encode(os.urandom(32)).decode()
    with Lab() as lab:
        r = lab.router(clients=["a", "key", "psk", "none"], extra=f"join_secret: {secret}\n")
        hosts = {n: lab.public(n) for n in ("key", "unlisted", "psk", "none", "a")}
        outer = {n: lab.outer(ns) for n, ns in hosts.items()}
        lab.key("unlisted")
        wrong_key = lab.client("key", hosts["key"], f"psk: {secret}\n", router_key=lab.key("unlisted"))
        unlisted = lab.client("unlisted", hosts["unlisted"], f"psk: {secret}\n")
        wrong_psk = lab.client("psk", hosts["psk"], f"psk: {other}\n")
        no_psk = lab.client("none", hosts["none"])
        right = lab.client("a", hosts["a"], f"join_secret: {secret}\n").wait_up()

        for c in (wrong_psk, no_psk):
            c.wait_log(r"router at 198.18.0.1:6464 answered, but psk/join_secret or router_key is wrong")
        for c, counter in ((wrong_key, "mac1"), (unlisted, "unknown_key")):
            c.wait_log(r"no answer from the router at 198.18.0.1:6464")
            c.wait_log(r"- \{ name: NAME, public_key: " + re.escape(lab.key(c.name)) + r" \}")
            c.wait_log(r"router_key in this client's file")
            assert outer[c.name].datagrams(True) == [], "the router stays silent"
            assert len(outer[c.name].datagrams(False)) >= 3
            assert r.drops(counter) >= 3
            assert not c.carrier() and c.address() is None
        r.wait_log(r"- \{ name: NAME, public_key: " + re.escape(lab.key("unlisted")))
        assert [m["name"] for m in r.status()["members"]] == ["a"]
        assert right.ns.ping(ROUTER6) == 1
        for n in ("psk", "none"):
            check_no_amplification(outer[n])


def test_captured_logins_change_nothing():
    with Lab() as lab:
        r = lab.router(clients=["a"])
        ns, evil = lab.public("a"), lab.public("evil")
        wire, bad = lab.outer(ns), lab.outer(evil)
        a = lab.client("a", ns).wait_up()
        for _ in range(3):
            a.kill()
            a.start().wait_up()
        captured = logins_of(wire)
        assert len(set(captured)) >= 4 and all(len(p) == 1200 for p in captured)
        flow = lab.pings(ns, ROUTER6)
        flow.wait_more(3)
        lives = ("endpoint", "mac", "addresses", "link_local", "public_key", "mtu", "cipher", "endpoint_proven")
        before = r.member("a")

        sock, spoofer = evil.socket(socket.AF_INET, socket.SOCK_DGRAM), Spoofer(evil)
        here = (before["endpoint"].split(":")[0], int(before["endpoint"].split(":")[1]))
        for _ in range(5):
            for p in captured:
                sock.sendto(p, ROUTER)
                spoofer.send(here, ROUTER, p)
                spoofer.send(("198.18.2.77", 1234), ROUTER, p)
        Drain(lab).wait()
        for p in captured:  # flipped bits: headers, keys, payload, MAC1, MAC2
            for at in (0, 1, 2, 3, 4, 8, 40, 88, 1167, 1168, 1199):
                flipped = bytearray(p)
                flipped[at] ^= 1
                sock.sendto(flipped, ROUTER)
        Drain(lab).wait()
        flow.wait_more(5)
        after = r.member("a")
        assert {k: after[k] for k in lives} == {k: before[k] for k in lives}
        assert after["age_s"] > before["age_s"], "no new member"
        status = r.status()
        assert status["members_now"] == 1
        assert status["tentative"] <= 2, "at most two unconfirmed keypairs of one key"
        assert a.status()["logins"] == 1
        answers = check_no_amplification(bad)
        assert sum(map(len, answers.values())) >= 1, "the captures were good: the router did answer some"
        replies = {p for _, p in bad.datagrams(True) if p[0] == LOGIN_REPLY}
        assert len(replies) <= 2, "more than two unconfirmed keypairs need a fresh cookie; a repeated LOGIN makes none"
        assert any(p[0] == COOKIE for _, p in bad.datagrams(True))

        # while captures keep coming the genuine client still gets in, at once
        a.kill()
        since = len(a.log())
        a.start()

        def storm():
            for p in captured:
                sock.sendto(p, ROUTER)
            return re.search(r"logged in after (\d+) ms", a.log()[since:])
        assert int(wait_for("a to be in again", storm).group(1)) <= 4000
        a.wait_up()
        flow.stop()
        check_no_amplification(bad)


def garbage():
    """Datagrams that are no well-formed DATA: endless, of every sort."""
    rnd = random.Random(6)
    sorts = [
        lambda: b"",
        lambda: bytes([rnd.randrange(256)]),
        lambda: rnd.randbytes(rnd.randrange(1, 1400)),
        lambda: bytes([rnd.randrange(6), 1, 0, 0]) + rnd.randbytes(rnd.randrange(1, 28)),
        lambda: data(rnd.getrandbits(32))[:rnd.randrange(32)],
        lambda: data(rnd.getrandbits(32), kind=PEER, sealed=rnd.randrange(16, 22)),
        lambda: bytes([DATA, 1, HOST, 1 << rnd.randrange(8)]) + rnd.randbytes(60),
        lambda: bytes([DATA, 2, HOST, 0]) + rnd.randbytes(60),
        lambda: bytes([DATA, 1, rnd.choice([0, 5, 255]), 0]) + rnd.randbytes(60),
        lambda: bytes([LOGIN, 1, 0, 0]) + rnd.randbytes(1196),
        lambda: bytes([LOGIN, 1, 0, 0]) + rnd.randbytes(rnd.choice([100, 1195, 1197])),
        lambda: bytes([LOGIN_REPLY, 1, 0, 0]) + rnd.randbytes(rnd.randrange(56, 1197)),
        lambda: bytes([COOKIE, 1, 0, 0]) + rnd.randbytes(60),
        lambda: bytes([NUDGE, 1, 0, 0]) + rnd.randbytes(12),
        lambda: bytes([rnd.choice([0, 6, 7, 255]), 1, 0, 0]) + rnd.randbytes(60),
    ]
    while True:
        for sort in sorts:
            p = sort()
            if not (len(p) >= 32 and p[0] == DATA and p[1] == 1 and p[3] == 0 and p[2] in (HOST, CONTROL)):
                yield p


def test_a_hundred_thousand_datagrams_without_an_answer():
    n = 100_000
    with Lab() as lab:
        r = lab.router(clients=["a"])
        ns, evil = lab.public("a"), lab.public("evil")
        a = lab.client("a", ns).wait_up()
        flow = lab.pings(ns, ROUTER6, interval=0.2)
        socks = [evil.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(4)]
        drain = Drain(lab)
        before, lost, mac = r.status(), drain.lost(), a.mac()
        stream = garbage()
        pool = [next(stream) for _ in range(3000)]
        for i in range(n):
            socks[i % 4].sendto(pool[i % len(pool)], ROUTER)
            if i % 100 == 99:
                drain.wait()
        drain.wait()
        after = wait_for("the router to have read them all", lambda: (
            s := r.status()) and s["rx_packets"] - before["rx_packets"] >= n and s)
        assert drain.lost() == lost, "all of them reached the router"

        # a well-formed one shows that answers would have been seen; it is answered last, and alone
        socks[0].sendto(data(0x01020304, 5), ROUTER)
        socks[0].settimeout(10)
        assert socks[0].recv(2000) == struct.pack("!BBBBIQ", NUDGE, 1, 0, 0, 0x01020304, 5)
        for s in socks:
            s.setblocking(False)
            try:
                raise AssertionError(f"an answer: {s.recv(2000)!r}")
            except BlockingIOError:
                pass
        assert after["nudges"] == before["nudges"] and after["handshakes"] == before["handshakes"]
        drops = {k: after["drops"][k] - before["drops"][k] for k in after["drops"]}
        # a LOGIN too many from where none was ever right is not looked at any more
        assert drops["runt"] + drops["type"] + drops["mac1"] + drops["login_rate"] >= n * 0.99
        assert drops["unknown_index"] == 0
        flow.wait_more(3)
        assert flow.missing() == [], "a client notices nothing"
        assert a.mac() == mac and r.member("a")


def test_nudges_are_few_and_short():
    with Lab() as lab:
        r = lab.router()
        evil = lab.public("evil")
        drain = Drain(lab)

        # one address, many ports: ten a second
        socks = [evil.socket(socket.AF_INET, socket.SOCK_DGRAM) for _ in range(50)]
        outer = lab.outer(evil)
        began = time.monotonic()
        for i in range(2000):
            socks[i % 50].sendto(data(random.getrandbits(32), i, sealed=16), ROUTER)
            if i % 100 == 99:
                drain.wait()
        took = time.monotonic() - began
        socks[0].sendto(b"", ROUTER)  # runts draw nothing: when it is read the others have been answered
        drain.wait()
        wait_for("the runt to be counted", lambda: r.drops("runt") >= 1)
        nudges = [p for _, p in outer.datagrams(True)]
        assert 1 <= len(nudges) <= 10 + 10 * (took + 1)
        assert {len(p) for p in nudges} == {16}
        sent = {p[4:16] for _, p in outer.datagrams(False)}
        assert all(p[0] == NUDGE and p[4:] in sent for p in nudges), "each echoes index and counter of what drew it"

        # many addresses: a thousand a second in all
        evil.ip("route add local 198.19.0.0/16 dev lo")
        lab.r.ip(f"route add 198.19.0.0/16 via {evil.addr4}")
        spoofer = Spoofer(evil)
        before, began = r.status()["nudges"], time.monotonic()
        for i in range(6000):
            spoofer.send((f"198.19.{i >> 8}.{i & 255}", 1000), ROUTER, data(random.getrandbits(32), i))
            if i % 100 == 99:
                drain.wait()
        took = time.monotonic() - began
        got = r.status()["nudges"] - before
        assert 100 <= got <= 1000 + 1000 * (took + 1), "the limit of all"
        check_no_amplification(outer)


def test_data_in_a_members_name():
    """The index of a member, seen on the wire, is worth nothing without its keys."""
    with Lab() as lab:
        r = lab.router(clients=["a"])
        ns, evil = lab.public("a"), lab.public("evil")
        wire, bad = lab.outer(ns), lab.outer(evil)
        a = lab.client("a", ns).wait_up()
        flow = lab.pings(ns, ROUTER6)
        flow.wait_more(5)
        endpoint = r.member("a")["endpoint"]
        here = (endpoint.split(":")[0], int(endpoint.split(":")[1]))
        captured = [p for _, p in wire.datagrams(False) if p[0] == DATA]
        newest = max(captured, key=lambda p: p[4:16])
        index = struct.unpack("!I", newest[4:8])[0]
        sock, spoofer = evil.socket(socket.AF_INET, socket.SOCK_DGRAM), Spoofer(evil)
        before = r.status()["drops"]

        forged = [data(index, c) for c in (0, 10 ** 6, 2 ** 63, 2 ** 64 - 1)]
        for at in (0, 4, 8, 15, 16, len(newest) - 1):  # each field of a true one
            p = bytearray(newest)
            p[at] ^= 0x80
            forged.append(bytes(p))
        for p in forged + captured:
            sock.sendto(p, ROUTER)  # from elsewhere
            spoofer.send(here, ROUTER, p)  # from its own endpoint
        Drain(lab).wait()
        flow.wait_more(5)
        after = r.status()["drops"]
        assert after["open"] - before["open"] >= 2 * 4
        assert after["replay"] - before["replay"] >= len(captured)
        assert r.member("a")["endpoint"] == endpoint, "the endpoint stays"
        assert all(p[0] == NUDGE for _, p in bad.datagrams(True))
        check_no_amplification(bad)

        # NUDGEs to the client: of somebody, of the router's endpoint without a true echo, with one
        nudge = struct.pack("!BBBB", NUDGE, 1, 0, 0)
        fake = Spoofer(lab.r)
        fake.send(("198.18.2.2", PORT), here, nudge + newest[4:16])
        fake.send(ROUTER, here, nudge + os.urandom(12))
        wait_for("the client to count them", lambda: a.drops("reply_unasked") >= 2)
        assert a.status()["logins"] == 1
        last = max((p for _, p in wire.datagrams(False) if p[0] == DATA), key=lambda p: p[4:16])
        fake.send(ROUTER, here, nudge + last[4:16])
        a.wait_log(r"does not know this connection")
        flow.wait_more(20)
        assert flow.missing() == [], "a login is tried, nothing is lost meanwhile"
        assert r.member("a")["endpoint"] == endpoint


def test_forged_logins_that_come_again():  # H23
    """2 000 forged addresses ask 5 000 times a second, with a valid MAC1, and never use a COOKIE: after two of them to each the
    router looks at no more of their LOGINs than at those of strangers. Another client logs in meanwhile."""
    looks, sources, count = 1000 + 20, 2000, 40000
    with Lab() as lab:
        r = lab.router(clients=["a", "b"], extra="limits: { logins_per_s: 20 }\n")
        a = lab.client("a", lab.public("a")).wait_up()
        evil = lab.public("evil")
        lab.r.ip(f"route add 100.64.0.0/10 via {evil.addr4}")
        for dev in ("all", evil.at_r):
            lab.r.sysctl(f"net/ipv4/conf/{dev}/rp_filter", 0)
        began, before = time.monotonic(), r.status()["drops"]

        def dropped(why):
            return r.status()["drops"][why] - before[why]

        with evil.enter():
            flood = subprocess.Popen([lab.program("tests/flood"), ROUTER4, str(PORT), "100.64.0.0", f"10:{sources}",
                                      "login", str(count), "5000", lab.key("router", "sixtap-router")])
        try:
            wait_for("each address to have asked four times", lambda: dropped("mac2") + dropped("login_rate") > 4 * sources)
            b = lab.client("b", lab.public("b")).wait_up()
            assert a.ns.ping(b.address()) == 1
            assert flood.wait(timeout=60) == 0
        finally:
            flood.kill()
            flood.wait()
        wait_for("the last of them", lambda: (n := dropped("login_rate")) > 0 and n == dropped("login_rate"))
        seconds = time.monotonic() - began
        assert dropped("login_rate") > sources
        assert dropped("mac2") < 2 * sources + looks * (seconds + 1) + 50 < count, "looked at"
        b.kill()
        since = len(b.log())
        b.start()
        b.wait_log("logged in after", since)
