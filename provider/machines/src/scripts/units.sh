# shellcheck shell=sh disable=SC2154 # variables of common.sh
# units.sh OWNER start|restart|reload|stop: standard input holds `UNIT STAMP`, STAMP being - for stop.
open_record "$1"
verb=$2
exec 1>&2
units=
rm -rf "$record/starting"
mkdir "$record/starting" || fail file "$record/starting"
while read -r unit stamp; do
  units="$units $unit"
  [ "$stamp" = - ] || printf '%s\n' "$stamp" >"$record/starting/$unit" || fail file "$record/units/$unit"
done
property() { systemctl show -p "$2" --value -- "$1"; }

# What systemd knows of it, and the end of its journal, for the error.
fail_unit() {
  {
    echo "it is $(property "$1" ActiveState) ($(property "$1" SubState)), result $(property "$1" Result), exit status $(property "$1" ExecMainStatus)"
    sed '/^$/d' "$record/systemctl"
  } >&2
  journalctl -u "$1" -n 15 --no-pager -o cat 2>/dev/null | sed "s/^/journal$tab/" >&3
  rm -f "$record/systemctl"
  fail unit "$1"
}

prepare() {
  # shellcheck disable=SC2086 # unit names hold nothing that a shell interprets
  if systemctl show -p NeedDaemonReload,LoadState -- $units | grep -qE '^(NeedDaemonReload=yes|LoadState=not-found)$'; then
    systemctl daemon-reload || fail systemd daemon-reload
  fi
  for unit in $units; do
    [ "$(property "$unit" LoadState)" != not-found ] || fail unit "$unit" "systemd does not know it: its unit file is missing"
    case $(property "$unit" UnitFileState) in
    enabled | static | alias | generated) ;;
    *) systemctl enable -q -- "$unit" || fail unit "$unit" ;;
    esac
  done
  # Else a unit that failed too often would not be started again.
  # shellcheck disable=SC2086
  systemctl reset-failed -- $units 2>/dev/null
}

# A unit that ran to its end and succeeded is fine too.
succeeded() {
  case $(property "$1" ActiveState) in
  active | reloading) return 0 ;;
  inactive) [ "$(property "$1" Result)" = success ] && [ "$(property "$1" Type)" = oneshot ] ;;
  *) return 1 ;;
  esac
}

[ -n "$units" ] || exit 0
case $verb in
stop)
  # shellcheck disable=SC2086
  systemctl stop -- $units 2>"$record/systemctl"
  for unit in $units; do
    case $(property "$unit" ActiveState) in
    inactive | failed) ;;
    *) fail_unit "$unit" ;;
    esac
  done
  ;;
*)
  prepare
  [ "$verb" != reload ] || verb=reload-or-restart
  # shellcheck disable=SC2086
  systemctl "$verb" -- $units 2>"$record/systemctl"
  failed=$?
  for unit in $units; do
    # The stamp of each that did start is written even when another did not.
    if succeeded "$unit"; then
      mv -f "$record/starting/$unit" "$record/units/$unit" || fail file "$record/units/$unit"
    fi
  done
  for unit in $units; do
    succeeded "$unit" || fail_unit "$unit"
  done
  # A reload may fail while the unit goes on with what it had.
  if [ $failed != 0 ]; then
    # shellcheck disable=SC2086
    set -- $units
    : >"$record/units/$1"
    fail_unit "$1"
  fi
  ;;
esac
rm -rf "$record/systemctl" "$record/starting"
