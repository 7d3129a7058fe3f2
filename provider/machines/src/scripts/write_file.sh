# shellcheck shell=sh disable=SC2154 # variables of common.sh
# write_file.sh PATH MODE OWNER SIZE: standard input becomes the file, at once or not at all.
beside=${1%/*}/.k8s-hardway.$$.${1##*/}
trap 'rm -f "$beside"' EXIT
(umask 022 && mkdir -p "${1%/*}") || fail file "$1"
cat >"$beside" || fail file "$1"
[ "$(stat -c %s "$beside")" = "$4" ] || refuse_cut_off "$1"
chown "$3" "$beside" || fail owner "$3"
chmod "$2" "$beside" || fail file "$1"
mv -fT "$beside" "$1" || fail file "$1"
