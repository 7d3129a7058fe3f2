# shellcheck shell=sh disable=SC2154 # variables of common.sh
# remove.sh OWNER HOST UID HOLDER all|rest: standard input holds `unit NAME`, `file PATH SHA256`, `binary PATH`, `sysctl KEY`, of rest `cleanup OF
# UNIT`, at last `end`.
# all: takes away what the record names, and what only standard input names if it is unchanged; then the record itself.
# rest: takes away what the record names and standard input does not.
read_list
open_record "$1" "$2" "$3" "$4" "$5"
lock_host
has_record && recorded=yes || recorded=no
make_record
let_start
mode=$5
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

# doomed KIND LIST: what is to go, of those in the record.
doomed() {
  case $mode in
  all) own "$2" ;;
  rest) lines_without "$(own "$2")" "$(names "$1")" ;;
  esac
}

recorded_units() { for file in "$record"/units/*; do [ ! -f "$file" ] || printf '%s\n' "${file##*/}"; done; }

# --- units

units_elsewhere() {
  for file in "$state"/*/units/*; do
    [ "${file%/units/*}" = "$record" ] || [ ! -f "$file" ] || printf '%s\n' "${file##*/}"
  done
}

list_units() {
  lines_without "$(list_own_units | sort -u)" "$(units_elsewhere)"
}

list_own_units() {
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
  esac
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

# Not while they do it for another owner, which takes what its components did away when it goes.
clean_up() {
  retired=$(list_retired)
  list_cleanup >"$work"
  [ -s "$work" ] || return 0
  other=$(other_of_kind)
  if [ -n "$other" ]; then
    progress "what components did to the kernel stays: $other has this host too"
    return
  fi
  while IFS= read -r file; do
    if [ "$mode" = all ]; then
      sh "$file" </dev/null >"$record/said" 2>&1 || progress "a cleanup command ended with status $?: $(tail -n 1 "$record/said")"
    elif ! K8S_HARDWAY_RETIRING=yes sh "$file" </dev/null >"$record/said" 2>&1; then
      problem "${file##*/}" "$(tail -n 1 "$record/said")"
    fi
  done <"$work"
}

# Of rest, those of units that go. The record names these until everything of them is gone.
list_cleanup() {
  for file in "$record"/cleanup/*; do
    of=${file##*/}
    if [ -f "$file" ] && { [ "$mode" = all ] || contains "$retired" "${of#???-}"; }; then printf '%s\n' "$file"; fi
  done
}

list_retired() {
  sed -n 's/^cleanup //p' "$named" | while read -r of unit; do
    if [ -e "$record/units/$unit" ]; then printf '%s\n' "$of"; fi
  done
}

# --- files

# heir LIST PATH: the record of another owner that names the path in that list.
heir() {
  for other in "$state"/*/; do
    other=${other%/}
    if [ "$other" != "$record" ] && contains "$(lines_of "$other" "$1")" "$2"; then echo "$other" && return; fi
  done
}

has_backup() { [ -e "$1/backup$2" ] || [ -L "$1/backup$2" ]; }

# The last owner that has a file puts back what was there before the first.
hand_backup_over() {
  has_backup "$record" "$1" || return 0
  other=$(heir files "$1")
  has_backup "$other" "$1" || store_backup "$other" "$1" "$record/backup$1" || problem "$1"
}

put_back() {
  beside=${1%/*}/.k8s-hardway.$owner.back
  (umask 022 && mkdir -p -- "${1%/*}") || return
  # cp would write through a link of that name.
  rm -f -- "$beside"
  cp -a "$record/backup$1" "$beside" && flush "$beside" && mv -fT "$beside" "$1"
}

# A backup stays until the record goes, so that a removal that was cut off can be run again.
remove_files() {
  theirs=$(elsewhere files)
  directory=-
  while read -r path; do
    if contains "$theirs" "$path"; then
      hand_backup_over "$path"
      continue
    fi
    if [ "${path%/*}" != "$directory" ]; then
      directory=${path%/*}
      if is_elsewhere "$places" "$directory"; then is_left=yes; else is_left=no; fi
      [ "$is_left" = no ] || stays_behind "$directory"
    fi
    if [ "$is_left" = yes ]; then
      ! has_backup "$record" "$path" ||
        problem "$path" "what was there before is not put back behind that link. It is kept as $record/backup$path: move it to where it belongs"
      continue
    fi
    if has_backup "$record" "$path"; then put_back "$path" || problem "$path"; else rm -f -- "$path" || problem "$path"; fi
  done <"$work"
}

# stays_behind PATH: nobody of us has put anything there.
stays_behind() {
  if [ -n "$real" ]; then
    progress "$real stays with all that is in it: $1 leads there by a link now"
  else
    progress "$1 is a link that leads nowhere now: what was in it stays, wherever it is"
  fi
}

# files that are ours by the record, or, when it names none, by their content
list_files() {
  doomed 'file|binary' files
  if [ "$mode" = all ] && [ ! -s "$record/files" ]; then
    sed -n 's/^file \([^ ]*\) \(.*\)/\2  \1/p' "$named" | sha256sum -c 2>/dev/null | sed -n 's/: OK$//p'
  fi
}

# Neither the record nor the content says that anything is ours, and most of what the state names is there. After a removal that was
# done before, little is: what was there before us.
refuse_unknown() {
  if [ "$mode" != all ] || [ -s "$record/files" ] || [ -s "$work" ]; then return 0; fi
  theirs=$(elsewhere files)
  there=$(names file | while read -r path; do
    [ ! -e "$path" ] || contains "$theirs" "$path" || echo "$path"
  done)
  all=$(names file | wc -l)
  [ -n "$there" ] && [ "$(printf '%s\n' "$there" | wc -l)" -gt $((all / 2)) ] || return 0
  [ "$recorded" = yes ] || rm -rf "$record" "$lock"
  fail unrecorded "${there%%"$newline"*}"
}

# --- directories

# Where something is mounted, in the order in which it was.
mounts() {
  while read -r _ _ _ _ point _; do
    case $point in *\\*) point=$(printf %b "$point") ;; esac
    printf '%s\n' "$point"
  done </proc/self/mountinfo
}

# mounted_below DIRECTORY: the last first. DIRECTORY is its real path, because mounts have theirs.
mounted_below() {
  mounts | while IFS= read -r point; do
    case $point in "$1"/*) printf '%s\n' "$point" ;; esac
  done | tac
}

# unmount_below DIRECTORY: fails when anything is mounted there still, and then nothing in it may be deleted: a volume's data is its
# user's, and one that is mounted from the same disk looks to rm like any other directory.
unmount_below() {
  is_below_root "$1" || { echo "it has no real path" >"$record/said" && return 1; }
  for _ in 1 2 3; do
    points=$(mounted_below "$1")
    [ -n "$points" ] || return 0
    printf '%s\n' "$points" | while IFS= read -r point; do
      timeout 30 umount -- "$point" || timeout 30 umount -l -- "$point"
    done 2>"$record/said"
  done
  points=$(mounted_below "$1")
  [ -z "$points" ] || ! echo "${points%%"$newline"*} is mounted there and cannot be unmounted, so nothing in it was deleted" >"$record/said"
}

# delete_tree PATH: of a link, just that.
delete_tree() {
  is_below_root "$1" || return
  if [ -d "$1" ] && [ ! -L "$1" ]; then unmount_below "$(readlink -f -- "$1")" || return; fi
  rm -rf --one-file-system -- "$1" 2>"$record/said"
}

# found RECORD DIRECTORY: `MODE OWNER` of one that was there before, empty.
found() { lines_of "$1" found | while read -r was by path; do [ "$path" != "$2" ] || echo "$was $by"; done | head -n 1; }

# give_back DIRECTORY REAL `MODE OWNER`: empty again, as it was.
give_back() {
  is_below_root "$2" || return
  find "$2/" -xdev -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf --one-file-system -- {} + 2>"$record/said"
  if is_filled "$2"; then
    problem "$1" "$(tail -n 1 "$record/said")"
    return
  fi
  { chmod "${3% *}" "$2" && chown "${3#* }" "$2"; } || problem "$1"
}

# Of a directory that was there before with content, what came later, but for what is mounted in it.
empty_kept() {
  theirs=$(elsewhere kept && elsewhere directories)
  before=$(own kept-entries)
  mounted=$(mounts)
  own kept >"$work"
  while read -r path; do
    contains "$theirs" "$path" && continue
    if is_moved "$path"; then
      stays_behind "$path"
      continue
    fi
    # Earlier versions saw nothing in a directory behind a link.
    case $newline$before in *"$newline$path/"*) ;; *) progress "$path keeps what is in it: its record does not say what was there before" && continue ;; esac
    for entry in "$path"/* "$path"/.[!.]* "$path"/..?*; do
      if [ ! -e "$entry" ] && [ ! -L "$entry" ]; then continue; fi
      if contains "$before" "$entry" || { [ ! -L "$entry" ] && contains "$mounted" "$(readlink -f -- "$entry")"; }; then continue; fi
      delete_tree "$entry" || problem "$entry" "$(tail -n 1 "$record/said")"
    done
  done <"$work"
}

# is_moved DIRECTORY: also where the record, of an earlier version, does not say what it was.
is_moved() {
  ! is_elsewhere "$places" "$1" || return 0
  [ -z "$place" ] && [ -L "$1" ]
}

# leave_moved DIRECTORY: of one that we made, the link in its place goes.
leave_moved() {
  stays_behind "$1"
  [ -L "$1" ] && [ -z "$before" ] || return 0
  [ -z "$place" ] || [ "$(readlink -f -- "${1%/*}")/${1##*/}" = "$place" ] || return 0
  rm -f -- "$1" || problem "$1"
}

# The last owner that has a directory gives it back as it was before the first.
hand_found_over() {
  [ -n "$before" ] || return 0
  other=$(heir directories "$1")
  [ -n "$(found "$other" "$1")" ] || add_lines_to "$other" found "$before $1"
  place_in "$(lines_of "$other" places)" "$1"
  [ -z "$place" ] || return 0
  place_in "$places" "$1"
  [ -z "$place" ] || add_lines_to "$other" places "$1$tab$place"
}

# Never into what is mounted below.
remove_directories() {
  theirs=$(elsewhere directories)
  own directories >"$work"
  while read -r path; do
    before=$(found "$record" "$path")
    if contains "$theirs" "$path"; then
      hand_found_over "$path"
    elif [ ! -e "$path" ] && [ ! -L "$path" ]; then
      continue
    elif is_moved "$path"; then
      leave_moved "$path"
    elif ! unmount_below "$real"; then
      problem "$path" "$(cat "$record/said")"
    elif [ -n "$before" ]; then
      give_back "$path" "$real" "$before"
    elif ! rm -rf --one-file-system -- "$real" 2>"$record/said"; then
      # A disk of its own that is mounted here stays, empty.
      left=$(find "$real" -mindepth 1 -maxdepth 1 ! -name lost+found | head -n 1)
      if [ -n "$left" ] || ! contains "$(mounts)" "$real"; then problem "$path" "$(tail -n 1 "$record/said")"; fi
    fi
  done <"$work"
}

# --- kernel settings, folders

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
    done >"$record/$2.part" && flush "$record/$2.part" && mv -f "$record/$2.part" "$record/$2"
  }
}

work=$record/work
places=$(own places)
list_files | sort -u >"$work"
refuse_unknown
stop_units
[ -z "$units" ] || rest_units=$units
clean_up
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
  # Also of those that another owner has, who stops them then.
  for unit in $(list_own_units); do rm -f "$record/units/$unit"; done
  rm -f "$named" "$work" "$record/said"
  exit 0
fi
# The record goes in one step: a removal that is cut off here finds either all of it or nothing.
rm -rf "$state/.gone.$owner"
mv -T "$record" "$state/.gone.$owner" && rm -rf "$state/.gone.$owner"
rm -f "$lock"
set -- "$state"/*/
if [ ! -d "$1" ]; then
  rm -f "$state/.lock" "$state/remove"
  if rmdir "$state" 2>/dev/null; then rm -rf "$cache"; fi
fi
