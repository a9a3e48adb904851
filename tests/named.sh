#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# named.sh - every test that README.md's table of hostile inputs names is there, and no row is missing
set -u
cd "$(dirname "$0")" || exit 1
bad=0
say() { echo "named: $*"; bad=1; }

for n in $(seq 1 102); do
    row=$(grep -E "^\| H$n \|" README.md) || { say "no row H$n"; continue; }
    for ref in $(printf '%s\n' "${row##*| }" "$(echo "$row" | awk -F' [|] ' '{print $4}')" | grep -oE '`[^`]+`' | tr -d '`' | sort -u); do
        file=${ref%%:*} name=${ref#*:}
        [ -s "$file" ] || { say "H$n: no $file"; continue; }
        [ "$name" != "$file" ] || name="H$n"
        grep -qE "(^|[^A-Za-z0-9_])$name([^A-Za-z0-9_]|\$)" "$file" || say "H$n: no $name in $file"
    done
done
exit $bad
