#!/usr/bin/env bash
# init-host.sh HOST: runs inside the host's fresh namespaces; assembles the root file system and becomes systemd.
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=topology.sh
. "$here/topology.sh"

host=$1
folder=$(host_folder "$host")
root=$folder/root

mount --make-rprivate /

# --- disk: the host's own changes over the shared, unchanged layers
mount -t overlay overlay -o "lowerdir=$(< "$folder/lower"),upperdir=$folder/upper,workdir=$folder/work" "$root"
# /var/lib is a plain folder: container runtimes mount overlays in it, which cannot lie on another overlay, and etcd wants the speed.
if [[ ! -d $folder/var-lib ]]; then
  rm -rf "$folder/var-lib.unfinished"
  cp -a "$root/var/lib" "$folder/var-lib.unfinished"
  mv "$folder/var-lib.unfinished" "$folder/var-lib"
fi
mount --bind "$folder/var-lib" "$root/var/lib"

# --- kernel file systems
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
mount -t sysfs -o nosuid,nodev,noexec sysfs "$root/sys" # made read-only below: it is the outer machine's too
mount -t bpf bpf "$root/sys/fs/bpf" 2>/dev/null || true
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"

# --- devices
dev=$root/dev
mount -t tmpfs -o mode=755,nosuid tmpfs "$dev"
while read -r name mode major minor; do
  mkdir -p "$dev/$(dirname "$name")"
  mknod -m "$mode" "$dev/$name" c "$major" "$minor"
done <<'DEVICES'
null 666 1 3
zero 666 1 5
full 666 1 7
random 666 1 8
urandom 666 1 9
kmsg 644 1 11
tty 666 5 0
fuse 666 10 229
net/tun 666 10 200
DEVICES
mkdir "$dev/pts" "$dev/shm" "$dev/mqueue"
mount -t devpts -o newinstance,gid=5,mode=620,ptmxmode=666 devpts "$dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$dev/shm"
mount -t mqueue mqueue "$dev/mqueue"
ln -s pts/ptmx "$dev/ptmx"
ln -s /proc/self/fd "$dev/fd"
ln -s /proc/self/fd/0 "$dev/stdin"
ln -s /proc/self/fd/1 "$dev/stdout"
ln -s /proc/self/fd/2 "$dev/stderr"
ln -s /dev/null "$dev/console"

# --- control groups: the same hierarchies as outside, each one rooted at this host's own group, writable
groups=$root/sys/fs/cgroup
if grep -q '^cgroup2 /sys/fs/cgroup ' /proc/mounts; then
  mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$groups"
else
  mount -t tmpfs -o mode=755 tmpfs "$groups"
  while IFS=: read -r _ controllers _; do
    case $controllers in
      '') # version 2 beside version 1
        mkdir "$groups/unified"
        mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 "$groups/unified"
        ;;
      name=systemd)
        mkdir "$groups/systemd"
        mount -t cgroup -o none,name=systemd,nosuid,nodev,noexec cgroup "$groups/systemd"
        ;;
      name=*) ;;
      *)
        mkdir "$groups/$controllers"
        mount -t cgroup -o "$controllers,nosuid,nodev,noexec" cgroup "$groups/$controllers"
        [[ $controllers != *,* ]] || for controller in ${controllers//,/ }; do
          ln -s "$controllers" "$groups/$controller"
        done
        ;;
    esac
  done < /proc/self/cgroup
fi
mount -o remount,ro,bind "$root/sys"

# --- kernel settings which all hosts and the outer machine would share: each host gets files of its own in their place
settings=$folder/settings
mkdir -p "$settings"
shadow() { # PATH: the content of the private file is on standard input
  cat > "$settings/${1//\//.}"
  mount --bind "$settings/${1//\//.}" "$root/proc/$1"
}
for name in fs/file-max fs/inotify/max_user_instances fs/inotify/max_user_watches \
  fs/protected_fifos fs/protected_hardlinks fs/protected_regular fs/protected_symlinks \
  kernel/core_pattern kernel/core_uses_pid kernel/keys/root_maxbytes kernel/keys/root_maxkeys \
  kernel/panic kernel/panic_on_oops kernel/pid_max kernel/printk kernel/sysrq \
  vm/max_map_count vm/overcommit_memory vm/panic_on_oom vm/swappiness; do
  [[ ! -e $root/proc/sys/$name ]] || shadow "sys/$name" < "/proc/sys/$name"
done
shadow cmdline <<< "root=/dev/vda ro"
shadow sys/kernel/random/boot_id < /proc/sys/kernel/random/uuid # a new one at each boot, as on a machine

hostname "$host"
cd "$root"
mkdir -p .outside
pivot_root . .outside
mount --make-rshared /
umount -l /.outside
rmdir /.outside
exec env -i container=lab PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin TERM=linux /sbin/init --log-target=journal
