#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# conformance.sh - is the conformance table of README.md true to the tests?
#
# Every rule R1..R75 has one row, with a state; one that is done or deviates names a test, and every test named is
# there and, at the line that defines it, names the rule.
set -u
cd "$(dirname "$0")/.."
readme=${1:-README.md}
bad=0
complain() { echo "conformance: $*"; bad=1; }

# Where the function is defined, or nothing: definition FILE FUNCTION
definition() {
    case $1 in
    netns/*) grep -E "^def $2\(" "tests/$1.py" ;;
    *) grep -E "^static void $2\(void \*\*state\)" "tests/$1.c" ;;
    esac 2>/dev/null
}

for ((i = 1; i <= 75; i++)); do
    id=R$i
    rows=$(grep -cE "^\| $id \|" "$readme")
    [ "$rows" = 1 ] || { complain "$id has $rows rows"; continue; }
    row=$(grep -E "^\| $id \|" "$readme")
    IFS='|' read -r _ _ rfc state tests _ <<<"$row"
    [[ $rfc =~ [0-9]{4} ]] || complain "$id names no RFC"
    [[ $state =~ (done|deviation|not\ applicable) ]] || complain "$id has no state"
    names=$(grep -oE '`[^`]+`' <<<"$tests" | tr -d '`')
    [[ -n $names || $state =~ not\ applicable ]] || complain "$id names no test"
    for name in $names; do
        line=$(definition "${name%%:*}" "${name##*:}")
        if [ -z "$line" ]; then
            complain "$id: no test $name"
        elif ! grep -qE "(^|[^A-Z0-9])$id([^0-9]|$)" <<<"$line"; then
            complain "$id: $name does not name it: $line"
        fi
    done
done
exit $bad
