# shellcheck shell=sh disable=SC2154 # variables of common.sh
# facts.sh: standard input names `program NAME`, `unit NAME`, `directory PATH` and `module` with the words of module_present, at last
# `end`. Answers one `name value` a line, looks and changes nothing. The host's clock comes first, before anything takes time.
echo "time $(date +%s.%N)"
programs='' units='' directories='' modules='' ended=no
while read -r kind rest; do
  case $kind in
  program) programs="$programs $rest" ;;
  unit) units="$units $rest" ;;
  directory) directories="$directories $rest" ;;
  module) modules="$modules$rest$newline" ;;
  end) ended=yes ;;
  esac
done
[ "$ended" = yes ] || refuse_cut_off "the question"
# at PATH: the tests put files in place of some that the system has.
at() { if [ -e "${K8S_HARDWAY_ROOT:-}$1" ]; then echo "${K8S_HARDWAY_ROOT:-}$1"; else echo "$1"; fi; }

echo "architecture $(uname -m)"
echo "kernel $(uname -r)"
# shellcheck disable=SC2016
sh -c '. /etc/os-release; echo "os $ID ${VERSION_ID:-}"' 2>/dev/null || echo 'os unknown'
if [ -s /etc/machine-id ]; then echo "machine $(cat /etc/machine-id)"; fi
if [ -r /proc/sys/kernel/random/boot_id ]; then echo "boot $(cat /proc/sys/kernel/random/boot_id)"; fi
case $(stat -f -c %T /sys/fs/cgroup 2>/dev/null) in
cgroup2fs) echo 'cgroup 2' ;;
*) echo 'cgroup 1' ;;
esac
systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/systemd \1/p'
[ -d /run/systemd/system ] && echo 'systemd-runs yes'
[ "$(grep -c . "$(at /proc/swaps)")" -gt 1 ] && echo 'swap on'
echo "processors $(nproc)"
sed -n 's/^MemTotal: *\([0-9]*\) kB/memory \1/p' "$(at /proc/meminfo)"
echo "free $(df -Pk /var | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p')"

# Routes without a gateway lead to what is on the link.
on_link() {
  ip -o "-$1" route show | while read -r destination rest; do
    case "$rest " in *'via '*) continue ;; *'dev '*) ;; *) continue ;; esac
    case $destination in
    default) continue ;;
    unreachable | blackhole | prohibit | throw | multicast | broadcast | local | nat) continue ;;
    esac
    echo "link $destination"
  done
}
if command -v ip >/dev/null; then
  ip -o -4 route show default | sed -n '1s/.* dev \([^ ]*\).*/route4 \1/p'
  ip -o -6 route show default | sed -n '1s/.* dev \([^ ]*\).*/route6 \1/p'
  ip -o addr show | sed -n 's/^[0-9]*: *\([^ ]*\) *inet6* \([^ /]*\).*/address \1 \2/p'
  on_link 4
  on_link 6
else
  sed -n 's/^\([^\t]*\)\t00000000\t.*/route4 \1/p' /proc/net/route | head -n 1
fi

# What listens, with one of the processes that have the socket: LISTEN 0 128 192.0.2.1%eth0:22 0.0.0.0:* users:(("sshd",pid=7,fd=3))
listening() {
  ss -Hltnp | while read -r _ _ _ address _ users; do
    program=${users#*'(("'}
    program=${program%%'"'*}
    pid=${users#*'pid='}
    pid=${pid%%[!0-9]*}
    unit=$(sed -n 's|.*/\([^/]*\.service\)\(/.*\)\{0,1\}$|\1|p' "/proc/${pid:-none}/cgroup" 2>/dev/null | head -n 1)
    echo "listens $address ${unit:--} ${program:--}"
  done
}
if command -v ss >/dev/null; then listening; fi

# Units that are there: name, state, whether enabled, file; and drop-ins that change what a unit of that name runs. systemctl parts units by empty lines.
known_units() {
  drop_ins=''
  # shellcheck disable=SC2086 # words
  { systemctl show -p Id,LoadState,ActiveState,UnitFileState,FragmentPath,DropInPaths -- $1 2>/dev/null && echo; } | while IFS='=' read -r key value; do
    case $key in
    Id) unit=$value ;;
    LoadState) loaded=$value ;;
    ActiveState) active=$value ;;
    UnitFileState) enabled=$value ;;
    FragmentPath) fragment=$value ;;
    DropInPaths) drop_ins=$value ;;
    '')
      case ${loaded:-not-found} in not-found) ;; *) echo "unit $unit ${active:-inactive} ${enabled:--} ${fragment:--}" ;; esac
      for drop_in in $drop_ins; do
        if grep -qs '^ExecStart=' "$drop_in"; then echo "drop-in $unit $drop_in"; fi
      done
      unit='' loaded='' active='' enabled='' fragment='' drop_ins=''
      ;;
    esac
  done
}
if [ -n "$units" ]; then known_units "$units"; fi
for directory in $directories; do
  for entry in "$(at "$directory")"/* "$(at "$directory")"/.[!.]*; do
    if [ -e "$entry" ]; then echo "entry $directory/${entry##*/}"; fi
  done
done
printf '%s' "$modules" | while read -r name folder pattern trace; do
  module_present "$name" "$folder" "$pattern" "$trace" || modprobe -n -q -- "$name" || echo "no-module $name"
done
# firewalld runs or not; ufw is a unit that has run at boot also where it is switched off.
[ "$(systemctl is-active firewalld.service 2>/dev/null)" = active ] && echo 'firewall firewalld'
grep -qsi '^ENABLED=yes' "$(at /etc/ufw/ufw.conf)" && echo 'firewall ufw'
[ "$(cat "$(at /sys/fs/selinux/enforce)" 2>/dev/null)" = 1 ] && echo 'selinux enforcing'
for program in $programs; do
  command -v "$program" >/dev/null || echo "missing $program"
done
echo end
