#!/usr/bin/env bash
# bench-aws.sh PROVIDER PROXY [ZONES...]: makes the same network on AWS with the provider PROVIDER, with Ansible and with kops, over 2 and
# over 6 zones unless other numbers are given, on an emulator behind PROXY (acceptance-aws-proxy), and prints calls, time, memory and
# lines side by side. The others come into the cache once: Ansible from PyPI (two minutes), kops from Go modules (ten minutes on two
# cores). bench/aws/README.md says how it is measured. Nothing else should run meanwhile.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=SCRIPTDIR/lab/cache.sh
. "$here/lab/cache.sh"

provider=$(readlink -f "$1") proxy=$(readlink -f "$2")
shift 2
zones=("$@")
((${#zones[@]})) || zones=(2 6)
requirements=$here/bench/aws/ansible/requirements.txt
python=/usr/bin/python3 # Debian's: it stays where it is

# The builder of the piece: its last argument is the folder.
install_ansible() {
  local folder=$1
  "$python" -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$requirements"
  # The package brings a hundred collections along, half a gigabyte.
  find "$folder"/lib/python3*/site-packages/ansible_collections -mindepth 1 -maxdepth 1 -type d ! -name amazon -exec rm -rf {} +
  # pip writes the folder's name into programs, and the folder gets another one when it is whole.
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python3" -m ansible playbook "$@"\n' > "$folder/bin/ansible-playbook"
  chmod 755 "$folder/bin/ansible-playbook"
  "$folder/bin/ansible-playbook" --version >/dev/null
}

"$here/lab/aws/build.sh" >/dev/null # the proxy starts it, and it brings what an environment of Python needs
key=$({
  "$python" --version
  declare -f install_ansible
  cat "$requirements"
} | cache_key)
ansible=$(cache_piece ansible "$key" install_ansible)
terraform=$("$here/lab/engines/build.sh" --any)
kops=$("$here/lab/engines/build.sh" kops)

LAB_DIR=$(mktemp -d --tmpdir terraform-provider-k8s-bench-aws.XXXXXX)
export LAB_DIR CHECKPOINT_DISABLE=1 TF_IN_AUTOMATION=1
trap 'rm -rf "$LAB_DIR"' EXIT
"$here/lab/workspace.sh" "$provider" "$here/bench/aws/k8s" "$LAB_DIR/k8s"
"$here/lab/workspace.sh" "$provider" "$here/../examples/aws-dual-stack" "$LAB_DIR/example"
rm "$LAB_DIR/example/lab.auto.tfvars.json" # values for hosts, of which there are none here

# Without compiled files in the tree.
"$python" -B "$here/bench/aws/measure.py" --proxy "$proxy" --terraform "$terraform" --workspace "$LAB_DIR/k8s" \
  --example "$LAB_DIR/example" --ansible "$ansible/bin/ansible-playbook" \
  --kops "$kops" "${zones[@]}"
