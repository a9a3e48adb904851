#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# peers.sh - fetch into DIR the wireguard-go of Debian 13: Debian 12's has no offloads and is no fair rival
#
#   tests/bench/peers.sh DIR      writes DIR/wireguard-go-new; leaves the system's apt as it is
set -euo pipefail
dir=$(mkdir -p "${1:?usage: peers.sh DIR}" && cd "$1" && pwd)
[ -x "$dir/wireguard-go-new" ] && exit 0

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
mkdir -p lists/partial cache/archives/partial
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://deb.debian.org/debian trixie main" >sources.list
apt=(apt-get -qq -o Dir::Etc::sourcelist="$work/sources.list" -o Dir::Etc::sourceparts=/dev/null
    -o Dir::State::Lists="$work/lists" -o Dir::Cache="$work/cache" -o APT::Sandbox::User=root)
"${apt[@]}" update
"${apt[@]}" download wireguard-go
dpkg-deb -x wireguard-go_*.deb root
dpkg-deb -f wireguard-go_*.deb Version >"$dir/wireguard-go-new.version"
install -m 755 root/usr/bin/wireguard-go "$dir/wireguard-go-new"
