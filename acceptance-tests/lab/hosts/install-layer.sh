#!/usr/bin/env bash
# install-layer.sh BASE LAYER SCRATCH PACKAGE... -- SERVICE...
# Called by build.sh inside a mount namespace: installs packages into an overlay over BASE whose changes land in LAYER, and
# disables services. No service is started.
set -euo pipefail

base=$1 layer=$2 scratch=$3
shift 3
packages=()
while [[ $1 != -- ]]; do
  packages+=("$1")
  shift
done
shift
services=("$@")

mount --make-rprivate /
root=$scratch/root
mount -t overlay overlay -o "lowerdir=$base,upperdir=$layer,workdir=$scratch/work" "$root"
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"

# What apt needs to reach its mirror from here; taken away again below.
cp --dereference /etc/resolv.conf "$root/etc/resolv.conf"
mkdir -p "$root/etc/apt/apt.conf.d"
apt-config dump | grep -E '^Acquire::(http|https)::Proxy' > "$root/etc/apt/apt.conf.d/99-lab-build" || true
printf '#!/bin/sh\nexit 101\n' > "$root/usr/sbin/policy-rc.d" # tells packages not to start their services
chmod +x "$root/usr/sbin/policy-rc.d"

export DEBIAN_FRONTEND=noninteractive
chroot "$root" apt-get -q update
chroot "$root" apt-get -q install -y --no-install-recommends "${packages[@]}"
chroot "$root" systemctl disable -q "${services[@]}"
chroot "$root" apt-get clean

rm -f "$root/usr/sbin/policy-rc.d" "$root/etc/resolv.conf" "$root/etc/apt/apt.conf.d/99-lab-build"
rm -rf "$root"/var/lib/apt/lists/* "$root"/var/cache/apt/*
