# shellcheck shell=sh disable=SC2154 # variables of common.sh
# inventory.sh: standard input names `filled PATH` and `certificates PATH`, at last `end`. Answers on standard output whose records
# the host has, what they name, and what of those paths is there. Fields are parted by tabs.
filled='' certificates='' ended=no
while read -r kind path; do
  case $kind in
  filled) filled="$filled $path" ;;
  certificates) certificates="$certificates $path" ;;
  end) ended=yes ;;
  esac
done
[ "$ended" = yes ] || refuse_cut_off "the question"
for folder in "$state"/*/; do
  folder=${folder%/}
  who=${folder##*/}
  # One that names nothing is what a run left that wrote nothing else.
  [ -s "$folder/files" ] || [ -s "$folder/directories" ] || continue
  printf 'record\t%s\t%s\n' "$who" "$(stat -c %W "$folder")"
  for list in directories kept identity started; do
    [ ! -f "$folder/$list" ] || sed "s/^/$list$tab$who$tab/" "$folder/$list"
  done
  # Records of older versions have the stamps of units that came up, and no list.
  for file in "$folder"/units/*; do
    [ ! -s "$file" ] || printf 'started\t%s\t%s\n' "$who" "${file##*/}"
  done
done
set -f
for path in $filled; do
  if is_filled "$path"; then printf 'filled\t%s\n' "$path"; fi
done
for path in $certificates; do
  # Nothing else that the file may hold, least of all a private key.
  [ ! -f "$path" ] || sed -n "/^-----BEGIN CERTIFICATE-----/,/^-----END CERTIFICATE-----/s|^|certificate$tab$path$tab|p" "$path"
done
echo end
