#!/usr/bin/env bash
# Builds the root file system of the lab's hosts into the cache: a base by debootstrap, and an overlay layer with packages.
# Prints the folders of the overlay's lower layers, topmost first, separated by a colon (as overlayfs wants them).
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../cache.sh
. "$here/../cache.sh"
# shellcheck source=packages.sh
. "$here/packages.sh"

# Raise this when a function below changes what it makes.
recipe=2

# The Debian mirror which this machine uses itself, or Debian's own.
debian_mirror() {
  local mirror=${LAB_DEBIAN_MIRROR:-}
  if [[ -z $mirror ]]; then
    mirror=$(sed -n 's/^URIs: *\([^ ]*\).*/\1/p; s/^deb \(\[[^]]*\] \)\?\([^ ]*\) .*/\2/p' \
      /etc/apt/sources.list /etc/apt/sources.list.d/* 2>/dev/null | grep '/debian/\?$' | head -n 1 || true)
  fi
  printf '%s\n' "${mirror:-http://deb.debian.org/debian}"
}

# make_base FOLDER: the plain system. Runs once; the hosts see it through an overlay and never change it.
make_base() {
  local root=$1 packages
  packages=$(IFS=,; printf '%s' "${base_packages[*]}")
  debootstrap --variant=minbase --include="$packages" "$debian_suite" "$root" "$(debian_mirror)"
  rm -rf "$root"/var/cache/apt/* "$root"/var/lib/apt/lists/* "$root"/etc/ssh/ssh_host_* # every host has keys of its own
  : > "$root/etc/machine-id"
  printf 'PermitRootLogin prohibit-password\nUseDNS no\n' > "$root/etc/ssh/sshd_config.d/lab.conf"
  # The kernel's messages are those of the outer machine and all hosts together: keep them out of each host's journal.
  mkdir -p "$root/etc/systemd/journald.conf.d"
  printf '[Journal]\nReadKMsg=no\n' > "$root/etc/systemd/journald.conf.d/lab.conf"
  chroot "$root" systemctl enable -q networking.service ssh.service
  chroot "$root" systemctl disable -q e2scrub_reap.service systemd-networkd.service
  # Things which a host inside namespaces cannot do (consoles, kernel file systems) or must not do by itself (updates).
  chroot "$root" systemctl mask -q apt-daily.timer apt-daily-upgrade.timer e2scrub_all.timer \
    console-getty.service getty@tty1.service systemd-networkd-wait-online.service \
    sys-kernel-debug.mount sys-kernel-tracing.mount dev-hugepages.mount
}

# make_layer BASE FOLDER: FOLDER becomes an overlay layer on top of BASE with the layer's packages installed.
make_layer() {
  local base=$1 layer=$2
  local scratch=$layer.scratch
  rm -rf "$scratch"
  mkdir -p "$scratch/work" "$scratch/root"
  # In a mount namespace of its own, so that no mount outlives this, whatever happens.
  unshare --mount -- bash "$here/install-layer.sh" "$base" "$layer" "$scratch" \
    "${layer_packages[@]}" -- "${layer_disabled_services[@]}"
  rm -rf "$scratch"
}

base_key=$(printf '%s\n' "base $recipe" "$debian_suite" "${base_packages[@]}" | cache_key)
base=$(cache_piece hosts-base "$base_key" make_base)
layer_key=$(printf '%s\n' "layer $recipe" "$base_key" "${layer_packages[@]}" -- "${layer_disabled_services[@]}" | cache_key)
layer=$(cache_piece hosts-layer "$layer_key" make_layer "$base")
printf '%s:%s\n' "$layer" "$base"
