#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# layers.sh BUILD - who may know whom: includes, and what the pure libraries ask of the system
#
# proto knows nobody; proto/host nobody of ours but plain types; router and client never each other; the engines
# and proto neither allocate nor read a clock, a descriptor or randomness.
set -u
cd "$(dirname "$0")/.."
build=$1
bad=0

# forbid TEXT PATTERN FILE... - no file may have a line that matches
forbid() {
    local text=$1 pattern=$2
    shift 2
    if grep -nE "$pattern" "$@"; then
        echo "layers: $text"
        bad=1
    fi
}

# undefined LIBRARY MEMBERS FORBIDDEN - the objects of a static library that match must not ask for these symbols
undefined() {
    local lib=$1 members=$2 symbols=$3 found
    found=$(nm -A -u "$build/$lib" | grep -E ":($members)\.c\.o:" | grep -E " U ($symbols)$" | grep -v __asan)
    if [ -n "$found" ]; then
        echo "$found"
        echo "layers: $lib ($members) must not need these"
        bad=1
    fi
}

[ -s "$build/libproto.a" ] || { echo "layers: no $build/libproto.a"; exit 1; }
nm -A -u "$build/libproto.a" | grep -q crypto_scalarmult || { echo "layers: nm shows nothing"; exit 1; }

forbid "proto includes host, router or client" '#include "(proto/host|router|client)/' proto/*.[ch]
forbid "host includes router or client" '#include "(router|client)/' proto/host/*.[ch]
forbid "router includes client" '#include "client/' router/*.[ch]
forbid "client includes router" '#include "router/' client/*.[ch]
forbid "proto includes a header of the operating system" '#include <(ev|sys/|unistd|fcntl|time|net/|linux/)' proto/*.[ch]
# The wall clock may be wrong and may jump (H80); time stamps of the log are the reader's.
forbid "the wall clock is read" 'CLOCK_(REALTIME|TAI)|\b(gettimeofday|time|localtime(_r)?|gmtime(_r)?|strftime|mktime)\(' \
    $(grep -L 'SCMP_SYS' proto/*.[ch] proto/host/*.[ch] router/*.[ch] client/*.[ch])

system='malloc|calloc|realloc|free|aligned_alloc|socket|sendmsg|recvmsg|sendmmsg|recvmmsg|open|open64|read|write'
system+='|clock_gettime|time|gettimeofday|getrandom|rand|random|randombytes_[a-z]+|v?f?printf|ev_[a-z_]+|log_line'
undefined libproto.a '.*' "$system"
undefined librouter_core.a 'admit|adverts|bindings|cast|control|engine|forward|groups|inner|members|neighbor|ratelimit|seen|shun|txq' "$system"
undefined libclient_core.a 'alive|engine|event|login|member|pmtu|receive|traffic|tunnel' "$system"
exit $bad
