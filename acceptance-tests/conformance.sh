#!/usr/bin/env bash
# conformance.sh PROVIDER: Kubernetes' own conformance tests on a cluster out of examples/quickstart in the lab. Prints how many passed, failed
# and were left out; ends with an error when a test of which conformance-left-out.txt says nothing failed or skipped itself, or when
# one that it lists passed. Needs root, and what `lab build` makes. Variables:
#   FOCUS              a regular expression: only the tests whose name it matches (all)
#   PROCS              so many tests at a time, where they allow it (4)
#   CLUSTER            quickstart (default); ipv6-first: the same with IPv6 as the first address family; add-on-network: with flannel
#                      of the catalogue in place of the routed network
#   CONFORMANCE_DIR    where the reports and the log are kept (<cache>/conformance/<CLUSTER>)
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=SCRIPTDIR/lab/cache.sh
. "$here/lab/cache.sh"

provider=$(readlink -f "$1")
cluster=${CLUSTER:-quickstart}
reports=$(realpath -m "${CONFORMANCE_DIR:-$(cache_root)/conformance/$cluster}")

export LAB_DIR=/var/tmp/terraform-provider-k8s-conformance-$cluster CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
folder=$LAB_DIR/cluster
running=''

# run COMMAND...: as a process group of its own, which an interrupted script ends.
run() {
  local status=0
  setsid "$@" & # which forks nothing in a script: the group has the number of the job
  running=$!
  wait "$running" || status=$?
  running=''
  return "$status"
}

# Also when interrupted. The tests get a moment for an orderly end: the reports are written in it.
finish() {
  trap - EXIT INT TERM HUP
  if [[ -n $running ]]; then
    local second
    kill -TERM -- "-$running" 2>/dev/null || true
    for ((second = 0; second < 20; second++)); do
      kill -0 "$running" 2>/dev/null || break
      sleep 1
    done
    kill -KILL -- "-$running" 2>/dev/null || true
  fi
  "$here/lab/lab" down >/dev/null 2>&1 || say "the lab did not end; try: LAB_DIR=$LAB_DIR $here/lab/lab down"
  rm -rf "$LAB_DIR"
}

# engine SUBCOMMAND...: in the client's network, in the cluster's folder.
engine() {
  TF_CLI_CONFIG_FILE=$folder/.engine/terraform.rc run "$here/lab/lab" exec "$terraform" -chdir="$folder" "$@"
}

# quietly NAME COMMAND...: shows what a command printed only when it failed.
quietly() {
  local log=$reports/$1.log
  shift
  "$@" > "$log" 2>&1 || { cat "$log" >&2; die "$1 failed; its output is in $log"; }
}

# The variables and overrides by which a cluster differs from the quick start.
variant_quickstart() { :; }

variant_ipv6-first() {
  cat > "$folder/variant.auto.tfvars.json" << 'VARIABLES'
{
  "virtual_addresses": ["fd77:0:0:1::100/64", "10.77.0.100/24"],
  "control_plane": {
    "cp-1": { "address": "fd77:0:0:1::13", "secondary_address": "10.77.0.13" },
    "cp-2": { "address": "fd77:0:0:1::14", "secondary_address": "10.77.0.14" },
    "cp-3": { "address": "fd77:0:0:1::15", "secondary_address": "10.77.0.15" }
  }
}
VARIABLES
  cat > "$folder/variant_override.tf" << 'OVERRIDE'
locals {
  endpoint = "https://[${local.virtual_addresses[0]}]:6443"
}

resource "k8s_pki" "main" {
  service_cidrs = ["fd00:96::/112", "10.96.0.0/16"]
}

resource "k8s_lb_vrrp" "api" {
  listeners = {
    apiserver = {
      port         = 6443
      backends     = [for host in var.control_plane : "[${host.address}]:6443"]
      health_check = { https_path = "/readyz" }
    }
  }
}

resource "k8s_hardway_cluster" "main" {
  network = {
    pod_cidrs     = ["fd00:18::/56", "172.18.0.0/16"]
    service_cidrs = k8s_pki.main.service_cidrs
  }
}
OVERRIDE
}

variant_add-on-network() {
  cat > "$folder/variant_override.tf" << 'OVERRIDE'
resource "k8s_hardway_cluster" "main" {
  network = {
    pod_cidrs     = ["172.18.0.0/16", "fd00:18::/56"]
    service_cidrs = k8s_pki.main.service_cidrs
    pod_network   = "none"
  }
}

resource "k8s_node_group" "nodes" {
  proxy_mode = "nftables"
}
OVERRIDE
  cat > "$folder/flannel.tf" << 'FLANNEL'
resource "k8s_addon" "flannel" {
  name       = "flannel"
  version    = "0.28.10"
  cluster    = k8s_hardway_cluster.main.join
  depends_on = [k8s_node_group.nodes]
}
FLANNEL
}

make_cluster() {
  "$here/lab/lab" up --fresh
  "$here/lab/workspace.sh" "$provider" "$here/../examples/quickstart" "$folder"
  "variant_$cluster"
  say "applying examples/quickstart as $cluster"
  quietly init engine init -input=false -no-color
  quietly apply engine apply -auto-approve -input=false -no-color
  (umask 077 && engine output -raw kubeconfig > "$folder/kubeconfig")
}

# The tests call kubectl.
install_tests() {
  mkdir -p "$folder/bin"
  tar -x --directory "$folder/bin" --strip-components 3 --file "$LAB_MIRROR_DIR"/dl.k8s.io/release/v*/kubernetes-test-linux-amd64.tar.gz
  install -m 755 "$LAB_MIRROR_DIR"/dl.k8s.io/release/v*/bin/linux/amd64/kubectl "$folder/bin/kubectl"
}

# tests NAME LABELS PROCESSES: runs those of the conformance tests which LABELS selects. That some failed is no error here.
tests() {
  local name=$1 labels=$2 processes=$3 status=0
  say "running the $name tests, $processes at a time; the log is $reports/$name.log"
  mkdir -p "$reports/$name"
  PATH=$folder/bin:$PATH run "$here/lab/lab" exec ginkgo --procs="$processes" --label-filter="Conformance && $labels" --focus="${FOCUS:-.}" \
    --timeout=12h --no-color --silence-skips "$folder/bin/e2e.test" -- --kubeconfig="$folder/kubeconfig" --provider=skeleton --disable-log-dump \
    --report-dir="$reports/$name" > "$reports/$name.log" 2>&1 || status=$?
  [[ -s $reports/$name/junit_01.xml ]] || { tail -n 50 "$reports/$name.log" >&2; die "the $name tests wrote no report ($status)"; }
}

((EUID == 0)) || die "the lab makes network namespaces and mounts: run it as root"
declare -F "variant_$cluster" >/dev/null || die "there is no cluster '$cluster'; there are: $(declare -F | sed -n 's/.* variant_//p' | xargs)"
"$here/lab/mirror/build.sh" conformance >/dev/null
terraform=$("$here/lab/engines/build.sh" --any)
rm -rf "$reports"/{parallel,serial} "$reports"/{init,apply,parallel,serial}.log
mkdir -p "$reports" "$LAB_DIR"
trap finish EXIT
trap 'exit 130' INT
trap 'exit 143' TERM HUP
eval "$("$here/lab/lab" env)"
make_cluster
install_tests
tests parallel '!Serial' "${PROCS:-4}"
tests serial Serial 1
python3 "$here/conformance.py" "$here/conformance-left-out.txt" "${FOCUS:+some}" "$reports"/*/junit_01.xml
