# SPDX-License-Identifier: MIT
"""test_priority.py - priority: as the kernel sees it, also in what a client executes

    r  198.18.0.1
    `-- a  198.18.1.2   tap6
"""

import os
import subprocess

import pytest

from lab import Lab, wait_for

HIGH = -10  # proto/host/priority.h


def may_be_nice():
    return subprocess.run(["nice", "-n", "-1", "true"], stderr=subprocess.PIPE, check=False).stderr == b""


pytestmark = pytest.mark.skipif(not may_be_nice() or os.getpriority(os.PRIO_PROCESS, 0) != 0,
                                reason="no CAP_SYS_NICE, or itself with a nice value")


def nice(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def two(lab, router="", client="", start=True):
    r = lab.router(clients=["a"], uplink=False, extra=router, start=start)
    return r, lab.client("a", lab.public("a"), client, start=start)


@pytest.mark.parametrize("line,want", [("", HIGH), ("priority: high\n", HIGH), ("priority: normal\n", 0)])
def test_nice_of_both(line, want):
    with Lab() as lab:
        r, a = two(lab, line, line)
        a.wait_up()
        assert nice(r.proc.pid) == nice(a.proc.pid) == want


def test_a_nice_value_from_outside_stays():
    """nice(1) and systemd's Nice= are somebody's decision."""
    with Lab() as lab:
        r, a = two(lab, start=False)
        r.argv, a.argv = ["nice", "-n", "5", *r.argv], ["nice", "-n", "-3", *a.argv]
        r.start()
        a.start().wait_up()
        assert (nice(r.proc.pid), nice(a.proc.pid)) == (5, -3)


@pytest.mark.parametrize("privileges", ["none", "all"])
@pytest.mark.parametrize("outside", [0, -5])
def test_hooks_are_ordinary_programs(privileges, outside):
    """Also when a service manager has set Nice= for the client."""
    with Lab() as lab:
        out = lab.dir + "/nice"
        path = lab.write("hook", f"#!/bin/sh\nnice >{out}.part && mv {out}.part {out}\n", 0o700)
        r, a = two(lab, client=f"on_up: {path}\nhook_privileges: {privileges}\n", start=False)
        a.argv = ["nice", "-n", str(outside), *a.argv]
        r.start()
        a.start().wait_up()
        wait_for("the hook", lambda: os.path.exists(out))
        with open(out, encoding="ascii") as f:
            assert int(f.read()) == 0
        assert nice(a.proc.pid) == (outside or HIGH)
