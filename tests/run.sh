#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# run.sh - install what is missing (Debian 12), build with gcc in Debug under ASan and UBSan, run every test
#
#   sudo tests/run.sh            all tests
#   sudo tests/run.sh -R netns   arguments go to ctest
#
# Environment: BUILD=DIR build folder (default build-test), SIXTAP_NO_INSTALL=1 do not install packages.
set -euo pipefail
cd "$(dirname "$0")/.."
here=$PWD
# shellcheck source=tests/packages.sh
. tests/packages.sh

if [ "$(id -u)" != 0 ]; then
    echo "run.sh: needs root: the tests make network namespaces and devices (sudo tests/run.sh)" >&2
    exit 77
fi
install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_TEST[@]}"

build=${BUILD:-$here/build-test}
cmake -S . -B "$build" -G Ninja -DCMAKE_BUILD_TYPE=Debug -DSIXTAP_SANITIZE=ON -DCMAKE_C_COMPILER=gcc >/dev/null
ninja -C "$build"
cd "$build"
export ASAN_OPTIONS=${ASAN_OPTIONS:-detect_leaks=1:abort_on_error=0}
export UBSAN_OPTIONS=${UBSAN_OPTIONS:-print_stacktrace=1}
exec ctest --output-on-failure --no-tests=error -j "$(nproc)" "$@"
