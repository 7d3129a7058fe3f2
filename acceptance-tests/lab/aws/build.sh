#!/usr/bin/env bash
# build.sh: prints the path of `moto_server`, the emulator of AWS that the acceptance tests work on. It is installed from PyPI into a
# Python environment in the cache (a minute).
set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source=../cache.sh
. "$here/../cache.sh"

version=$(sed -n 's/^moto==//p' "$here/requirements.txt")
python=/usr/bin/python3 # Debian's: it stays where it is, and python3-venv belongs to it

install_packages() {
  # Without python3-venv there is `venv`, but nothing to install pip from.
  ! "$python" -c 'import ensurepip, venv' 2>/dev/null || return 0
  ((EUID == 0)) || die "Debian package python3-venv is missing; install it, or run this as root"
  say "installing Debian package: python3-venv"
  DEBIAN_FRONTEND=noninteractive apt-get -q update >&2
  DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends python3-venv >&2
}

# The builder of the piece: its last argument is the folder.
install_moto() {
  local folder=$1
  "$python" -m venv "$folder"
  "$folder/bin/pip" install --quiet --disable-pip-version-check --requirement "$here/requirements.txt"
  # pip writes the folder's name into programs, and the folder gets another one when it is whole.
  # shellcheck disable=SC2016
  printf '#!/bin/sh\nexec "$(dirname "$(readlink -f "$0")")/python3" -m moto.server "$@"\n' > "$folder/bin/moto_server"
  chmod 755 "$folder/bin/moto_server"
  "$folder/bin/moto_server" --help >/dev/null
}

install_packages
key=$({
  "$python" --version
  declare -f install_moto
  cat "$here/requirements.txt"
} | cache_key)
folder=$(cache_piece "moto-$version" "$key" install_moto)
printf '%s/bin/moto_server\n' "$folder"
