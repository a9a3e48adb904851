#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh - SixTap and its peers side by side on this machine (Debian 12), in one interleaved run
#
#   sudo tests/bench/run.sh                  every system, 3 rounds: about 30 minutes
#   sudo tests/bench/run.sh --quick          four systems, one short round: about 2 minutes, to see that all works
#   sudo tests/bench/run.sh --wire           MTU-sized packets on the underlay instead of 64 KiB ones
#   sudo tests/bench/run.sh --payload GB     instead: every octet of GB checked for order and content
#   sudo tests/bench/run.sh --all            the run, the --wire run and 10 GB of payload and a profile of
#                                            the hub, all of it into RESULTS.md: about an hour
#
#   --rounds N      default 3                        --publish      the tables into RESULTS.md, short one into README.md
#   --measure STEP  only rtt_idle, tcp1, tcp4, udp64, udp1300 or rtt_load
#   --drivers LIST  names with commas; bench.py --list has all
#   --out PREFIX    default BUILD/bench-result, with --wire BUILD/bench-wire; writes PREFIX.json, .md and .svg
#
# Installs what is missing, builds Release. Environment: BUILD=DIR (default build-bench), SIXTAP_NO_INSTALL=1.
# Leave the machine alone while it runs: every figure shares its CPUs.
set -euo pipefail
cd "$(dirname "$0")/../.."
here=$PWD
# shellcheck source=tests/packages.sh
. tests/packages.sh

usage() {
    sed -n '3,19s/^# \{0,1\}//p' tests/bench/run.sh
    exit "${1:-64}"
}

SYSTEMS=plain,vxlan,bare,bare-null,wireguard-go,wireguard-go-2022,nebula,quicktun-raw,fastd-null,fastd-aes128
SYSTEMS+=,fastd-poly1305,openvpn-aes256gcm,tinc,n2n1-twofish,vtun,sixtap,sixtap-realtime,sixtap-libsodium
WIRE_SYSTEMS=plain,vxlan,bare,bare-null,wireguard-go,nebula,quicktun-raw,fastd-null,openvpn-aes256gcm
WIRE_SYSTEMS+=,sixtap,sixtap-realtime,sixtap-libsodium
drivers='' rounds=3 wire='' publish='' payload='' all='' out=''
more=()
while [ $# -gt 0 ]; do
    case $1 in
    --quick)
        drivers=${drivers:-vxlan,wireguard-go,fastd-null,sixtap} rounds=1
        more+=(--seconds 2 --udp-seconds 0.5 --udp-trials 4)
        ;;
    --wire) wire=--wire ;;
    --publish) publish=1 ;;
    --all) all=1 publish=1 ;;
    --rounds) rounds=${2:?} && shift ;;
    --drivers) drivers=${2:?} && shift ;;
    --measure) more+=(--measure "${2:?}") && shift ;;
    --payload) payload=${2:?} && shift ;;
    --out) out=${2:?} && shift ;;
    -h | --help) usage 0 ;;
    *) usage ;;
    esac
    shift
done
if [ "$(id -u)" != 0 ]; then
    echo "run.sh: needs root: it makes network namespaces and devices (sudo tests/bench/run.sh)" >&2
    exit 77
fi

install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_BENCH[@]}"
export SIXTAP_BUILD=${BUILD:-$here/build-bench}
export BENCH_PEERS=${BENCH_PEERS:-$SIXTAP_BUILD/peers}
cmake -S . -B "$SIXTAP_BUILD" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSIXTAP_TESTS=OFF >/dev/null
ninja -C "$SIXTAP_BUILD" all bare
if [ -z "${SIXTAP_NO_INSTALL:-}" ]; then
    tests/bench/peers.sh "$BENCH_PEERS" || echo "run.sh: no new wireguard-go; its driver will report that" >&2
fi
cd tests/bench
export PYTHONDONTWRITEBYTECODE=1

# bench PREFIX SYSTEMS SECTION [OPTION...]
bench() {
    local prefix=$1 systems=$2 section=$3
    shift 3
    # shellcheck disable=SC2086
    /usr/bin/python3 bench.py --rounds "$rounds" --out "$prefix" "$@" "${more[@]}" ${systems//,/ }
    /usr/bin/python3 plot.py "$prefix.json" "$prefix.svg"
    /usr/bin/python3 report.py "$prefix.json"
    if [ -n "$publish" ]; then
        /usr/bin/python3 report.py --publish "$section" "$prefix.json" RESULTS.md
        if [ "$section" = main ]; then
            /usr/bin/python3 report.py --publish short "$prefix.json" "$here/README.md"
            cp "$prefix.svg" results.svg
        fi
    fi
    echo "every figure: $prefix.md, $prefix.json; plot: $prefix.svg"
}

# check_payload GB
check_payload() {
    local args=(--gb "$1" --json "$SIXTAP_BUILD/bench-payload.json")
    [ -n "$publish" ] && args+=(--publish RESULTS.md)
    # shellcheck disable=SC2086
    /usr/bin/python3 payload_check.py $wire "${args[@]}"
}

# profile: where the hub's time goes
profile() {
    if ! command -v perf >/dev/null || ! command -v strace >/dev/null; then
        echo "run.sh: no profile of the hub: needs perf and strace (apt-get install linux-perf strace)" >&2
        return
    fi
    /usr/bin/python3 profile_hub.py sixtap | tee "$SIXTAP_BUILD/bench-profile.txt"
    /usr/bin/python3 report.py --publish profile "$SIXTAP_BUILD/bench-profile.txt" RESULTS.md
}

if [ -n "$all" ]; then
    bench "${out:-$SIXTAP_BUILD/bench-result}" "${drivers:-$SYSTEMS}" main
    bench "${out:-$SIXTAP_BUILD/bench}-wire" "${drivers:-$WIRE_SYSTEMS}" wire --wire
    check_payload "${payload:-10}"
    profile
elif [ -n "$payload" ]; then
    check_payload "$payload"
elif [ -n "$wire" ]; then
    bench "${out:-$SIXTAP_BUILD/bench-wire}" "${drivers:-$WIRE_SYSTEMS}" wire --wire
else
    bench "${out:-$SIXTAP_BUILD/bench-result}" "${drivers:-$SYSTEMS}" main
fi
