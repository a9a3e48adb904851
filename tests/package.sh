#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# package.sh - the Debian package from installation to removal, on two machines made of nothing but Debian 12
#
#   sudo tests/package.sh          prints what an operator would see; about a minute, once the Debian system is there
#
# Environment: BUILD=DIR build folder (default build-package), which also keeps the Debian system for the next run;
# MIRROR=URL of Debian packages (default: this machine's); SIXTAP_NO_INSTALL=1 do not install packages.
# Exit code: 0 every step ok; 1 a step failed; 77 cannot run here.
#
#   +--------+  198.18.0.0/24, 2001:db8:0:1::/64   +----------+  198.18.1.0/24   +---------+
#   |  vps   +-------------------------------------+ internet +------------------+  home   |  IPv4 only
#   +--------+  2001:db8:1::/64 is routed to vps   +----------+                  +---------+
#                                                   web server 2001:db8:f00d::80
#
# vps and home are copies of a debootstrap root, entered by chroot in a network namespace of their own. No systemd runs in
# them, so the programs are started by hand, and systemd-analyze is asked about the units. Needs a Debian mirror.
# Mounts live in a mount namespace, links in network namespaces, files in one temporary folder: all gone at the end.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh

tag=pkg-$$
prefix=2001:db8:1::
web=2001:db8:f00d::80
pids=()
dir=

cannot() { echo "package.sh: $*" >&2 && exit 77; }

fail() {
    local log
    printf '\nFAILED: %s\n' "$*"
    for log in "$dir"/*.log; do [ -s "$log" ] && printf '\n--- the end of %s\n' "$(basename "$log")" && tail -n 25 "$log"; done
    exit 1
}

clean_up() {
    local code=$? host p
    trap '' INT TERM HUP
    trap - EXIT
    for host in vps home internet; do
        [ -e "/run/netns/$tag-$host" ] || continue
        for p in $(ip netns pids "$tag-$host"); do kill -KILL "$p" 2>/dev/null || true; done
        ip netns del "$tag-$host" || true
    done
    wait "${pids[@]}" 2>/dev/null || true
    if [ -n "$dir" ]; then
        umount -R "$dir/vps/proc" "$dir/home/proc" "$dir/vps/dev" "$dir/home/dev" 2>/dev/null || true
        rm -rf --one-file-system "$dir"
    fi
    exit "$code"
}

title() { printf '\n== %s\n\n' "$*"; }
in_ns() { ip netns exec "$tag-$1" "${@:2}"; } # HOST COMMAND...
clean=(env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LC_ALL=C.UTF-8 DEBIAN_FRONTEND=noninteractive
    ${http_proxy:+http_proxy="$http_proxy"})
on() { in_ns "$1" "${clean[@]}" chroot "$dir/$1" "${@:2}"; } # HOST COMMAND... - on that machine

# run HOST LINE - show it, then what the machine's shell prints; a step of its own, so that failing fails the whole
run() {
    printf '%s# %s\n' "$1" "$2"
    on "$1" bash -c "$2" 2>&1 | tee "$dir/last" || fail "$2"
}
said() { grep -q -- "$1" "$dir/last" || fail "it does not say: $1"; }

wait_for() { # SECONDS COMMAND...
    local end=$((SECONDS + $1 + 1))
    until "${@:2}" >/dev/null 2>&1; do
        [ $SECONDS -lt $end ] || return 1
        sleep 0.05
    done
}

# daemon HOST NAME COMMAND... - as `run &` of the machine's shell; its pid in $daemon. Each program becomes the next, with
# no shell in between that would take the signal.
daemon() {
    printf '%s# %s &\n' "$1" "${*:3}"
    ip netns exec "$tag-$1" "${clean[@]}" chroot "$dir/$1" "${@:3}" >>"$dir/$2.log" 2>&1 </dev/null &
    daemon=$!
    pids+=("$daemon")
}

end() { # PID
    kill "$1"
    wait "$1" || fail "it ended with exit code $?"
}

# apt-get, for what another network than the machine's own is needed: its packages come from the mirror
apt() { # HOST ARGUMENTS...
    printf '%s# apt-get %s\n' "$1" "${*:2}"
    "${clean[@]}" chroot "$dir/$1" apt-get -y -qq --no-install-recommends -o Dpkg::Use-Pty=0 "${@:2}" >"$dir/last" 2>&1 || {
        cat "$dir/last"
        fail "apt-get ${*:2}"
    }
    grep -E '^(Setting up|Removing|Purging configuration files for|Unpacking) sixtap' "$dir/last" || true
    # systemd's own name for its directory is below /lib, so dpkg does not know ours for shared
    ! grep -v "directory '/usr/lib/systemd/.*not empty" "$dir/last" | grep -iE '^(dpkg: )?(error|warning)|: not found' || fail "apt-get ${*:2} complains"
}

# every file of a machine but what apt keeps for itself
files() { # HOST
    (cd "$dir/$1" && find . -xdev \( -path ./proc -o -path ./dev -o -path ./tmp -o -path ./var/cache -o -path ./var/log \
        -o -path ./var/lib/apt -o -path './var/lib/dpkg/*-old' -o -path ./root/sixtap.deb \) -prune -o -printf '%M %u:%g %p\n') | LC_ALL=C sort -k 3
}

# kernel HOST - links, addresses, routes and packet filter of a machine
kernel() {
    local ns=$tag-$1
    ip -n "$ns" -o link show 2>/dev/null | sed 's/ qlen.*//; s/^[0-9]*: //'
    ip -n "$ns" -o addr show 2>/dev/null | sed 's/ valid_lft.*//; s/^[0-9]*: //'
    ip -n "$ns" -4 route show table all
    ip -n "$ns" -6 route show table all | sed 's/ expires [0-9]*sec//'
    ip -n "$ns" rule show
    ! command -v nft >/dev/null || in_ns "$1" nft list ruleset
}

# ---- the machines ----

build_packages() {
    local v
    version=$(sed -n 's/^project(sixtap VERSION \([0-9.]*\).*/\1/p' CMakeLists.txt)
    newer=$version+next
    for v in "$newer" "$version"; do
        cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSIXTAP_TESTS=OFF -DSIXTAP_VERSION="$v" >"$dir/build.log"
        ninja -C "$build" >"$dir/build.log" || fail "the build"
        (cd "$build" && cpack -B "$dir/$v") >"$dir/build.log" 2>&1 || fail "cpack"
    done
    rm "$dir/build.log"
}

make_base() {
    local base=$build/debian-12
    if [ ! -e "$base.done" ]; then
        echo "making a Debian 12 system in $base"
        rm -rf --one-file-system "$base"
        debootstrap --variant=minbase --include=ca-certificates,systemd,systemd-sysv,iproute2,procps,curl bookworm "$base" \
            "${MIRROR:-$(debian_mirror)}" >"$dir/debootstrap.log" 2>&1 || fail "debootstrap"
        rm "$dir/debootstrap.log"
        touch "$base.done"
    fi
    chroot "$base" apt-get update -qq || fail "no Debian mirror"
    for host in vps home; do
        cp -a "$base" "$dir/$host"
        cp -L /etc/resolv.conf "$dir/$host/etc/resolv.conf"
        mount -t proc proc "$dir/$host/proc"
        mount --bind /dev "$dir/$host/dev"
    done
}

make_network() {
    local host
    for host in internet vps home; do
        ip netns add "$tag-$host"
        # addresses are there at once, and the comparison at the end does not see one come
        in_ns $host sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
        ip -n "$tag-$host" link set lo up
    done
    for host in vps home; do
        ip -n "$tag-$host" link add wan type veth peer name $host netns "$tag-internet"
        ip -n "$tag-$host" link set wan up
        ip -n "$tag-internet" link set $host up
    done
    in_ns internet sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    ip -n "$tag-vps" addr add 198.18.0.1/24 dev wan
    ip -n "$tag-vps" addr add 2001:db8:0:1::2/64 dev wan nodad
    ip -n "$tag-internet" addr add 198.18.0.254/24 dev vps
    ip -n "$tag-internet" addr add 2001:db8:0:1::1/64 dev vps nodad
    ip -n "$tag-vps" route add default via 198.18.0.254
    ip -n "$tag-vps" -6 route add default via 2001:db8:0:1::1
    ip -n "$tag-internet" -6 route add $prefix/64 via 2001:db8:0:1::2
    ip -n "$tag-home" addr add 198.18.1.2/24 dev wan
    ip -n "$tag-internet" addr add 198.18.1.1/24 dev home
    ip -n "$tag-home" route add default via 198.18.1.1
    ip -n "$tag-internet" addr add $web/128 dev lo nodad
    in_ns internet python3 conf/demo_page.py $web >"$dir/web.log" 2>&1 </dev/null &
    pids+=($!)
    wait_for 10 in_ns internet curl -gsS --max-time 2 "http://[$web]/" || fail "the web server does not start"
}

# ---- the way of an operator ----

install_it() { # HOST VERSION
    cp "$dir/$2"/sixtap_*.deb "$dir/$1/root/sixtap.deb"
    apt "$1" install /root/sixtap.deb
}

page_arrives() {
    run home "curl -sS --max-time 5 http://[$web]/"
    said "Hello $address, this page came to you over IPv6"
}

is_up() { on home sixtap-client status >"$dir/status" 2>/dev/null && grep -qx 'state *up' "$dir/status" && grep -qx 'carrier *true' "$dir/status"; }
start_router() {
    daemon vps router sixtap-router run
    router=$daemon
    wait_for 15 on vps sixtap-router status || fail "the router does not start"
}
start_client() {
    daemon home client sixtap-client run
    client=$daemon
    wait_for 20 is_up || fail "the client does not log in"
}

units() { # what systemd thinks of them; the machines have no systemd running
    local unit
    for unit in sixtap-router.service sixtap-client@home.service; do
        on vps systemd-analyze verify --man=no "/lib/systemd/system/$unit" >"$dir/last" 2>&1 || fail "systemd-analyze verify: $(cat "$dir/last")"
        ! grep -q sixtap "$dir/last" || fail "systemd-analyze verify: $(cat "$dir/last")"
        # exposure, in tenths
        on vps systemd-analyze security --offline=true --threshold=35 --no-pager "/lib/systemd/system/$unit" >"$dir/last" 2>&1 ||
            fail "systemd-analyze security: $(tail -n 1 "$dir/last")"
        rm -f "$dir/vps/run/systemd/systemd-units-load" # its own
    done
}

main() {
    local host address
    [ "$(id -u)" = 0 ] || cannot "needs root: sudo tests/package.sh"
    if [ -z "${SIXTAP_OWN_MOUNTS:-}" ]; then exec env SIXTAP_OWN_MOUNTS=1 unshare --mount --propagation private "$0" "$@"; fi
    install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_PACKAGE[@]}" || cannot "packages are missing"
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
    for host in vps home; do
        files $host >"$dir/$host.before"
        kernel $host >"$dir/$host.kernel"
    done

    title "1. Install, on both machines"
    for host in vps home; do install_it $host "$version"; done
    run vps "sixtap-router --version"
    said "sixtap-router $version"
    [ "$(stat -c %a "$dir/vps/etc/sixtap")" = 750 ] || fail "/etc/sixtap is open"
    units

    title "2. The router: init"
    run vps "sixtap-router init --prefix $prefix/64"
    said "/etc/sixtap/router.yaml"
    run vps "sysctl -qw net.ipv6.conf.all.forwarding=1"
    run vps "sixtap-router check"
    start_router

    title "3. The client: invite, up, a page over IPv6"
    run vps "(umask 077; sixtap-router invite alice > alice.yaml)"
    [ "$(stat -c %a "$dir/vps/alice.yaml")" = 600 ] || fail "others can read the client's key"
    if on home curl -gsS --max-time 2 "http://[$web]/" >"$dir/last" 2>&1; then fail "home has IPv6 before there is a tunnel"; fi
    echo "(alice.yaml goes to the other machine)"
    mv "$dir/vps/alice.yaml" "$dir/home/alice.yaml"
    run home "install -m 600 alice.yaml /etc/sixtap/client.yaml; rm alice.yaml"
    start_client
    run home "sixtap-client status | grep -E '^(state|router|endpoint_seen|addresses|mtu) '"
    address=$(awk '$1 == "addresses" { print $2 }' "$dir/status")
    page_arrives
    on home ip -6 route show dev tap6 >"$dir/routes"

    title "4. Upgrade, while both run"
    (cd "$dir" && sha256sum vps/etc/sixtap/router.yaml vps/etc/sixtap/router.key vps/etc/sixtap/clients.d/* home/etc/sixtap/* >kept)
    for host in vps home; do install_it $host "$newer"; done
    run vps "sixtap-router --version"
    said "sixtap-router $newer"
    page_arrives
    end "$router"
    start_router
    end "$client"
    start_client
    run home "sixtap-client status | grep -E '^(version|state|addresses) '"
    said "^version  *${newer/+/[+]}"
    grep -q "addresses *$address" "$dir/status" || fail "the client has another address"
    page_arrives
    (cd "$dir" && sha256sum --quiet -c kept) || fail "the upgrade changed the configuration"

    title "5. Removal"
    end "$client"
    end "$router"
    in_ns vps sysctl -qw net.ipv6.conf.all.forwarding=0
    for host in vps home; do
        wait_for 5 same_kernel $host || fail "the kernel of $host keeps: $(kernel $host | diff "$dir/$host.kernel" -)"
        apt $host remove --autoremove sixtap
        { files $host | diff "$dir/$host.before" - || true; } | sed -n 's/^> //p' >"$dir/left"
        echo "(left: $(awk '{ print substr($3, 2) }' "$dir/left" | grep -v '^/var/lib/dpkg/' | paste -sd' '))"
        ! grep -vE ' \./(etc/sixtap(/.*)?|etc/iproute2/rt_protos.d/sixtap.conf|var/lib/dpkg/info/sixtap.(list|postrm))$' \
            "$dir/left" || fail "that is left"
        apt $host purge sixtap
        rm "$dir/$host/root/sixtap.deb"
        files $host | diff "$dir/$host.before" - || fail "that is left of the package"
        echo "(left: nothing)"
    done
    printf '\npackage: all ok, %s\n' "$(dpkg-deb -f "$dir/$version"/sixtap_*.deb Depends | tr ',' '\n' | wc -l) dependencies, all of Debian 12"
}

same_kernel() { kernel "$1" | diff -q "$dir/$1.kernel" -; }

main "$@"
