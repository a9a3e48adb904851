# SPDX-License-Identifier: MIT
# shellcheck shell=bash disable=SC2034
# packages.sh - the Debian 12 packages of each purpose, a function that installs the missing ones, and one that tells the mirror
# Read by tests/run.sh, tests/bench/run.sh, conf/demo.sh and .ci/run; README "Dependencies" lists the same.

PACKAGES_BUILD=(gcc libc6-dev cmake ninja-build pkg-config libsodium-dev libev-dev libyaml-dev libmnl-dev libcap-ng-dev
    libseccomp-dev libjson-c-dev libnftables-dev)
# Vector crypto is an x86-64 library; without it the build works on libsodium alone.
[ "$(dpkg --print-architecture 2>/dev/null)" != amd64 ] || PACKAGES_BUILD+=(libipsec-mb-dev)
PACKAGES_TEST=(libcmocka-dev iproute2 iputils-ping ndisc6 nftables conntrack curl procps ethtool python3 python3-pytest
    python3-scapy thc-ipv6 radvdump radvd traceroute mtr-tiny dpkg-dev file)
PACKAGES_PACKAGE=(dpkg-dev file debootstrap iproute2 curl python3)
PACKAGES_LIVE=("${PACKAGES_PACKAGE[@]}" systemd-container procps)
PACKAGES_FUZZ=(clang libclang-rt-14-dev llvm-14 libcmocka-dev python3)
PACKAGES_CI=(clang-format clang-tidy "${PACKAGES_FUZZ[@]}")
PACKAGES_BENCH=(iproute2 iputils-ping iperf3 gcc ethtool openssl python3 fastd n2n tinc openvpn vtun wireguard-go wireguard-tools
    nebula quicktun)
PACKAGES_DEMO=(iproute2 iputils-ping nftables conntrack curl procps python3 radvd)

# install_packages NAME... - apt-get install those that are not there
install_packages() {
    local missing=() p
    for p in "$@"; do
        dpkg-query -W -f '${Status}' "$p" 2>/dev/null | grep -q '^install ok installed' || missing+=("$p")
    done
    [ ${#missing[@]} = 0 ] && return 0
    if ! command -v apt-get >/dev/null; then
        echo "this host has no apt-get; the names of the packages on Debian 12 are: ${missing[*]}" >&2
        return 1
    fi
    if [ -n "${SIXTAP_NO_INSTALL:-}" ]; then
        echo "missing packages: ${missing[*]}" >&2
        return 1
    fi
    if [ "$(id -u)" != 0 ]; then
        echo "missing packages: ${missing[*]}; run as root, or: sudo apt-get install ${missing[*]}" >&2
        return 1
    fi
    echo "installing: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# debian_mirror - where this machine gets Debian's packages from, else Debian's own
debian_mirror() {
    # shellcheck disable=SC2016
    apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT)' 'Identifier: Packages' 2>/dev/null |
        awk '$2 == "bookworm" && $3 == "main" && !n++ { print $1 }' | grep . || echo http://deb.debian.org/debian
}
