#!/bin/sh
# Keeps pods of different nodes connected: one route per other node and address family, taken from the Node objects, and on a
# node also the CNI configuration with its own pod CIDRs. Reacts to a change of a node at once, looks at all of them each minute.
# usage: pod-network NODE KUBECTL KUBECONFIG [NFT_FILE PORTMAP_BACKEND]      RUNTIME_DIRECTORY is set by systemd
# Without the last two arguments it keeps routes only: for a control-plane host that is no node.
set -u

own_node=$1
program=$2
kubeconfig=$3
nft_file=${4-}
portmap_backend=${5-}
state=$RUNTIME_DIRECTORY
configuration=/etc/cni/net.d/10-k8s-hardway.conflist
protocol=77 # marks our routes; see rtnetlink(7), rtm_protocol
mkdir -p "$state/nodes"

# Every text that a node chooses is encoded by urlquery, so it is one word without separators; sed gives back ":" and "/".
template='{{.type}} {{urlquery .object.metadata.name}} '
template=$template'addresses:{{range .object.status.addresses}}{{if eq .type "InternalIP"}}{{urlquery .address}},{{end}}{{end}} '
template=$template'cidrs:{{range .object.spec.podCIDRs}}{{urlquery .}},{{end}}{{"\n"}}'

newline='
'

# address_for CIDR ADDRESSES: the first of the comma-terminated addresses that has the family of the CIDR.
address_for() {
  rest=$2
  while [ -n "$rest" ]; do
    case $1,${rest%%,*} in
      *:*,*:* | *.*,*.*.*.*) echo "${rest%%,*}" && return ;;
    esac
    rest=${rest#*,}
  done
}

# routes_of ADDRESSES CIDRS: one line "CIDR via ADDRESS" per family.
routes_of() {
  cidrs=$2
  while [ -n "$cidrs" ]; do
    via=$(address_for "${cidrs%%,*}" "$1")
    [ -z "$via" ] || echo "${cidrs%%,*} via $via"
    cidrs=${cidrs#*,}
  done
}

# route replace|del "CIDR via ADDRESS"
route() {
  # shellcheck disable=SC2086 # the words of the route
  case $2 in
    *:*) ip -6 route "$1" $2 proto $protocol ;;
    *) ip -4 route "$1" $2 proto $protocol ;;
  esac
}

# change_routes BEFORE AFTER: new ones first, so that a route which only changes its gateway never is away.
change_routes() {
  printf '%s\n' "$2" | while read -r line; do
    case $newline$1$newline in *"$newline$line$newline"*) ;; *) [ -z "$line" ] || route replace "$line" ;; esac
  done
  printf '%s\n' "$1" | while read -r line; do
    case $newline$2 in *"$newline${line%% *} "*) ;; *) [ -z "$line" ] || route del "$line" ;; esac
  done
}

# set_routes NODE ROUTES: routes are empty when the node is gone.
set_routes() {
  before=$(cat "$state/nodes/$1" 2>/dev/null)
  [ "$before" != "$2" ] || return 0
  change_routes "$before" "$2"
  if [ -n "$2" ]; then printf '%s\n' "$2" >"$state/nodes/$1"; else rm -f "$state/nodes/$1"; fi
  echo "routes to $1: $(printf '%s' "${2:-none}" | tr '\n' ' ')"
}

# write_configuration CIDRS
write_configuration() {
  ranges=''
  destinations=''
  cidrs=$1
  while [ -n "$cidrs" ]; do
    case ${cidrs%%,*} in *:*) default=::/0 ;; *) default=0.0.0.0/0 ;; esac
    ranges="$ranges${ranges:+, }[{\"subnet\": \"${cidrs%%,*}\"}]"
    destinations="$destinations${destinations:+, }{\"dst\": \"$default\"}"
    cidrs=${cidrs#*,}
  done
  [ -n "$ranges" ] || return 0
  text=$(
    cat <<END
{
  "cniVersion": "1.0.0",
  "name": "k8s-hardway",
  "plugins": [
    {
      "type": "bridge",
      "bridge": "cni0",
      "isGateway": true,
      "forceAddress": true,
      "ipMasq": false,
      "hairpinMode": true,
      "ipam": {"type": "host-local", "ranges": [$ranges], "routes": [$destinations]}
    },
    {"type": "portmap", "backend": "$portmap_backend", "snat": true, "capabilities": {"portMappings": true}}
  ]
}
END
  )
  [ "$text" != "$(cat "$configuration" 2>/dev/null)" ] || return 0
  mkdir -p "${configuration%/*}"
  printf '%s\n' "$text" >"$configuration.unfinished"
  mv "$configuration.unfinished" "$configuration"
  echo "pods of this node get addresses of ${1%,}"
}

# handle EVENT NODE ADDRESSES CIDRS
handle() {
  case $1 in ADDED | MODIFIED | DELETED) ;; *) return ;; esac
  case $2 in '' | *[!a-z0-9.-]*) return ;; esac
  case ${3#addresses:}${4#cidrs:} in *[!0-9a-f.:/,]*) echo "node $2 reports addresses that are none" && return ;; esac
  : >"$state/seen/$2"
  if [ "$2" = "$own_node" ]; then
    if [ -n "$nft_file" ] && [ "$1" != DELETED ]; then write_configuration "${4#cidrs:}"; fi
  elif [ "$1" = DELETED ]; then
    set_routes "$2" ""
  else
    set_routes "$2" "$(routes_of "${3#addresses:}" "${4#cidrs:}")"
  fi
}

# After a whole look at the cluster: forget nodes that were not in it, and repair what someone else changed.
reconcile() {
  for file in "$state"/nodes/*; do
    if [ -e "$file" ] && [ ! -e "$state/seen/${file##*/}" ]; then set_routes "${file##*/}" ""; fi
  done
  expected=$(cat "$state"/nodes/* 2>/dev/null)
  actual=$({ ip -4 route show proto $protocol && ip -6 route show proto $protocol; } |
    while read -r destination via address _; do echo "$destination $via $address"; done)
  change_routes "$actual" "$expected"
}

# What leaves the pod network takes the node's address, so that answers find the way back.
load_masquerade() {
  [ -n "$nft_file" ] || return 0
  nft list table inet k8s-hardway >/dev/null 2>&1 || nft -f "$nft_file"
}

[ -z "$nft_file" ] || nft -f "$nft_file"
complained=
while :; do
  rm -rf "$state/seen" && mkdir "$state/seen"
  # A watch tells of a change at once. It ends after a minute and starts again with the list of all, so nothing is missed.
  { timeout 60 "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" get nodes --watch --output-watch-events \
    --output=go-template="$template" 2>"$state/watch-error"; echo $? >"$state/watch-status"; } |
    sed -u 's/%3A/:/g; s/%2F/\//g' |
    while read -r event node addresses cidrs; do handle "$event" "$node" "$addresses" "$cidrs"; done
  # 124: it was timeout that ended the watch, so the list at its start was whole.
  if [ "$(cat "$state/watch-status")" = 124 ]; then reconcile; fi
  load_masquerade
  complaint=$(tail -n 1 "$state/watch-error")
  if [ -n "$complaint" ] && [ "$complaint" != "$complained" ]; then echo "cannot watch nodes, trying again: $complaint"; fi
  complained=$complaint
  sleep 1
done
