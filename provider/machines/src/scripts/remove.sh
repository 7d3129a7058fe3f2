# shellcheck shell=sh disable=SC2154 # variables of common.sh
# remove.sh OWNER HOST UID HOLDER all|rest: standard input holds `unit NAME`, `file PATH SHA256`, `binary PATH`, `sysctl KEY`, at last `end`.
# all: takes away what the record names, and what only standard input names if it is unchanged; then the record itself.
# rest: takes away what the record names and standard input does not.
read_list
open_record "$1" "$2" "$3" "$4"
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
  if [ -d "$1" ] && [ ! -L "$1" ]; then unmount_below "$(readlink -f -- "$1")" || return; fi
  rm -rf --one-file-system -- "$1" 2>"$record/said"
}

# found DIRECTORY: `MODE OWNER` of one that was there before, empty.
found() { own found | while read -r was by path; do [ "$path" != "$1" ] || echo "$was $by"; done | head -n 1; }

# give_back DIRECTORY REAL `MODE OWNER`: empty again, as it was.
give_back() {
  find "$2/" -xdev -mindepth 1 -maxdepth 1 ! -name lost+found -exec rm -rf --one-file-system -- {} + 2>"$record/said"
  if is_filled "$2"; then
    problem "$1" "$(tail -n 1 "$record/said")"
    return
  fi
  # Earlier versions noted the mode of a link in place of the directory's.
  if [ -L "$1" ] && [ "${3% *}" = 777 ]; then return; fi
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
    # Earlier versions saw nothing in a directory behind a link.
    case $before in *"$path/"*) ;; *) progress "$path keeps what is in it: its record does not say what was there before" && continue ;; esac
    for entry in "$path"/* "$path"/.[!.]* "$path"/..?*; do
      if [ ! -e "$entry" ] && [ ! -L "$entry" ]; then continue; fi
      if contains "$before" "$entry" || { [ ! -L "$entry" ] && contains "$mounted" "$(readlink -f -- "$entry")"; }; then continue; fi
      delete_tree "$entry" || problem "$entry" "$(tail -n 1 "$record/said")"
    done
  done <"$work"
}

# Never into what is mounted below.
remove_directories() {
  theirs=$(elsewhere directories)
  own directories >"$work"
  while read -r path; do
    if contains "$theirs" "$path" || [ ! -e "$path" ]; then continue; fi
    before=$(found "$path")
    real=$(readlink -f -- "$path")
    if [ -L "$path" ] && [ -z "$before" ]; then
      # Somebody moved it.
      progress "$real stays with all that is in it: $path was made a link to it"
      rm -f -- "$path" || problem "$path"
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
      others=$(lines_without "$(apt_takes "$package")" "$packages")
      [ -n "$others" ] || continue
      stays "$package" "$(echo "$others" | tr '\n' ' ')would go with it"
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
list_files | sort -u >"$work"
refuse_unknown
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
