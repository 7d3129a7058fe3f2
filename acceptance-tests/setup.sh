#!/usr/bin/env bash
# setup.sh: installs the Debian packages which the quick tests call (each golden is judged by its real program), as far as they are
# missing. No service is started. What the lab needs, `lab/lab build` installs itself. Rust, Go and Python are the reader's own.
set -euo pipefail

packages=(gcc iproute2 libc6-dev make openssl openssh-server nginx-light libnginx-mod-stream keepalived shellcheck squid systemd)
missing=()
for package in "${packages[@]}"; do
  [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true) == installed ]] || missing+=("$package")
done
((${#missing[@]})) || exit 0

as_root=()
((EUID == 0)) || as_root=(sudo)
echo "installing Debian packages: ${missing[*]}"
policy=/usr/sbin/policy-rc.d
if [[ ! -e $policy ]]; then # tells packages not to start their services
  printf '#!/bin/sh\nexit 101\n' | "${as_root[@]}" install -m 755 /dev/stdin $policy
  trap '"${as_root[@]}" rm -f $policy' EXIT
fi
"${as_root[@]}" apt-get -q update
"${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"
for service in keepalived nginx squid ssh; do
  [[ " ${missing[*]} " != *" $service"* ]] || "${as_root[@]}" systemctl disable -q "$service.service" 2>/dev/null || true
done
