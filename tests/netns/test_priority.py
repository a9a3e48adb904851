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
FIFO = ["chrt", "--fifo", "1"]


def may_be_nice():
    return all(subprocess.run([*argv, "true"], stderr=subprocess.PIPE, check=False).stderr == b""
               for argv in (["nice", "-n", "-1"], FIFO))


pytestmark = pytest.mark.skipif(not may_be_nice() or os.getpriority(os.PRIO_PROCESS, 0) != 0,
                                reason="no CAP_SYS_NICE, or itself with a nice value")


def nice(pid):
    return os.getpriority(os.PRIO_PROCESS, pid)


def scheduled(pid):
    """(class, nice value)"""
    return os.sched_getscheduler(pid) & ~os.SCHED_RESET_ON_FORK, nice(pid)


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


def test_a_class_from_outside_stays():
    """chrt(1) and systemd's CPUSchedulingPolicy= as well."""
    with Lab() as lab:
        r, a = two(lab, start=False)
        r.argv, a.argv = [*FIFO, *r.argv], [*FIFO, *a.argv]
        r.start()
        a.start().wait_up()
        assert scheduled(r.proc.pid) == scheduled(a.proc.pid) == (os.SCHED_FIFO, 0)


@pytest.mark.parametrize("privileges", ["none", "all"])
@pytest.mark.parametrize("outside", [["nice", "-n", "0"], ["nice", "-n", "-5"], FIFO])
def test_hooks_are_ordinary_programs(privileges, outside):
    """Also when a service manager has set Nice= or CPUSchedulingPolicy= for the client."""
    with Lab() as lab:
        out = lab.dir + "/nice"
        path = lab.write("hook", f"#!/bin/sh\n{{ nice; chrt -p $$; }} >{out}.part && mv {out}.part {out}\n", 0o700)
        r, a = two(lab, client=f"on_up: {path}\nhook_privileges: {privileges}\n", start=False)
        a.argv = [*outside, *a.argv]
        r.start()
        a.start().wait_up()
        wait_for("the hook", lambda: os.path.exists(out))
        with open(out, encoding="ascii") as f:
            value, policy, _ = f.read().splitlines()
        assert value == "0" and policy.endswith("SCHED_OTHER")
        want = {"0": (os.SCHED_OTHER, HIGH), "-5": (os.SCHED_OTHER, -5), "1": (os.SCHED_FIFO, 0)}
        assert scheduled(a.proc.pid) == want[outside[-1]]
