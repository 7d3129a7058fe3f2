# shellcheck shell=sh disable=SC2154 # variables of common.sh
# inventory.sh: standard input names `filled PATH`, `certificates PATH` and `expiring PATH`, at last `end`. Answers on standard output
# whose records the host has, what they name, what of those paths is there, and in how many seconds certificates expire. Fields are parted by tabs.
filled='' certificates='' expiring='' ended=no
while read -r kind path; do
  case $kind in
  filled) filled="$filled $path" ;;
  certificates) certificates="$certificates $path" ;;
  expiring) expiring="$expiring $path" ;;
  end) ended=yes ;;
  esac
done
[ "$ended" = yes ] || refuse_cut_off "the question"
if [ -s /etc/machine-id ]; then printf 'machine\t%s\n' "$(cat /etc/machine-id)"; fi
for folder in "$state"/*/; do
  folder=${folder%/}
  who=${folder##*/}
  # One that names nothing is what a run left that wrote nothing else.
  [ -s "$folder/files" ] || [ -s "$folder/directories" ] || continue
  printf 'record\t%s\t%s\n' "$who" "$(stat -c %W "$folder")"
  for list in directories kept identity started holders superseded; do
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
now=$(date +%s)
for path in $expiring; do
  # notAfter=Nov 29 12:00:00 2027 GMT
  end=$(openssl x509 -noout -enddate -in "$path" 2>/dev/null) || continue
  end=$(date -d "${end#*=}" +%s) || continue
  printf 'expires\t%s\t%s\n' "$path" "$((end - now))"
done
echo end
