# SPDX-License-Identifier: MIT
"""herd.py - a real router and a thousand real client engines (bench/herd.c) in a namespace of their own

Used by test_herd.py (a few seconds) and tests/bench/recovery.py (figures).
"""

import json
import os
import select
import subprocess

from lab import BUILD, PATIENCE, Lab, Process

CONF = """listen: 127.0.0.1:6464
private_key_file: router.key
prefix: 2001:db8:1::/64
access: open
everyone: true
limits: {{ members: {members}, logins_per_s: {rate} }}
"""


class Herd:
    """n clients, each sending a packet every period_ms (0: idle)."""

    def __init__(self, lab, n, period_ms, rate=200):
        self.lab, self.n = lab, n
        ns = lab.ns("herd")
        self.ns = ns
        key = lab.key("router", "sixtap-router")
        conf = lab.write("herd.yaml", CONF.format(members=n + 64, rate=rate))
        self.router = Process(lab, "herd-router", ns, [lab.program("sixtap-router"), "run", "-c", conf])
        lab.processes.append(self.router)
        self.router.start().wait_log("own address|listening|prefix")
        with ns.enter():
            self.proc = subprocess.Popen([os.path.join(BUILD, "tests/herd"), "127.0.0.1", "6464", key, str(n),
                                          str(period_ms)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        lab.keep(self)
        self.first = self.answer()

    def answer(self, timeout=None):
        """The next line of the herd, as an object."""
        ready, _, _ = select.select([self.proc.stdout], [], [], timeout or 6 * PATIENCE)
        assert ready, f"the herd is not back; the router's log ends with\n{self.router.log()[-2000:]}"
        line = self.proc.stdout.readline()
        assert line, "the herd ended"
        return json.loads(line)

    def tell(self, line):
        self.proc.stdin.write(line + "\n")
        self.proc.stdin.flush()

    def restart_router(self):
        """kill -9, start; how long until all were back, from the kill on."""
        self.tell("mark")
        self.router.kill()
        self.router.start()
        return self.answer()

    def cycle(self, times, timeout=None):
        """So many logouts and logins, all clients together."""
        self.tell(f"cycle {times}")
        return self.answer(timeout)

    def footprint(self):
        """(resident octets, open descriptors) of the router"""
        pid = self.router.proc.pid
        with open(f"/proc/{pid}/status", encoding="ascii") as f:
            rss = next(int(x.split()[1]) * 1024 for x in f if x.startswith("VmRSS"))
        return rss, len(os.listdir(f"/proc/{pid}/fd"))

    def close(self):
        self.proc.stdin.close()
        try:
            self.proc.wait(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            self.proc.kill()
            self.proc.wait()
        self.proc.stdout.close()


__all__ = ["Herd", "Lab"]
