#!/usr/bin/env bash
# SPDX-License-Identifier: MIT
# demo.sh - build SixTap and show what it does, in network namespaces of this host
#
#   sudo conf/demo.sh          install what is missing (Debian 12), build Release, show, clean up
#   sudo conf/demo.sh --keep   the same, and leave it running to play with until Enter or Ctrl-C
#
# Environment: BUILD=DIR build folder (default build-demo), SIXTAP_NO_INSTALL=1 do not install packages.
# Exit code: 0 every step ok; 1 a step failed (its logs are printed); 64 wrong usage; 77 cannot run here.
#
# Nothing touches the host's own network: all links live in namespaces named demo-PID-..., which are
# removed at the end, whatever the end is.
set -euo pipefail
cd "$(dirname "$0")/.."
# shellcheck source=tests/packages.sh
. tests/packages.sh

tag=demo-$$
hosts=(inet router alice dave home bob carol phone vps erin)
router_ip=198.18.0.1
prefix=2001:db8:1::
lan=2001:db8:2::
onlink=2001:db8:5::
web=2001:db8:f00d::80
port=4000
pids=()
dir=
steps=(network router log_ins macs addresses clients uplink page lan collision status ndproxy)

# ---- small tools ----

cannot() { # MESSAGE - this host cannot run the demo
    echo "demo.sh: $*" >&2
    exit 77
}

fail() { # MESSAGE - a step failed: say so, with the logs
    local log
    printf '\n   FAILED: %s\n' "$*"
    for log in "$dir"/*.log; do
        [ -s "$log" ] && printf '\n--- the end of %s\n' "$(basename "$log")" && tail -n 25 "$log"
    done
    printf '\ndemo: %d of %d steps ok\n' "$done_steps" "${#steps[@]}"
    exit 1
}

title() { printf '\n%2d. %s\n\n' $((done_steps + 1)) "$*"; }
say() { printf '   %s\n' "$@"; }
indent() { sed 's/^/   /'; }
in_ns() { ip netns exec "$tag-$1" "${@:2}"; } # HOST COMMAND...

# run HOST COMMAND... - show it, then its output; its exit code
run() {
    say "$1\$ ${*:2}"
    in_ns "$@" 2>&1 | indent
}

# wait_for SECONDS COMMAND... - until COMMAND succeeds; false after that time
wait_for() {
    local end=$((${EPOCHREALTIME/[.,]/} + $1 * 1000000))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "${EPOCHREALTIME/[.,]/}" -lt "$end" ] || return 1
        sleep 0.02
    done
}

start() { # HOST LOG COMMAND... - in the background; not by in_ns, which would be a shell in between
    ip netns exec "$tag-$1" "${@:3}" >"$dir/$2.log" 2>&1 </dev/null &
    pids+=($!)
}

gone() { # PID...
    local p
    for p in "$@"; do ! kill -0 "$p" 2>/dev/null || return 1; done
}

clean_up() {
    local code=$? h left=
    trap '' INT TERM HUP
    trap - EXIT
    if [ ${#pids[@]} -gt 0 ]; then
        kill "${pids[@]}" 2>/dev/null || true
        wait_for 3 gone "${pids[@]}" || kill -KILL "${pids[@]}" 2>/dev/null || true
        wait "${pids[@]}" 2>/dev/null || true
    fi
    for h in "${hosts[@]}"; do
        [ -e "/run/netns/$tag-$h" ] || continue
        left+=$(ip netns pids "$tag-$h" | sed 's/^/ /' | tr -d '\n')
        ip netns del "$tag-$h" || true
    done
    [ -z "$left" ] || echo "demo.sh: still running in what was a namespace of the demo: process$left" >&2
    [ -z "$dir" ] || rm -rf "$dir"
    exit "$code"
}

# ---- the two programs ----

client() { in_ns "$1" "$bin/sixtap-client" status -c "$dir/$1.yaml"; } # HOST
router() { in_ns router "$bin/sixtap-router" status -c "$dir/router.yaml"; }
vps_router() { in_ns vps "$bin/sixtap-router" status -c "$dir/vps/router.yaml"; }

value() { # HOST KEY - one value of the client's status
    client "$1" | awk -v key="$2" '$1 == key && !n++ { print $2 }'
}

is_up() { # HOST - logged in, with carrier
    local text
    text=$(client "$1") && grep -qx 'state *up' <<<"$text" && grep -qx 'carrier *true' <<<"$text"
}

new_key() { # HOST - makes HOST.key, prints the public key
    "$bin/sixtap-client" keygen >"$dir/$1.key"
    "$bin/sixtap-client" pubkey <"$dir/$1.key"
}

start_client() { # HOST [LINE...] - LINEs are more of its configuration
    cat >"$dir/$1.yaml" <<YAML
router: $router_ip:6464
router_key: $router_key
private_key_file: $1.key
device: tap6
port: $port
YAML
    [ $# = 1 ] || printf '%s\n' "${@:2}" >>"$dir/$1.yaml"
    start "$1" "$1" "$bin/sixtap-client" run -c "$dir/$1.yaml"
}

# ---- address arithmetic, done here once more by hand ----

mac_of() { # ENDPOINT
    local o
    IFS=.: read -ra o <<<"$1"
    printf '%02x:%02x:%02x:%02x:%02x:%02x\n' $((o[0] & 0xfc | 0x02)) "${o[@]:1:3}" $((o[4] >> 8)) $((o[4] & 255))
}

eui64_of() { # MAC - its interface identifier, as in an IPv6 address
    local o
    IFS=: read -ra o <<<"$1"
    printf '%x:%x:%x:%x\n' $(((0x${o[0]} ^ 2) << 8 | 0x${o[1]})) $((0x${o[2]} << 8 | 0xff)) \
        $((0xfe00 | 0x${o[3]})) $((0x${o[4]} << 8 | 0x${o[5]}))
}

plain() { # ADDRESS - in the one form the kernel prints
    python3 -c 'import ipaddress, sys; print(ipaddress.IPv6Address(sys.argv[1]))' "$1"
}

explain_mac() { # HOST ENDPOINT
    local o
    IFS=.: read -ra o <<<"$2"
    say "$1 is seen at $2"
    printf '      %-5s -> 0x%02x & 0xfc | 0x02 = %02x   group bit cleared, local bit set\n' "${o[0]}" "${o[0]}" \
        $((o[0] & 0xfc | 0x02))
    printf '      %-5s -> %02x    %-5s -> %02x    %-5s -> %02x\n' "${o[1]}" "${o[1]}" "${o[2]}" "${o[2]}" "${o[3]}" "${o[3]}"
    printf '      %-5s -> %d * 256 + %d = %02x %02x     the port: high octet, low octet\n' "${o[4]}" $((o[4] >> 8)) \
        $((o[4] & 255)) $((o[4] >> 8)) $((o[4] & 255))
    say "   MAC $(mac_of "$2")"
}

# ---- the steps ----

# link HOST DEVICE OTHER DEVICE - a cable between two namespaces
link() {
    ip -n "$tag-$1" link add "$2" type veth peer name "$4" netns "$tag-$3"
    ip -n "$tag-$1" link set "$2" up
    ip -n "$tag-$3" link set "$4" up
}

address() { # HOST DEVICE ADDRESS...
    local a
    for a in "${@:3}"; do
        case $a in
        *:*) ip -n "$tag-$1" addr add "$a" dev "$2" nodad ;;
        *) ip -n "$tag-$1" addr add "$a" dev "$2" ;;
        esac
    done
}

public_host() { # HOST NETWORK - NETWORK.2 behind the Internet's NETWORK.1
    link "$1" wan inet "$1"
    address "$1" wan "$2.2/24"
    address inet "$1" "$2.1/24"
    ip -n "$tag-$1" route add default via "$2.1"
}

build_network() {
    local h
    for h in "${hosts[@]}"; do
        ip netns add "$tag-$h"
        ip -n "$tag-$h" link set lo up
    done
    in_ns inet sysctl -qw net.ipv4.ip_forward=1 net.ipv6.conf.all.forwarding=1
    in_ns router sysctl -qw net.ipv6.conf.all.forwarding=1
    in_ns vps sysctl -qw net.ipv6.conf.all.forwarding=1
    in_ns home sysctl -qw net.ipv4.ip_forward=1

    link router wan inet router
    address router wan $router_ip/24 2001:db8:0:1::2/64
    address inet router 198.18.0.254/24 2001:db8:0:1::1/64
    ip -n "$tag-router" route add default via 198.18.0.254
    ip -n "$tag-router" route add default via 2001:db8:0:1::1
    ip -n "$tag-inet" route add $prefix/64 via 2001:db8:0:1::2
    ip -n "$tag-inet" route add $lan/64 via 2001:db8:0:1::2
    address inet lo $web/128

    public_host alice 198.18.1
    public_host dave 199.18.1
    public_host home 198.18.2
    public_host erin 198.18.6
    public_host vps 198.18.5
    address vps wan ${onlink}2/64
    address inet vps ${onlink}1/64
    ip -n "$tag-vps" route add default via ${onlink}1
    for h in bob carol; do link "$h" wan home "$h"; done
    in_ns phone sysctl -qw net.ipv6.conf.default.accept_dad=0 # its address is there at once
    link bob eth1 phone eth0
    address home bob 192.168.1.1/25
    address home carol 192.168.1.129/25
    address bob wan 192.168.1.2/25
    address carol wan 192.168.1.130/25
    ip -n "$tag-bob" route add default via 192.168.1.1
    ip -n "$tag-carol" route add default via 192.168.1.129
    in_ns home nft -f - <<'NFT'
table ip nat {
    chain out { type nat hook postrouting priority srcnat; oifname "wan" masquerade; }
}
NFT
}

step_network() {
    title "The network: three hosts with nothing but IPv4, a router, an IPv6 web server"
    cat <<'ART'
                                     internet
                   +------------------------------------------+
                   |  web server http://[2001:db8:f00d::80]/  |
                   +-----+-----------------+------------+-----+
             IPv6 + IPv4 |            IPv4 |            | IPv4
                   +-----+------+    +-----+------+   +-+----------+
                   |   router   |    |   alice    |   |    home    |  NAT: bob and carol
                   | 198.18.0.1 |    | 198.18.1.2 |   | 198.18.2.2 |  share one address
                   +------------+    +------------+   +--+------+--+
     the router holds 2001:db8:1::/64                    |      |
     and shares it with alice, bob and carol          +--+--+ +-+-----+
     through tunnels over IPv4; bob gets              | bob | | carol |
     2001:db8:2::/64 for his LAN                      +--+--+ +-------+
                                                         | LAN
                                                      +--+----+
                                                      | phone |
                                                      +-------+
ART
    say "(three more hang on the internet as alice does and come in later: dave, 199.18.1.2; vps, a second router," \
        "198.18.5.2; and erin, 198.18.6.2)"
    echo
    build_network >"$dir/network.log" 2>&1 || fail "cannot set up the network"
    start inet web python3 conf/demo_page.py $web
    wait_for 10 in_ns inet curl -gsS --max-time 2 "http://[$web]/" || fail "the web server does not start"
    local h
    for h in alice bob carol dave erin; do
        in_ns "$h" ping -n -c 1 -W 2 $router_ip >>"$dir/network.log" 2>&1 || fail "$h cannot reach $router_ip over IPv4"
        if in_ns "$h" ping -n -c 1 -W 1 $web >>"$dir/network.log" 2>&1; then fail "$h has IPv6 before there is a tunnel"; fi
    done
    say "over IPv4 alice, bob and carol reach the router; over IPv6 they reach nothing:"
    run alice curl -gsS --max-time 2 "http://[$web]/" || true
}

step_router() {
    local keys=() h ep=$router_ip:6464
    title "The router starts: one file of YAML, and a key for each client"
    "$bin/sixtap-router" keygen >"$dir/router.key"
    router_key=$("$bin/sixtap-router" pubkey <"$dir/router.key")
    for h in alice bob carol dave; do
        keys+=("  - { name: $h, public_key: $(new_key $h) }")
        [ $h != bob ] || keys[-1]="${keys[-1]% \}}, delegate: [ '$lan/64' ] }"
    done
    {
        echo "listen: $ep"
        echo "private_key_file: router.key"
        echo "prefix: $prefix/64"
        echo "uplink: { mode: routed, device: sixtap0 }"
        echo "clients:"
        printf '%s\n' "${keys[@]}"
    } >"$dir/router.yaml"
    indent <"$dir/router.yaml"
    "$bin/sixtap-router" check -c "$dir/router.yaml" >"$dir/check.log" 2>&1 || fail "sixtap-router check refuses router.yaml"
    start router router "$bin/sixtap-router" run -c "$dir/router.yaml"
    wait_for 10 router || fail "the router does not start"
    echo
    indent <"$dir/router.log"
    grep -q "MAC $(mac_of $ep)" "$dir/router.log" || fail "the router's MAC does not follow from $ep"
}

step_log_ins() {
    local h seen
    title "alice, bob and carol log in, each from its own UDP port $port"
    # bob's hook writes radvd's configuration; the sample's paths are the host's, which the demo leaves alone
    printf '#!/bin/sh\nRADVD_CONF=%q RADVD_PID=%q exec %q\n' "$dir/radvd.conf" "$dir/radvd.pid" "$PWD/conf/hooks/radvd" >"$dir/hook"
    chmod 700 "$dir/hook"
    start_client alice
    start_client bob "lan: { device: eth1 }" "on_up: $dir/hook" "on_change: $dir/hook"
    start_client carol
    for h in alice bob carol; do wait_for 15 is_up "$h" || fail "$h does not log in"; done
    grep 'logged in' "$dir/router.log" | indent
    echo
    for h in alice bob carol; do
        seen=$(value "$h" endpoint_seen)
        printf '   %-6s sends from %-19s the router sees %s\n' "$h" \
            "$(in_ns "$h" ip -4 -o addr show dev wan | awk '{ sub("/.*", "", $4); print $4 }'):$port," "$seen"
        case $h-$seen in
        "alice-198.18.1.2:$port" | bob-198.18.2.2:* | carol-198.18.2.2:*) ;;
        *) fail "$h is seen at $seen" ;;
        esac
    done
    [ "$(value bob endpoint_seen)" != "$(value carol endpoint_seen)" ] || fail "bob and carol are seen at one endpoint"
    say "bob and carol are told apart by the port that the NAT gave them"
}

kernel_mac() { in_ns "$1" cat /sys/class/net/tap6/address; } # HOST

step_macs() {
    local h seen
    title "Each MAC is the endpoint, in six octets"
    for h in alice bob carol; do
        seen=$(value "$h" endpoint_seen)
        explain_mac "$h" "$seen"
        [ "$(kernel_mac "$h")" = "$(mac_of "$seen")" ] || fail "tap6 of $h has MAC $(kernel_mac "$h")"
    done
    say "these are the MACs of tap6 on alice, bob and carol"
}

has_address() { [[ $(in_ns "$1" ip -6 -o addr show dev tap6) == *" $2/"* ]]; } # HOST ADDRESS

step_addresses() {
    local h ll global gateway
    title "Each link-local address follows from the MAC; the global one from the client's key"
    for h in alice bob carol; do
        ll=$(plain "fe80::$(eui64_of "$(kernel_mac "$h")")")
        global=$(value "$h" addresses)
        say "$h, MAC $(kernel_mac "$h")"
        say "   second bit of the first octet flipped, ff:fe in the middle: $ll"
        say "   assigned, the same whatever the endpoint:                   $global"
        has_address "$h" "$ll" || fail "$h has no $ll"
        has_address "$h" "$global" || fail "$h has no $global"
    done
    echo
    run alice ip -6 route show dev tap6
    gateway=$(plain "fe80::$(eui64_of "$(mac_of $router_ip:6464)")")
    [[ $(in_ns alice ip -6 route show default dev tap6) == *"via $gateway "* ]] ||
        fail "alice has no default route through the router"
}

pings() { # FROM TO ADDRESS
    local out
    out=$(in_ns "$1" ping -n -c 3 -i 0.2 -w 5 "$3" 2>&1) || fail "$1 does not reach $2: $out"
    printf '   %-5s -> %-10s %-40s %s\n' "$1" "$2" "$3" \
        "$(awk '/ time=/ { split($0, t, "time="); printf "%s ", t[2] }' <<<"$out" | sed 's/ ms/ms/g')"
}

step_clients() {
    title "Client to client: three pings each, with their round-trip times"
    pings alice bob "$(value bob addresses)"
    pings bob alice "$(value alice addresses)"
    pings bob carol "$(value carol addresses)"
    pings carol bob "$(value bob link_local)%tap6"
    say "bob and carol sit behind one NAT; the last one goes to bob's link-local address"
}

step_uplink() {
    local h
    title "Through the uplink: the router itself, then the web server behind it"
    for h in alice bob carol; do
        pings "$h" router ${prefix}1
        pings "$h" web $web
    done
}

step_page() {
    local h page
    title "A page from the web server, which never heard of IPv4"
    for h in alice carol; do
        say "$h\$ curl http://[$web]/"
        page=$(in_ns "$h" curl -gsS --max-time 5 "http://[$web]/" 2>&1) || fail "curl on $h: $page"
        say "$page"
        [[ $page == "Hello $(value "$h" addresses),"* ]] || fail "the page does not name the address of $h"
    done
}

phone_address() { in_ns phone ip -6 -o addr show dev eth0 scope global | awk '{ sub("/.*", "", $4); print $4 }'; }
phone_is_up() { [ -n "$(phone_address)" ] && in_ns phone ip -6 route show default | grep -q .; }

step_lan() {
    local page
    title "A LAN behind bob: his phone has nothing installed, and IPv6"
    say "the router delegates $lan/64 to bob; his client has put ::1 of it on eth1:"
    run bob ip -6 -br addr show dev eth1
    [[ $(in_ns bob ip -6 -o addr show dev eth1) == *" ${lan}1/64"* ]] || fail "eth1 of bob has no ${lan}1/64"
    wait_for 10 test -s "$dir/radvd.conf" || fail "the hook did not write radvd.conf"
    say "on_up wrote this for radvd, which now advertises it on the LAN:"
    grep prefix "$dir/radvd.conf" | indent
    start bob radvd radvd -n -m stderr -C "$dir/radvd.conf" -p "$dir/radvd.pid"
    wait_for 20 phone_is_up || fail "the phone has no address"
    echo
    run phone ip -6 -br addr show dev eth0 scope global
    run phone ip -6 route show default
    say "phone\$ curl http://[$web]/"
    page=$(in_ns phone curl -gsS --max-time 5 "http://[$web]/" 2>&1) || fail "curl on phone: $page"
    say "$page"
    [[ $page == "Hello $lan"* || $page == "Hello ${lan%::}:"* ]] || fail "the page does not name an address of $lan/64"
    [[ $page == "Hello $(phone_address),"* ]] || fail "the page does not name the address of the phone"
}

step_collision() {
    local seen mac
    title "A collision of MACs, and how it is settled"
    seen=$(value alice endpoint_seen)
    mac=$(kernel_mac alice)
    say "dave comes from 199.18.1.2, port $port. 199 is 0xc7 and 198 is 0xc6: they differ in the low two bits" \
        "only, which the MAC has no room for. So dave's MAC would be" \
        "   $(mac_of 199.18.1.2:$port), and alice at $seen has $mac."
    [ "$(mac_of 199.18.1.2:$port)" = "$mac" ] || fail "these do not collide"
    start_client dave
    wait_for 15 is_up dave || fail "dave does not log in"
    echo
    say "the router says:"
    grep 'dave' "$dir/router.log" | indent
    say "dave's log says:"
    grep 'taken' "$dir/dave.log" | indent
    grep -q "dave at 199.18.1.2:$port: MAC $mac is held by alice" "$dir/router.log" || fail "the router saw no collision"
    echo
    seen=$(value dave endpoint_seen)
    printf '   %-6s %-19s MAC %s\n' alice "$(value alice endpoint_seen)" "$(kernel_mac alice)" dave "$seen" "$(kernel_mac dave)"
    [ "$(kernel_mac alice)" = "$mac" ] || fail "alice lost her MAC"
    [ "$(kernel_mac dave)" = "$(mac_of "$seen")" ] || fail "dave's MAC does not follow from $seen"
    [ "$(kernel_mac dave)" != "$mac" ] || fail "alice and dave share a MAC"
    echo
    pings dave alice "$(value alice addresses)"
    pings dave web $web
}

step_status() {
    local text
    title "What the router knows: sixtap-router status"
    text=$(router) || fail "the router does not answer"
    # the first columns only: a line of the whole table is wide
    awk '/^members \(/ { table = 1 } /^$/ { table = 0 }
        table && NF > 3 { printf "  %-6s  %-17s  %-17s  %-39s  %s\n", $1, $2, $3, $4, $5; next } { print }' <<<"$text" | indent
    [ "$(awk '$1 == "members_now" { print $2 }' <<<"$text")" = 4 ] || fail "four members are expected"
}

# short HOST COMMAND... - as run, without the paths of the build and of the demo's files
short() { run "$@" | sed "s|$bin/||g; s|$dir/vps/||g"; }

nothing_for_erin() { ! in_ns vps ip -6 neigh show proxy dev wan | grep -q .; }

step_ndproxy() {
    local page address entry mac
    title "The common VPS: its provider routes nothing to it, there is only a /64 on the link; mode ndproxy"
    cat <<ART
     provider's router ${onlink}1 ---- $onlink/64, on link ---- ${onlink}2 vps ==== tunnel ==== erin

ART
    short vps "$bin/sixtap-router" init -c "$dir/vps/router.yaml" || fail "sixtap-router init"
    echo
    say "of what it wrote:"
    grep -E '^(listen|prefix|uplink):' "$dir/vps/router.yaml" | indent
    grep -q '^uplink:.*mode: ndproxy' "$dir/vps/router.yaml" || fail "init did not choose ndproxy"
    short vps "$bin/sixtap-router" check -c "$dir/vps/router.yaml" || fail "sixtap-router check"
    start vps vps "$bin/sixtap-router" run -c "$dir/vps/router.yaml"
    wait_for 10 vps_router || fail "the router does not start"
    say "vps\$ sixtap-router invite erin > erin.yaml"
    in_ns vps "$bin/sixtap-router" invite erin -c "$dir/vps/router.yaml" >"$dir/erin.yaml" 2>"$dir/invite.log" || fail "invite"
    start erin erin "$bin/sixtap-client" run -c "$dir/erin.yaml"
    local erin=$!
    wait_for 15 is_up erin || fail "erin does not log in"
    address=$(value erin addresses)
    echo
    say "erin is in, with an address of the provider's own link, $address." \
        "When the provider asks who has it, the vps answers in her place, and hands on what comes:"
    entry=$(in_ns vps ip -6 neigh show proxy dev wan)
    say "vps\$ ip -6 neigh show proxy" "$entry"
    [[ $entry == "$address "* ]] || fail "there is no proxy entry for erin"
    say "erin\$ curl http://[$web]/"
    page=$(in_ns erin curl -gsS --max-time 5 "http://[$web]/" 2>&1) || fail "curl on erin: $page"
    say "$page"
    [[ $page == "Hello $address,"* ]] || fail "the page does not name the address of erin"
    echo
    pings inet erin "$address"
    mac=$(in_ns vps cat /sys/class/net/wan/address)
    run inet ip -6 neigh show "$address"
    [[ $(in_ns inet ip -6 neigh show "$address") == *"lladdr $mac "* ]] || fail "the provider does not know erin by the MAC of the vps"
    kill $erin
    wait_for 5 nothing_for_erin || fail "the proxy entry outlives erin's client"
    say "erin's client ends, and nothing is answered for her any more:"
    run vps ip -6 neigh show proxy
}

# ---- the whole ----

keep() {
    cat <<HINTS

It runs on. As root, in another terminal:

   ip netns exec $tag-bob bash                      a shell on bob (alice, carol, dave, phone, home, router, vps, inet)
   ip netns exec $tag-bob ping $web
   ip netns exec $tag-phone curl -g 'http://[$web]/'
   ip netns exec $tag-router $bin/sixtap-router status -c $dir/router.yaml
   ip netns exec $tag-bob $bin/sixtap-client status --json -c $dir/bob.yaml
   ip netns exec $tag-bob tcpdump -ni tap6           the IPv6 that goes into the tunnel (apt-get install tcpdump)
   ip netns exec $tag-router tcpdump -ni wan udp     the same in its IPv4 wrapping
   ip netns exec $tag-home conntrack -L              what the NAT remembers; -F makes it forget
   tail -f $dir/router.log

HINTS
    if [ -t 0 ]; then
        read -rp "Enter or Ctrl-C ends it. " || true
    else
        echo "Ends when killed: kill $$"
        wait "${pids[@]}" || true
    fi
}

build() {
    local started=$SECONDS
    bin=${BUILD:-$PWD/build-demo}
    echo "building Release in $bin"
    # in the background, so that a signal does not wait for it
    { cmake -S . -B "$bin" -G Ninja -DCMAKE_BUILD_TYPE=Release -DSIXTAP_TESTS=OFF && exec ninja -C "$bin"; } \
        >"$dir/build.log" 2>&1 </dev/null &
    pids=($!)
    wait $! || {
        tail -n 40 "$dir/build.log"
        echo "demo.sh: the build failed" >&2
        exit 1
    }
    pids=()
    rm "$dir/build.log"
    bin=$(cd "$bin" && pwd)
    echo "built in $((SECONDS - started)) s"
}

main() {
    local keep=no s
    case ${1-} in
    '') ;;
    --keep) keep=yes ;;
    -h | --help)
        sed -n '3,12s/^# \{0,1\}//p' conf/demo.sh
        exit 0
        ;;
    *)
        echo "demo.sh: what is $1? usage: sudo conf/demo.sh [--keep]" >&2
        exit 64
        ;;
    esac
    [ "$(id -u)" = 0 ] || cannot "needs root, to make network namespaces: sudo conf/demo.sh"
    [ -d /proc/sys/net/ipv6 ] || cannot "the kernel was started without IPv6 (ipv6.disable=1)"
    [ -e /dev/net/tun ] || modprobe tun 2>/dev/null || true
    { [ -c /dev/net/tun ] && : <>/dev/net/tun; } 2>/dev/null ||
        cannot "no /dev/net/tun: modprobe tun; in a container: --device /dev/net/tun --cap-add NET_ADMIN --cap-add SYS_ADMIN"
    install_packages "${PACKAGES_BUILD[@]}" "${PACKAGES_DEMO[@]}" || cannot "packages are missing"
    umask 077
    done_steps=0
    trap clean_up EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    trap 'exit 129' HUP
    dir=$(mktemp -d)
    { ip netns add "$tag-inet" && ip netns exec "$tag-inet" true; } 2>/dev/null ||
        cannot "no permission to make network namespaces (in a container: --privileged)"
    ip netns del "$tag-inet"
    build
    local started=$SECONDS
    for s in "${steps[@]}"; do
        "step_$s"
        done_steps=$((done_steps + 1))
        printf '\n   OK\n'
    done
    printf '\ndemo: %d of %d steps ok, %d s\n' "$done_steps" "${#steps[@]}" $((SECONDS - started))
    [ $keep = no ] || keep
}

main "$@"
