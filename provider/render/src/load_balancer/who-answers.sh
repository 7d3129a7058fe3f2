#!/bin/sh
# who-answers INTERFACE VIRTUAL_ADDRESS=OWN_ADDRESS...: asks the link who has each virtual address, by the kernel's own ARP and neighbour
# discovery, before keepalived takes it. An empty INTERFACE is the one with the own address. Prints `here ADDRESS INTERFACE` for what this
# host has itself, `answers ADDRESS MAC INTERFACE` for what another machine has, with `router` at the end where that is a gateway, which
# may answer for addresses of others (proxy ARP); at last `end`. Takes 0.8 s where nobody answers, and leaves no neighbour behind.
given=$1
shift
interface_of() {
  ip -oneline address show to "$1" | while read -r _ interface _; do
    echo "${interface%%@*}"
    break
  done
}

# mac ADDRESS INTERFACE: what the kernel has learnt.
mac() { ip neighbour show to "$1" dev "$2" | sed -n 's/.*lladdr \([^ ]*\).*/\1/p'; }

# What was learnt before may be of a machine that is gone; what an administrator has fixed is not learnt again.
forget() {
  [ -n "$(ip neighbour show to "$1" dev "$2" nud permanent)" ] || ip neighbour del "$1" dev "$2" 2>/dev/null
}

# `use` resolves without a packet that a firewall could drop; iproute2 before 5.16 does not know it.
ask() {
  ip neighbour replace "$1" dev "$2" use 2>/dev/null && return
  if command -v ping >/dev/null; then ping -c 1 -W 1 -I "$2" "$1" >/dev/null 2>&1 </dev/null & fi
  if command -v bash >/dev/null; then bash -c 'echo >"/dev/udp/$0/9"' "$1" >/dev/null 2>&1 </dev/null & fi
}

is_router() {
  for family in -4 -6; do
    ip "$family" -oneline route show default dev "$2" | sed -n 's/.*via \(inet6 \)\{0,1\}\([^ ]*\).*/\2/p' | while read -r gateway; do
      if [ "$(mac "$gateway" "$2")" = "$1" ]; then echo yes; fi
    done
  done | grep -q yes
}

asked='' count=0
for pair in "$@"; do
  address=${pair%%=*}
  found=$(interface_of "$address")
  if [ -n "$found" ]; then
    echo "here $address $found"
    continue
  fi
  interface=${given:-$(interface_of "${pair#*=}")}
  [ -n "$interface" ] || continue
  forget "$address" "$interface"
  ask "$address" "$interface"
  asked="$asked $address=$interface" count=$((count + 1))
done

tries=0
while [ "$count" -gt 0 ] && [ "$tries" -lt 8 ]; do
  sleep 0.1
  tries=$((tries + 1)) answered=0
  for pair in $asked; do
    [ -z "$(mac "${pair%%=*}" "${pair#*=}")" ] || answered=$((answered + 1))
  done
  [ "$answered" -lt "$count" ] || break
done

for pair in $asked; do
  address=${pair%%=*} interface=${pair#*=}
  mac=$(mac "$address" "$interface")
  if [ -n "$mac" ]; then
    if is_router "$mac" "$interface"; then router=' router'; else router=''; fi
    echo "answers $address $mac $interface$router"
  fi
  forget "$address" "$interface"
done
echo end
