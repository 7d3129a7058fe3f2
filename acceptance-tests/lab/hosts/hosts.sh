# shellcheck shell=bash
# Sourced by `lab`. Disks of hosts, switching hosts on and off, talking to them. Needs cache.sh.

hosts_folder=$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")
# shellcheck source=topology.sh
. "$hosts_folder/topology.sh"
# shellcheck source=network.sh
. "$hosts_folder/network.sh"
# shellcheck source=control-groups.sh
. "$hosts_folder/control-groups.sh"

ssh_key=$lab_dir/id_ed25519
known_hosts=$lab_dir/known_hosts

# The identity of the hosts' SSH servers is made once and kept, so that a client which knows them keeps knowing them.
make_host_keys() {
  local host
  for host in "${host_names[@]}"; do
    ssh-keygen -q -t ed25519 -N '' -C "$host" -f "$1/$host"
  done
}

host_keys() {
  cache_piece host-keys "$(printf '%s\n' "${host_names[@]}" | cache_key)" make_host_keys
}

# Makes the client's key and its list of known hosts.
client_identity() {
  local keys=$1 host
  [[ -f $ssh_key ]] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$ssh_key"
  for host in "${host_names[@]}"; do
    printf '%s,%s,%s %s\n' "$host" "$(host_ipv4 "$host")" "$(host_ipv6 "$host")" "$(cut -d ' ' -f 1,2 "$keys/$host.pub")"
  done > "$known_hosts"
}

# host_disk HOST LOWER KEYS: makes the host's disk if it has none: an overlay over the folders LOWER, with the few files in which
# one machine differs from another.
host_disk() {
  local host=$1 lower=$2 keys=$3
  local folder unfinished
  folder=$(host_folder "$host")
  [[ ! -d $folder ]] || return 0
  unfinished=$lab_dir/unfinished/$host
  rm -rf "$unfinished"
  mkdir -p "$unfinished"/{upper,work,root} "${folder%/*}"
  printf '%s\n' "$lower" > "$unfinished/lower"
  (
    umask 022
    cd "$unfinished/upper" || exit
    mkdir -p etc/network etc/ssh root/.ssh
    chmod 700 root root/.ssh
    printf '%s\n' "$host" > etc/hostname
    printf '127.0.0.1 localhost\n127.0.1.1 %s\n::1 localhost ip6-localhost ip6-loopback\n' "$host" > etc/hosts
    printf '# no name server in the lab\n' > etc/resolv.conf # must exist: container runtimes copy it
    tr -d - < /proc/sys/kernel/random/uuid > etc/machine-id
    install -m 600 "$keys/$host" etc/ssh/ssh_host_ed25519_key
    install -m 644 "$keys/$host.pub" etc/ssh/ssh_host_ed25519_key.pub
    install -m 600 "$ssh_key.pub" root/.ssh/authorized_keys
    cat > etc/network/interfaces << INTERFACES
auto lo
iface lo inet loopback

auto eth0
iface eth0 inet static
  address $(host_ipv4 "$host")/24
  gateway $(client_ipv4 "$(host_network "$host")")
  up ip -6 addr add $(host_ipv6 "$host")/64 dev eth0 nodad
  up ip -6 route add default via $(client_ipv6 "$(host_network "$host")")
INTERFACES
  )
  mv -T "$unfinished" "$folder"
}

# Prints the process id, outside, of the host's process 1; nothing when the host is off.
host_init() {
  local process
  for process in $(control_group_processes "$1"); do
    # Inside the host's pid namespace, and nowhere deeper, it is number 1.
    if awk '$1 == "NSpid:" && NF == 3 && $3 == 1 { found = 1 } END { exit !found }' "/proc/$process/status" 2>/dev/null; then
      printf '%s\n' "$process"
      return 0
    fi
  done
}

host_is_on() { [[ -n $(control_group_processes "$1") ]]; }

# Switches a host on, in the background.
host_start() {
  background "$1" "$(host_log "$1")" "$hosts_folder/run-host.sh" "$1"
}

# background GROUP LOG COMMAND...: starts a program which lives on after this script. It is in its control group before it runs, and
# keeps no file of ours open, so no lock either.
background() {
  local group=$1 log=$2
  shift 2
  mkdir -p "${log%/*}"
  (
    control_group_enter "$group"
    exec setsid "$@"
  ) > "$log" 2>&1 < /dev/null 7>&- 8>&- 9>&- &
}

# Cuts a host's power: no process in it gets a chance to do anything.
host_kill() {
  local init
  init=$(host_init "$1")
  [[ -z $init ]] || kill -KILL "$init" 2>/dev/null || true
  local attempt
  for ((attempt = 0; attempt < 50; attempt++)); do # its supervisor now unplugs it and ends
    host_is_on "$1" || break
    sleep 0.1
  done
  control_group_kill "$1"
  host_network_down "$1"
  control_group_remove "$1"
}

# The outer machine's proxies are out of reach in the client's network.
without_proxy=(-u http_proxy -u https_proxy -u HTTP_PROXY -u HTTPS_PROXY)

in_client() { ip netns exec "$client_namespace" env "${without_proxy[@]}" "$@"; }

host_ssh() {
  local host=$1
  shift
  in_client ssh -F none -i "$ssh_key" -o IdentitiesOnly=yes -o UserKnownHostsFile="$known_hosts" -o StrictHostKeyChecking=yes \
    -o BatchMode=yes -o ConnectTimeout=2 -o LogLevel=ERROR "root@$(host_ipv4 "$host")" "$@"
}

# Waits until a host answers and has finished booting.
host_wait() {
  local host=$1 deadline=$((SECONDS + 60)) state
  while ((SECONDS < deadline)); do
    # shellcheck disable=SC2310 # failing is what it does until the host is there
    state=$(host_ssh "$host" 'timeout 20 systemctl is-system-running --wait' 2>/dev/null < /dev/null) || true
    case $state in
      running) return 0 ;;
      degraded)
        say "$host: is up, but a service failed: $(host_ssh "$host" systemctl --failed --plain --no-legend < /dev/null | cut -d ' ' -f 1 | xargs)"
        return 0
        ;;
    esac
    sleep 0.1
  done
  die "$host does not answer; see $(host_log "$host")"
}
