# shellcheck shell=sh disable=SC2154 # variables of common.sh and remove.sh
# Before remove.sh: how it takes packages away.

# Packages of ours that something needs by now which is not, that somebody has asked for since, or whose service somebody uses, stay.
remove_packages() {
  packages=$(lines_without "$(own packages)" "$(elsewhere packages)")
  [ -n "$packages" ] || return 0
  if command -v apt-get >/dev/null; then purge_by_apt; else remove_by_dnf; fi
}

stays() { progress "package $1 stays: $2"; }

# What a purge of this package by itself would take away.
apt_takes() { apt-get -s purge "$1" </dev/null 2>/dev/null | sed -nE 's/^(Purg|Remv) ([^ ]*).*/\2/p'; }

# A service that the push had left off and somebody has switched on since.
used_unit() {
  for file in $(dpkg -L "$1" 2>/dev/null | grep -E '^(/usr)?/lib/systemd/system/[^@/]*\.(service|socket|timer)$'); do
    [ "$(systemctl is-enabled "${file##*/}" 2>/dev/null)" != enabled ] || { echo "${file##*/}" && return; }
  done
}

# With what they depend on, which a purge by itself would show.
keep_used() {
  for package in $packages; do
    unit=$(used_unit "$package")
    [ -n "$unit" ] || continue
    for needs in "$package" $(apt_takes "$package"); do
      contains "$packages" "$needs" || continue
      stays "$needs" "somebody has switched $unit on"
      packages=$(lines_without "$packages" "$needs")
    done
  done
}

purge_by_apt() {
  # shellcheck disable=SC2086 # one word for each
  packages=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null |
    sed -n 's/ \(installed\|config-files\|unpacked\|half-installed\|half-configured\)$//p')
  # shellcheck disable=SC2086
  [ -z "$packages" ] || asked_for=$(lines_without "$(apt-mark showmanual $packages 2>/dev/null)" "$(own packages-manual)")
  # A record of an earlier version does not say what was asked for by us.
  [ -f "$record/packages-manual" ] || asked_for=
  for package in $packages; do
    contains "$asked_for" "$package" || continue
    stays "$package" "somebody has installed it since"
    packages=$(lines_without "$packages" "$package")
  done
  keep_used
  changed=yes
  while [ "$changed" = yes ]; do
    changed=no
    for package in $packages; do
      takes=$(apt_takes "$package")
      others=$(lines_without "$takes" "$packages")
      if ! contains "$takes" "$package"; then
        problem "package $package" "apt-get does not say what would go with it"
      elif [ -n "$others" ]; then
        stays "$package" "$(echo "$others" | tr '\n' ' ')would go with it"
      else
        continue
      fi
      packages=$(lines_without "$packages" "$package")
      changed=yes
    done
  done
  [ -n "$packages" ] || return 0
  progress "removing packages $(printf '%s\n' "$packages" | tr '\n' ' ')"
  # A purge takes the configuration too, that of before as well. Those first: a purge of what they need would purge them.
  rest=$(lines_without "$packages" "$(own packages-configured)")
  take_by_apt remove "$(lines_without "$packages" "$rest")"
  take_by_apt purge "$rest"
}

take_by_apt() {
  # shellcheck disable=SC2086 # one word for each
  set -- "$1" $2
  [ $# -gt 1 ] || return 0
  DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 "$@" </dev/null || problem "packages $*"
}

# rpm says whether anything needs a package; dnf would take it along.
remove_by_dnf() {
  changed=yes
  while [ "$changed" = yes ]; do
    changed=no
    for package in $packages; do
      if rpm -q "$package" >/dev/null 2>&1; then
        rpm -e --test "$package" >/dev/null 2>"$record/needed" || continue
        progress "removing package $package"
        dnf -y remove --noautoremove "$package" </dev/null || problem "package $package"
      fi
      packages=$(lines_without "$packages" "$package")
      changed=yes
    done
  done
  for package in $packages; do
    rpm -e --test "$package" >/dev/null 2>"$record/needed"
    stays "$package" "$(tail -n 1 "$record/needed" | sed 's/^[[:space:]]*//')"
  done
}
