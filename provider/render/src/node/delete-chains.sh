# Deletes the chains of kube-proxy, the kubelet and the pod network's portmap, with the rules that lead to them, by name, in one transaction
# for each table: what others have stays, and what they add meanwhile. Another network may have ports in portmap's chains.
# shellcheck disable=SC2016 # awk's variables, not the shell's
delete_chains='
function target(rule) { return match(rule, / -[jg] [^ ]+/) ? substr(rule, RSTART + 4, RLENGTH - 4) : "" }
/^\*/ { table = $0; chains = rules = 0 }
/^:/ { chain[++chains] = substr($1, 2) }
/^-A / { rule[++rules] = $0; of[rules] = $2 }
/^COMMIT/ {
  split("", doomed)
  others = 0
  for (i = 1; i <= rules; i++) if (of[i] == "CNI-HOSTPORT-DNAT") {
    if (index(rule[i], "name: \\\"k8s-hardway\\\" ")) doomed[target(rule[i])] = 1
    else others = 1
  }
  flushed = deleted = ""
  for (i = 1; i <= chains; i++) if (chain[i] ~ /^KUBE-/ || (chain[i] ~ /^CNI-HOSTPORT-/ && !others)) doomed[chain[i]] = 1
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
    changes=$("$family-save" | awk "$delete_chains")
    [ -n "$changes" ] || break
    printf '%s\n' "$changes" | "$family-restore" --noflush
  done
done
