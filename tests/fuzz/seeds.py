#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""seeds.py FOLDER - write the first inputs of every fuzz target to FOLDER/NAME/

They are made of the golden packets of PROTOCOL.md, the sample configurations, and of packets built here; what the fuzzer
has found since lies in corpus/ beside this file (run.sh --merge).
"""
import pathlib
import re
import struct
import sys

HERE = pathlib.Path(__file__).resolve().parent
TOP = HERE.parent.parent
KEY = "BwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwcHBwc="


def golden():
    """The ```hex blocks of PROTOCOL.md by name."""
    blocks = {}
    text = (TOP / "proto/PROTOCOL.md").read_text()
    for name, body in re.findall(r"\n```hex (\w+)[^\n]*\n(.*?)\n```", text, re.S):
        octets = b""
        for word in re.sub(r";[^\n]*", "", body).split():
            value, _, times = word.partition("*")
            octets += bytes.fromhex(value) * int(times) if times else bytes.fromhex(value)
        blocks[name] = octets
    return blocks


GOLDEN = golden()


def ip6(text):
    import ipaddress
    return ipaddress.IPv6Address(text).packed


def cksum(src, dst, nh, data):
    data = src + dst + struct.pack("!II", len(data), nh) + data
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack("!%dH" % (len(data) // 2), data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


def packet(nh, pay, src="fe80::1", dst="ff02::1", hops=255, ext=b""):
    """An IPv6 packet; @ext: extension headers, (nh, octets) pairs whose first octet is filled in."""
    chain, first = b"", nh
    for number, octets in reversed(ext or []):
        chain, first = bytes([first]) + octets[1:] + chain, number
    return struct.pack("!IHBB", 6 << 28, len(chain) + len(pay), first, hops) + ip6(src) + ip6(dst) + chain + pay


def icmp(kind, body, src="fe80::1", dst="ff02::1", hops=255, ext=None, code=0):
    pay = bytes([kind, code, 0, 0]) + body
    sum_ = cksum(ip6(src), ip6(dst), 58, pay)
    return packet(58, pay[:2] + struct.pack("!H", sum_) + pay[4:], src, dst, hops, ext)


def chunk(octets):
    return struct.pack("!H", len(octets)) + octets


LLA = b"\x02\x02\x02\x02\x02\x02"
ALERT = [(0, b"\0\0\5\2\0\0\1\0")]
TARGET = ip6("2001:db8:1::77")


def messages():
    """Neighbor Discovery, MLD, echo, others: (name, packet)"""
    yield "rs", icmp(133, bytes(4) + b"\1\1" + LLA, dst="ff02::2")
    yield "rs-nobody", icmp(133, bytes(4), src="::", dst="ff02::2")
    yield "ra", icmp(134, b"\x40\x18\0\0" + bytes(8) + b"\1\1" + LLA + b"\5\1\0\0\0\0\5\x78")
    yield "ra-all", icmp(134, b"\x40\x18\0\x5a" + bytes(8) + b"\1\1" + LLA + b"\5\1\0\0\0\0\5\x78" + b"\3\4\x40\xc0" +
                         bytes(12) + TARGET + b"\x18\3\x30\x18\0\0\1\0" + TARGET + b"\x19\3\0\0\0\0\1\0" + TARGET +
                         b"\x1f\3\0\0\0\0\1\0\7example\3net\0\0\0\0")
    yield "ns", icmp(135, bytes(4) + TARGET + b"\1\1" + LLA, dst="ff02::1:ff00:77")
    yield "ns-dad", icmp(135, bytes(4) + TARGET, src="::", dst="ff02::1:ff00:77")
    yield "ns-dad-nonce", icmp(135, bytes(4) + TARGET + b"\x0e\1abcdef", src="::", dst="ff02::1:ff00:77")
    yield "ns-unicast", icmp(135, bytes(4) + TARGET + b"\1\1" + LLA, dst="2001:db8:1::77")
    yield "na", icmp(136, b"\x60\0\0\0" + TARGET + b"\2\1" + LLA, dst="fe80::2")
    yield "na-all", icmp(136, b"\x20\0\0\0" + TARGET + b"\2\1" + LLA)
    yield "redirect", icmp(137, bytes(4) + TARGET + TARGET + b"\2\1" + LLA, dst="fe80::2")
    group = ip6("ff02::fb")
    yield "mld2-join", icmp(143, b"\0\0\0\1" + b"\4\0\0\0" + group, dst="ff02::16", hops=1, ext=ALERT)
    yield "mld2-leave", icmp(143, b"\0\0\0\1" + b"\3\0\0\0" + group, dst="ff02::16", hops=1, ext=ALERT)
    yield "mld2-sources", icmp(143, b"\0\0\0\2" + b"\5\1\0\1" + group + TARGET + bytes(4) + b"\2\0\0\0" + group,
                               dst="ff02::16", hops=1, ext=ALERT)
    yield "mld1-report", icmp(131, bytes(4) + group, dst="ff02::fb", hops=1, ext=ALERT)
    yield "mld1-done", icmp(132, bytes(4) + group, dst="ff02::2", hops=1, ext=ALERT)
    yield "mld-query", icmp(130, b"\x27\x10\0\0" + bytes(16) + b"\2\x7d\0\0", hops=1, ext=ALERT)
    yield "echo", icmp(128, b"\0\1\0\2" + b"abcdefgh", dst="fe80::2", hops=64)
    yield "echo-ext", icmp(128, b"\0\1\0\2abcd", dst="fe80::2", hops=64, ext=[(60, b"\0\0\1\4\0\0\0\0")])
    yield "reply", icmp(129, b"\0\1\0\2abcd", dst="fe80::2", hops=64)
    yield "too-big", icmp(2, b"\0\0\5\0" + packet(59, b"", dst="fe80::3"), dst="fe80::2")
    yield "udp", packet(17, struct.pack("!HHHH", 5353, 5353, 16, 0) + b"abcdefgh", dst="ff02::fb")
    yield "dhcp", packet(17, struct.pack("!HHHH", 547, 546, 8, 0), dst="fe80::2")
    yield "tcp", packet(6, struct.pack("!HHIIBBHHH", 80, 4000, 1, 2, 0x50, 2, 512, 0, 0), dst="2001:db8:ffff::1")
    yield "none", packet(59, b"", dst="fe80::2")
    yield "frag-first", packet(17, bytes(16), ext=[(44, b"\0\0\0\1\0\0\0\7")])
    yield "frag-later", packet(17, bytes(16), ext=[(44, b"\0\0\0\x10\0\0\0\7")])
    yield "frag-short", packet(58, bytes(2), ext=[(44, b"\0\0\0\1\0\0\0\7")])
    yield "routing", packet(17, bytes(8), ext=[(43, b"\0\0\4\0\0\0\0\0"), (51, b"\0\1" + bytes(10))])
    yield "many-ext", packet(17, bytes(8), ext=[(60, b"\0\0\1\4\0\0\0\0")] * 9)
    yield "jumbo", packet(17, bytes(8), ext=[(0, b"\0\0\xc2\4\0\1\0\0")])
    yield "esp", packet(50, bytes(24))


def segments():
    fields = struct.pack("!HHIIHIBB", 1000, 2000, 77, 99, 512, 5, 0, 64)
    for bits in (0, 1, 2, 3, 4, 5, 8, 12, 15):
        for gso, length in ((1400, 14000), (1, 60), (999, 2000)):
            flags = b"" if bits & 2 else b"\x09"
            yield "cut-%d-%d" % (bits, gso), b"\0" + bytes([bits]) + fields + flags + b"\x00" + bytes([63]) + struct.pack(
                "!HH", gso - 1, length - 1)
    run = b"".join(bytes([k % 3, 0]) for k in (0, 0, 0, 1, 1, 2, 2, 2, 0, 0))
    for l2 in (0, 1):
        for takes in (0, 1, 2, 3):
            yield "join-%d-%d" % (l2, takes), b"\1" + bytes([l2, takes]) + bytes(12) + run
    odd = b"\0\0" + b"\0\x01\0\x64" + b"\0\2\x18" + b"\0\4\1" + b"\0\x08\1\1" + b"\0\x10\0\x05\x01" + b"\0\x20\3" + b"\0\0\0\0"
    yield "join-odd", b"\1\1\3" + bytes(12) + odd * 3
    seg = packet(6, struct.pack("!HHIIBBHHH", 80, 4000, 1, 2, 0x50, 0x10, 512, 0, 0) + bytes(3000), dst="fe80::2")
    yield "raw-gso", b"\2\0" + struct.pack("<BBHHHH", 1, 4, 60, 1000, 40, 16) + chunk(seg)
    udp = packet(17, struct.pack("!HHHH", 80, 4000, 3008, 0) + bytes(3000), dst="fe80::2")
    yield "raw-udp", b"\2\0" + struct.pack("<BBHHHH", 1, 5, 48, 1000, 40, 6) + chunk(udp)
    yield "raw-csum", b"\2\0" + struct.pack("<BBHHHH", 1, 0, 0, 0, 40, 6) + chunk(udp)
    eth = LLA + LLA + b"\x86\xdd"
    yield "raw-tap", b"\2\1" + struct.pack("<BBHHHH", 1, 4, 74, 1000, 54, 16) + chunk(eth + seg)


def tlv(kind, value):
    return struct.pack("!HH", kind, len(value)) + value


# fields of world_packet(): source (low), destination (high)
RAW, OWN_LL, OWN, OWN_EUI, FREE, FREE_LL, NEXT_LL, NEXT, R_LL, ROUTER, NODES, ROUTERS, OUT, GROUP, NODE, NOBODY = range(16)


def world_packet(fix, src, dst, target, p):
    return bytes([fix, src | dst << 4, target]) + chunk(p)


def send(n, kind, mac, body):
    """Guest @n, kind 0 host, 1 peer, 2 multicast; @mac 0 next, 1 router, 2 zero."""
    return bytes([16 * n, kind, mac]) + body


def control(n, octets, how=0):
    return bytes([16 * n + 8, how]) + chunk(octets)


def router_inner():
    by = dict(messages())
    udp, echo = by["udp"], by["echo"]
    for world in range(4):
        w = bytes([world])
        yield "peer-%d" % world, w + b"".join(send(n, 1, 0, world_packet(3, OWN, NEXT, 0, udp)) for n in range(3))
        yield "to-router-%d" % world, w + send(0, 0, 1, world_packet(3, OWN, ROUTER, 0, echo)) + send(
            1, 0, 1, world_packet(3, OWN_LL, R_LL, 0, echo))
        yield "uplink-%d" % world, w + send(0, 0, 1, world_packet(3, OWN, OUT, 0, udp)) + b"\x0b\0" + world_packet(
            3, OUT, OWN, 0, udp) + b"\x0d\0" + b"\x0c\3" + b"\x0d\1" + b"\x0c\3"
        yield "learn-%d" % world, w + b"".join(
            send(0, 0, 1, world_packet(3, FREE, NEXT, 0, udp[:39 - 16] + bytes([i]) + udp[24:])) for i in range(20))
        yield "multicast-%d" % world, w + send(1, 2, 2, world_packet(3 | 8, OWN_LL, RAW, 0, by["mld2-join"])) + send(
            0, 2, 2, world_packet(3, OWN_LL, GROUP, 0, udp)) + b"\x0c\1" + send(
                1, 2, 2, world_packet(3 | 8, OWN_LL, RAW, 0, by["mld2-leave"]))
        for name in ("rs", "rs-nobody", "ra", "redirect"):
            yield "%s-%d" % (name, world), w + send(0, 2, 2, world_packet(7, OWN_LL if "nobody" not in name else NOBODY,
                                                                         ROUTERS, 0, by[name]))
    for target in (OWN, OWN_LL, NEXT, NEXT_LL, ROUTER, R_LL, FREE, OUT):
        yield "ns-%d" % target, b"\0" + send(0, 2, 2, world_packet(7, OWN_LL, NODE, target | 16, by["ns"])) + send(
            0, 1, 0, world_packet(7, OWN, NEXT, target | 16, by["ns"]))
        yield "dad-%d" % target, b"\0" + send(0, 2, 2, world_packet(7, NOBODY, NODE, target, by["ns-dad"])) * 2 + send(
            1, 2, 2, world_packet(7, NOBODY, NODE, target, by["ns-dad-nonce"]))
        yield "na-%d" % target, b"\0" + send(0, 1, 0, world_packet(7, OWN_LL, NEXT_LL, target | 16, by["na"])) + send(
            0, 2, 2, world_packet(7, OWN_LL, NODES, target | 16, by["na-all"]))
    yield "too-big", b"\0" + control(1, tlv(70, b"\5\0")) + send(0, 1, 0, world_packet(3, OWN, NEXT, 0, udp + bytes(1300)))
    yield "stale-mac", b"\0" + send(0, 1, 2, world_packet(3, OWN, NEXT, 0, udp)) * 2
    yield "replay", b"\0" + b"\x0a\0\0" + world_packet(3, OWN, ROUTER, 0, echo) + b"\x0a\0\5" + world_packet(
        3, OWN, ROUTER, 0, echo)
    yield "roam", b"\0\x0e\5" + control(0, tlv(66, bytes(8))) + b"\x0e\1" + control(0, tlv(66, bytes(8))) + b"\x0c\3"
    yield "silence", b"\0\x0c\7\x0c\6\x0c\7" + control(0, tlv(66, bytes(8)))
    for name, octets in GOLDEN.items():
        if name.startswith("CTL_"):
            yield name, b"\0" + control(0, octets) + control(1, octets)
    yield "probe", b"\0" + control(0, tlv(68, b"\0\0") + tlv(0, bytes(800)), 1) + control(0, tlv(64, b"\0\0"), 1)


def patches(*places):
    return bytes([len(places)]), b"".join(struct.pack("!HB", at, x) for at, x in places)


def forge(ep, template, who, how=0, places=(), length=None, queue=0):
    n, octets = patches(*places)
    return bytes([3 | queue, ep, template, who]) + n + bytes([how]) + octets + (struct.pack("!H", length) if how & 1 else b"")


def router_outer():
    for name in ("LOGIN", "LOGIN_REPLY", "COOKIE", "DATA_HOST", "DATA_PEER", "DATA_MULTICAST", "DATA_CONTROL", "NUDGE"):
        yield name, b"\0" + b"".join(bytes([0, ep]) + chunk(GOLDEN[name]) for ep in (0, 3, 5))
    yield "login", b"\0" + forge(3, 0, 0) + b"\7" + forge(3, 0, 0) + b"\6\3"
    yield "login-flood", b"\0" + b"".join(forge(3, 0, 0) for _ in range(6))
    yield "login-burst", b"\0" + b"".join(forge(3, 0, 0, queue=0x80) for _ in range(20)) + b"\6\3"
    yield "login-flip", b"\0" + forge(3, 0, 0, places=[(50, 1)]) + forge(3, 0, 0, 2, places=[(50, 1)]) + forge(
        3, 0, 0, 2, places=[(4, 1)])
    yield "login-live", b"\0" + forge(0, 1, 0) + forge(5, 1, 1) + b"\7"
    yield "data", b"\0" + forge(0, 2, 0) + forge(5, 2, 0, places=[(20, 1)]) + forge(5, 2, 1, places=[(6, 1)]) + forge(
        6, 2, 2)
    yield "short", b"\0" + b"".join(forge(5, t, 0, 1, length=n) for t in range(6) for n in (3, 15, 16, 31, 32, 64))
    yield "nudges", b"\0" + bytes([0x80, 5]) + chunk(GOLDEN["DATA_HOST"]) + b"".join(
        bytes([0x80, 5]) + chunk(GOLDEN["DATA_HOST"]) for _ in range(20)) + b"\6\0"


def router_login():
    good = GOLDEN["LOGIN_PAYLOAD"]
    again = GOLDEN["LOGIN_PAYLOAD_TRY"]
    cookie = bytearray(1064)
    cookie[:6] = tlv(2, b"\1\2")
    cookie[6:10] = struct.pack("!HH", 0, 1064 - 30)
    cookie[1044:1048] = struct.pack("!HH", 4, 16)
    for n in range(4):
        yield "good-%d" % n, b"\0" + bytes([n, 8]) + chunk(good)
        yield "inside-%d" % n, b"\0" + bytes([n, 10]) + chunk(good)
        yield "again-%d" % n, b"\0" + bytes([n, 9]) + chunk(again) + bytes([n, 9]) + chunk(good)
    yield "cookie", b"\0" + (bytes([3, 0]) + chunk(good)) * 3 + bytes([3, 12]) + chunk(bytes(cookie))
    for name, octets in (("no-cipher", tlv(2, b"\7")), ("zero-cipher", tlv(2, b"\0")), ("twice", tlv(2, b"\1") * 2),
                         ("mtu", tlv(2, b"\1\2") + tlv(3, b"\1\0")), ("past", tlv(2, b"\1") + b"\0\1\7\7"),
                         ("pad", tlv(2, b"\1") + tlv(0, b"\1")), ("unknown", tlv(2, b"\1") + tlv(999, b"abc")),
                         ("tries", tlv(2, b"\2") + tlv(5, b"\3")), ("software", tlv(2, b"\2") + tlv(1, b"a\1"))):
        for world in (0, 3):
            yield "%s-%d" % (name, world), bytes([world]) + bytes([3, 8]) + chunk(octets)


def client_login():
    for name, octets in GOLDEN.items():
        if name.startswith("SETTINGS"):
            yield name, b"\0" + chunk(octets) + b"\4\5"
            yield name + "-cut", b"\1" + chunk(octets[:-3])
    ok = tlv(16, b"\0\0\0\0") + tlv(18, LLA) + tlv(19, b"\2\3\3\3\3\3") + tlv(20, b"\2") + tlv(21, b"\5\0\x05\xdc") + tlv(
        22, b"\0\x14")
    yield "least", b"\0" + chunk(ok) + b"\4\5\6"
    yield "all", b"\0" + chunk(ok + tlv(23, b"\7\x40" + TARGET[:8] + bytes(8)) + tlv(24, b"\x40" + TARGET) + tlv(
        25, b"\x38" + TARGET[:7] + bytes(9)) + tlv(26, b"\0" + bytes(16)) + tlv(27, TARGET) + tlv(28, b"example.net"))
    yield "mtu", b"\0" + chunk(ok.replace(b"\5\0\x05\xdc", b"\x23\x28\x05\0"))


def client_inner():
    by = dict(messages())
    for name, p in by.items():
        yield "down-" + name, b"\0\0\3" + chunk(p) + b"\0\2" + b"\2\2\2\2\2\2" + b"\3" + chunk(p) + b"\0\1" + LLA + b"\3" + chunk(p)
        yield "tap-" + name, b"\5\6" + LLA + LLA + b"\3" + chunk(p) + b"\5\4" + b"\x33\x33\0\0\0\1" + LLA + b"\3" + chunk(p)
    for name, octets in GOLDEN.items():
        if name.startswith("CTL_"):
            yield name, b"\2\0" + chunk(octets) + b"\6\4" + b"\2\1" + chunk(octets) + b"\6\3"
        if name.startswith("SETTINGS"):
            yield name, b"\4" + chunk(octets) + b"\6\4"
    for n in range(6):
        yield "outside-%d" % n, bytes([7, n, 5, 0xdc]) + b"\6\5\6\6" + bytes([7, n, 0, 0]) + b"\6\7"
    yield "rekey", b"\6\7\6\7"
    yield "loss", b"\7\3\5\6" + LLA + LLA + b"\3" + chunk(by["udp"]) + b"\6\4\6\4\6\5\6\5\7\3\6\4"


def client_outer():
    for live in (0, 1):
        for name in ("LOGIN", "LOGIN_REPLY", "COOKIE", "DATA_HOST", "DATA_PEER", "DATA_CONTROL", "NUDGE"):
            yield "%s-%d" % (name, live), bytes([live]) + b"\0\1\0" + chunk(GOLDEN[name])
        for template in range(4):
            head = bytes([live, 1, 1]) + (b"" if template < 3 else b"")
            for places in ((), ((20, 1),), ((5, 1), (40, 2))):
                n, octets = patches(*places)
                yield "t%d-%d-%d" % (template, live, len(places)), bytes([live]) + b"".join(
                    bytes([1, 1, mark, template]) + n + b"\0" + octets for mark in range(3)) + b"\3\4"


def yaml():
    for name in ("router", "client"):
        text = (TOP / ("conf/%s.yaml" % name)).read_text()
        for key in ("router.key", "client.key", "join.key", "psk.key"):
            text = text.replace(key, "63")
        text = text.replace("BASE64=", KEY)
        bare = "".join(line for line in text.splitlines(True) if not line.startswith("# ") and line.strip("#\n"))
        every = re.sub(r"(?m)^#(?=[a-z_]+:)", "", bare)
        yield name, "sample", bare.encode()
        yield name, "every-key", every.encode()
    yield "router", "small", ("listen: 198.18.0.1:6464\nprivate_key_file: 63\nprefix: 2001:db8:1::/64\nclients:\n"
                              "  - { name: a, public_key: %s }\n" % KEY.replace("Bwc", "Cwc", 1)).encode()
    yield "router", "open", b"listen: 0.0.0.0:1\npublic_address: 1.2.3.4\nprivate_key_file: 63\naccess: open\neveryone: true\n"
    yield "client", "small", ("router: a.example:1\nrouter_key: %s\nprivate_key_file: 63\n" % KEY).encode()
    good = ("flag: true\nnumber: 20\nwait: 20 s\ndevice: tap0\ncontrol: \"@x\"\nlisten: 1.2.3.4:5\npublic: 1.2.3.4\n"
            "router: host.example:7\naddress: 2001:db8::1\ndns: [2001:db8::1, 2001:db8::2]\nprefix: 2001:db8::/64\n"
            "routes: [2001:db8:1::/48]\nsearch: [example.net, a.b]\nsecret: %s\nmap: { colour: green, big: 7 }\n"
            "items:\n  - name: one\n    key: %s\n  - { name: two }\n" % (KEY, KEY)).encode()
    yield "yaml", "good", good
    for name, text in (("unknown", b"flags: true\n"), ("anchor", b"a: &x 1\nb: *x\n"), ("tag", b"flag: !!str true\n"),
                       ("docs", b"---\nflag: true\n---\n"), ("merge", b"<<: {}\n"), ("deep", b"[" * 12), ("tab", b"\tflag: 1\n"),
                       ("utf8", b"flag: \xc3\x28\n"), ("bom", b"\xef\xbb\xbfflag: true\n"), ("number", b"number: 080\n"),
                       ("twice", b"flag: true\nflag: false\n"), ("range", b"number: 1000\nwait: 1\n"),
                       ("quoted", b"wait: \"20 s\"\nflag: 'true'\n"), ("block", b"flag: |\n  true\n"),
                       ("host-bits", b"prefix: 2001:db8::1/64\n"), ("word", b"18446744073709551615")):
        yield "yaml", name, text


def control_socket():
    for name, text in (("status", b'{"cmd":"status"}\n'), ("unknown", b'{"cmd":"x"}\n'), ("no-cmd", b'{"a":1}\n'),
                       ("deep", b'{"cmd":"status","a":' + b"[" * 12 + b"]" * 12 + b"}\n"), ("no-newline", b'{"cmd":"status"}'),
                       ("long", b'{"cmd":"' + b"a" * 5000 + b'"}\n'), ("nul", b'{"cmd":"status\\u0000"}\n'),
                       ("two", b'{"cmd":"status"}\n{"cmd":"status"}\n'), ("utf8", b'{"cmd":"\xff"}\n'), ("list", b"[1]\n"),
                       ("number", b'{"cmd":"status","n":1e999,"m":-0,"k":99999999999999999999}\n')):
        yield name, b"\x80" + text


def secret():
    yield "key", KEY.encode() + b"\n"
    yield "bare", KEY.encode()
    yield "zeros", b"A" * 43 + b"=\n"
    yield "two", (KEY + "\n" + KEY + "\n").encode()
    yield "short", KEY[:40].encode()
    yield "not-canonical", KEY[:42].encode() + b"d=\n"
    yield "long", KEY.encode() * 3


def all_seeds():
    for name, p in messages():
        yield "frame", name, b"\0" + chunk(p)
        yield "nd", name, b"\0\0" + chunk(p)
        yield "mld", name, b"\0" + chunk(p)
        yield "icmp6", name, b"\1\0" + struct.pack("!I", 1280) + b"\0" + chunk(p)
    for n in range(4):
        yield "nd", "build-%d" % n, b"\1" + bytes((i * (n + 3)) & 0xFF for i in range(400))
    for name, p in segments():
        yield "segment", name, p
    for name, octets in GOLDEN.items():
        kind = 0 if name.startswith("LOGIN_PAYLOAD") else 1 if name.startswith("SETTINGS") else 2
        yield "tlv", name, bytes([kind]) + octets
    for target, seeds in (("router_inner", router_inner), ("router_outer", router_outer), ("router_login", router_login),
                          ("client_inner", client_inner), ("client_outer", client_outer), ("client_login", client_login),
                          ("control_socket", control_socket), ("secret", secret)):
        for name, octets in seeds():
            yield target, name, octets
    for target, name, octets in yaml():
        yield target if target == "yaml" else target + "_config", name, octets


def main():
    to = pathlib.Path(sys.argv[1])
    for target, name, octets in all_seeds():
        (to / target).mkdir(parents=True, exist_ok=True)
        (to / target / ("seed-" + name)).write_bytes(octets)


if __name__ == "__main__":
    main()
