#!/bin/sh
# Stands in for systemctl: $FAKE/units/<unit> holds ActiveState, .enabled marks it enabled, .broken makes it fail to start.
# A unit is known when its file is below $FAKE/etc. Every call is noted in $FAKE/calls.
echo "$*" >>"$FAKE/calls"
verb=$1
shift
names='' properties='' bare=no
while [ $# -gt 0 ]; do
  case $1 in
  -p) properties=$2; shift ;;
  --value) bare=yes ;;
  -*) ;;
  *) names="$names $1" ;;
  esac
  shift
done
u=$FAKE/units
state() { cat "$u/$1" 2>/dev/null || echo inactive; }
property() {
  case $2 in
  Id) echo "$1" ;;
  DropInPaths) echo "$FAKE/etc/$1.d"/*.conf ;;
  FragmentPath) if [ -e "$FAKE/etc/$1" ]; then echo "/lib/systemd/system/$1"; else echo; fi ;;
  LoadState) if [ -e "$FAKE/etc/$1" ]; then echo loaded; else echo not-found; fi ;;
  ActiveState) state "$1" ;;
  SubState) echo sub ;;
  UnitFileState) if [ -e "$u/$1.enabled" ]; then echo enabled; else echo disabled; fi ;;
  NeedDaemonReload) echo no ;;
  Result) if [ "$(state "$1")" = failed ]; then echo exit-code; else echo success; fi ;;
  Type) echo simple ;;
  ExecMainStatus) echo 3 ;;
  esac
}
rc=0
first=yes
for name in $names; do
  case $verb in
  show)
    [ $first = yes ] || [ $bare = yes ] || echo
    first=no
    for p in $(echo "$properties" | tr , ' '); do
      if [ $bare = yes ]; then property "$name" "$p"; else echo "$p=$(property "$name" "$p")"; fi
    done
    ;;
  start | restart | reload-or-restart)
    if [ -e "$u/$name.broken" ]; then
      echo failed >"$u/$name"
      echo "Job for $name failed." >&2
      rc=1
    else echo active >"$u/$name"; fi
    ;;
  stop) echo inactive >"$u/$name" ;;
  is-active) state "$name" ;;
  is-enabled) property "$name" UnitFileState ;;
  enable) : >"$u/$name.enabled" ;;
  disable) rm -f "$u/$name.enabled" ;;
  esac
done
exit $rc
