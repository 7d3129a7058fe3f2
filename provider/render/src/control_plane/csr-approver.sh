#!/bin/sh
# Approves the serving certificate requests of kubelets (signer kubernetes.io/kubelet-serving), which Kubernetes leaves to the
# owner of the cluster. A request is approved when all of this holds; otherwise it stays pending and the journal says why:
#   - it was made by a node, for the usages of a server and no others;
#   - it is byte for byte what a kubelet writes: a subject, a key, names and addresses, a signature that holds (READER says it in full);
#   - its subject is that of the node that made it, and each of its names and addresses is among those that were declared for that node,
#     in the ConfigMap k8s-hardway-nodes of namespace kube-system (node: "name address …").
# What costs nothing is looked at first, and of one node only a few requests at each look, so that no node delays another.
# usage: csr-approver KUBECTL KUBECONFIG READER        RUNTIME_DIRECTORY is set by systemd
set -u
LC_ALL=C
export LC_ALL

program=$1
kubeconfig=$2
reader=$3
state=$RUNTIME_DIRECTORY
# How many requests of one node are judged at each look, and of how many characters (a kubelet's has 900).
most_of_a_node=5
longest_request=8000
mkdir -p "$state/refused"

requests=certificatesigningrequests.v1.certificates.k8s.io
# One request in full, then what is declared for its node. Every text that a requester chooses is one word, encoded by urlquery.
template='{{range .items}}{{if eq .kind "ConfigMap"}}{{with .data}}{{with index . "NODE"}}{{.}}{{end}}{{end}}{{else}}'
template=$template'{{urlquery .spec.username}} groups:{{range .spec.groups}}{{urlquery .}},{{end}} '
template=$template'usages:{{range .spec.usages}}{{urlquery .}},{{end}} {{.spec.request}}{{end}}{{"\n"}}{{end}}'

kubectl() {
  "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" "$@" </dev/null
}

# refuse NAME WHY LASTS: says why, once. LASTS `always`: nothing can change it, so the request is not judged again.
refuse() {
  said=
  [ ! -e "$state/refused/$1" ] || read -r _ said <"$state/refused/$1"
  [ "$2" = "$said" ] || echo "left pending: $1 of $requester: $2"
  echo "$3 $2" >"$state/refused/$1"
}

forget() {
  [ ! -e "$state/refused/$1" ] || rm -f "$state/refused/$1"
}

# consider EVENT NAME AGE SIGNER REQUESTER DURATION CONDITION REST: a row of the table of requests. Starts a process only for a request
# that was not judged, of a node that has a turn.
consider() {
  case $2 in '' | *[!a-z0-9.-]*) return ;; esac
  if [ "$1" = DELETED ]; then forget "$2" && return; fi
  # A requester with a space in its name makes a row of more words. It is no node.
  [ "$4 $7 $8" = 'kubernetes.io/kubelet-serving Pending ' ] || return
  lasts=
  [ ! -e "$state/refused/$2" ] || read -r lasts _ <"$state/refused/$2"
  [ "$lasts" != always ] || return
  requester=$5
  node=${requester#system:node:}
  if [ "$node" = "$requester" ]; then refuse "$2" "the requester is not a node" always && return; fi
  case $node in '' | *[!a-z0-9.-]*) refuse "$2" "the requester has no name that a node can have" always && return ;; esac
  if has_turn; then judge "$2"; fi
}

# Fails when enough requests of the node were judged at this look.
has_turn() {
  judged=0
  [ ! -e "$state/judged/$node" ] || read -r judged <"$state/judged/$node"
  echo $((judged + 1)) >"$state/judged/$node"
  [ "$judged" != "$most_of_a_node" ] || echo "$requester has more than $most_of_a_node requests: the others wait"
  [ "$judged" -lt "$most_of_a_node" ]
}

# judge NAME
judge() {
  # No answer is no verdict: the next look asks again.
  answer=$(kubectl get "$requests/$1" configmap/k8s-hardway-nodes --namespace=kube-system \
    --output=go-template="${template%NODE*}$node${template#*NODE}" 2>"$state/lookup-error") || return
  { read -r username groups usages request && read -r declared; } <<END
$answer
END
  if ! why=$(objection "$username" "${groups#groups:}" "${usages#usages:}" "$request"); then refuse "$1" "$why" always && return; fi
  if [ -z "$declared" ]; then refuse "$1" "node $node is not declared" for-now && return; fi
  names=$(printf '%s\n' "$request" | NODE=$node DECLARED=$declared PEM=$state/request.pem awk -f "$reader")
  case $? in
    0) ;;
    3) refuse "$1" "$names" for-now && return ;;
    *) refuse "$1" "${names:-it cannot be read}" always && return ;;
  esac
  case $(openssl req -in "$state/request.pem" -noout -verify 2>&1) in
    *'verify OK'*) approve "$1" "$names" ;;
    *) refuse "$1" "its signature is not that of its key" always ;;
  esac
}

# objection USERNAME GROUPS USAGES REQUEST: prints what is wrong and fails, or succeeds.
objection() {
  [ "$1" = "system%3Anode%3A$node" ] || { echo "the requester is not node $node" && return 1; }
  case ",$2" in *,system%3Anodes,*) ;; *) echo "the requester is not in group system:nodes" && return 1 ;; esac
  case ",$3" in *,server+auth,*) ;; *) echo "usage 'server auth' is missing" && return 1 ;; esac
  rest=$3
  while [ -n "$rest" ]; do
    case ${rest%%,*} in
      digital+signature | key+encipherment | server+auth) ;;
      *) echo "usage '$(printf '%s' "${rest%%,*}" | tr + ' ')' is not one of a server" && return 1 ;;
    esac
    rest=${rest#*,}
  done
  [ ${#4} -le "$longest_request" ] || { echo "it is longer than any request of a kubelet" && return 1; }
}

# approve NAME NAMES
approve() {
  if answer=$(kubectl certificate approve "$1" 2>&1); then
    echo "approved: $1 of $requester for $2"
    forget "$1"
  else
    echo "cannot approve $1: $answer"
  fi
}

# A watch reports a new request at once. It ends after a minute or two and begins again with the list of all, so nothing is missed; not on
# all hosts at the same time. What comes is a table, which has no contents of requests.
look() {
  rm -rf "$state/judged" && mkdir "$state/judged"
  timeout $((60 + $(od -An -N1 -tu1 /dev/urandom) / 4)) "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" get "$requests" \
    --field-selector=spec.signerName=kubernetes.io/kubelet-serving --watch --output-watch-events --no-headers 2>"$state/watch-error" |
    while read -r event name age signer by duration condition more; do
      consider "$event" "$name" "$age" "$signer" "$by" "$duration" "$condition" "$more"
    done
}

complained=
while :; do
  look
  complaint=$(tail -n 1 "$state/watch-error")
  if [ -n "$complaint" ] && [ "$complaint" != "$complained" ]; then echo "cannot watch requests, trying again: $complaint"; fi
  complained=$complaint
  # Requests are deleted after a day (pkg/controller/certificates/cleaner of Kubernetes).
  find "$state/refused" -type f -mtime +1 -exec rm -f {} +
  sleep 1
done
