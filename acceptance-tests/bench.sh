#!/usr/bin/env bash
# bench.sh PROVIDER [PART...]: measures a release build. Parts, all of them if none is named:
#   start         from start to handshake, and memory, beside terraform-provider-tls in one run
#   certificates  333 keys and certificates: one k8s_pki beside 1,001 resources of terraform-provider-tls, apply and empty plan
#   cluster       the quick start from apply to Ready, with the programs in the hosts' caches and the load balancers up; its empty plan
# Needs root for the cluster. Nothing else should run meanwhile.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=SCRIPTDIR/lab/cache.sh
. "$here/lab/cache.sh"

provider=$(readlink -f "$1")
shift
parts=("$@")
((${#parts[@]})) || parts=(start certificates cluster)

export LAB_DIR=/var/tmp/terraform-provider-k8s-bench CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
mkdir -p "$LAB_DIR"
trap '"$here/lab/lab" down >/dev/null 2>&1 || true; rm -rf "$LAB_DIR"' EXIT
terraform=$("$here/lab/engines/build.sh" --any)

# workspace SOURCE NAME: makes it, prints its folder.
workspace() {
  "$here/lab/workspace.sh" "$provider" "$1" "$LAB_DIR/$2"
  printf '%s\n' "$LAB_DIR/$2"
}

# engine FOLDER COMMAND...: quietly.
engine() {
  local folder=$1
  shift
  TF_CLI_CONFIG_FILE=$folder/.engine/terraform.rc "${in_lab[@]}" "$terraform" -chdir="$folder" "$@" > "$folder/last.log" 2>&1 ||
    { cat "$folder/last.log" >&2; die "$* failed in $folder"; }
}
in_lab=()

# timed NAME COMMAND...: prints how long it took.
timed() {
  local name=$1 began=$EPOCHREALTIME
  shift
  "$@"
  LC_ALL=C awk -v name="$name" -v began="$began" -v ended="$EPOCHREALTIME" 'BEGIN { printf "%-48s %6.2f s\n", name, ended - began }'
}

tls_provider() { "$here/lab/engines/build.sh" terraform-provider-tls; }

bench_start() {
  local tls
  tls=$(tls_provider)
  python3 "$here/bench/handshake.py" 21 "$provider" "$tls"
}

bench_certificates() {
  local ours theirs place registry tls
  ours=$(workspace "$here/bench/pki" pki)
  engine "$ours" init
  timed "k8s_pki, 333 certificates: apply" engine "$ours" apply -auto-approve
  timed "k8s_pki, 333 certificates: empty plan" engine "$ours" plan -detailed-exitcode
  theirs=$(workspace "$here/bench/tls" tls)
  tls=$(tls_provider)
  for registry in registry.terraform.io registry.opentofu.org; do
    place=$theirs/.engine/providers/$registry/hashicorp/tls/4.2.1/linux_amd64
    mkdir -p "$place"
    cp "$tls" "$place/terraform-provider-tls_v4.2.1"
  done
  engine "$theirs" init
  timed "tls, 1,001 resources: apply" engine "$theirs" apply -auto-approve
  timed "tls, 1,001 resources: empty plan" engine "$theirs" plan -detailed-exitcode
}

bench_cluster() {
  local cluster
  in_lab=("$here/lab/lab" exec)
  "$here/lab/lab" up --fresh
  cluster=$(workspace "$here/../examples/quickstart" cluster)
  engine "$cluster" init
  timed "quick start, cold hosts: apply" engine "$cluster" apply -auto-approve
  timed "quick start: empty plan" engine "$cluster" plan -detailed-exitcode
  timed "quick start: destroy" engine "$cluster" destroy -auto-approve
  engine "$cluster" apply -auto-approve -target=k8s_pki.main -target=k8s_lb_vrrp.api
  timed "three hosts, warm caches, load balancers up: apply" engine "$cluster" apply -auto-approve
}

for part in "${parts[@]}"; do
  declare -F "bench_$part" >/dev/null || die "there is no part '$part'; there are: start certificates cluster"
  say "$part"
  "bench_$part"
done
