# shellcheck shell=bash
# Sourced. Control groups: each host has a subtree of its own, which it sees as the root, and each background program of the lab has
# one too. Whatever runs in them was started by the lab. Works with version 1, with the usual mix of 1 and 2, and with version 2.
#

# shellcheck source=topology.sh
. "$(dirname "${BASH_SOURCE[0]}")/topology.sh"

# Prints the mount points of all hierarchies.
control_group_hierarchies() {
  awk '$3 == "cgroup" || $3 == "cgroup2" { print $2 }' /proc/mounts
}

# The one hierarchy in which processes are looked up: version 2 if there is one (also as an addition to version 1), else pids.
control_group_main_hierarchy() {
  awk '$3 == "cgroup2" { print $2; found = 1; exit } END { exit !found }' /proc/mounts ||
    awk '$3 == "cgroup" && $4 ~ /(^|,)pids(,|$)/ { print $2; exit }' /proc/mounts
}

# control_group_enter NAME: puts the calling shell into the group NAME of the lab, in every hierarchy.
control_group_enter() {
  local hierarchy group
  for hierarchy in $(control_group_hierarchies); do
    group=$hierarchy/$control_group/$1
    mkdir -p "$group"
    case $hierarchy in
      */cpuset) # a new group is empty and admits nobody until it is given processors and memory
        local folder
        for folder in "$hierarchy/$control_group" "$group"; do
          cat "$hierarchy/cpuset.cpus" > "$folder/cpuset.cpus"
          cat "$hierarchy/cpuset.mems" > "$folder/cpuset.mems"
          echo 1 > "$folder/cgroup.clone_children"
        done
        ;;
    esac
    if [[ -e $hierarchy/cgroup.controllers ]]; then # version 2: hand the controllers down
      local controller folder
      for controller in $(< "$hierarchy/cgroup.controllers"); do
        for folder in "$hierarchy" "$hierarchy/$control_group"; do
          echo "+$controller" > "$folder/cgroup.subtree_control" || true
        done
      done 2>/dev/null
    fi
    echo "$BASHPID" > "$group/cgroup.procs"
  done
}

# control_group_processes [NAME]: prints the ids of all processes of a group (of the whole lab), groups below it included.
control_group_processes() {
  local group
  group=$(control_group_main_hierarchy)/$control_group${1:+/$1}
  [[ -d $group ]] || return 0
  find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null || true
}

# control_group_kill [NAME]: ends all of them, by id, and waits until they are gone.
control_group_kill() {
  local attempt processes
  for ((attempt = 0; attempt < 100; attempt++)); do
    mapfile -t processes < <(control_group_processes "$@")
    ((${#processes[@]})) || return 0
    kill -KILL "${processes[@]}" 2>/dev/null || true
    sleep 0.1
  done
  die "these processes of the lab do not end: ${processes[*]}"
}

# control_group_remove [NAME]: removes the empty groups.
control_group_remove() {
  local hierarchy group
  for hierarchy in $(control_group_hierarchies); do
    group=$hierarchy/$control_group${1:+/$1}
    [[ -d $group ]] || continue
    find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
  done
}
