# shellcheck shell=sh disable=SC2154 # variables of common.sh
# check.sh OWNER HOST UID HOLDER: standard input is an archive: N/unit, N/command, and N/got_past, what the command says when the program got
# past its settings (empty: it succeeds then); at last `end`. Where a program does not take them, what push.sh kept is put back.
open_record "$1" "$2" "$3" "$4"
make_record
exec 1>&2
work=$record/checks
rm -rf "$work"
mkdir "$work" || fail file "$work"
trap 'cd / && rm -rf "$work"' EXIT
tar -xpm -f - -C "$work" || fail staging "$work"
[ -e "$work/end" ] || refuse_cut_off "the list of checks"

# passes FOLDER: no answer in time, or the end by a signal (129 to 192), says nothing of the settings; a program that cannot be executed does, and so does 255,
# with which programs end that log their last words by klog.
passes() {
  (cd / && exec timeout -k 2 20 sh "$1/command") >"$1/said" 2>&1 </dev/null
  status=$?
  [ "$status" != 0 ] && [ "$status" != 124 ] || return 0
  [ "$status" -le 128 ] || [ "$status" -gt 192 ] || return 0
  [ -s "$1/got_past" ] && grep -qF -f "$1/got_past" "$1/said"
}

# As push.sh found it. Programs keep their inode where the file system allows it: the record knows them by it.
put_back() {
  own replaced >"$work/replaced"
  while read -r what path; do
    if [ "$what" = absent ]; then
      rm -f "$path" || fail file "$path"
      continue
    fi
    beside=${path%/*}/.k8s-hardway.$owner.old
    rm -f "$beside"
    { { ln "$record/old$path" "$beside" 2>/dev/null || cp -a -- "$record/old$path" "$beside"; } && mv -fT "$beside" "$path"; } || fail file "$path"
    # The same file already: mv leaves both names.
    rm -f "$beside"
  done <"$work/replaced"
  [ ! -f "$record/old.binaries" ] || mv -f "$record/old.binaries" "$record/binaries" || fail file "$record/binaries"
  forget
}

# The list first: without it nothing is put back.
forget() { rm -f "$record/replaced" && rm -rf "$record/old" "$record/old.binaries"; }

for folder in "$work"/*/; do
  [ -d "$folder" ] || continue # none has to be asked
  { passes "${folder%/}" || : >"${folder}refused"; } &
done
wait
for folder in "$work"/*/; do
  [ -e "${folder}refused" ] || continue
  put_back
  { head -c 30000 "${folder}said" | head -n 50 && tail -c 30000 "${folder}said" | tail -n 50; } | sed "s/^/said$tab/" >&3
  fail settings "$(cat "${folder}unit")"
done
forget
