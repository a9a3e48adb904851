#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# package_files.sh - cpack makes a .deb of this build; it holds what package.list says, no more and no less, with those modes
#
#   tests/package_files.sh BUILD          exit 1: it does not; 77: no dpkg-dev or file here
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
build=${1:?usage: package_files.sh BUILD}
for tool in cpack dpkg-deb dpkg-shlibdeps file; do
    command -v $tool >/dev/null || { echo "no $tool here" && exit 77; }
done
dir=$(mktemp -d)
trap 'rm -rf "$dir"' EXIT
cd "$build"
# a build with sanitizers is large: neither squeezed nor squeezed for time
cpack -G DEB -B "$dir" -D CPACK_DEBIAN_COMPRESSION_TYPE=none >"$dir/log" 2>&1 || { cat "$dir/log" && exit 1; }
deb=$(echo "$dir"/sixtap_*.deb)

dpkg-deb -c "$deb" | awk '{ print $1, $2, substr($6, 2) }' | LC_ALL=C sort -k 3 >"$dir/files"
grep -v '^#' "$here/package.list" | LC_ALL=C sort -k 3 | diff - "$dir/files" || {
    echo "the package holds other files than tests/package.list says (<: said, >: held)"
    exit 1
}
dpkg-deb -e "$deb" "$dir/control"
for script in postinst prerm postrm; do
    [ -x "$dir/control/$script" ] || { echo "no $script" && exit 1; }
    sh -n "$dir/control/$script"
done
for library in libc6 libev4 libsodium23 libyaml-0-2 libmnl0 libseccomp2 libcap-ng0 libjson-c5; do
    grep -q "^Depends:.*\b$library\b" "$dir/control/control" || { echo "does not depend on $library" && exit 1; }
done
[ "$(dpkg-deb -f "$deb" Package)" = sixtap ]
# every file of /etc is the operator's to change
diff <(awk '$1 ~ /^-/ && $3 ~ /^\/etc\// { print $3 }' "$dir/files") "$dir/control/conffiles"
