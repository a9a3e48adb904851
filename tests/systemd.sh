#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# systemd.sh - the units and the NetworkManager snippet under a systemd and a NetworkManager that run
#
#   sudo tests/systemd.sh          prints each step; about two minutes, once the Debian system is there
#
# Environment: as for package.sh (BUILD, MIRROR, SIXTAP_NO_INSTALL).
# Exit code: 0 every step ok; 1 a step failed; 77 cannot run here.
#
#   vps 198.18.0.1, 2001:db8:1::/64 ---- veth ---- home 198.18.0.2
#
# Two copies of Debian 12, booted by systemd-nspawn in a network namespace each: boot, enable, reload, kill, reboot, upgrade,
# removal. On a host without systemd as its init (a sandbox, CI) nspawn is told to register nothing; where systemd is
# running it makes scopes as usual. Needs a Debian mirror.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh

tag=sysd-$$
dir=
machines=()

cannot() { echo "systemd.sh: $*" >&2 && exit 77; }

fail() {
    local host
    printf '\nFAILED: %s\n' "$*"
    for host in vps home; do
        printf '\n--- %s\n' "$host"
        on $host journalctl -b --no-pager -n 12 -u sixtap-router -u 'sixtap-client@*' 2>/dev/null || tail -n 10 "$dir/$host.log"
    done
    exit 1
}

# may_lock - may a process here raise its limit of locked memory? (CAP_SYS_RESOURCE, number 24)
may_lock() {
    [ "$(ulimit -Hl)" = unlimited ] || (("0x$(awk '/^CapEff/ { print $2 }' /proc/self/status)" >> 24 & 1))
}

leader() { # HOST - pid of its init
    local nspawn
    nspawn=$(pgrep -f "^systemd-nspawn .*--machine=$tag-$1( |$)" | head -n 1)
    [ -n "$nspawn" ] && pgrep -P "$nspawn" | head -n 1
}

clean_up() {
    local code=$? host p
    trap '' INT TERM HUP
    trap - EXIT
    for host in vps home; do
        p=$(leader $host) || continue
        kill -KILL "$p" 2>/dev/null || true
    done
    wait "${machines[@]}" 2>/dev/null || true
    for host in vps home; do ip netns del "$tag-$host" 2>/dev/null || true; done
    [ -z "$dir" ] || rm -rf --one-file-system "$dir"
    exit "$code"
}

title() { printf '== %s\n' "$*"; }
clean=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
    ${http_proxy:+http_proxy="$http_proxy"})
on() { # HOST COMMAND... - on that machine, at most a minute
    local p
    p=$(leader "$1") && timeout 60 nsenter -t "$p" -m -u -i -n -p -- "${clean[@]}" "${@:2}"
}
ok() { on "$@" >"$dir/last" 2>&1 || fail "$* says: $(cat "$dir/last")"; }

wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1 + 1))
    until "${@:2}" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.1
    done
}

boot() { # HOST
    local how=(--register=no --keep-unit)
    [ ! -d /run/systemd/system ] || how=()
    # /proc/sys/net may be written, as on a machine; memory may be locked (nspawn forbids it otherwise)
    SYSTEMD_NSPAWN_API_VFS_WRITABLE=network systemd-nspawn -q "${how[@]}" --machine="$tag-$1" -D "$dir/$1" \
        --network-namespace-path="/run/netns/$tag-$1" --bind=/dev/net/tun --capability=CAP_NET_ADMIN,CAP_NET_RAW,CAP_IPC_LOCK \
        -b >"$dir/$1.log" 2>&1 </dev/null &
    machines+=($!)
    wait_for 60 is_booted "$1" || fail "$1 does not boot"
}
is_booted() { on "$1" systemctl is-system-running | grep -qx -e running -e degraded; }
is_gone() { ! leader "$1" >/dev/null; }

active() { wait_for 15 on "$1" systemctl -q is-active "$2" || fail "$2 is not active"; }
pings() { wait_for "$1" on home ping -c 1 -W 1 2001:db8:1::1 || fail "home does not reach the router"; }
pid_of() { on "$1" systemctl show -p MainPID --value "$2"; }
killed() { # HOST UNIT - it comes back by itself
    local before
    before=$(pid_of "$1" "$2")
    ok "$1" systemctl kill -s KILL "$2"
    wait_for 15 is_another "$1" "$2" "$before" || fail "$2 is not started again"
    active "$1" "$2"
}
is_another() { [ "$(pid_of "$1" "$2")" != "$3" ] && [ "$(pid_of "$1" "$2")" != 0 ]; }
unmanaged() { on home nmcli -t -f DEVICE,STATE device | grep -qx 'tap6:unmanaged'; }

build_packages() { # sixtap.deb, and newer.deb
    local version v
    version=$(sed -n 's/^project(sixtap VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
    for v in "$version+next" "$version"; do
        cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSIXTAP_TESTS=OFF -DSIXTAP_VERSION="$v" >"$dir/build.log"
        ninja -C "$build" >"$dir/build.log" || fail "the build"
        (cd "$build" && cpack -B "$dir/deb") >"$dir/build.log" 2>&1 || fail "cpack"
        case $v in *next) mv "$dir"/deb/sixtap_*.deb "$dir/newer.deb" ;; *) mv "$dir"/deb/sixtap_*.deb "$dir/sixtap.deb" ;; esac
    done
}

make_base() {
    local base=$build/debian-12-live host
    if [ ! -e "$base.done" ]; then
        echo "making a Debian 12 system in $base"
        rm -rf --one-file-system "$base"
        debootstrap --variant=minbase --include=ca-certificates,systemd,systemd-sysv,libpam-systemd,dbus,iproute2,procps,iputils-ping bookworm \
            "$base" "${MIRROR:-$(debian_mirror)}" >"$dir/debootstrap.log" 2>&1 || fail "debootstrap"
        cp -L /etc/resolv.conf "$base/etc/resolv.conf"
        "${clean[@]}" chroot "$base" apt-get install -y -qq --no-install-recommends network-manager >"$dir/last" 2>&1 || fail "$(cat "$dir/last")"
        touch "$base.done"
    fi
    for host in vps home; do
        cp -a "$base" "$dir/$host"
        cp -L /etc/resolv.conf "$dir/$host/etc/resolv.conf"
        : >"$dir/$host/etc/machine-id" # missing, it would be a first boot, which enables what it likes
        ln -sf /dev/null "$dir/$host/etc/systemd/system/systemd-networkd.service"
        ln -sf /dev/null "$dir/$host/etc/systemd/system/systemd-networkd-wait-online.service"
        cp "$dir/sixtap.deb" "$dir/newer.deb" "$dir/$host/root"
        "${clean[@]}" chroot "$dir/$host" sh -c 'apt-get update -qq && apt-get install -y -qq --no-install-recommends /root/sixtap.deb' \
            >"$dir/last" 2>&1 || fail "installation: $(cat "$dir/last")"
    done
}

make_network() {
    local host
    for host in vps home; do
        ip netns add "$tag-$host"
        ip -n "$tag-$host" link set lo up
    done
    ip -n "$tag-vps" link add wan type veth peer name wan netns "$tag-home"
    ip -n "$tag-vps" addr add 198.18.0.1/24 dev wan
    ip -n "$tag-home" addr add 198.18.0.2/24 dev wan
    for host in vps home; do ip -n "$tag-$host" link set wan up; done
    ip -n "$tag-vps" route add default via 198.18.0.2
}

main() {
    local host
    [ "$(id -u)" = 0 ] || cannot "needs root: sudo tests/systemd.sh"
    install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_LIVE[@]}" || cannot "packages are missing"
    umask 022
    build=${BUILD:-$PWD/build-package}
    mkdir -p "$build"
    build=$(cd "$build" && pwd)
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    dir=$(mktemp -d "$build/run.XXXXXX")
    build_packages
    make_base
    make_network
    boot vps
    boot home

    title "the router: init, enable, start; no capability left, keys locked"
    on vps systemctl -q is-active sixtap-router && fail "the package started something"
    ok vps sixtap-router init --prefix 2001:db8:1::/64
    ok vps sysctl -qw net.ipv6.conf.all.forwarding=1
    ok vps systemctl enable --now sixtap-router
    active vps sixtap-router
    ok vps sh -c 'grep -E "^(Cap(Prm|Eff|Bnd|Amb)|NoNewPrivs|Seccomp):" /proc/$(pidof sixtap-router)/status'
    [ "$(grep -cE '^Cap[A-Za-z]*:.0*$' "$dir/last")" = 4 ] && grep -q 'NoNewPrivs:.1' "$dir/last" && grep -q 'Seccomp:.2' "$dir/last" ||
        fail "its privileges: $(cat "$dir/last")"
    ok vps journalctl -b --no-pager -u sixtap-router
    if may_lock; then
        ! grep -q 'written to swap' "$dir/last" || fail "keys are not locked"
    else
        echo "(whether keys are locked is not looked at: this host keeps LimitMEMLOCK= from being raised)"
    fi
    ok vps sh -c 'cut -d " " -f 19 /proc/$(pidof sixtap-router)/stat' # proc(5): the nice value
    [ "$(tail -n 1 "$dir/last")" = -10 ] || fail "its nice value is $(cat "$dir/last"), not that of the unit"

    title "the client: enable, start; a ping; NetworkManager leaves the device alone, also when it starts later"
    (umask 077 && on vps sixtap-router invite alice >"$dir/alice.yaml") || fail "invite"
    install -D -m 600 "$dir/alice.yaml" "$dir/home/etc/sixtap/home.yaml"
    ok home systemctl enable --now sixtap-client@home
    active home sixtap-client@home
    pings 10
    wait_for 10 unmanaged || fail "NetworkManager: $(on home nmcli device)"
    ok home ip -6 -o addr show dev tap6
    sort "$dir/last" >"$dir/addr"
    ok home systemctl restart NetworkManager
    wait_for 15 unmanaged || fail "NetworkManager: $(on home nmcli device)"
    pings 1
    ok home ip -6 -o addr show dev tap6
    sort "$dir/last" | diff "$dir/addr" - || fail "NetworkManager changed the addresses"

    title "reload: taken over; a file with a problem is refused, and the old one stays in force"
    ok vps systemctl reload sixtap-router
    cp "$dir/vps/etc/sixtap/router.yaml" "$dir/kept.yaml"
    echo 'max_membres: 7' >>"$dir/vps/etc/sixtap/router.yaml"
    ! on vps systemctl reload sixtap-router 2>/dev/null || fail "a broken file is taken over"
    active vps sixtap-router
    pings 1
    cp "$dir/kept.yaml" "$dir/vps/etc/sixtap/router.yaml"

    title "a real-time class, by a drop-in, past the unit's RestrictRealtime="
    mkdir -p "$dir/vps/etc/systemd/system/sixtap-router.service.d"
    printf '[Service]\nCPUSchedulingPolicy=fifo\nCPUSchedulingResetOnFork=yes\n' \
        >"$dir/vps/etc/systemd/system/sixtap-router.service.d/fifo.conf"
    ok vps systemctl daemon-reload
    ok vps systemctl restart sixtap-router
    active vps sixtap-router
    ok vps sh -c 'chrt -p $(pidof sixtap-router)'
    grep -q 'SCHED_FIFO' "$dir/last" || fail "its class is $(cat "$dir/last")"
    pings 10

    title "killed: both come back by themselves"
    killed vps sixtap-router
    pings 10
    killed home sixtap-client@home
    pings 10

    title "upgrade: both run the new version"
    for host in vps home; do ok $host dpkg -i /root/newer.deb; done
    active vps sixtap-router
    active home sixtap-client@home
    ok vps sixtap-router status
    grep -q '^version .*next' "$dir/last" || fail "the old router runs on"
    ok home sixtap-client status -c /etc/sixtap/home.yaml
    grep -q '^version .*next' "$dir/last" || fail "the old client runs on"
    pings 10

    title "reboot of the router: there without anybody's doing"
    on vps systemctl poweroff || true
    wait_for 30 is_gone vps || fail "vps does not go down"
    boot vps
    active vps sixtap-router
    pings 30

    title "removal: stopped, nothing left in the kernel"
    for host in home vps; do
        ok $host apt-get remove -y -qq sixtap
        ok $host systemctl list-units --no-legend --all --state=active,failed 'sixtap*'
        [ ! -s "$dir/last" ] || fail "$(cat "$dir/last")"
        ok $host sh -c 'ip link; ip -6 route'
        ! grep -E 'tap6|sixtap|2001:db8:1:' "$dir/last" || fail "that is left"
    done
    printf 'systemd: all ok, %s\n' "$(chroot "$dir/home" dpkg-query -W -f '${Package} ${Version}, ' systemd network-manager | sed 's/, $//')"
}

main "$@"
