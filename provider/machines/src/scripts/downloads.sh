# shellcheck shell=sh disable=SC2154 # variables of common.sh
# downloads.sh OWNER HOST UID HOLDER: standard input holds the digests of what the owner's programs come from, at last `end`. What no owner on
# this host needs any more is deleted from the store. A run that is cut off leaves what the next one deletes.
read_list
open_record "$1" "$2" "$3" "$4"
has_record || exit 0
lock_host
{ printf %s "$list" >"$record/downloads.part" && flush "$record/downloads.part" && mv -f "$record/downloads.part" "$record/downloads"; } ||
  fail file "$record/downloads"
for file in "$state"/*/binaries; do
  # Of an earlier version: it does not say what its programs come from.
  if [ -s "$file" ] && [ ! -f "${file%/*}/downloads" ]; then exit 0; fi
done
needed=$(cat "$state"/*/downloads) || fail file "$state"
if contains "$needed" incomplete; then exit 0; fi
for file in "$cache"/sha256/*; do
  name=${file##*/}
  contains "$needed" "${name%%.*}" || rm -f -- "$file"
done
