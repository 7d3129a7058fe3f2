# shellcheck shell=sh disable=SC2154 # variables of common.sh
# binaries.sh OWNER HOST UID HOLDER: standard input holds `fetch DIGEST URL` and `install IDENTITY DIGEST MEMBER|- PATH`, at last `end`.
# Answers `need DIGEST REASON` for what this host cannot fetch itself, `wrong DIGEST ACTUAL` for what is not what it should be.
read_list
open_record "$1" "$2" "$3" "$4"
make_record
exec 1>&2
work=$record/programs
trap 'rm -rf "$work"' EXIT
rm -rf "$work"
store=$cache/sha256
mkdir -p "$work" "$store" || fail file "$store"
printf %s "$list" >"$work/plan" || fail file "$work/plan"
load_made

# What is about to be fetched is noted first, so that downloads.sh of another owner does not delete it in between. The record of an
# earlier version does not have the rest.
note_downloads() {
  lock_host
  if [ -s "$record/binaries" ] && [ ! -f "$record/downloads" ]; then add_lines downloads incomplete; fi
  noted=$(own downloads)
  new=$(sed -n 's/^fetch \([^ ]*\) .*/\1/p' "$work/plan" | while read -r digest; do contains "$noted" "$digest" || echo "$digest"; done)
  add_lines downloads "$new"
  exec 8>&-
}

note_downloads

digest_of() { sha256sum <"$1" | cut -c 1-64; }

# download URL FILE: goes on with what is there. The URL is no argument, because it may hold a password.
download() {
  if command -v curl >/dev/null; then
    printf 'url = "%s"\n' "$1" | curl -fsSL -C - --connect-timeout 5 --speed-limit 1000 --speed-time 30 -o "$2" -K -
  elif command -v wget >/dev/null; then
    printf '%s\n' "$1" | wget -q -c --tries=1 --connect-timeout=5 --read-timeout=30 -O "$2" -i -
  else
    echo "it has neither curl nor wget" >&2
    return 127
  fi
}

# No way to a host (5, 6, 7 of curl, 4 of wget) and no space (23) are not tried again: the provider brings the file then.
download_with_patience() {
  for pause in 0 1 3 5; do
    sleep "$pause"
    size=$(stat -c %s "$2" 2>/dev/null || echo 0)
    download "$1" "$2" && return 0
    status=$?
    case $status in
    4 | 5 | 6 | 7 | 23 | 127) return "$status" ;;
    28) [ "$(stat -c %s "$2" 2>/dev/null || echo 0)" != "$size" ] || return "$status" ;;
    33 | 36) rm -f "$2" ;; # this server cannot go on in the middle
    esac
  done
  return "$status"
}

# fetch DIGEST URL: leaves a verified file in the store, or says why not in $work.
fetch() (
  exec 8>"$store/$1.lock"
  ! command -v flock >/dev/null || flock 8
  part=$store/$1.part
  if [ -f "$store/$1" ]; then
    [ "$(digest_of "$store/$1")" = "$1" ] && return
    rm -f "$store/$1"
  fi
  resumed=no
  if [ -s "$part" ]; then
    resumed=yes
    [ "$(digest_of "$part")" = "$1" ] && mv "$part" "$store/$1" && return
  fi
  progress "downloading ${2##*/}"
  download_with_patience "$2" "$part" 2>"$work/said.$1" || {
    printf 'need\t%s\t%s\n' "$1" "$(tail -n 1 "$work/said.$1")" >&3
    return
  }
  actual=$(digest_of "$part")
  if [ "$actual" != "$1" ] && [ "$resumed" = yes ]; then
    rm -f "$part"
    download_with_patience "$2" "$part" && actual=$(digest_of "$part")
  fi
  if [ "$actual" = "$1" ]; then
    mv "$part" "$store/$1"
  else
    rm -f "$part"
    printf 'wrong\t%s\t%s\n' "$1" "$actual" >&3
  fi
)

worker() {
  while read -r kind digest url; do
    [ "$kind" = fetch ] && mkdir "$work/claim.$digest" 2>/dev/null && fetch "$digest" "$url"
  done <"$work/plan"
}

# unpack DIGEST: all members that the plan wants of it, in one go.
unpack() {
  into=$work/unpacked.$1
  [ ! -d "$into" ] || return 0
  mkdir "$into" || return
  members=$(sed -n "s/^install [^ ]* $1 \([^ ]*\) .*/\1/p" "$work/plan" | sort -u)
  dotted=$(printf '%s\n' "$members" | sed 's|^|./|')
  # shellcheck disable=SC2086 # one word for each member
  tar -xf "$store/$1" --no-same-owner -C "$into" -- $members || tar -xf "$store/$1" --no-same-owner -C "$into" -- $dotted
}

# remember PATH IDENTITY: how the installed file looks, so that a read need not hash it.
remember() {
  look=$(stat -c "%s$tab%Y$tab%i" "$1") || return
  {
    own binaries | while IFS=$tab read -r other rest; do [ "$other" = "$1" ] || printf '%s\t%s\n' "$other" "$rest"; done
    printf '%s\t%s\t%s\n' "$1" "$2" "$look"
  } >"$record/binaries.part" && mv -f "$record/binaries.part" "$record/binaries"
}

install_one() { # identity digest member path
  source=$store/$2
  if [ "$3" != - ]; then
    unpack "$2" || fail binary "$4"
    source=$work/unpacked.$2/$3
  fi
  make_parents "${4%/*}"
  note_places "${4%/*}"
  rm -f "${4%/*}/.k8s-hardway.$owner".*
  beside=${4%/*}/.k8s-hardway.$owner.${4##*/}
  # Programs are large: a second name for the same file where the file system allows it. Nobody writes into them in place.
  { chmod 0755 "$source" && { ln "$source" "$beside" 2>/dev/null || cp -p "$source" "$beside"; } && mv -fT "$beside" "$4"; } || {
    rm -f "$beside"
    fail binary "$4"
  }
  if command -v selinuxenabled >/dev/null && selinuxenabled; then restorecon -F "$4"; fi
  remember "$4" "$1" || fail file "$record/binaries"
}

for _ in 1 2 3 4; do worker & done
wait
while read -r kind digest _; do
  # What is missing was reported by its worker; the provider brings it and asks again.
  [ "$kind" != fetch ] || [ -f "$store/$digest" ] || exit 0
done <"$work/plan"
refuse_elsewhere "$(sed -n 's|^install .* \(/.*\)/[^/]*$|\1|p' "$work/plan" | sort -u)"
while read -r kind identity digest member path; do
  [ "$kind" = install ] || continue
  install_one "$identity" "$digest" "$member" "$path"
done <"$work/plan"
echo installed >&3
