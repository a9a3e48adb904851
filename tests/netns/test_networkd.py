# SPDX-License-Identifier: MIT
"""test_networkd.py - the samples for systemd-networkd, read by a real one

    inet  web server 2001:db8:ffff::2
      |
      r   198.18.0.1, 2001:db8:5::/64 delegated to a
      |
      a   198.18.1.2   tap6; systemd-networkd with conf/networkd and a file that would take every device
      |-- eth1 2001:db8:5::1/64 -- host   nothing installed: the kernel's own SLAAC

networkd runs without udev and D-Bus: with a read-only /sys it takes devices as they are, as in a container. Skipped where
the package systemd is not installed.
"""

import os
import shutil

import pytest

from lab import HERE, TAP, WEB6, Lab, wait_for

NETWORKD = "/lib/systemd/systemd-networkd"
SAMPLES = os.path.normpath(os.path.join(HERE, "../../conf/networkd"))
DELEGATED = "2001:db8:5::/64"
GREEDY = "[Match]\nName=*\n\n[Network]\nLinkLocalAddressing=ipv6\nIPv6AcceptRA=yes\n"

pytestmark = pytest.mark.skipif(not os.path.exists(NETWORKD), reason="systemd-networkd is not installed")


def networkd(lab, ns, *samples):
    """systemd-networkd in @ns with these files of conf/networkd, and one that takes what they leave."""
    files = os.path.join(lab.dir, "network")
    os.mkdir(files)
    os.chmod(lab.dir, 0o755)  # it reads as another user
    for s in samples:
        shutil.copy(os.path.join(SAMPLES, s), files)
    lab.write("network/90-all.network", GREEDY, 0o644)
    start = ("mount -o remount,ro,bind /sys && mkdir -p /run/systemd /etc/systemd/network && mount -t tmpfs none /run/systemd && "
             f"mkdir /run/systemd/netif && mount --bind {files} /etc/systemd/network && "
             f"SYSTEMD_LOG_LEVEL=debug exec {NETWORKD}")
    return lab.process("networkd", ns, ["unshare", "--mount", "sh", "-c", start])


def test_tunnel_left_alone_and_lan_served():
    with Lab() as lab:
        lab.inet.ip(f"route add {DELEGATED} via 2001:db8:ffff::1")
        lab.web(b"a page\n")
        router = lab.router(["a"], given={"a": f", delegate: [ '{DELEGATED}' ]"})
        a = lab.public("a")
        client = lab.client("a", a).wait_up()
        host = lab.ns("host")
        a.ip(f"link add eth1 type veth peer name eth0 netns {host.full}", "link set eth1 up")
        host.sysctl("net/ipv6/conf/eth0/accept_dad", 0)
        host.ip("link set eth0 up")
        a.sysctl("net/ipv6/conf/eth1/disable_ipv6", 0)
        before = set(a.addresses(TAP)), client.default_route(), a.link(TAP)["address"]
        daemon = networkd(lab, a, "10-sixtap.network", "20-sixtap-lan.network")
        daemon.wait_log(r"tap6: .*unmanaged|tap6: State changed: .* unmanaged")
        wait_for("the LAN's address", lambda: "2001:db8:5::1" in a.addresses("eth1"))
        wait_for("the host's address and route", lambda: any(x.startswith("2001:db8:5:") for x in host.addresses("eth0")) and
                 host.ip_json("-6", "route", "show", "default"))
        assert host.run("curl", "-6", "-s", "-m", "5", f"http://[{WEB6}]/").stdout == "a page\n"
        assert (set(a.addresses(TAP)), client.default_route(), a.link(TAP)["address"]) == before
        assert router.member("a")


def test_without_the_sample_it_is_taken():
    """What the sample is for: networkd would solicit on the tunnel by itself and set a default route of its own."""
    with Lab() as lab:
        lab.router(["a"])
        client = lab.client("a", lab.public("a")).wait_up()
        assert [x["protocol"] for x in client.default_route()] == ["166"]
        networkd(lab, client.ns)
        wait_for("a second default route", lambda: any(x["protocol"] == "ra" for x in client.default_route()))
