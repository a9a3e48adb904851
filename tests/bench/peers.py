# SPDX-License-Identifier: MIT
"""The rivals: tunnel systems in user space, as Debian ships them, each with its settings for speed."""
import json
import os
import subprocess
import time

from driver import BUILDS, INNER_MTU, PORT, Driver, driver, program
from topology import HUB, client_addr, client_ns, hub_addr, sh


# -- fastd ----------------------------------------------------------------------
class Fastd(Driver):
    method = "null"
    binary = ("fastd",)
    many = True

    def prepare(self):
        self.bin = program(*self.binary)
        self.keys = {}
        for k in range(0, self.n + 1):
            out = subprocess.run([self.bin, "--generate-key"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                 text=True, check=True).stdout
            self.keys[k] = (out.split("Secret:")[1].split()[0], out.split("Public:")[1].split()[0])

    def common(self, k):
        return ('log level warn;\nmode tap;\nmethod "%s";\nmtu %d;\nsecret "%s";\n'
                % (self.method, INNER_MTU, self.keys[k][0]))

    def start_hub(self):
        conf = self.common(0) + 'interface "fd0";\nbind any:%d;\nforward yes;\n' % PORT
        for k in range(1, self.n + 1):
            conf += 'peer "c%d" { key "%s"; }\n' % (k, self.keys[k][1])
        self.spawn(HUB, self.bin, "-c", self.file("hub.conf", conf))
        self.wait_dev(HUB, "fd0")

    def start_client(self, k):
        conf = self.common(k) + 'interface "fd0";\nbind any;\npeer "hub" { key "%s"; remote ipv4 "%s" port %d; }\n' % (
            self.keys[0][1], hub_addr(k), PORT)
        self.spawn(client_ns(k), self.bin, "-c", self.file("c%d.conf" % k, conf))

    def configure(self):
        sh("ip", "link", "set", "fd0", "up", ns=HUB)
        for k in range(1, self.n + 1):
            self.client_device(k, "fd0", None)


def fastd_variant(suffix, meth, what):
    driver(type("Fastd_" + suffix.replace("-", "_"), (Fastd,), {
        "name": "fastd-" + suffix, "method": meth, "crypto": what,
        "note": "Debian fastd 22, forward yes, method %s" % meth}))
    driver(type("Fastd23_" + suffix.replace("-", "_"), (Fastd,), {
        "name": "fastd23-" + suffix, "method": meth, "crypto": what,
        "binary": (BUILDS + "/fastd/build/src/fastd",),
        "note": "fastd 23 of $BENCH_PEERS, forward yes, method %s" % meth}))


fastd_variant("null", "null", "none")
fastd_variant("salsa2012", "salsa2012+umac", "Salsa20/12 + UMAC, hop by hop")
fastd_variant("aes128", "aes128-ctr+umac", "AES-128-CTR (OpenSSL) + UMAC, hop by hop")
fastd_variant("poly1305", "salsa20+poly1305", "Salsa20 + Poly1305, hop by hop")


# -- WireGuard in user space --------------------------------------------------------
class WireguardGo(Driver):
    crypto = "ChaCha20-Poly1305, hop by hop"
    binary = ("wireguard-go",)
    many = True

    def prepare(self):
        self.bin, self.wg = program(*self.binary), program("wg")
        self.keys = {}
        for k in range(0, self.n + 1):
            priv = sh(self.wg, "genkey").strip()
            pub = subprocess.run([self.wg, "pubkey"], input=priv, stdout=subprocess.PIPE, text=True,
                                 check=True).stdout.strip()
            self.keys[k] = (priv, pub)

    def start_hub(self):
        self.spawn(HUB, self.bin, "-f", "wgbhub", env={"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"})
        self.uapi("wgbhub")
        conf = "[Interface]\nPrivateKey = %s\nListenPort = %d\n" % (self.keys[0][0], PORT)
        for k in range(1, self.n + 1):
            conf += "[Peer]\nPublicKey = %s\nAllowedIPs = %s/128\n" % (self.keys[k][1], self.address(k))
        sh(self.wg, "setconf", "wgbhub", self.file("hub.conf", conf), ns=HUB)
        sh("sysctl", "-qw", "net.ipv6.conf.all.forwarding=1", ns=HUB)
        sh("ip", "link", "set", "wgbhub", "up", "mtu", str(INNER_MTU), ns=HUB)
        sh("ip", "-6", "addr", "add", "fd00:198::ffff/64", "dev", "wgbhub", "nodad", ns=HUB)

    def uapi(self, dev):
        end = time.monotonic() + 5
        while not os.path.exists("/var/run/wireguard/%s.sock" % dev):
            if time.monotonic() > end:
                raise RuntimeError("no control socket for %s; %s" % (dev, self.last_log()))
            time.sleep(0.02)

    def start_client(self, k):
        dev = "wgbc%d" % k
        self.spawn(client_ns(k), self.bin, "-f", dev, env={"WG_PROCESS_FOREGROUND": "1", "LOG_LEVEL": "error"})
        self.uapi(dev)
        sh(self.wg, "setconf", dev, self.file("c%d.conf" % k,
           "[Interface]\nPrivateKey = %s\n[Peer]\nPublicKey = %s\nAllowedIPs = fd00:198::/64\nEndpoint = %s:%d\n"
           "PersistentKeepalive = 10\n" % (self.keys[k][0], self.keys[0][1], hub_addr(k), PORT)), ns=client_ns(k))
        self.client_device(k, dev)


@driver
class WireguardGoDebian(WireguardGo):
    name = "wireguard-go-2022"
    note = "Debian 12 wireguard-go 20220316: one packet per system call, no offloads; layer 3"


@driver
class WireguardGoNew(WireguardGo):
    name = "wireguard-go"
    binary = (BUILDS + "/wireguard-go-new",)
    note = "wireguard-go of $BENCH_PEERS, from peers.sh: UDP GSO/GRO, TUN TSO/USO; layer 3"


# -- n2n ------------------------------------------------------------------------------
class N2n3(Driver):
    args = ()
    binary = (BUILDS + "/n2n/edge",)
    many = True

    def prepare(self):
        self.edge = program(BUILDS + "/n2n/edge")
        self.supernode = program(BUILDS + "/n2n/supernode")

    def start_hub(self):
        self.spawn(HUB, self.supernode, "-f", "-p", str(PORT), "-M")

    def start_client(self, k):
        self.spawn(client_ns(k), self.edge, "-f", "-c", "bench", "-d", "n2n0", "-a",
                   "static:192.0.2.%d/24" % k, "-l", "%s:%d" % (hub_addr(k), PORT), "-M", str(INNER_MTU), "-S1", "-E",
                   *self.args)

    def configure(self):
        for k in range(1, self.n + 1):
            self.client_device(k, "n2n0", None)


@driver
class N2n3None(N2n3):
    name = "n2n3-none"
    args = ("-A1",)
    crypto = "none"
    note = "n2n 3 of $BENCH_PEERS; the supernode relays, -S1"


@driver
class N2n3Aes(N2n3):
    name = "n2n3-aes"
    args = ("-A3", "-k", "benchkey")
    crypto = "AES-CBC, no MAC, end to end: the supernode does no crypto"
    note = "n2n 3 of $BENCH_PEERS with AES-NI; the supernode relays, -S1"


@driver
class N2n1(Driver):
    name = "n2n1-twofish"
    crypto = "Twofish, no MAC, end to end: the supernode does no crypto"
    note = "Debian n2n 1.3.1, static neighbours (it drops multicast)"

    def prepare(self):
        self.edge, self.supernode = program("/usr/sbin/edge"), program("supernode")

    def start_hub(self):
        self.spawn(HUB, self.supernode, "-l", str(PORT))

    def start_client(self, k):
        self.spawn(client_ns(k), self.edge, "-d", "n2n0", "-a", "192.0.2.%d" % k, "-s", "255.255.255.0", "-c", "bench",
                   "-k", "benchkey", "-l", "%s:%d" % (hub_addr(k), PORT), "-M", str(INNER_MTU), "-r", "-m",
                   "02:00:00:00:00:%02x" % k)

    def configure(self):
        for k in range(1, self.n + 1):
            self.client_device(k, "n2n0", None)
        self.static_neighbours("n2n0")


# -- tinc -------------------------------------------------------------------------------
class Tinc(Driver):
    extra = ""

    def prepare(self):
        self.bin = program("tincd")
        keydir = os.path.join(os.path.dirname(self.dir.rstrip("/")), "tinc-keys")
        os.makedirs(keydir, exist_ok=True)
        names = ["hub"] + ["c%d" % k for k in range(1, self.n + 1)]
        for n in names:
            priv = os.path.join(keydir, n + ".priv")
            if not os.path.exists(priv):
                sh("openssl", "genrsa", "-traditional", "-out", priv, "2048")
                sh("openssl", "rsa", "-in", priv, "-traditional", "-RSAPublicKey_out", "-out", priv + ".pub")
        hosts = {}
        for n in names:
            with open(os.path.join(keydir, n + ".priv.pub")) as f:
                pub = f.read()
            hosts[n] = "IndirectData = yes\nPort = %d\nPMTUDiscovery = yes\n%s%s" % (PORT, self.extra, pub)
        for n in names:
            base = "Name = %s\nMode = switch\nInterface = tnc0\nAddressFamily = ipv4\nDeviceType = tap\n" % n
            if n != "hub":
                base += "ConnectTo = hub\n"
            self.file(n + "/tinc.conf", base)
            with open(os.path.join(keydir, n + ".priv")) as f:
                self.file(n + "/rsa_key.priv", f.read())
            for m in names:
                addr = "Address = %s\n" % hub_addr(int(n[1:])) if m == "hub" and n != "hub" else ""
                self.file("%s/hosts/%s" % (n, m), addr + hosts[m])
            self.file(n + "/tinc-up", "#!/bin/sh\nip link set tnc0 up mtu %d\n" % INNER_MTU, 0o755)

    def start_one(self, ns, name):
        self.spawn(ns, self.bin, "-D", "-c", os.path.join(self.dir, name), "--pidfile=%s/%s.pid" % (self.dir, name))

    def start_hub(self):
        self.start_one(HUB, "hub")

    def start_client(self, k):
        self.start_one(client_ns(k), "c%d" % k)

    def configure(self):
        for k in range(1, self.n + 1):
            self.client_device(k, "tnc0")


@driver
class TincDefault(Tinc):
    name = "tinc"
    crypto = "AES-256-CBC + HMAC-SHA256 (1.0's default), hop by hop"
    note = "Debian tinc 1.0.36, switch mode, IndirectData"


@driver
class TincNone(Tinc):
    name = "tinc-none"
    extra = "Cipher = none\nDigest = none\nMACLength = 0\n"
    crypto = "none"
    note = "Debian tinc 1.0.36, switch mode, IndirectData, Cipher/Digest none"


# -- OpenVPN ----------------------------------------------------------------------------
class OpenVpn(Driver):
    cipher = "AES-256-GCM"
    many = True

    def prepare(self):
        self.bin = program("openvpn")
        self.fp = {}
        for n in ["hub"] + ["c%d" % k for k in range(1, self.n + 1)]:
            key, crt = os.path.join(self.dir, n + ".key"), os.path.join(self.dir, n + ".crt")
            sh("openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
               "-subj", "/CN=" + n, "-days", "30", "-keyout", key, "-out", crt)
            out = sh("openssl", "x509", "-in", crt, "-noout", "-fingerprint", "-sha256")
            self.fp[n] = out.strip().split("=", 1)[1]

    def common(self, n):
        c = "dev tap0\ndev-type tap\nproto udp4\nkey %s.key\ncert %s.crt\nverb 1\ntun-mtu %d\nmssfix 0\npersist-tun\n" % (
            n, n, INNER_MTU)
        c += "data-ciphers %s\ncipher %s\nreneg-sec 0\n" % (self.cipher, self.cipher)
        if self.cipher == "none":
            c += "auth none\n"
        return c

    def start_hub(self):
        c = self.common("hub") + "mode server\ntls-server\nport %d\nclient-to-client\nkeepalive 5 60\n" % PORT
        c += "dh none\n<peer-fingerprint>\n%s\n</peer-fingerprint>\n" % "\n".join(
            v for n, v in self.fp.items() if n != "hub")
        self.spawn(HUB, self.bin, "--config", self.file("hub.ovpn", c))
        self.wait_dev(HUB, "tap0")

    def start_client(self, k):
        c = self.common("c%d" % k) + "tls-client\nnobind\npull\nremote %s %d\npeer-fingerprint %s\n" % (
            hub_addr(k), PORT, self.fp["hub"])
        self.spawn(client_ns(k), self.bin, "--config", self.file("c%d.ovpn" % k, c))

    def configure(self):
        sh("ip", "link", "set", "tap0", "up", ns=HUB)
        for k in range(1, self.n + 1):
            self.client_device(k, "tap0")


@driver
class OpenVpnAes(OpenVpn):
    name = "openvpn-aes256gcm"
    crypto = "AES-256-GCM, hop by hop"
    note = "Debian OpenVPN 2.6.14 tap, client-to-client"


@driver
class OpenVpnChacha(OpenVpn):
    name = "openvpn-chacha"
    cipher = "CHACHA20-POLY1305"
    crypto = "ChaCha20-Poly1305, hop by hop"
    note = "Debian OpenVPN 2.6.14 tap, client-to-client"


@driver
class OpenVpnNone(OpenVpn):
    name = "openvpn-none"
    cipher = "none"
    crypto = "none"
    note = "Debian OpenVPN 2.6.14 tap, client-to-client, cipher none, auth none"


# -- vtun -----------------------------------------------------------------------------------
@driver
class Vtun(Driver):
    name = "vtun"
    crypto = "none"
    note = "Debian vtun 3.0.4 ether over UDP; one hub process and TAP per client, joined by a kernel bridge"

    def prepare(self):
        self.bin = program("vtund")
        os.makedirs("/var/lock/vtund", exist_ok=True)

    def start_hub(self):
        sh("ip", "link", "add", "br0", "mtu", str(INNER_MTU), "type", "bridge", ns=HUB)
        sh("ip", "link", "set", "br0", "up", ns=HUB)
        c = "options { port %d; syslog daemon; timeout 60; }\n" % PORT
        c += "default { type ether; proto udp; compress no; encrypt no; keepalive yes; stat no; speed 0; }\n"
        for k in range(1, self.n + 1):
            c += "c%d { passwd x%d; device tap%d; }\n" % (k, k, k)
        self.spawn(HUB, self.bin, "-n", "-s", "-f", self.file("hub.conf", c))
        time.sleep(0.5)

    def start_client(self, k):
        c = "options { port %d; timeout 60; syslog daemon; }\n" % PORT
        c += "c%d { passwd x%d; type ether; proto udp; compress no; encrypt no; persist yes; device tap0; }\n" % (k, k)
        self.spawn(client_ns(k), self.bin, "-n", "-f", self.file("c%d.conf" % k, c), "c%d" % k, hub_addr(k))

    def configure(self):
        """vtund ends a session when it cannot write a frame, as to a TAP that is down: so the client's comes first and says
        nothing (no IPv6), then the hub's, and only then does anybody send."""
        for k in range(1, self.n + 1):
            self.wait_dev(HUB, "tap%d" % k)
            self.wait_dev(client_ns(k), "tap0")
            sh("sysctl", "-qw", "net.ipv6.conf.tap0.disable_ipv6=1", ns=client_ns(k))
            sh("ip", "link", "set", "tap0", "up", "mtu", str(INNER_MTU), ns=client_ns(k))
            sh("ip", "link", "set", "tap%d" % k, "up", "mtu", str(INNER_MTU), "master", "br0", ns=HUB)
            sh("sysctl", "-qw", "net.ipv6.conf.tap0.disable_ipv6=0", ns=client_ns(k))
            self.client_device(k, "tap0")


# -- nebula -----------------------------------------------------------------------------------
@driver
class Nebula(Driver):
    name = "nebula"
    family = 4
    crypto = "AES-256-GCM, end to end; relay adds its own tag only"
    note = "Debian nebula 1.6.1, relayed by the lighthouse; its overlay is IPv4 only, so measured over IPv4; layer 3"

    def address(self, k):
        return "192.0.2.%d" % (10 + k)

    def prepare(self):
        self.bin, cert = program("nebula"), program("nebula-cert")
        sh(cert, "ca", "-name", "bench", "-out-crt", self.dir + "/ca.crt", "-out-key", self.dir + "/ca.key")
        for n, ip in [("hub", "192.0.2.1")] + [("c%d" % k, self.address(k)) for k in range(1, self.n + 1)]:
            sh(cert, "sign", "-ca-crt", self.dir + "/ca.crt", "-ca-key", self.dir + "/ca.key", "-name", n, "-ip",
               ip + "/24", "-out-crt", "%s/%s.crt" % (self.dir, n), "-out-key", "%s/%s.key" % (self.dir, n))

    def conf(self, n, k):
        hub = n == "hub"
        c = {
            "pki": {"ca": self.dir + "/ca.crt", "cert": "%s/%s.crt" % (self.dir, n), "key": "%s/%s.key" % (self.dir, n)},
            "static_host_map": {} if hub else {"192.0.2.1": ["%s:%d" % (hub_addr(k), PORT)]},
            "lighthouse": {"am_lighthouse": hub, "interval": 5, "hosts": [] if hub else ["192.0.2.1"]},
            "listen": {"host": "0.0.0.0", "port": PORT},
            "punchy": {"punch": True},
            "relay": {"am_relay": hub, "use_relays": not hub, "relays": [] if hub else ["192.0.2.1"]},
            "tun": {"dev": "neb0", "mtu": INNER_MTU},
            "logging": {"level": "warning", "format": "text"},
            "firewall": {"outbound": [{"port": "any", "proto": "any", "host": "any"}],
                         "inbound": [{"port": "any", "proto": "any", "host": "any"}]},
        }
        return self.file(n + ".yml", json.dumps(c))

    def start_hub(self):
        self.spawn(HUB, self.bin, "-config", self.conf("hub", 0))
        self.wait_dev(HUB, "neb0")

    def start_client(self, k):
        self.spawn(client_ns(k), self.bin, "-config", self.conf("c%d" % k, k))

    def configure(self):
        for k in range(1, self.n + 1):
            self.wait_dev(client_ns(k), "neb0")


# -- quicktun ---------------------------------------------------------------------------------
class QuickTun(Driver):
    protocol = "raw"

    def prepare(self):
        self.bin = program("quicktun")
        self.keys = {}
        if self.protocol != "raw":
            for k in range(1, self.n + 1):
                for side in "hc":
                    out = subprocess.run([program("keypair")], stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                                         text=True).stdout
                    hexes = [w for w in out.split() if len(w) == 64]
                    self.keys[side, k] = (hexes[0], hexes[1])

    def env(self, k, mine, other, local, remote):
        e = {"INTERFACE": "qt%d" % k, "TUN_MODE": "0", "PROTOCOL": self.protocol, "LOCAL_ADDRESS": local,
             "LOCAL_PORT": str(PORT + k), "REMOTE_ADDRESS": remote, "REMOTE_PORT": str(PORT + k)}
        if self.keys:
            e["PRIVATE_KEY"] = self.keys[mine, k][0]
            e["PUBLIC_KEY"] = self.keys[other, k][1]
        e.update({"IF_QT_" + a: b for a, b in list(e.items())}, IFACE="qt%d" % k)     # what Debian's build reads
        return e

    def start_hub(self):
        sh("ip", "link", "add", "br0", "mtu", str(INNER_MTU), "type", "bridge", ns=HUB)
        sh("ip", "link", "set", "br0", "up", ns=HUB)
        for k in range(1, self.n + 1):
            self.spawn(HUB, self.bin, env=self.env(k, "h", "c", hub_addr(k), client_addr(k)))

    def start_client(self, k):
        self.spawn(client_ns(k), self.bin, env=self.env(k, "c", "h", client_addr(k), hub_addr(k)))

    def configure(self):
        for k in range(1, self.n + 1):
            self.wait_dev(HUB, "qt%d" % k)
            sh("ip", "link", "set", "qt%d" % k, "up", "mtu", str(INNER_MTU), "master", "br0", ns=HUB)
            self.client_device(k, "qt%d" % k)


@driver
class QuickTunRaw(QuickTun):
    name = "quicktun-raw"
    crypto = "none"
    note = "Debian quicktun 2.2.6 raw; one hub process and TAP per client, joined by a kernel bridge"


@driver
class QuickTunNacl(QuickTun):
    name = "quicktun-nacltai"
    protocol = "nacltai"
    crypto = "XSalsa20-Poly1305 (libsodium), hop by hop"
    note = "Debian quicktun 2.2.6 nacltai; one hub process and TAP per client, joined by a kernel bridge"
