# shellcheck shell=bash
# Sourced. The networks of the lab: bridges in the client's namespace, which routes between them, and one cable to each host.

# shellcheck source=topology.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology.sh"

namespace_exists() { [[ -e /run/netns/$1 ]]; }

# Makes the client's namespace with the bridges, if it is not there.
network_up() {
  local number bridge
  if ! namespace_exists "$client_namespace"; then
    ip netns add "$client_namespace"
  fi
  ip -n "$client_namespace" link set lo up
  for number in "${!bridges[@]}"; do
    bridge=${bridges[number]}
    if ! ip -n "$client_namespace" link show "$bridge" >/dev/null 2>&1; then
      ip -n "$client_namespace" link add "$bridge" type bridge
    fi
    ip -n "$client_namespace" addr replace "$(client_ipv4 "$number")/24" dev "$bridge"
    ip -n "$client_namespace" addr replace "$(client_ipv6 "$number")/64" dev "$bridge" nodad
    ip -n "$client_namespace" link set "$bridge" up
  done
  # Without sysctl, which a minimal machine has not.
  ip netns exec "$client_namespace" tee /proc/sys/net/ipv4/ip_forward /proc/sys/net/ipv6/conf/all/forwarding <<< 1 >/dev/null
}

network_down() {
  local namespace
  for namespace in /run/netns/"$client_namespace"-* /run/netns/"$client_namespace"; do
    [[ -e $namespace ]] || continue
    ip netns delete "$(basename "$namespace")"
  done
}

# host_network_up HOST: a fresh namespace for the host, with eth0 plugged into the bridge of its network. The host configures eth0 itself.
host_network_up() {
  local host=$1 namespace link bridge
  namespace=$(host_namespace "$host")
  link=$(host_link "$host")
  bridge=${bridges[$(host_network "$host")]}
  host_network_down "$host"
  ip netns add "$namespace"
  ip -n "$namespace" link set lo up
  ip -n "$client_namespace" link add "$link" type veth \
    peer name eth0 netns "$namespace" address "52:54:00:77:00:${host_number[$host]}"
  ip -n "$client_namespace" link set "$link" master "$bridge" up
}

# The cable goes first: a namespace lives on while something still uses it.
host_network_down() {
  local host=$1 namespace
  namespace=$(host_namespace "$host")
  ip -n "$client_namespace" link delete "$(host_link "$host")" 2>/dev/null || true
  if namespace_exists "$namespace"; then
    ip netns delete "$namespace"
  fi
}
