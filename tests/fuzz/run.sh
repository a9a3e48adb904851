#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh - build the fuzz targets with libFuzzer and run them
#
#   tests/fuzz/run.sh [SECONDS] [NAME...]   each NAME (default: all) for SECONDS (default 30), as many at a time as there
#                                           are CPUs; prints a table; ends with 1 when a target crashed
#   tests/fuzz/run.sh --merge [NAME...]     what was found that reaches more goes into corpus/, which is made small again
#   tests/fuzz/run.sh --coverage NAME...    which functions of the tree a corpus reaches (llvm-cov), to stdout
#
# FUZZ_SEED=N (default: another one each time) makes a run on an empty $FUZZ_WORK repeatable.
# Inputs found, crashes and logs lie in $FUZZ_WORK (default build-fuzz/work), so that hours add up over many calls.
set -euo pipefail
cd "$(dirname "$0")/../.."
. tests/packages.sh
install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_FUZZ[@]}"
build=${BUILD:-$PWD/build-fuzz}
work=${FUZZ_WORK:-$build/work}
corpus=$PWD/tests/fuzz/corpus
max_files=800
clang=$(command -v clang-14 || command -v clang)
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}

build_all() { # FLAGS... - cmake and ninja
    cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSIXTAP_FUZZ=ON -DCMAKE_C_COMPILER="$clang" "$@" >/dev/null
    ninja -C "$build" >"$build/ninja.log" 2>&1 || { tail -40 "$build/ninja.log"; return 1; }
}

targets() { # NAME... - those, or all
    if [ $# -gt 0 ]; then
        printf '%s\n' "$@"
    else
        for t in "$build"/tests/fuzz/fuzz_*; do
            [ -f "$t" ] && [ -x "$t" ] && basename "$t" | sed 's/^fuzz_//'
        done
    fi
}

run_one() { # NAME SECONDS - a line of the table; the log keeps the rest
    local name=$1 seconds=$2 rc=0
    mkdir -p "$work/found/$name" "$work/crash" "$work/log"
    nice "$build/tests/fuzz/fuzz_$name" -seed="${FUZZ_SEED:-0}" -max_total_time="$seconds" -max_len=4096 -timeout=20 -rss_limit_mb=2048 \
        -print_final_stats=1 -artifact_prefix="$work/crash/$name-" "$work/found/$name" "$corpus/$name" \
        >"$work/log/$name" 2>&1 || rc=$?
    local log=$work/log/$name
    printf '%-16s %12s %10s %8s %8s   %s\n' "$name" \
        "$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")" \
        "$(sed -n 's/^stat::average_exec_per_sec: *//p' "$log")" \
        "$(grep -o 'cov: [0-9]*' "$log" | tail -1 | cut -c6-)" \
        "$(sed -n 's/^stat::peak_rss_mb: *//p' "$log")" \
        "$([ $rc = 0 ] && echo ok || echo "CRASH, code $rc")"
    return $rc
}

search() { # SECONDS NAME...
    local seconds=$1 rc=0
    shift
    printf '%-16s %12s %10s %8s %8s\n' target executions per-s edges MB
    export -f run_one
    export work build corpus
    targets "$@" | xargs -P "${JOBS:-$(nproc)}" -I{} bash -c "run_one {} $seconds" || rc=1
    for crash in "$work"/crash/*; do
        [ -f "$crash" ] || continue
        echo "reproduce: build-fuzz/tests/fuzz/fuzz_$(basename "$crash" | sed 's/-.*//') FILE, with FILE made by:"
        echo "  base64 -d >FILE <<END"
        base64 "$crash"
        echo END
        grep -m 12 -E 'does not hold|error:|SUMMARY|^ +#[0-9]+ .*/(proto|router|client|tests)/' \
            "$work/log/$(basename "$crash" | sed 's/-.*//')" || true
        rc=1
    done
    return $rc
}

merge() { # NAME... - the smallest set of inputs that reaches all edges; seeds and regressions stay
    local name keep
    python3 tests/fuzz/seeds.py "$work/seeds"
    for name in $(targets "$@"); do
        keep=$(mktemp -d)
        mkdir -p "$work/found/$name" "$corpus/$name" "$work/seeds/$name"
        "$build/tests/fuzz/fuzz_$name" -merge=1 -max_len=4096 "$keep" "$corpus/$name" "$work/seeds/$name" \
            "$work/found/$name" 2>"$work/merge.log" || { cat "$work/merge.log"; return 1; }
        for old in "$corpus/$name"/bug-*; do
            [ -f "$old" ] && cp "$old" "$keep"
        done
        # a bound that should not be met: the smallest come first, and what would go are the larger packets, all of a kind
        find "$keep" -type f ! -name 'bug-*' -printf '%s %p\n' | sort -n | tail -n +$((max_files + 1)) | cut -d' ' -f2- |
            xargs -r rm
        rm -rf "${corpus:?}/$name"
        mv "$keep" "$corpus/$name"
        chmod 755 "$corpus/$name"
        echo "$name: $(find "$corpus/$name" -type f | wc -l) inputs, $(du -sb "$corpus/$name" | cut -f1) octets"
    done
}

coverage() { # NAME... - one report over the corpora of all of them
    local name objects=() first=
    build=$build-cov
    build_all -DCMAKE_C_FLAGS="-fprofile-instr-generate -fcoverage-mapping"
    mkdir -p "$work"
    rm -f "$work"/*.profraw
    for name in $(targets "$@"); do
        LLVM_PROFILE_FILE=$work/$name.profraw "$build/tests/fuzz/fuzz_$name" -runs=0 "$corpus/$name" 2>/dev/null
        if [ -z "$first" ]; then first=$build/tests/fuzz/fuzz_$name; else objects+=(-object "$build/tests/fuzz/fuzz_$name"); fi
    done
    llvm-profdata-14 merge -o "$work/all.profdata" "$work"/*.profraw
    llvm-cov-14 report "$first" "${objects[@]}" -instr-profile="$work/all.profdata" \
        -ignore-filename-regex='/tests/' | sed -E 's/ +/ /g' | cut -d' ' -f1,5-7,8-10 | column -t
}

case ${1:-30} in
--merge)
    shift
    build_all
    merge "$@"
    ;;
--coverage)
    shift
    coverage "$@"
    ;;
*)
    seconds=${1:-30}
    shift || true
    build_all
    search "$seconds" "$@"
    ;;
esac
