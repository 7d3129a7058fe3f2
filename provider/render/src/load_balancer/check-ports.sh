#!/bin/sh
# check-ports UNIT ADDRESS...: fails when somebody other than the unit listens where nginx is to listen, for nginx itself does not: it keeps
# its old configuration when a reload cannot open a listener, and a restart leaves it down. ADDRESS is 0.0.0.0:PORT or [::]:PORT.
unit=$1
shift
command -v ss >/dev/null || exit 0

# Sockets of IPv4, and those of IPv6, of which one may take IPv4 as well.
taken_by() {
  case $1 in
  '['*) families=-6 ;;
  *) families='-4 -6' ;;
  esac
  for family in $families; do
    ss -Hltnp "$family" "sport = :${1##*:}" | while read -r _ _ _ address _ users; do
      case $family/$families/$address in
      -6/'-4 -6'/'*:'*) ;; # of both families
      -6/'-4 -6'/*) continue ;;
      esac
      pid=${users#*'pid='}
      pid=${pid%%[!0-9]*}
      if ! grep -qsF "/$unit" "/proc/${pid:-none}/cgroup"; then echo "$address ${users:-by a process that is not shown}"; fi
    done
  done
}

status=0
for address in "$@"; do
  found=$(taken_by "$address" | head -n 1)
  [ -n "$found" ] || continue
  users=${found#* }
  program=${users#*'(("'}
  echo "nginx is to listen at $address, and ${program%%'"'*} listens at ${found%% *} already: stop it, or give one of the two another port" >&2
  status=1
done
exit "$status"
