#!/usr/bin/env bash
# run-host.sh HOST: the power supply of one host. Runs systemd as process 1 of new namespaces over the host's disk until the host
# is powered off or killed; a reboot inside boots it again. Started by `lab`, in the background.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../cache.sh
. "$here/../cache.sh"
# shellcheck source=network.sh
. "$here/network.sh"
# shellcheck source=control-groups.sh
. "$here/control-groups.sh"

host=$1
folder=$(host_folder "$host")
reboot_status=129 # reboot(2) ends process 1 of a pid namespace by SIGHUP, power off by SIGINT

control_group_enter "$host"
for ((boot = 1; boot <= 1000; boot++)); do
  [[ -d $folder ]] || exit 0 # the lab was taken down meanwhile
  host_network_up "$host"
  say "$host: boot $boot"
  status=0
  nsenter --net="/run/netns/$(host_namespace "$host")" \
    unshare --mount --uts --ipc --pid --cgroup --fork --kill-child=SIGKILL -- \
    "$here/init-host.sh" "$host" || status=$?
  say "$host: process 1 ended with status $status"
  host_network_down "$host"
  [[ $status == "$reboot_status" ]] || break
done
