# shellcheck shell=sh disable=SC2034,SC2154 # other scripts use these variables and set those
# What every script begins with: where records are, how a failure is reported. Arguments are set before this.
set -u
LC_ALL=C
PATH=$PATH:/usr/local/sbin:/usr/sbin:/sbin
export LC_ALL PATH
umask 077
# The tests set these two, and K8S_HARDWAY_ROOT.
state=${K8S_HARDWAY_STATE:-/var/lib/k8s-hardway}
cache=${K8S_HARDWAY_CACHE:-/var/cache/k8s-hardway}
newline='
'
tab=$(printf '\t')
# 3 is for the provider; what tools print goes to standard error.
exec 3>&1

# fail KIND OBJECT [TEXT]
fail() {
  [ $# -lt 3 ] || printf '%s\n' "$3" >&2
  # The shell's own commands say "I/O error" on a full disk.
  for place in "$state" "${2%/*}"; do
    case $place in
    /*) [ "$(df -Pk "$place" 2>/dev/null | sed -n '2s/^[^ ]* *[0-9]* *[0-9]* *\([0-9]*\).*/\1/p')" != 0 ] || echo "No space left on device: $place" >&2 ;;
    esac
  done
  printf 'error\t%s\t%s\n' "$1" "$2" >&3
  exit 1
}

progress() { printf 'progress\t%s\n' "$1" >&3; }

# A list that a broken connection cut short says nothing, least of all of what it does not name: every list ends with `end`.
refuse_cut_off() { fail cut-off "$1" "the connection broke before all of it had arrived"; }

# read_list: standard input into $list, without its `end`.
read_list() {
  list=$(cat)
  case $newline$list in
  *"${newline}end") list=${list%end} ;;
  *) refuse_cut_off "the list of what to do" ;;
  esac
}

# is_filled PATH: a file or a directory with content. lost+found is what an empty disk has.
is_filled() {
  if [ -d "$1" ]; then
    [ -n "$(find "$1/" -mindepth 1 -maxdepth 1 ! -name lost+found | head -n 1)" ]
  else
    [ -s "$1" ]
  fi
}

# contains LIST LINE
contains() {
  case "$newline$1$newline" in
  *"$newline$2$newline"*) return 0 ;;
  *) return 1 ;;
  esac
}

# lines_without LIST OTHER: keeps the order.
lines_without() { printf '%s\n' "$1" | while read -r line; do [ -z "$line" ] || contains "$2" "$line" || printf '%s\n' "$line"; done; }

nil_uid=00000000-0000-0000-0000-000000000000

# identity KEY: of the record; nothing where an older version wrote it.
identity() { [ ! -f "$record/identity" ] || sed -n "s/^$1 //p" "$record/identity"; }

# names_something RECORD: one that names nothing is what a run left that wrote nothing else.
names_something() { [ -s "$1/files" ] || [ -s "$1/directories" ]; }
has_record() { names_something "$record"; }

# refuse_other HOST UID HOLDER: SSH may reach another machine than it should, an owner of the same name may have been created since, and
# another state may have taken over what this one had. A record of an older version names no host, and is of the one owner that had the
# name then. Root has no state, and no HOLDER.
refuse_other() {
  other=$(identity host)
  [ "${other:-$1}" = "$1" ] || fail other-host "$other"
  has_record || return 0
  other=$(identity uid)
  [ "${other:=$nil_uid}" = "$2" ] || fail other-uid "${record##*/} $other"
  [ -z "$3" ] || ! contains "$(own superseded)" "$3" || fail taken-over "${record##*/}"
}

# other_of_kind: who else has this host, of a kind of which a host takes one: their files stand at the same paths whatever their name is.
other_of_kind() {
  case $owner in
  k8s_hardway_cluster.* | k8s_node_group.* | k8s_ccm_config.*) ;;
  *) return 0 ;;
  esac
  for other in "$state/${owner%%.*}".*/; do
    other=${other%/}
    if [ "$other" != "$record" ] && names_something "$other"; then echo "${other##*/}" && return; fi
  done
}

# refuse_taken: what a record has, it keeps; a host without one for this owner goes to whom it came first.
refuse_taken() {
  ! has_record || return 0
  other=$(other_of_kind)
  [ -n "$other" ] || return 0
  [ -d "$record" ] || rm -f "$lock"
  fail taken "$other"
}

# open_record OWNER HOST UID HOLDER [MODE]: one script at a time works on an owner's record, if it is that of this host and this life of the
# owner. Makes none: see make_record.
open_record() {
  owner=$1
  record=$state/$1
  lock=$state/.lock.$1
  # A provider that is gone must not stop what it began, nor keep the traps from tidying up.
  trap '' PIPE HUP
  while :; do
    mkdir -p "$state" || fail file "$state"
    exec 9>"$lock" || fail file "$lock"
    take_lock 9 "$lock"
    ! is_at 9 "$lock" || break
    # Who waited for a removal has nothing to go on with: it would install what was just destroyed. A removal of all looks again.
    [ "${5-}" = all ] || fail removed "$owner"
  done
  refuse_other "$2" "$3" "$4"
}

make_record() { mkdir -p "$record/backup" "$record/units" "$record/cleanup" || fail file "$record"; }

# One script at a time looks at what other owners' records name and changes its own accordingly.
lock_host() {
  while :; do
    exec 8>"$state/.lock" || fail file "$state/.lock"
    take_lock 8 "$state/.lock"
    is_at 8 "$state/.lock" && return
  done
}

# is_at DESCRIPTOR FILE: what is open is still there. A removal deletes the locks that it holds.
is_at() { [ "$(stat -L -c %d:%i "/proc/self/fd/$1" 2>/dev/null)" = "$(stat -c %d:%i "$2" 2>/dev/null)" ]; }

# take_lock DESCRIPTOR FILE: held until the script ends; the kernel lets go of it even when the script is killed.
take_lock() {
  command -v flock >/dev/null || return 0
  flock -n "$1" || {
    progress "waiting for another run on this host"
    flock -w 300 "$1" || fail locked "$2"
  }
}

# elsewhere LIST: the lines of that list in the records of all other owners.
elsewhere() {
  for file in "$state"/*/"$1"; do
    [ "$file" = "$record/$1" ] || [ ! -f "$file" ] || cat "$file"
  done
}

# lines_of RECORD LIST
lines_of() { if [ -f "$1/$2" ]; then cat "$1/$2"; fi; }
own() { lines_of "$record" "$1"; }

# place_in LIST PATH: sets $place to where the path was by a list `places`, nothing where that does not say.
place_in() {
  place=$newline$1$newline
  case $place in
  *"$newline$2$tab"*)
    place=${place#*"$newline$2$tab"}
    place=${place%%"$newline"*}
    ;;
  *) place= ;;
  esac
}

# is_elsewhere LIST PATH: it is not where that list says that it was. A link took its place, or that of a directory above it: pods and
# users who may write there can make one to anything. Sets $place, and $real to where it is now, nothing where nothing is: a link that leads
# nowhere, or to itself, has no real path. Where there is no link any more, nothing can lead away.
is_elsewhere() {
  place_in "$1" "$2"
  real=$(readlink -f -- "$2")
  [ -n "$place" ] && [ "$real" != "$place" ] && [ "$real" != "$2" ] && { [ -n "$real" ] || [ -L "$2" ]; }
}

# note_places PATHS: where each really is, by which a removal knows that it is still what it was. Only the first time; another owner may
# have seen it earlier.
note_places() {
  noted=$(own places)
  noted_elsewhere=$(elsewhere places)
  new=$(printf '%s\n' "$1" | while read -r path; do
    place_in "$noted" "$path"
    [ -z "$place" ] || continue
    place_in "$noted_elsewhere" "$path"
    printf '%s\t%s\n' "$path" "${place:-$(readlink -f -- "$path")}"
  done)
  add_lines places "$new"
}

# refuse_elsewhere DIRECTORIES: what is written through a link that took the place of one overwrites what is there, and a removal leaves it.
refuse_elsewhere() {
  places=$(own places && elsewhere places)
  printf '%s\n' "$1" | while read -r directory; do
    ! is_elsewhere "$places" "$directory" || fail elsewhere "$directory$tab$place$tab${real:-nowhere}"
  done || exit 1
}

# is_below_root PATH: absolute, and not / itself. Nothing else is ever unmounted, emptied or deleted with what is in it, wherever a variable
# that is empty comes from.
is_below_root() {
  case $1 in
  /?*) [ -n "$(printf %s "$1" | tr -d /.)" ] ;;
  *) false ;;
  esac
}

# store_backup RECORD PATH FILE: the file becomes what that record puts back in the path's place.
store_backup() {
  mkdir -p "$1/backup${2%/*}" &&
    cp -a -- "$3" "$1/backup$2.part" &&
    flush "$1/backup$2.part" &&
    mv -fT -- "$1/backup$2.part" "$1/backup$2"
}

# flush FILE: a power cut may leave a file empty that was renamed before its content was written.
flush() { sync "$1" 2>/dev/null || sync; }

# add_lines LIST LINES
add_lines() { add_lines_to "$record" "$1" "$2"; }

# add_lines_to RECORD LIST LINES: at once or not at all, because a path that is cut off is another path.
add_lines_to() {
  [ -n "$3" ] || return 0
  {
    { lines_of "$1" "$2" && printf '%s\n' "$3"; } | cat >"$1/$2.part" && flush "$1/$2.part" && mv -f "$1/$2.part" "$1/$2"
  } || fail file "$1/$2"
}

# write_stamp UNIT STAMP: as a whole or not at all.
write_stamp() {
  { printf '%s\n' "$2" >"$record/stamp.part" && mv -f "$record/stamp.part" "$record/units/$1"; } || fail file "$record/units/$1"
}

# Before make_parents.
load_made() {
  made=$(own made)
  made_elsewhere=$(elsewhere made)
}

# make_parents DIRECTORY: what had to be made is recorded first, so that remove can take it away when it is empty. What another owner
# had made counts as made for this one too: the last of them takes it away.
make_parents() {
  parent=$1
  missing=
  while [ -n "$parent" ]; do
    if [ ! -d "$parent" ]; then
      missing="$parent $missing"
    elif ! contains "$made_elsewhere" "$parent"; then
      parent=${parent%/*}
      continue
    fi
    if ! contains "$made" "$parent"; then
      made=$made$newline$parent
      add_lines made "$parent"
    fi
    parent=${parent%/*}
  done
  for parent in $missing; do
    (umask 022 && mkdir "$parent") || [ -d "$parent" ] || fail file "$parent"
  done
}

# Debian starts what it installs, before its configuration is there, unless this program says no. It says so no longer than a push may
# take, should nobody take it away.
policy=${K8S_HARDWAY_ROOT:-}/usr/sbin/policy-rc.d
policy_mark='# made by terraform-provider-k8s while it installs a package'

keep_from_starting() {
  [ ! -e "$policy" ] || return 0
  # shellcheck disable=SC2016 # for the program
  printf '#!/bin/sh\n%s\n[ "$(date +%%s)" -lt %s ] || exit 0\nexit 101\n' "$policy_mark" "$(($(date +%s) + 900))" >"$policy" &&
    chmod 755 "$policy"
}

# Also what an earlier push left that was killed: who holds the host's lock is the only one that installs.
let_start() {
  if grep -qsF "$policy_mark" "$policy"; then rm -f "$policy"; fi
}

# module_present NAME SYSFS_NAME PATTERN TRACE: loaded or built in. A kernel without a list of its built-in modules still shows what
# they made: a file system, or TRACE, a path that only this module makes.
module_present() {
  [ -d "/sys/module/$2" ] || { [ "$4" != - ] && [ -e "$4" ]; } ||
    grep -qsE "/$3\.ko" "/lib/modules/$(uname -r)/modules.builtin" ||
    grep -qsE "(^|[[:space:]])$3\$" /proc/filesystems
}
