#!/bin/sh
# Keeps pods of different nodes connected: one route per other node and address family, taken from the Node objects, and on a
# node also the CNI configuration with its own pod CIDRs. Reacts to a change of a node at once, looks at all of them each minute.
# A node may write any pod CIDR into its own object: only a subnet of the declared size inside the cluster's pod CIDRs gets a route, and none
# that an older node has. Routes go when the API server says that their node is gone, never because it says nothing.
# usage: pod-network NODE KUBECTL KUBECONFIG PODS [NFT_FILE PORTMAP_BACKEND]      RUNTIME_DIRECTORY is set by systemd
# PODS: each pod CIDR of the cluster with the prefix length of a node's share, such as 172.18.0.0/16=24,fd00:18::/56=64
# Without the last two arguments it keeps routes only: for a control-plane host that is no node.
set -u
exec 3>&1

own_node=$1
program=$2
kubeconfig=$3
pods=$4
nft_file=${5-}
portmap_backend=${6-}
state=$RUNTIME_DIRECTORY
configuration=/etc/cni/net.d/10-k8s-hardway.conflist
protocol=77 # marks our routes; see rtnetlink(7), rtm_protocol
mkdir -p "$state/nodes" "$state/cidrs" "$state/said"

# Every text that a node chooses is encoded by urlquery, so it is one word without separators; sed gives back ":" and "/".
template='{{.type}} {{urlquery .object.metadata.name}} '
template=$template'addresses:{{range .object.status.addresses}}{{if eq .type "InternalIP"}}{{urlquery .address}},{{end}}{{end}} '
template=$template'cidrs:{{range .object.spec.podCIDRs}}{{urlquery .}},{{end}}{{"\n"}}'

newline='
'

# Run by awk: prints those of the comma-terminated `cidrs` that are a node's share of one of `pods`.
# shellcheck disable=SC2016 # awk's variables, not the shell's
shares='
function bits_of(hex,    i, bits) {
  for (i = 1; i <= length(hex); i++) bits = bits substr("0000000100100011010001010110011110001001101010111100110111101111", 4 * index("123456789abcdef", substr(hex, i, 1)) + 1, 4)
  return bits
}
function groups(text,    parts, count, i, result) {
  if (text == "") return ""
  count = split(text, parts, ":")
  for (i = 1; i <= count; i++) {
    if (parts[i] !~ /^[0-9a-f]+$/ || length(parts[i]) > 4) return "x"
    result = result substr("0000" parts[i], length(parts[i]) + 1)
  }
  return result
}
# Empty for what is no address.
function address_bits(address,    parts, count, i, hex, back) {
  if (address !~ /:/) {
    if (split(address, parts, ".") != 4) return ""
    for (i = 1; i <= 4; i++) {
      if (parts[i] !~ /^(0|[1-9][0-9]?[0-9]?)$/ || parts[i] > 255) return ""
      hex = hex sprintf("%02x", parts[i])
    }
    return bits_of(hex)
  }
  count = split(address, parts, "::")
  if (count > 2) return ""
  hex = groups(parts[1])
  back = count == 2 ? groups(parts[2]) : ""
  if (hex back ~ /x/ || length(hex back) > 32 || (count == 1 && length(hex) != 32)) return ""
  while (length(hex) + length(back) < 32) hex = hex "0"
  return bits_of(hex back)
}
function is_share(cidr,    parts, bits, count, i, all, net, share, whole) {
  if (split(cidr, parts, "/") != 2) return 0
  bits = address_bits(parts[1])
  count = split(pods, all, ",")
  for (i = 1; i <= count; i++) {
    split(all[i], whole, "=")
    split(whole[1], net, "/")
    share = address_bits(net[1])
    if (bits != "" && length(bits) == length(share) && parts[2] == whole[2] && substr(bits, 1, net[2]) == substr(share, 1, net[2]) && substr(bits, whole[2] + 1) !~ /1/) return 1
  }
  return 0
}
BEGIN {
  count = split(cidrs, all_cidrs, ",")
  for (n = 1; n < count; n++) if (is_share(all_cidrs[n])) printf "%s,", all_cidrs[n]
}'

kubectl() {
  timeout 60 "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" "$@" </dev/null
}

# gone NODE: succeeds when the API server says that there is no such node. 2: it said nothing.
gone() {
  found=$(kubectl get node "$1" --ignore-not-found --output=name 2>/dev/null) || return 2
  [ -z "$found" ]
}

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

# say NODE TEXT: once, not at each event.
say() {
  [ "$2" != "$(cat "$state/said/$1" 2>/dev/null)" ] || return 0
  echo "$2" >&3
  printf '%s\n' "$2" >"$state/said/$1"
}

# older NODE OTHER: which of them was created first. Empty when the API server says nothing.
older() {
  kubectl get nodes "$1" "$2" --ignore-not-found \
    --output=go-template='{{range .items}}{{.metadata.creationTimestamp}} {{urlquery .metadata.name}}{{"\n"}}{{end}}' 2>/dev/null | sort | sed -n '1s/.* //p'
}

# free_of_others NODE CIDRS: without those that go to a node which had them first.
free_of_others() {
  cidrs=$2
  while [ -n "$cidrs" ]; do
    cidr=${cidrs%%,*}
    cidrs=${cidrs#*,}
    holder=$(grep -lF "$cidr via " "$state"/nodes/* 2>/dev/null | sed "s|.*/||; /^$1\$/d" | head -n 1)
    case ,$(cat "$state/own" 2>/dev/null) in *",$cidr,"*) [ "$1" = "$own_node" ] || holder=$own_node ;; esac
    if [ -n "$holder" ] && [ "$holder" != "$own_node" ] && [ "$(older "$1" "$holder")" = "$1" ]; then
      set_routes "$holder" "" >&3
      holder=''
    fi
    if [ -z "$holder" ]; then printf '%s,' "$cidr"; else say "$1" "node $1 has $cidr, which node $holder had first: no route to it"; fi
  done
}

# accepted NODE CIDRS: those to which there may be a route. What was accepted as a whole is not looked at again.
accepted() {
  if [ "$2" = "$(cat "$state/cidrs/$1" 2>/dev/null)" ]; then
    printf %s "$2"
    return
  fi
  shares_of_it=$(awk -v pods="$pods" -v cidrs="$2" "$shares")
  [ "$shares_of_it" = "$2" ] || say "$1" "node $1 has ${2%,}, which is no share of $pods: no route to it"
  free=$(free_of_others "$1" "$shares_of_it")
  [ "$free" != "$2" ] || printf %s "$2" >"$state/cidrs/$1"
  printf %s "$free"
}

# own CIDRS: of this node, whatever others claim.
own() {
  mine=$(awk -v pods="$pods" -v cidrs="$1" "$shares")
  [ "$mine" != "$(cat "$state/own" 2>/dev/null)" ] || return 0
  printf %s "$mine" >"$state/own"
  rest=$mine
  while [ -n "$rest" ]; do
    grep -lF "${rest%%,*} via " "$state"/nodes/* 2>/dev/null | while read -r file; do set_routes "${file##*/}" ""; done
    rest=${rest#*,}
  done
  [ -z "$nft_file" ] || write_configuration "$mine"
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
  if [ -n "$2" ]; then printf '%s\n' "$2" >"$state/nodes/$1"; else rm -f "$state/nodes/$1" "$state/cidrs/$1" "$state/said/$1"; fi
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
    [ "$1" = DELETED ] || own "${4#cidrs:}"
  elif [ "$1" = DELETED ]; then
    set_routes "$2" ""
  else
    set_routes "$2" "$(routes_of "${3#addresses:}" "$(accepted "$2" "${4#cidrs:}")")"
  fi
}

# Every node of the cluster was seen: the list of their names came as a whole, with its end, and holds no other.
is_whole() {
  names=$(kubectl get nodes --output=go-template='{{range .items}}{{urlquery .metadata.name}} {{end}}end' 2>/dev/null) || return 1
  case $names in *?' end') ;; *) return 1 ;; esac
  for name in ${names% end}; do
    [ -e "$state/seen/$name" ] || return 1
  done
}

# Nodes that were not seen are asked for by name, and routes that nobody is known to need are only deleted when every node is known. What
# someone else deleted comes back.
reconcile() {
  for file in "$state"/nodes/*; do
    if [ -e "$file" ] && [ ! -e "$state/seen/${file##*/}" ]; then
      gone "${file##*/}"
      case $? in
        0) set_routes "${file##*/}" "" ;;
        2) break ;;
      esac
    fi
  done
  expected=$(cat "$state"/nodes/* 2>/dev/null)
  actual=$({ ip -4 route show proto $protocol && ip -6 route show proto $protocol; } |
    while read -r destination via address _; do echo "$destination $via $address"; done)
  superfluous=$(printf '%s\n' "$actual" | while read -r line; do
    case $newline$expected in *"$newline${line%% *} "*) ;; *) [ -z "$line" ] || echo "$line" ;; esac
  done)
  if [ -n "$superfluous" ] && ! is_whole; then expected=$expected$newline$superfluous; fi
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
  # 124: it was timeout that ended the watch. Whether the list at its start came is not known by that.
  if [ "$(cat "$state/watch-status")" = 124 ]; then reconcile; fi
  load_masquerade
  complaint=$(tail -n 1 "$state/watch-error")
  if [ -n "$complaint" ] && [ "$complaint" != "$complained" ]; then echo "cannot watch nodes, trying again: $complaint"; fi
  complained=$complaint
  sleep 1
done
