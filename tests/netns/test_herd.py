# SPDX-License-Identifier: MIT
"""test_herd.py - a thousand real client engines and one real router that is killed (H95); logins and logouts

    127.0.0.1:6464  router          127.1.0.1 ... 127.1.3.232 port 5000  clients, all in one process (bench/herd.c)
"""

from herd import Herd, Lab


def test_thousand_clients_come_back():
    """After kill -9 all are back within 30 s, without a storm: a handful of LOGINs each."""
    with Lab() as lab:
        h = Herd(lab, 1000, 1000)
        got = h.restart_router()
        print(f"1000 clients after kill -9: p50 {got['p50_s']:.2f} s, last {got['last_s']:.2f} s, "
              f"{got['logins_sent']} LOGINs")
        assert got["clients"] == 1000 and got["last_s"] <= 30
        assert got["logins_sent"] <= 8 * 1000


def test_logins_leave_nothing_behind():
    """Descriptors and memory of the router stay as they are over thousands of logouts and logins."""
    with Lab() as lab:
        h = Herd(lab, 100, 0, rate=100000)
        h.cycle(500)
        rss, fds = h.footprint()
        h.cycle(4000)
        rss_after, fds_after = h.footprint()
        print(f"4000 logins: RSS {rss / 1e6:.1f} -> {rss_after / 1e6:.1f} MB, descriptors {fds} -> {fds_after}")
        assert fds_after == fds
        # a leak of one keypair a login would be 4 MB and more; the sanitizer keeps some freed memory of its own
        assert rss_after - rss < 3e6
