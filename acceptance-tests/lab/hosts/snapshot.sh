# shellcheck shell=bash
# Runs in a host (`lab snapshot HOST` feeds it to a shell there). Prints the state of the host, one thing a line, each section sorted
# as far as order means nothing, so that two snapshots can be compared with `diff`. Left out is what changes by itself: logs, caches,
# times, counters, the sessions of whoever asks. Which kernel modules are loaded does not matter either.
set -euo pipefail
export LC_ALL=C

# section NAME: puts the name before each line of standard input.
section() { sed "s/^/$1: /"; }

# --- files: kind, mode, owner, path, and the target of links; then the content of plain files
changing_paths=(
  /etc/.pwd.lock /etc/mtab /etc/passwd- /etc/group- /etc/shadow- /etc/gshadow- /etc/subuid- /etc/subgid- /root/.bash_history /root/.cache /root/.lesshst
  /var/cache /var/log /var/tmp /var/lib/apt/lists /var/lib/sudo /var/lib/systemd/random-seed /var/lib/systemd/timers
  /var/lib/systemd/linger /var/lib/systemd/timesync /var/lib/nginx/body
)
files() {
  local without=() path
  for path in "${changing_paths[@]}"; do
    without+=(-path "$path" -prune -o)
  done
  find /etc /usr /opt /var /root /home "${without[@]}" "$@"
}
files -printf '%y %#m %U:%G %p -> %l\n' | sed 's/ -> $//' | sort | section file
files -type f -print0 | sort -z | xargs -0 -r sha256sum | section content

# --- users and groups
getent passwd | sort | section user
getent group | sort | section group

# --- units: what is installed and in which state, and what is running or failed. Not the units which come and go by themselves:
# devices, sessions, services which timers and the bus start, the target which any service may want and nothing stops; nor mounts, which
# have a section of their own.
systemctl list-unit-files --plain --no-legend --no-pager |
  awk '$2 != "transient" && $2 != "generated" { print $1, $2 }' | sort | section unit-file
coming_and_going='\.(device|scope|mount) |^user[-@]|^system-.*\.slice '
coming_and_going+='|^network-online\.target |^(dpkg-db-backup|fstrim|logrotate|systemd-tmpfiles-clean|systemd-(hostname|locale|timedate)d)\.service '
systemctl list-units --plain --no-legend --no-pager | awk '{ print $1, $2, $3 }' | { grep -vE "$coming_and_going" || true; } |
  sort | section unit

# --- packet filter: rules in their order, without counters. Any use of iptables, even a question, leaves its tables with their built-in
# chains behind: as long as they are empty and accept everything, they are no change.
nft -s list ruleset | awk '
  /^table / { table = $0; iptables = $2 ~ /^ip6?$/ && $3 ~ /^(filter|nat|mangle|raw|security)$/; body = ""; next }
  /^}/ { if (body != "" || !iptables) printf "%s\n%s}\n", table, body; next }
  /^\t[^\t}].*{$/ { block = $0 "\n"; lines = 0; built_in = 0; next }
  /^\t}/ { if (!(iptables && built_in && lines == 1)) body = body block $0 "\n"; block = ""; next }
  { block = block $0 "\n"; lines++; if (/^\t\ttype .* hook .* policy accept;$/) built_in = 1 }' | section nft
for program in iptables-save ip6tables-save iptables-legacy-save ip6tables-legacy-save; do
  command -v "$program" >/dev/null || continue
  "$program" 2>/dev/null | awk '/^\*/ { table = $1 } /^-/ || /^:.* - / || /^:.* DROP / { sub(/ \[.*/, ""); print table, $0 }' |
    section "$program" || true
done
ipset list -n 2>/dev/null | sort | section ipset || true

# --- network: links, addresses, routes and rules of both families, what listens. The number of the other end of a cable is chance.
ip -brief link | awk '{ sub(/@.*/, "", $1); print $1 }' | sort | section link
ip -oneline addr | awk '{ print $2, $3, $4 }' | sort | section address
for family in 4 6; do
  ip "-$family" route show table all | sed 's/ expires [^ ]*//; s/ *$//' | sort | section "route$family"
  ip "-$family" rule | section "rule$family"
done
find /run/netns -mindepth 1 -printf '%f\n' 2>/dev/null | sort | section namespace || true
ss -Hlntu | awk '{ print $1, $5 }' | sort -u | section listens

# --- mounts, but not those of systemd's own services and sessions
awk '$2 !~ "^/run/(user|credentials)/" { print $2, $3 }' /proc/mounts | sort | section mount

# --- kernel settings
sysctl -a 2>/dev/null | grep -E '^(net\.ipv4\.ip_forward|net\.ipv6\.conf\.all\.forwarding|net\.bridge\.[^ ]*|vm\.[^ ]*) ' |
  sort | section sysctl
