#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# valgrind.sh - the unit tests and the fuzz corpora under memcheck, which sees what ASan does not: octets never written
#
#   sudo tests/valgrind.sh             all tests that need no namespaces of many hosts (ctest label unit); takes long
#   sudo tests/valgrind.sh -R proto/   arguments go to ctest, to choose
#
# A Debug build without sanitizers, in its own folder. Prints a line per test and what memcheck said of those that fail;
# ends with 1 when there is an error or a definite leak. SIXTAP_CRYPTO=libsodium: valgrind knows no AVX-512. Not
# host/test_seccomp, since valgrind knows no seccomp(2), nor host/test_nft and client/test_firewall: libnftables fails
# under it (EIO). What valgrind.supp names is said of libraries.
# Long random runs of the router's tests are cut to SIXTAP_ROUNDS (10) per cent, those of sim/ to SIM_SEEDS (1).
# Environment: BUILD=DIR (default build-valgrind), JOBS=N (default: CPUs), SECONDS_EACH=N (default 1800),
# WRAP=COMMAND that each is run by, "nice -19" say.
set -euo pipefail
cd "$(dirname "$0")/.."
. tests/packages.sh
install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_TEST[@]}" valgrind
build=${BUILD:-$PWD/build-valgrind}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DCMAKE_C_COMPILER=gcc >/dev/null
ninja -C "$build" >"$build/ninja.log" 2>&1 || { tail -40 "$build/ninja.log"; exit 1; }
logs=$build/valgrind
rm -rf "$logs"
mkdir -p "$logs"

# NAME, then the command, by tabs; scripts run other programs than ours
list() {
    (cd "$build" && ctest --show-only=json-v1 -L unit "$@") | python3 -c '
import json, sys
skipped = ("host/test_seccomp", "host/test_nft", "client/test_firewall")
for t in json.load(sys.stdin)["tests"]:
    if not t["command"][0].endswith((".sh", "/python3")) and t["name"] not in skipped:
        print("\t".join([t["name"]] + t["command"]))'
}

run_one() { # a line of list()
    local name rc=0 start=$SECONDS cmd
    IFS=$'\t' read -r -a cmd <<<"$1"
    name=${cmd[0]}
    local log=$logs/${name//\//-}
    # shellcheck disable=SC2086
    ${WRAP:-} timeout "${SECONDS_EACH:-1800}" valgrind -q --suppressions="$PWD/tests/valgrind.supp" \
        --error-exitcode=99 --leak-check=full --show-leak-kinds=definite \
        --errors-for-leak-kinds=definite --track-origins=yes --num-callers=20 --log-file="$log.memcheck" \
        "${cmd[@]:1}" >"$log.out" 2>&1 </dev/null || rc=$?
    local said="ok"
    case $rc in
    0) ;;
    77) said="skipped" ;;
    99) said="MEMCHECK" ;;
    124) said="TIME" ;;
    *) said="FAILED, code $rc" ;;
    esac
    [ $rc = 0 ] && [ -s "$log.memcheck" ] && grep -q '^==.*[A-Z]' "$log.memcheck" && said="ok, with remarks"
    printf '%-36s %6d s   %s\n' "$name" $((SECONDS - start)) "$said"
    [ $rc = 0 ] || [ $rc = 77 ]
}

export -f run_one
export logs SIXTAP_CRYPTO=libsodium SIM_SEEDS=${SIM_SEEDS:-1} SIXTAP_ROUNDS=${SIXTAP_ROUNDS:-10} SIXTAP_PATIENCE=${SIXTAP_PATIENCE:-120}
status=0
list "$@" | xargs -d '\n' -P "${JOBS:-$(nproc)}" -I{} bash -c 'run_one "$1"' _ {} || status=1
for log in "$logs"/*.memcheck; do
    [ -s "$log" ] || continue
    echo "== $(basename "$log" .memcheck)"
    head -60 "$log"
done
echo "valgrind: $(ls "$logs"/*.memcheck | wc -l) programs, $(find "$logs" -name '*.memcheck' -size +0 | wc -l) with something to say"
exit $status
