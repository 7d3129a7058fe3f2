# shellcheck shell=sh disable=SC2154 # variables of common.sh
# Between common.sh and remove.sh it is `/var/lib/k8s-hardway/remove`, which every push leaves on its host for root: `remove OWNER` does
# there what a destroy of that owner does, by the record.
case ${1-} in
'' | */* | .*) set -- "" ;;
esac
record=$state/$1
if [ $# != 1 ] || [ -z "$1" ] || ! has_record; then
  echo "usage: sh $0 OWNER, which is one of these:" >&2
  for record in "$state"/*/; do
    record=${record%/}
    if has_record; then echo "  ${record##*/}" >&2; fi
  done
  exit 2
fi
uid=$(identity uid)
set -- "$1" "$(identity host)" "${uid:-$nil_uid}" "" all
progress() { printf '%s\n' "$1"; }
exec <<EOI
end
EOI
