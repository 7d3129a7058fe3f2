#!/bin/sh
# Writes the resolv.conf that pods with dnsPolicy Default get, CoreDNS among them. It always names a server, because CoreDNS does
# not start with an empty list:
#   - the host's own, without those that only listen on the host's loopback;
#   - where those are all it has, the node itself, in case its resolver listens there too;
#   - where it has none, a link-local address without a link: a query for a foreign name then fails at once, not after seconds.
# usage: kubelet-resolv-conf NODE_ADDRESS OUTPUT
set -eu

server='^[[:space:]]*nameserver[[:space:]]'
loopback="$server+(127\.|::1([[:space:]]|\$))"
for source in /run/systemd/resolve/resolv.conf /etc/resolv.conf; do
  if [ -r "$source" ] && grep -E "$server" "$source" | grep -vqE "$loopback"; then
    grep -vE "^[[:space:]]*([#;]|\$)|$loopback" "$source" >"$2.unfinished"
    mv "$2.unfinished" "$2"
    exit 0
  fi
done
if [ -r /etc/resolv.conf ] && grep -qE "$server" /etc/resolv.conf; then
  echo "nameserver $1" >"$2"
else
  echo "nameserver fe80::1" >"$2"
fi
