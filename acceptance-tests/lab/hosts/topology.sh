# shellcheck shell=bash
# Sourced. Which hosts there are, what they are called on the network, and where everything of a running lab is.
# shellcheck disable=SC2034 # read by the scripts which source this

host_names=(lb-1 lb-2 cp-1 cp-2 cp-3 worker-1 worker-2)
declare -A host_number=([lb-1]=11 [lb-2]=12 [cp-1]=13 [cp-2]=14 [cp-3]=15 [worker-1]=16 [worker-2]=17)

# Two networks, and the client is the router between them. All hosts are on the first one, but for worker-2.
ipv4_prefixes=([1]=10.77.0 [2]=10.77.1)
ipv6_prefixes=([1]=fd77:0:0:1: [2]=fd77:0:0:2:)
client_number=1
host_network() { [[ $1 == worker-2 ]] && echo 2 || echo 1; }

# A lab is its folder. Several are up side by side, with the same addresses in networks that are not connected: what is theirs on the
# outer machine carries a hash of the folder in its name.
lab_dir=$(realpath -m "${LAB_DIR:-/var/tmp/terraform-provider-k8s-lab}")
lab_id=$(sha256sum <<< "$lab_dir" | cut -c 1-8)
# Holds a file for each lab that is up, and in it the lab's folder.
labs_up=/run/terraform-provider-k8s-labs

# The client (the engine, the mirror) has a network namespace of its own, which also holds the bridges between the hosts. It is not
# connected to anything else: nothing that happens in the lab can reach the outer machine.
client_namespace=labnet-$lab_id
bridges=([1]=lab0 [2]=lab1)
# Everything the lab starts runs in control groups below this one; this is how it is found again to be ended.
control_group=terraform-provider-k8s-lab-$lab_id

# The same number ends both addresses: 10.77.0.11 and fd77:0:0:1::11 (where it is read as hexadecimal).
host_ipv4() { printf '%s.%s\n' "${ipv4_prefixes[$(host_network "$1")]}" "${host_number[$1]}"; }
host_ipv6() { printf '%s:%s\n' "${ipv6_prefixes[$(host_network "$1")]}" "${host_number[$1]}"; }
client_ipv4() { printf '%s.%s\n' "${ipv4_prefixes[$1]}" "$client_number"; } # in the network with that number
client_ipv6() { printf '%s:%s\n' "${ipv6_prefixes[$1]}" "$client_number"; }
host_namespace() { printf '%s-%s\n' "$client_namespace" "$1"; }
host_link() { printf 'lab-%s\n' "$1"; } # the bridge's end of the host's cable

host_folder() { printf '%s/hosts/%s\n' "$lab_dir" "$1"; }
host_log() { printf '%s/log/%s.log\n' "$lab_dir" "$1"; }
