# shellcheck shell=sh disable=SC2154 # variables of common.sh
# units.sh OWNER HOST UID HOLDER start|restart|reload|stop|withdraw|note: standard input holds `UNIT STAMP`, STAMP being - for all but `note`, at last `end`.
open_record "$1" "$2" "$3" "$4"
# Its units have the same names.
refuse_taken
verb=$5
exec 1>&2
units='' stamps='' ended=no
while read -r unit stamp; do
  [ "$unit" != end ] || { ended=yes && break; }
  units="$units $unit"
  stamps="$stamps${stamps:+$newline}$unit $stamp"
done
[ "$ended" = yes ] || refuse_cut_off "the list of units"
[ -n "$units" ] || exit 0
# To stop what runs needs no record. An empty one would say that there is one.
[ "$verb" = stop ] || make_record
# Unit names hold nothing that a shell interprets.
# shellcheck disable=SC2086
set -- $units

# look UNIT...: `UNIT LOAD ACTIVE ENABLED RESULT TYPE RELOAD` for each, by one call; a paragraph of systemctl is a unit.
look() {
  {
    systemctl show -p LoadState,ActiveState,UnitFileState,Result,Type,NeedDaemonReload -- "$@"
    echo
  } | {
    load='' active=- enabled=- result=- type=- reload=-
    while read -r line; do
      case $line in
      LoadState=?*) load=${line#*=} ;;
      ActiveState=?*) active=${line#*=} ;;
      UnitFileState=?*) enabled=${line#*=} ;;
      Result=?*) result=${line#*=} ;;
      Type=?*) type=${line#*=} ;;
      NeedDaemonReload=?*) reload=${line#*=} ;;
      '')
        [ -n "$load" ] || continue
        echo "$1 $load $active $enabled $result $type $reload"
        shift
        load='' active=- enabled=- result=- type=- reload=-
        ;;
      esac
    done
  }
}

# What systemd knows of it, and the last that its program said, for the error.
fail_unit() {
  {
    systemctl show -p ActiveState,SubState,Result,ExecMainStatus -- "$1" | tr '\n' ' '
    echo
    printf '%s\n' "$complaint" | sed '/^$/d'
  } >&2
  said=$(journalctl "_SYSTEMD_UNIT=$1" -n 60 --no-pager -q -o cat 2>/dev/null)
  # Of one that could not even be executed, only systemd tells.
  [ -n "$said" ] || said=$(journalctl -u "$1" -n 15 --no-pager -q -o cat 2>/dev/null)
  [ -z "$said" ] || printf '%s\n' "$said" | sed "s/^/journal$tab/" >&3
  fail unit "$1"
}

prepare() {
  seen=$(look "$@")
  case $newline$seen$newline in
  *" yes$newline"* | *' not-found '*)
    systemctl daemon-reload || fail systemd daemon-reload
    seen=$(look "$@")
    ;;
  esac
  new=$(printf '%s\n' "$seen" | while read -r unit load _ enabled _; do
    case $load/$enabled in
    not-found/* | */enabled | */static | */alias | */generated) ;;
    *) echo "$unit" ;;
    esac
  done)
  unknown=$(printf '%s\n' "$seen" | sed -n 's/ not-found .*//p' | head -n 1)
  [ -z "$unknown" ] || fail unit "$unknown" "systemd does not know it: its unit file is missing"
  # shellcheck disable=SC2086
  [ -z "$new" ] || systemctl enable -q -- $new || fail systemd "enabling units"
  # Else a unit that failed too often would not be started again.
  systemctl reset-failed -- "$@" 2>/dev/null
}

# A unit that ran to its end and succeeded is fine too.
started() {
  case $1 in
  active/* | reloading/* | inactive/success/oneshot) return 0 ;;
  *) return 1 ;;
  esac
}

# That a unit ever came up outlasts its stamp.
came_up() { contains "$(own started)" "$1" || add_lines started "$1"; }

# With what a unit was last seen healthy is true no more.
withdraw() {
  for unit in "$@"; do
    [ ! -s "$record/units/$unit" ] || came_up "$unit"
    : >"$record/units/$unit" || fail file "$record/units/$unit"
  done
}

# Units that prepare saw down.
down() { printf '%s\n' "$seen" | sed -nE '/^[^ ]+ [^ ]+ (active|reloading) /!s/ .*//p'; }

# act VERB UNIT...
act() {
  command=$1
  shift
  complaint=$(systemctl "$command" -- "$@" 2>&1 >/dev/null)
  status=$?
  seen=$(look "$@")
  failed=$(printf '%s\n' "$seen" | while read -r unit _ active _ result type _; do
    if ! started "$active/$result/$type"; then
      echo "$unit"
    elif [ $status = 0 ] || [ $# -gt 1 ]; then
      # Of each that did start, even when another did not.
      came_up "$unit"
    fi
  done) || exit 1
  [ -z "$failed" ] || fail_unit "${failed%%"$newline"*}"
  # A unit whose reload failed goes on with what it had.
  [ $status = 0 ] || fail_unit "$1"
}

stop() {
  complaint=$(systemctl stop -- "$@" 2>&1 >/dev/null)
  running=$(look "$@" | sed -nE 's/ [^ ]* (active|activating|deactivating|reloading) .*//p' | head -n 1)
  [ -z "$running" ] || fail_unit "$running"
}

case $verb in
stop) stop "$@" ;;
note)
  while read -r unit stamp; do write_stamp "$unit" "$stamp"; done <<EOF
$stamps
EOF
  ;;
withdraw) withdraw "$@" ;;
start)
  prepare "$@"
  # shellcheck disable=SC2046
  withdraw $(down)
  act start "$@"
  ;;
reload)
  prepare "$@"
  withdraw "$@"
  for unit in "$@"; do act reload-or-restart "$unit"; done
  ;;
*)
  prepare "$@"
  withdraw "$@"
  act "$verb" "$@"
  ;;
esac
