#!/bin/sh
# release-addresses ADDRESS...: takes the virtual addresses off this host. keepalived does so itself, unless it was killed.
set -u

for address in "$@"; do
  ip -oneline address show to "$address" | while read -r _ interface _ found _; do
    ip address delete "$found" dev "$interface"
  done
done
exit 0
