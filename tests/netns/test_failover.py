# SPDX-License-Identifier: MIT
"""test_failover.py - a client that knows two routers

    inet
      |
      r   198.18.0.1:6464, sixtap0, 2001:db8:1::/64, the preferred one
      |   198.18.0.1:7000, sixtap1, 2001:db8:2::/64, the other; a key of its own
      `-- a  198.18.1.2   tap6
"""

from lab import PREFIX, ROUTER4, ROUTER6, Lab, Router

OTHER6 = "2001:db8:2::1"


def other_router(lab, start=True):
    """A second router on the same host, with its own key, prefix and device."""
    lab.key("other", "sixtap-router")
    conf = (f"listen: {ROUTER4}:7000\nprivate_key_file: other.key\nprefix: 2001:db8:2::/64\n"
            f"uplink: {{ mode: routed, device: sixtap1 }}\nclients:\n  - {{ name: a, public_key: {lab.key('a')} }}\n")
    r = Router(lab, "other", lab.r, "sixtap-router", conf)
    lab.processes.append(r)
    return r.start().wait_up() if start else r


def two_routers(lab):
    return (f"routers:\n  - {{ address: '{ROUTER4}:6464', key: {lab.key('router', 'sixtap-router')} }}\n"
            f"  - {{ address: '{ROUTER4}:7000', key: {lab.key('other', 'sixtap-router')} }}\n")


def client(lab, ns, extra=""):
    lab.key("a")
    lab.client("a", ns, start=False)
    c = lab.processes[-1]
    with open(c.conf, "w", encoding="utf-8") as f:
        f.write(f"{two_routers(lab)}private_key_file: a.key\ndevice: tap6\n{extra}")
    return c.start()


def test_over_and_back():
    with Lab() as lab:
        r, other = lab.router(clients=["a"]), other_router(lab)
        a = client(lab, lab.public("a"), "fail_back: 1\n").wait_up()
        assert a.status()["router"] == f"{ROUTER4}:6464"
        first = a.address()
        assert first.startswith(PREFIX.split("::", maxsplit=1)[0])
        r.stop()
        a.wait_up(ping=OTHER6)
        assert a.status()["router"] == f"{ROUTER4}:7000"
        assert a.address().startswith("2001:db8:2:")
        assert a.carrier()
        r.start().wait_up()
        a.wait_up(ping=ROUTER6)
        a.wait_status("the first router", lambda s: s["router"] == f"{ROUTER4}:6464")
        assert a.address() == first, "the same address as before"
        other.stop()
        assert a.ns.ping(ROUTER6, count=3) == 3


def test_first_is_not_there():
    with Lab() as lab:
        lab.key("a")
        lab.router(clients=["a"], start=False)
        other_router(lab)
        a = client(lab, lab.public("a")).wait_up(ping=OTHER6)
        assert a.status()["router"] == f"{ROUTER4}:7000"


def test_unresolvable_name_is_one_line():
    """H99: a name that does not resolve is told once, not with each try, and the next router serves meanwhile."""
    with Lab() as lab:
        lab.key("a")
        lab.router(clients=["a"], start=False)
        other_router(lab)
        ns = lab.public("a")
        lab.client("a", ns, start=False)
        a = lab.processes[-1]
        with open(a.conf, "w", encoding="utf-8") as f:
            f.write(two_routers(lab).replace(f"'{ROUTER4}:6464'", "no-such-router.invalid")
                    + "private_key_file: a.key\ndevice: tap6\nfail_back: 1\n")
        a.start().wait_up(ping=OTHER6)
        assert a.log().count("cannot find the address of no-such-router.invalid") == 1
        assert "no_router" in a.log()
