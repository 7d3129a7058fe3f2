# shellcheck shell=bash
# Sourced. Which hosts there are, what they are called on the network, and where everything of a running lab is.
# shellcheck disable=SC2034 # read by the scripts which source this

host_names=(lb-1 lb-2 cp-1 cp-2 cp-3 worker-1)
declare -A host_number=([lb-1]=11 [lb-2]=12 [cp-1]=13 [cp-2]=14 [cp-3]=15 [worker-1]=16)

# The same number ends both addresses: 10.77.0.11 and fd77:0:0:1::11 (where it is read as hexadecimal).
ipv4_prefix=10.77.0
ipv6_prefix=fd77:0:0:1:
client_number=1

# The client (the engine, the mirror) has a network namespace of its own, which also holds the bridge between all hosts. It is not
# connected to anything else: nothing that happens in the lab can reach the outer machine.
client_namespace=labnet
bridge=lab0

# One lab at a time on a machine. This file holds the folder of the one that is up.
owner_file=/run/terraform-provider-k8s-lab
# Everything the lab starts runs in control groups below this one; this is how it is found again to be ended.
control_group=terraform-provider-k8s-lab

lab_dir=$(realpath -m "${LAB_DIR:-/var/tmp/terraform-provider-k8s-lab}")

host_ipv4() { printf '%s.%s\n' "$ipv4_prefix" "${host_number[$1]}"; }
host_ipv6() { printf '%s:%s\n' "$ipv6_prefix" "${host_number[$1]}"; }
host_namespace() { printf '%s-%s\n' "$client_namespace" "$1"; }
host_link() { printf 'lab-%s\n' "$1"; } # the bridge's end of the host's cable

host_folder() { printf '%s/hosts/%s\n' "$lab_dir" "$1"; }
host_log() { printf '%s/log/%s.log\n' "$lab_dir" "$1"; }
