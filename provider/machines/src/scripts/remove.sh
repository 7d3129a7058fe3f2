# shellcheck shell=sh disable=SC2154 # variables of common.sh
# remove.sh OWNER HOST UID all|rest: standard input holds `unit NAME`, `file PATH SHA256`, `binary PATH`, `sysctl KEY`, at last `end`.
# all: takes away what the record names, and what only standard input names if it is unchanged; then the record itself.
# rest: takes away what the record names and standard input does not.
read_list
[ -d "$state/$1" ] && recorded=yes || recorded=no
open_record "$1" "$2" "$3"
lock_host
mode=$4
exec 1>&2
named=$record/named
printf %s "$list" >"$named" || fail remove "$record"
problems=

# Goes on with the others, so that one thing that is stuck does not keep everything.
problem() {
  problems="$problems$1$newline"
  [ $# -lt 2 ] || echo "$1: $2" >&2
}

names() { sed -nE "s/^($1) ([^ ]*).*/\2/p" "$named"; }
# lines_without LIST OTHER: keeps the order.
lines_without() { printf '%s\n' "$1" | while read -r line; do [ -z "$line" ] || contains "$2" "$line" || printf '%s\n' "$line"; done; }

# doomed KIND LIST: what is to go, of those in the record.
doomed() {
  case $mode in
  all) own "$2" ;;
  rest) lines_without "$(own "$2")" "$(names "$1")" ;;
  esac
}

recorded_units() { for file in "$record"/units/*; do [ ! -f "$file" ] || printf '%s\n' "${file##*/}"; done; }

# --- units

list_units() {
  case $mode in
  all)
    recorded_units
    # A unit that is in no record was pushed by us only if its file is the manifest's.
    going=$(sed 's|.*/||' "$work")
    names unit | while read -r unit; do
      if contains "$going" "$unit"; then printf '%s\n' "$unit"; fi
    done
    ;;
  rest) lines_without "$(recorded_units)" "$(names unit)" ;;
  esac | sort -u
}

stop_units() {
  units=$(list_units | tr '\n' ' ')
  [ -n "${units% }" ] || return 0
  progress "stopping $units"
  # shellcheck disable=SC2086 # unit names hold nothing that a shell interprets
  systemctl disable -q -- $units 2>/dev/null
  # shellcheck disable=SC2086
  systemctl stop -- $units 2>/dev/null
  for unit in $units; do
    case $(systemctl show -p ActiveState --value -- "$unit") in
    active | activating | deactivating | reloading) problem "$unit" "it does not stop" ;;
    esac
  done
}

# --- what components did to the kernel

clean_up() {
  for file in "$record"/cleanup/*; do
    [ -f "$file" ] || continue
    sh "$file" </dev/null >"$record/said" 2>&1 || progress "a cleanup command ended with status $?: $(tail -n 1 "$record/said")"
  done
}

# --- files

# A backup stays until the record goes, so that a removal that was cut off can be run again.
remove_files() {
  theirs=$(elsewhere files)
  while read -r path; do
    contains "$theirs" "$path" && continue
    if [ -e "$record/backup$path" ] || [ -L "$record/backup$path" ]; then
      beside=${path%/*}/.k8s-hardway.$owner.back
      [ ! -d "${path%/*}" ] || { cp -a "$record/backup$path" "$beside" && mv -fT "$beside" "$path"; } || problem "$path"
    else
      rm -f -- "$path" || problem "$path"
    fi
  done <"$work"
}

# files that are ours by the record, or, when there is none, by their content
list_files() {
  doomed 'file|binary' files
  if [ "$mode" = all ] && [ "$recorded" = no ]; then
    sed -n 's/^file \([^ ]*\) \(.*\)/\2  \1/p' "$named" | sha256sum -c 2>/dev/null | sed -n 's/: OK$//p'
  fi
}

unmount_below() {
  sed -n 's/^[^ ]* \([^ ]*\) .*/\1/p' /proc/self/mounts | sort -r | while read -r mount; do
    case $mount in "$1"/*) umount "$(printf %b "$mount")" || umount -l "$(printf %b "$mount")" ;; esac
  done
}

# found DIRECTORY: `MODE OWNER` of one that was there before, empty.
found() { own found | while read -r was by path; do [ "$path" != "$1" ] || echo "$was $by"; done | head -n 1; }

# give_back DIRECTORY `MODE OWNER`: empty again, as it was.
give_back() {
  find "$1/" -xdev -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf --one-file-system -- {} + 2>"$record/said"
  if is_filled "$1"; then
    problem "$1" "$(tail -n 1 "$record/said")"
  else
    { chmod "${2% *}" "$1" && chown "${2#* }" "$1"; } || problem "$1"
  fi
}

# Of a directory that was there before with content, what came later.
empty_kept() {
  theirs=$(elsewhere kept && elsewhere directories)
  before=$(own kept-entries)
  own kept >"$work"
  while read -r path; do
    contains "$theirs" "$path" && continue
    for entry in "$path"/* "$path"/.[!.]* "$path"/..?*; do
      { [ ! -e "$entry" ] && [ ! -L "$entry" ]; } || contains "$before" "$entry" ||
        rm -rf --one-file-system -- "$entry" || problem "$entry"
    done
  done <"$work"
}

# Never into what is mounted below: a volume's data is its user's.
remove_directories() {
  theirs=$(elsewhere directories)
  own directories >"$work"
  while read -r path; do
    if contains "$theirs" "$path" || [ ! -e "$path" ]; then continue; fi
    unmount_below "$path"
    before=$(found "$path")
    if [ -n "$before" ]; then
      give_back "$path" "$before"
      continue
    fi
    rm -rf --one-file-system -- "$path" 2>"$record/said" && continue
    # A disk of its own that is mounted here stays, empty.
    left=$(find "$path" -mindepth 1 -maxdepth 1 ! -name lost+found | head -n 1)
    if [ -n "$left" ] || [ "$(stat -c %m "$path")" != "$path" ]; then problem "$path" "$(tail -n 1 "$record/said")"; fi
  done <"$work"
}

# --- kernel settings, packages, folders

restore_sysctls() {
  theirs=$(elsewhere sysctls | cut -f 1)
  keep=
  [ "$mode" = all ] || keep=$(names sysctl)
  own sysctls >"$work"
  while IFS=$tab read -r key value; do
    if contains "$theirs" "$key" || contains "$keep" "$key"; then continue; fi
    path=/proc/sys/$(printf '%s' "$key" | tr . /)
    [ ! -e "$path" ] || printf '%s\n' "$value" 2>/dev/null >"$path" || progress "sysctl $key keeps its value: the kernel does not take $value"
  done <"$work"
}

remove_packages() {
  packages=$(lines_without "$(own packages)" "$(elsewhere packages)" | tr '\n' ' ')
  [ -n "${packages% }" ] || return 0
  progress "removing packages $packages"
  # shellcheck disable=SC2086 # one word for each
  if command -v apt-get >/dev/null; then
    present=$(dpkg-query -W -f '${Package} ${db:Status-Status}\n' $packages 2>/dev/null | sed -n 's/ \(installed\|config-files\|unpacked\|half-installed\|half-configured\)$//p')
    [ -z "$present" ] || DEBIAN_FRONTEND=noninteractive apt-get -q -y -o DPkg::Lock::Timeout=120 purge $present </dev/null || problem "packages $packages"
  else
    dnf -y remove --noautoremove $packages </dev/null || problem "packages $packages"
  fi
}

# Deepest first; what holds anything else stays.
remove_made() {
  theirs=$(elsewhere made)
  own made | sort -ru >"$work"
  while read -r path; do
    contains "$theirs" "$path" || [ ! -d "$path" ] || rmdir "$path" 2>/dev/null
  done <"$work"
}

# What stays in a list of the record when the rest was removed.
keep_in_record() { # kind list
  [ ! -f "$record/$2" ] || {
    own "$2" | while IFS= read -r line; do
      if contains "$(names "$1")" "${line%%"$tab"*}"; then printf '%s\n' "$line"; fi
    done >"$record/$2.part" && mv -f "$record/$2.part" "$record/$2"
  }
}

work=$record/work
list_files | sort -u >"$work"
stop_units
[ -z "$units" ] || rest_units=$units
[ "$mode" != all ] || clean_up
list_files | sort -u >"$work"
remove_files
restore_sysctls
if [ "$mode" = all ]; then
  remove_directories
  empty_kept
  remove_packages
  remove_made
fi
if [ -n "${rest_units:-}" ]; then
  systemctl daemon-reload
  # shellcheck disable=SC2086
  systemctl reset-failed -- $rest_units 2>/dev/null
fi
[ -z "$problems" ] || fail remove "$(printf '%s' "$problems" | tr '\n' ' ' | sed 's/ $//')"
if [ "$mode" = rest ]; then
  keep_in_record 'file|binary' files
  keep_in_record binary binaries
  keep_in_record sysctl sysctls
  for unit in ${rest_units:-}; do rm -f "$record/units/$unit"; done
  rm -f "$named" "$work" "$record/said"
  exit 0
fi
# The record goes in one step: a removal that is cut off here finds either all of it or nothing.
rm -rf "$state/.gone.$owner"
mv -T "$record" "$state/.gone.$owner" && rm -rf "$state/.gone.$owner"
rm -f "$lock"
set -- "$state"/*/
if [ ! -d "$1" ]; then
  rm -f "$state/.lock"
  if rmdir "$state" 2>/dev/null; then rm -rf "$cache"; fi
fi
