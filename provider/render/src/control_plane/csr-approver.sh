#!/bin/sh
# Approves the serving certificate requests of kubelets (signer kubernetes.io/kubelet-serving), which Kubernetes leaves to the
# owner of the cluster. A request is approved when all of this holds; otherwise it stays pending and the journal says why:
#   - it was made by a node, and its subject is that node's;
#   - it is one request in the form in which kubelets write it, with nothing else in it, so that whoever signs it reads the same;
#   - it asks for the usages of a server and no others;
#   - each of its names and addresses is among those that were declared for the node, in the ConfigMap k8s-hardway-nodes of
#     namespace kube-system (node: "name address …").
# usage: csr-approver KUBECTL KUBECONFIG        RUNTIME_DIRECTORY is set by systemd
set -u

program=$1
kubeconfig=$2
state=$RUNTIME_DIRECTORY
mkdir -p "$state/refused"

# Every text that a requester chooses is encoded by urlquery, so it is one word without separators.
template='{{if and (ne .type "DELETED") (not .object.status.conditions)}}{{urlquery .object.metadata.name}} '
template=$template'{{urlquery .object.spec.username}} '
template=$template'groups:{{range .object.spec.groups}}{{urlquery .}},{{end}} '
template=$template'usages:{{range .object.spec.usages}}{{urlquery .}},{{end}} '
template=$template'{{.object.spec.request}}{{"\n"}}{{end}}'

# Run by awk on the output of `openssl asn1parse`: exit 0 when the request has names and all of them are declared. The bytes of
# the extension are read, because its text does not tell where a name ends.
# shellcheck disable=SC2016 # awk's variables, not the shell's
names_are_declared='
function byte(at) { return 16 * index("123456789ABCDEF", substr(hex, at, 1)) + index("123456789ABCDEF", substr(hex, at + 1, 1)) }
function refuse(why) { print why; refused = 1; exit 1 }
# Sets `at` to the first digit of the content, returns the length of the content in bytes.
function content_length(    length_bytes, total) {
  total = byte(at); at += 2
  if (total < 128) return total
  length_bytes = total - 128; total = 0
  if (length_bytes < 1 || length_bytes > 2) refuse("a name of the request cannot be read")
  while (length_bytes-- > 0) { total = 256 * total + byte(at); at += 2 }
  return total
}
function dns_name(from, count,    i, code, name) {
  for (i = 0; i < count; i++) {
    code = byte(from + 2 * i)
    if (code < 33 || code > 126) refuse("a DNS name of the request holds a character that no name has")
    name = name sprintf("%c", code)
  }
  return "dns " tolower(name)
}
# The form in which a declared word is compared: "dns <name>" or "ip <hexadecimal digits>".
function canonical(word,    parts, count, i, halves, front, back, text) {
  if (word ~ /^[0-9]+\.[0-9]+\.[0-9]+\.[0-9]+$/) {
    split(word, parts, ".")
    for (i = 1; i <= 4; i++) text = text sprintf("%02X", parts[i])
    return "ip " text
  }
  if (word !~ /:/) return "dns " tolower(word)
  count = split(word, halves, "::")
  front = groups(halves[1])
  back = count > 1 ? groups(halves[2]) : ""
  while (length(front) + length(back) < 32) front = front "0"
  return "ip " front back
}
function groups(text,    parts, count, i, result) {
  if (text == "") return ""
  count = split(toupper(text), parts, ":")
  for (i = 1; i <= count; i++) result = result substr("0000" parts[i], length(parts[i]) + 1)
  return result
}
# Of the attributes there is one, the requested extensions, and of these one list. A decoy in another attribute is read by none but us.
{ match($0, /:d=[0-9]+/); depth = substr($0, RSTART + 3, RLENGTH - 3) + 0 }
depth == 1 { in_attributes = 0 }
depth == 2 && /cons: cont \[ 0 \]/ { in_attributes = 1; next }
in_attributes && depth == 3 { if (attributes++ || $0 !~ /cons: SEQUENCE *$/) refuse("it has other attributes than the extensions that it asks for") }
in_attributes && depth == 4 && /prim:/ { if ($0 !~ /prim: OBJECT +:Extension Request *$/) refuse("it has other attributes than the extensions that it asks for") }
in_attributes && depth == 5 { if (lists++ || $0 !~ /cons: SEQUENCE *$/) refuse("it has more than one list of extensions") }
/:X509v3 Subject Alternative Name *$/ { if (!in_attributes || depth != 7) refuse("its names stand where no names stand"); found++; wanted = 1; next }
wanted && /prim: BOOLEAN/ { next }
wanted { wanted = 0; if ($0 ~ /OCTET STRING +\[HEX DUMP\]:[0-9A-F]+$/) { hex = $0; sub(/.*:/, "", hex) } }
END {
  if (refused) exit 1
  if (found != 1 || substr(hex, 1, 2) != "30") refuse("it has no names and addresses, or they cannot be read")
  count = split(declared, words, " ")
  for (i = 1; i <= count; i++) known[canonical(words[i])] = 1
  at = 3
  if (at + 2 * content_length() - 1 > length(hex)) refuse("a name of the request cannot be read")
  while (at < length(hex)) {
    tag = substr(hex, at, 2); at += 2
    bytes = content_length()
    if (at + 2 * bytes - 1 > length(hex)) refuse("a name of the request cannot be read")
    if (tag == "82") name = dns_name(at, bytes)
    else if (tag == "87") name = "ip " substr(hex, at, 2 * bytes)
    else refuse("it asks for something else than DNS names and addresses")
    if (!(name in known)) refuse("the node was not declared with " name)
    at += 2 * bytes
  }
  exit 0
}'

kubectl() {
  "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" "$@" </dev/null
}

# consider NAME USERNAME GROUPS USAGES REQUEST
consider() {
  name=$1
  requester=$(printf '%s' "$2" | sed 's/%3A/:/g')
  case $name in '' | *[!a-z0-9.-]*) return ;; esac
  if ! why=$(objection "$2" "${3#groups:}" "${4#usages:}" "$5"); then
    # Said once, not at each look.
    if [ "$why" != "$(cat "$state/refused/$name" 2>/dev/null)" ]; then
      echo "left pending: $name of $requester: $why"
      printf '%s\n' "$why" >"$state/refused/$name"
    fi
    return
  fi
  if answer=$(kubectl certificate approve "$name" 2>&1); then
    echo "approved: $name of $requester"
    rm -f "$state/refused/$name"
  else
    echo "cannot approve $name: $answer"
  fi
}

# objection USERNAME GROUPS USAGES REQUEST: prints why the request is not approved and fails, or succeeds.
objection() {
  node=${1#system%3Anode%3A}
  if [ "$node" = "$1" ]; then echo "the requester is not a node" && return 1; fi
  case $node in '' | *[!a-z0-9.-]*) echo "the requester has no name that a node can have" && return 1 ;; esac
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
  printf '%s\n' "$4" | openssl base64 -d -A >"$state/request.pem" 2>/dev/null
  subject=$(openssl req -in "$state/request.pem" -noout -subject -nameopt RFC2253 2>/dev/null)
  case ${subject#subject=} in
    "CN=system:node:$node,O=system:nodes" | "O=system:nodes,CN=system:node:$node") ;;
    *) echo "its subject is not that of node $node" && return 1 ;;
  esac
  declared=$(kubectl get configmap k8s-hardway-nodes --namespace=kube-system \
    --output=go-template="{{with .data}}{{with index . \"$node\"}}{{.}}{{end}}{{end}}" 2>"$state/lookup-error")
  if [ -z "$declared" ]; then echo "node $node is not declared. $(cat "$state/lookup-error")" && return 1; fi
  # Programs read PEM and what follows a request by rules of their own: it must be what openssl itself writes.
  if [ "$(openssl req -in "$state/request.pem" -outform PEM 2>/dev/null)" != "$(cat "$state/request.pem")" ]; then
    echo "it is not one certificate request in PEM and nothing else" && return 1
  fi
  if ! { openssl req -in "$state/request.pem" -outform DER -out "$state/request.der" 2>/dev/null &&
    openssl asn1parse -inform DER -in "$state/request.der" >"$state/request.txt" 2>/dev/null; }; then
    echo "it cannot be read to its end" && return 1
  fi
  awk -v declared="$declared" "$names_are_declared" "$state/request.txt"
}

complained=
while :; do
  # A watch tells of a new request at once. It ends after a minute and starts again with the list of all, so nothing is missed.
  timeout 60 "$program" --kubeconfig="$kubeconfig" --cache-dir="$state/cache" get certificatesigningrequests.v1.certificates.k8s.io \
    --field-selector=spec.signerName=kubernetes.io/kubelet-serving --watch --output-watch-events \
    --output=go-template="$template" 2>"$state/watch-error" |
    while read -r csr_name csr_username csr_groups csr_usages csr_request; do
      consider "$csr_name" "$csr_username" "$csr_groups" "$csr_usages" "$csr_request"
    done
  complaint=$(tail -n 1 "$state/watch-error")
  if [ -n "$complaint" ] && [ "$complaint" != "$complained" ]; then echo "cannot watch requests, trying again: $complaint"; fi
  complained=$complaint
  find "$state/refused" -type f -mtime +1 -exec rm -f {} +
  sleep 1
done
