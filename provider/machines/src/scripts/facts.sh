# shellcheck shell=sh disable=SC2154 # variables of common.sh
# facts.sh PROGRAM...: one `name value` a line.
echo "time $(date +%s.%N)"
echo "architecture $(uname -m)"
echo "kernel $(uname -r)"
# shellcheck disable=SC2016
sh -c '. /etc/os-release; echo "os $ID ${VERSION_ID:-}"' 2>/dev/null || echo 'os unknown'
case $(stat -f -c %T /sys/fs/cgroup 2>/dev/null) in
cgroup2fs) echo 'cgroup 2' ;;
*) echo 'cgroup 1' ;;
esac
systemctl --version 2>/dev/null | sed -n '1s/^systemd \([0-9]*\).*/systemd \1/p'
[ -d /run/systemd/system ] && echo 'systemd-runs yes'
[ "$(grep -c . /proc/swaps)" -gt 1 ] && echo 'swap on'
echo "processors $(nproc)"
sed -n 's/^MemTotal: *\([0-9]*\) kB/memory \1/p' /proc/meminfo
echo "free $(df -Pk /var | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p')"
if command -v ip >/dev/null; then
  ip -o -4 route show default | sed -n '1s/.* dev \([^ ]*\).*/route4 \1/p'
  ip -o -6 route show default | sed -n '1s/.* dev \([^ ]*\).*/route6 \1/p'
  ip -o addr show | sed -n 's/^[0-9]*: *\([^ ]*\) *inet6* \([^ /]*\).*/address \1 \2/p'
else
  sed -n 's/^\([^\t]*\)\t00000000\t.*/route4 \1/p' /proc/net/route | head -n 1
fi
for program in "$@"; do
  command -v "$program" >/dev/null || echo "missing $program"
done
echo end
