#!/bin/sh
# Publishes the routes to the pods of every node in the ConfigMap k8s-hardway-routes of namespace kube-system: one line
# "NODE CIDR via ADDRESS" for each node and family, then "end". Every host follows this one object, which changes when a node comes or goes;
# a host that followed the nodes themselves would get all of their heartbeats.
# A node may write any pod CIDR and any address into its own object. Published is only a subnet of the declared size inside the cluster's pod
# CIDRs, of the oldest node that has it, by way of an address that was declared for the node (ConfigMap k8s-hardway-nodes).
# It runs on every control-plane host; all of them write the same. Nothing is published that does not follow from whole lists.
# usage: pod-shares KUBECTL KUBECONFIG PODS FUNCTIONS      RUNTIME_DIRECTORY is set by systemd; PODS and FUNCTIONS: see shares.awk
set -u
LC_ALL=C
export LC_ALL

program=$1
kubeconfig=$2
pods=$3
functions=$4
state=$RUNTIME_DIRECTORY
newline='
'

# Every text that a node chooses is encoded by urlquery, so it is one word without separators; sed gives back ":" and "/".
node='{{urlquery .metadata.creationTimestamp}} {{urlquery .metadata.name}} cidrs:{{range .spec.podCIDRs}}{{urlquery .}},{{end}}{{"\n"}}'

# Reads the declared addresses ("declared NODE NAME ADDRESS…") and then the nodes, oldest first, to the mark "~end"; prints routes, then "end",
# and before a text about a node that gets none "!".
# shellcheck disable=SC2016 # awk's variables, not the shell's
routes_of_nodes='
function address_for(node, share,    i, count, words) {
  count = split(declared[node], words, " ")
  for (i = 1; i <= count; i++) if (length(address_bits(words[i])) == (share ~ /:/ ? 128 : 32)) return words[i]
  return ""
}
$1 == "declared" { node = $2; $1 = $2 = $3 = ""; declared[node] = $0; next }
$1 == "~end" { print "end"; exit }
$2 ~ /^[a-z0-9.-]+$/ {
  count = split(substr($3, 7), cidrs, ",")
  for (i = 1; i < count; i++) {
    share = share_of(cidrs[i])
    address = address_for($2, share)
    if (share == "") print "! node " $2 " has " cidrs[i] ", which is no share of " pods ": no route to it"
    else if (share in holder) { if (holder[share] != $2) print "! node " $2 " has " share ", which node " holder[share] " had first: no route to it" }
    else if (address == "") print "! node " $2 " is declared with no address for " share ": no route to it"
    else { holder[share] = $2; print $2 " " share " via " address }
  }
}'

kubectl() {
  timeout 60 "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" "$@" 2>"$state/error" </dev/null
}

# Succeeds for a list with its end mark.
is_whole() {
  case $1 in *end) ;; *) echo "a list was cut off" >"$state/error" && return 1 ;; esac
}

random() { od -An -N1 -tu1 /dev/urandom; }

# follow: notes in the file `changed` that a node came, went or has other pod CIDRs. Most of what a watch sends are heartbeats.
follow() {
  while :; do
    seen=$newline
    timeout $((1200 + 5 * $(random))) "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" get nodes --watch --output-watch-events \
      --output=go-template='{{if eq .type "DELETED"}}gone {{end}}{{with .object}}{{.metadata.uid}} '"$node"'{{end}}' 2>"$state/watch-error" |
      while read -r line; do
        case $seen in *"$newline$line$newline"*) continue ;; esac
        seen=$seen$line$newline
        : >"$state/changed"
      done
    complaint=$(tail -n 1 "$state/watch-error")
    [ -z "$complaint" ] || echo "cannot watch nodes, trying again: $complaint"
    sleep $((1 + $(random) / 64))
  done
}

# The version of what is published is read before the lists, and only that one is replaced: so nothing replaces what is newer than its lists.
publish() {
  before=$(kubectl get configmap k8s-hardway-routes --namespace=kube-system \
    --output=go-template='{{.metadata.resourceVersion}}{{"\n"}}{{with .data}}{{.routes}}{{end}}') || return
  # shellcheck disable=SC2016 # the template's variables
  declared=$(kubectl get configmap k8s-hardway-nodes --namespace=kube-system --ignore-not-found \
    --output=go-template='{{range $node, $words := .data}}declared {{$node}} {{$words}}{{"\n"}}{{end}}end') || return
  # Before the first node there is none, and nothing to publish.
  [ -n "$declared" ] || return 0
  is_whole "$declared" || return
  nodes=$(kubectl get nodes --output=go-template="{{range .items}}$node{{end}}end") && is_whole "$nodes" || return
  result=$({ printf '%s\n' "${declared%end}" && printf '%s\n~end\n' "${nodes%end}" | sed 's/%3A/:/g; s/%2F/\//g' | sort; } |
    awk -v pods="$pods" "$(cat "$functions")$routes_of_nodes")
  is_whole "$result" || return
  complain "$(printf '%s\n' "$result" | sed -n 's/^! //p')"
  routes=$(printf '%s\n' "$result" | sed '/^!/d')
  [ "$routes" != "${before#*"$newline"}" ] || return 0
  # As one string of JSON: it holds no character that has to be escaped but the ends of lines.
  printf '{"metadata":{"resourceVersion":"%s"},"data":{"routes":"' "${before%%"$newline"*}" >"$state/patch"
  printf '%s\n' "$routes" | awk '{ printf "%s\\n", $0 } END { print "\"}}" }' >>"$state/patch"
  kubectl patch configmap k8s-hardway-routes --namespace=kube-system --type=merge --patch-file="$state/patch" >"$state/answer" || return
  echo "published $(printf '%s\n' "$routes" | grep -c ' via ') routes"
}

# complain TEXT: what is said once is not said again while it stays true.
complain() {
  [ "$1" = "$(cat "$state/complaint" 2>/dev/null)" ] || printf '%s\n' "$1" | sed '/^$/d'
  printf '%s\n' "$1" >"$state/complaint"
}

: >"$state/changed"
follow &
follower=$!
failed=nothing
seconds=0
while kill -0 "$follower" 2>/dev/null; do
  # A change at once; what a watch has missed, or somebody else has written, every five to ten minutes.
  if [ -e "$state/changed" ] || [ "$seconds" -eq 0 ]; then
    rm -f "$state/changed"
    seconds=$((300 + $(random)))
    if publish; then
      failed=nothing
    else
      : >"$state/changed"
      why=$(tail -n 1 "$state/error")
      [ "$why" = "$failed" ] || echo "cannot publish routes, trying again: $why"
      failed=$why
      sleep $((1 + $(random) / 128))
    fi
  fi
  sleep 1
  seconds=$((seconds - 1))
done
