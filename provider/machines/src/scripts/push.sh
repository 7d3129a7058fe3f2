# shellcheck shell=sh disable=SC2154 # variables of common.sh
# push.sh OWNER HOST UID HOLDER: standard input is an archive: plan/* say what to do, files/* are new contents, cleanup/* undo things on destroy,
# and `remove` is what root may run there in place of a destroy.
open_record "$1" "$2" "$3" "$4"
holder=$4
lock_host
# The provider has looked, and another run of it may have pushed since.
refuse_taken
make_record
let_start
exec 1>&2
stage=$record/staging
rm -rf "$stage"
mkdir "$stage" || fail file "$stage"
trap 'cd / && rm -rf "$stage" && let_start' EXIT
tar -xpm -f - -C "$stage" || fail staging "$stage"
[ -e "$stage/end" ] || fail staging "$stage" "the archive was cut off"
cd "$stage" || fail staging "$stage"
load_made

# Before anything is written: what is in a directory that nobody of us made is somebody's data.
refuse_filled() {
  covered=$(own directories && elsewhere directories)
  while read -r _ _ if_filled path; do
    if [ "$if_filled" = keep ] || contains "$covered" "$path" || ! is_filled "$path"; then continue; fi
    [ -e "$record/files" ] || rm -rf "$record" "$lock"
    fail filled "$path" "it holds $(find "$path/" -mindepth 1 -maxdepth 1 ! -name lost+found | head -n 1)"
  done <plan/directories
}

# Directories that get files.
filled_directories() {
  filled=$(find files -mindepth 2 -maxdepth 2 2>/dev/null | sed 's|^files/\([0-9]*\)/.*|\1|')
  while read -r number directory; do
    ! contains "$filled" "$number" || printf '%s\n' "$directory"
  done <plan/places
}

# What a running unit reads, or a reboot would start it with, until check.sh knows that the program takes what comes in its place. What an
# earlier push kept, which nobody checked, is what still runs.
keep_replaced() {
  [ -s plan/replaced ] || return 0
  kept=$(own replaced | cut -d ' ' -f 2-)
  new=
  while read -r path; do
    contains "$kept" "$path" && continue
    what=absent
    if [ -f "$path" ] || [ -L "$path" ]; then
      what=there
      old=$record/old$path
      { mkdir -p "${old%/*}" && rm -f "$old" && { ln "$path" "$old" 2>/dev/null || cp -a -- "$path" "$old"; }; } || fail file "$old"
    fi
    new="$new${new:+$newline}$what $path"
  done <plan/replaced
  [ -n "$kept" ] || [ ! -f "$record/binaries" ] || cp -p "$record/binaries" "$record/old.binaries" || fail file "$record/old.binaries"
  add_lines replaced "$new"
}

# A file that is in no record was there before us: keep it, so that remove can put it back.
record_files() {
  mine=$(own files)
  theirs=$(elsewhere files)
  new=
  while read -r path; do
    contains "$mine" "$path" && continue
    if contains "$theirs" "$path"; then
      :
    elif [ -f "$path" ] || [ -L "$path" ]; then
      store_backup "$record" "$path" "$path" || fail file "$path"
    else
      # Of an earlier time when it was declared.
      rm -f -- "$record/backup$path"
    fi
    new="$new${new:+$newline}$path"
  done <plan/files
  add_lines files "$new"
}

# The value from before anyone of us changed it; another owner may have seen it first.
record_sysctls() {
  mine=$(own sysctls | cut -f 1)
  theirs=$(elsewhere sysctls)
  while read -r _ key path _; do
    contains "$mine" "$key" && continue
    before=$(printf '%s\n' "$theirs" | sed -n "s/^$key$tab//p" | head -n 1)
    [ -n "$before" ] || before=$(cat "$path" 2>/dev/null) || continue
    add_lines sysctls "$key$tab$before"
  done <plan/sysctls
}

# An older version took no list of units that came up, and stamps go: where there is data, all count as if they had.
note_started() {
  has_record || return 0
  case $(identity version) in
  '' | 1) ;;
  *) return 0 ;;
  esac
  data=$(own directories | while read -r path; do if is_filled "$path"; then echo "$path"; fi; done)
  [ -n "$data" ] || return 0
  came_up=
  for file in "$record"/units/*; do
    unit=${file##*/}
    if [ -f "$file" ] && ! contains "$(own started)" "$unit"; then came_up="$came_up${came_up:+$newline}$unit"; fi
  done
  add_lines started "$came_up"
}

# Before the lists, so that a record never has one and does not say whose it is.
record_identity() {
  {
    { cat plan/identity && if [ -s /etc/machine-id ]; then echo "machine-id $(cat /etc/machine-id)"; fi; } >"$record/identity.part" &&
      # A record without a uid is of another life.
      flush "$record/identity.part" &&
      mv -f "$record/identity.part" "$record/identity"
  } || fail file "$record/identity"
}

# Who takes over supersedes all that stand there.
record_holder() { [ "$holder" = "$nil_uid" ] || contains "$(own holders)" "$holder" || add_lines holders "$holder"; }

record_rest() {
  while read -r unit; do
    [ -e "$record/units/$unit" ] || : >"$record/units/$unit" || fail file "$record/units/$unit"
  done <plan/units
  record_cleanup
  { cp remove "$state/remove.part" && chmod 700 "$state/remove.part" && flush "$state/remove.part" && mv -f "$state/remove.part" "$state/remove"; } ||
    fail file "$state/remove"
}

# A command is named NUMBER-WHAT, by what it undoes: the one that is declared now takes the place of the one from before, which would
# years later undo what is somebody else's by then. One that is declared no more stays: what it undoes may be there. Versions before
# named commands by their digests and kept them all.
record_cleanup() {
  for file in "$record"/cleanup/*; do
    case ${file##*/} in
    [0-9][0-9][0-9]-[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f])
      [ -e "cleanup/${file##*/}" ] || rm -f "$file"
      ;;
    esac
  done
  for file in cleanup/*; do
    [ -f "$file" ] || continue
    for before in "$record"/cleanup/[0-9][0-9][0-9]-"${file#cleanup/???-}"; do
      [ "${before##*/}" = "${file##*/}" ] || rm -f "$before"
    done
    # Half a command is another command.
    { cp "$file" "$record/cleanup.part" && flush "$record/cleanup.part" && mv -f "$record/cleanup.part" "$record/$file"; } ||
      fail file "$record/$file"
  done
}

load_modules() {
  while read -r name folder pattern trace; do
    module_present "$name" "$folder" "$pattern" "$trace" || modprobe -- "$name" || fail module "$name"
  done <plan/modules
}

set_sysctls() {
  while read -r what key path value; do
    [ "$what" = put ] || continue
    printf '%s\n' "$value" >"$path" || fail sysctl "$key"
  done <plan/sysctls
}

# keep_directory PATH: what is in it now is not ours, nor is the directory. Of what is in it, another owner may have made some, and knows
# what was there before.
keep_directory() {
  contains "$(own kept)" "$1" && return
  before=
  if contains "$(elsewhere kept)" "$1"; then
    before=$(elsewhere kept-entries | while IFS= read -r entry; do case $entry in "$1"/*) printf '%s\n' "$entry" ;; esac; done)
  fi
  add_lines kept-entries "${before:-$(find "$1/" -mindepth 1 -maxdepth 1)}"
  note_places "$1"
  add_lines kept "$1"
}

make_directories() {
  mine=$(own directories)
  theirs=$(elsewhere directories)
  places=$(elsewhere places)
  known=
  while read -r mode user if_filled path; do
    if contains "$mine" "$path" && [ -d "$path" ]; then
      # In the record of an earlier version; a link may not be from before.
      [ -L "$path" ] || known="$known${known:+$newline}$path"
      continue
    fi
    if [ "$if_filled" = keep ] && is_filled "$path" && ! contains "$theirs" "$path"; then
      keep_directory "$path"
      continue
    fi
    make_parents "${path%/*}"
    if [ ! -d "$path" ]; then
      # With its mode and owner from the first moment on.
      rm -rf "$path.k8s-hardway"
      mkdir -m "$mode" "$path.k8s-hardway" || fail file "$path"
      # Not what a link leads to that took its place meanwhile.
      chown -h "$user" "$path.k8s-hardway" || fail owner "$user"
      contains "$mine" "$path" || add_lines directories "$path"
      mv -T "$path.k8s-hardway" "$path" || fail file "$path"
      note_places "$path"
    elif contains "$theirs" "$path" && is_elsewhere "$places" "$path"; then
      progress "$path keeps its mode and owner: it was $place and is $real now"
      note_places "$path"
      add_lines directories "$path"
    else
      note_places "$path"
      # Somebody made it, empty: a removal leaves it as it was.
      contains "$theirs" "$path" || add_lines found "$(stat -L -c '%a %u:%g %n' "$path")"
      chown "$user" "$path" || fail owner "$user"
      chmod "$mode" "$path" || fail file "$path"
      add_lines directories "$path"
    fi
  done <plan/directories
  [ -z "$known" ] || note_places "$known"
}

# A unit that reads a new file again by itself has yet to do so; who is cut off before that was seen must find it out. A unit that was
# never started, or whose stamp was withdrawn, will be started with it.
mark_unread() {
  while read -r unit; do
    stamp=''
    read -r stamp <"$record/units/$unit"
    case $stamp in
    '' | *' unread') continue ;;
    esac
    write_stamp "$unit" "$stamp unread"
  done <plan/unread
}

# place FILE DIRECTORY: within one mount a rename does it; into another, the file is copied beside its place first.
place() {
  there=$2/${1##*/}
  if [ "$same_mount" = yes ]; then
    mv -fT "$1" "$there" || fail file "$there"
  else
    beside=$2/.k8s-hardway.$owner.new
    { cp -p "$1" "$beside" && mv -fT "$beside" "$there"; } || {
      rm -f "$beside"
      fail file "$there"
    }
  fi
}

# files/N holds what goes into one directory.
place_files() {
  here=$(stat -c %m .)
  while read -r _ directory; do make_parents "$directory"; done <plan/places
  note_places "$(sed -n 's|^[0-9]* \(/.*\)|\1|p' plan/places)"
  refuse_elsewhere "$getting"
  while read -r number directory; do
    rm -f "$directory/.k8s-hardway.$owner".*
    set --
    for file in "files/$number"/* "files/$number"/.[!.]*; do
      [ ! -f "$file" ] || set -- "$@" "$file"
    done
    [ $# -gt 0 ] || continue
    [ "$(stat -c %m "$directory/")" = "$here" ] && same_mount=yes || same_mount=no
    # All at once is quick; one by one tells which one fails.
    [ "$same_mount" = no ] || mv -f -t "$directory/" "$@" 2>/dev/null
    for file in "$@"; do
      [ ! -e "$file" ] || place "$file" "$directory"
      echo "$directory/${file##*/}" >>placed
    done
  done <plan/places
  # On a host with SELinux a moved file keeps the label of where it came from.
  if [ -s placed ] && command -v selinuxenabled >/dev/null && selinuxenabled; then restorecon -F -f placed; fi
}

# --- packages

apt_get() {
  DEBIAN_FRONTEND=noninteractive apt-get -qq -y -o DPkg::Lock::Timeout=120 -o Dpkg::Options::=--force-confold "$@" </dev/null
}

# What would come with a package, without what is only upgraded.
apt_new() { apt_get install -s --no-install-recommends "$1" >simulation && sed -n 's/^Inst \([^ ]*\) (.*/\1/p' simulation; }

# Those of the new packages that had a configuration before: a package was removed and not purged, or somebody made its folder in /etc.
configured_before() {
  for package in $new; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" != config-files ] || echo "$package"
  done
}

folders_of_etc() { find "${K8S_HARDWAY_ROOT:-}/etc" -mindepth 1 -maxdepth 1 -type d ! -empty 2>/dev/null | sed "s|^${K8S_HARDWAY_ROOT:-}||"; }

# found_in_etc FOLDERS: those that brought a folder which was there, and which no other package has.
found_in_etc() {
  for package in $new; do
    dpkg -L "$package" 2>/dev/null | grep -xE '/etc/[^/]+' | while read -r folder; do
      contains "$1" "$folder" || continue
      others=$(lines_without "$(dpkg -S "$folder" 2>/dev/null | sed 's/: .*//' | tr -d ' ' | tr ',' '\n' | sed 's/:.*//')" "$new")
      [ -n "$others" ] || echo "$package"
    done
  done
}

install_by_apt() {
  new=$(apt_new "$1") || { apt_get update && new=$(apt_new "$1"); } || fail package "$1"
  add_lines packages "$new"
  add_lines packages-configured "$(configured_before)"
  folders=$(folders_of_etc)
  keep_from_starting
  apt_get install --no-install-recommends "$1" || fail package "$1"
  let_start
  # shellcheck disable=SC2086 # one word for each
  add_lines packages-manual "$(apt-mark showmanual $new)"
  add_lines packages-configured "$(found_in_etc "$folders")"
  # The distribution's own services stay off at boot too; a bundle that wants one enables it.
  for package in $new; do
    for file in $(dpkg -L "$package" | grep -E '^(/usr)?/lib/systemd/system/[^@/]*\.(service|socket|timer)$'); do
      systemctl disable -q "${file##*/}"
    done
  done
}

# A program by its name, or anything else of a package by its path.
present() {
  case $1 in
  /*) [ -e "$1" ] ;;
  *) command -v "$1" >/dev/null ;;
  esac
}

install_packages() {
  theirs=$(elsewhere packages)
  while read -r program package; do
    if present "$program"; then
      if contains "$theirs" "$package" && ! contains "$(own packages)" "$package"; then
        add_lines packages "$package"
        for list in packages-manual packages-configured; do
          if contains "$(elsewhere $list)" "$package"; then add_lines $list "$package"; fi
        done
      fi
      continue
    fi
    progress "installing package $package"
    if command -v apt-get >/dev/null; then
      install_by_apt "$package"
    elif command -v dnf >/dev/null; then
      add_lines packages "$package"
      dnf -y install "$package" </dev/null || fail package "$package"
    else
      fail package "$package" "there is neither apt-get nor dnf, and program $program is missing"
    fi
    hash -r
    present "$program" || fail package "$package" "it was installed and brought no program $program"
  done <plan/packages
}

refuse_filled
getting=$(filled_directories)
refuse_elsewhere "$getting"
note_started
record_identity
record_holder
record_files
record_sysctls
record_rest
while read -r user; do chown "$user" end || fail owner "$user"; done <plan/owners
install_packages
load_modules
set_sysctls
make_directories
keep_replaced
mark_unread
place_files
