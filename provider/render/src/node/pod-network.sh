#!/bin/sh
# Keeps pods of different nodes connected: one route per other node and address family, and on a node also the CNI configuration with its
# own pod CIDRs. What there is to route is published by control-plane hosts (pod-shares) in one object, which is followed: a change comes at
# once. Every minute the routes of this host are looked at, without a question to anybody: what somebody else deleted comes back.
# Whatever is published, only a subnet of the declared size inside the cluster's pod CIDRs gets a route. Routes go when a whole list came
# that does not have them, never because nothing came.
# usage: pod-network NODE KUBECTL KUBECONFIG PODS FUNCTIONS [NFT_FILE PORTMAP_BACKEND]      RUNTIME_DIRECTORY is set by systemd
# PODS and FUNCTIONS: see shares.awk
# Without the last two arguments it keeps routes only: for a control-plane host that is no node.
set -u
LC_ALL=C
export LC_ALL

own_node=$1
program=$2
kubeconfig=$3
pods=$4
functions=$5
nft_file=${6-}
portmap_backend=${7-}
state=$RUNTIME_DIRECTORY
configuration=/etc/cni/net.d/00-k8s-hardway.conflist
former=/etc/cni/net.d/10-k8s-hardway.conflist
leaving=/etc/cni/net.d/.k8s-hardway.leaving
leaving_bridge=cni0-leaves
protocol=77 # marks our routes; see rtnetlink(7), rtm_protocol
metric=7700 # earlier versions gave none: those routes go once the same ones are there with it

# Reads what is published; prints "own CIDR" for this node and "CIDR via ADDRESS" for the others.
# shellcheck disable=SC2016 # awk's variables, not the shell's
accepted='
NF != 4 || $3 != "via" || share_of($2) != $2 || length(address_bits($4)) != ($2 ~ /:/ ? 128 : 32) { next }
$1 == own { print "own " $2; next }
{ print $2 " via " $4 }'

# Reads what there is to be, then "---", then what the kernel has; prints "replace CIDR via ADDRESS" and "del CIDR via ADDRESS". New ones come
# first, so that a route which only changes its gateway never is away.
# shellcheck disable=SC2016
changes='
$0 == "---" { is_kernel = 1; next }
!is_kernel { if ($2 == "via") { order[++count] = $0; gateway[$1] = $3 }; next }
{ is_ours = / metric 7700( |$)/; if (is_ours) has[$1 " via " $3] = 1; if (!is_ours || !($1 in gateway)) gone = gone "del " $1 " via " $3 "\n" }
END {
  for (i = 1; i <= count; i++) if (!(order[i] in has)) print "replace " order[i]
  printf "%s", gone
}'

random() { od -An -N1 -tu1 /dev/urandom; }

# --- what is published

# Copies each list that comes whole, its end mark included, to the file `published`, and says so.
receive() {
  : >"$state/coming"
  while read -r line; do
    case $line in
      end) mv "$state/coming" "$state/published" && : >"$state/coming" && echo published ;;
      *) printf '%s\n' "$line" >>"$state/coming" ;;
    esac
  done
}

# A watch begins with the object as it is. It ends after 20 to 40 minutes, not on all hosts at the same time, or when the API server ends it.
follow() {
  delay=1
  complained=
  while :; do
    timeout $((1200 + 5 * $(random))) "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" get configmaps --namespace=kube-system \
      --field-selector=metadata.name=k8s-hardway-routes --watch --output-watch-events \
      --output=go-template='{{if ne .type "DELETED"}}{{with .object.data}}{{.routes}}{{end}}{{end}}' 2>"$state/watch-error" </dev/null | receive
    complaint=$(tail -n 1 "$state/watch-error")
    [ -z "$complaint" ] || [ "$complaint" = "$complained" ] || echo "cannot follow the routes, trying again: $complaint" >&3
    complained=$complaint
    delay=$((delay * 2))
    if [ -z "$complaint" ]; then delay=1; elif [ "$delay" -gt 16 ]; then delay=16; fi
    sleep $((delay + $(random) * delay / 256))
  done
}

# One word for each thing that happens.
events() {
  while sleep 60; do echo minute; done &
  follow
}

# --- what is done with it

take() {
  awk -v pods="$pods" -v own="$own_node" "$(cat "$functions")$accepted" "$state/published" >"$state/wanted.part" && mv "$state/wanted.part" "$state/wanted"
  [ -z "$nft_file" ] || write_configuration "$(sed -n 's/^own //p' "$state/wanted")"
}

# Makes the routes of the kernel those that are wanted. Before the first list came, nothing is known to be wanted or not.
keep_routes() {
  [ -e "$state/wanted" ] || return 0
  { cat "$state/wanted" && echo --- && ip -4 route show proto $protocol && ip -6 route show proto $protocol; } | awk "$changes" |
    while read -r verb cidr via address; do
      case $cidr in
        *:*) family=-6 ;;
        *) family=-4 ;;
      esac
      # A route of an add-on to the same pods has another metric: neither takes the place of the other's.
      if [ "$verb" = replace ]; then
        ip $family route replace "$cidr" "$via" "$address" proto $protocol metric $metric
      else
        ip $family route del "$cidr" "$via" "$address" proto $protocol
      fi
      echo "route $verb $cidr $via $address"
    done
}

# What leaves the pod network takes the node's address, so that answers find the way back.
keep_masquerade() {
  [ -n "$nft_file" ] || return 0
  nft list table inet k8s-hardway >/dev/null 2>&1 || nft -f "$nft_file"
}

# write_configuration CIDRS: one on each line. None: this node has no share yet.
write_configuration() {
  ranges=''
  destinations=''
  for cidr in $1; do
    case $cidr in *:*) default=::/0 ;; *) default=0.0.0.0/0 ;; esac
    ranges="$ranges${ranges:+, }[{\"subnet\": \"$cidr\"}]"
    destinations="$destinations${destinations:+, }{\"dst\": \"$default\"}"
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
  if [ "$text" = "$(cat "$configuration" 2>/dev/null)" ]; then
    [ -z "$former" ] || rm -f "$former"
    return
  fi
  mkdir -p "${configuration%/*}"
  # Pods that install another network may write there: a link of that name is not written through.
  rm -f "$configuration.unfinished"
  (set -C && printf '%s\n' "$text" >"$configuration.unfinished") || return
  mv -fT "$configuration.unfinished" "$configuration" || return
  [ -z "$former" ] || rm -f "$former"
  # Of a change to another network that went no further.
  rm -f "$leaving" && ip link delete "$leaving_bridge" 2>/dev/null
  echo "pods of this node get addresses of $(printf %s "$1" | tr '\n' ' ')"
}

# first_configuration: which of them containerd takes.
first_configuration() {
  for file in "${configuration%/*}"/*; do
    case $file in
      "$configuration") ;;
      *.conf | *.conflist | *.json) echo "${file##*/}" && return ;;
    esac
  done
}

# Add-ons rename what they find beside their own.
has_former() {
  for file in "$former"*; do [ -e "$file" ] && return; done
  return 1
}

exec 3>&1
# Where an add-on connects pods although nobody has said so to the provider, it goes on doing so.
if [ ! -e "$configuration" ] && has_former && [ "$(first_configuration)" != "${former##*/}" ]; then configuration=$former former=; fi
[ -z "$nft_file" ] || nft -f "$nft_file"
waiting=
events | while read -r event; do
  if [ -z "$waiting" ] && [ ! -e "$state/published" ]; then
    echo "no routes are published so far: k8s-pod-shares on the control-plane hosts does that"
    waiting=yes
  fi
  [ "$event" != published ] || take
  keep_routes
  keep_masquerade
done
