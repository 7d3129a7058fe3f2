# Deletes chains of kube-proxy, the kubelet and the pod network's portmap, with the rules that lead to them, by name, in one transaction for each
# table: what others have stays, and what they add meanwhile. kube-router's chains begin with KUBE- too, and another network may have ports in
# portmap's. Only those of kube-proxy with chains=proxy: the kubelet runs on, and pods that go on keep their ports. Only ports with chains=ports.
# Sources: pkg/proxy/{iptables,ipvs}/proxier.go and pkg/kubelet/kubelet_network_linux.go of Kubernetes, also of versions before.
# shellcheck disable=SC2016 # awk's variables, not the shell's
delete_chains='
function target(rule) { return match(rule, / -[jg] [^ ]+/) ? substr(rule, RSTART + 4, RLENGTH - 4) : "" }
function is_proxys(chain) {
  return chain ~ /^KUBE-(SERVICES|EXTERNAL-SERVICES|NODEPORTS|NODE-PORT|POSTROUTING|MARK-MASQ|MARK-DROP|FORWARD|LOAD-BALANCER)$/ ||
    chain ~ /^KUBE-(PROXY-FIREWALL|PROXY-CANARY|SOURCE-RANGES-FIREWALL|IPVS-FILTER|IPVS-OUT-FILTER)$/ || chain ~ /^KUBE-(SVC|SVL|SEP|FW|EXT|XLB)-/
}
function is_kubelets(chain) { return chain ~ /^KUBE-(FIREWALL|IPTABLES-HINT|KUBELET-CANARY)$/ }
/^\*/ { table = $0; chains = rules = 0 }
/^:/ { chain[++chains] = substr($1, 2) }
/^-A / { rule[++rules] = $0; of[rules] = $2 }
/^COMMIT/ {
  split("", doomed)
  others = chains_of == "proxy"
  for (i = 1; i <= rules; i++) if (of[i] == "CNI-HOSTPORT-DNAT") {
    if (chains_of != "proxy" && index(rule[i], "name: \\\"k8s-hardway\\\" ")) doomed[target(rule[i])] = 1
    else others = 1
  }
  flushed = deleted = ""
  for (i = 1; i <= chains; i++) {
    if (chains_of != "ports" && (is_proxys(chain[i]) || (chains_of == "" && is_kubelets(chain[i])))) doomed[chain[i]] = 1
    if (chain[i] ~ /^CNI-HOSTPORT-/ && !others) doomed[chain[i]] = 1
  }
  for (i = 1; i <= chains; i++) if (chain[i] in doomed) {
    flushed = flushed ":" chain[i] " - [0:0]\n"
    deleted = deleted "-X " chain[i] "\n"
  }
  for (i = 1; i <= rules; i++) if (!(of[i] in doomed) && target(rule[i]) in doomed) flushed = flushed "-D" substr(rule[i], 3) "\n"
  if (deleted != "") printf "%s\n%s%sCOMMIT\n", table, flushed, deleted
}'
for family in iptables ip6tables; do
  command -v "$family-save" >/dev/null || continue
  # A rule that somebody deletes in between stops the transaction.
  for _ in 1 2 3; do
    changes=$("$family-save" | awk -v chains_of="${chains-}" "$delete_chains")
    [ -n "$changes" ] || break
    printf '%s\n' "$changes" | "$family-restore" --noflush
  done
done
