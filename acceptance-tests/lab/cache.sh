# shellcheck shell=bash
# Sourced by every script of the lab that makes something slow.
#
# A "piece" is one slow thing: a set of Go programs, a root file system, an image. It lives in
#     <cache root>/<piece>/<key>/
# where the key is a hash of everything the piece is made from. A piece is built in a temporary folder beside it and renamed
# when it is complete, so a folder with its final name is always whole, and a build that was killed is simply done again.
# One lock per piece keeps two runs from building the same thing at the same time.

shopt -s inherit_errexit # `set -e` holds inside $(...) too

cache_root() {
  realpath -m "${K8S_LAB_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/terraform-provider-k8s}"
}

# Prints a line of progress, with the time of day, on standard error (standard output is for results).
say() {
  printf '%(%H:%M:%S)T %s\n' -1 "$*" >&2
}

die() {
  say "error: $*"
  exit 1
}

# cache_key < what the piece is made from: prints the key.
cache_key() {
  sha256sum | cut -c 1-16
}

# cache_path PIECE KEY: prints the folder of a piece, whether it is there or not.
cache_path() {
  printf '%s/%s/%s\n' "$(cache_root)" "$1" "$2"
}

# cache_piece PIECE KEY COMMAND [ARGUMENT...]: prints the folder of the piece; when it is not there yet, runs
# COMMAND ARGUMENT... FOLDER, which must fill FOLDER. COMMAND may be a function. It runs in a shell of its own with `set -e`, its
# output goes to standard error. Call it plainly (folder=$(cache_piece ...)), not behind `if`, `||` or `&&`: there the shell would
# ignore `set -e` in COMMAND.
cache_piece() {
  local piece=$1 key=$2
  shift 2
  local final
  final=$(cache_path "$piece" "$key")
  if [[ ! -d $final ]]; then
    mkdir -p "${final%/*}"
    cache_piece_build "$piece" "$final" "$@" 9>"${final%/*}/.lock"
  fi
  printf '%s\n' "$final"
}

# The part under the lock, which is file descriptor 9: it ends with the shell that holds it, however that shell ends.
# (Builders get it closed, so that nothing they might leave running can keep it.)
cache_piece_build() (
  set -e
  piece=$1 final=$2
  shift 2
  flock 9
  [[ ! -d $final ]] || exit 0 # another run was quicker
  trap '[[ $? == 0 ]] || say "$piece: the build failed"' EXIT
  rm -rf "$final.unfinished"
  mkdir "$final.unfinished"
  started=$SECONDS
  say "$piece: building"
  (
    set -e
    "$@" "$final.unfinished"
  ) 9>&- >&2
  mv -T "$final.unfinished" "$final"
  say "$piece: done in $((SECONDS - started)) s"
)
