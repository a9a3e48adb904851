# SPDX-License-Identifier: MIT
"""liar.py - a client that speaks the protocol and filters nothing (liar.c), driven from a test

What sixtap-client would not let out of its TAP reaches the router this way: as an attacker's own client would send it.
"""

import os
import queue
import subprocess
import threading

from lab import BUILD, PATIENCE, PORT, ROUTER4, _die_with_parent

HOST, PEER, MULTICAST = 1, 2, 3


def colons(mac):
    return ":".join(mac[i:i + 2] for i in range(0, 12, 2))


class Liar:
    """Logs in as @name, a client the router knows, from namespace @ns. @cpu: where it runs; @env: more of it."""

    def __init__(self, lab, name, ns, cpu=None, env=None):
        argv = [os.path.join(BUILD, "tests", "liar"), ROUTER4, str(PORT), lab.key("router", "sixtap-router"),
                os.path.join(lab.dir, name + ".key")]
        if cpu is not None:
            argv = ["taskset", "-c", str(cpu)] + argv
        self.name, self.ns, self.heard = name, ns, []
        with ns.enter():
            self.proc = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1,
                                         env=dict(os.environ, **(env or {})), preexec_fn=_die_with_parent)
        lab.keep(self)
        self.answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()
        up = self.answer("up").split()
        self.mac, self.address, self.router_mac = colons(up[1]), up[2], colons(up[3])

    def _read(self):
        for line in self.proc.stdout:
            if line.startswith("got "):
                _, kind, octets = line.split()
                self.heard.append((int(kind), bytes.fromhex(octets)))
            else:
                self.answers.put(line.strip())
        self.answers.put("")

    def answer(self, word, timeout=None):
        line = self.answers.get(timeout=timeout or PATIENCE)
        assert line.startswith(word), f"liar {self.name} says {line!r}, wanted {word}"
        return line

    def tell(self, *lines):
        self.proc.stdin.write("".join(x + "\n" for x in lines))
        self.proc.stdin.flush()

    @staticmethod
    def text(packet, mac=None, group=False):
        """A packet as the commands take it: of kind host, or peer to @mac, or multicast."""
        octets = bytes(packet)
        if group:
            return f"{MULTICAST} {'00' * 6}{octets.hex()}"
        if mac:
            return f"{PEER} {mac.replace(':', '')}{octets.hex()}"
        return f"{HOST} {octets.hex()}"

    def send(self, packet, mac=None, group=False):
        self.tell("send " + self.text(packet, mac, group))

    def sync(self):
        """Returns when the router has dealt with everything sent before."""
        self.tell("sync")
        self.answer("sync")

    def watch(self, on=True):
        self.tell(f"watch {int(on)}")

    def load(self, texts):
        """@texts: what text() gives; they replace what was loaded."""
        self.tell("clear", *(f"load {t}" for t in texts))

    def flood(self, n, rate=0, at=0, length=0, port=0, timeout=None):
        """Starts to send @n of what is loaded; flooded() waits for the end."""
        self.tell(f"flood {n} {rate} {at} {length} {port}")
        self.limit = timeout or 3 * PATIENCE

    def flooded(self):
        """(seconds it took, packets heard meanwhile)"""
        _, _, seconds, heard = self.answer("flooded", self.limit).split()
        return float(seconds), int(heard)

    def close(self):
        self.proc.stdin.close()
        try:
            self.proc.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.proc.stdout.close()
