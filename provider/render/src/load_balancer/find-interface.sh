#!/bin/sh
# find-interface FILE FAMILY=ADDRESS...: writes keepalived definitions of the interfaces which carry this host's addresses, such as
# "$INTERFACE_IPV4=ens3". Waits for an address that is not there yet, or that duplicate address detection still holds back.
set -eu

file=$1
shift

interface_of() {
  ip -oneline address show to "$1" -tentative | while read -r _ interface _; do
    echo "$interface"
    break
  done
}

definitions=
for pair in "$@"; do
  family=${pair%%=*}
  address=${pair#*=}
  attempts=0
  until interface=$(interface_of "$address") && [ -n "$interface" ]; do
    attempts=$((attempts + 1))
    if [ "$attempts" -ge 60 ]; then
      echo "no interface of this host has the address $address: give the load balancer its interface, or correct the host's address" >&2
      exit 1
    fi
    sleep 0.5
  done
  definitions="$definitions\$INTERFACE_$family=$interface
"
done

mkdir -p "${file%/*}"
printf '%s' "$definitions" >"$file.new"
mv "$file.new" "$file"
