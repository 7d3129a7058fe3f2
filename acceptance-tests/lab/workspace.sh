#!/usr/bin/env bash
# workspace.sh PROVIDER SOURCE FOLDER: makes FOLDER a place where an engine can work: the HCL of the folder SOURCE, values for the
# quick start's variables that fit the lab, and an engine configuration (.engine/terraform.rc, for TF_CLI_CONFIG_FILE) that knows no
# provider but the program PROVIDER. A state that is there stays.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=cache.sh
. "$here/cache.sh"

provider=$(readlink -f "$1") source=$2 folder=$3
version=0.1.0
eval "$("$here/lab" env)"

umask 077 # a state holds private keys
mkdir -p "$folder/.engine"
folder=$(readlink -f "$folder")
cp "$source"/*.tf "$folder/"

# The layout of a file system mirror, once for each engine's home registry.
case $(uname -m) in
  aarch64) platform=linux_arm64 ;;
  *) platform=linux_amd64 ;;
esac
for registry in registry.terraform.io registry.opentofu.org; do
  place=$folder/.engine/providers/$registry/k8s-hardway/k8s/$version/$platform
  mkdir -p "$place"
  # A copy, or a link where it lies on the same disk: the next build puts another file in its place.
  cp --force --link "$provider" "$place/terraform-provider-k8s_v$version" 2>/dev/null ||
    cp --force "$provider" "$place/terraform-provider-k8s_v$version"
done
rm -f "$folder/.terraform.lock.hcl" # it pins the digest of an earlier build

cat > "$folder/.engine/terraform.rc" << CONFIGURATION
disable_checkpoint = true
provider_installation {
  filesystem_mirror {
    path = "$folder/.engine/providers"
  }
}
CONFIGURATION

# All hosts see the disk of the outer machine, of which a share may be taken by others: thresholds in absolute figures.
kubelet_config='{ \"evictionHard\": { \"memory.available\": \"100Mi\", \"nodefs.available\": \"1Gi\", \"nodefs.inodesFree\": \"1%\",'
kubelet_config+=' \"imagefs.available\": \"1Gi\" }, \"imageGCHighThresholdPercent\": 100 }'

# An engine warns of values for variables that nobody declares.
[[ -e $folder/lab.auto.tfvars.json || ! -e $source/variables.tf ]] || cat > "$folder/lab.auto.tfvars.json" << VARIABLES
{
  "private_key_file": "$LAB_SSH_KEY",
  "known_hosts_file": "$LAB_KNOWN_HOSTS",
  "mirror": "$LAB_MIRROR_URL",
  "kubelet_config": "$kubelet_config",
  "registry_mirrors": { "registry.k8s.io": "$LAB_MIRROR_URL", "ghcr.io": "$LAB_MIRROR_URL", "lab.local": "$LAB_MIRROR_URL" },
  "progress_file": "$folder/progress.log"
}
VARIABLES
