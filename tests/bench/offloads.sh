#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# offloads.sh - the tests in network namespaces with offloads off: what a host without them would see
#
#   sudo tests/bench/offloads.sh                   every mode, test_ping and test_nat
#   sudo tests/bench/offloads.sh MODE [TEST...]    one mode, these of tests/netns (without .py)
#   tests/bench/offloads.sh --modes                their names (ctest makes a case of each: ctest -L offload)
#
# Environment: SIXTAP_BUILD=DIR build folder (default build-test). Exit 77: this build does not know a switch.
set -euo pipefail
tests=$(cd "$(dirname "$0")/.." && pwd)

declare -A MODES=(
    [no-udp]="SIXTAP_UDP_OFFLOAD=off"
    [gro-only]="SIXTAP_UDP_OFFLOAD=gro"
    [gso-only]="SIXTAP_UDP_OFFLOAD=gso"
    [no-tap]="SIXTAP_TAP_OFFLOAD=off"
    [libsodium]="SIXTAP_CRYPTO=libsodium"
    [none]="SIXTAP_UDP_OFFLOAD=off SIXTAP_TAP_OFFLOAD=off SIXTAP_CRYPTO=libsodium"
)
ORDER=(no-udp gro-only gso-only no-tap libsodium none)

# run MODE TEST...: pytest under the switches of MODE; a switch that the daemons would ignore proves nothing
run() {
    local mode=$1 build=${SIXTAP_BUILD:-$tests/../build-test} switches pair
    shift
    read -ra switches <<<"${MODES[$mode]}"
    for pair in "${switches[@]}"; do
        if ! grep -qa "${pair%%=*}" "$build/sixtap-router" "$build/sixtap-client"; then
            echo "offloads.sh: $mode: the daemons in $build do not know ${pair%%=*}"
            return 77
        fi
    done
    env "${switches[@]}" SIXTAP_BUILD="$build" PYTHONDONTWRITEBYTECODE=1 \
        /usr/bin/python3 -m pytest -q -p no:cacheprovider "${@/#/$tests/netns/}"
}

case ${1:-} in
--modes) printf '%s\n' "${ORDER[@]}" ;;
'')
    for mode in "${ORDER[@]}"; do
        echo "== $mode: ${MODES[$mode]}"
        run "$mode" test_ping.py test_nat.py
    done
    ;;
*)
    [ -n "${MODES[$1]:-}" ] || { echo "offloads.sh: no mode $1; there are ${ORDER[*]}" >&2 && exit 64; }
    mode=$1
    shift
    names=("${@:-test_ping}")
    run "$mode" "${names[@]/%/.py}"
    ;;
esac
