# shellcheck shell=sh disable=SC2154 # variables of common.sh
# upload.sh DIGEST: standard input becomes a file of the store if it has this digest.
store=$cache/sha256
mkdir -p "$store" || fail file "$store"
part=$store/$1.upload.$$
trap 'rm -f "$part"' EXIT
cat >"$part" || fail file "$part"
[ "$(sha256sum <"$part" | cut -c 1-64)" = "$1" ] || fail file "$part" "it arrived with another digest"
mv -f "$part" "$store/$1" || fail file "$store/$1"
